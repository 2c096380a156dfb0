// SPDX-License-Identifier: BSD-2-Clause
/* glob.c - file names that match a pattern, component by component. */
#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user/bin/sh/sh.h"

static void glob_from(const char *dir, const char *pattern, struct list *out);

static bool has_magic(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\\')
			i++;
		else if (strchr("*?[", s[i]))
			return true;
	}
	return false;
}

static char *unescape(const char *s, size_t n)
{
	char *out = xmalloc(n + 1), *o = out;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\\' && i + 1 < n)
			i++;
		*o++ = s[i];
	}
	*o = 0;
	return out;
}

/* `path` matched so far, and `rest` (at a slash or the end) is still to be matched. */
static void glob_next(char *path, const char *rest, struct list *out)
{
	size_t slashes = strspn(rest, "/");
	struct stat st;
	char *with;

	if (!*rest) {
		if (lstat(path, &st) == 0)
			list_add(out, xstrdup(path));
		return;
	}
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return;
	with = xasprintf("%s%.*s", path, (int)slashes, rest);
	if (rest[slashes])
		glob_from(with, rest + slashes, out);
	else
		list_add(out, xstrdup(with));
	free(with);
}

static void glob_directory(const char *dir, const char *component, const char *rest,
			   struct list *out)
{
	DIR *d = opendir(*dir ? dir : ".");
	struct list names = {0};
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d))) {
		if (fnmatch(component, e->d_name, FNM_PERIOD) == 0)
			list_add(&names, xstrdup(e->d_name));
	}
	closedir(d);
	if (names.len)
		list_sort(&names);
	for (size_t i = 0; i < names.len; i++) {
		char *path = xasprintf("%s%s", dir, names.items[i]);

		glob_next(path, rest, out);
		free(path);
	}
	list_free(&names);
}

static void glob_from(const char *dir, const char *pattern, struct list *out)
{
	size_t n = strcspn(pattern, "/");

	if (has_magic(pattern, n)) {
		char *component = xstrndup(pattern, n);

		glob_directory(dir, component, pattern + n, out);
		free(component);
	} else {
		char *name = unescape(pattern, n);
		char *path = xasprintf("%s%s", dir, name);

		glob_next(path, pattern + n, out);
		free(path);
		free(name);
	}
}

/* Adds the names in order; none when nothing matches. */
void glob_add(const char *pattern, struct list *out)
{
	size_t slashes = strspn(pattern, "/");
	char *dir = xstrndup(pattern, slashes);

	glob_from(dir, pattern + slashes, out);
	free(dir);
}
