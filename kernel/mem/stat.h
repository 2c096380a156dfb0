/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_MEM_STAT_H
#define GNOMON_MEM_STAT_H

/* Event counters, per hart, summed when read: /proc/vmstat prints them under these names. */

#include "kernel/riscv/hart.h"

/* VM_EVENT(name in /proc/vmstat) */
/* clang-format off */
#define VM_EVENTS(E) \
	E(pgpgin) E(pgpgout) E(pswpin) E(pswpout) E(pgalloc_normal) E(pgfree) E(pgfault) \
	E(pgmajfault) E(pgreuse) E(fault_around) E(fault_ahead) E(fault_spurious) \
	E(zero_page_reads) E(cow_copies) E(shadow_created) E(shadow_collapses) E(shadow_bypasses) E(shadow_reused) \
	E(objects_created) E(objects_freed) E(areas_merged) E(areas_split) \
	E(tlb_flush_local) E(tlb_shootdown) E(tlb_shootdown_pages) E(frames_zeroed_idle) \
	E(pagetables_alloc) E(pagetables_free) E(pagetables_trimmed) E(readahead_pages) E(writeback_clusters) \
	E(writeback_pages) E(oom_kill) E(pgscan_kswapd) E(pgsteal_kswapd) \
	E(pgsteal_anon) E(pgsteal_file) E(allocstall_normal) E(workingset_refault) \
	E(workingset_activate) E(clock_second_chances) E(clock_promotions) E(clock_sweeps) E(clock_discover_steps) \
	E(swap_write_clusters) E(swap_read_clusters) E(swap_zero_pages) E(swap_discarded) E(pglazyfree) E(pglazyfreed)
/* clang-format on */

enum vm_event {
#define E(n) VMEV_##n,
	VM_EVENTS(E)
#undef E
		VM_EVENT_COUNT,
};

/* How many pages there are of a kind: what the harts added and took away, in the same array. */
enum vm_gauge {
	VMG_file = VM_EVENT_COUNT,
	VMG_anon,
	VMG_dirty,
	VMG_writeback,
	VMG_failed, /* not dirty, but their last clean failed */
	VMG_tables,
	VMG_swapped,   /* words that are slots */
	VMG_committed, /* private writable memory that was promised */
	VM_STAT_COUNT,
};
BUILD_ASSERT(VM_STAT_COUNT <= 64);

/* A lost count under preemption between harts is prevented by the caller's hart staying fixed: one read-modify-write
 * of this hart's own slot with preemption off or as a single amoadd. */
static inline void vm_count(enum vm_event e, u64 n);
u64 vm_event_sum(enum vm_event e);
static inline void vm_gauge_add(enum vm_gauge g, s64 n);
u64 vm_gauge_sum(enum vm_gauge g); /* about: others may be adding */

#include "kernel/sched/thread.h"
static inline void vm_count(enum vm_event e, u64 n)
{
	__atomic_fetch_add(&current()->hart->stats[e], n, __ATOMIC_RELAXED);
}

static inline void vm_gauge_add(enum vm_gauge g, s64 n)
{
	__atomic_fetch_add(&current()->hart->stats[g], (u64)n, __ATOMIC_RELAXED);
}

#endif
