// SPDX-License-Identifier: BSD-2-Clause
/*
 * The request queue of a disk, shared by its partitions.
 *
 *	bio -> (joined to a pending request | a free request | waiting) -> pending -> driver -> done
 *
 * Pending requests go to the driver first come, first served, so nobody starves; neighbours join a pending request through an
 * index ordered by kind and sector.  The requests of a queue are made when it is, so that I/O needs no memory; bios that find none
 * free wait in order.
 *
 * BIO_FLUSH covers writes that were done before it was submitted, so it needs no barrier, and flushes that are pending
 * together are one.  BIO_FUA on a device that lacks it is a write followed by a flush before its bios are done.
 *
 * Plugging: while a thread has a plug, its requests are held back as long as the device has others to work on; the next one done, or the
 * unplug, sends all that is pending.  So a held request never waits for its own submitter, who may sleep.
 *
 * A request of several bios that fails is tried again bio by bio: a bad sector harms only who wanted it.  A bio larger than a request may
 * be is done in slices, one after the other.
 *
 * Invariants: a pending request without bios does not exist; in_flight counts requests between start and done; if there is anything
 * pending or waiting, and nothing is in flight, somebody is about to dispatch.
 *
 * Lock: queue.lock (LOCK_BLOCK), interrupts off.  done() of a bio is called without it.
 */

#include "drivers/block/block_internal.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/mem/stat.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"

#define SAY_PERIOD (5 * NSEC_PER_SEC)
#define SAY_MAX	   10u /* errors shown in a period */
#define HOLD_MAX   32u /* pending requests that a plug may hold back */

/* Field markings and the corresponding locks:
 * (c) constant   (q) lock
 */
struct block_queue {
	struct spinlock lock;		 /* (c) */
	const char *name;		 /* (c) */
	const struct block_ops *ops;	 /* (c) */
	void *drv;			 /* (c) */
	struct block_limits limits;	 /* (c) */
	struct list free;		 /* (q) requests */
	struct list pending;		 /* (q) requests, oldest first */
	struct rb_tree index;		 /* (q) those of `pending` that bios may join */
	struct block_request *flush;	 /* (q) a flush in `pending`, or NULL */
	struct list waiting;		 /* (q) bios without a request */
	u32 npending;			 /* (q) */
	u32 in_flight;			 /* (q) */
	u64 said_at;			 /* (q) beginning of a period in which errors are counted */
	u32 said, unsaid;		 /* (q) errors in it, shown and not shown */
	struct block_request requests[]; /* (c) array */
};

struct block_queue *queue_create(const char *name, const struct block_disk *disk)
{
	u32 n = disk->limits.depth * 2;
	struct block_queue *q = kmalloc(sizeof(*q) + n * sizeof(q->requests[0]), KM_ZERO);

	if (!q)
		return NULL;
	spin_init(&q->lock, LOCK_BLOCK, name);
	q->name = name;
	q->ops = disk->ops;
	q->drv = disk->drv;
	q->limits = disk->limits;
	list_init(&q->free);
	list_init(&q->pending);
	list_init(&q->waiting);
	for (u32 i = 0; i < n; i++) {
		q->requests[i].queue = q;
		list_init(&q->requests[i].bios);
		list_add_tail(&q->free, &q->requests[i].link);
	}
	return q;
}

void queue_destroy(struct block_queue *q)
{
	kfree(q);
}

const struct block_limits *queue_limits(const struct block_queue *q)
{
	return &q->limits;
}

bool queue_absent(const struct block_queue *q)
{
	return q->ops->absent && q->ops->absent(q->drv);
}

/* ---- joining; all with the lock held ---- */

/* Requests that may be one have the same kind. */
static unsigned kind(enum bio_op op, u32 flags)
{
	return op * 2 + ((flags & BIO_FUA) != 0);
}

static unsigned request_kind(const struct block_request *r)
{
	return kind(r->op, r->flags);
}

static struct block_request *indexed(struct rb_node *n)
{
	return n ? container_of(n, struct block_request, node) : NULL;
}

static bool before(unsigned k, u64 sector, const struct block_request *r)
{
	return k != request_kind(r) ? k < request_kind(r) : sector < r->sector;
}

static void index_add(struct block_queue *q, struct block_request *r)
{
	struct rb_node **link = &q->index.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = before(request_kind(r), r->sector, indexed(parent)) ? &parent->left
									   : &parent->right;
	}
	rb_insert(&q->index, &r->node, parent, link);
	r->indexed = true;
}

