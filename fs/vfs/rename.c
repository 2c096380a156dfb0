// SPDX-License-Identifier: BSD-2-Clause
/*
 * rename(2).  Two directories are locked ancestor first, or else by address; the shape of the tree is frozen by the mount's
 * rename_lock meanwhile, which is taken only when the directories differ.  Then the two vnodes named: directories before others
 * need no order of their own, as nobody else locks two vnodes that are not parent and child without rename_lock; by address.
 */
#include "fs/vfs/vfs_internal.h"

#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE	 2u

/* One rename under way. */
struct rename {
	struct walk from, to;
	struct vnode *odir, *ndir;
	struct name *oname, *nname; /* held once looked up */
	const struct cred *cred;
	unsigned flags;
	bool tree_locked;
};

static int check_last(const struct walk *w)
{
	return !w->len || is_dot(w->last, w->len) || is_dotdot(w->last, w->len) ? -EBUSY : 0;
}

/* Both directories exclusive; the tree too if they differ. */
static void lock_dirs(struct rename *r) ACQUIRES(r->odir->v_lock, r->ndir->v_lock) NO_TS
{
	struct vnode *a = r->odir, *b = r->ndir;

	if (a == b) {
		rw_lock_write(&a->v_lock);
		return;
	}
	mutex_lock(&a->mount->rename_lock);
	r->tree_locked = true;
	if (name_is_below(r->from.cur.name, r->to.cur.name) ||
	    (!name_is_below(r->to.cur.name, r->from.cur.name) && b < a)) {
		a = r->ndir;
		b = r->odir;
	}
	rw_lock_write(&a->v_lock);
	rw_lock_write_same(&b->v_lock);
}

static void unlock_dirs(struct rename *r) RELEASES(r->odir->v_lock, r->ndir->v_lock) NO_TS
{
	rw_unlock_write(&r->odir->v_lock);
	if (r->ndir != r->odir)
		rw_unlock_write(&r->ndir->v_lock);
	if (r->tree_locked)
		mutex_unlock(&r->odir->mount->rename_lock);
}

/* Nobody may move into itself, nor (exchange) under what it replaces. */
static int check_loops(const struct rename *r)
{
	if (is_dir(r->oname->vnode) && name_is_below(r->to.cur.name, r->oname))
		return -EINVAL;
	if (r->nname->vnode && is_dir(r->nname->vnode) && name_is_below(r->from.cur.name, r->nname))
		return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int check_slashes(const struct rename *r)
{
	bool dir = is_dir(r->oname->vnode);

	if (r->flags & RENAME_EXCHANGE)
		return r->to.slash && !is_dir(r->nname->vnode) ? -ENOTDIR
		       : r->from.slash && !dir		       ? -ENOTDIR
							       : 0;
	return !dir && (r->from.slash || r->to.slash) ? -ENOTDIR : 0;
}

static int check_target(const struct rename *r)
{
	struct vnode *vn = r->oname->vnode, *target = r->nname->vnode;
	int err;

	if (!target)
		return may_change_dir(r->ndir, r->cred);
	err = may_delete(r->ndir, target, r->cred);
	if (err || (r->flags & RENAME_EXCHANGE))
		return err;
	if (is_dir(vn) && !is_dir(target))
		return -ENOTDIR;
	return !is_dir(vn) && is_dir(target) ? -EISDIR : 0;
}

/* Moving a directory changes its "..": that is writing to it. */
static int check_dir_write(const struct rename *r)
{
	struct vnode *vn = r->oname->vnode, *target = r->nname->vnode;
	int err = 0;

	if (r->odir == r->ndir)
		return 0;
	if (is_dir(vn))
		err = vfs_access(vn, r->cred, 2);
	if (!err && (r->flags & RENAME_EXCHANGE) && is_dir(target))
		err = vfs_access(target, r->cred, 2);
	return err;
}

static int check_names(const struct rename *r)
{
	int err;

	if (!r->oname->vnode)
		return -ENOENT;
	if (r->nname->vnode && (r->flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!r->nname->vnode && (r->flags & RENAME_EXCHANGE))
		return -ENOENT;
	err = check_slashes(r);
	if (!err)
		err = check_loops(r);
	if (!err)
		err = may_delete(r->odir, r->oname->vnode, r->cred);
	if (!err)
		err = check_target(r);
	if (!err)
		err = check_dir_write(r);
	if (err)
		return err;
	if (READ_ONCE(r->oname->covered) || READ_ONCE(r->nname->covered))
		return -EBUSY;
	return r->odir->ops->rename ? 0 : -EPERM;
}

static void lock_pair(struct vnode *a, struct vnode *b) ACQUIRES(a->v_lock, b->v_lock) NO_TS
{
	if (b && b < a) {
		struct vnode *t = a;

		a = b;
		b = t;
	}
	rw_lock_write_same(&a->v_lock);
	if (b && b != a)
		rw_lock_write_same(&b->v_lock);
}

static void unlock_pair(struct vnode *a, struct vnode *b) RELEASES(a->v_lock, b->v_lock) NO_TS
{
	rw_unlock_write(&a->v_lock);
	if (b && b != a)
		rw_unlock_write(&b->v_lock);
}

static int rename_locked(struct rename *r) REQUIRES(r->odir->v_lock, r->ndir->v_lock)
{
	struct vnode *vn, *target;
	int err;

	err = name_lookup(r->from.cur.name, r->from.last, r->from.len, true, &r->oname);
	if (!err)
		err = name_lookup(r->to.cur.name, r->to.last, r->to.len, true, &r->nname);
	if (!err)
		err = check_names(r);
	if (err)
		return err;
	vn = r->oname->vnode;
	target = r->nname->vnode;
	if (vn == target)
		return 0; /* two links of one file: nothing to do */
	lock_pair(vn, target);
	err = r->odir->ops->rename(r->odir, r->from.last, r->from.len, vn, r->ndir, r->to.last,
				   r->to.len, target, r->flags);
	if (!err && (r->flags & RENAME_EXCHANGE)) {
		name_exchange(r->oname, r->nname);
	} else if (!err) {
		if (target)
			vnode_note_unlinked(target);
		name_move(r->oname, r->nname);
	}
	unlock_pair(vn, target);
	return err;
}

static int rename_walked(struct rename *r)
{
	int err = check_last(&r->from);

	if (!err)
		err = check_last(&r->to);
	if (err == -EBUSY && (r->flags & RENAME_NOREPLACE) && !check_last(&r->from))
		err = -EEXIST;
	if (r->odir->mount != r->ndir->mount)
		err = -EXDEV;
	if (!err)
		err = vfs_access(r->odir, r->cred, 1);
	if (!err)
		err = vfs_access(r->ndir, r->cred, 1);
	if (!err)
		err = mount_want_write(r->odir);
	if (err)
		return err;
	lock_dirs(r);
	err = rename_locked(r);
	unlock_dirs(r);
	name_drop(r->oname);
	name_drop(r->nname);
	return err;
}

int vfs_rename(const struct lookup_ctx *oc, const char *op, const struct lookup_ctx *nc,
	       const char *np, unsigned flags)
{
	struct rename r = {.cred = oc->cred, .flags = flags};
	int err;

	if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = walk_to_parent(&r.from, oc, op);
	if (err)
		return err;
	err = walk_to_parent(&r.to, nc, np);
	if (!err) {
		r.odir = path_vnode(&r.from.cur);
		r.ndir = path_vnode(&r.to.cur);
		err = rename_walked(&r);
		walk_end(&r.to);
	}
	walk_end(&r.from);
	return err;
}
