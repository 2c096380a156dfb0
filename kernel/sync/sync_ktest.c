// SPDX-License-Identifier: BSD-2-Clause
/* Self-tests of locks and wait queues, under as many threads as there are harts and more. */
#include "kernel/boot/ktest.h"
#include "kernel/lib/errno.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/spinlock.h"
#include "kernel/sync/waitq.h"

#define THREADS 8
#define TURNS	4000

static struct spinlock spin;
static struct mutex mutex;
static struct rwlock rw;
static u64 counter;
static u32 inside;

static void spin_worker(unsigned k)
{
	for (unsigned i = 0; i < TURNS; i++) {
		u64 flags = 0;
		bool irq = (i + k) & 1;

		if (irq)
			flags = spin_lock_irq(&spin);
		else
			spin_lock(&spin);
		KT_CHECK(inside++ == 0);
		counter++;
		inside--;
		if (irq)
			spin_unlock_irq(&spin, flags);
		else
			spin_unlock(&spin);
	}
}

KTEST(spinlock_excludes)
{
	spin_init(&spin, LOCK_DRIVER, "ktest");
	counter = 0;
	ktest_parallel(THREADS, spin_worker);
	KT_ASSERT(counter == THREADS * TURNS);
	KT_ASSERT(irqs_on() && current()->preempt_count == 0);
}

static void mutex_worker(unsigned k)
{
	for (unsigned i = 0; i < TURNS / 4; i++) {
		if (i % 7 == k % 7) {
			if (!mutex_trylock(&mutex))
				mutex_lock(&mutex);
		} else {
			mutex_lock(&mutex);
		}
		KT_CHECK(mutex_held(&mutex));
		KT_CHECK(__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED) == 0);
		counter++;
		if (ktest_random() % 8 == 0)
			sched_yield();
		__atomic_fetch_sub(&inside, 1, __ATOMIC_RELAXED);
		mutex_unlock(&mutex);
	}
}

KTEST(mutex_excludes)
{
	mutex_init(&mutex, LOCK_FS_MISC, "ktest");
	counter = 0;
	ktest_parallel(THREADS, mutex_worker);
	KT_ASSERT(counter == THREADS * (TURNS / 4));
	KT_ASSERT(mutex.owner == 0);
}

static u64 pair[2];

static NO_TS void rw_worker(unsigned k)
{
	for (unsigned i = 0; i < TURNS / 4; i++) {
		u64 what = (ktest_random() + k) % 16;

		if (what < 3) {
			rw_lock_write(&rw);
			KT_CHECK(rw_held_write(&rw));
			KT_CHECK(__atomic_exchange_n(&inside, 1, __ATOMIC_RELAXED) == 0);
			pair[0]++;
			if (what == 0)
				sched_yield();
			pair[1]++;
			__atomic_store_n(&inside, 0, __ATOMIC_RELAXED);
			if (what == 1) {
				u64 seen;

				rw_downgrade(&rw);
				seen = pair[0];
				sched_yield();
				KT_CHECK(pair[0] == seen && pair[1] == seen);
				rw_unlock_read(&rw);
			} else {
				rw_unlock_write(&rw);
			}
			__atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
		} else {
			if (what != 3 || !rw_trylock_read(&rw))
				rw_lock_read(&rw);
			KT_CHECK(READ_ONCE(inside) == 0);
			KT_CHECK(pair[0] == pair[1]);
			if (what == 4)
				sched_yield();
			KT_CHECK(READ_ONCE(pair[0]) == READ_ONCE(pair[1]));
			rw_unlock_read(&rw);
		}
	}
}

KTEST(rwlock_excludes)
{
	rw_init(&rw, LOCK_FS_MISC, "ktest");
	counter = pair[0] = pair[1] = 0;
	ktest_parallel(THREADS, rw_worker);
	KT_ASSERT(pair[0] == counter && pair[1] == counter);
	KT_ASSERT(rw.state == 0 && list_empty(&rw.wait.waiters));
}

static struct waitq queue;
static u32 ball;

