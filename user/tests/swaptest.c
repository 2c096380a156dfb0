// SPDX-License-Identifier: BSD-2-Clause
/*
 * swaptest - memory larger than RAM, every byte checked.
 *
 * usage: swaptest [-k] [-s SEED] [-m MIB] [-p PROCS] [-r ROUNDS] [KIND]...
 *
 * KIND is private, fork, shared, memfd or file; all by default, one after the other; `all` at once; sparse only by name: pages so far apart that
 * each has a page table of its own. MIB (96) in all, among PROCS (4) processes, changed
 * and checked in ROUNDS (2) rounds by sequential, random and Zipf-like access. The seed repeats the choices. -k: the file stays, as swaptest.tmp, as
 * msync left it. Exit status 1 if anything was wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096UL
#define WORDS (PAGE / 8)
#define SPAN  (2UL << 20) /* what one page table maps */

static struct {
	uint64_t seed;
	size_t mib;
	unsigned int procs, rounds;
	int keep;
} opt = {1, 96, 4, 2, 0};

static uint64_t state;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1d;
}

static uint64_t below(uint64_t n)
{
	return (rnd() >> 11) % n;
}

/* What a page holds: made of who wrote it last. Stamp 0: never written, all zero. */
static uint64_t word_of(uint64_t stamp, size_t page, size_t k)
{
	return stamp ? (stamp * 0x9e3779b97f4a7c15 ^ page * 0xff51afd7ed558ccd) + k * stamp : 0;
}

static void fill(uint64_t *p, size_t page, uint64_t stamp)
{
	for (size_t k = 0; k < WORDS; k++)
		p[k] = word_of(stamp, page, k);
}

static int check(const uint64_t *p, size_t page, uint64_t stamp)
{
	for (size_t k = 0; k < WORDS; k++)
		if (p[k] != word_of(stamp, page, k)) {
			printf("# pid %d page %zu word %zu: %#llx, not %#llx (stamp %#llx)\n",
			       getpid(), page, k, (unsigned long long)p[k],
			       (unsigned long long)word_of(stamp, page, k),
			       (unsigned long long)stamp);
			return 1;
		}
	return 0;
}

/* A page by one of three patterns: in order, anywhere, or mostly near the start. */
static size_t choose(unsigned int how, size_t i, size_t n)
{
	if (how == 0)
		return i;
	if (how == 1)
		return below(n);
	size_t k = below(n);

	return k * (below(n) + 1) / n * (below(n) + 1) / n;
}

static size_t stride = WORDS; /* from a page to the next */

/* Pages first, first + step, ... of n are ours: changed and checked against stamps. */
static int work(uint64_t *mem, uint64_t *stamps, size_t n, size_t first, size_t step)
{
	size_t mine = (n - first + step - 1) / step;
	int wrong = 0;

	for (unsigned int r = 0; r < opt.rounds; r++)
		for (unsigned int how = 0; how < 3; how++)
			for (size_t i = 0; i < mine && wrong < 5; i++) {
				size_t page = first + choose(how, i, mine) * step;
				uint64_t *p = mem + page * stride;

				wrong += check(p, page, stamps[page]);
				if (how == 0 || below(3) == 0) {
					stamps[page] = below(8) ? rnd() | 1 : 0;
					fill(p, page, stamps[page]);
				}
			}
	for (size_t page = first; page < n && wrong < 5; page += step)
		wrong += check(mem + page * stride, page, stamps[page]);
	return wrong;
}

static int reap(void)
{
	int status, bad = 0;

	while (waitpid(-1, &status, 0) > 0)
		if (status) {
			printf("# a child ended with status %#x\n", status);
			bad++;
		}
	return bad;
}

static void *map(size_t pages, int flags, int fd)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED) {
		printf("# mmap: %s\n", strerror(errno));
		exit(1);
	}
	return p;
}

static size_t pages_each(void)
{
	return (opt.mib << 20) / PAGE / opt.procs;
}

static int private_memory(void)
{
	for (unsigned int k = 0; k < opt.procs; k++)
		if (fork() == 0) {
			size_t n = pages_each();

			state = opt.seed * 1000 + k + 1;
			exit(work(map(n, MAP_PRIVATE | MAP_ANONYMOUS, -1), calloc(n, 8), n, 0, 1) !=
			     0);
		}
	return reap();
}

