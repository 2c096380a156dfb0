/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions that touch user memory.  Each is in .ex_table with the place to go when its fault could not be
 * resolved.  Callers (uaccess.c) have checked the range.  SUM is set around the copy only.
 *
 * Copies return how many bytes were not copied, exactly: a block of words that faults is redone byte by byte.
 */
#include "kernel/riscv/asm.h"


	.macro	exf lbl, insn:vararg
9990:	\insn
	.pushsection .ex_table, "a"
	.balign	8
	.dword	9990b, \lbl
	.popsection
	.endm

	.macro	copy64 at		/* through registers that nobody else uses here */
	exf	copy_fault, ld t0, \at + 0(a1)
	exf	copy_fault, ld t1, \at + 8(a1)
	exf	copy_fault, ld t3, \at + 16(a1)
	exf	copy_fault, ld t4, \at + 24(a1)
	exf	copy_fault, ld t5, \at + 32(a1)
	exf	copy_fault, ld t6, \at + 40(a1)
	exf	copy_fault, ld a4, \at + 48(a1)
	exf	copy_fault, ld a5, \at + 56(a1)
	exf	copy_fault, sd t0, \at + 0(a0)
	exf	copy_fault, sd t1, \at + 8(a0)
	exf	copy_fault, sd t3, \at + 16(a0)
	exf	copy_fault, sd t4, \at + 24(a0)
	exf	copy_fault, sd t5, \at + 32(a0)
	exf	copy_fault, sd t6, \at + 40(a0)
	exf	copy_fault, sd a4, \at + 48(a0)
	exf	copy_fault, sd a5, \at + 56(a0)
	.endm

	.section .text.hot, "ax"

	/*
	 * size_t uaccess_copy(void *dst, const void *src, size_t n): either side is user memory.
	 * a0 dst, a1 src, a2 n; a3 = SUM; returns the rest.
	 */
	.globl	uaccess_copy
	.balign	16
uaccess_copy:
	li	a3, SR_SUM
	csrs	sstatus, a3
	xor	t0, a0, a1
	or	t1, a0, a1
	li	t2, 16
	andi	t1, t1, 7
	bltu	a2, t2, copy_small
	beqz	t1, copy_words		/* both aligned */
	andi	t0, t0, 7
	bnez	t0, copy_shift		/* never aligned together */
1:	exf	copy_fault, lb t1, 0(a1)	/* up to 7 bytes to an aligned place */
	exf	copy_fault, sb t1, 0(a0)
	addi	a0, a0, 1
	addi	a1, a1, 1
	addi	a2, a2, -1
	andi	t0, a0, 7
	bnez	t0, 1b

copy_words:
	li	t2, 256
	bltu	a2, t2, 2f
1:	copy64	0
	copy64	64
	copy64	128
	copy64	192
	addi	a2, a2, -256
	addi	a0, a0, 256
	addi	a1, a1, 256
	bgeu	a2, t2, 1b
2:	li	t2, 64
	bltu	a2, t2, copy_tail_words
3:	copy64	0
	addi	a2, a2, -64
	addi	a0, a0, 64
	addi	a1, a1, 64
	bgeu	a2, t2, 3b
copy_tail_words:
	li	t2, 8
	bltu	a2, t2, copy_bytes
1:	exf	copy_fault, ld t0, 0(a1)
	exf	copy_fault, sd t0, 0(a0)
	addi	a2, a2, -8
	addi	a0, a0, 8
	addi	a1, a1, 8
	bgeu	a2, t2, 1b
	j	copy_bytes

copy_small:				/* fewer than 16: a word or two if aligned, then bytes */
	bnez	t1, copy_bytes
	andi	t0, a2, 8
	beqz	t0, 1f
	exf	copy_fault, ld t0, 0(a1)
	exf	copy_fault, sd t0, 0(a0)
	addi	a2, a2, -8
	addi	a0, a0, 8
	addi	a1, a1, 8
