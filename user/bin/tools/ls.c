// SPDX-License-Identifier: BSD-2-Clause
/* ls.c - ls [-aAldR1irtSh] [FILE]... */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "user/bin/tools/tools.h"

static struct {
	bool all, almost_all, entry, long_format, recursive, inodes, one, reverse, by_time, by_size,
		human;
} opt;

struct file {
	char *name; /* as shown */
	char *path;
	struct stat st;
};

struct files {
	struct file *items;
	size_t len;
};

static bool several; /* directories get a heading */
static bool printed; /* something was: an empty line goes before a heading */

static int compare(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	int c = 0;

	if (opt.by_time)
		c = (x->st.st_mtime < y->st.st_mtime) - (x->st.st_mtime > y->st.st_mtime);
	else if (opt.by_size)
		c = (x->st.st_size < y->st.st_size) - (x->st.st_size > y->st.st_size);
	if (!c)
		c = strcmp(x->name, y->name);
	return opt.reverse ? -c : c;
}

static bool add_file(struct files *f, const char *name, char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		warn_errno("%s", path);
		free(path);
		return false;
	}
	if ((f->len & (f->len + 1)) == 0)
		f->items = xrealloc(f->items, (f->len * 2 + 1) * sizeof(*f->items));
	f->items[f->len++] = (struct file){xstrdup(name), path, st};
	return true;
}

static void free_files(struct files *f)
{
	for (size_t i = 0; i < f->len; i++) {
		free(f->items[i].name);
		free(f->items[i].path);
	}
	free(f->items);
}

static void print_size(const struct stat *st)
{
	static const char units[] = "BKMGT";
	double size = (double)st->st_size;
	int unit = 0;

	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		printf("%4u, %3u ", major(st->st_rdev), minor(st->st_rdev));
		return;
	}
	if (!opt.human) {
		printf("%9ld ", st->st_size);
		return;
	}
	for (; size >= 1024 && unit < 4; unit++)
		size /= 1024;
	printf(unit ? "%6.1f%c " : "%6.0f%c ", size, units[unit]);
}

static void print_time(time_t when)
{
	char text[32];
	time_t now = time(NULL);
	bool recent = when <= now && now - when < 180 * 86400L;

	strftime(text, sizeof(text), recent ? "%b %e %H:%M" : "%b %e  %Y", gmtime(&when));
	printf("%s ", text);
}

static void print_long(const struct file *f)
{
	char mode[11], target[4096];
	char *user = id_name("/etc/passwd", f->st.st_uid);
	char *group = id_name("/etc/group", f->st.st_gid);
	ssize_t n;

	mode_string(f->st.st_mode, mode);
	printf("%s %3u %-8s %-8s ", mode, f->st.st_nlink, user, group);
	print_size(&f->st);
	print_time(f->st.st_mtime);
	printf("%s", f->name);
	if (S_ISLNK(f->st.st_mode)) {
		n = readlink(f->path, target, sizeof(target) - 1);
		printf(" -> %.*s", n > 0 ? (int)n : 0, target);
	}
	putchar('\n');
	free(user);
	free(group);
}

static size_t columns(void)
{
	struct winsize w;

	if (opt.one || !isatty(1))
		return 1;
	return ioctl(1, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 80;
}

/* Down, then across, as many columns as fit. */
static void print_columns(struct files *f)
{
	size_t width = 0, across, rows;

	for (size_t i = 0; i < f->len; i++) {
		size_t n = strlen(f->items[i].name) + 2 + (opt.inodes ? 9 : 0);

		width = n > width ? n : width;
	}
	across = f->len ? columns() / width : 0;
	across = across ? across : 1;
	rows = (f->len + across - 1) / across;
	for (size_t row = 0; row < rows; row++) {
		for (size_t i = row; i < f->len; i += rows) {
			int pad = i + rows < f->len ? (int)(width - (opt.inodes ? 9 : 0)) : 0;

			if (opt.inodes)
				printf("%8lu ", f->items[i].st.st_ino);
			printf("%-*s", pad, f->items[i].name);
		}
		putchar('\n');
	}
}

static void print_files(struct files *f)
{
	if (f->len)
		qsort(f->items, f->len, sizeof(*f->items), compare);
	if (!opt.long_format) {
		print_columns(f);
		return;
	}
	for (size_t i = 0; i < f->len; i++) {
		if (opt.inodes)
			printf("%8lu ", f->items[i].st.st_ino);
		print_long(&f->items[i]);
	}
}

static long total_blocks(struct files *f)
{
	long total = 0;

	for (size_t i = 0; i < f->len; i++)
		total += f->items[i].st.st_blocks;
	return total / 2;
}

static int list_directory(const char *path)
{
	struct list names = {0};
	struct files f = {0};
	int status = 0;

	if (!read_names(path, &names)) {
		warn_errno("%s", path);
		return 1;
	}
	if (opt.all) {
		add_file(&f, ".", path_join(path, "."));
		add_file(&f, "..", path_join(path, ".."));
	}
	for (size_t i = 0; i < names.len; i++) {
		if (names.items[i][0] == '.' && !opt.all && !opt.almost_all)
			continue;
		if (!add_file(&f, names.items[i], path_join(path, names.items[i])))
			status = 1;
	}
	list_free(&names);
	if (several)
		printf("%s%s:\n", printed ? "\n" : "", path);
	printed = true;
	if (opt.long_format)
		printf("total %ld\n", total_blocks(&f));
	print_files(&f);
	for (size_t i = 0; i < f.len && opt.recursive; i++) {
		const char *name = f.items[i].name;

		if (S_ISDIR(f.items[i].st.st_mode) && strcmp(name, ".") && strcmp(name, ".."))
			status |= list_directory(f.items[i].path);
	}
	free_files(&f);
	return status;
}

static bool is_directory(const char *path)
{
	struct stat st;

	if (opt.entry)
		return false;
	if (opt.long_format && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return false;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool set_option(int c)
{
	static const char letters[] = "aAdlRi1rtSh";
	bool *flags[] = {&opt.all,	 &opt.almost_all, &opt.entry, &opt.long_format,
			 &opt.recursive, &opt.inodes,	  &opt.one,   &opt.reverse,
			 &opt.by_time,	 &opt.by_size,	  &opt.human};
	const char *p = strchr(letters, c);

	if (!p)
		return false;
	*flags[p - letters] = true;
	return true;
}

int ls_main(int argc, char **argv)
{
	struct files plain = {0};
	int c, status = 0, directories = 0;

	while ((c = getopt(argc, argv, "aAdlRi1rtSh")) != -1) {
		if (!set_option(c))
			return usage_error("[-aAdlRi1rtSh] [FILE]...");
	}
	if (optind == argc) {
		several = opt.recursive;
		if (!opt.entry)
			return list_directory(".");
		argv[--optind] = ".";
	}
	for (int i = optind; i < argc; i++) {
		if (is_directory(argv[i]))
			directories++;
		else if (!add_file(&plain, argv[i], xstrdup(argv[i])))
			status = 1;
	}
	several = opt.recursive || argc - optind > 1;
	printed = plain.len > 0;
	if (plain.len)
		print_files(&plain);
	for (int i = optind; i < argc && directories; i++) {
		if (is_directory(argv[i]))
			status |= list_directory(argv[i]);
	}
	free_files(&plain);
	return status;
}
