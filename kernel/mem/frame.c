// SPDX-License-Identifier: BSD-2-Clause
/*
 * Allocation of frames: per-hart caches in front of the zone (zone.c), checks on the way in and out, and what to do when there is
 * too little.
 *
 *	alloc: cache -> zone -> other harts' caches -> reclaim -> NULL		free: cache -> zone
 *
 * A hart's cache has two stacks, of zeroed frames and of any.  Invariants: a free frame has FR_FREE, no holds, no object, no
 * mapping, index and private 0; an allocated one does not have FR_FREE.  Whoever takes it off a list
 * or stack clears FR_FREE, whoever frees it sets it, so freeing twice is always seen.
 *
 * Locks: a cache is touched only by its own hart with interrupts off.  Lists: see zone.c.  frame_free may be called from
 * interrupts; so may frame_alloc with FA_NOWAIT.
 */

#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/mem_internal.h"
#include "kernel/mem/stat.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"

#define CACHE_MAX     64u /* frames in a stack */
#define CACHE_MIN     8u
#define POISON	      0xf4eef4eef4eef4eeUL
#define RECLAIM_TRIES 1024
#define OOM_MOST      8 /* frames in a row for which somebody is killed */

/* flags that forbid freeing */
#define FR_UNFIT \
	(FR_BUSY | FR_DIRTY | FR_CLEANING | FR_WAITERS | FR_BUDDY | FR_SLAB | FR_TABLE | FR_FREE)

enum { ANY, ZEROED, STACKS };

/* Field markings and the corresponding locks:
 * (h) its own hart, interrupts off; read by others as a hint   (c) constant after frames_hart_init
 */
struct frame_cache {
	u32 n[STACKS]; /* (h) */
	u32 max;       /* (c) */
	s64 kernel;    /* (h) allocated less freed here without FA_USER: may be negative */
	struct frame *stack[STACKS][CACHE_MAX]; /* (h) */
};
BUILD_ASSERT(sizeof(struct frame_cache) <= PAGE_SIZE);

static s64 kernel_early;		 /* (a) as frame_cache.kernel, by harts without one */
static size_t (*reclaim)(size_t want);	 /* (a) */
static void (*kick_reclaim)(void);	 /* (a) */
static bool (*out_of_memory)(void);	 /* (a) */
static void (*out_of_memory_soon)(void); /* (a) */

static inline struct frame_cache *cache_here(void)
{
	return current()->hart->frame_cache;
}

/* ---- checks ---- */

static __noreturn void unfit(struct frame *f)
{
	static const char *const names[] = {"busy",	  "valid", "dirty",    "cleaning",
					    "referenced", "error", "reserved", "waited for",
					    "wired",	  "buddy", "slab",     "page table"};
	char why[256];
	size_t n = 0;

	why[0] = 0;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (f->flags & FR_UNFIT & 1u << i)
			n += ksnprintf(why + n, sizeof(why) - n, " %s;", names[i]);
	if (f->flags & FR_FREE)
		n += ksnprintf(why + n, sizeof(why) - n, " already free;");
	if (f->object)
		n += ksnprintf(why + n, sizeof(why) - n, " in object %p at %lu;", (void *)f->object,
			       (unsigned long)f->index);
	if (f->mapcount)
		n += ksnprintf(why + n, sizeof(why) - n, " mapped %u times;", f->mapcount);
	if (f->io_pending)
		n += ksnprintf(why + n, sizeof(why) - n, " %u transfers pending;", f->io_pending);
	if (f->holds > 1)
		n += ksnprintf(why + n, sizeof(why) - n, " held %u times;", f->holds);
	panic("frame %#lx (flags %#x) is not fit to be freed:%s", (unsigned long)frame_pa(f),
	      f->flags, why);
}

static void poison(struct frame *f)
{
	u64 *p = frame_va(f);

	if (!DEBUG)
		return;
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		p[i] = POISON;
	f->flags |= FR_POISON;
}

