// SPDX-License-Identifier: BSD-2-Clause
/* Checker of lock order; see lockdep.h.  Touches only the current thread's list, so it needs no lock. */
#include "kernel/sync/lockdep.h"

#include "kernel/sched/thread.h"
#include "kernel/sync/spinlock.h"

#if DEBUG

const char *lock_rank_name(u16 rank)
{
	static const char *const names[] = {
#define LOCK_RANK(name, kind, what, among) #name,
#include "kernel/sync/lockorder.def"
#undef LOCK_RANK
	};

	return rank < ARRAY_LEN(names) ? names[rank] : "?";
}

void lockdep_check(const void *lock, u16 rank, const char *name, bool same, void *pc)
{
	struct thread *t = current();

	ASSERTF(rank < LOCK_RANKS && name, "lock %p taken at %p was not initialised", lock, pc);
	for (u8 i = t->held_base; i < t->nheld; i++) {
		const struct held_lock *h = &t->held[i];

		if (h->lock == lock)
			panic("lock %s (%p) is taken at %p by the thread that took it at %p", name,
			      lock, pc, h->pc);
		if (h->rank > rank || (h->rank == rank && !same))
			panic("lock order: %s (rank %s) taken at %p inside rank %s taken at %p",
			      name, lock_rank_name(rank), pc, lock_rank_name(h->rank), h->pc);
	}
}

void lockdep_acquired(void *lock, u16 rank, void *pc)
{
	struct thread *t = current();

	ASSERTF(t->nheld < ARRAY_LEN(t->held), "thread %s holds %u locks", t->name, t->nheld);
	t->held[t->nheld++] = (struct held_lock){lock, rank, pc};
}

/* Any order of release is fine; mostly it is the last. */
void lockdep_released(void *lock, const char *name)
{
	struct thread *t = current();

	for (u8 i = t->nheld; i-- > 0;) {
		if (t->held[i].lock != lock)
			continue;
		for (; i + 1 < t->nheld; i++)
			t->held[i] = t->held[i + 1];
		t->nheld--;
		return;
	}
	panic("lock %s (%p) is released by thread %s, which does not hold it", name, lock, t->name);
}

bool lockdep_held(const void *lock)
{
	const struct thread *t = current();

	for (u8 i = 0; i < t->nheld; i++)
		if (t->held[i].lock == lock)
			return true;
	return false;
}

#endif
