// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which physical memory there is, from the device tree: banks are the /memory nodes; taken are the memory reservation
 * block, the children of /reserved-memory, the image, the tree itself and the initial ramdisk.  Runs once, on the boot
 * hart, with the early tables; makes the early direct map on the way, as kernel/mem's early allocator writes through it.
 */
#include "kernel/boot/boot.h"
#include "kernel/boot/params.h"

#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/frame.h"
#include "kernel/riscv/mmu.h"

u64 direct_pa_base;

static paddr_t initrd_base;
static u64 initrd_size;

/* Calls fn for every RAM range of the tree, whole pages only. */
static void each_bank(const struct fdt *f, void (*fn)(paddr_t base, u64 size))
{
	for (fdt_node n = fdt_child(f, fdt_root(f)); n >= 0; n = fdt_sibling(f, n)) {
		const char *type = fdt_prop_str(f, n, "device_type");
		u64 base, size;

		if (!type || strcmp(type, "memory") != 0 || !fdt_okay(f, n))
			continue;
		for (unsigned k = 0; fdt_reg(f, n, k, &base, &size) == 0; k++) {
			u64 end = ALIGN_DOWN(base + size, PAGE_SIZE);

			base = ALIGN_UP(base, PAGE_SIZE);
			if (base < end)
				fn(base, end - base);
		}
	}
}

static u64 lowest = ~0UL;

static void find_lowest(paddr_t base, u64 size)
{
	(void)size;
	lowest = MIN(lowest, base);
}

static u64 allowed; /* mem=: what may still be used */

static void add_bank(paddr_t base, u64 size)
{
	u64 limit = direct_pa_base + DIRECT_SIZE;

	size = MIN(size, allowed);
	allowed -= size;
	if (!size)
		return;

	if (base >= limit) {
		kprintf("memory: %#lx..%#lx is out of reach, not used\n", base, base + size);
		return;
	}
	size = MIN(size, limit - base);
	kprintf("memory: %#lx..%#lx (%lu MiB)\n", base, base + size, size / MiB);
	early_map_direct(base, size);
	frames_add_bank(base, size);
}

static void reserve(paddr_t base, u64 size)
{
	if (size)
		frames_reserve(ALIGN_DOWN(base, PAGE_SIZE),
			       ALIGN_UP(base + size, PAGE_SIZE) - ALIGN_DOWN(base, PAGE_SIZE));
}

static void reserve_nodes(const struct fdt *f)
{
	fdt_node parent = fdt_path(f, "/reserved-memory");
	u64 base, size;

	if (parent < 0)
		return;
	for (fdt_node n = fdt_child(f, parent); n >= 0; n = fdt_sibling(f, n)) {
		if (!fdt_okay(f, n))
			continue;
		for (unsigned k = 0; fdt_reg(f, n, k, &base, &size) == 0; k++)
			reserve(base, size);
	}
}

/* One or two cells, as loaders write linux,initrd-start. */
static bool chosen_number(const struct fdt *f, fdt_node chosen, const char *name, u64 *out)
{
	size_t len;
	const u8 *p = fdt_prop(f, chosen, name, &len);

	if (!p || (len != 4 && len != 8))
		return false;
	*out = fdt_cell(p);
	if (len == 8)
		*out = *out << 32 | fdt_cell(p + 4);
	return true;
}

static void find_initrd(const struct fdt *f)
{
	fdt_node chosen = fdt_path(f, "/chosen");
	u64 start, end;

	if (chosen < 0 || !chosen_number(f, chosen, "linux,initrd-start", &start) ||
	    !chosen_number(f, chosen, "linux,initrd-end", &end) || end <= start)
		return;
	initrd_base = start;
	initrd_size = end - start;
	reserve(start, end - start);
}

bool boot_initrd(paddr_t *base, u64 *size)
{
	*base = initrd_base;
	*size = initrd_size;
	return initrd_size != 0;
}

void boot_memory(const struct fdt *f, paddr_t load, paddr_t fdt)
{
	u64 base, size;

	each_bank(f, find_lowest);
	if (lowest > load)
		panic("the device tree names no memory where the kernel is (%#lx)", load);
	direct_pa_base = ALIGN_DOWN(lowest, GiB);
	allowed = ALIGN_DOWN(params_early_u64("mem", ~0UL), PAGE_SIZE);
	each_bank(f, add_bank);
	reserve(load, (u64)(_end - _text));
	reserve(fdt, f->size);
	for (unsigned k = 0; fdt_rsv(f, k, &base, &size); k++)
		reserve(base, size);
	reserve_nodes(f);
	find_initrd(f);
}
