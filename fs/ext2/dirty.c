// SPDX-License-Identifier: BSD-2-Clause
/*
 * What differs from the disk: blocks, by number, each with its page held until a commit has written it (commit.c says in which order);
 * inodes, as a list of nodes; and what was freed but may still be named by the disk, and so is not given out before the next commit is over.
 *
 * A block is not dirty in the sense of kernel/vm: nobody but a commit writes it, and it cannot be evicted.
 * Locks: dirty_lock for the tree and the lists (a commit, alone behind the gate, reads the tree without it); alloc_lock for what was freed.
 */

#include "fs/ext2/ext2.h"
#include "kernel/sched/time.h"

#define NO_MEMORY_NAP 10000000ul /* ns */

static struct kmem_cache *dirty_cache;

int ext2_dirty_init(struct ext2_fs *fs)
{
	if (!dirty_cache)
		dirty_cache = kmem_cache_create("ext2_dirty", sizeof(struct ext2_dirty), 0);
	spin_init(&fs->dirty_lock, LOCK_LEAF_FS, "ext2 dirty");
	list_init(&fs->dirty_nodes);
	list_init(&fs->freed);
	list_init(&fs->dying);
	return dirty_cache ? 0 : -ENOMEM;
}

void *ext2_must_alloc(size_t n)
{
	void *p;

	while (!(p = kmalloc(n, KM_ZERO)))
		sleep_ns(NO_MEMORY_NAP);
	return p;
}

/* Recording a change cannot fail, as it was made already: it waits for memory. */
static struct ext2_dirty *dirty_new(void)
{
	struct ext2_dirty *d;

	while (!(d = kmem_cache_alloc(dirty_cache, KM_ZERO)))
		sleep_ns(NO_MEMORY_NAP);
	list_init(&d->link);
	return d;
}

/* dirty_lock held, or alone behind the gate. */
static struct ext2_dirty *find_in(const struct rb_tree *t, u32 blk)
{
	struct rb_node *r = t->root;

	while (r) {
		struct ext2_dirty *d = container_of(r, struct ext2_dirty, node);

		if (d->blk == blk)
			return d;
		r = blk < d->blk ? r->left : r->right;
	}
	return NULL;
}

static struct ext2_dirty *find(struct ext2_fs *fs, u32 blk)
{
	return find_in(&fs->dirty_blocks, blk);
}

static void insert_in(struct rb_tree *t, struct ext2_dirty *d)
{
	struct rb_node **link = &t->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = d->blk < container_of(parent, struct ext2_dirty, node)->blk ? &parent->left
										   : &parent->right;
	}
	rb_insert(t, &d->node, parent, link);
}

static void insert(struct ext2_fs *fs, struct ext2_dirty *d)
{
	insert_in(&fs->dirty_blocks, d);
	fs->ndirty++;
}

static void destroy(struct ext2_dirty *d)
{
	if (d->owner)
		vm_page_put(d->frame);
	else
		meta_put(&d->m);
	kmem_cache_free(dirty_cache, d);
}

/* True: it is there already, and is to be written (again). A new block stays new until it was written once. */
static bool mark_again(struct ext2_fs *fs, u32 blk)
{
	struct ext2_dirty *d;

	spin_lock(&fs->dirty_lock);
	d = find(fs, blk);
	if (d)
		d->written = false;
	spin_unlock(&fs->dirty_lock);
	return d;
}

static void add(struct ext2_fs *fs, struct ext2_dirty *d)
{
	struct ext2_dirty *other;

	spin_lock(&fs->dirty_lock);
	other = find(fs, d->blk);
	if (!other)
		insert(fs, d);
	spin_unlock(&fs->dirty_lock);
	if (other)
		destroy(d);
}

void ext2_dirty_meta(struct ext2_fs *fs, u32 blk, enum ext2_kind kind)
{
	struct ext2_dirty *d;

	if (mark_again(fs, blk))
		return;
	d = dirty_new();
	d->blk = blk;
	d->kind = kind;
	/* the caller holds the page: nothing is read */
	while (meta_get(fs->bdev, blk, fs->bsize, &d->m))
		sleep_ns(NO_MEMORY_NAP);
	d->frame = d->m.frame;
	d->data = d->m.data;
	add(fs, d);
}

void ext2_dirty_page(struct ext2_node *n, u32 blk, struct frame *f, void *data, enum ext2_kind kind)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	struct ext2_dirty *d;

	if (mark_again(fs, blk))
		return;
	d = dirty_new();
	d->blk = blk;
	d->kind = kind;
	d->owner = n;
	d->frame = f;
	d->data = data;
	vm_page_hold(f);
	add(fs, d);
}

