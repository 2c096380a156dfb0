// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: tests/host/shim/kernel.c tests/host/vfs_shim/vfs_shim.c kernel/lib/rbtree.c fs/tmpfs/tmpfs.c fs/vfs/vfs.c fs/vfs/vnode.c fs/vfs/name.c fs/vfs/lookup.c fs/vfs/attr.c fs/vfs/open.c fs/vfs/lease.c fs/vfs/namei.c fs/vfs/rename.c fs/vfs/mount.c fs/vfs/file.c fs/vfs/fdtable.c fs/vfs/uio.c fs/vfs/pagecache.c fs/vfs/direct.c fs/vfs/memfd.c fs/vfs/pipe.c fs/vfs/pipelimit.c fs/vfs/poll.c fs/vfs/flock.c fs/vfs/writeback.c
// CFLAGS: -iquote tests/host/vfs_shim
/*
 * Path walk, name cache and directory calls on tmpfs, against a model: a tree of nodes with children in arrays, and errno rules written
 * down a second time from the manual pages.  Then single cases: links, mounts, permissions, names that are too long.
 */
#include "vfs_shim/vfs_shim.h"
#include "fs/vfs/vfs_internal.h"

/* ---- the model ---- */

#define KIDS 64

struct node {
	char kind; /* 'd', 'f' */
	unsigned links;
	struct node *parent; /* of a directory */
	char name[KIDS][8];
	struct node *kid[KIDS];
	unsigned n;
	u64 ino; /* the real one, learned at creation */
};

static struct node *root;

static struct node *node_new(char kind)
{
	struct node *x = calloc(1, sizeof(*x));

	x->kind = kind;
	return x;
}

static int find(const struct node *d, const char *name)
{
	for (unsigned i = 0; i < d->n; i++) {
		if (!strcmp(d->name[i], name))
			return (int)i;
	}
	return -1;
}

static void put(struct node *d, const char *name, struct node *x)
{
	assert_true(d->n < KIDS);
	strcpy(d->name[d->n], name);
	d->kid[d->n++] = x;
	x->links++;
	if (x->kind == 'd')
		x->parent = d;
}

static void take(struct node *d, int i)
{
	struct node *x = d->kid[i];

	x->links--;
	d->n--;
	memmove(d->name[i], d->name[i + 1], (d->n - (unsigned)i) * sizeof(d->name[0]));
	memmove(&d->kid[i], &d->kid[i + 1], (d->n - (unsigned)i) * sizeof(d->kid[0]));
	if (!x->links)
		free(x);
}

/* The directory of the last component (without . and .. at the end): 0 or -errno. */
static int model_parent(const char *path, struct node **dir, char *last)
{
	char copy[256], *save, *word, *next;
	struct node *at = root;

	strcpy(copy, path);
	word = strtok_r(copy, "/", &save);
	while ((next = strtok_r(NULL, "/", &save))) {
		int i;

		if (at->kind != 'd')
			return -ENOTDIR;
		if (!strcmp(word, "..")) {
			at = at->parent ? at->parent : at;
		} else if (strcmp(word, ".")) {
			i = find(at, word);
			if (i < 0)
				return -ENOENT;
			at = at->kid[i];
		}
		word = next;
	}
	if (at->kind != 'd')
		return -ENOTDIR;
	*dir = at;
	strcpy(last, word);
	return 0;
}

static bool below(const struct node *x, const struct node *above)
{
	while (x && x != above)
		x = x->parent;
	return x == above;
}

static int model_create(const char *path, char kind, u64 ino)
{
	struct node *d, *x;
	char last[256];
	int err = model_parent(path, &d, last);

	if (err)
		return err;
	if (find(d, last) >= 0)
		return -EEXIST;
	x = node_new(kind);
	x->ino = ino;
	put(d, last, x);
	return 0;
}

static int model_remove(const char *path, bool rmdir)
{
	struct node *d, *x;
	char last[256];
	int err = model_parent(path, &d, last), i;

	if (err)
		return err;
	i = find(d, last);
	if (i < 0)
		return -ENOENT;
	x = d->kid[i];
	if (rmdir && x->kind != 'd')
		return -ENOTDIR;
	if (!rmdir && x->kind == 'd')
		return -EISDIR;
	if (rmdir && x->n)
		return -ENOTEMPTY;
	take(d, i);
	return 0;
}

