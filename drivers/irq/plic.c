// SPDX-License-Identifier: BSD-2-Clause
/*
 * The platform-level interrupt controller (RISC-V PLIC specification 1.0) and the harts' own controllers below it.
 *
 * Contexts are numbered by the entries of interrupts-extended; those whose cell is 9 (supervisor external) belong to us, found by
 * the hart whose riscv,cpu-intc the entry names.  Firmware resets a hart's context when it starts it, so each hart
 * programs its own when it comes up, from `wanted`.  Each source is enabled on one hart, in turn.
 *
 * Locks: plic.lock guards `owner`, `next_hart` and read-modify-write of enable words.
 */
#include "drivers/core/device.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/hart.h"
#include "kernel/riscv/isa.h"
#include "kernel/sync/spinlock.h"

#define PRIORITY(irq)  (4UL * (irq))
#define ENABLE(ctx, w) (0x2000UL + 0x80UL * (ctx) + 4UL * (w))
#define THRESHOLD(ctx) (0x200000UL + 0x1000UL * (ctx))
#define CLAIM(ctx)     (THRESHOLD(ctx) + 4)
#define S_EXTERNAL     9u
#define NO_CONTEXT     (~0u)
#define UNOWNED	       255u

/* Field markings and the corresponding locks:
 * (c) constant after probe   (l) lock
 */
static struct plic {
	struct device *dev;   /* (c) */
	volatile u8 *regs;    /* (c) */
	u64 size;	      /* (c) */
	u32 ndev;	      /* (c) sources are 1..ndev */
	struct spinlock lock; /* (c) */
	u32 ncontexts;	      /* (c) */
	struct context_owner {
		u64 hartid;
		bool usable;
	} * contexts;		   /* (c) */
	u32 context_of[MAX_HARTS]; /* (c) once the hart is up: by hart index */
	u8 *owner;		   /* (l) hart index by source; UNOWNED: disabled */
	u32 next_hart;		   /* (l) */
} plic;

static void reg_write(u64 offset, u32 v)
{
	*(volatile u32 *)(plic.regs + offset) = v;
}

static u32 reg_read(u64 offset)
{
	return *(volatile u32 *)(plic.regs + offset);
}

static void set_enable(u32 ctx, u32 irq, bool on)
{
	u32 v = reg_read(ENABLE(ctx, irq / 32)), bit = 1u << irq % 32;

	reg_write(ENABLE(ctx, irq / 32), on ? v | bit : v & ~bit);
}

/* The next hart that has a context; lock held. */
static u32 choose_hart(void)
{
	for (u32 tries = 0; tries < nharts; tries++) {
		u32 i = plic.next_hart++ % nharts;

		if ((harts_online() & 1UL << i) && plic.context_of[i] != NO_CONTEXT)
			return i;
	}
	return 0;
}

static int plic_enable(void *ctl, u32 irq)
{
	u64 flags;
	u32 hart;

	(void)ctl;
	if (irq == 0 || irq > plic.ndev)
		return -EINVAL;
	flags = spin_lock_irq(&plic.lock);
	hart = choose_hart();
	plic.owner[irq] = (u8)hart;
	reg_write(PRIORITY(irq), 1);
	set_enable(plic.context_of[hart], irq, true);
	spin_unlock_irq(&plic.lock, flags);
	return 0;
}

static void plic_disable(void *ctl, u32 irq)
{
	u64 flags = spin_lock_irq(&plic.lock);

	(void)ctl;
	if (irq && irq <= plic.ndev && plic.owner[irq] != UNOWNED) {
		set_enable(plic.context_of[plic.owner[irq]], irq, false);
		plic.owner[irq] = UNOWNED;
		reg_write(PRIORITY(irq), 0);
	}
	spin_unlock_irq(&plic.lock, flags);
}

static void plic_handle(void)
{
	u32 ctx = plic.context_of[this_hart()->index], irq;

	while ((irq = reg_read(CLAIM(ctx)))) {
		irq_dispatch(plic.dev, irq);
		reg_write(CLAIM(ctx), irq);
	}
}

