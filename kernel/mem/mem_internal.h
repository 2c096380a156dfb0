/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_MEM_INTERNAL_H
#define GNOMON_MEM_INTERNAL_H

/* Between the files of kernel/mem. */

#include "kernel/mem/frame.h"
#include "kernel/sched/thread.h"

#define FRAME_MAX_ORDER 12u /* largest block: 16 MiB */

/* Field markings and the corresponding locks:
 * (b) boot hart before frames_init ends, then constant
 */
struct bank {
	paddr_t base;	      /* (b) */
	u64 size;	      /* (b) bytes */
	struct frame *frames; /* (b) one for each page */
};

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

/* bank.c: banks in order of their addresses. */
extern struct bank mem_banks[];
extern unsigned mem_nbanks;
struct bank *bank_search_frame(const struct frame *f);
struct frame *bank_search_pa(paddr_t pa); /* NULL: not RAM we manage */

static inline u64 bank_frames(const struct bank *b)
{
	return b->size >> PAGE_SHIFT;
}

/* Most machines have one bank, and on the others the first is as likely as any. */
static inline struct bank *bank_of_frame(const struct frame *f)
{
	struct bank *b = &mem_banks[0];

	if (likely((u64)f - (u64)b->frames < bank_frames(b) * sizeof(*f)))
		return b;
	return bank_search_frame(f);
}

static inline struct frame *mem_pa_frame(paddr_t pa)
{
	const struct bank *b = &mem_banks[0];

	if (likely(pa - b->base < b->size))
		return b->frames + ((pa - b->base) >> PAGE_SHIFT);
	return bank_search_pa(pa);
}

static inline struct frame *mem_va_frame(const void *va)
{
	return mem_pa_frame((u64)va - DIRECT_BASE + direct_pa_base);
}

static inline void *mem_frame_va(const struct frame *f)
{
	const struct bank *b = bank_of_frame(f);

	return pa_to_va(b->base + ((u64)(f - b->frames) << PAGE_SHIFT));
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
/* Panics on a contradiction; the number of frames on the lists. */
u64 zone_audit(void);

#endif
