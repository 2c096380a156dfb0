// SPDX-License-Identifier: BSD-2-Clause
/*
 * memfd_create: a file of anonymous memory without a name in any directory, and its seals, which only ever grow.
 *
 * No writable shared mapping may exist when F_SEAL_WRITE takes effect.  An mmap counts itself in `mapping` before it looks at the
 * seals and until its area is there; who seals sets the seal first, and takes it back if anybody is counted or any such area is
 * found.  So one of the two sees the other.
 *
 * Locks: v_lock guards attributes; seals are added with it exclusive and read without it.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/vm/vm.h"

/* Field markings and the corresponding locks:
 * (c) constant   (v) v_lock   (a) atomic
 */
struct memfd {
	struct vnode vn;			      /* (c) */
	struct timespec64 atime, mtime, ctime, btime; /* (v) */
	u32 uid, gid;				      /* (v) */
	u32 seals;				      /* (a) F_SEAL_* */
	u32 mapping;				      /* (a) calls of mmap under way */
	char name[252];				      /* (c) */
};

#define F_SEAL_SEAL	    1u
#define F_SEAL_SHRINK	    2u
#define F_SEAL_GROW	    4u
#define F_SEAL_WRITE	    8u
#define F_SEAL_FUTURE_WRITE 16u
#define F_SEAL_EXEC	    32u
#define NO_WRITES	    (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

static u64 next_ino; /* (a) */

static struct memfd *memfd_of(struct vnode *vn)
{
	return container_of(vn, struct memfd, vn);
}

static u32 seals_of(struct vnode *vn)
{
	return __atomic_load_n(&memfd_of(vn)->seals, __ATOMIC_SEQ_CST);
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

	if ((which & ATTR_SIZE) && (m->seals & (a->size < vn->object->size   ? F_SEAL_SHRINK
						: a->size > vn->object->size ? F_SEAL_GROW
									     : 0)))
		return -EPERM;
	if ((which & ATTR_MODE) && (m->seals & F_SEAL_EXEC) && ((a->mode ^ vn->mode) & 0111))
		return -EPERM;
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
	u32 seals = seals_of(vn);

	if (mode & FALLOC_PUNCH_HOLE) {
		if (seals & NO_WRITES)
			return -EPERM;
	} else if ((seals & F_SEAL_GROW) && off + len > vn->object->size) {
		return -EPERM;
	}
	return anon_fallocate(vn->object, mode, off, len);
}

/* All of [at, at + n), or nothing. */
static ssize_t may_write(struct vnode *vn, u64 at, u64 n)
{
	u32 seals = seals_of(vn);

	if ((seals & NO_WRITES) || ((seals & F_SEAL_GROW) && at + n > vn->object->size))
		return -EPERM;
	return (ssize_t)n;
}

static ssize_t memfd_read(struct file *f, struct uio *u, u64 *pos)
{
	return pagecache_file_ops.read(f, u, pos);
}

static ssize_t memfd_write(struct file *f, struct uio *u, u64 *pos)
{
	return pagecache_write_if(f, u, pos, may_write);
}

static int memfd_mmap(struct file *f, struct vm_object **o, u32 *max_prot)
{
	struct memfd *m = memfd_of(f->vnode);
	int err;

	__atomic_fetch_add(&m->mapping, 1, __ATOMIC_SEQ_CST);
	err = pagecache_file_ops.mmap(f, o, max_prot);
	if (err)
		__atomic_fetch_sub(&m->mapping, 1, __ATOMIC_SEQ_CST);
	else if (seals_of(f->vnode) & NO_WRITES)
		*max_prot &= ~(u32)PROT_WRITE;
	return err;
}

static void memfd_mmap_done(struct file *f)
{
	__atomic_fetch_sub(&memfd_of(f->vnode)->mapping, 1, __ATOMIC_SEQ_CST);
}

static const struct file_ops memfd_file_ops = {
	.read = memfd_read,
	.write = memfd_write,
	.mmap = memfd_mmap,
	.mmap_done = memfd_mmap_done,
};

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

/* ---- seals ---- */

/* v_lock held exclusive. */
static int add_seals(struct memfd *m, u32 seals)
{
	u32 old = m->seals;

	if (old & F_SEAL_SEAL)
		return -EPERM;
	/* what may be executed and can no longer be made otherwise may not be written either */
	if ((seals & F_SEAL_EXEC) && (m->vn.mode & 0111))
		seals |= F_SEAL_SHRINK | F_SEAL_GROW | NO_WRITES;
	__atomic_store_n(&m->seals, old | seals, __ATOMIC_SEQ_CST);
	if (!(seals & ~old & F_SEAL_WRITE) || (!__atomic_load_n(&m->mapping, __ATOMIC_SEQ_CST) &&
					       !vm_object_mapped_writable(m->vn.object)))
		return 0;
	__atomic_store_n(&m->seals, old, __ATOMIC_SEQ_CST);
	return -EBUSY;
}

/* Files of tmpfs are anonymous memory too: sealed against seals, as on Linux. */
static bool is_tmpfs(const struct vnode *vn)
{
	return (vn->mode & S_IFMT) == S_IFREG && vn->object && vn->object != &vn->obj;
}

int file_add_seals(struct file *f, u32 seals)
{
	struct vnode *vn = f->vnode;
	int err;

	if (!f->may_write)
		return -EPERM;
	if (seals & ~(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | NO_WRITES | F_SEAL_EXEC))
		return -EINVAL;
	if (vn->ops != &memfd_ops)
		return is_tmpfs(vn) ? -EPERM : -EINVAL;
	rw_lock_write(&vn->v_lock);
	err = add_seals(memfd_of(vn), seals);
	rw_unlock_write(&vn->v_lock);
	return err;
}

int file_get_seals(struct file *f)
{
	if (f->vnode->ops == &memfd_ops)
		return (int)seals_of(f->vnode);
	return is_tmpfs(f->vnode) ? (int)F_SEAL_SEAL : -EINVAL;
}

struct file *memfd_create_file(const char *name, u32 flags, const struct cred *cred)
{
	struct memfd *m = kzalloc(sizeof(*m));
	u32 mode = flags & MFD_NOEXEC_SEAL ? 0666 : 0777;
	struct vm_object *o = m ? vm_object_create_anon(0) : NULL;
	struct file *f;

	if (!o) {
		kfree(m);
		return ERR_PTR(-ENOMEM);
	}
	vnode_init(&m->vn, NULL, __atomic_add_fetch(&next_ino, 1, __ATOMIC_RELAXED), S_IFREG | mode,
		   &memfd_ops, NULL, 0);
	m->vn.object = o;
	m->vn.fops = &memfd_file_ops;
	if (flags & MFD_NOEXEC_SEAL)
		m->seals = F_SEAL_EXEC;
	else if (!(flags & MFD_ALLOW_SEALING))
		m->seals = F_SEAL_SEAL;
	m->vn.fifo_or_mnt = (void *)m->name; /* shown in paths */
	m->uid = cred ? cred->fsuid : 0;
	m->gid = cred ? cred->fsgid : 0;
	m->atime = m->mtime = m->ctime = m->btime = vfs_now();
	strlcpy(m->name, name, sizeof(m->name));
	f = file_alloc(&m->vn, &memfd_file_ops, O_RDWR | O_LARGEFILE, cred);
	vnode_drop(&m->vn);
	return f ? f : ERR_PTR(-ENOMEM);
}
