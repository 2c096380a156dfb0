// SPDX-License-Identifier: BSD-2-Clause
/*
 * Red-black trees after Cormen, Leiserson, Rivest and Stein, "Introduction to Algorithms", chapter 13, with NULL leaves and
 * parent links.
 *
 * Invariants: the root is black; a red node has black children; each path from a node down to a NULL leaf has the same number of
 * black nodes.  With t->update set, every node's value agrees with its subtree whenever no call is under way:
 * structural changes first recompute the path upwards, as far as values change, then each rotation recomputes its two
 * nodes (the set of nodes below the upper one is unchanged by a rotation, so nothing above needs another look).
 *
 * Locks: none, the caller's.
 */

#include "kernel/lib/rbtree.h"
#include "kernel/lib/print.h"

#define RB_BLACK ((uintptr_t)1)
#define RB_RED	 ((uintptr_t)0)

static inline bool is_black(const struct rb_node *n)
{
	return !n || (n->parent_color & RB_BLACK);
}

static inline bool is_red(const struct rb_node *n)
{
	return !is_black(n);
}

static inline void set_black(struct rb_node *n)
{
	n->parent_color |= RB_BLACK;
}

static inline void set_red(struct rb_node *n)
{
	n->parent_color &= ~RB_BLACK;
}

static inline void set_parent(struct rb_node *n, struct rb_node *parent)
{
	n->parent_color = (uintptr_t)parent | (n->parent_color & RB_BLACK);
}

static inline void copy_color(struct rb_node *to, const struct rb_node *from)
{
	to->parent_color = (to->parent_color & ~RB_BLACK) | (from->parent_color & RB_BLACK);
}

/* Lets `parent` (NULL: the root link) point to new where it pointed to old. */
static void change_child(struct rb_tree *t, struct rb_node *parent, struct rb_node *old,
			 struct rb_node *new)
{
	if (!parent) {
		ASSERT(t->root == old);
		t->root = new;
	} else if (parent->left == old) {
		parent->left = new;
	} else {
		ASSERT(parent->right == old);
		parent->right = new;
	}
}

static void rotate(struct rb_tree *t, struct rb_node *n, bool left)
{
	struct rb_node *up = left ? n->right : n->left;
	struct rb_node *middle = left ? up->left : up->right;
	struct rb_node *parent = rb_parent(n);

	if (left) {
		n->right = middle;
		up->left = n;
	} else {
		n->left = middle;
		up->right = n;
	}
	if (middle)
		set_parent(middle, n);
	change_child(t, parent, n, up);
	set_parent(up, parent);
	set_parent(n, up);
	if (t->update) {
		t->update(n);
		t->update(up);
	}
}

/* Recomputes n, its parent, ...: what lies above a value that stays has seen no change. */
static void settle(struct rb_tree *t, struct rb_node *n)
{
	while (n && t->update(n))
		n = rb_parent(n);
}

void rb_update(struct rb_tree *t, struct rb_node *n)
{
	if (t->update)
		settle(t, n);
}

static void insert_fixup(struct rb_tree *t, struct rb_node *n)
{
	struct rb_node *parent, *grand, *uncle;

	while ((parent = rb_parent(n)) && is_red(parent)) {
		bool left = (grand = rb_parent(parent))->left == parent;

		uncle = left ? grand->right : grand->left;
		if (is_red(uncle)) {
			set_black(parent);
			set_black(uncle);
			set_red(grand);
			n = grand;
			continue;
		}
		if (n == (left ? parent->right : parent->left)) {
			rotate(t, parent, left);
			parent = n;
		}
		set_black(parent);
		set_red(grand);
		rotate(t, grand, !left);
		break;
	}
	set_black(t->root);
}

static void link_leaf(struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	ASSERT(!*link);
	n->parent_color = (uintptr_t)parent | (parent ? RB_RED : RB_BLACK);
	n->left = n->right = NULL;
	*link = n;
}

void rb_insert(struct rb_tree *t, struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	link_leaf(n, parent, link);
	if (t->update) {
		t->update(n);
		settle(t, parent);
	}
	if (is_red(rb_parent(n)))
		insert_fixup(t, n);
}

/* n is linked, below at unless that is NULL; both are recomputed. */
static void inserted(struct rb_tree *t, struct rb_node *n, struct rb_node *at)
{
	struct rb_node *up = rb_parent(n);

	if (t->update) {
		t->update(n);
		while (up != at && t->update(up))
			up = rb_parent(up);
		settle(t, at);
	}
	if (is_red(rb_parent(n)))
		insert_fixup(t, n);
}

void rb_insert_before(struct rb_tree *t, struct rb_node *n, struct rb_node *at)
{
	struct rb_node *parent = at ? at->left : t->root;

	if (!parent) {
		link_leaf(n, at, at ? &at->left : &t->root);
	} else {
		while (parent->right)
			parent = parent->right;
		link_leaf(n, parent, &parent->right);
	}
	inserted(t, n, at);
}

void rb_insert_after(struct rb_tree *t, struct rb_node *n, struct rb_node *at)
{
	struct rb_node *parent = at->right;

	if (!parent) {
		link_leaf(n, at, &at->right);
	} else {
		while (parent->left)
			parent = parent->left;
		link_leaf(n, parent, &parent->left);
	}
	inserted(t, n, at);
}

