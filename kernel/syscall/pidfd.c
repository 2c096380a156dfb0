// SPDX-License-Identifier: BSD-2-Clause
/*
 * Descriptors of processes: made by pidfd_open and CLONE_PIDFD, readable when the process has ended, for sending signals and waiting.
 * The file's data is the process, held.
 */
#include "kernel/syscall/pidfd.h"

#define PIDFD_NONBLOCK O_NONBLOCK

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct process *p = f->data;

	poll_wait(pt, &p->exit_wait);
	return READ_ONCE(p->state) != PROC_ALIVE ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_release(struct file *f)
{
	proc_drop(f->data);
}

static const struct file_ops pidfd_ops = {
	.poll = pidfd_poll,
	.release = pidfd_release,
	.stream = true,
};

struct file *pidfd_file(struct process *p, u32 flags)
{
	struct file *f = anon_file(&pidfd_ops, p, O_RDWR | flags);

	if (f)
		proc_hold(p);
	return f;
}

/* The process of a descriptor: held, or -EBADF. */
static struct process *pidfd_process(u64 fd)
{
	struct file *f = file_get(fd);
	struct process *p = NULL;

	if (!f)
		return ERR_PTR(-EBADF);
	if (f->ops == &pidfd_ops) {
		p = f->data;
		proc_hold(p);
	}
	file_drop(f);
	return p ? p : ERR_PTR(-EBADF);
}

s32 pidfd_pid(u64 fd)
{
	struct process *p = pidfd_process(fd);
	s32 pid;

	if (IS_ERR(p))
		return (s32)PTR_ERR(p);
	pid = p->pid;
	proc_drop(p);
	return pid;
}

SYSCALL2(pidfd_open, pid, flags)
{
	struct process *p;
	struct file *f;
	struct task *t;

	if ((u32)flags & ~(u32)PIDFD_NONBLOCK || (s32)pid <= 0)
		return -EINVAL;
	p = proc_find((s32)pid);
	if (!p) { /* a thread that leads no group is no process */
		t = task_find((s32)pid);
		if (t)
			task_drop(t);
		return t ? -EINVAL : -ESRCH;
	}
	f = pidfd_file(p, (u32)flags);
	proc_drop(p);
	return f ? fd_publish(f, true) : -ENOMEM;
}

static int get_info(u64 uinfo, int sig, const struct process *to, struct siginfo_k *info)
{
	if (!uinfo) {
		*info = (struct siginfo_k){.signo = sig, .code = SI_USER};
		info->rt.pid = current_proc()->pid;
		info->rt.uid = current_cred()->uid;
		return 0;
	}
	if (copy_from_user(info, (void __user *)uinfo, sizeof(*info)))
		return -EFAULT;
	if (info->signo != sig)
		return -EINVAL;
	if ((info->code >= 0 || info->code == SI_TKILL) && to != current_proc())
		return -EPERM;
	return 0;
}

SYSCALL4(pidfd_send_signal, fd, usig, uinfo, flags)
{
	struct siginfo_k info;
	int sig = (int)usig;
	struct process *p;
	long err;

	if (flags || sig < 0 || sig > NSIG)
		return -EINVAL;
	p = pidfd_process(fd);
	if (IS_ERR(p))
		return PTR_ERR(p);
	err = get_info(uinfo, sig, p, &info);
	if (!err && READ_ONCE(p->state) == PROC_REAPED)
		err = -ESRCH;
	if (!err)
		err = proc_may_signal(p, sig);
	if (!err && sig)
		err = signal_proc(p, sig, &info);
	proc_drop(p);
	return err;
}

SYSCALL3(pidfd_getfd, fd, target, flags)
{
	struct process *p;
	struct fdtable *t;
	struct file *f = NULL;
	u64 irq;

	if (flags)
		return -EINVAL;
	p = pidfd_process(fd);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (proc_may_signal(p, SIGKILL)) {
		proc_drop(p);
		return -EPERM;
	}
	irq = spin_lock_irq(&p->sig_lock);
	t = p->fds;
	if (t)
		fdtable_hold(t);
	spin_unlock_irq(&p->sig_lock, irq);
	proc_drop(p);
	if (!t)
		return -ESRCH;
	f = fd_get(t, (int)target);
	fdtable_drop(t);
	return f ? fd_publish(f, true) : -EBADF;
}
