// SPDX-License-Identifier: BSD-2-Clause
/*
 * read, write and mmap of files whose contents live in a vnode's object.
 *
 * Reading takes no lock: each page is held while bytes go from the frame straight to the user, and that copy may fault, as nobody waits
 * for a held page.  Writing holds v_lock exclusive.  A page that is there (or was read) is only held too.  A page that the write
 * makes anew is BUSY until its contents are complete, and a fault on it would wait for us; so that copy must not fault:
 *
 *	1. make the page BUSY, zero what lies around the range, copy without faults
 *	2. all copied: the page is ready
 *	3. short: throw the page away, fault the user's bytes in (nothing is BUSY now), go to 1
 *	4. short three times: read the page (or make it zero) and copy into it while it is only held
 *
 * Locks: VNODE, then what faults and pagers take.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/vm/vm.h"

#define RESERVE_BATCH 64u /* pages reserved at a time */
#define THROTTLE_MASK 63u /* every so many pages the writer is asked to wait if too much is dirty */
#define NOFAULT_TRIES 3u

static void touch_once(struct file *f)
{
	f->accessed = !vfs_atime_is_strict(f->vnode->mount);
	if (!(f->flags & O_NOATIME))
		vfs_touch_atime(f->vnode);
}

/* Past the cache; what has no such way, or kernel memory, goes through it. */
static bool is_direct(const struct file *f, const struct uio *u)
{
	return (READ_ONCE(f->flags) & O_DIRECT) && f->vnode->ops->direct && !u->kernel;
}

/* The next pages to read, at least one: how many, all held, or -errno. */
static ssize_t get_pages(struct vm_object *o, u64 index, u64 last, struct vm_readahead *ra,
			 struct frame **out)
{
	size_t n = 0;
	int err;

	if (last > index)
		n = vm_page_get_run(o, index, MIN(last - index + 1, (u64)VM_PAGE_RUN), ra, out);
	if (n)
		return (ssize_t)n;
	err = vm_page_get(o, index, 0, ra, out);
	return err ? err : 1;
}

/* Copies from the pages to the user up to byte `end` of the file, and puts them. Bytes; fewer after a fault. */
static u64 copy_pages(struct uio *u, struct frame **pages, size_t n, u64 at, u64 end)
{
	u64 start = at;
	size_t i;

	for (i = 0; i < n; i++) {
		u64 off = at & PAGE_MASK, part = MIN(PAGE_SIZE - off, end - at), got;

		got = uio_to(u, (char *)frame_va(pages[i]) + off, part);
		vm_page_put(pages[i]);
		at += got;
		if (unlikely(got < part))
			break;
	}
	while (unlikely(++i < n))
		vm_page_put(pages[i]);
	return at - start;
}

static ssize_t pagecache_read(struct file *f, struct uio *u, u64 *pos)
{
	struct vm_object *o = f->vnode->object;
	struct frame *pages[VM_PAGE_RUN];
	u64 at = *pos;
	ssize_t n = 0;

	if (unlikely(!f->accessed && u->left))
		touch_once(f);
	if (unlikely(is_direct(f, u)))
		return direct_read(f->vnode, u, pos);
	vm_readahead_call(&f->ra, at, u->left);
	while (u->left) {
		u64 size = READ_ONCE(o->size), end, got;

		if (at >= size)
			break;
		end = at + MIN(u->left, size - at);
		n = get_pages(o, at >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT, &f->ra, pages);
		if (unlikely(n < 0)) {
			if (n == -ENXIO)
				n = 0; /* truncated meanwhile */
			break;
		}
		end = MIN(end, ALIGN_DOWN(at, PAGE_SIZE) + (u64)n * PAGE_SIZE);
		got = copy_pages(u, pages, (size_t)n, at, end);
		at += got;
		n = 0;
		if (unlikely(at < end)) {
			n = -EFAULT;
			break;
		}
	}
	if (at == *pos)
		return n;
	at -= *pos;
	*pos += at;
	return (ssize_t)at;
}

/* ---- writing ---- */

/* One write under way; v_lock of vn is held exclusive. */
struct write {
	struct vnode *vn;
	struct vm_object *o;
	struct uio *u;
	u64 at;		  /* where the next byte goes */
	u64 reserved_end; /* pages below this index have backing store */
	bool direct;	  /* past the cache where that is possible */
};

/* Does the new page's every byte come from this write, or is it zero because no file is there? */
static bool overwrites(const struct write *w, u64 off, size_t n)
{
	u64 size = w->o->size, start = w->at - off;

	return start >= size || (off == 0 && (n == PAGE_SIZE || w->at + n >= size));
}

