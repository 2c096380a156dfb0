// SPDX-License-Identifier: BSD-2-Clause
/*
 * Threads: making them, their first and last steps, the reaper.
 *
 * A thread's memory is its struct (slab) and its kernel stack (KVM, guard pages around), both given up when another thread runs on
 * the dead one's hart: by whoever makes the next thread, or by the reaper, a kernel thread that an idle hart wakes, or a number of
 * dead ones.  Each hart keeps a few stacks for the next threads, as
 * mapping a new one costs more than all the rest.
 *
 * Locks: threads_lock guards the list of all threads.  hart->dead and hart->stacks are their hart's, interrupts off.
 */
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/csr.h"
#include "kernel/riscv/mmu.h"
#include "kernel/sched/sched_internal.h"
#include "kernel/sched/time.h"

#define KSTACK_PAGES (KSTACK_SIZE / PAGE_SIZE)

extern char boot_stack[], boot_stack_top[];

/* The boot flow: becomes hart 0's idle thread. */
struct thread boot_thread = {
	.kstack_top = (u64)boot_stack_top - sizeof(struct trapframe),
	.kstack = boot_stack,
	.preempt_count = 0,
	.name = "idle/0",
	.state = THREAD_RUNNABLE,
	.on_cpu = 1,
	.affinity = 1,
	.nice = 19,
	.all_link = LIST_INIT(boot_thread.all_link),
};

static struct spinlock threads_lock = SPINLOCK_INIT(LOCK_THREAD, "threads");
static struct list threads = LIST_INIT(threads);
static struct kmem_cache *thread_cache;
static s32 last_kthread;

/* ---- stacks ---- */

static void *stack_alloc(void)
{
	u64 flags = irq_save();
	struct hart *h = this_hart();
	void *s = h->nstacks ? h->stacks[--h->nstacks] : NULL;

	irq_restore(flags);
	return s ? s : kvm_alloc_pages(KSTACK_PAGES, true);
}

static void stack_free(void *s)
{
	u64 flags = irq_save();
	struct hart *h = this_hart();
	bool kept = h->nstacks < ARRAY_LEN(h->stacks);

	if (kept)
		h->stacks[h->nstacks++] = s;
	irq_restore(flags);
	if (!kept)
		kvm_free_pages(s, KSTACK_PAGES);
}

/* ---- making ---- */

struct trapframe *thread_trapframe(struct thread *t)
{
	return (struct trapframe *)t->kstack_top;
}

static struct thread *dead_threads; /* (a) pushed by any hart, taken whole */
static u32 ndead;		    /* (a) about how many */

static void reap_dead(void);

static struct thread *thread_alloc(const char *name)
{
	struct thread *t;

	if (READ_ONCE(dead_threads))
		reap_dead(); /* its memory is what is wanted now */
	t = kmem_cache_alloc(thread_cache, 0);
	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->kstack = stack_alloc();
	if (!t->kstack) {
		kmem_cache_free(thread_cache, t);
		return NULL;
	}
	t->kstack_top = (u64)t->kstack + KSTACK_SIZE - sizeof(struct trapframe);
	memset(thread_trapframe(t), 0, sizeof(struct trapframe));
	t->ctx.ra = (u64)thread_trampoline;
	t->ctx.sp = t->kstack_top;
	t->state = THREAD_NEW;
	t->affinity = ~0UL;
	t->slice_left = TICK_NS;
	t->hart = READ_ONCE(current()->hart);
	t->tid = __atomic_sub_fetch(&last_kthread, 1, __ATOMIC_RELAXED);
	strlcpy(t->name, name, sizeof(t->name));
	return t;
}

struct thread *thread_create(const char *name, void (*fn)(void *), void *arg)
{
	struct thread *t = thread_alloc(name);

	if (!t)
		return NULL;
	t->entry = fn;
	t->arg = arg;
	u64 flags = spin_lock_irq(&threads_lock);

