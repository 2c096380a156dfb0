// SPDX-License-Identifier: BSD-2-Clause
/*
 * Block devices as files.  Each device that is mounted or open has one vnode in a mount of its own (never in the tree), whose object
 * caches the whole device: file systems keep their metadata there (meta_*), and /dev/NAME reads and writes the very same pages.
 *
 * A page may hold several blocks, some of them metadata and some of them file data whose newest copy is in a file's object; so a page is not written
 * as a whole: frame->private has a bit for each dirty 512-byte sector, and a dirty page without bits needs no write.  Stores through
 * a mapping set no bits: a device that was mapped for writing has its pages written whole, which is why such mappings and a mounted file
 * system exclude each other.
 *
 * Locks: none of its own: the mount's tree keeps one vnode a device, and the bits are atomic.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/vm/vm.h"

#define SECTORS_PER_PAGE (PAGE_SIZE / SECTOR_SIZE)
#define ALL_SECTORS	 ((1u << SECTORS_PER_PAGE) - 1)
#define CLUSTER		 256u

struct mount *bdev_mount;

/* Field markings and the corresponding locks:
 * (c) constant   (a) atomic
 */
struct bdev {
	struct vnode vn;       /* (c) */
	struct block_dev *dev; /* (c) held */
	bool mapped;	       /* (a) for writing: dirty sectors are not known */
};

static struct bdev *bdev_of(struct vnode *vn)
{
	return container_of(vn, struct bdev, vn);
}

/* ---- the pager ---- */

/* Sectors of the page that exist on the device. */
static u32 sectors_in_page(const struct bdev *b, u64 index)
{
	u64 all = block_sectors(b->dev), first = index * SECTORS_PER_PAGE;

	return first >= all ? 0 : (u32)MIN(all - first, SECTORS_PER_PAGE);
}

static void fill_done(struct bio *b)
{
	for (u32 i = 0; i < b->nvecs; i++) {
		struct frame *f = b->vecs[i].frame;

		if (b->vecs[i].len < PAGE_SIZE)
			memset((char *)frame_va(f) + b->vecs[i].len, 0, PAGE_SIZE - b->vecs[i].len);
		vm_page_fill_end(f, b->status);
	}
	bio_free(b);
}

static void bdev_fill(struct vm_object *o, struct frame **frames, size_t n)
{
	struct bdev *d = bdev_of(vnode_of_object(o));
	struct bio *b = bio_alloc((u32)n, true);

	b->dev = d->dev;
	b->op = BIO_READ;
	b->flags = 0;
	b->sector = frames[0]->index * SECTORS_PER_PAGE;
	b->nvecs = (u32)n;
	b->done = fill_done;
	for (size_t i = 0; i < n; i++) {
		u32 sectors = sectors_in_page(d, frames[i]->index);

		ASSERTF(sectors, "%s: page %lu lies behind the end", block_name(d->dev),
			frames[i]->index);
		__atomic_store_n(&frames[i]->private, 0, __ATOMIC_RELAXED);
		b->vecs[i] = (struct bio_vec){.frame = frames[i], .len = sectors * SECTOR_SIZE};
	}
	bio_submit(b);
}

static void clean_done(struct bio *b)
{
	for (u32 i = 0; i < b->nvecs; i++) {
		const struct bio_vec *v = &b->vecs[i];
		u64 bits = ((1u << v->len / SECTOR_SIZE) - 1) << v->offset / SECTOR_SIZE;

		if (b->status)
			__atomic_fetch_or(&v->frame->private, bits, __ATOMIC_RELAXED);
		vm_page_clean_part_end(v->frame, b->status);
	}
	bio_free(b);
}

static struct bio *write_bio(struct bdev *d, u64 sector, u32 nvecs, bool wait)
{
	struct bio *b = bio_alloc(nvecs, true);

	b->dev = d->dev;
	b->op = BIO_WRITE;
	b->flags = wait ? BIO_SYNC : 0;
	b->sector = sector;
	b->nvecs = 0;
	b->done = clean_done;
	return b;
}

static void add_piece(struct bio *b, struct frame *f, u32 first, u32 n)
{
	b->vecs[b->nvecs++] =
		(struct bio_vec){.frame = f, .offset = first * SECTOR_SIZE, .len = n * SECTOR_SIZE};
}

