// SPDX-License-Identifier: BSD-2-Clause
/*
 * Spinlocks: a word that is 1 while held.  The uncontended paths of release builds are inline in the header; debug builds
 * go through lockdep.  A waiter only reads until the word is free, so the holder keeps its cache line.
 */
#include "kernel/sync/spinlock.h"

#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/chaos.h"
#include "kernel/sync/lockdep.h"

static inline bool try_word(struct spinlock *l)
{
	return __atomic_exchange_n(&l->word, 1, __ATOMIC_ACQUIRE) == 0;
}

#if !DEBUG

void spin_lock_contended(struct spinlock *l)
{
	do {
		while (READ_ONCE(l->word))
			__asm__ volatile("nop");
	} while (!try_word(l));
}

bool spin_trylock(struct spinlock *l)
{
	preempt_disable();
	if (try_word(l))
		return true;
	preempt_enable();
	return false;
}

bool spin_held(const struct spinlock *l)
{
	return READ_ONCE(l->word);
}

#else

#define SPIN_LIMIT (1UL << 32) /* a lock that never comes free is a bug to report */

static void lock_at(struct spinlock *l, bool same, void *pc)
{
	chaos_point();
	preempt_disable();
	lockdep_check(l, l->rank, l->name, same, pc);
	for (u64 spins = 0; !try_word(l); spins++)
		ASSERTF(spins < SPIN_LIMIT,
			"spinlock %s does not come free: held by %p, taken at %p", l->name,
			l->owner, l->pc);
	l->owner = current();
	l->pc = pc;
	lockdep_acquired(l, l->rank, pc);
}

NO_TS void spin_lock(struct spinlock *l)
{
	lock_at(l, false, __builtin_return_address(0));
}

NO_TS void spin_lock_same(struct spinlock *l)
{
	lock_at(l, true, __builtin_return_address(0));
}

bool spin_trylock(struct spinlock *l)
{
	preempt_disable();
	if (!try_word(l)) {
		preempt_enable();
		return false;
	}
	l->owner = current();
	l->pc = __builtin_return_address(0);
	lockdep_acquired(l, l->rank, l->pc);
	return true;
}

static void unlock_word(struct spinlock *l)
{
	lockdep_released(l, l->name);
	l->owner = NULL;
	__atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
}

NO_TS void spin_unlock(struct spinlock *l)
{
	chaos_point();
	unlock_word(l);
	preempt_enable();
	chaos_point();
}

NO_TS u64 spin_lock_irq(struct spinlock *l)
{
	u64 flags = irq_save();

	lock_at(l, false, __builtin_return_address(0));
	return flags;
}

NO_TS void spin_unlock_irq(struct spinlock *l, u64 flags)
{
	chaos_point();
	unlock_word(l);
	irq_restore(flags);
	preempt_enable();
	chaos_point();
}

bool spin_held(const struct spinlock *l)
{
	return READ_ONCE(l->word) && l->owner == current();
}

#endif
