// SPDX-License-Identifier: BSD-2-Clause
/*
 * What files are: stat in its forms, statfs, access; and their extended attributes, which no file system here has.
 * Layouts are those of include/uapi/asm-generic/stat.h, statfs.h and linux/stat.h.  Owns nothing.
 */

#include "kernel/syscall/args.h"

struct stat_k {
	u64 dev, ino;
	u32 mode, nlink, uid, gid;
	u64 rdev, pad1;
	s64 size;
	s32 blksize, pad2;
	s64 blocks;
	s64 atime;
	u64 atime_nsec;
	s64 mtime;
	u64 mtime_nsec;
	s64 ctime;
	u64 ctime_nsec;
	u32 unused[2];
};
BUILD_ASSERT(sizeof(struct stat_k) == 128);

static int stat_put(const struct vattr *a, u64 ubuf)
{
	struct stat_k s = {
		.dev = a->dev,
		.ino = a->ino,
		.mode = a->mode,
		.nlink = a->nlink,
		.uid = a->uid,
		.gid = a->gid,
		.rdev = a->rdev,
		.size = (s64)a->size,
		.blksize = (s32)a->blksize,
		.blocks = (s64)a->blocks,
		.atime = a->atime.sec,
		.atime_nsec = a->atime.nsec,
		.mtime = a->mtime.sec,
		.mtime_nsec = a->mtime.nsec,
		.ctime = a->ctime.sec,
		.ctime_nsec = a->ctime.nsec,
	};

	return copy_to_user((void __user *)ubuf, &s, sizeof(s));
}

SYSCALL2(fstat, fd, ubuf)
{
	struct file *f = file_get_any(fd);
	struct vattr a;
	int err;

	if (!f)
		return -EBADF;
	err = vfs_getattr(f->vnode, &a);
	file_drop(f);
	return err ? err : stat_put(&a, ubuf);
}

static int getattr_at(u64 dirfd, u64 upath, u32 flags, struct vattr *a, bool *mount_root)
{
	struct vnode *vn;
	int err = vnode_at(dirfd, upath, flags, &vn, NULL);

	if (err)
		return err;
	err = vfs_getattr(vn, a);
	*mount_root = vn->mount && vn == vn->mount->root;
	vnode_drop(vn);
	return err;
}

