// SPDX-License-Identifier: BSD-2-Clause
/* file.c - mappings of files: sharing, coherence with read and write, lifetime. */
#include "user/tests/mmaptest/harness.h"

TEST(private_read_only)
{
	int fd = make_file("f", 5 * PAGE);
	char *p = map_file(fd, 5, PROT_READ, MAP_PRIVATE, 0);

	check_pattern(p, 0, 5 * PAGE);
	CHECK_WRITE_FAULT(p + 3 * PAGE, SIGSEGV, SEGV_ACCERR);
	p = map_file(fd, 2, PROT_READ, MAP_PRIVATE, 3 * PAGE);
	check_pattern(p, 3 * PAGE, 2 * PAGE);
}

TEST(shared_read_only)
{
	int fd = make_file("f", 3 * PAGE);
	char *p = map_file(fd, 3, PROT_READ, MAP_SHARED, 0);

	check_pattern(p, 0, 3 * PAGE);
	CHECK_WRITE_FAULT(p, SIGSEGV, SEGV_ACCERR);
	CHECK_EQ(mprotect(p, 3 * PAGE, RW), 0);
	p[PAGE] = 1;
	CHECK_EQ(byte_of_file(fd, PAGE), 1);
}

TEST(private_read_write)
{
	int fd = make_file("f", 3 * PAGE);
	char *p = map_file(fd, 3, RW, MAP_PRIVATE, 0);
	char *q = map_file(fd, 3, RW, MAP_PRIVATE, 0);

	p[0] = 101;
	p[PAGE + 5] = 102;
	q[0] = 103;
	CHECK_EQ(p[0], 101);
	CHECK_EQ(p[PAGE + 5], 102);
	CHECK_EQ(q[0], 103);
	check_pattern(p + 1, 1, PAGE - 1);
	check_pattern(q + PAGE, PAGE, 2 * PAGE);
	CHECK_EQ(byte_of_file(fd, 0), pattern(0));
	CHECK_EQ(byte_of_file(fd, PAGE + 5), pattern(PAGE + 5));
}

TEST(shared_read_write)
{
	int fd = make_file("f", 3 * PAGE);
	char *p = map_file(fd, 3, RW, MAP_SHARED, 0);
	char *q = map_file(fd, 2, RW, MAP_SHARED, PAGE);

	p[PAGE + 7] = 55;
	CHECK_EQ(q[7], 55);
	q[PAGE] = 56;
	CHECK_EQ(p[2 * PAGE], 56);
	CHECK_EQ(byte_of_file(fd, PAGE + 7), 55);
	CHECK_EQ(byte_of_file(fd, 2 * PAGE), 56);
}

/* A private page that was not written follows the file here; one that was does not. */
TEST(private_copies_once)
{
	int fd = make_file("f", 3 * PAGE);
	char *p = map_file(fd, 3, RW, MAP_PRIVATE, 0);

	p[1] = 60;
	put_byte(fd, 0, 61);
	CHECK_EQ(p[0], pattern(0));
	CHECK_EQ(p[1], 60);
	CHECK_EQ(byte_of_file(fd, 1), pattern(1));
	put_byte(fd, 2 * PAGE, 62); /* p[2 * PAGE] was never touched */
	CHECK_EQ(p[2 * PAGE], 62);
	p[2 * PAGE + 1] = 63;
	CHECK_EQ(p[2 * PAGE], 62);
	CHECK_EQ(byte_of_file(fd, 2 * PAGE + 1), pattern(2 * PAGE + 1));
}

/* Linux shares the page until it is written, also after it was read. */
TEST(private_sees_file_until_written)
{
	int fd = make_file("f", PAGE);
	char *p = map_file(fd, 1, RW, MAP_PRIVATE, 0);

	CHECK_EQ(p[0], pattern(0));
	put_byte(fd, 0, 99);
	CHECK_EQ(*(volatile char *)p, 99);
}

/* Regression: a page first mapped by a read and then written must be written back. */
TEST(shared_write_after_read_fault)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map_file(fd, 2, RW, MAP_SHARED, 0);

	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(*(volatile char *)p, pattern(0));
	p[0] = 77;
	CHECK_EQ(msync(p, PAGE, MS_SYNC), 0);
	p[1] = 78;
	CHECK_EQ(msync(p, PAGE, MS_SYNC), 0);
	CHECK_EQ(byte_of_file(fd, 0), 77);
	CHECK_EQ(byte_of_file(fd, 1), 78);
}

/* ---- coherence --------------------------------------------------------------------- */

