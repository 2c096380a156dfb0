/* SPDX-License-Identifier: BSD-2-Clause */
/* Single cases of test_ext2.c. */

static struct vnode *create(struct vnode *dir, const char *name, u32 mode)
{
	struct vnode *vn = NULL;
	int err = dir->ops->create(dir, name, strlen(name), mode, 0, NULL, &shim_cred, &vn);

	if (err)
		fail_msg("create %s: %d: %s", name, err, shim_log);
	return vn;
}

static int unlink_name(struct vnode *dir, const char *name)
{
	struct vnode *vn = open_name(dir, name);
	int err = dir->ops->unlink(dir, name, strlen(name), vn);

	vnode_drop(vn);
	return err;
}

static u16 disk_state(void)
{
	return ((struct ext2_super *)(shim_disk.data + EXT2_SUPER_OFFSET))->state;
}

static struct ext2_super *disk_super(void)
{
	return (struct ext2_super *)(shim_disk.data + EXT2_SUPER_OFFSET);
}

static u64 free_blocks(struct mount *m)
{
	struct statfs64_info s;

	m->type->ops->statfs(m, &s);
	return s.bfree;
}

static void test_state(void **state)
{
	struct mount *m;
	int err;
	u16 count;

	(void)state;
	make_image("-b 1024", 4000);
	count = disk_super()->mnt_count;
	m = mount_ok(MS_RDONLY);
	assert_int_equal(disk_state(), EXT2_VALID_FS);
	assert_int_equal(m->root->ops->setattr(m->root, &(struct vattr){0}, ATTR_MODE), -EROFS);
	assert_int_equal(m->type->ops->remount(m, 0, ""), 0);
	assert_int_equal(disk_state(), 0);
	assert_int_equal(disk_super()->mnt_count, count + 1);
	vnode_drop(create(m->root, "a", S_IFREG | 0600));
	shim_sync(m);
	assert_int_equal(m->type->ops->remount(m, MS_RDONLY, ""), 0);
	assert_int_equal(disk_state(), EXT2_VALID_FS);
	assert_int_equal(m->root->ops->create(m->root, "b", 1, S_IFREG, 0, NULL, &shim_cred,
					      &(struct vnode *){0}),
			 -EROFS);
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	/* unclean before: unclean after */
	disk_super()->state = 0;
	m = mount_ok(0);
	assert_non_null(strstr(shim_log, "not cleanly unmounted"));
	assert_int_equal(shim_unmount(m), 0);
	assert_int_equal(disk_state(), 0);
	m = shim_mount(0, &err);
	assert_int_equal(shim_unmount(m), 0);
	drop_image();
}

static void refuse(u32 *field, u32 value, int want, const char *text)
{
	u32 old = *field;
	int err;

	*field = value;
	assert_null(shim_mount(0, &err));
	assert_int_equal(err, want);
	if (!strstr(shim_log, text))
		fail_msg("log says: %s", shim_log);
	*field = old;
}

static void test_refused(void **state)
{
	struct ext2_super *s;
	struct ext2_gdesc *g;
	struct mount *m;

	(void)state;
	make_image("-b 1024", 20000);
	s = disk_super();
	g = (struct ext2_gdesc *)(shim_disk.data + 2048);
	refuse(&s->feature_incompat, 0x42, -EINVAL, "0x40"); /* extents */
	refuse(&s->feature_incompat, 0x12, -EINVAL, "0x10"); /* meta_bg */
	refuse(&s->feature_incompat, 0x6, -EINVAL, "0x4");   /* needs recovery */
	refuse(&s->rev_level, 2, -EINVAL, "revision");
	refuse(&s->log_block_size, 9, -EINVAL, "block size");
	refuse(&s->blocks_count, 30000, -EUCLEAN, "do not fit");
	refuse(&s->blocks_count, 0, -EUCLEAN, "blocks 0");
	refuse(&s->first_data_block, 0, -EUCLEAN, "first data block");
	refuse(&s->blocks_per_group, 0, -EUCLEAN, "blocks per group");
	refuse(&s->blocks_per_group, 16384, -EUCLEAN, "blocks per group");
	refuse(&s->inodes_per_group, 0, -EUCLEAN, "inodes per group");
	refuse(&s->inodes_count, 17, -EUCLEAN, "inodes do not fill");
	refuse(&s->first_ino, 3, -EUCLEAN, "first inode");
	refuse(&s->free_blocks_count, 99999, -EUCLEAN, "impossible");
	refuse(&s->last_orphan, 9999999, -EUCLEAN, "orphan");
	refuse(&g->block_bitmap, 0, -EUCLEAN, "group 0");
	refuse(&g->inode_table, 8190, -EUCLEAN, "group 0");
	refuse(&g[1].inode_bitmap, 5, -EUCLEAN, "group 1");
	refuse((u32 *)&s->magic, 0, -EINVAL, "");
	/* readable all the same */
	s->feature_ro_compat |= 0x400;
	m = mount_ok(0);
	assert_true(m->flags & MS_RDONLY);
	assert_non_null(strstr(shim_log, "0x400"));
	assert_int_equal(shim_unmount(m), 0);
	drop_image();
}

