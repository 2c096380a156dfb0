// SPDX-License-Identifier: BSD-2-Clause
/*
 * failnth.c - every allocation inside every call fails once: the call then fails with ENOMEM (or does without), and nothing
 * has changed: not the map, not the bytes, not the number of the kernel's objects.
 *
 * It needs /proc/self/fail-nth, which debug kernels have (Linux: CONFIG_FAULT_INJECTION).
 */
#include <stdio.h>
#include <sys/syscall.h>

#include "user/tests/mmaptest/harness.h"

#define PAGES 16
#define MAPS  (64 * 1024)

static int nth_fd;
static char *w; /* the window the calls work in: PAGES pages, page i full of i + 1 */
static int file_fd;
static void *target; /* a free range of 4 * PAGES pages behind the window */
static char maps_before[MAPS], maps_after[MAPS], small[4096];

static void arm(unsigned n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	CHECK_EQ(pwrite(nth_fd, text, len, 0), len);
}

/* Allocations until the one that fails; 0: it has. */
static unsigned left(void)
{
	char text[16] = "";

	CHECK(pread(nth_fd, text, sizeof(text) - 1, 0) > 0);
	return (unsigned)atoi(text);
}

static void read_file(const char *name, char *to)
{
	int fd = open(name, O_RDONLY);
	size_t len = 0;
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, to + len, MAPS - 1 - len)) > 0)
		len += n;
	to[len] = '\0';
	close(fd);
}

/* Objects in use of a slab cache. Uses maps_after. */
static long in_use(const char *cache)
{
	char key[32];
	const char *row;

	read_file("/proc/slabinfo", maps_after);
	snprintf(key, sizeof(key), "\n%s ", cache);
	row = strstr(maps_after, key);
	CHECK(row != NULL);
	return atol(row + strlen(key));
}

static const char *const caches[] = {"vm_area", "vm_object", "vm_family", "vm_map"};

/* ---- the window -------------------------------------------------------------------- */

static void window_make(void)
{
	w = map_anon(6 * PAGES, PROT_NONE, MAP_PRIVATE);
	CHECK_EQ(mprotect(w, PAGES * PAGE, RW), 0);
	CHECK_EQ(munmap(w + PAGES * PAGE, 5 * PAGES * PAGE), 0);
	target = w + 2 * PAGES * PAGE;
	for (size_t i = 0; i < PAGES; i++)
		memset(w + i * PAGE, (int)(i + 1), PAGE);
}

static void window_check(void)
{
	for (size_t i = 0; i < PAGES; i++)
		CHECK(all_bytes(w + i * PAGE, (char)(i + 1), PAGE));
}

static void window_end(void)
{
	CHECK_EQ(munmap(w, 6 * PAGES * PAGE), 0);
}

/* ---- the calls ---------------------------------------------------------------------- */

struct call {
	const char *name;
	long (*run)(void);
	void (*undo)(void); /* what a success left outside the window; NULL: nothing */
};

static long last_result;

static long at_target(long len, int prot, int flags, int fd)
{
	return (long)mmap(target, len, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);
}

