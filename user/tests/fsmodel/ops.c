// SPDX-License-Identifier: BSD-2-Clause
/*
 * ops.c - the random operations. Each is chosen so that the model knows how it ends; those
 * that must be refused are tried too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/tests/fsmodel/fsmodel.h"

#define MAX_ENTRIES 60
#define MAX_HANDLES 5
#define MAX_DATA    (2UL << 20) /* of one worker */
#define MAX_WRITE   20000
#define MAX_FILE    (200UL << 10)
#define MAX_SPARSE  (5UL << 20) /* needs double indirect blocks of 4 KiB */
#define MAX_DEPTH   5
#define EXCHANGE    2 /* renameat2 */

static void refused(struct worker *w, long result, int error, const char *what)
{
	if (result != -1 || errno != error)
		bad(w, "%s gave %ld, not errno %d", what, result, error);
}

static void done(struct worker *w, long result, const char *what, const char *path)
{
	if (result < 0)
		bad(w, "%s %s", what, path);
}

static unsigned int depth(const struct entry *e)
{
	unsigned int n = 0;

	while ((e = e->parent))
		n++;
	return n;
}

/* A directory that may get another entry, and the path of a new name there. */
static struct entry *new_place(struct worker *w, char *name, char *path)
{
	struct entry *dir = entry_pick(w, KIND_DIR);
	size_t len;

	if (depth(dir) >= MAX_DEPTH)
		dir = w->entries[0];
	snprintf(name, 24, "%c%u", 'a' + pick(w, 26), w->next_name++);
	entry_path(dir, path);
	len = strlen(path);
	snprintf(path + len, PATH_LEN - len, "/%s", name);
	return dir;
}

/* ---- the contents of an open file -------------------------------------------------- */

static size_t random_offset(struct worker *w, const struct body *b)
{
	if (pick(w, 40) == 0)
		return pick(w, MAX_SPARSE);
	if (pick(w, 4) == 0)
		return pick(w, MAX_FILE / PAGE) * PAGE;
	return pick(w, (b->size < MAX_FILE ? b->size : MAX_FILE) + 5000);
}

static void write_bytes(struct worker *w, int fd, struct body *b, size_t offset, bool seek)
{
	static uint8_t buf[MAX_WRITE];
	size_t len = 1 + pick(w, pick(w, 2) ? 300 : MAX_WRITE);
	uint32_t seed = pick(w, UINT32_MAX) + 1;
	ssize_t n;

	if (w->data > MAX_DATA)
		return;
	for (size_t i = 0; i < len; i++)
		buf[i] = pattern(seed, offset + i);
	if (seek && lseek(fd, offset, SEEK_SET) != (off_t)offset)
		bad(w, "lseek to %zu", offset);
	n = seek ? write(fd, buf, len) : pwrite(fd, buf, len, offset);
	if (n != (ssize_t)len)
		bad(w, "write of %zu at %zu gave %zd", len, offset, n);
	body_write(w, b, offset, offset + len, seed);
}

static void truncate_file(struct worker *w, int fd, struct body *b)
{
	size_t size = pick(w, 3) ? pick(w, b->size + 1) : random_offset(w, b);

	if (pick(w, 5) == 0)
		size &= -PAGE;
	done(w, ftruncate(fd, size), "ftruncate", "");
	body_resize(w, b, size);
}

/* Writes within the file through a shared mapping that begins at offset `base`. */
static void write_map(struct worker *w, char *map, size_t base, size_t len, struct body *b)
{
	size_t end = b->size < base + len ? b->size : base + len;
	size_t start, n;
	uint32_t seed = pick(w, UINT32_MAX) + 1;

	if (end <= base || w->data > MAX_DATA)
		return;
	start = base + pick(w, end - base);
	n = 1 + pick(w, MAX_WRITE);
	if (n > end - start)
		n = end - start;
	for (size_t o = start; o < start + n; o++)
		map[o - base] = (char)pattern(seed, o);
	body_write(w, b, start, start + n, seed);
	if (pick(w, 10) == 0)
		done(w, msync(map, len, pick(w, 2) ? MS_SYNC : MS_ASYNC), "msync", "");
}