static int model_link(const char *from, const char *to)
{
	struct node *d, *x;
	char last[256];
	int err = model_parent(from, &d, last), i;

	if (err)
		return err;
	i = find(d, last);
	if (i < 0)
		return -ENOENT;
	x = d->kid[i];
	if (x->kind == 'd')
		return -EPERM;
	err = model_parent(to, &d, last);
	if (err)
		return err;
	if (find(d, last) >= 0)
		return -EEXIST;
	put(d, last, x);
	return 0;
}

static int model_rename(const char *from, const char *to, unsigned flags)
{
	struct node *od, *nd, *x, *t = NULL;
	char ol[256], nl[256];
	int i, j, err = model_parent(from, &od, ol);

	if (!err)
		err = model_parent(to, &nd, nl);
	if (err)
		return err;
	i = find(od, ol);
	j = find(nd, nl);
	if (i < 0)
		return -ENOENT;
	x = od->kid[i];
	if (j >= 0)
		t = nd->kid[j];
	if (t && (flags & 1))
		return -EEXIST;
	if (!t && (flags & 2))
		return -ENOENT;
	if (x->kind == 'd' && below(nd, x))
		return -EINVAL;
	if (t && t->kind == 'd' && below(od, t))
		return flags & 2 ? -EINVAL : -ENOTEMPTY;
	if (flags & 2) {
		if (x == t)
			return 0;
		od->kid[i] = t;
		nd->kid[j] = x;
		if (t->kind == 'd')
			t->parent = od;
		if (x->kind == 'd')
			x->parent = nd;
		return 0;
	}
	if (t && t->kind != x->kind)
		return x->kind == 'd' ? -ENOTDIR : -EISDIR;
	if (x == t)
		return 0;
	if (t && t->kind == 'd' && t->n)
		return -ENOTEMPTY;
	x->links++;
	if (t)
		take(nd, j);
	take(od, find(od, ol));
	x->links--;
	put(nd, nl, x);
	return 0;
}

/* ---- the real thing beside it ---- */

static u64 ino_of(const char *path, int *err)
{
	struct lookup_ctx c = shim_ctx(NULL);
	struct path p;
	u64 ino = 0;

	*err = path_lookup(&c, path, 0, &p);
	if (!*err) {
		ino = path_vnode(&p)->ino;
		path_put(&p);
	}
	return ino;
}

static int real_create(const char *path, char kind)
{
	struct lookup_ctx c = shim_ctx(NULL);
	struct file *f;
	int err;

	if (kind == 'd')
		return vfs_mkdir(&c, path, 0755);
	err = vfs_open(&c, path, O_CREAT | O_EXCL | O_RDWR, 0644, &f);
	if (!err)
		file_drop(f);
	return err;
}

static void random_path(char *out)
{
	unsigned depth = 1 + (unsigned)host_rand_below(4);

	*out = 0;
	for (unsigned i = 0; i < depth; i++) {
		u64 r = host_rand_below(24);

		strcat(out, host_rand_below(10) ? "/" : "//");
		if (i + 1 < depth && r < 2)
			strcat(out, r ? ".." : ".");
		else
			sprintf(out + strlen(out), "%c", (char)('a' + r % 6));
	}
}

struct seen {
	const struct node *d;
	unsigned n;
};

static bool see(void *arg, const char *name, size_t len, u64 ino, unsigned type, u64 next)
{
	struct seen *s = arg;
	char text[16];
	int i;

	(void)next;
	snprintf(text, sizeof(text), "%.*s", (int)len, name);
	if (!strcmp(text, ".") || !strcmp(text, ".."))
		return true;
	i = find(s->d, text);
	assert_true(i >= 0);
	assert_int_equal(type, s->d->kid[i]->kind == 'd' ? 4 : 8);
	assert_true(ino == s->d->kid[i]->ino);
	s->n++;
	return true;
}

