// SPDX-License-Identifier: BSD-2-Clause
/*
 * manifest.c - a list of what the tree should hold, for those who look at it later.
 *
 * A line: PATH SIZE CRC for a file (the CRC is zlib's crc32, 8 hexadecimal digits),
 * PATH dir - for a directory, PATH link TARGET for a symbolic link. Paths begin below DIR;
 * the lines are sorted by byte values.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/tests/fsmodel/fsmodel.h"

#define CHUNK 4096

struct lines {
	char **items;
	size_t count, room;
};

uint32_t crc32_add(uint32_t crc, const uint8_t *p, size_t len)
{
	static uint32_t table[256];

	for (uint32_t i = 1; !table[255] && i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
		table[i] = c;
	}
	crc = ~crc;
	while (len-- > 0)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}

/* ---- writing ----------------------------------------------------------------------- */

static uint32_t body_crc(const struct body *b)
{
	uint8_t buf[CHUNK];
	uint32_t crc = 0;

	for (size_t o = 0; o < b->size; o += CHUNK) {
		size_t n = b->size - o < CHUNK ? b->size - o : CHUNK;

		body_bytes(b, o, buf, n);
		crc = crc32_add(crc, buf, n);
	}
	return crc;
}

static void write_line(FILE *f, int worker, const struct entry *e)
{
	char path[PATH_LEN];

	entry_path(e, path); /* ./... */
	fprintf(f, "p%d%s ", worker, path + 1);
	if (e->kind == KIND_FILE)
		fprintf(f, "%zu %08x\n", e->body->size, (unsigned int)body_crc(e->body));
	else if (e->kind == KIND_DIR)
		fprintf(f, "dir -\n");
	else
		fprintf(f, "link %s\n", e->target);
}

static void part_name(char *path, const char *dir, int worker)
{
	snprintf(path, PATH_LEN, "%s/manifest.%d", dir, worker);
}

void manifest_write(struct worker *w, const char *dir)
{
	char path[PATH_LEN];
	FILE *f;

	part_name(path, dir, w->number);
	f = fopen(path, "w");
	if (!f)
		bad(w, "cannot write %s", path);
	for (size_t i = 0; i < w->count; i++)
		write_line(f, w->number, w->entries[i]);
	if (fclose(f) != 0)
		bad(w, "cannot write %s", path);
}

/* ---- reading ----------------------------------------------------------------------- */

static int read_lines(const char *path, struct lines *l)
{
	FILE *f = fopen(path, "r");
	char line[PATH_LEN + 64];

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (l->count == l->room) {
			l->room = l->room * 2 + 64;
			l->items = must_realloc(l->items, l->room * sizeof(char *));
		}
		l->items[l->count] = must_realloc(NULL, strlen(line) + 1);
		strcpy(l->items[l->count++], line);
	}
	fclose(f);
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int write_lines(const char *path, const struct lines *l)
{
	FILE *f = fopen(path, "w");

	for (size_t i = 0; f && i < l->count; i++)
		fputs(l->items[i], f);
	return f ? fclose(f) : -1;
}

int manifest_merge(const char *dir, int workers)
{
	struct lines l = {0};
	char path[PATH_LEN];

	for (int i = 0; i < workers; i++) {
		part_name(path, dir, i);
		if (read_lines(path, &l) < 0 || unlink(path) < 0) {
			printf("fsmodel: %s: %s\n", path, strerror(errno));
			return -1;
		}
	}
	qsort(l.items, l.count, sizeof(char *), by_bytes);
	snprintf(path, sizeof(path), "%s/manifest", dir);
	if (write_lines(path, &l) < 0) {
		printf("fsmodel: %s: %s\n", path, strerror(errno));
		return -1;
	}
	return 0;
}

/* ---- verifying ----------------------------------------------------------------------- */

static bool file_matches(const char *path, size_t size, uint32_t crc)
{
	int fd = open(path, O_RDONLY);
	uint8_t buf[CHUNK];
	uint32_t real = 0;
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		real = crc32_add(real, buf, n);
		len += n;
	}
	close(fd);
	if (n == 0 && len == size && real == crc)
		return true;
	printf("fsmodel: %s: %zu bytes, CRC %08x; should be %zu, %08x\n", path, len,
	       (unsigned int)real, size, (unsigned int)crc);
	return false;
}

static bool link_matches(const char *path, const char *target)
{
	char real[64];
	ssize_t n = readlink(path, real, sizeof(real));

	return n == (ssize_t)strlen(target) && memcmp(real, target, n) == 0;
}

static bool line_matches(const char *dir, char *line)
{
	char *name = strtok(line, " \n"), *what = strtok(NULL, " \n"), *rest = strtok(NULL, " \n");
	char path[PATH_LEN];
	struct stat st;
	bool good;

	if (!name || !what || !rest)
		return false;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (strcmp(what, "dir") == 0)
		good = lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
	else if (strcmp(what, "link") == 0)
		good = link_matches(path, rest);
	else
		good = file_matches(path, strtoul(what, NULL, 10), strtoul(rest, NULL, 16));
	if (!good)
		printf("fsmodel: %s differs from the manifest\n", path);
	return good;
}

/* The number of names below path. */
static size_t count_names(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	size_t count = 0;

	while (dir && (d = readdir(dir))) {
		char below[PATH_LEN];
		struct stat st;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		count++;
		snprintf(below, sizeof(below), "%s/%s", path, d->d_name);
		if (lstat(below, &st) == 0 && S_ISDIR(st.st_mode))
			count += count_names(below);
	}
	if (dir)
		closedir(dir);
	return count;
}

int manifest_verify(const char *dir)
{
	struct lines l = {0};
	char path[PATH_LEN];
	size_t wrong = 0, names;

	snprintf(path, sizeof(path), "%s/manifest", dir);
	if (read_lines(path, &l) < 0 || l.count == 0) {
		printf("fsmodel: %s: %s\n", path, l.count ? strerror(errno) : "no manifest");
		return -1;
	}
	for (size_t i = 0; i < l.count; i++)
		wrong += !line_matches(dir, l.items[i]);
	names = count_names(dir) - 1; /* without the manifest */
	printf("fsmodel: %zu names verified, %zu wrong, %zu in the tree\n", l.count, wrong, names);
	return wrong || names != l.count ? -1 : 0;
}
