// SPDX-License-Identifier: BSD-2-Clause
/*
 * Page tables of address spaces (Sv39), and TLB consistency.
 *
 * Page tables are a cache of the areas and objects: any PTE may be dropped.  The only facts that live here alone are the A and D
 * bits, folded into the frame (FR_REF, FR_DIRTY) before a PTE goes.  A PTE with W always has D set and its frame is marked dirty when W is
 * given, so D never needs to be collected for correctness, with or without hardware updating of A/D.
 *
 * A table's frame counts its entries in `private`; bit i of its `index` is set when one of entries 8i..8i+7 may be in use, so that
 * sparse tables are walked by what is in them.
 *
 * One spin lock per space (LOCK_PTE) guards all its PTEs and is held for a few instructions per page.  Entering a mapping needs the lock of the
 * frame's object as well, so a frame cannot lose its identity while it is being mapped.
 *
 * Flushing: a change from invalid to valid needs no flush (a hart that remembers the invalid PTE takes a fault, which finds
 * the PTE good and flushes locally; fault.c proves it).  The same holds for giving more rights.  Everything else is collected in a tlb_batch
 * and flushed once (tlb.c).
 */
#include "kernel/vm/vm_internal.h"

struct frame *zero_frame;
static pte_t zero_pte; /* (c) its page number */

static pte_t *table_at(pte_t pte)
{
	return pa_to_va(PTE_PA(pte));
}

static bool pte_leaf(pte_t pte)
{
	return pte & (PTE_R | PTE_W | PTE_X);
}

static pte_t prot_bits(u32 prot)
{
	pte_t bits = PTE_V | PTE_U | PTE_A;

	/* W without R is reserved (privileged specification, "Sv32 virtual addressing"): writable implies readable, as on Linux */
	if (prot & (PROT_READ | PROT_WRITE))
		bits |= PTE_R;
	if (prot & PROT_WRITE)
		bits |= PTE_W | PTE_D;
	if (prot & PROT_EXEC)
		bits |= PTE_X;
	return bits;
}

bool pte_allows(pte_t pte, unsigned access)
{
	if (!(pte & PTE_V) || !(pte & PTE_A))
		return false;
	if (access & VM_ACCESS_WRITE)
		return (pte & PTE_W) && (pte & PTE_D);
	return access & VM_ACCESS_EXEC ? pte & PTE_X : pte & PTE_R;
}

/* ---- tables ---- */

static struct frame *table_new(unsigned flags)
{
	struct frame *f = frame_alloc(FA_ZERO | flags);

	if (!f)
		return NULL;
	f->private = 0;
	__atomic_fetch_or(&f->flags, FR_TABLE | FR_WIRED, __ATOMIC_RELAXED);
	vm_gauge_add(VMG_tables, 1);
	vm_count(VMEV_pagetables_alloc, 1);
	return f;
}

/* An entry of f's table is taken into use. */
static inline void entry_made(struct frame *f, const pte_t *e)
{
	f->private ++;
	f->index |= 1UL << ((u64)e >> 6 & 63);
}

/* Its entries are all zero again. */
void pmap_table_free(struct frame *f)
{
	__atomic_fetch_and(&f->flags, ~(FR_TABLE | FR_WIRED), __ATOMIC_RELAXED);
	f->private = f->index = 0;
	vm_gauge_add(VMG_tables, -1);
	vm_count(VMEV_pagetables_free, 1);
	frame_free_zeroed(f);
}

/* Bit i: entries 8i..8i+7 of the kernel's half, which never changes, are not all empty. */
static u64 kernel_lines(void)
{
	static u64 lines; /* (a) */
	u64 l = __atomic_load_n(&lines, __ATOMIC_RELAXED);

	if (unlikely(!l)) {
		for (unsigned i = PT_ENTRIES / 2; i < PT_ENTRIES; i++)
			l |= (u64) !!kernel_root[i] << (i / 8);
		__atomic_store_n(&lines, l, __ATOMIC_RELAXED);
	}
	return l;
}

static void share_kernel(pte_t *root)
{
	for (u64 l = kernel_lines(); l; l &= l - 1) {
		unsigned i = (unsigned)__builtin_ctzl(l) * 8;

		memcpy(&root[i], &kernel_root[i], 8 * sizeof(pte_t));
	}
}

