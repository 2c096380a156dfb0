// SPDX-License-Identifier: BSD-2-Clause
/*
 * The card in a slot as a disk.  One thread a slot takes requests in order, turns each into commands, and recovers from what goes wrong;
 * it also notices cards that come and go.  While a request's data flows, what the one before read is delivered and its pages are given back (which takes as
 * long as the card's answer), and the next one is prepared.
 *
 * The disk is made when the first card is identified and stays.  While no card is in, or another one than the disk's, its requests
 * fail with EIO; when the same card (by its CID) comes back, they work again.  A card that is in but stopped answering is
 * identified anew by a request that comes a second or more after the last try.
 *
 * A write is stable when the card has let go of the data line, which every request waits for: there is no cache to flush (SD cards
 * without the performance-enhancement cache of SD 6 do not lie about it).
 *
 * Lock: mmc_host.lock (LOCK_DRIVER), interrupts off, over the list of requests, taken inside the block queue's lock.
 */
#include "drivers/mmc/mmc.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"

#define MMC_MAJOR   179u
#define TRIES	    2  /* of a whole request */
#define PIECE	    8u /* sectors, when those failed */
#define PIECE_TRIES 8
#define MSEC	    (NSEC_PER_SEC / 1000)
#define ERASE_LIMIT \
	(10 * NSEC_PER_SEC) /* of a MiB; cards say how long in their SD status, and take far less */

/* ---- requests ---- */

static u32 card_address(const struct mmc_card *card, u64 sector)
{
	return (u32)(card->high_capacity ? sector : sector * SECTOR_SIZE);
}

/* Sectors [from, from+n) of the request in hand, as pieces of their own: how many. */
static u32 cut(struct mmc_host *h, u32 from, u32 n)
{
	const struct block_segment *segs = h->segs[h->turn];
	u64 skip = (u64)from * SECTOR_SIZE, left = (u64)n * SECTOR_SIZE;
	u32 k = 0;

	for (u32 i = 0; left && k < MMC_PART_SEGMENTS; i++) {
		u32 len = segs[i].len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		h->part[k].pa = segs[i].pa + skip;
		h->part[k].len = (u32)MIN(len - skip, left);
		left -= h->part[k++].len;
		skip = 0;
	}
	return k;
}

static void find_pieces(struct mmc_host *h, const struct block_request *r, u32 turn)
{
	h->nsegs[turn] = block_request_segments(r, h->segs[turn], MMC_MAX_SEGMENTS);
}

/* All of a request, whose pieces of memory have been found. */
static struct mmc_data whole_data(const struct mmc_host *h, const struct block_request *r, u32 turn)
{
	return (struct mmc_data){
		.write = r->op == BIO_WRITE,
		.block_size = SECTOR_SIZE,
		.blocks = r->nsectors,
		.segs = h->segs[turn],
		.nsegs = h->nsegs[turn],
		.turn = turn,
	};
}

/* Sectors [from, from+n) of the request in hand. What was prepared is all of it, once. */
static struct mmc_data data_of(struct mmc_host *h, const struct block_request *r, u32 from, u32 n)
{
	struct mmc_data data;

	if (!h->prepared)
		find_pieces(h, r, h->turn);
	data = whole_data(h, r, h->turn);
	data.prepared = h->prepared;
	h->prepared = false;
	if (n < r->nsectors) {
		data.blocks = n;
		data.nsegs = cut(h, from, n);
		data.segs = h->part;
	}
	return data;
}

