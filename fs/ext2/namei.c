// SPDX-License-Identifier: BSD-2-Clause
/*
 * Names: lookup, creation, links, removal, renaming.  Each operation first finds out whether it can succeed, then changes entries, then
 * link counts.  What a commit cannot order by itself makes a commit first: the disk never loses an inode's last name before it has the
 * next one (commit.c).  Locks: the VFS holds v_lock of the directories and of the vnodes named, exclusive for changes.
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
	ext2_dir_dirty(n, &b, EXT2_KIND_NEW);
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

/* Field markings and the corresponding locks:
 * (v) on the creating thread's stack; the VFS holds v_lock of the directory
 */
struct creation {
	struct ext2_node *dir;	 /* (v) */
	const char *name;	 /* (v) */
	size_t len;		 /* (v) */
	u32 mode;		 /* (v) */
	u64 rdev;		 /* (v) */
	const char *target;	 /* (v) of a symbolic link */
	const struct cred *cred; /* (v) */
};

/* Inside the gate. On failure *out may be a node without links, to be dropped outside. */
static int create_inside(const struct creation *c, struct ext2_node **out)
{
	struct ext2_node *n;
	u64 pos;
	int err;

	*out = NULL;
	err = ext2_new_node(c->dir, c->mode, c->rdev, c->cred, out);
	if (err)
		return err;
	n = *out;
	err = make_contents(c->dir, n, c->target);
	if (!err)
		err = ext2_dir_add(c->dir, c->name, c->len, (u32)n->vn.ino, c->mode, &pos);
	if (err)
		return err;
	n->nlink = is_dir(n) ? 2 : 1;
	if (is_dir(n))
		ext2_link_count(c->dir, 1);
	ext2_mark_dirty(n);
	ext2_mark_dirty(c->dir);
	return 0;
}

static int try_create(const struct creation *c, struct vnode **out)
{
	struct ext2_fs *fs = ext2_fs(&c->dir->vn);
	struct ext2_node *n;
	int err;

	ext2_begin_change(fs);
	err = create_inside(c, &n);
	ext2_end(fs);
	if (!err)
		*out = &n->vn;
	else if (n)
		vnode_drop(&n->vn); /* no links: frees all */
	return err;
}

int ext2_create(struct vnode *vn, const char *name, size_t len, u32 mode, u64 rdev,
		const char *target, const struct cred *cred, struct vnode **out)
{
	struct ext2_node *dir = ext2_node(vn);
	struct creation c = {dir, name, len, target ? S_IFLNK | 0777 : mode, rdev, target, cred};
	int err;

	err = check_alive(dir);
	if (!err)
		err = check_absent(dir, name, len);
	if (!err && (c.mode & S_IFMT) == S_IFDIR && too_many_links(dir))
		err = -EMLINK;
	if (err)
		return err;
	err = try_create(&c, out);
	return ext2_retry(ext2_fs(vn), err) ? try_create(&c, out) : err;
}

/* One more name for n. */
static int add_name(struct ext2_node *dir, const char *name, size_t len, struct ext2_node *n)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	u64 pos;
	int err;

	ext2_begin_change(fs);
	err = ext2_dir_add(dir, name, len, (u32)n->vn.ino, n->vn.mode, &pos);
	if (!err) {
		n->name_txn = fs->txn;
		ext2_link_count(n, 1);
		ext2_touch(n, ATTR_CTIME);
	}
	ext2_end(fs);
	return err;
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
	if (err)
		return err;
	err = add_name(dir, name, len, n);
	return ext2_retry(ext2_fs(vn), err) ? add_name(dir, name, len, n) : err;
}

/* ---- removing ---- */

/* n lost its name in dir, to another inode if displaced; a directory loses its own "." too, and dir the ".." in it. */
static void drop_name(struct ext2_node *dir, struct ext2_node *n, bool displaced)
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
	if (displaced)
		n->displaced_txn = ext2_fs(&n->vn)->txn;
	ext2_touch(n, ATTR_CTIME);
	if (n->nlink == 0 && !n->counted)
		ext2_died(n, dir, displaced);
}

/*
 * Does the disk know no name of n but the one that is to go, or of a directory only the entry in n, which is to go?  Or does it still lead to n by a name
 * that another inode has now, which would be lost if n died before that is written?
 */
static bool must_commit_first(const struct ext2_fs *fs, const struct ext2_node *n)
{
	if (is_dir(n))
		return n->moved_txn == fs->txn;
	return n->nlink > 1 ? ext2_name_is_new(fs, n) : !n->fresh && n->displaced_txn == fs->txn;
}

