// SPDX-License-Identifier: BSD-2-Clause
/*
 * The walk along a path: components, symbolic links, mounts, `..`.  A walk holds its root and where it is; names come from the name
 * cache.  No lock is held between steps; what a walk finds may have moved when it returns, as on every Unix.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/lib/ref.h"

/* ---- paths ---- */

void path_hold(const struct path *p)
{
	if (!p->name)
		return;
	mount_hold(p->mount);
	name_hold(p->name);
}

void path_put(struct path *p)
{
	if (!p->name)
		return;
	name_drop(p->name);
	mount_put(p->mount);
	p->name = NULL;
	p->mount = NULL;
}

struct vnode *path_vnode(const struct path *p)
{
	return p->name->vnode;
}

bool path_same(const struct path *a, const struct path *b)
{
	return a->name == b->name;
}

static struct path path_dup(const struct path *p)
{
	path_hold(p);
	return *p;
}

/* What /proc shows for a file without a name. */
static void nameless_text(struct file *f, char *buf, size_t size)
{
	static const char *const kinds[16] = {[1] = "pipe", [12] = "socket"};
	unsigned kind = (f->vnode->mode & S_IFMT) >> 12;

	if (kind < 16 && kinds[kind])
		ksnprintf(buf, size, "%s:[%lu]", kinds[kind], f->vnode->ino);
	else if (f->vnode->fifo_or_mnt)
		ksnprintf(buf, size, "/memfd:%s (deleted)", (const char *)f->vnode->fifo_or_mnt);
	else
		ksnprintf(buf, size, "anon_inode:[%lu]", f->vnode->ino);
}

int file_path(struct file *f, struct path *out)
{
	char text[288];

	if (f->path.name) {
		*out = path_dup(&f->path);
		return 0;
	}
	nameless_text(f, text, sizeof(text));
	vnode_hold(f->vnode);
	out->name = name_create_root(anon_mount, f->vnode, text);
	if (!out->name) {
		vnode_drop(f->vnode);
		return -ENOMEM;
	}
	mount_hold(anon_mount);
	out->mount = anon_mount;
	return 0;
}

/* ---- steps ---- */

/* From a name that something is mounted on to the root of what is mounted, over and over. */
static void cross_mounts(struct path *p)
{
	struct mount *m;

	while ((m = name_covered(p->name)) != NULL) {
		path_put(p);
		p->mount = m;
		p->name = m->root_name;
		name_hold(p->name);
	}
}

/* One name up, or out of a mount; the root of the walk stays where it is. */
static void step_up(struct walk *w)
{
	struct path up;

	while (!path_same(&w->cur, &w->root) && w->cur.name == w->cur.mount->root_name) {
		up.name = name_covers(w->cur.mount, &up.mount);
		if (!up.name)
			return;
		path_put(&w->cur);
		w->cur = up;
	}
	if (path_same(&w->cur, &w->root))
		return;
	up.name = name_parent(w->cur.name);
	name_drop(w->cur.name);
	w->cur.name = up.name;
	cross_mounts(&w->cur);
}

/* The name becomes where we are; takes over the hold. */
static void step_down(struct walk *w, struct name *n)
{
	struct name *from = w->cur.name;

	w->cur.name = n;
	name_drop(from);
	cross_mounts(&w->cur);
}

/* The directory where a relative path goes on, or the root for an absolute one. */
static void restart_at_root(struct walk *w)
{
	path_put(&w->cur);
	w->cur = path_dup(&w->root);
	cross_mounts(&w->cur);
}

/* The text of the link in front of what is left. */
static int splice_text(struct walk *w, struct vnode *vn)
{
	size_t rest = strlen(w->p);
	char *text = kmalloc(PATH_MAX + rest + 2, 0);
	ssize_t n;

	if (!text)
		return -ENOMEM;
	rw_lock_read(&vn->v_lock);
	n = vn->ops->readlink ? vn->ops->readlink(vn, text, PATH_MAX) : -EINVAL;
	rw_unlock_read(&vn->v_lock);
	if (n <= 0 || n >= PATH_MAX) {
		kfree(text);
		return n == 0 ? -ENOENT : n < 0 ? (int)n : -ENAMETOOLONG;
	}
	memcpy(text + n, w->p, rest + 1);
	kfree(w->text);
	w->text = text;
	w->p = text;
	return 0;
}

static int follow_magic(struct walk *w, struct vnode *vn)
{
	struct path to;
	int err = vn->ops->follow(vn, &to);

	if (err)
		return err;
	path_put(&w->cur);
	w->cur = to;
	return 0;
}

int walk_link(struct walk *w, struct name *link)
{
	struct vnode *vn = link->vnode;
	int err;

	if (++w->links > MAX_LINKS)
		return -ELOOP;
	vfs_touch_atime(vn);
	if (vn->ops->follow)
		return follow_magic(w, vn);
	err = splice_text(w, vn);
	if (!err && w->p[0] == '/')
		restart_at_root(w);
	return err;
}

static int check_search(struct walk *w)
{
	struct vnode *dir = path_vnode(&w->cur);

	if (!is_dir(dir))
		return -ENOTDIR;
	return vfs_access(dir, w->c->cred, 1);
}

/* Into a component.  A symbolic link is followed unless it is last and !follow. */
static int step(struct walk *w, const char *s, size_t len, bool follow)
{
	struct name *n;
	int err = check_search(w);

	if (err || is_dot(s, len))
		return err;
	if (is_dotdot(s, len)) {
		step_up(w);
		return 0;
	}
	err = name_lookup(w->cur.name, s, len, false, &n);
	if (err)
		return err;
	if (!n->vnode) {
		name_drop(n);
		return -ENOENT;
	}
	if (!is_link(n->vnode) || !follow) {
		step_down(w, n);
		return 0;
	}
	err = walk_link(w, n);
	name_drop(n);
	return err;
}

