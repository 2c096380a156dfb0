// SPDX-License-Identifier: BSD-2-Clause
/*
 * Inode numbers.  Files go where their directory is; directories stay near their parent while that group is not crowded, and
 * those in the root are spread over the disk, after Orlov's idea.  Owns the inode bitmaps and inode counts; lock: alloc_lock.
 */

#include "fs/ext2/ext2.h"

#define NO_GROUP UINT32_MAX

/* The least crowded by directories among groups at least as free as the average. */
static u32 spread_group(const struct ext2_fs *fs, u32 seed)
{
	u32 avg_inodes = fs->super.free_inodes_count / fs->ngroups;
	u32 avg_blocks = fs->super.free_blocks_count / fs->ngroups;
	u32 k, best = NO_GROUP, fewest = UINT32_MAX;

	for (k = 0; k < fs->ngroups; k++) {
		u32 g = (seed + k) % fs->ngroups;
		const struct ext2_group *gr = &fs->groups[g];

		if (!gr->free_inodes || gr->free_inodes < avg_inodes ||
		    gr->free_blocks < avg_blocks || gr->used_dirs >= fewest)
			continue;
		best = g;
		fewest = gr->used_dirs;
	}
	return best;
}

/* The first group from the parent's on that is not crowded. */
static u32 near_group(const struct ext2_fs *fs, u32 parent)
{
	u32 min_inodes = fs->super.free_inodes_count / fs->ngroups / 4;
	u32 min_blocks = fs->super.free_blocks_count / fs->ngroups / 4;
	u32 k;

	for (k = 0; k < fs->ngroups; k++) {
		const struct ext2_group *g = &fs->groups[(parent + k) % fs->ngroups];

		if (g->free_inodes && g->free_inodes >= min_inodes && g->free_blocks >= min_blocks)
			return (parent + k) % fs->ngroups;
	}
	return NO_GROUP;
}

/* For a file: the parent's group, else by doubling steps, so that files of one crowded group do not all crowd the next. */
static u32 file_group(const struct ext2_fs *fs, u32 parent)
{
	u32 g = parent, step;

	if (fs->groups[g].free_inodes && fs->groups[g].free_blocks)
		return g;
	for (step = 1; step < fs->ngroups; step *= 2) {
		g = (g + step) % fs->ngroups;
		if (fs->groups[g].free_inodes && fs->groups[g].free_blocks)
			return g;
	}
	return NO_GROUP;
}

static u32 any_group(const struct ext2_fs *fs, u32 from)
{
	u32 k;

	for (k = 0; k < fs->ngroups; k++)
		if (fs->groups[(from + k) % fs->ngroups].free_inodes)
			return (from + k) % fs->ngroups;
	return NO_GROUP;
}

static u32 choose_group(struct ext2_fs *fs, struct ext2_node *dir, bool is_dir)
{
	u32 parent = (u32)((dir->vn.ino - 1) / fs->super.inodes_per_group), g;

	if (is_dir && dir->vn.ino == EXT2_ROOT_INO)
		g = spread_group(fs, fs->generation % fs->ngroups);
	else if (is_dir)
		g = near_group(fs, parent);
	else
		g = file_group(fs, parent);
	return g == NO_GROUP ? any_group(fs, parent) : g;
}

static void count_inodes(struct ext2_fs *fs, struct ext2_group *g, s32 n, bool is_dir)
{
	g->free_inodes = (u32)((s32)g->free_inodes + n);
	if (is_dir)
		g->used_dirs = (u32)((s32)g->used_dirs - n);
	g->dirty = true;
	fs->groups_dirty = true;
	fs->super.free_inodes_count = (u32)((s32)fs->super.free_inodes_count + n);
	fs->counts_dirty = true;
	if (g->dirty_ino_txn == fs->txn)
		return;
	ext2_dirty_meta(fs, g->inode_bitmap, EXT2_KIND_BITMAP);
	g->dirty_ino_txn = fs->txn;
}

/* Inodes below first_ino are never handed out, whatever the bitmap says. */
static u32 first_bit(const struct ext2_fs *fs, u32 k)
{
	u32 first = k * fs->super.inodes_per_group + 1;

	return first < fs->first_ino ? MIN(fs->first_ino - first, fs->super.inodes_per_group) : 0;
}

static u32 take_inode(struct ext2_fs *fs, u32 k, bool is_dir, int *err)
{
	struct ext2_group *g = &fs->groups[k];
	u32 end = fs->super.inodes_per_group, bit = MAX(g->inode_hint, first_bit(fs, k));
	struct meta m;

	*err = meta_get(fs->bdev, g->inode_bitmap, fs->bsize, &m);
	if (*err)
		return 0;
	bit = bitmap_next_zero(m.data, bit, end);
	if (bit < end) {
		bitmap_set(m.data, bit, 1);
		g->inode_hint = bit + 1;
		count_inodes(fs, g, -1, is_dir);
	} else {
		*err = ext2_error(fs, "group %u: %u inodes should be free but the bitmap is full",
				  k, g->free_inodes);
	}
	meta_put(&m);
	return *err ? 0 : k * fs->super.inodes_per_group + bit + 1;
}

u32 ext2_alloc_ino(struct ext2_node *dir, bool is_dir, int *err)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	u32 ino = 0, g;

	mutex_lock(&fs->alloc_lock);
	g = choose_group(fs, dir, is_dir);
	if (!ext2_writable(fs))
		*err = -EROFS;
	else if (g == NO_GROUP)
		*err = -ENOSPC;
	else
		ino = take_inode(fs, g, is_dir, err);
	mutex_unlock(&fs->alloc_lock);
	return ino;
}

void ext2_free_ino(struct ext2_fs *fs, u32 ino, bool is_dir)
{
	u32 k = (ino - 1) / fs->super.inodes_per_group,
	    bit = (ino - 1) % fs->super.inodes_per_group;
	struct ext2_group *g = &fs->groups[k];
	struct meta m;

	mutex_lock(&fs->alloc_lock);
	if (meta_get(fs->bdev, g->inode_bitmap, fs->bsize, &m)) {
		ext2_error(fs, "group %u: the inode bitmap cannot be read", k);
		goto out;
	}
	if (!bitmap_test(m.data, bit)) {
		ext2_error(fs, "group %u: freeing inode %u, which is free already", k, ino);
	} else {
		bitmap_clear(m.data, bit, 1);
		count_inodes(fs, g, 1, is_dir);
		g->inode_hint = MIN(g->inode_hint, bit);
	}
	meta_put(&m);
out:
	mutex_unlock(&fs->alloc_lock);
}