/* Reads or writes sectors [from, from+n) of the request once (SD 4.3.3, 4.3.4). */
static int transfer(struct mmc_host *h, struct block_request *r, u32 from, u32 n)
{
	bool write = r->op == BIO_WRITE, many = n > 1;
	struct mmc_data data = data_of(h, r, from, n);
	struct mmc_command c = {
		.index = (write ? 24 : 17) + many,
		.arg = card_address(&h->card, r->sector + from),
		.response = MMC_R1,
		.data = &data,
	};
	bool counted = many && h->card.set_block_count;
	int err = counted ? mmc_simple(h, 23, n, MMC_R1, NULL) : 0;

	if (!err)
		err = h->ops->command(h, &c);
	if (!err && (c.resp[0] & R1_ERRORS))
		err = -EIO;
	if (!err && many && !counted)
		err = mmc_simple(h, 12, 0, MMC_R1B, NULL);
	/* after a read nothing is stored: the next command waits, once it is prepared */
	if (!err && write)
		err = h->ops->wait_ready(h);
	return err;
}

/* SD 4.3.5: discard is an erase of whole blocks; the card is busy for as long as it takes. */
static int discard(struct mmc_host *h, struct block_request *r)
{
	u64 deadline = time_now() + ERASE_LIMIT;
	int err = mmc_simple(h, 32, card_address(&h->card, r->sector), MMC_R1, NULL);

	if (!err)
		err = mmc_simple(h, 33, card_address(&h->card, r->sector + r->nsectors - 1), MMC_R1,
				 NULL);
	if (!err)
		err = mmc_simple(h, 38, 0, MMC_R1B, NULL);
	if (err)
		return err;
	do
		err = h->ops->wait_ready(h);
	while (err == -ETIMEDOUT && h->ops->card_in(h) && time_now() < deadline);
	return err ? err : mmc_settle(h, &h->card);
}

static int attempt(struct mmc_host *h, struct block_request *r)
{
	return r->op == BIO_FLUSH     ? h->ops->wait_ready(h)
	       : r->op == BIO_DISCARD ? discard(h, r)
				      : transfer(h, r, 0, r->nsectors);
}

/* The card does not answer any more: from the start, if it is the same one. */
static int start_over(struct mmc_host *h)
{
	struct mmc_card fresh;
	int err;

	if (!h->ops->card_in(h))
		return -ENOMEDIUM;
	err = mmc_identify(h, &fresh);
	if (!err && memcmp(fresh.cid, h->known_cid, sizeof(fresh.cid)) != 0)
		err = -ENOMEDIUM;
	if (!err)
		h->card = fresh;
	return err;
}

static int recover(struct mmc_host *h)
{
	if (h->ops->recover(h) == 0 && mmc_settle(h, &h->card) == 0)
		return 0;
	return start_over(h);
}

/* Whether there is a card to ask. One that stopped answering (a stuck busy line, say) is tried again from the start, now and then. */
static bool usable(struct mmc_host *h)
{
	if (h->present)
		return true;
	/* what has just come is for look(), once its contacts have settled */
	if (!h->known || READ_ONCE(h->changed) || time_now() < h->retry_at)
		return false;
	h->present = start_over(h) == 0;
	h->retry_at = time_now() + NSEC_PER_SEC;
	if (h->present)
		kprintf("<5>%s: the card answers again\n", h->name);
	return h->present;
}

static void complain(struct mmc_host *h, const struct block_request *r, u32 from, u32 n, int err)
{
	static const char *const what[] = {"read", "write", "flush", "discard"};

	if (r->op != BIO_FLUSH)
		kprintf("<4>%s: %s of %u sectors at %lu: error %d, again\n", h->name, what[r->op],
			n, r->sector + from, -err);
}

/* Sectors of a request whose transfer failed, in pieces that errors are likely to miss. */
static int in_pieces(struct mmc_host *h, struct block_request *r)
{
	int err = 0;

	for (u32 at = 0, n; at < r->nsectors && !err; at += n) {
		n = MIN(r->nsectors - at, PIECE);
		for (int i = 0; i < PIECE_TRIES; i++) {
			err = transfer(h, r, at, n);
			if (!err)
				break;
			if (recover(h)) {
				h->present = false;
				return -EIO;
			}
		}
		if (err)
			complain(h, r, at, n, err);
	}
	return err;
}

