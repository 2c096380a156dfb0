/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_VFS_INTERNAL_H
#define GNOMON_VFS_INTERNAL_H

/* What the files of fs/vfs share among themselves and with nobody else. */

#include "drivers/block/block.h"
#include "fs/vfs/vfs.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/list.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/uaccess.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"

#define PATH_MAX		4096
#define NAME_MAX		255
#define MAX_LINKS		40 /* symbolic links in one walk */
#define VFS_SIGXFSZ		25
#define VFS_SIGPIPE		13
#define CAP_DAC_OVERRIDE_BIT	(1UL << 1)
#define CAP_DAC_READ_SEARCH_BIT (1UL << 2)
#define CAP_FOWNER_BIT		(1UL << 3)
#define CAP_FSETID_BIT		(1UL << 4)
#define CAP_CHOWN_BIT		(1UL << 0)
#define CAP_MKNOD_BIT		(1UL << 27)
#define CAP_LEASE_BIT		(1UL << 28)
#define CAP_LINUX_IMMUTABLE_BIT (1UL << 9)
#define CAP_SYS_RAWIO_BIT	(1UL << 17)
#define CAP_SYS_ADMIN_BIT	(1UL << 21)
#define CAP_SYS_RESOURCE_BIT	(1UL << 24)

static inline bool is_type(const struct vnode *vn, u32 type)
{
	return (vn->mode & S_IFMT) == type;
}
static inline bool is_dir(const struct vnode *vn)
{
	return is_type(vn, S_IFDIR);
}
static inline bool is_link(const struct vnode *vn)
{
	return is_type(vn, S_IFLNK);
}
static inline bool is_dot(const char *s, size_t len)
{
	return len == 1 && s[0] == '.';
}
static inline bool is_dotdot(const char *s, size_t len)
{
	return len == 2 && s[0] == '.' && s[1] == '.';
}

/* ---- name.c ---- */

#define NAME_INLINE 32

/* Field markings and the corresponding locks:
 * (c) constant after creation   (a) atomic   (n) the name cache's lock (NAMECACHE)   (d) constant once not NULL
 */
struct name {
	u32 refs;     /* (a) users and cached children; 0: on the LRU. From 0 only under (n) */
	u32 hash;     /* (n) */
	u16 len;      /* (n) */
	bool hashed;  /* (n) found by lookups */
	bool deleted; /* (n) its entry was removed: shown so in paths */
	struct mount *mount;	 /* (c) */
	struct name *parent;	 /* (n) held; itself for a root */
	struct vnode *vnode;	 /* (d) held; NULL: known to be absent */
	struct mount *covered;	 /* (n) what is mounted on it */
	struct list hash_link;	 /* (n) */
	struct list lru;	 /* (n) */
	struct list children;	 /* (n) every name whose parent this is */
	struct list child_link;	 /* (n) in the parent's children */
	char *text;		 /* (n) not terminated; `small` or kmalloc'ed */
	char small[NAME_INLINE]; /* (n) */
};

void name_init(void);
void name_hold(struct name *n);
void name_drop(struct name *n); /* sleeps */
/* A root or nameless one (text may be NULL): not hashed, its own parent. Takes over the hold of vn on success. NULL: no memory. */
struct name *name_create_root(struct mount *m, struct vnode *vn, const char *text);
/*
 * The name `text` in the directory: from the cache, or asked of the file system.  A negative one has vnode NULL. Held.
 * locked: the directory's v_lock is held by the caller.  -EIO..., -ENOMEM, -ENAMETOOLONG. Sleeps.
 */
