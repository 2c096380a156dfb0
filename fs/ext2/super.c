// SPDX-License-Identifier: BSD-2-Clause
/*
 * Mounting and unmounting, the superblock, free counts on the disk, and what happens when damage is found.
 * While mounted read-write the superblock says "not cleanly unmounted"; its counts are newer in memory than on the disk until a sync.
 * Owns fs->super, guarded by alloc_lock.
 */

#include "drivers/block/block.h"
#include "fs/ext2/ext2.h"
#include "kernel/boot/init.h"

static void report(const struct ext2_fs *fs, const char *kind, const char *fmt, va_list ap)
{
	char text[200];

	kvsnprintf(text, sizeof(text), fmt, ap);
	kprintf("ext2 (%s): %s%s\n", block_name(fs->mount->dev), kind, text);
}

void ext2_warn(const struct ext2_fs *fs, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(fs, "", fmt, ap);
	va_end(ap);
}

int ext2_error(struct ext2_fs *fs, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(fs, "damaged: ", fmt, ap);
	va_end(ap);
	if (READ_ONCE(fs->on_error) == EXT2_ERRORS_PANIC)
		panic("ext2 (%s): damaged, and mounted with errors=panic",
		      block_name(fs->mount->dev));
	if (READ_ONCE(fs->on_error) == EXT2_ERRORS_RO &&
	    !__atomic_exchange_n(&fs->mount->readonly_by_error, true, __ATOMIC_SEQ_CST) &&
	    READ_ONCE(fs->writable))
		ext2_warn(fs, "no more writing until it was checked");
	WRITE_ONCE(fs->super.state, fs->super.state | EXT2_ERROR_FS);
	WRITE_ONCE(fs->super_dirty, true);
	return -EUCLEAN;
}

/* alloc_lock held: descriptors whose counts changed, into the cache. */
static int write_groups(struct ext2_fs *fs)
{
	u32 per_block = fs->bsize / sizeof(struct ext2_gdesc), k;
	struct ext2_gdesc *d;
	struct meta m;
	int err;

	if (!fs->groups_dirty)
		return 0;
	for (k = 0; k < fs->ngroups; k++) {
		struct ext2_group *g = &fs->groups[k];

		if (!g->dirty)
			continue;
		err = meta_get(fs->bdev, fs->super.first_data_block + 1 + k / per_block, fs->bsize,
			       &m);
		if (err)
			return err;
		d = (struct ext2_gdesc *)m.data + k % per_block;
		d->free_blocks = (u16)g->free_blocks;
		d->free_inodes = (u16)g->free_inodes;
		d->used_dirs = (u16)g->used_dirs;
		ext2_dirty_meta(fs, fs->super.first_data_block + 1 + k / per_block,
				EXT2_KIND_BITMAP);
		meta_put(&m);
		g->dirty = false;
	}
	fs->groups_dirty = false;
	return 0;
}

/* alloc_lock held: the superblock into the cache. */
static int write_super_block(struct ext2_fs *fs)
{
	struct meta m;
	int err;

	err = meta_get(fs->bdev, EXT2_SUPER_OFFSET >> fs->bshift, fs->bsize, &m);
	if (err)
		return err;
	fs->super_dirty = fs->counts_dirty = false;
	WRITE_ONCE(fs->write_super, false);
	fs->super.wtime = (u32)vfs_now().sec;
	memcpy((u8 *)m.data + (EXT2_SUPER_OFFSET & (fs->bsize - 1)), &fs->super, sizeof(fs->super));
	ext2_dirty_meta(fs, EXT2_SUPER_OFFSET >> fs->bshift, EXT2_KIND_BITMAP);
	meta_put(&m);
	return 0;
}

int ext2_write_counts(struct ext2_fs *fs)
{
	int err;

	mutex_lock(&fs->alloc_lock);
	err = write_groups(fs);
	if (!err && (fs->super_dirty || (fs->write_super && fs->counts_dirty)))
		err = write_super_block(fs);
	mutex_unlock(&fs->alloc_lock);
	return err;
}

