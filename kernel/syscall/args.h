/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SYSCALL_ARGS_H
#define GNOMON_SYSCALL_ARGS_H

/* What the files of kernel/syscall share: the table, and the arguments that many calls have in common. */

#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/syscall/syscall.h"

#define SYSCALL_TABLE_SIZE 464
extern const syscall_fn syscall_table[SYSCALL_TABLE_SIZE]; /* NULL: no such call */
#if DEBUG
extern const char *const syscall_names[SYSCALL_TABLE_SIZE];
#endif

#define AT_FDCWD	    (-100)
#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_EACCESS	    0x200u
#define AT_REMOVEDIR	    0x200u
#define AT_SYMLINK_FOLLOW   0x400u
#define AT_NO_AUTOMOUNT	    0x800u
#define AT_EMPTY_PATH	    0x1000u
#define AT_STATX_SYNC_TYPE  0x6000u

#define PATH_MAX     4096
#define IOV_MAX	     1024
#define MAX_RW_COUNT 0x7ffff000UL /* a single transfer never moves more */

/* more capabilities(7), as in proc.h */
#define CAP_FOWNER	   3
#define CAP_SYS_CHROOT	   18
#define CAP_MKNOD	   27
#define CAP_SYS_TTY_CONFIG 26
#define CAP_SYSLOG	   34

/* The current process's credentials, held (cred_drop); no locks held but sleepable ones. */
static inline struct cred *cred_get(void)
{
	return proc_cred_hold(current_proc());
}

static inline bool cred_capable(const struct cred *c, unsigned cap)
{
	return c->caps >> cap & 1;
}

/* ---- descriptors ---- */

/* Both: held, NULL = EBADF.  file_get refuses O_PATH descriptors, as most calls do. */
static inline struct file *file_get_any(u64 fd)
{
	return fd_get(current_proc()->fds, (int)fd);
}
static inline struct file *file_get(u64 fd)
{
	struct file *f = file_get_any(fd);

	if (f && unlikely(f->flags & O_PATH)) {
		file_drop(f);
		return NULL;
	}
	return f;
}
/* A new descriptor for f, whose hold it takes over in any case (also when it fails). */
long fd_publish(struct file *f, bool cloexec);

/* ---- strings and paths ---- */

struct user_path {
	char small[120]; /* most paths fit */
	char *str;
};
/* 0; -EFAULT, -ENAMETOOLONG, -ENOMEM: nothing to free.  The empty path is -ENOENT unless empty_ok. */
int user_path_get(struct user_path *p, u64 uaddr, bool empty_ok);
void user_path_put(struct user_path *p);

/* A path argument of the *at calls with all that a lookup needs. */
struct at_path {
	struct user_path path;
	struct lookup_ctx ctx;
	struct cred *cred; /* held */
	struct file *file; /* held: dirfd, NULL if it does not matter */
};
/* Copies the path in and finds dirfd.  empty_ok: AT_EMPTY_PATH was given.  0, or -errno and nothing to free. */
int at_path_get(struct at_path *a, u64 dirfd, u64 upath, bool empty_ok);
void at_path_put(struct at_path *a);

/*
 * The vnode that (dirfd, path, AT_* flags) names, held; the cred of the caller in *cred, held, unless cred is NULL.
 * mnt (may be NULL) gets the mount, which lives as long as the vnode (NULL for nameless ones).
 * With AT_EMPTY_PATH and an empty or NULL path it is dirfd's own.
 */
int vnode_at(u64 dirfd, u64 upath, unsigned flags, struct vnode **out, struct cred **cred);

/* ---- buffers ---- */

struct user_iov {
	struct iovec_k small[8];
	struct iovec_k *vec;
	struct uio uio;
};
/* Copies in and checks a vector: -EINVAL (count, a negative length), -EFAULT, -ENOMEM; the sum is cut at MAX_RW_COUNT. */
int user_iov_get(struct user_iov *v, u64 uvec, u64 count);
void user_iov_put(struct user_iov *v);
/* One buffer. -EFAULT: not in the user half. */
int user_iov_one(struct user_iov *v, u64 buf, u64 len);

/* ---- times ---- */

struct timespec_k {
	s64 sec, nsec;
};
bool timespec_valid(const struct timespec_k *t);
u64 timespec_ns(const struct timespec_k *t); /* saturates */
/* The time_now() at which ns from now is over (never 0), and at which the realtime clock as set now shows ns (sys_time.c). */
u64 time_deadline(u64 ns);
u64 time_deadline_realtime(u64 ns);

/*
 * ppoll, pselect6, epoll_pwait: a signal mask for the time of the call.
 * begin: 0; -EFAULT, -EINVAL (size).  umask 0: none given.
 * end: puts the old mask back, at once or, when the call was interrupted, after the handler has run.
 */
struct temp_mask {
	sigset_t old;
	bool set;
};
int temp_mask_begin(struct temp_mask *m, u64 umask, u64 size);
void temp_mask_end(struct temp_mask *m, bool interrupted);

#endif
