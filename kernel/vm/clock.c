// SPDX-License-Identifier: BSD-2-Clause
/*
 * The clock's eyes and hands: looks at frames for the policy (clock_policy.c), evicts clean pages and sends dirty ones to the laundry.
 *
 * Every managed frame is on one of the policy's queues whatever it is used for; FR_LISTED says that the queue's place is about the page that is in it now.
 * So nobody but the sweeper touches the queues, and they need no lock.
 *
 * From a frame to its object without a reference: objects are not freed while anybody is in a guard (clock_guard) that it entered when the
 * frame may still have been the object's.  A guard is a counter per hart that is odd inside; whoever frees an object that had pages has taken
 * the pages out, and then waits until every hart's counter is even or has moved (clock_quiesce).  Guards last for the look at one frame and
 * are not preempted, so the wait is short.
 *
 * Locks: one sweeper at a time (kernel/vm/pageout.c), who holds no other lock while it looks at a frame under its object's.
 */
#include "kernel/vm/clock_policy.h"
#include "kernel/vm/vm_internal.h"

#define FREE_BATCH    32
#define ROUND_STEPS   64  /* of the sweep that a round stays open */
#define AHEAD	      256 /* frames whose mappings go together */
#define DISCOVER      256 /* frames that came free */
#define WASH_AHEAD    384u
#define TURNS	      4ul
#define PRESSED_TURNS 2ul /* the last ones: hot pages go too if they are not used */

u32 vm_swappiness = SWAPPINESS_EVEN;

static struct clock_policy policy;
static u64 since_discovery = DISCOVER; /* the sweeper's */
static u64 guards[MAX_HARTS];	       /* (a) odd: the hart is in a guard */

/* What one sweep gathers; the sweeper's. */
static struct {
	struct frame *gone[FREE_BATCH];
	size_t n;
	/* mapped until now: they can go when the round is closed, and are held until then */
	struct frame *unmapped[FREE_BATCH];
	u32 nunmapped;
	struct tlb_round round;
	u32 open; /* steps for which it may stay open; 0: there is none */
	struct clock_sweep *sweep;
	u64 room;  /* in the laundry */
	u64 spare; /* steps that vm.swappiness still has a say in */
	u32 share; /* what those that it spares have gathered for one that goes */
	bool swap_full;
} now;

/* Frames that the sweep will come to next; the sweeper's. */
static struct {
	struct next_frame {
		struct frame *f;
		struct vm_object *o; /* as a guess, to sort by */
	} frames[AHEAD];
	u32 ids[AHEAD];
	struct frame *going[AHEAD]; /* their mappings go now: held */
	u32 ngoing;
	u32 left; /* of frames, not come to yet */
	u32 head; /* the first of them, when it was last looked at */
} next;

/* ---- guards ---- */

