// SPDX-License-Identifier: BSD-2-Clause
/*
 * arith.c - $((...)): C's integer expressions on longs, with assignment, by precedence
 * climbing. What is not evaluated (the other side of && || ?:) is parsed with no effect.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "user/bin/sh/sh.h"

struct arith {
	const char *s;	  /* what is left */
	const char *text; /* all of it, for messages */
	int skip;	  /* not evaluated when > 0 */
};

static long assignment(struct arith *a);

static void __attribute__((noreturn)) bad(struct arith *a, const char *what)
{
	fail(2, "arithmetic: %s: \"%s\"", what, a->text);
}

static void skip_space(struct arith *a)
{
	while (isspace((unsigned char)*a->s))
		a->s++;
}

static long parse_number(struct arith *a, const char *s)
{
	char *end;
	long n;

	errno = 0;
	n = (long)strtoul(s, &end, 0);
	if (isalnum((unsigned char)*end) || *end == '_')
		bad(a, "bad number");
	a->s = end;
	return n;
}

/* A variable holds a number, or is 0 when empty or not set. */
static long variable(struct arith *a, const char *name)
{
	const char *value = a->skip ? NULL : var_get(name);
	long n;

	if (!value) {
		if (!a->skip && sh.no_unset)
			fail(2, "%s: parameter not set", name);
		return 0;
	}
	if (!*value)
		return 0;
	if (parse_int(value, &n) && *value != '0')
		return n;
	return arith_eval(value);
}

static long primary(struct arith *a)
{
	long n;

	skip_space(a);
	if (*a->s == '(') {
		a->s++;
		n = assignment(a);
		skip_space(a);
		if (*a->s++ != ')')
			bad(a, "missing )");
		return n;
	}
	if (isdigit((unsigned char)*a->s))
		return parse_number(a, a->s);
	if (name_length(a->s)) {
		char *name = xstrndup(a->s, name_length(a->s));

		a->s += strlen(name);
		n = variable(a, name);
		free(name);
		return n;
	}
	bad(a, "syntax error");
}

static long unary(struct arith *a)
{
	char c;

	skip_space(a);
	c = *a->s;
	if (!c || !strchr("+-!~", c))
		return primary(a);
	a->s++;
	switch (c) {
	case '-':
		return (long)(0UL - (unsigned long)unary(a));
	case '!':
		return !unary(a);
	case '~':
		return ~unary(a);
	default:
		return unary(a);
	}
}

enum op { MUL, DIV, MOD, ADD, SUB, SHL, SHR, LE, GE, LT, GT, EQ, NE, AND, XOR, OR, LAND, LOR };

/* Longer ones before their prefixes. */
static const struct {
	const char *text;
	enum op op;
	int level;
} operators[] = {
	{"<<", SHL, 8}, {">>", SHR, 8},	 {"<=", LE, 7},	 {">=", GE, 7},	 {"==", EQ, 6},
	{"!=", NE, 6},	{"&&", LAND, 2}, {"||", LOR, 1}, {"*", MUL, 10}, {"/", DIV, 10},
	{"%", MOD, 10}, {"+", ADD, 9},	 {"-", SUB, 9},	 {"<", LT, 7},	 {">", GT, 7},
	{"&", AND, 5},	{"^", XOR, 4},	 {"|", OR, 3},
};

/* The binary operator that is next, or -1; an assignment like += is none. */
static int next_operator(struct arith *a)
{
	skip_space(a);
	for (size_t i = 0; i < COUNT(operators); i++) {
		size_t n = strlen(operators[i].text);

		if (strncmp(a->s, operators[i].text, n) != 0)
			continue;
		if (a->s[n] == '=' && !strchr("=!", a->s[0]) && operators[i].level > 2 &&
		    operators[i].level != 7 && operators[i].level != 6)
			return -1;
		return (int)i;
	}
	return -1;
}