static void map_and_write(struct worker *w, int fd, struct body *b)
{
	size_t base, len;
	char *map;

	if (b->size == 0)
		return;
	base = pick(w, (b->size + PAGE - 1) / PAGE) * PAGE;
	len = b->size - base;
	if (len > 16 * PAGE)
		len = 16 * PAGE;
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, base);
	if (map == MAP_FAILED)
		bad(w, "mmap of %zu at %zu", len, base);
	write_map(w, map, base, len, b);
	done(w, munmap(map, len), "munmap", "");
}

static void change_file(struct worker *w, int fd, struct body *b)
{
	switch (pick(w, 11)) {
	case 0:
	case 1:
		write_bytes(w, fd, b, random_offset(w, b), pick(w, 2));
		break;
	case 2:
		write_bytes(w, fd, b, b->size, true);
		break;
	case 3:
		truncate_file(w, fd, b);
		break;
	case 4:
	case 5:
		map_and_write(w, fd, b);
		break;
	case 6:
		if (pick(w, 5) == 0)
			done(w, pick(w, 2) ? fsync(fd) : fdatasync(fd), "fsync", "");
		break;
	case 7:
	case 8:
	case 9:
		if (w->data < MAX_DATA && b->size < MAX_SPARSE)
			change_space(w, fd, b);
		break;
	default:
		check_fd(w, fd, b, "open file");
	}
}

/* ---- names ------------------------------------------------------------------------ */

static void op_create(struct worker *w)
{
	char name[24], path[PATH_LEN];
	struct entry *dir, *e;
	int fd;

	if (w->count > MAX_ENTRIES)
		return;
	dir = new_place(w, name, path);
	refused(w, open(path, O_RDWR), ENOENT, "open of a new name");
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);
	done(w, fd, "create", path);
	e = entry_add(w, dir, name, KIND_FILE);
	e->body = must_realloc(NULL, sizeof(*e->body));
	*e->body = (struct body){.links = 1};
	write_bytes(w, fd, e->body, 0, true);
	close(fd);
	refused(w, open(path, O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST, "create again");
}

static void op_change(struct worker *w)
{
	struct entry *e = entry_pick(w, KIND_FILE);
	char path[PATH_LEN];
	int fd;

	if (!e)
		return;
	entry_path(e, path);
	fd = open(path, O_RDWR | (pick(w, 30) ? 0 : O_TRUNC));
	done(w, fd, "open", path);
	if (lseek(fd, 0, SEEK_END) == 0)
		body_resize(w, e->body, 0);
	for (int n = 1 + pick(w, 4); n > 0; n--)
		change_file(w, fd, e->body);
	close(fd);
}

static void op_append(struct worker *w)
{
	struct entry *e = entry_pick(w, KIND_FILE);
	char path[PATH_LEN];
	uint8_t buf[700];
	uint32_t seed = pick(w, UINT32_MAX) + 1;
	size_t size;
	int fd;

	if (!e || e->body->size > MAX_FILE || w->data > MAX_DATA)
		return;
	entry_path(e, path);
	fd = open(path, O_WRONLY | O_APPEND);
	done(w, fd, "open", path);
	size = e->body->size;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = pattern(seed, size + i);
	lseek(fd, 0, SEEK_SET);
	if (write(fd, buf, sizeof(buf)) != sizeof(buf))
		bad(w, "append to %s", path);
	body_write(w, e->body, size, size + sizeof(buf), seed);
	close(fd);
}

static void op_truncate(struct worker *w)
{
	struct entry *e = entry_pick(w, KIND_FILE);
	char path[PATH_LEN];
	size_t size;

	if (!e)
		return;
	size = pick(w, e->body->size + 3000);
	entry_path(e, path);
	done(w, truncate(path, size), "truncate", path);
	body_resize(w, e->body, size);
}

static void op_unlink(struct worker *w)
{
	struct entry *e = entry_pick(w, pick(w, 5) ? KIND_FILE : KIND_LINK);
	char path[PATH_LEN];

	if (!e || (w->count < MAX_ENTRIES / 2 && pick(w, 3)))
		return;
	entry_path(e, path);
	refused(w, rmdir(path), ENOTDIR, "rmdir of a file");
	done(w, unlink(path), "unlink", path);
	refused(w, unlink(path), ENOENT, "unlink again");
	entry_remove(w, e);
}

