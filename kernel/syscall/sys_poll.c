// SPDX-License-Identifier: BSD-2-Clause
/*
 * ppoll and pselect6.  The files are held from the start of the call to its end: a poll table stands on their wait
 * queues.  Each turn scans all of them, standing on every queue; when none is ready the thread sleeps until one of the
 * queues is woken, leaves them and scans again.  No locks.
 */

#include "kernel/syscall/args.h"

struct pollfd_k {
	s32 fd;
	s16 events, revents;
};
BUILD_ASSERT(sizeof(struct pollfd_k) == 8);

/* One descriptor of the set while the call lasts. */
struct polled {
	struct file *file; /* held; NULL: none open */
	u32 want;
	u32 got;
};

struct poll_set {
	struct polled *p;
	u32 n;
};

static void poll_set_free(struct poll_set *s)
{
	for (u32 i = 0; i < s->n; i++) {
		if (s->p[i].file)
			file_drop(s->p[i].file);
	}
	kfree(s->p);
	s->p = NULL;
	s->n = 0;
}

/* Asks every file once; how many have something. */
static long poll_scan(struct poll_set *s, struct poll_table *pt)
{
	long ready = 0;

	for (u32 i = 0; i < s->n; i++) {
		struct polled *p = &s->p[i];

		if (!p->file)
			p->got &= POLLNVAL;
		else
			p->got = file_poll(p->file, ready ? NULL : pt) &
				 (p->want | POLLERR | POLLHUP);
		ready += p->got != 0;
	}
	return ready;
}

/* How many are ready; 0 at the deadline; -ERESTARTNOHAND, -ENOMEM. */
static long poll_sleep(struct poll_set *s, u64 deadline)
{
	struct poll_table *pt = poll_table_create();
	long ready;
	int err = 0;

	if (!pt)
		return -ENOMEM;
	while (!(ready = poll_scan(s, pt)) && !err) {
		err = poll_table_wait(pt, deadline);
		poll_table_reset(pt);
	}
	poll_table_free(pt);
	if (ready || err == -ETIMEDOUT)
		return ready;
	return err == -EINTR ? -ERESTARTNOHAND : err;
}

#define STICKY_TIMEOUTS 0x4000000u /* personality(2): what is left is not shown */

struct timeout {
	u64 deadline; /* time_now(); 0: none */
	bool now;     /* do not wait */
};

