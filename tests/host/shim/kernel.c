// SPDX-License-Identifier: BSD-2-Clause
/* The machine that host tests run on: see host.h. Single-threaded. */

#include <sys/mman.h>

#include "host.h"
#include "kernel/riscv/hart.h"
#include "kernel/riscv/mmu.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"

#define WEAK __attribute__((weak))

jmp_buf host_panic_jmp;
bool host_panic_expected;
char host_panic_text[1024];
bool host_irqs_on = true;
u64 host_direct_base;
WEAK u64 direct_pa_base;
static u64 ram_size;

static struct thread threads[MAX_HARTS];
static struct hart hart_structs[MAX_HARTS];
struct thread *host_current = &threads[0];
struct hart *harts[MAX_HARTS] WEAK;
u32 nharts WEAK;

WEAK void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(host_panic_text, sizeof(host_panic_text), fmt, ap);
	va_end(ap);
	if (host_panic_expected)
		longjmp(host_panic_jmp, 1);
	fprintf(stderr, "panic: %s\n", host_panic_text);
	abort();
}

WEAK void kvprintf(const char *fmt, va_list ap)
{
	vprintf(fmt, ap);
}

WEAK void kprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kvprintf(fmt, ap);
	va_end(ap);
}

WEAK int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

u64 host_rand(void)
{
	static u64 state;

	if (!state) {
		const char *seed = getenv("SEED");

		state = seed ? strtoull(seed, NULL, 0) : 1;
		printf("# SEED=%llu\n", (unsigned long long)state);
		state = state * 0x9e3779b97f4a7c15UL | 1;
	}
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dUL >> 11;
}

void host_harts(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		memset(&threads[i], 0, sizeof(threads[i]));
		memset(&hart_structs[i], 0, sizeof(hart_structs[i]));
		hart_structs[i].index = hart_structs[i].id = i;
		hart_structs[i].online = true;
		threads[i].hart = harts[i] = &hart_structs[i];
	}
	nharts = n;
	host_irqs_on = true;
	host_run_on(0);
}

void host_run_on(unsigned hart)
{
	host_current = &threads[hart];
}

WEAK struct hart *this_hart(void)
{
	return host_current->hart;
}

WEAK u64 harts_online(void)
{
	return nharts == 64 ? ~0UL : (1UL << nharts) - 1;
}

/* Locks: nobody else runs, so a lock that is held would never come free. */
static unsigned locks_held;

unsigned host_locks_held(void)
{
	return locks_held;
}

void host_locks_reset(void)
{
	locks_held = 0;
	host_irqs_on = true;
	host_current->preempt_count = 0;
}

WEAK bool spin_trylock(struct spinlock *l)
{
	if (l->word)
		return false;
	l->word = 1;
	locks_held++;
	host_current->preempt_count++;
	return true;
}

WEAK void spin_lock(struct spinlock *l)
{
	if (!spin_trylock(l))
		panic("deadlock: lock taken twice");
}

WEAK void spin_lock_same(struct spinlock *l)
{
	spin_lock(l);
}

WEAK void spin_unlock(struct spinlock *l)
{
	if (!l->word)
		panic("unlock of a free lock");
	l->word = 0;
	locks_held--;
	host_current->preempt_count--;
}

WEAK u64 spin_lock_irq(struct spinlock *l)
{
	u64 irq = irq_save();

	spin_lock(l);
	return irq;
}

WEAK void spin_unlock_irq(struct spinlock *l, u64 flags)
{
	spin_unlock(l);
	irq_restore(flags);
}

WEAK bool spin_held(const struct spinlock *l)
{
	return l->word;
}

WEAK void preempt_enable(void)
{
	host_current->preempt_count--;
}

WEAK void might_sleep(void)
{
	if (locks_held || !host_irqs_on || host_current->preempt_count)
		panic("sleep in a context that may not");
}

WEAK u64 time_now(void)
{
	static u64 now;

	return now += 1000;
}

/* RAM */

void host_ram(paddr_t base, paddr_t end)
{
	void *p;

	host_ram_free();
	ram_size = end - base;
	p = mmap(NULL, ram_size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		panic("no host memory");
	host_direct_base = (u64)p;
	direct_pa_base = base;
}

void host_ram_free(void)
{
	if (ram_size)
		munmap((void *)host_direct_base, ram_size);
	ram_size = 0;
}

WEAK paddr_t va_to_pa(const void *va)
{
	return (u64)va - host_direct_base + direct_pa_base;
}
