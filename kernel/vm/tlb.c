// SPDX-License-Identifier: BSD-2-Clause
/*
 * TLB consistency: which harts flush, and address space identifiers.
 *
 * A change is flushed on this hart and on those whose bit is set in pmap->active; harts that ran the space before but do not run it now get their bit
 * set in pmap->stale and flush when they come back to it.  When a flush has returned, no hart uses what the table said before.
 *
 * Flushes of several spaces become one round (tlb_round): the local part and the `stale` bits are done for each, the harts to interrupt are added up
 * and interrupted once, without ASID unless all are one space's.  A hart that was active when it was asked for gets the round, whatever it runs by then; one that became active later
 * saw its `stale` bit.  Nothing counts as flushed before the round has ended, and pmap->unflushed stays up until then.
 *
 * An open round outlives the lock of the object whose mappings it changed, so that nobody spins on that lock while other harts are waited for.  What it changed
 * is not flushed until it is closed; who must not leave that behind calls tlb_settle, or sees `unflushed` of its own space.
 *
 * No locks of its own but that of the identifiers; preemption is off from the look at `active` to the end of the flush.
 */
#include "kernel/riscv/csr.h"
#include "kernel/vm/vm_internal.h"
#include "sbi/sbi.h"

#define ASID_BITS_MASK 0xffffUL
#define TLB_FLUSH_MAX  8 /* more pages than this: flush the whole space */

static void flush_local(u64 start, u64 end, u64 asid, bool tables)
{
	vm_count(VMEV_tlb_flush_local, 1);
	if (tables || (end - start) >> PAGE_SHIFT > TLB_FLUSH_MAX) {
		if (asid)
			sfence_vma_asid(asid);
		else
			sfence_vma_all();
		return;
	}
	for (u64 va = start; va < end; va += PAGE_SIZE) {
		if (asid)
			sfence_vma_page_asid(va, asid);
		else
			sfence_vma_page(va);
	}
}

static __attribute__((noinline)) void flush_remote(const struct tlb_round *r)
{
	bool whole = (r->end - r->start) >> PAGE_SHIFT > TLB_FLUSH_MAX;
	u64 start = whole ? 0 : r->start, size = whole ? ~0UL : r->end - r->start, mask = r->harts;

	vm_count(VMEV_tlb_shootdown, 1);
	vm_count(VMEV_tlb_shootdown_pages, r->pages);
	/* one call per 64 hart ids; ids may be sparse, so group them by their base */
	while (mask) {
		u64 base = ~0UL, ids = 0, rest = 0;

		for (u64 left = mask; left; left &= left - 1) {
			u32 i = __builtin_ctzl(left);
			u64 id = harts[i]->id;

			if (base == ~0UL)
				base = id & ~63UL;
			if ((id & ~63UL) == base)
				ids |= 1UL << (id & 63);
			else
				rest |= 1UL << i;
		}
		if (r->asid)
			sbi_remote_sfence_asid(ids, base, start, size, r->asid);
		else
			sbi_remote_sfence(ids, base, start, size);
		mask = rest;
	}
}

/* This hart's part, and those harts' that do not run p now. Returns which others must flush. Preemption is off. */
static inline __attribute__((always_inline)) u64 flush_here(const struct tlb_batch *b, u64 asid)
{
	struct pmap *p = b->pmap;
	u64 active, self = 1UL << this_hart()->index;

	active = __atomic_load_n(&p->active, __ATOMIC_RELAXED);
	if (asid && nharts > 1) {
		__atomic_fetch_or(&p->stale, ~(active | self), __ATOMIC_SEQ_CST);
		active |= __atomic_load_n(&p->active, __ATOMIC_RELAXED);
	}
	if (likely(active & self))
		flush_local(b->start, b->end, asid, !list_empty(&b->tables));
	else if (asid)
		__atomic_fetch_or(&p->stale, self, __ATOMIC_RELAXED);
	return active & ~self;
}

/* The PTE stores are seen before `active` is read; pmap_activate orders its side the other way. */
static inline u64 asid_after_stores(struct pmap *p)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&p->asid, __ATOMIC_RELAXED) & ASID_BITS_MASK;
}

/* Apart: a flush that is this hart's alone does not pay for the round's place on the stack. */
static __attribute__((noinline)) void flush_others(const struct tlb_batch *b, u64 asid, u64 others)
{
	struct tlb_round r = {
		.harts = others,
		.start = b->start,
		.end = b->end,
		.pages = b->pages,
		.asid = asid,
	};

	flush_remote(&r);
}

void tlb_flush(struct tlb_batch *b)
{
	u64 asid, others;
	struct list *l;

	if (b->start >= b->end)
		b->start = 0, b->end = ~0UL & ~PAGE_MASK;
	preempt_disable();
	asid = asid_after_stores(b->pmap);
	others = flush_here(b, asid);
	if (unlikely(others))
		flush_others(b, asid, others);
	preempt_enable();
	while ((l = list_pop(&b->tables)))
		pmap_table_free(list_entry(l, struct frame, link));
	b->start = ~0UL;
	b->end = 0;
}