TEST(write_then_mapping)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map_file(fd, 4, PROT_READ, MAP_SHARED, 0);
	char buf[300];

	check_pattern(p, 0, 4 * PAGE);
	memset(buf, 88, sizeof(buf));
	CHECK_EQ(pwrite(fd, buf, sizeof(buf), PAGE - 100), sizeof(buf));
	CHECK(all_bytes(p + PAGE - 100, 88, sizeof(buf)));
	check_pattern(p, 0, PAGE - 100);
	check_pattern(p + PAGE + 200, PAGE + 200, 3 * PAGE - 200);
}

TEST(mapping_then_read)
{
	int fd = make_file("f", 4 * PAGE), other = open("f", O_RDONLY);
	char *p = map_file(fd, 4, RW, MAP_SHARED, 0);
	char buf[300];

	memset(p + 2 * PAGE - 100, 44, sizeof(buf));
	CHECK_EQ(pread(other, buf, sizeof(buf), 2 * PAGE - 100), sizeof(buf));
	CHECK(all_bytes(buf, 44, sizeof(buf)));
	CHECK_EQ(byte_of_file(other, 2 * PAGE + 200), pattern(2 * PAGE + 200));
}

/* The buffer of read and write is a mapping of the same file, even of the same page. */
TEST(read_into_own_mapping)
{
	int fd = make_file("f", 3 * PAGE);
	char *p = map_file(fd, 3, RW, MAP_SHARED, 0);

	CHECK_EQ(pread(fd, p + PAGE, PAGE, 0), PAGE);
	check_pattern(p + PAGE, 0, PAGE);
	CHECK_EQ(pwrite(fd, p, PAGE, 2 * PAGE), PAGE);
	check_pattern(p + 2 * PAGE, 0, PAGE);
	CHECK_EQ(pwrite(fd, p, 100, 0), 100);
	CHECK_EQ(pread(fd, p, 100, 0), 100);
	check_pattern(p, 0, PAGE);
}

TEST(two_processes_share_a_page)
{
	int fd = make_file("f", PAGE);
	struct turns t;
	pid_t pid;

	turns_init(&t);
	pid = spawn();
	volatile char *p = map_file(fd, 1, RW, MAP_SHARED, 0); /* each its own */
	int side = pid == 0;

	for (int i = 0; i < 100; i++) {
		if (side) {
			await_turn(&t, side);
			CHECK_EQ(p[i], (char)(i + 1));
			p[i + 1000] = (char)(i + 2);
			hand_over(&t, side);
		} else {
			p[i] = (char)(i + 1);
			hand_over(&t, side);
			await_turn(&t, side);
			CHECK_EQ(p[i + 1000], (char)(i + 2));
		}
	}
	if (side)
		_exit(0);
	join(pid);
	CHECK_EQ(byte_of_file(fd, 99), 100);
	CHECK_EQ(byte_of_file(fd, 1099), 101);
}

/* Atomic operations of several processes on one shared word lose nothing. */
TEST(shared_page_atomics)
{
	int fd = make_file("f", 0);
	pid_t pids[4];
	int *p;

	CHECK_EQ(ftruncate(fd, PAGE), 0);
	for (int i = 0; i < 4; i++) {
		pids[i] = spawn();
		if (pids[i])
			continue;
		p = (int *)map_file(fd, 1, RW, MAP_SHARED, 0);
		for (int n = 0; n < 20000; n++)
			__atomic_fetch_add(p + 8, 1, __ATOMIC_RELAXED);
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		join(pids[i]);
	p = (int *)map_file(fd, 1, PROT_READ, MAP_SHARED, 0);
	CHECK_EQ(p[8], 80000);
}

/* ---- lifetime ---------------------------------------------------------------------- */

TEST(mapping_outlives_descriptor)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map_file(fd, 2, RW, MAP_SHARED, 0);

	close(fd);
	check_pattern(p, 0, 2 * PAGE);
	p[PAGE] = 33;
	fd = open("f", O_RDONLY);
	CHECK_EQ(byte_of_file(fd, PAGE), 33);
}

TEST(mapping_outlives_name)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map_file(fd, 2, RW, MAP_SHARED, 0);

	CHECK_EQ(unlink("f"), 0);
	close(fd);
	CHECK_ERR(open("f", O_RDONLY), ENOENT);
	check_pattern(p, 0, 2 * PAGE);
	p[0] = 9;
	CHECK_EQ(msync(p, 2 * PAGE, MS_SYNC), 0);
	CHECK_EQ(p[0], 9);
	fd = make_file("f", 2 * PAGE); /* another file, not that one */
	check_pattern(map_file(fd, 2, PROT_READ, MAP_SHARED, 0), 0, 2 * PAGE);
	CHECK_EQ(p[0], 9);
}