int name_lookup(struct name *dir, const char *text, size_t len, bool locked, struct name **out);
/* A negative name becomes positive; takes over the hold of vn. Directory locked exclusive. */
void name_instantiate(struct name *n, struct vnode *vn);
/* The entry is gone: no lookup finds it any more. Directory locked exclusive. */
void name_unhash(struct name *n, bool deleted);
/* The entry moves over `to` (positive or negative), which disappears; `to` is unhashed. Directories locked exclusive, nothing can fail. */
void name_move(struct name *from, struct name *to);
void name_exchange(struct name *a, struct name *b);
struct name *name_parent(struct name *n);		      /* held */
bool name_is_below(struct name *n, const struct name *above); /* n == above counts */
struct mount *name_covered(struct name *n);	  /* what is mounted there, held; NULL */
bool name_cover(struct name *n, struct mount *m); /* false: already covered, or deleted */
/* m->refs is `expect`: takes m off the name it covers. false: somebody uses it. */
bool name_uncover(struct mount *m, u32 expect, bool force);
struct name *name_covers(struct mount *m,
			 struct mount **parent); /* where m is mounted, both held; NULL: root */
bool name_deleted(struct name *n);
size_t name_shrink(size_t n);		   /* frees up to n unreferenced ones; sleeps */
size_t name_shrink_mount(struct mount *m); /* all unreferenced ones of m */
void name_trim(void);			   /* keeps the cache within bounds; sleeps, no locks */
void name_stats(u64 *total, u64 *unused);

/* ---- vnode.c ---- */
void vnode_cache_init(void);
size_t vnode_shrink(size_t n);
void vnode_trim(
	u64 limit); /* lets no more than that many unreferenced ones accumulate; may sleep */
/* Every vnode of m that nobody uses, written and freed. True: none is left but the root. */
bool vnode_purge_mount(struct mount *m);
void vnode_wait_evicted(
	struct mount *m); /* until nobody destroys a vnode of it for want of memory */
/* Says what of the mount's files could not be written; discard: and gives it up, when nobody uses the mount any more. */
void vnode_report_unwritten(struct mount *m, bool discard);
void mount_init_vnodes(struct mount *m);
void vnode_note_unlinked(
	struct vnode *vn); /* after unlink or rename: asks whether links are left */
void vnode_each(struct mount *m, void (*fn)(struct vnode *vn, void *arg),
		void *arg); /* each cached one, held meanwhile; sleeps */

/* ---- lookup.c ---- */

/* One walk along a path. Fields belong to the walking thread. */
struct walk {
	const struct lookup_ctx *c;
	struct path root; /* held */
	struct path cur;  /* held: where we are */
	const char *p;	  /* what is left */
	char *text;	  /* owned: p points into it after a symbolic link */
	const char *last; /* last component, not walked */
	size_t len;	  /* of last; 0: there is none ("/") */
	bool slash;	  /* something like a slash follows last */
	unsigned links;
};
int walk_start(struct walk *w, const struct lookup_ctx *c, const char *path);
int walk_parent(struct walk *w); /* to the directory of the last component */
/* last is a symbolic link with this name (held by the caller): its text becomes what is left. */
int walk_link(struct walk *w, struct name *link);
int walk_last(struct walk *w, unsigned flags); /* into the last component */
void walk_end(struct walk *w);
/* walk_start and walk_parent; on error nothing is held. */
int walk_to_parent(struct walk *w, const struct lookup_ctx *c, const char *path);
int file_path(struct file *f, struct path *out); /* held; makes up a name for nameless files */
bool path_same(const struct path *a, const struct path *b);

/* ---- attr.c ---- */
bool cred_has(const struct cred *c, u64 cap);
bool cred_in_group(const struct cred *c, u32 gid);
bool mount_readonly(const struct mount *m);
int may_change_dir(struct vnode *dir,
		   const struct cred *c); /* entries may be added: 0, -EROFS, -EACCES */
/* dir/vn may be removed or renamed: also the sticky bit. */
int may_delete(struct vnode *dir, struct vnode *vn, const struct cred *c);
bool vattr_needs_atime(const struct mount *m, const struct vattr *a, struct timespec64 now);
void vfs_touch_atime(struct vnode *vn);
bool vfs_atime_is_strict(
	const struct mount *m);	      /* each access counts, not only the first of an open file */
int vfs_clear_suid(struct vnode *vn); /* v_lock held: before contents change */
extern struct vfs_hooks vfs_hooks;
static inline bool vnode_owner_or_capable(const struct vattr *a, const struct cred *c)
{
	return c->fsuid == a->uid || cred_has(c, CAP_FOWNER_BIT);
}

