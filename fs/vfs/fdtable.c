// SPDX-License-Identifier: BSD-2-Clause
/*
 * Descriptor tables: an array of files that doubles when needed, and bitmaps of used numbers in two levels, so that the
 * lowest free number is found by looking at one bit per 64 and then at one word.
 *
 * A number is used (bit in `open`) from fd_reserve on; its file may come later.  `full` has a bit for each word of `open` without a free bit.
 *
 * Locks: `lock` (FILES), short sections; files are dropped and memory is allocated outside it.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/lib/ref.h"

#define FDS_MIN 64u
#define FDS_MAX (1u << 20)

/* Field markings and the corresponding locks:
 * (a) atomic   (c) constant   (l) lock
 */
struct fdtable {
	u32 refs;	      /* (a) */
	struct spinlock lock; /* (c) FILES */
	u32 size;	      /* (l) numbers in the arrays: a power of two >= 64 */
	struct file **files;  /* (l) */
	u64 *open;	      /* (l) */
	u64 *cloexec;	      /* (l) */
	u64 *full;	      /* (l) */
};

static struct kmem_cache *cache;

void fdtable_init(void)
{
	cache = kmem_cache_create("fdtable", sizeof(struct fdtable), KM_LINE);
	ASSERT(cache);
}

/* The arrays of one size, in one piece of memory that starts with files. */
struct arrays {
	struct file **files;
	u64 *open, *cloexec, *full;
	u32 size;
};

static size_t words(u32 bits)
{
	return DIV_ROUND_UP(bits, 64u);
}

static bool arrays_alloc(struct arrays *a, u32 size)
{
	size_t w = words(size), fw = words((u32)w);

	a->files = kzalloc(size * sizeof(*a->files) + (2 * w + fw) * sizeof(u64));
	if (!a->files)
		return false;
	a->open = (u64 *)(a->files + size);
	a->cloexec = a->open + w;
	a->full = a->cloexec + w;
	a->size = size;
	return true;
}

static void arrays_set(struct fdtable *t, const struct arrays *a)
{
	t->files = a->files;
	t->open = a->open;
	t->cloexec = a->cloexec;
	t->full = a->full;
	t->size = a->size;
}

static struct fdtable *create(u32 size)
{
	struct fdtable *t = kmem_cache_alloc(cache, KM_ZERO);
	struct arrays a;

	if (!t)
		return NULL;
	if (!arrays_alloc(&a, size)) {
		kmem_cache_free(cache, t);
		return NULL;
	}
	t->refs = 1;
	spin_init(&t->lock, LOCK_FILES, "descriptors");
	arrays_set(t, &a);
	return t;
}

struct fdtable *fdtable_create(void)
{
	return create(FDS_MIN);
}

/* ---- bits ---- */

static bool bit(const u64 *map, u32 n)
{
	return map[n / 64] >> n % 64 & 1;
}

static void set_bit(u64 *map, u32 n, bool on)
{
	if (on)
		map[n / 64] |= 1UL << n % 64;
	else
		map[n / 64] &= ~(1UL << n % 64);
}

static void mark(struct fdtable *t, u32 fd, bool used, bool cloexec)
{
	set_bit(t->open, fd, used);
	set_bit(t->cloexec, fd, used && cloexec);
	set_bit(t->full, fd / 64, t->open[fd / 64] == ~0UL);
}

/* The lowest free number >= min within size, or size. */
static u32 lowest_free(const struct fdtable *t, u32 min)
{
	u32 w = min / 64, nwords = t->size / 64;
	u64 free;

	if (min >= t->size)
		return t->size;
	free = ~t->open[w] & (~0UL << min % 64);
	if (free)
		return w * 64 + (u32)__builtin_ctzl(free);
	for (w++; w < nwords; w = ALIGN_DOWN(w, 64u) + 64) {
		u64 room = ~t->full[w / 64] & (~0UL << w % 64);

		if (!room)
			continue;
		w = ALIGN_DOWN(w, 64u) + (u32)__builtin_ctzl(room);
		return w < nwords ? w * 64 + (u32)__builtin_ctzl(~t->open[w]) : t->size;
	}
	return t->size;
}

