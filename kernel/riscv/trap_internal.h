/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_RISCV_TRAP_INTERNAL_H
#define GNOMON_RISCV_TRAP_INTERNAL_H

/* Between trap.S, trap.c, fpu.c, misaligned.c and boot/panic.c. */

#include "kernel/lib/types.h"

struct trapframe;

extern char trap_entry[], trap_kernel_ret[];
__noreturn void user_return_frame(struct trapframe *tf);
void trap_user(struct trapframe *tf, u64 cause, u64 tval);
void trap_kernel(struct trapframe *tf, u64 cause, u64 tval);
void trap_notify(struct trapframe *tf);
void trap_stack_overflow(struct trapframe *tf);
__noreturn void trap_switch_overflow(
	struct trapframe *tf); /* trap.S: there, on the overflow stack */
const char *trap_cause_name(u64 cause);

/* fpu.c: FS was off at an illegal instruction. True: it is an FP instruction and FS is on now, run it again. */
bool fpu_first_use(struct trapframe *tf, u32 insn);
/* misaligned.c: does the access in software; pc moved on. False: not possible (the address is not mapped, or unknown). */
bool misaligned_emulate(struct trapframe *tf, u64 addr);
/* misaligned.c: the instruction at a user pc, 2 or 4 bytes. False: not readable. */
bool user_insn(u64 pc, u32 *insn);
/* boot/panic.c: panic that reports these registers. */
__noreturn void panic_trap(struct trapframe *tf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
