// SPDX-License-Identifier: BSD-2-Clause
/* The Goldfish real-time clock: nanoseconds since 1970, read once at start-up. */
#include "drivers/core/device.h"
#include "kernel/lib/print.h"
#include "kernel/riscv/mmu.h"
#include "kernel/sched/time.h"

#define TIME_LOW  0 /* reading it latches TIME_HIGH */
#define TIME_HIGH 4

static int rtc_probe(struct device *d)
{
	volatile u8 *regs = device_map(d, 0, NULL);
	u64 low, high;

	if (!regs)
		return -ENOMEM;
	low = *(volatile u32 *)(regs + TIME_LOW);
	high = *(volatile u32 *)(regs + TIME_HIGH);
	time_set_realtime(high << 32 | low);
	iounmap((void *)regs);
	return 0;
}

static const char *const rtc_names[] = {"google,goldfish-rtc", NULL};
static struct driver rtc_driver = {
	.name = "goldfish-rtc",
	.compatible = rtc_names,
	.stage = STAGE_CLOCK,
	.probe = rtc_probe,
};
DRIVER(rtc_driver);
