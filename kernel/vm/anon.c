// SPDX-License-Identifier: BSD-2-Clause
/*
 * Anonymous pages that are not in memory: the words in the trees of anonymous objects, bringing pages in and putting words in their place, and the
 * list of the objects that own slots.
 *
 * See docs/reclaim.md for the words and invariants S1 to S4.  An object is on `owners` from the first slot that one of its pages gets
 * until it is freed; swapoff walks that list.
 *
 * Locks: the object's lock for its words and its frames' swap_slot; owners_lock (LOCK_SWAP_OWNERS) for the list.
 */
#include "kernel/vm/vm_internal.h"

static struct spinlock owners_lock = SPINLOCK_INIT(LOCK_SWAP_OWNERS, "swap owners");
static struct list owners = LIST_INIT(owners);

/* ---- words ---- */

static void count_swapped(struct vm_object *o, s64 n)
{
	o->swapped += n;
	vm_gauge_add(VMG_swapped, n);
}

void word_drop(struct vm_object *o, uintptr_t word)
{
	ASSERT(word & WORD_KIND);
	if (word_is_swap(word)) {
		count_swapped(o, -1);
		swap_free(WORD_SLOT(word));
	}
}

void word_moved(struct vm_object *from, struct vm_object *to, uintptr_t word)
{
	if (!word_is_swap(word))
		return;
	from->swapped--;
	to->swapped++;
	anon_owns_slots(to);
}

u64 anon_area_pages(struct vm_object *o, u64 first, u64 last)
{
	u64 index = first, n = 0;
	uintptr_t w;

	for (; o->swapped && (w = radix_next(&o->pages, &index, last)); index++) {
		n += word_is_swap(w);
		if (index == ~0UL)
			break;
	}
	return n;
}

void anon_owns_slots(struct vm_object *o)
{
	if (!list_empty(&o->owner_link))
		return;
	spin_lock(&owners_lock);
	list_add_tail(&owners, &o->owner_link);
	spin_unlock(&owners_lock);
}

void anon_forget(struct vm_object *o)
{
	if (list_empty(&o->owner_link))
		return;
	spin_lock(&owners_lock);
	list_del(&o->owner_link);
	spin_unlock(&owners_lock);
}

/* ---- out ---- */

/* What stays in the place of a clean page: its slot, or that it is zero; 0: nothing needs to. */
static uintptr_t word_of(const struct frame *f)
{
	if (f->swap_slot)
		return f->swap_slot;
	if (page_has(f, FR_LAZY))
		vm_count(VMEV_pglazyfreed, 1);
	else if (DEBUG)
		ASSERTF(page_is_zero(frame_va(f)),
			"frame %#lx is clean, has no slot and is not zero", frame_pa(f));
	return f->object->backing ? WORD_ZERO : 0;
}

void anon_evict(struct frame *f, u32 time)
{
	struct vm_object *o = f->object;
	uintptr_t word = word_of(f);

	ASSERTF(!page_has(f, FR_DIRTY | FR_BUSY | FR_CLEANING) && page_has(f, FR_VALID),
		"frame %#lx flags %#x", frame_pa(f), f->flags);
	if (!word) {
		page_remove_locked(f);
		return;
	}
	radix_replace(&o->pages, f->index, word_at(word, time));
	if (f->swap_slot) {
		count_swapped(o, 1);
		__atomic_fetch_sub(&swap_cached, 1, __ATOMIC_RELAXED);
	} else {
		vm_count(VMEV_swap_zero_pages, 1);
	}
	f->swap_slot = 0;
	page_detach(f);
}

/* ---- in ---- */

/* The frame takes the place of the word at index: BUSY, held for the transfer. Locked. */
static void put_busy(struct vm_object *o, struct frame *f, u64 index, uintptr_t word)
	REQUIRES(o->lock)
{
	page_set(f, FR_BUSY | FR_REFAULT);
	f->left = WORD_TIME(word);
	radix_replace(&o->pages, index, (uintptr_t)f);
	page_insert_locked(o, f, index);
	f->holds = 2;
	f->swap_slot = word_at(word, 0);
	count_swapped(o, -1);
	__atomic_fetch_add(&swap_cached, 1, __ATOMIC_RELAXED);
}

