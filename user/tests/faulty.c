// SPDX-License-Identifier: BSD-2-Clause
/*
 * faulty - ends in the way its argument names: for tests of what a parent is told.
 *
 * usage: faulty segv|write|exec|bus|ill|trap|fpe|abort|overflow|exit N|kill SIGNAL
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void segv(void)
{
	volatile char *volatile p = (volatile char *)8;

	(void)*p;
}

static void write_to_text(void)
{
	*(volatile char *)(unsigned long)&segv = 0;
}

static void exec_data(void)
{
	static int data[4];

	((void (*)(void))(unsigned long)data)();
}

/* A mapping beyond the end of a file. */
static void bus(void)
{
	char name[] = "/tmp/faultyXXXXXX";
	int fd = open(name, O_RDWR | O_CREAT, 0600);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	unlink(name);
	if (p != MAP_FAILED)
		(void)*p;
}

static void ill(void)
{
	__asm__ volatile(".half 0, 0");
}

static void trap(void)
{
	__asm__ volatile("ebreak");
}

static void fpe(void)
{
	raise(SIGFPE); /* a division traps nowhere on riscv */
}

static int __attribute__((noinline)) deeper(volatile int *depth)
{
	volatile char frame[1000];

	frame[0] = (char)++*depth;
	if (*depth < 0)
		return 0; /* never */
	return deeper(depth) + frame[0];
}

static void overflow(void)
{
	volatile int depth = 0;

	deeper(&depth);
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{"segv", segv},		{"write", write_to_text}, {"exec", exec_data}, {"bus", bus},
	{"ill", ill},		{"trap", trap},		  {"fpe", fpe},	       {"abort", abort},
	{"overflow", overflow},
};

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	if (argc == 3 && strcmp(argv[1], "kill") == 0) {
		kill(getpid(), atoi(argv[2]));
		return 0;
	}
	for (size_t i = 0; argc == 2 && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(argv[1], ways[i].name) == 0) {
			ways[i].run();
			fprintf(stderr, "faulty: %s did not end it\n", argv[1]);
			return 99;
		}
	}
	fprintf(stderr,
		"usage: faulty segv|write|exec|bus|ill|trap|fpe|abort|overflow|exit N|kill SIGNAL\n");
	return 2;
}
