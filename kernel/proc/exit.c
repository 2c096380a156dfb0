// SPDX-License-Identifier: BSD-2-Clause
/*
 * The end of threads and processes.
 *
 * A thread leaves in this order: what its memory still has to be told (robust futexes, clear_child_tid), then its
 * address space, then the list of its process.  The last one takes the process's resources with it and makes it a
 * zombie, tells the parent, and hands its children to the reaper.  The zombie's table entry goes when it is waited for.
 *
 * Locks: p->sig_lock for the list of threads, proc_tree_lock for the family; nothing is held while resources go.
 */
#include "kernel/proc/proc_internal.h"

#include "fs/tty/tty.h"

void proc_release_exe(struct file *f)
{
	if (!f)
		return;
	__atomic_fetch_sub(&f->vnode->deny_write, 1, __ATOMIC_RELEASE);
	file_drop(f);
}

void vfork_complete(struct process *p)
{
	u64 flags = spin_lock_irq(&p->sig_lock);

	p->vfork_done = true;
	waitq_wake_all(&p->vfork_wait);
	spin_unlock_irq(&p->sig_lock, flags);
}

void proc_release_map(struct process *p)
{
	u64 flags = spin_lock_irq(&p->sig_lock);
	struct vm_map *m = p->map;

	p->map = NULL;
	spin_unlock_irq(&p->sig_lock, flags);
	if (m)
		vm_map_drop(m);
}

/* Tells user memory that the thread is gone.  Not when nobody else can see it: that would only copy a page. */
void task_release_user(struct task *t)
{
	struct process *p = t->proc;

	if (!current()->map)
		return;
	if (t->robust_list)
		futex_exit_robust(t);
	if (t->clear_child_tid && (READ_ONCE(p->ntasks) > 1 || READ_ONCE(p->map_shared))) {
		if (put_user_u32(0, (u32 __user *)t->clear_child_tid) == 0)
			(void)futex_wake_addr(t->clear_child_tid, 1);
	}
	t->clear_child_tid = t->robust_list = 0;
}

static void add_times(struct process *p, struct task *t)
{
	struct proc_times now;

	task_times(t, &now);
	p->dead.utime += now.utime;
	p->dead.stime += now.stime;
	p->dead.minflt += now.minflt;
	p->dead.majflt += now.majflt;
	p->dead.nvcsw += now.nvcsw;
	p->dead.nivcsw += now.nivcsw;
}

/* Off the list of threads.  True: it was the last. */
static bool leave_group(struct task *t, int code)
{
	struct process *p = t->proc;
	bool last, stop_complete = false;
	u64 flags = spin_lock_irq(&p->sig_lock);

	ASSERT(p->ntasks > 0 && !t->exiting);
	t->exiting = true;
	list_del(&t->proc_link);
	last = --p->ntasks == 0;
	add_times(p, t);
	if (last) {
		memcpy(p->comm, t->thread->name, sizeof(p->comm));
		if (!p->exiting)
			p->exit_status = (code & 0xff) << 8;
		p->exiting = true;
	} else {
		if (p->pending.set && !p->exiting)
			signal_retarget(p);
		stop_complete = p->group_stop && p->nstopped == p->ntasks && !p->stopped;
		if (stop_complete)
			p->stopped = p->stop_report = true;
		if (p->ntasks == 1)
			waitq_wake_all(&p->threads_wait);
	}
	spin_unlock_irq(&p->sig_lock, flags);
	if (stop_complete) {
		mutex_lock(&proc_tree_lock);
		notify_parent_stop(p, CLD_STOPPED, p->stop_sig);
		mutex_unlock(&proc_tree_lock);
	}
	return last;
}

static void release_files(struct process *p)
{
	struct fdtable *fds;
	struct fs_context *fs;
	struct file *exe;
	u64 flags = spin_lock_irq(&p->sig_lock);

	fds = p->fds;
	fs = p->fs;
	exe = p->exe;
	p->fds = NULL;
	p->fs = NULL;
	p->exe = NULL;
	spin_unlock_irq(&p->sig_lock, flags);
	if (fds)
		fdtable_drop(fds);
	if (fs)
		fs_context_drop(fs);
	proc_release_exe(exe);
}

