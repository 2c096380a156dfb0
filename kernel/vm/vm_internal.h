/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_VM_INTERNAL_H
#define GNOMON_VM_INTERNAL_H

/* What the files of kernel/vm share among themselves and with nobody else. */

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/slab.h"
#include "kernel/mem/stat.h"
#include "kernel/riscv/mmu.h"
#include "kernel/riscv/uaccess.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"
#include "kernel/sync/chaos.h"
#include "kernel/vm/swap.h"
#include "kernel/vm/vm.h"

/* ---- pmap.c, tlb.c: page tables, and what harts remember of them ---- */

/* Field markings and the corresponding locks:
 * (l) lock   (a) atomic   (c) constant   (h) hollow.lock of tables.c
 */
struct pmap {
	struct spinlock lock; /* (c) LOCK_PTE: every PTE of this space */
	pte_t *root;	      /* (c) virtual address of the root table */
	u64 asid;	      /* (a) generation << 16 | asid; 0: none yet */
	u64 active;	      /* (a) harts that have it in satp now */
	u64 stale;	      /* (a) harts that must flush its ASID before they use it again */
	u64 mapped;	      /* (l) PTEs that map frames */
	u64 mapped_anon;      /* (l) of them, frames of anon and shadow objects */
	u64 tables;	      /* (l) table pages below the root */
	struct list hollow;   /* (h) on the list of tables.c: leaf tables may be empty */
	u32 unflushed; /* (a) walks of rmap.c that may have changed entries and not flushed them yet */
};

/* A batched shootdown: collects what changed in one pmap, flushes once. */
struct tlb_batch {
	struct pmap *pmap;
	u64 start, end; /* range that holds every changed PTE; empty: start >= end */
	u64 pages;
	struct list tables; /* table frames to free after the flush */
};

int pmap_init(struct pmap *p);
void pmap_fini(struct pmap *p); /* all mappings must be gone */
void pmap_activate(struct pmap *prev, struct pmap *next);
static inline void tlb_begin(struct tlb_batch *b, struct pmap *p)
{
	b->pmap = p;
	b->start = ~0UL;
	b->end = 0;
	b->pages = 0;
	list_init(&b->tables);
}
void tlb_flush(struct tlb_batch *b);
void pmap_table_free(struct frame *f); /* a table that no hart walks any more */
/* Flushes on every hart that needs it, then frees the tables. */
static inline void tlb_finish(struct tlb_batch *b)
{
	if (b->start < b->end || !list_empty(&b->tables))
		tlb_flush(b);
}

#define PMAP_PRESENT 1 /* pmap_enter: the same mapping was there already */

/*
 * Maps the frame at va.  The lock of the frame's object is held: nobody can take the frame away meanwhile.  A different frame there before is replaced
 * (and the batch told).  0; PMAP_PRESENT: nothing had to change (the fault was spurious); -ENOMEM: no table page without sleeping.
 */
int pmap_enter(struct pmap *p, u64 va, struct frame *f, u32 prot, bool dirty, struct tlb_batch *b);
/* The shared zero page, read-only; only where nothing is mapped. If the page before va is mapped, also where nothing is in the n - 1 pages
 * after va; all within one leaf table. */
int pmap_enter_zero(struct pmap *p, u64 va, unsigned n, u32 prot);
/* Maps frames[i], all of one object, at va + i pages where nothing is mapped and frames[i] != NULL, and gives those that are mapped already what they lack; without W
 * unless `writable`; all within one leaf table that exists. Returns how many entries changed. */
unsigned pmap_enter_around(struct pmap *p, u64 va, struct frame **frames, unsigned n, u32 prot,
			   bool writable);
/* Maps n new frames, which nothing maps yet and whose object is locked, at va and after it, writable; all within one leaf table. Nothing happens
 * where that is missing. */
void pmap_enter_run(struct pmap *p, u64 va, struct frame **frames, unsigned n, u32 prot,
		    struct tlb_batch *b);
