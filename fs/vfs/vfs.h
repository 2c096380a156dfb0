/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_VFS_H
#define GNOMON_VFS_H

/*
 * Vnodes, names, mounts, open files.  File systems implement struct fs_ops and struct vnode_ops; everything above
 * (kernel/syscall, kernel/proc exec) uses the functions at the end.
 *
 * Names are cached as a tree of struct name (parent, component -> vnode or "known absent"); a path is a mount and a name. A name pins its vnode and
 * its parent name while referenced; unreferenced ones stay on an LRU until memory is wanted.
 */

#include "kernel/vm/object.h"

struct vnode;
struct mount;
struct name;
struct file;
struct poll_table;
struct block_dev;
struct path;

struct timespec64 {
	s64 sec;
	u32 nsec;
};

struct cred {
	u32 refs; /* atomic; contents constant once shared (copy to change) */
	u32 uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	u32 ngroups;
	u32 *groups;
	u64 caps; /* effective */
	u64 permitted, inheritable;
	u64 bound; /* what exec may give */
};

#define S_IFMT	 0170000
#define S_IFSOCK 0140000
#define S_IFLNK	 0120000
#define S_IFREG	 0100000
#define S_IFBLK	 0060000
#define S_IFDIR	 0040000
#define S_IFCHR	 0020000
#define S_IFIFO	 0010000
#define S_ISUID	 0004000
#define S_ISGID	 0002000
#define S_ISVTX	 0001000

#define O_ACCMODE   3
#define O_RDONLY    0
#define O_WRONLY    1
#define O_RDWR	    2
#define O_CREAT	    0100
#define O_EXCL	    0200
#define O_NOCTTY    0400
#define O_TRUNC	    01000
#define O_APPEND    02000
#define O_NONBLOCK  04000
#define O_DSYNC	    010000
#define O_ASYNC	    020000
#define O_DIRECT    040000
#define O_LARGEFILE 0100000
#define O_DIRECTORY 0200000
#define O_NOFOLLOW  0400000
#define O_NOATIME   01000000
#define O_CLOEXEC   02000000
#define O_SYNC	    04010000
#define O_PATH	    010000000
#define O_TMPFILE   020200000

/* Attributes as stat shows them. */
struct vattr {
	u64 dev, ino, rdev, size, blocks; /* blocks of 512 bytes */
	u32 mode, nlink, uid, gid, blksize;
	u32 flags,
		flags_kept; /* FL_*, and those that the file system keeps; none: it has no flags */
	struct timespec64 atime, mtime, ctime, btime;
};
/* What FS_IOC_SETFLAGS sets, with the numbers of Linux and ext2. The VFS sees to these; file systems may keep others too. */
#define FL_COMPRESSED 0x04u /* only shown */
#define FL_IMMUTABLE  0x10u
#define FL_APPEND     0x20u
#define FL_NODUMP     0x40u /* only kept */
#define FL_NOATIME    0x80u
#define ATTR_MODE     1u
#define ATTR_UID      2u
#define ATTR_GID      4u
#define ATTR_SIZE     8u
#define ATTR_ATIME    16u
#define ATTR_MTIME    32u
#define ATTR_CTIME    64u
#define ATTR_NOW \
	128u /* with ATIME/MTIME, for vfs_setattr: they are set to the present, so write permission is enough */
#define ATTR_FLAGS 256u

struct statfs64_info {
	u64 type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize, flags;
	u32 fsid[2];
};

/* readdir's sink: true = go on, false = full (this entry was not taken). type is DT_* (S_IFMT bits >> 12). next: position after this entry. */
typedef bool (*dirent_fn)(void *arg, const char *name, size_t len, u64 ino, unsigned type,
			  u64 next);

/* Where a piece of a file lies: one run on the device. */
struct direct_extent {
	struct block_dev *dev;
	u64 sector, len; /* len in bytes */
	bool hole;	 /* nowhere: reads as zero */
};
struct direct_ops {
	u32 unit;  /* what positions, lengths and addresses must be multiples of: SECTOR_SIZE */
	u32 grain; /* what is written past the cache at least, and in multiples of */
	/* the beginning of [off, off + len), multiples of unit; len may reach to the end of the size's unit. v_lock held. Sleeps */
	int (*map)(struct vnode *vn, u64 off, u64 len, struct direct_extent *out);
	/* the pager's `reserve` was called for it, and now the disk has it; NULL: does not matter. v_lock held exclusive */
	void (*written)(struct vnode *vn, u64 off, u64 len);
};

