// SPDX-License-Identifier: BSD-2-Clause
/*
 * Slab caches.
 *
 * A slab is 2^order frames cut into objects of one size.  Its head's struct frame is its header:
 *	link: in one of the cache's lists   index: first free object (0: none)   swap_slot/private: the cache   order is the cache's
 * The other frames carry FR_SLAB and the cache too, so any address inside leads to cache and slab.  Free objects are
 * linked through a word of their own.  Each hart has a magazine per cache, a small stack of free objects, made
 * at the first use; only when it is empty or full are the slabs touched.
 *
 * Debug builds lay an object out as	[left zone][object ... poison when free][right zone: state, next free, who]
 * and check on both ways: writes before or behind the object, writes after the free, freeing twice, freeing what is no object.
 *
 * Invariants: a slab is on `partial` if it has both free and used objects (objects in magazines count as used),
 * on `empty` if all are free, on `full` otherwise; there are at most EMPTY_MAX empty slabs outside slab_shrink.
 *
 * Locks: magazines belong to their hart, interrupts off.  Slabs and lists: cache.lock (LOCK_SLAB), interrupts off.  The list of caches:
 * caches_lock (LOCK_KMEM, a mutex).  Freeing, and allocating with KM_NOWAIT, are allowed in interrupts.
 */

#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/mem_internal.h"
#include "kernel/mem/slab_internal.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/mutex.h"

#define MAG_MAX	       30u
#define EMPTY_MAX      1u
#define SLAB_MAX_ORDER 5u
#define LEFT_ZONE      16u
#define RIGHT_ZONE     sizeof(struct right_zone)
#define FILL_FREE      0x6b
#define FILL_ZONE      0xbb
#define STATE_USED     0x5abe11ed0b1ec701UL
#define STATE_FREE     0xf4ee0b1ec7f4ee00UL

struct magazine {
	u32 n;
	u32 max;
	void *objs[MAG_MAX];
};

struct right_zone {
	u64 state;
	void *next;
	void *pc; /* who allocated or freed it last */
};

/* Field markings and the corresponding locks:
 * (c) constant   (l) lock   (k) caches_lock   (h) hart i only, interrupts off
 */
struct kmem_cache {
	const char *name;		  /* (c) */
	size_t size;			  /* (c) of an object, as asked for */
	size_t stride;			  /* (c) from one object to the next */
	size_t left;			  /* (c) bytes before each object */
	unsigned order;			  /* (c) of a slab */
	unsigned per_slab;		  /* (c) */
	u32 mag_max;			  /* (c) 0: no magazines */
	struct spinlock lock;		  /* (c) */
	struct list partial, full, empty; /* (l) */
	u32 nempty;			  /* (l) */
	u64 nslabs;			  /* (l) */
	u64 used;			  /* (l) objects not in slabs: allocated or in magazines */
	struct list link;		  /* (k) */
	struct magazine *mag[MAX_HARTS];  /* (h) */
};

static struct kmem_cache cache_cache, mag_cache;
static struct list caches = LIST_INIT(caches); /* (k) */
static struct mutex caches_lock;
static u64 nframes; /* (a) */

static inline struct frame *slab_of(struct kmem_cache *c, const void *p)
{
	return mem_va_frame((void *)ALIGN_DOWN((u64)p, PAGE_SIZE << c->order));
}

#define slab_free(s) ((s)->index)      /* first free object */
#define slab_used(s) ((s)->io_pending) /* objects taken out of it */

static inline struct right_zone *right_zone(const struct kmem_cache *c, void *p)
{
	return (struct right_zone *)((char *)p + ALIGN_UP(c->size, 8UL));
}

static inline void **link_of(const struct kmem_cache *c, void *p)
{
	return DEBUG ? &right_zone(c, p)->next : (void **)p;
}

/* ---- debug layout ---- */

static __noreturn void corrupt(struct kmem_cache *c, void *p, const char *what, size_t off)
{
	panic("slab %s: object %p (%lu bytes): %s at offset %ld; last by %p", c->name, p,
	      (unsigned long)c->size, what, (long)off, DEBUG ? right_zone(c, p)->pc : NULL);
}

