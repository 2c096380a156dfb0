/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_PROC_H
#define GNOMON_PROC_H

/*
 * Processes, their threads (tasks), signals, credentials, limits.  A process is a thread group: struct process is what its
 * threads share, struct task what each has for itself (thread->proc_data).  pids, tids, group and session ids come from one
 * number space.
 *
 * Locks: proc_tree_lock (LOCK_PROC_TREE, mutex) guards parent/child links, groups, sessions, the id table; p->sig_lock
 * (LOCK_SIGNAL, spin, interrupts off) guards pending signals, dispositions, stop/exit state.  Order: tree, then sig_lock.
 */

#include "fs/vfs/vfs.h"
#include "kernel/lib/radix.h"
#include "kernel/proc/signal.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"
#include "kernel/vm/vm.h"

struct tty;
struct pgrp;
struct session;

#define RLIM_NLIMITS  16
#define RLIM_INFINITY (~0UL)
enum {
	RLIMIT_CPU,
	RLIMIT_FSIZE,
	RLIMIT_DATA,
	RLIMIT_STACK,
	RLIMIT_CORE,
	RLIMIT_RSS,
	RLIMIT_NPROC,
	RLIMIT_NOFILE,
	RLIMIT_MEMLOCK,
	RLIMIT_AS,
	RLIMIT_LOCKS,
	RLIMIT_SIGPENDING,
	RLIMIT_MSGQUEUE,
	RLIMIT_NICE,
	RLIMIT_RTPRIO,
	RLIMIT_RTTIME
};
struct rlimit {
	u64 cur, max;
};

enum proc_state { PROC_ALIVE, PROC_ZOMBIE, PROC_REAPED };

struct proc_times {
	u64 utime, stime, minflt, majflt, nvcsw, nivcsw; /* ns and counts */
};

enum cpu_kind { CPU_PROCESS, CPU_PROCESS_USER, CPU_THREAD };
/* Something that happens when a process or a thread has used so much processor time (cputimer.c).
 *
 * Field markings and the corresponding locks:
 * (s) sig_lock of the process   (c) constant
 */
struct cpu_timer {
	struct list link;   /* (s) in process.cpu_timers while armed */
	enum cpu_kind kind; /* (c) */
	struct task *task;  /* (c) of CPU_THREAD; its owner holds it */
	u64 expires;	    /* (s) ns of that clock; 0: not armed */
	u64 interval;	    /* (s) ns, for the owner */
	void (*fn)(struct process *p, struct cpu_timer *t,
		   u64 now); /* (c) sig_lock held, in an interrupt; t is not armed any more */
};

/* Field markings and the corresponding locks:
 * (t) proc_tree_lock   (s) sig_lock   (c) constant   (a) atomic   (m) written only while one thread exists
 * (p) PTIMER lock   (l) LOCK_IPC of the semaphores
 */
