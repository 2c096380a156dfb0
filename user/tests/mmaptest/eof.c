// SPDX-License-Identifier: BSD-2-Clause
/* eof.c - the end of a file under mappings: its tail, beyond it, and when it moves. */
#include "user/tests/mmaptest/harness.h"

#define TAIL (PAGE + 100) /* a file that ends inside its second page */

TEST(tail_reads_zero)
{
	int fd = make_file("f", TAIL);
	char *p = map_file(fd, 2, PROT_READ, MAP_SHARED, 0);
	char *q = map_file(fd, 2, RW, MAP_PRIVATE, 0);

	check_pattern(p, 0, TAIL);
	CHECK(all_bytes(p + TAIL, 0, 2 * PAGE - TAIL));
	q[TAIL - 1] = 1;
	CHECK(all_bytes(q + TAIL, 0, 2 * PAGE - TAIL));
}

TEST(tail_is_not_written)
{
	int fd = make_file("f", TAIL);
	char *p = map_file(fd, 2, RW, MAP_SHARED, 0);
	char buf[200];

	memset(p + TAIL - 10, 66, 500);
	CHECK_EQ(msync(p, 2 * PAGE, MS_SYNC), 0);
	CHECK_EQ(size_of_file(fd), TAIL);
	CHECK_EQ(pread(fd, buf, sizeof(buf), TAIL - 10), 10);
	CHECK(all_bytes(buf, 66, 10));
	CHECK_EQ(munmap(p, 2 * PAGE), 0);
	if (on_tmpfs())
		return; /* there nothing was written back, so nothing cleared it */
	CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
	CHECK_EQ(pread(fd, buf, sizeof(buf), TAIL), sizeof(buf));
	CHECK(all_bytes(buf, 0, sizeof(buf)));
}

TEST(sigbus_beyond_eof)
{
	int fd = make_file("f", TAIL);
	char *p = map_file(fd, 5, RW, MAP_SHARED, 0);
	char *q = map_file(fd, 5, RW, MAP_PRIVATE, 0);

	CHECK_EQ(probe_read(p + 2 * PAGE - 1).sig, 0);
	CHECK_READ_FAULT(p + 2 * PAGE, SIGBUS, BUS_ADRERR);
	CHECK_WRITE_FAULT(p + 4 * PAGE + 17, SIGBUS, BUS_ADRERR);
	CHECK_READ_FAULT(q + 2 * PAGE + 1, SIGBUS, BUS_ADRERR);
	CHECK_WRITE_FAULT(q + 3 * PAGE, SIGBUS, BUS_ADRERR);
	CHECK_EQ(size_of_file(fd), TAIL);
}

TEST(sigbus_offset_beyond_eof)
{
	int fd = make_file("f", 10);
	char *p = map_file(fd, 2, PROT_READ, MAP_SHARED, 8 * PAGE);

	CHECK_READ_FAULT(p, SIGBUS, BUS_ADRERR);
	CHECK_READ_FAULT(p + 2 * PAGE - 1, SIGBUS, BUS_ADRERR);
}

TEST(empty_file)
{
	int fd = make_file("f", 0);
	char *p = map_file(fd, 1, RW, MAP_SHARED, 0);

	CHECK_READ_FAULT(p, SIGBUS, BUS_ADRERR);
	put_byte(fd, 0, 5);
	CHECK_EQ(p[0], 5);
	CHECK_EQ(p[1], 0);
}

TEST(truncate_under_mapping)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map_file(fd, 4, RW, MAP_SHARED, 0);

	check_pattern(p, 0, 4 * PAGE);
	p[10] = 1;
	p[3 * PAGE] = 2;
	CHECK_EQ(ftruncate(fd, TAIL), 0);
	CHECK_READ_FAULT(p + 2 * PAGE, SIGBUS, BUS_ADRERR);
	CHECK_WRITE_FAULT(p + 3 * PAGE, SIGBUS, BUS_ADRERR);
	CHECK_EQ(p[10], 1);
	check_pattern(p + 11, 11, TAIL - 11);
	CHECK(all_bytes(p + TAIL, 0, 2 * PAGE - TAIL));
	CHECK_EQ(ftruncate(fd, 4 * PAGE), 0);
	check_pattern(p + PAGE, PAGE, 100);
	CHECK(all_bytes(p + TAIL, 0, 4 * PAGE - TAIL));
	p[3 * PAGE] = 3;
	CHECK_EQ(byte_of_file(fd, 3 * PAGE), 3);
}

