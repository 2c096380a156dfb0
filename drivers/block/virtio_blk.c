// SPDX-License-Identifier: BSD-2-Clause
/*
 * VirtIO disks (VIRTIO 1.1, 5.2): moves requests of the block layer through one queue.
 *
 * Each request under way has a slot: the header and status that the device reads and writes, and room for an indirect table, in
 * memory taken at probe.  With indirect descriptors a request takes one entry of the ring.
 *
 * A device that asks for a reset (2.1.2) or writes nonsense into the ring is given up: what it has and what comes later fails with EIO.
 *
 * Lock: disk.lock (LOCK_DRIVER), interrupts off; taken inside the queue's lock by start, and alone by kick and the interrupt, which
 * completes requests only after it has let go.
 */

#include "drivers/block/block_driver.h"
#include "drivers/block/virtio.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/sched/time.h"

#define VD_MAJOR 254u

/* 5.2.3 */
#define F_SIZE_MAX 1
#define F_SEG_MAX  2
#define F_RO	   5
#define F_BLK_SIZE 6
#define F_FLUSH	   9
#define F_DISCARD  13

/* 5.2.4: offsets in the configuration */
#define C_CAPACITY    0
#define C_SIZE_MAX    8
#define C_SEG_MAX     12
#define C_BLK_SIZE    20
#define C_MAX_DISCARD 36

/* 5.2.6 */
#define T_IN	      0u
#define T_OUT	      1u
#define T_FLUSH	      4u
#define T_DISCARD     11u
#define STATUS_OK     0u
#define STATUS_UNSUPP 2u
#define STATUS_NONE   0xffu /* the device has not said */

#define QUEUE_MAX   256u
#define SLOTS_MAX   64u
#define SLOT_SIZE   2048u
#define MAX_SECTORS 2048u /* 1 MiB a request */

struct blk_header {
	u32 type, reserved;
	u64 sector;
};

struct blk_discard {
	u64 sector;
	u32 nsectors, flags;
};

/* One request's memory, shared with the device; never crosses a page. */
#define SLOT_DESCS ((SLOT_SIZE - 64) / sizeof(struct vring_desc))
struct slot {
	struct blk_header header;
	struct blk_discard discard;
	u8 status;
	u8 unused[7];
	struct block_request *request; /* ours; NULL: free */
	struct slot *next_free;	       /* ours */
	u64 unused2;
	struct vring_desc desc[SLOT_DESCS];
};
BUILD_ASSERT(sizeof(struct slot) == SLOT_SIZE);
#define MAX_SEGMENTS (SLOT_DESCS - 2) /* header and status */

/* Field markings and the corresponding locks:
 * (c) constant after probe   (l) lock
 */
struct disk {
	struct virtio_dev *v;			 /* (c) */
	struct virtq *q;			 /* (c) */
	struct spinlock lock;			 /* (c) */
	u32 nslots;				 /* (c) */
	struct slot **slots;			 /* (c) */
	struct slot *free;			 /* (l) */
	struct block_dev *dev;			 /* (c) NULL until registered */
	bool dead;				 /* (l) */
	struct list failed;			 /* (l) requests that came after it died */
	struct work fail_work;			 /* (c) */
	struct block_segment segs[MAX_SEGMENTS]; /* (l) of the request being started */
};

static const char *name_of(const struct disk *d)
{
	return d->dev ? block_name(d->dev) : d->v->device->name;
}

/* ---- starting ---- */

static u32 request_type(const struct block_request *r)
{
	static const u32 types[] = {[BIO_READ] = T_IN,
				    [BIO_WRITE] = T_OUT,
				    [BIO_FLUSH] = T_FLUSH,
				    [BIO_DISCARD] = T_DISCARD};

	return types[r->op];
}

static paddr_t in_slot(const struct slot *s, const volatile void *field)
{
	return frame_pa(va_frame(s)) + ((u64)field & PAGE_MASK);
}

/* Header, data, status into the slot's descriptors; returns how many. */
static u32 fill_slot(struct disk *d, struct slot *s, struct block_request *r)
{
	u32 nsegs = block_request_segments(r, d->segs, MAX_SEGMENTS), n = 0;
	u16 data_flags = r->op == BIO_READ ? VRING_WRITE : 0;

	s->header = (struct blk_header){
		.type = request_type(r),
		.sector = r->op == BIO_FLUSH || r->op == BIO_DISCARD ? 0 : r->sector,
	};
	s->status = STATUS_NONE;
	s->desc[n++] = (struct vring_desc){in_slot(s, &s->header), sizeof(s->header), 0, 0};
	if (r->op == BIO_DISCARD) {
		s->discard = (struct blk_discard){r->sector, r->nsectors, 0};
		s->desc[n++] =
			(struct vring_desc){in_slot(s, &s->discard), sizeof(s->discard), 0, 0};
	}
	for (u32 i = 0; i < nsegs; i++)
		s->desc[n++] = (struct vring_desc){d->segs[i].pa, d->segs[i].len, data_flags, 0};
	s->desc[n++] = (struct vring_desc){in_slot(s, &s->status), 1, VRING_WRITE, 0};
	for (u32 i = 0; i + 1 < n; i++) {
		s->desc[i].flags |= VRING_NEXT;
		s->desc[i].next = i + 1;
	}
	return n;
}

