// SPDX-License-Identifier: BSD-2-Clause
#include "vm_shim.h"

#include <malloc.h>
#include <sanitizer/asan_interface.h>

#include "kernel/boot/params.h"
#include "kernel/lib/radix_node.h"
#include "kernel/sched/time.h"
#include "sbi/sbi.h"

#define RAM_BASE 0x80000000UL

static struct frame *frames;
static unsigned nframes;
static struct list free_frames;
static u64 frames_out;
static long slabs_out, fail_in;
static bool failed;
static u32 npending;

pte_t *kernel_root;
u32 mmu_asid_bits = 16;
static pte_t kernel_table[PT_ENTRIES];

void vm_shim_fail(long n)
{
	fail_in = n;
	failed = false;
}

bool vm_shim_failed(void)
{
	return failed;
}

static bool fails(void)
{
	if (!fail_in || --fail_in)
		return false;
	failed = true;
	return true;
}

/* ---- frames ---- */

paddr_t frame_pa(const struct frame *f)
{
	return RAM_BASE + (u64)(f - frames) * PAGE_SIZE;
}

void *frame_va(const struct frame *f)
{
	return pa_to_va(frame_pa(f));
}

struct frame *pa_frame(paddr_t pa)
{
	return pa < RAM_BASE || pa >= RAM_BASE + nframes * PAGE_SIZE
		       ? NULL
		       : &frames[(pa - RAM_BASE) >> PAGE_SHIFT];
}

struct frame *va_frame(const void *va)
{
	return pa_frame(va_to_pa(va));
}

struct frame *frame_alloc(unsigned flags)
{
	struct list *l;
	struct frame *f;

	if (!(flags & FA_NOWAIT) && host_locks_held())
		panic("frame_alloc may sleep under a spin lock");
	if (fails())
		return NULL;
	l = list_pop(&free_frames);
	if (!l)
		return NULL;
	f = list_entry(l, struct frame, link);
	u32 next = f->clock_next;

	memset(f, 0, sizeof(*f));
	f->clock_next = next;
	list_init(&f->link);
	f->holds = 1;
	ASAN_UNPOISON_MEMORY_REGION(frame_va(f), PAGE_SIZE);
	memset(frame_va(f), flags & FA_ZERO ? 0 : 0xa5, PAGE_SIZE);
	frames_out++;
	return f;
}

size_t frame_alloc_some(struct frame **out, size_t n, unsigned flags)
{
	size_t got = 0;

	while (got < n && (out[got] = frame_alloc(flags | FA_NOWAIT)))
		got++;
	return got;
}

bool frames_plenty(void)
{
	return true;
}

void frame_free(struct frame *f)
{
	if (f->object || f->mapcount || f->swap_slot || (f->flags & ~FR_REF))
		panic("unfit frame: object %p mapcount %u flags %#x", (void *)f->object,
		      f->mapcount, f->flags);
	ASAN_POISON_MEMORY_REGION(frame_va(f), PAGE_SIZE);
	list_add_tail(&free_frames, &f->link);
	frames_out--;
}

void frame_free_zeroed(struct frame *f)
{
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		if (((u64 *)frame_va(f))[i])
			panic("a frame said to be all zero is not");
	frame_free(f);
}

void frame_free_bulk(struct frame **f, size_t n)
{
	while (n--)
		frame_free(f[n]);
}

u64 frames_total(void)
{
	return nframes;
}

u64 frames_free_count(void)
{
	return nframes - frames_out;
}

bool frames_oom(void)
{
	return false;
}

void frames_oom_soon(void)
{
}

void frames_set_reclaim(size_t (*fn)(size_t want), void (*kick)(void))
{
	(void)fn;
	(void)kick;
}

void frames_bring(void)
{
}

u64 frames_wanted(void)
{
	return 0;
}

bool frames_bank(unsigned k, paddr_t *base, u64 *size)
{
	*base = RAM_BASE;
	*size = nframes * PAGE_SIZE;
	return k == 0;
}

size_t frame_alloc_bulk(struct frame **out, size_t n, unsigned flags)
{
	size_t k = 0;

	while (k < n && (out[k] = frame_alloc(flags)))
		k++;
	return k;
}