/*
 * Vnode operations.  "locked": v_lock of the directory/vnode held exclusive by the VFS on entry, unless said otherwise; names are not NUL-terminated.
 * A missing operation gives EPERM/ENOTDIR/EINVAL as Linux would.  Operations that return a vnode return it held.
 */
struct vnode_ops {
	/* dir held at least shared. -ENOENT if absent */
	int (*lookup)(struct vnode *dir, const char *name, size_t len, struct vnode **out);
	/* makes a regular file, directory, fifo, socket or device (mode & S_IFMT); target != NULL: symbolic link. owner from cred */
	int (*create)(struct vnode *dir, const char *name, size_t len, u32 mode, u64 rdev,
		      const char *target, const struct cred *cred, struct vnode **out);
	int (*link)(struct vnode *dir, const char *name, size_t len, struct vnode *target);
	/* removes the entry (dir: must be empty -> -ENOTEMPTY); vn locked too; drops its link count; blocks are freed by inactive */
	int (*unlink)(struct vnode *dir, const char *name, size_t len, struct vnode *vn);
	/* both dirs locked, and the vnodes named; target may be NULL; flags RENAME_NOREPLACE(1) RENAME_EXCHANGE(2); VFS has checked loops and types */
	int (*rename)(struct vnode *odir, const char *oname, size_t olen, struct vnode *vn,
		      struct vnode *ndir, const char *nname, size_t nlen, struct vnode *target,
		      unsigned flags);
	/* held shared; *pos is the file position; emits from there on */
	int (*readdir)(struct vnode *dir, u64 *pos, dirent_fn emit, void *arg);
	ssize_t (*readlink)(struct vnode *vn, char *buf,
			    size_t size);		     /* length, not terminated; shared */
	int (*getattr)(struct vnode *vn, struct vattr *out); /* no lock needed */
	/* VFS has checked permission; ATTR_SIZE is given only to regular files: frees or extends (calls vm_object_set_size itself in the right order) */
	int (*setattr)(struct vnode *vn, const struct vattr *a, u32 which);
	int (*fsync)(
		struct vnode *vn,
		bool datasync); /* no lock held; data and metadata reach the disk, then a device flush */
	int (*fallocate)(struct vnode *vn, int mode, u64 off, u64 len);
	/* SEEK_DATA, SEEK_HOLE from off, which is below the size: a position or -ENXIO; NULL: all is data */
	s64 (*seek)(struct vnode *vn, u64 off, bool hole);
	/* where the bytes from off on (a multiple of the block size) lie on the mount's device, at most *len: *at and *len; *at 0: nowhere, or not written yet */
	int (*extent)(struct vnode *vn, u64 off, u64 *at, u64 *len);
	/* last reference is going: free the inode if it has no links. Then vnode memory is freed by `free`. May sleep */
	void (*inactive)(struct vnode *vn);
	void (*free)(struct vnode *vn);
	/* files that are no page cache (devices, pipes, proc): */
	int (*open)(struct vnode *vn, struct file *f); /* may replace f->ops, set f->data */
	const struct direct_ops
		*direct; /* O_DIRECT; NULL: goes through the page cache, if there is one */
	/* magic symbolic links (/proc/PID/fd/N): the place they lead to, held. NULL: the text of readlink is walked */
	int (*follow)(struct vnode *vn, struct path *out);
};

/* Operations on an open file; a vnode with an object and no special ones uses the generic file_ops of pagecache.c. Buffers are user addresses
 * (or kernel ones when uio says so). */
struct uio {
	const struct iovec_k {
		u64 base, len;
	} * iov;       /* copied in, checked */
	u32 niov, cur; /* cur: the piece being worked on */
	u64 cur_off;   /* within it */
	u64 left;      /* bytes in all */
	bool kernel;   /* bases are kernel addresses */
};
/* Moves n bytes (at most left) between buf and the uio, advancing it: bytes moved (short = fault at that point). */
size_t uio_to(struct uio *u, const void *buf, size_t n); /* buf -> uio: for read */
size_t uio_from(struct uio *u, void *buf, size_t n);	 /* uio -> buf: for write */
size_t uio_to_nofault(struct uio *u, const void *buf, size_t n);
size_t uio_from_nofault(struct uio *u, void *buf, size_t n);
int uio_fault_in(
	struct uio *u, size_t n,
	bool for_write_to_user); /* next n bytes; 0 or -EFAULT if not even one is accessible */
