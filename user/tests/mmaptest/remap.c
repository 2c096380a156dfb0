// SPDX-License-Identifier: BSD-2-Clause
/* remap.c - mremap over what a fork or a growth left, DONTUNMAP, remap_file_pages, holes made by madvise, locked memory. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "user/tests/mmaptest/harness.h"

/* Grows what a child shares, again and again: a program sees one mapping, whatever it is made of. */
TEST(mremap_grows_shared_with_child)
{
	char *p = map_anon(2, RW, MAP_PRIVATE);
	struct turns t;
	pid_t pid;

	turns_init(&t);
	memset(p, 1, 2 * PAGE);
	pid = spawn();
	if (pid == 0) {
		await_turn(&t, 1);
		CHECK(all_bytes(p, 1, 2 * PAGE));
		_exit(0);
	}
	for (size_t n = 2; n < 32; n += 2) {
		char *q = mremap(p, n * PAGE, (n + 2) * PAGE, MREMAP_MAYMOVE, NULL);

		CHECK(q != MAP_FAILED);
		CHECK(all_bytes(q, 1, n * PAGE));
		CHECK(all_bytes(q + n * PAGE, 0, 2 * PAGE));
		memset(q + n * PAGE, 1, 2 * PAGE);
		p = q;
	}
	hand_over(&t, 0);
	join(pid);
	CHECK_EQ(mremap(p, 32 * PAGE, PAGE, 0, NULL), p);
	CHECK_UNMAPPED(p + PAGE);
}

/* A private mapping of a file that has copies grows into more of the file. */
TEST(mremap_grows_private_file)
{
	int fd = make_file("f", 8 * PAGE);
	char *p = map_file(fd, 8, RW, MAP_PRIVATE, 0);

	CHECK_EQ(munmap(p + 2 * PAGE, 6 * PAGE), 0);
	p[PAGE] = 99;
	CHECK_EQ(mremap(p, 2 * PAGE, 4 * PAGE, 0, NULL), p);
	CHECK_EQ(p[PAGE], 99);
	check_pattern(p + 2 * PAGE, 2 * PAGE, 2 * PAGE);
	p[3 * PAGE] = 98;
	p = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, NULL);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(p[PAGE], 99);
	CHECK_EQ(p[3 * PAGE], 98);
	check_pattern(p + 4 * PAGE, 4 * PAGE, 4 * PAGE);
	CHECK_EQ(byte_of_file(fd, 3 * PAGE), pattern(3 * PAGE));
}

TEST(mremap_dontunmap)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
	int fd = make_file("f", 2 * PAGE);
	char *p = map_anon(4, RW, MAP_PRIVATE), *q;

	memset(p, 7, 4 * PAGE);
	q = mremap(p + PAGE, 2 * PAGE, 2 * PAGE, flags, NULL);
	CHECK(q != MAP_FAILED && q != p + PAGE);
	CHECK(all_bytes(q, 7, 2 * PAGE));
	CHECK(all_bytes(p + PAGE, 0, 2 * PAGE));
	CHECK(all_bytes(p, 7, PAGE) && all_bytes(p + 3 * PAGE, 7, PAGE));
	p[PAGE] = 1;
	q[0] = 2;
	CHECK_EQ(p[PAGE], 1);

	p = map_file(fd, 2, RW, MAP_PRIVATE, 0);
	p[0] = 99;
	q = mremap(p, 2 * PAGE, 2 * PAGE, flags, NULL);
	CHECK(q != MAP_FAILED);
	CHECK_EQ(q[0], 99);
	check_pattern(p, 0, 2 * PAGE);

	p = map_anon(2, RW, MAP_SHARED);
	p[0] = 5;
	q = mremap(p, 2 * PAGE, 2 * PAGE, flags, NULL);
	CHECK(q != MAP_FAILED);
	q[1] = 6;
	CHECK_EQ(p[0] + p[1], 11);
}

