// SPDX-License-Identifier: BSD-2-Clause
/*
 * Areas: the intervals of an address space, in a red-black tree by address.
 *
 *	   gap of b       gap of c
 *	      |              |
 *	[ a ]....[ b ][ bb ]....[ c ]........ mmap_base
 *
 * Each area knows the free bytes just before it (gap), each node the largest gap of its subtree (max_gap), so finding room costs
 * O(log n), and gap says without a look at the tree whether the neighbour below touches.  The last area found is remembered in map->hint.
 * Splitting takes a spare made beforehand and cannot fail; merging joins neighbours whose protection, flags, object and offsets
 * continue one another.  Where only bounds change, no node is moved in either tree, and no gap changes but those beside the bounds.
 *
 * Everything here needs the map's lock: written to change, read to look.  Attaching an object also takes that object's lock.
 */
#include "kernel/vm/vm_internal.h"

static struct kmem_cache *area_cache;

static struct vm_area *node_area(struct rb_node *n)
{
	return n ? container_of(n, struct vm_area, node) : NULL;
}

static inline bool update_max_gap(struct rb_node *n)
{
	struct vm_area *a = node_area(n), *l = node_area(n->left), *r = node_area(n->right);
	u64 max = a->gap, old = a->max_gap;

	if (l && l->max_gap > max)
		max = l->max_gap;
	if (r && r->max_gap > max)
		max = r->max_gap;
	a->max_gap = max;
	return max != old;
}

/* a's gap became smaller. */
static void gap_shrank(struct vm_area *a)
{
	struct rb_node *n = &a->node;

	while (n && update_max_gap(n))
		n = rb_parent(n);
}

/* a's gap (a NULL: what is above all areas) became larger. If that is above the place where the search for room may begin, it may not any more. */
static inline void gap_grew(struct vm_map *m, struct vm_area *a)
{
	struct vm_area *up = a;

	while (up && up->max_gap < a->gap) {
		up->max_gap = a->gap;
		up = node_area(rb_parent(&up->node));
	}
	if (m->room && a != m->room && (!a || a->start > m->room->start))
		m->room = NULL;
}

const struct rb_tree area_tree_init = RB_TREE_INIT(update_max_gap);

void area_init(void)
{
	area_cache = kmem_cache_create("vm_area", sizeof(struct vm_area), 0);
	ASSERT(area_cache);
}

struct vm_area *area_alloc(void)
{
	return kmem_cache_alloc(area_cache, KM_ZERO);
}

void area_free(struct vm_area *a)
{
	kmem_cache_free(area_cache, a);
}

struct vm_area *area_find(struct vm_map *m, u64 addr)
{
	struct vm_area *best = READ_ONCE(m->hint);

