// SPDX-License-Identifier: BSD-2-Clause
/*
 * Mapping calls: mmap, munmap, mprotect, brk, and the growth of stacks.
 *
 * Each call checks its arguments and the areas, reserves what it will need (areas for splits), and then commits without failing.  What leaves the map is
 * collected in a struct leaving: PTEs are removed and flushed under the map's lock, objects and files are let go after it is dropped, since that may
 * sleep and take locks that come before the map's.
 */
#include "kernel/vm/vm_internal.h"

static const struct vm_file_hooks *file_hooks;

void vm_set_file_hooks(const struct vm_file_hooks *h)
{
	file_hooks = h;
}

void vm_area_file_hold(struct file *f)
{
	file_hooks->hold(f);
}

void vm_area_file_drop(struct file *f)
{
	file_hooks->drop(f);
}

const struct vm_file_hooks *vm_file_hooks(void)
{
	return file_hooks;
}

/* ---- what leaves ---- */

void leaving_init(struct leaving *l)
{
	list_init(&l->areas);
	l->spare[0] = l->spare[1] = NULL;
}

int leaving_reserve(struct leaving *l, unsigned splits)
{
	for (unsigned i = 0; i < splits; i++) {
		l->spare[i] = area_alloc();
		if (!l->spare[i])
			return -ENOMEM;
	}
	return 0;
}

static struct vm_area *spare_area(struct leaving *l)
{
	struct vm_area *a = l->spare[0] ? l->spare[0] : l->spare[1];

	ASSERT(a);
	if (l->spare[0])
		l->spare[0] = NULL;
	else
		l->spare[1] = NULL;
	return a;
}

/* Areas are chained through the links of their tree node, which nothing else uses any more. */
void leaving_release(struct leaving *l)
{
	struct list *n;

	while ((n = list_pop(&l->areas))) {
		struct vm_area *a = list_entry(n, struct vm_area, leave_link);

		if (a->object) {
			struct vm_object *o = a->object;

			if (object_is_anon(o) && READ_ONCE(o->refs) > 1)
				object_trim(o, a->index, area_last(a));
			vm_object_drop(o);
		}
		if (a->file)
			file_hooks->drop(a->file);
		area_free(a);
	}
	area_free(l->spare[0]);
	area_free(l->spare[1]);
}

/* Splits so that no area crosses addr. Uses a spare when it must. */
static void clip(struct vm_map *m, u64 addr, struct leaving *l)
{
	struct vm_area *a = area_find(m, addr);

	if (a && a->start < addr)
		area_split(m, a, addr, spare_area(l));
}

void clip_range(struct vm_map *m, u64 start, u64 end, struct leaving *l)
{
	clip(m, start, l);
	clip(m, end, l);
}

/* Takes everything in [start, end) out of the map. Write-locked; spares reserved. Cannot fail. */
void unmap_locked(struct vm_map *m, u64 start, u64 end, struct leaving *l)
{
	struct vm_area *a, *next, *prev;
	struct tlb_batch b;
	u64 floor, ceil;

	a = area_find(m, start);
	if (!a || a->start >= end)
		return;
	clip_range(m, start, end, l);
	a = area_find(m, start);
	prev = area_prev(a);
	floor = prev ? prev->end : 0;
	for (next = a; next && next->start < end; next = area_next(next))
		;
	ceil = next ? next->start : USER_END + PAGE_SIZE;
	tlb_begin(&b, &m->pmap);
	pmap_remove(&m->pmap, MAX(start, a->start), end, floor, ceil, &b);
	tlb_finish(&b);
	for (; a && a->start < end; a = next) {
		struct vm_object *o = area_detach(a);

		next = area_next(a);
		area_erase(m, a);
		a->object = o; /* its reference */
		list_add_tail(&l->areas, &a->leave_link);
	}
}

/* ---- checks ---- */

static bool range_ok(u64 addr, u64 len)
{
	return IS_ALIGNED(addr, PAGE_SIZE) && len && user_range_ok(addr, len);
}

