// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: fs/tty/ldisc.c
/*
 * The line discipline against a table: settings, what is typed, what can be read, what the screen shows, which
 * signals were sent.  Expected screens are those of termios(3) under the usual settings of a Linux terminal.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/tty/ldisc.h"

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	abort();
}

struct host {
	struct ldisc l;
	char screen[16384];
	size_t shown;
	char signals[64];
	size_t nsignals;
	unsigned flushes, flows;
};

static struct host *host_of(struct ldisc *l)
{
	return container_of(l, struct host, l);
}

static void host_out(struct ldisc *l, u8 c)
{
	struct host *h = host_of(l);

	if (h->shown < sizeof(h->screen))
		h->screen[h->shown++] = (char)c;
}

static void host_signal(struct ldisc *l, enum ldisc_signal s)
{
	struct host *h = host_of(l);

	h->signals[h->nsignals++] = "IQZ"[s];
}

static void host_flush(struct ldisc *l)
{
	host_of(l)->flushes++;
}

static void host_flow(struct ldisc *l)
{
	host_of(l)->flows++;
}

static void host_start(struct host *h)
{
	memset(h, 0, sizeof(*h));
	ldisc_init(&h->l);
	h->l.out = host_out;
	h->l.signal = host_signal;
	h->l.flush_output = host_flush;
	h->l.flow = host_flow;
}

/* Types as the terminal layer does: never more than there is room for. */
static void type(struct host *h, const char *p, size_t n)
{
	while (n) {
		size_t part = MIN(n, ldisc_room(&h->l));

		if (!part)
			return;
		ldisc_input(&h->l, (const u8 *)p, part);
		p += part;
		n -= part;
	}
}

static struct termios_k changed(const struct termios_k *t, u32 ion, u32 ioff, u32 lon, u32 loff)
{
	struct termios_k k = *t;

	k.iflag = (k.iflag | ion) & ~ioff;
	k.lflag = (k.lflag | lon) & ~loff;
	return k;
}

/* Everything readable, each read in brackets. */
static void read_all(struct host *h, char *out)
{
	u8 buf[LDISC_BUF];
	bool end;

	while (ldisc_readable(&h->l)) {
		size_t n = ldisc_read(&h->l, buf, sizeof(buf), &end);

		*out++ = '[';
		memcpy(out, buf, n);
		out += n;
		*out++ = ']';
	}
	*out = 0;
}

struct ldisc_case {
	const char *name;
	u32 ion, ioff, lon, loff;
	const char *typed;
	const char *reads;
	const char *screen;
	const char *signals;
};

