/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SYNC_LOCKDEP_H
#define GNOMON_SYNC_LOCKDEP_H

/*
 * The run-time checker of lock order and ownership: debug builds only, nothing otherwise.  Each thread lists the locks
 * it holds; an interrupt handler starts a list of its own on top.
 */

#include "kernel/lib/types.h"

#if DEBUG
/* Before waiting for the lock: panics when a lock held is of a higher rank, or the same unless `same`, or this very one. */
void lockdep_check(const void *lock, u16 rank, const char *name, bool same, void *pc);
void lockdep_acquired(void *lock, u16 rank, void *pc);
void lockdep_released(void *lock, const char *name);
bool lockdep_held(const void *lock);
const char *lock_rank_name(u16 rank);
#endif

#endif
