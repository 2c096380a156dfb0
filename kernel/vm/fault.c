// SPDX-License-Identifier: BSD-2-Clause
/*
 * Page faults.
 *
 * One struct fault goes through small steps.  A pass holds the map (read), finds the area, locks its object, walks the shadow chain to the page, and either maps it
 * or finds out what is missing (memory, a shadow, a page on disk, blocks for a file page).  What is missing is got with the
 * locks dropped, kept in the struct, and the pass starts again: nothing sleeps under a spin lock, and every pass decides on facts it sees itself.
 *
 *	write, private, needs-copy	make a shadow (or take the object over when nobody else refers to it)
 *	page in the top object		map it; a write marks it dirty
 *	page below, read		map it read-only, and its resident neighbours (fault-around) if it is a file's
 *	page below, write		copy it into the top object
 *	no page, anonymous		read: the zero page; write, or shared: a zeroed page in the top object
 *	no page, file			start the fill with read-ahead, wait, look again
 *
 * Locks: map (read) -> object's lock (family; then the vnode at the bottom) -> PTE.  A fault that finds its PTE already good is spurious (another thread was
 * faster, or this hart remembered the invalid entry): it flushes that address on this hart.
 */
#include "kernel/lib/ref.h"
#include "kernel/vm/fault.h"

#define SIGBUS	    7
#define SIGSEGV	    11
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRERR  2

#define COLD __attribute__((noinline)) /* keeps the common way short */

static COLD enum outcome fail(struct fault *ft, int err, int sig, int code)
{
	ft->err = err;
	ft->sig = sig;
	ft->code = code;
	return FAIL;
}

static inline NO_TS void unlock_object(struct fault *ft)
{
	if (unlikely(ft->lower)) {
		spin_unlock(ft->lower);
		ft->lower = NULL;
	}
	if (ft->top) {
		spin_unlock(ft->top->lock);
		ft->top = NULL;
	}
}

static NO_TS void unlock_all(struct fault *ft)
{
	unlock_object(ft);
	if (ft->area)
		rw_unlock_read(&ft->map->lock);
	ft->area = NULL;
}

static void drop_spare(struct fault *ft)
{
	if (ft->spare)
		vm_page_put(ft->spare);
	if (ft->spare_src)
		vm_page_put(ft->spare_src);
	ft->spare = ft->spare_src = NULL;
	if (ft->planned)
		window_drop(ft);
}

/* Every exit comes here. */
static void teardown(struct fault *ft)
{
	unlock_all(ft);
	if (ft->spare || ft->spare_src || ft->planned)
		drop_spare(ft);
	if (unlikely(ft->fresh))
		object_free(ft->fresh);
	if (unlikely(ft->nodes.n))
		radix_reserve_free(&ft->nodes);
	if (unlikely(ft->drop))
		vm_object_drop(ft->drop);
}

/* ---- getting what is missing, spin locks dropped ---- */

static COLD enum outcome no_memory(struct fault *ft)
{
	unlock_all(ft);
	if (vm_reclaim(32))
		return AGAIN;
	return fail(ft, -ENOMEM, SIGBUS, BUS_ADRERR);
}

static COLD enum outcome get_tables(struct fault *ft)
{
	int err;

	unlock_object(ft);
	err = pmap_prepare(&ft->map->pmap, ft->va);
	return err ? no_memory(ft) : AGAIN;
}

static COLD enum outcome get_nodes(struct fault *ft)
{
	unlock_object(ft);
	return radix_reserve_fill(&ft->nodes, true) ? no_memory(ft) : AGAIN;
}

/* A frame for the new page: zeroed, or a copy of src (which is held meanwhile); and those that go with it. */
static enum outcome get_spare(struct fault *ft, struct frame *src)
{
	struct frame *f;

	if (src)
		vm_page_hold(src);
	drop_spare(ft);
	window_plan(ft, src);
	unlock_object(ft);
	f = frame_alloc(FA_USER | (src ? 0 : FA_ZERO));
	if (!f) {
		if (src)
			vm_page_put(src);
		return no_memory(ft);
	}
	if (src) {
		page_copy(frame_va(f), frame_va(src));
		vm_count(VMEV_cow_copies, 1);
	}
	ft->spare = f;
	ft->spare_src = src;
	window_fill(ft);
	return AGAIN;
}

