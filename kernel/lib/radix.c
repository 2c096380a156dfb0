// SPDX-License-Identifier: BSD-2-Clause
/*
 * Radix trees of words.
 *
 *	height 0: root is the word at index 0	height 2, indices 0..4095:	root (shift 6)
 *	          (or NULL), t->tags its tags						/	\
 *										leaf (shift 0)	leaf ...
 *
 * Invariants: height is the least that the largest index ever present since the last shrink needed; no node is empty;
 * `present` agrees with slots; tags are a subset of present; bit i of an inner node's tags is set exactly when child
 * i has a bit of that tag.
 *
 * Locks: none, the caller's.  Memory comes from radix_node_alloc; where nodes are needed, all are taken before the
 * tree is touched, so that an insert which fails has changed nothing.
 */

#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/radix_node.h"

#define SLOT_MASK (RADIX_SLOTS - 1)
#define PRESENT	  RADIX_TAGS /* as a "tag" of find_leaf: any word */

static inline unsigned slot_of(const struct radix_node *n, u64 index)
{
	return (index >> n->shift) & SLOT_MASK;
}

static inline struct radix_node *child(const struct radix_node *n, unsigned slot)
{
	return (struct radix_node *)n->slots[slot];
}

/* Is index within what the present height covers? */
static inline bool covered(const struct radix_tree *t, u64 index)
{
	unsigned bits = t->height * RADIX_BITS;

	return bits >= 64 || !(index >> bits);
}

/* The leaf for index; NULL if there is none. Height is not 0. */
static inline struct radix_node *leaf_of(const struct radix_tree *t, u64 index)
{
	struct radix_node *n = t->root;
	unsigned shift = n->shift;

	if (index >> shift >= RADIX_SLOTS) /* more than the height covers */
		return NULL;
	for (; shift; shift -= RADIX_BITS) {
		n = child(n, (index >> shift) & SLOT_MASK);
		if (!n)
			return NULL;
	}
	return n;
}

uintptr_t radix_get(const struct radix_tree *t, u64 index)
{
	struct radix_node *leaf;

	if (!t->height)
		return index ? 0 : (uintptr_t)t->root;
	leaf = leaf_of(t, index);
	return leaf ? leaf->slots[index & SLOT_MASK] : 0;
}

static void attach(struct radix_node *parent, unsigned slot, struct radix_node *n)
{
	parent->slots[slot] = (uintptr_t)n;
	parent->present |= 1UL << slot;
	n->parent = parent;
	n->offset = slot;
}

static unsigned height_for(u64 index)
{
	unsigned h = 1;

	while (h < RADIX_MAX_HEIGHT && index >> (h * RADIX_BITS))
		h++;
	return h;
}

/* How many nodes an insert at index takes. */
static unsigned nodes_needed(const struct radix_tree *t, u64 index)
{
	struct radix_node *n = t->root;
	unsigned height = height_for(index);

	if (!n)
		return index ? height : 0;
	if (!covered(t, index) || !t->height) /* grow, then a path of its own below the new root */
		return height - t->height + (height - 1);
	while (n->shift && child(n, slot_of(n, index)))
		n = child(n, slot_of(n, index));
	return n->shift / RADIX_BITS;
}

static struct radix_node *take(struct radix_reserve *r)
{
	struct radix_node *n = r->free;

	ASSERT(n);
	r->free = n->parent;
	r->n--;
	n->parent = NULL;
	return n;
}

static void give(struct radix_reserve *r, struct radix_node *n)
{
	n->parent = r->free;
	r->free = n;
	r->n++;
}

/* Fills own with `need` nodes, from r first. */
static int collect(struct radix_reserve *own, struct radix_reserve *r, unsigned need)
{
	struct radix_node *n;

	while (own->n < need) {
		n = r && r->n ? take(r) : radix_node_alloc(false);
		if (!n) {
			while (own->n)
				radix_node_free(take(own));
			return -ENOMEM;
		}
		give(own, n);
	}
	return 0;
}

/* One more level on top, over what is there. */
static void grow(struct radix_tree *t, struct radix_node *top)
{
	top->shift = t->height * RADIX_BITS;
	if (t->height) {
		attach(top, 0, t->root);
		for (unsigned k = 0; k < RADIX_TAGS; k++)
			top->tags[k] = t->root->tags[k] != 0;
	} else if (t->root) {
		top->slots[0] = (uintptr_t)t->root;
		top->present = 1;
		for (unsigned k = 0; k < RADIX_TAGS; k++)
			top->tags[k] = t->tags >> k & 1;
	}
	t->tags = 0;
	t->root = top;
	t->height++;
}

