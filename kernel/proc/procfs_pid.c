// SPDX-License-Identifier: BSD-2-Clause
/*
 * /proc/PID: files whose text is that of Linux (Documentation/filesystems/proc.rst).
 *
 * Everything is a snapshot: fields are read under the lock that guards them, but a line is not atomic.  Shows take a
 * process or a thread id.
 */
#include "kernel/proc/procfs_pid.h"

#include "fs/tty/tty.h"
#include "kernel/boot/panic.h"
#include "kernel/lib/ref.h"
#include "kernel/mem/frame.h"

#define TICK (NSEC_PER_SEC / 100)

static struct task *first_task(struct process *p)
{
	struct task *t;
	u64 flags = spin_lock_irq(&p->sig_lock);

	t = list_first(&p->tasks, struct task, proc_link);
	if (t)
		task_hold(t);
	spin_unlock_irq(&p->sig_lock, flags);
	return t;
}

int subject_get(struct subject *s, s32 id)
{
	s->tid = id;
	s->t = task_find(id);
	if (s->t) {
		s->p = s->t->proc;
		proc_hold(s->p);
		return 0;
	}
	s->p = proc_find(id);
	if (!s->p)
		return -ESRCH;
	s->t = first_task(s->p);
	return 0;
}

void subject_put(struct subject *s)
{
	if (s->t)
		task_drop(s->t);
	proc_drop(s->p);
}

/* ---- state, names, times ---- */

static char state_letter(const struct subject *s)
{
	char c = 'Z';
	u64 flags = spin_lock_irq(&s->p->sig_lock);

	if (s->t && !s->t->exiting) {
		enum thread_state st = READ_ONCE(s->t->thread->state);

		if (s->p->stopped)
			c = 'T';
		else if (st == THREAD_BLOCKED)
			c = s->t->thread->how == WAIT_INTR ? 'S' : 'D';
		else
			c = 'R';
	}
	spin_unlock_irq(&s->p->sig_lock, flags);
	return c;
}

static const char *state_name(char c)
{
	switch (c) {
	case 'R':
		return "running";
	case 'S':
		return "sleeping";
	case 'D':
		return "disk sleep";
	case 'T':
		return "stopped";
	default:
		return "zombie";
	}
}

static void get_comm(const struct subject *s, char comm[16])
{
	u64 flags = spin_lock_irq(&s->p->sig_lock);

	memcpy(comm, s->t && !s->t->exiting ? s->t->thread->name : s->p->comm, 16);
	spin_unlock_irq(&s->p->sig_lock, flags);
	comm[15] = '\0';
}

/* A snapshot of what several files print. */
struct facts {
	s32 ppid, pgrp, sid, tpgid;
	u64 tty;
	u32 nthreads, cpu;
	s64 nice;
	u32 rt_prio, policy;
	struct proc_times times, children;
	struct vm_map_stat vm;
	bool has_vm;
	sigset_t pending, shared_pending, blocked, ignored, caught;
};

static void signal_facts(const struct subject *s, struct facts *f)
{
	u64 flags = spin_lock_irq(&s->p->sig_lock);

	f->nthreads = s->p->ntasks;
	f->shared_pending = s->p->pending.set;
	f->children = s->p->children_time;
	if (s->t && !s->t->exiting) {
		f->pending = s->t->pending.set;
		f->blocked = s->t->blocked;
		f->nice = s->t->thread->nice;
		f->rt_prio = s->t->thread->rt_prio;
		f->policy = (u32)s->t->thread->policy;
		f->cpu = s->t->thread->hart ? s->t->thread->hart->index : 0;
	}
	for (int i = 1; i <= NSIG; i++) {
		u64 handler = sighand_get(s->p, i).handler;

		if (handler == SIG_IGN)
			f->ignored |= SIGBIT(i);
		else if (handler != SIG_DFL)
			f->caught |= SIGBIT(i);
	}
	spin_unlock_irq(&s->p->sig_lock, flags);
}

