/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_MEM_SLAB_H
#define GNOMON_MEM_SLAB_H

/*
 * Slab caches with per-hart magazines.  Debug builds put red zones around objects and poison free ones.  kmalloc rounds up to size
 * classes; above 64 KiB it takes whole frames (kvm_alloc_pages when physically contiguous memory is short).
 */

#include "kernel/lib/types.h"

struct kmem_cache;

#define KM_NOWAIT 1u /* never sleeps; NULL when there is nothing at once */
#define KM_ZERO	  2u

/* So that two harts that write to neighbours do not take the line from each other. */
#define KM_LINE 64u

/* align 0: 8; KM_LINE for what one process or file has of its own and writes to often. Lives until kmem_cache_destroy; name must outlive it. NULL: no memory. */
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align);
void kmem_cache_destroy(struct kmem_cache *c); /* panics if objects are left */
void *kmem_cache_alloc(struct kmem_cache *c, unsigned flags);
void kmem_cache_free(struct kmem_cache *c, void *p); /* NULL is fine */
u64 kmem_cache_in_use(const struct kmem_cache *c);

void *kmalloc(size_t n, unsigned flags);
static inline void *kzalloc(size_t n)
{
	return kmalloc(n, KM_ZERO);
}
void *krealloc(void *p, size_t n, unsigned flags); /* NULL leaves p as it was */
void kfree(void *p);
char *kstrdup(const char *s);

void slab_init(void);
void slab_hart_init(void);
size_t slab_shrink(void); /* gives empty slabs back; frames freed */
u64 slab_frames(void);
/* Iterates caches for /proc/slabinfo: k-th cache's name, object size, in use, total; false past the end. */
bool slab_info(unsigned k, const char **name, size_t *size, u64 *used, u64 *total);
/*
 * Debug builds: makes the n-th allocation of this thread from now on fail once (0: none).  Objects, frames and blocks of frames
 * count, those made in interrupts do not.  kmem_fail_left: how many until then; 0: it has failed, or was never asked for.
 * kmem_failed: one has failed since the last question.
 */
void kmem_fail_nth(u64 n);
u64 kmem_fail_left(void);
bool kmem_failed(void);

#endif
