// SPDX-License-Identifier: BSD-2-Clause
/*
 * Swap areas and their slots.
 *
 * A slot is a page of an area; its number holds the area in bits 33..37 and the page in the bits below.  An area has three
 * bitmaps: slots in use (`used`: also the header and what is bad or lies nowhere), bad slots, and groups of 64 slots with none in use.  Each hart takes
 * slots from a group of its own, so that what one hart writes lies together; a fresh group is looked for in the area of
 * the highest priority that has room, areas of equal priority taking turns.
 *
 *	group	0        1        2        3
 *	used	#####... ........ ##..#### ........		hart 0 takes from 0, hart 1 from 2, the next one gets 1
 *	empty	0        1        0        1
 *
 * An area that wants it (SWAP_FLAG_DISCARD_PAGES) tells its device of groups that came to hold nothing, a few at a time: the worker claims them, so that nobody
 * takes a slot of theirs, and gives them back when the device is done.  Claimed slots count neither as in use nor as free
 * to take.  Nobody waits for a discard but swapoff.
 *
 * Locks: swap.lock (LOCK_SWAP, interrupts off) guards the bitmaps, counts and the table; swap_mutex (LOCK_SWAP_AREAS, sleeping) lets
 * one swapon or swapoff work at a time.
 */
#include "kernel/sched/time.h"
#include "kernel/vm/vm_internal.h"

#define AREA_SHIFT 33
#define PAGE_OF(s) ((s) & ((1UL << AREA_SHIFT) - 1))
#define GROUP	   64u
#define LAST_WAIT  (NSEC_PER_SEC / 50) /* of swapoff, for transfers */

#define PAGE_SECTORS	(PAGE_SIZE / SECTOR_SIZE)
#define DISCARD_LEAST	4u  /* groups: not worth a command with fewer, unless the area is empty */
#define DISCARD_MOST	16u /* groups in a row at once: other requests wait for it */
#define DISCARD_SECTORS (1UL << 21) /* at swapon, when nobody waits for the device */

/* Field markings and the corresponding locks:
 * (l) swap.lock   (c) constant while it is in the table   (m) swap_mutex   (b) as described
 */
struct swap_area {
	u32 id;			 /* (c) place in the table */
	s32 prio;		 /* (c) */
	bool leaving;		 /* (l) swapoff: no slot is given out any more */
	u64 pages;		 /* (c) header's page included */
	u64 usable, in_use;	 /* (l) slots that can hold pages; that do */
	u64 ngroups, nempty;	 /* (c), (l) groups; of them empty */
	u64 cursor;		 /* (l) group where the next search begins */
	u64 *used, *bad, *empty; /* (l) bitmaps */
	u64 *stale; /* (l) bitmap: empty groups that the device has not been told of; NULL: it need not be */
	u64 nstale;  /* (l) */
	u64 claimed; /* (l) slots of the groups being discarded, from claim_first on; 0: none are */
	u64 claim_first, claim_at; /* (l) pages: the first; up to where the device has done it */
	u32 claim_sent; /* (l) pages of the request that the device has; 0: it has none */
	struct bio
		discard; /* (b) the worker until submitted, then the device until claim_sent is 0 */
	struct swap_extent *extents;			     /* (c) */
	u32 nextents;					     /* (c) */
	struct block_dev *dev;				     /* (c) */
	void *owner;					     /* (c) */
	void (*release)(struct block_dev *dev, void *owner); /* (c) */
	bool file;					     /* (c) */
	char *name;					     /* (c) */
};

/* Where a hart takes its slots from. */
struct hart_run {
	struct swap_area *area;
	u64 next, end; /* pages of the area: [next, end) lies in one group */
};

/* Field markings and the corresponding locks:
 * (l) lock   (c) constant
 */
