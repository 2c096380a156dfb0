// SPDX-License-Identifier: BSD-2-Clause
/*
 * Interrupts: controllers (domains), the lines of each, and who handles a line.  Several devices may share a line; each
 * handler is asked.
 *
 * Lines are made by device_irq, which sleeps and runs at start-up or from a probe; a line's handlers are only ever added, at
 * the head of a list, so the dispatcher walks them without a lock.  irq_lock orders those who add.
 */
#include "drivers/core/device.h"
#include "kernel/lib/print.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/hart.h"
#include "kernel/sync/spinlock.h"

struct irq_action {
	struct irq_action *next;
	irq_handler fn;
	void *arg;
};

/* Field markings and the corresponding locks:
 * (c) constant   (i) written under irq_lock, read by anybody   (a) atomic
 */
struct irq_line {
	struct irq_line *next;	    /* (i) all lines, newest first */
	struct irq_domain *domain;  /* (c) */
	u32 hwirq;		    /* (c) */
	const char *name;	    /* (c) the first device's */
	struct irq_action *actions; /* (i) */
	u64 count;		    /* (a) */
	u64 unhandled;		    /* (a) in a row */
};

struct irq_domain {
	const struct irq_ops *ops; /* (c) */
	void *ctl;		   /* (c) */
	u32 nirqs;		   /* (c) */
	struct irq_line *lines[];  /* (i) by hwirq */
};

#define UNHANDLED_MAX 100000 /* then the line is switched off: it would storm forever */

static struct spinlock irq_lock = SPINLOCK_INIT(LOCK_IRQ, "irq");
static struct irq_line *all_lines;
static void (*root_handle)(void);
static void (*root_hart_init)(void);

int irq_controller_register(struct device *d, const struct irq_ops *ops, u32 nirqs, void *ctl)
{
	struct irq_domain *dom = kzalloc(sizeof(*dom) + nirqs * sizeof(dom->lines[0]));

	if (!dom)
		return -ENOMEM;
	dom->ops = ops;
	dom->ctl = ctl;
	dom->nirqs = nirqs;
	d->irqs = dom;
	return 0;
}

void irq_set_root(void (*handle)(void), void (*hart_init)(void))
{
	ASSERT(!root_handle);
	root_handle = handle;
	root_hart_init = hart_init;
}

void irq_root_handle(void)
{
	ASSERTF(root_handle, "an external interrupt came without an interrupt controller");
	root_handle();
}

void irq_hart_init(void)
{
	if (root_hart_init)
		root_hart_init();
}

static void line_unhandled(struct irq_line *line)
{
	if (__atomic_add_fetch(&line->unhandled, 1, __ATOMIC_RELAXED) != UNHANDLED_MAX)
		return;
	kprintf("irq %u (%s): nobody wants it, switched off\n", line->hwirq, line->name);
	line->domain->ops->disable(line->domain->ctl, line->hwirq);
}

void irq_dispatch(struct device *ctl, u32 hwirq)
{
	struct irq_domain *dom = ctl->irqs;
	struct irq_line *line =
		hwirq < dom->nirqs ? __atomic_load_n(&dom->lines[hwirq], __ATOMIC_ACQUIRE) : NULL;
	bool handled = false;

	if (!line) {
		kprintf("irq %u: came without a handler\n", hwirq);
		dom->ops->disable(dom->ctl, hwirq);
		return;
	}
	__atomic_fetch_add(&line->count, 1, __ATOMIC_RELAXED);
	for (struct irq_action *a = __atomic_load_n(&line->actions, __ATOMIC_ACQUIRE); a;
	     a = a->next)
		handled |= a->fn(a->arg);
	if (handled)
		line->unhandled = 0;
	else
		line_unhandled(line);
}

/* ---- whose interrupt ---- */

static u32 irq_cells(fdt_node ctl)
{
	u32 cells;

	return fdt_prop_u32(&boot_fdt, ctl, "#interrupt-cells", &cells) && cells >= 1 ? cells : 0;
}

