/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_EXT2_H
#define GNOMON_EXT2_H

/*
 * Second extended file system: what its files share.  Its door to the outside is fs_register(&ext2_fs_type).
 *
 * Lock order: v_lock (taken by the VFS) > the gate (commit.c) > node->lock > fs->alloc_lock > node->times_lock, fs->dirty_lock.
 * Contents of files and directories live in the vnode's object and are read and written without node->lock, because filling
 * and cleaning pages takes it. Everything else on the disk goes through meta_*.
 */

#include "fs/ext2/disk.h"
#include "fs/vfs/vfs.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/radix.h"
#include "kernel/lib/rbtree.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/sync/mutex.h"

struct ext2_node;
struct dir_index;

#define EXT2_MAX_DISPLACED 64

/* Field markings and the corresponding locks:
 * (c) constant while mounted   (b) alloc_lock
 */
struct ext2_group {
	u32 block_bitmap, inode_bitmap, inode_table; /* (c) */
	u32 free_blocks, free_inodes, used_dirs;     /* (b) */
	u32 block_hint, inode_hint;		     /* (b) no free bit below */
	u32 dirty_txn;	   /* (b) the block bitmap is dirty in this commit */
	u32 dirty_ino_txn; /* (b) the other one */
	bool dirty;	   /* (b) descriptor on disk is older */
};

/* An inode that loses its name to another in this commit. */
struct ext2_displaced {
	u32 ino;
	u8 type; /* as in an entry */
	bool dies;
};

/* Field markings and the corresponding locks:
 * (c) constant while mounted   (b) alloc_lock   (a) atomic   (d) dirty_lock   (k) commit_lock
 * (g) changed inside the gate by one who holds v_locks that exclude others, or alone behind it
 */
struct ext2_fs {
	struct mount *mount;		/* (c) */
	struct vnode *bdev;		/* (c) */
	u32 bsize, bshift;		/* (c) */
	u32 bpp;			/* (c) blocks per page */
	u32 ptrs_shift;			/* (c) log2 of block numbers per block */
	u32 sectors_per_block;		/* (c) */
	u32 inode_size, first_ino;	/* (c) */
	u32 ngroups, gdt_blocks;	/* (c) */
	u64 max_size;			/* (c) largest file */
	bool filetype, dir_nlink;	/* (c) features */
	bool features_rw;		/* (c) every RO_COMPAT feature is known */
	bool writable;			/* (a) mounted read-write now */
	bool super_dirty;		/* (b) more than its counts */
	bool counts_dirty;		/* (b) those of the superblock */
	bool write_super;		/* (a) a commit writes them too */
	bool groups_dirty;		/* (b) some group's */
	u32 generation;			/* (a) next inode's */
	u16 mounted_state;		/* (c) s_state as found */
	u16 on_error;			/* (a) EXT2_ERRORS_* */
	struct ext2_super super;	/* (b) as on disk; geometry constant */
	struct ext2_group *groups;	/* (b) array of ngroups */
	struct mutex alloc_lock;	/* (c) FS_ALLOC */
	struct rb_tree windows;		/* (b) reservation windows by start, disjoint */
	struct list window_lru;		/* (b) oldest first */
	u32 nwindows;			/* (b) */
	struct list freed;		/* (b) not to be given out yet: dirty.c */
	u32 freed_blocks, freed_inodes; /* (b) in that list */
	u32 open_dead;			/* (a) inodes without names that are open */
	u32 lost_found;			/* (c) inode of the root's lost+found; 0: none */
	/* commit.c, dirty.c: */
	u32 gate;			  /* (a) operations inside, and whether it is shut */
	bool closing;			  /* (a) a commit waits for it to be empty */
	struct waitq gate_q, drained_q;	  /* (c) */
	struct mutex commit_lock;	  /* (c) FS_COMMIT */
	u32 txn;			  /* (g) changes made now belong to this one */
	u32 committed;			  /* (k) the last one on the disk */
	struct ext2_commit *unfinished;	  /* (k) its writing failed, the next one goes on */
	struct rb_tree unfinished_blocks; /* (d) its blocks by number */
	u32 io_left;			  /* (a) */
	int io_err;			  /* (a) */
	struct waitq io_q;		  /* (c) */
	struct spinlock dirty_lock;	  /* (c) LEAF_FS */
	struct rb_tree dirty_blocks;	  /* (d) by number */
	u32 ndirty;			  /* (d) */
	struct list dirty_nodes;	  /* (d) */
	struct list dying;		  /* (d) directories to die, by height: commit.c */
	u32 dying_height;		  /* (d) the greatest */
	u32 lost_blk;	/* (g) a block of lost+found with names that only the disk has; 0: none */
	u32 ndisplaced; /* (d) */
	struct ext2_displaced displaced[EXT2_MAX_DISPLACED]; /* (d) */
};

