// SPDX-License-Identifier: BSD-2-Clause
/*
 * Block devices: disks and their partitions, their names and numbers, who has claimed them, and the checks that every bio passes on its
 * way to the queue of its disk (queue.c).
 *
 * Invariants: a device lies within its disk; devices are never removed, so a pointer stays good; names and numbers are unique.
 *
 * Lock: registry.lock (LOCK_BLOCK) guards the list of devices; it is not held together with a queue's.
 */

#include "drivers/block/block_internal.h"
#include "drivers/core/device.h"
#include "kernel/boot/init.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"

#define MINORS_PER_DISK 16u  /* the disk and partitions 1 to 15 */
#define DYNAMIC_MAJOR	259u /* further partitions, as Linux numbers them */

/* Field markings and the corresponding locks:
 * (r) lock   (c) constant after block_init
 */
static struct {
	struct spinlock lock; /* (c) */
	struct list devices;  /* (r) in order of registration */
	u32 next_dynamic;     /* (r) minor */
} registry;

void block_init(void)
{
	spin_init(&registry.lock, LOCK_BLOCK, "block devices");
	list_init(&registry.devices);
	bio_init();
}
INITCALL(CORE, block_init);

/* Disks sleep while they are added, for their partition tables: their drivers are probed with everything else up. */
static void probe_disks(void)
{
	devices_probe(STAGE_DEVICE);
}
INITCALL(DRIVER, probe_disks);

/* Linux's encoding of device numbers (new_encode_dev). */
static u64 make_devno(u32 major, u32 minor)
{
	return (minor & 0xff) | major << 8 | (u64)(minor & ~0xffu) << 12;
}

/* ---- finding ---- */

void block_hold(struct block_dev *d)
{
	__atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}

void block_drop(struct block_dev *d)
{
	u32 old;

	if (!d)
		return;
	old = __atomic_fetch_sub(&d->refs, 1, __ATOMIC_RELEASE);
	ASSERTF(old > 1, "%s", d->name); /* the registry's own stays */
}

typedef bool (*match_fn)(const struct block_dev *d, const void *what);

/* The first device that matches, held. */
static struct block_dev *find(match_fn match, const void *what)
{
	struct block_dev *d, *found = NULL;
	u64 irq = spin_lock_irq(&registry.lock);

	list_for_each(d, &registry.devices, link) {
		if (match(d, what)) {
			found = d;
			block_hold(d);
			break;
		}
	}
	spin_unlock_irq(&registry.lock, irq);
	return found;
}

static bool match_name(const struct block_dev *d, const void *what)
{
	return !strcmp(d->name, what);
}

static bool same_nocase(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		char x = *a >= 'A' && *a <= 'Z' ? *a + 32 : *a,
		     y = *b >= 'A' && *b <= 'Z' ? *b + 32 : *b;

		if (x != y)
			return false;
	}
	return *a == *b;
}

static bool match_uuid(const struct block_dev *d, const void *what)
{
	return d->uuid[0] && same_nocase(d->uuid, what);
}

static bool match_label(const struct block_dev *d, const void *what)
{
	return d->label[0] && !strcmp(d->label, what);
}

static bool match_devno(const struct block_dev *d, const void *what)
{
	return d->devno == *(const u64 *)what;
}

static bool match_nth(const struct block_dev *d, const void *what)
{
	(void)d;
	return !(*(unsigned *)what)--;
}

static const char *after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) ? NULL : s + n;
}

struct block_dev *block_find(const char *name)
{
	const char *rest;

	rest = after(name, "PARTUUID=");
	if (rest)
		return find(match_uuid, rest);
	rest = after(name, "PARTLABEL=");
	if (rest)
		return find(match_label, rest);
	rest = after(name, "/dev/");
	return find(match_name, rest ? rest : name);
}

struct block_dev *block_by_devno(u64 rdev)
{
	return find(match_devno, &rdev);
}

struct block_dev *block_nth(unsigned k)
{
	return find(match_nth, &k);
}

/* ---- attributes ---- */

const char *block_name(const struct block_dev *d)
{
	return d->name;
}

const char *block_label(const struct block_dev *d)
{
	return d->label;
}

const char *block_uuid(const struct block_dev *d)
{
	return d->uuid;
}

u64 block_sectors(const struct block_dev *d)
{
	return d->sectors;
}

u32 block_sector_size(const struct block_dev *d)
{
	return queue_limits(d->queue)->sector_size;
}

bool block_readonly(const struct block_dev *d)
{
	return queue_limits(d->queue)->readonly;
}