static struct ext2_dinode *disk_inode(u32 ino)
{
	struct ext2_gdesc *g = (struct ext2_gdesc *)(shim_disk.data + 2048);

	return (struct ext2_dinode *)(shim_disk.data + g->inode_table * 1024ul +
				      (ino - 1ul) * disk_super()->inode_size);
}

/* Deleted files that are open are dead on the disk; a chain of them, as other systems leave it, is freed at mount. */
static void test_orphans(void **state)
{
	u32 ino[5];
	struct vnode *vn[5], *keep;
	struct mount *m;
	static u8 data[100000];
	char name[8];
	u64 before;
	int k;

	(void)state;
	make_image("-b 1024", 8000);
	m = mount_ok(0);
	for (k = 0; k < 5; k++) {
		sprintf(name, "f%d", k);
		vn[k] = create(m->root, name, S_IFREG | 0600);
		assert_int_equal(shim_write(vn[k], data, sizeof(data), 0), sizeof(data));
	}
	keep = create(m->root, "keep", S_IFREG | 0600);
	shim_sync(m);
	before = free_blocks(m);
	for (k = 0; k < 5; k++) {
		sprintf(name, "f%d", k);
		assert_int_equal(unlink_name(m->root, name), 0);
	}
	assert_int_equal(shim_read(vn[1], data, 10, 0), 10);
	vnode_drop(vn[2]); /* one from the middle of the list */
	assert_true(free_blocks(m) > before);
	shim_sync(m);
	assert_int_equal(disk_super()->last_orphan, 0);
	vnode_drop(keep);
	for (k = 0; k < 5; k++) {
		ino[k] = k == 2 ? 0 : (u32)vn[k]->ino;
		if (k != 2)
			assert_int_equal(disk_inode(ino[k])->links, 0);
	}
	shim_crash(m);
	assert_int_equal(shim_save(image), 0);
	run("cp %s %s.out", image, image);
	assert_true(run("PATH=$PATH:/sbin:/usr/sbin e2fsck -p %s.out >%s.log", image, image) <=
		    1 << 8);
	assert_int_equal(run("PATH=$PATH:/sbin:/usr/sbin e2fsck -fn %s.out >/dev/null 2>&1", image),
			 0);
	disk_inode(ino[4])->dtime = ino[3];
	disk_inode(ino[3])->dtime = ino[1];
	disk_inode(ino[1])->dtime = ino[0];
	disk_inode(ino[0])->dtime = 0;
	disk_super()->last_orphan = ino[4];
	m = mount_ok(0);
	assert_non_null(strstr(shim_log, "freeing orphan"));
	assert_int_equal(disk_super()->last_orphan, 0);
	assert_int_equal(shim_unmount(m), 0);
	assert_int_equal(shim_save(image), 0);
	assert_int_equal(run("PATH=$PATH:/sbin:/usr/sbin e2fsck -fn %s >%s.log 2>&1", image, image),
			 0);
	drop_image();
}

static void test_orphan_ring(void **state)
{
	struct vnode *vn;
	struct mount *m;
	int err;

	(void)state;
	make_image("-b 1024", 4000);
	m = mount_ok(0);
	vn = create(m->root, "a", S_IFREG | 0600);
	disk_super()->last_orphan = 0;
	shim_sync(m);
	u32 ino = (u32)vn->ino;

	vnode_drop(vn);
	assert_int_equal(shim_unmount(m), 0);
	disk_inode(ino)->dtime = ino; /* names itself */
	disk_super()->last_orphan = ino;
	m = shim_mount(0, &err);
	assert_non_null(m);
	shim_unmount(m);
	drop_image();
}

