// SPDX-License-Identifier: BSD-2-Clause
/*
 * Scattered buffers of user programs (or of the kernel) and copies to and from them.  A uio belongs to the calling thread.
 * The _nofault forms touch only what is mapped now: they may be used while a page is BUSY or a spin lock is held.
 */
#include "fs/vfs/vfs_internal.h"

typedef size_t (*copy_fn)(u64 user, void *buf, size_t n); /* bytes not copied */

static size_t to_user(u64 user, void *buf, size_t n)
{
	return copy_to_user_partial((void __user *)user, buf, n);
}
static size_t from_user(u64 user, void *buf, size_t n)
{
	return copy_from_user_partial(buf, (const void __user *)user, n);
}
static size_t to_user_nofault(u64 user, void *buf, size_t n)
{
	return copy_to_user_nofault((void __user *)user, buf, n);
}
static size_t from_user_nofault(u64 user, void *buf, size_t n)
{
	return copy_from_user_nofault(buf, (const void __user *)user, n);
}
static size_t to_kernel(u64 base, void *buf, size_t n)
{
	memcpy((void *)base, buf, n);
	return 0;
}
static size_t from_kernel(u64 base, void *buf, size_t n)
{
	memcpy(buf, (const void *)base, n);
	return 0;
}

static inline void advance(struct uio *u, size_t n)
{
	u->left -= n;
	u->cur_off += n;
	if (u->cur_off == u->iov[u->cur].len && u->cur + 1 < u->niov) {
		u->cur++;
		u->cur_off = 0;
	}
}

void uio_rewind(struct uio *u, size_t n)
{
	u->left += n;
	while (n) {
		size_t part = MIN(n, u->cur_off);

		u->cur_off -= part;
		n -= part;
		if (n) {
			ASSERT(u->cur > 0);
			u->cur--;
			u->cur_off = u->iov[u->cur].len;
		}
	}
}

void uio_skip(struct uio *u, size_t n)
{
	while (n) {
		size_t part = MIN(n, u->iov[u->cur].len - u->cur_off);

		advance(u, part);
		n -= part;
	}
}

static inline size_t move(struct uio *u, void *buf, size_t n, copy_fn copy)
{
	size_t done = 0;

	ASSERT(n <= u->left);
	while (done < n) {
		const struct iovec_k *v = &u->iov[u->cur];
		size_t part = MIN(n - done, v->len - u->cur_off), left;

		left = part ? copy(v->base + u->cur_off, (char *)buf + done, part) : 0;
		advance(u, part - left);
		done += part - left;
		if (left)
			break;
	}
	return done;
}

size_t uio_to(struct uio *u, const void *buf, size_t n)
{
	const struct iovec_k *v = &u->iov[u->cur];

	if (likely(!u->kernel && v->len - u->cur_off >= n)) { /* all in one piece */
		n -= copy_to_user_partial((void __user *)(v->base + u->cur_off), buf, n);
		advance(u, n);
		return n;
	}
	return unlikely(u->kernel) ? move(u, (void *)buf, n, to_kernel)
				   : move(u, (void *)buf, n, to_user);
}

size_t uio_from(struct uio *u, void *buf, size_t n)
{
	const struct iovec_k *v = &u->iov[u->cur];

	if (likely(!u->kernel && v->len - u->cur_off >= n)) {
		n -= copy_from_user_partial(buf, (const void __user *)(v->base + u->cur_off), n);
		advance(u, n);
		return n;
	}
	return unlikely(u->kernel) ? move(u, buf, n, from_kernel) : move(u, buf, n, from_user);
}

size_t uio_to_nofault(struct uio *u, const void *buf, size_t n)
{
	return unlikely(u->kernel) ? move(u, (void *)buf, n, to_kernel)
				   : move(u, (void *)buf, n, to_user_nofault);
}

size_t uio_from_nofault(struct uio *u, void *buf, size_t n)
{
	return unlikely(u->kernel) ? move(u, buf, n, from_kernel)
				   : move(u, buf, n, from_user_nofault);
}

static int fault_in(u64 base, size_t n, bool writable)
{
	return writable ? fault_in_writable((void __user *)base, n)
			: fault_in_readable((const void __user *)base, n);
}

int uio_fault_in(struct uio *u, size_t n, bool for_write_to_user)
{
	u64 off = u->cur_off;
	bool any = false;

	if (u->kernel)
		return 0;
	for (u32 i = u->cur; i < u->niov && n; i++, off = 0) {
		const struct iovec_k *v = &u->iov[i];
		size_t part = MIN(n, v->len - off);

		if (!part)
			continue;
		if (fault_in(v->base + off, part, for_write_to_user)) {
			if (!any && fault_in(v->base + off, 1, for_write_to_user))
				return -EFAULT;
			return 0;
		}
		any = true;
		n -= part;
	}
	return 0;
}

void uio_init_kernel(struct uio *u, struct iovec_k *iov, void *buf, size_t n)
{
	*iov = (struct iovec_k){.base = (u64)buf, .len = n};
	*u = (struct uio){.iov = iov, .niov = 1, .left = n, .kernel = true};
}
