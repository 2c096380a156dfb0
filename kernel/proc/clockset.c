// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who wants to know that the realtime clock was set: sleepers and timers with an absolute time on it, whose moment in monotonic
 * time moves.
 *
 * Locks: listeners_lock (CLOCK_SET) guards the list and is held while they are told; they take their own locks in it.
 */
#include "kernel/proc/proc_internal.h"

static struct mutex listeners_lock;
static struct list listeners = LIST_INIT(listeners); /* listeners_lock */

void clock_listen(struct clock_listener *l)
{
	mutex_lock(&listeners_lock);
	list_add_tail(&listeners, &l->link);
	mutex_unlock(&listeners_lock);
}

void clock_unlisten(struct clock_listener *l)
{
	mutex_lock(&listeners_lock);
	list_del(&l->link);
	mutex_unlock(&listeners_lock);
}

void proc_clock_changed(void)
{
	struct clock_listener *l;

	vdso_update();
	mutex_lock(&listeners_lock);
	list_for_each(l, &listeners, link)
		l->fn(l);
	mutex_unlock(&listeners_lock);
}

void clockset_init(void)
{
	mutex_init(&listeners_lock, LOCK_CLOCK_SET, "clock listeners");
}
