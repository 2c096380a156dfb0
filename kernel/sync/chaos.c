// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random delays and preemption; see chaos.h.  Owns the generators, one a hart.  An interrupt that comes while its hart's
 * generator is in use, or a thread that moves to another hart meanwhile, costs nothing but a number drawn twice: no lock.
 */
#include "kernel/sync/chaos.h"

#include "kernel/boot/init.h"
#include "kernel/boot/params.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"

#if DEBUG && defined(__riscv)

#define RATE	   64
#define SHORT_SPIN 512u
#define LONG_SPIN  20000u

bool chaos_on;
static u32 rate = RATE;
static u64 state[MAX_HARTS];

static u64 next(void)
{
	u64 *s = &state[READ_ONCE(current()->hart)->index], x = READ_ONCE(*s);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	WRITE_ONCE(*s, x);
	return x >> 8;
}

u32 chaos_bit(u64 mask)
{
	u32 bit = (u32)next() % 64;

	while (!(mask >> bit & 1))
		bit = (bit + 1) % 64;
	return bit;
}

bool chaos_chance(u32 n)
{
	return chaos_on && next() % n == 0;
}

static void spin(u32 turns)
{
	while (turns--)
		__asm__ volatile("nop");
}

void chaos_hit(void)
{
	u64 r = next();
	struct thread *t = current();

	if (r % rate)
		return;
	r /= rate;
	switch (r % 8) {
	case 0:
	case 1:
	case 2:
		spin((u32)(r / 8 % SHORT_SPIN));
		break;
	case 3:
		spin((u32)(r / 8 % (r & 0x800 ? LONG_SPIN : SHORT_SPIN)));
		break;
	default: /* now where it is allowed, else as soon as it is */
		thread_flag_set(t, TIF_RESCHED);
		preempt_resched();
		break;
	}
}

static void chaos_init(void)
{
	const char *value = kernel_param("chaos"), *end;
	u64 seed;

	if (!value)
		return;
	seed = strtou64(value, &end, 0);
	if (*end == ',')
		rate = (u32)strtou64(end + 1, &end, 0);
	if (*end || end == value || !rate) {
		kprintf("chaos=%s: not SEED or SEED,RATE\n", value);
		return;
	}
	for (u32 k = 0; k < MAX_HARTS; k++)
		state[k] = (seed + 1) * 0x9e3779b97f4a7c15UL ^ (k + 1) * 0xbf58476d1ce4e5b9UL;
	kprintf("chaos: seed %lu, one point in %u; again with chaos=%lu,%u\n", seed, rate, seed,
		rate);
	chaos_on = true;
}
INITCALL(CORE, chaos_init);

#endif