struct process {
	s32 pid;		    /* (c) */
	u32 refs;		    /* (a) one for the id table, one per task, lookups */
	enum proc_state state;	    /* (t) */
	struct process *parent;	    /* (t) */
	struct list children;	    /* (t) those alive */
	struct list zombies;	    /* (t) those to be waited for, oldest first */
	struct list sibling;	    /* (t) in the parent's children or zombies */
	struct list tasks;	    /* (s) struct task.proc_link */
	u32 ntasks;		    /* (s) live threads */
	struct pgrp *pgrp;	    /* (t) */
	struct list pgrp_link;	    /* (t) */
	struct session *session;    /* (t) */
	struct vm_map *map;	    /* (s) a reference; replaced by exec, NULL when exiting */
	struct fdtable *fds;	    /* (s) replaced by exec and unshare, NULL when exiting */
	struct fs_context *fs;	    /* (s) likewise */
	struct cred *cred;	    /* (s) replaced whole */
	struct file *exe;	    /* (s) /proc/PID/exe */
	struct sighand *sighand;    /* (s) dispositions, shared with CLONE_SIGHAND */
	struct spinlock sig_lock;   /* (c) LOCK_SIGNAL */
	struct sigqueue pending;    /* (s) process-directed */
	struct waitq wait_children; /* (c) wait4 sleeps here; woken on a child's change */
	struct waitq threads_wait;  /* (c) woken when ntasks falls to 1 (exec) */
	struct waitq stop_wait;	    /* (c) stopped threads sleep here */
	struct waitq exit_wait;	    /* (c) woken when it becomes a zombie */
	struct waitq signalfd_wait; /* (c) woken when a signal is queued, once signalfd_used */
	bool signalfd_used;	    /* (a) a signalfd was polled here */
	int exit_status;	    /* (s) wait status word */
	bool exiting;		    /* (s) group exit under way */
	bool in_exec;		    /* (s) one thread waits for the others' end */
	bool group_stop;	    /* (s) every thread is to stop */
	bool stopped;		    /* (s) all have stopped */
	bool stop_report;	    /* (s) a stop that wait4 has not seen */
	bool cont_report;	    /* (s) a continue that wait4 has not seen */
	bool cont_notify;	    /* (s) the parent is still to be told of it */
	u32 nstopped;		    /* (s) threads asleep in stop_wait */
	int stop_sig;		    /* (s) */
	bool did_exec;		    /* (t) */
	bool files_shared;	    /* (a) another process may use these descriptors */
	bool map_shared;	    /* (a) another process may run in this map */
	bool unkillable;	    /* (s) pid 1: default actions do not apply */
	bool subreaper;		    /* (t) orphans below come here */
	struct rlimit rlim[RLIM_NLIMITS];	    /* (s) */
	struct proc_times dead;			    /* (s) of dead threads */
	struct proc_times children_time;	    /* (s) of reaped children */
	u64 maxrss, children_maxrss;		    /* (s) pages */
	u64 start_time;				    /* (c) ns since boot */
	u64 arg_start, arg_end, env_start, env_end; /* (m) for /proc/PID/cmdline */
	u64 auxv[50];				    /* (m) copy for /proc/PID/auxv */
	u32 auxv_len;				    /* (m) bytes */
	u64 start_stack;			    /* (m) sp at the start of the program */
	char comm[16];		     /* (s) the first thread's name, kept for the zombie */
	s32 exit_signal;	     /* (t) to the parent: SIGCHLD, 0 */
	bool vfork_done;	     /* (s) */
	struct waitq vfork_wait;     /* (c) the parent, with CLONE_VFORK */
	struct timer alarm;	     /* (s) ITIMER_REAL; armed and cancelled under proc_tree_lock */
	u64 alarm_interval;	     /* (s) ns */
	struct radix_tree ptimers;   /* (p) timer_create's, by id (ptimer.c) */
	s32 next_ptimer;	     /* (p) */
	struct list cpu_timers;	     /* (s) armed (cputimer.c) */
	struct cpu_timer virt_timer; /* (s) ITIMER_VIRTUAL */
	struct cpu_timer prof_timer; /* (s) ITIMER_PROF */
	struct list sysv_undo;	     /* (l) what to undo at the end */
	bool sysv_shm;		     /* (a) it or an ancestor has attached a segment */
	bool cpu_watch;		     /* (a) cpu_timers or RLIMIT_CPU want ticks */
	int oom_score_adj;	     /* (s) */
	bool dumpable;		     /* (s) */
	u32 personality;	     /* (s) */
	u64 vdso;		     /* (m) address of the vdso in its map: the signal trampoline */
};

/* Field markings and the corresponding locks:
 * (o) only the task itself   (s) sig_lock of its process   (t) proc_tree_lock   (c) constant   (a) atomic
 */
struct task {
	struct thread *thread;		/* (s) valid for others only while !exiting */
	struct process *proc;		/* (c) */
	u32 refs;			/* (a) its thread's, and lookups */
	struct list proc_link;		/* (s) */
	sigset_t blocked;		/* (s) written by itself only */
	sigset_t real_blocked;		/* (s) blocked, while sigtimedwait lets some in */
	sigset_t saved_mask;		/* (o) with TIF_RESTORE_MASK */
	struct sigqueue pending;	/* (s) thread-directed */
	u64 altstack_sp, altstack_size; /* (o) */
	u32 altstack_flags;		/* (o) SS_* */
	u64 clear_child_tid;		/* (o) user address */
	u64 set_child_tid;		/* (o) */
	u64 robust_list;		/* (o) user address of robust_list_head */
	struct restart {
		long (*fn)(struct restart *);
		u64 arg[5];
	} restart;	    /* (o) restart_syscall */
	u64 minflt, majflt; /* (o) */
	bool exiting;	    /* (s) */
	int pdeath_sig;	    /* (o) */
	bool no_new_privs;  /* (o) */
	u64 timer_slack;    /* (o) ns */
	u64 default_slack;  /* (o) ns, what 0 sets it to: its maker's */
};