/* A zeroed frame was at hand: the others that go with it. */
static COLD enum outcome get_window(struct fault *ft)
{
	unlock_object(ft);
	window_fill(ft);
	return AGAIN;
}

static COLD enum outcome get_fresh(struct fault *ft, struct vm_family *fam)
{
	/* the family stays: our area's object is in it and the map is locked */
	if (fam)
		ref_get_first(&fam->refs);
	unlock_object(ft);
	if (ft->fresh)
		object_free(ft->fresh);
	ft->fresh = object_alloc(fam);
	if (fam)
		ref_put(&fam->refs);
	return ft->fresh ? AGAIN : no_memory(ft);
}

static COLD enum outcome wait_busy(struct fault *ft)
{
	struct frame *f = ft->frame;
	int err;

	vm_page_hold(f);
	unlock_all(ft);
	err = page_wait_kill(f, FR_BUSY);
	vm_page_put(f);
	return err ? fail(ft, -EINTR, 0, 0) : AGAIN;
}

/* The page is not in memory: read it, and its neighbours as the area's access pattern suggests. */
static COLD enum outcome read_in(struct fault *ft)
{
	struct vm_object *o = ft->found;
	struct vm_readahead *ra = &ft->area->ra;
	u64 index = ft->found_index, from = index;
	size_t n = 1;
	int err;

	if (!(ft->area->flags & AREA_RANDOM) && !ft->alone) {
		if (index == ra->next || (ft->area->flags & AREA_SEQUENTIAL)) {
			n = readahead_window(ra, index);
		} else {
			from = ALIGN_DOWN(index, WINDOW);
			n = WINDOW - (index - from);
		}
		ra->next = index + n;
	}
	vm_object_hold(o);
	unlock_all(ft);
	vm_count(VMEV_pgmajfault, 1);
	err = page_start_fill(o, index, n);
	if (!err && from < index)
		vm_object_readahead(o, from, index - from);
	vm_object_drop(o);
	if (err == -ENOMEM)
		return no_memory(ft);
	return err && err != -ENXIO ? fail(ft, -EFAULT, SIGBUS, BUS_ADRERR) : AGAIN;
}

#define NEAR 32 /* pages between two that were not there: what lies between was there, and used */

/* How many pages to bring in with one from swap. In between, others may be in memory still. */
static u32 swap_window(struct fault *ft)
{
	struct vm_readahead *ra = &ft->area->ra;
	u64 index = ft->found_index;

	if (index > ra->next && index - ra->next < NEAR)
		ra->next = index;
	return readahead_window(ra, index);
}

/* The page is in swap, or known to be zero. */
static enum outcome swap_in(struct fault *ft)
{
	struct vm_object *o = ft->found;
	struct vm_readahead *ra = &ft->area->ra;
	u64 index = ft->found_index;
	u32 n = 1, got;
	int err;

	if (!(ft->area->flags & AREA_RANDOM) && !ft->alone)
		n = swap_window(ft);
	/* the area does not keep even the top of its chain, which may be merged with what lies below */
	vm_object_hold(o);
	unlock_object(ft);
	vm_count(VMEV_pgmajfault, 1);
	err = anon_bring_in(o, index, n, &got);
	if (!err && got < n)
		anon_read_ahead(o, index + got, n - got);
	ra->next = ra->ahead = index + n;
	unlock_all(ft);
	vm_object_drop(o);
	return err ? no_memory(ft) : AGAIN;
}

/* Reading in order has come near the end of what was asked for: the next pages are brought in meanwhile. */
static bool ahead_is_due(const struct fault *ft)
{
	const struct vm_readahead *ra = &ft->area->ra;
	u64 index = ft->found_index;

	return READ_ONCE(ft->found->swapped) && ra->window > 1 && index < ra->ahead &&
	       ra->ahead - index <= ra->window && !(ft->area->flags & AREA_RANDOM);
}

