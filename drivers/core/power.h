/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_POWER_H
#define GNOMON_DRIVERS_POWER_H

/* The machine's end: SBI SRST, else what the tree calls syscon-poweroff or syscon-reboot, else halting. Any context. */

#include "kernel/lib/types.h"

__noreturn void power_off(void);
__noreturn void power_reboot(void);
__noreturn void power_off_failed(void); /* tells the world that it was a failure */

#endif