TEST(mremap_old_size_zero)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map_file(fd, 2, RW, MAP_SHARED, PAGE);
	char *q = mremap(p + PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE, NULL);

	CHECK(q != MAP_FAILED);
	check_pattern(q, 2 * PAGE, 2 * PAGE);
	q[0] = 77;
	CHECK_EQ(p[PAGE], 77);
	CHECK_EQ(munmap(p, 2 * PAGE), 0);
	CHECK_EQ(q[0], 77);
}

/* What is to be seen once more cannot be in the place for that. */
TEST(mremap_old_size_zero_onto_itself)
{
	char *p = map_anon(4, RW, MAP_SHARED), *q = p + 2 * PAGE;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	memset(p, 3, 4 * PAGE);
	CHECK_ERR(mremap(q, 0, 3 * PAGE, flags, p + PAGE), EINVAL);
	CHECK_EQ(mremap(q, 0, 2 * PAGE, flags, p), p);
	CHECK(all_bytes(p, 3, 4 * PAGE));
	CHECK_ERR(mremap(q, 0, 2 * PAGE, flags, q), EFAULT);
	CHECK(all_bytes(p, 3, 2 * PAGE));
}

TEST(remap_file_pages_rearranges)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map_file(fd, 4, RW, MAP_SHARED, 0);

	for (int i = 0; i < 4; i++)
		CHECK_EQ(syscall(SYS_remap_file_pages, p + i * PAGE, PAGE, 0, 3 - i, 0), 0);
	for (int i = 0; i < 4; i++)
		check_pattern(p + i * PAGE, (3 - i) * PAGE, PAGE);
	p[0] = 88;
	CHECK_EQ(byte_of_file(fd, 3 * PAGE), 88);
}

/* MADV_REMOVE makes a hole: in shared memory, and in the file where its file system can. */
TEST(madvise_remove)
{
	char *p = map_anon(4, RW, MAP_SHARED);
	int fd = make_file("f", 4 * PAGE);

	memset(p, 9, 4 * PAGE);
	CHECK_EQ(madvise(p + PAGE, 2 * PAGE, MADV_REMOVE), 0);
	CHECK(all_bytes(p, 9, PAGE) && all_bytes(p + PAGE, 0, 2 * PAGE));
	CHECK(all_bytes(p + 3 * PAGE, 9, PAGE));
	p = map_file(fd, 4, RW, MAP_SHARED, 0);
	if (madvise(p + PAGE, PAGE, MADV_REMOVE) < 0) {
		CHECK_EQ(errno, EOPNOTSUPP);
		return;
	}
	CHECK_EQ(byte_of_file(fd, PAGE + 5), 0);
	CHECK(all_bytes(p + PAGE, 0, PAGE));
	check_pattern(p + 2 * PAGE, 2 * PAGE, 2 * PAGE);
}

static long locked_kib(void)
{
	char text[2048];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	CHECK(n > 0);
	close(fd);
	text[n] = '\0';
	CHECK(strstr(text, "VmLck:") != NULL);
	return atol(strstr(text, "VmLck:") + 6);
}

static void lock_limits(void *arg)
{
	struct rlimit limit = {8 * PAGE, 8 * PAGE};
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	char *p = arg;

	CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	CHECK_EQ(setuid(1000), 0);
	CHECK_EQ(mlock(p, 8 * PAGE), 0);
	CHECK_EQ(locked_kib(), 32);
	CHECK_EQ(mlock(p, 4 * PAGE), 0);
	CHECK_ERR(mlock(p + 8 * PAGE, PAGE), ENOMEM);
	CHECK_ERR(mlockall(MCL_CURRENT), ENOMEM);
	CHECK_ERR(mmap(NULL, PAGE, RW, anon | MAP_LOCKED, -1, 0), EAGAIN);
	CHECK_ERR(mremap(p + 4 * PAGE, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, NULL), EAGAIN);
	CHECK_EQ(munlock(p, 4 * PAGE), 0);
	CHECK_EQ(mlock(p + 8 * PAGE, 4 * PAGE), 0);
	CHECK_EQ(munlockall(), 0);
	CHECK_EQ(locked_kib(), 0);
	limit.rlim_cur = 0;
	CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	CHECK_ERR(mlock(p, PAGE), EPERM);
	CHECK_ERR(mlockall(MCL_FUTURE), EPERM);
	CHECK_ERR(mmap(NULL, PAGE, RW, anon | MAP_LOCKED, -1, 0), EPERM);
}