extern struct mutex proc_tree_lock;

#define CLONE_VM	     0x100UL
#define CLONE_FS	     0x200UL
#define CLONE_FILES	     0x400UL
#define CLONE_SIGHAND	     0x800UL
#define CLONE_PIDFD	     0x1000UL
#define CLONE_PTRACE	     0x2000UL
#define CLONE_VFORK	     0x4000UL
#define CLONE_PARENT	     0x8000UL
#define CLONE_THREAD	     0x10000UL
#define CLONE_NEWNS	     0x20000UL
#define CLONE_SYSVSEM	     0x40000UL
#define CLONE_SETTLS	     0x80000UL
#define CLONE_PARENT_SETTID  0x100000UL
#define CLONE_CHILD_CLEARTID 0x200000UL
#define CLONE_DETACHED	     0x400000UL
#define CLONE_UNTRACED	     0x800000UL
#define CLONE_CHILD_SETTID   0x1000000UL
#define CLONE_NEWCGROUP	     0x2000000UL
#define CLONE_NEWUTS	     0x4000000UL
#define CLONE_NEWIPC	     0x8000000UL
#define CLONE_NEWUSER	     0x10000000UL
#define CLONE_NEWPID	     0x20000000UL
#define CLONE_NEWNET	     0x40000000UL
#define CLONE_IO	     0x80000000UL
#define CLONE_CLEAR_SIGHAND  0x100000000UL
#define CLONE_NEWTIME	     0x80UL
#define CLONE_NAMESPACES                                                               \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET)

static inline struct task *current_task(void)
{
	return current()->proc_data;
}
static inline struct process *current_proc(void)
{
	return current()->proc;
}

/* ---- life (fork.c, exec.c, exit.c, wait.c) ---- */
struct clone_args_k { /* as Linux's struct clone_args */
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};
/* The new task's tid, or -errno.  Sleeps; with CLONE_VFORK until the child execs or exits.  started (may be NULL) is called with the
 * new process, which has not run yet. */
s64 proc_clone(const struct clone_args_k *a, void (*started)(struct process *p, void *arg),
	       void *arg);

/* The current process stops sharing descriptors and/or cwd with others: 0, -ENOMEM. */
int proc_unshare(bool files, bool fs);
s32 proc_getppid(struct process *p);

struct exec_args {
	const char *path;	  /* kernel memory */
	const char *name;	  /* what the program is told it was run as; NULL: path */
	struct file *at;	  /* relative paths start here; NULL: cwd */
	unsigned lookup;	  /* LOOKUP_FOLLOW, LOOKUP_EMPTY */
	u64 argv, envp;		  /* user arrays of pointers; 0: empty */
	const char *const *kargv; /* kernel arrays instead, for pid 1; NULL: use the user's */
	const char *const *kenvp;
};
/* Replaces the current program: 0 and the trapframe is the new program's, or -errno and nothing has changed.  Sleeps. */
int proc_exec(const struct exec_args *x);
__noreturn void task_exit(int code);	     /* this thread; code as given to exit(2) */
__noreturn void proc_exit_group(int status); /* all threads; status is a wait status word */

#define WNOHANG	    1
#define WUNTRACED   2
#define WSTOPPED    2
#define WEXITED	    4
#define WCONTINUED  8
#define WNOWAIT	    0x01000000
#define __WNOTHREAD 0x20000000
#define __WALL	    0x40000000
#define __WCLONE    ((int)0x80000000)
enum { P_ALL, P_PID, P_PGID, P_PIDFD };
struct wait_result {
	s32 pid; /* 0: nothing ready */
	u32 uid;
	int status; /* wait status word */
	int code;   /* CLD_* */
	struct rusage_k ru;
};
/* Waits for a change of a child: 0 with *out, or -ECHILD, -ERESTARTSYS.  Sleeps, no locks held. */
int proc_wait(int which, s32 id, int options, struct wait_result *out);