static bool start_locked(struct disk *d, struct block_request *r)
{
	bool indirect = virtio_has(d->v, VIRTIO_F_RING_INDIRECT);
	struct slot *s = d->free;
	u32 n;

	if (d->dead) {
		list_add_tail(&d->failed, &r->link);
		return true;
	}
	if (!s || virtq_room(d->q) < (indirect ? 1 : r->nvecs + 3))
		return false;
	d->free = s->next_free;
	s->request = r;
	r->drv = s;
	n = fill_slot(d, s, r);
	if (indirect)
		virtq_offer_indirect(d->q, in_slot(s, s->desc), n, s);
	else
		virtq_offer(d->q, s->desc, n, s);
	return true;
}

static bool blk_start(void *drv, struct block_request *r)
{
	struct disk *d = drv;
	bool ok;

	spin_lock(&d->lock);
	ok = start_locked(d, r);
	spin_unlock(&d->lock);
	return ok;
}

static void blk_kick(void *drv)
{
	struct disk *d = drv;
	bool notify, dead;

	spin_lock(&d->lock);
	dead = d->dead;
	notify = !dead && virtq_publish(d->q);
	spin_unlock(&d->lock);
	if (notify)
		virtio_notify(d->v, 0);
	if (dead)
		work_queue(&d->fail_work);
}

static const struct block_ops blk_ops = {.start = blk_start, .kick = blk_kick};

/* ---- completing ---- */

