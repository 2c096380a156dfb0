// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls about time: clocks, sleeping, interval timers.
 */
#include "kernel/syscall/args.h"

enum {
	CLOCK_REALTIME,
	CLOCK_MONOTONIC,
	CLOCK_PROCESS_CPUTIME_ID,
	CLOCK_THREAD_CPUTIME_ID,
	CLOCK_MONOTONIC_RAW,
	CLOCK_REALTIME_COARSE,
	CLOCK_MONOTONIC_COARSE,
	CLOCK_BOOTTIME,
	CLOCK_TAI = 11
};
#define TIMER_ABSTIME 1
#define USER_HZ	      100

struct timeval_k {
	s64 sec, usec;
};

/* The time_now() at which `ns` from now is over; never 0, which means no deadline. */
u64 time_deadline(u64 ns)
{
	u64 end;

	return __builtin_add_overflow(time_now(), ns, &end) ? INT64_MAX : MAX(end, 1UL);
}

/* The time_now() at which the realtime clock, as it is set now, shows ns. */
u64 time_deadline_realtime(u64 ns)
{
	u64 now = proc_realtime();

	return ns <= now ? 1 : time_deadline(ns - now);
}

/* ---- clocks ---- */

static u64 times_sum(const struct proc_times *t)
{
	return t->utime + t->stime;
}

/* Clocks of processes and threads made by clock_getcpuclockid: ~id << 3 | per-thread 4 | kind. */
static int cpu_clock(s32 clock, u64 *ns)
{
	s32 id = (s32) ~((u32)clock >> 3 | 0xe0000000u); /* ~(clock >> 3), the sign kept */
	struct proc_times t;
	struct process *p;
	struct task *task;

	if ((clock & 3) == 3)
		return -EINVAL;
	if (clock & 4) {
		task = id ? task_find(id) : task_find(current()->tid);
		if (!task)
			return -EINVAL;
		if (task->proc != current_proc()) {
			task_drop(task);
			return -EINVAL;
		}
		task_times(task, &t);
		task_drop(task);
	} else {
		p = proc_find(id ? id : current_proc()->pid);
		if (!p)
			return -EINVAL;
		proc_times(p, &t);
		proc_drop(p);
	}
	*ns = (clock & 3) == 1 ? t.utime : times_sum(&t);
	return 0;
}

static int clock_read(s32 clock, u64 *ns)
{
	struct proc_times t;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		*ns = proc_realtime();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ns = time_now();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		proc_times(current_proc(), &t);
		*ns = times_sum(&t);
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		task_times(current_task(), &t);
		*ns = times_sum(&t);
		return 0;
	default:
		return clock < 0 ? cpu_clock(clock, ns) : -EINVAL;
	}
}

static int put_ns(u64 to, u64 ns)
{
	struct timespec_k ts = {(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC)};

	return copy_to_user((void __user *)to, &ts, sizeof(ts));
}

SYSCALL2(clock_gettime, clock, to)
{
	u64 ns;
	int err = clock_read((s32)clock, &ns);

	return err ? err : put_ns(to, ns);
}

SYSCALL2(clock_getres, clock, to)
{
	u64 ns;
	int err = clock_read((s32)clock, &ns);

	if (err || !to)
		return err;
	return put_ns(to, 1);
}

