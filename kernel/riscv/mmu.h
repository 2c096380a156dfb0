/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_RISCV_MMU_H
#define GNOMON_RISCV_MMU_H

/*
 * Sv39 (RISC-V privileged specification, chapter "Sv39") and the kernel's own half of the address space:
 *
 *	0x00_0000_0000 .. 0x3f_ffff_efff  user
 *	KVM_BASE    0xffffffc0_00000000   32 GiB  ranges with guard pages: stacks, vmap, ioremap
 *	DIRECT_BASE 0xffffffc8_00000000  216 GiB  all RAM, RW, never executable
 *	KERNEL_BASE 0xffffffff_80000000    1 GiB  the image: text R-X, rodata R--, data RW-
 *
 * The root table of every address space shares the kernel's 256 upper entries, which are all filled at boot and never change after.
 */

#include "kernel/lib/types.h"

#define PTE_V	      (1UL << 0)
#define PTE_R	      (1UL << 1)
#define PTE_W	      (1UL << 2)
#define PTE_X	      (1UL << 3)
#define PTE_U	      (1UL << 4)
#define PTE_G	      (1UL << 5)
#define PTE_A	      (1UL << 6)
#define PTE_D	      (1UL << 7)
#define PTE_SOFT0     (1UL << 8) /* for software */
#define PTE_SOFT1     (1UL << 9)
#define PTE_PPN_SHIFT 10
typedef u64 pte_t;

#define PTE_PA(pte)	    ((((pte) >> PTE_PPN_SHIFT) & ((1UL << 44) - 1)) << PAGE_SHIFT)
#define PA_PTE(pa)	    (((u64)(pa) >> PAGE_SHIFT) << PTE_PPN_SHIFT)
#define PT_LEVELS	    3
#define PT_ENTRIES	    512
#define PT_INDEX(va, level) (((va) >> (PAGE_SHIFT + 9 * (level))) & (PT_ENTRIES - 1))
#define PT_SPAN(level)	    (1UL << (PAGE_SHIFT + 9 * (level))) /* bytes one entry maps */

#define KVM_BASE    0xffffffc000000000UL
#define KVM_SIZE    (32UL * GiB)
#define DIRECT_BASE 0xffffffc800000000UL
#define DIRECT_SIZE (216UL * GiB)
#define KERNEL_BASE 0xffffffff80000000UL

extern u64 kernel_pa_offset; /* KERNEL_BASE address + this = physical (mod 2^64) */
extern pte_t *kernel_root;   /* root table of the kernel, virtual */
extern u32 mmu_asid_bits;    /* 0: none */
extern u64 direct_pa_base;   /* physical address at DIRECT_BASE: lowest RAM, 1 GiB aligned down */
extern bool mmu_faults_on_a,
	mmu_faults_on_d; /* instead of setting A, D; known after start-up, for information */

static inline void *pa_to_va(paddr_t pa) /* RAM only */
{
	return (void *)(pa - direct_pa_base + DIRECT_BASE);
}
paddr_t va_to_pa(const void *va); /* direct map or kernel image */

void mmu_init_boot(void); /* final kernel tables with W^X, from mem's banks; mem is up */
/* Kernel mappings in KVM space (kernel/riscv/kvm.c). */
void *kvm_alloc_pages(size_t npages,
		      bool guard); /* fresh frames, RW, guard page on both sides; NULL. Sleeps. */
void kvm_free_pages(void *va, size_t npages);
void kvm_init(void);
extern u64 kvm_epoch; /* moves when a stack may have been mapped: see switch_to in sched.c */
/* Reserves n pages of KVM space with an unmapped page on both sides; 0: none left. */
vaddr_t kvm_range_alloc(size_t npages);
void kvm_range_free(vaddr_t va, size_t npages);
/* The leaf entry of a kernel address in the final tables, or NULL. */
pte_t *kernel_pte(vaddr_t va);
void *ioremap(paddr_t pa, size_t size); /* device registers; NULL: no space or memory */
void iounmap(void *va);

static inline void sfence_vma_all(void)
{
	__asm__ volatile("sfence.vma" ::: "memory");
}
static inline void sfence_vma_page(vaddr_t va)
{
	__asm__ volatile("sfence.vma %0" ::"r"(va) : "memory");
}
static inline void sfence_vma_page_asid(vaddr_t va, u64 asid)
{
	__asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"(asid) : "memory");
}
static inline void sfence_vma_asid(u64 asid)
{
	__asm__ volatile("sfence.vma zero, %0" ::"r"(asid) : "memory");
}

#endif
