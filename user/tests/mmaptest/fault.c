// SPDX-License-Identifier: BSD-2-Clause
/* fault.c - signals for bad accesses, the stack, fresh pages, signals and system calls. */
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>

#include "user/tests/mmaptest/harness.h"

static volatile int fault_count;
static volatile struct caught last_fault;

TEST(segv_details)
{
	char *p = map_anon(3, PROT_READ, MAP_PRIVATE);

	CHECK_WRITE_FAULT(p, SIGSEGV, SEGV_ACCERR);
	CHECK_WRITE_FAULT(p + PAGE + 1234, SIGSEGV, SEGV_ACCERR);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_READ_FAULT(p + PAGE + 1234, SIGSEGV, SEGV_MAPERR);
	CHECK_WRITE_FAULT(p + PAGE + 1234, SIGSEGV, SEGV_MAPERR);
	CHECK_READ_FAULT((char *)8, SIGSEGV, SEGV_MAPERR);
	CHECK_EQ(probe_read(p + 2 * PAGE).sig, 0);
}

/*
 * Memory written in order from anywhere in it. Pages made ahead were once put where the object's tree had no node for them yet, when the fault
 * was for the last page of one.
 */
TEST(written_in_order)
{
	for (size_t from = 0; from < 66; from++) {
		char *p = map_anon(140, RW, MAP_PRIVATE);

		for (size_t i = from; i < from + 40; i++)
			p[i * PAGE + i] = (char)(i + 1);
		for (size_t i = 0; i < 140; i++)
			CHECK_EQ(p[i * PAGE + i], i >= from && i < from + 40 ? (char)(i + 1) : 0);
		CHECK_EQ(munmap(p, 140 * PAGE), 0);
	}
}

/* An address of the kernel's half is like one without a mapping. */
TEST(segv_kernel_address)
{
	CHECK_READ_FAULT((char *)0xffffffff80200000, SIGSEGV, SEGV_MAPERR);
	CHECK_WRITE_FAULT((char *)0xffffffc000000000, SIGSEGV, SEGV_MAPERR);
	CHECK_READ_FAULT((char *)0x4000000000000000, SIGSEGV, SEGV_MAPERR);
}

/* Writable implies readable. The entry of the zero page once had no right at all: the fault came again for ever. */
TEST(write_only_reads)
{
	char *p = map_anon(4, PROT_WRITE, MAP_PRIVATE), *q = map_anon(2, PROT_WRITE, MAP_SHARED);
	int fds[2];

	CHECK_EQ(probe_read(p).sig, 0);
	CHECK_EQ(probe_read(q).sig, 0);
	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(write(fds[1], p + PAGE, 10), 10);
	CHECK_EQ(mprotect(p + 2 * PAGE, PAGE, PROT_WRITE), 0);
	CHECK_EQ(probe_read(p + 2 * PAGE).sig, 0);
	p[3 * PAGE] = 1;
	CHECK_EQ(p[3 * PAGE], 1);
}

/* Pages ahead of the fault stopped the kernel when they belonged into a node of the object's tree that was not there yet. */
TEST(run_across_tree_nodes)
{
	for (size_t at = 56; at < 72; at++) {
		volatile char *p = map_anon(140, PROT_READ | PROT_WRITE, MAP_PRIVATE);

		p[(at + 2) * PAGE] = p[(at + 1) * PAGE] = p[at * PAGE] = 1;
		p[(at + 3) * PAGE] = 2;
		CHECK_EQ(p[(at + 4) * PAGE], 0);
		CHECK_EQ(munmap((void *)p, 140 * PAGE), 0);
	}
}

/* A hole of a memfd read through a private mapping became a page of the memfd, writable: the store went to the file. */
TEST(private_hole_of_memfd)
{
	int fd = memfd_create("hole", 0);
	char *p, byte = 1;

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(*(volatile char *)p, 0);
	*(volatile char *)p = 'x';
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_EQ(byte, 0);
	CHECK_EQ(*(volatile char *)p, 'x');
}

/* ---- jumping into what is not code ------------------------------------------------- */

static jmp_buf exec_point;

static void on_exec_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	last_fault.sig = sig;
	last_fault.code = info->si_code;
	last_fault.addr = info->si_addr;
	if (uc->uc_mcontext.__gregs[REG_PC] != (unsigned long)info->si_addr)
		last_fault.sig = -1;
	longjmp(exec_point, 1);
}

