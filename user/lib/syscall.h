/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux system calls from C: arguments in a0..a5, number in a7, -errno in a0. */
#ifndef USER_LIB_SYSCALL_H
#define USER_LIB_SYSCALL_H

#include <sys/syscall.h>

static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = e;
	register long a5 __asm__("a5") = f;
	register long a7 __asm__("a7") = n;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
			 : "memory");
	return a0;
}

/* Turns -errno into errno and -1. */
long __sysret(long result);

#define SYS_ARG(x)					((long)(x))
#define SYS_PICK(_1, _2, _3, _4, _5, _6, _7, name, ...) name
#define SYS_1(n)					sys6(n, 0, 0, 0, 0, 0, 0)
#define SYS_2(n, a)					sys6(n, SYS_ARG(a), 0, 0, 0, 0, 0)
#define SYS_3(n, a, b)					sys6(n, SYS_ARG(a), SYS_ARG(b), 0, 0, 0, 0)
#define SYS_4(n, a, b, c)				sys6(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), 0, 0, 0)
#define SYS_5(n, a, b, c, d)				sys6(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), 0, 0)
#define SYS_6(n, a, b, c, d, e) \
	sys6(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), 0)
#define SYS_7(n, a, b, c, d, e, f) \
	sys6(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), SYS_ARG(f))
/* sys(name, args...): the kernel's answer as it is. */
#define sys(name, ...) sys_(SYS_##name, ##__VA_ARGS__)
#define sys_(...) \
	SYS_PICK(__VA_ARGS__, SYS_7, SYS_6, SYS_5, SYS_4, SYS_3, SYS_2, SYS_1, )(__VA_ARGS__)
/* call(name, args...): with errno set. */
#define call(name, ...) __sysret(sys(name, ##__VA_ARGS__))

#endif
