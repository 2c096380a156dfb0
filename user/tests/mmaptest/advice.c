// SPDX-License-Identifier: BSD-2-Clause
/* advice.c - mremap, madvise, mincore, mlock. What a kernel does not have is skipped. */
#include "user/tests/mmaptest/harness.h"

static void need(long result, const char *call)
{
	if (result == -1 && errno == ENOSYS)
		skip(call);
}

static char *numbered(size_t pages)
{
	char *p = map_anon(pages, RW, MAP_PRIVATE);

	for (size_t i = 0; i < pages; i++)
		memset(p + i * PAGE, (int)(i + 1), PAGE);
	return p;
}

static void check_numbered(char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		CHECK(all_bytes(p + i * PAGE, (char)(i + 1), PAGE));
}

/* ---- mremap -------------------------------------------------------------------------- */

static char *remap(void *p, size_t old_pages, size_t new_pages, int flags, void *to)
{
	char *q = mremap(p, old_pages * PAGE, new_pages * PAGE, flags, to);

	need((long)q, "mremap");
	return q;
}

TEST(mremap_shrink)
{
	char *p = numbered(6);

	CHECK_EQ(remap(p, 6, 2, 0, NULL), p);
	check_numbered(p, 2);
	for (int i = 2; i < 6; i++)
		CHECK_UNMAPPED(p + i * PAGE);
}

TEST(mremap_grow_in_place)
{
	char *p = numbered(6);

	CHECK_EQ(munmap(p + 3 * PAGE, 3 * PAGE), 0);
	CHECK_EQ(remap(p, 3, 6, 0, NULL), p);
	check_numbered(p, 3);
	CHECK(all_bytes(p + 3 * PAGE, 0, 3 * PAGE));
	memset(p + 3 * PAGE, 1, 3 * PAGE);
}

TEST(mremap_grow_and_move)
{
	char *p = numbered(6), *q;

	CHECK_EQ(mprotect(p + 3 * PAGE, 3 * PAGE, PROT_READ), 0); /* in the way */
	CHECK_ERR(remap(p, 3, 40, 0, NULL), ENOMEM);
	check_numbered(p, 6);
	q = remap(p, 3, 40, MREMAP_MAYMOVE, NULL);
	CHECK(q != MAP_FAILED && q != p);
	check_numbered(q, 3);
	CHECK(all_bytes(q + 3 * PAGE, 0, 37 * PAGE));
	q[39 * PAGE] = 1;
	CHECK_UNMAPPED(p);
	CHECK_UNMAPPED(p + 2 * PAGE);
	CHECK(all_bytes(p + 3 * PAGE, 4, PAGE));
}

TEST(mremap_fixed)
{
	char *p = numbered(4), *room = map_anon(8, RW, MAP_PRIVATE);

	memset(room, 99, 8 * PAGE);
	CHECK_EQ(remap(p, 4, 4, MREMAP_MAYMOVE | MREMAP_FIXED, room + 2 * PAGE), room + 2 * PAGE);
	check_numbered(room + 2 * PAGE, 4);
	CHECK(all_bytes(room, 99, 2 * PAGE));
	CHECK(all_bytes(room + 6 * PAGE, 99, 2 * PAGE));
	CHECK_UNMAPPED(p);
	CHECK_ERR(remap(room, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, room + PAGE), EINVAL);
	CHECK_ERR(remap(room, 2, 2, MREMAP_FIXED, room + 4 * PAGE), EINVAL);
	CHECK(all_bytes(room, 99, 2 * PAGE));
}

TEST(mremap_file)
{
	int fd = make_file("f", 8 * PAGE);
	char *p = map_file(fd, 2, RW, MAP_SHARED, 2 * PAGE), *q;

	q = remap(p, 2, 6, MREMAP_MAYMOVE, NULL);
	CHECK(q != MAP_FAILED);
	check_pattern(q, 2 * PAGE, 6 * PAGE);
	q[5 * PAGE] = 1;
	CHECK_EQ(byte_of_file(fd, 7 * PAGE), 1);
}