	if (best && addr >= best->start && addr < best->end)
		return best;
	best = NULL;
	for (struct rb_node *n = m->areas.root; n;) {
		struct vm_area *a = node_area(n);

		if (addr < a->end) {
			best = a;
			if (addr >= a->start)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	if (best && addr >= best->start)
		WRITE_ONCE(m->hint, best);
	return best;
}

struct vm_area *area_next(struct vm_area *a)
{
	return node_area(rb_next(&a->node));
}

struct vm_area *area_prev(struct vm_area *a)
{
	return node_area(rb_prev(&a->node));
}

static struct vm_area *last_area(struct vm_map *m)
{
	return node_area(rb_last(&m->areas));
}

/* Makes room for a below next: takes over the lower part of next's gap. */
static void split_gap(struct vm_map *m, struct vm_area *a, struct vm_area *next)
{
	struct vm_area *prev = next ? NULL : last_area(m);
	u64 free_from = next ? next->start - next->gap : prev ? prev->end : 0;

	ASSERTF(a->start < a->end && IS_ALIGNED(a->start | a->end, PAGE_SIZE) &&
			a->start >= free_from && (!next || a->end <= next->start),
		"[%#lx,%#lx) does not fit between %#lx and %#lx", a->start, a->end, free_from,
		next ? next->start : ~0UL);
	a->gap = a->start - free_from;
	if (next)
		next->gap = next->start - a->end;
}

void area_insert_before(struct vm_map *m, struct vm_area *a, struct vm_area *next)
{
	a->map = m;
	split_gap(m, a, next);
	rb_insert_before(&m->areas, &a->node, next ? &next->node : NULL);
	m->nareas++;
	area_count(m, a, area_pages(a));
}

void area_insert(struct vm_map *m, struct vm_area *a)
{
	area_insert_before(m, a, area_find(m, a->start));
}

/* a goes, and leaves its place to next's gap unless `covered`: then the area below takes it over. */
static void unlink_area(struct vm_map *m, struct vm_area *a, bool covered)
{
	struct vm_area *next = covered ? NULL : area_next(a);

	if (next)
		next->gap += a->gap + (a->end - a->start);
	if (!covered)
		gap_grew(m, next);
	if (m->hint == a)
		WRITE_ONCE(m->hint, NULL);
	if (m->room == a)
		m->room = NULL;
	rb_erase(&m->areas, &a->node);
	m->nareas--;
}

void area_erase(struct vm_map *m, struct vm_area *a)
{
	unlink_area(m, a, false);
	area_count(m, a, -(s64)area_pages(a));
}

/* The bytes at a's start belong to the page that they did before. */
static void move_start(struct vm_area *a, const struct vm_object *o, u64 start)
{
	s64 pages = (s64)(start - a->start) >> PAGE_SHIFT;

	a->start = start;
	a->origin_index += pages;
	/* without an object the first page may be any; but a stack keeps room to grow */
	if (o || (a->flags & AREA_GROWSDOWN))
		a->index += pages;
}

void area_set_bounds(struct vm_map *m, struct vm_area *a, struct vm_object *o, u64 start, u64 end)
{
	u64 index = a->index, old_pages = area_pages(a);

	ASSERTF(start < end && start >= a->start - a->gap, "[%#lx,%#lx) to [%#lx,%#lx)", a->start,
		a->end, start, end);
	if (start != a->start) {
		bool grew = start > a->start;

		a->gap += start - a->start;
		move_start(a, o, start);
		if (grew)
			gap_grew(m, a);
		else
			gap_shrank(a);
	}
	if (end != a->end) {
		struct vm_area *next = area_next(a);
		bool grew = end < a->end;

		a->end = end;
		if (next)
			next->gap = next->start - end;
		if (grew)
			gap_grew(m, next);
		else if (next)
			gap_shrank(next);
	}
	area_count(m, a, area_pages(a) - old_pages);
	if (o)
		rmap_resized(o, a, index);
}

/*
 * The highest gap of at least len bytes inside [low, high), looking right to left through subtrees whose max_gap is large enough. The area behind it,
 * or NULL.
 */
static struct vm_area *gap_below(struct rb_node *n, u64 len, u64 low, u64 high)
{
	while (n && node_area(n)->max_gap >= len) {
		struct vm_area *a = node_area(n);
		u64 bottom = a->start - a->gap;

		if (a->start < high && n->right && node_area(n->right)->max_gap >= len) {
			struct vm_area *found = gap_below(n->right, len, low, high);

			if (found)
				return found;
		}
		if (a->gap >= len) {
			if (MIN(a->start, high) >= MAX(bottom, low) + len)
				return a;
		}
		if (bottom <= low)
			return NULL;
		n = n->left;
	}
	return NULL;
}

u64 area_find_gap(struct vm_map *m, u64 len, u64 low, u64 high, struct vm_area **next)
{
	struct vm_area *a = m->room;
	u64 bottom;

	*next = a;
	if (a && high == m->mmap_base && len >= m->room_len && a->gap >= len &&
	    a->start - len >= low)
		return a->start - len;
	a = last_area(m);
	bottom = MAX(a ? a->end : 0, low);
	*next = NULL;
	/* the space above the last area counts as a gap too */
	if (high > bottom && high - bottom >= len)
		return high - len;
	a = gap_below(m->areas.root, len, low, high);
	*next = a;
	if (!a)
		return 0;
	if (high == m->mmap_base && a->start <= high) {
		m->room = a;
		m->room_len = len;
	}
	return MIN(a->start, high) - len;
}

/* ---- objects ---- */

void area_attach_locked(struct vm_area *a, struct vm_object *o, u64 index)
{
	a->object = o;
	a->index = index;
	rmap_insert(o, a);
	__atomic_store_n(&a->objlock, o->lock, __ATOMIC_RELEASE);
}

void area_attach(struct vm_area *a, struct vm_object *o, u64 index)
{
	spin_lock(o->lock);
	area_attach_locked(a, o, index);
	spin_unlock(o->lock);
}

/* The area has no object any more; its reference passes to the caller. Map write-locked. */
NO_TS struct vm_object *area_detach(struct vm_area *a)
{
	struct vm_object *o = area_lock_object(a);
	struct spinlock *l = a->objlock;

	if (!o)
		return NULL;
	area_detach_locked(a);
	spin_unlock(l);
	return o;
}

void area_detach_locked(struct vm_area *a)
{
	rmap_erase(a->object, a);
	a->object = NULL;
	a->objlock = NULL;
}

/* ---- split and merge ---- */

NO_TS struct vm_area *area_split(struct vm_map *m, struct vm_area *a, u64 addr, struct vm_area *hi)
{
	struct vm_object *o;

	ASSERTF(addr > a->start && addr < a->end && IS_ALIGNED(addr, PAGE_SIZE),
		"%#lx in [%#lx,%#lx)", addr, a->start, a->end);
	if (a->file)
		vm_area_file_hold(a->file);
	o = area_lock_object(a);
	*hi = *a;
	move_start(hi, o, addr);
	hi->gap = 0;
	a->end = addr;
	if (o) {
		object_hold(o);
		rmap_resized(o, a, a->index);
		rmap_insert_after(o, hi, a);
		spin_unlock(o->lock);
	}
	rb_insert_after(&m->areas, &hi->node, &a->node);
	m->nareas++;
	vm_count(VMEV_areas_split, 1);
	return hi;
}

NO_TS void area_move_border(struct vm_map *m, struct vm_area *lo, struct vm_area *hi, u64 addr)
{
	struct vm_object *o = area_lock_object(lo);
	s64 pages = (s64)(addr - lo->end) >> PAGE_SHIFT;
	u64 index = hi->index;

	area_count(m, pages > 0 ? hi : lo, pages > 0 ? -pages : pages);
	area_count(m, pages > 0 ? lo : hi, pages > 0 ? pages : -pages);
	*(pages > 0 ? &lo->flags : &hi->flags) &= (pages > 0 ? hi : lo)->flags | ~AREA_TRACKED;
	lo->end = addr;
	move_start(hi, o, addr);
	if (!o)
		return;
	rmap_resized(o, lo, lo->index);
	rmap_resized(o, hi, index);
	spin_unlock(o->lock);
}

#define MERGE_FLAGS                                                                     \
	(AREA_SHARED | AREA_GROWSDOWN | AREA_LOCKED | AREA_DONTFORK | AREA_WIPEONFORK | \
	 AREA_NORESERVE | AREA_RANDOM | AREA_SEQUENTIAL | AREA_STACK | AREA_ONFAULT |   \
	 AREA_DONTDUMP)

/* The objects continue one another: looked at under the object's lock, as a collapse may renumber both. */
static NO_TS bool objects_match(struct vm_area *a, struct vm_area *b)
{
	struct vm_object *o = area_lock_object(a);
	bool match;

	if (!o)
		return !READ_ONCE(b->object) && !a->file;
	match = b->object == o && a->needs_copy == b->needs_copy && b->index == area_last(a) + 1;
	spin_unlock(o->lock);
	return match;
}

/* All but the protection and the objects. */
static inline bool follows(const struct vm_area *a, const struct vm_area *b)
{
	return a->end == b->start && a->max_prot == b->max_prot &&
	       ((a->flags ^ b->flags) & MERGE_FLAGS) == 0 && a->file == b->file &&
	       a->label == b->label &&
	       (!a->file || b->origin_index == a->origin_index + area_pages(a));
}

bool areas_alike(const struct vm_area *a, const struct vm_area *b)
{
	return a->prot == b->prot && follows(a, b);
}

bool area_continues(struct vm_area *a, struct vm_area *b)
{
	return follows(a, b) && objects_match(a, b);
}

static inline bool mergeable(struct vm_area *a, struct vm_area *b)
{
	return a->prot == b->prot && area_continues(a, b);
}

/* a and b = its successor become a. */
static NO_TS void join(struct vm_map *m, struct vm_area *a, struct vm_area *b)
{
	struct vm_object *o = area_lock_object(a);

	ASSERT(o == b->object && b->gap == 0);
	if (o)
		rmap_erase(o, b);
	unlink_area(m, b, true);
	a->end = b->end;
	if (o) {
		rmap_resized(o, a, a->index);
		if (!o->ops->drop) /* not the last one: a has its own, and still maps it */
			__atomic_fetch_sub(&o->refs, 1, __ATOMIC_RELEASE);
		spin_unlock(o->lock);
		if (o->ops->drop)
			o->ops->drop(o);
	}
	a->flags &= b->flags | ~AREA_TRACKED;
	if (b->file)
		vm_area_file_drop(b->file);
	area_free(b);
	vm_count(VMEV_areas_merged, 1);
}

struct vm_area *area_merge(struct vm_map *m, struct vm_area *a)
{
	struct vm_area *next = area_next(a), *prev = a->gap ? NULL : area_prev(a);

	if (next && !next->gap && mergeable(a, next))
		join(m, a, next);
	if (prev && mergeable(prev, a)) {
		join(m, prev, a);
		a = prev;
	}
	return a;
}

void area_merge_range(struct vm_map *m, u64 start, u64 end)
{
	for (struct vm_area *a = area_find(m, start); a && a->start < end; a = area_next(a))
		a = area_merge(m, a);
}
