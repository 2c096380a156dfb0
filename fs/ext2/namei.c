// SPDX-License-Identifier: BSD-2-Clause
/*
 * Names: lookup, creation, links, removal, renaming.  Each operation first finds out whether it can succeed, then changes entries, then
 * link counts.  Locks: the VFS holds v_lock of the directories and of the vnodes named, exclusive for changes.
 */

#include "fs/ext2/ext2.h"

#define LINK_MAX	   32000u
#define LINK_MAX_DIR_NLINK 65000u
#define FAST_LINK_SIZE	   (EXT2_NPTRS * sizeof(u32))
#define RENAME_NOREPLACE   1u
#define RENAME_EXCHANGE	   2u

static bool is_dir(const struct ext2_node *n)
{
	return (n->vn.mode & S_IFMT) == S_IFDIR;
}

/* With DIR_NLINK a directory of too many subdirectories counts 1: unknown. */
void ext2_link_count(struct ext2_node *n, int by)
{
	if (is_dir(n) && n->nlink == 1 && ext2_fs(&n->vn)->dir_nlink)
		return;
	ASSERTF((s64)n->nlink + by >= 0, "inode %u", (u32)n->vn.ino);
	n->nlink = (u32)((s32)n->nlink + by);
	if (is_dir(n) && n->nlink > LINK_MAX_DIR_NLINK)
		n->nlink = 1;
}

static bool too_many_links(const struct ext2_node *n)
{
	return n->nlink >= LINK_MAX && !(is_dir(n) && ext2_fs(&n->vn)->dir_nlink);
}

/* The entry must name this vnode: else the VFS and the disk disagree, and nothing may be done. */
static int find_vnode(struct ext2_node *dir, const char *name, size_t len, const struct vnode *vn,
		      struct ext2_slot *slot)
{
	int err = ext2_dir_find(dir, name, len, slot);

	return !err && slot->ino != vn->ino ? -ENOENT : err;
}

static int check_absent(struct ext2_node *dir, const char *name, size_t len)
{
	struct ext2_slot slot;
	int err = ext2_dir_find(dir, name, len, &slot);

	return err == -ENOENT ? 0 : err ? err : -EEXIST;
}

/* A directory that was removed but is still somebody's current one takes no new entries. */
static int check_alive(struct ext2_node *dir)
{
	if (!ext2_writable(ext2_fs(&dir->vn)))
		return -EROFS;
	return dir->nlink ? 0 : -ENOENT;
}

int ext2_lookup(struct vnode *vn, const char *name, size_t len, struct vnode **out)
{
	struct ext2_node *dir = ext2_node(vn);
	struct ext2_fs *fs = ext2_fs(vn);
	struct ext2_slot slot;
	int err;

	err = ext2_dir_find(dir, name, len, &slot);
	if (err)
		return err;
	err = ext2_iget(vn->mount, slot.ino, false, out);
	if (err == -ESTALE)
		err = ext2_error(fs,
				 "directory inode %u: an entry names inode %u, which is deleted",
				 (u32)vn->ino, slot.ino);
	return err;
}

/* ---- creating ---- */

static int write_link(struct ext2_node *n, const char *target)
{
	size_t len = strlen(target);
	struct dir_block b;
	int err;

	if (len + 1 > ext2_fs(&n->vn)->bsize)
		return -ENAMETOOLONG;
	if (len < FAST_LINK_SIZE) {
		memcpy(n->block, target, len);
		n->vn.obj.size = len;
		return 0;
	}
	err = ext2_append_block(n, 0, len, &b);
	if (err)
		return err;
	memcpy(b.data, target, len);
	vm_page_dirty(b.frame);
	ext2_dir_block_put(&b);
	return 0;
}

/* What a new inode holds before it has a name. */
static int make_contents(struct ext2_node *dir, struct ext2_node *n, const char *target)
{
	if (target)
		return write_link(n, target);
	if (is_dir(n))
		return ext2_dir_make_empty(n, (u32)dir->vn.ino);
	return 0;
}

