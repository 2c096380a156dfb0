// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/vm/clock_policy.c tests/clocksim/sim.c tests/clocksim/gen.c
/* The clock's policy on generated traces: misses beside LRU's, and simulations that are known to be right on traces small enough to count by hand. */

#include "host.h"
#include "tests/clocksim/sim.h"

#define MEMORY 2000u
#define REFS   200000u

static const struct {
	const char *spec;
	unsigned most; /* of LRU's misses, in thousandths */
} limits[] = {
	{"loop:110", 300},     {"loop:150", 500},     {"loop:200", 650},     {"loop:400", 820},
	{"scan:50:100", 700},  {"scan:50:400", 750},  {"scan:80:200", 770},  {"zipf:60:400", 950},
	{"zipf:80:400", 920},  {"zipf:100:400", 920}, {"zipf:120:400", 950}, {"zipf:90:1000", 900},
	{"uniform:110", 1050}, {"uniform:150", 1050}, {"uniform:300", 1050}, {"phases:80", 1050},
	{"phases:110", 1070},  {"phases:150", 1050},  {"stack:120", 1050},   {"stack:150", 1050},
	{"stack:300", 1050},   {"mix:120", 700},      {"mix:150", 800},	     {"mix:300", 1030},
};

static void test_beside_lru(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct trace t;
		uint64_t clock, lru, best;

		assert_true(trace_generate(&t, limits[i].spec, MEMORY, REFS, 1));
		clock = sim_clock(&t, MEMORY).misses;
		lru = sim_lru(&t, MEMORY).misses;
		best = sim_belady(&t, MEMORY).misses;
		print_message("%-14s clock %lu lru %lu belady %lu\n", limits[i].spec, clock, lru,
			      best);
		assert_true(best <= lru && best <= clock);
		assert_true(sim_two_hands(&t, MEMORY).misses >= best);
		assert_true(clock * 1000 <= lru * limits[i].most);
		assert_int_equal(clock, sim_clock(&t, MEMORY).misses);
		trace_free(&t);
	}
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
