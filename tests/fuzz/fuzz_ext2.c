// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: tests/host/ext2_shim/machine.c tests/host/ext2_shim/vfs.c kernel/lib/rbtree.c kernel/lib/radix.c fs/ext2/balloc.c fs/ext2/bitmap.c fs/ext2/check.c fs/ext2/dir.c fs/ext2/dirindex.c fs/ext2/fallocate.c fs/ext2/file.c fs/ext2/ialloc.c fs/ext2/inode.c fs/ext2/map.c fs/ext2/mapalloc.c fs/ext2/namei.c fs/ext2/orphan.c fs/ext2/pager.c fs/ext2/super.c fs/ext2/truncate.c fs/ext2/unwritten.c fs/ext2/window.c fs/ext2/commit.c fs/ext2/dirty.c
// CFLAGS: -Itests/host/ext2_shim
/*
 * ext2 on damaged images.  An input is a list of changes to a sound image and a list of operations:
 *
 *	image (1 byte)   number of changes (1 byte)   changes (8 bytes each)   operations (2 bytes each)
 *
 * A change names a structure rather than a place (superblock, descriptor, inode, directory, indirect block, bitmap), so that
 * most inputs get past the mount.  Errors are expected; what must not happen is an access out of bounds, a failed
 * assertion, an endless loop, or memory that does not come back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim.h"

#define IMAGES	     3
#define MAX_CHANGES  32
#define MAX_OPS	     40
#define MAX_VNODES   24
#define INODE_SIZE   128
#define WALK_DEPTH   4
#define WALK_ENTRIES 80

static struct image {
	u8 *data;
	u64 size;
	u32 bsize, inode_table, inode_size;
} images[IMAGES];

struct change {
	u8 kind, width;
	u16 at;
	u32 value;
};

static struct vnode *held[MAX_VNODES];
static unsigned nheld_vnodes;

static u32 get32(const u8 *p)
{
	return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const u32 sizes[IMAGES] = {1024, 2048, 4096};
	const char *dir = getenv("FUZZ_BASES");

	(void)argc;
	(void)argv;
	for (unsigned k = 0; k < IMAGES; k++) {
		char path[300];

		snprintf(path, sizeof(path), "%s/base%u.img", dir ? dir : "build/fuzz", sizes[k]);
		if (shim_load(path)) {
			fprintf(stderr, "fuzz_ext2: no %s: make fuzz-bases\n", path);
			exit(1);
		}
		images[k] = (struct image){shim_disk.data, shim_disk.size, sizes[k], 0, 0};
		images[k].inode_table =
			get32(images[k].data + (sizes[k] == 1024 ? 2048 : sizes[k]) + 8);
		images[k].inode_size = images[k].data[1024 + 88] | images[k].data[1024 + 89] << 8;
		shim_disk = (struct shim_disk){0};
	}
	return 0;
}

/* ---- damage ---- */

static u64 inode_at(const struct image *im, u32 ino)
{
	return (u64)im->inode_table * im->bsize + (u64)ino * im->inode_size;
}

/* Where block k of an inode's map lies, 0: nowhere on the disk. */
static u64 block_of(const struct image *im, u32 ino, unsigned k)
{
	u64 at = inode_at(im, ino), block;

	if (at + INODE_SIZE > im->size)
		return 0;
	block = (u64)get32(shim_disk.data + at + 40 + 4 * k) * im->bsize;
	return block < im->size ? block : 0;
}

static u64 place_of(const struct image *im, const struct change *c)
{
	u32 ino = c->at >> 8 & 63;

	switch (c->kind % 8) {
	case 0: /* superblock */
		return 1024 + c->at % 264;
	case 1: /* descriptor */
		return (im->bsize == 1024 ? 2048 : im->bsize) + c->at % 32;
	case 2:
	case 3: /* inode: most have small numbers */
		return inode_at(im, ino) + c->at % INODE_SIZE;
	case 4: /* directory, or data */
		return block_of(im, ino, 0) + c->at % 256;
	case 5: /* indirect block */
		return block_of(im, ino, 12 + c->at % 3) + (c->at & 0xf0) / 4;
	case 6: /* bitmaps */
		return (u64)get32(shim_disk.data + (im->bsize == 1024 ? 2048 : im->bsize) +
				  (c->at & 1) * 4) %
			       (im->size / im->bsize) * im->bsize +
		       c->at / 2 % im->bsize;
	default:
		return (u64)c->at * 16 + c->width / 4;
	}
}

