// SPDX-License-Identifier: BSD-2-Clause
/*
 * An index in memory for a big directory, made on the first lookup by one pass over it and kept up to date: a hash table from names
 * to positions, and for each block the largest room, in a tree of maxima that finds the first block with enough of it.
 * It is only a help: without memory for it the directory is searched from its start.
 * Locks: v_lock; made by readers without a lock and put in place by compare-and-swap.
 */

#include "fs/ext2/ext2.h"

#define INDEX_MIN_BYTES 8192 /* smaller directories are searched linearly */
#define SLOT_EMPTY	0u
#define SLOT_DEAD	1u

/* Field markings and the corresponding locks:
 * (v) v_lock of the directory
 */
struct dir_index {
	u64 *slots; /* (v) hash << 32 | position / 4 + 2; open addressing */
	u32 nslots; /* (v) power of two */
	u32 used;   /* (v) not empty, dead ones too */
	u32 live;   /* (v) */
	u16 *room; /* (v) tree of maxima: children of k at 2k, 2k+1; leaves from cap on, a block each */
	u32 cap; /* (v) power of two */
};

static u32 name_hash(const char *name, size_t len)
{
	u64 h = hash_bytes(name, len, 0x9e3779b97f4a7c15ul);

	return (u32)(h ^ h >> 32);
}

static void slots_put(u64 *slots, u32 nslots, u64 slot)
{
	u32 k = (u32)(slot >> 32) & (nslots - 1);

	while ((u32)slots[k] > SLOT_DEAD)
		k = (k + 1) & (nslots - 1);
	slots[k] = slot;
}

/* Makes the table fit for one more. */
static int slots_grow(struct dir_index *x)
{
	u32 want = x->nslots ? x->nslots : 256, k;
	u64 *slots;

	if (x->nslots && x->used + 1 < x->nslots / 4 * 3)
		return 0;
	while (x->live + 1 > want / 2)
		want *= 2;
	slots = kmalloc(want * sizeof(*slots), KM_ZERO);
	if (!slots)
		return -ENOMEM;
	for (k = 0; k < x->nslots; k++)
		if ((u32)x->slots[k] > SLOT_DEAD)
			slots_put(slots, want, x->slots[k]);
	kfree(x->slots);
	x->slots = slots;
	x->nslots = want;
	x->used = x->live;
	return 0;
}

static int index_insert(struct dir_index *x, const char *name, size_t len, u64 pos)
{
	if (slots_grow(x))
		return -ENOMEM;
	slots_put(x->slots, x->nslots, (u64)name_hash(name, len) << 32 | (pos / 4 + 2));
	x->live++;
	x->used++;
	return 0;
}

static int room_grow(struct dir_index *x, u64 blk)
{
	u32 cap = x->cap ? x->cap : 16, k;
	u16 *room;

	if (blk < x->cap)
		return 0;
	while (cap <= blk)
		cap *= 2;
	room = kmalloc(2 * cap * sizeof(*room), KM_ZERO);
	if (!room)
		return -ENOMEM;
	if (x->cap)
		memcpy(room + cap, x->room + x->cap, x->cap * sizeof(*room));
	for (k = cap - 1; k; k--)
		room[k] = MAX(room[2 * k], room[2 * k + 1]);
	kfree(x->room);
	x->room = room;
	x->cap = cap;
	return 0;
}

static int room_set(struct dir_index *x, u64 blk, u32 space)
{
	u32 k;

	if (room_grow(x, blk))
		return -ENOMEM;
	k = x->cap + (u32)blk;
	x->room[k] = (u16)space;
	for (k /= 2; k; k /= 2) {
		u16 most = MAX(x->room[2 * k], x->room[2 * k + 1]);

		if (x->room[k] == most)
			break;
		x->room[k] = most;
	}
	return 0;
}

static void index_destroy(struct dir_index *x)
{
	if (!x)
		return;
	kfree(x->slots);
	kfree(x->room);
	kfree(x);
}

void dir_index_free(struct ext2_node *dir)
{
	index_destroy(dir->index);
	dir->index = NULL;
}