void uio_init_kernel(struct uio *u, struct iovec_k *iov, void *buf, size_t n);

struct file_ops {
	ssize_t (*read)(struct file *f, struct uio *u, u64 *pos);
	ssize_t (*write)(struct file *f, struct uio *u, u64 *pos);
	int (*readdir)(struct file *f, u64 *pos, dirent_fn emit, void *arg); /* NULL: the vnode's */
	s64 (*lseek)(struct file *f, s64 off, int whence);		     /* NULL: generic */
	long (*ioctl)(struct file *f, unsigned cmd, u64 arg);
	u32 (*poll)(struct file *f,
		    struct poll_table *pt); /* POLLIN... ready now; NULL: always ready */
	/* the object to map (held) and what protections are possible; NULL: the vnode's object or -ENODEV */
	int (*mmap)(struct file *f, struct vm_object **o, u32 *max_prot);
	void (*mmap_done)(
		struct
		file *f); /* after each mmap that succeeded: the area is there, or will not come */
	int (*fsync)(struct file *f, bool datasync);
	void (*release)(struct file *f); /* last close */
	bool stream;			 /* no position: lseek/pread give ESPIPE */
};

/* Field markings and the corresponding locks:
 * (c) constant after creation   (v) v_lock   (a) atomic   (h) vnode hash lock   (d) dirty list lock   (f) the file system's
 * (l) VNODE_LRU   (n) the name cache's
 */
struct vnode {
	u32 refs;	     /* (a) */
	u32 mode;	     /* (v) type bits constant */
	u32 flags;	     /* (v) FL_IMMUTABLE, FL_APPEND: those that the VFS asks for often */
	u64 ino;	     /* (c) */
	u64 rdev;	     /* (c) devices */
	struct mount *mount; /* (c) NULL for pipes and other nameless ones */
	const struct vnode_ops *ops; /* (c) */
	const struct file_ops *fops; /* (c) NULL: generic */
	struct rwlock v_lock;	     /* (c) contents and attributes */
	struct vm_object *object;    /* (c) page cache: &obj, an anon object (tmpfs), or NULL */
	struct vm_object obj;	     /* (c) embedded object of page-cached files (see object.h) */
	struct rb_node hash_node;    /* (h) in mount->vnodes by ino */
	struct list dirty_link;	     /* (d) mount's dirty list: has dirty pages or attributes */
	bool attr_dirty;	     /* (f) */
	bool in_hash;		     /* (h) */
	bool unlinked; /* (a) the last link is gone: not cached after the last reference */
	bool dynamic; /* (c) directory whose names change by themselves (procfs): they are not cached */
	struct list lru_link; /* (l) unreferenced ones, oldest first */
	u64 dirty_since;      /* (d) time_now() when it came on the dirty list */
	u64 time_tick;	      /* (v) coarse time that a write last stored as mtime; 0: unknown */
	void *data;	      /* (f) */
	struct name *fifo_or_mnt; /* (v) reserved for vfs */
	struct name *dir_name;	  /* (n) a directory's name in the cache; NULL: none */
	void *pipe;		  /* (v) fifos: fs/vfs/pipe.c */
	void *locks;		  /* (v) flock and record locks: fs/vfs/flock.c */
	void *leases;		  /* (a) fs/vfs/lease.c */
	u32 opens;		  /* (a) open files, of regular ones */
	u32 write_opens;	  /* (a) descriptors open for writing (ETXTBSY) */
	s32 deny_write;		  /* (a) running as a program */
};

struct fs_type {
	const char *name; /* "ext2" */
	bool nodev;
	bool single; /* there is only one of it: twice on the same place is -EBUSY */
	/* mounts dev (held by the mount; NULL for nodev) with options text; on success m->root (held) and m->data are set. -EINVAL (not this kind), -EUCLEAN, -EIO... */
	int (*mount)(struct mount *m, const char *options);
	const struct fs_ops *ops;
};
struct fs_ops {
	int (*unmount)(struct mount *m); /* everything is written; nobody uses it */
	int (*sync)(struct mount *m,
		    bool wait); /* superblock and metadata; vfs has written dirty vnodes */
	int (*statfs)(struct mount *m, struct statfs64_info *out);
	int (*remount)(struct mount *m, u32 flags, const char *options);
	int (*write_attr)(struct vnode *vn,
			  bool wait); /* an attr_dirty vnode's inode into the metadata cache */
};

