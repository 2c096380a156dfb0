// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/mem/slab.c kernel/mem/kmalloc.c kernel/mem/bank.c kernel/mem/zone.c kernel/mem/frame.c kernel/mem/stat.c kernel/mem/radix_pool.c kernel/lib/radix.c kernel/lib/rbtree.c kernel/lib/bytes.c tests/host/shim/kernel.c
/* Slab caches and kmalloc on real frames: contents of objects never change behind their owner's back, all memory comes back,
 * and debug builds see the usual mistakes. */

#include "host.h"
#include "kernel/lib/radix_node.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/mutex.h"

#define BASE  0x80000000UL
#define RAM   (64 * MiB)
#define HARTS 3u

void harts_call(u64 mask, void (*fn)(void *), void *arg)
{
	struct thread *me = host_current;

	for (unsigned i = 0; i < nharts; i++)
		if (mask >> i & 1) {
			host_run_on(i);
			fn(arg);
		}
	host_current = me;
}

void mutex_init(struct mutex *m, enum lock_rank rank, const char *name)
{
	(void)rank;
	(void)name;
	m->owner = 0;
}

void mutex_lock(struct mutex *m)
{
	assert_false(m->owner);
	m->owner = 1;
}

void mutex_unlock(struct mutex *m)
{
	assert_true(m->owner);
	m->owner = 0;
}

/* The window of KVM space is not mapped on the host: addresses only. */
static unsigned kvm_out;
static bool kvm_fails;

void *kvm_alloc_pages(size_t npages, bool guard)
{
	static u64 next = KVM_BASE;

	assert_true(guard && npages);
	if (kvm_fails)
		return NULL;
	next += (npages + 1) * PAGE_SIZE;
	kvm_out++;
	return (void *)(next - npages * PAGE_SIZE);
}

void kvm_free_pages(void *va, size_t npages)
{
	assert_true((u64)va >= KVM_BASE && npages);
	kvm_out--;
}

struct item {
	u8 *p;
	size_t n;
	u8 fill;
};
#define ITEMS 3000
static struct item items[ITEMS];
static unsigned nitems;

static void fill(struct item *it)
{
	it->fill = host_rand();
	memset(it->p, it->fill, it->n);
}

static void check(const struct item *it, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(it->p[i], it->fill);
}

static size_t random_size(void)
{
	static const size_t big[] = {4095, 4096, 4097, 8192, 40000, 65536, 65537, 200000, 1000000};

	if (host_rand_below(40) == 0)
		return big[host_rand_below(ARRAY_LEN(big))];
	return 1 + host_rand_below(1UL << (4 + host_rand_below(8)));
}

static void item_new(void)
{
	struct item *it = &items[nitems];
	unsigned flags = (host_rand_below(2) ? KM_ZERO : 0) | KM_NOWAIT;

	it->n = random_size();
	it->p = kmalloc(it->n, flags);
	if (!it->p)
		return;
	nitems++;
	assert_true(IS_ALIGNED((u64)it->p, it->n >= 16 ? 16 : 8));
	for (size_t i = 0; (flags & KM_ZERO) && i < it->n; i++)
		assert_int_equal(it->p[i], 0);
	fill(it);
}

static void item_free(unsigned k)
{
	check(&items[k], items[k].n);
	kfree(items[k].p);
	items[k] = items[--nitems];
}

static void item_resize(struct item *it)
{
	size_t n = random_size();
	u8 *p = krealloc(it->p, n, KM_NOWAIT);

	if (!p)
		return;
	it->p = p;
	check(it, MIN(n, it->n));
	it->n = n;
	fill(it);
}

static u64 in_use(void)
{
	const char *name;
	size_t size;
	u64 used, total, sum = 0;

	for (unsigned k = 0; slab_info(k, &name, &size, &used, &total); k++) {
		assert_true(used <= total);
		if (strcmp(name, "magazine"))
			sum += used;
	}
	return sum;
}

