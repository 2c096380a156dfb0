// SPDX-License-Identifier: BSD-2-Clause
/*
 * Blocks that were allocated for a write (pager's reserve) but have not been written yet.  What the disk holds there is some deleted
 * file's: fill takes them for holes, clean takes them off the list, and those that a failed write left are given back when
 * the vnode goes.  A tree from page numbers to masks of the page's blocks.  Locks: node->lock.
 */

#include "fs/ext2/ext2.h"

/* tree words leave the two lowest bits to the tree's user, and are never 0 */
#define MASK_SHIFT 2

static u32 mask_at(const struct ext2_node *n, u64 page)
{
	return (u32)(radix_get(&n->unwritten, page) >> MASK_SHIFT);
}

/* 0, or -ENOMEM for a page that had none. */
static int set_mask(struct ext2_node *n, u64 page, u32 mask)
{
	uintptr_t word = (uintptr_t)mask << MASK_SHIFT;

	if (!mask)
		radix_remove(&n->unwritten, page);
	else if (radix_get(&n->unwritten, page))
		radix_replace(&n->unwritten, page, word);
	else
		return radix_insert(&n->unwritten, page, word, NULL);
	return 0;
}

int ext2_note_unwritten(struct ext2_node *n, u64 lblk, u32 count)
{
	u32 bpp = ext2_fs(&n->vn)->bpp, in_page, part;
	int err;

	for (; count; count -= part, lblk += part) {
		in_page = (u32)(lblk % bpp);
		part = MIN(bpp - in_page, count);
		err = set_mask(n, lblk / bpp,
			       mask_at(n, lblk / bpp) | ((1u << part) - 1) << in_page);
		if (err)
			return err;
	}
	return 0;
}

u32 ext2_unwritten_run(const struct ext2_node *n, u64 lblk, u32 max, bool *unwritten)
{
	u32 bpp = ext2_fs(&n->vn)->bpp, in_page = (u32)(lblk % bpp), k;
	u64 page = lblk / bpp, next = page;
	u32 mask = mask_at(n, page) >> in_page;

	*unwritten = mask & 1;
	if (mask) {
		for (k = 1; in_page + k < bpp && (mask >> k & 1) == *unwritten; k++)
			;
		return MIN(k, max);
	}
	if (!radix_next(&n->unwritten, &next, page + max / bpp + 1))
		return max;
	return (u32)MIN((u64)max, next * bpp - lblk);
}

static void clear_in_page(struct ext2_node *n, u64 page, u32 first, u32 end)
{
	u32 old = mask_at(n, page);

	if (old)
		set_mask(n, page, old & ~(((1u << (end - first)) - 1) << first));
}

static void forget_word(uintptr_t word, u64 index, void *arg)
{
	(void)word;
	(void)index;
	(void)arg;
}

void ext2_unwritten_clear(struct ext2_node *n, u64 first, u64 end)
{
	u32 bpp = ext2_fs(&n->vn)->bpp;
	u64 page = first / bpp, last = end / bpp;

	if (!n->unwritten.count || first >= end)
		return;
	if (page == last) {
		clear_in_page(n, page, (u32)(first % bpp), (u32)(end % bpp));
		return;
	}
	if (first % bpp)
		clear_in_page(n, page++, (u32)(first % bpp), bpp);
	if (end % bpp)
		clear_in_page(n, last, 0, (u32)(end % bpp));
	if (page < last)
		radix_remove_range(&n->unwritten, page, last - 1, forget_word, NULL);
}

static int free_mask(struct ext2_node *n, u64 page, u32 mask)
{
	u32 bpp = ext2_fs(&n->vn)->bpp, k;
	int err = 0;

	for (k = 0; k < bpp && !err; k++)
		if (mask >> k & 1)
			err = ext2_free_range(n, page * bpp + k, page * bpp + k + 1);
	return err;
}

int ext2_free_unwritten(struct ext2_node *n)
{
	uintptr_t word;
	u64 page = 0;
	int err = 0;

	while (!err && (word = radix_next(&n->unwritten, &page, ~0ul)))
		err = free_mask(n, page++, (u32)(word >> MASK_SHIFT));
	if (n->unwritten.count)
		radix_remove_range(&n->unwritten, 0, ~0ul, forget_word, NULL);
	return err;
}
