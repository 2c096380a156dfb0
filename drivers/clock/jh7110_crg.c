// SPDX-License-Identifier: BSD-2-Clause
/*
 * Clock and reset generators of the JH7110: SYSCRG, AONCRG, STGCRG.  Clocks: a register each at 4 * id; bit 31 gate, bits 29:24 mux, 23:0 divider
 * (Linux, clk-starfive-jh71x0.h).  Resets: an assert word per 32 and a status word whose bit is 1 when the block is out of
 * reset (reset-starfive-jh71x0.c).
 *
 * Nothing is switched off here, and no rate is changed: firmware set the buses, and the PLLs feed all of them.
 *
 * crg.lock (LOCK_DRIVER) guards the read-modify-write of registers.
 */
#include "drivers/core/device.h"
#include "drivers/core/io.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/mmu.h"
#include "kernel/sched/time.h"
#include "kernel/sync/spinlock.h"

#define OSC_HZ	     24000000UL
#define GATE	     (1u << 31)
#define MUX(reg)     ((reg) >> 24 & 0x3f)
#define DIVIDER(reg) ((reg)&0xffffff)

/* include/dt-bindings/clock/starfive,jh7110-crg.h */
enum {
	SYS_BUS_ROOT = 5,
	SYS_AXI_CFG0 = 7,
	SYS_STG_AXIAHB = 8,
	SYS_AHB0 = 9,
	SYS_APB_BUS = 11,
	SYS_APB0 = 12,
	SYS_SDIO0_AHB = 91,
	SYS_SDIO1_AHB = 92,
	SYS_SDIO0_SDCARD = 93,
	SYS_SDIO1_SDCARD = 94,
	SYS_WDT_CORE = 123,
	SYS_UART0_CORE = 146,
};

struct crg_layout {
	const char *compatible;
	u32 clocks, resets; /* how many */
	u32 assert_at, status_at;
	bool sys;
};

/* Field markings and the corresponding locks:
 * (c) constant   (l) lock
 */
struct crg {
	const struct crg_layout *layout; /* (c) */
	volatile u8 *regs;		 /* (l) for changes */
	volatile u8 *pll;		 /* (c) sys_syscon; NULL: not found */
	struct spinlock lock;		 /* (c) */
};

static const struct crg_layout layouts[] = {
	{"starfive,jh7110-syscrg", 190, 126, 0x2f8, 0x308, true},
	{"starfive,jh7110-aoncrg", 14, 8, 0x38, 0x3c, false},
	{"starfive,jh7110-stgcrg", 29, 23, 0x74, 0x78, false},
};

static u32 clock_reg(const struct crg *c, u32 id)
{
	return io_read32(c->regs + 4 * (u64)id);
}

/* PLL2 feeds the buses: 24 MHz * fbdiv / prediv / 2^postdiv1 (clk-starfive-jh7110-pll.c). */
static u64 pll2_rate(const struct crg *c)
{
	u32 fb, post, pre;
	u64 rate;

	if (!c->pll)
		return 0;
	fb = io_read32(c->pll + 0x2c);
	post = io_read32(c->pll + 0x30);
	pre = io_read32(c->pll + 0x34) & 0x3f;
	rate = (u64)(fb >> 17 & 0xfff) << 24;
	if (!(fb >> 16 & 1)) /* fraction mode */
		rate += post & 0xffffff;
	return (OSC_HZ * rate >> 24) / MAX(pre, 1u) >> (post >> 28 & 3);
}

static u64 divided(const struct crg *c, u32 id, u64 parent)
{
	return parent / MAX(DIVIDER(clock_reg(c, id)), 1u);
}

static u64 bus_rate(const struct crg *c)
{
	u64 root = MUX(clock_reg(c, SYS_BUS_ROOT)) ? pll2_rate(c) : OSC_HZ;

	return divided(c, SYS_AXI_CFG0, root);
}

