/* SPDX-License-Identifier: BSD-2-Clause */
/* The real header, with a direct map that lies wherever the host gave us memory for RAM. */
#ifndef HOST_KERNEL_RISCV_MMU_H
#define HOST_KERNEL_RISCV_MMU_H

#define pa_to_va pa_to_va_riscv_
#include_next "kernel/riscv/mmu.h"
#undef pa_to_va
#undef DIRECT_BASE

extern u64 host_direct_base;
#define DIRECT_BASE host_direct_base

static inline void *pa_to_va(paddr_t pa)
{
	return (void *)(pa - direct_pa_base + DIRECT_BASE);
}

#endif
