// SPDX-License-Identifier: BSD-2-Clause
/*
 * Kernel virtual address ranges in KVM space: stacks, buffers of many frames, device registers.
 *
 * All of KVM space is cut into extents, used or free, in one tree ordered by address; free neighbours are always
 * merged.  Each node knows the largest free extent below it, so first fit is O(log n).  A used extent ends with a page that
 * is never mapped, and the first page of the space is not given out: so every range has a guard on both sides.
 *
 * A TLB on another hart may know an entry longer than the table has it, or not know it yet, and telling all harts is
 * expensive.  So pages that are given back lose PTE_V but keep frame and address until some have gathered; then one fence on all
 * harts serves all of them (purge).  A new entry is told to nobody: a hart that remembers nothing there takes a fault and
 * looks again (trap.c), and as that cannot be done for a stack, the scheduler fences when kvm_epoch has moved.
 *
 * Lock: kvm_lock guards the tree and the list of what waits for the fence.  Page tables below KVM only grow, by
 * compare-and-exchange; their leaf entries belong to whoever owns the range.
 */
#include "kernel/boot/init.h"
#include "kernel/lib/print.h"
#include "kernel/lib/rbtree.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/hart.h"
#include "kernel/riscv/mmu.h"
#include "kernel/riscv/uaccess_internal.h"
#include "kernel/sync/spinlock.h"

/* How the hardware marks accesses, for /proc/machine; constant after start-up. */
bool mmu_faults_on_a, mmu_faults_on_d;

/* PTE_SOFT0: the frame is this file's to free */
#define KVM_RW (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | PTE_G)

/* Field markings and the corresponding locks:
 * (k) kvm_lock
 */
struct extent {
	struct rb_node node; /* (k) */
	vaddr_t start;	     /* (k) */
	u64 pages;	     /* (k) with the guard */
	u64 largest;	     /* (k) most pages in a free extent of this subtree */
	bool used;	     /* (k) */
	struct list gone;    /* (k) in `waiting` */
};

#define PURGE_PAGES 64u /* given back, before all harts are bothered */

static struct spinlock kvm_lock = SPINLOCK_INIT(LOCK_KVM, "kvm");
static bool extent_update(struct rb_node *n);
static struct rb_tree extents = RB_TREE_INIT(extent_update);
static struct extent whole;
static struct list waiting = LIST_INIT(waiting);
static size_t waiting_pages;
u64 kvm_epoch;

#define extent_of(n) container_of(n, struct extent, node)

static bool extent_update(struct rb_node *n)
{
	struct extent *e = extent_of(n);
	u64 old = e->largest;

	e->largest = e->used ? 0 : e->pages;
	if (n->left)
		e->largest = MAX(e->largest, extent_of(n->left)->largest);
	if (n->right)
		e->largest = MAX(e->largest, extent_of(n->right)->largest);
	return e->largest != old;
}

static void extent_insert(struct extent *e)
{
	struct rb_node **link = &extents.root, *parent = NULL;

	while (*link) {
		parent = *link;
		ASSERT(e->start != extent_of(parent)->start);
		link = e->start < extent_of(parent)->start ? &parent->left : &parent->right;
	}
	rb_insert(&extents, &e->node, parent, link);
}

/* The free extent of lowest address with that many pages. */
static struct extent *first_fit(u64 pages)
{
	struct rb_node *n = extents.root;

	if (!n || extent_of(n)->largest < pages)
		return NULL;
	for (;;) {
		struct extent *e = extent_of(n);

		if (n->left && extent_of(n->left)->largest >= pages)
			n = n->left;
		else if (!e->used && e->pages >= pages)
			return e;
		else
			n = n->right;
	}
}

static struct extent *extent_find(vaddr_t va)
{
	struct rb_node *n = extents.root;

	while (n && extent_of(n)->start != va)
		n = va < extent_of(n)->start ? n->left : n->right;
	return n ? extent_of(n) : NULL;
}

void kvm_init(void)
{
	whole.start = KVM_BASE + PAGE_SIZE;
	whole.pages = KVM_SIZE / PAGE_SIZE - 1;
	extent_insert(&whole);
}

