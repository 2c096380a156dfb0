// SPDX-License-Identifier: BSD-2-Clause
/*
 * efault.c - system calls given bad memory. Where a transfer runs into it after some bytes,
 * Linux counts those bytes, give or take the last words of its copy loop.
 */
#include <sys/uio.h>
#include <time.h>

#include "user/tests/mmaptest/harness.h"

#define COPY_SLACK 64

struct bad {
	char *unmapped, *read_only, *none; /* a page each */
	char *edge;			   /* the end of a good page, bad memory after it */
};

static struct bad make_bad(void)
{
	char *p = map_anon(8, RW, MAP_PRIVATE);

	memset(p, 0x55, 8 * PAGE);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_EQ(mprotect(p + 3 * PAGE, PAGE, PROT_READ), 0);
	CHECK_EQ(mprotect(p + 5 * PAGE, PAGE, PROT_NONE), 0);
	return (struct bad){p + PAGE, p + 3 * PAGE, p + 5 * PAGE, p + PAGE};
}

TEST(read_efault)
{
	int fd = make_file("f", 4 * PAGE);
	struct bad bad = make_bad();

	CHECK_ERR(read(fd, bad.unmapped, 10), EFAULT);
	CHECK_ERR(read(fd, bad.read_only, 10), EFAULT);
	CHECK_ERR(read(fd, bad.none, PAGE), EFAULT);
	CHECK_ERR(read(fd, NULL, 1), EFAULT);
	CHECK_ERR(read(fd, (void *)0xffffffff80000000, 1), EFAULT);
	CHECK_ERR(read(fd, (void *)-8L, 1), EFAULT);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK(all_bytes(bad.read_only, 0x55, PAGE));
	CHECK_EQ(read(fd, bad.read_only, 0), 0);
}

TEST(write_efault)
{
	int fd = make_file("f", 100);
	struct bad bad = make_bad();

	CHECK_ERR(write(fd, bad.unmapped, 10), EFAULT);
	CHECK_ERR(write(fd, bad.none, 10), EFAULT);
	CHECK_ERR(write(fd, NULL, 10), EFAULT);
	CHECK_ERR(write(fd, (void *)0xffffffff80000000, 10), EFAULT);
	CHECK_EQ(size_of_file(fd), 100);
	CHECK_EQ(pwrite(fd, bad.read_only, 10, 100), 10);
	CHECK_EQ(size_of_file(fd), 110);
}

TEST(read_partial)
{
	int fd = make_file("f", 4 * PAGE);
	struct bad bad = make_bad();
	ssize_t n = read(fd, bad.edge - 300, 1000);

	CHECK(n > 300 - COPY_SLACK && n <= 300);
	check_pattern(bad.edge - 300, 0, n);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), n);
	CHECK(all_bytes(bad.edge - PAGE, 0x55, PAGE - 300));
	n = pread(fd, bad.edge - PAGE, 3 * PAGE, 0);
	CHECK_EQ(n, PAGE);
	check_pattern(bad.edge - PAGE, 0, PAGE);
}

TEST(write_partial)
{
	int fd = make_file("f", 0);
	struct bad bad = make_bad();
	ssize_t n = write(fd, bad.edge - 256, 1000);

	/* with fewer good bytes than its copy loop takes at once Linux 6.12 never returns */
	CHECK_EQ(n, 256);
	CHECK_EQ(size_of_file(fd), n);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), n);
	CHECK_EQ(pread(fd, bad.edge - PAGE, PAGE, 0), n);
	CHECK(all_bytes(bad.edge - PAGE, 0x55, PAGE));
	n = pwrite(fd, bad.edge - PAGE, 3 * PAGE, 0);
	CHECK_EQ(n, PAGE);
	CHECK_EQ(size_of_file(fd), PAGE);
}

TEST(vectors_efault)
{
	int fd = make_file("f", 4 * PAGE);
	struct bad bad = make_bad();
	char good[100];
	struct iovec iov[2] = {{good, 100}, {bad.unmapped, 100}};

	CHECK_EQ(readv(fd, iov, 2), 100);
	check_pattern(good, 0, 100);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 100);
	CHECK_ERR(readv(fd, (struct iovec *)bad.unmapped, 1), EFAULT);
	CHECK_ERR(readv(fd, iov + 1, 1), EFAULT);
	CHECK_ERR(readv(fd, iov, -1), EINVAL);
	CHECK_ERR(readv(fd, iov, 1025), EINVAL);
	iov[0].iov_len = (size_t)-1;
	CHECK_ERR(readv(fd, iov, 1), EINVAL);
}