static int ext2_sync(struct mount *m, bool wait)
{
	struct ext2_fs *fs = m->data;
	int err;

	if (!READ_ONCE(fs->writable))
		return 0;
	WRITE_ONCE(fs->write_super, wait);
	err = ext2_commit(fs);
	/* what was freed is free on the disk too after one more */
	if (!err && wait && (fs->ndirty || fs->groups_dirty)) {
		WRITE_ONCE(fs->write_super, true);
		err = ext2_commit(fs);
	}
	if (!err && wait) /* file data, if nothing else was written */
		err = block_flush(m->dev);
	return err;
}

static void mark_super(struct ext2_fs *fs)
{
	mutex_lock(&fs->alloc_lock);
	fs->super_dirty = true;
	mutex_unlock(&fs->alloc_lock);
}

/* Nothing is mounted read-write before the disk says so. */
static int start_writing(struct ext2_fs *fs)
{
	int err;

	if (block_readonly(fs->mount->dev))
		return -EROFS;
	if (!fs->features_rw)
		return -EROFS;
	if (!(fs->super.state & EXT2_VALID_FS))
		ext2_warn(fs, "was not cleanly unmounted: checking it is advised");
	if (fs->super.state & EXT2_ERROR_FS)
		ext2_warn(fs, "has recorded errors: checking it is advised");
	fs->mounted_state = fs->super.state;
	fs->super.state &= (u16)~EXT2_VALID_FS;
	fs->super.mnt_count++;
	fs->super.mtime = (u32)vfs_now().sec;
	WRITE_ONCE(fs->writable, true);
	mark_super(fs);
	err = ext2_sync(fs->mount, true);
	if (!err)
		err = ext2_orphans_recover(fs);
	if (!err)
		err = ext2_sync(fs->mount, true);
	if (err)
		WRITE_ONCE(fs->writable, false);
	return err;
}

/* Everything was written: the disk may say "clean", unless damage was found or it was unclean already. */
static int stop_writing(struct ext2_fs *fs)
{
	int err;

	if (!READ_ONCE(fs->writable))
		return 0;
	err = ext2_sync(fs->mount, true);
	if (err)
		return err;
	if (!fs->open_dead) /* else somebody has to free their blocks first */
		fs->super.state |= fs->mounted_state & EXT2_VALID_FS;
	mark_super(fs);
	err = ext2_sync(fs->mount, true);
	if (!err)
		WRITE_ONCE(fs->writable, false);
	return err;
}

static int read_super(struct ext2_fs *fs)
{
	struct meta m;
	int err;

	if (block_sectors(fs->mount->dev) * SECTOR_SIZE < EXT2_SUPER_OFFSET + sizeof(fs->super))
		return -EINVAL;
	err = meta_get(fs->bdev, 1, EXT2_SUPER_OFFSET, &m);
	if (err)
		return err;
	memcpy(&fs->super, m.data, sizeof(fs->super));
	meta_put(&m);
	return ext2_check_super(fs, block_sectors(fs->mount->dev) * SECTOR_SIZE);
}

/* The superblock's totals are only written at a sync: those of the groups count. */
static void sum_groups(struct ext2_fs *fs)
{
	u32 k, blocks = 0, inodes = 0;

	for (k = 0; k < fs->ngroups; k++) {
		blocks += fs->groups[k].free_blocks;
		inodes += fs->groups[k].free_inodes;
	}
	fs->super.free_blocks_count = blocks;
	fs->super.free_inodes_count = inodes;
}

static struct ext2_fs *fs_alloc(struct mount *m)
{
	struct ext2_fs *fs = kzalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	fs->mount = m;
	fs->bdev = m->bdev_vnode;
	mutex_init(&fs->alloc_lock, LOCK_FS_ALLOC, "ext2 alloc");
	list_init(&fs->window_lru);
	ext2_gate_init(fs);
	if (!ext2_dirty_init(fs))
		return fs;
	kfree(fs);
	return NULL;
}

/* Nothing can be written any more: it stays in use on the disk. */
static void forget_freed(struct ext2_fs *fs)
{
	struct list freed;

	WRITE_ONCE(fs->writable, false);
	list_init(&freed);
	ext2_freed_take(fs, &freed);
	ext2_freed_forget(&freed);
}

