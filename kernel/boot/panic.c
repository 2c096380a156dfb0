// SPDX-License-Identifier: BSD-2-Clause
/*
 * The end: the first hart to panic stops the others, reports itself, lets each of them report, and powers off with failure.
 *
 * panic_hart is taken once, by compare-and-exchange, and never given back.  A panic within the panic goes straight on to power
 * off; a hart that panics while another does just stops, and reports when it is told to.  `turn` names the hart that
 * may print; nobody waits forever, as a hart that is stuck with interrupts off never answers.
 */
#include "kernel/boot/panic.h"

#include "drivers/core/power.h"
#include "kernel/boot/boot.h"
#include "kernel/lib/print.h"
#include "kernel/riscv/csr.h"
#include "kernel/riscv/hart.h"
#include "kernel/riscv/trap_internal.h"
#include "kernel/riscv/trapframe.h"
#include "kernel/sched/sched_internal.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"
#include "sbi/sbi.h"

#define NOBODY	  0U
#define WAIT_NS	  (NSEC_PER_SEC / 2)
#define MAX_DEPTH 64

static u32 panic_hart; /* (a) index + 1 of the hart that panics */
static u32 turn;       /* (a) index + 1 of the hart that may report */
static u32 nested;     /* (a) panics on the panicking hart */

bool panic_under_way(void)
{
	return __atomic_load_n(&panic_hart, __ATOMIC_RELAXED) != NOBODY;
}

static void print_pc(const char *what, u64 pc)
{
	const char *name;
	u64 offset;

	if (ksym_lookup(pc, &name, &offset))
		kprintf("%s[<%016lx>] %s+%#lx\n", what, pc, name, offset);
	else
		kprintf("%s[<%016lx>]\n", what, pc);
}

/* Where frames may lie: the thread's stack, or the image (boot and overflow stacks). */
static bool good_frame(const struct thread *t, u64 fp)
{
	u64 low = (u64)t->kstack;

	if (fp % 8)
		return false;
	return (low && fp >= low + 16 && fp <= low + KSTACK_SIZE) ||
	       (fp >= (u64)_bss + 16 && fp <= (u64)_ebss);
}

/*
 * One frame up: the caller's pc, and its frame pointer (0: the last).  False: there is none.
 *
 * A frame pointer points behind the saved pair (fp, ra).  trap.S makes no such pair: where a return address is
 * trap.S's, the frame pointer of trap_kernel is the trapframe (*tf), and the interrupted function goes on from there.
 */
static bool frame_up(const struct thread *t, u64 *fp, u64 *pc, const struct trapframe **tf)
{
	const u64 *pair = (const u64 *)*fp - 2;

	if (!good_frame(t, *fp))
		return false;
	*tf = NULL;
	*pc = pair[1];
	if (*pc == (u64)trap_kernel_ret) {
		*tf = (const struct trapframe *)*fp;
		*pc = (*tf)->x[REG_PC];
		*fp = (*tf)->x[REG_S0];
		return true;
	}
	if (*pc < (u64)_text || *pc >= (u64)_etext)
		return false;
	*pc -= 1;
	*fp = pair[0] > *fp ? pair[0] : 0;
	return true;
}

unsigned backtrace(const struct thread *t, u64 fp, u64 *pcs, unsigned max)
{
	const struct trapframe *tf;
	unsigned n = 0;

	while (n < max && frame_up(t, &fp, &pcs[n], &tf))
		n++;
	return n;
}

/* pc 0: begins with the callers of the frame. */
void print_backtrace(u64 pc, u64 ra, u64 fp)
{
	const struct thread *t = current();
	const struct trapframe *tf;

	if (pc)
		print_pc("  ", pc);
	if (pc && good_frame(t, fp) &&
	    good_frame(t,
		       ((const u64 *)fp)[-1])) { /* a leaf saves fp alone, where others save ra */
		print_pc("  ", ra - 1);
		fp = ((const u64 *)fp)[-1];
	}
	for (unsigned depth = 0; depth < MAX_DEPTH && frame_up(t, &fp, &pc, &tf); depth++) {
		if (tf)
			kprintf("  -- %s in the kernel --\n",
				(s64)tf->cause < 0 ? "interrupt" : trap_cause_name(tf->cause));
		print_pc("  ", pc);
	}
}