static int timeout_get(struct timeout *t, u64 uts)
{
	struct timespec_k ts;
	u64 ns, now = time_now();

	*t = (struct timeout){0};
	if (!uts)
		return 0;
	if (copy_from_user(&ts, (const void __user *)uts, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	ns = timespec_ns(&ts);
	t->now = ns == 0;
	t->deadline = MAX(MIN(now + ns, (u64)INT64_MAX), 1UL);
	return 0;
}

/* Shows what is left of the time, as Linux does.  A timeout that cannot be written back just is not. */
static long timeout_put(const struct timeout *t, u64 uts, long result)
{
	if (current_proc()->personality & STICKY_TIMEOUTS)
		return result;
	struct timespec_k ts;
	u64 now = time_now(), left;

	if (!uts)
		return result;
	left = t->now || now >= t->deadline ? 0 : t->deadline - now;
	ts = (struct timespec_k){.sec = (s64)(left / NSEC_PER_SEC),
				 .nsec = (s64)(left % NSEC_PER_SEC)};
	if (copy_to_user((void __user *)uts, &ts, sizeof(ts)) && result == -ERESTARTNOHAND)
		return -EINTR; /* starting again would wait the whole time */
	return result;
}

static long poll_wait_ready(struct poll_set *s, const struct timeout *t)
{
	long ready = poll_scan(s, NULL);

	return ready || t->now ? ready : poll_sleep(s, t->deadline);
}

/* ---- ppoll ---- */

static int poll_set_from_fds(struct poll_set *s, const struct pollfd_k *fds, u32 n)
{
	s->p = kzalloc(MAX(n, 1u) * sizeof(*s->p));
	s->n = 0;
	if (!s->p)
		return -ENOMEM;
	for (u32 i = 0; i < n; i++) {
		struct polled *p = &s->p[i];

		p->want = (u16)fds[i].events;
		if (fds[i].fd < 0)
			continue;
		p->file = file_get_any((u64)fds[i].fd);
		if (!p->file || (p->file->flags & O_PATH))
			p->got = POLLNVAL;
		if (p->file && p->got) {
			file_drop(p->file);
			p->file = NULL;
		}
	}
	s->n = n;
	return 0;
}

/* Only revents is written. */
static int pollfds_put(struct pollfd_k *fds, const struct poll_set *s, u64 ufds)
{
	for (u32 i = 0; i < s->n; i++) {
		u64 at = ufds + i * sizeof(*fds) + offsetof(struct pollfd_k, revents);

		fds[i].revents = (s16)s->p[i].got;
		if (copy_to_user((void __user *)at, &fds[i].revents, sizeof(fds[i].revents)))
			return -EFAULT;
	}
	return 0;
}

static long poll_fds(u64 ufds, u32 n, const struct timeout *t)
{
	size_t bytes = n * sizeof(struct pollfd_k);
	struct pollfd_k *fds = kmalloc(MAX(bytes, 8UL), 0);
	struct poll_set s = {0};
	long r = -ENOMEM;

	if (!fds)
		return -ENOMEM;
	r = copy_from_user(fds, (const void __user *)ufds, bytes);
	if (!r)
		r = poll_set_from_fds(&s, fds, n);
	if (!r)
		r = poll_wait_ready(&s, t);
	if (r >= 0 && pollfds_put(fds, &s, ufds))
		r = -EFAULT;
	poll_set_free(&s);
	kfree(fds);
	return r;
}

SYSCALL5(ppoll, ufds, n, uts, umask, masksize)
{
	struct temp_mask mask;
	struct timeout t;
	long r = timeout_get(&t, uts);

	if (r)
		return r;
	r = temp_mask_begin(&mask, umask, masksize);
	if (r)
		return r;
	r = (u32)n > proc_rlimit(RLIMIT_NOFILE) ? -EINVAL : poll_fds(ufds, (u32)n, &t);
	temp_mask_end(&mask, r == -ERESTARTNOHAND);
	return timeout_put(&t, uts, r);
}

/* ---- pselect6 ---- */

#define SELECT_MAX (1u << 20)

/* The three sets, in the user's order: read, write, except; each `words` long in one block of memory. */
struct select_sets {
	u64 ubits[3];
	u64 *bits;
	u32 n, words;
};

static const u32 select_want[3] = {POLLIN | POLLRDNORM, POLLOUT | POLLWRNORM, POLLPRI};
static const u32 select_true[3] = {
	POLLIN | POLLRDNORM | POLLHUP | POLLERR,
	POLLOUT | POLLWRNORM | POLLERR,
	POLLPRI,
};

static u64 *select_set(const struct select_sets *s, unsigned k)
{
	return s->bits + k * s->words;
}

static bool select_bit(const struct select_sets *s, unsigned k, u32 fd)
{
	return select_set(s, k)[fd / 64] >> (fd % 64) & 1;
}

static int select_get(struct select_sets *s)
{
	s->words = DIV_ROUND_UP(s->n, 64u);
	s->bits = kzalloc(MAX(3 * s->words, 1u) * sizeof(u64));
	if (!s->bits)
		return -ENOMEM;
	for (unsigned k = 0; k < 3; k++) {
		if (s->ubits[k] &&
		    copy_from_user(select_set(s, k), (const void __user *)s->ubits[k],
				   s->words * sizeof(u64)))
			return -EFAULT;
	}
	return 0;
}

static u32 select_wants(const struct select_sets *s, u32 fd)
{
	u32 want = 0;

	for (unsigned k = 0; k < 3; k++) {
		if (select_bit(s, k, fd))
			want |= select_want[k];
	}
	return want;
}

static int poll_set_from_bits(struct poll_set *ps, const struct select_sets *s, u32 *fd_of)
{
	for (u32 fd = 0; fd < s->n; fd++) {
		u32 want = select_wants(s, fd);
		struct polled *p = &ps->p[ps->n];

		if (!want)
			continue;
		p->file = file_get(fd);
		if (!p->file)
			return -EBADF;
		p->want = want;
		fd_of[ps->n++] = fd;
	}
	return 0;
}

/* Bits of the sets that were asked for and are true; how many. */
static long select_result(struct select_sets *s, const struct poll_set *ps, const u32 *fd_of)
{
	long count = 0;

	for (u32 i = 0; i < ps->n; i++) {
		u32 fd = fd_of[i];

		for (unsigned k = 0; k < 3; k++) {
			if (!select_bit(s, k, fd))
				continue;
			if (ps->p[i].got & select_true[k])
				count++;
			else
				select_set(s, k)[fd / 64] &= ~(1UL << (fd % 64));
		}
	}
	return count;
}

static int select_put(const struct select_sets *s)
{
	for (unsigned k = 0; k < 3; k++) {
		if (s->ubits[k] && copy_to_user((void __user *)s->ubits[k], select_set(s, k),
						s->words * sizeof(u64)))
			return -EFAULT;
	}
	return 0;
}

static long select_run(struct select_sets *s, const struct timeout *t)
{
	struct poll_set ps = {.p = kzalloc(MAX(s->n, 1u) * sizeof(*ps.p))};
	u32 *fd_of = kmalloc(MAX(s->n, 1u) * sizeof(*fd_of), 0);
	long r = -ENOMEM;

	if (ps.p && fd_of)
		r = poll_set_from_bits(&ps, s, fd_of);
	if (!r)
		r = poll_wait_ready(&ps, t);
	if (r >= 0) {
		r = select_result(s, &ps, fd_of);
		if (select_put(s))
			r = -EFAULT;
	}
	poll_set_free(&ps);
	kfree(fd_of);
	return r;
}

/* Descriptors beyond the highest open one are not looked at, as on Linux. */
static u32 select_limit(u32 n)
{
	struct fdtable *t = current_proc()->fds;
	u32 top = 0;

	for (int fd = fd_next(t, 0); fd >= 0 && (u32)fd < n; fd = fd_next(t, fd + 1))
		top = (u32)fd + 1;
	return MIN(n, MAX(ALIGN_UP(top, 64u), 256u));
}

SYSCALL6(pselect6, n, rd, wr, ex, uts, umaskarg)
{
	struct select_sets s = {.ubits = {rd, wr, ex}};
	struct temp_mask mask;
	struct timeout t;
	u64 m[2] = {0, 0}; /* the mask's address and size */
	long r;

	if (umaskarg && copy_from_user(m, (const void __user *)umaskarg, sizeof(m)))
		return -EFAULT;
	r = timeout_get(&t, uts);
	if (!r)
		r = (s32)n < 0 ? -EINVAL : temp_mask_begin(&mask, m[0], m[1]);
	if (r)
		return r;
	s.n = select_limit(MIN((u32)n, SELECT_MAX));
	r = select_get(&s);
	if (!r)
		r = select_run(&s, &t);
	kfree(s.bits);
	temp_mask_end(&mask, r == -ERESTARTNOHAND);
	return timeout_put(&t, uts, r);
}
