// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory of any size: slab caches by size class; above the largest class whole frames; and when those are not to be had in one piece,
 * frames mapped next to each other (kvm).  What an address is tells how to free it: in KVM space, in a slab, or a
 * block of frames whose head's `private` says its order.
 *
 * Locks: mapped_lock (LOCK_SLAB) guards the tree of mapped pieces.  kfree of a mapped piece sleeps; such pieces are only made for
 * sizes that are not freed in interrupts (above a page, and only when the caller might sleep).
 */

#include "kernel/lib/print.h"
#include "kernel/lib/rbtree.h"
#include "kernel/lib/string.h"
#include "kernel/mem/mem_internal.h"
#include "kernel/mem/slab_internal.h"
#include "kernel/riscv/mmu.h"

#define CLASS_STEP  16u
#define SMALL_MAX   1024u
#define BLOCK_MAGIC 0x626c6f636b0000UL

static const u32 class_sizes[] = {16,	32,   48,    64,    96,	   128,	  192,	256,
				  384,	512,  768,   1024,  1536,  2048,  3072, 4096,
				  6144, 8192, 12288, 16384, 24576, 32768, 65536};
static const char *const class_names[] = {
	"kmalloc-16",	"kmalloc-32",	"kmalloc-48",	"kmalloc-64",	"kmalloc-96",
	"kmalloc-128",	"kmalloc-192",	"kmalloc-256",	"kmalloc-384",	"kmalloc-512",
	"kmalloc-768",	"kmalloc-1024", "kmalloc-1536", "kmalloc-2048", "kmalloc-3072",
	"kmalloc-4096", "kmalloc-6144", "kmalloc-8192", "kmalloc-12k",	"kmalloc-16k",
	"kmalloc-24k",	"kmalloc-32k",	"kmalloc-64k"};
static struct kmem_cache *classes[ARRAY_LEN(class_sizes)];
static u8 small_class[SMALL_MAX / CLASS_STEP + 1]; /* class of a size up to SMALL_MAX, by steps */

/* A piece in KVM space. */
struct mapped {
	struct rb_node node;
	u64 va;
	size_t npages;
};
static struct rb_tree mapped;
static struct spinlock mapped_lock = SPINLOCK_INIT(LOCK_SLAB, "mapped");

void kmalloc_init(void)
{
	unsigned k = 0;

	BUILD_ASSERT(ARRAY_LEN(class_names) == ARRAY_LEN(class_sizes));
	for (k = 0; k < ARRAY_LEN(classes); k++) {
		classes[k] = kmem_cache_create(class_names[k], class_sizes[k],
					       class_sizes[k] % 64 ? 16 : 64);
		if (!classes[k])
			panic("no memory for %s", class_names[k]);
	}
	k = 0;
	for (unsigned step = 0; step < ARRAY_LEN(small_class); step++) {
		while (class_sizes[k] < step * CLASS_STEP)
			k++;
		small_class[step] = k;
	}
}

static struct kmem_cache *class_for(size_t n)
{
	unsigned k;

	if (n <= SMALL_MAX)
		return classes[small_class[(n + CLASS_STEP - 1) / CLASS_STEP]];
	k = small_class[SMALL_MAX / CLASS_STEP];
	while (class_sizes[k] < n)
		k++;
	return classes[k];
}

static bool is_mapped(const void *p)
{
	return (u64)p - KVM_BASE < KVM_SIZE;
}

static struct mapped *mapped_find(u64 va)
{
	struct rb_node *n = mapped.root;

	while (n) {
		struct mapped *m = container_of(n, struct mapped, node);

		if (m->va == va)
			return m;
		n = va < m->va ? n->left : n->right;
	}
	return NULL;
}

static void mapped_add(struct mapped *m)
{
	struct rb_node **link = &mapped.root, *parent = NULL;
	u64 irq = spin_lock_irq(&mapped_lock);

	while (*link) {
		parent = *link;
		link = m->va < container_of(parent, struct mapped, node)->va ? &parent->left
									     : &parent->right;
	}
	rb_insert(&mapped, &m->node, parent, link);
	spin_unlock_irq(&mapped_lock, irq);
}

