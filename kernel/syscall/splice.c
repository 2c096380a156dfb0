// SPDX-License-Identifier: BSD-2-Clause
/*
 * splice, tee and vmsplice.  Bytes are copied through the page cache and the pipe's ring, one page of buffer at a time; nothing is
 * passed by reference, so SPLICE_F_MOVE and SPLICE_F_GIFT change nothing.
 */
#include "kernel/lib/errno.h"
#include "kernel/syscall/args.h"

#define SPLICE_MOVE	1u
#define SPLICE_NONBLOCK 2u
#define SPLICE_MORE	4u
#define SPLICE_GIFT	8u
#define SPLICE_ALL	15u

/* One side of a transfer.  at: where, for files that have positions; NULL: its own position, or a stream. */
struct side {
	struct file *f;
	u64 pos, *at;
};

/* What moves now without waiting longer than needed: at most len bytes from in to out through buf; bytes, 0 at the end, or -errno. */
static ssize_t move_some(struct side *in, struct side *out, void *buf, size_t len)
{
	struct iovec_k iov;
	struct uio u;
	ssize_t got, put, done = 0;

	uio_init_kernel(&u, &iov, buf, len);
	got = file_read(in->f, &u, in->at);
	while (done < got) {
		uio_init_kernel(&u, &iov, (char *)buf + done, (size_t)(got - done));
		put = file_write(out->f, &u, out->at);
		if (put <= 0)
			return done ? done : put;
		done += put;
	}
	return got < 0 ? got : done;
}

/* A pipe that is to give up at most what the other side can take is asked first: bytes that were read cannot be put back. */
static ssize_t ready_bytes(struct side *in, struct side *out, bool nonblock)
{
	ssize_t room = PAGE_SIZE, there = PAGE_SIZE;

	if (file_is_pipe(out->f)) {
		room = pipe_wait_room(out->f, nonblock || (out->f->flags & O_NONBLOCK));
		if (room < 0)
			return room;
	}
	if (file_is_pipe(in->f)) {
		there = pipe_wait_bytes(in->f, nonblock || (in->f->flags & O_NONBLOCK));
		if (there <= 0)
			return there;
	}
	return MIN(MIN(room, there), (ssize_t)PAGE_SIZE);
}

static ssize_t splice_run(struct side *in, struct side *out, u64 len, u32 flags)
{
	bool nonblock = flags & SPLICE_NONBLOCK;
	void *buf = kmalloc(PAGE_SIZE, 0);
	ssize_t done = 0, n = 0;

	if (!buf)
		return -ENOMEM;
	while (len) {
		/* once something has moved, it does not wait for more */
		n = ready_bytes(in, out, nonblock || done);
		if (n <= 0)
			break;
		n = move_some(in, out, buf, MIN((u64)n, len));
		if (n <= 0)
			break;
		done += n;
		len -= (u64)n;
		if (signal_deliverable(current_task()))
			break;
	}
	kfree(buf);
	return done ? done : n;
}

static int splice_check(const struct file *in, const struct file *out, bool in_off, bool out_off)
{
	bool in_pipe = file_is_pipe(in), out_pipe = file_is_pipe(out);

	if (!in->may_read || !out->may_write)
		return -EBADF;
	if (!in_pipe && !out_pipe)
		return -EINVAL;
	if ((in_pipe && in_off) || (out_pipe && out_off))
		return -ESPIPE;
	if ((in_off && in->ops->stream) || (out_off && out->ops->stream))
		return -EINVAL;
	if (in->vnode == out->vnode && in_pipe && out_pipe)
		return -EINVAL;
	if (!out_pipe && (out->flags & O_APPEND))
		return -EINVAL;
	return (in->vnode->mode & S_IFMT) == S_IFDIR ? -EINVAL : 0;
}

SYSCALL6(splice, in_fd, uioff, out_fd, uooff, len, flags)
{
	struct side in = {0}, out = {0};
	ssize_t n;

	if ((u32)flags & ~SPLICE_ALL)
		return -EINVAL;
	if ((uioff && get_user_u64(&in.pos, (u64 __user *)uioff)) ||
	    (uooff && get_user_u64(&out.pos, (u64 __user *)uooff)))
		return -EFAULT;
	in.at = uioff ? &in.pos : NULL;
	out.at = uooff ? &out.pos : NULL;
	in.f = file_get(in_fd);
	out.f = file_get(out_fd);
	n = in.f && out.f ? splice_check(in.f, out.f, uioff, uooff) : -EBADF;
	if (!n && ((s64)in.pos < 0 || (s64)out.pos < 0))
		n = -EINVAL;
	if (!n)
		n = splice_run(&in, &out, MIN(len, MAX_RW_COUNT), (u32)flags);
	if (n > 0 && ((uioff && put_user_u64(in.pos, (u64 __user *)uioff)) ||
		      (uooff && put_user_u64(out.pos, (u64 __user *)uooff))))
		n = -EFAULT;
	if (in.f)
		file_drop(in.f);
	if (out.f)
		file_drop(out.f);
	return n == -EINTR ? -ERESTARTSYS : n;
}

SYSCALL4(tee, in_fd, out_fd, len, flags)
{
	struct file *in, *out;
	ssize_t n = -EBADF;

	if ((u32)flags & ~SPLICE_ALL)
		return -EINVAL;
	in = file_get(in_fd);
	out = file_get(out_fd);
	if (in && out && in->may_read && out->may_write)
		n = file_is_pipe(in) && file_is_pipe(out) && in->vnode != out->vnode
			    ? pipe_tee(in, out, MIN(len, MAX_RW_COUNT), flags & SPLICE_NONBLOCK)
			    : -EINVAL;
	if (in)
		file_drop(in);
	if (out)
		file_drop(out);
	return n;
}

/* Waits for room or bytes, then moves what goes at once. */
static ssize_t vmsplice_move(struct file *f, struct uio *u, bool nonblock)
{
	ssize_t n;

	if (!u->left)
		return 0;
	nonblock |= f->flags & O_NONBLOCK;
	n = f->may_write ? pipe_wait_room(f, nonblock) : pipe_wait_bytes(f, nonblock);
	if (n <= 0)
		return n;
	u->left = MIN(u->left, (u64)n);
	return f->may_write ? file_write(f, u, NULL) : file_read(f, u, NULL);
}

/* Into the pipe from user memory, or out of it. */
SYSCALL4(vmsplice, fd, uvec, count, flags)
{
	struct user_iov v;
	struct file *f;
	ssize_t n;

	if ((u32)flags & ~SPLICE_ALL)
		return -EINVAL;
	f = file_get(fd);
	if (!f)
		return -EBADF;
	n = file_is_pipe(f) ? user_iov_get(&v, uvec, count) : -EBADF;
	if (!n) {
		n = vmsplice_move(f, &v.uio, flags & SPLICE_NONBLOCK);
		user_iov_put(&v);
	}
	file_drop(f);
	return n;
}