static void test_kmalloc_random(void **state)
{
	u64 before = in_use(), frames, freed;

	(void)state;
	slab_shrink();
	frames = slab_frames();
	freed = frames_free_count();
	for (unsigned step = 0; step < 60000; step++) {
		bool grow = host_rand_below(100) < (step / 8000 % 2 ? 40 : 60);

		host_run_on(host_rand_below(HARTS));
		if (host_rand_below(1000) == 0)
			slab_shrink();
		if (nitems && host_rand_below(10) == 0)
			item_resize(&items[host_rand_below(nitems)]);
		else if (grow && nitems < ITEMS)
			item_new();
		else if (nitems)
			item_free(host_rand_below(nitems));
		assert_false(host_locks_held());
		assert_true(host_irqs_on);
	}
	while (nitems)
		item_free(nitems - 1);
	host_run_on(0);
	slab_shrink();
	assert_int_equal(in_use(), before);
	/* magazines made meanwhile stay; nothing else does */
	assert_true(slab_frames() - frames < 32);
	assert_int_equal(freed - frames_free_count(), slab_frames() - frames);
	frames_audit();
}

static void test_cache(void **state)
{
	static const size_t aligns[] = {0, 8, 64, 256, 4096};

	(void)state;
	for (unsigned a = 0; a < ARRAY_LEN(aligns); a++) {
		u64 frames = frames_free_count();
		struct kmem_cache *c = kmem_cache_create("test", 200, aligns[a]);
		u8 *p[500];

		assert_non_null(c);
		for (unsigned i = 0; i < 500; i++) {
			host_run_on(i % HARTS);
			p[i] = kmem_cache_alloc(c, i & 1 ? KM_ZERO : 0);
			assert_true(IS_ALIGNED((u64)p[i], aligns[a] ? aligns[a] : 8));
			for (unsigned k = 0; (i & 1) && k < 200; k++)
				assert_int_equal(p[i][k], 0);
			memset(p[i], i, 200);
		}
		assert_int_equal(kmem_cache_in_use(c), 500);
		for (unsigned i = 0; i < 500; i++) {
			host_run_on(host_rand_below(HARTS));
			for (unsigned k = 0; k < 200; k++)
				assert_int_equal(p[i][k], (u8)i);
			kmem_cache_free(c, p[i]);
		}
		host_run_on(0);
		assert_int_equal(kmem_cache_in_use(c), 0);
		kmem_cache_free(c, NULL);
		kmem_cache_destroy(c);
		slab_shrink();
		assert_true(frames - frames_free_count() < 16);
	}
}

static void test_destroy_in_use(void **state)
{
	struct kmem_cache *c = kmem_cache_create("busy", 64, 0);
	void *p = kmem_cache_alloc(c, 0);

	(void)state;
	expect_panic(kmem_cache_destroy(c), "1 objects in use");
	kmem_cache_free(c, p);
	kmem_cache_destroy(c);
}

static void test_mistakes(void **state)
{
	struct kmem_cache *c = kmem_cache_create("mistakes", 100, 0);
	u8 *p = kmem_cache_alloc(c, 0), *q = kmem_cache_alloc(c, 0);
	volatile u8 old;

	(void)state;
	kmem_cache_free(c, p);
	expect_panic(kmem_cache_free(c, p), "freed twice");
	expect_panic(kmem_cache_free(c, q + 8), "inside an object");
	expect_panic(kfree(q + 8), "inside an object");
	old = q[100];
	q[100] = 1;
	expect_panic(kmem_cache_free(c, q), "behind the object at offset 100");
	q[100] = old;
	old = q[-1];
	q[-1] = 1;
	expect_panic(kmem_cache_free(c, q), "before the object");
	q[-1] = old;
	p[50] = 1; /* freed, and the next to come out again */
	expect_panic(kmem_cache_alloc(c, 0), "write after free at offset 50");
	kmem_cache_free(c, q);
	p = kmalloc(100, 0);
	expect_panic(kmem_cache_free(c, p), "not from this cache");
	kfree(p);
	expect_panic(kfree((void *)0x1000), "nothing we gave out");
	expect_panic(kfree(pa_to_va(BASE + 16)), "nothing we gave out");
	expect_panic(kfree((void *)(KVM_BASE + PAGE_SIZE)), "nothing we gave out");
}

