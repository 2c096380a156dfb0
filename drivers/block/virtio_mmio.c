// SPDX-License-Identifier: BSD-2-Clause
/*
 * VirtIO over memory-mapped registers (VIRTIO 1.1, 4.2): version 2, and version 1, the legacy interface (4.2.4).
 *
 * One node of the device tree is one slot; most are empty (device id 0).  Registers are 32 bits wide.
 *
 * Locks: none here; start-up is single-threaded per device, and afterwards only the status, interrupt and notify registers are
 * used, each access whole in itself.
 */

#include "drivers/block/virtio.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/time.h"

#define MAGIC_VALUE 0x74726976u /* "virt" */

/* 4.2.2, 4.2.4 */
#define R_MAGIC		     0x000
#define R_VERSION	     0x004
#define R_DEVICE_ID	     0x008
#define R_DEVICE_FEATURES    0x010
#define R_DEVICE_FEATURE_SEL 0x014
#define R_DRIVER_FEATURES    0x020
#define R_DRIVER_FEATURE_SEL 0x024
#define R_GUEST_PAGE_SIZE    0x028 /* legacy */
#define R_QUEUE_SEL	     0x030
#define R_QUEUE_NUM_MAX	     0x034
#define R_QUEUE_NUM	     0x038
#define R_QUEUE_ALIGN	     0x03c /* legacy */
#define R_QUEUE_PFN	     0x040 /* legacy */
#define R_QUEUE_READY	     0x044
#define R_QUEUE_NOTIFY	     0x050
#define R_INTERRUPT_STATUS   0x060
#define R_INTERRUPT_ACK	     0x064
#define R_STATUS	     0x070
#define R_QUEUE_DESC	     0x080 /* low, high at + 4 */
#define R_QUEUE_DRIVER	     0x090
#define R_QUEUE_DEVICE	     0x0a0
#define R_CONFIG_GENERATION  0x0fc
#define R_CONFIG	     0x100

/* 2.1 */
#define S_ACKNOWLEDGE 1u
#define S_DRIVER      2u
#define S_DRIVER_OK   4u
#define S_FEATURES_OK 8u
#define S_NEEDS_RESET 64u
#define S_FAILED      128u

#define INT_USED   1u
#define INT_CONFIG 2u

#define RESET_TRIES 1000u
#define RESET_STEP  100u /* microseconds */

/* Device registers are ordered against memory and each other by full fences (RISC-V unprivileged ISA, 2.7). */
static u32 reg_read(struct virtio_dev *v, u32 off)
{
	u32 val = *(volatile u32 *)(v->regs + off);

#ifdef __riscv
	__asm__ volatile("fence i, rw" ::: "memory");
#endif
	return val;
}

static void reg_write(struct virtio_dev *v, u32 off, u32 val)
{
#ifdef __riscv
	__asm__ volatile("fence rw, o" ::: "memory");
#endif
	*(volatile u32 *)(v->regs + off) = val;
}

static void status_add(struct virtio_dev *v, u32 bits)
{
	reg_write(v, R_STATUS, reg_read(v, R_STATUS) | bits);
}

/* 4.2.3.1, 2.1.2: done when the status reads 0. */
static int reset(struct virtio_dev *v)
{
	reg_write(v, R_STATUS, 0);
	for (unsigned i = 0; i < RESET_TRIES; i++) {
		if (!reg_read(v, R_STATUS))
			return 0;
		udelay(RESET_STEP);
	}
	return -ETIMEDOUT;
}

static u64 offered(struct virtio_dev *v)
{
	u64 low, high;

	reg_write(v, R_DEVICE_FEATURE_SEL, 0);
	low = reg_read(v, R_DEVICE_FEATURES);
	reg_write(v, R_DEVICE_FEATURE_SEL, 1);
	high = reg_read(v, R_DEVICE_FEATURES);
	return high << 32 | low;
}

int virtio_negotiate(struct virtio_dev *v, u64 wanted)
{
	u64 have = offered(v);

	if (v->version == 2)
		wanted |= 1UL << VIRTIO_F_VERSION_1;
	else
		wanted &= (1UL << 32) - 1;
	v->features = have & wanted;
	if (v->version == 2 && !virtio_has(v, VIRTIO_F_VERSION_1)) /* 6.1 */
		return -ENODEV;
	reg_write(v, R_DRIVER_FEATURE_SEL, 0);
	reg_write(v, R_DRIVER_FEATURES, v->features);
	if (v->version == 1)
		return 0;
	reg_write(v, R_DRIVER_FEATURE_SEL, 1);
	reg_write(v, R_DRIVER_FEATURES, v->features >> 32);
	status_add(v, S_FEATURES_OK);
	return reg_read(v, R_STATUS) & S_FEATURES_OK ? 0 : -ENODEV;
}

static void write_address(struct virtio_dev *v, u32 off, paddr_t pa)
{
	reg_write(v, off, pa);
	reg_write(v, off + 4, pa >> 32);
}

/* 4.2.3.2; legacy 4.2.4 */
static int queue_attach(struct virtio_dev *v, struct virtq *q)
{
	paddr_t desc, avail, used;

	virtq_addresses(q, &desc, &avail, &used);
	reg_write(v, R_QUEUE_NUM, virtq_size(q));
	if (v->version == 1) {
		if (desc >> PAGE_SHIFT > UINT32_MAX)
			return -ENOMEM;
		reg_write(v, R_QUEUE_ALIGN, PAGE_SIZE);
		reg_write(v, R_QUEUE_PFN, desc >> PAGE_SHIFT);
		return 0;
	}
	write_address(v, R_QUEUE_DESC, desc);
	write_address(v, R_QUEUE_DRIVER, avail);
	write_address(v, R_QUEUE_DEVICE, used);
	reg_write(v, R_QUEUE_READY, 1);
	return 0;
}

