/* SPDX-License-Identifier: BSD-2-Clause */
/* The first instruction of a program, and the calls that C cannot make. */
#include <sys/syscall.h>

	.section .text.start, "ax", @progbits
	.globl _start
	.type _start, @function
_start:
	.option push
	.option norelax
	la gp, __global_pointer$
	.option pop
	la tp, __main_tls
	mv a0, sp		/* argc, argv, 0, envp, 0, auxv */
	andi sp, sp, -16
	mv s0, zero		/* the frame chain ends here */
	mv ra, zero
	call __start_c
	ebreak

	.text
	/* pid_t vfork(void): the child runs on this very stack, so nothing may be saved there */
	.globl vfork
	.type vfork, @function
vfork:
	li a0, 0x4111		/* CLONE_VM | CLONE_VFORK | SIGCHLD */
	li a1, 0
	li a2, 0
	li a3, 0
	li a4, 0
	li a7, SYS_clone
	ecall
	bgez a0, 1f
	tail __sysret
1:	ret

	/* int clone(fn, stack, flags, arg, parent_tid, tls, child_tid) */
	.globl clone
	.type clone, @function
clone:
	andi a1, a1, -16
	addi a1, a1, -16
	sd a0, 0(a1)
	sd a3, 8(a1)
	mv a0, a2		/* flags; a1 is the stack already */
	mv a2, a4
	mv a3, a5
	mv a4, a6
	li a7, SYS_clone
	ecall
	beqz a0, 2f
	bltz a0, 1f
	ret
1:	tail __sysret
2:	ld a1, 0(sp)		/* the child */
	ld a0, 8(sp)
	mv s0, zero
	jalr a1
	li a7, SYS_exit
	ecall
	ebreak

	.section .note.GNU-stack, "", @progbits
