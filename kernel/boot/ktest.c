// SPDX-License-Identifier: BSD-2-Clause
/* Runs the in-kernel self-tests of the linker set .ktests; see ktest.h.  One test at a time; failures are atomic counts. */
#include "kernel/boot/ktest.h"

#include "kernel/boot/boot.h"
#include "kernel/boot/params.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"

extern const struct ktest __ktests_start[], __ktests_stop[];

static u64 state;    /* (a) of the random numbers */
static u32 failures; /* (a) of the running test */

void ktest_fail(const char *file, int line, const char *what)
{
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	kprintf("# %s:%d: failed: %s\n", file, line, what);
}

/* splitmix64 */
u64 ktest_random(void)
{
	u64 z = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15UL, __ATOMIC_RELAXED);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
	return z ^ z >> 31;
}

struct parallel {
	void (*fn)(unsigned k);
	unsigned next, left;
	struct waitq done;
};

static void parallel_thread(void *arg)
{
	struct parallel *p = arg;

	p->fn(__atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED));
	u64 flags = spin_lock_irq(&p->done.lock);
	bool last = --p->left == 0;

	if (last) {
		struct waiter *w = list_first(&p->done.waiters, struct waiter, link);

		if (w)
			sched_wake(w->thread);
	}
	spin_unlock_irq(&p->done.lock, flags); /* p may be gone now */
}

static bool parallel_over(struct parallel *p)
{
	u64 flags = spin_lock_irq(&p->done.lock);
	bool over = p->left == 0;

	spin_unlock_irq(&p->done.lock, flags);
	return over;
}

void ktest_parallel(unsigned n, void (*fn)(unsigned k))
{
	struct parallel p = {.fn = fn, .left = n};

	waitq_init(&p.done);
	for (unsigned i = 0; i < n; i++) {
		struct thread *t = thread_create("ktest", parallel_thread, &p);

		ASSERTF(t, "no memory for a test's threads");
		sched_wake(t);
	}
	wait_event(&p.done, parallel_over(&p));
}

static bool selected(const struct ktest *t)
{
	const char *only = kernel_param("ktest.only");

	return !only || strncmp(t->name, only, strlen(only)) == 0;
}

static unsigned collect(const struct ktest **out)
{
	unsigned n = 0;

	for (const struct ktest *t = __ktests_start; t < __ktests_stop; t++)
		if (selected(t))
			out[n++] = t;
	return n;
}

static void shuffle(const struct ktest **tests, unsigned n)
{
	for (unsigned i = n; i > 1; i--) {
		unsigned k = (unsigned)(ktest_random() % i);
		const struct ktest *t = tests[i - 1];

		tests[i - 1] = tests[k];
		tests[k] = t;
	}
}

static bool run_one(const struct ktest *t, unsigned number, u64 seed)
{
	failures = 0;
	kprintf("# %s\n", t->name);
	t->fn();
	if (!__atomic_load_n(&failures, __ATOMIC_ACQUIRE)) {
		kprintf("ok %u - %s\n", number, t->name);
		return true;
	}
	kprintf("not ok %u - %s\n", number, t->name);
	kprintf("# repeat with: make run APPEND='ktest ktest.seed=%lu'\n", seed);
	return false;
}

bool ktest_main(unsigned *failed)
{
	const struct ktest **tests;
	unsigned n;
	u64 seed;

	if (!kernel_flag("ktest"))
		return false;
	seed = kernel_param_u64("ktest.seed", time_cycles() % 1000000);
	state = seed;
	tests = kmalloc((size_t)(__ktests_stop - __ktests_start + 1) * sizeof(*tests), 0);
	ASSERTF(tests, "no memory for the list of tests");
	n = collect(tests);
	shuffle(tests, n);
	kprintf("TAP version 13\n# seed %lu, %u harts\n1..%u\n", seed, nharts, n);
	*failed = 0;
	for (unsigned i = 0; i < n; i++)
		*failed += !run_one(tests[i], i + 1, seed);
	kfree(tests);
	return true;
}
