// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: tests/host/ext2_shim/machine.c tests/host/ext2_shim/vfs.c kernel/lib/rbtree.c kernel/lib/radix.c fs/ext2/balloc.c fs/ext2/bitmap.c fs/ext2/check.c fs/ext2/commit.c fs/ext2/dirty.c fs/ext2/dir.c fs/ext2/dirindex.c fs/ext2/fallocate.c fs/ext2/file.c fs/ext2/ialloc.c fs/ext2/inode.c fs/ext2/map.c fs/ext2/mapalloc.c fs/ext2/namei.c fs/ext2/orphan.c fs/ext2/pager.c fs/ext2/super.c fs/ext2/truncate.c fs/ext2/unwritten.c fs/ext2/window.c
// CFLAGS: -Itests/host/ext2_shim
/*
 * Power cuts.  A random load with fsync runs while every write and flush is recorded; then the disk is put together as a cut at a random moment
 * leaves it (what was flushed, and any part of what was written later), e2fsck -p has to be content with it without asking, and every
 * name and byte that an fsync confirmed has to be there.  In four of eight rounds writes of metadata and flushes fail now and then.  GNOMON_CRASH_ROUNDS and GNOMON_SEED repeat and extend it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim.h"

static char image[64];
static u64 seed;

static int run(const char *fmt, ...)
{
	char cmd[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

static unsigned pick(unsigned n)
{
	return (unsigned)(shim_random() % n);
}

/* ---- what was promised ---- */

#define MAX_SIZE 70000u

/* From entry `from` of the record to entry `to` one of the paths has to lead to one of the contents. */
#define MAX_PATHS 6u
struct promise {
	u64 from, to;
	u32 npaths;
	char path[MAX_PATHS][64];
	struct text *text[2]; /* NULL, NULL: whatever; with one: exactly this */
};

struct text {
	u32 size, refs;
	u8 data[];
};

static struct promise *promises;
static u32 npromises, max_promises;

static struct text *text_new(const u8 *data, u32 size)
{
	struct text *t = malloc(sizeof(*t) + size);

	t->size = size;
	t->refs = 1;
	memcpy(t->data, data, size);
	return t;
}

static struct text *text_ref(struct text *t)
{
	if (t)
		t->refs++;
	return t;
}

static void text_drop(struct text *t)
{
	if (t && --t->refs == 0)
		free(t);
}

/* As old (may be none, -1) was promised, with one more path. The promise's number, or -1: too many paths. */
static int promise(int old, const char *path, struct text *t, struct text *u)
{
	struct promise *p;
	u32 k;

	if (npromises == max_promises) {
		max_promises = max_promises ? 2 * max_promises : 256;
		promises = realloc(promises, max_promises * sizeof(*promises));
	}
	p = &promises[npromises];
	*p = (struct promise){.from = shim_recorded(), .to = ~0ul};
	if (old >= 0) {
		p->npaths = promises[old].npaths;
		memcpy(p->path, promises[old].path, sizeof(p->path));
	}
	for (k = 0; path && k < p->npaths && strcmp(path, p->path[k]) != 0; k++)
		;
	if (path && k == MAX_PATHS)
		return -1;
	if (path && k == p->npaths)
		strcpy(p->path[p->npaths++], path);
	p->text[0] = text_ref(t);
	p->text[1] = text_ref(u ? u : t);
	return (int)npromises++;
}

/* ---- the load ---- */

#define NDIRS	 12u
#define EXCHANGE 2u /* RENAME_EXCHANGE */
#define NFILES	 40u

struct dir {
	char path[48];
	struct vnode *vn; /* NULL: does not exist */
	int parent;
	u32 files, dirs;
};

/* A name: two of them may lead to one inode. */
struct fname {
	char path[64], name[20];
	int dir; /* -1: does not exist */
	struct body *body;
	int kept;     /* promise that holds for this name, or -1 */
	int replaced; /* promise that the name leads to what it did or to what took its place, or -1 */
};

struct body {
	struct vnode *vn;
	u32 size, names;
	bool link; /* symbolic */
	u8 data[MAX_SIZE];
};

static struct dir dirs[NDIRS];
static struct fname files[NFILES];

static bool bad_disk;

/* An error is only seen when the disk has them. */
static bool failed(int err)
{
	if (err && err != -EIO)
		fail_msg("error %d", err);
	if (err && !bad_disk)
		fail_msg("EIO from a good disk");
	return err;
}

