/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_BOOT_H
#define GNOMON_BOOT_H

/* What the files of kernel/boot share, and the symbols of kernel.ld. */

#include "kernel/lib/fdt.h"
#include "kernel/lib/types.h"

extern char _text[], _etext[], _rodata[], _erodata[], _data[], _edata[], _bss[], _ebss[], _end[];
extern char boot_stack_guard[], boot_stack[], boot_stack_top[];

/* early.c */
#define EARLY_FDT_VA   0xffffffc000000000UL /* KVM_BASE, before KVM is in use */
#define EARLY_FDT_SIZE (4 * MiB)
u64 early_map(paddr_t load, paddr_t fdt);
void early_map_direct(paddr_t base, u64 size);

/* memory.c: tells kernel/mem the banks and what is taken; panics when the tree names no RAM that holds the image. */
void boot_memory(const struct fdt *f, paddr_t load, paddr_t fdt);

/* main.c */
__noreturn void boot_main(u64 hartid, paddr_t fdt, paddr_t load);

/* Where the loader put the initial ramdisk; false: none. */
bool boot_initrd(paddr_t *base, u64 *size);

/* ktest.c: runs the self-tests if the command line asks for them. True: ran, with the result in *failed. */
bool ktest_main(unsigned *failed);

#endif