static u32 count_runs(u32 bits)
{
	return (u32)__builtin_popcount(bits & ~(bits << 1));
}

/* A page of which only some sectors are dirty: each run by itself. */
static void clean_partial(struct bdev *d, struct frame *f, u32 bits, bool wait)
{
	u64 sector = f->index * SECTORS_PER_PAGE;

	vm_page_io_parts(f, count_runs(bits));
	while (bits) {
		u32 first = (u32)__builtin_ctz(bits), n = (u32)__builtin_ctz(~(bits >> first));
		struct bio *b = write_bio(d, sector + first, 1, wait);

		add_piece(b, f, first, n);
		bits &= ~(((1u << n) - 1) << first);
		bio_submit(b);
	}
}

/* Which sectors of a page to write; takes the bits. */
static u32 take_bits(const struct bdev *d, struct frame *f)
{
	u32 exist = (1u << sectors_in_page(d, f->index)) - 1;
	u32 bits = (u32)__atomic_exchange_n(&f->private, 0, __ATOMIC_ACQ_REL) & exist;

	return READ_ONCE(d->mapped) ? exist : bits;
}

static void bdev_clean(struct vm_object *o, struct frame **frames, size_t n, bool wait)
{
	struct bdev *d = bdev_of(vnode_of_object(o));
	struct bio *b = NULL;

	for (size_t i = 0; i < n; i++) {
		u32 bits = take_bits(d, frames[i]);

		if (bits != ALL_SECTORS) {
			if (b)
				bio_submit(b);
			b = NULL;
			if (bits)
				clean_partial(d, frames[i], bits, wait);
			else
				vm_page_clean_end(
					frames[i],
					0); /* all of it was forgotten, or written already */
			continue;
		}
		if (!b)
			b = write_bio(d, frames[i]->index * SECTORS_PER_PAGE, (u32)(n - i), wait);
		vm_page_io_parts(frames[i], 1);
		add_piece(b, frames[i], 0, SECTORS_PER_PAGE);
	}
	if (b)
		bio_submit(b);
}

static const struct vm_pager_ops bdev_pager = {
	.name = "bdev",
	.fill = bdev_fill,
	.clean = bdev_clean,
	.first_dirty = vnode_obj_first_dirty,
	.hold = vnode_obj_hold,
	.drop = vnode_obj_drop,
	.max_cluster = CLUSTER,
};

/* ---- the vnode ---- */

static int bdev_getattr(struct vnode *vn, struct vattr *out)
{
	out->ino = vn->ino;
	out->rdev = vn->rdev;
	out->mode = vn->mode;
	out->nlink = 1;
	out->size = vn->object->size;
	out->blksize = PAGE_SIZE;
	return 0;
}

static void bdev_free(struct vnode *vn)
{
	block_drop(bdev_of(vn)->dev);
	kfree(bdev_of(vn));
}

static int bdev_direct_map(struct vnode *vn, u64 off, u64 len, struct direct_extent *out)
{
	*out = (struct direct_extent){bdev_of(vn)->dev, off / SECTOR_SIZE, len, false};
	return 0;
}

static const struct direct_ops bdev_direct = {
	.unit = SECTOR_SIZE,
	.grain = SECTOR_SIZE,
	.map = bdev_direct_map,
};

static const struct vnode_ops bdev_vnode_ops = {
	.direct = &bdev_direct,
	.getattr = bdev_getattr,
	.free = bdev_free,
};

static int bdev_write_attr(struct vnode *vn, bool wait __unused)
{
	WRITE_ONCE(vn->attr_dirty, false);
	return 0;
}

struct vnode *bdev_vnode_get(struct block_dev *d)
{
	u64 devno = block_devno(d);
	struct vnode *vn, *other;
	struct bdev *b;

	vn = vnode_find(bdev_mount, devno);
	if (vn)
		return vn;
	b = kzalloc(sizeof(*b));
	if (!b)
		return NULL;
	block_hold(d);
	b->dev = d;
	vnode_init(&b->vn, bdev_mount, devno, S_IFBLK | 0600, &bdev_vnode_ops, &bdev_pager,
		   block_sectors(d) * SECTOR_SIZE);
	b->vn.rdev = devno;
	if (vnode_insert(&b->vn, &other) == 0)
		return &b->vn;
	vm_object_fini(&b->vn.obj, true);
	bdev_free(&b->vn);
	return other;
}