/* ---- growth ---- */

static void copy_arrays(const struct fdtable *t, const struct arrays *a)
{
	memcpy(a->files, t->files, t->size * sizeof(*t->files));
	memcpy(a->open, t->open, words(t->size) * sizeof(u64));
	memcpy(a->cloexec, t->cloexec, words(t->size) * sizeof(u64));
	memcpy(a->full, t->full, words((u32)words(t->size)) * sizeof(u64));
}

/* Makes room for number fd; the lock is not held. 0, -ENOMEM, -EMFILE. */
static int grow(struct fdtable *t, u32 fd)
{
	u32 size = FDS_MIN;
	struct arrays a;
	void *old;

	if (fd >= FDS_MAX)
		return -EMFILE;
	while (size <= fd)
		size *= 2;
	if (!arrays_alloc(&a, size))
		return -ENOMEM;
	spin_lock(&t->lock);
	if (t->size >= size) {
		old = a.files;
	} else {
		copy_arrays(t, &a);
		old = t->files;
		arrays_set(t, &a);
	}
	spin_unlock(&t->lock);
	kfree(old);
	return 0;
}

/* ---- numbers ---- */

/* Takes the lowest free number >= min, with its file if there is one already. */
static int take(struct fdtable *t, struct file *f, int min, bool cloexec, u64 limit)
{
	if (min < 0)
		return -EINVAL;
	for (;;) {
		u32 fd;
		int err;

		spin_lock(&t->lock);
		fd = lowest_free(t, (u32)min);
		if (fd >= limit || fd >= FDS_MAX) {
			spin_unlock(&t->lock);
			return -EMFILE;
		}
		if (likely(fd < t->size)) {
			mark(t, fd, true, cloexec);
			t->files[fd] = f;
			spin_unlock(&t->lock);
			return (int)fd;
		}
		spin_unlock(&t->lock);
		err = grow(t, MAX(fd, (u32)min));
		if (err)
			return err;
	}
}

int fd_alloc(struct fdtable *t, struct file *f, int min, bool cloexec, u64 limit)
{
	return take(t, f, min, cloexec, limit);
}

int fd_reserve(struct fdtable *t, int min, bool cloexec, u64 limit)
{
	return take(t, NULL, min, cloexec, limit);
}

void fd_install(struct fdtable *t, int fd, struct file *f)
{
	spin_lock(&t->lock);
	ASSERTF((u32)fd < t->size && bit(t->open, (u32)fd) && !t->files[fd], "descriptor %d", fd);
	t->files[fd] = f;
	spin_unlock(&t->lock);
}

void fd_unreserve(struct fdtable *t, int fd)
{
	spin_lock(&t->lock);
	ASSERTF((u32)fd < t->size && bit(t->open, (u32)fd) && !t->files[fd], "descriptor %d", fd);
	mark(t, (u32)fd, false, false);
	spin_unlock(&t->lock);
}

struct file *fd_get(struct fdtable *t, int fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (likely((u32)fd < t->size)) {
		f = t->files[fd];
		if (f)
			file_hold(f);
	}
	spin_unlock(&t->lock);
	return f;
}

/* Takes the file out; NULL: there is none. */
static struct file *remove(struct fdtable *t, u32 fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd < t->size && t->files[fd]) {
		f = t->files[fd];
		t->files[fd] = NULL;
		mark(t, fd, false, false);
	}
	spin_unlock(&t->lock);
	return f;
}

/* A descriptor is gone: so are its table's record locks on the file. */
static void close_file(struct fdtable *t, struct file *f)
{
	if (READ_ONCE(f->vnode->locks))
		flock_owner_closed(f, t);
	file_drop(f);
}

int fd_close(struct fdtable *t, int fd)
{
	struct file *f = fd < 0 ? NULL : remove(t, (u32)fd);

	if (!f)
		return -EBADF;
	close_file(t, f);
	return 0;
}