u64 vm_shim_frames_out(void)
{
	return frames_out;
}

/* ---- slabs ---- */

struct kmem_cache {
	size_t size;
};

struct kmem_cache *kmem_cache_create(const char *name __unused, size_t size, size_t align __unused)
{
	struct kmem_cache *c = malloc(sizeof(*c));

	c->size = size;
	return c;
}

void *kmem_cache_alloc(struct kmem_cache *c, unsigned flags)
{
	void *p;

	if (!(flags & KM_NOWAIT) && host_locks_held())
		panic("kmem_cache_alloc may sleep under a spin lock");
	if (fails())
		return NULL;
	p = malloc(c->size);
	memset(p, flags & KM_ZERO ? 0 : 0x5a, c->size);
	slabs_out++;
	return p;
}

void kmem_cache_free(struct kmem_cache *c __unused, void *p)
{
	if (p)
		slabs_out--;
	free(p);
}

long vm_shim_slabs_out(void)
{
	return slabs_out;
}

size_t slab_shrink(void)
{
	return 0;
}

struct radix_node *radix_node_alloc(bool can_sleep __unused)
{
	return fails() ? NULL : calloc(1, sizeof(struct radix_node));
}

void radix_node_free(struct radix_node *n)
{
	free(n);
}

int radix_reserve_fill(struct radix_reserve *r, bool can_sleep __unused)
{
	while (r->n < RADIX_INSERT_MAX) {
		struct radix_node *n = radix_node_alloc(true);

		if (!n)
			return -ENOMEM;
		n->parent = r->free;
		r->free = n;
		r->n++;
	}
	return 0;
}

void radix_reserve_free(struct radix_reserve *r)
{
	while (r->free) {
		struct radix_node *n = r->free;

		r->free = n->parent;
		free(n);
	}
	r->n = 0;
}

/* ---- locks that sleep, waiting, the rest ---- */

void rw_init(struct rwlock *l, enum lock_rank rank __unused, const char *name __unused)
{
	memset(l, 0, sizeof(*l));
}

void rw_lock_read(struct rwlock *l)
{
	might_sleep();
	if (l->state & RW_WRITER)
		panic("read lock of a write-locked rwlock");
	l->state += RW_READER;
}

void rw_unlock_read(struct rwlock *l)
{
	if (l->state < RW_READER)
		panic("read unlock");
	l->state -= RW_READER;
}

void rw_lock_write(struct rwlock *l)
{
	might_sleep();
	if (l->state)
		panic("write lock of a locked rwlock");
	l->state = RW_WRITER;
}

bool rw_trylock_write(struct rwlock *l)
{
	if (l->state)
		return false;
	l->state = RW_WRITER;
	return true;
}

void rw_unlock_write(struct rwlock *l)
{
	if (l->state != RW_WRITER)
		panic("write unlock");
	l->state = 0;
}

void waitq_init(struct waitq *q __unused)
{
}
void waitq_wake_all(struct waitq *q __unused)
{
}
void waitq_wake_one(struct waitq *q __unused)
{
}
void wait_prepare(struct waitq *q __unused, struct waiter *w __unused, enum wait_how how __unused)
{
	if (host_locks_held())
		panic("sleeps with %u spin locks held", host_locks_held());
	if (!npending)
		panic("nobody would wake us");
	vm_shim_io(1);
}
int wait_block(enum wait_how how __unused, u64 deadline __unused)
{
	return 0;
}
void wait_finish(struct waitq *q __unused, struct waiter *w __unused)
{
}
void sleep_ns(u64 ns __unused)
{
}
bool sched_signal_pending(enum wait_how how __unused)
{
	return false;
}
struct thread *kthread_run(const char *name __unused, void (*fn)(void *) __unused,
			   void *arg __unused)
{
	return NULL;
}
void mutex_init(struct mutex *m, enum lock_rank rank __unused, const char *name __unused)
{
	memset(m, 0, sizeof(*m));
}
void mutex_lock(struct mutex *m)
{
	if (m->owner)
		panic("mutex locked twice");
	m->owner = 1;
}
bool mutex_trylock(struct mutex *m)
{
	if (m->owner)
		return false;
	m->owner = 1;
	return true;
}
void mutex_unlock(struct mutex *m)
{
	m->owner = 0;
}
void *kmalloc(size_t n, unsigned flags)
{
	return flags & KM_ZERO ? calloc(1, n) : malloc(n);
}
void kfree(void *p)
{
	free(p);
}
char *kstrdup(const char *s)
{
	return strdup(s);
}
void sbi_remote_sfence(u64 mask __unused, u64 base __unused, u64 start __unused, u64 size __unused)
{
}
void sbi_remote_sfence_asid(u64 mask __unused, u64 base __unused, u64 start __unused,
			    u64 size __unused, u64 asid __unused)
{
}
void page_zero(void *p)
{
	memset(p, 0, PAGE_SIZE);
}
bool page_is_zero(const void *p)
{
	static const u8 zero[PAGE_SIZE];

	return !memcmp(p, zero, PAGE_SIZE);
}
void page_copy(void *d, const void *s)
{
	memcpy(d, s, PAGE_SIZE);
}

