// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/lib/random.c
/*
 * The cipher against the vectors of RFC 8439 (2.3.2 and appendix A.1); the generator against what it promises: no
 * two requests alike, entropy changes what follows, the whole buffer and nothing else is written.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/lib/random.h"
#include "kernel/sync/spinlock.h"

u64 spin_lock_irq(struct spinlock *l)
{
	assert_int_equal(l->word, 0);
	l->word = 1;
	return 2;
}

void spin_unlock_irq(struct spinlock *l, u64 flags)
{
	assert_int_equal(flags, 2);
	assert_int_equal(l->word, 1);
	l->word = 0;
}

struct vector {
	bool counting_key; /* 00 01 .. 1f; else zero */
	u32 counter;
	u32 nonce[3];
	const char *hex;
};

static const struct vector vectors[] = {
	{true,
	 1,
	 {0x09000000, 0x4a000000, 0},
	 "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
	 "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"},
	{false,
	 0,
	 {0, 0, 0},
	 "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
	 "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"},
	{false,
	 1,
	 {0, 0, 0},
	 "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
	 "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"},
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		char hex[129];
		u8 out[64];
		u32 key[8] = {0};

		for (u32 k = 0; v->counting_key && k < 32; k++)
			((u8 *)key)[k] = (u8)k;
		chacha20_block(key, v->counter, v->nonce, out);
		for (size_t k = 0; k < sizeof(out); k++)
			snprintf(hex + 2 * k, 3, "%02x", out[k]);
		assert_string_equal(hex, v->hex);
	}
}

static void test_requests_differ(void **state)
{
	static u8 got[256][32];

	(void)state;
	for (size_t i = 0; i < 256; i++) {
		random_bytes(got[i], sizeof(got[i]));
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(got[i], got[k], 32);
		if (i % 16 == 0)
			random_add_entropy(&i, sizeof(i));
	}
}

/* Lengths around the block size: all of it is filled (no byte stays 0 in 64 tries) and the byte behind is not. */
static void test_lengths(void **state)
{
	static const size_t lens[] = {0, 1, 31, 63, 64, 65, 127, 128, 129, 1000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		u8 seen[1001] = {0}, buf[1001];
		size_t n = lens[i];

		for (unsigned turn = 0; turn < 64; turn++) {
			memset(buf, 0, sizeof(buf));
			random_bytes(buf, n);
			for (size_t k = 0; k < sizeof(buf); k++)
				seen[k] |= buf[k];
		}
		for (size_t k = 0; k < n; k++)
			assert_int_not_equal(seen[k], 0);
		assert_int_equal(seen[n], 0);
	}
}

/* A stream longer than one block has about as many ones as zeros, in every bit. */
static void test_balance(void **state)
{
	static u8 buf[65536];
	unsigned ones[8] = {0};

	(void)state;
	random_bytes(buf, sizeof(buf));
	for (size_t i = 0; i < sizeof(buf); i++) {
		for (unsigned b = 0; b < 8; b++)
			ones[b] += buf[i] >> b & 1;
	}
	for (unsigned b = 0; b < 8; b++)
		assert_in_range(ones[b], 32768 - 1024,
				32768 + 1024); /* eight standard deviations */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_requests_differ),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_balance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