static void same_tree(const struct node *d, const char *path)
{
	struct lookup_ctx c = shim_ctx(NULL);
	struct seen s = {.d = d};
	char text[PATH_MAX];
	struct vattr a;
	struct file *f;

	assert_int_equal(vfs_open(&c, *path ? path : "/", O_RDONLY | O_DIRECTORY, 0, &f), 0);
	assert_int_equal(file_readdir(f, see, &s), 0);
	assert_int_equal(s.n, d->n);
	assert_true(path_string(&f->path, &shim_fs->root, text, sizeof(text)) > 0);
	assert_string_equal(text, *path ? path : "/");
	assert_int_equal(vfs_getattr(f->vnode, &a), 0);
	file_drop(f);
	for (unsigned i = 0; i < d->n; i++) {
		char kid[1024];
		int err;

		snprintf(kid, sizeof(kid), "%s/%s", path, d->name[i]);
		assert_true(ino_of(kid, &err) == d->kid[i]->ino);
		assert_int_equal(err, 0);
		if (d->kid[i]->kind == 'd')
			same_tree(d->kid[i], kid);
	}
}

static void one_step(unsigned step)
{
	struct lookup_ctx c = shim_ctx(NULL);
	char a[256], b[256];
	u64 what = host_rand_below(100), ino;
	int real, model, err;
	unsigned flags = 0;

	random_path(a);
	random_path(b);
	if (what < 40) {
		char kind = what < 22 ? 'd' : 'f';

		real = real_create(a, kind);
		ino = real ? 0 : ino_of(a, &err);
		model = model_create(a, kind, ino);
	} else if (what < 55) {
		real = vfs_unlink(&c, a, what < 48);
		model = model_remove(a, what < 48);
	} else if (what < 65) {
		real = vfs_link(&c, a, false, &c, b);
		model = model_link(a, b);
	} else if (what < 95) {
		if (host_rand_below(4) == 0)
			flags = 1 + (unsigned)host_rand_below(2);
		real = vfs_rename(&c, a, &c, b, flags);
		model = model_rename(a, b, flags);
	} else {
		struct node *d;
		char last[256];

		ino_of(a, &real);
		model = model_parent(a, &d, last);
		if (!model && find(d, last) < 0)
			model = -ENOENT;
	}
	if (real != model)
		fail_msg("step %u: %lu %s %s flags %u: %d, the model says %d", step,
			 (unsigned long)what, a, b, flags, real, model);
	assert_int_equal(shim_sleepers(), 0);
}

static void free_model(struct node *d)
{
	while (d->n) {
		if (d->kid[0]->kind == 'd')
			free_model(d->kid[0]);
		take(d, 0);
	}
}

static void test_random(void **state)
{
	(void)state;
	root = node_new('d');
	for (unsigned i = 0; i < 60000; i++) {
		one_step(i);
		if (i % 97 == 0)
			vfs_shrink(host_rand_below(20));
		if (i % 2000 == 0)
			same_tree(root, "");
	}
	same_tree(root, "");
	free_model(root);
	free(root);
}

/* ---- single cases ---- */

static int rc(const char *path, u32 flags)
{
	struct lookup_ctx c = shim_ctx(NULL);
	struct file *f;
	int err = vfs_open(&c, path, flags, 0600, &f);

	if (!err)
		file_drop(f);
	return err;
}

static void test_symlinks(void **state)
{
	struct lookup_ctx c = shim_ctx(NULL);
	char target[] = "chain00", name[] = "/chain01";
	int err;

	(void)state;
	assert_int_equal(vfs_mkdir(&c, "/s", 0755), 0);
	assert_int_equal(vfs_mkdir(&c, "/s/d", 0755), 0);
	assert_int_equal(rc("/s/d/f", O_CREAT | O_RDWR), 0);
	assert_int_equal(vfs_symlink("d/f", &c, "/s/rel"), 0);
	assert_int_equal(vfs_symlink("/s/d", &c, "/s/abs"), 0);
	assert_int_equal(vfs_symlink("loop", &c, "/s/loop"), 0);
	assert_int_equal(vfs_symlink("nowhere", &c, "/s/dangling"), 0);
	assert_int_equal(vfs_symlink("", &c, "/s/empty"), -ENOENT);
	assert_int_equal(rc("/s/rel", O_RDONLY), 0);
	assert_int_equal(rc("/s/abs/../d/f", O_RDONLY), 0);
	assert_int_equal(rc("/s/abs/f/", O_RDONLY), -ENOTDIR);
	assert_int_equal(rc("/s/loop", O_RDONLY), -ELOOP);
	assert_int_equal(rc("/s/loop/x", O_RDONLY), -ELOOP);
	assert_int_equal(rc("/s/rel", O_RDONLY | O_NOFOLLOW), -ELOOP);
	assert_int_equal(rc("/s/rel", O_PATH | O_NOFOLLOW), 0);
	assert_int_equal(rc("/s/abs", O_RDONLY | O_DIRECTORY), 0);
	assert_int_equal(rc("/s/rel", O_RDONLY | O_DIRECTORY), -ENOTDIR);
	/* creation goes through a dangling link, unless it must be new */
	assert_int_equal(rc("/s/dangling", O_CREAT | O_EXCL | O_RDWR), -EEXIST);
	assert_int_equal(rc("/s/dangling", O_CREAT | O_RDWR | O_NOFOLLOW), -ELOOP);
	assert_int_equal(rc("/s/dangling", O_CREAT | O_RDWR), 0);
	assert_true(ino_of("/s/nowhere", &err) != 0);
	/* 40 links in a chain are followed, 41 are not */
	assert_int_equal(rc("/chain00", O_CREAT | O_RDWR), 0);
	for (int i = 1; i <= 41; i++) {
		sprintf(target, "chain%02d", i - 1);
		sprintf(name, "/chain%02d", i);
		assert_int_equal(vfs_symlink(target, &c, name), 0);
	}
	assert_int_equal(rc("/chain40", O_RDONLY), 0);
	assert_int_equal(rc("/chain41", O_RDONLY), -ELOOP);
}

