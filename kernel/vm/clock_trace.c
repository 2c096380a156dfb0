// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the clock sees, for `make clocksim`: kernel parameter trace=N keeps the first N references since the start or the last reset.
 *
 * A reference is a page that the clock meets (it came in: a miss) or finds used.  /proc/trace shows them (fs/procfs/sysfiles.c).
 *
 * Locks: none.  Only who sweeps adds; it also resets when asked to, so that readers see a table that only grows, or starts anew.
 */
#include "kernel/boot/init.h"
#include "kernel/boot/params.h"
#include "kernel/vm/vm_internal.h"

/* Field markings and the corresponding locks:
 * (a) atomic   (c) constant after start   (s) the sweeper's
 */
static struct {
	struct clock_ref *refs; /* (c) and what it points to below n: readable */
	u64 room;		/* (c) */
	u64 n;			/* (a) */
	u64 memory;		/* (s) pages that were under the clock at most */
	u64 met, again;		/* (s) pages that came in; of them, that had been here before */
	u32 reset;		/* (a) */
} trace;

void clock_trace(const struct frame *f, enum clock_ref_kind kind)
{
	u64 n = trace.n;

	if (!trace.room)
		return;
	if (__atomic_exchange_n(&trace.reset, 0, __ATOMIC_RELAXED))
		n = trace.met = trace.again = trace.memory = 0;
	if (n == trace.room)
		return;
	trace.memory = MAX(trace.memory, clock_pages());
	trace.met += kind != CLOCK_REF_USED;
	trace.again += kind == CLOCK_REF_AGAIN;
	trace.refs[n] = (struct clock_ref){(uintptr_t)f->object, f->index, kind == CLOCK_REF_USED};
	__atomic_store_n(&trace.n, n + 1, __ATOMIC_RELEASE);
}

bool clock_trace_get(u64 k, struct clock_ref *out)
{
	if (k >= __atomic_load_n(&trace.n, __ATOMIC_ACQUIRE))
		return false;
	*out = trace.refs[k];
	return true;
}

void clock_trace_counts(u64 *memory, u64 *met, u64 *again)
{
	*memory = READ_ONCE(trace.memory);
	*met = READ_ONCE(trace.met);
	*again = READ_ONCE(trace.again);
}

void clock_trace_reset(void)
{
	__atomic_store_n(&trace.reset, 1, __ATOMIC_RELAXED);
}

static void trace_start(void)
{
	u64 n = kernel_param_u64("trace", 0);

	if (!n)
		return;
	trace.refs = kmalloc(n * sizeof(*trace.refs), 0);
	if (!trace.refs) {
		kprintf("trace: no memory for %lu references\n", n);
		return;
	}
	trace.room = n;
}
INITCALL(VM, trace_start);