1:	andi	t0, a2, 4
	beqz	t0, copy_bytes
	exf	copy_fault, lw t0, 0(a1)
	exf	copy_fault, sw t0, 0(a0)
	addi	a2, a2, -4
	addi	a0, a0, 4
	addi	a1, a1, 4
copy_bytes:
	beqz	a2, copy_done
1:	exf	copy_fault, lb t0, 0(a1)
	exf	copy_fault, sb t0, 0(a0)
	addi	a2, a2, -1
	addi	a0, a0, 1
	addi	a1, a1, 1
	bnez	a2, 1b
copy_done:
	csrc	sstatus, a3
	li	a0, 0
	ret

	/* Different alignment: aligned stores of words put together from two aligned loads. */
copy_shift:
	andi	t0, a0, 7
	beqz	t0, 2f
1:	exf	copy_fault, lb t1, 0(a1)
	exf	copy_fault, sb t1, 0(a0)
	addi	a0, a0, 1
	addi	a1, a1, 1
	addi	a2, a2, -1
	andi	t0, a0, 7
	bnez	t0, 1b
2:	li	t2, 16
	bltu	a2, t2, copy_bytes
	andi	t3, a1, 7
	slli	t3, t3, 3		/* bits that the first word lacks */
	li	t4, 64
	sub	t4, t4, t3
	andi	a4, a1, -8
	exf	copy_fault, ld t5, 0(a4)
3:	exf	copy_fault, ld t6, 8(a4)	/* within the source: at least 16 bytes are left */
	srl	t0, t5, t3
	sll	t1, t6, t4
	or	t0, t0, t1
	exf	copy_fault, sd t0, 0(a0)
	mv	t5, t6
	addi	a4, a4, 8
	addi	a0, a0, 8
	addi	a1, a1, 8
	addi	a2, a2, -8
	bgeu	a2, t2, 3b
	j	copy_bytes

	/* Something faulted with a0, a1, a2 at the start of the block: bytes up to the one that cannot be copied. */
copy_fault:
	li	a3, SR_SUM
	csrs	sstatus, a3
	beqz	a2, 2f
1:	exf	copy_end, lb t0, 0(a1)
	exf	copy_end, sb t0, 0(a0)
	addi	a2, a2, -1
	addi	a0, a0, 1
	addi	a1, a1, 1
	bnez	a2, 1b
2:
copy_end:
	li	a3, SR_SUM
	csrc	sstatus, a3
	mv	a0, a2
	ret

	/* size_t uaccess_clear(void *dst, size_t n): the rest */
	.globl	uaccess_clear
	.balign	16
uaccess_clear:
	li	a3, SR_SUM
	csrs	sstatus, a3
1:	andi	t0, a0, 7
	beqz	t0, 2f
	beqz	a1, clear_end
	exf	clear_end, sb zero, 0(a0)
	addi	a0, a0, 1
	addi	a1, a1, -1
	j	1b
2:	li	t1, 64
	bltu	a1, t1, 4f
3:	exf	clear_bytes, sd zero, 0(a0)
	exf	clear_bytes, sd zero, 8(a0)
	exf	clear_bytes, sd zero, 16(a0)
	exf	clear_bytes, sd zero, 24(a0)
	exf	clear_bytes, sd zero, 32(a0)
	exf	clear_bytes, sd zero, 40(a0)
	exf	clear_bytes, sd zero, 48(a0)
	exf	clear_bytes, sd zero, 56(a0)
	addi	a0, a0, 64
	addi	a1, a1, -64
	bgeu	a1, t1, 3b
4:	li	t1, 8
	bltu	a1, t1, clear_bytes
	exf	clear_bytes, sd zero, 0(a0)
	addi	a0, a0, 8
	addi	a1, a1, -8
	j	4b
clear_bytes:
	beqz	a1, clear_end
	exf	clear_end, sb zero, 0(a0)
	addi	a0, a0, 1
	addi	a1, a1, -1
	j	clear_bytes
