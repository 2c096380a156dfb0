// SPDX-License-Identifier: BSD-2-Clause
/*
 * mremap (shrink, grow in place, move) and remap_file_pages, which is a mapping over a part of one that exists.
 *
 * A move makes new areas over the same objects and page numbers, takes the PTEs along, and lets the old areas go; no page is copied.
 * A range may consist of several areas that only differ in their objects (after a fork, or after growth): to a program they are one
 * mapping.  What a mapping gains is an area of its own, joined with its neighbour when their objects match.
 *
 * Everything is allocated before the map is locked, and every check made before anything is changed.
 */
#include "kernel/vm/vm_internal.h"

#define MREMAP_MAYMOVE	 1
#define MREMAP_FIXED	 2
#define MREMAP_DONTUNMAP 4

/*
 * Field markings and the corresponding locks:
 * (s) the calling thread
 */
struct move {
	u64 old, old_len, new_len, to; /* (s) bytes, page aligned */
	int flags;		       /* (s) MREMAP_* */
	struct list fresh;	       /* (s) areas for the new place, by leave_link */
	u32 nfresh;		       /* (s) */
	struct leaving old_place;      /* (s) split at its edges, what is unmapped there */
	struct leaving cut;	       /* (s) the same for the end that a move leaves out */
	struct leaving new_place;      /* (s) what was at the target */
	struct list forgotten; /* (s) areas without map: references to old objects (DONTUNMAP) */
};

static struct vm_area *take_fresh(struct move *mv)
{
	struct list *l = list_pop(&mv->fresh);

	ASSERT(l);
	mv->nfresh--;
	return list_entry(l, struct vm_area, leave_link);
}

/* ---- what the range is ---- */

static struct vm_area *covering(struct vm_map *m, u64 addr)
{
	struct vm_area *a = area_find(m, addr);

	return a && a->start <= addr ? a : NULL;
}

/* Where the mapping that a is a part of ends: the areas behind that continue it count as it. At least as far as `enough`. */
static u64 mapping_end(struct vm_area *a, u64 enough)
{
	for (;;) {
		struct vm_area *next = area_next(a);

		if (a->end >= enough || !next || !areas_alike(a, next))
			return a->end;
		a = next;
	}
}

/* Areas of [start, end), one more for what is gained, and as many again for DONTUNMAP. */
static u32 areas_needed(struct vm_map *m, const struct move *mv)
{
	u64 end = mv->old + MIN(mv->old_len, mv->new_len);
	u32 n = 2;

	if (end < mv->old || end > USER_END)
		return n;
	for (struct vm_area *a = area_find(m, mv->old); a && a->start < end; a = area_next(a))
		n++;
	return mv->flags & MREMAP_DONTUNMAP ? 2 * n : n;
}

/* ---- growing ---- */

/* The object of private anonymous memory that nobody else has may take more pages at the end of a: what others left there must not appear. Locked. */
static bool object_extends(struct vm_area *a, struct vm_object *o, u64 extra) REQUIRES(o->lock)
{
	u64 first = area_last(a) + 1;

	if (!object_is_anon(o) || a->file || o->backing || o->sized || a->needs_copy ||
	    READ_ONCE(o->refs) != 1)
		return false;
	object_purge_locked(o, first, first + (extra >> PAGE_SHIFT) - 1);
	o->size += extra;
	return true;
}

/* Private anonymous memory grows as it is. False: it cannot. */
static NO_TS bool extend(struct vm_map *m, struct vm_area *a, u64 extra)
{
	struct vm_object *o;

	if (a->file || (a->flags & AREA_SHARED))
		return false;
	o = area_lock_object(a);
	if (o && !object_extends(a, o, extra)) {
		spin_unlock(o->lock);
		return false;
	}
	area_set_bounds(m, a, o, a->start, a->end + extra);
	a->flags &= ~AREA_TRACKED;
	if (o)
		spin_unlock(o->lock);
	area_merge(m, a);
	return true;
}

static struct vm_area *clone_area(const struct vm_area *a, struct vm_area *n, u64 to, u64 len)
{
	n->start = to;
	n->end = to + len;
	n->prot = a->prot;
	n->max_prot = a->max_prot;
	n->flags = a->flags & ~(AREA_GROWSDOWN | AREA_TRACKED);
	n->index = a->index;
	n->label = a->label;
	n->file = a->file;
	n->origin = a->origin;
	n->origin_index = a->origin_index;
	if (n->file)
		vm_area_file_hold(n->file);
	return n;
}