/* What a dirty block is, which says when a commit writes it. */
enum ext2_kind {
	EXT2_KIND_BITMAP, /* bitmaps, descriptors, superblock */
	EXT2_KIND_NEW, /* what nothing on the disk leads to yet: indirect blocks, text of symbolic links */
	EXT2_KIND_INDIRECT, /* of an inode that the disk knows */
	EXT2_KIND_DIR,
	EXT2_KIND_INODES,
};

/* Field markings and the corresponding locks:
 * (c) constant   (d) dirty_lock, or alone behind the gate   (k) commit_lock
 */
struct ext2_dirty {
	struct rb_node node;	 /* (d) */
	struct list link;	 /* (k) while it is being written */
	u32 blk;		 /* (c) */
	enum ext2_kind kind;	 /* (c) */
	bool written;		 /* (d) by the commit under way, and not changed since */
	bool freed;		 /* (d) while in an unfinished commit: need not be written */
	struct ext2_node *owner; /* (c) whose page it is; NULL: the device's, held by m */
	struct meta m;		 /* (c) */
	struct frame *frame;	 /* (c) */
	void *data;		 /* (c) */
};

struct ext2_extent {
	u32 lblk, pblk, len; /* pblk 0: a hole */
};

/* A range of blocks that only its file may allocate from, while the disk is not nearly full. Nothing of it is on the disk. */
struct ext2_window {
	struct rb_node node; /* (b) */
	struct list lru;     /* (b) */
	u32 start, end;	     /* (b) [start, end); empty: not in the tree */
	u32 size;	     /* (b) of the next window */
	bool used;	     /* (b) since the last write_attr */
};

#define EXT2_CACHED_EXTENTS 4

/* Field markings and the corresponding locks:
 * (c) constant   (v) v_lock   (i) lock   (t) times_lock   (b) fs->alloc_lock   (a) atomic   (g) the gate   (d) fs->dirty_lock
 */
struct ext2_node {
	struct vnode vn;			       /* (v) first; it has letters of its own */
	struct mutex lock;			       /* (c) FS_INODE */
	struct spinlock times_lock;		       /* (c) LEAF_FS */
	struct timespec64 atime, mtime, ctime, btime;  /* (t) */
	struct ext2_extent cache[EXT2_CACHED_EXTENTS]; /* (t) mapped extents seen last */
	u32 cache_next;				       /* (t) */
	u32 block[EXT2_NPTRS];			       /* (i) */
	u64 sectors;				       /* (i) of 512 bytes */
	u32 uid, gid, nlink, flags;		       /* (v) */
	u32 generation, file_acl;		       /* (c) until freed */
	u32 dtime;				       /* (i) when deleted */
	u16 extra_isize;			       /* (c) */
	bool fresh;   /* (g) never committed: what the table holds is some older, dead inode */
	u32 depth;    /* (g) of a new directory: generations of new ones above it, and itself */
	u32 put_txn;  /* (g) the commit that its inode was put for last */
	u32 name_txn; /* (g) the commit that the last name given to it belongs to */
	u32 displaced_txn;	/* (g) the commit in which it last lost a name to another inode */
	struct list dirty_link; /* (d) */
	u64 dirty_block;	/* (v) of a directory: the block marked dirty last, plus 1 */
	u32 dirty_txn;		/* (v) in this commit */
	u32 gone_txn,
		gone_height; /* (v) of a directory: in this commit inodes died in it, and how long a chain of them */
	u32 moved_txn; /* (v) of a directory: in this commit a directory was moved out of it */
	u32 goal_lblk, goal_pblk; /* (i) last allocation */
	u32 past_end;		  /* (i) blocks below this one may exist beyond the end of file */
	struct radix_tree unwritten; /* (i) allocated, never written: unwritten.c */
	struct ext2_window window;   /* (b) */
	bool counted;		     /* (g) in fs->open_dead */
	bool dying;		     /* (a) in `inactive` or later */
	struct dir_index *index;     /* (v) made under shared v_lock by compare-and-swap */
};

