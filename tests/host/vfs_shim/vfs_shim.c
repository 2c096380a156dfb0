// SPDX-License-Identifier: BSD-2-Clause
/* See vfs_shim.h. Single-threaded. */
#include "vfs_shim/vfs_shim.h"

#include "fs/vfs/vfs_internal.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/uaccess.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"
#include "kernel/vm/vm.h"

u64 shim_nofault_budget = ~0UL, shim_bad, shim_bad_len, shim_raised, shim_fsize = ~0UL;
static u64 alive, sleeping_locks, faulted_in;

u64 shim_memory(void)
{
	return alive;
}

u64 shim_sleepers(void)
{
	return sleeping_locks;
}

/* ---- locks ---- */

void mutex_init(struct mutex *m, enum lock_rank rank, const char *name)
{
	memset(m, 0, sizeof(*m));
	waitq_init(&m->wait);
	m->rank = rank;
	m->name = name;
}

void mutex_lock(struct mutex *m)
{
	if (m->owner)
		panic("deadlock: mutex %s is held", m->name);
	m->owner = 1;
	sleeping_locks++;
}

void mutex_lock_same(struct mutex *m)
{
	mutex_lock(m);
}

void mutex_unlock(struct mutex *m)
{
	if (!m->owner)
		panic("mutex %s is not held", m->name);
	m->owner = 0;
	sleeping_locks--;
}

void rw_init(struct rwlock *l, enum lock_rank rank, const char *name)
{
	memset(l, 0, sizeof(*l));
	waitq_init(&l->wait);
	l->rank = rank;
	l->name = name;
}

void rw_lock_write(struct rwlock *l)
{
	if (l->state)
		panic("deadlock: rwlock %s is held", l->name);
	l->state = RW_WRITER;
	sleeping_locks++;
}

void rw_lock_write_same(struct rwlock *l)
{
	rw_lock_write(l);
}

bool rw_trylock_write(struct rwlock *l)
{
	if (l->state)
		return false;
	rw_lock_write(l);
	return true;
}

void rw_unlock_write(struct rwlock *l)
{
	if (l->state != RW_WRITER)
		panic("rwlock %s is not held for writing", l->name);
	l->state = 0;
	sleeping_locks--;
}

void rw_lock_read(struct rwlock *l)
{
	if (l->state)
		panic("deadlock: rwlock %s is held", l->name);
	l->state = RW_READER;
	sleeping_locks++;
}

void rw_unlock_read(struct rwlock *l)
{
	if (l->state != RW_READER)
		panic("rwlock %s is not held for reading", l->name);
	l->state = 0;
	sleeping_locks--;
}

void waitq_init(struct waitq *q)
{
	list_init(&q->waiters);
}

void waitq_wake(struct waitq *q, bool all)
{
	struct waiter *w, *tmp;

	(void)all;
	list_for_each_safe(w, tmp, &q->waiters, link) {
		if (w->fn)
			w->fn(w);
	}
}

#ifndef waitq_wake_all
void waitq_wake_all(struct waitq *q)
{
	waitq_wake(q, true);
}

void waitq_wake_one(struct waitq *q)
{
	waitq_wake(q, false);
}
#endif

void wait_prepare(struct waitq *q, struct waiter *w, enum wait_how how)
{
	(void)q;
	(void)w;
	(void)how;
}

int wait_block(enum wait_how how, u64 deadline)
{
	(void)deadline;
	if (how == WAIT_UNINTR)
		panic("sleeps for ever");
	return -EINTR;
}

void wait_finish(struct waitq *q, struct waiter *w)
{
	(void)q;
	(void)w;
}

bool sched_wake(struct thread *t)
{
	(void)t;
	return true;
}

struct thread *kthread_run(const char *name, void (*fn)(void *), void *arg)
{
	(void)name;
	(void)fn;
	(void)arg;
	return current();
}

u64 time_realtime(void)
{
	static u64 now = 1700000000UL * NSEC_PER_SEC;

	return now += 1000000;
}

void sleep_ns(u64 ns)
{
	(void)ns;
}

/* ---- memory ---- */

struct kmem_cache {
	size_t size;
};

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	static struct kmem_cache caches[32];
	static unsigned n;

	(void)name;
	(void)align;
	caches[n].size = size;
	return &caches[n++];
}