static struct {
	struct spinlock lock;		       /* (c) */
	struct swap_area *areas[SWAP_AREAS];   /* (l) */
	struct swap_area *by_prio[SWAP_AREAS]; /* (l) highest first */
	u32 n;				       /* (l) */
	u32 turn;			       /* (l) */
	s32 least; /* (l) priority of the last area that had none of its own */
	u64 full_since; /* (l) when a slot was first asked for in vain; 0: none was since one came free */
	struct hart_run run[MAX_HARTS]; /* (l) */
} swap = {.lock = SPINLOCK_INIT(LOCK_SWAP, "swap"), .least = -1};

static struct mutex swap_mutex;
static struct waitq emptied_q; /* the last slot of an area that leaves was given back */
static struct waitq discarded; /* swapoff, for claims to end */
static void discard_groups(struct work *w);
static struct work discard_work = {.fn = discard_groups};

u64 swap_cached;

void swap_init(void)
{
	mutex_init(&swap_mutex, LOCK_SWAP_AREAS, "swap areas");
	waitq_init(&emptied_q);
	waitq_init(&discarded);
}

static bool bit_get(const u64 *map, u64 i)
{
	return map[i / 64] >> (i % 64) & 1;
}

static void bit_set(u64 *map, u64 i)
{
	map[i / 64] |= 1UL << (i % 64);
}

static void bit_clear(u64 *map, u64 i)
{
	map[i / 64] &= ~(1UL << (i % 64));
}

static struct swap_area *area_of(u64 slot)
{
	struct swap_area *a = swap.areas[slot >> AREA_SHIFT];

	ASSERTF(a && PAGE_OF(slot) < a->pages, "slot %#lx", slot);
	return a;
}

u32 swap_slot_area(u64 slot)
{
	return slot >> AREA_SHIFT;
}

/* ---- taking slots ---- */

/* The next group with its bit set in the map, from the cursor on; ngroups: there is none. */
static u64 next_group(const struct swap_area *a, const u64 *map)
{
	u64 words = DIV_ROUND_UP(a->ngroups, 64), w = a->cursor / 64;
	u64 bits = map[w] & ~0UL << (a->cursor % 64);

	for (u64 k = 0; k <= words; k++) {
		if (bits)
			return w * 64 + __builtin_ctzl(bits);
		w = w + 1 < words ? w + 1 : 0;
		bits = map[w];
	}
	return a->ngroups;
}

/* The next group with a free slot, from the cursor on; there is one. */
static u64 next_free(const struct swap_area *a)
{
	u64 g = a->cursor;

	while (a->used[g] == ~0UL)
		g = g + 1 < a->ngroups ? g + 1 : 0;
	return g;
}

static bool has_room(const struct swap_area *a)
{
	/* a card that is out takes nothing: as good as full until it is back */
	return !a->leaving && a->in_use + a->claimed < a->usable && !block_absent(a->dev);
}

/* An area of the highest priority that has room; those of one priority in turn. */
static struct swap_area *pick_area(void)
{
	for (u32 i = 0, j; i < swap.n; i = j) {
		s32 prio = swap.by_prio[i]->prio;

		for (j = i; j < swap.n && swap.by_prio[j]->prio == prio; j++)
			;
		for (u32 k = 0; k < j - i; k++) {
			struct swap_area *a = swap.by_prio[i + (swap.turn + k) % (j - i)];

			if (has_room(a)) {
				swap.turn++;
				return a;
			}
		}
	}
	return NULL;
}

/* A new group for this hart: an empty one, or else the free slots in a row of one that is not. */
static bool new_run(struct hart_run *r)
{
	struct swap_area *a = pick_area();
	u64 g, word;
	u32 from, len;

	if (!a)
		return false;
	g = a->nempty ? next_group(a, a->empty) : next_free(a);
	ASSERT(g < a->ngroups);
	a->cursor = g + 1 < a->ngroups ? g + 1 : 0;
	word = a->used[g];
	from = __builtin_ctzl(~word);
	word >>= from;
	len = word ? (u32)__builtin_ctzl(word) : GROUP - from;
	r->area = a;
	r->next = g * GROUP + from;
	r->end = r->next + len;
	return true;
}

