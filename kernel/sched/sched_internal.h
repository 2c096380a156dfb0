/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SCHED_INTERNAL_H
#define GNOMON_SCHED_INTERNAL_H

/* Between the files of kernel/sched, and start-up. */

#include "kernel/riscv/csr.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"

#define SCHED_LEVELS 64 /* queue indices; bits in a u64 */
#define HOG_MAX	     5	/* levels that using up slices costs */
#define LEVEL_NICE0  20 /* nice -20 is level 0 */
#define TICK_NS	     10000000UL
#define RT_LEVELS    99u
#define RT_PERIOD    1000000000UL /* of each such time, */
#define RT_SHARE     950000000UL  /* real-time threads get this much while others wait */
#define RR_SLICE     100000000UL
#define NO_SLICE     (1UL << 62) /* as good as endless */

/* Threads that wait for their turn with a part of their slice left, or for the next round with a new slice. */
struct runq_array {
	u64 bitmap;
	struct list queue[SCHED_LEVELS];
};

/* Real-time threads, best first: index 99 - rt_prio.  They run before all others (but see rt_used), in turns only with SCHED_RR. */
struct rt_queue {
	u64 bitmap[2];
	struct list queue[RT_LEVELS];
};

/*
 * Ready threads of one hart.  The running thread is not queued.  `active` is served best level first; who uses
 * up its slice goes to the other array; when active is empty they change roles.  So each thread gets its slice in each round, and the
 * levels decide only about order within a round: nobody starves.
 *
 * The lock is a bare word, taken with interrupts off: it is held across the switch and released by the next thread.
 *
 * Field markings and the corresponding locks:
 * (r) the word `lock`   (a) written under (r), read by anybody as a hint
 */
struct runq {
	u32 lock;		    /* (a) 1: held */
	u32 ready;		    /* (a) threads queued in both arrays */
	struct thread *curr;	    /* (a) */
	struct runq_array *active;  /* (r) one of array[] */
	struct runq_array *expired; /* (r) the other */
	u32 steal_from;		    /* (r) hart index where the last search for work ended */
	u64 switches;		    /* (r) */
	struct runq_array array[2]; /* (r) whichever role they have */
	u32 rt_ready;		    /* (r) threads queued in rt */
	bool rt_throttled;	    /* (r) real-time threads have had their share of this period */
	u64 rt_period_end;	    /* (r) time_now() */
	u64 rt_used;		    /* (r) ns they ran in this period while others were ready */
	struct rt_queue rt;	    /* (r) */
};

extern struct thread boot_thread; /* becomes the boot hart's idle thread */
/* time_now() for hot paths */
extern u64 time_ns_mult;
static inline u64 sched_now(void)
{
	return (u64)(((unsigned __int128)csr_read(time) * time_ns_mult) >> 32);
}

extern bool sched_running; /* the first switch has happened: sleeping is possible */

/* Index of the lowest set bit; m is not 0. The base ISA has no instruction for it: a de Bruijn multiplication. */
extern const u8 debruijn_index[64];
static inline u32 lowest_bit(u64 m)
{
	return debruijn_index[((m & -m) * 0x03f79d71b4cb0a89UL) >> 58];
}

/* Makes run queue and idle thread of a hart that is to start. False: no memory. */
bool sched_hart_prepare(struct hart *h);
/* An idle or first thread for sched_hart_prepare. */
struct thread *thread_create_idle(struct hart *h);
void thread_reap_later(
	struct thread *t); /* interrupts off, t has been switched away from for good */
void sched_thread_free_hook(struct thread *t);
void thread_init(void);
void thread_reap_idle(void); /* by an idle hart: the dead need not wait longer */
void thread_reaper_start(void);
void thread_first(struct thread *prev); /* thread_trampoline comes here */
void thread_trampoline(void);
void sched_finish_switch(struct thread *prev);
void sched_timer_start(struct hart *h,
		       u64 now); /* time.c: the hart is busy now, ticks are wanted */
void workqueue_start(void);

#endif
