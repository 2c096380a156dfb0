/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _SYS_SELECT_H
#define _SYS_SELECT_H

#include <sys/_types.h>

#include <sys/_sigset.h>
#include <sys/_timespec.h>
#include <sys/_timeval.h>

#ifndef _SIGSET_T_DECLARED
#define _SIGSET_T_DECLARED
typedef __sigset_t sigset_t;
#endif

#define FD_SETSIZE 1024

typedef struct {
	unsigned long fds_bits[FD_SETSIZE / 64];
} fd_set;

#define FD_ZERO(set)	  __builtin_memset((set), 0, sizeof(*(set)))
#define FD_SET(fd, set)	  ((set)->fds_bits[(fd) / 64] |= 1UL << ((fd) % 64))
#define FD_CLR(fd, set)	  ((set)->fds_bits[(fd) / 64] &= ~(1UL << ((fd) % 64)))
#define FD_ISSET(fd, set) (((set)->fds_bits[(fd) / 64] >> ((fd) % 64)) & 1)

int select(int count, fd_set *rd, fd_set *wr, fd_set *ex, struct timeval *timeout);

#endif
