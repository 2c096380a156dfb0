// SPDX-License-Identifier: BSD-2-Clause
/*
 * Timers on processor time: ITIMER_VIRTUAL, ITIMER_PROF, those of timer_create, and RLIMIT_CPU.
 *
 * Time is looked at in each tick that finds a thread of the process running, so they are late by up to a tick.  A process that
 * wants none of this (cpu_watch) costs one load a tick.
 *
 * Locks: sig_lock of the process, also in the tick's interrupt.
 */
#include "kernel/proc/proc_internal.h"

static u64 process_time(struct process *p, bool user_only)
{
	u64 sum = p->dead.utime + (user_only ? 0 : p->dead.stime);
	struct proc_times one;
	struct task *t;

	list_for_each(t, &p->tasks, proc_link) {
		task_times(t, &one);
		sum += one.utime + (user_only ? 0 : one.stime);
	}
	return sum;
}

u64 cpu_timer_now(struct process *p, const struct cpu_timer *t)
{
	struct proc_times one;

	if (t->kind != CPU_THREAD)
		return process_time(p, t->kind == CPU_PROCESS_USER);
	if (t->task->exiting)
		return 0;
	task_times(t->task, &one);
	return one.utime + one.stime;
}

void cpu_watch_update(struct process *p)
{
	WRITE_ONCE(p->cpu_watch,
		   !list_empty(&p->cpu_timers) || p->rlim[RLIMIT_CPU].cur != RLIM_INFINITY);
}

void cpu_timer_arm(struct process *p, struct cpu_timer *t, u64 expires)
{
	if (!t->expires)
		list_add_tail(&p->cpu_timers, &t->link);
	t->expires = MAX(expires, 1UL);
	cpu_watch_update(p);
}

void cpu_timer_cancel(struct process *p, struct cpu_timer *t)
{
	if (!t->expires)
		return;
	list_del(&t->link);
	t->expires = 0;
	cpu_watch_update(p);
}

/* Over the soft limit: SIGXCPU each second; over the hard one: the end. */
static void check_limit(struct process *p)
{
	struct rlimit *l = &p->rlim[RLIMIT_CPU];
	u64 used;

	if (l->cur == RLIM_INFINITY)
		return;
	used = process_time(p, false) / NSEC_PER_SEC;
	if (used >= l->max) {
		(void)signal_send_locked(p, NULL, SIGKILL, NULL);
	} else if (used >= l->cur) {
		(void)signal_send_locked(p, NULL, SIGXCPU, NULL);
		l->cur = used + 1;
	}
}

void proc_cpu_tick(struct thread *th)
{
	struct process *p = th->proc;
	struct cpu_timer *t, *tmp;
	u64 flags, now;

	if (!p || !READ_ONCE(p->cpu_watch))
		return;
	flags = spin_lock_irq(&p->sig_lock);
	if (!p->exiting) {
		list_for_each_safe(t, tmp, &p->cpu_timers, link) {
			now = cpu_timer_now(p, t);
			if (now >= t->expires) {
				cpu_timer_cancel(p, t);
				t->fn(p, t, now);
			}
		}
		check_limit(p);
	}
	spin_unlock_irq(&p->sig_lock, flags);
}

/* ---- ITIMER_VIRTUAL and ITIMER_PROF ---- */

static void itimer_expired(struct process *p, struct cpu_timer *t, u64 now)
{
	(void)signal_send_locked(p, NULL, t == &p->virt_timer ? SIGVTALRM : SIGPROF, NULL);
	if (t->interval)
		cpu_timer_arm(p, t, now + t->interval);
}

void cpu_timers_setup(struct process *p)
{
	list_init(&p->cpu_timers);
	p->virt_timer.kind = CPU_PROCESS_USER;
	p->prof_timer.kind = CPU_PROCESS;
	p->virt_timer.fn = p->prof_timer.fn = itimer_expired;
}

static void itimer_read(struct process *p, struct cpu_timer *t, u64 *value, u64 *interval)
{
	u64 now = cpu_timer_now(p, t);

	*value = !t->expires ? 0 : t->expires > now ? t->expires - now : 1;
	*interval = t->interval;
}

void proc_cpu_itimer_get(bool user, u64 *value, u64 *interval)
{
	struct process *p = current_proc();
	u64 flags = spin_lock_irq(&p->sig_lock);

	itimer_read(p, user ? &p->virt_timer : &p->prof_timer, value, interval);
	spin_unlock_irq(&p->sig_lock, flags);
}

void proc_cpu_itimer_set(bool user, u64 value, u64 interval, u64 *old_value, u64 *old_interval)
{
	struct process *p = current_proc();
	struct cpu_timer *t = user ? &p->virt_timer : &p->prof_timer;
	u64 flags = spin_lock_irq(&p->sig_lock);

	itimer_read(p, t, old_value, old_interval);
	cpu_timer_cancel(p, t);
	t->interval = interval;
	if (value)
		cpu_timer_arm(p, t, cpu_timer_now(p, t) + value);
	spin_unlock_irq(&p->sig_lock, flags);
}
