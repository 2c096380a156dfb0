// SPDX-License-Identifier: BSD-2-Clause
/*
 * File system types and mounts.  A mount has its own tree of names, whose root covers one name of its parent; the mounts form a list in
 * the order they were made, the first one being the root.
 *
 * refs counts the table's reference and one per path (open files, working directories, names covered by children).  umount succeeds when
 * only the table's is left; MNT_DETACH takes the mount out at once and the last path put takes it down.
 *
 * Locks: mount_lock (MOUNT) for the table; `covered` and `covers` are the name cache's.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/lib/ref.h"

#define MNT_FORCE	1
#define MNT_DETACH	2
#define MNT_EXPIRE	4
#define UMOUNT_NOFOLLOW 8
#define MS_SILENT	32768u
#define MS_PRIVATE	(1u << 18)
#define MS_REC		16384u
#define MS_STRICTATIME	(1u << 24)
#define MS_KEPT                                                                       \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS | MS_NOATIME | \
	 MS_NODIRATIME | MS_RELATIME)
#define MS_KNOWN  (MS_KEPT | MS_REMOUNT | MS_SILENT | MS_PRIVATE | MS_REC | MS_STRICTATIME)
#define ROOT_WAIT (10 * NSEC_PER_SEC)

struct type_entry {
	struct list link;
	const struct fs_type *type;
};

struct mutex mount_lock;
struct mount *anon_mount;
static struct list mounts;	 /* mount_lock */
static struct list types;	 /* mount_lock */
static struct mount *root_mount; /* (c) once set */
static u64 next_devno;		 /* (a) minor of devices without a device */
static u64 events;		 /* (a) */

static const struct fs_type anon_type = {.name = "anon", .nodev = true};

void mount_table_init(void)
{
	mutex_init(&mount_lock, LOCK_MOUNT, "mounts");
	list_init(&mounts);
	list_init(&types);
	anon_mount = mount_pseudo(&anon_type);
}

/* ---- types ---- */

void fs_register(const struct fs_type *t)
{
	struct type_entry *e = kmalloc(sizeof(*e), 0);

	if (!e)
		panic("no memory to register the file system %s", t->name);
	e->type = t;
	mutex_lock(&mount_lock);
	list_add_tail(&types, &e->link);
	mutex_unlock(&mount_lock);
}

static const struct fs_type *find_type(const char *name)
{
	const struct fs_type *t = NULL;
	struct type_entry *e;

	mutex_lock(&mount_lock);
	list_for_each(e, &types, link) {
		if (!strcmp(e->type->name, name))
			t = e->type;
	}
	mutex_unlock(&mount_lock);
	return t;
}

const struct fs_type *vfs_type_nth(unsigned k)
{
	const struct fs_type *t = NULL;
	struct type_entry *e;

	mutex_lock(&mount_lock);
	list_for_each(e, &types, link) {
		if (k-- == 0) {
			t = e->type;
			break;
		}
	}
	mutex_unlock(&mount_lock);
	return t;
}

/* ---- life ---- */

static struct mount *mount_alloc(const struct fs_type *type, const char *source, u32 flags)
{
	struct mount *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->type = type;
	m->flags = flags & MS_KEPT;
	if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
		m->flags |= MS_RELATIME;
	m->refs = 1;
	m->devno = makedev(0, (u32)__atomic_add_fetch(&next_devno, 1, __ATOMIC_RELAXED));
	mount_init_vnodes(m);
	mutex_init(&m->rename_lock, LOCK_RENAME, "rename");
	list_init(&m->link);
	list_init(&m->children);
	list_init(&m->child_link);
	strlcpy(m->source, source, sizeof(m->source));
	return m;
}

struct mount *mount_pseudo(const struct fs_type *type)
{
	struct mount *m = mount_alloc(type, type->name, 0);

	if (!m)
		panic("no memory for the %s mount", type->name);
	return m;
}

void mount_hold(struct mount *m)
{
	ref_get(&m->refs);
}

