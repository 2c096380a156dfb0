// SPDX-License-Identifier: BSD-2-Clause
/* Locks, memory, messages, frames and the disk of the ext2 host tests: see shim.h. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/block/block.h"
#include "kernel/lib/radix_node.h"
#include "shim.h"

struct shim_disk shim_disk;
char shim_log[4096];
static size_t log_len;
static u64 rng = 88172645463325252ull;
static u64 pages;

bool shim_io_one(void);

u64 shim_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng >> 8;
}

void shim_seed(u64 seed)
{
	rng = seed * 2 + 1;
}

/* ---- messages ---- */

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	return vsnprintf(buf, size, fmt, ap);
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

void kprintf(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(shim_log + log_len, sizeof(shim_log) - log_len, fmt, ap);
	va_end(ap);
	if (n > 0 && log_len + (size_t)n < sizeof(shim_log) / 2)
		log_len += (size_t)n;
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nlog: %s\n", shim_log);
	abort();
}

/* ---- locks: one thread, so a lock that is taken stays so ---- */

void mutex_init(struct mutex *m, enum lock_rank rank, const char *name)
{
	m->owner = 0;
	m->rank = (u16)rank;
	m->name = name;
}

static u16 held_ranks[16];
static unsigned nheld;

static void push_rank(u16 rank, const char *name)
{
	ASSERTF(nheld == 0 || held_ranks[nheld - 1] < rank, "lock order: %s", name);
	ASSERT(nheld < ARRAY_LEN(held_ranks));
	held_ranks[nheld++] = rank;
}

static void pop_rank(u16 rank)
{
	ASSERT(nheld && held_ranks[nheld - 1] == rank);
	nheld--;
}

void mutex_lock(struct mutex *m)
{
	ASSERTF(!m->owner, "%s", m->name);
	push_rank(m->rank, m->name);
	m->owner = 1;
}

void mutex_unlock(struct mutex *m)
{
	ASSERT(m->owner);
	pop_rank(m->rank);
	m->owner = 0;
}

void spin_lock(struct spinlock *l)
{
	ASSERTF(!l->word, "%s", l->name);
	push_rank(l->rank, l->name);
	l->word = 1;
}

void spin_unlock(struct spinlock *l)
{
	ASSERT(l->word);
	pop_rank(l->rank);
	l->word = 0;
}

void rw_lock_read(struct rwlock *l)
{
	ASSERT(!l->writer);
	l->state++;
}

/* ---- waiting: somebody has to finish a request ---- */

void waitq_init(struct waitq *q)
{
	(void)q;
}

void waitq_wake_all(struct waitq *q)
{
	(void)q;
}

void wait_prepare(struct waitq *q, struct waiter *w, enum wait_how how)
{
	(void)q;
	(void)w;
	(void)how;
}

int wait_block(enum wait_how how, u64 deadline)
{
	(void)how;
	(void)deadline;
	ASSERT(shim_io_one());
	return 0;
}

void wait_finish(struct waitq *q, struct waiter *w)
{
	(void)q;
	(void)w;
}

void sleep_ns(u64 ns)
{
	(void)ns;
}

bool rw_trylock_read(struct rwlock *l)
{
	if (l->writer)
		return false;
	l->state++;
	return true;
}

void rw_unlock_read(struct rwlock *l)
{
	ASSERT(l->state > 0);
	l->state--;
}

bool rw_held_write(const struct rwlock *l)
{
	return l->writer;
}

/* ---- memory ---- */

struct kmem_cache {
	size_t size;
};

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	static struct kmem_cache caches[4];
	static unsigned n;

	(void)name;
	(void)align;
	caches[n].size = size;
	return &caches[n++];
}

void *kmem_cache_alloc(struct kmem_cache *c, unsigned flags)
{
	return kmalloc(c->size, flags);
}

void kmem_cache_free(struct kmem_cache *c, void *p)
{
	(void)c;
	free(p);
}

void *kmalloc(size_t n, unsigned flags)
{
	return flags & KM_ZERO ? calloc(1, n) : malloc(n);
}

void kfree(void *p)
{
	free(p);
}

u64 hash_bytes(const void *p, size_t n, u64 seed)
{
	const u8 *b = p;

	while (n--)
		seed = (seed ^ *b++) * 0x100000001b3ull;
	return seed;
}

void page_zero(void *page)
{
	memset(page, 0, PAGE_SIZE);
}

void page_copy(void *dst, const void *src)
{
	memcpy(dst, src, PAGE_SIZE);
}

struct frame *frame_alloc(unsigned flags)
{
	struct frame *f = calloc(1, sizeof(*f));
	u8 *page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);

	memset(page, flags & FA_ZERO ? 0 : 0xa5, PAGE_SIZE);
	f->private = (u64)(uintptr_t)page;
	f->holds = 1;
	pages++;
	return f;
}

void frame_free(struct frame *f)
{
	free((void *)(uintptr_t)f->private);
	free(f);
	pages--;
}

void *frame_va(const struct frame *f)
{
	return (void *)(uintptr_t)f->private;
}

u64 shim_pages(void)
{
	return pages;
}

struct radix_node *radix_node_alloc(bool can_sleep)
{
	(void)can_sleep;
	return calloc(1, sizeof(struct radix_node));
}

void radix_node_free(struct radix_node *n)
{
	free(n);
}

/* ---- disk ---- */

static struct bio *queue[4096];
static u32 queued;