/* ---- the family; proc_tree_lock held ---- */

static struct process *find_reaper(struct process *p)
{
	for (struct process *a = p->parent; a; a = a->parent) {
		if (a->subreaper && a->state == PROC_ALIVE && !READ_ONCE(a->exiting))
			return a;
	}
	return init_process;
}

static void adopt(struct process *child, struct process *reaper)
{
	list_del(&child->sibling);
	child->parent = reaper;
	child->exit_signal = SIGCHLD;
	if (child->state != PROC_ZOMBIE) {
		list_add_tail(&reaper->children, &child->sibling);
		return;
	}
	list_add_tail(&reaper->zombies, &child->sibling);
	if (notify_parent_exit(child))
		proc_reap(child);
}

static void send_pdeath(struct process *child)
{
	struct task *t;
	u64 flags = spin_lock_irq(&child->sig_lock);
	int sig = 0;

	list_for_each(t, &child->tasks, proc_link)
		sig = t->pdeath_sig ? t->pdeath_sig : sig;
	spin_unlock_irq(&child->sig_lock, flags);
	if (sig)
		signal_proc(child, sig, NULL);
}

void proc_reparent_children(struct process *p)
{
	struct process *reaper = find_reaper(p), *c, *tmp;

	list_for_each_safe(c, tmp, &p->children, sibling) {
		adopt(c, reaper);
		send_pdeath(c);
		pgrp_check_orphans(c, p);
	}
	list_for_each_safe(c, tmp, &p->zombies, sibling)
		adopt(c, reaper);
	ASSERT(list_empty(&p->children) && list_empty(&p->zombies));
}

void wait_child_info(struct process *p, int *code, int *status)
{
	int s = p->exit_status;

	if ((s & 0x7f) == 0) {
		*code = CLD_EXITED;
		*status = s >> 8 & 0xff;
	} else {
		*code = s & 0x80 ? CLD_DUMPED : CLD_KILLED;
		*status = s & 0x7f;
	}
}

static void child_info(struct process *p, int sig, int code, int status, struct siginfo_k *info)
{
	struct proc_times t;

	proc_times(p, &t);
	*info = (struct siginfo_k){.signo = sig, .code = code};
	info->chld.pid = p->pid;
	info->chld.uid = p->cred->uid;
	info->chld.status = status;
	info->chld.utime = (s64)(t.utime / (NSEC_PER_SEC / 100));
	info->chld.stime = (s64)(t.stime / (NSEC_PER_SEC / 100));
}

static struct k_sigaction chld_action(struct process *parent)
{
	u64 flags = spin_lock_irq(&parent->sig_lock);
	struct k_sigaction a = sighand_get(parent, SIGCHLD);

	spin_unlock_irq(&parent->sig_lock, flags);
	return a;
}

bool notify_parent_exit(struct process *p)
{
	struct process *parent = p->parent;
	int sig = p->exit_signal, code, status;
	bool reap = false;
	struct siginfo_k info;

	ASSERT(mutex_held(&proc_tree_lock) && p->state == PROC_ZOMBIE);
	if (sig == SIGCHLD) {
		struct k_sigaction a = chld_action(parent);

		reap = a.handler == SIG_IGN || (a.flags & SA_NOCLDWAIT);
		if (a.handler == SIG_IGN)
			sig = 0;
	}
	if (sig > 0 && sig <= NSIG) {
		wait_child_info(p, &code, &status);
		child_info(p, sig, code, status, &info);
		(void)signal_proc(parent, sig, &info);
	}
	waitq_wake_all(&parent->wait_children);
	return reap;
}

void notify_parent_stop(struct process *p, int code, int status)
{
	struct process *parent = p->parent;
	struct k_sigaction a;
	struct siginfo_k info;

	if (!parent || p->state != PROC_ALIVE)
		return;
	a = chld_action(parent);
	if (a.handler != SIG_IGN && !(a.flags & SA_NOCLDSTOP)) {
		child_info(p, SIGCHLD, code, status, &info);
		(void)signal_proc(parent, SIGCHLD, &info);
	}
	waitq_wake_all(&parent->wait_children);
}

