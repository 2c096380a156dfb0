/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_VIRTIO_H
#define GNOMON_DRIVERS_VIRTIO_H

/*
 * VirtIO devices behind memory-mapped registers, old and new (Virtual I/O Device (VIRTIO) Version 1.1; section numbers below are its).
 * virtio_mmio.c speaks to the registers, virtqueue.c keeps the rings, a device driver (virtio_blk.c) fills them.  RISC-V is
 * little-endian, so is VirtIO: legacy devices, which use the guest's order, agree.
 */

#include "drivers/core/device.h"
#include "kernel/lib/types.h"
#include "kernel/mem/frame.h"

#define VIRTIO_ID_BLOCK 2u

/* 6: feature bits of every device */
#define VIRTIO_F_RING_INDIRECT	28
#define VIRTIO_F_RING_EVENT_IDX 29
#define VIRTIO_F_VERSION_1	32

struct virtq;

/* Field markings and the corresponding locks:
 * (c) constant after probe   (d) the driver's lock
 */
struct virtio_dev {
	struct device *device; /* (c) */
	volatile u8 *regs;     /* (c) */
	u32 version;	       /* (c) 1 legacy, 2 modern */
	u32 id;		       /* (c) */
	u64 features;	       /* (c) agreed upon */
	void *drv;	       /* (c) the driver's */
	/* Interrupts: buffers came back (true: some did); the configuration changed, or the device needs a reset. */
	bool (*used)(struct virtio_dev *v);   /* (c) */
	void (*config)(struct virtio_dev *v); /* (c) */
};

struct virtio_driver {
	u32 id;
	/* 0 or -errno; on failure the device is told so */
	int (*probe)(struct virtio_dev *v);
};
extern const struct virtio_driver virtio_blk_driver;

/* Agrees on those of `wanted` that the device offers (VERSION_1 comes by itself). 0, or -ENODEV: the device says no. */
int virtio_negotiate(struct virtio_dev *v, u64 wanted);
static inline bool virtio_has(const struct virtio_dev *v, unsigned feature)
{
	return v->features >> feature & 1;
}
/* Makes queue `index` of at most max entries. NULL: there is none, or no memory. */
struct virtq *virtio_queue(struct virtio_dev *v, u32 index, u32 max);
void virtio_queue_free(struct virtio_dev *v, struct virtq *q);
int virtio_start(struct virtio_dev *v); /* DRIVER_OK, after the interrupt is set up; 0 or -errno */
void virtio_fail(struct virtio_dev *v); /* FAILED: the driver gives up */
bool virtio_needs_reset(struct virtio_dev *v);
u8 virtio_config8(struct virtio_dev *v, u32 off);
u32 virtio_config32(struct virtio_dev *v, u32 off);
u64 virtio_config64(struct virtio_dev *v,
		    u32 off); /* consistent: read until its generation stands still */
void virtio_notify(struct virtio_dev *v, u32 index);

/* 2.6.5: descriptors */
struct vring_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};
#define VRING_NEXT     1u
#define VRING_WRITE    2u /* the device writes it */
#define VRING_INDIRECT 4u

/* ---- virtqueue.c: split rings; callers lock ---- */

struct virtq *virtq_create(u32 num, bool event_idx);
void virtq_destroy(struct virtq *q);
u32 virtq_size(const struct virtq *q);
void virtq_addresses(const struct virtq *q, paddr_t *desc, paddr_t *avail, paddr_t *used);
u32 virtq_room(const struct virtq *q); /* free descriptors */
/* Offers a chain of n descriptors (flags VRING_WRITE as needed, the rest is filled in), or with `indirect` one descriptor for the table of
 * n at that address. token comes back from virtq_take. Needs n (indirect: 1) of room. */
void virtq_offer(struct virtq *q, const struct vring_desc *d, u32 n, void *token);
void virtq_offer_indirect(struct virtq *q, paddr_t table, u32 n, void *token);
/* Publishes what was offered; true: the device wants to be notified. */
bool virtq_publish(struct virtq *q);
/* The token of the next buffer that came back; NULL: none now, and an interrupt will tell of the next. *bad: the device wrote nonsense. */
void *virtq_take(struct virtq *q, bool *bad);

#endif