static u64 ungated_rate(const struct crg *c, u32 id)
{
	switch (id) {
	case SYS_AXI_CFG0:
		return bus_rate(c);
	case SYS_SDIO0_SDCARD:
	case SYS_SDIO1_SDCARD:
		return divided(c, id, bus_rate(c));
	case SYS_STG_AXIAHB:
	case SYS_AHB0:
	case SYS_SDIO0_AHB:
	case SYS_SDIO1_AHB:
		return divided(c, SYS_STG_AXIAHB, bus_rate(c));
	case SYS_APB_BUS:
	case SYS_APB0:
		return divided(c, SYS_APB_BUS, divided(c, SYS_STG_AXIAHB, bus_rate(c)));
	case SYS_WDT_CORE:
	case SYS_UART0_CORE:
		return OSC_HZ;
	default:
		return 0; /* nobody asked yet */
	}
}

static bool has_gate(u32 id)
{
	return id != SYS_BUS_ROOT && id != SYS_AXI_CFG0 && id != SYS_STG_AXIAHB &&
	       id != SYS_APB_BUS;
}

static u64 crg_rate(void *ctl, u32 id)
{
	struct crg *c = ctl;

	if (!c->layout->sys || id >= c->layout->clocks)
		return 0;
	if (has_gate(id) && !(clock_reg(c, id) & GATE))
		return 0;
	return ungated_rate(c, id);
}

static int crg_enable(void *ctl, u32 id)
{
	struct crg *c = ctl;
	u64 irq;

	if (id >= c->layout->clocks)
		return -EINVAL;
	if (!has_gate(id))
		return 0;
	irq = spin_lock_irq(&c->lock);
	io_write32(c->regs + 4 * (u64)id, clock_reg(c, id) | GATE);
	spin_unlock_irq(&c->lock, irq);
	return 0;
}

static int crg_release(void *ctl, u32 id)
{
	struct crg *c = ctl;
	volatile u8 *at = c->regs + c->layout->assert_at + id / 32 * 4;
	volatile u8 *status = c->regs + c->layout->status_at + id / 32 * 4;
	u32 bit = 1u << (id % 32);
	u64 irq, deadline;

	if (id >= c->layout->resets)
		return -EINVAL;
	irq = spin_lock_irq(&c->lock);
	io_write32(at, io_read32(at) & ~bit);
	spin_unlock_irq(&c->lock, irq);
	/* there is no interrupt for it; it follows at once if the block has its clock */
	deadline = time_now() + NSEC_PER_SEC / 1000;
	while (!(io_read32(status) & bit))
		if (time_now() > deadline)
			return -ETIMEDOUT;
	return 0;
}

static const struct clock_ops crg_ops = {
	.rate = crg_rate, .enable = crg_enable, .release = crg_release};

/* The PLLs' registers are in the syscon, whose node we find by name: the clock list of SYSCRG differs between device trees. */
static volatile u8 *find_pll(void)
{
	fdt_node soc = fdt_path(&boot_fdt, "/soc");
	u64 base, size;

	for (fdt_node n = fdt_child(&boot_fdt, soc); n >= 0; n = fdt_sibling(&boot_fdt, n))
		if (fdt_compatible(&boot_fdt, n, "starfive,jh7110-sys-syscon") &&
		    !fdt_reg(&boot_fdt, n, 0, &base, &size) && size >= 0x38)
			return ioremap(base, size);
	return NULL;
}

static int crg_probe(struct device *d)
{
	struct crg *c = kzalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	for (u32 i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (fdt_compatible(&boot_fdt, d->node, layouts[i].compatible))
			c->layout = &layouts[i];
	c->regs = device_map(d, 0, NULL);
	if (!c->layout || !c->regs) {
		kfree(c);
		return -ENODEV;
	}
	if (c->layout->sys)
		c->pll = find_pll();
	spin_init(&c->lock, LOCK_DRIVER, "jh7110-crg");
	return clock_controller_register(d, &crg_ops, c);
}

static const char *const crg_names[] = {"starfive,jh7110-syscrg", "starfive,jh7110-aoncrg",
					"starfive,jh7110-stgcrg", NULL};
static struct driver crg_driver = {
	.name = "jh7110-crg",
	.compatible = crg_names,
	.stage = STAGE_CLOCK,
	.probe = crg_probe,
};
DRIVER(crg_driver);
