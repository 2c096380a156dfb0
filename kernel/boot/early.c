// SPDX-License-Identifier: BSD-2-Clause
/*
 * The first page tables, built before translation is on: everything here is reached PC-relative, and no pointer stored in
 * data is followed.  They map the image (2 MiB leaves) and a window on the device tree at EARLY_FDT_VA, and get
 * the direct map of RAM (1 GiB leaves) from boot_main, until mmu_init_boot replaces them.
 */
#include "kernel/boot/boot.h"

#include "kernel/riscv/csr.h"
#include "kernel/riscv/mmu.h"

static pte_t early_root[PT_ENTRIES] __aligned(4096) __section(".bss.page");
static pte_t early_image[PT_ENTRIES] __aligned(4096) __section(".bss.page");
static pte_t early_window[PT_ENTRIES] __aligned(4096) __section(".bss.page");

#define TABLE(p) (PA_PTE((paddr_t)(p)) | PTE_V)
#define LEAF_RW	 (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | PTE_G)

u64 early_map(paddr_t load, paddr_t fdt)
{
	u64 size = (u64)(_end - _text);
	paddr_t window = ALIGN_DOWN(fdt, PT_SPAN(1));

	for (u64 i = 0; i < DIV_ROUND_UP(size, PT_SPAN(1)); i++)
		early_image[i] = PA_PTE(load + i * PT_SPAN(1)) | LEAF_RW | PTE_X;
	for (u64 i = 0; i < EARLY_FDT_SIZE / PT_SPAN(1); i++)
		early_window[i] = PA_PTE(window + i * PT_SPAN(1)) | LEAF_RW;
	early_root[PT_INDEX(KERNEL_BASE, 2)] = TABLE(early_image);
	early_root[PT_INDEX(EARLY_FDT_VA, 2)] = TABLE(early_window);
	return SATP_SV39 | (paddr_t)early_root >> PAGE_SHIFT;
}

void early_map_direct(paddr_t base, u64 size)
{
	for (paddr_t pa = ALIGN_DOWN(base, GiB); pa < base + size; pa += GiB)
		early_root[PT_INDEX((vaddr_t)pa_to_va(pa), 2)] = PA_PTE(pa) | LEAF_RW;
	sfence_vma_all();
}
