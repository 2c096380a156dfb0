// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where a file's bytes lie: FIEMAP and FIBMAP, for file systems that tell (vnode_ops.extent).
 * Owns nothing.  What is told may be out of date when somebody writes; v_lock is held shared meanwhile, so that no blocks are freed.
 */
#include "fs/vfs/vfs_internal.h"

/* As in linux/fiemap.h. */
struct fiemap_head {
	u64 start, length;
	u32 flags, mapped, count, reserved;
};
struct fiemap_extent {
	u64 logical, physical, length, reserved[2];
	u32 flags, more[3];
};
BUILD_ASSERT(sizeof(struct fiemap_head) == 32);
BUILD_ASSERT(sizeof(struct fiemap_extent) == 56);

#define FIEMAP_FLAG_SYNC 1u
#define FIEMAP_FLAGS	 FIEMAP_FLAG_SYNC
#define EXTENT_LAST	 1u
#define EXTENT_MERGED	 0x1000u
#define MAX_EXTENTS	 ((UINT32_MAX - sizeof(struct fiemap_head)) / sizeof(struct fiemap_extent))
#define STEP		 (1UL << 40) /* asked of the file system at once */

#define ROOM 32 /* extents found under one hold of the lock */

/* One answer under way: pieces that follow one another on the device are one extent. */
struct extents {
	struct vnode *vn;
	u64 off, end;		/* what is still to be looked at */
	u64 uext;		/* the user's array */
	u32 count, done;	/* its room; 0: they are counted only */
	u32 n;			/* found, not yet the user's */
	struct fiemap_extent e; /* the one being put together; length 0: none */
	struct fiemap_extent found[ROOM];
};

/* The one put together is complete. False: no room for it now. */
static bool extent_out(struct extents *x)
{
	if (!x->e.length)
		return true;
	if (x->n == ROOM || (x->count && x->done + x->n == x->count))
		return false;
	x->found[x->n++] = x->e;
	x->e.length = 0;
	return true;
}

static bool extent_add(struct extents *x, u64 off, u64 at, u64 len)
{
	struct fiemap_extent *e = &x->e;

	if (e->length && e->logical + e->length == off && e->physical + e->length == at) {
		e->length += len;
		return true;
	}
	if (!extent_out(x))
		return false;
	*e = (struct fiemap_extent){
		.logical = off, .physical = at, .length = len, .flags = EXTENT_MERGED};
	return true;
}

/* v_lock held. 1: there may be more when those found are out of the way; 0: all are found. */
static int extents_find(struct extents *x)
{
	u64 size = ALIGN_UP(x->vn->object->size, PAGE_SIZE), at, len;
	int err;

	for (; x->off < size; x->off += len) {
		len = MIN(size - x->off, STEP);
		err = x->vn->ops->extent(x->vn, x->off, &at, &len);
		if (err || !len)
			return err;
		if (at && x->off >= x->end)
			break; /* something follows */
		if (at && !extent_add(x, x->off, at, len))
			return 1;
	}
	if (x->off >= size)
		x->e.flags |= EXTENT_LAST;
	return extent_out(x) ? 0 : 1;
}

static int extents_tell(struct extents *x)
{
	int r, n;

	do {
		rw_lock_read(&x->vn->v_lock);
		r = extents_find(x);
		rw_unlock_read(&x->vn->v_lock);
		n = (int)x->n;
		if (r < 0)
			return r;
		if (x->count && copy_to_user((void __user *)(x->uext + x->done * sizeof(x->e)),
					     x->found, x->n * sizeof(x->e)))
			return -EFAULT;
		x->done += x->n;
		x->n = 0;
	} while (r && n);
	return 0;
}

static int fiemap_check(const struct file *f, struct fiemap_head *h)
{
	if (!f->vnode->ops->extent || !f->vnode->object)
		return -EOPNOTSUPP;
	if (h->count > MAX_EXTENTS || !h->length)
		return -EINVAL;
	if (h->start > INT64_MAX)
		return -EFBIG;
	if (h->flags & ~FIEMAP_FLAGS) {
		h->flags &= ~FIEMAP_FLAGS;
		return -EBADR;
	}
	return 0;
}

static int fiemap_run(struct file *f, struct fiemap_head *h, u64 uext)
{
	struct extents *x;
	struct vattr a;
	int err = h->flags & FIEMAP_FLAG_SYNC ? file_fsync(f, true) : 0;

	if (!err)
		err = vfs_getattr(f->vnode, &a);
	if (err)
		return err;
	x = kzalloc(sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->vn = f->vnode;
	x->uext = uext;
	x->count = h->count;
	x->off = ALIGN_DOWN(h->start, a.blksize);
	x->end = h->length > INT64_MAX - h->start ? INT64_MAX : h->start + h->length;
	err = extents_tell(x);
	h->mapped = x->done;
	kfree(x);
	return err;
}

int file_fiemap(struct file *f, u64 uhead)
{
	struct fiemap_head h;
	int err;

	if (copy_from_user(&h, (const void __user *)uhead, sizeof(h)))
		return -EFAULT;
	h.mapped = 0;
	err = fiemap_check(f, &h);
	if (!err)
		err = fiemap_run(f, &h, uhead + sizeof(h));
	if (err && err != -EBADR)
		return err;
	return copy_to_user((void __user *)uhead, &h, sizeof(h)) ? -EFAULT : err;
}

int file_bmap(struct file *f, u32 block, u32 *out)
{
	struct vnode *vn = f->vnode;
	struct vattr a;
	u64 at = 0, off, len;
	int err;

	if (!cred_has(vfs_current_cred(), CAP_SYS_RAWIO_BIT))
		return -EPERM;
	if (!vn->ops->extent || !vn->object)
		return -EINVAL;
	err = file_fsync(f, true);
	if (!err)
		err = vfs_getattr(vn, &a);
	if (err)
		return err;
	off = (u64)block * a.blksize;
	len = a.blksize;
	rw_lock_read(&vn->v_lock);
	if (off < a.size)
		err = vn->ops->extent(vn, off, &at, &len);
	rw_unlock_read(&vn->v_lock);
	*out = (u32)(at / a.blksize);
	return err;
}