static inline struct ext2_node *ext2_node(struct vnode *vn)
{
	return container_of(vn, struct ext2_node, vn);
}
static inline struct ext2_fs *ext2_fs(const struct vnode *vn)
{
	return vn->mount->data;
}
static inline u64 ext2_size(const struct ext2_node *n)
{
	return READ_ONCE(n->vn.obj.size);
}
/* Blocks that a file of this many bytes may have. */
static inline u64 ext2_blocks_of(const struct ext2_fs *fs, u64 bytes)
{
	return (bytes + fs->bsize - 1) >> fs->bshift;
}
static inline bool ext2_writable(const struct ext2_fs *fs)
{
	return READ_ONCE(fs->writable) && !READ_ONCE(fs->mount->readonly_by_error);
}

/* ---- super.c ---- */
extern const struct fs_type ext2_fs_type;
/* Something on the disk is damaged: says what, stops all writing, gives -EUCLEAN. Any sleeping context. */
int ext2_error(struct ext2_fs *fs, const char *fmt, ...) __printf(2, 3);
void ext2_warn(const struct ext2_fs *fs, const char *fmt, ...) __printf(2, 3);
/* Descriptors that changed, and the superblock if it did, into dirty blocks. Takes alloc_lock. */
int ext2_write_counts(struct ext2_fs *fs);
/* A file beyond 2 GiB is about to exist. Takes alloc_lock. */
void ext2_need_large_file(struct ext2_fs *fs);

/* ---- check.c: at mount, nothing locked ---- */
int ext2_check_super(struct ext2_fs *fs,
		     u64 device_bytes);	  /* 0, -EINVAL, -EUCLEAN; fills geometry */
int ext2_load_groups(struct ext2_fs *fs); /* 0, -EIO, -ENOMEM, -EUCLEAN */
bool ext2_group_has_super(const struct ext2_fs *fs, u32 g);
/* Metadata blocks at the start of group g: superblock copy, descriptors, reserved descriptors. */
u32 ext2_group_head(const struct ext2_fs *fs, u32 g);
/* [blk, blk+n) lies in one group and touches no bitmap, table or superblock. */
bool ext2_data_blocks_ok(const struct ext2_fs *fs, u32 blk, u32 n);
static inline u32 ext2_group_of(const struct ext2_fs *fs, u32 blk)
{
	return (blk - fs->super.first_data_block) / fs->super.blocks_per_group;
}
static inline u32 ext2_group_start(const struct ext2_fs *fs, u32 g)
{
	return fs->super.first_data_block + g * fs->super.blocks_per_group;
}
static inline u32 ext2_group_blocks(const struct ext2_fs *fs, u32 g)
{
	u32 left = fs->super.blocks_count - ext2_group_start(fs, g);

	return MIN(left, fs->super.blocks_per_group);
}
static inline u32 ext2_itable_blocks(const struct ext2_fs *fs)
{
	return DIV_ROUND_UP(fs->super.inodes_per_group * fs->inode_size, fs->bsize);
}

