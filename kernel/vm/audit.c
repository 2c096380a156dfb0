// SPDX-License-Identifier: BSD-2-Clause
/*
 * Audits of address spaces in use: debug builds started with audit=N check the whole of a map after one in N of the calls
 * that change it, and a part of its page table against areas and objects.
 *
 * Locks: takes the map (read), then each area's object and, for single entries, the page table.  What frames of another lock are (a
 * vnode's below a private mapping) is looked at only where it cannot change.
 */
#include "kernel/boot/init.h"
#include "kernel/boot/params.h"
#include "kernel/vm/vm_internal.h"

#if DEBUG && defined(__riscv)

#define PAGES 64 /* of each area, from a place that moves on */

static u64 every; /* (c) 0: no audits */
static u64 calls; /* (a) */

static void audit_init(void)
{
	every = kernel_param_u64("audit", 0);
}
INITCALL(VM, audit_init);

/* One entry that maps a frame; the object's lock is held. */
static void audit_frame(struct vm_area *a, struct vm_object *o, u64 va, pte_t pte)
{
	struct frame *f = pa_frame(PTE_PA(pte));

	ASSERTF(o && f, "%#lx: entry %#lx in an area without an object", va, pte);
	ASSERTF(f->mapcount > 0 && (f->flags & (FR_VALID | FR_FREE | FR_WIRED)) == FR_VALID,
		"%#lx: frame %#lx mapcount %u flags %#x", va, frame_pa(f), f->mapcount, f->flags);
	if (f->object == o)
		ASSERTF(f->index == area_index(a, va),
			"%#lx: page %lu of the object is mapped for %lu", va, f->index,
			area_index(a, va));
	if (!(pte & PTE_W))
		return;
	ASSERTF(a->prot & PROT_WRITE, "%#lx: may be written, protection %u", va, a->prot);
	ASSERTF(f->object == o && (f->flags & FR_DIRTY) &&
			!(a->needs_copy && !(a->flags & AREA_SHARED)),
		"%#lx: writable frame %#lx of object %p flags %#x, top %p needs-copy %d", va,
		frame_pa(f), (void *)f->object, f->flags, (void *)o, a->needs_copy);
}

static NO_TS void audit_area(struct vm_map *m, struct vm_area *a, u64 turn)
{
	u64 pages = area_pages(a), first = pages > PAGES ? turn * PAGES % pages : 0;
	struct vm_object *o = area_lock_object(a);

	for (u64 i = first; o && i < MIN(pages, first + PAGES); i++) {
		u64 va = a->start + i * PAGE_SIZE;
		pte_t pte = pmap_lookup(&m->pmap, va);

		if (!(pte & PTE_V))
			continue;
		ASSERTF((pte & (PTE_R | PTE_W | PTE_X)) && (pte & PTE_U), "%#lx: entry %#lx", va,
			pte);
		if (!(pte & PTE_SOFT0))
			audit_frame(a, o, va, pte);
	}
	if (o)
		spin_unlock(o->lock);
}

NO_TS void vm_audit_sampled(struct vm_map *m)
{
	u64 turn, n;

	if (likely(!every))
		return;
	turn = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
	n = 1 + READ_ONCE(m->nareas) / 32;
	if (turn % (every * n * n)) /* large ones much seldomer: every area is looked at */
		return;
	vm_map_audit(m);
	rw_lock_read(&m->lock);
	for (struct rb_node *r = rb_first(&m->areas); r; r = rb_next(r))
		audit_area(m, container_of(r, struct vm_area, node), turn);
	rw_unlock_read(&m->lock);
}

#endif