/* A new area [to, to + len) that shows what follows the end of `like`: more of the file or shared object, else fresh memory. */
static void add_behind(struct vm_map *m, struct vm_area *like, u64 to, u64 len, struct move *mv)
{
	struct vm_area *n = clone_area(like, take_fresh(mv), to, len);
	struct vm_object *o = NULL;
	u64 index = 0;

	if (like->flags & AREA_SHARED) {
		o = like->object;
		index = area_last(like) + 1;
	} else if (like->file) {
		o = like->origin;
		index = like->origin_index + area_pages(like);
	}
	n->origin_index += area_pages(like);
	n->index = index;
	area_insert(m, n);
	if (o) {
		vm_object_hold(o);
		n->needs_copy = !(n->flags & AREA_SHARED) && o->kind != OBJ_DEVICE;
		area_attach(n, o, index);
	}
	area_merge(m, n);
}

/* Room for more behind the mapping that ends at end. */
static bool room_behind(struct vm_map *m, u64 end, u64 extra)
{
	struct vm_area *next = area_find(m, end);

	return user_range_ok(end, extra) && (!next || next->start >= end + extra);
}

static bool grow_in_place(struct vm_map *m, struct move *mv)
{
	u64 end = mv->old + mv->old_len, extra = mv->new_len - mv->old_len;
	struct vm_area *last = covering(m, end - PAGE_SIZE);

	if (last->end != end || !room_behind(m, end, extra))
		return false;
	if (!extend(m, last, extra))
		add_behind(m, last, end, extra, mv);
	return true;
}

/* ---- moving ---- */

/* What a shows from `from` on, in a new area [to, to + len). */
static NO_TS struct vm_area *copy_area(struct vm_map *m, struct vm_area *a, u64 from, u64 to,
				       u64 len, struct move *mv)
{
	struct vm_area *n = clone_area(a, take_fresh(mv), to, len);
	u64 skip = (from - a->start) >> PAGE_SHIFT;
	struct vm_object *o;

	n->index += skip;
	n->origin_index += skip;
	area_insert(m, n);
	o = area_lock_object(a);
	if (o) {
		vm_object_hold(o);
		n->needs_copy = a->needs_copy;
		area_attach_locked(n, o, a->index + skip);
		spin_unlock(o->lock);
	}
	return n;
}

/* DONTUNMAP: the old area shows again what it showed when it was mapped. Its object's reference goes to a spare area. */
static void forget(struct vm_map *m, struct vm_area *a, struct move *mv)
{
	struct vm_area *keeper;

	if (a->flags & AREA_LOCKED)
		m->locked -= area_pages(a);
	a->flags &= ~(AREA_LOCKED | AREA_ONFAULT);
	if (a->flags & AREA_SHARED)
		return;
	keeper = take_fresh(mv);
	keeper->object = area_detach(a);
	list_add_tail(&mv->forgotten, &keeper->leave_link);
	if (a->file) {
		vm_object_hold(a->origin);
		a->needs_copy = a->origin->kind != OBJ_DEVICE;
		area_attach(a, a->origin, a->origin_index);
	} else {
		a->needs_copy = false;
		a->index = a->flags & AREA_GROWSDOWN ? STACK_INDEX - area_pages(a) : 0;
	}
}

/* Commit: [old, old + len) are whole areas alike, the target is free. */
static NO_TS void move_areas(struct vm_map *m, struct move *mv, u64 len)
{
	u64 end = mv->old + len;
	struct vm_area *a = covering(m, mv->old), *moved = NULL;
	struct tlb_batch b;

	tlb_begin(&b, &m->pmap);
	for (; a && a->start < end; a = area_next(a)) {
		u64 to = mv->to + (a->start - mv->old), size = a->end - a->start;

		moved = copy_area(m, a, a->start, to, size, mv);
		pmap_move(&m->pmap, a->start, to, size, &b);
		if (mv->flags & MREMAP_DONTUNMAP)
			forget(m, a, mv);
	}
	tlb_finish(&b);
	if (mv->new_len > len)
		add_behind(m, moved, moved->end, mv->new_len - len, mv);
	if (!(mv->flags & MREMAP_DONTUNMAP))
		unmap_locked(m, mv->old, mv->old + mv->old_len, &mv->old_place);
}

/* ---- the call ---- */

