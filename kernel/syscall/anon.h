/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SYSCALL_ANON_H
#define GNOMON_SYSCALL_ANON_H

/* Descriptors without a file behind them: eventfd, timerfd, epoll. */

#include "kernel/syscall/args.h"

/* A descriptor for ops with file->data = data; flags: O_RDWR, O_NONBLOCK, O_CLOEXEC. On failure data stays the caller's. */
long anon_fd(const struct file_ops *ops, void *data, u32 flags);

/* The same without a descriptor; NULL: no memory. */
struct file *anon_file(const struct file_ops *ops, void *data, u32 flags);

#endif
