// SPDX-License-Identifier: BSD-2-Clause
/*
 * Areas: the intervals of an address space, in a red-black tree by address.
 *
 *	   gap of b       gap of c
 *	      |              |
 *	[ a ]....[ b ][ bb ]....[ c ]........ mmap_base
 *
 * Each area knows the free bytes just before it (gap), each node the largest gap of its subtree (max_gap), so finding room costs
 * O(log n).  The last area found is remembered in map->hint.  Splitting takes a spare made beforehand and cannot fail; merging joins
 * neighbours whose protection, flags, object and offsets continue one another.
 *
 * Everything here needs the map's lock: written to change, read to look.  Attaching an object also takes that object's lock.
 */
#include "kernel/vm/vm_internal.h"

static struct kmem_cache *area_cache;

static struct vm_area *node_area(struct rb_node *n)
{
	return n ? container_of(n, struct vm_area, node) : NULL;
}

static void update_max_gap(struct rb_node *n)
{
	struct vm_area *a = node_area(n), *l = node_area(n->left), *r = node_area(n->right);
	u64 max = a->gap;

	if (l && l->max_gap > max)
		max = l->max_gap;
	if (r && r->max_gap > max)
		max = r->max_gap;
	a->max_gap = max;
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

static void fix_gap(struct vm_map *m, struct vm_area *a)
{
	struct vm_area *prev;

	if (!a)
		return;
	prev = area_prev(a);
	a->gap = a->start - (prev ? prev->end : 0);
	rb_update(&m->areas, &a->node);
}

/* Adds pages to the counters that follow the kind of area. */
void area_count(struct vm_map *m, const struct vm_area *a, s64 pages)
{
	m->size += pages;
	if (m->size > m->size_peak)
		m->size_peak = m->size;
	if (a->flags & (AREA_GROWSDOWN | AREA_STACK))
		m->stack += pages;
	else if ((a->prot & PROT_WRITE) && !(a->flags & AREA_SHARED))
		m->data += pages;
	if (a->prot & PROT_EXEC)
		m->text += pages;
	if (a->flags & AREA_LOCKED)
		m->locked += pages;
}

static void link_area(struct vm_map *m, struct vm_area *a)
{
	struct rb_node **link = &m->areas.root, *parent = NULL;

	while (*link) {
		struct vm_area *b = node_area(*link);

		parent = *link;
		ASSERTF(a->end <= b->start || a->start >= b->end,
			"[%#lx,%#lx) overlaps [%#lx,%#lx)", a->start, a->end, b->start, b->end);
		link = a->start < b->start ? &parent->left : &parent->right;
	}
	a->map = m;
	a->gap = 0;
	rb_insert(&m->areas, &a->node, parent, link);
	m->nareas++;
}

void area_insert(struct vm_map *m, struct vm_area *a)
{
	ASSERTF(a->start < a->end && IS_ALIGNED(a->start | a->end, PAGE_SIZE), "[%#lx,%#lx)",
		a->start, a->end);
	link_area(m, a);
	area_count(m, a, area_pages(a));
	fix_gap(m, a);
	fix_gap(m, area_next(a));
}

void area_erase(struct vm_map *m, struct vm_area *a)
{
	struct vm_area *next = area_next(a);

	m->hint = NULL;
	rb_erase(&m->areas, &a->node);
	m->nareas--;
	area_count(m, a, -(s64)area_pages(a));
	fix_gap(m, next);
}

void area_resized(struct vm_map *m, struct vm_area *a)
{
	m->hint = NULL;
	fix_gap(m, a);
	fix_gap(m, area_next(a));
}

/* The highest gap of at least len bytes inside [low, high), looking right to left through subtrees whose max_gap is large enough. */
static u64 gap_below(struct rb_node *n, u64 len, u64 low, u64 high)
{
	struct vm_area *a = node_area(n);
	u64 start, found;

	if (!a || a->max_gap < len)
		return 0;
	if (a->start < high) {
		found = gap_below(n->right, len, low, high);
		if (found)
			return found;
	}
	start = a->start - a->gap;
	if (a->gap >= len) {
		u64 top = MIN(a->start, high), bottom = MAX(start, low);

		if (top > bottom && top - bottom >= len)
			return top - len;
	}
	return start > low ? gap_below(n->left, len, low, high) : 0;
}

u64 area_find_gap(struct vm_map *m, u64 len, u64 low, u64 high)
{
	struct vm_area *last = node_area(rb_last(&m->areas));
	u64 bottom = MAX(last ? last->end : 0, low);

	/* a growing stack keeps its distance: that is the caller's `high`; the space above the last area counts as a gap too */
	if (high > bottom && high - bottom >= len)
		return high - len;
	return gap_below(m->areas.root, len, low, high);
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
	*hi = *a;
	hi->start = addr;
	hi->object = NULL;
	hi->objlock = NULL;
	hi->index = area_index(a, addr);
	hi->origin_index += (addr - a->start) >> PAGE_SHIFT;
	if (hi->file)
		vm_area_file_hold(hi->file);
	o = area_lock_object(a);
	if (o) {
		vm_object_hold(o);
		rmap_erase(o, a);
		hi->index = area_index(a, addr);
		hi->needs_copy = a->needs_copy;
		a->end = addr;
		rmap_insert(o, a);
		area_attach_locked(hi, o, hi->index);
		spin_unlock(o->lock);
	} else {
		a->end = addr;
	}
	m->hint = NULL;
	link_area(m, hi);
	fix_gap(m, hi);
	fix_gap(m, area_next(hi));
	vm_count(VMEV_areas_split, 1);
	return hi;
}

#define MERGE_FLAGS                                                                     \
	(AREA_SHARED | AREA_GROWSDOWN | AREA_LOCKED | AREA_DONTFORK | AREA_WIPEONFORK | \
	 AREA_NORESERVE | AREA_RANDOM | AREA_SEQUENTIAL | AREA_STACK | AREA_WAS_SHARED_RO)

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

static bool mergeable(struct vm_area *a, struct vm_area *b)
{
	return a->end == b->start && a->prot == b->prot && a->max_prot == b->max_prot &&
	       ((a->flags ^ b->flags) & MERGE_FLAGS) == 0 && a->file == b->file &&
	       a->label == b->label &&
	       (!a->file || b->origin_index == a->origin_index + area_pages(a)) &&
	       objects_match(a, b);
}

/* a and b = its successor become a. */
static NO_TS void join(struct vm_map *m, struct vm_area *a, struct vm_area *b)
{
	struct vm_object *o = area_detach(b);

	area_erase(m, b);
	area_count(m, b, area_pages(b));
	if (o) {
		struct vm_object *mine = area_lock_object(a);

		ASSERT(mine == o);
		rmap_erase(o, a);
		a->end = b->end;
		rmap_insert(o, a);
		spin_unlock(o->lock);
		vm_object_drop(o);
	} else {
		a->end = b->end;
	}
	area_resized(m, a);
	if (b->file)
		vm_area_file_drop(b->file);
	area_free(b);
	vm_count(VMEV_areas_merged, 1);
}

struct vm_area *area_merge(struct vm_map *m, struct vm_area *a)
{
	struct vm_area *prev = area_prev(a), *next = area_next(a);

	if (next && mergeable(a, next))
		join(m, a, next);
	if (prev && mergeable(prev, a)) {
		join(m, prev, a);
		a = prev;
	}
	return a;
}