/* ---- bitmap.c: bits in little-endian words ---- */
u32 bitmap_next_zero(const void *map, u32 from, u32 end); /* end if none */
u32 bitmap_next_set(const void *map, u32 from, u32 end);
static inline bool bitmap_test(const void *map, u32 bit)
{
	return ((const u8 *)map)[bit / 8] >> (bit % 8) & 1;
}
void bitmap_set(void *map, u32 bit, u32 n);
void bitmap_clear(void *map, u32 bit, u32 n);

/* ---- balloc.c: takes alloc_lock ---- */
/*
 * Allocates 1 to want contiguous blocks near goal (0: anywhere) for node; sets *got. The first block, or 0 with *err = -ENOSPC,
 * -EIO, -EUCLEAN, -EROFS. privileged: may use the blocks reserved for root.
 */
u32 ext2_alloc_blocks(struct ext2_node *n, u32 goal, u32 want, bool privileged, u32 *got, int *err);
void ext2_free_blocks(struct ext2_fs *fs, u32 blk,
		      u32 count);		      /* complains and goes on if they were free */
bool ext2_may_use_reserved(const struct ext2_fs *fs); /* the calling thread */

/* ---- window.c: alloc_lock held ---- */
/* Moves *bit forward out of other files' windows within the group; the end of the free stretch starting there. */
u32 ext2_window_skip(struct ext2_fs *fs, const struct ext2_node *n, u32 *blk, u32 end);
void ext2_window_open(struct ext2_fs *fs, struct ext2_node *n, u32 blk, u32 end);
void ext2_window_close_locked(struct ext2_fs *fs, struct ext2_node *n);
void ext2_window_close(struct ext2_node *n); /* takes alloc_lock */
void ext2_window_age(
	struct ext2_node *n); /* takes alloc_lock: closes it unless used since the last call */

/* ---- ialloc.c: takes alloc_lock ---- */
/* An inode number for a child of dir: sets its bit. 0 with *err as ext2_alloc_blocks. */
u32 ext2_alloc_ino(struct ext2_node *dir, bool is_dir, int *err);
void ext2_free_ino(struct ext2_fs *fs, u32 ino, bool is_dir);

/* ---- inode.c ---- */
int ext2_node_init_cache(void);
/* The vnode of an inode number (held), from the cache or the disk. -EUCLEAN, -EIO, -ENOMEM, -ESTALE: not in use. */
int ext2_iget(struct mount *m, u32 ino, bool want_orphan, struct vnode **out);
/* A vnode for a new inode (held, in the vnode cache, nlink 0, no blocks). */
int ext2_new_node(struct ext2_node *dir, u32 mode, u64 rdev, const struct cred *cred,
		  struct ext2_node **out);
bool ext2_is_fast_link(const struct ext2_node *n); /* its text is in the inode */
/* Into the inode table's cached block; it is no longer fresh. By a commit, alone behind the gate. Takes lock. */
int ext2_put_node(struct ext2_node *n);
int ext2_kill_ino(struct ext2_fs *fs,
		  u32 ino); /* in the table it has no links any more; inside the gate */
/* It lost its last name to nobody, or to another inode, in dir; inside the gate. */
void ext2_died(struct ext2_node *n, struct ext2_node *dir, bool displaced);
void ext2_inactive(struct vnode *vn);
void ext2_free_vnode(struct vnode *vn);
void ext2_touch(struct ext2_node *n, u32 which); /* ATTR_* times := now, marks dirty */
/* Frees blocks reserved beyond the end for a write that did not happen, unless a writer may be at it. */
void ext2_trim_if_quiet(struct ext2_node *n);

