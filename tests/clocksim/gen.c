// SPDX-License-Identifier: BSD-2-Clause
/* gen.c - traces: generators and the reader of recorded ones. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/clocksim/sim.h"

struct gen {
	uint64_t state;
	uint32_t memory;
	uint32_t a, b; /* the numbers, as pages where they are sizes */
	uint32_t exponent;
	double *cdf;	/* zipf */
	uint32_t *perm; /* ranks to pages */
	uint32_t *stack;
	size_t n;
};

static uint64_t rnd(struct gen *g)
{
	g->state ^= g->state << 13;
	g->state ^= g->state >> 7;
	g->state ^= g->state << 17;
	return g->state * 0x2545f4914f6cdd1d;
}

static uint32_t below(struct gen *g, uint32_t n)
{
	return (uint32_t)((rnd(g) >> 32) * n >> 32);
}

static double real(struct gen *g)
{
	return (double)(rnd(g) >> 11) / 9007199254740992.0;
}

static uint32_t *shuffled(struct gen *g, uint32_t n)
{
	uint32_t *p = malloc(n * sizeof(*p));

	for (uint32_t i = 0; p && i < n; i++) {
		uint32_t k = below(g, i + 1);

		p[i] = p[k];
		p[k] = i;
	}
	return p;
}

static uint32_t loop_next(struct gen *g, size_t i)
{
	return (uint32_t)(i % g->a);
}

static uint32_t scan_next(struct gen *g, size_t i)
{
	if (i & 1)
		return below(g, g->a);
	return g->a + (uint32_t)(i / 2 % g->b);
}

static void zipf_init(struct gen *g, uint32_t size, uint32_t exponent)
{
	double sum = 0;

	g->cdf = malloc(size * sizeof(*g->cdf));
	g->perm = shuffled(g, size);
	for (uint32_t i = 0; i < size; i++)
		g->cdf[i] = sum += pow(i + 1, -(double)exponent / 100);
	for (uint32_t i = 0; i < size; i++)
		g->cdf[i] /= sum;
}

static uint32_t zipf(struct gen *g, uint32_t size)
{
	uint32_t lo = 0, hi = size - 1;
	double x = real(g);

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (g->cdf[mid] < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return g->perm[lo];
}

static uint32_t zipf_next(struct gen *g, size_t i)
{
	(void)i;
	return zipf(g, g->b);
}

static uint32_t uniform_next(struct gen *g, size_t i)
{
	(void)i;
	return below(g, g->a);
}

static uint32_t phases_next(struct gen *g, size_t i)
{
	return (uint32_t)(i * 5 / g->n) * g->a + below(g, g->a);
}

/* The page at a random depth of an LRU stack; shallow ones are likelier. */
static uint32_t stack_next(struct gen *g, size_t i)
{
	double x = real(g);
	uint32_t depth = (uint32_t)(x * x * g->a), page;

	(void)i;
	page = g->stack[depth];
	memmove(g->stack + 1, g->stack, depth * sizeof(*g->stack));
	return g->stack[0] = page;
}

static uint32_t mix_next(struct gen *g, size_t i)
{
	switch (i * 9 / g->n % 3) {
	case 0:
		return loop_next(g, i);
	case 1:
		return g->a + zipf(g, g->a);
	default:
		return below(g, g->a / 2);
	}
}

static const struct kind {
	const char *name;
	uint32_t (*next)(struct gen *g, size_t i);
	unsigned numbers;
} kinds[] = {{"loop", loop_next, 1},	   {"scan", scan_next, 2},     {"zipf", zipf_next, 2},
	     {"uniform", uniform_next, 1}, {"phases", phases_next, 1}, {"stack", stack_next, 1},
	     {"mix", mix_next, 1}};

static const struct kind *find_kind(const char *name, unsigned numbers)
{
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		if (!strcmp(kinds[k].name, name) && kinds[k].numbers == numbers)
			return &kinds[k];
	return NULL;
}

static uint32_t pages_of(uint32_t percent, uint32_t memory)
{
	uint32_t n = (uint32_t)((uint64_t)percent * memory / 100);

	return n > 1 ? n : 2;
}

static void gen_init(struct gen *g, const struct kind *k, uint32_t a, uint32_t b)
{
	bool is_zipf = k->next == zipf_next;

	g->a = pages_of(a, g->memory);
	g->b = pages_of(b, g->memory);
	if (is_zipf)
		zipf_init(g, g->b, a);
	else if (k->next == mix_next)
		zipf_init(g, g->a, 90);
	else if (k->next == stack_next)
		g->stack = shuffled(g, g->a);
}

/* Pages get numbers in the order they come in. */
static void make_dense(struct trace *t, uint32_t most)
{
	uint32_t *number = malloc((most + 1UL) * sizeof(*number));

	memset(number, 0xff, (most + 1UL) * sizeof(*number));
	t->pages = 0;
	for (size_t i = 0; i < t->n; i++) {
		uint32_t *p = &number[t->refs[i]];

		if (*p == UINT32_MAX)
			*p = t->pages++;
		t->refs[i] = *p;
	}
	free(number);
}

bool trace_generate(struct trace *t, const char *spec, uint32_t memory, size_t n, uint64_t seed)
{
	struct gen g = {.state = seed * 0x9e3779b97f4a7c15 + 1, .memory = memory, .n = n};
	unsigned a = 0, b = 0;
	uint32_t most = 0;
	char name[16];
	int numbers = sscanf(spec, "%15[a-z]:%u:%u", name, &a, &b) - 1;
	const struct kind *k = numbers > 0 ? find_kind(name, (unsigned)numbers) : NULL;

	if (!k)
		return false;
	gen_init(&g, k, a, b);
	*t = (struct trace){.refs = malloc(n * sizeof(*t->refs)), .n = n};
	for (size_t i = 0; i < n; i++) {
		t->refs[i] = k->next(&g, i);
		if (t->refs[i] > most)
			most = t->refs[i];
	}
	make_dense(t, most);
	free(g.cdf);
	free(g.perm);
	free(g.stack);
	return true;
}

/* ---- recorded traces ---- */

struct names {
	struct {
		uint64_t object, index;
		uint32_t page;
		bool used;
	} * slots;
	size_t size;
};

static void grow(struct names *m)
{
	struct names old = *m;

	m->size = old.size ? old.size * 2 : 1024;
	m->slots = calloc(m->size, sizeof(*m->slots));
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].used) {
			uint64_t h = (old.slots[i].object * 31 + old.slots[i].index) *
				     0x9e3779b97f4a7c15;
			size_t k = (h >> 20) % m->size;

			while (m->slots[k].used)
				k = (k + 1) % m->size;
			m->slots[k] = old.slots[i];
		}
	free(old.slots);
}

