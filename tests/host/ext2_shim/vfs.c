// SPDX-License-Identifier: BSD-2-Clause
/* Objects, pages, vnodes, metadata and generic reading and writing of the ext2 host tests: see shim.h. */

#include <stdlib.h>

#include "shim.h"

bool shim_io_one(void);
void shim_log_reset(void);
static void evict_vnodes(unsigned one_in);

void fs_register(const struct fs_type *t)
{
	(void)t;
}

void writeback_throttle(size_t pages)
{
	(void)pages;
}

struct cred shim_cred;
u64 shim_meta_gets;
static struct list vnodes = LIST_INIT(vnodes); /* by lru_link stand-in: see struct cached */
static u64 clock_now = 1700000000;

struct timespec64 vfs_now(void)
{
	return (struct timespec64){(s64)clock_now++, 123456789};
}

const struct cred *vfs_current_cred(void)
{
	return &shim_cred;
}

void shim_set_cred(u32 uid)
{
	shim_cred.fsuid = shim_cred.fsgid = uid;
}

/* ---- objects: an array of frames ---- */

struct pages {
	struct vm_object *o;
	struct frame **f;
	u64 n;
};

static struct pages *pages_of(struct vm_object *o)
{
	return (struct pages *)o->pages.root;
}

static struct frame **slot_of(struct vm_object *o, u64 index)
{
	struct pages *p = pages_of(o);

	if (index >= p->n) {
		u64 n = index + 16;

		p->f = realloc(p->f, n * sizeof(*p->f));
		memset(p->f + p->n, 0, (n - p->n) * sizeof(*p->f));
		p->n = n;
	}
	return &p->f[index];
}

void vm_object_init_vnode(struct vm_object *o, const struct vm_pager_ops *ops, u64 size)
{
	struct pages *p = calloc(1, sizeof(*p));

	memset(o, 0, sizeof(*o));
	o->kind = OBJ_VNODE;
	o->ops = ops;
	o->size = size;
	o->pages.root = (void *)p;
	p->o = o;
}

static void put_frame(struct frame *f)
{
	ASSERT(f->holds);
	if (--f->holds == 0)
		frame_free(f);
}

static void wait_flags(struct frame *f, u32 flags)
{
	while (f->flags & flags)
		ASSERT(shim_io_one());
}

static void remove_page(struct vm_object *o, u64 index)
{
	struct frame **s = slot_of(o, index), *f = *s;

	if (!f)
		return;
	wait_flags(f, FR_BUSY | FR_CLEANING);
	if (f->flags & FR_DIRTY)
		o->ndirty--;
	f->object = NULL;
	*s = NULL;
	put_frame(f);
}

void vm_object_remove(struct vm_object *o, u64 first, u64 last)
{
	u64 k;

	for (k = first; k <= last && k < pages_of(o)->n; k++)
		remove_page(o, k);
}

void vm_object_fini(struct vm_object *o, bool discard)
{
	ASSERT(discard || !o->ndirty);
	vm_object_remove(o, 0, ~0ul);
	free(pages_of(o)->f);
	free(pages_of(o));
	o->pages.root = NULL;
}

static void zero_tail(struct vm_object *o, u64 pos)
{
	u64 index = pos >> PAGE_SHIFT;
	struct frame *f = index < pages_of(o)->n ? *slot_of(o, index) : NULL;

	if (!f || !(pos & PAGE_MASK))
		return;
	wait_flags(f, FR_BUSY | FR_CLEANING);
	if (f->flags & FR_VALID)
		memset((u8 *)frame_va(f) + (pos & PAGE_MASK), 0, PAGE_SIZE - (pos & PAGE_MASK));
}

void vm_object_set_size(struct vm_object *o, u64 size)
{
	u64 old = o->size;

	o->size = size;
	if (size < old)
		vm_object_remove(o, DIV_ROUND_UP(size, PAGE_SIZE), ~0ul);
	zero_tail(o, MIN(size, old));
}

static int start_fill(struct vm_object *o, u64 index)
{
	u64 pages = DIV_ROUND_UP(o->size, PAGE_SIZE), n = 1 + shim_random() % 40, k;
	struct frame *f[64];

	for (k = 0; k < n && index + k < pages && !*slot_of(o, index + k); k++) {
		f[k] = frame_alloc(0);
		f[k]->flags = FR_BUSY;
		f[k]->holds = 2;
		f[k]->object = o;
		f[k]->index = index + k;
		*slot_of(o, index + k) = f[k];
	}
	o->ops->fill(o, f, k);
	return 0;
}

