// SPDX-License-Identifier: BSD-2-Clause
/*
 * From the trap to the function of the call, for calls that trap.S does not find in the table by itself.  The trap frame's orig_a0 and syscall_nr are set first: signal delivery
 * looks at them to restart an interrupted call.
 *
 * Debug builds print every call and its result when the kernel is given syscall_trace=1.
 */

#include "kernel/boot/init.h"
#include "kernel/boot/params.h"
#include "kernel/syscall/args.h"

#if DEBUG
static bool trace;

static void trace_call(const struct trapframe *tf, u64 nr)
{
	const char *name = nr < SYSCALL_TABLE_SIZE ? syscall_names[nr] : NULL;
	const u64 *a = &tf->x[REG_A0];

	kprintf("%d %s(%lu): %lx %lx %lx %lx %lx %lx\n", current()->tid, name ? name : "?", nr,
		a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void trace_result(u64 nr, long result)
{
	const char *name = nr < SYSCALL_TABLE_SIZE ? syscall_names[nr] : NULL;

	if (IS_ERR(result))
		kprintf("%d %s = %ld\n", current()->tid, name ? name : "?", result);
	else
		kprintf("%d %s = %lx\n", current()->tid, name ? name : "?", result);
}
#else
#define trace			 false
#define trace_call(tf, nr)	 ((void)0)
#define trace_result(nr, result) ((void)0)
#endif

/* Calls go straight to the table unless somebody wants to see them. */
static void dispatch_init(void)
{
#if DEBUG
	trace = kernel_flag("syscall_trace");
#endif
	if (!trace)
		trap_set_syscalls(syscall_table, SYSCALL_TABLE_SIZE);
}
INITCALL(LATE, dispatch_init);

void syscall_dispatch(struct trapframe *tf)
{
	u64 *a = &tf->x[REG_A0];
	u64 nr = tf->x[REG_A7];
	syscall_fn fn = NULL;

	tf->orig_a0 = a[0];
	tf->syscall_nr = (s64)nr;
	if (likely(nr < SYSCALL_TABLE_SIZE))
		fn = syscall_table[nr];
	if (DEBUG && unlikely(trace))
		trace_call(tf, nr);
	a[0] = likely(fn) ? (u64)fn(a[0], a[1], a[2], a[3], a[4], a[5]) : (u64)-ENOSYS;
	if (DEBUG && unlikely(trace))
		trace_result(nr, (long)a[0]);
}
