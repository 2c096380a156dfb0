// SPDX-License-Identifier: BSD-2-Clause
/*
 * What swap areas lie on: block devices and files, found by name, claimed for as long as they are in use.
 *
 * A device is claimed like a mounted one.  A file is held, its blocks are asked for once, and it cannot be written, truncated or removed from
 * its blocks meanwhile (deny_write).  What its page cache holds is written first and dropped.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/boot/params.h"
#include "kernel/vm/swap.h"

#define SWAP_FLAG_PREFER	0x8000
#define SWAP_FLAG_PRIO_MASK	0x7fff
#define SWAP_FLAG_DISCARD	0x10000 /* all at once, and pages as they come free */
#define SWAP_FLAG_DISCARD_ONCE	0x20000 /* with it: only the former */
#define SWAP_FLAG_DISCARD_PAGES 0x40000 /* with it: only the latter */

/* As Linux has it: the one of the two finer flags hides the other, and neither means anything alone. */
static void take_flags(struct swap_spec *s, int flags)
{
	bool discard = flags & SWAP_FLAG_DISCARD, once = flags & SWAP_FLAG_DISCARD_ONCE;

	s->prio = flags & SWAP_FLAG_PREFER ? flags & SWAP_FLAG_PRIO_MASK : -1;
	s->discard_pages = discard && !once;
	s->discard_all = discard && (once || !(flags & SWAP_FLAG_DISCARD_PAGES));
}

static void release_device(struct block_dev *dev, void *owner)
{
	block_unclaim(dev, owner);
	block_drop(dev);
}

/* The device's cache is written and forgotten: mkswap may have gone through it. */
static int settle_device(struct block_dev *dev)
{
	struct vnode *vn = bdev_vnode_get(dev);
	int err;

	if (!vn)
		return -ENOMEM;
	err = bdev_sync(vn, true);
	if (!err)
		vm_object_evict(vn->object, 0, ~0UL);
	vnode_drop(vn);
	return err;
}

/* dev's reference passes on success. */
static int swapon_device(struct block_dev *dev, const char *name, int flags)
{
	struct swap_spec s = {.dev = dev, .owner = dev, .release = release_device, .name = name};
	int err;

	if (block_readonly(dev))
		return -EROFS;
	err = block_claim(dev, dev);
	if (err)
		return err;
	err = settle_device(dev);
	s.pages = block_sectors(dev) / (PAGE_SIZE / SECTOR_SIZE);
	take_flags(&s, flags);
	s.nextents = 1;
	s.extents = kmalloc(sizeof(*s.extents), 0);
	if (!err && !s.extents)
		err = -ENOMEM;
	if (!err) {
		*s.extents = (struct swap_extent){0, s.pages, 0};
		err = swap_area_add(&s);
	}
	if (err) {
		kfree(s.extents);
		block_unclaim(dev, dev);
	}
	return err;
}

/* ---- files ---- */

static void release_file(struct block_dev *dev, void *owner)
{
	struct vnode *vn = owner;

	__atomic_fetch_sub(&vn->deny_write, 1, __ATOMIC_RELEASE);
	vnode_drop(vn);
	block_drop(dev);
}

/* A run of bytes of the file: the whole pages of it that lie together on the device are one extent, or more of the last one. */
static int add_extent(struct swap_spec *s, u64 off, u64 at, u64 len)
{
	u64 slot = DIV_ROUND_UP(off, PAGE_SIZE), skip = slot * PAGE_SIZE - off;
	u64 n = len > skip ? (len - skip) / PAGE_SIZE : 0, sector = (at + skip) / SECTOR_SIZE;
	struct swap_extent *e = s->nextents ? &s->extents[s->nextents - 1] : NULL;

	if (!n)
		return 0;
	if (e && e->slot + e->n == slot && e->sector + e->n * (PAGE_SIZE / SECTOR_SIZE) == sector) {
		e->n += n;
		return 0;
	}
	if (!(s->nextents & (s->nextents - 1))) { /* a power of two: twice as many */
		e = krealloc(s->extents, MAX(s->nextents * 2, 4U) * sizeof(*e), 0);
		if (!e)
			return -ENOMEM;
		s->extents = e;
	}
	s->extents[s->nextents++] = (struct swap_extent){slot, n, sector};
	return 0;
}

