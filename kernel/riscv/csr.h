/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_RISCV_CSR_H
#define GNOMON_RISCV_CSR_H

#define csr_read(csr)                                                    \
	({                                                               \
		unsigned long v_;                                        \
		__asm__ volatile("csrr %0, " #csr : "=r"(v_)::"memory"); \
		v_;                                                      \
	})
#define csr_write(csr, val) \
	__asm__ volatile("csrw " #csr ", %0" ::"rK"((unsigned long)(val)) : "memory")
#define csr_set(csr, val) \
	__asm__ volatile("csrs " #csr ", %0" ::"rK"((unsigned long)(val)) : "memory")
#define csr_clear(csr, val) \
	__asm__ volatile("csrc " #csr ", %0" ::"rK"((unsigned long)(val)) : "memory")

#define SSTATUS_SIE	   (1UL << 1)
#define SSTATUS_SPIE	   (1UL << 5)
#define SSTATUS_SPP	   (1UL << 8)
#define SSTATUS_FS	   (3UL << 13)
#define SSTATUS_FS_OFF	   (0UL << 13)
#define SSTATUS_FS_INITIAL (1UL << 13)
#define SSTATUS_FS_CLEAN   (2UL << 13)
#define SSTATUS_FS_DIRTY   (3UL << 13)
#define SSTATUS_SUM	   (1UL << 18)
#define SSTATUS_MXR	   (1UL << 19)
#define SSTATUS_UXL_64	   (2UL << 32)
#define SIE_SSIE	   (1UL << 1)
#define SIE_STIE	   (1UL << 5)
#define SIE_SEIE	   (1UL << 9)

#define CAUSE_INTERRUPT	       (1UL << 63)
#define CAUSE_INSN_MISALIGNED  0
#define CAUSE_INSN_ACCESS      1
#define CAUSE_ILLEGAL	       2
#define CAUSE_BREAKPOINT       3
#define CAUSE_LOAD_MISALIGNED  4
#define CAUSE_LOAD_ACCESS      5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS     7
#define CAUSE_ECALL_U	       8
#define CAUSE_INSN_PAGE	       12
#define CAUSE_LOAD_PAGE	       13
#define CAUSE_STORE_PAGE       15

#define SATP_SV39	(8UL << 60)
#define SATP_ASID_SHIFT 44

#endif
