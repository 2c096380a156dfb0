/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_DEVICE_H
#define GNOMON_DRIVERS_DEVICE_H

/*
 * The device model: every node of the device tree with a `compatible` becomes a device; drivers register a table of compatible
 * strings in the linker set .drivers and are probed in stages (irq controllers, clocks, consoles, the rest). A probe may return
 * -EPROBE_DEFER (-517) to be tried again after others.
 */

#include "kernel/lib/errno.h"
#include "kernel/lib/fdt.h"
#include "kernel/lib/list.h"

#define EPROBE_DEFER 517

struct driver;

/* Field markings and the corresponding locks:
 * (c) constant after start-up   (d) the driver's
 */
struct device {
	fdt_node node;		     /* (c) */
	struct device *parent;	     /* (c) */
	struct driver *driver;	     /* (c) NULL: none bound */
	void *data;		     /* (d) */
	struct list link;	     /* (c) all devices */
	const char *name;	     /* (c) node name */
	bool probed;		     /* (c) a driver has said yes or no */
	struct irq_domain *irqs;     /* (c) it is an interrupt controller */
	struct clock_domain *clocks; /* (c) it controls clocks or resets */
};

enum driver_stage { STAGE_IRQ, STAGE_CLOCK, STAGE_CONSOLE, STAGE_DEVICE, STAGES };

struct driver {
	const char *name;
	const char *const *compatible; /* NULL-terminated */
	enum driver_stage stage;
	int (*probe)(struct device *d); /* 0, -EPROBE_DEFER, or why not */
};
#define DRIVER(d) static struct driver *const driver_##d __used __section(".drivers") = &(d)

extern struct fdt boot_fdt; /* the tree, copied to memory of ours */

void devices_init(void);		 /* makes devices from the tree */
void devices_probe(enum driver_stage s); /* probes this stage, retrying deferred ones */
struct device *device_by_phandle(u32 phandle);
struct device *device_by_node(fdt_node n);
/* The k-th reg entry mapped with ioremap. NULL: none or no memory. */
volatile void *device_map(struct device *d, unsigned k, u64 *size);

/* Interrupts.  A handler runs in interrupt context; returns true if it was its own. */
typedef bool (*irq_handler)(void *arg);
struct irq_domain;
struct irq_ops {
	int (*enable)(void *ctl, u32 hwirq); /* unmask, spread over harts */
	void (*disable)(void *ctl, u32 hwirq);
};
/* For controller drivers. */
int irq_controller_register(struct device *d, const struct irq_ops *ops, u32 nirqs, void *ctl);
void irq_dispatch(struct device *ctl, u32 hwirq); /* from the controller's handler */
/* Root controller: called on an external interrupt, and on each hart as it comes up. */
void irq_set_root(void (*handle)(void), void (*hart_init)(void));
void irq_root_handle(void);
void irq_hart_init(void);
/* The k-th interrupt of a device: `interrupts` with `interrupt-parent`, or `interrupts-extended`. Shared lines allowed. 0 or -errno. */
int device_irq(struct device *d, unsigned k, irq_handler fn, void *arg);
/* Iterates for /proc/interrupts. */
bool irq_info(unsigned k, const char **name, u32 *hwirq, u64 *count);

/*
 * Clocks and resets (drivers/core/clock.c).  A controller registers what its ids mean; a consumer names its own by their place in `clocks` and
 * `resets`.  Fixed clocks of the tree need no driver.  Any of the functions may be NULL.
 */
struct clock_ops {
	u64 (*rate)(void *ctl, u32 id); /* Hz; 0: off or unknown */
	int (*enable)(void *ctl, u32 id);
	int (*release)(void *ctl, u32 id); /* out of reset; 0 or -ETIMEDOUT */
};
int clock_controller_register(struct device *d, const struct clock_ops *ops, void *ctl);
u64 device_clock_rate(struct device *d, unsigned k); /* 0 if unknown */
/* Enables all clocks of d, then takes it out of all its resets. 0, -EPROBE_DEFER while a controller has no driver yet, -ETIMEDOUT. */
int device_power_up(struct device *d);
int node_power_up(fdt_node n); /* the same for a node without a driver */

#endif
