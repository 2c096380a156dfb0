// SPDX-License-Identifier: BSD-2-Clause
/*
 * Changing what files are: mode, owner, times, size, allocated space; getting them to the disk and their pages in and
 * out of memory.  Owns nothing; fs/vfs checks permission and takes v_lock.
 */

#include "kernel/syscall/args.h"

#define SEC_MAX (INT64_MAX / 4)

/* ---- mode and owner ---- */

static long setattr_at(u64 dirfd, u64 upath, u32 flags, const struct vattr *a, u32 which)
{
	struct vnode *vn;
	struct cred *c;
	int err = vnode_at(dirfd, upath, flags, &vn, &c);

	if (err)
		return err;
	if ((which & ATTR_MODE) && (vn->mode & S_IFMT) == S_IFLNK)
		err = -EOPNOTSUPP;
	else
		err = vfs_setattr(vn, c, a, which);
	cred_drop(c);
	vnode_drop(vn);
	return err;
}

static long setattr_fd(u64 fd, const struct vattr *a, u32 which)
{
	struct file *f = file_get(fd);
	struct cred *c;
	int err;

	if (!f)
		return -EBADF;
	c = cred_get();
	err = vfs_setattr(f->vnode, c, a, which);
	cred_drop(c);
	file_drop(f);
	return err;
}

static struct vattr attr_mode(u64 mode)
{
	return (struct vattr){.mode = (u32)mode & 07777};
}

SYSCALL2(fchmod, fd, mode)
{
	struct vattr a = attr_mode(mode);

	return setattr_fd(fd, &a, ATTR_MODE);
}

SYSCALL3(fchmodat, dirfd, upath, mode)
{
	struct vattr a = attr_mode(mode);

	return setattr_at(dirfd, upath, 0, &a, ATTR_MODE);
}

