// SPDX-License-Identifier: BSD-2-Clause
/*
 * msync, madvise, mincore: calls about ranges of areas that exist.
 */
#include "kernel/vm/vm_internal.h"

/* The map is held; the area that covers addr, or NULL. */
static struct vm_area *covering(struct vm_map *m, u64 addr)
{
	struct vm_area *a = area_find(m, addr);

	return a && a->start <= addr ? a : NULL;
}

/* ---- msync ---- */

/* One area's part of the range: its pages are written, and for MS_SYNC reach stable storage. Unlocks the map. */
static int sync_part(struct vm_map *m, struct vm_area *a, u64 start, u64 end, int flags)
	RELEASES_SHARED(m->lock)
{
	struct vm_object *o = a->object;
	struct file *f = a->file;
	u64 first = area_index(a, start), last = area_index(a, end - PAGE_SIZE);
	int err = 0;

	if (!(a->flags & AREA_SHARED) || !f || !o || o->kind != OBJ_VNODE) {
		rw_unlock_read(&m->lock);
		return 0;
	}
	vm_object_hold(o);
	vm_area_file_hold(f);
	rw_unlock_read(&m->lock);
	if ((flags & (MS_SYNC | MS_ASYNC)) && READ_ONCE(o->stored))
		vm_file_hooks()->stored(f);
	if (flags & MS_SYNC) {
		err = vm_object_clean(o, first, last, true);
		if (!err && vm_file_hooks()->fsync)
			err = vm_file_hooks()->fsync(f);
	} else if (flags & MS_ASYNC) {
		err = vm_object_clean(o, first, last, false);
	}
	vm_area_file_drop(f);
	vm_object_drop(o);
	return err;
}

int vm_msync(struct vm_map *m, u64 addr, u64 len, int flags)
{
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE);
	bool hole = false;
	int err = 0;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || !IS_ALIGNED(addr, PAGE_SIZE) ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	while (addr < end && !err) {
		struct vm_area *a;
		u64 stop;

		rw_lock_read(&m->lock);
		a = area_find(m, addr);
		if (!a || a->start >= end) {
			rw_unlock_read(&m->lock);
			return -ENOMEM;
		}
		if (a->start > addr) {
			hole = true;
			addr = a->start;
		}
		stop = MIN(a->end, end);
		if ((flags & MS_INVALIDATE) && (a->flags & AREA_LOCKED)) {
			rw_unlock_read(&m->lock);
			return -EBUSY;
		}
		err = sync_part(m, a, addr, stop, flags);
		addr = stop;
	}
	return err ? err : hole ? -ENOMEM : 0;
}

/* ---- madvise ---- */

enum {
	MADV_NORMAL,
	MADV_RANDOM,
	MADV_SEQUENTIAL,
	MADV_WILLNEED,
	MADV_DONTNEED,
	MADV_FREE = 8,
	MADV_REMOVE,
	MADV_DONTFORK,
	MADV_DOFORK,
	MADV_DONTDUMP = 16,
	MADV_DODUMP,
	MADV_WIPEONFORK,
	MADV_KEEPONFORK,
	MADV_COLD,
	MADV_PAGEOUT,
	MADV_POPULATE_READ,
	MADV_POPULATE_WRITE,
	MADV_DONTNEED_LOCKED
};

/* Anonymous or private pages of the area are forgotten; it goes back to what it showed when it was mapped. Write-locked; a lies inside the range.
 * What it referred to goes to *drop (an object) for the caller to drop unlocked. */
