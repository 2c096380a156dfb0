/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/riscv/asm.h"

	.section .text.hot, "ax"
	/* struct thread *context_switch(struct context *prev, struct context *next, struct thread *next_thread) */
	.globl	context_switch
	.balign	16
context_switch:
	sc.d	zero, zero, (a0)	/* drops a reservation that prev may hold; ra overwrites it */
	sd	ra, 0(a0)
	sd	sp, 8(a0)
	sd	s0, 16(a0)
	sd	s1, 24(a0)
	sd	s2, 32(a0)
	sd	s3, 40(a0)
	sd	s4, 48(a0)
	sd	s5, 56(a0)
	sd	s6, 64(a0)
	sd	s7, 72(a0)
	sd	s8, 80(a0)
	sd	s9, 88(a0)
	sd	s10, 96(a0)
	sd	s11, 104(a0)
	mv	a0, tp
	mv	tp, a2
	ld	ra, 0(a1)
	ld	sp, 8(a1)
	ld	s0, 16(a1)
	ld	s1, 24(a1)
	ld	s2, 32(a1)
	ld	s3, 40(a1)
	ld	s4, 48(a1)
	ld	s5, 56(a1)
	ld	s6, 64(a1)
	ld	s7, 72(a1)
	ld	s8, 80(a1)
	ld	s9, 88(a1)
	ld	s10, 96(a1)
	ld	s11, 104(a1)
	ret

	/* A new thread's first instruction: a0 = the thread that ran before. */
	.globl	thread_trampoline
thread_trampoline:
	li	s0, 0
	call	thread_first

	.section .text, "ax"
	.option	push
	.option	arch, +d
	.globl	fpu_save
fpu_save:				/* void fpu_save(struct fpu_state *) */
	.irp	r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fsd	f\r, 8 * \r (a0)
	.endr
	frcsr	t0
	sw	t0, 256(a0)
	ret

	.globl	fpu_load
fpu_load:				/* void fpu_load(const struct fpu_state *) */
	.irp	r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fld	f\r, 8 * \r (a0)
	.endr
	lw	t0, 256(a0)
	fscsr	t0
	ret
	.option	pop