int bdev_sync(struct vnode *vn, bool wait)
{
	int err, e;

	err = vm_object_clean(vn->object, 0, ~0UL, wait);
	if (wait) {
		e = block_flush(bdev_of(vn)->dev);
		err = err ? err : e;
	}
	return err;
}

int bdev_claim(struct vnode *vn)
{
	struct bdev *b = bdev_of(vn);

	if (!READ_ONCE(b->mapped))
		return 0;
	if (__atomic_load_n(&vn->refs, __ATOMIC_ACQUIRE) > 1)
		return -EBUSY; /* perhaps it still is mapped */
	bdev_sync(vn, true);
	WRITE_ONCE(b->mapped, false);
	return 0;
}

/* ---- metadata ---- */

static u64 bits_of(const struct meta *m)
{
	u64 off = (u64)((uintptr_t)m->data & PAGE_MASK);

	return ((1UL << m->nsectors) - 1) << off / SECTOR_SIZE;
}

static int get_frame(struct vnode *bdev, u64 block, u32 bsize, unsigned flags, struct meta *out)
{
	u64 at = block * bsize;
	int err;

	ASSERT(bsize >= SECTOR_SIZE && bsize <= PAGE_SIZE);
	err = vm_page_get(bdev->object, at >> PAGE_SHIFT, flags, NULL, &out->frame);
	if (err)
		return err == -ENXIO ? -EIO : err; /* behind the end of the device */
	out->data = (char *)frame_va(out->frame) + (at & PAGE_MASK);
	out->block = block;
	out->nsectors = bsize / SECTOR_SIZE;
	return 0;
}

int meta_get(struct vnode *bdev, u64 block, u32 bsize, struct meta *out)
{
	return get_frame(bdev, block, bsize, 0, out);
}

int meta_get_zero(struct vnode *bdev, u64 block, u32 bsize, struct meta *out)
{
	int err = get_frame(bdev, block, bsize, bsize == PAGE_SIZE ? VMP_NOFILL : 0, out);
	struct frame *f = out->frame;

	if (err)
		return err;
	memset(out->data, 0, bsize);
	if ((READ_ONCE(f->flags) & (FR_BUSY | FR_VALID)) == FR_BUSY) {
		__atomic_store_n(&f->private, 0, __ATOMIC_RELAXED);
		vm_page_ready(f, true);
	}
	return 0;
}

void meta_dirty(struct meta *m)
{
	u64 bits = bits_of(m);

	if ((__atomic_load_n(&m->frame->private, __ATOMIC_RELAXED) & bits) != bits)
		__atomic_fetch_or(&m->frame->private, bits, __ATOMIC_RELEASE);
	vm_page_dirty(m->frame);
}

void meta_put(struct meta *m)
{
	vm_page_put(m->frame);
	m->frame = NULL;
	m->data = NULL;
}

/* A freed block may get a file's data, which goes to the disk by another way: what is cached here must not follow it there. */
void meta_forget(struct vnode *bdev, u64 block, u32 bsize)
{
	struct meta m;

	if (get_frame(bdev, block, bsize, VMP_NOWAIT, &m))
		return; /* not here, hence not dirty; or busy being read, likewise */
	__atomic_fetch_and(&m.frame->private, ~bits_of(&m), __ATOMIC_ACQ_REL);
	vm_page_wait_clean(
		m.frame); /* a write under way must not land after that of the new owner */
	__atomic_fetch_and(&m.frame->private, ~bits_of(&m), __ATOMIC_ACQ_REL);
	meta_put(&m);
}

void meta_lose(struct vnode *bdev, u64 block, u32 bsize)
{
	u64 page = block * bsize >> PAGE_SHIFT;

	vm_object_remove(bdev->object, page, page);
}

int meta_sync_range(struct vnode *bdev, u64 block, u64 nblocks, u32 bsize, bool wait)
{
	if (!nblocks)
		return 0;
	return vm_object_clean(bdev->object, block * bsize >> PAGE_SHIFT,
			       ((block + nblocks) * bsize - 1) >> PAGE_SHIFT, wait);
}

