// SPDX-License-Identifier: BSD-2-Clause
/* copy.c - cp, mv and rm. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/bin/tools/tools.h"

static bool recursive, force, keep, verbose;

static int copy_any(const char *from, const char *to);

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The target for `from` when it goes into the directory `dir`. */
static char *target_in(const char *dir, const char *from)
{
	size_t n = strlen(from);
	const char *name;
	char *copy, *path;

	while (n > 1 && from[n - 1] == '/')
		n--;
	copy = xstrndup(from, n);
	name = strrchr(copy, '/') && copy[1] ? strrchr(copy, '/') + 1 : copy;
	path = path_join(dir, name);
	free(copy);
	return path;
}

static void keep_attributes(const char *to, const struct stat *st)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (!keep)
		return;
	lchown(to, st->st_uid, st->st_gid);
	if (!S_ISLNK(st->st_mode))
		chmod(to, st->st_mode & 07777);
	utimensat(AT_FDCWD, to, times, AT_SYMLINK_NOFOLLOW);
}

static int open_target(const char *to, mode_t mode)
{
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, mode & 0777);

	if (fd < 0 && force && unlink(to) == 0)
		fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, mode & 0777);
	return fd;
}

static int copy_file(const char *from, const char *to, const struct stat *st)
{
	int in = open(from, O_RDONLY), out, failed;

	if (in < 0) {
		warn_errno("%s", from);
		return 1;
	}
	out = open_target(to, st->st_mode);
	if (out < 0) {
		warn_errno("%s", to);
		close(in);
		return 1;
	}
	failed = copy_fd(in, out) < 0;
	if (failed)
		warn_errno("%s to %s", from, to);
	close(in);
	if (close(out) < 0 && !failed) {
		warn_errno("%s", to);
		failed = 1;
	}
	return failed;
}

static int copy_link(const char *from, const char *to)
{
	char target[4096];
	ssize_t n = readlink(from, target, sizeof(target) - 1);

	if (n >= 0) {
		target[n] = 0;
		if (force)
			unlink(to);
		if (symlink(target, to) == 0)
			return 0;
	}
	warn_errno("%s", n < 0 ? from : to);
	return 1;
}

static int copy_directory(const char *from, const char *to, const struct stat *st)
{
	struct list names = {0};
	int status = 0;

	if (!read_names(from, &names)) {
		warn_errno("%s", from);
		return 1;
	}
	if (mkdir(to, (st->st_mode & 0777) | 0700) < 0 && !is_directory(to)) {
		warn_errno("%s", to);
		list_free(&names);
		return 1;
	}
	for (size_t i = 0; i < names.len; i++) {
		char *a = path_join(from, names.items[i]), *b = path_join(to, names.items[i]);

		status |= copy_any(a, b);
		free(a);
		free(b);
	}
	list_free(&names);
	return status;
}

static int copy_any(const char *from, const char *to)
{
	struct stat st, there;
	int status;

	if ((recursive ? lstat(from, &st) : stat(from, &st)) < 0) {
		warn_errno("%s", from);
		return 1;
	}
	if (stat(to, &there) == 0 && there.st_dev == st.st_dev && there.st_ino == st.st_ino) {
		warn("%s and %s are the same file", from, to);
		return 1;
	}
	if (S_ISDIR(st.st_mode) && !recursive) {
		warn("%s is a directory (no -r)", from);
		return 1;
	}
	if (verbose)
		printf("%s -> %s\n", from, to);
	if (S_ISDIR(st.st_mode))
		status = copy_directory(from, to, &st);
	else if (S_ISLNK(st.st_mode))
		status = copy_link(from, to);
	else if (S_ISREG(st.st_mode) || !recursive)
		status = copy_file(from, to, &st);
	else
		status = mknod(to, st.st_mode, st.st_rdev) < 0 ? (warn_errno("%s", to), 1) : 0;
	if (!status)
		keep_attributes(to, &st);
	return status;
}

/* cp -r a a/b would never end. */
static bool is_below(const char *from, const char *to)
{
	struct stat a, b;
	char *path = xstrdup(to), *slash;
	bool below = false;

	if (stat(from, &a) == 0 && S_ISDIR(a.st_mode)) {
		while (!below && (slash = strrchr(path, '/')) && slash != path) {
			*slash = 0;
			below = stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
		}
	}
	free(path);
	if (below)
		warn("%s: cannot go into itself", from);
	return below;
}

static int each(int argc, char **argv, int (*fn)(const char *from, const char *to))
{
	const char *last = argv[argc - 1];
	bool into = is_directory(last);
	int status = 0;

	if (argc - optind < 2)
		return usage_error("[-OPTIONS] SOURCE... TARGET");
	if (argc - optind > 2 && !into)
		die("%s is not a directory", last);
	for (int i = optind; i < argc - 1; i++) {
		char *to = into ? target_in(last, argv[i]) : xstrdup(last);

		status |= is_below(argv[i], to) || fn(argv[i], to);
		free(to);
	}
	return status;
}

int cp_main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "rRfapdv")) != -1) {
		recursive |= c == 'r' || c == 'R' || c == 'a';
		keep |= c == 'p' || c == 'a';
		force |= c == 'f';
		verbose |= c == 'v';
		if (c == '?')
			return usage_error("[-rRfapv] SOURCE... TARGET");
	}
	return each(argc, argv, copy_any);
}

static int remove_entry(const char *path, const struct stat *st, void *arg)
{
	(void)arg;
	if ((S_ISDIR(st->st_mode) ? rmdir : unlink)(path) == 0)
		return 0;
	warn_errno("%s", path);
	return 1;
}

static int move_one(const char *from, const char *to)
{
	if (rename(from, to) == 0)
		return 0;
	if (errno != EXDEV) {
		warn_errno("%s to %s", from, to);
		return 1;
	}
	recursive = keep = force = true;
	if (copy_any(from, to))
		return 1;
	return walk_tree(from, false, remove_entry, NULL);
}

int mv_main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "f")) != -1) {
		if (c != 'f')
			return usage_error("[-f] SOURCE... TARGET");
	}
	return each(argc, argv, move_one);
}

static int remove_one(const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(path, "/") == 0) {
		warn("%s: refused", path);
		return 1;
	}
	if (lstat(path, &st) < 0) {
		if (force && errno == ENOENT)
			return 0;
		warn_errno("%s", path);
		return 1;
	}
	if (S_ISDIR(st.st_mode) && !recursive) {
		warn("%s: is a directory (no -r)", path);
		return 1;
	}
	return walk_tree(path, false, remove_entry, NULL);
}

int rm_main(int argc, char **argv)
{
	int c, status = 0;

	while ((c = getopt(argc, argv, "rRf")) != -1) {
		recursive |= c == 'r' || c == 'R';
		force |= c == 'f';
		if (c == '?')
			return usage_error("[-rf] FILE...");
	}
	if (optind == argc && !force)
		return usage_error("[-rf] FILE...");
	for (int i = optind; i < argc; i++)
		status |= remove_one(argv[i]);
	return status;
}
