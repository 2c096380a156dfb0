// SPDX-License-Identifier: BSD-2-Clause
/*
 * Giving blocks of a file a place.  A run of holes under one leaf is served at a time:
 *
 *	node->block[] -> (exists) -> (exists) -> [new] -> [new leaf] -> data
 *	                 parent slot ^ set last, when all below is in place
 *
 * so a failure leaves the map as it was.  Locks: inside the gate; node->lock held by the caller.
 */

#include "fs/ext2/ext2.h"

struct branch {
	struct ext2_node *n;
	struct ext2_fs *fs;
	u32 path[EXT2_DEPTH_MAX];
	unsigned depth;
	unsigned level;		 /* of the first missing pointer: path[level] in parent */
	u32 parent;		 /* existing indirect block that holds it; 0: node->block */
	u32 ind[EXT2_DEPTH_MAX]; /* new indirect blocks, top first */
	unsigned ninds;
	bool privileged;
};

/* Finds how much of the way to lblk exists. */
static int find_parent(struct branch *b, u64 lblk)
{
	u32 blk = b->n->block[b->path[0]];
	struct meta m;
	int err = 0;

	for (b->level = 0; b->level < b->depth - 1; b->level++) {
		blk = ext2_checked_ptr(b->n, blk, b->depth - 1 - b->level, lblk, &err);
		if (!blk)
			break;
		b->parent = blk;
		err = meta_get(b->fs->bdev, blk, b->fs->bsize, &m);
		if (err)
			return err;
		blk = ((u32 *)m.data)[b->path[b->level + 1]];
		meta_put(&m);
	}
	return err;
}

/* Behind what was allocated last, or else behind the block before this one, or else where the inode is (0). */
static u32 find_goal(struct ext2_node *n, u64 lblk)
{
	struct ext2_extent e;

	if (n->goal_pblk && lblk == (u64)n->goal_lblk + 1)
		return n->goal_pblk + 1;
	if (lblk && ext2_map_cached(n, lblk - 1, 1, &e))
		return e.pblk + 1;
	return n->goal_pblk ? n->goal_pblk + 1 : 0;
}

static void undo_inds(struct branch *b)
{
	while (b->ninds) {
		u32 blk = b->ind[--b->ninds];

		ext2_dirty_forget(b->fs, blk);
		ext2_free_blocks(b->fs, blk, 1);
	}
}

static int alloc_inds(struct branch *b, u32 *goal)
{
	unsigned want = b->depth - 1 - b->level;
	u32 got, blk;
	int err;

	while (b->ninds < want) {
		blk = ext2_alloc_blocks(b->n, *goal, 1, b->privileged, &got, &err);
		if (!blk) {
			undo_inds(b);
			return err;
		}
		b->ind[b->ninds++] = blk;
		*goal = blk + 1;
	}
	return 0;
}

static void set_pointers(u32 *slot, u32 blk, u32 count)
{
	u32 k;

	for (k = 0; k < count; k++) {
		ASSERT(slot[k] == 0);
		slot[k] = blk + k;
	}
}

/* Writes the new indirect blocks, from the leaf up. */
static int fill_inds(struct branch *b, u32 data, u32 count)
{
	u32 k = b->ninds;
	struct meta m;
	int err;

	while (k--) {
		bool leaf = k == b->ninds - 1;

		err = meta_get_zero(b->fs->bdev, b->ind[k], b->fs->bsize, &m);
		if (err)
			return err;
		set_pointers((u32 *)m.data + b->path[b->level + 1 + k], leaf ? data : b->ind[k + 1],
			     leaf ? count : 1);
		ext2_dirty_meta(b->fs, b->ind[k], EXT2_KIND_NEW);
		meta_put(&m);
	}
	return 0;
}

/* Hangs the branch into the map: what was a hole is now there. */
static int splice(struct branch *b, u32 data, u32 count)
{
	u32 blk = b->ninds ? b->ind[0] : data, slot = b->path[b->level];
	struct meta m;
	int err;

	if (b->ninds)
		count = 1;
	if (b->level == 0) {
		set_pointers(&b->n->block[slot], blk, count);
		return 0;
	}
	err = meta_get(b->fs->bdev, b->parent, b->fs->bsize, &m);
	if (err)
		return err;
	set_pointers((u32 *)m.data + slot, blk, count);
	ext2_dirty_meta(b->fs, b->parent, EXT2_KIND_INDIRECT);
	meta_put(&m);
	return 0;
}

/* Blocks from lblk on under the same leaf, at most want. */
static u32 leaf_room(const struct branch *b, u32 want)
{
	u32 room = b->depth == 1 ? EXT2_NDIR - b->path[0]
				 : (1u << b->fs->ptrs_shift) - b->path[b->depth - 1];

	return MIN(room, want);
}

/* Some blocks of the hole at lblk, which is want long: *got of them. */
static int alloc_run(struct ext2_node *n, u64 lblk, u32 want, bool privileged, u32 *got)
{
	struct branch b = {.n = n, .fs = ext2_fs(&n->vn), .privileged = privileged};
	u32 goal = find_goal(n, lblk), data;
	int err;

	b.depth = ext2_path(b.fs, lblk, b.path);
	if (!b.depth)
		return -EFBIG;
	err = find_parent(&b, lblk);
	if (!err)
		err = alloc_inds(&b, &goal);
	if (err)
		return err;
	data = ext2_alloc_blocks(n, goal, leaf_room(&b, want), privileged, got, &err);
	if (!data)
		goto undo;
	err = fill_inds(&b, data, *got);
	if (!err)
		err = splice(&b, data, *got);
	if (err) {
		ext2_free_blocks(b.fs, data, *got);
		goto undo;
	}
	n->sectors += (u64)(*got + b.ninds) * b.fs->sectors_per_block;
	n->goal_lblk = (u32)lblk + *got - 1;
	n->goal_pblk = data + *got - 1;
	ext2_map_remember(n, &(struct ext2_extent){(u32)lblk, data, *got});
	return 0;
undo:
	undo_inds(&b);
	return err;
}

/* The hole at lblk, of *len blocks: how many of them have a place now. */
static int alloc_hole(struct ext2_node *n, u64 lblk, unsigned flags, u32 *len)
{
	int err = alloc_run(n, lblk, *len, flags & EXT2_ALLOC_PRIVILEGED, len);

	if (err || !(flags & EXT2_ALLOC_UNWRITTEN) || !ext2_note_unwritten(n, lblk, *len))
		return err;
	ext2_free_range(n, lblk, lblk + *len);
	return -ENOMEM;
}

int ext2_map_alloc(struct ext2_node *n, u64 lblk, u32 count, unsigned flags)
{
	u64 end = lblk + count;
	struct ext2_extent e;
	int err;

	while (lblk < end) {
		err = ext2_map(n, lblk, (u32)(end - lblk), &e);
		if (!err && !e.pblk)
			err = alloc_hole(n, lblk, flags, &e.len);
		if (err)
			return err;
		lblk += e.len;
	}
	return 0;
}
