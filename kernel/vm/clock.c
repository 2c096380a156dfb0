// SPDX-License-Identifier: BSD-2-Clause
/*
 * The clock: gives file pages back when memory runs short.
 *
 * A ring holds every frame of a vnode object.  The hand looks at a frame and
 *	- skips it while it is busy, being cleaned or held by somebody,
 *	- gives it a second chance if it was referenced since the last pass (FR_REF, or an A bit in one of its PTEs),
 *	- starts write-back of its object if it is dirty,
 *	- else unmaps it, takes it out of its object and frees it.
 *
 * The ring's lock (LOCK_CLOCK) comes after the objects' locks; the hand goes the other way round and so only tries the object's lock.  A frame on the
 * ring belongs to its object for as long as the ring's lock is held, so the object cannot die meanwhile.
 */
#include "kernel/vm/vm_internal.h"

static struct spinlock ring_lock = SPINLOCK_INIT(LOCK_CLOCK, "clock");
static struct list ring = LIST_INIT(ring);
static u64 ring_size;
static void (*kick_writeback)(void);

void clock_add(struct frame *f)
{
	spin_lock(&ring_lock);
	list_add_tail(&ring, &f->link);
	ring_size++;
	spin_unlock(&ring_lock);
}

void clock_remove(struct frame *f)
{
	spin_lock(&ring_lock);
	list_del(&f->link);
	ring_size--;
	spin_unlock(&ring_lock);
}

void vm_set_writeback_kick(void (*fn)(void))
{
	kick_writeback = fn;
}

enum verdict { KEEP, SECOND_CHANCE, DIRTY, TAKE };

/* The frame's object is locked. */
static enum verdict judge(struct frame *f)
{
	if (page_has(f, FR_BUSY | FR_CLEANING | FR_WIRED) || READ_ONCE(f->holds) != 1 ||
	    !page_has(f, FR_VALID))
		return KEEP;
	if (page_clear(f, FR_REF) & FR_REF)
		return SECOND_CHANCE;
	if (READ_ONCE(f->mapcount) && rmap_locked(f))
		return KEEP;
	if (READ_ONCE(f->mapcount) && rmap_referenced(f))
		return SECOND_CHANCE;
	/* a clean that failed leaves ERROR: what the page holds is nowhere else */
	if (page_has(f, FR_DIRTY | FR_ERROR))
		return DIRTY;
	return TAKE;
}

/* One step of the hand, ring_lock held; the frame is returned if it was taken. */
static struct frame *step(bool *dirty) REQUIRES(ring_lock)
{
	struct frame *f = list_first(&ring, struct frame, link);
	struct vm_object *o = f->object;
	struct frame *taken = NULL;

	list_del(&f->link);
	list_add_tail(&ring, &f->link);
	if (!spin_trylock(o->lock))
		return NULL;
	switch (judge(f)) {
	case TAKE:
		if (READ_ONCE(f->mapcount) && !rmap_unmap(f))
			break;
		/* page_remove takes the ring's lock itself: leave the ring first, keep the object's lock */
		vm_page_hold(f);
		spin_unlock(&ring_lock);
		if (!page_has(f, FR_DIRTY | FR_BUSY | FR_CLEANING) && READ_ONCE(f->holds) == 2 &&
		    !READ_ONCE(f->mapcount)) {
			page_remove_locked(f);
			taken = f;
		}
		spin_unlock(o->lock);
		vm_page_put(f);
		spin_lock(&ring_lock);
		return taken;
	case DIRTY:
		*dirty = true;
		break;
	default:
		break;
	}
	spin_unlock(o->lock);
	return NULL;
}

/* Sweeps at most twice round the ring; frees up to want frames. Sleeping context. */
static size_t sweep(size_t want, bool *dirty)
{
	size_t freed = 0;
	u64 left;

	spin_lock(&ring_lock);
	for (left = 2 * ring_size + 1; left > 0 && freed < want && !list_empty(&ring); left--) {
		struct frame *f = step(dirty);

		vm_count(VMEV_pgscan, 1);
		if (f) {
			freed++;
			vm_count(VMEV_pgsteal, 1);
			spin_unlock(&ring_lock);
			vm_page_put(f);
			spin_lock(&ring_lock);
		} else if ((left & 255) == 0) {
			spin_unlock(&ring_lock);
			spin_lock(&ring_lock);
		}
	}
	spin_unlock(&ring_lock);
	return freed;
}

size_t vm_reclaim(size_t want)
{
	bool dirty = false;
	size_t freed = sweep(want, &dirty);

	if (freed < want)
		freed += slab_shrink();
	if (!freed && dirty && kick_writeback) {
		kick_writeback();
		for (int i = 0; i < 100 && !freed &&
				READ_ONCE(page_totals.dirty) + READ_ONCE(page_totals.writeback);
		     i++) {
			sleep_ns(2000000);
			dirty = false;
			freed = sweep(want, &dirty);
		}
	}
	return freed;
}

void clock_init(void)
{
	frames_set_reclaim(vm_reclaim);
}