static void fs_free(struct ext2_fs *fs)
{
	u32 lost;

	if (!fs)
		return;
	ASSERT(fs->nwindows == 0);
	ext2_commit_forget(fs);
	forget_freed(fs);
	ext2_forget_dying(fs);
	lost = ext2_dirty_lose(fs);
	if (lost)
		ext2_warn(fs, "%u changed blocks of directories, inodes and maps are lost", lost);
	fs->mount->data = NULL;
	kfree(fs->groups);
	kfree(fs);
}

static void find_lost_found(struct ext2_fs *fs, struct ext2_node *root)
{
	struct ext2_slot slot;

	if (!ext2_dir_find(root, "lost+found", 10, &slot))
		fs->lost_found = slot.ino;
}

static const char *const error_names[] = {
	[EXT2_ERRORS_CONTINUE] = "continue",
	[EXT2_ERRORS_RO] = "remount-ro",
	[EXT2_ERRORS_PANIC] = "panic",
};

/* One option of n bytes. What asks for what is done anyway is taken too. */
static int one_option(const char *at, size_t n, u16 *on_error)
{
	static const char *const usual[] = {"",	       "bsddf",	     "check=none",   "nocheck",
					    "nogrpid", "sysvgroups", "nouser_xattr", "noacl"};
	u32 k;

	for (k = 0; k < ARRAY_LEN(usual); k++)
		if (strlen(usual[k]) == n && !memcmp(usual[k], at, n))
			return 0;
	for (k = EXT2_ERRORS_CONTINUE; k <= EXT2_ERRORS_PANIC; k++)
		if (n == 7 + strlen(error_names[k]) && !memcmp(at, "errors=", 7) &&
		    !memcmp(at + 7, error_names[k], n - 7)) {
			*on_error = (u16)k;
			return 0;
		}
	return -EINVAL;
}

/* *on_error stays what it is without an option for it. */
static int parse_options(const char *options, u16 *on_error)
{
	const char *end;
	int err = 0;

	for (; !err && options; options = end ? end + 1 : NULL) {
		end = strchr(options, ',');
		err = one_option(options, end ? (size_t)(end - options) : strlen(options),
				 on_error);
	}
	return err;
}

/*
 * What mkfs puts into the superblock unasked is "continue"; that counts only as an option: to write on where the structure is known to
 * be damaged is for who says so.
 */
static void set_on_error(struct ext2_fs *fs, u16 option)
{
	u16 own = fs->super.errors == EXT2_ERRORS_PANIC ? EXT2_ERRORS_PANIC : EXT2_ERRORS_RO;
	struct mount *m = fs->mount;

	WRITE_ONCE(fs->on_error, option ? option : own);
	m->options[0] = 0;
	if (option && option != own)
		ksnprintf(m->options, sizeof(m->options), ",errors=%s", error_names[option]);
}

/* Without the counts of the groups and the root directory there is nothing to mount. */
static int open_fs(struct mount *m, struct ext2_fs *fs, u16 on_error)
{
	struct vnode *root;
	int err;

	err = read_super(fs);
	if (!err)
		set_on_error(fs, on_error);
	if (!err)
		err = ext2_load_groups(fs);
	if (!err)
		err = ext2_node_init_cache();
	if (err)
		return err;
	sum_groups(fs);
	fs->generation = (u32)vfs_now().sec ^ vfs_now().nsec;
	m->data = fs;
	err = ext2_iget(m, EXT2_ROOT_INO, false, &root);
	if (err)
		return err == -ESTALE ? -EUCLEAN : err;
	m->root = root;
	find_lost_found(fs, ext2_node(root));
	return 0;
}

static int ext2_mount(struct mount *m, const char *options)
{
	struct ext2_fs *fs = fs_alloc(m);
	u16 on_error = 0;
	int err;

	if (!fs)
		return -ENOMEM;
	fs->on_error = EXT2_ERRORS_RO;
	err = !(m->flags & MS_RDONLY) && block_readonly(m->dev) ? -EROFS : 0;
	if (!err)
		err = parse_options(options, &on_error);
	if (!err)
		err = open_fs(m, fs, on_error);
	if (err)
		goto free_fs;
	if (!fs->features_rw)
		m->flags |= MS_RDONLY;
	if (!(m->flags & MS_RDONLY) && start_writing(fs)) {
		ext2_warn(fs, "cannot be written: mounted read-only");
		m->flags |= MS_RDONLY;
	}
	return 0;
free_fs:
	fs_free(fs);
	return err;
}

