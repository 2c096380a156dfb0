// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls that change directories: mkdir, mknod, symlink, link, unlink, rmdir.  rename.c has the rest.
 * The directory's v_lock is held exclusive from the decisive lookup until the name cache agrees again; then the victim's.
 */
#include "fs/vfs/vfs_internal.h"

/* A new entry being made. */
struct create {
	const struct lookup_ctx *c;
	u32 mode;
	u64 rdev;
	const char *target; /* of a symbolic link */
	struct vnode *link; /* of a hard one */
};

static int create_locked(const struct create *x, struct walk *w, struct name *n)
{
	struct vnode *dir = path_vnode(&w->cur), *vn;
	int err;

	if (n->vnode)
		return -EEXIST;
	if (w->slash && (x->mode & S_IFMT) != S_IFDIR)
		return -ENOENT;
	err = may_change_dir(dir, x->c->cred);
	if (err)
		return err;
	if (!dir->ops->create)
		return -EPERM;
	err = dir->ops->create(dir, w->last, w->len, x->mode, x->rdev, x->target, x->c->cred, &vn);
	if (!err)
		name_instantiate(n, vn);
	return err;
}

static int link_locked(const struct create *x, struct walk *w, struct name *n)
{
	struct vnode *dir = path_vnode(&w->cur);
	int err;

	if (n->vnode)
		return -EEXIST;
	if (w->slash)
		return -ENOENT;
	err = may_change_dir(dir, x->c->cred);
	if (err)
		return err;
	if (!dir->ops->link || vnode_flags(x->link, FL_IMMUTABLE | FL_APPEND))
		return -EPERM;
	rw_lock_write_same(&x->link->v_lock);
	err = READ_ONCE(x->link->unlinked) ? -ENOENT
					   : dir->ops->link(dir, w->last, w->len, x->link);
	rw_unlock_write(&x->link->v_lock);
	if (!err) {
		vnode_hold(x->link);
		name_instantiate(n, x->link);
	}
	return err;
}

/* Finds the place of the new entry and calls fn with the directory locked and the name, positive or negative. */
static int create_entry(const struct create *x, const char *path,
			int (*fn)(const struct create *x, struct walk *w, struct name *n))
{
	struct vnode *dir;
	struct walk w;
	struct name *n;
	int err = walk_to_parent(&w, x->c, path);

	if (err)
		return err;
	dir = path_vnode(&w.cur);
	err = vfs_access(dir, x->c->cred, 1);
	if (!err && (!w.len || is_dot(w.last, w.len) || is_dotdot(w.last, w.len)))
		err = -EEXIST;
	if (!err && x->link && x->link->mount != dir->mount)
		err = -EXDEV;
	if (err)
		goto out;
	rw_lock_write(&dir->v_lock);
	err = name_lookup(w.cur.name, w.last, w.len, true, &n);
	if (!err) {
		err = fn(x, &w, n);
		rw_unlock_write(&dir->v_lock);
		name_drop(n);
	} else {
		rw_unlock_write(&dir->v_lock);
	}
out:
	walk_end(&w);
	return err;
}

int vfs_mkdir(const struct lookup_ctx *c, const char *path, u32 mode)
{
	struct create x = {.c = c};

	x.mode = S_IFDIR | (mode & 01777 & ~READ_ONCE(c->fs->umask));
	return create_entry(&x, path, create_locked);
}

int vfs_mknod(const struct lookup_ctx *c, const char *path, u32 mode, u64 rdev)
{
	struct create x = {.c = c, .rdev = rdev};
	u32 type = mode & S_IFMT;

	if (!type)
		type = S_IFREG;
	if (type == S_IFDIR)
		return -EPERM;
	if (type != S_IFREG && type != S_IFCHR && type != S_IFBLK && type != S_IFIFO &&
	    type != S_IFSOCK)
		return -EINVAL;
	if ((type == S_IFCHR || type == S_IFBLK) && !cred_has(c->cred, CAP_MKNOD_BIT))
		return -EPERM;
	x.mode = type | (mode & 07777 & ~READ_ONCE(c->fs->umask));
	return create_entry(&x, path, create_locked);
}

int vfs_symlink(const char *target, const struct lookup_ctx *c, const char *path)
{
	struct create x = {.c = c, .mode = S_IFLNK | 0777, .target = target};

	return *target ? create_entry(&x, path, create_locked) : -ENOENT;
}

int vfs_link(const struct lookup_ctx *oc, const char *op, bool follow, const struct lookup_ctx *nc,
	     const char *np)
{
	struct create x = {.c = nc};
	struct path old;
	int err = path_lookup(oc, op, (follow ? LOOKUP_FOLLOW : 0) | LOOKUP_EMPTY, &old);

	if (err)
		return err;
	x.link = path_vnode(&old);
	err = is_dir(x.link) ? -EPERM : create_entry(&x, np, link_locked);
	path_put(&old);
	return err;
}

/* ---- removing ---- */

static int unlink_check(struct vnode *dir, struct name *n, const struct cred *c, bool rmdir,
			bool slash)
{
	int err;

	if (!n->vnode)
		return -ENOENT;
	if (slash && !rmdir)
		return is_dir(n->vnode) ? -EISDIR : -ENOTDIR;
	err = may_delete(dir, n->vnode, c);
	if (err)
		return err;
	if (rmdir && !is_dir(n->vnode))
		return -ENOTDIR;
	if (!rmdir && is_dir(n->vnode))
		return -EISDIR;
	if (READ_ONCE(n->covered))
		return -EBUSY;
	return dir->ops->unlink ? 0 : -EPERM;
}

static int unlink_locked(struct walk *w, struct name *n, bool rmdir)
{
	struct vnode *dir = path_vnode(&w->cur), *vn;
	int err = unlink_check(dir, n, w->c->cred, rmdir, w->slash);

	if (err)
		return err;
	vn = n->vnode;
	rw_lock_write_same(&vn->v_lock);
	err = dir->ops->unlink(dir, w->last, w->len, vn);
	if (!err) {
		vnode_note_unlinked(vn);
		name_unhash(n, true);
	}
	rw_unlock_write(&vn->v_lock);
	return err;
}

static int last_for_removal(const struct walk *w, bool rmdir)
{
	if (!w->len)
		return rmdir ? -EBUSY : -EISDIR;
	if (is_dot(w->last, w->len))
		return rmdir ? -EINVAL : -EISDIR;
	if (is_dotdot(w->last, w->len))
		return rmdir ? -ENOTEMPTY : -EISDIR;
	return 0;
}

int vfs_unlink(const struct lookup_ctx *c, const char *path, bool rmdir)
{
	struct vnode *dir;
	struct walk w;
	struct name *n;
	int err = walk_to_parent(&w, c, path);

	if (err)
		return err;
	dir = path_vnode(&w.cur);
	err = last_for_removal(&w, rmdir);
	if (!err)
		err = vfs_access(dir, c->cred, 1);
	if (err)
		goto out;
	rw_lock_write(&dir->v_lock);
	err = name_lookup(w.cur.name, w.last, w.len, true, &n);
	if (!err) {
		err = unlink_locked(&w, n, rmdir);
		rw_unlock_write(&dir->v_lock);
		name_drop(n); /* frees the blocks, without the directory's lock */
	} else {
		rw_unlock_write(&dir->v_lock);
	}
out:
	walk_end(&w);
	return err;
}