static COLD enum outcome swap_ahead(struct fault *ft)
{
	struct vm_object *o = ft->found;
	struct vm_readahead *ra = &ft->area->ra;
	u64 from = ra->ahead;

	ra->window = MIN(ra->window * 2, (u32)READAHEAD_DEFAULT);
	ra->next = ra->ahead = from + ra->window;
	vm_object_hold(o);
	unlock_object(ft);
	anon_read_ahead(o, from, ra->window);
	unlock_all(ft);
	vm_object_drop(o);
	return AGAIN;
}

/* A file page is about to be dirtied: its blocks must exist. */
static COLD enum outcome reserve_blocks(struct fault *ft)
{
	struct vm_object *o = ft->found;
	struct frame *f = ft->frame;
	u64 index = ft->found_index;
	int err;

	vm_page_hold(f);
	vm_object_hold(o);
	unlock_all(ft);
	err = o->ops->reserve(o, index, 1);
	if (!err)
		page_set(f, FR_RESERVED);
	vm_page_put(f);
	vm_object_drop(o);
	if (err == -EINTR)
		return fail(ft, -EINTR, 0, 0);
	return err ? fail(ft, -EFAULT, SIGBUS, BUS_ADRERR) : AGAIN;
}

/* ---- mapping ---- */

static enum outcome entered(struct fault *ft, int r)
{
	if (unlikely(r == -ENOMEM))
		return get_tables(ft);
	if (unlikely(r == PMAP_PRESENT)) {
		/* proved spurious: the entry is what we would have made it */
		unlock_object(ft);
		sfence_vma_page(ft->va);
		vm_count(VMEV_fault_spurious, 1);
		return DONE;
	}
	unlock_object(ft);
	if (ft->batch.start < ft->batch.end)
		tlb_finish(&ft->batch);
	return DONE;
}

static enum outcome map_frame(struct fault *ft, bool writable)
{
	struct frame *f = ft->frame;

	if (!(READ_ONCE(f->flags) & FR_REF))
		page_set(f, FR_REF);
	return entered(ft,
		       pmap_enter(&ft->map->pmap, ft->va, f, ft->area->prot, writable, &ft->batch));
}

/* The same, and the resident pages around it. */
static enum outcome map_with_around(struct fault *ft, bool writable)
{
	struct frame *f = ft->frame;
	int r;

	if (!(READ_ONCE(f->flags) & FR_REF))
		page_set(f, FR_REF);
	r = pmap_enter(&ft->map->pmap, ft->va, f, ft->area->prot, writable, &ft->batch);
	if (r == 0 && !(ft->area->flags & AREA_RANDOM) && area_pages(ft->area) > 1)
		window_map_resident(ft, writable);
	return entered(ft, r);
}

/* Puts the spare into the top object and maps it, writable if that is the area's own. */
static NO_TS enum outcome insert_spare(struct fault *ft)
{
	struct frame *f = ft->spare;
	struct vm_object *top = ft->top;
	/* a hole of a memfd or tmpfs file that was only read: the page is the file's */
	bool mine = (ft->area->flags & AREA_SHARED) || !ft->area->needs_copy;
	bool shared = ft->area->flags & AREA_SHARED;
	int r;

	if (unlikely(radix_insert(&top->pages, ft->index, (uintptr_t)f,
				  ft->nodes.n ? &ft->nodes : NULL)))
		return get_nodes(ft);
	page_new(f);
	page_insert_locked(top, f, ft->index);
	ft->spare = NULL;
	r = pmap_enter(&ft->map->pmap, ft->va, f, ft->area->prot, mine, &ft->batch);
	if (r == 0 && ft->nextra)
		window_insert(ft);
	if (ft->lower)
		spin_unlock(ft->lower);
	ft->lower = NULL;
	if (top->kind == OBJ_SHADOW && !shared && !ft->drop)
		ft->drop = shadow_bypass(top);
	return entered(ft, r);
}

static enum outcome map_new_page(struct fault *ft, struct frame *src)
{
	if (!ft->spare || ft->spare_src != src)
		return get_spare(ft, src);
	if (!ft->planned && window_plan(ft, src))
		return get_window(ft);
	return insert_spare(ft);
}

/* ---- the chain ---- */