#define MS_RDONLY      1u
#define MS_NOSUID      2u
#define MS_NODEV       4u
#define MS_NOEXEC      8u
#define MS_SYNCHRONOUS 16u
#define MS_REMOUNT     32u
#define MS_NOATIME     1024u
#define MS_NODIRATIME  2048u
#define MS_RELATIME    (1u << 21)

/* Field markings and the corresponding locks:
 * (c) constant while mounted   (m) LOCK_MOUNT   (h) hash lock   (d) dirty lock   (a) atomic   (f) the file system's
 */
struct mount {
	const struct fs_type *type; /* (c) */
	struct block_dev *dev;	    /* (c) */
	struct vnode *bdev_vnode;   /* (c) the device's page cache: metadata lives there */
	struct vnode *root;	    /* (c) */
	struct name *root_name;	    /* (c) */
	struct mount *parent;	    /* (m) */
	struct name *covers;	    /* (m) where it is mounted */
	u32 flags;		    /* (m) MS_* */
	u64 devno;		    /* (c) st_dev */
	u32 refs;		    /* (a) */
	void *data;		    /* (f) */
	struct rb_tree vnodes;	    /* (h) by inode number */
	struct spinlock hash_lock;  /* (c) LOCK_VNODE_HASH */
	struct list dirty;	    /* (d) vnodes to write */
	struct spinlock dirty_lock; /* (c) LOCK_DIRTY_LIST */
	struct mutex rename_lock;   /* (c) LOCK_RENAME */
	struct list link;	    /* (m) all mounts */
	struct list children;	    /* (m) */
	struct list child_link;	    /* (m) */
	char source[64];	    /* (c) for /proc/mounts */
	u32 readonly_by_error;	    /* (a) */
	bool failing;		    /* (a) the last pass met pages that could not be written */
	u32 evicting;		    /* (a) vnodes that are being destroyed for want of memory */
	char options[32]; /* (m) the file system's, for /proc/mounts: "" or ",errors=continue" */
};

struct path {
	struct mount *mount;
	struct name *name;
};

/* Field markings and the corresponding locks:
 * (c) constant while open   (p) pos_lock   (a) atomic   (d) the owner's of data
 */
struct file {
	u32 refs;		    /* (a) */
	u32 flags;		    /* (a) O_* as fcntl shows */
	struct vnode *vnode;	    /* (c) held */
	struct path path;	    /* (c) held; name NULL for nameless (pipe, memfd) */
	const struct file_ops *ops; /* (c) */
	struct mutex pos_lock;	    /* (c) */
	u64 pos;		    /* (p) */
	struct vm_readahead ra;	    /* (p) hints; races harmless */
	void *data;		    /* (d) */
	struct cred *cred;	    /* (c) opener's */
	bool may_read, may_write;   /* (c) */
	bool created;		    /* (c) this open made the file */
	bool counted;		    /* (c) in vnode->opens */
	bool lock_held;		    /* (a) flock or record locks may exist */
	bool accessed;		    /* (a) the access time was looked after since it was opened */
	u32 errors_seen;	    /* (a) of the object's failed writes: vm_object_error_mark */
	int owner_pid;		    /* (a) F_SETOWN */
	void *epoll; /* (a) epolls watch it: file_drop's last calls file_epoll_release before ops->release */
};

/* ---- for file systems ---- */
void fs_register(const struct fs_type *t);
/* Vnode cache: find by number (held) or NULL; insert a fresh one (refs = 1) after the fs filled it; -EEXIST: somebody was faster, *other is held. */
struct vnode *vnode_find(struct mount *m, u64 ino);
int vnode_insert(struct vnode *vn, struct vnode **other);
/* Sets up the VFS part of a vnode embedded in a file system's own inode struct. pager NULL: no page cache. */
void vnode_init(struct vnode *vn, struct mount *m, u64 ino, u32 mode, const struct vnode_ops *ops,
		const struct vm_pager_ops *pager, u64 size);
void vnode_hold(struct vnode *vn);
/* Sleeps. After the last one it stays cached in the hash, unless it has no links (getattr says) or memory is wanted: then ops->inactive, vm_object_fini
 * of the embedded object and ops->free are called, in this order. */
void vnode_drop(struct vnode *vn);
void vnode_mark_attr_dirty(
	struct
	vnode *vn); /* puts it on the mount's dirty list; any context without spin locks above DIRTY_LIST */
