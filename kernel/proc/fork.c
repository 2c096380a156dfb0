// SPDX-License-Identifier: BSD-2-Clause
/*
 * clone: new processes and threads.
 *
 * Everything that can fail is made first, unseen by anybody; then, under proc_tree_lock, the new task gets its number
 * and its place in the family, which cannot fail any more; then it is woken.
 *
 * Locks: proc_tree_lock and sig_lock for the commit; nothing while copies are made (the parent's resources are held by
 * the parent itself, which is here).
 */
#include "kernel/proc/proc_internal.h"
#include "kernel/lib/ref.h"

/* A child in the making.
 *
 * Field markings and the corresponding locks:
 * (o) the forking thread
 */
struct birth {
	const struct clone_args_k *args; /* (o) */
	struct process *parent;		 /* (o) current's */
	struct process *proc;		 /* (o) the new one, or the parent for a thread */
	struct task *task;		 /* (o) */
	struct thread *thread;		 /* (o) */
	bool charged;			 /* (o) against RLIMIT_NPROC */
};

static u64 forks;

u64 proc_forks(void)
{
	return __atomic_load_n(&forks, __ATOMIC_RELAXED);
}

static int check_flags(u64 f)
{
	if (f & CLONE_NAMESPACES)
		return capable(CAP_SYS_ADMIN) || (f & CLONE_NEWUSER) ? -EINVAL : -EPERM;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_PARENT) && current_proc() == init_process)
		return -EINVAL;
	return 0;
}

/* ---- what a new process gets ---- */

static int copy_map(struct birth *b)
{
	struct process *p = b->proc;

	if (b->args->flags & CLONE_VM) {
		p->map = b->parent->map;
		vm_map_hold(p->map);
		WRITE_ONCE(b->parent->map_shared, true);
		p->map_shared = true;
		return 0;
	}
	p->map = vm_map_fork(b->parent->map);
	return p->map ? 0 : -ENOMEM;
}

static int copy_files(struct birth *b)
{
	struct process *p = b->proc;
	u64 f = b->args->flags;

	p->fds = b->parent->fds;
	if (f & CLONE_FILES) {
		fdtable_hold(p->fds);
		WRITE_ONCE(b->parent->files_shared, true);
		p->files_shared = true;
	} else {
		p->fds = fdtable_copy(p->fds);
	}
	if (!p->fds)
		return -ENOMEM;
	p->fs = b->parent->fs;
	if (f & CLONE_FS)
		ref_get(&p->fs->refs);
	else
		p->fs = fs_context_copy(p->fs);
	return p->fs ? 0 : -ENOMEM;
}

static int copy_sighand(struct birth *b)
{
	struct process *parent = b->parent;

	if (b->args->flags & CLONE_SIGHAND) {
		u64 flags = spin_lock_irq(&parent->sig_lock);

		b->proc->sighand = parent->sighand;
		sighand_hold(parent->sighand);
		spin_unlock_irq(&parent->sig_lock, flags);
		return 0;
	}
	b->proc->sighand = sighand_clone(parent, b->args->flags & CLONE_CLEAR_SIGHAND);
	return b->proc->sighand ? 0 : -ENOMEM;
}

static void copy_attributes(struct process *p, struct process *parent)
{
	u64 flags = spin_lock_irq(&parent->sig_lock);

	memcpy(p->rlim, parent->rlim, sizeof(p->rlim));
	cpu_watch_update(p);
	p->cred = parent->cred;
	cred_hold(p->cred);
	p->exe = parent->exe;
	if (p->exe) {
		file_hold(p->exe);
		__atomic_fetch_add(&p->exe->vnode->deny_write, 1, __ATOMIC_RELAXED);
	}
	p->oom_score_adj = parent->oom_score_adj;
	p->dumpable = parent->dumpable;
	p->personality = parent->personality;
	p->sysv_shm = parent->sysv_shm;
	spin_unlock_irq(&parent->sig_lock, flags);
	p->arg_start = parent->arg_start;
	p->arg_end = parent->arg_end;
	p->env_start = parent->env_start;
	p->env_end = parent->env_end;
	p->start_stack = parent->start_stack;
	p->auxv_len = parent->auxv_len;
	memcpy(p->auxv, parent->auxv, parent->auxv_len);
	p->vdso = parent->vdso;
}

