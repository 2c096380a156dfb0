// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/mem/bank.c kernel/mem/zone.c kernel/mem/frame.c kernel/mem/stat.c kernel/lib/bytes.c tests/host/shim/kernel.c
// CFLAGS: -DFRAME_TEST=1
/* The frame allocator against a map of who owns what, on several shapes of memory. */

#include "host.h"
#include "kernel/mem/mem_internal.h"
#include "kernel/mem/stat.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"

/* The sources keep their state in static variables: each test runs in a child of its own. */
#include <sys/wait.h>
#include <unistd.h>

#define IN_CHILD(body)                        \
	do {                                  \
		int status_;                  \
		pid_t pid_ = fork();          \
		if (!pid_) {                  \
			body;                 \
			fflush(NULL);         \
			_exit(0);             \
		}                             \
		waitpid(pid_, &status_, 0);   \
		assert_int_equal(status_, 0); \
	} while (0)
#define CHECK(c)                                                                \
	do {                                                                    \
		if (!(c)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c); \
			_exit(1);                                               \
		}                                                               \
	} while (0)
#define CHECK_PANIC(stmt, text)                                               \
	do {                                                                  \
		host_panic_expected = true;                                   \
		if (!setjmp(host_panic_jmp)) {                                \
			stmt;                                                 \
			CHECK(!"panic: " #stmt);                              \
		}                                                             \
		host_panic_expected = false;                                  \
		host_locks_reset();                                           \
		if (!strstr(host_panic_text, text)) {                         \
			fprintf(stderr, "panic says: %s\n", host_panic_text); \
			CHECK(!"panic text " text);                           \
		}                                                             \
	} while (0)

#define BASE 0x80000000UL

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

static void boot(unsigned nh, paddr_t end)
{
	host_harts(nh);
	host_ram(BASE, end);
}

static void start(unsigned nh)
{
	frames_init();
	for (unsigned i = 0; i < nh; i++) {
		host_run_on(i);
		frames_hart_init();
	}
	host_run_on(0);
}

static bool content_is(struct frame *f, u8 byte)
{
	const u8 *p = frame_va(f);

	for (unsigned i = 0; i < PAGE_SIZE; i += 61)
		if (p[i] != byte)
			return false;
	return true;
}

/* What is allocated: blocks of the random test. */
#define MAX_BLOCKS 4000
static struct block {
	struct frame *f;
	unsigned order, flags;
	u8 fill;
} blocks[MAX_BLOCKS];
static unsigned nblocks;
static u64 out_total, out_kernel;
static u8 *owned; /* by pfn - BASE */

static void own(struct frame *f, unsigned order, bool on)
{
	u64 at = (frame_pa(f) - BASE) >> PAGE_SHIFT;

	CHECK(IS_ALIGNED(frame_pa(f), PAGE_SIZE << order));
	for (u64 i = 0; i < 1UL << order; i++) {
		CHECK(owned[at + i] == !on);
		owned[at + i] = on;
		CHECK(pa_frame(frame_pa(f) + i * PAGE_SIZE) == f + i);
		CHECK(!on || (f[i].holds == 1 && !f[i].mapcount && !f[i].object && !f[i].private &&
			      !f[i].index));
	}
}

static void grab(unsigned flags, unsigned order)
{
	struct block *b = &blocks[nblocks];

	*b = (struct block){frame_alloc_order(order, flags), order, flags, host_rand()};
	if (!b->f)
		return;
	nblocks++;
	own(b->f, order, true);
	for (u64 i = 0; i < 1UL << order; i++) {
		CHECK(!(flags & FA_ZERO) || content_is(b->f + i, 0));
		memset(frame_va(b->f + i), b->fill, PAGE_SIZE);
	}
	out_total += 1UL << order;
	out_kernel += flags & FA_USER ? 0 : 1UL << order;
}

static void drop(unsigned k)
{
	struct block *b = &blocks[k];

	for (u64 i = 0; i < 1UL << b->order; i++)
		CHECK(content_is(b->f + i, b->fill));
	own(b->f, b->order, false);
	frame_free_order(b->f, b->order);
	out_total -= 1UL << b->order;
	out_kernel -= b->flags & FA_USER ? 0 : 1UL << b->order;
	*b = blocks[--nblocks];
}

static void bulk(void)
{
	struct frame *f[100];
	size_t n =
		frame_alloc_bulk(f, 1 + host_rand_below(100), FA_NOWAIT | (host_rand() & FA_ZERO));

	for (size_t i = 0; i < n; i++) {
		own(f[i], 0, true);
		memset(frame_va(f[i]), 0x55, PAGE_SIZE);
	}
	for (size_t i = 0; i < n; i++)
		own(f[i], 0, false);
	frame_free_bulk(f, n);
}

static void random_run(unsigned nh, u64 span)
{
	u64 before, caches;

	owned = calloc(span >> PAGE_SHIFT, 1);
	start(nh);
	caches = frames_kernel_count();
	before = frames_free_count();
	CHECK(before + caches == frames_total());
	for (unsigned step = 0; step < 20000; step++) {
		unsigned what = host_rand_below(100);
		bool grow = host_rand_below(100) < (step / 3000 % 2 ? 35 : 65);

		host_run_on(host_rand_below(nh));
		if (what < 5)
			frames_zero_one();
		else if (what < 8)
			bulk();
		else if (grow && nblocks < MAX_BLOCKS)
			grab((host_rand() & (FA_ZERO | FA_USER | FA_NOWAIT)) |
				     (host_rand_below(2) ? FA_NOWAIT : 0),
			     host_rand_below(4) ? 0 : host_rand_below(7));
		else if (nblocks)
			drop(host_rand_below(nblocks));
		CHECK(frames_kernel_count() == caches + out_kernel);
		CHECK(frames_free_count() == before - out_total);
		CHECK(!host_locks_held() && host_irqs_on);
		if (step % 100 == 0)
			frames_audit();
	}
	while (nblocks)
		drop(nblocks - 1);
	frames_audit();
	CHECK(frames_free_count() == before && frames_kernel_count() == caches);
	CHECK(vm_event_sum(VMEV_pgalloc_normal) - vm_event_sum(VMEV_pgfree) == nh);
}

static void one_bank(void)
{
	boot(1, BASE + 8 * MiB);
	frames_add_bank(BASE, 8 * MiB);
	frames_reserve(BASE, 300 * KiB);
	random_run(1, 8 * MiB);
}

/* Banks of odd sizes and places, overlapping reservations, one of them in a hole. */
static void four_banks(void)
{
	boot(4, BASE + 64 * MiB);
	frames_add_bank(BASE + 40 * MiB + 12 * KiB, 5 * MiB);
	frames_add_bank(BASE, 3 * MiB);
	frames_add_bank(BASE + 3 * MiB, 1 * MiB); /* touches: one bank */
	frames_add_bank(BASE + 20 * MiB, 300 * KiB);
	frames_add_bank(BASE + 50 * MiB + 123, 2 * MiB); /* loses its partial pages */
	frames_reserve(BASE + 1 * MiB, 100);
	frames_reserve(BASE + 1 * MiB - PAGE_SIZE, 3 * PAGE_SIZE);
	frames_reserve(BASE + 10 * MiB, 11 * MiB - 1 * KiB);
	frames_reserve(BASE + 41 * MiB, 20 * MiB);
	CHECK(frames_banks() == 4);
	random_run(4, 64 * MiB);
	CHECK(!pa_frame(BASE + 4 * MiB) && !pa_frame(0) && !pa_frame(BASE + 64 * MiB) &&
	      !pa_frame(BASE + 39 * MiB));
	CHECK(pa_frame(BASE + 3 * MiB));
}

static void test_random(void **state)
{
	(void)state;
	host_rand();
	IN_CHILD(one_bank());
	IN_CHILD(four_banks());
}

/* Early memory is zero, aligned, in a bank, outside what is taken, and never given out later. */
static void early(void)
{
	paddr_t a, b;
	struct frame *f;

	boot(1, BASE + 8 * MiB);
	memset((void *)host_direct_base, 0xaa, 8 * MiB);
	frames_add_bank(BASE, 8 * MiB);
	frames_reserve(BASE, 1 * MiB);
	frames_reserve(BASE + 1 * MiB + 8 * KiB, 1 * MiB);
	a = frames_early_alloc(5000);
	b = frames_early_alloc(12 * KiB);
	CHECK(a == BASE + 1 * MiB);
	CHECK(b == BASE + 2 * MiB + 8 * KiB);
	for (unsigned i = 0; i < 8 * KiB; i++)
		CHECK(!((u8 *)pa_to_va(a))[i]);
	CHECK_PANIC(frames_early_alloc(7 * MiB), "contiguous");
	start(1);
	while ((f = frame_alloc(FA_NOWAIT | FA_RESERVE)))
		CHECK(frame_pa(f) >= b + 12 * KiB);
	CHECK(frames_free_count() == 0);
}

static void test_early(void **state)
{
	(void)state;
	IN_CHILD(early());
}

static size_t reclaim_calls, reclaim_gives;
static struct frame *hoard[4096];
static size_t nhoard;

static size_t reclaim(size_t want)
{
	size_t n = 0;

	CHECK(!host_locks_held() && host_irqs_on);
	reclaim_calls += want != 0; /* 0: few are left, but enough for now */
	for (; n < reclaim_gives && n < want && nhoard; n++)
		frame_free(hoard[--nhoard]);
	return n;
}

static void exhaustion(void)
{
	struct frame *f;
	u64 user_left, kernel_left;

	boot(2, BASE + 8 * MiB);
	frames_add_bank(BASE, 8 * MiB);
	start(2);
	host_run_on(1); /* strands some in the other hart's cache */
	frame_free(frame_alloc(0));
	host_run_on(0);
	while ((f = frame_alloc(FA_USER)))
		hoard[nhoard++] = f;
	user_left = frames_free_count();
	CHECK(user_left > 60);
	CHECK(frame_alloc(0)); /* the kernel's share is still there */
	while (frame_alloc(FA_NOWAIT))
		;
	while (frame_alloc(0))
		;
	kernel_left = frames_free_count();
	CHECK(kernel_left < user_left && kernel_left >= 16);
	CHECK(frame_alloc(FA_NOWAIT | FA_RESERVE)); /* and so is the reserve */
	while (frame_alloc(FA_RESERVE))
		;
	CHECK(frames_free_count() == 0);
	CHECK(!frame_alloc_order(3, 0));
	frames_set_reclaim(reclaim, NULL);
	CHECK(!frame_alloc(0) && reclaim_calls == 1);
	CHECK(!frame_alloc(FA_NOWAIT) && reclaim_calls == 1);
	reclaim_gives = 1;
	CHECK(frame_alloc(0) && reclaim_calls == 2);
	spin_lock_irq(&(struct spinlock){0});
	CHECK(!frame_alloc(FA_NOWAIT | FA_USER));
	CHECK_PANIC(frame_alloc(FA_USER), "may not");
	frames_audit();
}

static void test_exhaustion(void **state)
{
	(void)state;
	IN_CHILD(exhaustion());
}

/* Zeroed frames: used first, never dirty, given back to make big blocks. */
static void zeroed(void)
{
	struct frame *f[64];
	unsigned n = 0;
	u64 total;

	boot(1, BASE + 8 * MiB);
	memset((void *)host_direct_base, 0xaa, 8 * MiB);
	frames_add_bank(BASE, 8 * MiB);
	start(1);
	total = frames_free_count();
	while (frames_zero_one())
		n++;
	CHECK(n > 100 && n < total && frames_free_count() == total);
	CHECK(vm_event_sum(VMEV_frames_zeroed_idle) == n);
	for (unsigned i = 0; i < 64; i++) {
		f[i] = frame_alloc(FA_ZERO);
		CHECK(content_is(f[i], 0));
		memset(frame_va(f[i]), 1, PAGE_SIZE);
	}
	for (unsigned i = 0; i < 64; i++)
		frame_free(f[i]);
	for (unsigned i = 0; i < 10; i++)
		CHECK(content_is(frame_alloc(FA_ZERO), 0));
	for (n = 0; frame_alloc_order(5, FA_NOWAIT); n++)
		;
	CHECK(n * 32 > total - 32 * 8);
	frames_audit();
}

static void test_zeroed(void **state)
{
	(void)state;
	IN_CHILD(zeroed());
}

static void unfit(void)
{
	struct frame *f;

	boot(1, BASE + 8 * MiB);
	frames_add_bank(BASE, 8 * MiB);
	start(1);
	f = frame_alloc(0);
	frame_free(f);
	CHECK_PANIC(frame_free(f), "already free");
	f = frame_alloc(0);
	f->flags |= FR_BUSY | FR_DIRTY;
	f->mapcount = 3;
	CHECK_PANIC(frame_free(f), "mapped 3 times");
	CHECK(strstr(host_panic_text, "busy") && strstr(host_panic_text, "dirty"));
	f->flags = 0;
	f->mapcount = 0;
	f->holds = 2;
	CHECK_PANIC(frame_free(f), "held 2 times");
	f->holds = 1;
	f->object = (void *)f;
	CHECK_PANIC(frame_free(f), "in object");
	f->object = NULL;
	f->holds = 0; /* who dropped the last hold itself */
	frame_free(f);
	((u8 *)frame_va(f))[77] = 1;
	CHECK_PANIC(frame_alloc(0), "written after it was freed");
	f = frame_alloc_order(4, 0);
	CHECK_PANIC(frame_free_order(f + 1, 4), "ALIGNED");
	frame_free_order(f, 4);
	CHECK_PANIC(frame_free_order(f, 4), "already free");
	CHECK(!frame_alloc_order(FRAME_MAX_ORDER + 1, 0));
}

static void test_unfit(void **state)
{
	(void)state;
	IN_CHILD(unfit());
}

/* All memory comes back as the blocks it was. */
static void coalesce(void)
{
	struct frame *all[2048], *f;
	unsigned n = 0, big = 0, again = 0;

	boot(1, BASE + 8 * MiB);
	frames_add_bank(BASE, 8 * MiB);
	frames_init();
	frames_audit();
	for (; (f = frame_alloc_order(9, FA_NOWAIT | FA_RESERVE)); big++)
		all[n++] = f;
	CHECK(big == 3);
	while (n)
		frame_free_order(all[--n], 9);
	while ((f = frame_alloc(FA_NOWAIT | FA_RESERVE)))
		all[n++] = f;
	for (unsigned i = 0; i < n; i++) {
		unsigned j = host_rand_below(n);

		f = all[i];
		all[i] = all[j];
		all[j] = f;
	}
	while (n)
		frame_free(all[--n]);
	frames_audit();
	while (frame_alloc_order(9, FA_NOWAIT | FA_RESERVE))
		again++;
	CHECK(again == big);
}

static void test_coalesce(void **state)
{
	(void)state;
	IN_CHILD(coalesce());
}

static void too_many(void)
{
	boot(1, BASE + 64 * MiB);
	for (unsigned i = 0; i < 64; i++)
		frames_add_bank(BASE + i * 64 * KiB, 32 * KiB);
	CHECK_PANIC(frames_add_bank(BASE + 65 * 64 * KiB, 32 * KiB), "banks");
	frames_add_bank(BASE + 32 * KiB, 32 * KiB); /* joins two */
	CHECK(frames_banks() == 63);
}

static void test_tables(void **state)
{
	(void)state;
	IN_CHILD(too_many());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	   cmocka_unit_test(test_early),
		cmocka_unit_test(test_exhaustion), cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_unfit),	   cmocka_unit_test(test_coalesce),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
