// SPDX-License-Identifier: BSD-2-Clause
/* Load averages: every five seconds the number of runnable threads enters three decaying means (fixed point, 11 bits). */
#include "kernel/boot/init.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"

#define FSHIFT	 11
#define ONE	 (1UL << FSHIFT)
#define INTERVAL (5 * NSEC_PER_SEC)

static const u64 decay[3] = {1884, 2014, 2037}; /* e^(-5s/1min), 5 min, 15 min */
static u64 load[3];				/* (a) */
static struct timer timer;

u64 sched_loadavg(unsigned which)
{
	return which < ARRAY_LEN(load) ? READ_ONCE(load[which]) : 0;
}

static void sample(struct timer *t)
{
	u64 active = (u64)sched_runnable() << FSHIFT;

	for (unsigned i = 0; i < ARRAY_LEN(load); i++)
		WRITE_ONCE(load[i], (load[i] * decay[i] + active * (ONE - decay[i])) >> FSHIFT);
	timer_arm(t, time_now() + INTERVAL);
}

static void loadavg_init(void)
{
	timer_setup(&timer, sample);
	timer_arm(&timer, time_now() + INTERVAL);
}
INITCALL(CORE, loadavg_init);
