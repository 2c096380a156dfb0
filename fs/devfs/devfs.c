// SPDX-License-Identifier: BSD-2-Clause
/*
 * devtmpfs: a tmpfs that starts with a node for every device, and with links to partitions as udev makes them (/dev/disk).  "devfs" is the
 * same by another name.
 */
#include "fs/devfs/devfs.h"

#include "drivers/block/block.h"
#include "fs/tmpfs/tmpfs.h"
#include "kernel/boot/init.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

/* As udev writes names into its links: what may mean something else is \xHH. */
static void encode(const char *text, char *to, const char *end)
{
	for (; *text && end - to > 5; text++) {
		u8 c = (u8)*text;
		bool plain = c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("#+-.:=@_", c);

		to += ksnprintf(to, end - to, plain ? "%c" : "\\x%02x", c);
	}
	*to = '\0';
}

/* A link to a partition by what its table says; of two alike the first has it. */
static int add_name(struct mount *m, const struct block_dev *d, const char *folder,
		    const char *text)
{
	char path[256], target[40];
	size_t n;
	int err;

	if (!*text || !strcmp(text, ".") || !strcmp(text, ".."))
		return 0; /* the table may come from anybody */
	n = ksnprintf(path, sizeof(path), "disk/%s/", folder);
	encode(text, path + n, path + sizeof(path));
	ksnprintf(target, sizeof(target), "../../%s", block_name(d));
	err = tmpfs_add_node(m, path, S_IFLNK | 0777, 0, target);
	return err == -EEXIST ? 0 : err;
}

static int add_block(struct mount *m, const struct block_dev *d)
{
	int err = tmpfs_add_node(m, block_name(d), S_IFBLK | 0660, block_devno(d), NULL);

	if (!err)
		err = add_name(m, d, "by-partlabel", block_label(d));
	if (!err)
		err = add_name(m, d, "by-partuuid", block_uuid(d));
	return err;
}

static int add_blocks(struct mount *m)
{
	struct block_dev *d;
	int err = 0;

	for (unsigned k = 0; !err && (d = block_nth(k)); k++) {
		err = add_block(m, d);
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
