// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages of files and directories to and from the disk.
 *
 * A batch of pages with consecutive numbers becomes a list of runs (neighbouring blocks, or a hole), and each run one request of up to a
 * batch's pages; a page touched by several runs has as many parts.  Holes are zeroed at once.
 *
 * The page with the end of file: what a mapping stored behind the end must not reach the disk, so when there is anything the page
 * is written from a copy; its blocks behind the end, which `reserve` could not know to be useless, are given back (the page
 * is no longer "reserved" then).  Should a writer have counted on them, clean allocates again.
 * Locks: node->lock while runs are found; none during transfers.
 */

#include "drivers/block/block.h"
#include "fs/ext2/ext2.h"

#define BATCH_PAGES 64
#define BATCH_RUNS  48

struct batch {
	struct ext2_node *n;
	struct ext2_fs *fs;
	struct frame **frames;
	u32 npages;
	bool write, wait;
	u32 nruns;
	struct ext2_extent run[BATCH_RUNS]; /* lblk counts from the first page's first block */
	u8 parts[BATCH_PAGES];
};

static void fill_done(struct bio *b)
{
	u32 k;

	for (k = 0; k < b->nvecs; k++)
		vm_page_fill_part_end(b->vecs[k].frame, b->status);
	bio_free(b);
}

static void clean_done(struct bio *b)
{
	u32 k;

	for (k = 0; k < b->nvecs; k++)
		vm_page_clean_part_end(b->vecs[k].frame, b->status);
	bio_free(b);
}

/* Blocks of page p that have something to write: those beyond the end of file have not. */
static u32 page_blocks(const struct ext2_fs *fs, u64 page, u64 size)
{
	u64 start = page << PAGE_SHIFT;

	if (start >= size || size - start >= PAGE_SIZE)
		return fs->bpp;
	return (u32)ext2_blocks_of(fs, size - start);
}

/* lock held: the next run of the batch, at block at of it; a hole that is to be written gets blocks first. */
static int next_run(struct batch *b, u64 lblk, u32 max, struct ext2_extent *e)
{
	bool unwritten = false;
	int err;

	if (!b->write && b->n->unwritten.count)
		max = ext2_unwritten_run(b->n, lblk, max, &unwritten);
	err = ext2_map(b->n, lblk, max, e);
	if (unwritten)
		e->pblk = 0;
	if (err || e->pblk || !b->write)
		return err;
	err = ext2_map_alloc(b->n, lblk, e->len, EXT2_ALLOC_PRIVILEGED);
	if (!err) {
		ext2_mark_dirty(b->n);
		err = ext2_map(b->n, lblk, max, e);
	}
	return err;
}

/* Cuts the batch to its first pages. */
static void cut_batch(struct batch *b, u32 npages)
{
	u32 end = npages * b->fs->bpp;

	b->npages = npages;
	while (b->nruns && b->run[b->nruns - 1].lblk >= end)
		b->nruns--;
	if (b->nruns) {
		struct ext2_extent *last = &b->run[b->nruns - 1];

		last->len = MIN(last->len, end - last->lblk);
	}
}

/* lock held: finds the runs of up to b->npages pages; fewer if there are too many runs. */
static int find_runs(struct batch *b, u32 nblocks)
{
	u64 first = b->frames[0]->index * b->fs->bpp;
	u32 at = 0;
	int err;

	b->nruns = 0;
	while (at < nblocks && b->nruns < BATCH_RUNS) {
		struct ext2_extent *e = &b->run[b->nruns];

		err = next_run(b, first + at, nblocks - at, e);
		if (err)
			return err;
		e->lblk = at;
		at += e->len;
		b->nruns++;
	}
	if (at < nblocks)
		cut_batch(b, at / b->fs->bpp);
	if (b->write)
		ext2_unwritten_clear(b->n, first, first + MIN(nblocks, b->npages * b->fs->bpp));
	return 0;
}

