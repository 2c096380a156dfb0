// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the compiler calls for __builtin_ctzl, __builtin_clzl and their kin on cores without Zbb, faster than libgcc's.
 *
 * The lowest set bit alone is a power of two; multiplying a de Bruijn sequence by it shifts the sequence so that its top six bits name the bit.
 */
#include "kernel/lib/types.h"

#define DE_BRUIJN 0x03f79d71b4cb0a89UL

static const u8 place[64] = {
	0,  1,	48, 2,	57, 49, 28, 3,	61, 58, 50, 42, 38, 29, 17, 4,	62, 55, 59, 36, 53, 51,
	43, 22, 45, 39, 33, 30, 24, 18, 12, 5,	63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21,
	44, 32, 23, 11, 46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,	13, 8,	7,  6,
};

int __ctzdi2(u64 x);
int __clzdi2(u64 x);
int __ctzsi2(u32 x);
int __clzsi2(u32 x);

int __ctzdi2(u64 x)
{
	return place[((x & -x) * DE_BRUIJN) >> 58];
}

int __clzdi2(u64 x)
{
	/* every bit below the highest set one is filled in; what is left of that is a power of two */
	x |= x >> 1;
	x |= x >> 2;
	x |= x >> 4;
	x |= x >> 8;
	x |= x >> 16;
	x |= x >> 32;
	return 63 - place[((x - (x >> 1)) * DE_BRUIJN) >> 58];
}

int __ctzsi2(u32 x)
{
	return __ctzdi2(x);
}

int __clzsi2(u32 x)
{
	return __clzdi2(x) - 32;
}
