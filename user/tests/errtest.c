// SPDX-License-Identifier: BSD-2-Clause
/*
 * errtest - files on a disk that fails writes for a while, against what they should hold.
 *
 * usage: errtest [-s SEED] [-r ROUNDS] load DIR MODEL	random changes and fsyncs; then fsync until every one succeeds; MODEL gets what
 *							the files hold then
 *	  errtest check DIR MODEL			they hold just that
 *
 * Of an error each open file is told once: a file is open twice, and when the one's fsync succeeds at last the other's has at most one left.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES	 12
#define MOST	 (96UL << 10)
#define PAGE	 4096UL
#define PATIENCE 3000 /* rounds of fsync until the disk must be good again */

struct file {
	int fd, other;
	size_t size;
	uint8_t bytes[MOST];
};

static struct file files[FILES];
static uint32_t state = 1, told, told_other;

static uint32_t pick(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % below;
}

static void must(int good, const char *what)
{
	if (good)
		return;
	printf("errtest: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(1);
}

static const char *name_of(int k)
{
	static char name[16];

	snprintf(name, sizeof(name), "e%d", k);
	return name;
}

static void open_file(int k)
{
	files[k].fd = open(name_of(k), O_RDWR | O_CREAT, 0600);
	must(files[k].fd >= 0, "open");
	files[k].other = open(name_of(k), O_RDONLY);
	must(files[k].other >= 0, "open");
	files[k].size = 0;
	memset(files[k].bytes, 0, MOST);
}

static void change(struct file *f)
{
	size_t at = pick(MOST - 20000), n = 1 + pick(pick(2) ? 600 : 20000);

	for (size_t i = at; i < at + n; i++)
		f->bytes[i] = (uint8_t)(state + i * 7);
	must(pwrite(f->fd, f->bytes + at, n, at) == (ssize_t)n, "write");
	if (f->size < at + n)
		f->size = at + n;
}

static void store(struct file *f)
{
	size_t at, page;
	uint8_t *map;

	if (!f->size)
		return;
	at = pick(f->size);
	page = at & ~(PAGE - 1);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, page);
	must(map != MAP_FAILED, "mmap");
	map[at - page] = f->bytes[at] = (uint8_t)state;
	if (pick(3) == 0 && msync(map, PAGE, MS_SYNC) < 0) {
		must(errno == EIO, "msync");
		told++;
		map[at - page] = ++f->bytes[at]; /* while its page could not be written */
	}
	munmap(map, PAGE);
}

static void cut(struct file *f)
{
	size_t size = pick(f->size + 1);

	must(ftruncate(f->fd, size) == 0, "ftruncate");
	memset(f->bytes + size, 0, MOST - size);
	f->size = size;
}

/* A file without a name whose pages perhaps cannot be written is no matter: nor is the new one's name, before its fsync. */
static void replace(int k)
{
	must(unlink(name_of(k)) == 0, "unlink");
	close(files[k].fd);
	close(files[k].other);
	open_file(k);
}

static int sync_one(int fd, uint32_t *count)
{
	if (fsync(fd) == 0)
		return 0;
	must(errno == EIO, "fsync");
	(*count)++;
	return 1;
}

static void round_of(int k)
{
	switch (pick(12)) {
	case 0:
		cut(&files[k]);
		break;
	case 1:
		replace(k);
		break;
	case 2:
	case 3:
	case 4:
		store(&files[k]);
		break;
	case 5:
	case 6:
		sync_one(files[k].fd, &told);
		break;
	case 7:
		sync(); /* must not take away what fsync has to tell */
		break;
	default:
		change(&files[k]);
	}
}

static void save(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0, path);
	for (int k = 0; k < FILES; k++) {
		must(write(fd, &files[k].size, sizeof(size_t)) == sizeof(size_t), path);
		must(write(fd, files[k].bytes, MOST) == (ssize_t)MOST, path);
	}
	must(fsync(fd) == 0, path);
	close(fd);
}

static int load(const char *path, uint32_t rounds)
{
	uint32_t failed = 1, tries;

	for (int k = 0; k < FILES; k++)
		open_file(k);
	for (uint32_t i = 0; i < rounds; i++)
		round_of((int)pick(FILES));
	for (tries = 0; failed && tries < PATIENCE; tries++) {
		failed = 0;
		for (int k = 0; k < FILES; k++)
			failed += sync_one(files[k].fd, &told);
	}
	for (int k = 0; k < FILES; k++) {
		if (sync_one(files[k].other, &told_other) && sync_one(files[k].other, &failed))
			printf("errtest: file %d: told of an error twice\n", k);
	}
	save(path);
	printf("errtest: %s: told %u times, others %u times\n", failed ? "FAIL" : "done", told,
	       told_other);
	return failed != 0;
}

static int check(const char *path)
{
	static uint8_t have[MOST + 1], want[MOST];
	int fd = open(path, O_RDONLY), bad = 0, file;
	size_t size;
	ssize_t n;

	must(fd >= 0, path);
	for (int k = 0; k < FILES; k++) {
		must(read(fd, &size, sizeof(size)) == sizeof(size), path);
		must(read(fd, want, MOST) == (ssize_t)MOST, path);
		file = open(name_of(k), O_RDONLY);
		n = file < 0 ? -1 : read(file, have, sizeof(have));
		if (n != (ssize_t)size || memcmp(have, want, size)) {
			printf("errtest: file %d has %zd bytes, not those %zu\n", k, n, size);
			bad = 1;
		}
		close(file);
	}
	printf("errtest: %s\n", bad ? "FAIL" : "good");
	return bad;
}

int main(int argc, char **argv)
{
	uint32_t rounds = 400;
	int c;

	while ((c = getopt(argc, argv, "s:r:")) != -1) {
		if (c == 's')
			state = (uint32_t)strtoul(optarg, NULL, 0) * 2654435761u | 1;
		else if (c == 'r')
			rounds = (uint32_t)atoi(optarg);
	}
	if (argc - optind != 3) {
		fprintf(stderr, "usage: errtest [-s SEED] [-r ROUNDS] load|check DIR MODEL\n");
		return 2;
	}
	must(chdir(argv[optind + 1]) == 0, argv[optind + 1]);
	return strcmp(argv[optind], "load") ? check(argv[optind + 2])
					    : load(argv[optind + 2], rounds);
}
