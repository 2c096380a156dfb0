// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pipes and fifos.  A pipe is a ring of bytes laid over frames:
 *
 *	position p lies in frames[p / PAGE_SIZE % nframes] at p % PAGE_SIZE;   head <= tail <= head + capacity
 *
 * head and tail only grow.  A frame exists while a byte lies in it; the last one given up stays as a spare, so that small messages
 * allocate nothing.  A write of at most PIPE_BUF bytes happens whole or waits; a longer one goes in as room appears.
 *
 * Locks: `lock` (PIPE, sleeping) guards the ring and the counts, and is held while bytes are copied from and to the user: a fault takes
 * only locks that come after it.  v_lock guards vn->pipe and `files` of fifos.
 */
#include "fs/vfs/vfs_internal.h"

#define PIPE_BUF	  4096u
#define PIPE_FRAMES	  16u
#define PIPE_LIMIT_FRAMES (1u << 19)

/* Field markings and the corresponding locks:
 * (l) lock   (c) constant   (v) v_lock of the fifo
 */
struct pipe {
	struct mutex lock; /* (c) PIPE */
	struct waitq rd,
		wr; /* (c) readers wait for bytes, writers for room; both for the other end of a fifo */
	u64 head, tail;	       /* (l) */
	u32 nframes;	       /* (l) power of two */
	struct frame **frames; /* (l) */
	struct frame *spare;   /* (l) */
	u32 readers, writers;  /* (l) open ends */
	u64 readers_ever,
		writers_ever; /* (l) opens so far: whoever waits in open sees a short visit too */
	u32 files;	      /* (v) of a fifo */
	u32 uid;	      /* (c) whom nframes are charged to */
};

/* An anonymous pipe's vnode.
 * Field markings and the corresponding locks:
 * (c) constant
 */
struct pipe_vnode {
	struct vnode vn;	/* (c) */
	struct timespec64 born; /* (c) */
	u32 uid, gid;		/* (c) */
};

static struct kmem_cache *pipe_cache, *vnode_cache;
static u64 next_ino; /* (a) */
static u64 pipe_devno;

static const struct file_ops pipe_file_ops;

void pipe_init(void)
{
	pipe_cache = kmem_cache_create("pipe", sizeof(struct pipe), KM_LINE);
	vnode_cache = kmem_cache_create("pipe_vnode", sizeof(struct pipe_vnode), KM_LINE);
	ASSERT(pipe_cache && vnode_cache);
	pipe_devno = anon_mount->devno;
}

/* ---- the ring ---- */

static inline u64 capacity(const struct pipe *p)
{
	return (u64)p->nframes * PAGE_SIZE;
}
static inline u64 used(const struct pipe *p)
{
	return p->tail - p->head;
}
static inline u64 room(const struct pipe *p)
{
	return capacity(p) - used(p);
}
static inline struct frame **slot(struct pipe *p, u64 pos)
{
	return &p->frames[pos >> PAGE_SHIFT & (p->nframes - 1)];
}

static struct pipe *pipe_alloc(const struct cred *cred)
{
	struct pipe *p = kmem_cache_alloc(pipe_cache, KM_ZERO);

	if (!p)
		return NULL;
	p->uid = cred ? cred->uid : 0;
	p->nframes = pipe_charge_new(cred, PIPE_FRAMES);
	p->frames = p->nframes ? kzalloc(p->nframes * sizeof(*p->frames)) : NULL;
	if (!p->frames) {
		if (p->nframes)
			pipe_recharge(p->uid, p->nframes, 0);
		kmem_cache_free(pipe_cache, p);
		return NULL;
	}
	mutex_init(&p->lock, LOCK_PIPE, "pipe");
	waitq_init(&p->rd);
	waitq_init(&p->wr);
	return p;
}

static void pipe_free(struct pipe *p)
{
	for (u32 i = 0; i < p->nframes; i++) {
		if (p->frames[i])
			frame_free(p->frames[i]);
	}
	if (p->spare)
		frame_free(p->spare);
	kfree(p->frames);
	pipe_recharge(p->uid, p->nframes, 0);
	kmem_cache_free(pipe_cache, p);
}

/* The frame for position tail, made if there is none. */
static struct frame *tail_frame(struct pipe *p)
{
	struct frame **s = slot(p, p->tail);

	if (!*s) {
		*s = p->spare ? p->spare : frame_alloc(0);
		p->spare = NULL;
	}
	return *s;
}