static NO_TS int forget_area(struct vm_map *m, struct vm_area *a, struct vm_object **drop)
{
	struct vm_object *o;
	u64 first, last;
	struct tlb_batch b;

	*drop = NULL;
	tlb_begin(&b, &m->pmap);
	pmap_remove(&m->pmap, a->start, a->end, ~0UL, 0, &b);
	tlb_finish(&b);
	o = area_lock_object(a);
	if (!o)
		return 0;
	first = a->index;
	last = area_last(a);
	if ((a->flags & AREA_SHARED) || o->kind == OBJ_VNODE || o->kind == OBJ_DEVICE) {
		spin_unlock(o->lock);
		return 0;
	}
	if (!o->backing && !a->file && !a->needs_copy && !o->sized && list_empty(&o->shadows)) {
		object_purge_locked(o, first, last);
		spin_unlock(o->lock);
		return 0;
	}
	/* the chain is let go; the file is looked at again */
	area_detach_locked(a);
	spin_unlock(o->lock);
	if (a->file) {
		vm_object_hold(a->origin);
		a->needs_copy = true;
		area_attach(a, a->origin, a->origin_index);
	} else {
		a->needs_copy = false;
		if (a->flags & AREA_GROWSDOWN)
			a->index = (1UL << 18) - area_pages(a);
	}
	*drop = o;
	return 0;
}

/* Whatever of the area nobody else sees. Write-locked. */
static NO_TS void free_lazily(struct vm_area *a)
{
	u64 va = a->start, next;

	for (; va < a->end; va = next) {
		struct vm_object *o = area_lock_object(a);

		if (!o)
			return;
		next = MIN(va + COLD_CHUNK * PAGE_SIZE, a->end);
		/* an area that may write to its object itself is the only one that sees those pages */
		if (!a->needs_copy && object_is_anon(o))
			vm_object_free_lazily(o, area_index(a, va),
					      area_index(a, next - PAGE_SIZE));
		spin_unlock(o->lock);
	}
}

static int set_flags(struct vm_map *m, struct vm_area *a, u32 set, u32 clear)
{
	(void)m;
	a->flags = (a->flags & ~clear) | set;
	return 0;
}

static int advise_area(struct vm_map *m, struct vm_area *a, int advice, struct vm_object **drop)
{
	switch (advice) {
	case MADV_NORMAL:
		return set_flags(m, a, 0, AREA_RANDOM | AREA_SEQUENTIAL);
	case MADV_RANDOM:
		return set_flags(m, a, AREA_RANDOM, AREA_SEQUENTIAL);
	case MADV_SEQUENTIAL:
		return set_flags(m, a, AREA_SEQUENTIAL, AREA_RANDOM);
	case MADV_DONTFORK:
		return set_flags(m, a, AREA_DONTFORK, 0);
	case MADV_DOFORK:
		return set_flags(m, a, 0, AREA_DONTFORK);
	case MADV_DONTDUMP:
		return set_flags(m, a, AREA_DONTDUMP, 0);
	case MADV_DODUMP:
		return set_flags(m, a, 0, AREA_DONTDUMP);
	case MADV_WIPEONFORK:
		if (a->file || (a->flags & AREA_SHARED))
			return -EINVAL;
		return set_flags(m, a, AREA_WIPEONFORK, 0);
	case MADV_KEEPONFORK:
		return set_flags(m, a, 0, AREA_WIPEONFORK);
	case MADV_FREE:
		if (a->file || (a->flags & (AREA_SHARED | AREA_LOCKED)))
			return -EINVAL;
		free_lazily(a);
		return 0;
	case MADV_DONTNEED:
		if (a->flags & AREA_LOCKED)
			return -EINVAL;
		/* fall through */
	case MADV_DONTNEED_LOCKED:
		return forget_area(m, a, drop);
	default:
		return 0;
	}
}

/*
 * The areas of [*at, end), up to the first that gives up its object, which is dropped: *at is what comes then.  None is merged before all were
 * advised: it could take in one that is still to come, or what lies outside.  Write-locked, clipped.
 */
static int advise_some(struct vm_map *m, u64 *at, u64 end, int advice, bool *hole,
		       struct vm_object **drop)
{
	u64 start = *at;
	int err = 0;

	while (*at < end && !err && !*drop) {
		struct vm_area *a = area_find(m, *at);

		if (!a || a->start > *at)
			*hole = true;
		if (!a || a->start >= end) {
			*at = end;
			break;
		}
		*at = a->end;
		err = advise_area(m, a, advice, drop);
	}
	area_merge_range(m, start, *at);
	return err;
}