/* Slots that somebody else took since, or that came free and were given to another: the run ends before them. */
static bool run_usable(const struct hart_run *r)
{
	return r->area && r->next < r->end && !r->area->leaving && !block_absent(r->area->dev) &&
	       !bit_get(r->area->used, r->next);
}

/* An empty group will hold something. */
static void group_taken(struct swap_area *a, u64 g)
{
	bit_clear(a->empty, g);
	a->nempty--;
	if (a->stale && bit_get(a->stale, g)) {
		bit_clear(a->stale, g);
		a->nstale--;
	}
}

static void group_empty(struct swap_area *a, u64 g)
{
	bit_set(a->empty, g);
	a->nempty++;
}

u32 swap_alloc(u32 n, u64 *slot)
{
	u64 irq = spin_lock_irq(&swap.lock);
	struct hart_run *r = &swap.run[this_hart()->index];
	u32 got = 0;

	if (run_usable(r) || new_run(r)) {
		struct swap_area *a = r->area;
		u64 g = r->next / GROUP;

		*slot = (u64)a->id << AREA_SHIFT | r->next;
		if (a->used[g] == 0)
			group_taken(a, g);
		for (; got < n && r->next < r->end && !bit_get(a->used, r->next); got++)
			bit_set(a->used, r->next++);
		a->in_use += got;
	}
	if (got)
		swap.full_since = 0;
	else if (!swap.full_since)
		swap.full_since = time_now();
	spin_unlock_irq(&swap.lock, irq);
	return got;
}

static bool worth_discarding(const struct swap_area *a)
{
	return a->nstale && !a->claimed && !a->leaving &&
	       (a->nstale >= DISCARD_LEAST || !a->in_use);
}

static void slot_freed(struct swap_area *a, u64 page)
{
	u64 g = page / GROUP;

	a->in_use--;
	if (bit_get(a->bad, page)) {
		a->usable--;
		return;
	}
	bit_clear(a->used, page);
	if (a->used[g])
		return;
	group_empty(a, g);
	if (a->stale) {
		bit_set(a->stale, g);
		a->nstale++;
	}
}

void swap_free(u64 slot)
{
	u64 irq = spin_lock_irq(&swap.lock), page = PAGE_OF(slot);
	struct swap_area *a = area_of(slot);
	bool last, discard;

	ASSERTF(bit_get(a->used, page), "slot %lu of %s freed twice", page, a->name);
	slot_freed(a, page);
	last = a->leaving && !a->in_use;
	discard = worth_discarding(a);
	spin_unlock_irq(&swap.lock, irq);
	if (last)
		waitq_wake_all(&emptied_q);
	if (discard)
		work_queue(&discard_work);
}

void swap_bad(u64 slot)
{
	u64 irq = spin_lock_irq(&swap.lock);

	bit_set(area_of(slot)->bad, PAGE_OF(slot));
	spin_unlock_irq(&swap.lock, irq);
}

bool swap_any_free(void)
{
	u64 irq = spin_lock_irq(&swap.lock);
	bool any = false;

	for (u32 i = 0; i < swap.n; i++)
		any |= has_room(swap.by_prio[i]);
	if (any)
		swap.full_since = 0;
	else if (!swap.full_since)
		swap.full_since = time_now();
	spin_unlock_irq(&swap.lock, irq);
	return any;
}

bool swap_is_leaving(void)
{
	u64 irq = spin_lock_irq(&swap.lock);
	bool any = false;

	for (u32 i = 0; i < swap.n; i++)
		any |= swap.by_prio[i]->leaving;
	spin_unlock_irq(&swap.lock, irq);
	return any;
}

u64 swap_full_for(void)
{
	u64 irq = spin_lock_irq(&swap.lock);
	u64 since = swap.n ? swap.full_since : 0;

	spin_unlock_irq(&swap.lock, irq);
	return since ? time_now() - since : 0;
}

