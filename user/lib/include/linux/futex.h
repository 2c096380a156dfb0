/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LINUX_FUTEX_H
#define _LINUX_FUTEX_H

#define FUTEX_WAIT	   0
#define FUTEX_WAKE	   1
#define FUTEX_REQUEUE	   3
#define FUTEX_CMP_REQUEUE  4
#define FUTEX_PRIVATE_FLAG 128
#define FUTEX_WAIT_PRIVATE (FUTEX_WAIT | FUTEX_PRIVATE_FLAG)
#define FUTEX_WAKE_PRIVATE (FUTEX_WAKE | FUTEX_PRIVATE_FLAG)

struct timespec;
/* FUTEX_WAIT: sleeps while *word == value. FUTEX_WAKE: wakes up to `value` sleepers. */
long futex(int *word, int op, int value, const struct timespec *timeout);

#endif