static void check_zones(struct kmem_cache *c, void *p)
{
	const u8 *left = (u8 *)p - LEFT_ZONE, *pad = (u8 *)p + c->size;

	for (size_t i = 0; i < LEFT_ZONE; i++)
		if (left[i] != FILL_ZONE)
			corrupt(c, p, "write before the object", i - LEFT_ZONE);
	for (size_t i = 0; i < ALIGN_UP(c->size, 8UL) - c->size; i++)
		if (pad[i] != FILL_ZONE)
			corrupt(c, p, "write behind the object", c->size + i);
}

static void check_is_object(struct kmem_cache *c, void *p)
{
	struct frame *s = slab_of(c, p);
	size_t off;

	if (!s || !(s->flags & FR_SLAB) || (struct kmem_cache *)s->private != c)
		panic("slab %s: free of %p, which is not from this cache", c->name, p);
	off = (u64)p - (u64)frame_va(s) - c->left;
	if (off % c->stride || off / c->stride >= c->per_slab)
		panic("slab %s: free of %p, which is inside an object", c->name, p);
}

static void debug_format(struct kmem_cache *c, void *p)
{
	memset((u8 *)p - LEFT_ZONE, FILL_ZONE, LEFT_ZONE);
	memset(p, FILL_FREE, c->size);
	memset((u8 *)p + c->size, FILL_ZONE, ALIGN_UP(c->size, 8UL) - c->size);
	*right_zone(c, p) = (struct right_zone){.state = STATE_FREE};
}

static void debug_alloc(struct kmem_cache *c, void *p, void *pc)
{
	struct right_zone *z = right_zone(c, p);
	const u8 *b = p;

	check_zones(c, p);
	if (z->state != STATE_FREE)
		corrupt(c, p, "write behind the free object", ALIGN_UP(c->size, 8UL));
	for (size_t i = 0; i < c->size; i++)
		if (b[i] != FILL_FREE)
			corrupt(c, p, "write after free", i);
	z->state = STATE_USED;
	z->pc = pc;
}

static void debug_free(struct kmem_cache *c, void *p, void *pc)
{
	struct right_zone *z = right_zone(c, p);

	check_is_object(c, p);
	if (z->state == STATE_FREE)
		corrupt(c, p, "freed twice", 0);
	check_zones(c, p);
	if (z->state != STATE_USED)
		corrupt(c, p, "write behind the object", ALIGN_UP(c->size, 8UL));
	z->state = STATE_FREE;
	z->pc = pc;
	memset(p, FILL_FREE, c->size);
}

/* ---- slabs: cache.lock held where nothing else is said ---- */

static void slab_format(struct kmem_cache *c, struct frame *s)
{
	char *base = frame_va(s);
	void *next = NULL;

	for (unsigned i = 0; i < 1u << c->order; i++) {
		s[i].private = (u64)c;
		__atomic_fetch_or(&s[i].flags, FR_SLAB | FR_WIRED, __ATOMIC_RELAXED);
	}
	for (unsigned i = c->per_slab; i-- > 0;) {
		void *p = base + c->left + i * c->stride;

		if (DEBUG)
			debug_format(c, p);
		*link_of(c, p) = next;
		next = p;
	}
	slab_free(s) = (u64)next;
	slab_used(s) = 0;
}

/* Gives a slab's frames back; no lock. */
static void slab_release(struct kmem_cache *c, struct frame *s)
{
	ASSERT(!slab_used(s));
	for (unsigned i = 0; i < 1u << c->order; i++)
		__atomic_fetch_and(&s[i].flags, ~(FR_SLAB | FR_WIRED), __ATOMIC_RELAXED);
	frame_free_order(s, c->order);
	__atomic_fetch_sub(&nframes, 1UL << c->order, __ATOMIC_RELAXED);
}

static void *slab_take(struct kmem_cache *c)
{
	struct frame *s = list_first(&c->partial, struct frame, link);
	void *p;

	if (!s) {
		s = list_first(&c->empty, struct frame, link);
		if (!s)
			return NULL;
		c->nempty--;
		list_del(&s->link);
		list_add(&c->partial, &s->link);
	}
	p = (void *)slab_free(s);
	slab_free(s) = (u64)*link_of(c, p);
	slab_used(s)++;
	c->used++;
	if (!slab_free(s)) {
		ASSERT(slab_used(s) == c->per_slab);
		list_del(&s->link);
		list_add(&c->full, &s->link);
	}
	return p;
}

