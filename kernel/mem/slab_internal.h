/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_MEM_SLAB_INTERNAL_H
#define GNOMON_MEM_SLAB_INTERNAL_H

/* Between slab.c (caches) and kmalloc.c (memory of any size). */

#include "kernel/mem/slab.h"

#define KMALLOC_SLAB_MAX (64 * KiB) /* more is taken in whole frames */

void kmalloc_init(void);
/* pc: whom debug builds blame. */
void *kmem_cache_alloc_from(struct kmem_cache *c, unsigned flags, void *pc);
void kmem_cache_free_from(struct kmem_cache *c, void *p, void *pc);
struct kmem_cache *slab_cache_of(const void *p); /* NULL: not in a slab */
size_t slab_object_size(const void *p);		 /* p is in a slab */

#endif
