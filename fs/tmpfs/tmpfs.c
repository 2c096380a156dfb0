// SPDX-License-Identifier: BSD-2-Clause
/*
 * tmpfs: files whose only copy is memory.
 *
 * What is kept is a tree of tnodes; vnodes over them come and go with the vnode cache.  A regular file's bytes are an anonymous object that the tnode holds
 * and its vnode points to, so reading, writing and mapping are those of any other file.  A tnode lives while it has links or a vnode.
 *
 * A directory has two trees: by name for lookups, by cookie (the order of creation) for readdir, so that listing goes on correctly while entries come and go.
 *
 * Pages are counted against the mount's size by what is resident after each operation on a file, so stores through mappings
 * show up late and may exceed it.
 *
 * Locks: a directory's entries and a tnode's attributes are guarded by the v_lock of its vnode; `super.lock` guards the counters.
 */
#include "fs/tmpfs/tmpfs.h"

#include "kernel/boot/init.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"

#define FIRST_COOKIE 2 /* 0 is ".", 1 is ".." */
#define FLAGS_KEPT   (FL_IMMUTABLE | FL_APPEND | FL_NODUMP | FL_NOATIME)

/* Field markings and the corresponding locks:
 * (v) v_lock of the tnode's vnode   (c) constant   (l) the super's lock
 */
struct tnode {
	u64 ino;				      /* (c) */
	u32 mode, nlink;			      /* (v) */
	u32 uid, gid;				      /* (v) */
	u32 flags;				      /* (v) FL_* */
	u64 rdev;				      /* (c) */
	struct timespec64 atime, mtime, ctime, btime; /* (v) */
	struct vm_object *object;		      /* (c) regular files */
	char *target;				      /* (c) symbolic links */
	struct tnode *parent;			      /* (v) directories: where ".." leads */
	struct rb_tree names;			      /* (v) struct entry by name */
	struct rb_tree cookies;			      /* (v) struct entry by cookie */
	u64 next_cookie;			      /* (v) */
	u64 entries;				      /* (v) */
	u64 charged;				      /* (l) pages counted in super.used */
};

/* Field markings and the corresponding locks:
 * (v) v_lock of the directory
 */
struct entry {
	struct rb_node by_name;	  /* (v) */
	struct rb_node by_cookie; /* (v) */
	u64 cookie;		  /* (v) */
	struct tnode *node;	  /* (v) counts as a link */
	u16 len;		  /* (v) */
	char name[];		  /* (v) not terminated */
};

/* Field markings and the corresponding locks:
 * (l) lock   (c) constant
 */
struct super {
	struct spinlock lock; /* (c) LEAF_FS */
	u64 next_ino;	      /* (l) */
	u64 inodes;	      /* (l) */
	u64 used;	      /* (l) pages */
	u64 limit;	      /* (l) pages; 0: none */
	struct tnode *root;   /* (c) */
};

static const struct vnode_ops tmpfs_vnode_ops;
static const struct file_ops tmpfs_file_ops;

static struct tnode *tnode_of(struct vnode *vn)
{
	return vn->data;
}

static struct super *super_of(struct mount *m)
{
	return m->data;
}

static bool is_dir(const struct tnode *t)
{
	return (t->mode & S_IFMT) == S_IFDIR;
}

/* ---- tnodes ---- */

static struct tnode *tnode_new(struct super *s, u32 mode, u64 rdev, const char *target,
			       const struct cred *cred)
{
	struct tnode *t = kmalloc(sizeof(*t), KM_ZERO);

	if (!t)
		return NULL;
	t->mode = mode;
	t->rdev = rdev;
	t->uid = cred ? cred->fsuid : 0;
	t->gid = cred ? cred->fsgid : 0;
	t->atime = t->mtime = t->ctime = t->btime = vfs_now();
	t->next_cookie = FIRST_COOKIE;
	if ((mode & S_IFMT) == S_IFREG)
		t->object = vm_object_create_anon(0);
	if (target)
		t->target = kstrdup(target);
	if (((mode & S_IFMT) == S_IFREG && !t->object) || (target && !t->target)) {
		kfree(t->target);
		if (t->object)
			vm_object_drop(t->object);
		kfree(t);
		return NULL;
	}
	spin_lock(&s->lock);
	t->ino = s->next_ino++;
	s->inodes++;
	spin_unlock(&s->lock);
	return t;
}

