// SPDX-License-Identifier: BSD-2-Clause
/*
 * Arguments that many system calls share: credentials, paths relative to descriptors, I/O vectors, times, temporary
 * signal masks.  Owns the copies it makes of user memory; each *_get has its *_put.  Takes no locks of its own.
 */

#include "kernel/syscall/args.h"

BUILD_ASSERT(sizeof(struct iovec_k) == 16);
BUILD_ASSERT(sizeof(struct timespec_k) == 16);

long fd_publish(struct file *f, bool cloexec)
{
	int fd = fd_alloc(current_proc()->fds, f, 0, cloexec, proc_rlimit(RLIMIT_NOFILE));

	if (fd < 0)
		file_drop(f);
	return fd;
}

/* ---- paths ---- */

static int user_path_long(struct user_path *p, u64 uaddr)
{
	char *s = kmalloc(PATH_MAX, 0);
	ssize_t n;

	if (!s)
		return -ENOMEM;
	n = strncpy_from_user(s, (const char __user *)uaddr, PATH_MAX);
	if (n < 0) {
		kfree(s);
		return (int)n;
	}
	p->str = s;
	return 0;
}

int user_path_get(struct user_path *p, u64 uaddr, bool empty_ok)
{
	ssize_t n = strncpy_from_user(p->small, (const char __user *)uaddr, sizeof(p->small));

	p->str = p->small;
	if (n == -ENAMETOOLONG)
		return user_path_long(p, uaddr);
	if (n < 0)
		return (int)n;
	return n == 0 && !empty_ok ? -ENOENT : 0;
}

void user_path_put(struct user_path *p)
{
	if (p->str != p->small)
		kfree(p->str);
	p->str = NULL;
}

static int at_file(struct at_path *a, u64 dirfd)
{
	a->file = NULL;
	if (a->path.str[0] == '/' || (int)dirfd == AT_FDCWD)
		return 0;
	a->file = file_get_any(dirfd);
	if (!a->file)
		return -EBADF;
	if (a->path.str[0] && (a->file->vnode->mode & S_IFMT) != S_IFDIR) {
		file_drop(a->file);
		return -ENOTDIR;
	}
	return 0;
}

int at_path_get(struct at_path *a, u64 dirfd, u64 upath, bool empty_ok)
{
	int err = user_path_get(&a->path, upath, empty_ok);

	if (err)
		return err;
	err = at_file(a, dirfd);
	if (err) {
		user_path_put(&a->path);
		return err;
	}
	a->cred = cred_get();
	a->ctx = (struct lookup_ctx){.fs = current_proc()->fs, .cred = a->cred, .at = a->file};
	return 0;
}

void at_path_put(struct at_path *a)
{
	ASSERT(a->path.str && a->cred);
	cred_drop(a->cred);
	if (a->file)
		file_drop(a->file);
	user_path_put(&a->path);
}

/* What AT_EMPTY_PATH means: the descriptor's own vnode, or the working directory. */
static int vnode_of_dirfd(u64 dirfd, struct vnode **out)
{
	struct fs_context *fs = current_proc()->fs;
	struct file *f;

	if ((int)dirfd == AT_FDCWD) {
		mutex_lock(&fs->lock);
		*out = path_vnode(&fs->cwd);
		vnode_hold(*out);
		mutex_unlock(&fs->lock);
		return 0;
	}
	f = file_get_any(dirfd);
	if (!f)
		return -EBADF;
	*out = f->vnode;
	vnode_hold(*out);
	file_drop(f);
	return 0;
}

static int vnode_of_path(struct at_path *a, unsigned flags, struct vnode **out)
{
	struct path p;
	int err = path_lookup(&a->ctx, a->path.str, flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW,
			      &p);

	if (err)
		return err;
	*out = path_vnode(&p);
	vnode_hold(*out);
	path_put(&p);
	return 0;
}

int vnode_at(u64 dirfd, u64 upath, unsigned flags, struct vnode **out, struct cred **cred)
{
	bool empty_ok = flags & AT_EMPTY_PATH;
	struct at_path a;
	int err;

	if (empty_ok && !upath) {
		err = vnode_of_dirfd(dirfd, out);
		if (!err && cred)
			*cred = cred_get();
		return err;
	}
	err = at_path_get(&a, dirfd, upath, empty_ok);
	if (err)
		return err;
	err = a.path.str[0] ? vnode_of_path(&a, flags, out) : vnode_of_dirfd(dirfd, out);
	if (!err && cred) {
		cred_hold(a.cred);
		*cred = a.cred;
	}
	at_path_put(&a);
	return err;
}

/* ---- buffers ---- */

/* Checks the pieces and cuts their sum. */
static int iov_check(struct user_iov *v, u32 n)
{
	u64 sum = 0;

	for (u32 i = 0; i < n; i++) {
		struct iovec_k *k = &v->vec[i];

		if ((s64)k->len < 0)
			return -EINVAL;
		if (!user_range_ok(k->base, k->len))
			return -EFAULT;
		k->len = MIN(k->len, MAX_RW_COUNT - sum);
		sum += k->len;
	}
	v->uio = (struct uio){.iov = v->vec, .niov = n, .left = sum};
	return 0;
}

int user_iov_get(struct user_iov *v, u64 uvec, u64 count)
{
	int err;

	if (count > IOV_MAX)
		return -EINVAL;
	v->vec = v->small;
	if (count > ARRAY_LEN(v->small)) {
		v->vec = kmalloc(count * sizeof(*v->vec), 0);
		if (!v->vec)
			return -ENOMEM;
	}
	err = copy_from_user(v->vec, (const void __user *)uvec, count * sizeof(*v->vec));
	if (!err)
		err = iov_check(v, (u32)count);
	if (err)
		user_iov_put(v);
	return err;
}

void user_iov_put(struct user_iov *v)
{
	if (v->vec != v->small)
		kfree(v->vec);
	v->vec = v->small;
}

int user_iov_one(struct user_iov *v, u64 buf, u64 len)
{
	if (unlikely(!user_range_ok(buf, len)))
		return -EFAULT;
	len = MIN(len, MAX_RW_COUNT);
	v->small[0] = (struct iovec_k){.base = buf, .len = len};
	v->vec = v->small;
	v->uio = (struct uio){.iov = v->vec, .niov = 1, .left = len};
	return 0;
}

/* ---- times ---- */

bool timespec_valid(const struct timespec_k *t)
{
	return t->sec >= 0 && t->nsec >= 0 && t->nsec < (s64)NSEC_PER_SEC;
}

u64 timespec_ns(const struct timespec_k *t)
{
	u64 ns;

	if (__builtin_mul_overflow((u64)t->sec, NSEC_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, (u64)t->nsec, &ns))
		return INT64_MAX;
	return MIN(ns, (u64)INT64_MAX);
}

/* ---- signal masks ---- */

int temp_mask_begin(struct temp_mask *m, u64 umask, u64 size)
{
	sigset_t set;

	m->set = false;
	if (!umask)
		return 0;
	if (size != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, (const void __user *)umask, sizeof(set)))
		return -EFAULT;
	m->old = signal_set_blocked(set & ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP)));
	m->set = true;
	return 0;
}

void temp_mask_end(struct temp_mask *m, bool interrupted)
{
	if (!m->set)
		return;
	if (!interrupted) {
		signal_set_blocked(m->old);
		return;
	}
	current_task()->saved_mask = m->old;
	__atomic_fetch_or(&current()->flags, TIF_RESTORE_MASK, __ATOMIC_RELAXED);
}