static void test_fail_nth(void **state)
{
	void *p[4], *copy;

	(void)state;
	/* with objects at hand no allocation needs a frame, which would count as well */
	for (unsigned i = 0; i < 4; i++)
		p[i] = kmalloc(10, 0);
	for (unsigned i = 0; i < 4; i++)
		kfree(p[i]);
	kmem_fail_nth(3);
	p[0] = kmalloc(10, 0);
	p[1] = kmalloc(10, 0);
	p[3] = kmalloc(10, 0); /* the macros may evaluate their argument twice */
	assert_null(p[3]);
	p[2] = kmalloc(10, 0);
	assert_true(p[0] && p[1] && p[2]);
	kmem_fail_nth(1);
	host_run_on(1); /* another thread does not notice */
	p[3] = kmalloc(10, 0);
	assert_non_null(p[3]);
	host_run_on(0);
	current()->intr_depth = 1; /* nor does an interrupt */
	kfree(p[3]);
	p[3] = kmalloc(10, KM_NOWAIT);
	assert_non_null(p[3]);
	current()->intr_depth = 0;
	copy = kstrdup("x");
	assert_null(copy);
	for (unsigned i = 0; i < 4; i++)
		kfree(p[i]);
}

static void test_huge(void **state)
{
	void *p = kmalloc(40 * MiB, 0);

	(void)state;
	assert_true((u64)p >= KVM_BASE);
	assert_int_equal(kvm_out, 1);
	assert_null(kmalloc(40 * MiB, KM_NOWAIT));
	kfree(p);
	assert_int_equal(kvm_out, 0);
	kvm_fails = true;
	assert_null(kmalloc(40 * MiB, 0));
	kvm_fails = false;
	assert_null(kmalloc(~0UL, 0));
}

/* Objects until there is no memory, then all back. */
static void test_exhaustion(void **state)
{
	struct kmem_cache *c = kmem_cache_create("eat", 512, 0);
	u64 free_before;
	void **first = NULL, **p;
	unsigned n = 0, again = 0;

	(void)state;
	slab_shrink();
	free_before = frames_free_count();
	for (; (p = kmem_cache_alloc(c, n & 1 ? KM_NOWAIT : 0)); first = p, n++)
		*p = first;
	assert_true(n > 50000);
	assert_int_equal(kmem_cache_in_use(c), n);
	while (first) {
		p = *first;
		kmem_cache_free(c, first);
		first = p;
	}
	slab_shrink();
	assert_true(free_before - frames_free_count() < 8);
	for (; again < n && (p = kmem_cache_alloc(c, KM_NOWAIT)); first = p, again++)
		*p = first;
	assert_int_equal(again, n);
	while (first) {
		p = *first;
		kmem_cache_free(c, first);
		first = p;
	}
	kmem_cache_destroy(c);
	frames_audit();
}

static void test_radix_reserve(void **state)
{
	struct radix_tree t;
	struct radix_reserve r = {NULL, 0}, s = {NULL, 0};

	(void)state;
	radix_init(&t);
	for (unsigned i = 0; i < 1000; i++) {
		host_run_on(host_rand_below(HARTS));
		assert_int_equal(radix_reserve_fill(&r, true), 0);
		assert_int_equal(r.n, RADIX_INSERT_MAX);
		assert_int_equal(radix_reserve_fill(&r, false), 0);
		if (i % 10 == 0)
			assert_int_equal(radix_reserve_fill(&s, true), 0);
		assert_int_equal(radix_insert(&t, i * 977UL * 977 * 977, i + 1, &r), 0);
		radix_reserve_free(&s);
		radix_reserve_free(&r);
		radix_reserve_free(&r);
	}
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(radix_remove(&t, i * 977UL * 977 * 977), i + 1);
	assert_null(t.root);
}

static int setup(void **state)
{
	(void)state;
	host_harts(HARTS);
	host_ram(BASE, BASE + RAM);
	frames_add_bank(BASE, RAM);
	frames_reserve(BASE, 64 * KiB);
	frames_init();
	frames_hart_init();
	slab_init();
	slab_hart_init();
	for (unsigned i = 1; i < HARTS; i++) {
		host_run_on(i);
		frames_hart_init();
		slab_hart_init();
	}
	host_run_on(0);
	radix_lib_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kmalloc_random), cmocka_unit_test(test_cache),
		cmocka_unit_test(test_destroy_in_use), cmocka_unit_test(test_fail_nth),
		cmocka_unit_test(test_huge),	       cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_radix_reserve),  cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
