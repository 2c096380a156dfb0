// SPDX-License-Identifier: BSD-2-Clause
/*
 * mlock and its kin: areas whose pages the clock leaves alone (AREA_LOCKED), and which are faulted in at once unless asked otherwise.
 */
#include "kernel/vm/vm_internal.h"

/* Pages of [start, end) that are mapped but not locked yet; -ENOMEM where nothing is mapped. Map locked. */
static s64 unlocked_pages(struct vm_map *m, u64 start, u64 end)
{
	struct vm_area *a = area_find(m, start);
	s64 n = 0;

	for (u64 at = start; at < end; at = a->end, a = area_next(a)) {
		if (!a || a->start > at)
			return -ENOMEM;
		if (!(a->flags & AREA_LOCKED))
			n += (MIN(a->end, end) - at) >> PAGE_SHIFT;
		if (a->end >= end)
			break;
	}
	return n;
}

static void set_locked(struct vm_map *m, struct vm_area *a, bool lock)
{
	s64 pages = area_pages(a);

	if (lock == !!(a->flags & AREA_LOCKED))
		return;
	a->flags ^= AREA_LOCKED;
	m->locked += lock ? pages : -pages;
}

int vm_mlock(struct vm_map *m, u64 addr, u64 len, bool lock, bool populate, u64 limit)
{
	u64 start = ALIGN_DOWN(addr, PAGE_SIZE), end = ALIGN_UP(addr + len, PAGE_SIZE);
	struct leaving l;
	s64 more;
	int err;

	if (addr + len < addr || end < start)
		return -EINVAL;
	if (start == end)
		return 0;
	if (!user_range_ok(start, end - start))
		return -ENOMEM;
	leaving_init(&l);
	err = leaving_reserve(&l, 2);
	if (!err) {
		rw_lock_write(&m->lock);
		more = unlocked_pages(m, start, end);
		if (more < 0)
			err = more;
		else if (lock && limit != ~0UL && m->locked + more > limit >> PAGE_SHIFT)
			err = -ENOMEM;
		else
			clip_range(m, start, end, &l);
		for (struct vm_area *a = area_find(m, start); !err && a && a->start < end;
		     a = area_next(a)) {
			set_locked(m, a, lock);
			a = area_merge(m, a);
		}
		rw_unlock_write(&m->lock);
	}
	leaving_release(&l);
	if (!err && lock && populate)
		err = fault_populate(m, start, end);
	return err;
}

int vm_mlock_all(struct vm_map *m, bool current_areas, bool future, bool populate, u64 limit)
{
	u64 at = 0;

	rw_lock_write(&m->lock);
	if (current_areas && limit != ~0UL && m->size > limit >> PAGE_SHIFT) {
		rw_unlock_write(&m->lock);
		return -ENOMEM;
	}
	m->lock_future = future;
	for (struct rb_node *n = rb_first(&m->areas); n; n = rb_next(n)) {
		struct vm_area *a = container_of(n, struct vm_area, node);

		if (current_areas || !future)
			set_locked(m, a, current_areas);
	}
	rw_unlock_write(&m->lock);
	while (current_areas && populate) {
		struct vm_area *a;
		u64 start, end;

		rw_lock_read(&m->lock);
		a = area_find(m, at);
		start = a ? a->start : 0;
		end = a ? a->end : 0;
		rw_unlock_read(&m->lock);
		if (!a)
			break;
		(void)fault_populate(
			m, start, end); /* as mlockall(2): what cannot be faulted in is left out */
		at = end;
	}
	return 0;
}
