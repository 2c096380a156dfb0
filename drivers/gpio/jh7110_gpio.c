// SPDX-License-Identifier: BSD-2-Clause
/*
 * The 64 pins of the JH7110's sys_iomux as inputs with interrupts (Linux, pinctrl-starfive-jh7110-sys.c).  What the pins carry, firmware has
 * set up; a pin that is asked for is made an input.
 *
 * gpio.lock (LOCK_DRIVER), interrupts off, guards the registers that several pins share, and `watchers`; handlers run without it.
 */
#include "drivers/core/gpio.h"
#include "drivers/core/io.h"
#include "kernel/lib/print.h"
#include "kernel/mem/slab.h"
#include "kernel/sync/spinlock.h"

#define NPINS 64u

#define DOEN	 0x000 /* a byte a pin: 1 = input */
#define IRQ_ON	 0x0dc
#define IRQ_EDGE 0x0e0 /* pairs of words from here: 32 pins each */
#define IRQ_CLR	 0x0e8
#define IRQ_BOTH 0x0f0
#define IRQ_MASK 0x100 /* 1 = let through */
#define IRQ_STAT 0x110
#define INPUT	 0x118
#define PAD	 0x120 /* a word a pin */
#define PAD_IE	 1u
#define PAD_SMT	 (1u << 6)

struct watcher {
	void (*fn)(void *arg);
	void *arg;
};

/* Field markings and the corresponding locks:
 * (c) constant   (l) lock
 */
static struct {
	struct gpio_controller controller; /* (c) */
	volatile u8 *regs;		   /* (l) for changes */
	struct spinlock lock;		   /* (c) */
	struct watcher watchers[NPINS];	   /* (l) one a pin: the hardware's number */
} gpio;

static void change(u64 at, u32 clear, u32 set)
{
	io_write32(gpio.regs + at, (io_read32(gpio.regs + at) & ~clear) | set);
}

static bool pin_get(void *ctl, u32 pin)
{
	(void)ctl;
	return pin < NPINS && (io_read32(gpio.regs + INPUT + pin / 32 * 4) >> pin % 32 & 1);
}

static int pin_watch(void *ctl, u32 pin, void (*fn)(void *arg), void *arg)
{
	u32 word = pin / 32 * 4, bit = 1u << pin % 32;
	u64 irq;

	(void)ctl;
	if (pin >= NPINS)
		return -EINVAL;
	irq = spin_lock_irq(&gpio.lock);
	if (gpio.watchers[pin].fn) {
		spin_unlock_irq(&gpio.lock, irq);
		return -EBUSY;
	}
	gpio.watchers[pin] = (struct watcher){fn, arg};
	change(DOEN + pin / 4 * 4, 0x3fu << pin % 4 * 8, 1u << pin % 4 * 8);
	change(PAD + 4 * (u64)pin, 0, PAD_IE | PAD_SMT);
	change(IRQ_EDGE + word, 0, bit);
	change(IRQ_BOTH + word, 0, bit);
	change(IRQ_CLR + word, bit, 0);
	change(IRQ_CLR + word, 0, bit);
	change(IRQ_MASK + word, 0, bit);
	spin_unlock_irq(&gpio.lock, irq);
	return 0;
}

static const struct gpio_ops pin_ops = {.get = pin_get, .watch = pin_watch};

static bool gpio_interrupt(void *arg)
{
	bool any = false;

	(void)arg;
	for (u32 word = 0; word < NPINS / 32; word++) {
		u64 irq = spin_lock_irq(&gpio.lock);
		u32 pending = io_read32(gpio.regs + IRQ_STAT + word * 4);

		change(IRQ_CLR + word * 4, pending, 0);
		change(IRQ_CLR + word * 4, 0, pending);
		spin_unlock_irq(&gpio.lock, irq);
		for (; pending; pending &= pending - 1) {
			struct watcher *w = &gpio.watchers[word * 32 + (u32)__builtin_ctz(pending)];

			any = true;
			if (w->fn)
				w->fn(w->arg);
		}
	}
	return any;
}

static int gpio_probe(struct device *d)
{
	int err = device_power_up(d);

	if (err)
		return err;
	if (gpio.regs)
		return -EBUSY;
	gpio.regs = device_map(d, 0, NULL);
	if (!gpio.regs)
		return -ENOMEM;
	spin_init(&gpio.lock, LOCK_DRIVER, "gpio");
	for (u32 word = 0; word < NPINS / 32; word++)
		io_write32(gpio.regs + IRQ_MASK + word * 4, 0);
	err = device_irq(d, 0, gpio_interrupt, NULL);
	if (err)
		return err;
	io_write32(gpio.regs + IRQ_ON, 1);
	gpio.controller.device = d;
	gpio.controller.ops = &pin_ops;
	gpio_controller_register(&gpio.controller);
	return 0;
}

static const char *const gpio_names[] = {"starfive,jh7110-sys-pinctrl", NULL};
static struct driver gpio_driver = {
	.name = "jh7110-gpio",
	.compatible = gpio_names,
	.stage = STAGE_DEVICE,
	.probe = gpio_probe,
};
DRIVER(gpio_driver);