	list_add_tail(&threads, &t->all_link);
	spin_unlock_irq(&threads_lock, flags);
	return t;
}

struct thread *thread_create_idle(struct hart *h)
{
	char name[16];
	struct thread *t;

	ksnprintf(name, sizeof(name), "idle/%u", h->index);
	t = thread_alloc(name);
	if (!t)
		return NULL;
	t->hart = h;
	t->state = THREAD_RUNNABLE;
	t->on_cpu = 1;
	t->affinity = 1UL << h->index;
	t->nice = 19;
	return t;
}

static void thread_release(struct thread *t)
{
	u64 flags = spin_lock_irq(&threads_lock);

	list_del(&t->all_link);
	spin_unlock_irq(&threads_lock, flags);
	kfree(t->fpu);
	stack_free(t->kstack);
	kmem_cache_free(thread_cache, t);
}

void thread_destroy(struct thread *t)
{
	ASSERTF(t->state == THREAD_NEW && !t->on_runq, "thread %s has run", t->name);
	thread_release(t);
}

struct thread *kthread_run(const char *name, void (*fn)(void *), void *arg)
{
	struct thread *t = thread_create(name, fn, arg);

	if (t)
		sched_wake(t);
	return t;
}

void threads_for_each(void (*fn)(struct thread *t, void *arg), void *arg)
{
	struct thread *t;
	u64 flags = spin_lock_irq(&threads_lock);

	list_for_each(t, &threads, all_link)
		fn(t, arg);
	spin_unlock_irq(&threads_lock, flags);
}

/* ---- first and last steps ---- */

void thread_first(struct thread *prev)
{
	struct thread *t = current();

	sched_finish_switch(prev);
	irq_enable();
	t->entry(t->arg);
	thread_exit();
}

__noreturn void thread_exit(void)
{
	struct thread *t = current();

	might_sleep();
#if DEBUG
	ASSERTF(t->nheld == 0, "thread %s exits with locks held", t->name);
#endif
	irq_disable();
	t->state = THREAD_DEAD;
	schedule();
	panic("thread %s runs after its death", t->name);
}

/* ---- the reaper ---- */

#define DEAD_MAX 8 /* so many wait no longer for an idle hart or a new thread */

static struct waitq reaper_wait = WAITQ_INIT(reaper_wait);

void thread_reap_later(struct thread *t)
{
	struct thread *first = __atomic_load_n(&dead_threads, __ATOMIC_RELAXED);
	u32 n;

	do
		t->reap_next = first;
	while (!__atomic_compare_exchange_n(&dead_threads, &first, t, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED));
	n = __atomic_add_fetch(&ndead, 1, __ATOMIC_RELAXED);
	if (n >= DEAD_MAX)
		waitq_wake_one(&reaper_wait);
}

void thread_reap_idle(void)
{
	if (READ_ONCE(dead_threads))
		waitq_wake_one(&reaper_wait);
}

static void reap_dead(void)
{
	struct thread *t = __atomic_exchange_n(&dead_threads, NULL, __ATOMIC_ACQUIRE), *next;
	u32 n = 0;

	for (; t; t = next, n++) {
		next = t->reap_next;
		sched_thread_free_hook(t);
		thread_release(t);
	}
	__atomic_sub_fetch(&ndead, n, __ATOMIC_RELAXED);
}

static void reaper(void *arg)
{
	(void)arg;
	for (;;) {
		wait_event(&reaper_wait, __atomic_load_n(&dead_threads, __ATOMIC_ACQUIRE));
		reap_dead();
	}
}

void thread_init(void)
{
	thread_cache = kmem_cache_create("thread", sizeof(struct thread), KM_LINE);
	ASSERTF(thread_cache, "no memory for threads");
}

void thread_reaper_start(void)
{
	struct thread *t = kthread_run("reaper", reaper, NULL);

	ASSERTF(t, "no memory for the reaper");
}