SYSCALL2(clock_settime, clock, from)
{
	struct timespec_k ts;

	if ((s32)clock != CLOCK_REALTIME)
		return -EINVAL;
	if (copy_from_user(&ts, (void __user *)from, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	time_set_realtime(timespec_ns(&ts));
	proc_clock_changed();
	return 0;
}

SYSCALL2(gettimeofday, tv, tz)
{
	u64 ns = proc_realtime();
	struct timeval_k t = {(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC / 1000)};

	if (tv && copy_to_user((void __user *)tv, &t, sizeof(t)))
		return -EFAULT;
	return tz ? clear_user((void __user *)tz, 8) : 0;
}

SYSCALL2(settimeofday, tv, tz)
{
	struct timeval_k t;

	(void)tz; /* the kernel keeps no time zone */
	if (!tv)
		return 0;
	if (copy_from_user(&t, (void __user *)tv, sizeof(t)))
		return -EFAULT;
	if (t.sec < 0 || t.usec < 0 || t.usec >= 1000000)
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	time_set_realtime((u64)t.sec * NSEC_PER_SEC + (u64)t.usec * 1000);
	proc_clock_changed();
	return 0;
}

SYSCALL1(times, to)
{
	struct process *p = current_proc();
	struct proc_times t;
	s64 ticks[4];
	u64 per = NSEC_PER_SEC / USER_HZ;

	proc_times(p, &t);
	ticks[0] = (s64)(t.utime / per);
	ticks[1] = (s64)(t.stime / per);
	ticks[2] = (s64)(p->children_time.utime / per);
	ticks[3] = (s64)(p->children_time.stime / per);
	if (to && copy_to_user((void __user *)to, ticks, sizeof(ticks)))
		return -EFAULT;
	return (long)(time_now() / per);
}

/* ---- sleeping ---- */

static int sleep_until(u64 deadline)
{
	struct waitq q;
	int err;

	waitq_init(&q);
	err = wait_event_until(&q, false, WAIT_INTR, deadline);
	return err == -ETIMEDOUT ? 0 : err;
}

/* Field markings and the corresponding locks:
 * (c) constant   (a) atomic
 */
struct real_sleep {
	struct clock_listener told; /* (c) */
	struct waitq wait;	    /* (c) */
	bool set;		    /* (a) the clock was set */
};

static void sleeper_told(struct clock_listener *l)
{
	struct real_sleep *s = container_of(l, struct real_sleep, told);

	WRITE_ONCE(s->set, true);
	waitq_wake_all(&s->wait);
}

/* Until the realtime clock shows ns, however it is set meanwhile. */
static int sleep_until_real(u64 ns)
{
	struct real_sleep s = {.told.fn = sleeper_told};
	int err;

	waitq_init(&s.wait);
	clock_listen(&s.told);
	do {
		WRITE_ONCE(s.set, false);
		err = wait_event_until(&s.wait, READ_ONCE(s.set), WAIT_INTR,
				       time_deadline_realtime(ns));
	} while (!err);
	clock_unlisten(&s.told);
	return err == -ETIMEDOUT ? 0 : err;
}

static long sleep_restart(struct restart *r)
{
	u64 now;
	int err = sleep_until(r->arg[0]);

	if (!err)
		return 0;
	now = time_now();
	if (r->arg[1] && put_ns(r->arg[1], r->arg[0] > now ? r->arg[0] - now : 0))
		return -EFAULT;
	r->fn = sleep_restart;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_relative(u64 ns, u64 remaining)
{
	struct restart *r = &current_task()->restart;

	*r = (struct restart){sleep_restart, {time_deadline(ns), remaining}};
	return sleep_restart(r);
}

static int get_timespec(u64 from, u64 *ns)
{
	struct timespec_k ts;

	if (copy_from_user(&ts, (void __user *)from, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	*ns = timespec_ns(&ts);
	return 0;
}

SYSCALL2(nanosleep, from, remaining)
{
	u64 ns;
	int err = get_timespec(from, &ns);

	return err ? err : sleep_relative(ns, remaining);
}

SYSCALL4(clock_nanosleep, uclock, flags, from, remaining)
{
	s32 clock = (s32)uclock;
	bool real = clock == CLOCK_REALTIME || clock == CLOCK_TAI;
	u64 ns;
	int err;

	if (clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID)
		return -EOPNOTSUPP; /* sleeping on processor time */
	if (!real && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return clock > CLOCK_TAI ? -EINVAL : -EOPNOTSUPP;
	err = get_timespec(from, &ns);
	if (err)
		return err;
	if (!(flags & TIMER_ABSTIME))
		return sleep_relative(ns, remaining);
	err = real ? sleep_until_real(ns) : sleep_until(MAX(ns, 1UL));
	return err == -EINTR ? -ERESTARTNOHAND : err;
}

/* ---- interval timers ---- */

enum { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };

struct itimerval_k {
	struct timeval_k interval, value;
};

static struct timeval_k to_timeval(u64 ns)
{
	return (struct timeval_k){(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC / 1000)};
}

static int from_timeval(const struct timeval_k *t, u64 *ns)
{
	if (t->sec < 0 || t->usec < 0 || t->usec >= 1000000)
		return -EINVAL;
	if (__builtin_mul_overflow((u64)t->sec, NSEC_PER_SEC, ns) || *ns > INT64_MAX - NSEC_PER_SEC)
		*ns = INT64_MAX - NSEC_PER_SEC;
	*ns += (u64)t->usec * 1000;
	return 0;
}

static int put_itimer(u64 to, u64 value, u64 interval)
{
	struct itimerval_k it = {to_timeval(interval), to_timeval(value)};

	if (value && !it.value.sec && !it.value.usec)
		it.value.usec = 1;
	return copy_to_user((void __user *)to, &it, sizeof(it));
}

SYSCALL2(getitimer, which, to)
{
	u64 value = 0, interval = 0;

	if (which > ITIMER_PROF)
		return -EINVAL;
	if (which == ITIMER_REAL)
		proc_itimer_get(&value, &interval);
	else
		proc_cpu_itimer_get(which == ITIMER_VIRTUAL, &value, &interval);
	return put_itimer(to, value, interval);
}

SYSCALL3(setitimer, which, from, to)
{
	struct itimerval_k it = {0};
	u64 value, interval, old_value, old_interval;

	if (which > ITIMER_PROF)
		return -EINVAL;
	if (from && copy_from_user(&it, (void __user *)from, sizeof(it)))
		return -EFAULT;
	if (from_timeval(&it.value, &value) || from_timeval(&it.interval, &interval))
		return -EINVAL;
	if (which == ITIMER_REAL)
		proc_itimer_set(value, interval, &old_value, &old_interval);
	else
		proc_cpu_itimer_set(which == ITIMER_VIRTUAL, value, interval, &old_value,
				    &old_interval);
	return to ? put_itimer(to, old_value, old_interval) : 0;
}
