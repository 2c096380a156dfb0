// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory of a process that is being killed for want of memory, taken at once: its threads may take long to notice, or wait for that very memory.
 *
 * What goes: pages, in memory and in swap, of anonymous objects that nobody else refers to.  The areas stay until the process exits.  From then on the
 * map is `reaped`: a fault that finds no page fails instead of making a page of zeroes, for none of the process's own data may
 * be mistaken for zeroes by a system call that is still under way.
 *
 * Locks: the map for reading, like a fault; then each object.
 */
#include "kernel/vm/vm_internal.h"

/* The area's own anonymous memory: o is locked. */
static bool owned(const struct vm_area *a, const struct vm_object *o)
{
	return object_is_anon(o) && !(a->flags & AREA_SHARED) && !a->needs_copy && !o->sized &&
	       list_empty(&o->shadows) && READ_ONCE(o->refs) == 1;
}

static NO_TS u64 reap_area(struct vm_map *m, struct vm_area *a)
{
	struct vm_object *o = area_lock_object(a);
	u64 pages = 0;
	struct tlb_batch b;

	if (!o)
		return 0;
	if (owned(a, o)) {
		tlb_begin(&b, &m->pmap);
		pmap_remove(&m->pmap, a->start, a->end, ~0UL, 0, &b);
		tlb_finish(&b);
		pages = o->pages.count;
		object_purge_locked(o, a->index, area_last(a));
		pages -= o->pages.count;
	}
	spin_unlock(o->lock);
	return pages;
}

u64 vm_map_reap(struct vm_map *m)
{
	u64 pages = 0;

	WRITE_ONCE(m->reaped, true);
	if (!rw_trylock_read(&m->lock))
		return 0;
	for (struct rb_node *n = rb_first(&m->areas); n; n = rb_next(n))
		pages += reap_area(m, container_of(n, struct vm_area, node));
	rw_unlock_read(&m->lock);
	pageout_progress(pages);
	return pages;
}

/* Pages in swap that a's death would give back: of what others see too, its part. The object is locked. */
static u64 in_swap(const struct vm_area *a, struct vm_object *o)
{
	u64 pages = 0;

	for (; o && object_is_anon(o); o = o->backing)
		if (o->swapped)
			pages += o->swapped / MAX(o->nareas + o->nshadows, 1U);
	return MIN(pages, area_pages(a));
}

/* Without its lock only what its areas could hold is known: who changes them may be waiting for memory itself. */
static u64 in_swap_at_most(const struct vm_map *m)
{
	u64 all, free, mapped = READ_ONCE(m->pmap.mapped);
	u64 most = READ_ONCE(m->data) + READ_ONCE(m->stack);

	swap_totals(&all, &free);
	return most > mapped ? MIN(most - mapped, all - free) : 0;
}

NO_TS u64 vm_map_gain(struct vm_map *m)
{
	u64 pages = READ_ONCE(m->pmap.mapped) + READ_ONCE(m->pmap.tables), bytes;

	if (READ_ONCE(m->reaped))
		return 0;
	bytes = READ_ONCE(m->nareas) * sizeof(struct vm_area);
	if (!rw_trylock_read(&m->lock))
		return pages + bytes / PAGE_SIZE + in_swap_at_most(m);
	for (struct rb_node *n = rb_first(&m->areas); n; n = rb_next(n)) {
		struct vm_area *a = container_of(n, struct vm_area, node);
		struct vm_object *o = area_lock_object(a);

		if (!o)
			continue;
		pages += in_swap(a, o);
		bytes += sizeof(*o) / MAX(o->nareas, 1U);
		spin_unlock(o->lock);
	}
	rw_unlock_read(&m->lock);
	return pages + bytes / PAGE_SIZE;
}