/* Finds the topmost page. Sets found, found_index, frame, lower. */
static NO_TS void search(struct fault *ft)
{
	struct vm_object *o = ft->top;
	u64 index = ft->index;

	for (;;) {
		struct vm_object *below;

		ft->word = page_word(o, index);
		if (ft->word)
			break;
		below = o->backing;
		if (o->kind == OBJ_DEVICE || !below)
			break;
		index += o->backing_index;
		if (below->lock != o->lock) {
			spin_lock(below->lock);
			ft->lower = below->lock;
		}
		o = below;
	}
	ft->frame = word_frame(ft->word);
	ft->found = o;
	ft->found_index = index;
}

static bool beyond_end(const struct vm_object *o, u64 index)
{
	return (o->kind == OBJ_VNODE || o->sized) && index >= DIV_ROUND_UP(o->size, PAGE_SIZE);
}

#define FEW_SHADOWS 8u

/*
 * Nobody but a sees a's pages of o, its anonymous object: only areas and shadows refer to o, and where it was split none of the others covers them.
 * Shadows made over the rest of o later do not reach them either.
 */
static bool sole_viewer(struct vm_area *a, struct vm_object *o)
{
	u64 first = a->index, last = area_last(a);
	struct vm_object *s;

	if (READ_ONCE(o->refs) == 1)
		return true;
	if (READ_ONCE(o->refs) != o->nareas + o->nshadows || o->nshadows > FEW_SHADOWS ||
	    rmap_first(o, first, last) != a || rmap_next(a, first, last))
		return false;
	list_for_each(s, &o->shadows, shadow_link)
		if (s->backing_index <= last && s->backing_index + (s->size >> PAGE_SHIFT) > first)
			return false;
	return true;
}

/* Private and needs-copy: after this the top object is ours to write. */
static COLD NO_TS enum outcome own_object(struct fault *ft)
{
	struct vm_object *o = ft->top;
	struct vm_family *fam = object_is_anon(o) ? o->family : NULL;

	if (object_is_anon(o) && sole_viewer(ft->area, o)) {
		ft->area->needs_copy = false;
		vm_count(VMEV_shadow_reused, 1);
		return DONE;
	}
	if (!ft->fresh || (fam && ft->fresh->family != fam) ||
	    (!fam && ft->fresh->family->refs != 1))
		return get_fresh(ft, fam);
	shadow_insert(ft->area, ft->fresh);
	ft->fresh = NULL;
	if (!fam) {
		/* the vnode's lock is held, the shadow's family is another */
		spin_unlock(o->lock);
		ft->top = NULL;
		return AGAIN;
	}
	ft->top = ft->area->object;
	ft->index = area_index(ft->area, ft->va);
	return DONE;
}

/* A file's times have to be set. */
static void note_stored(struct vm_object *o)
{
	if ((o->kind == OBJ_VNODE || o->sized) && !o->stored)
		__atomic_store_n(&o->stored, 1, __ATOMIC_RELAXED);
}

static enum outcome found_in_top(struct fault *ft, bool write)
{
	struct frame *f = ft->frame;
	struct vm_area *a = ft->area;
	bool mine = (a->flags & AREA_SHARED) || !a->needs_copy;

	if (write) {
		if (ft->found->ops->reserve && !page_has(f, FR_RESERVED))
			return reserve_blocks(ft);
		page_set_dirty_locked(f);
		if (ft->found->kind == OBJ_VNODE && !(READ_ONCE(f->flags) & FR_STORED))
			page_set(f, FR_STORED);
		note_stored(ft->found);
		return ft->found->kind == OBJ_VNODE ? map_frame(ft, true)
						    : map_with_around(ft, true);
	}
	/* already dirty: a store needs no second fault */
	return map_with_around(ft, mine && ft->found->kind != OBJ_VNODE &&
					   (READ_ONCE(f->flags) & (FR_DIRTY | FR_CLEANING)) ==
						   FR_DIRTY);
}

static enum outcome no_page(struct fault *ft, bool write)
{
	struct vm_object *o = ft->found;

	if (o->kind == OBJ_VNODE)
		return read_in(ft);
	if (ft->word)
		return swap_in(ft);
	if (unlikely(ft->map->reaped))
		return fail(ft, -EFAULT, SIGBUS, BUS_ADRERR);
	if (!write && !(ft->area->flags & AREA_SHARED) && !o->sized) {
		int r = pmap_enter_zero(&ft->map->pmap, ft->va, window_zero(ft), ft->area->prot);

		vm_count(VMEV_zero_page_reads, 1);
		return entered(ft, r);
	}
	if (write && (ft->area->flags & AREA_SHARED))
		note_stored(o);
	return map_new_page(ft, NULL);
}

