// SPDX-License-Identifier: BSD-2-Clause
/*
 * What happens after trap.S: exceptions from user mode become signals or page faults, exceptions in the kernel find a
 * fixup or panic, interrupts go to their handlers, and the way back to user mode does what the thread's flags ask for.
 *
 * Exceptions and interrupts arrive with interrupts off.  Interrupt handlers run with them off throughout; thread->intr_depth
 * counts them.  trap_hooks is set once at start-up.
 */
#include "kernel/lib/print.h"
#include "kernel/riscv/asm.h"
#include "kernel/riscv/csr.h"
#include "kernel/riscv/hart.h"
#include "kernel/riscv/mmu.h"
#include "kernel/riscv/trap_internal.h"
#include "kernel/riscv/trapframe.h"
#include "kernel/riscv/uaccess.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"
#include "drivers/core/device.h"

BUILD_ASSERT(offsetof(struct thread, kstack_top) == THREAD_KSTACK_TOP);
BUILD_ASSERT(offsetof(struct thread, user_sp) == THREAD_SCRATCH);
BUILD_ASSERT(offsetof(struct thread, flags) == THREAD_FLAGS);
BUILD_ASSERT(offsetof(struct thread, preempt_count) == THREAD_PREEMPT);
BUILD_ASSERT(offsetof(struct thread, hart) == THREAD_HART);
BUILD_ASSERT(offsetof(struct thread, kstack) == THREAD_KSTACK);
BUILD_ASSERT(offsetof(struct thread_head, flags) == THREAD_FLAGS);
BUILD_ASSERT(offsetof(struct thread_head, preempt_count) == THREAD_PREEMPT);
BUILD_ASSERT(sizeof(struct trapframe) == TF_SIZE);
BUILD_ASSERT(offsetof(struct trapframe, status) == TF_STATUS);
BUILD_ASSERT(offsetof(struct trapframe, cause) == TF_CAUSE);
BUILD_ASSERT(offsetof(struct trapframe, tval) == TF_TVAL);
BUILD_ASSERT(offsetof(struct trapframe, orig_a0) == TF_ORIG_A0);
BUILD_ASSERT(offsetof(struct trapframe, syscall_nr) == TF_SYSCALL_NR);
BUILD_ASSERT(TIF_NOTIFY == TIF_SLOW_MASK);
BUILD_ASSERT(SR_SUM == SSTATUS_SUM && SR_FS == SSTATUS_FS && SR_SIE == SSTATUS_SIE &&
	     SR_SPP == SSTATUS_SPP);

#define INTR_SOFT  1
#define INTR_TIMER 5
#define INTR_EXT   9

enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGSEGV = 11 };
enum { ILL_ILLOPC = 1, TRAP_BRKPT = 1, BUS_ADRALN = 1, SEGV_ACCERR = 2 };

static void no_syscall(struct trapframe *tf)
{
	tf->x[REG_A0] = (u64)-ENOSYS;
}

static void no_user_fault(struct trapframe *tf, int sig, int code, u64 addr)
{
	panic("user fault without kernel/proc: signal %d code %d pc %#lx addr %#lx", sig, code,
	      tf->x[REG_PC], addr);
}

static int no_page_fault(struct trapframe *tf, u64 addr, unsigned access, bool user)
{
	(void)access;
	if (user)
		panic("user page fault without kernel/proc: pc %#lx addr %#lx", tf->x[REG_PC],
		      addr);
	return -EFAULT;
}

static void no_notify(struct trapframe *tf)
{
	(void)tf;
	thread_flag_clear(current(), TIF_SIGNAL | TIF_EXIT | TIF_RESTORE_MASK);
}

/* trap.S calls the first member. */
struct trap_hooks trap_hooks = {no_syscall, no_user_fault, no_page_fault, no_notify};
BUILD_ASSERT(offsetof(struct trap_hooks, syscall) == 0);

/* trap.S calls these directly. */
struct {
	const trap_syscall_fn *table;
	u64 n;
} trap_syscalls;

void trap_set_syscalls(const trap_syscall_fn *table, u64 n)
{
	ASSERT(!trap_syscalls.n);
	trap_syscalls.table = table;
	__atomic_store_n(&trap_syscalls.n, n, __ATOMIC_RELEASE);
}

