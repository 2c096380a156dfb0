// SPDX-License-Identifier: BSD-2-Clause
/* pagemap.c - /proc/self/pagemap, clear_refs and soft-dirty, smaps, smaps_rollup. */
#include <stdio.h>

#include "user/tests/mmaptest/harness.h"

#define SOFT_DIRTY (1UL << 55)
#define EXCLUSIVE  (1UL << 56)
#define FILE_PAGE  (1UL << 61)
#define PRESENT	   (1UL << 63)
#define PFN	   ((1UL << 55) - 1)

static uint64_t entry(const volatile void *p)
{
	static int fd = -1;
	uint64_t e;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, &e, 8, (off_t)((uintptr_t)p / PAGE * 8)), 8);
	return e;
}

static void clear_refs(const char *what)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, what, strlen(what)), strlen(what));
	close(fd);
}

static bool dirty(const volatile void *p)
{
	return entry(p) & SOFT_DIRTY;
}

/* Linux 6.12 has no soft-dirty bits on riscv64. */
static void need_soft_dirty(void)
{
	char *p = map_anon(1, RW, MAP_PRIVATE);

	*p = 1;
	if (!dirty(p))
		skip("no soft-dirty bits");
}

TEST(pagemap_bits)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map_anon(3, RW, MAP_PRIVATE), *f = map_file(fd, 2, RW, MAP_SHARED, 0);
	char *s = map_anon(1, RW, MAP_SHARED), *c = map_file(fd, 2, RW, MAP_PRIVATE, 0);

	p[0] = f[0] = s[0] = c[0] = 1;
	CHECK_EQ(madvise(p, 3 * PAGE, MADV_RANDOM), 0);
	CHECK_EQ(entry(p) & (PRESENT | FILE_PAGE | EXCLUSIVE), PRESENT | EXCLUSIVE);
	CHECK_EQ(entry(p + 2 * PAGE) & (PRESENT | FILE_PAGE | EXCLUSIVE | PFN), 0);
	CHECK_EQ(entry(f) & (PRESENT | FILE_PAGE | EXCLUSIVE), PRESENT | FILE_PAGE | EXCLUSIVE);
	CHECK_EQ(entry(s) & (PRESENT | FILE_PAGE), PRESENT | FILE_PAGE);
	CHECK_EQ(entry(c) & (PRESENT | FILE_PAGE), PRESENT);
	CHECK_EQ(p[2 * PAGE], 0);
	CHECK_EQ(entry(p + 2 * PAGE) & (PRESENT | FILE_PAGE), PRESENT);
	CHECK_EQ(munmap(p, PAGE), 0);
	CHECK_EQ(entry(p), 0);
	if (getuid() == 0)
		CHECK((entry(f) & PFN) != 0 && (entry(f) & PFN) != (entry(c) & PFN));
}

static void look_as_user(void *arg)
{
	char *p = arg;

	*p = 2;
	CHECK_EQ(setuid(1000), 0);
	if (open("/proc/self/pagemap", O_RDONLY) < 0)
		_exit(0); /* not dumpable after setuid */
	CHECK_EQ(entry(p) & (PRESENT | PFN), PRESENT);
}

TEST(pagemap_hides_frames)
{
	if (getuid() != 0)
		skip("not root");
	in_child(look_as_user, map_anon(1, RW, MAP_PRIVATE));
}

TEST(pagemap_bad_reads)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t e[2];

	CHECK_ERR(pread(fd, e, 8, 4), EINVAL);
	CHECK_ERR(pread(fd, e, 4, 8), EINVAL);
	CHECK_EQ(pread(fd, e, 0, 0), 0);
	CHECK_EQ(pread(fd, e, 16, 1L << 60), 0);
	CHECK_ERR(pread(fd, (void *)8, 8, 0), EFAULT);
	CHECK_ERR(write(fd, e, 8), EBADF);
	fd = open("/proc/self/clear_refs", O_WRONLY);
	CHECK_ERR(write(fd, "0", 1), EINVAL);
	CHECK_ERR(write(fd, "6", 1), EINVAL);
	CHECK_ERR(write(fd, "x", 1), EINVAL);
	CHECK_EQ(write(fd, "1\n", 2), 2);
	CHECK_EQ(write(fd, "5", 1), 1);
}