/* Makes the path to index out of own's nodes; returns its leaf. */
static struct radix_node *build_path(struct radix_tree *t, u64 index, struct radix_reserve *own)
{
	struct radix_node *n;

	if (!t->root) { /* nothing to keep: straight to the right height */
		n = take(own);
		t->height = height_for(index);
		n->shift = (t->height - 1) * RADIX_BITS;
		t->root = n;
	}
	while (!t->height || !covered(t, index))
		grow(t, take(own));
	for (n = t->root; n->shift; n = child(n, slot_of(n, index))) {
		struct radix_node *below;

		if (n->present >> slot_of(n, index) & 1)
			continue;
		below = take(own);
		below->shift = n->shift - RADIX_BITS;
		attach(n, slot_of(n, index), below);
	}
	ASSERT(!own->n);
	return n;
}

static inline void leaf_store(struct radix_tree *t, struct radix_node *leaf, u64 index,
			      uintptr_t word)
{
	uintptr_t *slot = &leaf->slots[index & SLOT_MASK];

	ASSERT(!*slot);
	*slot = word;
	leaf->present |= 1UL << (index & SLOT_MASK);
	t->count++;
}

/* There is no leaf for index yet. */
static __attribute__((noinline)) int insert_new(struct radix_tree *t, u64 index, uintptr_t word,
						struct radix_reserve *r)
{
	struct radix_reserve own = {NULL, 0};
	int err;

	if (!index && !t->root) {
		t->root = (struct radix_node *)word;
		t->count = 1;
		return 0;
	}
	err = collect(&own, r, nodes_needed(t, index));
	if (!err)
		leaf_store(t, build_path(t, index, &own), index, word);
	return err;
}

int radix_insert(struct radix_tree *t, u64 index, uintptr_t word, struct radix_reserve *r)
{
	struct radix_node *leaf = likely(t->height) ? leaf_of(t, index) : NULL;

	ASSERT(word);
	if (unlikely(!leaf))
		return insert_new(t, index, word, r);
	leaf_store(t, leaf, index, word);
	return 0;
}

unsigned radix_run_before(const struct radix_tree *t, u64 index, unsigned max)
{
	struct radix_node *leaf;
	unsigned n = 0;

	if (!index)
		return 0;
	if (!t->height)
		return index == 1 && t->root && max;
	leaf = leaf_of(t, index - 1);
	if (!leaf)
		return 0;
	for (u64 bits = leaf->present << (SLOT_MASK - ((index - 1) & SLOT_MASK));
	     n < max && bits >> 63; bits <<= 1)
		n++;
	return n;
}

unsigned radix_room(const struct radix_tree *t, u64 index, unsigned max)
{
	struct radix_node *leaf = t->height ? leaf_of(t, index) : NULL;
	unsigned n = 0;

	max = MIN(max, RADIX_SLOTS - (unsigned)(index & SLOT_MASK));
	if (!leaf)
		return !t->height && !index && t->root ? 0 : max;
	for (u64 bits = leaf->present >> (index & SLOT_MASK); n < max && !(bits & 1); bits >>= 1)
		n++;
	return n;
}

unsigned radix_leaf_left(const struct radix_tree *t, u64 index)
{
	return t->height && leaf_of(t, index) ? RADIX_SLOTS - (unsigned)(index & SLOT_MASK) : 0;
}

void radix_insert_run(struct radix_tree *t, u64 index, const uintptr_t *words, unsigned n)
{
	struct radix_node *leaf = leaf_of(t, index);
	unsigned slot = index & SLOT_MASK;

	ASSERT(leaf && slot + n <= RADIX_SLOTS);
	for (unsigned i = 0; i < n; i++) {
		ASSERT(words[i] && !leaf->slots[slot + i]);
		leaf->slots[slot + i] = words[i];
		leaf->present |= 1UL << (slot + i);
	}
	t->count += n;
}

uintptr_t radix_replace(struct radix_tree *t, u64 index, uintptr_t word)
{
	uintptr_t old = radix_get(t, index);

	ASSERT(word && old);
	if (!t->height)
		t->root = (struct radix_node *)word;
	else
		leaf_of(t, index)->slots[index & SLOT_MASK] = word;
	return old;
}

