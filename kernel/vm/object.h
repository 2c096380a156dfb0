/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_VM_OBJECT_H
#define GNOMON_VM_OBJECT_H

/*
 * Memory objects: the owners of pages.  This header is what file systems need: a vnode embeds (or points to) a vm_object whose pager
 * fills and cleans pages; read(), write(), directory code and metadata use vm_page_get on it, and mappings fault on the very same
 * frames.
 *
 * A frame got from here is *held*: it stays in memory, though truncation may take it out of its object meanwhile (then frame->object
 * is NULL and nobody else finds it).  A BUSY frame belongs to whoever made it busy: being filled, or changing identity.
 */

#include "kernel/lib/radix.h"
#include "kernel/lib/rbtree.h"
#include "kernel/mem/frame.h"
#include "kernel/sync/mutex.h"

struct vm_family;
struct vm_pager_ops;

enum vm_object_kind { OBJ_ANON, OBJ_SHADOW, OBJ_VNODE, OBJ_DEVICE };

#define TAG_DIRTY    0 /* radix tags of vm_object.pages */
#define TAG_CLEANING 1

/* Field markings and the corresponding locks:
 * (c) constant after creation   (o) the object's lock: its family's, or its own for vnode and device objects
 * (a) atomic
 */
struct vm_object {
	struct spinlock *lock;	  /* (c) &family->lock or &own_lock */
	struct spinlock own_lock; /* (c) */
	enum vm_object_kind kind; /* (c) anon or shadow may change into one another under (o) */
	bool sized; /* (c) anon with an end that matters (tmpfs, memfd, shared): beyond it SIGBUS */
	bool kept;  /* (o) its pages are not evicted: vm_object_keep */
	bool closed;			/* (o) vm_object_close */
	bool dead;			/* (o) being destroyed: nothing may be added */
	u32 refs;			/* (a) areas, shadows above, and other holders */
	const struct vm_pager_ops *ops; /* (c) */
	struct vm_family *family;	/* (c) NULL for vnode and device objects */
	u64 size;		   /* (o) bytes: end of file; anon: multiple of the page size */
	struct radix_tree pages;   /* (o) index -> frame (page words, see page.c) */
	u64 resident;		   /* (o) frames in pages */
	u64 swapped;		   /* (o) words of pages that are in swap */
	struct list owner_link;	   /* (o) empty or not; the list: anon.c. It may own swap slots */
	struct rb_tree areas;	   /* (o) interval tree of the areas that map it, by index */
	u32 nareas;		   /* (o) how many */
	struct vm_object *backing; /* (o) what a shadow looks through to; holds a reference */
	u64 backing_index;	   /* (o) our page 0 is this page of backing */
	struct list shadows;	   /* (o) objects whose backing we are */
	struct list shadow_link;   /* (o: the backing's lock) in backing->shadows */
	u32 nshadows;		   /* (o) */
	u32 writeback;		   /* (a) frames being cleaned */
	u32 stored; /* (a) stored to through a shared mapping since the times of its file were last set */
	int wb_error;	 /* (a) error of the last clean that failed */
	u32 nerrors;	 /* (a) cleans that failed, ever */
	u32 errors_told; /* (a) value of nerrors that somebody was told of */
	u64 ndirty;	 /* (o) frames tagged dirty */
	u32 failed;	 /* (a) frames of a file whose clean failed, which are to be dirty again */
};

/*
 * The pager.  n frames have consecutive indices from frames[0]->index.
 *
 * fill: each frame is BUSY, not VALID, in the object, held by the operation.  The pager starts reading and returns; vm_page_fill_end must
 *	be called exactly once for each frame (also on error, also from interrupt context).  May sleep; no vm locks are held.
 * clean: each frame is CLEANING, no longer DIRTY, write-protected in every mapping.  vm_page_clean_end exactly once for each frame.
 *	wait: the caller will wait (else background).  May sleep; no vm locks held.
 * reserve: makes sure that a later clean of these pages finds backing store (allocates blocks).  0, -ENOSPC, -EIO, -EDQUOT.  May sleep.  NULL: not needed.
 *	Called by vm_page_get(VMP_WRITE) and by write faults unless the frame says FR_RESERVED (which fill sets for pages that have blocks).
 * first_dirty: the object just got its first dirty page (under the object's lock: only spin locks of greater rank).
 * hold/drop: reference counts for objects embedded in something else (vnode); NULL for objects of kernel/vm.  drop may sleep.
 */
