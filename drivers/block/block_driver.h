/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_BLOCK_DRIVER_H
#define GNOMON_DRIVERS_BLOCK_DRIVER_H

/* What a driver of disks and cards sees: requests made of neighbouring bios, within limits that it states. */

#include "drivers/block/block.h"
#include "kernel/lib/rbtree.h"

struct block_queue;

/* Constant after registration. */
struct block_limits {
	u32 sector_size;	 /* logical block size in bytes: a power of two, 512 to 4096 */
	u32 max_segments;	 /* pieces of memory in a request */
	u32 max_sectors;	 /* of 512 bytes in a request; a multiple of the sector size */
	u32 max_discard_sectors; /* 0: no discard */
	u32 depth;		 /* requests that may be with the driver at once */
	bool flush; /* has a cache that BIO_FLUSH empties; false: what is written is stable */
	bool fua;   /* knows BIO_FUA; false: emulated with flushes */
	bool readonly;
};

/* Field markings and the corresponding locks:
 * (q) queue lock while queued; the driver's between start and block_request_done
 * (c) constant
 */
struct block_request {
	struct list link;	   /* (q) free, pending, or the driver's */
	struct rb_node node;	   /* (q) in the queue's merge index while pending */
	struct block_queue *queue; /* (c) */
	enum bio_op op;		   /* (q) */
	u32 flags;		   /* (q) BIO_FUA, only if limits.fua */
	u64 sector;		   /* (q) on the disk */
	u32 nsectors;		   /* (q) */
	u32 nvecs;		   /* (q) pieces, at most limits.max_segments */
	bool indexed;		   /* (q) in the merge index */
	bool fua_flush;		   /* (q) its data is written, now the flush that makes it stable */
	struct list bios;	   /* (q) in order of their sectors */
	u64 started;		   /* (q) time_now() */
	void *drv;		   /* (q) the driver's, while it has the request */
};

/* One contiguous piece of physical memory. */
struct block_segment {
	paddr_t pa;
	u32 len;
};

struct block_ops {
	/* Takes a request, to call block_request_done later, not from here.  False: no room now, ask again after something is done
	 * (there is something under way).  Called with the queue's lock held and interrupts off. */
	bool (*start)(void *drv, struct block_request *r);
	/* Requests were started: tell the device.  Interrupts are off, the queue is not locked: others may start and kick meanwhile.  NULL: start does it. */
	void (*kick)(void *drv);
	/* The medium is out at the moment, and may come back.  Any context.  NULL: it cannot be. */
	bool (*absent)(void *drv);
};

/* The request's memory in order, physical neighbours joined; returns how many pieces, at most max. */
u32 block_request_segments(const struct block_request *r, struct block_segment *out, u32 max);
/* The driver is through with r: 0 or -errno.  Any context, no lock of rank BLOCK or above held. */
void block_request_done(struct block_request *r, int err);

struct block_disk {
	const char *prefix; /* "vd": the first is vda */
	bool numbered;	    /* "mmcblk" with number 1: mmcblk1, partitions mmcblk1p1 */
	u32 number;
	u32 major;
	u64 sectors; /* of 512 bytes */
	const struct block_ops *ops;
	void *drv;
	struct block_limits limits;
};

/* Adds a disk, then its partitions (reads the disk: requests must work by now).  Sleeps.  0 with *out (a hold is the caller's), or -ENOMEM,
 * -EINVAL (limits).  Disks are never removed; a dead one fails its requests. */
int block_register(const struct block_disk *disk, struct block_dev **out);

#endif