static void test_open_errors(void **state)
{
	struct lookup_ctx c = shim_ctx(NULL);
	char name[300], path[600];

	(void)state;
	assert_int_equal(vfs_mkdir(&c, "/o", 0755), 0);
	assert_int_equal(rc("/o/f", O_CREAT | O_EXCL | O_RDWR), 0);
	assert_int_equal(rc("/o/f", O_CREAT | O_EXCL | O_RDWR), -EEXIST);
	assert_int_equal(rc("/o", O_RDWR), -EISDIR);
	assert_int_equal(rc("/o", O_CREAT | O_RDONLY), -EISDIR);
	assert_int_equal(rc("/o/new/", O_CREAT | O_RDWR), -EISDIR);
	assert_int_equal(rc("/o/.", O_CREAT | O_RDWR), -EISDIR);
	assert_int_equal(rc("/o/f/x", O_RDONLY), -ENOTDIR);
	assert_int_equal(rc("/o/f/", O_RDONLY), -ENOTDIR);
	assert_int_equal(rc("/o/none", O_RDONLY), -ENOENT);
	assert_int_equal(rc("", O_RDONLY), -ENOENT);
	assert_int_equal(rc("/o/none/x", O_CREAT | O_RDWR), -ENOENT);
	assert_int_equal(rc("/o/f", O_CREAT | O_DIRECTORY), -EINVAL);
	memset(name, 'n', 256);
	name[256] = 0;
	sprintf(path, "/o/%s", name);
	assert_int_equal(rc(path, O_RDONLY), -ENAMETOOLONG);
	assert_int_equal(rc(path, O_CREAT | O_RDWR), -ENAMETOOLONG);
	path[3 + 255] = 0;
	assert_int_equal(rc(path, O_CREAT | O_RDWR), 0);
	assert_int_equal(vfs_unlink(&c, "/", true), -EBUSY);
	assert_int_equal(vfs_unlink(&c, "/o/.", true), -EINVAL);
	assert_int_equal(vfs_unlink(&c, "/o/..", true), -ENOTEMPTY);
	assert_int_equal(vfs_unlink(&c, "/o/f/", false), -ENOTDIR);
	assert_int_equal(vfs_mkdir(&c, "/o/d/", 0755), 0);
	assert_int_equal(vfs_mkdir(&c, "/o/d/.", 0755), -EEXIST);
	assert_int_equal(vfs_mkdir(&c, "/", 0755), -EEXIST);
	assert_int_equal(vfs_rename(&c, "/o/f", &c, "/o/g/", 0), -ENOTDIR);
	assert_int_equal(vfs_rename(&c, "/o/d", &c, "/o/e/", 0), 0);
	assert_int_equal(vfs_rename(&c, "/o/.", &c, "/o/x", 0), -EBUSY);
}