/* Nobody may have written to a free frame. */
static void check_content(struct frame *f)
{
	u64 want = f->flags & FR_ZEROED ? 0 : POISON;
	const u64 *p;

	if (!DEBUG || !(f->flags & (FR_ZEROED | FR_POISON)))
		return;
	p = frame_va(f);
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		if (p[i] != want)
			panic("frame %#lx was written after it was freed: %#lx at offset %u",
			      (unsigned long)frame_pa(f), (unsigned long)p[i], i * 8);
}

/* From free to allocated. True: it is all zero. */
static inline bool frame_claim(struct frame *f, unsigned flags)
{
	bool zero = f->flags & FR_ZEROED;

	ASSERTF((f->flags & (FR_FREE | FR_BUDDY)) == FR_FREE, "frame %#lx flags %#x",
		(unsigned long)frame_pa(f), f->flags);
	check_content(f);
	f->flags = flags & FA_USER ? FR_USER : 0;
	f->holds = 1;
	list_init(&f->link);
	return zero;
}

static inline void frame_check_unused(struct frame *f)
{
	if (unlikely((f->flags & FR_UNFIT) || f->object || f->mapcount || f->io_pending ||
		     f->holds > 1))
		unfit(f);
}

/* From allocated to free. */
static inline void frame_disclaim(struct frame *f)
{
	frame_check_unused(f);
	f->flags = FR_FREE;
	f->holds = 0;
	f->index = 0;
	f->private = 0;
	if (DEBUG)
		poison(f);
}

/* ---- caches ---- */

static void count_kernel(struct frame_cache *c, s64 n)
{
	if (c)
		c->kernel += n;
	else
		__atomic_fetch_add(&kernel_early, n, __ATOMIC_RELAXED);
}

/* Fills a stack; half of it while there is plenty, else one. Interrupts off. */
static bool refill(struct frame_cache *c, unsigned which, unsigned flags)
{
	size_t want = zone_allowance(FA_USER) > c->max ? c->max / 2 : 1;

	size_t n = which == ZEROED ? zone_take_zeroed(c->stack[which], want, flags)
				   : zone_take(c->stack[which], want, flags);

	c->n[which] = n;
	return n != 0;
}

/* A frame off one of the two stacks, the wanted kind first; NULL: none within the watermarks. Interrupts off. */
static inline struct frame *cache_pop(struct frame_cache *c, unsigned which, unsigned flags)
{
	if (c->n[which])
		return c->stack[which][--c->n[which]];
	if (which == ZEROED && refill(c, ZEROED, flags))
		return c->stack[ZEROED][--c->n[ZEROED]];
	if (c->n[ANY] || refill(c, ANY, flags))
		return c->stack[ANY][--c->n[ANY]];
	if (c->n[ZEROED] && (!(flags & FA_USER) || zone_allowance(flags)))
		return c->stack[ZEROED][--c->n[ZEROED]];
	return NULL;
}

/* Room in the stack of any frames. Interrupts off. */
static __attribute__((noinline)) void cache_spill(struct frame_cache *c)
{
	u32 keep = c->max / 2;

	zone_put(c->stack[ANY] + keep, c->n[ANY] - keep);
	c->n[ANY] = keep;
}

static inline void cache_push(struct frame_cache *c, struct frame *f)
{
	if (unlikely(c->n[ANY] == c->max))
		cache_spill(c);
	c->stack[ANY][c->n[ANY]++] = f;
}

static void drain_here(void *unused)
{
	u64 irq = irq_save();
	struct frame_cache *c = cache_here();

	(void)unused;
	for (unsigned k = 0; c && k < STACKS; k++) {
		zone_put(c->stack[k], c->n[k]);
		c->n[k] = 0;
	}
	irq_restore(irq);
}

static void drain_all(void)
{
	drain_here(NULL);
	if (nharts > 1)
		harts_call(harts_online(), drain_here, NULL);
}

void frames_hart_init(void)
{
	struct frame *f = frame_alloc(FA_ZERO);
	struct frame_cache *c;

	if (!f)
		panic("no memory for the frame cache of a hart");
	c = frame_va(f);
	f->flags |= FR_WIRED;
	c->max = MIN(MAX((u32)MIN(frames_total() / (128 * MAX(nharts, 1u)), CACHE_MAX), CACHE_MIN),
		     CACHE_MAX);
	current()->hart->frame_cache = c;
}

