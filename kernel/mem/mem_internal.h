/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_MEM_INTERNAL_H
#define GNOMON_MEM_INTERNAL_H

/* Between the files of kernel/mem. */

#include "kernel/mem/frame.h"
#include "kernel/sched/thread.h"

#define FRAME_MAX_ORDER 12u /* largest block: 16 MiB */

/* This allocation has to fail: see kmem_fail_nth. */
static inline bool alloc_injected(void)
{
	struct thread *t;

	if (!DEBUG)
		return false;
	t = current();
	if (likely(!t->alloc_fail_nth) || t->intr_depth || --t->alloc_fail_nth)
		return false;
	t->alloc_failed = true;
	return true;
}

/* zone.c: the buddy lists and the list of zeroed frames.  Any context. */
void zone_init(void);
void zone_add_range(struct bank *b, u64 first,
		    u64 n); /* start-up: frames of a bank that nobody has */
void zone_watermarks(u64 total);
/* How many frames may be taken now by an allocation with these flags; 0 when at its watermark. */
u64 zone_allowance(unsigned flags);
/* Up to n frames, at most the allowance, into out[], to be used from the end; still marked free. */
size_t zone_take(struct frame **out, size_t n, unsigned flags);
size_t zone_take_zeroed(struct frame **out, size_t n, unsigned flags);
struct frame *zone_take_order(unsigned order, unsigned flags); /* head, all marked free; NULL */
void zone_put(struct frame **f, size_t n);		       /* marked free */
void zone_put_order(struct frame *head, unsigned order);
void zone_put_zeroed(struct frame *f);
bool zone_wants_zeroed(void);
u64 zone_free_count(void);
void frames_low(void); /* frame.c */
bool zone_is_low(void);
/* Panics on a contradiction; the number of frames on the lists. */
u64 zone_audit(void);

#endif
