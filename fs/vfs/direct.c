// SPDX-License-Identifier: BSD-2-Clause
/*
 * O_DIRECT: between the disk and the user's frames, without the page cache, and yet never against it.
 *
 *	read	v_lock shared	dirty pages of the range are written, then the disk is read
 *	write	v_lock excl.	pages that are there take the bytes the usual way and are written (pagecache.c, bdev.c);
 *				where none is, a BUSY one stands until the disk has the bytes: who wants to read them meanwhile waits for it
 *
 * A stretch of at most DIRECT_PIECES pieces is done at a time.  Its frames are held before anything is BUSY, so no fault waits for us.
 * A frame held for reading into keeps its contents only if its process does not fork meanwhile (open(2) says so).
 * Locks: VNODE, then what faults and pagers take; struct direct belongs to its thread.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/vm/vm.h"

#define DIRECT_PIECES 64u

struct direct {
	struct vnode *vn;
	u64 at, len;			     /* the stretch of the file */
	u32 n, cur, cur_off;		     /* pieces; where the next transfer begins in them */
	struct bio_vec piece[DIRECT_PIECES]; /* frames held */
	u32 npages;
	struct frame *page[DIRECT_PIECES]; /* BUSY ones in the cache, for a write */
};

bool file_can_be_direct(const struct file *f)
{
	const struct vnode *vn = is_type(f->vnode, S_IFBLK) ? f->data : f->vnode;

	if (f->flags & O_PATH || is_type(vn, S_IFIFO))
		return true;
	return vn->ops->direct || (vn->object && is_type(vn, S_IFREG));
}

int direct_check(const struct vnode *vn, const struct uio *u, u64 at)
{
	u64 bits = at, unit;
	u32 i;

	if (!vn->ops->direct)
		return 0;
	unit = vn->ops->direct->unit;
	for (i = u->cur; i < u->niov; i++)
		bits |= u->iov[i].base | u->iov[i].len;
	return bits & (unit - 1) ? -EINVAL : 0;
}

static struct direct *direct_new(struct vnode *vn)
{
	struct direct *d = kmalloc(sizeof(*d), 0);

	if (d)
		d->vn = vn;
	return d;
}

/* ---- the user's frames ---- */

static void put_pieces(struct direct *d, u32 from, bool written)
{
	for (u32 k = from; k < d->n; k++) {
		if (written)
			vm_page_dirty(d->piece[k].frame);
		vm_page_put(d->piece[k].frame);
	}
	d->n = from;
}

/* Holds the frames of the next bytes of u, at most max and what d has room for. -errno if there is not one. */
static int pin(struct direct *d, const struct uio *u, u64 max, bool write)
{
	u64 off = u->cur_off;

	d->n = d->cur = d->cur_off = 0;
	d->len = 0;
	for (u32 i = u->cur; i < u->niov && d->len < max; i++, off = 0) {
		const struct iovec_k *v = &u->iov[i];

		while (off < v->len && d->len < max) {
			u64 va = v->base + off, in_page = va & PAGE_MASK;
			u64 part = MIN(MIN(PAGE_SIZE - in_page, v->len - off), max - d->len);
			struct frame *f;
			int err;

			if (d->n == DIRECT_PIECES)
				return 0;
			err = vm_pin(current()->map, va, write, &f);
			if (err)
				return d->n ? 0 : err;
			d->piece[d->n++] = (struct bio_vec){f, (u32)in_page, (u32)part};
			d->len += part;
			off += part;
		}
	}
	return 0;
}

/* The stretch becomes that short. */
static void cut(struct direct *d, u64 len)
{
	u64 sum = 0;
	u32 k;

	for (k = 0; sum < len; k++) {
		d->piece[k].len = (u32)MIN((u64)d->piece[k].len, len - sum);
		sum += d->piece[k].len;
	}
	put_pieces(d, k, false);
	d->len = len;
}

/* ---- transfers ---- */

/* The next n bytes of the pieces: into the request, or zeroed. */
static void take(struct direct *d, u64 n, struct bio *b)
{
	while (n) {
		const struct bio_vec *p = &d->piece[d->cur];
		u32 part = (u32)MIN(n, (u64)p->len - d->cur_off), off = p->offset + d->cur_off;

		if (b)
			b->vecs[b->nvecs++] = (struct bio_vec){p->frame, off, part};
		else
			memset((u8 *)frame_va(p->frame) + off, 0, part);
		n -= part;
		d->cur_off += part;
		if (d->cur_off == p->len) {
			d->cur++;
			d->cur_off = 0;
		}
	}
}

static int transfer_extent(struct direct *d, const struct direct_extent *e, enum bio_op op)
{
	struct bio *b;
	int err;

	if (e->hole) {
		ASSERT(op == BIO_READ);
		take(d, e->len, NULL);
		return 0;
	}
	b = bio_alloc(d->n - d->cur, true);
	b->dev = e->dev;
	b->op = op;
	b->flags = BIO_SYNC;
	b->sector = e->sector;
	b->nvecs = 0;
	take(d, e->len, b);
	err = bio_wait(b);
	bio_free(b);
	return err;
}