/* ---- allocation ---- */

/* Few frames are left: somebody should bring more. Any context. */
void frames_low(void)
{
	void (*fn)(void) = __atomic_load_n(&kick_reclaim, __ATOMIC_RELAXED);

	if (fn)
		fn();
}

static struct frame *try_one(unsigned flags, bool *zero)
{
	u64 irq = irq_save();
	struct frame_cache *c = cache_here();
	struct frame *f = NULL;

	if (likely(c))
		f = cache_pop(c, flags & FA_ZERO ? ZEROED : ANY, flags);
	else if (!zone_take(&f, 1, flags))
		f = NULL;
	if (likely(f) && !(flags & FA_USER))
		count_kernel(c, 1);
	irq_restore(irq);
	if (likely(f))
		*zero = frame_claim(f, flags);
	return f;
}

static struct frame *try_order(unsigned order, unsigned flags)
{
	struct frame *f = zone_take_order(order, flags);
	u64 irq;

	if (!f)
		return NULL;
	for (u64 i = 0; i < 1UL << order; i++)
		frame_claim(f + i, flags);
	if (!(flags & FA_USER)) {
		irq = irq_save();
		count_kernel(cache_here(), 1L << order);
		irq_restore(irq);
	}
	return f;
}

bool frames_oom(void)
{
	bool (*fn)(void) = __atomic_load_n(&out_of_memory, __ATOMIC_RELAXED);

	return fn && !current()->pageout && fn();
}

void frames_oom_soon(void)
{
	void (*fn)(void) = __atomic_load_n(&out_of_memory_soon, __ATOMIC_RELAXED);

	if (fn)
		fn();
}

/*
 * Makes room for an allocation that failed and may wait; false: nothing more can be done.  The caches of the harts are emptied last, and once: all harts
 * are interrupted for it.
 */
static bool make_room(size_t want, unsigned flags, unsigned try, bool *drained)
{
	size_t (*fn)(size_t) = __atomic_load_n(&reclaim, __ATOMIC_RELAXED);

	might_sleep();
	if (current()->pageout) /* who brings memory cannot wait for it */
		return false;
	/* large blocks may only be split among the caches: those are emptied first */
	if (fn && try < RECLAIM_TRIES && (want == 1) == !*drained && fn(want) != 0)
		return true;
	if (*drained)
		return !(flags & FA_USER) && try < RECLAIM_TRIES && want <= OOM_MOST &&
		       !zone_allowance(FA_USER) && frames_oom();
	drain_all();
	*drained = true;
	return true;
}

void frames_bring(void)
{
	size_t (*fn)(size_t);

	if (likely(!zone_is_low()) || current()->pageout)
		return;
	might_sleep();
	fn = __atomic_load_n(&reclaim, __ATOMIC_RELAXED);
	if (fn)
		(void)fn(0);
}

static __attribute__((noinline)) struct frame *alloc_slow(unsigned flags)
{
	bool zero = false, drained = false;
	struct frame *f = try_one(flags, &zero);

	/* who brings pages out must not depend on a free one */
	DASSERT(!current()->pageout || (flags & (FA_NOWAIT | FA_RESERVE)));
	for (unsigned try = 0; !f; try++) {
		if ((flags & FA_NOWAIT) || !make_room(1, flags, try, &drained))
			return NULL;
		f = try_one(flags, &zero);
	}
	if (!(flags & FA_NOWAIT))
		frames_bring();
	if ((flags & FA_ZERO) && !zero)
		page_zero(mem_frame_va(f));
	vm_count(VMEV_pgalloc_normal, 1);
	return f;
}

struct frame *frame_alloc(unsigned flags)
{
	unsigned which = flags & FA_ZERO ? ZEROED : ANY;
	u64 irq = irq_save();
	struct frame_cache *c = cache_here();
	struct frame *f;

