/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vDSO: a complete ELF shared object of one page, written out by hand, which vdso.c copies to a page of its own and every
 * program has mapped.  The page before it (struct vvar in vdso.c) holds what turns the time CSR into nanoseconds.
 *
 * The layout is what a C library's loader reads: program headers, dynamic section, symbol table with hash and version
 * LINUX_4.15.  Everything is position-independent; code finds the data page from its own address, so it must lie in
 * the first page of the image.
 *
 * rt_sigreturn's two instructions are what unwinders recognise a signal frame by: they stay as they are.
 */
	.option	norelax
	.option	norvc

#define NR_rt_sigreturn	     139
#define NR_clock_gettime     113
#define NR_clock_getres	     114
#define NR_getcpu	     168
#define NR_gettimeofday	     169
#define NR_riscv_flush_icache 259

/* struct vvar */
#define VV_SEQ	  0
#define VV_SHIFT  4
#define VV_MULT	  8
#define VV_REAL	  16

/* CLOCK_REALTIME, MONOTONIC, MONOTONIC_RAW, REALTIME_COARSE, MONOTONIC_COARSE, BOOTTIME */
#define CLOCKS	  0xf3
#define CLOCKS_REAL 0x21

	.section .rodata.vdso, "a"
	.balign	4096
	.globl	vdso_start
vdso_start:
	/* ELF header */
	.byte	0x7f, 'E', 'L', 'F', 2, 1, 1, 0
	.dword	0
	.half	3			/* ET_DYN */
	.half	243			/* EM_RISCV */
	.word	1
	.dword	0			/* entry */
	.dword	phdrs - vdso_start
	.dword	0			/* no sections */
	.word	5			/* RVC, double-float ABI */
	.half	64, 56, 2, 64, 0, 0

phdrs:
	.word	1, 5			/* PT_LOAD, R X */
	.dword	0, 0, 0, vdso_end - vdso_start, vdso_end - vdso_start, 4096
	.word	2, 4			/* PT_DYNAMIC, R */
	.dword	dynamic - vdso_start, dynamic - vdso_start, dynamic - vdso_start
	.dword	dynamic_end - dynamic, dynamic_end - dynamic, 8

dynamic:
	.dword	14, str_soname - strings	/* DT_SONAME */
	.dword	4, hash - vdso_start		/* DT_HASH */
	.dword	5, strings - vdso_start		/* DT_STRTAB */
	.dword	6, symbols - vdso_start		/* DT_SYMTAB */
	.dword	10, strings_end - strings	/* DT_STRSZ */
	.dword	11, 24				/* DT_SYMENT */
	.dword	0x6ffffffc, verdef - vdso_start	/* DT_VERDEF */
	.dword	0x6ffffffd, 2			/* DT_VERDEFNUM */
	.dword	0x6ffffff0, versym - vdso_start	/* DT_VERSYM */
	.dword	0, 0
dynamic_end:

	/* one bucket: symbol 1, then 2, ... */
hash:
	.word	1, 7
	.word	1
	.word	0, 2, 3, 4, 5, 6, 0

	.macro	symbol name
	.word	str_\name - strings
	.byte	0x12, 0			/* GLOBAL FUNC, DEFAULT */
	.half	1			/* any section but 0: defined */
	.dword	vdso_\name - vdso_start
	.dword	vdso_\name\()_end - vdso_\name
	.endm

	.balign	8
symbols:
	.dword	0, 0, 0
	symbol	rt_sigreturn
	symbol	clock_gettime
	symbol	gettimeofday
	symbol	clock_getres
	symbol	getcpu
	symbol	flush_icache

versym:
	.half	0, 2, 2, 2, 2, 2, 2
	.balign	8

verdef:
	.half	1, 1, 1, 1		/* version 1, base, index 1, one name */
	.word	233750433		/* hash of the soname */
	.word	20, 28
	.word	str_soname - strings, 0
	.half	1, 0, 2, 1
	.word	182943605		/* hash of LINUX_4.15 */
	.word	20, 0
	.word	str_version - strings, 0

strings:
	.byte	0
str_soname:
	.asciz	"linux-vdso.so.1"
str_version:
	.asciz	"LINUX_4.15"
str_rt_sigreturn:
	.asciz	"__vdso_rt_sigreturn"
str_clock_gettime:
	.asciz	"__vdso_clock_gettime"
str_gettimeofday:
	.asciz	"__vdso_gettimeofday"
str_clock_getres:
	.asciz	"__vdso_clock_getres"
str_getcpu:
	.asciz	"__vdso_getcpu"
str_flush_icache:
	.asciz	"__vdso_flush_icache"
strings_end:

	.balign	16
	nop				/* unwinders look up the address before the one returned to */
vdso_rt_sigreturn:
	li	a7, NR_rt_sigreturn
	ecall
vdso_rt_sigreturn_end:

	/* t2 = the data page; then t0 = monotonic nanoseconds, t1 = realtime minus monotonic */
	.macro	read_clock
	auipc	t2, 0xfffff		/* pc - 4096 */
	srli	t2, t2, 12
	slli	t2, t2, 12
1:	lw	t3, VV_SEQ(t2)
	andi	t4, t3, 1
	bnez	t4, 1b
	fence	r, r
	lw	t4, VV_SHIFT(t2)
	ld	t5, VV_MULT(t2)
	ld	t1, VV_REAL(t2)
	rdtime	t0
	fence	r, r
	lw	a5, VV_SEQ(t2)
	bne	a5, t3, 1b
	mulhu	t6, t0, t5
	mul	t0, t0, t5
	srl	t0, t0, t4		/* shift is 1..63 */
	neg	t4, t4
	sll	t6, t6, t4		/* by 64 - shift */
	or	t0, t0, t6
	.endm

vdso_clock_gettime:
	li	t0, 8
	bgeu	a0, t0, 2f
	li	t0, CLOCKS
	srl	t0, t0, a0
	andi	t0, t0, 1
	beqz	t0, 2f
	read_clock
	li	t2, CLOCKS_REAL
	srl	t2, t2, a0
	andi	t2, t2, 1
	beqz	t2, 3f
	add	t0, t0, t1
3:	li	t1, 1000000000
	divu	t2, t0, t1
	remu	t0, t0, t1
	sd	t2, 0(a1)
	sd	t0, 8(a1)
	li	a0, 0
	ret
2:	li	a7, NR_clock_gettime
	ecall
	ret
vdso_clock_gettime_end:

vdso_gettimeofday:
	bnez	a1, 2f
	beqz	a0, 2f
	read_clock
	add	t0, t0, t1
	li	t1, 1000000000
	divu	t2, t0, t1
	remu	t0, t0, t1
	li	t1, 1000
	divu	t0, t0, t1
	sd	t2, 0(a0)
	sd	t0, 8(a0)
	li	a0, 0
	ret
2:	li	a7, NR_gettimeofday
	ecall
	ret
vdso_gettimeofday_end:

vdso_clock_getres:
	li	a7, NR_clock_getres
	ecall
	ret
vdso_clock_getres_end:

vdso_getcpu:
	li	a7, NR_getcpu
	ecall
	ret
vdso_getcpu_end:

vdso_flush_icache:
	li	a7, NR_riscv_flush_icache
	ecall
	ret
vdso_flush_icache_end:

	.balign	8
	.globl	vdso_end
vdso_end:
	.org	vdso_start + 4096	/* an error if it is larger than a page */

	.section .rodata, "a"
	.balign	4
	.globl	vdso_sigreturn_offset
vdso_sigreturn_offset:
	.word	vdso_rt_sigreturn - vdso_start
