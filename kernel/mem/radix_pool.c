// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory for the nodes of radix trees, and full reserves kept ready.
 *
 * A reserve holds RADIX_INSERT_MAX nodes, though an insert seldom takes one.  So each hart keeps one chain of nodes between two uses:
 * filling a reserve is an exchange of a pointer, and giving it back another.  The exchange is atomic, so it does not matter
 * if the thread moves to another hart in between.
 *
 * Locks: none.  `kept` is changed by atomic exchange only; a chain belongs to whoever got it out.
 */

#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/radix_node.h"
#include "kernel/mem/slab.h"
#include "kernel/sched/thread.h"
#include "kernel/riscv/hart.h"

static struct kmem_cache *nodes; /* (c) */
static struct radix_node
	*kept[MAX_HARTS]; /* (a) chain of nodes; the first one's shift is their number */

void radix_lib_init(void)
{
	BUILD_ASSERT(RADIX_INSERT_MAX <= 255);
	nodes = kmem_cache_create("radix_node", sizeof(struct radix_node), KM_LINE);
	if (!nodes)
		panic("no memory for the radix node cache");
}

struct radix_node *radix_node_alloc(bool can_sleep)
{
	return kmem_cache_alloc(nodes, KM_ZERO | (can_sleep ? 0 : KM_NOWAIT));
}

void radix_node_free(struct radix_node *n)
{
	kmem_cache_free(nodes, n);
}

static struct radix_node **kept_here(void)
{
	return &kept[current()->hart->index];
}

static void chain_free(struct radix_node *n)
{
	struct radix_node *next;

	for (; n; n = next) {
		next = n->parent;
		radix_node_free(n);
	}
}

int radix_reserve_fill(struct radix_reserve *r, bool can_sleep)
{
	struct radix_node *n;

	if (!r->n) {
		r->free = __atomic_exchange_n(kept_here(), NULL, __ATOMIC_ACQUIRE);
		if (r->free) {
			r->n = r->free->shift;
			r->free->shift = 0;
		}
	}
	while (r->n < RADIX_INSERT_MAX) {
		n = radix_node_alloc(can_sleep);
		if (!n)
			return -ENOMEM;
		n->parent = r->free;
		r->free = n;
		r->n++;
	}
	return 0;
}

void radix_reserve_free(struct radix_reserve *r)
{
	struct radix_node *chain = r->free;

	if (!chain)
		return;
	chain->shift = r->n;
	r->free = NULL;
	r->n = 0;
	chain_free(__atomic_exchange_n(kept_here(), chain, __ATOMIC_RELEASE));
}
