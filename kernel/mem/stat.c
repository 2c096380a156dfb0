// SPDX-License-Identifier: BSD-2-Clause
/* Sums of the per-hart event counters. Each is written with atomic adds and read without a lock. */

#include "kernel/mem/stat.h"
#include "kernel/lib/print.h"

static u64 sum_of(unsigned i)
{
	u64 sum = 0;

	for (u32 h = 0; h < nharts; h++)
		if (harts[h])
			sum += __atomic_load_n(&harts[h]->stats[i], __ATOMIC_RELAXED);
	return sum;
}

u64 vm_event_sum(enum vm_event e)
{
	ASSERT(e < VM_EVENT_COUNT);
	return sum_of(e);
}

u64 vm_gauge_sum(enum vm_gauge g)
{
	s64 sum = (s64)sum_of(g);

	return sum > 0 ? (u64)sum : 0;
}
