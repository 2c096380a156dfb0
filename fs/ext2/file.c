// SPDX-License-Identifier: BSD-2-Clause
/*
 * Attributes, size, symbolic links' text, fsync; and the tables of operations.
 * Shrinking: pages first, then blocks, so that no transfer is under way to a block that is free.  The rest of the last block
 * becomes zero on the disk too, or it would come back when the file grows.
 * Locks: v_lock by the VFS (none for getattr and fsync), the gate for sizes, node->lock for the map, times_lock for times.
 */

#include "drivers/block/block.h"
#include "fs/ext2/ext2.h"

static int ext2_getattr(struct vnode *vn, struct vattr *out)
{
	struct ext2_node *n = ext2_node(vn);

	memset(out, 0, sizeof(*out));
	out->dev = vn->mount->devno;
	out->ino = vn->ino;
	out->rdev = vn->rdev;
	out->size = ext2_size(n);
	out->blocks = READ_ONCE(n->sectors);
	out->mode = READ_ONCE(vn->mode);
	out->nlink = READ_ONCE(n->nlink);
	out->uid = READ_ONCE(n->uid);
	out->gid = READ_ONCE(n->gid);
	out->blksize = ext2_fs(vn)->bsize;
	out->flags = READ_ONCE(n->flags) & EXT2_FL_VISIBLE;
	out->flags_kept = EXT2_FL_VISIBLE;
	spin_lock(&n->times_lock);
	out->atime = n->atime;
	out->mtime = n->mtime;
	out->ctime = n->ctime;
	out->btime = n->btime;
	spin_unlock(&n->times_lock);
	return 0;
}

/* Does the block that holds byte pos exist? 1, 0 or an error. */
static int is_mapped(struct ext2_node *n, u64 pos)
{
	struct ext2_extent e;
	int err;

	mutex_lock(&n->lock);
	err = ext2_map(n, pos >> ext2_fs(&n->vn)->bshift, 1, &e);
	mutex_unlock(&n->lock);
	return err ? err : e.pblk != 0;
}

/* Cuts the pages; the last one's tail gets zero, and reaches the disk that way. */
static int cut_pages(struct ext2_node *n, u64 size)
{
	struct vm_object *o = &n->vn.obj;
	struct frame *f = NULL;
	int r = 0;

	if (size & (ext2_fs(&n->vn)->bsize - 1))
		r = is_mapped(n, size);
	if (r > 0)
		r = vm_page_get(o, size >> PAGE_SHIFT, VMP_WRITE | VMP_RESERVED, NULL, &f);
	if (r < 0)
		return r;
	vm_object_set_size(o, size);
	if (f) {
		memset((u8 *)frame_va(f) + (size & PAGE_MASK), 0, PAGE_SIZE - (size & PAGE_MASK));
		vm_page_dirty(f);
		vm_page_put(f);
	}
	if (!(size & PAGE_MASK) || vm_page_get(o, size >> PAGE_SHIFT, VMP_NOWAIT, NULL, &f))
		return 0;
	/* a transfer of its blocks beyond the new end may be under way */
	vm_page_wait_clean(f);
	vm_page_put(f);
	ext2_unreserve_page(n, size >> PAGE_SHIFT);
	return 0;
}

static int shrink(struct ext2_node *n, u64 size)
{
	int err = cut_pages(n, size);

	if (err)
		return err;
	mutex_lock(&n->lock);
	err = ext2_free_range(n, ext2_blocks_of(ext2_fs(&n->vn), size), UINT32_MAX);
	n->past_end = 0;
	mutex_unlock(&n->lock);
	return err;
}

static int extend(struct ext2_node *n, u64 size)
{
	u64 old = ext2_size(n);

	if (READ_ONCE(n->past_end)) {
		mutex_lock(&n->lock);
		ext2_trim(n);
		mutex_unlock(&n->lock);
	}
	if (old & PAGE_MASK && ext2_fs(&n->vn)->bpp > 1)
		ext2_unreserve_page(n, old >> PAGE_SHIFT);
	vm_object_set_size(&n->vn.obj, size);
	return 0;
}

static int set_size(struct ext2_node *n, u64 size)
{
	u64 old = ext2_size(n);
	int err = 0;

	if (size > ext2_fs(&n->vn)->max_size)
		return -EFBIG;
	if (size < old)
		err = shrink(n, size);
	else if (size > old)
		err = extend(n, size);
	if (!err)
		ext2_touch(n, ATTR_MTIME | ATTR_CTIME);
	return err;
}