/* As Linux orders it: what can be said without the map. */
static int check_args(const struct move *mv)
{
	u64 to = mv->to;

	if ((mv->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) ||
	    ((mv->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(mv->flags & MREMAP_MAYMOVE)) ||
	    ((mv->flags & MREMAP_DONTUNMAP) && mv->old_len != mv->new_len) ||
	    !IS_ALIGNED(mv->old, PAGE_SIZE) || !mv->new_len)
		return -EINVAL;
	if (!(mv->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return 0;
	if (!IS_ALIGNED(to, PAGE_SIZE) || !user_range_ok(to, mv->new_len))
		return -EINVAL;
	return to < mv->old + mv->old_len && mv->old < to + mv->new_len ? -EINVAL : 0;
}

/* The mapping may become as large, and moved as a whole. 0 or -errno */
static int check_resize(struct vm_map *m, const struct move *mv)
{
	struct vm_area *a = covering(m, mv->old);
	u64 len = MIN(mv->old_len, mv->new_len), more, first;

	if (!a)
		return -EFAULT;
	if (!mv->old_len && !(a->flags & AREA_SHARED))
		return -EINVAL;
	if (mv->old + len < len || len > mapping_end(a, mv->old + len) - mv->old)
		return -EFAULT;
	first = (a->file ? a->origin_index : 0) + ((mv->old - a->start) >> PAGE_SHIFT);
	if (first + (mv->new_len >> PAGE_SHIFT) < first)
		return -EINVAL;
	if (mv->new_len > mv->old_len && a->object && a->object->kind == OBJ_DEVICE)
		return -EFAULT;
	more = (mv->flags & MREMAP_DONTUNMAP ? mv->new_len : mv->new_len - len) >> PAGE_SHIFT;
	if ((a->flags & AREA_LOCKED) && !vm_may_lock(m, more))
		return -EAGAIN;
	return vm_may_expand(m, a->flags, a->prot, more) ? 0 : -ENOMEM;
}

static int find_target(struct vm_map *m, struct move *mv)
{
	struct vm_area *next;
	u64 at;

	if (mv->flags & MREMAP_FIXED)
		return mv->to < vm_min_addr() ? -EPERM : 0;
	at = mv->to && mv->to >= USER_START && room_behind(m, mv->to, mv->new_len) ? mv->to : 0;
	if (!at && mv->new_len <= USER_END)
		at = area_find_gap(m, mv->new_len, USER_START, m->mmap_base, &next);
	mv->to = at;
	return at ? 0 : -ENOMEM;
}

/* Old size 0: what is to be shown once more would be gone when its new place is free. */
static bool hides_itself(const struct move *mv)
{
	return !mv->old_len && (mv->flags & MREMAP_FIXED) && mv->to <= mv->old &&
	       mv->old < mv->to + mv->new_len;
}

static s64 move_locked(struct vm_map *m, struct move *mv)
{
	u64 len = MIN(mv->old_len, mv->new_len);
	int err = check_resize(m, mv);

	if (!err && hides_itself(mv))
		err = -EFAULT;
	if (!err)
		err = find_target(m, mv);
	if (err)
		return err;
	if (mv->flags & MREMAP_FIXED)
		unmap_locked(m, mv->to, mv->to + mv->new_len, &mv->new_place);
	if (mv->old_len) {
		clip_range(m, mv->old, mv->old + len, &mv->old_place);
		if (mv->old_len > len)
			unmap_locked(m, mv->old + len, mv->old + mv->old_len, &mv->cut);
		mv->old_len = len;
		move_areas(m, mv, len);
	} else {
		copy_area(m, covering(m, mv->old), mv->old, mv->to, mv->new_len, mv);
	}
	area_merge_range(m, mv->to, mv->to + mv->new_len);
	return mv->to;
}

/* Write-locked: what can be done with the range as it is. */
static s64 remap_locked(struct vm_map *m, struct move *mv)
{
	struct vm_area *a = covering(m, mv->old);
	int err;

	if (!a)
		return -EFAULT;
	/* an end beyond the address space would also hide from check_args that the ranges overlap */
	if (mv->new_len < mv->old_len && !user_range_ok(mv->old, mv->old_len))
		return -EINVAL;
	if (mv->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return move_locked(m, mv);
	if (mv->new_len <= mv->old_len) {
		if (mv->new_len == mv->old_len)
			return mv->old;
		unmap_locked(m, mv->old + mv->new_len, mv->old + mv->old_len, &mv->old_place);
		return mv->old;
	}
	err = check_resize(m, mv);
	if (err)
		return err;
	if (mv->old_len && grow_in_place(m, mv))
		return mv->old;
	return mv->flags & MREMAP_MAYMOVE ? move_locked(m, mv) : -ENOMEM;
}

/* Memory for everything that may happen, as the map is now. Map unlocked. */
static int reserve(struct vm_map *m, struct move *mv)
{
	u32 want;

	rw_lock_read(&m->lock);
	want = areas_needed(m, mv);
	rw_unlock_read(&m->lock);
	while (mv->nfresh < want) {
		struct vm_area *n = area_alloc();

		if (!n)
			return -ENOMEM;
		list_add(&mv->fresh, &n->leave_link);
		mv->nfresh++;
	}
	return 0;
}

static void move_end(struct move *mv)
{
	struct list *l;

	leaving_release(&mv->old_place);
	leaving_release(&mv->cut);
	leaving_release(&mv->new_place);
	while ((l = list_pop(&mv->forgotten))) {
		struct vm_area *a = list_entry(l, struct vm_area, leave_link);

		if (a->object)
			vm_object_drop(a->object);
		area_free(a);
	}
	while ((l = list_pop(&mv->fresh)))
		area_free(list_entry(l, struct vm_area, leave_link));
}

static s64 do_move(struct vm_map *m, struct move *mv, bool *locked)
{
	s64 ret;

	if (leaving_reserve(&mv->old_place, 2) || leaving_reserve(&mv->cut, 2) ||
	    leaving_reserve(&mv->new_place, 2))
		return -ENOMEM;
	for (;;) {
		ret = reserve(m, mv);
		if (ret)
			return ret;
		rw_lock_write(&m->lock);
		if (areas_needed(m, mv) <= mv->nfresh)
			break;
		rw_unlock_write(&m->lock); /* another thread made more of them */
	}
	ret = remap_locked(m, mv);
	if (ret >= 0) {
		struct vm_area *a = covering(m, ret);

		*locked = (a->flags & (AREA_LOCKED | AREA_ONFAULT)) == AREA_LOCKED;
	}
	rw_unlock_write(&m->lock);
	return ret;
}

s64 vm_mremap(struct vm_map *m, u64 old, u64 old_len, u64 new_len, int flags, u64 to)
{
	struct move mv = {.old = old,
			  .old_len = ALIGN_UP(old_len, PAGE_SIZE),
			  .new_len = ALIGN_UP(new_len, PAGE_SIZE),
			  .to = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? to : 0,
			  .flags = flags};
	u64 had = mv.old_len;
	bool locked = false;
	s64 ret = check_args(&mv);

	if (ret)
		return ret;
	list_init(&mv.fresh);
	list_init(&mv.forgotten);
	leaving_init(&mv.old_place);
	leaving_init(&mv.cut);
	leaving_init(&mv.new_place);
	ret = do_move(m, &mv, &locked);
	move_end(&mv);
	if (ret >= 0 && locked && mv.new_len > had)
		(void)fault_populate(m, ret + had, ret + mv.new_len);
	return ret;
}

/* ---- remap_file_pages ---- */

/*
 * As Linux emulates it (mm/mmap.c): the pages from pgoff on are mapped over [start, start + size), which has to lie within one shared
 * mapping of the file.
 */
int vm_remap_file_pages(struct vm_map *m, u64 start, u64 size, u64 pgoff, u32 flags)
{
	struct vm_mmap_args a = {.addr = ALIGN_DOWN(start, PAGE_SIZE),
				 .len = ALIGN_DOWN(size, PAGE_SIZE),
				 .offset = pgoff << PAGE_SHIFT};
	struct vm_area *area;
	s64 ret = -EINVAL;

	if (a.addr + a.len <= a.addr || pgoff + (a.len >> PAGE_SHIFT) < pgoff)
		return -EINVAL;
	rw_lock_read(&m->lock);
	area = covering(m, a.addr);
	if (area && (area->flags & AREA_SHARED) && (area->max_prot & PROT_WRITE) && area->object &&
	    a.addr + a.len <= mapping_end(area, a.addr + a.len)) {
		a.object = area->object;
		a.file = area->file;
		a.prot = area->prot;
		a.max_prot = area->max_prot;
		a.label = area->label;
		a.flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE | (flags & MAP_NONBLOCK) |
			  (area->flags & AREA_LOCKED ? MAP_LOCKED : 0);
		vm_object_hold(a.object);
		if (a.file)
			vm_area_file_hold(a.file);
	}
	rw_unlock_read(&m->lock);
	if (!a.object)
		return -EINVAL;
	ret = READ_ONCE(a.object->closed) ? -EIDRM : vm_mmap(m, &a);
	vm_object_drop(a.object);
	if (a.file)
		vm_area_file_drop(a.file);
	return ret < 0 ? ret : 0;
}
