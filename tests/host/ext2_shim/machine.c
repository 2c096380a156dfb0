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

void spin_init(struct spinlock *l, enum lock_rank rank, const char *name)
{
	l->word = 0;
	l->rank = (u16)rank;
	l->name = name;
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

static void transfer(struct bio *b)
{
	u64 at = b->sector * SECTOR_SIZE;
	u32 k;

	b->status = 0;
	for (k = 0; k < b->nvecs; k++) {
		struct bio_vec *v = &b->vecs[k];
		u8 *mem = (u8 *)frame_va(v->frame) + v->offset;

		ASSERT(v->len && v->len % SECTOR_SIZE == 0 && v->offset + v->len <= PAGE_SIZE);
		ASSERT(at + v->len <= shim_disk.size);
		if (b->op == BIO_WRITE)
			memcpy(shim_disk.data + at, mem, v->len);
		else if (at / SECTOR_SIZE < shim_disk.fail_read_to &&
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
	ASSERT(nheld == 0);
	queue[queued++] = b;
}

int bio_wait(struct bio *b)
{
	transfer(b);
	return b->status;
}

/* Finishes one request, any of them: false if there is none. */
bool shim_io_one(void);
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