/* Puts an object back; a slab that is empty and too many goes onto surplus. */
static void slab_put(struct kmem_cache *c, void *p, struct list *surplus)
{
	struct frame *s = slab_of(c, p);

	ASSERT(slab_used(s) && c->used);
	if (!slab_free(s)) {
		list_del(&s->link);
		list_add(&c->partial, &s->link);
	}
	*link_of(c, p) = (void *)slab_free(s);
	slab_free(s) = (u64)p;
	c->used--;
	if (--slab_used(s))
		return;
	list_del(&s->link);
	if (c->nempty < EMPTY_MAX) {
		list_add(&c->empty, &s->link);
		c->nempty++;
	} else {
		list_add(surplus, &s->link);
		c->nslabs--;
	}
}

static void release_all(struct kmem_cache *c, struct list *surplus)
{
	struct list *l;

	while ((l = list_pop(surplus)))
		slab_release(c, list_entry(l, struct frame, link));
}

/* One more slab; takes and drops the lock itself. */
static bool grow(struct kmem_cache *c, unsigned flags)
{
	struct frame *s = frame_alloc_order(c->order, flags & KM_NOWAIT ? FA_NOWAIT : 0);
	u64 irq;

	if (!s)
		return false;
	slab_format(c, s);
	__atomic_fetch_add(&nframes, 1UL << c->order, __ATOMIC_RELAXED);
	irq = spin_lock_irq(&c->lock);
	list_add(&c->empty, &s->link);
	c->nempty++;
	c->nslabs++;
	spin_unlock_irq(&c->lock, irq);
	return true;
}

/* ---- magazines ---- */

static inline struct magazine *mag_here(struct kmem_cache *c)
{
	return c->mag[current()->hart->index];
}

/* Half a magazine from the slabs; interrupts off. */
static void mag_refill(struct kmem_cache *c, struct magazine *m)
{
	void *p;

	spin_lock(&c->lock);
	while (m->n < (m->max + 1) / 2 && (p = slab_take(c)))
		m->objs[m->n++] = p;
	spin_unlock(&c->lock);
}

/* Leaves `keep` objects; interrupts off. */
static void mag_drain(struct kmem_cache *c, struct magazine *m, u32 keep)
{
	struct list surplus = LIST_INIT(surplus);

	spin_lock(&c->lock);
	while (m->n > keep)
		slab_put(c, m->objs[--m->n], &surplus);
	spin_unlock(&c->lock);
	release_all(c, &surplus);
}

/* Gives the calling hart a magazine for c, if there is memory at hand. */
static void mag_make(struct kmem_cache *c)
{
	struct magazine *m = kmem_cache_alloc(&mag_cache, KM_NOWAIT);
	u64 irq;

	if (!m)
		return;
	m->n = 0;
	m->max = c->mag_max;
	irq = irq_save();
	if (!mag_here(c)) {
		c->mag[current()->hart->index] = m;
		m = NULL;
	}
	irq_restore(irq);
	kmem_cache_free(&mag_cache, m);
}

static __attribute__((noinline)) void *alloc_slow(struct kmem_cache *c, unsigned flags)
{
	struct magazine *m;
	void *p = NULL;
	u64 irq;

	if (c->mag_max && !mag_here(c))
		mag_make(c);
	do {
		irq = irq_save();
		m = mag_here(c);
		if (m && !m->n)
			mag_refill(c, m);
		if (m && m->n) {
			p = m->objs[--m->n];
		} else if (!m) {
			spin_lock(&c->lock);
			p = slab_take(c);
			spin_unlock(&c->lock);
		}
		irq_restore(irq);
	} while (!p && grow(c, flags));
	return p;
}

