// SPDX-License-Identifier: BSD-2-Clause
/*
 * The JH7110's watchdog (Linux, watchdog/starfive-wdt.c): counts down from LOAD at 24 MHz; at zero it raises a status bit and starts over, and
 * resets the machine at the second zero.
 *
 * One that firmware left running is kept alive; watchdog=SECONDS on the kernel's command line starts it.  A thread does it, four times a
 * period, so a kernel that no longer runs threads is reset.  Registers are that thread's after probe.
 */
#include "drivers/core/device.h"
#include "drivers/core/io.h"
#include "kernel/boot/params.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"

#define LOAD	   0x00
#define CONTROL	   0x08
#define ON	   1u
#define RESETS	   2u
#define INTCLR	   0x0c
#define LOCK	   0xc00
#define KEY	   0x1acce551u
#define CLOCK_CORE 1u /* place in `clocks` */
#define MAX_LOAD   0xffffffffu

static struct {
	volatile u8 *regs; /* constant after probe, as are the next two */
	u32 load;
	u64 sleep; /* ns between two signs of life */
} wdt;

/* Clears the first zero's status, and counts from the top again. */
static void sign_of_life(void)
{
	io_write32(wdt.regs + LOCK, KEY);
	io_write32(wdt.regs + INTCLR, 1);
	io_write32(wdt.regs + LOAD, wdt.load);
	io_write32(wdt.regs + LOCK, 0);
}

static void wdt_thread(void *arg __unused)
{
	for (;;) {
		sign_of_life();
		sleep_ns(wdt.sleep);
	}
}

static void turn_on(u32 load)
{
	io_write32(wdt.regs + LOCK, KEY);
	io_write32(wdt.regs + LOAD, load);
	io_write32(wdt.regs + CONTROL, ON | RESETS);
	io_write32(wdt.regs + LOCK, 0);
}

/* Starts it if it was asked for, and looks after it if it runs. */
static int look_after(u64 hz)
{
	u64 seconds = kernel_param_u64("watchdog", 0);
	bool runs = io_read32(wdt.regs + CONTROL) & ON;

	if (!hz || (!runs && !seconds))
		return 0;
	wdt.load = runs ? io_read32(wdt.regs + LOAD) : (u32)MIN(seconds * hz, (u64)MAX_LOAD);
	wdt.sleep = wdt.load * (NSEC_PER_SEC / 1000) / (hz / 1000) / 4;
	if (!runs)
		turn_on(wdt.load);
	kprintf("watchdog: %s, %lu ms\n", runs ? "left running by firmware" : "started",
		wdt.sleep * 4 / 1000000);
	return kthread_run("watchdog", wdt_thread, NULL) ? 0 : -ENOMEM;
}

static int wdt_probe(struct device *d)
{
	int err = device_power_up(d);

	if (err)
		return err;
	if (wdt.regs)
		return -EBUSY;
	wdt.regs = device_map(d, 0, NULL);
	return wdt.regs ? look_after(device_clock_rate(d, CLOCK_CORE)) : -ENOMEM;
}

static const char *const wdt_names[] = {"starfive,jh7110-wdt", NULL};
static struct driver wdt_driver = {
	.name = "jh7110-wdt",
	.compatible = wdt_names,
	.stage = STAGE_DEVICE,
	.probe = wdt_probe,
};
DRIVER(wdt_driver);
