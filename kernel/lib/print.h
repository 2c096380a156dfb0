/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_LIB_PRINT_H
#define GNOMON_LIB_PRINT_H

/*
 * Kernel messages.  kprintf works from the first instruction of C, in any context (interrupt, locks held,
 * panic): it formats into a ring buffer (read by dmesg, /dev/kmsg) and hands text to the
 * registered consoles (SBI first, then the UART, see print_console_set).  Lines get a "[secs.usecs] " stamp in the ring.
 * printf formats: d i u x X p s c % with l ll z h, width, precision, 0 - + # flags, * width.
 */

#include <stdarg.h>

#include "kernel/lib/types.h"

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int ksnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
void kvprintf(const char *fmt, va_list ap);
void kprintf(const char *fmt, ...) __printf(1, 2);

/* How text reaches a person: writes n bytes now, by polling, callable anywhere. */
typedef void (*print_console_fn)(const char *s, size_t n);
void print_console_set(print_console_fn fn);
/* Only the ring gets messages below the level when quiet ("quiet" on the command line). */
void print_set_quiet(bool quiet);
/* Copies at most n bytes of the ring starting at position *pos (bytes since boot; moved on, skipping what was
 * overwritten); returns how many. Any context. */
size_t print_ring_read(u64 *pos, char *buf, size_t n);
u64 print_ring_end(void);

__noreturn void panic(const char *fmt, ...) __printf(1, 2); /* kernel/boot/panic.c */

#define ASSERT(c)                                                                              \
	do {                                                                                   \
		if (unlikely(!(c)))                                                            \
			panic("%s:%d: %s: assertion failed: %s", __FILE__, __LINE__, __func__, \
			      #c);                                                             \
	} while (0)
/* with a message naming the object */
#define ASSERTF(c, fmt, ...)                                                           \
	do {                                                                           \
		if (unlikely(!(c)))                                                    \
			panic("%s:%d: %s: %s: " fmt, __FILE__, __LINE__, __func__, #c, \
			      ##__VA_ARGS__);                                          \
	} while (0)
/* costly ones: debug builds only */
#define DASSERT(c)                 \
	do {                       \
		if (DEBUG)         \
			ASSERT(c); \
	} while (0)
#define BUILD_ASSERT(c) _Static_assert(c, #c)

#endif
