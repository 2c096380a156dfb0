// SPDX-License-Identifier: BSD-2-Clause
/*
 * crashload - a load for a machine whose power is cut, which keeps a record of what was promised.
 *
 * usage: crashload [-p PROCS] [-s SEED] [-t SECONDS] DIR DEVICE
 *
 * Each process works in a directory of its own and writes its record to its own megabyte of the device (a partition without a
 * file system), one sector a line, each on stable storage before the process goes on:
 *
 *	keep PATH SIZE SEED FROM TO	fsync, or a write with O_SYNC, returned 0: the file is there, with these contents
 *	any PATH			from now on whatever happens to it
 *	either PATH PATH2		being renamed: under the one name or the other
 *
 * Byte i of a file is a function of its seed and i (tests/boot/test_crash.py knows it), or zero from FROM up to TO, which fallocate made or punched.
 * Some are written past the page cache.  Names that are in no line are free to come and go.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILES	 24
#define REGION	 (1024 * 1024)
#define SECTOR	 512
#define MAX_SIZE 60000
#define PAGE	 4096u
#define ROOM	 (64u << 10) /* whole pages for MAX_SIZE */
#ifndef O_DIRECT
#define O_DIRECT 040000
#endif
#ifndef FALLOC_FL_KEEP_SIZE
#define FALLOC_FL_KEEP_SIZE  1
#define FALLOC_FL_PUNCH_HOLE 2
#endif

struct file {
	char name[24]; /* "": does not exist */
	uint32_t size, seed;
	uint32_t from, to; /* zero between */
};

static struct file files[FILES];
static uint32_t random_state;
static int device;
static off_t record, record_end;
static unsigned int procs = 4, seconds = 20;

static uint32_t pick(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % below;
}

static void must(int good, const char *what)
{
	if (good)
		return;
	printf("crashload: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void note(const char *format, ...)
{
	char line[SECTOR] = {0};
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (record >= record_end) /* the record is full: done */
		_exit(0);
	must(pwrite(device, line, SECTOR, record) == SECTOR, "record");
	must(fsync(device) == 0, "fsync of the record");
	record += SECTOR;
}

static uint8_t byte_at(uint32_t seed, uint32_t at)
{
	uint32_t x = (seed + at / 4) * 2654435761u;

	x ^= x >> 15;
	return (uint8_t)(x >> at % 4 * 8);
}

static void fill(int fd, uint32_t seed, uint32_t from, uint32_t to)
{
	static uint8_t buf[4096];
	uint32_t n, k;

	for (; from < to; from += n) {
		n = to - from < sizeof(buf) ? to - from : sizeof(buf);
		for (k = 0; k < n; k++)
			buf[k] = byte_at(seed, from + k);
		must(pwrite(fd, buf, n, from) == (ssize_t)n, "write");
	}
}

static void keep(const struct file *f, int fd)
{
	must(fsync(fd) == 0, "fsync");
	note("keep %s %u %u %u %u", f->name, f->size, f->seed, f->from, f->to);
}

/* From a page on, past the page cache; what lies behind `to` in the last page is cut off. */
static void fill_direct(const struct file *f, uint32_t from, uint32_t to, int flags)
{
	static uint8_t buf[ROOM] __attribute__((aligned(PAGE)));
	uint32_t end = (to + PAGE - 1) & -PAGE, at;
	int fd = open(f->name, O_RDWR | O_DIRECT | flags, 0600);

	must(fd >= 0, "open with O_DIRECT");
	for (at = from; at < end; at++)
		buf[at - from] = byte_at(f->seed, at);
	for (at = from; at < end;) {
		uint32_t n = PAGE * (1 + pick(4));

		n = n < end - at ? n : end - at;
		must(pwrite(fd, buf + (at - from), n, at) == (ssize_t)n, "direct write");
		at += n;
	}
	must(ftruncate(fd, to) == 0, "truncate");
	close(fd);
}

/* All of a file at once past the cache, with O_SYNC or an fsync of another descriptor; whole pages, so that nothing has to be cut afterwards. */
static void direct_file(struct file *f, int fd)
{
	int sync = pick(2);

	f->size = PAGE * (1 + pick(ROOM / PAGE - 2));
	fill_direct(f, 0, f->size, sync ? O_SYNC : 0);
	if (sync) /* what O_SYNC confirmed needs no fsync; ftruncate to the same size changed nothing but times */
		note("keep %s %u %u 0 0", f->name, f->size, f->seed);
	else
		keep(f, fd);
}

/* Blocks first, bytes later, but for a stretch; or all of it, and then a hole. */
static void allocated_file(struct file *f, int fd)
{
	int hole = pick(2);

	f->size = PAGE + pick(MAX_SIZE - PAGE);
	f->from = pick(f->size);
	f->to = f->from + 1 + pick(f->size - f->from);
	if (pick(2)) { /* within a size that is there, or beyond it */
		must(ftruncate(fd, f->size) == 0, "truncate");
		must(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, f->size) == 0, "fallocate");
	} else {
		must(fallocate(fd, 0, 0, f->size + pick(3) * PAGE) == 0, "fallocate");
		must(ftruncate(fd, f->size) == 0, "truncate");
	}
	if (pick(3) == 0) /* that much is there, and nothing in it */
		note("keep %s %u %u 0 %u", f->name, fsync(fd) ? 0 : f->size, f->seed, f->size);
	note("any %s", f->name);
	if (hole) {
		fill(fd, f->seed, 0, f->size);
		if (pick(2))
			must(fsync(fd) == 0, "fsync");
		must(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, f->from,
			       f->to - f->from) == 0,
		     "punch");
	} else {
		fill(fd, f->seed, 0, f->from);
		fill(fd, f->seed, f->to, f->size);
	}
	keep(f, fd);
}

