// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pipes and fifos: a ring of page frames between readers and writers.
 *
 * `head` and `tail` count bytes written and read since the beginning; byte b lies in page (b / PAGE_SIZE) % npages.  A page is
 * allocated when the first byte enters it and freed when the last has left, but one is kept for the next writer.  A write of at most PIPE_BUF bytes is
 * atomic: it waits until all of it fits.
 *
 * Locks: lock (PIPE), held over user copies.  Readers sleep on `readable`, writers on `writable`.
 */
#include "fs/vfs/vfs_internal.h"

#define PIPE_BUF      PAGE_SIZE
#define PIPE_PAGES    16u
#define PIPE_MAX_SIZE (1u << 20)
#define FIONREAD      0x541b

/* Field markings and the corresponding locks:
 * (l) lock   (c) constant
 */
struct pipe {
	struct mutex lock;	/* (c) PIPE */
	struct waitq readable, writable; /* (c) */
	struct frame **pages;	/* (l) */
	u32 npages;		/* (l) a power of two */
	u64 head, tail;		/* (l) */
	struct frame *spare;	/* (l) */
	u32 readers, writers;	/* (l) open ends */
	u64 opened_r, opened_w;	/* (l) opens so far: a fifo's open waits for the other side to come, even if it goes again */
	u32 users;		/* (l) fifos: files open */
	struct waitq opening;	/* (c) */
};

static const struct file_ops pipe_ops;
static const struct vnode_ops pipe_vnode_ops;
static u64 next_ino = 1;	/* atomic */

void pipe_init(void)
{
}

static struct pipe *pipe_new(void)
{
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->pages = kzalloc(PIPE_PAGES * sizeof(*p->pages));
	if (!p->pages) {
		kfree(p);
		return NULL;
	}
	p->npages = PIPE_PAGES;
	mutex_init(&p->lock, LOCK_PIPE, "pipe");
	waitq_init(&p->readable);
	waitq_init(&p->writable);
	waitq_init(&p->opening);
	return p;
}

static void pipe_free(struct pipe *p)
{
	for (u32 i = 0; i < p->npages; i++)
		if (p->pages[i])
			frame_free(p->pages[i]);
	if (p->spare)
		frame_free(p->spare);
	kfree(p->pages);
	kfree(p);
}

static u64 pipe_used(const struct pipe *p)
{
	return p->head - p->tail;
}

static u64 pipe_room(const struct pipe *p)
{
	return (u64)p->npages * PAGE_SIZE - pipe_used(p);
}

static struct frame **page_of(struct pipe *p, u64 pos)
{
	return &p->pages[(pos >> PAGE_SHIFT) & (p->npages - 1)];
}

/* ---- reading ---- */

static void page_done(struct pipe *p, struct frame **slot)
{
	if (p->spare)
		frame_free(*slot);
	else
		p->spare = *slot;
	*slot = NULL;
}

/* Moves what is there, at most what is asked. -EFAULT only if nothing could be moved. */
static ssize_t take(struct pipe *p, struct uio *u)
{
	ssize_t done = 0;

	while (u->left && pipe_used(p)) {
		struct frame **slot = page_of(p, p->tail);
		size_t off = p->tail & PAGE_MASK, n = MIN(MIN(PAGE_SIZE - off, pipe_used(p)), u->left), moved;

		moved = uio_to(u, (u8 *)frame_va(*slot) + off, n);
		p->tail += moved;
		done += moved;
		if ((moved && !(p->tail & PAGE_MASK)) || !pipe_used(p)) {
			page_done(p, slot);
			if (!pipe_used(p))	/* empty: start at a page's beginning, so that a page's worth fits one page */
				p->head = p->tail = ALIGN_UP(p->tail, PAGE_SIZE);
		}
		if (moved < n)
			return done ? done : -EFAULT;
	}
	return done;
}

static ssize_t pipe_read(struct file *f, struct uio *u, u64 *pos __unused)
{
	struct pipe *p = f->data;
	ssize_t n;
	bool was_full;

	if (!u->left)
		return 0;
	mutex_lock(&p->lock);
	while (!pipe_used(p)) {
		int err;

		if (!p->writers) {
			mutex_unlock(&p->lock);
			return 0;
		}
		if (f->flags & O_NONBLOCK) {
			mutex_unlock(&p->lock);
			return -EAGAIN;
		}
		err = wait_event_mutex(&p->readable, &p->lock, pipe_used(p) || !p->writers, WAIT_INTR);
		if (err) {
			mutex_unlock(&p->lock);
			return -ERESTARTSYS;
		}
	}
	was_full = pipe_room(p) < PIPE_BUF;
	n = take(p, u);
	mutex_unlock(&p->lock);
	if (was_full || !waitq_empty(&p->writable))
		waitq_wake_all(&p->writable);
	return n;
}

/* ---- writing ---- */

