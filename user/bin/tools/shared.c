// SPDX-License-Identifier: BSD-2-Clause
/* shared.c - what several tools need. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/bin/tools/tools.h"

int usage_error(const char *text)
{
	fprintf(stderr, "usage: %s %s\n", prog, text);
	return 2;
}

int open_input(const char *path)
{
	int fd = strcmp(path, "-") == 0 ? dup(0) : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		warn_errno("%s", path);
	return fd;
}

int copy_fd(int from, int to)
{
	static char block[65536];

	for (;;) {
		ssize_t n = read(from, block, sizeof(block));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		if (write_full(to, block, (size_t)n) < 0)
			return -1;
	}
}

static char type_letter(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	default:
		return '-';
	}
}

void mode_string(mode_t mode, char out[11])
{
	out[0] = type_letter(mode);
	for (int i = 0; i < 9; i++)
		out[1 + i] = mode >> (8 - i) & 1 ? "rwx"[i % 3] : '-';
	if (mode & S_ISUID)
		out[3] = mode & 0100 ? 's' : 'S';
	if (mode & S_ISGID)
		out[6] = mode & 0010 ? 's' : 'S';
	if (mode & S_ISVTX)
		out[9] = mode & 0001 ? 't' : 'T';
	out[10] = 0;
}

unsigned long proc_value(const char *text, const char *key)
{
	size_t n = strlen(key);

	while (text && *text) {
		if (strncmp(text, key, n) == 0 && strchr(": \t", text[n]))
			return strtoul(text + n + 1, NULL, 10);
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return 0;
}

bool read_names(const char *path, struct list *out)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	if (!dir)
		return false;
	errno = 0;
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			list_add(out, xstrdup(e->d_name));
	}
	if (errno)
		warn_errno("%s", path);
	closedir(dir);
	if (out->len)
		list_sort(out);
	return true;
}

int walk_tree(const char *path, bool parents_first,
	      int (*fn)(const char *path, const struct stat *st, void *arg), void *arg)
{
	struct list names = {0};
	int result = 0, r;
	struct stat st;

	if (lstat(path, &st) < 0) {
		warn_errno("%s", path);
		return 1;
	}
	if (parents_first)
		result = fn(path, &st, arg);
	if (S_ISDIR(st.st_mode) && !read_names(path, &names)) {
		warn_errno("%s", path);
		result = 1;
	}
	for (size_t i = 0; i < names.len; i++) {
		char *below = path_join(path, names.items[i]);

		r = walk_tree(below, parents_first, fn, arg);
		result = r ? r : result;
		free(below);
	}
	list_free(&names);
	if (!parents_first) {
		r = fn(path, &st, arg);
		result = r ? r : result;
	}
	return result;
}

/* The line of a file like /etc/passwd whose field (0 name, 2 number) is `want`. */
static char *find_entry(const char *file, int field, const char *want)
{
	struct buf b = {0};
	char *found = NULL;

	read_file(file, &b);
	for (char *line = b.data; line && *line && !found;) {
		char *end = strchrnul(line, '\n'), *p = line;

		for (int i = 0; i < field; i++)
			p += strcspn(p, ":\n") + 1;
		if (p < end && strncmp(p, want, strlen(want)) == 0 &&
		    strchr(":\n", p[strlen(want)]))
			found = xstrndup(line, (size_t)(end - line));
		line = *end ? end + 1 : end;
	}
	buf_free(&b);
	return found;
}

char *id_name(const char *file, unsigned long id)
{
	char *number = xasprintf("%lu", id);
	char *entry = find_entry(file, 2, number);

	if (!entry)
		return number;
	free(number);
	entry[strcspn(entry, ":")] = 0;
	return entry;
}

bool id_number(const char *file, const char *name, unsigned int *id)
{
	char *entry = find_entry(file, 0, name), *p;
	long n;

	if (!entry) {
		if (!parse_int(name, &n) || n < 0)
			return false;
		*id = (unsigned int)n;
		return true;
	}
	p = strchr(entry, ':');
	p = p ? strchr(p + 1, ':') : NULL;
	*id = p ? (unsigned int)strtoul(p + 1, NULL, 10) : 0;
	free(entry);
	return p != NULL;
}
