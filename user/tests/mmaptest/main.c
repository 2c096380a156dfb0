// SPDX-License-Identifier: BSD-2-Clause
/*
 * mmaptest - tests of mmap and its kin; prints TAP.
 *
 * usage: mmaptest [-d DIR] [-t SECONDS] [NAME]...	(no name: all of them; a test that takes longer hangs)
 *	  mmaptest -l			names the tests
 *	  mmaptest -s ...		others run beside it: kernel objects that are there afterwards are not counted
 *
 * Each test is a process, leader of a process group, in a directory of its own below DIR (.).
 * Exit status 0: all passed. The time limit only ends what hangs.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>

#include "user/tests/mmaptest/run.h"

static int time_limit = 60; /* seconds */
bool system_shared;

static struct test *tests, **tests_end = &tests;
static volatile pid_t running; /* the group to end at the alarm */
static volatile sig_atomic_t timed_out;

void test_register(struct test *t)
{
	*tests_end = t;
	tests_end = &t->next;
}

static void on_alarm(int sig)
{
	(void)sig;
	timed_out = 1;
	if (running > 0)
		kill(-running, SIGKILL);
}

static void __attribute__((noreturn)) run_child(struct test *t, int fd)
{
	struct rlimit no_core = {0, 0};

	report_fd = fd;
	setpgid(0, 0);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGALRM, SIG_DFL);
	if (mkdir(t->name, 0755) < 0 || chdir(t->name) < 0)
		fail(__FILE__, __LINE__, "cannot make the directory %s", t->name);
	errno = 0;
	t->run();
	_exit(0);
}

/* Everything the test and its descendants say, until the last of them is gone. */
static size_t read_report(int fd, char *text, size_t size)
{
	size_t len = 0;
	char rest[128];

	for (;;) {
		char *to = len < size - 1 ? text + len : rest;
		ssize_t n = read(fd, to, len < size - 1 ? size - 1 - len : sizeof(rest));

		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		if (n > 0 && to != rest)
			len += n;
	}
	text[len] = '\0';
	return len;
}

static void remove_directory(const char *name)
{
	DIR *dir = opendir(name);
	struct dirent *e;
	char path[512];

	while (dir && (e = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", name, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (dir)
		closedir(dir);
	rmdir(name);
}

static void print_reasons(char *text)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		printf("# %s\n", line);
}

static bool judge(int number, struct test *t, int status, char *text)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
		printf("ok %d - %s # SKIP %s", number, t->name, text);
		return true;
	}
	if (status == 0 && !text[0]) {
		printf("ok %d - %s\n", number, t->name);
		return true;
	}
	printf("not ok %d - %s\n", number, t->name);
	print_reasons(text);
	if (timed_out)
		printf("# hangs: ended after %d s\n", time_limit);
	else if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	return false;
}

static bool run_test(int number, struct test *t)
{
	int fds[2], status = -1;
	char text[2048];
	bool good;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	fflush(stdout);
	timed_out = 0;
	running = fork();
	if (running == 0) {
		close(fds[0]);
		run_child(t, fds[1]);
	}
	setpgid(running, running);
	close(fds[1]);
	alarm((unsigned int)time_limit);
	read_report(fds[0], text, sizeof(text));
	while (running > 0 && waitpid(running, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	close(fds[0]);
	remove_directory(t->name);
	good = judge(number, t, status, text);
	fflush(stdout);
	return good;
}

static bool chosen(const struct test *t, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++) {
		if (strcmp(*names, t->name) == 0)
			return true;
	}
	return false;
}

static int run_all(char **names)
{
	int count = 0, number = 0, failed = 0;

	for (struct test *t = tests; t; t = t->next)
		count += chosen(t, names);
	if (count == 0) {
		fprintf(stderr, "mmaptest: no such test\n");
		return 2;
	}
	printf("1..%d\n", count);
	for (struct test *t = tests; t; t = t->next) {
		if (chosen(t, names))
			failed += !run_test(++number, t);
	}
	if (failed)
		printf("# %d of %d failed\n", failed, count);
	return failed != 0;
}

/* The path of this program, absolute, for the tests leave the directory. */
static void find_own_path(const char *name)
{
	static char path[1024];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0) {
		if (name[0] == '/' || !getcwd(path, sizeof(path) / 2))
			path[0] = '\0';
		else
			strcat(path, "/");
		strncat(path, name, sizeof(path) / 2 - 1);
	}
	own_path = path;
}

static int run_in(const char *dir, char **names)
{
	struct sigaction act = {.sa_handler = on_alarm};
	char work[64];
	int result;

	snprintf(work, sizeof(work), "mmaptest.%d", (int)getpid());
	if (chdir(dir) < 0 || mkdir(work, 0755) < 0 || chdir(work) < 0) {
		fprintf(stderr, "mmaptest: cannot make %s/%s: %s\n", dir, work, strerror(errno));
		return 2;
	}
	sigaction(SIGALRM, &act, NULL);
	result = run_all(names);
	if (chdir("..") < 0 || rmdir(work) < 0) {
		printf("# cannot remove %s: %s\n", work, strerror(errno));
		result = 1;
	}
	return result;
}

int main(int argc, char **argv)
{
	const char *dir = ".";
	int opt;

	if (argc == 2 && strcmp(argv[1], EXEC_WORD) == 0)
		return EXEC_STATUS;
	while ((opt = getopt(argc, argv, "d:lst:")) != -1) {
		if (opt == 't')
			time_limit = atoi(optarg);
		else if (opt == 'd') {
			dir = optarg;
		} else if (opt == 's') {
			system_shared = true;
		} else if (opt == 'l') {
			for (struct test *t = tests; t; t = t->next)
				puts(t->name);
			return 0;
		} else {
			fprintf(stderr, "usage: mmaptest [-ls] [-d DIR] [-t SECONDS] [NAME]...\n");
			return 2;
		}
	}
	find_own_path(argv[0]);
	return run_in(dir, argv + optind);
}
