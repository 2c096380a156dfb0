// SPDX-License-Identifier: BSD-2-Clause
/*
 * Descriptor tables: an array of files that grows, with bitmaps of the numbers in use and of those to be closed by exec.
 *
 * A second-level bitmap has a bit for each full word of the first, so the lowest free number is found in O(n / 4096) steps.  Lookups take the table's
 * spin lock for a few instructions and hold the file.  A number may be reserved before there is a file (fd_get does not find it then).
 *
 * Locks: lock (FILES).  Files are dropped after it is released.
 */
#include "fs/vfs/vfs_internal.h"

#define FD_FIRST 64
#define FD_MOST	 (1u << 20)

/* Field markings and the corresponding locks:
 * (l) lock   (a) atomic   (c) constant
 */
struct fdtable {
	struct spinlock lock;	/* (c) FILES */
	u32 refs;		/* (a) */
	u32 size;		/* (l) slots, a multiple of 64 */
	struct file **files;	/* (l) NULL: free, or reserved */
	u64 *used;		/* (l) */
	u64 *cloexec;		/* (l) */
	u64 *full;		/* (l) a bit for each word of used that is ~0 */
};

void fdtable_init(void)
{
}

/* One allocation holds the four arrays. */
static size_t arrays_size(u32 size)
{
	return size * sizeof(struct file *) + size / 64 * 16 + DIV_ROUND_UP(size / 64, 64) * 8;
}

static void arrays_set(struct fdtable *t, void *p, u32 size)
{
	t->files = p;
	t->used = (u64 *)(t->files + size);
	t->cloexec = t->used + size / 64;
	t->full = t->cloexec + size / 64;
	t->size = size;
}

static struct fdtable *table_new(u32 size)
{
	struct fdtable *t = kzalloc(sizeof(*t));
	void *p = kzalloc(arrays_size(size));

	if (!t || !p) {
		kfree(t);
		kfree(p);
		return NULL;
	}
	spin_init(&t->lock, LOCK_FILES, "fdtable");
	t->refs = 1;
	arrays_set(t, p, size);
	return t;
}

struct fdtable *fdtable_create(void)
{
	return table_new(FD_FIRST);
}

void fdtable_hold(struct fdtable *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
}

/* The number of slots that holds every descriptor in use; locked. */
static u32 slots_needed(const struct fdtable *t)
{
	u32 w = t->size / 64;

	while (w > FD_FIRST / 64 && !t->used[w - 1])
		w--;
	return w * 64;
}

static void copy_into(struct fdtable *n, const struct fdtable *t, u32 size)
{
	for (u32 w = 0; w < size / 64; w++) {
		for (u64 left = t->used[w]; left; left &= left - 1) {
			u32 fd = w * 64 + __builtin_ctzl(left);

			if (!t->files[fd])
				continue;	/* reserved by another thread: not ours to inherit */
			n->files[fd] = t->files[fd];
			file_hold(n->files[fd]);
			n->used[w] |= 1UL << (fd & 63);
			n->cloexec[w] |= t->cloexec[w] & (1UL << (fd & 63));
		}
		if (n->used[w] == ~0UL)
			n->full[w / 64] |= 1UL << (w & 63);
	}
}

struct fdtable *fdtable_copy(struct fdtable *t)
{
	struct fdtable *n;
	u32 size;

	for (;;) {
		spin_lock(&t->lock);
		size = slots_needed(t);
		spin_unlock(&t->lock);
		n = table_new(size);
		if (!n)
			return NULL;
		spin_lock(&t->lock);
		if (slots_needed(t) <= size)
			break;
		spin_unlock(&t->lock);
		fdtable_drop(n);
	}
	copy_into(n, t, size);
	spin_unlock(&t->lock);
	return n;
}

void fdtable_drop(struct fdtable *t)
{
	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (u32 fd = 0; fd < t->size; fd++)
		if (t->files[fd]) {
			flock_owner_closed(t->files[fd], t);
			file_drop(t->files[fd]);
		}
	kfree(t->files);
	kfree(t);
}

/* ---- numbers; locked ---- */

static void mark(struct fdtable *t, u32 fd, bool cloexec)
{
	u64 bit = 1UL << (fd & 63);

	t->used[fd / 64] |= bit;
	if (cloexec)
		t->cloexec[fd / 64] |= bit;
	else
		t->cloexec[fd / 64] &= ~bit;
	if (t->used[fd / 64] == ~0UL)
		t->full[fd / 4096] |= 1UL << (fd / 64 & 63);
}

static void unmark(struct fdtable *t, u32 fd)
{
	t->used[fd / 64] &= ~(1UL << (fd & 63));
	t->cloexec[fd / 64] &= ~(1UL << (fd & 63));
	t->full[fd / 4096] &= ~(1UL << (fd / 64 & 63));
}

/* The lowest free number >= min; may be t->size or more: then the table must grow. */
static u32 lowest_free(const struct fdtable *t, u32 min)
{
	u32 w = min / 64, words = t->size / 64;
	u64 free;

	if (min >= t->size)
		return min;
	free = ~t->used[w] & (~0UL << (min & 63));
	while (!free) {
		u64 open;

		w++;
		open = w < words ? ~t->full[w / 64] & (~0UL << (w & 63)) : 0;
		while (!open && ALIGN_DOWN(w, 64) + 64 < words) {
			w = ALIGN_DOWN(w, 64) + 64;
			open = ~t->full[w / 64];
		}
		if (!open)
			return t->size;
		w = ALIGN_DOWN(w, 64) + __builtin_ctzl(open);
		if (w >= words)
			return t->size;
		free = ~t->used[w];
	}
	return w * 64 + __builtin_ctzl(free);
}

