// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shadow chains: copy-on-write by looking through.
 *
 *	 area P (private)   area C (its fork)		       P's first write:		 P and C both wrote:
 *		\		/		     P -> S1    C		 P -> S1   C -> S2
 *		 O (both needs-copy)			  \    /		      \    /
 *							   O			       O
 *
 * A page of a chain is the topmost one at its index; O keeps what nobody changed.  All anonymous objects of a tree share one family lock, so
 * edges change under one lock.  Edges are edited only by edge_add and edge_del.
 *
 * collapse: O's only reference is its only shadow S (its areas and other shadows went away).  The two become one.  Whichever has fewer pages is
 * moved, so a fork whose child wrote little and died costs little:
 *	- S into O: S's pages replace O's at their indices, S's areas and shadows move over to O, S dies;
 *	- O into S: O's pages that S does not hide move up, S takes over O's backing, O dies.
 * bypass: S has a page at every index of its range, so nothing can be seen through it: it lets go of all of its chain but a file's object at the
 * bottom, be it a vnode's or one of tmpfs (a truncated file takes the private copies beyond its end along, and finds them through its shadows).
 *
 * What a shadow can see of an object is never written by an area: areas that cover it are needs-copy.  needs-copy ends without a copy
 * when nobody but the area can see its pages of the object (own_object in fault.c).
 */
#include "kernel/vm/vm_internal.h"

static void edge_add(struct vm_object *o, struct vm_object *below)
{
	o->backing = below;
	list_add_tail(&below->shadows, &o->shadow_link);
	below->nshadows++;
}

static void edge_del(struct vm_object *o)
{
	struct vm_object *below = o->backing;

	list_del(&o->shadow_link);
	below->nshadows--;
	o->backing = NULL;
}

/* Edges to a vnode are guarded by the vnode's lock as well (the list of its shadows). */
static bool other_lock(struct vm_object *o, struct vm_object *below)
{
	return o->lock != below->lock;
}

NO_TS void shadow_unlink_backing(struct vm_object *o)
{
	struct vm_object *below = o->backing;
	bool other = other_lock(o, below);

	if (other)
		spin_lock(below->lock);
	edge_del(o);
	if (other)
		spin_unlock(below->lock);
}

static u64 depth_max; /* atomic */

u64 vm_shadow_depth_max(void)
{
	return READ_ONCE(depth_max);
}