/* Device memory without frames. */
int pmap_enter_device(struct pmap *p, u64 va, paddr_t pa, u32 prot);
/* Makes sure the leaf table of va exists; may sleep. */
int pmap_prepare(struct pmap *p, u64 va);
/* Removes all PTEs in [start, end), folding A and D into the frames, and frees tables that lie wholly inside [floor, ceil). */
void pmap_remove(struct pmap *p, u64 start, u64 end, u64 floor, u64 ceil, struct tlb_batch *b);
/* Takes rights away: PTEs keep at most prot. */
void pmap_protect(struct pmap *p, u64 start, u64 end, u32 prot, struct tlb_batch *b);
/* The PTE of va, where a table for it exists, maps f with prot; W too: f is dirty. This hart forgets what it knew of va. The object's lock is held. */
void pmap_grant(struct pmap *p, u64 va, struct frame *f, u32 prot);
/*
 * rmap.c changes entries without the map's lock.  Until its flush is done, harts may use what the tables no longer say: whoever takes rights away or puts
 * something else there meanwhile flushes too, whatever the tables say.
 */
static inline void pmap_change_begin(struct tlb_batch *b, struct pmap *p)
{
	tlb_begin(b, p);
	__atomic_fetch_add(&p->unflushed, 1,
			   __ATOMIC_RELAXED); /* seen by whoever takes p->lock after us */
}
static inline void pmap_change_done(struct pmap *p)
{
	__atomic_fetch_sub(&p->unflushed, 1, __ATOMIC_RELEASE);
}
static inline void pmap_change_end(struct tlb_batch *b)
{
	tlb_finish(b);
	pmap_change_done(b->pmap);
}

#define TLB_ROUND 32 /* spaces in one round; more take another */

/*
 * The flushes of several spaces, with one interruption of other harts for all.
 *
 * A round begins and ends under the lock of the one object that it is about, or it is opened and closed with no spin lock held and goes through several objects'
 * locks in between.  Preemption stays off.  Until an open round is closed other harts may use what the tables no longer say, so the frames are held or
 * CLEANING: nobody gets them, and nothing of them is written.  A space in the round stays (pmap_fini waits for `unflushed`).
 * It lives on its maker's stack.
 */
struct tlb_round {
	u64 harts;	/* to interrupt */
	u64 start, end; /* what they flush */
	u64 pages;
	u64 asid; /* of the only space; 0: of all */
	unsigned n;
	struct pmap *pmaps[TLB_ROUND]; /* not done yet: `unflushed` is up */
};

static inline void tlb_round_begin(struct tlb_round *r)
{
	r->harts = r->end = r->pages = r->asid = 0;
	r->start = ~0UL;
	r->n = 0;
}
/* Instead of pmap_change_end, for a batch without tables to free: flushed at the latest by tlb_round_end. */
void tlb_round_add(struct tlb_round *r, struct tlb_batch *b);
void tlb_round_end(struct tlb_round *r);
void tlb_round_open(struct tlb_round *r);  /* preemption is off until tlb_round_close */
void tlb_round_close(struct tlb_round *r); /* no spin lock held; everything is flushed */
/* Pages were taken out of an object: no hart uses them any more, even those that an open round unmapped. No spin lock held. */
void tlb_settle(void);

/* rmap's tools, on the PTE of va if it maps f: */
bool pmap_unmap_frame(struct pmap *p, u64 va, struct frame *f, struct tlb_batch *b);
bool pmap_unmap_unused(struct pmap *p, u64 va, struct frame *f,
		       struct tlb_batch *b); /* if A is not set */
bool pmap_write_protect_frame(struct pmap *p, u64 va, struct frame *f, struct tlb_batch *b);
bool pmap_test_clear_ref(struct pmap *p, u64 va,
			 struct frame *f); /* true: A was set (cleared, not flushed: a hint) */
/* Moves the PTEs of [old, old+len) to new; tables at the new place may be missing: such PTEs are dropped. */
void pmap_move(struct pmap *p, u64 old, u64 new, u64 len, struct tlb_batch *b);
/* Frees the tables that map nothing; how many. The map is write-locked. */
u64 pmap_trim(struct pmap *p);
/* tables.c: the last entry of one of p's leaf tables has gone, without the map's lock; p->lock held. */
void tables_note(struct pmap *p);
void tables_forget(struct pmap *p); /* p ends */
/* Memory is short: if there are many empty tables they go soon. Any context. */
void tables_kick(void);
/* The leaf PTE of va, or NULL where a table is missing; p->lock held. */
pte_t *pmap_leaf(struct pmap *p, u64 va);
/* The PTE of va (0: none). A snapshot. */
pte_t pmap_lookup(struct pmap *p, u64 va);
bool pte_allows(pte_t pte, unsigned access);
/* Something is mapped at va: a guess without the lock. The map is held, so that no table goes away. */
bool pmap_present(struct pmap *p, u64 va);
extern struct frame *zero_frame;
void pmap_set_zero(struct frame *f); /* start-up */

