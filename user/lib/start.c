// SPDX-License-Identifier: BSD-2-Clause
/*
 * start.c - from the kernel's initial stack to main(), and what it left there.
 *
 * The stack holds argc, argv[], 0, envp[], 0, auxv[] in this order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "user/lib/syscall.h"

extern char __tdata_start[], __tdata_size[], __main_tls[];
extern void (*__preinit_array_start[])(void), (*__preinit_array_end[])(void);
extern void (*__init_array_start[])(void), (*__init_array_end[])(void);
extern void (*__fini_array_start[])(void), (*__fini_array_end[])(void);
extern int main(int argc, char **argv, char **envp);

static const unsigned long *auxv;

void __stdio_flush_all(void);
void __start_c(long *stack) __attribute__((noreturn));

static void (**exit_functions)(void); /* as atexit() got them */
static size_t exit_count, exit_room;

int atexit(void (*fn)(void))
{
	if (exit_count == exit_room) {
		size_t room = exit_room * 2 + 8;
		void *p = realloc(exit_functions, room * sizeof(*exit_functions));

		if (!p)
			return -1;
		exit_functions = p;
		exit_room = room;
	}
	exit_functions[exit_count++] = fn;
	return 0;
}

/* Not picolibc's: its versions differ in what they run. */
void exit(int status)
{
	while (exit_count > 0)
		exit_functions[--exit_count]();
	for (void (**fn)(void) = __fini_array_end; fn > __fini_array_start;)
		(*--fn)();
	__stdio_flush_all();
	_exit(status);
}

void __start_c(long *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	char **envp = argv + argc + 1;
	char **end = envp;

	memcpy(__main_tls, __tdata_start, (size_t)__tdata_size);
	while (*end)
		end++;
	auxv = (const unsigned long *)(end + 1);
	environ = envp;
	for (void (**fn)(void) = __preinit_array_start; fn < __preinit_array_end; fn++)
		(*fn)();
	for (void (**fn)(void) = __init_array_start; fn < __init_array_end; fn++)
		(*fn)();
	exit(main(argc, argv, envp));
}

unsigned long getauxval(unsigned long type)
{
	for (const unsigned long *a = auxv; a && a[0] != AT_NULL; a += 2) {
		if (a[0] == type)
			return a[1];
	}
	errno = ENOENT;
	return 0;
}

long __sysret(long result)
{
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}

void _exit(int status)
{
	for (;;)
		sys(exit_group, status);
}