SYSCALL4(fchmodat2, dirfd, upath, mode, flags)
{
	struct vattr a = attr_mode(mode);

	if ((u32)flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return setattr_at(dirfd, upath, (u32)flags, &a, ATTR_MODE);
}

/* -1 leaves one as it is. */
static u32 attr_owner(struct vattr *a, u64 uid, u64 gid)
{
	u32 which = 0;

	*a = (struct vattr){.uid = (u32)uid, .gid = (u32)gid};
	if ((u32)uid != UINT32_MAX)
		which |= ATTR_UID;
	if ((u32)gid != UINT32_MAX)
		which |= ATTR_GID;
	return which;
}

SYSCALL3(fchown, fd, uid, gid)
{
	struct vattr a;
	u32 which = attr_owner(&a, uid, gid);

	return setattr_fd(fd, &a, which);
}

SYSCALL5(fchownat, dirfd, upath, uid, gid, flags)
{
	struct vattr a;
	u32 which = attr_owner(&a, uid, gid);

	if ((u32)flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return setattr_at(dirfd, upath, (u32)flags, &a, which);
}

/* ---- times ---- */

#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

static bool utime_valid(const struct timespec_k *t)
{
	return t->nsec == UTIME_NOW || t->nsec == UTIME_OMIT ||
	       (t->nsec >= 0 && t->nsec < (s64)NSEC_PER_SEC);
}

static bool utime_one(const struct timespec_k *t, struct timespec64 now, struct timespec64 *out)
{
	if (t->nsec == UTIME_OMIT)
		return false;
	*out = now;
	if (t->nsec != UTIME_NOW)
		*out = (struct timespec64){.sec = MIN(t->sec, (s64)SEC_MAX), .nsec = (u32)t->nsec};
	return true;
}

static u32 utime_attr(const struct timespec_k t[2], struct vattr *a)
{
	struct timespec64 now = vfs_now();
	u32 which = 0;

	*a = (struct vattr){0};
	if (utime_one(&t[0], now, &a->atime))
		which |= ATTR_ATIME;
	if (utime_one(&t[1], now, &a->mtime))
		which |= ATTR_MTIME;
	if (t[0].nsec == UTIME_NOW && t[1].nsec == UTIME_NOW)
		which |= ATTR_NOW;
	return which;
}

SYSCALL4(utimensat, dirfd, upath, utimes, flags)
{
	struct timespec_k t[2] = {{.nsec = UTIME_NOW}, {.nsec = UTIME_NOW}};
	struct vattr a;
	u32 which;

	if (utimes && copy_from_user(t, (const void __user *)utimes, sizeof(t)))
		return -EFAULT;
	if (utimes && t[0].nsec == UTIME_OMIT && t[1].nsec == UTIME_OMIT)
		return 0;
	if (!utime_valid(&t[0]) || !utime_valid(&t[1]))
		return -EINVAL;
	which = utime_attr(t, &a);
	if (!upath && (int)dirfd != AT_FDCWD)
		return flags ? -EINVAL : setattr_fd(dirfd, &a, which);
	if ((u32)flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return setattr_at(dirfd, upath, (u32)flags, &a, which);
}

/* ---- size ---- */

/* May the current process make a file this long?  Raises SIGXFSZ if not. */
static int size_limit(u64 size, u64 old)
{
	if (size <= old || size <= proc_rlimit(RLIMIT_FSIZE))
		return 0;
	signal_task(current_task(), SIGXFSZ, NULL);
	return -EFBIG;
}

static int truncate_vnode(struct vnode *vn, u64 size)
{
	struct vattr a;
	int err = vfs_getattr(vn, &a);

	if (!err)
		err = size_limit(size, a.size);
	return err ? err : vfs_truncate(vn, size);
}

static int truncate_check(struct vnode *vn, struct cred *c)
{
	u32 type = vn->mode & S_IFMT;

	if (type != S_IFREG)
		return type == S_IFDIR ? -EISDIR : -EINVAL;
	if (READ_ONCE(vn->deny_write) > 0)
		return -ETXTBSY;
	return vfs_access(vn, c, 2);
}

SYSCALL2(truncate, upath, size)
{
	struct vnode *vn;
	struct cred *c;
	int err;

	if ((s64)size < 0)
		return -EINVAL;
	err = vnode_at((u64)AT_FDCWD, upath, 0, &vn, &c);
	if (err)
		return err;
	err = truncate_check(vn, c);
	if (!err)
		err = truncate_vnode(vn, size);
	cred_drop(c);
	vnode_drop(vn);
	return err;
}

SYSCALL2(ftruncate, fd, size)
{
	struct file *f;
	int err = -EINVAL;

	if ((s64)size < 0)
		return -EINVAL;
	f = file_get(fd);
	if (!f)
		return -EBADF;
	if ((f->vnode->mode & S_IFMT) == S_IFREG && f->may_write)
		err = truncate_vnode(f->vnode, size);
	file_drop(f);
	return err;
}

#define FALLOC_FL_KEEP_SIZE  1u
#define FALLOC_FL_PUNCH_HOLE 2u
#define FALLOC_FL_ALL	     0x7fu

static int fallocate_check(const struct file *f, u32 mode, u64 off, u64 len)
{
	u32 type = f->vnode->mode & S_IFMT;

	if (mode & ~FALLOC_FL_ALL)
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (!f->may_write)
		return -EBADF;
	if (type != S_IFREG)
		return type == S_IFIFO ? -ESPIPE : type == S_IFDIR ? -EISDIR : -ENODEV;
	return (s64)(off + len) < 0 ? -EFBIG : 0;
}

SYSCALL4(fallocate, fd, mode, off, len)
{
	struct vattr a = {0};
	struct file *f;
	int err;

	if ((s64)off < 0 || (s64)len <= 0)
		return -EINVAL;
	f = file_get(fd);
	if (!f)
		return -EBADF;
	err = fallocate_check(f, (u32)mode, off, len);
	if (!err)
		err = vfs_getattr(f->vnode, &a);
	if (!err && !(mode & FALLOC_FL_KEEP_SIZE))
		err = size_limit(off + len, a.size);
	if (!err)
		err = file_fallocate(f, (int)mode, off, len);
	file_drop(f);
	return err;
}

/* ---- to the disk ---- */

SYSCALL0(sync)
{
	vfs_sync_all(true);
	return 0;
}

SYSCALL1(syncfs, fd)
{
	struct file *f = file_get(fd);
	int err;

	if (!f)
		return -EBADF;
	err = vfs_sync_all(true);
	file_drop(f);
	return err;
}

static long fsync_fd(u64 fd, bool datasync)
{
	struct file *f = file_get(fd);
	int err;

	if (!f)
		return -EBADF;
	err = file_fsync(f, datasync);
	file_drop(f);
	return err;
}

SYSCALL1(fsync, fd)
{
	return fsync_fd(fd, false);
}

SYSCALL1(fdatasync, fd)
{
	return fsync_fd(fd, true);
}

#define SYNC_WAIT_BEFORE 1u
#define SYNC_WRITE	 2u
#define SYNC_WAIT_AFTER	 4u

/* The last page of [off, off + len); len 0: to the end. */
static u64 last_page(u64 off, u64 len)
{
	u64 end;

	if (!len || __builtin_add_overflow(off, len, &end))
		return UINT64_MAX >> PAGE_SHIFT;
	return (end - 1) >> PAGE_SHIFT;
}

SYSCALL4(sync_file_range, fd, off, len, flags)
{
	struct file *f;
	u32 type;
	int err = 0;

	if ((u32)flags & ~(SYNC_WAIT_BEFORE | SYNC_WRITE | SYNC_WAIT_AFTER))
		return -EINVAL;
	if ((s64)off < 0 || (s64)len < 0 || (s64)(off + len) < 0)
		return -EINVAL;
	f = file_get(fd);
	if (!f)
		return -EBADF;
	type = f->vnode->mode & S_IFMT;
	if (type != S_IFREG && type != S_IFBLK && type != S_IFDIR && type != S_IFLNK)
		err = -ESPIPE;
	else if (flags && f->vnode->object)
		err = vm_object_clean(f->vnode->object, off >> PAGE_SHIFT, last_page(off, len),
				      flags & (SYNC_WAIT_BEFORE | SYNC_WAIT_AFTER));
	file_drop(f);
	return err;
}

/* ---- advice about pages ---- */

enum { FADV_NORMAL, FADV_RANDOM, FADV_SEQUENTIAL, FADV_WILLNEED, FADV_DONTNEED, FADV_NOREUSE };
#define RA_SEQUENTIAL 64u /* pages: twice the default */
#define WILLNEED_MAX  2048u

static void fadvise_need(struct vm_object *o, u64 off, u64 len)
{
	u64 size = READ_ONCE(o->size), first = off >> PAGE_SHIFT, last;

	if (off >= size)
		return;
	last = MIN(last_page(off, len), (size - 1) >> PAGE_SHIFT);
	if (last >= first)
		vm_object_readahead(o, first, MIN(last - first + 1, (u64)WILLNEED_MAX));
}

/* Pages that lie in the range whole; what is dirty starts on its way out, so that it can go another time. */
static void fadvise_dontneed(struct vm_object *o, u64 off, u64 len)
{
	u64 first = DIV_ROUND_UP(off, PAGE_SIZE), last = last_page(off, len);

	if (len && ((off + len) & PAGE_MASK) && off + len < READ_ONCE(o->size)) {
		if (!last)
			return;
		last--;
	}
	if (last < first)
		return;
	if (vm_object_dirty(o))
		vm_object_clean(o, first, last, false);
	vm_object_evict(o, first, last);
}

static int fadvise(struct file *f, u64 off, u64 len, u32 advice)
{
	struct vm_object *o = f->vnode->object;

	if (f->ops->stream)
		return -ESPIPE;
	if (advice > FADV_NOREUSE || (s64)len < 0)
		return -EINVAL;
	switch (advice) {
	case FADV_NORMAL:
	case FADV_SEQUENTIAL:
		f->ra.max = advice == FADV_NORMAL ? 0 : RA_SEQUENTIAL;
		break;
	case FADV_RANDOM:
		f->ra.max = UINT32_MAX;
		break;
	case FADV_WILLNEED:
		if (o)
			fadvise_need(o, off, len);
		break;
	case FADV_DONTNEED:
		if (o && o->kind == OBJ_VNODE)
			fadvise_dontneed(o, off, len);
		break;
	default:
		break;
	}
	return 0;
}

SYSCALL4(fadvise64, fd, off, len, advice)
{
	struct file *f = file_get(fd);
	int err;

	if (!f)
		return -EBADF;
	err = fadvise(f, off, len, (u32)advice);
	file_drop(f);
	return err;
}

SYSCALL3(readahead, fd, off, count)
{
	struct file *f = file_get(fd);
	u32 type;
	int err = 0;

	if (!f)
		return -EBADF;
	type = f->vnode->mode & S_IFMT;
	if (!f->may_read)
		err = -EBADF;
	else if ((type != S_IFREG && type != S_IFBLK) || !f->vnode->object)
		err = -EINVAL;
	else if (count && (s64)off >= 0)
		fadvise_need(f->vnode->object, off, count);
	file_drop(f);
	return err;
}
