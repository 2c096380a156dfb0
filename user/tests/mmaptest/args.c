// SPDX-License-Identifier: BSD-2-Clause
/* args.c - what the calls refuse, and with which errno. */
#include "user/tests/mmaptest/harness.h"

#define ANON	  (MAP_PRIVATE | MAP_ANONYMOUS)
#define BEYOND	  ((char *)0x7ffffffffffff000)
#define MAP_SYNC  0x80000 /* which no file system here has */
#define LAST_PAGE 0x7ffffffffffff000L

TEST(mmap_bad_length)
{
	CHECK_ERR(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, -1UL, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR(mmap(NULL, -PAGE, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR(mmap(NULL, 1UL << 62, RW, ANON, -1, 0), ENOMEM);
}

TEST(mmap_bad_offset)
{
	int fd = make_file("f", 2 * PAGE);

	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE - 1), EINVAL);
	CHECK_ERR(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, LAST_PAGE), EOVERFLOW);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, -(off_t)PAGE), EOVERFLOW);
}

TEST(mmap_bad_address)
{
	char *p = map_anon(2, RW, MAP_PRIVATE);

	p[0] = 5;
	CHECK_ERR(mmap(p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERR(mmap(BEYOND, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERR(mmap((void *)-PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_EQ(p[0], 5);
}

TEST(mmap_bad_flags)
{
	int fd = make_file("f", PAGE);

	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, RW, 0, fd, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0), EOPNOTSUPP);
}

TEST(mmap_bad_fd)
{
	int fds[2], fd;

	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 1000, 0), EBADF);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, -1, 0), EBADF);
	fd = open(".", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), ENODEV);
	CHECK_EQ(pipe(fds), 0);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fds[0], 0), ENODEV);
	close(make_file("f", PAGE));
	fd = open("f", O_PATH);
	CHECK(fd >= 0);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), EBADF);
}

/* The descriptor's mode limits a shared mapping for ever, and every mapping needs reading. */
TEST(mmap_descriptor_mode)
{
	int ro, wo;
	char *p;

	close(make_file("f", PAGE));
	ro = open("f", O_RDONLY);
	wo = open("f", O_WRONLY);
	CHECK(ro >= 0 && wo >= 0);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wo, 0), EACCES);
	CHECK_ERR(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, wo, 0), EACCES);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0), EACCES);
	CHECK_ERR(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, ro, 0), EACCES);

	p = map_file(ro, 1, PROT_READ, MAP_SHARED, 0);
	CHECK_ERR(mprotect(p, PAGE, RW), EACCES);
	CHECK_ERR(mprotect(p, PAGE, PROT_WRITE), EACCES);
	close(ro);
	CHECK_ERR(mprotect(p, PAGE, RW), EACCES);
	CHECK_WRITE_FAULT(p, SIGSEGV, SEGV_ACCERR);
	check_pattern(p, 0, PAGE);
}

TEST(private_write_of_read_only_descriptor)
{
	char *p, *q;
	int fd;

	close(make_file("f", PAGE));
	fd = open("f", O_RDONLY);
	CHECK(fd >= 0);
	p = map_file(fd, 1, RW, MAP_PRIVATE, 0);
	q = map_file(fd, 1, PROT_READ, MAP_PRIVATE, 0);
	p[0] = 1;
	CHECK_EQ(mprotect(q, PAGE, RW), 0);
	q[1] = 2;
	CHECK_EQ(byte_of_file(fd, 0), pattern(0));
	CHECK_EQ(byte_of_file(fd, 1), pattern(1));
}

TEST(munmap_bad_args)
{
	char *p = map_anon(2, RW, MAP_PRIVATE);

	CHECK_ERR(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERR(munmap(p, 0), EINVAL);
	CHECK_ERR(munmap(BEYOND, PAGE), EINVAL);
	CHECK_ERR(munmap(p, -PAGE), EINVAL);
	p[0] = p[PAGE] = 1;
	CHECK_EQ(munmap(p, 1), 0);
	CHECK_UNMAPPED(p);
	CHECK_EQ(p[PAGE], 1);
}

TEST(mprotect_bad_args)
{
	char *p = map_anon(4, RW, MAP_PRIVATE);

	CHECK_ERR(mprotect(p + 1, PAGE, PROT_READ), EINVAL);
	CHECK_ERR(mprotect(p, PAGE, 0x40), EINVAL);
	CHECK_ERR(mprotect(p, -PAGE, PROT_READ), ENOMEM);
	CHECK_EQ(mprotect(p, 0, PROT_READ), 0);
	p[0] = 1;
	CHECK_EQ(munmap(p + 2 * PAGE, PAGE), 0);
	CHECK_ERR(mprotect(p + 2 * PAGE, PAGE, PROT_READ), ENOMEM);
	CHECK_ERR(mprotect(p, 4 * PAGE, PROT_READ), ENOMEM);
	p[3 * PAGE] = 1;
	CHECK_EQ(mprotect(p, 1, PROT_READ), 0);
	CHECK_WRITE_FAULT(p + PAGE - 1, SIGSEGV, SEGV_ACCERR);
}

TEST(msync_bad_args)
{
	char *p = map_anon(3, RW, MAP_PRIVATE);

	CHECK_ERR(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERR(msync(p, PAGE, 0x100), EINVAL);
	CHECK_ERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_ERR(msync(p, -PAGE, MS_SYNC), ENOMEM);
	CHECK_EQ(msync(p, 0, MS_SYNC), 0);
	CHECK_EQ(msync(p, 3 * PAGE, MS_SYNC), 0);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_ERR(msync(p, 3 * PAGE, MS_SYNC), ENOMEM);
	CHECK_ERR(msync(p + PAGE, PAGE, MS_ASYNC), ENOMEM);
}

/* What fails must not have changed anything. */
TEST(failed_fixed_keeps_old_mapping)
{
	char *p = map_anon(2, RW, MAP_PRIVATE);
	int ro;

	close(make_file("f", PAGE));
	ro = open("f", O_RDONLY);
	CHECK(ro >= 0);
	memset(p, 9, 2 * PAGE);
	CHECK_ERR(mmap(p, PAGE, RW, MAP_SHARED | MAP_FIXED, ro, 0), EACCES);
	CHECK_ERR(mmap(p, PAGE, RW, MAP_SHARED | MAP_FIXED, 1000, 0), EBADF);
	CHECK_ERR(mmap(p, 0, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	CHECK(all_bytes(p, 9, 2 * PAGE));
}