void trap_set_hooks(const struct trap_hooks *h)
{
	trap_hooks = *h;
}

static void interrupt(struct trapframe *tf, u64 cause)
{
	struct thread *t = current();
	struct hart *h = t->hart;

#if DEBUG
	u8 base = t->held_base;

	t->held_base = t->nheld;
#endif
	t->intr_depth++;
	h->irq_count++;
	h->irq_user = !(tf->status & SSTATUS_SPP);
	switch (cause & ~CAUSE_INTERRUPT) {
	case INTR_TIMER:
		timer_interrupt();
		break;
	case INTR_SOFT:
		trap_report(tf);
		ipi_handle();
		break;
	case INTR_EXT:
		irq_root_handle();
		break;
	default:
		panic("interrupt %lu came although it is not enabled", cause & ~CAUSE_INTERRUPT);
	}
	t->intr_depth--;
#if DEBUG
	ASSERTF(t->nheld == t->held_base, "interrupt %lu returns with locks held",
		cause & ~CAUSE_INTERRUPT);
	t->held_base = base;
#endif
}

static unsigned fault_access(u64 cause)
{
	return cause == CAUSE_STORE_PAGE ? 2 : cause == CAUSE_INSN_PAGE ? 4 : 1;
}

static void user_exception(struct trapframe *tf, u64 cause, u64 tval)
{
	switch (cause) {
	case CAUSE_ILLEGAL:
		if (!(tf->status & SSTATUS_FS) && fpu_first_use(tf, (u32)tval))
			return;
		trap_hooks.user_fault(tf, SIGILL, ILL_ILLOPC, tf->x[REG_PC]);
		return;
	case CAUSE_BREAKPOINT:
		trap_hooks.user_fault(tf, SIGTRAP, TRAP_BRKPT, tf->x[REG_PC]);
		return;
	case CAUSE_LOAD_MISALIGNED:
	case CAUSE_STORE_MISALIGNED:
		if (misaligned_emulate(tf, tval))
			return;
		trap_hooks.user_fault(tf, SIGBUS, BUS_ADRALN, tval);
		return;
	case CAUSE_INSN_MISALIGNED:
		trap_hooks.user_fault(tf, SIGBUS, BUS_ADRALN, tval);
		return;
	case CAUSE_INSN_ACCESS:
	case CAUSE_LOAD_ACCESS:
	case CAUSE_STORE_ACCESS:
		trap_hooks.user_fault(tf, SIGSEGV, SEGV_ACCERR, tval);
		return;
	default:
		panic("user exception %lu not known, pc %#lx tval %#lx", cause, tf->x[REG_PC],
		      tval);
	}
}

/* trap.S, from user mode, everything but system calls. */
void trap_user(struct trapframe *tf, u64 cause, u64 tval)
{
	if ((s64)cause < 0) {
		interrupt(tf, cause);
		return;
	}
	irq_enable();
	if (likely(cause == CAUSE_LOAD_PAGE || cause == CAUSE_STORE_PAGE ||
		   cause == CAUSE_INSN_PAGE))
		trap_hooks.page_fault(tf, tval, fault_access(cause), true);
	else
		user_exception(tf, cause, tval);
}

/* trap.S, with interrupts off: does what the flags ask for until none does. */
void trap_notify(struct trapframe *tf)
{
	struct thread *t = current();
	u32 flags;

	ASSERT(tf == thread_trapframe(t));
	if ((READ_ONCE(t->flags) & TIF_NOTIFY) == TIF_RESTORE_ALL)
		thread_flag_clear(t, TIF_RESTORE_ALL);
	while ((flags = READ_ONCE(t->flags) & TIF_NOTIFY)) {
		irq_enable();
		if (flags & TIF_RESTORE_ALL)
			thread_flag_clear(t, TIF_RESTORE_ALL);
		if (flags & TIF_RESCHED)
			schedule();
		if (flags & (TIF_SIGNAL | TIF_EXIT | TIF_RESTORE_MASK))
			trap_hooks.notify(tf);
		irq_disable();
	}
	DASSERT(t->preempt_count == 0 && !(tf->status & (SSTATUS_SPP | SSTATUS_SUM)));
}

