/* SPDX-License-Identifier: BSD-2-Clause */
/* The real header, with a direct map that lies wherever the host gave us memory for RAM. */
#ifndef HOST_KERNEL_RISCV_MMU_H
#define HOST_KERNEL_RISCV_MMU_H

#define pa_to_va	     pa_to_va_riscv_
#define sfence_vma_all	     sfence_vma_all_riscv_
#define sfence_vma_page	     sfence_vma_page_riscv_
#define sfence_vma_page_asid sfence_vma_page_asid_riscv_
#define sfence_vma_asid	     sfence_vma_asid_riscv_
#include_next "kernel/riscv/mmu.h"
#undef pa_to_va
#undef sfence_vma_all
#undef sfence_vma_page
#undef sfence_vma_page_asid
#undef sfence_vma_asid

static inline void sfence_vma_all(void)
{
}
static inline void sfence_vma_page(vaddr_t va __unused)
{
}
static inline void sfence_vma_page_asid(vaddr_t va __unused, u64 asid __unused)
{
}
static inline void sfence_vma_asid(u64 asid __unused)
{
}
#undef DIRECT_BASE

extern u64 host_direct_base;
#define DIRECT_BASE host_direct_base

static inline void *pa_to_va(paddr_t pa)
{
	return (void *)(pa - direct_pa_base + DIRECT_BASE);
}

#endif
