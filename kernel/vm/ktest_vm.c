// SPDX-License-Identifier: BSD-2-Clause
/*
 * Self-tests of address spaces under several harts.
 */
#include "kernel/boot/ktest.h"
#include "kernel/vm/vm_internal.h"

#define REGION	256 /* pages */
#define BASE	0x10000000UL
#define ROUNDS	2000
#define WORKERS 4

static struct vm_map *shared_map;
static u64 model[REGION];

static u64 page_at(unsigned i)
{
	return BASE + i * PAGE_SIZE + 64;
}

static bool store(struct vm_map *m, unsigned i, u64 v)
{
	return vm_access(m, page_at(i), &v, sizeof(v), true) == sizeof(v);
}

static u64 load(struct vm_map *m, unsigned i)
{
	u64 v = ~0UL;

	KT_CHECK(vm_access(m, page_at(i), &v, sizeof(v), false) == sizeof(v));
	return v;
}

/* Worker k owns the pages congruent to k: nobody else stores there. */
static void fork_and_compare(unsigned k)
{
	struct vm_map *child = vm_map_fork(shared_map);

	if (!KT_CHECK(child))
		return;
	for (unsigned i = k; i < REGION; i += WORKERS * 8)
		KT_CHECK(load(child, i) == model[i]);
	for (unsigned i = k; i < REGION; i += WORKERS * 16)
		KT_CHECK(store(child, i, ~model[i]) && load(child, i) == ~model[i]);
	for (unsigned i = k; i < REGION; i += WORKERS * 16)
		KT_CHECK(load(shared_map, i) == model[i]);
	vm_map_drop(child);
}

/* Its own small area beside the region, mapped and unmapped all the time. */
static void churn_area(unsigned k)
{
	u64 at = BASE + (REGION + 16 * k) * PAGE_SIZE, v = k;
	struct vm_mmap_args a = {.addr = at,
				 .len = 8 * PAGE_SIZE,
				 .prot = PROT_READ | PROT_WRITE,
				 .flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS};

	KT_CHECK(vm_mmap(shared_map, &a) == (s64)at);
	KT_CHECK(vm_access(shared_map, at + 3 * PAGE_SIZE, &v, 8, true) == 8);
	KT_CHECK(vm_mprotect(shared_map, at + 2 * PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ) == 0);
	KT_CHECK(vm_access(shared_map, at + 3 * PAGE_SIZE, &v, 8, true) == -EFAULT);
	KT_CHECK(vm_munmap(shared_map, at + 3 * PAGE_SIZE, PAGE_SIZE) == 0);
	KT_CHECK(vm_access(shared_map, at + 3 * PAGE_SIZE, &v, 8, false) == -EFAULT);
	KT_CHECK(vm_munmap(shared_map, at, 8 * PAGE_SIZE) == 0);
}

static void worker(unsigned k)
{
	for (unsigned n = 0; n < ROUNDS; n++) {
		unsigned i = (ktest_random() % (REGION / WORKERS)) * WORKERS + k;

		switch (ktest_random() % 16) {
		case 0:
			fork_and_compare(k);
			break;
		case 1:
			churn_area(k);
			break;
		case 2 ... 8:
			model[i]++;
			KT_CHECK(store(shared_map, i, model[i]));
			break;
		default:
			KT_CHECK(load(shared_map, i) == model[i]);
		}
	}
}

KTEST(vm_parallel_faults)
{
	struct vm_mmap_args a = {.addr = BASE,
				 .len = REGION * PAGE_SIZE,
				 .prot = PROT_READ | PROT_WRITE,
				 .flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS};
	struct vm_totals before, after;

	vm_totals(&before);
	memset(model, 0, sizeof(model));
	shared_map = vm_map_create();
	KT_ASSERT(shared_map);
	KT_ASSERT(vm_mmap(shared_map, &a) == (s64)BASE);
	ktest_parallel(WORKERS, worker);
	vm_map_audit(shared_map);
	vm_map_drop(shared_map);
	vm_totals(&after);
	KT_CHECK(before.anon == after.anon);
	KT_CHECK(before.tables == after.tables);
}

KTEST(vm_stack_grows)
{
	struct vm_map *m = vm_map_create();
	u64 top = 0x20000000UL, v = 7;

	KT_ASSERT(m);
	KT_CHECK(vm_map_stack(m, top, PAGE_SIZE, PROT_READ | PROT_WRITE) == (s64)(top - PAGE_SIZE));
	KT_CHECK(vm_access(m, top - 64 * PAGE_SIZE, &v, 8, true) == 8);
	KT_CHECK(vm_access(m, top - 9 * MiB, &v, 8, true) == -EFAULT);
	vm_map_audit(m);
	vm_map_drop(m);
}