/* Set once by kernel/ipc: called when a process ends that used System V semaphores or memory. */
void proc_set_sysv_exit(void (*fn)(struct process *p));
struct process *proc_find(s32 pid); /* held, alive or zombie; NULL.  Takes proc_tree_lock */
void proc_hold(struct process *p);
void proc_drop(struct process *p); /* sleeps */
struct task *task_find(s32 tid);   /* held; NULL.  Takes proc_tree_lock */
void task_hold(struct task *t);
void task_drop(struct task *t); /* sleeps */
s32 proc_next_pid(s32 from);	/* smallest pid >= from, -1 none.  Takes proc_tree_lock */
s32 proc_next_tid(struct process *p, s32 from); /* likewise among p's threads */
struct vm_map *proc_map_hold(
	struct process *p); /* its map, held; NULL when it has none.  Any thread context */
struct cred *proc_cred_hold(struct process *p); /* its credentials, held */
u64 proc_count(void);				/* threads alive */
u64 proc_forks(void);				/* since boot */
s32 proc_last_pid(void);

/* ---- credentials, limits, times (cred.c, usage.c) ---- */
struct cred *cred_copy(
	const struct cred *c); /* refs = 1, the caller's to change; NULL: no memory */
void cred_hold(struct cred *c);
void cred_drop(struct cred *c);
/* The current process gets c (takes over the caller's reference). -EAGAIN never: over RLIMIT_NPROC shows at exec. */
void cred_commit(struct cred *c);
static inline const struct cred *current_cred(void)
{
	return current_proc()->cred;
}
#define CAP_CHOWN	 0
#define CAP_KILL	 5
#define CAP_SETGID	 6
#define CAP_SETUID	 7
#define CAP_SETPCAP	 8
#define CAP_IPC_LOCK	 14
#define CAP_SYS_RAWIO	 17
#define CAP_SYS_ADMIN	 21
#define CAP_SYS_BOOT	 22
#define CAP_SYS_NICE	 23
#define CAP_SYS_RESOURCE 24
#define CAP_SYS_TIME	 25
#define CAP_LAST	 40
#define CAP_ALL		 ((2UL << CAP_LAST) - 1)
static inline bool capable(unsigned cap)
{
	return current_cred()->caps >> cap & 1;
}
u64 proc_rlimit(int which); /* current's soft limit */
/* Sets and/or reads a limit of p: 0, -EINVAL, -EPERM. */
int proc_set_rlimit(struct process *p, int which, const struct rlimit *new, struct rlimit *old);
void proc_apply_limits(struct process *p, struct vm_map *m); /* AS, DATA, STACK into the map */
void proc_times(struct process *p, struct proc_times *out);  /* dead and living threads */
void task_times(struct task *t,
		struct proc_times *out); /* of a living thread; p->sig_lock held or current */
void proc_rusage(struct process *p, const struct proc_times *t, u64 maxrss_pages,
		 struct rusage_k *out);

/* ---- timers (ptimer.c, cputimer.c, clockset.c) ---- */
enum ptimer_clock { PTIMER_REALTIME, PTIMER_MONOTONIC, PTIMER_CPU };
#define SIGEV_SIGNAL	0
#define SIGEV_NONE	1
#define SIGEV_THREAD	2
#define SIGEV_THREAD_ID 4
struct ptimer_spec {
	enum ptimer_clock clock;
	enum cpu_kind cpu;     /* of PTIMER_CPU */
	struct task *cpu_task; /* of CPU_THREAD: held for the call */
	struct task *target;   /* SIGEV_THREAD_ID: held for the call; NULL: the process */
	bool silent;	       /* SIGEV_NONE */
	bool value_is_id;      /* no sigevent was given: the value is the timer's id */
	int signo;
	u64 value;
};
struct ptimer_times {
	u64 value, interval; /* ns; value 0: disarmed */
};
/* All of current's timers; sleep.  The new id, or -EAGAIN, -ENOMEM. */
s32 ptimer_create(const struct ptimer_spec *spec);
int ptimer_delete(s32 id); /* -EINVAL */
/* value is from now, or with absolute the clock's time. old may be NULL. -EINVAL: no such timer. */
int ptimer_set(s32 id, bool absolute, const struct ptimer_times *new, struct ptimer_times *old);
int ptimer_get(s32 id, struct ptimer_times *out);
s32 ptimer_overrun(s32 id);
void ptimers_delete_all(struct process *p); /* exec, exit */

