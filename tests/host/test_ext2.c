// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: tests/host/ext2_shim/machine.c tests/host/ext2_shim/vfs.c kernel/lib/rbtree.c kernel/lib/radix.c fs/ext2/balloc.c fs/ext2/bitmap.c fs/ext2/check.c fs/ext2/commit.c fs/ext2/dirty.c fs/ext2/dir.c fs/ext2/dirindex.c fs/ext2/fallocate.c fs/ext2/file.c fs/ext2/ialloc.c fs/ext2/inode.c fs/ext2/map.c fs/ext2/mapalloc.c fs/ext2/namei.c fs/ext2/orphan.c fs/ext2/pager.c fs/ext2/super.c fs/ext2/truncate.c fs/ext2/unwritten.c fs/ext2/window.c
// CFLAGS: -Itests/host/ext2_shim
/*
 * ext2 on images that mkfs.ext2 made: random operations against a model in memory, with everything read again in between, judged by
 * e2fsck after every unmount and by debugfs at the end; then single cases.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim.h"

static char image[64];

static int run(const char *fmt, ...)
{
	char cmd[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

static void make_image(const char *options, unsigned kib)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(image, sizeof(image), "%s/ext2-XXXXXX", tmp ? tmp : "/tmp");
	int fd = mkstemp(image);

	assert_true(fd >= 0);
	int status = run("PATH=$PATH:/sbin:/usr/sbin mkfs.ext2 -q -F %s %s %u </dev/null", options,
			 image, kib);
	assert_int_equal(status, 0);
	assert_int_equal(shim_load(image), 0);
}

static void fsck(void)
{
	assert_int_equal(shim_save(image), 0);
	if (run("PATH=$PATH:/sbin:/usr/sbin e2fsck -fn %s >%s.log 2>&1", image, image)) {
		run("cat %s.log", image);
		fail_msg("e2fsck found errors in %s", image);
	}
	remove(strcat(strcpy((char[80]){0}, image), ".log"));
}

static void drop_image(void)
{
	run("rm -rf %s %s.out %s.log", image, image, image);
}

static struct mount *mount_ok(u32 flags)
{
	int err;
	struct mount *m = shim_mount(flags, &err);

	if (!m)
		fail_msg("mount: %d: %s", err, shim_log);
	return m;
}

/* ---- the model ---- */

#define MAX_NODES 400

struct mfile {
	u32 mode;
	u32 nlink;
	u64 size;
	u8 **page; /* NULL: zero */
	u64 npages;
	char *target;
	u64 ino;
	u32 uid;
};

struct mname {
	char name[256];
	struct mfile *f;
	struct mdir *dir; /* of the entry, if a directory: its contents */
};

struct mdir {
	struct mfile *f;
	struct mdir *parent;
	struct mname *names;
	unsigned n, cap;
};

static struct mdir *mroot;
static unsigned model_nodes;

static struct mfile *mfile_new(u32 mode)
{
	struct mfile *f = calloc(1, sizeof(*f));

	f->mode = mode;
	f->nlink = 1;
	model_nodes++;
	return f;
}

static void mfile_drop(struct mfile *f)
{
	u64 k;

	if (--f->nlink)
		return;
	for (k = 0; k < f->npages; k++)
		free(f->page[k]);
	free(f->page);
	free(f->target);
	free(f);
	model_nodes--;
}

static struct mdir *mdir_new(struct mdir *parent)
{
	struct mdir *d = calloc(1, sizeof(*d));

	d->f = mfile_new(S_IFDIR | 0755);
	d->parent = parent;
	return d;
}

static struct mname *mdir_find(struct mdir *d, const char *name)
{
	unsigned k;

	for (k = 0; k < d->n; k++)
		if (strcmp(d->names[k].name, name) == 0)
			return &d->names[k];
	return NULL;
}

static struct mname *mdir_add(struct mdir *d, const char *name)
{
	struct mname *e;

