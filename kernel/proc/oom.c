// SPDX-License-Identifier: BSD-2-Clause
/*
 * Out of memory: which process dies, and how its memory comes free at once.
 *
 * The one whose death gives back most: pages in memory and in swap, shifted by oom_score_adj in thousandths of all memory.  pid 1 and those at
 * -1000 are never chosen.  A thread of its own chooses, since who finds no memory may hold any lock: it sends SIGKILL and takes the victim's memory
 * without waiting for it to notice.  For GRACE after that nobody else is chosen, and a process whose memory was taken is not chosen again.
 *
 * Who asks: reclaim that brings scraps only; page faults that found no memory, once they have let go of the map, and allocations of the kernel, before they fail.
 *
 * Locks: none held while choosing; the thread takes proc_tree_lock for moments and only tries maps.
 */
#include "kernel/proc/proc_internal.h"

#include "kernel/boot/init.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/stat.h"
#include "kernel/sched/time.h"
#include "kernel/vm/swap.h"

#define GRACE (NSEC_PER_SEC / 2) /* for a victim to go, once its memory was taken */

static u32 asked;	/* (a) somebody found no memory */
static u64 answered;	/* (a) rounds of the thread */
static u64 quiet_until; /* the thread's: nobody is chosen before */
static bool nobody;	/* (a) who might be chosen */
static struct {
	char name[16];
	s32 tid;
} asker; /* for the message */
static struct waitq oom_q, done_q;

static s64 badness(struct process *p, u64 *pages)
{
	struct vm_map *m = proc_map_hold(p);
	int adj = READ_ONCE(p->oom_score_adj);
	u64 swap_pages, swap_free;

	if (!m)
		return INT64_MIN;
	*pages = p == init_process || adj <= -1000 ? 0 : vm_map_gain(m);
	vm_map_drop(m);
	if (!*pages)
		return INT64_MIN;
	swap_totals(&swap_pages, &swap_free);
	return (s64)*pages + adj * (s64)(frames_total() + swap_pages) / 1000;
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

/* Its memory goes without waiting for its threads; a call of theirs that changes the areas lasts for moments, or until it finds no memory either. */
static void reap(struct process *victim)
{
	struct vm_map *m = proc_map_hold(victim);

	(void)signal_proc(victim, SIGKILL, NULL);
	if (!m)
		return;
	for (unsigned i = 0; i < 20 && !vm_map_reap(m); i++)
		sleep_ns(NSEC_PER_SEC / 1000);
	vm_map_drop(m);
}

static void kill_one(void)
{
	u64 pages = 0;
	struct process *victim = choose(&pages);
	char name[16];

	WRITE_ONCE(nobody, !victim);
	if (!victim) {
		kprintf("out of memory: no process may be killed\n");
		quiet_until = time_now() + NSEC_PER_SEC;
		return;
	}
	name_of(victim, name);
	kprintf("out of memory: %s[%d] asked and none is left; killing %s[%d], %lu KiB of memory and swap, oom_score_adj %d; swap full for %lu ms\n",
		asker.name, asker.tid, name, victim->pid, pages * (PAGE_SIZE / KiB),
		victim->oom_score_adj, swap_full_for() / (NSEC_PER_SEC / 1000));
	vm_count(VMEV_oom_kill, 1);
	quiet_until = time_now() + GRACE;
	reap(victim);
	proc_drop(victim);
}

static void oom_thread(void *unused __unused)
{
	for (;;) {
		wait_event(&oom_q, __atomic_load_n(&asked, __ATOMIC_ACQUIRE));
		if (time_now() >= quiet_until)
			kill_one();
		__atomic_store_n(&asked, 0, __ATOMIC_RELEASE);
		__atomic_fetch_add(&answered, 1, __ATOMIC_RELEASE);
		waitq_wake_all(&done_q);
	}
}

static void ask(void)
{
	u32 none = 0;

	if (__atomic_compare_exchange_n(&asked, &none, 1, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED)) {
		/* a guess for the message: the next to ask may overwrite it */
		strlcpy(asker.name, current()->name, sizeof(asker.name));
		asker.tid = current()->tid;
		waitq_wake_one(&oom_q);
	}
}

bool proc_oom_kill(void)
{
	u64 seen = __atomic_load_n(&answered, __ATOMIC_ACQUIRE);

	if (current_task() && signal_pending_task(current_task(), true))
		return false;
	ask();
	(void)wait_event_until(&done_q, __atomic_load_n(&answered, __ATOMIC_ACQUIRE) != seen,
			       WAIT_KILL, time_now() + GRACE);
	/* the victim's last steps may need a moment */
	sleep_ns(NSEC_PER_SEC / 200);
	return !READ_ONCE(nobody) &&
	       (!current_task() || !signal_pending_task(current_task(), true));
}

static void oom_init(void)
{
	waitq_init(&oom_q);
	waitq_init(&done_q);
	if (!kthread_run("oom", oom_thread, NULL))
		panic("no memory for the out-of-memory thread");
	frames_set_oom(proc_oom_kill, ask);
}
INITCALL(VM, oom_init);
