/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry into the kernel and the way back.
 *
 * In user mode sscratch holds the thread, in the kernel 0, and tp holds the thread.  A trap from user mode builds its frame at
 * the fixed place that thread.kstack_top names; one from the kernel builds it below the stack pointer, after checking that
 * this still lies on the stack: else the guard page was run into, and the report is made on a stack of its own.
 *
 * s0-s11 are always saved (fork, signals and reports want the whole frame) but on the way back to user mode they are loaded only
 * on the slow path, as C code preserves them: who changes them in the frame sets TIF_RESTORE_ALL, or is called from
 * the notify loop, which is the slow path.  The kernel never touches gp, but user threads that it switches between do.
 */
#include "kernel/riscv/asm.h"

	.macro	save_rest		/* all but ra, sp, tp, t0 */
	sd	gp, 24(sp)
	sd	t1, 48(sp)
	sd	t2, 56(sp)
	sd	s0, 64(sp)
	sd	s1, 72(sp)
	sd	a0, 80(sp)
	sd	a1, 88(sp)
	sd	a2, 96(sp)
	sd	a3, 104(sp)
	sd	a4, 112(sp)
	sd	a5, 120(sp)
	sd	a6, 128(sp)
	sd	a7, 136(sp)
	sd	s2, 144(sp)
	sd	s3, 152(sp)
	sd	s4, 160(sp)
	sd	s5, 168(sp)
	sd	s6, 176(sp)
	sd	s7, 184(sp)
	sd	s8, 192(sp)
	sd	s9, 200(sp)
	sd	s10, 208(sp)
	sd	s11, 216(sp)
	sd	t3, 224(sp)
	sd	t4, 232(sp)
	sd	t5, 240(sp)
	sd	t6, 248(sp)
	.endm

	.macro	load_temporaries	/* what C does not preserve, but sp and tp */
	ld	ra, 8(sp)
	ld	t0, 40(sp)
	ld	t1, 48(sp)
	ld	t2, 56(sp)
	ld	a0, 80(sp)
	ld	a1, 88(sp)
	ld	a2, 96(sp)
	ld	a3, 104(sp)
	ld	a4, 112(sp)
	ld	a5, 120(sp)
	ld	a6, 128(sp)
	ld	a7, 136(sp)
	ld	t3, 224(sp)
	ld	t4, 232(sp)
	ld	t5, 240(sp)
	ld	t6, 248(sp)
	.endm

	.section .text.hot, "ax"
	.globl	trap_entry
	.balign	64
trap_entry:
	csrrw	tp, sscratch, tp
	beqz	tp, from_kernel

	sd	sp, THREAD_SCRATCH(tp)
	ld	sp, THREAD_KSTACK_TOP(tp)
	sd	ra, 8(sp)
	sd	t0, 40(sp)
	save_rest
	ld	t0, THREAD_SCRATCH(tp)
	csrrw	t1, sscratch, zero
	csrr	t2, sepc
	csrr	t3, sstatus
	csrr	t4, scause
	sd	t0, 16(sp)
	sd	t1, 32(sp)
	sd	t3, TF_STATUS(sp)
	li	t1, 8			/* ecall from user mode */
	bne	t4, t1, user_other

	/* a0-a5 and a7 still hold what the user put there, just as the functions of the table want them */
	addi	t2, t2, 4
	sd	t2, 0(sp)
	sd	a0, TF_ORIG_A0(sp)
	sd	a7, TF_SYSCALL_NR(sp)
	lla	t0, trap_syscalls
	ld	t1, 8(t0)		/* entries */
	bgeu	a7, t1, syscall_hook
	ld	t0, 0(t0)
	slli	t1, a7, 3
	add	t0, t0, t1
	ld	t0, 0(t0)
	beqz	t0, syscall_hook
	csrsi	sstatus, SR_SIE
	jalr	t0
	sd	a0, 80(sp)

to_user:				/* sp = the frame at kstack_top */
	csrci	sstatus, SR_SIE
	lw	t0, THREAD_FLAGS(tp)
	andi	t0, t0, TIF_SLOW_MASK
	bnez	t0, to_user_slow
	ld	t0, 0(sp)
	ld	t1, TF_STATUS(sp)
	csrw	sepc, t0
	csrw	sstatus, t1
	csrw	sscratch, tp
	ld	gp, 24(sp)		/* another user thread may have run here meanwhile */
	load_temporaries
	ld	tp, 32(sp)
	ld	sp, 16(sp)
	sret

syscall_hook:
	lla	t0, trap_hooks
	ld	t0, 0(t0)
	csrsi	sstatus, SR_SIE
	mv	a0, sp
	jalr	t0
	j	to_user

