// SPDX-License-Identifier: BSD-2-Clause
/*
 * printf's conversions (C17, 7.21.6.1, without floating point and %n).  No state, no locks, no allocation.
 * A null string prints as "(null)"; %p prints 0x and sixteen digits.
 */

#include "kernel/lib/format.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

#define F_LEFT	1u  /* - */
#define F_ZERO	2u  /* 0 */
#define F_PLUS	4u  /* + */
#define F_SPACE 8u  /* space */
#define F_ALT	16u /* # */
#define F_UPPER 32u
#define F_NEG	64u

struct spec {
	unsigned flags;
	int width;
	int precision; /* < 0: none */
	int size;      /* bytes of the argument */
};

struct run {
	struct format_out *out;
	size_t n;
};

static void put(struct run *r, char c)
{
	r->out->put(r->out, c);
	r->n++;
}

static void pad(struct run *r, char c, int n)
{
	while (n-- > 0)
		put(r, c);
}

static void put_text(struct run *r, const struct spec *s, const char *p, int len)
{
	if (!(s->flags & F_LEFT))
		pad(r, ' ', s->width - len);
	for (int i = 0; i < len; i++)
		put(r, p[i]);
	if (s->flags & F_LEFT)
		pad(r, ' ', s->width - len);
}

static void put_string(struct run *r, const struct spec *s, const char *p)
{
	size_t max = s->precision < 0 ? INT32_MAX : (size_t)s->precision;

	if (!p)
		p = "(null)";
	put_text(r, s, p, strnlen(p, max));
}

/* Digits of v, last first; returns how many. v = 0 has none. */
static int digits(char *buf, u64 v, unsigned base, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	int n = 0;

	for (; v; v /= base)
		buf[n++] = set[v % base];
	return n;
}

static const char *sign_prefix(const struct spec *s, unsigned base, u64 v)
{
	if (s->flags & F_NEG)
		return "-";
	if (base == 16 && (s->flags & F_ALT) && v)
		return s->flags & F_UPPER ? "0X" : "0x";
	if (s->flags & F_PLUS)
		return "+";
	return s->flags & F_SPACE ? " " : "";
}

static void put_number(struct run *r, const struct spec *s, u64 v, unsigned base)
{
	const char *prefix = sign_prefix(s, base, v);
	char buf[24];
	int n = digits(buf, v, base, s->flags & F_UPPER);
	int zeros = (s->precision < 0 ? 1 : s->precision) - n;
	int spaces;

	zeros = MAX(zeros, 0);
	if (base == 8 && (s->flags & F_ALT) && !zeros)
		zeros = 1;
	spaces = s->width - n - zeros - (int)strlen(prefix);
	if (spaces > 0 && (s->flags & F_ZERO) && !(s->flags & F_LEFT) && s->precision < 0) {
		zeros += spaces;
		spaces = 0;
	}
	if (!(s->flags & F_LEFT))
		pad(r, ' ', spaces);
	while (*prefix)
		put(r, *prefix++);
	pad(r, '0', zeros);
	while (n)
		put(r, buf[--n]);
	if (s->flags & F_LEFT)
		pad(r, ' ', spaces);
}

static const char *parse_flags(struct spec *s, const char *f)
{
	for (;; f++) {
		switch (*f) {
		case '-':
			s->flags |= F_LEFT;
			break;
		case '0':
			s->flags |= F_ZERO;
			break;
		case '+':
			s->flags |= F_PLUS;
			break;
		case ' ':
			s->flags |= F_SPACE;
			break;
		case '#':
			s->flags |= F_ALT;
			break;
		default:
			return f;
		}
	}
}

static const char *parse_int(int *v, const char *f)
{
	for (*v = 0; *f >= '0' && *f <= '9'; f++)
		*v = MIN(*v * 10 + (*f - '0'), 1 << 20);
	return f;
}