/* A page of zeroes is made again. Locked. */
static void put_zero(struct vm_object *o, struct frame *f, u64 index) REQUIRES(o->lock)
{
	page_zero(frame_va(f));
	page_set(f, FR_VALID);
	radix_replace(&o->pages, index, (uintptr_t)f);
	page_insert_locked(o, f, index);
}

/* Pages behind the first that lie behind it on the device too, as long as there are frames. Locked. */
static void add_followers(struct vm_object *o, struct swap_io *io, u64 index, u32 n)
	REQUIRES(o->lock)
{
	struct block_dev *dev;
	u64 sector;

	n = MIN(n, SWAP_CLUSTER);
	n = n > 1 ? swap_place(io->slot, n, &dev, &sector) : 1;
	for (; io->n < n; io->n++) {
		uintptr_t w = page_word(o, index + io->n);
		struct frame *f;

		if (!word_is_swap(w) || WORD_SLOT(w) != io->slot + io->n)
			break;
		f = frame_alloc(FA_NOWAIT | FA_USER);
		if (!f)
			break;
		put_busy(o, f, index + io->n, w);
		io->frames[io->n] = f;
	}
}

/* f takes the place of the slot's word w at index, and other frames those behind it. Locked. */
static void fill_transfer(struct vm_object *o, struct swap_io *io, struct frame *f, u64 index,
			  uintptr_t w, u32 n) REQUIRES(o->lock)
{
	put_busy(o, f, index, w);
	io->slot = WORD_SLOT(w);
	io->frames[0] = f;
	io->n = 1;
	add_followers(o, io, index, n);
}

int anon_bring_in(struct vm_object *o, u64 index, u32 n, u32 *got)
{
	struct swap_io *io;
	struct frame *f;
	uintptr_t w;

	frames_bring();
	f = frame_alloc(FA_USER);
	if (got)
		*got = 1;
	if (!f)
		return -ENOMEM;
	io = swap_io_get(false);
	spin_lock(o->lock);
	w = page_word(o, index);
	if (!w || word_frame(w)) {
		spin_unlock(o->lock);
		frame_free(f);
		swap_io_put(io);
		return 0;
	}
	if (!word_is_swap(w)) {
		put_zero(o, f, index);
		spin_unlock(o->lock);
		swap_io_put(io);
		return 0;
	}
	fill_transfer(o, io, f, index, w, n);
	if (got)
		*got = io->n;
	spin_unlock(o->lock);
	swap_io_submit(io);
	return 0;
}

/* The next word from *index on, to last, that is a slot; 0: none. Locked. */
static uintptr_t next_slot(struct vm_object *o, u64 *index, u64 last) REQUIRES(o->lock)
{
	uintptr_t w = 0;

	while (*index <= last && (w = radix_next(&o->pages, index, last)) && !word_is_swap(w))
		++*index;
	return *index <= last ? w : 0;
}

/* One transfer of pages from *index on; false: there are none to last, or no means. */
static bool read_some(struct vm_object *o, u64 *index, u64 last)
{
	struct frame *f = frame_alloc(FA_NOWAIT | FA_USER);
	struct swap_io *io = f ? swap_io_try(false) : NULL;
	uintptr_t w;

	if (!io) {
		if (f)
			frame_free(f);
		return false;
	}
	spin_lock(o->lock);
	w = next_slot(o, index, last);
	if (w)
		fill_transfer(o, io, f, *index, w, (u32)(last - *index + 1));
	spin_unlock(o->lock);
	if (!w) {
		frame_free(f);
		swap_io_put(io);
		return false;
	}
	*index += io->n;
	swap_io_submit(io);
	return true;
}

