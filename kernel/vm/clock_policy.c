// SPDX-License-Identifier: BSD-2-Clause
/*
 * The clock's policy: CLOCK-Pro, with time stamps for the pages that are not there (Jiang, Chen, Zhang: "CLOCK-Pro: an effective improvement
 * of the CLOCK replacement", USENIX 2005).  docs/reclaim.md draws the queues.
 *
 * Time is the number of insertions into cold.  A page's test period begins with its insertion and ends when it is older than the oldest hot
 * page's, or than MEMORY times what memory holds.  Used again within it, in memory or (within REFAULT sixteenths of it) by a refault, the page becomes hot and cold_target may grow;
 * a test that ends unused makes cold_target shrink.  Tests need not be followed one by one: those that end are the insertions
 * between two positions of `ended`, and who is promoted gives back what its own end will take.
 *
 * A page that is used while it is cold is no reason for more cold pages unless a frame is worth as much there as in hot: the shares of pages found
 * used (`hits`; hot: those not `idle`), by the time they had, say how often a page of either is used, and who is used more should have more
 * frames (cache by marginal gain, as Suh, Rudolph, Devadas: "Dynamic partitioning of shared cache memory", J. Supercomputing 2004).  Under
 * loops and scans hot pages are worth more, so single hits do not cost them their place; where recent pages are the ones used next
 * cold ones are.  The bounds of cold_target keep enough cold pages for a use to be seen at all, and enough hot ones for a comparison.
 *
 * The hot set is stale when new pages are used while most hot pages prove to be unused: another phase has begun, and pages go
 * from hot directly until a used one is met again, or none is left.  Uses of pages that came from hot do not count: under a loop
 * they come in runs, which look like a phase.
 *
 * Where most cold pages prove to be used, their A bits are of long ago: nothing was missed for a while.  They all go behind those that have just come in,
 * which had no time to be used again; so these, the first time, go round once more too.
 *
 * Invariants: each number is on exactly one queue; numbers are only taken from heads.
 *
 * Locks: none; one thread sweeps.
 */
#include "kernel/vm/clock_policy.h"

#define NONE	UINT32_MAX
#define REFAULT 11u /* a page that comes back later was used less often than hot ones are */
#define MEMORY	8u  /* tests last for this many times the pages of memory */
#define STEP	1u  /* what a refault within its test adds to cold_target */
#define LEAP	8u  /* times what a hit adds, if frames are worth more in cold */

/* Shares are moving averages of the last 16 looks or so. */
#define SHARE_ALL  1024u
#define SHARE_LOG  4
#define STALE_IDLE (SHARE_ALL * 5 / 8)
#define STALE_HITS (SHARE_ALL / 8)
#define HITS_STEP  128u			/* share of hits for one page more of cold_target */
#define MOST_USED  (SHARE_ALL * 9 / 16) /* so many hits tell nothing */

static void share_update(u32 *share, bool yes)
{
	*share -= *share >> SHARE_LOG;
	if (yes)
		*share += SHARE_ALL >> SHARE_LOG;
}

static bool hot_is_stale(const struct clock_policy *p)
{
	return p->idle > STALE_IDLE && p->test_hits > STALE_HITS;
}

static void push(struct clock_policy *p, struct clock_queue *q, u32 id)
{
	*p->ops->next(id) = NONE;
	if (q->n++)
		*p->ops->next(q->tail) = id;
	else
		q->head = id;
	q->tail = id;
}

static u32 pop(struct clock_policy *p, struct clock_queue *q)
{
	u32 id = q->head;

	q->head = *p->ops->next(id);
	q->n--;
	return id;
}

void clock_policy_init(struct clock_policy *p, const struct clock_ops *ops)
{
	*p = (struct clock_policy){.ops = ops};
}

void clock_policy_add(struct clock_policy *p, u32 id)
{
	push(p, &p->other, id);
}

static u32 age(const struct clock_policy *p, u32 time)
{
	return (p->time - time) & CLOCK_TIME_MASK;
}

u32 clock_policy_memory(const struct clock_policy *p)
{
	u64 n = (u64)clock_policy_pages(p) * MEMORY;

	return n < CLOCK_TIME_MASK / 2 ? (u32)n : CLOCK_TIME_MASK / 2;
}