TEST(mlock_limits)
{
	if (getuid() != 0)
		skip("not root");
	in_child(lock_limits, map_anon(16, RW, MAP_PRIVATE));
}

TEST(mlock_onfault)
{
	char *p = map_anon(4, RW, MAP_PRIVATE);
	unsigned char vec[4];

	CHECK_EQ(syscall(SYS_mlock2, p, 4 * PAGE, 1), 0);
	CHECK_EQ(mincore(p, 4 * PAGE, vec), 0);
	CHECK_EQ(vec[0] | vec[3], 0);
	p[PAGE] = 1;
	CHECK_EQ(mincore(p, 4 * PAGE, vec), 0);
	CHECK_EQ(vec[1], 1);
	CHECK_EQ(locked_kib(), 16);
	CHECK_ERR(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_EQ(mlock(p, 4 * PAGE), 0);
	CHECK_EQ(mincore(p, 4 * PAGE, vec), 0);
	CHECK_EQ(vec[0] & vec[2] & vec[3], 1);
	CHECK_EQ(munlock(p, 4 * PAGE), 0);
}

/* mlockall(MCL_FUTURE): what is mapped later is there at once. */
TEST(mlock_future)
{
	unsigned char vec[2];
	char *p;

	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	p = map_anon(2, RW, MAP_PRIVATE);
	CHECK_EQ(mincore(p, 2 * PAGE, vec), 0);
	CHECK_EQ(vec[0] & vec[1], 1);
	CHECK_EQ(mlockall(MCL_FUTURE | 4), 0);
	p = map_anon(2, RW, MAP_PRIVATE);
	CHECK_EQ(mincore(p, 2 * PAGE, vec), 0);
	CHECK_EQ(vec[0] | vec[1], 0);
	CHECK_EQ(munlockall(), 0);
	CHECK_EQ(locked_kib(), 0);
}

TEST(mprotect_growsdown)
{
	char *p = map_anon(8, PROT_NONE, MAP_PRIVATE), *q;

	CHECK_EQ(munmap(p, 8 * PAGE), 0);
	q = mmap(p + 4 * PAGE, 4 * PAGE, RW,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	CHECK_EQ(q, p + 4 * PAGE);
	CHECK_EQ(mprotect(q + 2 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN), 0);
	CHECK_WRITE_FAULT(q, SIGSEGV, SEGV_ACCERR);
	CHECK_WRITE_FAULT(q + 2 * PAGE, SIGSEGV, SEGV_ACCERR);
	q[3 * PAGE] = 1;
}

/* The limits on address space and data hold for every call that makes more of it. */
static void space_limits(void *arg)
{
	struct rlimit all, data;
	char *p = arg;

	CHECK_EQ(getrlimit(RLIMIT_AS, &all), 0);
	data = (struct rlimit){64 * PAGE, all.rlim_max};
	CHECK_EQ(setrlimit(RLIMIT_AS, &data), 0);
	CHECK_ERR(mmap(NULL, 4096 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK_ERR(mremap(p, 16 * PAGE, 4096 * PAGE, MREMAP_MAYMOVE, NULL), ENOMEM);
	CHECK_EQ(setrlimit(RLIMIT_AS, &all), 0);

	data.rlim_cur = PAGE;
	CHECK_EQ(setrlimit(RLIMIT_DATA, &data), 0);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	CHECK(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	CHECK_ERR(mprotect(p, PAGE, RW), ENOMEM);
	CHECK_ERR(mremap(p + 16 * PAGE, 16 * PAGE, 32 * PAGE, MREMAP_MAYMOVE, NULL), ENOMEM);
	CHECK_ERR(brk((char *)sbrk(0) + 16 * PAGE), ENOMEM);
}

TEST(space_limits)
{
	char *p = map_anon(32, RW, MAP_PRIVATE);

	CHECK_EQ(mprotect(p, 16 * PAGE, PROT_READ), 0);
	in_child(space_limits, p);
}