static void drop_process(struct process *p)
{
	struct vm_map *m = p->map;

	p->map = NULL;
	if (m)
		vm_map_drop(m);
	if (p->fds)
		fdtable_drop(p->fds);
	if (p->fs)
		fs_context_drop(p->fs);
	p->fds = NULL;
	p->fs = NULL;
	proc_release_exe(p->exe);
	p->exe = NULL;
	proc_drop(p);
}

static int make_process(struct birth *b)
{
	struct process *p = process_alloc();
	int err;

	if (!p)
		return -ENOMEM;
	b->proc = p;
	copy_attributes(p, b->parent);
	err = copy_sighand(b);
	if (!err)
		err = copy_files(b);
	if (!err)
		err = copy_map(b);
	p->exit_signal = (s32)b->args->exit_signal;
	p->state = PROC_ALIVE;
	if (err) {
		b->proc = NULL;
		drop_process(p);
	}
	return err;
}

/* ---- what a new task gets ---- */

void task_start_user(void *arg)
{
	struct task *t = arg;

	ASSERT(t == current_task());
	if (t->set_child_tid)
		(void)put_user_u32((u32)current()->tid, (u32 __user *)t->set_child_tid);
	user_return(thread_trapframe(current()));
}

static void copy_registers(struct birth *b)
{
	const struct clone_args_k *a = b->args;
	struct trapframe *tf = thread_trapframe(b->thread);

	*tf = *thread_trapframe(current());
	tf->x[REG_A0] = 0;
	tf->syscall_nr = -1;
	if (a->stack)
		tf->x[REG_SP] = a->stack + a->stack_size;
	if (a->flags & CLONE_SETTLS)
		tf->x[REG_TP] = a->tls;
}

static void copy_task(struct birth *b)
{
	const struct clone_args_k *a = b->args;
	struct task *t = b->task, *self = current_task();

	t->thread = b->thread;
	t->blocked = self->blocked;
	t->no_new_privs = self->no_new_privs;
	t->timer_slack = t->default_slack = self->timer_slack;
	if (!(a->flags & CLONE_VM) || (a->flags & CLONE_VFORK)) {
		t->altstack_sp = self->altstack_sp;
		t->altstack_size = self->altstack_size;
		t->altstack_flags = self->altstack_flags;
	}
	t->set_child_tid = a->flags & CLONE_CHILD_SETTID ? a->child_tid : 0;
	t->clear_child_tid = a->flags & CLONE_CHILD_CLEARTID ? a->child_tid : 0;
}

static void inherit_sched(struct thread *th, const struct thread *self)
{
	bool reset = self->reset_on_fork;

	if (self->nice && !(reset && self->nice < 0))
		sched_set_nice(th, self->nice);
	if (self->policy && !(reset && self->rt_prio))
		sched_set_policy(th, self->policy, self->rt_prio);
}

static int make_task(struct birth *b)
{
	struct thread *self = current(), *th;
	int err;

	b->task = task_alloc();
	if (!b->task)
		return -ENOMEM;
	th = b->thread = thread_create(self->name, task_start_user, b->task);
	if (!th)
		return -ENOMEM;
	th->proc_data = b->task;
	th->proc = b->proc;
	th->map = b->proc->map;
	th->affinity = self->affinity;
	copy_registers(b);
	copy_task(b);
	err = fpu_fork(th);
	if (!err)
		inherit_sched(th, self);
	return err;
}

/* ---- undoing and committing ---- */

static void abandon(struct birth *b)
{
	if (b->thread) {
		b->thread->proc_data = NULL;
		b->thread->proc = NULL;
		b->thread->map = NULL;
		thread_destroy(b->thread);
	}
	if (b->task)
		task_drop(b->task); /* has no process yet */
	if (b->proc && b->proc != b->parent)
		drop_process(b->proc);
	if (b->charged) {
		mutex_lock(&proc_tree_lock);
		nproc_uncharge(b->parent->cred->uid);
		mutex_unlock(&proc_tree_lock);
	}
}

