// SPDX-License-Identifier: BSD-2-Clause
/*
 * Descriptors without a file behind them.  Owns the one vnode they all share, which has no type, no name and no contents and is
 * never freed.
 */

#include "kernel/boot/init.h"
#include "kernel/syscall/anon.h"

#define ANON_INO 1

static struct vnode anon;

static int anon_getattr(struct vnode *vn, struct vattr *out)
{
	*out = (struct vattr){.ino = vn->ino, .mode = vn->mode, .nlink = 1, .blksize = PAGE_SIZE};
	return 0;
}

static void anon_free(struct vnode *vn)
{
	panic("the vnode of nameless descriptors (%lu) lost its last reference", vn->ino);
}

static const struct vnode_ops anon_ops = {
	.getattr = anon_getattr,
	.free = anon_free,
};

static void anon_init(void)
{
	vnode_init(&anon, NULL, ANON_INO, 0600, &anon_ops, NULL, 0);
}
INITCALL(FS, anon_init);

struct file *anon_file(const struct file_ops *ops, void *data, u32 flags)
{
	struct cred *c = cred_get();
	struct file *f = file_alloc(&anon, ops, flags, c);

	cred_drop(c);
	if (f)
		f->data = data;
	return f;
}

long anon_fd(const struct file_ops *ops, void *data, u32 flags)
{
	struct fdtable *t = current_proc()->fds;
	int fd = fd_reserve(t, 0, flags & O_CLOEXEC, proc_rlimit(RLIMIT_NOFILE));
	struct file *f;

	if (fd < 0)
		return fd;
	f = anon_file(ops, data, flags & ~O_CLOEXEC);
	if (!f) {
		fd_unreserve(t, fd);
		return -ENOMEM;
	}
	fd_install(t, fd, f);
	return fd;
}
