// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: drivers/block/block.c drivers/block/queue.c drivers/block/bio.c drivers/block/partition.c kernel/mem/bank.c kernel/mem/zone.c kernel/mem/frame.c kernel/mem/stat.c kernel/lib/rbtree.c kernel/lib/bytes.c tests/host/shim/kernel.c
/*
 * The block layer over a disk in memory that finishes requests in any order, with errors and with no room, against a model of what each
 * sector holds.  The disk has a cache that loses what was not flushed.
 */

#include "host.h"
#include "drivers/block/block_internal.h"
#include "drivers/core/device.h"
#include "kernel/lib/errno.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"

#define BASE	0x80000000UL
#define SECTORS 4096u

/* ---- what is below the layer ---- */

static bool no_memory;

void *kmalloc(size_t n, unsigned flags)
{
	if (no_memory && (flags & KM_NOWAIT))
		return NULL;
	return flags & KM_ZERO ? calloc(1, n) : malloc(n);
}

void kfree(void *p)
{
	free(p);
}

void harts_call(u64 mask, void (*fn)(void *), void *arg)
{
	(void)mask;
	fn(arg);
}

void devices_probe(enum driver_stage s)
{
	(void)s;
}

void kprintf(const char *fmt, ...)
{
	(void)fmt;
}

static bool finish_one(void);

void waitq_init(struct waitq *q)
{
	list_init(&q->waiters);
}

void waitq_wake_all(struct waitq *q)
{
	(void)q;
}

void wait_prepare(struct waitq *q, struct waiter *w, enum wait_how how)
{
	(void)q;
	(void)w;
	(void)how;
}

/* Whoever sleeps: the device works on. Nothing under way means that it would sleep for ever. */
int wait_block(enum wait_how how, u64 deadline)
{
	(void)how;
	(void)deadline;
	might_sleep();
	assert_true(finish_one());
	return 0;
}

void wait_finish(struct waitq *q, struct waiter *w)
{
	(void)q;
	(void)w;
}

/* ---- the disk ---- */

static u8 media[SECTORS * 512], cache[SECTORS * 512];
static struct block_request *under_way[64];
static unsigned nunder_way, room, kicks, started, max_under_way;
static u64 data_requests, flushes, joined;
static struct block_limits limits;
static u64 bad_sector = ~0UL;
static bool write_through;

static bool disk_start(void *drv, struct block_request *r)
{
	assert_ptr_equal(drv, media);
	assert_false(host_irqs_on);
	assert_true(r->nsectors <= limits.max_sectors || r->op == BIO_DISCARD);
	assert_true(r->nvecs <= limits.max_segments);
	assert_true((r->op == BIO_FLUSH) || r->sector + r->nsectors <= SECTORS);
	assert_true(r->op == BIO_FLUSH ||
		    (r->nsectors && r->nsectors % (limits.sector_size / 512) == 0));
	if (nunder_way == room)
		return false;
	list_init(&r->link); /* ours now */
	under_way[nunder_way++] = r;
	started++;
	if (nunder_way > max_under_way)
		max_under_way = nunder_way;
	return true;
}

static void disk_kick(void *drv)
{
	(void)drv;
	kicks++;
}

static const struct block_ops ops = {disk_start, disk_kick};

static int transfer(struct block_request *r)
{
	struct block_segment seg[300];
	u32 n = block_request_segments(r, seg, limits.max_segments);
	u64 at = r->sector * 512;

	data_requests++;
	joined += r->bios.next != r->bios.prev;
	if (bad_sector >= r->sector && bad_sector < r->sector + r->nsectors)
		return -EIO;
	for (u32 i = 0; i < n; i++) {
		u8 *p = pa_to_va(seg[i].pa);

		if (r->op == BIO_READ)
			memcpy(p, cache + at, seg[i].len);
		else
			memcpy(cache + at, p, seg[i].len);
		if (r->op == BIO_WRITE && (write_through || (r->flags & BIO_FUA && limits.fua)))
			memcpy(media + at, p, seg[i].len);
		at += seg[i].len;
	}
	assert_int_equal(at, (r->sector + r->nsectors) * 512);
	return 0;
}