static bool within_as(const struct vm_map *m, u64 pages)
{
	return READ_ONCE(m->limit_as) >> PAGE_SHIFT >= m->size + pages;
}

/* Pages of [start, end) that are mapped now. */
static u64 pages_mapped(struct vm_map *m, u64 start, u64 end)
{
	u64 n = 0;

	for (struct vm_area *a = area_find(m, start); a && a->start < end; a = area_next(a))
		n += (MIN(a->end, end) - MAX(a->start, start)) >> PAGE_SHIFT;
	return n;
}

/* Linux's heuristic overcommit (mm/util.c, OVERCOMMIT_GUESS): refuses only what could never be there. */
static bool obvious_overcommit(const struct vm_mmap_args *a)
{
	u64 swap_pages, swap_free;

	if (a->object || (a->flags & MAP_NORESERVE) || !(a->prot & PROT_WRITE) ||
	    a->len >> PAGE_SHIFT <= frames_total())
		return false;
	swap_totals(&swap_pages, &swap_free);
	return a->len >> PAGE_SHIFT > frames_total() + swap_pages;
}

/* ---- mmap ---- */

static u64 high_limit(struct vm_map *m)
{
	return m->mmap_base;
}

/* Where the mapping goes: an address, or -errno. */
static s64 place(struct vm_map *m, const struct vm_mmap_args *a, u64 len)
{
	u64 addr = a->addr, found;

	if (a->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		struct vm_area *hit;

		if (!IS_ALIGNED(addr, PAGE_SIZE))
			return -EINVAL;
		if (!user_range_ok(addr, len))
			return -ENOMEM;
		if (addr < USER_START)
			return -EPERM;
		hit = area_find(m, addr);
		if ((a->flags & MAP_FIXED_NOREPLACE) && hit && hit->start < addr + len)
			return -EEXIST;
		return addr;
	}
	if (addr) {
		struct vm_area *hit;

		addr = MAX(ALIGN_DOWN(addr, PAGE_SIZE), USER_START);
		if (user_range_ok(addr, len)) {
			hit = area_find(m, addr);
			if (!hit || hit->start >= addr + len)
				return addr;
		}
	}
	found = area_find_gap(m, len, USER_START, high_limit(m));
	if (!found)
		found = area_find_gap(m, len, USER_START, USER_END);
	return found ? (s64)found : -ENOMEM;
}

s64 vm_find_room(struct vm_map *m, u64 hint, u64 len)
{
	struct vm_mmap_args a = {.addr = hint};
	s64 at;

	if (len > USER_END)
		return -ENOMEM;
	rw_lock_read(&m->lock);
	at = place(m, &a, ALIGN_UP(len, PAGE_SIZE));
	rw_unlock_read(&m->lock);
	return at;
}

static u32 area_flags_of(u32 flags)
{
	u32 f = 0;

	if ((flags & MAP_TYPE) != MAP_PRIVATE)
		f |= AREA_SHARED;
	if (flags & MAP_GROWSDOWN)
		f |= AREA_GROWSDOWN;
	if (flags & MAP_LOCKED)
		f |= AREA_LOCKED;
	if (flags & MAP_NORESERVE)
		f |= AREA_NORESERVE;
	return f;
}

/* Anonymous memory right behind an area just like it: that one grows. */
static NO_TS struct vm_area *extend_previous(struct vm_map *m, u64 start, u64 len, u32 prot,
					     u32 flags, const char *label)
{
	struct vm_area *prev, *at = area_find(m, start);
	struct vm_object *o;

	prev = at ? area_prev(at) : NULL;
	if (!at) {
		struct rb_node *last = rb_last(&m->areas);

		prev = last ? container_of(last, struct vm_area, node) : NULL;
	}
	if (!prev || prev->end != start || prev->file || prev->prot != prot ||
	    prev->flags != flags || prev->label != label ||
	    (flags & (AREA_SHARED | AREA_GROWSDOWN)) ||
	    prev->max_prot != (PROT_READ | PROT_WRITE | PROT_EXEC))
		return NULL;
	o = area_lock_object(prev);
	if (o) {
		u64 first = area_last(prev) + 1;

		if (o->kind != OBJ_ANON || o->sized || o->backing || prev->needs_copy ||
		    READ_ONCE(o->refs) != 1) {
			spin_unlock(o->lock);
			return NULL;
		}
		/* nobody else refers to it: what an earlier area left beyond the end belongs to nobody */
		object_purge_locked(o, first, first + (len >> PAGE_SHIFT) - 1);
		rmap_erase(o, prev);
		prev->end = start + len;
		o->size += len;
		rmap_insert(o, prev);
		spin_unlock(o->lock);
	} else {
		prev->end = start + len;
	}
	area_count(m, prev, len >> PAGE_SHIFT);
	area_resized(m, prev);
	vm_count(VMEV_areas_merged, 1);
	return prev;
}