u32 swap_place(u64 slot, u32 n, struct block_dev **dev, u64 *sector)
{
	const struct swap_area *a = area_of(slot);
	u64 page = PAGE_OF(slot);
	u32 lo = 0, hi = a->nextents;

	while (hi - lo > 1) {
		u32 mid = (lo + hi) / 2;

		if (a->extents[mid].slot <= page)
			lo = mid;
		else
			hi = mid;
	}
	const struct swap_extent *e = &a->extents[lo];

	ASSERTF(page >= e->slot && page < e->slot + e->n, "page %lu of %s", page, a->name);
	*dev = a->dev;
	*sector = e->sector + ((page - e->slot) << (PAGE_SHIFT - SECTOR_SHIFT));
	return MIN(n, e->slot + e->n - page);
}

/* ---- discarding ---- */

/* Stale groups in a row become claimed; at most half of the room, so that a discard does not look like full swap. */
static bool claim(struct swap_area *a)
{
	u64 room = a->usable - a->in_use, g = next_group(a, a->stale);
	u64 most = MIN(room / 2 / GROUP, (u64)DISCARD_MOST), n = 0;

	for (; n < most && g + n < a->ngroups && bit_get(a->stale, g + n); n++) {
		group_taken(a, g + n);
		a->used[g + n] = ~0UL;
	}
	a->claimed = n * GROUP;
	a->claim_first = a->claim_at = g * GROUP;
	return n;
}

static void unclaim(struct swap_area *a)
{
	for (u64 p = a->claim_first; p < a->claim_first + a->claimed; p += GROUP) {
		a->used[p / GROUP] = 0;
		group_empty(a, p / GROUP);
	}
	a->claimed = 0;
}

/* The device has done a part, or will not. */
static void discard_done(struct bio *b)
{
	struct swap_area *a = b->arg;
	u64 irq = spin_lock_irq(&swap.lock);

	if (b->status) {
		a->claim_at = a->claim_first + a->claimed;
		memset(a->stale, 0, DIV_ROUND_UP(a->ngroups, 64) * 8); /* a promise less, no data */
		a->nstale = 0;
	} else {
		vm_count(VMEV_swap_discarded, a->claim_sent);
		a->claim_at += a->claim_sent;
	}
	a->claim_sent = 0;
	spin_unlock_irq(&swap.lock, irq);
	work_queue(&discard_work);
}

/* What is to be sent now for this area, if anything: pages from claim_at on. Locked. */
static u32 discard_next(struct swap_area *a)
{
	u64 end = a->claim_first + a->claimed;

	if (a->claim_sent)
		return 0;
	if (a->claimed && a->claim_at == end)
		unclaim(a);
	if (!a->claimed && (!a->stale || !worth_discarding(a) || !claim(a)))
		return 0;
	a->claim_sent = (u32)(a->claim_first + a->claimed - a->claim_at);
	return a->claim_sent;
}

static void discard_area(u32 id)
{
	u64 irq = spin_lock_irq(&swap.lock);
	struct swap_area *a = swap.areas[id];
	u32 n = a ? discard_next(a) : 0;
	bool idle = a && !a->claimed;
	struct bio *b = NULL;

	if (n) { /* the area stays: what is claimed keeps swapoff waiting */
		b = &a->discard;
		*b = (struct bio){.op = BIO_DISCARD, .arg = a, .done = discard_done};
		list_init(&b->link);
		n = swap_place((u64)id << AREA_SHIFT | a->claim_at, n, &b->dev, &b->sector);
		a->claim_sent = n;
		b->nsectors = n * PAGE_SECTORS;
	}
	spin_unlock_irq(&swap.lock, irq);
	if (idle) /* a new claim is not made while somebody waits */
		waitq_wake_all(&discarded);
	if (b)
		bio_submit(b);
}

static void discard_groups(struct work *w __unused)
{
	for (u32 i = 0; i < SWAP_AREAS; i++)
		discard_area(i);
}

