// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reservation windows: while several files grow at the same time, each takes its blocks from a stretch of its own, so that
 * each is contiguous on the disk.  A window exists in memory only, doubles each time it is used up, and goes away when its file was not extended between
 * two writes of its inode, when the file is no longer in use, or when there are too many.
 * Lock: alloc_lock.  Invariant: windows in the tree are disjoint and not empty.
 */

#include "fs/ext2/ext2.h"

#define WINDOWS_MAX    256
#define WINDOW_FIRST   8
#define WINDOW_LARGEST 512

static struct ext2_window *window_of(struct rb_node *r)
{
	return r ? container_of(r, struct ext2_window, node) : NULL;
}

/* The first window that ends beyond blk. */
static struct ext2_window *first_beyond(struct ext2_fs *fs, u32 blk)
{
	struct rb_node *r = fs->windows.root;
	struct ext2_window *best = NULL;

	while (r) {
		struct ext2_window *w = window_of(r);

		if (w->end > blk) {
			best = w;
			r = r->left;
		} else {
			r = r->right;
		}
	}
	return best;
}

u32 ext2_window_skip(struct ext2_fs *fs, const struct ext2_node *n, u32 *blk, u32 end)
{
	struct ext2_window *w;

	for (w = first_beyond(fs, *blk); w; w = window_of(rb_next(&w->node))) {
		if (w == &n->window)
			continue;
		if (w->start > *blk)
			return MIN(w->start, end);
		*blk = w->end;
	}
	return end;
}

static void window_remove(struct ext2_fs *fs, struct ext2_window *w)
{
	if (w->start == w->end)
		return;
	rb_erase(&fs->windows, &w->node);
	list_del(&w->lru);
	w->start = w->end = 0;
	fs->nwindows--;
}

static void window_insert(struct ext2_fs *fs, struct ext2_window *w)
{
	struct rb_node **link = &fs->windows.root, *parent = NULL;

	while (*link) {
		struct ext2_window *other = window_of(*link);

		parent = *link;
		ASSERT(w->end <= other->start || w->start >= other->end);
		link = w->start < other->start ? &parent->left : &parent->right;
	}
	rb_insert(&fs->windows, &w->node, parent, link);
	list_add_tail(&fs->window_lru, &w->lru);
	fs->nwindows++;
}

/* The file just took blocks up to blk, and nobody else's window lies between there and end. */
void ext2_window_open(struct ext2_fs *fs, struct ext2_node *n, u32 blk, u32 end)
{
	struct ext2_window *w = &n->window;

	if ((n->vn.mode & S_IFMT) != S_IFREG)
		return;
	w->used = true;
	if (blk >= w->start && blk < w->end)
		return;
	if (w->end - w->start < w->size || !w->size)
		w->size = MAX(w->size,
			      (u32)WINDOW_FIRST); /* it ended only because there was no room */
	else if (blk == w->end)
		w->size = MIN(w->size * 2, (u32)WINDOW_LARGEST);
	else
		w->size = WINDOW_FIRST;
	window_remove(fs, w);
	if (blk >= end)
		return;
	if (fs->nwindows >= WINDOWS_MAX)
		window_remove(fs, list_first(&fs->window_lru, struct ext2_window, lru));
	w->start = blk;
	w->end = blk + MIN(w->size, end - blk);
	window_insert(fs, w);
}

void ext2_window_close_locked(struct ext2_fs *fs, struct ext2_node *n)
{
	window_remove(fs, &n->window);
	n->window.size = 0;
}

void ext2_window_close(struct ext2_node *n)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);

	mutex_lock(&fs->alloc_lock);
	ext2_window_close_locked(fs, n);
	mutex_unlock(&fs->alloc_lock);
}

void ext2_window_age(struct ext2_node *n)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);

	if (READ_ONCE(n->window.start) == READ_ONCE(n->window.end))
		return;
	mutex_lock(&fs->alloc_lock);
	if (!n->window.used)
		ext2_window_close_locked(fs, n);
	n->window.used = false;
	mutex_unlock(&fs->alloc_lock);
}
