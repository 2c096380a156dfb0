// SPDX-License-Identifier: BSD-2-Clause
/*
 * The states of a frame in an object.
 *
 *	from		  event				to
 *	(free)		  page_add, BUSY		BUSY		being filled; nobody may read, map, free or move it
 *	BUSY		  vm_page_fill_end(0)		VALID
 *	BUSY		  vm_page_fill_end(err)		ERROR		whoever waits takes it out of the object and reports err
 *	VALID		  store or write()		VALID DIRTY	tag TAG_DIRTY set; store needs FR_RESERVED first (files)
 *	VALID DIRTY	  clean begins			VALID CLEANING	write-protected first; DIRTY may come back during it
 *	VALID CLEANING	  vm_page_clean_end(0)		VALID
 *	VALID CLEANING	  vm_page_clean_end(err)	VALID ERROR	made DIRTY again by whoever looks next (settle_locked)
 *	any, unmapped	  page_remove_locked		orphan		object NULL; freed with the last hold
 *
 * `holds` counts 1 for the object and 1 for each user.  BUSY is set only under the object's lock, and cleared by its owner from any context; CLEANING
 * likewise.  TAG_CLEANING is a hint: the completion runs in interrupts and cannot take the object's lock, so the tag is cleared by the next who
 * looks.  Waiters sleep on a hashed queue; FR_WAITERS keeps the wake-up off the fast path.
 */
#include "kernel/vm/vm_internal.h"

#define WAIT_QUEUES 64
static struct waitq queues[WAIT_QUEUES];

void page_init(void)
{
	struct frame *zero = frame_alloc(FA_ZERO);

	for (unsigned i = 0; i < WAIT_QUEUES; i++)
		waitq_init(&queues[i]);
	ASSERT(zero);
	pmap_set_zero(zero);
	page_set(zero_frame, FR_VALID | FR_WIRED);
}

static struct waitq *queue_of(const struct frame *f)
{
	return &queues[((uintptr_t)f >> 6) % WAIT_QUEUES];
}

static void page_wake(struct frame *f)
{
	page_clear(f, FR_WAITERS);
	waitq_wake_all(queue_of(f));
}

void page_unbusy(struct frame *f)
{
	u32 old = page_clear(f, FR_BUSY);

	ASSERTF(old & FR_BUSY, "frame %#lx flags %#x", frame_pa(f), old);
	if (old & FR_WAITERS)
		page_wake(f);
}

void page_unclean(struct frame *f)
{
	u32 old = page_clear(f, FR_CLEANING);

	ASSERTF(old & FR_CLEANING, "frame %#lx flags %#x", frame_pa(f), old);
	if (old & FR_WAITERS)
		page_wake(f);
}

bool page_busy_try(struct frame *f)
{
	ASSERT(spin_held(f->object->lock));
	return !(page_set(f, FR_BUSY) & FR_BUSY);
}

static bool still(struct frame *f, u32 bits)
{
	if (!page_has(f, bits))
		return false;
	page_set(f, FR_WAITERS);
	return page_has(f, bits);
}

static int page_wait_how(struct frame *f, u32 bits, enum wait_how how)
{
	if (!page_has(f, bits))
		return 0;
	return wait_event_until(queue_of(f), !still(f, bits), how, 0);
}

void page_wait(struct frame *f, u32 bits)
{
	(void)page_wait_how(f, bits, WAIT_UNINTR);
}

int page_wait_kill(struct frame *f, u32 bits)
{
	return page_wait_how(f, bits, WAIT_KILL);
}

/* ---- holds ---- */

void vm_page_hold(struct frame *f)
{
	u32 old = __atomic_fetch_add(&f->holds, 1, __ATOMIC_RELAXED);

	ASSERTF(old > 0, "frame %#lx is free", frame_pa(f));
}

void frame_slot_free(struct frame *f)
{
	swap_free(WORD_SLOT(f->swap_slot));
	f->swap_slot = 0;
	__atomic_fetch_sub(&swap_cached, 1, __ATOMIC_RELAXED);
}

static void page_free(struct frame *f)
{
	if (unlikely(f->swap_slot))
		frame_slot_free(f);
	ASSERTF(!f->object && f->mapcount == 0, "frame %#lx: object %p mapcount %u", frame_pa(f),
		(void *)f->object, f->mapcount);
	f->flags &= FR_USER;
	f->index = 0;
	f->io_pending = 0;
	__atomic_store_n(&f->holds, 1, __ATOMIC_RELAXED); /* as frame_alloc gave it */
	frame_free(f);
}

void vm_page_put(struct frame *f)
{
	u32 old = __atomic_fetch_sub(&f->holds, 1, __ATOMIC_ACQ_REL);

	ASSERTF(old > 0, "frame %#lx put too often", frame_pa(f));
	if (old == 1)
		page_free(f);
}

#define FEW 16 /* frames that go to the hart's cache one by one: they are wanted again soon */