static unsigned page_flags(const struct write *w)
{
	return VMP_WRITE | VMP_BEYOND | (w->at >> PAGE_SHIFT < w->reserved_end ? VMP_RESERVED : 0);
}

static bool owned_busy(const struct frame *f)
{
	return (READ_ONCE(f->flags) & (FR_BUSY | FR_VALID)) == FR_BUSY;
}

static void extend(struct write *w, u64 end)
{
	if (end <= w->o->size)
		return;
	vm_object_extend(w->o, end);
	if (w->o == &w->vn->obj)
		vnode_mark_attr_dirty(w->vn);
}

static void page_written(struct write *w, struct frame *f, size_t n)
{
	/* the size first: a clean in between would leave out what lies beyond it */
	w->at += n;
	extend(w, w->at);
	vm_page_dirty(f);
}

/* Steps 1 to 3 for a page that is new. Bytes written, or -errno; 0: the user's bytes were not there, try again. */
static ssize_t fill_new_page(struct write *w, struct frame *f, u64 off, size_t n)
{
	char *va = frame_va(f);
	size_t got;

	if (off)
		memset(va, 0, off);
	if (off + n < PAGE_SIZE)
		memset(va + off + n, 0, PAGE_SIZE - off - n);
	got = uio_from_nofault(w->u, va + off, n);
	if (likely(got == n)) {
		vm_page_ready(f, true);
		page_written(w, f, n);
		return (ssize_t)n;
	}
	/* give the bytes back: the uio goes over them again */
	uio_rewind(w->u, got);
	vm_page_ready(f, false);
	return 0;
}

/* Step 4, and every page that is there: held only, so the copy may fault. */
static ssize_t fill_held_page(struct write *w, struct frame *f, u64 off, size_t n)
{
	u64 size = w->o->size;
	size_t got;

	/* others may clean this page meanwhile, and what lies beyond the end is zeroed then: the end moves before the bytes */
	extend(w, w->at + n);
	got = uio_from(w->u, (char *)frame_va(f) + off, n);
	if (unlikely(got < n && w->at + n > size))
		vm_object_set_size(w->o, got ? MAX(size, w->at + got) : size);
	if (got)
		page_written(w, f, got);
	return got ? (ssize_t)got : -EFAULT;
}

static ssize_t write_page(struct write *w)
{
	u64 off = w->at & PAGE_MASK;
	size_t n = MIN(PAGE_SIZE - off, w->u->left);

	for (unsigned tries = 0;; tries++) {
		bool fresh = overwrites(w, off, n) && tries < NOFAULT_TRIES;
		struct frame *f;
		ssize_t r;
		int err;

		err = vm_page_get(w->o, w->at >> PAGE_SHIFT,
				  page_flags(w) | (fresh ? VMP_NOFILL : 0), NULL, &f);
		if (unlikely(err))
			return err;
		if (owned_busy(f) && tries < NOFAULT_TRIES) {
			r = fill_new_page(w, f, off, n);
		} else {
			if (owned_busy(f)) { /* beyond the end: there is nothing to read */
				memset(frame_va(f), 0, PAGE_SIZE);
				vm_page_ready(f, true);
			}
			r = fill_held_page(w, f, off, n);
		}
		vm_page_put(f);
		if (likely(r))
			return r;
		if (uio_fault_in(w->u, n, false))
			return -EFAULT;
	}
}

/* Backing store for several pages at once; when that fails, page by page until it really is full. */
static void reserve_ahead(struct write *w)
{
	u64 first = w->at >> PAGE_SHIFT, n;

	if (!w->o->ops->reserve || first < w->reserved_end)
		return;
	n = MIN(DIV_ROUND_UP((w->at & PAGE_MASK) + w->u->left, PAGE_SIZE), (u64)RESERVE_BATCH);
	if (n > 1 && !w->o->ops->reserve(w->o, first, n))
		w->reserved_end = first + n;
}

/* mtime and ctime, in coarse steps. */
int vnode_stamp(struct vnode *vn)
{
	u64 tick = vfs_coarse_tick();
	struct vattr a = {0};

	if (vn->time_tick == tick || !vn->ops->setattr)
		return 0;
	vn->time_tick = tick;
	a.mtime = a.ctime = vfs_now();
	return vn->ops->setattr(vn, &a, ATTR_MTIME | ATTR_CTIME);
}

