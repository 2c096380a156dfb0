// SPDX-License-Identifier: BSD-2-Clause
/*
 * Free frames: a buddy allocator over all banks, and a list of single frames zeroed ahead.
 *
 * A block of order k is 2^k frames, aligned to 2^k in physical page numbers, within one bank.  Its head carries FR_BUDDY and the
 * order; a free block's buddy is never a free block of the same order (they would have been joined).  Frames
 * in here all carry FR_FREE and hold nothing else but, perhaps, FR_ZEROED (zeroed list) or FR_POISON.
 *
 * Watermarks, in free frames: an allocation leaves `reserve` frames alone unless it says FA_RESERVE, and `user` frames if it says
 * FA_USER, so that the kernel can still work when user memory has run out, and pageout when the kernel has.
 *
 * Lock: zone.lock (LOCK_FRAMES), with interrupts off.
 */

#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/mem_internal.h"

#define ORDERS (FRAME_MAX_ORDER + 1)

/* Field markings and the corresponding locks:
 * (z) zone.lock; read without it as a hint   (c) constant after frames_init
 */
static struct {
	struct spinlock lock;	  /* (c) */
	struct list free[ORDERS]; /* (z) heads of blocks */
	u32 nonempty;		  /* (z) bit k: free[k] is not empty */
	struct list zeroed;	  /* (z) single frames, all zero */
	u64 nfree;		  /* (z) frames on all lists */
	u64 nzeroed;		  /* (z) of them, on `zeroed` */
	u64 reserve, user;	  /* (c) watermarks */
	u64 low, high;		  /* (c) who may wait reclaims below low, others work up to high */
	u64 kick;		  /* (c) others are told to, below this */
	u64 zeroed_max;		  /* (c) */
} zone;

void zone_init(void)
{
	spin_init(&zone.lock, LOCK_FRAMES, "frames");
	for (unsigned k = 0; k < ORDERS; k++)
		list_init(&zone.free[k]);
	list_init(&zone.zeroed);
}