user_other:
	li	t1, -1
	mv	a1, t4
	csrr	a2, stval
	sd	t2, 0(sp)
	sd	t1, TF_SYSCALL_NR(sp)
	sd	a1, TF_CAUSE(sp)
	sd	a2, TF_TVAL(sp)
	mv	a0, sp
	call	trap_user		/* (frame, cause, tval) */
	j	to_user

to_user_slow:
	mv	a0, sp
	call	trap_notify		/* returns with interrupts off and nothing left to do */
	ld	t0, 0(sp)
	ld	t1, TF_STATUS(sp)
	csrw	sepc, t0
	csrw	sstatus, t1
	csrw	sscratch, tp
	ld	gp, 24(sp)
	ld	s0, 64(sp)
	ld	s1, 72(sp)
	ld	s2, 144(sp)
	ld	s3, 152(sp)
	ld	s4, 160(sp)
	ld	s5, 168(sp)
	ld	s6, 176(sp)
	ld	s7, 184(sp)
	ld	s8, 192(sp)
	ld	s9, 200(sp)
	ld	s10, 208(sp)
	ld	s11, 216(sp)
	load_temporaries
	ld	tp, 32(sp)
	ld	sp, 16(sp)
	sret

	/* void user_return_frame(struct trapframe *tf): tf is the frame at kstack_top */
	.globl	user_return_frame
user_return_frame:
	mv	sp, a0
	csrci	sstatus, SR_SIE
	j	to_user_slow

from_kernel:
	csrrw	tp, sscratch, zero	/* the thread back, and sscratch 0 again */
	sd	t0, THREAD_SCRATCH(tp)
	addi	sp, sp, -TF_SIZE
	ld	t0, THREAD_KSTACK(tp)
	bltu	sp, t0, 1f
	ld	t0, THREAD_SCRATCH(tp)
save_kernel:
	sd	ra, 8(sp)
	sd	t0, 40(sp)
	save_rest
	addi	t0, sp, TF_SIZE
	li	t1, SR_SUM
	csrrc	t1, sstatus, t1		/* a copy that is interrupted takes its SUM back on return */
	csrr	t2, sepc
	csrr	a1, scause
	csrr	a2, stval
	li	t3, -1
	sd	t0, 16(sp)
	sd	tp, 32(sp)
	sd	t2, 0(sp)
	sd	t1, TF_STATUS(sp)
	sd	a1, TF_CAUSE(sp)
	sd	a2, TF_TVAL(sp)
	sd	t3, TF_SYSCALL_NR(sp)
	mv	a0, sp
	call	trap_kernel		/* (frame, cause, tval); interrupts off on return */
	.globl	trap_kernel_ret		/* a backtrace knows this address: trap_kernel's frame pointer is its frame */
trap_kernel_ret:
	ld	t0, 0(sp)
	ld	t1, TF_STATUS(sp)
	csrw	sepc, t0
	csrw	sstatus, t1
	load_temporaries
	addi	sp, sp, TF_SIZE
	sret

1:	lla	t0, stack_overflow	/* too far for a jump in a large image; t0 is saved */
	jr	t0

	.section .text, "ax"
stack_overflow:
	lla	t0, overflow_owner
	amoswap.w.aq t0, tp, (t0)	/* the low half of a thread's address is never 0 */
	bnez	t0, 1f
	addi	t0, sp, TF_SIZE
	lla	sp, overflow_stack_top
	addi	sp, sp, -TF_SIZE
	sd	t0, 0(sp)		/* for a moment: the stack pointer as it was */
	ld	t0, THREAD_SCRATCH(tp)
	sd	ra, 8(sp)
	sd	t0, 40(sp)
	save_rest
	ld	t0, 0(sp)
	csrr	t1, sstatus
	csrr	t2, sepc
	csrr	t3, scause
	csrr	t4, stval
	sd	t0, 16(sp)
	sd	tp, 32(sp)
	sd	t2, 0(sp)
	sd	t1, TF_STATUS(sp)
	sd	t3, TF_CAUSE(sp)
	sd	t4, TF_TVAL(sp)
	mv	a0, sp
	call	trap_stack_overflow
1:	wfi
	j	1b

	.globl	trap_switch_overflow
trap_switch_overflow:
	lla	t0, overflow_owner
	amoswap.w.aq t0, tp, (t0)
	bnez	t0, 1b
	lla	sp, overflow_stack_top
	call	trap_stack_overflow

	.section .bss.page, "aw", @nobits
	.balign	4096
overflow_stack:
	.skip	8192
overflow_stack_top:
overflow_owner:
	.skip	8
