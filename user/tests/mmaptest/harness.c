// SPDX-License-Identifier: BSD-2-Clause
/* harness.c - what the tests share: reports, caught faults, files and processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/statfs.h>

#include "user/tests/mmaptest/run.h"

int report_fd = -1;
const char *own_path;

static void report(const char *format, va_list ap)
{
	char text[512];
	int len = vsnprintf(text, sizeof(text), format, ap);

	if (len > (int)sizeof(text) - 1)
		len = sizeof(text) - 1;
	if (write(report_fd, text, len) < 0)
		_exit(EXIT_BROKEN);
}

static void reportf(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	report(format, ap);
	va_end(ap);
}

void fail(const char *file, int line, const char *format, ...)
{
	const char *base = strrchr(file, '/');
	char text[400];
	int error = errno;
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	reportf("%s:%d: %s (errno %d)\n", base ? base + 1 : file, line, text, error);
	_exit(EXIT_FAILED);
}

void skip(const char *why)
{
	reportf("%s\n", why);
	_exit(EXIT_SKIPPED);
}

void check_equal(const char *file, int line, const char *what, long got, long want)
{
	if (got != want)
		fail(file, line, "%s is %ld (%#lx), want %ld (%#lx)", what, got, got, want, want);
}

void check_error(const char *file, int line, const char *what, long got, int want)
{
	if (got != -1)
		fail(file, line, "%s gives %ld, want errno %d", what, got, want);
	if (errno != want)
		fail(file, line, "%s: want errno %d", what, want);
}

/* ---- faults ---------------------------------------------------------------------- */

static jmp_buf probe_point;
static volatile struct caught probe_result;

void catch_signal(int sig, void (*handler)(int, siginfo_t *, void *), unsigned long flags)
{
	struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	CHECK_EQ(sigaction(sig, &act, NULL), 0);
}

static void on_probe_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	probe_result.sig = sig;
	probe_result.code = info->si_code;
	probe_result.addr = info->si_addr;
	longjmp(probe_point, 1);
}

static void probe_begin(void)
{
	probe_result.sig = 0;
	probe_result.code = 0;
	probe_result.addr = NULL;
	catch_signal(SIGSEGV, on_probe_fault, SA_NODEFER);
	catch_signal(SIGBUS, on_probe_fault, SA_NODEFER);
}

static struct caught probe_end(void)
{
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	return (struct caught){probe_result.sig, probe_result.code, probe_result.addr};
}

struct caught probe_read(volatile void *p)
{
	probe_begin();
	if (!setjmp(probe_point))
		(void)*(volatile char *)p;
	return probe_end();
}

struct caught probe_write(volatile void *p, char value)
{
	probe_begin();
	if (!setjmp(probe_point))
		*(volatile char *)p = value;
	return probe_end();
}

void check_caught(const char *file, int line, struct caught got, int sig, int code,
		  volatile void *addr)
{
	if (got.sig != sig || got.code != code || got.addr != addr)
		fail(file, line, "access to %p: signal %d code %d at %p, want signal %d code %d",
		     (void *)addr, got.sig, got.code, (void *)got.addr, sig, code);
}

void use_altstack(void)
{
	stack_t stack = {.ss_size = 16 * PAGE};

	stack.ss_sp = map_anon(16, RW, MAP_PRIVATE);
	CHECK_EQ(sigaltstack(&stack, NULL), 0);
}

/* ---- memory and files ------------------------------------------------------------ */

char *map_anon(size_t pages, int prot, int flags)
{
	char *p = mmap(NULL, pages * PAGE, prot, flags | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK_EQ((uintptr_t)p % PAGE, 0);
	return p;
}

char *map_file(int fd, size_t pages, int prot, int flags, off_t offset)
{
	char *p = mmap(NULL, pages * PAGE, prot, flags, fd, offset);

	CHECK(p != MAP_FAILED);
	CHECK_EQ((uintptr_t)p % PAGE, 0);
	return p;
}

/* No two pages and no two neighbours are alike, and none is 0. */
char pattern(size_t offset)
{
	return (char)(1 + (offset * 7 + offset / PAGE * 13) % 251);
}

int make_file(const char *name, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	char buf[512];

	CHECK(fd >= 0);
	for (size_t done = 0; done < size;) {
		size_t n = size - done < sizeof(buf) ? size - done : sizeof(buf);

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(done + i);
		CHECK_EQ(write(fd, buf, n), n);
		done += n;
	}
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

bool all_bytes(const volatile char *p, char value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != value)
			return false;
	}
	return true;
}

void check_pattern(const volatile char *p, size_t offset, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != pattern(offset + i))
			fail(__FILE__, __LINE__, "offset %zu holds %d, want %d", offset + i, p[i],
			     pattern(offset + i));
	}
}

char byte_of_file(int fd, off_t offset)
{
	char c;

	CHECK_EQ(pread(fd, &c, 1, offset), 1);
	return c;
}

void put_byte(int fd, off_t offset, char value)
{
	CHECK_EQ(pwrite(fd, &value, 1, offset), 1);
}

long size_of_file(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st.st_size;
}

bool on_tmpfs(void)
{
	struct statfs st;

	CHECK_EQ(statfs(".", &st), 0);
	return st.f_type == 0x01021994;
}

/* ---- processes ------------------------------------------------------------------- */

pid_t spawn(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	return pid;
}

void join(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail(__FILE__, __LINE__, "child %d: wait status %#x", (int)pid, status);
}

void in_child(void (*fn)(void *), void *arg)
{
	pid_t pid = spawn();

	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	join(pid);
}

void turns_init(struct turns *t)
{
	CHECK_EQ(pipe(t->pipes[0]), 0);
	CHECK_EQ(pipe(t->pipes[1]), 0);
}

void hand_over(struct turns *t, int side)
{
	CHECK_EQ(write(t->pipes[side][1], "", 1), 1);
}

void await_turn(struct turns *t, int side)
{
	char c;

	CHECK_EQ(read(t->pipes[!side][0], &c, 1), 1);
}

uint32_t random_next(uint32_t *state)
{
	uint32_t x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}
