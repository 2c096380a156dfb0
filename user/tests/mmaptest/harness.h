/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MMAPTEST_HARNESS_H
#define MMAPTEST_HARNESS_H

/*
 * Each TEST runs in a process and an empty working directory of its own. It passes by
 * returning; a failed check reports itself and ends the process, also in a process the test
 * forked, whose parent sees it by join().
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define RW   (PROT_READ | PROT_WRITE)

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *t);

#define TEST(id)                                                     \
	static void test_##id(void);                                 \
	static void __attribute__((constructor)) register_##id(void) \
	{                                                            \
		static struct test entry = {#id, test_##id, NULL};   \
                                                                     \
		test_register(&entry);                               \
	}                                                            \
	static void test_##id(void)

void fail(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void skip(const char *why) __attribute__((noreturn));
void check_equal(const char *file, int line, const char *what, long got, long want);
void check_error(const char *file, int line, const char *what, long got, int want);

#define CHECK(cond)                                            \
	do {                                                   \
		if (!(cond))                                   \
			fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)
#define CHECK_EQ(got, want) check_equal(__FILE__, __LINE__, #got, (long)(got), (long)(want))
/* The call gives -1 (or MAP_FAILED) and this errno. */
#define CHECK_ERR(call, error) check_error(__FILE__, __LINE__, #call, (long)(call), error)

/* ---- faults ---- */

struct caught {
	int sig; /* 0: the access worked */
	int code;
	volatile void *addr;
};

struct caught probe_read(volatile void *p);
struct caught probe_write(volatile void *p, char value);
void check_caught(const char *file, int line, struct caught got, int sig, int code,
		  volatile void *addr);

#define CHECK_READ_FAULT(p, sig, code) check_caught(__FILE__, __LINE__, probe_read(p), sig, code, p)
#define CHECK_WRITE_FAULT(p, sig, code) \
	check_caught(__FILE__, __LINE__, probe_write(p, 1), sig, code, p)
#define CHECK_UNMAPPED(p) CHECK_READ_FAULT(p, SIGSEGV, SEGV_MAPERR)

/* SA_SIGINFO | flags; the mask is empty. */
void catch_signal(int sig, void (*handler)(int, siginfo_t *, void *), unsigned long flags);
/* A new alternate signal stack for the caller. */
void use_altstack(void);

/* ---- memory and files ---- */

/* These check that they worked. */
char *map_anon(size_t pages, int prot, int flags);
char *map_file(int fd, size_t pages, int prot, int flags, off_t offset);
/* A file of this size whose byte at offset o is pattern(o), opened for reading and writing at 0. */
int make_file(const char *name, size_t size);
char pattern(size_t offset);
bool all_bytes(const volatile char *p, char value, size_t len);
void check_pattern(const volatile char *p, size_t offset, size_t len);
char byte_of_file(int fd, off_t offset);
void put_byte(int fd, off_t offset, char value);
long size_of_file(int fd);
bool on_tmpfs(void);

/* ---- processes ---- */

/* fork(), checked. */
pid_t spawn(void);
/* The child must have called _exit(0). */
void join(pid_t pid);
/* A child runs fn(arg) and must succeed. */
void in_child(void (*fn)(void *), void *arg);

/* Two parties taking turns over pipes: each hand_over() lets the other's await_turn() go on. */
struct turns {
	int pipes[2][2];
};
void turns_init(struct turns *t);
void hand_over(struct turns *t, int side);
void await_turn(struct turns *t, int side);

/* A small generator of random numbers (xorshift). */
uint32_t random_next(uint32_t *state);

extern bool system_shared;   /* others run beside it (-s) */
extern const char *own_path; /* of this program */

#endif
