// SPDX-License-Identifier: BSD-2-Clause
/*
 * ITIMER_REAL.  The timer itself is in struct process; it rearms itself from its handler (pid.c).
 *
 * Locks: proc_tree_lock serialises arming and cancelling, sig_lock guards the interval, which the handler reads.
 */
#include "kernel/proc/proc_internal.h"

static u64 remaining(const struct process *p)
{
	u64 now = time_now(), deadline = READ_ONCE(p->alarm.deadline);

	if (!READ_ONCE(p->alarm.hart))
		return 0;
	return deadline > now ? deadline - now : 1;
}

void proc_itimer_get(u64 *value, u64 *interval)
{
	struct process *p = current_proc();

	*value = remaining(p);
	*interval = READ_ONCE(p->alarm_interval);
}

static void set_interval(struct process *p, u64 interval)
{
	u64 flags = spin_lock_irq(&p->sig_lock);

	p->alarm_interval = interval;
	spin_unlock_irq(&p->sig_lock, flags);
}

void proc_itimer_set(u64 value, u64 interval, u64 *old_value, u64 *old_interval)
{
	struct process *p = current_proc();

	if (!value && !READ_ONCE(p->alarm.hart) && !old_value && !READ_ONCE(p->alarm_interval))
		return;
	mutex_lock(&proc_tree_lock);
	if (old_value)
		proc_itimer_get(old_value, old_interval);
	set_interval(p, 0);
	timer_cancel(&p->alarm);
	if (value) {
		set_interval(p, interval);
		timer_arm(&p->alarm, time_now() + value);
	}
	mutex_unlock(&proc_tree_lock);
}
