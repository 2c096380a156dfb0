// SPDX-License-Identifier: BSD-2-Clause
/*
 * Moving bytes through descriptors: read and write in all forms, lseek, sendfile, copy_file_range, getdents64.
 * Owns nothing; a file is held for the length of the call.  Positions are guarded by fs/vfs (FILE_POS).
 */

#include "kernel/syscall/args.h"

#define RWF_HIPRI  1u
#define RWF_DSYNC  2u
#define RWF_SYNC   4u
#define RWF_NOWAIT 8u

typedef ssize_t (*rw_fn)(struct file *f, struct uio *u, u64 *pos);

/* The errors of a transfer's interruption: a call that has moved nothing starts again after the signal. */
static long rw_result(ssize_t n)
{
	return n == -EINTR ? -ERESTARTSYS : n;
}

static bool may_transfer(const struct file *f, rw_fn fn)
{
	return fn == file_read ? f->may_read : f->may_write;
}

/* ---- read, write: one buffer ---- */

static inline long rw_one(u64 fd, u64 buf, u64 len, u64 *pos, rw_fn fn)
{
	struct file *f = file_get_any(fd);
	struct user_iov v;
	ssize_t n = -EBADF;

	if (unlikely(!f))
		return -EBADF;
	if (likely(may_transfer(f, fn))) {
		n = pos && f->ops->stream ? -ESPIPE : user_iov_one(&v, buf, len);
		if (likely(n == 0))
			n = fn(f, &v.uio, pos);
	}
	file_drop(f);
	return rw_result(n);
}

SYSCALL3(read, fd, buf, len)
{
	return rw_one(fd, buf, len, NULL, file_read);
}

SYSCALL3(write, fd, buf, len)
{
	return rw_one(fd, buf, len, NULL, file_write);
}

SYSCALL4(pread64, fd, buf, len, pos)
{
	return (s64)pos < 0 ? -EINVAL : rw_one(fd, buf, len, &pos, file_read);
}

SYSCALL4(pwrite64, fd, buf, len, pos)
{
	return (s64)pos < 0 ? -EINVAL : rw_one(fd, buf, len, &pos, file_write);
}

/* ---- vectors ---- */

static long rw_vector(struct file *f, u64 uvec, u64 count, u64 *pos, rw_fn fn)
{
	struct user_iov v;
	ssize_t n;

	if (!may_transfer(f, fn))
		return -EBADF;
	if (pos && f->ops->stream)
		return -ESPIPE;
	n = user_iov_get(&v, uvec, count);
	if (n)
		return n;
	if (v.uio.left)
		n = fn(f, &v.uio, pos);
	user_iov_put(&v);
	return rw_result(n);
}

static long rw_vector_fd(u64 fd, u64 uvec, u64 count, u64 *pos, rw_fn fn)
{
	struct file *f = file_get_any(fd);
	long n;

	if (!f)
		return -EBADF;
	n = rw_vector(f, uvec, count, pos, fn);
	file_drop(f);
	return n;
}

SYSCALL3(readv, fd, vec, count)
{
	return rw_vector_fd(fd, vec, count, NULL, file_read);
}

SYSCALL3(writev, fd, vec, count)
{
	return rw_vector_fd(fd, vec, count, NULL, file_write);
}

SYSCALL4(preadv, fd, vec, count, pos)
{
	return (s64)pos < 0 ? -EINVAL : rw_vector_fd(fd, vec, count, &pos, file_read);
}

SYSCALL4(pwritev, fd, vec, count, pos)
{
	return (s64)pos < 0 ? -EINVAL : rw_vector_fd(fd, vec, count, &pos, file_write);
}

