// SPDX-License-Identifier: BSD-2-Clause
/*
 * The random number generator.  Owns the key and a pool of bytes made ahead.  The pool is filled by running a few blocks under the key,
 * whose first bytes become the next key; bytes are erased as they are given out.  A small request takes bytes of
 * the pool, a large one the key of a stream of its own.  What was given out can therefore not be computed from a
 * later state.  Entropy is folded into the key, 32 bytes at a time, the result is put through the cipher, and the pool is made anew.
 *
 * Lock: lock (RANDOM) guards key, pool and left; held for POOL_BLOCKS blocks of the cipher at most.
 */

#include "kernel/lib/random.h"
#include "kernel/lib/string.h"
#include "kernel/sync/spinlock.h"

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANDOM, "random");
static u32 key[8] = {0x6e6d6f67, 0x20612069, 0x73656564, 0x6f742073,
		     0x74617274, 0x66726f6d, 0x6e6f7468, 0x696e6721};

#define POOL_BLOCKS 4u
#define SMALL	    32u /* bytes: up to here a request is served from the pool */

static u8 pool[POOL_BLOCKS * 64 - sizeof(key)]; /* (lock) */
static size_t left;				/* (lock) bytes at its start nobody got yet */

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

/* memset that stays though nobody reads the bytes again. */
static void erase(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ volatile("" ::"r"(p) : "memory");
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

/* Runs POOL_BLOCKS blocks under the key: the first bytes are the next key, the rest the pool. */
static void refill_locked(void)
{
	u64 now = clock_word();
	u32 nonce[3] = {(u32)now, (u32)(now >> 32), 0};
	u8 blocks[POOL_BLOCKS * 64];

	for (u32 i = 0; i < POOL_BLOCKS; i++)
		chacha20_block(key, i, nonce, blocks + i * 64);
	memcpy(key, blocks, sizeof(key));
	memcpy(pool, blocks + sizeof(key), sizeof(pool));
	left = sizeof(pool);
	erase(blocks, sizeof(blocks));
}

/* n <= sizeof(pool) bytes, which nobody gets again. */
static void take_locked(void *out, size_t n)
{
	u8 *from;

	if (left < n)
		refill_locked();
	left -= n;
	from = pool + left;
	memcpy(out, from, n);
	memset(from, 0, n);
}

void random_add_entropy(const void *data, size_t n)
{
	const u8 *p = data;
	u64 flags = spin_lock_irq(&lock);

	do {
		size_t part = MIN(n, sizeof(key));

		for (size_t i = 0; i < part; i++)
			((u8 *)key)[i] ^= p[i];
		refill_locked();
		p += part;
		n -= part;
	} while (n);
	spin_unlock_irq(&lock, flags);
}

/* Much: a stream under a key of its own. */
static void stream(u8 *p, size_t n)
{
	static const u32 nonce[3];
	u32 sub[8], counter = 1;
	u64 flags = spin_lock_irq(&lock);
	u8 block[64];

	take_locked(sub, sizeof(sub));
	spin_unlock_irq(&lock, flags);
	while (n) {
		size_t part = MIN(n, sizeof(block));

		chacha20_block(sub, counter++, nonce, block);
		memcpy(p, block, part);
		p += part;
		n -= part;
	}
	erase(block, sizeof(block));
	erase(sub, sizeof(sub));
}

void random_bytes(void *buf, size_t n)
{
	u64 flags;

	if (n > SMALL) {
		stream(buf, n);
		return;
	}
	flags = spin_lock_irq(&lock);
	take_locked(buf, n);
	spin_unlock_irq(&lock, flags);
}