void anon_read_ahead(struct vm_object *o, u64 index, u32 n)
{
	u64 last = index + n - 1;

	frames_bring();
	while (index <= last && read_some(o, &index, last))
		;
}

void page_fill_failed(struct frame *f)
{
	struct vm_object *o = f->object;

	if (!f->swap_slot) {
		page_remove_locked(f);
		return;
	}
	radix_replace(&o->pages, f->index, word_at(f->swap_slot, f->left));
	count_swapped(o, 1);
	f->swap_slot = 0;
	__atomic_fetch_sub(&swap_cached, 1, __ATOMIC_RELAXED);
	page_detach(f);
}

/* ---- swapoff ---- */

/* The first owner, held and moved to the list's end; NULL: none. */
static struct vm_object *next_owner(void)
{
	struct vm_object *o;

	spin_lock(&owners_lock);
	list_for_each(o, &owners, owner_link) {
		u32 refs = __atomic_load_n(&o->refs, __ATOMIC_RELAXED);

		/* one without references is on its way out and takes its slots along */
		while (refs && !__atomic_compare_exchange_n(&o->refs, &refs, refs + 1, true,
							    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			;
		if (!refs)
			continue;
		list_del(&o->owner_link);
		list_add_tail(&owners, &o->owner_link);
		spin_unlock(&owners_lock);
		return o;
	}
	spin_unlock(&owners_lock);
	return NULL;
}

/* A page in memory gives its slot back; false: it is under transfer, wait for it. Locked. */
static bool let_go(struct frame *f, u32 area)
{
	if (!f->swap_slot || swap_slot_area(WORD_SLOT(f->swap_slot)) != area)
		return true;
	if (page_has(f, FR_BUSY | FR_CLEANING))
		return false;
	if (page_has(f, FR_ERROR) && !page_has(f, FR_VALID))
		return true; /* could not be read: see one_page */
	page_set(f, FR_DIRTY);
	frame_slot_free(f);
	return true;
}

/* The page at index (word w) no longer needs the area. Locked on entry, not on return. 0, 1: look again, or -errno. */
static int one_page(struct vm_object *o, u64 index, uintptr_t w, u32 area) RELEASES(o->lock)
{
	struct frame *f = word_frame(w);

	if (f && page_has(f, FR_ERROR) && !page_has(f, FR_VALID | FR_BUSY) && f->swap_slot) {
		page_fill_failed(f);
		spin_unlock(o->lock);
		vm_page_put(f);
		return -EIO;
	}
	if (f && !let_go(f, area)) {
		vm_page_hold(f);
		spin_unlock(o->lock);
		page_wait(f, FR_BUSY | FR_CLEANING);
		vm_page_put(f);
		return 1;
	}
	spin_unlock(o->lock);
	if (f || !word_is_swap(w) || swap_slot_area(WORD_SLOT(w)) != area)
		return 0;
	return anon_bring_in(o, index, SWAP_CLUSTER, NULL) ?: 1;
}

static int empty_object(struct vm_object *o, u32 area)
{
	u64 index = 0;

	for (;;) {
		uintptr_t w;
		int err;

		spin_lock(o->lock);
		w = radix_next(&o->pages, &index, ~0UL);
		if (!w) {
			spin_unlock(o->lock);
			return 0;
		}
		err = one_page(o, index, w, area);
		if (err < 0)
			return err;
		if (!err && ++index == 0)
			return 0;
		if (sched_signal_pending(WAIT_INTR))
			return -EINTR;
	}
}

int anon_swapoff(u32 area)
{
	struct vm_object *o, *first = NULL;
	int err = 0;

	/* once round; objects that come in meanwhile are met by the next call */
	while (!err && (o = next_owner())) {
		bool round = o == first;

		if (!first)
			first = o;
		if (!round)
			err = empty_object(o, area);
		vm_object_drop(o);
		if (round)
			break;
	}
	return err;
}