#define BS3 "\b \b"
static const struct ldisc_case cases[] = {
	{"a line", 0, 0, 0, 0, "hello\r", "[hello\n]", "hello\r\n", ""},
	{"two lines are two reads", 0, 0, 0, 0, "a\nb\n", "[a\n][b\n]", "a\r\nb\r\n", ""},
	{"no line yet", 0, 0, 0, 0, "abc", "", "abc", ""},
	{"erase", 0, 0, 0, 0,
	 "abX\x7f"
	 "c\n",
	 "[abc\n]", "abX" BS3 "c\r\n", ""},
	{"erase at the start does nothing", 0, 0, 0, 0, "\x7f\x7fq\n", "[q\n]", "q\r\n", ""},
	{"erase stops at the former line", 0, 0, 0, 0,
	 "a\n\x7f\x7f"
	 "b\n",
	 "[a\n][b\n]", "a\r\nb\r\n", ""},
	{"erase of a control character", 0, 0, 0, 0, "\x01\x7f\n", "[\n]", "^A" BS3 BS3 "\r\n", ""},
	{"erase without ECHOE shows itself", 0, 0, 0, ECHOE, "ab\x7f\n", "[a\n]", "ab^?\r\n", ""},
	{"erase without echo", 0, 0, 0, ECHO, "ab\x7f\n", "[a\n]", "", ""},
	{"erase of a tab goes back its width", 0, 0, 0, 0, "ab\t\x7f\n", "[ab\n]",
	 "ab\t\b\b\b\b\b\b\r\n", ""},
	{"utf-8 is erased as one", IUTF8, 0, 0, 0, "a\xc3\xa9\x7f\n", "[a\n]",
	 "a\xc3\xa9" BS3 "\r\n", ""},
	{"word erase", 0, 0, 0, 0, "ls foo_bar  \x17x\n", "[ls x\n]",
	 "ls foo_bar  " BS3 BS3 BS3 BS3 BS3 BS3 BS3 BS3 BS3 "x\r\n", ""},
	{"word erase needs IEXTEN", 0, 0, 0, IEXTEN, "a\x17\n", "[a\x17\n]", "a^W\r\n", ""},
	{"kill with ECHOKE rubs out", 0, 0, 0, 0, "abc\x15x\n", "[x\n]", "abc" BS3 BS3 BS3 "x\r\n",
	 ""},
	{"kill without ECHOKE starts a new line", 0, 0, 0, ECHOKE, "abc\x15x\n", "[x\n]",
	 "abc^U\r\nx\r\n", ""},
	{"literal next", 0, 0, 0, 0,
	 "a\x16\x03"
	 "b\n",
	 "[a\x03"
	 "b\n]",
	 "a^\b^Cb\r\n", ""},
	{"literal newline is no line", 0, 0, 0, 0, "a\x16\nb", "", "a^\b\r\nb", ""},
	{"reprint", 0, 0, 0, 0,
	 "abc\x12"
	 "d\n",
	 "[abcd\n]", "abc^R\r\nabcd\r\n", ""},
	{"end of file alone", 0, 0, 0, 0, "\x04", "[]", "", ""},
	{"end of file ends a line without newline", 0, 0, 0, 0,
	 "ab\x04"
	 "c\n",
	 "[ab][c\n]", "abc\r\n", ""},
	{"two ends of file", 0, 0, 0, 0, "\x04\x04", "[][]", "", ""},
	{"interrupt flushes", 0, 0, 0, 0,
	 "abc\x03"
	 "d\n",
	 "[d\n]", "abc^Cd\r\n", "I"},
	{"interrupt with NOFLSH keeps", 0, 0, NOFLSH, 0,
	 "abc\x03"
	 "d\n",
	 "[abcd\n]", "abc^Cd\r\n", "I"},
	{"quit and suspend", 0, 0, 0, 0, "\x1c\x1a", "", "^\\^Z", "QZ"},
	{"no ISIG", 0, 0, 0, ISIG, "\x03\n", "[\x03\n]", "^C\r\n", ""},
	{"no ECHOCTL", 0, 0, 0, ECHOCTL, "\x01\n", "[\x01\n]", "\x01\r\n", ""},
	{"ECHONL without ECHO", 0, 0, ECHONL, ECHO, "secret\n", "[secret\n]", "\r\n", ""},
	{"IGNCR", IGNCR, 0, 0, 0, "a\rb\n", "[ab\n]", "ab\r\n", ""},
	{"INLCR", INLCR, ICRNL, 0, 0, "a\nb\x04", "[a\rb]", "a^Mb", ""},
	{"carriage return kept without ICRNL", 0, ICRNL, 0, 0, "a\r\n", "[a\r\n]", "a^M\r\n", ""},
	{"ISTRIP", ISTRIP, 0, 0, 0, "\xe1\n", "[a\n]", "a\r\n", ""},
	{"start and stop are eaten", 0, 0, 0, 0,
	 "a\x13\x11"
	 "b\n",
	 "[ab\n]", "ab\r\n", ""},
	{"without IXON they are data", 0, IXON, 0, 0, "\x13\x11\n", "[\x13\x11\n]", "^S^Q\r\n", ""},
	{"raw", 0, ICRNL | IXON, 0, ICANON | ECHO | ISIG | IEXTEN, "a\r\x7f\x03\x04",
	 "[a\r\x7f\x03\x04]", "", ""},
	{"raw with echo and signals", 0, 0, 0, ICANON,
	 "ab\x7f\x03"
	 "c",
	 "[c]", "ab^?^Cc", "I"},
};

static void run_case(const struct ldisc_case *c)
{
	static struct host h;
	static char reads[3 * LDISC_BUF];
	struct termios_k t;

	host_start(&h);
	t = changed(&h.l.tio, c->ion, c->ioff, c->lon, c->loff);
	ldisc_set_termios(&h.l, &t);
	type(&h, c->typed, strlen(c->typed));
	read_all(&h, reads);
	if (strcmp(reads, c->reads) || strcmp(h.screen, c->screen) || strcmp(h.signals, c->signals))
		fail_msg("%s: reads %s screen \"%s\" signals %s", c->name, reads, h.screen,
			 h.signals);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		run_case(&cases[i]);
}

static void test_output(void **state)
{
	static const struct {
		u32 oflag;
		const char *in, *out;
	} outs[] = {
		{OPOST | ONLCR, "a\nb", "a\r\nb"},
		{OPOST, "a\nb", "a\nb"},
		{0, "a\n\tb", "a\n\tb"},
		{OPOST | OCRNL, "a\rb", "a\nb"},
		{OPOST | ONOCR, "\ra\rb", "a\rb"},
		{OPOST | XTABS, "a\tb\tc", "a       b       c"},
		{OPOST | OLCUC, "aZ1", "AZ1"},
		{OPOST | XTABS | ONLCR, "ab\n\tc", "ab\r\n        c"},
		{OPOST | XTABS, "ab\b\tc", "ab\b       c"},
	};
	static struct host h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(outs); i++) {
		host_start(&h);
		h.l.tio.oflag = outs[i].oflag;
		for (const char *p = outs[i].in; *p; p++)
			ldisc_opost(&h.l, (u8)*p);
		assert_string_equal(h.screen, outs[i].out);
	}
}

