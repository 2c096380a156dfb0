/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_BLOCK_INTERNAL_H
#define GNOMON_DRIVERS_BLOCK_INTERNAL_H

/* Between the files of drivers/block; not for drivers. */

#include "drivers/block/block_driver.h"

/* Field markings and the corresponding locks:
 * (c) constant after registration   (a) atomic   (q) lock of the queue   (m) mount lock of fs/vfs   (r) registry lock (block.c)
 */
struct block_dev {
	char name[32];		   /* (c) */
	struct block_queue *queue; /* (c) the disk's */
	struct block_dev *disk;	   /* (c) of a partition; NULL: it is a disk */
	u64 start, sectors;	   /* (c) on the disk */
	u64 devno;		   /* (c) */
	char uuid[40];		   /* (c) partition's; empty: none */
	char label[112];	   /* (c) partition's, UTF-8 */
	u32 refs;		   /* (a) */
	void *claimed;		   /* (a) */
	void *cache;		   /* (m) */
	struct block_stats stats;  /* (q) */
	struct list link;	   /* (r) */
};

/* queue.c */
struct block_queue *queue_create(const char *name, const struct block_disk *disk);
void queue_destroy(struct block_queue *q); /* unused so far */
const struct block_limits *queue_limits(const struct block_queue *q);
bool queue_absent(const struct block_queue *q);
void queue_submit(struct block_queue *q, struct bio *b); /* checked, abs_sector and nsectors set */
void queue_dispatch(struct block_queue *q);
void queue_stats(struct block_queue *q, const struct block_stats *from, struct block_stats *out);

/* bio.c */
void bio_init(void);

/* partition.c: no state, no memory of its own. */
struct partition {
	u32 number;	    /* from 1 */
	u64 start, sectors; /* of 512 bytes, within the disk */
	char uuid[40];	    /* lower case, as Linux writes PARTUUID */
	char label[112];    /* UTF-8; empty for MBR */
};
struct partition_source {
	const char *name; /* for messages */
	u64 sectors;	  /* of 512 bytes */
	u32 sector_size;
	int (*read)(void *ctx, u64 sector, void *buf, size_t n); /* 512-byte sectors; 0 or -errno */
	void *ctx;
	void (*found)(void *ctx, const struct partition *p);
	void *(*alloc)(size_t n);
	void (*free)(void *p);
};
/* How many partitions were found; 0 also when there is no table; -EIO, -ENOMEM. A damaged table is named in a message. */
int partitions_scan(const struct partition_source *src);

#endif