static void test_big_directory(void **state)
{
	enum { N = 30000 };
	struct mount *m;
	struct vnode *d, *vn;
	char name[32];
	u64 gets;
	int k;

	(void)state;
	make_image("-b 4096 -N 40000", 40000);
	m = mount_ok(0);
	vnode_drop(create(m->root, "d", S_IFDIR | 0755));
	d = open_name(m->root, "d");
	vn = create(d, "first", S_IFREG | 0600);
	for (k = 0; k < N; k++) {
		sprintf(name, "file-%d", k);
		if (k % 2)
			assert_int_equal(d->ops->link(d, name, strlen(name), vn),
					 k / 2 < 31990 ? 0 : -EMLINK);
		else
			vnode_drop(create(d, name, S_IFREG | 0600));
	}
	assert_int_equal(d->ops->lookup(d, "file-30001", 10, &(struct vnode *){0}), -ENOENT);
	shim_drop_caches(m);
	gets = shim_meta_gets;
	for (k = 0; k < N; k += 2) {
		sprintf(name, "file-%d", k);
		assert_int_equal(unlink_name(d, name), 0);
	}
	(void)gets;
	assert_int_equal(d->ops->lookup(d, "file-4", 6, &(struct vnode *){0}), -ENOENT);
	vnode_drop(vn);
	u64 size = d->obj.size;

	for (k = 0; k < N; k += 2) {
		sprintf(name, "file-%d", k);
		vnode_drop(create(d, name, S_IFREG | 0600));
	}
	assert_int_equal(d->obj.size, size); /* the room was used again */
	vnode_drop(d);
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	drop_image();
}

static void test_hashed_directory(void **state)
{
	struct mount *m;
	struct vnode *d;
	char name[64];
	int k;

	(void)state;
	make_image("-b 1024 -N 3000 -O dir_index", 8000);
	m = mount_ok(0);
	d = create(m->root, "d", S_IFDIR | 0755);
	for (k = 0; k < 1500; k++) {
		sprintf(name, "a-rather-long-file-name-%d", k);
		vnode_drop(create(d, name, S_IFREG | 0600));
	}
	vnode_drop(d);
	assert_int_equal(shim_unmount(m), 0);
	assert_int_equal(shim_save(image), 0);
	run("PATH=$PATH:/sbin:/usr/sbin e2fsck -fyD %s >/dev/null 2>&1", image);
	assert_int_equal(shim_load(image), 0);
	m = mount_ok(0);
	d = open_name(m->root, "d");
	assert_true(ext2_node(d)->flags & EXT2_FL_INDEX);
	for (k = 0; k < 1500; k++) {
		sprintf(name, "a-rather-long-file-name-%d", k);
		vnode_drop(open_name(d, name));
	}
	assert_true(ext2_node(d)->flags & EXT2_FL_INDEX);
	for (k = 0; k < 1500; k += 3) {
		sprintf(name, "a-rather-long-file-name-%d", k);
		assert_int_equal(unlink_name(d, name), 0);
		sprintf(name, "b%d", k);
		vnode_drop(create(d, name, S_IFREG | 0600));
	}
	assert_false(ext2_node(d)->flags & EXT2_FL_INDEX);
	vnode_drop(d);
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	drop_image();
}

static void test_large_file(void **state)
{
	struct vnode *vn;
	struct mount *m;
	u8 b[3] = {1, 2, 3}, c[3];
	struct vattr a = {0};

	(void)state;
	make_image("-b 4096 -O ^large_file", 16000);
	m = mount_ok(0);
	vn = create(m->root, "big", S_IFREG | 0600);
	disk_super()->feature_ro_compat &= ~EXT2_RO_LARGE_FILE;
	ext2_fs(vn)->super.feature_ro_compat &= ~EXT2_RO_LARGE_FILE;
	assert_int_equal(shim_write(vn, b, 3, 100), 3);
	shim_sync(m);
	assert_false(disk_super()->feature_ro_compat & EXT2_RO_LARGE_FILE);
	assert_int_equal(shim_write(vn, b, 3, 5ul << 30), 3); /* beyond double indirection */
	a.size = ext2_fs(vn)->max_size + 1;
	assert_int_equal(vn->ops->setattr(vn, &a, ATTR_SIZE), -EFBIG);
	a.size = ext2_fs(vn)->max_size;
	assert_int_equal(vn->ops->setattr(vn, &a, ATTR_SIZE), 0);
	shim_drop_caches(m);
	assert_true(disk_super()->feature_ro_compat & EXT2_RO_LARGE_FILE);
	assert_int_equal(shim_read(vn, c, 3, 5ul << 30), 3);
	assert_memory_equal(b, c, 3);
	assert_int_equal(shim_read(vn, c, 1, 1ul << 40), 1);
	assert_int_equal(c[0], 0);
	vnode_drop(vn);
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	m = mount_ok(0);
	vn = open_name(m->root, "big");
	a.size = 50;
	assert_int_equal(vn->ops->setattr(vn, &a, ATTR_SIZE), 0);
	assert_int_equal(ext2_node(vn)->sectors, 8); /* the first block, and no indirect one */
	vnode_drop(vn);
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	drop_image();
}

