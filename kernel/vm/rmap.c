// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reverse mapping: from a frame to the PTEs that map it, without per-mapping records.
 *
 * Each object keeps an interval tree of the areas that map it directly, by page index (augmented with the largest last index of each
 * subtree), and a list of the shadows above it.  A frame of object o at index i may be mapped by
 *	- every area of o that covers i,
 *	- every area of a shadow s of o (and of s's shadows, ...) that covers i - s->backing_index, unless s has a page of its own there.
 * The walk stops when mapcount PTEs were found.
 *
 * Locks: the object's lock; shadows of an anonymous object are of its own family and so under the same lock.  A vnode object's lock is taken after
 * the families' locks, so shadows above a vnode cannot be entered from below with it held: rmap_unmap_shadows takes them one
 * by one with the vnode's lock dropped.  Private mappings never have W on a file's frame, so write protection needs only the direct areas.
 */
#include "kernel/vm/vm_internal.h"

static struct vm_area *obj_area(struct rb_node *n)
{
	return n ? container_of(n, struct vm_area, obj_node) : NULL;
}

static bool update_last(struct rb_node *n)
{
	struct vm_area *a = obj_area(n), *l = obj_area(n->left), *r = obj_area(n->right);
	u64 last = area_last(a), old = a->obj_max_last;

	if (l && l->obj_max_last > last)
		last = l->obj_max_last;
	if (r && r->obj_max_last > last)
		last = r->obj_max_last;
	a->obj_max_last = last;
	return last != old;
}

const struct rb_tree rmap_tree_init = RB_TREE_INIT(update_last);

void rmap_insert(struct vm_object *o, struct vm_area *a)
{
	struct rb_node **link = &o->areas.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = a->index < obj_area(parent)->index ? &parent->left : &parent->right;
	}
	rb_insert(&o->areas, &a->obj_node, parent, link);
	o->nareas++;
}

void rmap_insert_after(struct vm_object *o, struct vm_area *a, struct vm_area *at)
{
	struct vm_area *next = obj_area(rb_next(&at->obj_node));

	if (a->index < at->index || (next && next->index < a->index)) {
		rmap_insert(o, a);
		return;
	}
	rb_insert_after(&o->areas, &a->obj_node, &at->obj_node);
	o->nareas++;
}

void rmap_erase(struct vm_object *o, struct vm_area *a)
{
	rb_erase(&o->areas, &a->obj_node);
	o->nareas--;
}

void rmap_reorder(struct vm_object *o, struct vm_area *a, u64 old_index)
{
	struct vm_area *beside = NULL;

	if (a->index > old_index)
		beside = obj_area(rb_next(&a->obj_node));
	else if (a->index < old_index)
		beside = obj_area(rb_prev(&a->obj_node));
	if (likely(!beside || (a->index > old_index ? beside->index >= a->index
						    : beside->index <= a->index))) {
		rb_update(&o->areas, &a->obj_node);
		return;
	}
	rb_erase(&o->areas, &a->obj_node);
	o->nareas--;
	rmap_insert(o, a);
}

/* The leftmost area of the subtree that overlaps [first, last]. */
static struct vm_area *leftmost(struct rb_node *n, u64 first, u64 last)
{
	while (n) {
		struct vm_area *a = obj_area(n), *l = obj_area(n->left);

		if (l && l->obj_max_last >= first) {
			n = n->left;
			continue;
		}
		if (a->index > last)
			return NULL;
		if (area_last(a) >= first)
			return a;
		n = n->right;
	}
	return NULL;
}

struct vm_area *rmap_first(struct vm_object *o, u64 first, u64 last)
{
	struct vm_area *a = leftmost(o->areas.root, first, last);

	return a && a->index <= last ? a : NULL;
}

struct vm_area *rmap_next(struct vm_area *a, u64 first, u64 last)
{
	struct rb_node *n = &a->obj_node;
	struct vm_area *r = obj_area(n->right);

