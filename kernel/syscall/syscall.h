/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SYSCALL_H
#define GNOMON_SYSCALL_H

/*
 * System calls: decode and check arguments, then call down.  One function per call, `long sys_NAME(u64 a0, .. u64 a5)` through the
 * macros below, collected in table.c by number (nr.def: SYSCALL(nr, name)). Returns a value or -errno.
 */

#include "kernel/proc/proc.h"
#include "kernel/riscv/uaccess.h"

typedef long (*syscall_fn)(u64, u64, u64, u64, u64, u64);

#define SYSCALL0(n)                                                                          \
	long sys_##n(u64 a0_ __unused, u64 a1_ __unused, u64 a2_ __unused, u64 a3_ __unused, \
		     u64 a4_ __unused, u64 a5_ __unused)
#define SYSCALL1(n, a)                                                            \
	long sys_##n(u64 a, u64 a1_ __unused, u64 a2_ __unused, u64 a3_ __unused, \
		     u64 a4_ __unused, u64 a5_ __unused)
#define SYSCALL2(n, a, b)                                                                \
	long sys_##n(u64 a, u64 b, u64 a2_ __unused, u64 a3_ __unused, u64 a4_ __unused, \
		     u64 a5_ __unused)
#define SYSCALL3(n, a, b, c) \
	long sys_##n(u64 a, u64 b, u64 c, u64 a3_ __unused, u64 a4_ __unused, u64 a5_ __unused)
#define SYSCALL4(n, a, b, c, d) \
	long sys_##n(u64 a, u64 b, u64 c, u64 d, u64 a4_ __unused, u64 a5_ __unused)
#define SYSCALL5(n, a, b, c, d, e)    long sys_##n(u64 a, u64 b, u64 c, u64 d, u64 e, u64 a5_ __unused)
#define SYSCALL6(n, a, b, c, d, e, f) long sys_##n(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)

#define SYSCALL(nr, name) long sys_##name(u64, u64, u64, u64, u64, u64);
#include "kernel/syscall/nr.def"
#undef SYSCALL

void syscall_dispatch(struct trapframe *tf); /* trap_hooks.syscall */

#endif
