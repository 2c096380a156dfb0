// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/lib/radix.c tests/host/shim/kernel.c
/* Radix trees against a sorted list of (index, word, tags); memory that fails on demand; no node lost. */

#include "host.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/radix_node.h"

#define MODEL 4096

static long nodes_out;
static long nodes_left = -1; /* < 0: no limit */

struct radix_node *radix_node_alloc(bool can_sleep)
{
	(void)can_sleep;
	if (!nodes_left)
		return NULL;
	if (nodes_left > 0)
		nodes_left--;
	nodes_out++;
	return calloc(1, sizeof(struct radix_node));
}

void radix_node_free(struct radix_node *n)
{
	nodes_out--;
	free(n);
}

static struct entry {
	u64 index;
	uintptr_t word;
	unsigned tags;
} model[MODEL];
static unsigned nmodel;

/* Position of the first entry with index >= i. */
static unsigned model_at(u64 i)
{
	unsigned lo = 0, hi = nmodel;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (model[mid].index < i)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct entry *model_find(u64 i)
{
	unsigned at = model_at(i);

	return at < nmodel && model[at].index == i ? &model[at] : NULL;
}

static void model_insert(u64 i, uintptr_t w)
{
	unsigned at = model_at(i);

	memmove(&model[at + 1], &model[at], (nmodel - at) * sizeof(model[0]));
	model[at] = (struct entry){i, w, 0};
	nmodel++;
}

static void model_remove(unsigned at, unsigned n)
{
	memmove(&model[at], &model[at + n], (nmodel - at - n) * sizeof(model[0]));
	nmodel -= n;
}

/* Nodes a tree of these indices must have: the distinct prefixes at each level. */
static void check_nodes(const struct radix_tree *t)
{
	long want = 0;

	for (unsigned level = 0; level < t->height; level++) {
		unsigned shift = (level + 1) * RADIX_BITS;
		u64 last = 0;

		for (unsigned i = 0; i < nmodel; i++) {
			u64 prefix = shift < 64 ? model[i].index >> shift : 0;

			if (!i || prefix != last)
				want++;
			last = prefix;
		}
	}
	assert_int_equal(nodes_out, want);
}

static void check(const struct radix_tree *t)
{
	uintptr_t words[100];
	u64 idx[100], i = 0;
	unsigned k = 0;
	bool any[RADIX_TAGS] = {0};

	assert_int_equal(t->count, nmodel);
	check_nodes(t);
	for (;;) {
		size_t n = radix_gather(t, i, ~0UL, words, idx, 1 + host_rand_below(100));

		for (size_t j = 0; j < n; j++, k++) {
			assert_true(k < nmodel);
			assert_int_equal(idx[j], model[k].index);
			assert_int_equal(words[j], model[k].word);
		}
		if (!n || idx[n - 1] == ~0UL)
			break;
		i = idx[n - 1] + 1;
	}
	assert_int_equal(k, nmodel);
	for (k = 0; k < nmodel; k++)
		for (unsigned tag = 0; tag < RADIX_TAGS; tag++) {
			assert_int_equal(radix_tag_get(t, model[k].index, tag),
					 model[k].tags >> tag & 1);
			any[tag] |= model[k].tags >> tag & 1;
		}
	for (unsigned tag = 0; tag < RADIX_TAGS; tag++)
		assert_int_equal(radix_tagged(t, tag), any[tag]);
}

static u64 random_index(void)
{
	switch (host_rand_below(8)) {
	case 0:
		return host_rand_below(4);
	case 1:
		return ~0UL - host_rand_below(70);
	case 2:
		return (1UL << host_rand_below(64)) - host_rand_below(2);
	case 3:
		return (1UL << 36) + host_rand_below(200);
	default:
		return host_rand_below(1000);
	}
}

static unsigned removed;
static u64 removed_next;

static void on_remove(uintptr_t word, u64 index, void *arg)
{
	struct entry *e = model_find(index);

	assert_ptr_equal(arg, model);
	assert_non_null(e);
	assert_int_equal(e->word, word);
	assert_true(!removed || index > removed_next);
	removed_next = index;
	removed++;
}

static void op_remove_range(struct radix_tree *t, u64 i)
{
	u64 last = host_rand_below(4) ? i + host_rand_below(300) : random_index();
	unsigned from, to;

	if (last < i)
		last = i;
	from = model_at(i);
	to = last == ~0UL ? nmodel : model_at(last + 1);
	removed = 0;
	radix_remove_range(t, i, last, on_remove, model);
	assert_int_equal(removed, to - from);
	model_remove(from, to - from);
}

static void op_next(struct radix_tree *t, u64 i)
{
	u64 last = random_index(), found = i;
	unsigned tag = host_rand_below(RADIX_TAGS + 1), at = model_at(i);
	uintptr_t w;

	while (tag < RADIX_TAGS && at < nmodel && !(model[at].tags >> tag & 1))
		at++;
	w = tag < RADIX_TAGS ? radix_next_tagged(t, &found, last, tag)
			     : radix_next(t, &found, last);
	if (at < nmodel && model[at].index <= last && i <= last) {
		assert_int_equal(w, model[at].word);
		assert_int_equal(found, model[at].index);
	} else {
		assert_int_equal(w, 0);
	}
}

static void op_insert(struct radix_tree *t, u64 i)
{
	uintptr_t w = host_rand() | 1;
	long before = nodes_out;
	int err;

	if (nmodel == MODEL - 1)
		return;
	if (host_rand_below(3) == 0)
		nodes_left = host_rand_below(6);
	err = radix_insert(t, i, w, NULL);
	assert_true(err == 0 || (err == -ENOMEM && nodes_left == 0));
	nodes_left = -1;
	if (err) {
		assert_int_equal(nodes_out, before);
		assert_int_equal(radix_get(t, i), 0);
	} else {
		model_insert(i, w);
	}
}

/* Empty slots of one node, as many as the model has free there. */
static void op_run(struct radix_tree *t, u64 i)
{
	unsigned max = 1 + host_rand_below(20), n = 0, room = radix_room(t, i, max), run;
	uintptr_t words[20];

	while (n < max && (i + n) / RADIX_SLOTS == i / RADIX_SLOTS && !model_find(i + n))
		n++;
	assert_int_equal(room, n);
	run = radix_run_before(t, i, max);
	assert_true(run <= max);
	for (n = 1; n <= run; n++)
		assert_non_null(model_find(i - n));
	if (run < max && i % RADIX_SLOTS > run)
		assert_null(model_find(i - run - 1));
	if (!room || !t->height || !model_find(i ^ 1) || nmodel + room >= MODEL)
		return;
	for (n = 0; n < room; n++)
		words[n] = host_rand() | 1;
	radix_insert_run(t, i, words, room);
	for (n = 0; n < room; n++)
		model_insert(i + n, words[n]);
}

static void one_op(struct radix_tree *t)
{
	u64 i = random_index();
	struct entry *e = model_find(i);
	unsigned tag = host_rand_below(RADIX_TAGS), what = host_rand_below(100);

	assert_int_equal(radix_get(t, i), e ? e->word : 0);
	if (what < 3) {
		op_remove_range(t, i);
	} else if (what < 10) {
		op_run(t, i);
	} else if (what < 30) {
		op_next(t, i);
	} else if (!e) {
		op_insert(t, i);
		assert_false(radix_tag_get(t, i, tag));
		radix_tag_clear(t, i, tag);
	} else if (what < 50) {
		assert_int_equal(radix_remove(t, i), e->word);
		model_remove(e - model, 1);
		assert_int_equal(radix_remove(t, i), 0);
	} else if (what < 70) {
		uintptr_t w = host_rand() | 1;

		assert_int_equal(radix_replace(t, i, w), e->word);
		e->word = w;
	} else if (what < 88) {
		radix_tag_set(t, i, tag);
		e->tags |= 1u << tag;
	} else {
		radix_tag_clear(t, i, tag);
		e->tags &= ~(1u << tag);
	}
}

static void empty(struct radix_tree *t)
{
	removed = 0;
	radix_remove_range(t, 0, ~0UL, on_remove, model);
	assert_int_equal(removed, nmodel);
	assert_int_equal(nodes_out, 0);
	assert_int_equal(t->count, 0);
	assert_null(t->root);
	nmodel = 0;
}

static void test_random(void **state)
{
	struct radix_tree t;

	(void)state;
	radix_init(&t);
	nmodel = 0;
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned step = 0; step < 5000; step++) {
			one_op(&t);
			if (step % 64 == 0)
				check(&t);
		}
		check(&t);
		empty(&t);
	}
}

