/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_BLOCK_H
#define GNOMON_DRIVERS_BLOCK_H

/*
 * Block devices and requests.  A request (struct bio) is a direction, a sector, a list of frame pieces and a completion; it belongs to
 * its submitter until submitted, to this layer until its `done` is called (in interrupt or thread context), then to the submitter
 * again.  Partitions, checks against the device's end, merging of adjacent requests, ordering and plugging live here;
 * drivers only move merged requests.  Sectors are 512 bytes whatever the device's own block size.
 */

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "kernel/mem/frame.h"

#define SECTOR_SIZE  512u
#define SECTOR_SHIFT 9

enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH, BIO_DISCARD };
#define BIO_FUA	 1u /* on stable storage before done */
#define BIO_SYNC 2u /* somebody waits: do not plug */

struct bio_vec {
	struct frame *frame;
	u32 offset, len; /* bytes within the frame; multiples of 512 */
};

struct block_dev;

/* Field markings and the corresponding locks:
 * (s) the submitter until submitted, then constant until done   (q) the device's queue lock
 */
struct bio {
	struct block_dev *dev;	     /* (s) */
	enum bio_op op;		     /* (s) */
	u32 flags;		     /* (s) */
	u64 sector;		     /* (s) first, relative to dev (partition) */
	u32 nvecs;		     /* (s) */
	struct bio_vec *vecs;	     /* (s) */
	struct bio_vec inline_vec;   /* (s) for one-piece requests: vecs may point here */
	void (*done)(struct bio *b); /* (s) status is set; may be interrupt context */
	void *arg;		     /* (s) */
	int status;		     /* (q) 0 or -errno */
	struct list link;	     /* (q) */
	u64 abs_sector;		     /* (q) on the whole disk */
	u32 nsectors;		     /* (q) in all; for BIO_DISCARD (s): how many */
	u32 done_sectors;	     /* (q) of a bio larger than a request: how far it is */
	bool alone;    /* (q) not to be merged: larger than a request, or part of one that failed */
	bool reserved; /* (s) from the reserve of bio_alloc */
};

struct block_request; /* merged bios, what a driver sees: drivers/block/block_driver.h */

void block_init(void);
struct block_dev *block_find(
	const char *name); /* "vda1", "/dev/vda1", "PARTUUID=...", "PARTLABEL=..."; holds; NULL */
struct block_dev *block_by_devno(u64 rdev); /* holds; NULL */
void block_hold(struct block_dev *d);
void block_drop(struct block_dev *d);
const char *block_name(const struct block_dev *d);
/* A partition's name and UUID in its table, UTF-8; empty: none.  They stay as long as d. */
const char *block_label(const struct block_dev *d);
const char *block_uuid(const struct block_dev *d);
u64 block_sectors(const struct block_dev *d);
u32 block_sector_size(const struct block_dev *d); /* logical block size in bytes */
bool block_readonly(const struct block_dev *d);
bool block_discards(
	const struct block_dev
		*d); /* BIO_DISCARD may be submitted; what is read afterwards is unspecified */
bool block_absent(const struct block_dev *
			  d); /* no card in the slot: requests fail until it is back; any context */
u64 block_devno(const struct block_dev *d); /* Linux's makedev encoding (major 254 for vd) */
/* The k-th device, for /proc/partitions and devfs; holds; NULL past the end. */
struct block_dev *block_nth(unsigned k);

/* A zeroed bio with room for nvecs pieces in vecs (nvecs itself is 0).  When memory is short it comes from a reserve, which may mean to
 * wait for another bio to be done: never fails if can_sleep; NULL otherwise when there is none.  At most BIO_MAX_VECS pieces. */
#define BIO_MAX_VECS 256u
struct bio *bio_alloc(u32 nvecs, bool can_sleep);
void bio_free(struct bio *b);
void bio_submit(struct bio *b); /* any context that may take spinlocks; completion through done */
int bio_wait(struct bio *b);	/* submits and sleeps until done; the status */
int block_flush(
	struct block_dev *d); /* all completed writes reach stable storage; sleeps; 0 or -EIO */
/* Holds back dispatch on this thread's requests so that neighbours merge; nests. */
void block_plug(void);
void block_unplug(void);
/* Synchronous helper for partition tables and superblocks, before there is a cache: reads bytes (512-multiples). */
int block_read_sync(struct block_dev *d, u64 sector, void *buf, size_t n);

/* What a file system or swap attaches to a device. Exclusive: -EBUSY. */
int block_claim(struct block_dev *d, void *who);
void block_unclaim(struct block_dev *d, void *who);
struct block_stats {
	u64 ios[2], sectors[2], ticks_ns[2], in_flight;
};
void block_stats(const struct block_dev *d, struct block_stats *out);
/* Slot where fs/vfs keeps the device's page cache vnode; set and cleared under the mount lock. */
void **block_cache_slot(struct block_dev *d);

#endif
