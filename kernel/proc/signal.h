/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_PROC_SIGNAL_H
#define GNOMON_PROC_SIGNAL_H

/* Signals, Linux's numbers and layouts (include/uapi/asm-generic/signal.h, siginfo.h). */

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

struct process;
struct task;
struct trapframe;

typedef u64 sigset_t;
#define SIGBIT(n) (1UL << ((n) - 1))
#define NSIG 64

enum { SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM,
       SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF,
       SIGWINCH, SIGIO, SIGPWR, SIGSYS, SIGRTMIN };

#define SI_USER	  0
#define SI_KERNEL 0x80
#define SI_QUEUE  (-1)
#define SI_TIMER  (-2)
#define SI_TKILL  (-6)
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRALN  1
#define BUS_ADRERR  2
#define ILL_ILLOPC  1
#define TRAP_BRKPT  1
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

struct siginfo_k {	/* 128 bytes, Linux's siginfo_t on 64-bit */
	s32 signo, err, code, pad0;
	union {
		struct { s32 pid; u32 uid; u64 value; } rt;		/* kill, sigqueue */
		struct { s32 pid; u32 uid; s32 status; u32 pad; s64 utime, stime; } chld;
		struct { u64 addr; } fault;
		struct { s32 tid, overrun; u64 value; } timer;
		u8 raw[112];
	};
};

struct rusage_k { s64 utime_s, utime_us, stime_s, stime_us, maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd,
		  msgrcv, nsignals, nvcsw, nivcsw; };

struct k_sigaction {	/* riscv64's kernel layout: no restorer */
	u64 handler, flags;
	sigset_t mask;
};
#define SIG_DFL 0UL
#define SIG_IGN 1UL
#define SA_NOCLDSTOP 1u
#define SA_NOCLDWAIT 2u
#define SA_SIGINFO   4u
#define SA_ONSTACK   0x08000000u
#define SA_RESTART   0x10000000u
#define SA_NODEFER   0x40000000u
#define SA_RESETHAND 0x80000000u
#define SS_ONSTACK 1
#define SS_DISABLE 2
#define MINSIGSTKSZ 2048

/* Field markings and the corresponding locks:
 * (s) sig_lock of the process (shared by CLONE_SIGHAND sharers: the first's)   (a) atomic
 */
struct sighand {
	u32 refs;			/* (a) */
	struct k_sigaction act[NSIG];	/* (s) act[n-1] */
};

struct sigqueue {	/* pending signals: one bit each; infos queued, real-time ones repeatedly */
	sigset_t set;
	struct list infos;
};

/* Sends; checks no permission. Any context that may take LOCK_SIGNAL (interrupts too: info from a NOWAIT allocation). */
int signal_proc(struct process *p, int sig, const struct siginfo_k *info);	/* info NULL: SI_KERNEL */
int signal_task(struct task *t, int sig, const struct siginfo_k *info);
/* A fault's signal to current: cannot be blocked or ignored (then it kills). */
void signal_force(int sig, int code, u64 addr);
/* On the way to user mode: delivers what is pending (sets up a handler's frame, or acts by default). */
void signal_deliver(struct trapframe *tf);
bool signal_pending_task(struct task *t, bool only_fatal);
static inline int signal_deliverable(struct task *t)
{
	return signal_pending_task(t, false);
}
long signal_return(struct trapframe *tf);	/* rt_sigreturn */
sigset_t signal_set_blocked(sigset_t set);	/* current's mask; returns the old one */
int signal_dequeue(struct task *t, sigset_t which, struct siginfo_k *out);	/* sigtimedwait: signal number or 0 */
void signal_exec_reset(struct process *p);	/* handlers to default */
bool signal_ignored(struct process *p, int sig);

#endif
