// SPDX-License-Identifier: BSD-2-Clause
/*
 * Self-tests of disks on a partition labelled `scratch`, which they overwrite; skipped when there is none of 8 MiB or more.
 * Every page written holds a pattern made of its number and a generation, so data that comes from the wrong place or time is seen.
 */

#include "drivers/block/block.h"
#include "kernel/boot/ktest.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/sync/waitq.h"

#define PAGE_SECTORS (PAGE_SIZE / SECTOR_SIZE)
#define WORKERS	     4u
#define ROUNDS	     50u
#define BATCH	     32u /* bios a worker has under way */
#define BIO_PAGES    16u /* at most, in those */

/* Field markings and the corresponding locks:
 * (w) the worker   (a) atomic
 */
static struct worker {
	u32 pending;		 /* (a) bios under way */
	u32 errors;		 /* (a) */
	struct waitq done;	 /* (w) */
	struct bio *bios[BATCH]; /* (w) */
} workers[WORKERS];

static struct block_dev *scratch;
static u32 *generation; /* of each page; a worker owns those of its part */
static u64 pages_each;

static u64 pattern(u64 page, u32 gen, unsigned word)
{
	return (page * 0x9e3779b97f4a7c15UL) ^ ((u64)gen << 40) ^ word;
}

static void pattern_fill(struct frame *f, u64 page, u32 gen)
{
	u64 *p = frame_va(f);

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		p[i] = pattern(page, gen, i);
}

static bool pattern_ok(struct frame *f, u64 page, u32 gen)
{
	const u64 *p = frame_va(f);

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		if (p[i] != pattern(page, gen, i))
			return false;
	return true;
}

static void bio_done(struct bio *b)
{
	struct worker *w = b->arg;

	if (b->status)
		__atomic_fetch_add(&w->errors, 1, __ATOMIC_RELAXED);
	if (!__atomic_sub_fetch(&w->pending, 1, __ATOMIC_ACQ_REL))
		waitq_wake_all(&w->done);
}

static struct bio *make_bio(struct worker *w, enum bio_op op, u64 page, u32 n)
{
	struct bio *b = bio_alloc(n, true);

	b->dev = scratch;
	b->op = op;
	b->sector = page * PAGE_SECTORS;
	b->done = bio_done;
	b->arg = w;
	for (u32 i = 0; i < n; i++) {
		struct frame *f = frame_alloc(0);

		ASSERT(f);
		if (op == BIO_WRITE)
			pattern_fill(f, page + i, ++generation[page + i]);
		b->vecs[b->nvecs++] = (struct bio_vec){f, 0, PAGE_SIZE};
	}
	return b;
}

/* BATCH bios of one kind at once on different pages of worker k's part: neighbours, which may be joined, or far apart. */
static void run_batch(unsigned k, enum bio_op op)
{
	struct worker *w = &workers[k];
	u64 step = pages_each / BATCH;
	bool close = ktest_random() & 1;

	w->pending = BATCH;
	block_plug();
	for (u32 i = 0; i < BATCH; i++) {
		u32 n = close ? BIO_PAGES : 1 + ktest_random() % MIN((u64)BIO_PAGES, step);
		u64 page = k * pages_each +
			   (close ? i * BIO_PAGES : i * step + ktest_random() % (step - n + 1));
		struct bio *b = make_bio(w, op, page, n);

		if (op == BIO_WRITE && ktest_random() % 16 == 0)
			b->flags |= BIO_FUA;
		w->bios[i] = b;
		bio_submit(b);
	}
	block_unplug();
	wait_event(&w->done, !__atomic_load_n(&w->pending, __ATOMIC_ACQUIRE));
}