int vm_page_get(struct vm_object *o, u64 index, unsigned flags, struct vm_readahead *ra,
		struct frame **out)
{
	bool beyond = index >= DIV_ROUND_UP(o->size, PAGE_SIZE), reserved;
	struct frame *f;
	int err;

	(void)ra;
	if (beyond && !(flags & VMP_BEYOND))
		return -ENXIO;
	f = *slot_of(o, index);
	reserved = !(flags & VMP_WRITE) || (flags & VMP_RESERVED);
	if (flags & VMP_NOWAIT) {
		if (!f || !(f->flags & FR_VALID) || (f->flags & FR_BUSY))
			return -EAGAIN;
	} else if (!reserved && !(f && (f->flags & FR_RESERVED))) {
		err = o->ops->reserve(o, index, 1);
		if (err)
			return err;
	}
	if (!f && ((flags & VMP_NOFILL) || beyond)) {
		f = frame_alloc(0);
		f->flags = FR_BUSY | FR_RESERVED;
		f->holds = 2;
		f->object = o;
		f->index = index;
		*slot_of(o, index) = f;
		*out = f;
		return 0;
	}
	if (f && !(f->flags & FR_BUSY) && f->flags & FR_ERROR && !(f->flags & FR_VALID)) {
		remove_page(o, index); /* failed with a neighbour: once more */
		f = NULL;
	}
	if (!f)
		start_fill(o, index);
	f = *slot_of(o, index);
	wait_flags(f, FR_BUSY);
	if (f->flags & FR_ERROR && !(f->flags & FR_VALID)) {
		f->flags = 0;
		remove_page(o, index);
		return -EIO;
	}
	if (flags & VMP_WRITE && !(flags & VMP_RESERVED))
		f->flags |= FR_RESERVED;
	f->holds++;
	*out = f;
	return 0;
}

void vm_page_ready(struct frame *f, bool ok)
{
	f->flags &= ~FR_BUSY;
	if (ok)
		f->flags |= FR_VALID;
	else
		remove_page(f->object, f->index);
}

void vm_page_hold(struct frame *f)
{
	f->holds++;
}

void vm_page_put(struct frame *f)
{
	put_frame(f);
}

void vm_page_dirty(struct frame *f)
{
	if (!f->object || f->flags & FR_DIRTY)
		return;
	ASSERT(f->flags & FR_VALID);
	f->flags |= FR_DIRTY;
	f->object->ndirty++;
}

void vm_page_wait_clean(struct frame *f)
{
	wait_flags(f, FR_CLEANING);
}

void vm_page_fill_end(struct frame *f, int err)
{
	u64 size = f->object->size, at = f->index << PAGE_SHIFT;

	ASSERT(f->flags & FR_BUSY);
	f->flags = (f->flags & ~FR_BUSY) | (err ? FR_ERROR : FR_VALID);
	if (size > at && size - at < PAGE_SIZE)
		memset((u8 *)frame_va(f) + (size - at), 0, PAGE_SIZE - (size - at));
	put_frame(f);
}

void vm_page_clean_end(struct frame *f, int err)
{
	ASSERT(f->flags & FR_CLEANING);
	if (err) {
		f->object->wb_error = err;
		vm_page_dirty(f);
	}
	f->flags &= ~FR_CLEANING;
	put_frame(f);
}

void vm_page_io_parts(struct frame *f, u32 parts)
{
	ASSERT(parts && !f->io_pending);
	f->io_pending = parts;
}

void vm_page_fill_part_end(struct frame *f, int err)
{
	ASSERT(f->io_pending);
	if (err)
		f->mapcount = (u32)-err;
	if (--f->io_pending == 0) {
		err = -(int)f->mapcount;
		f->mapcount = 0;
		vm_page_fill_end(f, err);
	}
}

void vm_page_clean_part_end(struct frame *f, int err)
{
	ASSERT(f->io_pending);
	if (err)
		f->mapcount = (u32)-err;
	if (--f->io_pending == 0) {
		err = -(int)f->mapcount;
		f->mapcount = 0;
		vm_page_clean_end(f, err);
	}
}

