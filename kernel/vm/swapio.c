// SPDX-License-Identifier: BSD-2-Clause
/*
 * Transfers between frames and swap slots.
 *
 * A transfer is one request over slots that follow one another on the device, up to SWAP_CLUSTER pages.  Transfers are made once: writing a page out
 * takes one that is free or waits for one that ends, and needs no memory.  Reads and writes have their own, so that neither
 * waits for the other.
 *
 * A transfer knows frames and slots and no object: frames that are BUSY (read) or CLEANING (written) may be moved to another object or lose
 * theirs meanwhile.  Completions run in interrupts.
 *
 * Locks: io_lock (LOCK_SWAP) guards the free transfers.
 */
#include "kernel/vm/vm_internal.h"

#define WRITES 32u
#define READS  64u

/* Field markings and the corresponding locks:
 * (l) io_lock   (c) constant
 */
struct pool {
	struct list free;  /* (l) */
	struct waitq wait; /* (c) */
};

static struct spinlock io_lock = SPINLOCK_INIT(LOCK_SWAP, "swap transfers");
static struct pool reads, writes;
static u32 writing; /* (a) transfers */

static void pool_fill(struct pool *p, u32 n)
{
	list_init(&p->free);
	waitq_init(&p->wait);
	while (n--) {
		struct swap_io *io = kzalloc(sizeof(*io));

		ASSERT(io);
		list_add(&p->free, &io->link);
	}
}

void swap_io_init(void)
{
	u64 room = frames_total() / 512; /* about 1 KiB each: a part of memory */

	pool_fill(&writes, MIN(MAX(room / 2, 4UL), (u64)WRITES));
	pool_fill(&reads, MIN(MAX(room, 8UL), (u64)READS));
}

static struct swap_io *take(struct pool *p)
{
	u64 irq = spin_lock_irq(&io_lock);
	struct list *l = list_pop(&p->free);

	spin_unlock_irq(&io_lock, irq);
	return l ? list_entry(l, struct swap_io, link) : NULL;
}

struct swap_io *swap_io_try(bool write)
{
	struct swap_io *io = take(write ? &writes : &reads);

	if (io) {
		io->write = write;
		io->n = 0;
	}
	return io;
}

struct swap_io *swap_io_get(bool write)
{
	struct pool *p = write ? &writes : &reads;
	struct swap_io *io;

	while (!(io = swap_io_try(write)))
		wait_event(&p->wait, !list_empty(&p->free));
	return io;
}

void swap_io_put(struct swap_io *io)
{
	struct pool *p = io->write ? &writes : &reads;
	u64 irq = spin_lock_irq(&io_lock);

	list_add(&p->free, &io->link);
	spin_unlock_irq(&io_lock, irq);
	waitq_wake_one(&p->wait);
}

u32 swap_writes(void)
{
	return __atomic_load_n(&writing, __ATOMIC_ACQUIRE);
}

static void complain(const struct swap_io *io, int err)
{
	kprintf("swap: %s: %s error %d at slot %lu\n", block_name(io->bio.dev),
		io->write ? "write" : "read", -err, io->slot & ((1UL << 33) - 1));
}

static void read_done(struct bio *b)
{
	struct swap_io *io = b->arg;

	/* one page of several: it is tried again alone, then its own error counts */
	if (b->status && io->n == 1)
		complain(io, b->status);
	for (u32 i = 0; i < io->n; i++) {
		struct frame *f = io->frames[i];

		page_set(f, b->status ? FR_ERROR : FR_VALID);
		page_unbusy(f);
		vm_page_put(f);
	}
	swap_io_put(io);
}

static void write_failed(struct swap_io *io, struct frame *f)
{
	/* several at once: each is tried alone next time, in the same place, see laundry.c; then elsewhere */
	page_set(f, io->n == 1 ? FR_DIRTY : FR_DIRTY | FR_ERROR);
	if (io->n == 1 && !block_absent(io->bio.dev))
		swap_bad(io->slot);
}

static void write_done(struct bio *b)
{
	struct swap_io *io = b->arg;
	u32 n = io->n;

	if (b->status && n == 1)
		complain(io, b->status);
	for (u32 i = 0; i < n; i++) {
		struct frame *f = io->frames[i];

		if (b->status)
			write_failed(io, f);
		page_unclean(f);
		vm_page_put(f);
	}
	__atomic_fetch_sub(&writing, 1, __ATOMIC_RELEASE);
	swap_io_put(io);
	pageout_progress(0);
}

void swap_io_submit(struct swap_io *io)
{
	struct bio *b = &io->bio;
	u32 place;

	*b = (struct bio){.op = io->write ? BIO_WRITE : BIO_READ,
			  .flags = io->write ? 0 : BIO_SYNC,
			  .nvecs = io->n,
			  .vecs = io->vecs,
			  .arg = io,
			  .done = io->write ? write_done : read_done};
	list_init(&b->link);
	place = swap_place(io->slot, io->n, &b->dev, &b->sector);
	ASSERT(place == io->n);
	for (u32 i = 0; i < io->n; i++)
		io->vecs[i] = (struct bio_vec){io->frames[i], 0, PAGE_SIZE};
	if (io->write) {
		__atomic_fetch_add(&writing, 1, __ATOMIC_RELAXED);
		vm_count(VMEV_pswpout, io->n);
		vm_count(VMEV_swap_write_clusters, 1);
	} else {
		vm_count(VMEV_pswpin, io->n);
		vm_count(VMEV_swap_read_clusters, 1);
	}
	bio_submit(b);
}