	if (r && r->obj_max_last >= first) {
		r = leftmost(n->right, first, last);
		return r && r->index <= last ? r : NULL;
	}
	for (;;) {
		struct rb_node *parent = rb_parent(n);

		if (!parent)
			return NULL;
		if (parent->left == n) {
			a = obj_area(parent);
			if (a->index > last)
				return NULL;
			if (area_last(a) >= first)
				return a;
			r = obj_area(parent->right);
			if (r && r->obj_max_last >= first)
				return leftmost(parent->right, first, last);
		}
		n = parent;
	}
}

/* ---- one space after the other ---- */

/* The object's lock keeps the areas, and so their spaces, until all is flushed; after that an open round's count of `unflushed` does. */
struct change {
	struct tlb_batch batch;	 /* what changed in the space the walk is in */
	struct tlb_round *round; /* the spaces before */
	struct tlb_round own;	 /* that of this walk alone */
};

static void change_begin(struct change *c, struct tlb_round *open)
{
	c->batch.pmap = NULL;
	c->round = open ?: &c->own;
	if (!open)
		tlb_round_begin(&c->own);
}

static void enter_space(struct change *c, struct pmap *p)
{
	if (c->batch.pmap == p)
		return;
	if (c->batch.pmap)
		tlb_round_add(c->round, &c->batch);
	pmap_change_begin(&c->batch, p);
}

static void leave_spaces(struct change *c)
{
	if (c->batch.pmap)
		tlb_round_add(c->round, &c->batch);
	if (c->round == &c->own)
		tlb_round_end(&c->own);
}

/* ---- walking the mappings of one frame ---- */

struct walk {
	struct frame *frame;
	bool (*fn)(struct pmap *p, u64 va, struct frame *f, struct tlb_batch *b);
	struct change change;
	u32 left; /* PTEs not found yet */
	bool any; /* fn said yes at least once */
};

static u64 area_va(const struct vm_area *a, u64 index)
{
	return a->start + ((index - a->index) << PAGE_SHIFT);
}

/* The page of the object below at index can be seen through s. */
static bool shows(const struct vm_object *s, u64 index)
{
	return index >= s->backing_index && (index - s->backing_index) << PAGE_SHIFT < s->size &&
	       !radix_get(&s->pages, index - s->backing_index);
}

static void walk_object(struct walk *w, struct vm_object *o, u64 index)
{
	struct vm_area *a;
	struct vm_object *s;

	for (a = rmap_first(o, index, index); a && w->left; a = rmap_next(a, index, index)) {
		struct pmap *p = &a->map->pmap;

		enter_space(&w->change, p);
		if (w->fn(p, area_va(a, index), w->frame, &w->change.batch)) {
			w->any = true;
			w->left--;
		}
	}
	if (!object_is_anon(o))
		return;
	list_for_each(s, &o->shadows, shadow_link) {
		if (!w->left)
			return;
		if (shows(s, index))
			walk_object(w, s, index - s->backing_index);
	}
}

static bool walk_frame(struct frame *f,
		       bool (*fn)(struct pmap *, u64, struct frame *, struct tlb_batch *),
		       struct tlb_round *r)
{
	struct walk w;

	ASSERT(spin_held(f->object->lock));
	w.frame = f;
	w.fn = fn;
	w.left = READ_ONCE(f->mapcount);
	w.any = false;
	change_begin(&w.change, r);
	if (w.left)
		walk_object(&w, f->object, f->index);
	leave_spaces(&w.change);
	return w.any;
}

/* Several frames of one object: address space by address space. */
#define RMAP_MANY 64UL /* at once */

struct walk_many {
	struct frame **frames;
	bool (*fn)(struct pmap *p, u64 va, struct frame *f, struct tlb_batch *b);
	struct change *change;
	u64 live; /* bit i: not all PTEs of frame i were found yet */
	u32 left[RMAP_MANY];
};