void proc_reap(struct process *p)
{
	struct pid_entry *e = pid_lookup(p->pid);

	ASSERTF(p->state == PROC_ZOMBIE && e && e->proc == p, "process %d", p->pid);
	p->state = PROC_REAPED;
	list_del(&p->sibling);
	p->parent = NULL;
	pgrp_leave(p);
	e = pid_lookup(p->pid);
	e->proc = NULL;
	pid_put(p->pid);
	proc_drop(p);
}

static void become_zombie(struct process *p)
{
	mutex_lock(&proc_tree_lock);
	proc_reparent_children(p);
	pgrp_check_orphans(p, p->parent);
	p->state = PROC_ZOMBIE;
	list_del(&p->sibling);
	list_add_tail(&p->parent->zombies, &p->sibling);
	waitq_wake_all(&p->exit_wait);
	if (notify_parent_exit(p))
		proc_reap(p); /* our task still holds it */
	mutex_unlock(&proc_tree_lock);
}

static bool leads_session(struct process *p)
{
	bool leads;

	mutex_lock(&proc_tree_lock);
	leads = p->session && p->session->sid == p->pid && p->session->tty;
	mutex_unlock(&proc_tree_lock);
	return leads;
}

static void (*sysv_exit)(struct process *p);

void proc_set_sysv_exit(void (*fn)(struct process *p))
{
	sysv_exit = fn;
}

static void process_end(struct process *p)
{
	struct vm_map_stat st;

	if (p == init_process)
		panic("init has ended with wait status %#x", p->exit_status);
	proc_itimer_set(0, 0, NULL, NULL);
	ptimers_delete_all(p);
	if (p->map) {
		vm_map_stat(p->map, &st);
		p->maxrss = MAX(p->maxrss, st.rss_peak);
	}
	proc_release_map(p);
	if (!list_empty(&p->sysv_undo) || p->sysv_shm)
		sysv_exit(p);
	vfork_complete(p);
	if (leads_session(p))
		tty_leader_exit(p->pid);
	release_files(p);
	become_zombie(p);
}

static void forget_tid(struct task *t)
{
	struct pid_entry *e;

	mutex_lock(&proc_tree_lock);
	e = pid_lookup(t->thread->tid);
	ASSERT(e && e->task == t);
	e->task = NULL;
	nproc_uncharge(t->proc->cred->uid);
	pid_put(e->nr);
	mutex_unlock(&proc_tree_lock);
}

__noreturn void task_exit(int code)
{
	struct task *t = current_task();
	struct process *p = t->proc;

	task_release_user(t);
	if (READ_ONCE(p->ntasks) > 1 || READ_ONCE(p->map_shared))
		sched_set_map(NULL); /* nobody's last drop finds us in it */
	forget_tid(t);
	if (leave_group(t, code)) {
		if (current()->map)
			sched_set_map(NULL);
		process_end(p);
	}
	u64 flags = spin_lock_irq(&p->sig_lock);

	sigqueue_flush(&t->pending);
	spin_unlock_irq(&p->sig_lock, flags);
	thread_exit(); /* the thread_free hook drops the task */
}

__noreturn void proc_exit_group(int status)
{
	struct process *p = current_proc();
	u64 flags = spin_lock_irq(&p->sig_lock);

	group_exit_begin(p, status);
	spin_unlock_irq(&p->sig_lock, flags);
	task_exit(0);
}

int proc_single_thread(struct process *p)
{
	struct task *t, *self = current_task();
	u64 flags = spin_lock_irq(&p->sig_lock);
	int err = 0;

	if (p->exiting || p->in_exec) {
		spin_unlock_irq(&p->sig_lock, flags);
		return -EAGAIN;
	}
	p->in_exec = true;
	list_for_each(t, &p->tasks, proc_link) {
		if (t == self)
			continue;
		thread_flag_set(t->thread, TIF_EXIT);
		thread_kick(t->thread, true);
	}
	waitq_wake_all(&p->stop_wait);
	spin_unlock_irq(&p->sig_lock, flags);
	if (READ_ONCE(p->ntasks) > 1)
		err = wait_event_until(&p->threads_wait, READ_ONCE(p->ntasks) == 1, WAIT_KILL, 0);
	flags = spin_lock_irq(&p->sig_lock);
	p->in_exec = false;
	spin_unlock_irq(&p->sig_lock, flags);
	return err;
}
