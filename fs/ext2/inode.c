// SPDX-License-Identifier: BSD-2-Clause
/*
 * Inodes: from the table on the disk into vnodes, back, made and freed.
 *
 * The table's block in the metadata cache gets an inode's fields in a commit; until then the vnode is newer (attr_dirty).  The size on
 * the disk is the size of the vnode's object.  An inode that loses its last name dies in the table at once (or in the commit, if displaced: commit.c)
 * and is never put there again; `inactive` frees its blocks, `free` its number, when no vnode has it any more.
 */

#include "fs/ext2/ext2.h"

static struct kmem_cache *node_cache;

int ext2_node_init_cache(void)
{
	if (!node_cache)
		node_cache = kmem_cache_create("ext2_node", sizeof(struct ext2_node), KM_LINE);
	return node_cache ? 0 : -ENOMEM;
}

/* The table block that holds inode ino, and where in it. */
static int get_dinode(struct ext2_fs *fs, u32 ino, struct meta *m, struct ext2_dinode **out)
{
	u32 g = (ino - 1) / fs->super.inodes_per_group, k = (ino - 1) % fs->super.inodes_per_group;
	u64 off = (u64)k * fs->inode_size;
	int err;

	ASSERTF(ino && ino <= fs->super.inodes_count, "inode %u", ino);
	err = meta_get(fs->bdev, fs->groups[g].inode_table + (off >> fs->bshift), fs->bsize, m);
	if (!err)
		*out = (struct ext2_dinode *)((u8 *)m->data + (off & (fs->bsize - 1)));
	return err;
}

static const struct vnode_ops *ops_for(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return &ext2_file_ops;
	case S_IFDIR:
		return &ext2_dir_ops;
	case S_IFLNK:
		return &ext2_link_ops;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return &ext2_special_ops;
	default:
		return NULL;
	}
}

static struct timespec64 time_from_disk(u32 sec, u32 extra, bool has_extra)
{
	struct timespec64 t = {.sec = (s32)sec};

	if (has_extra) {
		t.sec += (s64)(extra & 3) << 32;
		t.nsec = (extra >> 2) < 1000000000 ? extra >> 2 : 0;
	}
	return t;
}

static u32 time_extra(struct timespec64 t)
{
	return ((u32)((t.sec - (s32)t.sec) >> 32) & 3) | t.nsec << 2;
}

/* 32 bits of seconds hold 1901 to 2038 alone; with extra bits to 2446. */
static u32 time_to_disk(struct timespec64 t, bool has_extra)
{
	if (has_extra)
		return (u32)t.sec;
	if (t.sec > INT32_MAX)
		return INT32_MAX;
	return (u32)(t.sec < INT32_MIN ? INT32_MIN : t.sec);
}

static bool has_extra_times(const struct ext2_node *n)
{
	return n->extra_isize >= EXT2_EXTRA_TIMES;
}

/* Is a symbolic link's text within the inode itself? Then it has no block but perhaps one of attributes. */
bool ext2_is_fast_link(const struct ext2_node *n)
{
	u64 own = n->file_acl ? ext2_fs(&n->vn)->sectors_per_block : 0;

	return (n->vn.mode & S_IFMT) == S_IFLNK && n->sectors == own;
}

static bool is_device(u32 mode)
{
	return (mode & S_IFMT) == S_IFCHR || (mode & S_IFMT) == S_IFBLK;
}

/* Device numbers: 8 and 8 bits in the first word, or Linux's 12 and 20 in the second. */
static u64 rdev_from_disk(const u32 *block)
{
	if (block[0])
		return makedev(block[0] >> 8 & 0xff, block[0] & 0xff);
	return makedev(block[1] >> 8 & 0xfff, (block[1] & 0xff) | (block[1] >> 12 & 0xfff00));
}

static void rdev_to_disk(u64 rdev, u32 *block)
{
	bool small = (rdev & ~0xfffful) == 0;

	block[0] = small ? (u32)rdev : 0;
	block[1] = small ? 0 : (u32)rdev;
}

static u64 size_from_disk(const struct ext2_dinode *d)
{
	u64 size = d->size;

	if ((d->mode & S_IFMT) == S_IFREG)
		size |= (u64)d->size_high << 32;
	return size;
}

