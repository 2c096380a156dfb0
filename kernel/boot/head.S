/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First instructions.  The boot hart comes to _start with a0 = hart id and a1 = device tree; the others come to
 * secondary_start through SBI HSM, one at a time.  Both run at physical addresses with
 * translation off and reach the linked addresses by setting stvec to the target and letting the fetch after `csrw satp`
 * fault there, so no identity mapping is needed.
 */
#include "kernel/riscv/asm.h"

	.section .head, "ax"
	.option norvc
	.globl _start
_start:
	/* RISC-V boot image header, Documentation/arch/riscv/boot-image-header.rst */
	j	boot_hart
	nop
	.dword	0x200000		/* text_offset */
	.dword	_end - _start		/* image_size, bss included */
	.dword	0			/* flags: little endian */
	.word	2			/* version 0.2 */
	.word	0
	.dword	0
	.ascii	"RISCV\0\0\0"
	.ascii	"RSC\x05"
	.word	0
	.option rvc

boot_hart:
	csrw	sie, zero
	csrw	sip, zero
	csrw	satp, zero
	li	t0, SR_FS | SR_SUM | SR_SIE
	csrc	sstatus, t0
	csrw	sscratch, zero
	mv	s1, a0
	mv	s2, a1
	lla	t0, boot_lottery
	li	t1, 1
	amoadd.w.aqrl t0, t1, (t0)
	bnez	t0, late

	lla	t0, _bss
	lla	t1, _ebss
1:	sd	zero, 0(t0)
	addi	t0, t0, 8
	bltu	t0, t1, 1b

	lla	sp, boot_stack_top
	lla	s3, _start		/* load address */
	li	s0, 0
	mv	a0, s3
	mv	a1, s2
	call	early_map		/* returns satp */
	li	t1, KERNEL_BASE
	sub	t1, t1, s3		/* virtual - physical */
	lla	t0, 2f
	add	t0, t0, t1
	csrw	stvec, t0
	sfence.vma
	csrw	satp, a0
	.balign 4
2:	lla	t0, trap_entry
	csrw	stvec, t0
	lla	sp, boot_stack_top
	lla	tp, boot_thread
	li	s0, 0
	mv	a0, s1
	mv	a1, s2
	mv	a2, s3
	call	boot_main

	/*
	 * Firmware without HSM lets all harts in: the first wins, the others park.  But one that start_one() has just
	 * asked for may come here as well: OpenSBI 1.1 (sbi_hsm_hart_start) marks a hart as starting before it notes the address, and a
	 * hart that looks in between goes to the address the firmware itself began with.
	 */
late:
	mv	a0, s1
	j	secondary_start
park:
	wfi
	j	park

	.section .text
	.globl secondary_start
	.balign 4
secondary_start:				/* a0 = hart id */
	csrw	sie, zero
	csrw	sip, zero
	fence	rw, rw
	lla	t0, secondary_id
	ld	t0, 0(t0)
	bne	t0, a0, park		/* not asked for, or given up before it came */
	li	t0, SR_FS | SR_SUM | SR_SIE
	csrc	sstatus, t0
	csrw	sscratch, zero
	lla	t0, secondary_satp
	ld	t1, 0(t0)
	lla	t2, secondary_virtual
	ld	t2, 0(t2)
	csrw	stvec, t2
	sfence.vma
	csrw	satp, t1
	j	park			/* never fetched: the write above faults to stvec */

	.globl secondary_high
	.balign 4
secondary_high:				/* translated */
	lla	t0, trap_entry
	csrw	stvec, t0
	lla	tp, secondary_idle
	ld	tp, 0(tp)
	ld	sp, THREAD_KSTACK_TOP(tp)
	li	s0, 0
	call	secondary_main
	j	park

	.section .data
	.balign 8
boot_lottery:
	.dword	0
	.globl secondary_satp, secondary_virtual, secondary_id, secondary_idle
secondary_id:				/* the hart being started; -1: none */
	.dword	-1
secondary_idle:				/* its idle thread (virtual) */
	.dword	0
secondary_satp:
	.dword	0
secondary_virtual:
	.dword	0
