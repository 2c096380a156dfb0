// SPDX-License-Identifier: BSD-2-Clause
/*
 * Directories: blocks of entries, each entry with the distance to the next.
 *
 *	| ino, rec_len, name_len, type, name.. | ... | last one reaches to the block's end |
 *
 * In blocks of our making no entry crosses a boundary of 512 bytes: what a power cut leaves of a block is well-formed all the same.
 * An entry never moves while it exists; one that is removed becomes part of its predecessor in the same 512 bytes.  A hashed directory (dir_index) looks
 * linear to us; the first change takes its INDEX flag away, since its tree is then no longer right.  Small directories are searched
 * from the start, big ones through dirindex.c.  Every entry is checked when it is looked at.
 * Locks: v_lock, exclusive for changes.
 */

#include "fs/ext2/ext2.h"

#define CHUNK 512u /* what a disk writes wholly or not at all */

static u64 nblocks(const struct ext2_node *dir)
{
	return ext2_size(dir) >> ext2_fs(&dir->vn)->bshift;
}

int ext2_dir_block(struct ext2_node *dir, u64 blk, bool write, struct dir_block *out)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	int err;

	err = vm_page_get(&dir->vn.obj, blk / fs->bpp, write ? VMP_WRITE | VMP_RESERVED : 0, NULL,
			  &out->frame);
	if (err)
		return err;
	out->data = (u8 *)frame_va(out->frame) + ((blk % fs->bpp) << fs->bshift);
	out->blk = blk;
	return 0;
}

void ext2_dir_block_put(struct dir_block *b)
{
	vm_page_put(b->frame);
}

struct ext2_dirent *ext2_dirent_at(struct ext2_node *dir, const struct dir_block *b, u32 off)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	struct ext2_dirent *d = (struct ext2_dirent *)(b->data + off);
	u32 room = fs->bsize - off;

	if (likely(room >= EXT2_DIRENT_SIZE(1) && d->rec_len >= EXT2_DIRENT_SIZE(1) &&
		   d->rec_len % 4 == 0 && d->rec_len <= room &&
		   EXT2_DIRENT_SIZE(d->name_len) <= d->rec_len &&
		   d->ino <= fs->super.inodes_count && (!d->ino || d->name_len)))
		return d;
	ext2_error(fs, "directory inode %u: bad entry at byte %u of block %lu", (u32)dir->vn.ino,
		   off, (unsigned long)b->blk);
	return NULL;
}

/* ---- finding ---- */

/* In one block: 1 found, 0 not, or -EUCLEAN. */
static int find_in_block(struct ext2_node *dir, const struct dir_block *b, const char *name,
			 size_t len, struct ext2_slot *out)
{
	u32 bsize = ext2_fs(&dir->vn)->bsize, off;
	struct ext2_dirent *d;

	for (off = 0; off < bsize; off += d->rec_len) {
		d = ext2_dirent_at(dir, b, off);
		if (!d)
			return -EUCLEAN;
		if (!ext2_dirent_is(d, name, len))
			continue;
		out->pos = (b->blk << ext2_fs(&dir->vn)->bshift) + off;
		out->ino = d->ino;
		return 1;
	}
	return 0;
}

static int find_linear(struct ext2_node *dir, const char *name, size_t len, struct ext2_slot *out)
{
	u64 n = nblocks(dir), blk;
	struct dir_block b;
	int r;

	for (blk = 0; blk < n; blk++) {
		r = ext2_dir_block(dir, blk, false, &b);
		if (r)
			return r;
		r = find_in_block(dir, &b, name, len, out);
		ext2_dir_block_put(&b);
		if (r)
			return r < 0 ? r : 0;
	}
	return -ENOENT;
}

int ext2_dir_find(struct ext2_node *dir, const char *name, size_t len, struct ext2_slot *out)
{
	int err;

	if (len > EXT2_NAME_MAX)
		return -ENAMETOOLONG;
	err = dir_index_want(dir);
	if (err)
		return err;
	if (dir->index)
		return dir_index_find(dir, name, len, out);
	return find_linear(dir, name, len, out);
}

/* ---- adding ---- */

u8 ext2_dirent_type(const struct ext2_fs *fs, u32 mode)
{
	static const u8 types[16] = {
		[S_IFREG >> 12] = 1, [S_IFDIR >> 12] = 2,  [S_IFCHR >> 12] = 3, [S_IFBLK >> 12] = 4,
		[S_IFIFO >> 12] = 5, [S_IFSOCK >> 12] = 6, [S_IFLNK >> 12] = 7,
	};

	return fs->filetype ? types[(mode & S_IFMT) >> 12] : 0;
}

