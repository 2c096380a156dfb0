/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SYNC_MUTEX_H
#define GNOMON_SYNC_MUTEX_H

/* Sleeping locks.  Uncontended paths are one atomic instruction; waiters queue in order. */

#include "kernel/sync/spinlock.h"
#include "kernel/sync/waitq.h"

struct CAPABILITY mutex {
	uintptr_t owner;	/* struct thread *, bit 0: somebody waits */
	struct waitq wait;
#if DEBUG
	u16 rank;
	const char *name;
#endif
};

void mutex_init(struct mutex *m, enum lock_rank rank, const char *name);
void mutex_lock(struct mutex *m) ACQUIRES(*m);
void mutex_lock_same(struct mutex *m) ACQUIRES(*m);
bool mutex_trylock(struct mutex *m) TRY_ACQUIRES(true, *m);
int mutex_lock_intr(struct mutex *m) TRY_ACQUIRES(0, *m);	/* 0, or -EINTR if a signal came: not locked */
void mutex_unlock(struct mutex *m) RELEASES(*m);
bool mutex_held(const struct mutex *m);				/* by this thread */

/* Reader-writer lock; a waiting writer stops new readers. */
struct CAPABILITY rwlock {
	s64 state;		/* > 0 readers, -1 writer, 0 free; bit 62: a writer waits */
	struct waitq wait;
	void *writer;
#if DEBUG
	u16 rank;
	const char *name;
#endif
};

void rw_init(struct rwlock *l, enum lock_rank rank, const char *name);
void rw_lock_read(struct rwlock *l) ACQUIRES_SHARED(*l);
bool rw_trylock_read(struct rwlock *l) TS(try_acquire_shared_capability(true, *l));
void rw_unlock_read(struct rwlock *l) RELEASES_SHARED(*l);
void rw_lock_write(struct rwlock *l) ACQUIRES(*l);
void rw_lock_write_same(struct rwlock *l) ACQUIRES(*l);
bool rw_trylock_write(struct rwlock *l) TRY_ACQUIRES(true, *l);
void rw_unlock_write(struct rwlock *l) RELEASES(*l);
void rw_downgrade(struct rwlock *l);
bool rw_held_write(const struct rwlock *l);	/* by this thread */
bool rw_held(const struct rwlock *l);		/* at all */

#endif