static u64 clamp(u64 v, u64 lo, u64 hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

void zone_watermarks(u64 total)
{
	zone.reserve = clamp(total / 256, 16, 1024);
	zone.user = zone.reserve + clamp(total / 64, 64, 4096);
	zone.low = zone.user + clamp(total / 96, 32, 4096);
	zone.kick = (zone.user + zone.low) / 2;
	zone.high = zone.low + clamp(total / 64, 64, 8192);
	zone.zeroed_max = clamp(total / 8, 0, 16384);
}

static void block_add(struct frame *f, unsigned order)
{
	f->flags |= FR_BUDDY;
	f->order = order;
	list_add(&zone.free[order], &f->link);
	zone.nonempty |= 1u << order;
}

static void block_del(struct frame *f, unsigned order)
{
	ASSERTF((f->flags & (FR_BUDDY | FR_FREE)) == (FR_BUDDY | FR_FREE) && f->order == order,
		"frame %#lx flags %#x order %lu, not %u", (unsigned long)frame_pa(f), f->flags,
		(unsigned long)f->order, order);
	f->flags &= ~FR_BUDDY;
	f->order = 0;
	list_del(&f->link);
	if (list_empty(&zone.free[order]))
		zone.nonempty &= ~(1u << order);
}

/* The free block that makes a block of the next order with f; NULL: not there. */
static struct frame *free_buddy(struct bank *b, struct frame *f, unsigned order)
{
	u64 first = b->base >> PAGE_SHIFT, pfn = first + (f - b->frames);
	u64 other = (pfn ^ 1UL << order) - first;
	struct frame *buddy = b->frames + other;

	if (other >= bank_frames(b) || !(buddy->flags & FR_BUDDY) || buddy->order != order)
		return NULL;
	return buddy;
}

/* Adds a block and joins it with its buddies. */
static void block_free(struct bank *b, struct frame *f, unsigned order)
{
	struct frame *buddy;

	zone.nfree += 1UL << order;
	while (order < FRAME_MAX_ORDER && (buddy = free_buddy(b, f, order))) {
		block_del(buddy, order);
		f = MIN(f, buddy);
		order++;
	}
	block_add(f, order);
}

/* Takes a block of at least this order off its list and gives back what is too much. */
static struct frame *block_alloc(unsigned from, unsigned order)
{
	struct frame *f = list_first(&zone.free[from], struct frame, link);

	block_del(f, from);
	while (from > order) {
		from--;
		block_add(f + (1UL << from), from);
	}
	zone.nfree -= 1UL << order;
	return f;
}

void zone_add_range(struct bank *b, u64 first, u64 n)
{
	u64 base = b->base >> PAGE_SHIFT;

	for (u64 i = first; i < first + n; i++) {
		b->frames[i].flags = FR_FREE;
		b->frames[i].holds = 0;
	}
	while (n) {
		u64 pfn = base + first;
		unsigned order = 63 - __builtin_clzl(n);

		if (pfn)
			order = MIN(order, (unsigned)__builtin_ctzl(pfn));
		order = MIN(order, FRAME_MAX_ORDER);
		block_free(b, b->frames + first, order);
		first += 1UL << order;
		n -= 1UL << order;
	}
}

u64 zone_allowance(unsigned flags)
{
	u64 have = READ_ONCE(zone.nfree);
	u64 keep = flags & FA_RESERVE ? 0 : flags & FA_USER ? zone.user : zone.reserve;

	return have > keep ? have - keep : 0;
}

bool frames_plenty(void)
{
	return READ_ONCE(zone.nfree) > 4 * zone.user;
}

/* One batch of at most n frames into the end of out[0..n), the first frame last.  The smallest
 * blocks first, so that large ones stay whole. */
static size_t take_some(struct frame **out, size_t n)
{
	unsigned from = __builtin_ctz(zone.nonempty);
	unsigned order = MIN(from, 63u - __builtin_clzl(n));
	struct frame *f = block_alloc(from, order), *end = f + (1UL << order);

	for (out += n; f < end; f++)
		*--out = f;
	return 1UL << order;
}

static size_t take_zeroed(struct frame **out, size_t n)
{
	size_t got = 0;

	for (; got < n && zone.nzeroed; got++) {
		out[n - 1 - got] = list_entry(list_pop(&zone.zeroed), struct frame, link);
		zone.nzeroed--;
		zone.nfree--;
	}
	return got;
}

size_t zone_take(struct frame **out, size_t n, unsigned flags)
{
	u64 irq = spin_lock_irq(&zone.lock);
	size_t got = 0, want = MIN(n, zone_allowance(flags));

	while (got < want && zone.nonempty)
		got += take_some(out, want - got);
	got += take_zeroed(out, want - got);
	spin_unlock_irq(&zone.lock, irq);
	if (unlikely(READ_ONCE(zone.nfree) < zone.kick))
		frames_low();
	if (unlikely(got < want))
		memmove(out, out + (want - got), got * sizeof(*out));
	return got;
}

size_t zone_take_zeroed(struct frame **out, size_t n, unsigned flags)
{
	size_t got;
	u64 irq;

	if (!READ_ONCE(zone.nzeroed))
		return 0;
	irq = spin_lock_irq(&zone.lock);
	n = MIN(n, zone_allowance(flags));
	got = take_zeroed(out, n);
	spin_unlock_irq(&zone.lock, irq);
	if (unlikely(READ_ONCE(zone.nfree) < zone.kick))
		frames_low();
	if (got < n)
		memmove(out, out + (n - got), got * sizeof(*out));
	return got;
}

/* Gives all zeroed frames to the buddy lists, where they join others. */
static void zeroed_give_up(void)
{
	struct list *l;

	while ((l = list_pop(&zone.zeroed))) {
		struct frame *f = list_entry(l, struct frame, link);

		f->flags &= ~FR_ZEROED;
		zone.nzeroed--;
		zone.nfree--;
		block_free(bank_of_frame(f), f, 0);
	}
}

struct frame *zone_take_order(unsigned order, unsigned flags)
{
	struct frame *f = NULL;
	u64 irq = spin_lock_irq(&zone.lock);

	ASSERT(order <= FRAME_MAX_ORDER);
	if (zone_allowance(flags) >= 1UL << order) {
		if (!(zone.nonempty >> order))
			zeroed_give_up();
		if (zone.nonempty >> order)
			f = block_alloc(order + __builtin_ctz(zone.nonempty >> order), order);
	}
	spin_unlock_irq(&zone.lock, irq);
	return f;
}

/* How many of f[0..n) follow one another in memory; none of them is marked zeroed afterwards. */
static size_t run_length(struct frame **f, size_t n)
{
	size_t len = 0;

	for (; len < n && f[len] == f[0] + len; len++)
		if (unlikely(f[len]->flags & FR_ZEROED))
			f[len]->flags &= ~FR_ZEROED;
	return len;
}

/* Frames that were taken together come back together: as whole blocks, where they are aligned. */
void zone_put(struct frame **f, size_t n)
{
	u64 irq = spin_lock_irq(&zone.lock);

	while (n) {
		struct bank *b = bank_of_frame(f[0]);
		size_t len = run_length(f, MIN(n, bank_frames(b) - (f[0] - b->frames)));

		n -= len;
		while (len) {
			u64 pfn = (b->base >> PAGE_SHIFT) + (f[0] - b->frames);
			unsigned order = 63 - __builtin_clzl(len);

			order = MIN(order, FRAME_MAX_ORDER);
			while (pfn & ((1UL << order) - 1))
				order--;
			block_free(b, f[0], order);
			f += 1UL << order;
			len -= 1UL << order;
		}
	}
	spin_unlock_irq(&zone.lock, irq);
}

void zone_put_order(struct frame *head, unsigned order)
{
	u64 irq = spin_lock_irq(&zone.lock);

	block_free(bank_of_frame(head), head, order);
	spin_unlock_irq(&zone.lock, irq);
}

void zone_put_zeroed(struct frame *f)
{
	u64 irq = spin_lock_irq(&zone.lock);

	f->flags |= FR_ZEROED;
	list_add_tail(&zone.zeroed, &f->link);
	zone.nzeroed++;
	zone.nfree++;
	spin_unlock_irq(&zone.lock, irq);
}

bool zone_wants_zeroed(void)
{
	u64 zeroed = READ_ONCE(zone.nzeroed), all = READ_ONCE(zone.nfree);

	return zeroed < zone.zeroed_max && all > zeroed + zone.user;
}

bool zone_is_low(void)
{
	return READ_ONCE(zone.nfree) < zone.low;
}

u64 frames_wanted(void)
{
	u64 have = READ_ONCE(zone.nfree);

	return have < zone.high ? zone.high - have : 0;
}

u64 zone_free_count(void)
{
	return READ_ONCE(zone.nfree);
}

static void audit_block(struct frame *f, unsigned order)
{
	struct bank *b = bank_of_frame(f);
	u64 pfn = frame_pa(f) >> PAGE_SHIFT;

	ASSERTF(f->flags & FR_BUDDY && f->order == order, "frame %#lx", (unsigned long)frame_pa(f));
	ASSERTF(IS_ALIGNED(pfn, 1UL << order), "frame %#lx order %u", (unsigned long)frame_pa(f),
		order);
	ASSERT((u64)(f - b->frames) + (1UL << order) <= bank_frames(b));
	ASSERT(order == FRAME_MAX_ORDER || !free_buddy(b, f, order));
	for (u64 i = 0; i < 1UL << order; i++)
		ASSERTF((f[i].flags & ~(FR_BUDDY | FR_POISON)) == FR_FREE && !f[i].holds &&
				(!i || !(f[i].flags & FR_BUDDY)),
			"frame %#lx flags %#x holds %u", (unsigned long)frame_pa(f + i), f[i].flags,
			f[i].holds);
}

u64 zone_audit(void)
{
	u64 n = 0, zeroed = 0;
	struct frame *f;
	u64 irq = spin_lock_irq(&zone.lock);

	for (unsigned k = 0; k < ORDERS; k++) {
		ASSERT(list_empty(&zone.free[k]) == !(zone.nonempty >> k & 1));
		list_for_each(f, &zone.free[k], link) {
			audit_block(f, k);
			n += 1UL << k;
		}
	}
	list_for_each(f, &zone.zeroed, link) {
		ASSERT((f->flags & (FR_FREE | FR_ZEROED | FR_BUDDY)) == (FR_FREE | FR_ZEROED));
		zeroed++;
	}
	ASSERTF(zeroed == zone.nzeroed && n + zeroed == zone.nfree,
		"zeroed %lu of %lu, free %lu of %lu", (unsigned long)zeroed,
		(unsigned long)zone.nzeroed, (unsigned long)(n + zeroed),
		(unsigned long)zone.nfree);
	spin_unlock_irq(&zone.lock, irq);
	return n + zeroed;
}