static void *alloc_mapped(size_t n, unsigned flags)
{
	struct mapped *m;

	if (flags & KM_NOWAIT)
		return NULL;
	m = kmalloc(sizeof(*m), 0);
	if (!m)
		return NULL;
	m->npages = DIV_ROUND_UP(n, PAGE_SIZE);
	m->va = (u64)kvm_alloc_pages(m->npages, true);
	if (!m->va) {
		kfree(m);
		return NULL;
	}
	mapped_add(m);
	if (flags & KM_ZERO)
		memset((void *)m->va, 0, m->npages * PAGE_SIZE);
	return (void *)m->va;
}

static void free_mapped(void *p)
{
	u64 irq = spin_lock_irq(&mapped_lock);
	struct mapped *m = mapped_find((u64)p);

	if (m)
		rb_erase(&mapped, &m->node);
	spin_unlock_irq(&mapped_lock, irq);
	if (!m)
		panic("kfree of %p, which is nothing we gave out", p);
	kvm_free_pages(p, m->npages);
	kfree(m);
}

static void *alloc_block(size_t n, unsigned flags)
{
	unsigned order = 64 - __builtin_clzl((n - 1) >> PAGE_SHIFT);
	struct frame *f = frame_alloc_order(order, FA_NOWAIT | (flags & KM_ZERO ? FA_ZERO : 0));

	if (!f)
		return NULL;
	__atomic_fetch_or(&f->flags, FR_WIRED, __ATOMIC_RELAXED);
	f->private = BLOCK_MAGIC | order;
	return frame_va(f);
}

static unsigned block_order(const void *p)
{
	struct frame *f = va_frame(p);

	if (!f || !(f->flags & FR_WIRED) || (f->private & ~0xffUL) != BLOCK_MAGIC ||
	    frame_va(f) != p)
		panic("kfree of %p, which is nothing we gave out", p);
	return f->private & 0xff;
}

static void free_block(void *p)
{
	struct frame *f = va_frame(p);
	unsigned order = block_order(p);

	__atomic_fetch_and(&f->flags, ~FR_WIRED, __ATOMIC_RELAXED);
	f->private = 0;
	frame_free_order(f, order);
}

static void *alloc_from(size_t n, unsigned flags, void *pc)
{
	void *p;

	if (unlikely(n > (size_t)1 << 40))
		return NULL;
	if (n <= PAGE_SIZE)
		return kmem_cache_alloc_from(class_for(n), flags, pc);
	/* in one piece only if that is to be had at once: memory in pieces does as well, and needs no big block */
	p = n <= KMALLOC_SLAB_MAX ? kmem_cache_alloc_from(class_for(n), flags | KM_NOWAIT, pc)
				  : alloc_block(n, flags);
	return p ? p : alloc_mapped(n, flags);
}

void *kmalloc(size_t n, unsigned flags)
{
	if (likely(n <= SMALL_MAX))
		return kmem_cache_alloc_from(class_for(n), flags, __builtin_return_address(0));
	return alloc_from(n, flags, __builtin_return_address(0));
}

void kfree(void *p)
{
	struct kmem_cache *c;
	struct frame *f;

	if (!p)
		return;
	if (unlikely(is_mapped(p))) {
		free_mapped(p);
		return;
	}
	f = mem_va_frame(p);
	c = f && (f->flags & FR_SLAB) ? (struct kmem_cache *)f->private : NULL;
	if (likely(c))
		kmem_cache_free_from(c, p, __builtin_return_address(0));
	else
		free_block(p);
}

static size_t usable_size(void *p)
{
	struct mapped *m;
	size_t n;
	u64 irq;

	if (!is_mapped(p))
		return slab_cache_of(p) ? slab_object_size(p) : PAGE_SIZE << block_order(p);
	irq = spin_lock_irq(&mapped_lock);
	m = mapped_find((u64)p);
	ASSERT(m);
	n = m->npages * PAGE_SIZE;
	spin_unlock_irq(&mapped_lock, irq);
	return n;
}

void *krealloc(void *p, size_t n, unsigned flags)
{
	size_t have = p ? usable_size(p) : 0;
	void *q;

	if (p && n <= have && n > have / 4)
		return p;
	q = alloc_from(n, flags & ~KM_ZERO, __builtin_return_address(0));
	if (!q)
		return NULL;
	if ((flags & KM_ZERO) && n > have)
		memset((char *)q + have, 0, n - have);
	if (p)
		memcpy(q, p, MIN(n, have));
	kfree(p);
	return q;
}

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = alloc_from(n, 0, __builtin_return_address(0));

	return copy ? memcpy(copy, s, n) : NULL;
}
