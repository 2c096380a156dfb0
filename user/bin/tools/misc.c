// SPDX-License-Identifier: BSD-2-Clause
/* misc.c - basename, dirname, env, false, id, pwd, seq, sleep, true, xargs, yes. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/bin/tools/tools.h"

int basename_main(int argc, char **argv)
{
	char *name;
	size_t n, m;

	if (argc < 2)
		return usage_error("PATH [SUFFIX]");
	n = strlen(argv[1]);
	while (n > 1 && argv[1][n - 1] == '/')
		argv[1][--n] = 0;
	name = strrchr(argv[1], '/') && n > 1 ? strrchr(argv[1], '/') + 1 : argv[1];
	n = strlen(name);
	m = argc > 2 ? strlen(argv[2]) : 0;
	if (m && n > m && strcmp(name + n - m, argv[2]) == 0)
		name[n - m] = 0;
	puts(name);
	return 0;
}

int dirname_main(int argc, char **argv)
{
	if (argc != 2)
		return usage_error("PATH");
	puts(dirname(argv[1]));
	return 0;
}

int env_main(int argc, char **argv)
{
	int i = 1;

	if (i < argc && strcmp(argv[i], "-i") == 0) {
		static char *empty[] = {NULL};

		environ = empty;
		i++;
	}
	for (; i < argc && strchr(argv[i], '='); i++) {
		char *value = strchr(argv[i], '=');

		*value++ = 0;
		setenv(argv[i], value, 1);
	}
	if (i < argc) {
		execvp(argv[i], argv + i);
		warn_errno("%s", argv[i]);
		return errno == ENOENT ? 127 : 126;
	}
	for (char **e = environ; *e; e++)
		puts(*e);
	return 0;
}

int true_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

int false_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 1;
}

int id_main(int argc, char **argv)
{
	char *user = id_name("/etc/passwd", geteuid()), *group = id_name("/etc/group", getegid());

	if (argc > 1 && strcmp(argv[1], "-u") == 0)
		printf("%u\n", (unsigned int)geteuid());
	else if (argc > 1 && strcmp(argv[1], "-g") == 0)
		printf("%u\n", (unsigned int)getegid());
	else
		printf("uid=%u(%s) gid=%u(%s)\n", (unsigned int)geteuid(), user,
		       (unsigned int)getegid(), group);
	free(user);
	free(group);
	return 0;
}

int pwd_main(int argc, char **argv)
{
	char cwd[4096];

	(void)argc;
	(void)argv;
	if (!getcwd(cwd, sizeof(cwd)))
		die_errno("pwd");
	puts(cwd);
	return 0;
}

int seq_main(int argc, char **argv)
{
	long first = 1, step = 1, last;

	if (argc < 2 || argc > 4 || !parse_int(argv[argc - 1], &last) ||
	    (argc > 2 && !parse_int(argv[1], &first)) ||
	    (argc > 3 && (!parse_int(argv[2], &step) || step == 0)))
		return usage_error("[FIRST [STEP]] LAST");
	for (long i = first; step > 0 ? i <= last : i >= last; i += step)
		printf("%ld\n", i);
	return 0;
}

int sleep_main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *end;
		double seconds = strtod(argv[i], &end);
		struct timespec ts;

		if (*end == 'm' || *end == 'h')
			seconds *= *end == 'm' ? 60 : 3600;
		if (end == argv[i] || seconds < 0)
			die("%s: not a time", argv[i]);
		ts.tv_sec = (time_t)seconds;
		ts.tv_nsec = (long)((seconds - (double)ts.tv_sec) * 1e9);
		while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
			;
	}
	return argc > 1 ? 0 : usage_error("SECONDS...");
}

int yes_main(int argc, char **argv)
{
	const char *text = argc > 1 ? argv[1] : "y";
	struct buf b = {0};

	while (b.len < 4096)
		buf_fmt(&b, "%s\n", text);
	while (write_full(1, b.data, b.len) == 0)
		;
	return 1;
}

/* ---- xargs ---- */

/* The next item: a word, which quotes may hold together, or with zero: up to a 0 byte. */
static bool next_item(struct buf *item, bool zero)
{
	int c, quote = 0;
	bool any = false;

	item->len = 0;
	buf_add(item, "", 0);
	while ((c = getchar()) != EOF) {
		if (zero ? c == 0 : !quote && strchr(" \t\n", c)) {
			if (any)
				return true;
			continue;
		}
		any = true;
		if (!zero && (quote ? c == quote : c == '\'' || c == '"'))
			quote = quote ? 0 : c;
		else
			buf_char(item, (char)c);
	}
	return any;
}

static int run(struct list *args)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		execvp(args->items[0], args->items);
		warn_errno("%s", args->items[0]);
		_exit(127);
	}
	if (pid < 0)
		die_errno("fork");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		exit(127);
	return status ? 123 : 0;
}

static void drop_items(struct list *args, size_t keep)
{
	while (args->len > keep)
		free(args->items[--args->len]);
	args->items[args->len] = NULL;
}

int xargs_main(int argc, char **argv)
{
	enum { LIMIT = 65536 };
	long max = 0;
	size_t fixed, bytes = 0;
	bool zero = false, no_empty = false, ran = false;
	struct list args = {0};
	struct buf item = {0};
	int c, status = 0;

	while ((c = getopt(argc, argv, "+n:0r")) != -1) {
		zero |= c == '0';
		no_empty |= c == 'r';
		if (c == '?' || (c == 'n' && (!parse_int(optarg, &max) || max < 1)))
			return usage_error("[-0r] [-n COUNT] [COMMAND [ARG]...]");
	}
	for (int i = optind; i < argc; i++)
		list_add(&args, xstrdup(argv[i]));
	if (!args.len)
		list_add(&args, xstrdup("echo"));
	fixed = args.len;
	while (next_item(&item, zero)) {
		list_add(&args, xstrdup(item.data));
		bytes += item.len + 9;
		if (bytes < LIMIT && (!max || args.len - fixed < (size_t)max))
			continue;
		status |= run(&args);
		drop_items(&args, fixed);
		bytes = 0;
		ran = true;
	}
	if (args.len > fixed || (!ran && !no_empty))
		status |= run(&args);
	buf_free(&item);
	return status;
}
