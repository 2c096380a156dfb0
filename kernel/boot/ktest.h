/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_BOOT_KTEST_H
#define GNOMON_BOOT_KTEST_H

/*
 * Self-tests inside the kernel: KTEST(name) { ... } anywhere; run in a kernel thread when `ktest` is on the command line,
 * in an order shuffled by a seed that is printed (ktest.seed=N repeats it, ktest.only=name runs those whose name begins so).
 * Results are TAP.
 */

#include "kernel/lib/print.h"
#include "kernel/lib/types.h"

struct ktest {
	const char *name;
	void (*fn)(void);
};

#define KTEST(n)                                                                                 \
	static void ktest_##n(void);                                                             \
	static const struct ktest ktest_entry_##n __used __section(".ktests") = {#n, ktest_##n}; \
	static void ktest_##n(void)

/* Notes a failure of the running test, from any thread of it; prints where. */
void ktest_fail(const char *file, int line, const char *what);
/* Random numbers of this run: repeat with its seed (as far as scheduling allows). Any context. */
u64 ktest_random(void);
/* Runs n threads of fn(0..n-1), on different harts as far as there are, and waits for all. */
void ktest_parallel(unsigned n, void (*fn)(unsigned k));

/* The test goes on after a failure unless it returns: */
#define KT_CHECK(c)                                         \
	({                                                  \
		bool ok_ = (c);                             \
		if (!ok_)                                   \
			ktest_fail(__FILE__, __LINE__, #c); \
		ok_;                                        \
	})
#define KT_ASSERT(c)              \
	do {                      \
		if (!KT_CHECK(c)) \
			return;   \
	} while (0)

#endif