static void set_times(struct ext2_node *n, const struct vattr *a, u32 which)
{
	spin_lock(&n->times_lock);
	if (which & ATTR_ATIME)
		n->atime = a->atime;
	if (which & ATTR_MTIME)
		n->mtime = a->mtime;
	if (which & ATTR_CTIME)
		n->ctime = a->ctime;
	spin_unlock(&n->times_lock);
}

static int ext2_setattr(struct vnode *vn, const struct vattr *a, u32 which)
{
	struct ext2_node *n = ext2_node(vn);
	int err;

	if (!ext2_writable(ext2_fs(vn)))
		return -EROFS;
	if (which & ATTR_SIZE) {
		if ((vn->mode & S_IFMT) != S_IFREG)
			return -EINVAL;
		ext2_begin_change(ext2_fs(vn));
		err = set_size(n, a->size);
		ext2_end(ext2_fs(vn));
		if (err)
			return err;
	}
	if (which & ATTR_MODE)
		vn->mode = (vn->mode & S_IFMT) | (a->mode & 07777);
	if (which & ATTR_UID)
		n->uid = a->uid;
	if (which & ATTR_GID)
		n->gid = a->gid;
	if (which & ATTR_FLAGS)
		n->flags = (n->flags & ~EXT2_FL_CHANGEABLE) | (a->flags & EXT2_FL_CHANGEABLE);
	set_times(n, a, which);
	if ((which & (ATTR_MODE | ATTR_UID | ATTR_GID)) && !(which & ATTR_CTIME))
		ext2_touch(n, ATTR_CTIME);
	ext2_mark_dirty(ext2_node(vn));
	return 0;
}

static ssize_t ext2_readlink(struct vnode *vn, char *buf, size_t size)
{
	struct ext2_node *n = ext2_node(vn);
	size_t len = (size_t)MIN(ext2_size(n), (u64)size);
	struct frame *f;
	int err;

	if (ext2_is_fast_link(n)) {
		memcpy(buf, n->block, MIN(len, sizeof(n->block)));
		return (ssize_t)MIN(len, sizeof(n->block));
	}
	err = vm_page_get(&vn->obj, 0, 0, NULL, &f);
	if (err)
		return err;
	memcpy(buf, frame_va(f), len);
	vm_page_put(f);
	return (ssize_t)len;
}

/* Blocks beyond the end of file would make e2fsck move the end. */
static void trim(struct ext2_node *n)
{
	if (!READ_ONCE(n->past_end))
		return;
	rw_lock_read(&n->vn.v_lock);
	ext2_begin(ext2_fs(&n->vn));
	mutex_lock(&n->lock);
	ext2_trim(n);
	mutex_unlock(&n->lock);
	ext2_end(ext2_fs(&n->vn));
	if (ext2_fs(&n->vn)->bpp > 1)
		ext2_unreserve_page(n, ext2_size(n) >> PAGE_SHIFT);
	rw_unlock_read(&n->vn.v_lock);
}

/* Data, then what is needed to find them again, then the device's own cache. */
static int ext2_fsync(struct vnode *vn, bool datasync)
{
	struct ext2_node *n = ext2_node(vn);
	struct ext2_fs *fs = ext2_fs(vn);
	int err = 0, err2 = 0;

	(void)datasync;
	if (!READ_ONCE(fs->writable))
		return 0;
	if (vn->object)
		err = vm_object_clean(vn->object, 0, ~0ul, true);
	trim(n);
	if (n->nlink && READ_ONCE(vn->attr_dirty))
		ext2_dirty_list(n);
	if (n->nlink && (READ_ONCE(vn->attr_dirty) || ext2_is_under_way(fs, n)))
		err2 = ext2_commit(fs);
	if (!err2)
		err2 = block_flush(vn->mount->dev);
	return err ? err : err2;
}