static int perform(struct block_request *r)
{
	switch (r->op) {
	case BIO_FLUSH:
		flushes++;
		memcpy(media, cache, sizeof(media));
		return 0;
	case BIO_DISCARD:
		memset(cache + r->sector * 512, 0xdd, r->nsectors * 512);
		return 0;
	default:
		return transfer(r);
	}
}

static bool finish_one(void)
{
	struct block_request *r;
	unsigned k;

	if (!nunder_way)
		return false;
	k = host_rand_below(nunder_way);
	r = under_way[k];
	under_way[k] = under_way[--nunder_way];
	current()->intr_depth++;
	block_request_done(r, perform(r));
	current()->intr_depth--;
	return true;
}

static void finish_all(void)
{
	while (finish_one())
		;
}

/* ---- making disks ---- */

static struct block_dev *dev;

static void new_disk(struct block_limits l)
{
	struct block_disk d = {"vd", false, 0, 254, SECTORS, &ops, media, l};

	memset(media, 0, sizeof(media));
	memset(cache, 0, sizeof(cache));
	finish_all();
	limits = l;
	room = l.depth;
	write_through = !l.flush;
	bad_sector = ~0UL;
	assert_int_equal(block_register(&d, &dev), 0);
	data_requests = flushes = joined = kicks = started = max_under_way = 0;
}

#define LIMITS                                                             \
	(struct block_limits)                                              \
	{                                                                  \
		.sector_size = 512, .max_segments = 16, .max_sectors = 64, \
		.max_discard_sectors = 100, .depth = 8, .flush = true      \
	}

/* ---- bios of the tests ---- */

static unsigned ndone, nfailed;

static void on_done(struct bio *b)
{
	ndone++;
	nfailed += b->status != 0;
	*(int *)b->arg = 1;
}

static struct bio *make(enum bio_op op, u64 sector, u32 nvecs, u32 sectors_each, u8 fill, int *done)
{
	struct bio *b = bio_alloc(nvecs, true);

	b->dev = dev;
	b->op = op;
	b->sector = sector;
	b->done = on_done;
	b->arg = done;
	*done = 0;
	for (u32 i = 0; i < nvecs; i++) {
		struct frame *f = frame_alloc(0);
		u32 off = 512 * host_rand_below(9 - sectors_each);

		memset(frame_va(f), fill, PAGE_SIZE);
		b->vecs[b->nvecs++] = (struct bio_vec){f, off, 512 * sectors_each};
	}
	return b;
}

static void destroy(struct bio *b)
{
	for (u32 i = 0; b->op != BIO_DISCARD && i < b->nvecs; i++)
		frame_free(b->vecs[i].frame);
	bio_free(b);
}

static u8 first_byte(const struct bio *b, u32 sector)
{
	for (u32 i = 0;; i++) {
		u32 n = b->vecs[i].len / 512;

		if (sector < n)
			return ((u8 *)frame_va(b->vecs[i].frame))[b->vecs[i].offset + sector * 512];
		sector -= n;
	}
}

static void test_merge(void **state)
{
	struct bio *b[10];
	int done[10];

	(void)state;
	new_disk(LIMITS);
	block_plug();
	b[0] = make(BIO_WRITE, 1000, 1, 8, 1, &done[0]); /* goes at once: the disk is idle */
	bio_submit(b[0]);
	assert_int_equal(started, 1);
	for (unsigned i = 1; i < 9;
	     i++) { /* forwards 8..15, then backwards: one request of 8 pages */
		u64 sector = i < 5 ? 32 + 8 * i : 32 - 8 * (i - 5);

		b[i] = make(BIO_WRITE, sector, 1, 8, i, &done[i]);
		bio_submit(b[i]);
	}
	b[9] = make(BIO_READ, 72, 1, 8, 0, &done[9]); /* neighbour, but a read */
	bio_submit(b[9]);
	assert_int_equal(started, 1);
	block_unplug();
	assert_int_equal(started, 3);
	ndone = 0;
	finish_all();
	assert_int_equal(ndone, 10);
	assert_int_equal(data_requests, 3);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(done[i] && !b[i]->status);
		destroy(b[i]);
	}
	for (unsigned i = 1; i < 9; i++)
		assert_int_equal(cache[(i < 5 ? 32 + 8 * i : 32 - 8 * (i - 5)) * 512], i);
}

