// SPDX-License-Identifier: BSD-2-Clause
/*
 * Mapping calls: mmap, munmap, mprotect, brk, and the growth of stacks.
 *
 * Each call takes the map's lock, checks the areas, allocates what it will need (areas for splits), and then commits without failing.
 * Most need nothing: memory that is like its neighbour extends that, and what goes from the end of an area moves a bound.  What leaves the map is
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

void leaving_release_slow(struct leaving *l)
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

bool unmap_splits(struct vm_map *m, u64 start, u64 end)
{
	struct vm_area *a = area_find(m, start);

	return a && a->start < start && a->end > end;
}

/* The area, whose PTEs outside [start, end) are gone, ends there. */
static NO_TS void cut_area(struct vm_map *m, struct vm_area *a, u64 start, u64 end)
{
	struct vm_object *o = area_lock_object(a);
	u64 first = area_index(a, start > a->start ? a->start : end);
	u64 pages = (a->end - a->start - (end - start)) >> PAGE_SHIFT;

	area_set_bounds(m, a, o, start, end);
	if (!o)
		return;
	object_unseen_locked(o, first, first + pages - 1);
	spin_unlock(o->lock);
}

/* The PTEs of [start, end), and tables that no other area needs. a is the first area there. The first area that ends above end is returned. */
static struct vm_area *remove_ptes(struct vm_map *m, struct vm_area *a, u64 start, u64 end)
{
	u64 floor = a->start < start ? start : a->start - a->gap, ceil = end;
	struct vm_area *last = a;
	struct tlb_batch b;

	while (last && last->end <= end)
		last = area_next(last);
	if (!last)
		ceil = USER_END + PAGE_SIZE;
	else if (last->start >= end)
		ceil = last->start;
	tlb_begin(&b, &m->pmap);
	pmap_remove(&m->pmap, MAX(start, a->start), end, floor, ceil, &b);
	tlb_finish(&b);
	return last;
}

struct vm_area *unmap_locked(struct vm_map *m, u64 start, u64 end, struct leaving *l)
{
	struct vm_area *a = area_find(m, start), *last, *next;

	if (!a || a->start >= end)
		return a;
	last = remove_ptes(m, a, start, end);
	if (a->start < start) {
		if (a == last)
			last = area_split(m, a, end, spare_area(l));
		next = area_next(a);
		cut_area(m, a, a->start, start);
		a = next;
	}
	for (; a != last; a = next) {
		struct vm_object *o = area_detach(a);

		next = area_next(a);
		area_erase(m, a);
		a->object = o; /* its reference */
		list_add_tail(&l->areas, &a->leave_link);
	}
	if (last && last->start < end)
		cut_area(m, last, end, last->end);
	return last;
}

/* ---- checks ---- */

static bool range_ok(u64 addr, u64 len)
{
	return IS_ALIGNED(addr, PAGE_SIZE) && len && user_range_ok(addr, len);
}

bool vm_may_expand(const struct vm_map *m, u32 area_flags, u32 prot, u64 pages)
{
	bool data = (prot & PROT_WRITE) && !(area_flags & (AREA_SHARED | AREA_GROWSDOWN));

	return READ_ONCE(m->limit_as) >> PAGE_SHIFT >= m->size + pages &&
	       (!data || (READ_ONCE(m->limit_data) >> PAGE_SHIFT >= m->data + pages &&
			  vm_may_commit(pages)));
}

u32 vm_overcommit_memory, vm_overcommit_ratio = 50;

u64 vm_commit_limit(void)
{
	u64 swap_pages, swap_free;

	swap_totals(&swap_pages, &swap_free);
	return frames_total() * READ_ONCE(vm_overcommit_ratio) / 100 + swap_pages;
}

bool vm_may_commit(u64 pages)
{
	return likely(READ_ONCE(vm_overcommit_memory) != 2) ||
	       vm_gauge_sum(VMG_committed) + pages <= vm_commit_limit();
}