static int file_extents(struct vnode *vn, struct swap_spec *s)
{
	u64 size = s->pages * PAGE_SIZE, from = 0, start = 0, run = 0;
	int err = 0;

	/* blocks that follow one another are one run, however they are told */
	while (!err && from < size) {
		u64 at, len = size - from;

		err = vn->ops->extent(vn, from, &at, &len);
		if (!err && (!at || !len)) {
			kprintf("swap: %s refused: it has a hole at %lu\n", s->name, from);
			err = -EINVAL;
		}
		if (err)
			break;
		if (run && start + run != at) {
			err = add_extent(s, from - run, start, run);
			run = 0;
		}
		if (!run)
			start = at;
		run += len;
		from += len;
	}
	return err ? err : add_extent(s, from - run, start, run);
}

static int deny_writing(struct vnode *vn)
{
	__atomic_fetch_add(&vn->deny_write, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vn->write_opens, __ATOMIC_SEQ_CST) == 0)
		return 0;
	__atomic_fetch_sub(&vn->deny_write, 1, __ATOMIC_RELEASE);
	return -ETXTBSY;
}

/* What its cache holds is on the disk, and no longer in the cache. */
static int settle_file(struct vnode *vn)
{
	int err = vm_object_clean(vn->object, 0, ~0UL, true);

	if (!err && vn->ops->fsync)
		err = vn->ops->fsync(vn, false);
	if (!err)
		vm_object_evict(vn->object, 0, ~0UL);
	return err;
}

static int swapon_file(struct vnode *vn, const char *name, int flags)
{
	struct swap_spec s = {.owner = vn, .release = release_file, .name = name, .file = true};
	int err;

	if (!vn->ops->extent || !vn->object || !vn->mount->dev)
		return -EINVAL;
	if (READ_ONCE(vn->deny_write) > 0)
		return -EBUSY;
	err = deny_writing(vn);
	if (err)
		return err;
	s.dev = vn->mount->dev;
	s.pages = READ_ONCE(vn->object->size) / PAGE_SIZE;
	take_flags(&s, flags);
	err = settle_file(vn);
	if (!err)
		err = file_extents(vn, &s);
	block_hold(s.dev);
	vnode_hold(vn);
	if (!err)
		err = swap_area_add(&s);
	if (err) {
		kfree(s.extents);
		release_file(s.dev, vn);
	}
	return err;
}

/* ---- by name ---- */

/* name: where p is from the root of all, whatever the caller called it. */
static int swapon_path(const struct path *p, const char *name, int flags)
{
	struct block_dev *dev;
	int err;

	if (is_type(path_vnode(p), S_IFREG))
		return swapon_file(path_vnode(p), name, flags);
	if (!is_type(path_vnode(p), S_IFBLK))
		return -EINVAL;
	dev = block_by_devno(path_vnode(p)->rdev);
	if (!dev)
		return -ENXIO;
	err = swapon_device(dev, name, flags);
	if (err)
		block_drop(dev);
	return err;
}

int vfs_swapon(const struct lookup_ctx *c, const char *name, int flags)
{
	struct path p;
	int err = path_lookup(c, name, LOOKUP_FOLLOW, &p);
	char *text;

	if (err)
		return err;
	text = kmalloc(PATH_MAX, 0);
	err = text ? path_string(&p, NULL, text, PATH_MAX) : -ENOMEM;
	if (err >= 0)
		err = swapon_path(&p, text, flags);
	kfree(text);
	path_put(&p);
	return err;
}

int vfs_swapoff(const struct lookup_ctx *c, const char *name)
{
	struct block_dev *dev = NULL;
	struct path p;
	int err = path_lookup(c, name, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	if (is_type(path_vnode(&p), S_IFBLK))
		dev = block_by_devno(path_vnode(&p)->rdev);
	/* the path is held meanwhile: so the vnode cannot become another's */
	err = swap_area_remove(dev ? (void *)dev : path_vnode(&p));
	if (dev)
		block_drop(dev);
	path_put(&p);
	return err;
}

static int swapon_boot(const char *name)
{
	struct block_dev *dev = block_find(name);
	char path[64];
	int err;

	if (!dev)
		return -ENODEV;
	ksnprintf(path, sizeof(path), "/dev/%s", block_name(dev)); /* where devtmpfs has it */
	err = swapon_device(dev, path, 0);
	if (err)
		block_drop(dev);
	return err;
}

/* swap= on the command line: areas by name, separated by commas. */
void vfs_swapon_boot(void)
{
	const char *at = kernel_param("swap");

	while (at && *at) {
		const char *end = strchr(at, ',');
		size_t len = end ? (size_t)(end - at) : strlen(at);
		char name[128];
		int err;

		strlcpy(name, at, MIN(len + 1, sizeof(name)));
		at = end ? end + 1 : NULL;
		err = swapon_boot(name);
		if (err)
			kprintf("swap: %s of the command line: error %d\n", name, -err);
	}
}