static int attach_device(struct mount *m, struct block_dev *dev)
{
	int err = block_claim(dev, m);

	if (err)
		return err;
	m->bdev_vnode = bdev_vnode_get(dev);
	err = m->bdev_vnode ? bdev_claim(m->bdev_vnode) : -ENOMEM;
	if (err) {
		vnode_drop(m->bdev_vnode);
		block_unclaim(dev, m);
		return err;
	}
	block_hold(dev);
	m->dev = dev;
	m->devno = block_devno(dev);
	return 0;
}

static void detach_device(struct mount *m)
{
	if (!m->dev)
		return;
	if (bdev_sync(m->bdev_vnode, true))
		kprintf("%s: errors while writing the last blocks\n", m->source);
	vnode_drop(m->bdev_vnode);
	block_unclaim(m->dev, m);
	block_drop(m->dev);
}

/* Nobody uses it and it is in no table: writes everything and frees it. */
static void mount_destroy(struct mount *m)
{
	struct vnode *root = m->root;
	int err = writeback_mount(m, true);

	if (err)
		kprintf("%s (%s): error %d while writing before unmounting\n", m->source,
			m->type->name, err);
	name_shrink_mount(m);
	name_drop(m->root_name);
	name_shrink_mount(m);
	m->root = NULL;
	vnode_drop(root);
	if (!vnode_purge_mount(m)) {
		vnode_report_unwritten(m, true);
		if (!vnode_purge_mount(m))
			kprintf("%s (%s): vnodes are still in use\n", m->source, m->type->name);
	}
	vnode_wait_evicted(m);
	if (m->type->ops && m->type->ops->unmount)
		m->type->ops->unmount(m);
	detach_device(m);
	kfree(m);
}

void mount_put(struct mount *m)
{
	if (ref_put(&m->refs) == 0)
		mount_destroy(m);
}

/* A new mount of the type, in no table yet. dev NULL: needs none. */
static int mount_make(const struct fs_type *type, const char *source, struct block_dev *dev,
		      u32 flags, const char *options, struct mount **out)
{
	struct mount *m = mount_alloc(type, source, flags);
	int err = m ? 0 : -ENOMEM;

	if (!err && dev && block_readonly(dev))
		m->flags |= MS_RDONLY;
	if (!err && dev)
		err = attach_device(m, dev);
	if (err) {
		kfree(m);
		return err;
	}
	err = type->mount(m, options ? options : "");
	if (!err) {
		ASSERT(m->root);
		vnode_hold(m->root);
		m->root_name = name_create_root(m, m->root, NULL);
		if (m->root_name) {
			*out = m;
			return 0;
		}
		vnode_drop(m->root);
		vnode_drop(m->root);
		m->root = NULL;
		err = -ENOMEM;
		vnode_purge_mount(m);
		if (type->ops && type->ops->unmount)
			type->ops->unmount(m);
	}
	detach_device(m);
	kfree(m);
	return err;
}

static void table_add(struct mount *m)
{
	list_add_tail(&mounts, &m->link);
	if (m->parent)
		list_add_tail(&m->parent->children, &m->child_link);
	__atomic_fetch_add(&events, 1, __ATOMIC_RELAXED);
}

static void table_remove(struct mount *m)
{
	list_del(&m->link);
	list_del(&m->child_link);
	__atomic_fetch_add(&events, 1, __ATOMIC_RELAXED);
}

u64 vfs_mount_events(void)
{
	return __atomic_load_n(&events, __ATOMIC_RELAXED);
}

int mount_each(int (*fn)(struct mount *m, void *arg), void *arg)
{
	struct mount *m, *next;
	int err = 0;

	mutex_lock(&mount_lock);
	m = list_first(&mounts, struct mount, link);
	if (m)
		mount_hold(m);
	mutex_unlock(&mount_lock);
	while (m) {
		if (!err)
			err = fn(m, arg);
		next = NULL;
		mutex_lock(&mount_lock);
		if (!err && !list_empty(&m->link) && m->link.next != &mounts) {
			next = list_entry(m->link.next, struct mount, link);
			mount_hold(next);
		}
		mutex_unlock(&mount_lock);
		mount_put(m);
		m = next;
	}
	return err;
}