/* Makes room for fd; the lock is dropped meanwhile. 0 or -ENOMEM. */
static int grow(struct fdtable *t, u32 fd)
{
	u32 size = t->size, old;
	struct file **gone;
	void *p;

	while (size <= fd)
		size *= 2;
	spin_unlock(&t->lock);
	p = kzalloc(arrays_size(size));
	spin_lock(&t->lock);
	if (!p)
		return -ENOMEM;
	old = t->size;
	if (old > fd) {
		gone = p;	/* somebody else made it larger */
	} else {
		struct fdtable was = *t;

		arrays_set(t, p, size);
		memcpy(t->files, was.files, old * sizeof(struct file *));
		memcpy(t->used, was.used, old / 8);
		memcpy(t->cloexec, was.cloexec, old / 8);
		memcpy(t->full, was.full, DIV_ROUND_UP(old / 64, 64) * 8);
		gone = was.files;
	}
	spin_unlock(&t->lock);
	kfree(gone);
	spin_lock(&t->lock);
	return 0;
}

int fd_reserve(struct fdtable *t, int min, bool cloexec, u64 limit)
{
	u32 fd;
	int err = 0;

	if (min < 0)
		return -EINVAL;
	limit = MIN(limit, (u64)FD_MOST);
	spin_lock(&t->lock);
	for (;;) {
		fd = lowest_free(t, min);
		if (fd >= limit) {
			err = -EMFILE;
			break;
		}
		if (fd < t->size) {
			mark(t, fd, cloexec);
			break;
		}
		err = grow(t, fd);
		if (err)
			break;
	}
	spin_unlock(&t->lock);
	return err ? err : (int)fd;
}

void fd_install(struct fdtable *t, int fd, struct file *f)
{
	spin_lock(&t->lock);
	ASSERT((u32)fd < t->size && !t->files[fd]);
	t->files[fd] = f;
	spin_unlock(&t->lock);
}

void fd_unreserve(struct fdtable *t, int fd)
{
	spin_lock(&t->lock);
	ASSERT((u32)fd < t->size && !t->files[fd]);
	unmark(t, fd);
	spin_unlock(&t->lock);
}

int fd_alloc(struct fdtable *t, struct file *f, int min, bool cloexec, u64 limit)
{
	int fd = fd_reserve(t, min, cloexec, limit);

	if (fd >= 0)
		fd_install(t, fd, f);
	return fd;
}

struct file *fd_get(struct fdtable *t, int fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if ((u32)fd < t->size && (f = t->files[fd]))
		file_hold(f);
	spin_unlock(&t->lock);
	return f;
}

int fd_close(struct fdtable *t, int fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if ((u32)fd < t->size && (f = t->files[fd])) {
		t->files[fd] = NULL;
		unmark(t, fd);
	}
	spin_unlock(&t->lock);
	if (!f)
		return -EBADF;
	flock_owner_closed(f, t);
	file_drop(f);
	return 0;
}

int fd_dup_to(struct fdtable *t, int from, int to, bool cloexec, u64 limit)
{
	struct file *f, *old = NULL;
	int err = 0;

	if (to < 0 || (u64)to >= MIN(limit, (u64)FD_MOST))
		return -EBADF;
	f = fd_get(t, from);
	if (!f)
		return -EBADF;
	spin_lock(&t->lock);
	if ((u32)to >= t->size)
		err = grow(t, to);
	if (!err && !t->files[to] && (t->used[to / 64] & (1UL << (to & 63))))
		err = -EBUSY;	/* reserved by another thread's open (dup2(2)) */
	if (!err) {
		old = t->files[to];
		t->files[to] = f;
		mark(t, to, cloexec);
	}
	spin_unlock(&t->lock);
	if (err)
		file_drop(f);
	if (old) {
		flock_owner_closed(old, t);
		file_drop(old);
	}
	return err ? err : to;
}

int fd_cloexec(struct fdtable *t, int fd, int set)
{
	int ret = -EBADF;

	spin_lock(&t->lock);
	if ((u32)fd < t->size && t->files[fd]) {
		u64 bit = 1UL << (fd & 63);

		ret = !!(t->cloexec[fd / 64] & bit);
		if (set > 0)
			t->cloexec[fd / 64] |= bit;
		else if (set == 0)
			t->cloexec[fd / 64] &= ~bit;
	}
	spin_unlock(&t->lock);
	return ret;
}

int fd_next(struct fdtable *t, int from)
{
	int found = -1;

	spin_lock(&t->lock);
	for (u32 fd = MAX(from, 0); fd < t->size; fd++)
		if (t->files[fd]) {
			found = fd;
			break;
		}
	spin_unlock(&t->lock);
	return found;
}

/* The lowest descriptor with close-on-exec set, taken out; NULL: none left. */
static struct file *take_cloexec(struct fdtable *t)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	for (u32 w = 0; w < t->size / 64 && !f; w++)
		for (u64 left = t->cloexec[w]; left && !f; left &= left - 1) {
			u32 fd = w * 64 + __builtin_ctzl(left);

			f = t->files[fd];
			if (!f)
				continue;
			t->files[fd] = NULL;
			unmark(t, fd);
		}
	spin_unlock(&t->lock);
	return f;
}

void fdtable_close_exec(struct fdtable *t)
{
	struct file *f;

	while ((f = take_cloexec(t))) {
		flock_owner_closed(f, t);
		file_drop(f);
	}
}
