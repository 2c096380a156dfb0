// SPDX-License-Identifier: BSD-2-Clause
/*
 * clocksim - misses of the kernel's clock beside those of other policies.
 *
 * usage: clocksim [-m FRAMES] [-n REFERENCES] [-s SEED] [TRACE]...
 *
 * TRACE is a file (/proc/trace of a guest) or a generator as in sim.h; without any, one line each for a choice of generators.
 * Percentages are of LRU's misses; the last column is the ratio of our clock's misses to Belady's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/clocksim/sim.h"

static const char *const all[] = {
	"loop:110",    "loop:150",    "loop:200",    "loop:400",     "scan:50:100",  "scan:50:400",
	"scan:80:200", "zipf:60:400", "zipf:80:400", "zipf:100:400", "zipf:120:400", "zipf:90:1000",
	"uniform:110", "uniform:150", "uniform:300", "phases:80",    "phases:110",   "phases:150",
	"stack:120",   "stack:150",   "stack:300",   "mix:120",	     "mix:150",	     "mix:300",
};

static struct {
	uint32_t memory;
	size_t n;
	uint64_t seed;
} opt = {0, 400000, 1};

static int replay(const char *name)
{
	uint32_t memory = opt.memory ? opt.memory : 4000;
	struct trace t;

	if (!trace_generate(&t, name, memory, opt.n, opt.seed)) {
		if (!trace_read(&t, name)) {
			fprintf(stderr, "clocksim: %s is no generator and no trace\n", name);
			return 1;
		}
		if (t.memory && !opt.memory)
			memory = t.memory;
	}
	struct sim_result c = sim_clock(&t, memory), two = sim_two_hands(&t, memory),
			  lru = sim_lru(&t, memory), best = sim_belady(&t, memory);
	double l = (double)lru.misses / 100;

	printf("%-14s %8u %8u %9zu %9lu %9lu %9lu %9lu %7.1f%% %7.1f%% %8.2f\n", name, memory,
	       t.pages, t.n, c.misses, two.misses, lru.misses, best.misses, (double)c.misses / l,
	       (double)two.misses / l, (double)c.misses / (double)best.misses);
	if (t.misses)
		printf("# the guest counted %lu misses, %lu of them first ones; the clock here %lu: %+.1f%%\n",
		       t.misses, t.first, c.misses,
		       100.0 * ((double)c.misses - (double)t.misses) / (double)t.misses);
	trace_free(&t);
	return 0;
}

int main(int argc, char **argv)
{
	int c, bad = 0;

	while ((c = getopt(argc, argv, "m:n:s:")) != -1) {
		unsigned long v = strtoul(optarg ? optarg : "0", NULL, 0);

		if (c == 'm')
			opt.memory = (uint32_t)v;
		else if (c == 'n')
			opt.n = v;
		else if (c == 's')
			opt.seed = v;
		else
			return 2;
	}
	printf("%-14s %8s %8s %9s %9s %9s %9s %9s %8s %8s %8s\n", "trace", "memory", "pages",
	       "refs", "clock", "2 hands", "lru", "belady", "clock", "2 hands", "/belady");
	for (int i = optind; i < argc; i++)
		bad |= replay(argv[i]);
	for (size_t i = 0; optind == argc && i < sizeof(all) / sizeof(all[0]); i++)
		bad |= replay(all[i]);
	return bad;
}
