/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_GPIO_H
#define GNOMON_DRIVERS_GPIO_H

/* General purpose pins.  A consumer names its own by a property of its node: <controller pin flags>; bit 0 of the flags means active low. */

#include "drivers/core/device.h"

struct gpio_ops {
	bool (*get)(void *ctl, u32 pin); /* level */
	/* Calls fn in interrupt context after every change of the level. 0 or -errno. */
	int (*watch)(void *ctl, u32 pin, void (*fn)(void *arg), void *arg);
};

/* Field markings and the corresponding locks:
 * (c) constant after start-up
 */
struct gpio_controller {
	struct list link;	    /* (c) */
	struct device *device;	    /* (c) */
	const struct gpio_ops *ops; /* (c) */
	void *ctl;		    /* (c) */
};
void gpio_controller_register(struct gpio_controller *g); /* the caller's memory, for good */

struct gpio {
	struct gpio_controller *controller;
	u32 pin;
	bool active_low;
};
/* The first pin of the property. 0; -ENOENT: no such property; -EPROBE_DEFER: its controller has no driver yet. */
int gpio_find(struct device *d, const char *property, struct gpio *out);
bool gpio_active(const struct gpio *g);
int gpio_watch(const struct gpio *g, void (*fn)(void *arg), void *arg);

#endif
