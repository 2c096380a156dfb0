// SPDX-License-Identifier: BSD-2-Clause
/*
 * sig.c - signals as fast as they go, to a process that faults and computes meanwhile.
 *
 * Two kinds: SIGUSR1 and SIGUSR2 may melt together while pending, SIGRTMIN is queued and
 * must arrive as often as it was sent.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/tests/stress/stress.h"

#define BURST 200

static volatile unsigned long seen, queued;
static volatile int stop;

static void on_signal(int sig)
{
	volatile char frame[512];

	for (size_t i = 0; i < sizeof(frame); i += 64)
		frame[i] = (char)sig;
	if (sig == SIGRTMIN)
		queued++;
	else if (sig == SIGTERM)
		stop = 1;
	else
		seen++;
}

static void catch_all(void)
{
	static const int sigs[] = {SIGUSR1, SIGUSR2, SIGRTMIN, SIGTERM};
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	seen = queued = 0;
	stop = 0;
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &act, NULL);
}

/* Works until SIGTERM; the exit status says whether all queued signals came. */
static void __attribute__((noreturn)) be_target(struct job *j)
{
	unsigned long sum = 0;

	for (unsigned int round = 0; !stop; round++) {
		char *p = map_or_die(j, 8 * PAGE, MAP_PRIVATE);

		for (int i = 0; i < 8; i++) {
			p[i * PAGE] = (char)round;
			sum += (unsigned char)p[i * PAGE + 1];
		}
		for (int i = 0; i < 8; i++) {
			if (p[i * PAGE] != (char)round)
				bad(j, "a page changed under a signal");
		}
		munmap(p, 8 * PAGE);
		if (round % 16 == 0)
			getppid();
	}
	/* a real-time signal may be delivered after SIGTERM, the lower number */
	if (queued != BURST / 4 || sum != 0 || seen == 0)
		bad(j, "%lu signals and %lu queued ones arrived", seen, queued);
	_exit(0);
}

static void send(struct job *j, pid_t pid, int sig)
{
	while (kill(pid, sig) < 0) {
		if (errno != EAGAIN)
			bad(j, "kill");
		usleep(1000);
	}
	++*j->count;
}

static void storm(struct job *j)
{
	sigset_t block, old;
	pid_t pid;

	/* blocked until the target has its handlers: none may be lost or kill it */
	sigfillset(&block);
	sigprocmask(SIG_BLOCK, &block, &old);
	catch_all();
	pid = fork();
	if (pid < 0)
		bad(j, "fork");
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		be_target(j);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	for (int i = 0; i < BURST; i++) {
		if (i % 4 == 0)
			send(j, pid, SIGRTMIN);
		else
			send(j, pid, pick(j, 2) ? SIGUSR1 : SIGUSR2);
		if (pick(j, 30) == 0)
			usleep(pick(j, 2000));
	}
	send(j, pid, SIGTERM);
	expect_exit(j, pid, 0);
}

void stress_sig(struct job *j)
{
	while (!time_is_over())
		storm(j);
}