struct virtq *virtio_queue(struct virtio_dev *v, u32 index, u32 max)
{
	struct virtq *q;
	u32 num;

	reg_write(v, R_QUEUE_SEL, index);
	if (reg_read(v, v->version == 1 ? R_QUEUE_PFN : R_QUEUE_READY))
		return NULL;
	num = MIN(reg_read(v, R_QUEUE_NUM_MAX), max);
	if (!num)
		return NULL;
	num = 1u << (31 - __builtin_clz(num));
	q = virtq_create(num, virtio_has(v, VIRTIO_F_RING_EVENT_IDX));
	if (q && queue_attach(v, q)) {
		virtq_destroy(q);
		q = NULL;
	}
	return q;
}

void virtio_queue_free(struct virtio_dev *v, struct virtq *q)
{
	reset(v); /* the device must not use the ring any more */
	virtq_destroy(q);
}

/*
 * Takes what is used until there is nothing more.  Arming the next interrupt and the last look at the ring need a fence in between, which QEMU before 8.1
 * leaves out where there is one hart (tcg_gen_mb), while its devices run beside it: a completion between the two would be seen by nobody.
 * Reading a register of the device orders there too.
 */
static void take_used(struct virtio_dev *v)
{
	while (v->used(v) && nharts == 1)
		(void)reg_read(v, R_INTERRUPT_STATUS);
}

static bool interrupt(void *arg)
{
	struct virtio_dev *v = arg;
	u32 why = reg_read(v, R_INTERRUPT_STATUS);

	if (!why)
		return false;
	reg_write(v, R_INTERRUPT_ACK, why);
	if ((why & INT_USED) && v->used)
		take_used(v);
	if ((why & INT_CONFIG) && v->config)
		v->config(v);
	return true;
}

int virtio_start(struct virtio_dev *v)
{
	int err = device_irq(v->device, 0, interrupt, v);

	if (!err)
		status_add(v, S_DRIVER_OK);
	return err;
}

void virtio_fail(struct virtio_dev *v)
{
	status_add(v, S_FAILED);
}

bool virtio_needs_reset(struct virtio_dev *v)
{
	return reg_read(v, R_STATUS) & S_NEEDS_RESET;
}

u8 virtio_config8(struct virtio_dev *v, u32 off)
{
	return v->regs[R_CONFIG + off];
}

u32 virtio_config32(struct virtio_dev *v, u32 off)
{
	return reg_read(v, R_CONFIG + off);
}

u64 virtio_config64(struct virtio_dev *v, u32 off)
{
	u32 before, low, high;

	do { /* 4.2.2.2; a legacy device has no generation, and reads 0 there */
		before = v->version == 2 ? reg_read(v, R_CONFIG_GENERATION) : 0;
		low = reg_read(v, R_CONFIG + off);
		high = reg_read(v, R_CONFIG + off + 4);
	} while (v->version == 2 && reg_read(v, R_CONFIG_GENERATION) != before);
	return (u64)high << 32 | low;
}

void virtio_notify(struct virtio_dev *v, u32 index)
{
	reg_write(v, R_QUEUE_NOTIFY, index);
}

static const struct virtio_driver *const drivers[] = {&virtio_blk_driver};

static const struct virtio_driver *driver_for(u32 id)
{
	for (unsigned i = 0; i < ARRAY_LEN(drivers); i++)
		if (drivers[i]->id == id)
			return drivers[i];
	return NULL;
}

/* 3.1.1, up to the features */
static int start_device(struct virtio_dev *v)
{
	int err = reset(v);

	if (err)
		return err;
	status_add(v, S_ACKNOWLEDGE);
	status_add(v, S_DRIVER);
	if (v->version == 1)
		reg_write(v, R_GUEST_PAGE_SIZE, PAGE_SIZE);
	err = driver_for(v->id)->probe(v);
	if (err) {
		virtio_fail(v);
		kprintf("<4>%s: virtio device %u: error %d\n", v->device->name, v->id, -err);
	}
	return err;
}

static int probe(struct device *d)
{
	struct virtio_dev *v = kzalloc(sizeof(*v));
	u64 size;
	int err = -ENODEV;

	if (!v)
		return -ENOMEM;
	v->device = d;
	v->regs = device_map(d, 0, &size);
	if (!v->regs || size < R_CONFIG || reg_read(v, R_MAGIC) != MAGIC_VALUE)
		goto out;
	v->version = reg_read(v, R_VERSION);
	v->id = reg_read(v, R_DEVICE_ID);
	if (!v->id) /* 4.2.2: nothing in this slot, and nothing wrong with that */
		err = 0;
	if ((v->version != 1 && v->version != 2) || !v->id || !driver_for(v->id))
		goto out;
	err = start_device(v);
	if (!err) {
		d->data = v;
		return 0;
	}
out:
	if (v->regs)
		iounmap((void *)v->regs);
	kfree(v);
	return err;
}

static const char *const compatible[] = {"virtio,mmio", NULL};
static struct driver virtio_mmio = {
	.name = "virtio-mmio",
	.compatible = compatible,
	.stage = STAGE_DEVICE,
	.probe = probe,
};
DRIVER(virtio_mmio);
