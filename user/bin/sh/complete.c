// SPDX-License-Identifier: BSD-2-Clause
/* complete.c - what Tab offers: commands for the first word, file names for the others. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/bin/sh/sh.h"

struct offer {
	const char *prefix;
	struct list *out;
};

static void offer_name(const char *name, void *arg)
{
	struct offer *o = arg;

	if (strncmp(name, o->prefix, strlen(o->prefix)) == 0)
		list_add(o->out, xstrdup(name));
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void offer_files(const char *dir, const char *prefix, bool programs, struct list *out)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *path;

		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0 ||
		    (e->d_name[0] == '.' && *prefix != '.'))
			continue;
		path = path_join(dir, e->d_name);
		if (is_directory(path) && !programs)
			list_add(out, xasprintf("%s/", e->d_name));
		else if (!programs || access(path, X_OK) == 0)
			list_add(out, xstrdup(e->d_name));
		free(path);
	}
	if (d)
		closedir(d);
}

static void offer_commands(const char *prefix, struct list *out)
{
	struct offer o = {prefix, out};
	const char *path = var_get("PATH"), *end;

	builtins_each(offer_name, &o);
	for (; path; path = *end ? end + 1 : NULL) {
		char *dir;

		end = strchrnul(path, ':');
		dir = xstrndup(path, (size_t)(end - path));
		offer_files(dir, prefix, true, out);
		free(dir);
	}
}

static void remove_doubles(struct list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->len; i++) {
		if (kept && strcmp(l->items[kept - 1], l->items[i]) == 0)
			free(l->items[i]);
		else
			l->items[kept++] = l->items[i];
	}
	l->len = kept;
}

/* The first word, or one behind something that starts a command. */
static bool is_command_position(const char *line, size_t start)
{
	while (start > 0 && strchr(" \t", line[start - 1]))
		start--;
	return start == 0 || strchr(";|&(", line[start - 1]);
}

void complete(const char *line, size_t start, size_t end, struct list *out)
{
	char *word = xstrndup(line + start, end - start);
	char *slash = strrchr(word, '/');

	if (slash) {
		char *dir = slash == word ? xstrdup("/") : xstrndup(word, (size_t)(slash - word));

		if (dir[0] == '~' && (!dir[1] || dir[1] == '/') && var_get("HOME")) {
			char *full = xasprintf("%s%s", var_get("HOME"), dir + 1);

			free(dir);
			dir = full;
		}
		offer_files(dir, slash + 1, false, out);
		free(dir);
	} else if (is_command_position(line, start)) {
		offer_commands(word, out);
	} else {
		offer_files(".", word, false, out);
	}
	free(word);
	if (out->len) {
		list_sort(out);
		remove_doubles(out);
	}
}
