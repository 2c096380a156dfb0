/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_PROC_SIGNAL_H
#define GNOMON_PROC_SIGNAL_H

/* Signals, Linux's numbers and layouts (include/uapi/asm-generic/signal.h, siginfo.h). */

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "kernel/sync/spinlock.h"

struct process;
struct task;
struct trapframe;

typedef u64 sigset_t;
#define SIGBIT(n) (1UL << ((n)-1))
#define NSIG	  64

enum {
	SIGHUP = 1,
	SIGINT,
	SIGQUIT,
	SIGILL,
	SIGTRAP,
	SIGABRT,
	SIGBUS,
	SIGFPE,
	SIGKILL,
	SIGUSR1,
	SIGSEGV,
	SIGUSR2,
	SIGPIPE,
	SIGALRM,
	SIGTERM,
	SIGSTKFLT,
	SIGCHLD,
	SIGCONT,
	SIGSTOP,
	SIGTSTP,
	SIGTTIN,
	SIGTTOU,
	SIGURG,
	SIGXCPU,
	SIGXFSZ,
	SIGVTALRM,
	SIGPROF,
	SIGWINCH,
	SIGIO,
	SIGPWR,
	SIGSYS,
	SIGRTMIN
};

#define SI_USER	      0
#define SI_KERNEL     0x80
#define SI_QUEUE      (-1)
#define SI_TIMER      (-2)
#define SI_TKILL      (-6)
#define SEGV_MAPERR   1
#define SEGV_ACCERR   2
#define BUS_ADRALN    1
#define BUS_ADRERR    2
#define ILL_ILLOPC    1
#define TRAP_BRKPT    1
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

#define SIGINFO_USER_SIZE 128 /* Linux's siginfo_t; what follows the fields used here is zero */
struct siginfo_k {	      /* its first 48 bytes, on 64-bit */
	s32 signo, err, code, pad0;
	union {
		struct {
			s32 pid;
			u32 uid;
			u64 value;
		} rt; /* kill, sigqueue */
		struct {
			s32 pid;
			u32 uid;
			s32 status;
			u32 pad;
			s64 utime, stime;
		} chld;
		struct {
			u64 addr;
		} fault;
		struct {
			s32 tid, overrun;
			u64 value;
		} timer;
		u8 raw[32];
	};
};

struct rusage_k {
	s64 utime_s, utime_us, stime_s, stime_us, maxrss, ixrss, idrss, isrss, minflt, majflt,
		nswap, inblock, oublock, msgsnd, msgrcv, nsignals, nvcsw, nivcsw;
};

struct k_sigaction { /* riscv64's kernel layout: no restorer */
	u64 handler, flags;
	sigset_t mask;
};
#define SIG_DFL	      0UL
#define SIG_IGN	      1UL
#define SA_NOCLDSTOP  1u
#define SA_NOCLDWAIT  2u
#define SA_SIGINFO    4u
#define SA_ONSTACK    0x08000000u
#define SA_RESTART    0x10000000u
#define SA_NODEFER    0x40000000u
#define SA_RESETHAND  0x80000000u
#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM (1u << 31)
#define MINSIGSTKSZ   2048

/*
 * Dispositions.  While one process uses them its sig_lock guards them; sharers (CLONE_SIGHAND) take `lock` inside
 * their own sig_lock.  refs grows only under the sig_lock of a user, so refs == 1 seen under it stays true.
 *
 * Field markings and the corresponding locks:
 * (s) sig_lock of the process, and lock if refs > 1   (a) atomic   (c) constant
 */
struct sighand {
	u32 refs;	      /* (a) */
	struct spinlock lock; /* (c) LOCK_SIGNAL, second of two */
	sigset_t set;	      /* (s) of act: the others mean all zero, and are not written */
	struct k_sigaction act[NSIG]; /* (s) act[n-1] */
};

struct sigqueue { /* pending signals: one bit each; infos queued, real-time ones repeatedly */
	sigset_t set;
	struct list infos;
	u32 count; /* of infos */
};

#define SIG_STOPS	(SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define SIG_UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define SIG_DFL_IGNORED (SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH))

void signal_init(void);
/* Sends; checks no permission.  Any context that may take LOCK_SIGNAL (interrupts too: info from a NOWAIT allocation).
 * info NULL: SI_KERNEL.  0, or -EAGAIN: no memory for the info of a real-time signal. */
int signal_proc(struct process *p, int sig, const struct siginfo_k *info);
int signal_task(struct task *t, int sig, const struct siginfo_k *info);
/* A fault's signal to current: cannot be blocked or ignored (then it kills). */
void signal_force(int sig, int code, u64 addr);
/* On the way to user mode: delivers what is pending (sets up a handler's frame, or acts by default). */
void signal_deliver(struct trapframe *tf);
/* Is something to be done for t?  only_fatal: it is to die.  Any context. */
bool signal_pending_task(struct task *t, bool only_fatal);
static inline int signal_deliverable(struct task *t)
{
	return signal_pending_task(t, false);
}
/* Writes all of a siginfo_t: 0 or -EFAULT. */
int siginfo_to_user(u64 to, const struct siginfo_k *info);
long signal_return(struct trapframe *tf);  /* rt_sigreturn: the a0 to return with */
sigset_t signal_set_blocked(sigset_t set); /* current's mask; returns the old one */
/* Takes one pending signal of `which` off current: its number, or 0. */
int signal_dequeue(sigset_t which, struct siginfo_k *out);
sigset_t signal_pending_set(void);  /* of current, both queues, blocked */
bool signal_queued(sigset_t which); /* is one of these pending for current? */
/* Reads and/or replaces a disposition of current's process: 0 or -EINVAL. */
int signal_action(int sig, const struct k_sigaction *new, struct k_sigaction *old);
bool signal_ignored(struct process *p, int sig); /* takes sig_lock */
/* Current sleeps until a signal of `set` can be taken: it, or -EAGAIN at the deadline (0: none), -EINTR. */
int signal_wait(sigset_t set, struct siginfo_k *out, u64 deadline);
/* Until the way back to user mode the mask is `mask`; then the present one returns (sigsuspend, ppoll, pselect). */
void signal_push_mask(sigset_t mask);

#endif
