// SPDX-License-Identifier: BSD-2-Clause
/*
 * Misaligned loads and stores of user programs, done byte by byte, where neither hardware nor firmware does them.
 * Atomics are not: they get SIGBUS, as the ISA manual allows.
 */
#include "kernel/lib/string.h"
#include "kernel/riscv/trap_internal.h"
#include "kernel/riscv/trapframe.h"
#include "kernel/riscv/uaccess.h"
#include "kernel/sched/thread.h"

struct access {
	bool store, fp, sign;
	u8 bytes, reg, insn_len;
};

bool user_insn(u64 pc, u32 *insn)
{
	u16 half[2] = {0, 0};

	if (copy_from_user(&half[0], (const void __user *)pc, 2))
		return false;
	if ((half[0] & 3) == 3 && copy_from_user(&half[1], (const void __user *)(pc + 2), 2))
		return false;
	*insn = (u32)half[1] << 16 | half[0];
	return true;
}

static bool decode_full(u32 insn, struct access *a)
{
	u32 op = insn & 0x7f, f3 = insn >> 12 & 7;

	a->insn_len = 4;
	a->store = op == 0x23 || op == 0x27;
	a->fp = op == 0x07 || op == 0x27;
	if (op != 0x03 && !a->store && !a->fp)
		return false;
	if (a->store ? f3 == 0 || f3 > 3 : f3 == 0 || f3 == 4 || f3 == 7)
		return false;
	if (a->fp && (f3 < 2 || f3 > 3))
		return false;
	a->bytes = (u8)(1u << (f3 & 3));
	a->sign = f3 < 4;
	a->reg = a->store ? insn >> 20 & 31 : insn >> 7 & 31;
	return true;
}

/* Quadrants 0 (registers x8-x15) and 2 (relative to sp): funct3 1 fld 2 lw 3 ld, 5 fsd 6 sw 7 sd. */
static bool decode_compressed(u32 insn, struct access *a)
{
	u32 quadrant = insn & 3, f3 = insn >> 13 & 7;

	if ((quadrant != 0 && quadrant != 2) || (f3 & 3) == 0)
		return false;
	a->insn_len = 2;
	a->store = f3 >= 4;
	a->fp = (f3 & 3) == 1;
	a->bytes = (f3 & 3) == 2 ? 4 : 8;
	a->sign = true;
	if (quadrant == 0)
		a->reg = 8 + (insn >> 2 & 7);
	else
		a->reg = a->store ? insn >> 2 & 31 : insn >> 7 & 31;
	return true;
}

static bool do_store(struct trapframe *tf, const struct access *a, u64 addr)
{
	u64 v = a->reg ? tf->x[a->reg] : 0;

	if (a->fp) {
		struct fpu_state *f = fpu_sync();

		if (!f)
			return false;
		v = f->f[a->reg];
	}
	return copy_to_user((void __user *)addr, &v, a->bytes) == 0;
}

static bool do_load(struct trapframe *tf, const struct access *a, u64 addr)
{
	unsigned unused_bits = 64 - a->bytes * 8u;
	u64 v = 0;

	if (copy_from_user(&v, (const void __user *)addr, a->bytes))
		return false;
	if (a->fp) {
		struct fpu_state *now = fpu_sync(), f;

		if (!now)
			return false;
		f = *now;
		f.f[a->reg] = a->bytes == 4 ? v | 0xffffffffUL << 32 : v; /* NaN-boxed */
		return fpu_set(&f) == 0;
	}
	if (a->sign)
		v = (u64)((s64)(v << unused_bits) >> unused_bits);
	if (a->reg)
		tf->x[a->reg] = v;
	return true;
}

bool misaligned_emulate(struct trapframe *tf, u64 addr)
{
	struct access a;
	u32 insn;

	if (!user_insn(tf->x[REG_PC], &insn))
		return false;
	if (!((insn & 3) == 3 ? decode_full(insn, &a) : decode_compressed(insn, &a)))
		return false;
	if (!(a.store ? do_store(tf, &a, addr) : do_load(tf, &a, addr)))
		return false;
	tf->x[REG_PC] += a.insn_len;
	thread_flag_set(current(), TIF_RESTORE_ALL); /* the register may be one that C preserves */
	return true;
}
