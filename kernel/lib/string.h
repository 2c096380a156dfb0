/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_LIB_STRING_H
#define GNOMON_LIB_STRING_H

/* The part of <string.h> the kernel uses; memcpy/memset/memmove are tuned for rv64 (8 words a turn). */

#include "kernel/lib/types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *sub);
/* Copies at most size-1 bytes and ends with 0; returns strlen(src). */
size_t strlcpy(char *dst, const char *src, size_t size);
/* Numbers: base 0 = by prefix; *end as strtoul; no errno: saturates. */
u64 strtou64(const char *s, const char **end, unsigned base);
/* One whole page (both page aligned). */
void page_zero(void *page);
bool page_is_zero(const void *page);
void page_copy(void *dst, const void *src);
u32 crc32_le(u32 crc, const void *buf,
	     size_t n); /* as GPT uses it: init 0, reflected, final xor inside */
/* A fast non-cryptographic 64-bit hash of bytes, for hash tables. */
u64 hash_bytes(const void *p, size_t n, u64 seed);

#endif
