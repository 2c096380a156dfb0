// SPDX-License-Identifier: BSD-2-Clause
/*
 * Out of memory: which process dies, and how its memory comes free at once.
 *
 * The one whose death gives back most: pages in memory and in swap, shifted by oom_score_adj in thousandths of all memory.  pid 1 and those at
 * -1000 are never chosen.  It gets SIGKILL, and a thread of its own, the reaper, takes its memory without waiting for it to notice.  Until
 * that is done, or the victim has gone, nobody else is chosen, and who found no memory waits.
 *
 * Locks: none held while choosing; `choosing` lets one thread do it at a time.  The victim's map is handed to the reaper through `reaping`.
 */
#include "kernel/proc/proc_internal.h"

#include "kernel/boot/init.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/stat.h"
#include "kernel/sched/time.h"
#include "kernel/vm/swap.h"

#define GRACE (NSEC_PER_SEC / 2) /* for a victim to go, once its memory was taken */

static u32 choosing;	       /* (a) somebody is at it */
static struct vm_map *reaping; /* (a) held: what the reaper works on */
static u64 quiet_until;	       /* (a) nobody is chosen before */
static u64 reaped;	       /* (a) victims whose memory was taken */
static struct waitq reaper_q, done_q;

static s64 badness(struct process *p, u64 *pages)
{
	struct vm_map *m = proc_map_hold(p);
	struct vm_map_stat st;
	int adj = READ_ONCE(p->oom_score_adj);
	u64 swap_pages, swap_free;

	if (!m)
		return INT64_MIN;
	if (p == init_process || adj <= -1000) {
		vm_map_drop(m);
		return INT64_MIN;
	}
	vm_map_stat(m, &st);
	*pages = st.rss + vm_map_swap_gain(m);
	vm_map_drop(m);
	swap_totals(&swap_pages, &swap_free);
	return (s64)(*pages + st.tables) + adj * (s64)(frames_total() + swap_pages) / 1000;
}

/* Held, or NULL: nobody may be killed. */
static struct process *choose(u64 *pages)
{
	struct process *best = NULL;
	s64 best_score = INT64_MIN;
	s32 pid = 0;

	while ((pid = proc_next_pid(pid + 1)) > 0) {
		struct process *p = proc_find(pid);
		u64 has = 0;
		s64 score;

		if (!p)
			continue;
		score = badness(p, &has);
		if (score > best_score) {
			if (best)
				proc_drop(best);
			best = p;
			best_score = score;
			*pages = has;
		} else {
			proc_drop(p);
		}
	}
	return best;
}

static void name_of(struct process *p, char name[16])
{
	struct task *t;
	u64 flags = spin_lock_irq(&p->sig_lock);

	t = list_first(&p->tasks, struct task, proc_link);
	memcpy(name, t ? t->thread->name : p->comm, 16);
	spin_unlock_irq(&p->sig_lock, flags);
	name[15] = '\0';
}

static void reap(struct vm_map *m)
{
	struct vm_map *none = NULL;

	if (__atomic_compare_exchange_n(&reaping, &none, m, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		waitq_wake_one(&reaper_q);
	else
		vm_map_drop(m); /* it has one to do: this one's process frees its memory itself */
}

static void kill_one(void)
{
	u64 pages = 0;
	struct process *victim = choose(&pages);
	struct vm_map *m;
	char name[16];

	if (!victim) {
		kprintf("out of memory: no process may be killed\n");
		__atomic_store_n(&quiet_until, time_now() + NSEC_PER_SEC, __ATOMIC_RELAXED);
		return;
	}
	name_of(victim, name);
	kprintf("out of memory: %s[%d] asked and none is left; killing %s[%d], %lu KiB resident or in swap, oom_score_adj %d\n",
		current()->name, current()->tid, name, victim->pid, pages * (PAGE_SIZE / KiB),
		victim->oom_score_adj);
	vm_count(VMEV_oom_kill, 1);
	__atomic_store_n(&quiet_until, time_now() + GRACE, __ATOMIC_RELAXED);
	m = proc_map_hold(victim);
	(void)signal_proc(victim, SIGKILL, NULL);
	if (m)
		reap(m);
	proc_drop(victim);
}

void proc_oom_kill(void)
{
	u64 seen = __atomic_load_n(&reaped, __ATOMIC_ACQUIRE);

	if (!__atomic_exchange_n(&choosing, 1, __ATOMIC_ACQUIRE)) {
		if (time_now() >= __atomic_load_n(&quiet_until, __ATOMIC_RELAXED))
			kill_one();
		__atomic_store_n(&choosing, 0, __ATOMIC_RELEASE);
	}
	/* its memory is on its way */
	(void)wait_event_until(&done_q, __atomic_load_n(&reaped, __ATOMIC_ACQUIRE) != seen,
			       WAIT_KILL, time_now() + NSEC_PER_SEC / 20);
}

static void reaper(void *unused __unused)
{
	for (;;) {
		struct vm_map *m;

		wait_event(&reaper_q, __atomic_load_n(&reaping, __ATOMIC_ACQUIRE));
		m = __atomic_load_n(&reaping, __ATOMIC_RELAXED);
		/* a call that changes the areas lasts for moments; if it waits for memory, its own process's exit has to do */
		for (unsigned i = 0; i < 20 && !vm_map_reap(m); i++)
			sleep_ns(NSEC_PER_SEC / 1000);
		__atomic_store_n(&reaping, NULL, __ATOMIC_RELEASE);
		__atomic_fetch_add(&reaped, 1, __ATOMIC_RELEASE);
		waitq_wake_all(&done_q);
		vm_map_drop(m);
	}
}

static void oom_init(void)
{
	waitq_init(&reaper_q);
	waitq_init(&done_q);
	if (!kthread_run("oom_reaper", reaper, NULL))
		panic("no memory for the reaper");
}
INITCALL(VM, oom_init);