/* pager ops helpers: first_dirty, hold, drop for objects embedded in vnodes */
void vnode_obj_first_dirty(struct vm_object *o);
void vnode_obj_hold(struct vm_object *o);
void vnode_obj_drop(struct vm_object *o);
static inline struct vnode *vnode_of_object(struct vm_object *o)
{
	return container_of(o, struct vnode, obj);
}
extern const struct file_ops pagecache_file_ops, directory_file_ops;
/* pagecache_write with a say in it: `may` is asked under v_lock how much of [at, at + n) may be written, or gives -errno. */
ssize_t pagecache_write_if(struct file *f, struct uio *u, u64 *pos,
			   ssize_t (*may)(struct vnode *vn, u64 at, u64 n));
ssize_t pagecache_write(struct file *f, struct uio *u,
			u64 *pos); /* for file systems that look at it first */
#define FALLOC_KEEP_SIZE  1
#define FALLOC_PUNCH_HOLE 2
#define FALLOC_ZERO_RANGE 16
/* fallocate on a file of anonymous memory, v_lock held exclusive: allocates or punches holes. */
int anon_fallocate(struct vm_object *o, int mode, u64 off, u64 len);
/* Metadata blocks of a mounted device: the page cache of its bdev vnode. */
struct meta {
	struct frame *frame;
	void *data;   /* the block's bytes */
	u64 block;    /* number, in blocks of the size given */
	u32 nsectors; /* 512-byte pieces of it */
};
int meta_get(struct vnode *bdev, u64 block, u32 bsize,
	     struct meta *out); /* reads if needed; -EIO; sleeps */
int meta_get_zero(
	struct vnode *bdev, u64 block, u32 bsize,
	struct
	meta *out); /* a new block: not read, zeroed (when it is a whole page or else read-modify) */
void meta_dirty(struct meta *m);
void meta_put(struct meta *m);
/* Forgets cached dirty state of freed blocks. */
void meta_forget(struct vnode *bdev, u64 block, u32 bsize);
/* What is cached is newer than the device and cannot be written: the next meta_get reads. */
void meta_lose(struct vnode *bdev, u64 block, u32 bsize);
int meta_sync_range(struct vnode *bdev, u64 block, u64 nblocks, u32 bsize, bool wait);
struct vnode *bdev_vnode_get(struct block_dev *d); /* held; NULL: no memory */
struct timespec64 vfs_now(void);
/* Pages were dirtied: sleeps while too much is dirty. v_lock may be held, nothing that write-back needs. */
void writeback_throttle(size_t pages);
/* Too much memory is held by what could not be written, and the mount has part in it: no more writes. */
bool writeback_hopeless(const struct mount *m);

/* Start-up, in this order, once slab and frames are up, by one thread; each may sleep. */
void vfs_init(void);		/* before any file system */
void vfs_start_writeback(void); /* the write-back thread, once threads run */
/* Frees up to n cached names, vnodes and their pages' memory when memory is wanted: how many. Sleeps; no locks held. */
size_t vfs_shrink(size_t n);
/* drop_caches: 1 clean pages of all cached files, 2 names and vnodes. Sleeps. */
/* /proc/sys/vm/dirty_*: percent of memory above which everything is written, and above which writers wait; centiseconds after which what is dirty is
 * written, and between passes. Any may be changed at any time. */
extern struct vfs_writeback_limits {
	u32 background, most, age, period;
} vfs_writeback;
void vfs_drop_caches(unsigned what);
const struct fs_type *vfs_type_nth(unsigned k); /* for /proc/filesystems; NULL past the end */
u64 vfs_mount_events(void);			/* counts changes of the mount table */

/* ---- for kernel/syscall and kernel/proc ---- */
struct fs_context { /* cwd, root, umask: shared with CLONE_FS */
	u32 refs;
	struct mutex lock;
	struct path root, cwd;
	u32 umask; /* applied by vfs_open, vfs_mkdir, vfs_mknod */
};
struct fs_context *fs_context_copy(struct fs_context *f); /* NULL: no memory */
void fs_context_drop(struct fs_context *f);

#define LOOKUP_FOLLOW	 1u /* a final symbolic link is followed */
#define LOOKUP_DIRECTORY 2u
#define LOOKUP_EMPTY	 4u /* AT_EMPTY_PATH */
/* Where relative paths start and who asks. */
struct lookup_ctx {
	struct fs_context *fs;
	const struct cred *cred;
	struct file *at; /* dirfd's file or NULL = cwd */
};
int path_lookup(const struct lookup_ctx *c, const char *path, unsigned flags,
		struct path *out); /* out held */
