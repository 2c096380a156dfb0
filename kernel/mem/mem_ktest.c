// SPDX-License-Identifier: BSD-2-Clause
/* Self-tests of frames and slabs with all harts at once: memory taken on one hart and given back on another keeps its contents, and all
 * of it comes back. */

#include "kernel/boot/ktest.h"
#include "kernel/lib/radix.h"
#include "kernel/lib/string.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/slab.h"

#define WORKERS 4u
#define SLOTS	128u
#define STEPS	4000u

/* Things on their way from one worker to another; a slot is taken by exchanging it. */
static void *exchange[SLOTS];
static struct kmem_cache *cache;

/* The first word of an item is its size, the last its complement. */
static void stamp(u64 *p, size_t size)
{
	p[0] = size;
	p[size / 8 - 1] = ~(u64)size;
}

static bool stamped(const u64 *p)
{
	return p[0] % 8 == 0 && p[0] <= 2048 && p[p[0] / 8 - 1] == ~p[0];
}

static void put_kmalloc(void *p)
{
	if (!p)
		return;
	KT_CHECK(stamped(p));
	kfree(p);
}

static void kmalloc_worker(unsigned k)
{
	(void)k;
	for (unsigned i = 0; i < STEPS; i++) {
		u64 r = ktest_random();
		size_t size = 16 + r % 2032 / 8 * 8;
		u64 *p = kmalloc(size, r >> 20 & 1 ? KM_ZERO : 0);

		if (!KT_CHECK(p))
			return;
		if (r >> 20 & 1)
			KT_CHECK(!p[0] && !p[size / 8 - 1]);
		stamp(p, size);
		put_kmalloc(
			__atomic_exchange_n(&exchange[r >> 32 & (SLOTS - 1)], p, __ATOMIC_ACQ_REL));
	}
}

KTEST(kmalloc_across_harts)
{
	ktest_parallel(WORKERS, kmalloc_worker);
	for (unsigned i = 0; i < SLOTS; i++)
		put_kmalloc(__atomic_exchange_n(&exchange[i], NULL, __ATOMIC_ACQ_REL));
}

static void cache_worker(unsigned k)
{
	for (unsigned i = 0; i < STEPS; i++) {
		u64 *p = kmem_cache_alloc(cache, i & 1 ? KM_NOWAIT : 0), *old;

		if (!p)
			continue;
		p[0] = (u64)p;
		p[9] = k;
		old = __atomic_exchange_n(&exchange[ktest_random() % SLOTS], p, __ATOMIC_ACQ_REL);
		if (old)
			KT_CHECK(old[0] == (u64)old && old[9] < WORKERS);
		kmem_cache_free(cache, old);
	}
}

KTEST(slab_across_harts)
{
	cache = kmem_cache_create("ktest", 80, 0);
	KT_ASSERT(cache);
	ktest_parallel(WORKERS, cache_worker);
	for (unsigned i = 0; i < SLOTS; i++)
		kmem_cache_free(cache, __atomic_exchange_n(&exchange[i], NULL, __ATOMIC_ACQ_REL));
	KT_CHECK(kmem_cache_in_use(cache) == 0);
	kmem_cache_destroy(cache); /* panics if a magazine of some hart was forgotten */
}

static void put_frame(struct frame *f)
{
	if (!f)
		return;
	KT_CHECK(*(u64 *)frame_va(f) == frame_pa(f));
	frame_free(f);
}

static void frame_worker(unsigned k)
{
	(void)k;
	for (unsigned i = 0; i < STEPS; i++) {
		u64 r = ktest_random();
		struct frame *f = frame_alloc(r & (FA_ZERO | FA_USER));
		u64 *p;

		if (!KT_CHECK(f))
			return;
		p = frame_va(f);
		for (unsigned w = 0; (r & FA_ZERO) && w < PAGE_SIZE / 8; w += 37)
			KT_CHECK(!p[w]);
		p[0] = frame_pa(f);
		p[37] = r;
		put_frame(
			__atomic_exchange_n(&exchange[r >> 32 & (SLOTS - 1)], f, __ATOMIC_ACQ_REL));
		if (i % 64 == 0)
			frames_zero_one();
	}
}

KTEST(frames_across_harts)
{
	ktest_parallel(WORKERS, frame_worker);
	for (unsigned i = 0; i < SLOTS; i++)
		put_frame(__atomic_exchange_n(&exchange[i], NULL, __ATOMIC_ACQ_REL));
	frames_audit();
}

KTEST(radix_reserve_across_harts)
{
	struct radix_reserve r = {NULL, 0};
	struct radix_tree t;

	radix_init(&t);
	for (u64 i = 0; i < 3000; i++) {
		KT_ASSERT(radix_reserve_fill(&r, true) == 0);
		KT_CHECK(radix_insert(&t, i * i * i, i + 1, &r) == 0);
		radix_reserve_free(&r);
	}
	for (u64 i = 0; i < 3000; i++)
		KT_CHECK(radix_remove(&t, i * i * i) == i + 1);
	KT_CHECK(!t.root);
}
