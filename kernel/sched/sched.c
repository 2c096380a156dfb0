// SPDX-License-Identifier: BSD-2-Clause
/*
 * The scheduler: run queues, switching, waking, ticks, idling.
 *
 * A thread is in one of these places:
 *	running		runq->curr == t, not queued; its state may already say BLOCKED while it still prepares to sleep
 *	queued		on_runq, on the runq of t->hart; state RUNNABLE, or BLOCKED if it was preempted before it slept
 *	asleep		neither; state BLOCKED or NEW
 *	moving		neither; state RUNNABLE: whoever made it so is about to queue it
 * The runq lock of t->hart guards the changes.  It is held from before a switch until the next thread has its registers
 * (sched_finish_switch), so that a waker never queues a thread whose registers are still in use: it either finds the
 * thread running, and then changing its state is enough, or gets the lock when it is fully switched out.
 *
 * At most one runq lock is held at a time, but for stealing, which tries the second.  Nothing is taken below it.
 */
#include "kernel/boot/panic.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/csr.h"
#include "kernel/riscv/mmu.h"
#include "kernel/sched/sched_internal.h"
#include "kernel/sched/time.h"
#include "kernel/sync/chaos.h"

static struct sched_hooks hooks;
static u64 idle_harts; /* (a) bitmap: harts whose idle thread runs */
bool sched_running;

const u8 debruijn_index[64] = {
	0,  1,	48, 2,	57, 49, 28, 3,	61, 58, 50, 42, 38, 29, 17, 4,	62, 55, 59, 36, 53, 51,
	43, 22, 45, 39, 33, 30, 24, 18, 12, 5,	63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21,
	44, 32, 23, 11, 46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,	13, 8,	7,  6,
};

void sched_set_hooks(const struct sched_hooks *h)
{
	ASSERT(!hooks.switch_map);
	hooks = *h;
}

void sched_thread_free_hook(struct thread *t)
{
	if (hooks.thread_free)
		hooks.thread_free(t);
}

/* ---- the runq lock ---- */

