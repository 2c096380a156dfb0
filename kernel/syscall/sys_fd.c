// SPDX-License-Identifier: BSD-2-Clause
/*
 * Descriptors themselves: close, dup, fcntl, ioctl, flock, pipe2, memfd_create.  Owns nothing; descriptor tables are
 * fs/vfs's (FILES).
 */

#include "kernel/syscall/args.h"

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

SYSCALL1(close, fd)
{
	int err = fd_close(current_proc()->fds, (int)fd);

	/* the descriptor is gone: a restarted close could hit another's */
	return err == -ERESTARTSYS ? -EINTR : err;
}

/* Gives the current process a descriptor table of its own. */
static int fds_unshare(void)
{
	struct process *p = current_proc();
	struct fdtable *own = fdtable_copy(p->fds), *old;
	u64 irq;

	if (!own)
		return -ENOMEM;
	irq = spin_lock_irq(&p->sig_lock);
	old = p->fds;
	p->fds = own;
	spin_unlock_irq(&p->sig_lock, irq);
	fdtable_drop(old);
	return 0;
}

SYSCALL3(close_range, first, last, flags)
{
	u32 from = (u32)first, to = (u32)last;
	struct fdtable *t;
	int err, fd;

	if (((u32)flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || from > to)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		err = current_proc()->ntasks > 1 ? -EINVAL : fds_unshare();
		if (err)
			return err;
	}
	if (from > INT32_MAX)
		return 0;
	t = current_proc()->fds;
	for (fd = fd_next(t, (int)from); fd >= 0 && (u32)fd <= to; fd = fd_next(t, fd + 1)) {
		if (flags & CLOSE_RANGE_CLOEXEC)
			fd_cloexec(t, fd, 1);
		else
			fd_close(t, fd);
	}
	return 0;
}

static long dup_from(u64 fd, int min, bool cloexec)
{
	struct fdtable *t = current_proc()->fds;
	struct file *f = file_get_any(fd);
	int n;

	if (!f)
		return -EBADF;
	n = fd_alloc(t, f, min, cloexec, proc_rlimit(RLIMIT_NOFILE));
	if (n < 0)
		file_drop(f);
	return n;
}

SYSCALL1(dup, fd)
{
	return dup_from(fd, 0, false);
}

SYSCALL3(dup3, from, to, flags)
{
	struct file *f;

	if ((u32)flags & ~O_CLOEXEC || (u32)from == (u32)to)
		return -EINVAL;
	f = file_get_any(from);
	if (!f)
		return -EBADF;
	file_drop(f);
	if ((u32)to >= proc_rlimit(RLIMIT_NOFILE))
		return -EBADF;
	return fd_dup_to(current_proc()->fds, (int)from, (int)to, flags & O_CLOEXEC,
			 proc_rlimit(RLIMIT_NOFILE));
}

/* ---- fcntl ---- */

enum {
	F_DUPFD = 0,
	F_GETFD = 1,
	F_SETFD = 2,
	F_GETFL = 3,
	F_SETFL = 4,
	F_GETLK = 5,
	F_SETLK = 6,
	F_SETLKW = 7,
	F_SETOWN = 8,
	F_GETOWN = 9,
	F_OFD_GETLK = 36,
	F_OFD_SETLK = 37,
	F_OFD_SETLKW = 38,
	F_SETLEASE = 1024,
	F_GETLEASE = 1025,
	F_CREATED_QUERY = 1028,
	F_DUPFD_CLOEXEC = 1030,
	F_SETPIPE_SZ = 1031,
	F_GETPIPE_SZ = 1032,
	F_ADD_SEALS = 1033,
	F_GET_SEALS = 1034,
};
#define F_UNLCK 2

/* What F_SETFL can change; the rest of its argument is ignored, as on Linux. */
#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC)
/* Not shown: what only open itself looks at. */
#define GETFL_HIDDEN (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