static int lock_and_find(struct batch *b, u32 nblocks)
{
	struct ext2_extent *e = &b->run[0];
	int err;

	if (!READ_ONCE(b->n->unwritten.count) &&
	    ext2_map_cached(b->n, b->frames[0]->index * b->fs->bpp, nblocks, e) &&
	    e->len == nblocks) {
		e->lblk = 0;
		b->nruns = 1;
		return 0;
	}
	if (b->write) /* holes get blocks */
		ext2_begin(b->fs);
	mutex_lock(&b->n->lock);
	err = find_runs(b, nblocks);
	mutex_unlock(&b->n->lock);
	if (b->write)
		ext2_end(b->fs);
	return err;
}

/* Calls fn for each piece of the run within one page. */
static void each_piece(struct batch *b, const struct ext2_extent *e, void *arg,
		       void (*fn)(struct batch *b, void *arg, u32 page, u32 offset, u32 len))
{
	u32 at = e->lblk, end = e->lblk + e->len;

	while (at < end) {
		u32 page = at / b->fs->bpp, in_page = at % b->fs->bpp;
		u32 n = MIN(b->fs->bpp - in_page, end - at);

		fn(b, arg, page, in_page << b->fs->bshift, n << b->fs->bshift);
		at += n;
	}
}

static void count_part(struct batch *b, void *arg, u32 page, u32 offset, u32 len)
{
	(void)arg;
	(void)offset;
	(void)len;
	b->parts[page]++;
}

static void zero_piece(struct batch *b, void *arg, u32 page, u32 offset, u32 len)
{
	(void)arg;
	memset((u8 *)frame_va(b->frames[page]) + offset, 0, len);
}

static void add_piece(struct batch *b, void *arg, u32 page, u32 offset, u32 len)
{
	struct bio *bio = arg;

	bio->vecs[bio->nvecs++] = (struct bio_vec){b->frames[page], offset, len};
}

static void submit_run(struct batch *b, const struct ext2_extent *e)
{
	u32 first = e->lblk / b->fs->bpp, last = (e->lblk + e->len - 1) / b->fs->bpp;
	struct bio *bio = bio_alloc(last - first + 1, true);

	bio->dev = b->fs->mount->dev;
	bio->op = b->write ? BIO_WRITE : BIO_READ;
	bio->flags = b->wait ? BIO_SYNC : 0;
	bio->sector = (u64)e->pblk * b->fs->sectors_per_block;
	bio->done = b->write ? clean_done : fill_done;
	bio->nvecs = 0;
	each_piece(b, e, bio, add_piece);
	bio_submit(bio);
}

/* A page may be finished by the time the next request is made: the parts are counted before any starts. */
static void submit_runs(struct batch *b)
{
	u32 k;

	for (k = 0; k < b->nruns; k++)
		if (b->run[k].pblk)
			submit_run(b, &b->run[k]);
}

static void count_parts(struct batch *b)
{
	u32 k;

	memset(b->parts, 0, sizeof(b->parts));
	for (k = 0; k < b->nruns; k++)
		if (b->run[k].pblk)
			each_piece(b, &b->run[k], NULL, count_part);
	for (k = 0; k < b->npages; k++)
		if (b->parts[k])
			vm_page_io_parts(b->frames[k], b->parts[k]);
}

/* ---- fill ---- */

/* A page that has all its blocks needs no reserve before it is written. */
static void note_reserved(struct batch *b)
{
	u32 mapped[BATCH_PAGES] = {0}, k, at;

	for (k = 0; k < b->nruns; k++) {
		const struct ext2_extent *e = &b->run[k];

		for (at = e->lblk; e->pblk && at < e->lblk + e->len; at++)
			mapped[at / b->fs->bpp]++;
	}
	for (k = 0; k < b->npages; k++)
		if (mapped[k] == b->fs->bpp)
			__atomic_fetch_or(&b->frames[k]->flags, FR_RESERVED, __ATOMIC_RELAXED);
}

