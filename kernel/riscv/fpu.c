// SPDX-License-Identifier: BSD-2-Clause
/*
 * Floating-point state of user threads; the kernel itself computes without.
 *
 * A thread starts with FS off; its first FP instruction traps and gets it a struct fpu_state.  From then on, while the
 * thread runs, the registers of its hart hold its state: fpu_switch saves them when FS says dirty and loads them when
 * somebody else's were there.  hart->fpu_owner and thread->fpu_hart must agree for the registers to be current:
 * either is overwritten when somebody else loads there, or the thread loads elsewhere.
 *
 * FS is kept in two places: sstatus while in the kernel, and the thread's trapframe for the way back.
 */
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/csr.h"
#include "kernel/riscv/hart.h"
#include "kernel/riscv/trap_internal.h"
#include "kernel/riscv/trapframe.h"
#include "kernel/sched/thread.h"

static void set_fs(struct thread *t, u64 fs)
{
	struct trapframe *tf = thread_trapframe(t);

	tf->status = (tf->status & ~SSTATUS_FS) | fs;
}

/* Loads t's state into this hart's registers; interrupts off. */
static void load(struct thread *t)
{
	struct hart *h = t->hart;

	csr_set(sstatus, SSTATUS_FS);
	fpu_load(t->fpu);
	csr_clear(sstatus, SSTATUS_FS_INITIAL); /* 3 dirty -> 2 clean */
	h->fpu_owner = t;
	t->fpu_hart = h;
	set_fs(t, SSTATUS_FS_CLEAN);
}

/* Saves t's registers if they are newer than its memory; interrupts off, t current. */
static void save(struct thread *t)
{
	if ((csr_read(sstatus) & SSTATUS_FS) != SSTATUS_FS_DIRTY)
		return;
	fpu_save(t->fpu);
	csr_clear(sstatus, SSTATUS_FS_INITIAL);
	set_fs(t, SSTATUS_FS_CLEAN);
}

void fpu_switch(struct thread *prev, struct thread *next)
{
	if (prev->fpu)
		save(prev);
	if (next->fpu) {
		struct hart *h = this_hart();

		if (h->fpu_owner != next || next->fpu_hart != h)
			load(next);
		else
			csr_set(sstatus, SSTATUS_FS_CLEAN); /* was off or clean: never dirty here */
	}
}

/* Opcodes of F and D: loads, stores, arithmetic, fused; CSRs fflags, frm, fcsr; c.fld, c.fsd, c.fldsp, c.fsdsp. */
static bool is_fp(u32 insn)
{
	u32 op = insn & 0x7f, f3 = insn >> 12 & 7, csr = insn >> 20;
	u32 cop = (insn & 3) << 3 | (insn >> 13 & 7);

	if ((insn & 3) != 3) /* RV64C: quadrants 0 and 2, funct3 1 and 5 */
		return cop == 1 || cop == 5 || cop == 0x11 || cop == 0x15;
	if (op == 0x07 || op == 0x27)
		return f3 >= 1 && f3 <= 4;
	if (op == 0x73)
		return f3 && csr >= 1 && csr <= 3;
	return op == 0x53 || op == 0x43 || op == 0x47 || op == 0x4b || op == 0x4f;
}

bool fpu_first_use(struct trapframe *tf, u32 insn)
{
	struct thread *t = current();

	if (insn == 0 && !user_insn(tf->x[REG_PC], &insn)) /* stval need not hold the instruction */
		return false;
	if (!is_fp(insn) || t->fpu)
		return false;
	t->fpu_hart = NULL;
	struct fpu_state *f = kzalloc(sizeof(*f));

	if (!f)
		return false;
	u64 flags = irq_save();

	t->fpu = f;
	load(t);
	irq_restore(flags);
	return true;
}

struct fpu_state *fpu_sync(void)
{
	struct thread *t = current();

	if (t->fpu) {
		u64 flags = irq_save();

		save(t);
		irq_restore(flags);
	}
	return t->fpu;
}

struct fpu_state *fpu_set_begin(void)
{
	struct thread *t = current();
	u64 flags;

	if (!t->fpu) {
		struct fpu_state *mine = kzalloc(sizeof(*mine));

		if (!mine)
			return NULL;
		t->fpu_hart = NULL;
		t->fpu = mine;
		return mine;
	}
	flags = irq_save();
	if ((csr_read(sstatus) & SSTATUS_FS) == SSTATUS_FS_DIRTY) {
		csr_clear(sstatus, SSTATUS_FS_INITIAL); /* a switch must not save over what comes */
		set_fs(t, SSTATUS_FS_CLEAN);
	}
	irq_restore(flags);
	return t->fpu;
}

void fpu_set_end(void)
{
	u64 flags = irq_save();

	load(current());
	irq_restore(flags);
}

int fpu_set(const struct fpu_state *f)
{
	struct fpu_state *mine = fpu_set_begin();

	if (!mine)
		return -ENOMEM;
	memcpy(mine, f, sizeof(*f));
	fpu_set_end();
	return 0;
}

void fpu_reset(void)
{
	struct thread *t = current();
	struct fpu_state *old = t->fpu;
	u64 flags = irq_save();

	t->fpu = NULL;
	t->fpu_hart = NULL;
	csr_clear(sstatus, SSTATUS_FS);
	set_fs(t, SSTATUS_FS_OFF);
	irq_restore(flags);
	kfree(old);
}

int fpu_fork(struct thread *child)
{
	struct fpu_state *f = fpu_sync();

	ASSERT(!child->fpu);
	if (!f)
		return 0;
	child->fpu = kmalloc(sizeof(*f), 0);
	if (!child->fpu)
		return -ENOMEM;
	memcpy(child->fpu, f, sizeof(*f));
	return 0;
}
