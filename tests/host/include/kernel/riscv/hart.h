/* SPDX-License-Identifier: BSD-2-Clause */
/* The real header, with interrupt masking that the host can do. */
#ifndef HOST_KERNEL_RISCV_HART_H
#define HOST_KERNEL_RISCV_HART_H

#define irq_save    irq_save_riscv_
#define irq_restore irq_restore_riscv_
#define irq_enable  irq_enable_riscv_
#define irq_disable irq_disable_riscv_
#define irqs_on	    irqs_on_riscv_
#include_next "kernel/riscv/hart.h"
#undef irq_save
#undef irq_restore
#undef irq_enable
#undef irq_disable
#undef irqs_on

extern bool host_irqs_on;

static inline u64 irq_save(void)
{
	u64 old = host_irqs_on ? 2 : 0;

	host_irqs_on = false;
	return old;
}
static inline void irq_restore(u64 old)
{
	host_irqs_on |= old != 0;
}
static inline void irq_enable(void)
{
	host_irqs_on = true;
}
static inline void irq_disable(void)
{
	host_irqs_on = false;
}
static inline bool irqs_on(void)
{
	return host_irqs_on;
}

#endif