static void end_promise(struct fname *f)
{
	if (f->kept >= 0)
		promises[f->kept].to = shim_recorded();
	if (f->replaced >= 0)
		promises[f->replaced].to = shim_recorded();
	f->kept = f->replaced = -1;
}

/* The contents of an inode change: every name of it is still promised, but not what it leads to. */
static void body_changes(struct body *b)
{
	u32 k;

	for (k = 0; k < NFILES; k++) {
		int old = files[k].kept;

		if (files[k].dir < 0 || files[k].body != b)
			continue;
		end_promise(&files[k]);
		if (old >= 0)
			files[k].kept = promise(old, NULL, NULL, NULL);
	}
}

static int some_dir(void)
{
	int k = (int)pick(NDIRS);

	return dirs[k].vn ? k : 0;
}

static struct fname *some_file(void)
{
	struct fname *f = &files[pick(NFILES)];

	return f->dir < 0 ? NULL : f;
}

static void place(struct fname *f, int dir)
{
	snprintf(f->path, sizeof(f->path), "%s/%s", dirs[dir].path, f->name);
	f->dir = dir;
	dirs[dir].files++;
}

/* Names of every length between 4 and 15 characters, which now and then come again. */
static void new_name(struct fname *f)
{
	int n = snprintf(f->name, 5, "n%02u", (unsigned)(f - files) % 100);

	memset(f->name + n, 'x', 12);
	f->name[n + (int)pick(12)] = 0;
}

static void do_write(struct fname *f)
{
	struct body *b = f->body;
	u32 at = pick(3) ? b->size : pick(b->size + 1), n = 1 + pick(pick(4) ? 3000 : 20000), k;
	u8 buf[20001];

	if (b->link)
		return;
	n = MIN(n, MAX_SIZE - at);
	for (k = 0; k < n; k++)
		buf[k] = (u8)shim_random();
	body_changes(b);
	if (shim_write(b->vn, buf, n, at) == (ssize_t)n) {
		memcpy(b->data + at, buf, n);
		b->size = MAX(b->size, at + n);
	} else { /* full: part of it was written */
		b->size = (u32)b->vn->obj.size;
		assert_int_equal(shim_read(b->vn, b->data, MAX_SIZE, 0), b->size);
	}
}

static void do_truncate(struct fname *f)
{
	struct body *b = f->body;
	u32 size = pick(b->size + 2000);

	if (b->link)
		return;
	size = MIN(size, MAX_SIZE);
	body_changes(b);
	b->vn->v_lock.writer = &shim_cred;
	assert_int_equal(b->vn->ops->setattr(b->vn, &(struct vattr){.size = size}, ATTR_SIZE), 0);
	b->vn->v_lock.writer = NULL;
	if (size > b->size)
		memset(b->data + b->size, 0, size - b->size);
	b->size = size;
}

static void do_fsync(struct fname *f)
{
	struct body *b = f->body;
	struct text *t;
	u32 k;

	if (failed(b->vn->ops->fsync(b->vn, false)))
		return;
	t = text_new(b->data, b->size);
	for (k = 0; k < NFILES; k++) {
		if (files[k].dir < 0 || files[k].body != b)
			continue;
		end_promise(&files[k]);
		files[k].kept = promise(-1, files[k].path, t, NULL);
	}
	text_drop(t);
}

static void do_create(struct fname *f)
{
	int dir = some_dir(), err;
	char target[100] = "";
	bool link = pick(6) == 0;
	struct vnode *vn, *d = dirs[dir].vn;
	u32 n = 1 + pick(98);

	if (f->dir >= 0)
		return;
	memset(target, 't', n);
	target[n] = 0;
	new_name(f);
	err = d->ops->create(d, f->name, strlen(f->name), S_IFREG | 0600, 0, link ? target : NULL,
			     &shim_cred, &vn);
	if (err == -ENOSPC)
		return;
	assert_int_equal(err, 0);
	f->body = calloc(1, sizeof(*f->body));
	f->body->vn = vn;
	f->body->names = 1;
	f->body->link = link;
	if (link) {
		f->body->size = n;
		memcpy(f->body->data, target, n);
	}
	f->kept = f->replaced = -1;
	place(f, dir);
}

