// SPDX-License-Identifier: BSD-2-Clause
/*
 * open(2): finding or creating the file, checking what the descriptor may do, and making the struct file.
 * Locks: v_lock of the directory, exclusive, while a file is created.
 */
#include "fs/vfs/vfs_internal.h"

#define TMPFILE_BIT 020000000

/* What one open wants. */
struct open {
	const struct lookup_ctx *c;
	u32 flags, mode;
	unsigned rwx; /* access wanted: 4 2 */
	bool created;
};

static unsigned access_of(u32 flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return 4;
	case O_WRONLY:
		return 2;
	default:
		return 6; /* 3 asks for both and gives neither */
	}
}

static int check_type(const struct open *o, const struct path *p)
{
	struct vnode *vn = path_vnode(p);

	switch (vn->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		return (o->rwx & 2) || (o->flags & O_CREAT) ? -EISDIR : 0;
	case S_IFSOCK:
		return -ENXIO;
	case S_IFCHR:
	case S_IFBLK:
		return p->mount->flags & MS_NODEV ? -EACCES : 0;
	default:
		return 0;
	}
}

static int check_access(const struct open *o, struct vnode *vn)
{
	unsigned rwx = o->rwx | (o->flags & O_TRUNC ? 2 : 0);
	struct vattr a;
	int err;

	if (!o->created) {
		err = vfs_access(vn, o->c->cred, rwx);
		if (err)
			return err;
	}
	if (vnode_flags(vn, FL_APPEND) &&
	    ((o->flags & O_TRUNC) || ((o->rwx & 2) && !(o->flags & O_APPEND))))
		return -EPERM;
	if (!(o->flags & O_NOATIME))
		return 0;
	err = vfs_getattr(vn, &a);
	return err ? err : vnode_owner_or_capable(&a, o->c->cred) ? 0 : -EPERM;
}

static struct file *new_file(const struct open *o, const struct path *p)
{
	struct file *f;

	f = file_alloc(path_vnode(p), NULL, o->flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC),
		       o->c->cred);
	if (!f)
		return NULL;
	path_hold(p);
	f->path = *p;
	f->created = o->created;
	return f;
}

static int open_vnode(const struct open *o, const struct path *p, struct file **out)
{
	struct vnode *vn = path_vnode(p);
	struct file *f;
	int err;

	err = check_type(o, p);
	if (!err)
		err = check_access(o, vn);
	if (err)
		return err;
	f = new_file(o, p);
	if (!f)
		return -ENOMEM;
	err = file_open_vnode(f);
	if (!err && (o->flags & O_DIRECT) && !file_can_be_direct(f))
		err = -EINVAL;
	if (!err)
		err = lease_break(vn, f, f->may_write || (o->flags & O_TRUNC),
				  o->flags & O_NONBLOCK);
	if (!err && (o->flags & O_TRUNC) && !o->created && is_type(vn, S_IFREG))
		err = vfs_truncate(vn, 0);
	if (err) {
		file_drop(f);
		return err;
	}
	*out = f;
	return 0;
}

/* O_PATH: only a place. */
static int open_path_only(const struct open *o, const char *path, struct file **out)
{
	unsigned look = (o->flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
			(o->flags & O_DIRECTORY ? LOOKUP_DIRECTORY : 0);
	struct path p;
	int err = path_lookup(o->c, path, look, &p);

	if (err)
		return err;
	*out = new_file(o, &p);
	path_put(&p);
	return *out ? 0 : -ENOMEM;
}

static int open_existing(const struct open *o, const char *path, struct file **out)
{
	unsigned look = (o->flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
			(o->flags & O_DIRECTORY ? LOOKUP_DIRECTORY : 0);
	struct path p;
	int err = path_lookup(o->c, path, look, &p);

	if (err)
		return err;
	err = open_vnode(o, &p, out);
	path_put(&p);
	return err;
}

static u32 masked_mode(const struct lookup_ctx *c, u32 mode)
{
	return mode & ~(READ_ONCE(c->fs->umask) & 0777);
}

/* The last component does not exist: makes it, unless somebody is faster. n: negative name, or the one that was found then. */
static int create_last(struct open *o, struct walk *w, struct name **n)
{
	struct vnode *dir = path_vnode(&w->cur), *vn;
	int err;

	rw_lock_write(&dir->v_lock);
	name_drop(*n);
	*n = NULL;
	err = name_lookup(w->cur.name, w->last, w->len, true, n);
	if (err || (*n)->vnode)
		goto out;
	err = may_change_dir(dir, o->c->cred);
	if (!err && !dir->ops->create)
		err = -EACCES;
	if (!err)
		err = dir->ops->create(dir, w->last, w->len,
				       S_IFREG | masked_mode(o->c, o->mode & 07777), 0, NULL,
				       o->c->cred, &vn);
	if (!err) {
		name_instantiate(*n, vn);
		o->created = true;
	}
out:
	rw_unlock_write(&dir->v_lock);
	return err;
}

/* Opens the last component, with its name found. 1: it was a link, walk on. */
static int open_last_name(struct open *o, struct walk *w, struct name *n, struct file **out)
{
	struct path p = {.mount = w->cur.mount, .name = n};
	struct mount *m;
	int err;

	if (!o->created && (o->flags & O_EXCL))
		return -EEXIST;
	if (is_link(n->vnode)) {
		if (o->flags & O_NOFOLLOW)
			return -ELOOP;
		w->p = w->last + w->len;
		err = walk_link(w, n);
		return err ? err : n->vnode->ops->follow ? 2 : 1;
	}
	m = name_covered(n);
	if (m) {
		mount_put(m);
		return -EISDIR; /* only directories can be covered */
	}
	err = open_vnode(o, &p, out);
	return err;
}

static int open_create_once(struct open *o, struct walk *w, struct file **out)
{
	struct name *n;
	int err = walk_parent(w);

	if (!err && !is_dir(path_vnode(&w->cur)))
		err = -ENOTDIR;
	if (!err)
		err = vfs_access(path_vnode(&w->cur), o->c->cred, 1);
	if (err)
		return err;
	if (!w->len || is_dot(w->last, w->len) || is_dotdot(w->last, w->len) || w->slash)
		return o->flags & O_EXCL && !w->slash ? -EEXIST : -EISDIR;
	err = name_lookup(w->cur.name, w->last, w->len, false, &n);
	if (err)
		return err;
	if (!n->vnode)
		err = create_last(o, w, &n);
	if (!err)
		err = open_last_name(o, w, n, out);
	name_drop(n);
	return err;
}

static int open_create(struct open *o, const char *path, struct file **out)
{
	struct walk w;
	int err = walk_start(&w, o->c, path);

	if (err)
		return err;
	do
		err = open_create_once(o, &w, out);
	while (err == 1);
	if (err == 2) /* a magic link led to the place itself */
		err = open_vnode(o, &w.cur, out);
	walk_end(&w);
	return err;
}

int vfs_open(const struct lookup_ctx *c, const char *path, u32 flags, u32 mode, struct file **out)
{
	struct open o = {.c = c, .flags = flags, .mode = mode, .rwx = access_of(flags)};

	if (flags & TMPFILE_BIT)
		return (flags & O_DIRECTORY) && (o.rwx & 2) ? -EOPNOTSUPP : -EINVAL;
	if (flags & O_PATH) {
		o.flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
		return open_path_only(&o, path, out);
	}
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return -EINVAL;
	if (flags & O_CREAT)
		return open_create(&o, path, out);
	return open_existing(&o, path, out);
}
