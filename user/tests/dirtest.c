// SPDX-License-Identifier: BSD-2-Clause
/*
 * dirtest - what one name costs in a directory of many.
 *
 * usage: dirtest [-f] DIR COUNT...	-f: files, else links to a few files
 *
 * For each COUNT: microseconds (of virtual time under -icount: thousands of instructions) per name to make, look up, look up
 * what is not there, list, and remove.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINKS 30000UL /* ext2 has 32000 at most */

static bool files;
static unsigned long count;

/* What the machine has worked so far: all its time but the idle one. */
static double now(void)
{
	double up = 0, idle = 0;
	char text[64];
	struct timespec ts;
	FILE *f = fopen("/proc/uptime", "r");

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (f && fgets(text, sizeof(text), f))
		sscanf(text, "%lf %lf", &up, &idle);
	if (f)
		fclose(f);
	return (up - idle) * 1e6;
}

static void die(const char *what, const char *name)
{
	printf("dirtest: %s %s: %s\n", what, name, strerror(errno));
	fflush(stdout);
	exit(1);
}

/* In an order that is not the one they were made in. */
static void name_of(unsigned long i, unsigned long step, char *name)
{
	sprintf(name, "name-%08lu", i * step % count);
}

static void make_names(void)
{
	char name[32], first[32];

	for (unsigned long i = 0; i < count; i++) {
		name_of(i, 1, name);
		if (files || i % LINKS == 0) {
			int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);

			if (fd < 0)
				die("create", name);
			close(fd);
			strcpy(first, name);
		} else if (link(first, name) < 0) {
			die("link", name);
		}
	}
}

static void look_up(bool there)
{
	struct stat st;
	char name[32];

	for (unsigned long i = 0; i < count; i++) {
		name_of(i, 7919, name);
		if (!there)
			name[0] = 'x';
		if ((stat(name, &st) == 0) != there)
			die("stat", name);
	}
}

static void list_names(void)
{
	unsigned long n = 0;
	DIR *d = opendir(".");

	while (d && readdir(d))
		n++;
	if (!d || n != count + 2)
		die("list", ".");
	closedir(d);
}

static void remove_names(void)
{
	char name[32];

	for (unsigned long i = 0; i < count; i++) {
		name_of(i, 104729, name);
		if (unlink(name) < 0)
			die("unlink", name);
	}
}

static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	if (fd >= 0 && write(fd, "3", 1) == 1)
		close(fd);
}

static void measure(const char *dir)
{
	double t[8];

	if (mkdir(dir, 0755) < 0 || chdir(dir) < 0)
		die("mkdir", dir);
	t[0] = now();
	make_names();
	t[1] = now();
	look_up(true);
	t[2] = now();
	look_up(false);
	t[3] = now();
	drop_caches();
	t[4] = now();
	look_up(true);
	t[5] = now();
	list_names();
	t[6] = now();
	remove_names();
	t[7] = now();
	if (chdir("/") < 0 || rmdir(dir) < 0)
		die("rmdir", dir);
	printf("%8lu %8.2f %8.2f %8.2f %8.2f %8.2f %8.2f\n", count, (t[1] - t[0]) / (double)count,
	       (t[2] - t[1]) / (double)count, (t[3] - t[2]) / (double)count,
	       (t[5] - t[4]) / (double)count, (t[6] - t[5]) / (double)count,
	       (t[7] - t[6]) / (double)count);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "-f") == 0) {
		files = true;
		argv++;
		argc--;
	}
	if (argc < 3)
		return 2;
	printf("%8s %8s %8s %8s %8s %8s %8s\n", "names", "make", "stat", "absent", "cold", "list",
	       "unlink");
	for (int i = 2; i < argc; i++) {
		count = strtoul(argv[i], NULL, 0);
		measure(argv[1]);
	}
	return 0;
}