/* ---- area.c ---- */

#define AREA_SHARED 0x01u /* MAP_SHARED: writes go to the object itself */
#define AREA_NEEDS_COPY \
	0x02u /* private, and the object may be seen by others: the first write makes a shadow */
#define AREA_GROWSDOWN	0x04u
#define AREA_LOCKED	0x08u
#define AREA_DONTFORK	0x10u
#define AREA_WIPEONFORK 0x20u
#define AREA_NORESERVE	0x40u
#define AREA_RANDOM	0x80u /* MADV_RANDOM */
#define AREA_SEQUENTIAL 0x100u
#define AREA_STACK	0x200u
#define AREA_ONFAULT	0x400u /* locked, but not faulted in when it grows */
#define AREA_DONTDUMP	0x800u
#define AREA_TRACKED	0x1000u /* clear_refs has cleared its soft-dirty bits since it was made */

/*
 * One interval of an address space.
 *
 * Field markings and the corresponding locks:
 * (m) map->lock: write to change, either way to read   (o) *objlock (with (m) at least read)   (c) constant
 */
struct vm_area {
	struct rb_node node; /* (m) in map->areas */
	u64 start, end;	     /* (m) bytes, page aligned */
	u64 max_gap;	     /* (m) largest gap that ends at the start of an area of this subtree */
	u64 gap;	     /* (m) free bytes before start */
	struct vm_map *map;  /* (c) */
	u32 prot, max_prot;  /* (m) PROT_* */
	u32 flags;	     /* (m) AREA_*; AREA_NEEDS_COPY is (o) */
	bool needs_copy;     /* (o) see AREA_NEEDS_COPY */
	struct spinlock
		*objlock; /* (o) object's lock; NULL while object is NULL; see area_lock_object */
	struct vm_object *object; /* (o) NULL: anonymous, nothing written yet */
	u64 index;		  /* (o) page of the object at start */
	struct list leave_link;	  /* (c) in struct leaving once out of the map */
	struct rb_node obj_node;  /* (o) in object->areas */
	u64 obj_max_last;	  /* (o) largest last index in this subtree */
	struct file *file;	  /* (c) held */
	struct vm_object *
		origin; /* (c) what was mapped, kept alive by file; NULL without one: private changes forgotten lead back to it */
	u64 origin_index;	/* (m) its page at start */
	const char *label;	/* (c) static string or NULL */
	struct vm_readahead ra; /* (m) hints, races harmless */
};

/* Field markings and the corresponding locks:
 * (m) lock   (a) atomic   (c) constant
 */
struct vm_map {
	struct rwlock lock;	     /* (c) LOCK_VM_MAP */
	struct rb_tree areas;	     /* (m) */
	struct spinlock attach_lock; /* (c) LOCK_AREA: an area gets its first object in a fault */
	struct vm_area *hint; /* (a) last hit; cleared under write lock before an area is freed */
	struct vm_area
		*room;	  /* (m) where room was found last: between its start and mmap_base ... */
	u64 room_len;	  /* (m) ... no gap has that many bytes */
	struct pmap pmap; /* (c) has its own lock */
	u32 refs;	  /* (a) */
	u32 nareas;	  /* (m) */
	u64 size;	  /* (m) pages in all areas */
	u64 size_peak;	  /* (m) */
	u64 rss_peak;	  /* (a) */
	u64 data, stack, text; /* (m) pages of private writable, grows-down, executable areas */
	u64 locked;	       /* (m) pages in AREA_LOCKED areas */
	bool reaped;	       /* (a) its memory was taken: see oom.c */
	u32 lock_future;    /* (m) mlockall(MCL_FUTURE): AREA_LOCKED, AREA_ONFAULT of new areas */
	u64 brk_start, brk; /* (m) */
	u64 limit_as, limit_data, limit_stack; /* (a) bytes */
	u64 mmap_base;			       /* (m) top of the region for mmap */
};