static void try_jump(void *target, int code)
{
	catch_signal(SIGSEGV, on_exec_fault, SA_NODEFER);
	if (!setjmp(exec_point)) {
		((void (*)(void))target)();
		CHECK(!"came back");
	}
	CHECK_EQ(last_fault.sig, SIGSEGV);
	CHECK_EQ(last_fault.code, code);
	CHECK(last_fault.addr == target);
}

TEST(segv_execute)
{
	char *p = map_anon(2, RW, MAP_PRIVATE);

	memset(p, 0, 2 * PAGE);
	try_jump(p + 64, SEGV_ACCERR);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	try_jump(p + PAGE + 64, SEGV_MAPERR);
}

/* ---- handlers that mend and go on --------------------------------------------------- */

static void on_fault_unprotect(int sig, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)info->si_addr & -PAGE;

	(void)context;
	fault_count++;
	if (sig != SIGSEGV || info->si_code != SEGV_ACCERR || mprotect((void *)page, PAGE, RW) < 0)
		_exit(3);
}

TEST(handler_unprotects)
{
	char *p = map_anon(64, RW, MAP_PRIVATE);

	memset(p, 5, 64 * PAGE);
	CHECK_EQ(mprotect(p, 64 * PAGE, PROT_READ), 0);
	catch_signal(SIGSEGV, on_fault_unprotect, 0);
	for (int i = 0; i < 64; i++) {
		p[i * PAGE + i] = 6;
		p[i * PAGE + i + 1] = 7;
	}
	CHECK_EQ(fault_count, 64);
	CHECK_EQ(mprotect(p, 64 * PAGE, PROT_NONE), 0);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(p[i * PAGE + i] + p[i * PAGE + i + 1] + p[i * PAGE + 200], 18);
	CHECK_EQ(fault_count, 128);
}

