/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_MEM_FRAME_H
#define GNOMON_MEM_FRAME_H

/*
 * Page frames.  Every RAM page has one struct frame, found from its physical address in O(1) over several banks.  This header
 * and mem/frame.c own allocation and the flag word; what `object`, `index` and the links mean while a frame belongs
 * to an object is kernel/vm's (vm/page.c).
 */

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "kernel/riscv/mmu.h"
#include "kernel/sync/spinlock.h"

struct vm_object;

/* States and flags, in frame.flags; changed only by the accessors of vm/page.c and mem/frame.c, atomically. */
#define FR_BUSY	 (1u << 0) /* filled or changing identity: nobody maps, reads, frees or moves it */
#define FR_VALID (1u << 1) /* contents are those of the object's page */
#define FR_DIRTY (1u << 2) /* newer than backing store (also a radix tag) */
#define FR_CLEANING \
	(1u << 3) /* being written out; may be read, mapped read-only and made dirty again */
#define FR_REF	    (1u << 4)  /* referenced since the clock last looked */
#define FR_ERROR    (1u << 5)  /* last fill or clean failed */
#define FR_RESERVED (1u << 6)  /* backing store for a clean is assured (file: block allocated) */
#define FR_WAITERS  (1u << 7)  /* somebody sleeps on BUSY or CLEANING */
#define FR_WIRED    (1u << 8)  /* kernel memory: never in an object */
#define FR_BUDDY    (1u << 9)  /* on a buddy free list (mem) */
#define FR_SLAB	    (1u << 10) /* slab page (mem) */
#define FR_TABLE    (1u << 11) /* page table */
#define FR_ZEROED   (1u << 12) /* known to be all zero (mem, while free) */
#define FR_LISTED   (1u << 13) /* the clock has met this page */
#define FR_LAUNDRY  (1u << 14) /* waits in the laundry's ring */
#define FR_STORED \
	(1u       \
	 << 16) /* stored to through a shared mapping since its tail beyond EOF was last zeroed */
#define FR_LAZY	   (1u << 17) /* given up by MADV_FREE, not stored to since: clean, without a slot */
#define FR_REFAULT (1u << 15) /* came back: see left */
#define FR_FREE	   (1u << 21) /* free: in a buddy block, a hart's cache or the zeroed list (mem) */
#define FR_POISON  (1u << 22) /* free, and filled with the poison pattern (mem, debug builds) */
#define FR_USER	   (1u << 23) /* allocated with FA_USER (mem); stays until it is freed */

/* Field markings and the corresponding locks:
 * (o) lock of the object that owns it   (a) atomic   (m) mem's zone lock while free   (u) whoever allocated it
 * (s) the sweeper's: kernel/vm/clock.c
 */
struct frame {
	u32 flags; /* (a) FR_* */
	u32 holds; /* (a) references that keep it from being freed: 1 for its object, +1 per frame_hold */
	struct vm_object *object; /* (o) NULL: not in an object (orphan, kernel memory, free) */
	union {
		u64 index; /* (o) page number in the object */
		u64 order; /* (m) log2 of the block's pages while head of a free block */
		struct {
			struct spinlock *ptl_unused; /* (u) */
		};
	};
	union {
		struct list link; /* (m/u) free list, or the owner's */
		u32 left; /* (o) with FR_REFAULT: what the page left behind when it was taken */
	};
	u32 mapcount;	/* (a) PTEs that map it */
	u32 io_pending; /* (a) parts of a transfer under way */
	union {
		u64 swap_slot; /* (o) word that may take the place of a clean anonymous page */
		u64 private;   /* (u) slab: its header; page table: lock word and count */
	};
	u32 clock_page; /* (s) the policy's, whatever the frame is used for */
	u32 clock_next; /* (s) its queue, the same */
};

BUILD_ASSERT(sizeof(struct frame) == 64);

/* Allocation flags */
#define FA_ZERO	   1u /* contents are zero */
#define FA_NOWAIT  2u /* do not sleep or reclaim: NULL when there is nothing */
#define FA_RESERVE 4u /* may use the reserve (pageout and its I/O) */
#define FA_USER	   8u /* for user memory: leaves the kernel's share alone */

struct frame *frame_alloc(unsigned flags); /* holds = 1; NULL: no memory */
struct frame *frame_alloc_order(unsigned order,
				unsigned flags); /* 2^order contiguous, naturally aligned */
/* Up to n single frames into out[]; returns how many (cheaper than n calls). */
size_t frame_alloc_bulk(struct frame **out, size_t n, unsigned flags);
/* As frame_alloc_bulk, for frames that need not lie side by side: from this hart's cache. Does not sleep. */
size_t frame_alloc_some(struct frame **out, size_t n, unsigned flags);
/* Free memory is well above every watermark: pages nobody asked for may be made. */
bool frames_plenty(void);
void frame_free(
	struct frame *f); /* back to the free lists; panics naming each reason why it is unfit */
void frame_free_zeroed(struct frame *f); /* the same; the caller left it all zero */
void frame_free_order(struct frame *f, unsigned order);
void frame_free_bulk(struct frame **f, size_t n);

#ifdef HOST_TEST
paddr_t frame_pa(const struct frame *f);
void *frame_va(const struct frame *f);
struct frame *pa_frame(paddr_t pa);
struct frame *va_frame(const void *va);
#else /* bank.h */
static inline paddr_t frame_pa(const struct frame *f);
static inline void *frame_va(const struct frame *f);
static inline struct frame *pa_frame(paddr_t pa);     /* NULL if not RAM we manage */
static inline struct frame *va_frame(const void *va); /* address in the direct map */
#endif

/* Start-up, in this order: banks and reserved ranges (device tree, kernel image, initrd, fdt) are told, then frames_init. */
void frames_add_bank(paddr_t base, u64 size);
void frames_reserve(paddr_t base, u64 size);
void frames_init(void); /* needs the direct map of all banks; allocates the frame structs */
/* Before frames_init: early memory, page aligned and zeroed, physical address, panics when there is none. */
paddr_t frames_early_alloc(u64 size);
unsigned frames_banks(void);
bool frames_bank(unsigned k, paddr_t *base, u64 *size);

u64 frames_total(void); /* managed, in frames */
u64 frames_free_count(void);
u64 frames_kernel_count(void); /* allocated without FA_USER */
/* Idle harts: zero one free frame ahead; false when there is nothing to do. Short, preemptible. */
bool frames_zero_one(void);
void frames_hart_init(void); /* per-hart caches of the calling hart */
/* fn is called (sleeping context) when an allocation that may wait finds too little: frees something and returns how many frames. want 0: few are left,
 * it frees some if it need not wait for that. Set by vm. */
void frames_set_reclaim(size_t (*fn)(size_t want), void (*kick)(void));
/*
 * now: what is done when an allocation of the kernel that may wait would fail: true: somebody gives memory back, try again. Sleeps; any sleeping lock may be
 * held. soon: asks for the same and does not wait for it; any context. Set by proc.
 */
void frames_set_oom(bool (*now)(void), void (*soon)(void));
bool frames_oom(void); /* calls it; false without one */
/* What is left is too little for anybody to get anywhere: asks for the same without waiting. Any context. */
void frames_oom_soon(void);
/* If few frames are left, brings some: for who is going to take several without waiting. Sleeps. */
void frames_bring(void);
/* kick (any context) is called when fewer still are left: somebody must work until none are wanted. */
u64 frames_wanted(void);
void frames_audit(void); /* debug: walks all lists, panics on a contradiction */

#include "kernel/mem/bank.h"

#endif