#define USER_START 0x1000UL /* the lowest address that is given without being asked for */
#define STACK_GAP  (256 * PAGE_SIZE)

struct vm_area *area_find(struct vm_map *m, u64 addr); /* the first with end > addr, or NULL */
struct vm_area *area_next(struct vm_area *a);
struct vm_area *area_prev(struct vm_area *a);
struct vm_area *area_alloc(void);
void area_free(struct vm_area *a); /* not linked; drops nothing */
void area_insert(struct vm_map *m, struct vm_area *a);
/* The same where the place is known: next is the first area above, or NULL. */
void area_insert_before(struct vm_map *m, struct vm_area *a, struct vm_area *next);
void area_erase(struct vm_map *m, struct vm_area *a);
/* a begins and ends elsewhere, its order among the areas unchanged; what it maps stays at its addresses. o is its object, locked, or NULL. */
void area_set_bounds(struct vm_map *m, struct vm_area *a, struct vm_object *o, u64 start, u64 end);
/* The highest free range of len bytes inside [low, high): its start, or 0. next: the first area above it, or NULL. Write-locked. */
u64 area_find_gap(struct vm_map *m, u64 len, u64 low, u64 high, struct vm_area **next);
/* Adds pages to the counters that follow the kind of area. */
static inline void area_count(struct vm_map *m, const struct vm_area *a, s64 pages)
{
	m->size += pages;
	if (m->size > m->size_peak)
		m->size_peak = m->size;
	if (a->flags & (AREA_GROWSDOWN | AREA_STACK))
		m->stack += pages;
	else if ((a->prot & PROT_WRITE) && !(a->flags & AREA_SHARED)) {
		m->data += pages;
		vm_gauge_add(VMG_committed, pages);
	}
	if (a->prot & PROT_EXEC)
		m->text += pages;
	if (a->flags & AREA_LOCKED)
		m->locked += pages;
}
static inline u64 area_pages(const struct vm_area *a)
{
	return (a->end - a->start) >> PAGE_SHIFT;
}
static inline u64 area_index(const struct vm_area *a, u64 addr)
{
	return a->index + ((addr - a->start) >> PAGE_SHIFT);
}
static inline u64 area_last(const struct vm_area *a) /* last index */
{
	return a->index + area_pages(a) - 1;
}
/* Splits at addr (strictly inside) with a spare from area_alloc; returns the upper part. Cannot fail. Map write-locked. */
struct vm_area *area_split(struct vm_map *m, struct vm_area *a, u64 addr, struct vm_area *spare);
/* The areas lo and hi, which match but for hi's prot, meet at addr instead of lo->end. */
void area_move_border(struct vm_map *m, struct vm_area *lo, struct vm_area *hi, u64 addr);
/* hi begins where lo ends and, were both protected alike, could be one area with it. */
bool area_continues(struct vm_area *lo, struct vm_area *hi);
/* b, right behind a, continues it for all that a program can tell: only their objects may differ. */
bool areas_alike(const struct vm_area *a, const struct vm_area *b);
/* Joins a with its neighbours where they match; returns the resulting area. */
struct vm_area *area_merge(struct vm_map *m, struct vm_area *a);
/* Those of [start, end), with one another and with what is around them. */
void area_merge_range(struct vm_map *m, u64 start, u64 end);
/* Locks the lock of the area's object (map held); returns NULL if there is no object. On return a->object and a->index are stable. */
static inline NO_TS struct vm_object *area_lock_object(struct vm_area *a)
{
	for (;;) {
		struct spinlock *l = __atomic_load_n(&a->objlock, __ATOMIC_ACQUIRE);

		if (!l)
			return NULL;
		/* l stays valid: the family lives while an area's object is in it, and a vnode while the area holds its file */
		spin_lock(l);
		if (likely(l == READ_ONCE(a->objlock)))
			return a->object;
		spin_unlock(l);
	}
}
/* Attaches/detaches the object (reference is the caller's business); take the object's lock. */
void area_attach(struct vm_area *a, struct vm_object *o, u64 index);
void area_attach_locked(struct vm_area *a, struct vm_object *o, u64 index) REQUIRES(o->lock);
struct vm_object *area_detach(struct vm_area *a);
void area_detach_locked(struct vm_area *a);