static void set_entry(struct ext2_dirent *d, const struct ext2_fs *fs, const char *name, size_t len,
		      u32 ino, u32 mode)
{
	d->ino = ino;
	d->name_len = (u8)len;
	d->file_type = ext2_dirent_type(fs, mode);
	memcpy(d->name, name, len);
}

/* The first place in the block for need bytes: its offset, bsize if none, or -EUCLEAN. most: the largest room passed over. */
static int find_room(struct ext2_node *dir, const struct dir_block *b, u32 need, u32 *most)
{
	u32 bsize = ext2_fs(&dir->vn)->bsize, off;
	struct ext2_dirent *d;

	*most = 0;
	for (off = 0; off < bsize; off += d->rec_len) {
		u32 space;

		d = ext2_dirent_at(dir, b, off);
		if (!d)
			return -EUCLEAN;
		space = ext2_dirent_space(d);
		if (space >= need)
			break;
		*most = MAX(*most, space);
	}
	return (int)off;
}

/* Before the entry at off there is no more room than most. */
static void note_space(struct ext2_node *dir, const struct dir_block *b, u32 off, u32 most)
{
	u32 bsize = ext2_fs(&dir->vn)->bsize;
	struct ext2_dirent *d;

	if (!dir->index)
		return;
	for (; off < bsize; off += d->rec_len) {
		d = ext2_dirent_at(dir, b, off);
		if (!d)
			return;
		most = MAX(most, ext2_dirent_space(d));
	}
	dir_index_set_space(dir, b->blk, most);
}

/* A commit writes the block: pages of directories are never dirty in the eyes of kernel/vm. */
void ext2_dir_dirty(struct ext2_node *dir, const struct dir_block *b, enum ext2_kind kind)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	struct ext2_extent e;

	if (dir->dirty_txn == fs->txn && dir->dirty_block == b->blk + 1)
		return;
	if (!ext2_map_cached(dir, b->blk, 1, &e)) {
		mutex_lock(&dir->lock);
		if (ext2_map(dir, b->blk, 1, &e))
			e.pblk = 0;
		mutex_unlock(&dir->lock);
	}
	if (!e.pblk) {
		ext2_error(fs, "directory inode %u: a hole at block %lu", (u32)dir->vn.ino,
			   (unsigned long)b->blk);
		return;
	}
	ext2_dirty_page(dir, e.pblk, b->frame, b->data, kind);
	dir->dirty_txn = fs->txn;
	dir->dirty_block = b->blk + 1;
}

/* The contents changed: the hash tree, if the directory had one, is no longer to be trusted. */
static void changed(struct ext2_node *dir, const struct dir_block *b)
{
	ext2_dir_dirty(dir, b, EXT2_KIND_DIR);
	dir->flags &= ~EXT2_FL_INDEX;
	ext2_touch(dir, ATTR_MTIME | ATTR_CTIME);
}

/* A block with room for the entry, got for writing, and the offset. -ENOENT: none. most: the largest room before that. */
static int block_with_room(struct ext2_node *dir, u32 need, struct dir_block *b, u32 *most)
{
	u64 n = nblocks(dir), blk = dir->index ? dir_index_room(dir, need) : 0;
	int r;

	for (; blk < n; blk++) {
		r = ext2_dir_block(dir, blk, true, b);
		if (r)
			return r;
		r = find_room(dir, b, need, most);
		if (r < 0 || (u32)r < ext2_fs(&dir->vn)->bsize)
			return r;
		if (dir->index) /* it thought of more */
			dir_index_set_space(dir, blk, *most);
		ext2_dir_block_put(b);
	}
	return -ENOENT;
}

int ext2_append_block(struct ext2_node *n, u64 blk, u64 new_size, struct dir_block *out)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	u64 old_size = ext2_size(n);
	unsigned flags = VMP_WRITE | VMP_RESERVED | (blk % fs->bpp ? 0 : VMP_NOFILL);
	int err;

	mutex_lock(&n->lock);
	err = ext2_map_alloc(n, blk, 1, ext2_may_use_reserved(fs) ? EXT2_ALLOC_PRIVILEGED : 0);
	mutex_unlock(&n->lock);
	if (err)
		return err;
	vm_object_set_size(&n->vn.obj, new_size);
	err = vm_page_get(&n->vn.obj, blk / fs->bpp, flags, NULL, &out->frame);
	if (err) {
		vm_object_set_size(&n->vn.obj, old_size);
		mutex_lock(&n->lock);
		ext2_free_range(n, blk, blk + 1);
		mutex_unlock(&n->lock);
		return err;
	}
	out->blk = blk;
	out->data = (u8 *)frame_va(out->frame) + ((blk % fs->bpp) << fs->bshift);
	if (flags & VMP_NOFILL && READ_ONCE(out->frame->flags) & FR_BUSY) {
		page_zero(frame_va(out->frame));
		vm_page_ready(out->frame, true);
	} else {
		memset(out->data, 0, fs->bsize);
	}
	ext2_mark_dirty(n);
	return 0;
}

