// SPDX-License-Identifier: BSD-2-Clause
/* Sums of the per-hart event counters. Each is written with atomic adds and read without a lock. */

#include "kernel/mem/stat.h"
#include "kernel/lib/print.h"

u64 vm_event_sum(enum vm_event e)
{
	u64 sum = 0;

	ASSERT(e < VM_EVENT_COUNT);
	for (u32 i = 0; i < nharts; i++)
		if (harts[i])
			sum += __atomic_load_n(&harts[i]->stats[e], __ATOMIC_RELAXED);
	return sum;
}