/* How many bytes from pos on are in the page cache now: -EAGAIN for none, 0 at the end, -EOPNOTSUPP for what has none. */
static ssize_t cached_bytes(struct file *f, u64 pos, u64 len)
{
	struct vm_object *o = f->vnode->object;
	u64 at = pos, end;
	struct frame *fr;

	if ((f->vnode->mode & S_IFMT) != S_IFREG || !o)
		return -EOPNOTSUPP;
	end = MIN(pos + len, READ_ONCE(o->size));
	if (pos >= end)
		return 0;
	while (at < end && !vm_page_get(o, at >> PAGE_SHIFT, VMP_NOWAIT, NULL, &fr)) {
		vm_page_put(fr);
		at = (at | PAGE_MASK) + 1;
	}
	return at == pos ? -EAGAIN : (ssize_t)(MIN(at, end) - pos);
}

/* file_read of what needs no waiting. */
static ssize_t read_nowait(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t n = cached_bytes(f, pos ? *pos : READ_ONCE(f->pos), u->left);

	if (n <= 0 && f->may_read)
		return n;
	u->left = MIN(u->left, (u64)n);
	return file_read(f, u, pos);
}

/* The high half of the position (a4) is shifted out on 64-bit. */
SYSCALL6(preadv2, fd, vec, count, pos, high __unused, flags)
{
	bool own = (s64)pos == -1;

	if (flags & ~(u64)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT))
		return -EOPNOTSUPP;
	if ((s64)pos < -1)
		return -EINVAL;
	return rw_vector_fd(fd, vec, count, own ? NULL : &pos,
			    flags & RWF_NOWAIT ? read_nowait : file_read);
}

SYSCALL6(pwritev2, fd, vec, count, pos, high __unused, flags)
{
	bool own = (s64)pos == -1;
	struct file *f;
	long n;
	int err;

	if (flags & ~(u64)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC))
		return -EOPNOTSUPP;
	if ((s64)pos < -1)
		return -EINVAL;
	f = file_get_any(fd);
	if (!f)
		return -EBADF;
	n = rw_vector(f, vec, count, own ? NULL : &pos, file_write);
	if (n > 0 && (flags & (RWF_DSYNC | RWF_SYNC))) {
		err = file_fsync(f, !(flags & RWF_SYNC));
		n = err ? err : n;
	}
	file_drop(f);
	return n;
}

SYSCALL3(lseek, fd, off, whence)
{
	struct file *f = file_get(fd);
	s64 pos;

	if (!f)
		return -EBADF;
	pos = whence > 4 ? -EINVAL : file_lseek(f, (s64)off, (int)whence);
	file_drop(f);
	return pos;
}

/* ---- from file to file ---- */

#define COPY_CHUNK (16 * KiB)

/* What moves bytes between two files: where, and how much is left. */
struct copy {
	struct file *in, *out;
	u64 in_pos;
	u64 *out_pos; /* NULL: out's own */
	u64 left;
	char *bounce; /* COPY_CHUNK bytes, for sources without pages */
};

static ssize_t copy_write(struct copy *c, void *buf, size_t n)
{
	struct iovec_k iov;
	struct uio u;

	uio_init_kernel(&u, &iov, buf, n);
	return file_write(c->out, &u, c->out_pos);
}

/* At most a page, straight from the page cache: bytes written, 0 at the end. */
static ssize_t copy_page(struct copy *c)
{
	struct vm_object *o = c->in->vnode->object;
	u64 off = c->in_pos & PAGE_MASK;
	u64 size = READ_ONCE(o->size);
	struct frame *f;
	ssize_t n;
	int err;

	if (c->in_pos >= size)
		return 0;
	err = vm_page_get(o, c->in_pos >> PAGE_SHIFT, 0, &c->in->ra, &f);
	if (err)
		return err == -ENXIO ? 0 : err;
	n = (ssize_t)MIN(MIN(c->left, PAGE_SIZE - off), size - c->in_pos);
	n = copy_write(c, (char *)frame_va(f) + off, (size_t)n);
	vm_page_put(f);
	return n;
}

