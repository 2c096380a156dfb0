/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLOCKSIM_SIM_H
#define CLOCKSIM_SIM_H

/*
 * Replays traces of page references against replacement policies and counts the misses.  A miss is a reference to a page that is
 * not in memory; first references count for all policies alike.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace {
	uint32_t *refs; /* page numbers, dense from 0 */
	size_t n;
	uint32_t pages;	 /* distinct pages */
	uint32_t memory; /* frames it was recorded with, 0: none said */
	uint64_t misses; /* counted by who recorded it, 0: not told */
	uint64_t first;	 /* of them, of pages never seen before */
};

struct sim_result {
	uint64_t misses;
	uint64_t scanned, promotions, demotions; /* our clock's */
};

typedef struct sim_result sim_fn(const struct trace *t, uint32_t memory);

sim_fn sim_clock;     /* kernel/vm/clock_policy.c */
sim_fn sim_two_hands; /* one queue: a hand that clears, a quarter of memory behind it one that takes */
sim_fn sim_lru;
sim_fn sim_belady; /* the page whose next use is farthest away goes */

/*
 * KIND[:NUMBER]... with sizes in percent of memory:
 *	loop:SIZE		over and over through SIZE
 *	scan:HOT:SIZE		half the references in HOT, at random; the others go once through fresh pages, over SIZE of them
 *	zipf:EXPONENT:SIZE	popularity 1/rank^(EXPONENT/100)
 *	uniform:SIZE
 *	phases:SIZE		random within SIZE, which moves on four times
 *	stack:SIZE		stack distances fall off evenly up to SIZE: made for LRU
 *	mix:SIZE		turns of loop, zipf and random
 * False: it is none of these.
 */
bool trace_generate(struct trace *t, const char *spec, uint32_t memory, size_t n, uint64_t seed);

/* Text: lines "OBJECT INDEX" in hexadecimal; "# memory N" and "# misses N FIRST" tell of the recording. False: cannot be read. */
bool trace_read(struct trace *t, const char *path);
void trace_free(struct trace *t);

#endif
