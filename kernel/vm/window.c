// SPDX-License-Identifier: BSD-2-Clause
/*
 * Neighbours: what a fault maps beside the page it was taken for.
 *
 *	new pages		 before:  # # # # . . . . . #	     after:  # # # # N e e e . #
 *	(zeroes or copies)		  run     ^ fault			     ^ as many as the run, at most WINDOW, in all
 *	resident pages		 those of the aligned WINDOW around the fault that the same object has
 *	zero page		 up to WINDOW pages from the fault on, if the page before it is mapped
 *
 * New pages cost memory, so they come only where memory is written in order: the run of pages just below the fault is looked at, and at
 * most as many are made.  Sparse use gets single pages; memory made ahead is at most as much as lies in front of it.  Nothing is made
 * for shared or MADV_RANDOM areas, nor when free memory is near its watermarks.  Failing to make them is no error.
 *
 * Everything here works on a struct fault of fault.c and has its locks: the map (read) and, unless said otherwise, the objects of the chain.
 */
#include "kernel/vm/fault.h"

/* How many pages from the fault's on lie in its area and its leaf table, at most max. */
static unsigned reach(const struct fault *ft, unsigned max)
{
	u64 pages = (ft->area->end - ft->va) >> PAGE_SHIFT;
	unsigned table = PT_ENTRIES - PT_INDEX(ft->va, 0);

	return MIN(MIN(pages, table), max);
}

/* How many indices from distance `from` on are in no object of the chain above `stop`, at most max. */
static unsigned room(const struct fault *ft, unsigned from, const struct vm_object *stop,
		     unsigned max)
{
	u64 index = ft->index + from;

	for (const struct vm_object *o = ft->top; max && o != stop; o = o->backing) {
		max = radix_room(&o->pages, index, max);
		index += o->backing_index;
	}
	return max;
}

/* The page of found at this distance, if it may be copied. */
static NO_TS struct frame *source_at(const struct fault *ft, unsigned distance)
{
	struct vm_object *o = ft->found;
	u64 index = ft->found_index + distance;
	struct frame *f;

	if ((o->kind == OBJ_VNODE || o->sized) && index >= DIV_ROUND_UP(o->size, PAGE_SIZE))
		return NULL;
	f = page_lookup(o, index);
	return f && (READ_ONCE(f->flags) & (FR_VALID | FR_BUSY)) == FR_VALID ? f : NULL;
}

bool window_plan(struct fault *ft, struct frame *src)
{
	const struct vm_area *a = ft->area;
	unsigned n;

	ft->planned = true;
	ft->nextra = ft->nfilled = 0;
	if ((a->flags & (AREA_SHARED | AREA_RANDOM | AREA_TRACKED)) || a->needs_copy ||
	    ft->found->sized)
		return false;
	/* a page of a file that was not written yet goes on showing the file */
	if (src && ft->found->kind == OBJ_VNODE)
		return false;
	n = radix_run_before(&ft->top->pages, ft->index, WINDOW);
	if (n < 2)
		return false;
	/* the leaf of the tree that the first page makes or finds takes the others too */
	n = MIN(reach(ft, n), RADIX_SLOTS - (unsigned)(ft->index % RADIX_SLOTS));
	if (n < 2 || !frames_plenty())
		return false;
	n = room(ft, 1, src ? ft->found : NULL, n - 1);
	for (; ft->nextra < n; ft->nextra++) {
		struct frame *f = src ? source_at(ft, ft->nextra + 1) : NULL;

		if (src && !f)
			break;
		if (f)
			vm_page_hold(f);
		ft->extra_src[ft->nextra] = f;
	}
	return ft->nextra;
}

void window_fill(struct fault *ft)
{
	struct frame *const *src = ft->extra_src;

	if (!ft->nextra)
		return;
	ft->nfilled = frame_alloc_some(ft->extra, ft->nextra,
				       FA_USER | FA_NOWAIT | (src[0] ? 0 : FA_ZERO));
	if (!src[0])
		return;
	for (unsigned i = 0; i < ft->nfilled; i++)
		page_copy(frame_va(ft->extra[i]), frame_va(src[i]));
	vm_count(VMEV_cow_copies, ft->nfilled);
}