	if (alloc_injected()) {
		irq_restore(irq);
		return NULL;
	}
	if (unlikely(!c || !c->n[which])) {
		irq_restore(irq);
		return alloc_slow(flags);
	}
	f = c->stack[which][--c->n[which]];
	c->kernel += !(flags & FA_USER);
	irq_restore(irq);
	frame_claim(f, flags);
	vm_count(VMEV_pgalloc_normal, 1);
	return f;
}

struct frame *frame_alloc_order(unsigned order, unsigned flags)
{
	bool drained = false;
	struct frame *f;

	if (order > FRAME_MAX_ORDER)
		return NULL;
	if (!order)
		return frame_alloc(flags);
	if (alloc_injected())
		return NULL;
	f = try_order(order, flags);
	for (unsigned try = 0; !f; try++) {
		if ((flags & FA_NOWAIT) || !make_room(1UL << order, flags, try, &drained))
			return NULL;
		f = try_order(order, flags);
	}
	for (u64 i = 0; (flags & FA_ZERO) && i < 1UL << order; i++)
		page_zero(mem_frame_va(f + i));
	vm_count(VMEV_pgalloc_normal, 1UL << order);
	return f;
}

size_t frame_alloc_bulk(struct frame **out, size_t n, unsigned flags)
{
	size_t got = alloc_injected() ? 0 : zone_take(out, n, flags);
	u64 irq;

	for (size_t i = 0; i < got / 2; i++) { /* neighbours in order: one piece for a disk */
		struct frame *f = out[i];

		out[i] = out[got - 1 - i];
		out[got - 1 - i] = f;
	}
	for (size_t i = 0; i < got; i++)
		if (!frame_claim(out[i], flags) && (flags & FA_ZERO))
			page_zero(mem_frame_va(out[i]));
	if (!(flags & FA_USER)) {
		irq = irq_save();
		count_kernel(cache_here(), got);
		irq_restore(irq);
	}
	vm_count(VMEV_pgalloc_normal, got);
	for (; got < n; got++) {
		out[got] = frame_alloc(flags);
		if (!out[got])
			break;
	}
	return got;
}

size_t frame_alloc_some(struct frame **out, size_t n, unsigned flags)
{
	unsigned which = ANY;
	struct frame_cache *c;
	size_t got = 0;
	u64 irq;

	if (alloc_injected())
		return 0;
	irq = irq_save();
	c = cache_here();
	while (c && got < n) {
		if ((flags & FA_ZERO) && (c->n[ZEROED] || (!got && refill(c, ZEROED, flags))))
			which = ZEROED;
		else if (c->n[ANY] || refill(c, ANY, flags))
			which = ANY;
		else
			break;
		out[got++] = c->stack[which][--c->n[which]];
	}
	if (got && !(flags & FA_USER))
		count_kernel(c, got);
	irq_restore(irq);
	for (size_t i = 0; i < got; i++)
		if (!frame_claim(out[i], flags) && (flags & FA_ZERO))
			page_zero(mem_frame_va(out[i]));
	vm_count(VMEV_pgalloc_normal, got);
	return got;
}

/* ---- freeing ---- */

void frame_free(struct frame *f)
{
	s64 kernel = !(f->flags & FR_USER);
	struct frame_cache *c;
	u64 irq;

	frame_disclaim(f);
	vm_count(VMEV_pgfree, 1);
	irq = irq_save();
	c = cache_here();
	if (likely(c)) {
		c->kernel -= kernel;
		cache_push(c, f);
	} else {
		count_kernel(NULL, -kernel);
		zone_put(&f, 1);
	}
	irq_restore(irq);
}

void frame_free_zeroed(struct frame *f)
{
	struct frame_cache *c;
	bool kept;
	u64 irq = irq_save();

	c = cache_here();
	kept = c && c->n[ZEROED] < c->max;
	if (kept) {
		c->kernel -= !(f->flags & FR_USER);
		frame_check_unused(f);
		f->flags = FR_FREE | FR_ZEROED;
		f->holds = 0;
		f->index = 0;
		f->private = 0;
		check_content(f);
		c->stack[ZEROED][c->n[ZEROED]++] = f;
	}
	irq_restore(irq);
	if (kept)
		vm_count(VMEV_pgfree, 1);
	else
		frame_free(f);
}

