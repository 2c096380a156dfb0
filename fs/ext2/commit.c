// SPDX-License-Identifier: BSD-2-Clause
/*
 * Commits: everything that changed goes to the disk, in an order of which every prefix, and every subset of what was not flushed, is
 * a file system that e2fsck -p repairs without asking.  What it does not repair alone decides the order:
 *
 *	a live inode without a name		names before the inodes they name; the last name goes after its inode died
 *	two owners of a block, or garbage	new blocks of numbers before what leads to them; freed blocks are
 *	taken for block numbers			not given out before the commit after it is over (dirty.c)
 *	a directory without its parent		parents before children
 *	an entry of the wrong type		freed inodes are not given out either
 *
 *	1. bitmaps, counts, new indirect blocks, dead inodes; then	flush
 *	   dead directories, each generation after those below it	flush each
 *	2. blocks of directories					flush
 *	3. inodes the disk knows, indirect blocks it knows		flush
 *	4. new directories, each generation after its parents		flush each
 *	5. new files; then those that lost their name to another file	flush
 *
 * So an entry may name an inode that is still (or already) dead on the disk, which e2fsck -p clears: the name was not confirmed.  The names of a file
 * that rename puts in the place of another would go that way with the other's inode dying in 1.  Such "displaced" inodes die in 5, and
 * on the disk, never in memory, have a name in lost+found between 2 and the next commit, as e2fsck would give them.
 * What one name's loss has to wait for, another name's arrival, is namei.c's business: ext2_name_is_new.
 * Only moving a directory to another directory, and exchanging names of directories, cannot be ordered: e2fsck asks when it finds it half done.
 *
 * The gate: an operation that changes metadata is between ext2_begin and ext2_end; a commit shuts the gate, waits for those inside, is
 * alone while it puts inodes into their blocks and makes copies of all blocks to be written, in the order above, opens the gate,
 * and writes the copies.  Inside the gate no user memory is touched, no v_lock is taken.  begin is called without node->lock.
 * Whoever waits at the gate may hold pages that are busy: a commit never waits for a page of a file.
 *
 * A commit whose writing failed stays under way, unfinished: the next one writes the same copies from the flush that was not reached, in the
 * same order, before it collects anything; where a block was freed meanwhile it does not matter if it fails again, as a disk may have some that it
 * cannot write. Only where there was no memory for copies is all dirty again, and its order is lost.
 * Locks: commit_lock for one commit at a time; the gate.
 */

#include "drivers/block/block.h"
#include "fs/ext2/ext2.h"

#define GATE_SHUT   0x80000000u
#define MAX_DIRTY   2048u /* blocks; who makes more dirty commits first */
#define KIND(k)	    (1u << (k))
#define FIRST_KINDS (KIND(EXT2_KIND_BITMAP) | KIND(EXT2_KIND_NEW) | KIND(EXT2_KIND_INODES))
#define INODE_KINDS (KIND(EXT2_KIND_INDIRECT) | KIND(EXT2_KIND_INODES))

/* ---- the gate ---- */

void ext2_gate_init(struct ext2_fs *fs)
{
	waitq_init(&fs->gate_q);
	waitq_init(&fs->drained_q);
	waitq_init(&fs->io_q);
	mutex_init(&fs->commit_lock, LOCK_FS_COMMIT, "ext2 commit");
	fs->txn = 1;
}

void ext2_begin(struct ext2_fs *fs)
{
	while (unlikely(__atomic_fetch_add(&fs->gate, 1, __ATOMIC_ACQUIRE) & GATE_SHUT)) {
		ext2_end(fs);
		wait_event(&fs->gate_q,
			   !(__atomic_load_n(&fs->gate, __ATOMIC_ACQUIRE) & GATE_SHUT));
	}
}

void ext2_end(struct ext2_fs *fs)
{
	u32 left = __atomic_sub_fetch(&fs->gate, 1, __ATOMIC_SEQ_CST);

	if (unlikely(READ_ONCE(fs->closing)) && !(left & ~GATE_SHUT))
		waitq_wake_all(&fs->drained_q);
}

void ext2_begin_change(struct ext2_fs *fs)
{
	if (unlikely(READ_ONCE(fs->ndirty) > MAX_DIRTY))
		ext2_commit(fs);
	if (unlikely(READ_ONCE(fs->closing)))
		wait_event(&fs->gate_q, !READ_ONCE(fs->closing));
	ext2_begin(fs);
}