static void do_link(struct fname *f)
{
	struct fname *g = &files[pick(NFILES)];
	int dir = some_dir();

	if (g->dir >= 0)
		return;
	new_name(g);
	if (dirs[dir].vn->ops->link(dirs[dir].vn, g->name, strlen(g->name), f->body->vn))
		return;
	g->body = f->body;
	g->body->names++;
	g->kept = g->replaced = -1;
	place(g, dir);
}

static void forget(struct fname *f)
{
	dirs[f->dir].files--;
	f->dir = -1;
	if (--f->body->names == 0) {
		vnode_drop(f->body->vn);
		free(f->body);
	}
	f->body = NULL;
}

static void do_unlink(struct fname *f)
{
	struct vnode *d = dirs[f->dir].vn;

	end_promise(f);
	if (!failed(d->ops->unlink(d, f->name, strlen(f->name), f->body->vn)))
		forget(f);
}

/* What is kept as f is there or, when the disk failed in between, in lost+found. */
static int or_in_lost_found(struct fname *f, u64 from)
{
	char lost[40];
	int kept = f->kept;

	snprintf(lost, sizeof(lost), "/lost+found/#%lu", (unsigned long)f->body->vn->ino);
	promises[kept].to = 0; /* only a step to the one with both */
	kept = promise(kept, lost, promises[kept].text[0], NULL);
	if (kept >= 0)
		promises[kept].from = from;
	return kept;
}

/* To a free name, or in the place of g. */
static void do_rename(struct fname *f, struct fname *g)
{
	struct vnode *od = dirs[f->dir].vn, *nd;
	struct text *t = f->kept >= 0 ? text_ref(promises[f->kept].text[0]) : NULL, *u = NULL;
	int kept = f->kept;
	bool over = g->dir >= 0;
	bool over_kept = over && g->kept >= 0 && promises[g->kept].npaths == 1;
	struct vnode *target = over ? g->body->vn : NULL;
	int dir = over ? g->dir : pick(2) ? f->dir : some_dir();
	int err;

	if (over && (g->body == f->body || g->body->link))
		return text_drop(t);
	if (!over)
		new_name(g);
	if (over_kept)
		u = text_ref(promises[g->kept].text[0]);
	nd = dirs[dir].vn;
	end_promise(f);
	if (over)
		end_promise(g);
	u64 from = shim_recorded();

	err = nd->ops->rename(od, f->name, strlen(f->name), f->body->vn, nd, g->name,
			      strlen(g->name), target, 0);
	if (err) {
		if (err != -ENOSPC)
			failed(err);
		text_drop(t);
		text_drop(u);
		return;
	}
	if (over)
		forget(g);
	g->body = f->body;
	g->body->names++;
	place(g, dir);
	g->kept = g->replaced = -1;
	forget(f);
	if (kept >= 0) { /* one of the names */
		g->kept = promise(kept, g->path, t, NULL);
		if (g->kept >= 0)
			promises[g->kept].from = from;
		if (g->kept >= 0 && bad_disk)
			g->kept = or_in_lost_found(g, from);
	}
	if (over_kept) { /* the name, with the one or the other */
		struct text *now = text_new(g->body->data, g->body->size);

		g->replaced = promise(-1, g->path, u ? now : NULL, u);
		promises[g->replaced].from = from;
		text_drop(now);
	}
	text_drop(t);
	text_drop(u);
}

/* f leads to what was kept as `kept`; the name led to what was kept as `old`. */
static void exchanged(struct fname *f, int kept, int old, u64 from)
{
	f->kept = kept >= 0 ? promise(kept, f->path, promises[kept].text[0], NULL) : -1;
	if (f->kept >= 0)
		f->kept = or_in_lost_found(f, from);
	if (old >= 0 && promises[old].npaths == 1)
		f->replaced = promise(-1, f->path, NULL, NULL);
	if (f->replaced >= 0)
		promises[f->replaced].from = from;
}

/* Both names lead somewhere at any time, and what was kept is under one of them, or in between, if they are in two blocks, in lost+found. */
static void do_exchange(struct fname *f, struct fname *g)
{
	struct vnode *fd = dirs[f->dir].vn, *gd;
	struct body *b = f->body;
	int fk = f->kept, gk = g->kept;
	u64 from = shim_recorded();

	if (g->dir < 0 || b == g->body)
		return;
	gd = dirs[g->dir].vn;
	end_promise(f);
	end_promise(g);
	if (gd->ops->rename(fd, f->name, strlen(f->name), b->vn, gd, g->name, strlen(g->name),
			    g->body->vn, EXCHANGE))
		return;
	f->body = g->body;
	g->body = b;
	exchanged(f, gk, fk, from);
	exchanged(g, fk, gk, from);
}

