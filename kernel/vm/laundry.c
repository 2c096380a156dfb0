// SPDX-License-Identifier: BSD-2-Clause
/*
 * The laundry: dirty anonymous pages that the clock chose are written to swap.
 *
 *	clock -> ring of frames (held, FR_LAUNDRY) -> batch, sorted by object and index -> slots that follow one another -> one transfer
 *
 * A transfer takes whatever lies in the ring, of any object: slots in a row make it one write, and sorting lets neighbours in an object be
 * neighbours on the device, so that they can be read back together.
 *
 * A page is prepared under its object's lock: CLEANING, no longer DIRTY, a stale slot freed, no W in any mapping.  From then on a store makes it
 * dirty again and is not lost.  A page that proves to be all zero needs no slot and is clean at once.  Held pages are left alone: who holds one may be
 * writing to it.
 *
 * Locks: ring_lock (LOCK_CLOCK) for the ring.  One thread runs the laundry at a time (run_mutex).
 */
#include "kernel/vm/vm_internal.h"

#define RING  512u
#define BATCH 128u
#define AHEAD 256u /* pages whose mappings go together */

static struct spinlock ring_lock = SPINLOCK_INIT(LOCK_CLOCK, "laundry");
static struct frame *ring[RING]; /* ring_lock */
static u32 first, count;	 /* ring_lock */
static u32 in_hand;		 /* (a) of the batch under work, not yet a transfer or let go */
static struct mutex run_mutex;

/* Field markings and the corresponding locks:
 * (r) run_mutex
 */
static struct {
	struct item {
		struct frame *f;     /* (r) */
		struct vm_object *o; /* (r) as a guess, to sort by */
		u64 index;	     /* (r) the same */
	} items[BATCH];		     /* (r) */
	u32 n;			     /* (r) */
	struct swap_io *io;	     /* (r) transfer being filled */
	u64 next, end;		     /* (r) slots allocated and not used yet */
	size_t started;		     /* (r) */
	struct frame *ahead[AHEAD];  /* (r) */
	u32 unmapped;		     /* (r) items around which nothing unused is mapped */
} run;

void laundry_init(void)
{
	mutex_init(&run_mutex, LOCK_LAUNDRY, "laundry");
}

bool laundry_add(struct frame *f)
{
	bool ok;

	vm_page_hold(f);
	page_set(f, FR_LAUNDRY);
	spin_lock(&ring_lock);
	ok = count < RING;
	if (ok)
		ring[(first + count++) % RING] = f;
	spin_unlock(&ring_lock);
	if (!ok) {
		page_clear(f, FR_LAUNDRY);
		vm_page_put(f);
	}
	return ok;
}

u32 laundry_waiting(void)
{
	return READ_ONCE(count);
}

bool laundry_busy(void)
{
	return __atomic_load_n(&count, __ATOMIC_ACQUIRE) || READ_ONCE(in_hand);
}

u32 laundry_room(void)
{
	return RING - READ_ONCE(count);
}

static void take_batch(void)
{
	spin_lock(&ring_lock);
	WRITE_ONCE(in_hand, MIN(count, BATCH));
	__atomic_thread_fence(__ATOMIC_RELEASE); /* before count goes down: see laundry_busy */
	for (run.n = 0; run.n < BATCH && count; run.n++, count--) {
		struct frame *f = ring[first];

		first = (first + 1) % RING;
		run.items[run.n] = (struct item){f, READ_ONCE(f->object), READ_ONCE(f->index)};
	}
	spin_unlock(&ring_lock);
}

static bool before(const struct item *a, const struct item *b)
{
	return a->o != b->o ? a->o < b->o : a->index < b->index;
}

/* Shell sort: the batch is small and often nearly in order. */
static void sort_batch(void)
{
	for (u32 gap = BATCH / 4; gap; gap /= 4)
		for (u32 i = gap; i < run.n; i++) {
			struct item it = run.items[i];
			u32 k = i;

			for (; k >= gap && before(&it, &run.items[k - gap]); k -= gap)
				run.items[k] = run.items[k - gap];
			run.items[k] = it;
		}
}