/* ---- mount(2) ---- */

/* Puts m on the place; takes over its reference on success. */
static int graft(struct mount *m, struct path *at)
{
	int err = 0;

	mutex_lock(&mount_lock);
	path_hold(at); /* kept while mounted */
	if (name_cover(at->name, m))
		table_add(m);
	else
		err = -EBUSY;
	mutex_unlock(&mount_lock);
	if (err) {
		struct path held = *at;

		path_put(&held);
	}
	return err;
}

static int mount_at(const struct fs_type *type, const char *source, struct block_dev *dev,
		    u32 flags, const char *options, struct path *at)
{
	struct mount *m;
	int err;

	if (!is_dir(path_vnode(at)))
		return -ENOTDIR;
	if (type->single && at->name == at->mount->root_name && at->mount->type == type)
		return -EBUSY;
	err = mount_make(type, source, dev, flags, options, &m);
	if (err)
		return err;
	err = graft(m, at);
	if (err)
		mount_put(m);
	return err;
}

static int find_device(const struct lookup_ctx *c, const char *source, struct block_dev **dev)
{
	struct path p;
	u64 rdev;
	int err = source && *source ? path_lookup(c, source, LOOKUP_FOLLOW, &p) : -EINVAL;

	if (err)
		return err;
	err = is_type(path_vnode(&p), S_IFBLK) ? 0 : -ENOTBLK;
	rdev = path_vnode(&p)->rdev;
	path_put(&p);
	if (err)
		return err;
	*dev = block_by_devno(rdev);
	return *dev ? 0 : -ENXIO;
}

struct busy {
	bool writers;
};

static void note_writer(struct vnode *vn, void *arg)
{
	struct busy *b = arg;

	b->writers |= READ_ONCE(vn->write_opens) > 0;
}

static int remount_mount(struct mount *m, u32 flags, const char *options)
{
	bool ro = (flags & MS_RDONLY) && !(m->flags & MS_RDONLY);
	struct busy b = {false};
	int err = 0;

	if (!(flags & MS_RDONLY) && m->dev && block_readonly(m->dev))
		return -EACCES;
	if (ro) {
		vnode_each(m, note_writer, &b);
		if (b.writers)
			return -EBUSY;
		err = writeback_mount(m, true);
	}
	flags = (flags & MS_KEPT) | (flags & (MS_NOATIME | MS_STRICTATIME) ? 0 : MS_RELATIME);
	if (!err && m->type->ops && m->type->ops->remount)
		err = m->type->ops->remount(m, flags, options ? options : "");
	if (err)
		return err;
	WRITE_ONCE(m->flags, flags);
	return m->bdev_vnode ? bdev_sync(m->bdev_vnode, true) : 0;
}

static int remount(struct path *at, u32 flags, const char *options)
{
	int err;

	if (at->name != at->mount->root_name)
		return -EINVAL;
	mutex_lock(&mount_lock);
	err = remount_mount(at->mount, flags, options);
	mutex_unlock(&mount_lock);
	return err;
}

static int mount_new(const struct lookup_ctx *c, const char *source, struct path *at,
		     const char *type_name, u32 flags, const char *options)
{
	const struct fs_type *type = find_type(type_name);
	struct block_dev *dev = NULL;
	int err = 0;

	if (!type)
		return -ENODEV;
	if (!type->nodev)
		err = find_device(c, source, &dev);
	if (!err)
		err = mount_at(type, source && *source ? source : "none", dev, flags, options, at);
	if (dev)
		block_drop(dev);
	return err;
}