	if (d->n == d->cap)
		d->names = realloc(d->names, (d->cap = d->cap * 2 + 8) * sizeof(*d->names));
	e = &d->names[d->n++];
	memset(e, 0, sizeof(*e));
	strcpy(e->name, name);
	return e;
}

static void mdir_remove(struct mdir *d, struct mname *e)
{
	*e = d->names[--d->n];
}

static void mdir_free(struct mdir *d)
{
	unsigned k;

	for (k = 0; k < d->n; k++) {
		if (d->names[k].dir)
			mdir_free(d->names[k].dir);
		else
			mfile_drop(d->names[k].f);
	}
	mfile_drop(d->f);
	free(d->names);
	free(d);
}

static u8 *mpage_at(struct mfile *f, u64 k)
{
	if (k >= f->npages) {
		f->page = realloc(f->page, (k + 1) * sizeof(*f->page));
		memset(f->page + f->npages, 0, (k + 1 - f->npages) * sizeof(*f->page));
		f->npages = k + 1;
	}
	if (!f->page[k])
		f->page[k] = calloc(1, PAGE_SIZE);
	return f->page[k];
}

static void mfile_write(struct mfile *f, const u8 *buf, u64 n, u64 off)
{
	u64 k;

	for (k = 0; k < n; k++)
		mpage_at(f, (off + k) >> PAGE_SHIFT)[(off + k) & PAGE_MASK] = buf[k];
	if (off + n > f->size && n)
		f->size = off + n;
}

static void mfile_zero(struct mfile *f, u64 from, u64 to)
{
	for (; from < to; from++) {
		u64 k = from >> PAGE_SHIFT;

		if (k >= f->npages)
			return;
		if (!f->page[k])
			from |= PAGE_MASK;
		else
			f->page[k][from & PAGE_MASK] = 0;
	}
}

static void mfile_truncate(struct mfile *f, u64 size)
{
	if (size < f->size)
		mfile_zero(f, size, f->size);
	f->size = size;
}

/* ---- comparing ---- */

static struct vnode *open_name(struct vnode *dir, const char *name)
{
	struct vnode *vn;
	int err = dir->ops->lookup(dir, name, strlen(name), &vn);

	if (err)
		fail_msg("lookup of %s: %d (%s)", name, err, shim_log);
	return vn;
}

static void check_contents(struct vnode *vn, struct mfile *f)
{
	static const u8 zero[PAGE_SIZE];
	u8 buf[PAGE_SIZE];
	u64 k, at;

	for (k = 0; k < DIV_ROUND_UP(f->size, PAGE_SIZE); k++) {
		const u8 *want = k < f->npages && f->page[k] ? f->page[k] : zero;

		at = k << PAGE_SHIFT;
		/* long holes: now and then is enough */
		if (want == zero && shim_random() % 16)
			continue;
		assert_int_equal(shim_read(vn, buf, PAGE_SIZE, at), MIN(PAGE_SIZE, f->size - at));
		if (memcmp(buf, want, MIN(PAGE_SIZE, f->size - at))) {
			u64 i = 0, n = 0, first;

			while (buf[i] == want[i])
				i++;
			for (first = i; i < MIN(PAGE_SIZE, f->size - at); i++)
				n += buf[i] != want[i];
			fail_msg(
				"inode %lu differs in page %lu of size %lu: %lu bytes from %lu, %#x for %#x",
				vn->ino, k, f->size, n, first, buf[first], want[first]);
		}
	}
}

static void check_file(struct vnode *vn, struct mfile *f)
{
	struct vattr a;
	char buf[5000];

	vn->ops->getattr(vn, &a);
	assert_int_equal(a.mode, f->mode);
	assert_int_equal(a.nlink, f->nlink);
	assert_int_equal(a.uid, f->uid);
	assert_int_equal(a.ino, f->ino);
	if (f->target) {
		assert_int_equal(vn->ops->readlink(vn, buf, sizeof(buf)), strlen(f->target));
		assert_memory_equal(buf, f->target, strlen(f->target));
	} else if ((f->mode & S_IFMT) == S_IFREG) {
		assert_int_equal(a.size, f->size);
		check_contents(vn, f);
	}
}

