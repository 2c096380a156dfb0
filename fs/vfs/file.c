// SPDX-License-Identifier: BSD-2-Clause
/*
 * Open files: their life, and the calls that every kind of file has, which check the descriptor's mode and position and then use f->ops.
 * Locks: pos_lock guards the position while a call uses it.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/lib/ref.h"
#include "kernel/vm/vm.h"

#define SEEK_SET  0
#define SEEK_CUR  1
#define SEEK_END  2
#define SEEK_DATA 3
#define SEEK_HOLE 4

static struct kmem_cache *cache;
static const struct file_ops no_ops = {.stream = true};

/* ---- life ---- */

static struct cred *cred_ref(const struct cred *c)
{
	struct cred *own = (struct cred *)c;

	if (own)
		ref_get(&own->refs);
	return own;
}

static void cred_unref(struct cred *c)
{
	if (!c || ref_put(&c->refs))
		return;
	kfree(c->groups);
	kfree(c);
}

struct file *file_alloc(struct vnode *vn, const struct file_ops *ops, u32 flags,
			const struct cred *cred)
{
	struct file *f = kmem_cache_alloc(cache, 0);
	u32 acc = flags & O_ACCMODE;

	if (!f)
		return NULL;
	*f = (struct file){.refs = 1, .flags = flags, .ops = flags & O_PATH ? &no_ops : ops};
	mutex_init(&f->pos_lock, LOCK_FILE_POS, "file position");
	vnode_hold(vn);
	f->vnode = vn;
	f->errors_seen = vn->object ? vm_object_error_mark(vn->object) : 0;
	f->cred = cred_ref(cred);
	if (!(flags & O_PATH)) {
		f->may_read = acc == O_RDONLY || acc == O_RDWR;
		f->may_write = acc == O_WRONLY || acc == O_RDWR;
	}
	return f;
}

void file_hold(struct file *f)
{
	u32 old = ref_get(&f->refs);

	ASSERT(old > 0);
}

static bool counts_as_writer(const struct file *f)
{
	return f->may_write && is_type(f->vnode, S_IFREG) && f->ops;
}

void (*file_epoll_release)(struct file *f);

static void file_free(struct file *f)
{
	if (unlikely(f->epoll))
		file_epoll_release(f);
	if (f->ops && f->ops->release)
		f->ops->release(f);
	if (f->lock_held) {
		lease_file_released(f);
		flock_file_released(f);
	}
	if (f->counted)
		__atomic_fetch_sub(&f->vnode->opens, 1, __ATOMIC_RELAXED);
	if (counts_as_writer(f) && f->path.name)
		vnode_put_write(f->vnode);
	vnode_drop(f->vnode);
	path_put(&f->path);
	cred_unref(f->cred);
	kmem_cache_free(cache, f);
}

void file_drop(struct file *f)
{
	u32 left = ref_put(&f->refs);

	ASSERT(left != UINT32_MAX);
	if (!left)
		file_free(f);
}

/* ---- opening: what kind of file is it ---- */

/* On failure f->ops is NULL again, so that file_drop only drops. */
static int special_open(struct file *f)
{
	struct vnode *vn = f->vnode;

	switch (vn->mode & S_IFMT) {
	case S_IFCHR:
		return chrdev_open(vn, f);
	case S_IFBLK:
		return bdev_open(vn, f);
	case S_IFIFO:
		return fifo_open(vn, f);
	default:
		return vn->ops->open ? vn->ops->open(vn, f) : 0;
	}
}

int file_open_vnode(struct file *f)
{
	struct vnode *vn = f->vnode;
	int err;

	f->ops = vn->fops;
	if (!f->ops)
		f->ops = is_dir(vn)   ? &directory_file_ops
			 : vn->object ? &pagecache_file_ops
				      : &no_ops;
	if (counts_as_writer(f)) {
		err = vnode_get_write(vn);
		if (err) {
			f->ops = NULL;
			return err;
		}
	}
	err = special_open(f);
	if (err) {
		if (counts_as_writer(f))
			vnode_put_write(vn);
		f->ops = NULL;
	}
	if (!err && is_type(vn, S_IFREG)) {
		__atomic_fetch_add(&vn->opens, 1, __ATOMIC_SEQ_CST);
		f->counted = true;
	}
	return err;
}

/* ---- reading and writing ---- */

typedef ssize_t (*rw_op)(struct file *f, struct uio *u, u64 *pos);