/* The path through n (maybe NULL, below parent) is one black node short. */
static void erase_fixup(struct rb_tree *t, struct rb_node *n, struct rb_node *parent)
{
	while (parent && is_black(n)) {
		bool left = parent->left == n;
		struct rb_node *sib = left ? parent->right : parent->left;
		struct rb_node *near, *far;

		if (is_red(sib)) {
			set_black(sib);
			set_red(parent);
			rotate(t, parent, left);
			sib = left ? parent->right : parent->left;
		}
		near = left ? sib->left : sib->right;
		far = left ? sib->right : sib->left;
		if (is_black(near) && is_black(far)) {
			set_red(sib);
			n = parent;
			parent = rb_parent(n);
			continue;
		}
		if (is_black(far)) {
			set_black(near);
			set_red(sib);
			rotate(t, sib, !left);
			far = sib;
			sib = near;
		}
		copy_color(sib, parent);
		set_black(parent);
		set_black(far);
		rotate(t, parent, left);
		return;
	}
	if (n)
		set_black(n);
}

/* n has two children: its successor takes its place and colour.  Returns what moved up where the successor was, its new parent in
 * *parent, and whether a black node went missing there. */
static struct rb_node *erase_inner(struct rb_tree *t, struct rb_node *n, struct rb_node **parent,
				   bool *short_black)
{
	struct rb_node *succ = n->right, *child;

	while (succ->left)
		succ = succ->left;
	child = succ->right;
	*short_black = is_black(succ);
	*parent = rb_parent(succ);
	if (*parent == n) {
		*parent = succ;
	} else {
		(*parent)->left = child;
		if (child)
			set_parent(child, *parent);
		succ->right = n->right;
		set_parent(n->right, succ);
	}
	succ->left = n->left;
	set_parent(n->left, succ);
	change_child(t, rb_parent(n), n, succ);
	succ->parent_color = n->parent_color;
	return child;
}

/* A node went from below parent; moved (NULL: none) has taken another place above it, and with that another value than what lies over it knows. */
static void settle_erased(struct rb_tree *t, struct rb_node *parent, struct rb_node *moved)
{
	if (!moved) {
		settle(t, parent);
		return;
	}
	while (parent != moved && t->update(parent))
		parent = rb_parent(parent);
	t->update(moved);
	settle(t, rb_parent(moved));
}

void rb_erase(struct rb_tree *t, struct rb_node *n)
{
	struct rb_node *child, *parent, *moved = NULL;
	bool short_black;

	if (n->left && n->right) {
		child = erase_inner(t, n, &parent, &short_black);
		moved = rb_parent(n->left);
	} else {
		child = n->left ? n->left : n->right;
		parent = rb_parent(n);
		short_black = is_black(n);
		change_child(t, parent, n, child);
		if (child)
			set_parent(child, parent);
	}
	if (t->update)
		settle_erased(t, parent, moved);
	if (short_black)
		erase_fixup(t, child, parent);
}

void rb_replace(struct rb_tree *t, struct rb_node *old, struct rb_node *new)
{
	*new = *old;
	change_child(t, rb_parent(old), old, new);
	if (new->left)
		set_parent(new->left, new);
	if (new->right)
		set_parent(new->right, new);
	if (t->update) {
		t->update(new);
		settle(t, rb_parent(new));
	}
}

struct rb_node *rb_first(const struct rb_tree *t)
{
	struct rb_node *n = t->root;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_tree *t)
{
	struct rb_node *n = t->root;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->right) {
		p = n->right;
		while (p->left)
			p = p->left;
		return p;
	}
	while ((p = rb_parent(n)) && p->right == n)
		n = p;
	return p;
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->left) {
		p = n->left;
		while (p->right)
			p = p->right;
		return p;
	}
	while ((p = rb_parent(n)) && p->left == n)
		n = p;
	return p;
}

static unsigned black_depth(const struct rb_node *n)
{
	unsigned depth = 0;

	for (; n; n = rb_parent(n))
		depth += is_black(n);
	return depth;
}

bool rb_check(const struct rb_tree *t)
{
	unsigned leaf_depth = 0;

	if (t->root && (rb_parent(t->root) || is_red(t->root)))
		return false;
	for (struct rb_node *n = rb_first(t); n; n = rb_next(n)) {
		if ((n->left && rb_parent(n->left) != n) || (n->right && rb_parent(n->right) != n))
			return false;
		if (is_red(n) && (is_red(n->left) || is_red(n->right)))
			return false;
		if (n->left && n->right)
			continue;
		if (!leaf_depth)
			leaf_depth = black_depth(n);
		else if (leaf_depth != black_depth(n))
			return false;
	}
	return true;
}

/* ---- a whole tree at once ---- */

/* A subtree of the next n nodes, all but the lowest level full. depth: levels to the lowest, whose nodes are red. */
static struct rb_node *build(struct rb_tree *t, struct rb_node **next, size_t n, unsigned depth)
{
	struct rb_node *left, *top;

	if (!n)
		return NULL;
	left = build(t, next, n / 2, depth - 1);
	top = *next;
	*next = top->right;
	top->parent_color = depth ? RB_BLACK : RB_RED;
	top->left = left;
	if (left)
		set_parent(left, top);
	top->right = build(t, next, n - n / 2 - 1, depth - 1);
	if (top->right)
		set_parent(top->right, top);
	if (t->update)
		t->update(top);
	return top;
}

void rb_build(struct rb_tree *t, struct rb_node *first, size_t n)
{
	unsigned depth = 0;

	ASSERT(!t->root);
	for (size_t k = n; k > 1; k >>= 1)
		depth++;
	t->root = build(t, &first, n, depth);
	if (t->root)
		set_black(t->root);
}
