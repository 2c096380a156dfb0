// SPDX-License-Identifier: BSD-2-Clause
/*
 * What /proc/PID/pagemap, smaps and clear_refs look at and change: the PTEs of an address space and the frames behind them.
 *
 * Soft-dirty: a page is clean only if its PTE is there, carries PTE_SOFT1 and has no W.  clear_refs sets SOFT1 and takes W away; whoever
 * gives W takes SOFT1 away; a PTE made anew has none.  So a page whose PTE was dropped counts as dirty, and one that was written
 * always does.  Where nothing is mapped and the area has no page of its own, the area decides: AREA_TRACKED says that clear_refs has
 * been there since it was made.
 *
 * Locks: the map (read; written where area flags change), an area's object, its pmap.  A frame is looked at, not held: what is read of
 * it is a snapshot.
 */
#include "kernel/vm/vm_internal.h"

#define CHUNK 64 /* PTEs at a time */

/* Bits of a pagemap entry (Documentation/admin-guide/mm/pagemap.rst). */
#define PM_SOFT_DIRTY (1UL << 55)
#define PM_EXCLUSIVE  (1UL << 56)
#define PM_FILE	      (1UL << 61)
#define PM_SWAP	      (1UL << 62)
#define PM_PRESENT    (1UL << 63)

/* ---- PTEs of a range ---- */

/* The PTEs of n pages from va on, a snapshot. Returns the address up to which all PTEs behind va are known to be 0 if those are. */
static u64 read_ptes(struct pmap *p, u64 va, pte_t *out, size_t n)
{
	u64 end = va + n * PAGE_SIZE, empty = 0;

	spin_lock(&p->lock);
	while (va < end) {
		u64 next = MIN(ALIGN_DOWN(va, PT_SPAN(1)) + PT_SPAN(1), end);
		pte_t *pte = pmap_leaf(p, va);
		size_t k = (next - va) >> PAGE_SHIFT;

		if (pte) {
			memcpy(out, pte, k * sizeof(*out));
			empty = 0;
		} else {
			u64 span = p->root[PT_INDEX(va, 2)] & PTE_V ? PT_SPAN(1) : PT_SPAN(2);

			memset(out, 0, k * sizeof(*out));
			empty = ALIGN_DOWN(va, span) + span;
		}
		out += k;
		va = next;
	}
	spin_unlock(&p->lock);
	return empty;
}

static void note(struct tlb_batch *b, u64 va)
{
	b->start = MIN(b->start, va);
	b->end = MAX(b->end, va + PAGE_SIZE);
	b->pages++;
}

/* Sets and clears bits of the PTEs of frames in [start, end). */
static void mark(struct pmap *p, u64 start, u64 end, pte_t set, pte_t clear, struct tlb_batch *b)
{
	for (u64 va = start; va < end;) {
		u64 next = MIN(ALIGN_DOWN(va, PT_SPAN(1)) + PT_SPAN(1), end);
		pte_t *pte;

		spin_lock(&p->lock);
		pte = pmap_leaf(p, va);
		for (; pte && va < next; va += PAGE_SIZE, pte++) {
			if ((*pte & (PTE_V | PTE_SOFT0)) != PTE_V)
				continue;
			if ((*pte & PTE_A) && (clear & PTE_A))
				page_clear(pa_frame(PTE_PA(*pte)), FR_REF);
			if (*pte & clear)
				note(b, va);
			__atomic_fetch_and(pte, ~clear, __ATOMIC_RELAXED);
			__atomic_fetch_or(pte, set, __ATOMIC_RELAXED);
		}
		if (!pte && !(p->root[PT_INDEX(va, 2)] & PTE_V))
			next = MIN(ALIGN_DOWN(va, PT_SPAN(2)) + PT_SPAN(2), end);
		spin_unlock(&p->lock);
		va = next;
	}
}

static bool is_frame(pte_t pte)
{
	return (pte & (PTE_V | PTE_SOFT0)) == PTE_V;
}

/* The topmost word that the chain of an area's object (locked; NULL: no object) has for the page, down to the file. 0: none. */
static NO_TS uintptr_t own_word(struct vm_object *o, u64 index)
{
	for (; o && object_is_anon(o); o = o->backing) {
		uintptr_t w = page_word(o, index);

		if (w)
			return w;
		index += o->backing_index;
	}
	return 0;
}

/* The frame belongs to private memory, not to a file or shared memory. o: the area's object, locked. */
static bool is_anon(const struct vm_object *o, const struct frame *f)
{
	const struct vm_object *owner = READ_ONCE(f->object);

	for (; o; o = o->backing)
		if (o == owner)
			return object_is_anon(o) && !o->sized;
	return false;
}

static bool soft_dirty(const struct vm_area *a, struct vm_object *o, pte_t pte, u64 va)
{
	if (!(a->flags & AREA_TRACKED))
		return true;
	if (is_frame(pte))
		return !(pte & PTE_SOFT1) || (pte & PTE_W);
	return own_word(o, area_index(a, va));
}

