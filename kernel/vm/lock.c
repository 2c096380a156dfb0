// SPDX-License-Identifier: BSD-2-Clause
/*
 * mlock and its kin: areas whose pages the clock leaves alone (AREA_LOCKED), and which are faulted in at once unless asked otherwise
 * (AREA_ONFAULT).  They are faulted in before they are marked, so that a call without memory changes nothing.
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

static void set_locked(struct vm_map *m, struct vm_area *a, u32 locks)
{
	s64 pages = area_pages(a);

	if (!(a->flags & AREA_LOCKED) != !locks)
		m->locked += locks ? pages : -pages;
	a->flags = (a->flags & ~(AREA_LOCKED | AREA_ONFAULT)) | locks;
}

static void set_range(struct vm_map *m, u64 start, u64 end, u32 locks)
{
	for (struct vm_area *a = area_find(m, start); a && a->start < end; a = area_next(a)) {
		set_locked(m, a, locks);
		a = area_merge(m, a);
	}
}

/* The range is mapped, and what is added to the locked pages is within the limit. Map locked. */
static int check_lock(struct vm_map *m, u64 start, u64 end, bool lock)
{
	s64 more = unlocked_pages(m, start, end);

	if (more < 0)
		return more;
	return lock && more && !vm_may_lock(m, more) ? -ENOMEM : 0;
}

static int try_lock(struct vm_map *m, u64 start, u64 end)
{
	int err;

	rw_lock_read(&m->lock);
	err = check_lock(m, start, end, true);
	rw_unlock_read(&m->lock);
	/* before anything changes: if there is no memory, nothing has */
	return err ? err : fault_populate(m, start, end);
}

int vm_mlock(struct vm_map *m, u64 addr, u64 len, bool lock, bool onfault)
{
	u64 start = ALIGN_DOWN(addr, PAGE_SIZE), end;
	u32 locks = !lock ? 0 : AREA_LOCKED | (onfault ? AREA_ONFAULT : 0);
	struct leaving l;
	int err = 0;

	end = start + ALIGN_UP(len + (addr - start), PAGE_SIZE);
	if (end < start)
		return -EINVAL;
	if (start == end)
		return 0;
	if (!user_range_ok(start, end - start))
		return -ENOMEM;
	leaving_init(&l);
	err = leaving_reserve(&l, 2);
	if (!err && lock && !onfault)
		err = try_lock(m, start, end);
	if (!err) {
		rw_lock_write(&m->lock);
		err = check_lock(m, start, end, lock);
		if (!err) {
			clip_range(m, start, end, &l);
			set_range(m, start, end, locks);
		}
		rw_unlock_write(&m->lock);
	}
	leaving_release(&l);
	if (!err && lock && !onfault)
		(void)fault_populate(m, start, end); /* what was taken away in between */
	return err;
}

static void populate_all(struct vm_map *m)
{
	u64 at = 0;

	for (;;) {
		struct vm_area *a;
		u64 start, end;

		rw_lock_read(&m->lock);
		a = area_find(m, at);
		start = a ? a->start : 0;
		end = a ? a->end : 0;
		rw_unlock_read(&m->lock);
		if (!a)
			return;
		(void)fault_populate(
			m, start, end); /* as mlockall(2): what cannot be faulted in is left out */
		at = end;
	}
}

int vm_mlock_all(struct vm_map *m, bool current_areas, bool future, bool onfault)
{
	u32 locks = AREA_LOCKED | (onfault ? AREA_ONFAULT : 0);

	rw_lock_write(&m->lock);
	if (current_areas && m->size > vm_lock_limit() >> PAGE_SHIFT) {
		rw_unlock_write(&m->lock);
		return -ENOMEM;
	}
	m->lock_future = future ? locks : 0;
	if (current_areas || !future)
		set_range(m, 0, USER_END, current_areas ? locks : 0);
	rw_unlock_write(&m->lock);
	if (current_areas && !onfault)
		populate_all(m);
	return 0;
}
