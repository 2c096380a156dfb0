/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_LIB_RADIX_NODE_H
#define GNOMON_LIB_RADIX_NODE_H

/* Between the radix tree (radix.c) and the layer that gives it memory (kernel/mem/radix_pool.c); nobody else's. */

#include "kernel/lib/radix.h"

#define RADIX_MAX_HEIGHT ((64 + RADIX_BITS - 1) / RADIX_BITS)
/* Most nodes one insert can need: a tree of height 0 grows to the top, then the new path leaves at the root. */
#define RADIX_INSERT_MAX (RADIX_MAX_HEIGHT + RADIX_MAX_HEIGHT - 1)

/* Field markings and the corresponding locks:
 * (l) the tree's caller's lock; in a reserve, its owner's
 */
struct radix_node {
	u64 present;		      /* (l) slots that hold something */
	u64 tags[RADIX_TAGS];	      /* (l) slots with, or above, a tagged word */
	struct radix_node *parent;    /* (l) NULL: root. In a reserve: the next one */
	u8 shift;		      /* (l) of the index bits that choose a slot here; 0: a leaf */
	u8 offset;		      /* (l) of this node in its parent */
	uintptr_t slots[RADIX_SLOTS]; /* (l) words in a leaf, nodes above; 0 where not present */
};

/* A node of zeroes; NULL: no memory. */
struct radix_node *radix_node_alloc(bool can_sleep);
void radix_node_free(struct radix_node *n);

#endif
