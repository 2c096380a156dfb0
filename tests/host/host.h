/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_TESTS_HOST_H
#define GNOMON_TESTS_HOST_H

/*
 * What host tests stand on: a machine with harts that are only numbers (one runs at a time, the test says
 * which), memory at an address the host chose, locks that panic when taken twice, and a panic that a test can expect.
 * List tests/host/shim/kernel.c among the SOURCES.  Every function there is weak: a test may bring its own, or link the real source.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/lib/types.h"

/* The next panic of the statement jumps back here; fails the test if there is none, or if the message lacks `text`. */
#define expect_panic(stmt, text)                                                               \
	do {                                                                                   \
		host_panic_expected = true;                                                    \
		if (!setjmp(host_panic_jmp)) {                                                 \
			stmt;                                                                  \
			host_panic_expected = false;                                           \
			fail_msg("no panic: %s", #stmt);                                       \
		}                                                                              \
		host_panic_expected = false;                                                   \
		host_locks_reset();                                                            \
		if (!strstr(host_panic_text, text))                                            \
			fail_msg("panic says \"%s\", expected \"%s\"", host_panic_text, text); \
	} while (0)

extern jmp_buf host_panic_jmp;
extern bool host_panic_expected;
extern char host_panic_text[1024];

/* Random numbers: seeded by $SEED or 1; the seed is printed once, and repeats the run. */
u64 host_rand(void);
static inline u64 host_rand_below(u64 n)
{
	return host_rand() % n;
}

/* Harts 0..n-1 exist; hart 0's thread runs. */
void host_harts(unsigned n);
void host_run_on(unsigned hart);
unsigned host_locks_held(void);
void host_locks_reset(void);
/* Memory for [pa, pa + size) at its place in the direct map: all banks lie in [base, end) told first. */
void host_ram(paddr_t base, paddr_t end);
void host_ram_free(void);

#endif
