// SPDX-License-Identifier: BSD-2-Clause
/*
 * Block devices as files, and the metadata blocks of file systems.
 *
 * Each device in use has one vnode on a mount of its own that is never in the tree.  Its object caches the device's bytes: what ext2 reads and changes as
 * metadata, and what reads and writes of /dev/vda1 see, are the same frames.  The vnode is found by device number and lives as long as somebody holds it; its
 * clean pages stay while it is cached.
 *
 * The pager moves clusters: consecutive frames are one bio, cut at the end of the device.  A device may end inside a page; what lies beyond is zero and never
 * written.
 */
#include "fs/vfs/vfs_internal.h"

struct mount *bdev_mount;

/* Field markings and the corresponding locks:
 * (c) constant
 */
struct bdev {
	struct vnode vn;
	struct block_dev *dev;	/* (c) held */
};

static struct bdev *bdev_of(struct vm_object *o)
{
	return container_of(vnode_of_object(o), struct bdev, vn);
}

static u64 dev_bytes(const struct block_dev *d)
{
	return block_sectors(d) << SECTOR_SHIFT;
}

/* ---- pager ---- */

static void fill_done(struct bio *b)
{
	for (u32 i = 0; i < b->nvecs; i++)
		vm_page_fill_end(b->vecs[i].frame, b->status);
	bio_free(b);
}

static void clean_done(struct bio *b)
{
	for (u32 i = 0; i < b->nvecs; i++)
		vm_page_clean_end(b->vecs[i].frame, b->status);
	bio_free(b);
}

static void transfer(struct vm_object *o, struct frame **frames, size_t n, enum bio_op op, u32 flags)
{
	struct bdev *bd = bdev_of(o);
	struct bio *b = bio_alloc(n, true);
	u64 at = frames[0]->index << PAGE_SHIFT, end = dev_bytes(bd->dev);

	b->dev = bd->dev;
	b->op = op;
	b->flags = flags;
	b->sector = at >> SECTOR_SHIFT;
	b->nvecs = n;
	b->done = op == BIO_READ ? fill_done : clean_done;
	for (size_t i = 0; i < n; i++, at += PAGE_SIZE) {
		b->vecs[i].frame = frames[i];
		b->vecs[i].offset = 0;
		b->vecs[i].len = MIN(PAGE_SIZE, end - at);
		/* blocks of a device always exist */
		if (op == BIO_READ)
			__atomic_fetch_or(&frames[i]->flags, FR_RESERVED, __ATOMIC_RELAXED);
	}
	bio_submit(b);
}

static void bdev_fill(struct vm_object *o, struct frame **frames, size_t n)
{
	transfer(o, frames, n, BIO_READ, BIO_SYNC);
}

static void bdev_clean(struct vm_object *o, struct frame **frames, size_t n, bool wait)
{
	transfer(o, frames, n, BIO_WRITE, wait ? BIO_SYNC : 0);
}

static const struct vm_pager_ops bdev_pager = {
	.name = "block device",
	.fill = bdev_fill,
	.clean = bdev_clean,
	.first_dirty = vnode_obj_first_dirty,
	.hold = vnode_obj_hold,
	.drop = vnode_obj_drop,
	.max_cluster = 64,
};

/* ---- vnode ---- */

static int bdev_getattr(struct vnode *vn, struct vattr *out)
{
	memset(out, 0, sizeof(*out));
	out->dev = vn->mount->devno;
	out->ino = vn->ino;
	out->rdev = vn->rdev;
	out->mode = vn->mode;
	out->nlink = 1;
	out->blksize = PAGE_SIZE;
	out->size = vn->object->size;
	return 0;
}

int bdev_sync(struct vnode *vn, bool wait)
{
	return vm_object_clean(vn->object, 0, ~0UL, wait);
}

static int bdev_fsync(struct vnode *vn, bool datasync __unused)
{
	int err = bdev_sync(vn, true), ferr = block_flush(container_of(vn, struct bdev, vn)->dev);

	return err ? err : ferr;
}

static void bdev_free(struct vnode *vn)
{
	struct bdev *bd = container_of(vn, struct bdev, vn);

	block_drop(bd->dev);
	kfree(bd);
}

static int bdev_setattr(struct vnode *vn __unused, const struct vattr *a __unused, u32 which)
{
	return which & ATTR_SIZE ? -EINVAL : 0;
}

static const struct vnode_ops bdev_vnode_ops = {
	.getattr = bdev_getattr,
	.setattr = bdev_setattr,
	.fsync = bdev_fsync,
	.free = bdev_free,
};

struct vnode *bdev_vnode_get(struct block_dev *d)
{
	struct vnode *vn = vnode_find(bdev_mount, block_devno(d)), *other;
	struct bdev *bd;

	if (vn)
		return vn;
	bd = kzalloc(sizeof(*bd));
	if (!bd)
		return NULL;
	block_hold(d);
	bd->dev = d;
	vnode_init(&bd->vn, bdev_mount, block_devno(d), S_IFBLK | 0600, &bdev_vnode_ops, &bdev_pager, dev_bytes(d));
	bd->vn.rdev = block_devno(d);
	if (vnode_insert(&bd->vn, &other) == -EEXIST) {
		block_drop(d);
		kfree(bd);
		return other;
	}
	return &bd->vn;
}

/* ---- device files ---- */

#define BLKROGET     0x125e
#define BLKGETSIZE   0x1260
#define BLKFLSBUF    0x1261
#define BLKSSZGET    0x1268
#define BLKBSZGET    0x80081270
#define BLKPBSZGET   0x127b
#define BLKGETSIZE64 0x80081272