static void op_link(struct worker *w)
{
	struct entry *e = entry_pick(w, KIND_FILE), *dir, *other;
	char name[24], path[PATH_LEN], old[PATH_LEN];

	if (!e || w->count > MAX_ENTRIES)
		return;
	dir = new_place(w, name, path);
	entry_path(e, old);
	refused(w, link(old, old), EEXIST, "link to itself");
	done(w, link(old, path), "link", path);
	other = entry_add(w, dir, name, KIND_FILE);
	other->body = e->body;
	e->body->links++;
}

static void op_symlink(struct worker *w)
{
	char name[24], path[PATH_LEN], target[40];
	struct entry *dir;

	if (w->count > MAX_ENTRIES)
		return;
	dir = new_place(w, name, path);
	snprintf(target, sizeof(target), "../target/%u", pick(w, 1000));
	done(w, symlink(target, path), "symlink", path);
	strcpy(entry_add(w, dir, name, KIND_LINK)->target, target);
	refused(w, mkdir(path, 0755), EEXIST, "mkdir over a link");
}

static void op_mkdir(struct worker *w)
{
	char name[24], path[PATH_LEN];
	struct entry *dir;

	if (w->count > MAX_ENTRIES)
		return;
	dir = new_place(w, name, path);
	done(w, mkdir(path, 0755), "mkdir", path);
	entry_add(w, dir, name, KIND_DIR);
	refused(w, mkdir(path, 0755), EEXIST, "mkdir again");
}

static void op_rmdir(struct worker *w)
{
	struct entry *e = entry_pick(w, KIND_DIR);
	char path[PATH_LEN];

	if (!e->parent)
		return;
	entry_path(e, path);
	refused(w, unlink(path), EISDIR, "unlink of a directory");
	if (e->children) {
		refused(w, rmdir(path), ENOTEMPTY, "rmdir of a full directory");
		return;
	}
	done(w, rmdir(path), "rmdir", path);
	entry_remove(w, e);
}

/* ---- rename ------------------------------------------------------------------------ */

static void move_entry(struct entry *e, struct entry *dir, const char *name)
{
	e->parent->children--;
	dir->children++;
	e->parent = dir;
	snprintf(e->name, sizeof(e->name), "%s", name);
}

static void op_rename_new(struct worker *w)
{
	struct entry *e = entry_pick(w, (enum kind)pick(w, 3)), *dir;
	char name[24], path[PATH_LEN], old[PATH_LEN];

	if (!e || !e->parent)
		return;
	dir = new_place(w, name, path);
	entry_path(e, old);
	if (e->kind == KIND_DIR && entry_is_below(dir, e)) {
		refused(w, rename(old, path), EINVAL, "rename into itself");
		return;
	}
	done(w, rename(old, path), "rename", old);
	move_entry(e, dir, name);
	refused(w, access(old, F_OK), ENOENT, "the old name");
}

/* The errno of renaming `from` over `to`, 0 if it works. */
static int rename_error(const struct entry *from, const struct entry *to)
{
	if (from->kind == KIND_DIR && entry_is_below(to, from))
		return EINVAL;
	if (from->kind == KIND_DIR && to->kind != KIND_DIR)
		return ENOTDIR;
	if (to->kind == KIND_DIR && entry_is_below(from, to))
		return ENOTEMPTY;
	if (from->kind != KIND_DIR && to->kind == KIND_DIR)
		return EISDIR;
	return to->kind == KIND_DIR && to->children ? ENOTEMPTY : 0;
}

/* Two names of any kind, of which none lies below the other. */
static void op_exchange(struct worker *w)
{
	struct entry *a = entry_pick(w, (enum kind)pick(w, 3)), *b, *dir;
	char one[PATH_LEN], two[PATH_LEN], name[24];

	b = entry_pick(w, (enum kind)pick(w, 3));
	if (!a || !b || a == b || !a->parent || !b->parent)
		return;
	entry_path(a, one);
	entry_path(b, two);
	if (entry_is_below(a, b) || entry_is_below(b, a)) {
		refused(w, syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, two, EXCHANGE), EINVAL,
			"exchange with what is below");
		return;
	}
	done(w, syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, two, EXCHANGE), "exchange", one);
	if (a->body && a->body == b->body)
		return;
	dir = b->parent;
	strcpy(name, b->name);
	move_entry(b, a->parent, a->name);
	move_entry(a, dir, name);
}