static long divide(struct arith *a, enum op op, long x, long y)
{
	if (a->skip)
		return 0;
	if (y == 0)
		bad(a, "division by zero");
	if (x == LONG_MIN && y == -1)
		return op == DIV ? LONG_MIN : 0;
	return op == DIV ? x / y : x % y;
}

static long apply(struct arith *a, enum op op, long x, long y)
{
	unsigned long ux = (unsigned long)x, uy = (unsigned long)y;

	switch (op) {
	case MUL:
		return (long)(ux * uy);
	case DIV:
	case MOD:
		return divide(a, op, x, y);
	case ADD:
		return (long)(ux + uy);
	case SUB:
		return (long)(ux - uy);
	case SHL:
		return (long)(ux << (uy & 63));
	case SHR:
		return x >> (uy & 63);
	case LE:
		return x <= y;
	case GE:
		return x >= y;
	case LT:
		return x < y;
	case GT:
		return x > y;
	case EQ:
		return x == y;
	case NE:
		return x != y;
	case AND:
		return x & y;
	case XOR:
		return x ^ y;
	case OR:
		return x | y;
	case LAND:
		return x && y;
	default:
		return x || y;
	}
}

static long binary(struct arith *a, int level)
{
	long x = unary(a);
	int i;

	while ((i = next_operator(a)) >= 0 && operators[i].level >= level) {
		enum op op = operators[i].op;
		bool skip = (op == LAND && !x) || (op == LOR && x);
		long y;

		a->s += strlen(operators[i].text);
		a->skip += skip;
		y = binary(a, operators[i].level + 1);
		a->skip -= skip;
		x = apply(a, op, x, y);
	}
	return x;
}

static long conditional(struct arith *a)
{
	long x = binary(a, 1), yes, no;

	skip_space(a);
	if (*a->s != '?')
		return x;
	a->s++;
	a->skip += !x;
	yes = assignment(a);
	a->skip -= !x;
	skip_space(a);
	if (*a->s++ != ':')
		bad(a, "missing :");
	a->skip += !!x;
	no = conditional(a);
	a->skip -= !!x;
	return x ? yes : no;
}

/* The length of an assignment operator at s, with its binary operator (or -1 for =). */
static size_t assign_operator(const char *s, int *op)
{
	*op = -1;
	if (s[0] == '=' && s[1] != '=')
		return 1;
	for (size_t i = 0; i < COUNT(operators); i++) {
		size_t n = strlen(operators[i].text);

		if (operators[i].level < 3 || operators[i].level == 6 || operators[i].level == 7)
			continue;
		if (strncmp(s, operators[i].text, n) == 0 && s[n] == '=') {
			*op = operators[i].op;
			return n + 1;
		}
	}
	return 0;
}

static long assign(struct arith *a, const char *name, int op)
{
	long value = assignment(a);
	char text[24];
	char *p = text + sizeof(text);
	unsigned long digits;

	if (op >= 0)
		value = apply(a, (enum op)op, variable(a, name), value);
	digits = value < 0 ? 0UL - (unsigned long)value : (unsigned long)value;
	*--p = 0;
	do
		*--p = (char)('0' + digits % 10);
	while (digits /= 10);
	if (value < 0)
		*--p = '-';
	if (!a->skip)
		var_set(name, p);
	return value;
}

static long assignment(struct arith *a)
{
	const char *start;
	size_t n, m;
	int op;

	skip_space(a);
	start = a->s;
	n = name_length(start);
	if (n) {
		a->s += n;
		skip_space(a);
		m = assign_operator(a->s, &op);
		if (m) {
			char *name = xstrndup(start, n);
			long value;

			a->s += m;
			value = assign(a, name, op);
			free(name);
			return value;
		}
		a->s = start;
	}
	return conditional(a);
}

long arith_eval(const char *text)
{
	struct arith a = {.s = text, .text = text};
	long value;

	skip_space(&a);
	if (!*a.s)
		return 0;
	value = assignment(&a);
	skip_space(&a);
	if (*a.s)
		bad(&a, "syntax error");
	return value;
}