/* With their tables these pages are as much memory as those of the others. */
static int sparse_memory(void)
{
	size_t n = pages_each() / 2;
	int bad;

	stride = SPAN / 8;
	for (unsigned int k = 0; k < opt.procs; k++)
		if (fork() == 0) {
			uint64_t *mem = map(n * (SPAN / PAGE),
					    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

			state = opt.seed * 1000 + k + 1;
			exit(work(mem, calloc(n, 8), n, 0, 1) != 0);
		}
	bad = reap();
	stride = WORDS;
	return bad;
}

/* Each of a tree of processes changes its own copies. */
static int grow_tree(uint64_t *mem, uint64_t *stamps, size_t n, unsigned int depth)
{
	int wrong = 0;

	for (unsigned int k = 0; k < 2 && depth; k++)
		if (fork() == 0) {
			state = state * 31 + k + 1;
			exit(grow_tree(mem, stamps, n, depth - 1) != 0);
		}
	for (size_t i = 0; i < n && wrong < 5; i++) {
		size_t page = below(n);

		wrong += check(mem + page * WORDS, page, stamps[page]);
		if (below(4) == 0) {
			stamps[page] = below(8) ? rnd() | 1 : 0;
			fill(mem + page * WORDS, page, stamps[page]);
		}
	}
	for (size_t page = 0; page < n && wrong < 5; page++)
		wrong += check(mem + page * WORDS, page, stamps[page]);
	return wrong + reap();
}

static int fork_tree(void)
{
	size_t n = (opt.mib << 20) / PAGE / 12;
	uint64_t *mem = map(n, MAP_PRIVATE | MAP_ANONYMOUS, -1), *stamps = calloc(n, 8);
	int wrong;

	state = opt.seed * 77 + 5;
	for (size_t page = 0; page < n; page++)
		fill(mem + page * WORDS, page, stamps[page] = rnd() | 1);
	wrong = grow_tree(mem, stamps, n, 4);
	munmap(mem, n * PAGE);
	free(stamps);
	return wrong;
}

/* All write to interleaved pages of the same memory; then one checks it all. */
static int in_common(int flags, int fd)
{
	size_t n = (opt.mib << 20) / PAGE;
	uint64_t *mem = map(n, flags, fd);
	uint64_t *stamps = map((n + WORDS - 1) / WORDS, MAP_SHARED | MAP_ANONYMOUS, -1);
	int wrong;

	for (unsigned int k = 0; k < opt.procs; k++)
		if (fork() == 0) {
			state = opt.seed * 1000 + k + 1;
			exit(work(mem, stamps, n, k, opt.procs) != 0);
		}
	wrong = reap();
	for (size_t page = 0; page < n && wrong < 5; page++)
		wrong += check(mem + page * WORDS, page, stamps[page]);
	if (fd >= 0) {
		static uint64_t buf[WORDS];

		if (msync(mem, n * PAGE, MS_SYNC)) {
			printf("# msync: %s\n", strerror(errno));
			wrong++;
		}
		munmap(mem, n * PAGE);
		for (size_t page = 0; page < n && wrong < 5; page++)
			wrong += pread(fd, buf, PAGE, (off_t)(page * PAGE)) != (ssize_t)PAGE ||
				 check(buf, page, stamps[page]);
		close(fd);
	} else {
		munmap(mem, n * PAGE);
	}
	munmap(stamps, n * 8);
	return wrong;
}

static int shared_memory(void)
{
	return in_common(MAP_SHARED | MAP_ANONYMOUS, -1);
}

static int with_fd(int fd)
{
	if (fd < 0 || ftruncate(fd, (off_t)(opt.mib << 20))) {
		printf("# file: %s\n", strerror(errno));
		return 1;
	}
	return in_common(MAP_SHARED, fd);
}

static int memfd_memory(void)
{
	return with_fd(memfd_create("swaptest", 0));
}

static int file_memory(void)
{
	int fd = open("swaptest.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (!opt.keep)
		unlink("swaptest.tmp");
	return with_fd(fd);
}

static const struct {
	const char *name;
	int (*run)(void);
} kinds[] = {{"private", private_memory}, {"fork", fork_tree},	 {"shared", shared_memory},
	     {"memfd", memfd_memory},	  {"file", file_memory}, {"sparse", sparse_memory}};
#define KINDS 5 /* the last only by name */

static int run_all_at_once(void)
{
	opt.mib /= KINDS;
	for (size_t i = 0; i < KINDS; i++)
		if (fork() == 0)
			exit(kinds[i].run() != 0);
	return reap();
}

static int run(const char *name)
{
	int ran = 0, bad = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (name ? !strcmp(name, kinds[i].name) : i < KINDS) {
			int wrong = kinds[i].run();

			printf("%s - swaptest %s\n", wrong ? "not ok" : "ok", kinds[i].name);
			fflush(stdout);
			ran++;
			bad += wrong != 0;
		}
	if (!ran && !strcmp(name, "all")) {
		bad = run_all_at_once();
		printf("%s - swaptest all at once\n", bad ? "not ok" : "ok");
		ran = 1;
	}
	return ran ? bad : 1;
}

int main(int argc, char **argv)
{
	int c, bad = 0;

	while ((c = getopt(argc, argv, "ks:m:p:r:")) != -1) {
		unsigned long v = strtoul(optarg ? optarg : "0", NULL, 0);

		if (c == 'k')
			opt.keep = 1;
		else if (c == 's')
			opt.seed = v;
		else if (c == 'm')
			opt.mib = v;
		else if (c == 'p')
			opt.procs = v ? (unsigned int)v : 1;
		else if (c == 'r')
			opt.rounds = (unsigned int)v;
		else
			return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# seed %llu, %zu MiB, %u processes\n", (unsigned long long)opt.seed, opt.mib,
	       opt.procs);
	if (optind == argc)
		bad = run(NULL);
	for (; optind < argc; optind++)
		bad += run(argv[optind]);
	return bad != 0;
}