static void give_up(struct pipe *p, struct frame **s)
{
	struct frame *f = *s;

	*s = NULL;
	if (!p->spare)
		p->spare = f;
	else
		frame_free(f);
}

/* head has moved from `from`: frames without a byte left are given up. */
static void advance_head(struct pipe *p, u64 n)
{
	struct frame **s = slot(p, p->head);
	bool page_done = (p->head + n) >> PAGE_SHIFT != p->head >> PAGE_SHIFT;

	p->head += n;
	/* a full ring's tail may lie in the first bytes of the same frame */
	if (p->head == p->tail) {
		if (*s)
			give_up(p, s);
		p->head = p->tail = ALIGN_UP(p->tail, PAGE_SIZE);
	} else if (page_done && slot(p, p->tail) != s) {
		give_up(p, s);
	} else if (page_done && (p->tail & PAGE_MASK) == 0) {
		give_up(p, s);
	}
}

/* Moves what is there to the user, up to the uio's end. Bytes, or -EFAULT. */
static ssize_t ring_read(struct pipe *p, struct uio *u)
{
	ssize_t done = 0;

	while (u->left && used(p)) {
		u64 off = p->head & PAGE_MASK;
		size_t n = MIN(MIN(PAGE_SIZE - off, used(p)), u->left), got;

		got = uio_to(u, (char *)frame_va(*slot(p, p->head)) + off, n);
		if (got)
			advance_head(p, got);
		done += (ssize_t)got;
		if (got < n)
			return done ? done : -EFAULT;
	}
	return done;
}

/* Moves at most n bytes, for which there is room, into the ring. */
static ssize_t ring_write(struct pipe *p, struct uio *u, u64 n)
{
	ssize_t done = 0;

	while (n) {
		u64 off = p->tail & PAGE_MASK;
		size_t part = MIN(PAGE_SIZE - off, n), got;
		struct frame *f = tail_frame(p);

		if (!f)
			return done ? done : -ENOMEM;
		got = uio_from(u, (char *)frame_va(f) + off, part);
		p->tail += got;
		done += (ssize_t)got;
		n -= got;
		if (got < part) {
			if (!off && !got) /* made for nothing */
				give_up(p, slot(p, p->tail));
			return done ? done : -EFAULT;
		}
	}
	return done;
}

/* ---- read and write ---- */

static struct pipe *pipe_of(struct file *f)
{
	return f->data;
}

static ssize_t pipe_read(struct file *f, struct uio *u, u64 *pos __unused)
{
	struct pipe *p = pipe_of(f);
	ssize_t n = 0;
	bool was_full;
	int err;

	if (!u->left)
		return 0;
	mutex_lock(&p->lock);
	while (!used(p)) {
		if (!p->writers)
			goto out;
		n = -EAGAIN;
		if (f->flags & O_NONBLOCK)
			goto out;
		err = wait_event_mutex(&p->rd, &p->lock, used(p) || !p->writers, WAIT_INTR);
		n = err ? -ERESTARTSYS : 0;
		if (err)
			goto out;
	}
	was_full = room(p) < PIPE_BUF;
	n = ring_read(p, u);
	if (was_full && n > 0)
		waitq_wake_all(&p->wr);
out:
	mutex_unlock(&p->lock);
	return n;
}

/* Room for the next piece: all of a short write, anything of a long one. */
static bool has_room(const struct pipe *p, u64 n)
{
	return room(p) >= (n <= PIPE_BUF ? n : 1);
}

static ssize_t write_locked(struct file *f, struct pipe *p, struct uio *u) REQUIRES(p->lock)
{
	bool atomic = u->left <= PIPE_BUF;
	ssize_t done = 0, n;
	int err;

	while (u->left) {
		u64 want = atomic ? u->left : PIPE_BUF + 1;

		if (!p->readers)
			return done ? done : -EPIPE;
		if (!has_room(p, want)) {
			if (f->flags & O_NONBLOCK)
				return done ? done : -EAGAIN;
			err = wait_event_mutex(&p->wr, &p->lock, has_room(p, want) || !p->readers,
					       WAIT_INTR);
			if (err)
				return done ? done : -ERESTARTSYS;
			continue;
		}
		bool was_empty = !used(p);

		n = ring_write(p, u, MIN(u->left, room(p)));
		if (n > 0 && was_empty)
			waitq_wake_all(&p->rd);
		if (n < 0)
			return done ? done : n;
		done += n;
	}
	return done;
}