/* dirty_lock held. */
static void remove_locked(struct ext2_fs *fs, struct ext2_dirty *d)
{
	rb_erase(&fs->dirty_blocks, &d->node);
	fs->ndirty--;
}

void ext2_dirty_forget(struct ext2_fs *fs, u32 blk)
{
	struct ext2_dirty *d;

	if (!READ_ONCE(fs->ndirty) && !READ_ONCE(fs->unfinished_blocks.root))
		return;
	spin_lock(&fs->dirty_lock);
	d = find_in(&fs->unfinished_blocks, blk);
	if (d)
		d->freed = true;
	d = find(fs, blk);
	if (d)
		remove_locked(fs, d);
	spin_unlock(&fs->dirty_lock);
	if (d)
		destroy(d);
}

void ext2_dirty_take(struct ext2_fs *fs, struct list *to)
{
	struct rb_node *r, *next;

	spin_lock(&fs->dirty_lock);
	for (r = rb_first(&fs->dirty_blocks); r; r = next) {
		struct ext2_dirty *d = container_of(r, struct ext2_dirty, node);

		next = rb_next(r);
		if (!d->written)
			continue;
		remove_locked(fs, d);
		list_add_tail(to, &d->link);
	}
	spin_unlock(&fs->dirty_lock);
}

void ext2_dirty_keep(struct ext2_fs *fs, const struct list *blocks)
{
	struct ext2_dirty *d;

	spin_lock(&fs->dirty_lock);
	if (!fs->unfinished_blocks.root)
		list_for_each(d, blocks, link)
			insert_in(&fs->unfinished_blocks, d);
	spin_unlock(&fs->dirty_lock);
}

void ext2_dirty_done(struct ext2_fs *fs, struct list *blocks, bool failed)
{
	struct list *l;

	spin_lock(&fs->dirty_lock);
	fs->unfinished_blocks.root = NULL;
	spin_unlock(&fs->dirty_lock);
	while ((l = list_pop(blocks)) != NULL) {
		struct ext2_dirty *d = list_entry(l, struct ext2_dirty, link);

		d->written = false;
		if (failed && !d->freed)
			add(fs, d);
		else
			destroy(d);
	}
}

bool ext2_is_dirty(struct ext2_fs *fs, u32 blk)
{
	return find(fs, blk);
}

void ext2_dirty_written(struct ext2_fs *fs, u32 blk, bool yes)
{
	struct ext2_dirty *d = find(fs, blk);

	if (d)
		d->written = yes;
}

void ext2_dirty_rewrite(struct ext2_fs *fs)
{
	struct rb_node *r;

	for (r = rb_first(&fs->dirty_blocks); r; r = rb_next(r))
		container_of(r, struct ext2_dirty, node)->written = false;
}

u32 ext2_dirty_lose(struct ext2_fs *fs)
{
	struct ext2_dirty *d;
	u32 n = fs->ndirty, blk;

	while (fs->dirty_blocks.root) {
		d = container_of(rb_first(&fs->dirty_blocks), struct ext2_dirty, node);
		blk = d->blk;
		spin_lock(&fs->dirty_lock);
		remove_locked(fs, d);
		spin_unlock(&fs->dirty_lock);
		destroy(d);
		meta_lose(fs->bdev, blk, fs->bsize);
	}
	return n;
}

void ext2_dirty_discard(struct ext2_fs *fs, const struct ext2_node *owner)
{
	struct rb_node *r, *next;
	struct list gone, *l;

	list_init(&gone);
	spin_lock(&fs->dirty_lock);
	for (r = rb_first(&fs->dirty_blocks); r; r = next) {
		struct ext2_dirty *d = container_of(r, struct ext2_dirty, node);

		next = rb_next(r);
		if (owner && d->owner != owner)
			continue;
		remove_locked(fs, d);
		list_add_tail(&gone, &d->link);
	}
	spin_unlock(&fs->dirty_lock);
	while ((l = list_pop(&gone)) != NULL)
		destroy(list_entry(l, struct ext2_dirty, link));
}

/* ---- inodes ---- */

void ext2_mark_dirty(struct ext2_node *n)
{
	/* a vnode that is on its way out must not come back through the list of dirty ones */
	if (READ_ONCE(n->dying) || (READ_ONCE(n->vn.attr_dirty) && !list_empty(&n->dirty_link) &&
				    !list_empty(&n->vn.dirty_link)))
		return;
	vnode_mark_attr_dirty(&n->vn);
	ext2_dirty_list(n);
}

void ext2_dirty_list(struct ext2_node *n)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);

	spin_lock(&fs->dirty_lock);
	if (list_empty(&n->dirty_link))
		list_add_tail(&fs->dirty_nodes, &n->dirty_link);
	spin_unlock(&fs->dirty_lock);
}

