// SPDX-License-Identifier: BSD-2-Clause
/*
 * Process groups and sessions.
 *
 * Invariants: every process but the kernel's own is in exactly one group, a group in exactly one session; a group lives as
 * long as it has members (zombies count), a session as long as it has groups.  Both are found through the id table.
 *
 * Locks: proc_tree_lock for everything here.
 */
#include "kernel/proc/proc_internal.h"

#include "fs/tty/tty.h"

static void session_unref(struct session *s)
{
	struct pid_entry *e;

	ASSERTF(s->ngroups > 0, "session %d", s->sid);
	if (--s->ngroups)
		return;
	e = pid_lookup(s->sid);
	ASSERT(e && e->session == s);
	e->session = NULL;
	pid_put(s->sid);
	kfree(s);
}

/* A group without members; the id is in the table as a process. */
static struct pgrp *pgrp_create(s32 id, struct session *s)
{
	struct pid_entry *e = pid_lookup(id);
	struct pgrp *g;

	ASSERTF(e && !e->pgrp, "group %d", id);
	g = kmalloc(sizeof(*g), KM_NOWAIT);
	if (!g)
		return NULL;
	g->id = id;
	g->session = s;
	list_init(&g->members);
	s->ngroups++;
	e->pgrp = g;
	return g;
}

static void pgrp_destroy_if_empty(struct pgrp *g)
{
	struct pid_entry *e;

	if (!list_empty(&g->members))
		return;
	e = pid_lookup(g->id);
	ASSERT(e && e->pgrp == g);
	e->pgrp = NULL;
	pid_put(g->id);
	session_unref(g->session);
	kfree(g);
}

void pgrp_join(struct process *p, struct pgrp *g)
{
	ASSERT(!p->pgrp);
	p->pgrp = g;
	p->session = g->session;
	list_add_tail(&g->members, &p->pgrp_link);
}

void pgrp_leave(struct process *p)
{
	struct pgrp *g = p->pgrp;

	list_del(&p->pgrp_link);
	p->pgrp = NULL;
	p->session = NULL;
	pgrp_destroy_if_empty(g);
}

static void pgrp_move(struct process *p, struct pgrp *g)
{
	struct pgrp *old = p->pgrp;

	if (old == g)
		return;
	list_del(&p->pgrp_link);
	p->pgrp = NULL;
	pgrp_join(p, g);
	pgrp_destroy_if_empty(old);
}

int pgrp_new_session(struct process *p)
{
	struct pid_entry *e = pid_lookup(p->pid);
	struct session *s = kmalloc(sizeof(*s), KM_NOWAIT | KM_ZERO);
	struct pgrp *g;

	ASSERT(e && !e->session && !e->pgrp);
	if (!s)
		return -ENOMEM;
	s->sid = p->pid;
	g = pgrp_create(p->pid, s);
	if (!g) {
		kfree(s);
		return -ENOMEM;
	}
	e->session = s;
	if (p->pgrp)
		pgrp_move(p, g);
	else
		pgrp_join(p, g);
	return 0;
}

s32 proc_setsid(void)
{
	struct process *p = current_proc();
	struct pid_entry *e;
	int err = -EPERM;

	mutex_lock(&proc_tree_lock);
	e = pid_lookup(p->pid);
	if (!e->pgrp && !e->session)
		err = pgrp_new_session(p);
	mutex_unlock(&proc_tree_lock);
	return err ? err : p->pid;
}

/* The process that setpgid(pid) means: current or a child of it that has not exec'd. */
static int setpgid_target(s32 pid, struct process **out)
{
	struct process *self = current_proc(), *p = self;
	struct pid_entry *e;

	if (pid && pid != self->pid) {
		e = pid_lookup(pid);
		p = e ? e->proc : NULL;
		if (!p || p->parent != self)
			return -ESRCH;
		if (p->session != self->session)
			return -EPERM;
		if (p->did_exec)
			return -EACCES;
	}
	if (p->session->sid == p->pid)
		return -EPERM;
	*out = p;
	return 0;
}