static void many_in_area(struct walk_many *w, struct vm_area *a, u64 mask, u64 off)
{
	struct pmap *p = &a->map->pmap;

	enter_space(w->change, p);
	for (; mask; mask &= mask - 1) {
		unsigned i = __builtin_ctzl(mask);
		u64 index = w->frames[i]->index - off;

		if (index < a->index || index > area_last(a))
			continue;
		if (w->fn(p, area_va(a, index), w->frames[i], &w->change->batch) && !--w->left[i])
			w->live &= ~(1UL << i);
	}
}

/* Frames of mask are seen through o, at off below their own indices. */
static void walk_many(struct walk_many *w, struct vm_object *o, u64 mask, u64 off)
{
	u64 first = w->frames[__builtin_ctzl(mask)]->index - off;
	u64 last = first;
	struct vm_object *s;

	for (u64 m = mask; m; m &= m - 1) {
		u64 index = w->frames[__builtin_ctzl(m)]->index - off;

		first = MIN(first, index);
		last = MAX(last, index);
	}
	for (struct vm_area *a = rmap_first(o, first, last); a && (mask & w->live);
	     a = rmap_next(a, first, last))
		many_in_area(w, a, mask & w->live, off);
	if (!object_is_anon(o))
		return;
	list_for_each(s, &o->shadows, shadow_link) {
		u64 seen = 0;

		for (u64 m = mask & w->live; m; m &= m - 1) {
			unsigned i = __builtin_ctzl(m);

			if (shows(s, w->frames[i]->index - off))
				seen |= 1UL << i;
		}
		if (seen)
			walk_many(w, s, seen, off + s->backing_index);
		if (!(mask & w->live))
			return;
	}
}

static void walk_some(struct walk_many *w, struct frame **f, size_t n)
{
	w->frames = f;
	w->live = 0;
	for (size_t i = 0; i < n; i++) {
		w->left[i] = READ_ONCE(f[i]->mapcount);
		if (w->left[i])
			w->live |= 1UL << i;
	}
	if (w->live)
		walk_many(w, f[0]->object, w->live, 0);
}

static void walk_frames(struct frame **f, size_t n,
			bool (*fn)(struct pmap *, u64, struct frame *, struct tlb_batch *),
			struct tlb_round *r)
{
	struct change change;
	struct walk_many w;

	w.fn = fn;
	w.change = &change;
	change_begin(&change, r);
	for (size_t done = 0; done < n; done += RMAP_MANY)
		walk_some(&w, f + done, MIN(n - done, RMAP_MANY));
	leave_spaces(&change);
}

void rmap_write_protect_all(struct frame **f, size_t n, struct tlb_round *r)
{
	walk_frames(f, n, pmap_write_protect_frame, r);
}

void rmap_unmap_unused(struct frame **f, size_t n, struct tlb_round *r)
{
	walk_frames(f, n, pmap_unmap_unused, r);
}

void rmap_unmap_all(struct frame **f, size_t n)
{
	walk_frames(f, n, pmap_unmap_frame, NULL);
}

bool rmap_unmap(struct frame *f, struct tlb_round *r)
{
	walk_frame(f, pmap_unmap_frame, r);
	return READ_ONCE(f->mapcount) == 0;
}

static bool test_ref(struct pmap *p, u64 va, struct frame *f, struct tlb_batch *b __unused)
{
	return pmap_test_clear_ref(p, va, f);
}

bool rmap_referenced(struct frame *f)
{
	return walk_frame(f, test_ref, NULL);
}

/* An area of o, or of a shadow that sees o's page at index, is locked. */
static bool locked_in(struct vm_object *o, u64 index)
{
	struct vm_area *a;
	struct vm_object *s;

	for (a = rmap_first(o, index, index); a; a = rmap_next(a, index, index))
		if (a->flags & AREA_LOCKED)
			return true;
	if (!object_is_anon(o))
		return false;
	list_for_each(s, &o->shadows, shadow_link)
		if (shows(s, index) && locked_in(s, index - s->backing_index))
			return true;
	return false;
}

bool rmap_locked(struct frame *f)
{
	return f->object->kept || locked_in(f->object, f->index);
}

