// SPDX-License-Identifier: BSD-2-Clause
/*
 * Kernel messages: formatting (format.c does the conversions), the message ring, and the console.
 *
 * The ring holds the last RING_SIZE bytes of text; positions count bytes since boot, so byte p lives at p % RING_SIZE while
 * ring.end - RING_SIZE <= p < ring.end.
 *
 * Lock: `ring.owner`, the innermost lock of the kernel (LOCK_CONSOLE), is a bare word and not a struct spinlock, because messages come
 * from before there is a current thread and from the lock checker itself.  It is held with interrupts off over the
 * formatting of one message, so lines of different harts do not mix.  A message from inside a message (a fault while
 * formatting) goes through without it, and so does one that cannot get it for very long (its holder was stopped by a panic).
 */

#include "kernel/lib/print.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/riscv/hart.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"

#define RING_SIZE  (64 * KiB)
#define SPIN_LIMIT (1u << 25)
#define NSEC_USEC  1000u
#define LEVEL_WARNING \
	4 /* "<n>" in front of a format; quiet keeps what is less urgent off the console */
#define LEVEL_DEFAULT 6

/* Field markings and the corresponding locks:
 * (r) ring.owner   (a) atomic
 */
static struct {
	uintptr_t owner;	  /* (a) thread that holds it | 1; 0: free */
	u64 end;		  /* (a) written under (r) */
	bool middle;		  /* (r) the last message did not end its line */
	bool quiet;		  /* (a) */
	print_console_fn console; /* (a) */
	char text[RING_SIZE];	  /* (r) readers check afterwards what was overwritten */
} ring;

/* One message on its way. */
struct message {
	struct format_out out;
	bool console;
	size_t n;
	char text[128];
};

/* False: go on without the lock, and do not release it. */
static bool ring_lock(void)
{
	uintptr_t me = (uintptr_t)current() | 1, seen;

	for (u32 spins = 0; spins < SPIN_LIMIT; spins++) {
		seen = 0;
		if (__atomic_compare_exchange_n(&ring.owner, &seen, me, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
		if (seen == me)
			return false;
		while (spins < SPIN_LIMIT && __atomic_load_n(&ring.owner, __ATOMIC_RELAXED))
			spins++;
	}
	return false;
}

static void ring_unlock(bool locked)
{
	if (locked)
		__atomic_store_n(&ring.owner, 0, __ATOMIC_RELEASE);
}

static void ring_put(const char *s, size_t n)
{
	u64 end = ring.end;

	while (n--)
		ring.text[end++ % RING_SIZE] = *s++;
	__atomic_store_n(&ring.end, end, __ATOMIC_RELEASE);
}

static void ring_stamp(void)
{
	char stamp[32];
	u64 usec = time_now() / NSEC_USEC;
	int n = ksnprintf(stamp, sizeof(stamp), "[%5lu.%06lu] ", (unsigned long)(usec / 1000000),
			  (unsigned long)(usec % 1000000));

	ring_put(stamp, n);
}

/* Text into the ring, each line with its stamp in front. */
static void ring_lines(const char *s, size_t n)
{
	while (n) {
		const char *nl = memchr(s, '\n', n);
		size_t part = nl ? (size_t)(nl - s) + 1 : n;

		if (!ring.middle)
			ring_stamp();
		ring_put(s, part);
		ring.middle = !nl;
		s += part;
		n -= part;
	}
}

static void message_flush(struct message *m)
{
	print_console_fn console = __atomic_load_n(&ring.console, __ATOMIC_RELAXED);

	ring_lines(m->text, m->n);
	if (console && m->console)
		console(m->text, m->n);
	m->n = 0;
}

static void message_put(struct format_out *out, char c)
{
	struct message *m = container_of(out, struct message, out);

	m->text[m->n++] = c;
	if (m->n == sizeof(m->text))
		message_flush(m);
}

static unsigned message_level(const char **fmt)
{
	const char *f = *fmt;

	if (f[0] != '<' || f[1] < '0' || f[1] > '7' || f[2] != '>')
		return LEVEL_DEFAULT;
	*fmt = f + 3;
	return f[1] - '0';
}

void kvprintf(const char *fmt, va_list ap)
{
	struct message m;
	unsigned level = message_level(&fmt);
	u64 irq = irq_save();
	bool locked = ring_lock();

	m.out.put = message_put;
	m.console = level <= LEVEL_WARNING || !READ_ONCE(ring.quiet);
	m.n = 0;
	format(&m.out, fmt, ap);
	if (m.n)
		message_flush(&m);
	ring_unlock(locked);
	irq_restore(irq);
}

void kprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kvprintf(fmt, ap);
	va_end(ap);
}

void print_console_set(print_console_fn fn)
{
	__atomic_store_n(&ring.console, fn, __ATOMIC_RELAXED);
}

void print_set_quiet(bool quiet)
{
	WRITE_ONCE(ring.quiet, quiet);
}

u64 print_ring_end(void)
{
	return __atomic_load_n(&ring.end, __ATOMIC_ACQUIRE);
}

size_t print_ring_read(u64 *pos, char *buf, size_t n)
{
	u64 irq = irq_save();
	bool locked = ring_lock();
	u64 end = print_ring_end();

	if (*pos > end)
		*pos = end;
	if (end - *pos > RING_SIZE)
		*pos = end - RING_SIZE;
	n = MIN(n, end - *pos);
	for (size_t i = 0; i < n; i++)
		buf[i] = ring.text[(*pos + i) % RING_SIZE];
	*pos += n;
	ring_unlock(locked);
	irq_restore(irq);
	return n;
}