TEST(mremap_bad_args)
{
	char *p = numbered(4);

	remap(p, 4, 4, 0, NULL);
	CHECK_ERR(mremap(p + 1, PAGE, PAGE, 0), EINVAL);
	CHECK_ERR(mremap(p, PAGE, 0, 0), EINVAL);
	CHECK_ERR(mremap(p, PAGE, PAGE, 0x80), EINVAL);
	CHECK_EQ(munmap(p + 2 * PAGE, PAGE), 0);
	CHECK_ERR(mremap(p + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERR(mremap(p, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE), EFAULT);
	check_numbered(p, 2);
}

/* A child that looks at its numbered pages when its turn has come. */
static pid_t sharer(struct turns *t, char *p, size_t pages)
{
	pid_t pid;

	turns_init(t);
	pid = spawn();
	if (pid == 0) {
		await_turn(t, 1);
		check_numbered(p, pages);
		_exit(0);
	}
	return pid;
}

/* The moved memory and its former sharer still do not see each other's writes. */
TEST(mremap_after_fork)
{
	char *p = numbered(4), *q;
	struct turns t;
	pid_t pid = sharer(&t, p, 4);

	CHECK_EQ(mprotect(p + 3 * PAGE, PAGE, PROT_READ), 0);
	q = remap(p, 2, 8, MREMAP_MAYMOVE, NULL);
	CHECK(q != MAP_FAILED);
	check_numbered(q, 2);
	memset(q, 70, 8 * PAGE);
	hand_over(&t, 0);
	join(pid);
	CHECK(all_bytes(q, 70, 8 * PAGE));
}

/* ---- madvise ------------------------------------------------------------------------- */

TEST(madvise_dontneed_anonymous)
{
	char *p = numbered(6);

	need(madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTNEED), "madvise");
	check_numbered(p, 2);
	CHECK(all_bytes(p + 2 * PAGE, 0, 2 * PAGE));
	CHECK(all_bytes(p + 4 * PAGE, 5, PAGE));
	p[2 * PAGE] = 1;
	CHECK_EQ(p[2 * PAGE], 1);
}

TEST(madvise_dontneed_private_file)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map_file(fd, 4, RW, MAP_PRIVATE, 0);

	memset(p, 1, 4 * PAGE);
	need(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED), "madvise");
	check_pattern(p + PAGE, PAGE, 2 * PAGE);
	CHECK(all_bytes(p, 1, PAGE));
	CHECK(all_bytes(p + 3 * PAGE, 1, PAGE));
}

TEST(madvise_dontneed_shared)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map_file(fd, 2, RW, MAP_SHARED, 0), *q = map_anon(2, RW, MAP_SHARED);

	memset(p, 1, 2 * PAGE);
	memset(q, 2, 2 * PAGE);
	need(madvise(p, 2 * PAGE, MADV_DONTNEED), "madvise");
	CHECK_EQ(madvise(q, 2 * PAGE, MADV_DONTNEED), 0);
	CHECK(all_bytes(p, 1, 2 * PAGE));
	CHECK(all_bytes(q, 2, 2 * PAGE));
}

/* After fork only the caller's view is dropped. */
TEST(madvise_dontneed_after_fork)
{
	char *p = numbered(4);
	pid_t pid = spawn();

	if (pid == 0) {
		if (madvise(p, 4 * PAGE, MADV_DONTNEED) < 0)
			_exit(errno == ENOSYS ? 0 : 1);
		CHECK(all_bytes(p, 0, 4 * PAGE));
		_exit(0);
	}
	join(pid);
	check_numbered(p, 4);
}