struct listing {
	struct mdir *d;
	unsigned seen, budget;
};

static bool count_entry(void *arg, const char *name, size_t len, u64 ino, unsigned type, u64 next)
{
	struct listing *l = arg;
	char z[256];
	struct mname *e;

	(void)next;
	if (l->budget == 0)
		return false;
	l->budget--;
	l->seen++;
	if ((len == 1 && name[0] == '.') || (len == 2 && memcmp(name, "..", 2) == 0))
		return true;
	memcpy(z, name, len);
	z[len] = 0;
	e = mdir_find(l->d, z);
	if (!e && strcmp(z, "lost+found") == 0 && !l->d->parent)
		return true;
	assert_non_null(e);
	assert_int_equal(ino, e->f->ino);
	assert_true(type == 0 || type == e->f->mode >> 12);
	return true;
}

static void check_listing(struct vnode *vn, struct mdir *d)
{
	struct listing l = {d, 0, 0};
	unsigned before;
	u64 pos = 0;

	do {
		before = l.seen;
		l.budget = 1 + (unsigned)(shim_random() % 50);
		assert_int_equal(vn->ops->readdir(vn, &pos, count_entry, &l), 0);
	} while (l.seen != before);
	assert_int_equal(l.seen, d->n + 2 + (d->parent ? 0 : 1));
}

static void check_tree(struct vnode *vn, struct mdir *d)
{
	unsigned k, subdirs = d->parent ? 0 : 1;
	struct vattr a;

	check_listing(vn, d);
	for (k = 0; k < d->n; k++) {
		struct vnode *c = open_name(vn, d->names[k].name);

		if (d->names[k].dir) {
			subdirs++;
			check_tree(c, d->names[k].dir);
		} else {
			check_file(c, d->names[k].f);
		}
		vnode_drop(c);
	}
	vn->ops->getattr(vn, &a);
	assert_int_equal(a.nlink, 2 + subdirs);
}

/* ---- random operations ---- */

struct place {
	struct mdir *d;
	struct vnode *vn; /* held */
};

static struct place random_dir(struct mount *m)
{
	struct place p = {mroot, m->root};
	unsigned k, tries;

	vnode_hold(p.vn);
	for (tries = 0; tries < 6; tries++) {
		struct mname *e;
		struct vnode *next;

		if (!p.d->n)
			break;
		k = (unsigned)(shim_random() % p.d->n);
		e = &p.d->names[k];
		if (!e->dir)
			continue;
		next = open_name(p.vn, e->name);
		vnode_drop(p.vn);
		p = (struct place){e->dir, next};
	}
	return p;
}

static struct mname *random_name(struct mdir *d)
{
	return d->n ? &d->names[shim_random() % d->n] : NULL;
}

static void new_name(char *buf)
{
	unsigned len = 1 + (unsigned)(shim_random() % (shim_random() % 8 ? 12 : 250)), k;

	for (k = 0; k < len; k++)
		buf[k] = (char)('a' + shim_random() % 26);
	sprintf(buf + len, "%u", (unsigned)(shim_random() % 1000));
}

static bool out_of_space(int err)
{
	return err == -ENOSPC;
}