static void tnode_free(struct super *s, struct tnode *t)
{
	u64 charged = t->charged;

	ASSERTF(!t->names.root, "tmpfs inode %lu has %lu entries", t->ino, t->entries);
	if (t->object)
		vm_object_drop(t->object);
	kfree(t->target);
	kfree(t);
	spin_lock(&s->lock);
	s->inodes--;
	s->used -= charged;
	spin_unlock(&s->lock);
}

/* The file's pages as they are now. */
static void recount(struct super *s, struct tnode *t)
{
	spin_lock(&s->lock);
	s->used -= t->charged;
	t->charged = vm_object_pages(t->object);
	s->used += t->charged;
	spin_unlock(&s->lock);
}

/* Bytes that may be written at pos: all, or what there is room for. */
static u64 room_for(struct super *s, struct tnode *t, u64 pos, u64 n)
{
	u64 limit = READ_ONCE(s->limit), used = READ_ONCE(s->used), free, at;

	if (!limit || used + DIV_ROUND_UP(n, PAGE_SIZE) + 1 <= limit)
		return n;
	/* nearly full: only now it matters what is there already */
	free = used < limit ? limit - used : 0;
	for (at = pos; at < pos + n; at = ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE) {
		if (vm_object_has(t->object, at >> PAGE_SHIFT))
			continue;
		if (!free--)
			break;
	}
	return MIN(n, at - pos);
}

/* The vnode of t, held. NULL: no memory. */
static struct vnode *vnode_of(struct mount *m, struct tnode *t)
{
	struct vnode *vn, *other;

	vn = vnode_find(m, t->ino);
	if (vn)
		return vn;
	vn = kmalloc(sizeof(*vn), KM_ZERO);
	if (!vn)
		return NULL;
	vnode_init(vn, m, t->ino, t->mode, &tmpfs_vnode_ops, NULL, 0);
	vn->data = t;
	vn->rdev = t->rdev;
	vn->flags = t->flags & (FL_IMMUTABLE | FL_APPEND);
	vn->object = t->object;
	if (t->object)
		vn->fops = &tmpfs_file_ops;
	if (vnode_insert(vn, &other) == -EEXIST) {
		kfree(vn);
		return other;
	}
	return vn;
}

static void tmpfs_inactive(struct vnode *vn)
{
	struct tnode *t = tnode_of(vn);

	if (t->nlink == 0)
		tnode_free(super_of(vn->mount), t);
}

static void tmpfs_free(struct vnode *vn)
{
	kfree(vn);
}

/* ---- entries ---- */

static int compare(const struct entry *e, const char *name, size_t len)
{
	int c = memcmp(name, e->name, MIN(len, (size_t)e->len));

	return c ? c : (int)len - (int)e->len;
}

static struct rb_node **name_link(struct tnode *dir, const char *name, size_t len,
				  struct rb_node **parent)
{
	struct rb_node **link = &dir->names.root;

	*parent = NULL;
	while (*link) {
		int c = compare(container_of(*link, struct entry, by_name), name, len);

		if (!c)
			break;
		*parent = *link;
		link = c < 0 ? &(*link)->left : &(*link)->right;
	}
	return link;
}

static struct entry *entry_find(struct tnode *dir, const char *name, size_t len)
{
	struct rb_node *parent, **link = name_link(dir, name, len, &parent);

	return *link ? container_of(*link, struct entry, by_name) : NULL;
}

/* The first entry with cookie >= c. */
static struct entry *entry_from(struct tnode *dir, u64 c)
{
	struct entry *best = NULL;