static ssize_t copy_bounce(struct copy *c)
{
	ssize_t n = file_read_kernel(c->in, c->bounce, MIN(c->left, COPY_CHUNK), c->in_pos);

	return n > 0 ? copy_write(c, c->bounce, (size_t)n) : n;
}

/* Bytes moved, or -errno if none was. */
static ssize_t copy_run(struct copy *c)
{
	bool pages = c->in->vnode->object && c->in->ops == &pagecache_file_ops;
	u64 done = 0;
	ssize_t n = 0;

	c->bounce = NULL;
	if (!pages) {
		c->bounce = kmalloc(COPY_CHUNK, 0);
		if (!c->bounce)
			return -ENOMEM;
	}
	while (c->left) {
		n = pages ? copy_page(c) : copy_bounce(c);
		if (n <= 0)
			break;
		ASSERT((u64)n <= c->left);
		c->in_pos += (u64)n;
		c->left -= (u64)n;
		done += (u64)n;
		if (signal_deliverable(current_task()))
			break;
	}
	kfree(c->bounce);
	return done ? (ssize_t)done : n;
}

static int sendfile_check(const struct file *in, const struct file *out, bool has_off)
{
	if (!in->may_read || !out->may_write)
		return -EBADF;
	if (in->ops->stream)
		return has_off ? -ESPIPE : -EINVAL;
	if ((in->vnode->mode & S_IFMT) == S_IFDIR || (out->flags & O_APPEND))
		return -EINVAL;
	return 0;
}

/* Moves from `in` at its own position or *off; advances whichever it was. */
static ssize_t sendfile_move(struct file *in, struct file *out, u64 *off, u64 count)
{
	struct copy c = {.in = in, .out = out, .left = MIN(count, MAX_RW_COUNT)};
	s64 pos = off ? (s64)*off : file_lseek(in, 0, 1);
	ssize_t n;

	if (pos < 0)
		return off ? -EINVAL : pos;
	c.in_pos = (u64)pos;
	n = copy_run(&c);
	if (n > 0 && off)
		*off = c.in_pos;
	else if (n > 0)
		file_lseek(in, (s64)c.in_pos, 0);
	return n;
}

SYSCALL4(sendfile, out_fd, in_fd, uoff, count)
{
	struct file *in, *out;
	u64 off = 0;
	ssize_t n;

	if (uoff && get_user_u64(&off, (u64 __user *)uoff))
		return -EFAULT;
	in = file_get(in_fd);
	out = file_get(out_fd);
	n = in && out ? sendfile_check(in, out, uoff) : -EBADF;
	if (!n)
		n = (s64)count < 0 ? -EINVAL : sendfile_move(in, out, uoff ? &off : NULL, count);
	if (n >= 0 && uoff && put_user_u64(off, (u64 __user *)uoff))
		n = -EFAULT;
	if (in)
		file_drop(in);
	if (out)
		file_drop(out);
	return rw_result(n);
}

static bool overlap(u64 a, u64 b, u64 len)
{
	return a < b ? b - a < len : a - b < len;
}

static int copy_range_check(const struct file *in, const struct file *out)
{
	u32 it = in->vnode->mode & S_IFMT, ot = out->vnode->mode & S_IFMT;

	if (it == S_IFDIR || ot == S_IFDIR)
		return -EISDIR;
	if (it != S_IFREG || ot != S_IFREG)
		return -EINVAL;
	if (!in->may_read || !out->may_write || (out->flags & O_APPEND))
		return -EBADF;
	return 0;
}

