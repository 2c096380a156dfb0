// SPDX-License-Identifier: BSD-2-Clause
/*
 * mremap: shrink, grow in place, move.
 *
 * A move makes a new area over the same object and page numbers, takes the PTEs along, and lets the old area go; no page is copied.
 */
#include "kernel/vm/vm_internal.h"

#define MREMAP_MAYMOVE	 1
#define MREMAP_FIXED	 2
#define MREMAP_DONTUNMAP 4

/* Room for pages more behind the area a, which ends at end. Write-locked. */
static bool room_behind(struct vm_map *m, struct vm_area *a, u64 extra)
{
	struct vm_area *next = area_next(a);

	return user_range_ok(a->end, extra) && (!next || next->start >= a->end + extra) &&
	       (m->limit_as >> PAGE_SHIFT) >= m->size + (extra >> PAGE_SHIFT);
}

/* The object may take more pages at the end of a: pages that others left there must not appear. Locked. */
static bool object_extends(struct vm_area *a, struct vm_object *o, u64 extra) REQUIRES(o->lock)
{
	u64 first = area_last(a) + 1;

	if (!object_is_anon(o) || (a->flags & AREA_SHARED))
		return true;
	if (a->file || o->backing || o->sized || a->needs_copy || READ_ONCE(o->refs) != 1)
		return false;
	object_purge_locked(o, first, first + (extra >> PAGE_SHIFT) - 1);
	o->size += extra;
	return true;
}

/* Write-locked. The area grows by extra bytes. 0 or -ENOMEM */
static NO_TS int grow_in_place(struct vm_map *m, struct vm_area *a, u64 extra)
{
	struct vm_object *o;

	if (!room_behind(m, a, extra))
		return -ENOMEM;
	o = area_lock_object(a);
	if (o && !object_extends(a, o, extra)) {
		spin_unlock(o->lock);
		return -ENOMEM;
	}
	area_set_bounds(m, a, o, a->start, a->end + extra);
	if (o)
		spin_unlock(o->lock);
	area_merge(m, a);
	return 0;
}

struct move {
	u64 old, old_len, new_len, to;
	int flags;
};

static struct vm_area *clone_area(const struct vm_area *a, struct vm_area *n, u64 to, u64 len)
{
	n->start = to;
	n->end = to + len;
	n->prot = a->prot;
	n->max_prot = a->max_prot;
	n->flags = a->flags & ~AREA_GROWSDOWN;
	n->index = a->index;
	n->label = a->label;
	n->file = a->file;
	n->origin = a->origin;
	n->origin_index = a->origin_index;
	if (n->file)
		vm_area_file_hold(n->file);
	return n;
}

/* The tail of a grown private area: a fresh anonymous one when its object cannot be extended. */
static u64 part_that_moves(struct vm_area *a, const struct move *mv)
{
	return MIN(mv->old_len ? mv->old_len : mv->new_len, MIN(mv->new_len, a->end - a->start));
}

/*
 * Commit: a is exactly the old range, `to` is free, n and tail are fresh areas.  Returns the areas unused.
 */
static NO_TS void move_area(struct vm_map *m, struct vm_area *a, const struct move *mv,
			    struct vm_area **n, struct vm_area **tail, struct leaving *l)
{
	u64 len = part_that_moves(a, mv), rest = mv->new_len - len;
	bool file_or_shared = a->file || (a->flags & AREA_SHARED);
	struct vm_area *moved = clone_area(a, *n, mv->to, file_or_shared ? mv->new_len : len);
	struct vm_object *o;
	struct tlb_batch b;