/* What the rest of the code relies on. */
static int check_dinode(struct ext2_fs *fs, u32 ino, const struct ext2_dinode *d)
{
	u64 size = size_from_disk(d);

	if (!ops_for(d->mode))
		return ext2_error(fs, "inode %u: bad mode 0%o", ino, d->mode);
	if (ino == EXT2_ROOT_INO && (d->mode & S_IFMT) != S_IFDIR)
		return ext2_error(fs, "inode %u: the root is not a directory", ino);
	if (d->flags & EXT2_FL_REFUSED)
		return ext2_error(fs, "inode %u: flags 0x%x need features that are off", ino,
				  d->flags & EXT2_FL_REFUSED);
	if (size > fs->max_size)
		return ext2_error(fs, "inode %u: bad size", ino);
	if ((d->mode & S_IFMT) == S_IFDIR && (size == 0 || size % fs->bsize || size >> 32))
		return ext2_error(fs, "inode %u: bad directory size %u", ino, d->size);
	if ((d->mode & S_IFMT) == S_IFLNK && (size == 0 || size >= PAGE_SIZE))
		return ext2_error(fs, "inode %u: bad length %u of a symbolic link", ino, d->size);
	if (fs->inode_size > EXT2_OLD_INODE_SIZE &&
	    (d->extra_isize > fs->inode_size - EXT2_OLD_INODE_SIZE || d->extra_isize % 4))
		return ext2_error(fs, "inode %u: bad extra size %u", ino, d->extra_isize);
	if (d->file_acl && !ext2_data_blocks_ok(fs, d->file_acl, 1))
		return ext2_error(fs, "inode %u: bad attribute block %u", ino, d->file_acl);
	return 0;
}

static struct ext2_node *node_alloc(void)
{
	struct ext2_node *n = kmem_cache_alloc(node_cache, KM_ZERO);

	if (!n)
		return NULL;
	mutex_init(&n->lock, LOCK_FS_INODE, "ext2 inode");
	spin_init(&n->times_lock, LOCK_LEAF_FS, "ext2 times");
	radix_init(&n->unwritten);
	list_init(&n->dirty_link);
	list_init(&n->window.lru);
	return n;
}

/* A node that no other thread has seen. */
static void node_destroy(struct ext2_node *n)
{
	if (n->vn.object)
		vm_object_fini(&n->vn.obj, true);
	kmem_cache_free(node_cache, n);
}

static void node_from_disk(struct ext2_node *n, const struct ext2_fs *fs,
			   const struct ext2_dinode *d)
{
	bool extra;

	n->extra_isize = fs->inode_size > EXT2_OLD_INODE_SIZE ? d->extra_isize : 0;
	extra = has_extra_times(n);
	n->atime = time_from_disk(d->atime, extra ? d->atime_extra : 0, extra);
	n->mtime = time_from_disk(d->mtime, extra ? d->mtime_extra : 0, extra);
	n->ctime = time_from_disk(d->ctime, extra ? d->ctime_extra : 0, extra);
	n->btime = time_from_disk(extra ? d->crtime : d->ctime, extra ? d->crtime_extra : 0, extra);
	n->uid = d->uid | (u32)d->uid_high << 16;
	n->gid = d->gid | (u32)d->gid_high << 16;
	n->nlink = d->links;
	n->flags = d->flags;
	n->sectors = d->blocks;
	n->generation = d->generation;
	n->file_acl = d->file_acl;
	n->dtime = d->dtime;
	memcpy(n->block, d->block, sizeof(n->block));
}

/* Special files and links within the inode have no page cache. */
static void init_vnode(struct ext2_node *n, struct mount *m, u64 ino, u32 mode, u64 size,
		       bool pages)
{
	vnode_init(&n->vn, m, ino, mode, ops_for(mode), pages ? &ext2_pager : NULL, size);
	if (!pages)
		n->vn.obj.size = size;
	if (is_device(mode))
		n->vn.rdev = rdev_from_disk(n->block);
	n->vn.flags = n->flags & (FL_IMMUTABLE | FL_APPEND);
}

static bool wants_pages(const struct ext2_dinode *d, const struct ext2_fs *fs)
{
	u32 own = d->file_acl ? fs->sectors_per_block : 0;

	return (d->mode & S_IFMT) == S_IFREG || (d->mode & S_IFMT) == S_IFDIR ||
	       ((d->mode & S_IFMT) == S_IFLNK && d->blocks != own);
}

static int read_node(struct mount *m, u32 ino, bool want_orphan, struct ext2_node *n)
{
	struct ext2_fs *fs = m->data;
	struct ext2_dinode *d;
	struct meta meta;
	int err;

	err = get_dinode(fs, ino, &meta, &d);
	if (err)
		return err;
	if (d->links == 0 && !want_orphan)
		err = -ESTALE;
	else
		err = check_dinode(fs, ino, d);
	if (!err && (d->mode & S_IFMT) == S_IFLNK && !wants_pages(d, fs) &&
	    d->size >= sizeof(n->block))
		err = ext2_error(fs, "inode %u: bad length %u of a short symbolic link", ino,
				 d->size);
	if (!err) {
		node_from_disk(n, fs, d);
		init_vnode(n, m, ino, d->mode, size_from_disk(d), wants_pages(d, fs));
	}
	meta_put(&meta);
	return err;
}