static void leaf_tag_clear(struct radix_node *n, unsigned slot, unsigned tag)
{
	for (; n && (n->tags[tag] >> slot & 1); slot = n->offset, n = n->parent) {
		n->tags[tag] &= ~(1UL << slot);
		if (n->tags[tag])
			break;
	}
}

/* Takes away levels that only slot 0 of the root uses. */
static void shrink(struct radix_tree *t)
{
	struct radix_node *n;

	while (t->height && (n = t->root)->present == 1) {
		t->root = child(n, 0);
		if (--t->height) {
			t->root->parent = NULL;
		} else {
			for (unsigned k = 0; k < RADIX_TAGS; k++)
				t->tags |= (n->tags[k] & 1) << k;
		}
		radix_node_free(n);
	}
}

/* Empties a slot that has no tags any more; frees what gets empty above. */
static void clear_slot(struct radix_tree *t, struct radix_node *n, unsigned slot)
{
	struct radix_node *up;

	for (;; n = up) {
		n->slots[slot] = 0;
		n->present &= ~(1UL << slot);
		if (n->present)
			break;
		up = n->parent;
		slot = n->offset;
		radix_node_free(n);
		if (!up) {
			t->root = NULL;
			t->height = 0;
			return;
		}
	}
	shrink(t);
}

uintptr_t radix_remove(struct radix_tree *t, u64 index)
{
	uintptr_t word = radix_get(t, index);
	struct radix_node *leaf;

	if (!word)
		return 0;
	t->count--;
	if (!t->height) {
		t->root = NULL;
		t->tags = 0;
		return word;
	}
	leaf = leaf_of(t, index);
	for (unsigned k = 0; k < RADIX_TAGS; k++)
		leaf_tag_clear(leaf, index & SLOT_MASK, k);
	clear_slot(t, leaf, index & SLOT_MASK);
	return word;
}

static inline u64 map_of(const struct radix_node *n, unsigned tag)
{
	return tag == PRESENT ? n->present : n->tags[tag];
}

/* The leaf of the first slot >= *index and <= last in the map `tag`; sets *index. Height is not 0. */
static struct radix_node *find_leaf(const struct radix_tree *t, u64 *index, u64 last, unsigned tag)
{
	u64 i = *index, bits, span;
	struct radix_node *n;

restart:
	if (i > last || !covered(t, i))
		return NULL;
	for (n = t->root;; n = child(n, slot_of(n, i))) {
		bits = map_of(n, tag) & ~0UL << slot_of(n, i);
		if (!bits) { /* on with what follows this whole node */
			if (n == t->root)
				return NULL;
			span = 1UL << (n->shift + RADIX_BITS);
			i = (i | (span - 1)) + 1;
			if (!i)
				return NULL;
			goto restart;
		}
		if ((unsigned)__builtin_ctzl(bits) != slot_of(n, i)) {
			span = 1UL << n->shift;
			i &= ~(((u64)SLOT_MASK << n->shift) | (span - 1));
			i |= (u64)__builtin_ctzl(bits) << n->shift;
		}
		if (!n->shift)
			break;
	}
	if (i > last)
		return NULL;
	*index = i;
	return n;
}

uintptr_t radix_next_tagged(const struct radix_tree *t, u64 *index, u64 last, unsigned tag)
{
	struct radix_node *leaf;

	if (!t->height) {
		if (*index || !t->root || (tag != PRESENT && !(t->tags >> tag & 1)))
			return 0;
		return (uintptr_t)t->root;
	}
	leaf = find_leaf(t, index, last, tag);
	return leaf ? leaf->slots[*index & SLOT_MASK] : 0;
}

uintptr_t radix_next(const struct radix_tree *t, u64 *index, u64 last)
{
	return radix_next_tagged(t, index, last, PRESENT);
}