static void print_registers(const struct trapframe *tf)
{
	static const char names[32][4] = {"pc", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
					  "s0", "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
					  "a6", "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
					  "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

	for (unsigned i = 0; i < 32; i++)
		kprintf("%4s %016lx%s", names[i], tf->x[i], i % 4 == 3 ? "\n" : "");
	kprintf("status %lx cause %lx tval %lx\n", tf->status, tf->cause, tf->tval);
}

static void report_head(void)
{
	const struct thread *t = current();

	kprintf("hart %u (id %lu), thread %s (tid %d), preempt_count %u, interrupt depth %u\n",
		t->hart->index, t->hart->id, t->name, t->tid, t->preempt_count, t->intr_depth);
#if DEBUG
	for (u8 i = 0; i < t->nheld; i++) {
		kprintf("  holds lock %p taken at", t->held[i].lock);
		print_pc(" ", (u64)t->held[i].pc);
	}
#endif
}

static void report(const struct trapframe *tf)
{
	report_head();
	if (!tf) {
		print_backtrace(0, 0, (u64)__builtin_frame_address(0));
		return;
	}
	print_registers(tf);
	if (!(tf->status & SSTATUS_SPP))
		kprintf("  in user mode\n");
	else
		print_backtrace(tf->x[REG_PC], tf->x[REG_RA], tf->x[REG_S0]);
}

static __noreturn void halt(void)
{
	irq_disable();
	for (;;)
		__asm__ volatile("wfi");
}

/* This hart is done running; prints when it is told to. */
static __noreturn void stop_and_report(const struct trapframe *tf)
{
	u32 me = this_hart()->index + 1;

	irq_disable();
	this_hart()->stopped = true;
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != me)
		__asm__ volatile("nop");
	report(tf);
	__atomic_store_n(&turn, NOBODY, __ATOMIC_RELEASE);
	halt();
}

void trap_report(const struct trapframe *tf)
{
	this_hart()->report = tf;
}

__noreturn void panic_stop_hart(void)
{
	stop_and_report(this_hart()->report);
}

/* Bounded by time, or by turns before there is time. */
static bool wait_until(const u32 *word, u32 value)
{
	u64 start = time_now();

	for (u64 turns = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) != value; turns++)
		if (turns > 1UL << 30 || time_now() - start > WAIT_NS)
			return false;
	return true;
}

static void others_report(void)
{
	u64 others = harts_online() & ~(1UL << this_hart()->index);

	for (u64 m = others; m; m &= m - 1) {
		struct hart *h = harts[lowest_bit(m)];

		__atomic_store_n(&turn, h->index + 1, __ATOMIC_RELEASE);
		if (!wait_until(&turn, NOBODY)) {
			kprintf("hart %u (id %lu) does not answer; it runs thread %s\n", h->index,
				h->id, h->running ? h->running->name : "?");
			__atomic_store_n(&turn, NOBODY, __ATOMIC_RELEASE);
		}
	}
}

/* Only the first comes back from here. */
static void begin(const struct trapframe *tf)
{
	u32 me = this_hart()->index + 1, first = NOBODY;

	irq_disable();
	if (__atomic_compare_exchange_n(&panic_hart, &first, me, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE)) {
		u64 others = harts_online() & ~(1UL << this_hart()->index);

		if (others)
			ipi_send(others, IPI_STOP);
		return;
	}
	if (first != me)
		stop_and_report(tf);
	switch (__atomic_fetch_add(&nested, 1, __ATOMIC_ACQ_REL)) {
	case 0:
		kprintf("PANIC within the panic:\n");
		return;
	case 1:
		sbi_console_write("PANIC within the panic, again\n", 30);
		/* fallthrough */
	default:
		power_off_failed();
	}
}

static __noreturn void finish(const struct trapframe *tf)
{
	report(tf);
	if (!nested)
		others_report();
	kprintf("stopped\n");
	power_off_failed();
}

static void print_message(const char *fmt, va_list ap)
{
	kprintf("PANIC: ");
	kvprintf(fmt, ap);
	kprintf("\n");
}

__noreturn void panic(const char *fmt, ...)
{
	va_list ap;

	begin(NULL);
	va_start(ap, fmt);
	print_message(fmt, ap);
	va_end(ap);
	finish(NULL);
}

__noreturn void panic_trap(struct trapframe *tf, const char *fmt, ...)
{
	va_list ap;

	begin(tf);
	va_start(ap, fmt);
	print_message(fmt, ap);
	va_end(ap);
	finish(tf);
}