static void forget_kernel(pte_t *root)
{
	for (u64 l = kernel_lines(); l; l &= l - 1)
		memset(&root[__builtin_ctzl(l) * 8], 0, 8 * sizeof(pte_t));
}

void pmap_set_zero(struct frame *f)
{
	zero_frame = f;
	zero_pte = PA_PTE(frame_pa(f));
}

int pmap_init(struct pmap *p)
{
	struct frame *f = table_new(0);

	if (!f)
		return -ENOMEM;
	spin_init(&p->lock, LOCK_PTE, "pmap");
	p->root = frame_va(f);
	share_kernel(p->root);
	p->asid = p->active = p->stale = 0;
	p->mapped = p->mapped_anon = p->tables = p->unflushed = 0;
	list_init(&p->hollow);
	return 0;
}

/* The first entry of [i, end) that is in use, or end. */
static unsigned next_used(struct frame *tf, const pte_t *table, unsigned i, unsigned end)
{
	while (i < end) {
		u64 lines = tf->index >> (i / 8) << (i / 8);
		unsigned from, to;

		if (!lines)
			return end;
		from = (unsigned)__builtin_ctzl(lines) * 8;
		to = from + 8;
		for (i = MAX(i, from); i < MIN(to, end); i++)
			if (table[i] & PTE_V)
				return i;
	}
	return end;
}

/* The same for ranges that are mostly one entry. */
static inline unsigned first_used(struct frame *tf, const pte_t *table, unsigned i, unsigned end)
{
	if (likely(i + 1 >= end))
		return i < end && (table[i] & PTE_V) ? i : end;
	return next_used(tf, table, i, end);
}

static void free_level(pte_t *table, unsigned level)
{
	unsigned n = level == PT_LEVELS - 1 ? PT_ENTRIES / 2 : PT_ENTRIES, i = 0;
	struct frame *tf = va_frame(table);

	for (; level > 0 && (i = next_used(tf, table, i, n)) < n; i++) {
		free_level(table_at(table[i]), level - 1);
		table[i] = 0;
	}
	pmap_table_free(tf);
}

void pmap_fini(struct pmap *p)
{
	/* a round that is open somewhere had to do with this space: it is closed soon, its maker cannot be preempted */
	while (__atomic_load_n(&p->unflushed, __ATOMIC_ACQUIRE))
		;
	tables_forget(p);
	ASSERTF(p->mapped == 0, "%lu frames still mapped", p->mapped);
	ASSERTF(p->active == 0, "active on harts %#lx", p->active);
	forget_kernel(p->root);
	free_level(p->root, PT_LEVELS - 1);
	p->root = NULL;
}

/* The leaf PTE of va, or NULL where a table is missing. */
static inline pte_t *walk(struct pmap *p, u64 va)
{
	pte_t e = p->root[PT_INDEX(va, 2)];

	if (!(e & PTE_V))
		return NULL;
	e = table_at(e)[PT_INDEX(va, 1)];
	if (!(e & PTE_V))
		return NULL;
	return &table_at(e)[PT_INDEX(va, 0)];
}

/* The same, making tables (without sleeping); p->lock held. NULL: no memory. */
static __attribute__((noinline)) pte_t *make_tables(struct pmap *p, u64 va)
{
	pte_t *table = p->root;

	for (unsigned level = PT_LEVELS - 1; level > 0; level--) {
		pte_t *e = &table[PT_INDEX(va, level)];

		if (unlikely(!(*e & PTE_V))) {
			struct frame *f = table_new(FA_NOWAIT);

			if (!f)
				return NULL;
			p->tables++;
			entry_made(va_frame(table), e);
			/* the zeroes must be there before a walker can follow the entry */
			__atomic_store_n(e, PA_PTE(frame_pa(f)) | PTE_V, __ATOMIC_RELEASE);
		}
		table = table_at(*e);
	}
	return &table[PT_INDEX(va, 0)];
}

static inline pte_t *walk_make(struct pmap *p, u64 va)
{
	pte_t *pte = walk(p, va);

	return likely(pte) ? pte : make_tables(p, va);
}

int pmap_prepare(struct pmap *p, u64 va)
{
	struct frame *f = frame_alloc(0); /* proves there is memory, waiting for it */
	pte_t *pte;

	if (!f)
		return -ENOMEM;
	frame_free(f);
	spin_lock(&p->lock);
	pte = walk_make(p, va);
	spin_unlock(&p->lock);
	return pte ? 0 : -ENOMEM;
}

