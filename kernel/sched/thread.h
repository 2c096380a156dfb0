/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SCHED_THREAD_H
#define GNOMON_SCHED_THREAD_H

/*
 * Threads of the kernel and their scheduling.  A thread belongs to a process or (kernel threads) to none; this layer knows
 * processes only as an opaque pointer and through `struct sched_hooks`.
 *
 * tp holds the current thread while in the kernel; sscratch holds it while in user mode and 0 in the kernel.
 * struct thread starts with what trap.S needs at fixed offsets (checked by BUILD_ASSERT in riscv/trap.c).
 */

#include "kernel/lib/list.h"
#include "kernel/lib/rbtree.h"
#include "kernel/riscv/trapframe.h"
#include "kernel/sync/waitq.h"

struct process;
struct vm_map;
struct hart;
struct runq_array;

enum thread_state {
	THREAD_NEW,	 /* made, never woken */
	THREAD_RUNNABLE, /* on a run queue, or running */
	THREAD_BLOCKED,	 /* waits; wakes as its wait_how says */
	THREAD_DEAD,	 /* gone; the next thread on its hart reaps it */
};

#define KSTACK_SIZE (16 * KiB)

/* flags that the way back to user mode looks at, in one word */
#define TIF_RESCHED	 1u /* another thread should run here */
#define TIF_SIGNAL	 2u /* a signal may be pending */
#define TIF_EXIT	 4u /* the process is being killed */
#define TIF_RESTORE_MASK 8u /* sigsuspend/ppoll: put saved_mask back if no handler runs */
#define TIF_RESTORE_ALL \
	16u /* a system call changed s0-s11 or gp in the trapframe (sigreturn, exec): load them too */
#define TIF_NOTIFY (TIF_RESCHED | TIF_SIGNAL | TIF_EXIT | TIF_RESTORE_MASK | TIF_RESTORE_ALL)

/* Field markings and the corresponding locks:
 * (c) constant after creation   (s) only the thread itself   (r) run queue lock of its hart
 * (a) atomic   (l) lock of the list of all threads   (p) kernel/proc's locks (see there)
 */
struct thread {
	u64 kstack_top; /* (c) offset 0: trap.S loads it on entry from user mode; points below the trapframe */
	u64 user_sp;	    /* (s) offset 8: scratch of trap.S */
	u32 flags;	    /* (a) offset 16: TIF_* */
	u32 preempt_count;  /* (s) offset 20: > 0 forbids preemption */
	struct hart *hart;  /* (r) offset 24: where it runs or ran last */
	void *kstack;	    /* (c) offset 32: base of the stack; a guard page lies below */
	struct context ctx; /* (r) callee-saved registers while switched out */
	struct fpu_state
		*fpu; /* (s) NULL until the first FP instruction of a user thread; kmalloc'ed */
	struct hart *fpu_hart;	 /* (s) hart whose registers were last loaded from fpu */
	u8 intr_depth;		 /* (s) nesting of interrupt handlers */
	bool pageout;		 /* (s) brings pages out: may not wait for memory */
	bool pagefault_disabled; /* (s) uaccess must fail instead of faulting in (copy_*_nofault) */
	struct vm_map *map;	 /* (s) address space; NULL for kernel threads */
	struct process *proc;	 /* (c) NULL for kernel threads */
	void *proc_data;	 /* (p) kernel/proc's struct task */
	s32 tid; /* (c) kernel threads: negative; others: set by kernel/proc before the first wake */
	char name[16]; /* (s) comm */
	enum thread_state
		state; /* (r) the thread itself also writes BLOCKED, STOPPED and back without it */
	enum wait_how how;	  /* (s) how it sleeps; read by wakers */
	struct list runq_link;	  /* (r) */
	struct runq_array *queue; /* (r) array that it is queued in; NULL: the real-time queues */
	u8 on_cpu; /* (a) 1: running on a hart; a hint for others, who may look when the thread has died: then it is anything */
	bool on_runq;		  /* (r) */
	bool displaced;		  /* (r) on its way to a hart of its affinity */
	bool expired;		  /* (r) used up its slice: waits in the other array */
	u8 prio;		  /* (r) queue index, 0 best */
	u8 hog;			  /* (r) slices used up in a row, less voluntary sleeps */
	s8 nice;		  /* (r) -20..19 */
	u8 policy;		  /* (r) SCHED_* */
	u8 rt_prio;		  /* (r) 1..99 with SCHED_FIFO and SCHED_RR, else 0 */
	bool reset_on_fork;	  /* (r) children start as SCHED_OTHER */
	u64 slice_left;		  /* (r) ns of its slice when it was switched out */
	u64 slice_end;		  /* (r) time_now() at which its slice is over */
	u64 affinity;		  /* (r) bitmap of hart indices */
	u64 utime, stime;	  /* (s) nanoseconds in user mode and in the kernel */
	u64 last_stamp;		  /* (s) when accounting last changed sides */
	u64 nvcsw, nivcsw;	  /* (s) voluntary and forced switches */
	void (*entry)(void *);	  /* (c) kernel threads and first return of user threads */
	void *arg;		  /* (c) */
	struct list all_link;	  /* (l) every thread */
	struct thread *reap_next; /* (r) dead threads waiting for the reaper */
	u64 alloc_fail_nth;	  /* (s) debug builds: see kmem_fail_nth */
	bool alloc_failed;	  /* (s) an allocation was made to fail: see kmem_failed */
	u32 plug_depth;		  /* (s) drivers/block: block_plug calls in effect */
	void *plug_queue;	  /* (s) drivers/block: queue that holds back requests of ours */
	u32 uticks, sticks;	  /* (s) ticks that found it in user mode, in the kernel */
#if DEBUG
	struct held_lock {
		void *lock; /* (s) */
		u16 rank;   /* (s) */
		void *pc;   /* (s) */
	} held[24];	    /* (s) locks held, outermost first */
	u8 nheld;	    /* (s) */
	u8 held_base;	    /* (s) those below belong to the code that an interrupt interrupted */
#endif
};

