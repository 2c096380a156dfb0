// SPDX-License-Identifier: BSD-2-Clause
/*
 * Clocks and resets: who controls them, and which are a device's.  Lists of (phandle, id) pairs in `clocks` and `resets`, Documentation/devicetree/
 * bindings: clock.yaml and reset.yaml of dt-schema.
 *
 * No locks: controllers register at start-up, before their consumers are probed.
 */
#include "drivers/core/device.h"
#include "kernel/mem/slab.h"

struct clock_domain {
	const struct clock_ops *ops; /* (c) */
	void *ctl;		     /* (c) */
};

int clock_controller_register(struct device *d, const struct clock_ops *ops, void *ctl)
{
	struct clock_domain *c = kmalloc(sizeof(*c), 0);

	if (!c)
		return -ENOMEM;
	c->ops = ops;
	c->ctl = ctl;
	d->clocks = c;
	return 0;
}

/* The k-th pair of a list: the controller's node and the first cell (0 if it has none). 0, -ENOENT past the end, -EINVAL. */
static int pair(fdt_node n, const char *list, const char *cells_name, unsigned k, fdt_node *ctl,
		u32 *id)
{
	size_t len;
	const u8 *p = fdt_prop(&boot_fdt, n, list, &len);
	u32 cells;

	while (p && len >= 4) {
		*ctl = fdt_phandle(&boot_fdt, fdt_cell(p));
		if (*ctl < 0 || !fdt_prop_u32(&boot_fdt, *ctl, cells_name, &cells) ||
		    len / 4 < 1 + (u64)cells)
			return -EINVAL;
		if (k-- == 0) {
			*id = cells ? fdt_cell(p + 4) : 0;
			return 0;
		}
		p += 4 * (1 + (u64)cells);
		len -= 4 * (1 + (u64)cells);
	}
	return -ENOENT;
}

static struct clock_domain *domain_of(fdt_node ctl)
{
	struct device *d = device_by_node(ctl);

	return d ? d->clocks : NULL;
}

u64 device_clock_rate(struct device *d, unsigned k)
{
	struct clock_domain *c;
	fdt_node ctl;
	u32 id, rate;

	if (pair(d->node, "clocks", "#clock-cells", k, &ctl, &id))
		return 0;
	if (fdt_prop_u32(&boot_fdt, ctl, "clock-frequency", &rate))
		return rate;
	c = domain_of(ctl);
	return c && c->ops->rate ? c->ops->rate(c->ctl, id) : 0;
}

static int clocks_on(fdt_node n)
{
	struct clock_domain *c;
	fdt_node ctl;
	u32 id;
	int err;

	for (unsigned k = 0; !(err = pair(n, "clocks", "#clock-cells", k, &ctl, &id)); k++) {
		if (fdt_prop(&boot_fdt, ctl, "clock-frequency", &(size_t){0}))
			continue;
		c = domain_of(ctl);
		if (!c)
			return -EPROBE_DEFER;
		err = c->ops->enable ? c->ops->enable(c->ctl, id) : 0;
		if (err)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

static int resets_off(fdt_node n)
{
	struct clock_domain *c;
	fdt_node ctl;
	u32 id;
	int err;

	for (unsigned k = 0; !(err = pair(n, "resets", "#reset-cells", k, &ctl, &id)); k++) {
		c = domain_of(ctl);
		if (!c)
			return -EPROBE_DEFER;
		err = c->ops->release ? c->ops->release(c->ctl, id) : 0;
		if (err)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

int node_power_up(fdt_node n)
{
	int err = clocks_on(n);

	return err ? err : resets_off(n);
}

int device_power_up(struct device *d)
{
	return node_power_up(d->node);
}
