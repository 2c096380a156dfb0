// SPDX-License-Identifier: BSD-2-Clause
/*
 * The device model.  Every enabled node with a `compatible` becomes a struct device, parents first; drivers come from the linker set .drivers
 * and get the devices whose compatible strings name them, the most specific string first.
 *
 * No locks: devices are made and probed by the start-up thread alone, and the list is constant afterwards.
 */
#include "drivers/core/device.h"

#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/mmu.h"

extern struct driver *const __drivers_start[], *const __drivers_stop[];

static struct list devices = LIST_INIT(devices);

static struct device *device_new(fdt_node n, struct device *parent)
{
	struct device *d = kzalloc(sizeof(*d));

	ASSERTF(d, "no memory for devices");
	d->node = n;
	d->parent = parent;
	d->name = fdt_name(&boot_fdt, n);
	list_add_tail(&devices, &d->link);
	return d;
}

/* Walks the tree without recursion: its depth is the firmware's to choose. */
void devices_init(void)
{
	const struct fdt *f = &boot_fdt;
	fdt_node n = fdt_child(f, fdt_root(f));
	struct device *parent = NULL;
	size_t len;

	while (n >= 0) {
		struct device *d = NULL;
		fdt_node next = -1;

		if (fdt_okay(f, n)) {
			if (fdt_prop(f, n, "compatible", &len))
				d = device_new(n, parent);
			next = fdt_child(f, n);
		}
		if (next >= 0) {
			parent = d ? d : parent;
			n = next;
			continue;
		}
		while (n >= 0 && (next = fdt_sibling(f, n)) < 0) {
			n = fdt_parent(f, n);
			if (parent && n == parent->node)
				parent = parent->parent;
		}
		n = n < 0 ? -1 : next;
	}
}

static bool driver_knows(const struct driver *drv, const char *compatible)
{
	for (const char *const *c = drv->compatible; *c; c++)
		if (strcmp(*c, compatible) == 0)
			return true;
	return false;
}

static struct driver *find_driver(struct device *d, enum driver_stage s)
{
	const char *c;

	for (unsigned k = 0; (c = fdt_prop_strn(&boot_fdt, d->node, "compatible", k)); k++)
		for (struct driver *const *p = __drivers_start; p < __drivers_stop; p++)
			if ((*p)->stage == s && driver_knows(*p, c))
				return *p;
	return NULL;
}

/* True: it has to be tried again. */
static bool try_probe(struct device *d, struct driver *drv)
{
	int err = drv->probe(d);

	if (err == -EPROBE_DEFER)
		return true;
	if (err)
		kprintf("%s: driver %s: error %d\n", d->name, drv->name, err);
	else
		d->driver = drv;
	return false;
}

/* One pass over the devices of a stage, `again` of the last one only; returns how many are deferred. */
static unsigned probe_pass(enum driver_stage s, bool *progress)
{
	unsigned deferred = 0;
	struct device *d;

	*progress = false;
	list_for_each(d, &devices, link) {
		struct driver *drv = d->probed ? NULL : find_driver(d, s);

		if (!drv)
			continue;
		if (try_probe(d, drv)) {
			deferred++;
		} else {
			d->probed = true;
			*progress = true;
		}
	}
	return deferred;
}

void devices_probe(enum driver_stage s)
{
	bool progress;
	unsigned deferred;

	do
		deferred = probe_pass(s, &progress);
	while (deferred && progress);
	if (deferred)
		kprintf("devices: %u still wait for something that is not there\n", deferred);
}

struct device *device_by_node(fdt_node n)
{
	struct device *d;

	list_for_each(d, &devices, link)
		if (d->node == n)
			return d;
	return NULL;
}

struct device *device_by_phandle(u32 phandle)
{
	fdt_node n = fdt_phandle(&boot_fdt, phandle);

	return n < 0 ? NULL : device_by_node(n);
}

volatile void *device_map(struct device *d, unsigned k, u64 *size)
{
	u64 base, len;

	if (fdt_reg(&boot_fdt, d->node, k, &base, &len) || !len)
		return NULL;
	if (size)
		*size = len;
	return ioremap(base, len);
}
