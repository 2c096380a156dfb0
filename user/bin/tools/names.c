// SPDX-License-Identifier: BSD-2-Clause
/* names.c - mkdir, rmdir, ln, readlink, touch, chmod, chown, truncate, stat, du, find. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "user/bin/tools/tools.h"

static bool make_directory(const char *path, bool parents)
{
	struct stat st;

	if (parents) {
		for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
			char *above = xstrndup(path, (size_t)(p - path));

			mkdir(above, 0777);
			free(above);
		}
	}
	if (mkdir(path, 0777) == 0)
		return true;
	return parents && errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int mkdir_main(int argc, char **argv)
{
	bool parents = false;
	int c, status = 0;

	while ((c = getopt(argc, argv, "p")) != -1) {
		if (c != 'p')
			return usage_error("[-p] DIRECTORY...");
		parents = true;
	}
	for (int i = optind; i < argc; i++) {
		if (!make_directory(argv[i], parents)) {
			warn_errno("%s", argv[i]);
			status = 1;
		}
	}
	return status;
}

int rmdir_main(int argc, char **argv)
{
	int status = 0;

	for (int i = 1; i < argc; i++) {
		if (rmdir(argv[i]) < 0) {
			warn_errno("%s", argv[i]);
			status = 1;
		}
	}
	return status;
}

static int link_one(const char *target, const char *path, bool symbolic, bool force)
{
	if (force)
		unlink(path);
	if ((symbolic ? symlink : link)(target, path) == 0)
		return 0;
	warn_errno("%s", path);
	return 1;
}

int ln_main(int argc, char **argv)
{
	bool symbolic = false, force = false, into, exact = false;
	int c, status = 0;
	struct stat st;

	while ((c = getopt(argc, argv, "sfn")) != -1) {
		symbolic |= c == 's';
		force |= c == 'f';
		exact |= c == 'n';
		if (c == '?')
			return usage_error("[-sfn] TARGET... NAME");
	}
	if (argc - optind < 2)
		return usage_error("[-sfn] TARGET... NAME");
	into = (exact ? lstat(argv[argc - 1], &st) : stat(argv[argc - 1], &st)) == 0 &&
	       S_ISDIR(st.st_mode);
	if (argc - optind > 2 && !into)
		die("%s is not a directory", argv[argc - 1]);
	for (int i = optind; i < argc - 1; i++) {
		char *slash = strrchr(argv[i], '/');
		char *path = into ? path_join(argv[argc - 1], slash ? slash + 1 : argv[i])
				  : xstrdup(argv[argc - 1]);

		status |= link_one(argv[i], path, symbolic, force);
		free(path);
	}
	return status;
}

int readlink_main(int argc, char **argv)
{
	char target[4096];
	int status = 0;

	for (int i = 1; i < argc; i++) {
		ssize_t n = readlink(argv[i], target, sizeof(target) - 1);

		if (n < 0)
			status = 1;
		else
			printf("%.*s\n", (int)n, target);
	}
	return status;
}

int touch_main(int argc, char **argv)
{
	bool create = true;
	int c, status = 0;

	while ((c = getopt(argc, argv, "cam")) != -1) {
		if (c == '?')
			return usage_error("[-c] FILE...");
		create &= c != 'c';
	}
	for (int i = optind; i < argc; i++) {
		int fd;

		if (utimensat(AT_FDCWD, argv[i], NULL, 0) == 0)
			continue;
		if (errno == ENOENT && !create)
			continue;
		fd = errno == ENOENT ? open(argv[i], O_WRONLY | O_CREAT, 0666) : -1;
		if (fd < 0) {
			warn_errno("%s", argv[i]);
			status = 1;
		} else {
			close(fd);
		}
	}
	return status;
}

static int change_mode(const char *path, const struct stat *st, void *arg)
{
	mode_t mode = st->st_mode;

	if (S_ISLNK(mode))
		return 0;
	if (!parse_mode(arg, &mode))
		die("%s: bad mode", (char *)arg);
	if (chmod(path, mode & 07777) == 0)
		return 0;
	warn_errno("%s", path);
	return 1;
}

int chmod_main(int argc, char **argv)
{
	bool recursive = argc > 1 && strcmp(argv[1], "-R") == 0;
	int first = recursive ? 2 : 1, status = 0;
	struct stat st;

	if (argc - first < 2)
		return usage_error("[-R] MODE FILE...");
	for (int i = first + 1; i < argc; i++) {
		if (recursive) {
			status |= walk_tree(argv[i], true, change_mode, argv[first]);
		} else if (stat(argv[i], &st) < 0) {
			warn_errno("%s", argv[i]);
			status = 1;
		} else {
			status |= change_mode(argv[i], &st, argv[first]);
		}
	}
	return status;
}

struct owner {
	unsigned int uid, gid;
};

static int change_owner(const char *path, const struct stat *st, void *arg)
{
	struct owner *o = arg;

	(void)st;
	if (lchown(path, o->uid, o->gid) == 0)
		return 0;
	warn_errno("%s", path);
	return 1;
}

int chown_main(int argc, char **argv)
{
	bool recursive = argc > 1 && strcmp(argv[1], "-R") == 0;
	int first = recursive ? 2 : 1, status = 0;
	struct owner o = {-1U, -1U};
	char *group;

	if (argc - first < 2)
		return usage_error("[-R] [USER][:GROUP] FILE...");
	group = strchr(argv[first], ':');
	if (group)
		*group++ = 0;
	if (*argv[first] && !id_number("/etc/passwd", argv[first], &o.uid))
		die("%s: no such user", argv[first]);
	if (group && *group && !id_number("/etc/group", group, &o.gid))
		die("%s: no such group", group);
	for (int i = first + 1; i < argc; i++)
		status |= recursive ? walk_tree(argv[i], true, change_owner, &o)
				    : change_owner(argv[i], NULL, &o);
	return status;
}

static int truncate_one(const char *path, const char *size, bool create)
{
	int fd = open(path, O_WRONLY | (create ? O_CREAT : 0), 0666), failed;
	uint64_t n;
	struct stat st;

	if (fd < 0) {
		if (!create && errno == ENOENT)
			return 0;
		warn_errno("%s", path);
		return 1;
	}
	fstat(fd, &st);
	if (!parse_size(size + strspn(size, "+-"), &n))
		die("%s: bad size", size);
	if (*size == '+')
		n += (uint64_t)st.st_size;
	else if (*size == '-')
		n = n > (uint64_t)st.st_size ? 0 : (uint64_t)st.st_size - n;
	failed = ftruncate(fd, (off_t)n) < 0;
	if (failed)
		warn_errno("%s", path);
	close(fd);
	return failed;
}

int truncate_main(int argc, char **argv)
{
	const char *size = NULL;
	bool create = true;
	int c, status = 0;

	while ((c = getopt(argc, argv, "cs:")) != -1) {
		if (c == 's')
			size = optarg;
		create &= c != 'c';
	}
	if (!size || optind == argc)
		return usage_error("[-c] -s [+-]SIZE FILE...");
	for (int i = optind; i < argc; i++)
		status |= truncate_one(argv[i], size, create);
	return status;
}

static void print_stamp(const char *name, struct timespec t)
{
	char text[40];

	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", gmtime(&t.tv_sec));
	printf("%s: %s.%09ld\n", name, text, t.tv_nsec);
}

static void print_stat(const char *path, const struct stat *st)
{
	char mode[11];

	mode_string(st->st_mode, mode);
	printf("  File: %s\n", path);
	printf("  Size: %-12ld Blocks: %-8ld IO Block: %d\n", st->st_size, st->st_blocks,
	       st->st_blksize);
	printf("Device: %u,%u  Inode: %lu  Links: %u", major(st->st_dev), minor(st->st_dev),
	       st->st_ino, st->st_nlink);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		printf("  Device type: %u,%u", major(st->st_rdev), minor(st->st_rdev));
	printf("\nAccess: (%04o/%s)  Uid: %u  Gid: %u\n", st->st_mode & 07777, mode, st->st_uid,
	       st->st_gid);
	print_stamp("Access", st->st_atim);
	print_stamp("Modify", st->st_mtim);
	print_stamp("Change", st->st_ctim);
}

int stat_main(int argc, char **argv)
{
	bool follow = argc > 1 && strcmp(argv[1], "-L") == 0;
	int status = 0;
	struct stat st;

	if (argc < 2 + follow)
		return usage_error("[-L] FILE...");
	for (int i = 1 + follow; i < argc; i++) {
		if ((follow ? stat(argv[i], &st) : lstat(argv[i], &st)) < 0) {
			warn_errno("%s", argv[i]);
			status = 1;
		} else {
			print_stat(argv[i], &st);
		}
	}
	return status;
}

static struct {
	bool all, summary;
} du;

/* Blocks of 512 bytes in all of it; prints what was asked for. */
static long du_tree(const char *path, bool top)
{
	struct list names = {0};
	struct stat st;
	long blocks;

	if (lstat(path, &st) < 0) {
		warn_errno("%s", path);
		return 0;
	}
	blocks = st.st_blocks;
	if (S_ISDIR(st.st_mode))
		read_names(path, &names);
	for (size_t i = 0; i < names.len; i++) {
		char *below = path_join(path, names.items[i]);

		blocks += du_tree(below, false);
		free(below);
	}
	list_free(&names);
	if (top || (!du.summary && (S_ISDIR(st.st_mode) || du.all)))
		printf("%ld\t%s\n", blocks / 2, path);
	return blocks;
}

