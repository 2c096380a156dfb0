/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SYSCALL_PIDFD_H
#define GNOMON_SYSCALL_PIDFD_H

/* Descriptors of processes. */

#include "kernel/syscall/anon.h"

/* A file for p, which it holds; flags: O_NONBLOCK. NULL: no memory. */
struct file *pidfd_file(struct process *p, u32 flags);
/* The process id behind a descriptor, or -EBADF. */
s32 pidfd_pid(u64 fd);

#endif
