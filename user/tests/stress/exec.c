// SPDX-License-Identifier: BSD-2-Clause
/* exec.c - programs started by fork or vfork, from processes with much or little memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/tests/stress/stress.h"

#define EXIT_STATUS 23 /* of stress -x */

/* Arguments of random lengths go to the new stack. */
static char **make_args(struct job *j)
{
	unsigned int count = 2 + pick(j, 30);
	char **argv = calloc(count + 1, sizeof(*argv));

	if (!argv)
		bad(j, "no memory");
	argv[0] = "stress";
	argv[1] = "-x";
	for (unsigned int i = 2; i < count; i++) {
		size_t len = pick(j, 2000);

		argv[i] = malloc(len + 1);
		if (!argv[i])
			bad(j, "no memory");
		memset(argv[i], 'a', len);
		argv[i][len] = '\0';
	}
	return argv;
}

static void free_args(char **argv)
{
	for (char **p = argv + 2; *p; p++)
		free(*p);
	free(argv);
}

static void run_program(struct job *j, const char *path, int status)
{
	char **argv = make_args(j);
	pid_t pid = pick(j, 2) ? fork() : vfork();

	if (pid == 0) {
		execv(path, argv);
		_exit(errno);
	}
	if (pid < 0)
		bad(j, "fork");
	expect_exit(j, pid, status);
	free_args(argv);
	++*j->count;
}

void stress_exec(struct job *j)
{
	char *p = map_or_die(j, j->memory / 2, MAP_PRIVATE);

	while (!time_is_over()) {
		memset(p, (int)pick(j, 256), 1 + pick(j, j->memory / 2));
		if (pick(j, 10))
			run_program(j, "/proc/self/exe", EXIT_STATUS);
		else
			run_program(j, "/no/such/program", ENOENT);
	}
}