static void op_create(struct mount *m)
{
	static const u32 types[] = {S_IFREG, S_IFREG, S_IFREG, S_IFDIR,
				    S_IFLNK, S_IFIFO, S_IFCHR, S_IFBLK};
	struct place p = random_dir(m);
	char name[260], target[1100];
	u32 type = types[shim_random() % ARRAY_LEN(types)];
	struct vnode *vn;
	struct mname *e;
	size_t tlen = 1 + shim_random() % (shim_random() % 2 ? 59 : 1000);
	u64 rdev = type == S_IFCHR || type == S_IFBLK
			   ? makedev((u32)shim_random() % 4000, (u32)shim_random() % 100000)
			   : 0;
	struct vattr a;
	int err;

	new_name(name);
	memset(target, 't', tlen);
	target[tlen] = 0;
	shim_set_cred(shim_random() % 4 ? 0 : 70000);
	err = p.vn->ops->create(p.vn, name, strlen(name), type | 0644, rdev,
				type == S_IFLNK ? target : NULL, &shim_cred, &vn);
	if (mdir_find(p.d, name)) {
		assert_int_equal(err, -EEXIST);
	} else if (!out_of_space(err)) {
		assert_int_equal(err, 0);
		e = mdir_add(p.d, name);
		if (type == S_IFDIR) {
			e->dir = mdir_new(p.d);
			e->f = e->dir->f;
			e->f->mode = S_IFDIR | 0644;
		} else {
			e->f = mfile_new(type == S_IFLNK ? S_IFLNK | 0777 : type | 0644);
			e->f->target = type == S_IFLNK ? strdup(target) : NULL;
		}
		e->f->uid = shim_cred.fsuid;
		e->f->ino = vn->ino;
		vn->ops->getattr(vn, &a);
		assert_int_equal(a.rdev, rdev);
		vnode_drop(vn);
	}
	shim_set_cred(0);
	vnode_drop(p.vn);
}

/* A regular file somewhere, held. */
static struct vnode *random_file(struct mount *m, struct mfile **f)
{
	struct place p = random_dir(m);
	struct mname *e = random_name(p.d);
	struct vnode *vn = NULL;

	if (e && (e->f->mode & S_IFMT) == S_IFREG) {
		vn = open_name(p.vn, e->name);
		*f = e->f;
	}
	vnode_drop(p.vn);
	return vn;
}

static u64 random_offset(u64 size)
{
	switch (shim_random() % 8) {
	case 0:
		return shim_random() % 600000;
	case 1:
		return shim_random() % 3 ? shim_random() % 5000000
					 : 68000000 + shim_random() % 1000000;
	case 2:
	case 3:
		return size ? shim_random() % size : 0;
	default:
		return size;
	}
}

static void op_write(struct mount *m)
{
	static u8 buf[70000];
	struct mfile *f;
	struct vnode *vn = random_file(m, &f);
	u64 n = 1 + shim_random() % (shim_random() % 4 ? 6000 : sizeof(buf)), off, k;
	ssize_t r;

	if (!vn)
		return;
	off = random_offset(f->size);
	for (k = 0; k < n; k++)
		buf[k] = (u8)shim_random();
	r = shim_write(vn, buf, n, off);
	if (!out_of_space((int)r)) {
		assert_true(r > 0);
		mfile_write(f, buf, (u64)r, off);
	}
	vnode_drop(vn);
}

/* A write that gets its page and then nothing to put there, as when the user's buffer is bad. */
static void op_failed_write(struct mount *m)
{
	struct mfile *f;
	struct vnode *vn = random_file(m, &f);
	struct frame *fr;

	if (!vn)
		return;
	if (vm_page_get(&vn->obj, random_offset(f->size) >> PAGE_SHIFT, VMP_WRITE | VMP_BEYOND,
			NULL, &fr) == 0) {
		if (fr->flags & FR_BUSY)
			vm_page_ready(fr, false);
		vm_page_put(fr);
	}
	vnode_drop(vn);
}

static void op_truncate(struct mount *m)
{
	struct mfile *f;
	struct vnode *vn = random_file(m, &f);
	struct vattr a;

	if (!vn)
		return;
	a.size = random_offset(f->size);
	assert_int_equal(vn->ops->setattr(vn, &a, ATTR_SIZE), 0);
	mfile_truncate(f, a.size);
	vnode_drop(vn);
}

