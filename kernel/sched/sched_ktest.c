// SPDX-License-Identifier: BSD-2-Clause
/* Self-tests of threads, scheduling, timers, calls between harts. */
#include "kernel/boot/ktest.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/sched_internal.h"
#include "kernel/sched/time.h"

static u64 counter;

KTEST(lowest_bit)
{
	for (u32 i = 0; i < 64; i++)
		KT_CHECK(lowest_bit(1UL << i) == i && lowest_bit(~0UL << i) == i);
}

static void die(void *arg)
{
	if ((u64)arg & 1)
		sched_yield();
	__atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
	if ((u64)arg & 2)
		thread_exit();
}

static void count_thread(struct thread *t, void *arg)
{
	(void)t;
	++*(u64 *)arg;
}

static u64 count_threads(void)
{
	u64 n = 0;

	threads_for_each(count_thread, &n);
	return n;
}

KTEST(threads_come_and_go)
{
	u64 before = count_threads();

	counter = 0;
	for (u64 i = 0; i < 1000; i++) {
		while (i - READ_ONCE(counter) > 40)
			sched_yield();
		KT_ASSERT(kthread_run("ktest-die", die, (void *)i));
	}
	while (READ_ONCE(counter) != 1000)
		sched_yield();
	while (count_threads() > before) /* the reaper gets them all */
		sleep_ns(1000000);
	struct thread *t = thread_create("ktest-never", die, NULL);

	KT_ASSERT(t);
	thread_destroy(t);
	KT_ASSERT(count_threads() <= before); /* fewer: of tests before this one */
}

/* Each visits all harts, over and over, while the others do. */
static void wander(unsigned k)
{
	for (unsigned i = 0; i < 200; i++) {
		u32 target = (u32)((ktest_random() + k) % nharts);

		KT_CHECK(sched_set_affinity(current(), 1UL << target) == 0);
		for (unsigned turn = 0; turn < 3; turn++) {
			preempt_disable();
			KT_CHECK(this_hart()->index == target);
			preempt_enable();
			sched_yield();
		}
	}
	KT_CHECK(sched_set_affinity(current(), ~0UL) == 0);
}

KTEST(threads_migrate)
{
	KT_ASSERT(sched_set_affinity(current(), 0) == -EINVAL);
	KT_ASSERT(nharts == 64 || sched_set_affinity(current(), 1UL << 63) == -EINVAL);
	ktest_parallel(10, wander);
}

/* Spinning threads, more than harts, of all nice values: each gets on, only because it is preempted. */
static u64 progress[12];
static bool all_moved(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(progress); i++)
		if (READ_ONCE(progress[i]) < 100)
			return false;
	return true;
}

static void spin_until_all_move(unsigned k)
{
	sched_set_nice(current(), k == 0 ? -20 : k == 1 ? 19 : 0);
	while (!all_moved())
		__atomic_fetch_add(&progress[k], 1, __ATOMIC_RELAXED);
	sched_set_nice(current(), 0);
}

KTEST(nobody_starves)
{
	memset(progress, 0, sizeof(progress));
	ktest_parallel(ARRAY_LEN(progress), spin_until_all_move);
	KT_ASSERT(all_moved());
}

/* ---- calls between harts ---- */

static u64 called_on;

static void note_call(void *arg)
{
	KT_CHECK(!irqs_on());
	__atomic_fetch_or(&called_on, 1UL << this_hart()->index, __ATOMIC_RELAXED);
	__atomic_fetch_add((u64 *)arg, 1, __ATOMIC_RELAXED);
}

static void caller(unsigned k)
{
	for (unsigned i = 0; i < 200; i++) {
		u64 n = 0, mask = (ktest_random() + k) & harts_online(), want = 0;

		for (u64 m = mask; m; m &= m - 1)
			want++;
		harts_call(mask, note_call, &n);
		KT_CHECK(READ_ONCE(n) == want);
	}
}

KTEST(harts_call_reaches_all)
{
	u64 n = 0;

	called_on = 0;
	harts_call(~0UL, note_call, &n);
	KT_ASSERT(called_on == harts_online());
	ktest_parallel(8, caller);
}

/* ---- timers ---- */

struct test_timer {
	struct timer timer;
	u64 fired_at;
	u32 fired;
};

static void note_fired(struct timer *t)
{
	struct test_timer *tt = container_of(t, struct test_timer, timer);

	tt->fired_at = time_now();
	__atomic_fetch_add(&tt->fired, 1, __ATOMIC_RELEASE);
}

static void timer_user(unsigned k)
{
	struct test_timer tt[8] = {0};

	(void)k;
	for (unsigned round = 0; round < 20; round++) {
		u64 now = time_now();

		for (unsigned i = 0; i < ARRAY_LEN(tt); i++) {
			tt[i].fired = 0;
			timer_setup(&tt[i].timer, note_fired);
			timer_arm(&tt[i].timer, now + ktest_random() % 3000000);
		}
		for (unsigned i = 0; i < ARRAY_LEN(tt);
		     i += 2) { /* half are cancelled, some after they fired */
			if (i == 4)
				sleep_ns(1500000);
			bool was = timer_cancel(&tt[i].timer);

			KT_CHECK(was != (READ_ONCE(tt[i].fired) == 1));
		}
		timer_arm(&tt[1].timer,
			  time_now() + 100000); /* armed again, from perhaps another hart */
		timer_cancel(&tt[1].timer);
		tt[1].fired = 0;
		timer_arm(&tt[1].timer, time_now() + 100000);
		for (unsigned i = 1; i < ARRAY_LEN(tt); i += 2) {
			while (!__atomic_load_n(&tt[i].fired, __ATOMIC_ACQUIRE))
				sched_yield();
			timer_cancel(&tt[i].timer);
			KT_CHECK(tt[i].fired == 1 && tt[i].fired_at >= tt[i].timer.deadline);
		}
	}
}

KTEST(timers_fire_and_cancel)
{
	ktest_parallel(6, timer_user);
}

KTEST(sleep_is_long_enough)
{
	for (u64 ns = 1000; ns <= 4000000; ns *= 4) {
		u64 start = time_now();

		sleep_ns(ns);
		KT_CHECK(time_now() - start >= ns);
	}
}

KTEST(time_goes_forward)
{
	u64 mult, last = time_now();
	u32 shift;

	time_conversion(&mult, &shift);
	for (unsigned i = 0; i < 10000; i++) {
		u64 now = time_now();

		KT_CHECK(now >= last);
		last = now;
	}
	u64 c = time_cycles(), ns = (u64)(((unsigned __int128)c * mult) >> shift);

	KT_ASSERT(time_now() >= ns);
}

/* ---- work ---- */

struct test_work {
	struct work work;
	u32 runs;
};

static void note_work(struct work *w)
{
	struct test_work *t = container_of(w, struct test_work, work);

	might_sleep();
	sched_yield();
	__atomic_fetch_add(&t->runs, 1, __ATOMIC_RELEASE);
}

KTEST(work_runs)
{
	struct test_work w = {.work.fn = note_work};

	for (u32 i = 1; i <= 50; i++) {
		work_queue(&w.work);
		while (__atomic_load_n(&w.runs, __ATOMIC_ACQUIRE) < i)
			sched_yield();
	}
	KT_ASSERT(w.runs == 50);
}
