/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_LIB_RANDOM_H
#define GNOMON_LIB_RANDOM_H

/*
 * Random numbers: a generator on ChaCha20 (RFC 8439) that erases its key with every use (fast key erasure).  Usable from the
 * first instruction of C, though only as good as the entropy added by then.  Any context.
 */

#include "kernel/lib/types.h"

void random_bytes(void *buf, size_t n);
/* Mixes in something an attacker may not know; always together with the clock. Costs a few blocks of the cipher per 32 bytes. */
void random_add_entropy(const void *data, size_t n);

/* One block: key 8 words, counter, nonce 3 words (RFC 8439, 2.3). For the generator and its test. */
void chacha20_block(const u32 key[8], u32 counter, const u32 nonce[3], u8 out[64]);

#endif
