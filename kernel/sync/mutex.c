// SPDX-License-Identifier: BSD-2-Clause
/*
 * Mutexes.  owner is the thread that holds it, with bit 0 set while somebody waits; then it never becomes free: unlocking
 * hands it to the first waiter (so waiters are served in order and none starves).  Setting and clearing bit 0, and
 * the list of waiters, are under wait.lock.
 *
 * Before it goes to sleep, a thread spins while the owner runs on another hart: most sections are shorter than a switch.
 */
#include "kernel/sync/mutex.h"

#include "kernel/lib/errno.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/chaos.h"
#include "kernel/sync/lockdep.h"

#define SPIN_TURNS 400

struct mutex_waiter {
	struct list link;
	struct thread *thread;
	bool granted;
};

void mutex_init(struct mutex *m, enum lock_rank rank, const char *name)
{
	m->owner = 0;
	waitq_init(&m->wait);
#if DEBUG
	m->rank = (u16)rank;
	m->name = name;
#else
	(void)rank;
	(void)name;
#endif
}

static bool try_take(struct mutex *m)
{
	uintptr_t free = 0;

	return __atomic_compare_exchange_n(&m->owner, &free, (uintptr_t)current(), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* True: got it. Threads are never unmapped, so looking at an owner that has just died is harmless. */
static bool spin_for(struct mutex *m)
{
	if (nharts == 1)
		return false;
	for (unsigned turn = 0; turn < SPIN_TURNS; turn++) {
		uintptr_t owner = READ_ONCE(m->owner);

		if (!owner && try_take(m))
			return true;
		if ((owner & MUTEX_WAITERS) ||
		    (owner && !READ_ONCE(((struct thread *)owner)->on_cpu)))
			return false;
	}
	return false;
}

/* wait.lock is held. True: took it; false: bit 0 is set and the owner will have to look at the list. */
static bool take_or_mark(struct mutex *m)
{
	for (;;) {
		uintptr_t owner = READ_ONCE(m->owner);

		if (!owner && try_take(m))
			return true;
		if (owner &&
		    ((owner & MUTEX_WAITERS) ||
		     __atomic_compare_exchange_n(&m->owner, &owner, owner | MUTEX_WAITERS, false,
						 __ATOMIC_RELAXED, __ATOMIC_RELAXED)))
			return false;
	}
}

/* Gives up waiting. False: it was granted meanwhile. */
static bool withdraw(struct mutex *m, struct mutex_waiter *w)
{
	u64 flags = spin_lock_irq(&m->wait.lock);
	bool granted = w->granted;

	if (!granted) {
		list_del(&w->link);
		if (list_empty(&m->wait.waiters))
			__atomic_fetch_and(&m->owner, ~MUTEX_WAITERS, __ATOMIC_RELAXED);
	}
	spin_unlock_irq(&m->wait.lock, flags);
	return !granted;
}

static int wait_granted(struct mutex *m, struct mutex_waiter *w, enum wait_how how)
{
	struct thread *t = current();

	for (;;) {
		t->how = how;
		__atomic_store_n(&t->state, THREAD_BLOCKED, __ATOMIC_SEQ_CST);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(&w->granted, __ATOMIC_ACQUIRE))
			break;
		if (how != WAIT_UNINTR && sched_signal_pending(how)) {
			t->state = THREAD_RUNNABLE;
			if (withdraw(m, w))
				return -EINTR;
			break;
		}
		schedule();
	}
	t->state = THREAD_RUNNABLE;
	/* the granter may still be about to wake us: it does so under this lock */
	spin_unlock_irq(&m->wait.lock, spin_lock_irq(&m->wait.lock));
	return 0;
}

static int lock_slow(struct mutex *m, enum wait_how how)
{
	struct mutex_waiter w = {.thread = current()};
	u64 flags;

	might_sleep();
	ASSERTF((m->owner & ~MUTEX_WAITERS) != (uintptr_t)current(),
		"thread %s locks mutex %p twice", current()->name, m);
	if (spin_for(m))
		return 0;
	flags = spin_lock_irq(&m->wait.lock);
	if (take_or_mark(m)) {
		spin_unlock_irq(&m->wait.lock, flags);
		return 0;
	}
	list_add_tail(&m->wait.waiters, &w.link);
	spin_unlock_irq(&m->wait.lock, flags);
	return wait_granted(m, &w, how);
}

static void unlock_slow(struct mutex *m)
{
	u64 flags = spin_lock_irq(&m->wait.lock);
	struct mutex_waiter *w;

	ASSERTF((m->owner & ~MUTEX_WAITERS) == (uintptr_t)current(),
		"thread %s unlocks mutex %p of %p", current()->name, m,
		(void *)(m->owner & ~MUTEX_WAITERS));
	w = list_first(&m->wait.waiters, struct mutex_waiter, link);
	if (!w) { /* the last waiter gave up between our look and the lock */
		__atomic_store_n(&m->owner, 0, __ATOMIC_RELEASE);
	} else {
		struct thread *t = w->thread;

		list_del(&w->link);
		__atomic_store_n(&m->owner, (uintptr_t)t | !list_empty(&m->wait.waiters),
				 __ATOMIC_RELEASE);
		__atomic_store_n(&w->granted, true, __ATOMIC_RELEASE);
		sched_wake(t);
	}
	spin_unlock_irq(&m->wait.lock, flags);
}

bool mutex_held(const struct mutex *m)
{
	return (READ_ONCE(m->owner) & ~MUTEX_WAITERS) == (uintptr_t)current();
}

#if !DEBUG

void mutex_lock_slow(struct mutex *m)
{
	lock_slow(m, WAIT_UNINTR);
}

void mutex_unlock_slow(struct mutex *m)
{
	unlock_slow(m);
}

bool mutex_trylock(struct mutex *m)
{
	return try_take(m);
}

int mutex_lock_intr(struct mutex *m)
{
	return try_take(m) ? 0 : lock_slow(m, WAIT_INTR);
}

#else

static int lock_at(struct mutex *m, bool same, enum wait_how how, void *pc)
{
	int err = 0;

	might_sleep();
	chaos_point();
	lockdep_check(m, m->rank, m->name, same, pc);
	if (!try_take(m))
		err = lock_slow(m, how);
	if (!err)
		lockdep_acquired(m, m->rank, pc);
	chaos_point();
	return err;
}

NO_TS void mutex_lock(struct mutex *m)
{
	lock_at(m, false, WAIT_UNINTR, __builtin_return_address(0));
}

NO_TS void mutex_lock_same(struct mutex *m)
{
	lock_at(m, true, WAIT_UNINTR, __builtin_return_address(0));
}

int mutex_lock_intr(struct mutex *m)
{
	return lock_at(m, false, WAIT_INTR, __builtin_return_address(0));
}

bool mutex_trylock(struct mutex *m)
{
	if (!try_take(m))
		return false;
	lockdep_acquired(m, m->rank, __builtin_return_address(0));
	return true;
}

NO_TS void mutex_unlock(struct mutex *m)
{
	uintptr_t me = (uintptr_t)current();

	lockdep_released(m, m->name);
	if (!__atomic_compare_exchange_n(&m->owner, &me, 0, false, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
		unlock_slow(m);
	chaos_point();
}

#endif