static ssize_t pipe_write(struct file *f, struct uio *u, u64 *pos __unused)
{
	struct pipe *p = pipe_of(f);
	ssize_t n;

	if (!u->left)
		return 0;
	mutex_lock(&p->lock);
	n = write_locked(f, p, u);
	mutex_unlock(&p->lock);
	if (n == -EPIPE && vfs_hooks.raise)
		vfs_hooks.raise(VFS_SIGPIPE);
	return n;
}

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = pipe_of(f);
	u32 events = 0;

	if (f->may_read)
		poll_wait(pt, &p->rd);
	if (f->may_write)
		poll_wait(pt, &p->wr);
	mutex_lock(&p->lock);
	if (f->may_read) {
		if (used(p))
			events |= POLLIN | POLLRDNORM;
		if (!p->writers && p->writers_ever)
			events |= POLLHUP;
	}
	if (f->may_write) {
		if (room(p) >= PIPE_BUF)
			events |= POLLOUT | POLLWRNORM;
		if (!p->readers)
			events |= POLLERR;
	}
	mutex_unlock(&p->lock);
	return events;
}

#define FIONREAD 0x541bu

static long pipe_ioctl(struct file *f, unsigned cmd, u64 arg)
{
	struct pipe *p = pipe_of(f);
	u64 n;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	n = used(p);
	mutex_unlock(&p->lock);
	return put_user_u32((u32)n, (u32 __user *)arg);
}

/* Another ring with the same bytes from its start on. */
static int resize_locked(struct pipe *p, u32 nframes)
{
	struct frame **new = kzalloc(nframes * sizeof(*new)), **old = p->frames;
	u32 old_n = p->nframes, need = (u32)DIV_ROUND_UP(used(p), PAGE_SIZE), i;
	u64 head = p->head, n = used(p), at = 0;

	if (!new)
		return -ENOMEM;
	for (i = 0; i < need; i++) {
		new[i] = frame_alloc(0);
		if (!new[i])
			goto fail;
	}
	while (at < n) {
		u64 from = head + at;
		size_t part = MIN(MIN(PAGE_SIZE - (from & PAGE_MASK), PAGE_SIZE - (at & PAGE_MASK)),
				  n - at);

		memcpy((char *)frame_va(new[at >> PAGE_SHIFT]) + (at & PAGE_MASK),
		       (char *)frame_va(old[from >> PAGE_SHIFT & (old_n - 1)]) + (from & PAGE_MASK),
		       part);
		at += part;
	}
	for (i = 0; i < old_n; i++) {
		if (old[i])
			frame_free(old[i]);
	}
	kfree(old);
	p->frames = new;
	p->nframes = nframes;
	p->head = 0;
	p->tail = n;
	return 0;
fail:
	while (i--)
		frame_free(new[i]);
	kfree(new);
	return -ENOMEM;
}

static int recharge_locked(struct pipe *p, u32 nframes)
{
	u32 old = p->nframes;
	int err = nframes > old ? pipe_recharge(p->uid, old, nframes) : 0;

	if (err)
		return err;
	err = resize_locked(p, nframes);
	if (err && nframes > old)
		pipe_recharge(p->uid, nframes, old);
	if (!err && nframes < old)
		pipe_recharge(p->uid, old, nframes);
	return err;
}

static u32 frames_for(u64 bytes)
{
	u32 n = 1;

	while ((u64)n * PAGE_SIZE < bytes)
		n *= 2;
	return n;
}

long pipe_size(struct file *f, u64 set)
{
	struct pipe *p;
	long r = 0;
	u32 n;

	if (f->ops != &pipe_file_ops)
		return -EBADF;
	p = pipe_of(f);
	if (set > (u64)PIPE_LIMIT_FRAMES * PAGE_SIZE)
		return -EINVAL;
	n = frames_for(set);
	mutex_lock(&p->lock);
	if (set && n > p->nframes && (u64)n * PAGE_SIZE > READ_ONCE(pipe_limits.size) &&
	    !cred_has(vfs_current_cred(), CAP_SYS_RESOURCE_BIT))
		r = -EPERM;
	else if (set && used(p) > (u64)n * PAGE_SIZE)
		r = -EBUSY;
	else if (set && n != p->nframes)
		r = recharge_locked(p, n);
	if (!r)
		r = (long)capacity(p);
	if (set && r > 0)
		waitq_wake_all(&p->wr);
	mutex_unlock(&p->lock);
	return r;
}