/* Advice that changes areas: splits at the edges, then each area in turn. The map is unlocked in between only to drop objects. */
static int advise_areas(struct vm_map *m, u64 start, u64 end, int advice)
{
	bool hole = false;
	int err = 0;

	while (start < end && !err) {
		struct vm_object *drop = NULL;
		struct leaving l;

		leaving_init(&l);
		err = leaving_reserve(&l, 2);
		if (!err) {
			rw_lock_write(&m->lock);
			clip_range(m, start, end, &l);
			err = advise_some(m, &start, end, advice, &hole, &drop);
			rw_unlock_write(&m->lock);
		}
		if (drop)
			vm_object_drop(drop);
		leaving_release(&l);
	}
	return err ? err : hole ? -ENOMEM : 0;
}

/* Starts reading what a file mapping will want. */
static int will_need(struct vm_map *m, u64 start, u64 end)
{
	bool hole = false;

	while (start < end) {
		struct vm_object *o = NULL;
		struct vm_area *a;
		u64 first = 0, n = 0;

		rw_lock_read(&m->lock);
		a = area_find(m, start);
		if (!a || a->start >= end) {
			rw_unlock_read(&m->lock);
			return -ENOMEM;
		}
		if (a->start > start) {
			hole = true;
			start = a->start;
		}
		n = (MIN(a->end, end) - start) >> PAGE_SHIFT;
		if (a->object && a->object->kind == OBJ_VNODE) {
			o = a->object;
			first = area_index(a, start);
			vm_object_hold(o);
		}
		start = MIN(a->end, end);
		rw_unlock_read(&m->lock);
		if (o) {
			vm_object_readahead(o, first, n);
			vm_object_drop(o);
		}
	}
	return hole ? -ENOMEM : 0;
}

/* COLD or PAGEOUT: one area's part of the range. Others' files stay as they are. Unlocks the map. */
static NO_TS int cool_part(struct vm_map *m, struct vm_area *a, u64 start, u64 end, int advice)
	RELEASES_SHARED(m->lock)
{
	struct vm_object *o = (a->flags & AREA_LOCKED) ? NULL : area_lock_object(a);
	int err = a->flags & AREA_LOCKED ? -EINVAL : 0;
	u64 first = 0, last = 0;

	if (o) {
		bool device = o->kind == OBJ_DEVICE,
		     foreign = o->kind == OBJ_VNODE &&
			       !((a->flags & AREA_SHARED) && (a->max_prot & PROT_WRITE));

		first = area_index(a, start);
		last = area_index(a, end - PAGE_SIZE);
		if (device || (advice == MADV_PAGEOUT && foreign)) {
			err = device ? -EINVAL : 0;
			spin_unlock(o->lock);
			o = NULL;
		} else {
			vm_object_hold(o);
			spin_unlock(o->lock);
		}
	}
	rw_unlock_read(&m->lock);
	if (!o)
		return err;
	if (advice == MADV_COLD)
		vm_object_cool(o, first, last);
	else
		vm_object_push_out(o, first, last);
	vm_object_drop(o);
	return 0;
}

/* MADV_REMOVE: one area's part of the range becomes a hole of the file or shared memory. Unlocks the map. */
static int remove_part(struct vm_map *m, struct vm_area *a, u64 start, u64 end)
	RELEASES_SHARED(m->lock)
{
	struct vm_object *o = a->object;
	struct file *f = a->file;
	u64 first = area_index(a, start), n = (end - start) >> PAGE_SHIFT;
	int err = 0;

	if ((a->flags & AREA_LOCKED) || (!f && !(a->flags & AREA_SHARED)))
		err = -EINVAL;
	else if (!(a->flags & AREA_SHARED) || !(a->prot & PROT_WRITE))
		err = -EACCES;
	if (err) {
		rw_unlock_read(&m->lock);
		return err;
	}
	vm_object_hold(o);
	if (f)
		vm_area_file_hold(f);
	rw_unlock_read(&m->lock);
	if (!f)
		vm_object_remove(o, first, first + n - 1);
	else
		err = vm_file_hooks()->punch
			      ? vm_file_hooks()->punch(f, first << PAGE_SHIFT, n << PAGE_SHIFT)
			      : -EOPNOTSUPP;
	if (f)
		vm_area_file_drop(f);
	vm_object_drop(o);
	return err;
}