	for (struct rb_node *n = dir->cookies.root; n;) {
		struct entry *e = container_of(n, struct entry, by_cookie);

		if (e->cookie >= c) {
			best = e;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

static struct entry *entry_alloc(const char *name, size_t len)
{
	struct entry *e = kmalloc(sizeof(*e) + len, 0);

	if (e) {
		e->len = len;
		memcpy(e->name, name, len);
	}
	return e;
}

static void entry_insert(struct tnode *dir, struct entry *e, struct tnode *t)
{
	struct rb_node *parent, **link = name_link(dir, e->name, e->len, &parent);
	struct rb_node *last = rb_last(&dir->cookies);

	ASSERT(!*link);
	e->node = t;
	e->cookie = dir->next_cookie++;
	rb_insert(&dir->names, &e->by_name, parent, link);
	rb_insert(&dir->cookies, &e->by_cookie, last, last ? &last->right : &dir->cookies.root);
	dir->entries++;
	if (is_dir(t)) {
		t->parent = dir;
		dir->nlink++;
	}
}

static void entry_remove(struct tnode *dir, struct entry *e)
{
	rb_erase(&dir->names, &e->by_name);
	rb_erase(&dir->cookies, &e->by_cookie);
	dir->entries--;
	if (is_dir(e->node))
		dir->nlink--;
	kfree(e);
}

static void touch_dir(struct tnode *dir)
{
	dir->mtime = dir->ctime = vfs_now();
}

/* ---- vnode operations ---- */

static int tmpfs_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct tnode *d = tnode_of(dir), *t;

	if (len == 2 && name[0] == '.' && name[1] == '.') {
		t = d->parent ? d->parent : d;
	} else {
		struct entry *e = entry_find(d, name, len);

		if (!e)
			return -ENOENT;
		t = e->node;
	}
	*out = vnode_of(dir->mount, t);
	return *out ? 0 : -ENOMEM;
}

static int tmpfs_create(struct vnode *dir, const char *name, size_t len, u32 mode, u64 rdev,
			const char *target, const struct cred *cred, struct vnode **out)
{
	struct super *s = super_of(dir->mount);
	struct tnode *d = tnode_of(dir), *t;
	struct entry *e;

	if (d->nlink == 0)
		return -ENOENT;
	e = entry_alloc(name, len);
	t = tnode_new(s, mode, rdev, target, cred);
	if (!e || !t)
		goto fail;
	t->nlink = is_dir(t) ? 2 : 1;
	if (d->mode & S_ISGID) {
		t->gid = d->gid;
		if (is_dir(t))
			t->mode |= S_ISGID;
	}
	*out = vnode_of(dir->mount, t);
	if (!*out)
		goto fail;
	entry_insert(d, e, t);
	touch_dir(d);
	return 0;
fail:
	kfree(e);
	if (t)
		tnode_free(s, t);
	return -ENOMEM;
}

static int tmpfs_link(struct vnode *dir, const char *name, size_t len, struct vnode *target)
{
	struct tnode *d = tnode_of(dir), *t = tnode_of(target);
	struct entry *e;

	if (d->nlink == 0 || t->nlink == 0)
		return -ENOENT;
	e = entry_alloc(name, len);
	if (!e)
		return -ENOMEM;
	entry_insert(d, e, t);
	t->nlink++;
	t->ctime = vfs_now();
	touch_dir(d);
	return 0;
}

static void lose_link(struct tnode *t)
{
	t->nlink = is_dir(t) ? 0 : t->nlink - 1;
	t->ctime = vfs_now();
}

static int tmpfs_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *vn)
{
	struct tnode *d = tnode_of(dir), *t = tnode_of(vn);
	struct entry *e = entry_find(d, name, len);

	if (!e || e->node != t)
		return -ENOENT;
	if (is_dir(t) && t->entries)
		return -ENOTEMPTY;
	entry_remove(d, e);
	lose_link(t);
	touch_dir(d);
	return 0;
}

static int tmpfs_exchange(struct tnode *od, struct entry *a, struct tnode *nd, struct entry *b)
{
	struct tnode *ta = a->node, *tb = b->node;

	a->node = tb;
	b->node = ta;
	if (is_dir(ta) != is_dir(tb)) {
		od->nlink += is_dir(tb) ? 1 : -1;
		nd->nlink += is_dir(ta) ? 1 : -1;
	}
	if (is_dir(ta))
		ta->parent = nd;
	if (is_dir(tb))
		tb->parent = od;
	ta->ctime = tb->ctime = vfs_now();
	return 0;
}

static int tmpfs_rename(struct vnode *odir, const char *oname, size_t olen, struct vnode *vn,
			struct vnode *ndir, const char *nname, size_t nlen, struct vnode *target,
			unsigned flags)
{
	struct tnode *od = tnode_of(odir), *nd = tnode_of(ndir), *t = tnode_of(vn);
	struct entry *from = entry_find(od, oname, olen), *to = entry_find(nd, nname, nlen), *e;

	if (!from || from->node != t || (target && (!to || to->node != tnode_of(target))))
		return -ENOENT;
	touch_dir(od);
	touch_dir(nd);
	if (flags & 2)
		return to ? tmpfs_exchange(od, from, nd, to) : -ENOENT;
	if (to && is_dir(to->node) && to->node->entries)
		return -ENOTEMPTY;
	e = entry_alloc(nname, nlen);
	if (!e)
		return -ENOMEM;
	if (to) {
		struct tnode *gone = to->node;

		entry_remove(nd, to);
		lose_link(gone);
	}
	entry_remove(od, from);
	entry_insert(nd, e, t);
	t->ctime = vfs_now();
	return 0;
}

static int tmpfs_readdir(struct vnode *dir, u64 *pos, dirent_fn emit, void *arg)
{
	struct tnode *d = tnode_of(dir);
	struct entry *e;

	if (*pos == 0) {
		if (!emit(arg, ".", 1, d->ino, S_IFDIR >> 12, 1))
			return 0;
		*pos = 1;
	}
	if (*pos == 1) {
		if (!emit(arg, "..", 2, d->parent ? d->parent->ino : d->ino, S_IFDIR >> 12,
			  FIRST_COOKIE))
			return 0;
		*pos = FIRST_COOKIE;
	}
	while ((e = entry_from(d, *pos))) {
		if (!emit(arg, e->name, e->len, e->node->ino, (e->node->mode & S_IFMT) >> 12,
			  e->cookie + 1))
			return 0;
		*pos = e->cookie + 1;
	}
	return 0;
}

static ssize_t tmpfs_readlink(struct vnode *vn, char *buf, size_t size)
{
	const char *target = tnode_of(vn)->target;
	size_t n = MIN(strlen(target), size);

	memcpy(buf, target, n);
	return n;
}

static int tmpfs_getattr(struct vnode *vn, struct vattr *out)
{
	struct tnode *t = tnode_of(vn);

	/* nothing is ever written back, which would do it */
	if (t->object && READ_ONCE(t->object->stored) &&
	    __atomic_exchange_n(&t->object->stored, 0, __ATOMIC_RELAXED))
		t->mtime = t->ctime = vfs_now();
	memset(out, 0, sizeof(*out));
	out->dev = vn->mount->devno;
	out->ino = t->ino;
	out->rdev = t->rdev;
	out->mode = t->mode;
	out->nlink = t->nlink;
	out->uid = t->uid;
	out->gid = t->gid;
	out->blksize = PAGE_SIZE;
	out->flags = t->flags;
	out->flags_kept = FLAGS_KEPT;
	out->atime = t->atime;
	out->mtime = t->mtime;
	out->ctime = t->ctime;
	out->btime = t->btime;
	if (t->object) {
		out->size = READ_ONCE(t->object->size);
		out->blocks = vm_object_pages(t->object) * (PAGE_SIZE / 512);
	} else if (t->target) {
		out->size = strlen(t->target);
	} else if (is_dir(t)) {
		out->size = t->entries * 20;
	}
	return 0;
}

static int tmpfs_setattr(struct vnode *vn, const struct vattr *a, u32 which)
{
	struct tnode *t = tnode_of(vn);

	if (which & ATTR_FLAGS) {
		if (a->flags & ~FLAGS_KEPT)
			return -EOPNOTSUPP;
		t->flags = a->flags;
	}
	if (which & ATTR_SIZE) {
		vm_object_set_size(t->object, a->size);
		recount(super_of(vn->mount), t);
	}
	if (which & ATTR_MODE)
		vn->mode = t->mode = (t->mode & S_IFMT) | (a->mode & ~S_IFMT);
	if (which & ATTR_UID)
		t->uid = a->uid;
	if (which & ATTR_GID)
		t->gid = a->gid;
	if (which & ATTR_ATIME)
		t->atime = a->atime;
	if (which & ATTR_MTIME)
		t->mtime = a->mtime;
	t->ctime = which & ATTR_CTIME ? a->ctime : vfs_now();
	return 0;
}

static int tmpfs_fsync(struct vnode *vn __unused, bool datasync __unused)
{
	return 0; /* memory is all the storage there is */
}

static int tmpfs_fallocate(struct vnode *vn, int mode, u64 off, u64 len)
{
	struct super *s = super_of(vn->mount);
	struct tnode *t = tnode_of(vn);
	int err;

	if (!(mode & FALLOC_PUNCH_HOLE) && room_for(s, t, off, len) < len)
		return -ENOSPC;
	err = anon_fallocate(t->object, mode, off, len);
	recount(s, t);
	if (!err)
		t->mtime = t->ctime = vfs_now();
	return err;
}

static ssize_t tmpfs_write(struct file *f, struct uio *u, u64 *pos)
{
	struct super *s = super_of(f->vnode->mount);
	struct tnode *t = tnode_of(f->vnode);
	u64 all = u->left, fits = room_for(s, t, f->flags & O_APPEND ? t->object->size : *pos, all);
	ssize_t n;

	if (all && !fits)
		return -ENOSPC;
	u->left = fits;
	n = pagecache_write(f, u, pos);
	u->left += all - fits;
	if (vm_object_pages(t->object) != READ_ONCE(t->charged))
		recount(s, t);
	return n;
}

static ssize_t tmpfs_read(struct file *f, struct uio *u, u64 *pos)
{
	return pagecache_file_ops.read(f, u, pos);
}

static int tmpfs_mmap(struct file *f, struct vm_object **o, u32 *max_prot)
{
	return pagecache_file_ops.mmap(f, o, max_prot);
}

static const struct file_ops tmpfs_file_ops = {
	.read = tmpfs_read,
	.write = tmpfs_write,
	.mmap = tmpfs_mmap,
};

static const struct vnode_ops tmpfs_vnode_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rename = tmpfs_rename,
	.readdir = tmpfs_readdir,
	.readlink = tmpfs_readlink,
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
	.fsync = tmpfs_fsync,
	.fallocate = tmpfs_fallocate,
	.inactive = tmpfs_inactive,
	.free = tmpfs_free,
};

