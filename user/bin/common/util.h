/* SPDX-License-Identifier: BSD-2-Clause */
/* What the shell and the tools share. */
#ifndef USER_BIN_COMMON_UTIL_H
#define USER_BIN_COMMON_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The name messages start with; set once by main(). */
extern const char *prog;

/* "prog: message"; warn_errno() adds ": " and the text of errno. */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void warn_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void die_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* These exit when there is no memory. What they return is freed by free(). */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *path_join(const char *dir, const char *name);

/* A growing string; all zeroes is an empty one. data is 0-terminated once anything was added. */
struct buf {
	char *data;
	size_t len;
	size_t cap;
};
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_free(struct buf *b);

/* A growing array of strings, 0-terminated once anything was added. */
struct list {
	char **items;
	size_t len;
	size_t cap;
};
void list_add(struct list *l, char *item);
void list_sort(struct list *l);
/* Frees the strings too. */
void list_free(struct list *l);

/* All of a file (from its descriptor) appended; false with errno on a read error. */
bool read_all(int fd, struct buf *b);
bool read_file(const char *path, struct buf *b);
/* 0, or -1 with errno. */
int write_full(int fd, const void *p, size_t n);

/* Decimal, 0 octal or 0x hexadecimal, with an optional suffix k, M, G (1024) or b (512). */
bool parse_size(const char *s, uint64_t *value);
bool parse_int(const char *s, long *value);
/* A signal's number from "9", "KILL" or "SIGKILL"; -1 if there is none. */
int signal_number(const char *name);
const char *signal_name(int sig);
/* A chmod mode ("755", "u+x,go-w") applied to `mode`; false if it is malformed. */
bool parse_mode(const char *s, mode_t *mode);

/* Commands that are builtins of the shell and tools as well. */
int echo_main(int argc, char **argv);
int test_main(int argc, char **argv);
int printf_main(int argc, char **argv);

#endif
