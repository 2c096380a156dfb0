// SPDX-License-Identifier: BSD-2-Clause
/*
 * The two pages every program has: the clock's data and, after it, the code of vdso.S.
 *
 * Invariants: vvar's values are those of time_now() (cycles * mult >> shift) and time_realtime(); seq is odd while they
 * change.  The pages are kernel frames behind one device object that lives for ever.
 *
 * Locks: vvar_lock (LOCK_LEAF_FS) serialises writers of the data page.
 */
#include "kernel/proc/proc_internal.h"

#include "kernel/mem/frame.h"

/* As vdso.S reads it.
 *
 * Field markings and the corresponding locks:
 * (v) vvar_lock to write; readers follow seq
 */
struct vvar {
	u32 seq;   /* (v) */
	u32 shift; /* (v) */
	u64 mult;  /* (v) */
	u64 real;  /* (v) realtime - monotonic, ns */
};

extern const char vdso_start[], vdso_end[];

static struct vvar *vvar;
static struct vm_object *vdso_object;
static struct spinlock vvar_lock = SPINLOCK_INIT(LOCK_LEAF_FS, "vvar");

/* The clocks cannot be read at the same moment: the closest of some tries. */
static u64 measure_offset(void)
{
	u64 best = 0, best_gap = ~0UL;

	for (int i = 0; i < 32 && best_gap; i++) {
		u64 before = time_now(), real = time_realtime(), gap = time_now() - before;

		if (gap < best_gap) {
			best_gap = gap;
			best = real - before;
		}
	}
	return best;
}

/* What the vDSO computes, so that the two never disagree. */
u64 proc_realtime(void)
{
	return time_now() + READ_ONCE(vvar->real);
}

void vdso_update(void)
{
	u64 offset = measure_offset();

	spin_lock(&vvar_lock);
	WRITE_ONCE(vvar->seq, vvar->seq + 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	time_conversion(&vvar->mult, &vvar->shift);
	WRITE_ONCE(vvar->real, offset);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	WRITE_ONCE(vvar->seq, vvar->seq + 1);
	ASSERT(vvar->shift > 0 && vvar->shift < 64);
	spin_unlock(&vvar_lock);
}

void vdso_init(void)
{
	struct frame *f = frame_alloc_order(1, FA_ZERO);
	u8 *pages;

	ASSERT((size_t)(vdso_end - vdso_start) <= PAGE_SIZE);
	if (!f)
		panic("no memory for the vDSO");
	pages = frame_va(f);
	vvar = (struct vvar *)pages;
	memcpy(pages + PAGE_SIZE, vdso_start, (size_t)(vdso_end - vdso_start));
	vdso_object = vm_object_create_device(frame_pa(f), 2 * PAGE_SIZE);
	if (!vdso_object)
		panic("no memory for the vDSO");
	vdso_update();
}

s64 vdso_map(struct vm_map *map)
{
	struct vm_mmap_args a = {
		.len = PAGE_SIZE,
		.prot = PROT_READ,
		.max_prot = PROT_READ,
		.flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE,
		.object = vdso_object,
		.label = "[vvar]",
	};
	s64 at = vm_find_room(map, 0, 2 * PAGE_SIZE);

	if (at < 0)
		return at;
	a.addr = (u64)at;
	at = vm_mmap(map, &a);
	if (at < 0)
		return at;
	a.addr += PAGE_SIZE;
	a.offset = PAGE_SIZE;
	a.prot = a.max_prot = PROT_READ | PROT_EXEC;
	a.label = "[vdso]";
	return vm_mmap(map, &a);
}