/* Runs of neighbours that a file consists of. */
static unsigned fragments(struct vnode *vn)
{
	struct ext2_node *n = ext2_node(vn);
	u64 blocks = ext2_blocks_of(ext2_fs(vn), vn->obj.size), k;
	struct ext2_extent e;
	unsigned count = 0;
	u32 next = 0;

	for (k = 0; k < blocks; k += e.len) {
		mutex_lock(&n->lock);
		assert_int_equal(ext2_map(n, k, (u32)(blocks - k), &e), 0);
		mutex_unlock(&n->lock);
		count += e.pblk != next;
		if (getenv("VERBOSE"))
			printf("%u+%u ", e.pblk, e.len);
		next = e.pblk + e.len;
	}
	return count;
}

static void test_contiguous(void **state)
{
	static u8 data[PAGE_SIZE];
	struct vnode *vn[4];
	struct mount *m;
	char name[4];
	int k, i;

	(void)state;
	make_image("-b 4096", 64000);
	m = mount_ok(0);
	for (k = 0; k < 4; k++) {
		sprintf(name, "f%d", k);
		vn[k] = create(m->root, name, S_IFREG | 0600);
	}
	for (i = 0; i < 1000; i++)
		for (k = 0; k < 4; k++)
			assert_int_equal(shim_write(vn[k], data, PAGE_SIZE, (u64)i * PAGE_SIZE),
					 PAGE_SIZE);
	for (k = 0; k < 4; k++) {
		if (fragments(vn[k]) > 20)
			fail_msg("%u fragments", fragments(vn[k]));
		vnode_drop(vn[k]);
	}
	u64 before = shim_disk.writes;

	shim_sync(m);
	assert_true(shim_disk.writes - before < 400); /* 4000 pages */
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	drop_image();
}

static void test_reserved_blocks(void **state)
{
	static u8 data[PAGE_SIZE];
	struct statfs64_info s;
	struct vnode *vn;
	struct mount *m;
	u64 pos = 0;
	ssize_t r;

	(void)state;
	make_image("-b 4096 -m 10", 8000);
	m = mount_ok(0);
	vn = create(m->root, "f", S_IFREG | 0600);
	shim_set_cred(1000);
	while ((r = shim_write(vn, data, PAGE_SIZE, pos)) == PAGE_SIZE)
		pos += PAGE_SIZE;
	assert_int_equal(r, -ENOSPC);
	m->type->ops->statfs(m, &s);
	assert_int_equal(s.bavail, 0);
	assert_true(s.bfree >= 190);
	shim_set_cred(0);
	while ((r = shim_write(vn, data, PAGE_SIZE, pos)) == PAGE_SIZE)
		pos += PAGE_SIZE;
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(free_blocks(m), 0);
	assert_int_equal(shim_write(vn, data, 100, 5), 100);
	assert_int_equal(vn->ops->fsync(vn, false), 0);
	vnode_drop(vn);
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	drop_image();
}

static void test_xattr_block(void **state)
{
	struct mount *m;

	(void)state;
	make_image("-b 1024 -I 128", 4000);
	assert_int_equal(
		run("head -c 300 /dev/zero >%s.log; PATH=$PATH:/sbin:/usr/sbin; for f in a b; do debugfs -w -R \"write %s.log $f\" %s; debugfs -w -R \"ea_set $f user.x hello\" %s; done >/dev/null 2>&1",
		    image, image, image, image),
		0);
	assert_int_equal(shim_load(image), 0);
	m = mount_ok(0);
	struct vnode *vn = open_name(m->root, "a");

	assert_true(ext2_node(vn)->file_acl != 0);
	assert_int_equal(shim_write(vn, "xyz", 3, 5000), 3);
	vnode_drop(vn);
	assert_int_equal(unlink_name(m->root, "b"), 0);
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	assert_int_equal(
		run("PATH=$PATH:/sbin:/usr/sbin debugfs -R 'ea_get a user.x' %s 2>/dev/null | grep -q hello",
		    image),
		0);
	drop_image();
}