/* ---- mount.c ---- */
extern struct mutex mount_lock;
void mount_table_init(void);
void mount_hold(struct mount *m);
void mount_put(struct mount *m);
bool mount_root_path(struct path *out);			/* held; false: nothing is mounted */
struct mount *mount_pseudo(const struct fs_type *type); /* never in the tree */
extern struct mount *anon_mount;			/* of nameless vnodes shown in /proc */
int mount_want_write(const struct vnode *vn);
/* Calls fn for each mount with it held and no lock. */
int mount_each(int (*fn)(struct mount *m, void *arg), void *arg);

/* ---- writeback.c ---- */
void writeback_init(void);
void writeback_add(struct vnode *vn); /* on the mount's dirty list */
void writeback_kick(void);
int writeback_mount(struct mount *m, bool wait); /* every dirty vnode and metadata of one mount */
void writeback_forget(struct vnode *vn);	 /* vnode is going away */

/* ---- bdev.c ---- */
extern struct mount *bdev_mount;
int bdev_open(struct vnode *vn, struct file *f);
int bdev_sync(struct vnode *bdev, bool wait);
int bdev_claim(struct vnode *bdev); /* held; a file system's metadata will live in it: 0, -EBUSY */
void bdev_init(void);

/* ---- pipelimit.c ---- */
#define PIPE_LEAST_FRAMES 2u /* of a new pipe of a user who has many */
/* Frames of a new pipe of c's user, at most `most`, charged; 0: none may be had, or no memory. */
u32 pipe_charge_new(const struct cred *c, u32 most);
/* A pipe charged to uid has `to` frames from now on instead of `from` (to = 0: it goes away, which never fails). -EPERM */
int pipe_recharge(u32 uid, u32 from, u32 to);

/* ---- pipe.c ---- */
void pipe_init(void);
int fifo_open(struct vnode *vn, struct file *f);

/* ---- uio.c, pagecache.c ---- */
int vnode_stamp(
	struct
	vnode *vn); /* mtime and ctime become the present, in coarse steps; v_lock held exclusive */
/* The same if a mapping was stored to since; no locks held. */
void vnode_stamp_stored(struct vnode *vn);
void uio_rewind(struct uio *u, size_t n); /* the last n bytes come again */

void uio_skip(struct uio *u, size_t n); /* the next n bytes are done */

/* ---- direct.c ---- */
/* Position, addresses and lengths are multiples of the unit: 0 or -EINVAL. */
int direct_check(const struct vnode *vn, const struct uio *u, u64 at);
/* As f->ops->read; takes v_lock shared. */
ssize_t direct_read(struct vnode *vn, struct uio *u, u64 *pos);
/* Writes some of max bytes past the cache, and advances u; 0: the next page has to go through it. Extends nothing. v_lock held exclusive. */
ssize_t direct_write(struct vnode *vn, struct uio *u, u64 at, u64 max);
/* What went through the cache goes on to the disk: [from, to). v_lock held exclusive. */
int direct_settle(struct vnode *vn, u64 from, u64 to);

/* ---- file.c ---- */
void file_init(void);
int file_open_vnode(struct file *f); /* chooses ops by type; calls the special open */

/* ---- others ---- */
int chrdev_open(struct vnode *vn, struct file *f);
void fdtable_init(void);
void context_init(void);
void flock_file_released(struct file *f);
void flock_owner_closed(struct file *f, void *owner);
void flock_vnode_free(struct vnode *vn);
/* Write access of a descriptor against running programs: 0 or -ETXTBSY. */
int vnode_get_write(struct vnode *vn);
void vnode_put_write(struct vnode *vn);
u64 vfs_coarse_tick(void); /* never 0 */

/* ---- lease.c ---- */
void leases_vnode_free(struct vnode *vn);
void lease_file_released(struct file *f);
/* Sees to it that no lease stands against this (f: the opener's own file, NULL): 0; -EAGAIN (nonblock), -ERESTARTSYS. Sleeps. */
int lease_break(struct vnode *vn, const struct file *f, bool write, bool nonblock);

#endif
