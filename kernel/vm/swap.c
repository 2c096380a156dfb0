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
 * Locks: swap.lock (LOCK_SWAP, interrupts off) guards the bitmaps, counts and the table; swap_mutex (LOCK_SWAP_AREAS, sleeping) lets
 * one swapon or swapoff work at a time.
 */
#include "kernel/vm/vm_internal.h"

#define AREA_SHIFT 33
#define PAGE_OF(s) ((s) & ((1UL << AREA_SHIFT) - 1))
#define GROUP	   64u
#define LAST_WAIT  (NSEC_PER_SEC / 50) /* of swapoff, for transfers */

/* Field markings and the corresponding locks:
 * (l) swap.lock   (c) constant while it is in the table   (m) swap_mutex
 */
struct swap_area {
	u32 id;			     /* (c) place in the table */
	s32 prio;		     /* (c) */
	bool leaving;		     /* (l) swapoff: no slot is given out any more */
	u64 pages;		     /* (c) header's page included */
	u64 usable, in_use;	     /* (l) slots that can hold pages; that do */
	u64 ngroups, nempty;	     /* (c), (l) groups; of them empty */
	u64 cursor;		     /* (l) group where the next search begins */
	u64 *used, *bad, *empty;     /* (l) bitmaps */
	struct swap_extent *extents; /* (c) */
	u32 nextents;		     /* (c) */
	struct block_dev *dev;	     /* (c) */
	void *owner;		     /* (c) */
	void (*release)(struct block_dev *dev, void *owner); /* (c) */
	bool file;					     /* (c) */
	char name[128];					     /* (c) */
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

u64 swap_cached;

void swap_init(void)
{
	mutex_init(&swap_mutex, LOCK_SWAP_AREAS, "swap areas");
	waitq_init(&emptied_q);
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

static u64 next_empty(const struct swap_area *a)
{
	u64 words = DIV_ROUND_UP(a->ngroups, 64), w = a->cursor / 64;
	u64 bits = a->empty[w] & ~0UL << (a->cursor % 64);

	for (u64 k = 0; k <= words; k++) {
		if (bits)
			return w * 64 + __builtin_ctzl(bits);
		w = w + 1 < words ? w + 1 : 0;
		bits = a->empty[w];
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
	return !a->leaving && a->in_use < a->usable && !block_absent(a->dev);
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
	g = a->nempty ? next_empty(a) : next_free(a);
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

u32 swap_alloc(u32 n, u64 *slot)
{
	u64 irq = spin_lock_irq(&swap.lock);
	struct hart_run *r = &swap.run[this_hart()->index];
	u32 got = 0;

	if (run_usable(r) || new_run(r)) {
		struct swap_area *a = r->area;
		u64 g = r->next / GROUP;

		*slot = (u64)a->id << AREA_SHIFT | r->next;
		if (a->used[g] == 0) {
			bit_clear(a->empty, g);
			a->nempty--;
		}
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

void swap_free(u64 slot)
{
	u64 irq = spin_lock_irq(&swap.lock), page = PAGE_OF(slot);
	struct swap_area *a = area_of(slot);
	bool last;

	ASSERTF(bit_get(a->used, page), "slot %lu of %s freed twice", page, a->name);
	a->in_use--;
	if (bit_get(a->bad, page)) {
		a->usable--;
	} else {
		bit_clear(a->used, page);
		if (a->used[page / GROUP] == 0) {
			bit_set(a->empty, page / GROUP);
			a->nempty++;
		}
	}
	last = a->leaving && !a->in_use;
	spin_unlock_irq(&swap.lock, irq);
	if (last)
		waitq_wake_all(&emptied_q);
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
		if (a->used[g] == 0) {
			bit_set(a->empty, g);
			a->nempty++;
		}
}

static struct swap_area *area_make(const struct swap_spec *s, const struct swap_header *h)
{
	struct swap_area *a = kzalloc(sizeof(*a));

	if (!a)
		return NULL;
	a->pages = h->last_page + 1UL;
	a->ngroups = DIV_ROUND_UP(a->pages, GROUP);
	a->used = kmalloc(a->ngroups * 8, 0);
	a->bad = kzalloc(a->ngroups * 8);
	a->empty = kzalloc(DIV_ROUND_UP(a->ngroups, 64) * 8);
	if (!a->used || !a->bad || !a->empty) {
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
	strlcpy(a->name, s->name, sizeof(a->name));
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

	ASSERTF(a->in_use == 0, "%s: %lu slots in use", a->name, a->in_use);
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

bool swap_info(unsigned k, struct swap_info *out)
{
	u64 irq = spin_lock_irq(&swap.lock);
	bool ok = k < swap.n;

	if (ok) {
		const struct swap_area *a = swap.by_prio[k];

		strlcpy(out->name, a->name, sizeof(out->name));
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