void path_hold(const struct path *p);
void path_put(struct path *p);
struct vnode *path_vnode(const struct path *p); /* not held: lives as long as the path */
int path_string(const struct path *p, const struct path *root, char *buf,
		size_t size); /* length or -ENAMETOOLONG; absolute */
int vfs_open(const struct lookup_ctx *c, const char *path, u32 flags, u32 mode, struct file **out);
int vfs_mkdir(const struct lookup_ctx *c, const char *path, u32 mode);
int vfs_mknod(const struct lookup_ctx *c, const char *path, u32 mode, u64 rdev);
int vfs_unlink(const struct lookup_ctx *c, const char *path, bool rmdir);
int vfs_rename(const struct lookup_ctx *oc, const char *op, const struct lookup_ctx *nc,
	       const char *np, unsigned flags);
int vfs_link(const struct lookup_ctx *oc, const char *op, bool follow, const struct lookup_ctx *nc,
	     const char *np);
int vfs_symlink(const char *target, const struct lookup_ctx *c, const char *path);
ssize_t vfs_readlink(const struct path *p, char *buf, size_t size);
int vfs_getattr(struct vnode *vn, struct vattr *out);
int vfs_setattr(struct vnode *vn, const struct cred *c, const struct vattr *a,
		u32 which); /* checks permission */
int vfs_truncate(struct vnode *vn, u64 size);
/* FL_*: -ENOTTY: the file system has none; -EPERM, -EROFS, -EOPNOTSUPP: ones that it cannot keep. Sleeps. */
int vfs_getflags(struct vnode *vn, u32 *flags);
int vfs_setflags(struct vnode *vn, const struct cred *c, u32 flags);
static inline bool vnode_flags(const struct vnode *vn, u32 any)
{
	return READ_ONCE(vn->flags) & any;
}
int vfs_access(struct vnode *vn, const struct cred *c,
	       unsigned rwx); /* 4 2 1; 0 or -EACCES/-EROFS */
int vfs_statfs(struct mount *m, struct statfs64_info *out);
int vfs_mount(const struct lookup_ctx *c, const char *source, const char *target, const char *type,
	      u32 flags, const char *options);
int vfs_umount(const struct lookup_ctx *c, const char *target, int flags);
int vfs_mount_root(const char *source, const char *fstype,
		   u32 flags);		   /* kernel_main: "/dev/vda1"; NULL type: tries all */
struct fs_context *vfs_root_context(void); /* at the root, for pid 1; NULL */
int vfs_swapon(const struct lookup_ctx *c, const char *name, int flags);
int vfs_swapoff(const struct lookup_ctx *c, const char *name);
void vfs_swapon_boot(void); /* areas named by swap= */
int vfs_sync_all(bool wait);
int vfs_unmount_all(void); /* power off: writes everything, marks file systems clean */
/* k-th mount as a line of /proc/mounts, without the newline; false past the end. */
bool vfs_mount_info(unsigned k, const struct path *root, char *buf, size_t size);

struct file *file_alloc(struct vnode *vn, const struct file_ops *ops, u32 flags,
			const struct cred *cred); /* holds vn; refs 1; NULL */
void file_hold(struct file *f);
/* May it have O_DIRECT? The file is open. */
bool file_can_be_direct(const struct file *f);
void file_drop(struct file *f); /* sleeps; last: release */
extern void (*file_epoll_release)(
	struct file *f); /* set by kernel/syscall/epoll.c; called when f->epoll is not NULL */
ssize_t file_read(struct file *f, struct uio *u,
		  u64 *pos); /* checks mode; pos NULL = f->pos under pos_lock */
ssize_t file_write(struct file *f, struct uio *u,
		   u64 *pos); /* honours O_APPEND, O_SYNC, RLIMIT_FSIZE given by fsize hook */
s64 file_lseek(struct file *f, s64 off, int whence);
int file_fsync(struct file *f, bool datasync);
int file_readdir(struct file *f, dirent_fn emit, void *arg);
ssize_t file_read_kernel(struct file *f, void *buf, size_t n, u64 pos); /* exec, firmware */
int pipe_create(struct file *out[2], u32 flags, const struct cred *cred);
/* Limits under /proc/sys/fs: bytes of one pipe, frames of all pipes of a user (0: no limit). May be changed at any time. */
extern struct pipe_limits {
	u32 size, soft, hard;
} pipe_limits;
long pipe_size(
	struct file *f,
	u64 set); /* F_GETPIPE_SZ (set = 0) and F_SETPIPE_SZ: bytes; -EBADF: not a pipe, -EBUSY, -EPERM, -ENOMEM */