static void do_mkdir(struct dir *d)
{
	int parent = some_dir();
	struct vnode *p = dirs[parent].vn;
	char name[16], path[sizeof(d->path)];

	if (d->vn || strlen(dirs[parent].path) > 20)
		return;
	snprintf(name, sizeof(name), "d%u", (unsigned)(d - dirs));
	if (p->ops->create(p, name, strlen(name), S_IFDIR | 0700, 0, NULL, &shim_cred, &d->vn)) {
		d->vn = NULL;
		return;
	}
	snprintf(path, sizeof(path), "%.20s/%s", dirs[parent].path, name);
	strcpy(d->path, path);
	d->parent = parent;
	d->files = d->dirs = 0;
	dirs[parent].dirs++;
}

static void do_rmdir(struct dir *d)
{
	char name[16];
	struct vnode *p;
	u32 k;

	if (!d->vn || d == dirs)
		return;
	for (k = 0; k < NFILES; k++)
		if (files[k].dir == (int)(d - dirs))
			do_unlink(&files[k]);
	for (k = 1; k < NDIRS; k++)
		if (dirs[k].vn && dirs[k].parent == (int)(d - dirs))
			do_rmdir(&dirs[k]);
	snprintf(name, sizeof(name), "d%u", (unsigned)(d - dirs));
	p = dirs[d->parent].vn;
	if (d->files || d->dirs || failed(p->ops->unlink(p, name, strlen(name), d->vn)))
		return;
	vnode_drop(d->vn);
	d->vn = NULL;
	dirs[d->parent].dirs--;
}

static void step(struct mount *m)
{
	struct fname *f = some_file();
	unsigned op = pick(100);

	if (bad_disk && pick(10) == 0)
		shim_disk.fail_writes = pick(2) * pick(60);
	if (!f)
		op = op < 70 ? 0 : op;
	if (op < 18)
		do_create(&files[pick(NFILES)]);
	else if (op < 40 && f)
		do_write(f);
	else if (op < 55 && f)
		do_fsync(f);
	else if (op < 60 && f)
		do_truncate(f);
	else if (op < 65 && f)
		do_link(f);
	else if (op < 75 && f)
		do_unlink(f);
	else if (op < 84 && f)
		do_rename(f, &files[pick(NFILES)]);
	else if (op < 87 && f)
		do_exchange(f, &files[pick(NFILES)]);
	else if (op < 93)
		do_mkdir(&dirs[1 + pick(NDIRS - 1)]);
	else if (op < 95)
		do_rmdir(&dirs[pick(NDIRS)]);
	else if (op < 97)
		m->type->ops->sync(m, false);
	else
		shim_shake(m);
}

/* ---- the judgement ---- */

static struct vnode *walk(struct mount *m, const char *path)
{
	struct vnode *vn = m->root, *next;

	vnode_hold(vn);
	while (*path) {
		size_t n = strcspn(++path, "/");
		int err = vn->ops->lookup ? vn->ops->lookup(vn, path, n, &next) : -ENOTDIR;

		vnode_drop(vn);
		if (err)
			return NULL;
		vn = next;
		path += n;
	}
	return vn;
}

static bool is_text(struct vnode *vn, const struct text *t)
{
	static u8 buf[MAX_SIZE + 1];
	ssize_t n;

	if ((vn->mode & S_IFMT) == S_IFLNK)
		n = vn->ops->readlink(vn, (char *)buf, sizeof(buf));
	else
		n = shim_read(vn, buf, sizeof(buf), 0);
	return n == (ssize_t)t->size && memcmp(buf, t->data, t->size) == 0;
}

static bool is_kept(struct mount *m, const struct promise *p)
{
	bool ok = false;
	u32 k;

	for (k = 0; k < p->npaths && !ok; k++) {
		struct vnode *vn = walk(m, p->path[k]);

		if (!vn)
			continue;
		ok = !p->text[0] || is_text(vn, p->text[0]) || is_text(vn, p->text[1]);
		vnode_drop(vn);
	}
	return ok;
}

