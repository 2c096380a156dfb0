/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_LIB_REF_H
#define GNOMON_LIB_REF_H

/*
 * Reference counts: plain u32 words, changed atomically.  Debug builds stop at a count that falls below zero, that nobody can
 * have reached, or that lies in freed memory: the slabs' poison is beyond REF_MAX.
 */

#include "kernel/lib/print.h"
#include "kernel/lib/types.h"

#define REF_MAX 0x40000000u

/* One more, of a thing that somebody holds; the count before. */
static inline u32 ref_get(u32 *refs)
{
	u32 old = __atomic_fetch_add(refs, 1, __ATOMIC_RELAXED);

	if (DEBUG)
		ASSERTF(old - 1 < REF_MAX, "reference to a thing with count %#x", old);
	return old;
}

/* One more, where an owner of another kind keeps a thing whose count may be 0. */
static inline u32 ref_get_first(u32 *refs)
{
	u32 old = __atomic_fetch_add(refs, 1, __ATOMIC_RELAXED);

	if (DEBUG)
		ASSERTF(old < REF_MAX, "reference to a thing with count %#x", old);
	return old;
}

/* One less; the count that is left: at 0 the caller frees the thing. */
static inline u32 ref_put(u32 *refs)
{
	u32 left = __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL);

	if (DEBUG)
		ASSERTF(left < REF_MAX, "reference dropped once too often: count %#x", left);
	return left;
}

#endif
