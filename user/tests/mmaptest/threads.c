// SPDX-License-Identifier: BSD-2-Clause
/* threads.c - several threads and processes at one memory at the same time. */
#include <linux/futex.h>
#include <threads_lite.h>

#include "user/tests/mmaptest/harness.h"

#define THREADS 4
#define PAGES	256

static struct arena {
	char *base;
	volatile int go, stop;
	int number; /* handed out to the threads */
	int fd;
} arena;

static void start_line(void)
{
	while (!arena.go)
		sched_yield();
}

static void run_threads(void *(*fn)(void *), int count)
{
	struct thread threads[THREADS] = {0};

	arena.number = 0;
	arena.go = 0;
	for (int i = 0; i < count; i++)
		CHECK_EQ(thread_create(&threads[i], fn, NULL), 0);
	arena.go = 1;
	for (int i = 0; i < count; i++)
		CHECK_EQ((long)thread_join(&threads[i]), 0);
}

/* Each thread adds 1 to a word of every page; no page may be made twice. */
static void *add_everywhere(void *arg)
{
	start_line();
	for (int i = 0; i < PAGES; i++)
		__atomic_fetch_add((int *)(arena.base + i * PAGE), 1, __ATOMIC_RELAXED);
	return arg;
}

TEST(threads_fault_fresh_pages)
{
	for (int round = 0; round < 10; round++) {
		arena.base = map_anon(PAGES, RW, MAP_PRIVATE);
		run_threads(add_everywhere, THREADS);
		for (int i = 0; i < PAGES; i++)
			CHECK_EQ(*(int *)(arena.base + i * PAGE), THREADS);
		CHECK_EQ(munmap(arena.base, PAGES * PAGE), 0);
	}
}

TEST(threads_fault_file_pages)
{
	int fd = make_file("f", 0);

	CHECK_EQ(ftruncate(fd, PAGES * PAGE), 0);
	arena.base = map_file(fd, PAGES, RW, MAP_SHARED, 0);
	run_threads(add_everywhere, THREADS);
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(byte_of_file(fd, i * PAGE), THREADS);
	arena.base = map_file(fd, PAGES, RW, MAP_PRIVATE, 0);
	run_threads(add_everywhere, THREADS);
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(*(int *)(arena.base + i * PAGE), 2 * THREADS);
	CHECK_EQ(byte_of_file(fd, 0), THREADS);
}

TEST(threads_copy_on_write)
{
	arena.base = map_anon(PAGES, RW, MAP_PRIVATE);
	for (int i = 0; i < PAGES; i++)
		*(int *)(arena.base + i * PAGE) = 100;
	for (int round = 0; round < 5; round++) {
		pid_t pid = spawn();

		if (pid == 0)
			run_threads(add_everywhere, THREADS);
		else
			run_threads(add_everywhere, THREADS);
		for (int i = 0; i < PAGES; i++)
			CHECK_EQ(*(int *)(arena.base + i * PAGE), 100 + (round + 1) * THREADS);
		if (pid == 0)
			_exit(0);
		join(pid);
	}
}

/* Zero-page reads race with writes: a reader sees 0 or what was written, never less again. */
static void *read_and_write(void *arg)
{
	int me = __atomic_fetch_add(&arena.number, 1, __ATOMIC_RELAXED);

	start_line();
	for (int i = 0; i < PAGES; i++) {
		volatile int *p = (int *)(arena.base + i * PAGE);

		if (me == 0) {
			*p = i + 1;
		} else {
			int seen = *p, again = *p;

			if ((seen != 0 && seen != i + 1) || (seen && again != seen))
				return (void *)1;
		}
	}
	return arg;
}

TEST(threads_read_while_written)
{
	for (int round = 0; round < 20; round++) {
		arena.base = map_anon(PAGES, RW, MAP_PRIVATE);
		run_threads(read_and_write, THREADS);
		for (int i = 0; i < PAGES; i++)
			CHECK_EQ(*(int *)(arena.base + i * PAGE), i + 1);
		CHECK_EQ(munmap(arena.base, PAGES * PAGE), 0);
	}
}

/* Threads map, use and unmap while others do: nobody gets somebody else's memory. */
static void *map_and_unmap(void *arg)
{
	char me = (char)(1 + __atomic_fetch_add(&arena.number, 1, __ATOMIC_RELAXED));

	start_line();
	for (int i = 0; i < 40; i++) {
		size_t pages = 1 + i % 7;
		char *p = mmap(NULL, pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED || !all_bytes(p, 0, pages * PAGE))
			return (void *)1;
		memset(p, me, pages * PAGE);
		if (i % 5 == 0)
			sched_yield();
		if (!all_bytes(p, me, pages * PAGE) || munmap(p, pages * PAGE) < 0)
			return (void *)2;
	}
	return arg;
}

TEST(threads_map_and_unmap)
{
	run_threads(map_and_unmap, THREADS);
}

/* Absent pages of a memory file are made for readers while others take them away. */
#define HOLES 2000