int ext2_unlink(struct vnode *vn, const char *name, size_t len, struct vnode *target)
{
	struct ext2_node *dir = ext2_node(vn), *n = ext2_node(target);
	struct ext2_fs *fs = ext2_fs(vn);
	struct ext2_slot slot;
	int err;

	if (!ext2_writable(fs))
		return -EROFS;
	err = find_vnode(dir, name, len, target, &slot);
	if (!err && is_dir(n))
		err = ext2_dir_is_empty(n);
	if (!err && must_commit_first(fs, n))
		err = ext2_commit(fs);
	if (err)
		return err;
	ext2_begin_change(fs);
	err = ext2_dir_remove(dir, name, len, slot.pos);
	if (!err)
		drop_name(dir, n, false);
	ext2_end(fs);
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
	u64 at;			       /* (v) where the new entry is */
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

/* While they change places on the disk neither must be without a name. */
static void name_both(struct renaming *r)
{
	struct ext2_fs *fs = ext2_fs(&r->n->vn);

	if (r->odir == r->ndir && ext2_dir_same_chunk(r->from.pos, r->to.pos))
		return;
	if (!is_dir(r->n) && !r->n->fresh)
		ext2_displace(fs, r->n, false);
	if (!is_dir(r->target) && !r->target->fresh)
		ext2_displace(fs, r->target, false);
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
	r->n->displaced_txn = r->target->displaced_txn = ext2_fs(&r->n->vn)->txn;
	name_both(r);
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

/* The new name, in the place of the target if there is one. */
static int give_name(struct renaming *r)
{
	struct ext2_fs *fs = ext2_fs(&r->n->vn);
	int err;

	if (r->target) {
		r->at = r->to.pos;
		err = ext2_dir_replace(r->ndir, r->at, (u32)r->n->vn.ino, r->n->vn.mode);
		if (!err)
			drop_name(r->ndir, r->target, !is_dir(r->target));
	} else {
		err = ext2_dir_add(r->ndir, r->nname, r->nlen, (u32)r->n->vn.ino, r->n->vn.mode,
				   &r->at);
	}
	if (!err)
		r->n->name_txn = fs->txn;
	return err;
}

/* The disk must not lose the old name before it has the new one. A directory must not have two. */
static void settle_name(struct renaming *r)
{
	struct ext2_fs *fs = ext2_fs(&r->n->vn);
	int err;

	if (r->n->fresh || is_dir(r->n) ||
	    (r->odir == r->ndir && ext2_dir_same_chunk(r->at, r->from.pos)))
		return;
	ext2_end(fs);
	err = ext2_commit(fs);
	ext2_begin(fs);
	if (err) /* both will go with the same commit */
		ext2_displace(fs, r->n, false);
}

/* The old name's block is held so that there is no way back to take once the new one is there. */
static int move_name(struct renaming *r)
{
	struct dir_block keep;
	int err;

	err = ext2_dir_block(r->odir, r->from.pos >> ext2_fs(&r->n->vn)->bshift, true, &keep);
	if (err)
		return err;
	err = give_name(r);
	if (!err) {
		settle_name(r);
		err = ext2_dir_remove(r->odir, r->oname, r->olen, r->from.pos);
	}
	ext2_dir_block_put(&keep);
	return err;
}

static int rename_over(struct renaming *r)
{
	int err = 0;

	if (r->target || r->odir != r->ndir ||
	    !ext2_dir_rename(r->odir, r->from.pos, r->oname, r->olen, r->nname, r->nlen))
		err = move_name(r);
	if (err || !changes_parent(r, r->n))
		return err;
	err = ext2_dir_replace(r->n, r->up.pos, (u32)r->ndir->vn.ino, S_IFDIR);
	ext2_link_count(r->odir, -1);
	ext2_link_count(r->ndir, 1);
	r->odir->moved_txn = ext2_fs(&r->n->vn)->txn;
	return err;
}

/* A file that takes the place of another does so with its contents, so that a crash leaves the one or the other. */
static int settle_contents(struct ext2_node *n)
{
	struct vm_object *o = n->vn.object;
	int err = 0;

	if (o && vm_object_dirty(o))
		err = vm_object_clean(o, 0, ~0ul, true);
	if (err || !READ_ONCE(n->vn.attr_dirty))
		return err;
	ext2_dirty_list(n);
	return ext2_commit(ext2_fs(&n->vn));
}

/* A new directory that moves loses its place among the generations; an inode with names that are all new must not lose the old one. */
static int before_rename(struct renaming *r, bool exchange)
{
	struct ext2_fs *fs = ext2_fs(&r->n->vn);
	bool commit = READ_ONCE(fs->ndisplaced) > EXT2_MAX_DISPLACED / 2;
	int err = 0;

	if (r->odir != r->ndir && is_dir(r->n) && r->n->fresh)
		commit = true;
	if (exchange && r->n->fresh != r->target->fresh)
		commit = true;
	if (r->target && !exchange && must_commit_first(fs, r->target))
		commit = true;
	if (r->target && !exchange && !is_dir(r->n) && !r->target->fresh)
		err = settle_contents(r->n);
	return err || !commit ? err : ext2_commit(fs);
}

static int try_rename(struct renaming *r, bool exchange)
{
	struct ext2_fs *fs = ext2_fs(&r->n->vn);
	int err;

	ext2_begin_change(fs);
	err = exchange ? exchange_names(r) : rename_over(r);
	if (!err) {
		ext2_touch(r->n, ATTR_CTIME);
		ext2_mark_dirty(r->odir);
		ext2_mark_dirty(r->ndir);
	}
	ext2_end(fs);
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
	err = before_rename(&r, flags & RENAME_EXCHANGE);
	if (!err)
		err = try_rename(&r, flags & RENAME_EXCHANGE);
	return ext2_retry(ext2_fs(vn), err) ? try_rename(&r, flags & RENAME_EXCHANGE) : err;
}