static int setpgid_locked(s32 pid, s32 pgid)
{
	struct process *p;
	struct pid_entry *e;
	struct pgrp *g;
	int err = setpgid_target(pid, &p);

	if (err)
		return err;
	if (!pgid)
		pgid = p->pid;
	e = pid_lookup(pgid);
	g = e ? e->pgrp : NULL;
	if (g && g->session != p->session)
		return -EPERM;
	if (!g && pgid != p->pid)
		return -EPERM;
	if (!g)
		g = pgrp_create(pgid, p->session);
	if (!g)
		return -ENOMEM;
	pgrp_move(p, g);
	return 0;
}

int proc_setpgid(s32 pid, s32 pgid)
{
	int err;

	if (pgid < 0)
		return -EINVAL;
	mutex_lock(&proc_tree_lock);
	err = setpgid_locked(pid, pgid);
	mutex_unlock(&proc_tree_lock);
	return err;
}

static s32 group_or_session(s32 pid, bool session)
{
	struct pid_entry *e;
	struct process *p = NULL;
	s32 id = -ESRCH;

	mutex_lock(&proc_tree_lock);
	if (!pid) {
		p = current_proc();
	} else {
		e = pid_lookup(pid);
		if (e)
			p = e->proc ? e->proc : e->task ? e->task->proc : NULL;
	}
	if (p && p->pgrp)
		id = session ? p->session->sid : p->pgrp->id;
	mutex_unlock(&proc_tree_lock);
	return id;
}

s32 proc_getpgid(s32 pid)
{
	return group_or_session(pid, false);
}

s32 proc_getsid(s32 pid)
{
	return group_or_session(pid, true);
}

struct tty *session_tty(struct process *p)
{
	return p->session ? p->session->tty : NULL;
}

/* ---- orphaned groups ---- */

/* No member (but `ignore`) has a parent in another group of the same session. */
bool pgrp_is_orphaned(const struct pgrp *g, const struct process *ignore)
{
	struct process *p;

	list_for_each(p, &g->members, pgrp_link) {
		if (p == ignore || p->state != PROC_ALIVE || !p->parent ||
		    p->parent == init_process)
			continue;
		if (p->parent->pgrp != g && p->parent->session == g->session)
			return false;
	}
	return true;
}

static bool pgrp_has_stopped(const struct pgrp *g)
{
	struct process *p;

	list_for_each(p, &g->members, pgrp_link) {
		if (READ_ONCE(p->stopped))
			return true;
	}
	return false;
}

static void pgrp_signal_locked(struct pgrp *g, int sig)
{
	struct process *p;

	list_for_each(p, &g->members, pgrp_link)
		signal_proc(p, sig, NULL);
}

void pgrp_check_orphans(struct process *p, const struct process *parent)
{
	struct pgrp *g = p->pgrp;

	if (!g || !parent || parent->pgrp == g || parent->session != p->session)
		return;
	if (pgrp_is_orphaned(g, p) && pgrp_has_stopped(g)) {
		pgrp_signal_locked(g, SIGHUP);
		pgrp_signal_locked(g, SIGCONT);
	}
}

/* ---- signals to many ---- */

static int may_signal_locked(struct process *p, int sig)
{
	const struct cred *me = current_cred();
	struct cred *c;
	bool ok;

	if (p == current_proc() || me->caps >> CAP_KILL & 1)
		return 0;
	if (sig == SIGCONT && p->session == current_proc()->session)
		return 0;
	c = proc_cred_hold(p);
	ok = me->euid == c->suid || me->euid == c->uid || me->uid == c->suid || me->uid == c->uid;
	cred_drop(c);
	return ok ? 0 : -EPERM;
}

int proc_may_signal(struct process *p, int sig)
{
	int err;

	if (p == current_proc())
		return 0;
	mutex_lock(&proc_tree_lock);
	err = may_signal_locked(p, sig);
	mutex_unlock(&proc_tree_lock);
	return err;
}