void frames_release(struct frame **f, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (__atomic_fetch_sub(&f[i]->holds, 1, __ATOMIC_ACQ_REL) != 1)
			continue;
		if (unlikely(f[i]->swap_slot))
			frame_slot_free(f[i]);
		ASSERTF(!f[i]->object && f[i]->mapcount == 0, "frame %#lx: object %p mapcount %u",
			frame_pa(f[i]), (void *)f[i]->object, f[i]->mapcount);
		f[i]->flags &= FR_USER;
		f[i]->index = 0;
		f[i]->io_pending = 0;
		f[i]->holds = 1;
		f[k++] = f[i];
	}
	if (k > FEW) {
		frame_free_bulk(f, k);
		return;
	}
	while (k)
		frame_free(f[--k]);
}

void vm_page_touch(struct frame *f)
{
	if (!(READ_ONCE(f->flags) & FR_REF))
		page_set(f, FR_REF);
}

/* ---- membership ---- */

void page_insert_locked(struct vm_object *o, struct frame *f, u64 index)
{
	ASSERT(!f->object);
	f->object = o;
	f->index = index;
	o->resident++;
	if (o->kind == OBJ_VNODE) {
		vm_gauge_add(VMG_file, 1);
	} else {
		vm_gauge_add(VMG_anon, 1);
	}
}

void page_insert_run_locked(struct vm_object *o, struct frame **f, u64 index, unsigned n)
{
	radix_insert_run(&o->pages, index, (uintptr_t *)f, n);
	for (unsigned i = 0; i < n; i++) {
		ASSERT(!f[i]->object);
		f[i]->object = o;
		f[i]->index = index + i;
		page_new(f[i]);
	}
	o->resident += n;
	vm_gauge_add(VMG_anon, n);
}

int page_add_from(struct vm_object *o, struct frame *f, u64 index, struct radix_reserve *r)
{
	uintptr_t w = page_word(o, index);
	int err = 0;

	if (unlikely(w)) {
		/* it was here before: what it left tells the clock when it went */
		ASSERT((w & WORD_KIND) == WORD_HISTORY);
		radix_replace(&o->pages, index, (uintptr_t)f);
		f->left = WORD_TIME(w);
		page_set(f, FR_REFAULT);
	} else {
		err = radix_insert(&o->pages, index, (uintptr_t)f, r);
	}
	if (!err)
		page_insert_locked(o, f, index);
	return err;
}

int page_add(struct vm_object *o, struct frame *f, u64 index)
{
	return page_add_from(o, f, index, NULL);
}

struct frame *page_lookup(const struct vm_object *o, u64 index)
{
	return word_frame(radix_get(&o->pages, index));
}

bool page_forget_failure(struct frame *f)
{
	if (!page_has(f, FR_ERROR) || !page_has(f, FR_VALID))
		return false;
	page_clear(f, FR_ERROR);
	vm_gauge_add(VMG_failed, -1);
	__atomic_fetch_sub(&f->object->failed, 1, __ATOMIC_RELAXED);
	return true;
}

void page_detach(struct frame *f)
{
	struct vm_object *o = f->object;

	ASSERTF(f->mapcount == 0, "frame %#lx of object %p index %lu: %u mappings", frame_pa(f),
		(void *)o, f->index, f->mapcount);
	if (o->kind == OBJ_VNODE) {
		vm_gauge_add(VMG_file, -1);
		f->private = 0; /* a block device's pager kept something there */
		page_forget_failure(f);
		if (page_clear(f, FR_DIRTY) & FR_DIRTY) {
			o->ndirty--;
			vm_gauge_add(VMG_dirty, -1);
		}
	} else {
		vm_gauge_add(VMG_anon, -1);
	}
	o->resident--;
	f->object = NULL;
}

void page_leave_history(struct frame *f, u32 time)
{
	struct vm_object *o = f->object;

	ASSERT(o->kind == OBJ_VNODE && !page_has(f, FR_DIRTY | FR_BUSY | FR_CLEANING));
	radix_tag_clear(&o->pages, f->index, TAG_DIRTY);
	radix_tag_clear(&o->pages, f->index, TAG_CLEANING);
	radix_replace(&o->pages, f->index, word_at(WORD_HISTORY, time));
	page_detach(f);
}

void page_remove_locked(struct frame *f)
{
	uintptr_t old = radix_remove(&f->object->pages, f->index);

	ASSERT(old == (uintptr_t)f);
	page_detach(f);
}

void page_move_locked(struct frame *f, struct vm_object *to, u64 index)
{
	f->object->resident--;
	f->object = to;
	f->index = index;
	to->resident++;
}

/* ---- dirty ---- */