/* The area's object is locked. */
static enum outcome resolve(struct fault *ft)
{
	bool write = ft->access & VM_ACCESS_WRITE, private = !(ft->area->flags & AREA_SHARED);
	struct frame *f;
	u32 flags;

	if (write && private && ft->area->needs_copy) {
		enum outcome r = own_object(ft);

		if (r != DONE)
			return r;
	}
	search(ft);
	if (ft->found->kind == OBJ_DEVICE) {
		paddr_t pa = (ft->found->backing_index + ft->found_index) << PAGE_SHIFT;

		return entered(ft, pmap_enter_device(&ft->map->pmap, ft->va, pa, ft->area->prot));
	}
	f = ft->frame;
	if (beyond_end(ft->found, ft->found_index))
		return fail(ft, -EFAULT, SIGBUS, BUS_ADRERR);
	if (!f)
		return no_page(ft, write);
	if (object_is_anon(ft->found) && unlikely(ahead_is_due(ft)))
		return swap_ahead(ft);
	/* one look: a fill that ends between two would seem neither busy nor valid */
	flags = __atomic_load_n(&f->flags, __ATOMIC_ACQUIRE);
	if (unlikely((flags & (FR_VALID | FR_BUSY)) != FR_VALID)) {
		if (flags & FR_BUSY)
			return wait_busy(ft);
		page_fill_failed(f);
		vm_page_put(f);
		/* it may be another page of the cluster that cannot be read, or long ago: this one is tried once more alone */
		if (!ft->alone) {
			ft->alone = true;
			unlock_object(ft);
			return AGAIN;
		}
		return fail(ft, -EFAULT, SIGBUS, BUS_ADRERR);
	}
	if (ft->found == ft->top && (!private || object_is_anon(ft->top) || !write))
		return found_in_top(ft, write);
	if (write)
		return map_new_page(ft, f);
	return map_with_around(ft, false);
}

/* ---- areas ---- */

/* First touch of an anonymous area. */
static COLD enum outcome first_object(struct fault *ft)
{
	struct vm_area *a = ft->area;

	if (!ft->fresh)
		return get_fresh(ft, NULL);
	spin_lock(&ft->map->attach_lock);
	if (!a->objlock) {
		ft->fresh->size = a->end - a->start;
		a->needs_copy = false;
		area_attach(a, ft->fresh, a->index);
		ft->fresh = NULL;
	}
	spin_unlock(&ft->map->attach_lock);
	return AGAIN;
}

/* A read of an anonymous area without an object; the lock keeps it without. */
static enum outcome untouched(struct fault *ft)
{
	struct vm_area *a = ft->area;
	int r;

	spin_lock(&ft->map->attach_lock);
	if (unlikely(a->objlock)) {
		spin_unlock(&ft->map->attach_lock);
		return AGAIN;
	}
	r = pmap_enter_zero(&ft->map->pmap, ft->va, window_zero(ft), a->prot);
	spin_unlock(&ft->map->attach_lock);
	return entered(ft, r);
}

static enum outcome in_area(struct fault *ft)
{
	struct vm_area *a = ft->area;
	bool write = ft->access & VM_ACCESS_WRITE;
	enum outcome r;

	/* most first writes to anonymous memory want a zeroed page: get it while nothing is locked */
	if (write && !ft->spare && !(a->flags & AREA_SHARED) && !a->file && !a->needs_copy &&
	    (!a->object || a->object->kind == OBJ_ANON) && !pmap_present(&ft->map->pmap, ft->va))
		ft->spare = frame_alloc(FA_USER | FA_ZERO);
	do {
		ft->top = area_lock_object(a);
		if (!ft->top) {
			r = write ? first_object(ft) : untouched(ft);
			continue;
		}
		ft->index = area_index(a, ft->va);
		r = resolve(ft);
	} while (r == AGAIN && ft->area);
	return r;
}

