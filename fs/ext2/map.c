// SPDX-License-Identifier: BSD-2-Clause
/*
 * From a block of a file to a block of the disk.
 *
 *	block[0..11]  direct         block[12] -> numbers          block[13] -> -> numbers      block[14] -> -> -> numbers
 *
 * Lookups give extents: runs of neighbours, found within one leaf block of numbers.  The last few are kept in the node, so that most
 * lookups need neither the lock nor the indirect blocks.  The cache holds mapped blocks only and is emptied whenever any are freed.
 * Locks: node->lock guards the map, times_lock the cache.  Block numbers are checked before use: damage gives -EUCLEAN.
 */

#include "fs/ext2/ext2.h"

unsigned ext2_path(const struct ext2_fs *fs, u64 lblk, u32 path[EXT2_DEPTH_MAX])
{
	unsigned s = fs->ptrs_shift;
	u64 p = 1ul << s, mask = p - 1;

	if (lblk < EXT2_NDIR) {
		path[0] = (u32)lblk;
		return 1;
	}
	lblk -= EXT2_NDIR;
	if (lblk < p) {
		path[0] = EXT2_IND;
		path[1] = (u32)lblk;
		return 2;
	}
	lblk -= p;
	if (lblk < p << s) {
		path[0] = EXT2_DIND;
		path[1] = (u32)(lblk >> s);
		path[2] = (u32)(lblk & mask);
		return 3;
	}
	lblk -= p << s;
	if (lblk >> s >> s >> s)
		return 0;
	path[0] = EXT2_TIND;
	path[1] = (u32)(lblk >> s >> s);
	path[2] = (u32)(lblk >> s & mask);
	path[3] = (u32)(lblk & mask);
	return 4;
}

u32 ext2_checked_ptr(struct ext2_node *n, u32 blk, unsigned depth_left, u64 lblk, int *err)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);

	if (!blk || ext2_data_blocks_ok(fs, blk, 1))
		return blk;
	*err = ext2_error(fs, "inode %u: bad block number %u (level %u) at block %lu",
			  (u32)n->vn.ino, blk, depth_left, (unsigned long)lblk);
	return 0;
}

/* The run that starts at ptrs[0], among at most max numbers: all holes, or neighbours on the disk. */
static u32 run_length(const u32 *ptrs, u32 max)
{
	u32 k;

	for (k = 1; k < max; k++)
		if (ptrs[k] != (ptrs[0] ? ptrs[0] + k : 0))
			break;
	return k;
}

/* A run of plausible numbers may still reach into metadata: it is checked group by group. */
static int check_run(struct ext2_node *n, const struct ext2_extent *e)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	u32 blk = e->pblk, left = e->len, part;

	while (left) {
		part = 0;
		if (blk >= fs->super.first_data_block && blk < fs->super.blocks_count) {
			u32 g = ext2_group_of(fs, blk);

			part = ext2_group_start(fs, g) + fs->super.blocks_per_group - blk;
			part = MIN(part, left);
		}
		if (!part || !ext2_data_blocks_ok(fs, blk, part))
			return ext2_error(fs, "inode %u: bad block number %u at block %u",
					  (u32)n->vn.ino, blk, e->lblk + (e->len - left));
		blk += part;
		left -= part;
	}
	return 0;
}

static int finish_extent(struct ext2_node *n, const u32 *ptrs, u32 room, u32 max,
			 struct ext2_extent *out)
{
	u32 len = run_length(ptrs, MIN(room, max));

	out->pblk = ptrs[0];
	out->len = len;
	if (!out->pblk)
		return 0;
	if (check_run(n, out))
		return -EUCLEAN;
	ext2_map_remember(n, out);
	return 0;
}

/* No block of numbers at this level: a hole as wide as what it would map from here on. */
static void finish_hole(const struct ext2_fs *fs, const u32 *path, unsigned level, unsigned depth,
			u32 max, struct ext2_extent *out)
{
	u64 before = 0, whole = 1, left;
	unsigned k;

	for (k = level; k < depth; k++) {
		before = (before << fs->ptrs_shift) + path[k];
		whole <<= fs->ptrs_shift;
	}
	left = whole - before;
	out->pblk = 0;
	out->len = (u32)MIN(left, (u64)max);
}

int ext2_map(struct ext2_node *n, u64 lblk, u32 max, struct ext2_extent *out)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	u32 path[EXT2_DEPTH_MAX], blk;
	unsigned depth = ext2_path(fs, lblk, path), k;
	struct meta m;
	int err = 0;

	ASSERT(max > 0);
	out->lblk = (u32)lblk;
	if (!depth || lblk > UINT32_MAX) {
		out->pblk = 0;
		out->len = max;
		return 0;
	}
	if (ext2_map_cached(n, lblk, max, out))
		return 0;
	if (depth == 1)
		return finish_extent(n, &n->block[path[0]], EXT2_NDIR - path[0], max, out);
	blk = ext2_checked_ptr(n, n->block[path[0]], depth - 1, lblk, &err);
	for (k = 1; blk; k++) {
		err = meta_get(fs->bdev, blk, fs->bsize, &m);
		if (err)
			return err;
		if (k == depth - 1) {
			err = finish_extent(n, (u32 *)m.data + path[k],
					    (1u << fs->ptrs_shift) - path[k], max, out);
			meta_put(&m);
			return err;
		}
		blk = ext2_checked_ptr(n, ((u32 *)m.data)[path[k]], depth - 1 - k, lblk, &err);
		meta_put(&m);
	}
	if (err)
		return err;
	finish_hole(fs, path, k, depth, max, out);
	return 0;
}

bool ext2_map_cached(struct ext2_node *n, u64 lblk, u32 max, struct ext2_extent *out)
{
	bool found = false;
	u32 k;

	spin_lock(&n->times_lock);
	for (k = 0; k < EXT2_CACHED_EXTENTS && !found; k++) {
		const struct ext2_extent *e = &n->cache[k];
		u64 skip = lblk - e->lblk;

		if (lblk < e->lblk || skip >= e->len)
			continue;
		out->lblk = (u32)lblk;
		out->pblk = e->pblk + (u32)skip;
		out->len = MIN(e->len - (u32)skip, max);
		found = true;
	}
	spin_unlock(&n->times_lock);
	return found;
}

static bool try_join(struct ext2_extent *c, const struct ext2_extent *e)
{
	if (c->len == 0 || c->pblk - c->lblk != e->pblk - e->lblk)
		return false;
	if (e->lblk < c->lblk || e->lblk > c->lblk + c->len)
		return false;
	if (e->lblk + e->len > c->lblk + c->len)
		c->len = e->lblk + e->len - c->lblk;
	return true;
}

bool ext2_map_remember(struct ext2_node *n, const struct ext2_extent *e)
{
	bool joined = false;
	u32 k;

	ASSERT(e->pblk && e->len);
	spin_lock(&n->times_lock);
	for (k = 0; k < EXT2_CACHED_EXTENTS && !joined; k++)
		joined = try_join(&n->cache[k], e);
	if (!joined) {
		n->cache[n->cache_next] = *e;
		n->cache_next = (n->cache_next + 1) % EXT2_CACHED_EXTENTS;
	}
	spin_unlock(&n->times_lock);
	return joined;
}

void ext2_map_forget(struct ext2_node *n)
{
	spin_lock(&n->times_lock);
	memset(n->cache, 0, sizeof(n->cache));
	spin_unlock(&n->times_lock);
}