static void test_read_errors(void **state)
{
	static u8 data[40000], back[40000];
	struct ext2_extent e;
	struct vnode *vn;
	struct mount *m;
	int k;

	(void)state;
	make_image("-b 1024", 8000);
	m = mount_ok(0);
	memset(data, 7, sizeof(data));
	vn = create(m->root, "f", S_IFREG | 0600);
	assert_int_equal(shim_write(vn, data, sizeof(data), 0), sizeof(data));
	shim_drop_caches(m);
	mutex_lock(&ext2_node(vn)->lock);
	assert_int_equal(ext2_map(ext2_node(vn), 9, 1, &e), 0);
	mutex_unlock(&ext2_node(vn)->lock);
	shim_disk.fail_read_from = e.pblk * 2;
	shim_disk.fail_read_to = e.pblk * 2 + 1;
	assert_int_equal(shim_read(vn, back, 100, 9 * 1024), -EIO);
	/* neighbours fail with it only when they are read together */
	for (k = 0; k < 1000 && shim_read(vn, back, 4096, 0) != 4096; k++)
		;
	assert_true(k < 1000);
	for (k = 0; k < 1000 && shim_read(vn, back, 4096, 12288) != 4096; k++)
		;
	assert_true(k < 1000);
	assert_memory_equal(back, data, 4096);
	shim_disk.fail_read_to = 0;
	assert_int_equal(shim_read(vn, back, sizeof(back), 0), sizeof(back));
	assert_memory_equal(back, data, sizeof(back));
	vnode_drop(vn);
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	drop_image();
}

static void test_times(void **state)
{
	struct vattr a = {.mtime = {1ll << 33, 123456789}, .atime = {-5, 1}}, b;
	struct vnode *vn;
	struct mount *m;

	(void)state;
	make_image("-b 4096 -I 256", 8000);
	m = mount_ok(0);
	vn = create(m->root, "f", S_IFREG | 0600);
	assert_int_equal(vn->ops->setattr(vn, &a, ATTR_MTIME | ATTR_ATIME), 0);
	vnode_drop(vn);
	shim_drop_caches(m);
	vn = open_name(m->root, "f");
	vn->ops->getattr(vn, &b);
	assert_int_equal(b.mtime.sec, a.mtime.sec);
	assert_int_equal(b.mtime.nsec, a.mtime.nsec);
	assert_int_equal(b.atime.sec, -5);
	assert_int_equal(b.atime.nsec, 1);
	assert_int_equal(b.btime.nsec, 123456789);
	vnode_drop(vn);
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	drop_image();
}

/* ---- damaged images: any error is fine, no access out of bounds, no loop without end ---- */

static bool visit_entry(void *arg, const char *name, size_t len, u64 ino, unsigned type, u64 next)
{
	char(*names)[256] = arg;
	unsigned k = names[0][0];

	(void)ino;
	(void)type;
	(void)next;
	if (k >= 60)
		return false;
	memcpy(names[k + 1], name, len);
	names[k + 1][len] = 0;
	names[0][0]++;
	return true;
}

static void visit(struct vnode *dir, unsigned depth)
{
	static u8 buf[PAGE_SIZE];
	char(*names)[256] = calloc(64, 256);
	u64 pos = 0, at;
	int k;

	dir->ops->readdir(dir, &pos, visit_entry, names);
	for (k = 1; k <= names[0][0]; k++) {
		struct vnode *vn;

		if (strcmp(names[k], ".") == 0 || strcmp(names[k], "..") == 0 || !names[k][0])
			continue;
		if (dir->ops->lookup(dir, names[k], strlen(names[k]), &vn))
			continue;
		if ((vn->mode & S_IFMT) == S_IFDIR && depth < 4 && vn != dir)
			visit(vn, depth + 1);
		if ((vn->mode & S_IFMT) == S_IFLNK)
			vn->ops->readlink(vn, (char *)buf, sizeof(buf));
		if ((vn->mode & S_IFMT) == S_IFREG) {
			for (at = 0; at < 80; at++)
				shim_read(vn, buf, 1, at * 40000);
			shim_write(vn, buf, 3000, vn->obj.size < (1ul << 30) ? vn->obj.size : 7);
			if (shim_random() % 2)
				vn->ops->setattr(vn, &(struct vattr){.size = 10}, ATTR_SIZE);
		}
		if (shim_random() % 2 && (vn->mode & S_IFMT) != S_IFDIR)
			dir->ops->unlink(dir, names[k], strlen(names[k]), vn);
		vnode_drop(vn);
	}
	if (dir->ops->create) {
		struct vnode *vn;

		if (dir->ops->create(dir, "new", 3, S_IFREG | 0600, 0, NULL, &shim_cred, &vn) == 0)
			vnode_drop(vn);
	}
	free(names);
}

