// SPDX-License-Identifier: BSD-2-Clause
/*
 * When memory is given back: the pageout thread, the laundry's thread, and those who wait for them.
 *
 *	allocation below `low`		kicks the pageout thread, which works until `high` frames are free
 *	allocation that finds nothing	vm_reclaim: kicks it and waits until frames came free or a round found nothing at all
 *
 * A round: the clock sweeps; clean pages come free at once, dirty ones go to the laundry; dirty file pages and caches of names and vnodes are the write-back
 * thread's, which is kicked; empty slabs are given back.  A round that got nothing, with nothing under way that could give something, is
 * hopeless: whoever waits is told, and the allocation fails.
 *
 * Progress is two counters: frames that came free, and hopeless rounds.  A waiter looks at both, so it sees whatever happened since it looked
 * first.
 *
 * Locks: sweep_mutex, for one round at a time: whoever needs memory sweeps for itself, the pageout thread for those who may not wait and to judge.  The
 * counters are atomic.
 */
#include "kernel/boot/init.h"
#include "kernel/vm/vm_internal.h"

#define PATIENCE	(NSEC_PER_SEC / 2) /* for the write-back thread */
#define HOPELESS_ROUNDS 2		   /* in a row that bring nothing, with nothing under way */
#define BATCH		64		   /* frames that who needs some brings at least */
#define SCRAPS		BATCH
#define TRIES		8 /* of who needs some, before the thread has to judge */

static struct waitq pageout_q, laundry_q, progress_q;
static u32 kicked;   /* (a) */
static u64 freed;    /* (a) frames that came free by us */
static u64 ended;    /* (a) transfers that ended */
static u64 hopeless; /* (a) rounds that found nothing */
static struct thread *pageout;
static struct mutex sweep_mutex;
static u32 needy; /* (a) threads that found nothing free */
/* under sweep_mutex: the last round was barren; such rounds in a row while somebody was needy */
static bool barren;
static u32 in_vain;
static void (*kick_writeback)(void);

void vm_set_writeback_kick(void (*fn)(void))
{
	kick_writeback = fn;
}

void pageout_progress(u64 frames)
{
	if (frames)
		__atomic_fetch_add(&freed, frames, __ATOMIC_RELEASE);
	else
		__atomic_fetch_add(&ended, 1, __ATOMIC_RELEASE);
	waitq_wake_all(&progress_q);
}

/* Any context. */
static void kick(void)
{
	if (__atomic_exchange_n(&kicked, 1, __ATOMIC_ACQ_REL))
		return;
	waitq_wake_one(&pageout_q);
}

/*
 * With swap full, what is clean is evicted and comes back in turns, mostly programs' text: there is always something, and nobody gets anywhere.
 * So a round that goes round all of memory for less than SCRAPS is barren; HOPELESS_ROUNDS of them in a row while somebody has nothing at all, and
 * a process has to go, although the scraps may do for the moment.  Not for a swapoff: that has to fail first.
 */
static void judge(const struct clock_sweep *s) REQUIRES(sweep_mutex)
{
	bool now = s->exhausted && s->taken < SCRAPS && !s->pending && !s->dirty_files &&
		   !swap_any_free() && !swap_is_leaving();

	WRITE_ONCE(barren, now);
	if (!now)
		in_vain = 0;
	else if (__atomic_load_n(&needy, __ATOMIC_RELAXED) && ++in_vain == HOPELESS_ROUNDS) {
		in_vain = 0;
		frames_oom_soon();
	}
}

/* One sweep for `want` frames; how many came free. */
static u64 round_once(u64 want, struct clock_sweep *s) REQUIRES(sweep_mutex)
{
	clock_sweep(s, want, swap_any_free() ? laundry_room() : 0);
	judge(s);
	tables_kick();
	if (s->taken)
		pageout_progress(s->taken);
	if (s->dirty_files && kick_writeback)
		kick_writeback();
	return s->taken;
}

/* Something is under way that will free frames, or make pages clean. */
static bool under_way(void)
{
	struct vm_totals t;

	vm_totals(&t);
	return laundry_busy() || swap_writes() || t.writeback;
}

static u64 seen_ended;

static bool more_ended(void)
{
	return __atomic_load_n(&ended, __ATOMIC_ACQUIRE) != seen_ended;
}

static void give_up(void)
{
	__atomic_fetch_add(&hopeless, 1, __ATOMIC_RELEASE);
	waitq_wake_all(&progress_q);
}

/*
 * A round brought nothing: waits for what may change that. False: nothing will.  What was sent to swap ends by itself, sooner or later; dirty file pages
 * are the write-back thread's, which may fail to write them, so they are worth PATIENCE only.
 */
static bool wait_for_more(const struct clock_sweep *s, u64 *deadline)
{
	if (s->pending && !under_way())
		return true; /* they ended while we looked */
	if (!under_way()) {
		if (!s->dirty_files)
			return false;
		if (!*deadline)
			*deadline = time_now() + PATIENCE;
		if (time_now() > *deadline)
			return false;
	}
	(void)wait_event_until(&progress_q, more_ended(), WAIT_UNINTR,
			       time_now() + NSEC_PER_SEC / 50);
	return true;
}