static void op_rename_over(struct worker *w)
{
	struct entry *from = entry_pick(w, (enum kind)pick(w, 3));
	struct entry *to = entry_pick(w, (enum kind)pick(w, 3)), *dir;
	char old[PATH_LEN], path[PATH_LEN], name[24];
	int error;

	if (!from || !to || from == to || !from->parent || !to->parent)
		return;
	entry_path(from, old);
	entry_path(to, path);
	error = rename_error(from, to);
	if (error) {
		refused(w, rename(old, path), error, "rename over another");
		return;
	}
	done(w, rename(old, path), "rename", old);
	if (from->body && from->body == to->body)
		return; /* two names of one file: nothing happens */
	dir = to->parent;
	strcpy(name, to->name);
	entry_remove(w, to);
	move_entry(from, dir, name);
}

/* ---- handles ----------------------------------------------------------------------- */

static void handle_close(struct worker *w, size_t i)
{
	struct handle h = w->handles[i];

	check_fd(w, h.fd, h.body, "open file");
	if (h.map) {
		check_map(w, h.map, h.map_len, h.body);
		done(w, munmap(h.map, h.map_len), "munmap", "");
	}
	close(h.fd);
	h.body->users--;
	body_drop(w, h.body);
	w->handles[i] = w->handles[--w->handle_count];
}

void handles_close(struct worker *w)
{
	while (w->handle_count)
		handle_close(w, w->handle_count - 1);
}

static void op_open_handle(struct worker *w)
{
	struct entry *e = entry_pick(w, KIND_FILE);
	struct handle h = {0};
	char path[PATH_LEN];

	if (!e)
		return;
	if (w->handle_count == MAX_HANDLES)
		handle_close(w, pick(w, MAX_HANDLES));
	entry_path(e, path);
	h.fd = open(path, O_RDWR);
	done(w, h.fd, "open", path);
	h.body = e->body;
	if (pick(w, 2)) {
		h.map_len = MAX_FILE;
		h.map = mmap(NULL, h.map_len, PROT_READ | PROT_WRITE, MAP_SHARED, h.fd, 0);
		if (h.map == MAP_FAILED)
			bad(w, "mmap %s", path);
	}
	e->body->users++;
	if (w->handle_count == w->handle_room) {
		w->handle_room = w->handle_room * 2 + 4;
		w->handles = must_realloc(w->handles, w->handle_room * sizeof(h));
	}
	w->handles[w->handle_count++] = h;
	if (pick(w, 3) == 0) {
		done(w, unlink(path), "unlink", path);
		entry_remove(w, e);
	}
}

static void op_use_handle(struct worker *w)
{
	struct handle *h;

	if (!w->handle_count)
		return;
	h = &w->handles[pick(w, w->handle_count)];
	if (h->map && pick(w, 2))
		write_map(w, h->map, 0, h->map_len, h->body);
	else
		change_file(w, h->fd, h->body);
	if (h->map && pick(w, 4) == 0)
		check_map(w, h->map, h->map_len, h->body);
}

static void op_check(struct worker *w)
{
	struct entry *e = entry_pick(w, KIND_FILE);

	if (e)
		check_file(w, e);
	if (pick(w, 100) == 0)
		check_tree(w);
}

static void op_sync(struct worker *w)
{
	if (pick(w, 20) == 0)
		sync();
}

void operate(struct worker *w)
{
	static void (*const ops[])(struct worker *) = {
		op_create,	op_create,     op_create,      op_change,      op_change,
		op_change,	op_change,     op_change,      op_append,      op_truncate,
		op_unlink,	op_unlink,     op_link,	       op_symlink,     op_mkdir,
		op_rmdir,	op_rename_new, op_rename_over, op_rename_over, op_exchange,
		op_open_handle, op_use_handle, op_use_handle,  op_check,       op_sync,
	};

	ops[pick(w, sizeof(ops) / sizeof(ops[0]))](w);
	w->operations++;
}