static const struct vm_caller_hooks *caller; /* set once */
u64 vm_mmap_min_addr = 65536;

void vm_set_caller_hooks(const struct vm_caller_hooks *h)
{
	caller = h;
}

u64 vm_lock_limit(void)
{
	return caller ? caller->lock_limit() : ~0UL;
}

bool vm_may_lock_any(void)
{
	return vm_lock_limit() != 0;
}

bool vm_may_lock(const struct vm_map *m, u64 pages)
{
	return vm_lock_limit() >> PAGE_SHIFT >= m->locked + pages;
}

u64 vm_min_addr(void)
{
	u64 least = READ_ONCE(vm_mmap_min_addr);

	return !least || !caller || caller->low_addresses() ? 0 : least;
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

	if (READ_ONCE(vm_overcommit_memory) || a->object || (a->flags & MAP_NORESERVE) ||
	    !(a->prot & PROT_WRITE) || a->len >> PAGE_SHIFT <= frames_total())
		return false;
	swap_totals(&swap_pages, &swap_free);
	return a->len >> PAGE_SHIFT > frames_total() + swap_pages;
}

/* ---- mmap ---- */

static u64 high_limit(struct vm_map *m)
{
	return m->mmap_base;
}

/* Where the mapping goes: an address, or -errno. next: the first area that ends above it, or NULL. */
static s64 place(struct vm_map *m, const struct vm_mmap_args *a, u64 len, struct vm_area **next)
{
	u64 addr = a->addr, found;

	if (a->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (!IS_ALIGNED(addr, PAGE_SIZE))
			return -EINVAL;
		if (!user_range_ok(addr, len))
			return -ENOMEM;
		if (addr < vm_min_addr())
			return -EPERM;
		*next = area_find(m, addr);
		if ((a->flags & MAP_FIXED_NOREPLACE) && *next && (*next)->start < addr + len)
			return -EEXIST;
		return addr;
	}
	if (addr) {
		addr = MAX(ALIGN_DOWN(addr, PAGE_SIZE), MAX(USER_START, vm_min_addr()));
		if (user_range_ok(addr, len)) {
			*next = area_find(m, addr);
			if (!*next || (*next)->start >= addr + len)
				return addr;
		}
	}
	found = area_find_gap(m, len, USER_START, high_limit(m), next);
	if (!found)
		found = area_find_gap(m, len, USER_START, USER_END, next);
	return found ? (s64)found : -ENOMEM;
}

s64 vm_find_room(struct vm_map *m, u64 hint, u64 len)
{
	struct vm_mmap_args a = {.addr = hint};
	struct vm_area *next;
	s64 at;

	if (len > USER_END)
		return -ENOMEM;
	rw_lock_write(&m->lock); /* it remembers what it found */
	at = place(m, &a, ALIGN_UP(len, PAGE_SIZE), &next);
	rw_unlock_write(&m->lock);
	return at;
}

static bool is_shared(u32 flags)
{
	u32 type = flags & MAP_TYPE;

	return type == MAP_SHARED || type == MAP_SHARED_VALIDATE;
}

static u32 area_flags_of(u32 flags)
{
	u32 f = 0;

	if (is_shared(flags))
		f |= AREA_SHARED;
	if (flags & MAP_GROWSDOWN)
		f |= AREA_GROWSDOWN;
	if (flags & MAP_LOCKED)
		f |= AREA_LOCKED;
	if (flags & MAP_NORESERVE)
		f |= AREA_NORESERVE;
	if ((flags & MAP_TYPE) == MAP_DROPPABLE)
		f |= AREA_WIPEONFORK | AREA_DONTDUMP | AREA_NORESERVE;
	return f;
}

