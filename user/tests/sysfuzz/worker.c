// SPDX-License-Identifier: BSD-2-Clause
/*
 * worker.c - one process that calls, with the threads and children that its own clones make.
 *
 * A child of clone goes on calling for a while, on a stack of its own whatever the call said about stacks, and ends.  A timer
 * interrupts what blocks.  Accesses to the arena that fault are skipped by the handler: it moves the pc behind them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

#include "user/lib/syscall.h"
#include "user/tests/sysfuzz/sysfuzz.h"

#define STACKS	    16
#define STACK_SIZE  16384
#define MAX_CLONES  24
#define CHILD_CALLS 24
#define POOL_SIZE   16384

static char stacks[STACKS][STACK_SIZE] __attribute__((aligned(16)));
static char pools[STACKS + 1][POOL_SIZE] __attribute__((aligned(16)));
static unsigned int next_stack;
static struct slot *my_slot;
static bool my_root;

/* ---- touching memory ---- */

extern const char touch_start[], touch_end[];

__attribute__((noinline)) static void touch(volatile char *p, bool write)
{
	long value = write;

	__asm__ volatile(".option push\n.option norvc\n.globl touch_start, touch_end\n"
			 "touch_start:\n"
			 "	beqz %0, 1f\n"
			 "	sb %0, 0(%1)\n"
			 "	j touch_end\n"
			 "1:	lb %0, 0(%1)\n"
			 "touch_end:\n.option pop\n"
			 : "+r"(value)
			 : "r"(p)
			 : "memory");
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	unsigned long pc = uc->uc_mcontext.__gregs[0];

	(void)info;
	if (pc >= (unsigned long)touch_start && pc < (unsigned long)touch_end) {
		uc->uc_mcontext.__gregs[0] = (unsigned long)touch_end;
		return;
	}
	nr(exit_group, 128 + sig); /* a wild jump, or a stack that is gone */
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void restore_signals(void)
{
	struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct sigaction quiet = {.sa_handler = on_alarm};
	uint64_t none = 0;
	uint64_t every[4] = {0, 10000, 0, 10000};

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGALRM, &quiet, NULL);
	sigaction(SIGPIPE, &quiet, NULL);
	sigaction(SIGXFSZ, &quiet, NULL);
	nr(rt_sigprocmask, 2, &none, 0, 8, 0, 0);
	nr(setitimer, 0, every, 0, 0, 0, 0);
}

/* ---- descriptors ---- */

static void open_some(struct fuzzer *f)
{
	static const char *const names[] = {
		"sfa", "sff", "sfd", "sfg", "/dev/null", "/dev/zero", "/proc/self/maps", "."};
	int pair[2];

	for (unsigned int k = 0; k < 3; k++)
		nr(openat, -100, CHOOSE(f, names),
		   draw(f, 2) ? O_RDWR | O_CREAT | O_NONBLOCK : O_RDONLY, 0666);
	switch (draw(f, 6)) {
	case 0:
		nr(pipe2, pair, O_NONBLOCK);
		break;
	case 1:
		nr(eventfd2, 3, O_NONBLOCK);
		break;
	case 2:
		nr(epoll_create1, 0);
		break;
	case 3:
		nr(memfd_create, "sfm", 2);
		break;
	case 4:
		nr(timerfd_create, 1, O_NONBLOCK);
		break;
	default:
		nr(mkdirat, -100, "sfd", 0777);
		break;
	}
}

/* ---- calling ---- */

static void child_main(uint64_t seed) __attribute__((noreturn, used));
static void fuzz_once(struct fuzzer *f);

static void child_main(uint64_t seed)
{
	unsigned int k = __atomic_fetch_add(&next_stack, 1, __ATOMIC_RELAXED) % STACKS;
	struct fuzzer f = {.random = seed, .slot = my_slot, .pool = pools[1 + k], .root = my_root};
	unsigned int n = 1 + (unsigned int)draw(&f, CHILD_CALLS);

	while (n--)
		fuzz_once(&f);
	for (;;)
		nr(exit, 0);
}

/* clone and clone3: the child runs child_main(seed) on `stack`, not on what the call gave it. */
static long call_clone(int number, const uint64_t *a, uint64_t seed, char *stack)
{
	register uint64_t a0 __asm__("a0") = a[0];
	register uint64_t a1 __asm__("a1") = a[1];
	register uint64_t a2 __asm__("a2") = a[2];
	register uint64_t a3 __asm__("a3") = a[3];
	register uint64_t a4 __asm__("a4") = a[4];
	register long a7 __asm__("a7") = number;
	register uint64_t s2 __asm__("s2") = seed;
	register char *s3 __asm__("s3") = stack;
	register unsigned long s4 __asm__("s4");

	__asm__ volatile("mv s4, tp\n"
			 "ecall\n"
			 "bnez a0, 1f\n"
			 "mv tp, s4\n"
			 "mv sp, s3\n"
			 "mv a0, s2\n"
			 "call child_main\n"
			 "1:\n"
			 : "+r"(a0), "=&r"(s4)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7), "r"(s2), "r"(s3)
			 : "memory", "ra");
	return (long)a0;
}

