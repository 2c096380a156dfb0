// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel's own page tables.  Owns kernel_root and what hangs below its upper half.  The root's upper entries are all made
 * here, once, so that copies of them in other roots stay right; tables below those of KVM grow later (kvm.c).
 *
 * No page is writable and executable, and what the image maps read-only is read-only in the direct map too.
 */
#include "kernel/riscv/mmu.h"

#include "drivers/core/device.h"
#include "kernel/boot/boot.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/frame.h"
#include "kernel/riscv/csr.h"

#define PROT_TABLE PTE_V
#define PROT_RO	   (PTE_V | PTE_R | PTE_A | PTE_G)
#define PROT_RW	   (PROT_RO | PTE_W | PTE_D)
#define PROT_RX	   (PROT_RO | PTE_X)

u64 kernel_pa_offset;
pte_t *kernel_root;
u32 mmu_asid_bits;

paddr_t va_to_pa(const void *va)
{
	vaddr_t v = (vaddr_t)va;

	if (v >= KERNEL_BASE)
		return v + kernel_pa_offset;
	ASSERTF(v >= DIRECT_BASE && v < DIRECT_BASE + DIRECT_SIZE, "%#lx is not in the direct map",
		v);
	return v - DIRECT_BASE + direct_pa_base;
}

static pte_t *new_table(void)
{
	struct frame *f = frame_alloc(FA_ZERO | FA_NOWAIT);

	ASSERTF(f, "no memory for the kernel's page tables");
	return frame_va(f);
}

/* One leaf at `level`. */
static void map_one(vaddr_t va, paddr_t pa, unsigned level, u64 prot)
{
	pte_t *table = kernel_root;

	ASSERT(IS_ALIGNED(va, PT_SPAN(level)) && IS_ALIGNED(pa, PT_SPAN(level)));
	for (unsigned l = PT_LEVELS - 1; l > level; l--) {
		pte_t *e = &table[PT_INDEX(va, l)];

		if (!*e)
			*e = PA_PTE(va_to_pa(new_table())) | PROT_TABLE;
		ASSERTF(!(*e & (PTE_R | PTE_W | PTE_X)), "%#lx lies below a leaf", va);
		table = pa_to_va(PTE_PA(*e));
	}
	ASSERTF(!table[PT_INDEX(va, level)], "%#lx is mapped already", va);
	table[PT_INDEX(va, level)] = PA_PTE(pa) | prot;
}

static bool overlap(paddr_t a, u64 an, paddr_t b, u64 bn)
{
	return a < b + bn && b < a + an;
}

/* The tree wants parts of memory not mapped at all (firmware behind protection). */
static bool overlaps_no_map(paddr_t pa, u64 span)
{
	fdt_node parent = fdt_path(&boot_fdt, "/reserved-memory");
	u64 base, size;
	size_t len;

	if (parent < 0)
		return false;
	for (fdt_node n = fdt_child(&boot_fdt, parent); n >= 0; n = fdt_sibling(&boot_fdt, n)) {
		if (!fdt_prop(&boot_fdt, n, "no-map", &len))
			continue;
		for (unsigned k = 0; fdt_reg(&boot_fdt, n, k, &base, &size) == 0; k++)
			if (overlap(pa, span, base, size))
				return true;
	}
	return false;
}

static void map_direct(paddr_t base, u64 size)
{
	paddr_t ro = (u64)_text + kernel_pa_offset, pa = base, end = base + size;
	u64 ro_size = (u64)(_erodata - _text);

	while (pa < end) {
		unsigned level = PT_LEVELS - 1;

		for (; level > 0; level--)
			if (IS_ALIGNED(pa, PT_SPAN(level)) && pa + PT_SPAN(level) <= end &&
			    !overlap(pa, PT_SPAN(level), ro, ro_size) &&
			    !overlaps_no_map(pa, PT_SPAN(level)))
				break;
		if (level > 0 || !overlaps_no_map(pa, PAGE_SIZE))
			map_one((vaddr_t)pa_to_va(pa), pa, level,
				overlap(pa, PT_SPAN(level), ro, ro_size) ? PROT_RO : PROT_RW);
		pa += PT_SPAN(level);
	}
}

static void map_image(const char *from, const char *to, u64 prot)
{
	for (vaddr_t va = (vaddr_t)from; va < (vaddr_t)to; va += PAGE_SIZE)
		if (va != (vaddr_t)boot_stack_guard)
			map_one(va, va + kernel_pa_offset, 0, prot);
}

/* How many ASID bits this hart has: those that satp keeps. */
static u32 probe_asid_bits(u64 satp)
{
	u64 got;

	csr_write(satp, satp | 0xffffUL << SATP_ASID_SHIFT);
	got = csr_read(satp) >> SATP_ASID_SHIFT & 0xffff;
	csr_write(satp, satp);
	sfence_vma_all();
	return got ? 64u - (u32)__builtin_clzl(got) : 0;
}

void mmu_init_boot(void)
{
	paddr_t base;
	u64 size, satp;

	kernel_root = new_table();
	for (unsigned k = 0; frames_bank(k, &base, &size); k++)
		map_direct(base, MIN(size, direct_pa_base + DIRECT_SIZE - base));
	map_image(_text, _etext, PROT_RX);
	map_image(_rodata, _erodata, PROT_RO);
	map_image(_data, _end, PROT_RW);
	for (vaddr_t va = KVM_BASE; va < KVM_BASE + KVM_SIZE; va += PT_SPAN(2))
		kernel_root[PT_INDEX(va, 2)] = PA_PTE(va_to_pa(new_table())) | PROT_TABLE;
	satp = SATP_SV39 | va_to_pa(kernel_root) >> PAGE_SHIFT;
	csr_write(satp, satp);
	sfence_vma_all();
	mmu_asid_bits = probe_asid_bits(satp);
}

pte_t *kernel_pte(vaddr_t va)
{
	pte_t *table = kernel_root;

	for (unsigned level = PT_LEVELS - 1;; level--) {
		pte_t *e = &table[PT_INDEX(va, level)];

		if (level == 0 || (*e & (PTE_R | PTE_W | PTE_X)))
			return e;
		if (!(*e & PTE_V))
			return NULL;
		table = pa_to_va(PTE_PA(*e));
	}
}