static void index_del(struct block_queue *q, struct block_request *r)
{
	if (r->indexed)
		rb_erase(&q->index, &r->node);
	r->indexed = false;
}

/* The last indexed request of b's kind that does not begin after b, and the one that follows it. */
static void neighbours(struct block_queue *q, const struct bio *b, struct block_request **prev,
		       struct block_request **next)
{
	struct rb_node *n = q->index.root;
	unsigned k = kind(b->op, b->flags);

	*prev = *next = NULL;
	while (n) {
		struct block_request *r = indexed(n);

		if (before(k, b->abs_sector, r)) {
			*next = r;
			n = n->left;
		} else {
			*prev = r;
			n = n->right;
		}
	}
	if (*prev && request_kind(*prev) != k)
		*prev = NULL;
	if (*next && request_kind(*next) != k)
		*next = NULL;
}

static bool fits(const struct block_queue *q, const struct block_request *r, const struct bio *b)
{
	return r->nvecs + b->nvecs <= q->limits.max_segments &&
	       r->nsectors + b->nsectors <= q->limits.max_sectors;
}

static bool join(struct block_queue *q, struct bio *b)
{
	struct block_request *prev, *next;

	if (b->op == BIO_FLUSH && q->flush) {
		list_add_tail(&q->flush->bios, &b->link);
		return true;
	}
	if (b->alone || (b->op != BIO_READ && b->op != BIO_WRITE))
		return false;
	neighbours(q, b, &prev, &next);
	if (prev && prev->sector + prev->nsectors == b->abs_sector && fits(q, prev, b)) {
		list_add_tail(&prev->bios, &b->link);
		prev->nvecs += b->nvecs;
		prev->nsectors += b->nsectors;
		return true;
	}
	if (next && b->abs_sector + b->nsectors == next->sector && fits(q, next, b)) {
		list_add(&next->bios, &b->link);
		next->nvecs += b->nvecs;
		next->nsectors += b->nsectors;
		next->sector =
			b->abs_sector; /* prev does not begin after b: the order in the index stays */
		return true;
	}
	return false;
}

/* ---- slices: [done_sectors, ...) of a bio that is larger than a request ---- */

/* The piece in which b's sector number `from` lies; *skip: bytes of it before. */
static u32 vec_at(const struct bio *b, u32 from, u32 *skip)
{
	u64 bytes = (u64)from << SECTOR_SHIFT;
	u32 i = 0;

	for (; bytes && bytes >= b->vecs[i].len; i++)
		bytes -= b->vecs[i].len;
	*skip = bytes;
	return i;
}

/* Sets the extent of r, whose only bio is b, from where b is now. */
static void slice(const struct block_queue *q, struct block_request *r, const struct bio *b)
{
	u32 left = b->nsectors - b->done_sectors, skip, i;
	u64 bytes = 0, max;

	r->sector = b->abs_sector + b->done_sectors;
	r->nvecs = 0;
	if (b->op == BIO_DISCARD) {
		r->nsectors = MIN(left, q->limits.max_discard_sectors);
		return;
	}
	max = (u64)MIN(left, q->limits.max_sectors) << SECTOR_SHIFT;
	for (i = vec_at(b, b->done_sectors, &skip);
	     bytes < max && r->nvecs < q->limits.max_segments; i++, skip = 0) {
		bytes += b->vecs[i].len - skip;
		r->nvecs++;
	}
	/* whole logical blocks, though pieces may end within one */
	bytes = ALIGN_DOWN(MIN(bytes, max), (u64)q->limits.sector_size);
	ASSERT(!left || bytes);
	r->nsectors = bytes >> SECTOR_SHIFT;
}

u32 block_request_segments(const struct block_request *r, struct block_segment *out, u32 max)
{
	u64 left = (u64)r->nsectors << SECTOR_SHIFT;
	const struct bio *b;
	u32 n = 0, skip;

	if (r->op != BIO_READ && r->op != BIO_WRITE)
		return 0;
	list_for_each(b, &r->bios, link) {
		for (u32 i = vec_at(b, b->done_sectors, &skip); i < b->nvecs && left;
		     i++, skip = 0) {
			u32 len = MIN((u64)b->vecs[i].len - skip, left);
			paddr_t pa = frame_pa(b->vecs[i].frame) + b->vecs[i].offset + skip;

			left -= len;
			if (n && out[n - 1].pa + out[n - 1].len == pa) {
				out[n - 1].len += len;
				continue;
			}
			ASSERT(n < max);
			out[n++] = (struct block_segment){pa, len};
		}
	}
	ASSERT(!left);
	return n;
}