/* Areas that have become alike since one was looked at last: the advice reaches both, and nothing beside its range. */
TEST(madvise_dontneed_areas_become_alike)
{
	char *p = numbered(6);
	pid_t pid;

	CHECK_EQ(mprotect(p + 3 * PAGE, 3 * PAGE, PROT_READ), 0);
	pid = spawn();
	if (pid == 0)
		_exit(0);
	join(pid);
	p[0] = 1;
	CHECK_EQ(mprotect(p + 3 * PAGE, 3 * PAGE, RW), 0);
	p[3 * PAGE] = 4;
	need(madvise(p + PAGE, 4 * PAGE, MADV_DONTNEED), "madvise");
	CHECK(all_bytes(p, 1, PAGE));
	CHECK(all_bytes(p + PAGE, 0, 4 * PAGE));
	CHECK(all_bytes(p + 5 * PAGE, 6, PAGE));
}

/* Pages given up lazily read as they were or as zero, until they are stored to. */
static void check_given_up(char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		CHECK(all_bytes(p + i * PAGE, (char)(i + 1), PAGE) ||
		      all_bytes(p + i * PAGE, 0, PAGE));
}

TEST(madvise_free)
{
	char *p = numbered(8);

	need(madvise(p, 6 * PAGE, MADV_FREE), "madvise");
	check_given_up(p, 6);
	memset(p + PAGE, 77, PAGE);
	p[2 * PAGE] = p[3 * PAGE]; /* one byte of a page that may have gone */
	CHECK_EQ(madvise(p, 8 * PAGE, MADV_PAGEOUT), 0);
	check_given_up(p, 1);
	CHECK(all_bytes(p + PAGE, 77, PAGE));
	CHECK(p[3 * PAGE - 1] == 3 || p[3 * PAGE - 1] == 0);
	CHECK(all_bytes(p + 6 * PAGE, 7, PAGE) && all_bytes(p + 7 * PAGE, 8, PAGE));
	CHECK_ERR(madvise(map_anon(1, RW, MAP_SHARED), PAGE, MADV_FREE), EINVAL);
	if (mlock(p, PAGE) == 0)
		CHECK_ERR(madvise(p, PAGE, MADV_FREE), EINVAL);
}

/* What a fork sees is not the other's to give up. */
TEST(madvise_free_after_fork)
{
	char *p = numbered(4);
	struct turns t;
	pid_t pid = sharer(&t, p, 4);

	need(madvise(p, 4 * PAGE, MADV_FREE), "madvise");
	CHECK_EQ(madvise(p, 4 * PAGE, MADV_PAGEOUT), 0);
	check_given_up(p, 4);
	hand_over(&t, 0);
	join(pid);
	memset(p, 9, 4 * PAGE);
	CHECK_EQ(madvise(p, 4 * PAGE, MADV_FREE), 0);
	memset(p + PAGE, 10, PAGE);
	CHECK_EQ(madvise(p, 4 * PAGE, MADV_PAGEOUT), 0);
	CHECK(all_bytes(p + PAGE, 10, PAGE));
}

/* COLD and PAGEOUT change nothing that can be read, in any kind of memory. */
TEST(madvise_pageout)
{
	static const int advice[] = {MADV_COLD, MADV_PAGEOUT, MADV_PAGEOUT};
	int fd = make_file("f", 40 * PAGE);
	char *p = numbered(40), *q = map_anon(40, RW, MAP_SHARED),
	     *r = map_file(fd, 40, RW, MAP_SHARED, 0), *s = map_file(fd, 40, RW, MAP_PRIVATE, 0);

	memset(p + 5 * PAGE, 0, PAGE);
	memset(r, 4, PAGE);
	s[9 * PAGE] = 1;
	for (size_t k = 0; k < 3; k++) {
		memset(q, 3, 40 * PAGE);
		need(madvise(p, 40 * PAGE, advice[k]), "madvise");
		CHECK_EQ(madvise(q, 40 * PAGE, advice[k]), 0);
		CHECK_EQ(madvise(r, 40 * PAGE, advice[k]), 0);
		CHECK_EQ(madvise(s, 40 * PAGE, advice[k]), 0);
		check_numbered(p, 5);
		CHECK(all_bytes(p + 5 * PAGE, 0, PAGE));
		CHECK(all_bytes(p + 39 * PAGE, 40, PAGE));
		CHECK(all_bytes(q, 3, 40 * PAGE));
		CHECK(all_bytes(r, 4, PAGE));
		check_pattern(r + PAGE, PAGE, 39 * PAGE);
		CHECK_EQ(s[9 * PAGE], 1);
		check_pattern(s + 10 * PAGE, 10 * PAGE, 30 * PAGE);
	}
	CHECK_EQ(byte_of_file(fd, 0), 4);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_ERR(madvise(p, 3 * PAGE, MADV_PAGEOUT), ENOMEM);
	CHECK_ERR(madvise(p, 3 * PAGE, MADV_COLD), ENOMEM);
	if (mlock(p, PAGE) == 0) {
		CHECK_ERR(madvise(p, PAGE, MADV_PAGEOUT), EINVAL);
		CHECK_ERR(madvise(p, PAGE, MADV_COLD), EINVAL);
	}
}

