/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_VM_CLOCK_POLICY_H
#define GNOMON_VM_CLOCK_POLICY_H

/*
 * Which page goes: the clock's decisions, apart from how pages are looked at and taken (clock.c).  Needs nothing but types, so
 * that it compiles on the host too.  Pages are numbers (of their frames); every number that was added is always on one queue.
 */

#include "kernel/lib/types.h"

#define CLOCK_NO_TIME	UINT32_MAX
#define CLOCK_TIME_BITS 24 /* times are compared modulo this */
#define CLOCK_TIME_MASK ((1u << CLOCK_TIME_BITS) - 1)

/* What the policy keeps for a number. */
struct clock_page {
	u32 time : CLOCK_TIME_BITS; /* of its last insertion into cold or hot */
	u32 test : 1;		    /* it is in its test period */
	u32 fresh : 1;		    /* not looked at since it came in */
};

enum clock_seen {
	CLOCK_NONE,  /* no page of an object is here now */
	CLOCK_NEW,   /* a page the clock has not met; its use so far is forgotten */
	CLOCK_USED,  /* used since the last look; that is forgotten */
	CLOCK_IDLE,  /* not used since */
	CLOCK_KEPT,  /* cannot go now: held, busy, locked in memory */
	CLOCK_WRITE, /* being written, or waits for it */
	CLOCK_TAKEN, /* it was not used, and is gone: a frame came free */
	CLOCK_WASH,  /* it was not used, and went to the laundry */
};

struct clock_ops {
	u32 *(*next)(u32 id); /* the queue's link of this number */
	struct clock_page *(*page)(u32 id);
	/*
	 * Looks at the page, and takes it if `take` and it was not used.  *time: in, what a taken page leaves behind; out for
	 * CLOCK_NEW, what the page left behind when it was last taken, or CLOCK_NO_TIME.
	 */
	enum clock_seen (*look)(u32 id, bool take, u32 *time);
};

struct clock_queue {
	u32 head, tail, n;
};

/* Everything here belongs to the one who sweeps. */
struct clock_policy {
	const struct clock_ops *ops;
	struct clock_queue other;  /* free, kernel's, or pages not met yet */
	struct clock_queue cold;   /* on trial; goes from here */
	struct clock_queue hot;	   /* proved themselves */
	struct clock_queue washed; /* sent to the laundry: go as soon as they are clean */
	u32 time;		   /* insertions into cold */
	u32 ended;		   /* tests begun up to this time have ended */
	u32 cold_target;	   /* pages that cold should have */
	u32 hits, idle;		   /* shares: cold pages that were used, hot pages that were not */
	u32 test_hits;		   /* share: cold pages that had a test and were used */
	u32 pressed;		   /* steps that hot pages still get */
	u64 scanned, second_chances, promotions, demotions, refaults, refaults_active;
};

void clock_policy_init(struct clock_policy *p, const struct clock_ops *ops);
void clock_policy_add(struct clock_policy *p, u32 id);
/* Meets the pages that are new since the last time. */
void clock_policy_discover(struct clock_policy *p);
/* One step of the hands: what came of it (CLOCK_TAKEN, CLOCK_WASH, or anything else: go on). CLOCK_NONE: there is no page at all. */
enum clock_seen clock_policy_step(struct clock_policy *p);
/* Going round brought too little: the hot pages are looked at twice, and those that were not used go. */
void clock_policy_press(struct clock_policy *p);
/* The first page that was sent to the laundry, if it is done: what came of it; CLOCK_WRITE: it is not, or there is none. */
enum clock_seen clock_policy_collect(struct clock_policy *p);
/* The next n pages that may be taken, in order: how many. */
u32 clock_policy_next(const struct clock_policy *p, u32 *ids, u32 n);
/* Pages under the clock. */
static inline u32 clock_policy_pages(const struct clock_policy *p)
{
	return p->cold.n + p->hot.n + p->washed.n;
}
/* How many evictions ago a page may have gone for its return to count. */
u32 clock_policy_memory(const struct clock_policy *p);

#endif