/* The request before has been dealt with, but for this. */
static void finish(struct mmc_host *h)
{
	struct block_request *r = h->ended;

	if (h->ops->deliver)
		h->ops->deliver(h);
	h->ended = NULL;
	if (r)
		block_request_done(r, h->ended_err);
}

/* Tries until it works, or there is no hope: 0 or -errno. */
static int insist(struct mmc_host *h, struct block_request *r)
{
	int err = 0;

	for (int i = 0; i < TRIES; i++) {
		err = attempt(h, r);
		if (!err)
			return 0;
		finish(h);
		if (h->ops->card_in(h))
			complain(h, r, 0, r->nsectors, err);
		if (recover(h)) {
			h->present = false;
			return err;
		}
	}
	/* a checksum or a time-out may hit one block in a thousand; a refusal stays one */
	if (err != -EIO && (r->op == BIO_READ || r->op == BIO_WRITE) && r->nsectors > 1)
		err = in_pieces(h, r);
	return err;
}

static struct block_request *take(struct mmc_host *h)
{
	u64 irq = spin_lock_irq(&h->lock);
	struct list *l = list_pop(&h->requests);

	spin_unlock_irq(&h->lock, irq);
	return l ? list_entry(l, struct block_request, link) : NULL;
}

/* The next request into hand; NULL: there is none. */
static struct block_request *next_request(struct mmc_host *h)
{
	struct block_request *r = h->ahead;

	h->prepared = r && h->ahead_prepared;
	if (h->prepared)
		h->turn ^= 1;
	h->ahead = NULL;
	return r ? r : take(h);
}

static void look_ahead(struct mmc_host *h)
{
	struct block_request *r = take(h);
	struct mmc_data data;

	h->ahead = r;
	h->ahead_prepared = false;
	if (!r || !h->ops->prepare || (r->op != BIO_READ && r->op != BIO_WRITE))
		return;
	find_pieces(h, r, h->turn ^ 1);
	data = whole_data(h, r, h->turn ^ 1);
	h->ahead_prepared = h->ops->prepare(h, &data);
}

void mmc_data_flows(struct mmc_host *h)
{
	finish(h);
	if (!h->ahead)
		look_ahead(h);
}

static int perform(struct mmc_host *h, struct block_request *r)
{
	/* nothing that takes long keeps the one before */
	if (!h->present || r->op == BIO_FLUSH || r->op == BIO_DISCARD)
		finish(h);
	if (!usable(h))
		return -EIO;
	if (h->card.readonly && r->op != BIO_READ && r->op != BIO_FLUSH)
		return -EIO;
	if (insist(h, r) == 0)
		return 0;
	if (!h->present)
		mmc_card_changed(h); /* look whether it is still there */
	return -EIO;
}

static bool mmc_start(void *drv, struct block_request *r)
{
	struct mmc_host *h = drv;

	spin_lock(&h->lock);
	list_add_tail(&h->requests, &r->link);
	spin_unlock(&h->lock);
	return true;
}

static void mmc_kick(void *drv)
{
	struct mmc_host *h = drv;

	waitq_wake_all(&h->wait);
}

static bool mmc_absent(void *drv)
{
	struct mmc_host *h = drv;

	return !READ_ONCE(h->present);
}

static const struct block_ops mmc_block_ops = {
	.start = mmc_start, .kick = mmc_kick, .absent = mmc_absent};

/* ---- cards come and go ---- */

static void name_card(struct mmc_host *h)
{
	const struct mmc_card *c = &h->card;
	char name[6];

	for (unsigned i = 0; i < 5; i++) {
		u32 byte = mmc_bits(c->cid, 96 - 8 * i, 8);

		name[i] = byte > ' ' && byte < 127 ? (char)byte : '.';
	}
	name[5] = '\0';
	kprintf("%s: %s %s, %lu MiB, %s bit%s%s\n", h->name, c->high_capacity ? "SDHC" : "SD", name,
		c->sectors >> 11, c->wide ? "4" : "1", c->fast ? ", high speed" : "",
		c->readonly ? ", write-protected" : "");
}

