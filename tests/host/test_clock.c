// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/vm/clock_policy.c tests/clocksim/sim.c tests/clocksim/gen.c
/* The clock's policy on generated traces: misses beside LRU's, and simulations that are known to be right on traces small enough to count by hand. */

#include "host.h"
#include "tests/clocksim/sim.h"

#define MEMORY 2000u
#define REFS   200000u
#define SEEDS  3u

static const struct {
	const char *spec;
	unsigned most; /* of LRU's misses, in thousandths */
} limits[] = {
	{"loop:110", 215},     {"loop:150", 440},     {"loop:200", 590},     {"loop:300", 740},
	{"loop:400", 815},     {"scan:30:150", 600},  {"scan:50:100", 520},  {"scan:50:400", 735},
	{"scan:60:150", 630},  {"scan:80:200", 690},  {"scan:90:150", 700},  {"scan:90:200", 700},
	{"zipf:60:400", 930},  {"zipf:80:400", 900},  {"zipf:100:400", 900}, {"zipf:120:400", 920},
	{"zipf:90:1000", 880}, {"uniform:110", 1050}, {"uniform:150", 1050}, {"uniform:300", 1050},
	{"phases:80", 1050},   {"phases:100", 1050},  {"phases:110", 1050},  {"phases:120", 1050},
	{"phases:150", 1050},  {"stack:120", 1050},   {"stack:150", 1050},   {"stack:300", 1050},
	{"mix:120", 650},      {"mix:150", 750},      {"mix:300", 985},
};

static void beside_lru(const char *spec, unsigned most, uint64_t seed)
{
	struct trace t;
	uint64_t clock, lru, best;

	assert_true(trace_generate(&t, spec, MEMORY, REFS, seed));
	clock = sim_clock(&t, MEMORY).misses;
	lru = sim_lru(&t, MEMORY).misses;
	best = sim_belady(&t, MEMORY).misses;
	print_message("%-14s seed %lu clock %lu (%lu/1000 of lru) lru %lu belady %lu\n", spec, seed,
		      clock, clock * 1000 / lru, lru, best);
	assert_true(best <= lru && best <= clock);
	assert_true(sim_two_hands(&t, MEMORY).misses >= best);
	assert_true(clock * 1000 <= lru * most);
	assert_int_equal(clock, sim_clock(&t, MEMORY).misses);
	trace_free(&t);
}

static void test_beside_lru(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++)
			beside_lru(limits[i].spec, limits[i].most, seed);
}

/* 5 pages in a loop, 4 frames: LRU always misses; Belady misses once in four after the first round. */
static void test_counted_by_hand(void **state)
{
	uint32_t refs[25];
	struct trace t = {.refs = refs, .n = 25, .pages = 5};

	(void)state;
	for (uint32_t i = 0; i < 25; i++)
		refs[i] = i % 5;
	assert_int_equal(sim_lru(&t, 4).misses, 25);
	assert_int_equal(sim_lru(&t, 5).misses, 5);
	assert_int_equal(sim_belady(&t, 4).misses, 10);
	assert_int_equal(sim_belady(&t, 5).misses, 5);
	assert_int_equal(sim_clock(&t, 5).misses, 5);
	assert_int_equal(sim_two_hands(&t, 5).misses, 5);
}

static void test_bad_traces(void **state)
{
	struct trace t;

	(void)state;
	assert_false(trace_generate(&t, "loop", 10, 10, 1));
	assert_false(trace_generate(&t, "loop:1:2", 10, 10, 1));
	assert_false(trace_generate(&t, "nothing:1", 10, 10, 1));
	assert_false(trace_read(&t, "/nonexistent"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counted_by_hand),
		cmocka_unit_test(test_beside_lru),
		cmocka_unit_test(test_bad_traces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