int du_main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "ask")) != -1) {
		if (c == '?')
			return usage_error("[-as] [FILE]...");
		du.all |= c == 'a';
		du.summary |= c == 's';
	}
	if (optind == argc)
		argv[--optind] = ".";
	for (int i = optind; i < argc; i++)
		du_tree(argv[i], true);
	return 0;
}

static struct {
	const char *name, *type;
	bool print0;
} query;

static int find_entry(const char *path, const struct stat *st, void *arg)
{
	static const char letters[] = "fdlcbps";
	static const mode_t types[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR,
				       S_IFBLK, S_IFIFO, S_IFSOCK};
	const char *slash = strrchr(path, '/');
	const char *name = slash && slash[1] ? slash + 1 : path;
	const char *p;

	(void)arg;
	if (query.name && fnmatch(query.name, name, 0) != 0)
		return 0;
	p = query.type ? strchr(letters, *query.type) : NULL;
	if (query.type && (!p || (st->st_mode & S_IFMT) != types[p - letters]))
		return 0;
	printf("%s%c", path, query.print0 ? 0 : '\n');
	return 0;
}

int find_main(int argc, char **argv)
{
	int paths = 1, status = 0, i;

	while (paths < argc && argv[paths][0] != '-')
		paths++;
	for (i = paths; i < argc; i++) {
		if (strcmp(argv[i], "-name") == 0 && i + 1 < argc)
			query.name = argv[++i];
		else if (strcmp(argv[i], "-type") == 0 && i + 1 < argc)
			query.type = argv[++i];
		else if (strcmp(argv[i], "-print0") == 0)
			query.print0 = true;
		else if (strcmp(argv[i], "-print") != 0)
			return usage_error("[PATH]... [-name PATTERN] [-type fdlcbps] [-print0]");
	}
	if (paths == 1)
		return walk_tree(".", true, find_entry, NULL);
	for (i = 1; i < paths; i++)
		status |= walk_tree(argv[i], true, find_entry, NULL);
	return status;
}