int vm_object_clean(struct vm_object *o, u64 first, u64 last, bool wait)
{
	u64 k = first;
	int err;

	while (k <= last && k < pages_of(o)->n) {
		struct frame *f[256];
		size_t n = 0, max = 1 + shim_random() % 100;

		while (n < max && k + n < pages_of(o)->n) {
			struct frame *g = *slot_of(o, k + n);

			if (!g || !(g->flags & FR_DIRTY))
				break;
			wait_flags(g, FR_CLEANING | FR_BUSY);
			g->flags = (g->flags & ~FR_DIRTY) | FR_CLEANING;
			g->holds++;
			o->ndirty--;
			f[n++] = g;
		}
		if (n)
			o->ops->clean(o, f, n, wait);
		k += n ? n : 1;
	}
	for (k = first; wait && k <= last && k < pages_of(o)->n; k++)
		if (*slot_of(o, k))
			wait_flags(*slot_of(o, k), FR_CLEANING);
	err = o->wb_error;
	o->wb_error = 0;
	return wait ? err : 0;
}

/* Throws out clean pages that nobody holds, all or some. */
static void evict_pages(struct vm_object *o, unsigned one_in)
{
	u64 k;

	for (k = 0; k < pages_of(o)->n; k++) {
		struct frame *f = *slot_of(o, k);

		if (!f || f->holds != 1 || f->flags & (FR_DIRTY | FR_BUSY | FR_CLEANING))
			continue;
		if (shim_random() % one_in == 0)
			remove_page(o, k);
	}
}

/* ---- vnodes: a list ---- */

static struct vnode *find_vnode(u64 ino)
{
	struct vnode *vn;

	list_for_each(vn, &vnodes, dirty_link)
		if (vn->ino == ino)
			return vn;
	return NULL;
}

void vnode_init(struct vnode *vn, struct mount *m, u64 ino, u32 mode, const struct vnode_ops *ops,
		const struct vm_pager_ops *pager, u64 size)
{
	vn->refs = 1;
	vn->mode = mode;
	vn->ino = ino;
	vn->mount = m;
	vn->ops = ops;
	if (pager) {
		vm_object_init_vnode(&vn->obj, pager, size);
		vn->object = &vn->obj;
	}
	list_init(&vn->dirty_link);
}

struct vnode *vnode_find(struct mount *m, u64 ino)
{
	struct vnode *vn = find_vnode(ino);

	(void)m;
	if (vn)
		vn->refs++;
	return vn;
}

int vnode_insert(struct vnode *vn, struct vnode **other)
{
	*other = vnode_find(vn->mount, vn->ino);
	if (*other)
		return -EEXIST;
	vn->in_hash = true;
	list_add_tail(&vnodes, &vn->dirty_link);
	return 0;
}

void vnode_hold(struct vnode *vn)
{
	ASSERT(vn->refs);
	vn->refs++;
}

static void destroy(struct vnode *vn)
{
	list_del(&vn->dirty_link);
	vn->in_hash = false;
	vn->ops->inactive(vn);
	if (vn->object)
		vm_object_fini(&vn->obj, true);
	vn->ops->free(vn);
}

void vnode_drop(struct vnode *vn)
{
	struct vattr a;

	ASSERT(vn->refs);
	if (--vn->refs)
		return;
	vn->ops->getattr(vn, &a);
	if (a.nlink == 0)
		destroy(vn);
}

void vnode_mark_attr_dirty(struct vnode *vn)
{
	ASSERT(vn->in_hash);
	vn->attr_dirty = true;
}

void vnode_obj_first_dirty(struct vm_object *o)
{
	(void)o;
}

void vnode_obj_hold(struct vm_object *o)
{
	vnode_hold(vnode_of_object(o));
}

void vnode_obj_drop(struct vm_object *o)
{
	vnode_drop(vnode_of_object(o));
}

/* ---- metadata: pages of the disk, with a dirty bit for each KiB ---- */

struct mpage {
	struct frame *f;
	u8 dirty;
	u8 holds;
};
static struct mpage *mpages;

static struct mpage *mpage(u64 page)
{
	if (!mpages)
		mpages = calloc(DIV_ROUND_UP(shim_disk.size, PAGE_SIZE), sizeof(*mpages));
	return &mpages[page];
}

static u8 block_mask(u64 block, u32 bsize)
{
	u32 n = bsize / 1024, first = (u32)(block * n % 4);

	return (u8)(((1u << n) - 1) << first);
}

static void mpage_read(struct mpage *p, u64 page)
{
	u64 at = page << PAGE_SHIFT, n = MIN(PAGE_SIZE, shim_disk.size - at);

	p->f = frame_alloc(FA_ZERO);
	memcpy(frame_va(p->f), shim_disk.data + at, n);
}

