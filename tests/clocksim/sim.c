// SPDX-License-Identifier: BSD-2-Clause
/* sim.c - memory under each policy. */
#include <stdlib.h>
#include <string.h>

#include "kernel/vm/clock_policy.h"
#include "tests/clocksim/sim.h"

#define NONE UINT32_MAX

static uint32_t *table(size_t n, uint32_t value)
{
	uint32_t *p = malloc(n * sizeof(*p));

	for (size_t i = 0; i < n; i++)
		p[i] = value;
	return p;
}

/* ---- our clock ---- */

/* The kernel's frames as the policy sees them. */
static struct {
	struct frame {
		uint32_t page, next;
		struct clock_page clock;
		bool listed, ref;
	} * frames;
	uint32_t *where, *history; /* of a page: its frame; what it left behind */
	uint32_t *free, nfree;
} mem;

static u32 *next_of(u32 id)
{
	return &mem.frames[id].next;
}

static struct clock_page *page_of(u32 id)
{
	return &mem.frames[id].clock;
}

static enum clock_seen look(u32 id, bool take, u32 *time)
{
	struct frame *f = &mem.frames[id];

	if (f->page == NONE)
		return CLOCK_NONE;
	if (!f->listed) {
		f->listed = true;
		f->ref = false;
		*time = mem.history[f->page];
		return CLOCK_NEW;
	}
	if (f->ref) {
		f->ref = false;
		return CLOCK_USED;
	}
	if (!take)
		return CLOCK_IDLE;
	mem.where[f->page] = NONE;
	mem.history[f->page] = *time & CLOCK_TIME_MASK;
	f->page = NONE;
	mem.free[mem.nfree++] = id;
	return CLOCK_TAKEN;
}

static const struct clock_ops ops = {.next = next_of, .page = page_of, .look = look};

static void refill(struct clock_policy *p, uint32_t memory)
{
	uint32_t batch = memory / 128 + 1;

	clock_policy_discover(p);
	while (mem.nfree < batch)
		clock_policy_step(p);
}

struct sim_result sim_clock(const struct trace *t, uint32_t memory)
{
	struct sim_result r = {0};
	struct clock_policy p;

	clock_policy_init(&p, &ops);
	mem.frames = calloc(memory, sizeof(*mem.frames));
	mem.where = table(t->pages, NONE);
	mem.history = table(t->pages, CLOCK_NO_TIME);
	mem.free = table(memory, 0);
	for (uint32_t id = 0; id < memory; id++) {
		mem.frames[id].page = NONE;
		clock_policy_add(&p, id);
		mem.free[id] = memory - 1 - id;
	}
	mem.nfree = memory;
	for (size_t i = 0; i < t->n; i++) {
		uint32_t page = t->refs[i], *at = &mem.where[page];

		if (*at == NONE) {
			r.misses++;
			if (!mem.nfree)
				refill(&p, memory);
			*at = mem.free[--mem.nfree];
			mem.frames[*at].page = page;
			mem.frames[*at].listed = false;
		}
		mem.frames[*at].ref = true;
	}
	r.scanned = p.scanned;
	r.promotions = p.promotions;
	r.demotions = p.demotions;
	free(mem.frames);
	free(mem.where);
	free(mem.history);
	free(mem.free);
	return r;
}

/* ---- two hands ---- */

struct sim_result sim_two_hands(const struct trace *t, uint32_t memory)
{
	uint32_t *where = table(t->pages, NONE), *page = table(memory, NONE), used = 0, back = 0;
	uint32_t spread = memory / 4 ? memory / 4 : 1;
	bool *ref = calloc(memory, sizeof(*ref));
	struct sim_result r = {0};

	for (size_t i = 0; i < t->n; i++) {
		uint32_t at = where[t->refs[i]];

		if (at == NONE) {
			r.misses++;
			if (used < memory) {
				at = used++;
			} else {
				for (;; back = (back + 1) % memory) {
					r.scanned++;
					ref[(back + spread) % memory] &= spread == memory;
					if (!ref[back])
						break;
				}
				at = back;
				back = (back + 1) % memory;
				where[page[at]] = NONE;
			}
			page[at] = t->refs[i];
			where[t->refs[i]] = at;
		}
		ref[at] = true;
	}
	free(where);
	free(page);
	free(ref);
	return r;
}

/* ---- LRU ---- */

struct sim_result sim_lru(const struct trace *t, uint32_t memory)
{
	/* a ring through node t->pages; UINT32_MAX: not in memory */
	uint32_t *next = table(t->pages + 1UL, NONE), *prev = table(t->pages + 1UL, NONE);
	uint32_t top = t->pages, used = 0;
	struct sim_result r = {0};

	next[top] = prev[top] = top;
	for (size_t i = 0; i < t->n; i++) {
		uint32_t p = t->refs[i];

		if (next[p] == NONE) {
			r.misses++;
			if (used == memory) {
				uint32_t last = prev[top];

				prev[top] = prev[last];
				next[prev[last]] = top;
				next[last] = NONE;
			} else {
				used++;
			}
		} else {
			next[prev[p]] = next[p];
			prev[next[p]] = prev[p];
		}
		next[p] = next[top];
		prev[p] = top;
		prev[next[top]] = p;
		next[top] = p;
	}
	free(next);
	free(prev);
	return r;
}

/* ---- Belady ---- */

/* A heap of the pages in memory, the one used last on top; stale entries are skipped. */
struct heap {
	struct entry {
		uint32_t when, page;
	} * e;
	size_t n;
};

static void heap_push(struct heap *h, struct entry e)
{
	size_t i = h->n++;

	for (; i && h->e[(i - 1) / 2].when < e.when; i = (i - 1) / 2)
		h->e[i] = h->e[(i - 1) / 2];
	h->e[i] = e;
}

static struct entry heap_pop(struct heap *h)
{
	struct entry top = h->e[0], e = h->e[--h->n];
	size_t i = 0, k;

	while ((k = 2 * i + 1) < h->n) {
		if (k + 1 < h->n && h->e[k + 1].when > h->e[k].when)
			k++;
		if (h->e[k].when <= e.when)
			break;
		h->e[i] = h->e[k];
		i = k;
	}
	h->e[i] = e;
	return top;
}

struct sim_result sim_belady(const struct trace *t, uint32_t memory)
{
	uint32_t *seen = table(t->pages, NONE), *use = malloc(t->n * sizeof(*use)), used = 0;
	struct heap h = {.e = malloc((t->n + 1) * sizeof(*h.e))};
	struct sim_result r = {0};

	for (size_t i = t->n; i--;) {
		use[i] = seen[t->refs[i]];
		seen[t->refs[i]] = (uint32_t)i;
	}
	/* from now on: when the page in memory is used next; 0: it is not there */
	memset(seen, 0, t->pages * sizeof(*seen));
	for (size_t i = 0; i < t->n; i++) {
		uint32_t p = t->refs[i];

		if (!seen[p]) {
			struct entry e;

			r.misses++;
			if (used < memory) {
				used++;
			} else {
				do
					e = heap_pop(&h);
				while (seen[e.page] != e.when);
				seen[e.page] = 0;
			}
		}
		seen[p] = use[i];
		heap_push(&h, (struct entry){use[i], p});
	}
	free(seen);
	free(use);
	free(h.e);
	return r;
}