SYSCALL4(newfstatat, dirfd, upath, ubuf, flags)
{
	struct vattr a;
	bool root;
	int err;

	if ((u32)flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	err = getattr_at(dirfd, upath, (u32)flags, &a, &root);
	return err ? err : stat_put(&a, ubuf);
}

/* ---- statx ---- */

struct statx_time {
	s64 sec;
	u32 nsec;
	s32 pad;
};
struct statx_k {
	u32 mask, blksize;
	u64 attributes;
	u32 nlink, uid, gid;
	u16 mode, pad0;
	u64 ino, size, blocks, attributes_mask;
	struct statx_time atime, btime, ctime, mtime;
	u32 rdev_major, rdev_minor, dev_major, dev_minor;
	u64 spare[14];
};
BUILD_ASSERT(sizeof(struct statx_k) == 256);

#define STATX_BASIC_STATS 0x7ffu
#define STATX_BTIME	  0x800u
#define STATX_RESERVED	  0x80000000u

#define STATX_ATTR_FLAGS      (FL_COMPRESSED | FL_IMMUTABLE | FL_APPEND | FL_NODUMP)
#define STATX_ATTR_MOUNT_ROOT 0x2000u

static u32 dev_major(u64 dev)
{
	return (u32)(dev >> 8) & 0xfff;
}

static u32 dev_minor(u64 dev)
{
	return ((u32)dev & 0xff) | ((u32)(dev >> 12) & 0xfff00);
}

static struct statx_time statx_time(struct timespec64 t)
{
	return (struct statx_time){.sec = t.sec, .nsec = t.nsec};
}

static int statx_put(const struct vattr *a, bool mount_root, u64 ubuf)
{
	bool has_btime = a->btime.sec || a->btime.nsec;
	struct statx_k s = {
		.mask = STATX_BASIC_STATS | (has_btime ? STATX_BTIME : 0),
		.blksize = a->blksize,
		.attributes =
			(a->flags & STATX_ATTR_FLAGS) | (mount_root ? STATX_ATTR_MOUNT_ROOT : 0),
		.attributes_mask = (a->flags_kept & STATX_ATTR_FLAGS) | STATX_ATTR_MOUNT_ROOT,
		.nlink = a->nlink,
		.uid = a->uid,
		.gid = a->gid,
		.mode = (u16)a->mode,
		.ino = a->ino,
		.size = a->size,
		.blocks = a->blocks,
		.atime = statx_time(a->atime),
		.btime = statx_time(a->btime),
		.ctime = statx_time(a->ctime),
		.mtime = statx_time(a->mtime),
		.rdev_major = dev_major(a->rdev),
		.rdev_minor = dev_minor(a->rdev),
		.dev_major = dev_major(a->dev),
		.dev_minor = dev_minor(a->dev),
	};

	return copy_to_user((void __user *)ubuf, &s, sizeof(s));
}

SYSCALL5(statx, dirfd, upath, flags, mask, ubuf)
{
	struct vattr a;
	bool root;
	int err;

	if (((u32)mask & STATX_RESERVED) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	if ((u32)flags &
	    ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	err = getattr_at(dirfd, upath, (u32)flags, &a, &root);
	return err ? err : statx_put(&a, root, ubuf);
}

/* ---- statfs ---- */

struct statfs_k {
	s64 type, bsize, blocks, bfree, bavail, files, ffree;
	u32 fsid[2];
	s64 namelen, frsize, flags, spare[4];
};
BUILD_ASSERT(sizeof(struct statfs_k) == 120);

#define PIPEFS_MAGIC 0x50495045
#define ST_VALID     0x20u

/* m NULL: a nameless file, on a file system of its own kind that nobody can mount. */
static int statfs_put(struct mount *m, u64 ubuf)
{
	struct statfs64_info i = {
		.type = PIPEFS_MAGIC, .bsize = PAGE_SIZE, .frsize = PAGE_SIZE, .namelen = 255};
	struct statfs_k s;
	int err = m ? vfs_statfs(m, &i) : 0;

	if (err)
		return err;
	s = (struct statfs_k){
		.type = (s64)i.type,
		.bsize = (s64)i.bsize,
		.blocks = (s64)i.blocks,
		.bfree = (s64)i.bfree,
		.bavail = (s64)i.bavail,
		.files = (s64)i.files,
		.ffree = (s64)i.ffree,
		.fsid = {i.fsid[0], i.fsid[1]},
		.namelen = (s64)i.namelen,
		.frsize = (s64)(i.frsize ? i.frsize : i.bsize),
		.flags = (s64)(i.flags | ST_VALID),
	};
	return copy_to_user((void __user *)ubuf, &s, sizeof(s));
}

SYSCALL2(statfs, upath, ubuf)
{
	struct vnode *vn;
	int err = vnode_at((u64)AT_FDCWD, upath, 0, &vn, NULL);

	if (err)
		return err;
	err = statfs_put(vn->mount, ubuf);
	vnode_drop(vn);
	return err;
}

SYSCALL2(fstatfs, fd, ubuf)
{
	struct file *f = file_get_any(fd);
	int err;

	if (!f)
		return -EBADF;
	err = statfs_put(f->vnode->mount, ubuf);
	file_drop(f);
	return err;
}

/* ---- access ---- */

/* access(2) asks for the real ids: a copy of c with those, or c itself (held again) when they are the same. */
static struct cred *cred_real(struct cred *c)
{
	struct cred *r;

	if (c->uid == c->fsuid && c->gid == c->fsgid) {
		cred_hold(c);
		return c;
	}
	r = cred_copy(c);
	if (!r)
		return NULL;
	r->fsuid = r->uid;
	r->fsgid = r->gid;
	r->caps = r->uid ? 0 : r->permitted;
	return r;
}

static int access_check(struct vnode *vn, struct cred *c, u32 mode, bool effective)
{
	struct cred *as = c;
	int err;

	if (!mode)
		return 0;
	if (!effective) {
		as = cred_real(c);
		if (!as)
			return -ENOMEM;
	}
	err = vfs_access(vn, as, mode);
	if (!effective)
		cred_drop(as);
	return err;
}

static long access_at(u64 dirfd, u64 upath, u32 mode, u32 flags)
{
	struct vnode *vn;
	struct cred *c;
	int err;

	if (mode & ~7u || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = vnode_at(dirfd, upath, flags, &vn, &c);
	if (err)
		return err;
	err = access_check(vn, c, mode, flags & AT_EACCESS);
	cred_drop(c);
	vnode_drop(vn);
	return err;
}

SYSCALL3(faccessat, dirfd, upath, mode)
{
	return access_at(dirfd, upath, (u32)mode, 0);
}

SYSCALL4(faccessat2, dirfd, upath, mode, flags)
{
	return access_at(dirfd, upath, (u32)mode, (u32)flags);
}

/* ---- extended attributes: the file must exist, its file system has none ---- */

static long xattr_path(u64 upath, u32 flags)
{
	struct vnode *vn;
	int err = vnode_at((u64)AT_FDCWD, upath, flags, &vn, NULL);

	if (err)
		return err;
	vnode_drop(vn);
	return -EOPNOTSUPP;
}

static long xattr_fd(u64 fd)
{
	struct file *f = file_get(fd);

	if (!f)
		return -EBADF;
	file_drop(f);
	return -EOPNOTSUPP;
}

#define XATTR_CALLS(verb)                                      \
	SYSCALL1(verb##xattr, upath)                           \
	{                                                      \
		return xattr_path(upath, 0);                   \
	}                                                      \
	SYSCALL1(l##verb##xattr, upath)                        \
	{                                                      \
		return xattr_path(upath, AT_SYMLINK_NOFOLLOW); \
	}                                                      \
	SYSCALL1(f##verb##xattr, fd)                           \
	{                                                      \
		return xattr_fd(fd);                           \
	}
XATTR_CALLS(set)
XATTR_CALLS(get)
XATTR_CALLS(list)
XATTR_CALLS(remove)