static u32 find_context(u64 hartid)
{
	for (u32 i = 0; i < plic.ncontexts; i++)
		if (plic.contexts[i].usable && plic.contexts[i].hartid == hartid)
			return i;
	return NO_CONTEXT;
}

/* On each hart as it comes up: only what is owned by it is enabled, nothing is masked. */
static void plic_hart_init(void)
{
	struct hart *h = this_hart();
	u64 flags = spin_lock_irq(&plic.lock);
	u32 ctx = find_context(h->id);

	plic.context_of[h->index] = ctx;
	if (ctx != NO_CONTEXT) {
		for (u32 w = 0; w <= plic.ndev / 32; w++)
			reg_write(ENABLE(ctx, w), 0);
		for (u32 irq = 1; irq <= plic.ndev; irq++)
			if (plic.owner[irq] == h->index)
				set_enable(ctx, irq, true);
		reg_write(THRESHOLD(ctx), 0);
	}
	spin_unlock_irq(&plic.lock, flags);
	if (ctx == NO_CONTEXT)
		kprintf("plic: hart %lu has no context\n", h->id);
}

/* Reads interrupts-extended: pairs of a riscv,cpu-intc's phandle and a cause; the hart is the intc's parent node. */
static int read_contexts(struct device *d)
{
	size_t len;
	const u8 *p = fdt_prop(&boot_fdt, d->node, "interrupts-extended", &len);

	if (!p || len < 8)
		return -EINVAL;
	plic.ncontexts = (u32)(len / 8);
	plic.contexts = kzalloc(plic.ncontexts * sizeof(*plic.contexts));
	if (!plic.contexts)
		return -ENOMEM;
	for (u32 i = 0; i < plic.ncontexts; i++, p += 8) {
		fdt_node intc = fdt_phandle(&boot_fdt, fdt_cell(p));
		struct context_owner *c = &plic.contexts[i];

		if (intc < 0 || fdt_cell(p + 4) != S_EXTERNAL || THRESHOLD(i) + 8 > plic.size)
			continue;
		c->usable = isa_hart_usable(&boot_fdt, fdt_parent(&boot_fdt, intc), &c->hartid);
	}
	return 0;
}

static void silence(void)
{
	for (u32 irq = 1; irq <= plic.ndev; irq++)
		reg_write(PRIORITY(irq), 0);
}

static const struct irq_ops plic_ops = {.enable = plic_enable, .disable = plic_disable};

static int plic_probe(struct device *d)
{
	int err;

	if (plic.regs)
		return -EBUSY; /* nested or second controllers are not known on our boards */
	if (!fdt_prop_u32(&boot_fdt, d->node, "riscv,ndev", &plic.ndev) || plic.ndev == 0 ||
	    plic.ndev > 1023)
		return -EINVAL;
	plic.regs = device_map(d, 0, &plic.size);
	if (!plic.regs)
		return -ENOMEM;
	err = read_contexts(d);
	if (err)
		return err;
	plic.owner = kmalloc(plic.ndev + 1, 0);
	if (!plic.owner)
		return -ENOMEM;
	memset(plic.owner, UNOWNED, plic.ndev + 1);
	memset(plic.context_of, 0xff, sizeof(plic.context_of));
	spin_init(&plic.lock, LOCK_IRQ, "plic");
	plic.dev = d;
	silence();
	err = irq_controller_register(d, &plic_ops, plic.ndev + 1, &plic);
	if (err)
		return err;
	irq_set_root(plic_handle, plic_hart_init);
	kprintf("plic: %u sources, %u contexts\n", plic.ndev, plic.ncontexts);
	return 0;
}

static const char *const plic_names[] = {"riscv,plic0", "sifive,plic-1.0.0", "thead,c900-plic",
					 NULL};
static struct driver plic_driver = {
	.name = "plic",
	.compatible = plic_names,
	.stage = STAGE_IRQ,
	.probe = plic_probe,
};
DRIVER(plic_driver);