/* Pages of one's own go with the file's. */
TEST(truncate_under_private)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map_file(fd, 4, RW, MAP_PRIVATE, 0);

	memset(p, 50, 3 * PAGE);
	CHECK_EQ(ftruncate(fd, PAGE), 0);
	CHECK(all_bytes(p, 50, PAGE));
	CHECK_READ_FAULT(p + PAGE, SIGBUS, BUS_ADRERR);
	CHECK_READ_FAULT(p + 3 * PAGE, SIGBUS, BUS_ADRERR);
	CHECK_EQ(ftruncate(fd, 4 * PAGE), 0);
	CHECK(all_bytes(p + PAGE, 0, 3 * PAGE));
}

/* One process writes to pages of its own while another cuts them off: none is made too late to be taken away. */
TEST(truncate_beside_private_writes)
{
	int fd = make_file("f", 16 * PAGE);
	volatile int *round = (volatile int *)map_anon(1, RW, MAP_SHARED);
	pid_t pid = spawn();

	if (pid == 0) {
		for (int i = 1; i <= 200; i++) {
			while (__atomic_load_n(&round[0], __ATOMIC_ACQUIRE) != i)
				sched_yield();
			for (int k = 0; k < i % 32; k++)
				__asm__ volatile("nop");
			CHECK_EQ(ftruncate(fd, PAGE), 0);
			__atomic_store_n(&round[1], i, __ATOMIC_RELEASE);
		}
		_exit(0);
	}
	for (int i = 1; i <= 200; i++) {
		char *p = map_file(fd, 16, RW, MAP_PRIVATE, 0);

		p[0] = 1; /* the pages that follow go into the same object */
		__atomic_store_n(&round[0], i, __ATOMIC_RELEASE);
		for (int k = 1; k < 16; k++)
			(void)probe_write(p + k * PAGE, 'w');
		while (__atomic_load_n(&round[1], __ATOMIC_ACQUIRE) != i)
			sched_yield();
		CHECK_EQ(p[0], 1);
		for (int k = 1; k < 16; k++)
			CHECK_READ_FAULT(p + k * PAGE, SIGBUS, BUS_ADRERR);
		CHECK_EQ(ftruncate(fd, 16 * PAGE), 0);
		CHECK(all_bytes(p + PAGE, 0, 15 * PAGE));
		CHECK_EQ(munmap(p, 16 * PAGE), 0);
	}
	join(pid);
}

/* Copies of copies: both processes have one of every page, and lose those beyond the end. */
TEST(truncate_after_fork_takes_copies)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map_file(fd, 4, RW, MAP_PRIVATE, 0);
	struct turns t;
	pid_t pid;

	turns_init(&t);
	for (int k = 0; k < 4; k++)
		p[k * PAGE] = 1;
	pid = spawn();
	if (pid == 0) {
		for (int k = 0; k < 4; k++)
			p[k * PAGE] = 2;
		hand_over(&t, 1);
		await_turn(&t, 1);
		CHECK_EQ(p[0], 2);
		for (int k = 1; k < 4; k++)
			CHECK_READ_FAULT(p + k * PAGE, SIGBUS, BUS_ADRERR);
		_exit(0);
	}
	await_turn(&t, 0);
	CHECK_EQ(ftruncate(fd, PAGE), 0);
	hand_over(&t, 0);
	CHECK_EQ(p[0], 1);
	for (int k = 1; k < 4; k++)
		CHECK_READ_FAULT(p + k * PAGE, SIGBUS, BUS_ADRERR);
	join(pid);
}