static long run_mmap_private(void)
{
	return at_target(4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}
static long run_mmap_shared(void)
{
	return at_target(4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
}
static long run_mmap_file(void)
{
	return at_target(4 * PAGE, RW, MAP_PRIVATE, file_fd);
}
static long run_mmap_file_shared(void)
{
	return at_target(4 * PAGE, RW, MAP_SHARED, file_fd);
}
static long run_mmap_populate(void)
{
	return at_target(4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
}
static long run_mmap_locked(void)
{
	return at_target(4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1);
}
static long run_mmap_stack(void)
{
	return at_target(4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1);
}
static long run_mmap_over(void)
{
	return (long)mmap(w + 4 * PAGE, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file_fd, 0);
}
static long run_munmap(void)
{
	return munmap(w + 4 * PAGE, 4 * PAGE);
}
static long run_mprotect(void)
{
	return mprotect(w + 4 * PAGE, 4 * PAGE, PROT_READ);
}
static long run_mprotect_none(void)
{
	return mprotect(w + 4 * PAGE, 4 * PAGE, PROT_NONE);
}
static long run_mremap_shrink(void)
{
	return (long)mremap(w + 4 * PAGE, 4 * PAGE, PAGE, 0);
}
static long run_mremap_grow(void)
{
	return (long)mremap(w, PAGES * PAGE, (PAGES + 2) * PAGE, 0);
}
static long run_mremap_move(void)
{
	return last_result = (long)mremap(w + 4 * PAGE, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
}
static void undo_move(void)
{
	CHECK_EQ(munmap((void *)last_result, 8 * PAGE), 0);
}
static long run_mremap_fixed(void)
{
	return (long)mremap(w + 4 * PAGE, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    target);
}
static long run_mremap_onto(void)
{
	return (long)mremap(w + 4 * PAGE, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    w + 8 * PAGE);
}
static long run_mremap_keep(void)
{
	return last_result = (long)mremap(w + 4 * PAGE, 4 * PAGE, 4 * PAGE,
					  MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
}
static void undo_keep(void)
{
	CHECK_EQ(munmap((void *)last_result, 4 * PAGE), 0);
}
static long run_madvise_dontneed(void)
{
	return madvise(w + 4 * PAGE, 4 * PAGE, MADV_DONTNEED);
}
static long run_madvise_free(void)
{
	return madvise(w + 4 * PAGE, 4 * PAGE, MADV_FREE);
}
static long run_madvise_random(void)
{
	return madvise(w + 4 * PAGE, 4 * PAGE, MADV_RANDOM);
}
static long run_madvise_dontfork(void)
{
	return madvise(w + 4 * PAGE, 4 * PAGE, MADV_DONTFORK);
}
static long run_madvise_willneed(void)
{
	return madvise(w, PAGES * PAGE, MADV_WILLNEED);
}
static long run_madvise_populate(void)
{
	return madvise(w, PAGES * PAGE, MADV_POPULATE_WRITE);
}
static long run_mlock(void)
{
	return mlock(w + 4 * PAGE, 4 * PAGE);
}
static long run_mlockall(void)
{
	return mlockall(MCL_CURRENT | MCL_FUTURE);
}
static void undo_mlockall(void)
{
	CHECK_EQ(munlockall(), 0);
}
static long run_msync(void)
{
	return msync(w, PAGES * PAGE, MS_SYNC);
}
static long run_mincore(void)
{
	static unsigned char vec[PAGES];

	return mincore(w, PAGES * PAGE, vec);
}
static long run_memfd(void)
{
	return last_result = memfd_create("failnth", 0);
}
static void undo_fd(void)
{
	close((int)last_result);
}
static long run_open_maps(void)
{
	int fd = open("/proc/self/maps", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, small, sizeof(small));
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return n;
}

static char *heap;

static long run_brk(void)
{
	heap = sbrk(0);
	return brk(heap + 4 * PAGE);
}
static void undo_brk(void)
{
	CHECK_EQ(brk(heap), 0);
}
static long run_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return last_result = pid;
}
static void undo_fork(void)
{
	join((pid_t)last_result);
}

/* In a child, which the failure may end: past the point of no return execve cannot report. */
static long run_exec(void)
{
	char *const argv[] = {(char *)own_path, (char *)"-l", NULL}, *const envp[] = {NULL};

	return execve(own_path, argv, envp);
}

static const struct call calls[] = {
	{"mmap private", run_mmap_private, NULL},
	{"mmap shared", run_mmap_shared, NULL},
	{"mmap file", run_mmap_file, NULL},
	{"mmap file shared", run_mmap_file_shared, NULL},
	{"mmap populate", run_mmap_populate, NULL},
	{"mmap locked", run_mmap_locked, NULL},
	{"mmap growsdown", run_mmap_stack, NULL},
	{"mmap fixed", run_mmap_over, NULL},
	{"munmap", run_munmap, NULL},
	{"mprotect", run_mprotect, NULL},
	{"mprotect none", run_mprotect_none, NULL},
	{"mremap shrink", run_mremap_shrink, NULL},
	{"mremap grow", run_mremap_grow, NULL},
	{"mremap move", run_mremap_move, undo_move},
	{"mremap fixed", run_mremap_fixed, NULL},
	{"mremap onto", run_mremap_onto, NULL},
	{"mremap dontunmap", run_mremap_keep, undo_keep},
	{"madvise dontneed", run_madvise_dontneed, NULL},
	{"madvise free", run_madvise_free, NULL},
	{"madvise random", run_madvise_random, NULL},
	{"madvise dontfork", run_madvise_dontfork, NULL},
	{"madvise willneed", run_madvise_willneed, NULL},
	{"madvise populate", run_madvise_populate, NULL},
	{"mlock", run_mlock, NULL},
	{"mlockall", run_mlockall, undo_mlockall},
	{"msync", run_msync, NULL},
	{"mincore", run_mincore, NULL},
	{"memfd_create", run_memfd, undo_fd},
	{"brk", run_brk, undo_brk},
	{"fork", run_fork, undo_fork},
	{"open and read maps", run_open_maps, NULL},
};

/* ---- one call, with its n-th allocation failing --------------------------------------- */

/* A failed call has changed nothing that one can see. */
static void check_unchanged(const struct call *c, unsigned n, int error)
{
	if (error != ENOMEM && error != EAGAIN)
		fail(__FILE__, __LINE__, "%s: allocation %u fails: errno is %d", c->name, n, error);
	read_file("/proc/self/maps", maps_after);
	if (strcmp(maps_before, maps_after) != 0) {
		for (size_t i = 0; maps_before[i]; i++) {
			if (maps_before[i] != maps_after[i])
				fail(__FILE__, __LINE__,
				     "%s: allocation %u fails: the map is another: %.60s", c->name,
				     n, maps_after + i);
		}
	}
	window_check();
}

/* False once the call needs fewer than n allocations. */
static bool try_nth(const struct call *c, unsigned n)
{
	bool fired;
	int error;
	long r;

	window_make();
	read_file("/proc/self/maps", maps_before);
	arm(n);
	r = c->run();
	error = errno;
	fired = left() == 0;
	arm(0);
	if (r == -1 && !fired)
		fail(__FILE__, __LINE__, "%s: errno %d without a failure", c->name, error);
	if (r == -1)
		check_unchanged(c, n, error);
	else if (c->undo)
		c->undo();
	window_end();
	return fired;
}

static void try_call(const struct call *c)
{
	long before[sizeof(caches) / sizeof(*caches)];
	unsigned n = 1;

	while (try_nth(c, 1000000)) /* makes what is made once */
		;
	for (size_t i = 0; i < sizeof(caches) / sizeof(*caches); i++)
		before[i] = in_use(caches[i]);
	while (try_nth(c, n)) {
		if (++n > 2000)
			fail(__FILE__, __LINE__, "%s: still more allocations", c->name);
	}
	for (size_t i = 0; i < sizeof(caches) / sizeof(*caches); i++) {
		if (!system_shared && in_use(caches[i]) != before[i])
			fail(__FILE__, __LINE__, "%s leaks: %ld %s, then %ld", c->name, before[i],
			     caches[i], in_use(caches[i]));
	}
}

static void need_injector(void)
{
	nth_fd = open("/proc/self/fail-nth", O_RDWR);
	if (nth_fd < 0)
		skip("this kernel cannot make allocations fail");
	file_fd = make_file("f", PAGES * PAGE);
}

TEST(every_allocation_fails_once)
{
	need_injector();
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		try_call(&calls[i]);
}

/* The same on memory that is shared with a forked process: splits and copies of shadows. */
TEST(every_allocation_fails_once_forked)
{
	struct turns t;
	pid_t pid;

	need_injector();
	turns_init(&t);
	window_make();
	pid = spawn();
	if (pid == 0) {
		hand_over(&t, 1); /* what it writes to is its own by now */
		await_turn(&t, 1);
		_exit(0);
	}
	await_turn(&t, 0);
	window_end();
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		try_call(&calls[i]);
	hand_over(&t, 0);
	join(pid);
}

/* True if the program ran. */
static bool exec_nth(unsigned n)
{
	pid_t pid = spawn();
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
		CHECK(nth_fd >= 0);
		dup2(null, 1);
		dup2(null, 2);
		arm(n);
		run_exec();
		_exit(errno == ENOMEM ? 3 : 4);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
				  : WEXITSTATUS(status) == 3 || WEXITSTATUS(status) == 0);
	return status == 0;
}

/* Some failures are done without, so that it succeeds now and then before the last. */
TEST(every_allocation_of_exec_fails_once)
{
	unsigned n = 1;

	need_injector();
	for (int good = 0; good < 30; n++) {
		CHECK(n < 3000);
		good = exec_nth(n) ? good + 1 : 0;
	}
	CHECK(n > 40);
}