/* ---- disks to swap to ---- */

struct block_dev {
	u8 *data;
	u64 pages;
	bool there;
};

#define DISKS 4
static struct block_dev disks[DISKS];
static unsigned ndisks;
static struct bio *pending[256];
u32 vm_shim_bad_reads, vm_shim_bad_writes, vm_shim_discards;
char vm_shim_magic[11] = "SWAPSPACE2";
static u32 header[8];

u32 *vm_shim_header(void)
{
	return header;
}

bool block_absent(const struct block_dev *d)
{
	(void)d;
	return false;
}

bool block_discards(const struct block_dev *d)
{
	(void)d;
	return true;
}

/* The worker comes when nobody holds a lock: with the next transfers. */
static struct work *queued;

void work_queue(struct work *w)
{
	for (struct work *q = queued; q; q = q->next)
		if (q == w)
			return;
	w->next = queued;
	queued = w;
}

static void run_work(void)
{
	struct work *w = queued, *next;

	queued = NULL;
	for (; w; w = next) {
		next = w->next;
		w->fn(w);
	}
}

struct bio *bio_alloc(u32 nvecs __unused, bool can_sleep __unused)
{
	return calloc(1, sizeof(struct bio));
}

void bio_free(struct bio *b)
{
	free(b);
}

static void bio_do(struct bio *b);

static void bio_waited(struct bio *b __unused)
{
}

int bio_wait(struct bio *b)
{
	b->done = bio_waited;
	bio_do(b);
	return b->status;
}

const char *block_name(const struct block_dev *d)
{
	return d == disks ? "disk0" : "disk1";
}

int block_read_sync(struct block_dev *d, u64 sector, void *buf, size_t n)
{
	memcpy(buf, d->data + sector * SECTOR_SIZE, n);
	return 0;
}

void bio_submit(struct bio *b)
{
	assert_true(npending < ARRAY_LEN(pending));
	pending[npending++] = b;
}

static void bio_do(struct bio *b)
{
	u32 odds = b->op == BIO_WRITE ? vm_shim_bad_writes : vm_shim_bad_reads;

	if (b->op == BIO_DISCARD) {
		odds = 4; /* nobody may care */
		vm_shim_discards++;
		memset(b->dev->data + b->sector * SECTOR_SIZE, 0xdd,
		       (u64)b->nsectors * SECTOR_SIZE);
	}
	b->status = odds && host_rand_below(odds) == 0 ? -EIO : 0;
	for (u32 i = 0; i < b->nvecs && !b->status; i++) {
		u8 *at = b->dev->data + (b->sector + i * 8) * SECTOR_SIZE;

		if (b->op == BIO_WRITE)
			memcpy(at, frame_va(b->vecs[i].frame), PAGE_SIZE);
		else
			memcpy(frame_va(b->vecs[i].frame), at, PAGE_SIZE);
	}
	b->done(b);
}

void vm_shim_io(unsigned n)
{
	run_work();
	for (; n && npending; n--) {
		u32 k = host_rand_below(npending);
		struct bio *b = pending[k];

		pending[k] = pending[--npending];
		bio_do(b);
		run_work();
	}
}

static void disk_gone(struct block_dev *d, void *owner __unused)
{
	free(d->data);
	d->there = false;
}

