// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory objects: life, size, and the removal of pages.
 *
 * References: one for each area that maps the object, one for each shadow above it, and those of other holders.  Objects embedded in a vnode delegate counting to
 * their pager's hold and drop.  An anonymous object dies with its last reference: it is unlinked from its backing object, its
 * frames go in one pass over the radix tree, and what that made possible below (collapse, bypass) is done at once.
 *
 * Removing pages: the order is size first (so that no fault or read finds them again), then mappings, then frames; a frame under transfer or held BUSY by
 * somebody is waited for.  Held frames become orphans.
 */
#include "kernel/vm/vm_internal.h"
#include "kernel/lib/ref.h"

static struct kmem_cache *object_cache, *family_cache;

void object_init(void)
{
	object_cache = kmem_cache_create("vm_object", sizeof(struct vm_object), 0);
	family_cache = kmem_cache_create("vm_family", sizeof(struct vm_family), 0);
	ASSERT(object_cache && family_cache);
}

/* Every field, one by one: first writes to memory wait for this, and clearing the whole first would take as long again. */
static inline void object_setup(struct vm_object *o, enum vm_object_kind kind,
				const struct vm_pager_ops *ops, u64 size)
{
	spin_init(&o->own_lock, LOCK_OBJECT, "vm_object");
	o->lock = &o->own_lock;
	o->kind = kind;
	o->sized = o->dead = o->kept = o->closed = false;
	o->refs = 0;
	o->ops = ops;
	o->family = NULL;
	o->size = size;
	radix_init(&o->pages);
	o->resident = o->swapped = 0;
	list_init(&o->owner_link);
	o->areas = rmap_tree_init;
	o->nareas = 0;
	o->backing = NULL;
	o->backing_index = 0;
	list_init(&o->shadows);
	list_init(&o->shadow_link);
	o->nshadows = o->writeback = o->stored = 0;
	o->wb_error = 0;
	o->nerrors = o->errors_told = 0;
	o->ndirty = 0;
	o->failed = 0;
}

void vm_object_init_vnode(struct vm_object *o, const struct vm_pager_ops *ops, u64 size)
{
	object_setup(o, OBJ_VNODE, ops, size);
}

struct vm_object *object_alloc(struct vm_family *fam)
{
	struct vm_object *o = kmem_cache_alloc(object_cache, 0);

	if (!o)
		return NULL;
	object_setup(o, OBJ_ANON, &anon_pager_ops, 0);
	if (!fam) {
		fam = kmem_cache_alloc(family_cache, 0);
		if (!fam) {
			kmem_cache_free(object_cache, o);
			return NULL;
		}
		spin_init(&fam->lock, LOCK_OBJECT_FAMILY, "family");
		fam->refs = 0;
	}
	ref_get_first(&fam->refs);
	o->family = fam;
	o->lock = &fam->lock;
	o->refs = 1;
	vm_count(VMEV_objects_created, 1);
	return o;
}

void object_free(struct vm_object *o)
{
	struct vm_family *fam = o->family;

	ASSERTF(o->pages.count == 0 && !o->areas.root && list_empty(&o->shadows) && !o->backing,
		"object %p: %lu pages, backing %p", (void *)o, o->pages.count, (void *)o->backing);
	anon_forget(o);
	clock_quiesce();
	if (fam && ref_put(&fam->refs) == 0)
		kmem_cache_free(family_cache, fam);
	kmem_cache_free(object_cache, o);
	vm_count(VMEV_objects_freed, 1);
}

struct vm_object *vm_object_create_anon(u64 size)
{
	struct vm_object *o = object_alloc(NULL);

	if (o) {
		o->size = size;
		o->sized = true;
	}
	return o;
}

struct vm_object *vm_object_create_device(paddr_t pa, u64 size)
{
	struct vm_object *o = kmem_cache_alloc(object_cache, 0);

	if (!o)
		return NULL;
	object_setup(o, OBJ_DEVICE, &device_pager_ops, size);
	o->backing_index = pa >> PAGE_SHIFT;
	o->refs = 1;
	return o;
}

void vm_object_hold(struct vm_object *o)
{
	object_hold(o);
}

/* ---- freeing pages in bulk ---- */

#define BATCH 64
struct batch {
	struct vm_object *o; /* of detach_word */
	size_t n;
	struct frame *f[BATCH]; /* those from n on are not set */
};

static void batch_add(struct batch *b, struct frame *f)
{
	if (b->n == BATCH) {
		frames_release(b->f, b->n);
		b->n = 0;
	}
	b->f[b->n++] = f;
}