static void apply(const struct image *im, const struct change *c)
{
	u64 at = place_of(im, c);

	for (unsigned k = 0; k <= c->width % 4u; k++)
		if (at + k < im->size)
			shim_disk.data[at + k] = (u8)(c->value >> 8 * k);
}

/* ---- use ---- */

static void remember(struct vnode *vn)
{
	if (nheld_vnodes == MAX_VNODES)
		vnode_drop(vn);
	else
		held[nheld_vnodes++] = vn;
}

struct names {
	unsigned n;
	struct {
		u8 len;
		char text[255];
	} name[WALK_ENTRIES];
};

static bool note_name(void *arg, const char *name, size_t len, u64 ino, unsigned type, u64 next)
{
	struct names *l = arg;

	(void)ino;
	(void)type;
	(void)next;
	ASSERT(len > 0 && len <= 255);
	if (l->n == WALK_ENTRIES)
		return false;
	l->name[l->n].len = (u8)len;
	memcpy(l->name[l->n++].text, name, len);
	return true;
}

static bool is(struct vnode *vn, u32 type)
{
	return (vn->mode & S_IFMT) == type;
}

static void read_some(struct vnode *vn)
{
	static u8 buf[3 * PAGE_SIZE];
	static const u64 places[] = {0,	      12 << 10, 70 << 10, 268 << 10,
				     3000000, 60 << 20, 100000000};

	/* far places cost the stand-in for a radix tree much memory */
	for (unsigned k = 0; k < ARRAY_LEN(places) - (shim_random() % 8 ? 2 : 0); k++)
		if (places[k] < vn->obj.size)
			shim_read(vn, buf, sizeof(buf), places[k]);
}

static void look_at(struct vnode *vn)
{
	char buf[PAGE_SIZE];
	struct vattr a;

	vn->ops->getattr(vn, &a);
	if (is(vn, S_IFREG))
		read_some(vn);
	else if (is(vn, S_IFLNK))
		vn->ops->readlink(vn, buf, sizeof(buf));
}

