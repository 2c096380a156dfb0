// SPDX-License-Identifier: BSD-2-Clause
/*
 * Numbers and lookups: the table of ids in use (tasks, processes, groups, sessions share one space), the life of
 * struct process and struct task, and the count of processes a user has.
 *
 * Invariants: an id is in the table while anything bears it, so a group's number is not given to a new process
 * while the group lives.  A process is in the table from fork until it has been waited for; a task until it exits.
 *
 * Locks: proc_tree_lock guards all of it, reference counts are atomic.
 */
#include "kernel/proc/proc_internal.h"
#include "kernel/lib/ref.h"

/* Linux's default on small machines; ids above 300 are used again after the first round. */
#define PID_LIMIT 32768
#define PID_ROUND 300

struct mutex proc_tree_lock;
struct process *init_process;

static struct radix_tree pid_table;  /* proc_tree_lock: id -> struct pid_entry */
static struct radix_tree user_table; /* proc_tree_lock: uid -> processes and threads * 4 */
static s32 last_pid;		     /* proc_tree_lock */
static u64 ntasks_alive;	     /* atomic */
static struct kmem_cache *entry_cache, *process_cache, *task_cache;

void proc_tables_init(void)
{
	mutex_init(&proc_tree_lock, LOCK_PROC_TREE, "proc_tree");
	radix_init(&pid_table);
	radix_init(&user_table);
	entry_cache = kmem_cache_create("pid", sizeof(struct pid_entry), 0);
	process_cache = kmem_cache_create("process", sizeof(struct process), KM_LINE);
	task_cache = kmem_cache_create("task", sizeof(struct task), KM_LINE);
	if (!entry_cache || !process_cache || !task_cache)
		panic("no memory for process tables");
}

/* ---- ids ---- */

struct pid_entry *pid_lookup(s32 nr)
{
	DASSERT(mutex_held(&proc_tree_lock));
	return nr > 0 ? (struct pid_entry *)radix_get(&pid_table, (u64)nr) : NULL;
}

static s32 pid_choose(void)
{
	s32 nr = last_pid;

	for (unsigned tries = 0; tries < PID_LIMIT; tries++) {
		if (++nr >= PID_LIMIT)
			nr = PID_ROUND;
		if (!radix_get(&pid_table, (u64)nr))
			return nr;
	}
	return -1;
}

struct pid_entry *pid_alloc(void)
{
	struct pid_entry *e = kmem_cache_alloc(entry_cache, KM_ZERO | KM_NOWAIT);

	ASSERT(mutex_held(&proc_tree_lock));
	if (!e)
		return NULL;
	e->nr = pid_choose();
	if (e->nr < 0 || radix_insert(&pid_table, (u64)e->nr, (uintptr_t)e, NULL)) {
		kmem_cache_free(entry_cache, e);
		return NULL;
	}
	last_pid = e->nr;
	return e;
}

void pid_put(s32 nr)
{
	struct pid_entry *e = pid_lookup(nr);

	ASSERT(e && e->nr == nr);
	if (e->proc || e->task || e->pgrp || e->session)
		return;
	radix_remove(&pid_table, (u64)nr);
	kmem_cache_free(entry_cache, e);
}

/* The smallest id >= from that is a process, or a thread of `of`; -1: none. */
s32 pid_next(s32 from, bool processes, const struct process *of)
{
	u64 index = (u64)MAX(from, 1);
	s32 found = -1;

	mutex_lock(&proc_tree_lock);
	for (;; index++) {
		struct pid_entry *e = (struct pid_entry *)radix_next(&pid_table, &index, PID_LIMIT);

		if (!e)
			break;
		if (processes ? e->proc != NULL : e->task && e->task->proc == of) {
			found = e->nr;
			break;
		}
	}
	mutex_unlock(&proc_tree_lock);
	return found;
}

s32 proc_next_pid(s32 from)
{
	return pid_next(from, true, NULL);
}

s32 proc_next_tid(struct process *p, s32 from)
{
	return pid_next(from, false, p);
}

s32 proc_last_pid(void)
{
	return READ_ONCE(last_pid);
}

u64 proc_count(void)
{
	return __atomic_load_n(&ntasks_alive, __ATOMIC_RELAXED);
}

/* ---- lookups and references ---- */

void proc_hold(struct process *p)
{
	u32 old = ref_get(&p->refs);

	ASSERTF(old > 0, "process %d", p->pid);
}

void process_free(struct process *p)
{
	ASSERTF(p->ntasks == 0 && !p->map && !p->fds, "process %d", p->pid);
	sigqueue_flush(&p->pending);
	if (p->sighand)
		sighand_drop(p->sighand);
	if (p->cred)
		cred_drop(p->cred);
	kmem_cache_free(process_cache, p);
}

void proc_drop(struct process *p)
{
	if (ref_put(&p->refs) == 0)
		process_free(p);
}

struct process *proc_find(s32 pid)
{
	struct process *p = current_proc();
	struct pid_entry *e;