static vaddr_t range_alloc(size_t npages)
{
	struct extent *rest = kzalloc(sizeof(*rest)), *e;
	u64 flags, need = npages + 1;
	vaddr_t va = 0;

	if (!rest)
		return 0;
	flags = spin_lock_irq(&kvm_lock);
	e = first_fit(need);
	if (e) {
		va = e->start;
		if (e->pages > need) {
			rest->start = e->start + need * PAGE_SIZE;
			rest->pages = e->pages - need;
		}
		e->pages = need;
		e->used = true;
		rb_update(&extents, &e->node);
		if (rest->pages) {
			extent_insert(rest);
			rest = NULL;
		}
	}
	spin_unlock_irq(&kvm_lock, flags);
	kfree(rest);
	return va;
}

/* Adds b, the right neighbour, to a; both free. */
static void extent_join(struct extent *a, struct extent *b)
{
	ASSERT(a->start + a->pages * PAGE_SIZE == b->start);
	rb_erase(&extents, &b->node);
	a->pages += b->pages;
	rb_update(&extents, &a->node);
}

void kvm_range_free(vaddr_t va, size_t npages)
{
	struct extent *e, *dead[2] = {NULL, NULL};
	struct rb_node *n;
	u64 flags = spin_lock_irq(&kvm_lock);

	e = extent_find(va);
	ASSERTF(e && e->used && e->pages == npages + 1, "no range of %zu pages at %#lx", npages,
		va);
	e->used = false;
	rb_update(&extents, &e->node);
	n = rb_next(&e->node);
	if (n && !extent_of(n)->used) {
		dead[0] = extent_of(n);
		extent_join(e, dead[0]);
	}
	n = rb_prev(&e->node);
	if (n && !extent_of(n)->used) {
		dead[1] = e;
		extent_join(extent_of(n), e);
	}
	spin_unlock_irq(&kvm_lock, flags);
	for (unsigned i = 0; i < 2; i++)
		if (dead[i] != &whole)
			kfree(dead[i]);
}