int ext2_create(struct vnode *vn, const char *name, size_t len, u32 mode, u64 rdev,
		const char *target, const struct cred *cred, struct vnode **out)
{
	struct ext2_node *dir = ext2_node(vn), *n;
	int err;

	if (target)
		mode = S_IFLNK | 0777;
	err = check_alive(dir);
	if (!err)
		err = check_absent(dir, name, len);
	if (!err && (mode & S_IFMT) == S_IFDIR && too_many_links(dir))
		err = -EMLINK;
	if (!err)
		err = ext2_new_node(dir, mode, rdev, cred, &n);
	if (err)
		return err;
	err = make_contents(dir, n, target);
	if (!err)
		err = ext2_dir_add(dir, name, len, (u32)n->vn.ino, mode);
	if (err) {
		vnode_drop(&n->vn); /* no links: frees all */
		return err;
	}
	n->nlink = is_dir(n) ? 2 : 1;
	if (is_dir(n))
		ext2_link_count(dir, 1);
	ext2_mark_dirty(n);
	ext2_mark_dirty(ext2_node(vn));
	*out = &n->vn;
	return 0;
}

int ext2_link(struct vnode *vn, const char *name, size_t len, struct vnode *target)
{
	struct ext2_node *dir = ext2_node(vn), *n = ext2_node(target);
	int err;

	err = check_alive(dir);
	if (!err && is_dir(n))
		err = -EPERM;
	if (!err && n->nlink == 0)
		err = -ENOENT;
	if (!err && too_many_links(n))
		err = -EMLINK;
	if (!err)
		err = check_absent(dir, name, len);
	if (!err)
		err = ext2_dir_add(dir, name, len, (u32)target->ino, target->mode);
	if (err)
		return err;
	ext2_link_count(n, 1);
	ext2_touch(n, ATTR_CTIME);
	return 0;
}

/* ---- removing ---- */

/* n lost its name in dir; a directory loses its own "." too, and dir the ".." in it. */
static void drop_name(struct ext2_node *dir, struct ext2_node *n)
{
	if (is_dir(n)) {
		n->nlink = 0;
		ext2_link_count(dir, -1);
		ext2_mark_dirty(dir);
	} else {
		if (n->nlink == 0)
			ext2_error(ext2_fs(&n->vn), "inode %u: more names than links",
				   (u32)n->vn.ino);
		else
			n->nlink--;
	}
	ext2_touch(n, ATTR_CTIME);
	if (n->nlink == 0)
		ext2_orphan_add(n);
}

int ext2_unlink(struct vnode *vn, const char *name, size_t len, struct vnode *target)
{
	struct ext2_node *dir = ext2_node(vn), *n = ext2_node(target);
	struct ext2_slot slot;
	int err;

	if (!ext2_writable(ext2_fs(vn)))
		return -EROFS;
	err = find_vnode(dir, name, len, target, &slot);
	if (!err && is_dir(n))
		err = ext2_dir_is_empty(n);
	if (!err)
		err = ext2_dir_remove(dir, name, len, slot.pos);
	if (!err)
		drop_name(dir, n);
	return err;
}

/* ---- renaming ---- */

/* Field markings and the corresponding locks:
 * (v) on the renaming thread's stack; the VFS holds v_lock of every node in it
 */
struct renaming {
	struct ext2_node *odir, *ndir; /* (v) */
	struct ext2_node *n, *target;  /* (v) target may be NULL */
	const char *oname, *nname;     /* (v) */
	size_t olen, nlen;	       /* (v) */
	struct ext2_slot from, to;     /* (v) their entries; to only with a target */
	struct ext2_slot up,
		target_up; /* (v) their ".." entries if directories that change parent */
};

static bool changes_parent(const struct renaming *r, const struct ext2_node *n)
{
	return r->odir != r->ndir && n && is_dir(n);
}

static int check_parent_links(const struct renaming *r, bool exchange)
{
	bool in = is_dir(r->n), out = r->target && is_dir(r->target);

	if (r->odir == r->ndir)
		return 0;
	if (in && !out && too_many_links(r->ndir))
		return -EMLINK;
	return exchange && out && !in && too_many_links(r->odir) ? -EMLINK : 0;
}

