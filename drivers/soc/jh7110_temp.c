// SPDX-License-Identifier: BSD-2-Clause
/*
 * The JH7110's temperature sensor (Linux, hwmon/sfctemp.c): one register; once it runs, the result is there to be read at any time.  No state
 * but what the hardware keeps, so no lock.
 */
#include "drivers/core/device.h"
#include "drivers/core/io.h"
#include "drivers/core/sensor.h"
#include "kernel/lib/errno.h"
#include "kernel/sched/time.h"

#define OUT_OF_RESET 1u
#define POWER_DOWN   2u
#define RUN	     4u
#define RESULT(v)    ((v) >> 16 & 0xfff)
#define SETTLE_US    10

static volatile u8 *regs;

static void power_on(void)
{
	io_write32(regs, POWER_DOWN);
	udelay(SETTLE_US);
	io_write32(regs, 0);
	udelay(SETTLE_US);
	io_write32(regs, OUT_OF_RESET);
	udelay(SETTLE_US);
	io_write32(regs, OUT_OF_RESET | RUN);
}

static int temp_read(void *ctl __unused, s64 *milli)
{
	u32 result = RESULT(io_read32(regs));

	if (!result)
		return -EAGAIN; /* no measurement is done yet */
	*milli = (s64)result * 237500 / 4094 - 81100;
	return 0;
}

static struct sensor sensor = {.name = "cpu", .read = temp_read};

static int temp_probe(struct device *d)
{
	int err = device_power_up(d);

	if (err)
		return err;
	if (regs)
		return -EBUSY;
	regs = device_map(d, 0, NULL);
	if (!regs)
		return -ENOMEM;
	power_on();
	sensor_register(&sensor);
	return 0;
}

static const char *const temp_names[] = {"starfive,jh7110-temp", NULL};
static struct driver temp_driver = {
	.name = "jh7110-temp",
	.compatible = temp_names,
	.stage = STAGE_DEVICE,
	.probe = temp_probe,
};
DRIVER(temp_driver);
