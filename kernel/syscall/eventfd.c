// SPDX-License-Identifier: BSD-2-Clause
/*
 * eventfd(2): a counter that can be waited for.
 *
 * Lock: struct eventfd's lock (LEAF_FS) guards the count; it is not held while sleeping or touching user memory.
 */

#include "kernel/syscall/anon.h"

#define EFD_SEMAPHORE 1u
#define COUNT_MAX     (UINT64_MAX - 1)

/* Field markings and the corresponding locks:
 * (c) constant   (l) lock
 */
struct eventfd {
	struct spinlock lock; /* (c) LEAF_FS */
	u64 count;	      /* (l) */
	struct waitq wait;    /* (c) whoever waits for a change of count */
	bool semaphore;	      /* (c) reads take one, not all */
};

/* Takes from the count: false when it is 0. */
static bool count_take(struct eventfd *e, u64 *out)
{
	spin_lock(&e->lock);
	*out = e->semaphore && e->count ? 1 : e->count;
	e->count -= *out;
	spin_unlock(&e->lock);
	return *out;
}

static bool count_add(struct eventfd *e, u64 n)
{
	bool fits;

	spin_lock(&e->lock);
	fits = n <= COUNT_MAX - e->count;
	if (fits)
		e->count += n;
	spin_unlock(&e->lock);
	return fits;
}

static ssize_t eventfd_read(struct file *f, struct uio *u, u64 *pos __unused)
{
	struct eventfd *e = f->data;
	u64 got = 0;
	bool taken;

	if (u->left < sizeof(got))
		return -EINVAL;
	taken = count_take(e, &got);
	if (!taken) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		/* the condition is evaluated more than once: what was taken stays so */
		if (wait_event_intr(&e->wait, (taken = taken || count_take(e, &got))))
			return -ERESTARTSYS;
	}
	waitq_wake_all(&e->wait);
	return uio_to(u, &got, sizeof(got)) == sizeof(got) ? (ssize_t)sizeof(got) : -EFAULT;
}

static ssize_t eventfd_write(struct file *f, struct uio *u, u64 *pos __unused)
{
	struct eventfd *e = f->data;
	bool added;
	u64 n;

	if (u->left < sizeof(n))
		return -EINVAL;
	if (uio_from(u, &n, sizeof(n)) != sizeof(n))
		return -EFAULT;
	if (n == UINT64_MAX)
		return -EINVAL;
	added = count_add(e, n);
	if (!added) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_intr(&e->wait, (added = added || count_add(e, n))))
			return -ERESTARTSYS;
	}
	waitq_wake_all(&e->wait);
	return sizeof(n);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->data;
	u64 count;

	poll_wait(pt, &e->wait);
	count = READ_ONCE(e->count);
	return (count ? POLLIN | POLLRDNORM : 0) | (count < COUNT_MAX ? POLLOUT | POLLWRNORM : 0);
}

static void eventfd_release(struct file *f)
{
	kfree(f->data);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.stream = true,
};

SYSCALL2(eventfd2, count, flags)
{
	struct eventfd *e;
	long fd;

	if ((u32)flags & ~(EFD_SEMAPHORE | O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	e = kzalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	spin_init(&e->lock, LOCK_LEAF_FS, "eventfd");
	waitq_init(&e->wait);
	e->count = (u32)count;
	e->semaphore = flags & EFD_SEMAPHORE;
	fd = anon_fd(&eventfd_ops, e, O_RDWR | ((u32)flags & (O_NONBLOCK | O_CLOEXEC)));
	if (fd < 0)
		kfree(e);
	return fd;
}
