// SPDX-License-Identifier: BSD-2-Clause
/* swap.c - mkswap, swapon, swapoff. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#include "user/bin/tools/tools.h"

#define PAGE	  4096
#define PATH_SIZE 4096
#define MIN_SIZE  (10UL * PAGE)

/* The first page of an area, version 1. */
struct header {
	char boot[1024];
	uint32_t version, last_page, bad_pages;
	unsigned char uuid[16];
	char label[16];
	char rest[PAGE - 1024 - 12 - 32 - 10];
	char magic[10];
};

static void random_uuid(unsigned char uuid[16])
{
	int fd = open("/dev/urandom", O_RDONLY);

	if (fd < 0 || read(fd, uuid, 16) != 16)
		die_errno("/dev/urandom");
	close(fd);
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

int mkswap_main(int argc, char **argv)
{
	static struct header h;
	off_t size;
	int c, fd;

	_Static_assert(sizeof(h) == PAGE, "one page");
	while ((c = getopt(argc, argv, "L:")) != -1) {
		if (c == '?')
			return usage_error("[-L LABEL] FILE");
		strncpy(h.label, optarg, sizeof(h.label) - 1);
	}
	if (argc - optind != 1)
		return usage_error("[-L LABEL] FILE");
	fd = open(argv[optind], O_RDWR);
	size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (size < 0)
		die_errno("%s", argv[optind]);
	if (size < (off_t)MIN_SIZE)
		die("%s: needs at least %lu KiB", argv[optind], MIN_SIZE / 1024);
	h.version = 1;
	h.last_page = (uint32_t)(size / PAGE) - 1;
	random_uuid(h.uuid);
	memcpy(h.magic, "SWAPSPACE2", sizeof(h.magic));
	if (pwrite(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || fsync(fd) < 0 || close(fd) < 0)
		die_errno("%s", argv[optind]);
	printf("%s: swap space of %lu KiB\n", argv[optind],
	       (unsigned long)(size / PAGE - 1) * (PAGE / 1024));
	return 0;
}

static int priority_flags(const char *n)
{
	return SWAP_FLAG_PREFER | (atoi(n) & SWAP_FLAG_PRIO_MASK);
}

/* Of "once" or "pages", to whatever end; both without either. */
static int discard_flags(const char *policy)
{
	if (policy && !strncmp(policy, "once", 4))
		return SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_ONCE;
	if (policy && !strncmp(policy, "pages", 5))
		return SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES;
	return SWAP_FLAG_DISCARD;
}

/* pri=N, discard and discard=POLICY among fstab's options. */
static int option_flags(const char *options)
{
	const char *pri = options ? strstr(options, "pri=") : NULL;
	const char *discard = options ? strstr(options, "discard") : NULL;
	int flags = pri ? priority_flags(pri + 4) : 0;

	if (discard)
		flags |= discard_flags(discard[7] == '=' ? discard + 8 : NULL);
	return flags;
}

static bool is_on(const char *path)
{
	struct buf b = {0};
	bool found = false;

	read_file("/proc/swaps", &b);
	for (char *line = strtok(b.data ? b.data : (char[]){0}, "\n"); line;
	     line = strtok(NULL, "\n"))
		found |= strncmp(line, path, strlen(path)) == 0 &&
			 (line[strlen(path)] == ' ' || line[strlen(path)] == '\t');
	buf_free(&b);
	return found;
}

/* ---- names of areas ---- */

static bool read_header(const char *path, struct header *h)
{
	int fd = open(path, O_RDONLY);
	bool good = fd >= 0 && read(fd, h, sizeof(*h)) == (ssize_t)sizeof(*h) &&
		    memcmp(h->magic, "SWAPSPACE2", sizeof(h->magic)) == 0;

	if (fd >= 0)
		close(fd);
	return good;
}

static bool has_uuid(const struct header *h, const char *text)
{
	char own[40], *to = own;

	for (int i = 0; i < 16; i++)
		to += sprintf(to, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			      h->uuid[i]);
	return strcasecmp(own, text) == 0;
}

static bool has_label(const struct header *h, const char *text)
{
	return *text && strlen(text) <= sizeof(h->label) &&
	       strncmp(h->label, text, sizeof(h->label)) == 0;
}

/* The device whose header says so; false: none. */
static bool find_area(bool (*has)(const struct header *h, const char *text), const char *text,
		      char path[PATH_SIZE])
{
	static struct header h;
	struct buf b = {0};
	char *save = NULL;
	bool found = false;

	read_file("/proc/partitions", &b);
	for (char *line = strtok_r(b.data ? b.data : (char[]){0}, "\n", &save); line && !found;
	     line = strtok_r(NULL, "\n", &save)) {
		char name[64];

		if (sscanf(line, " %*u %*u %*u %63s", name) != 1)
			continue;
		snprintf(path, PATH_SIZE, "/dev/%s", name);
		found = read_header(path, &h) && has(&h, text);
	}
	buf_free(&b);
	return found;
}

/* The device that a link of /dev/disk points to; false: there is none. Odd bytes of names are \xHH there. */
static bool find_partition(const char *folder, const char *text, char path[PATH_SIZE])
{
	char link[PATH_SIZE], target[64], *base;
	size_t n = (size_t)snprintf(link, sizeof(link), "/dev/disk/%s/", folder);
	ssize_t len;

	for (; *text && n + 5 < sizeof(link); text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = c >= 0x80 || isalnum(c) || strchr("#+-.:=@_", c);

		n += (size_t)snprintf(link + n, sizeof(link) - n, plain ? "%c" : "\\x%02x", c);
	}
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	base = strrchr(target, '/');
	snprintf(path, PATH_SIZE, "/dev/%s", base ? base + 1 : target);
	return true;
}

/* The path of what fstab calls TAG=VALUE, or TAG="VALUE"; any other name is a path. False with a message: there is none. */
static bool area_path(const char *name, char path[PATH_SIZE])
{
	const char *equals = strchr(name, '=');
	size_t tag = equals ? (size_t)(equals - name) : 0;
	char value[PATH_SIZE] = "";
	bool found;

	if (equals) {
		snprintf(value, sizeof(value), "%s", equals + 1 + (equals[1] == '"'));
		if (equals[1] == '"')
			value[strcspn(value, "\"")] = '\0';
	}
	if (tag == 9 && strncmp(name, "PARTLABEL", tag) == 0) {
		found = find_partition("by-partlabel", value, path);
	} else if (tag == 8 && strncmp(name, "PARTUUID", tag) == 0) {
		for (char *c = value; *c; c++)
			*c = (char)tolower(*c);
		found = find_partition("by-partuuid", value, path);
	} else if (tag == 5 && strncmp(name, "LABEL", tag) == 0) {
		found = find_area(has_label, value, path);
	} else if (tag == 4 && strncmp(name, "UUID", tag) == 0) {
		found = find_area(has_uuid, value, path);
	} else {
		snprintf(path, PATH_SIZE, "%s", name);
		found = true;
	}
	if (!found)
		warn("%s: there is no such area", name);
	return found;
}

static int turn_on(const char *name, int flags)
{
	char path[PATH_SIZE];

	if (!area_path(name, path))
		return 1;
	if (swapon(path, flags) == 0)
		return 0;
	warn_errno("%s", path);
	return 1;
}

/* All areas of /etc/fstab that are not on yet. */
static int from_fstab(int (*fn)(const char *path, int flags))
{
	struct buf b = {0};
	char *line, *rest;
	int status = 0;

	if (!read_file("/etc/fstab", &b))
		return 0;
	for (line = b.data; line && *line; line = rest) {
		char *end = strchr(line, '\n'), *word[4] = {0}, *save = NULL;
		int n = 0;

		rest = end ? end + 1 : NULL;
		if (end)
			*end = '\0';
		for (char *w = strtok_r(line, " \t", &save); w && n < 4;
		     w = strtok_r(NULL, " \t", &save))
			word[n++] = w;
		if (n < 3 || word[0][0] == '#' || strcmp(word[2], "swap") != 0 ||
		    (word[3] && strstr(word[3], "noauto")))
			continue;
		status |= fn(word[0], option_flags(word[3]));
	}
	buf_free(&b);
	return status;
}

static int on_if_off(const char *name, int flags)
{
	char path[PATH_SIZE];

	if (!area_path(name, path))
		return 1;
	return is_on(path) ? 0 : turn_on(path, flags);
}

static int show(void)
{
	struct buf b = {0};

	if (!read_file("/proc/swaps", &b))
		die_errno("/proc/swaps");
	fwrite(b.data, 1, b.len, stdout);
	buf_free(&b);
	return 0;
}

int swapon_main(int argc, char **argv)
{
	int c, flags = 0, status = 0;
	bool all = false;

	while ((c = getopt(argc, argv, "ad::p:s")) != -1) {
		if (c == '?')
			return usage_error("[-a] [-s] [-d[once|pages]] [-p PRIORITY] [FILE...]");
		if (c == 's')
			return show();
		all |= c == 'a';
		if (c == 'p' && atoi(optarg) >= 0)
			flags = (flags & ~(SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK)) |
				priority_flags(optarg);
		if (c == 'd')
			flags |= discard_flags(optarg);
	}
	if (all)
		status = from_fstab(on_if_off);
	else if (optind == argc)
		return show();
	for (int i = optind; i < argc; i++)
		status |= turn_on(argv[i], flags);
	return status;
}

static int turn_off(const char *name)
{
	char path[PATH_SIZE];

	if (!area_path(name, path))
		return 1;
	if (swapoff(path) == 0)
		return 0;
	warn_errno("%s", path);
	return 1;
}

/* In place: \ooo of /proc is the byte that it stands for. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++)
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	*to = '\0';
}

/* Every area that is on. */
static int all_off(void)
{
	struct buf b = {0};
	char *save = NULL;
	int status = 0;

	if (!read_file("/proc/swaps", &b))
		die_errno("/proc/swaps");
	strtok_r(b.data, "\n", &save); /* the heading */
	for (char *line = strtok_r(NULL, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line[strcspn(line, " \t")] = '\0';
		unescape(line);
		status |= turn_off(line);
	}
	buf_free(&b);
	return status;
}

int swapoff_main(int argc, char **argv)
{
	int c, status = 0;

	while ((c = getopt(argc, argv, "a")) != -1) {
		if (c == '?')
			return usage_error("-a | FILE...");
		return all_off();
	}
	if (optind == argc)
		return usage_error("-a | FILE...");
	for (int i = optind; i < argc; i++)
		status |= turn_off(argv[i]);
	return status;
}