static void op_punch(struct mount *m)
{
	struct mfile *f;
	struct vnode *vn = random_file(m, &f);
	u64 off, len;

	if (!vn)
		return;
	off = random_offset(f->size);
	len = 1 + shim_random() % 40000;
	if (shim_random() % 3 == 0) {
		/* holes get blocks, and what is there stays; within the size, as the model does not know of full disks */
		if (off < f->size && vn->ops->fallocate(vn, 1, off, MIN(len, f->size - off)) == 0)
			assert_int_equal(vn->ops->seek(vn, off, false), off);
	} else {
		assert_int_equal(vn->ops->fallocate(vn, 3, off, len), 0);
		mfile_zero(f, off, MIN(off + len, MAX(off, f->size)));
	}
	vnode_drop(vn);
}

/* A mapping stores within the last page, perhaps behind the end. */
static void op_store(struct mount *m)
{
	struct mfile *f;
	struct vnode *vn = random_file(m, &f);
	u64 off;
	u8 v = (u8)shim_random();

	if (!vn)
		return;
	off = f->size ? ALIGN_DOWN(f->size - 1, PAGE_SIZE) + shim_random() % PAGE_SIZE : 0;
	if (f->size && shim_store(vn, off, v) == 0 && off < f->size)
		mpage_at(f, off >> PAGE_SHIFT)[off & PAGE_MASK] = v;
	vnode_drop(vn);
}

static void op_unlink(struct mount *m)
{
	struct place p = random_dir(m);
	struct mname *e = random_name(p.d);
	struct vnode *vn;
	int err;

	if (e) {
		vn = open_name(p.vn, e->name);
		err = p.vn->ops->unlink(p.vn, e->name, strlen(e->name), vn);
		if (e->dir && e->dir->n) {
			assert_int_equal(err, -ENOTEMPTY);
		} else {
			assert_int_equal(err, 0);
			if (e->dir) {
				e->dir->n = 0;
				mdir_free(e->dir);
			} else {
				mfile_drop(e->f);
			}
			mdir_remove(p.d, e);
		}
		if (shim_random() % 4 == 0)
			shim_shake(m); /* open, without a name */
		vnode_drop(vn);
	}
	vnode_drop(p.vn);
}

static void op_link(struct mount *m)
{
	struct place p = random_dir(m), q = random_dir(m);
	struct mname *e = random_name(p.d), *e2;
	char name[260];
	struct vnode *vn;
	int err;

	new_name(name);
	if (e && !mdir_find(q.d, name)) {
		struct mfile *f = e->f;
		bool dir = e->dir;

		vn = open_name(p.vn, e->name);
		err = q.vn->ops->link(q.vn, name, strlen(name), vn);
		if (dir) {
			assert_int_equal(err, -EPERM);
		} else if (!out_of_space(err)) {
			assert_int_equal(err, 0);
			e2 = mdir_add(q.d, name);
			e2->f = f;
			f->nlink++;
		}
		vnode_drop(vn);
	}
	vnode_drop(p.vn);
	vnode_drop(q.vn);
}

static bool is_below(struct mdir *d, struct mdir *above)
{
	for (; d; d = d->parent)
		if (d == above)
			return true;
	return false;
}

static void model_rename(struct mdir *od, const char *oname, struct mdir *nd, const char *nname,
			 unsigned flags)
{
	struct mname *from = mdir_find(od, oname), *to = mdir_find(nd, nname), moved;

	if (flags & 2) {
		struct mname t = *from;

		from->f = to->f;
		from->dir = to->dir;
		to->f = t.f;
		to->dir = t.dir;
		if (from->dir)
			from->dir->parent = od;
		if (to->dir)
			to->dir->parent = nd;
		return;
	}
	if (to) {
		if (to->f == from->f)
			return;
		if (to->dir)
			mdir_free(to->dir);
		else
			mfile_drop(to->f);
		mdir_remove(nd, to);
		from = mdir_find(od, oname);
	}
	moved = *from;
	mdir_remove(od, from);
	to = mdir_add(nd, nname);
	to->f = moved.f;
	to->dir = moved.dir;
	if (to->dir)
		to->dir->parent = nd;
}

