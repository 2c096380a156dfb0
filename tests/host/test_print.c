// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/lib/print.c kernel/lib/format.c kernel/lib/bytes.c tests/host/shim/kernel.c
/* Formatting against the host's printf, and the message ring against a plain copy of what was printed. */

#include "host.h"
#include "kernel/lib/print.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"

static u64 now;

u64 time_now(void)
{
	return now;
}

#define SAME(fmt, ...)                                                        \
	do {                                                                  \
		char mine_[256], host_[256];                                  \
		int m_ = ksnprintf(mine_, sizeof(mine_), fmt, ##__VA_ARGS__); \
		int h_ = snprintf(host_, sizeof(host_), fmt, ##__VA_ARGS__);  \
		assert_string_equal(mine_, host_);                            \
		assert_int_equal(m_, h_);                                     \
	} while (0)

static void test_formats(void **state)
{
	(void)state;
	SAME("plain %% text");
	SAME("%d %i %u", -5, 6, 7u);
	SAME("%5d|%-5d|%05d|%+d|% d", 42, 42, 42, 42, 42);
	SAME("%5d|%-5d|%05d|%+d|% d", -42, -42, -42, -42, -42);
	SAME("%.5d|%8.5d|%-8.5d|%08d", 42, 42, 42, 42);
	SAME("%x %X %#x %#X %#010x", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu);
	SAME("%o %#o", 8u, 8u);
	SAME("%hhd %hhu %hd %hu", 300, 300, 70000, 70000);
	SAME("%ld %lu %lx %lld %llx", -1L, ~0UL, 1UL << 40, -1LL, 1ULL << 63);
	SAME("%zu %zd %jd %td", (size_t)1 << 40, (ssize_t)-1, (intmax_t)-2, (ptrdiff_t)-3);
	SAME("%d", INT32_MIN);
	SAME("%ld", INT64_MIN);
	SAME("%s|%10s|%-10s|%.2s|%10.2s", "abc", "abc", "abc", "abc", "abc");
	SAME("%c|%3c|%-3c|", 'x', 'y', 'z');
	SAME("%*d|%-*d|%*d", 5, 1, 5, 2, -5, 3);
	SAME("%.*s|%.*d", 2, "abc", 4, 7);
	SAME("%#x %x %.0d|", 0u, 0u, 0);
	SAME("%s", "");
}

static void test_random_numbers(void **state)
{
	static const char *const flags[] = {"", "-", "0", "+", " ", "#", "-#", "0#", "+0", "- "};
	static const char *const convs[] = {"d", "u", "x", "X", "o"};
	char fmt[32], mine[128], host[128];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		const char *conv = convs[host_rand_below(ARRAY_LEN(convs))];
		const char *f = flags[host_rand_below(ARRAY_LEN(flags))];
		u64 v = host_rand() << 11 >> host_rand_below(64);
		int w = host_rand_below(30), p = (int)host_rand_below(25) - 1;

		if (strchr(f, '#') && *conv != 'x' && *conv != 'X')
			continue; /* undefined for d and u */
		if (strpbrk(f, "+ ") && *conv != 'd')
			continue; /* and these for the others */
		if (p < 0)
			sprintf(fmt, "%%%s%dl%s", f, w, conv);
		else
			sprintf(fmt, "%%%s%d.%dl%s", f, w, p, conv);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		ksnprintf(mine, sizeof(mine), fmt, v);
		snprintf(host, sizeof(host), fmt, v);
#pragma GCC diagnostic pop
		assert_string_equal(mine, host);
	}
}

static void test_edges(void **state)
{
	char buf[8] = "xxxxxxx";

	(void)state;
	assert_int_equal(ksnprintf(buf, 4, "abcdef"), 6);
	assert_string_equal(buf, "abc");
	assert_int_equal(buf[4], 'x');
	assert_int_equal(ksnprintf(buf, 1, "%d", 123), 3);
	assert_string_equal(buf, "");
	assert_int_equal(ksnprintf(NULL, 0, "%s", "four"), 4);
	char text[64];
	ksnprintf(text, sizeof(text), "%p", (void *)0xffffffc8000012f0);
	assert_string_equal(text, "0xffffffc8000012f0");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-overflow"
	ksnprintf(text, sizeof(text), "%s|%5q|%", (char *)NULL);
	assert_string_equal(text, "(null)|%5q|%");
#pragma GCC diagnostic pop
}

static char console[1 << 20];
static size_t nconsole;

static void on_console(const char *s, size_t n)
{
	assert_false(host_irqs_on);
	memcpy(console + nconsole, s, n);
	nconsole += n;
}

static size_t ring_from(u64 *pos, char *buf, size_t size)
{
	size_t got = 0, n;

	while ((n = print_ring_read(pos, buf + got, 1 + host_rand_below(size - got))))
		got += n;
	return got;
}

static void test_lines(void **state)
{
	char buf[1000];
	u64 pos = print_ring_end();
	size_t n;

	(void)state;
	nconsole = 0;
	print_console_set(on_console);
	now = 12345678000;
	kprintf("one\ntwo");
	now += 1000;
	kprintf(" and a half\n");
	kprintf("<3>three\n");
	n = ring_from(&pos, buf, sizeof(buf) - 1);
	buf[n] = 0;
	assert_string_equal(
		buf, "[   12.345678] one\n[   12.345678] two and a half\n[   12.345679] three\n");
	console[nconsole] = 0;
	assert_string_equal(console, "one\ntwo and a half\nthree\n");
	assert_true(host_irqs_on);
	assert_int_equal(print_ring_read(&pos, buf, 10), 0);
	pos += 100; /* a position from the future */
	assert_int_equal(print_ring_read(&pos, buf, 10), 0);
	assert_int_equal(pos, print_ring_end());
}

static void test_quiet(void **state)
{
	u64 before = print_ring_end();

	(void)state;
	nconsole = 0;
	print_set_quiet(true);
	kprintf("<6>information\n");
	kprintf("more\n");
	assert_int_equal(nconsole, 0);
	kprintf("<4>warning\n");
	console[nconsole] = 0;
	assert_string_equal(console, "warning\n");
	assert_true(print_ring_end() > before + 30);
	print_set_quiet(false);
}

/* Far more than the ring holds: what is left is the end of what was printed. */
static void test_overwrite(void **state)
{
	u64 pos = 0;
	char *buf = malloc(1 << 20), line[300];
	size_t n, total = 0;
	char *all = malloc(4 << 20);

	(void)state;
	print_console_set(NULL);
	now = 0;
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(
			line, sizeof(line), "line %u %.*s", i, (int)host_rand_below(200),
			"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
			"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
		kprintf("%s\n", line);
		total += sprintf(all + total, "[    0.000000] %s\n", line);
	}
	n = ring_from(&pos, buf, 1 << 20);
	assert_int_equal(n, 64 * KiB);
	assert_int_equal(pos, print_ring_end());
	assert_memory_equal(buf, all + total - n, n);
	free(buf);
	free(all);
}

/* A message from within a message (a fault while printing) gets out. */
static void console_that_prints(const char *s, size_t n)
{
	print_console_set(on_console);
	kprintf("inner\n");
	on_console(s, n);
}

static void test_recursion(void **state)
{
	(void)state;
	nconsole = 0;
	print_console_set(console_that_prints);
	kprintf("outer\n");
	console[nconsole] = 0;
	assert_string_equal(console, "inner\nouter\n");
	assert_true(host_irqs_on);
	kprintf("after\n");
	print_console_set(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),	  cmocka_unit_test(test_random_numbers),
		cmocka_unit_test(test_edges),	  cmocka_unit_test(test_lines),
		cmocka_unit_test(test_quiet),	  cmocka_unit_test(test_overwrite),
		cmocka_unit_test(test_recursion),
	};

	host_harts(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