static void detach_word(uintptr_t word, u64 index __unused, void *arg)
{
	struct frame *f = word_frame(word);
	struct batch *b = arg;

	if (unlikely(!f)) {
		word_drop(b->o, word);
		return;
	}
	page_detach(f);
	batch_add(b, f);
}

/* Every page of a dead object at once: nothing can be busy with it but transfers, which hold their frames. */
static void free_all_pages(struct vm_object *o)
{
	struct batch b;

	b.o = o;
	b.n = 0;
	radix_remove_range(&o->pages, 0, ~0UL, detach_word, &b);
	frames_release(b.f, b.n);
}

NO_TS void vm_object_drop(struct vm_object *o)
{
	struct vm_object *backing;
	struct list dead;

	for (; o; o = backing) {
		if (o->ops->drop) {
			o->ops->drop(o);
			return;
		}
		list_init(&dead);
		spin_lock(o->lock);
		if (ref_put(&o->refs) > 0) {
			struct spinlock *l = o->lock;

			/* keep the family while its lock is held: o itself may be merged away */
			struct vm_family *fam = o->family;
			if (fam)
				ref_get_first(&fam->refs);
			if (object_is_anon(o))
				shadow_simplify(o, &dead);
			spin_unlock(l);
			if (fam && ref_put(&fam->refs) == 0)
				kmem_cache_free(family_cache, fam);
			objects_reap(&dead);
			return;
		}
		o->dead = true;
		free_all_pages(o);
		backing = o->backing;
		if (backing)
			shadow_unlink_backing(o);
		spin_unlock(o->lock);
		object_free(o);
	}
}

void objects_reap(struct list *dead)
{
	struct list *l;

	while ((l = list_pop(dead))) {
		object_free(list_entry(l, struct vm_object, shadow_link));
	}
}

/* ---- removing pages ---- */

/* Removes f (locked on entry and exit; the lock is dropped to wait). False: something was waited for, look again. *held: others hold it too. */
static bool remove_one(struct vm_object *o, struct frame *f, struct batch *b, bool *held)
	REQUIRES(o->lock)
{
	if (page_has(f, FR_BUSY | FR_CLEANING)) {
		vm_page_hold(f);
		spin_unlock(o->lock);
		page_wait(f, FR_BUSY | FR_CLEANING);
		vm_page_put(f);
		spin_lock(o->lock);
		return false;
	}
	if (READ_ONCE(f->mapcount) && !rmap_unmap(f, NULL)) {
		u64 index = f->index;

		/* mapped through private shadows of a file */
		spin_unlock(o->lock);
		rmap_unmap_shadows(o, index, index, false);
		spin_lock(o->lock);
		return false;
	}
	*held |= READ_ONCE(f->holds) != 1;
	page_remove_locked(f);
	batch_add(b, f);
	return true;
}

void vm_object_remove(struct vm_object *o, u64 first, u64 last)
{
	u64 index = first;
	bool held = false;
	struct batch b;
	uintptr_t w;

	b.n = 0;
	if (first > last)
		return;
	spin_lock(o->lock);
	while ((w = radix_next(&o->pages, &index, last))) {
		if (!word_frame(w)) {
			radix_remove(&o->pages, index);
			word_drop(o, w);
		} else if (!remove_one(o, word_frame(w), &b, &held)) {
			continue;
		}
		if (++index == 0)
			break;
	}
	spin_unlock(o->lock);
	frames_release(b.f, b.n);
	/* whoever unmapped a page in an open round holds it */
	if (held)
		tlb_settle();
}

/* Waits until the page at index is no longer in transfer, then zeroes it from offset on. */
static void zero_tail(struct vm_object *o, u64 index, u32 from)
{
	struct frame *f;

	for (;;) {
		spin_lock(o->lock);
		f = page_lookup(o, index);
		if (!f && object_is_anon(o) && page_word(o, index)) {
			spin_unlock(o->lock);
			if (anon_bring_in(o, index, 1, NULL) == 0 || vm_reclaim(1))
				continue;
			spin_lock(o->lock);
			break;
		}
		if (!f || !page_has(f, FR_BUSY | FR_CLEANING))
			break;
		vm_page_hold(f);
		spin_unlock(o->lock);
		page_wait(f, FR_BUSY | FR_CLEANING);
		vm_page_put(f);
	}
	if (f && page_has(f, FR_VALID)) {
		memset((u8 *)frame_va(f) + from, 0, PAGE_SIZE - from);
		if (object_is_anon(o))
			page_set_dirty_locked(f);
	}
	spin_unlock(o->lock);
}

