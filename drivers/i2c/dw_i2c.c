// SPDX-License-Identifier: BSD-2-Clause
/*
 * DesignWare I2C buses: no transfers yet.  A bus that carries the board's power controller gets its clock and is taken out of reset, because
 * firmware switches off and restarts through it (OpenSBI, platform/generic/starfive/jh7110.c) and only sees to the clock, while U-Boot
 * leaves it in reset.
 */
#include "drivers/core/device.h"

static bool carries_power_controller(fdt_node bus)
{
	for (fdt_node n = fdt_child(&boot_fdt, bus); n >= 0; n = fdt_sibling(&boot_fdt, n))
		if (fdt_compatible(&boot_fdt, n, "x-powers,axp15060"))
			return true;
	return false;
}

static int i2c_probe(struct device *d)
{
	return carries_power_controller(d->node) ? device_power_up(d) : 0;
}

static const char *const i2c_names[] = {"snps,designware-i2c", NULL};
static struct driver i2c_driver = {
	.name = "designware-i2c",
	.compatible = i2c_names,
	.stage = STAGE_DEVICE,
	.probe = i2c_probe,
};
DRIVER(i2c_driver);