static bool dots(const char *name, size_t len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

static void walk(struct vnode *dir, unsigned depth)
{
	struct names *l = calloc(1, sizeof(*l));
	u64 pos = 0, before;

	do {
		before = pos;
		l->n = 0;
		if (dir->ops->readdir(dir, &pos, note_name, l))
			break;
		for (unsigned k = 0; k < l->n; k++) {
			struct vnode *vn;

			if (dots(l->name[k].text, l->name[k].len) ||
			    dir->ops->lookup(dir, l->name[k].text, l->name[k].len, &vn))
				continue;
			look_at(vn);
			if (is(vn, S_IFDIR) && depth && vn != dir)
				walk(vn, depth - 1);
			remember(vn);
		}
	} while (l->n && pos != before && nheld_vnodes < MAX_VNODES);
	free(l);
}

static struct vnode *choose(struct mount *m, u8 arg, bool dir)
{
	for (unsigned k = 0; k < nheld_vnodes; k++) {
		struct vnode *vn = held[(arg + k) % nheld_vnodes];

		if (is(vn, dir ? S_IFDIR : S_IFREG))
			return vn;
	}
	return dir ? m->root : NULL;
}

static size_t new_name(char *name, u8 arg)
{
	size_t n = arg & 0x80 ? 200 : 3;

	memset(name, 'a' + arg % 16, n);
	return n;
}

static void make(struct vnode *dir, u8 arg, u32 type)
{
	struct vnode *vn;
	char name[256], target[300];

	memset(target, 't', sizeof(target));
	target[arg & 1 ? 20 : 250] = 0;
	if (dir->ops->create(dir, name, new_name(name, arg), type | 0644, 0,
			     type == S_IFLNK ? target : NULL, &shim_cred, &vn) == 0)
		remember(vn);
}

/* The first entries of a directory, as far as arg says: the VFS never unlinks a directory from itself. */
static void remove_one(struct vnode *dir, u8 arg)
{
	struct names *l = calloc(1, sizeof(*l));
	struct vnode *vn;
	u64 pos = 0;

	if (dir->ops->readdir(dir, &pos, note_name, l) == 0 && l->n) {
		unsigned k = arg % l->n;
		const char *name = l->name[k].text;
		size_t len = l->name[k].len;

		if (!dots(name, len) && dir->ops->lookup(dir, name, len, &vn) == 0) {
			if (vn != dir)
				dir->ops->unlink(dir, name, len, vn);
			vnode_drop(vn);
		}
	}
	free(l);
}

static void move_one(struct vnode *from, struct vnode *to, u8 arg)
{
	struct names *l = calloc(1, sizeof(*l));
	char name[256];
	struct vnode *vn;
	u64 pos = 0;

	if (from->ops->readdir(from, &pos, note_name, l) == 0 && l->n) {
		unsigned k = arg % l->n;

		if (!dots(l->name[k].text, l->name[k].len) &&
		    from->ops->lookup(from, l->name[k].text, l->name[k].len, &vn) == 0) {
			if (vn != from && vn != to)
				from->ops->rename(from, l->name[k].text, l->name[k].len, vn, to,
						  name, new_name(name, (u8)(arg | 0x10)), NULL, 0);
			vnode_drop(vn);
		}
	}
	free(l);
}

static void change_file(struct vnode *vn, u8 op, u8 arg)
{
	static u8 buf[20000];
	struct vattr a = {.size = (u64)arg << (arg & 1 ? 9 : 17)};

	switch (op % 4) {
	case 0:
		shim_write(vn, buf, 1 + arg * 70u,
			   arg & 7 ? (u64)arg * 777 : vn->obj.size % (64 << 20));
		break;
	case 1:
		vn->ops->setattr(vn, &a, ATTR_SIZE);
		break;
	case 2:
		vn->ops->fallocate(vn, arg & 3, (u64)arg * 1000, 5000);
		break;
	default:
		vn->ops->fsync(vn, arg & 1);
		break;
	}
}

static void operate(struct mount *m, u8 op, u8 arg)
{
	struct vnode *dir = choose(m, arg, true), *file = choose(m, arg, false);
	static const u32 types[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO};
	struct statfs64_info st;
	char name[256];

	switch (op % 12) {
	case 0:
	case 1:
		make(dir, arg, types[op / 12 % 4]);
		break;
	case 2:
	case 3:
		remove_one(dir, arg);
		break;
	case 4:
		move_one(dir, choose(m, (u8)(arg * 7), true), arg);
		break;
	case 5:
		if (file)
			dir->ops->link(dir, name, new_name(name, arg), file);
		break;
	case 6:
		shim_shake(m);
		break;
	case 7:
		m->type->ops->statfs(m, &st);
		break;
	default:
		if (file)
			change_file(file, op / 12, arg);
		break;
	}
}

static void drop_all(void)
{
	while (nheld_vnodes)
		vnode_drop(held[--nheld_vnodes]);
}

static void run(const u8 *ops, size_t n, u32 flags)
{
	int err;
	struct mount *m = shim_mount(flags, &err);

	if (!m)
		return;
	walk(m->root, WALK_DEPTH);
	for (size_t k = 0; k + 1 < n && k / 2 < MAX_OPS; k += 2)
		operate(m, ops[k], ops[k + 1]);
	drop_all();
	shim_sync(m);
	shim_crash(m); /* pages that could not be written are forgotten */
	ASSERTF(shim_pages() == 0, "%lu pages are left", shim_pages());
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);
int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	const struct image *im;
	unsigned changes;

	if (n < 2)
		return 0;
	im = &images[data[0] % IMAGES];
	changes = data[1] % (MAX_CHANGES + 1);
	shim_seed(data[0]);
	shim_disk = (struct shim_disk){.data = malloc(im->size), .size = im->size};
	memcpy(shim_disk.data, im->data, im->size);
	data += 2;
	n -= 2;
	for (; changes && n >= 8; changes--, data += 8, n -= 8) {
		struct change c;

		memcpy(&c, data, sizeof(c));
		apply(im, &c);
	}
	run(data, n, n % 16 == 15 ? MS_RDONLY : 0);
	free(shim_disk.data);
	shim_disk = (struct shim_disk){0};
	return 0;
}