static int slot_result(const struct slot *s)
{
	switch (s->status) {
	case STATUS_OK:
		return 0;
	case STATUS_UNSUPP:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

/* Frees the slot; r->drv says how it went. */
static struct block_request *slot_finish(struct disk *d, struct slot *s, int err)
{
	struct block_request *r = s->request;

	ASSERT(r);
	r->drv = (void *)(long)err;
	s->request = NULL;
	s->next_free = d->free;
	d->free = s;
	return r;
}

static void give_up(struct disk *d, const char *why)
{
	if (d->dead)
		return;
	d->dead = true;
	kprintf("<3>%s: %s: the disk is given up\n", name_of(d), why);
	virtio_fail(d->v);
	work_queue(&d->fail_work);
}

static void complete_all(struct list *done)
{
	struct list *l;

	while ((l = list_pop(done))) {
		struct block_request *r = list_entry(l, struct block_request, link);

		block_request_done(r, (int)(long)r->drv);
	}
}

static bool blk_used(struct virtio_dev *v)
{
	struct disk *d = v->drv;
	struct list done = LIST_INIT(done);
	struct slot *s;
	bool bad = false, any;
	u64 irq = spin_lock_irq(&d->lock);

	while (!d->dead && (s = virtq_take(d->q, &bad)))
		list_add_tail(&done, &slot_finish(d, s, slot_result(s))->link);
	if (bad)
		give_up(d, "nonsense in the used ring");
	spin_unlock_irq(&d->lock, irq);
	any = !list_empty(&done);
	complete_all(&done);
	return any;
}

static void blk_config(struct virtio_dev *v)
{
	struct disk *d = v->drv;
	u64 irq;

	if (!virtio_needs_reset(v)) {
		kprintf("%s: configuration changed; the new size is not used\n", name_of(d));
		return;
	}
	irq = spin_lock_irq(&d->lock);
	give_up(d, "device needs a reset");
	spin_unlock_irq(&d->lock, irq);
}

/* What a dead device has, and what came since, fails. Thread context. */
static void fail_all(struct work *w)
{
	struct disk *d = container_of(w, struct disk, fail_work);
	struct list done = LIST_INIT(done);
	struct block_request *r;
	u64 irq = spin_lock_irq(&d->lock);

	list_for_each(r, &d->failed, link)
		r->drv = (void *)(long)-EIO;
	list_splice_tail(&done, &d->failed);
	for (u32 i = 0; i < d->nslots; i++)
		if (d->slots[i]->request)
			list_add_tail(&done, &slot_finish(d, d->slots[i], -EIO)->link);
	spin_unlock_irq(&d->lock, irq);
	complete_all(&done);
}

/* ---- probing ---- */

static void free_slots(struct disk *d)
{
	for (u32 i = 0; i < d->nslots; i += PAGE_SIZE / SLOT_SIZE)
		frame_free(va_frame(d->slots[i]));
	kfree(d->slots);
}

static int make_slots(struct disk *d, u32 n)
{
	n = ALIGN_UP(n, (u32)(PAGE_SIZE / SLOT_SIZE));
	d->slots = kzalloc(n * sizeof(d->slots[0]));
	if (!d->slots)
		return -ENOMEM;
	while (d->nslots < n) {
		struct frame *f = frame_alloc(FA_ZERO);
		struct slot *s;

		if (!f) {
			free_slots(d);
			return -ENOMEM;
		}
		s = frame_va(f);
		for (u32 i = 0; i < PAGE_SIZE / SLOT_SIZE; i++, s++) {
			s->next_free = d->free;
			d->free = s;
			d->slots[d->nslots++] = s;
		}
	}
	return 0;
}

static u32 max_segments(struct disk *d)
{
	u32 n = MAX_SEGMENTS;

	if (virtio_has(d->v, F_SEG_MAX))
		n = MIN(n, virtio_config32(d->v, C_SEG_MAX));
	else
		n = 1;
	if (!virtio_has(d->v, VIRTIO_F_RING_INDIRECT))
		n = MIN(n, virtq_size(d->q) - 3);
	return n;
}

static void set_limits(struct disk *d, struct block_limits *l)
{
	struct virtio_dev *v = d->v;

	l->sector_size = virtio_has(v, F_BLK_SIZE) ? virtio_config32(v, C_BLK_SIZE) : SECTOR_SIZE;
	l->max_segments = max_segments(d);
	l->max_sectors = MAX_SECTORS;
	if (virtio_has(v, F_DISCARD))
		l->max_discard_sectors = ALIGN_DOWN(virtio_config32(v, C_MAX_DISCARD),
						    MAX(l->sector_size / SECTOR_SIZE, 1u));
	l->depth = d->nslots;
	l->flush = virtio_has(v, F_FLUSH);
	l->readonly = virtio_has(v, F_RO);
}

/* Smaller pieces than a page would have to be cut up: such a device is not supported. */
static bool pieces_ok(struct virtio_dev *v)
{
	return !virtio_has(v, F_SIZE_MAX) ||
	       virtio_config32(v, C_SIZE_MAX) >= MAX_SECTORS * SECTOR_SIZE;
}

static int start_disk(struct disk *d)
{
	struct block_disk disk = {.prefix = "vd", .major = VD_MAJOR, .ops = &blk_ops, .drv = d};
	struct virtio_dev *v = d->v;
	int err;

	if (!pieces_ok(v))
		return -EOPNOTSUPP;
	set_limits(d, &disk.limits);
	disk.sectors = virtio_config64(v, C_CAPACITY);
	v->used = blk_used;
	v->config = blk_config;
	err = virtio_start(v);
	if (err)
		return err;
	err = block_register(&disk, &d->dev);
	if (err) { /* the interrupt is ours for good now: the device stays bound, but stopped */
		v->used = NULL;
		v->config = NULL;
		virtio_fail(v);
		kprintf("<3>%s: cannot be a disk: error %d\n", v->device->name, -err);
	}
	return 0;
}

static int blk_probe(struct virtio_dev *v)
{
	struct disk *d = kzalloc(sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->v = v;
	v->drv = d;
	spin_init(&d->lock, LOCK_DRIVER, "virtio-blk");
	list_init(&d->failed);
	d->fail_work.fn = fail_all;
	err = virtio_negotiate(v, 1UL << F_SIZE_MAX | 1UL << F_SEG_MAX | 1UL << F_RO |
					  1UL << F_BLK_SIZE | 1UL << F_FLUSH | 1UL << F_DISCARD |
					  1UL << VIRTIO_F_RING_INDIRECT |
					  1UL << VIRTIO_F_RING_EVENT_IDX);
	if (err)
		goto free_disk;
	err = -ENOMEM;
	d->q = virtio_queue(v, 0, QUEUE_MAX);
	if (!d->q)
		goto free_disk;
	err = make_slots(d, MIN(virtq_size(d->q), SLOTS_MAX));
	if (err)
		goto free_queue;
	err = start_disk(d);
	if (!err)
		return 0;
	free_slots(d);
free_queue:
	virtio_queue_free(v, d->q);
free_disk:
	v->used = NULL;
	v->config = NULL;
	kfree(d);
	return err;
}

const struct virtio_driver virtio_blk_driver = {.id = VIRTIO_ID_BLOCK, .probe = blk_probe};