void clock_guard(void)
{
	u64 *g;

	preempt_disable();
	g = &guards[this_hart()->index];
	__atomic_store_n(g, *g + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void clock_unguard(void)
{
	u64 *g = &guards[this_hart()->index];

	__atomic_store_n(g, *g + 1, __ATOMIC_RELEASE);
	preempt_enable();
}

void clock_quiesce(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (u32 i = 0; i < nharts; i++) {
		u64 seen = __atomic_load_n(&guards[i], __ATOMIC_ACQUIRE);

		while ((seen & 1) && __atomic_load_n(&guards[i], __ATOMIC_ACQUIRE) == seen)
			;
	}
}

NO_TS struct vm_object *frame_object_lock(struct frame *f)
{
	struct vm_object *o;

	clock_guard();
	while ((o = READ_ONCE(f->object))) {
		spin_lock(o->lock);
		if (f->object == o)
			break;
		spin_unlock(o->lock);
	}
	clock_unguard();
	return o;
}

/* ---- looking ---- */

static struct frame *frame_of(u32 id)
{
	return pa_frame((paddr_t)id << PAGE_SHIFT);
}

static u32 *next_of(u32 id)
{
	return &frame_of(id)->clock_next;
}

static struct clock_page *page_of(u32 id)
{
	return (struct clock_page *)&frame_of(id)->clock_page;
}
BUILD_ASSERT(sizeof(struct clock_page) == sizeof(((struct frame *)NULL)->clock_page));

u32 clock_time_of(const struct frame *f)
{
	return page_of((u32)(frame_pa(f) >> PAGE_SHIFT))->time;
}

/* The first look: use so far was the one that brought it in. Locked. */
static enum clock_seen meet(struct frame *f, u32 *time)
{
	if ((READ_ONCE(f->flags) & (FR_BUSY | FR_VALID)) != FR_VALID)
		return CLOCK_NONE;
	*time = page_clear(f, FR_REF | FR_REFAULT) & FR_REFAULT ? f->left : CLOCK_NO_TIME;
	clock_trace(f, *time == CLOCK_NO_TIME ? CLOCK_REF_NEW : CLOCK_REF_AGAIN);
	page_set(f, FR_LISTED);
	if (READ_ONCE(f->mapcount))
		rmap_referenced(f);
	return CLOCK_NEW;
}

static bool used(struct frame *f)
{
	bool ref = page_clear(f, FR_REF) & FR_REF;

	if (READ_ONCE(f->mapcount))
		ref |= rmap_referenced(f);
	if (ref)
		clock_trace(f, CLOCK_REF_USED);
	return ref;
}

/* A clean page cannot go before other harts have forgotten it. Then it goes like one that was washed, unless it is used until then. Locked. */
static enum clock_seen unmap_one(struct frame *f)
{
	if (!now.open) {
		tlb_round_open(&now.round);
		now.open = ROUND_STEPS;
	}
	vm_page_hold(f);
	now.unmapped[now.nunmapped++] = f;
	return rmap_unmap(f, &now.round) ? CLOCK_WASH : CLOCK_KEPT;
}

static void close_round(void)
{
	if (!now.open)
		return;
	tlb_round_close(&now.round);
	frames_release(now.unmapped, now.nunmapped);
	now.nunmapped = now.open = 0;
}

/* A clean page goes. Locked. */
static enum clock_seen evict(struct vm_object *o, struct frame *f, u32 time)
{
	if (READ_ONCE(f->mapcount))
		return unmap_one(f);
	if (object_is_anon(o)) {
		anon_evict(f, time);
		vm_count(VMEV_pgsteal_anon, 1);
	} else {
		page_leave_history(f, time);
		vm_count(VMEV_pgsteal_file, 1);
	}
	now.gone[now.n++] = f;
	vm_count(VMEV_pgsteal_kswapd, 1);
	return CLOCK_TAKEN;
}

static enum clock_seen wash(struct vm_object *o, struct frame *f)
{
	if (!object_is_anon(o)) {
		now.sweep->dirty_files = true;
		return CLOCK_KEPT;
	}
	return now.room && laundry_add(f) ? (now.room--, CLOCK_WASH) : CLOCK_KEPT;
}

/*
 * vm.swappiness: with 60 all pages are alike; less spares so many of the anonymous ones, more of the files'.  Who finds too little among the others
 * in one turn takes those too.
 */
static bool spared(const struct vm_object *o)
{
	u32 s = READ_ONCE(vm_swappiness), all = SWAPPINESS_EVEN, part = s;

	if (likely(s == SWAPPINESS_EVEN) || !now.spare ||
	    object_is_anon(o) != (s < SWAPPINESS_EVEN))
		return false;
	if (s > SWAPPINESS_EVEN) {
		all = SWAPPINESS_MAX - SWAPPINESS_EVEN;
		part = SWAPPINESS_MAX - s;
	}
	now.share += part;
	if (now.share < all)
		return true;
	now.share -= all;
	return false;
}

static enum clock_seen look_locked(struct vm_object *o, struct frame *f, bool take, u32 *time)
{
	u32 flags = READ_ONCE(f->flags);

	if (!(flags & FR_LISTED))
		return meet(f, time);
	if (flags & (FR_CLEANING | FR_LAUNDRY))
		return CLOCK_WRITE;
	if ((flags & (FR_BUSY | FR_WIRED)) || !(flags & FR_VALID) || READ_ONCE(f->holds) != 1)
		return CLOCK_KEPT;
	if (now.swap_full && (flags & FR_DIRTY) && object_is_anon(o))
		return CLOCK_KEPT; /* used or not, it cannot go */
	if (used(f))
		return CLOCK_USED;
	if (!take)
		return CLOCK_IDLE;
	if ((READ_ONCE(f->mapcount) && rmap_locked(f)) || spared(o))
		return CLOCK_KEPT;
	/* a clean of a file's page that failed leaves ERROR: what the page holds is nowhere else */
	if (page_has(f, FR_DIRTY) || (page_has(f, FR_ERROR) && !object_is_anon(o)))
		return wash(o, f);
	return evict(o, f, *time);
}

static NO_TS enum clock_seen look(u32 id, bool take, u32 *time)
{
	struct frame *f = frame_of(id);
	enum clock_seen seen = CLOCK_NONE;
	struct vm_object *o;

	if (!READ_ONCE(f->object))
		return CLOCK_NONE;
	clock_guard();
	o = READ_ONCE(f->object);
	if (o) {
		spin_lock(o->lock);
		seen = f->object == o ? look_locked(o, f, take, time) : CLOCK_NONE;
		spin_unlock(o->lock);
	}
	clock_unguard();
	return seen;
}

/* ---- mappings ahead ---- */

/*
 * Each change of a mapping costs interrupts of other harts, so mappings of pages that will probably go go together: those of the next frames on
 * trial that were not used.  A page that is used after all costs a fault.
 */

/* Shell sort: they are often nearly in order. */
static void sort_next(u32 n)
{
	for (u32 gap = AHEAD / 4; gap; gap /= 4)
		for (u32 i = gap; i < n; i++) {
			struct next_frame x = next.frames[i];
			u32 k = i;

			for (; k >= gap && x.o < next.frames[k - gap].o; k -= gap)
				next.frames[k] = next.frames[k - gap];
			next.frames[k] = x;
		}
}

/* May its mappings go? Locked. */
static bool may_unmap(struct vm_object *o, struct frame *f)
{
	u32 flags = READ_ONCE(f->flags);

	if (!(flags & FR_LISTED) || !(flags & FR_VALID) ||
	    (flags & (FR_BUSY | FR_WIRED | FR_CLEANING | FR_LAUNDRY | FR_REF)))
		return false;
	if (!READ_ONCE(f->mapcount) || READ_ONCE(f->holds) != 1)
		return false;
	/* files' dirty pages stay until they are clean, others' while there is no room in swap */
	if ((flags & FR_DIRTY) && (!object_is_anon(o) || !now.room))
		return false;
	return !rmap_locked(f);
}

/* Those from i on that are of one object: how many. */
static NO_TS u32 unmap_some(u32 i, u32 n, struct tlb_round *round)
{
	struct frame **f = next.going + next.ngoing;
	struct vm_object *o;
	u32 k, m = 0;

	clock_guard();
	o = READ_ONCE(next.frames[i].f->object);
	for (k = i; k < n && next.frames[k].o == next.frames[i].o; k++)
		;
	if (o) {
		spin_lock(o->lock);
		for (u32 j = i; j < k; j++)
			if (next.frames[j].f->object == o && may_unmap(o, next.frames[j].f))
				f[m++] = next.frames[j].f;
		rmap_unmap_unused(f, m, round);
		for (u32 j = 0; j < m; j++)
			vm_page_hold(f[j]);
		spin_unlock(o->lock);
	}
	clock_unguard();
	next.ngoing += m;
	return k - i;
}

static void unmap_next(void)
{
	u32 n = clock_policy_next(&policy, next.ids, AHEAD);
	struct tlb_round round;

	for (u32 i = 0; i < n; i++) {
		struct frame *f = frame_of(next.ids[i]);

		next.frames[i] = (struct next_frame){f, READ_ONCE(f->object)};
	}
	sort_next(n);
	next.ngoing = 0;
	tlb_round_open(&round);
	for (u32 i = 0; i < n; i += unmap_some(i, n, &round))
		;
	tlb_round_close(&round);
	frames_release(next.going, next.ngoing);
	next.left = n;
}

/* Before a step. */
static void look_ahead(void)
{
	u32 head;

	if (!clock_policy_next(&policy, &head, 1))
		return;
	if (head != next.head && next.left)
		next.left--;
	if (!next.left)
		unmap_next();
	next.head = head;
}

/* ---- sweeping ---- */

static void release_gone(void)
{
	frames_release(now.gone, now.n);
	now.n = 0;
}

static void discover(void)
{
	vm_count(VMEV_clock_discover_steps, policy.other.n);
	clock_policy_discover(&policy);
	since_discovery = 0;
}

static void account(struct clock_sweep *s, enum clock_seen seen)
{
	s->steps++;
	if (seen == CLOCK_TAKEN)
		s->taken++;
	else if (seen == CLOCK_WASH)
		s->washed++;
	if (now.n == FREE_BATCH)
		release_gone();
	if (now.open && (now.nunmapped == FREE_BATCH || --now.open == 1))
		close_round();
}

/* What was washed and is clean by now goes. */
static void collect(struct clock_sweep *s)
{
	for (u32 left = policy.washed.n; left; left--) {
		enum clock_seen seen = clock_policy_collect(&policy);

		if (seen == CLOCK_WRITE)
			break;
		account(s, seen);
	}
	close_round();
}

void clock_sweep(struct clock_sweep *s, u64 want, u64 room)
{
	u64 turn = clock_policy_pages(&policy);
	u64 ahead, scanned = policy.scanned, chances = policy.second_chances,
		   refaults = policy.refaults, active = policy.refaults_active,
		   promoted = policy.promotions;

	*s = (struct clock_sweep){0};
	/* so many more are written meanwhile, that the disk always has enough to do */
	ahead = MIN(turn / 32, WASH_AHEAD);
	now.sweep = s;
	now.room = room;
	now.spare = turn;
	now.swap_full = !swap_any_free();
	/* who is new is looked for when frames enough for that have come free since */
	if (since_discovery >= DISCOVER || !policy.cold.n)
		discover();
	collect(s);
	turn = clock_policy_pages(&policy);
	for (u64 left = TURNS * turn + 1;
	     left && s->taken < want && s->taken + policy.washed.n < want + ahead; left--) {
		if (left == PRESSED_TURNS * turn)
			clock_policy_press(&policy);
		look_ahead();
		now.spare -= now.spare != 0;
		account(s, clock_policy_step(&policy));
	}
	if (now.open) {
		close_round();
		collect(s);
	}
	s->pending = policy.washed.n;
	s->exhausted = s->taken + s->pending < want;
	since_discovery += s->taken;
	if (s->exhausted)
		since_discovery = DISCOVER; /* nothing more among those that are known */
	release_gone();
	vm_count(VMEV_pgscan_kswapd, policy.scanned - scanned);
	vm_count(VMEV_clock_sweeps, 1);
	vm_count(VMEV_clock_second_chances, policy.second_chances - chances);
	vm_count(VMEV_workingset_refault, policy.refaults - refaults);
	vm_count(VMEV_workingset_activate, policy.refaults_active - active);
	vm_count(VMEV_clock_promotions, policy.promotions - promoted);
}

u64 clock_pages(void)
{
	return clock_policy_pages(&policy);
}

void clock_init(void)
{
	static const struct clock_ops ops = {.next = next_of, .page = page_of, .look = look};
	paddr_t base;
	u64 size;

	clock_policy_init(&policy, &ops);
	for (unsigned k = 0; frames_bank(k, &base, &size); k++)
		for (paddr_t pa = base; pa < base + size; pa += PAGE_SIZE)
			if (pa_frame(pa))
				clock_policy_add(&policy, pa >> PAGE_SHIFT);
}
