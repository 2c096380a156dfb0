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