/* Until enough is free, or nothing can be had. */
static void balance(void)
{
	u64 deadline = 0, want;
	unsigned empty = 0;

	while ((want = frames_wanted())) {
		struct clock_sweep s;

		seen_ended = __atomic_load_n(&ended, __ATOMIC_ACQUIRE);
		mutex_lock(&sweep_mutex);
		(void)round_once(want, &s);
		mutex_unlock(&sweep_mutex);
		if (laundry_waiting())
			waitq_wake_one(&laundry_q);
		if (s.taken) {
			deadline = empty = 0;
		} else if (wait_for_more(&s, &deadline)) {
			empty = 0;
		} else if (slab_shrink()) { /* interrupts all harts: only when all else fails */
			pageout_progress(1);
		} else if (++empty == HOPELESS_ROUNDS) {
			give_up();
			return;
		}
	}
	pageout_progress(1); /* enough is there: who waits may try again */
}

static void pageout_thread(void *unused __unused)
{
	current()->pageout = true;
	for (;;) {
		wait_event(&pageout_q, __atomic_load_n(&kicked, __ATOMIC_ACQUIRE));
		__atomic_store_n(&kicked, 0, __ATOMIC_RELEASE);
		balance();
	}
}

static void laundry_thread(void *unused __unused)
{
	current()->pageout = true;
	for (;;) {
		wait_event(&laundry_q, laundry_waiting());
		laundry_run();
		pageout_progress(0);
	}
}

/* Without the thread: this one does it all. */
static NO_TS size_t reclaim_alone(size_t want)
{
	struct clock_sweep s;
	size_t got = 0;

	for (unsigned i = 0; i < 3 && got < want; i++) {
		got += round_once(want - got, &s);
		laundry_run();
	}
	return got ? got : slab_shrink();
}

/*
 * Who needs memory sweeps and washes for itself, unless somebody does: nobody has to be woken for that, and its own mappings are flushed on its
 * own hart.  False: somebody does.
 */
static bool reclaim_here(size_t want, size_t *got)
{
	struct thread *me = current();
	struct clock_sweep s;

	if (!mutex_trylock(&sweep_mutex))
		return false;
	me->pageout = true;
	*got = round_once(want, &s);
	mutex_unlock(&sweep_mutex);
	if (laundry_waiting())
		laundry_try();
	me->pageout = false;
	return true;
}

static bool changed(u64 f, u64 h)
{
	return __atomic_load_n(&freed, __ATOMIC_ACQUIRE) != f ||
	       __atomic_load_n(&hopeless, __ATOMIC_ACQUIRE) != h;
}

static bool changed_or_ended(u64 f, u64 h, u64 e)
{
	return changed(f, h) || __atomic_load_n(&ended, __ATOMIC_ACQUIRE) != e;
}

static size_t bring(size_t want)
{
	u64 f = __atomic_load_n(&freed, __ATOMIC_ACQUIRE);
	u64 h = __atomic_load_n(&hopeless, __ATOMIC_ACQUIRE);

	for (unsigned try = 0;; try++) {
		u64 e = __atomic_load_n(&ended, __ATOMIC_ACQUIRE);
		size_t got = 0;
		bool here = reclaim_here(MAX(want, (size_t)BATCH), &got);
		int err;

		if (got || !want)
			return got;
		if (changed(f, h))
			return __atomic_load_n(&freed, __ATOMIC_ACQUIRE) - f;
		if (!try)
			vm_count(VMEV_allocstall_normal, 1);
		if (here && under_way() && try < TRIES) {
			err = wait_event_until(&progress_q, changed_or_ended(f, h, e), WAIT_KILL,
					       time_now() + NSEC_PER_SEC / 50);
		} else {
			/* hopeless or not is the thread's to say */
			kick();
			err = wait_event_until(&progress_q, changed(f, h), WAIT_KILL, 0);
		}
		if (err == -EINTR)
			return 0;
	}
}

size_t vm_reclaim(size_t want)
{
	size_t got;

	if (!pageout)
		return want ? reclaim_alone(want) : 0;
	if (current()->pageout)
		return 0;
	/* a look ahead would bring scraps, and cost a round each time */
	if (!want && READ_ONCE(barren) && !swap_any_free())
		return 0;
	__atomic_fetch_add(&needy, want != 0, __ATOMIC_RELAXED);
	got = bring(want);
	__atomic_fetch_sub(&needy, want != 0, __ATOMIC_RELAXED);
	return got;
}

void pageout_init(void)
{
	waitq_init(&pageout_q);
	waitq_init(&laundry_q);
	waitq_init(&progress_q);
	mutex_init(&sweep_mutex, LOCK_SWEEP, "sweep");
	clock_init();
	laundry_init();
	swap_init();
	frames_set_reclaim(vm_reclaim, kick);
}

static void pageout_start(void)
{
	swap_io_init();
	if (!kthread_run("laundry", laundry_thread, NULL))
		panic("no memory for the laundry's thread");
	pageout = kthread_run("pageout", pageout_thread, NULL);
	if (!pageout)
		panic("no memory for the pageout thread");
}

INITCALL(LATE, pageout_start);
