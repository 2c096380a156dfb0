/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SYNC_SPINLOCK_H
#define GNOMON_SYNC_SPINLOCK_H

/*
 * Ticket-free, fair enough spinlocks.  Taking one disables preemption; the _irq forms also mask interrupts on this hart and are
 * needed for every lock that an interrupt handler takes.  Every lock has a rank (lockorder.def); debug
 * builds check order and ownership.  Nothing may sleep while holding one.
 */

#include "kernel/lib/print.h"
#include "kernel/lib/types.h"

enum lock_rank {
#define LOCK_RANK(name, kind, what, among) LOCK_##name,
#include "kernel/sync/lockorder.def"
#undef LOCK_RANK
	LOCK_RANKS,
};

/*
 * clang -Wthread-safety annotations (make check-locks); nothing under GCC.  NO_TS: the analysis cannot follow the body,
 * as it locks on a condition, or by another name of the lock; what it takes or gives may still be said for its callers.
 */
#if defined(__clang__) && defined(THREAD_SAFETY_CHECK)
#define TS(x) __attribute__((x))
#else
#define TS(x)
#endif
#define CAPABILITY	     TS(capability("lock"))
#define ACQUIRES(...)	     TS(acquire_capability(__VA_ARGS__))
#define RELEASES(...)	     TS(release_capability(__VA_ARGS__))
#define ACQUIRES_SHARED(...) TS(acquire_shared_capability(__VA_ARGS__))
#define RELEASES_SHARED(...) TS(release_shared_capability(__VA_ARGS__))
#define REQUIRES(...)	     TS(requires_capability(__VA_ARGS__))
#define TRY_ACQUIRES(...)    TS(try_acquire_capability(__VA_ARGS__))
#define NO_TS		     TS(no_thread_safety_analysis)

struct CAPABILITY spinlock {
	u32 word; /* 0 free, 1 held */
#if DEBUG
	u16 rank;
	const char *name;
	void *owner; /* the thread, or the hart for an interrupt */
	void *pc;    /* where it was taken */
#endif
};

#if DEBUG
#define SPINLOCK_INIT(r, n)                         \
	{                                           \
		.word = 0, .rank = (r), .name = (n) \
	}
#else
#define SPINLOCK_INIT(r, n) \
	{                   \
		.word = 0   \
	}
#endif

/*
 * What the fast paths need of struct thread (checked in sched/thread.c); this header lies below it.
 */
struct thread_head {
	u64 kstack_top, user_sp;
	u32 flags, preempt_count;
};
void preempt_resched(void);

static inline void spin_init(struct spinlock *l, enum lock_rank rank, const char *name)
{
	*l = (struct spinlock)SPINLOCK_INIT((u16)rank, name);
	(void)rank;
	(void)name;
}
bool spin_held(const struct spinlock *l); /* by this thread (release: by anybody) */
/*
 * spin_lock_irq returns the former interrupt state, for the matching restore.
 * spin_lock_same takes a second lock of the same rank, in the order that lockorder.def documents.
 */
#if defined(__riscv) && !DEBUG
static inline __attribute__((always_inline)) struct thread_head *spin_self_(void)
{
	struct thread_head *t;

	__asm__("mv %0, tp" : "=r"(t));
	return t;
}

void spin_lock_contended(struct spinlock *l);

static inline bool spin_try_(struct spinlock *l)
{
	return __atomic_exchange_n(&l->word, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void spin_lock(struct spinlock *l) ACQUIRES(*l) NO_TS
{
	spin_self_()->preempt_count++;
	if (unlikely(!spin_try_(l)))
		spin_lock_contended(l);
}

static inline void spin_lock_same(struct spinlock *l) ACQUIRES(*l) NO_TS
{
	spin_lock(l);
}

static inline void spin_unlock(struct spinlock *l) RELEASES(*l) NO_TS
{
	struct thread_head *t = spin_self_();

	__atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
	t->preempt_count--;
	if (unlikely(READ_ONCE(t->flags) & 1u)) /* TIF_RESCHED */
		preempt_resched();
}

static inline u64 spin_lock_irq(struct spinlock *l) ACQUIRES(*l) NO_TS
{
	u64 flags;

	__asm__ volatile("csrrci %0, sstatus, 2" : "=r"(flags)::"memory");
	spin_self_()->preempt_count++;
	if (unlikely(!spin_try_(l)))
		spin_lock_contended(l);
	return flags & 2;
}

static inline void spin_unlock_irq(struct spinlock *l, u64 flags) RELEASES(*l) NO_TS
{
	struct thread_head *t = spin_self_();

	__atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
	__asm__ volatile("csrs sstatus, %0" ::"r"(flags) : "memory");
	t->preempt_count--;
	if (unlikely(READ_ONCE(t->flags) & 1u))
		preempt_resched();
}

bool spin_trylock(struct spinlock *l) TRY_ACQUIRES(true, *l);
#else
void spin_lock(struct spinlock *l) ACQUIRES(*l);
bool spin_trylock(struct spinlock *l) TRY_ACQUIRES(true, *l);
void spin_unlock(struct spinlock *l) RELEASES(*l);
u64 spin_lock_irq(struct spinlock *l) ACQUIRES(*l);
void spin_unlock_irq(struct spinlock *l, u64 flags) RELEASES(*l);
void spin_lock_same(struct spinlock *l) ACQUIRES(*l);
#endif

#endif
