/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _SCHED_H_
#define _SCHED_H_

#include <sys/types.h>

#define CLONE_VM	     0x00000100
#define CLONE_FS	     0x00000200
#define CLONE_FILES	     0x00000400
#define CLONE_SIGHAND	     0x00000800
#define CLONE_VFORK	     0x00004000
#define CLONE_THREAD	     0x00010000
#define CLONE_SYSVSEM	     0x00040000
#define CLONE_SETTLS	     0x00080000
#define CLONE_PARENT_SETTID  0x00100000
#define CLONE_CHILD_CLEARTID 0x00200000
#define CLONE_CHILD_SETTID   0x01000000

/* Runs fn(arg) on `stack` (its upper end) in the new task, whose exit status is fn's value. */
int clone(int (*fn)(void *arg), void *stack, int flags, void *arg, int *parent_tid, void *tls,
	  int *child_tid);
int sched_yield(void);
int sched_getaffinity(pid_t pid, size_t size, unsigned long *mask);
int sched_setaffinity(pid_t pid, size_t size, const unsigned long *mask);

#endif