extern const struct rb_tree area_tree_init;
void area_init(void);
void vm_area_file_hold(struct file *f);
void vm_area_file_drop(struct file *f);

/* ---- rmap.c: who maps a page ---- */
extern const struct rb_tree rmap_tree_init;
void rmap_insert(struct vm_object *o, struct vm_area *a);
void rmap_insert_after(struct vm_object *o, struct vm_area *a,
		       struct vm_area *at); /* cheaper where a continues at */
void rmap_erase(struct vm_object *o, struct vm_area *a);
void rmap_reorder(struct vm_object *o, struct vm_area *a, u64 old_index);
/* a's index or number of pages changed. */
static inline void rmap_resized(struct vm_object *o, struct vm_area *a, u64 old_index)
{
	if (likely(o->nareas == 1)) /* the tree is a alone */
		a->obj_max_last = area_last(a);
	else
		rmap_reorder(o, a, old_index);
}
struct vm_area *rmap_first(struct vm_object *o, u64 first,
			   u64 last); /* an area overlapping [first, last], lowest start first */
struct vm_area *rmap_next(struct vm_area *a, u64 first, u64 last);
/* All with the object's lock held: */
/* Several frames of one object, in index order as far as possible; other harts are interrupted once, or when r, an open round, is closed (NULL: none): */
void rmap_write_protect_all(struct frame **f, size_t n, struct tlb_round *r);
void rmap_unmap_unused(struct frame **f, size_t n,
		       struct tlb_round *r); /* where they were not used */
void rmap_unmap_all(struct frame **f, size_t n);
/* Unmaps f from every mapping reachable under this lock; true if mapcount reached 0. */
bool rmap_unmap(struct frame *f, struct tlb_round *r);
bool rmap_referenced(struct frame *f);
bool rmap_locked(struct frame *f); /* an area that sees it is mlocked */
/* Takes the vnode's pages in [first, last] out of the mappings of private shadows above it; copies: and the shadows' own pages over
 * them. Object unlocked; sleeps not. */
void rmap_unmap_shadows(struct vm_object *o, u64 first, u64 last, bool copies);

/* ---- words: what a slot of an object's tree holds (docs/reclaim.md) ---- */
#define WORD_KIND    3UL
#define WORD_SWAP    1UL
#define WORD_ZERO    2UL
#define WORD_HISTORY 3UL
#define WORD_SLOT(w) ((w) >> 2 & ((1UL << 38) - 1)) /* area and slot: see swap.c */
#define WORD_TIME(w) ((u32)((w) >> 40))
static inline struct frame *word_frame(uintptr_t w)
{
	return w & WORD_KIND ? NULL : (struct frame *)w;
}
static inline uintptr_t swap_word(u64 slot)
{
	return slot << 2 | WORD_SWAP;
}
static inline uintptr_t word_at(uintptr_t w, u32 time)
{
	return (w & ((1UL << 40) - 1)) | (u64)time << 40;
}
static inline bool word_is_swap(uintptr_t w)
{
	return (w & WORD_KIND) == WORD_SWAP;
}

/* ---- page.c: states of a frame in an object ---- */
void page_insert_locked(struct vm_object *o, struct frame *f, u64 index)
	REQUIRES(o->lock); /* accounting; the radix slot is set by the caller */
/* n new dirty pages of an anonymous object from index on; radix_insert_run's conditions hold. */
void page_insert_run_locked(struct vm_object *o, struct frame **f, u64 index, unsigned n)
	REQUIRES(o->lock);
int page_add(struct vm_object *o, struct frame *f, u64 index)
	REQUIRES(o->lock); /* radix + accounting; -ENOMEM without sleeping */
int page_add_from(struct vm_object *o, struct frame *f, u64 index, struct radix_reserve *r)
	REQUIRES(o->lock);
struct frame *page_lookup(const struct vm_object *o, u64 index)
	REQUIRES(o->lock); /* a word that is no frame: NULL */
static inline uintptr_t page_word(const struct vm_object *o, u64 index) REQUIRES(o->lock)
{
	return radix_get(&o->pages, index);
}
/* Takes f out of its object (locked, not busy unless ours, unmapped); its object's hold passes to the caller. */
void page_remove_locked(struct frame *f);
void page_detach(struct frame *f); /* the same, but the radix slot is already gone */
void page_move_locked(struct frame *f, struct vm_object *to,
		      u64 index);      /* same family; radix slots by the caller */
