// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/lib/string.c kernel/lib/bytes.c
// CFLAGS: -fno-builtin -Dmemcpy=k_memcpy -Dmemmove=k_memmove -Dmemset=k_memset -Dmemcmp=k_memcmp -Dmemchr=k_memchr -Dstrlen=k_strlen -Dstrnlen=k_strnlen -Dstrcmp=k_strcmp -Dstrncmp=k_strncmp -Dstrchr=k_strchr -Dstrrchr=k_strrchr -Dstrstr=k_strstr -Dstrlcpy=k_strlcpy
/* The kernel's string functions under other names, against byte loops, at every alignment, with guard bytes around. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/lib/string.h"

#define SIZE 1024

static u8 a[SIZE + 64], b[SIZE + 64], want[SIZE + 64];
static u64 seed = 1;

static u64 rnd(u64 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % n;
}

static void fill(void)
{
	for (unsigned i = 0; i < sizeof(a); i++) {
		a[i] = rnd(256);
		b[i] = want[i] = rnd(256);
	}
}

static void same(const u8 *x, const u8 *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(x[i], y[i]);
}

static size_t length(unsigned round)
{
	return round < 300 ? round % 150 : rnd(SIZE - 64);
}

static void test_copy(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = length(round), from = rnd(24), to = rnd(24);

		fill();
		for (size_t i = 0; i < n; i++)
			want[to + i] = a[from + i];
		assert_ptr_equal(memcpy(b + to, a + from, n), b + to);
		same(b, want, sizeof(b));
	}
}

static void test_move(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = length(round), from = rnd(48), to = rnd(2) ? rnd(48) : from + rnd(3);
		u8 copy[SIZE];

		fill();
		for (size_t i = 0; i < n; i++)
			copy[i] = b[from + i];
		for (size_t i = 0; i < n; i++)
			want[to + i] = copy[i];
		assert_ptr_equal(memmove(b + to, b + from, n), b + to);
		same(b, want, sizeof(b));
	}
}

static void test_set(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 5000; round++) {
		size_t n = length(round), to = rnd(24);
		int c = (int)rnd(1000) - 500;

		fill();
		for (size_t i = 0; i < n; i++)
			want[to + i] = c;
		assert_ptr_equal(memset(b + to, c, n), b + to);
		same(b, want, sizeof(b));
	}
}

static int sign(int v)
{
	return v < 0 ? -1 : v > 0;
}

static void test_compare(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = length(round), x = rnd(16), y = rnd(2) ? x : rnd(16),
		       at = n ? rnd(n) : 0;
		int expect = 0;

		fill();
		memcpy(b + y, a + x, n);
		assert_int_equal(memcmp(a + x, b + y, n), 0);
		if (!n)
			continue;
		b[y + at] = rnd(256);
		for (size_t i = 0; i < n && !expect; i++)
			expect = a[x + i] - b[y + i];
		assert_int_equal(sign(memcmp(a + x, b + y, n)), sign(expect));
	}
}

static void test_strings(void **state)
{
	char s[200], t[200];

	(void)state;
	for (unsigned round = 0; round < 5000; round++) {
		size_t n = rnd(100), off = rnd(16), i;
		char c = 'a' + rnd(3);
		const char *first = NULL, *last = NULL, *p = s + off;

		for (i = 0; i < n; i++)
			s[off + i] = 'a' + rnd(3);
		s[off + n] = 0;
		for (i = 0; i < n; i++)
			if (p[i] == c) {
				first = first ? first : p + i;
				last = p + i;
			}
		assert_int_equal(strlen(p), n);
		assert_int_equal(strnlen(p, 50), n < 50 ? n : 50);
		assert_ptr_equal(strchr(p, c), first);
		assert_ptr_equal(strrchr(p, c), last);
		assert_ptr_equal(strchr(p, 0), p + n);
		assert_ptr_equal(strrchr(p, 0), p + n);
		assert_ptr_equal(memchr(p, c, n), first);
		memset(t, 'x', sizeof(t));
		assert_int_equal(strlcpy(t, p, 40), n);
		assert_int_equal(strlen(t), n < 39 ? n : 39);
		assert_int_equal(strncmp(t, p, 39), 0);
		assert_int_equal(t[40], 'x');
		assert_int_equal(strcmp(p, p), 0);
	}
	assert_int_equal(strlcpy(t, "abc", 0), 3);
	assert_true(strcmp("abc", "abd") < 0 && strcmp("b", "abd") > 0 && strcmp("ab", "abc") < 0);
	assert_true(strcmp("\x80", "a") > 0);
	assert_true(strncmp("abc", "abd", 2) == 0 && strncmp("abc", "abd", 3) < 0 &&
		    strncmp("a", "a", 9) == 0);
	assert_ptr_equal(strstr("hello", "zz"), NULL);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const hay = "aabaabaaab";
		static const char *const needles[] = {"aaab", "", "b"};
		static const int where[] = {6, 0, 2};

		assert_ptr_equal(strstr(hay, needles[i]), hay + where[i]);
	}
}

static void number(const char *s, unsigned base, u64 v, size_t used)
{
	const char *end;

	assert_int_equal(strtou64(s, &end, base), v);
	assert_int_equal(end - s, used);
}

static void test_numbers(void **state)
{
	(void)state;
	number("123abc", 0, 123, 3);
	number("0x1fG", 0, 0x1f, 4);
	number("0X1f", 16, 0x1f, 4);
	number("1f", 16, 0x1f, 2);
	number("0755", 0, 0755, 4);
	number("0", 0, 0, 1);
	number("0x", 0, 0, 1);
	number("0xg", 16, 0, 1);
	number("  42", 10, 42, 4);
	number("", 10, 0, 0);
	number(" z", 10, 0, 0);
	number("-1", 10, 0, 0);
	number("18446744073709551615", 10, ~0UL, 20);
	number("18446744073709551616", 10, ~0UL, 20);
	number("99999999999999999999999x", 10, ~0UL, 23);
	number("zz", 36, 35 * 36 + 35, 2);
	assert_int_equal(strtou64("7", NULL, 0), 7);
}

static void test_pages(void **state)
{
	u8 *x = aligned_alloc(PAGE_SIZE, PAGE_SIZE), *y = aligned_alloc(PAGE_SIZE, PAGE_SIZE);

	(void)state;
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		x[i] = rnd(256);
	page_copy(y, x);
	same(x, y, PAGE_SIZE);
	page_zero(y);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(y[i], 0);
	free(x);
	free(y);
}

static void test_sums(void **state)
{
	u64 seen[256];

	(void)state;
	/* the check value of CRC-32/ISO-HDLC */
	assert_int_equal(crc32_le(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32_le(crc32_le(0, "1234", 4), "56789", 5), 0xcbf43926);
	assert_int_equal(crc32_le(0, "", 0), 0);
	for (unsigned i = 0; i < 256; i++) {
		u8 c[2] = {i, 0};

		seen[i] = hash_bytes(c, 1, 0);
		assert_int_equal(seen[i], hash_bytes(c, 1, 0));
		assert_true(seen[i] != hash_bytes(c, 2, 0) && seen[i] != hash_bytes(c, 1, 1));
		for (unsigned j = 0; j < i; j++)
			assert_true((u32)seen[i] != (u32)seen[j]);
	}
	assert_int_equal(hash_bytes("0123456789", 10, 5), hash_bytes("0123456789", 10, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),	cmocka_unit_test(test_move),
		cmocka_unit_test(test_set),	cmocka_unit_test(test_compare),
		cmocka_unit_test(test_strings), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_pages),	cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