/* ---- queueing; all with the lock held ---- */

/* Finds a place for b; false: no request is free. */
static bool place(struct block_queue *q, struct bio *b)
{
	struct block_request *r;

	if (join(q, b))
		return true;
	r = list_first(&q->free, struct block_request, link);
	if (!r)
		return false;
	list_del(&r->link);
	r->op = b->op;
	r->flags = b->flags & BIO_FUA;
	r->fua_flush = false;
	r->sector = b->abs_sector;
	r->nsectors = b->nsectors;
	r->nvecs = b->nvecs;
	if (b->alone)
		slice(q, r, b);
	list_add_tail(&r->bios, &b->link);
	list_add_tail(&q->pending, &r->link);
	q->npending++;
	if (b->op == BIO_FLUSH)
		q->flush = r;
	else if (!b->alone && b->op != BIO_DISCARD)
		index_add(q, r);
	return true;
}

static void place_waiting(struct block_queue *q)
{
	struct bio *b;

	while ((b = list_first(&q->waiting, struct bio, link))) {
		list_del(&b->link);
		if (!place(q, b)) {
			list_add(&q->waiting, &b->link);
			return;
		}
	}
}

/* Off the pending list, to the driver. False: it has no room, r is where it was. */
static bool start(struct block_queue *q, struct block_request *r)
{
	bool was_indexed = r->indexed;

	list_del(&r->link);
	index_del(q, r);
	r->started = time_now();
	if (!q->ops->start(q->drv, r)) {
		ASSERT(q->in_flight); /* else nothing would ever ask again */
		list_add(&q->pending, &r->link);
		if (was_indexed)
			index_add(q, r);
		return false;
	}
	if (q->flush == r)
		q->flush = NULL;
	q->npending--;
	q->in_flight++;
	return true;
}

/* Sends what is pending, as much as the driver takes. True: the device is to be told, by unlock_and_kick. */
static bool dispatch(struct block_queue *q)
{
	struct block_request *r;
	bool any = false;

	while ((r = list_first(&q->pending, struct block_request, link)) &&
	       q->in_flight < q->limits.depth) {
		if (!start(q, r))
			break;
		any = true;
	}
	return any && q->ops->kick;
}

/* To tell a device can take long (an emulated one does the work meanwhile): others get at the queue. */
static NO_TS void unlock_and_kick(struct block_queue *q, bool kick, u64 irq) RELEASES(q->lock)
{
	if (!kick) {
		spin_unlock_irq(&q->lock, irq);
		return;
	}
	preempt_disable();
	spin_unlock(&q->lock);
	q->ops->kick(q->drv);
	irq_restore(irq);
	preempt_enable();
}

void queue_dispatch(struct block_queue *q)
{
	u64 irq = spin_lock_irq(&q->lock);

	unlock_and_kick(q, dispatch(q), irq);
}

/* May the dispatch of what this thread submits wait for more? */
static bool hold_back(struct block_queue *q, const struct bio *b)
{
	struct thread *t = current();
	struct block_queue *other;

	if (likely(!t->plug_depth) || t->intr_depth || (b->flags & BIO_SYNC))
		return false;
	other = t->plug_queue;
	t->plug_queue = q;
	if (other && other != q)
		queue_dispatch(other);
	return true;
}

void queue_submit(struct block_queue *q, struct bio *b)
{
	bool hold = hold_back(q, b), kick = false;
	u64 irq;

	b->status = 0;
	b->done_sectors = 0;
	b->alone = b->nvecs > q->limits.max_segments || b->nsectors > q->limits.max_sectors;
	if (b->op == BIO_DISCARD)
		b->alone = b->nsectors > q->limits.max_discard_sectors;
	if (q->limits.readonly ? b->op != BIO_READ : b->op == BIO_FLUSH && !q->limits.flush) {
		b->status = b->op == BIO_FLUSH ? 0 : -EROFS;
		b->done(b);
		return;
	}
	irq = spin_lock_irq(&q->lock);
	if (!list_empty(&q->waiting) || !place(q, b))
		list_add_tail(&q->waiting, &b->link);
	if (!hold || !q->in_flight || q->npending >= HOLD_MAX)
		kick = dispatch(q);
	unlock_and_kick(q, kick, irq);
}

void block_plug(void)
{
	current()->plug_depth++;
}