static void family_facts(struct process *p, struct facts *f)
{
	struct tty *tty;

	mutex_lock(&proc_tree_lock);
	f->ppid = p->parent ? p->parent->pid : 0;
	f->pgrp = p->pgrp ? p->pgrp->id : 0;
	f->sid = p->session ? p->session->sid : 0;
	tty = session_tty(p);
	if (tty)
		tty_hold(tty);
	mutex_unlock(&proc_tree_lock);
	f->tpgid = -1;
	if (!tty)
		return;
	f->tty = tty_devno(tty);
	f->tpgid = tty_pgrp(tty);
	tty_drop(tty);
}

static void collect(const struct subject *s, struct facts *f)
{
	struct vm_map *m = proc_map_hold(s->p);

	memset(f, 0, sizeof(*f));
	signal_facts(s, f);
	family_facts(s->p, f);
	proc_times(s->p, &f->times);
	f->has_vm = m != NULL;
	if (m) {
		vm_map_stat(m, &f->vm);
		vm_map_drop(m);
	}
}

/* ---- stat, status, statm ---- */

static u32 old_dev(u64 rdev)
{
	u32 major = (u32)(rdev >> 8) & 0xfff,
	    minor = (u32)(rdev & 0xff) | ((u32)(rdev >> 12) & 0xfff00);

	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

static void stat_line(struct seq *out, const struct subject *s, const struct facts *f)
{
	struct process *p = s->p;
	char comm[16], state = state_letter(s);
	bool group = s->tid == p->pid;

	get_comm(s, comm);
	seq_printf(out, "%d (%s) %c %d %d %d %u %d %u ", s->tid, comm, state, f->ppid, f->pgrp,
		   f->sid, old_dev(f->tty), f->tpgid, 0x400000u);
	seq_printf(out, "%lu %lu %lu %lu %lu %lu %ld %ld ", f->times.minflt, f->children.minflt,
		   f->times.majflt, f->children.majflt, f->times.utime / TICK,
		   f->times.stime / TICK, (long)(f->children.utime / TICK),
		   (long)(f->children.stime / TICK));
	seq_printf(out, "%ld %ld %u 0 %lu ",
		   f->rt_prio ? -1 - (long)f->rt_prio : 20 + (long)f->nice, (long)f->nice,
		   group ? f->nthreads : 1, p->start_time / TICK);
	seq_printf(out, "%lu %lu %lu 0 0 %lu 0 0 ", f->vm.size * PAGE_SIZE, f->vm.rss,
		   p->rlim[RLIMIT_RSS].cur, p->start_stack);
	seq_printf(out, "%lu %lu %lu %lu 0 0 0 %d %u %u %u 0 0 0 ", f->pending & 0x7fffffff,
		   f->blocked & 0x7fffffff, f->ignored & 0x7fffffff, f->caught & 0x7fffffff,
		   SIGCHLD, f->cpu, f->rt_prio, f->policy);
	seq_printf(out, "0 0 0 %lu %lu %lu %lu %d\n", p->arg_start, p->arg_end, p->env_start,
		   p->env_end, state == 'Z' ? p->exit_status : 0);
}

static int show_stat(struct seq *out, s32 id)
{
	struct subject s;
	struct facts f;
	int err = subject_get(&s, id);

	if (err)
		return err;
	collect(&s, &f);
	stat_line(out, &s, &f);
	subject_put(&s);
	return 0;
}

static void status_ids(struct seq *out, const struct subject *s, const struct facts *f)
{
	struct cred *c = proc_cred_hold(s->p);

	seq_printf(out, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", s->p->pid,
		   s->tid, f->ppid);
	seq_printf(out, "Uid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid);
	seq_printf(out, "Gid:\t%u\t%u\t%u\t%u\nFDSize:\t64\nGroups:\t", c->gid, c->egid, c->sgid,
		   c->fsgid);
	for (u32 i = 0; i < c->ngroups; i++)
		seq_printf(out, "%u ", c->groups[i]);
	seq_printf(out, "\n");
	cred_drop(c);
}

static u64 swapped(const struct subject *s)
{
	struct vm_map *m = proc_map_hold(s->p);
	u64 n = m ? vm_map_swapped(m) : 0;

	if (m)
		vm_map_drop(m);
	return n;
}

static void status_vm(struct seq *out, const struct subject *s, const struct facts *f)
{
	const struct vm_map_stat *v = &f->vm;

	if (!f->has_vm)
		return;
	seq_printf(out, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8lu kB\n",
		   KIB(v->size_peak), KIB(v->size), KIB(v->locked), 0UL);
	seq_printf(
		out,
		"VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n",
		KIB(v->rss_peak), KIB(v->rss), KIB(v->anon), KIB(v->file), KIB(v->shmem));
	seq_printf(
		out,
		"VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8lu kB\n",
		KIB(v->data), KIB(v->stack), KIB(v->text), 0UL, KIB(v->tables), KIB(swapped(s)));
}

static void status_signals(struct seq *out, const struct subject *s, const struct facts *f)
{
	const struct cred *c = s->p->cred;

	seq_printf(out, "Threads:\t%u\nSigQ:\t%u/%lu\n", f->nthreads, 0,
		   s->p->rlim[RLIMIT_SIGPENDING].cur);
	seq_printf(
		out,
		"SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
		f->pending, f->shared_pending, f->blocked, f->ignored, f->caught);
	seq_printf(
		out,
		"CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n",
		c->inheritable, c->permitted, c->caps, c->bound, 0UL);
	seq_printf(out, "NoNewPrivs:\t%d\nSeccomp:\t0\n", s->t ? s->t->no_new_privs : 0);
}

static int show_status(struct seq *out, s32 id)
{
	struct subject s;
	struct facts f;
	struct proc_times *t = &f.times;
	char comm[16], state;
	int err = subject_get(&s, id);

	if (err)
		return err;
	collect(&s, &f);
	get_comm(&s, comm);
	state = state_letter(&s);
	seq_printf(out, "Name:\t%s\nUmask:\t%04o\nState:\t%c (%s)\n", comm,
		   s.p->fs ? s.p->fs->umask : 0, state, state_name(state));
	status_ids(out, &s, &f);
	status_vm(out, &s, &f);
	status_signals(out, &s, &f);
	seq_printf(out, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t0-%u\n", harts_online(),
		   nharts - 1);
	seq_printf(out, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
		   t->nvcsw, t->nivcsw);
	subject_put(&s);
	return 0;
}

static int show_statm(struct seq *out, s32 id)
{
	struct subject s;
	struct facts f;
	int err = subject_get(&s, id);

	if (err)
		return err;
	collect(&s, &f);
	seq_printf(out, "%lu %lu %lu %lu 0 %lu 0\n", f.vm.size, f.vm.rss, f.vm.file + f.vm.shmem,
		   f.vm.text, f.vm.data + f.vm.stack);
	subject_put(&s);
	return 0;
}

/* ---- memory of the process as text ---- */

static int show_range(struct seq *out, s32 id, bool env)
{
	struct subject s;
	struct vm_map *m;
	u64 from, to;
	u8 *buf = kmalloc(PAGE_SIZE, 0);
	int err = buf ? subject_get(&s, id) : -ENOMEM;

	if (err) {
		kfree(buf);
		return err;
	}
	from = env ? s.p->env_start : s.p->arg_start;
	to = env ? s.p->env_end : s.p->arg_end;
	m = proc_map_hold(s.p);
	while (m && from < to) {
		ssize_t n = vm_access(m, from, buf, MIN(to - from, PAGE_SIZE), false);

		if (n <= 0)
			break;
		seq_write(out, buf, (size_t)n);
		from += (u64)n;
	}
	if (m)
		vm_map_drop(m);
	subject_put(&s);
	kfree(buf);
	return 0;
}

static int show_cmdline(struct seq *out, s32 id)
{
	return show_range(out, id, false);
}

static int show_environ(struct seq *out, s32 id)
{
	return show_range(out, id, true);
}

static int show_auxv(struct seq *out, s32 id)
{
	struct subject s;
	int err = subject_get(&s, id);

	if (err)
		return err;
	seq_write(out, s.p->auxv, s.p->auxv_len);
	subject_put(&s);
	return 0;
}

/* ---- small ones ---- */

static int show_comm(struct seq *out, s32 id)
{
	struct subject s;
	char comm[16];
	int err = subject_get(&s, id);

	if (err)
		return err;
	get_comm(&s, comm);
	seq_printf(out, "%s\n", comm);
	subject_put(&s);
	return 0;
}

static ssize_t store_comm(s32 id, const char *text, size_t n)
{
	struct subject s;
	char name[16];
	u64 flags;
	int err = subject_get(&s, id);

	if (err)
		return err;
	strlcpy(name, text, sizeof(name));
	if (strchr(name, '\n'))
		*strchr(name, '\n') = '\0';
	err = s.p == current_proc() ? 0 : -EINVAL;
	flags = spin_lock_irq(&s.p->sig_lock);
	if (!err && s.t && !s.t->exiting)
		thread_set_name(s.t->thread, name);
	spin_unlock_irq(&s.p->sig_lock, flags);
	subject_put(&s);
	return err ? err : (ssize_t)n;
}

static void limit_value(struct seq *out, u64 v)
{
	if (v == RLIM_INFINITY)
		seq_printf(out, "%-20s ", "unlimited");
	else
		seq_printf(out, "%-20lu ", v);
}

static int show_limits(struct seq *out, s32 id)
{
	static const struct {
		const char *name, *unit;
	} rows[RLIM_NLIMITS] = {
		{"Max cpu time", "seconds"},	 {"Max file size", "bytes"},
		{"Max data size", "bytes"},	 {"Max stack size", "bytes"},
		{"Max core file size", "bytes"}, {"Max resident set", "bytes"},
		{"Max processes", "processes"},	 {"Max open files", "files"},
		{"Max locked memory", "bytes"},	 {"Max address space", "bytes"},
		{"Max file locks", "locks"},	 {"Max pending signals", "signals"},
		{"Max msgqueue size", "bytes"},	 {"Max nice priority", ""},
		{"Max realtime priority", ""},	 {"Max realtime timeout", "us"},
	};
	struct subject s;
	int err = subject_get(&s, id);

	if (err)
		return err;
	seq_printf(out, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		seq_printf(out, "%-25s ", rows[i].name);
		limit_value(out, s.p->rlim[i].cur);
		limit_value(out, s.p->rlim[i].max);
		seq_printf(out, "%-10s\n", rows[i].unit);
	}
	subject_put(&s);
	return 0;
}

static int show_mounts(struct seq *out, s32 id)
{
	struct fs_context *fs = NULL;
	struct subject s;
	char *line = kmalloc(1024, 0);
	int err = line ? subject_get(&s, id) : -ENOMEM;
	u64 flags;

	if (err) {
		kfree(line);
		return err;
	}
	flags = spin_lock_irq(&s.p->sig_lock);
	if (s.p->fs) {
		fs = s.p->fs;
		ref_get(&fs->refs);
	}
	spin_unlock_irq(&s.p->sig_lock, flags);
	for (unsigned k = 0; fs && vfs_mount_info(k, &fs->root, line, 1024); k++)
		seq_printf(out, "%s\n", line);
	if (fs)
		fs_context_drop(fs);
	subject_put(&s);
	kfree(line);
	return 0;
}

static int show_oom_adj(struct seq *out, s32 id)
{
	struct subject s;
	int err = subject_get(&s, id);

	if (err)
		return err;
	seq_printf(out, "%d\n", s.p->oom_score_adj);
	subject_put(&s);
	return 0;
}

static ssize_t store_oom_adj(s32 id, const char *text, size_t n)
{
	struct subject s;
	const char *end;
	bool neg = *text == '-';
	s64 v = (s64)strtou64(neg ? text + 1 : text, &end, 10);
	int err;

	v = neg ? -v : v;
	if (end == text + neg || (*end && *end != '\n') || v < -1000 || v > 1000)
		return -EINVAL;
	err = subject_get(&s, id);
	if (err)
		return err;
	if (v < s.p->oom_score_adj && !capable(CAP_SYS_RESOURCE))
		err = -EACCES;
	else
		s.p->oom_score_adj = (int)v;
	subject_put(&s);
	return err ? err : (ssize_t)n;
}

static int show_oom_score(struct seq *out, s32 id)
{
	struct subject s;
	struct facts f;
	s64 points;
	int err = subject_get(&s, id);

	if (err)
		return err;
	collect(&s, &f);
	points = (s64)(f.vm.rss * 1000 / MAX(frames_total(), 1UL)) + s.p->oom_score_adj;
	seq_printf(out, "%ld\n", (long)MAX(MIN(points, 2000L), 0L));
	subject_put(&s);
	return 0;
}

/* Functions a sleeping or waiting thread is in, innermost first; nothing while it runs. */
static int show_stack(struct seq *out, s32 id)
{
	u64 pcs[32], flags, offset;
	struct subject s;
	const char *name;
	unsigned n = 0;
	int err = capable(CAP_SYS_ADMIN) ? subject_get(&s, id) : -EACCES;

	if (err)
		return err;
	flags = spin_lock_irq(&s.p->sig_lock); /* keeps its thread */
	if (s.t && !s.t->exiting)
		n = sched_backtrace(s.t->thread, pcs, ARRAY_LEN(pcs));
	spin_unlock_irq(&s.p->sig_lock, flags);
	for (unsigned i = 0; i < n; i++)
		if (ksym_lookup(pcs[i], &name, &offset))
			seq_printf(out, "[<0>] %s+%#lx\n", name, offset);
	subject_put(&s);
	return 0;
}

static int show_wchan(struct seq *out, s32 id)
{
	struct subject s;
	int err = subject_get(&s, id);

	if (err)
		return err;
	seq_printf(out, "0"); /* as Linux shows to those who may not know */
	subject_put(&s);
	return 0;
}

/* ---- links ---- */

static int link_exe(s32 id, char *buf, size_t size)
{
	struct subject s;
	struct file *exe;
	u64 flags;
	int n = subject_get(&s, id);

	if (n)
		return n;
	flags = spin_lock_irq(&s.p->sig_lock);
	exe = s.p->exe;
	if (exe)
		file_hold(exe);
	spin_unlock_irq(&s.p->sig_lock, flags);
	n = exe ? path_string(&exe->path, NULL, buf, size) : -ENOENT;
	if (exe)
		file_drop(exe);
	subject_put(&s);
	return n;
}

static int link_of_fs(s32 id, bool cwd, char *buf, size_t size)
{
	struct fs_context *fs;
	struct path path;
	struct subject s;
	u64 flags;
	int n = subject_get(&s, id);

	if (n)
		return n;
	flags = spin_lock_irq(&s.p->sig_lock);
	fs = s.p->fs;
	if (fs)
		ref_get(&fs->refs);
	spin_unlock_irq(&s.p->sig_lock, flags);
	n = -ENOENT;
	if (fs) {
		mutex_lock(&fs->lock);
		path = cwd ? fs->cwd : fs->root;
		path_hold(&path);
		mutex_unlock(&fs->lock);
		n = path_string(&path, NULL, buf, size);
		path_put(&path);
		fs_context_drop(fs);
	}
	subject_put(&s);
	return n;
}

static int link_cwd(s32 id, char *buf, size_t size)
{
	return link_of_fs(id, true, buf, size);
}

static int link_root(s32 id, char *buf, size_t size)
{
	return link_of_fs(id, false, buf, size);
}

/* ---- hooks ---- */

static bool hook_exists(s32 pid)
{
	struct process *p = proc_find(pid);

	if (p)
		proc_drop(p);
	return p != NULL;
}

static s32 hook_self(void)
{
	return current_proc() ? current_proc()->pid : -1;
}

static s32 hook_self_tid(void)
{
	return current_proc() ? current()->tid : -1;
}

static s32 hook_next_tid(s32 pid, s32 from)
{
	struct process *p = proc_find(pid);
	s32 tid = p ? proc_next_tid(p, from) : -1;

	if (p)
		proc_drop(p);
	return tid;
}

static struct fdtable *fds_hold(s32 pid)
{
	struct process *p = proc_find(pid);
	struct fdtable *t;
	u64 flags;

	if (!p)
		return NULL;
	flags = spin_lock_irq(&p->sig_lock);
	t = p->fds;
	if (t)
		fdtable_hold(t);
	spin_unlock_irq(&p->sig_lock, flags);
	proc_drop(p);
	return t;
}

static int hook_next_fd(s32 pid, int from)
{
	struct fdtable *t = fds_hold(pid);
	int fd = t ? fd_next(t, from) : -1;

	if (t)
		fdtable_drop(t);
	return fd;
}

static struct file *hook_get_fd(s32 pid, int fd)
{
	struct fdtable *t = fds_hold(pid);
	struct file *f = t ? fd_get(t, fd) : NULL;

	if (t)
		fdtable_drop(t);
	return f;
}

static void hook_owner(s32 pid, u32 *uid, u32 *gid)
{
	struct process *p = proc_find(pid);
	struct cred *c;

	*uid = *gid = 0;
	if (!p)
		return;
	if (p->dumpable) {
		c = proc_cred_hold(p);
		*uid = c->euid;
		*gid = c->egid;
		cred_drop(c);
	}
	proc_drop(p);
}

static const struct procfs_pid_file files[] = {
	{.name = "auxv", .mode = 0400, .show = show_auxv},
	{.name = "clear_refs", .mode = 0200, .store = store_clear_refs},
	{.name = "cmdline", .mode = 0444, .show = show_cmdline},
	{.name = "comm", .mode = 0644, .show = show_comm, .store = store_comm},
	{.name = "cwd", .mode = 0777, .readlink = link_cwd},
	{.name = "environ", .mode = 0400, .show = show_environ},
	{.name = "exe", .mode = 0777, .readlink = link_exe},
#if DEBUG
	{.name = "fail-nth", .mode = 0644, .store = store_fail_nth, .read = read_fail_nth},
#endif
	{.name = "limits", .mode = 0444, .show = show_limits},
	{.name = "maps", .mode = 0444, .show = show_maps},
	{.name = "mounts", .mode = 0444, .show = show_mounts},
	{.name = "oom_score", .mode = 0444, .show = show_oom_score},
	{.name = "oom_score_adj", .mode = 0644, .show = show_oom_adj, .store = store_oom_adj},
	{.name = "pagemap", .mode = 0400, .read = read_pagemap},
	{.name = "root", .mode = 0777, .readlink = link_root},
	{.name = "smaps", .mode = 0444, .show = show_smaps},
	{.name = "smaps_rollup", .mode = 0444, .show = show_smaps_rollup},
	{.name = "stack", .mode = 0400, .show = show_stack},
	{.name = "stat", .mode = 0444, .show = show_stat},
	{.name = "statm", .mode = 0444, .show = show_statm},
	{.name = "status", .mode = 0444, .show = show_status},
	{.name = "wchan", .mode = 0444, .show = show_wchan},
};

void procfs_pid_init(void)
{
	static const struct procfs_hooks hooks = {
		.files = files,
		.nfiles = ARRAY_LEN(files),
		.next_pid = proc_next_pid,
		.pid_exists = hook_exists,
		.self = hook_self,
		.self_tid = hook_self_tid,
		.next_tid = hook_next_tid,
		.next_fd = hook_next_fd,
		.get_fd = hook_get_fd,
		.owner = hook_owner,
	};

	procfs_set_hooks(&hooks);
	procfs_vm_init();
}