static struct frame *fresh_page(struct pipe *p)
{
	struct frame *f = p->spare;

	p->spare = NULL;
	return f ? f : frame_alloc(0);
}

/* Moves as much as there is room for. */
static ssize_t put(struct pipe *p, struct uio *u)
{
	ssize_t done = 0;

	while (u->left && pipe_room(p)) {
		struct frame **slot = page_of(p, p->head);
		size_t off = p->head & PAGE_MASK, n = MIN(MIN(PAGE_SIZE - off, pipe_room(p)), u->left), moved;

		if (!*slot) {
			*slot = fresh_page(p);
			if (!*slot)
				return done ? done : -ENOMEM;
		}
		moved = uio_from(u, (u8 *)frame_va(*slot) + off, n);
		p->head += moved;
		done += moved;
		if (moved < n) {
			if (!moved && !off)
				page_done(p, slot);
			return done ? done : -EFAULT;
		}
	}
	return done;
}

static ssize_t broken(ssize_t done)
{
	if (!done && vfs_hooks.raise)
		vfs_hooks.raise(VFS_SIGPIPE);
	return done ? done : -EPIPE;
}

/* Room enough to go on: all of a small write, or any byte of a large one. */
static bool may_put(const struct pipe *p, u64 left, bool atomic)
{
	return pipe_room(p) >= (atomic ? left : 1);
}

static ssize_t pipe_write(struct file *f, struct uio *u, u64 *pos __unused)
{
	struct pipe *p = f->data;
	bool atomic = u->left <= PIPE_BUF;
	ssize_t done = 0, n = 0;

	if (!u->left)
		return 0;
	mutex_lock(&p->lock);
	while (u->left) {
		int err;

		if (!p->readers) {
			mutex_unlock(&p->lock);
			return broken(done);
		}
		if (may_put(p, u->left, atomic)) {
			n = put(p, u);
			if (n < 0)
				break;
			done += n;
			waitq_wake_all(&p->readable);
			continue;
		}
		if (f->flags & O_NONBLOCK) {
			n = -EAGAIN;
			break;
		}
		err = wait_event_mutex(&p->writable, &p->lock, may_put(p, u->left, atomic) || !p->readers, WAIT_INTR);
		if (err) {
			n = -ERESTARTSYS;
			break;
		}
	}
	mutex_unlock(&p->lock);
	return done ? done : n;
}

/* ---- the rest of the file ---- */

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->data;
	u32 ev = 0;

	if (f->may_read)
		poll_wait(pt, &p->readable);
	if (f->may_write)
		poll_wait(pt, &p->writable);
	mutex_lock(&p->lock);
	if (f->may_read) {
		if (pipe_used(p))
			ev |= POLLIN | POLLRDNORM;
		if (!p->writers && p->opened_w)
			ev |= POLLHUP;
	}
	if (f->may_write) {
		if (pipe_room(p) >= PIPE_BUF)
			ev |= POLLOUT | POLLWRNORM;
		if (!p->readers)
			ev |= POLLERR;
	}
	mutex_unlock(&p->lock);
	return ev;
}

static long pipe_ioctl(struct file *f, unsigned cmd, u64 arg)
{
	struct pipe *p = f->data;
	u64 n;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	n = pipe_used(p);
	mutex_unlock(&p->lock);
	return put_user_u32(n, (u32 __user *)arg);
}

static int resize(struct pipe *p, u32 npages)
{
	struct frame **pages = kzalloc(npages * sizeof(*pages));
	u64 first = p->tail >> PAGE_SHIFT, last = p->head ? (p->head - 1) >> PAGE_SHIFT : 0;

	if (!pages)
		return -ENOMEM;
	if (pipe_used(p) && last - first + 1 > npages) {
		kfree(pages);
		return -EBUSY;
	}
	for (u64 i = first; pipe_used(p) && i <= last; i++)
		pages[i & (npages - 1)] = p->pages[i & (p->npages - 1)];
	if (!pipe_used(p))
		for (u32 i = 0; i < p->npages; i++)
			if (p->pages[i])
				frame_free(p->pages[i]);
	kfree(p->pages);
	p->pages = pages;
	p->npages = npages;
	return 0;
}

long pipe_size(struct file *f, u64 set)
{
	struct pipe *p = f->data;
	u32 npages = 1;
	long ret = 0;

	if (f->ops != &pipe_ops)
		return -EBADF;
	mutex_lock(&p->lock);
	if (set) {
		const struct cred *c = vfs_current_cred();

		if (set > PIPE_MAX_SIZE && !(c && cred_has(c, CAP_SYS_RESOURCE_BIT)))
			ret = -EPERM;
		else if (set > 1UL << 31)
			ret = -EINVAL;
		while (!ret && (u64)npages * PAGE_SIZE < set)
			npages *= 2;
		if (!ret && npages != p->npages)
			ret = resize(p, npages);
	}
	if (!ret)
		ret = (long)p->npages * PAGE_SIZE;
	mutex_unlock(&p->lock);
	if (set && ret > 0)
		waitq_wake_all(&p->writable);
	return ret;
}