/* An unlinked file lives while it is open, and says so. */
static void test_unlinked(void **state)
{
	struct lookup_ctx c = shim_ctx(NULL);
	struct file *f;
	char text[64];

	(void)state;
	assert_int_equal(vfs_open(&c, "/gone", O_CREAT | O_RDWR, 0600, &f), 0);
	assert_int_equal(vfs_unlink(&c, "/gone", false), 0);
	assert_true(path_string(&f->path, NULL, text, sizeof(text)) > 0);
	assert_string_equal(text, "/gone (deleted)");
	assert_int_equal(rc("/gone", O_RDONLY), -ENOENT);
	assert_int_equal(rc("/gone", O_CREAT | O_EXCL | O_RDWR), 0);
	file_drop(f);
	/* so does one that another was renamed over */
	assert_int_equal(vfs_open(&c, "/under", O_CREAT | O_RDWR, 0600, &f), 0);
	assert_int_equal(vfs_rename(&c, "/gone", &c, "/under", 0), 0);
	assert_true(path_string(&f->path, NULL, text, sizeof(text)) > 0);
	assert_true(strstr(text, " (deleted)") != NULL);
	file_drop(f);
	assert_int_equal(vfs_open(&c, "/under", O_RDONLY, 0, &f), 0);
	assert_true(path_string(&f->path, NULL, text, sizeof(text)) > 0);
	assert_string_equal(text, "/under");
	file_drop(f);
	assert_int_equal(vfs_mkdir(&c, "/dead", 0755), 0);
	assert_int_equal(vfs_open(&c, "/dead", O_RDONLY, 0, &f), 0);
	assert_int_equal(vfs_unlink(&c, "/dead", true), 0);
	c.at = f;
	assert_int_equal(vfs_mkdir(&c, "x", 0755), -ENOENT);
	file_drop(f);
}

