// SPDX-License-Identifier: BSD-2-Clause
/*
 * Names: open, create, remove, rename, link, where the process is, mounts.  Owns nothing.  fs->lock guards cwd and root;
 * a path replaced there is let go of after the lock.
 */

#include "kernel/syscall/args.h"

/* ---- open ---- */

#define OPEN_FLAGS                                                                             \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |  \
	 O_ASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | \
	 O_PATH | O_TMPFILE)
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

/* open(2)'s flags made consistent; -EINVAL for those that contradict each other. */
static long open_flags(u32 flags)
{
	flags &= OPEN_FLAGS;
	if (flags & O_PATH)
		return flags & (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC);
	if (flags & TMPFILE_BIT) {
		if (!(flags & O_DIRECTORY) || (flags & O_CREAT) || (flags & O_ACCMODE) == O_RDONLY)
			return -EINVAL;
	} else if ((flags & O_CREAT) && (flags & O_DIRECTORY)) {
		return -EINVAL;
	}
	return flags | O_LARGEFILE;
}

static long open_at(struct at_path *a, u32 flags, u32 mode)
{
	struct fdtable *t = current_proc()->fds;
	struct file *f;
	int fd = fd_reserve(t, 0, flags & O_CLOEXEC, proc_rlimit(RLIMIT_NOFILE));
	int err;

	if (fd < 0)
		return fd;
	err = vfs_open(&a->ctx, a->path.str, flags, mode, &f);
	if (err) {
		fd_unreserve(t, fd);
		return err == -EINTR ? -ERESTARTSYS : err;
	}
	fd_install(t, fd, f);
	return fd;
}

SYSCALL4(openat, dirfd, upath, uflags, umode)
{
	long flags = open_flags((u32)uflags);
	u32 mode = flags >= 0 && (flags & (O_CREAT | TMPFILE_BIT)) ? (u32)umode & 07777 : 0;
	struct at_path a;
	long fd;

	if (flags < 0)
		return flags;
	fd = at_path_get(&a, dirfd, upath, false);
	if (fd)
		return fd;
	fd = open_at(&a, (u32)flags, mode);
	at_path_put(&a);
	return fd;
}

/* ---- make and remove ---- */

SYSCALL3(mkdirat, dirfd, upath, mode)
{
	struct at_path a;
	int err = at_path_get(&a, dirfd, upath, false);

	if (err)
		return err;
	err = vfs_mkdir(&a.ctx, a.path.str, (u32)mode & 01777);
	at_path_put(&a);
	return err;
}