/* a may grow over new anonymous memory beside it that is to be like it. */
static bool extensible(const struct vm_area *a, u32 prot, u32 flags, const char *label)
{
	return a->prot == prot && a->flags == flags && !a->file && a->label == label &&
	       !(flags & (AREA_SHARED | AREA_GROWSDOWN)) &&
	       a->max_prot == (PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* The free range [start, start + len), right above or below a, becomes part of it, if its object has room and nobody else refers to that. */
static NO_TS bool extend_over(struct vm_map *m, struct vm_area *a, u64 start, u64 len)
{
	struct vm_object *o = area_lock_object(a);
	u64 pages = len >> PAGE_SHIFT, first;
	bool up = start == a->end;

	if (o) {
		if (o->kind != OBJ_ANON || o->sized || o->backing || a->needs_copy ||
		    READ_ONCE(o->refs) != 1 || (!up && a->index < pages)) {
			spin_unlock(o->lock);
			return false;
		}
		/* what an earlier area left there belongs to nobody */
		first = up ? area_last(a) + 1 : a->index - pages;
		if (o->pages.count)
			object_purge_locked(o, first, first + pages - 1);
		if (up)
			o->size += len;
	}
	area_set_bounds(m, a, o, up ? a->start : start, up ? start + len : a->end);
	if (o)
		spin_unlock(o->lock);
	vm_count(VMEV_areas_merged, 1);
	return true;
}

/* Anonymous memory right beside an area just like it: that one grows. next: the first area above. */
static bool extend_neighbour(struct vm_map *m, struct vm_area *next, u64 start, u64 len, u32 prot,
			     u32 flags, const char *label)
{
	struct vm_area *prev = NULL;

	if (!next) {
		struct rb_node *n = rb_last(&m->areas);

		prev = n ? container_of(n, struct vm_area, node) : NULL;
	} else if (next->start - next->gap == start) {
		prev = area_prev(next);
	}
	if (prev && prev->end == start && extensible(prev, prot, flags, label) &&
	    extend_over(m, prev, start, len)) {
		area_merge(m, prev);
		return true;
	}
	return next && next->start == start + len && extensible(next, prot, flags, label) &&
	       extend_over(m, next, start, len);
}

static void fill_area(struct vm_area *n, const struct vm_mmap_args *a, u64 start, u64 len, u32 prot,
		      u32 flags)
{
	n->start = start;
	n->end = start + len;
	n->prot = prot;
	n->max_prot = a->object ? a->max_prot : (PROT_READ | PROT_WRITE | PROT_EXEC);
	n->flags = flags;
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
	else if (is_shared(a->flags)) {
		*out = vm_object_create_anon(len);
		if (!*out)
			return -ENOMEM;
	}
	return 0;
}

static int check_limits(struct vm_map *m, u32 flags, u32 prot, u64 start, u64 len)
{
	u64 more = len >> PAGE_SHIFT;

	if ((flags & AREA_LOCKED) && !vm_may_lock(m, more))
		return -EAGAIN;
	if (unlikely(!vm_may_expand(m, flags, prot, more)) &&
	    !vm_may_expand(m, flags, prot, more - pages_mapped(m, start, start + len)))
		return -ENOMEM;
	return 0;
}

/* The new area takes its place; *o goes with it. */
static void enter_area(struct vm_map *m, const struct vm_mmap_args *a, struct vm_area *n,
		       struct vm_area *next, struct vm_object **o)
{
	if (a->file) {
		n->file = a->file;
		n->origin = a->object;
		n->origin_index = a->offset >> PAGE_SHIFT;
		file_hooks->hold(a->file);
	}
	area_insert_before(m, n, next);
	if (*o) {
		n->needs_copy = !(n->flags & AREA_SHARED) && (*o)->kind != OBJ_DEVICE;
		area_attach(n, *o, n->index);
		*o = NULL;
	}
	area_merge(m, n);
}

static s64 mmap_locked(struct vm_map *m, const struct vm_mmap_args *a, u64 len,
		       struct vm_object **o, struct leaving *l, bool *populate)
{
	u32 prot = a->prot & (PROT_READ | PROT_WRITE | PROT_EXEC), flags = area_flags_of(a->flags);
	struct vm_area *n, *next;
	s64 start = place(m, a, len, &next);
	int err;

	if (start < 0)
		return start;
	flags |= m->lock_future;
	err = check_limits(m, flags, prot, start, len);
	if (err)
		return err;
	*populate = (flags & (AREA_LOCKED | AREA_ONFAULT)) == AREA_LOCKED ||
		    (a->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
	if (!next || next->start >= start + len) {
		if (!*o && extend_neighbour(m, next, start, len, prot, flags, a->label))
			return start;
		n = area_alloc();
		if (!n)
			return -ENOMEM;
	} else {
		n = area_alloc();
		if (!n || leaving_reserve(l, unmap_splits(m, start, start + len))) {
			area_free(n);
			return -ENOMEM;
		}
		next = unmap_locked(m, start, start + len, l);
		if (!*o && extend_neighbour(m, next, start, len, prot, flags, a->label)) {
			area_free(n);
			return start;
		}
	}
	fill_area(n, a, start, len, prot, flags);
	enter_area(m, a, n, next, o);
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
	struct leaving l;
	bool populate = false;
	s64 ret = check_mmap(a);

	if (ret)
		return ret;
	ret = object_for(a, len, &o);
	if (ret)
		return ret;
	leaving_init(&l);
	rw_lock_write(&m->lock);
	ret = mmap_locked(m, a, len, &o, &l, &populate);
	rw_unlock_write(&m->lock);
	leaving_release(&l);
	if (unlikely(o))
		vm_object_drop(o);
	if (ret >= 0 && unlikely(populate))
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
	len = ALIGN_UP(len, PAGE_SIZE);
	leaving_init(&l);
	rw_lock_write(&m->lock);
	err = leaving_reserve(&l, unmap_splits(m, addr, addr + len));
	if (!err)
		unmap_locked(m, addr, addr + len, &l);
	rw_unlock_write(&m->lock);
	leaving_release(&l);
	return err;
}

/* ---- mprotect ---- */

/* 0 if [start, end) is covered without holes, every area may have prot, and what becomes data is within its limit; then also how many
 * splits it takes. */
static int check_protect(struct vm_map *m, u64 start, u64 end, u32 prot, unsigned *splits)
{
	struct vm_area *a = area_find(m, start);
	u64 data = 0;

	*splits = 0;
	for (u64 at = start; at < end; at = a->end, a = area_next(a)) {
		if (!a || a->start > at)
			return -ENOMEM;
		if (prot & ~a->max_prot)
			return -EACCES;
		if (a->prot != prot)
			*splits += (a->start < at) + (a->end > end);
		if ((prot & ~a->prot & PROT_WRITE) && !(a->flags & (AREA_SHARED | AREA_GROWSDOWN)))
			data += (MIN(a->end, end) - at) >> PAGE_SHIFT;
		if (a->end >= end)
			break;
	}
	return data && (m->data + data > READ_ONCE(m->limit_data) >> PAGE_SHIFT ||
			!vm_may_commit(data))
		       ? -ENOMEM
		       : 0;
}

/* PROT_GROWSDOWN: the range begins with the grows-down area that it reaches. */
static int reach_down(struct vm_map *m, u64 *start, u64 end)
{
	struct vm_area *a = area_find(m, *start);

	if (!a || a->start >= end)
		return -ENOMEM;
	if (!(a->flags & AREA_GROWSDOWN))
		return -EINVAL;
	*start = a->start;
	return 0;
}

#define AT_ONCE (16 * PAGE_SIZE) /* no more than this is mapped ahead of its use */

/*
 * Rights were given on [start, end) of a: the pages there that are a's own get PTEs with them now, which saves the faults that would do just this.
 * Only W needs care: the page is dirty already, and nobody is cleaning it.
 */
static NO_TS void map_own(struct vm_map *m, struct vm_area *a, u64 start, u64 end)
{
	struct vm_object *o =
		end - start > AT_ONCE || (a->flags & AREA_SHARED) ? NULL : area_lock_object(a);

	if (!o)
		return;
	if (object_is_anon(o) && !a->needs_copy && o->pages.count)
		for (u64 va = start; va < end; va += PAGE_SIZE) {
			struct frame *f = page_lookup(o, area_index(a, va));

			if (f && (READ_ONCE(f->flags) & (FR_VALID | FR_DIRTY | FR_BUSY |
							 FR_CLEANING)) == (FR_VALID | FR_DIRTY))
				pmap_grant(&m->pmap, va, f, a->prot);
		}
	spin_unlock(o->lock);
}

static void protect_ptes(struct vm_map *m, struct vm_area *a, u64 start, u64 end, u32 old)
{
	u32 prot = a->prot;
	struct tlb_batch b;

	/* readable PTEs of a writable area: W implies R in hardware, so R is lost only when both are */
	if ((old & ~prot) || prot == PROT_EXEC) {
		tlb_begin(&b, &m->pmap);
		pmap_protect(&m->pmap, start, end, prot, &b);
		tlb_finish(&b);
	}
	if (prot & ~old)
		map_own(m, a, start, end);
}

/*
 * [start, end) of a gets prot:
 *	[ a ]		all of it	changes, and may join its neighbours
 *	[xx a ]		beside an area that has prot already and else matches: their border moves
 *	[ a xx a ]	else		split off, then as the first case
 * Returns the area that has the range now.
 */
static struct vm_area *protect_area(struct vm_map *m, struct vm_area *a, u64 start, u64 end,
				    u32 prot, struct leaving *l)
{
	u32 old = a->prot;
	struct vm_area *b;

	if (start == a->start && end < a->end && !a->gap && (b = area_prev(a)) && b->prot == prot &&
	    area_continues(b, a)) {
		area_move_border(m, b, a, end);
		a = b;
	} else if (start > a->start && end == a->end && (b = area_next(a)) && b->prot == prot &&
		   area_continues(a, b)) {
		area_move_border(m, a, b, start);
		a = b;
	} else {
		if (start > a->start)
			a = area_split(m, a, start, spare_area(l));
		if (end < a->end)
			area_split(m, a, end, spare_area(l));
		area_count(m, a, -(s64)area_pages(a));
		a->prot = prot;
		area_count(m, a, area_pages(a));
		a = area_merge(m, a);
	}
	protect_ptes(m, a, start, end, old);
	return a;
}

static void protect_locked(struct vm_map *m, u64 start, u64 end, u32 prot, struct leaving *l)
{
	struct vm_area *a = area_find(m, start);

	for (;;) {
		u64 stop = MIN(a->end, end);

		if (a->prot != prot)
			a = protect_area(m, a, MAX(a->start, start), stop, prot, l);
		if (stop == end)
			return;
		start = stop;
		if (a->end <= start)
			a = area_next(a);
	}
}

int vm_mprotect(struct vm_map *m, u64 addr, u64 len, u32 prot)
{
	u32 rights = prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE);
	struct leaving l;
	unsigned splits;
	int err;

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (!len)
		return 0;
	if (!range_ok(addr, end - addr))
		return -ENOMEM;
	leaving_init(&l);
	rw_lock_write(&m->lock);
	err = prot & PROT_GROWSDOWN ? reach_down(m, &addr, end) : 0;
	if (!err)
		err = check_protect(m, addr, end, rights, &splits);
	if (!err)
		err = leaving_reserve(&l, splits);
	if (!err)
		protect_locked(m, addr, end, rights, &l);
	rw_unlock_write(&m->lock);
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

	if (stack_top(a) - addr > READ_ONCE(m->limit_stack) ||
	    !vm_may_expand(m, a->flags, a->prot, pages) ||
	    ((a->flags & AREA_LOCKED) && !vm_may_lock(m, pages)))
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
	area_set_bounds(m, a, o, addr, a->end);
	if (o)
		spin_unlock(o->lock);
	err = 0;
out:
	rw_unlock_write(&m->lock);
	return err;
}
