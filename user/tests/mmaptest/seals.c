// SPDX-License-Identifier: BSD-2-Clause
/* seals.c - memfd_create and its seals. */
#include <stdio.h>
#include <sys/syscall.h>

#include "user/tests/mmaptest/harness.h"

#define ADD_SEALS 1033
#define GET_SEALS 1034
#define SEAL	  1
#define SHRINK	  2
#define GROW	  4
#define WRITE	  8
#define FUTURE	  16
#define EXEC	  32
#define NOEXEC	  8 /* MFD_NOEXEC_SEAL */

/* Three pages of pattern. */
static int sealable(unsigned flags)
{
	int fd = memfd_create("seals", MFD_ALLOW_SEALING | flags);
	char page[PAGE];

	CHECK(fd >= 0);
	for (size_t i = 0; i < 3 * PAGE; i++) {
		page[i % PAGE] = pattern(i);
		if (i % PAGE == PAGE - 1)
			CHECK_EQ(write(fd, page, PAGE), PAGE);
	}
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static unsigned mode_of(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st.st_mode & 07777;
}

static long punch(int fd, off_t off, off_t len)
{
	return syscall(SYS_fallocate, fd, 3, off, len);
}

TEST(seals_need_to_be_allowed)
{
	int fd = memfd_create("x", 0), ro, fds[2];
	char name[40];

	CHECK_EQ(fcntl(fd, GET_SEALS), SEAL);
	CHECK_ERR(fcntl(fd, ADD_SEALS, GROW), EPERM);
	CHECK_EQ(mode_of(fd), 0777);
	fd = sealable(0);
	CHECK_EQ(fcntl(fd, GET_SEALS), 0);
	CHECK_ERR(fcntl(fd, ADD_SEALS, 64), EINVAL);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ro = open(name, O_RDONLY);
	CHECK(ro >= 0);
	CHECK_ERR(fcntl(ro, ADD_SEALS, GROW), EPERM);
	CHECK_EQ(fcntl(fd, ADD_SEALS, GROW), 0);
	CHECK_EQ(fcntl(ro, GET_SEALS), GROW);
	CHECK_EQ(fcntl(fd, ADD_SEALS, SEAL), 0);
	CHECK_ERR(fcntl(fd, ADD_SEALS, SHRINK), EPERM);
	CHECK_EQ(fcntl(fd, GET_SEALS), GROW | SEAL);
	fd = make_file("f", PAGE);
	if (!on_tmpfs()) {
		CHECK_ERR(fcntl(fd, GET_SEALS), EINVAL);
		CHECK_ERR(fcntl(fd, ADD_SEALS, GROW), EINVAL);
	}
	CHECK_EQ(pipe(fds), 0);
	CHECK_ERR(fcntl(fds[1], GET_SEALS), EINVAL);
}

TEST(seal_size)
{
	int fd = sealable(0);
	char page[2 * PAGE] = "";

	CHECK_EQ(fcntl(fd, ADD_SEALS, SHRINK), 0);
	CHECK_ERR(ftruncate(fd, PAGE), EPERM);
	CHECK_EQ(ftruncate(fd, 4 * PAGE), 0);
	CHECK_EQ(fcntl(fd, ADD_SEALS, GROW), 0);
	CHECK_ERR(ftruncate(fd, 5 * PAGE), EPERM);
	CHECK_EQ(ftruncate(fd, 4 * PAGE), 0);
	CHECK_ERR(pwrite(fd, page, 1, 4 * PAGE), EPERM);
	CHECK_ERR(pwrite(fd, page, 2 * PAGE, 3 * PAGE), EPERM);
	CHECK_ERR(pwrite(fd, page, PAGE, 3 * PAGE + 1), EPERM);
	CHECK_EQ(pwrite(fd, page, PAGE - 1, 3 * PAGE + 1), PAGE - 1);
	CHECK_ERR(syscall(SYS_fallocate, fd, 0, 0L, 5 * PAGE), EPERM);
	CHECK_EQ(syscall(SYS_fallocate, fd, 0, 0L, 4 * PAGE), 0);
	CHECK_EQ(punch(fd, 0, PAGE), 0);
	CHECK_EQ(size_of_file(fd), 4 * PAGE);
}

TEST(seal_write)
{
	int fd = sealable(0);
	char *p = map_file(fd, 3, RW, MAP_SHARED, 0), *q;

	CHECK_ERR(fcntl(fd, ADD_SEALS, WRITE), EBUSY);
	CHECK_EQ(fcntl(fd, GET_SEALS), 0);
	CHECK_EQ(mprotect(p, 3 * PAGE, PROT_READ), 0);
	CHECK_ERR(fcntl(fd, ADD_SEALS, WRITE), EBUSY);
	CHECK_EQ(munmap(p, 3 * PAGE), 0);
	p = map_file(fd, 3, RW, MAP_PRIVATE, 0);
	p[0] = 99;
	CHECK_EQ(fcntl(fd, ADD_SEALS, WRITE), 0);
	p[1] = 98;
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERR(punch(fd, 0, PAGE), EPERM);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
	CHECK_ERR(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	q = map_file(fd, 3, RW, MAP_PRIVATE, 0);
	q[2] = 97;
	check_pattern(q + 3, 3, 3 * PAGE - 3);
	CHECK_EQ(byte_of_file(fd, 0), pattern(0));
	CHECK_EQ(byte_of_file(fd, 2), pattern(2));
	CHECK_EQ(ftruncate(fd, PAGE), 0);
}

TEST(seal_future_write)
{
	int fd = sealable(0);
	char *p = map_file(fd, 3, RW, MAP_SHARED, 0), *q;

	CHECK_EQ(fcntl(fd, ADD_SEALS, FUTURE), 0);
	p[0] = 77;
	CHECK_EQ(byte_of_file(fd, 0), 77);
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
	q = map_file(fd, 3, PROT_READ, MAP_SHARED, 0);
	CHECK_ERR(mprotect(q, PAGE, RW), EACCES);
	CHECK_EQ(q[0], 77);
	CHECK_ERR(punch(fd, 0, PAGE), EPERM);
}

TEST(seal_exec)
{
	int fd = sealable(NOEXEC);

	CHECK_EQ(mode_of(fd), 0666);
	CHECK_EQ(fcntl(fd, GET_SEALS), EXEC);
	CHECK_ERR(fchmod(fd, 0755), EPERM);
	CHECK_EQ(fchmod(fd, 0600), 0);
	fd = memfd_create("x", NOEXEC);
	CHECK_EQ(fcntl(fd, GET_SEALS), EXEC);
	CHECK_EQ(fcntl(fd, ADD_SEALS, GROW), 0);
	fd = sealable(16);
	CHECK_EQ(mode_of(fd), 0777);
	CHECK_EQ(fcntl(fd, ADD_SEALS, EXEC), 0);
	CHECK_EQ(fcntl(fd, GET_SEALS), EXEC | SHRINK | GROW | WRITE | FUTURE);
	CHECK_ERR(fchmod(fd, 0644), EPERM);
}