/* A held request does not wait for its own submitter: the next completion sends it. */
static void test_plug_cannot_deadlock(void **state)
{
	struct bio *b[3];
	int done[3];

	(void)state;
	new_disk(LIMITS);
	block_plug();
	block_plug();
	for (unsigned i = 0; i < 3; i++) {
		b[i] = make(BIO_WRITE, 100 * i, 1, 8, i, &done[i]);
		bio_submit(b[i]);
	}
	block_unplug();
	assert_int_equal(started, 1);
	assert_true(finish_one());
	assert_int_equal(started, 3);
	finish_all();
	assert_true(done[0] && done[1] && done[2]);
	b[0]->op = BIO_READ;
	assert_int_equal(bio_wait(b[0]), 0); /* sleeping under a plug */
	block_unplug();
	for (unsigned i = 0; i < 3; i++)
		destroy(b[i]);
}

static void test_checks(void **state)
{
	struct block_limits l = LIMITS;
	struct bio *b;
	int done;

	(void)state;
	l.sector_size = 4096;
	new_disk(l);
	b = make(BIO_READ, SECTORS - 8, 1, 8, 0, &done);
	assert_int_equal(bio_wait(b), 0);
	b->sector = SECTORS;
	assert_int_equal(bio_wait(b), -EIO);
	b->sector = ~0UL - 7;
	assert_int_equal(bio_wait(b), -EIO);
	b->sector = 4;
	assert_int_equal(bio_wait(b), -EINVAL);
	b->sector = 8;
	b->vecs[0].len = 512;
	b->vecs[0].offset = 0;
	assert_int_equal(bio_wait(b), -EINVAL);
	b->vecs[0].len = 0;
	assert_int_equal(bio_wait(b), -EINVAL);
	b->nvecs = 0;
	assert_int_equal(bio_wait(b), -EINVAL);
	b->nvecs = 1;
	destroy(b);
	l = LIMITS;
	l.readonly = true;
	l.max_discard_sectors = 0;
	new_disk(l);
	b = make(BIO_WRITE, 0, 1, 8, 0, &done);
	assert_int_equal(bio_wait(b), -EROFS);
	b->op = BIO_READ;
	assert_int_equal(bio_wait(b), 0);
	destroy(b);
	b = make(BIO_DISCARD, 0, 0, 0, 0, &done);
	b->nsectors = 8;
	assert_int_equal(bio_wait(b), -EOPNOTSUPP);
	destroy(b);
	l.sector_size = 1000;
	assert_int_equal(
		block_register(&(struct block_disk){"vd", false, 0, 254, 8, &ops, media, l}, &dev),
		-EINVAL);
}

/* Larger than any request in pieces and in sectors: slices, in order. */
static void test_large(void **state)
{
	struct bio *b;
	int done;

	(void)state;
	for (u32 each = 1; each <= 8; each++) {
		new_disk(LIMITS);
		for (unsigned i = 0; i < sizeof(cache); i++)
			cache[i] = i / 512 * 7 + 1;
		b = make(BIO_READ, 77, 200, each, 0, &done);
		assert_int_equal(bio_wait(b), 0);
		assert_true(data_requests >= 200 / 16);
		for (u32 s = 0; s < 200 * each; s++)
			assert_int_equal(first_byte(b, s), cache[(77 + s) * 512]);
		destroy(b);
	}
	b = make(BIO_DISCARD, 10, 0, 0, 0, &done);
	b->nsectors = 1000;
	started = 0;
	assert_int_equal(bio_wait(b), 0);
	assert_int_equal(started, 10);
	assert_true(cache[10 * 512] == 0xdd && cache[1010 * 512 - 1] == 0xdd &&
		    cache[1010 * 512] != 0xdd);
	destroy(b);
}