/* ---- splice and tee ---- */

bool file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_file_ops;
}

ssize_t pipe_wait_bytes(struct file *f, bool nonblock)
{
	struct pipe *p = pipe_of(f);
	ssize_t n;
	int err = 0;

	mutex_lock(&p->lock);
	if (!used(p) && p->writers && !nonblock)
		err = wait_event_mutex(&p->rd, &p->lock, used(p) || !p->writers, WAIT_INTR);
	n = err ? -ERESTARTSYS : used(p) || !p->writers ? (ssize_t)used(p) : -EAGAIN;
	mutex_unlock(&p->lock);
	return n;
}

ssize_t pipe_wait_room(struct file *f, bool nonblock)
{
	struct pipe *p = pipe_of(f);
	ssize_t n;
	int err = 0;

	mutex_lock(&p->lock);
	if (!room(p) && p->readers && !nonblock)
		err = wait_event_mutex(&p->wr, &p->lock, room(p) || !p->readers, WAIT_INTR);
	n = err ? -ERESTARTSYS : !p->readers ? -EPIPE : room(p) ? (ssize_t)room(p) : -EAGAIN;
	mutex_unlock(&p->lock);
	if (n == -EPIPE && vfs_hooks.raise)
		vfs_hooks.raise(VFS_SIGPIPE);
	return n;
}

/* Bytes copied from one ring to another, both locked. */
static ssize_t ring_copy(struct pipe *from, struct pipe *to, u64 len)
{
	u64 pos = from->head, end = from->head + MIN(len, MIN(used(from), room(to)));
	struct iovec_k iov;
	struct uio u;

	while (pos < end) {
		u64 off = pos & PAGE_MASK, n = MIN(PAGE_SIZE - off, end - pos);
		ssize_t got;

		uio_init_kernel(&u, &iov, (char *)frame_va(*slot(from, pos)) + off, n);
		got = ring_write(to, &u, n);
		if (got <= 0)
			return pos > from->head ? (ssize_t)(pos - from->head) : got;
		pos += (u64)got;
	}
	return (ssize_t)(pos - from->head);
}

static NO_TS void lock_both(struct pipe *a, struct pipe *b)
{
	if (a > b) {
		struct pipe *t = a;

		a = b;
		b = t;
	}
	mutex_lock(&a->lock);
	mutex_lock_same(&b->lock);
}

NO_TS ssize_t pipe_tee(struct file *in, struct file *out, u64 len, bool nonblock)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);
	ssize_t n;

	if (!len)
		return 0;
	for (;;) {
		n = pipe_wait_bytes(in, nonblock);
		if (n > 0)
			n = pipe_wait_room(out, nonblock);
		if (n <= 0)
			return n;
		lock_both(from, to);
		n = to->readers ? ring_copy(from, to, len) : -EPIPE;
		if (n > 0)
			waitq_wake_all(&to->rd);
		mutex_unlock(&from->lock);
		mutex_unlock(&to->lock);
		if (n)
			return n;
	}
}

/* ---- opening and closing ---- */

/* An end is closed: the other side must notice. */
static void close_end(struct pipe *p, struct file *f)
{
	mutex_lock(&p->lock);
	if (f->may_read)
		p->readers--;
	if (f->may_write)
		p->writers--;
	waitq_wake_all(&p->rd);
	waitq_wake_all(&p->wr);
	mutex_unlock(&p->lock);
}

static void count_end(struct pipe *p, const struct file *f)
{
	if (f->may_read) {
		p->readers++;
		p->readers_ever++;
	}
	if (f->may_write) {
		p->writers++;
		p->writers_ever++;
	}
}

static void put_fifo(struct vnode *vn, struct pipe *p)
{
	bool last;

	rw_lock_write(&vn->v_lock);
	last = --p->files == 0;
	if (last)
		vn->pipe = NULL;
	rw_unlock_write(&vn->v_lock);
	if (last)
		pipe_free(p);
}

static void pipe_release(struct file *f)
{
	struct pipe *p = pipe_of(f);

	close_end(p, f);
	put_fifo(f->vnode, p);
}

static const struct file_ops pipe_file_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.ioctl = pipe_ioctl,
	.poll = pipe_poll,
	.release = pipe_release,
	.stream = true,
};

