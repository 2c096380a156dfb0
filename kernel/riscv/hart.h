/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_RISCV_HART_H
#define GNOMON_RISCV_HART_H

/* Harts: numbered densely by index; hart ids are the firmware's. */

#include "kernel/lib/types.h"
#include "kernel/lib/rbtree.h"
#include "kernel/sync/spinlock.h"

#define MAX_HARTS 64u /* bits in a hart mask: one u64 */

struct thread;
struct runq;
struct timer;
struct trapframe;

/* Field markings and the corresponding locks:
 * (c) constant after the hart is up   (h) only this hart, interrupts off   (a) atomic   (q) timer queue's lock
 */
struct hart {
	u32 index;			    /* (c) */
	u64 id;				    /* (c) the hart id SBI and the device tree know */
	bool online;			    /* (a) */
	struct thread *idle;		    /* (c) */
	struct thread *running;		    /* (h) current thread, readable by others as a hint */
	struct thread *fpu_owner;	    /* (h) whose FP state is in the registers */
	struct vm_map *map;		    /* (h) address space loaded in satp */
	struct runq *runq;		    /* (c) */
	struct rb_tree timers;		    /* (q) */
	struct timer *first_timer;	    /* (q) leftmost */
	struct spinlock timer_lock;	    /* (c) */
	u64 next_event;			    /* (h) what the timer is set to */
	u64 ipi_pending;		    /* (a) IPI_* bits */
	u64 asid_generation;		    /* (h) */
	u64 irq_count;			    /* (h) */
	u64 time_user, time_sys, time_idle; /* (h) ns */
	u64 tick;      /* (h) when the next accounting tick is due; 0: idle, none */
	bool irq_user; /* (h) the interrupt being handled came in user mode */
	u64 kvm_epoch; /* (h) new stacks mapped until then are known here */
	bool stopped;  /* (a) by a panic */
	const struct trapframe *report; /* (h) what the last software interrupt interrupted */
	void *stacks[16];		/* (h) free kernel stacks */
	u32 nstacks;			/* (h) */
	struct hart_call {
		void (*fn)(void *);
		void *arg;
	} call;		   /* (h) harts_call under way from here; read by its targets */
	u64 call_waits;	   /* (a) targets that are not done yet */
	u64 call_from;	   /* (a) indices of harts that want something called here */
	void *frame_cache; /* (c) kernel/mem's */
	void *slab_cache;  /* (c) kernel/mem's */
	u64 stats
		[64]; /* (h) event counters, index enum vm_event and vm_gauge (kernel/mem/stat.h); summed by readers */
};

extern struct hart *harts[MAX_HARTS];
extern u32 nharts; /* in the device tree and usable */
#ifdef __riscv
static inline struct hart *this_hart(void) /* caller has preemption or interrupts off */
{
	struct hart *h;

	__asm__ volatile("ld %0, 24(tp)" : "=r"(h)); /* current()->hart */
	return h;
}
#else
struct hart *this_hart(void); /* host tests bring their own */
#endif
u64 harts_online(void); /* bitmap of indices */

enum { IPI_RESCHED, IPI_TLB, IPI_CALL, IPI_STOP };
void ipi_send(u64 mask, unsigned what);
/* Runs fn(arg) in interrupt context on each hart of the mask (not self unless set in it) and waits for all. Interrupts on. */
void harts_call(u64 mask, void (*fn)(void *), void *arg);

/* Start-up (main.c): the boot hart; then the harts of the tree, which start one after the other. */
void hart_init_boot(u64 hartid);
void harts_start(void);
void ipi_handle(void);		     /* from trap.c: a software interrupt */
struct hart *hart_by_id(u64 hartid); /* NULL: unknown or unusable */
/* Masks of hart ids for SBI: calls fn(mask, base) until all harts of the mask of indices were named. */
void harts_sbi_mask(u64 mask, void (*fn)(u64 mask, u64 base, void *arg), void *arg);
/* Remote fences on all harts of the mask, this one included if set in it. size 0: everything. */
void harts_sfence(u64 mask, vaddr_t start, u64 size);
void harts_fence_i(u64 mask);

/* Interrupt state of this hart. */
static inline u64 irq_save(void)
{
	u64 old;

	__asm__ volatile("csrrci %0, sstatus, 2" : "=r"(old)::"memory");
	return old & 2;
}
static inline void irq_restore(u64 old)
{
	__asm__ volatile("csrs sstatus, %0" ::"r"(old) : "memory");
}
static inline void irq_enable(void)
{
	__asm__ volatile("csrsi sstatus, 2" ::: "memory");
}
static inline void irq_disable(void)
{
	__asm__ volatile("csrci sstatus, 2" ::: "memory");
}
static inline bool irqs_on(void)
{
	u64 s;

	__asm__ volatile("csrr %0, sstatus" : "=r"(s));
	return s & 2;
}

#endif