void *kmem_cache_alloc_from(struct kmem_cache *c, unsigned flags, void *pc)
{
	struct magazine *m;
	void *p = NULL;
	u64 irq;

	if (alloc_injected())
		return NULL;
	irq = irq_save();
	m = mag_here(c);
	if (likely(m && m->n))
		p = m->objs[--m->n];
	irq_restore(irq);
	if (unlikely(!p)) {
		p = alloc_slow(c, flags);
		if (!p)
			return NULL;
	}
	if (DEBUG)
		debug_alloc(c, p, pc);
	if (flags & KM_ZERO)
		memset(p, 0, c->size);
	return p;
}

void *kmem_cache_alloc(struct kmem_cache *c, unsigned flags)
{
	return kmem_cache_alloc_from(c, flags, __builtin_return_address(0));
}

/* The magazine is full, or there is none; interrupts off. */
static __attribute__((noinline)) void free_slow(struct kmem_cache *c, struct magazine *m, void *p)
{
	struct list surplus = LIST_INIT(surplus);

	if (m) {
		mag_drain(c, m, m->max / 2);
		m->objs[m->n++] = p;
		return;
	}
	spin_lock(&c->lock);
	slab_put(c, p, &surplus);
	spin_unlock(&c->lock);
	release_all(c, &surplus);
}

void kmem_cache_free_from(struct kmem_cache *c, void *p, void *pc)
{
	struct magazine *m;
	u64 irq;

	if (!p)
		return;
	if (DEBUG)
		debug_free(c, p, pc);
	irq = irq_save();
	m = mag_here(c);
	if (likely(m && m->n < m->max))
		m->objs[m->n++] = p;
	else
		free_slow(c, m, p);
	irq_restore(irq);
}

void kmem_cache_free(struct kmem_cache *c, void *p)
{
	kmem_cache_free_from(c, p, __builtin_return_address(0));
}

/* ---- caches ---- */

/* The order that wastes an eighth or less, or the one that wastes least. */
static void choose_order(struct kmem_cache *c)
{
	unsigned best = 0;
	u64 best_waste = ~0UL;

	for (unsigned o = 0; o <= SLAB_MAX_ORDER; o++) {
		u64 bytes = PAGE_SIZE << o, n = bytes / c->stride;
		u64 waste = n ? (bytes - n * c->stride) << (SLAB_MAX_ORDER - o) : ~0UL;

		if (waste < best_waste) {
			best = o;
			best_waste = waste;
		}
		if (n && (bytes - n * c->stride) * 8 <= bytes)
			break;
	}
	c->order = best;
	c->per_slab = (PAGE_SIZE << best) / c->stride;
}

static u32 magazine_size(size_t size)
{
	return size <= 256 ? MAG_MAX : size <= 1024 ? 16 : size <= 4096 ? 8 : 2;
}

static bool cache_setup(struct kmem_cache *c, const char *name, size_t size, size_t align)
{
	size_t end;

	align = MAX(align, (size_t)8);
	ASSERT(size && !(align & (align - 1)) && align <= PAGE_SIZE);
	memset(c, 0, sizeof(*c));
	c->name = name;
	c->size = MAX(size, sizeof(void *));
	c->left = DEBUG ? ALIGN_UP((size_t)LEFT_ZONE, align) : 0;
	end = ALIGN_UP(c->size, 8UL) + (DEBUG ? RIGHT_ZONE : 0);
	c->stride = ALIGN_UP(c->left + end, align);
	choose_order(c);
	if (!c->per_slab)
		return false;
	c->mag_max = magazine_size(size);
	spin_init(&c->lock, LOCK_SLAB, name);
	list_init(&c->partial);
	list_init(&c->full);
	list_init(&c->empty);
	return true;
}

static void cache_register(struct kmem_cache *c)
{
	mutex_lock(&caches_lock);
	list_add_tail(&caches, &c->link);
	mutex_unlock(&caches_lock);
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	struct kmem_cache *c = kmem_cache_alloc(&cache_cache, 0);

	if (!c)
		return NULL;
	if (!cache_setup(c, name, size, align)) {
		kmem_cache_free(&cache_cache, c);
		return NULL;
	}
	cache_register(c);
	return c;
}

static void drain_cache_here(void *arg)
{
	struct kmem_cache *c = arg;
	u64 irq = irq_save();
	struct magazine *m = mag_here(c);

	if (m)
		mag_drain(c, m, 0);
	irq_restore(irq);
}

