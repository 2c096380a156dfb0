/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_LIB_RADIX_H
#define GNOMON_LIB_RADIX_H

/*
 * A radix tree from a 64-bit index to a word (never 0), with per-slot tags.  64 slots a node, height
 * grows as needed; a tree with only index 0 needs no node.  Tags are kept as bitmaps in every node
 * (a set bit in an inner node = some slot below has it), so "next dirty page from index i" costs
 * O(height).  Callers lock.  Nodes come from a slab cache; radix_preload-style reservation lets a
 * caller insert under a spinlock: see radix_reserve.
 *
 * A word is an opaque uintptr_t: bits 0..1 are free for the user's encoding (the tree looks only at
 * "is it 0").
 */

#include "kernel/lib/types.h"

#define RADIX_BITS  6
#define RADIX_SLOTS (1u << RADIX_BITS)
#define RADIX_TAGS  2 /* the vm uses 0 = dirty, 1 = cleaning */

struct radix_node;

struct radix_tree {
	struct radix_node *root;
	u8 height; /* levels of nodes; 0: root is the word at index 0 itself, or NULL */
	u8 tags;   /* of that word while height is 0, a bit per tag */
	u64 count; /* words stored */
};

/* Nodes kept ready on the caller's stack so that an insert cannot fail under a lock. */
struct radix_reserve {
	struct radix_node *free;
	unsigned n;
};

void radix_lib_init(void);
static inline void radix_init(struct radix_tree *t)
{
	t->root = NULL;
	t->height = 0;
	t->tags = 0;
	t->count = 0;
}
uintptr_t radix_get(const struct radix_tree *t, u64 index);
/* Stores word (not 0) at index, which must be empty. 0 or -ENOMEM (never with a filled reserve). Uses
 * r first when given; else allocates without sleeping. */
int radix_insert(struct radix_tree *t, u64 index, uintptr_t word, struct radix_reserve *r);
/* Replaces the word at index, which must not be empty; returns the old one. Keeps tags. */
uintptr_t radix_replace(struct radix_tree *t, u64 index, uintptr_t word);
/* Removes; returns the old word or 0. Frees nodes that become empty. Clears tags. */
uintptr_t radix_remove(struct radix_tree *t, u64 index);
/* The first non-empty slot with index >= *index and <= last: sets *index, returns its word, 0 if none. */
uintptr_t radix_next(const struct radix_tree *t, u64 *index, u64 last);
/* The same among slots with this tag. */
uintptr_t radix_next_tagged(const struct radix_tree *t, u64 *index, u64 last, unsigned tag);
/* Up to n words from consecutive non-empty slots at index >= start (gaps skipped); their indices into
 * idx[] if not NULL. Returns how many. */
size_t radix_gather(const struct radix_tree *t, u64 start, u64 last, uintptr_t *words, u64 *idx,
		    size_t n);
/* How many slots just below index hold words, as far as one node tells; at most max. */
unsigned radix_run_before(const struct radix_tree *t, u64 index, unsigned max);
/* How many slots from index on are empty, as far as one node tells; at most max. */
unsigned radix_room(const struct radix_tree *t, u64 index, unsigned max);
/* How many slots the node of index has from there on; 0: there is no such node yet. */
unsigned radix_leaf_left(const struct radix_tree *t, u64 index);
/* Stores words[0..n) from index on: radix_room said so, and some slot of that node is in use. */
void radix_insert_run(struct radix_tree *t, u64 index, const uintptr_t *words, unsigned n);
void radix_tag_set(struct radix_tree *t, u64 index, unsigned tag);
void radix_tag_clear(struct radix_tree *t, u64 index, unsigned tag);
bool radix_tag_get(const struct radix_tree *t, u64 index, unsigned tag);
bool radix_tagged(const struct radix_tree *t, unsigned tag); /* any slot */
/* Removes every word in [first, last]; calls fn(word, index, arg) for each; nodes are freed on the way.
 * One pass over the nodes: O(words + nodes). */
void radix_remove_range(struct radix_tree *t, u64 first, u64 last,
			void (*fn)(uintptr_t word, u64 index, void *arg), void *arg);

/* Enough nodes for one insert anywhere (may sleep if can_sleep); 0 or -ENOMEM. Cheap when already full. */
int radix_reserve_fill(struct radix_reserve *r, bool can_sleep);
void radix_reserve_free(struct radix_reserve *r);

#endif