TEST(pipe_efault)
{
	struct bad bad = make_bad();
	int fds[2], free_fd = dup(0);

	close(free_fd);
	CHECK_ERR(pipe((int *)bad.unmapped), EFAULT);
	CHECK_ERR(pipe((int *)bad.read_only), EFAULT);
	CHECK_ERR(pipe((int *)(bad.edge - 4)), EFAULT);
	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(fds[0], free_fd); /* none was lost on the way */
	CHECK_ERR(write(fds[1], bad.unmapped, 10), EFAULT);
	CHECK_EQ(write(fds[1], "hello", 5), 5);
	CHECK_ERR(read(fds[0], bad.read_only, 5), EFAULT);
	CHECK_ERR(read(fds[0], bad.none, 5), EFAULT);
	CHECK_EQ(read(fds[0], bad.edge - 5, 5), 5); /* and they are still there */
	CHECK_EQ(memcmp(bad.edge - 5, "hello", 5), 0);
}

TEST(path_efault)
{
	struct bad bad = make_bad();

	close(make_file("f", 1));
	CHECK_ERR(open(bad.unmapped, O_RDONLY), EFAULT);
	CHECK_ERR(open(bad.none, O_RDONLY), EFAULT);
	CHECK_ERR(open(NULL, O_RDONLY), EFAULT);
	CHECK_ERR(unlink(bad.unmapped), EFAULT);
	memcpy(bad.edge - 2, "f", 2); /* the last byte of the page is the string's end */
	CHECK(open(bad.edge - 2, O_RDONLY) >= 0);
	bad.edge[-1] = 'g';
	CHECK_ERR(open(bad.edge - 2, O_RDONLY), EFAULT);
	memset(bad.edge - PAGE, 'x', PAGE);
	CHECK_ERR(open(bad.edge - 100, O_RDONLY), EFAULT);
	CHECK_ERR(open(bad.edge - PAGE, O_RDONLY), ENAMETOOLONG); /* PATH_MAX and no end */
}

TEST(struct_efault)
{
	struct bad bad = make_bad();
	struct timespec ts;

	CHECK_ERR(stat(".", (struct stat *)bad.read_only), EFAULT);
	CHECK_ERR(stat(".", (struct stat *)(bad.edge - 8)), EFAULT);
	CHECK_ERR(clock_gettime(CLOCK_MONOTONIC, (struct timespec *)bad.unmapped), EFAULT);
	CHECK_ERR(nanosleep((struct timespec *)bad.none, &ts), EFAULT);
	CHECK_ERR(sigaction(SIGUSR1, (struct sigaction *)bad.unmapped, NULL), EFAULT);
	CHECK_ERR(sigprocmask(SIG_BLOCK, (sigset_t *)bad.unmapped, NULL), EFAULT);
	CHECK_ERR((long)getcwd(bad.read_only, PAGE) == 0 ? -1 : 0, EFAULT);
}

TEST(wait_efault)
{
	struct bad bad = make_bad();
	pid_t pid = spawn();

	if (pid == 0)
		_exit(0);
	CHECK_ERR(waitpid(pid, (int *)bad.unmapped, 0), EFAULT);
}

TEST(exec_efault)
{
	struct bad bad = make_bad();
	char *argv[] = {"x", bad.unmapped, NULL};

	CHECK_ERR(execve(own_path, argv, NULL), EFAULT);
	CHECK_ERR(execve(own_path, (char **)bad.unmapped, NULL), EFAULT);
	CHECK_ERR(execve(bad.unmapped, argv, NULL), EFAULT);
}

/* The buffer is a file's page beyond EOF: for a user SIGBUS, for the kernel EFAULT. */
TEST(efault_beyond_eof)
{
	int fd = make_file("f", 100), other = make_file("g", PAGE);
	char *p = map_file(fd, 3, RW, MAP_SHARED, 0);

	CHECK_ERR(read(other, p + PAGE, 10), EFAULT);
	CHECK_ERR(write(other, p + 2 * PAGE, 10), EFAULT);
	CHECK_EQ(read(other, p, 10), 10);
	check_pattern(p, 0, 100);
}

/* The kernel's accesses fault in and copy on write like the program's own. */
TEST(kernel_copies_on_write)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map_anon(2, RW, MAP_PRIVATE), *q = map_file(fd, 2, RW, MAP_PRIVATE, 0);
	pid_t pid;

	memset(p, 1, 2 * PAGE);
	pid = spawn();
	if (pid == 0) {
		CHECK_EQ(pread(fd, p + 10, PAGE, 0), PAGE);
		check_pattern(p + 10, 0, PAGE);
		CHECK_EQ(pread(fd, q + PAGE, 10, 0), 10);
		check_pattern(q + PAGE, 0, 10);
		_exit(0);
	}
	join(pid);
	CHECK(all_bytes(p, 1, 2 * PAGE));
	check_pattern(q, 0, 2 * PAGE);
	CHECK_EQ(byte_of_file(fd, PAGE), pattern(PAGE));
}
