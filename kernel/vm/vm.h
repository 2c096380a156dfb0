/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_VM_H
#define GNOMON_VM_H

/* Address spaces.  The door for kernel/proc and kernel/syscall; file systems use object.h. */

#include "kernel/vm/object.h"

struct vm_map;
struct vm_area;
struct file;

#define PROT_NONE      0
#define PROT_READ      1
#define PROT_WRITE     2
#define PROT_EXEC      4
#define PROT_SEM       8
#define PROT_GROWSDOWN 0x01000000
#define PROT_GROWSUP   0x02000000

#define MAP_SHARED	    0x01
#define MAP_PRIVATE	    0x02
#define MAP_SHARED_VALIDATE 0x03
#define MAP_DROPPABLE	    0x08
#define MAP_TYPE	    0x0f
#define MAP_FIXED	    0x10
#define MAP_ANONYMOUS	    0x20
#define MAP_GROWSDOWN	    0x0100
#define MAP_DENYWRITE	    0x0800
#define MAP_EXECUTABLE	    0x1000
#define MAP_LOCKED	    0x2000
#define MAP_NORESERVE	    0x4000
#define MAP_POPULATE	    0x8000
#define MAP_NONBLOCK	    0x10000
#define MAP_STACK	    0x20000
#define MAP_HUGETLB	    0x40000
#define MAP_SYNC	    0x80000
#define MAP_FIXED_NOREPLACE 0x100000

#define MS_ASYNC      1
#define MS_INVALIDATE 2
#define MS_SYNC	      4

/* Files behind areas, known to vm only through this (set once by fs/vfs): references, and the path for /proc/PID/maps. */
struct vm_file_hooks {
	void (*hold)(struct file *f);
	void (*drop)(struct file *f); /* may sleep */
	int (*path)(struct file *f, char *buf,
		    size_t size); /* length or -errno; " (deleted)" included */
	void (*ident)(struct file *f, u64 *dev, u64 *ino);
	void (*stored)(
		struct file *f); /* its mapping was stored to: the file's times change; sleeps */
	int (*fsync)(struct file *f); /* msync(MS_SYNC): data and metadata on stable storage */
	int (*punch)(struct file *f, u64 off, u64 len); /* madvise(MADV_REMOVE) */
};
void vm_set_file_hooks(const struct vm_file_hooks *h);

/* What the calling thread may do to its map (set once by kernel/proc). */
struct vm_caller_hooks {
	u64 (*lock_limit)(
		void); /* RLIMIT_MEMLOCK in bytes; ~0: none, or a capability goes beyond it */
	bool (*low_addresses)(void); /* may map below vm_mmap_min_addr */
};
void vm_set_caller_hooks(const struct vm_caller_hooks *h);
bool vm_may_lock_any(void); /* RLIMIT_MEMLOCK is not 0 for the caller */
/* /proc/sys/vm/overcommit_memory: 0 refuses what could never be there, 1 nothing, 2 private writable memory beyond vm_commit_limit. */
extern u32 vm_overcommit_memory;
extern u32 vm_overcommit_ratio; /* percent of memory that counts for it */
extern u32
	vm_swappiness; /* 0 to SWAPPINESS_MAX: less spares anonymous pages, more those of files */
#define SWAPPINESS_EVEN 60
#define SWAPPINESS_MAX	200
u64 vm_commit_limit(void);   /* pages */
extern u64 vm_mmap_min_addr; /* /proc/sys/vm/mmap_min_addr */

void vm_init(void); /* once, before the first map: slab and frames are up */

/* ---- life ---- */
struct vm_map *vm_map_create(void); /* refs = 1, empty; NULL */
void vm_map_hold(struct vm_map *m);
void vm_map_drop(struct vm_map *m); /* the last drop unmaps all and frees; sleeps */
struct vm_map *vm_map_fork(
	struct vm_map
		*parent); /* copy for fork: shares objects, needs-copy; NULL: -ENOMEM. Sleeps */