static void test_flush(void **state)
{
	struct bio *w, *f[3];
	int done, fdone[3];

	(void)state;
	new_disk(LIMITS);
	w = make(BIO_WRITE, 8, 1, 8, 0x77, &done);
	assert_int_equal(bio_wait(w), 0);
	assert_true(cache[8 * 512] == 0x77 && media[8 * 512] == 0);
	assert_int_equal(block_flush(dev), 0);
	assert_int_equal(media[8 * 512], 0x77);
	destroy(w);
	/* flushes that wait together are one */
	flushes = 0;
	room = 1;
	w = make(BIO_WRITE, 16, 1, 8, 0x78, &done);
	bio_submit(w);
	for (unsigned i = 0; i < 3; i++) {
		f[i] = make(BIO_FLUSH, 0, 0, 0, 0, &fdone[i]);
		bio_submit(f[i]);
	}
	finish_all();
	assert_int_equal(flushes, 1);
	assert_true(fdone[0] && fdone[1] && fdone[2]);
	destroy(w);
	for (unsigned i = 0; i < 3; i++)
		destroy(f[i]);
	/* FUA, emulated */
	room = 8;
	flushes = 0;
	w = make(BIO_WRITE, 24, 1, 8, 0x79, &done);
	w->flags = BIO_FUA;
	assert_int_equal(bio_wait(w), 0);
	assert_int_equal(flushes, 1);
	assert_int_equal(media[24 * 512], 0x79);
	destroy(w);
	/* FUA of a bio in slices */
	w = make(BIO_WRITE, 100, 100, 8, 0x7a, &done);
	w->flags = BIO_FUA;
	assert_int_equal(bio_wait(w), 0);
	for (u32 s = 0; s < 800; s++)
		assert_int_equal(media[(100 + s) * 512], 0x7a);
	destroy(w);
}

static void test_flush_kinds(void **state)
{
	struct block_limits l = LIMITS;
	struct bio *w;
	int done;

	(void)state;
	l.fua = true; /* the device's own */
	new_disk(l);
	w = make(BIO_WRITE, 24, 1, 8, 0x79, &done);
	w->flags = BIO_FUA;
	assert_int_equal(bio_wait(w), 0);
	assert_true(flushes == 0 && media[24 * 512] == 0x79);
	destroy(w);
	l = LIMITS;
	l.flush = false; /* no cache: nothing to flush */
	new_disk(l);
	w = make(BIO_WRITE, 24, 1, 8, 0x7a, &done);
	w->flags = BIO_FUA;
	assert_int_equal(bio_wait(w), 0);
	assert_int_equal(block_flush(dev), 0);
	assert_true(flushes == 0 && media[24 * 512] == 0x7a);
	destroy(w);
}

/* Eight neighbours in one request, one bad sector: only its bio fails. */
static void test_bad_sector(void **state)
{
	struct bio *b[9];
	int done[9];

	(void)state;
	new_disk(LIMITS);
	block_plug();
	for (unsigned i = 0; i < 9; i++) {
		b[i] = make(BIO_WRITE, i ? 8 * i : 2000, 1, 8, 0x40 + i, &done[i]);
		bio_submit(b[i]);
	}
	bad_sector = 30;
	block_unplug();
	assert_int_equal(started, 2);
	finish_all();
	for (unsigned i = 0; i < 9; i++) {
		assert_true(done[i]);
		assert_int_equal(b[i]->status, i == 3 ? -EIO : 0);
		assert_int_equal(cache[(i ? 8 * i : 2000) * 512], i == 3 ? 0 : 0x40 + i);
		destroy(b[i]);
	}
}

/* No memory: bios come from the reserve, and those who may sleep wait for one. */
static void test_reserve(void **state)
{
	struct bio *b[64];
	int done[64];
	unsigned n = 0;

	(void)state;
	new_disk(LIMITS);
	no_memory = true;
	while ((b[n] = bio_alloc(BIO_MAX_VECS, false)))
		n++;
	assert_true(n >= 4 && n < 64);
	for (unsigned i = 0; i < n; i++)
		bio_free(b[i]);
	for (unsigned i = 0; i < 64; i++) { /* bios that free themselves when done */
		assert_true((b[i] = bio_alloc(1, i < n)) != NULL || i >= n);
		if (!b[i])
			break;
		b[i]->dev = dev;
		b[i]->op = BIO_FLUSH;
		b[i]->done = bio_free;
		bio_submit(b[i]);
	}
	for (unsigned i = 0; i < 64; i++) {
		struct bio *w = bio_alloc(200, true);

		assert_non_null(w);
		w->dev = dev;
		w->op = BIO_FLUSH;
		w->done = bio_free;
		bio_submit(w);
	}
	finish_all();
	no_memory = false;
	(void)done;
}

