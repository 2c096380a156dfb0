/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SCHED_TIME_H
#define GNOMON_SCHED_TIME_H

/* Time and timers.  All times are u64 nanoseconds; time_now() starts near 0 at boot. */

#include "kernel/lib/rbtree.h"
#include "kernel/lib/types.h"

#define NSEC_PER_SEC 1000000000UL

void time_init(void); /* timebase from the device tree */
u64 time_now(void);   /* CLOCK_MONOTONIC */
u64 time_realtime(
	void); /* ns since 1970: RTC (goldfish) if there is one, else set by clock_settime or 0 + uptime */
void time_set_realtime(u64 ns);
u64 time_cycles(void);			     /* raw time CSR */
u32 time_freq(void);			     /* Hz of the time CSR */
bool time_has_sstc(void);		     /* the timer is a CSR; else the firmware's */
void time_conversion(u64 *mult, u32 *shift); /* ns = cycles * mult >> shift, for the vDSO */
void udelay(u64 us);			     /* busy wait */
void sleep_ns(u64 ns);			     /* uninterruptible */

/* A timer calls fn in interrupt context on the hart that armed it. The owner provides memory. */
struct timer {
	struct rb_node node; /* in the hart's queue */
	u64 deadline;
	void (*fn)(struct timer *);
	struct hart *hart; /* NULL: not armed */
	bool running;
};

void timer_setup(struct timer *t, void (*fn)(struct timer *));
void timer_arm(struct timer *t,
	       u64 deadline); /* re-arms if armed. Any context but not from two harts at once */
/* True if it was armed. Afterwards fn is not running and will not (waits for it; not from fn itself). */
bool timer_cancel(struct timer *t);
void timer_interrupt(void); /* the hart's timer went off */

/* Work run later by a kernel thread: for interrupt handlers that must sleep. */
struct work {
	struct work *next;
	void (*fn)(struct work *);
	u32 queued;
};
void work_queue(struct work *w); /* once until it runs; any context */

#endif
