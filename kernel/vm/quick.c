// SPDX-License-Identifier: BSD-2-Clause
/*
 * Faults that come often and need one thing only, without the loop of fault.c:
 *
 *	read, nobody has written to the area yet	the zero page
 *	write, the same					the area's object, and its first page
 *	write, a page of a file below a shadow		a copy in the shadow
 *
 * Each looks whether the fault is its own and does it.  Where anything is unusual, or memory is short, it answers false: what it has done
 * by then is right in itself, and fault.c does the rest.
 *
 * Locks: the map (read) is held; the order is that of fault.c.  Nothing is allocated, zeroed or copied under a spin lock.
 */
#include "kernel/vm/fault.h"

bool quick_read(struct vm_map *m, u64 va, const struct vm_area *a)
{
	u64 pages = (a->end - va) >> PAGE_SHIFT;
	unsigned n = a->flags & AREA_RANDOM ? 1 : MIN(pages, (u64)WINDOW);
	bool done;

	spin_lock(&m->attach_lock); /* keeps the area without an object */
	done = !a->objlock && pmap_enter_zero(&m->pmap, va, n, a->prot) == 0;
	spin_unlock(&m->attach_lock);
	if (done)
		vm_count(VMEV_zero_page_reads, 1);
	return done;
}

/* f becomes the page of o at index, where none is, and is mapped writable; without memory for that it may be freed. o is locked on entry, not on
 * return. */
static NO_TS bool enter_new(struct vm_map *m, u64 va, u32 prot, struct vm_object *o, u64 index,
			    struct frame *f) RELEASES(o->lock)
{
	struct tlb_batch b;
	bool done;

	if (unlikely(radix_insert(&o->pages, index, (uintptr_t)f, NULL))) {
		spin_unlock(o->lock);
		frame_free(f);
		return false;
	}
	page_new(f);
	page_insert_locked(o, f, index);
	tlb_begin(&b, &m->pmap);
	done = pmap_enter(&m->pmap, va, f, prot, true, &b) == 0;
	spin_unlock(o->lock);
	tlb_finish(&b);
	return done;
}

NO_TS bool quick_first_write(struct vm_map *m, u64 va, struct vm_area *a)
{
	struct frame *f = frame_alloc(FA_USER | FA_ZERO);
	struct vm_object *o = f ? object_alloc(NULL) : NULL;

	if (unlikely(!f))
		return false;
	if (likely(o)) {
		o->size = a->end - a->start;
		spin_lock(&m->attach_lock);
		if (likely(!a->objlock)) {
			spin_lock(o->lock);
			a->needs_copy = false;
			area_attach_locked(a, o, a->index);
			spin_unlock(&m->attach_lock);
			return enter_new(m, va, a->prot, o, area_index(a, va), f);
		}
		spin_unlock(&m->attach_lock);
		object_free(o);
	}
	frame_free(f);
	return false;
}

/* The area's object (locked) is a shadow right above a file, and ours to write; else NULL. */
static inline NO_TS struct vm_object *lock_shadow_of_file(struct vm_area *a)
{
	struct vm_object *o = area_lock_object(a);

	if (o && o->kind == OBJ_SHADOW && !a->needs_copy && o->backing->kind == OBJ_VNODE)
		return o;
	if (o)
		spin_unlock(o->lock);
	return NULL;
}

static bool within(const struct vm_object *file, u64 index)
{
	return index < DIV_ROUND_UP(READ_ONCE(file->size), PAGE_SIZE);
}

/* The file's page at index, held, if it can be copied; else NULL. */
static NO_TS struct frame *file_page(struct vm_object *file, u64 index)
{
	struct frame *f;

	spin_lock(file->lock);
	f = within(file, index) ? word_frame(page_word(file, index)) : NULL;
	if (f && (__atomic_load_n(&f->flags, __ATOMIC_ACQUIRE) & (FR_VALID | FR_BUSY)) == FR_VALID)
		vm_page_hold(f);
	else
		f = NULL;
	spin_unlock(file->lock);
	return f;
}

/*
 * Puts f, a copy of src, into a's shadow, if the fault would still copy src.  The shadow's lock is enough for that: a truncation sets the size, takes the page
 * out of the file, and comes to the shadows after that, to take their pages away as well.
 */
static NO_TS bool enter_copy(struct vm_map *m, u64 va, struct vm_area *a, struct frame *src,
			     struct frame *f)
{
	struct vm_object *o = lock_shadow_of_file(a);
	u64 index = area_index(a, va);

	if (likely(o && READ_ONCE(src->object) == o->backing &&
		   src->index == index + o->backing_index && within(o->backing, src->index) &&
		   !page_word(o, index)))
		return enter_new(m, va, a->prot, o, index, f);
	if (o)
		spin_unlock(o->lock);
	frame_free(f);
	return false;
}

NO_TS bool quick_file_copy(struct vm_map *m, u64 va, struct vm_area *a)
{
	struct vm_object *o = lock_shadow_of_file(a);
	struct frame *src = NULL, *f;
	bool done = false;
	u64 index;

	if (!o)
		return false;
	index = area_index(a, va);
	if (!page_word(o, index))
		src = file_page(o->backing, index + o->backing_index);
	spin_unlock(o->lock);
	if (!src)
		return false;
	f = frame_alloc(FA_USER);
	if (likely(f)) {
		page_copy(frame_va(f), frame_va(src));
		vm_count(VMEV_cow_copies, 1);
		done = enter_copy(m, va, a, src, f);
	}
	vm_page_put(src); /* other harts have forgotten it by now */
	return done;
}
