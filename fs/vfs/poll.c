// SPDX-License-Identifier: BSD-2-Clause
/*
 * Waiting for several files at once.  A poll table belongs to one thread: an entry on each queue that may make a file ready, and a
 * flag that the first wake-up sets.  Entries come in chunks, so that their addresses stay; the files must stay open meanwhile.
 *
 * Locks: each entry is on its queue under the queue's lock (WAITQ); `woken` is atomic.
 */
#include "fs/vfs/vfs_internal.h"

#define FIRST_ENTRIES 6
#define CHUNK_ENTRIES 60

struct entry {
	struct waiter w; /* under q->lock */
	struct waitq *q;
	struct thread_table *pt;
};

struct chunk {
	struct chunk *next;
	struct entry e[CHUNK_ENTRIES];
};

/* Field markings and the corresponding locks:
 * (c) constant   (o) the owning thread   (a) atomic
 */
struct thread_table {
	struct poll_table pt;		   /* (c) first: what poll operations see */
	struct thread *thread;		   /* (c) */
	struct waitq self;		   /* (c) where the owner sleeps */
	bool woken;			   /* (a) */
	bool failed;			   /* (o) an entry could not be made: nobody may sleep */
	unsigned n;			   /* (o) entries in use */
	struct chunk *chunks;		   /* (o) newest first */
	struct entry first[FIRST_ENTRIES]; /* (o) */
};

static void stand(struct poll_table *pt, struct waitq *q);

static struct thread_table *table_of(struct poll_table *pt)
{
	return container_of(pt, struct thread_table, pt);
}

struct poll_table *poll_table_create(void)
{
	struct thread_table *pt = kzalloc(sizeof(*pt));

	if (!pt)
		return NULL;
	pt->pt.stand = stand;
	pt->thread = current();
	waitq_init(&pt->self);
	return &pt->pt;
}

static struct entry *new_entry(struct thread_table *pt)
{
	unsigned k = pt->n;
	struct chunk *c;

	if (k < FIRST_ENTRIES) {
		pt->n++;
		return &pt->first[k];
	}
	k = (k - FIRST_ENTRIES) % CHUNK_ENTRIES;
	if (k == 0) {
		c = kmalloc(sizeof(*c), 0);
		if (!c)
			return NULL;
		c->next = pt->chunks;
		pt->chunks = c;
	}
	pt->n++;
	return &pt->chunks->e[k];
}

/* By the waker, under the queue's lock, any context. */
static void on_wake(struct waiter *w)
{
	struct thread_table *pt = container_of(w, struct entry, w)->pt;

	__atomic_store_n(&pt->woken, true, __ATOMIC_RELEASE);
	sched_wake(pt->thread);
}

static void stand(struct poll_table *table, struct waitq *q)
{
	struct thread_table *pt = table_of(table);
	struct entry *e;
	u64 irq;

	e = new_entry(pt);
	if (!e) {
		pt->failed = true;
		return;
	}
	*e = (struct entry){.w = {.thread = pt->thread, .fn = on_wake}, .q = q, .pt = pt};
	irq = spin_lock_irq(&q->lock);
	list_add(&q->waiters, &e->w.link);
	spin_unlock_irq(&q->lock, irq);
	/* wakers change their state, then look at the queue; we the other way round */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void leave(struct entry *e)
{
	u64 irq = spin_lock_irq(&e->q->lock);

	list_del(&e->w.link);
	spin_unlock_irq(&e->q->lock, irq);
}

void poll_table_reset(struct poll_table *table)
{
	struct thread_table *pt = table_of(table);
	struct chunk *c;

	for (; pt->n > FIRST_ENTRIES; pt->n--) {
		unsigned k = (pt->n - 1 - FIRST_ENTRIES) % CHUNK_ENTRIES;

		leave(&pt->chunks->e[k]);
		if (k == 0) {
			c = pt->chunks;
			pt->chunks = c->next;
			kfree(c);
		}
	}
	while (pt->n > 0)
		leave(&pt->first[--pt->n]);
	pt->failed = false;
	__atomic_store_n(&pt->woken, false, __ATOMIC_RELEASE);
}

void poll_table_free(struct poll_table *table)
{
	if (!table)
		return;
	poll_table_reset(table);
	kfree(table_of(table));
}

int poll_table_wait(struct poll_table *table, u64 deadline)
{
	struct thread_table *pt = table_of(table);

	if (pt->failed) /* not on every queue */
		return -ENOMEM;
	return wait_event_until(&pt->self, __atomic_load_n(&pt->woken, __ATOMIC_ACQUIRE), WAIT_INTR,
				deadline);
}