void *kmalloc(size_t n, unsigned flags)
{
	alive++;
	return flags & KM_ZERO ? calloc(1, n ? n : 1) : malloc(n ? n : 1);
}

void kfree(void *p)
{
	if (p)
		alive--;
	free(p);
}

char *kstrdup(const char *s)
{
	alive++;
	return strdup(s);
}

void *kmem_cache_alloc(struct kmem_cache *c, unsigned flags)
{
	void *p = kmalloc(c->size, flags);

	if (!(flags & KM_ZERO))
		memset(p, 0xa5, c->size);
	return p;
}

void kmem_cache_free(struct kmem_cache *c, void *p)
{
	(void)c;
	kfree(p);
}

/* A frame and its bytes. */
struct page {
	struct frame f;
	u8 bytes[PAGE_SIZE];
};

struct frame *frame_alloc(unsigned flags)
{
	struct page *p = kmalloc(sizeof(*p), 0);

	memset(p, 0, sizeof(p->f));
	memset(p->bytes, flags & FA_ZERO ? 0 : 0xa5, PAGE_SIZE);
	p->f.holds = 1;
	return &p->f;
}

void frame_free(struct frame *f)
{
	kfree(container_of(f, struct page, f));
}

void *frame_va(const struct frame *f)
{
	return ((struct page *)container_of(f, struct page, f))->bytes;
}

u64 frames_total(void)
{
	return 65536;
}

u64 slab_frames(void)
{
	return 0;
}

size_t slab_shrink(void)
{
	return 0;
}

u64 frames_free_count(void)
{
	return 32768;
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size) {
		size_t k = MIN(n, size - 1);

		memcpy(dst, src, k);
		dst[k] = 0;
	}
	return n;
}

u64 hash_bytes(const void *p, size_t n, u64 seed)
{
	u64 h = seed ^ 0xcbf29ce484222325UL;

	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const u8 *)p)[i]) * 0x100000001b3UL;
	return h ^ h >> 29;
}

u64 strtou64(const char *s, const char **end, unsigned base)
{
	char *e;
	u64 v = strtoull(s, &e, (int)base);

	if (end)
		*end = e;
	return v;
}

/* ---- objects: arrays of pages ---- */

#define MAX_PAGES 256

struct anon {
	struct vm_object o;
	struct frame *page[MAX_PAGES];
};

struct vm_object *vm_object_create_anon(u64 size)
{
	struct anon *a = kmalloc(sizeof(*a), KM_ZERO);
	static const struct vm_pager_ops ops = {.name = "anon"};

	a->o.size = size;
	a->o.refs = 1;
	a->o.kind = OBJ_ANON;
	a->o.ops = &ops;
	return &a->o;
}

void vm_object_hold(struct vm_object *o)
{
	o->refs++;
}

void vm_page_hold(struct frame *f)
{
	f->holds++;
}

void vm_page_put(struct frame *f)
{
	if (--f->holds == 0)
		frame_free(f);
}

bool vm_object_mapped_writable(struct vm_object *o __unused)
{
	return false;
}

void vm_object_remove(struct vm_object *o, u64 first, u64 last)
{
	struct anon *a = container_of(o, struct anon, o);

	for (u64 i = first; i <= last && i < MAX_PAGES; i++) {
		if (!a->page[i])
			continue;
		vm_page_put(a->page[i]);
		a->page[i] = NULL;
		o->resident--;
		o->pages.count--;
	}
}

void vm_object_drop(struct vm_object *o)
{
	if (--o->refs)
		return;
	vm_object_remove(o, 0, MAX_PAGES);
	kfree(container_of(o, struct anon, o));
}

void vm_object_set_size(struct vm_object *o, u64 size)
{
	struct anon *a = container_of(o, struct anon, o);
	u64 tail = MIN(size, o->size);

	if (size < o->size)
		vm_object_remove(o, DIV_ROUND_UP(size, PAGE_SIZE), MAX_PAGES);
	if (tail & PAGE_MASK && a->page[tail >> PAGE_SHIFT])
		memset((u8 *)frame_va(a->page[tail >> PAGE_SHIFT]) + (tail & PAGE_MASK), 0,
		       PAGE_SIZE - (tail & PAGE_MASK));
	o->size = size;
}

