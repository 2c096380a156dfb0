// SPDX-License-Identifier: BSD-2-Clause
/*
 * timer_create and its kin: decoding of clocks, sigevents and times for kernel/proc/ptimer.c.
 */
#include "kernel/syscall/args.h"

#define TIMER_ABSTIME 1u

/* struct sigevent as riscv64 has it. */
struct sigevent_k {
	u64 value;
	s32 signo, notify, tid;
	u32 pad[11];
};
BUILD_ASSERT(sizeof(struct sigevent_k) == 64);

struct itimerspec_k {
	struct timespec_k interval, value;
};

/* ptimer_spec's clock for a clock id.  A thread's clock that was made by pthread_getcpuclockid names a thread of ours. */
static int choose_clock(s32 clock, struct ptimer_spec *s)
{
	enum { REALTIME, MONOTONIC, PROCESS_CPU, THREAD_CPU, BOOTTIME = 7, TAI = 11 };
	s32 id = (s32) ~((u32)clock >> 3 | 0xe0000000u);

	s->clock = PTIMER_CPU;
	switch (clock) {
	case REALTIME:
	case TAI:
		s->clock = PTIMER_REALTIME;
		return 0;
	case MONOTONIC:
	case BOOTTIME:
		s->clock = PTIMER_MONOTONIC;
		return 0;
	case PROCESS_CPU:
		s->cpu = CPU_PROCESS;
		return 0;
	case THREAD_CPU:
		id = current()->tid;
		break;
	default:
		if (clock >= 0 || (clock & 3) == 3)
			return -EINVAL;
		if (!(clock & 4)) {
			s->cpu = (clock & 3) == 1 ? CPU_PROCESS_USER : CPU_PROCESS;
			return !id || id == current_proc()->pid ? 0 : -EINVAL;
		}
		id = id ? id : current()->tid;
	}
	s->cpu = CPU_THREAD;
	s->cpu_task = task_find(id);
	return s->cpu_task && s->cpu_task->proc == current_proc() ? 0 : -EINVAL;
}

static int choose_event(u64 uev, struct ptimer_spec *s)
{
	struct sigevent_k ev;

	if (!uev) {
		s->signo = SIGALRM;
		s->value_is_id = true;
		return 0;
	}
	if (copy_from_user(&ev, (void __user *)uev, sizeof(ev)))
		return -EFAULT;
	s->value = ev.value;
	s->signo = ev.signo;
	s->silent = ev.notify == SIGEV_NONE;
	if (s->silent)
		return 0;
	if (ev.notify & ~(SIGEV_THREAD | SIGEV_THREAD_ID) || ev.signo < 1 || ev.signo > NSIG)
		return -EINVAL;
	if (ev.notify & SIGEV_THREAD_ID) {
		s->target = task_find(ev.tid);
		if (!s->target || s->target->proc != current_proc())
			return -EINVAL;
	}
	return 0;
}

SYSCALL3(timer_create, clock, uev, uid)
{
	struct ptimer_spec s = {0};
	int err = choose_clock((s32)clock, &s);
	s32 id = 0;

	if (!err)
		err = choose_event(uev, &s);
	if (!err)
		err = id = ptimer_create(&s);
	if (id >= 0 && err >= 0) {
		err = put_user_u32((u32)id, (u32 __user *)uid);
		if (err)
			(void)ptimer_delete(id);
	}
	if (s.target)
		task_drop(s.target);
	if (s.cpu_task)
		task_drop(s.cpu_task);
	return err;
}

SYSCALL1(timer_delete, id)
{
	return ptimer_delete((s32)id);
}

static struct timespec_k to_timespec(u64 ns)
{
	return (struct timespec_k){(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC)};
}

static int put_times(u64 to, const struct ptimer_times *t)
{
	struct itimerspec_k it = {to_timespec(t->interval), to_timespec(t->value)};

	return copy_to_user((void __user *)to, &it, sizeof(it));
}

SYSCALL4(timer_settime, id, flags, unew, uold)
{
	struct ptimer_times new, old;
	struct itimerspec_k it;
	int err;

	if (!unew)
		return -EINVAL;
	if (copy_from_user(&it, (void __user *)unew, sizeof(it)))
		return -EFAULT;
	if (!timespec_valid(&it.value) || !timespec_valid(&it.interval))
		return -EINVAL;
	new = (struct ptimer_times){timespec_ns(&it.value), timespec_ns(&it.interval)};
	err = ptimer_set((s32)id, flags & TIMER_ABSTIME, &new, &old);
	return err || !uold ? err : put_times(uold, &old);
}

SYSCALL2(timer_gettime, id, to)
{
	struct ptimer_times t;
	int err = ptimer_get((s32)id, &t);

	return err ? err : put_times(to, &t);
}

SYSCALL1(timer_getoverrun, id)
{
	return ptimer_overrun((s32)id);
}
