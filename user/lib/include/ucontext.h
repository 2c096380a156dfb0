/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _UCONTEXT_H
#define _UCONTEXT_H

#include <signal.h>

/* General registers: [0] is the pc, [n] is xn. */
#define REG_PC 0
#define REG_RA 1
#define REG_SP 2
#define REG_GP 3
#define REG_TP 4
#define REG_A0 10

typedef struct {
	unsigned long __gregs[32];
	union {
		struct {
			unsigned long f[32];
			unsigned int fcsr;
		};
		unsigned long __quad[66];
	} __fpregs __attribute__((aligned(16)));
} mcontext_t;

typedef struct ucontext {
	unsigned long uc_flags;
	struct ucontext *uc_link;
	stack_t uc_stack;
	sigset_t uc_sigmask;
	unsigned char __sigmask_rest[1024 / 8 - sizeof(sigset_t)];
	mcontext_t uc_mcontext __attribute__((aligned(16)));
} ucontext_t;

#endif