/* ---- commit.c ---- */
void ext2_gate_init(struct ext2_fs *fs);
/* Around every change of metadata. v_lock may be held, node->lock not; no user memory in between. Nests. */
void ext2_begin(struct ext2_fs *fs);
void ext2_end(struct ext2_fs *fs);
/* The same for calls that start there: lets a waiting commit go first, and makes one when very much is dirty. Never inside. */
void ext2_begin_change(struct ext2_fs *fs);
/* Everything that was changed before is on stable storage; not inside the gate. 0, -EIO, -EROFS: nothing can be dirty. */
int ext2_commit(struct ext2_fs *fs);
/* At the end: what is left to write of a commit that failed is dirty, as if it had not begun. */
void ext2_commit_forget(struct ext2_fs *fs);
/* For an inode that is dead but not yet so on the disk: a directory out of which inodes died that the disk has to know first (height:
 * generations of such directories below, at least 1), or one that is displaced (dies), or is to be named while it changes names. */
void ext2_die_later(struct ext2_fs *fs, u32 ino, u32 height);
bool ext2_displace(struct ext2_fs *fs, const struct ext2_node *n, bool dies); /* false: too many */
int ext2_kill_dying(struct ext2_fs *fs, u32 height); /* for commits: in the table */
void ext2_forget_dying(struct ext2_fs *fs);
/* Is one being written? */
static inline bool ext2_committing(const struct ext2_fs *fs)
{
	return READ_ONCE(fs->committed) + 1 != fs->txn;
}
/* Was it put by a commit that is not over? Then the next one waits for that. */
static inline bool ext2_is_under_way(const struct ext2_fs *fs, const struct ext2_node *n)
{
	return (s32)(__atomic_load_n(&fs->committed, __ATOMIC_ACQUIRE) - READ_ONCE(n->put_txn)) < 0;
}
/* True: there was no room, but what was freed has become free now. Not inside the gate. */
bool ext2_retry(struct ext2_fs *fs, int err);
/* The last name it got is not on the disk yet: one that is must not go away before a commit. Inside the gate. */
static inline bool ext2_name_is_new(const struct ext2_fs *fs, const struct ext2_node *n)
{
	return !n->fresh && n->name_txn == fs->txn;
}

/* ---- dirty.c: inside the gate ---- */
int ext2_dirty_init(struct ext2_fs *fs); /* -ENOMEM */
void ext2_mark_dirty(
	struct ext2_node *n); /* anywhere: its inode is to be written, unless it is going away */
void ext2_dirty_list(
	struct ext2_node *
		n); /* the next commit looks at it: the VFS marks vnodes dirty itself when they grow */
void ext2_dirty_unlist(struct ext2_node *n);
void ext2_dirty_meta(struct ext2_fs *fs, u32 blk,
		     enum ext2_kind kind); /* the caller holds the block */
void ext2_dirty_page(struct ext2_node *n, u32 blk, struct frame *f, void *data,
		     enum ext2_kind kind);
void ext2_dirty_forget(struct ext2_fs *fs, u32 blk); /* it was freed */
void *ext2_must_alloc(size_t n);		     /* zeroed; waits for memory */
/* For commits, alone behind the gate: is it; it was (not) written; nothing was. */
bool ext2_is_dirty(struct ext2_fs *fs, u32 blk);
void ext2_dirty_written(struct ext2_fs *fs, u32 blk, bool yes);
void ext2_dirty_take(struct ext2_fs *fs, struct list *to); /* those that were written */
/* They are an unfinished commit's: which of them come to be free is noted (freed). */
void ext2_dirty_keep(struct ext2_fs *fs, const struct list *blocks);
void ext2_dirty_done(struct ext2_fs *fs, struct list *blocks,
		     bool failed); /* those taken: dirty again if failed */
void ext2_dirty_rewrite(struct ext2_fs *fs);
void ext2_dirty_discard(struct ext2_fs *fs, const struct ext2_node *owner); /* NULL: everything */
/* At the end: everything that could not be written, and the pages that are newer than the disk; how many blocks. */
u32 ext2_dirty_lose(struct ext2_fs *fs);
/* Still named by the disk: free, but not given out before the commit is over. Takes alloc_lock. */
void ext2_free_blocks_later(struct ext2_fs *fs, u32 blk, u32 count);
void ext2_free_ino_later(struct ext2_fs *fs, u32 ino, bool is_dir);
void ext2_freed_take(struct ext2_fs *fs, struct list *to); /* for commits: all of them */
void ext2_freed_forget(struct list *freed);
void ext2_freed_done(struct ext2_fs *fs, struct list *freed,
		     bool failed); /* they are free now, or wait for the next one */