/* ---- what changed ---- */

static void tlb_note(struct tlb_batch *b, u64 va)
{
	if (va < b->start)
		b->start = va;
	if (va + PAGE_SIZE > b->end)
		b->end = va + PAGE_SIZE;
	b->pages++;
}

/* Others may be about to flush entries of the range that are empty or weak already. p->lock held. */
static inline void tlb_note_unflushed(struct tlb_batch *b, u64 start, u64 end)
{
	if (unlikely(__atomic_load_n(&b->pmap->unflushed, __ATOMIC_ACQUIRE))) {
		b->start = MIN(b->start, start);
		b->end = MAX(b->end, end);
	}
}

/* ---- entering ---- */

static bool is_managed(pte_t pte)
{
	return !(pte & PTE_SOFT0); /* SOFT0: zero page or device memory, no mapcount */
}

static void count_map(struct pmap *p, struct frame *f, s64 n)
{
	p->mapped += n;
	if (f->object && object_is_anon(f->object))
		p->mapped_anon += n;
}

static struct frame *table_of(const pte_t *pte)
{
	return va_frame((void *)ALIGN_DOWN((u64)pte, PAGE_SIZE));
}

/* n entries from pte on. */
static inline void entries_made(pte_t *pte, unsigned n)
{
	struct frame *tf = table_of(pte);
	u64 first = (u64)pte >> 6 & 63, last = (u64)(pte + n - 1) >> 6 & 63;

	tf->private += n;
	for (u64 i = first; i <= last; i++)
		tf->index |= 1UL << i;
}

/* Takes a valid leaf PTE away; A is folded. The caller counts the entry. p->lock held. */
static inline void take_pte(struct pmap *p, pte_t *pte)
{
	pte_t old;
	struct frame *f;

	chaos_point();
	old = __atomic_exchange_n(pte, 0, __ATOMIC_RELAXED);

	if (!is_managed(old))
		return;
	f = pa_frame(PTE_PA(old));
	if ((old & PTE_A) && !(f->flags & FR_REF))
		page_set(f, FR_REF);
	count_map(p, f, -1);
	ASSERTF(f->mapcount > 0, "frame %#lx", frame_pa(f));
	__atomic_fetch_sub(&f->mapcount, 1, __ATOMIC_RELAXED);
}

static void clear_pte(struct pmap *p, pte_t *pte, u64 va, struct tlb_batch *b)
{
	table_of(pte)->private --;
	tlb_note(b, va);
	take_pte(p, pte);
}

int pmap_enter(struct pmap *p, u64 va, struct frame *f, u32 prot, bool dirty, struct tlb_batch *b)
{
	pte_t new = PA_PTE(frame_pa(f)) | prot_bits(prot), old;
	pte_t *pte;
	int ret = 0;

	if (!dirty)
		new &= ~(PTE_W | PTE_D);
	spin_lock(&p->lock);
	pte = walk_make(p, va);
	if (unlikely(!pte)) {
		spin_unlock(&p->lock);
		return -ENOMEM;
	}
	old = *pte;
	if (old & PTE_V) {
		if (PTE_PA(old) == PTE_PA(new) && is_managed(old)) {
			/* more rights on the same frame, or nothing at all */
			if (new &PTE_W)
				old &= ~PTE_SOFT1; /* written from now on: soft-dirty */
			if ((old | new) == *pte)
				ret = PMAP_PRESENT;
			else
				__atomic_store_n(pte, old | new, __ATOMIC_RELAXED);
			spin_unlock(&p->lock);
			return ret;
		}
		tlb_note(b, va);
		take_pte(p, pte); /* the entry stays in use */
	} else {
		entry_made(table_of(pte), pte);
		tlb_note_unflushed(b, va, va + PAGE_SIZE);
	}
	__atomic_fetch_add(&f->mapcount, 1, __ATOMIC_RELAXED);
	count_map(p, f, 1);
	chaos_point();
	__atomic_store_n(pte, new, __ATOMIC_RELAXED);
	spin_unlock(&p->lock);
	return 0;
}

