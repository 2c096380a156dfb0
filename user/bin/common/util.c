// SPDX-License-Identifier: BSD-2-Clause
/* util.c - messages, memory, strings and small parsers for the shell and the tools. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/bin/common/util.h"

const char *prog = "?";

static void message(const char *fmt, va_list ap, int error)
{
	struct buf b = {0};
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		return;
	if (error)
		buf_fmt(&b, "%s: %s: %s\n", prog, text, strerror(error));
	else
		buf_fmt(&b, "%s: %s\n", prog, text);
	free(text);
	fflush(stdout);
	write_full(2, b.data, b.len);
	buf_free(&b);
}

void warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap, 0);
	va_end(ap);
}

void warn_errno(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap, error);
	va_end(ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap, 0);
	va_end(ap);
	exit(1);
}

void die_errno(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap, error);
	va_end(ap);
	exit(1);
}

static void __attribute__((noreturn)) no_memory(void)
{
	static const char text[] = ": out of memory\n";

	write_full(2, prog, strlen(prog));
	write_full(2, text, sizeof(text) - 1);
	_exit(125);
}

static void *check_memory(void *p)
{
	if (!p)
		no_memory();
	return p;
}

void *xmalloc(size_t size)
{
	return check_memory(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return check_memory(calloc(count ? count : 1, size));
}

void *xrealloc(void *p, size_t size)
{
	return check_memory(realloc(p, size));
}

char *xstrdup(const char *s)
{
	return check_memory(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return check_memory(strndup(s, n));
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		no_memory();
	va_end(ap);
	return s;
}

char *path_join(const char *dir, const char *name)
{
	size_t n = strlen(dir);

	return xasprintf("%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
}

static void buf_reserve(struct buf *b, size_t n)
{
	size_t need = b->len + n + 1;

	if (need <= b->cap)
		return;
	b->cap = need < b->cap * 2 ? b->cap * 2 : need + 32;
	b->data = xrealloc(b->data, b->cap);
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	buf_reserve(b, n);
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = 0;
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		no_memory();
	va_end(ap);
	buf_str(b, s);
	free(s);
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

void list_add(struct list *l, char *item)
{
	if (l->len + 2 > l->cap) {
		l->cap = l->cap * 2 + 8;
		l->items = xrealloc(l->items, l->cap * sizeof(char *));
	}
	l->items[l->len++] = item;
	l->items[l->len] = NULL;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void list_sort(struct list *l)
{
	qsort(l->items, l->len, sizeof(char *), compare_strings);
}

void list_free(struct list *l)
{
	for (size_t i = 0; i < l->len; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct list){0};
}

bool read_all(int fd, struct buf *b)
{
	for (;;) {
		ssize_t n;

		buf_reserve(b, 4096);
		n = read(fd, b->data + b->len, b->cap - b->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			b->len += (size_t)n;
		b->data[b->len] = 0;
		if (n <= 0)
			return n == 0;
	}
}

bool read_file(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read_all(fd, b);
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return ok;
}

int write_full(int fd, const void *p, size_t n)
{
	const char *bytes = p;

	while (n > 0) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

bool parse_size(const char *s, uint64_t *value)
{
	static const struct {
		const char *suffix;
		uint64_t unit;
	} units[] = {
		{"", 1},	{"b", 512},	{"k", 1 << 10}, {"K", 1 << 10},
		{"M", 1 << 20}, {"m", 1 << 20}, {"G", 1 << 30}, {"g", 1 << 30},
	};
	char *end;

	errno = 0;
	*value = strtoull(s, &end, 0);
	if (end == s || errno || *s == '-')
		return false;
	for (size_t i = 0; i < COUNT(units); i++) {
		if (strcmp(end, units[i].suffix) == 0)
			return !__builtin_mul_overflow(*value, units[i].unit, value);
	}
	return false;
}

bool parse_int(const char *s, long *value)
{
	char *end;

	errno = 0;
	*value = strtol(s, &end, 10);
	while (isspace((unsigned char)*end))
		end++;
	return end != s && !*end && !errno;
}

static const char *const signal_names[] = {
	"EXIT", "HUP",	"INT",	"QUIT", "ILL",	  "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
	"SEGV", "USR2", "PIPE", "ALRM", "TERM",	  "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
	"TTOU", "URG",	"XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS",
};

int signal_number(const char *name)
{
	long n;

	if (parse_int(name, &n))
		return n >= 0 && n < NSIG ? (int)n : -1;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (size_t i = 0; i < COUNT(signal_names); i++) {
		if (strcasecmp(name, signal_names[i]) == 0)
			return (int)i;
	}
	return -1;
}

const char *signal_name(int sig)
{
	return sig >= 0 && (size_t)sig < COUNT(signal_names) ? signal_names[sig] : "?";
}

/* The letters of "ugoa" as a mask of mode bits. */
static mode_t mode_who(const char **s)
{
	mode_t who = 0;

	for (;; (*s)++) {
		if (**s == 'u')
			who |= S_ISUID | 0700;
		else if (**s == 'g')
			who |= S_ISGID | 0070;
		else if (**s == 'o')
			who |= 0007;
		else if (**s == 'a')
			who |= 07777;
		else
			return who ? who : 07777;
	}
}

static mode_t mode_bits(const char **s, mode_t mode)
{
	mode_t bits = 0;

	for (;; (*s)++) {
		if (**s == 'r')
			bits |= 0444;
		else if (**s == 'w')
			bits |= 0222;
		else if (**s == 'x')
			bits |= 0111;
		else if (**s == 'X')
			bits |= (mode & S_IFMT) == S_IFDIR || mode & 0111 ? 0111 : 0;
		else if (**s == 's')
			bits |= S_ISUID | S_ISGID;
		else if (**s == 't')
			bits |= S_ISVTX;
		else
			return bits;
	}
}

bool parse_mode(const char *s, mode_t *mode)
{
	char *end;
	unsigned long octal = strtoul(s, &end, 8);

	if (end != s && !*end && octal <= 07777) {
		*mode = (*mode & S_IFMT) | octal;
		return true;
	}
	for (;; s++) {
		mode_t who = mode_who(&s), bits;
		char op = *s;

		if (op != '+' && op != '-' && op != '=')
			return false;
		s++;
		bits = mode_bits(&s, *mode);
		if (bits & S_ISVTX)
			who |= S_ISVTX;
		if (op == '=')
			*mode &= ~(who & 07777);
		*mode = op == '-' ? *mode & ~(who & bits) : *mode | (who & bits);
		if (*s != ',')
			return !*s;
	}
}
