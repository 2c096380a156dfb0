// SPDX-License-Identifier: BSD-2-Clause
/*
 * fallocate: punching holes, and giving holes blocks, which get zeros through the page cache, as ext2 knows no unwritten blocks.  Nor does
 * it know blocks beyond the end of file: KEEP_SIZE there is refused.
 * Locks: v_lock exclusive, by the VFS; the gate and node->lock while blocks are freed, the pager's while they are allocated.
 */

#include "fs/ext2/ext2.h"

#define RESERVE_PAGES 256u /* at a time */

/* Zeroes bytes [from, to) of one page, unless they are a hole. */
static int zero_in_page(struct ext2_node *n, u64 from, u64 to)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	struct ext2_extent e;
	struct frame *f;
	int err;

	if (from >= to)
		return 0;
	mutex_lock(&n->lock);
	err = ext2_map(n, from >> fs->bshift, 1, &e);
	mutex_unlock(&n->lock);
	if (err || !e.pblk)
		return err;
	err = vm_page_get(&n->vn.obj, from >> PAGE_SHIFT, VMP_WRITE | VMP_RESERVED, NULL, &f);
	if (err)
		return err;
	memset((u8 *)frame_va(f) + (from & PAGE_MASK), 0, to - from);
	vm_page_dirty(f);
	vm_page_put(f);
	return 0;
}

/* Zeroes [from, to), which covers no whole page, block by block. */
static int zero_bytes(struct ext2_node *n, u64 from, u64 to)
{
	u32 bsize = ext2_fs(&n->vn)->bsize;
	int err = 0;

	while (from < to && !err) {
		u64 next = MIN(ALIGN_DOWN(from, (u64)bsize) + bsize, to);

		err = zero_in_page(n, from, next);
		from = next;
	}
	return err;
}

/* Whole pages lose their blocks; what is left of pages at both ends becomes zero. */
static int punch(struct ext2_node *n, u64 from, u64 to)
{
	u32 bpp = ext2_fs(&n->vn)->bpp;
	u64 first = DIV_ROUND_UP(from, PAGE_SIZE), end = to >> PAGE_SHIFT;
	int err;

	if (first >= end) {
		u64 middle = MIN(ALIGN_UP(from, PAGE_SIZE), to);

		err = zero_bytes(n, from, middle);
		return err ? err : zero_bytes(n, middle, to);
	}
	err = zero_bytes(n, from, first << PAGE_SHIFT);
	if (!err)
		err = zero_bytes(n, end << PAGE_SHIFT, to);
	if (err)
		return err;
	vm_object_remove(&n->vn.obj, first, end - 1);
	mutex_lock(&n->lock);
	err = ext2_free_range(n, first * bpp, end * bpp);
	mutex_unlock(&n->lock);
	/* a fault may have read a page again while its block was still there */
	vm_object_remove(&n->vn.obj, first, end - 1);
	return err;
}

/* ---- giving blocks ---- */

/* Whether all of a page's blocks up to the size are there and hold data. */
static int is_whole(struct ext2_node *n, u64 index, u64 size, bool *whole)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	u64 lblk = index * fs->bpp, end = MIN(lblk + fs->bpp, ext2_blocks_of(fs, size));
	struct ext2_extent e;
	int err = 0;

	*whole = true;
	mutex_lock(&n->lock);
	for (; lblk < end && !err && *whole; lblk += e.len) {
		err = ext2_map(n, lblk, (u32)(end - lblk), &e);
		*whole = !err && e.pblk;
	}
	mutex_unlock(&n->lock);
	return err;
}

/* The page has blocks; what of it is new is zero, and will be written. */
static int fill_page(struct ext2_node *n, u64 index)
{
	struct frame *f;
	int err = vm_page_get(&n->vn.obj, index, VMP_WRITE, NULL, &f);

	if (err)
		return err;
	vm_page_dirty(f);
	vm_page_put(f);
	return 0;
}

/* Holes of [off, end) get zeros; end lies within the size. */
static int fill_holes(struct ext2_node *n, u64 off, u64 end)
{
	u64 index = off >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;
	bool whole;
	int err = 0;

	for (; index <= last && !err; index++) {
		err = is_whole(n, index, ext2_size(n), &whole);
		if (!err && !whole)
			err = fill_page(n, index);
		if (index % RESERVE_PAGES == 0)
			writeback_throttle(RESERVE_PAGES);
	}
	return err;
}

/* Is there room for as many blocks as [off, end) may need? */
static int check_room(const struct ext2_node *n, u64 off, u64 end)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	struct statfs64_info s;

	fs->mount->type->ops->statfs(fs->mount, &s);
	return (end - off) >> fs->bshift > (ext2_may_use_reserved(fs) ? s.bfree : s.bavail) +
						   (n->sectors / fs->sectors_per_block)
		       ? -ENOSPC
		       : 0;
}

static int allocate(struct ext2_node *n, int mode, u64 off, u64 end)
{
	u64 size = ext2_size(n);
	int err;

	if (end > ext2_fs(&n->vn)->max_size)
		return -EFBIG;
	if (end > size && (mode & FALLOC_KEEP_SIZE))
		return -EOPNOTSUPP;
	err = check_room(n, off, end);
	if (err)
		return err;
	if (end > size)
		err = n->vn.ops->setattr(&n->vn, &(struct vattr){.size = end}, ATTR_SIZE);
	if (!err)
		err = fill_holes(n, off, end);
	if (err && end > size)
		n->vn.ops->setattr(&n->vn, &(struct vattr){.size = size}, ATTR_SIZE);
	return err;
}

static int punch_hole(struct ext2_node *n, u64 off, u64 end)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	int err = 0;

	/* what lies beyond the end of file is no data: whole last page */
	end = MIN(end, ext2_size(n));
	ext2_begin_change(fs);
	if (off < end)
		err = punch(n, off, end);
	ext2_end(fs);
	return err;
}

int ext2_fallocate(struct vnode *vn, int mode, u64 off, u64 len)
{
	struct ext2_node *n = ext2_node(vn);
	int err = 0;

	if (len == 0 || off + len < off)
		return -EINVAL;
	if (mode != (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE) &&
	    (mode & ~(FALLOC_KEEP_SIZE | FALLOC_ZERO_RANGE)))
		return -EOPNOTSUPP;
	if (!ext2_writable(ext2_fs(vn)))
		return -EROFS;
	if (mode & (FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE))
		err = punch_hole(n, off, off + len);
	if (!err && !(mode & FALLOC_PUNCH_HOLE))
		err = allocate(n, mode, off, off + len);
	if (!err)
		ext2_touch(n, ATTR_MTIME | ATTR_CTIME);
	return err;
}