/* ---- one transfer ---- */

static void submit(void)
{
	if (!run.io)
		return;
	if (run.io->n)
		swap_io_submit(run.io);
	else
		swap_io_put(run.io);
	run.io = NULL;
}

/* Slots and a transfer for them; false: no slot is free. A transfer is over slots in one row. */
static bool prepare(void)
{
	if (run.next == run.end) {
		u32 got;

		submit();
		got = swap_alloc(SWAP_CLUSTER, &run.next);
		run.end = run.next + got;
		if (!got)
			return false;
	}
	if (!run.io)
		run.io = swap_io_get(true);
	if (!run.io->n)
		run.io->slot = run.next;
	return true;
}

/* What may go into the transfer: the slots left, as far as they lie in one place on the device. */
static u32 transfer_room(void)
{
	struct block_dev *dev;
	u64 sector;
	u32 all = run.io->n + (u32)(run.end - run.next);

	return MIN(swap_place(run.io->slot, all, &dev, &sector), SWAP_CLUSTER) - run.io->n;
}

static void give_back_slots(void)
{
	while (run.next < run.end)
		swap_free(run.next++);
}

/* f may be written now. Locked. */
static bool ready(const struct frame *f)
{
	u32 flags = READ_ONCE(f->flags);

	return (flags & (FR_VALID | FR_DIRTY | FR_BUSY | FR_CLEANING)) == (FR_VALID | FR_DIRTY) &&
	       READ_ONCE(f->holds) == (flags & FR_LAUNDRY ? 2 : 1);
}

static void begin(struct frame *f)
{
	page_set(f, FR_CLEANING);
	page_clear(f, FR_DIRTY | FR_ERROR);
	if (f->swap_slot)
		frame_slot_free(f);
	vm_page_hold(f);
}

/* f is CLEANING and write-protected: it gets the next slot, or is zero and done. o locked. */
static void write_one(struct vm_object *o, struct frame *f)
{
	if (page_is_zero(frame_va(f))) {
		page_unclean(f);
		vm_page_put(f);
		return;
	}
	f->swap_slot = swap_word(run.next++);
	__atomic_fetch_add(&swap_cached, 1, __ATOMIC_RELAXED);
	anon_owns_slots(o);
	run.io->frames[run.io->n++] = f;
	run.started++;
}

/* A page that was written with others, which failed: alone to the same slot, so that it is known which is bad. */
static NO_TS void write_alone(struct frame *f)
{
	struct swap_io *io = swap_io_get(true);
	struct vm_object *o = frame_object_lock(f);

	if (o && ready(f) && f->swap_slot) {
		page_set(f, FR_CLEANING);
		page_clear(f, FR_DIRTY | FR_ERROR);
		vm_page_hold(f);
		rmap_write_protect_all(&f, 1, NULL);
		io->slot = WORD_SLOT(f->swap_slot);
		io->frames[io->n++] = f;
		run.started++;
	} else {
		page_clear(f, FR_ERROR);
	}
	if (o)
		spin_unlock(o->lock);
	if (io->n)
		swap_io_submit(io);
	else
		swap_io_put(io);
}

/* Goes along with what the clock chose: a neighbour that it has seen, and that was not used since. Locked. */
static bool may_go_along(struct frame *f)
{
	u32 flags = READ_ONCE(f->flags);

	if (flags & (FR_ERROR | FR_WIRED))
		return false;
	return (flags & FR_LAUNDRY) ||
	       ((flags & (FR_LISTED | FR_REF)) == FR_LISTED && !rmap_locked(f));
}

/* Those of the cluster of index that may be written now and go along, in order; mapped: only those that are. Locked. */
static u32 gather(struct vm_object *o, u64 index, bool mapped, struct frame **out)
{
	u64 first = ALIGN_DOWN(index, SWAP_CLUSTER);
	uintptr_t words[SWAP_CLUSTER];
	size_t got =
		radix_gather(&o->pages, first, first + SWAP_CLUSTER - 1, words, NULL, SWAP_CLUSTER);
	u32 n = 0;

	for (size_t i = 0; i < got; i++) {
		struct frame *g = word_frame(words[i]);

		if (g && ready(g) && (!mapped || READ_ONCE(g->mapcount)) && may_go_along(g))
			out[n++] = g;
	}
	return n;
}