/* All of the device's part before it is taken into use, but the header's page. */
static int discard_extent(struct block_dev *dev, u64 sector, u64 left)
{
	struct bio *b = bio_alloc(0, true);
	int err = 0;

	for (u64 n; left && !err; left -= n, sector += n) {
		n = MIN(left, DISCARD_SECTORS);
		b->dev = dev;
		b->op = BIO_DISCARD;
		b->sector = sector;
		b->nsectors = (u32)n;
		err = bio_wait(b);
	}
	bio_free(b);
	return err;
}

static void discard_all(const struct swap_spec *s, u64 pages)
{
	int err = 0;

	for (u32 i = 0; i < s->nextents && !err; i++) {
		const struct swap_extent *e = &s->extents[i];
		u64 from = MAX(e->slot, 1UL), end = MIN(e->slot + e->n, pages);

		if (from < end)
			err = discard_extent(s->dev, e->sector + (from - e->slot) * PAGE_SECTORS,
					     (end - from) * PAGE_SECTORS);
		if (from < end && !err)
			vm_count(VMEV_swap_discarded, end - from);
	}
	if (err)
		kprintf("swap: %s: discard error %d\n", s->name, -err);
}

/* ---- the header ---- */

#define MAGIC_AT (PAGE_SIZE - 10)
#define BAD_MAX	 ((MAGIC_AT - 1536) / 4)

/* mkswap's, version 1: the first page of the area. */
struct swap_header {
	u8 boot[1024];
	u32 version, last_page, nr_bad;
	u8 uuid[16], label[16];
	u32 padding[117];
	u32 bad[BAD_MAX];
};
BUILD_ASSERT(offsetof(struct swap_header, bad) == 1536);

static int refuse(const struct swap_spec *s, const char *why, u64 a, u64 b)
{
	kprintf("swap: %s refused: %s", s->name, why);
	if (a || b)
		kprintf(" (%lu, %lu)", a, b);
	kprintf("\n");
	return -EINVAL;
}

static u32 swab32(u32 v)
{
	return __builtin_bswap32(v);
}

static int check_header(const struct swap_spec *s, const struct swap_header *h)
{
	const char *magic = (const char *)h + MAGIC_AT;

	if (!memcmp(magic, "SWAP-SPACE", 10))
		return refuse(s, "its header is of version 0, which nobody writes any more", 0, 0);
	if (memcmp(magic, "SWAPSPACE2", 10))
		return refuse(s, "no swap signature at the end of its first page", 0, 0);
	if (h->version != 1 && swab32(h->version) == 1)
		return refuse(s, "its header is of the other byte order", 0, 0);
	if (h->version != 1)
		return refuse(s, "its version is not 1", h->version, 1);
	if (h->last_page == 0 || h->last_page >= 1UL << 31)
		return refuse(s, "its last page cannot be", h->last_page, s->pages);
	if (h->last_page >= s->pages)
		return refuse(s, "its header says more pages than there are", h->last_page + 1UL,
			      s->pages);
	if (h->nr_bad > BAD_MAX)
		return refuse(s, "its list of bad pages is longer than the header", h->nr_bad,
			      BAD_MAX);
	for (u32 i = 0; i < h->nr_bad; i++)
		if (h->bad[i] == 0 || h->bad[i] > h->last_page)
			return refuse(s, "its list of bad pages names one that cannot be",
				      h->bad[i], h->last_page);
	return 0;
}

static int read_header(const struct swap_spec *s, struct frame **out)
{
	struct frame *f = frame_alloc(0);
	int err;

	if (!f)
		return -ENOMEM;
	if (!s->nextents || s->extents[0].slot != 0) {
		frame_free(f);
		return refuse(s, "its first page is not on the device", 0, 0);
	}
	err = block_read_sync(s->dev, s->extents[0].sector, frame_va(f), PAGE_SIZE);
	if (!err)
		err = check_header(s, frame_va(f));
	if (err) {
		frame_free(f);
		return err;
	}
	*out = f;
	return 0;
}