int vfs_mount(const struct lookup_ctx *c, const char *source, const char *target, const char *type,
	      u32 flags, const char *options)
{
	struct path at;
	int err;

	if (!cred_has(c->cred, CAP_SYS_ADMIN_BIT))
		return -EPERM;
	if ((flags & 0xffff0000) == 0xc0ed0000) /* the magic number of old programs */
		flags &= 0xffff;
	if (flags & ~MS_KNOWN)
		return -EINVAL;
	err = path_lookup(c, target, LOOKUP_FOLLOW, &at);
	if (err)
		return err;
	if (flags & MS_REMOUNT)
		err = remount(&at, flags, options);
	else if (flags & MS_PRIVATE)
		err = at.name == at.mount->root_name ? 0
						     : -EINVAL; /* every mount is private already */
	else
		err = type ? mount_new(c, source, &at, type, flags, options) : -EINVAL;
	path_put(&at);
	return err;
}

/* ---- umount(2) ---- */

/* Takes m out of the tree; the caller holds mount_lock, and afterwards puts the table's reference and *covers. */
static int detach(struct mount *m, bool lazy, u32 expect, struct path *covers)
{
	covers->mount = m->parent;
	covers->name = m->covers;
	if (!covers->name)
		return -EINVAL;
	if (!lazy && !list_empty(&m->children))
		return -EBUSY;
	if (!name_uncover(m, expect, lazy))
		return -EBUSY;
	table_remove(m);
	return 0;
}

/* The deepest mount below m: what has to go first. */
static struct mount *deepest(struct mount *m)
{
	while (!list_empty(&m->children))
		m = list_first(&m->children, struct mount, child_link);
	return m;
}

static int umount_lazily(struct mount *m)
{
	struct path covers;
	struct mount *d;
	int err;

	do {
		mutex_lock(&mount_lock);
		d = deepest(m);
		err = detach(d, true, 0, &covers);
		mutex_unlock(&mount_lock);
		if (err)
			return err;
		path_put(&covers);
		mount_put(d);
	} while (d != m);
	return 0;
}

/* refs expected: the table's and the caller's path. */
static int umount_now(struct mount *m)
{
	struct path covers;
	int err;

	name_shrink_mount(m);
	err = writeback_mount(m, true);
	if (err)
		kprintf("%s: error %d while writing before unmounting\n", m->source, err);
	mutex_lock(&mount_lock);
	err = detach(m, false, 2, &covers);
	mutex_unlock(&mount_lock);
	if (err)
		return err;
	path_put(&covers);
	mount_put(m);
	return 0;
}

int vfs_umount(const struct lookup_ctx *c, const char *target, int flags)
{
	struct path at;
	int err;

	if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW) ||
	    (flags & MNT_EXPIRE))
		return -EINVAL;
	if (!cred_has(c->cred, CAP_SYS_ADMIN_BIT))
		return -EPERM;
	err = path_lookup(c, target, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &at);
	if (err)
		return err;
	if (at.name != at.mount->root_name)
		err = -EINVAL;
	else if (at.mount == root_mount)
		err = flags & MNT_DETACH ? -EINVAL
					 : remount(&at, root_mount->flags | MS_RDONLY, "");
	else
		err = flags & MNT_DETACH ? umount_lazily(at.mount) : umount_now(at.mount);
	path_put(&at); /* the last one takes it down */
	return err;
}

/* ---- the root ---- */

bool mount_root_path(struct path *out)
{
	if (!root_mount)
		return false;
	out->mount = root_mount;
	out->name = root_mount->root_name;
	path_hold(out);
	return true;
}

/* The device may still be on its way. */
static struct block_dev *wait_device(const char *source)
{
	u64 end = time_now() + ROOT_WAIT;
	struct block_dev *d;

	while ((d = block_find(source)) == NULL && time_now() < end)
		sleep_ns(20000000);
	return d;
}

static int mount_first(const struct fs_type *type, const char *source, struct block_dev *dev,
		       u32 flags)
{
	struct mount *m;
	int err = mount_make(type, source, dev, flags, "", &m);

	if (err)
		return err;
	mutex_lock(&mount_lock);
	root_mount = m;
	table_add(m);
	mutex_unlock(&mount_lock);
	kprintf("vfs: %s mounted on / as %s%s\n", source, type->name,
		m->flags & MS_RDONLY ? ", read-only" : "");
	return 0;
}