static void add_disk(struct work *w)
{
	struct mmc_host *h = container_of(w, struct mmc_host, add_disk);
	struct block_disk disk = {
		.prefix = "mmcblk",
		.numbered = true,
		.number = h->number,
		.major = MMC_MAJOR,
		.sectors = h->card.sectors,
		.ops = &mmc_block_ops,
		.drv = h,
		.limits = {.sector_size = SECTOR_SIZE,
			   .max_segments = MMC_MAX_SEGMENTS,
			   .max_sectors = MMC_MAX_SECTORS,
			   .max_discard_sectors = h->card.discard ? MMC_MAX_SECTORS : 0,
			   .depth = 2,
			   .readonly = h->card.readonly},
	};
	struct block_dev *dev = NULL;
	int err = block_register(&disk, &dev);

	if (err)
		kprintf("<3>%s: cannot be a disk: error %d\n", h->name, -err);
	__atomic_store_n(&h->dev, dev, __ATOMIC_RELEASE);
	__atomic_store_n(&h->looked, true, __ATOMIC_RELEASE);
	waitq_wake_all(&h->wait);
}

static void card_found(struct mmc_host *h, const struct mmc_card *fresh)
{
	if (h->known && memcmp(fresh->cid, h->known_cid, sizeof(fresh->cid)) != 0) {
		kprintf("<3>%s: this is not the card that was there before: put that one back\n",
			h->name);
		return;
	}
	h->card = *fresh;
	h->present = true;
	name_card(h);
	if (!h->known) {
		h->known = true;
		memcpy(h->known_cid, fresh->cid, sizeof(h->known_cid));
		work_queue(&h->add_disk);
	}
}

/* Looks into the slot; first: at start-up, when contacts are long settled. */
static void look(struct mmc_host *h, bool first)
{
	struct mmc_card fresh;
	bool in;
	int err;

	if (!first)
		sleep_ns((u64)h->settle_ms * MSEC);
	in = h->ops->card_in(h);
	if (!in && h->present)
		kprintf("<4>%s: the card was taken out\n", h->name);
	if (in && h->present && mmc_simple(h, 13, h->card.rca, MMC_R1, NULL) == 0)
		return; /* a bounce */
	h->present = false;
	if (!in)
		return;
	err = mmc_identify(h, &fresh);
	h->retry_at = time_now() + NSEC_PER_SEC;
	if (err)
		kprintf("<3>%s: no usable card: error %d\n", h->name, -err);
	else
		card_found(h, &fresh);
}

static bool something_to_do(struct mmc_host *h)
{
	return READ_ONCE(h->changed) || !list_empty(&h->requests);
}

static void mmc_thread(void *arg)
{
	struct mmc_host *h = arg;
	struct block_request *r;

	look(h, true);
	if (!h->known) {
		__atomic_store_n(&h->looked, true, __ATOMIC_RELEASE);
		waitq_wake_all(&h->wait);
	}
	for (;;) {
		wait_event(&h->wait, something_to_do(h));
		if (__atomic_exchange_n(&h->changed, 0, __ATOMIC_ACQ_REL))
			look(h, false);
		while ((r = next_request(h))) {
			int err = perform(h, r);

			finish(h);
			h->ended = r;
			h->ended_err = err;
			if (!h->ahead && list_empty(&h->requests))
				finish(h);
		}
	}
}

void mmc_card_changed(struct mmc_host *h)
{
	__atomic_store_n(&h->changed, 1, __ATOMIC_RELEASE);
	waitq_wake_all(&h->wait);
}

int mmc_host_add(struct mmc_host *h)
{
	spin_init(&h->lock, LOCK_DRIVER, "mmc");
	list_init(&h->requests);
	waitq_init(&h->wait);
	h->add_disk.fn = add_disk;
	if (!kthread_run(h->name, mmc_thread, h))
		return -ENOMEM;
	wait_event(&h->wait, __atomic_load_n(&h->looked, __ATOMIC_ACQUIRE));
	return 0;
}