int ext2_iget(struct mount *m, u32 ino, bool want_orphan, struct vnode **out)
{
	struct ext2_fs *fs = m->data;
	struct ext2_node *n;
	struct vnode *other;
	int err;

	if (ino == 0 || ino > fs->super.inodes_count ||
	    (ino < fs->first_ino && ino != EXT2_ROOT_INO))
		return ext2_error(fs, "reference to impossible inode %u", ino);
	*out = vnode_find(m, ino);
	if (*out)
		return 0;
	n = node_alloc();
	if (!n)
		return -ENOMEM;
	err = read_node(m, ino, want_orphan, n);
	if (err) {
		kmem_cache_free(node_cache, n);
		return err;
	}
	err = vnode_insert(&n->vn, &other);
	if (err) {
		node_destroy(n);
		if (err != -EEXIST)
			return err;
		*out = other;
		return 0;
	}
	*out = &n->vn;
	return 0;
}

static void set_owner(struct ext2_node *n, const struct ext2_node *dir, u32 *mode,
		      const struct cred *cred)
{
	n->uid = cred ? cred->fsuid : 0;
	n->gid = cred ? cred->fsgid : 0;
	if (dir->vn.mode & S_ISGID) {
		n->gid = dir->gid;
		if ((*mode & S_IFMT) == S_IFDIR)
			*mode |= S_ISGID;
	}
}

static void fill_new_node(struct ext2_node *n, struct ext2_node *dir, u32 mode, u64 rdev)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);

	n->atime = n->mtime = n->ctime = n->btime = vfs_now();
	n->flags = dir->flags & EXT2_FL_INHERITED;
	if ((mode & S_IFMT) != S_IFREG && (mode & S_IFMT) != S_IFDIR)
		n->flags &= 0xc0u; /* noatime and nodump alone make sense */
	n->generation = __atomic_fetch_add(&fs->generation, 1, __ATOMIC_RELAXED);
	n->fresh = true;
	n->depth = dir->fresh ? dir->depth + 1 : 1;
	n->name_txn = fs->txn;
	if (fs->inode_size >= EXT2_OLD_INODE_SIZE + EXT2_EXTRA_WANTED)
		n->extra_isize = EXT2_EXTRA_WANTED;
	if (is_device(mode))
		rdev_to_disk(rdev, n->block);
}

int ext2_new_node(struct ext2_node *dir, u32 mode, u64 rdev, const struct cred *cred,
		  struct ext2_node **out)
{
	struct ext2_fs *fs = ext2_fs(&dir->vn);
	bool is_dir = (mode & S_IFMT) == S_IFDIR, special;
	struct ext2_node *n;
	struct vnode *other;
	int err;
	u32 ino;

	n = node_alloc();
	if (!n)
		return -ENOMEM;
	ino = ext2_alloc_ino(dir, is_dir, &err);
	if (!ino) {
		kmem_cache_free(node_cache, n);
		return err;
	}
	set_owner(n, dir, &mode, cred);
	fill_new_node(n, dir, mode, rdev);
	special = ops_for(mode) == &ext2_special_ops;
	init_vnode(n, dir->vn.mount, ino, mode, 0, !special);
	err = vnode_insert(&n->vn, &other);
	if (err) {
		if (err == -EEXIST) {
			vnode_drop(other);
			err = ext2_error(fs, "inode %u: marked free but in use", ino);
		}
		ext2_free_ino(fs, ino, is_dir);
		node_destroy(n);
		return err;
	}
	*out = n;
	return 0;
}

/* lock held: every field of ours; what we do not know of stays as it is. */
static void node_to_disk(struct ext2_node *n, struct ext2_dinode *d)
{
	bool extra = has_extra_times(n);
	u64 size = ext2_size(n);

	d->mode = (u16)n->vn.mode;
	d->uid = (u16)n->uid;
	d->uid_high = (u16)(n->uid >> 16);
	d->gid = (u16)n->gid;
	d->gid_high = (u16)(n->gid >> 16);
	d->links = (u16)n->nlink;
	d->size = (u32)size;
	if ((n->vn.mode & S_IFMT) == S_IFREG)
		d->size_high = (u32)(size >> 32);
	d->blocks = (u32)n->sectors;
	d->flags = n->flags;
	d->generation = n->generation;
	d->file_acl = n->file_acl;
	d->dtime = 0;
	memcpy(d->block, n->block, sizeof(n->block));
	spin_lock(&n->times_lock);
	d->atime = time_to_disk(n->atime, extra);
	d->mtime = time_to_disk(n->mtime, extra);
	d->ctime = time_to_disk(n->ctime, extra);
	if (extra) {
		d->atime_extra = time_extra(n->atime);
		d->mtime_extra = time_extra(n->mtime);
		d->ctime_extra = time_extra(n->ctime);
		d->crtime = (u32)n->btime.sec;
		d->crtime_extra = time_extra(n->btime);
	}
	spin_unlock(&n->times_lock);
}