/* ---- everything at random ---- */

#define MAX_OUT 200
static struct {
	struct bio *b;
	u8 fill;
	int done;
} out[MAX_OUT];
static unsigned nout;
static u8 content[SECTORS]; /* what the last write put into each sector */
static bool busy[SECTORS];  /* under way: not touched by another */

static u32 bio_sectors(const struct bio *b)
{
	u32 n = 0;

	for (u32 i = 0; i < b->nvecs; i++)
		n += b->vecs[i].len / 512;
	return n;
}

static void submit_random(void)
{
	u32 nvecs = host_rand_below(20) ? 1 + host_rand_below(3) : 1 + host_rand_below(60);
	u32 each = 1 + host_rand_below(8);
	u64 sector = host_rand_below(2) ? host_rand_below(SECTORS - 480) : host_rand_below(300);
	enum bio_op op = host_rand_below(2) ? BIO_READ : BIO_WRITE;
	static u64 next;
	static enum bio_op last_op;

	if (host_rand_below(3) && next < SECTORS - 480) { /* go on where the last one ended */
		sector = next;
		op = last_op;
	}
	next = sector + nvecs * each;
	last_op = op;
	for (u32 s = 0; s < nvecs * each; s++)
		if (busy[sector + s])
			return;
	memset(busy + sector, 1, nvecs * each);
	out[nout].fill = host_rand();
	out[nout].b = make(op, sector, nvecs, each, out[nout].fill, &out[nout].done);
	if (op == BIO_WRITE && host_rand_below(10) == 0)
		out[nout].b->flags |= BIO_FUA;
	if (host_rand_below(5) == 0)
		out[nout].b->flags |= BIO_SYNC;
	nout++;
	bio_submit(out[nout - 1].b);
}

static void settle(unsigned k)
{
	struct bio *b = out[k].b;
	u32 n = bio_sectors(b);
	bool bad = bad_sector >= b->sector && bad_sector < b->sector + n;

	assert_int_equal(b->status, bad ? -EIO : 0);
	for (u32 s = 0; s < n; s++) {
		u64 at = b->sector + s;

		busy[at] = false;
		if (b->op == BIO_READ && !bad)
			assert_int_equal(first_byte(b, s), content[at]);
		if (b->op == BIO_WRITE && !bad)
			content[at] = out[k].fill;
		if (b->op == BIO_WRITE && (b->flags & BIO_FUA) && !bad)
			assert_int_equal(media[at * 512], content[at]);
		if (b->op == BIO_WRITE && bad) /* in part, when it was in slices */
			content[at] = cache[at * 512];
	}
	destroy(b);
	out[k] = out[--nout];
	if (k < nout && !out[k].done)
		out[k].b->arg = &out[k].done;
}

static void test_random(void **state)
{
	struct block_stats st;
	unsigned plugs = 0;

	(void)state;
	new_disk(LIMITS);
	memset(content, 0, sizeof(content));
	for (unsigned step = 0; step < 40000; step++) {
		unsigned what = host_rand_below(100);

		if (step % 1000 == 0) {
			finish_all();
			for (unsigned k = nout; k-- > 0;)
				settle(k);
			bad_sector = host_rand_below(3) ? ~0UL : host_rand_below(300);
			room = 1 + host_rand_below(8);
		}
		if (what < 45 && nout < MAX_OUT)
			submit_random();
		else if (what < 80)
			finish_one();
		else if (what < 85 && plugs < 3)
			block_plug(), plugs++;
		else if (what < 90 && plugs)
			block_unplug(), plugs--;
		if (bad_sector == ~0UL)
			for (unsigned k = nout; k-- > 0;)
				if (out[k].done)
					settle(k);
		assert_false(host_locks_held());
		assert_true(host_irqs_on);
	}
	while (plugs--)
		block_unplug();
	finish_all();
	for (unsigned k = nout; k-- > 0;) {
		assert_true(out[k].done);
		settle(k);
	}
	block_stats(dev, &st);
	assert_int_equal(st.in_flight, 0);
	assert_true(joined > 100 && max_under_way == limits.depth);
	for (u32 s = 0; s < SECTORS; s++)
		assert_int_equal(cache[s * 512], content[s]);
}