	if (p && pid == p->pid) {
		proc_hold(p);
		return p;
	}
	p = NULL;
	mutex_lock(&proc_tree_lock);
	e = pid_lookup(pid);
	if (e && e->proc) {
		p = e->proc;
		proc_hold(p);
	}
	mutex_unlock(&proc_tree_lock);
	return p;
}

void task_hold(struct task *t)
{
	u32 old = ref_get(&t->refs);

	ASSERT(old > 0);
}

void task_drop(struct task *t)
{
	struct process *p = t->proc;

	if (ref_put(&t->refs) != 0)
		return;
	__atomic_fetch_sub(&ntasks_alive, 1, __ATOMIC_RELAXED);
	sigqueue_flush(&t->pending);
	kmem_cache_free(task_cache, t);
	if (p)
		proc_drop(p);
}

struct task *task_find(s32 tid)
{
	struct task *t = NULL;
	struct pid_entry *e;

	if (tid == current()->tid) {
		task_hold(current_task());
		return current_task();
	}
	mutex_lock(&proc_tree_lock);
	e = pid_lookup(tid);
	if (e && e->task) {
		t = e->task;
		task_hold(t);
	}
	mutex_unlock(&proc_tree_lock);
	return t;
}

struct vm_map *proc_map_hold(struct process *p)
{
	u64 flags = spin_lock_irq(&p->sig_lock);
	struct vm_map *m = p->map;

	if (m)
		vm_map_hold(m);
	spin_unlock_irq(&p->sig_lock, flags);
	return m;
}

s32 proc_getppid(struct process *p)
{
	s32 pid;

	mutex_lock(&proc_tree_lock);
	pid = p->parent ? p->parent->pid : 0;
	mutex_unlock(&proc_tree_lock);
	return pid;
}

struct cred *proc_cred_hold(struct process *p)
{
	u64 flags = spin_lock_irq(&p->sig_lock);
	struct cred *c = p->cred;

	cred_hold(c);
	spin_unlock_irq(&p->sig_lock, flags);
	return c;
}

/* ---- making ---- */

static void alarm_expired(struct timer *timer)
{
	struct process *p = container_of(timer, struct process, alarm);
	u64 flags = spin_lock_irq(&p->sig_lock);
	u64 interval = p->alarm_interval, next = p->alarm.deadline + interval;

	if (interval && !p->exiting)
		timer_arm(&p->alarm, MAX(next, time_now() + interval / 2));
	spin_unlock_irq(&p->sig_lock, flags);
	signal_proc(p, SIGALRM, NULL);
}

struct process *process_alloc(void)
{
	struct process *p = kmem_cache_alloc(process_cache, KM_ZERO);

	if (!p)
		return NULL;
	p->refs = 1;
	list_init(&p->children);
	list_init(&p->zombies);
	list_init(&p->sibling);
	list_init(&p->tasks);
	list_init(&p->pgrp_link);
	sigqueue_init(&p->pending);
	spin_init(&p->sig_lock, LOCK_SIGNAL, "sig_lock");
	waitq_init(&p->wait_children);
	waitq_init(&p->threads_wait);
	waitq_init(&p->stop_wait);
	waitq_init(&p->exit_wait);
	waitq_init(&p->signalfd_wait);
	list_init(&p->sysv_undo);
	waitq_init(&p->vfork_wait);
	timer_setup(&p->alarm, alarm_expired);
	radix_init(&p->ptimers);
	cpu_timers_setup(p);
	p->start_time = time_now();
	p->dumpable = true;
	return p;
}

struct task *task_alloc(void)
{
	struct task *t = kmem_cache_alloc(task_cache, KM_ZERO);

	if (!t)
		return NULL;
	t->refs = 1;
	t->altstack_flags = SS_DISABLE;
	t->timer_slack = t->default_slack = 50000;
	list_init(&t->proc_link);
	sigqueue_init(&t->pending);
	__atomic_fetch_add(&ntasks_alive, 1, __ATOMIC_RELAXED);
	return t;
}

/* ---- processes of a user: RLIMIT_NPROC ---- */

static int nproc_add(u32 uid, u64 limit)
{
	uintptr_t n = radix_get(&user_table, uid);

	if (limit != RLIM_INFINITY && n / 4 >= limit)
		return -EAGAIN;
	if (n) {
		radix_replace(&user_table, uid, n + 4);
		return 0;
	}
	return radix_insert(&user_table, uid, 4, NULL) ? -EAGAIN : 0;
}

int nproc_charge(u32 uid, u64 limit)
{
	int err;

	mutex_lock(&proc_tree_lock);
	err = nproc_add(uid, limit);
	mutex_unlock(&proc_tree_lock);
	return err;
}

void nproc_uncharge(u32 uid)
{
	uintptr_t n = radix_get(&user_table, uid);

	if (n > 4)
		radix_replace(&user_table, uid, n - 4);
	else if (n)
		radix_remove(&user_table, uid);
}

void nproc_move(u32 from, u32 to, u32 n)
{
	mutex_lock(&proc_tree_lock);
	while (n--) {
		nproc_uncharge(from);
		(void)nproc_add(to, RLIM_INFINITY);
	}
	mutex_unlock(&proc_tree_lock);
}
