// SPDX-License-Identifier: BSD-2-Clause
/* signal.c - signals. struct sigaction is the kernel's own, so nothing is translated. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "user/lib/syscall.h"

int kill(pid_t pid, int sig)
{
	return call(kill, pid, sig);
}

int killpg(pid_t pgrp, int sig)
{
	return kill(-pgrp, sig);
}

int tgkill(pid_t tgid, pid_t tid, int sig)
{
	return call(tgkill, tgid, tid, sig);
}

int raise(int sig)
{
	return tgkill(getpid(), gettid(), sig);
}

int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	return call(rt_sigaction, sig, act, old, sizeof(sigset_t));
}

_sig_func_ptr signal(int sig, _sig_func_ptr handler)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;

	return sigaction(sig, &act, &old) < 0 ? SIG_ERR : old.sa_handler;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	return call(rt_sigprocmask, how, set, old, sizeof(sigset_t));
}

int sigsuspend(const sigset_t *set)
{
	return call(rt_sigsuspend, set, sizeof(sigset_t));
}

int sigpending(sigset_t *set)
{
	return call(rt_sigpending, set, sizeof(sigset_t));
}

int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	return call(rt_sigtimedwait, set, info, timeout, sizeof(sigset_t));
}

int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	return sigtimedwait(set, info, NULL);
}

int sigaltstack(const stack_t *stack, stack_t *old)
{
	return call(sigaltstack, stack, old);
}

int pause(void)
{
	return ppoll(NULL, 0, NULL, NULL);
}

static int bad_signal(int sig)
{
	if (sig > 0 && sig < NSIG)
		return 0;
	errno = EINVAL;
	return 1;
}

int sigemptyset(sigset_t *set)
{
	*set = 0;
	return 0;
}

int sigfillset(sigset_t *set)
{
	*set = ~0UL;
	return 0;
}

int sigaddset(sigset_t *set, int sig)
{
	if (bad_signal(sig))
		return -1;
	*set |= 1UL << (sig - 1);
	return 0;
}

int sigdelset(sigset_t *set, int sig)
{
	if (bad_signal(sig))
		return -1;
	*set &= ~(1UL << (sig - 1));
	return 0;
}

int sigismember(const sigset_t *set, int sig)
{
	if (bad_signal(sig))
		return -1;
	return *set >> (sig - 1) & 1;
}
