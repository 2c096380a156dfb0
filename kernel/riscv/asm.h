/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_RISCV_ASM_H
#define GNOMON_RISCV_ASM_H

/* Constants for assembly.  trap.c checks each against the C definition. */

#ifdef __ASSEMBLER__
#define KERNEL_BASE 0xffffffff80000000
#endif

#define SR_SIE 0x2
#define SR_SPP 0x100
#define SR_FS  0x6000
#define SR_SUM 0x40000

#define THREAD_KSTACK_TOP 0
#define THREAD_SCRATCH	  8
#define THREAD_FLAGS	  16
#define THREAD_PREEMPT	  20
#define THREAD_HART	  24
#define THREAD_KSTACK	  32

#define TF_SIZE	      304
#define TF_STATUS     256
#define TF_CAUSE      264
#define TF_TVAL	      272
#define TF_ORIG_A0    280
#define TF_SYSCALL_NR 288

#define TIF_SLOW_MASK 31

#endif