static void test_damage(void **state)
{
	static u8 data[400000];
	u8 *good;
	struct vnode *d, *vn;
	struct mount *m;
	unsigned round, k;
	char name[16];
	int err;

	(void)state;
	make_image("-b 1024 -N 64", 3000);
	shim_seed(test_seed() + 1000);
	m = mount_ok(0);
	d = create(m->root, "d", S_IFDIR | 0755);
	for (k = 0; k < 12; k++) {
		sprintf(name, "f%u", k);
		vn = create(k % 2 ? d : m->root, name, S_IFREG | 0600);
		shim_write(vn, data, 20000 + k * 10000, k == 5 ? 70000000 : 0);
		vnode_drop(vn);
	}
	d->ops->create(d, "slow", 4, S_IFLNK, 0, image, &shim_cred, &vn);
	vnode_drop(vn);
	vnode_drop(d);
	assert_int_equal(shim_unmount(m), 0);
	good = malloc(shim_disk.size);
	memcpy(good, shim_disk.data, shim_disk.size);
	for (round = 0; round < 600; round++) {
		unsigned n = 1 + (unsigned)(shim_random() % 8);

		memcpy(shim_disk.data, good, shim_disk.size);
		for (k = 0; k < n; k++) {
			/* words in the first part, where the metadata is, or in data blocks (indirect, directories) */
			u64 at = (1024 +
				  shim_random() %
					  (shim_random() % 2 ? 20000 : shim_disk.size - 2000)) &
				 ~3ul;
			u32 v = shim_random() % 2 ? (u32)shim_random()
						  : (u32)(shim_random() % 4000);

			memcpy(shim_disk.data + at, &v, 4);
		}
		m = shim_mount(0, &err);
		if (!m)
			continue;
		visit(m->root, 0);
		shim_sync(m);
		shim_crash(m);
		assert_int_equal(shim_pages(), 0);
	}
	free(good);
	drop_image();
}

static void test_damaged_pointer(void **state)
{
	static u8 data[50000];
	struct ext2_gdesc *g;
	struct ext2_dinode *d;
	struct vnode *vn;
	struct mount *m;
	u32 ino;

	(void)state;
	make_image("-b 1024", 4000);
	m = mount_ok(0);
	vn = create(m->root, "f", S_IFREG | 0600);
	shim_write(vn, data, sizeof(data), 0);
	ino = (u32)vn->ino;
	vnode_drop(vn);
	assert_int_equal(shim_unmount(m), 0);
	g = (struct ext2_gdesc *)(shim_disk.data + 2048);
	d = (struct ext2_dinode *)(shim_disk.data + g->inode_table * 1024ul +
				   (ino - 1ul) * disk_super()->inode_size);
	d->block[3] = g->inode_table + 1; /* into metadata */
	m = mount_ok(0);
	vn = open_name(m->root, "f");
	assert_int_equal(shim_read(vn, data, 1, 3000), -EIO);
	assert_non_null(strstr(shim_log, "ext2 (disk): damaged: inode"));
	assert_true(m->readonly_by_error);
	assert_int_equal(m->root->ops->create(m->root, "x", 1, S_IFREG, 0, NULL, &shim_cred,
					      &(struct vnode *){0}),
			 -EROFS);
	vnode_drop(vn);
	shim_crash(m);
	assert_int_equal(shim_pages(), 0);
	drop_image();
}