void vm_object_keep(struct vm_object *o, bool keep)
{
	spin_lock(o->lock);
	o->kept = keep;
	spin_unlock(o->lock);
}

void vm_object_close(struct vm_object *o)
{
	spin_lock(o->lock);
	o->closed = true;
	spin_unlock(o->lock);
}

bool vm_object_mapped_writable(struct vm_object *o)
{
	bool found = false;

	spin_lock(o->lock);
	for (struct rb_node *n = rb_first(&o->areas); n && !found; n = rb_next(n)) {
		struct vm_area *a = obj_area(n);

		found = (a->flags & AREA_SHARED) && (a->max_prot & PROT_WRITE);
	}
	spin_unlock(o->lock);
	return found;
}

/* ---- private shadows above a vnode ---- */

/*
 * Drops from every mapping of shadow tree s the PTEs that map frames of the vnode object; with vnode NULL all PTEs of the range, and the shadows' own
 * pages there too (truncation: Linux takes private copies beyond the new end away as well). The family's lock is held.
 */
static NO_TS void zap_shadow(struct vm_object *s, struct vm_object *vnode, u64 first, u64 last)
	REQUIRES(s->lock)
{
	struct vm_area *a;
	struct vm_object *up;

	for (a = rmap_first(s, first, last); a; a = rmap_next(a, first, last)) {
		u64 lo = MAX(first, a->index), hi = MIN(last, area_last(a));
		struct tlb_batch b;

		pmap_change_begin(&b, &a->map->pmap);
		for (u64 i = lo; i <= hi; i++) {
			pte_t pte = pmap_lookup(&a->map->pmap, area_va(a, i));
			struct frame *f =
				pte & PTE_V && !(pte & PTE_SOFT0) ? pa_frame(PTE_PA(pte)) : NULL;

			if (f && (!vnode || f->object == vnode))
				pmap_unmap_frame(&a->map->pmap, area_va(a, i), f, &b);
		}
		pmap_change_end(&b);
	}
	list_for_each(up, &s->shadows, shadow_link) {
		u64 off = up->backing_index, end = off + (up->size >> PAGE_SHIFT);

		if (last < off || first >= end)
			continue;
		zap_shadow(up, vnode, MAX(first, off) - off, MIN(last, end - 1) - off);
	}
	if (!vnode)
		object_purge_locked(s, first, last);
}

/* The shadow of o after s (NULL: the first), held. s, held too, cannot have left the list. NULL past the end. */
static struct vm_object *next_shadow(struct vm_object *o, struct vm_object *s)
{
	struct list *l;

	spin_lock(o->lock);
	ASSERT(!s || s->backing == o);
	for (l = s ? s->shadow_link.next : o->shadows.next; l != &o->shadows; l = l->next) {
		u32 *refs = &list_entry(l, struct vm_object, shadow_link)->refs,
		    n = READ_ONCE(*refs);

		/* one that has lost its last reference is about to leave */
		while (n && !__atomic_compare_exchange_n(refs, &n, n + 1, false, __ATOMIC_RELAXED,
							 __ATOMIC_RELAXED))
			;
		if (n)
			break;
	}
	spin_unlock(o->lock);
	return l == &o->shadows ? NULL : list_entry(l, struct vm_object, shadow_link);
}

void rmap_unmap_shadows(struct vm_object *o, u64 first, u64 last, bool copies)
{
	struct vm_object *s, *next;

	/* New shadows go to the tail, and a shadow made meanwhile maps only what the object still has. */
	for (s = next_shadow(o, NULL); s; s = next) {
		u64 off, end;

		spin_lock(s->lock);
		off = s->backing_index;
		end = off + (s->size >> PAGE_SHIFT);
		if (last >= off && first < end)
			zap_shadow(s, copies ? NULL : o, MAX(first, off) - off,
				   MIN(last, end - 1) - off);
		spin_unlock(s->lock);
		next = next_shadow(o, s);
		vm_object_drop(s);
	}
	tlb_settle();
}