bool block_discards(const struct block_dev *d)
{
	return queue_limits(d->queue)->max_discard_sectors != 0;
}

bool block_absent(const struct block_dev *d)
{
	return queue_absent(d->queue);
}

u64 block_devno(const struct block_dev *d)
{
	return d->devno;
}

void **block_cache_slot(struct block_dev *d)
{
	return &d->cache;
}

void block_stats(const struct block_dev *d, struct block_stats *out)
{
	queue_stats(d->queue, &d->stats, out);
}

int block_claim(struct block_dev *d, void *who)
{
	void *none = NULL;

	ASSERT(who);
	return __atomic_compare_exchange_n(&d->claimed, &none, who, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED)
		       ? 0
		       : -EBUSY;
}

void block_unclaim(struct block_dev *d, void *who)
{
	ASSERTF(d->claimed == who, "%s", d->name);
	__atomic_store_n(&d->claimed, NULL, __ATOMIC_RELEASE);
}

/* ---- submitting ---- */

static u64 data_sectors(const struct bio *b, u32 align, bool *bad)
{
	u64 bytes = 0;

	for (u32 i = 0; i < b->nvecs; i++) {
		const struct bio_vec *v = &b->vecs[i];

		*bad |= !v->len || (v->len | v->offset) % SECTOR_SIZE;
		bytes += v->len;
	}
	*bad |= !bytes || bytes % align || bytes > (u64)UINT32_MAX << SECTOR_SHIFT;
	return bytes >> SECTOR_SHIFT;
}

/* Fills in what the queue needs.  0, or why the bio cannot be. */
static int bio_check(struct bio *b)
{
	const struct block_limits *lim = queue_limits(b->dev->queue);
	bool bad = false;

	b->abs_sector = b->dev->start + b->sector;
	if (b->op == BIO_FLUSH) {
		b->nvecs = b->nsectors = 0;
		return 0;
	}
	if (b->op == BIO_DISCARD) {
		b->nvecs = 0;
		if (!lim->max_discard_sectors)
			return -EOPNOTSUPP;
		bad = !b->nsectors || b->nsectors % (lim->sector_size / SECTOR_SIZE);
	} else {
		b->nsectors = data_sectors(b, lim->sector_size, &bad);
	}
	if (bad || b->sector % (lim->sector_size / SECTOR_SIZE))
		return -EINVAL;
	if (b->sector >= b->dev->sectors || b->nsectors > b->dev->sectors - b->sector) {
		kprintf("<4>%s: access beyond the end: sector %lu, %u sectors, device has %lu\n",
			b->dev->name, (unsigned long)b->sector, b->nsectors,
			(unsigned long)b->dev->sectors);
		return -EIO;
	}
	return 0;
}

void bio_submit(struct bio *b)
{
	int err = bio_check(b);

	if (err) {
		b->status = err;
		b->done(b);
		return;
	}
	queue_submit(b->dev->queue, b);
}

int block_flush(struct block_dev *d)
{
	struct bio *b = bio_alloc(0, true);
	int err;

	b->dev = d;
	b->op = BIO_FLUSH;
	err = bio_wait(b);
	bio_free(b);
	return err;
}

int block_read_sync(struct block_dev *d, u64 sector, void *buf, size_t n)
{
	struct frame *f = frame_alloc(0);
	struct bio *b;
	int err = f ? 0 : -ENOMEM;
	char *to = buf;

	while (n && !err) {
		u32 part = MIN(n, PAGE_SIZE);

		b = bio_alloc(1, true);
		b->dev = d;
		b->op = BIO_READ;
		b->sector = sector;
		b->nvecs = 1;
		b->vecs[0] = (struct bio_vec){f, 0, part};
		err = bio_wait(b);
		bio_free(b);
		if (!err)
			memcpy(to, frame_va(f), part);
		to += part;
		n -= part;
		sector += part >> SECTOR_SHIFT;
	}
	if (f)
		frame_free(f);
	return err;
}

/* ---- registering ---- */

/* prefix and n = 0, 1, ... 25, 26 as a, b, ... z, aa */
static void disk_name(char *out, size_t size, const char *prefix, u32 n)
{
	char suffix[8];
	unsigned at = sizeof(suffix) - 1;

	suffix[at] = 0;
	for (u64 k = n + 1UL; k && at; k = (k - 1) / 26)
		suffix[--at] = 'a' + (k - 1) % 26;
	ksnprintf(out, size, "%s%s", prefix, suffix + at);
}