bool ext2_has_freed(const struct ext2_fs *fs);

/* ---- orphan.c ---- */
int ext2_orphans_recover(
	struct ext2_fs *fs); /* frees what other systems' crashes left; at rw mount */

/* ---- map.c: node->lock held unless said ---- */
#define EXT2_DEPTH_MAX 4
/* Where a block's number is kept: index at each level, path[0] into node->block. Depth, or 0: beyond the largest file. */
unsigned ext2_path(const struct ext2_fs *fs, u64 lblk, u32 path[EXT2_DEPTH_MAX]);
/* The extent or hole starting at lblk, at most max blocks, never beyond one leaf block of numbers. 0, -EIO, -EUCLEAN. */
int ext2_map(struct ext2_node *n, u64 lblk, u32 max, struct ext2_extent *out);
/* From the cache of extents only; no lock needed. False: not there. */
bool ext2_map_cached(struct ext2_node *n, u64 lblk, u32 max, struct ext2_extent *out);
void ext2_map_forget(struct ext2_node *n); /* empties that cache */
bool ext2_map_remember(struct ext2_node *n, const struct ext2_extent *e);
/* The block number at a level of the map, checked: 0 hole; -EUCLEAN through *err. */
u32 ext2_checked_ptr(struct ext2_node *n, u32 blk, unsigned depth_left, u64 lblk, int *err);

/* ---- mapalloc.c: node->lock held ---- */
#define EXT2_ALLOC_PRIVILEGED 1u /* may use the blocks reserved for root */
#define EXT2_ALLOC_UNWRITTEN  2u /* nobody promises to write them at once: see unwritten.c */
/* Gives every block of [lblk, lblk+count) a place. On failure what was allocated stays allocated. */
int ext2_map_alloc(struct ext2_node *n, u64 lblk, u32 count, unsigned flags);

/* ---- unwritten.c: node->lock held ---- */
int ext2_note_unwritten(struct ext2_node *n, u64 lblk, u32 count); /* -ENOMEM */
/* Is lblk unwritten, and for how many blocks does that hold? At most max. */
u32 ext2_unwritten_run(const struct ext2_node *n, u64 lblk, u32 max, bool *unwritten);
void ext2_unwritten_clear(struct ext2_node *n, u64 first,
			  u64 end);	      /* blocks [first, end) are being written, or freed */
int ext2_free_unwritten(struct ext2_node *n); /* gives them all back; no page of them is dirty */

/* ---- truncate.c: node->lock held ---- */
/* Frees the blocks [first, end), with the indirect blocks that become empty. */
int ext2_free_range(struct ext2_node *n, u64 first, u64 end);
/* Frees what lies beyond the end of file, if anything may. */
int ext2_trim(struct ext2_node *n);

/* ---- pager.c ---- */
extern const struct vm_pager_ops ext2_pager;
/* The page at the end of file may have lost blocks: its next write must reserve again. No locks held but v_lock. */
void ext2_unreserve_page(struct ext2_node *n, u64 index);

/* ---- dir.c: v_lock of the directory held, shared for readers ---- */
/* Where an entry is. */
struct ext2_slot {
	u64 pos; /* byte offset in the directory */
	u32 ino;
};
u8 ext2_dirent_type(const struct ext2_fs *fs, u32 mode); /* what entries for such inodes say */
int ext2_dir_find(struct ext2_node *dir, const char *name, size_t len,
		  struct ext2_slot *out); /* -ENOENT */
int ext2_dir_add(struct ext2_node *dir, const char *name, size_t len, u32 ino, u32 mode,
		 u64 *pos); /* where it is now */
bool ext2_dir_same_chunk(
	u64 a, u64 b); /* entries at these places of one directory reach the disk together */
