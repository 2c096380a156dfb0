// SPDX-License-Identifier: BSD-2-Clause
/*
 * timerfd(2).  The kernel timer goes off once; the missed periods of an interval timer are counted, and the timer armed again, when
 * somebody looks (read, gettime): a period of a nanosecond costs one interrupt a read, not one a nanosecond.
 *
 * Locks: set_lock (FS_MISC) serialises arming; lock (LEAF_FS, taken in interrupts) guards the fields the handler writes.
 */

#include "kernel/syscall/anon.h"

#define TFD_TIMER_ABSTIME 1u

enum { CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1, CLOCK_BOOTTIME = 7 };

struct itimerspec_k {
	struct timespec_k interval, value;
};

/* Field markings and the corresponding locks:
 * (c) constant   (s) set_lock   (l) lock
 */
struct timerfd {
	struct mutex set_lock; /* (c) FS_MISC */
	struct spinlock lock;  /* (c) LEAF_FS */
	struct timer timer;    /* (s) */
	u64 deadline;	       /* (s,l) time_now() of the expiry awaited; 0: disarmed */
	u64 interval;	       /* (s,l) ns; 0: once */
	u64 ticks;	       /* (l) expiries not yet read */
	bool expired;	       /* (l) the timer has gone off and was not armed again */
	struct waitq wait;     /* (c) readers */
	int clock;	       /* (c) */
};

static void timerfd_expired(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	u64 irq = spin_lock_irq(&t->lock);

	t->ticks++;
	t->expired = true;
	spin_unlock_irq(&t->lock, irq);
	waitq_wake_all(&t->wait);
}

/* Counts the periods that have gone by since the timer went off, and arms it for the next. set_lock held. */
static void catch_up(struct timerfd *t)
{
	u64 irq = spin_lock_irq(&t->lock), now = time_now(), missed;
	bool again = t->expired && t->interval;

	ASSERT(mutex_held(&t->set_lock));
	if (again) {
		missed = now > t->deadline ? (now - t->deadline) / t->interval : 0;
		t->ticks += missed;
		t->deadline += (missed + 1) * t->interval;
		t->expired = false;
	}
	spin_unlock_irq(&t->lock, irq);
	if (again)
		timer_arm(&t->timer, t->deadline);
}

static bool ticks_take(struct timerfd *t, u64 *out)
{
	u64 irq;

	mutex_lock(&t->set_lock);
	if (READ_ONCE(t->ticks))
		catch_up(t);
	irq = spin_lock_irq(&t->lock);
	*out = t->ticks;
	t->ticks = 0;
	spin_unlock_irq(&t->lock, irq);
	mutex_unlock(&t->set_lock);
	return *out;
}

static ssize_t timerfd_read(struct file *f, struct uio *u, u64 *pos __unused)
{
	struct timerfd *t = f->data;
	u64 got;

	if (u->left < sizeof(got))
		return -EINVAL;
	while (!ticks_take(t, &got)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_intr(&t->wait, READ_ONCE(t->ticks)))
			return -ERESTARTSYS;
	}
	return uio_to(u, &got, sizeof(got)) == sizeof(got) ? (ssize_t)sizeof(got) : -EFAULT;
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->data;

	poll_wait(pt, &t->wait);
	return READ_ONCE(t->ticks) ? POLLIN | POLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->data;

	timer_cancel(&t->timer);
	kfree(t);
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
	.stream = true,
};

SYSCALL2(timerfd_create, clock, flags)
{
	struct timerfd *t;
	long fd;

	if ((u32)flags & ~(O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	if ((s32)clock != CLOCK_REALTIME && (s32)clock != CLOCK_MONOTONIC &&
	    (s32)clock != CLOCK_BOOTTIME)
		return -EINVAL;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	mutex_init(&t->set_lock, LOCK_FS_MISC, "timerfd set");
	spin_init(&t->lock, LOCK_LEAF_FS, "timerfd");
	waitq_init(&t->wait);
	timer_setup(&t->timer, timerfd_expired);
	t->clock = (int)clock;
	fd = anon_fd(&timerfd_ops, t, O_RDWR | ((u32)flags & (O_NONBLOCK | O_CLOEXEC)));
	if (fd < 0)
		kfree(t);
	return fd;
}

/* ---- setting ---- */

static struct timespec_k to_timespec(u64 ns)
{
	return (struct timespec_k){.sec = (s64)(ns / NSEC_PER_SEC),
				   .nsec = (s64)(ns % NSEC_PER_SEC)};
}

/* What timerfd_gettime shows. set_lock held. */
static void timer_show(struct timerfd *t, struct itimerspec_k *out)
{
	u64 now = time_now(), left = 0;

	catch_up(t);
	if (t->deadline && !READ_ONCE(t->expired))
		left = t->deadline > now ? t->deadline - now : 1;
	*out = (struct itimerspec_k){.interval = to_timespec(t->interval),
				     .value = to_timespec(left)};
}

static void timer_set(struct timerfd *t, u64 deadline, u64 interval)
{
	u64 irq;

	timer_cancel(&t->timer);
	irq = spin_lock_irq(&t->lock);
	t->deadline = deadline;
	t->interval = interval;
	t->ticks = 0;
	t->expired = false;
	spin_unlock_irq(&t->lock, irq);
	if (deadline)
		timer_arm(&t->timer, deadline);
}

static u64 deadline_of(const struct timerfd *t, const struct timespec_k *value, bool absolute)
{
	u64 ns = timespec_ns(value);

	if (!ns)
		return 0;
	if (!absolute)
		return time_deadline(ns);
	return t->clock == CLOCK_REALTIME ? time_deadline_realtime(ns) : ns;
}

/* The file of a timer's descriptor: held, or an error pointer. */
static struct file *timerfd_get(u64 fd)
{
	struct file *f = file_get(fd);

	if (!f)
		return ERR_PTR(-EBADF);
	if (f->ops == &timerfd_ops)
		return f;
	file_drop(f);
	return ERR_PTR(-EINVAL);
}

SYSCALL4(timerfd_settime, fd, flags, unew, uold)
{
	struct itimerspec_k new, old;
	struct timerfd *t;
	struct file *f;

	if (copy_from_user(&new, (const void __user *)unew, sizeof(new)))
		return -EFAULT;
	/* a clock that is set does not cancel timers: there is nobody to tell */
	if ((u32)flags & ~TFD_TIMER_ABSTIME || !timespec_valid(&new.value) ||
	    !timespec_valid(&new.interval))
		return -EINVAL;
	f = timerfd_get(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	t = f->data;
	mutex_lock(&t->set_lock);
	timer_show(t, &old);
	timer_set(t, deadline_of(t, &new.value, flags & TFD_TIMER_ABSTIME),
		  timespec_ns(&new.interval));
	mutex_unlock(&t->set_lock);
	file_drop(f);
	return uold ? copy_to_user((void __user *)uold, &old, sizeof(old)) : 0;
}

SYSCALL2(timerfd_gettime, fd, uout)
{
	struct file *f = timerfd_get(fd);
	struct itimerspec_k now;
	struct timerfd *t;

	if (IS_ERR(f))
		return PTR_ERR(f);
	t = f->data;
	mutex_lock(&t->set_lock);
	timer_show(t, &now);
	mutex_unlock(&t->set_lock);
	file_drop(f);
	return copy_to_user((void __user *)uout, &now, sizeof(now));
}
