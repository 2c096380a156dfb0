// SPDX-License-Identifier: BSD-2-Clause
/*
 * traps.c - signals the shell handles: a handler only notes them, and the action runs
 * between two commands. actions[0] is that of EXIT.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/bin/sh/sh.h"

static char *actions[NSIG]; /* NULL: the default; "": ignored */
static bool ignored_at_start[NSIG];
static volatile sig_atomic_t pending[NSIG];
static volatile sig_atomic_t any_pending, got_interrupt;

static void note_signal(int sig)
{
	if (sig == SIGINT && !actions[SIGINT]) {
		got_interrupt = 1;
		return;
	}
	pending[sig] = 1;
	any_pending = 1;
}

bool interrupted(void)
{
	return got_interrupt;
}

void interrupt_clear(void)
{
	got_interrupt = 0;
}

/* No SA_RESTART: a builtin that waits or reads should notice. */
static void handle(int sig, void (*handler)(int))
{
	struct sigaction act = {.sa_handler = handler};

	sigaction(sig, &act, NULL);
}

/* What a signal does without a trap. */
static void set_default(int sig)
{
	if (sh.interactive && sig == SIGINT)
		handle(sig, note_signal);
	else if (sh.interactive && (sig == SIGQUIT || sig == SIGTERM))
		handle(sig, SIG_IGN);
	else if (sh.job_control && (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU))
		handle(sig, SIG_IGN);
	else
		handle(sig, SIG_DFL);
}

void traps_init(void)
{
	static const int handled[] = {SIGINT, SIGQUIT, SIGTERM};

	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction act;

		if (sigaction(sig, NULL, &act) == 0)
			ignored_at_start[sig] = act.sa_handler == SIG_IGN;
	}
	if (!sh.interactive)
		return;
	for (size_t i = 0; i < COUNT(handled); i++)
		set_default(handled[i]);
}

void traps_reset(bool background)
{
	static const int changed[] = {SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};

	for (int sig = 0; sig < NSIG; sig++) {
		bool was_trapped = actions[sig] && *actions[sig];

		if (was_trapped) {
			free(actions[sig]);
			actions[sig] = NULL;
			if (sig)
				handle(sig, SIG_DFL);
		}
		pending[sig] = 0;
	}
	any_pending = got_interrupt = 0;
	for (size_t i = 0; i < COUNT(changed); i++) {
		int sig = changed[i];

		if (actions[sig])
			continue;
		if (background && (sig == SIGINT || sig == SIGQUIT))
			handle(sig, SIG_IGN);
		else
			handle(sig, ignored_at_start[sig] && !sh.job_control ? SIG_IGN : SIG_DFL);
	}
}

static void run_action(int sig)
{
	char *action = xstrdup(actions[sig]);
	int status = sh.status;

	exec_string(action);
	if (!sh.skip)
		sh.status = status;
	free(action);
}

void traps_run(void)
{
	if (!any_pending)
		return;
	any_pending = 0;
	for (int sig = 1; sig < NSIG; sig++) {
		if (pending[sig]) {
			pending[sig] = 0;
			if (actions[sig] && *actions[sig])
				run_action(sig);
		}
	}
}

void traps_exit(void)
{
	char *action = actions[0];

	actions[0] = NULL;
	sh.skip = SKIP_NONE;
	if (action && *action)
		exec_string(action);
}

static void set_trap(int sig, const char *action)
{
	free(actions[sig]);
	actions[sig] = action ? xstrdup(action) : NULL;
	if (sig == 0 || sig == SIGKILL || sig == SIGSTOP)
		return;
	if (!action)
		set_default(sig);
	else
		handle(sig, *action ? note_signal : SIG_IGN);
}

static int list_traps(void)
{
	for (int sig = 0; sig < NSIG; sig++) {
		if (actions[sig])
			printf("trap -- '%s' %s\n", actions[sig], signal_name(sig));
	}
	return 0;
}

int builtin_trap(int argc, char **argv)
{
	const char *action;
	int i = 1, status = 0;
	long n;

	if (i < argc && strcmp(argv[i], "--") == 0)
		i++;
	if (i >= argc)
		return list_traps();
	action = argv[i];
	/* `trap INT` and `trap - INT` reset; so does a number as the first argument */
	if (strcmp(action, "-") == 0) {
		action = NULL;
		i++;
	} else if (parse_int(action, &n) || argc - i == 1) {
		action = NULL;
	} else {
		i++;
	}
	for (; i < argc; i++) {
		int sig = signal_number(argv[i]);

		if (sig < 0) {
			warn("trap: %s: bad signal", argv[i]);
			status = 1;
		} else {
			set_trap(sig, action);
		}
	}
	return status;
}
