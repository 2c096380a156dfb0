// SPDX-License-Identifier: BSD-2-Clause
/* window.c - memory used in order, where a kernel may make or map more than the page asked for: what it shows stays the same. */
#include "user/tests/mmaptest/harness.h"

#define N	   200
#define NOHUGEPAGE 15 /* madvise: Linux must not use its large pages here */

static unsigned char *fresh(void)
{
	return (unsigned char *)map_anon(N, RW, MAP_PRIVATE);
}

static void check_stamp(const unsigned char *page, unsigned char want)
{
	for (size_t i = 0; i < PAGE; i += 512)
		CHECK_EQ(page[i], want);
}

static unsigned char stamp(size_t page)
{
	return page * 7 + 1;
}

static void stamp_all(unsigned char *p)
{
	for (size_t i = 0; i < N; i++)
		memset(p + i * PAGE, stamp(i), PAGE);
}

static unsigned resident(void *p, size_t pages)
{
	unsigned char vec[N];
	unsigned n = 0;

	CHECK_EQ(mincore(p, pages * PAGE, vec), 0);
	for (size_t i = 0; i < pages; i++)
		n += vec[i] & 1;
	return n;
}

TEST(fresh_memory_in_order_is_zero)
{
	unsigned char *p = fresh();

	for (size_t i = 0; i < N; i++) {
		if (i % 3 == 1)
			check_stamp(p + i * PAGE, 0);
		p[i * PAGE + 1] = 9;
		check_stamp(p + i * PAGE, 0);
		if (i % 50 == 49) /* holes behind the writer are filled again */
			CHECK_EQ(madvise(p + (i - 20) * PAGE, 10 * PAGE, MADV_DONTNEED), 0);
	}
	for (size_t i = 0; i < N; i++) {
		bool gone = i % 50 >= 29 && i % 50 < 39;

		CHECK_EQ(p[i * PAGE + 1], gone ? 0 : 9);
	}
}

/* Writes in order in the child, then in the parent, each seeing its own bytes and nobody else's. */
TEST(copies_in_order_keep_both_sides)
{
	unsigned char *p = fresh();
	pid_t pid;

	stamp_all(p);
	pid = spawn();
	if (pid == 0) {
		for (size_t i = 10; i < N; i++) {
			p[i * PAGE + 8] = 0xee;
			check_stamp(p + i * PAGE, stamp(i));
		}
		for (size_t i = 0; i < 10; i++)
			check_stamp(p + i * PAGE, stamp(i));
		_exit(0);
	}
	join(pid);
	for (size_t i = 0; i < N; i++) {
		CHECK_EQ(p[i * PAGE + 8], stamp(i));
		p[i * PAGE + 8] = 0xdd;
		check_stamp(p + i * PAGE, stamp(i));
	}
	pid = spawn();
	if (pid == 0) { /* reads, and then a second generation */
		for (size_t i = 0; i < N; i++)
			CHECK_EQ(p[i * PAGE + 8], 0xdd);
		_exit(0);
	}
	for (size_t i = 0; i < N; i++)
		p[i * PAGE + 8] = 0xcc;
	join(pid);
}

TEST(private_file_copies_in_order)
{
	int fd = make_file("f", N * PAGE);
	unsigned char *shared = mmap(NULL, N * PAGE, RW, MAP_SHARED, fd, 0), *p;

	CHECK(shared != MAP_FAILED);
	stamp_all(shared);
	p = mmap(NULL, N * PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < 100; i++)
		p[i * PAGE + 8] = 0xee;
	for (size_t i = 0; i < N; i++) {
		CHECK_EQ(p[i * PAGE + 8], i < 100 ? 0xee : stamp(i));
		check_stamp(p + i * PAGE, stamp(i));
		check_stamp(shared + i * PAGE, stamp(i));
		CHECK_EQ(shared[i * PAGE + 8], stamp(i));
	}
	CHECK_EQ(ftruncate(fd, 40 * PAGE), 0);
	CHECK_EQ(p[39 * PAGE + 8], 0xee);
	CHECK_WRITE_FAULT((char *)p + 40 * PAGE, SIGBUS, BUS_ADRERR);
	CHECK_READ_FAULT((char *)p + 99 * PAGE, SIGBUS, BUS_ADRERR);
}

/* Only what is written in order may come in advance. */
TEST(sparse_writes_stay_sparse)
{
	unsigned char *p = fresh(), *q = fresh();

	(void)madvise(p, N * PAGE, NOHUGEPAGE);
	for (size_t i = 0; i < N; i += 2)
		p[i * PAGE] = 1;
	CHECK_EQ(resident(p, N), N / 2);
	CHECK_EQ(madvise(q, N * PAGE, MADV_RANDOM), 0);
	(void)madvise(q, N * PAGE, NOHUGEPAGE);
	for (size_t i = 0; i < 100; i++)
		q[i * PAGE] = 1;
	CHECK_EQ(resident(q, N), 100);
}

/* At most as much again as was written. */
TEST(writes_in_order_do_not_run_away)
{
	for (size_t n = 1; n < 64; n++) {
		unsigned char *p = fresh();

		(void)madvise(p, N * PAGE, NOHUGEPAGE);
		for (size_t i = 0; i < n; i++)
			p[i * PAGE] = 1;
		CHECK(resident(p, N) >= n && resident(p, N) <= 2 * n && resident(p, N) < n + 16);
		CHECK_EQ(munmap(p, N * PAGE), 0);
	}
}

/* W implies R: the page reads as zero first, and then as written; neighbours too. */
TEST(write_only_memory_reads)
{
	unsigned char *p = (unsigned char *)map_anon(40, PROT_WRITE, MAP_PRIVATE);

	for (size_t i = 0; i < 40; i++)
		check_stamp(p + i * PAGE, 0);
	for (size_t i = 0; i < 40; i += 2)
		memset(p + i * PAGE, stamp(i), PAGE);
	for (size_t i = 0; i < 40; i++)
		check_stamp(p + i * PAGE, i & 1 ? 0 : stamp(i));
}
