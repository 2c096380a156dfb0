/* SPDX-License-Identifier: BSD-2-Clause */
/* The real header, with a current thread that is a variable. */
#ifndef HOST_KERNEL_SCHED_THREAD_H
#define HOST_KERNEL_SCHED_THREAD_H

#define current			  current_riscv_
#define preempt_disable		  preempt_disable_riscv_
#define preempt_enable		  preempt_enable_riscv_
#define preempt_enable_no_resched preempt_enable_no_resched_riscv_
#include_next "kernel/sched/thread.h"
#undef current
#undef preempt_disable
#undef preempt_enable
#undef preempt_enable_no_resched

extern struct thread *host_current;
void preempt_enable(void);

static inline struct thread *current(void)
{
	return host_current;
}
static inline void preempt_disable(void)
{
	host_current->preempt_count++;
}
static inline void preempt_enable_no_resched(void)
{
	host_current->preempt_count--;
}

#endif