/* Data, holes, and holes that get zeros. */
static void test_fallocate(void **state)
{
	static u8 data[8192], zero[100000], got[100000];
	struct vattr a = {.size = 100000};
	struct vnode *vn;
	struct mount *m;

	(void)state;
	make_image("-b 1024", 4000);
	m = mount_ok(0);
	vn = create(m->root, "f", S_IFREG | 0600);
	memset(data, 7, sizeof(data));
	assert_int_equal(shim_write(vn, data, 1000, 0), 1000);
	assert_int_equal(shim_write(vn, data, 8192, 40960), 8192);
	assert_int_equal(vn->ops->setattr(vn, &a, ATTR_SIZE), 0);
	assert_int_equal(vn->ops->seek(vn, 0, false), 0);
	assert_int_equal(vn->ops->seek(vn, 5, true), 4096); /* a page is the least */
	assert_int_equal(vn->ops->seek(vn, 4096, false), 40960);
	assert_int_equal(vn->ops->seek(vn, 41000, false), 41000);
	assert_int_equal(vn->ops->seek(vn, 41000, true), 49152);
	assert_int_equal(vn->ops->seek(vn, 49152, false), -ENXIO);
	assert_int_equal(vn->ops->seek(vn, 49152, true), 49152);
	assert_int_equal(vn->ops->fallocate(vn, 1, 0, 100001), -EOPNOTSUPP);
	assert_int_equal(vn->ops->fallocate(vn, 8, 0, 4096), -EOPNOTSUPP);
	assert_int_equal(vn->ops->fallocate(vn, 0, 0, 1ul << 30), -ENOSPC);
	assert_int_equal(vn->obj.size, 100000);
	assert_int_equal(vn->ops->fallocate(vn, 1, 3000, 97000), 0);
	assert_int_equal(vn->ops->seek(vn, 3000, true), 100000);
	assert_int_equal(vn->ops->fallocate(vn, 0, 90000, 20000), 0);
	assert_int_equal(vn->obj.size, 110000);
	assert_int_equal(vn->ops->fallocate(vn, 16, 40960, 4096), 0); /* ZERO_RANGE */
	shim_drop_caches(m);
	assert_int_equal(vn->ops->seek(vn, 3000, true), 110000);
	assert_int_equal(shim_read(vn, got, 100000, 0), 100000);
	memcpy(zero, data, 1000);
	memcpy(zero + 45056, data, 4096);
	assert_memory_equal(got, zero, 100000);
	vnode_drop(vn);
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	drop_image();
}

#define EXT2_CASES                                                                             \
	cmocka_unit_test(test_state), cmocka_unit_test(test_refused),                          \
		cmocka_unit_test(test_orphans), cmocka_unit_test(test_orphan_ring),            \
		cmocka_unit_test(test_big_directory), cmocka_unit_test(test_hashed_directory), \
		cmocka_unit_test(test_large_file), cmocka_unit_test(test_contiguous),          \
		cmocka_unit_test(test_reserved_blocks), cmocka_unit_test(test_xattr_block),    \
		cmocka_unit_test(test_read_errors), cmocka_unit_test(test_times),              \
		cmocka_unit_test(test_damage), cmocka_unit_test(test_damaged_pointer),         \
		cmocka_unit_test(test_fallocate),

/* Blocks that cannot be written keep everybody's commit from being finished, until the file that has them is removed. */
static void test_bad_blocks(void **state)
{
	static u8 text[3 << 20];
	struct mount *m;
	struct vnode *big, *small;

	(void)state;
	make_image("-b 1024", 4096);
	m = mount_ok(0);
	small = create(m->root, "small", S_IFREG | 0600);
	assert_int_equal(shim_write(small, "one", 3, 0), 3);
	assert_int_equal(small->ops->fsync(small, false), 0);
	big = create(m->root, "big", S_IFREG | 0600);
	assert_int_equal(shim_write(big, text, sizeof(text), 0), sizeof(text));
	shim_disk.bad_from = 4096;
	shim_disk.bad_to = 8192;
	assert_int_equal(big->ops->fsync(big, false), -EIO);
	assert_int_equal(shim_write(small, "two", 3, 0), 3);
	assert_int_equal(small->ops->fsync(small, false), -EIO);
	assert_int_equal(m->root->ops->unlink(m->root, "big", 3, big), 0);
	vnode_drop(big);
	assert_int_equal(shim_write(small, "three", 5, 0), 5);
	assert_int_equal(small->ops->fsync(small, false), 0);
	shim_disk.bad_from = shim_disk.bad_to = 0;
	vnode_drop(small);
	assert_int_equal(shim_unmount(m), 0);
	fsck();
	drop_image();
}