static void on_fault_map(int sig, siginfo_t *info, void *context)
{
	char *page = (char *)((uintptr_t)info->si_addr & -PAGE);

	(void)context;
	(void)sig;
	fault_count++;
	if (info->si_code != SEGV_MAPERR ||
	    mmap(page, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != page)
		_exit(3);
	*page = 0x11;
}

TEST(handler_maps)
{
	char *p;

	use_altstack();
	p = map_anon(16, RW, MAP_PRIVATE);
	CHECK_EQ(munmap(p, 16 * PAGE), 0);
	catch_signal(SIGSEGV, on_fault_map, SA_ONSTACK);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(p[i * PAGE], 0x11);
	CHECK_EQ(fault_count, 16);
}

/* All registers are as before when the handler returns; the sum would show it. */
TEST(registers_survive_fault)
{
	long *p = (long *)map_anon(32, RW, MAP_PRIVATE);
	long a = 1, b = 2, c = 3, d = 4;
	double x = 1.5, y = 2.5;

	CHECK_EQ(mprotect(p, 32 * PAGE, PROT_NONE), 0);
	catch_signal(SIGSEGV, on_fault_unprotect, 0);
	for (int i = 0; i < 32; i++) {
		long v = p[i * PAGE / 8];

		a += v + i, b += a, c ^= b, d += c;
		x = x * 1.25 + (double)v, y += x;
	}
	CHECK_EQ(fault_count, 32);
	long e = 1, f = 2, g = 3, h = 4;
	double z = 1.5, w = 2.5;

	for (int i = 0; i < 32; i++) {
		e += i, f += e, g ^= f, h += g;
		z = z * 1.25, w += z;
	}
	CHECK(a == e && b == f && c == g && d == h);
	CHECK(x == z && y == w);
}

TEST(fault_in_blocked_signal_kills)
{
	char *p = map_anon(1, PROT_NONE, MAP_PRIVATE);
	int status;
	pid_t pid = spawn();

	if (pid == 0) {
		sigset_t set;

		catch_signal(SIGSEGV, on_fault_unprotect, 0);
		sigemptyset(&set);
		sigaddset(&set, SIGSEGV);
		sigprocmask(SIG_BLOCK, &set, NULL);
		*p = 1;
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

/* ---- the stack ----------------------------------------------------------------------- */

static int __attribute__((noinline)) recurse(int depth)
{
	volatile char frame[1024];

	for (size_t i = 0; i < sizeof(frame); i += 256)
		frame[i] = (char)depth;
	if (depth > 0 && recurse(depth - 1) != depth - 1)
		return -1;
	for (size_t i = 0; i < sizeof(frame); i += 256) {
		if (frame[i] != (char)depth)
			return -1;
	}
	return depth;
}

TEST(stack_growth)
{
	CHECK_EQ(recurse(4096), 4096); /* 4 MiB */
	CHECK_EQ(recurse(100), 100);
}

/* Growth by one large step, as a large array makes it. */
TEST(stack_growth_by_leap)
{
	volatile char *far = (volatile char *)__builtin_frame_address(0) - (1 << 20);

	CHECK_EQ(probe_write(far, 3).sig, 0);
	CHECK_EQ(*far, 3);
	CHECK_EQ(far[PAGE], 0);
}

static int __attribute__((noinline)) recurse_for_ever(volatile int *depth)
{
	volatile char frame[512];

	frame[0] = (char)++*depth;
	if (*depth < 0)
		return 0; /* never */
	return recurse_for_ever(depth) + frame[0];
}

#define STACK_LIMIT (1 << 20)

static volatile char *overflow_top;

static void on_overflow(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	char *sp = (char *)uc->uc_mcontext.__gregs[REG_SP], *addr = info->si_addr;
	long used = overflow_top - addr;

	CHECK_EQ(sig, SIGSEGV);
	CHECK_EQ(info->si_code, SEGV_MAPERR);
	CHECK(addr >= sp - 4096 && addr < sp + 4096);
	if (used <= STACK_LIMIT / 2 || used > STACK_LIMIT)
		fail(__FILE__, __LINE__, "a stack of %d ended after %ld", STACK_LIMIT, used);
	_exit(0);
}

static void overflow(void *arg)
{
	volatile int depth = 0;
	struct rlimit limit;

	(void)arg;
	CHECK_EQ(getrlimit(RLIMIT_STACK, &limit), 0);
	limit.rlim_cur = STACK_LIMIT;
	CHECK_EQ(setrlimit(RLIMIT_STACK, &limit), 0);
	use_altstack();
	catch_signal(SIGSEGV, on_overflow, SA_ONSTACK);
	overflow_top = __builtin_frame_address(0);
	recurse_for_ever(&depth);
}

TEST(stack_overflow)
{
	in_child(overflow, NULL);
}

TEST(stack_overflow_without_altstack)
{
	volatile int depth = 0;
	int status;
	pid_t pid = spawn();

	if (pid == 0) {
		catch_signal(SIGSEGV, on_overflow, 0);
		recurse_for_ever(&depth);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

/* ---- fresh memory ---------------------------------------------------------------------- */

TEST(zero_pages_are_independent)
{
	char *p = map_anon(64, RW, MAP_PRIVATE), *q = map_anon(64, RW, MAP_PRIVATE);

	CHECK(all_bytes(p, 0, 64 * PAGE));
	CHECK(all_bytes(q, 0, 64 * PAGE));
	for (int i = 0; i < 64; i += 2)
		memset(p + i * PAGE, i + 1, PAGE);
	for (int i = 0; i < 64; i++)
		CHECK(all_bytes(p + i * PAGE, (char)(i % 2 ? 0 : i + 1), PAGE));
	CHECK(all_bytes(q, 0, 64 * PAGE));
	CHECK(all_bytes(map_anon(64, PROT_READ, MAP_PRIVATE), 0, 64 * PAGE));
}

/* The kernel writes to a page that was only read so far. */
TEST(read_into_zero_page)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map_anon(3, RW, MAP_PRIVATE);

	CHECK(all_bytes(p, 0, 3 * PAGE));
	CHECK_EQ(read(fd, p + 100, 2 * PAGE), 2 * PAGE);
	check_pattern(p + 100, 0, 2 * PAGE);
	CHECK(all_bytes(p, 0, 100));
	CHECK(all_bytes(map_anon(3, RW, MAP_PRIVATE), 0, 3 * PAGE));
}

/* ---- signals during faults ------------------------------------------------------------- */

static volatile long alarms;

static void on_alarm(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	alarms++;
}

TEST(signals_during_faults)
{
	const struct itimerval every_ms = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};

	catch_signal(SIGALRM, on_alarm, SA_RESTART);
	CHECK_EQ(setitimer(ITIMER_REAL, &every_ms, NULL), 0);
	for (int round = 0; round < 40 || alarms < 10; round++) {
		char *p = map_anon(256, RW, MAP_PRIVATE);

		for (int i = 0; i < 256; i++) {
			CHECK_EQ(p[i * PAGE + 8], 0);
			p[i * PAGE + 8] = (char)(i + round);
		}
		for (int i = 0; i < 256; i++)
			CHECK_EQ(p[i * PAGE + 8], (char)(i + round));
		CHECK_EQ(munmap(p, 256 * PAGE), 0);
	}
	CHECK_EQ(setitimer(ITIMER_REAL, &off, NULL), 0);
}
