// SPDX-License-Identifier: BSD-2-Clause
/*
 * Physical memory: banks, the ranges of them that are taken before there is an allocator, and the frame structs.
 *
 * Invariants: banks and taken ranges are sorted by address, do not overlap and do not touch (neighbours are merged).  Each bank has
 * its own array of frame structs, so holes between banks cost nothing.
 *
 * Locks: none.  Everything here is written by the boot hart until frames_init returns, and is constant afterwards.
 * The tables are of fixed size because there is no memory yet to make them of; too many entries are a panic.
 */

#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/mem_internal.h"

#define MAX_BANKS 64u
#define MAX_TAKEN 256u

struct range {
	u64 base, size;
};

struct bank mem_banks[MAX_BANKS];
unsigned mem_nbanks;
static struct bank
	*by_frames[MAX_BANKS]; /* the same, in order of the addresses of their frame structs */
static struct range banks[MAX_BANKS]; /* before frames_init */
static unsigned nbanks;
static struct range taken[MAX_TAKEN];
static unsigned ntaken;
static bool up;
static u64 total; /* frames that were free when frames_init ended */

/* Puts [base, end) into a sorted list, joining what it overlaps or touches. */
static void range_add(struct range *r, unsigned *n, unsigned max, u64 base, u64 end,
		      const char *what)
{
	unsigned from = 0, to;

	while (from < *n && r[from].base + r[from].size < base)
		from++;
	for (to = from; to < *n && r[to].base <= end; to++) {
		base = MIN(base, r[to].base);
		end = MAX(end, r[to].base + r[to].size);
	}
	if (to == from && *n == max)
		panic("more than %u %s in the device tree", max, what);
	memmove(&r[from + 1], &r[to], (*n - to) * sizeof(*r));
	r[from] = (struct range){base, end - base};
	*n = *n - (to - from) + 1;
}

void frames_add_bank(paddr_t base, u64 size)
{
	paddr_t end = ALIGN_DOWN(base + size, PAGE_SIZE);

	ASSERT(!up);
	base = ALIGN_UP(base, PAGE_SIZE);
	if (base < end)
		range_add(banks, &nbanks, MAX_BANKS, base, end, "memory banks");
}

void frames_reserve(paddr_t base, u64 size)
{
	ASSERT(!up);
	if (size)
		range_add(taken, &ntaken, MAX_TAKEN, ALIGN_DOWN(base, PAGE_SIZE),
			  ALIGN_UP(base + size, PAGE_SIZE), "reserved ranges");
}

/* The first free place for size bytes in a bank; 0: none (address 0 is never given out). */
static paddr_t find_gap(const struct range *bank, u64 size)
{
	u64 at = MAX(bank->base, PAGE_SIZE), end = bank->base + bank->size;

	for (unsigned i = 0; i < ntaken; i++) {
		if (taken[i].base + taken[i].size <= at)
			continue;
		if (taken[i].base >= end || (taken[i].base > at && taken[i].base - at >= size))
			break;
		at = taken[i].base + taken[i].size;
	}
	return at <= end && end - at >= size ? at : 0;
}

paddr_t frames_early_alloc(u64 size)
{
	paddr_t pa = 0;

	ASSERT(!up && size);
	size = ALIGN_UP(size, PAGE_SIZE);
	for (unsigned i = 0; i < nbanks && !pa; i++)
		pa = find_gap(&banks[i], size);
	if (!pa)
		panic("no %lu KiB of contiguous memory for start-up", (unsigned long)(size / KiB));
	frames_reserve(pa, size);
	for (u64 off = 0; off < size; off += PAGE_SIZE)
		page_zero(pa_to_va(pa + off));
	return pa;
}

unsigned frames_banks(void)
{
	return nbanks;
}

bool frames_bank(unsigned k, paddr_t *base, u64 *size)
{
	if (k >= nbanks)
		return false;
	*base = banks[k].base;
	*size = banks[k].size;
	return true;
}

static void sort_by_frames(void)
{
	for (unsigned i = 0; i < mem_nbanks; i++) {
		unsigned at = i;

		for (; at && by_frames[at - 1]->frames > mem_banks[i].frames; at--)
			by_frames[at] = by_frames[at - 1];
		by_frames[at] = &mem_banks[i];
	}
}

/* Nobody's until a free range says otherwise. */
static void bank_mark_taken(struct bank *b)
{
	for (u64 i = 0; i < bank_frames(b); i++) {
		list_init(&b->frames[i].link);
		b->frames[i].flags = FR_WIRED;
		b->frames[i].holds = 1;
	}
}

static u64 bank_free_gaps(struct bank *b)
{
	u64 at = b->base, end = b->base + b->size, n = 0;

	for (unsigned i = 0; i <= ntaken; i++) {
		u64 stop = i < ntaken ? MIN(taken[i].base, end) : end;

		if (stop > at) {
			zone_add_range(b, (at - b->base) >> PAGE_SHIFT, (stop - at) >> PAGE_SHIFT);
			n += (stop - at) >> PAGE_SHIFT;
		}
		if (i < ntaken)
			at = MAX(at, taken[i].base + taken[i].size);
	}
	return n;
}

void frames_init(void)
{
	ASSERT(!up && nbanks);
	for (unsigned i = 0; i < nbanks; i++) {
		struct bank *b = &mem_banks[i];

		b->base = banks[i].base;
		b->size = banks[i].size;
		b->frames = pa_to_va(frames_early_alloc(bank_frames(b) * sizeof(struct frame)));
	}
	mem_nbanks = nbanks;
	up = true;
	sort_by_frames();
	zone_init();
	for (unsigned i = 0; i < nbanks; i++) {
		bank_mark_taken(&mem_banks[i]);
		total += bank_free_gaps(&mem_banks[i]);
	}
	zone_watermarks(total);
}

u64 frames_total(void)
{
	return total;
}

struct frame *bank_search_pa(paddr_t pa)
{
	unsigned lo = 0, hi = mem_nbanks;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		struct bank *b = &mem_banks[mid];

		if (pa < b->base)
			hi = mid;
		else if (pa - b->base < b->size)
			return b->frames + ((pa - b->base) >> PAGE_SHIFT);
		else
			lo = mid + 1;
	}
	return NULL;
}

struct bank *bank_search_frame(const struct frame *f)
{
	unsigned lo = 0, hi = mem_nbanks;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		struct bank *b = by_frames[mid];

		if (f < b->frames)
			hi = mid;
		else if (f < b->frames + bank_frames(b))
			return b;
		else
			lo = mid + 1;
	}
	panic("%p is not a frame", (const void *)f);
}

#ifdef HOST_TEST
struct frame *pa_frame(paddr_t pa)
{
	return mem_pa_frame(pa);
}

paddr_t frame_pa(const struct frame *f)
{
	return mem_frame_pa(f);
}

void *frame_va(const struct frame *f)
{
	return mem_frame_va(f);
}

struct frame *va_frame(const void *va)
{
	return mem_va_frame(va);
}
#endif
