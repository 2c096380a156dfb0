// SPDX-License-Identifier: BSD-2-Clause
/*
 * Resource limits and usage: what limits apply where, and the times of threads, processes and waited-for children.
 *
 * Locks: p->sig_lock guards limits and sums; a living thread's own counters are read as they are (a hint a moment old).
 */
#include "kernel/proc/proc_internal.h"

#define NSEC_PER_USEC 1000
#define NOFILE_MAX    (1024 * 1024)

u64 proc_rlimit(int which)
{
	ASSERT(which >= 0 && which < RLIM_NLIMITS);
	return READ_ONCE(current_proc()->rlim[which].cur);
}

void proc_apply_limits(struct process *p, struct vm_map *m)
{
	vm_set_limits(m, p->rlim[RLIMIT_AS].cur, p->rlim[RLIMIT_DATA].cur,
		      p->rlim[RLIMIT_STACK].cur);
}

static int check_new_limit(const struct process *p, int which, const struct rlimit *new)
{
	if (new->cur > new->max)
		return -EINVAL;
	if (which == RLIMIT_NOFILE && new->max > NOFILE_MAX)
		return -EPERM;
	if (new->max > p->rlim[which].max && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	return 0;
}

int proc_set_rlimit(struct process *p, int which, const struct rlimit *new, struct rlimit *old)
{
	struct vm_map *m = NULL;
	u64 flags;
	int err = 0;

	if (which < 0 || which >= RLIM_NLIMITS)
		return -EINVAL;
	flags = spin_lock_irq(&p->sig_lock);
	if (old)
		*old = p->rlim[which];
	if (new)
		err = check_new_limit(p, which, new);
	if (new && !err) {
		p->rlim[which] = *new;
		cpu_watch_update(p);
		m = p->map;
		if (m)
			vm_map_hold(m);
	}
	spin_unlock_irq(&p->sig_lock, flags);
	if (m) {
		proc_apply_limits(p, m);
		vm_map_drop(m);
	}
	return err;
}

void task_times(struct task *t, struct proc_times *out)
{
	struct thread *th = t->thread;

	*out = (struct proc_times){th->utime, th->stime, t->minflt,
				   t->majflt, th->nvcsw, th->nivcsw};
	if (th == current()) {
		u64 now = time_now();

		if (now > th->last_stamp)
			out->stime += now - th->last_stamp;
	}
}

static void times_add(struct proc_times *to, const struct proc_times *t)
{
	to->utime += t->utime;
	to->stime += t->stime;
	to->minflt += t->minflt;
	to->majflt += t->majflt;
	to->nvcsw += t->nvcsw;
	to->nivcsw += t->nivcsw;
}

void proc_times(struct process *p, struct proc_times *out)
{
	struct proc_times one;
	struct task *t;
	u64 flags = spin_lock_irq(&p->sig_lock);

	*out = p->dead;
	list_for_each(t, &p->tasks, proc_link) {
		task_times(t, &one);
		times_add(out, &one);
	}
	spin_unlock_irq(&p->sig_lock, flags);
}

static void split_time(u64 ns, s64 *s, s64 *us)
{
	*s = (s64)(ns / NSEC_PER_SEC);
	*us = (s64)(ns % NSEC_PER_SEC / NSEC_PER_USEC);
}

void proc_rusage(struct process *p __unused, const struct proc_times *t, u64 maxrss_pages,
		 struct rusage_k *out)
{
	memset(out, 0, sizeof(*out));
	split_time(t->utime, &out->utime_s, &out->utime_us);
	split_time(t->stime, &out->stime_s, &out->stime_us);
	out->maxrss = (s64)(maxrss_pages * (PAGE_SIZE / KiB));
	out->minflt = (s64)t->minflt;
	out->majflt = (s64)t->majflt;
	out->nvcsw = (s64)t->nvcsw;
	out->nivcsw = (s64)t->nivcsw;
}