/* What the VFS would have refused. */
static bool rename_sane(struct place *p, struct mname *e, struct place *q, struct mname *t,
			unsigned flags)
{
	if (e->dir && is_below(q->d, e->dir))
		return false;
	if (t && t->dir && is_below(p->d, t->dir))
		return false;
	if (!t)
		return !(flags & 2);
	return flags & 2 || !!t->dir == !!e->dir;
}

static void op_rename(struct mount *m)
{
	struct place p = random_dir(m), q = random_dir(m);
	struct mname *e = random_name(p.d), *t = random_name(q.d);
	unsigned flags = (unsigned)(shim_random() % 4);
	char oname[260], nname[260];
	struct vnode *vn, *target = NULL;
	int err;

	if (flags == 3)
		flags = 0;
	new_name(nname);
	if (t && shim_random() % 2)
		strcpy(nname, t->name);
	else
		t = mdir_find(q.d, nname);
	if (!e || !rename_sane(&p, e, &q, t, flags) || (t && t == e))
		goto out;
	strcpy(oname, e->name);
	vn = open_name(p.vn, oname);
	if (t)
		target = open_name(q.vn, nname);
	err = p.vn->ops->rename(p.vn, oname, strlen(oname), vn, q.vn, nname, strlen(nname), target,
				flags);
	if (t && flags == 1) {
		assert_int_equal(err, -EEXIST);
	} else if (t && !flags && t->dir && t->dir->n) {
		assert_int_equal(err, -ENOTEMPTY);
	} else if (!out_of_space(err)) {
		assert_int_equal(err, 0);
		model_rename(p.d, oname, q.d, nname, flags);
	}
	vnode_drop(vn);
	if (target)
		vnode_drop(target);
out:
	vnode_drop(p.vn);
	vnode_drop(q.vn);
}

static void op_attributes(struct mount *m)
{
	struct place p = random_dir(m);
	struct mname *e = random_name(p.d);
	struct vattr a = {.mode = 0751,
			  .uid = (u32)shim_random(),
			  .mtime = {(s64)shim_random() % 4000000000, 999999999}},
		     b;
	struct vnode *vn;

	if (e && !e->f->target) {
		vn = open_name(p.vn, e->name);
		assert_int_equal(vn->ops->setattr(vn, &a, ATTR_MODE | ATTR_UID | ATTR_MTIME), 0);
		e->f->mode = (e->f->mode & S_IFMT) | 0751;
		e->f->uid = a.uid;
		vn->ops->getattr(vn, &b);
		assert_int_equal(b.mtime.sec, a.mtime.sec);
		vnode_drop(vn);
	}
	vnode_drop(p.vn);
}

static void op_fsync(struct mount *m)
{
	struct mfile *f;
	struct vnode *vn = random_file(m, &f);

	if (!vn)
		return;
	assert_int_equal(vn->ops->fsync(vn, false), 0);
	assert_false(vn->attr_dirty);
	vnode_drop(vn);
}

static void random_op(struct mount *m)
{
	static void (*const ops[])(struct mount * m) = {
		op_create, op_create, op_create,   op_write,	  op_write, op_write,
		op_write,  op_write,  op_truncate, op_punch,	  op_store, op_unlink,
		op_link,   op_rename, op_rename,   op_attributes, op_fsync, op_failed_write,
	};
	u64 k = shim_random() % ARRAY_LEN(ops);

	if (ops[k] == op_create && model_nodes > MAX_NODES)
		k = 11;
	ops[k](m);
}