/* There are no mappings here that could store behind the end. */
void vm_object_clear_tail(struct vm_object *o)
{
	(void)o;
}

void vm_object_extend(struct vm_object *o, u64 size)
{
	o->size = MAX(o->size, size);
}

/* Like a file's pager: NOFILL and pages beyond the end come BUSY, others zero. */
int vm_page_get(struct vm_object *o, u64 index, unsigned flags, struct vm_readahead *ra,
		struct frame **out)
{
	struct anon *a = container_of(o, struct anon, o);
	bool beyond = index >= DIV_ROUND_UP(o->size, PAGE_SIZE);

	(void)ra;
	if (beyond && !(flags & VMP_BEYOND))
		return -ENXIO;
	if (index >= MAX_PAGES)
		return -EFBIG;
	if (!a->page[index]) {
		bool fresh = (flags & VMP_NOFILL) || beyond;

		a->page[index] = frame_alloc(fresh ? 0 : FA_ZERO);
		a->page[index]->flags = fresh ? FR_BUSY : FR_VALID;
		a->page[index]->object = o;
		a->page[index]->index = index;
		o->resident++;
		o->pages.count++;
	} else if (a->page[index]->flags & FR_BUSY) {
		panic("page %lu is BUSY: who waits for it?", index);
	}
	vm_page_hold(a->page[index]);
	*out = a->page[index];
	return 0;
}

size_t vm_page_get_run(struct vm_object *o, u64 index, size_t n, struct vm_readahead *ra,
		       struct frame **out)
{
	struct anon *a = container_of(o, struct anon, o);
	size_t k = 0;

	(void)ra;
	for (; k < n && index + k < MAX_PAGES && a->page[index + k]; k++) {
		out[k] = a->page[index + k];
		vm_page_hold(out[k]);
	}
	return k;
}

void vm_page_ready(struct frame *f, bool ok)
{
	f->flags = ok ? FR_VALID : 0;
	if (!ok) {
		struct anon *a = container_of(f->object, struct anon, o);

		a->page[f->index] = NULL;
		a->o.resident--;
		a->o.pages.count--;
		vm_page_put(f);
	}
}

void vm_page_dirty(struct frame *f)
{
	if (!(f->flags & FR_VALID))
		panic("page %lu made dirty before it is valid", f->index);
}

void vm_totals(struct vm_totals *out)
{
	memset(out, 0, sizeof(*out));
}

/* File systems on devices do not come here. */
int vm_object_clean(struct vm_object *o, u64 first, u64 last, bool wait)
{
	(void)o;
	(void)first;
	(void)last;
	(void)wait;
	return 0;
}

bool vm_object_has(struct vm_object *o, u64 index)
{
	return index < MAX_PAGES && container_of(o, struct anon, o)->page[index];
}

size_t vm_object_evict(struct vm_object *o, u64 first, u64 last)
{
	(void)o;
	(void)first;
	(void)last;
	return 0;
}

void vm_object_init_vnode(struct vm_object *o, const struct vm_pager_ops *ops, u64 size)
{
	panic("%p %p %lu: no file system here has a pager", (void *)o, (const void *)ops, size);
}

void vm_object_fini(struct vm_object *o, bool discard)
{
	panic("%p %d: no file system here has a pager", (void *)o, discard);
}

void vm_set_writeback_kick(void (*fn)(void))
{
	(void)fn;
}

void vm_set_file_hooks(const struct vm_file_hooks *h)
{
	(void)h;
}

/* ---- devices: there are none ---- */

struct mount *bdev_mount;

void bdev_init(void)
{
	static const struct fs_type type = {.name = "bdev", .nodev = true};

	bdev_mount = mount_pseudo(&type);
}

int bdev_open(struct vnode *vn, struct file *f)
{
	(void)vn;
	(void)f;
	return -ENXIO;
}

int bdev_sync(struct vnode *bdev, bool wait)
{
	(void)bdev;
	(void)wait;
	return 0;
}

int bdev_claim(struct vnode *bdev)
{
	(void)bdev;
	return 0;
}

struct vnode *bdev_vnode_get(struct block_dev *d)
{
	(void)d;
	return NULL;
}

