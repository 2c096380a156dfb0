// SPDX-License-Identifier: BSD-2-Clause
/*
 * stress - random work in many processes at once, verified as it goes; prints TAP.
 *
 * usage: stress [-t SECONDS] [-s SEED] [-p PROCS] [-m MIB] [KIND]...
 *
 * KIND is anon, fork, file, tmpfs, pipe, sig or exec; all of them by default, at the same time, in
 * PROCS (2) processes each, with MIB (16) of memory between them, for SECONDS (10). SEED (1)
 * repeats the choices, though not how the processes interleave. Ends with PASS or FAIL.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/tests/stress/stress.h"

static const struct kind {
	const char *name, *unit;
	void (*run)(struct job *j);
} kinds[] = {
	{"anon", "operations on mappings", stress_anon},
	{"fork", "processes", stress_fork},
	{"file", "accesses to a file", stress_file},
	{"tmpfs", "accesses to files", stress_tmpfs},
	{"pipe", "kilobytes", stress_pipe},
	{"sig", "signals", stress_sig},
	{"exec", "programs", stress_exec},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct {
	unsigned int seconds, procs;
	uint32_t seed;
	size_t mib;
} options = {10, 2, 1, 16};

static struct timespec end;

bool time_is_over(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec > end.tv_sec || (ts.tv_sec == end.tv_sec && ts.tv_nsec >= end.tv_nsec);
}

uint32_t pick(struct job *j, uint32_t below)
{
	uint32_t x = j->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	j->random = x;
	return (uint32_t)((uint64_t)x * below >> 32);
}

void bad(struct job *j, const char *format, ...)
{
	int error = errno;
	char text[300];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	printf("# %s %u after %lu: %s (errno %d)\n", j->kind, j->number, *j->count, text, error);
	fflush(stdout);
	_exit(1);
}

void expect_exit(struct job *j, int pid, int want)
{
	int status, got;

	while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (got != pid || !WIFEXITED(status) || WEXITSTATUS(status) != want)
		bad(j, "child %d: wait gave %d, status %#x, not exit %d", pid, got, status, want);
}

char *map_or_die(struct job *j, size_t size, int flags)
{
	char *p = mmap(NULL, size, RW, flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bad(j, "mmap of %zu", size);
	return p;
}

/* ---- running ---------------------------------------------------------------------- */

struct running {
	const struct kind *kind;
	unsigned long *counts;
	pid_t *pids;
	char *shared;
};

static void *shared_memory(size_t size)
{
	void *p = mmap(NULL, size, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		printf("Bail out! no memory\n");
		exit(1);
	}
	return p;
}

static void start(struct running *r, size_t memory)
{
	r->counts = shared_memory(options.procs * sizeof(*r->counts));
	r->shared = shared_memory(SHARED_SIZE);
	r->pids = calloc(options.procs, sizeof(*r->pids));
	for (unsigned int i = 0; r->pids && i < options.procs; i++) {
		struct job j = {
			.kind = r->kind->name,
			.number = i,
			.members = options.procs,
			.random = (options.seed + i * 7919 + (uint32_t)(r->kind - kinds) * 104729) *
					  2654435761U |
				  1,
			.memory = memory,
			.shared = r->shared,
			.count = &r->counts[i],
		};

		r->pids[i] = fork();
		if (r->pids[i] == 0) {
			setpgid(0, 0);
			r->kind->run(&j);
			_exit(0);
		}
		if (r->pids[i] < 0)
			printf("# %s %u: fork: %s\n", j.kind, i, strerror(errno));
	}
}

static bool finish(struct running *r)
{
	bool good = r->pids != NULL;

	for (unsigned int i = 0; good && i < options.procs; i++) {
		int status = -1;

		if (r->pids[i] < 0 || waitpid(r->pids[i], &status, 0) != r->pids[i] ||
		    status != 0) {
			printf("# %s %u: wait status %#x\n", r->kind->name, i, status);
			good = false;
		}
	}
	return good;
}

static unsigned long total(const struct running *r)
{
	unsigned long sum = 0;

	for (unsigned int i = 0; i < options.procs; i++)
		sum += r->counts[i];
	return sum;
}

static bool run(struct running *jobs, size_t count)
{
	size_t memory = (options.mib << 20) / (count * options.procs) & -PAGE;
	bool all_good = true;

	printf("1..%zu\n# seed %u, %u s, %zu KiB each\n", count, (unsigned int)options.seed,
	       options.seconds, memory >> 10);
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += options.seconds;
	for (size_t i = 0; i < count; i++)
		start(&jobs[i], memory < 32 * PAGE ? 32 * PAGE : memory);
	for (size_t i = 0; i < count; i++) {
		bool good = finish(&jobs[i]);

		printf("%sok %zu - %s # %lu %s\n", good ? "" : "not ", i + 1, jobs[i].kind->name,
		       total(&jobs[i]), jobs[i].kind->unit);
		fflush(stdout);
		all_good = all_good && good;
	}
	return all_good;
}

static bool choose(struct running *jobs, size_t *count, char **names)
{
	for (; *names; names++) {
		size_t i = 0;

		while (i < KINDS && strcmp(kinds[i].name, *names) != 0)
			i++;
		if (i == KINDS || *count == KINDS)
			return false;
		jobs[(*count)++].kind = &kinds[i];
	}
	for (size_t i = 0; i < KINDS && *count == i; i++)
		jobs[(*count)++].kind = &kinds[i];
	return true;
}

static int usage(void)
{
	fprintf(stderr, "usage: stress [-t SECONDS] [-s SEED] [-p PROCS] [-m MIB] "
			"[anon|fork|file|tmpfs|pipe|sig|exec]...\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct running jobs[KINDS] = {0};
	size_t count = 0;
	bool good;
	int opt;

	while ((opt = getopt(argc, argv, "t:s:p:m:x")) != -1) {
		if (opt == 't')
			options.seconds = atoi(optarg);
		else if (opt == 's')
			options.seed = strtoul(optarg, NULL, 0);
		else if (opt == 'p')
			options.procs = atoi(optarg);
		else if (opt == 'm')
			options.mib = strtoul(optarg, NULL, 0);
		else if (opt == 'x')
			return 23; /* what the exec stressor runs */
		else
			return usage();
	}
	if (options.procs == 0 || !choose(jobs, &count, argv + optind))
		return usage();
	good = run(jobs, count);
	printf("%s\n", good ? "PASS" : "FAIL");
	return !good;
}
