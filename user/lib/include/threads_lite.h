/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _THREADS_LITE_H
#define _THREADS_LITE_H

/*
 * Threads over clone and futex: what user programs need and picolibc lacks.
 * A mutex or a thread is all zeroes before its first use.
 */
#include <stddef.h>

struct mutex {
	int state; /* 0 free, 1 held, 2 held and somebody may sleep */
};

struct thread {
	int tid; /* cleared (and woken as a futex) by the kernel when the thread is gone */
	void *stack;
	size_t stack_size;
	void *(*fn)(void *arg);
	void *arg;
	void *result;
};

void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
/* 0, or -1 with errno; the thread runs at once. It must be joined before `t` goes away. */
int thread_create(struct thread *t, void *(*fn)(void *arg), void *arg);
void *thread_join(struct thread *t);

#endif
