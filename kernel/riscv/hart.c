// SPDX-License-Identifier: BSD-2-Clause
/*
 * Harts: who they are and how they start.  The boot hart has index 0; the others follow in the order of the device tree
 * and start one after the other, so that the tables here need no lock: they are constant once start-up is over.
 */
#include "kernel/riscv/hart.h"

#include "drivers/core/device.h"
#include "kernel/lib/fdt.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/csr.h"
#include "kernel/riscv/hart_internal.h"
#include "kernel/riscv/isa.h"
#include "kernel/riscv/mmu.h"
#include "kernel/sched/sched_internal.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"
#include "sbi/sbi.h"

struct hart *harts[MAX_HARTS];
u32 nharts;
static u64 online_mask;
static struct hart boot_hart;

extern char secondary_start[], secondary_high[];
extern u64 secondary_satp, secondary_virtual, secondary_id, secondary_idle; /* head.S */

u64 harts_online(void)
{
	return __atomic_load_n(&online_mask, __ATOMIC_ACQUIRE);
}

static void hart_setup(struct hart *h, u64 id)
{
	h->index = nharts;
	h->id = id;
	spin_init(&h->timer_lock, LOCK_TIMER, "timers");
	h->next_event = ~0UL;
	harts[nharts++] = h;
}

void hart_init_boot(u64 hartid)
{
	hart_setup(&boot_hart, hartid);
	boot_thread.hart = &boot_hart;
	hart_set_online(&boot_hart);
}

void hart_set_online(struct hart *h)
{
	h->online = true;
	__atomic_fetch_or(&online_mask, 1UL << h->index, __ATOMIC_RELEASE);
}

struct hart *hart_by_id(u64 hartid)
{
	for (u32 i = 0; i < nharts; i++)
		if (harts[i]->id == hartid)
			return harts[i];
	return NULL;
}

/* What each hart sets in its own CSRs. */
void hart_csr_init(void)
{
	csr_write(scounteren, 2); /* user mode reads the time */
	csr_set(sie, SIE_SSIE | SIE_STIE | SIE_SEIE);
}

/* Sleeps until the hart says it is there; the tick ends a wait in vain. */
static void wait_for_hart(struct hart *h)
{
	u64 flags = irq_save();

	if (!__atomic_load_n(&h->online, __ATOMIC_ACQUIRE))
		__asm__ volatile("wfi"); /* a pending interrupt ends it, though off */
	irq_restore(flags);
}

#define START_TIMEOUT (10 * NSEC_PER_SEC) /* the host of an emulated machine may be busy */

/*
 * Everything the hart needs lies ready before it starts. False: it does not run.  One that does not answer in time is left out:
 * nobody sends it anything before it says that it is online, and once another hart's turn has come it parks (head.S).
 */
static bool start_one(struct hart *h)
{
	u64 deadline = time_now() + START_TIMEOUT;
	int err;

	if (!sched_hart_prepare(h))
		return false;
	secondary_idle = (u64)h->idle;
	__atomic_store_n(&secondary_id, h->id, __ATOMIC_RELEASE);
	err = sbi_hart_start(h->id, va_to_pa(secondary_start), 0);
	if (err) {
		kprintf("hart %lu does not start: SBI error %d\n", h->id, err);
		return false;
	}
	while (!__atomic_load_n(&h->online, __ATOMIC_ACQUIRE)) {
		if (time_now() > deadline) {
			kprintf("hart %lu was started but does not answer: going on without it\n",
				h->id);
			break;
		}
		wait_for_hart(h);
	}
	return true;
}

static void start_node(u64 id)
{
	struct hart *h;

	if (hart_by_id(id))
		return;
	if (nharts == MAX_HARTS) {
		kprintf("hart %lu is one too many, not used\n", id);
		return;
	}
	h = kzalloc(sizeof(*h));
	if (!h)
		panic("no memory for hart %lu", id);
	hart_setup(h, id);
	if (!start_one(h)) {
		harts[--nharts] = NULL;
		kfree(h);
	}
}

void harts_start(void)
{
	const struct fdt *f = &boot_fdt;
	fdt_node cpus = fdt_path(f, "/cpus");
	u64 id;

	secondary_satp = SATP_SV39 | va_to_pa(kernel_root) >> PAGE_SHIFT;
	secondary_virtual = (u64)secondary_high;
	if (cpus < 0 || !sbi_has(0x48534d))
		return;
	for (fdt_node n = fdt_child(f, cpus); n >= 0; n = fdt_sibling(f, n))
		if (isa_hart_usable(f, n, &id))
			start_node(id);
	kprintf("harts: %u\n", nharts);
}

/* The others come here from head.S, on their idle thread's stack. */
__noreturn void secondary_main(void)
{
	struct hart *h = this_hart();

	hart_csr_init();
	frames_hart_init();
	slab_hart_init();
	irq_hart_init();
	hart_set_online(h);
	ipi_send(harts_online() & ~(1UL << h->index), IPI_RESCHED); /* one of them waits for us */
	sched_start_idle();
}
