// SPDX-License-Identifier: BSD-2-Clause
/* Bytes and text beyond <string.h>: bounded copies, numbers, pages, checksums and hashes. */

#include "kernel/lib/string.h"

#if defined(__GNUC__) && !defined(__clang__)
/* a page of explicit stores beats a call of memset */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

typedef u64 __attribute__((may_alias)) word;

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src), n;

	if (size) {
		n = MIN(len, size - 1);
		memcpy(dst, src, n);
		dst[n] = 0;
	}
	return len;
}

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 99;
}

/* Steps over 0x or 0 when base allows; returns the base to use. */
static unsigned number_base(const char **s, unsigned base)
{
	const char *p = *s;

	if ((base == 0 || base == 16) && p[0] == '0' && (p[1] | 0x20) == 'x' &&
	    digit_of(p[2]) < 16) {
		*s = p + 2;
		return 16;
	}
	if (base == 0)
		return p[0] == '0' ? 8 : 10;
	return base;
}

u64 strtou64(const char *s, const char **end, unsigned base)
{
	const char *start = s;
	bool any = false, over = false;
	u64 v = 0;

	while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		s++;
	base = number_base(&s, base);
	for (; digit_of(*s) < base; s++) {
		any = true;
		over |= __builtin_mul_overflow(v, (u64)base, &v);
		over |= __builtin_add_overflow(v, (u64)digit_of(*s), &v);
	}
	if (end)
		*end = any ? s : start;
	return over ? UINT64_MAX : v;
}

#define ZERO8(p)                                                                             \
	((p)[0] = 0, (p)[1] = 0, (p)[2] = 0, (p)[3] = 0, (p)[4] = 0, (p)[5] = 0, (p)[6] = 0, \
	 (p)[7] = 0)

bool page_is_zero(const void *page)
{
	const word *p = page;

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(word); i += 8)
		if (p[i] | p[i + 1] | p[i + 2] | p[i + 3] | p[i + 4] | p[i + 5] | p[i + 6] |
		    p[i + 7])
			return false;
	return true;
}

void page_zero(void *page)
{
	word *p = page, *end = p + PAGE_SIZE / sizeof(word);

	do {
		ZERO8(p);
		ZERO8(p + 8);
		ZERO8(p + 16);
		ZERO8(p + 24);
		ZERO8(p + 32);
		ZERO8(p + 40);
		ZERO8(p + 48);
		ZERO8(p + 56);
		p += 64;
	} while (p != end);
}

static inline void copy8(word *d, const word *s)
{
	word a = s[0], b = s[1], c = s[2], e = s[3], f = s[4], g = s[5], h = s[6], i = s[7];

	d[0] = a;
	d[1] = b;
	d[2] = c;
	d[3] = e;
	d[4] = f;
	d[5] = g;
	d[6] = h;
	d[7] = i;
}

void page_copy(void *dst, const void *src)
{
	word *d = dst, *end = d + PAGE_SIZE / sizeof(word);
	const word *s = src;

	do {
		copy8(d, s);
		copy8(d + 8, s + 8);
		copy8(d + 16, s + 16);
		copy8(d + 24, s + 24);
		d += 32;
		s += 32;
	} while (d != end);
}

/* CRC-32 of ISO 3309 (UEFI Specification 2.10, section 5.3.2): polynomial 0x04c11db7, reflected, four bits a step. */
u32 crc32_le(u32 crc, const void *buf, size_t n)
{
	static const u32 table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const u8 *p = buf;

	crc = ~crc;
	for (; n; n--) {
		crc ^= *p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* Two rounds of xor-shift and odd multiplication: every input bit reaches every output bit. */
static inline u64 hash_mix(u64 h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93UL;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93UL;
	return h ^ h >> 32;
}

u64 hash_bytes(const void *p, size_t n, u64 seed)
{
	const u8 *b = p;
	u64 h = seed ^ n * 0x9e3779b97f4a7c15UL;

	for (; n >= 8; n -= 8, b += 8) {
		u64 v = 0;

		for (unsigned i = 0; i < 8; i++)
			v |= (u64)b[i] << 8 * i;
		h = hash_mix(h ^ v);
	}
	for (; n; n--)
		h = (h ^ *b++) * 0x100000001b3UL;
	return hash_mix(h);
}