static int get_meta(u64 block, u32 bsize, struct meta *out)
{
	u64 at = block * bsize, page = at >> PAGE_SHIFT;
	struct mpage *p = mpage(page);

	ASSERT(at + bsize <= shim_disk.size);
	shim_meta_gets++;
	if (!p->f) {
		if (at / 512 < shim_disk.fail_read_to &&
		    at / 512 + bsize / 512 > shim_disk.fail_read_from)
			return -EIO;
		mpage_read(p, page);
	}
	p->holds++;
	out->frame = p->f;
	out->data = (u8 *)frame_va(p->f) + (at & PAGE_MASK);
	out->block = (u64)block_mask(block, bsize) << 56 | page; /* what meta_dirty needs */
	return 0;
}

int meta_get(struct vnode *bdev, u64 block, u32 bsize, struct meta *out)
{
	struct mpage *p = mpage(block * bsize >> PAGE_SHIFT);

	(void)bdev;
	/* a clean block may have been written as data since the page was read */
	if (p->f && !(p->dirty & block_mask(block, bsize)) && !p->holds)
		memcpy((u8 *)frame_va(p->f) + (block * bsize & PAGE_MASK),
		       shim_disk.data + block * bsize, bsize);
	return get_meta(block, bsize, out);
}

int meta_get_zero(struct vnode *bdev, u64 block, u32 bsize, struct meta *out)
{
	int err = get_meta(block, bsize, out);

	(void)bdev;
	if (!err)
		memset(out->data, 0, bsize);
	return err;
}

void meta_dirty(struct meta *m)
{
	mpage(m->block << 8 >> 8)->dirty |= (u8)(m->block >> 56);
}

void meta_put(struct meta *m)
{
	struct mpage *p = mpage(m->block << 8 >> 8);

	ASSERT(p->holds);
	p->holds--;
}

void meta_forget(struct vnode *bdev, u64 block, u32 bsize)
{
	(void)bdev;
	mpage(block * bsize >> PAGE_SHIFT)->dirty &= (u8)~block_mask(block, bsize);
}

/* Clean blocks are read again anyway. */
void meta_lose(struct vnode *bdev, u64 block, u32 bsize)
{
	(void)bdev;
	(void)block;
	(void)bsize;
}

static void mpage_write(u64 page)
{
	struct mpage *p = mpage(page);
	unsigned k;

	for (k = 0; k < 4; k++)
		if (p->dirty >> k & 1)
			memcpy(shim_disk.data + (page << PAGE_SHIFT) + k * 1024,
			       (u8 *)frame_va(p->f) + k * 1024, 1024);
	p->dirty = 0;
}

int meta_sync_range(struct vnode *bdev, u64 block, u64 nblocks, u32 bsize, bool wait)
{
	u64 page = block * bsize >> PAGE_SHIFT,
	    last = ((block + nblocks) * bsize - 1) >> PAGE_SHIFT;

	(void)bdev;
	(void)wait;
	for (; page <= last; page++)
		if (mpage(page)->dirty)
			mpage_write(page);
	return 0;
}

static void evict_meta(unsigned one_in)
{
	u64 k;

	for (k = 0; mpages && k < DIV_ROUND_UP(shim_disk.size, PAGE_SIZE); k++) {
		struct mpage *p = &mpages[k];

		if (!p->f || p->holds || p->dirty || shim_random() % one_in)
			continue;
		frame_free(p->f);
		p->f = NULL;
	}
}

/* ---- mounting ---- */

static struct mount the_mount;

struct mount *shim_mount(u32 flags, int *err)
{
	struct mount *m = &the_mount;

	shim_log_reset();
	memset(m, 0, sizeof(*m));
	m->type = &ext2_fs_type;
	m->flags = flags;
	m->devno = 0xfe01;
	*err = ext2_fs_type.mount(m, "");
	if (*err) {
		evict_vnodes(1);
		evict_meta(1);
		ASSERT(shim_pages() == 0);
		free(mpages);
		mpages = NULL;
	}
	return *err ? NULL : m;
}

static void write_vnode(struct vnode *vn)
{
	vn->refs++;
	if (vn->object)
		vm_object_clean(vn->object, 0, ~0ul, true);
	if (vn->attr_dirty)
		vn->mount->type->ops->write_attr(vn, false);
	vn->refs--;
}

void shim_sync(struct mount *m)
{
	struct vnode *vn;

	list_for_each(vn, &vnodes, dirty_link)
		write_vnode(vn);
	m->type->ops->sync(m, true);
}

static void evict_vnodes(unsigned one_in)
{
	struct vnode *vn, *tmp;

	list_for_each_safe(vn, tmp, &vnodes, dirty_link) {
		if (vn->object)
			evict_pages(vn->object, one_in);
		if (vn->refs || vn->attr_dirty || (vn->object && vn->obj.ndirty) ||
		    shim_random() % one_in)
			continue;
		destroy(vn);
	}
}

