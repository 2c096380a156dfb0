// SPDX-License-Identifier: BSD-2-Clause
/*
 * fptest - floating-point registers over context switches, signals, fork and system calls.
 *
 * Prints TAP. Each process fills f0..f31 and fcsr with values of its own, stays in user mode
 * long enough to be preempted, and compares.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 6
#define ROUNDS	  40

struct fpu {
	uint64_t f[32];
	uint64_t fcsr;
};

static volatile int signals;

/* fld or fsd of all registers at the address in `base`. */
#define FOR_ALL(op, base)                                                     \
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22," \
	"23,24,25,26,27,28,29,30,31\n" op " f\\n, 8*\\n(" base ")\n"          \
	".endr\n"
#define CLOBBERS                                                                                \
	"f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12", "f13", \
		"f14", "f15", "f16", "f17", "f18", "f19", "f20", "f21", "f22", "f23", "f24",    \
		"f25", "f26", "f27", "f28", "f29", "f30", "f31", "memory"

static void fill(struct fpu *s, unsigned int seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15 + 1;

	for (int i = 0; i < 32; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		s->f[i] = x;
	}
	s->fcsr = x >> 40 & 0x1f; /* the flags; rounding to nearest */
}

/* Loads the registers from s, spins, makes so many system calls, stores them to out. */
static void hold(struct fpu *s, struct fpu *out, long spin, long calls)
{
	__asm__ volatile(
		"fscsr %4\n" FOR_ALL("fld", "%2") "1: addi %0, %0, -1\n"
						  "bnez %0, 1b\n"
						  "2: beqz %1, 3f\n"
						  "li a7, 124\n" /* sched_yield */
						  "ecall\n"
						  "addi %1, %1, -1\n"
						  "j 2b\n"
						  "3:\n" FOR_ALL("fsd", "%3") "frcsr t1\n"
									      "sd t1, 256(%3)\n"
		: "+&r"(spin), "+&r"(calls)
		: "r"(s), "r"(out), "r"(s->fcsr)
		: "a0", "a7", "t1", CLOBBERS);
}

static int same(const struct fpu *a, const struct fpu *b)
{
	if (memcmp(a, b, sizeof(*a)) == 0)
		return 1;
	for (int i = 0; i < 32; i++) {
		if (a->f[i] != b->f[i])
			printf("# f%d: %#lx, not %#lx\n", i, (long)b->f[i], (long)a->f[i]);
	}
	if (a->fcsr != b->fcsr)
		printf("# fcsr: %#lx, not %#lx\n", (long)b->fcsr, (long)a->fcsr);
	return 0;
}

static int rounds(unsigned int seed, long calls)
{
	struct fpu want, got;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		fill(&want, seed + i);
		hold(&want, &got, 200000, calls);
		if (!same(&want, &got))
			return 0;
	}
	return 1;
}

/* ---- the tests ------------------------------------------------------------------- */

static int in_processes(int (*test)(unsigned int))
{
	int good = 1;

	fflush(stdout);
	for (unsigned int i = 0; i < PROCESSES; i++) {
		if (fork() == 0) {
			int ok = test(i * 1000);

			fflush(stdout);
			_exit(!ok);
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		good &= wait(&status) > 0 && status == 0;
	}
	return good;
}

static int switches(unsigned int seed)
{
	return rounds(seed, 0);
}

static int calls(unsigned int seed)
{
	return rounds(seed, 3);
}

/* The handler fills the registers with others; afterwards one's own are back. */
static void on_alarm(int sig)
{
	struct fpu other, out;

	fill(&other, sig + signals);
	hold(&other, &out, 100, 0);
	signals++;
}

static int handlers(unsigned int seed)
{
	const struct itimerval often = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
	int good;

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &often, NULL);
	good = rounds(seed, 0);
	while (good && signals < 3)
		good = rounds(seed + 7, 0);
	setitimer(ITIMER_REAL, &off, NULL);
	return good;
}

/* fork in the middle: both sides go on with the registers as they were. */
static int fork_keeps(unsigned int seed)
{
	struct fpu want, got;
	long pid;
	int status;

	fill(&want, seed);
	__asm__ volatile(
		"fscsr %3\n" FOR_ALL("fld", "%1") "li a0, 17\n" /* SIGCHLD */
						  "li a1, 0\n"
						  "li a2, 0\n"
						  "li a3, 0\n"
						  "li a4, 0\n"
						  "li a7, 220\n" /* clone */
						  "ecall\n" FOR_ALL("fsd", "%2") "frcsr t1\n"
										 "sd t1, 256(%2)\n"
										 "mv %0, a0\n"
		: "=&r"(pid)
		: "r"(&want), "r"(&got), "r"(want.fcsr)
		: "a0", "a1", "a2", "a3", "a4", "a7", "t1", CLOBBERS);
	if (pid == 0)
		_exit(!same(&want, &got));
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 && same(&want, &got);
}

/* A new program begins with a clean fcsr and registers that tell it nothing. */
static int exec_clears(unsigned int seed)
{
	struct fpu dirty, got;
	int status;
	pid_t pid;

	fill(&dirty, seed);
	dirty.fcsr = 0x1f;
	hold(&dirty, &got, 1, 0);
	__asm__ volatile("fscsr %0" : : "r"(0x7fL));
	pid = vfork();
	if (pid == 0) {
		execl("/proc/self/exe", "fptest", "--fresh", (char *)NULL);
		_exit(0);
	}
	__asm__ volatile("fscsr zero");
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static int is_fresh(void)
{
	long fcsr;

	__asm__ volatile("frcsr %0" : "=r"(fcsr));
	return fcsr == 0;
}

static const struct {
	const char *name;
	int (*run)(unsigned int seed);
} tests[] = {
	{"context switches", switches},	   {"system calls", calls},
	{"signal handlers", handlers},	   {"fork", fork_keeps},
	{"exec clears fcsr", exec_clears},
};

int main(int argc, char **argv)
{
	const int count = sizeof(tests) / sizeof(tests[0]);
	int failed = 0;

	if (argc > 1 && strcmp(argv[1], "--fresh") == 0)
		return !is_fresh();
	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		int good = in_processes(tests[i].run);

		printf("%sok %d - %s\n", good ? "" : "not ", i + 1, tests[i].name);
		failed += !good;
	}
	return failed != 0;
}
