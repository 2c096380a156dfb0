// SPDX-License-Identifier: BSD-2-Clause
/*
 * Is this a file system that can be trusted?  Checks the superblock and the group descriptors at mount, so that everything
 * later may compute with them, and knows where fixed metadata lies.  Owns the constant part of struct ext2_fs; no locks.
 */

#include "fs/ext2/ext2.h"

#define INCOMPAT_KNOWN EXT2_INCOMPAT_FILETYPE
#define RO_KNOWN \
	(EXT2_RO_SPARSE_SUPER | EXT2_RO_LARGE_FILE | EXT2_RO_DIR_NLINK | EXT2_RO_EXTRA_ISIZE)

static int check_features(struct ext2_fs *fs)
{
	const struct ext2_super *s = &fs->super;
	u32 odd;

	fs->features_rw = true;
	if (s->rev_level == 0)
		return 0;
	if (s->rev_level > 1) {
		ext2_warn(fs, "superblock: unknown revision %u", s->rev_level);
		return -EINVAL;
	}
	odd = s->feature_incompat & ~INCOMPAT_KNOWN;
	if (odd) {
		ext2_warn(fs, "cannot mount: incompatible features 0x%x are not supported", odd);
		return -EINVAL;
	}
	odd = s->feature_ro_compat & ~RO_KNOWN;
	if (odd) {
		ext2_warn(fs, "only read-only: features 0x%x cannot be written", odd);
		fs->features_rw = false;
	}
	fs->filetype = s->feature_incompat & EXT2_INCOMPAT_FILETYPE;
	fs->dir_nlink = s->feature_ro_compat & EXT2_RO_DIR_NLINK;
	return 0;
}

static int check_inode_geometry(struct ext2_fs *fs)
{
	const struct ext2_super *s = &fs->super;

	fs->inode_size = s->rev_level ? s->inode_size : EXT2_OLD_INODE_SIZE;
	fs->first_ino = s->rev_level ? s->first_ino : EXT2_OLD_FIRST_INO;
	if (fs->inode_size < EXT2_OLD_INODE_SIZE || fs->inode_size > fs->bsize ||
	    (fs->inode_size & (fs->inode_size - 1))) {
		ext2_warn(fs, "superblock: bad inode size %u", fs->inode_size);
		return -EUCLEAN;
	}
	if (fs->first_ino < EXT2_OLD_FIRST_INO || fs->first_ino > s->inodes_count) {
		ext2_warn(fs, "superblock: bad first inode %u", fs->first_ino);
		return -EUCLEAN;
	}
	if (s->inodes_per_group == 0 || s->inodes_per_group > fs->bsize * 8) {
		ext2_warn(fs, "superblock: bad count of inodes per group %u", s->inodes_per_group);
		return -EUCLEAN;
	}
	return 0;
}

static int check_block_geometry(struct ext2_fs *fs, u64 device_bytes)
{
	const struct ext2_super *s = &fs->super;

	if (s->log_block_size > 2) {
		ext2_warn(fs, "superblock: block size 2^%u is not supported",
			  10 + s->log_block_size);
		return -EINVAL;
	}
	fs->bshift = 10 + s->log_block_size;
	fs->bsize = 1u << fs->bshift;
	if (s->first_data_block != (fs->bsize == 1024 ? 1u : 0u)) {
		ext2_warn(fs, "superblock: bad first data block %u", s->first_data_block);
		return -EUCLEAN;
	}
	if (s->blocks_per_group == 0 || s->blocks_per_group > fs->bsize * 8 ||
	    s->blocks_per_group % 8) {
		ext2_warn(fs, "superblock: bad count of blocks per group %u", s->blocks_per_group);
		return -EUCLEAN;
	}
	if (s->blocks_count <= s->first_data_block) {
		ext2_warn(fs, "superblock: bad count of blocks %u", s->blocks_count);
		return -EUCLEAN;
	}
	if ((u64)s->blocks_count << fs->bshift > device_bytes) {
		ext2_warn(fs, "superblock: %u blocks of %u bytes do not fit on the device",
			  s->blocks_count, fs->bsize);
		return -EUCLEAN;
	}
	return 0;
}

static int check_counts(struct ext2_fs *fs)
{
	const struct ext2_super *s = &fs->super;

	if ((u64)fs->ngroups * s->inodes_per_group != s->inodes_count) {
		ext2_warn(fs, "superblock: %u inodes do not fill %u groups of %u", s->inodes_count,
			  fs->ngroups, s->inodes_per_group);
		return -EUCLEAN;
	}
	if (s->free_blocks_count > s->blocks_count || s->free_inodes_count > s->inodes_count ||
	    s->r_blocks_count > s->blocks_count) {
		ext2_warn(fs,
			  "superblock: counts of free or reserved blocks or inodes are impossible");
		return -EUCLEAN;
	}
	if (s->last_orphan > s->inodes_count) {
		ext2_warn(fs, "superblock: bad first orphan inode %u", s->last_orphan);
		return -EUCLEAN;
	}
	return 0;
}

/* Largest size: what triple indirection reaches, and a 32-bit count of 512-byte sectors including indirect blocks. */
static u64 largest_file(const struct ext2_fs *fs)
{
	u64 p = 1ul << fs->ptrs_shift;
	u64 blocks = EXT2_NDIR + p + p * p + p * p * p;
	u64 limit = ((1ul << 32) - 1) / fs->sectors_per_block;

	limit -= limit / p + limit / (p * p) + 4;
	return MIN(blocks, limit) << fs->bshift;
}