static void join_family(struct birth *b)
{
	struct process *p = b->proc, *up = b->parent;

	if (b->args->flags & CLONE_PARENT) {
		p->exit_signal = up->exit_signal;
		up = up->parent;
	}
	p->parent = up;
	list_add_tail(&up->children, &p->sibling);
	pgrp_join(p, b->parent->pgrp);
}

/* sig_lock of the process held. */
static void join_threads(struct process *p, struct task *t)
{
	t->proc = p;
	proc_hold(p);
	list_add_tail(&p->tasks, &t->proc_link);
	p->ntasks++;
}

/* Numbers and links; 0, or -errno and nothing is visible. */
static int commit(struct birth *b)
{
	struct process *p = b->proc;
	struct pid_entry *e;
	u64 flags;
	int err = 0;

	mutex_lock(&proc_tree_lock);
	e = pid_alloc();
	if (!e) {
		mutex_unlock(&proc_tree_lock);
		return -EAGAIN;
	}
	flags = spin_lock_irq(&b->parent->sig_lock);
	if (READ_ONCE(current()->flags) & (TIF_EXIT | TIF_SIGNAL)) {
		/* also: a thread made now would miss a stop or an exit under way */
		signal_recalc(current_task());
		if (READ_ONCE(current()->flags) & (TIF_EXIT | TIF_SIGNAL))
			err = -ERESTARTNOINTR;
	}
	if (!err && p == b->parent)
		join_threads(p, b->task);
	spin_unlock_irq(&b->parent->sig_lock, flags);
	if (err) {
		pid_put(e->nr);
		mutex_unlock(&proc_tree_lock);
		return err;
	}
	b->thread->tid = e->nr;
	e->task = b->task;
	if (p != b->parent) {
		p->pid = e->nr;
		e->proc = p;
		join_threads(p, b->task);
		join_family(b);
	}
	mutex_unlock(&proc_tree_lock);
	__atomic_fetch_add(&forks, 1, __ATOMIC_RELAXED);
	return 0;
}

static void wait_vfork(struct process *p)
{
	(void)wait_event_until(&p->vfork_wait, READ_ONCE(p->vfork_done), WAIT_KILL, 0);
	/* the child may still be on its way out of the wait queue's lock */
	u64 flags = spin_lock_irq(&p->sig_lock);

	spin_unlock_irq(&p->sig_lock, flags);
}

static int charge(struct birth *b)
{
	u64 limit = b->parent->rlim[RLIMIT_NPROC].cur;
	int err;

	if (capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN))
		limit = RLIM_INFINITY;
	err = nproc_charge(b->parent->cred->uid, limit);
	b->charged = !err;
	return err;
}

s64 proc_clone(const struct clone_args_k *a, void (*started)(struct process *p, void *arg),
	       void *arg)
{
	struct birth b = {.args = a, .parent = current_proc()};
	int err = check_flags(a->flags);
	bool vfork;
	s32 tid;

	if (err)
		return err;
	err = charge(&b);
	if (!err && (a->flags & CLONE_THREAD))
		b.proc = b.parent;
	else if (!err)
		err = make_process(&b);
	if (!err)
		err = make_task(&b);
	if (!err)
		err = commit(&b);
	if (err) {
		abandon(&b);
		return err;
	}
	tid = b.thread->tid;
	if (a->flags & CLONE_PARENT_SETTID)
		(void)put_user_u32((u32)tid, (u32 __user *)a->parent_tid);
	if (started)
		started(b.proc, arg);
	vfork = (a->flags & CLONE_VFORK) && b.proc != b.parent;
	if (vfork)
		proc_hold(b.proc);
	sched_wake(b.thread);
	if (vfork) {
		wait_vfork(b.proc);
		proc_drop(b.proc);
	}
	return tid;
}