static u64 entry(const struct vm_area *a, struct vm_object *o, pte_t pte, u64 va, bool pfn)
{
	u64 e = soft_dirty(a, o, pte, va) ? PM_SOFT_DIRTY : 0;
	struct frame *f;

	if (!(pte & PTE_V))
		return e | (word_is_swap(own_word(o, area_index(a, va))) ? PM_SWAP : 0);
	e |= PM_PRESENT | (pfn ? PTE_PA(pte) >> PAGE_SHIFT : 0);
	if (!is_frame(pte))
		return e;
	f = pa_frame(PTE_PA(pte));
	if (!is_anon(o, f))
		e |= PM_FILE;
	if (READ_ONCE(f->mapcount) == 1)
		e |= PM_EXCLUSIVE;
	return e;
}

/* Entries of [va, va + n pages), at most CHUNK, within one area. */
static NO_TS void area_entries(struct vm_area *a, u64 va, u64 *out, size_t n, bool pfn)
{
	struct vm_object *o = area_lock_object(a);
	pte_t ptes[CHUNK];

	read_ptes(&a->map->pmap, va, ptes, n);
	for (size_t i = 0; i < n; i++)
		out[i] = entry(a, o, ptes[i], va + i * PAGE_SIZE, pfn);
	if (o)
		spin_unlock(o->lock);
}

void vm_pagemap(struct vm_map *m, u64 va, u64 *out, size_t n, bool pfn)
{
	rw_lock_read(&m->lock);
	while (n) {
		struct vm_area *a = area_find(m, va);
		size_t k = n;

		if (!a || a->start > va) {
			if (a)
				k = MIN(n, (a->start - va) >> PAGE_SHIFT);
			memset(out, 0, k * sizeof(*out));
		} else {
			k = MIN(MIN(n, (size_t)CHUNK), (a->end - va) >> PAGE_SHIFT);
			area_entries(a, va, out, k, pfn);
		}
		va += k * PAGE_SIZE;
		out += k;
		n -= k;
	}
	rw_unlock_read(&m->lock);
}

/* ---- clear_refs ---- */

static bool chosen(const struct vm_area *a, enum vm_clear what)
{
	return what == VM_CLEAR_ALL || (what == VM_CLEAR_ANON) == !a->file;
}

void vm_clear_refs(struct vm_map *m, enum vm_clear what)
{
	struct tlb_batch b;

	tlb_begin(&b, &m->pmap);
	rw_lock_write(&m->lock);
	if (what == VM_CLEAR_PEAK)
		m->rss_peak = READ_ONCE(m->pmap.mapped);
	for (struct rb_node *n = rb_first(&m->areas); n && what != VM_CLEAR_PEAK; n = rb_next(n)) {
		struct vm_area *a = container_of(n, struct vm_area, node);

		if (what == VM_CLEAR_SOFT_DIRTY) {
			a->flags |= AREA_TRACKED;
			mark(&m->pmap, a->start, a->end, PTE_SOFT1, PTE_W | PTE_D, &b);
		} else if (chosen(a, what)) {
			mark(&m->pmap, a->start, a->end, 0, PTE_A, &b);
		}
	}
	tlb_finish(&b);
	rw_unlock_write(&m->lock);
}

/* ---- smaps ---- */

static void count_frame(const struct vm_area *a, struct vm_object *o, pte_t pte,
			struct vm_area_usage *u)
{
	struct frame *f = pa_frame(PTE_PA(pte));
	u32 maps = MAX(READ_ONCE(f->mapcount), 1u);
	bool dirty = page_has(f, FR_DIRTY), anon = is_anon(o, f);

	u->rss += PAGE_SIZE;
	u->pss += PAGE_SIZE / maps;
	if (dirty)
		u->pss_dirty += PAGE_SIZE / maps;
	if (maps > 1)
		*(dirty ? &u->shared_dirty : &u->shared_clean) += PAGE_SIZE;
	else
		*(dirty ? &u->private_dirty : &u->private_clean) += PAGE_SIZE;
	if ((pte & PTE_A) || page_has(f, FR_REF))
		u->referenced += PAGE_SIZE;
	if (anon)
		u->anon += PAGE_SIZE;
	*(anon							 ? &u->pss_anon
	  : a->file && a->origin && a->origin->kind == OBJ_VNODE ? &u->pss_file
								 : &u->pss_shmem) +=
		PAGE_SIZE / maps;
	if (a->flags & AREA_LOCKED)
		u->locked += PAGE_SIZE / maps;
}

/* Something that the area sees may be in swap. o: its object, locked. */
static bool any_swapped(const struct vm_object *o)
{
	for (; o && object_is_anon(o); o = o->backing)
		if (o->swapped)
			return true;
	return false;
}

NO_TS void area_usage(struct vm_area *a, struct vm_area_usage *u)
{
	pte_t ptes[CHUNK];

	memset(u, 0, sizeof(*u));
	for (u64 va = a->start; va < a->end;) {
		size_t n = MIN((a->end - va) >> PAGE_SHIFT, (u64)CHUNK);
		struct vm_object *o = area_lock_object(a);
		u64 next = read_ptes(&a->map->pmap, va, ptes, n);

		bool away = any_swapped(o);

		for (size_t i = 0; i < n; i++) {
			if (is_frame(ptes[i]))
				count_frame(a, o, ptes[i], u);
			else if (away && word_is_swap(own_word(o, area_index(a, va) + i)))
				u->swap += PAGE_SIZE;
		}
		if (o)
			spin_unlock(o->lock);
		va = away ? va + n * PAGE_SIZE : MAX(next, va + n * PAGE_SIZE);
	}
}
