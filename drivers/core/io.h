/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_IO_H
#define GNOMON_DRIVERS_IO_H

/*
 * Words of device registers, ordered with memory as a driver expects it (The RISC-V Instruction Set Manual, RVWMO, table of Linux's
 * accessors): a write comes after what was written to memory before it, memory is read after the register that was read first.
 */

#include "kernel/lib/types.h"

static inline u32 io_read32(const volatile u8 *reg)
{
	u32 v = *(const volatile u32 *)reg;

	__asm__ volatile("fence i, r" ::: "memory");
	return v;
}

static inline void io_write32(volatile u8 *reg, u32 v)
{
	__asm__ volatile("fence w, o" ::: "memory");
	*(volatile u32 *)reg = v;
}

#endif