static int mknod_check(u32 mode)
{
	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	case S_IFCHR:
	case S_IFBLK:
		return capable(CAP_MKNOD) ? 0 : -EPERM;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

SYSCALL4(mknodat, dirfd, upath, umode, dev)
{
	u32 mode = (u32)umode & (S_IFMT | 07777);
	struct at_path a;
	int err = mknod_check(mode);

	if (err)
		return err;
	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	err = at_path_get(&a, dirfd, upath, false);
	if (err)
		return err;
	err = vfs_mknod(&a.ctx, a.path.str, mode, (u32)dev);
	at_path_put(&a);
	return err;
}

SYSCALL3(unlinkat, dirfd, upath, flags)
{
	struct at_path a;
	int err;

	if ((u32)flags & ~AT_REMOVEDIR)
		return -EINVAL;
	err = at_path_get(&a, dirfd, upath, false);
	if (err)
		return err;
	err = vfs_unlink(&a.ctx, a.path.str, flags & AT_REMOVEDIR);
	at_path_put(&a);
	return err;
}

SYSCALL3(symlinkat, utarget, dirfd, upath)
{
	struct user_path target;
	struct at_path a;
	int err = user_path_get(&target, utarget, false);

	if (err)
		return err;
	err = at_path_get(&a, dirfd, upath, false);
	if (!err) {
		err = vfs_symlink(target.str, &a.ctx, a.path.str);
		at_path_put(&a);
	}
	user_path_put(&target);
	return err;
}

SYSCALL5(linkat, odir, opath, ndir, npath, flags)
{
	struct at_path o, n;
	int err;

	if ((u32)flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	/* an empty old path would need CAP_DAC_READ_SEARCH and a link made from a descriptor: ENOENT, as without it */
	err = at_path_get(&o, odir, opath, false);
	if (err)
		return err;
	err = at_path_get(&n, ndir, npath, false);
	if (!err) {
		err = vfs_link(&o.ctx, o.path.str, flags & AT_SYMLINK_FOLLOW, &n.ctx, n.path.str);
		at_path_put(&n);
	}
	at_path_put(&o);
	return err;
}

#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE	 2u

SYSCALL5(renameat2, odir, opath, ndir, npath, flags)
{
	struct at_path o, n;
	int err;

	if ((u32)flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    (u32)flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = at_path_get(&o, odir, opath, false);
	if (err)
		return err;
	err = at_path_get(&n, ndir, npath, false);
	if (!err) {
		err = vfs_rename(&o.ctx, o.path.str, &n.ctx, n.path.str, (u32)flags);
		at_path_put(&n);
	}
	at_path_put(&o);
	return err;
}

/* ---- readlink ---- */

static ssize_t readlink_at(struct at_path *a, char *buf, size_t size)
{
	struct path p;
	ssize_t n;
	int err;

	if (!a->path.str[0]) /* a link opened with O_PATH | O_NOFOLLOW */
		return a->file && (a->file->vnode->mode & S_IFMT) == S_IFLNK
			       ? vfs_readlink(&a->file->path, buf, size)
			       : -ENOENT;
	err = path_lookup(&a->ctx, a->path.str, 0, &p);
	if (err)
		return err;
	n = (path_vnode(&p)->mode & S_IFMT) == S_IFLNK ? vfs_readlink(&p, buf, size) : -EINVAL;
	path_put(&p);
	return n;
}

SYSCALL4(readlinkat, dirfd, upath, ubuf, size)
{
	struct at_path a;
	ssize_t n;
	char *buf;

	BUILD_ASSERT(PATH_MAX <= PAGE_SIZE);
	if ((s32)size <= 0)
		return -EINVAL;
	n = at_path_get(&a, dirfd, upath, true);
	if (n)
		return n;
	size = MIN((u64)(u32)size, (u64)PATH_MAX);
	buf = kmalloc(size, 0);
	n = buf ? readlink_at(&a, buf, size) : -ENOMEM;
	if (n > 0 && copy_to_user((void __user *)ubuf, buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
	at_path_put(&a);
	return n;
}

/* ---- where the process is ---- */

static int cwd_string(char *buf)
{
	struct fs_context *fs = current_proc()->fs;
	struct path cwd, root;
	int n;

	mutex_lock(&fs->lock);
	cwd = fs->cwd;
	root = fs->root;
	path_hold(&cwd);
	path_hold(&root);
	mutex_unlock(&fs->lock);
	n = READ_ONCE(path_vnode(&cwd)->unlinked) ? -ENOENT
						  : path_string(&cwd, &root, buf, PATH_MAX);
	path_put(&cwd);
	path_put(&root);
	return n;
}

SYSCALL2(getcwd, ubuf, size)
{
	char *buf = kmalloc(PATH_MAX, 0);
	long n;

	if (!buf)
		return -ENOMEM;
	n = cwd_string(buf);
	if (n >= 0) {
		ASSERT(n < PATH_MAX);
		n++; /* with its NUL */
		if ((u64)n > size)
			n = -ERANGE;
		else if (copy_to_user((void __user *)ubuf, buf, (size_t)n))
			n = -EFAULT;
	}
	kfree(buf);
	return n;
}

/* The caller's hold on *to goes to the context. */
static void fs_move(struct path *where, struct path *to)
{
	struct fs_context *fs = current_proc()->fs;
	struct path old;

	mutex_lock(&fs->lock);
	old = *where;
	*where = *to;
	mutex_unlock(&fs->lock);
	path_put(&old);
}

/* Looks a directory up that the process may enter: held in *out. */
static int dir_lookup(u64 upath, struct path *out)
{
	struct at_path a;
	int err = at_path_get(&a, (u64)AT_FDCWD, upath, false);

	if (err)
		return err;
	err = path_lookup(&a.ctx, a.path.str, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, out);
	if (!err) {
		err = vfs_access(path_vnode(out), a.cred, 1);
		if (err)
			path_put(out);
	}
	at_path_put(&a);
	return err;
}

SYSCALL1(chdir, upath)
{
	struct path p;
	int err = dir_lookup(upath, &p);

	if (!err)
		fs_move(&current_proc()->fs->cwd, &p);
	return err;
}

SYSCALL1(chroot, upath)
{
	struct path p;
	int err = dir_lookup(upath, &p);

	if (err)
		return err;
	if (!capable(CAP_SYS_CHROOT)) {
		path_put(&p);
		return -EPERM;
	}
	fs_move(&current_proc()->fs->root, &p);
	return 0;
}

SYSCALL1(fchdir, fd)
{
	struct file *f = file_get_any(fd);
	struct cred *c;
	struct path p;
	int err;

	if (!f)
		return -EBADF;
	err = (f->vnode->mode & S_IFMT) == S_IFDIR ? 0 : -ENOTDIR;
	if (!err) {
		c = cred_get();
		err = vfs_access(f->vnode, c, 1);
		cred_drop(c);
	}
	if (!err) {
		p = f->path;
		path_hold(&p);
		fs_move(&current_proc()->fs->cwd, &p);
	}
	file_drop(f);
	return err;
}

SYSCALL1(umask, mask)
{
	return __atomic_exchange_n(&current_proc()->fs->umask, (u32)mask & 0777, __ATOMIC_RELAXED);
}

/* ---- mounts ---- */

#define MS_MGC_VAL	0xc0ed0000u
#define MS_MGC_MSK	0xffff0000u
#define MNT_FORCE	1u
#define MNT_DETACH	2u
#define MNT_EXPIRE	4u
#define UMOUNT_NOFOLLOW 8u

/* A string of mount(2) that may be NULL: kmalloc'd, or NULL in *out. */
static int mount_string(u64 ustr, char **out)
{
	ssize_t n;

	*out = NULL;
	if (!ustr)
		return 0;
	*out = kmalloc(PAGE_SIZE, 0);
	if (!*out)
		return -ENOMEM;
	n = strncpy_from_user(*out, (const char __user *)ustr, PAGE_SIZE);
	if (n >= 0)
		return 0;
	kfree(*out);
	*out = NULL;
	return n == -ENAMETOOLONG ? -EINVAL : (int)n;
}

SYSCALL5(mount, usource, utarget, utype, uflags, udata)
{
	u32 flags = (u32)uflags;
	char *source = NULL, *type = NULL, *data = NULL;
	struct at_path a;
	int err;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~MS_MGC_MSK;
	err = mount_string(utype, &type);
	if (!err)
		err = mount_string(usource, &source);
	if (!err)
		err = mount_string(udata, &data);
	if (!err)
		err = at_path_get(&a, (u64)AT_FDCWD, utarget, false);
	if (!err) {
		err = capable(CAP_SYS_ADMIN)
			      ? vfs_mount(&a.ctx, source, a.path.str, type, flags, data)
			      : -EPERM;
		at_path_put(&a);
	}
	kfree(data);
	kfree(source);
	kfree(type);
	return err;
}

SYSCALL2(umount2, utarget, flags)
{
	struct at_path a;
	int err;

	if ((u32)flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	if ((flags & MNT_EXPIRE) && (flags & (MNT_FORCE | MNT_DETACH)))
		return -EINVAL;
	err = at_path_get(&a, (u64)AT_FDCWD, utarget, false);
	if (err)
		return err;
	err = capable(CAP_SYS_ADMIN) ? vfs_umount(&a.ctx, a.path.str, (int)flags) : -EPERM;
	at_path_put(&a);
	return err;
}

/* ---- swap areas ---- */

#define SWAP_FLAGS 0x7ffffu /* SWAP_FLAG_PREFER, a priority, and the discard flags */

static long swap_call(u64 upath, bool on, int flags)
{
	struct at_path a;
	long err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = at_path_get(&a, (u64)AT_FDCWD, upath, false);
	if (err)
		return err;
	err = on ? vfs_swapon(&a.ctx, a.path.str, flags) : vfs_swapoff(&a.ctx, a.path.str);
	at_path_put(&a);
	return err;
}

SYSCALL2(swapon, upath, flags)
{
	if ((u32)flags & ~SWAP_FLAGS)
		return -EINVAL;
	return swap_call(upath, true, (int)flags);
}

SYSCALL1(swapoff, upath)
{
	return swap_call(upath, false, 0);
}