/* Takes the private anonymous memory of a map whose process is being killed; how many pages. Sleeps not long; 0 if the map is being changed. */
u64 vm_map_reap(struct vm_map *m);
/* Pages in memory and in swap that come free with it, those of the kernel for its areas too, about; 0 once they were taken. Sleeps not for the map. */
u64 vm_map_gain(struct vm_map *m);
void vm_map_activate(
	struct vm_map *prev,
	struct vm_map *next); /* context switch (sched_hooks.switch_map); NULL = kernel only */

/* ---- mapping; all take the map's lock themselves; 0/address or -errno; a failed call changes nothing ---- */
struct vm_mmap_args {
	u64 addr, len;		  /* addr: hint, or exact with MAP_FIXED */
	u32 prot, flags;	  /* Linux's */
	struct vm_object *object; /* NULL: anonymous.  The caller's reference stays the caller's */
	struct file *file;	  /* for its path and life; may be NULL */
	u64 offset;		  /* bytes into object, page aligned */
	u32 max_prot; /* what mprotect may give later (a read-only descriptor mapped shared: no PROT_WRITE) */
	const char *label; /* "[heap]", "[stack]", "[vdso]": static string shown in maps; NULL */
};
/* Where vm_mmap would put len bytes, at hint if that is free; or -ENOMEM. It stays free if nobody else uses the map. */
s64 vm_find_room(struct vm_map *m, u64 hint, u64 len);
s64 vm_mmap(struct vm_map *m, const struct vm_mmap_args *a);
int vm_munmap(struct vm_map *m, u64 addr, u64 len);
int vm_mprotect(struct vm_map *m, u64 addr, u64 len,
		u32 prot); /* PROT_GROWSDOWN: from the area's start */
int vm_remap_file_pages(struct vm_map *m, u64 start, u64 size, u64 pgoff, u32 flags);
int vm_msync(struct vm_map *m, u64 addr, u64 len, int flags);
int vm_madvise(struct vm_map *m, u64 addr, u64 len, int advice);
int vm_mincore(struct vm_map *m, u64 addr, u64 len, u8 *vec /* kernel memory, a byte a page */);
s64 vm_mremap(struct vm_map *m, u64 old, u64 old_len, u64 new_len, int flags, u64 new_addr);
/* mlock, munlock. onfault: pages are not faulted in now. -ENOMEM: holes, over the limit, or no memory. */
int vm_mlock(struct vm_map *m, u64 addr, u64 len, bool lock, bool onfault);
/* mlockall (current and/or future areas), munlockall (neither). */
int vm_mlock_all(struct vm_map *m, bool current_areas, bool future, bool onfault);
u64 vm_brk(struct vm_map *m, u64 brk); /* Linux's brk: returns the (possibly unchanged) break */
void vm_set_brk(struct vm_map *m, u64 start); /* exec: where the heap starts */
/* exec: mappings go below the room that the stack limit asks for, and random pages further down. */
void vm_map_layout(struct vm_map *m, u64 random_pages);
/* Resource limits that mapping calls obey, in bytes (~0 = none); set by kernel/proc when they change. */
void vm_set_limits(struct vm_map *m, u64 as, u64 data, u64 stack);
/* Grows-down stack area for exec: [top - size, top) with room to grow to the stack limit. */
s64 vm_map_stack(struct vm_map *m, u64 top, u64 size, u32 prot);

/* ---- faults ---- */
#define VM_ACCESS_READ	1
#define VM_ACCESS_WRITE 2
#define VM_ACCESS_EXEC	4
/* Resolves a fault at addr. 0; -EFAULT with *sig/ *code set to what Linux would send (SIGSEGV SEGV_MAPERR/SEGV_ACCERR, SIGBUS BUS_ADRERR);
 * -ENOMEM: nothing left (the caller kills); -EINTR: a fatal signal came while waiting. Sleeps. */
int vm_fault(struct vm_map *m, u64 addr, unsigned access, int *sig, int *code);

