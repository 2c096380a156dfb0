// SPDX-License-Identifier: BSD-2-Clause
/*
 * Page tables of cold regions.
 *
 * When the clock takes the last page that a leaf table maps, the table stays: whoever is in the middle of a fault counts on it.  Its space goes on
 * a list, and when memory is short and ENOUGH tables are empty, the worker goes through the list and frees, with the map
 * write-locked, what maps nothing.  A map that somebody uses is left for the next time; nobody waits for it.
 *
 * A table that was filled again meanwhile is seen by its count of entries, so the list and the number are hints.
 *
 * Locks: hollow.lock, after a pmap's.  Whoever holds it may look at a space on the list: a space that ends leaves the list first.
 */
#include "kernel/sched/time.h"
#include "kernel/vm/vm_internal.h"

#define ENOUGH 32u /* tables for which it is worth to disturb a space */

static void trim(struct work *w);

/* Field markings and the corresponding locks:
 * (h) hollow.lock   (a) atomic   (c) constant
 */
static struct {
	struct spinlock lock; /* (c) */
	struct list spaces;   /* (h) pmaps with tables that may be empty */
	u32 empty;	      /* (a) tables that became so since the last time */
} hollow = {
	.lock = SPINLOCK_INIT(LOCK_HOLLOW, "hollow"),
	.spaces = LIST_INIT(hollow.spaces),
};
static struct work trim_work = {.fn = trim};

void tables_note(struct pmap *p)
{
	__atomic_fetch_add(&hollow.empty, 1, __ATOMIC_RELAXED);
	spin_lock(&hollow.lock);
	if (list_empty(&p->hollow))
		list_add_tail(&hollow.spaces, &p->hollow);
	spin_unlock(&hollow.lock);
}

void tables_forget(struct pmap *p)
{
	spin_lock(&hollow.lock);
	list_del(&p->hollow);
	spin_unlock(&hollow.lock);
}

void tables_kick(void)
{
	if (unlikely(__atomic_load_n(&hollow.empty, __ATOMIC_RELAXED) >= ENOUGH))
		work_queue(&trim_work);
}

/* One more reference, unless the last has gone. */
static bool hold_living(struct vm_map *m)
{
	u32 n = __atomic_load_n(&m->refs, __ATOMIC_RELAXED);

	while (n)
		if (__atomic_compare_exchange_n(&m->refs, &n, n + 1, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/* The first space of the list, held; one that ends is passed by. */
static struct vm_map *take_first(void)
{
	struct vm_map *m = NULL;

	spin_lock(&hollow.lock);
	while (!m && !list_empty(&hollow.spaces)) {
		struct list *l = hollow.spaces.next;

		m = container_of(list_entry(l, struct pmap, hollow), struct vm_map, pmap);
		if (!hold_living(m))
			m = NULL;
		list_del(l);
	}
	spin_unlock(&hollow.lock);
	return m;
}

/* A space whose map is in use: the next sweep brings the worker again. */
static void note_again(struct pmap *p)
{
	spin_lock(&p->lock);
	tables_note(p);
	spin_unlock(&p->lock);
	__atomic_fetch_add(&hollow.empty, ENOUGH, __ATOMIC_RELAXED);
}

static void trim(struct work *w)
{
	struct vm_map *m, *first = NULL;

	(void)w;
	__atomic_store_n(&hollow.empty, 0, __ATOMIC_RELAXED);
	while ((m = take_first()) && m != first) {
		if (rw_trylock_write(&m->lock)) {
			vm_count(VMEV_pagetables_trimmed, pmap_trim(&m->pmap));
			rw_unlock_write(&m->lock);
		} else {
			note_again(&m->pmap);
			first = first ? first : m;
		}
		vm_map_drop(m);
	}
	if (m) {
		note_again(&m->pmap);
		vm_map_drop(m);
	}
}