static inline bool rq_trylock(struct runq *rq)
{
	return __atomic_exchange_n(&rq->lock, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void rq_lock(struct runq *rq)
{
	while (unlikely(!rq_trylock(rq)))
		while (READ_ONCE(rq->lock))
			__asm__ volatile("nop");
}

static inline void rq_unlock(struct runq *rq)
{
	__atomic_store_n(&rq->lock, 0, __ATOMIC_RELEASE);
}

/* The runq that t belongs to, locked; interrupts are off. */
static struct runq *rq_lock_thread(struct thread *t)
{
	for (;;) {
		struct runq *rq = READ_ONCE(t->hart)->runq;

		rq_lock(rq);
		if (likely(rq == t->hart->runq))
			return rq;
		rq_unlock(rq);
	}
}

/* ---- queues ---- */

/* 1.25 ms for nice 19, 25 ms for nice 0, 50 ms for nice -20. */
static u64 slice_of(const struct thread *t)
{
	if (t->rt_prio)
		return t->policy == SCHED_RR ? RR_SLICE : NO_SLICE;
	return (u64)(20 - t->nice) * (TICK_NS / 8);
}

static inline u8 level_of(const struct thread *t)
{
	return (u8)(LEVEL_NICE0 + t->nice + t->hog);
}

/* Who is to run first: less is better. */
static inline u32 rank_of(const struct thread *t)
{
	return t->rt_prio ? RT_LEVELS - t->rt_prio : (u32)RT_LEVELS + level_of(t);
}

static void rt_enqueue(struct runq *rq, struct thread *t, bool first)
{
	struct rt_queue *q = &rq->rt;

	t->queue = NULL;
	t->prio = (u8)(RT_LEVELS - t->rt_prio);
	if (first)
		list_add(&q->queue[t->prio], &t->runq_link);
	else
		list_add_tail(&q->queue[t->prio], &t->runq_link);
	q->bitmap[t->prio / 64] |= 1UL << t->prio % 64;
	t->on_runq = true;
	rq->rt_ready++;
	rq->ready++;
}

static void rt_dequeue(struct runq *rq, struct thread *t)
{
	struct rt_queue *q = &rq->rt;

	list_del(&t->runq_link);
	if (list_empty(&q->queue[t->prio]))
		q->bitmap[t->prio / 64] &= ~(1UL << t->prio % 64);
	t->on_runq = false;
	rq->rt_ready--;
	rq->ready--;
}

static struct list *rt_best(struct runq *rq)
{
	struct rt_queue *q = &rq->rt;
	u32 i = q->bitmap[0] ? lowest_bit(q->bitmap[0]) : 64 + lowest_bit(q->bitmap[1]);

	return &q->queue[i];
}

static inline void enqueue(struct runq *rq, struct thread *t, bool first)
{
	struct runq_array *a = t->expired ? rq->expired : rq->active;

	DASSERT(!t->on_runq && t->state != THREAD_DEAD);
	if (unlikely(t->rt_prio)) {
		rt_enqueue(rq, t, first);
		return;
	}
	t->queue = a;
	t->prio = level_of(t);
	if (first)
		list_add(&a->queue[t->prio], &t->runq_link);
	else
		list_add_tail(&a->queue[t->prio], &t->runq_link);
	a->bitmap |= 1UL << t->prio;
	t->on_runq = true;
	rq->ready++;
}

static inline void dequeue(struct runq *rq, struct thread *t)
{
	DASSERT(t->on_runq);
	if (unlikely(!t->queue)) {
		rt_dequeue(rq, t);
		return;
	}
	t->runq_link.next->prev = t->runq_link.prev;
	t->runq_link.prev->next = t->runq_link.next;
	if (t->runq_link.next == t->runq_link.prev && list_empty(&t->queue->queue[t->prio]))
		t->queue->bitmap &= ~(1UL << t->prio);
	t->on_runq = false;
	rq->ready--;
}

/* The next thread to run, taken off the queue; NULL: none. */
static inline struct thread *pick(struct runq *rq)
{
	struct runq_array *a = rq->active;
	struct thread *t;

	if (!rq->ready)
		return NULL;
	if (unlikely(rq->rt_ready) && (!rq->rt_throttled || rq->rt_ready == rq->ready)) {
		t = list_entry(rt_best(rq)->next, struct thread, runq_link);
		dequeue(rq, t);
		return t;
	}
	if (!a->bitmap) {
		rq->active = rq->expired;
		rq->expired = a;
		a = rq->active;
	}
	t = list_entry(a->queue[lowest_bit(a->bitmap)].next, struct thread, runq_link);
	dequeue(rq, t);
	return t;
}

/* ---- switching ---- */

/* Accounts the time since the last stamp. */
static inline void charge(struct hart *h, struct thread *t, u64 now, bool user)
{
	u64 ran = now - t->last_stamp;

	t->last_stamp = now;
	if (t == h->idle) {
		h->time_idle += ran;
	} else if (user) {
		t->utime += ran;
		h->time_user += ran;
	} else {
		t->stime += ran;
		h->time_sys += ran;
	}
}

/* Between two ticks only the total is known: it goes where the ticks mostly found the thread. */
static inline bool mostly_user(const struct thread *t)
{
	return t->map && t->uticks >= t->sticks;
}

static void become_idle(struct hart *h)
{
	h->tick = 0;
	__atomic_fetch_or(&idle_harts, 1UL << h->index, __ATOMIC_RELAXED);
}

static void become_busy(struct hart *h, u64 now)
{
	__atomic_fetch_and(&idle_harts, ~(1UL << h->index), __ATOMIC_RELAXED);
	sched_timer_start(h, now);
}

/* Interrupts off, runq locked; comes back in another thread's time, with the runq unlocked. */
static void switch_to(struct hart *h, struct runq *rq, struct thread *prev, struct thread *next,
		      u64 now)
{
	charge(h, prev, now, mostly_user(prev));
	next->last_stamp = now;
	next->slice_end = now + next->slice_left;
	next->on_cpu = 1;
	rq->curr = next;
	h->running = next;
	rq->switches++;
	if (unlikely(next == h->idle))
		become_idle(h);
	else if (unlikely(prev == h->idle))
		become_busy(h, now);
	u64 epoch = __atomic_load_n(&kvm_epoch, __ATOMIC_ACQUIRE);

	if (unlikely(h->kvm_epoch != epoch)) {
		h->kvm_epoch = epoch;
		sfence_vma_all(); /* next's stack may be new, and this hart may remember a hole there */
	}
	if (next->map && next->map != h->map) {
		hooks.switch_map(h->map, next->map);
		h->map = next->map;
	}
	if (unlikely(prev->fpu || next->fpu))
		fpu_switch(prev, next);
	prev = context_switch(&prev->ctx, &next->ctx, next);
	sched_finish_switch(prev);
}

static void migrate(struct thread *t, bool kick);

/* In the next thread: the registers of prev are saved. */
void sched_finish_switch(struct thread *prev)
{
	struct runq *rq = this_hart()->runq;
	bool dead = prev->state == THREAD_DEAD;
	bool displaced = prev->displaced;

	prev->on_cpu = 0;
	prev->displaced = false;
	rq_unlock(rq);
	if (unlikely(dead))
		thread_reap_later(prev);
	else if (unlikely(displaced))
		migrate(prev, true);
}

static bool steal(struct hart *h);

/* The running thread could go on: puts it back into the queue, or on its way to another hart. */
static void requeue(struct runq *rq, struct thread *t, bool preempted)
{
	bool used_up = !t->slice_left;

	if (used_up)
		t->slice_left = slice_of(t);
	if (used_up && !t->rt_prio) {
		t->expired = true;
		t->hog += t->hog < HOG_MAX;
	}
	t->nivcsw += preempted;
	if (unlikely(!(t->affinity & 1UL << t->hart->index)) || chaos_chance(8)) {
		t->displaced = true;
		t->state = THREAD_RUNNABLE; /* a waker must leave it alone on its way */
	} else {
		enqueue(rq, t, preempted && !used_up);
	}
}

/* preempted: the thread would go on if it could, whatever its state says. Interrupts off. */
static void do_schedule(bool preempted)
{
	struct thread *prev = current(), *next;
	struct hart *h = prev->hart;
	struct runq *rq = h->runq;
	u64 now = sched_now();

	DASSERT(!irqs_on());
	ASSERTF(prev->preempt_count == 0, "thread %s sleeps with preemption off (%u)", prev->name,
		prev->preempt_count);
	rq_lock(rq);
	if (prev->flags & TIF_RESCHED)
		thread_flag_clear(prev, TIF_RESCHED);
	if (prev != h->idle) {
		prev->slice_left = prev->slice_end > now ? prev->slice_end - now : 0;
		if (preempted || prev->state == THREAD_RUNNABLE) {
			requeue(rq, prev, preempted);
		} else {
			prev->nvcsw++;
			prev->hog -= prev->hog > 0;
		}
	}
	next = pick(rq);
	if (!next && nharts > 1 && prev != h->idle && steal(h))
		next = pick(rq);
	if (!next)
		next = h->idle;
	next->expired = false;
	if (next == prev) {
		prev->slice_end = now + prev->slice_left;
		rq_unlock(rq);
		return;
	}
	switch_to(h, rq, prev, next, now);
}

void schedule(void)
{
	chaos_point();
	u64 flags = irq_save();

	do_schedule(false);
	irq_restore(flags);
}

void preempt_schedule_irq(void)
{
	if (sched_running)
		do_schedule(true);
}

void preempt_resched(void)
{
	struct thread *t = current();

	if (t->preempt_count || t->intr_depth || !irqs_on() || !sched_running)
		return;
	irq_disable();
	if (t->flags & TIF_RESCHED)
		do_schedule(true);
	irq_enable();
}

void sched_yield(void)
{
	schedule();
}

/* ---- waking ---- */

/* Where a real-time thread displaces the least: where it was unless another hart runs something less urgent. */
static struct hart *choose_rt_hart(struct thread *t)
{
	struct hart *best = NULL;
	u32 worst = 0;

	for (u64 m = t->affinity & harts_online(); m; m &= m - 1) {
		struct hart *h = harts[lowest_bit(m)];
		u32 rank = rank_of(READ_ONCE(h->running)); /* a hint: threads are freed late */

		if (!best || rank > worst || (rank == worst && h == t->hart)) {
			best = h;
			worst = rank;
		}
	}
	return best;
}

/* The hart where t should run: where it was if that is idle, else an idle one, else where it was. */
static struct hart *choose_hart(struct thread *t)
{
	u64 idle = __atomic_load_n(&idle_harts, __ATOMIC_RELAXED) & t->affinity;
	u64 here = 1UL << t->hart->index;

	if (chaos_chance(4) && (t->affinity & harts_online()))
		return harts[chaos_bit(t->affinity & harts_online())];
	if (likely(nharts == 1) || (idle & here))
		return t->hart;
	if (idle)
		return harts[lowest_bit(idle)];
	if (unlikely(t->rt_prio))
		return choose_rt_hart(t);
	if (t->affinity & here)
		return t->hart;
	return harts[lowest_bit(t->affinity & harts_online())];
}

/* After t was queued on rq: does its hart have to look? runq locked. */
static void check_preempt(struct hart *h, struct runq *rq, struct thread *t)
{
	struct thread *curr = rq->curr;

	if (curr != h->idle && (t->expired || rank_of(t) >= rank_of(curr)))
		return;
	if (READ_ONCE(curr->flags) & TIF_RESCHED)
		return;
	thread_flag_set(curr, TIF_RESCHED);
	if (h != this_hart())
		ipi_send(1UL << h->index, IPI_RESCHED);
}

/* Queues t, which is in nobody's hands but ours, state RUNNABLE; interrupts off. */
static void migrate(struct thread *t, bool kick)
{
	struct hart *h = choose_hart(t);
	struct runq *rq = h->runq;

	rq_lock(rq);
	t->hart = h;
	enqueue(rq, t, false);
	if (kick)
		check_preempt(h, rq, t);
	rq_unlock(rq);
}

/* t's runq is locked and it sleeps: makes it ready and unlocks. */
static void wake_locked(struct runq *rq, struct thread *t)
{
	struct hart *h = t->hart;

	t->state = THREAD_RUNNABLE;
	if (rq->curr == t || t->on_runq) { /* it had not gone to sleep yet */
		rq_unlock(rq);
		return;
	}
	if (!t->slice_left) {
		t->slice_left = slice_of(t);
		t->expired = !t->rt_prio;
	}
	if (likely(choose_hart(t) == h)) {
		enqueue(rq, t, false);
		check_preempt(h, rq, t);
		rq_unlock(rq);
		return;
	}
	rq_unlock(rq);
	migrate(t, true);
}

bool sched_wake(struct thread *t)
{
	chaos_point();
	u64 flags = irq_save();
	struct runq *rq = rq_lock_thread(t);
	bool asleep = t->state == THREAD_BLOCKED || t->state == THREAD_NEW;

	if (asleep)
		wake_locked(rq, t);
	else
		rq_unlock(rq);
	irq_restore(flags);
	if (unlikely(flags && READ_ONCE(current()->flags) & TIF_RESCHED))
		preempt_resched();
	return asleep;
}

bool sched_wake_signal(struct thread *t, bool fatal)
{
	u64 flags = irq_save();
	struct runq *rq = rq_lock_thread(t);
	bool asleep = t->state == THREAD_BLOCKED &&
		      (t->how == WAIT_INTR || (fatal && t->how == WAIT_KILL));

	if (asleep)
		wake_locked(rq, t);
	else
		rq_unlock(rq);
	if (!asleep && t != current() &&
	    READ_ONCE(t->on_cpu)) /* it runs elsewhere: into the kernel with it, to look */
		ipi_send(1UL << t->hart->index, IPI_RESCHED);
	irq_restore(flags);
	if (unlikely(flags && READ_ONCE(current()->flags) & TIF_RESCHED))
		preempt_resched();
	return asleep;
}

unsigned sched_backtrace(struct thread *t, u64 *pcs, unsigned max)
{
	u64 flags = irq_save();
	struct runq *rq = rq_lock_thread(t);
	unsigned n = 0;

	if (t != current() && !t->on_cpu) {
		pcs[0] = t->ctx.ra - 1;
		n = 1 + backtrace(t, t->ctx.s[0], pcs + 1, max - 1);
	}
	rq_unlock(rq);
	irq_restore(flags);
	return n;
}

bool sched_signal_pending(enum wait_how how)
{
	struct thread *t = current();

	return how != WAIT_UNINTR && t->proc && hooks.signal_pending &&
	       hooks.signal_pending(t, how);
}

/* ---- moving threads between harts ---- */

/* A queued thread of rq that may run on h, taken off; NULL: none. Looks at few: the best of each level. */
static struct thread *take_for(struct runq *rq, struct hart *h)
{
	struct thread *rt;

	if (rq->rt_ready) {
		list_for_each(rt, rt_best(rq), runq_link) {
			if (rt->affinity & 1UL << h->index) {
				dequeue(rq, rt);
				return rt;
			}
		}
	}
	for (u32 i = 0; i < 2; i++) {
		struct runq_array *a = i ? rq->expired : rq->active;

		for (u64 m = a->bitmap; m; m &= m - 1) {
			struct thread *t =
				list_entry(a->queue[lowest_bit(m)].prev, struct thread, runq_link);

			if (t->affinity & 1UL << h->index) {
				dequeue(rq, t);
				return t;
			}
		}
	}
	return NULL;
}

/* h, whose runq is locked and empty, takes a thread from another hart; interrupts off. */
static bool steal(struct hart *h)
{
	struct runq *mine = h->runq;

	for (u32 k = 1; k < nharts; k++) {
		u32 i = (mine->steal_from + k) % nharts;
		struct hart *other = harts[i];
		struct runq *rq = other ? other->runq : NULL;
		struct thread *t;

		if (!rq || rq == mine || !READ_ONCE(rq->ready) || !rq_trylock(rq))
			continue;
		t = take_for(rq, h);
		if (t)
			t->hart = h;
		rq_unlock(rq);
		if (t) {
			mine->steal_from = i;
			enqueue(mine, t, false);
			return true;
		}
	}
	return false;
}

int sched_set_affinity(struct thread *t, u64 mask)
{
	u64 flags;
	struct runq *rq;

	mask &= harts_online();
	if (!mask)
		return -EINVAL;
	flags = irq_save();
	rq = rq_lock_thread(t);
	t->affinity = mask;
	bool here = mask & 1UL << t->hart->index, moved = false;

	if (!here && t->on_runq) {
		dequeue(rq, t);
		moved = true;
	} else if (!here && rq->curr == t) {
		thread_flag_set(t, TIF_RESCHED); /* it moves when it is switched out */
		if (t->hart != this_hart())
			ipi_send(1UL << t->hart->index, IPI_RESCHED);
	}
	rq_unlock(rq);
	if (moved)
		migrate(t, true);
	irq_restore(flags);
	preempt_resched();
	return 0;
}

void sched_set_nice(struct thread *t, int nice)
{
	u64 flags = irq_save();
	struct runq *rq = rq_lock_thread(t);
	bool queued = t->on_runq;

	ASSERT(nice >= -20 && nice <= 19);
	if (queued)
		dequeue(rq, t);
	t->nice = (s8)nice;
	if (queued)
		enqueue(rq, t, false);
	rq_unlock(rq);
	irq_restore(flags);
}

u64 sched_timeslice(const struct thread *t)
{
	return t->policy == SCHED_FIFO ? 0 : slice_of(t);
}

void sched_set_policy(struct thread *t, int policy, int rt_prio)
{
	u64 flags = irq_save();
	struct runq *rq = rq_lock_thread(t);
	bool queued = t->on_runq;
	struct hart *h = t->hart;

	ASSERT(rt_prio >= 0 && rt_prio <= (int)RT_LEVELS);
	if (queued)
		dequeue(rq, t);
	t->policy = (u8)policy;
	t->rt_prio = (u8)rt_prio;
	t->expired = false;
	t->slice_left = slice_of(t);
	if (rq->curr == t) {
		t->slice_end = time_now() + t->slice_left;
		if (rq->ready) { /* somebody may be more urgent now */
			thread_flag_set(t, TIF_RESCHED);
			if (h != this_hart())
				ipi_send(1UL << h->index, IPI_RESCHED);
		}
	}
	if (queued) {
		enqueue(rq, t, false);
		check_preempt(h, rq, t);
	}
	rq_unlock(rq);
	irq_restore(flags);
	preempt_resched();
}

/* ---- address spaces ---- */

void sched_set_map(struct vm_map *map)
{
	struct thread *t = current();
	u64 flags = irq_save();
	struct hart *h = t->hart;

	t->map = map;
	if (h->map != map) {
		hooks.switch_map(h->map, map);
		h->map = map;
	}
	irq_restore(flags);
}

static void forget_here(void *map)
{
	struct hart *h = this_hart();

	if (h->map != map)
		return;
	ASSERTF(current()->map != map, "map %p dies while thread %s runs in it", map,
		current()->name);
	hooks.switch_map(h->map, NULL);
	h->map = NULL;
}

void sched_forget_map(struct vm_map *map)
{
	u64 mask = 0;

	for (u64 m = harts_online(); m; m &= m - 1)
		if (READ_ONCE(harts[lowest_bit(m)]->map) == map)
			mask |= m & -m;
	if (mask)
		harts_call(mask, forget_here, map);
}

/* ---- ticks ---- */

/* Real-time threads leave the others a share: curr ran another tick. */
static void rt_account(struct runq *rq, struct thread *curr, u64 now)
{
	rq_lock(rq);
	if (now >= rq->rt_period_end) {
		rq->rt_period_end = now + RT_PERIOD;
		rq->rt_used = 0;
		rq->rt_throttled = false;
	}
	if (curr->rt_prio && rq->ready > rq->rt_ready)
		rq->rt_used += TICK_NS;
	if (!rq->rt_throttled && rq->rt_used >= RT_SHARE)
		rq->rt_throttled = true;
	if (rq->rt_throttled ? curr->rt_prio > 0 && rq->ready > rq->rt_ready
			     : !curr->rt_prio && rq->rt_ready)
		thread_flag_set(curr, TIF_RESCHED);
	rq_unlock(rq);
}

void sched_tick(void)
{
	struct thread *t = current();
	struct hart *h = t->hart;
	struct runq *rq = h->runq;
	u64 now = time_now();

	if (h->irq_user)
		t->uticks++;
	else
		t->sticks++;
	charge(h, t, now, h->irq_user);
	if (t == h->idle)
		return;
	if (t->proc)
		hooks.tick(t);
	if (unlikely(t->rt_prio || rq->rt_ready))
		rt_account(rq, t, now);
	if (now >= t->slice_end && rq->ready)
		thread_flag_set(t, TIF_RESCHED);
	if (nharts > 1 && rq->ready) { /* somebody has nothing to do: let it take one of ours */
		u64 idle = __atomic_load_n(&idle_harts, __ATOMIC_RELAXED);

		if (idle)
			ipi_send(idle & -idle, IPI_RESCHED);
	}
}

/* ---- idling ---- */

static bool all_idle(void)
{
	return __atomic_load_n(&idle_harts, __ATOMIC_RELAXED) == harts_online();
}

/*
 * Interrupts on; returns when there may be something to run.  Frames are zeroed ahead only while nobody works: who does has them sooner
 * in his own cache than from another hart's, and the free lists to himself.
 */
static void idle_once(struct hart *h)
{
	struct thread *t = current();

	thread_reap_idle();
	while (!(READ_ONCE(t->flags) & TIF_RESCHED) && all_idle() && frames_zero_one())
		;
	irq_disable();
	if (!(READ_ONCE(t->flags) & TIF_RESCHED) && !READ_ONCE(h->runq->ready)) {
		/* a hart that sleeps with a map loaded would be woken by each of its shootdowns */
		if (h->map && nharts > 1) {
			hooks.switch_map(h->map, NULL);
			h->map = NULL;
		}
		__asm__ volatile("wfi");
	}
	irq_enable();
}

/* An idle hart looks for work elsewhere when it was woken without any of its own. */
static void idle_look(struct hart *h)
{
	u64 flags = irq_save();

	if (nharts > 1) {
		rq_lock(h->runq);
		if (!h->runq->ready)
			steal(h);
		rq_unlock(h->runq);
	}
	do_schedule(false);
	irq_restore(flags);
}

__noreturn void sched_start_idle(void)
{
	struct thread *t = current();
	struct hart *h = t->hart;

	ASSERT(t == h->idle && h->runq->curr == t);
	t->last_stamp = time_now();
	sched_running = true;
	t->preempt_count = 0;
	become_idle(h);
	irq_enable();
	for (;;) {
		idle_look(h);
		idle_once(h);
	}
}

/* ---- start-up, figures ---- */

static struct runq boot_runq;

static void runq_init(struct runq *rq, struct thread *idle)
{
	rq->curr = idle;
	rq->active = &rq->array[0];
	rq->expired = &rq->array[1];
	for (u32 i = 0; i < 2; i++)
		for (u32 k = 0; k < SCHED_LEVELS; k++)
			list_init(&rq->array[i].queue[k]);
	for (u32 k = 0; k < RT_LEVELS; k++)
		list_init(&rq->rt.queue[k]);
}

bool sched_hart_prepare(struct hart *h)
{
	h->runq = kzalloc(sizeof(*h->runq));
	if (!h->runq)
		return false;
	h->idle = thread_create_idle(h);
	if (!h->idle) {
		kfree(h->runq);
		return false;
	}
	runq_init(h->runq, h->idle);
	h->running = h->idle;
	return true;
}

void sched_init(void)
{
	struct hart *h = boot_thread.hart;

	h->runq = &boot_runq;
	h->idle = h->running = &boot_thread;
	runq_init(&boot_runq, &boot_thread);
}

u32 sched_runnable(void)
{
	u32 n = 0;

	for (u64 m = harts_online(); m; m &= m - 1) {
		struct hart *h = harts[lowest_bit(m)];

		n += READ_ONCE(h->runq->ready) + (READ_ONCE(h->runq->curr) != h->idle);
	}
	return n;
}

void sched_hart_times(unsigned hart, u64 *user, u64 *sys, u64 *idle)
{
	struct hart *h = harts[hart];

	*user = READ_ONCE(h->time_user);
	*sys = READ_ONCE(h->time_sys);
	*idle = READ_ONCE(h->time_idle);
	if (READ_ONCE(h->runq->curr) == h->idle) {
		u64 now = time_now(), since = READ_ONCE(h->idle->last_stamp);

		*idle += now > since ? now - since : 0;
	}
}

u64 sched_switches(void)
{
	u64 n = 0;

	for (u64 m = harts_online(); m; m &= m - 1)
		n += READ_ONCE(harts[lowest_bit(m)]->runq->switches);
	return n;
}

#if DEBUG
void might_sleep(void)
{
	struct thread *t = current();

	if (!sched_running)
		return;
	ASSERTF(t->preempt_count == 0 && t->intr_depth == 0 && irqs_on(),
		"thread %s may sleep with preemption off (%u), in an interrupt (%u) or with interrupts off",
		t->name, t->preempt_count, t->intr_depth);
}
#endif
