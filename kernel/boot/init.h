/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_BOOT_INIT_H
#define GNOMON_BOOT_INIT_H

/*
 * Start-up functions, called once each, level after level, in a kernel thread with every hart up; within a level in
 * no promised order.  They may sleep.
 */

#include "kernel/lib/types.h"

enum init_level { INIT_CORE, INIT_VM, INIT_FS, INIT_DRIVER, INIT_LATE, INIT_LEVELS };

struct initcall {
	u64 level;
	void (*fn)(void);
};
/* INITCALL(CORE, fn) */
#define INITCALL(lvl, f) \
	static const struct initcall initcall_##f __used __section(".initcalls") = {INIT_##lvl, (f)}

/* Mounts root and starts init; kernel/proc's. Called last. */
void kernel_main(void);

#endif