static void drain_cache(struct kmem_cache *c)
{
	if (nharts > 1)
		harts_call(harts_online(), drain_cache_here, c);
	else
		drain_cache_here(c);
}

/* Frees the empty slabs; returns the frames freed. */
static size_t release_empty(struct kmem_cache *c)
{
	struct list surplus = LIST_INIT(surplus);
	u64 irq = spin_lock_irq(&c->lock);
	size_t n = c->nempty;

	list_splice_tail(&surplus, &c->empty);
	c->nslabs -= n;
	c->nempty = 0;
	spin_unlock_irq(&c->lock, irq);
	release_all(c, &surplus);
	return n << c->order;
}

void kmem_cache_destroy(struct kmem_cache *c)
{
	drain_cache(c);
	if (c->used)
		panic("slab %s destroyed with %lu objects in use", c->name, (unsigned long)c->used);
	release_empty(c);
	ASSERT(!c->nslabs && list_empty(&c->partial) && list_empty(&c->full));
	mutex_lock(&caches_lock);
	list_del(&c->link);
	mutex_unlock(&caches_lock);
	for (unsigned i = 0; i < MAX_HARTS; i++)
		kmem_cache_free(&mag_cache, c->mag[i]);
	kmem_cache_free(&cache_cache, c);
}

/* Exact when nobody allocates meanwhile. */
u64 kmem_cache_in_use(const struct kmem_cache *c)
{
	u64 used = READ_ONCE(c->used), idle = 0;

	for (u32 i = 0; i < nharts; i++) {
		const struct magazine *m = READ_ONCE(c->mag[i]);

		idle += m ? READ_ONCE(m->n) : 0;
	}
	return used > idle ? used - idle : 0;
}

size_t slab_object_size(const void *p)
{
	struct frame *f = va_frame(p);

	return ((struct kmem_cache *)f->private)->size;
}

struct kmem_cache *slab_cache_of(const void *p)
{
	struct frame *f = va_frame(p);

	return f && (f->flags & FR_SLAB) ? (struct kmem_cache *)f->private : NULL;
}

size_t slab_shrink(void)
{
	struct kmem_cache *c;
	size_t freed = 0;

	mutex_lock(&caches_lock);
	list_for_each(c, &caches, link) {
		if (c->mag_max)
			drain_cache(c);
		freed += release_empty(c);
	}
	mutex_unlock(&caches_lock);
	return freed;
}

u64 slab_frames(void)
{
	return __atomic_load_n(&nframes, __ATOMIC_RELAXED);
}

bool slab_info(unsigned k, const char **name, size_t *size, u64 *used, u64 *total)
{
	struct kmem_cache *c;
	bool found = false;

	mutex_lock(&caches_lock);
	list_for_each(c, &caches, link) {
		if (k--)
			continue;
		*name = c->name;
		*size = c->size;
		*used = kmem_cache_in_use(c);
		*total = READ_ONCE(c->nslabs) * c->per_slab;
		found = true;
		break;
	}
	mutex_unlock(&caches_lock);
	return found;
}

void kmem_fail_nth(u64 n)
{
	current()->alloc_fail_nth = n;
	current()->alloc_failed = false;
}

u64 kmem_fail_left(void)
{
	return current()->alloc_fail_nth;
}

bool kmem_failed(void)
{
	bool was = current()->alloc_failed;

	current()->alloc_failed = false;
	return was;
}

void slab_init(void)
{
	mutex_init(&caches_lock, LOCK_KMEM, "caches");
	if (!cache_setup(&cache_cache, "kmem_cache", sizeof(struct kmem_cache), 0) ||
	    !cache_setup(&mag_cache, "magazine", sizeof(struct magazine), 0))
		panic("slab sizes");
	cache_cache.mag_max =
		0; /* a magazine cannot come out of a magazine; caches are made seldom */
	mag_cache.mag_max = 0;
	cache_register(&cache_cache);
	cache_register(&mag_cache);
	kmalloc_init();
}

/* A hart's magazines are made at first use. */
void slab_hart_init(void)
{
	ASSERT(current()->hart->index < MAX_HARTS);
}