/* ---- file system ---- */

/* "mode=1777,size=..": the mode of the root; others are accepted as mount(8) passes them on. */
static u32 mode_option(const char *options)
{
	const char *p = options ? strstr(options, "mode=") : NULL;

	return p ? strtou64(p + 5, NULL, 8) & 07777 : 01777;
}

/* size=N, with k, m, g or % of memory: in pages. Half of memory without it. */
static u64 size_option(const char *options)
{
	const char *p = options ? strstr(options, "size=") : NULL, *end;
	u64 n, total = frames_total();

	if (!p)
		return total / 2;
	n = strtou64(p + 5, &end, 10);
	switch (*end | 0x20) {
	case 'g':
		n <<= 10;
		/* fall through */
	case 'm':
		n <<= 10;
		/* fall through */
	case 'k':
		n <<= 10;
		break;
	default:
		if (*end == '%')
			return total / 100 * n;
		break;
	}
	return DIV_ROUND_UP(n, PAGE_SIZE);
}

int tmpfs_mount(struct mount *m, const char *options)
{
	struct super *s = kmalloc(sizeof(*s), KM_ZERO);

	if (!s)
		return -ENOMEM;
	spin_init(&s->lock, LOCK_LEAF_FS, "tmpfs");
	s->next_ino = 1;
	s->limit = size_option(options);
	s->root = tnode_new(s, S_IFDIR | mode_option(options), 0, NULL, NULL);
	m->data = s;
	if (s->root) {
		s->root->nlink = 2;
		m->root = vnode_of(m, s->root);
		if (m->root)
			return 0;
		tnode_free(s, s->root);
	}
	kfree(s);
	m->data = NULL;
	return -ENOMEM;
}