int pgrp_signal(s32 pgid, int sig, const struct siginfo_k *info, bool check)
{
	struct pid_entry *e;
	struct process *p;
	int err = -ESRCH;

	mutex_lock(&proc_tree_lock);
	e = pid_lookup(pgid);
	if (e && e->pgrp) {
		list_for_each(p, &e->pgrp->members, pgrp_link) {
			int one = check ? may_signal_locked(p, sig) : 0;

			if (!one && sig)
				one = signal_proc(p, sig, info);
			if (err)
				err = one;
		}
	}
	mutex_unlock(&proc_tree_lock);
	return err;
}

int proc_signal_all(int sig, const struct siginfo_k *info)
{
	int err = -ESRCH;
	s32 pid = 1;

	while ((pid = proc_next_pid(pid + 1)) > 0) {
		struct process *p = proc_find(pid);
		int one;

		if (!p)
			continue;
		if (p != current_proc()) {
			one = proc_may_signal(p, sig);
			if (!one && sig)
				one = signal_proc(p, sig, info);
			if (err)
				err = one;
		}
		proc_drop(p);
	}
	return err;
}

/* ---- what terminals ask ---- */

static s32 hook_current_pgrp(void)
{
	return proc_getpgid(0);
}

static s32 hook_current_sid(void)
{
	return proc_getsid(0);
}

static bool hook_is_leader(void)
{
	return proc_getsid(0) == current_proc()->pid;
}

static struct tty *hook_ctty(void)
{
	struct tty *t;

	mutex_lock(&proc_tree_lock);
	t = session_tty(current_proc());
	if (t)
		tty_hold(t);
	mutex_unlock(&proc_tree_lock);
	return t;
}

static void hook_set_ctty(struct tty *t)
{
	mutex_lock(&proc_tree_lock);
	if (current_proc()->session)
		current_proc()->session->tty = t;
	mutex_unlock(&proc_tree_lock);
}

static void hook_clear_ctty(s32 sid)
{
	struct pid_entry *e;

	mutex_lock(&proc_tree_lock);
	e = pid_lookup(sid);
	if (e && e->session)
		e->session->tty = NULL;
	mutex_unlock(&proc_tree_lock);
}

static int hook_signal_pgrp(s32 pgid, int sig)
{
	return pgrp_signal(pgid, sig, NULL, false);
}

static int hook_signal_leader(s32 sid, int sig)
{
	struct process *p = proc_find(sid);
	int err = -ESRCH;

	if (p && proc_getsid(sid) == sid)
		err = signal_proc(p, sig, NULL);
	if (p)
		proc_drop(p);
	return err;
}

static bool hook_orphaned(s32 pgid)
{
	struct pid_entry *e;
	bool orphaned;

	mutex_lock(&proc_tree_lock);
	e = pid_lookup(pgid);
	orphaned = !e || !e->pgrp || pgrp_is_orphaned(e->pgrp, NULL);
	mutex_unlock(&proc_tree_lock);
	return orphaned;
}

static bool hook_in_session(s32 pgid, s32 sid)
{
	struct pid_entry *e;
	bool in;

	mutex_lock(&proc_tree_lock);
	e = pid_lookup(pgid);
	in = e && e->pgrp && e->pgrp->session->sid == sid;
	mutex_unlock(&proc_tree_lock);
	return in;
}

static bool hook_ignored_or_blocked(int sig)
{
	return (current_task()->blocked & SIGBIT(sig)) || signal_ignored(current_proc(), sig);
}

void proc_tty_init(void)
{
	static const struct tty_hooks hooks = {
		.current_pgrp = hook_current_pgrp,
		.current_sid = hook_current_sid,
		.is_session_leader = hook_is_leader,
		.current_ctty = hook_ctty,
		.set_ctty = hook_set_ctty,
		.clear_ctty = hook_clear_ctty,
		.signal_pgrp = hook_signal_pgrp,
		.signal_leader = hook_signal_leader,
		.pgrp_orphaned = hook_orphaned,
		.pgrp_in_session = hook_in_session,
		.sig_ignored_or_blocked = hook_ignored_or_blocked,
	};

	tty_set_hooks(&hooks);
}