static u32 cold_min(const struct clock_policy *p)
{
	u32 n = clock_policy_pages(p) / 16;

	return n > 1 ? n : 1;
}

static u32 cold_max(const struct clock_policy *p)
{
	u32 all = clock_policy_pages(p);

	return all - all / 5;
}

static void target_up(struct clock_policy *p, u32 n)
{
	u32 most = cold_max(p);

	p->cold_target = p->cold_target + n < most ? p->cold_target + n : most;
}

static void target_down(struct clock_policy *p, u32 n)
{
	u32 least = cold_min(p);

	p->cold_target = p->cold_target > least + n ? p->cold_target - n : least;
}

static u32 limit_by_hot(const struct clock_policy *p, u32 sixteenths)
{
	u32 limit = clock_policy_memory(p);

	if (p->hot.n) {
		u64 oldest = age(p, p->ops->page(p->hot.head)->time);

		oldest = oldest * sixteenths / 16;
		if (oldest < limit)
			limit = (u32)oldest;
	}
	return limit;
}

/* The oldest age at which a test still runs. */
static u32 test_limit(const struct clock_policy *p)
{
	return limit_by_hot(p, 16);
}

/* The oldest age at which a page that comes back is hot. */
static u32 refault_limit(const struct clock_policy *p)
{
	return limit_by_hot(p, REFAULT);
}

/* Tests that ended since the last time take their share. */
static void end_tests(struct clock_policy *p)
{
	u32 limit = test_limit(p), pending = age(p, p->ended);

	if (pending <= limit)
		return;
	target_down(p, pending - limit);
	p->ended = (p->time - limit) & CLOCK_TIME_MASK;
}

static void to_cold(struct clock_policy *p, u32 id, bool test)
{
	struct clock_page *c = p->ops->page(id);

	if (test)
		p->time = (p->time + 1) & CLOCK_TIME_MASK;
	c->time = p->time;
	c->test = test;
	c->fresh = 0;
	push(p, &p->cold, id);
	if (test)
		end_tests(p);
}

static void to_hot(struct clock_policy *p, u32 id)
{
	struct clock_page *c = p->ops->page(id);

	c->time = p->time;
	c->test = 0;
	c->fresh = 0;
	push(p, &p->hot, id);
}

static void promote(struct clock_policy *p, u32 id, u32 step)
{
	p->promotions++;
	target_up(p, step);
	to_hot(p, id);
}

/* A page met for the first time; time: what it left behind. */
static void insert(struct clock_policy *p, u32 id, u32 time)
{
	if (time != CLOCK_NO_TIME)
		p->refaults++;
	if (time != CLOCK_NO_TIME && age(p, time) <= refault_limit(p)) {
		p->refaults_active++;
		promote(p, id, STEP);
		return;
	}
	to_cold(p, id, true);
	p->ops->page(id)->fresh = 1;
}

void clock_policy_discover(struct clock_policy *p)
{
	for (u32 left = p->other.n; left; left--) {
		u32 id = pop(p, &p->other), time = 0;

		if (p->ops->look(id, false, &time) == CLOCK_NEW)
			insert(p, id, time);
		else
			push(p, &p->other, id);
	}
}

/* What is the same on every queue; false: the queue decides. */
static bool common(struct clock_policy *p, u32 id, enum clock_seen seen, u32 time)
{
	switch (seen) {
	case CLOCK_NONE:
	case CLOCK_TAKEN:
		push(p, &p->other, id);
		return true;
	case CLOCK_NEW:
		insert(p, id, time);
		return true;
	case CLOCK_WASH:
		push(p, &p->washed, id);
		return true;
	default:
		return false;
	}
}

/* The oldest hot page: used again, it stays; else it is on trial once more, without a test, or goes if the hot set is stale. */
static enum clock_seen hot_step(struct clock_policy *p)
{
	u32 id = pop(p, &p->hot), time = p->ops->page(id)->time;
	enum clock_seen seen = p->ops->look(id, hot_is_stale(p) || p->pressed, &time);