static struct pipe *get_fifo(struct vnode *vn)
{
	struct pipe *fresh = pipe_alloc(vfs_current_cred()), *p;

	if (!fresh)
		return NULL;
	rw_lock_write(&vn->v_lock);
	p = vn->pipe;
	if (!p)
		vn->pipe = p = fresh;
	p->files++;
	rw_unlock_write(&vn->v_lock);
	if (p != fresh)
		pipe_free(fresh);
	return p;
}

/* Waits for the other end. Lock held; the own end is counted already. */
static int wait_partner(struct pipe *p, const struct file *f) REQUIRES(p->lock)
{
	u64 seen;
	int err = 0;

	if (f->may_read && f->may_write)
		return 0;
	if (f->may_read) {
		seen = p->writers_ever;
		if (!p->writers && !(f->flags & O_NONBLOCK))
			err = wait_event_mutex(&p->rd, &p->lock, p->writers_ever != seen,
					       WAIT_INTR);
	} else {
		seen = p->readers_ever;
		if (!p->readers && (f->flags & O_NONBLOCK))
			return -ENXIO;
		if (!p->readers)
			err = wait_event_mutex(&p->wr, &p->lock, p->readers_ever != seen,
					       WAIT_INTR);
	}
	return err ? -ERESTARTSYS : 0;
}

int fifo_open(struct vnode *vn, struct file *f)
{
	struct pipe *p;
	int err;

	if (!f->may_read && !f->may_write)
		return -EINVAL;
	p = get_fifo(vn);
	if (!p)
		return -ENOMEM;
	mutex_lock(&p->lock);
	count_end(p, f);
	waitq_wake_all(&p->rd);
	waitq_wake_all(&p->wr);
	err = wait_partner(p, f);
	mutex_unlock(&p->lock);
	if (err) {
		close_end(p, f);
		put_fifo(vn, p);
		return err;
	}
	f->data = p;
	f->ops = &pipe_file_ops;
	return 0;
}

/* ---- anonymous pipes ---- */

static int pipe_getattr(struct vnode *vn, struct vattr *out)
{
	struct pipe_vnode *pv = container_of(vn, struct pipe_vnode, vn);

	out->dev = pipe_devno;
	out->ino = vn->ino;
	out->mode = vn->mode;
	out->nlink = 1;
	out->uid = pv->uid;
	out->gid = pv->gid;
	out->blksize = PAGE_SIZE;
	out->atime = out->mtime = out->ctime = out->btime = pv->born;
	return 0;
}

static void pipe_vnode_free(struct vnode *vn)
{
	kmem_cache_free(vnode_cache, container_of(vn, struct pipe_vnode, vn));
}

static const struct vnode_ops pipe_vnode_ops = {
	.getattr = pipe_getattr,
	.free = pipe_vnode_free,
};

static struct vnode *pipe_vnode_create(const struct cred *cred)
{
	struct pipe_vnode *pv = kmem_cache_alloc(vnode_cache, KM_ZERO);

	if (!pv)
		return NULL;
	vnode_init(&pv->vn, NULL, __atomic_add_fetch(&next_ino, 1, __ATOMIC_RELAXED),
		   S_IFIFO | 0600, &pipe_vnode_ops, NULL, 0);
	pv->born = vfs_now();
	pv->uid = cred ? cred->fsuid : 0;
	pv->gid = cred ? cred->fsgid : 0;
	return &pv->vn;
}

static void attach(struct file *f, struct pipe *p)
{
	f->data = p;
	p->files++;
	count_end(p, f);
}

int pipe_create(struct file *out[2], u32 flags, const struct cred *cred)
{
	struct vnode *vn = pipe_vnode_create(cred);
	struct pipe *p = vn ? pipe_alloc(cred) : NULL;

	if (!p) {
		vnode_drop(vn);
		return vn ? -ENFILE : -ENOMEM;
	}
	out[0] = file_alloc(vn, NULL, O_RDONLY | flags, cred);
	out[1] = out[0] ? file_alloc(vn, NULL, O_WRONLY | flags, cred) : NULL;
	vnode_drop(out[0] ? vn : NULL);
	if (!out[1]) {
		if (out[0])
			file_drop(out[0]);
		else
			vnode_drop(vn);
		pipe_free(p);
		return -ENOMEM;
	}
	vn->pipe = p;
	for (int i = 0; i < 2; i++) {
		attach(out[i], p);
		out[i]->ops = &pipe_file_ops;
	}
	return 0;
}