static int scan_block(struct ext2_node *dir, struct dir_index *x, u64 blk)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	struct ext2_dirent *d;
	struct dir_block b;
	u32 off, most = 0;
	int err;

	err = ext2_dir_block(dir, blk, false, &b);
	if (err)
		return err;
	for (off = 0; off < fs->bsize && !err; off += d->rec_len) {
		d = ext2_dirent_at(dir, &b, off);
		if (!d) {
			err = -EUCLEAN;
			break;
		}
		most = MAX(most, ext2_dirent_space(d));
		if (d->ino)
			err = index_insert(x, d->name, d->name_len, (blk << fs->bshift) + off);
	}
	ext2_dir_block_put(&b);
	return err ? err : room_set(x, blk, most);
}

int dir_index_want(struct ext2_node *dir)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	struct dir_index *x, *expected = NULL;
	u64 blk;
	int err;

	if (__atomic_load_n(&dir->index, __ATOMIC_ACQUIRE) || ext2_size(dir) <= INDEX_MIN_BYTES)
		return 0;
	x = kzalloc(sizeof(*x));
	if (!x)
		return 0;
	err = slots_grow(x);
	for (blk = 0; blk < ext2_size(dir) >> fs->bshift && !err; blk++)
		err = scan_block(dir, x, blk);
	if (err || !__atomic_compare_exchange_n(&dir->index, &expected, x, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
		index_destroy(x);
	return err == -ENOMEM ? 0 : err;
}

/* Does the entry at pos bear the name? Fills out. 1, 0, or an error. */
static int entry_matches(struct ext2_node *dir, u64 pos, const char *name, size_t len,
			 struct ext2_slot *out)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	struct ext2_dirent *d;
	struct dir_block b;
	int r;

	r = ext2_dir_block(dir, pos >> fs->bshift, false, &b);
	if (r)
		return r;
	d = ext2_dirent_at(dir, &b, (u32)pos & (fs->bsize - 1));
	if (!d) {
		r = -EUCLEAN;
	} else if (ext2_dirent_is(d, name, len)) {
		*out = (struct ext2_slot){pos, d->ino};
		r = 1;
	}
	ext2_dir_block_put(&b);
	return r;
}

int dir_index_find(struct ext2_node *dir, const char *name, size_t len, struct ext2_slot *out)
{
	struct dir_index *x = dir->index;
	u32 hash = name_hash(name, len), k = hash & (x->nslots - 1);
	int r;

	for (; (u32)x->slots[k] != SLOT_EMPTY; k = (k + 1) & (x->nslots - 1)) {
		u64 slot = x->slots[k];

		if ((u32)slot == SLOT_DEAD || slot >> 32 != hash)
			continue;
		r = entry_matches(dir, ((u64)(u32)slot - 2) * 4, name, len, out);
		if (r)
			return r < 0 ? r : 0;
	}
	return -ENOENT;
}

void dir_index_insert(struct ext2_node *dir, const char *name, size_t len, u64 pos)
{
	if (dir->index && index_insert(dir->index, name, len, pos))
		dir_index_free(dir);
}

void dir_index_remove(struct ext2_node *dir, const char *name, size_t len, u64 pos)
{
	struct dir_index *x = dir->index;
	u64 slot;
	u32 k;

	if (!x)
		return;
	slot = (u64)name_hash(name, len) << 32 | (pos / 4 + 2);
	for (k = (u32)(slot >> 32) & (x->nslots - 1); x->slots[k] != slot;
	     k = (k + 1) & (x->nslots - 1))
		ASSERTF((u32)x->slots[k] != SLOT_EMPTY, "position %lu", (unsigned long)pos);
	x->slots[k] = SLOT_DEAD;
	x->live--;
}

void dir_index_set_space(struct ext2_node *dir, u64 blk, u32 space)
{
	if (dir->index && room_set(dir->index, blk, space))
		dir_index_free(dir);
}

void dir_index_more_space(struct ext2_node *dir, u64 blk, u32 space)
{
	struct dir_index *x = dir->index;

	if (x && (blk >= x->cap || x->room[x->cap + blk] < space))
		dir_index_set_space(dir, blk, space);
}

u64 dir_index_room(struct ext2_node *dir, u32 need)
{
	struct dir_index *x = dir->index;
	u32 k = 1;

	if (!x->cap || x->room[1] < need)
		return ext2_size(dir) >> ext2_fs(&dir->vn)->bshift;
	while (k < x->cap)
		k = x->room[2 * k] >= need ? 2 * k : 2 * k + 1;
	return k - x->cap;
}