void page_set_dirty_locked(struct frame *f)
{
	struct vm_object *o = f->object;

	if (READ_ONCE(f->flags) & FR_DIRTY)
		return;
	page_set(f, FR_DIRTY | FR_REF);
	if (o->kind != OBJ_VNODE) {
		/* being written, it keeps its slot until that has ended (invariant S3) */
		if (f->swap_slot && !page_has(f, FR_CLEANING))
			frame_slot_free(f);
		if (unlikely(page_has(f, FR_LAZY)))
			page_clear(f, FR_LAZY);
		return;
	}
	radix_tag_set(&o->pages, f->index, TAG_DIRTY);
	vm_gauge_add(VMG_dirty, 1);
	if (o->ndirty++ == 0 && o->ops->first_dirty)
		o->ops->first_dirty(o);
}

NO_TS void vm_page_dirty(struct frame *f)
{
	struct vm_object *o;

	if (READ_ONCE(f->flags) & FR_DIRTY)
		return;
	o = frame_object_lock(f);
	if (!o)
		return; /* truncated meanwhile: nobody will ever see it */
	page_set_dirty_locked(f);
	spin_unlock(o->lock);
}

/* ---- completions: any context ---- */

/* What lies beyond the end of a file reads as zero. */
static void zero_beyond(struct frame *f)
{
	struct vm_object *o = f->object;
	u64 size = o ? READ_ONCE(o->size) : 0, at = f->index << PAGE_SHIFT;

	if (o && o->kind == OBJ_VNODE && size > at && size - at < PAGE_SIZE)
		memset((u8 *)frame_va(f) + (size - at), 0, PAGE_SIZE - (size - at));
}

void vm_page_fill_end(struct frame *f, int err)
{
	ASSERTF(page_has(f, FR_BUSY) && !page_has(f, FR_VALID), "frame %#lx flags %#x", frame_pa(f),
		f->flags);
	if (err) {
		page_set(f, FR_ERROR);
	} else {
		zero_beyond(f);
		page_set(f, FR_VALID);
	}
	page_unbusy(f);
	vm_page_put(f);
}

void vm_page_clean_end(struct frame *f, int err)
{
	struct vm_object *o = f->object; /* a frame being cleaned is not removed */
	u32 old;

	ASSERTF(o && page_has(f, FR_CLEANING), "frame %#lx flags %#x", frame_pa(f), f->flags);
	if (err) {
		vm_gauge_add(VMG_failed, 1);
		__atomic_fetch_add(&o->failed, 1, __ATOMIC_RELEASE);
		page_set(f, FR_ERROR);
		WRITE_ONCE(o->wb_error, err);
		__atomic_fetch_add(&o->nerrors, 1, __ATOMIC_RELEASE);
	}
	vm_gauge_add(VMG_writeback, -1);
	__atomic_fetch_sub(&o->writeback, 1, __ATOMIC_RELEASE);
	old = page_clear(f, FR_CLEANING);
	if (old & FR_WAITERS)
		page_wake(f);
	vm_page_put(f);
}

/* io_pending: parts left in the low half, an errno seen in the high half. */
void vm_page_io_parts(struct frame *f, u32 parts)
{
	ASSERT(parts > 0 && parts < 0x10000);
	__atomic_store_n(&f->io_pending, parts, __ATOMIC_RELEASE);
}

static bool part_end(struct frame *f, int err, int *total)
{
	u32 v;

	if (err) {
		u32 seen = __atomic_load_n(&f->io_pending, __ATOMIC_RELAXED);

		while (!(seen >> 16) &&
		       !__atomic_compare_exchange_n(&f->io_pending, &seen, seen | (u32)-err << 16,
						    false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
	}
	v = __atomic_sub_fetch(&f->io_pending, 1, __ATOMIC_ACQ_REL);
	*total = -(int)(v >> 16);
	return (v & 0xffff) == 0;
}

void vm_page_fill_part_end(struct frame *f, int err)
{
	int total;

	if (part_end(f, err, &total))
		vm_page_fill_end(f, total);
}

void vm_page_clean_part_end(struct frame *f, int err)
{
	int total;

	if (part_end(f, err, &total))
		vm_page_clean_end(f, total);
}

void vm_page_wait_clean(struct frame *f)
{
	page_wait(f, FR_CLEANING);
}

NO_TS void vm_page_ready(struct frame *f, bool ok)
{
	struct vm_object *o;

	ASSERT(page_has(f, FR_BUSY));
	if (ok) {
		page_set(f, FR_VALID);
		page_unbusy(f);
		return;
	}
	o = frame_object_lock(f);
	if (o) {
		page_remove_locked(f);
		spin_unlock(o->lock);
		page_unbusy(f);
		vm_page_put(f); /* the object's */
	} else {
		page_unbusy(f);
	}
}

void vm_totals(struct vm_totals *out)
{
	u64 failed = vm_gauge_sum(VMG_failed);

	*out = (struct vm_totals){
		.file = vm_gauge_sum(VMG_file),
		.anon = vm_gauge_sum(VMG_anon),
		.dirty = vm_gauge_sum(VMG_dirty) + failed,
		.failed = failed,
		.writeback = vm_gauge_sum(VMG_writeback),
		.tables = vm_gauge_sum(VMG_tables),
	};
}
