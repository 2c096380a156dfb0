// SPDX-License-Identifier: BSD-2-Clause
/*
 * Giving blocks back: a range of the map is walked from the leaves up; runs of neighbours are freed together, and an indirect
 * block goes when its last pointer went.  A damaged map that names a block twice is noticed when the block is freed twice, which
 * ends the walk.  Locks: inside the gate; node->lock held by the caller; the pages over the range are gone already.
 */

#include "fs/ext2/ext2.h"

struct freeing {
	struct ext2_node *n;
	struct ext2_fs *fs;
	u64 first, end; /* blocks of the file to free */
	u32 blk, len;	/* run not yet given back */
	int err;
};

static void flush_run(struct freeing *f)
{
	u64 sectors = (u64)f->len * f->fs->sectors_per_block;

	if (!f->len)
		return;
	if (f->n->sectors < sectors) {
		f->err = ext2_error(f->fs, "inode %u: its count of blocks is too small",
				    (u32)f->n->vn.ino);
		sectors = f->n->sectors;
	}
	f->n->sectors -= sectors;
	if (f->n->fresh && !ext2_committing(f->fs)) /* nothing on the disk leads to it */
		ext2_free_blocks(f->fs, f->blk, f->len);
	else
		ext2_free_blocks_later(f->fs, f->blk, f->len);
	f->len = 0;
	if (!f->err && !ext2_writable(f->fs))
		f->err = -EUCLEAN;
}

static void free_one(struct freeing *f, u32 blk)
{
	if (f->len && blk == f->blk + f->len) {
		f->len++;
		return;
	}
	flush_run(f);
	f->blk = blk;
	f->len = 1;
}

static bool is_empty(const u32 *ptrs, u32 n)
{
	while (n && !*ptrs) {
		ptrs++;
		n--;
	}
	return n == 0;
}

static void free_subtree(struct freeing *f, u32 *ptr, unsigned depth, u64 base);

/* The children of an indirect block; true: it is empty now. */
static bool free_children(struct freeing *f, u32 blk, unsigned depth, u64 base)
{
	unsigned s = f->fs->ptrs_shift;
	u64 span = 1ul << (s * (depth - 1));
	u32 count = 1u << s, k, last;
	struct meta m;
	bool empty;

	f->err = meta_get(f->fs->bdev, blk, f->fs->bsize, &m);
	if (f->err)
		return false;
	k = f->first > base ? (u32)((f->first - base) / span) : 0;
	last = f->end < base + (span << s) ? (u32)((f->end - base + span - 1) / span) : count;
	for (; k < last && !f->err; k++)
		free_subtree(f, (u32 *)m.data + k, depth - 1, base + k * span);
	empty = is_empty(m.data, count) && !f->err;
	if (!empty)
		ext2_dirty_meta(f->fs, blk, EXT2_KIND_INDIRECT);
	meta_put(&m);
	return empty;
}

/* What *ptr leads to, depth levels above the data, mapping the file from block base on. */
static void free_subtree(struct freeing *f, u32 *ptr, unsigned depth, u64 base)
{
	u64 span = 1ul << (f->fs->ptrs_shift * depth);
	u32 blk = *ptr;

	if (!blk || base >= f->end || base + span <= f->first)
		return;
	blk = ext2_checked_ptr(f->n, blk, depth, base, &f->err);
	if (!blk)
		return;
	if (depth) {
		if (!free_children(f, blk, depth, base))
			return;
	}
	if (depth || (f->n->vn.mode & S_IFMT) != S_IFREG)
		ext2_dirty_forget(f->fs, blk);
	*ptr = 0;
	free_one(f, blk);
}

int ext2_free_range(struct ext2_node *n, u64 first, u64 end)
{
	struct freeing f = {.n = n, .fs = ext2_fs(&n->vn), .first = first, .end = end};
	u64 base = EXT2_NDIR;
	u32 k;

	if (!ext2_writable(f.fs))
		return -EROFS;
	if (first >= end)
		return 0;
	ext2_map_forget(n);
	ext2_unwritten_clear(n, first, end);
	n->goal_pblk = 0;
	for (k = 0; k < EXT2_NDIR && !f.err; k++)
		free_subtree(&f, &n->block[k], 0, k);
	for (k = 1; k <= 3 && !f.err; k++) {
		free_subtree(&f, &n->block[EXT2_NDIR + k - 1], k, base);
		base += 1ul << (f.fs->ptrs_shift * k);
	}
	flush_run(&f);
	ext2_mark_dirty(n);
	return f.err;
}

int ext2_trim(struct ext2_node *n)
{
	u64 first = ext2_blocks_of(ext2_fs(&n->vn), ext2_size(n));
	int err = 0;

	if (n->past_end > first)
		err = ext2_free_range(n, first, n->past_end);
	n->past_end = 0;
	return err;
}