/* Blocks that exist are data: also those that were never written, which a write is about to fill. */
static s64 ext2_seek(struct vnode *vn, u64 off, bool hole)
{
	struct ext2_node *n = ext2_node(vn);
	u32 shift = ext2_fs(vn)->bshift;
	u64 size = ext2_size(n), lblk;
	struct ext2_extent e;
	int err = 0;

	mutex_lock(&n->lock);
	for (lblk = off >> shift; lblk << shift < size; lblk += e.len) {
		err = ext2_map(n, lblk, UINT32_MAX / 2, &e);
		if (err || hole == !e.pblk)
			break;
	}
	mutex_unlock(&n->lock);
	if (err)
		return err;
	if (lblk << shift >= size)
		return hole ? (s64)size : -ENXIO;
	return (s64)MAX(off, lblk << shift);
}

static int ext2_extent_of(struct vnode *vn, u64 off, u64 *at, u64 *len)
{
	struct ext2_node *n = ext2_node(vn);
	struct ext2_fs *fs = ext2_fs(vn);
	u32 size = fs->sectors_per_block * SECTOR_SIZE;
	u32 max = (u32)MIN(*len / size, 1UL << 20);
	bool unwritten = false;
	struct ext2_extent e;
	int err;

	mutex_lock(&n->lock);
	if (n->unwritten.count)
		max = ext2_unwritten_run(n, off / size, max, &unwritten);
	err = ext2_map(n, off / size, max, &e);
	mutex_unlock(&n->lock);
	*at = err || unwritten ? 0 : (u64)e.pblk * size;
	*len = err ? 0 : (u64)e.len * size;
	return err;
}

/* ---- O_DIRECT ---- */

static int direct_map(struct vnode *vn, u64 off, u64 len, struct direct_extent *out)
{
	struct ext2_node *n = ext2_node(vn);
	struct ext2_fs *fs = ext2_fs(vn);
	u64 lblk = off >> fs->bshift, in_block = off & (fs->bsize - 1);
	u32 max = (u32)ext2_blocks_of(fs, in_block + len);
	bool unwritten = false;
	struct ext2_extent e;
	int err;

	mutex_lock(&n->lock);
	if (n->unwritten.count && !rw_held_write(&vn->v_lock))
		max = ext2_unwritten_run(n, lblk, max, &unwritten);
	err = ext2_map(n, lblk, max, &e);
	mutex_unlock(&n->lock);
	if (err)
		return err;
	out->dev = vn->mount->dev;
	out->hole = unwritten || !e.pblk;
	out->sector = (u64)e.pblk * fs->sectors_per_block + in_block / SECTOR_SIZE;
	out->len = MIN(len, ((u64)e.len << fs->bshift) - in_block);
	return 0;
}

static void direct_written(struct vnode *vn, u64 off, u64 len)
{
	struct ext2_node *n = ext2_node(vn);
	u32 shift = ext2_fs(vn)->bshift;

	mutex_lock(&n->lock);
	ext2_unwritten_clear(n, off >> shift, (off + len) >> shift);
	mutex_unlock(&n->lock);
}

/* Whole pages: what `reserve` gives is written at once, and nothing of it stays behind. */
static const struct direct_ops ext2_direct = {
	.unit = SECTOR_SIZE,
	.grain = PAGE_SIZE,
	.map = direct_map,
	.written = direct_written,
};

const struct vnode_ops ext2_file_ops = {
	.direct = &ext2_direct,
	.seek = ext2_seek,
	.getattr = ext2_getattr,
	.setattr = ext2_setattr,
	.extent = ext2_extent_of,
	.fsync = ext2_fsync,
	.fallocate = ext2_fallocate,
	.inactive = ext2_inactive,
	.free = ext2_free_vnode,
};

const struct vnode_ops ext2_dir_ops = {
	.lookup = ext2_lookup,
	.create = ext2_create,
	.link = ext2_link,
	.unlink = ext2_unlink,
	.rename = ext2_rename,
	.readdir = ext2_readdir,
	.getattr = ext2_getattr,
	.setattr = ext2_setattr,
	.fsync = ext2_fsync,
	.inactive = ext2_inactive,
	.free = ext2_free_vnode,
};

const struct vnode_ops ext2_link_ops = {
	.readlink = ext2_readlink,
	.getattr = ext2_getattr,
	.setattr = ext2_setattr,
	.fsync = ext2_fsync,
	.inactive = ext2_inactive,
	.free = ext2_free_vnode,
};

const struct vnode_ops ext2_special_ops = {
	.getattr = ext2_getattr,
	.setattr = ext2_setattr,
	.fsync = ext2_fsync,
	.inactive = ext2_inactive,
	.free = ext2_free_vnode,
};
