// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/lib/rbtree.c tests/host/shim/kernel.c
/* Red-black trees against a sorted array, with an augmented value (sum and maximum of a subtree). */

#include "host.h"
#include "kernel/lib/rbtree.h"

#define N 512

struct item {
	u64 key, weight, sum, max;
	struct rb_node node;
	bool in;
};

static struct item items[N];
static unsigned updates;

#define ITEM(n) container_of(n, struct item, node)

static bool item_update(struct rb_node *n)
{
	struct item *it = ITEM(n);
	u64 sum = it->sum, max = it->max;

	updates++;
	it->sum = it->max = it->weight;
	for (int side = 0; side < 2; side++) {
		struct rb_node *c = side ? n->right : n->left;

		if (!c)
			continue;
		it->sum += ITEM(c)->sum;
		it->max = MAX(it->max, ITEM(c)->max);
	}
	return it->sum != sum || it->max != max;
}

static void insert(struct rb_tree *t, struct item *it)
{
	struct rb_node **link = &t->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = it->key < ITEM(parent)->key ? &parent->left : &parent->right;
	}
	rb_insert(t, &it->node, parent, link);
	it->in = true;
}

/* The same by position. The neighbour changes its weight with it. */
static void insert_beside(struct rb_tree *t, struct item *it, bool after)
{
	struct item *at = it;

	do
		at += after ? -1 : 1;
	while (at >= items && at < items + N && !at->in);
	if (at < items) {
		insert(t, it);
		return;
	}
	if (at < items + N)
		at->weight = host_rand_below(1000);
	if (after)
		rb_insert_after(t, &it->node, &at->node);
	else
		rb_insert_before(t, &it->node, at < items + N ? &at->node : NULL);
	it->in = true;
}

static unsigned height(const struct rb_node *n)
{
	unsigned l, r;

	if (!n)
		return 0;
	l = height(n->left);
	r = height(n->right);
	return 1 + MAX(l, r);
}

/* Whole tree against items[].in; items are sorted by key. */
static void check(struct rb_tree *t, bool augmented)
{
	struct rb_node *n = rb_first(t), *prev = NULL;
	unsigned count = 0, log = 1;
	u64 sum = 0, max = 0;

	assert_true(rb_check(t));
	for (unsigned i = 0; i < N; i++) {
		if (!items[i].in)
			continue;
		assert_ptr_equal(n, &items[i].node);
		assert_ptr_equal(rb_prev(n), prev);
		prev = n;
		n = rb_next(n);
		count++;
		sum += items[i].weight;
		max = MAX(max, items[i].weight);
	}
	assert_null(n);
	assert_ptr_equal(rb_last(t), prev);
	while (1u << log < count + 1)
		log++;
	assert_true(height(t->root) <= 2 * log);
	if (augmented && t->root) {
		assert_int_equal(ITEM(t->root)->sum, sum);
		assert_int_equal(ITEM(t->root)->max, max);
	}
	if (!augmented)
		return;
	for (unsigned i = 0; i < N; i++) {
		struct item old = items[i];

		if (!items[i].in)
			continue;
		item_update(&items[i].node);
		assert_int_equal(old.sum, items[i].sum);
		assert_int_equal(old.max, items[i].max);
	}
}

static void random_ops(bool augmented)
{
	struct rb_tree t = RB_TREE_INIT(augmented ? item_update : NULL);

	memset(items, 0, sizeof(items));
	for (unsigned i = 0; i < N; i++)
		items[i].key = i * 3;
	for (unsigned step = 0; step < 20000; step++) {
		/* seasons: mostly growing, mostly shrinking */
		bool grow = host_rand_below(100) < (step / 2000 % 2 ? 30 : 70);
		struct item *it = &items[host_rand_below(N)];

		if (it->in && !grow) {
			rb_erase(&t, &it->node);
			memset(&it->node, 0xaa, sizeof(it->node));
			it->in = false;
		} else if (!it->in && grow) {
			it->weight = host_rand_below(1000);
			if (step % 3)
				insert_beside(&t, it, step % 3 == 1);
			else
				insert(&t, it);
		} else if (it->in && augmented) {
			it->weight = host_rand_below(1000);
			rb_update(&t, &it->node);
		}
		if (step % 16 == 0)
			check(&t, augmented);
	}
}

/* Built at once: each size, then the tree must work on. */
static void test_build(void **state)
{
	(void)state;
	for (unsigned n = 0; n <= N; n += n < 40 ? 1 : 37) {
		struct rb_tree t = RB_TREE_INIT(item_update);

		memset(items, 0, sizeof(items));
		for (unsigned i = 0; i < N; i++) {
			items[i].key = i * 3;
			items[i].weight = host_rand_below(1000);
			items[i].in = i < n;
			items[i].node.right = i + 1 < n ? &items[i + 1].node : NULL;
		}
		rb_build(&t, n ? &items[0].node : NULL, n);
		check(&t, true);
		for (unsigned i = 0; i < n; i += 3) {
			rb_erase(&t, &items[i].node);
			items[i].in = false;
		}
		check(&t, true);
		if (n < N) {
			insert(&t, &items[n]);
			check(&t, true);
		}
	}
}

static void test_random(void **state)
{
	(void)state;
	random_ops(false);
}

static void test_random_augmented(void **state)
{
	(void)state;
	updates = 0;
	random_ops(true);
	assert_true(updates > 0);
}

static void test_sequences(void **state)
{
	struct rb_tree t = RB_TREE_INIT(item_update);

	(void)state;
	for (int down = 0; down < 2; down++) {
		memset(items, 0, sizeof(items));
		for (unsigned i = 0; i < N; i++) {
			unsigned k = down ? N - 1 - i : i;

			items[k].key = k;
			items[k].weight = k;
			insert(&t, &items[k]);
		}
		check(&t, true);
		for (unsigned i = 0; i < N; i++) {
			rb_erase(&t, &items[i].node);
			items[i].in = false;
			if (i % 8 == 0)
				check(&t, true);
		}
		assert_null(t.root);
		assert_null(rb_first(&t));
		assert_null(rb_last(&t));
	}
}

static void test_replace(void **state)
{
	struct rb_tree t = RB_TREE_INIT(item_update);

	(void)state;
	memset(items, 0, sizeof(items));
	for (unsigned i = 0; i < N; i++) {
		items[i].key = i;
		items[i].weight = 1;
		insert(&t, &items[i]);
	}
	for (unsigned i = 0; i < N; i += 7) {
		struct item *copy = malloc(sizeof(*copy));

		*copy = items[i];
		copy->weight = 100;
		rb_replace(&t, &items[i].node, &copy->node);
		memset(&items[i].node, 0xaa, sizeof(items[i].node));
		assert_true(rb_check(&t));
		rb_replace(&t, &copy->node, &items[i].node);
		free(copy);
	}
	check(&t, true);
}

/* The checker must see what it is there to see. */
static void test_check_detects(void **state)
{
	struct rb_tree t = RB_TREE_INIT(NULL);
	struct rb_node *n;

	(void)state;
	memset(items, 0, sizeof(items));
	for (unsigned i = 0; i < 64; i++) {
		items[i].key = i;
		insert(&t, &items[i]);
	}
	assert_true(rb_check(&t));
	n = rb_first(&t);
	n->parent_color ^= 1;
	assert_false(rb_check(&t));
	n->parent_color ^= 1;
	assert_true(rb_check(&t));
	t.root->left->parent_color += 2 * sizeof(struct item);
	assert_false(rb_check(&t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_random_augmented),
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_check_detects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