void pmap_grant(struct pmap *p, u64 va, struct frame *f, u32 prot)
{
	pte_t new = PA_PTE(frame_pa(f)) | prot_bits(prot), *pte;

	spin_lock(&p->lock);
	pte = walk(p, va);
	if (pte && !(*pte & PTE_V)) {
		entry_made(table_of(pte), pte);
		__atomic_fetch_add(&f->mapcount, 1, __ATOMIC_RELAXED);
		count_map(p, f, 1);
		__atomic_store_n(pte, new, __ATOMIC_RELAXED);
	} else if (pte && is_managed(*pte) && PTE_PA(*pte) == PTE_PA(new)) {
		__atomic_store_n(pte, (*pte | new) & ~(new &PTE_W ? PTE_SOFT1 : 0),
				 __ATOMIC_RELAXED);
		sfence_vma_page(va);
	}
	spin_unlock(&p->lock);
}

void pmap_enter_run(struct pmap *p, u64 va, struct frame **frames, unsigned n, u32 prot,
		    struct tlb_batch *b)
{
	pte_t bits = prot_bits(prot);
	pte_t *pte;

	spin_lock(&p->lock);
	pte = walk(p, va);
	if (likely(pte)) {
		for (unsigned i = 0; i < n; i++) {
			if (pte[i] & PTE_V)
				clear_pte(p, &pte[i], va + i * PAGE_SIZE, b);
			__atomic_store_n(&frames[i]->mapcount, 1, __ATOMIC_RELAXED);
			__atomic_store_n(&pte[i], PA_PTE(frame_pa(frames[i])) | bits,
					 __ATOMIC_RELAXED);
		}
		entries_made(pte, n);
		p->mapped += n;
		p->mapped_anon += n;
	}
	spin_unlock(&p->lock);
}

/* Entries without a frame: new at va, and in up to n - 1 empty ones after it if the one before it is in use. */
static inline int enter_unmanaged(struct pmap *p, u64 va, unsigned n, pte_t new)
{
	unsigned first = PT_INDEX(va, 0), done = 0;
	pte_t *pte;
	int ret = 0;

	ASSERTF(pte_leaf(new), "%#lx: entry %#lx would be a table", va, new);
	spin_lock(&p->lock);
	pte = walk_make(p, va);
	if (unlikely(!pte)) {
		ret = -ENOMEM;
	} else if (*pte & PTE_V) {
		ret = PMAP_PRESENT;
	} else {
		n = first && (pte[-1] & PTE_V) ? MIN(n, PT_ENTRIES - first) : 1;
		do
			__atomic_store_n(&pte[done], new | PTE_SOFT0, __ATOMIC_RELAXED);
		while (++done < n && !(pte[done] & PTE_V));
		entries_made(pte, done);
	}
	spin_unlock(&p->lock);
	return ret;
}

int pmap_enter_zero(struct pmap *p, u64 va, unsigned n, u32 prot)
{
	pte_t bits = prot_bits(prot) & ~(PTE_W | PTE_D);

	return enter_unmanaged(p, va, n, zero_pte | bits);
}

int pmap_enter_device(struct pmap *p, u64 va, paddr_t pa, u32 prot)
{
	return enter_unmanaged(p, va, 1, PA_PTE(pa) | prot_bits(prot));
}

unsigned pmap_enter_around(struct pmap *p, u64 va, struct frame **frames, unsigned n, u32 prot,
			   bool writable)
{
	pte_t bits = prot_bits(prot) & (writable ? ~0UL : ~(PTE_W | PTE_D));
	struct frame *tf = NULL, *one = NULL;
	unsigned done = 0, added = 0;
	pte_t *pte;

	spin_lock(&p->lock);
	pte = walk(p, va);
	if (pte)
		tf = table_of(pte);
	for (unsigned i = 0; pte && i < n; i++, pte++) {
		struct frame *f = frames[i];

		if (!f)
			continue;
		if (*pte & PTE_V) {
			/* a page that clear_refs watches is given W only by its own store */
			if (!(bits & ~*pte) || PTE_PA(*pte) != frame_pa(f) ||
			    ((bits & PTE_W) && (*pte & PTE_SOFT1)))
				continue;
			__atomic_fetch_or(pte, bits, __ATOMIC_RELAXED);
			done++;
			continue;
		}
		entry_made(tf, pte);
		__atomic_fetch_add(&f->mapcount, 1, __ATOMIC_RELAXED);
		__atomic_store_n(pte, PA_PTE(frame_pa(f)) | bits, __ATOMIC_RELAXED);
		one = f;
		added++;
	}
	if (added)
		count_map(p, one, added);
	spin_unlock(&p->lock);
	return done + added;
}