size_t radix_gather(const struct radix_tree *t, u64 start, u64 last, uintptr_t *words, u64 *idx,
		    size_t n)
{
	size_t got = 0;
	struct radix_node *leaf;

	if (!t->height) {
		if (start || !t->root || !n)
			return 0;
		words[0] = (uintptr_t)t->root;
		if (idx)
			idx[0] = 0;
		return 1;
	}
	while (got < n && (leaf = find_leaf(t, &start, last, PRESENT))) {
		u64 base = start & ~(u64)SLOT_MASK, bits = leaf->present >> (start & SLOT_MASK);
		unsigned slot = start & SLOT_MASK;

		for (; bits && got < n; bits >>= 1, slot++) {
			if (!(bits & 1)) { /* words mostly follow one another */
				unsigned gap = __builtin_ctzl(bits);

				bits >>= gap;
				slot += gap;
			}
			if (base + slot > last)
				return got;
			words[got] = leaf->slots[slot];
			if (idx)
				idx[got] = base + slot;
			got++;
		}
		start = base + RADIX_SLOTS;
		if (!start)
			break;
	}
	return got;
}

void radix_tag_set(struct radix_tree *t, u64 index, unsigned tag)
{
	struct radix_node *n;
	unsigned slot = index & SLOT_MASK;

	ASSERT(tag < RADIX_TAGS && radix_get(t, index));
	if (!t->height) {
		t->tags |= 1u << tag;
		return;
	}
	for (n = leaf_of(t, index); n && !(n->tags[tag] >> slot & 1);
	     slot = n->offset, n = n->parent)
		n->tags[tag] |= 1UL << slot;
}

void radix_tag_clear(struct radix_tree *t, u64 index, unsigned tag)
{
	struct radix_node *leaf;

	ASSERT(tag < RADIX_TAGS);
	if (!t->height) {
		if (!index)
			t->tags &= ~(1u << tag);
		return;
	}
	leaf = leaf_of(t, index);
	if (leaf)
		leaf_tag_clear(leaf, index & SLOT_MASK, tag);
}

bool radix_tag_get(const struct radix_tree *t, u64 index, unsigned tag)
{
	struct radix_node *leaf;

	ASSERT(tag < RADIX_TAGS);
	if (!t->height)
		return !index && (t->tags >> tag & 1);
	leaf = leaf_of(t, index);
	return leaf && (leaf->tags[tag] >> (index & SLOT_MASK) & 1);
}

bool radix_tagged(const struct radix_tree *t, unsigned tag)
{
	ASSERT(tag < RADIX_TAGS);
	return t->height ? t->root->tags[tag] != 0 : t->tags >> tag & 1;
}

/* A range on its way out. */
struct removal {
	struct radix_tree *tree;
	u64 first, last;
	void (*fn)(uintptr_t word, u64 index, void *arg);
	void *arg;
};

static void prune_slot(struct radix_node *n, unsigned slot)
{
	n->slots[slot] = 0;
	n->present &= ~(1UL << slot);
	for (unsigned k = 0; k < RADIX_TAGS; k++)
		n->tags[k] &= ~(1UL << slot);
}

/* Empties what of the range lies below n, whose first index is base. Depth of recursion: the tree's height, at most 11. */
static void prune(struct removal *r, struct radix_node *n, u64 base)
{
	u64 span_mask = (1UL << n->shift) - 1;

	for (u64 bits = n->present; bits; bits &= bits - 1) {
		unsigned slot = __builtin_ctzl(bits);
		u64 from = base + ((u64)slot << n->shift);
		struct radix_node *below = child(n, slot);

		if ((from | span_mask) < r->first)
			continue;
		if (from > r->last)
			break;
		if (!n->shift) {
			uintptr_t word = n->slots[slot];

			prune_slot(n, slot);
			r->tree->count--;
			r->fn(word, from, r->arg);
			continue;
		}
		prune(r, below, from);
		if (!below->present) {
			prune_slot(n, slot);
			radix_node_free(below);
			continue;
		}
		for (unsigned k = 0; k < RADIX_TAGS; k++)
			if (!below->tags[k])
				n->tags[k] &= ~(1UL << slot);
	}
}

void radix_remove_range(struct radix_tree *t, u64 first, u64 last,
			void (*fn)(uintptr_t word, u64 index, void *arg), void *arg)
{
	struct removal r = {t, first, last, fn, arg};

	if (first > last || !t->root)
		return;
	if (!t->height) {
		if (!first)
			fn(radix_remove(t, 0), 0, arg);
		return;
	}
	prune(&r, t->root, 0);
	if (!t->root->present) {
		radix_node_free(t->root);
		t->root = NULL;
		t->height = 0;
		ASSERT(!t->count);
		return;
	}
	shrink(t);
}
