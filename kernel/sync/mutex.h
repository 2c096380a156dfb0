/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SYNC_MUTEX_H
#define GNOMON_SYNC_MUTEX_H

/* Sleeping locks.  Uncontended paths are one atomic instruction; waiters queue in order. */

#include "kernel/sync/spinlock.h"
#include "kernel/sync/waitq.h"

struct CAPABILITY mutex {
	uintptr_t owner; /* struct thread *, bit 0: somebody waits */
	struct waitq wait;
#if DEBUG
	u16 rank;
	const char *name;
#endif
};

#define MUTEX_WAITERS 1UL

void mutex_init(struct mutex *m, enum lock_rank rank, const char *name);
bool mutex_trylock(struct mutex *m) TRY_ACQUIRES(true, *m);
int mutex_lock_intr(struct mutex *m)
	TRY_ACQUIRES(0, *m);		/* 0, or -EINTR if a signal came: not locked */
bool mutex_held(const struct mutex *m); /* by this thread */
/* mutex_lock_same: a second lock of the same rank, in the order that lockorder.def documents. */
#if defined(__riscv) && !DEBUG
void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(struct mutex *m);

static inline void mutex_lock(struct mutex *m) ACQUIRES(*m) NO_TS
{
	uintptr_t free = 0;

	if (unlikely(!__atomic_compare_exchange_n(&m->owner, &free, (uintptr_t)spin_self_(), false,
						  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		mutex_lock_slow(m);
}

static inline void mutex_lock_same(struct mutex *m) ACQUIRES(*m) NO_TS
{
	mutex_lock(m);
}

static inline void mutex_unlock(struct mutex *m) RELEASES(*m) NO_TS
{
	uintptr_t me = (uintptr_t)spin_self_();

	if (unlikely(!__atomic_compare_exchange_n(&m->owner, &me, 0, false, __ATOMIC_RELEASE,
						  __ATOMIC_RELAXED)))
		mutex_unlock_slow(m);
}
#else
void mutex_lock(struct mutex *m) ACQUIRES(*m);
void mutex_lock_same(struct mutex *m) ACQUIRES(*m);
void mutex_unlock(struct mutex *m) RELEASES(*m);
#endif

/* Reader-writer lock, first come first served: who finds somebody waiting waits behind. Read locks do not nest. */
struct CAPABILITY rwlock {
	u64 state; /* RW_* bits, and RW_READER times the readers */
	struct waitq wait;
	void *writer; /* thread that holds it for writing */
#if DEBUG
	u16 rank;
	const char *name;
#endif
};

#define RW_WRITER  1UL
#define RW_WAITERS 2UL
#define RW_READER  4UL

void rw_init(struct rwlock *l, enum lock_rank rank, const char *name);
bool rw_trylock_read(struct rwlock *l) TS(try_acquire_shared_capability(true, *l));
bool rw_trylock_write(struct rwlock *l) TRY_ACQUIRES(true, *l);
void rw_downgrade(struct rwlock *l);
bool rw_held_write(const struct rwlock *l); /* by this thread */
bool rw_held(const struct rwlock *l);	    /* at all */
#if defined(__riscv) && !DEBUG
void rw_lock_read_slow(struct rwlock *l);
void rw_unlock_read_slow(struct rwlock *l);
void rw_lock_write_slow(struct rwlock *l);
void rw_unlock_write_slow(struct rwlock *l);

static inline void rw_lock_read(struct rwlock *l) ACQUIRES_SHARED(*l) NO_TS
{
	u64 s = READ_ONCE(l->state);

	if (unlikely((s & (RW_WRITER | RW_WAITERS)) ||
		     !__atomic_compare_exchange_n(&l->state, &s, s + RW_READER, false,
						  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		rw_lock_read_slow(l);
}

static inline void rw_unlock_read(struct rwlock *l) RELEASES_SHARED(*l) NO_TS
{
	u64 s = __atomic_fetch_sub(&l->state, RW_READER, __ATOMIC_RELEASE);

	if (unlikely(s == (RW_READER | RW_WAITERS)))
		rw_unlock_read_slow(l);
}

static inline void rw_lock_write(struct rwlock *l) ACQUIRES(*l) NO_TS
{
	u64 free = 0;

	if (unlikely(!__atomic_compare_exchange_n(&l->state, &free, RW_WRITER, false,
						  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		rw_lock_write_slow(l);
	l->writer = spin_self_();
}

static inline void rw_lock_write_same(struct rwlock *l) ACQUIRES(*l) NO_TS
{
	rw_lock_write(l);
}

static inline void rw_unlock_write(struct rwlock *l) RELEASES(*l) NO_TS
{
	u64 held = RW_WRITER;

	l->writer = NULL;
	if (unlikely(!__atomic_compare_exchange_n(&l->state, &held, 0, false, __ATOMIC_RELEASE,
						  __ATOMIC_RELAXED)))
		rw_unlock_write_slow(l);
}
#else
void rw_lock_read(struct rwlock *l) ACQUIRES_SHARED(*l);
void rw_unlock_read(struct rwlock *l) RELEASES_SHARED(*l);
void rw_lock_write(struct rwlock *l) ACQUIRES(*l);
void rw_lock_write_same(struct rwlock *l) ACQUIRES(*l);
void rw_unlock_write(struct rwlock *l) RELEASES(*l);
#endif

#endif