/*
 * Takes the harm out of a call that would reach beyond the fuzzer's own processes: signals for everybody, for the harness and
 * for what ran before it; priorities of a whole user; the console switched off.
 */
static void tame(int number, const char *kinds, uint64_t *a)
{
	for (unsigned int k = 0; kinds[k] && kinds[k] != '-'; k++) {
		int32_t pid = (int32_t)a[k];

		if (kinds[k] == 'k' && pid != INT32_MIN &&
		    (pid < 0 ? -pid : pid) <= shared->harness)
			a[k] = 0;
	}
	if (number == NR_setpriority && (int32_t)a[0] == 2)
		a[0] = 0;
	if (number == NR_syslog && (int32_t)a[0] >= 6 && (int32_t)a[0] <= 8)
		a[0] = 10;
}

static long do_call(struct fuzzer *f, int number, const uint64_t *a)
{
	if (number == NR_clone || number == NR_clone3) {
		unsigned int k;

		if (__atomic_fetch_add(&f->slot->clones, 1, __ATOMIC_RELAXED) >= MAX_CLONES)
			return -EAGAIN;
		k = next_stack % STACKS;
		f->slot->child =
			(int32_t)call_clone(number, a, draw_word(f), stacks[k] + STACK_SIZE);
		return f->slot->child;
	}
	return sys6(number, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
}

static void say_call(const struct slot *s, int number, const uint64_t *a)
{
	char line[200];
	int n = snprintf(line, sizeof(line), "%d %s(%lx, %lx, %lx, %lx, %lx, %lx)\n", (int)s->pid,
			 find_call(number)->name, (long)a[0], (long)a[1], (long)a[2], (long)a[3],
			 (long)a[4], (long)a[5]);

	nr(write, 2, line, n);
}

/* Calls that end or replace the worker are made seldom. */
static bool too_final(struct fuzzer *f, int number)
{
	switch (number) {
	case NR_exit:
	case NR_exit_group:
	case NR_execve:
	case NR_execveat:
	case NR_rt_sigreturn:
	case NR_chroot:
		return draw(f, 20) != 0;
	case NR_mount:
	case NR_sync:
	case NR_kill:
		return draw(f, 4) != 0;
	default:
		return false;
	}
}

static const struct call *choose_call(struct fuzzer *f)
{
	for (;;) {
		const struct call *c = &calls[draw(f, ncalls)];

		if (call_kinds(c->nr)[0] != '-' && !too_final(f, c->nr))
			return c;
	}
}

static void fuzz_once(struct fuzzer *f)
{
	const struct call *c = choose_call(f);
	const char *kinds = call_kinds(c->nr);
	struct slot *s = f->slot;
	uint64_t a[6] = {0};
	long result;

	for (unsigned int k = 0; k < 6; k++)
		a[k] = kinds[0] && *kinds ? make_arg(f, draw(f, 30) ? *kinds++ : (kinds++, 'x'))
					  : 0;
	tame(c->nr, call_kinds(c->nr), a);
	s->nr = c->nr;
	memcpy(s->args, a, sizeof(a));
	if (shared->trace)
		say_call(s, c->nr, a);
	result = do_call(f, c->nr, a);
	__atomic_fetch_add(&s->calls, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared->tried[c->nr], 1, __ATOMIC_RELAXED);
	if (result < 0 && result > -4096)
		return;
	__atomic_fetch_add(&s->good, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared->worked[c->nr], 1, __ATOMIC_RELAXED);
}

static void limit(int what, uint64_t soft)
{
	struct rlimit r = {soft, soft};

	setrlimit(what, &r);
}

static void set_limits(void)
{
	limit(RLIMIT_AS, 24UL << 20);
	limit(RLIMIT_FSIZE, 1UL << 20);
	limit(RLIMIT_NOFILE, 64);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, 10); /* so long a real-time one that spins keeps others from running */
}

void worker_main(struct slot *slot, uint64_t seed, bool root)
{
	struct fuzzer f = {.random = seed, .slot = slot, .pool = pools[0], .root = root};
	unsigned int n = 200 + (unsigned int)draw(&f, 2000);

	my_slot = slot;
	my_root = root;
	nr(setsid);
	set_limits();
	if (!root && nr(getuid) == 0) {
		nr(setgroups, 0, 0);
		nr(setgid, 1000);
		nr(setuid, 1000);
	}
	for (unsigned int k = 0; k < n; k++) {
		if (k % 32 == 0)
			restore_signals();
		if (k % 64 == 0)
			arena_build(&f);
		if (k % 48 == 0)
			open_some(&f);
		if (draw(&f, 3) == 0)
			touch(arena + draw(&f, ARENA_PAGES) * PAGE, draw(&f, 2));
		fuzz_once(&f);
	}
	nr(exit_group, 0);
}