static void finish_batch(unsigned k, enum bio_op op)
{
	for (u32 i = 0; i < BATCH; i++) {
		struct bio *b = workers[k].bios[i];

		for (u32 j = 0; j < b->nvecs; j++) {
			u64 page = b->sector / PAGE_SECTORS + j;

			if (op == BIO_READ && generation[page])
				KT_CHECK(pattern_ok(b->vecs[j].frame, page, generation[page]));
			frame_free(b->vecs[j].frame);
		}
		bio_free(b);
	}
}

static void worker_run(unsigned k)
{
	waitq_init(&workers[k].done);
	workers[k].errors = 0;
	for (unsigned r = 0; r < ROUNDS; r++) {
		enum bio_op op = ktest_random() % 2 ? BIO_READ : BIO_WRITE;

		run_batch(k, op);
		finish_batch(k, op);
		if (r % 16 == 0)
			KT_CHECK(block_flush(scratch) == 0);
	}
	KT_CHECK(!workers[k].errors);
}

static bool scratch_open(void)
{
	scratch = block_find("PARTLABEL=scratch");
	if (scratch && block_sectors(scratch) >= 8 * MiB / SECTOR_SIZE &&
	    !block_readonly(scratch) && !block_claim(scratch, &scratch))
		return true;
	block_drop(scratch);
	kprintf("# SKIP no partition labelled scratch of 8 MiB or more\n");
	return false;
}

static void scratch_close(void)
{
	block_unclaim(scratch, &scratch);
	block_drop(scratch);
}

KTEST(block_random_io)
{
	struct block_stats before, after;
	u64 pages;

	if (!scratch_open())
		return;
	pages = MIN(block_sectors(scratch) / PAGE_SECTORS, 65536UL);
	pages_each = pages / WORKERS;
	generation = kzalloc(pages * sizeof(*generation));
	KT_ASSERT(generation);
	block_stats(scratch, &before);
	ktest_parallel(WORKERS, worker_run);
	block_stats(scratch, &after);
	KT_CHECK(after.in_flight == 0);
	KT_CHECK(after.ios[0] + after.ios[1] - before.ios[0] - before.ios[1] >=
		 WORKERS * ROUNDS * BATCH);
	kfree(generation);
	scratch_close();
}

/* One bio larger than any request: every page of it arrives. */
KTEST(block_large_bio)
{
	struct bio *b;

	if (!scratch_open())
		return;
	generation = kzalloc(BIO_MAX_VECS * sizeof(*generation));
	KT_ASSERT(generation);
	for (unsigned pass = 0; pass < 2; pass++) {
		b = make_bio(&workers[0], pass ? BIO_READ : BIO_WRITE, 0, BIO_MAX_VECS);
		KT_CHECK(bio_wait(b) == 0);
		for (u32 i = 0; i < b->nvecs; i++) {
			KT_CHECK(pattern_ok(b->vecs[i].frame, i, generation[i]));
			frame_free(b->vecs[i].frame);
		}
		bio_free(b);
	}
	kfree(generation);
	scratch_close();
}

KTEST(block_refuses)
{
	struct block_dev *disk = block_nth(0);
	struct bio *b;
	struct frame *f;

	if (!disk) {
		kprintf("# SKIP no disk\n");
		return;
	}
	f = frame_alloc(0);
	KT_ASSERT(f);
	b = bio_alloc(1, true);
	b->dev = disk;
	b->op = BIO_READ;
	b->sector = block_sectors(disk);
	b->nvecs = 1;
	b->vecs[0] = (struct bio_vec){f, 0, PAGE_SIZE};
	KT_CHECK(bio_wait(b) == -EIO);
	b->sector = ALIGN_DOWN(~0UL, PAGE_SECTORS);
	KT_CHECK(bio_wait(b) == -EIO);
	b->sector = 0;
	b->vecs[0].len = 100;
	KT_CHECK(bio_wait(b) == -EINVAL);
	b->vecs[0].len = block_sector_size(disk);
	KT_CHECK(bio_wait(b) == 0);
	bio_free(b);
	frame_free(f);
	block_drop(disk);
}
