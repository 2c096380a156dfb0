/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_RISCV_TRAPFRAME_H
#define GNOMON_RISCV_TRAPFRAME_H

#include "kernel/lib/types.h"

/*
 * Registers at a trap: x[0] holds the pc, x[1]..x[31] the integer registers, in the order of Linux's
 * user_regs_struct (arch/riscv/include/uapi/asm/ptrace.h), so that the first 256 bytes are what a signal frame holds.
 */
struct trapframe {
	u64 x[32];   /* x[0] is sepc */
	u64 status;  /* sstatus */
	u64 cause;   /* scause */
	u64 tval;    /* stval */
	u64 orig_a0; /* a0 at a system call, for restarting; -1 outside one? see syscall_nr */
	s64 syscall_nr; /* the call being made, -1: not in a system call (exceptions, or restart already settled) */
	u64 pad; /* keeps 16-byte alignment */
};

enum {
	REG_PC,
	REG_RA,
	REG_SP,
	REG_GP,
	REG_TP,
	REG_T0,
	REG_T1,
	REG_T2,
	REG_S0,
	REG_S1,
	REG_A0,
	REG_A1,
	REG_A2,
	REG_A3,
	REG_A4,
	REG_A5,
	REG_A6,
	REG_A7,
	REG_S2,
	REG_S11 = 27,
	REG_T3,
	REG_T4,
	REG_T5,
	REG_T6
};

/* what context_switch saves: ra, sp, s0-s11 */
struct context {
	u64 ra, sp, s[12];
};

/* D extension state, in the layout of Linux's __riscv_d_ext_state */
struct fpu_state {
	u64 f[32];
	u32 fcsr;
};

/* Saves into prev, loads next (switch.S). */
struct thread;
struct thread *context_switch(struct context *prev, struct context *next,
			      struct thread *next_thread);
__noreturn void user_return(struct trapframe *tf); /* trap.S: to user mode with these registers */
void fpu_save(struct fpu_state *f);
void fpu_load(const struct fpu_state *f);
/* Makes current's FP state be in current->fpu (saves if live); NULL if it never used FP. For fork, signals. */
struct fpu_state *fpu_sync(void);
/* Replaces current's FP state (sigreturn): the registers no longer count once fpu_set_begin has told where the new state is to be
 * written (NULL: no memory), until fpu_set_end loads it.  Between them the thread may sleep. */
struct fpu_state *fpu_set_begin(void);
void fpu_set_end(void);
int fpu_set(const struct fpu_state *f); /* both at once: 0 or -ENOMEM */
void fpu_reset(void);			/* exec: back to never used */

/* kernel/proc and kernel/syscall plug in here; called with interrupts on. */
struct trap_hooks {
	void (*syscall)(struct trapframe *tf); /* ecall from user mode; pc already advanced */
	/* user exceptions other than page faults: signal and code as Linux; addr = si_addr */
	void (*user_fault)(struct trapframe *tf, int sig, int code, u64 addr);
	/* a page fault on a user address from user mode, or from uaccess (tf->status & SPP): 0 = resolved, else -errno; fault access
	 * in `access`: 1 read, 2 write, 4 execute. On error from user mode the hook itself has raised the signal. */
	int (*page_fault)(struct trapframe *tf, u64 addr, unsigned access, bool user);
	void (*notify)(struct trapframe *tf); /* TIF_SIGNAL/TIF_EXIT set on the way to user mode */
};
void trap_set_hooks(const struct trap_hooks *h);
/*
 * System calls by number: those whose entry is not NULL are called straight from trap.S, with orig_a0 and syscall_nr set, and
 * their result goes to a0; the others, and all without a table, go to trap_hooks.syscall.
 */
typedef long (*trap_syscall_fn)(u64, u64, u64, u64, u64, u64);
void trap_set_syscalls(const trap_syscall_fn *table, u64 n);
/* A system call that changes s0-s11 or gp in the trapframe sets TIF_RESTORE_ALL on current, else they are not loaded. */
/* Gives a new thread a copy of current's FP state (fork). 0 or -ENOMEM. */
int fpu_fork(struct thread *child);
/* For the scheduler, interrupts off. */
void fpu_switch(struct thread *prev, struct thread *next);
/* Where the current thread is inside an interrupt or exception from the kernel: that frame, for reports. */
void trap_report(const struct trapframe *tf);

#endif