static long bdev_ioctl(struct file *f, unsigned cmd, u64 arg)
{
	struct block_dev *d = container_of((struct vnode *)f->data, struct bdev, vn)->dev;

	switch (cmd) {
	case BLKGETSIZE64:
		return put_user_u64(dev_bytes(d), (u64 __user *)arg);
	case BLKGETSIZE:
		return put_user_u64(block_sectors(d), (u64 __user *)arg);
	case BLKSSZGET:
	case BLKPBSZGET:
		return put_user_u32(block_sector_size(d), (u32 __user *)arg);
	case BLKBSZGET:
		return put_user_u64(PAGE_SIZE, (u64 __user *)arg);
	case BLKROGET:
		return put_user_u32(block_readonly(d), (u32 __user *)arg);
	case BLKFLSBUF:
		return bdev_fsync(f->data, false);
	default:
		return -ENOTTY;
	}
}

/* Reads and writes of the node are those of the device's own vnode; a write cannot make it longer. */
static ssize_t bdev_read(struct file *f, struct uio *u, u64 *pos)
{
	return pagecache_read(f->data, &f->ra, u, pos);
}

static ssize_t bdev_write(struct file *f, struct uio *u, u64 *pos)
{
	struct vnode *vn = f->data;
	u64 size = vn->object->size;
	ssize_t n;

	if (*pos >= size)
		return u->left ? -ENOSPC : 0;
	if (u->left > size - *pos)
		u->left = size - *pos;
	rw_lock_write(&vn->v_lock);
	n = pagecache_write(vn, u, pos);
	rw_unlock_write(&vn->v_lock);
	return n;
}

static s64 bdev_lseek(struct file *f, s64 off, int whence)
{
	s64 base = whence == 0 ? 0 : whence == 1 ? (s64)f->pos : (s64)((struct vnode *)f->data)->object->size;

	if (whence < 0 || whence > 2 || base + off < 0)
		return -EINVAL;
	f->pos = base + off;
	return f->pos;
}

static int bdev_file_fsync(struct file *f, bool datasync)
{
	return bdev_fsync(f->data, datasync);
}

static int bdev_mmap(struct file *f, struct vm_object **o, u32 *max_prot)
{
	struct vnode *vn = f->data;

	vm_object_hold(vn->object);
	*o = vn->object;
	*max_prot = 7;
	return 0;
}

static void bdev_release(struct file *f)
{
	vnode_drop(f->data);
}

static const struct file_ops bdev_file_ops = {
	.read = bdev_read,
	.write = bdev_write,
	.lseek = bdev_lseek,
	.ioctl = bdev_ioctl,
	.mmap = bdev_mmap,
	.fsync = bdev_file_fsync,
	.release = bdev_release,
};

int bdev_open(struct vnode *vn, struct file *f)
{
	struct block_dev *d = block_by_devno(vn->rdev);
	struct vnode *dev;

	if (!d)
		return -ENXIO;
	if (f->may_write && block_readonly(d)) {
		block_drop(d);
		return -EROFS;
	}
	dev = bdev_vnode_get(d);
	block_drop(d);
	if (!dev)
		return -ENOMEM;
	f->ops = &bdev_file_ops;
	f->data = dev;
	return 0;
}

void bdev_init(void)
{
	bdev_mount = mount_pseudo("bdev");
	ASSERT(bdev_mount);
}

/* ---- metadata blocks ---- */

static int meta_from(struct vnode *bdev, u64 block, u32 bsize, unsigned flags, struct meta *out)
{
	u64 at = block * bsize;
	int err = vm_page_get(bdev->object, at >> PAGE_SHIFT, flags, NULL, &out->frame);

	if (err)
		return err == -ENXIO ? -EIO : err;
	out->data = (u8 *)frame_va(out->frame) + (at & PAGE_MASK);
	out->block = block;
	return 0;
}

int meta_get(struct vnode *bdev, u64 block, u32 bsize, struct meta *out)
{
	return meta_from(bdev, block, bsize, VMP_RESERVED, out);
}

int meta_get_zero(struct vnode *bdev, u64 block, u32 bsize, struct meta *out)
{
	/* only a block that is a whole page need not be read: its neighbours in the page are someone else's */
	int err = meta_from(bdev, block, bsize, bsize == PAGE_SIZE ? VMP_RESERVED | VMP_NOFILL : VMP_RESERVED, out);

	if (err)
		return err;
	memset(out->data, 0, bsize);
	if (out->frame->flags & FR_BUSY)
		vm_page_ready(out->frame, true);
	meta_dirty(out);
	return 0;
}

void meta_dirty(struct meta *m)
{
	vm_page_dirty(m->frame);
}

void meta_put(struct meta *m)
{
	vm_page_put(m->frame);
	m->frame = NULL;
	m->data = NULL;
}

void meta_forget(struct vnode *bdev, u64 block, u32 bsize)
{
	/* A page that holds nothing but the freed block is dropped, dirty or not.  With smaller blocks the page stays: what it writes over a reused
	 * block must be prevented by waiting until it is clean. */
	u64 index = block * bsize >> PAGE_SHIFT;

	if (bsize == PAGE_SIZE)
		vm_object_remove(bdev->object, index, index);
	else
		(void)vm_object_clean(bdev->object, index, index, true);
}

int meta_sync_range(struct vnode *bdev, u64 block, u64 nblocks, u32 bsize, bool wait)
{
	if (!nblocks)
		return 0;
	return vm_object_clean(bdev->object, block * bsize >> PAGE_SHIFT, ((block + nblocks) * bsize - 1) >> PAGE_SHIFT, wait);
}
