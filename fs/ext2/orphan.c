// SPDX-License-Identifier: BSD-2-Clause
/*
 * Orphans: inodes without a name that were open when another system stopped.  It left them as a chain on the disk, which the first mount for writing
 * frees:
 *
 *	superblock.last_orphan -> inode.dtime -> inode.dtime -> 0
 *
 * We keep no such chain: an inode without names is dead on the disk as soon as the name is gone (commit.c), and e2fsck -p gives its blocks back;
 * a half-written chain is what it would not repair.  Locks: at mount, nobody else is there.
 */

#include "fs/ext2/ext2.h"

/* A truncation that a crash interrupted: the inode still has names. */
static int finish_truncate(struct ext2_node *n)
{
	int err;

	if ((n->vn.mode & S_IFMT) != S_IFREG)
		return 0;
	ext2_begin(ext2_fs(&n->vn));
	mutex_lock(&n->lock);
	n->past_end = UINT32_MAX;
	err = ext2_trim(n);
	mutex_unlock(&n->lock);
	ext2_end(ext2_fs(&n->vn));
	return err;
}

/* One inode of the chain on the disk: *next is the following one. */
static int recover_one(struct ext2_fs *fs, u32 ino, u32 *next)
{
	struct ext2_node *n;
	struct vnode *vn;
	int err;

	err = ext2_iget(fs->mount, ino, true, &vn);
	if (err)
		return err;
	n = ext2_node(vn);
	*next = n->dtime;
	n->dtime = 0;
	ext2_mark_dirty(n);
	if (n->nlink) {
		err = finish_truncate(n);
	} else {
		ext2_warn(fs, "freeing orphan inode %u", ino);
		ext2_begin(fs);
		ext2_died(n, NULL, false);
		ext2_end(fs);
	}
	vnode_drop(vn); /* the last one: frees it if it has no links */
	return err;
}

int ext2_orphans_recover(struct ext2_fs *fs)
{
	u32 ino = fs->super.last_orphan, left = fs->super.inodes_count, next = 0;
	int err = 0;

	for (; ino && !err; ino = next) {
		if (left-- == 0)
			err = ext2_error(fs, "the list of orphan inodes is a ring");
		else
			err = recover_one(fs, ino, &next);
	}
	/* the chain is forgotten when its links are off the disk */
	if (!err && fs->super.last_orphan)
		err = ext2_commit(fs);
	fs->super.last_orphan = 0;
	WRITE_ONCE(fs->super_dirty, true);
	return err == -ENOMEM ? err : 0;
}
