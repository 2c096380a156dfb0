// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random numbers for the places of mappings and AT_RANDOM: ChaCha20's block function over a key made of the boot
 * loader's seed and the time of the calls.  Each request ends by replacing the key, so what was given out before
 * cannot be computed from a later state.
 *
 * Locks: random_lock (LOCK_LEAF_FS) guards the state.
 * Source: RFC 8439, section 2.3.
 */
#include "kernel/proc/proc_internal.h"

#include "drivers/core/device.h"

static u32 state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
static bool seeded;
static struct spinlock random_lock = SPINLOCK_INIT(LOCK_LEAF_FS, "random");

static inline u32 rotl(u32 v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void quarter(u32 *x, int a, int b, int c, int d)
{
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 7);
}

static void block(u32 out[16])
{
	memcpy(out, state, sizeof(state));
	for (int i = 0; i < 10; i++) {
		quarter(out, 0, 4, 8, 12);
		quarter(out, 1, 5, 9, 13);
		quarter(out, 2, 6, 10, 14);
		quarter(out, 3, 7, 11, 15);
		quarter(out, 0, 5, 10, 15);
		quarter(out, 1, 6, 11, 12);
		quarter(out, 2, 7, 8, 13);
		quarter(out, 3, 4, 9, 14);
	}
	for (int i = 0; i < 16; i++)
		out[i] += state[i];
	if (++state[12] == 0)
		state[13]++;
}

static void seed(void)
{
	fdt_node chosen = fdt_path(&boot_fdt, "/chosen");
	size_t len = 0;
	const u8 *p = chosen >= 0 ? fdt_prop(&boot_fdt, chosen, "rng-seed", &len) : NULL;

	for (size_t i = 0; p && i < len; i++)
		((u8 *)&state[4])[i % 32] ^= p[i];
	seeded = true;
}

void random_fill(void *buf, size_t n)
{
	u8 *to = buf;
	u32 out[16];
	u64 now = time_cycles();

	spin_lock(&random_lock);
	if (!seeded)
		seed();
	state[14] ^= (u32)now;
	state[15] += (u32)(now >> 32) + 1;
	while (n) {
		size_t take = MIN(n, sizeof(out));

		block(out);
		memcpy(to, out, take);
		to += take;
		n -= take;
	}
	block(out);
	memcpy(&state[4], out, 8 * sizeof(u32));
	spin_unlock(&random_lock);
}

u64 random_u64(void)
{
	u64 v;

	random_fill(&v, sizeof(v));
	return v;
}