/* ---- removing and protecting ---- */

/* The part of one leaf table that maps [start, end); p->lock held. */
static void remove_leaf(struct pmap *p, pte_t *table, u64 start, u64 end, struct tlb_batch *b)
{
	struct frame *tf = va_frame(table);
	unsigned first = PT_INDEX(start, 0), last = first + ((end - start) >> PAGE_SHIFT);
	unsigned low = PT_ENTRIES, high = 0, gone = 0;

	for (unsigned i = first; (i = first_used(tf, table, i, last)) < last;) {
		unsigned line = ALIGN_UP(i + 1, 8);

		low = MIN(low, i);
		for (; i < MIN(line, last); i++) {
			if (!(table[i] & PTE_V))
				continue;
			take_pte(p, &table[i]);
			high = i;
			gone++;
		}
		if (i == line && line - 8 >= first)
			tf->index &= ~(1UL << (line / 8 - 1));
	}
	if (!gone)
		return;
	tf->private -= gone;
	b->pages += gone;
	b->start = MIN(b->start, start + ((u64)(low - first) << PAGE_SHIFT));
	b->end = MAX(b->end, start + ((u64)(high + 1 - first) << PAGE_SHIFT));
}

static void unlink_table(struct pmap *p, pte_t *parent, unsigned i, struct tlb_batch *b)
{
	struct frame *f = va_frame(table_at(parent[i]));

	__atomic_store_n(&parent[i], 0, __ATOMIC_RELAXED);
	va_frame(parent)->private --;
	p->tables--;
	list_add(&b->tables, &f->link);
}

/* One entry of level 1: its leaf table, and the table itself when it is empty and nobody else may use its span. */
static void remove_mid(struct pmap *p, pte_t *mid, u64 start, u64 end, u64 floor, u64 ceil,
		       struct tlb_batch *b)
{
	u64 base = ALIGN_DOWN(start, PT_SPAN(2));
	unsigned last = (ALIGN_UP(end, PT_SPAN(1)) - base) / PT_SPAN(1);
	struct frame *mf = va_frame(mid);

	for (unsigned i = PT_INDEX(start, 1); (i = first_used(mf, mid, i, last)) < last; i++) {
		u64 span = base + i * PT_SPAN(1);
		pte_t *leaf = table_at(mid[i]);

		remove_leaf(p, leaf, MAX(start, span), MIN(end, span + PT_SPAN(1)), b);
		if (va_frame(leaf)->private == 0 && span >= floor && span + PT_SPAN(1) <= ceil)
			unlink_table(p, mid, i, b);
	}
}

/* The range lies under one leaf table. True: that is all; false: empty tables are left, which may have to go. p->lock held. */
static inline bool remove_few(struct pmap *p, u64 start, u64 end, u64 floor, u64 ceil,
			      struct tlb_batch *b)
{
	u64 span = ALIGN_DOWN(start, PT_SPAN(1));
	pte_t *mid, *pte;

	if (!(p->root[PT_INDEX(start, 2)] & PTE_V))
		return true;
	mid = table_at(p->root[PT_INDEX(start, 2)]);
	if (!(mid[PT_INDEX(start, 1)] & PTE_V))
		return va_frame(mid)->private;
	pte = &table_at(mid[PT_INDEX(start, 1)])[PT_INDEX(start, 0)];
	if (end - start > PAGE_SIZE)
		remove_leaf(p, pte - PT_INDEX(start, 0), start, end, b);
	else if (*pte & PTE_V)
		clear_pte(p, pte, start, b);
	return table_of(pte)->private || span < floor || span + PT_SPAN(1) > ceil;
}

static void remove_many(struct pmap *p, u64 start, u64 end, u64 floor, u64 ceil,
			struct tlb_batch *b)
{
	unsigned last = MIN(DIV_ROUND_UP(end, PT_SPAN(2)), PT_ENTRIES / 2UL);
	struct frame *rf = va_frame(p->root);