static u32 table_block(const struct ext2_fs *fs, u32 ino)
{
	u32 g = (ino - 1) / fs->super.inodes_per_group, k = (ino - 1) % fs->super.inodes_per_group;

	return fs->groups[g].inode_table + (u32)((u64)k * fs->inode_size >> fs->bshift);
}

static int put_locked(struct ext2_node *n)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	u32 ino = (u32)n->vn.ino;
	struct ext2_dinode *d;
	struct meta m;
	int err;

	err = get_dinode(fs, ino, &m, &d);
	if (err)
		return err;
	WRITE_ONCE(n->put_txn, fs->txn - 1); /* changes are of the next one already */
	__atomic_store_n(&n->vn.attr_dirty, false, __ATOMIC_SEQ_CST);
	if (n->fresh) {
		memset(d, 0, fs->inode_size);
		if (fs->inode_size > EXT2_OLD_INODE_SIZE)
			d->extra_isize = n->extra_isize;
		n->fresh = false;
	}
	node_to_disk(n, d);
	ext2_dirty_meta(fs, table_block(fs, ino), EXT2_KIND_INODES);
	meta_put(&m);
	return 0;
}

/* A writer may be at it: then it stays. */
void ext2_trim_if_quiet(struct ext2_node *n)
{
	if (!READ_ONCE(n->past_end) || (n->vn.mode & S_IFMT) != S_IFREG ||
	    rw_held_write(&n->vn.v_lock))
		return;
	if (!rw_trylock_read(&n->vn.v_lock))
		return;
	mutex_lock(&n->lock);
	ext2_trim(n);
	mutex_unlock(&n->lock);
	if (ext2_fs(&n->vn)->bpp > 1)
		ext2_unreserve_page(n, ext2_size(n) >> PAGE_SHIFT);
	rw_unlock_read(&n->vn.v_lock);
}

int ext2_put_node(struct ext2_node *n)
{
	int err;

	if (ext2_size(n) > INT32_MAX && (n->vn.mode & S_IFMT) == S_IFREG)
		ext2_need_large_file(ext2_fs(&n->vn));
	mutex_lock(&n->lock);
	err = put_locked(n);
	mutex_unlock(&n->lock);
	return err;
}

int ext2_kill_ino(struct ext2_fs *fs, u32 ino)
{
	struct ext2_dinode *d;
	struct meta m;
	int err;

	err = get_dinode(fs, ino, &m, &d);
	if (err)
		return err;
	d->links = 0;
	d->dtime = MAX((u32)vfs_now().sec, fs->super.inodes_count);
	ext2_dirty_meta(fs, table_block(fs, ino), EXT2_KIND_INODES);
	meta_put(&m);
	return 0;
}

/* How many generations of directories died below this one in this commit, plus one if anything died in it at all. */
static u32 height_of(const struct ext2_fs *fs, const struct ext2_node *n)
{
	return n->gone_txn == fs->txn ? n->gone_height : 0;
}

static void die_on_disk(struct ext2_node *n, bool displaced)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	u32 ino = (u32)n->vn.ino;

	if (n->fresh)
		return;
	if (displaced && ext2_displace(fs, n, true))
		return;
	if (height_of(fs, n))
		ext2_die_later(fs, ino, height_of(fs, n));
	else if (ext2_kill_ino(fs, ino))
		ext2_error(fs, "inode %u: its block of the table cannot be read", ino);
}

void ext2_died(struct ext2_node *n, struct ext2_node *dir, bool displaced)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	u32 height = height_of(fs, n) + 1;

	ASSERT(n->nlink == 0 && !n->counted);
	n->counted = true;
	__atomic_fetch_add(&fs->open_dead, 1, __ATOMIC_RELAXED);
	die_on_disk(n, displaced);
	if (dir) {
		dir->gone_height = MAX(height_of(fs, dir), height);
		dir->gone_txn = fs->txn;
	}
}

