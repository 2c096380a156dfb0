// SPDX-License-Identifier: BSD-2-Clause
/*
 * Blocks: allocating runs near a goal, and freeing.
 *
 * A search goes through the groups from the goal's on, twice: first staying out of the windows of other files (window.c), then, when the disk is
 * nearly full, anywhere.  Owns the block bitmaps and block counts; lock: alloc_lock.
 */

#include "fs/ext2/ext2.h"

struct search {
	struct ext2_fs *fs;
	struct ext2_node *n;
	u32 want;
	bool windows; /* respect them */
	u32 got;      /* result: how many */
	int err;
};

bool ext2_may_use_reserved(const struct ext2_fs *fs)
{
	const struct cred *c = vfs_current_cred();

	return !c || c->fsuid == 0 || c->fsuid == fs->super.def_resuid;
}

static void count_blocks(struct ext2_fs *fs, struct ext2_group *g, s32 n)
{
	g->free_blocks = (u32)((s32)g->free_blocks + n);
	g->dirty = true;
	fs->groups_dirty = true;
	fs->super.free_blocks_count = (u32)((s32)fs->super.free_blocks_count + n);
	fs->counts_dirty = true;
}

static void dirty_bitmap(struct ext2_fs *fs, struct ext2_group *g)
{
	if (g->dirty_txn == fs->txn)
		return;
	ext2_dirty_meta(fs, g->block_bitmap, EXT2_KIND_BITMAP);
	g->dirty_txn = fs->txn;
}

/* The first free bit from *bit on that this file may take; the end of what it may take there. */
static u32 find_free(struct search *s, const void *map, u32 start, u32 nbits, u32 *bit)
{
	u32 blk, end;

	for (;;) {
		*bit = bitmap_next_zero(map, *bit, nbits);
		if (*bit >= nbits || !s->windows)
			return nbits;
		blk = start + *bit;
		end = ext2_window_skip(s->fs, s->n, &blk, start + nbits);
		if (blk == start + *bit)
			return end - start;
		*bit = blk - start;
	}
}

/* Takes the run at bit. */
static u32 take_run(struct search *s, u32 k, struct meta *m, u32 bit, u32 end)
{
	struct ext2_group *g = &s->fs->groups[k];
	u32 start = ext2_group_start(s->fs, k);
	u32 limit = s->want < end - bit ? bit + s->want : end;

	s->got = bitmap_next_set(m->data, bit, limit) - bit;
	s->got = MIN(s->got, g->free_blocks);
	if (!ext2_data_blocks_ok(s->fs, start + bit, s->got)) {
		s->err = ext2_error(
			s->fs,
			"group %u: the bitmap says that block %u is free, but it is metadata", k,
			start + bit);
		return 0;
	}
	bitmap_set(m->data, bit, s->got);
	dirty_bitmap(s->fs, g);
	count_blocks(s->fs, g, -(s32)s->got);
	if (bit <= g->block_hint)
		g->block_hint = MAX(g->block_hint, bit + s->got);
	if (s->windows)
		ext2_window_open(s->fs, s->n, start + bit + s->got, start + end);
	return start + bit;
}

static u32 search_group(struct search *s, u32 k, u32 from)
{
	struct ext2_group *g = &s->fs->groups[k];
	u32 nbits = ext2_group_blocks(s->fs, k), bit = MAX(from, g->block_hint), end, blk = 0;
	struct meta m;

	if (g->free_blocks == 0)
		return 0;
	s->err = meta_get(s->fs->bdev, g->block_bitmap, s->fs->bsize, &m);
	if (s->err)
		return 0;
	end = find_free(s, m.data, ext2_group_start(s->fs, k), nbits, &bit);
	if (bit < nbits)
		blk = take_run(s, k, &m, bit, end);
	else if (!s->windows && from == 0)
		s->err = ext2_error(s->fs,
				    "group %u: %u blocks should be free but the bitmap is full", k,
				    g->free_blocks);
	meta_put(&m);
	return blk;
}

/* The goal's group twice: from the goal on first, from its start last. */
static u32 search_all(struct search *s, u32 goal)
{
	u32 first = ext2_group_of(s->fs, goal), k, blk;

	blk = search_group(s, first, goal - ext2_group_start(s->fs, first));
	for (k = 1; k <= s->fs->ngroups && !blk && !s->err; k++)
		blk = search_group(s, (first + k) % s->fs->ngroups, 0);
	return blk;
}

/* Free blocks that this caller may have. */
static u32 available(const struct ext2_fs *fs, bool privileged)
{
	u32 keep = privileged ? 0 : fs->super.r_blocks_count;

	return fs->super.free_blocks_count > keep ? fs->super.free_blocks_count - keep : 0;
}

u32 ext2_alloc_blocks(struct ext2_node *n, u32 goal, u32 want, bool privileged, u32 *got, int *err)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	struct search s = {.fs = fs, .n = n, .windows = true};
	u32 blk = 0, avail;

	if (goal < fs->super.first_data_block || goal >= fs->super.blocks_count)
		goal = ext2_group_start(fs, (u32)((n->vn.ino - 1) / fs->super.inodes_per_group));
	mutex_lock(&fs->alloc_lock);
	avail = available(fs, privileged);
	s.want = MIN(want, avail);
	if (!ext2_writable(fs)) {
		s.err = -EROFS;
	} else if (s.want) {
		blk = search_all(&s, goal);
		if (!blk && !s.err) {
			s.windows = false;
			blk = search_all(&s, goal);
		}
	}
	mutex_unlock(&fs->alloc_lock);
	*got = s.got;
	*err = blk ? 0 : s.err ? s.err : -ENOSPC;
	return blk;
}

/* alloc_lock held; the run lies within group k. */
static void free_in_group(struct ext2_fs *fs, u32 k, u32 blk, u32 n)
{
	struct ext2_group *g = &fs->groups[k];
	u32 bit = blk - ext2_group_start(fs, k);
	struct meta m;

	if (meta_get(fs->bdev, g->block_bitmap, fs->bsize, &m)) {
		ext2_error(fs, "group %u: the block bitmap cannot be read", k);
		return;
	}
	if (bitmap_next_zero(m.data, bit, bit + n) < bit + n) {
		ext2_error(fs, "group %u: freeing block %u, which is free already", k,
			   ext2_group_start(fs, k) + bitmap_next_zero(m.data, bit, bit + n));
	} else {
		bitmap_clear(m.data, bit, n);
		dirty_bitmap(fs, g);
		count_blocks(fs, g, (s32)n);
		g->block_hint = MIN(g->block_hint, bit);
	}
	meta_put(&m);
}

void ext2_free_blocks(struct ext2_fs *fs, u32 blk, u32 count)
{
	mutex_lock(&fs->alloc_lock);
	while (count && ext2_writable(fs)) {
		u32 k = ext2_group_of(fs, blk);
		u32 part = ext2_group_start(fs, k) + fs->super.blocks_per_group - blk;

		part = MIN(part, count);
		if (!ext2_data_blocks_ok(fs, blk, part)) {
			ext2_error(fs, "freeing block %u, which is metadata or beyond the end",
				   blk);
			break;
		}
		free_in_group(fs, k, blk, part);
		blk += part;
		count -= part;
	}
	mutex_unlock(&fs->alloc_lock);
}
