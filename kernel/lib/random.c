// SPDX-License-Identifier: BSD-2-Clause
/*
 * The random number generator.  Owns the key.  Each request runs one block under the key: the first half of it becomes
 * the next key, the second half the key of this request's own stream.  What was given out can therefore not be computed from a
 * later state.  Entropy is folded into the key, 32 bytes at a time, and the result is put through the cipher.
 *
 * Lock: lock (RANDOM) guards key; held for one block of the cipher.
 */

#include "kernel/lib/random.h"
#include "kernel/lib/string.h"
#include "kernel/sync/spinlock.h"

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANDOM, "random");
static u32 key[8] = {0x6e6d6f67, 0x20612069, 0x73656564, 0x6f742073,
		     0x74617274, 0x66726f6d, 0x6e6f7468, 0x696e6721};

static inline u32 rotl(u32 v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static inline void quarter(u32 *a, u32 *b, u32 *c, u32 *d)
{
	*a += *b;
	*d = rotl(*d ^ *a, 16);
	*c += *d;
	*b = rotl(*b ^ *c, 12);
	*a += *b;
	*d = rotl(*d ^ *a, 8);
	*c += *d;
	*b = rotl(*b ^ *c, 7);
}

static void rounds(u32 x[16])
{
	for (unsigned i = 0; i < 10; i++) {
		quarter(&x[0], &x[4], &x[8], &x[12]);
		quarter(&x[1], &x[5], &x[9], &x[13]);
		quarter(&x[2], &x[6], &x[10], &x[14]);
		quarter(&x[3], &x[7], &x[11], &x[15]);
		quarter(&x[0], &x[5], &x[10], &x[15]);
		quarter(&x[1], &x[6], &x[11], &x[12]);
		quarter(&x[2], &x[7], &x[8], &x[13]);
		quarter(&x[3], &x[4], &x[9], &x[14]);
	}
}

void chacha20_block(const u32 k[8], u32 counter, const u32 nonce[3], u8 out[64])
{
	u32 in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, k[0], k[1],
		      k[2],	  k[3],	      k[4],	  k[5],	      k[6], k[7],
		      counter,	  nonce[0],   nonce[1],	  nonce[2]};
	u32 x[16];

	memcpy(x, in, sizeof(x));
	rounds(x);
	for (unsigned i = 0; i < 16; i++) {
		u32 v = x[i] + in[i];

		out[4 * i] = (u8)v;
		out[4 * i + 1] = (u8)(v >> 8);
		out[4 * i + 2] = (u8)(v >> 16);
		out[4 * i + 3] = (u8)(v >> 24);
	}
}

static u64 clock_word(void)
{
#if defined(__riscv)
	u64 t;

	__asm__ volatile("rdtime %0" : "=r"(t));
	return t;
#else
	static u64 t;

	return ++t;
#endif
}

/* Steps the key; sub, if not NULL, gets the other half of the block. */
static void step_locked(u32 sub[8])
{
	u64 now = clock_word();
	u32 nonce[3] = {(u32)now, (u32)(now >> 32), 0};
	u8 block[64];

	chacha20_block(key, 0, nonce, block);
	memcpy(key, block, sizeof(key));
	if (sub)
		memcpy(sub, block + sizeof(key), sizeof(key));
}

void random_add_entropy(const void *data, size_t n)
{
	const u8 *p = data;
	u64 flags = spin_lock_irq(&lock);

	do {
		size_t part = MIN(n, sizeof(key));

		for (size_t i = 0; i < part; i++)
			((u8 *)key)[i] ^= p[i];
		step_locked(NULL);
		p += part;
		n -= part;
	} while (n);
	spin_unlock_irq(&lock, flags);
}

void random_bytes(void *buf, size_t n)
{
	static const u32 nonce[3];
	u32 sub[8], counter = 1;
	u64 flags = spin_lock_irq(&lock);
	u8 block[64], *p = buf;

	step_locked(sub);
	spin_unlock_irq(&lock, flags);
	while (n) {
		size_t part = MIN(n, sizeof(block));

		chacha20_block(sub, counter++, nonce, block);
		memcpy(p, block, part);
		p += part;
		n -= part;
	}
	memset(block, 0, sizeof(block));
	memset(sub, 0, sizeof(sub));
	__asm__ volatile("" ::"r"(block), "r"(sub) : "memory"); /* keeps the erasure */
}