/* The controller for n's `interrupts`: interrupt-parent of n or of the nearest node above that has one. */
static fdt_node irq_parent(fdt_node n)
{
	u32 phandle;

	for (; n >= 0; n = fdt_parent(&boot_fdt, n))
		if (fdt_prop_u32(&boot_fdt, n, "interrupt-parent", &phandle))
			return fdt_phandle(&boot_fdt, phandle);
	return -1;
}

/* The k-th interrupt of node n: its controller and first cell. 0, -ENOENT, -EINVAL. */
static int irq_find(fdt_node n, unsigned k, fdt_node *ctl, u32 *hwirq)
{
	size_t len;
	const u8 *p = fdt_prop(&boot_fdt, n, "interrupts-extended", &len);
	u32 cells;

	if (!p) {
		p = fdt_prop(&boot_fdt, n, "interrupts", &len);
		*ctl = irq_parent(n);
		cells = *ctl < 0 ? 0 : irq_cells(*ctl);
		if (!p || !cells)
			return p ? -EINVAL : -ENOENT;
		if ((k + 1UL) * cells * 4 > len)
			return -ENOENT;
		*hwirq = fdt_cell(p + 4UL * k * cells);
		return 0;
	}
	while (len >= 8) {
		*ctl = fdt_phandle(&boot_fdt, fdt_cell(p));
		cells = *ctl < 0 ? 0 : irq_cells(*ctl);
		if (!cells || len < 4 + 4UL * cells)
			return -EINVAL;
		if (k-- == 0) {
			*hwirq = fdt_cell(p + 4);
			return 0;
		}
		p += 4 + 4UL * cells;
		len -= 4 + 4UL * cells;
	}
	return -ENOENT;
}

/* Adds the handler to its line, making the line from *fresh if there is none yet. True: the line is new. */
static bool line_add(struct irq_domain *dom, u32 hwirq, struct irq_action *a,
		     struct irq_line **fresh)
{
	u64 flags = spin_lock_irq(&irq_lock);
	struct irq_line *line = dom->lines[hwirq];
	bool new = !line;

	if (new) {
		line = *fresh;
		*fresh = NULL;
		line->next = all_lines;
		__atomic_store_n(&all_lines, line, __ATOMIC_RELEASE);
	}
	a->next = line->actions;
	__atomic_store_n(&line->actions, a, __ATOMIC_RELEASE);
	__atomic_store_n(&dom->lines[hwirq], line, __ATOMIC_RELEASE);
	spin_unlock_irq(&irq_lock, flags);
	return new;
}

int device_irq(struct device *d, unsigned k, irq_handler fn, void *arg)
{
	struct device *ctl;
	struct irq_action *a;
	struct irq_line *line;
	fdt_node node;
	u32 hwirq;
	int err = irq_find(d->node, k, &node, &hwirq);

	if (err)
		return err;
	ctl = device_by_node(node);
	if (!ctl || !ctl->irqs)
		return -EPROBE_DEFER;
	if (hwirq >= ctl->irqs->nirqs)
		return -EINVAL;
	a = kzalloc(sizeof(*a));
	line = kzalloc(sizeof(*line));
	if (!a || !line) {
		kfree(a);
		kfree(line);
		return -ENOMEM;
	}
	*a = (struct irq_action){.fn = fn, .arg = arg};
	*line = (struct irq_line){.domain = ctl->irqs, .hwirq = hwirq, .name = d->name};
	if (line_add(ctl->irqs, hwirq, a, &line))
		err = ctl->irqs->ops->enable(ctl->irqs->ctl, hwirq);
	kfree(line);
	return err;
}

bool irq_info(unsigned k, const char **name, u32 *hwirq, u64 *count)
{
	struct irq_line *line = __atomic_load_n(&all_lines, __ATOMIC_ACQUIRE);

	while (line && k--)
		line = line->next;
	if (!line)
		return false;
	*name = line->name;
	*hwirq = line->hwirq;
	*count = READ_ONCE(line->count);
	return true;
}