static bool access_allowed(const struct vm_area *a, unsigned access)
{
	if (access & VM_ACCESS_WRITE)
		return a->prot & PROT_WRITE;
	if (access & VM_ACCESS_EXEC)
		return a->prot & PROT_EXEC;
	return a->prot & (PROT_READ | PROT_WRITE);
}

static COLD NO_TS enum outcome no_area(struct fault *ft, bool grows)
{
	rw_unlock_read(&ft->map->lock);
	ft->area = NULL;
	if (grows && vm_grow_stack(ft->map, ft->va) == 0)
		return AGAIN;
	return fail(ft, -EFAULT, SIGSEGV, SEGV_MAPERR);
}

/* The map is locked; a: what area_find found. */
static enum outcome one_pass(struct fault *ft, struct vm_area *a)
{
	ft->area = a;
	if (unlikely(!a || ft->va < a->start))
		return no_area(ft, a && (a->flags & AREA_GROWSDOWN));
	if (unlikely(!access_allowed(a, ft->access)))
		return fail(ft, -EFAULT, SIGSEGV, SEGV_ACCERR);
	if (unlikely(ft->planned)) /* the map was unlocked meanwhile: the area may be another */
		window_drop(ft);
	return in_area(ft);
}

/* Field by field: the compiler would call memset, which costs more than a fault's lookup. found, frame and index are set by each pass. */
static void fault_init(struct fault *ft, struct vm_map *m, u64 va, unsigned access)
{
	ft->map = m;
	ft->va = va;
	ft->access = access;
	ft->area = NULL;
	ft->top = NULL;
	ft->lower = NULL;
	ft->spare = ft->spare_src = NULL;
	ft->planned = false;
	ft->nextra = 0;
	ft->fresh = NULL;
	ft->nodes.free = NULL;
	ft->nodes.n = 0;
	ft->drop = NULL;
	ft->alone = false;
	tlb_begin(&ft->batch, &m->pmap);
}

/* The map is locked for reading and a found in it. */
static COLD NO_TS int fault_in(struct vm_map *m, u64 va, unsigned access, struct vm_area *a,
			       int *sig, int *code)
{
	struct fault ft;
	enum outcome r;

	fault_init(&ft, m, va, access);
	while ((r = one_pass(&ft, a)) == AGAIN) {
		rw_lock_read(&m->lock);
		a = area_find(m, va);
	}
	teardown(&ft);
	if (r == DONE)
		return 0;
	*sig = ft.sig;
	*code = ft.code;
	return ft.err;
}

/* What quick.c can do. The map is locked for reading and a found in it. */
static inline bool quick(struct vm_map *m, u64 va, unsigned access, struct vm_area *a)
{
	if (!a || va < a->start)
		return false;
	if (access == VM_ACCESS_READ)
		return !READ_ONCE(a->objlock) && (a->prot & (PROT_READ | PROT_WRITE)) &&
		       quick_read(m, va, a);
	if (access != VM_ACCESS_WRITE || !(a->prot & PROT_WRITE) || (a->flags & AREA_SHARED))
		return false;
	if (a->file)
		return quick_file_copy(m, va, a);
	return !READ_ONCE(a->objlock) && quick_first_write(m, va, a);
}

NO_TS int vm_fault(struct vm_map *m, u64 addr, unsigned access, int *sig, int *code)
{
	u64 va = ALIGN_DOWN(addr, PAGE_SIZE);
	struct vm_area *a;

	vm_count(VMEV_pgfault, 1);
	if (unlikely(addr >= USER_END)) {
		*sig = SIGSEGV;
		*code = SEGV_MAPERR;
		return -EFAULT;
	}
	rw_lock_read(&m->lock);
	a = area_find(m, va);
	if (quick(m, va, access, a)) {
		rw_unlock_read(&m->lock);
		return 0;
	}
	return fault_in(m, va, access, a, sig, code);
}

/* ---- faults made on purpose ---- */

/* When nothing is left somebody dies for it, as for any other fault. Map unlocked. */
static int fault_for_kernel(struct vm_map *m, u64 va, unsigned access)
{
	int err, sig, code;

	do
		err = vm_fault(m, va, access, &sig, &code);
	while (err == -ENOMEM && frames_oom());
	return err;
}