static int ext2_unmount(struct mount *m)
{
	struct ext2_fs *fs = m->data;
	int err;

	if (!fs)
		return 0;
	err = stop_writing(fs);
	if (err)
		ext2_warn(fs, "unmount: the last writes failed (%d)", err);
	fs_free(fs);
	return err;
}

static int change_mode(struct ext2_fs *fs, u32 flags)
{
	if (flags & MS_RDONLY)
		return stop_writing(fs);
	if (READ_ONCE(fs->writable))
		return 0;
	if (fs->mount->readonly_by_error)
		return -EROFS;
	if (!fs->features_rw)
		ext2_warn(fs, "stays read-only because of its features");
	return start_writing(fs);
}

static int ext2_remount(struct mount *m, u32 flags, const char *options)
{
	u16 on_error = 0;
	int err = parse_options(options, &on_error);

	if (!err)
		err = change_mode(m->data, flags);
	if (!err && on_error)
		set_on_error(m->data, on_error);
	return err;
}

/* Blocks that never can hold a file. */
static u64 overhead(const struct ext2_fs *fs)
{
	u64 n = fs->super.first_data_block + (u64)fs->ngroups * (2 + ext2_itable_blocks(fs));
	u32 g;

	for (g = 0; g < fs->ngroups; g++)
		n += ext2_group_head(fs, g);
	return n;
}

static int ext2_statfs(struct mount *m, struct statfs64_info *out)
{
	struct ext2_fs *fs = m->data;
	u64 reserved = fs->super.r_blocks_count;

	memset(out, 0, sizeof(*out));
	out->type = EXT2_MAGIC;
	out->bsize = out->frsize = fs->bsize;
	out->blocks = fs->super.blocks_count - overhead(fs);
	mutex_lock(&fs->alloc_lock);
	out->bfree = fs->super.free_blocks_count + fs->freed_blocks;
	out->ffree = fs->super.free_inodes_count + fs->freed_inodes;
	mutex_unlock(&fs->alloc_lock);
	out->bavail = out->bfree > reserved ? out->bfree - reserved : 0;
	out->files = fs->super.inodes_count;
	out->namelen = EXT2_NAME_MAX;
	memcpy(out->fsid, fs->super.uuid, sizeof(out->fsid));
	return 0;
}

void ext2_need_large_file(struct ext2_fs *fs)
{
	struct ext2_super *s = &fs->super;

	if (s->rev_level && (READ_ONCE(s->feature_ro_compat) & EXT2_RO_LARGE_FILE))
		return;
	mutex_lock(&fs->alloc_lock);
	if (s->rev_level == 0) {
		s->rev_level = 1;
		s->first_ino = EXT2_OLD_FIRST_INO;
		s->inode_size = EXT2_OLD_INODE_SIZE;
		s->feature_compat = s->feature_incompat = s->feature_ro_compat = 0;
	}
	s->feature_ro_compat |= EXT2_RO_LARGE_FILE;
	fs->super_dirty = true;
	mutex_unlock(&fs->alloc_lock);
}

static int ext2_write_attr(struct vnode *vn, bool wait)
{
	struct ext2_node *n = ext2_node(vn);

	ext2_window_age(n);
	(void)wait;
	if (!READ_ONCE(vn->attr_dirty))
		return 0;
	ext2_dirty_list(n);
	return ext2_commit(ext2_fs(vn));
}

static const struct fs_ops ext2_fs_ops = {
	.unmount = ext2_unmount,
	.sync = ext2_sync,
	.statfs = ext2_statfs,
	.remount = ext2_remount,
	.write_attr = ext2_write_attr,
};

const struct fs_type ext2_fs_type = {
	.name = "ext2",
	.mount = ext2_mount,
	.ops = &ext2_fs_ops,
};

static void ext2_register(void)
{
	fs_register(&ext2_fs_type);
}
INITCALL(FS, ext2_register);