/* Puts f at number to, in place of what was there. Lock held; the old file in *old. */
static int put_at(struct fdtable *t, struct file *f, u32 to, bool cloexec, struct file **old)
{
	*old = t->files[to];
	if (!*old && bit(t->open, to))
		return -EBUSY; /* reserved by an open under way */
	t->files[to] = f;
	file_hold(f);
	mark(t, to, true, cloexec);
	return 0;
}

int fd_dup_to(struct fdtable *t, int from, int to, bool cloexec, u64 limit)
{
	struct file *f, *old = NULL;
	int err;

	if (to < 0 || (u64)to >= limit)
		return -EBADF;
	for (;;) {
		spin_lock(&t->lock);
		f = from >= 0 && (u32)from < t->size ? t->files[from] : NULL;
		if (!f || from == to) {
			spin_unlock(&t->lock);
			return f ? to : -EBADF;
		}
		if ((u32)to < t->size)
			break;
		spin_unlock(&t->lock);
		err = grow(t, (u32)to);
		if (err)
			return err;
	}
	err = put_at(t, f, (u32)to, cloexec, &old);
	spin_unlock(&t->lock);
	if (err)
		return err;
	if (old)
		close_file(t, old);
	return to;
}

int fd_cloexec(struct fdtable *t, int fd, int set)
{
	int was = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (u32)fd < t->size && t->files[fd]) {
		was = bit(t->cloexec, (u32)fd);
		if (set >= 0)
			set_bit(t->cloexec, (u32)fd, set);
	}
	spin_unlock(&t->lock);
	return was;
}

/* First number >= from whose bit is set in map, or -1. Lock held. */
static int next_set(const struct fdtable *t, const u64 *map, u32 from)
{
	u64 w;

	if (from >= t->size)
		return -1;
	w = map[from / 64] & (~0UL << from % 64);
	for (u32 i = from / 64;; w = map[i]) {
		if (w)
			return (int)(i * 64 + (u32)__builtin_ctzl(w));
		if (++i == t->size / 64)
			return -1;
	}
}

int fd_next(struct fdtable *t, int from)
{
	int fd;

	spin_lock(&t->lock);
	for (fd = MAX(from, 0); (fd = next_set(t, t->open, (u32)fd)) >= 0 && !t->files[fd]; fd++)
		;
	spin_unlock(&t->lock);
	return fd;
}

/* ---- tables ---- */

static void copy_files(struct fdtable *to, const struct fdtable *from)
{
	struct arrays a = {
		.files = to->files, .open = to->open, .cloexec = to->cloexec, .full = to->full};

	copy_arrays(from, &a);
	for (int fd = 0; (fd = next_set(to, to->open, (u32)fd)) >= 0; fd++) {
		if (to->files[fd])
			file_hold(to->files[fd]);
		else
			mark(to, (u32)fd, false, false);
	}
}

struct fdtable *fdtable_copy(struct fdtable *t)
{
	struct fdtable *c;

	for (;;) {
		u32 size = READ_ONCE(t->size);

		c = create(size);
		if (!c)
			return NULL;
		spin_lock(&t->lock);
		if (t->size == size)
			break;
		spin_unlock(&t->lock);
		fdtable_drop(c);
	}
	copy_files(c, t);
	spin_unlock(&t->lock);
	return c;
}

void fdtable_hold(struct fdtable *t)
{
	ref_get(&t->refs);
}

void fdtable_drop(struct fdtable *t)
{
	struct file *f;

	if (ref_put(&t->refs))
		return;
	for (int fd = 0; (fd = next_set(t, t->open, (u32)fd)) >= 0; fd++) {
		f = remove(t, (u32)fd);
		if (f)
			close_file(t, f);
	}
	kfree(t->files);
	kmem_cache_free(cache, t);
}

void fdtable_close_exec(struct fdtable *t)
{
	struct file *f;
	int fd = 0;

	for (;;) {
		spin_lock(&t->lock);
		fd = next_set(t, t->cloexec, (u32)fd);
		spin_unlock(&t->lock);
		if (fd < 0)
			return;
		f = remove(t, (u32)fd++);
		if (f)
			close_file(t, f);
	}
}