void block_unplug(void)
{
	struct thread *t = current();
	struct block_queue *q = t->plug_queue;

	ASSERT(t->plug_depth);
	if (--t->plug_depth)
		return;
	t->plug_queue = NULL;
	if (q)
		queue_dispatch(q);
}

/* ---- completion ---- */

static void count(struct block_dev *d, const struct bio *b, u64 ns)
{
	unsigned dir = b->op == BIO_READ ? 0 : 1;

	d->stats.ios[dir]++;
	d->stats.sectors[dir] += b->op == BIO_FLUSH ? 0 : b->nsectors;
	d->stats.ticks_ns[dir] += ns;
	if (d->disk)
		count(d->disk, b, ns);
}

static void request_free(struct block_queue *q, struct block_request *r)
{
	ASSERT(list_empty(&r->bios) && !r->indexed);
	list_add(&q->free, &r->link);
}

static const char *op_name(enum bio_op op)
{
	static const char *const names[] = {"read", "write", "flush", "discard"};

	return names[op];
}

/* A merged request failed: each of its bios on its own, before anything that waits. */
static void split(struct block_queue *q, struct block_request *r)
{
	struct list *l;

	while (!list_empty(&r->bios)) {
		l = r->bios.prev;
		list_del(l);
		list_entry(l, struct bio, link)->alone = true;
		list_add(&q->waiting, l);
	}
}

/* More to do before the bios of r are done?  Lock held. */
static bool goes_on(struct block_queue *q, struct block_request *r, int err)
{
	struct bio *b = list_first(&r->bios, struct bio, link);

	if (err && r->bios.next != r->bios.prev && r->op != BIO_FLUSH) {
		split(q, r);
		return false;
	}
	if (err)
		return false;
	if (r->op == BIO_WRITE && (r->flags & BIO_FUA) && !q->limits.fua && q->limits.flush) {
		r->op = BIO_FLUSH;
		r->fua_flush = true;
		list_add(&q->pending, &r->link);
		q->npending++;
		return true;
	}
	if (b->alone && b->op != BIO_FLUSH && b->done_sectors + r->nsectors < b->nsectors) {
		b->done_sectors += r->nsectors;
		list_del(&b->link);
		list_add(&q->waiting, &b->link);
	}
	return false;
}

/* The bios of r that are done now go to `out`. Lock held. */
static void collect(struct block_queue *q, struct block_request *r, int err, struct list *out)
{
	u64 ns = time_now() - r->started;
	struct bio *b;

	list_for_each(b, &r->bios, link) {
		b->status = err;
		count(b->dev, b, ns);
	}
	list_splice_tail(out, &r->bios);
	request_free(q, r);
}

/* A disk that is gone fails everything: the first lines say it. Lock held. */
static void say_error(struct block_queue *q, const struct block_request *r, int err)
{
	u64 now = time_now();

	if (now - q->said_at > SAY_PERIOD) {
		if (q->unsaid)
			kprintf("<3>%s: %u errors more were not shown\n", q->name, q->unsaid);
		q->said_at = now;
		q->said = q->unsaid = 0;
	}
	if (q->said == SAY_MAX) {
		q->unsaid++;
		return;
	}
	q->said++;
	kprintf("<3>%s: %s error %d at sector %lu, %u sectors\n", q->name, op_name(r->op), -err,
		(unsigned long)r->sector, r->nsectors);
}

void block_request_done(struct block_request *r, int err)
{
	struct block_queue *q = r->queue;
	struct list done = LIST_INIT(done), *l;
	u64 irq = spin_lock_irq(&q->lock);

	ASSERT(q->in_flight);
	q->in_flight--;
	if (!goes_on(q, r, err)) {
		if (err && !list_empty(&r->bios))
			say_error(q, r, err);
		collect(q, r, err, &done);
	}
	place_waiting(q);
	unlock_and_kick(q, dispatch(q), irq);
	while ((l = list_pop(&done))) {
		struct bio *b = list_entry(l, struct bio, link);

		if (b->op == BIO_READ)
			vm_count(VMEV_pgpgin, b->nsectors / 2);
		else if (b->op == BIO_WRITE)
			vm_count(VMEV_pgpgout, b->nsectors / 2);
		b->done(b);
	}
}

void queue_stats(struct block_queue *q, const struct block_stats *from, struct block_stats *out)
{
	u64 irq = spin_lock_irq(&q->lock);

	*out = *from;
	out->in_flight = q->in_flight;
	spin_unlock_irq(&q->lock, irq);
}