TEST(madvise_bad_args)
{
	char *p = numbered(3);

	need(madvise(p, PAGE, MADV_NORMAL), "madvise");
	CHECK_ERR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(p, PAGE, 12345), EINVAL);
	CHECK_EQ(madvise(p, 0, MADV_DONTNEED), 0);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_ERR(madvise(p, 3 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECK(all_bytes(p + 2 * PAGE, 0, PAGE)); /* done around the hole all the same */
}

/* ---- mincore, mlock ------------------------------------------------------------------ */

TEST(mincore_residency)
{
	char *p = map_anon(4, RW, MAP_PRIVATE);
	unsigned char vec[5] = {9, 9, 9, 9, 9};

	p[0] = p[2 * PAGE] = 1;
	need(mincore(p, 4 * PAGE, vec), "mincore");
	CHECK_EQ(vec[0] & 1, 1);
	CHECK_EQ(vec[1] & 1, 0);
	CHECK_EQ(vec[2] & 1, 1);
	CHECK_EQ(vec[3] & 1, 0);
	CHECK_EQ(vec[4], 9);
	CHECK_ERR(mincore(p + 1, PAGE, vec), EINVAL);
	CHECK_ERR(mincore(p, PAGE, (unsigned char *)8), EFAULT);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_ERR(mincore(p, 4 * PAGE, vec), ENOMEM);
}

TEST(mlock_makes_resident)
{
	char *p = map_anon(8, RW, MAP_PRIVATE);
	unsigned char vec[8];

	need(mlock(p, 8 * PAGE), "mlock");
	if (mincore(p, 8 * PAGE, vec) == 0) {
		for (int i = 0; i < 8; i++)
			CHECK_EQ(vec[i] & 1, 1);
	}
	CHECK(all_bytes(p, 0, 8 * PAGE));
	CHECK_EQ(munlock(p, 8 * PAGE), 0);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_ERR(mlock(p, 8 * PAGE), ENOMEM);
}

TEST(populate)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map_file(fd, 4, RW, MAP_PRIVATE | MAP_POPULATE, 0);

	check_pattern(p, 0, 4 * PAGE);
	p = map_anon(4, RW, MAP_PRIVATE | MAP_POPULATE);
	CHECK(all_bytes(p, 0, 4 * PAGE));
	p = map_file(fd, 8, PROT_READ, MAP_SHARED | MAP_POPULATE, 0); /* beyond EOF: no matter */
	check_pattern(p, 0, 4 * PAGE);
	CHECK_READ_FAULT(p + 4 * PAGE, SIGBUS, BUS_ADRERR);
}

TEST(memfd_mapped_twice)
{
	int fd = memfd_create("two", MFD_CLOEXEC);
	char *p, *q;

	need(fd, "memfd_create");
	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, 4 * PAGE), 0);
	p = map_file(fd, 4, RW, MAP_SHARED, 0);
	q = map_file(fd, 4, PROT_READ, MAP_SHARED, 0);
	close(fd);
	CHECK(all_bytes(q, 0, 4 * PAGE));
	memset(p, 8, 4 * PAGE);
	CHECK(all_bytes(q, 8, 4 * PAGE));
	CHECK_WRITE_FAULT(q, SIGSEGV, SEGV_ACCERR);
}