TEST(write_survives_unmap)
{
	int fd = make_file("f", 3 * PAGE);
	char *p = map_file(fd, 3, RW, MAP_SHARED, 0);

	memset(p + PAGE, 21, PAGE);
	CHECK_EQ(munmap(p, 3 * PAGE), 0);
	close(fd);
	fd = open("f", O_RDONLY);
	p = map_file(fd, 3, PROT_READ, MAP_PRIVATE, 0);
	check_pattern(p, 0, PAGE);
	CHECK(all_bytes(p + PAGE, 21, PAGE));
	check_pattern(p + 2 * PAGE, 2 * PAGE, PAGE);
}

TEST(msync_then_other_descriptor)
{
	int fd = make_file("f", 3 * PAGE), other = open("f", O_RDONLY);
	char *p = map_file(fd, 3, RW, MAP_SHARED, 0);

	memset(p, 31, 3 * PAGE);
	CHECK_EQ(msync(p, 3 * PAGE, MS_SYNC), 0);
	for (size_t o = 0; o < 3 * PAGE; o += 511)
		CHECK_EQ(byte_of_file(other, o), 31);
	p[5] = 32;
	CHECK_EQ(msync(p, PAGE, MS_ASYNC), 0);
	CHECK_EQ(byte_of_file(other, 5), 32);
	CHECK_EQ(msync(p, PAGE, MS_INVALIDATE), 0);
	CHECK_EQ(p[5], 32);
	CHECK_EQ(size_of_file(fd), 3 * PAGE);
}

/* Writing by a mapping changes the file's time of modification, at msync at the latest. */
TEST(mapping_updates_mtime)
{
	int fd = make_file("f", PAGE);
	char *p = map_file(fd, 1, RW, MAP_SHARED, 0);
	struct timespec old[2] = {{1000, 0}, {1000, 0}};
	struct stat st;

	CHECK_EQ(futimens(fd, old), 0);
	p[0] = 1;
	CHECK_EQ(msync(p, PAGE, MS_SYNC), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK(st.st_mtim.tv_sec != 1000);
}

TEST(large_sparse_file)
{
	int fd = make_file("f", 100);
	const off_t far = (4L << 30) + 3 * (off_t)PAGE;
	char *p;

	CHECK_EQ(ftruncate(fd, far + 2 * PAGE), 0);
	p = map_file(fd, 2, RW, MAP_SHARED, far);
	CHECK(all_bytes(p, 0, 2 * PAGE));
	p[PAGE] = 12;
	CHECK_EQ(msync(p, 2 * PAGE, MS_SYNC), 0);
	CHECK_EQ(byte_of_file(fd, far + PAGE), 12);
	CHECK_EQ(byte_of_file(fd, far), 0);
	CHECK_EQ(byte_of_file(fd, 3 * PAGE), 0); /* the same in the low 32 bits */
	CHECK_EQ(byte_of_file(fd, 4 * PAGE), 0);
	CHECK_EQ(byte_of_file(fd, 99), pattern(99));
	CHECK_EQ(size_of_file(fd), far + 2 * PAGE);
}

/* One mapping as large as the file: faults in its far end find the right pages. */
TEST(large_mapping)
{
	int fd = make_file("f", PAGE);
	const size_t size = (4UL << 30) + 8 * PAGE;
	char *p;

	CHECK_EQ(ftruncate(fd, size), 0);
	p = map_file(fd, size / PAGE, RW, MAP_SHARED, 0);
	p[size - 1] = 3;
	p[2UL << 30] = 4;
	CHECK_EQ(byte_of_file(fd, size - 1), 3);
	CHECK_EQ(byte_of_file(fd, 2L << 30), 4);
	check_pattern(p, 0, PAGE);
	CHECK_EQ(p[(4UL << 30)], 0);
	CHECK_EQ(munmap(p, size), 0);
}

/* Holes: reading makes zeroes, writing by a mapping allocates. */
TEST(holes)
{
	int fd = make_file("f", 0);
	char *p;

	CHECK_EQ(ftruncate(fd, 40 * PAGE), 0);
	p = map_file(fd, 40, RW, MAP_SHARED, 0);
	CHECK(all_bytes(p, 0, 40 * PAGE));
	for (size_t i = 0; i < 40; i += 3)
		p[i * PAGE + i] = (char)(i + 1);
	CHECK_EQ(msync(p, 40 * PAGE, MS_SYNC), 0);
	for (size_t i = 0; i < 40; i++)
		CHECK_EQ(byte_of_file(fd, i * PAGE + i), i % 3 ? 0 : i + 1);
}