static void *read_or_cut(void *arg)
{
	int id = __atomic_fetch_add(&arena.number, 1, __ATOMIC_RELAXED);
	char byte;

	start_line();
	for (int i = 0; i < HOLES; i++) {
		if (id % 2) {
			ssize_t n = pread(arena.fd, &byte, 1, (i & 7) * PAGE);

			if (n < 0 || (n == 1 && byte))
				return (void *)1;
		} else if (ftruncate(arena.fd, 0) || ftruncate(arena.fd, 8 * PAGE)) {
			return (void *)2;
		}
	}
	return arg;
}

TEST(threads_read_and_truncate)
{
	arena.fd = memfd_create("holes", MFD_CLOEXEC);
	CHECK(arena.fd >= 0);
	run_threads(read_or_cut, THREADS);
	close(arena.fd);
}

/* A page goes read-only: after mprotect returned no other hart's old entry lets a write by. */
static void *write_always(void *arg)
{
	volatile int *p = (int *)arena.base;

	start_line();
	while (!arena.stop)
		p[0] = p[0] + 1;
	return arg;
}

static void on_fault_wait(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (info->si_addr != arena.base || info->si_code != SEGV_ACCERR)
		_exit(3);
	sched_yield();
}

TEST(mprotect_stops_other_threads)
{
	struct thread t = {0};
	volatile int *p;

	arena.base = map_anon(1, RW, MAP_PRIVATE);
	p = (volatile int *)arena.base;
	catch_signal(SIGSEGV, on_fault_wait, 0);
	CHECK_EQ(thread_create(&t, write_always, NULL), 0);
	arena.go = 1;
	for (int i = 0; i < 200; i++) {
		int before;

		CHECK_EQ(mprotect(arena.base, PAGE, PROT_READ), 0);
		before = *p;
		for (int n = 0; n < 200; n++)
			CHECK_EQ(*p, before);
		CHECK_EQ(mprotect(arena.base, PAGE, RW), 0);
		while (*p == before)
			sched_yield();
	}
	arena.stop = 1;
	CHECK_EQ((long)thread_join(&t), 0);
}

/* fork while another thread writes: the child has one consistent, unchanging copy. */
static void *count_up(void *arg)
{
	volatile long *p = (long *)arena.base;

	start_line();
	for (long n = 1; !arena.stop; n++) {
		p[0] = n; /* always first */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		p[PAGE / sizeof(long)] = n;
	}
	return arg;
}

TEST(fork_while_written)
{
	struct thread t = {0};
	volatile long *p;

	arena.base = map_anon(2, RW, MAP_PRIVATE);
	p = (long *)arena.base;
	CHECK_EQ(thread_create(&t, count_up, NULL), 0);
	arena.go = 1;
	for (int i = 0; i < 30; i++) {
		pid_t pid = spawn();

		if (pid == 0) {
			long first = p[0], second = p[PAGE / sizeof(long)];

			usleep(1000);
			CHECK(p[0] == first && p[PAGE / sizeof(long)] == second);
			_exit(0);
		}
		join(pid);
	}
	arena.stop = 1;
	CHECK_EQ((long)thread_join(&t), 0);
}

/* ---- futexes on shared memory ---------------------------------------------------------- */

static void futex_ping_pong(int *word, int side)
{
	for (int i = 0; i < 200; i++) {
		int seen;

		while ((seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) % 2 != side) {
			if (futex(word, FUTEX_WAIT, seen, NULL) < 0)
				CHECK(errno == EAGAIN || errno == EINTR);
		}
		__atomic_store_n(word, seen + 1, __ATOMIC_RELEASE);
		CHECK(futex(word, FUTEX_WAKE, 1, NULL) >= 0);
	}
}

TEST(futex_shared_anonymous)
{
	int *word = (int *)map_anon(1, RW, MAP_SHARED);
	pid_t pid = spawn();

	futex_ping_pong(word, pid == 0);
	if (pid == 0)
		_exit(0);
	join(pid);
	CHECK_EQ(*word, 400);
}

/* The same word of a file at different addresses in the two. */
TEST(futex_shared_file)
{
	int fd = make_file("f", 0);
	char *p;
	pid_t pid;

	CHECK_EQ(ftruncate(fd, 4 * PAGE), 0);
	pid = spawn();
	if (pid == 0)
		map_anon(5, RW, MAP_PRIVATE);
	p = map_file(fd, 3, RW, MAP_SHARED, pid == 0 ? PAGE : 0);
	futex_ping_pong((int *)(p + (pid == 0 ? PAGE : 2 * PAGE) + 64), pid == 0);
	if (pid == 0)
		_exit(0);
	join(pid);
	CHECK_EQ(*(int *)(p + 2 * PAGE + 64), 400);
}

TEST(futex_bad_args)
{
	char *p = map_anon(2, RW, MAP_SHARED);
	int *word = (int *)p;
	struct timespec soon = {0, 1000000};

	CHECK_ERR(futex(word, FUTEX_WAIT, 1, NULL), EAGAIN);
	CHECK_ERR(futex(word, FUTEX_WAIT, 0, &soon), ETIMEDOUT);
	CHECK_ERR(futex((int *)(p + 1), FUTEX_WAIT, 0, &soon), EINVAL);
	CHECK_EQ(futex(word, FUTEX_WAKE, 1, NULL), 0);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_ERR(futex((int *)(p + PAGE), FUTEX_WAIT, 0, &soon), EFAULT);
}
