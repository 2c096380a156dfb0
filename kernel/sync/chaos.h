/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SYNC_CHAOS_H
#define GNOMON_SYNC_CHAOS_H

/*
 * Delays and preemption at random moments, in debug builds started with chaos=SEED[,RATE]: one in RATE points (default
 * 64) spins for a while, gives the hart away, or asks for that at the next chance.  Points are lock, unlock and trylock, changes of a
 * page's state and of page tables, wakes, switches, and interrupts going on again.  Each hart draws from a generator of
 * its own, seeded from SEED, so a run repeats itself as far as the harts' timing does.  Threads also change harts at random.
 */

#include "kernel/lib/types.h"

#if DEBUG && defined(__riscv) /* not in host tests */
extern bool chaos_on;
void chaos_hit(void);
/* One in n, while chaos is on: for choices, such as where a thread goes on. */
bool chaos_chance(u32 n);
u32 chaos_bit(u64 mask); /* the index of one of its bits */

static inline void chaos_point(void)
{
	if (unlikely(chaos_on))
		chaos_hit();
}
#else
#define chaos_on false
static inline void chaos_point(void)
{
}
static inline bool chaos_chance(u32 n)
{
	(void)n;
	return false;
}
static inline u32 chaos_bit(u64 mask)
{
	return (u32)__builtin_ctzl(mask);
}
#endif

#endif
