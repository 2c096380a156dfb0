// SPDX-License-Identifier: BSD-2-Clause
/*
 * scale.c - what two processes get done beside one: page faults, read, pipes.
 *
 * Two workers, each bound to a hart of its own, take turns in slots of some milliseconds: first alone, both, second alone, both, and
 * so on.  What is done in two slots with both is compared with what was done in the two alone right beside them, so that a machine
 * whose speed changes from one second to the next changes it for both; the ratio printed is the median of all such fours, with the
 * quartiles, and the rates are medians too.
 *
 *	scale [-r fours] [-t milliseconds] [kind...]
 *
 * fault: first writes to anonymous pages, and their munmap; read: 4 KiB from a cached file of its own;
 * same: the same, both from one file; pipe: 512 bytes into a pipe of its own and out again; call: a system call that does nothing;
 * user: no kernel at all, which is what the machine itself gives to two beside one.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
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

#define TURNS	4 /* slots after which all begins again: 0 alone, both, 1 alone, both */
#define WARM_UP 8 /* this part of a slot is not counted */

/* Shared by all processes. */
struct shared {
	volatile int ready[WORKERS];
	volatile double start;				      /* 0: not yet */
	unsigned ops[][WORKERS] __attribute__((aligned(64))); /* of each slot */
};

static struct shared *shared;
static double slot_time = 0.008; /* seconds */
static int fours = 100;
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

static unsigned long do_call(void)
{
	for (int i = 0; i < 8; i++)
		getppid();
	return 8;
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
	{"user", prepare_same, do_user},   {"call", prepare_same, do_call},
	{"fault", prepare_same, do_fault}, {"read", prepare_own, do_read},
	{"same", prepare_same, do_read},   {"pipe", prepare_own, do_pipe},
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

static void sleep_until(double t)
{
	struct timespec when = {(time_t)t, (long)((t - (time_t)t) * 1e9)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL))
		;
}

/* Slots in which worker @k works. */
static int has_turn(int k, int slot)
{
	return slot % 2 || slot % TURNS == 2 * k;
}

static void work(const struct kind *kind, int k)
{
	double start;

	bind_to(k);
	kind->prepare(k);
	kind->run();
	shared->ready[k] = 1;
	while ((start = shared->start) == 0)
		usleep(1000);
	for (int slot = 0; slot < fours * TURNS; slot++) {
		double from = start + slot * slot_time, to = from + slot_time, t;
		unsigned long n = 0;

		if (!has_turn(k, slot))
			continue;
		sleep_until(from);
		while ((t = now()) < from + slot_time / WARM_UP)
			kind->run();
		for (; t < to; t = now())
			n += kind->run();
		shared->ops[slot][k] = n;
	}
	exit(0);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which @part of all are; sorts them. */
static double quantile(double *values, int n, double part)
{
	qsort(values, n, sizeof(*values), compare);
	return values[(int)((n - 1) * part + 0.5)];
}

static void report(const char *name)
{
	double *one = calloc(3 * fours, sizeof(*one)), *two = one + fours, *ratio = two + fours;
	double counted = 2 * slot_time * (1 - 1.0 / WARM_UP);
	int n = 0;

	if (!one)
		die("calloc");
	for (int i = 0; i < fours; i++) {
		unsigned(*ops)[WORKERS] = shared->ops + i * TURNS;

		one[n] = ops[0][0] + ops[2][1];
		two[n] = ops[1][0] + ops[1][1] + ops[3][0] + ops[3][1];
		ratio[n] = two[n] / one[n];
		n += one[n] > 0; /* else the machine slept */
	}
	if (!n) {
		fprintf(stderr, "scale: nothing was done alone\n");
		exit(2);
	}
	printf("%-6s one %9.0f/s two %9.0f/s ratio %.2f (%.2f to %.2f)\n", name,
	       quantile(one, n, 0.5) / counted, quantile(two, n, 0.5) / counted,
	       quantile(ratio, n, 0.5), quantile(ratio, n, 0.25), quantile(ratio, n, 0.75));
	fflush(stdout);
	free(one);
}

/* Workers wait for the start: the @n that there are must not be left to it. */
static void give_up(const pid_t *pid, int n)
{
	if (n < WORKERS)
		perror("fork");
	for (int k = 0; k < n; k++) {
		kill(pid[k], SIGKILL);
		waitpid(pid[k], NULL, 0);
	}
	exit(2);
}

static void run(const struct kind *kind)
{
	pid_t pid[WORKERS];
	int failed = 0;

	shared->start = 0;
	for (int k = 0; k < WORKERS; k++) {
		shared->ready[k] = 0;
		pid[k] = fork();
		if (!pid[k])
			work(kind, k);
		if (pid[k] < 0)
			give_up(pid, k);
	}
	for (int k = 0; k < WORKERS; k++)
		while (!shared->ready[k]) {
			if (waitpid(pid[k], NULL, WNOHANG))
				give_up(pid, WORKERS); /* it said why */
			usleep(1000);
		}
	shared->start = now() + 0.01;
	for (int k = 0; k < WORKERS; k++) {
		int status;

		if (wait(&status) < 0 || status)
			failed = 1;
	}
	if (failed)
		exit(2);
	report(kind->name);
}

int main(int argc, char **argv)
{
	size_t size;
	int c;

	while ((c = getopt(argc, argv, "r:t:")) != -1) {
		if (c == 'r' && atoi(optarg) > 0)
			fours = atoi(optarg);
		else if (c == 't' && atoi(optarg) > 0)
			slot_time = atoi(optarg) / 1000.0;
		else
			return 2;
	}
	size = sizeof(*shared) + sizeof(shared->ops[0]) * fours * TURNS;
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	memset(shared, 0, size);
	open_file(WORKERS);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int want = optind == argc;

		for (int a = optind; a < argc; a++)
			want |= !strcmp(argv[a], kinds[i].name);
		if (want)
			run(&kinds[i]);
	}
	return 0;
}