static inline ssize_t at_position(struct file *f, struct uio *u, rw_op op)
{
	ssize_t n;

	if (f->ops->stream) {
		u64 none = 0;

		return op(f, u, &none);
	}
	mutex_lock(&f->pos_lock);
	n = op(f, u, &f->pos);
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize_t file_read(struct file *f, struct uio *u, u64 *pos)
{
	if (unlikely(!f->may_read))
		return -EBADF;
	if (unlikely(!f->ops->read))
		return is_dir(f->vnode) ? -EISDIR : -EINVAL;
	if (!pos)
		return at_position(f, u, f->ops->read);
	if (f->ops->stream)
		return -ESPIPE;
	return f->ops->read(f, u, pos);
}

ssize_t file_write(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t n;
	int err;

	if (unlikely(!f->may_write))
		return -EBADF;
	if (unlikely(!f->ops->write))
		return -EINVAL;
	if (pos && f->ops->stream)
		return -ESPIPE;
	n = pos ? f->ops->write(f, u, pos) : at_position(f, u, f->ops->write);
	if (n > 0 && unlikely(f->flags & (O_DSYNC | O_SYNC)) && !f->ops->stream) {
		err = file_fsync(f, (f->flags & O_SYNC) != O_SYNC);
		if (err)
			return err;
	}
	return n;
}

ssize_t file_read_kernel(struct file *f, void *buf, size_t n, u64 pos)
{
	struct iovec_k v;
	struct uio u;

	if (!f->ops->read)
		return is_dir(f->vnode) ? -EISDIR : -EINVAL;
	uio_init_kernel(&u, &v, buf, n);
	return f->ops->read(f, &u, &pos);
}

/* ---- position ---- */

/* Data and holes: what the file system says, or as the simplest one tells: all data, one hole at the end. */
static s64 seek_data_hole(struct vnode *vn, u64 size, s64 off, int whence)
{
	if (off < 0 || (u64)off >= size)
		return -ENXIO;
	if (vn->ops->seek)
		return vn->ops->seek(vn, (u64)off, whence == SEEK_HOLE);
	return whence == SEEK_DATA ? off : (s64)size;
}

static s64 new_position(struct file *f, s64 off, int whence)
{
	struct vattr a;
	s64 base = 0;
	int err;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = (s64)f->pos;
		break;
	case SEEK_END:
	case SEEK_DATA:
	case SEEK_HOLE:
		if (f->vnode->object) {
			base = (s64)READ_ONCE(f->vnode->object->size);
		} else {
			err = vfs_getattr(f->vnode, &a);
			if (err)
				return err;
			base = (s64)a.size;
		}
		if (whence != SEEK_END)
			return seek_data_hole(f->vnode, (u64)base, off, whence);
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, off, &base))
		return -EOVERFLOW;
	return base < 0 ? -EINVAL : base;
}

s64 file_lseek(struct file *f, s64 off, int whence)
{
	s64 pos;

	if (f->flags & O_PATH)
		return -EBADF;
	if (f->ops->stream)
		return -ESPIPE;
	if ((unsigned)whence > SEEK_HOLE)
		return -EINVAL;
	mutex_lock(&f->pos_lock);
	if (f->ops->lseek) {
		pos = f->ops->lseek(f, off, whence);
	} else {
		pos = new_position(f, off, whence);
		if (pos >= 0)
			f->pos = (u64)pos;
	}
	mutex_unlock(&f->pos_lock);
	return pos;
}

/* ---- the rest ---- */

int file_fsync(struct file *f, bool datasync)
{
	struct vnode *vn = f->vnode;
	int err, earlier;

	if (f->flags & O_PATH)
		return -EBADF;
	if (f->ops->fsync)
		return f->ops->fsync(f, datasync);
	if (!is_type(vn, S_IFREG) && !is_dir(vn))
		return -EINVAL; /* pipes, character devices */
	err = vn->ops->fsync ? vn->ops->fsync(vn, datasync) : 0;
	/* what failed since this file was asked last was tried again, but each is told */
	earlier = vn->object ? vm_object_error_since(vn->object, &f->errors_seen) : 0;
	return err ? err : earlier;
}