void ext2_dirty_unlist(struct ext2_node *n)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);

	spin_lock(&fs->dirty_lock);
	list_del(&n->dirty_link);
	spin_unlock(&fs->dirty_lock);
}

/* ---- what was freed ---- */

struct freed {
	struct list link;
	u32 first, count; /* blocks; or, with count 0, an inode */
	bool is_dir;
	u32 height; /* of one that is dying */
};

static struct freed *freed_new(u32 first, u32 count, bool is_dir)
{
	struct freed *f = ext2_must_alloc(sizeof(*f));

	list_init(&f->link);
	f->first = first;
	f->count = count;
	f->is_dir = is_dir;
	return f;
}

static bool join_last(struct ext2_fs *fs, u32 blk, u32 count)
{
	struct freed *last =
		list_empty(&fs->freed) ? NULL : list_entry(fs->freed.prev, struct freed, link);

	if (!last || !last->count || last->first + last->count != blk)
		return false;
	last->count += count;
	return true;
}

void ext2_free_blocks_later(struct ext2_fs *fs, u32 blk, u32 count)
{
	bool joined;

	mutex_lock(&fs->alloc_lock);
	joined = join_last(fs, blk, count);
	if (!joined)
		list_add_tail(&fs->freed, &freed_new(blk, count, false)->link);
	fs->freed_blocks += count;
	mutex_unlock(&fs->alloc_lock);
}

void ext2_free_ino_later(struct ext2_fs *fs, u32 ino, bool is_dir)
{
	mutex_lock(&fs->alloc_lock);
	list_add_tail(&fs->freed, &freed_new(ino, 0, is_dir)->link);
	fs->freed_inodes++;
	mutex_unlock(&fs->alloc_lock);
}

void ext2_freed_take(struct ext2_fs *fs, struct list *to)
{
	mutex_lock(&fs->alloc_lock);
	list_splice_tail(to, &fs->freed);
	mutex_unlock(&fs->alloc_lock);
}

static void release(struct ext2_fs *fs, struct freed *f)
{
	mutex_lock(&fs->alloc_lock);
	fs->freed_blocks -= f->count;
	fs->freed_inodes -= f->count == 0;
	mutex_unlock(&fs->alloc_lock);
	if (f->count)
		ext2_free_blocks(fs, f->first, f->count);
	else
		ext2_free_ino(fs, f->first, f->is_dir);
	kfree(f);
}

void ext2_freed_done(struct ext2_fs *fs, struct list *freed, bool failed)
{
	struct list *l;

	if (failed) {
		mutex_lock(&fs->alloc_lock);
		list_splice_tail(&fs->freed, freed);
		mutex_unlock(&fs->alloc_lock);
	}
	while ((l = list_pop(freed)) != NULL)
		release(fs, list_entry(l, struct freed, link));
}

void ext2_freed_forget(struct list *freed)
{
	struct list *l;

	while ((l = list_pop(freed)) != NULL)
		kfree(list_entry(l, struct freed, link));
}

bool ext2_has_freed(const struct ext2_fs *fs)
{
	return READ_ONCE(fs->freed_blocks) || READ_ONCE(fs->freed_inodes);
}

/* ---- what is dead, but not yet on the disk ---- */

void ext2_die_later(struct ext2_fs *fs, u32 ino, u32 height)
{
	struct freed *f = freed_new(ino, 0, true);

	f->height = height;
	spin_lock(&fs->dirty_lock);
	list_add_tail(&fs->dying, &f->link);
	fs->dying_height = MAX(fs->dying_height, height);
	spin_unlock(&fs->dirty_lock);
}

int ext2_kill_dying(struct ext2_fs *fs, u32 height)
{
	struct freed *f;
	int err = 0;

	list_for_each(f, &fs->dying, link)
		if (!err && f->height == height)
			err = ext2_kill_ino(fs, f->first);
	return err;
}

void ext2_forget_dying(struct ext2_fs *fs)
{
	struct list *l;

	while ((l = list_pop(&fs->dying)) != NULL)
		kfree(list_entry(l, struct freed, link));
	fs->dying_height = 0;
}

bool ext2_displace(struct ext2_fs *fs, const struct ext2_node *n, bool dies)
{
	u32 k = 0;
	bool room;

	spin_lock(&fs->dirty_lock);
	while (k < fs->ndisplaced && fs->displaced[k].ino != n->vn.ino)
		k++;
	room = k < EXT2_MAX_DISPLACED;
	if (room) {
		fs->displaced[k].ino = (u32)n->vn.ino;
		fs->displaced[k].type = ext2_dirent_type(fs, n->vn.mode);
		fs->displaced[k].dies = dies;
		fs->ndisplaced = MAX(fs->ndisplaced, k + 1);
	}
	spin_unlock(&fs->dirty_lock);
	return room;
}
