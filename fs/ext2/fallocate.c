// SPDX-License-Identifier: BSD-2-Clause
/*
 * fallocate: punching holes, the one mode whose result ext2 can describe on the disk (it knows no unwritten blocks).
 * Locks: v_lock exclusive, by the VFS; node->lock while blocks are freed.
 */

#include "fs/ext2/ext2.h"

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

int ext2_fallocate(struct vnode *vn, int mode, u64 off, u64 len)
{
	struct ext2_node *n = ext2_node(vn);
	u64 size = ext2_size(n), end;
	int err = 0;

	if (mode != (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (len == 0 || off + len < off)
		return -EINVAL;
	if (!ext2_writable(ext2_fs(vn)))
		return -EROFS;
	end = off + len;
	/* what lies beyond the end of file is no data: whole last page */
	if (end >= size)
		end = size;
	ext2_begin_change(ext2_fs(vn));
	if (off < end)
		err = punch(n, off, end);
	ext2_end(ext2_fs(vn));
	if (!err)
		ext2_touch(n, ATTR_MTIME | ATTR_CTIME);
	return err;
}