clear_end:
	csrc	sstatus, a3
	mv	a0, a1
	ret

	/* ssize_t uaccess_strncpy(char *dst, const char *src, size_t n): length without NUL, n if none found, -1 fault */
	.globl	uaccess_strncpy
	.balign	16
uaccess_strncpy:
	li	a3, SR_SUM
	csrs	sstatus, a3
	mv	a4, a0
	beqz	a2, 2f
1:	exf	str_fault, lb t0, 0(a1)
	sb	t0, 0(a0)
	beqz	t0, 2f
	addi	a0, a0, 1
	addi	a1, a1, 1
	addi	a2, a2, -1
	bnez	a2, 1b
2:	csrc	sstatus, a3
	sub	a0, a0, a4
	ret

	/* ssize_t uaccess_strnlen(const char *s, size_t n): as above, nothing copied */
	.globl	uaccess_strnlen
uaccess_strnlen:
	li	a3, SR_SUM
	csrs	sstatus, a3
	mv	a4, a0
	beqz	a1, 2f
1:	exf	str_fault, lb t0, 0(a0)
	beqz	t0, 2f
	addi	a0, a0, 1
	addi	a1, a1, -1
	bnez	a1, 1b
2:	csrc	sstatus, a3
	sub	a0, a0, a4
	ret
str_fault:
	csrc	sstatus, a3
	li	a0, -1
	ret

	/* int get_user_u32(u32 *out, const u32 __user *p), and so on: aligned, below USER_END, else -EFAULT */
	.macro	check_word reg, bytes
	andi	t0, \reg, \bytes - 1
	bnez	t0, word_bad
	li	t0, 0x3ffffff000 - \bytes
	bltu	t0, \reg, word_bad
	li	a3, SR_SUM
	.endm

	.globl	get_user_u32
get_user_u32:
	check_word a1, 4
	csrs	sstatus, a3
	exf	word_fault, lwu t1, 0(a1)
	csrc	sstatus, a3
	sw	t1, 0(a0)
	li	a0, 0
	ret

	.globl	get_user_u64
get_user_u64:
	check_word a1, 8
	csrs	sstatus, a3
	exf	word_fault, ld t1, 0(a1)
	csrc	sstatus, a3
	sd	t1, 0(a0)
	li	a0, 0
	ret

	.globl	put_user_u32
put_user_u32:
	check_word a1, 4
	csrs	sstatus, a3
	exf	word_fault, sw a0, 0(a1)
	csrc	sstatus, a3
	li	a0, 0
	ret

	.globl	put_user_u64
put_user_u64:
	check_word a1, 8
	csrs	sstatus, a3
	exf	word_fault, sd a0, 0(a1)
	csrc	sstatus, a3
	li	a0, 0
	ret

	/* int cmpxchg_user_u32(u32 __user *p, u32 expect, u32 new, u32 *seen) */
	.globl	cmpxchg_user_u32
cmpxchg_user_u32:
	mv	a4, a3
	check_word a0, 4
	sext.w	a1, a1
	csrs	sstatus, a3
1:	exf	word_fault, lr.w.aqrl t1, (a0)
	bne	t1, a1, 2f
	exf	word_fault, sc.w.rl t0, a2, (a0)
	bnez	t0, 1b
2:	csrc	sstatus, a3
	fence	rw, rw
	sw	t1, 0(a4)
	li	a0, 0
	ret

	/* int uaccess_touch(void *word) */
	.globl	uaccess_touch
uaccess_touch:
	li	a3, SR_SUM
	csrs	sstatus, a3
	exf	word_fault, amoadd.w zero, zero, (a0)
	csrc	sstatus, a3
	li	a0, 0
	ret

word_fault:
	csrc	sstatus, a3
word_bad:
	li	a0, -14			/* -EFAULT */
	ret

	/* int csr_probe_stimecmp(void): 0 if stimecmp can be written from S-mode */
	.section .text, "ax"
	.globl	csr_probe_stimecmp
csr_probe_stimecmp:
	li	t0, -1
	exf	1f, csrw 0x14d, t0
	li	a0, 0
	ret
1:	li	a0, -1
	ret