/* One more block, all free. */
static int grow(struct ext2_node *dir, struct dir_block *b)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	u64 blk = nblocks(dir), size = ext2_size(dir) + fs->bsize;
	u32 off;
	int err;

	if (size > INT32_MAX)
		return -ENOSPC;
	err = ext2_append_block(dir, blk, size, b);
	if (err)
		return err;
	for (off = 0; off < fs->bsize; off += CHUNK)
		((struct ext2_dirent *)(b->data + off))->rec_len = CHUNK;
	dir_index_set_space(dir, blk, CHUNK);
	return 0;
}

int ext2_dir_add(struct ext2_node *dir, const char *name, size_t len, u32 ino, u32 mode, u64 *pos)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	u32 need = EXT2_DIRENT_SIZE(len), used, most = 0;
	struct ext2_dirent *d, *old;
	struct dir_block b;
	int off;

	if (!ext2_writable(fs))
		return -EROFS;
	off = block_with_room(dir, need, &b, &most);
	if (off == -ENOENT)
		off = grow(dir, &b);
	else if (off == -EUCLEAN)
		ext2_dir_block_put(&b);
	if (off < 0)
		return off;
	old = d = (struct ext2_dirent *)(b.data + off);
	if (old->ino) {
		used = EXT2_DIRENT_SIZE(old->name_len);
		off += (int)used;
		d = (struct ext2_dirent *)(b.data + off);
		d->rec_len = (u16)(old->rec_len - used);
		old->rec_len = (u16)used;
	}
	set_entry(d, fs, name, len, ino, mode);
	changed(dir, &b);
	*pos = (b.blk << fs->bshift) + (u32)off;
	dir_index_insert(dir, name, len, *pos);
	note_space(dir, &b, (u32)off, most); /* there may be more behind the place */
	ext2_dir_block_put(&b);
	return 0;
}

/* ---- removing and changing ---- */

int ext2_dir_remove(struct ext2_node *dir, const char *name, size_t len, u64 pos)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	u32 target = (u32)pos & (fs->bsize - 1), off;
	struct ext2_dirent *d = NULL, *prev = NULL;
	struct dir_block b;
	int err;

	if (!ext2_writable(fs))
		return -EROFS;
	err = ext2_dir_block(dir, pos >> fs->bshift, true, &b);
	if (err)
		return err;
	for (off = 0; off <= target; off += d->rec_len) {
		prev = d;
		d = ext2_dirent_at(dir, &b, off);
		if (!d || off == target)
			break;
	}
	if (!d || off != target || !ext2_dirent_is(d, name, len)) {
		err = d ? ext2_error(fs, "directory inode %u: an entry vanished", (u32)dir->vn.ino)
			: -EUCLEAN;
	} else {
		d->ino = 0;
		if (prev && ((u8 *)prev - b.data) / CHUNK == target / CHUNK) {
			prev->rec_len = (u16)(prev->rec_len + d->rec_len);
			d = prev;
		}
		changed(dir, &b);
		dir_index_remove(dir, name, len, pos);
		dir_index_more_space(dir, b.blk, ext2_dirent_space(d));
	}
	ext2_dir_block_put(&b);
	return err;
}

int ext2_dir_replace(struct ext2_node *dir, u64 pos, u32 ino, u32 mode)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	struct ext2_dirent *d;
	struct dir_block b;
	int err;

	if (!ext2_writable(fs))
		return -EROFS;
	err = ext2_dir_block(dir, pos >> fs->bshift, true, &b);
	if (err)
		return err;
	d = ext2_dirent_at(dir, &b, (u32)pos & (fs->bsize - 1));
	if (d) {
		d->ino = ino;
		d->file_type = ext2_dirent_type(fs, mode);
		changed(dir, &b);
	}
	ext2_dir_block_put(&b);
	return d ? 0 : -EUCLEAN;
}