/* For splice and tee.  Bytes there are to read (0: end of file) or may be written now; waits for one at least unless nonblock: -EAGAIN,
 * -EPIPE with SIGPIPE, -ERESTARTSYS.  The number may be out of date when somebody else uses the pipe too. */
bool file_is_pipe(const struct file *f);
ssize_t pipe_wait_bytes(struct file *f, bool nonblock);
ssize_t pipe_wait_room(struct file *f, bool nonblock);
/* Copies up to len bytes of in to out, which stay in `in`: bytes, 0 at end of file, or as above. */
ssize_t pipe_tee(struct file *in, struct file *out, u64 len, bool nonblock);
/* flock(2): op as given, LOCK_SH 1, LOCK_EX 2, LOCK_NB 4, LOCK_UN 8 (checked). 0, -EAGAIN, -ERESTARTSYS */
int file_flock(struct file *f, int op);
/* fcntl(2) record locks: cmd is F_GETLK.. F_SETLKW (5-7) or the OFD ones (36-38); type F_RDLCK 0, F_WRLCK 1, F_UNLCK 2.
 * The owner of the POSIX ones is `owner` (a descriptor table), shown as pid. -EINVAL, -EAGAIN, -EBADF (mode), -EDEADLK, -ERESTARTSYS */
struct flock_k { /* riscv64's struct flock */
	s16 type, whence;
	u32 pad;
	s64 start, len;
	s32 pid;
	u32 pad2;
};
int file_record_lock(struct file *f, int cmd, struct flock_k *l, void *owner, s32 pid);
/* Leases: type F_RDLCK, F_WRLCK or F_UNLCK; pid is told when it is to be given up. -EAGAIN, -EACCES, -EINVAL, -ENOMEM */
int file_lease_set(struct file *f, int type, s32 pid);
int file_lease_get(struct file *f);
int file_fallocate(struct file *f, int mode, u64 off,
		   u64 len); /* arguments checked; -EOPNOTSUPP: a mode or file system that cannot */
/* ioctls that tell where a file lies, arguments as they have them. Sleep. -EOPNOTSUPP (FIBMAP -EINVAL): the file system does not tell. */
int file_fiemap(struct file *f, u64 uhead);
int file_bmap(struct file *f, u32 block, u32 *out);
int file_mmap(struct file *f, struct vm_object **o, u32 *max_prot); /* o held */
void file_mmap_done(struct file *f); /* once for each file_mmap that gave 0 */
int file_path(
	struct file *f, struct
	path *out); /* where it was opened, held; makes up a name for nameless files ("pipe:[7]") */
struct file *memfd_create_file(const char *name, u32 flags /* MFD_* */, const struct cred *cred);
#define MFD_CLOEXEC	  1u
#define MFD_ALLOW_SEALING 2u
#define MFD_NOEXEC_SEAL	  8u
#define MFD_EXEC	  16u
/* fcntl F_ADD_SEALS and F_GET_SEALS: the seals, 0, or -errno (-EINVAL: not a file of anonymous memory). */
int file_add_seals(struct file *f, u32 seals);
int file_get_seals(struct file *f); /* or ERR_PTR */

/* Descriptor tables: RCU-free: lookups take the table's spin lock briefly and hold the file. */
struct fdtable;
struct fdtable *fdtable_create(void);
struct fdtable *fdtable_copy(struct fdtable *t);
void fdtable_hold(struct fdtable *t);
void fdtable_drop(struct fdtable *t);
void fdtable_close_exec(struct fdtable *t);
int fd_alloc(struct fdtable *t, struct file *f, int min, bool cloexec,
	     u64 limit); /* takes over one hold on success; -EMFILE */
int fd_reserve(struct fdtable *t, int min, bool cloexec, u64 limit); /* number without a file yet */
void fd_install(struct fdtable *t, int fd, struct file *f);
void fd_unreserve(struct fdtable *t, int fd);
struct file *fd_get(struct fdtable *t, int fd); /* held; NULL = EBADF */
int fd_close(struct fdtable *t, int fd);
int fd_dup_to(struct fdtable *t, int from, int to, bool cloexec, u64 limit);
int fd_cloexec(struct fdtable *t, int fd, int set /* -1: ask */);
int fd_next(struct fdtable *t,
	    int from); /* next open descriptor >= from, or -1: for /proc/PID/fd */

