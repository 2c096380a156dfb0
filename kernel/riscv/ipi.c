// SPDX-License-Identifier: BSD-2-Clause
/*
 * Interrupts between harts.  hart->ipi_pending says what for.
 *
 * harts_call: the caller, with preemption off, describes the call in its own struct hart and sets its bit in each target's
 * call_from; a target runs fn and clears its bit in the caller's call_waits.  As each hart has at most one call under way and none is
 * made from an interrupt, no memory is needed; two harts that call each other serve each other's call
 * while they wait, as their interrupts are on.
 */
#include "kernel/boot/panic.h"
#include "kernel/riscv/csr.h"
#include "kernel/riscv/hart.h"
#include "kernel/riscv/mmu.h"
#include "kernel/sched/sched_internal.h"
#include "kernel/sched/thread.h"
#include "sbi/sbi.h"

void harts_sbi_mask(u64 mask, void (*fn)(u64 mask, u64 base, void *arg), void *arg)
{
	while (mask) {
		u64 base = harts[lowest_bit(mask)]->id, ids = 0;

		for (u64 m = mask; m; m &= m - 1)
			base = MIN(base, harts[lowest_bit(m)]->id);
		for (u64 m = mask; m; m &= m - 1) {
			u32 i = lowest_bit(m);

			if (harts[i]->id - base < 64) {
				ids |= 1UL << (harts[i]->id - base);
				mask &= ~(1UL << i);
			}
		}
		fn(ids, base, arg);
	}
}

static void send(u64 mask, u64 base, void *arg)
{
	(void)arg;
	sbi_send_ipi(mask, base);
}

void ipi_send(u64 mask, unsigned what)
{
	for (u64 m = mask; m; m &= m - 1)
		__atomic_fetch_or(&harts[lowest_bit(m)]->ipi_pending, 1UL << what,
				  __ATOMIC_RELEASE);
	harts_sbi_mask(mask, send, NULL);
}

/* Runs what other harts asked this one for. */
static void serve_calls(struct hart *h)
{
	u64 from = __atomic_exchange_n(&h->call_from, 0, __ATOMIC_ACQUIRE);

	for (; from; from &= from - 1) {
		struct hart *caller = harts[lowest_bit(from)];

		caller->call.fn(caller->call.arg);
		__atomic_fetch_and(&caller->call_waits, ~(1UL << h->index), __ATOMIC_RELEASE);
	}
}

void ipi_handle(void)
{
	struct hart *h = this_hart();
	u64 what;

	csr_clear(sip, SIE_SSIE);
	what = __atomic_exchange_n(&h->ipi_pending, 0, __ATOMIC_ACQUIRE);
	if (what & 1UL << IPI_STOP)
		panic_stop_hart();
	if (what & (1UL << IPI_CALL | 1UL << IPI_TLB))
		serve_calls(h);
	if (what & 1UL << IPI_RESCHED)
		thread_flag_set(current(), TIF_RESCHED);
}

void harts_call(u64 mask, void (*fn)(void *), void *arg)
{
	struct hart *h;
	u64 flags;

	preempt_disable();
	h = this_hart();
	mask &= harts_online();
	if (mask & 1UL << h->index) {
		flags = irq_save();
		fn(arg);
		irq_restore(flags);
		mask &= ~(1UL << h->index);
	}
	if (mask) {
		ASSERTF(irqs_on() && !current()->intr_depth, "harts_call(%p) with interrupts off",
			fn);
		ASSERT(!h->call_waits);
		h->call.fn = fn;
		h->call.arg = arg;
		__atomic_store_n(&h->call_waits, mask, __ATOMIC_RELEASE);
		for (u64 m = mask; m; m &= m - 1)
			__atomic_fetch_or(&harts[lowest_bit(m)]->call_from, 1UL << h->index,
					  __ATOMIC_RELEASE);
		ipi_send(mask, IPI_CALL);
		while (__atomic_load_n(&h->call_waits, __ATOMIC_ACQUIRE))
			__asm__ volatile("nop");
	}
	preempt_enable();
}

struct fence {
	vaddr_t start;
	u64 size;
};

static void remote_sfence(u64 mask, u64 base, void *arg)
{
	const struct fence *f = arg;

	sbi_remote_sfence(mask, base, f->start, f->size);
}

#define SFENCE_ALL_FROM 32u /* pages beyond which everything goes */

static void local_sfence(vaddr_t start, u64 size)
{
	if (size == 0 || size > SFENCE_ALL_FROM * PAGE_SIZE) {
		sfence_vma_all();
		return;
	}
	for (vaddr_t va = start; va < start + size; va += PAGE_SIZE)
		sfence_vma_page(va);
}

void harts_sfence(u64 mask, vaddr_t start, u64 size)
{
	struct fence f = {start, size};

	preempt_disable();
	u64 self = 1UL << this_hart()->index;

	if (mask & self)
		local_sfence(start, size);
	if (mask & ~self)
		harts_sbi_mask(mask & ~self, remote_sfence, &f);
	preempt_enable();
}

static void remote_fence_i(u64 mask, u64 base, void *arg)
{
	(void)arg;
	sbi_remote_fence_i(mask, base);
}

void harts_fence_i(u64 mask)
{
	preempt_disable();
	u64 self = 1UL << this_hart()->index;

	if (mask & self)
		__asm__ volatile("fence.i" ::: "memory");
	if (mask & ~self)
		harts_sbi_mask(mask & ~self, remote_fence_i, NULL);
	preempt_enable();
}