/* ---- /dev/NAME ---- */

static struct vnode *device_of(struct file *f)
{
	return f->data;
}

static ssize_t bdev_read(struct file *f, struct uio *u, u64 *pos)
{
	struct vm_object *o = device_of(f)->object;
	u64 at = *pos;
	int err = 0;

	if ((f->flags & O_DIRECT) && !u->kernel)
		return direct_read(device_of(f), u, pos);
	vm_readahead_call(&f->ra, at, u->left);
	while (u->left && at < o->size) {
		size_t n = MIN(MIN(PAGE_SIZE - (at & PAGE_MASK), u->left), o->size - at), got;
		struct frame *fr;

		err = vm_page_get(o, at >> PAGE_SHIFT, 0, &f->ra, &fr);
		if (err)
			break;
		got = uio_to(u, (char *)frame_va(fr) + (at & PAGE_MASK), n);
		vm_page_put(fr);
		at += got;
		if (got < n) {
			err = -EFAULT;
			break;
		}
	}
	if (at == *pos)
		return err;
	at -= *pos;
	*pos += at;
	return (ssize_t)at;
}

/* Bytes came into a page. */
static void page_written(struct frame *fr, u64 off, size_t n)
{
	u32 first = (u32)(off / SECTOR_SIZE), last = (u32)((off + n - 1) / SECTOR_SIZE);

	__atomic_fetch_or(&fr->private, ((2UL << last) - 1) & ~((1UL << first) - 1),
			  __ATOMIC_RELEASE);
	vm_page_dirty(fr);
}

/* A whole page that was not here: nothing is read. 0: it was here, or the user's bytes were not: do it the other way. */
static ssize_t write_new_page(struct vm_object *o, struct uio *u, u64 at)
{
	struct frame *fr;
	size_t got = 0;
	int err = vm_page_get(o, at >> PAGE_SHIFT, VMP_WRITE | VMP_NOFILL, NULL, &fr);

	if (err)
		return err;
	if ((READ_ONCE(fr->flags) & (FR_BUSY | FR_VALID)) == FR_BUSY) {
		got = uio_from_nofault(u, frame_va(fr), PAGE_SIZE);
		if (got < PAGE_SIZE) {
			uio_rewind(u, got);
			got = 0;
		}
		vm_page_ready(fr, got);
		if (got)
			page_written(fr, 0, got);
	}
	vm_page_put(fr);
	return (ssize_t)got;
}

/* Up to the end of one page. A page that is not replaced is read first: sectors around the range stay what they are. */
static ssize_t write_page(struct vm_object *o, struct uio *u, u64 at)
{
	u64 off = at & PAGE_MASK;
	size_t n = MIN(MIN(PAGE_SIZE - off, u->left), o->size - at), got;
	struct frame *fr;
	int err;

	if (n == PAGE_SIZE) {
		ssize_t r = write_new_page(o, u, at);

		if (r)
			return r;
	}
	err = vm_page_get(o, at >> PAGE_SHIFT, VMP_WRITE, NULL, &fr);
	if (err)
		return err;
	got = uio_from(u, (char *)frame_va(fr) + off, n);
	if (got)
		page_written(fr, off, got);
	vm_page_put(fr);
	return got ? (ssize_t)got : -EFAULT;
}

/* Some bytes, past the cache if wanted and possible. */
static ssize_t write_some(struct vnode *d, struct uio *u, u64 at, bool direct)
{
	ssize_t n = 0;

	if (direct)
		n = direct_write(d, u, at, MIN(u->left, d->object->size - at));
	return n ? n : write_page(d->object, u, at);
}

static ssize_t bdev_write(struct file *f, struct uio *u, u64 *pos)
{
	struct vnode *d = device_of(f);
	bool direct = (f->flags & O_DIRECT) && !u->kernel;
	u64 at = *pos;
	ssize_t r = 0;
	int err = 0;

	if (u->left && at >= d->object->size)
		return -ENOSPC;
	if (direct && direct_check(d, u, at))
		return -EINVAL;
	rw_lock_write(&d->v_lock);
	while (u->left && at < d->object->size) {
		r = write_some(d, u, at, direct);
		if (r < 0)
			break;
		at += (u64)r;
		if ((at & (MiB - 1)) == 0)
			writeback_throttle(MiB / PAGE_SIZE);
	}
	if (direct && at > *pos)
		err = direct_settle(d, *pos, at);
	rw_unlock_write(&d->v_lock);
	if (at == *pos || err)
		return err ? err : r;
	at -= *pos;
	*pos += at;
	return (ssize_t)at;
}