static void ping(unsigned k)
{
	for (u32 i = 0; i < TURNS; i++) {
		wait_event(&queue, __atomic_load_n(&ball, __ATOMIC_ACQUIRE) == 2 * i + k);
		__atomic_store_n(&ball, 2 * i + k + 1, __ATOMIC_RELEASE);
		waitq_wake_all(&queue);
	}
}

KTEST(waitq_loses_no_wake)
{
	waitq_init(&queue);
	ball = 0;
	ktest_parallel(2, ping);
	KT_ASSERT(ball == 2 * TURNS);
	KT_ASSERT(waitq_empty(&queue));
}

/* A bounded queue: what producers put in, consumers take out; exclusive waiters, one wake each. */
static struct waitq not_empty, not_full;
static u32 stock;
static u64 produced, consumed;

static void take_exclusive(struct waitq *q, bool (*ok)(void))
{
	struct waiter w = {.exclusive = true};

	while (!ok()) {
		wait_prepare(q, &w, WAIT_UNINTR);
		if (ok())
			break;
		wait_block(WAIT_UNINTR, 0);
	}
	wait_finish(q, &w);
}

static bool take_one(void)
{
	u32 s = READ_ONCE(stock);

	while (s)
		if (__atomic_compare_exchange_n(&stock, &s, s - 1, false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

static bool put_one(void)
{
	u32 s = READ_ONCE(stock);

	while (s < 3)
		if (__atomic_compare_exchange_n(&stock, &s, s + 1, false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

static void trade(unsigned k)
{
	for (unsigned i = 0; i < TURNS / 4; i++) {
		if (k & 1) {
			take_exclusive(&not_empty, take_one);
			__atomic_fetch_add(&consumed, 1, __ATOMIC_RELAXED);
			waitq_wake_all(&not_full);
		} else {
			take_exclusive(&not_full, put_one);
			__atomic_fetch_add(&produced, 1, __ATOMIC_RELAXED);
			waitq_wake_all(&not_empty);
		}
	}
}

KTEST(waitq_producers_consumers)
{
	waitq_init(&not_empty);
	waitq_init(&not_full);
	stock = 0;
	produced = consumed = 0;
	ktest_parallel(THREADS, trade);
	KT_ASSERT(produced == THREADS / 2 * (TURNS / 4) && consumed == produced && stock == 0);
}

KTEST(waitq_times_out)
{
	u64 deadline = time_now() + 3000000;

	waitq_init(&queue);
	KT_ASSERT(wait_event_until(&queue, false, WAIT_UNINTR, deadline) == -ETIMEDOUT);
	KT_ASSERT(time_now() >= deadline);
	KT_ASSERT(waitq_empty(&queue) && current()->state == THREAD_RUNNABLE);
	KT_ASSERT(wait_event_until(&queue, true, WAIT_UNINTR, 1) == 0);
	KT_ASSERT(wait_event_until(&queue, false, WAIT_UNINTR, 1) == -ETIMEDOUT);
}

static unsigned woken;

static void exclusive_waiter(unsigned k)
{
	struct waiter w = {.exclusive = true};

	(void)k;
	wait_prepare(&queue, &w, WAIT_UNINTR);
	__atomic_fetch_add(&counter, 1, __ATOMIC_RELEASE);
	wait_block(WAIT_UNINTR, 0);
	wait_finish(&queue, &w);
	__atomic_fetch_add(&woken, 1, __ATOMIC_RELEASE);
}

static void wake_each(void *arg)
{
	(void)arg;
	while (__atomic_load_n(&counter, __ATOMIC_ACQUIRE) < 3)
		sched_yield();
	for (unsigned i = 1; i <= 3; i++) {
		waitq_wake_one(&queue);
		while (__atomic_load_n(&woken, __ATOMIC_ACQUIRE) < i)
			sched_yield();
		sleep_ns(2000000);
		KT_CHECK(woken == i); /* one each, not more */
	}
}

KTEST(waitq_wakes_one)
{
	waitq_init(&queue);
	counter = 0;
	woken = 0;
	KT_ASSERT(kthread_run("ktest-wake", wake_each, NULL));
	ktest_parallel(3, exclusive_waiter);
	KT_ASSERT(woken == 3);
}
