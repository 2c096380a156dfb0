// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reader-writer locks.  RW_WAITERS in state means that the list has waiters: then nobody takes the lock by himself; who
 * releases it last grants it to the first waiter, or to the run of readers that stands first.  The list and the bit are under
 * wait.lock.
 */
#include "kernel/lib/errno.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/chaos.h"
#include "kernel/sync/lockdep.h"
#include "kernel/sync/mutex.h"

#define SPIN_TURNS 400

struct rw_waiter {
	struct list link;
	struct thread *thread;
	bool write;
	bool granted;
};

void rw_init(struct rwlock *l, enum lock_rank rank, const char *name)
{
	l->state = 0;
	l->writer = NULL;
	waitq_init(&l->wait);
#if DEBUG
	l->rank = (u16)rank;
	l->name = name;
#else
	(void)rank;
	(void)name;
#endif
}

/* Takes it if that is allowed now. */
static bool try_take(struct rwlock *l, bool write)
{
	u64 s = READ_ONCE(l->state);

	while (write ? s == 0 : !(s & (RW_WRITER | RW_WAITERS))) {
		u64 want = write ? RW_WRITER : s + RW_READER;

		if (__atomic_compare_exchange_n(&l->state, &s, want, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static bool spin_for(struct rwlock *l, bool write)
{
	if (nharts == 1)
		return false;
	for (unsigned turn = 0; turn < SPIN_TURNS; turn++) {
		struct thread *owner = READ_ONCE(l->writer);

		if (try_take(l, write))
			return true;
		if ((READ_ONCE(l->state) & RW_WAITERS) || (owner && !READ_ONCE(owner->on_cpu)))
			return false;
	}
	return false;
}

/* Takes the first waiter off the list and lets it go on; the state already counts it. */
static void grant_first(struct rwlock *l)
{
	struct rw_waiter *w = list_first(&l->wait.waiters, struct rw_waiter, link);
	struct thread *t = w->thread;

	list_del(&w->link);
	__atomic_store_n(&w->granted, true, __ATOMIC_RELEASE);
	sched_wake(t);
}

/* Readers that stand first in the list. */
static u64 leading_readers(struct rwlock *l, bool *all)
{
	struct rw_waiter *w;
	u64 n = 0;

	*all = false;
	list_for_each(w, &l->wait.waiters, link) {
		if (w->write)
			return n;
		n++;
	}
	*all = true;
	return n;
}

/* wait.lock is held; the lock is held by nobody. Hands it to whoever is first. */
static void grant(struct rwlock *l)
{
	bool all;
	u64 readers = leading_readers(l, &all);
	struct list *last = l->wait.waiters.prev;

	if (readers || all) {
		__atomic_store_n(&l->state, readers * RW_READER | (all ? 0 : RW_WAITERS),
				 __ATOMIC_RELEASE);
		while (readers--)
			grant_first(l);
		return;
	}
	__atomic_store_n(&l->state, RW_WRITER | (l->wait.waiters.next == last ? 0 : RW_WAITERS),
			 __ATOMIC_RELEASE);
	grant_first(l);
}

/* wait.lock is held. True: took it; false: RW_WAITERS is set. */
static bool take_or_mark(struct rwlock *l, bool write)
{
	for (;;) {
		u64 s = READ_ONCE(l->state);

		if (try_take(l, write))
			return true;
		s = READ_ONCE(l->state);
		if (s & RW_WAITERS)
			return false;
		if (s && __atomic_compare_exchange_n(&l->state, &s, s | RW_WAITERS, false,
						     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return false;
	}
}

static void lock_slow(struct rwlock *l, bool write)
{
	struct rw_waiter w = {.thread = current(), .write = write};
	u64 flags;

	might_sleep();
	ASSERTF(READ_ONCE(l->writer) != current(),
		"thread %s locks rwlock %p, which it holds for writing", w.thread->name, l);
	if (spin_for(l, write))
		return;
	flags = spin_lock_irq(&l->wait.lock);
	if (take_or_mark(l, write)) {
		spin_unlock_irq(&l->wait.lock, flags);
		return;
	}
	list_add_tail(&l->wait.waiters, &w.link);
	spin_unlock_irq(&l->wait.lock, flags);
	for (;;) {
		w.thread->how = WAIT_UNINTR;
		__atomic_store_n(&w.thread->state, THREAD_BLOCKED, __ATOMIC_SEQ_CST);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(&w.granted, __ATOMIC_ACQUIRE))
			break;
		schedule();
	}
	w.thread->state = THREAD_RUNNABLE;
	/* the granter may still be about to wake us: it does so under this lock */
	spin_unlock_irq(&l->wait.lock, spin_lock_irq(&l->wait.lock));
}

/* A reader has gone, and was the last. */
static void unlock_read_slow(struct rwlock *l)
{
	u64 flags = spin_lock_irq(&l->wait.lock);

	if (READ_ONCE(l->state) == RW_WAITERS) /* else somebody who came first has granted it */
		grant(l);
	spin_unlock_irq(&l->wait.lock, flags);
}

static void unlock_write_slow(struct rwlock *l)
{
	u64 flags = spin_lock_irq(&l->wait.lock);

	ASSERTF(l->state & RW_WRITER, "rwlock %p is not held for writing", l);
	grant(l);
	spin_unlock_irq(&l->wait.lock, flags);
}

/* Readers that stand first come in with us. */
void rw_downgrade(struct rwlock *l)
{
	u64 flags = spin_lock_irq(&l->wait.lock), readers;
	bool all;

	ASSERTF(rw_held_write(l), "rwlock %p is not held for writing by thread %s", l,
		current()->name);
	l->writer = NULL;
	readers = leading_readers(l, &all);
	__atomic_fetch_add(&l->state, (readers + 1) * RW_READER - RW_WRITER, __ATOMIC_RELEASE);
	if (all)
		__atomic_fetch_and(&l->state, ~RW_WAITERS, __ATOMIC_RELEASE);
	while (readers--)
		grant_first(l);
	spin_unlock_irq(&l->wait.lock, flags);
}

bool rw_held_write(const struct rwlock *l)
{
	return READ_ONCE(l->writer) == current();
}

bool rw_held(const struct rwlock *l)
{
	return READ_ONCE(l->state) & ~RW_WAITERS;
}

#if !DEBUG

void rw_lock_read_slow(struct rwlock *l)
{
	lock_slow(l, false);
}

void rw_unlock_read_slow(struct rwlock *l)
{
	unlock_read_slow(l);
}

void rw_lock_write_slow(struct rwlock *l)
{
	lock_slow(l, true);
}

void rw_unlock_write_slow(struct rwlock *l)
{
	unlock_write_slow(l);
}

bool rw_trylock_read(struct rwlock *l)
{
	return try_take(l, false);
}

bool rw_trylock_write(struct rwlock *l)
{
	if (!try_take(l, true))
		return false;
	l->writer = current();
	return true;
}

#else

static void lock_at(struct rwlock *l, bool write, bool same, void *pc)
{
	might_sleep();
	chaos_point();
	lockdep_check(l, l->rank, l->name, same, pc);
	if (!try_take(l, write))
		lock_slow(l, write);
	if (write)
		l->writer = current();
	lockdep_acquired(l, l->rank, pc);
	chaos_point();
}

NO_TS void rw_lock_read(struct rwlock *l)
{
	lock_at(l, false, false, __builtin_return_address(0));
}

NO_TS void rw_lock_write(struct rwlock *l)
{
	lock_at(l, true, false, __builtin_return_address(0));
}

NO_TS void rw_lock_write_same(struct rwlock *l)
{
	lock_at(l, true, true, __builtin_return_address(0));
}

static bool trylock_at(struct rwlock *l, bool write, void *pc)
{
	if (!try_take(l, write))
		return false;
	if (write)
		l->writer = current();
	lockdep_acquired(l, l->rank, pc);
	return true;
}

bool rw_trylock_read(struct rwlock *l)
{
	return trylock_at(l, false, __builtin_return_address(0));
}

bool rw_trylock_write(struct rwlock *l)
{
	return trylock_at(l, true, __builtin_return_address(0));
}

NO_TS void rw_unlock_read(struct rwlock *l)
{
	lockdep_released(l, l->name);
	ASSERTF(l->state >= RW_READER, "rwlock %s (%p) has no reader", l->name, l);
	if (__atomic_fetch_sub(&l->state, RW_READER, __ATOMIC_RELEASE) == (RW_READER | RW_WAITERS))
		unlock_read_slow(l);
	chaos_point();
}

NO_TS void rw_unlock_write(struct rwlock *l)
{
	u64 held = RW_WRITER;

	lockdep_released(l, l->name);
	ASSERTF(rw_held_write(l), "rwlock %s (%p) is not held for writing by this thread", l->name,
		l);
	l->writer = NULL;
	if (!__atomic_compare_exchange_n(&l->state, &held, 0, false, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
		unlock_write_slow(l);
	chaos_point();
}

#endif
