/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_LIB_RBTREE_H
#define GNOMON_LIB_RBTREE_H

/*
 * Intrusive red-black trees, optionally augmented: a tree whose nodes carry a value computed from
 * their subtree (largest gap, largest end) passes `update`, which recomputes one node's value from
 * its own fields and its two children, and says whether it is another than before.  The tree calls it bottom up, on
 * insert, erase and rotation, as far as values change: so a node whose own fields change must be told (rb_update) before
 * anything else happens to the tree.  Callers lock.
 *
 * Insertion: the caller descends, remembering the link it fell off (struct rb_node **link and its
 * parent), then rb_insert(tree, node, parent, link).
 */

#include "kernel/lib/types.h"

struct rb_node {
	uintptr_t parent_color; /* parent pointer | colour in bit 0 */
	struct rb_node *left, *right;
};

struct rb_tree {
	struct rb_node *root;
	bool (*update)(struct rb_node *); /* NULL: not augmented */
};

#define RB_TREE_INIT(upd)   \
	{                   \
		NULL, (upd) \
	}

void rb_insert(struct rb_tree *t, struct rb_node *n, struct rb_node *parent, struct rb_node **link);
/* The place is known: n goes right before `at` (NULL: last). at's own fields may have changed as well: it is recomputed too. */
void rb_insert_before(struct rb_tree *t, struct rb_node *n, struct rb_node *at);
void rb_insert_after(struct rb_tree *t, struct rb_node *n, struct rb_node *at); /* not NULL */
void rb_erase(struct rb_tree *t, struct rb_node *n);
/* Makes an empty tree of n nodes in order, chained through `right` from first: O(n), and balanced. */
void rb_build(struct rb_tree *t, struct rb_node *first, size_t n);
/* n's own fields changed (its key order did not): recompute n, and its ancestors as far as they change. */
void rb_update(struct rb_tree *t, struct rb_node *n);
/* puts new in the place of old (same key); updates ancestors. */
void rb_replace(struct rb_tree *t, struct rb_node *old, struct rb_node *new);
struct rb_node *rb_first(const struct rb_tree *t);
struct rb_node *rb_last(const struct rb_tree *t);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);
static inline struct rb_node *rb_parent(const struct rb_node *n)
{
	return (struct rb_node *)(n->parent_color & ~(uintptr_t)1);
}
/* Checks colours, black heights, parent links; panics or returns false (used by audits and tests). */
bool rb_check(const struct rb_tree *t);

#endif