static void flags_change(struct file *f, u32 clear, u32 set)
{
	u32 old = READ_ONCE(f->flags);

	while (!__atomic_compare_exchange_n(&f->flags, &old, (old & ~clear) | set, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static long fcntl_setfl(struct file *f, u64 arg)
{
	struct cred *c;
	struct vattr a;
	int err;

	if (((arg ^ f->flags) & O_APPEND) && vnode_flags(f->vnode, FL_APPEND))
		return -EPERM;
	if ((arg & O_NOATIME) && !(f->flags & O_NOATIME)) {
		err = vfs_getattr(f->vnode, &a);
		if (err)
			return err;
		c = cred_get();
		err = c->fsuid == a.uid || cred_capable(c, CAP_FOWNER) ? 0 : -EPERM;
		cred_drop(c);
		if (err)
			return err;
	}
	if ((arg & O_DIRECT) && !(f->flags & O_DIRECT) && !file_can_be_direct(f))
		return -EINVAL;
	flags_change(f, SETFL_MASK, (u32)arg & SETFL_MASK);
	return 0;
}

static long fcntl_lock(struct file *f, int cmd, u64 arg)
{
	struct flock_k l;
	int err;

	BUILD_ASSERT(sizeof(l) == 32);
	if (copy_from_user(&l, (const void __user *)arg, sizeof(l)))
		return -EFAULT;
	if (l.type < 0 || l.type > F_UNLCK || l.whence < 0 || l.whence > 2)
		return -EINVAL;
	if (cmd >= F_OFD_GETLK && l.pid)
		return -EINVAL;
	err = file_record_lock(f, cmd, &l, current_proc()->fds, current_proc()->pid);
	if (!err && (cmd == F_GETLK || cmd == F_OFD_GETLK))
		err = copy_to_user((void __user *)arg, &l, sizeof(l));
	return err;
}

static long fcntl_dup(u64 fd, u64 min, bool cloexec)
{
	return min >= proc_rlimit(RLIMIT_NOFILE) || min > INT32_MAX
		       ? -EINVAL
		       : dup_from(fd, (int)min, cloexec);
}

/* The commands that an O_PATH descriptor allows too; -ENOSYS: not one of them. */
static long fcntl_fd(struct file *f, u64 fd, u32 cmd, u64 arg)
{
	struct fdtable *t = current_proc()->fds;
	int err;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return fcntl_dup(fd, arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_cloexec(t, (int)fd, -1);
	case F_SETFD:
		err = fd_cloexec(t, (int)fd, arg & 1);
		return err < 0 ? err : 0;
	case F_CREATED_QUERY:
		return f->created;
	case F_GETFL:
		return READ_ONCE(f->flags) & ~GETFL_HIDDEN;
	default:
		return -ENOSYS;
	}
}

static long fcntl_file(struct file *f, u32 cmd, u64 arg)
{
	if (f->flags & O_PATH)
		return -EBADF;
	switch (cmd) {
	case F_SETFL:
		return fcntl_setfl(f, arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return fcntl_lock(f, (int)cmd, arg);
	case F_SETOWN:
		WRITE_ONCE(f->owner_pid, (int)arg);
		return 0;
	case F_GETOWN:
		return READ_ONCE(f->owner_pid);
	case F_SETLEASE:
		return file_lease_set(f, (int)arg, current_proc()->pid);
	case F_GETLEASE:
		return file_lease_get(f);
	case F_SETPIPE_SZ:
		return pipe_size(f, MAX((u32)arg, 1U));
	case F_GETPIPE_SZ:
		return pipe_size(f, 0);
	case F_ADD_SEALS:
		return file_add_seals(f, (u32)arg);
	case F_GET_SEALS:
		return file_get_seals(f);
	default:
		return -EINVAL;
	}
}

SYSCALL3(fcntl, fd, cmd, arg)
{
	struct file *f = file_get_any(fd);
	long r;

	if (!f)
		return -EBADF;
	r = fcntl_fd(f, fd, (u32)cmd, arg);
	if (r == -ENOSYS)
		r = fcntl_file(f, (u32)cmd, arg);
	file_drop(f);
	return r;
}

SYSCALL2(flock, fd, op)
{
	u32 how = (u32)op & ~4u;
	struct file *f;
	int err;

	if (how != 1 && how != 2 && how != 8)
		return -EINVAL;
	f = file_get(fd);
	if (!f)
		return -EBADF;
	err = file_flock(f, (int)op);
	file_drop(f);
	return err;
}

/* ---- ioctl ---- */

#define FIONREAD      0x541bu
#define FIONBIO	      0x5421u
#define FIONCLEX      0x5450u
#define FIOCLEX	      0x5451u
#define FIOASYNC      0x5452u
#define FIOQSIZE      0x5460u
#define FIGETBSZ      2u
#define FIBMAP	      1u
#define FS_FIEMAP     0xc020660bu
#define FICLONE	      0x40049409u
#define FICLONERANGE  0x4020940du
#define FIDEDUPERANGE 0xc0189436u
#define FS_GETFLAGS   0x80086601u /* of long, they say; it is an int */
#define FS_SETFLAGS   0x40086602u

static long ioctl_flag(struct file *f, u32 flag, u64 arg)
{
	u32 on;

	if (get_user_u32(&on, (const u32 __user *)arg))
		return -EFAULT;
	flags_change(f, flag, on ? flag : 0);
	return 0;
}

static long ioctl_regular(struct file *f, u32 cmd, u64 arg)
{
	struct vattr a;
	int err = vfs_getattr(f->vnode, &a);

	if (err)
		return err;
	switch (cmd) {
	case FIONREAD:
		return put_user_u32((u32)(a.size - READ_ONCE(f->pos)), (u32 __user *)arg);
	case FIOQSIZE:
		return put_user_u64(a.size, (u64 __user *)arg);
	default:
		return put_user_u32(a.blksize, (u32 __user *)arg);
	}
}

static long ioctl_flags(struct file *f, u32 cmd, u64 arg)
{
	struct cred *c;
	u32 flags;
	int err;

	if (cmd == FS_GETFLAGS) {
		err = vfs_getflags(f->vnode, &flags);
		return err ? err : put_user_u32(flags, (u32 __user *)arg);
	}
	if (get_user_u32(&flags, (const u32 __user *)arg))
		return -EFAULT;
	c = cred_get();
	err = vfs_setflags(f->vnode, c, flags);
	cred_drop(c);
	return err;
}

static long ioctl_bmap(struct file *f, u64 arg)
{
	u32 block;
	int err;

	if (get_user_u32(&block, (const u32 __user *)arg))
		return -EFAULT;
	err = file_bmap(f, block, &block);
	return err ? err : put_user_u32(block, (u32 __user *)arg);
}

static long ioctl_file(struct file *f, u64 fd, u32 cmd, u64 arg)
{
	u32 type = f->vnode->mode & S_IFMT;
	long r;

	switch (cmd) {
	case FIOCLEX:
	case FIONCLEX:
		r = fd_cloexec(current_proc()->fds, (int)fd, cmd == FIOCLEX);
		return r < 0 ? r : 0;
	case FIONBIO:
		return ioctl_flag(f, O_NONBLOCK, arg);
	case FIOASYNC:
		return -ENOTTY;
	case FIONREAD:
	case FIOQSIZE:
	case FIGETBSZ:
		if (type == S_IFREG)
			return ioctl_regular(f, cmd, arg);
		break;
	case FIBMAP:
		if (type == S_IFREG)
			return ioctl_bmap(f, arg);
		break;
	case FS_FIEMAP:
		if (type == S_IFREG)
			return file_fiemap(f, arg);
		break;
	case FS_GETFLAGS:
	case FS_SETFLAGS:
		if (type == S_IFREG || type == S_IFDIR)
			return ioctl_flags(f, cmd, arg);
		break;
	case FICLONE:
	case FICLONERANGE:
	case FIDEDUPERANGE: /* no file system here shares blocks */
		if (type == S_IFREG)
			return -EOPNOTSUPP;
		break;
	default:
		break;
	}
	return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}

SYSCALL3(ioctl, fd, cmd, arg)
{
	struct file *f = file_get(fd);
	long r;

	if (!f)
		return -EBADF;
	r = ioctl_file(f, fd, (u32)cmd, arg);
	file_drop(f);
	return r;
}

/* ---- new ones ---- */

/* Two descriptors or none. */
static int pipe_fds(bool cloexec, u32 fds[2])
{
	struct fdtable *t = current_proc()->fds;
	u64 limit = proc_rlimit(RLIMIT_NOFILE);
	int r, w;

	r = fd_reserve(t, 0, cloexec, limit);
	if (r < 0)
		return r;
	w = fd_reserve(t, 0, cloexec, limit);
	if (w < 0) {
		fd_unreserve(t, r);
		return w;
	}
	fds[0] = (u32)r;
	fds[1] = (u32)w;
	return 0;
}

SYSCALL2(pipe2, ufds, flags)
{
	struct fdtable *t = current_proc()->fds;
	struct file *ends[2];
	struct cred *c;
	u32 fds[2];
	int err;

	if ((u32)flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	if (flags & O_DIRECT) /* packet mode */
		return -EINVAL;
	c = cred_get();
	err = pipe_create(ends, (u32)flags & O_NONBLOCK, c);
	cred_drop(c);
	if (err)
		return err;
	err = pipe_fds(flags & O_CLOEXEC, fds);
	if (!err && copy_to_user((void __user *)ufds, fds, sizeof(fds))) {
		fd_unreserve(t, (int)fds[0]);
		fd_unreserve(t, (int)fds[1]);
		err = -EFAULT;
	}
	if (err) {
		file_drop(ends[0]);
		file_drop(ends[1]);
		return err;
	}
	fd_install(t, (int)fds[0], ends[0]);
	fd_install(t, (int)fds[1], ends[1]);
	return 0;
}

#define MFD_NAME_MAX 249

SYSCALL2(memfd_create, uname, flags)
{
	char name[MFD_NAME_MAX + 1];
	struct file *f;
	struct cred *c;
	ssize_t n;

	if ((u32)flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC) ||
	    ((flags & MFD_EXEC) && (flags & MFD_NOEXEC_SEAL)))
		return -EINVAL;
	n = strncpy_from_user(name, (const char __user *)uname, sizeof(name));
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	c = cred_get();
	f = memfd_create_file(name, (u32)flags, c);
	cred_drop(c);
	return IS_ERR(f) ? PTR_ERR(f) : fd_publish(f, flags & MFD_CLOEXEC);
}