/* A read of exactly the bytes before an end of file takes that away too: the next read is not empty. */
static void test_eof_behind_full_read(void **state)
{
	static struct host h;
	u8 buf[8];
	bool end;

	(void)state;
	host_start(&h);
	type(&h, "abc\x04", 4);
	assert_int_equal(ldisc_avail(&h.l), 4);
	assert_int_equal(ldisc_read(&h.l, buf, 3, &end), 3);
	assert_true(end);
	assert_false(ldisc_readable(&h.l));
}

static void test_partial_reads(void **state)
{
	static struct host h;
	u8 buf[8];
	bool end;

	(void)state;
	host_start(&h);
	type(&h, "hello\nx", 7);
	assert_int_equal(ldisc_read(&h.l, buf, 4, &end), 4);
	assert_false(end);
	assert_int_equal(ldisc_read(&h.l, buf, 8, &end), 2);
	assert_true(end);
	assert_memory_equal(buf, "o\n", 2);
	assert_false(ldisc_readable(&h.l));
}

/* A line longer than the buffer loses its middle, but its end is still seen and the ring stays whole. */
static void test_overlong_line(void **state)
{
	static struct host h;
	static char reads[3 * LDISC_BUF];

	(void)state;
	host_start(&h);
	for (unsigned i = 0; i < 2 * LDISC_BUF; i++)
		type(&h, "y", 1);
	assert_false(ldisc_readable(&h.l));
	assert_int_equal(ldisc_room(&h.l), 1);
	type(&h, "\n", 1);
	assert_true(ldisc_readable(&h.l));
	assert_int_equal(ldisc_room(&h.l), 0);
	read_all(&h, reads);
	assert_int_equal(strlen(reads), LDISC_BUF + 2);
	assert_int_equal(reads[LDISC_BUF], '\n');
	assert_int_equal(ldisc_room(&h.l), LDISC_BUF - 1);
}

/* Nothing is lost while somebody reads what there is room for: the ring against a plain copy, at every offset. */
static void test_ring_wraps(void **state)
{
	static struct host h;
	u8 buf[64], want = 'a', next = 'a';
	struct termios_k t;
	bool end;

	(void)state;
	host_start(&h);
	t = changed(&h.l.tio, 0, ICRNL | IXON, 0, ICANON | ECHO | ISIG | IEXTEN);
	ldisc_set_termios(&h.l, &t);
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		size_t n = (size_t)rand() % 60, got;

		n = MIN(n, ldisc_room(&h.l));
		for (size_t k = 0; k < n; k++, next = next == 'z' ? 'a' : (u8)(next + 1))
			ldisc_input(&h.l, &next, 1);
		got = ldisc_read(&h.l, buf, (size_t)rand() % sizeof(buf), &end);
		for (size_t k = 0; k < got; k++, want = want == 'z' ? 'a' : (u8)(want + 1))
			assert_int_equal(buf[k], want);
	}
}

static void test_mode_changes(void **state)
{
	static struct host h;
	static char reads[3 * LDISC_BUF];
	struct termios_k raw, cooked;

	(void)state;
	host_start(&h);
	cooked = h.l.tio;
	raw = changed(&cooked, 0, 0, 0, ICANON);
	type(&h, "part", 4);
	ldisc_set_termios(&h.l, &raw);
	assert_int_equal(ldisc_avail(&h.l), 4);
	ldisc_set_termios(&h.l, &cooked);
	read_all(&h, reads);
	assert_string_equal(reads, "[part]");
	type(&h, "\x7fz\n", 3); /* what was read cannot be erased */
	read_all(&h, reads);
	assert_string_equal(reads, "[z\n]");
}

static void test_flow(void **state)
{
	static struct host h;
	struct termios_k t;

	(void)state;
	host_start(&h);
	type(&h, "\x13", 1);
	assert_true(h.l.stopped);
	type(&h, "x", 1);
	assert_true(h.l.stopped);
	type(&h, "\x11", 1);
	assert_false(h.l.stopped);
	assert_int_equal(h.flows, 2);
	t = changed(&h.l.tio, IXANY, 0, 0, 0);
	ldisc_set_termios(&h.l, &t);
	type(&h,
	     "\x13"
	     "x",
	     2);
	assert_false(h.l.stopped);
	type(&h, "\x13\x03", 2);
	assert_false(h.l.stopped);
	type(&h, "\x13", 1);
	t = changed(&h.l.tio, 0, IXON, 0, 0);
	ldisc_set_termios(&h.l, &t);
	assert_false(h.l.stopped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_eof_behind_full_read),
		cmocka_unit_test(test_partial_reads),
		cmocka_unit_test(test_overlong_line),
		cmocka_unit_test(test_ring_wraps),
		cmocka_unit_test(test_mode_changes),
		cmocka_unit_test(test_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