int file_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct vnode *vn = f->vnode;
	int err;

	if (!f->may_write)
		return -EBADF;
	if (is_type(vn, S_IFIFO))
		return -ESPIPE;
	if (is_dir(vn))
		return -EISDIR;
	if (!is_type(vn, S_IFREG))
		return -ENODEV;
	if (off + len < off || (s64)(off + len) < 0)
		return -EFBIG;
	if (!vn->ops->fallocate)
		return -EOPNOTSUPP;
	if (vnode_flags(vn, FL_IMMUTABLE) ||
	    ((mode & ~FALLOC_KEEP_SIZE) && vnode_flags(vn, FL_APPEND)))
		return -EPERM;
	err = mount_want_write(vn);
	if (err)
		return err;
	rw_lock_write(&vn->v_lock);
	err = vfs_clear_suid(vn);
	if (!err)
		err = vn->ops->fallocate(vn, mode, off, len);
	rw_unlock_write(&vn->v_lock);
	return err;
}

static int dir_readdir(struct file *f, u64 *pos, dirent_fn emit, void *arg)
{
	struct vnode *vn = f->vnode;
	int err;

	rw_lock_read(&vn->v_lock);
	err = READ_ONCE(vn->unlinked) ? -ENOENT : vn->ops->readdir(vn, pos, emit, arg);
	rw_unlock_read(&vn->v_lock);
	return err;
}

int file_readdir(struct file *f, dirent_fn emit, void *arg)
{
	int err;

	if (!f->may_read)
		return -EBADF;
	if (!is_dir(f->vnode) || (!f->ops->readdir && !f->vnode->ops->readdir))
		return -ENOTDIR;
	if (!f->accessed) {
		f->accessed = !vfs_atime_is_strict(f->vnode->mount);
		vfs_touch_atime(f->vnode);
	}
	mutex_lock(&f->pos_lock);
	err = f->ops->readdir ? f->ops->readdir(f, &f->pos, emit, arg)
			      : dir_readdir(f, &f->pos, emit, arg);
	mutex_unlock(&f->pos_lock);
	return err;
}

static int dir_fsync(struct file *f, bool datasync)
{
	return f->vnode->ops->fsync ? f->vnode->ops->fsync(f->vnode, datasync) : 0;
}

/* Positions in a directory are the file system's; only the start and what it gave can be gone to. */
static s64 dir_lseek(struct file *f, s64 off, int whence)
{
	s64 pos = new_position(f, off, whence);

	if (whence > SEEK_CUR)
		return -EINVAL;
	if (pos >= 0)
		f->pos = (u64)pos;
	return pos;
}

const struct file_ops directory_file_ops = {
	.lseek = dir_lseek,
	.fsync = dir_fsync,
};

int file_mmap(struct file *f, struct vm_object **o, u32 *max_prot)
{
	if (f->flags & O_PATH)
		return -EBADF;
	if (!f->ops->mmap)
		return -ENODEV;
	return f->ops->mmap(f, o, max_prot);
}

void file_mmap_done(struct file *f)
{
	if (f->ops->mmap_done)
		f->ops->mmap_done(f);
}

u32 file_poll(struct file *f, struct poll_table *pt)
{
	if (f->flags & O_PATH)
		return POLLNVAL;
	if (!f->ops->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return f->ops->poll(f, pt);
}

/* ---- what kernel/vm asks about files behind areas ---- */

static int area_path(struct file *f, char *buf, size_t size)
{
	struct path p;
	int n = file_path(f, &p);

	if (n)
		return n;
	n = path_string(&p, NULL, buf, size);
	path_put(&p);
	return n;
}

static void area_ident(struct file *f, u64 *dev, u64 *ino)
{
	struct vattr a;

	*dev = *ino = 0;
	if (!vfs_getattr(f->vnode, &a)) {
		*dev = a.dev;
		*ino = a.ino;
	}
}

static void area_stored(struct file *f)
{
	vnode_stamp_stored(f->vnode);
}

static int area_fsync(struct file *f)
{
	return file_fsync(f, false);
}

static int area_punch(struct file *f, u64 off, u64 len)
{
	return file_fallocate(f, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, off, len);
}

void file_init(void)
{
	static const struct vm_file_hooks hooks = {
		.hold = file_hold,
		.drop = file_drop,
		.path = area_path,
		.ident = area_ident,
		.stored = area_stored,
		.fsync = area_fsync,
		.punch = area_punch,
	};

	cache = kmem_cache_create("file", sizeof(struct file), KM_LINE);
	ASSERT(cache);
	vm_set_file_hooks(&hooks);
}