static bool match_disk_prefix(const struct block_dev *d, const char *prefix)
{
	const char *rest = after(d->name, prefix);

	return !d->disk && rest && *rest >= 'a' && *rest <= 'z';
}

static u32 count_disks(const char *prefix)
{
	struct block_dev *d;
	u32 n = 0;
	u64 irq = spin_lock_irq(&registry.lock);

	list_for_each(d, &registry.devices, link)
		n += match_disk_prefix(d, prefix);
	spin_unlock_irq(&registry.lock, irq);
	return n;
}

static void publish(struct block_dev *d, u32 major, u32 disk, u32 part)
{
	u64 irq = spin_lock_irq(&registry.lock);

	d->refs = 1;
	d->devno = part < MINORS_PER_DISK ? make_devno(major, disk * MINORS_PER_DISK + part)
					  : make_devno(DYNAMIC_MAJOR, registry.next_dynamic++);
	list_add_tail(&registry.devices, &d->link);
	spin_unlock_irq(&registry.lock, irq);
}

/* A disk whose table is being read. */
struct adding {
	struct block_dev *disk;
	u32 major, number;
	int err;
};

static int scan_read(void *ctx, u64 sector, void *buf, size_t n)
{
	struct adding *a = ctx;

	return block_read_sync(a->disk, sector, buf, n);
}

static void scan_found(void *ctx, const struct partition *p)
{
	struct adding *a = ctx;
	struct block_dev *d = kzalloc(sizeof(*d));
	size_t n = strlen(a->disk->name);
	bool digit = a->disk->name[n - 1] >= '0' && a->disk->name[n - 1] <= '9';

	if (!d) {
		a->err = -ENOMEM;
		return;
	}
	ksnprintf(d->name, sizeof(d->name), "%s%s%u", a->disk->name, digit ? "p" : "", p->number);
	d->queue = a->disk->queue;
	d->disk = a->disk;
	d->start = p->start;
	d->sectors = p->sectors;
	strlcpy(d->uuid, p->uuid, sizeof(d->uuid));
	strlcpy(d->label, p->label, sizeof(d->label));
	publish(d, a->major, a->number, p->number);
	kprintf("%s: %lu sectors at %lu%s%s\n", d->name, (unsigned long)d->sectors,
		(unsigned long)d->start, d->label[0] ? ", " : "", d->label);
}

static void *scan_alloc(size_t n)
{
	return kmalloc(n, 0);
}

static int add_partitions(struct adding *a)
{
	struct partition_source src = {
		.name = a->disk->name,
		.sectors = a->disk->sectors,
		.sector_size = block_sector_size(a->disk),
		.read = scan_read,
		.ctx = a,
		.found = scan_found,
		.alloc = scan_alloc,
		.free = kfree,
	};
	int n = partitions_scan(&src);

	return n < 0 ? n : a->err;
}

static bool limits_ok(const struct block_limits *l)
{
	return l->sector_size >= SECTOR_SIZE && l->sector_size <= PAGE_SIZE &&
	       !(l->sector_size & (l->sector_size - 1)) && l->max_segments && l->max_sectors &&
	       l->max_sectors % (l->sector_size / SECTOR_SIZE) == 0 && l->depth &&
	       (u64)l->max_segments * SECTOR_SIZE >= l->sector_size;
}

int block_register(const struct block_disk *disk, struct block_dev **out)
{
	struct adding a = {.major = disk->major};
	struct block_dev *d;
	int err;

	if (!limits_ok(&disk->limits))
		return -EINVAL;
	d = kzalloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	a.disk = d;
	a.number = disk->numbered ? disk->number : count_disks(disk->prefix);
	if (disk->numbered)
		ksnprintf(d->name, sizeof(d->name), "%s%u", disk->prefix, a.number);
	else
		disk_name(d->name, sizeof(d->name), disk->prefix, a.number);
	d->sectors = disk->sectors;
	d->queue = queue_create(d->name, disk);
	if (!d->queue) {
		kfree(d);
		return -ENOMEM;
	}
	publish(d, a.major, a.number, 0);
	block_hold(d);
	*out = d;
	kprintf("%s: %lu MiB, sectors of %u bytes%s\n", d->name, (unsigned long)(d->sectors / 2048),
		disk->limits.sector_size, disk->limits.readonly ? ", read-only" : "");
	err = add_partitions(&a);
	if (err)
		kprintf("<4>%s: its partitions could not be read: error %d\n", d->name, -err);
	return 0;
}
