// SPDX-License-Identifier: BSD-2-Clause
/*
 * Out of memory: which process dies.  The one whose death gives back most: resident pages, shifted by oom_score_adj in
 * thousandths of all memory.  pid 1 and those at -1000 are never chosen.  While an earlier victim still has
 * memory nobody else is chosen.
 *
 * Locks: oom_lock (LOCK_PROC_TREE is taken inside by the walk, so it is a bare flag) lets one thread choose at a time.
 */
#include "kernel/proc/proc_internal.h"

#include "kernel/mem/frame.h"
#include "kernel/mem/stat.h"

static u32 choosing; /* atomic: somebody is at it */

static s64 badness(struct process *p, u64 *rss)
{
	struct vm_map *m = proc_map_hold(p);
	struct vm_map_stat st;
	int adj = READ_ONCE(p->oom_score_adj);

	if (!m)
		return INT64_MIN;
	vm_map_stat(m, &st);
	vm_map_drop(m);
	*rss = st.rss;
	if (p == init_process || adj <= -1000)
		return INT64_MIN;
	return (s64)(st.rss + st.tables) + adj * (s64)frames_total() / 1000;
}

/* Held, or NULL: nobody may be killed, or *dying: somebody already is. */
static struct process *choose(bool *dying, u64 *rss)
{
	struct process *best = NULL;
	s64 best_score = INT64_MIN;
	s32 pid = 0;

	*dying = false;
	while ((pid = proc_next_pid(pid + 1)) > 0) {
		struct process *p = proc_find(pid);
		u64 pages = 0;
		s64 score;

		if (!p)
			continue;
		score = badness(p, &pages);
		*dying |= READ_ONCE(p->exiting) && READ_ONCE(p->map);
		if (score > best_score) {
			if (best)
				proc_drop(best);
			best = p;
			best_score = score;
			*rss = pages;
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

void proc_oom_kill(void)
{
	struct process *victim;
	char name[16];
	bool dying;
	u64 rss = 0;

	if (__atomic_exchange_n(&choosing, 1, __ATOMIC_ACQUIRE))
		return;
	victim = choose(&dying, &rss);
	if (victim && !dying) {
		name_of(victim, name);
		kprintf("out of memory: %s[%d] asked and none is left; killing %s[%d], %lu KiB resident, oom_score_adj %d\n",
			current()->name, current()->tid, name, victim->pid, rss * (PAGE_SIZE / KiB),
			victim->oom_score_adj);
		vm_count(VMEV_oom_kill, 1);
		(void)signal_proc(victim, SIGKILL, NULL);
	} else if (!victim && !dying) {
		kprintf("out of memory: no process may be killed\n");
	}
	if (victim)
		proc_drop(victim);
	__atomic_store_n(&choosing, 0, __ATOMIC_RELEASE);
}
