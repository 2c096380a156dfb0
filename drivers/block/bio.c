// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bios: their memory, and waiting for them.
 *
 * Writing pages out is how memory comes free, so it must not need memory that is not there: RESERVE bios of the largest size are kept
 * for when the allocator has none, and whoever may sleep waits for one of them to come back.
 *
 * Waiting: a bio's `arg` points to a flag on the waiter's stack, whose setting is the last thing the completion does with the waiter's
 * memory; the wait queue is one of a few shared ones, so that it outlives both.
 *
 * Lock: reserve.lock (LOCK_BLOCK).
 */

#include "drivers/block/block_internal.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/sync/waitq.h"

#define RESERVE 8u
#define WAITQS	16u

/* A bio with its pieces behind it. */
struct big_bio {
	struct bio bio;
	struct bio_vec vecs[];
};

/* Field markings and the corresponding locks:
 * (l) lock   (c) constant after bio_init
 */
static struct {
	struct spinlock lock; /* (c) */
	struct list free;     /* (l) */
	struct waitq wait;    /* (c) */
} reserve;

static struct waitq waitqs[WAITQS]; /* (c) for bio_wait, by address of the bio */

void bio_init(void)
{
	spin_init(&reserve.lock, LOCK_BLOCK, "bio reserve");
	list_init(&reserve.free);
	waitq_init(&reserve.wait);
	for (unsigned i = 0; i < WAITQS; i++)
		waitq_init(&waitqs[i]);
	for (unsigned i = 0; i < RESERVE; i++) {
		struct big_bio *b = kzalloc(sizeof(*b) + BIO_MAX_VECS * sizeof(struct bio_vec));

		if (!b)
			panic("no memory for the reserve of bios");
		list_add(&reserve.free, &b->bio.link);
	}
}

static struct big_bio *reserve_take(void)
{
	u64 irq = spin_lock_irq(&reserve.lock);
	struct list *l = list_pop(&reserve.free);

	spin_unlock_irq(&reserve.lock, irq);
	return l ? list_entry(l, struct big_bio, bio.link) : NULL;
}

struct bio *bio_alloc(u32 nvecs, bool can_sleep)
{
	struct big_bio *b;
	bool reserved = false;

	ASSERT(nvecs <= BIO_MAX_VECS);
	b = kmalloc(sizeof(*b) + (nvecs > 1 ? nvecs * sizeof(struct bio_vec) : 0), KM_NOWAIT);
	if (unlikely(!b)) {
		reserved = true;
		b = reserve_take();
		if (!b && can_sleep)
			wait_event(&reserve.wait, (b = reserve_take()));
		if (!b)
			return NULL;
	}
	memset(&b->bio, 0, sizeof(b->bio));
	list_init(&b->bio.link);
	b->bio.vecs = nvecs > 1 ? b->vecs : &b->bio.inline_vec;
	b->bio.reserved = reserved;
	return &b->bio;
}

void bio_free(struct bio *b)
{
	u64 irq;

	if (!b)
		return;
	if (likely(!b->reserved)) {
		kfree(container_of(b, struct big_bio, bio));
		return;
	}
	irq = spin_lock_irq(&reserve.lock);
	list_add(&reserve.free, &b->link);
	spin_unlock_irq(&reserve.lock, irq);
	waitq_wake_all(&reserve.wait);
}

static struct waitq *waitq_of(const struct bio *b)
{
	return &waitqs[((uintptr_t)b >> 6) % WAITQS];
}

static void wait_done(struct bio *b)
{
	struct waitq *q = waitq_of(b);

	__atomic_store_n((bool *)b->arg, true, __ATOMIC_RELEASE); /* b may be gone from here on */
	waitq_wake_all(q);
}

int bio_wait(struct bio *b)
{
	bool done = false;

	b->flags |= BIO_SYNC;
	b->done = wait_done;
	/* cppcheck-suppress autoVariables ; nobody uses it after the wait */
	b->arg = &done;
	bio_submit(b);
	wait_event(waitq_of(b), __atomic_load_n(&done, __ATOMIC_ACQUIRE));
	return b->status;
}