static ssize_t copy_range(struct file *in, struct file *out, u64 *ioff, u64 *ooff, u64 len)
{
	s64 ipos = ioff ? (s64)*ioff : file_lseek(in, 0, 1);
	s64 opos = ooff ? (s64)*ooff : file_lseek(out, 0, 1);
	struct copy c = {.in = in, .out = out, .left = MIN(len, MAX_RW_COUNT)};
	u64 to;
	ssize_t n;

	if (ipos < 0 || opos < 0)
		return -EINVAL;
	if ((u64)ipos + len < len || (u64)opos + len < len)
		return -EOVERFLOW;
	if ((s64)((u64)opos + c.left) < 0)
		return -EFBIG;
	if (in->vnode == out->vnode && overlap((u64)ipos, (u64)opos, c.left))
		return -EINVAL;
	c.in_pos = (u64)ipos;
	to = (u64)opos;
	c.out_pos = &to;
	n = copy_run(&c);
	if (n <= 0)
		return n;
	if (ioff)
		*ioff = c.in_pos;
	else
		file_lseek(in, (s64)c.in_pos, 0);
	if (ooff)
		*ooff = (u64)opos + (u64)n;
	else
		file_lseek(out, opos + n, 0);
	return n;
}

SYSCALL6(copy_file_range, in_fd, uioff, out_fd, uooff, len, flags)
{
	struct file *in, *out;
	u64 ioff = 0, ooff = 0;
	ssize_t n;

	if ((uioff && get_user_u64(&ioff, (u64 __user *)uioff)) ||
	    (uooff && get_user_u64(&ooff, (u64 __user *)uooff)))
		return -EFAULT;
	in = file_get(in_fd);
	out = file_get(out_fd);
	n = !in || !out ? -EBADF : flags ? -EINVAL : copy_range_check(in, out);
	if (!n && len)
		n = copy_range(in, out, uioff ? &ioff : NULL, uooff ? &ooff : NULL, len);
	if (n > 0 && ((uioff && put_user_u64(ioff, (u64 __user *)uioff)) ||
		      (uooff && put_user_u64(ooff, (u64 __user *)uooff))))
		n = -EFAULT;
	if (in)
		file_drop(in);
	if (out)
		file_drop(out);
	return rw_result(n);
}

/* ---- directories ---- */

struct dirent_k { /* linux_dirent64 */
	u64 ino;
	s64 next;
	u16 reclen;
	u8 type;
	char name[];
};
#define DIRENT_HEAD offsetof(struct dirent_k, name)

struct dirent_buf {
	char *buf;
	size_t len, size;
	bool refused; /* an entry did not fit */
};

static bool dirent_put(void *arg, const char *name, size_t len, u64 ino, unsigned type, u64 next)
{
	struct dirent_buf *b = arg;
	size_t reclen = ALIGN_UP(DIRENT_HEAD + len + 1, 8UL);
	struct dirent_k *d = (struct dirent_k *)(b->buf + b->len);

	if (reclen > b->size - b->len) {
		b->refused = true;
		return false;
	}
	memset((char *)d + reclen - 8, 0, 8);
	d->ino = ino;
	d->next = (s64)next;
	d->reclen = (u16)reclen;
	d->type = (u8)type;
	memcpy(d->name, name, len);
	d->name[len] = 0;
	b->len += reclen;
	return true;
}

static long getdents(struct file *f, u64 ubuf, struct dirent_buf *b)
{
	s64 before = file_lseek(f, 0, 1);
	int err = file_readdir(f, dirent_put, b);

	if (err && !b->len)
		return err;
	if (!b->len)
		return b->refused ? -EINVAL : 0;
	if (copy_to_user((void __user *)ubuf, b->buf, b->len)) {
		file_lseek(f, before, 0); /* nothing was read */
		return -EFAULT;
	}
	return (long)b->len;
}

SYSCALL3(getdents64, fd, ubuf, size)
{
	struct file *f = file_get(fd);
	struct dirent_buf b = {.size = MIN((u64)(u32)size, 8 * KiB)};
	long n = -ENOTDIR;

	if (!f)
		return -EBADF;
	if ((f->vnode->mode & S_IFMT) == S_IFDIR) {
		b.buf = kmalloc(MAX(b.size, 8UL), 0);
		n = b.buf ? getdents(f, ubuf, &b) : -ENOMEM;
		kfree(b.buf);
	}
	file_drop(f);
	return n;
}