__noreturn void user_return(struct trapframe *tf)
{
	struct thread *t = current();

	ASSERT(tf == thread_trapframe(t) && t->map);
	tf->status &= ~(SSTATUS_SPP | SSTATUS_SUM | SSTATUS_SIE | SSTATUS_MXR);
	tf->status |= SSTATUS_SPIE | SSTATUS_UXL_64;
	if (!t->fpu)
		tf->status &= ~SSTATUS_FS;
	user_return_frame(tf);
}

/* A fault on a KVM address whose entry is good: this hart had remembered the empty entry. */
static bool spurious_kernel_fault(u64 cause, u64 addr)
{
	u64 need = cause == CAUSE_STORE_PAGE  ? PTE_W | PTE_A | PTE_D
		   : cause == CAUSE_INSN_PAGE ? PTE_X | PTE_A
					      : PTE_R | PTE_A;
	pte_t *pte;

	if (addr < KVM_BASE || addr >= KVM_BASE + KVM_SIZE)
		return false;
	pte = kernel_pte(addr);
	if (!pte || (READ_ONCE(*pte) & (PTE_V | need)) != (PTE_V | need))
		return false;
	sfence_vma_page(addr);
	return true;
}

/* A page fault in uaccess.S. True: go on at tf's pc. */
static bool kernel_page_fault(struct trapframe *tf, u64 cause, u64 addr)
{
	struct thread *t = current();

	if (addr >= USER_END)
		return spurious_kernel_fault(cause, addr);
	if (!(tf->status & SSTATUS_SUM) || !t->map || t->pagefault_disabled)
		return false;
	if (t->preempt_count || t->intr_depth || !(tf->status & SSTATUS_SPIE))
		panic_trap(tf, "copy to or from user memory at %#lx where sleeping is not allowed",
			   addr);
	irq_enable();
	int err = trap_hooks.page_fault(tf, addr, fault_access(cause), false);

	irq_disable();
	return err == 0;
}

static void kernel_exception(struct trapframe *tf, u64 cause, u64 tval)
{
	u64 fixup;

	if (cause == CAUSE_LOAD_PAGE || cause == CAUSE_STORE_PAGE || cause == CAUSE_INSN_PAGE) {
		if (tval - ((u64)current()->kstack - PAGE_SIZE) < PAGE_SIZE)
			trap_switch_overflow(
				tf); /* a store ahead of the stack pointer: trap.S saw nothing wrong */
		if (kernel_page_fault(tf, cause, tval))
			return;
	}
	fixup = extable_find(tf->x[REG_PC]);
	if (fixup) {
		tf->x[REG_PC] = fixup;
		return;
	}
	panic_trap(tf, "exception in the kernel: %s at pc %#lx, address %#lx",
		   trap_cause_name(cause), tf->x[REG_PC], tval);
}

/* trap.S, from the kernel; interrupts are off on return. */
void trap_kernel(struct trapframe *tf, u64 cause, u64 tval)
{
	struct thread *t = current();

	if ((s64)cause >= 0) {
		kernel_exception(tf, cause, tval);
		return;
	}
	interrupt(tf, cause);
	if (unlikely(t->flags & TIF_RESCHED) && t->preempt_count == 0 && t->intr_depth == 0)
		preempt_schedule_irq();
}

void trap_stack_overflow(struct trapframe *tf)
{
	struct thread *t = current();

	panic_trap(tf, "kernel stack overflow in thread %s: sp %#lx, pc %#lx, address %#lx",
		   t->name, tf->x[REG_SP], tf->x[REG_PC], tf->tval);
}

const char *trap_cause_name(u64 cause)
{
	static const char *const names[] = {
		"misaligned instruction",
		"instruction access",
		"illegal instruction",
		"breakpoint",
		"misaligned load",
		"load access",
		"misaligned store",
		"store access",
		"ecall from user mode",
		"ecall",
		"10",
		"11",
		"instruction page fault",
		"load page fault",
		"14",
		"store page fault",
	};

	return cause < ARRAY_LEN(names) ? names[cause] : "unknown";
}