#ifdef __riscv
static inline struct thread *current(void)
{
	struct thread *t;

	__asm__("mv %0, tp" : "=r"(t)); /* not volatile: constant within a function */
	return t;
}
#else
struct thread *current(void); /* host tests bring their own */
#endif

static inline void thread_flag_set(struct thread *t, u32 tif)
{
	__atomic_fetch_or(&t->flags, tif, __ATOMIC_RELEASE);
}
static inline void thread_flag_clear(struct thread *t, u32 tif)
{
	__atomic_fetch_and(&t->flags, ~tif, __ATOMIC_RELAXED);
}

/* How the layer above takes part in switching; set once by kernel/proc. */
struct sched_hooks {
	/* Loads next (NULL: kernel_root) on this hart, interrupts off, before hart->map says so. A hart that goes to
	 * a kernel thread keeps the map it has (prev) loaded: see sched_set_map for when a map dies. */
	void (*switch_map)(struct vm_map *prev, struct vm_map *next);
	void (*thread_free)(
		struct
		thread *); /* by the reaper, for each dead thread (kernel threads too); may sleep */
	void (*tick)(struct thread *t);				/* t runs; in the timer interrupt */
	bool (*signal_pending)(struct thread *, enum wait_how); /* may be called under spin locks */
};
void sched_set_hooks(const struct sched_hooks *h);

void sched_init(void);			/* boot hart, before other harts */
__noreturn void sched_start_idle(void); /* each hart's boot flow ends here */
/* A thread with its own kernel stack, in state NEW, running fn(arg) once woken. NULL: no memory. Sleeps. */
struct thread *thread_create(const char *name, void (*fn)(void *), void *arg);
/* Undoes thread_create for a thread that was never woken. */
void thread_destroy(struct thread *t);
/* thread_create + wake: a kernel thread. */
struct thread *kthread_run(const char *name, void (*fn)(void *), void *arg);
__noreturn void thread_exit(
	void); /* the current thread ends; kernel threads may also return from fn */
struct trapframe *thread_trapframe(
	struct thread *t); /* at the top of its stack: the user registers */

/*
 * The current thread's address space from now on (exec, exit; NULL: none), loaded at once.  A map whose last user has
 * left may still be loaded on harts that run kernel threads: whoever frees its tables calls sched_forget_map first.
 */
void sched_set_map(struct vm_map *map);
/* No hart has map loaded any more on return; none of its threads may be left. Interrupts on. */
void sched_forget_map(struct vm_map *map);

/* Makes t runnable if it is NEW, BLOCKED or STOPPED. True if it was. Any context. */
bool sched_wake(struct thread *t);
/* A signal that ends sleeps of this kind is pending for the current thread. */
bool sched_signal_pending(enum wait_how how);
/* Wakes t if its sleep ends on signals of this kind (WAIT_INTR for any, WAIT_KILL for a fatal one). */
bool sched_wake_signal(struct thread *t, bool fatal);
/* The pcs of the functions a switched-out thread is in, innermost first; how many, 0 if it runs.  The caller keeps t alive; any context.
 * It stays within t's stack, but one that is on its way to another hart may begin to run meanwhile: then what is found is of no time in particular. */
unsigned sched_backtrace(struct thread *t, u64 *pcs, unsigned max);
void sched_yield(void);
void schedule(void); /* switches if current is not runnable or should yield; interrupts on or off */
void preempt_schedule_irq(void); /* from the end of an interrupt taken in the kernel */
void sched_tick(void);		 /* from the timer interrupt */
void sched_set_nice(struct thread *t, int nice);
enum { SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE = 5 };
/* rt_prio: 1..99 for SCHED_FIFO and SCHED_RR, else 0 (checked by the caller). */
void sched_set_policy(struct thread *t, int policy, int rt_prio);
u64 sched_timeslice(const struct thread *t);	    /* ns; 0: runs until it sleeps */
int sched_set_affinity(struct thread *t, u64 mask); /* moves it; -EINVAL: no hart in it */
u64 sched_loadavg(unsigned which);		    /* 0..2, fixed point << 11, as /proc/loadavg */
void sched_hart_times(unsigned hart, u64 *user, u64 *sys, u64 *idle); /* ns */
u64 sched_switches(void);

void preempt_resched(void); /* preempt_enable's slow half: switches if allowed here */
static inline void preempt_disable(void)
{
	current()->preempt_count++;
	__asm__ volatile("" ::: "memory");
}
static inline void preempt_enable(void) /* may switch */
{
	struct thread *t = current();

	__asm__ volatile("" ::: "memory");
	t->preempt_count--;
	if (unlikely(READ_ONCE(t->flags) & TIF_RESCHED))
		preempt_resched();
}
static inline void preempt_enable_no_resched(void)
{
	__asm__ volatile("" ::: "memory");
	current()->preempt_count--;
}
/* Asserts that sleeping is allowed here (debug builds: with the reason). */
#if DEBUG
void might_sleep(void);
#else
static inline void might_sleep(void)
{
}
#endif

/* Every thread, for tools: calls fn for each under a spin lock. */
void threads_for_each(void (*fn)(struct thread *t, void *arg), void *arg);
/* Threads that are runnable now, waiting or running, over all harts; idle ones not counted. */
u32 sched_runnable(void);

#endif