static void space_file(struct file *f)
{
	int fd;

	if (f->name[0])
		note("any %s", f->name);
	else
		snprintf(f->name, sizeof(f->name), "f%d.%u", (int)(f - files), pick(1000));
	fd = open(f->name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0, "open");
	f->seed = random_state;
	f->from = f->to = 0;
	if (pick(2))
		direct_file(f, fd);
	else
		allocated_file(f, fd);
	close(fd);
}

/* New contents, or more of the same. */
static void write_file(struct file *f)
{
	int more = f->name[0] && pick(2), fd;
	uint32_t from = more ? f->size : 0;

	if (f->name[0])
		note("any %s", f->name);
	else
		snprintf(f->name, sizeof(f->name), "f%d.%u", (int)(f - files), pick(1000));
	fd = open(f->name, O_RDWR | O_CREAT, 0600);
	must(fd >= 0, "open");
	if (!more) {
		f->seed = random_state;
		f->size = f->from = f->to = 0;
		must(ftruncate(fd, 0) == 0, "truncate");
	}
	f->size = from + 1 + pick(pick(4) ? 3000 : 40000);
	if (f->size > MAX_SIZE)
		f->size = MAX_SIZE > from ? MAX_SIZE : from;
	if (from % PAGE == 0 && from < f->size && pick(2))
		fill_direct(f, from, f->size, 0);
	else
		fill(fd, f->seed, from, f->size);
	if (pick(4))
		keep(f, fd);
	close(fd);
}

static void cut_file(struct file *f)
{
	int fd;

	note("any %s", f->name);
	fd = open(f->name, O_RDWR);
	must(fd >= 0, "open");
	f->size = pick(f->size + 1);
	if (f->to > f->size)
		f->to = f->size;
	must(ftruncate(fd, f->size) == 0, "truncate");
	keep(f, fd);
	close(fd);
}

static void remove_file(struct file *f)
{
	note("any %s", f->name);
	must(unlink(f->name) == 0, "unlink");
	f->name[0] = 0;
}

static void sync_file(struct file *f)
{
	int fd = open(f->name, O_RDWR);

	must(fd >= 0, "open");
	keep(f, fd);
	close(fd);
}

