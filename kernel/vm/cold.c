// SPDX-License-Identifier: BSD-2-Clause
/*
 * madvise about pages that will not be needed: COLD (not soon), PAGEOUT (go now) and FREE (never again as they are).
 *
 * They work on the object that an area maps and not on what lies below it in the chain, which others see too.  A page that is held, under transfer, locked or
 * mapped more than once is left as it is.
 *
 * A page given up by FREE is clean, has no slot, and FR_LAZY.  Like a page of zeroes it leaves nothing when the clock takes it, and reads as zero from then
 * on; a store before that makes it dirty and keeps it (page_set_dirty_locked).
 *
 * Locks: the object's, for a chunk of pages at a time.
 */
#include "kernel/vm/vm_internal.h"

#define CHUNK COLD_CHUNK

struct chunk {
	struct frame *f[CHUNK];
	size_t n;
};

static bool is_idle(struct frame *f)
{
	u32 flags = READ_ONCE(f->flags);

	return (flags & (FR_VALID | FR_BUSY | FR_CLEANING | FR_LAUNDRY | FR_WIRED)) == FR_VALID &&
	       READ_ONCE(f->holds) == 1 && READ_ONCE(f->mapcount) <= 1 && !rmap_locked(f);
}

/* Pages of [first, first + CHUNK), to last, that nobody does anything with. Locked. */
static void find_idle(struct vm_object *o, u64 first, u64 last, struct chunk *c)
{
	uintptr_t words[CHUNK];
	size_t got =
		radix_gather(&o->pages, first, MIN(last, first + CHUNK - 1), words, NULL, CHUNK);

	c->n = 0;
	for (size_t i = 0; i < got; i++) {
		struct frame *f = word_frame(words[i]);

		if (f && is_idle(f))
			c->f[c->n++] = f;
	}
}

/* ---- cold ---- */

/* Nothing is known of their use: the clock takes them when it comes by, unless they are used until then. */
void vm_object_cool(struct vm_object *o, u64 first, u64 last)
{
	struct chunk c;

	for (; first <= last; first += CHUNK) {
		spin_lock(o->lock);
		find_idle(o, first, last, &c);
		for (size_t i = 0; i < c.n; i++) {
			page_clear(c.f[i], FR_REF);
			rmap_referenced(c.f[i]);
		}
		spin_unlock(o->lock);
	}
}

/* ---- out ---- */

/* A clean page goes; dirty ones of anonymous memory to the laundry. True: the frame is the caller's to release. Locked. */
static bool push_one(struct vm_object *o, struct frame *f)
{
	if (READ_ONCE(f->mapcount))
		return false;
	if (page_has(f, FR_DIRTY) || (page_has(f, FR_ERROR) && !object_is_anon(o))) {
		if (object_is_anon(o) && swap_any_free())
			laundry_add(f);
		return false;
	}
	if (object_is_anon(o))
		anon_evict(f, clock_time_of(f));
	else
		page_leave_history(f, clock_time_of(f));
	return true;
}

static void push_chunk(struct vm_object *o, u64 first, u64 last)
{
	size_t gone = 0;
	struct chunk c;

	spin_lock(o->lock);
	find_idle(o, first, last, &c);
	rmap_unmap_all(c.f, c.n);
	for (size_t i = 0; i < c.n; i++)
		if (push_one(o, c.f[i]))
			c.f[gone++] = c.f[i];
	spin_unlock(o->lock);
	frames_release(c.f, gone);
}

static void wash(void)
{
	struct thread *me = current();
	bool before = me->pageout;

	me->pageout = true;
	laundry_run();
	me->pageout = before;
}

static void push_all(struct vm_object *o, u64 first, u64 last)
{
	for (; first <= last && !sched_signal_pending(WAIT_KILL); first += CHUNK) {
		if (laundry_room() < CHUNK)
			wash();
		push_chunk(o, first, last);
	}
	if (laundry_waiting())
		wash();
}

/* Until no page of the range is being written to swap. */
static void wait_washed(struct vm_object *o, u64 first, u64 last)
{
	u64 index = first;
	uintptr_t w;

	spin_lock(o->lock);
	while ((w = radix_next(&o->pages, &index, last))) {
		struct frame *f = word_frame(w);

		if (f && page_has(f, FR_CLEANING)) {
			vm_page_hold(f);
			spin_unlock(o->lock);
			page_wait(f, FR_CLEANING);
			vm_page_put(f);
			spin_lock(o->lock);
		}
		if (++index == 0)
			break;
	}
	spin_unlock(o->lock);
}

void vm_object_push_out(struct vm_object *o, u64 first, u64 last)
{
	if (object_is_anon(o)) {
		push_all(o, first, last); /* those that are dirty are clean after this */
		wait_washed(o, first, last);
	} else if (vm_object_clean(o, first, last, true)) {
		return;
	}
	push_all(o, first, last);
}

/* ---- free ---- */

/* Pages in swap give up their slots. Locked. */
static void drop_slots(struct vm_object *o, u64 first, u64 last)
{
	uintptr_t w;

	while (o->swapped && first <= last && (w = radix_next(&o->pages, &first, last))) {
		if (word_is_swap(w)) {
			if (o->backing)
				radix_replace(&o->pages, first, WORD_ZERO);
			else
				radix_remove(&o->pages, first);
			word_drop(o, w);
		}
		first++;
	}
}

void vm_object_free_lazily(struct vm_object *o, u64 first, u64 last)
{
	struct chunk c;

	ASSERT(spin_held(o->lock) && last - first < CHUNK);
	drop_slots(o, first, last);
	find_idle(o, first, last, &c);
	rmap_write_protect_all(c.f, c.n, NULL);
	for (size_t i = 0; i < c.n; i++) {
		struct frame *f = c.f[i];

		page_clear(f, FR_DIRTY | FR_REF | FR_ERROR);
		page_set(f, FR_LAZY);
		if (f->swap_slot)
			frame_slot_free(f);
		rmap_referenced(f);
	}
	vm_count(VMEV_pglazyfree, c.n);
}