void ext2_touch(struct ext2_node *n, u32 which)
{
	struct timespec64 now = vfs_now();

	spin_lock(&n->times_lock);
	if (which & ATTR_ATIME)
		n->atime = now;
	if (which & ATTR_MTIME)
		n->mtime = now;
	if (which & ATTR_CTIME)
		n->ctime = now;
	spin_unlock(&n->times_lock);
	ext2_mark_dirty(n);
}

/* The block of extended attributes may be shared by several inodes: one user fewer. */
static void drop_attribute_block(struct ext2_node *n)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);
	u32 blk = n->file_acl;
	struct ext2_xattr_head *h;
	struct meta m;
	bool last;

	if (!blk || meta_get(fs->bdev, blk, fs->bsize, &m))
		return;
	n->file_acl = 0;
	n->sectors -= MIN(n->sectors, (u64)fs->sectors_per_block);
	h = m.data;
	if (h->magic != EXT2_XATTR_MAGIC || h->refcount == 0) {
		ext2_error(fs, "inode %u: attribute block %u is not one", (u32)n->vn.ino, blk);
		meta_put(&m);
		return;
	}
	last = h->refcount == 1;
	if (!last) {
		h->refcount--;
		ext2_dirty_meta(fs, blk, EXT2_KIND_INDIRECT);
	}
	meta_put(&m);
	if (last) {
		ext2_dirty_forget(fs, blk);
		ext2_free_blocks_later(fs, blk, 1);
	}
}

/* Nobody can reach it any more: gives everything back but its number. */
static void free_contents(struct ext2_node *n)
{
	if (n->vn.object)
		vm_object_set_size(&n->vn.obj, 0);
	mutex_lock(&n->lock);
	if (n->vn.object && !ext2_is_fast_link(n))
		ext2_free_range(n, 0, UINT32_MAX);
	drop_attribute_block(n);
	n->dtime = MAX((u32)vfs_now().sec, 1u);
	mutex_unlock(&n->lock);
}

/* A write failed after its blocks were allocated, or attributes were changed after the last commit. */
static void last_changes(struct ext2_node *n)
{
	struct ext2_fs *fs = ext2_fs(&n->vn);

	ext2_begin(fs);
	mutex_lock(&n->lock);
	if (n->unwritten.count)
		ext2_free_unwritten(n);
	mutex_unlock(&n->lock);
	WRITE_ONCE(n->vn.attr_dirty, true);
	ext2_dirty_list(n);
	ext2_end(fs);
	if (ext2_commit(fs))
		ext2_dirty_discard(fs, n);
}

void ext2_inactive(struct vnode *vn)
{
	struct ext2_node *n = ext2_node(vn);
	struct ext2_fs *fs = ext2_fs(vn);

	WRITE_ONCE(n->dying, true);
	if (!fs)
		return; /* the root, after its file system was unmounted */
	if (READ_ONCE(fs->writable)) {
		if (n->nlink == 0 && n->dtime == 0 && ext2_writable(fs)) {
			ext2_begin(fs);
			free_contents(n);
			ext2_end(fs);
		} else if (n->nlink && (n->unwritten.count || READ_ONCE(vn->attr_dirty))) {
			last_changes(n);
		}
	}
	ext2_window_close(n);
	if (n->unwritten.count) { /* could not be freed */
		mutex_lock(&n->lock);
		ext2_unwritten_clear(n, 0, UINT32_MAX);
		mutex_unlock(&n->lock);
	}
}

/* Its number, and what is remembered of it, unless it just leaves the cache. */
static void forget_node(struct ext2_fs *fs, struct ext2_node *n)
{
	bool is_dir = (n->vn.mode & S_IFMT) == S_IFDIR, writable = ext2_writable(fs);

	ext2_begin(fs);
	ext2_dirty_unlist(n);
	if (n->nlink == 0 && !writable)
		ext2_dirty_discard(fs, n);
	if (n->nlink == 0 && n->dtime && writable) {
		if (n->fresh)
			ext2_free_ino(fs, (u32)n->vn.ino, is_dir);
		else
			ext2_free_ino_later(fs, (u32)n->vn.ino, is_dir);
	}
	if (n->counted)
		__atomic_fetch_sub(&fs->open_dead, 1, __ATOMIC_RELAXED);
	ext2_end(fs);
}

void ext2_free_vnode(struct vnode *vn)
{
	struct ext2_node *n = ext2_node(vn);
	struct ext2_fs *fs = ext2_fs(vn);

	if (fs)
		forget_node(fs, n);
	dir_index_free(n);
	kmem_cache_free(node_cache, n);
}