int shim_load(const char *path)
{
	FILE *f = fopen(path, "rb");
	long size;

	if (!f)
		return -ENOENT;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	free(shim_disk.data);
	shim_disk = (struct shim_disk){.data = malloc((size_t)size), .size = (u64)size};
	if (fread(shim_disk.data, 1, (size_t)size, f) != (size_t)size)
		size = -EIO;
	fclose(f);
	return size < 0 ? -EIO : 0;
}

int shim_save(const char *path)
{
	FILE *f = fopen(path, "r+b");
	size_t n;

	ASSERT(queued == 0);
	if (!f)
		f = fopen(path, "wb");
	n = fwrite(shim_disk.data, 1, shim_disk.size, f);
	fclose(f);
	return n == shim_disk.size ? 0 : -EIO;
}

struct bio *bio_alloc(u32 nvecs, bool can_sleep)
{
	struct bio *b = calloc(1, sizeof(*b));

	(void)can_sleep;
	ASSERT(nvecs && nvecs <= 256);
	b->vecs = malloc(nvecs * sizeof(*b->vecs)); /* exactly: ASan sees one too many */
	return b;
}

void bio_free(struct bio *b)
{
	free(b->vecs);
	free(b);
}

/* ---- what a power cut leaves ---- */

struct entry {
	u64 at;	 /* byte on the disk */
	u32 len; /* 0: a flush */
	u8 *data;
};
static struct entry *entries;
static u64 nentries, max_entries;
static u8 *base;

static void record(u64 at, const void *data, u32 len)
{
	struct entry *e;

	if (!base)
		return;
	if (nentries == max_entries) {
		max_entries = max_entries ? 2 * max_entries : 1024;
		entries = realloc(entries, max_entries * sizeof(*entries));
	}
	e = &entries[nentries++];
	*e = (struct entry){.at = at, .len = len, .data = len ? malloc(len) : NULL};
	if (len)
		memcpy(e->data, data, len);
}

void shim_record(void)
{
	shim_record_end();
	base = malloc(shim_disk.size);
	memcpy(base, shim_disk.data, shim_disk.size);
}

u64 shim_recorded(void)
{
	return nentries;
}

void shim_record_end(void)
{
	while (nentries)
		free(entries[--nentries].data);
	free(base);
	base = NULL;
}

static void apply(const struct entry *e, bool torn)
{
	u32 k;

	for (k = 0; k < e->len; k += SECTOR_SIZE)
		if (!torn || shim_random() % 2)
			memcpy(shim_disk.data + e->at + k, e->data + k, SECTOR_SIZE);
}

void shim_cut(u64 at)
{
	u64 flushed = at, k, like = shim_random() % 4;

	while (flushed && entries[flushed - 1].len)
		flushed--;
	memcpy(shim_disk.data, base, shim_disk.size);
	for (k = 0; k < flushed; k++)
		apply(&entries[k], false);
	for (; k < at; k++)
		if (like == 3 || shim_random() % 3 < like)
			apply(&entries[k], shim_random() % 4 == 0);
}

static bool fails(void)
{
	return shim_disk.fail_writes && shim_random() % 100 < shim_disk.fail_writes;
}

static void transfer(struct bio *b)
{
	u64 at = b->sector * SECTOR_SIZE;
	u32 k;

	b->status = 0;
	/* a commit's copies are nobody's pages */
	if (b->op == BIO_WRITE && !b->vecs[0].frame->object &&
	    (fails() || (b->sector >= shim_disk.bad_from && b->sector < shim_disk.bad_to))) {
		b->status = -EIO;
		return;
	}
	for (k = 0; k < b->nvecs; k++) {
		struct bio_vec *v = &b->vecs[k];
		u8 *mem = (u8 *)frame_va(v->frame) + v->offset;

		ASSERT(v->len && v->len % SECTOR_SIZE == 0 && v->offset + v->len <= PAGE_SIZE);
		ASSERT(at + v->len <= shim_disk.size);
		if (b->op == BIO_WRITE) {
			memcpy(shim_disk.data + at, mem, v->len);
			record(at, mem, v->len);
		} else if (at / SECTOR_SIZE < shim_disk.fail_read_to &&
			   at / SECTOR_SIZE + v->len / SECTOR_SIZE > shim_disk.fail_read_from)
			b->status = -EIO;
		else
			memcpy(mem, shim_disk.data + at, v->len);
		at += v->len;
	}
	shim_disk.writes += b->op == BIO_WRITE;
}

void bio_submit(struct bio *b)
{
	ASSERT(queued < ARRAY_LEN(queue));
	ASSERT(nheld == 0 || (nheld == 1 && held_ranks[0] == LOCK_FS_COMMIT));
	queue[queued++] = b;
}

int bio_wait(struct bio *b)
{
	transfer(b);
	return b->status;
}

/* Finishes one request, any of them: false if there is none. */
bool shim_io_one(void)
{
	u32 k;
	struct bio *b;

	if (!queued)
		return false;
	k = (u32)(shim_random() % queued);
	b = queue[k];
	queue[k] = queue[--queued];
	transfer(b);
	b->done(b);
	return true;
}

void block_plug(void)
{
}

void block_unplug(void)
{
}

int block_flush(struct block_dev *d)
{
	(void)d;
	if (fails())
		return -EIO;
	record(0, NULL, 0);
	return 0;
}

const char *block_name(const struct block_dev *d)
{
	(void)d;
	return "disk";
}

u64 block_sectors(const struct block_dev *d)
{
	(void)d;
	return shim_disk.size / SECTOR_SIZE;
}

bool block_readonly(const struct block_dev *d)
{
	(void)d;
	return false;
}

void shim_log_reset(void);
void shim_log_reset(void)
{
	log_len = 0;
	shim_log[0] = 0;
}
