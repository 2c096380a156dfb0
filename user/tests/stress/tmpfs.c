// SPDX-License-Identifier: BSD-2-Clause
/*
 * tmpfs.c - files of a file system in memory: each process has some of its own, changes them by write(), mappings, truncation, holes and new names, and
 * compares them with a model.  In /tmp, where a system has its tmpfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/tests/stress/stress.h"

#define FILES 4
#ifndef FALLOC_FL_KEEP_SIZE
#define FALLOC_FL_KEEP_SIZE  1
#define FALLOC_FL_PUNCH_HOLE 2
#endif

/* value[i]: what every word of page i holds; 0: nothing was written */
struct file {
	int fd;
	unsigned int name;
	size_t pages;
	uint32_t *value;
};

struct files {
	struct file file[FILES];
	size_t most; /* pages of each */
	unsigned int names;
};

static void path_of(struct job *j, unsigned int name, char *path, size_t size)
{
	snprintf(path, size, "/tmp/stress.%d.%u.%u", (int)getppid(), j->number, name);
}

static void make_file(struct job *j, struct files *all, struct file *f)
{
	char path[64];

	f->name = all->names++;
	f->pages = 0;
	path_of(j, f->name, path, sizeof(path));
	f->fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (f->fd < 0)
		bad(j, "cannot make %s", path);
}

static void remove_file(struct job *j, struct file *f)
{
	char path[64];

	path_of(j, f->name, path, sizeof(path));
	if (unlink(path) < 0 || close(f->fd) < 0)
		bad(j, "cannot remove %s", path);
}

static void check_words(struct job *j, const uint32_t *words, uint32_t value, size_t page,
			const char *how)
{
	for (size_t k = 0; k < PAGE / 4; k++)
		if (words[k] != value)
			bad(j, "page %zu word %zu holds %u by %s, not %u", page, k,
			    (unsigned int)words[k], how, (unsigned int)value);
}

static uint32_t *map_page(struct job *j, struct file *f, size_t page)
{
	uint32_t *p = mmap(NULL, PAGE, RW, MAP_SHARED, f->fd, (off_t)(page * PAGE));

	if (p == MAP_FAILED)
		bad(j, "mmap of page %zu", page);
	return p;
}

static void verify_page(struct job *j, struct file *f, size_t page)
{
	static uint32_t words[PAGE / 4];

	if (pick(j, 4) == 0) {
		uint32_t *p = map_page(j, f, page);

		check_words(j, p, f->value[page], page, "mapping");
		munmap(p, PAGE);
	} else if (pread(f->fd, words, PAGE, (off_t)(page * PAGE)) != (ssize_t)PAGE) {
		bad(j, "pread of page %zu of %zu", page, f->pages);
	} else {
		check_words(j, words, f->value[page], page, "read");
	}
}

/* False: the file system is full, and nothing has changed. */
static bool put_words(struct job *j, struct file *f, size_t page, const uint32_t *words)
{
	if (page < f->pages && f->value[page] && pick(j, 3) == 0) {
		uint32_t *to = map_page(j, f, page);

		memcpy(to, words, PAGE);
		munmap(to, PAGE);
	} else if (pwrite(f->fd, words, PAGE, (off_t)(page * PAGE)) != (ssize_t)PAGE) {
		if (errno != ENOSPC)
			bad(j, "pwrite of page %zu", page);
		return false;
	}
	return true;
}

static void write_page(struct job *j, struct file *f, size_t page)
{
	static uint32_t words[PAGE / 4];
	uint32_t value = pick(j, UINT32_MAX) + 1;

	for (size_t k = 0; k < PAGE / 4; k++)
		words[k] = value;
	if (!put_words(j, f, page, words))
		return;
	for (; f->pages <= page; f->pages++)
		f->value[f->pages] = 0;
	f->value[page] = value;
}

static void resize(struct job *j, struct file *f, size_t pages)
{
	struct stat st;

	if (ftruncate(f->fd, (off_t)(pages * PAGE)) < 0 || fstat(f->fd, &st) < 0 ||
	    st.st_size != (off_t)(pages * PAGE))
		bad(j, "ftruncate from %zu to %zu pages", f->pages, pages);
	for (; f->pages < pages; f->pages++)
		f->value[f->pages] = 0;
	f->pages = pages;
}

static void punch(struct job *j, struct file *f, size_t page, size_t n)
{
	if (n > f->pages - page)
		n = f->pages - page;
	if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(page * PAGE),
		      (off_t)(n * PAGE)) < 0) {
		if (errno != EOPNOTSUPP)
			bad(j, "hole of %zu pages at %zu", n, page);
		return;
	}
	memset(&f->value[page], 0, n * sizeof(f->value[0]));
}

/* Another name, and the file opened by it again. */
static void rename_file(struct job *j, struct files *all, struct file *f)
{
	char from[64], to[64];

	path_of(j, f->name, from, sizeof(from));
	f->name = all->names++;
	path_of(j, f->name, to, sizeof(to));
	if (rename(from, to) < 0)
		bad(j, "rename to %s", to);
	close(f->fd);
	f->fd = open(to, O_RDWR);
	if (f->fd < 0)
		bad(j, "cannot open %s", to);
}

static void step(struct job *j, struct files *all)
{
	struct file *f = &all->file[pick(j, FILES)];
	size_t page = f->pages ? pick(j, f->pages) : 0;

	switch (f->pages ? pick(j, 64) : 1) {
	case 0:
		remove_file(j, f);
		make_file(j, all, f);
		break;
	case 1:
		resize(j, f, 1 + pick(j, all->most));
		break;
	case 2:
		punch(j, f, page, 1 + pick(j, 16));
		break;
	case 3:
		rename_file(j, all, f);
		break;
	default:
		if (pick(j, 2))
			write_page(j, f, pick(j, 8) ? page : pick(j, all->most));
		else
			verify_page(j, f, page);
	}
	++*j->count;
}

void stress_tmpfs(struct job *j)
{
	struct files all = {.most = j->memory / PAGE / FILES};

	for (size_t i = 0; i < FILES; i++) {
		all.file[i].value = calloc(all.most, sizeof(uint32_t));
		if (!all.file[i].value)
			bad(j, "no memory");
		make_file(j, &all, &all.file[i]);
	}
	while (!time_is_over()) {
		for (int i = 0; i < 50; i++)
			step(j, &all);
	}
	for (size_t i = 0; i < FILES; i++) {
		for (size_t page = 0; page < all.file[i].pages; page++)
			verify_page(j, &all.file[i], page);
		remove_file(j, &all.file[i]);
	}
}