	for (unsigned i = PT_INDEX(start, 2); (i = first_used(rf, p->root, i, last)) < last; i++) {
		u64 span = i * PT_SPAN(2);
		pte_t *mid = table_at(p->root[i]);

		remove_mid(p, mid, MAX(start, span), MIN(end, span + PT_SPAN(2)), floor, ceil, b);
		if (va_frame(mid)->private == 0 && span >= floor && span + PT_SPAN(2) <= ceil)
			unlink_table(p, p->root, i, b);
	}
}

void pmap_remove(struct pmap *p, u64 start, u64 end, u64 floor, u64 ceil, struct tlb_batch *b)
{
	spin_lock(&p->lock);
	tlb_note_unflushed(b, start, end);
	if (((start ^ (end - 1)) & ~(PT_SPAN(1) - 1)) || !remove_few(p, start, end, floor, ceil, b))
		remove_many(p, start, end, floor, ceil, b);
	spin_unlock(&p->lock);
}

/* The tables of one entry of the root. p->lock held. */
static void trim_mid(struct pmap *p, pte_t *mid, struct tlb_batch *b)
{
	struct frame *mf = va_frame(mid);

	for (unsigned i = 0; (i = next_used(mf, mid, i, PT_ENTRIES)) < PT_ENTRIES; i++)
		if (!va_frame(table_at(mid[i]))->private)
			unlink_table(p, mid, i, b);
}

u64 pmap_trim(struct pmap *p)
{
	struct frame *rf = va_frame(p->root);
	struct tlb_batch b;
	u64 before;

	tlb_begin(&b, p);
	spin_lock(&p->lock);
	before = p->tables;
	for (unsigned i = 0; (i = next_used(rf, p->root, i, PT_ENTRIES / 2)) < PT_ENTRIES / 2;
	     i++) {
		pte_t *mid = table_at(p->root[i]);

		trim_mid(p, mid, &b);
		if (!va_frame(mid)->private)
			unlink_table(p, p->root, i, &b);
	}
	before -= p->tables;
	spin_unlock(&p->lock);
	tlb_finish(&b);
	return before;
}

static void protect_leaf(pte_t *table, u64 start, u64 end, pte_t keep, struct tlb_batch *b)
{
	unsigned from = PT_INDEX(start, 0), to = from + ((end - start) >> PAGE_SHIFT);
	struct frame *tf = va_frame(table);
	u64 first = ~0UL, last = 0;

	for (unsigned i = from; (i = first_used(tf, table, i, to)) < to; i++) {
		pte_t *pte = &table[i], old = *pte;
		u64 va = start + ((u64)(i - from) << PAGE_SHIFT);

		if (!(old & ~keep))
			continue;
		/* hardware may set A or D meanwhile: take bits away atomically */
		__atomic_fetch_and(pte, keep, __ATOMIC_RELAXED);
		first = MIN(first, va);
		last = va;
		b->pages++;
	}
	if (first != ~0UL) {
		b->start = MIN(b->start, first);
		b->end = MAX(b->end, last + PAGE_SIZE);
	}
}

/* Leaf PTEs without any right would read as pointers to tables: those are removed instead. */
void pmap_protect(struct pmap *p, u64 start, u64 end, u32 prot, struct tlb_batch *b)
{
	pte_t keep = ~(PTE_R | PTE_W | PTE_X | PTE_D) | (prot_bits(prot) & ~(PTE_W | PTE_D));

	if (prot & PROT_WRITE)
		keep |= PTE_W | PTE_D;
	if (!(prot & (PROT_READ | PROT_WRITE | PROT_EXEC))) {
		pmap_remove(p, start, end, ~0UL, 0, b);
		return;
	}
	for (u64 va = start; va < end;) {
		u64 next = MIN(ALIGN_DOWN(va, PT_SPAN(1)) + PT_SPAN(1), end);
		pte_t *pte;

		spin_lock(&p->lock);
		tlb_note_unflushed(b, va, next);
		pte = walk(p, va);
		if (pte && prot == PROT_EXEC)
			/* execute-only PTEs must have been executable: others go */
			for (u64 v = va, i = 0; v < next; v += PAGE_SIZE, i++) {
				if ((pte[i] & PTE_V) && !(pte[i] & PTE_X))
					clear_pte(p, &pte[i], v, b);
			}
		if (pte)
			protect_leaf((pte_t *)ALIGN_DOWN((u64)pte, PAGE_SIZE), va, next, keep, b);
		else if (!(p->root[PT_INDEX(va, 2)] & PTE_V))
			next = MIN(ALIGN_DOWN(va, PT_SPAN(2)) + PT_SPAN(2), end);
		spin_unlock(&p->lock);
		va = next;
	}
}

