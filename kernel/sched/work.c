// SPDX-License-Identifier: BSD-2-Clause
/*
 * Work for a kernel thread, in the order it was queued.  The list of new work is pushed to by anybody and taken whole by
 * the thread, so it needs no lock.
 */
#include "kernel/lib/print.h"
#include "kernel/sched/sched_internal.h"
#include "kernel/sched/time.h"
#include "kernel/sync/waitq.h"

static struct waitq work_wait = WAITQ_INIT(work_wait);
static struct work *new_work; /* (a) newest first */

void work_queue(struct work *w)
{
	struct work *first;

	if (__atomic_exchange_n(&w->queued, 1, __ATOMIC_ACQ_REL))
		return;
	first = __atomic_load_n(&new_work, __ATOMIC_RELAXED);
	do
		w->next = first;
	while (!__atomic_compare_exchange_n(&new_work, &first, w, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED));
	waitq_wake_one(&work_wait);
}

static struct work *reversed(struct work *w)
{
	struct work *out = NULL;

	while (w) {
		struct work *next = w->next;

		w->next = out;
		out = w;
		w = next;
	}
	return out;
}

static void worker(void *arg)
{
	(void)arg;
	for (;;) {
		struct work *w, *next;

		wait_event(&work_wait, __atomic_load_n(&new_work, __ATOMIC_ACQUIRE));
		w = reversed(__atomic_exchange_n(&new_work, NULL, __ATOMIC_ACQUIRE));
		for (; w; w = next) {
			next = w->next;
			__atomic_store_n(
				&w->queued, 0,
				__ATOMIC_RELEASE); /* it may be queued again, or freed, by fn */
			w->fn(w);
		}
	}
}

void workqueue_start(void)
{
	struct thread *t = kthread_run("worker", worker, NULL);

	ASSERTF(t, "no memory for the worker");
}
