/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_VM_FAULT_H
#define GNOMON_VM_FAULT_H

/* A fault on its way: between fault.c, which decides and maps, and window.c, which adds neighbours. */

#include "kernel/vm/vm_internal.h"

#define WINDOW 16 /* pages at most that one fault maps, a power of two */

enum outcome { DONE, AGAIN, FAIL };

struct fault {
	struct vm_map *map;
	u64 va; /* page address */
	unsigned access;
	struct vm_area *area;	 /* while the map is locked */
	struct vm_object *top;	 /* while its lock is held */
	u64 index;		 /* of the page in top */
	struct vm_object *found; /* object that has the page (or the end of the chain) */
	u64 found_index;
	struct frame *frame;	 /* the page there; NULL: none */
	uintptr_t word;		 /* what the tree has there */
	struct spinlock *lower;	 /* vnode's lock, held beside top's */
	struct frame *spare;	 /* for a new page: zeroed, or a copy of spare_src */
	struct frame *spare_src; /* held */
	bool alone;		 /* a read of several pages failed: one at a time */
	bool planned;		 /* nextra is decided */
	unsigned nextra;	 /* new pages to come right after the first */
	unsigned nfilled;	 /* of them, those that have their frame */
	struct vm_object *fresh; /* for a shadow or first object */
	struct radix_reserve nodes;
	struct tlb_batch batch;
	struct vm_object *drop; /* reference to give up when all is unlocked */
	int err, sig, code;
	struct frame *extra[WINDOW - 1];     /* [0..nfilled): zeroed, or copies of extra_src */
	struct frame *extra_src[WINDOW - 1]; /* [0..nextra): held; NULL: zeroed */
};

/* Decides on the pages that follow a new page made of src (NULL: zeroes) and holds their sources; the objects of the chain are
 * locked. False: there are none. */
bool window_plan(struct fault *ft, struct frame *src);
/* Gets their frames and fills them; what there is no memory for is left out. Objects unlocked. */
void window_fill(struct fault *ft);
/* The first page is in top and mapped: the others too, as far as they still fit. Locked as in window_plan. */
void window_insert(struct fault *ft);
/* Lets go of what was planned and not used. */
void window_drop(struct fault *ft);
/* Maps the pages around the fault that found has, as far as area, leaf table and object reach; writable: those of top that are dirty, with all rights,
 * else read-only. Locked as in window_plan. */
void window_map_resident(struct fault *ft, bool writable);
/* How many pages from the fault's on nobody has in the area (at least the first). Locked as in window_plan, if there is an object. */
unsigned window_zero(struct fault *ft);

/* ---- quick.c: true: the fault is done; false: it is not. The map is locked for reading, a has va and allows the access ---- */
/* A read; a had no object. */
bool quick_read(struct vm_map *m, u64 va, const struct vm_area *a);
/* A write; a is private, without a file, and had no object. May sleep. */
bool quick_first_write(struct vm_map *m, u64 va, struct vm_area *a);
/* A write; a is private and of a file. May sleep. */
bool quick_file_copy(struct vm_map *m, u64 va, struct vm_area *a);

#endif
