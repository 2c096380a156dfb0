// SPDX-License-Identifier: BSD-2-Clause
/*
 * memfd_create: a file of anonymous memory without a name in any directory.  Seals are not offered: F_GET_SEALS gives EINVAL, as for
 * files of file systems that have none.
 * Locks: v_lock guards attributes.
 */
#include "fs/vfs/vfs_internal.h"

/* Field markings and the corresponding locks:
 * (c) constant   (v) v_lock
 */
struct memfd {
	struct vnode vn;			      /* (c) */
	struct timespec64 atime, mtime, ctime, btime; /* (v) */
	u32 uid, gid;				      /* (v) */
	char name[252];				      /* (c) */
};

static u64 next_ino; /* (a) */

static struct memfd *memfd_of(struct vnode *vn)
{
	return container_of(vn, struct memfd, vn);
}

static int memfd_getattr(struct vnode *vn, struct vattr *out)
{
	struct memfd *m = memfd_of(vn);

	out->dev = anon_mount->devno;
	out->ino = vn->ino;
	out->mode = vn->mode;
	out->size = READ_ONCE(vn->object->size);
	out->blocks = vm_object_pages(vn->object) * (PAGE_SIZE / 512);
	out->uid = m->uid;
	out->gid = m->gid;
	out->blksize = PAGE_SIZE;
	out->atime = m->atime;
	out->mtime = m->mtime;
	out->ctime = m->ctime;
	out->btime = m->btime;
	return 0;
}

static int memfd_setattr(struct vnode *vn, const struct vattr *a, u32 which)
{
	struct memfd *m = memfd_of(vn);

	if (which & ATTR_SIZE)
		vm_object_set_size(vn->object, a->size);
	if (which & ATTR_MODE)
		vn->mode = (vn->mode & S_IFMT) | (a->mode & 07777);
	if (which & ATTR_UID)
		m->uid = a->uid;
	if (which & ATTR_GID)
		m->gid = a->gid;
	if (which & ATTR_ATIME)
		m->atime = a->atime;
	if (which & ATTR_MTIME)
		m->mtime = a->mtime;
	if (which & ATTR_CTIME)
		m->ctime = a->ctime;
	return 0;
}

static int memfd_fsync(struct vnode *vn __unused, bool datasync __unused)
{
	return 0; /* memory is where it belongs */
}

static int memfd_fallocate(struct vnode *vn, int mode, u64 off, u64 len)
{
	return anon_fallocate(vn->object, mode, off, len);
}

static void memfd_free(struct vnode *vn)
{
	vm_object_drop(vn->object);
	kfree(memfd_of(vn));
}

static const struct vnode_ops memfd_ops = {
	.getattr = memfd_getattr,
	.setattr = memfd_setattr,
	.fsync = memfd_fsync,
	.fallocate = memfd_fallocate,
	.free = memfd_free,
};

/* The first and last bytes of a hole lie in pages that stay. */
static int zero_part(struct vm_object *o, u64 from, u64 to)
{
	struct frame *f;
	int err;

	if (from >= to)
		return 0;
	err = vm_page_get(o, from >> PAGE_SHIFT, VMP_WRITE, NULL, &f);
	if (err)
		return err == -ENXIO ? 0 : err;
	memset((char *)frame_va(f) + (from & PAGE_MASK), 0, to - from);
	vm_page_dirty(f);
	vm_page_put(f);
	return 0;
}

static int punch(struct vm_object *o, u64 off, u64 end)
{
	u64 first = ALIGN_UP(off, PAGE_SIZE), last = ALIGN_DOWN(end, PAGE_SIZE);
	int err;

	if (first > last) /* within one page */
		return zero_part(o, off, end);
	err = zero_part(o, off, first);
	if (!err)
		err = zero_part(o, last, end);
	if (!err && first < last)
		vm_object_remove(o, first >> PAGE_SHIFT, (last >> PAGE_SHIFT) - 1);
	return err;
}

int anon_fallocate(struct vm_object *o, int mode, u64 off, u64 len)
{
	u64 end = off + len;
	struct frame *f;
	int err = 0;

	if (mode == (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE))
		return punch(o, off, MIN(end, MAX(READ_ONCE(o->size), off)));
	if (mode & ~FALLOC_KEEP_SIZE)
		return -EOPNOTSUPP;
	if (end > o->size && !(mode & FALLOC_KEEP_SIZE))
		vm_object_set_size(o, end);
	end = MIN(end, o->size);
	for (u64 i = off >> PAGE_SHIFT; !err && i < DIV_ROUND_UP(end, PAGE_SIZE); i++) {
		err = vm_page_get(o, i, VMP_WRITE, NULL, &f);
		if (!err)
			vm_page_put(f);
	}
	return err;
}

struct file *memfd_create_file(const char *name, u32 flags __unused, const struct cred *cred)
{
	struct memfd *m = kzalloc(sizeof(*m));
	struct vm_object *o = m ? vm_object_create_anon(0) : NULL;
	struct file *f;

	if (!o) {
		kfree(m);
		return ERR_PTR(-ENOMEM);
	}
	vnode_init(&m->vn, NULL, __atomic_add_fetch(&next_ino, 1, __ATOMIC_RELAXED), S_IFREG | 0777,
		   &memfd_ops, NULL, 0);
	m->vn.object = o;
	m->vn.fifo_or_mnt = (void *)m->name; /* shown in paths */
	m->uid = cred ? cred->fsuid : 0;
	m->gid = cred ? cred->fsgid : 0;
	m->atime = m->mtime = m->ctime = m->btime = vfs_now();
	strlcpy(m->name, name, sizeof(m->name));
	f = file_alloc(&m->vn, &pagecache_file_ops, O_RDWR | O_LARGEFILE, cred);
	vnode_drop(&m->vn);
	return f ? f : ERR_PTR(-ENOMEM);
}