/* Everything that can fail without a change. */
static int prepare(struct renaming *r, unsigned flags)
{
	bool exchange = flags & RENAME_EXCHANGE;
	int err;

	err = find_vnode(r->odir, r->oname, r->olen, &r->n->vn, &r->from);
	if (!err)
		err = r->target ? find_vnode(r->ndir, r->nname, r->nlen, &r->target->vn, &r->to)
				: check_absent(r->ndir, r->nname, r->nlen);
	if (!err && r->target && (flags & RENAME_NOREPLACE))
		err = -EEXIST;
	if (!err && exchange && !r->target)
		err = -ENOENT;
	if (!err && r->target && !exchange && is_dir(r->target))
		err = ext2_dir_is_empty(r->target);
	if (!err)
		err = check_parent_links(r, exchange);
	if (!err && changes_parent(r, r->n))
		err = ext2_dir_find(r->n, "..", 2, &r->up);
	if (!err && exchange && changes_parent(r, r->target))
		err = ext2_dir_find(r->target, "..", 2, &r->target_up);
	return err;
}

static int exchange_names(struct renaming *r)
{
	int err;

	err = ext2_dir_replace(r->odir, r->from.pos, (u32)r->target->vn.ino, r->target->vn.mode);
	if (err)
		return err;
	err = ext2_dir_replace(r->ndir, r->to.pos, (u32)r->n->vn.ino, r->n->vn.mode);
	if (err) {
		ext2_dir_replace(r->odir, r->from.pos, (u32)r->n->vn.ino, r->n->vn.mode);
		return err;
	}
	if (changes_parent(r, r->n)) {
		err = ext2_dir_replace(r->n, r->up.pos, (u32)r->ndir->vn.ino, S_IFDIR);
		ext2_link_count(r->odir, -1);
		ext2_link_count(r->ndir, 1);
	}
	if (changes_parent(r, r->target)) {
		err = ext2_dir_replace(r->target, r->target_up.pos, (u32)r->odir->vn.ino, S_IFDIR);
		ext2_link_count(r->ndir, -1);
		ext2_link_count(r->odir, 1);
	}
	ext2_touch(r->target, ATTR_CTIME);
	return err;
}

/* The new name first, then the old one goes: at no time is there none. */
static int move_name(struct renaming *r)
{
	struct ext2_slot added;
	int err;

	if (r->target)
		err = ext2_dir_replace(r->ndir, r->to.pos, (u32)r->n->vn.ino, r->n->vn.mode);
	else
		err = ext2_dir_add(r->ndir, r->nname, r->nlen, (u32)r->n->vn.ino, r->n->vn.mode);
	if (err)
		return err;
	err = ext2_dir_remove(r->odir, r->oname, r->olen, r->from.pos);
	if (!err)
		return 0;
	if (r->target)
		ext2_dir_replace(r->ndir, r->to.pos, (u32)r->target->vn.ino, r->target->vn.mode);
	else if (!ext2_dir_find(r->ndir, r->nname, r->nlen, &added))
		ext2_dir_remove(r->ndir, r->nname, r->nlen, added.pos);
	return err;
}

static int rename_over(struct renaming *r)
{
	int err = move_name(r);

	if (err)
		return err;
	if (changes_parent(r, r->n)) {
		err = ext2_dir_replace(r->n, r->up.pos, (u32)r->ndir->vn.ino, S_IFDIR);
		ext2_link_count(r->odir, -1);
		ext2_link_count(r->ndir, 1);
	}
	if (r->target)
		drop_name(r->ndir, r->target);
	return err;
}

int ext2_rename(struct vnode *odir, const char *oname, size_t olen, struct vnode *vn,
		struct vnode *ndir, const char *nname, size_t nlen, struct vnode *target,
		unsigned flags)
{
	struct renaming r = {
		.odir = ext2_node(odir),
		.ndir = ext2_node(ndir),
		.n = ext2_node(vn),
		.target = target ? ext2_node(target) : NULL,
		.oname = oname,
		.nname = nname,
		.olen = olen,
		.nlen = nlen,
	};
	int err;

	err = check_alive(r.ndir);
	if (!err)
		err = prepare(&r, flags);
	if (err || vn == target)
		return err;
	err = flags & RENAME_EXCHANGE ? exchange_names(&r) : rename_over(&r);
	ext2_touch(r.n, ATTR_CTIME);
	ext2_mark_dirty(r.odir);
	ext2_mark_dirty(r.ndir);
	return err;
}
