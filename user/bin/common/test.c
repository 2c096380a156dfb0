// SPDX-License-Identifier: BSD-2-Clause
/*
 * test.c - test and [.
 *
 *	or:   and [-o or]
 *	and:  not [-a and]
 *	not:  ! not | ( or ) | operand binary operand | -unary operand | operand
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/bin/common/util.h"

struct test {
	char **arg; /* the next one */
	char **end;
	bool bad;
};

static bool test_or(struct test *t);

static long number(struct test *t, const char *s)
{
	long n = 0;

	if (!t->bad && !parse_int(s, &n)) {
		warn("%s: integer expected", s);
		t->bad = true;
	}
	return n;
}

static bool file_test(char op, const char *path)
{
	struct stat st;

	if (op == 'h' || op == 'L')
		return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
	if (op == 'r' || op == 'w' || op == 'x')
		return access(path, op == 'r' ? R_OK : op == 'w' ? W_OK : X_OK) == 0;
	if (stat(path, &st) < 0)
		return false;
	switch (op) {
	case 'b':
		return S_ISBLK(st.st_mode);
	case 'c':
		return S_ISCHR(st.st_mode);
	case 'd':
		return S_ISDIR(st.st_mode);
	case 'f':
		return S_ISREG(st.st_mode);
	case 'p':
		return S_ISFIFO(st.st_mode);
	case 'S':
		return S_ISSOCK(st.st_mode);
	case 's':
		return st.st_size > 0;
	case 'u':
		return st.st_mode & S_ISUID;
	case 'g':
		return st.st_mode & S_ISGID;
	default:
		return true; /* e: it is there */
	}
}

static bool unary(struct test *t, char op, const char *s)
{
	switch (op) {
	case 'n':
		return *s;
	case 'z':
		return !*s;
	case 't':
		return isatty((int)number(t, s));
	default:
		return file_test(op, s);
	}
}

static int compare_times(const char *a, const char *b)
{
	struct stat x, y;
	bool has_a = stat(a, &x) == 0, has_b = stat(b, &y) == 0;

	if (!has_a || !has_b)
		return has_a - has_b;
	if (x.st_mtim.tv_sec != y.st_mtim.tv_sec)
		return x.st_mtim.tv_sec < y.st_mtim.tv_sec ? -1 : 1;
	return x.st_mtim.tv_nsec < y.st_mtim.tv_nsec ? -1 : x.st_mtim.tv_nsec > y.st_mtim.tv_nsec;
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static const char *const binaries[] = {"=",   "==",  "!=",  "<",   ">",	  "-eq", "-ne",
				       "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"};

static int find_binary(const char *s)
{
	for (size_t i = 0; i < COUNT(binaries); i++) {
		if (strcmp(s, binaries[i]) == 0)
			return (int)i;
	}
	return -1;
}

static bool binary(struct test *t, int op, const char *a, const char *b)
{
	long x, y;

	if (op < 5) {
		int c = strcmp(a, b);

		return op < 2 ? c == 0 : op == 2 ? c != 0 : op == 3 ? c < 0 : c > 0;
	}
	if (op == 13)
		return same_file(a, b);
	if (op > 10)
		return op == 11 ? compare_times(a, b) > 0 : compare_times(a, b) < 0;
	x = number(t, a);
	y = number(t, b);
	switch (op) {
	case 5:
		return x == y;
	case 6:
		return x != y;
	case 7:
		return x < y;
	case 8:
		return x <= y;
	case 9:
		return x > y;
	default:
		return x >= y;
	}
}

static bool is_unary(const char *s)
{
	return s[0] == '-' && s[1] && !s[2] && strchr("bcdefghLnprsStuwxz", s[1]);
}

static bool syntax_error(struct test *t)
{
	if (!t->bad)
		warn("syntax error");
	t->bad = true;
	return false;
}

static bool parentheses(struct test *t)
{
	bool result;

	t->arg++;
	result = test_or(t);
	if (t->arg == t->end || strcmp(*t->arg, ")") != 0)
		return syntax_error(t);
	t->arg++;
	return result;
}

static bool test_not(struct test *t)
{
	ptrdiff_t left = t->end - t->arg;
	char **a = t->arg;

	if (left <= 0)
		return syntax_error(t);
	if (left >= 3 && find_binary(a[1]) >= 0) {
		t->arg += 3;
		return binary(t, find_binary(a[1]), a[0], a[2]);
	}
	if (left >= 2 && strcmp(a[0], "!") == 0) {
		t->arg++;
		return !test_not(t);
	}
	if (left >= 3 && strcmp(a[0], "(") == 0)
		return parentheses(t);
	if (left >= 2 && is_unary(a[0])) {
		t->arg += 2;
		return unary(t, a[0][1], a[1]);
	}
	t->arg++;
	return *a[0];
}

static bool test_and(struct test *t)
{
	bool result = test_not(t);

	while (t->arg < t->end && strcmp(*t->arg, "-a") == 0) {
		t->arg++;
		result = test_not(t) && result;
	}
	return result;
}

static bool test_or(struct test *t)
{
	bool result = test_and(t);

	while (t->arg < t->end && strcmp(*t->arg, "-o") == 0) {
		t->arg++;
		result = test_and(t) || result;
	}
	return result;
}

int test_main(int argc, char **argv)
{
	struct test t = {.arg = argv + 1, .end = argv + argc};
	const char *name = strrchr(argv[0], '/');
	bool result;

	if (strcmp(name ? name + 1 : argv[0], "[") == 0) {
		if (strcmp(argv[argc - 1], "]") != 0) {
			warn("[: missing ]");
			return 2;
		}
		t.end--;
	}
	if (t.arg >= t.end)
		return 1;
	result = test_or(&t);
	if (t.arg != t.end)
		syntax_error(&t);
	return t.bad ? 2 : !result;
}