bool page_busy_try(struct frame *f);   /* locked; false: it is busy */
void page_unbusy(struct frame *f);     /* and wakes */
void page_unclean(struct frame *f);    /* CLEANING ends; wakes */
void frame_slot_free(struct frame *f); /* gives its swap slot up */
void page_leave_history(struct frame *f,
			u32 time);	       /* a clean, unmapped page of a vnode goes. Locked */
void page_wait(struct frame *f, u32 bits);     /* held, unlocked: until none of the bits */
int page_wait_kill(struct frame *f, u32 bits); /* -EINTR if a fatal signal came */
void page_set_dirty_locked(struct frame *f);
bool page_forget_failure(
	struct frame *f); /* locked, a file's page, not CLEANING: true if its last clean failed */
static inline bool page_has(const struct frame *f, u32 bits)
{
	return __atomic_load_n(&f->flags, __ATOMIC_ACQUIRE) & bits;
}
static inline u32 page_set(struct frame *f, u32 bits)
{
	chaos_point();
	return __atomic_fetch_or(&f->flags, bits, __ATOMIC_ACQ_REL);
}
/* Nobody knows it yet: an anonymous page just written. */
static inline void page_new(struct frame *f)
{
	__atomic_store_n(&f->flags, (f->flags & FR_USER) | FR_VALID | FR_REF | FR_DIRTY,
			 __ATOMIC_RELAXED);
}
static inline u32 page_clear(struct frame *f, u32 bits)
{
	chaos_point();
	return __atomic_fetch_and(&f->flags, ~bits, __ATOMIC_ACQ_REL);
}
void frames_release(struct frame **f, size_t n); /* ends n holds */

/* ---- object.c, shadow.c ---- */
/* Field markings and the corresponding locks:
 * (a) atomic   (c) constant
 */
struct vm_family {
	struct spinlock lock; /* (c) LOCK_OBJECT_FAMILY */
	u32 refs;	      /* (a) objects in it */
};
static inline bool object_is_anon(const struct vm_object *o)
{
	return o->kind == OBJ_ANON || o->kind == OBJ_SHADOW;
}
extern const struct vm_pager_ops anon_pager_ops, device_pager_ops;
static inline void object_hold(struct vm_object *o)
{
	if (o->ops->hold)
		o->ops->hold(o);
	else
		__atomic_fetch_add(&o->refs, 1, __ATOMIC_RELAXED);
}
struct vm_object *object_alloc(struct vm_family *fam); /* fam NULL: a new one */
void object_free(struct vm_object *o);		       /* empty and unlinked */
/* Frees the pages [first, last], which nobody maps or can see. Locked. */
void object_purge_locked(struct vm_object *o, u64 first, u64 last) REQUIRES(o->lock);
/* The pages [first, last] are seen by no area any more: frees them where nobody else can see them. Locked. */
void object_unseen_locked(struct vm_object *o, u64 first, u64 last) REQUIRES(o->lock);
/* Frees the pages [first, last] that nobody can see any more (their areas are unlinked already). Unlocked. */
void object_trim(struct vm_object *o, u64 first, u64 last);
/* Makes a shadow of a's object and puts it in the area's place. `fresh` comes from object_alloc: of the same family when the object is anon. Locked (object's). */
void shadow_insert(struct vm_area *a, struct vm_object *fresh);
/* After a reference went away: collapse or bypass what became possible around o. Locked; may free objects (returned in *dead for object_free after unlock). */
void shadow_simplify(struct vm_object *o, struct list *dead);
/* s lets go of its backing object if nothing can be seen through it; the caller drops what is returned (NULL: nothing). Locked. */
struct vm_object *shadow_bypass(struct vm_object *s);
void objects_reap(struct list *dead);
u64 shadow_depth(struct vm_object *o); /* locked */
void shadow_unlink_backing(
	struct vm_object
		*o); /* o->backing = NULL; the reference passes to the caller; locks of both held */

