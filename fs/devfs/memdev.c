// SPDX-License-Identifier: BSD-2-Clause
/*
 * The devices that are no hardware: null, zero, full, random, urandom, kmsg.  Numbers as Linux gives them (Documentation/admin-guide/devices.txt).
 */
#include "fs/devfs/devfs.h"
#include "kernel/boot/init.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/random.h"
#include "kernel/lib/string.h"
#include "kernel/mem/frame.h"

static ssize_t null_read(struct file *f __unused, struct uio *u __unused, u64 *pos __unused)
{
	return 0;
}

static ssize_t null_write(struct file *f __unused, struct uio *u, u64 *pos __unused)
{
	u64 n = u->left;

	u->left = 0;
	return n;
}

static s64 null_lseek(struct file *f __unused, s64 off __unused, int whence __unused)
{
	return 0;
}

/* Repeats one page of bytes into the uio. */
static ssize_t fill_from(struct uio *u, const void *page)
{
	ssize_t done = 0;

	while (u->left) {
		size_t want = MIN(u->left, PAGE_SIZE), n = uio_to(u, page, want);

		done += n;
		if (n < want)
			return done ? done : -EFAULT;
	}
	return done;
}

static const u8 zeroes[PAGE_SIZE];

static ssize_t zero_read(struct file *f __unused, struct uio *u, u64 *pos __unused)
{
	return fill_from(u, zeroes);
}

static ssize_t full_write(struct file *f __unused, struct uio *u, u64 *pos __unused)
{
	return u->left ? -ENOSPC : 0;
}

/* A mapping of /dev/zero is anonymous memory: shared ones share it among the mappings of one open file only through fork. */
static int zero_mmap(struct file *f __unused, struct vm_object **o, u32 *max_prot)
{
	*o = vm_object_create_anon(1UL << 46);
	*max_prot = 7;
	return *o ? 0 : -ENOMEM;
}

static ssize_t random_read(struct file *f __unused, struct uio *u, u64 *pos __unused)
{
	u8 buf[256];
	ssize_t done = 0;

	while (u->left) {
		size_t want = MIN(u->left, sizeof(buf)), n;

		random_bytes(buf, want);
		n = uio_to(u, buf, want);
		done += n;
		if (n < want)
			return done ? done : -EFAULT;
	}
	return done;
}

static ssize_t random_write(struct file *f __unused, struct uio *u, u64 *pos __unused)
{
	u8 buf[256];
	ssize_t done = 0;

	while (u->left) {
		size_t want = MIN(u->left, sizeof(buf)), n = uio_from(u, buf, want);

		random_add_entropy(buf, n);
		done += n;
		if (n < want)
			return done ? done : -EFAULT;
	}
	return done;
}

/* Reading gives the messages from *pos on; writing adds one. */
static ssize_t kmsg_read(struct file *f __unused, struct uio *u, u64 *pos)
{
	char buf[512];
	size_t n;

	n = print_ring_read(pos, buf, MIN(u->left, sizeof(buf)));
	return uio_to(u, buf, n) == n ? (ssize_t)n : -EFAULT;
}

static ssize_t kmsg_write(struct file *f __unused, struct uio *u, u64 *pos __unused)
{
	char buf[512];
	u64 all = u->left;
	size_t n = MIN(all, sizeof(buf) - 1);

	if (uio_from(u, buf, n) < n)
		return -EFAULT;
	while (n && buf[n - 1] == '\n')
		n--;
	buf[n] = 0;
	kprintf("%s\n", buf);
	return all;
}

static const struct file_ops null_ops = {
	.read = null_read, .write = null_write, .lseek = null_lseek};
static const struct file_ops zero_ops = {
	.read = zero_read, .write = null_write, .lseek = null_lseek, .mmap = zero_mmap};
static const struct file_ops full_ops = {
	.read = zero_read, .write = full_write, .lseek = null_lseek};
static const struct file_ops random_ops = {
	.read = random_read, .write = random_write, .lseek = null_lseek};
static const struct file_ops kmsg_ops = {.read = kmsg_read, .write = kmsg_write};

static struct char_dev devs[] = {
	{.name = "null", .rdev = 0x103, .mode = 0666, .fops = &null_ops},
	{.name = "zero", .rdev = 0x105, .mode = 0666, .fops = &zero_ops},
	{.name = "full", .rdev = 0x107, .mode = 0666, .fops = &full_ops},
	{.name = "random", .rdev = 0x108, .mode = 0666, .fops = &random_ops},
	{.name = "urandom", .rdev = 0x109, .mode = 0666, .fops = &random_ops},
	{.name = "kmsg", .rdev = 0x10b, .mode = 0644, .fops = &kmsg_ops},
};

static void memdev_init(void)
{
	for (size_t i = 0; i < ARRAY_LEN(devs); i++)
		if (chrdev_register(&devs[i]))
			kprintf("devfs: /dev/%s was not registered\n", devs[i].name);
}
INITCALL(FS, memdev_init);