/* To a new name. */
static void rename_file(struct file *f)
{
	char name[24];

	snprintf(name, sizeof(name), "%sf%d.%.*u", pick(3) ? "" : "sub/", (int)(f - files),
		 1 + (int)pick(8), pick(1000));
	if (strcmp(name, f->name) == 0)
		return;
	note("either %s %s", f->name, name);
	must(rename(f->name, name) == 0, "rename");
	strcpy(f->name, name);
}

/* In the place of another, as editors save: the name has the old or the new contents at every moment. */
static void replace_file(struct file *f)
{
	uint32_t seed = random_state, size = 1 + pick(20000);
	int fd = open("new", O_RDWR | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0, "open");
	fill(fd, seed, 0, size);
	must(fsync(fd) == 0, "fsync");
	close(fd);
	note("replace %s %u %u", f->name, size, seed);
	must(rename("new", f->name) == 0, "rename");
	f->size = size;
	f->seed = seed;
	f->from = f->to = 0;
}

/* Names that nobody asks for afterwards: directories in directories with files, links, and away with all. */
static void churn(void)
{
	char path[64];
	uint32_t n = pick(5), k;
	int fd;

	mkdir("t", 0700);
	mkdir("t/t", 0700);
	mkdir("t/t/t", 0700);
	for (k = 0; k < n; k++) {
		snprintf(path, sizeof(path), "t/%s%u", k % 2 ? "t/" : "t/t/", k);
		fd = open(path, O_RDWR | O_CREAT, 0600);
		if (fd < 0)
			continue;
		fill(fd, k, 0, pick(9000));
		close(fd);
		if (link(path, "t/link"))
			unlink("t/link");
	}
	symlink("somewhere that is too far away for the inode itself: so it gets a block of its own",
		"t/s");
	if (pick(2))
		return;
	for (k = 0; k < 5; k++) {
		snprintf(path, sizeof(path), "t/%s%u", k % 2 ? "t/" : "t/t/", k);
		unlink(path);
	}
	unlink("t/s");
	unlink("t/link");
	rmdir("t/t/t");
	rmdir("t/t");
	rmdir("t");
}

static void step(void)
{
	struct file *f = &files[pick(FILES)];
	uint32_t op = pick(100);

	if (op >= 84 || (!f->name[0] && op % 3 == 0))
		space_file(f);
	else if (!f->name[0] || op < 25)
		write_file(f);
	else if (op < 35)
		cut_file(f);
	else if (op < 45)
		remove_file(f);
	else if (op < 55)
		sync_file(f);
	else if (op < 66)
		rename_file(f);
	else if (op < 74)
		replace_file(f);
	else
		churn();
}

static void work(const char *dir, unsigned int number, uint32_t seed)
{
	time_t end = time(NULL) + seconds;
	char name[16];

	random_state = seed * 2654435761u + number * 40503u + 1;
	record = (off_t)number * REGION;
	record_end = record + REGION;
	snprintf(name, sizeof(name), "p%u", number);
	must(chdir(dir) == 0, "chdir");
	mkdir(name, 0700);
	must(chdir(name) == 0, "chdir");
	mkdir("sub", 0700);
	while (time(NULL) < end)
		step();
	_exit(0);
}

int main(int argc, char **argv)
{
	uint32_t seed = 1;
	unsigned int k;
	int c, status, failed = 0;

	while ((c = getopt(argc, argv, "p:s:t:")) != -1) {
		if (c == 'p')
			procs = (unsigned int)atoi(optarg);
		else if (c == 's')
			seed = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 't')
			seconds = (unsigned int)atoi(optarg);
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: crashload [-p PROCS] [-s SEED] [-t SECONDS] DIR DEVICE\n");
		return 2;
	}
	device = open(argv[optind + 1], O_RDWR);
	must(device >= 0, argv[optind + 1]);
	for (k = 0; k < procs; k++)
		if (fork() == 0)
			work(argv[optind], k, seed);
	while (wait(&status) > 0)
		failed |= status != 0;
	printf("crashload: %s\n", failed ? "FAIL" : "done");
	return failed;
}