/* ---- fault.c ---- */
/* Faults in every page of [start, end) that its area allows; errors end it: 0 or -errno. Map unlocked. */
int fault_populate(struct vm_map *m, u64 start, u64 end);
/* The frame that is seen at addr (faulting it in), held; zero_frame is not held. Or ERR_PTR. Map unlocked. */
struct frame *fault_frame_at(struct vm_map *m, u64 addr, bool write);
/* Starts filling absent pages [index, index+n) of a vnode object; object unlocked. 0 or -ENOMEM when not even `index` could be started. */
int page_start_fill(struct vm_object *o, u64 index, size_t n);
/* How many pages from index on to ask for, by what ra has seen (updates it). */
u32 readahead_window(struct vm_readahead *ra, u64 index);
#define READAHEAD_DEFAULT 32 /* pages: 128 KiB */
void page_init(void);
void object_init(void);

/* ---- map.c ---- */

/* With vm.overcommit_memory 2: so many pages more of private writable memory may be promised. */
bool vm_may_commit(u64 pages);

/* What a call takes out of a map, and the areas it may need for splits; filled under the map's lock, released after. */
struct leaving {
	struct list areas; /* by leave_link; area->object and ->file are references to give up */
	struct vm_area *spare[2];
};
static inline void leaving_init(struct leaving *l)
{
	list_init(&l->areas);
	l->spare[0] = l->spare[1] = NULL;
}
int leaving_reserve(struct leaving *l, unsigned splits); /* at most 2; -ENOMEM */
void leaving_release_slow(struct leaving *l);
static inline void leaving_release(struct leaving *l) /* map unlocked; sleeps */
{
	if (!list_empty(&l->areas) || l->spare[0] || l->spare[1])
		leaving_release_slow(l);
}
/* unmap_locked will need a spare: the range lies inside one area. */
bool unmap_splits(struct vm_map *m, u64 start, u64 end);
/* Takes everything in [start, end) out of the map. Write-locked; a spare reserved if unmap_splits. Cannot fail. The first area above, or NULL. */
struct vm_area *unmap_locked(struct vm_map *m, u64 start, u64 end, struct leaving *l);
void clip_range(struct vm_map *m, u64 start, u64 end,
		struct leaving *l); /* no area crosses start or end */
const struct vm_file_hooks *vm_file_hooks(void);
/* The limits allow so many pages more of areas like this. Locked. */
bool vm_may_expand(const struct vm_map *m, u32 area_flags, u32 prot, u64 pages);
bool vm_may_lock(const struct vm_map *m, u64 pages); /* RLIMIT_MEMLOCK allows so many more */
u64 vm_lock_limit(void);
u64 vm_min_addr(void); /* the lowest address that the caller may ask for */
/* One past the highest page of a grows-down area: room to grow down by 1 GiB. */
#define STACK_INDEX (1UL << 18)
/* Makes the grows-down area above addr reach it; 0 or -ENOMEM. Map unlocked. */
int vm_grow_stack(struct vm_map *m, u64 addr);

/* ---- anon.c ---- */
/* A word that is no frame was taken out of o's tree: what it stands for is given up. Locked. */
void word_drop(struct vm_object *o, uintptr_t word);
/* A word moves to another object of the family. Locked. */
void word_moved(struct vm_object *from, struct vm_object *to, uintptr_t word);
/* Brings in the page at index whose word is no frame, and up to n - 1 that follow in the object and on the device: BUSY frames take the words' places.
 * o held, unlocked. *got (may be NULL): how many. 0 (also when somebody was faster), or -ENOMEM. */
int anon_bring_in(struct vm_object *o, u64 index, u32 n, u32 *got);
/* Begins to bring in those of the n pages from index on that are in swap, as far as there are frames. o held, unlocked. Sleeps not long. */
void anon_read_ahead(struct vm_object *o, u64 index, u32 n);
/* f (locked, not busy, unmapped, clean) leaves its object, and what can bring it back takes its place; o's hold passes to the caller. */
void anon_evict(struct frame *f, u32 time);
/* f's fill failed: the slot takes its place again (a file's: nothing). Locked; o's hold passes to the caller. */
void page_fill_failed(struct frame *f);
void anon_owns_slots(struct vm_object *o); /* puts o on the list that swapoff walks. Locked. */
void anon_forget(struct vm_object *o);	   /* o is about to be freed */
int anon_swapoff(u32 area);		   /* brings everything of that area back */
u64 anon_area_pages(struct vm_object *o, u64 first, u64 last); /* words that are in swap. Locked */