void vnode_stamp_stored(struct vnode *vn)
{
	if (!vn->object || !__atomic_exchange_n(&vn->object->stored, 0, __ATOMIC_RELAXED))
		return;
	rw_lock_write(&vn->v_lock);
	vn->time_tick = 0;
	(void)vnode_stamp(vn);
	rw_unlock_write(&vn->v_lock);
}

/* How much may be written at pos: bytes, or -EFBIG. */
static ssize_t allowed(u64 pos, u64 n)
{
	u64 limit = vfs_hooks.fsize_limit ? vfs_hooks.fsize_limit() : ~0UL;

	if (likely(limit == ~0UL))
		return (s64)(pos + n) < 0 ? -EFBIG : (ssize_t)n;
	if (pos >= limit) {
		vfs_hooks.raise(VFS_SIGXFSZ);
		return -EFBIG;
	}
	return (ssize_t)MIN(n, limit - pos);
}

/* The next bytes: bytes or -errno. */
static ssize_t write_some(struct write *w)
{
	ssize_t n = w->direct ? direct_write(w->vn, w->u, w->at, w->u->left) : 0;

	if (likely(!n)) {
		reserve_ahead(w);
		return write_page(w);
	}
	if (n > 0) {
		w->at += (u64)n;
		extend(w, w->at);
	}
	return n;
}

/* Writes up to max bytes with the lock held. */
static ssize_t write_locked(struct write *w, u64 max)
{
	u64 start = w->at, whole = w->u->left;
	ssize_t r = 0;

	/* the limit cuts the uio short for the time being */
	w->u->left = MIN(whole, max);
	whole -= w->u->left;
	while (w->u->left) {
		r = write_some(w);
		if (unlikely(r < 0))
			break;
		/* with v_lock held: write-back does not need it */
		if ((w->at & PAGE_MASK) == 0 && (w->at >> PAGE_SHIFT & THROTTLE_MASK) == 0) {
			writeback_throttle(THROTTLE_MASK + 1);
			if (unlikely(writeback_hopeless(w->vn->mount)))
				break;
		}
	}
	w->u->left += whole;
	if (unlikely(w->direct) && w->at > start) {
		int err = direct_settle(w->vn, start, w->at);

		if (err)
			return err;
	}
	return w->at > start ? (ssize_t)(w->at - start) : r;
}

ssize_t pagecache_write_if(struct file *f, struct uio *u, u64 *pos,
			   ssize_t (*may)(struct vnode *vn, u64 at, u64 n))
{
	struct vnode *vn = f->vnode;
	struct write w = {.vn = vn, .o = vn->object, .u = u, .direct = is_direct(f, u)};
	int err = mount_want_write(vn);
	ssize_t n;

	if (!err && unlikely(writeback_hopeless(vn->mount)))
		err = -EIO;
	if (err || !u->left)
		return err;
	rw_lock_write(&vn->v_lock);
	w.at = f->flags & O_APPEND ? vn->object->size : *pos;
	n = allowed(w.at, u->left);
	if (unlikely(w.direct) && n > 0 && direct_check(vn, u, w.at))
		n = -EINVAL;
	if (may && n > 0)
		n = may(vn, w.at, (u64)n);
	if (likely(n > 0)) {
		err = vfs_clear_suid(vn);
		if (!err)
			err = vnode_stamp(vn);
		if (w.at > vn->object->size)
			vm_object_clear_tail(vn->object);
		n = err ? err : write_locked(&w, (u64)n);
	}
	rw_unlock_write(&vn->v_lock);
	if (n > 0) {
		*pos = w.at;
		writeback_throttle(1);
	}
	return n;
}

ssize_t pagecache_write(struct file *f, struct uio *u, u64 *pos)
{
	return pagecache_write_if(f, u, pos, NULL);
}

/* ---- mapping ---- */

static int pagecache_mmap(struct file *f, struct vm_object **o, u32 *max_prot)
{
	struct mount *m = f->vnode->mount;

	if (!f->may_read)
		return -EACCES;
	*max_prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	if (!f->may_write)
		*max_prot &= ~(u32)PROT_WRITE;
	if (m && (READ_ONCE(m->flags) & MS_NOEXEC))
		*max_prot &= ~(u32)PROT_EXEC;
	*o = f->vnode->object;
	vm_object_hold(*o);
	return 0;
}

const struct file_ops pagecache_file_ops = {
	.read = pagecache_read,
	.write = pagecache_write,
	.mmap = pagecache_mmap,
};