/* Access to another process's memory (procfs mem, ptrace-like; exec's argument copy): bytes copied or -EFAULT. Sleeps. */
ssize_t vm_access(struct vm_map *m, u64 addr, void *buf, size_t n, bool write);
/* Holds the frame behind addr (write: that a store would change, and vm_page_dirty after each change), until vm_page_put. It is never evicted, but may cease
 * to be what addr shows: unmapping, fork and truncation do not wait for it. 0; -EFAULT, -ENOMEM, -EINTR. Sleeps. */
int vm_pin(struct vm_map *m, u64 addr, bool write, struct frame **out);
/* Writes n zero bytes; 0 or -EFAULT, -ENOMEM, -EINTR. */
int vm_clear(struct vm_map *m, u64 addr, size_t n);
/* The key of a futex word that others may share: object and byte offset within; holds the object (drop it). NULL: private memory, which
 * only its map and address tell. -EFAULT. Sleeps. */
int vm_futex_key(struct vm_map *m, u64 addr, bool write, struct vm_object **o, u64 *off);

/* ---- looking ---- */
/* Bytes of memory that is mapped, by what it is. */
struct vm_area_usage {
	u64 rss, pss, pss_dirty, pss_anon, pss_file, pss_shmem, shared_clean, shared_dirty,
		private_clean, private_dirty;
	u64 referenced, anon, swap, locked;
};
#define VM_INFO_DONTFORK   1u
#define VM_INFO_WIPEONFORK 2u
#define VM_INFO_NORESERVE  4u
#define VM_INFO_RANDOM	   8u
#define VM_INFO_SEQUENTIAL 16u
#define VM_INFO_DONTDUMP   32u
#define VM_INFO_ONFAULT	   64u
#define VM_INFO_SOFT_DIRTY 128u
struct vm_area_info {
	u64 start, end, offset; /* bytes; offset into the object */
	u32 prot;
	bool shared, needs_copy, grows_down, locked;
	u64 dev, ino;
	enum vm_object_kind kind;
	const struct vm_object *object; /* identity only */
	unsigned chain_depth;		/* objects in its shadow chain */
	u32 may_prot;			/* what mprotect may give */
	u32 advice;			/* VM_INFO_* */
	u64 object_resident;		/* pages in the top object */
	struct vm_area_usage use;	/* only if detail was asked for */
	char name[256];			/* path or label, may be empty */
};
/* The first area that ends above addr; false past the last. Sleeps. rss etc. only if detail. */
bool vm_area_next(struct vm_map *m, u64 addr, bool detail, struct vm_area_info *out);
/* Entries of /proc/PID/pagemap for n pages from va on; pfn: with frame numbers. */
void vm_pagemap(struct vm_map *m, u64 va, u64 *out, size_t n, bool pfn);
enum vm_clear {
	VM_CLEAR_ALL = 1, /* accessed bits; of areas without, with a file */
	VM_CLEAR_ANON,
	VM_CLEAR_FILE,
	VM_CLEAR_SOFT_DIRTY,
	VM_CLEAR_PEAK /* the peak of resident memory */
};
void vm_clear_refs(struct vm_map *m, enum vm_clear what);
struct vm_map_stat {
	u64 size, rss, rss_peak, size_peak, anon, file, shmem, data, stack, text, tables, locked;
	u32 areas;
}; /* pages, but areas */
void vm_map_stat(struct vm_map *m, struct vm_map_stat *out);
u64 vm_map_swapped(struct vm_map *m); /* pages of its areas that are in swap */
/* After a change: audits the map if its turn has come (audit=N, debug builds). Nothing is locked. */
#if DEBUG && defined(__riscv)
void vm_audit_sampled(struct vm_map *m);
#else
static inline void vm_audit_sampled(struct vm_map *m)
{
	(void)m;
}
#endif
bool vm_map_audit(struct vm_map *m); /* debug: checks the whole structure; panics */

#endif
