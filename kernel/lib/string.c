// SPDX-License-Identifier: BSD-2-Clause
/*
 * The functions of <string.h> under their standard names: the compiler calls memcpy, memmove, memset and memcmp by itself.  What C does
 * not name (pages, checksums, hashes, numbers) is in bytes.c.
 *
 * The word loops never make a misaligned access (some cores trap on them): a source that is misaligned
 * against the destination is read in aligned words and shifted together.
 */

#include "kernel/lib/string.h"

#if defined(__GNUC__) && !defined(__clang__)
/* else the loops below are recognised as memcpy and memset, and call themselves */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

typedef u64 __attribute__((may_alias)) word;

#define WORD	  sizeof(word)
#define TURN	  (8 * WORD)
#define OFFSET(p) ((uintptr_t)(p) & (WORD - 1))
#define ONES	  0x0101010101010101UL
#define HIGHS	  0x8080808080808080UL
/* an aligned word may reach past the end of the buffer, never past its page */
#define WORD_READS __attribute__((no_sanitize("address")))

static inline void copy_turn(word *d, const word *s)
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

/* d is aligned, s is not: joins neighbouring words of s.  Returns the bytes copied, n rounded down to words. */
WORD_READS static size_t copy_shifted(u8 *dst, const u8 *src, size_t n)
{
	unsigned off = OFFSET(src), low = 8 * off, high = 64 - low;
	const word *s = (const word *)(src - off);
	word *d = (word *)dst, *end = d + n / WORD;
	word have = *s++;

	while (d < end) {
		word next = *s++;

		*d++ = have >> low | next << high;
		have = next;
	}
	return n & ~(WORD - 1);
}

/* Both aligned; returns the bytes copied, n rounded down to words. */
static size_t copy_aligned(u8 *dst, const u8 *src, size_t n)
{
	word *d = (word *)dst;
	const word *s = (const word *)src;
	size_t left = n;

	for (; left >= TURN; left -= TURN, d += 8, s += 8)
		copy_turn(d, s);
	for (; left >= WORD; left -= WORD)
		*d++ = *s++;
	return n - left;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;
	size_t done;

	if (n >= 2 * WORD) {
		for (; OFFSET(d); n--)
			*d++ = *s++;
		done = OFFSET(s) ? copy_shifted(d, s, n) : copy_aligned(d, s, n);
		d += done;
		s += done;
		n -= done;
	}
	while (n--)
		*d++ = *s++;
	return dst;
}

static void copy_backwards(u8 *d, const u8 *s, size_t n)
{
	d += n;
	s += n;
	if (OFFSET(d) == OFFSET(s)) {
		for (; n && OFFSET(d); n--)
			*--d = *--s;
		for (; n >= TURN; n -= TURN) {
			d -= TURN;
			s -= TURN;
			copy_turn((word *)d, (const word *)s);
		}
		for (; n >= WORD; n -= WORD) {
			d -= WORD;
			s -= WORD;
			*(word *)d = *(const word *)s;
		}
	}
	while (n--)
		*--d = *--s;
}

void *memmove(void *dst, const void *src, size_t n)
{
	/* memcpy goes upwards and has read each source word before it writes the bytes below it: fine unless dst lies inside src */
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		return memcpy(dst, src, n);
	copy_backwards(dst, src, n);
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	u8 *d = dst;
	word v = (u8)c * ONES, *w;

	if (n >= 2 * WORD) {
		for (; OFFSET(d); n--)
			*d++ = c;
		w = (word *)d;
		for (; n >= TURN; n -= TURN, w += 8) {
			w[0] = v;
			w[1] = v;
			w[2] = v;
			w[3] = v;
			w[4] = v;
			w[5] = v;
			w[6] = v;
			w[7] = v;
		}
		for (; n >= WORD; n -= WORD)
			*w++ = v;
		d = (u8 *)w;
	}
	while (n--)
		*d++ = c;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	if (OFFSET(p) == OFFSET(q)) {
		for (; n && OFFSET(p) && *p == *q; n--, p++, q++)
			;
		if (!OFFSET(p))
			for (; n >= WORD && *(const word *)p == *(const word *)q; n -= WORD) {
				p += WORD;
				q += WORD;
			}
	}
	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const u8 *p = s;

	for (; n; n--, p++)
		if (*p == (u8)c)
			return (void *)p;
	return NULL;
}

WORD_READS size_t strlen(const char *s)
{
	const char *p = s;
	word w;

	for (; OFFSET(p); p++)
		if (!*p)
			return p - s;
	/* a byte borrows in w - ONES only at the first zero byte or above it */
	while (w = *(const word *)p, !((w - ONES) & ~w & HIGHS))
		p += WORD;
	while (*p)
		p++;
	return p - s;
}

size_t strnlen(const char *s, size_t n)
{
	const char *end = memchr(s, 0, n);

	return end ? (size_t)(end - s) : n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; a++, b++, n--)
		;
	return n ? (u8)*a - (u8)*b : 0;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	do {
		if (*s == (char)c)
			found = s;
	} while (*s++);
	return (char *)found;
}

char *strstr(const char *s, const char *sub)
{
	size_t n = strlen(sub);

	for (;; s++) {
		if (!strncmp(s, sub, n))
			return (char *)s;
		if (!*s)
			return NULL;
	}
}