bool ext2_dir_same_chunk(u64 a, u64 b)
{
	return a / CHUNK == b / CHUNK;
}

bool ext2_dir_rename(struct ext2_node *dir, u64 pos, const char *old, size_t old_len,
		     const char *name, size_t len)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	u32 off = (u32)pos & (fs->bsize - 1), need = EXT2_DIRENT_SIZE(len);
	struct ext2_dirent *d;
	struct dir_block b;
	bool fits;

	if (off % CHUNK + need > CHUNK || ext2_dir_block(dir, pos >> fs->bshift, true, &b))
		return false;
	d = ext2_dirent_at(dir, &b, off);
	fits = d && ext2_dirent_is(d, old, old_len) && d->rec_len >= need;
	if (fits) {
		d->name_len = (u8)len;
		memcpy(d->name, name, len);
		changed(dir, &b);
		dir_index_remove(dir, old, old_len, pos);
		dir_index_insert(dir, name, len, pos);
		dir_index_more_space(dir, b.blk, ext2_dirent_space(d));
	}
	ext2_dir_block_put(&b);
	return fits;
}

int ext2_dir_make_empty(struct ext2_node *dir, u32 parent)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	struct ext2_dirent *d;
	struct dir_block b;
	int err;

	err = grow(dir, &b);
	if (err)
		return err;
	d = (struct ext2_dirent *)b.data;
	set_entry(d, fs, ".", 1, (u32)dir->vn.ino, S_IFDIR);
	d->rec_len = EXT2_DIRENT_SIZE(1);
	d = (struct ext2_dirent *)(b.data + d->rec_len);
	set_entry(d, fs, "..", 2, parent, S_IFDIR);
	d->rec_len = CHUNK - EXT2_DIRENT_SIZE(1);
	ext2_dir_dirty(dir, &b, EXT2_KIND_DIR);
	ext2_dir_block_put(&b);
	return 0;
}

static bool is_dot(const struct ext2_dirent *d)
{
	return d->name[0] == '.' && (d->name_len == 1 || (d->name_len == 2 && d->name[1] == '.'));
}

/* ---- listing ---- */

static unsigned dt_of(const struct ext2_fs *fs, const struct ext2_dirent *d)
{
	static const u8 dt[8] = {0, 8, 4, 2, 6, 1, 12, 10};

	return fs->filetype && d->file_type < ARRAY_LEN(dt) ? dt[d->file_type] : 0;
}

/* From *pos to the end of its block. 1: the sink is full, 0: go on, or an error. */
static int list_block(struct ext2_node *dir, u64 *pos, dirent_fn emit, void *arg)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	u64 start = ALIGN_DOWN(*pos, (u64)fs->bsize);
	struct ext2_dirent *d;
	struct dir_block b;
	int r;
	u32 off;

	r = ext2_dir_block(dir, start >> fs->bshift, false, &b);
	if (r)
		return r;
	for (off = 0; off < fs->bsize && !r; off += d->rec_len) {
		d = ext2_dirent_at(dir, &b, off);
		if (!d) {
			r = -EUCLEAN;
			break;
		}
		if (start + off < *pos || !d->ino)
			continue;
		if (!emit(arg, d->name, d->name_len, d->ino, dt_of(fs, d),
			  start + off + d->rec_len))
			r = 1;
		else
			*pos = start + off + d->rec_len;
	}
	if (!r)
		*pos = start + fs->bsize;
	ext2_dir_block_put(&b);
	return r;
}

int ext2_readdir(struct vnode *vn, u64 *pos, dirent_fn emit, void *arg)
{
	struct ext2_node *dir = ext2_node(vn);
	int r = 0;

	while (!r && *pos < ext2_size(dir))
		r = list_block(dir, pos, emit, arg);
	return r < 0 ? r : 0;
}

static bool only_dots(void *arg, const char *name, size_t len, u64 ino, unsigned type, u64 next)
{
	const struct ext2_dirent *d = container_of(name, struct ext2_dirent, name[0]);

	(void)len;
	(void)ino;
	(void)type;
	(void)next;
	if (is_dot(d))
		return true;
	*(bool *)arg = false;
	return false;
}

int ext2_dir_is_empty(struct ext2_node *dir)
{
	bool empty = true;
	u64 pos = 0;
	int err;

	err = ext2_readdir(&dir->vn, &pos, only_dots, &empty);
	return err ? err : empty ? 0 : -ENOTEMPTY;
}