void shim_drop_caches(struct mount *m)
{
	shim_sync(m);
	evict_vnodes(1);
	evict_meta(1);
}

void shim_shake(struct mount *m)
{
	struct vnode *vn;
	u64 k;

	(void)m;
	list_for_each(vn, &vnodes, dirty_link)
		if (shim_random() % 4 == 0)
			write_vnode(vn);
	evict_vnodes(3);
	for (k = 0; mpages && k < DIV_ROUND_UP(shim_disk.size, PAGE_SIZE); k++)
		if (mpages[k].dirty && shim_random() % 4 == 0)
			mpage_write(k);
	evict_meta(3);
}

int shim_unmount(struct mount *m)
{
	struct vnode *root = m->root;
	int err;

	shim_sync(m);
	evict_vnodes(1);
	ASSERT(vnodes.next == &root->dirty_link && root->dirty_link.next == &vnodes &&
	       root->refs == 1);
	vnode_drop(root);
	evict_vnodes(1);
	err = m->type->ops->unmount(m);
	evict_meta(1);
	free(mpages);
	mpages = NULL;
	ASSERT(shim_pages() == 0);
	ASSERT(!shim_io_one());
	return err;
}

void shim_crash(struct mount *m)
{
	struct vnode *vn, *tmp;
	struct ext2_fs *fs = m->data;
	u64 k;

	WRITE_ONCE(fs->writable, false);
	list_for_each_safe(vn, tmp, &vnodes, dirty_link)
		destroy(vn);
	m->type->ops->unmount(m);
	for (k = 0; mpages && k < DIV_ROUND_UP(shim_disk.size, PAGE_SIZE); k++)
		if (mpages[k].f)
			frame_free(mpages[k].f);
	free(mpages);
	mpages = NULL;
}

/* ---- reading and writing as the generic code does ---- */

ssize_t shim_read(struct vnode *vn, void *buf, size_t n, u64 off)
{
	size_t done = 0;

	n = off >= vn->obj.size ? 0 : MIN(n, (size_t)(vn->obj.size - off));
	while (done < n) {
		u64 pos = off + done;
		size_t part = MIN(n - done, (size_t)(PAGE_SIZE - (pos & PAGE_MASK)));
		struct frame *f;
		int err = vm_page_get(&vn->obj, pos >> PAGE_SHIFT, 0, NULL, &f);

		if (err)
			return err;
		memcpy((u8 *)buf + done, (u8 *)frame_va(f) + (pos & PAGE_MASK), part);
		vm_page_put(f);
		done += part;
	}
	return (ssize_t)done;
}

static void extend(struct vnode *vn, u64 end)
{
	if (end > vn->obj.size)
		vn->obj.size = end;
}

ssize_t shim_write(struct vnode *vn, const void *buf, size_t n, u64 off)
{
	size_t done = 0;
	int err = 0;

	vn->v_lock.writer = &shim_cred;
	if (off > vn->obj.size)
		zero_tail(&vn->obj, vn->obj.size);
	while (done < n) {
		u64 pos = off + done;
		size_t in = pos & PAGE_MASK, part = MIN(n - done, (size_t)(PAGE_SIZE - in));
		unsigned flags = VMP_WRITE | VMP_BEYOND | (part == PAGE_SIZE ? VMP_NOFILL : 0);
		struct frame *f;

		err = vm_page_get(&vn->obj, pos >> PAGE_SHIFT, flags, NULL, &f);
		if (err)
			break;
		if (f->flags & FR_BUSY) {
			memset(frame_va(f), 0, PAGE_SIZE);
			vm_page_ready(f, true);
		}
		memcpy((u8 *)frame_va(f) + in, (const u8 *)buf + done, part);
		extend(vn, pos + part);
		vm_page_dirty(f);
		vm_page_put(f);
		done += part;
		vnode_mark_attr_dirty(vn);
	}
	vn->v_lock.writer = NULL;
	return done ? (ssize_t)done : err;
}

int shim_store(struct vnode *vn, u64 off, u8 value)
{
	struct frame *f;
	int err = vm_page_get(&vn->obj, off >> PAGE_SHIFT, VMP_WRITE, NULL, &f);

	if (err)
		return err;
	((u8 *)frame_va(f))[off & PAGE_MASK] = value;
	vm_page_dirty(f);
	vm_page_put(f);
	return 0;
}