static bool try_shut(struct ext2_fs *fs)
{
	u32 nobody = 0;

	return __atomic_compare_exchange_n(&fs->gate, &nobody, GATE_SHUT, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static void gate_shut(struct ext2_fs *fs)
{
	__atomic_store_n(&fs->closing, true, __ATOMIC_SEQ_CST);
	wait_event(&fs->drained_q, try_shut(fs));
}

static void gate_open(struct ext2_fs *fs)
{
	__atomic_store_n(&fs->closing, false, __ATOMIC_SEQ_CST);
	__atomic_fetch_and(&fs->gate, ~GATE_SHUT, __ATOMIC_SEQ_CST);
	waitq_wake_all(&fs->gate_q);
}

/* ---- what is to be written, in order ---- */

/* A block as it is now, or with frame NULL a flush. */
struct image {
	struct list link;
	struct ext2_fs *fs;
	u32 blk;
	struct frame *frame;
	const void *data;
	bool copy;		     /* the frame is ours */
	const struct ext2_dirty *of; /* NULL: of lost+found */
};

struct ext2_commit {
	struct ext2_fs *fs;
	struct list nodes;  /* dirty ones */
	struct list images; /* of struct image */
	struct list *at;    /* the first one since the last flush that succeeded */
	u32 txn;
	struct list blocks; /* of struct ext2_dirty, which the images are of */
	struct list freed;  /* what will be free then */
	u32 generations;    /* of new directories */
	bool new_files;	    /* there are some */
	bool unflushed;	    /* there are images after the last flush */
	bool in_place;	    /* an image is no copy: the gate stays shut until all is written */
	u32 lost_blk;	    /* a block of lost+found with names that are only there */
	struct vnode *lost_found; /* to be dropped when the gate is open */
};

static bool is_dir(const struct ext2_node *n)
{
	return (n->vn.mode & S_IFMT) == S_IFDIR;
}

static void add_image(struct ext2_commit *c, u32 blk, struct frame *f, const void *data, bool copy,
		      const struct ext2_dirty *of)
{
	struct image *i = ext2_must_alloc(sizeof(*i));

	*i = (struct image){
		.fs = c->fs, .blk = blk, .frame = f, .data = data, .copy = copy, .of = of};
	list_init(&i->link);
	list_add_tail(&c->images, &i->link);
	c->unflushed = f;
}

static void add_block(struct ext2_commit *c, const struct ext2_dirty *d)
{
	struct frame *copy = frame_alloc(0);

	if (!copy) {
		c->in_place = true;
		add_image(c, d->blk, d->frame, d->data, false, d);
		return;
	}
	memcpy(frame_va(copy), d->data, c->fs->bsize);
	add_image(c, d->blk, copy, frame_va(copy), true, d);
}

static int write_kinds(struct ext2_commit *c, u32 kinds)
{
	struct rb_node *r;

	for (r = rb_first(&c->fs->dirty_blocks); r; r = rb_next(r)) {
		struct ext2_dirty *d = container_of(r, struct ext2_dirty, node);

		if (d->written || !(kinds & KIND(d->kind)))
			continue;
		add_block(c, d);
		d->written = true;
	}
	return 0;
}

static int flush(struct ext2_commit *c)
{
	if (c->unflushed)
		add_image(c, 0, NULL, NULL, false, NULL);
	return 0;
}

/* ---- writing it ---- */

static void written(struct bio *b)
{
	const struct image *i = b->arg;
	struct ext2_fs *fs = i->fs;

	if (b->status && !(i->of && READ_ONCE(i->of->freed)))
		WRITE_ONCE(fs->io_err, b->status);
	bio_free(b);
	if (__atomic_sub_fetch(&fs->io_left, 1, __ATOMIC_SEQ_CST) == 0)
		waitq_wake_all(&fs->io_q);
}

static void submit(struct ext2_fs *fs, struct image *i)
{
	struct bio *b = bio_alloc(1, true);

	b->dev = fs->mount->dev;
	b->op = BIO_WRITE;
	b->flags = 0;
	b->sector = (u64)i->blk * fs->sectors_per_block;
	b->nvecs = 1;
	b->vecs[0] = (struct bio_vec){i->frame, (u32)((uintptr_t)i->data & PAGE_MASK), fs->bsize};
	b->done = written;
	b->arg = i;
	__atomic_fetch_add(&fs->io_left, 1, __ATOMIC_SEQ_CST);
	bio_submit(b);
}

/* Up to the next flush, and that: c->at is moved behind it if all went well. */
static int write_until_flush(struct ext2_commit *c)
{
	struct ext2_fs *fs = c->fs;
	struct list *at;
	struct image *i;
	int err;

	fs->io_err = 0;
	/* one more than the requests, so that it is not zero before all were made */
	__atomic_store_n(&fs->io_left, 1, __ATOMIC_SEQ_CST);
	block_plug();
	for (at = c->at; at != &c->images; at = at->next) {
		i = list_entry(at, struct image, link);
		if (!i->frame)
			break;
		submit(fs, i);
	}
	block_unplug();
	if (__atomic_sub_fetch(&fs->io_left, 1, __ATOMIC_SEQ_CST))
		wait_event(&fs->io_q, __atomic_load_n(&fs->io_left, __ATOMIC_SEQ_CST) == 0);
	err = fs->io_err;
	if (!err)
		err = block_flush(fs->mount->dev);
	if (!err)
		c->at = at == &c->images ? at : at->next;
	return err;
}

static int write_images(struct ext2_commit *c)
{
	int err = 0;

	while (!err && c->at != &c->images)
		err = write_until_flush(c);
	return err;
}

static void free_images(struct ext2_commit *c)
{
	struct list *l;

	while ((l = list_pop(&c->images)) != NULL) {
		struct image *i = list_entry(l, struct image, link);

		if (i->copy)
			frame_free(i->frame);
		kfree(i);
	}
}

/* ---- names for what is displaced ---- */

/* Makes room of an entry's spare end; the entry that has it. */
static struct ext2_dirent *split(struct ext2_dirent *d)
{
	u32 used = EXT2_DIRENT_SIZE(d->name_len);
	struct ext2_dirent *rest = (struct ext2_dirent *)((u8 *)d + used);

	if (!d->ino)
		return d;
	rest->rec_len = (u16)(d->rec_len - used);
	d->rec_len = (u16)used;
	return rest;
}

/* A name for ino in a free place of a directory's block; false: there is none. */
static bool insert_name(const struct ext2_fs *fs, u8 *block, u32 ino, u8 type)
{
	struct ext2_dirent *d;
	char name[16];
	u32 len = (u32)ksnprintf(name, sizeof(name), "#%u", ino), off;

	for (off = 0; off < fs->bsize; off += d->rec_len) {
		d = (struct ext2_dirent *)(block + off);
		if (ext2_dirent_space(d) < EXT2_DIRENT_SIZE(len))
			continue;
		d = split(d);
		d->ino = ino;
		d->name_len = (u8)len;
		d->file_type = type;
		memcpy(d->name, name, len);
		return true;
	}
	return false;
}

/* The last block of lost+found, with names for all the displaced ones added in a copy, which alone is written. */
static int write_names(struct ext2_commit *c, struct ext2_node *lf, struct dir_block *b, void *copy)
{
	struct ext2_fs *fs = c->fs;
	struct ext2_extent e;
	u32 k;
	int err;

	for (k = 0; k < fs->bsize; k += ((struct ext2_dirent *)(b->data + k))->rec_len)
		if (!ext2_dirent_at(lf, b, k))
			return -EUCLEAN;
	mutex_lock(&lf->lock);
	err = ext2_map(lf, b->blk, 1, &e);
	mutex_unlock(&lf->lock);
	if (err || !e.pblk || (e.pblk != fs->lost_blk && ext2_is_dirty(fs, e.pblk)))
		return -ENOENT; /* a block that is dirty itself has to be written in its turn */
	memcpy(copy, b->data, fs->bsize);
	for (k = 0; k < fs->ndisplaced; k++)
		if (!insert_name(fs, copy, fs->displaced[k].ino, fs->displaced[k].type))
			return -ENOSPC;
	ext2_dirty_page(lf, e.pblk, b->frame, b->data, EXT2_KIND_DIR);
	ext2_dirty_written(fs, e.pblk, true);
	c->lost_blk = e.pblk;
	return 0;
}

static int name_in_lost_found(struct ext2_commit *c, struct ext2_node *lf)
{
	struct frame *copy;
	struct dir_block b;
	int err;

	if (!is_dir(lf) || lf->nlink == 0 || lf->fresh)
		return -ENOENT;
	copy = frame_alloc(0);
	if (!copy)
		return -ENOMEM;
	err = ext2_dir_block(lf, (ext2_size(lf) >> c->fs->bshift) - 1, false, &b);
	if (!err) {
		err = write_names(c, lf, &b, frame_va(copy));
		ext2_dir_block_put(&b);
	}
	if (!err)
		add_image(c, c->lost_blk, copy, frame_va(copy), true, NULL);
	else
		frame_free(copy);
	return err;
}

static int kill_displaced(struct ext2_fs *fs)
{
	int err = 0;
	u32 k;

	for (k = 0; k < fs->ndisplaced && !err; k++)
		if (fs->displaced[k].dies)
			err = ext2_kill_ino(fs, fs->displaced[k].ino);
	return err;
}

/* Without a lost+found there is a moment in which neither the old nor the new file has the name. */
static int name_displaced(struct ext2_commit *c)
{
	struct ext2_fs *fs = c->fs;
	int err = -ENOENT;

	if (!fs->ndisplaced)
		return 0;
	if (fs->lost_found && !ext2_iget(fs->mount, fs->lost_found, false, &c->lost_found))
		err = name_in_lost_found(c, ext2_node(c->lost_found));
	if (!err)
		return 0;
	err = kill_displaced(fs);
	fs->ndisplaced = 0;
	return err;
}

/* ---- inodes ---- */

static void take_nodes(struct ext2_commit *c)
{
	struct ext2_fs *fs = c->fs;
	struct ext2_node *n;

	spin_lock(&fs->dirty_lock);
	list_splice_tail(&c->nodes, &fs->dirty_nodes);
	spin_unlock(&fs->dirty_lock);
	list_for_each(n, &c->nodes, dirty_link) {
		ext2_trim_if_quiet(n);
		if (!n->nlink) /* dying was all there was to write */
			WRITE_ONCE(n->vn.attr_dirty, false);
		else if (n->fresh && is_dir(n))
			c->generations = MAX(c->generations, n->depth);
		else if (n->fresh)
			c->new_files = true;
	}
}

/* depth 0: those that the disk knows; NEW_FILES: new ones that are no directories; else a generation of new directories. */
#define NEW_FILES UINT32_MAX

static bool belongs(const struct ext2_node *n, u32 depth)
{
	if (!n->nlink)
		return false;
	if (!n->fresh)
		return depth == 0;
	return is_dir(n) ? n->depth == depth : depth == NEW_FILES;
}

static int put_nodes(struct ext2_commit *c, u32 depth)
{
	struct ext2_node *n;
	int err = 0;

	list_for_each(n, &c->nodes, dirty_link) {
		if (err || !belongs(n, depth))
			continue;
		err = ext2_put_node(n);
	}
	if (!err)
		err = write_kinds(c, INODE_KINDS);
	return err;
}

static int write_inodes(struct ext2_commit *c)
{
	int err = put_nodes(c, 0);
	u32 depth;

	for (depth = 1; depth <= c->generations && !err; depth++) {
		err = flush(c);
		if (!err)
			err = put_nodes(c, depth);
	}
	if (!err && c->new_files) {
		err = flush(c);
		if (!err)
			err = put_nodes(c, NEW_FILES);
	}
	if (!err && c->fs->ndisplaced) {
		err = flush(c);
		if (!err)
			err = kill_displaced(c->fs);
		if (!err)
			err = write_kinds(c, INODE_KINDS);
	}
	return err ? err : flush(c);
}

/* Directories that were emptied in this commit, after what died in them, each generation after those below. */
static int kill_directories(struct ext2_commit *c)
{
	u32 height;
	int err = 0;

	for (height = 1; height <= c->fs->dying_height && !err; height++) {
		err = flush(c);
		if (!err)
			err = ext2_kill_dying(c->fs, height);
		if (!err)
			err = write_kinds(c, KIND(EXT2_KIND_INODES));
	}
	return err;
}

/* ---- a commit ---- */

/* Makes the images, alone behind the gate. It fails if a block cannot be read, before anything was written. */
static int collect(struct ext2_commit *c)
{
	int err = ext2_write_counts(c->fs);

	if (!err)
		err = name_displaced(c);
	if (!err)
		err = write_kinds(c, FIRST_KINDS);
	if (!err)
		err = kill_directories(c);
	if (!err)
		err = flush(c);
	if (!err)
		err = write_kinds(c, KIND(EXT2_KIND_DIR));
	if (!err)
		err = flush(c);
	return err ? err : write_inodes(c);
}

/* Nodes that were touched meanwhile, or all after a failure, are dirty again. */
static void return_nodes(struct ext2_commit *c, bool failed)
{
	struct ext2_fs *fs = c->fs;
	struct ext2_node *n;
	struct list *l;

	spin_lock(&fs->dirty_lock);
	while ((l = list_pop(&c->nodes)) != NULL) {
		n = list_entry(l, struct ext2_node, dirty_link);
		if (failed)
			WRITE_ONCE(n->vn.attr_dirty, true);
		if (READ_ONCE(n->vn.attr_dirty))
			list_add_tail(&fs->dirty_nodes, l);
	}
	spin_unlock(&fs->dirty_lock);
}

/* What changes from now on belongs to the next commit. */
static void close_collection(struct ext2_commit *c, bool failed)
{
	struct ext2_fs *fs = c->fs;

	return_nodes(c, failed);
	if (failed) {
		ext2_dirty_rewrite(fs);
		return;
	}
	if (c->lost_blk) { /* the names there go with the next commit; nobody must read them before */
		ext2_dirty_written(fs, c->lost_blk, false);
		ext2_mark_dirty(ext2_node(c->lost_found));
	}
	fs->lost_blk = c->lost_blk;
	ext2_dirty_take(fs, &c->blocks);
	ext2_freed_take(fs, &c->freed);
	fs->ndisplaced = 0;
	ext2_forget_dying(fs);
}

static struct ext2_commit *begin_commit(struct ext2_fs *fs)
{
	struct ext2_commit *c = ext2_must_alloc(sizeof(*c));

	c->fs = fs;
	list_init(&c->nodes);
	list_init(&c->images);
	list_init(&c->blocks);
	list_init(&c->freed);
	gate_shut(fs);
	return c;
}

static bool anything(const struct ext2_fs *fs)
{
	return fs->ndirty || !list_empty(&fs->dirty_nodes) || fs->groups_dirty || fs->super_dirty ||
	       (fs->write_super && fs->counts_dirty) || ext2_has_freed(fs);
}

/* The end of a commit; after a failure everything is dirty again. What was freed is free inside the gate, as bitmaps change. */
static void settle(struct ext2_commit *c, int err)
{
	struct ext2_fs *fs = c->fs;

	ext2_begin(fs);
	ext2_dirty_done(fs, &c->blocks, err);
	ext2_freed_done(fs, &c->freed, err);
	ext2_end(fs);
	free_images(c);
	if (!err)
		__atomic_store_n(&fs->committed, c->txn, __ATOMIC_RELEASE);
	kfree(c);
}

/* Writes copies, or what is left to write of them. */
static int finish(struct ext2_commit *c)
{
	int err = write_images(c);

	c->fs->unfinished = err ? c : NULL;
	if (err)
		ext2_dirty_keep(c->fs, &c->blocks);
	else
		settle(c, 0);
	return err;
}

/* Alone behind the gate. */
static int collect_all(struct ext2_commit *c)
{
	struct ext2_fs *fs = c->fs;
	int err;

	take_nodes(c); /* may still change bitmaps */
	c->txn = fs->txn;
	WRITE_ONCE(fs->txn, c->txn + 1);
	err = collect(c);
	c->at = c->images.next;
	if (!err && c->in_place)
		err = write_images(c);
	close_collection(c, err);
	return err;
}

static int commit_locked(struct ext2_fs *fs)
{
	struct ext2_commit *c = begin_commit(fs);
	struct vnode *lost_found;
	bool some = anything(fs);
	int err = some ? collect_all(c) : 0;

	gate_open(fs);
	lost_found = c->lost_found;
	if (!some)
		kfree(c);
	else if (err || c->in_place)
		settle(c, err);
	else
		err = finish(c);
	if (lost_found)
		vnode_drop(lost_found);
	return err;
}

static bool is_done(const struct ext2_fs *fs, u32 txn)
{
	return (s32)(fs->committed - txn) >= 0;
}

int ext2_commit(struct ext2_fs *fs)
{
	u32 want = READ_ONCE(fs->txn);
	int err = 0;

	if (!READ_ONCE(fs->writable))
		return -EROFS;
	mutex_lock(&fs->commit_lock);
	if (fs->unfinished)
		err = finish(fs->unfinished);
	if (!err && !is_done(fs, want))
		err = commit_locked(fs);
	mutex_unlock(&fs->commit_lock);
	return err;
}

void ext2_commit_forget(struct ext2_fs *fs)
{
	if (fs->unfinished)
		settle(fs->unfinished, -EIO);
	fs->unfinished = NULL;
}

bool ext2_retry(struct ext2_fs *fs, int err)
{
	return err == -ENOSPC && ext2_has_freed(fs) && !ext2_commit(fs);
}