struct vm_pager_ops {
	const char *name;
	void (*fill)(struct vm_object *o, struct frame **frames, size_t n);
	void (*clean)(struct vm_object *o, struct frame **frames, size_t n, bool wait);
	int (*reserve)(struct vm_object *o, u64 index, size_t n);
	void (*first_dirty)(struct vm_object *o);
	void (*hold)(struct vm_object *o);
	void (*drop)(struct vm_object *o);
	u32 max_cluster; /* pages per fill/clean call, at most 256; 0: 1 */
};

/* The pager's completions. err: 0 or -errno. Any context. fill_end makes the frame valid (after zeroing what lies beyond the object's size), not busy, and wakes. */
void vm_page_fill_end(struct frame *f, int err);
void vm_page_clean_end(struct frame *f, int err);
/* For pages that need several transfers: the pager sets the count of parts first, then ends each part; the last one ends the page with the first
 * error seen (kept in the frame). */
void vm_page_io_parts(struct frame *f, u32 parts);
void vm_page_fill_part_end(struct frame *f, int err);
void vm_page_clean_part_end(struct frame *f, int err);

/* ---- objects ---- */

/* Embedded object (kind vnode): size in bytes. Starts with no reference counted here: ops->hold/drop manage life. */
void vm_object_init_vnode(struct vm_object *o, const struct vm_pager_ops *ops, u64 size);
/* Before the container is freed: frees all pages (must have no mapping, no dirty page unless `discard`). Sleeps. */
void vm_object_fini(struct vm_object *o, bool discard);
/* Anonymous memory of some bytes (0 = grows by vm_object_set_size): refs = 1. NULL: no memory. For shared anon, memfd, tmpfs. */
struct vm_object *vm_object_create_anon(u64 size);
/* Fixed frames or device memory at pa; never paged. NULL: no memory. */
struct vm_object *vm_object_create_device(paddr_t pa, u64 size);
void vm_object_hold(struct vm_object *o);
void vm_object_drop(struct vm_object *o); /* may free it; sleeps; no locks held */

/* Sets the size in bytes. Shrinking: waits for transfers, removes mappings and pages beyond, zeroes the tail of the last page; when it returns no frame beyond
 * the end is in use by anybody but holders. Growing: zeroes the old tail. Callers serialise (VNODE lock exclusive). Sleeps. */
void vm_object_set_size(struct vm_object *o, u64 size);
/* What mappings stored behind the end is gone: before something is written that lies farther behind. Sleeps; v_lock of a file held exclusive. */
void vm_object_clear_tail(struct vm_object *o);
/* A write has put data beyond the end (pages got with VMP_WRITE | VMP_BEYOND): the size becomes at least this. No spin locks held. */
void vm_object_extend(struct vm_object *o, u64 size);
/* Its pages stay in memory (or no longer have to), whoever maps them. */
void vm_object_keep(struct vm_object *o, bool keep);
/* It has been given up: remap_file_pages maps no more of it (-EIDRM). */
void vm_object_close(struct vm_object *o);
/* A shared mapping of it exists through which it may be written, now or after mprotect. */
bool vm_object_mapped_writable(struct vm_object *o);
/* Removes pages [first, last], dirty ones too, and their mappings (hole punching). Sleeps. */
void vm_object_remove(struct vm_object *o, u64 first, u64 last);
/* Frees the clean, unmapped, unheld pages in the range (fadvise DONTNEED, drop_caches); returns how many. */
size_t vm_object_evict(struct vm_object *o, u64 first, u64 last);
/* Starts cleaning every dirty page in [first, last] in clusters, those too whose last clean failed; wait: until those and any already under way are done: 0
 * or the error of one that failed meanwhile. Sleeps. */
int vm_object_clean(struct vm_object *o, u64 first, u64 last, bool wait);
/* Errors are told to each who has a mark once. The mark of a new one: errors that nobody was told of yet come after it. */
static inline u32 vm_object_error_mark(const struct vm_object *o)
{
	return READ_ONCE(o->errors_told);
}
/* 0 or the last error; moves the mark. */
static inline int vm_object_error_since(struct vm_object *o, u32 *mark)
{
	u32 n = __atomic_load_n(&o->nerrors, __ATOMIC_ACQUIRE);

	if (likely(n == READ_ONCE(*mark)))
		return 0;
	WRITE_ONCE(*mark, n);
	WRITE_ONCE(o->errors_told, n);
	return READ_ONCE(o->wb_error);
}
static inline bool vm_object_dirty(const struct vm_object *o)
{
	return READ_ONCE(o->ndirty) != 0 || __atomic_load_n(&o->failed, __ATOMIC_ACQUIRE) != 0;
}
/* Dirty, or under way and perhaps dirty again soon. A page is counted in the next before it leaves the one before, in the order in which this looks. */
static inline bool vm_object_unwritten(const struct vm_object *o)
{
	return __atomic_load_n(&o->ndirty, __ATOMIC_ACQUIRE) != 0 ||
	       __atomic_load_n(&o->writeback, __ATOMIC_ACQUIRE) != 0 ||
	       __atomic_load_n(&o->failed, __ATOMIC_ACQUIRE) != 0;
}

