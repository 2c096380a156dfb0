/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_MMC_H
#define GNOMON_DRIVERS_MMC_H

/*
 * SD cards: what a host controller does (struct mmc_host_ops), and what the core makes of it, a disk.  Everything runs in the host's
 * own thread: insertion, identification, requests, recovery.  SD Physical Layer Simplified Specification, version 9; sections are cited as "SD 4.2".
 */

#include "drivers/block/block_driver.h"
#include "kernel/sched/time.h"
#include "kernel/sync/waitq.h"

/* Responses (SD 4.9). */
enum mmc_response { MMC_NONE, MMC_R1, MMC_R1B, MMC_R2, MMC_R3, MMC_R6, MMC_R7 };

/* Either pieces of memory for DMA, or a small buffer that the controller reads or fills by itself. */
struct mmc_data {
	bool write;
	u32 block_size, blocks;
	const struct block_segment *segs;
	u32 nsegs;
	u32 *buf;      /* when nsegs is 0: block_size * blocks bytes, word aligned */
	u32 turn;      /* with pieces: 0 or 1, that of the next request being the other */
	bool prepared; /* ops->prepare was called for it */
};

struct mmc_command {
	u32 index, arg;
	enum mmc_response response;
	u32 resp[4]; /* R2: most significant word first; else resp[0] */
	struct mmc_data *data;
	bool stop; /* CMD12: goes out although data is under way */
	bool init; /* 80 clocks first */
};

struct mmc_host;

/* All called from the host's thread; may sleep. */
struct mmc_host_ops {
	bool (*card_in)(struct mmc_host *h);
	/* To the state before any card: bus 1 bit wide, clock off. */
	int (*reset)(struct mmc_host *h);
	int (*set_clock)(struct mmc_host *h,
			 u32 hz); /* the next possible below; 0: off. 0 or -ETIMEDOUT */
	void (*set_width)(struct mmc_host *h, u32 bits);
	/* One command with its data. 0; -ETIMEDOUT: no answer or no data in time; -EILSEQ: a checksum was wrong; -ENOMEDIUM; -EIO. */
	int (*command)(struct mmc_host *h, struct mmc_command *c);
	/* Gets ready for a command with these pieces of memory while another's data flows. False: it could not; `command` does it. */
	bool (*prepare)(struct mmc_host *h, const struct mmc_data *data);
	/* After a command with data failed: brings the controller back. 0 or -ETIMEDOUT. */
	int (*recover)(struct mmc_host *h);
	/* Waits until the card lets go of the data line. 0 or -ETIMEDOUT. */
	int (*wait_ready)(struct mmc_host *h);
	void (*deliver)(
		struct mmc_host
			*h); /* what was read is where it belongs only afterwards; NULL: always */
};

#define MMC_MAX_SEGMENTS  256u
#define MMC_MAX_SECTORS	  2048u /* 1 MiB a request */
#define MMC_PART_SEGMENTS 16u	/* of 4 KiB */

struct mmc_card {
	u32 cid[4], csd[4], scr[2];
	u32 rca; /* in the upper half, as arguments have it */
	u64 sectors;
	bool high_capacity; /* addresses are blocks */
	bool wide, fast;
	bool set_block_count; /* knows CMD23 */
	bool discard, readonly;
};

/* Field markings and the corresponding locks:
 * (c) constant after mmc_host_add   (t) the host's thread   (l) lock   (a) atomic
 */
struct mmc_host {
	const struct mmc_host_ops *ops;		      /* (c) the driver's, as are the next four */
	void *drv;				      /* (c) */
	const char *name;			      /* (c) */
	u32 number;				      /* (c) of the disk: mmcblkN */
	u32 max_hz;				      /* (c) */
	bool four_bits, high_speed, no_write_protect; /* (c) */
	u32 settle_ms;				      /* (c) wait after a card came */

	struct spinlock lock;  /* (c) LOCK_DRIVER, interrupts off */
	struct list requests;  /* (l) to do */
	struct waitq wait;     /* (c) the thread sleeps here when there is nothing to do */
	u32 changed;	       /* (a) card detect went off */
	struct mmc_card card;  /* (t) */
	bool present;	       /* (t) a card is identified; others may look */
	u64 retry_at;	       /* (t) not before: another try with a card that does not answer */
	struct block_dev *dev; /* (a) NULL until the first card's disk is registered */
	bool known;	       /* (t) there was a first card: the disk is being registered, or is */
	u32 known_cid[4];      /* (t) of that card */
	bool looked; /* (a) the slot has been looked at once, and what was found is a disk */
	struct work
		add_disk; /* (c) registering reads the disk: not from the thread that does that */
	struct block_request *ended;			/* (t) done, but not reported yet */
	int ended_err;					/* (t) of it */
	struct block_request *ahead;			/* (t) comes next, already off the list */
	bool ahead_prepared;				/* (t) in the other turn */
	bool prepared;					/* (t) the request in hand is, still */
	u32 turn;					/* (t) of the request in hand: 0 or 1 */
	u32 nsegs[2];					/* (t) by turn */
	struct block_segment segs[2][MMC_MAX_SEGMENTS]; /* (t) the same */
	struct block_segment part[MMC_PART_SEGMENTS];	/* (t) of a piece of it */
};

/* Starts the host's thread and waits until it has seen what is in the slot; ops, drv, name, number and the limits are set. 0 or -ENOMEM. */
int mmc_host_add(struct mmc_host *h);
void mmc_card_changed(struct mmc_host *h); /* card detect: any context */
/* For drivers to call when data has begun to flow; from the host's thread, no lock held. Does what can be done meanwhile, does not sleep. */
void mmc_data_flows(struct mmc_host *h);

/* card.c: identifies and sets up the card in the slot. 0 or -errno; what is wrong is said. */
int mmc_identify(struct mmc_host *h, struct mmc_card *card);
int mmc_simple(struct mmc_host *h, u32 index, u32 arg, enum mmc_response response, u32 *resp);
/* Waits until the card is in transfer state again (CMD13), stopping what it does. */
int mmc_settle(struct mmc_host *h, struct mmc_card *card);
/* Bits [low, low+n) of a 128-bit register, n <= 32. */
u32 mmc_bits(const u32 r[4], unsigned low, unsigned n);

#define R1_ERRORS     0xfdf90008u /* SD 4.10.1: what stops a command from doing its work */
#define R1_STATE(r)   ((r) >> 9 & 15)
#define R1_STATE_TRAN 4u
#define R1_STATE_DATA 5u
#define R1_STATE_RECV 6u
#define R1_READY      (1u << 8)

#endif