int tmpfs_add_node(struct mount *m, const char *path, u32 mode, u64 rdev, const char *target)
{
	struct vnode *dir = m->root, *made;
	const char *slash;
	int err = 0;

	vnode_hold(dir);
	while (!err && (slash = strchr(path, '/'))) {
		err = tmpfs_lookup(dir, path, slash - path, &made);
		if (err == -ENOENT)
			err = tmpfs_create(dir, path, slash - path, S_IFDIR | 0755, 0, NULL, NULL,
					   &made);
		if (err)
			break;
		vnode_drop(dir);
		dir = made;
		path = slash + 1;
	}
	if (!err && entry_find(tnode_of(dir), path, strlen(path)))
		err = -EEXIST;
	if (!err)
		err = tmpfs_create(dir, path, strlen(path), mode, rdev, target, NULL, &made);
	if (!err)
		vnode_drop(made);
	vnode_drop(dir);
	return err;
}

/* Frees the subtree below dir, depth first without recursion: walks down the first entries. */
static void free_tree(struct super *s, struct tnode *dir)
{
	for (;;) {
		struct rb_node *n = rb_first(&dir->names);
		struct entry *e = n ? container_of(n, struct entry, by_name) : NULL;
		struct tnode *t = e ? e->node : NULL, *up = dir->parent;

		if (t && is_dir(t) && t->names.root) {
			dir = t;
			continue;
		}
		if (!t) {
			if (dir == s->root)
				return;
			dir = up; /* empty now: removed as an entry of its parent */
			continue;
		}
		entry_remove(dir, e);
		lose_link(t);
		if (t->nlink == 0)
			tnode_free(s, t);
	}
}