NO_TS void window_insert(struct fault *ft)
{
	struct frame *const *src = ft->extra_src;
	/* a collapse since window_plan may have renumbered the pages */
	unsigned left = RADIX_SLOTS - 1 - (unsigned)(ft->index % RADIX_SLOTS), k = 0;
	unsigned n = room(ft, 1, src[0] ? ft->found : NULL, MIN(ft->nfilled, left));

	while (src[0] && k < n && source_at(ft, k + 1) == src[k])
		k++;
	if (src[0])
		n = k;
	n = MIN(n, radix_leaf_left(&ft->top->pages, ft->index + 1));
	if (!n)
		return;
	page_insert_run_locked(ft->top, ft->extra, ft->index + 1, n);
	pmap_enter_run(&ft->map->pmap, ft->va + PAGE_SIZE, ft->extra, n, ft->area->prot,
		       &ft->batch);
	vm_count(VMEV_fault_ahead, n);
	for (k = 0; k < n; k++)
		ft->extra[k] = NULL;
}

void window_drop(struct fault *ft)
{
	for (unsigned i = 0; i < ft->nextra; i++) {
		if (ft->extra_src[i])
			vm_page_put(ft->extra_src[i]);
		if (i < ft->nfilled && ft->extra[i])
			vm_page_put(ft->extra[i]);
	}
	ft->planned = false;
	ft->nextra = ft->nfilled = 0;
}

/* The chain has a page of its own above found's at this distance from the fault. */
static NO_TS bool hidden(struct fault *ft, s64 distance)
{
	u64 index = ft->index + distance;

	for (struct vm_object *o = ft->top; o != ft->found; o = o->backing) {
		if (page_word(o, index))
			return true;
		index += o->backing_index;
	}
	return false;
}

void window_map_resident(struct fault *ft, bool writable)
{
	struct vm_area *a = ft->area;
	struct vm_object *o = ft->found;
	u64 block = ALIGN_DOWN(ft->va, WINDOW * PAGE_SIZE);
	u64 start = MAX(block, a->start), end = MIN(block + WINDOW * PAGE_SIZE, a->end);
	u64 first = ft->found_index - ((ft->va - start) >> PAGE_SHIFT), idx[WINDOW];
	u64 last = first + ((end - start) >> PAGE_SHIFT) - 1;
	u32 want = FR_VALID | (writable ? FR_DIRTY : 0), mask = want | FR_BUSY;
	struct frame *around[WINDOW] = {NULL};
	uintptr_t words[WINDOW];
	size_t n;

	if (writable)
		mask |= FR_CLEANING;
	if (o->kind == OBJ_VNODE || o->sized)
		last = MIN(last, DIV_ROUND_UP(o->size, PAGE_SIZE) - 1);
	n = first < last ? radix_gather(&o->pages, first, last, words, idx, WINDOW) : 0;
	if (n < 2)
		return;
	for (size_t i = 0; i < n; i++) {
		struct frame *f = word_frame(words[i]);

		if (!f || (READ_ONCE(f->flags) & mask) != want || f == ft->frame)
			continue;
		if (o == ft->top || !hidden(ft, idx[i] - ft->found_index))
			around[idx[i] - first] = f;
	}
	vm_count(VMEV_fault_around,
		 pmap_enter_around(&ft->map->pmap, start, around, (end - start) >> PAGE_SHIFT,
				   a->prot, writable));
}

unsigned window_zero(struct fault *ft)
{
	unsigned n;

	if (ft->area->flags & AREA_RANDOM)
		return 1;
	n = reach(ft, WINDOW);
	return n < 2 || !ft->top ? n : 1 + room(ft, 1, NULL, n - 1);
}
