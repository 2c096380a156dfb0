// SPDX-License-Identifier: BSD-2-Clause
/* echo.c - echo and printf, for the shell and as tools. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/bin/common/util.h"

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c | 0x20) : NULL;

	return p ? (int)(p - digits) : -1;
}

static const char *numeric_escape(const char *s, struct buf *out, int base, int digits)
{
	int value = 0;

	for (int d; digits > 0 && (d = hex_digit(*s)) >= 0 && d < base; s++, digits--)
		value = value * base + d;
	buf_char(out, (char)value);
	return s;
}

/*
 * The escape after a backslash at s; returns where it ends. In a format, octal is \ooo, else
 * \0ooo. Sets *stop at \c.
 */
static const char *escape(const char *s, struct buf *out, bool in_format, bool *stop)
{
	static const char from[] = "abefnrtv\\\"'", to[] = "\a\b\033\f\n\r\t\v\\\"'";
	const char *p;

	if (*s == 'c' && !in_format) {
		*stop = true;
		return s + 1;
	}
	if (*s == 'x' && hex_digit(s[1]) >= 0)
		return numeric_escape(s + 1, out, 16, 2);
	if (*s == '0' && !in_format)
		return numeric_escape(s + 1, out, 8, 3);
	if (*s >= '0' && *s <= '7' && in_format)
		return numeric_escape(s, out, 8, 3);
	p = *s ? strchr(from, *s) : NULL;
	if (!p) {
		buf_char(out, '\\');
		return s;
	}
	buf_char(out, to[p - from]);
	return s + 1;
}

static void unescape(const char *s, struct buf *out, bool *stop)
{
	while (*s && !*stop) {
		if (*s == '\\')
			s = escape(s + 1, out, false, stop);
		else
			buf_char(out, *s++);
	}
}

static int put(struct buf *out)
{
	int failed;

	fflush(stdout);
	failed = write_full(1, out->data, out->len) < 0;
	if (failed)
		warn_errno("write");
	buf_free(out);
	return failed;
}

/* Options are any of n, e and E in one word or more; everything else is text. */
int echo_main(int argc, char **argv)
{
	bool newline = true, escapes = false, stop = false;
	struct buf out = {0};
	int i;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		if (strspn(argv[i] + 1, "neE") != strlen(argv[i] + 1))
			break;
		newline = newline && !strchr(argv[i], 'n');
		escapes = strchr(argv[i], 'e') || (escapes && !strchr(argv[i], 'E'));
	}
	for (int first = i; i < argc && !stop; i++) {
		if (i > first)
			buf_char(&out, ' ');
		if (escapes)
			unescape(argv[i], &out, &stop);
		else
			buf_str(&out, argv[i]);
	}
	if (newline && !stop)
		buf_char(&out, '\n');
	return put(&out);
}

struct format {
	char **argv; /* the arguments left */
	struct buf out;
	int status;
	bool stop;
};

static const char *next_arg(struct format *f)
{
	return *f->argv ? *f->argv++ : "";
}

static intmax_t next_number(struct format *f)
{
	const char *s = next_arg(f);
	char *end;
	intmax_t n;

	if (*s == '\'' || *s == '"')
		return (unsigned char)s[1];
	errno = 0;
	n = *s == '-' ? strtoimax(s, &end, 0) : (intmax_t)strtoumax(s, &end, 0);
	if (*end || errno) {
		warn("%s: invalid number", s);
		f->status = 1;
	}
	return n;
}

/* Flags, width and precision of a conversion into spec; `*` takes an argument. */
static const char *parse_spec(struct format *f, const char *s, struct buf *spec)
{
	buf_char(spec, '%');
	for (; *s && strchr("-+ #0123456789.*", *s); s++) {
		if (*s == '*')
			buf_fmt(spec, "%d", (int)next_number(f));
		else
			buf_char(spec, *s);
	}
	while (*s == 'l' || *s == 'h' || *s == 'j' || *s == 'z')
		s++;
	return s;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void convert(struct format *f, struct buf *spec, char kind)
{
	struct buf text = {0};

	if (strchr("diouxX", kind)) {
		buf_fmt(spec, "j%c", kind);
		buf_fmt(&f->out, spec->data, next_number(f));
	} else if (strchr("eEfFgG", kind)) {
		buf_char(spec, kind);
		buf_fmt(&f->out, spec->data, strtod(next_arg(f), NULL));
	} else if (kind == 'c') {
		buf_char(spec, 'c');
		buf_fmt(&f->out, spec->data, *next_arg(f));
	} else {
		const char *s = next_arg(f);

		buf_char(spec, 's');
		if (kind == 'b') {
			unescape(s, &text, &f->stop);
			s = text.data ? text.data : "";
		}
		buf_fmt(&f->out, spec->data, s);
	}
	buf_free(&text);
}
#pragma GCC diagnostic pop

static const char *conversion(struct format *f, const char *s)
{
	struct buf spec = {0};

	if (*s == '%') {
		buf_char(&f->out, '%');
		return s + 1;
	}
	s = parse_spec(f, s, &spec);
	if (!*s || !strchr("diouxXeEfFgGcsb", *s)) {
		warn("%%%c: invalid conversion", *s);
		f->status = 1;
		f->stop = true;
	} else {
		convert(f, &spec, *s++);
	}
	buf_free(&spec);
	return s;
}

/* The format is used again while arguments are left. */
int printf_main(int argc, char **argv)
{
	struct format f = {.argv = argv + 2};
	char **before;

	if (argc < 2) {
		warn("usage: printf FORMAT [ARG]...");
		return 2;
	}
	do {
		before = f.argv;
		for (const char *s = argv[1]; *s && !f.stop;) {
			if (*s == '\\')
				s = escape(s + 1, &f.out, true, &f.stop);
			else if (*s == '%')
				s = conversion(&f, s + 1);
			else
				buf_char(&f.out, *s++);
		}
	} while (*f.argv && f.argv != before && !f.stop);
	return put(&f.out) || f.status;
}