#define STACK_INDEX \
	(1UL << 18) /* one past the highest page of a grows-down area: room to grow down by 1 GiB */

static void fill_area(struct vm_area *n, const struct vm_mmap_args *a, u64 start, u64 len)
{
	n->start = start;
	n->end = start + len;
	n->prot = a->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
	n->max_prot = a->object ? a->max_prot : (PROT_READ | PROT_WRITE | PROT_EXEC);
	n->flags = area_flags_of(a->flags);
	n->label = a->label;
	n->index = a->offset >> PAGE_SHIFT;
	if (n->flags & AREA_GROWSDOWN)
		n->index = STACK_INDEX - (len >> PAGE_SHIFT);
}

/* The object the new area starts with, referenced; NULL for private anonymous memory (made on first touch). */
static int object_for(const struct vm_mmap_args *a, u64 len, struct vm_object **out)
{
	*out = a->object;
	if (a->object)
		vm_object_hold(a->object);
	else if ((a->flags & MAP_TYPE) != MAP_PRIVATE) {
		*out = vm_object_create_anon(len);
		if (!*out)
			return -ENOMEM;
	}
	return 0;
}

static s64 mmap_locked(struct vm_map *m, const struct vm_mmap_args *a, u64 len,
		       struct vm_area **fresh, struct vm_object **o, struct leaving *l)
{
	struct vm_area *n = *fresh;
	s64 start = place(m, a, len);

	if (start < 0)
		return start;
	if (!within_as(m, (len >> PAGE_SHIFT) - pages_mapped(m, start, start + len)))
		return -ENOMEM;
	if ((a->prot & PROT_WRITE) && (a->flags & MAP_TYPE) == MAP_PRIVATE &&
	    (m->data << PAGE_SHIFT) + len > READ_ONCE(m->limit_data))
		return -ENOMEM;
	unmap_locked(m, start, start + len, l);
	fill_area(n, a, start, len);
	if (m->lock_future)
		n->flags |= AREA_LOCKED;
	if (!*o && extend_previous(m, start, len, n->prot, n->flags, n->label))
		return start;
	if (a->file) {
		n->file = a->file;
		n->origin = a->object;
		n->origin_index = a->offset >> PAGE_SHIFT;
		file_hooks->hold(a->file);
	}
	area_insert(m, n);
	*fresh = NULL;
	if (*o) {
		n->needs_copy = !(n->flags & AREA_SHARED) && (*o)->kind != OBJ_DEVICE;
		area_attach(n, *o, n->index);
		*o = NULL;
	}
	area_merge(m, n);
	return start;
}

static int check_mmap(const struct vm_mmap_args *a)
{
	if (!a->len || !IS_ALIGNED(a->offset, PAGE_SIZE))
		return -EINVAL;
	if (a->len > USER_END)
		return -ENOMEM;
	if (a->offset + a->len < a->offset || (s64)(a->offset + a->len) < 0)
		return -EOVERFLOW;
	if (a->object && (a->prot & ~a->max_prot & (PROT_READ | PROT_WRITE | PROT_EXEC)))
		return -EACCES;
	if (obvious_overcommit(a))
		return -ENOMEM;
	return 0;
}

