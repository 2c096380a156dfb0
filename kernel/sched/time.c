// SPDX-License-Identifier: BSD-2-Clause
/*
 * Time and timers.
 *
 * Nanoseconds are cycles of the time CSR times a 32.32 fixed-point number.  Each hart has a queue of timers, a tree ordered by
 * deadline, and programs its timer interrupt for the first of them or for its next accounting tick; idle harts have no tick.
 * An interrupt that turns out too early (its timer was cancelled) just programs the next.
 *
 * Locks: hart->timer_lock guards the hart's tree and the fields of timers in it.
 */
#include "kernel/sched/time.h"

#include "drivers/core/device.h"
#include "kernel/lib/fdt.h"
#include "kernel/lib/print.h"
#include "kernel/riscv/csr.h"
#include "kernel/riscv/isa.h"
#include "kernel/riscv/uaccess_internal.h"
#include "kernel/sched/sched_internal.h"
#include "kernel/sync/waitq.h"
#include "sbi/sbi.h"

#define MULT_SHIFT 32

static u32 freq;
u64 time_ns_mult;	    /* ns per cycle << 32 */
static u64 cycle_mult;	    /* cycles per ns << 32 */
static bool have_sstc;	    /* constant after time_init */
static u64 realtime_offset; /* (a) realtime - monotonic */

static inline u64 scale(u64 v, u64 mult)
{
	return (u64)(((unsigned __int128)v * mult) >> MULT_SHIFT);
}

u64 time_cycles(void)
{
	return csr_read(time);
}

u64 time_now(void)
{
	return scale(csr_read(time), time_ns_mult);
}

u32 time_freq(void)
{
	return freq;
}

void time_conversion(u64 *mult, u32 *shift)
{
	*mult = time_ns_mult;
	*shift = MULT_SHIFT;
}

u64 time_realtime(void)
{
	return time_now() + __atomic_load_n(&realtime_offset, __ATOMIC_RELAXED);
}

void time_set_realtime(u64 ns)
{
	__atomic_store_n(&realtime_offset, ns - time_now(), __ATOMIC_RELAXED);
}

void udelay(u64 us)
{
	u64 end = time_now() + us * 1000;

	while (time_now() < end)
		__asm__ volatile("nop");
}

void time_init(void)
{
	const struct fdt *f = &boot_fdt;
	fdt_node cpus = fdt_path(f, "/cpus");
	u64 whole, rest;

	if (cpus < 0 || !fdt_prop_u32(f, cpus, "timebase-frequency", &freq) || freq < 1000)
		panic("the device tree does not give a timebase-frequency");
	whole = NSEC_PER_SEC / freq;
	rest = NSEC_PER_SEC % freq;
	time_ns_mult = (whole << MULT_SHIFT) + (rest << MULT_SHIFT) / freq;
	cycle_mult = ((u64)freq << MULT_SHIFT) / NSEC_PER_SEC + 1;
	have_sstc = isa_has("sstc") && csr_probe_stimecmp() == 0;
	kprintf("time: %u Hz, timer by %s\n", freq, have_sstc ? "Sstc" : "SBI");
}

/* ---- programming the interrupt ---- */

static void set_event(struct hart *h, u64 ns)
{
	u64 when = ns == ~0UL ? ~0UL : scale(ns, cycle_mult) + 1;

	h->next_event = ns;
	if (have_sstc)
		csr_write(0x14d, when); /* stimecmp */
	else
		sbi_set_timer(when);
}

static u64 next_event(const struct hart *h)
{
	u64 first = h->first_timer ? h->first_timer->deadline : ~0UL;

	return h->tick && h->tick < first ? h->tick : first;
}

void sched_timer_start(struct hart *h, u64 now)
{
	h->tick = now + TICK_NS;
	if (h->tick < h->next_event)
		set_event(h, h->tick);
}

/* ---- queues ---- */

#define timer_of(n) container_of(n, struct timer, node)

void timer_setup(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){.fn = fn};
}

static void queue_insert(struct hart *h, struct timer *t)
{
	struct rb_node **link = &h->timers.root, *parent = NULL;
	bool first = true;

	while (*link) {
		parent = *link;
		if (t->deadline < timer_of(parent)->deadline) {
			link = &parent->left;
		} else {
			link = &parent->right;
			first = false;
		}
	}
	rb_insert(&h->timers, &t->node, parent, link);
	if (first)
		h->first_timer = t;
}

static void queue_erase(struct hart *h, struct timer *t)
{
	if (h->first_timer == t) {
		struct rb_node *next = rb_next(&t->node);

		h->first_timer = next ? timer_of(next) : NULL;
	}
	rb_erase(&h->timers, &t->node);
}

/* Takes t out of the queue it is in. False: it is in none. */
static bool take_out(struct timer *t)
{
	struct hart *h;

	while ((h = __atomic_load_n(&t->hart, __ATOMIC_ACQUIRE))) {
		u64 flags = spin_lock_irq(&h->timer_lock);
		bool there = t->hart == h;

		if (there) {
			queue_erase(h, t);
			t->hart = NULL;
		}
		spin_unlock_irq(&h->timer_lock, flags);
		if (there)
			return true;
	}
	return false;
}

void timer_arm(struct timer *t, u64 deadline)
{
	struct hart *h;
	u64 flags;

	ASSERT(t->fn);
	take_out(t);
	flags = irq_save();
	h = this_hart();
	spin_lock(&h->timer_lock);
	t->deadline = deadline;
	queue_insert(h, t);
	__atomic_store_n(&t->hart, h, __ATOMIC_RELEASE);
	if (deadline < h->next_event)
		set_event(h, deadline);
	spin_unlock(&h->timer_lock);
	irq_restore(flags);
}

bool timer_cancel(struct timer *t)
{
	bool armed = take_out(t);

	while (__atomic_load_n(&t->running, __ATOMIC_ACQUIRE)) {
		ASSERTF(!current()->intr_depth,
			"timer %p is cancelled from an interrupt while it runs", t);
		__asm__ volatile("nop");
		armed |= take_out(t); /* it may arm itself again */
	}
	return armed;
}

static void run_expired(struct hart *h, u64 now)
{
	spin_lock(&h->timer_lock);
	while (h->first_timer && h->first_timer->deadline <= now) {
		struct timer *t = h->first_timer;
		void (*fn)(struct timer *) = t->fn;

		queue_erase(h, t);
		__atomic_store_n(&t->running, true, __ATOMIC_RELAXED);
		__atomic_store_n(&t->hart, NULL, __ATOMIC_RELEASE);
		spin_unlock(&h->timer_lock);
		fn(t);
		__atomic_store_n(&t->running, false, __ATOMIC_RELEASE);
		spin_lock(&h->timer_lock);
	}
	spin_unlock(&h->timer_lock);
}

void timer_interrupt(void)
{
	struct hart *h = this_hart();
	u64 now = time_now();

	run_expired(h, now);
	if (h->tick && h->tick <= now) {
		h->tick = now + TICK_NS;
		sched_tick();
	}
	spin_lock(&h->timer_lock);
	set_event(h, next_event(h));
	spin_unlock(&h->timer_lock);
}

void sleep_ns(u64 ns)
{
	struct waitq nobody;
	u64 deadline = time_now() + ns;

	waitq_init(&nobody);
	wait_event_until(&nobody, false, WAIT_UNINTR, deadline);
}

bool time_has_sstc(void)
{
	return have_sstc;
}