static const char *parse_size(struct spec *s, const char *f)
{
	s->size = sizeof(int);
	if (f[0] == 'h') {
		s->size = f[1] == 'h' ? 1 : 2;
		return f + (f[1] == 'h' ? 2 : 1);
	}
	if (f[0] == 'l' || f[0] == 'z' || f[0] == 't' || f[0] == 'j') {
		s->size = 8;
		return f + (f[0] == 'l' && f[1] == 'l' ? 2 : 1);
	}
	return f;
}

/* A va_list cannot be passed on by address when it came as a parameter (it may be an array), a struct can. */
struct args {
	va_list ap;
};

static const char *parse_spec(struct spec *s, const char *f, struct args *a)
{
	*s = (struct spec){.precision = -1};
	f = parse_flags(s, f);
	if (*f == '*') {
		s->width = va_arg(a->ap, int);
		if (s->width < 0) {
			s->flags |= F_LEFT;
			s->width = -s->width;
		}
		f++;
	} else {
		f = parse_int(&s->width, f);
	}
	if (*f == '.') {
		if (*++f == '*') {
			s->precision = va_arg(a->ap, int);
			f++;
		} else {
			f = parse_int(&s->precision, f);
		}
	}
	return parse_size(s, f);
}

static void put_signed(struct run *r, struct spec *s, struct args *a)
{
	s64 v = s->size == 8 ? va_arg(a->ap, s64) : va_arg(a->ap, int);

	if (s->size == 1)
		v = (s8)v;
	else if (s->size == 2)
		v = (s16)v;
	if (v < 0)
		s->flags |= F_NEG;
	put_number(r, s, v < 0 ? -(u64)v : (u64)v, 10);
}

static void put_unsigned(struct run *r, struct spec *s, struct args *a, unsigned base)
{
	u64 v = s->size == 8 ? va_arg(a->ap, u64) : va_arg(a->ap, unsigned);

	if (s->size == 1)
		v = (u8)v;
	else if (s->size == 2)
		v = (u16)v;
	s->flags &= ~(F_PLUS | F_SPACE);
	put_number(r, s, v, base);
}

static void put_pointer(struct run *r, struct spec *s, struct args *a)
{
	s->flags |= F_ALT;
	s->precision = 16;
	put_number(r, s, (uintptr_t)va_arg(a->ap, void *), 16);
}

/* One conversion; f is at its letter. Returns what follows, NULL if it is not one of ours. */
static const char *convert(struct run *r, struct spec *s, const char *f, struct args *a)
{
	char c;

	switch (*f) {
	case 'd':
	case 'i':
		put_signed(r, s, a);
		break;
	case 'u':
		put_unsigned(r, s, a, 10);
		break;
	case 'o':
		put_unsigned(r, s, a, 8);
		break;
	case 'X':
		s->flags |= F_UPPER; /* fallthrough */
	case 'x':
		put_unsigned(r, s, a, 16);
		break;
	case 'p':
		put_pointer(r, s, a);
		break;
	case 's':
		put_string(r, s, va_arg(a->ap, const char *));
		break;
	case 'c':
		c = va_arg(a->ap, int);
		put_text(r, s, &c, 1);
		break;
	case '%':
		put(r, '%');
		break;
	default:
		return NULL;
	}
	return f + 1;
}

size_t format(struct format_out *out, const char *fmt, va_list ap)
{
	struct run r = {.out = out};
	const char *next;
	struct args a;
	struct spec s;

	va_copy(a.ap, ap);
	while (*fmt) {
		next = NULL;
		if (*fmt == '%')
			next = convert(&r, &s, parse_spec(&s, fmt + 1, &a), &a);
		if (next) {
			fmt = next;
		} else {
			put(&r, *fmt++);
		}
	}
	va_end(a.ap);
	return r.n;
}

struct buffer {
	struct format_out out;
	char *p;
	size_t left; /* with the place of the NUL */
};

static void buffer_put(struct format_out *out, char c)
{
	struct buffer *b = container_of(out, struct buffer, out);

	if (b->left > 1) {
		*b->p++ = c;
		b->left--;
	}
}

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct buffer b = {.out.put = buffer_put, .p = buf, .left = size};
	size_t n = format(&b.out, fmt, ap);

	if (size)
		*b.p = 0;
	return (int)n;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = kvsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