static void test_single_needs_no_node(void **state)
{
	struct radix_tree t;
	u64 i = 0;

	(void)state;
	radix_init(&t);
	nodes_left = 0;
	assert_int_equal(radix_insert(&t, 0, 42, NULL), 0);
	radix_tag_set(&t, 0, 1);
	assert_int_equal(radix_next_tagged(&t, &i, ~0UL, 1), 42);
	assert_int_equal(radix_next_tagged(&t, &i, ~0UL, 0), 0);
	assert_int_equal(radix_insert(&t, 1, 43, NULL), -ENOMEM);
	assert_int_equal(radix_insert(&t, ~0UL, 43, NULL), -ENOMEM);
	nodes_left = -1;
	assert_int_equal(radix_insert(&t, 64, 43, NULL), 0);
	assert_true(radix_tag_get(&t, 0, 1));
	assert_false(radix_tag_get(&t, 64, 1));
	assert_int_equal(radix_remove(&t, 64), 43);
	assert_int_equal(nodes_out, 0);
	assert_true(radix_tag_get(&t, 0, 1));
	assert_int_equal(radix_remove(&t, 0), 42);
	assert_false(radix_tagged(&t, 1));
}

/* The worst case fits exactly: index 0 in a tree of height 0, then the last index of all. */
static void test_reserve_is_enough(void **state)
{
	struct radix_tree t;
	struct radix_reserve r = {NULL, 0};
	u64 at[] = {0, 1, 63, 64, 4095, 1UL << 30, 1UL << 60, ~0UL};

	(void)state;
	for (unsigned a = 0; a < ARRAY_LEN(at); a++)
		for (unsigned b = 0; b < ARRAY_LEN(at); b++) {
			radix_init(&t);
			for (unsigned k = 0; k < 2; k++) {
				u64 i = at[k ? b : a];

				if (radix_get(&t, i))
					continue;
				while (r.n < RADIX_INSERT_MAX) {
					struct radix_node *n = radix_node_alloc(true);

					n->parent = r.free;
					r.free = n;
					r.n++;
				}
				nodes_left = 0;
				assert_int_equal(radix_insert(&t, i, i | 1, &r), 0);
				assert_int_equal(radix_get(&t, i), i | 1);
				nodes_left = -1;
			}
			radix_remove(&t, at[a]);
			radix_remove(&t, at[b]);
			assert_null(t.root);
		}
	while (r.n--) {
		struct radix_node *n = r.free;

		r.free = n->parent;
		radix_node_free(n);
	}
	assert_int_equal(nodes_out, 0);
}

static void test_misuse_panics(void **state)
{
	struct radix_tree t;

	(void)state;
	radix_init(&t);
	expect_panic(radix_insert(&t, 5, 0, NULL), "word");
	assert_int_equal(radix_insert(&t, 5, 1, NULL), 0);
	expect_panic(radix_insert(&t, 5, 2, NULL), "slot");
	expect_panic(radix_replace(&t, 6, 2), "old");
	expect_panic(radix_tag_set(&t, 6, 0), "radix_get");
	radix_remove(&t, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_single_needs_no_node),
		cmocka_unit_test(test_reserve_is_enough),
		cmocka_unit_test(test_misuse_panics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