/* The next component of what is left: 0 at the end. p moves behind it and behind the slashes that follow. */
static size_t next_component(struct walk *w, const char **s, bool *slash)
{
	const char *p = w->p, *start;

	while (*p == '/')
		p++;
	start = p;
	while (*p && *p != '/')
		p++;
	*s = start;
	*slash = *p == '/';
	w->p = p;
	return (size_t)(p - start);
}

static bool nothing_left(const char *p)
{
	while (*p == '/')
		p++;
	return !*p;
}

int walk_parent(struct walk *w)
{
	for (;;) {
		const char *s;
		bool slash;
		size_t len = next_component(w, &s, &slash);
		int err;

		if (nothing_left(w->p)) {
			w->last = s;
			w->len = len;
			w->slash = slash;
			return len > NAME_MAX ? -ENAMETOOLONG : 0;
		}
		err = step(w, s, len, true);
		if (err)
			return err;
	}
}

int walk_last(struct walk *w, unsigned flags)
{
	for (;;) {
		bool slash = w->slash, more;
		const char *text = w->text;
		int err;

		if (!w->len)
			return 0;
		w->p = w->last + w->len; /* the slashes behind it stay part of a link's rest */
		err = step(w, w->last, w->len, (flags & LOOKUP_FOLLOW) || slash);
		if (err)
			return err;
		more = w->text != text; /* a link was spliced in: walk its text */
		if (!more) {
			return slash && !is_dir(path_vnode(&w->cur)) ? -ENOTDIR : 0;
		}
		err = walk_parent(w);
		if (err)
			return err;
	}
}

static int start_place(struct walk *w, const struct lookup_ctx *c, bool absolute)
{
	struct fs_context *fs = c->fs;

	mutex_lock(&fs->lock);
	w->root = path_dup(&fs->root);
	if (!absolute && !c->at)
		w->cur = path_dup(&fs->cwd);
	mutex_unlock(&fs->lock);
	if (absolute)
		w->cur = path_dup(&w->root);
	else if (c->at)
		return file_path(c->at, &w->cur);
	return 0;
}

int walk_start(struct walk *w, const struct lookup_ctx *c, const char *path)
{
	int err;

	*w = (struct walk){.c = c, .p = path};
	if (!*path)
		return -ENOENT;
	err = start_place(w, c, *path == '/');
	if (err)
		walk_end(w);
	return err;
}

void walk_end(struct walk *w)
{
	path_put(&w->cur);
	path_put(&w->root);
	kfree(w->text);
	w->text = NULL;
}

int walk_to_parent(struct walk *w, const struct lookup_ctx *c, const char *path)
{
	int err = walk_start(w, c, path);

	if (err)
		return err;
	err = walk_parent(w);
	if (!err && !is_dir(path_vnode(&w->cur)))
		err = -ENOTDIR;
	if (err)
		walk_end(w);
	return err;
}

/* The place itself, for an empty path. */
static int lookup_empty(const struct lookup_ctx *c, struct path *out)
{
	struct walk w = {.c = c};
	int err = start_place(&w, c, false);

	if (!err) {
		*out = w.cur;
		w.cur.name = NULL;
	}
	walk_end(&w);
	return err;
}

int path_lookup(const struct lookup_ctx *c, const char *path, unsigned flags, struct path *out)
{
	struct walk w;
	int err;

	if (!*path && (flags & LOOKUP_EMPTY)) {
		err = lookup_empty(c, out);
	} else {
		err = walk_start(&w, c, path);
		if (err)
			return err;
		err = walk_parent(&w);
		if (!err)
			err = walk_last(&w, flags);
		if (!err) {
			*out = w.cur;
			w.cur.name = NULL;
		}
		walk_end(&w);
	}
	if (!err && (flags & LOOKUP_DIRECTORY) && !is_dir(path_vnode(out))) {
		path_put(out);
		err = -ENOTDIR;
	}
	return err;
}

/* ---- working and root directories ---- */

static struct kmem_cache *context_cache;

void context_init(void)
{
	context_cache = kmem_cache_create("fs_context", sizeof(struct fs_context), KM_LINE);
	ASSERT(context_cache);
}

static struct fs_context *context_alloc(void)
{
	struct fs_context *f = kmem_cache_alloc(context_cache, KM_ZERO);

	if (f) {
		f->refs = 1;
		mutex_init(&f->lock, LOCK_FS_CONTEXT, "fs context");
	}
	return f;
}

struct fs_context *fs_context_copy(struct fs_context *f)
{
	struct fs_context *copy = context_alloc();

	if (!copy)
		return NULL;
	mutex_lock(&f->lock);
	copy->root = path_dup(&f->root);
	copy->cwd = path_dup(&f->cwd);
	copy->umask = f->umask;
	mutex_unlock(&f->lock);
	return copy;
}

struct fs_context *vfs_root_context(void)
{
	struct fs_context *f = context_alloc();

	if (!f)
		return NULL;
	if (!mount_root_path(&f->root)) {
		kmem_cache_free(context_cache, f);
		return NULL;
	}
	f->cwd = path_dup(&f->root);
	f->umask = 022;
	return f;
}

void fs_context_drop(struct fs_context *f)
{
	if (ref_put(&f->refs))
		return;
	path_put(&f->cwd);
	path_put(&f->root);
	kmem_cache_free(context_cache, f);
}