s64 vm_mmap(struct vm_map *m, const struct vm_mmap_args *a)
{
	u64 len = ALIGN_UP(a->len, PAGE_SIZE);
	struct vm_object *o = NULL;
	struct vm_area *fresh = NULL;
	struct leaving l;
	s64 ret = check_mmap(a);

	if (ret)
		return ret;
	leaving_init(&l);
	ret = a->flags & MAP_FIXED ? leaving_reserve(&l, 2) : 0;
	if (!ret)
		ret = object_for(a, len, &o);
	fresh = area_alloc();
	if (!ret && !fresh)
		ret = -ENOMEM;
	if (!ret) {
		rw_lock_write(&m->lock);
		ret = mmap_locked(m, a, len, &fresh, &o, &l);
		rw_unlock_write(&m->lock);
	}
	leaving_release(&l);
	area_free(fresh);
	if (o)
		vm_object_drop(o);
	if (ret >= 0 && (a->flags & (MAP_POPULATE | MAP_LOCKED)) && !(a->flags & MAP_NONBLOCK))
		(void)fault_populate(m, ret, ret + len);
	return ret;
}

/* ---- munmap ---- */

int vm_munmap(struct vm_map *m, u64 addr, u64 len)
{
	struct leaving l;
	int err;

	if (!IS_ALIGNED(addr, PAGE_SIZE) || !len || len > USER_END ||
	    !user_range_ok(addr, ALIGN_UP(len, PAGE_SIZE)))
		return -EINVAL;
	leaving_init(&l);
	err = leaving_reserve(&l, 2);
	if (!err) {
		rw_lock_write(&m->lock);
		unmap_locked(m, addr, addr + ALIGN_UP(len, PAGE_SIZE), &l);
		rw_unlock_write(&m->lock);
	}
	leaving_release(&l);
	return err;
}

/* ---- mprotect ---- */

/* 0 if [start, end) is covered without holes and every area may have prot. */
static int check_protect(struct vm_map *m, u64 start, u64 end, u32 prot)
{
	struct vm_area *a = area_find(m, start);

	for (u64 at = start; at < end; at = a->end, a = area_next(a)) {
		if (!a || a->start > at)
			return -ENOMEM;
		if (prot & ~a->max_prot)
			return -EACCES;
		if (a->end >= end)
			break;
	}
	return 0;
}

static void protect_area(struct vm_map *m, struct vm_area *a, u32 prot)
{
	u32 lost = a->prot & ~prot;
	struct tlb_batch b;

	area_count(m, a, -(s64)area_pages(a));
	a->prot = prot;
	area_count(m, a, area_pages(a));
	/* readable PTEs of a writable area: W implies R in hardware, so R is lost only when both are */
	if (!lost && !(prot == PROT_EXEC))
		return;
	tlb_begin(&b, &m->pmap);
	pmap_protect(&m->pmap, a->start, a->end, prot, &b);
	tlb_finish(&b);
}

static void protect_locked(struct vm_map *m, u64 start, u64 end, u32 prot, struct leaving *l)
{
	struct vm_area *a, *last = NULL;

	a = area_find(m, start);
	if (a->start <= start && a->end >= end && a->prot == prot)
		return;
	clip_range(m, start, end, l);
	for (a = area_find(m, start); a && a->start < end; a = area_next(a)) {
		if (a->prot != prot)
			protect_area(m, a, prot);
		a = area_merge(m, a);
		last = a;
		if (a->end >= end)
			break;
	}
	ASSERT(last);
}

int vm_mprotect(struct vm_map *m, u64 addr, u64 len, u32 prot)
{
	struct leaving l;
	int err;

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (!len)
		return 0;
	if (!range_ok(addr, len))
		return -ENOMEM;
	leaving_init(&l);
	err = leaving_reserve(&l, 2);
	if (!err) {
		rw_lock_write(&m->lock);
		err = check_protect(m, addr, addr + len, prot);
		if (!err)
			protect_locked(m, addr, addr + len, prot, &l);
		rw_unlock_write(&m->lock);
	}
	leaving_release(&l);
	return err;
}

/* ---- brk and stacks ---- */