/* ---- pages ---- */

/* Sequential read detection; one per open file or area; zero to start. */
struct vm_readahead {
	u64 next;   /* index expected if access is sequential */
	u32 window; /* pages to have in flight ahead */
	u32 max;    /* 0: default (128 KiB); set by advice; UINT32_MAX: none (random) */
	u64 ahead;  /* first index not yet asked for */
	u64 until; /* first index that the call in hand does not want: what lies before it may be read at once, whatever max says */
	u32 call;  /* pages that the call in hand wants; in a sequence the next one will too */
};

/* A call that reads n bytes at `at` begins. No lock: readers of one file at once spoil a guess, no more. */
static inline void vm_readahead_call(struct vm_readahead *ra, u64 at, u64 n)
{
	ra->until = (at + n + PAGE_MASK) >> PAGE_SHIFT;
	ra->call = (u32)MIN(ra->until - (at >> PAGE_SHIFT), (u64)UINT32_MAX);
}

#define VMP_WRITE 1u /* the caller will dirty it: reserve backing store first (-ENOSPC...) */
#define VMP_NOFILL \
	2u /* absent: return it held, BUSY and not VALID instead of reading; the caller overwrites all of it (or zeroes the rest) and calls vm_page_ready */
#define VMP_NOWAIT   4u	 /* -EAGAIN unless resident, valid and not busy */
#define VMP_BEYOND   8u	 /* index may lie beyond the size (a write that will extend it) */
#define VMP_RESERVED 16u /* the caller has done ops->reserve itself */

/*
 * Finds or makes the page and holds it.  0; -EIO, -ENOMEM, -ENOSPC; -ENXIO: index beyond the size (and no VMP_BEYOND); -EINTR: killed while waiting.
 * With VMP_NOFILL check FR_BUSY on return: set means the caller owns it as described, clear means it was there already.
 * ra (may be NULL): starts read-ahead.  Sleeps; no spin locks held.
 */
int vm_page_get(struct vm_object *o, u64 index, unsigned flags, struct vm_readahead *ra,
		struct frame **out);
/* For reading many pages: holds the consecutive pages from index that are there, valid and ask for no read-ahead, at most n <= VM_PAGE_RUN. How many;
 * 0: vm_page_get has to do it. ra may be NULL. */
#define VM_PAGE_RUN 16
size_t vm_page_get_run(struct vm_object *o, u64 index, size_t n, struct vm_readahead *ra,
		       struct frame **out);
/* The frame returned BUSY by VMP_NOFILL: ok = contents complete, becomes valid; not ok: removed from the object. Still held. */
void vm_page_ready(struct frame *f, bool ok);
void vm_page_put(struct frame *f);  /* ends the hold */
void vm_page_hold(struct frame *f); /* one more */
void vm_page_dirty(
	struct
	frame *f); /* held, valid; marks it newer than its backing store. Any context but interrupts */
void vm_page_touch(struct frame *f); /* it was used */
/* Waits until no transfer out of this page is under way (before changing metadata that must stay stable). Sleeps. */
void vm_page_wait_clean(struct frame *f);
/* Starts reading pages [index, index+n) that are absent, within the size. Does not wait. */
void vm_object_readahead(struct vm_object *o, u64 index, size_t n);

/* System-wide counts, in pages, for /proc/meminfo: file cache, anonymous, dirty, being written, mapped, page tables */
u64 vm_shadow_depth_max(void); /* longest shadow chain since boot */
struct vm_totals {
	u64 file, anon, dirty, writeback, mapped, tables, shmem;
	u64 failed; /* part of dirty: could not be written when that was tried last */
};
void vm_totals(struct vm_totals *out);
/* How reclaim asks for dirty pages to be written; set by fs/vfs. Any sleeping context. */
void vm_set_writeback_kick(void (*fn)(void));
/* Does an anonymous object hold that page, in memory or not? A snapshot. */
bool vm_object_has(struct vm_object *o, u64 index);
/* Pages that an anonymous object holds, in memory or not. A snapshot. */
static inline u64 vm_object_pages(const struct vm_object *o)
{
	return READ_ONCE(o->pages.count);
}

#endif