int ext2_check_super(struct ext2_fs *fs, u64 device_bytes)
{
	const struct ext2_super *s = &fs->super;
	int err;

	if (s->magic != EXT2_MAGIC)
		return -EINVAL;
	err = check_features(fs);
	if (err)
		return err;
	err = check_block_geometry(fs, device_bytes);
	if (err)
		return err;
	err = check_inode_geometry(fs);
	if (err)
		return err;
	fs->bpp = PAGE_SIZE >> fs->bshift;
	fs->ptrs_shift = fs->bshift - 2;
	fs->sectors_per_block = fs->bsize / 512;
	fs->ngroups =
		(u32)DIV_ROUND_UP((u64)s->blocks_count - s->first_data_block, s->blocks_per_group);
	fs->gdt_blocks = DIV_ROUND_UP(fs->ngroups, fs->bsize / (u32)sizeof(struct ext2_gdesc));
	fs->max_size = largest_file(fs);
	return check_counts(fs);
}

static bool is_power_of(u32 g, u32 base)
{
	while (g > 1 && g % base == 0)
		g /= base;
	return g == 1;
}

bool ext2_group_has_super(const struct ext2_fs *fs, u32 g)
{
	if (fs->super.rev_level == 0 || !(fs->super.feature_ro_compat & EXT2_RO_SPARSE_SUPER))
		return true;
	return g <= 1 || is_power_of(g, 3) || is_power_of(g, 5) || is_power_of(g, 7);
}

u32 ext2_group_head(const struct ext2_fs *fs, u32 g)
{
	u32 reserved = fs->super.rev_level ? fs->super.reserved_gdt_blocks : 0;

	return ext2_group_has_super(fs, g) ? 1 + fs->gdt_blocks + reserved : 0;
}

static bool overlaps(u32 a, u32 na, u32 b, u32 nb)
{
	return a < b + nb && b < a + na;
}

bool ext2_data_blocks_ok(const struct ext2_fs *fs, u32 blk, u32 n)
{
	const struct ext2_group *g;
	u32 k, start;

	if (blk < fs->super.first_data_block || blk >= fs->super.blocks_count ||
	    n > fs->super.blocks_count - blk)
		return false;
	k = ext2_group_of(fs, blk);
	g = &fs->groups[k];
	start = ext2_group_start(fs, k);
	if (blk - start + n > fs->super.blocks_per_group)
		return false;
	return !overlaps(blk, n, g->block_bitmap, 1) && !overlaps(blk, n, g->inode_bitmap, 1) &&
	       !overlaps(blk, n, g->inode_table, ext2_itable_blocks(fs)) &&
	       !overlaps(blk, n, start, ext2_group_head(fs, k));
}

/* Every piece of the group's metadata lies within the group, behind its head, and apart from the others. */
static bool group_ok(const struct ext2_fs *fs, u32 k)
{
	const struct ext2_group *g = &fs->groups[k];
	u32 n = ext2_itable_blocks(fs), first = ext2_group_start(fs, k);
	u32 end = first + ext2_group_blocks(fs, k), low = first + ext2_group_head(fs, k);

	if (low > end || g->block_bitmap < low || g->block_bitmap >= end || g->inode_bitmap < low ||
	    g->inode_bitmap >= end || g->inode_table < low || g->inode_table >= end ||
	    n > end - g->inode_table)
		return false;
	return g->block_bitmap != g->inode_bitmap &&
	       !overlaps(g->block_bitmap, 1, g->inode_table, n) &&
	       !overlaps(g->inode_bitmap, 1, g->inode_table, n);
}

static int load_group(struct ext2_fs *fs, u32 k, const struct ext2_gdesc *d)
{
	struct ext2_group *g = &fs->groups[k];

	*g = (struct ext2_group){
		.block_bitmap = d->block_bitmap,
		.inode_bitmap = d->inode_bitmap,
		.inode_table = d->inode_table,
		.free_blocks = d->free_blocks,
		.free_inodes = d->free_inodes,
		.used_dirs = d->used_dirs,
	};
	if (!group_ok(fs, k)) {
		ext2_warn(fs, "group %u: bitmaps (%u, %u) or inode table (%u) are misplaced", k,
			  d->block_bitmap, d->inode_bitmap, d->inode_table);
		return -EUCLEAN;
	}
	if (g->free_blocks > ext2_group_blocks(fs, k) ||
	    g->free_inodes > fs->super.inodes_per_group) {
		ext2_warn(fs, "group %u: impossible counts: %u free blocks, %u free inodes", k,
			  g->free_blocks, g->free_inodes);
		return -EUCLEAN;
	}
	return 0;
}

int ext2_load_groups(struct ext2_fs *fs)
{
	u32 per_block = fs->bsize / sizeof(struct ext2_gdesc), k;
	struct meta m;
	int err = 0;

	fs->groups = kmalloc(fs->ngroups * sizeof(*fs->groups), KM_ZERO);
	if (!fs->groups)
		return -ENOMEM;
	if (fs->super.first_data_block + ext2_group_head(fs, 0) > fs->super.blocks_count) {
		ext2_warn(fs, "superblock: group descriptors do not fit");
		return -EUCLEAN;
	}
	for (k = 0; k < fs->ngroups && !err; k++) {
		if (k % per_block == 0) {
			if (k)
				meta_put(&m);
			err = meta_get(fs->bdev, fs->super.first_data_block + 1 + k / per_block,
				       fs->bsize, &m);
			if (err)
				return err;
		}
		err = load_group(fs, k, (const struct ext2_gdesc *)m.data + k % per_block);
	}
	meta_put(&m);
	return err;
}