	*n = NULL;
	area_insert(m, moved);
	o = area_lock_object(a);
	if (o) {
		vm_object_hold(o);
		moved->needs_copy = a->needs_copy;
		area_attach_locked(moved, o, a->index);
		spin_unlock(o->lock);
	}
	tlb_begin(&b, &m->pmap);
	if (mv->old_len)
		pmap_move(&m->pmap, mv->old, mv->to, len, &b);
	tlb_finish(&b);
	if (rest && !file_or_shared) {
		clone_area(a, *tail, mv->to + len, rest);
		(*tail)->index = 0;
		(*tail)->label = NULL;
		area_insert(m, *tail);
		*tail = NULL;
	}
	if (mv->old_len && !(mv->flags & MREMAP_DONTUNMAP))
		unmap_locked(m, mv->old, mv->old + mv->old_len, l);
}

static int check_args(u64 old, u64 old_len, u64 new_len, int flags, u64 to)
{
	if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) ||
	    !IS_ALIGNED(old, PAGE_SIZE) || !new_len)
		return -EINVAL;
	if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && old_len != new_len)
		return -EINVAL;
	if (!(flags & MREMAP_FIXED))
		return 0;
	if (!IS_ALIGNED(to, PAGE_SIZE) || !user_range_ok(to, new_len) || to < USER_START)
		return -EINVAL;
	return to < old + old_len && old < to + new_len ? -EINVAL : 0;
}

/* Write-locked: what can be done with the range as it is. */
static s64 remap_locked(struct vm_map *m, struct move *mv, struct vm_area **n,
			struct vm_area **tail, struct leaving *l, struct leaving *l2)
{
	struct vm_area *a = area_find(m, mv->old);
	u64 grow = mv->new_len - mv->old_len;

	if (!a || a->start > mv->old)
		return -EFAULT;
	if (!mv->old_len && !(a->flags & AREA_SHARED))
		return -EINVAL;
	if (mv->old + mv->old_len > a->end)
		return -EFAULT;
	if (!(mv->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
		if (mv->new_len <= mv->old_len) {
			unmap_locked(m, mv->old + mv->new_len, mv->old + mv->old_len, l);
			return mv->old;
		}
		if (mv->old_len && mv->old + mv->old_len == a->end &&
		    grow_in_place(m, a, grow) == 0)
			return mv->old;
		if (!(mv->flags & MREMAP_MAYMOVE))
			return -ENOMEM;
	}
	if ((m->limit_as >> PAGE_SHIFT) < m->size + (mv->new_len >> PAGE_SHIFT))
		return -ENOMEM;
	if (mv->flags & MREMAP_FIXED) {
		unmap_locked(m, mv->to, mv->to + mv->new_len, l2);
	} else {
		struct vm_area *next;

		mv->to = area_find_gap(m, mv->new_len, USER_START, m->mmap_base, &next);
		if (!mv->to)
			return -ENOMEM;
	}
	if (mv->old_len)
		clip_range(m, mv->old, mv->old + mv->old_len, l);
	a = area_find(m, mv->old);
	move_area(m, a, mv, n, tail, l);
	return mv->to;
}

s64 vm_mremap(struct vm_map *m, u64 old, u64 old_len, u64 new_len, int flags, u64 to)
{
	struct move mv = {old, ALIGN_UP(old_len, PAGE_SIZE), ALIGN_UP(new_len, PAGE_SIZE), to,
			  flags};
	struct vm_area *n = NULL, *tail = NULL;
	struct leaving l, l2;
	s64 ret = check_args(old, mv.old_len, mv.new_len, flags, to);

	if (ret)
		return ret;
	if (mv.new_len > USER_END || mv.old_len > USER_END)
		return -EINVAL;
	leaving_init(&l);
	leaving_init(&l2);
	ret = leaving_reserve(&l, 2);
	if (!ret)
		ret = leaving_reserve(&l2, 2);
	n = area_alloc();
	tail = area_alloc();
	if (!n || !tail)
		ret = -ENOMEM;
	if (!ret) {
		rw_lock_write(&m->lock);
		ret = remap_locked(m, &mv, &n, &tail, &l, &l2);
		rw_unlock_write(&m->lock);
	}
	leaving_release(&l);
	leaving_release(&l2);
	area_free(n);
	area_free(tail);
	return ret;
}