static int try_types(const char *source, struct block_dev *dev, u32 flags)
{
	const struct fs_type *type;
	int err = -EINVAL;

	for (unsigned k = 0; err == -EINVAL && (type = vfs_type_nth(k)) != NULL; k++) {
		if (!type->nodev)
			err = mount_first(type, source, dev, flags);
	}
	return err;
}

int vfs_mount_root(const char *source, const char *fstype, u32 flags)
{
	const struct fs_type *type = fstype ? find_type(fstype) : NULL;
	struct block_dev *dev = NULL;
	int err;

	if (fstype && !type)
		return -ENODEV;
	if (!type || !type->nodev) {
		dev = wait_device(source);
		if (!dev)
			return -ENXIO;
	}
	err = type ? mount_first(type, source, dev, flags) : try_types(source, dev, flags);
	if (dev)
		block_drop(dev);
	return err;
}

/* ---- power off ---- */

static int seal(struct mount *m)
{
	int err = writeback_mount(m, true), e = 0;

	if (m->type->ops && m->type->ops->remount && !(m->flags & MS_RDONLY))
		e = m->type->ops->remount(m, m->flags | MS_RDONLY, "");
	WRITE_ONCE(m->flags, m->flags | MS_RDONLY);
	if (m->bdev_vnode) {
		err = err ? err : e;
		e = bdev_sync(m->bdev_vnode, true);
	}
	if (err || e)
		vnode_report_unwritten(m, false);
	return err ? err : e;
}

/* Every mount becomes read-only and clean, the last one first. Whoever still runs finds EROFS. */
int vfs_unmount_all(void)
{
	struct mount *m;
	struct list *l;
	int err = 0, e;

	vfs_sync_all(true);
	mutex_lock(&mount_lock);
	for (l = mounts.prev; l != &mounts; l = l->prev) {
		m = list_entry(l, struct mount, link);
		e = seal(m);
		if (e)
			kprintf("%s: error %d while unmounting\n", m->source, e);
		err = err ? err : e;
	}
	mutex_unlock(&mount_lock);
	e = vfs_sync_all(true);
	return err ? err : e;
}

/* ---- /proc/mounts ---- */

static const char *flag_text(u32 flags, char *buf, size_t size)
{
	ksnprintf(buf, size, "%s%s%s%s%s%s%s%s", flags & MS_RDONLY ? "ro" : "rw",
		  flags & MS_NOSUID ? ",nosuid" : "", flags & MS_NODEV ? ",nodev" : "",
		  flags & MS_NOEXEC ? ",noexec" : "", flags & MS_SYNCHRONOUS ? ",sync" : "",
		  flags & MS_NOATIME ? ",noatime" : "", flags & MS_NODIRATIME ? ",nodiratime" : "",
		  flags & MS_RELATIME ? ",relatime" : "");
	return buf;
}

bool vfs_mount_info(unsigned k, const struct path *root, char *buf, size_t size)
{
	struct mount *m, *found = NULL;
	char flags[64], *at;
	struct path p;
	int n;

	mutex_lock(&mount_lock);
	list_for_each(m, &mounts, link) {
		if (k-- == 0) {
			found = m;
			mount_hold(m);
			break;
		}
	}
	mutex_unlock(&mount_lock);
	if (!found)
		return false;
	p = (struct path){.mount = found, .name = found->root_name};
	at = kmalloc(PATH_MAX, 0);
	n = at ? path_string(&p, root, at, PATH_MAX) : -ENOMEM;
	ksnprintf(buf, size, "%s %s %s %s%s 0 0", found->source, n < 0 ? "?" : at,
		  found->type->name, flag_text(found->flags, flags, sizeof(flags)), found->options);
	kfree(at);
	mount_put(found);
	return true;
}