int chrdev_open(struct vnode *vn, struct file *f)
{
	(void)vn;
	(void)f;
	return -ENXIO;
}

struct block_dev *block_find(const char *name)
{
	(void)name;
	return NULL;
}

struct block_dev *block_by_devno(u64 rdev)
{
	(void)rdev;
	return NULL;
}

void block_hold(struct block_dev *d)
{
	(void)d;
}

void block_drop(struct block_dev *d)
{
	(void)d;
}

bool block_readonly(const struct block_dev *d)
{
	(void)d;
	return false;
}

u64 block_devno(const struct block_dev *d)
{
	(void)d;
	return 0;
}

int block_claim(struct block_dev *d, void *who)
{
	(void)d;
	(void)who;
	return -EBUSY;
}

void block_unclaim(struct block_dev *d, void *who)
{
	(void)d;
	(void)who;
}

/* ---- user memory ---- */

/* How many of the n bytes at addr are there. */
static size_t there(u64 addr, size_t n)
{
	if (!shim_bad_len || addr + n <= shim_bad || addr >= shim_bad + shim_bad_len)
		return n;
	return addr >= shim_bad ? 0 : shim_bad - addr;
}

size_t copy_to_user_partial(void __user *dst, const void *src, size_t n)
{
	size_t ok = there((u64)dst, n);

	memcpy(dst, src, ok);
	return n - ok;
}

size_t copy_from_user_partial(void *dst, const void __user *src, size_t n)
{
	size_t ok = there((u64)src, n);

	memcpy(dst, src, ok);
	return n - ok;
}

static size_t spend(size_t n)
{
	size_t ok = MIN(n, shim_nofault_budget);

	if (shim_nofault_budget != ~0UL)
		shim_nofault_budget -= ok;
	return ok;
}

size_t copy_from_user_nofault(void *dst, const void __user *src, size_t n)
{
	size_t ok = spend(there((u64)src, n));

	memcpy(dst, src, ok);
	return n - ok;
}

size_t copy_to_user_nofault(void __user *dst, const void *src, size_t n)
{
	size_t ok = spend(there((u64)dst, n));

	memcpy(dst, src, ok);
	return n - ok;
}

int fault_in_readable(const void __user *p, size_t n)
{
	faulted_in++;
	return there((u64)p, n) == n ? 0 : -EFAULT;
}

int fault_in_writable(void __user *p, size_t n)
{
	return fault_in_readable(p, n);
}

int put_user_u32(u32 v, u32 __user *p)
{
	*p = v;
	return 0;
}

int put_user_u64(u64 v, u64 __user *p)
{
	*p = v;
	return 0;
}

/* ---- start and end ---- */

struct fs_context *shim_fs;
struct cred shim_root_cred = {.refs = 1000, .caps = ~0UL};

static u64 fsize_limit(void)
{
	return shim_fsize;
}

static void raise_signal(int sig)
{
	shim_raised |= 1UL << sig;
}

static const struct cred *current_cred(void)
{
	return &shim_root_cred;
}

void shim_initcall_tmpfs_register(void);

struct lookup_ctx shim_ctx(const struct cred *c)
{
	return (struct lookup_ctx){.fs = shim_fs, .cred = c ? c : &shim_root_cred};
}

void shim_boot(void)
{
	static const struct vfs_hooks hooks = {
		.fsize_limit = fsize_limit, .raise = raise_signal, .cred = current_cred};

	vfs_init();
	vfs_set_hooks(&hooks);
	shim_initcall_tmpfs_register();
	if (vfs_mount_root("tmpfs", "tmpfs", 0))
		panic("no root");
	shim_fs = vfs_root_context();
}

void shim_down(void)
{
	fs_context_drop(shim_fs);
	shim_fs = NULL;
}

/* ---- what only O_DIRECT needs, which no file system here has ---- */

int vm_pin(struct vm_map *m, u64 addr, bool write, struct frame **out)
{
	(void)m;
	(void)addr;
	(void)write;
	(void)out;
	return -EFAULT;
}

struct bio *bio_alloc(u32 nvecs, bool can_sleep)
{
	(void)nvecs;
	(void)can_sleep;
	abort();
}

void bio_free(struct bio *b)
{
	(void)b;
}

int bio_wait(struct bio *b)
{
	(void)b;
	return -EIO;
}