	if (p->hot.n)
		share_update(&p->idle,
			     seen == CLOCK_IDLE || seen == CLOCK_TAKEN || seen == CLOCK_WASH);
	else
		p->idle = 0; /* of those to come nothing is known */
	if (common(p, id, seen, time))
		return seen;
	if (seen == CLOCK_IDLE) {
		p->demotions++;
		to_cold(p, id, false);
	} else {
		p->second_chances++;
		to_hot(p, id);
	}
	end_tests(p);
	return seen;
}

/*
 * What a cold page that was found used, after `time`, adds to cold_target.  Used by unused pages, by time: as the logarithm of the unused ones'
 * share, it keeps growing where nearly all are used.
 */
static u32 hit_step(const struct clock_policy *p, u32 time)
{
	u64 hot_time = p->hot.n ? age(p, p->ops->page(p->hot.head)->time) : clock_policy_pages(p);
	u64 cold = (u64)p->hits * (p->idle + 1) * (hot_time + 1);
	u64 hot = (u64)(SHARE_ALL - p->idle) * (SHARE_ALL + 1 - p->hits) * (time + 1ul);
	u32 step = 1 + p->hits / HITS_STEP;

	if (cold > hot)
		return step * LEAP;
	return cold > hot - hot / 8 ? step : 0;
}

static enum clock_seen cold_step(struct clock_policy *p)
{
	u32 id = pop(p, &p->cold);
	struct clock_page c = *p->ops->page(id);
	u32 time = c.time;
	enum clock_seen seen = p->ops->look(id, !c.fresh || p->hits <= MOST_USED, &time);

	p->ops->page(id)->fresh = 0;
	if (seen == CLOCK_IDLE) {
		push(p, &p->cold, id);
		return seen;
	}
	share_update(&p->hits, seen == CLOCK_USED);
	if (c.test)
		share_update(&p->test_hits, seen == CLOCK_USED);
	if (common(p, id, seen, time))
		return seen;
	if (seen == CLOCK_USED && c.test && age(p, c.time) <= test_limit(p)) {
		promote(p, id, hit_step(p, age(p, c.time)));
	} else if (seen == CLOCK_USED) {
		p->second_chances++;
		to_cold(p, id, true);
	} else {
		push(p, &p->cold, id);
	}
	return seen;
}

u32 clock_policy_next(const struct clock_policy *p, u32 *ids, u32 n)
{
	const struct clock_queue *q =
		p->hot.n && (p->pressed || hot_is_stale(p)) ? &p->hot : &p->cold;
	u32 k = 0;

	for (u32 id = q->head; k < n && k < q->n; id = *p->ops->next(id))
		ids[k++] = id;
	return k;
}

/* Pages that were sent to be written, in order: as long as the first is not done the others are not either. */
enum clock_seen clock_policy_collect(struct clock_policy *p)
{
	u32 id = p->washed.head, time;
	enum clock_seen seen;

	if (!p->washed.n)
		return CLOCK_WRITE;
	time = p->ops->page(id)->time;
	seen = p->ops->look(id, true, &time);

	if (seen == CLOCK_WRITE)
		return seen;
	pop(p, &p->washed);
	if (common(p, id, seen, time))
		return seen;
	if (seen == CLOCK_USED) {
		p->second_chances++;
		to_cold(p, id, true);
	} else {
		push(p, &p->cold, id);
	}
	return seen;
}

void clock_policy_press(struct clock_policy *p)
{
	p->pressed = 2 * p->hot.n;
}

enum clock_seen clock_policy_step(struct clock_policy *p)
{
	u32 all = clock_policy_pages(p);

	if (!all)
		return CLOCK_NONE;
	p->scanned++;
	if (p->cold_target < cold_min(p))
		p->cold_target = cold_min(p);
	if (p->pressed)
		p->pressed = p->hot.n ? p->pressed - 1 : 0;
	if (p->hot.n && (!p->cold.n || p->pressed || hot_is_stale(p) ||
			 p->hot.n > all - (p->cold_target < all ? p->cold_target : all)))
		return hot_step(p);
	return p->cold.n ? cold_step(p) : CLOCK_WRITE;
}
