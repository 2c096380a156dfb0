// SPDX-License-Identifier: BSD-2-Clause
/*
 * futex(2): the argument whose meaning depends on the operation is sorted out here.
 */
#include "kernel/syscall/args.h"

#define FUTEX_CLOCK_REALTIME 256
#define FUTEX_CMD_MASK	     (~(128 | FUTEX_CLOCK_REALTIME))
enum { FUTEX_WAIT = 0, FUTEX_WAIT_BITSET = 9 };

static int get_deadline(int op, u64 utime, u64 *deadline)
{
	struct timespec_k ts;
	u64 ns;

	if (copy_from_user(&ts, (void __user *)utime, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	ns = timespec_ns(&ts);
	if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT)
		*deadline = time_deadline(ns);
	else if (op & FUTEX_CLOCK_REALTIME)
		*deadline = time_deadline_realtime(ns);
	else
		*deadline = MAX(ns, 1UL);
	return 0;
}

SYSCALL6(futex, uaddr, op, val, arg4, uaddr2, val3)
{
	int cmd = (int)op & FUTEX_CMD_MASK;
	struct futex_args a = {
		.uaddr = uaddr,
		.uaddr2 = uaddr2,
		.op = (int)op,
		.val = (u32)val,
		.val2 = (u32)arg4,
		.val3 = (u32)val3,
		.deadline = FUTEX_NO_TIMEOUT,
	};
	int err;

	if (arg4 && (cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET)) {
		err = get_deadline((int)op, arg4, &a.deadline);
		if (err)
			return err;
	}
	return futex(&a);
}

/* ---- futex_waitv ---- */

#define FUTEX2_SIZE_MASK 3u
#define FUTEX2_SIZE_U32	 2u
#define FUTEX2_PRIVATE	 128u
#define FUTEX_WAITV_MAX	 128

struct futex_waitv_k {
	u64 val, uaddr;
	u32 flags, reserved;
};

static int get_waitv(struct futex_one *v, u64 uvec, u32 n)
{
	struct futex_waitv_k k;

	for (u32 i = 0; i < n; i++) {
		if (copy_from_user(&k, (struct futex_waitv_k __user *)uvec + i, sizeof(k)))
			return -EFAULT;
		if ((k.flags & ~(FUTEX2_SIZE_MASK | FUTEX2_PRIVATE)) || k.reserved ||
		    (k.flags & FUTEX2_SIZE_MASK) != FUTEX2_SIZE_U32 || k.val > UINT32_MAX)
			return -EINVAL;
		v[i] = (struct futex_one){k.uaddr, (u32)k.val, !(k.flags & FUTEX2_PRIVATE)};
	}
	return 0;
}

/* The timeout is absolute, on the clock given. */
static int waitv_deadline(u64 utime, s32 clock, u64 *deadline)
{
	struct timespec_k ts;

	*deadline = FUTEX_NO_TIMEOUT;
	if (!utime)
		return 0;
	if (clock != 0 && clock != 1) /* CLOCK_REALTIME, CLOCK_MONOTONIC */
		return -EINVAL;
	if (copy_from_user(&ts, (void __user *)utime, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	*deadline = clock ? MAX(timespec_ns(&ts), 1UL) : time_deadline_realtime(timespec_ns(&ts));
	return 0;
}

SYSCALL5(futex_waitv, uvec, n, flags, utime, clock)
{
	struct futex_one *v;
	u64 deadline;
	long ret;

	if (flags || !(u32)n || (u32)n > FUTEX_WAITV_MAX || !uvec)
		return -EINVAL;
	ret = waitv_deadline(utime, (s32)clock, &deadline);
	if (ret)
		return ret;
	v = kmalloc((u32)n * sizeof(*v), 0);
	if (!v)
		return -ENOMEM;
	ret = get_waitv(v, uvec, (u32)n);
	if (!ret)
		ret = futex_wait_any(v, (u32)n, deadline);
	kfree(v);
	return ret;
}
