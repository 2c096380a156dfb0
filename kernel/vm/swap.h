/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_VM_SWAP_H
#define GNOMON_VM_SWAP_H

/* Swap areas: the door for who opens devices and files for them (fs/vfs) and who shows them (fs/procfs). */

#include "drivers/block/block.h"
#include "kernel/lib/types.h"

#define SWAP_AREAS 29 /* at most, as Linux; the number is part of a slot's word */

/* Pages of the area that lie together on the device. */
struct swap_extent {
	u64 slot, n, sector; /* first page of the area, how many, first sector on dev */
};

struct swap_spec {
	struct block_dev *dev; /* held; the caller's reference passes on success */
	void *owner;	       /* what is claimed or held for it; given to `release` at swapoff */
	void (*release)(struct block_dev *dev, void *owner);
	const char *name;	     /* path, as /proc/swaps shows it; copied */
	bool file;		     /* a file's extents, not a device */
	bool discard_all;	     /* the device is told that nothing of it is needed: now */
	bool discard_pages;	     /* and of what comes to be free, later, in large pieces */
	struct swap_extent *extents; /* ascending by slot, kmalloc'ed; passes on success */
	u32 nextents;
	u64 pages; /* of the device or file */
	s32 prio;  /* negative: the next one below all others */
};

/* Reads the header and takes the area into use. 0; -EINVAL (not a swap header: a message tells why), -EIO, -ENOMEM, -EPERM (no more areas). Sleeps. */
int swap_area_add(const struct swap_spec *spec);
/* The area whose owner is this leaves: every page comes back. 0; -EINVAL: no such area; -ENOMEM: they would not fit, all is as it was; -EINTR. Sleeps. */
int swap_area_remove(const void *owner);

struct swap_info {
	bool file;
	u64 pages, used; /* pages that can be used; that are */
	s32 prio;
};
/* The k-th area, and its name, cut to size; false past the end. */
bool swap_info(unsigned k, struct swap_info *out, char *name, size_t size);
void swap_totals(u64 *pages, u64 *free);
/* For how many nanoseconds pages have been meant for swap and no slot was free; 0: one is. */
u64 swap_full_for(void);
u64 swap_resident(void); /* pages in memory that have a clean copy in swap ("SwapCached") */

/* ---- what the clock saw, with the kernel parameter trace=N (clock_trace.c); none of these sleeps ---- */

struct clock_ref {
	u64 object, index; /* which page; an object's number is its own as long as it lives */
	bool used;	   /* it was found used; else it came in */
};
/* The k-th reference; false: there are no more. */
bool clock_trace_get(u64 k, struct clock_ref *out);
/* Pages under the clock at most; pages that came in while it was recorded; of them, those that had been in memory before. */
void clock_trace_counts(u64 *memory, u64 *met, u64 *again);
void clock_trace_reset(void); /* recording starts anew with the next reference */
u64 clock_pages(void);	      /* pages under the clock */

#endif