void cpu_timer_arm(struct process *p, struct cpu_timer *t, u64 expires); /* sig_lock held */
void cpu_timer_cancel(struct process *p, struct cpu_timer *t);		 /* sig_lock held */
u64 cpu_timer_now(struct process *p, const struct cpu_timer *t);	 /* sig_lock held */

/* Told when the realtime clock was set; fn may sleep and is called one at a time.
 *
 * Field markings and the corresponding locks:
 * (l) LOCK_CLOCK_SET   (c) constant
 */
struct clock_listener {
	struct list link;		      /* (l) */
	void (*fn)(struct clock_listener *l); /* (c) */
};
void clock_listen(struct clock_listener *l);
void clock_unlisten(struct clock_listener *l);

/* ---- interval timers (itimer.c) ---- */
/* The same for ITIMER_VIRTUAL (user) and ITIMER_PROF. */
void proc_cpu_itimer_set(bool user, u64 value, u64 interval, u64 *old_value, u64 *old_interval);
void proc_cpu_itimer_get(bool user, u64 *value, u64 *interval);
/* Arms (value ns from now; 0 disarms) and/or reads the ITIMER_REAL of current. Sleeps. */
void proc_itimer_set(u64 value, u64 interval, u64 *old_value, u64 *old_interval);
void proc_itimer_get(u64 *value, u64 *interval);

/* ---- groups, sessions (pgrp.c); all take proc_tree_lock ---- */
int proc_setpgid(s32 pid, s32 pgid);
s32 proc_setsid(void);	   /* the new session's id or -EPERM */
s32 proc_getpgid(s32 pid); /* or -errno; 0 = current */
s32 proc_getsid(s32 pid);
/* To every process of the group: 0; -ESRCH no such group; -EPERM: `check`, and current may signal none of them. */
int pgrp_signal(s32 pgid, int sig, const struct siginfo_k *info, bool check);
/* kill(-1): all but pid 1 and current. */
int proc_signal_all(int sig, const struct siginfo_k *info);
/* May current send sig to p?  0 or -EPERM.  Takes proc_tree_lock for SIGCONT. */
int proc_may_signal(struct process *p, int sig);

/* ---- memory faults and OOM ---- */
void proc_clock_changed(void); /* after time_set_realtime */
u64 proc_realtime(void);       /* CLOCK_REALTIME as programs see it, in ns */
/* Set once by kernel/syscall, before the first process: what an ecall from user mode does. */
void proc_set_syscall_handler(void (*fn)(struct trapframe *tf));
/* Has somebody picked and killed, if nobody was just now; a message names who and why.  False: the caller is to die.  Sleeps; any sleeping lock may be held. */
bool proc_oom_kill(void);

/* ---- futex.c ---- */
#define FUTEX_NO_TIMEOUT 0UL
struct futex_args {
	u64 uaddr, uaddr2;
	int op; /* with FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME */
	u32 val, val2, val3;
	u64 deadline; /* time_now() nanoseconds; FUTEX_NO_TIMEOUT */
};
s64 futex(const struct futex_args *a); /* sleeps */
/* Waits until one of n words is woken: its index, or as futex(). */
struct futex_one {
	u64 uaddr;
	u32 val;
	bool shared;
};
s64 futex_wait_any(const struct futex_one *v, u32 n, u64 deadline);
void futex_exit_robust(struct task *t); /* current, exiting */
int futex_wake_addr(u64 addr,
		    int n); /* clear_child_tid: shared and private waiters of current's map */

#endif
