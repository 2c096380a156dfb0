// SPDX-License-Identifier: BSD-2-Clause
/*
 * Orphans: inodes without a name that are still open.  They form a chain on the disk, so that e2fsck (or the next mount)
 * can free them after a crash:
 *
 *	superblock.last_orphan -> inode.dtime -> inode.dtime -> 0
 *
 * The chain in memory (fs->orphans, newest first) is the same one; the disk follows at the next write of the inodes and the
 * superblock.  Locks: orphan_lock.
 */

#include "fs/ext2/ext2.h"

static u32 ino_of(const struct ext2_node *n)
{
	return n ? (u32)n->vn.ino : 0;
}

static struct ext2_node *next_of(struct ext2_fs *fs, struct ext2_node *n)
{
	if (n->orphan_link.next == &fs->orphans)
		return NULL;
	return list_entry(n->orphan_link.next, struct ext2_node, orphan_link);
}

static void set_head(struct ext2_fs *fs)
{
	fs->super.last_orphan = ino_of(list_first(&fs->orphans, struct ext2_node, orphan_link));
	WRITE_ONCE(fs->super_dirty, true);
}

void ext2_orphan_add(struct ext2_node *n)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);

	ASSERT(n->nlink == 0);
	mutex_lock(&fs->orphan_lock);
	if (!n->orphan) {
		n->orphan = true;
		list_add(&fs->orphans, &n->orphan_link);
		set_head(fs);
	}
	mutex_unlock(&fs->orphan_lock);
	ext2_mark_dirty(n);
}

/*
 * The orphan whose pointer changes has to be written; it may be going away too, and then the vnode cache does not give it out.
 * Dropping it may free it, which takes the lock again: the caller does that after unlocking.
 */
static struct vnode *previous_orphan(struct ext2_fs *fs, struct ext2_node *n)
{
	if (fs->orphans.next == &n->orphan_link)
		return NULL;
	return vnode_find(fs->mount,
			  list_entry(n->orphan_link.prev, struct ext2_node, orphan_link)->vn.ino);
}

void ext2_orphan_del(struct ext2_node *n)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	struct vnode *prev;

	if (!READ_ONCE(n->orphan))
		return;
	mutex_lock(&fs->orphan_lock);
	prev = ext2_writable(fs) ? previous_orphan(fs, n) : NULL;
	list_del(&n->orphan_link);
	n->orphan = false;
	if (ext2_writable(fs))
		set_head(fs);
	mutex_unlock(&fs->orphan_lock);
	if (prev) {
		ext2_mark_dirty(ext2_node(prev));
		vnode_drop(prev);
	}
}

u32 ext2_orphan_next(struct ext2_node *n)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	u32 next = 0;

	if (!READ_ONCE(n->orphan))
		return 0;
	mutex_lock(&fs->orphan_lock);
	if (n->orphan)
		next = ino_of(next_of(fs, n));
	mutex_unlock(&fs->orphan_lock);
	return next;
}

/* A truncation that a crash interrupted: the inode still has names. */
static int finish_truncate(struct ext2_node *n)
{
	int err;

	if ((n->vn.mode & S_IFMT) != S_IFREG)
		return 0;
	mutex_lock(&n->lock);
	n->past_end = UINT32_MAX;
	err = ext2_trim(n);
	mutex_unlock(&n->lock);
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
	if (n->nlink)
		err = finish_truncate(n);
	else
		ext2_warn(fs, "freeing orphan inode %u", ino);
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
	fs->super.last_orphan = 0;
	WRITE_ONCE(fs->super_dirty, true);
	return err == -ENOMEM ? err : 0;
}