static int tmpfs_unmount(struct mount *m)
{
	struct super *s = super_of(m);

	/* no vnode is left */
	free_tree(s, s->root);
	tnode_free(s, s->root);
	kfree(s);
	m->data = NULL;
	return 0;
}

static int tmpfs_statfs(struct mount *m, struct statfs64_info *out)
{
	struct super *s = super_of(m);

	memset(out, 0, sizeof(*out));
	out->type = 0x01021994;
	out->bsize = out->frsize = PAGE_SIZE;
	out->blocks = s->limit ? s->limit : frames_total();
	out->bfree = out->bavail = out->blocks - MIN(out->blocks, s->used);
	out->files = frames_total();
	out->ffree = out->files - MIN(out->files, s->inodes);
	out->namelen = 255;
	return 0;
}

static int tmpfs_sync(struct mount *m __unused, bool wait __unused)
{
	return 0;
}

static int tmpfs_remount(struct mount *m __unused, u32 flags __unused, const char *options __unused)
{
	return 0;
}

const struct fs_ops tmpfs_ops = {
	.unmount = tmpfs_unmount,
	.sync = tmpfs_sync,
	.statfs = tmpfs_statfs,
	.remount = tmpfs_remount,
};

static const struct fs_type tmpfs_type = {
	.name = "tmpfs", .nodev = true, .mount = tmpfs_mount, .ops = &tmpfs_ops};

static void tmpfs_register(void)
{
	fs_register(&tmpfs_type);
}
INITCALL(FS, tmpfs_register);