int vm_shim_swapon(unsigned pages, s32 prio)
{
	struct block_dev *d = &disks[ndisks++ % DISKS];
	struct swap_extent *e = malloc(2 * sizeof(*e));
	u64 half = pages / 2;
	struct swap_spec s = {.dev = d,
			      .owner = d,
			      .release = disk_gone,
			      .name = "disk",
			      .discard_all = true,
			      .discard_pages = true,
			      .extents = e,
			      .nextents = 2,
			      .pages = pages,
			      .prio = prio};
	u32 *h;
	int err;

	/* its halves lie the other way round */
	e[0] = (struct swap_extent){0, half, (pages - half) * 8};
	e[1] = (struct swap_extent){half, pages - half, 0};
	assert_false(d->there);
	d->there = true;
	d->pages = pages;
	d->data = calloc(pages, PAGE_SIZE);
	h = (u32 *)(d->data + (pages - half) * PAGE_SIZE + 1024);
	h[0] = header[0] ? header[0] : 1;
	h[1] = header[1] ? header[1] : pages - 1;
	h[2] = header[2];
	memcpy((u8 *)h + 512, header + 3, 16);
	memcpy((u8 *)h - 1024 + PAGE_SIZE - 10, vm_shim_magic, 10);
	err = swap_area_add(&s);
	if (err) {
		free(e);
		disk_gone(d, d);
	}
	return err;
}

int vm_shim_swapoff(unsigned k)
{
	return swap_area_remove(&disks[k % DISKS]);
}

u64 vm_shim_swap_used(void)
{
	u64 all, left;

	swap_totals(&all, &left);
	return all - left;
}

/* ---- start, and the MMU ---- */

static void hook_file(struct file *f __unused)
{
}
static int hook_path(struct file *f __unused, char *buf, size_t size)
{
	return snprintf(buf, size, "file");
}
static void hook_ident(struct file *f __unused, u64 *dev, u64 *ino)
{
	*dev = *ino = 1;
}
static int hook_fsync(struct file *f __unused)
{
	return 0;
}
static const struct vm_file_hooks hooks = {hook_file,  hook_file, hook_path,
					   hook_ident, hook_file, hook_fsync};

void vm_shim_start(unsigned n)
{
	host_harts(1);
	host_ram(RAM_BASE, RAM_BASE + n * PAGE_SIZE);
	nframes = n;
	frames = calloc(n, sizeof(*frames));
	list_init(&free_frames);
	for (unsigned i = 0; i < n; i++)
		list_add_tail(&free_frames, &frames[i].link);
	kernel_root = kernel_table;
	vm_init();
	swap_io_init();
	vm_set_file_hooks(&hooks);
}

static int reach(struct vm_map *m, u64 va, unsigned access, u8 **at, int *sig, int *code)
{
	for (int tries = 0; tries < 1000; tries++) {
		pte_t pte = pmap_lookup(&m->pmap, va);
		int err;

		if (pte_allows(pte, access)) {
			*at = (u8 *)pa_to_va(PTE_PA(pte)) + (va & PAGE_MASK);
			return 0;
		}
		err = vm_fault(m, va, access, sig, code);
		if (host_locks_held())
			panic("a fault left %u locks", host_locks_held());
		if (err)
			return err;
	}
	panic("the fault at %#lx never ends", (unsigned long)va);
}

int vm_shim_store(struct vm_map *m, u64 va, u8 byte, int *sig, int *code)
{
	u8 *p;
	int err = reach(m, va, VM_ACCESS_WRITE, &p, sig, code);

	if (!err)
		*p = byte;
	return err;
}

int vm_shim_load(struct vm_map *m, u64 va, u8 *byte, int *sig, int *code)
{
	u8 *p;
	int err = reach(m, va, VM_ACCESS_READ, &p, sig, code);

	if (!err)
		*byte = *p;
	return err;
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	return snprintf(dst, size, "%s", src);
}

void sched_forget_map(struct vm_map *map __unused)
{
}

/* ---- kernel parameters: none is given ---- */

u64 kernel_param_u64(const char *name, u64 dflt)
{
	(void)name;
	return dflt;
}