void vm_set_brk(struct vm_map *m, u64 start)
{
	rw_lock_write(&m->lock);
	m->brk_start = m->brk = ALIGN_UP(start, PAGE_SIZE);
	rw_unlock_write(&m->lock);
}

u64 vm_brk(struct vm_map *m, u64 brk)
{
	u64 old, from, to;
	int err;

	rw_lock_read(&m->lock);
	old = m->brk;
	from = ALIGN_UP(old, PAGE_SIZE);
	rw_unlock_read(&m->lock);
	to = ALIGN_UP(brk, PAGE_SIZE);
	if (brk < m->brk_start || brk > USER_END || brk - m->brk_start > READ_ONCE(m->limit_data))
		return old;
	if (to > from) {
		struct vm_mmap_args a = {
			.addr = from,
			.len = to - from,
			.prot = PROT_READ | PROT_WRITE,
			.label = "[heap]",
			.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		};

		err = vm_mmap(m, &a) < 0;
	} else {
		err = to < from ? vm_munmap(m, to, from - to) : 0;
	}
	if (err)
		return old;
	rw_lock_write(&m->lock);
	m->brk = brk;
	rw_unlock_write(&m->lock);
	return brk;
}

s64 vm_map_stack(struct vm_map *m, u64 top, u64 size, u32 prot)
{
	struct vm_mmap_args a = {
		.addr = top - size,
		.len = size,
		.prot = prot,
		.label = "[stack]",
		.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE,
	};

	return vm_mmap(m, &a);
}

/* Where the stack that a is the lowest part of ends: after a fork it may consist of several areas. */
static u64 stack_top(struct vm_area *a)
{
	for (struct vm_area *up = area_next(a);
	     up && up->start == a->end && (up->flags & AREA_GROWSDOWN); up = area_next(a))
		a = up;
	return a->end;
}

/* The area may grow down to addr: limits, and the distance to what lies below. Write-locked. */
static bool may_grow(struct vm_map *m, struct vm_area *a, u64 addr)
{
	struct vm_area *prev = area_prev(a);
	u64 pages = (a->start - addr) >> PAGE_SHIFT;

	if (stack_top(a) - addr > READ_ONCE(m->limit_stack) || !within_as(m, pages))
		return false;
	if (prev && !(prev->flags & AREA_GROWSDOWN) &&
	    (prev->prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) &&
	    (addr < STACK_GAP || prev->end > addr - STACK_GAP))
		return false;
	return !prev || prev->end <= addr;
}

/* A second grows-down area right below a, which keeps its object. Write-locked. */
static int grow_below(struct vm_map *m, struct vm_area *a, u64 addr)
{
	struct vm_area *n = area_alloc();

	if (!n)
		return -ENOMEM;
	n->start = addr;
	n->end = a->start;
	n->prot = a->prot;
	n->max_prot = a->max_prot;
	n->flags = a->flags;
	n->label = a->label;
	n->index = STACK_INDEX - area_pages(n);
	area_insert(m, n);
	return 0;
}

NO_TS int vm_grow_stack(struct vm_map *m, u64 addr)
{
	struct vm_object *o;
	struct vm_area *a;
	int err = -ENOMEM;
	u64 pages;

	rw_lock_write(&m->lock);
	a = area_find(m, addr);
	if (!a || addr >= a->start || !(a->flags & AREA_GROWSDOWN)) {
		err = a && addr >= a->start ? 0 : -ENOMEM;
		goto out;
	}
	if (!may_grow(m, a, addr))
		goto out;
	pages = (a->start - addr) >> PAGE_SHIFT;
	o = area_lock_object(a);
	if (o && (o->backing || a->index < pages)) {
		/* a shadow begins at page 0: below it goes an area of its own kind */
		spin_unlock(o->lock);
		err = grow_below(m, a, addr);
		goto out;
	}
	if (o)
		rmap_erase(o, a);
	a->start = addr;
	a->index -= pages;
	if (o) {
		rmap_insert(o, a);
		spin_unlock(o->lock);
	}
	area_count(m, a, pages);
	area_resized(m, a);
	err = 0;
out:
	rw_unlock_write(&m->lock);
	return err;
}
