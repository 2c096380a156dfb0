// SPDX-License-Identifier: BSD-2-Clause
/*
 * fsmodel - several processes at a file system, each comparing its files with a model.
 *
 * usage: fsmodel [-t SECONDS] [-s SEED] [-p PROCS] [-d] DIR	makes DIR/p0, DIR/p1, ...
 *	  fsmodel -v DIR	(or -c) compares the tree with DIR/manifest, as after a reboot
 *
 * What an earlier run left in DIR is removed first. At the end the tree stays, and
 * DIR/manifest lists it (see manifest.c). Prints PASS or FAIL; exit status 0 for PASS.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/tests/fsmodel/fsmodel.h"

static unsigned int seconds = 10, procs = 8;
static uint32_t seed = 1;

void bad(struct worker *w, const char *format, ...)
{
	int error = errno;
	char text[700];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	printf("fsmodel: process %d, operation %lu: %s (errno %d)\n", w->number, w->operations,
	       text, error);
	fflush(stdout);
	_exit(1);
}

void *must_realloc(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p) {
		printf("fsmodel: no memory\n");
		fflush(stdout);
		_exit(1);
	}
	return p;
}

uint32_t pick(struct worker *w, uint32_t below)
{
	uint32_t x = w->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	w->random = x;
	return (uint32_t)((uint64_t)x * below >> 32);
}

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* Removes what is below path, and path. */
static void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char below[PATH_LEN];

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, d->d_name);
		if (unlink(below) < 0 && errno == EISDIR)
			remove_tree(below);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

static void __attribute__((noreturn)) work(int number, const char *dir, int count_fd)
{
	struct worker w = {.number = number, .random = seed * 2654435761U + number * 40503U + 1};
	long end = now() + seconds;
	char name[16];

	snprintf(name, sizeof(name), "p%d", number); /* below dir, where we are */
	if (mkdir(name, 0755) < 0 || chdir(name) < 0)
		bad(&w, "cannot make %s", name);
	entry_add(&w, NULL, "", KIND_DIR);
	do {
		for (int i = 0; i < 20; i++)
			operate(&w);
	} while (now() < end);
	check_tree(&w);
	handles_close(&w);
	check_tree(&w);
	if (chdir(dir) < 0)
		bad(&w, "chdir %s", dir);
	manifest_write(&w, dir);
	if (write(count_fd, &w.operations, sizeof(w.operations)) < 0)
		bad(&w, "write to a pipe");
	fflush(stdout);
	_exit(0);
}

static bool wait_all(unsigned int count)
{
	bool good = true;

	for (unsigned int i = 0; i < count; i++) {
		int status;
		pid_t pid = wait(&status);

		if (pid > 0 && WIFSIGNALED(status))
			printf("fsmodel: process ended by signal %d\n", WTERMSIG(status));
		good = good && pid > 0 && status == 0;
	}
	return good;
}

static bool run(const char *dir)
{
	unsigned long total = 0, n;
	int fds[2];
	bool good;

	if (pipe(fds) < 0)
		return false;
	fflush(stdout);
	for (unsigned int i = 0; i < procs; i++) {
		pid_t pid = fork();

		if (pid == 0)
			work((int)i, dir, fds[1]);
		if (pid < 0) {
			printf("fsmodel: fork: %s\n", strerror(errno));
			wait_all(i);
			return false;
		}
	}
	close(fds[1]);
	good = wait_all(procs);
	while (read(fds[0], &n, sizeof(n)) == sizeof(n))
		total += n;
	printf("fsmodel: %u processes, %lu operations, seed %u\n", procs, total,
	       (unsigned int)seed);
	return good && manifest_merge(dir, (int)procs) == 0;
}

static void prepare(const char *dir)
{
	struct dirent *d;
	DIR *top;

	mkdir(dir, 0755);
	top = opendir(dir);
	while (top && (d = readdir(top))) {
		char path[PATH_LEN];

		snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		if (strncmp(d->d_name, "manifest", 8) == 0)
			unlink(path);
		else if (d->d_name[0] == 'p')
			remove_tree(path);
	}
	if (top)
		closedir(top);
}

static int usage(void)
{
	fprintf(stderr, "usage: fsmodel [-v] [-t SECONDS] [-s SEED] [-p PROCS] DIR\n");
	return 2;
}

int main(int argc, char **argv)
{
	bool verify = false, good;
	const char *dir = NULL;
	char full[PATH_LEN];
	int opt;

	while ((opt = getopt(argc, argv, "t:s:p:d:vc")) != -1) {
		if (opt == 't')
			seconds = atoi(optarg);
		else if (opt == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (opt == 'p')
			procs = atoi(optarg);
		else if (opt == 'd')
			dir = optarg;
		else if (opt == 'v' || opt == 'c')
			verify = true;
		else
			return usage();
	}
	if (!dir && optind == argc - 1)
		dir = argv[optind];
	if (!dir || procs == 0)
		return usage();
	if (!verify)
		prepare(dir);
	if (chdir(dir) < 0 || !getcwd(full, sizeof(full))) {
		fprintf(stderr, "fsmodel: %s: %s\n", dir, strerror(errno));
		return 2;
	}
	good = verify ? manifest_verify(full) == 0 : run(full);
	printf("%s\n", good ? "PASS" : "FAIL");
	return !good;
}
