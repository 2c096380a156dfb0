// SPDX-License-Identifier: BSD-2-Clause
/*
 * scale.c - what two processes get done beside one: page faults, read, pipes.
 *
 * Each worker is bound to a hart of its own and counts what it does in each slot of a few milliseconds (4).  One and two workers take
 * turns for some rounds.  The best slots of each are compared, for two workers those in which both together did most: whatever else
 * runs on the machine only takes away, and a slot is short enough to be spared now and then.
 *
 *	scale [-r rounds] [-t milliseconds] [kind...]
 *
 * fault: first writes to anonymous pages, and their munmap; read: 4 KiB from a cached file of its own;
 * same: the same, both from one file; pipe: 512 bytes into a pipe of its own and out again; user: no kernel at all, which is what the
 * machine itself gives to two beside one.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE	   4096
#define FAULT_SPAN (256 * PAGE)
#define FILE_SIZE  (256 * 1024)
#define WORKERS	   2

#define SLOTS 64
#define BEST  3 /* slots that count */

struct worker {
	volatile int ready;
	unsigned ops[SLOTS + 1]; /* the last one is for what came too late */
};

/* Shared by all processes. */
struct shared {
	volatile double start; /* 0: not yet */
	struct worker worker[WORKERS] __attribute__((aligned(512)));
};

static struct shared *shared;
static double slot_time = 0.004; /* seconds */
static char buf[PAGE];

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* ---- what is counted: each call does some, and says how many ---- */

static int file, ends[2];

static unsigned long do_user(void)
{
	static volatile unsigned long sum;
	unsigned long x = sum;

	for (int i = 0; i < 500; i++) {
		x = x * 6364136223846793005UL + 1;
		if (x >> 63)
			buf[x >> 32 & (PAGE - 1)]++;
	}
	sum = x;
	return 1;
}

static unsigned long do_fault(void)
{
	static char *p;
	static size_t at = FAULT_SPAN;

	if (at == FAULT_SPAN) {
		if (p)
			munmap(p, FAULT_SPAN);
		p = mmap(NULL, FAULT_SPAN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);
		if (p == MAP_FAILED)
			die("mmap");
		at = 0;
	}
	for (size_t end = at + 16 * PAGE; at < end; at += PAGE)
		*(volatile char *)(p + at) = 1;
	return 16;
}

static unsigned long do_read(void)
{
	static off_t at;
	unsigned long n = 0;

	for (; n < 8; n++, at = (at + PAGE) % FILE_SIZE)
		if (pread(file, buf, PAGE, at) != PAGE)
			die("pread");
	return n;
}

static unsigned long do_pipe(void)
{
	for (int i = 0; i < 4; i++)
		if (write(ends[1], buf, 512) != 512 || read(ends[0], buf, 512) != 512)
			die("pipe");
	return 4;
}

static void open_file(int k)
{
	char name[32];

	snprintf(name, sizeof(name), "/tmp/scale.%d", k);
	file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (int i = 0; i < FILE_SIZE / PAGE; i++)
		if (file < 0 || write(file, buf, PAGE) != PAGE)
			die(name);
	unlink(name);
}

static void prepare_own(int k)
{
	open_file(k);
	if (pipe(ends))
		die("pipe");
}

static void prepare_same(int k)
{
	(void)k; /* the parent opened it */
}

static const struct kind {
	const char *name;
	void (*prepare)(int k);
	unsigned long (*run)(void);
} kinds[] = {
	{"user", prepare_same, do_user}, {"fault", prepare_same, do_fault},
	{"read", prepare_own, do_read},	 {"same", prepare_same, do_read},
	{"pipe", prepare_own, do_pipe},
};

/* ---- rounds ---- */

static void bind_to(int k)
{
	unsigned long mask[16] = {0}, all[16] = {0};
	int left = k;

	/* the k-th hart of those we may use */
	if (sched_getaffinity(0, sizeof(all), (void *)all))
		die("sched_getaffinity");
	for (unsigned i = 0; i < sizeof(all) * 8; i++)
		if ((all[i / 64] >> i % 64 & 1) && left-- == 0)
			mask[i / 64] = 1UL << i % 64;
	if (left >= 0) {
		fprintf(stderr, "scale: fewer than %d harts\n", k + 1);
		exit(2);
	}
	if (sched_setaffinity(0, sizeof(mask), (void *)mask))
		die("sched_setaffinity");
}

static void work(const struct kind *kind, int k)
{
	struct worker *w = &shared->worker[k];
	double start;
	int slot = 0;

	bind_to(k);
	kind->prepare(k);
	kind->run();
	w->ready = 1;
	while ((start = shared->start) == 0)
		;
	while (slot < SLOTS) {
		unsigned long n = kind->run();

		slot = (int)((now() - start) / slot_time);
		w->ops[slot < SLOTS ? slot : SLOTS] += n;
	}
	exit(0);
}

/* The most done in a slot, by all together; the first slot and the last are not whole. */
static void note_best(unsigned long best[BEST])
{
	for (int i = 1; i < SLOTS - 1; i++) {
		unsigned long n = 0;

		for (int k = 0; k < WORKERS; k++)
			n += shared->worker[k].ops[i];
		for (int b = 0; b < BEST; b++)
			if (n > best[b]) {
				unsigned long less = best[b];

				best[b] = n;
				n = less;
			}
	}
}

static void measure(const struct kind *kind, int n, unsigned long best[BEST])
{
	int failed = 0;

	memset(shared, 0, sizeof(*shared));
	for (int k = 0; k < n; k++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			work(kind, k);
	}
	for (int k = 0; k < n; k++)
		while (!shared->worker[k].ready) {
			if (waitpid(-1, NULL, WNOHANG) > 0)
				exit(2); /* it said why */
			usleep(1000);
		}
	shared->start = now();
	for (int k = 0; k < n; k++) {
		int status;

		if (wait(&status) < 0 || status)
			failed = 1;
	}
	if (failed)
		exit(2);
	note_best(best);
}

static void run(const struct kind *kind, int rounds)
{
	unsigned long best[WORKERS + 1][BEST] = {{0}};
	double rate[WORKERS + 1] = {0};

	for (int r = 0; r < rounds; r++)
		for (int n = 1; n <= WORKERS; n++)
			measure(kind, n, best[n]);
	for (int n = 1; n <= WORKERS; n++)
		for (int b = 0; b < BEST; b++)
			rate[n] += best[n][b] / slot_time / BEST;
	printf("%-6s one %9.0f/s two %9.0f/s ratio %.2f\n", kind->name, rate[1], rate[2],
	       rate[2] / rate[1]);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int rounds = 10, c;

	while ((c = getopt(argc, argv, "r:t:")) != -1) {
		if (c == 'r')
			rounds = atoi(optarg);
		else if (c == 't' && atoi(optarg) > 0)
			slot_time = atoi(optarg) / 1000.0;
		else
			return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("mmap");
	open_file(WORKERS);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int want = optind == argc;

		for (int a = optind; a < argc; a++)
			want |= !strcmp(argv[a], kinds[i].name);
		if (want)
			run(&kinds[i], rounds);
	}
	return 0;
}