/* Another implementation reads our image. */
static void compare_with_debugfs(struct mdir *d, const char *path)
{
	static const u8 zero[PAGE_SIZE];
	unsigned k;

	for (k = 0; k < d->n; k++) {
		struct mname *e = &d->names[k];
		char file[4096];
		u8 buf[PAGE_SIZE];
		FILE *f;
		u64 i;

		snprintf(file, sizeof(file), "%s/%s", path, e->name);
		if (e->dir)
			compare_with_debugfs(e->dir, file);
		if ((e->f->mode & S_IFMT) != S_IFREG)
			continue;
		f = fopen(file, "rb");
		assert_non_null(f);
		for (i = 0; i < DIV_ROUND_UP(e->f->size, PAGE_SIZE); i++) {
			u64 n = MIN(PAGE_SIZE, e->f->size - (i << PAGE_SHIFT));

			assert_int_equal(fread(buf, 1, PAGE_SIZE, f), n);
			assert_memory_equal(
				buf, i < e->f->npages && e->f->page[i] ? e->f->page[i] : zero, n);
		}
		fclose(f);
	}
}

static void adopt_root(struct mount *m)
{
	mroot = mdir_new(NULL);
	mroot->f->ino = m->root->ino;
}

static void random_run(const char *options, unsigned kib, unsigned rounds, unsigned ops, u64 seed)
{
	unsigned r, k;
	struct mount *m;

	make_image(options, kib);
	shim_seed(seed);
	for (r = 0; r < rounds; r++) {
		m = mount_ok(0);
		if (!mroot)
			adopt_root(m);
		for (k = 0; k < ops; k++) {
			random_op(m);
			if (shim_random() % 8 == 0)
				shim_shake(m);
		}
		check_tree(m->root, mroot);
		shim_drop_caches(m);
		check_tree(m->root, mroot);
		assert_int_equal(shim_unmount(m), 0);
		assert_string_equal(shim_log, "");
		fsck();
	}
	run("mkdir %s.out && PATH=$PATH:/sbin:/usr/sbin debugfs -R 'rdump / %s.out' %s >/dev/null 2>&1",
	    image, image, image);
	snprintf((char[80]){0}, 80, "%s", image);
	char out[80];

	snprintf(out, sizeof(out), "%s.out", image);
	compare_with_debugfs(mroot, out);
	mdir_free(mroot);
	mroot = NULL;
	drop_image();
}

static u64 test_seed(void)
{
	const char *s = getenv("SEED");

	return s ? strtoull(s, NULL, 0) : 1;
}

static void test_random_4k(void **state)
{
	(void)state;
	random_run("-b 4096", 64000, 4, 700, test_seed());
}

static void test_random_2k(void **state)
{
	(void)state;
	random_run("-b 2048 -I 128", 64000, 4, 700, test_seed());
}

static void test_random_1k(void **state)
{
	(void)state;
	random_run("-b 1024", 64000, 5, 700, test_seed());
}

static void test_random_rev0(void **state)
{
	(void)state;
	/* e2fsprogs 1.47.1 has another option for it than those before */
	bool old =
		run("PATH=$PATH:/sbin:/usr/sbin; t=$(mktemp) && truncate -s 64k $t && "
		    "mkfs.ext2 -n -q -F -E revision=0 $t 64 >/dev/null 2>&1; s=$?; rm $t; exit $s");

	random_run(old ? "-b 1024 -r 0" : "-b 1024 -E revision=0", 40000, 3, 500, test_seed());
}

static void test_random_no_filetype(void **state)
{
	(void)state;
	random_run("-b 4096 -O ^filetype,^sparse_super,^resize_inode -I 256", 64000, 2, 500,
		   test_seed());
}

static void test_random_full(void **state)
{
	(void)state;
	random_run("-b 1024 -N 300", 3000, 6, 500, test_seed());
	random_run("-b 4096 -N 300 -m 0", 6000, 4, 500, test_seed());
}

#include "test_ext2_cases.h"

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_4k),	   cmocka_unit_test(test_random_2k),
		cmocka_unit_test(test_random_1k),	   cmocka_unit_test(test_random_rev0),
		cmocka_unit_test(test_random_no_filetype), cmocka_unit_test(test_random_full),
		cmocka_unit_test(test_bad_blocks),	   EXT2_CASES};

	if (getenv("ONLY")) /* a pattern: test_random_* */
		cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