static void fill_batch(struct batch *b)
{
	int err = lock_and_find(b, b->npages * b->fs->bpp);
	u32 k, npages;

	if (err) {
		for (k = 0; k < b->npages; k++)
			vm_page_fill_end(b->frames[k], err);
		return;
	}
	note_reserved(b);
	count_parts(b);
	for (k = 0; k < b->nruns; k++)
		if (!b->run[k].pblk)
			each_piece(b, &b->run[k], NULL, zero_piece);
	npages = b->npages;
	for (k = 0; k < npages; k++)
		if (!b->parts[k])
			vm_page_fill_end(b->frames[k], 0);
	submit_runs(b);
}

static void ext2_fill(struct vm_object *o, struct frame **frames, size_t n)
{
	struct ext2_node *node = ext2_node(vnode_of_object(o));
	struct batch b = {.n = node, .fs = ext2_fs(&node->vn), .wait = true};

	block_plug();
	while (n) {
		b.frames = frames;
		b.npages = (u32)MIN(n, (size_t)BATCH_PAGES);
		fill_batch(&b);
		frames += b.npages;
		n -= b.npages;
	}
	block_unplug();
}

/* ---- clean ---- */

static bool all_zero(const u8 *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* Is there anything between the end of file and the end of its block? */
static bool tail_is_dirty(const struct ext2_fs *fs, struct frame *f, u64 size)
{
	u32 from = size & PAGE_MASK, to = (u32)ALIGN_UP((u64)from, (u64)fs->bsize);

	return !all_zero((u8 *)frame_va(f) + from, to - from);
}

static int write_copy(struct batch *b, struct frame *copy)
{
	u32 k;
	int err = 0;

	for (k = 0; k < b->nruns && !err; k++) {
		struct bio *bio;

		bio = bio_alloc(1, true);
		bio->dev = b->fs->mount->dev;
		bio->op = BIO_WRITE;
		bio->flags = BIO_SYNC;
		bio->sector = (u64)b->run[k].pblk * b->fs->sectors_per_block;
		bio->nvecs = 1;
		bio->vecs[0] = (struct bio_vec){copy, b->run[k].lblk << b->fs->bshift,
						b->run[k].len << b->fs->bshift};
		err = bio_wait(bio);
		bio_free(bio);
	}
	return err;
}

/* The last page, when a mapping stored beyond the end of file: from a copy whose tail is zero. */
static void clean_by_copy(struct batch *b, u64 size)
{
	struct frame *f = b->frames[0], *copy = frame_alloc(FA_RESERVE);
	u32 from = size & PAGE_MASK;
	int err;

	if (!copy) {
		vm_page_clean_end(f, -ENOMEM);
		return;
	}
	page_copy(frame_va(copy), frame_va(f));
	memset((u8 *)frame_va(copy) + from, 0, PAGE_SIZE - from);
	err = lock_and_find(b, page_blocks(b->fs, f->index, size));
	if (!err)
		err = write_copy(b, copy);
	frame_free(copy);
	vm_page_clean_end(f, err);
}

/* Blocks of the last page behind the end of file go back. */
static void trim_page(struct batch *b, struct frame *f, u64 size)
{
	u64 first = ext2_blocks_of(b->fs, size), end = (f->index + 1) * b->fs->bpp;

	__atomic_fetch_and(&f->flags, ~FR_RESERVED, __ATOMIC_RELAXED);
	if (READ_ONCE(b->n->past_end) <= first)
		return;
	ext2_begin(b->fs);
	mutex_lock(&b->n->lock);
	if (ext2_size(b->n) == size && b->n->past_end > first) {
		ext2_free_range(b->n, first, end);
		if (b->n->past_end <= end)
			b->n->past_end = 0;
	}
	mutex_unlock(&b->n->lock);
	ext2_end(b->fs);
}

static void clean_pages(struct batch *b, u32 nblocks)
{
	int err = lock_and_find(b, nblocks);
	u32 k;

	if (err) {
		for (k = 0; k < b->npages; k++)
			vm_page_clean_end(b->frames[k], err);
		return;
	}
	count_parts(b);
	submit_runs(b);
}

/* One page holds the end of file, and stands alone in its batch; others are whole. */
static void clean_batch(struct batch *b)
{
	u64 size = ext2_size(b->n), first = b->frames[0]->index, last = size >> PAGE_SHIFT;

	if (!(size & PAGE_MASK) || first + b->npages <= last || first > last) {
		clean_pages(b, b->npages * b->fs->bpp);
		return;
	}
	if (first < last) {
		b->npages = (u32)(last - first);
		clean_pages(b, b->npages * b->fs->bpp);
		return;
	}
	b->npages = 1;
	if (b->fs->bpp > 1)
		trim_page(b, b->frames[0], size);
	if (tail_is_dirty(b->fs, b->frames[0], size))
		clean_by_copy(b, size);
	else
		clean_pages(b, page_blocks(b->fs, first, size));
}

static void ext2_clean(struct vm_object *o, struct frame **frames, size_t n, bool wait)
{
	struct ext2_node *node = ext2_node(vnode_of_object(o));
	struct batch b = {.n = node, .fs = ext2_fs(&node->vn), .write = true, .wait = wait};

	block_plug();
	while (n) {
		b.frames = frames;
		b.npages = (u32)MIN(n, (size_t)BATCH_PAGES);
		clean_batch(&b);
		frames += b.npages;
		n -= b.npages;
	}
	block_unplug();
}

/* ---- reserve ---- */

static bool all_cached(struct ext2_node *n, u64 lblk, u32 count)
{
	struct ext2_extent e;

	while (count) {
		if (!ext2_map_cached(n, lblk, count, &e))
			return false;
		lblk += e.len;
		count -= e.len;
	}
	return true;
}

static int reserve_blocks(struct ext2_node *n, u64 lblk, u64 count)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	unsigned flags;
	u64 sectors;
	int err;

	flags = EXT2_ALLOC_UNWRITTEN | (ext2_may_use_reserved(fs) ? EXT2_ALLOC_PRIVILEGED : 0);
	ext2_begin(fs);
	mutex_lock(&n->lock);
	sectors = n->sectors;
	err = ext2_map_alloc(n, lblk, (u32)count, flags);
	if (n->sectors != sectors) {
		if (lblk + count > ext2_blocks_of(fs, ext2_size(n)))
			n->past_end = MAX(n->past_end, (u32)(lblk + count));
		sectors = ~0ul;
	}
	mutex_unlock(&n->lock);
	if (sectors == ~0ul)
		ext2_mark_dirty(n);
	ext2_end(fs);
	return err;
}