static void test_mounts(void **state)
{
	struct lookup_ctx c = shim_ctx(NULL), poor;
	struct cred user = {.refs = 10, .fsuid = 1000, .fsgid = 1000, .uid = 1000};
	struct file *f;
	struct path p;
	char text[128];

	(void)state;
	poor = shim_ctx(&user);
	assert_int_equal(vfs_mkdir(&c, "/mnt", 0755), 0);
	assert_int_equal(vfs_mount(&poor, "x", "/mnt", "tmpfs", 0, NULL), -EPERM);
	assert_int_equal(vfs_mount(&c, "x", "/mnt", "nofs", 0, NULL), -ENODEV);
	assert_int_equal(vfs_mount(&c, "x", "/mnt", NULL, 0, NULL), -EINVAL);
	assert_int_equal(vfs_mount(&c, "x", "/mnt", "tmpfs", 0, "mode=755"), 0);
	assert_int_equal(vfs_mkdir(&c, "/mnt/in", 0755), 0);
	assert_int_equal(rc("/mnt/in/f", O_CREAT | O_RDWR), 0);
	assert_int_equal(rc("/mnt/in/../../mnt/in/f", O_RDONLY), 0);
	assert_int_equal(vfs_link(&c, "/mnt/in/f", false, &c, "/f"), -EXDEV);
	assert_int_equal(vfs_rename(&c, "/mnt/in", &c, "/in", 0), -EXDEV);
	assert_int_equal(vfs_unlink(&c, "/mnt", true), -EBUSY);
	assert_int_equal(vfs_rename(&c, "/mnt", &c, "/moved", 0), -EBUSY);
	assert_int_equal(path_lookup(&c, "/mnt/in/f", 0, &p), 0);
	assert_int_equal(path_string(&p, &shim_fs->root, text, sizeof(text)), 9);
	assert_string_equal(text, "/mnt/in/f");
	assert_int_equal(vfs_umount(&c, "/mnt", 0), -EBUSY);
	path_put(&p);
	/* one on top of the other */
	assert_int_equal(vfs_mount(&c, "y", "/mnt", "tmpfs", 0, NULL), 0);
	assert_int_equal(rc("/mnt/in", O_RDONLY), -ENOENT);
	assert_int_equal(vfs_umount(&c, "/mnt", 0), 0);
	assert_int_equal(rc("/mnt/in", O_RDONLY), 0);
	/* read-only */
	assert_int_equal(vfs_mount(&c, NULL, "/mnt", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(rc("/mnt/in/f", O_RDWR), -EROFS);
	assert_int_equal(rc("/mnt/new", O_CREAT | O_RDWR), -EROFS);
	assert_int_equal(vfs_unlink(&c, "/mnt/in/f", false), -EROFS);
	/* taken away lazily while a file is open */
	assert_int_equal(vfs_open(&c, "/mnt/in/f", O_RDONLY, 0, &f), 0);
	assert_int_equal(vfs_umount(&c, "/mnt", 2), 0);
	assert_int_equal(rc("/mnt/in", O_RDONLY), -ENOENT);
	assert_int_equal(vfs_umount(&c, "/mnt", 0), -EINVAL);
	file_drop(f);
	assert_int_equal(vfs_unlink(&c, "/mnt", true), 0);
}

static void test_permissions(void **state)
{
	struct cred user = {.refs = 10, .fsuid = 1000, .fsgid = 1000},
		    other = {.refs = 10, .fsuid = 2, .fsgid = 2};
	struct lookup_ctx c = shim_ctx(NULL), u = shim_ctx(&user), o = shim_ctx(&other);
	struct vattr a = {.uid = 1000, .gid = 1000, .mode = 0640};
	struct file *f;

	(void)state;
	assert_int_equal(vfs_mkdir(&c, "/p", 01777), 0);
	shim_fs->umask = 0;
	assert_int_equal(vfs_mkdir(&c, "/t", 01777), 0);
	shim_fs->umask = 022;
	assert_int_equal(vfs_mkdir(&u, "/p/no", 0755), -EACCES);
	assert_int_equal(vfs_open(&u, "/t/mine", O_CREAT | O_RDWR, 0400, &f),
			 0); /* the creator may write nevertheless */
	assert_true(f->may_write);
	assert_int_equal(vfs_setattr(f->vnode, &other, &a, ATTR_MODE), -EPERM);
	assert_int_equal(vfs_setattr(f->vnode, &user, &a, ATTR_MODE), 0);
	assert_int_equal(vfs_setattr(f->vnode, &user, &a, ATTR_UID), 0); /* to itself */
	a.uid = 0;
	assert_int_equal(vfs_setattr(f->vnode, &user, &a, ATTR_UID), -EPERM);
	file_drop(f);
	assert_int_equal(vfs_open(&o, "/t/mine", O_RDONLY, 0, &f), -EACCES);
	assert_int_equal(vfs_unlink(&o, "/t/mine", false), -EPERM); /* sticky */
	assert_int_equal(vfs_rename(&o, "/t/mine", &o, "/t/his", 0), -EPERM);
	assert_int_equal(vfs_unlink(&u, "/t/mine", false), 0);
	assert_int_equal(vfs_mkdir(&c, "/t/closed", 0700), 0);
	assert_int_equal(vfs_open(&u, "/t/closed/x", O_RDONLY, 0, &f), -EACCES);
	assert_int_equal(vfs_mknod(&u, "/t/dev", S_IFCHR | 0600, 0x103), -EPERM);
	assert_int_equal(vfs_mknod(&u, "/t/fifo", S_IFIFO | 0600, 0), 0);
}

static int setup(void **state)
{
	(void)state;
	host_harts(1);
	shim_boot();
	return 0;
}

/* A mount that was used and taken down leaves nothing behind. */
static void test_no_leaks(void **state)
{
	struct lookup_ctx c = shim_ctx(NULL);
	u64 before;
	char path[64];

	(void)state;
	assert_int_equal(vfs_mkdir(&c, "/leak", 0755), 0);
	vfs_shrink(SIZE_MAX);
	before = shim_memory();
	assert_int_equal(vfs_mount(&c, "x", "/leak", "tmpfs", 0, NULL), 0);
	for (int i = 0; i < 3000; i++) { /* enough for the name table to grow */
		snprintf(path, sizeof(path), "/leak/a file name that does not fit inline %d", i);
		assert_int_equal(rc(path, O_CREAT | O_RDWR), 0);
		if (i % 3 == 0)
			assert_int_equal(vfs_unlink(&c, path, false), 0);
		if (i % 7 == 0)
			assert_int_equal(rc("/leak/absent", O_RDONLY), -ENOENT);
	}
	assert_int_equal(vfs_symlink("t", &c, "/leak/s"), 0);
	assert_int_equal(vfs_umount(&c, "/leak", 0), 0);
	vfs_shrink(SIZE_MAX);
	assert_int_equal(shim_memory(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	    cmocka_unit_test(test_symlinks),
		cmocka_unit_test(test_open_errors), cmocka_unit_test(test_unlinked),
		cmocka_unit_test(test_mounts),	    cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_no_leaks),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
