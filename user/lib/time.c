// SPDX-License-Identifier: BSD-2-Clause
/* time.c - clocks, sleeping and interval timers. */
#include <errno.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "user/lib/syscall.h"

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	return call(clock_gettime, clock, ts);
}

int clock_settime(clockid_t clock, const struct timespec *ts)
{
	return call(clock_settime, clock, ts);
}

int clock_getres(clockid_t clock, struct timespec *ts)
{
	return call(clock_getres, clock, ts);
}

/* Returns the error itself, as POSIX has it. */
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *ts, struct timespec *left)
{
	return (int)-sys(clock_nanosleep, clock, flags, ts, left);
}

int nanosleep(const struct timespec *ts, struct timespec *left)
{
	return call(nanosleep, ts, left);
}

unsigned int sleep(unsigned int seconds)
{
	struct timespec ts = {seconds, 0};

	if (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		return (unsigned int)ts.tv_sec + (ts.tv_nsec > 0);
	return 0;
}

int usleep(useconds_t usec)
{
	struct timespec ts = {usec / 1000000, usec % 1000000 * 1000};

	return nanosleep(&ts, NULL);
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	return call(gettimeofday, tv, tz);
}

int settimeofday(const struct timeval *tv, const struct timezone *tz)
{
	return call(settimeofday, tv, tz);
}

clock_t times(struct tms *buf)
{
	return call(times, buf);
}

int getitimer(int which, struct itimerval *value)
{
	return call(getitimer, which, value);
}

int setitimer(int which, const struct itimerval *restrict value, struct itimerval *restrict old)
{
	return call(setitimer, which, value, old);
}

unsigned int alarm(unsigned int seconds)
{
	struct itimerval value = {.it_value.tv_sec = seconds}, old;

	if (setitimer(ITIMER_REAL, &value, &old) < 0)
		return 0;
	return (unsigned int)old.it_value.tv_sec + (old.it_value.tv_usec > 0);
}
