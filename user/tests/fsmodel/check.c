// SPDX-License-Identifier: BSD-2-Clause
/* check.c - compares the real files and directories with the model. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/tests/fsmodel/fsmodel.h"

#define CHUNK 16384UL

static uint8_t got[CHUNK], want[CHUNK];

static void compare(struct worker *w, const uint8_t *bytes, size_t offset, size_t len,
		    const char *name)
{
	if (memcmp(bytes, want, len) == 0)
		return;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != want[i])
			bad(w, "%s: offset %zu holds %#x, not %#x", name, offset + i, bytes[i],
			    want[i]);
	}
}

/* By read(), and with what fstat says. */
void check_fd(struct worker *w, int fd, const struct body *b, const char *name)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		bad(w, "%s: fstat", name);
	if ((size_t)st.st_size != b->size)
		bad(w, "%s: %ld bytes, not %zu", name, st.st_size, b->size);
	if (st.st_nlink != b->links)
		bad(w, "%s: %u links, not %u", name, st.st_nlink, b->links);
	for (size_t o = 0; o < b->size; o += CHUNK) {
		size_t n = b->size - o < CHUNK ? b->size - o : CHUNK;

		if (pread(fd, got, CHUNK, o) != (ssize_t)n)
			bad(w, "%s: read at %zu", name, o);
		body_bytes(b, o, want, n);
		compare(w, got, o, n, name);
	}
}

/* By a mapping: also the zeroes between the end and its page's. */
void check_map(struct worker *w, const char *map, size_t len, const struct body *b)
{
	size_t end = (b->size + PAGE - 1) & -PAGE;

	if (end > len)
		end = len;
	for (size_t o = 0; o < end; o += CHUNK) {
		size_t n = end - o < CHUNK ? end - o : CHUNK;

		body_bytes(b, o, want, n);
		compare(w, (const uint8_t *)map + o, o, n, "mapping");
	}
}

void check_file(struct worker *w, struct entry *e)
{
	char path[PATH_LEN];
	char *map;
	int fd;

	entry_path(e, path);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		bad(w, "open %s", path);
	check_fd(w, fd, e->body, path);
	if (e->body->size) {
		map = mmap(NULL, e->body->size, PROT_READ, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			bad(w, "mmap %s", path);
		check_map(w, map, (e->body->size + PAGE - 1) & -PAGE, e->body);
		munmap(map, e->body->size);
	}
	close(fd);
}

static void check_link(struct worker *w, struct entry *e)
{
	char path[PATH_LEN], target[64];
	ssize_t n;

	entry_path(e, path);
	n = readlink(path, target, sizeof(target));
	if (n != (ssize_t)strlen(e->target) || memcmp(target, e->target, n) != 0)
		bad(w, "%s: not the link to %s", path, e->target);
}

static void check_type(struct worker *w, const struct entry *e, const struct dirent *d)
{
	static const unsigned char types[] = {
		[KIND_FILE] = DT_REG, [KIND_DIR] = DT_DIR, [KIND_LINK] = DT_LNK};

	if (d->d_type != DT_UNKNOWN && d->d_type != types[e->kind])
		bad(w, "%s: readdir says type %d", e->name, d->d_type);
}

/* The directory has the entries of the model, each once, and no others. */
static void check_dir(struct worker *w, struct entry *e)
{
	unsigned int count = 0;
	char path[PATH_LEN];
	struct dirent *d;
	DIR *dir;

	entry_path(e, path);
	dir = opendir(path);
	if (!dir)
		bad(w, "opendir %s", path);
	while ((d = readdir(dir))) {
		struct entry *child;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		child = entry_find(w, e, d->d_name);
		if (!child || child->seen)
			bad(w, "%s: readdir: %s %s", path, d->d_name,
			    child ? "twice" : "is unknown");
		check_type(w, child, d);
		child->seen = true;
		count++;
	}
	closedir(dir);
	if (count != e->children)
		bad(w, "%s: readdir: %u names, not %u", path, count, e->children);
}

void check_tree(struct worker *w)
{
	for (size_t i = 0; i < w->count; i++)
		w->entries[i]->seen = false;
	for (size_t i = 0; i < w->count; i++) {
		struct entry *e = w->entries[i];

		if (e->kind == KIND_DIR)
			check_dir(w, e);
		else if (e->kind == KIND_FILE)
			check_file(w, e);
		else
			check_link(w, e);
	}
	for (size_t i = 0; i < w->handle_count; i++) {
		struct handle *h = &w->handles[i];

		check_fd(w, h->fd, h->body, "open file");
		if (h->map)
			check_map(w, h->map, h->map_len, h->body);
	}
}
