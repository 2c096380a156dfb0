// SPDX-License-Identifier: BSD-2-Clause
/* aslr.c - where programs land: at random, and not when asked. */
#include <stdio.h>
#include <sys/syscall.h>

#include "user/tests/mmaptest/harness.h"

#define ADDR_NO_RANDOMIZE 0x0040000

struct places {
	unsigned long stack, vdso, heap, map;
};

/* Where the kernel put a program's memory, by its own /proc/PID/maps: sleeping in `cat` of a pipe. */
static struct places look(unsigned long persona)
{
	struct places at = {0};
	char name[40], line[300];
	bool before_exec = true;
	int fds[2];
	pid_t pid;
	FILE *f;

	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	pid = spawn();
	if (pid == 0) {
		char *const argv[] = {(char *)"cat", NULL}, *const envp[] = {NULL};

		dup2(fds[0], 0);
		CHECK(syscall(SYS_personality, persona) >= 0);
		execve("/bin/cat", argv, envp);
		_exit(9);
	}
	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	for (int tries = 0; (before_exec || !at.stack) && tries < 2000; tries++) {
		usleep(5000);
		f = fopen(name, "r");
		CHECK(f != NULL);
		at = (struct places){0};
		before_exec = false;
		while (fgets(line, sizeof(line), f)) {
			unsigned long start = strtoul(line, NULL, 16);

			before_exec = before_exec || strstr(line, own_path);
			if (strstr(line, "[stack]"))
				at.stack = start;
			else if (strstr(line, "[vdso]"))
				at.vdso = start;
			else if (strstr(line, "[heap]"))
				at.heap = start;
		}
		fclose(f);
	}
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK(!before_exec && at.stack && at.vdso);
	close(fds[0]);
	close(fds[1]);
	return at;
}

/* The heap may not have been there yet. */
static bool same(const struct places *a, const struct places *b)
{
	return a->stack == b->stack && a->vdso == b->vdso &&
	       (a->heap == b->heap || !a->heap || !b->heap);
}

/* A program that lies elsewhere than the one before: once in 16384 the stack is where it was. */
static struct places look_elsewhere(const struct places *before, bool heap_too)
{
	struct places at = {0};

	for (int tries = 0; tries < 3; tries++) {
		at = look(0);
		if (at.stack != before->stack && at.vdso != before->vdso &&
		    (!heap_too || at.heap != before->heap || !at.heap))
			return at;
	}
	fail(__FILE__, __LINE__, "stack %lx, vdso %lx, heap %lx, before %lx, %lx, %lx", at.stack,
	     at.vdso, at.heap, before->stack, before->vdso, before->heap);
}

static int setting(void)
{
	char text[8] = "";
	int fd = open("/proc/sys/kernel/randomize_va_space", O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return atoi(text);
}

static bool set(const char *text)
{
	int fd = open("/proc/sys/kernel/randomize_va_space", O_WRONLY);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return good;
}

TEST(randomize_va_space)
{
	struct places a, b, c;

	if (setting() != 2 || getuid() != 0)
		skip("not root, or addresses are not random");
	a = look(0);
	(void)look_elsewhere(&a, true);
	a = look(ADDR_NO_RANDOMIZE);
	b = look(ADDR_NO_RANDOMIZE);
	CHECK(same(&a, &b));
	CHECK(set("0"));
	c = look(0);
	CHECK(same(&a, &c));
	CHECK(set("1"));
	(void)look_elsewhere(&c, false);
	CHECK(set("2\n"));
	CHECK(!set("x"));
}

/* Root may map page 0, others nothing below mmap_min_addr. */
static void map_low(void *arg)
{
	(void)arg;
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EPERM);
}

TEST(mmap_min_addr)
{
	if (getuid() != 0)
		skip("not root");
	in_child(map_low, NULL);
	CHECK_EQ(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), 0);
	CHECK_EQ(read(open("/dev/zero", O_RDONLY), (void *)(uintptr_t)1, 16), 16);
}
