// SPDX-License-Identifier: BSD-2-Clause
/* Pins by the names that consumers have for them. No locks: controllers register at start-up. */
#include "drivers/core/gpio.h"

static struct list controllers = LIST_INIT(controllers);

void gpio_controller_register(struct gpio_controller *g)
{
	list_add_tail(&controllers, &g->link);
}

int gpio_find(struct device *d, const char *property, struct gpio *out)
{
	size_t len;
	const u8 *p = fdt_prop(&boot_fdt, d->node, property, &len);
	struct gpio_controller *g;
	struct device *at;

	if (!p || len < 12)
		return -ENOENT;
	at = device_by_phandle(fdt_cell(p));
	list_for_each(g, &controllers, link) {
		if (g->device != at)
			continue;
		*out = (struct gpio){g, fdt_cell(p + 4), fdt_cell(p + 8) & 1};
		return 0;
	}
	return at ? -EPROBE_DEFER : -ENOENT;
}

bool gpio_active(const struct gpio *g)
{
	return g->controller->ops->get(g->controller->ctl, g->pin) != g->active_low;
}

int gpio_watch(const struct gpio *g, void (*fn)(void *arg), void *arg)
{
	const struct gpio_ops *ops = g->controller->ops;

	return ops->watch ? ops->watch(g->controller->ctl, g->pin, fn, arg) : -EOPNOTSUPP;
}