/* ---- areas ---- */

static void area_destroy(struct swap_area *a)
{
	if (!a)
		return;
	kfree(a->used);
	kfree(a->bad);
	kfree(a->empty);
	kfree(a->stale);
	kfree(a->name);
	kfree(a);
}

/* What can be used: pages on the device, without header and bad ones. */
static void mark_usable(struct swap_area *a, const struct swap_spec *s, const struct swap_header *h)
{
	memset(a->used, 0xff, a->ngroups * 8);
	for (u32 i = 0; i < s->nextents; i++)
		for (u64 p = s->extents[i].slot; p < s->extents[i].slot + s->extents[i].n; p++)
			if (p && p < a->pages)
				bit_clear(a->used, p);
	for (u32 i = 0; i < h->nr_bad; i++)
		bit_set(a->used, h->bad[i]);
	for (u64 p = 0; p < a->pages; p++)
		a->usable += !bit_get(a->used, p);
	for (u64 g = 0; g < a->ngroups; g++)
		if (a->used[g] == 0)
			group_empty(a, g);
}

static struct swap_area *area_make(const struct swap_spec *s, const struct swap_header *h)
{
	struct swap_area *a = kzalloc(sizeof(*a));
	bool discard = s->discard_pages && block_discards(s->dev);

	if (!a)
		return NULL;
	a->pages = h->last_page + 1UL;
	a->ngroups = DIV_ROUND_UP(a->pages, GROUP);
	a->used = kmalloc(a->ngroups * 8, 0);
	a->bad = kzalloc(a->ngroups * 8);
	a->empty = kzalloc(DIV_ROUND_UP(a->ngroups, 64) * 8);
	if (discard)
		a->stale = kzalloc(DIV_ROUND_UP(a->ngroups, 64) * 8);
	a->name = kstrdup(s->name);
	if (!a->used || !a->bad || !a->empty || !a->name || (discard && !a->stale)) {
		area_destroy(a);
		return NULL;
	}
	mark_usable(a, s, h);
	a->extents = s->extents;
	a->nextents = s->nextents;
	a->dev = s->dev;
	a->owner = s->owner;
	a->release = s->release;
	a->file = s->file;
	a->prio = s->prio;
	return a;
}

/* Into the table; -EPERM: it is full. */
static int area_enter(struct swap_area *a)
{
	u64 irq = spin_lock_irq(&swap.lock);
	u32 at;

	if (swap.n == SWAP_AREAS) {
		spin_unlock_irq(&swap.lock, irq);
		return -EPERM; /* as Linux says it */
	}
	while (swap.areas[a->id])
		a->id++;
	if (a->prio < 0)
		a->prio = --swap.least;
	swap.areas[a->id] = a;
	for (at = swap.n; at && swap.by_prio[at - 1]->prio < a->prio; at--)
		swap.by_prio[at] = swap.by_prio[at - 1];
	swap.by_prio[at] = a;
	swap.n++;
	spin_unlock_irq(&swap.lock, irq);
	return 0;
}

int swap_area_add(const struct swap_spec *s)
{
	struct swap_area *a;
	struct frame *header;
	int err = read_header(s, &header);

	if (err)
		return err;
	a = area_make(s, frame_va(header));
	frame_free(header);
	if (!a)
		return -ENOMEM;
	if (!a->usable) {
		area_destroy(a);
		return refuse(s, "no page of it can be used", 0, 0);
	}
	if (s->discard_all && block_discards(s->dev))
		discard_all(s, a->pages);
	mutex_lock(&swap_mutex);
	err = area_enter(a);
	mutex_unlock(&swap_mutex);
	if (err) {
		area_destroy(a);
		return err;
	}
	kprintf("swap: %s: %lu KiB, priority %d\n", a->name, a->usable * (PAGE_SIZE / KiB),
		a->prio);
	pageout_progress(0);
	return 0;
}

