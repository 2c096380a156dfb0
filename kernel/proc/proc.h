/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_PROC_H
#define GNOMON_PROC_H

/*
 * Processes, their threads (tasks), signals, credentials, limits.  A process is a thread group: struct process is what its threads
 * share, struct task what each has for itself (thread->proc_data).  pids and tids come from one number space.
 *
 * Locks: proc_tree_lock (LOCK_PROC_TREE, mutex) guards parent/child links, groups, sessions, the pid table; p->sig_lock (LOCK_SIGNAL, spin)
 * guards pending signals, dispositions, stop/exit state. Order: tree, then sig_lock.
 */

#include "fs/vfs/vfs.h"
#include "kernel/proc/signal.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"
#include "kernel/vm/vm.h"

struct tty;
struct pgrp;
struct session;

#define RLIM_NLIMITS 16
#define RLIM_INFINITY (~0UL)
enum { RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS, RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_MEMLOCK,
       RLIMIT_AS, RLIMIT_LOCKS, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_RTPRIO, RLIMIT_RTTIME };
struct rlimit {
	u64 cur, max;
};

enum proc_state { PROC_ALIVE, PROC_ZOMBIE, PROC_REAPED };

/* Field markings and the corresponding locks:
 * (t) proc_tree_lock   (s) sig_lock   (c) constant   (a) atomic   (m) only a single-threaded owner or under sig_lock
 */
struct process {
	s32 pid;			/* (c) */
	u32 refs;			/* (a) */
	enum proc_state state;		/* (t) */
	struct process *parent;		/* (t) */
	struct list children, sibling;	/* (t) */
	struct list tasks;		/* (s) struct task.proc_link */
	u32 ntasks;			/* (s) live threads */
	struct pgrp *pgrp;		/* (t) */
	struct list pgrp_link;		/* (t) */
	struct session *session;	/* (t) */
	struct tty *ctty;		/* (t) through the session; see session */
	struct vm_map *map;		/* (m) replaced by exec only */
	struct fdtable *fds;		/* (m) */
	struct fs_context *fs;		/* (m) */
	struct cred *cred;		/* (s) replaced whole */
	struct file *exe;		/* (s) /proc/PID/exe */
	struct sighand *sighand;	/* (c) dispositions, shared with CLONE_SIGHAND */
	struct spinlock sig_lock;	/* (c) LOCK_SIGNAL */
	struct sigqueue pending;	/* (s) process-directed */
	struct waitq wait_children;	/* (c) wait4 sleeps here; woken on a child's change */
	int exit_status;		/* (s) wait status word */
	bool exiting;			/* (s) group exit under way */
	bool stopped, continued, stop_reported; /* (s) job control state for wait4 */
	int stop_sig;			/* (s) */
	bool did_exec;			/* (t) */
	struct rlimit rlim[RLIM_NLIMITS]; /* (s) */
	struct { u64 utime, stime, minflt, majflt, nvcsw, nivcsw; } dead, children_time; /* (s) of dead threads; of reaped children */
	u64 maxrss;			/* (s) pages */
	u64 start_time;			/* (c) ns since boot */
	u64 arg_start, arg_end, env_start, env_end; /* (m) for /proc/PID/cmdline */
	u8 auxv[512];			/* (m) copy for /proc/PID/auxv */
	u32 auxv_len;			/* (m) */
	s32 exit_signal;		/* (c) to the parent: SIGCHLD, 0 */
	bool vfork_done;		/* (s) */
	struct waitq vfork_wait;	/* (c) */
	struct timer alarm;		/* (s) ITIMER_REAL */
	u64 alarm_interval;		/* (s) */
	int oom_score_adj;		/* (s) */
	bool dumpable;			/* (s) */
	u32 personality;		/* (s) */
	struct rb_node pid_node;	/* (t) */
	u64 vdso;			/* (m) address of the vdso in its map: the signal trampoline */
};

/* Field markings and the corresponding locks:
 * (o) only the task itself   (s) sig_lock of its process   (t) proc_tree_lock   (c) constant
 */
struct task {
	struct thread *thread;		/* (c) */
	struct process *proc;		/* (c) */
	struct list proc_link;		/* (s) */
	struct rb_node tid_node;	/* (t) */
	sigset_t blocked;		/* (s) written by itself only */
	sigset_t saved_mask;		/* (o) with TIF_RESTORE_MASK */
	struct sigqueue pending;	/* (s) thread-directed */
	u64 altstack_sp, altstack_size;	/* (o) */
	u32 altstack_flags;		/* (o) SS_* */
	u64 clear_child_tid;		/* (o) user address */
	u64 set_child_tid;		/* (o) */
	u64 robust_list;		/* (o) user address of robust_list_head */
	struct restart { long (*fn)(struct restart *); u64 arg[5]; } restart; /* (o) restart_syscall */
	u64 minflt, majflt;		/* (o) */
	bool exiting;			/* (s) */
	int pdeath_sig;			/* (o) */
};

static inline struct task *current_task(void)
{
	return current()->proc_data;
}
static inline struct process *current_proc(void)
{
	return current()->proc;
}

/* ---- life (fork.c, exec.c, exit.c, wait.c) ---- */
struct clone_args_k {	/* as Linux's struct clone_args */
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};
s64 proc_clone(const struct clone_args_k *a);	/* tid of the child, or -errno */
/* argv/envp: user pointers when `kernel` is false. Returns only on error; on success the trapframe is the new program's. */
int proc_exec(const char *path, struct path *base /* NULL: cwd */, const u64 argv, const u64 envp, bool kernel, int flags);
__noreturn void task_exit(int code);		/* this thread */
__noreturn void proc_exit_group(int status);	/* all threads; status is a wait status word */
s64 proc_wait(int which, s32 id, int options, int *status, struct rusage_k *ru, struct siginfo_k *info);
struct process *proc_find(s32 pid);		/* held; NULL */
void proc_hold(struct process *p);
void proc_drop(struct process *p);
struct task *task_find(s32 tid, struct process **p);	/* its process is held; NULL */
s32 proc_next_pid(s32 from);
void proc_start_init(void);			/* kernel_main: makes pid 1, which mounts root and runs init= */
u64 proc_count(void);
u64 proc_forks(void);

/* ---- credentials, limits ---- */
struct cred *cred_copy(const struct cred *c);
void cred_hold(struct cred *c);
void cred_drop(struct cred *c);
u64 proc_rlimit(int which);			/* current's soft limit */

/* ---- groups, sessions (pgrp.c) ---- */
int proc_setpgid(s32 pid, s32 pgid);
int proc_setsid(void);
s32 proc_getpgid(s32 pid);	/* or -errno */
s32 proc_getsid(s32 pid);
int pgrp_signal(s32 pgid, int sig, const struct siginfo_k *info);	/* any context that may take LOCK_PROC_TREE */

/* ---- memory faults and OOM ---- */
void proc_oom_kill(void);	/* picks and kills; message names who and why */

/* ---- futex.c ---- */
s64 futex(u32 __user *uaddr, int op, u32 val, u64 timeout_or_val2, u32 __user *uaddr2, u32 val3);
void futex_exit_robust(struct task *t);
int futex_wake_addr(u64 addr, int n);		/* clear_child_tid */

#endif