/* poll: an ops->poll calls poll_wait for each queue that may make it ready. */
#include "kernel/sync/waitq.h"
#define POLLIN	   1u
#define POLLPRI	   2u
#define POLLOUT	   4u
#define POLLERR	   8u
#define POLLHUP	   16u
#define POLLNVAL   32u
#define POLLRDNORM 64u
#define POLLWRNORM 256u
#define POLLRDHUP  0x2000u
/* A poll table stands on wait queues for somebody: a thread (poll_table_create, below: this struct is its first member), or an
 * epoll (kernel/syscall/epoll.c).  NULL: nobody wants to wait. */
struct poll_table {
	void (*stand)(struct poll_table *pt, struct waitq *q);
};
static inline void poll_wait(struct poll_table *pt, struct waitq *q)
{
	if (pt)
		pt->stand(pt, q);
}
u32 file_poll(struct file *f, struct poll_table *pt);
/* Waits until fn's scan finds something: used by poll/select syscalls. */
struct poll_table *poll_table_create(void);
void poll_table_free(struct poll_table *pt);
void poll_table_reset(struct poll_table *pt);		  /* leaves all queues */
int poll_table_wait(struct poll_table *pt, u64 deadline); /* 0 woken, -ETIMEDOUT, -EINTR, -ENOMEM */

/* Character devices: registered by number; devfs shows them. */
struct char_dev {
	const char *name; /* "null", "ttyS0", "pts/0" */
	u64 rdev;
	u32 mode;
	const struct file_ops *fops;
	int (*open)(struct vnode *vn, struct file *f); /* may be NULL */
	void *data;
	struct list link;
};
int chrdev_register(struct char_dev *d);
struct char_dev *chrdev_find(u64 rdev);
struct char_dev *chrdev_next(u64 rdev); /* the first with a number >= rdev; NULL */
void chrdev_set_listener(
	void (*fn)(struct char_dev *d)); /* told of each one registered from now on; may sleep */
static inline u64 makedev(u32 major, u32 minor)
{
	return ((u64)(major & 0xfff) << 8) | (minor & 0xff) | ((u64)(minor & ~0xffu) << 12);
}

/* ---- procfs: files are registered by what knows the facts (kernel/proc, mem...), text is generated on open/read ---- */
struct seq { /* growing text buffer */
	char *buf;
	size_t len, size;
	int err;
};
void seq_printf(struct seq *s, const char *fmt, ...) __printf(2, 3);
void seq_write(struct seq *s, const void *p, size_t n);
/* "/proc/NAME" or "/proc/sys/vm/NAME": show writes the text; store (may be NULL) gets what was written (NUL-terminated). */
int procfs_file(const char *path, u32 mode, int (*show)(struct seq *s, void *arg),
		ssize_t (*store)(const char *text, size_t n, void *arg), void *arg);
/* Processes' part, given by kernel/proc: */
struct procfs_pid_file {
	const char *name; /* "maps"; directories "fd", "task" are handled by hooks below */
	u32 mode;
	int (*show)(struct seq *s, s32 pid); /* -ESRCH if gone */
	ssize_t (*store)(s32 pid, const char *text, size_t n);
	int (*readlink)(s32 pid, char *buf, size_t size); /* symbolic links: exe, cwd, root */
	ssize_t (*read)(s32 pid, u64 pos, struct uio *u); /* binary (mem, pagemap) */
};
struct procfs_hooks {
	const struct procfs_pid_file *files;
	size_t nfiles;
	s32 (*next_pid)(s32 from); /* smallest pid >= from, -1: none */
	bool (*pid_exists)(s32 pid);
	s32 (*self)(void);
	s32 (*self_tid)(void);
	s32 (*next_tid)(s32 pid, s32 from);
	int (*next_fd)(s32 pid, int from);
	struct file *(*get_fd)(s32 pid, int fd); /* held */
	void (*owner)(s32 pid, u32 *uid, u32 *gid);
};
void procfs_set_hooks(const struct procfs_hooks *h);

/* What vfs must know of the current task, set once by kernel/proc. */
struct vfs_hooks {
	u64 (*fsize_limit)(void);	  /* RLIMIT_FSIZE */
	void (*raise)(int sig);		  /* to current: SIGPIPE, SIGXFSZ */
	void (*signal)(s32 pid, int sig); /* to a process, if there is one; sleeps */
	const struct cred *(*cred)(void); /* current's, not held */
};
void vfs_set_hooks(const struct vfs_hooks *h);
/* The running thread's credentials through that hook, not held; NULL: none (kernel thread, or no hook yet). */
const struct cred *vfs_current_cred(void);

#endif
