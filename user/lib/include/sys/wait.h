/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _SYS_WAIT_H
#define _SYS_WAIT_H

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/types.h>

/* picolibc's <stdlib.h> may have defined some */
#undef WNOHANG
#undef WUNTRACED
#undef WEXITSTATUS
#undef WTERMSIG
#undef WSTOPSIG
#undef WIFEXITED
#undef WIFSTOPPED
#undef WIFSIGNALED

#define WNOHANG	   1
#define WUNTRACED  2
#define WSTOPPED   2
#define WEXITED	   4
#define WCONTINUED 8

#define WEXITSTATUS(s)	(((s) >> 8) & 0xff)
#define WTERMSIG(s)	((s)&0x7f)
#define WSTOPSIG(s)	WEXITSTATUS(s)
#define WCOREDUMP(s)	((s)&0x80)
#define WIFEXITED(s)	(WTERMSIG(s) == 0)
#define WIFSTOPPED(s)	(((s)&0xff) == 0x7f)
#define WIFSIGNALED(s)	(((s)&0xffff) - 1U < 0xffU)
#define WIFCONTINUED(s) ((s) == 0xffff)

pid_t wait(int *status);
pid_t waitpid(pid_t pid, int *status, int options);
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage);

#endif