/* ---- several spaces at once ---- */

void tlb_round_add(struct tlb_round *r, struct tlb_batch *b)
{
	u64 asid = 0, others = 0;

	ASSERT(list_empty(&b->tables));
	if (b->start < b->end) {
		asid = asid_after_stores(b->pmap);
		others = flush_here(b, asid);
	}
	if (!others) {
		pmap_change_done(b->pmap);
		return;
	}
	if (r->n == TLB_ROUND)
		tlb_round_end(r);
	r->asid = r->n == 0 || r->asid == asid ? asid : 0;
	r->harts |= others;
	r->start = MIN(r->start, b->start);
	r->end = MAX(r->end, b->end);
	r->pages += b->pages;
	for (unsigned i = 0; i < r->n; i++)
		if (r->pmaps[i] == b->pmap) {
			pmap_change_done(b->pmap); /* once is enough */
			return;
		}
	r->pmaps[r->n++] = b->pmap;
}

void tlb_round_end(struct tlb_round *r)
{
	if (r->n)
		flush_remote(r);
	for (unsigned i = 0; i < r->n; i++)
		pmap_change_done(r->pmaps[i]);
	tlb_round_begin(r);
}

/* ---- rounds beyond an object's lock ---- */

static u32 open_rounds; /* (a) */

void tlb_round_open(struct tlb_round *r)
{
	preempt_disable();
	/* seen by whoever takes the lock of an object after we had it */
	__atomic_fetch_add(&open_rounds, 1, __ATOMIC_RELAXED);
	tlb_round_begin(r);
}

void tlb_round_close(struct tlb_round *r)
{
	tlb_round_end(r);
	__atomic_fetch_sub(&open_rounds, 1, __ATOMIC_RELEASE);
	preempt_enable();
}

void tlb_settle(void)
{
	struct tlb_round r;

	if (likely(!__atomic_load_n(&open_rounds, __ATOMIC_ACQUIRE)))
		return;
	/* not worth finding out whose */
	tlb_round_begin(&r);
	r.start = 0;
	r.end = ~0UL & ~PAGE_MASK;
	preempt_disable();
	r.harts = harts_online() & ~(1UL << this_hart()->index);
	sfence_vma_all();
	if (r.harts)
		flush_remote(&r);
	preempt_enable();
}

/* ---- address space identifiers ---- */

static struct {
	struct spinlock lock; /* LOCK_PMAP */
	u64 generation;	      /* in units of 1 << 16, starts at 1 << 16 */
	u64 next;
} asids = {SPINLOCK_INIT(LOCK_PMAP, "asids"), 1UL << 16, 1};

/* A valid ASID of the current generation for p. On exhaustion a new generation begins: each hart flushes all when it first uses it. */
static u64 asid_get(struct pmap *p)
{
	u64 a = __atomic_load_n(&p->asid, __ATOMIC_RELAXED);

	if (likely((a & ~ASID_BITS_MASK) == __atomic_load_n(&asids.generation, __ATOMIC_RELAXED)))
		return a;
	spin_lock(&asids.lock);
	a = p->asid;
	if ((a & ~ASID_BITS_MASK) != asids.generation) {
		if (asids.next >> mmu_asid_bits) {
			asids.generation += 1UL << 16;
			asids.next = 1;
		}
		a = asids.generation | asids.next++;
		__atomic_store_n(&p->asid, a, __ATOMIC_RELAXED);
		__atomic_store_n(&p->stale, 0, __ATOMIC_RELAXED);
	}
	spin_unlock(&asids.lock);
	return a;
}

/* Interrupts are off: this runs inside a context switch. */
void pmap_activate(struct pmap *prev, struct pmap *next)
{
	struct hart *h = this_hart();
	u64 bit = 1UL << h->index, satp;

	if (prev)
		__atomic_fetch_and(&prev->active, ~bit, __ATOMIC_RELAXED);
	if (!next) {
		csr_write(satp, SATP_SV39 | va_to_pa(kernel_root) >> PAGE_SHIFT);
		if (!mmu_asid_bits)
			sfence_vma_all();
		return;
	}
	__atomic_fetch_or(&next->active, bit, __ATOMIC_SEQ_CST);
	satp = SATP_SV39 | va_to_pa(next->root) >> PAGE_SHIFT;
	if (!mmu_asid_bits) {
		csr_write(satp, satp);
		sfence_vma_all();
		return;
	}
	u64 a = asid_get(next), gen = a & ~ASID_BITS_MASK, asid = a & ASID_BITS_MASK;

	csr_write(satp, satp | asid << SATP_ASID_SHIFT);
	if (unlikely(h->asid_generation != gen)) {
		h->asid_generation = gen;
		__atomic_fetch_and(&next->stale, ~bit, __ATOMIC_RELAXED);
		sfence_vma_all();
	} else if (__atomic_load_n(&next->stale, __ATOMIC_SEQ_CST) & bit) {
		__atomic_fetch_and(&next->stale, ~bit, __ATOMIC_SEQ_CST);
		sfence_vma_asid(asid);
	}
}
