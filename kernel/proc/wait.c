// SPDX-License-Identifier: BSD-2-Clause
/*
 * Waiting for children: wait4 and waitid.  Any thread of a process may wait for any child of the process.
 *
 * Dead children are in a list of their own, so that the usual wait does not walk over the living.
 *
 * Locks: proc_tree_lock over the whole look; the sleep is between looks.
 */
#include "kernel/proc/proc_internal.h"

/* What is waited for.
 *
 * Field markings and the corresponding locks:
 * (o) the waiting thread
 */
struct want {
	int which;		 /* (o) P_* */
	s32 id;			 /* (o) */
	int options;		 /* (o) */
	struct wait_result *out; /* (o) */
};

static bool eligible(const struct process *c, const struct want *w)
{
	bool clone_child = c->exit_signal != SIGCHLD;

	if (w->which == P_PID && c->pid != w->id)
		return false;
	if (w->which == P_PGID && c->pgrp->id != w->id)
		return false;
	return (w->options & __WALL) || clone_child == !!(w->options & __WCLONE);
}

static void add_child_times(struct process *parent, struct process *c, const struct proc_times *own)
{
	struct proc_times *t = &parent->children_time;
	u64 flags = spin_lock_irq(&parent->sig_lock);

	t->utime += own->utime + c->children_time.utime;
	t->stime += own->stime + c->children_time.stime;
	t->minflt += own->minflt + c->children_time.minflt;
	t->majflt += own->majflt + c->children_time.majflt;
	t->nvcsw += own->nvcsw + c->children_time.nvcsw;
	t->nivcsw += own->nivcsw + c->children_time.nivcsw;
	parent->children_maxrss = MAX(parent->children_maxrss, MAX(c->maxrss, c->children_maxrss));
	spin_unlock_irq(&parent->sig_lock, flags);
}

static void fill_result(struct process *c, struct wait_result *out, struct proc_times *times)
{
	struct proc_times sum;

	out->pid = c->pid;
	out->uid = c->cred->uid;
	proc_times(c, times);
	sum = *times;
	sum.utime += c->children_time.utime;
	sum.stime += c->children_time.stime;
	sum.minflt += c->children_time.minflt;
	sum.majflt += c->children_time.majflt;
	proc_rusage(c, &sum, MAX(c->maxrss, c->children_maxrss), &out->ru);
}

static void take_zombie(struct process *c, const struct want *w)
{
	struct proc_times times;
	int status;

	ASSERT(c->state == PROC_ZOMBIE && c->ntasks == 0);
	fill_result(c, w->out, &times);
	w->out->status = c->exit_status;
	wait_child_info(c, &w->out->code, &status);
	if (w->options & WNOWAIT)
		return;
	add_child_times(c->parent, c, &times);
	proc_reap(c);
}

/* A stop or continue that was not reported yet. */
static bool take_job_change(struct process *c, const struct want *w)
{
	struct proc_times times;
	bool stopped = false, continued = false;
	u64 flags = spin_lock_irq(&c->sig_lock);

	if ((w->options & WUNTRACED) && c->stopped && c->stop_report) {
		stopped = true;
		c->stop_report = !!(w->options & WNOWAIT);
	} else if ((w->options & WCONTINUED) && c->cont_report) {
		continued = true;
		c->cont_report = !!(w->options & WNOWAIT);
	}
	w->out->status = stopped ? c->stop_sig << 8 | 0x7f : 0xffff;
	w->out->code = stopped ? CLD_STOPPED : CLD_CONTINUED;
	spin_unlock_irq(&c->sig_lock, flags);
	if (stopped || continued)
		fill_result(c, w->out, &times);
	return stopped || continued;
}

/* One child: 1 taken, 0 eligible but nothing to report, -ECHILD not eligible. */
static int look_at(struct process *c, const struct want *w)
{
	if (!eligible(c, w))
		return -ECHILD;
	if (c->state == PROC_ZOMBIE) {
		if (!(w->options & WEXITED))
			return 0;
		take_zombie(c, w);
		return 1;
	}
	return take_job_change(c, w);
}

static int look_by_pid(struct process *self, const struct want *w)
{
	struct pid_entry *e = pid_lookup(w->id);

	if (!e || !e->proc || e->proc->parent != self)
		return -ECHILD;
	return look_at(e->proc, w);
}

static int look_in(struct list *children, const struct want *w, bool until_eligible)
{
	struct process *c;
	int ret = -ECHILD;

	list_for_each(c, children, sibling) {
		int r = look_at(c, w);

		if (r > 0)
			return r;
		if (r == 0)
			ret = 0;
		if (r == 0 && until_eligible)
			break;
	}
	return ret;
}

/* 1: w->out is filled; 0: there are such children; -ECHILD: there are none. */
static int look(struct process *self, const struct want *w)
{
	bool jobs = w->options & (WUNTRACED | WCONTINUED);
	int r, s;

	if (w->which == P_PID)
		return look_by_pid(self, w);
	r = look_in(&self->zombies, w, !(w->options & WEXITED));
	if (r > 0)
		return r;
	s = look_in(&self->children, w, !jobs);
	return MAX(r, s);
}

int proc_wait(int which, s32 id, int options, struct wait_result *out)
{
	struct process *self = current_proc();
	struct want w = {which, id, options, out};
	int r = 0, err;

	mutex_lock(&proc_tree_lock);
	if (which == P_PGID && id == 0)
		w.id = self->pgrp->id;
	r = look(self, &w);
	if (r == 0 && !(options & WNOHANG)) {
		err = wait_event_mutex(&self->wait_children, &proc_tree_lock,
				       (r = look(self, &w)) != 0, WAIT_INTR);
		if (err)
			r = -ERESTARTSYS;
	}
	mutex_unlock(&proc_tree_lock);
	if (r == 0)
		out->pid = 0;
	return MIN(r, 0);
}