/* The same seen by another process than the one that truncates. */
TEST(truncate_seen_by_others)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map_file(fd, 4, RW, MAP_SHARED, 0);
	struct turns t;
	pid_t pid;

	turns_init(&t);
	memset(p, 9, 4 * PAGE);
	pid = spawn();
	if (pid == 0) {
		CHECK(all_bytes(p, 9, 4 * PAGE));
		hand_over(&t, 1);
		await_turn(&t, 1);
		CHECK_READ_FAULT(p + PAGE, SIGBUS, BUS_ADRERR);
		CHECK_EQ(p[PAGE - 1], 9);
		_exit(0);
	}
	await_turn(&t, 0);
	CHECK_EQ(truncate("f", PAGE), 0);
	hand_over(&t, 0);
	join(pid);
}

TEST(open_trunc_under_mapping)
{
	int fd = make_file("f", 2 * PAGE), other;
	char *p = map_file(fd, 2, RW, MAP_SHARED, 0);

	p[0] = 1;
	other = open("f", O_RDWR | O_TRUNC);
	CHECK(other >= 0);
	CHECK_READ_FAULT(p, SIGBUS, BUS_ADRERR);
	CHECK_EQ(write(other, "xyz", 3), 3);
	CHECK_EQ(p[2], 'z');
	CHECK_EQ(p[3], 0);
}

TEST(extend_under_mapping)
{
	int fd = make_file("f", 100);
	char *p = map_file(fd, 6, RW, MAP_SHARED, 0);

	check_pattern(p, 0, 100);
	CHECK_READ_FAULT(p + PAGE, SIGBUS, BUS_ADRERR);
	CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
	CHECK(all_bytes(p + 100, 0, 3 * PAGE - 100));
	p[2 * PAGE] = 7;
	CHECK_EQ(byte_of_file(fd, 2 * PAGE), 7);
	put_byte(fd, 4 * PAGE + 5, 8);
	CHECK_EQ(p[4 * PAGE + 5], 8);
	CHECK(all_bytes(p + 3 * PAGE, 0, PAGE));
	CHECK_READ_FAULT(p + 5 * PAGE, SIGBUS, BUS_ADRERR);
	check_pattern(p, 0, 100);
}

/* Appending within the page that is mapped. */
TEST(append_under_mapping)
{
	int fd = make_file("f", 10);
	volatile char *p = map_file(fd, 1, PROT_READ, MAP_SHARED, 0);

	CHECK_EQ(lseek(fd, 0, SEEK_END), 10);
	for (int i = 10; i < 300; i++) {
		char c = pattern(i);

		CHECK_EQ(p[i], 0);
		CHECK_EQ(write(fd, &c, 1), 1);
		CHECK_EQ(p[i], c);
	}
	check_pattern(p, 0, 300);
}

/* Up and down again and again: what was cut off never comes back. */
TEST(truncate_and_extend_often)
{
	int fd = make_file("f", 0);
	char *p = map_file(fd, 8, RW, MAP_SHARED, 0);
	uint32_t seed = 99;

	for (int i = 0; i < 200; i++) {
		size_t cut = random_next(&seed) % (8 * PAGE);

		CHECK_EQ(ftruncate(fd, 8 * PAGE), 0);
		CHECK(all_bytes(p, 0, 8 * PAGE));
		memset(p, i + 1, 8 * PAGE);
		if (i % 8 == 0)
			CHECK_EQ(msync(p, 8 * PAGE, MS_SYNC), 0);
		CHECK_EQ(ftruncate(fd, cut), 0);
		CHECK_EQ(ftruncate(fd, 8 * PAGE), 0);
		CHECK(all_bytes(p, (char)(i + 1), cut));
		CHECK(all_bytes(p + cut, 0, 8 * PAGE - cut));
		CHECK_EQ(ftruncate(fd, 0), 0);
	}
}