/* The leaf entry for va, making the tables above it. NULL: no memory. */
static pte_t *leaf(vaddr_t va)
{
	pte_t *table = pa_to_va(PTE_PA(kernel_root[PT_INDEX(va, 2)]));
	pte_t *e = &table[PT_INDEX(va, 1)], old = 0;

	if (!__atomic_load_n(e, __ATOMIC_ACQUIRE)) {
		struct frame *f = frame_alloc(FA_ZERO);

		if (!f)
			return NULL;
		if (!__atomic_compare_exchange_n(e, &old, PA_PTE(frame_pa(f)) | PTE_V, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			frame_free(f);
	}
	table = pa_to_va(PTE_PA(*e));
	return &table[PT_INDEX(va, 0)];
}

/* Takes PTE_V from the entries; harts may still use them until a fence. */
static void unmap(vaddr_t va, size_t npages)
{
	for (size_t i = 0; i < npages; i++) {
		pte_t *e = kernel_pte(va + i * PAGE_SIZE);

		if (e && *e) /* a range that could not be filled has fewer */
			*e &= ~PTE_V;
		sfence_vma_page(va + i * PAGE_SIZE);
	}
}

/* After the fence: the entries' frames are free, if they are RAM of ours, and the range too. */
static void release(struct extent *x)
{
	for (size_t i = 0; i + 1 < x->pages; i++) {
		pte_t *e = kernel_pte(x->start + i * PAGE_SIZE);

		if (!e || !*e)
			continue;
		ASSERTF(!(*e & PTE_V), "%#lx is mapped while it is released",
			x->start + i * PAGE_SIZE);
		if (*e & PTE_SOFT0)
			frame_free(pa_frame(PTE_PA(*e)));
		*e = 0;
	}
	kvm_range_free(x->start, x->pages - 1);
}

static void purge(void)
{
	struct list batch = LIST_INIT(batch);
	u64 flags = spin_lock_irq(&kvm_lock);
	struct extent *x, *next;

	list_splice_tail(&batch, &waiting);
	waiting_pages = 0;
	spin_unlock_irq(&kvm_lock, flags);
	if (list_empty(&batch))
		return;
	harts_sfence(harts_online(), 0, 0);
	list_for_each_safe(x, next, &batch, gone) {
		list_del(&x->gone);
		release(x);
	}
}

vaddr_t kvm_range_alloc(size_t npages)
{
	vaddr_t va = range_alloc(npages);

	if (va)
		return va;
	purge();
	return range_alloc(npages);
}

/* Gives an unmapped range back in time. */
static void range_retire(vaddr_t va, size_t npages)
{
	u64 flags = spin_lock_irq(&kvm_lock);
	struct extent *x = extent_find(va);
	bool enough;

	ASSERTF(x && x->used && x->pages == npages + 1, "no range of %zu pages at %#lx", npages,
		va);
	list_add_tail(&waiting, &x->gone);
	waiting_pages += npages;
	enough = waiting_pages > PURGE_PAGES;
	spin_unlock_irq(&kvm_lock, flags);
	if (enough)
		purge();
}

void *kvm_alloc_pages(size_t npages, bool guard)
{
	vaddr_t va = kvm_range_alloc(npages);

	(void)guard; /* every range has one */
	if (!va)
		return NULL;
	for (size_t i = 0; i < npages; i++) {
		pte_t *e = leaf(va + i * PAGE_SIZE);
		struct frame *f = e ? frame_alloc(0) : NULL;

		if (!f) {
			kvm_free_pages((void *)va, npages);
			return NULL;
		}
		ASSERT(!*e);
		*e = PA_PTE(frame_pa(f)) | KVM_RW | PTE_SOFT0;
	}
	__atomic_fetch_add(&kvm_epoch, 1, __ATOMIC_RELEASE);
	sfence_vma_all();
	return (void *)va;
}

void kvm_free_pages(void *va, size_t npages)
{
	unmap((vaddr_t)va, npages);
	range_retire((vaddr_t)va, npages);
}

void *ioremap(paddr_t pa, size_t size)
{
	u64 offset = pa & PAGE_MASK;
	size_t npages = (offset + size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	vaddr_t va = kvm_range_alloc(npages);

	if (!va)
		return NULL;
	for (size_t i = 0; i < npages; i++) {
		pte_t *e = leaf(va + i * PAGE_SIZE);

		if (!e) {
			unmap(va, i);
			range_retire(va, npages);
			return NULL;
		}
		*e = PA_PTE(pa - offset + i * PAGE_SIZE) | KVM_RW;
	}
	sfence_vma_all();
	return (void *)(va + offset);
}

void iounmap(void *va)
{
	vaddr_t start = ALIGN_DOWN((vaddr_t)va, PAGE_SIZE);
	u64 flags = spin_lock_irq(&kvm_lock);
	struct extent *e = extent_find(start);
	size_t npages;

	ASSERTF(e && e->used, "%p was not mapped by ioremap", va);
	npages = e->pages - 1;
	spin_unlock_irq(&kvm_lock, flags);
	unmap(start, npages);
	range_retire(start, npages);
}

/* ---- accessed and dirty ---- */

/* Whether an access faults through an entry that lacks `bit`, A for a load or D for a store, instead of setting it. */
static bool faults_without(void *page, u64 bit, bool store)
{
	pte_t *pte = kernel_pte((vaddr_t)page), good = *pte;
	u8 byte = 0;
	size_t left;

	WRITE_ONCE(*pte, good & ~bit);
	sfence_vma_page((vaddr_t)page);
	left = store ? uaccess_copy(page, &byte, 1) : uaccess_copy(&byte, page, 1);
	WRITE_ONCE(*pte, good);
	sfence_vma_page((vaddr_t)page);
	return left;
}

static void probe_ad(void)
{
	void *page = kvm_alloc_pages(1, true);

	if (!page)
		return;
	mmu_faults_on_a = faults_without(page, PTE_A | PTE_D, false);
	mmu_faults_on_d = faults_without(page, PTE_D, true);
	kvm_free_pages(page, 1);
}
INITCALL(CORE, probe_ad);