static int ext2_reserve(struct vm_object *o, u64 index, size_t npages)
{
	struct ext2_node *n = ext2_node(vnode_of_object(o));
	struct ext2_fs *fs = ext2_fs(&n->vn);
	u64 lblk = index * fs->bpp, limit = fs->max_size >> fs->bshift;
	u64 count = npages * fs->bpp;
	int err;

	if (lblk + count > limit)
		return -EFBIG;
	if (all_cached(n, lblk, (u32)count))
		return 0;
	err = reserve_blocks(n, lblk, count);
	return ext2_retry(fs, err) ? reserve_blocks(n, lblk, count) : err;
}

void ext2_unreserve_page(struct ext2_node *n, u64 index)
{
	struct frame *f;

	if (vm_page_get(&n->vn.obj, index, VMP_NOWAIT, NULL, &f))
		return;
	__atomic_fetch_and(&f->flags, ~FR_RESERVED, __ATOMIC_RELAXED);
	vm_page_put(f);
}

const struct vm_pager_ops ext2_pager = {
	.name = "ext2",
	.fill = ext2_fill,
	.clean = ext2_clean,
	.reserve = ext2_reserve,
	.first_dirty = vnode_obj_first_dirty,
	.hold = vnode_obj_hold,
	.drop = vnode_obj_drop,
	.max_cluster = BATCH_PAGES,
};
