// SPDX-License-Identifier: BSD-2-Clause
/*
 * The JH7110's random number generator (Linux, hw_random/jh7110-trng.c) feeds the kernel's: FIRST times 256 bits as soon as it is seeded, then
 * 256 bits a PERIOD.  Everything happens in its interrupt and a timer:
 *
 *	reseed -> (seed done) -> generate -> (ready) -> words mixed in -> generate, or the timer -> generate
 *
 * A generator that locks up is seeded again, a few times.  State belongs to whoever runs next, the interrupt or the timer: never both.
 */
#include "drivers/core/device.h"
#include "drivers/core/io.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/random.h"
#include "kernel/sched/time.h"

#define CTRL	   0x00
#define CTRL_RANDO 1u /* generate */
#define CTRL_SEED  2u
#define MODE	   0x08
#define MODE_256   (1u << 3)
#define IE	   0x10
#define ISTAT	   0x14
#define INT_READY  (1u << 0)
#define INT_SEED   (1u << 1)
#define INT_LOCKUP (1u << 4)
#define INT_ALL	   (INT_READY | INT_SEED | INT_LOCKUP)
#define IE_GLOBAL  (1u << 31)
#define RAND0	   0x20
#define WORDS	   8u

#define FIRST	    2u
#define PERIOD	    (300 * NSEC_PER_SEC)
#define LOCKUPS_MAX 8u

static struct {
	volatile u8 *regs;
	struct timer timer;
	u32 fed, lockups;
} trng;

static void mix_in(void)
{
	u32 words[WORDS];

	for (unsigned i = 0; i < WORDS; i++)
		words[i] = io_read32(trng.regs + RAND0 + 4UL * i);
	random_add_entropy(words, sizeof(words));
	__builtin_memset(words, 0, sizeof(words));
	/* cppcheck-suppress unreadVariable ; the words are secret: the store must happen */
	__asm__ volatile("" : : "r"(words) : "memory");
}

static void again(struct timer *t __unused)
{
	io_write32(trng.regs + CTRL, CTRL_RANDO);
}

static void words_ready(void)
{
	mix_in();
	if (++trng.fed < FIRST)
		io_write32(trng.regs + CTRL, CTRL_RANDO);
	else
		timer_arm(&trng.timer, time_now() + PERIOD);
}

static bool trng_interrupt(void *arg __unused)
{
	u32 status = io_read32(trng.regs + ISTAT) & INT_ALL;

	io_write32(trng.regs + ISTAT, status);
	if ((status & INT_LOCKUP) && trng.lockups++ < LOCKUPS_MAX)
		io_write32(trng.regs + CTRL, CTRL_SEED);
	else if (status & INT_READY)
		words_ready();
	else if (status & INT_SEED)
		io_write32(trng.regs + CTRL, CTRL_RANDO);
	return status;
}

static int trng_probe(struct device *d)
{
	int err = device_power_up(d);

	if (err)
		return err;
	if (trng.regs)
		return -EBUSY;
	trng.regs = device_map(d, 0, NULL);
	if (!trng.regs)
		return -ENOMEM;
	timer_setup(&trng.timer, again);
	io_write32(trng.regs + IE, 0);
	io_write32(trng.regs + ISTAT, INT_ALL);
	io_write32(trng.regs + MODE, MODE_256);
	err = device_irq(d, 0, trng_interrupt, NULL);
	if (err)
		return err;
	io_write32(trng.regs + IE, IE_GLOBAL | INT_ALL);
	io_write32(trng.regs + CTRL, CTRL_SEED);
	return 0;
}

static const char *const trng_names[] = {"starfive,jh7110-trng", NULL};
static struct driver trng_driver = {
	.name = "jh7110-trng",
	.compatible = trng_names,
	.stage = STAGE_DEVICE,
	.probe = trng_probe,
};
DRIVER(trng_driver);