void frame_free_order(struct frame *f, unsigned order)
{
	s64 kernel = 0;
	u64 irq;

	if (!order) {
		frame_free(f);
		return;
	}
	ASSERT(order <= FRAME_MAX_ORDER && IS_ALIGNED(frame_pa(f), PAGE_SIZE << order));
	for (u64 i = 0; i < 1UL << order; i++) {
		kernel += !(f[i].flags & FR_USER);
		frame_disclaim(f + i);
	}
	irq = irq_save();
	count_kernel(cache_here(), -kernel);
	irq_restore(irq);
	vm_count(VMEV_pgfree, 1UL << order);
	zone_put_order(f, order);
}

void frame_free_bulk(struct frame **f, size_t n)
{
	s64 kernel = 0;
	u64 irq;

	for (size_t i = 0; i < n; i++) {
		kernel += !(f[i]->flags & FR_USER);
		frame_disclaim(f[i]);
	}
	irq = irq_save();
	count_kernel(cache_here(), -kernel);
	irq_restore(irq);
	vm_count(VMEV_pgfree, n);
	zone_put(f, n);
}

/* ---- the rest ---- */

bool frames_zero_one(void)
{
	struct frame *f;

	if (!zone_wants_zeroed() || !zone_take(&f, 1, FA_USER))
		return false;
	if (!(f->flags & FR_ZEROED)) {
		check_content(f);
		f->flags &= ~FR_POISON;
		page_zero(mem_frame_va(f));
		vm_count(VMEV_frames_zeroed_idle, 1);
	}
	zone_put_zeroed(f);
	return true;
}

void frames_set_oom(bool (*now)(void), void (*soon)(void))
{
	__atomic_store_n(&out_of_memory, now, __ATOMIC_RELAXED);
	__atomic_store_n(&out_of_memory_soon, soon, __ATOMIC_RELAXED);
}

void frames_set_reclaim(size_t (*fn)(size_t want), void (*kick)(void))
{
	__atomic_store_n(&reclaim, fn, __ATOMIC_RELAXED);
	__atomic_store_n(&kick_reclaim, kick, __ATOMIC_RELAXED);
}

static u64 cached(void)
{
	u64 n = 0;

	for (u32 i = 0; i < nharts; i++) {
		const struct frame_cache *c = harts[i] ? harts[i]->frame_cache : NULL;

		for (unsigned k = 0; c && k < STACKS; k++)
			n += READ_ONCE(c->n[k]);
	}
	return n;
}

u64 frames_free_count(void)
{
	return zone_free_count() + cached();
}

u64 frames_kernel_count(void)
{
	s64 n = __atomic_load_n(&kernel_early, __ATOMIC_RELAXED);

	for (u32 i = 0; i < nharts; i++) {
		const struct frame_cache *c = harts[i] ? harts[i]->frame_cache : NULL;

		n += c ? READ_ONCE(c->kernel) : 0;
	}
	return n > 0 ? (u64)n : 0;
}

static void audit_cache(const struct frame_cache *c)
{
	for (unsigned k = 0; k < STACKS; k++) {
		ASSERT(c->n[k] <= c->max);
		for (u32 i = 0; i < c->n[k]; i++) {
			const struct frame *f = c->stack[k][i];

			ASSERTF((f->flags & (FR_FREE | FR_BUDDY)) == FR_FREE && !f->holds &&
					!f->object && !f->mapcount,
				"cached frame %#lx flags %#x", (unsigned long)frame_pa(f),
				f->flags);
			ASSERT(k != ZEROED || (f->flags & FR_ZEROED));
		}
	}
}

void frames_audit(void)
{
	u64 irq;

	zone_audit();
	irq = irq_save();
	if (cache_here())
		audit_cache(cache_here());
	irq_restore(irq);
}