int ext2_dir_remove(struct ext2_node *dir, const char *name, size_t len, u64 pos);
int ext2_dir_replace(struct ext2_node *dir, u64 pos, u32 ino,
		     u32 mode); /* points the entry elsewhere */
/* Gives the entry at pos another name where it is; false: there is no room for that, and nothing changed. */
bool ext2_dir_rename(struct ext2_node *dir, u64 pos, const char *old, size_t old_len,
		     const char *name, size_t len);
int ext2_dir_make_empty(struct ext2_node *dir, u32 parent);
int ext2_dir_is_empty(struct ext2_node *dir); /* 0 or -ENOTEMPTY, -EIO, -EUCLEAN */
/* Gives block blk, behind the last, a place and sets the size; got for writing, zero. Of directories and symbolic links. */
struct dir_block;
int ext2_append_block(struct ext2_node *n, u64 blk, u64 new_size, struct dir_block *out);
int ext2_readdir(struct vnode *vn, u64 *pos, dirent_fn emit, void *arg);

/* A block of a directory, in its cached page. */
struct dir_block {
	struct frame *frame;
	u8 *data;
	u64 blk;
};
int ext2_dir_block(struct ext2_node *dir, u64 blk, bool write, struct dir_block *out); /* -EIO... */
void ext2_dir_block_put(struct dir_block *b);
/* It was changed; inside the gate. */
void ext2_dir_dirty(struct ext2_node *dir, const struct dir_block *b, enum ext2_kind kind);
/* The entry at off of the block, or NULL after an ext2_error. */
struct ext2_dirent *ext2_dirent_at(struct ext2_node *dir, const struct dir_block *b, u32 off);
static inline bool ext2_dirent_is(const struct ext2_dirent *d, const char *name, size_t len)
{
	return d->ino && d->name_len == len && memcmp(d->name, name, len) == 0;
}
/* Bytes a new entry could take at this one. */
static inline u32 ext2_dirent_space(const struct ext2_dirent *d)
{
	return d->ino ? d->rec_len - EXT2_DIRENT_SIZE(d->name_len) : d->rec_len;
}

/* ---- dirindex.c: the same locks; every function but the first does nothing when there is no index ---- */
int dir_index_want(
	struct ext2_node *dir); /* makes it when the directory is big; no index on lack of memory */
void dir_index_free(struct ext2_node *dir);
int dir_index_find(struct ext2_node *dir, const char *name, size_t len, struct ext2_slot *out);
void dir_index_insert(struct ext2_node *dir, const char *name, size_t len, u64 pos);
void dir_index_remove(struct ext2_node *dir, const char *name, size_t len, u64 pos);
void dir_index_set_space(struct ext2_node *dir, u64 blk, u32 space);
void dir_index_more_space(struct ext2_node *dir, u64 blk, u32 space); /* at least that */
/* The first block with room for need bytes, or the number of blocks. */
u64 dir_index_room(struct ext2_node *dir, u32 need);

/* ---- namei.c, file.c, fallocate.c ---- */
int ext2_fallocate(struct vnode *vn, int mode, u64 off, u64 len);
extern const struct vnode_ops ext2_dir_ops, ext2_file_ops, ext2_link_ops, ext2_special_ops;
int ext2_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out);
int ext2_create(struct vnode *dir, const char *name, size_t len, u32 mode, u64 rdev,
		const char *target, const struct cred *cred, struct vnode **out);
int ext2_link(struct vnode *dir, const char *name, size_t len, struct vnode *target);
int ext2_unlink(struct vnode *vn, const char *name, size_t len, struct vnode *target);
int ext2_rename(struct vnode *odir, const char *oname, size_t olen, struct vnode *vn,
		struct vnode *ndir, const char *nname, size_t nlen, struct vnode *target,
		unsigned flags);
/* Data and attributes for one more or one fewer link; v_lock of n held. */
void ext2_link_count(struct ext2_node *n, int by);

#endif
