// SPDX-License-Identifier: BSD-2-Clause
/*
 * signalfd: reading takes pending signals of the reader off its queues, poll looks at those of whoever polls.
 *
 * Readers sleep as sigtimedwait does; pollers stand on the process's signalfd_wait, which every signal sent wakes once somebody has
 * used a signalfd there.
 *
 * Locks: none of its own; the mask is one word.
 */
#include "kernel/syscall/anon.h"

/* struct signalfd_siginfo */
struct signalfd_info {
	u32 signo;
	s32 err, code;
	u32 pid, uid;
	s32 fd;
	u32 tid, band, overrun, trapno;
	s32 status, intval;
	u64 ptr, utime, stime, addr;
	u16 addr_lsb, pad2;
	s32 syscall;
	u64 call_addr;
	u32 arch;
	u8 pad[28];
};
BUILD_ASSERT(sizeof(struct signalfd_info) == 128);

/* Field markings and the corresponding locks:
 * (a) atomic
 */
struct signalfd {
	sigset_t mask; /* (a) */
};

static void translate(const struct siginfo_k *from, struct signalfd_info *to)
{
	memset(to, 0, sizeof(*to));
	to->signo = (u32)from->signo;
	to->err = from->err;
	to->code = from->code;
	if (from->signo == SIGCHLD && from->code > 0) {
		to->pid = (u32)from->chld.pid;
		to->uid = from->chld.uid;
		to->status = from->chld.status;
		to->utime = (u64)from->chld.utime;
		to->stime = (u64)from->chld.stime;
	} else if (from->code == SI_TIMER) {
		to->tid = (u32)from->timer.tid;
		to->overrun = (u32)from->timer.overrun;
		to->ptr = from->timer.value;
		to->intval = (s32)from->timer.value;
	} else if (from->code > 0 && from->code != SI_KERNEL) {
		to->addr = from->fault.addr;
	} else {
		to->pid = (u32)from->rt.pid;
		to->uid = from->rt.uid;
		to->ptr = from->rt.value;
		to->intval = (s32)from->rt.value;
	}
}

static int take_one(struct file *f, struct siginfo_k *info, bool wait)
{
	const struct signalfd *s = f->data;
	int sig;

	if (!wait)
		return signal_dequeue(READ_ONCE(s->mask), info);
	sig = signal_wait(READ_ONCE(s->mask), info, 0);
	return sig == -EINTR ? -ERESTARTSYS : sig;
}

static ssize_t signalfd_read(struct file *f, struct uio *u, u64 *pos __unused)
{
	struct signalfd_info out;
	struct siginfo_k info;
	ssize_t done = 0;
	int sig;

	if (u->left < sizeof(out))
		return -EINVAL;
	while (u->left >= sizeof(out)) {
		sig = take_one(f, &info, !done && !(f->flags & O_NONBLOCK));
		if (sig <= 0)
			return done ? done : sig ? sig : -EAGAIN;
		translate(&info, &out);
		if (uio_to(u, &out, sizeof(out)) != sizeof(out))
			return done ? done : -EFAULT;
		done += (ssize_t)sizeof(out);
	}
	return done;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	const struct signalfd *s = f->data;
	struct process *p = current_proc();

	WRITE_ONCE(p->signalfd_used, true);
	poll_wait(pt, &p->signalfd_wait);
	return signal_queued(READ_ONCE(s->mask)) ? POLLIN | POLLRDNORM : 0;
}

static void signalfd_release(struct file *f)
{
	kfree(f->data);
}

static const struct file_ops signalfd_ops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.stream = true,
};

static long signalfd_change(u64 fd, sigset_t mask)
{
	struct file *f = file_get(fd);
	long err = 0;

	if (!f)
		return -EBADF;
	if (f->ops == &signalfd_ops)
		WRITE_ONCE(((struct signalfd *)f->data)->mask, mask);
	else
		err = -EINVAL;
	file_drop(f);
	return err ? err : (s32)fd;
}

SYSCALL4(signalfd4, fd, umask, size, flags)
{
	struct signalfd *s;
	sigset_t mask;
	long ret;

	if (size != sizeof(mask) || (u32)flags & ~(O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	if (get_user_u64(&mask, (u64 __user *)umask))
		return -EFAULT;
	mask &= ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
	if ((s32)fd != -1)
		return signalfd_change(fd, mask);
	s = kzalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->mask = mask;
	ret = anon_fd(&signalfd_ops, s, O_RDWR | ((u32)flags & (O_NONBLOCK | O_CLOEXEC)));
	if (ret < 0)
		kfree(s);
	return ret;
}