/* The end goes away; whoever waits for it on the other side learns of it. True: nobody uses the pipe any more. */
static bool leave(struct pipe *p, struct file *f)
{
	bool last;

	mutex_lock(&p->lock);
	if (f->may_read)
		p->readers--;
	if (f->may_write)
		p->writers--;
	last = --p->users == 0;
	mutex_unlock(&p->lock);
	waitq_wake_all(&p->readable);
	waitq_wake_all(&p->writable);
	return last;
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->data;
	struct vnode *vn = f->vnode;

	rw_lock_write(&vn->v_lock);
	if (leave(p, f)) {
		vn->pipe = NULL;
		pipe_free(p);
	}
	rw_unlock_write(&vn->v_lock);
}

static const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
	.stream = true,
};

/* ---- pipe(2) ---- */

static int pipe_getattr(struct vnode *vn, struct vattr *out)
{
	memset(out, 0, sizeof(*out));
	out->dev = vn->mount ? vn->mount->devno : 0;
	out->ino = vn->ino;
	out->mode = vn->mode;
	out->nlink = 1;
	out->blksize = PAGE_SIZE;
	out->atime = out->mtime = out->ctime = vfs_now();
	return 0;
}

static void pipe_vnode_free(struct vnode *vn)
{
	kfree(vn);
}

static const struct vnode_ops pipe_vnode_ops = { .getattr = pipe_getattr, .free = pipe_vnode_free };

static void enter(struct pipe *p, struct file *f)
{
	mutex_lock(&p->lock);
	p->users++;
	if (f->may_read) {
		p->readers++;
		p->opened_r++;
	}
	if (f->may_write) {
		p->writers++;
		p->opened_w++;
	}
	mutex_unlock(&p->lock);
	waitq_wake_all(&p->opening);
}

int pipe_create(struct file *out[2], u32 flags, const struct cred *cred)
{
	struct vnode *vn = kzalloc(sizeof(*vn));
	struct pipe *p = pipe_new();
	struct file *r = NULL, *w = NULL;

	if (!vn || !p)
		goto fail;
	vnode_init(vn, NULL, __atomic_fetch_add(&next_ino, 1, __ATOMIC_RELAXED), S_IFIFO | 0600, &pipe_vnode_ops, NULL, 0);
	r = file_alloc(vn, &pipe_ops, O_RDONLY | (flags & O_NONBLOCK), cred);
	w = file_alloc(vn, &pipe_ops, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), cred);
	if (!r || !w)
		goto fail_files;
	vn->pipe = p;
	r->data = w->data = p;
	enter(p, r);
	enter(p, w);
	vnode_drop(vn);
	out[0] = r;
	out[1] = w;
	return 0;
fail_files:
	/* release would leave a pipe that was never entered */
	if (r) {
		r->ops = &directory_file_ops;
		file_drop(r);
	}
	if (w) {
		w->ops = &directory_file_ops;
		file_drop(w);
	}
	pipe_free(p);
	vnode_drop(vn);
	return -ENOMEM;
fail:
	if (p)
		pipe_free(p);
	kfree(vn);
	return -ENOMEM;
}

/* ---- fifos ---- */

/* Waits for the other side, as open(2) of a fifo does. */
static int wait_other(struct pipe *p, struct file *f)
{
	u64 seen = f->may_read ? p->opened_w : p->opened_r;
	int err = 0;

	mutex_lock(&p->lock);
	if (f->may_read && !f->may_write && !p->writers && !(f->flags & O_NONBLOCK))
		err = wait_event_mutex(&p->opening, &p->lock, p->opened_w != seen, WAIT_INTR);
	else if (f->may_write && !f->may_read && !p->readers)
		err = f->flags & O_NONBLOCK ? -ENXIO :
					      wait_event_mutex(&p->opening, &p->lock, p->opened_r != seen, WAIT_INTR);
	mutex_unlock(&p->lock);
	return err == -EINTR ? -ERESTARTSYS : err;
}

int fifo_open(struct vnode *vn, struct file *f)
{
	struct pipe *p;
	int err;

	rw_lock_write(&vn->v_lock);
	p = vn->pipe;
	if (!p)
		p = vn->pipe = pipe_new();
	if (p) {
		f->data = p;
		enter(p, f);
	}
	rw_unlock_write(&vn->v_lock);
	if (!p)
		return -ENOMEM;
	err = wait_other(p, f);
	if (!err) {
		f->ops = &pipe_ops;
		return 0;
	}
	rw_lock_write(&vn->v_lock);
	if (leave(p, f)) {
		vn->pipe = NULL;
		pipe_free(p);
	}
	rw_unlock_write(&vn->v_lock);
	f->data = NULL;
	return err;
}