static void note_depth(u64 depth)
{
	u64 seen = READ_ONCE(depth_max);

	while (depth > seen && !__atomic_compare_exchange_n(&depth_max, &seen, depth, true,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

void shadow_insert(struct vm_area *a, struct vm_object *fresh)
{
	struct vm_object *o = a->object;

	ASSERT(spin_held(o->lock));
	/* fresh has no lock held: nobody knows it before objlock is published, or o's lock is released */
	fresh->kind = OBJ_SHADOW;
	fresh->size = a->end - a->start;
	fresh->backing_index = a->index;
	rmap_erase(o, a);
	edge_add(fresh, o); /* the area's reference to o becomes the shadow's */
	a->object = fresh;
	a->index = 0;
	rmap_insert(fresh, a);
	a->needs_copy = false;
	__atomic_store_n(&a->objlock, fresh->lock, __ATOMIC_RELEASE);
	vm_count(VMEV_shadow_created, 1);
	note_depth(shadow_depth(fresh));
}

u64 shadow_depth(struct vm_object *o)
{
	u64 n = 1;

	for (; o->backing; o = o->backing)
		n++;
	return n;
}

/* ---- collapse ---- */

struct merge {
	struct vm_object *from, *to;
	struct vm_object *outside; /* whose pages drop_outside takes */
	s64 shift;		   /* index in `to` = index in `from` + shift */
	u64 limit;		   /* first index of `to` that is out of its range */
	struct frame *gone[64];
	size_t ngone;
};

/* Field by field: gone is not worth clearing. */
static void merge_init(struct merge *m, struct vm_object *from, struct vm_object *to,
		       struct vm_object *outside, s64 shift)
{
	m->from = from;
	m->to = to;
	m->outside = outside;
	m->shift = shift;
	m->limit = to->size >> PAGE_SHIFT;
	m->ngone = 0;
}

static void merge_free(struct merge *m, struct frame *f)
{
	if (m->ngone == ARRAY_LEN(m->gone)) {
		frames_release(m->gone, m->ngone);
		m->ngone = 0;
	}
	m->gone[m->ngone++] = f;
}

/* A word that was taken out of o's tree is given up. */
static NO_TS void merge_drop(struct merge *m, struct vm_object *o, uintptr_t word)
{
	struct frame *f = word_frame(word);

	if (!f) {
		word_drop(o, word);
		return;
	}
	page_detach(f);
	merge_free(m, f);
}

static NO_TS void merge_move(struct merge *m, uintptr_t word, u64 at)
{
	struct frame *f = word_frame(word);

	if (f && f->swap_slot)
		anon_owns_slots(m->to);
	if (f)
		page_move_locked(f, m->to, at);
	else
		word_moved(m->from, m->to, word);
}

/* A page of S replaces what O has at its place. */
static NO_TS void push_down(uintptr_t word, u64 index, void *arg)
{
	struct merge *m = arg;
	u64 at = index + m->shift;
	uintptr_t hidden = page_word(m->to, at);

	if (hidden) {
		radix_replace(&m->to->pages, at, word);
		merge_drop(m, m->to, hidden);
	} else if (radix_insert(&m->to->pages, at, word, NULL)) {
		panic("object %p: no memory for a page whose slot was reserved", (void *)m->to);
	}
	merge_move(m, word, at);
}

/* A page of O moves up unless S hides it or cannot see it. */
static NO_TS void pull_up(uintptr_t word, u64 index, void *arg)
{
	struct merge *m = arg;
	u64 at = index + m->shift;

	if (at >= m->limit || page_word(m->to, at)) {
		merge_drop(m, m->from, word);
		return;
	}
	if (radix_insert(&m->to->pages, at, word, NULL))
		panic("object %p: no memory for a page whose slot was reserved", (void *)m->to);
	merge_move(m, word, at);
}

/* Slots for at most n new words: the tree's nodes come from the reserve of memory; refused when there is little. */
static bool room_for(u64 n)
{
	return frames_free_count() > n / 32 + 64;
}

/* S's areas and shadows become O's; both locked by the family's lock. */
static void adopt(struct vm_object *s, struct vm_object *o, u64 shift)
{
	struct rb_node *n;
	struct list *l;

	while ((n = rb_first(&s->areas))) {
		struct vm_area *a = container_of(n, struct vm_area, obj_node);

		rmap_erase(s, a);
		a->object = o;
		a->index += shift;
		rmap_insert(o, a);
	}
	while ((l = list_pop(&s->shadows))) {
		struct vm_object *up = list_entry(l, struct vm_object, shadow_link);

		s->nshadows--;
		up->backing_index += shift;
		edge_add(up, o);
	}
}

/* O's pages outside S's window can be seen by nobody any more. */
static void drop_outside(uintptr_t word, u64 index __unused, void *arg)
{
	struct merge *m = arg;

	merge_drop(m, m->outside, word);
}

static void collapse_down(struct vm_object *s, struct vm_object *o, struct list *dead)
{
	struct merge m;
	u64 shift = s->backing_index, end = shift + (s->size >> PAGE_SHIFT);

	merge_init(&m, s, o, o, s->backing_index);
	if (shift > 0)
		radix_remove_range(&o->pages, 0, shift - 1, drop_outside, &m);
	radix_remove_range(&o->pages, end, ~0UL, drop_outside, &m);
	radix_remove_range(&s->pages, 0, ~0UL, push_down, &m);
	edge_del(s);
	adopt(s, o, shift);
	/* S's references were its areas, shadows and holders; the area's counts move, the edge's ends */
	o->refs = s->refs;
	o->size = MIN(o->size, end << PAGE_SHIFT);
	s->refs = 0;
	s->dead = true;
	frames_release(m.gone, m.ngone);
	list_add(dead, &s->shadow_link);
}

static NO_TS void collapse_up(struct vm_object *s, struct vm_object *o, struct list *dead)
{
	struct merge m;
	struct vm_object *below = o->backing;
	u64 shift = s->backing_index;

	merge_init(&m, o, s, o, -(s64)s->backing_index);
	if (shift > 0)
		radix_remove_range(&o->pages, 0, shift - 1, drop_outside, &m);
	radix_remove_range(&o->pages, 0, ~0UL, pull_up, &m);
	edge_del(s);
	if (below) {
		bool other = other_lock(o, below);

		s->backing_index += o->backing_index;
		if (other)
			spin_lock(below->lock);
		edge_del(o);
		edge_add(s, below); /* O's reference to it becomes S's */
		if (other)
			spin_unlock(below->lock);
	} else {
		s->kind = OBJ_ANON;
	}
	o->refs = 0;
	o->dead = true;
	frames_release(m.gone, m.ngone);
	list_add(dead, &o->shadow_link);
}

/* O may be merged with its only shadow. */
static bool collapsible(struct vm_object *o)
{
	return object_is_anon(o) && o->nshadows == 1 && !o->areas.root && READ_ONCE(o->refs) == 1;
}

static bool try_collapse(struct vm_object *o, struct list *dead)
{
	struct vm_object *s = list_first(&o->shadows, struct vm_object, shadow_link);
	bool down =
		s->pages.count <= o->pages.count && READ_ONCE(s->refs) == s->nareas + s->nshadows;

	/* a pager's transfer remembers object and index: not under it */
	if (READ_ONCE(o->writeback) || READ_ONCE(s->writeback) ||
	    !room_for(MIN(s->pages.count, o->pages.count)))
		return false;
	if (down)
		collapse_down(s, o, dead);
	else
		collapse_up(s, o, dead);
	vm_count(VMEV_shadow_collapses, 1);
	return true;
}

/* ---- bypass ---- */

static bool covers_all(const struct vm_object *s)
{
	return s->backing && s->pages.count == s->size >> PAGE_SHIFT;
}

/* Contents of a file: they may be truncated. */
static bool is_file(const struct vm_object *o)
{
	return !object_is_anon(o) || o->sized;
}

/* S looks through to the file at the bottom of its chain, and to nothing above it: truncation must find its copies. */
static NO_TS void rest_on(struct vm_object *s, struct vm_object *file, u64 index)
{
	bool other = other_lock(s, file);

	vm_object_hold(file);
	edge_del(s);
	s->backing_index = index;
	if (other)
		spin_lock(file->lock);
	edge_add(s, file);
	if (other)
		spin_unlock(file->lock);
}

struct vm_object *shadow_bypass(struct vm_object *s)
{
	struct vm_object *o = s->backing, *bottom = o;
	u64 index = s->backing_index;

	if (!o || is_file(o) || !covers_all(s))
		return NULL;
	for (; bottom->backing; bottom = bottom->backing)
		index += bottom->backing_index;
	if (is_file(bottom)) {
		rest_on(s, bottom, index);
	} else {
		edge_del(s);
		s->kind = OBJ_ANON;
	}
	vm_count(VMEV_shadow_bypasses, 1);
	return o;
}

void shadow_simplify(struct vm_object *o, struct list *dead)
{
	while (collapsible(o) && try_collapse(o, dead)) {
		/* o may have died upwards: its shadow now sits on o's backing */
		if (o->dead || !o->backing || !object_is_anon(o->backing))
			return;
		o = o->backing;
	}
}