/* ---- swap.c: slots ---- */
void swap_init(void);
#define SWAP_CLUSTER 32u /* pages in one transfer */
/* At most n slots that follow one another: how many, the first in *slot. Any context. */
u32 swap_alloc(u32 n, u64 *slot);
void swap_free(u64 slot);
void swap_bad(u64 slot); /* a write failed: never used again once it is free */
u32 swap_slot_area(u64 slot);
/* How many slots from this one on lie together on the device, at most n; *dev and *sector: where. */
u32 swap_place(u64 slot, u32 n, struct block_dev **dev, u64 *sector);
bool swap_any_free(void);
bool swap_is_leaving(void); /* a swapoff is under way */
extern u64 swap_cached;	    /* atomic: frames with a slot */

/* ---- swapio.c ---- */
struct swap_io {
	struct list link;
	struct bio bio;
	struct bio_vec vecs[SWAP_CLUSTER];
	struct frame *frames[SWAP_CLUSTER];
	u64 slot; /* of the first */
	u32 n;
	bool write;
};
struct swap_io *swap_io_get(bool write); /* sleeps until one is free */
struct swap_io *swap_io_try(bool write); /* NULL: none is free */
void swap_io_put(struct swap_io *io);	 /* unused */
/* frames[0..n) to or from the slots from `slot` on; each is held for it, and BUSY or CLEANING. */
void swap_io_submit(struct swap_io *io);
u32 swap_writes(void); /* under way */
void swap_io_init(void);

/* ---- pagemap.c ---- */
void area_usage(struct vm_area *a, struct vm_area_usage *u); /* map locked */

/* ---- clock.c ---- */
void clock_init(void);
/* While a guard is held no object is freed, so that one can go from a frame to its object. No sleeping. */
void clock_guard(void);
void clock_unguard(void);
void clock_quiesce(void); /* waits until nobody who was in a guard still is */
/* Locks the object that f is in; NULL: it is in none. f need not be held. */
struct vm_object *frame_object_lock(struct frame *f);
u32 clock_time_of(const struct frame *f); /* what the page leaves behind if it goes now: a hint */
struct clock_sweep {
	u64 taken, washed, steps;
	u64 pending;	  /* sent to the laundry by now and not met since */
	bool dirty_files; /* dirty file pages were met */
	bool exhausted;	  /* it went all round for less than it was to bring */
};
/*
 * Sweeps until `want` frames came free or are being written, or it has been round four times; at most room go to the laundry.  One caller at a
 * time.
 */
void clock_sweep(struct clock_sweep *s, u64 want, u64 room);

/* ---- cold.c: on the pages of one object, first to last ---- */
void vm_object_cool(struct vm_object *o, u64 first, u64 last); /* they count as not used */
/* They go: clean ones at once, dirty ones to swap or their file. Pages of others, held or locked ones stay. Sleeps, holds o. */
void vm_object_push_out(struct vm_object *o, u64 first, u64 last);
/* Private pages of at most COLD_CHUNK, which nobody else sees, may be forgotten until they are stored to. Locked. */
#define COLD_CHUNK 32
void vm_object_free_lazily(struct vm_object *o, u64 first, u64 last);

/* ---- clock_trace.c ---- */

enum clock_ref_kind { CLOCK_REF_NEW, CLOCK_REF_AGAIN, CLOCK_REF_USED };
/* The clock met the page, for the first time or again, or found it used. The sweeper's. */
void clock_trace(const struct frame *f, enum clock_ref_kind kind);

/* ---- laundry.c ---- */
void laundry_init(void);
bool laundry_add(struct frame *f); /* locked, dirty; holds it. False: no room */
u32 laundry_room(void);
u32 laundry_waiting(void); /* pages in the ring */
bool laundry_busy(void);   /* there are some, or some are being prepared */
size_t laundry_run(void);  /* writes what waits; how many pages were started. Sleeps */
void laundry_try(void);	   /* the same, unless somebody does it */

/* ---- pageout.c ---- */
void pageout_init(void);
void pageout_progress(u64 frames); /* frames came free, or could now; any context */
size_t vm_reclaim(size_t want);	   /* sleeping context: frames freed */

#endif