/*
 * The mappings of what will be written with the items from i on, of one object: they go with one interruption of other harts for all.  The places of
 * items are guesses, and so is what goes along; who is not unmapped here is by write_around.
 */
static NO_TS void unmap_ahead(u32 i)
{
	struct vm_object *o;
	u64 cluster = ~0UL;
	struct tlb_round round;
	u32 n = 0;

	run.unmapped = i + 1;
	tlb_round_open(&round);
	o = frame_object_lock(run.items[i].f);
	for (; o && object_is_anon(o) && i < run.n && run.items[i].o == o &&
	       n + SWAP_CLUSTER <= AHEAD;
	     run.unmapped = ++i) {
		u64 index = run.items[i].index;

		if (index / SWAP_CLUSTER != cluster)
			n += gather(o, index, true, run.ahead + n);
		cluster = index / SWAP_CLUSTER;
	}
	rmap_unmap_unused(run.ahead, n, &round);
	for (u32 k = 0; k < n; k++)
		vm_page_hold(run.ahead[k]);
	if (o)
		spin_unlock(o->lock);
	tlb_round_close(&round);
	frames_release(run.ahead, n);
}

/* f and those around it that go with it, in order: how many. Locked. */
static u32 gather_around(struct vm_object *o, const struct frame *f, struct frame **out)
{
	u32 got = gather(o, f->index, false, out), n = 0;

	rmap_unmap_unused(out, got, NULL);
	for (u32 i = 0; i < got; i++)
		if (page_has(out[i], FR_LAUNDRY) || !READ_ONCE(out[i]->mapcount))
			out[n++] = out[i];
	return n;
}

/* At most `most` of f[0..n), with the one at `must`: the first one of them. */
static u32 part_with(u32 n, u32 must, u32 most)
{
	return n <= most || must < most ? 0 : must - most + 1;
}

/* The frame and its neighbours, as many as the transfer takes. */
static NO_TS void write_around(struct frame *f, u32 most)
{
	struct frame *out[SWAP_CLUSTER];
	struct vm_object *o = frame_object_lock(f);
	u32 n = 0, first = 0;

	if (!o)
		return;
	if (object_is_anon(o) && ready(f) && !page_has(f, FR_ERROR)) {
		n = gather_around(o, f, out);
		while (out[first] != f) {
			first++;
			ASSERT(first < n);
		}
		first = part_with(n, first, most);
		n = MIN(n - first, most);
	}
	for (u32 i = 0; i < n; i++)
		begin(out[first + i]);
	rmap_write_protect_all(out + first, n, NULL);
	for (u32 i = 0; i < n; i++)
		write_one(o, out[first + i]);
	spin_unlock(o->lock);
}

static void release_item(struct item *it)
{
	page_clear(it->f, FR_LAUNDRY);
	vm_page_put(it->f);
}

static void run_batch(void)
{
	take_batch();
	sort_batch();
	run.unmapped = 0;
	for (u32 i = 0; i < run.n; i++) {
		struct frame *f = run.items[i].f;

		if (page_has(f, FR_ERROR)) {
			submit();
			write_alone(f);
		} else if (prepare()) {
			if (i >= run.unmapped)
				unmap_ahead(i);
			write_around(f, transfer_room());
		}
		release_item(&run.items[i]);
		if (run.io && !transfer_room())
			submit();
	}
	submit();
	give_back_slots();
	WRITE_ONCE(in_hand, 0);
}

static size_t run_locked(void) REQUIRES(run_mutex)
{
	run.started = 0;
	while (laundry_waiting())
		run_batch();
	return run.started;
}

size_t laundry_run(void)
{
	size_t n;

	mutex_lock(&run_mutex);
	n = run_locked();
	mutex_unlock(&run_mutex);
	return n;
}

void laundry_try(void)
{
	if (!mutex_trylock(&run_mutex))
		return;
	(void)run_locked();
	mutex_unlock(&run_mutex);
}
