// SPDX-License-Identifier: BSD-2-Clause
/* crash=HOW on the command line: makes the kernel fail on purpose once it is up, so that tests can look at the report. */
#include "kernel/boot/boot.h"
#include "kernel/boot/init.h"
#include "kernel/boot/params.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"
#include "kernel/sync/mutex.h"

static void crash_panic(void)
{
	panic("as asked for: %d", 42);
}

static void crash_null(void)
{
	volatile uintptr_t nowhere = 8;

	*(volatile int *)nowhere = 1;
}

static void crash_text(void)
{
	*(volatile char *)crash_null = 0;
}

static void crash_jump(void)
{
	static u32 insn[] = {0x8082}; /* ret */

	((void (*)(void))(uintptr_t)insn)();
}

static volatile bool bottomless = true;

static unsigned deeper(volatile unsigned n)
{
	volatile char room[256];

	room[n % 256] = (char)n;
	return bottomless ? deeper(n + 1) + (unsigned)room[0] : n;
}

static void crash_overflow(void)
{
	kprintf("%u\n", deeper(0));
}

static void in_timer(struct timer *t)
{
	(void)t;
	panic("in an interrupt");
}

static void crash_irq(void)
{
	static struct timer t;

	timer_setup(&t, in_timer);
	timer_arm(&t, time_now() + 1000000);
	for (;;)
		__asm__ volatile("nop");
}

/* One hart deaf with interrupts off while another panics. */
static void deaf(void *arg)
{
	(void)arg;
	sched_set_affinity(current(), ~1UL); /* not where we sleep below */
	irq_disable();
	for (;;)
		__asm__ volatile("nop");
}

static void crash_deaf(void)
{
	sched_set_affinity(current(), 1);
	kthread_run("deaf", deaf, NULL);
	sleep_ns(50000000);
	panic("with a deaf hart");
}

/* The next three only debug builds notice. */
static struct mutex outer, inner;
static struct spinlock spin;

static void crash_order(void)
{
	mutex_init(&outer, LOCK_VNODE, "outer");
	mutex_init(&inner, LOCK_FS_INODE, "inner");
	mutex_lock(&inner);
	mutex_lock(&outer);
	panic("lock order was not checked");
}

static void crash_sleep(void)
{
	mutex_init(&outer, LOCK_VNODE, "outer");
	spin_init(&spin, LOCK_DRIVER, "spin");
	spin_lock(&spin);
	mutex_lock(&outer);
	panic("sleeping was not checked");
}

static NO_TS void crash_unlock(void)
{
	spin_init(&spin, LOCK_DRIVER, "spin");
	spin_unlock(&spin);
	panic("ownership was not checked");
}

static const struct {
	const char *name;
	void (*fn)(void);
} ways[] = {
	{"panic", crash_panic},	  {"null", crash_null},		{"text", crash_text},
	{"jump", crash_jump},	  {"overflow", crash_overflow}, {"irq", crash_irq},
	{"deaf", crash_deaf},	  {"order", crash_order},	{"sleep", crash_sleep},
	{"unlock", crash_unlock},
};

static void crash_init(void)
{
	const char *how = kernel_param("crash");

	for (unsigned i = 0; how && i < ARRAY_LEN(ways); i++)
		if (strcmp(how, ways[i].name) == 0)
			ways[i].fn();
}
INITCALL(LATE, crash_init);
