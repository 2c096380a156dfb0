// SPDX-License-Identifier: BSD-2-Clause
/*
 * devtmpfs: a tmpfs that starts with a node for every device.  "devfs" is the same by another name.
 */
#include "fs/devfs/devfs.h"

#include "drivers/block/block.h"
#include "fs/tmpfs/tmpfs.h"
#include "kernel/boot/init.h"
#include "kernel/lib/errno.h"

static int add_blocks(struct mount *m)
{
	struct block_dev *d;
	int err = 0;

	for (unsigned k = 0; !err && (d = block_nth(k)); k++) {
		err = tmpfs_add_node(m, block_name(d), S_IFBLK | 0660, block_devno(d), NULL);
		block_drop(d);
	}
	return err;
}

static int add_links(struct mount *m)
{
	static const struct {
		const char *name, *target;
	} links[] = {
		{"fd", "/proc/self/fd"},
		{"stdin", "/proc/self/fd/0"},
		{"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"},
	};
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_LEN(links); i++)
		err = tmpfs_add_node(m, links[i].name, S_IFLNK | 0777, 0, links[i].target);
	return err;
}

static int devfs_mount(struct mount *m, const char *options __unused)
{
	struct char_dev *c;
	int err = tmpfs_mount(m, "mode=755");

	for (unsigned k = 0; !err && (c = chrdev_nth(k)); k++)
		err = tmpfs_add_node(m, c->name, S_IFCHR | c->mode, c->rdev, NULL);
	if (!err)
		err = add_blocks(m);
	if (!err)
		err = add_links(m);
	/* where mount points for the usual others belong */
	if (!err)
		err = tmpfs_add_node(m, "shm", S_IFDIR | 01777, 0, NULL);
	if (!err)
		err = tmpfs_add_node(m, "pts", S_IFDIR | 0755, 0, NULL);
	return err;
}

static const struct fs_type devtmpfs = {
	.name = "devtmpfs", .nodev = true, .single = true, .mount = devfs_mount, .ops = &tmpfs_ops};
static const struct fs_type devfs = {
	.name = "devfs", .nodev = true, .single = true, .mount = devfs_mount, .ops = &tmpfs_ops};

static void devfs_register(void)
{
	fs_register(&devtmpfs);
	fs_register(&devfs);
}
INITCALL(FS, devfs_register);