int fault_populate(struct vm_map *m, u64 start, u64 end)
{
	for (u64 va = start; va < end; va += PAGE_SIZE) {
		struct vm_area *a;
		unsigned access;
		int err;

		rw_lock_read(&m->lock);
		a = area_find(m, va);
		if (!a || va < a->start) {
			rw_unlock_read(&m->lock);
			return -ENOMEM;
		}
		access = (a->prot & PROT_WRITE) && !(a->flags & AREA_SHARED) ? VM_ACCESS_WRITE
									     : VM_ACCESS_READ;
		if (!(a->prot & (PROT_READ | PROT_WRITE | PROT_EXEC)))
			access = 0;
		else if (!(a->prot & (PROT_READ | PROT_WRITE)))
			access = VM_ACCESS_EXEC;
		rw_unlock_read(&m->lock);
		if (!access)
			return -ENOMEM;
		if (pte_allows(pmap_lookup(&m->pmap, va), access))
			continue;
		err = fault_for_kernel(m, va, access);
		if (err)
			return err == -EFAULT ? -ENOMEM : err;
	}
	return 0;
}

struct frame *fault_frame_at(struct vm_map *m, u64 addr, bool write)
{
	unsigned access = write ? VM_ACCESS_WRITE : VM_ACCESS_READ;
	u64 va = ALIGN_DOWN(addr, PAGE_SIZE);

	for (;;) {
		struct fault ft = {.map = m, .va = va};
		struct frame *f = NULL;
		pte_t pte;
		int err;

		rw_lock_read(&m->lock);
		ft.area = area_find(m, va);
		if (ft.area && va >= ft.area->start && (ft.top = area_lock_object(ft.area))) {
			ft.index = area_index(ft.area, va);
			search(&ft);
			pte = pmap_lookup(&m->pmap, va);
			if (ft.found->kind == OBJ_DEVICE && pte_allows(pte, access)) {
				f = pa_frame(PTE_PA(pte));
				if (f)
					vm_page_hold(f);
				else
					f = ERR_PTR(-EFAULT);
			} else if (pte_allows(pte, access) && ft.frame &&
				   PTE_PA(pte) == frame_pa(ft.frame)) {
				f = ft.frame;
				vm_page_hold(f);
			} else if (!write && pte_allows(pte, access) &&
				   PTE_PA(pte) == frame_pa(zero_frame)) {
				f = zero_frame;
			}
			unlock_object(&ft);
		} else if (ft.area && va >= ft.area->start && !write &&
			   PTE_PA(pmap_lookup(&m->pmap, va)) == frame_pa(zero_frame)) {
			f = zero_frame;
		}
		rw_unlock_read(&m->lock);
		if (f)
			return f;
		err = fault_for_kernel(m, va, access);
		if (err)
			return ERR_PTR(err);
	}
}

int vm_pin(struct vm_map *m, u64 addr, bool write, struct frame **out)
{
	struct frame *f = addr < USER_END ? fault_frame_at(m, addr, write) : ERR_PTR(-EFAULT);

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	if (f == zero_frame)
		vm_page_hold(f);
	*out = f;
	return 0;
}

int vm_clear(struct vm_map *m, u64 addr, size_t n)
{
	while (n) {
		size_t part = MIN(n, PAGE_SIZE);
		ssize_t got = vm_access(m, addr, frame_va(zero_frame), part, true);

		if (got != (ssize_t)part)
			return got < 0 ? (int)got : -EFAULT;
		addr += part;
		n -= part;
	}
	return 0;
}

ssize_t vm_access(struct vm_map *m, u64 addr, void *buf, size_t n, bool write)
{
	size_t done = 0;

	while (done < n) {
		u64 at = addr + done, off = at & PAGE_MASK;
		size_t len = MIN(n - done, PAGE_SIZE - off);
		struct frame *f = at < USER_END ? fault_frame_at(m, at, write) : ERR_PTR(-EFAULT);

		if (IS_ERR(f))
			return done ? (ssize_t)done : PTR_ERR(f);
		if (write)
			memcpy((u8 *)frame_va(f) + off, (u8 *)buf + done, len);
		else
			memcpy((u8 *)buf + done, (u8 *)frame_va(f) + off, len);
		if (f != zero_frame)
			vm_page_put(f);
		done += len;
	}
	return done;
}