void vm_object_set_size(struct vm_object *o, u64 size)
{
	u64 old;

	spin_lock(o->lock);
	old = o->size;
	o->size = size;
	spin_unlock(o->lock);
	if (size < old) {
		u64 first = DIV_ROUND_UP(size, PAGE_SIZE);

		vm_object_remove(o, first, ~0UL);
		if (READ_ONCE(o->nshadows))
			rmap_unmap_shadows(o, first, ~0UL, true);
		if (size & PAGE_MASK)
			zero_tail(o, size >> PAGE_SHIFT, size & PAGE_MASK);
	} else if (size > old && (old & PAGE_MASK) && o->kind == OBJ_VNODE) {
		zero_tail(o, old >> PAGE_SHIFT, old & PAGE_MASK);
	}
}

void vm_object_clear_tail(struct vm_object *o)
{
	u64 size = READ_ONCE(o->size);

	if ((size & PAGE_MASK) && o->kind == OBJ_VNODE)
		zero_tail(o, size >> PAGE_SHIFT, size & PAGE_MASK);
}

void vm_object_extend(struct vm_object *o, u64 size)
{
	spin_lock(o->lock);
	if (size > o->size)
		o->size = size;
	spin_unlock(o->lock);
}

bool vm_object_has(struct vm_object *o, u64 index)
{
	bool has;

	spin_lock(o->lock);
	has = page_word(o, index) != 0;
	spin_unlock(o->lock);
	return has;
}

size_t vm_object_evict(struct vm_object *o, u64 first, u64 last)
{
	struct batch b = {.n = 0};
	u64 index = first;
	size_t n = 0;
	uintptr_t w;

	if (o->kind != OBJ_VNODE)
		return 0;
	spin_lock(o->lock);
	for (; (w = radix_next(&o->pages, &index, last)); index++) {
		struct frame *f = word_frame(w);

		if (!f || page_has(f, FR_BUSY | FR_CLEANING | FR_DIRTY | FR_ERROR) ||
		    READ_ONCE(f->mapcount) || READ_ONCE(f->holds) != 1)
			continue;
		page_remove_locked(f);
		batch_add(&b, f);
		n++;
	}
	spin_unlock(o->lock);
	frames_release(b.f, b.n);
	return n;
}

void vm_object_fini(struct vm_object *o, bool discard)
{
	ASSERTF(!o->areas.root && list_empty(&o->shadows), "object %p is still mapped", (void *)o);
	ASSERTF(discard || !vm_object_dirty(o), "object %p: %lu dirty pages would be lost",
		(void *)o, o->ndirty);
	vm_object_remove(o, 0, ~0UL);
	ASSERT(o->pages.count == 0 && READ_ONCE(o->writeback) == 0);
	clock_quiesce();
}

void object_purge_locked(struct vm_object *o, u64 first, u64 last)
{
	struct batch b;

	b.o = o;
	b.n = 0;
	radix_remove_range(&o->pages, first, last, detach_word, &b);
	frames_release(b.f, b.n);
}

/* Frees the pages of [first, last] that no area covers. Nobody but areas refers to o. */
static void trim_locked(struct vm_object *o, u64 first, u64 last, struct batch *b) REQUIRES(o->lock)
{
	while (first <= last) {
		struct vm_area *a = rmap_first(o, first, last);
		u64 stop = last;

		if (a && a->index <= first) {
			first = area_last(a) + 1;
			continue;
		}
		if (a)
			stop = a->index - 1;
		radix_remove_range(&o->pages, first, stop, detach_word, b);
		first = stop + 1;
	}
}

/* Mapped pages belong to areas; whoever mapped a sized object may come back to what it left there. */
void object_unseen_locked(struct vm_object *o, u64 first, u64 last)
{
	struct batch b;

	if (!o->pages.count || !object_is_anon(o) || o->sized || !list_empty(&o->shadows) ||
	    READ_ONCE(o->refs) != o->nareas)
		return;
	b.o = o;
	b.n = 0;
	if (o->nareas == 1)
		radix_remove_range(&o->pages, first, last, detach_word, &b);
	else
		trim_locked(o, first, last, &b);
	frames_release(b.f, b.n);
}

/* After areas over [first, last] went away: pages that no other area can see are freed, unless shadows may look through. */
void object_trim(struct vm_object *o, u64 first, u64 last)
{
	struct batch b;

	if (!object_is_anon(o))
		return;
	b.o = o;
	b.n = 0;
	spin_lock(o->lock);
	/* the caller's reference is the only one that is no area's: nobody else may look */
	if (list_empty(&o->shadows) && READ_ONCE(o->refs) == o->nareas + 1)
		trim_locked(o, first, last, &b);
	spin_unlock(o->lock);
	frames_release(b.f, b.n);
}