static void judge(u64 at, unsigned cut)
{
	struct mount *m;
	int status, err;
	u32 k, broken = 0;

	shim_cut(at);
	remove(image);
	assert_int_equal(shim_save(image), 0);
	run("cp %s %s.cut", image, image);
	status = run("PATH=$PATH:/sbin:/usr/sbin e2fsck -p %s >%s.log 2>&1", image, image);
	if (status < 0 || status >> 8 > 1) {
		run("cat %s.log", image);
		fail_msg(
			"seed %lu, cut %u after %lu writes: e2fsck -p gives %d; the image is %s.cut",
			(unsigned long)seed, cut, (unsigned long)at, status >> 8, image);
	}
	assert_int_equal(shim_load(image), 0);
	m = shim_mount(MS_RDONLY, &err);
	assert_non_null(m);
	for (k = 0; k < npromises; k++) {
		const struct promise *p = &promises[k];

		if (at < p->from || at > p->to || is_kept(m, p))
			continue;
		printf("seed %lu, cut %u after %lu writes: lost %s (%u paths), %d bytes, promised from %lu to %lu\n",
		       (unsigned long)seed, cut, (unsigned long)at, p->path[0], p->npaths,
		       p->text[0] ? (int)p->text[0]->size : -1, (unsigned long)p->from,
		       (unsigned long)p->to);
		broken++;
	}
	shim_unmount(m);
	if (broken)
		fail_msg("%u promises broken; the image is %s.cut", broken, image);
}

static void clean_up(struct mount *m)
{
	u32 k;

	for (k = 0; k < NFILES; k++)
		if (files[k].dir >= 0)
			forget(&files[k]);
	for (k = 1; k < NDIRS; k++)
		if (dirs[k].vn)
			vnode_drop(dirs[k].vn);
	shim_crash(m);
}

static void forget_promises(void)
{
	while (npromises) {
		struct promise *p = &promises[--npromises];

		text_drop(p->text[0]);
		text_drop(p->text[1]);
	}
}

static void start(const char *options, unsigned kib)
{
	const char *tmp = getenv("TMPDIR");
	u32 k;

	snprintf(image, sizeof(image), "%s/crash-XXXXXX", tmp ? tmp : "/tmp");
	close(mkstemp(image));
	assert_int_equal(run("PATH=$PATH:/sbin:/usr/sbin mkfs.ext2 -q -F %s %s %u </dev/null",
			     options, image, kib),
			 0);
	assert_int_equal(shim_load(image), 0);
	memset(dirs, 0, sizeof(dirs));
	for (k = 0; k < NFILES; k++)
		files[k] = (struct fname){.dir = -1, .kept = -1, .replaced = -1};
}

static void round_of(const char *options, unsigned kib, unsigned steps, unsigned cuts)
{
	struct mount *m;
	int err;
	u32 k;
	u64 end;

	start(options, kib);
	m = shim_mount(0, &err);
	assert_non_null(m);
	dirs[0].vn = m->root;
	shim_record();
	for (k = 0; k < steps; k++)
		step(m);
	end = shim_recorded();
	shim_disk.fail_writes = 0;
	clean_up(m);
	for (k = 0; k < cuts; k++)
		judge(shim_random() % (end + 1), k);
	forget_promises();
	shim_record_end();
	run("rm -f %s %s.cut %s.log", image, image, image);
}

static const struct {
	const char *options;
	unsigned kib, steps;
} shapes[] = {
	{"-b 4096 -N 256", 4096, 400},
	{"-b 1024 -N 256", 8192, 400},
	{"-b 1024 -N 128", 700, 400}, /* full most of the time */
	{"-b 2048 -N 256 -O ^filetype", 8192, 200},
};

static void test_cuts(void **state)
{
	const char *rounds = getenv("GNOMON_CRASH_ROUNDS"), *s = getenv("GNOMON_SEED");
	unsigned n = rounds ? (unsigned)atoi(rounds) : 8, k;

	(void)state;
	seed = s ? strtoul(s, NULL, 0) : 1;
	printf("seed %lu\n", (unsigned long)seed);
	for (k = 0; k < n; k++, seed++) {
		shim_seed(seed);
		bad_disk = k / ARRAY_LEN(shapes) % 2;
		round_of(shapes[k % ARRAY_LEN(shapes)].options, shapes[k % ARRAY_LEN(shapes)].kib,
			 shapes[k % ARRAY_LEN(shapes)].steps, 25);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cuts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
