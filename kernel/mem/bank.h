/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_MEM_BANK_H
#define GNOMON_MEM_BANK_H

/* Between frames, physical addresses and the direct map; frame.h includes this. The banks are mem's own (bank.c). */

#include "kernel/mem/frame.h"

/* Field markings and the corresponding locks:
 * (b) boot hart before frames_init ends, then constant
 */
struct bank {
	paddr_t base;	      /* (b) */
	u64 size;	      /* (b) bytes */
	struct frame *frames; /* (b) one for each page */
};

/* In order of their addresses. */
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

static inline paddr_t mem_frame_pa(const struct frame *f)
{
	const struct bank *b = bank_of_frame(f);

	return b->base + ((u64)(f - b->frames) << PAGE_SHIFT);
}

static inline void *mem_frame_va(const struct frame *f)
{
	return pa_to_va(mem_frame_pa(f));
}

#ifndef HOST_TEST /* whose shims have frames of their own */
static inline paddr_t frame_pa(const struct frame *f)
{
	return mem_frame_pa(f);
}

static inline void *frame_va(const struct frame *f)
{
	return mem_frame_va(f);
}

static inline struct frame *pa_frame(paddr_t pa)
{
	return mem_pa_frame(pa);
}

static inline struct frame *va_frame(const void *va)
{
	return mem_va_frame(va);
}
#endif

#endif