TEST(soft_dirty_says_what_was_written)
{
	char *p = map_anon(16, RW, MAP_PRIVATE);
	int fd = make_file("f", 4 * PAGE);
	char *f = map_file(fd, 4, RW, MAP_SHARED, 0);

	need_soft_dirty();
	for (size_t i = 0; i < 12; i++)
		p[i * PAGE] = 1;
	f[0] = f[PAGE] = 1;
	CHECK(dirty(p) && dirty(f));
	clear_refs("4");
	for (size_t i = 0; i < 16; i++)
		CHECK(!dirty(p + i * PAGE));
	CHECK(!dirty(f) && !dirty(f + PAGE));
	CHECK_EQ(p[3 * PAGE], 1);
	CHECK_EQ(p[13 * PAGE], 0);
	CHECK_EQ(f[2 * PAGE], pattern(2 * PAGE));
	CHECK(!dirty(p + 3 * PAGE) && !dirty(p + 13 * PAGE));
	p[5 * PAGE] = 2;
	p[14 * PAGE] = 2;
	f[PAGE] = 2;
	for (size_t i = 0; i < 16; i++)
		CHECK_EQ(dirty(p + i * PAGE), i == 5 || i == 14);
	CHECK(dirty(f + PAGE) && !dirty(f));
	CHECK(all_bytes(p, 1, 1) && p[PAGE] == 1);
	clear_refs("4");
	CHECK(!dirty(p + 5 * PAGE));
}

/* Rights that go and come back do not make a page clean that was written. */
TEST(soft_dirty_is_not_lost)
{
	char *p = map_anon(4, RW, MAP_PRIVATE), *q;
	pid_t pid;

	need_soft_dirty();
	memset(p, 1, 4 * PAGE);
	clear_refs("4");
	p[0] = 2;
	CHECK_EQ(mprotect(p, 4 * PAGE, PROT_READ), 0);
	CHECK(dirty(p));
	CHECK_EQ(mprotect(p, 4 * PAGE, RW), 0);
	CHECK(dirty(p));
	p[PAGE] = 2;
	pid = spawn();
	if (pid == 0) {
		CHECK(dirty(p) && dirty(p + PAGE));
		_exit(0);
	}
	join(pid);
	CHECK(dirty(p) && dirty(p + PAGE));
	clear_refs("4");
	p[2 * PAGE] = 3;
	CHECK(dirty(p + 2 * PAGE));
	/* at a new place everything is new */
	q = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   map_anon(4, RW, MAP_PRIVATE));
	CHECK(q != MAP_FAILED);
	CHECK(dirty(q) && dirty(q + 2 * PAGE));
	q = map_anon(1, RW, MAP_PRIVATE);
	CHECK(dirty(q));
}

/* The KiB of a line of smaps for the area that starts at p; -1: not there. */
static long smaps_value(const char *file, const void *p, const char *key)
{
	char line[300], start[40];
	FILE *f = fopen(file, "r");
	bool here = !p;
	long value = -1;

	CHECK(f != NULL);
	snprintf(start, sizeof(start), "%lx-", (unsigned long)(uintptr_t)p);
	while (value < 0 && fgets(line, sizeof(line), f)) {
		if (p && strncmp(line, start, strlen(start)) == 0)
			here = true;
		else if (here && strncmp(line, key, strlen(key)) == 0)
			value = strcmp(key, "VmFlags:") == 0 ? strstr(line, " sd") != NULL
							     : atol(line + strlen(key));
	}
	fclose(f);
	return value;
}

TEST(smaps_counts)
{
	int fd = make_file("f", 8 * PAGE);
	char *hole = map_anon(64, PROT_NONE, MAP_PRIVATE), *p, *f;
	const int fixed = MAP_FIXED | MAP_PRIVATE;

	p = mmap(hole + 4 * PAGE, 8 * PAGE, RW, fixed | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(madvise(p, 8 * PAGE, MADV_RANDOM), 0);
	p[0] = p[2 * PAGE] = p[5 * PAGE] = 1;
	f = mmap(hole + 20 * PAGE, 8 * PAGE, PROT_READ, MAP_FIXED | MAP_SHARED, fd, 0);
	CHECK(f != MAP_FAILED);
	CHECK_EQ(f[0], pattern(0));
	CHECK_EQ(smaps_value("/proc/self/smaps", p, "Size:"), 32);
	CHECK_EQ(smaps_value("/proc/self/smaps", p, "Rss:"), 12);
	CHECK_EQ(smaps_value("/proc/self/smaps", p, "Pss:"), 12);
	CHECK_EQ(smaps_value("/proc/self/smaps", p, "Anonymous:"), 12);
	CHECK_EQ(smaps_value("/proc/self/smaps", p, "Private_Dirty:"), 12);
	CHECK_EQ(smaps_value("/proc/self/smaps", f, "Anonymous:"), 0);
	CHECK(smaps_value("/proc/self/smaps", f, "Rss:") >= 4);
	CHECK_EQ(mlock(p, 8 * PAGE), 0);
	CHECK_EQ(smaps_value("/proc/self/smaps", p, "Locked:"), 32);
	CHECK(smaps_value("/proc/self/smaps_rollup", NULL, "Rss:") >= 32);
	CHECK(smaps_value("/proc/self/smaps_rollup", NULL, "Locked:") >= 32);
}