static uint32_t number_of(struct names *m, struct trace *t, uint64_t object, uint64_t index)
{
	if (t->pages * 2UL >= m->size)
		grow(m);
	size_t k = ((object * 31 + index) * 0x9e3779b97f4a7c15 >> 20) % m->size;

	while (m->slots[k].used && (m->slots[k].object != object || m->slots[k].index != index))
		k = (k + 1) % m->size;
	if (!m->slots[k].used) {
		m->slots[k].object = object;
		m->slots[k].index = index;
		m->slots[k].page = t->pages++;
		m->slots[k].used = true;
	}
	return m->slots[k].page;
}

/* References and when they were; a page is found used some time after it was. */
struct timed {
	uint64_t when;
	uint32_t page;
};

static int earlier(const void *a, const void *b)
{
	const struct timed *x = a, *y = b;

	return x->when < y->when ? -1 : x->when > y->when;
}

/*
 * A page that was found used was used at any time since it was recorded last, rather soon than late: a quarter of the way is taken.  The clock
 * that recorded it looked at the page just then, so where it was recorded a use would nearly always come too late for the clock here.
 */
static void uses_earlier(struct trace *t, const bool *used)
{
	struct timed *e = malloc(t->n * sizeof(*e));
	size_t *last = calloc(t->pages, sizeof(*last));

	for (size_t i = 0; i < t->n; i++) {
		uint32_t p = t->refs[i];

		e[i].page = p;
		e[i].when = (used[i] ? (3 * last[p] + i) / 4 : i) * t->n + i;
		last[p] = i;
	}
	qsort(e, t->n, sizeof(*e), earlier);
	for (size_t i = 0; i < t->n; i++)
		t->refs[i] = e[i].page;
	free(e);
	free(last);
}

bool trace_read(struct trace *t, const char *path)
{
	FILE *f = fopen(path, "r");
	struct names m = {0};
	char line[200];
	bool *used = NULL;
	size_t room = 0;

	*t = (struct trace){0};
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		unsigned long long a, b;
		char kind = 0;

		if (sscanf(line, "# memory %llu", &a) == 1) {
			t->memory = (uint32_t)a;
		} else if (sscanf(line, "# misses %llu %llu", &a, &b) == 2) {
			t->misses = a;
			t->first = b;
		} else if (sscanf(line, "%llx %llx %c", &a, &b, &kind) >= 2) {
			if (t->n == room) {
				room = room ? room * 2 : 4096;
				t->refs = realloc(t->refs, room * sizeof(*t->refs));
				used = realloc(used, room * sizeof(*used));
			}
			used[t->n] = kind == 'u';
			t->refs[t->n++] = number_of(&m, t, a, b);
		}
	}
	fclose(f);
	free(m.slots);
	uses_earlier(t, used);
	free(used);
	return t->n != 0;
}

void trace_free(struct trace *t)
{
	free(t->refs);
	*t = (struct trace){0};
}
