/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SYNC_WAITQ_H
#define GNOMON_SYNC_WAITQ_H

/*
 * Wait queues.  The waiter prepares (enqueues itself, then its state says "blocked"), tests its condition, and only then calls
 * sched_block: a wake between the test and the block is not lost.  Waking is allowed in interrupts and
 * under spinlocks of rank below WAITQ.
 */

#include "kernel/lib/list.h"
#include "kernel/sync/spinlock.h"

struct thread;

struct waitq {
	struct spinlock lock;
	struct list waiters;
};

struct waiter {
	struct list link; /* in waitq.waiters */
	struct thread *thread;
	bool exclusive; /* wake_one stops after one of these */
	/* called by the waker instead of waking the thread when not NULL (poll, io completion); under the queue's lock */
	void (*fn)(struct waiter *w);
};

enum wait_how {
	WAIT_UNINTR, /* only the wake ends it */
	WAIT_INTR,   /* any signal ends it too */
	WAIT_KILL,   /* only a fatal signal ends it too */
};

#define WAITQ_INIT(q)                                                      \
	{                                                                  \
		SPINLOCK_INIT(LOCK_WAITQ, "waitq"), LIST_INIT((q).waiters) \
	}

void waitq_init(struct waitq *q);
void waitq_wake(struct waitq *q, bool all); /* the slow half of the next two */
void waitq_wake_all_nested(
	struct waitq *q); /* from a waiter's fn, which runs under another queue's lock */
#ifdef __riscv
/* Wakes everybody who is not exclusive, and one who is. */
static inline void waitq_wake_one(struct waitq *q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the condition is changed before we look */
	if (!list_empty(&q->waiters))
		waitq_wake(q, false);
}
static inline void waitq_wake_all(struct waitq *q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!list_empty(&q->waiters))
		waitq_wake(q, true);
}
#else
void waitq_wake_one(struct waitq *q);
void waitq_wake_all(struct waitq *q);
#endif
bool waitq_empty(struct waitq *q); /* a hint unless the caller orders it by its own lock */

/* Building blocks of wait_event; a wait is prepare, test, block, ..., finish. */
void wait_prepare(struct waitq *q, struct waiter *w, enum wait_how how);
/* Sleeps until woken; 0, or -EINTR when how allows and a signal is pending, or -ETIMEDOUT at the deadline (time_now()
 * nanoseconds; 0 = none). */
int wait_block(enum wait_how how, u64 deadline);
void wait_finish(struct waitq *q, struct waiter *w);

/* Sleeps until cond holds: 0, -EINTR (a signal; how permitting), -ETIMEDOUT.  cond is evaluated without any lock of ours. */
#define wait_event_until(q, cond, how, deadline)              \
	({                                                    \
		struct waiter w_ = {0};                       \
		int err_ = 0;                                 \
		while (!(cond)) {                             \
			wait_prepare((q), &w_, (how));        \
			if (cond)                             \
				break;                        \
			err_ = wait_block((how), (deadline)); \
			if (err_)                             \
				break;                        \
		}                                             \
		wait_finish((q), &w_);                        \
		if (err_ && (cond))                           \
			err_ = 0;                             \
		err_;                                         \
	})
#define wait_event(q, cond)	 ((void)wait_event_until(q, cond, WAIT_UNINTR, 0))
#define wait_event_intr(q, cond) wait_event_until(q, cond, WAIT_INTR, 0)

/* The same with a lock around the condition: cond is tested with m held; m is dropped while asleep and held on return. */
#define wait_event_mutex(q, m, cond, how)              \
	({                                             \
		struct waiter w_ = {0};                \
		int err_ = 0;                          \
		while (!(cond)) {                      \
			wait_prepare((q), &w_, (how)); \
			mutex_unlock(m);               \
			err_ = wait_block((how), 0);   \
			wait_finish((q), &w_);         \
			mutex_lock(m);                 \
			if (err_)                      \
				break;                 \
		}                                      \
		if (err_ && (cond))                    \
			err_ = 0;                      \
		err_;                                  \
	})

#endif