static int part_range(struct vm_map *m, u64 start, u64 end, int advice)
{
	bool hole = false;
	int err = 0;

	while (start < end && !err) {
		struct vm_area *a;
		u64 stop;

		rw_lock_read(&m->lock);
		a = area_find(m, start);
		if (!a || a->start >= end) {
			rw_unlock_read(&m->lock);
			return -ENOMEM;
		}
		if (a->start > start) {
			hole = true;
			start = a->start;
		}
		stop = MIN(a->end, end);
		err = advice == MADV_REMOVE ? remove_part(m, a, start, stop)
					    : cool_part(m, a, start, stop, advice);
		start = stop;
	}
	return err ? err : hole ? -ENOMEM : 0;
}

static int populate_write(struct vm_map *m, u64 start, u64 end, unsigned access)
{
	for (; start < end; start += PAGE_SIZE) {
		int sig, code, err;

		if (pte_allows(pmap_lookup(&m->pmap, start), access))
			continue;
		err = vm_fault(m, start, access, &sig, &code);
		if (err == -EFAULT)
			return code == 1 && sig == 11 ? -ENOMEM : sig == 11 ? -EINVAL : -EFAULT;
		if (err)
			return err;
	}
	return 0;
}

int vm_madvise(struct vm_map *m, u64 addr, u64 len, int advice)
{
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE);

	switch (advice) {
	case MADV_NORMAL ... MADV_DONTNEED:
	case MADV_FREE ... MADV_DOFORK:
	case MADV_DONTDUMP ... MADV_DONTNEED_LOCKED:
		break;
	default:
		return -EINVAL;
	}
	if (!IS_ALIGNED(addr, PAGE_SIZE) || end < addr || (len && ALIGN_UP(len, PAGE_SIZE) == 0))
		return -EINVAL;
	if (addr == end)
		return 0;
	if (!user_range_ok(addr, end - addr))
		return -ENOMEM;
	if (advice == MADV_WILLNEED)
		return will_need(m, addr, end);
	if (advice == MADV_REMOVE || advice == MADV_COLD || advice == MADV_PAGEOUT)
		return part_range(m, addr, end, advice);
	if (advice == MADV_POPULATE_READ)
		return populate_write(m, addr, end, VM_ACCESS_READ);
	if (advice == MADV_POPULATE_WRITE)
		return populate_write(m, addr, end, VM_ACCESS_WRITE);
	return advise_areas(m, addr, end, advice);
}

/* ---- mincore ---- */

static NO_TS bool in_core(struct vm_area *a, u64 addr)
{
	struct vm_object *o = area_lock_object(a), *low;
	u64 index = area_index(a, addr);
	struct frame *f = NULL;
	bool away;

	if (!o)
		return pmap_lookup(&a->map->pmap, addr) & PTE_V;
	for (low = o;; low = low->backing) {
		bool other = low->lock != o->lock;

		if (other)
			spin_lock(low->lock);
		f = low->kind == OBJ_DEVICE ? NULL : page_lookup(low, index);
		away = !f && object_is_anon(low) && page_word(low, index);
		if (f && !page_has(f, FR_VALID))
			f = NULL;
		if (other)
			spin_unlock(low->lock);
		if (f || away || !low->backing || low->kind == OBJ_DEVICE)
			break;
		index += low->backing_index;
	}
	spin_unlock(o->lock);
	return f || (pmap_lookup(&a->map->pmap, addr) & PTE_V);
}

int vm_mincore(struct vm_map *m, u64 addr, u64 len, u8 *vec)
{
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE);
	int err = 0;

	rw_lock_read(&m->lock);
	for (; addr < end; addr += PAGE_SIZE) {
		struct vm_area *a = covering(m, addr);

		if (!a) {
			err = -ENOMEM;
			break;
		}
		*vec++ = in_core(a, addr);
	}
	rw_unlock_read(&m->lock);
	return err;
}