static s64 bdev_lseek(struct file *f, s64 off, int whence)
{
	s64 size = (s64)device_of(f)->object->size, base = whence == 1	 ? (s64)f->pos
							   : whence == 2 ? size
									 : 0;

	if (whence > 2 || __builtin_add_overflow(base, off, &base) || base < 0 || base > size)
		return -EINVAL;
	f->pos = (u64)base;
	return base;
}

#define BLKROGET     0x125eu
#define BLKGETSIZE   0x1260u
#define BLKFLSBUF    0x1261u
#define BLKSSZGET    0x1268u
#define BLKBSZGET    0x80081270u
#define BLKGETSIZE64 0x80081272u
#define BLKPBSZGET   0x127bu

static long bdev_ioctl(struct file *f, unsigned cmd, u64 arg)
{
	struct block_dev *d = bdev_of(device_of(f))->dev;
	void __user *out = (void __user *)arg;

	switch (cmd) {
	case BLKGETSIZE64:
		return put_user_u64(block_sectors(d) * SECTOR_SIZE, out);
	case BLKGETSIZE:
		return put_user_u64(block_sectors(d), out);
	case BLKROGET:
		return put_user_u32(block_readonly(d), out);
	case BLKSSZGET:
	case BLKPBSZGET:
		return put_user_u32(block_sector_size(d), out);
	case BLKBSZGET:
		return put_user_u32(PAGE_SIZE, out);
	case BLKFLSBUF:
		if (!cred_has(vfs_current_cred(), CAP_SYS_ADMIN_BIT))
			return -EACCES;
		vm_object_evict(device_of(f)->object, 0, ~0UL);
		return bdev_sync(device_of(f), true);
	default:
		return -ENOTTY;
	}
}

static int bdev_mmap(struct file *f, struct vm_object **o, u32 *max_prot)
{
	struct vnode *d = device_of(f);
	bool mounted = block_claim(bdev_of(d)->dev, f) != 0;

	if (!mounted)
		block_unclaim(bdev_of(d)->dev, f);
	*max_prot = PROT_READ | PROT_EXEC;
	if (f->may_write && !mounted) {
		*max_prot |= PROT_WRITE;
		WRITE_ONCE(bdev_of(d)->mapped, true);
	}
	*o = d->object;
	vm_object_hold(*o);
	return 0;
}

static int bdev_fsync(struct file *f, bool datasync __unused)
{
	int err = bdev_sync(device_of(f), true);
	int earlier = vm_object_error_since(device_of(f)->object, &f->errors_seen);

	return err ? err : earlier;
}

static void bdev_release(struct file *f)
{
	vnode_drop(device_of(f));
}

static const struct file_ops bdev_file_ops = {
	.read = bdev_read,
	.write = bdev_write,
	.lseek = bdev_lseek,
	.ioctl = bdev_ioctl,
	.mmap = bdev_mmap,
	.fsync = bdev_fsync,
	.release = bdev_release,
};

int bdev_open(struct vnode *vn, struct file *f)
{
	struct block_dev *d = block_by_devno(vn->rdev);
	int err = 0;

	if (!d)
		return -ENXIO;
	if (f->may_write && block_readonly(d))
		err = -EACCES;
	if (!err) {
		f->data = bdev_vnode_get(d);
		err = f->data ? 0 : -ENOMEM;
	}
	block_drop(d);
	if (err)
		return err;
	f->ops = &bdev_file_ops;
	f->errors_seen = vm_object_error_mark(device_of(f)->object);
	return 0;
}

void bdev_init(void)
{
	static const struct fs_ops ops = {.write_attr = bdev_write_attr};
	static const struct fs_type type = {.name = "bdev", .nodev = true, .ops = &ops};

	bdev_mount = mount_pseudo(&type);
}
