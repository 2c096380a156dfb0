// SPDX-License-Identifier: BSD-2-Clause
/*
 * main.c - sh [-eufmnx] [-c COMMAND [NAME ARG...] | SCRIPT [ARG...] | -s [ARG...]]
 *
 * With a terminal and nothing to run, the shell is interactive. A name that starts with -
 * makes it a login shell, which reads /etc/profile first.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/bin/sh/sh.h"

struct shell sh;

void leave(int status)
{
	static bool leaving;

	if (!leaving) {
		leaving = true;
		sh.status = status;
		traps_exit();
	}
	exit(status);
}

void fail(int status, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0)
		warn("%s", text);
	va_end(ap);
	sh.status = status;
	if (sh.prompt && !sh.subshell)
		longjmp(*sh.prompt, 1);
	leave(status);
}

/* After fail() or an interrupt: nothing is under way any more. */
static void reset_state(void)
{
	redir_undo(0);
	vars_restore(0);
	interrupt_clear();
	sh.skip = SKIP_NONE;
	sh.skip_count = sh.loops = sh.calls = sh.no_errexit = 0;
}

static void prompt_once(struct source *src)
{
	static jmp_buf prompt;
	struct node *n;
	enum parse_result result;

	sh.arena = arena_new();
	sh.prompt = &prompt;
	if (setjmp(prompt)) {
		src->pos = src->text.len;
	} else {
		result = parse_command(src, sh.arena, &n);
		if (result == PARSE_EOF)
			leave(sh.status);
		if (result == PARSE_ERROR)
			sh.status = 2;
		else if (n)
			exec_node(n, 0);
	}
	traps_run();
	reset_state();
	arena_drop(sh.arena);
	sh.arena = NULL;
}

static void __attribute__((noreturn)) run_interactive(void)
{
	static struct source src;

	source_terminal(&src);
	for (;;) {
		jobs_notify();
		prompt_once(&src);
	}
}

static void read_profile(void)
{
	const char *home = var_get("HOME");

	exec_file("/etc/profile");
	if (home) {
		char *own = path_join(home, ".profile");

		exec_file(own);
		free(own);
	}
	sh.skip = SKIP_NONE;
}

struct options {
	const char *command;
	bool command_next;
	bool from_stdin;
	bool interactive;
	bool monitor;
	bool login;
};

static void parse_letters(const char *s, bool on, struct options *o)
{
	for (; *s; s++) {
		if (*s == 'c')
			o->command_next = true;
		else if (*s == 's')
			o->from_stdin = true;
		else if (*s == 'i')
			o->interactive = on;
		else if (*s == 'l')
			o->login = on;
		else if (*s == 'm')
			o->monitor = on;
		else if (!set_option(*s, on))
			fail(2, "-%c: unknown option", *s);
	}
}

static int parse_options(int argc, char **argv, struct options *o)
{
	int i;

	for (i = 1; i < argc && (*argv[i] == '-' || *argv[i] == '+') && argv[i][1]; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		parse_letters(argv[i] + 1, *argv[i] == '-', o);
	}
	if (o->command_next) {
		if (i >= argc)
			fail(2, "-c needs a command");
		o->command = argv[i++];
	}
	return i;
}

static void __attribute__((noreturn)) run_script(const char *path)
{
	int status = exec_file(path);

	if (status < 0) {
		warn_errno("%s", path);
		leave(127);
	}
	leave(sh.status);
}

static void __attribute__((noreturn)) run_stdin(void)
{
	struct source src;

	source_fd(&src, 0);
	exec_source(&src);
	leave(sh.status);
}

int main(int argc, char **argv, char **envp)
{
	struct options o = {.login = argv[0] && *argv[0] == '-'};
	char *script = NULL;
	int i;

	prog = sh.name = argv[0] && *argv[0] ? argv[0] : "sh";
	sh.pid = getpid();
	sh.substitution = -1;
	vars_init(envp);
	i = parse_options(argc, argv, &o);
	if (!o.command && !o.from_stdin && i < argc)
		script = argv[i++];
	if (script)
		prog = sh.name = script;
	else if (o.command && i < argc)
		sh.name = argv[i++];
	for (; i < argc; i++)
		list_add(&sh.args, xstrdup(argv[i]));
	sh.interactive = o.interactive || (!o.command && !script && isatty(0) && isatty(2));
	traps_init();
	if (sh.interactive || o.monitor)
		jobs_init();
	if (o.login)
		read_profile();
	if (o.command) {
		exec_string(o.command);
		leave(sh.status);
	}
	if (script)
		run_script(script);
	if (sh.interactive)
		run_interactive();
	run_stdin();
}