/* Bytes of the stretch that were moved, or -errno. */
static ssize_t transfer(struct direct *d, enum bio_op op)
{
	struct direct_extent e;
	u64 done = 0;
	int err = 0;

	while (done < d->len) {
		err = d->vn->ops->direct->map(d->vn, d->at + done, d->len - done, &e);
		if (!err)
			err = transfer_extent(d, &e, op);
		if (err)
			break;
		done += e.len;
	}
	return done ? (ssize_t)done : err;
}

/* ---- reading ---- */

static ssize_t read_stretch(struct direct *d, struct uio *u, u64 at, u64 size)
{
	struct vm_object *o = d->vn->object;
	ssize_t n;
	int err;

	err = pin(d, u, MIN(u->left, ALIGN_UP(size - at, (u64)d->vn->ops->direct->unit)), true);
	if (err)
		return err;
	d->at = at;
	n = vm_object_clean(o, at >> PAGE_SHIFT, (at + d->len - 1) >> PAGE_SHIFT, true);
	if (!n)
		n = transfer(d, BIO_READ);
	put_pieces(d, 0, true);
	if (n > 0) {
		n = (ssize_t)MIN((u64)n, size - at);
		uio_skip(u, (size_t)n);
	}
	return n;
}

ssize_t direct_read(struct vnode *vn, struct uio *u, u64 *pos)
{
	struct direct *d = direct_new(vn);
	u64 at = *pos;
	ssize_t n = 0;

	if (!d)
		return -ENOMEM;
	rw_lock_read(&vn->v_lock);
	if (at < vn->object->size)
		n = direct_check(vn, u, at);
	while (n >= 0 && u->left && at < vn->object->size) {
		n = read_stretch(d, u, at, vn->object->size);
		if (n > 0)
			at += (u64)n;
	}
	rw_unlock_read(&vn->v_lock);
	kfree(d);
	if (at == *pos)
		return n;
	n = (ssize_t)(at - *pos);
	*pos = at;
	return n;
}

/* ---- writing ---- */

static void release_pages(struct direct *d)
{
	while (d->npages) {
		struct frame *f = d->page[--d->npages];

		vm_page_ready(f, false);
		vm_page_put(f);
	}
}

/* Keeps others off the pages of the stretch, as far as none of them is there: how much of it that is. */
static u64 keep_off(struct direct *d)
{
	u64 index = d->at >> PAGE_SHIFT, last = (d->at + d->len - 1) >> PAGE_SHIFT;
	struct frame *f;

	d->npages = 0;
	for (; index <= last && d->npages < DIRECT_PIECES; index++) {
		if (vm_page_get(d->vn->object, index,
				VMP_WRITE | VMP_RESERVED | VMP_NOFILL | VMP_BEYOND, NULL, &f))
			break;
		if ((READ_ONCE(f->flags) & (FR_BUSY | FR_VALID)) != FR_BUSY) {
			vm_page_put(f);
			break;
		}
		d->page[d->npages++] = f;
	}
	return MIN(d->at + d->len, index << PAGE_SHIFT) - d->at;
}

static ssize_t write_kept(struct direct *d)
{
	const struct direct_ops *ops = d->vn->ops->direct;
	u64 len = keep_off(d);
	ssize_t n = 0;

	if (len) {
		cut(d, len);
		n = transfer(d, BIO_WRITE);
		if (n > 0 && ops->written)
			ops->written(d->vn, d->at, (u64)n);
	}
	release_pages(d);
	return n;
}

static bool is_cached(struct vm_object *o, u64 index)
{
	struct frame *f;

	if (vm_page_get(o, index, VMP_NOWAIT | VMP_BEYOND, NULL, &f))
		return false;
	vm_page_put(f);
	return true;
}

static ssize_t write_stretch(struct direct *d, struct uio *u, u64 at, u64 max)
{
	struct vm_object *o = d->vn->object;
	u32 grain = d->vn->ops->direct->grain;
	ssize_t n = 0;

	if (pin(d, u, max, false))
		return 0;
	d->at = at;
	if (d->len < grain) {
		put_pieces(d, 0, false);
		return 0;
	}
	cut(d, ALIGN_DOWN(d->len, (u64)grain));
	if (o->ops->reserve)
		n = o->ops->reserve(o, at >> PAGE_SHIFT, d->len >> PAGE_SHIFT);
	n = n ? 0 : write_kept(d);
	put_pieces(d, 0, false);
	if (n > 0)
		uio_skip(u, (size_t)n);
	return n;
}

ssize_t direct_write(struct vnode *vn, struct uio *u, u64 at, u64 max)
{
	struct direct *d;
	ssize_t n;

	if (max < vn->ops->direct->grain || at & (vn->ops->direct->grain - 1) ||
	    is_cached(vn->object, at >> PAGE_SHIFT))
		return 0;
	d = direct_new(vn);
	if (!d)
		return 0;
	n = write_stretch(d, u, at, max);
	kfree(d);
	return n;
}

int direct_settle(struct vnode *vn, u64 from, u64 to)
{
	int err;

	if (from >= to)
		return 0;
	err = vm_object_clean(vn->object, from >> PAGE_SHIFT, (to - 1) >> PAGE_SHIFT, true);
	vm_object_evict(vn->object, from >> PAGE_SHIFT, (to - 1) >> PAGE_SHIFT);
	return err;
}
