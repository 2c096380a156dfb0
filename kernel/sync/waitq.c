// SPDX-License-Identifier: BSD-2-Clause
/*
 * Wait queues.
 *
 * Against lost wakes: a waiter enqueues itself and sets its state before it tests its condition; a waker changes the
 * condition before it looks at the queue; both have a full fence in between.
 * Lifetime: a waiter lives on its thread's stack.  The waker takes it off the queue as its last act, after waking,
 * so whoever sees himself unlinked may go; while linked, wait_finish needs the queue's lock.
 */
#include "kernel/sync/waitq.h"

#include "kernel/lib/errno.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"
#include "kernel/sync/chaos.h"

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock, LOCK_WAITQ, "waitq");
	list_init(&q->waiters);
}

bool waitq_empty(struct waitq *q)
{
	return list_empty(&q->waiters);
}

static bool linked(const struct waiter *w)
{
	struct list *next = __atomic_load_n(&w->link.next, __ATOMIC_ACQUIRE);

	return next && next != &w->link;
}

/* Takes w off; afterwards it may be gone. */
static void unlink(struct waiter *w)
{
	w->link.prev->next = w->link.next;
	w->link.next->prev = w->link.prev;
	w->link.prev = &w->link;
	__atomic_store_n(&w->link.next, &w->link, __ATOMIC_RELEASE);
}

/* Non-exclusive waiters stand in front, so one pass up to an exclusive one reaches all of them. q->lock held. */
static void wake_locked(struct waitq *q, bool all)
{
	struct waiter *w, *next;

	list_for_each_safe(w, next, &q->waiters, link) {
		bool exclusive = w->exclusive;

		if (w->fn) {
			w->fn(w);
			continue;
		}
		sched_wake(w->thread);
		unlink(w);
		if (exclusive && !all)
			break;
	}
}

void waitq_wake(struct waitq *q, bool all)
{
	u64 flags = spin_lock_irq(&q->lock);

	wake_locked(q, all);
	spin_unlock_irq(&q->lock, flags);
}

void waitq_wake_all_nested(struct waitq *q)
{
	ASSERT(!irqs_on());
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (list_empty(&q->waiters))
		return;
	spin_lock_same(&q->lock);
	wake_locked(q, true);
	spin_unlock(&q->lock);
}

void wait_prepare(struct waitq *q, struct waiter *w, enum wait_how how)
{
	struct thread *t = current();
	u64 flags;

	might_sleep();
	flags = spin_lock_irq(&q->lock);
	if (!linked(w)) {
		w->thread = t;
		if (w->exclusive)
			list_add_tail(&q->waiters, &w->link);
		else
			list_add(&q->waiters, &w->link);
	}
	t->how = how;
	WRITE_ONCE(t->state, THREAD_BLOCKED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	spin_unlock_irq(&q->lock, flags);
	chaos_point();
}

struct timeout {
	struct timer timer;
	struct thread *thread;
	bool over;
};

static void timeout_over(struct timer *timer)
{
	struct timeout *to = container_of(timer, struct timeout, timer);

	to->over = true;
	sched_wake(to->thread);
}

static bool block_until(u64 deadline)
{
	struct timeout to = {.thread = current()};

	if (time_now() >= deadline) {
		current()->state = THREAD_RUNNABLE;
		return true;
	}
	timer_setup(&to.timer, timeout_over);
	timer_arm(&to.timer, deadline);
	schedule();
	timer_cancel(&to.timer);
	return to.over;
}

int wait_block(enum wait_how how, u64 deadline)
{
	struct thread *t = current();

	if (how != WAIT_UNINTR && unlikely(READ_ONCE(t->flags) & (TIF_SIGNAL | TIF_EXIT)) &&
	    sched_signal_pending(how)) {
		t->state = THREAD_RUNNABLE;
		return -EINTR;
	}
	if (likely(!deadline))
		schedule();
	else if (block_until(deadline))
		return -ETIMEDOUT;
	if (how != WAIT_UNINTR && unlikely(READ_ONCE(t->flags) & (TIF_SIGNAL | TIF_EXIT)) &&
	    sched_signal_pending(how))
		return -EINTR;
	return 0;
}

void wait_finish(struct waitq *q, struct waiter *w)
{
	WRITE_ONCE(current()->state, THREAD_RUNNABLE);
	if (linked(w)) {
		u64 flags = spin_lock_irq(&q->lock);

		if (linked(w))
			unlink(w);
		spin_unlock_irq(&q->lock, flags);
	}
}
