// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls about signals.
 */
#include "kernel/riscv/trapframe.h"
#include "kernel/syscall/args.h"

static struct siginfo_k sender_info(int sig, int code)
{
	struct siginfo_k info = {.signo = sig, .code = code};

	info.rt.pid = current_proc()->pid;
	info.rt.uid = current_cred()->uid;
	return info;
}

static long signal_one(s32 pid, int sig, const struct siginfo_k *info)
{
	struct process *p = proc_find(pid);
	long err;

	if (!p)
		return -ESRCH;
	err = proc_may_signal(p, sig);
	if (!err && sig)
		err = signal_proc(p, sig, info);
	proc_drop(p);
	return err;
}

SYSCALL2(kill, upid, usig)
{
	s32 pid = (s32)upid;
	int sig = (int)usig;
	struct siginfo_k info;

	if (sig < 0 || sig > NSIG)
		return -EINVAL;
	info = sender_info(sig, SI_USER);
	if (pid > 0)
		return signal_one(pid, sig, &info);
	if (pid == -1)
		return proc_signal_all(sig, &info);
	if (pid == INT32_MIN)
		return -ESRCH;
	return pgrp_signal(pid ? -pid : proc_getpgid(0), sig, &info, true);
}

/* tgid 0: any. */
static long signal_thread(s32 tgid, s32 tid, int sig, const struct siginfo_k *info)
{
	struct task *t = task_find(tid);
	long err = -ESRCH;

	if (!t)
		return err;
	if (!tgid || t->proc->pid == tgid)
		err = proc_may_signal(t->proc, sig);
	if (!err && sig)
		err = signal_task(t, sig, info);
	task_drop(t);
	return err;
}

SYSCALL2(tkill, tid, sig)
{
	struct siginfo_k info;

	if ((s32)tid <= 0 || (u32)sig > NSIG)
		return -EINVAL;
	info = sender_info((int)sig, SI_TKILL);
	return signal_thread(0, (s32)tid, (int)sig, &info);
}

SYSCALL3(tgkill, tgid, tid, sig)
{
	struct siginfo_k info;

	if ((s32)tgid <= 0 || (s32)tid <= 0 || (u32)sig > NSIG)
		return -EINVAL;
	info = sender_info((int)sig, SI_TKILL);
	return signal_thread((s32)tgid, (s32)tid, (int)sig, &info);
}

/* Only a process itself may pretend that the kernel or kill() sent it. */
static int get_info(u64 uinfo, int sig, s32 pid, struct siginfo_k *info)
{
	if (copy_from_user(info, (void __user *)uinfo, sizeof(*info)))
		return -EFAULT;
	info->signo = sig;
	if ((info->code >= 0 || info->code == SI_TKILL) && pid != current_proc()->pid)
		return -EPERM;
	return 0;
}

SYSCALL3(rt_sigqueueinfo, pid, sig, uinfo)
{
	struct siginfo_k info;
	int err;

	if ((u32)sig > NSIG)
		return -EINVAL;
	err = get_info(uinfo, (int)sig, (s32)pid, &info);
	return err ? err : signal_one((s32)pid, (int)sig, &info);
}

SYSCALL4(rt_tgsigqueueinfo, tgid, tid, sig, uinfo)
{
	struct siginfo_k info;
	int err;

	if ((s32)tgid <= 0 || (s32)tid <= 0 || (u32)sig > NSIG)
		return -EINVAL;
	err = get_info(uinfo, (int)sig, (s32)tgid, &info);
	return err ? err : signal_thread((s32)tgid, (s32)tid, (int)sig, &info);
}

SYSCALL4(rt_sigaction, sig, unew, uold, size)
{
	struct k_sigaction new, old;
	int err;

	if (size != sizeof(sigset_t))
		return -EINVAL;
	if (unew && copy_from_user(&new, (void __user *)unew, sizeof(new)))
		return -EFAULT;
	err = signal_action((int)sig, unew ? &new : NULL, uold ? &old : NULL);
	if (!err && uold && copy_to_user((void __user *)uold, &old, sizeof(old)))
		return -EFAULT;
	return err;
}

enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };

SYSCALL4(rt_sigprocmask, how, uset, uold, size)
{
	sigset_t old = current_task()->blocked, set;

	if (size != sizeof(sigset_t))
		return -EINVAL;
	if (uset) {
		if (get_user_u64(&set, (u64 __user *)uset))
			return -EFAULT;
		if ((int)how < SIG_BLOCK || (int)how > SIG_SETMASK)
			return -EINVAL;
		signal_set_blocked((int)how == SIG_BLOCK     ? old | set
				   : (int)how == SIG_UNBLOCK ? old & ~set
							     : set);
	}
	if (uold && put_user_u64(old, (u64 __user *)uold))
		return -EFAULT;
	return 0;
}

SYSCALL2(rt_sigpending, uset, size)
{
	sigset_t set = signal_pending_set();

	if (size > sizeof(set))
		return -EINVAL;
	return copy_to_user((void __user *)uset, &set, size);
}

SYSCALL2(rt_sigsuspend, uset, size)
{
	sigset_t set;
	struct waitq q;

	if (size != sizeof(set))
		return -EINVAL;
	if (get_user_u64(&set, (u64 __user *)uset))
		return -EFAULT;
	signal_push_mask(set);
	waitq_init(&q);
	(void)wait_event_intr(&q, false);
	return -ERESTARTNOHAND;
}

SYSCALL4(rt_sigtimedwait, uset, uinfo, utime, size)
{
	struct siginfo_k info;
	struct timespec_k ts;
	sigset_t set;
	u64 deadline = 0;
	int sig;

	if (size != sizeof(set))
		return -EINVAL;
	if (get_user_u64(&set, (u64 __user *)uset))
		return -EFAULT;
	if (utime) {
		if (copy_from_user(&ts, (void __user *)utime, sizeof(ts)))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		deadline = time_deadline(timespec_ns(&ts));
	}
	sig = signal_wait(set, &info, deadline);
	if (sig > 0 && uinfo && siginfo_to_user(uinfo, &info))
		return -EFAULT;
	return sig;
}

struct stack_k {
	u64 sp;
	s32 flags;
	u32 pad;
	u64 size;
};

static bool on_altstack(const struct task *t, u64 sp)
{
	return t->altstack_size && sp > t->altstack_sp && sp - t->altstack_sp <= t->altstack_size;
}

static int set_altstack(struct task *t, const struct stack_k *s)
{
	u32 mode = (u32)s->flags & ~SS_AUTODISARM;

	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		t->altstack_sp = t->altstack_size = 0;
	} else {
		if (s->size < MINSIGSTKSZ)
			return -ENOMEM;
		t->altstack_sp = s->sp;
		t->altstack_size = s->size;
	}
	t->altstack_flags = (u32)s->flags & (SS_AUTODISARM | SS_DISABLE);
	return 0;
}

SYSCALL2(sigaltstack, unew, uold)
{
	struct task *t = current_task();
	bool on = on_altstack(t, thread_trapframe(current())->x[REG_SP]);
	struct stack_k new, old = {.sp = t->altstack_sp, .size = t->altstack_size};
	int err = 0;

	old.flags = !t->altstack_size ? SS_DISABLE : on ? SS_ONSTACK : 0;
	old.flags |= (s32)(t->altstack_flags & SS_AUTODISARM);
	if (unew) {
		if (copy_from_user(&new, (void __user *)unew, sizeof(new)))
			return -EFAULT;
		err = on ? -EPERM : set_altstack(t, &new);
	}
	if (!err && uold && copy_to_user((void __user *)uold, &old, sizeof(old)))
		err = -EFAULT;
	return err;
}

SYSCALL0(rt_sigreturn)
{
	return signal_return(thread_trapframe(current()));
}

SYSCALL0(restart_syscall)
{
	struct restart *r = &current_task()->restart;

	return r->fn ? r->fn(r) : -EINTR;
}
