/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_RISCV_ISA_H
#define GNOMON_RISCV_ISA_H

/* What the harts of the device tree can do; both `riscv,isa` and `riscv,isa-base` + `riscv,isa-extensions`. */

#include "kernel/lib/fdt.h"

/* All usable harts have this extension ("f", "zba", "sstc"). Walks the tree: for start-up. */
bool isa_has(const char *ext);
/* The hart may run this kernel: enabled, with an MMU that does Sv39, and its id is known. */
bool isa_hart_usable(const struct fdt *f, fdt_node cpu, u64 *id);
/* "rv64imafdc_zba..." for /proc/cpuinfo, cut to size. Returns its length. */
size_t isa_string(u64 hartid, char *buf, size_t size);
/* "sv39", "sv48"... as the tree says. NULL: no such hart. */
const char *isa_mmu(u64 hartid);

#endif
