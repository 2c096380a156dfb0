// SPDX-License-Identifier: BSD-2-Clause
/*
 * Searching and changing bitmap blocks, a 64-bit word at a time.  Bit n is bit n%8 of byte n/8, which on a
 * little-endian machine is bit n%64 of word n/64.  Owns nothing; callers lock.
 */

#include "fs/ext2/ext2.h"

/* The first bit in [from, end) whose word, after xor with flip, has it set. */
static u32 bitmap_next(const u64 *map, u32 from, u32 end, u64 flip)
{
	u32 w = from / 64;
	u64 word;

	if (from >= end)
		return end;
	word = (map[w] ^ flip) & (~0UL << (from % 64));
	while (!word) {
		if (++w * 64 >= end)
			return end;
		word = map[w] ^ flip;
	}
	from = w * 64 + (u32)__builtin_ctzl(word);
	return MIN(from, end);
}

u32 bitmap_next_zero(const void *map, u32 from, u32 end)
{
	return bitmap_next(map, from, end, ~0UL);
}

u32 bitmap_next_set(const void *map, u32 from, u32 end)
{
	return bitmap_next(map, from, end, 0);
}

void bitmap_set(void *map, u32 bit, u32 n)
{
	u8 *m = map;

	for (; n; bit++, n--)
		m[bit / 8] |= (u8)(1u << (bit % 8));
}

void bitmap_clear(void *map, u32 bit, u32 n)
{
	u8 *m = map;

	for (; n; bit++, n--)
		m[bit / 8] &= (u8) ~(1u << (bit % 8));
}