pte_t *pmap_leaf(struct pmap *p, u64 va)
{
	return walk(p, va);
}

/* ---- one frame, for rmap.c ---- */

/* The PTE of va if it maps f; p->lock held. */
static pte_t *pte_of(struct pmap *p, u64 va, struct frame *f)
{
	pte_t *pte = walk(p, va);

	if (!pte || !(*pte & PTE_V) || !is_managed(*pte) || PTE_PA(*pte) != frame_pa(f))
		return NULL;
	return pte;
}

static void unmap_one(struct pmap *p, pte_t *pte, u64 va, struct tlb_batch *b)
{
	clear_pte(p, pte, va, b);
	if (unlikely(!table_of(pte)->private))
		tables_note(p);
}

bool pmap_unmap_frame(struct pmap *p, u64 va, struct frame *f, struct tlb_batch *b)
{
	pte_t *pte;

	spin_lock(&p->lock);
	pte = pte_of(p, va, f);
	if (pte)
		unmap_one(p, pte, va, b);
	spin_unlock(&p->lock);
	return pte;
}

bool pmap_unmap_unused(struct pmap *p, u64 va, struct frame *f, struct tlb_batch *b)
{
	pte_t *pte;

	spin_lock(&p->lock);
	pte = pte_of(p, va, f);
	if (pte && !(*pte & PTE_A))
		unmap_one(p, pte, va, b);
	spin_unlock(&p->lock);
	return pte;
}

bool pmap_write_protect_frame(struct pmap *p, u64 va, struct frame *f, struct tlb_batch *b)
{
	pte_t *pte;

	spin_lock(&p->lock);
	pte = pte_of(p, va, f);
	if (pte && (*pte & PTE_W)) {
		__atomic_fetch_and(pte, ~(PTE_W | PTE_D), __ATOMIC_RELAXED);
		tlb_note(b, va);
	}
	spin_unlock(&p->lock);
	return pte;
}

bool pmap_test_clear_ref(struct pmap *p, u64 va, struct frame *f)
{
	bool was = false;
	pte_t *pte;

	spin_lock(&p->lock);
	pte = pte_of(p, va, f);
	if (pte && (*pte & PTE_A))
		was = __atomic_fetch_and(pte, ~PTE_A, __ATOMIC_RELAXED) & PTE_A;
	spin_unlock(&p->lock);
	return was;
}

pte_t pmap_lookup(struct pmap *p, u64 va)
{
	pte_t *pte, v;

	spin_lock(&p->lock);
	pte = walk(p, va);
	v = pte ? *pte : 0;
	spin_unlock(&p->lock);
	return v;
}

bool pmap_present(struct pmap *p, u64 va)
{
	pte_t *pte = walk(p, va);

	/* the zero page will be replaced: it does not count */
	return pte && (READ_ONCE(*pte) & (PTE_V | PTE_SOFT0)) == PTE_V;
}

void pmap_move(struct pmap *p, u64 old, u64 new, u64 len, struct tlb_batch *b)
{
	for (u64 off = 0; off < len; off += PAGE_SIZE) {
		pte_t *from, *to, v;

		spin_lock(&p->lock);
		tlb_note_unflushed(b, old + off, old + off + PAGE_SIZE);
		from = walk(p, old + off);
		if (from && (*from & PTE_V)) {
			to = walk_make(p, new + off);
			if (to && !(*to & PTE_V)) {
				v = __atomic_exchange_n(from, 0, __ATOMIC_RELAXED);
				table_of(from)->private --;
				entry_made(table_of(to), to);
				tlb_note(b, old + off);
				/* at its new place nobody has looked yet: soft-dirty */
				__atomic_store_n(to, is_managed(v) ? v & ~PTE_SOFT1 : v,
						 __ATOMIC_RELAXED);
			} else {
				clear_pte(p, from, old + off, b);
			}
		}
		spin_unlock(&p->lock);
	}
	BUILD_ASSERT(PT_LEVELS == 3);
	DASSERT(!pte_leaf(p->root[0]));
}
