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

#define SWAP_FLAG_PREFER    0x8000
#define SWAP_FLAG_PRIO_MASK 0x7fff

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
static int swapon_device(struct block_dev *dev, const char *name, s32 prio)
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
	s.prio = prio;
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

int vfs_swapon(const struct lookup_ctx *c, const char *name, int flags)
{
	s32 prio = flags & SWAP_FLAG_PREFER ? flags & SWAP_FLAG_PRIO_MASK : -1;
	struct block_dev *dev;
	struct path p;
	int err = path_lookup(c, name, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	if (!is_type(path_vnode(&p), S_IFBLK)) {
		path_put(&p);
		return -EINVAL;
	}
	dev = block_by_devno(path_vnode(&p)->rdev);
	path_put(&p);
	if (!dev)
		return -ENXIO;
	err = swapon_device(dev, name, prio);
	if (err)
		block_drop(dev);
	return err;
}

int vfs_swapoff(const struct lookup_ctx *c, const char *name)
{
	struct block_dev *dev;
	struct path p;
	int err = path_lookup(c, name, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	dev = is_type(path_vnode(&p), S_IFBLK) ? block_by_devno(path_vnode(&p)->rdev) : NULL;
	path_put(&p);
	if (!dev)
		return -EINVAL;
	err = swap_area_remove(dev);
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
		struct block_dev *dev;
		char name[128];
		int err = -ENODEV;

		strlcpy(name, at, MIN(len + 1, sizeof(name)));
		at = end ? end + 1 : NULL;
		dev = block_find(name);
		if (dev)
			err = swapon_device(dev, name, -1);
		if (err)
			kprintf("swap: %s of the command line: error %d\n", name, -err);
		if (err && dev)
			block_drop(dev);
	}
}