/* ---- devices ---- */

static void test_names(void **state)
{
	struct block_dev *d, *again;
	static const u8 entry[] = {0, 0, 0, 0, 0x83, 0, 0, 0, 8, 0, 0, 0, 100, 0, 0, 0};
	char name[64];
	int who, other;

	(void)state;
	new_disk(LIMITS);
	memcpy(cache + 446, entry, sizeof(entry));
	memcpy(cache + 440, "\x78\x56\x34\x12", 4);
	cache[510] = 0x55;
	cache[511] = 0xaa;
	memcpy(name, "/dev/", 6);
	/* the table is read when the disk is added, so add one whose table is there */
	assert_int_equal(block_register(&(struct block_disk){"vd", false, 0, 254, SECTORS, &ops,
							     media, limits},
					&d),
			 0);
	strcat(name, block_name(d));
	assert_ptr_equal(again = block_find(name), d);
	block_drop(again);
	assert_ptr_equal(again = block_find(block_name(d)), d);
	block_drop(again);
	assert_ptr_equal(again = block_by_devno(block_devno(d)), d);
	block_drop(again);
	strcat(name, "1");
	again = block_find("PARTUUID=12345678-01");
	assert_non_null(again);
	assert_string_equal(block_name(again), name + 5);
	assert_int_equal(block_sectors(again), 100);
	assert_int_equal(block_devno(again), block_devno(d) + 1);
	/* its sectors are its own */
	dev = again;
	struct bio *b = make(BIO_WRITE, 92, 1, 8, 0x99, &who);
	assert_int_equal(bio_wait(b), 0);
	assert_int_equal(cache[100 * 512], 0x99);
	b->sector = 93;
	assert_int_equal(bio_wait(b), -EIO);
	destroy(b);
	assert_int_equal(block_claim(again, &who), 0);
	assert_int_equal(block_claim(again, &other), -EBUSY);
	expect_panic(block_unclaim(again, &other), "claimed");
	block_unclaim(again, &who);
	assert_int_equal(block_claim(again, &other), 0);
	block_unclaim(again, &other);
	block_drop(again);
	assert_null(block_find("vdzz"));
	assert_null(block_find("PARTLABEL=none"));
	assert_null(block_find("PARTLABEL="));
	assert_null(block_by_devno(12345));
	for (unsigned k = 0;; k++) {
		d = block_nth(k);
		if (!d)
			break;
		block_drop(d);
		assert_true(k < 1000);
	}
}

static void test_many_disks(void **state)
{
	struct block_dev *d;

	(void)state;
	new_disk(LIMITS);
	for (unsigned k = 0; k < 30; k++)
		assert_int_equal(block_register(&(struct block_disk){"xd", false, 0, 253, 8, &ops,
								     media, limits},
						&d),
				 0);
	assert_string_equal(block_name(d), "xdad");
	assert_int_equal(block_devno(d), (29 * 16 & 0xff) | 253 << 8 | (29 * 16 & ~0xff) << 12);
	assert_non_null(block_find("xdz"));
	assert_non_null(block_find("xdaa"));
}

static int setup(void **state)
{
	(void)state;
	host_harts(1);
	host_ram(BASE, BASE + 64 * MiB);
	frames_add_bank(BASE, 64 * MiB);
	frames_init();
	frames_hart_init();
	block_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),	   cmocka_unit_test(test_plug_cannot_deadlock),
		cmocka_unit_test(test_checks),	   cmocka_unit_test(test_large),
		cmocka_unit_test(test_flush),	   cmocka_unit_test(test_flush_kinds),
		cmocka_unit_test(test_bad_sector), cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_random),	   cmocka_unit_test(test_names),
		cmocka_unit_test(test_many_disks),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