static struct swap_area *area_by_owner(const void *owner)
{
	for (u32 i = 0; i < swap.n; i++)
		if (swap.by_prio[i]->owner == owner)
			return swap.by_prio[i];
	return NULL;
}

static void set_leaving(struct swap_area *a, bool leaving)
{
	u64 irq = spin_lock_irq(&swap.lock);

	a->leaving = leaving;
	for (u32 i = 0; i < MAX_HARTS; i++)
		if (swap.run[i].area == a)
			swap.run[i].area = NULL;
	spin_unlock_irq(&swap.lock, irq);
}

static void area_leave(struct swap_area *a)
{
	u64 irq = spin_lock_irq(&swap.lock);
	u32 i = 0;

	ASSERTF(a->in_use == 0 && !a->claimed, "%s: %lu slots in use", a->name, a->in_use);
	while (swap.by_prio[i] != a)
		i++;
	swap.n--;
	for (; i < swap.n; i++)
		swap.by_prio[i] = swap.by_prio[i + 1];
	swap.areas[a->id] = NULL;
	spin_unlock_irq(&swap.lock, irq);
}

/* What lies in the area fits elsewhere: in memory or in other areas. A guess, that spares a hopeless try. */
static bool fits(const struct swap_area *a)
{
	u64 all, free;

	swap_totals(&all, &free);
	return a->in_use <= free + frames_free_count() + clock_pages();
}

/*
 * Everything in the area is brought in. What stays after a round without progress belongs to transfers of objects that are gone, which give their
 * slots back as they end; or to an object that came in behind the round, so there is another one soon.
 */
static int empty_area(struct swap_area *a)
{
	u64 before;
	int err = 0;

	while (!err && (before = READ_ONCE(a->in_use))) {
		err = anon_swapoff(a->id);
		if (err || READ_ONCE(a->in_use) < before)
			continue;
		err = wait_event_until(&emptied_q, !READ_ONCE(a->in_use), WAIT_INTR,
				       time_now() + LAST_WAIT);
		if (err == -ETIMEDOUT)
			err = 0;
	}
	return err;
}

int swap_area_remove(const void *owner)
{
	struct swap_area *a;
	int err = 0;

	mutex_lock(&swap_mutex);
	a = area_by_owner(owner);
	if (!a) {
		mutex_unlock(&swap_mutex);
		return -EINVAL;
	}
	set_leaving(a, true);
	wait_event(&discarded, !READ_ONCE(a->claimed)); /* no new claims are made */
	if (!fits(a))
		err = -ENOMEM;
	if (!err)
		err = empty_area(a);
	if (err) {
		set_leaving(a, false);
		mutex_unlock(&swap_mutex);
		return err;
	}
	area_leave(a);
	mutex_unlock(&swap_mutex);
	kprintf("swap: %s: no longer in use\n", a->name);
	a->release(a->dev, a->owner);
	kfree(a->extents);
	area_destroy(a);
	return 0;
}

bool swap_info(unsigned k, struct swap_info *out, char *name, size_t size)
{
	u64 irq = spin_lock_irq(&swap.lock);
	bool ok = k < swap.n;

	if (ok) {
		const struct swap_area *a = swap.by_prio[k];

		strlcpy(name, a->name, size);
		out->file = a->file;
		out->pages = a->usable;
		out->used = a->in_use;
		out->prio = a->prio;
	}
	spin_unlock_irq(&swap.lock, irq);
	return ok;
}

void swap_totals(u64 *pages, u64 *free)
{
	u64 irq = spin_lock_irq(&swap.lock);

	*pages = *free = 0;
	for (u32 i = 0; i < swap.n; i++) {
		const struct swap_area *a = swap.by_prio[i];

		if (a->leaving)
			continue;
		*pages += a->usable;
		*free += a->usable - a->in_use;
	}
	spin_unlock_irq(&swap.lock, irq);
}

u64 swap_resident(void)
{
	return __atomic_load_n(&swap_cached, __ATOMIC_RELAXED);
}
