// SPDX-License-Identifier: BSD-2-Clause
/*
 * errnos.c - tables of raw calls with arguments that are out of range, not aligned, overflowing or wrapping, and what each
 * gives: an errno, or 0 for any success.  Every row starts from the same window of mappings and, if it fails, leaves it as it was.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "user/tests/mmaptest/harness.h"

#define BASE   0x2000000000UL
#define W(n)   ((long)(BASE + (n)*PAGE))
#define TOP    0x7ffffffffffff000L /* in no address space */
#define HIGH   ((long)-PAGE)
#define HUGE   (1L << 62)
#define WINDOW 64

#define ANON	  (MAP_PRIVATE | MAP_ANONYMOUS)
#define FIX	  (ANON | MAP_FIXED)
#define NOREPL	  (ANON | MAP_FIXED_NOREPLACE)
#define M_SYNC	  0x80000
#define M_HUGETLB 0x40000
#define NAME249	  ((long)name249)
#define NAME250	  ((long)name250)

struct row {
	const char *what;
	long nr, arg[6];
	int want; /* | PARTLY: the part before the error may be done */
};

#define PARTLY 0x10000

/* clang-format off */
#define ROW(call, want, ...) {#call "(" #__VA_ARGS__ ")", SYS_##call, {__VA_ARGS__}, want}
/* clang-format on */

static int rw_fd, ro_fd, wo_fd;
static char name249[250], name250[251];

static char *fixed(int page, int pages, int prot, int flags, int fd)
{
	char *p = mmap((void *)W(page), pages * PAGE, prot, flags | MAP_FIXED, fd, 0);

	CHECK_EQ(p, W(page));
	return p;
}

/*
 * page	0 1 private, 2 nothing, 3 shared, 4 read-only, 5 file private, 6 7 file shared by a read-only descriptor,
 *	8 nothing, 9 private and locked, 10 nothing, 11 no access, 12 13 file shared, 14... nothing
 */
static void window_make(void)
{
	CHECK_EQ(munmap((void *)BASE, WINDOW * PAGE), 0);
	memset(fixed(0, 2, RW, ANON, -1), 1, 2 * PAGE);
	memset(fixed(3, 1, RW, MAP_SHARED | MAP_ANONYMOUS, -1), 3, PAGE);
	fixed(4, 1, PROT_READ, ANON, -1);
	fixed(5, 1, RW, MAP_PRIVATE, rw_fd)[0] = 5;
	fixed(6, 2, PROT_READ, MAP_SHARED, ro_fd);
	fixed(9, 1, RW, ANON, -1);
	CHECK_EQ(mlock((void *)W(9), PAGE), 0);
	fixed(11, 1, PROT_NONE, ANON, -1);
	fixed(12, 2, RW, MAP_SHARED, rw_fd);
}

static char maps_before[32768], maps_after[32768];

static void read_maps(char *to)
{
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t len = 0;
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, to + len, sizeof(maps_before) - 1 - len)) > 0)
		len += n;
	to[len] = '\0';
	close(fd);
}

static bool window_unchanged(void)
{
	read_maps(maps_after);
	return strcmp(maps_before, maps_after) == 0 && all_bytes((char *)W(0), 1, 2 * PAGE) &&
	       all_bytes((char *)W(3), 3, PAGE) && *(char *)W(5) == 5;
}

/* All wrong rows are reported before the test fails. */
static int wrong;

static void try_row(const struct row *r)
{
	const long *a = r->arg;
	long got;
	int error;

	window_make();
	read_maps(maps_before);
	errno = 0;
	got = syscall(r->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	error = got == -1 ? errno : 0;
	if (error != (r->want & ~PARTLY)) {
		printf("# %s: %d, want %d\n", r->what, error, r->want & ~PARTLY);
		wrong++;
	} else if (error && !(r->want & PARTLY) && !window_unchanged()) {
		printf("# %s: failed, but changed something\n", r->what);
		wrong++;
	}
}

/* Before the rows, which hold the descriptors. */
static void prepare(void)
{
	rw_fd = make_file("f", 4 * PAGE);
	ro_fd = open("f", O_RDONLY);
	wo_fd = open("f", O_WRONLY);
	memset(name249, 'x', 249);
	memset(name250, 'x', 250);
	CHECK(ro_fd >= 0 && wo_fd >= 0);
}

static void run_rows(const struct row *r, size_t n)
{
	printf("# %zu rows\n", n); /* stdio gets its memory before the first map is read */
	for (size_t i = 0; i < n; i++)
		try_row(&r[i]);
	fflush(stdout);
	CHECK_EQ(wrong, 0);
}

#define RUN(rows) run_rows(rows, sizeof(rows) / sizeof(*(rows)))

TEST(errnos_mmap)
{
	prepare();
	const struct row rows[] = {
		ROW(mmap, EINVAL, 0, 0, RW, ANON, -1, 0),
		ROW(mmap, ENOMEM, 0, -1, RW, ANON, -1, 0),
		ROW(mmap, ENOMEM, 0, HIGH, RW, ANON, -1, 0),
		ROW(mmap, ENOMEM, 0, HUGE, RW, ANON, -1, 0),
		ROW(mmap, ENOMEM, W(0), HUGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0),
		ROW(mmap, EINVAL, 0, PAGE, RW, ANON, -1, 1),
		ROW(mmap, EINVAL, 0, 0, RW, ANON, -1, 1),
		ROW(mmap, EINVAL, 0, PAGE, RW, MAP_ANONYMOUS, -1, 0),
		ROW(mmap, EINVAL, 0, PAGE, RW, 0, rw_fd, 0),
		ROW(mmap, EINVAL, 0, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0),
		ROW(mmap, EINVAL, 0, PAGE, RW, 4 | MAP_ANONYMOUS, -1, 0),
		ROW(mmap, EINVAL, 0, PAGE, RW, 15 | MAP_ANONYMOUS, -1, 0),
		ROW(mmap, EINVAL, 0, PAGE, RW, 8, rw_fd, 0),
		ROW(mmap, 0, 0, PAGE, RW, 8 | MAP_ANONYMOUS, -1, 0),
		ROW(mmap, EOVERFLOW, 0, PAGE, RW, ANON, -1, HIGH),
		ROW(mmap, 0, 0, PAGE, RW, ANON, 12345, 0),
		ROW(mmap, 0, 0, PAGE, 0x40 | PROT_READ, ANON, -1, 0),
		ROW(mmap, 0, 0, PAGE, RW, ANON | 0x40000000, -1, 0),
		ROW(mmap, 0, 0, 1, RW, ANON, -1, 0),
		ROW(mmap, 0, 0, PAGE, RW, MAP_SHARED_VALIDATE, rw_fd, 0),
		ROW(mmap, EOPNOTSUPP, 0, PAGE, RW, MAP_SHARED_VALIDATE | M_SYNC, rw_fd, 0),
		ROW(mmap, EOPNOTSUPP, 0, PAGE, RW, MAP_SHARED_VALIDATE | 0x200000, rw_fd, 0),
		ROW(mmap, 0, 0, PAGE, RW, MAP_SHARED_VALIDATE | 0x40000000, rw_fd, 0),
		ROW(mmap, EINVAL, 0, PAGE, RW, MAP_PRIVATE | M_HUGETLB, rw_fd, 0),
		ROW(mmap, EINVAL, W(20) + 1, PAGE, RW, FIX, -1, 0),
		ROW(mmap, EINVAL, W(20) + 1, PAGE, RW, NOREPL, -1, 0),
		ROW(mmap, ENOMEM, TOP, PAGE, RW, FIX, -1, 0),
		ROW(mmap, ENOMEM, HIGH, PAGE, RW, FIX, -1, 0),
		ROW(mmap, ENOMEM, HIGH, PAGE, RW, NOREPL, -1, 0),
		ROW(mmap, ENOMEM, W(0), HUGE, RW, FIX, -1, 0),
		ROW(mmap, 0, HIGH, PAGE, RW, ANON, -1, 0),
		ROW(mmap, 0, 1, PAGE, RW, ANON, -1, 0),
		ROW(mmap, 0, W(0), PAGE, RW, ANON, -1, 0),
		ROW(mmap, EEXIST, W(0), PAGE, RW, NOREPL, -1, 0),
		ROW(mmap, EEXIST, W(2), 2 * PAGE, RW, NOREPL, -1, 0),
		ROW(mmap, EEXIST, W(0), 20 * PAGE, RW, NOREPL, -1, 0),
		ROW(mmap, EEXIST, W(11), PAGE, RW, NOREPL | MAP_FIXED, -1, 0),
		ROW(mmap, 0, W(2), PAGE, RW, NOREPL, -1, 0),
		ROW(mmap, EBADF, 0, PAGE, RW, MAP_PRIVATE, -1, 0),
		ROW(mmap, EBADF, 0, PAGE, RW, MAP_SHARED, 12345, 0),
		ROW(mmap, EBADF, 0, 0, RW, MAP_SHARED, -1, 0),
		ROW(mmap, EINVAL, 0, 0, RW, MAP_SHARED, rw_fd, 0),
		ROW(mmap, EINVAL, 0, PAGE, RW, MAP_SHARED, -1, 1),
		ROW(mmap, EINVAL, 0, PAGE, RW, MAP_SHARED, rw_fd, PAGE - 1),
		ROW(mmap, EOVERFLOW, 0, PAGE, RW, MAP_SHARED, rw_fd, HIGH),
		ROW(mmap, EOVERFLOW, 0, 2 * PAGE, RW, MAP_SHARED, rw_fd, TOP),
		ROW(mmap, EACCES, 0, PAGE, RW, MAP_SHARED, ro_fd, 0),
		ROW(mmap, EACCES, 0, PAGE, RW, MAP_SHARED_VALIDATE, ro_fd, 0),
		ROW(mmap, 0, 0, PAGE, RW, MAP_PRIVATE, ro_fd, 0),
		ROW(mmap, EACCES, 0, PAGE, PROT_READ, MAP_PRIVATE, wo_fd, 0),
		ROW(mmap, EACCES, 0, PAGE, PROT_WRITE, MAP_SHARED, wo_fd, 0),
		ROW(mmap, EACCES, 0, PAGE, PROT_NONE, MAP_SHARED, wo_fd, 0),
		ROW(mmap, EINVAL, 0, PAGE, RW, MAP_PRIVATE | MAP_GROWSDOWN, rw_fd, 0),
		ROW(mmap, EINVAL, 0, PAGE, RW, MAP_SHARED | MAP_GROWSDOWN, rw_fd, 0),
		ROW(mmap, EINVAL, 0, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0),
		ROW(mmap, 0, 0, PAGE, RW, ANON | MAP_GROWSDOWN | MAP_STACK, -1, 0),
		ROW(mmap, 0, 0, PAGE, RW, ANON | MAP_LOCKED | MAP_POPULATE, -1, 0),
		ROW(mmap, EACCES, W(0), 20 * PAGE, RW, MAP_SHARED | MAP_FIXED, ro_fd, 0),
	};

	RUN(rows);
}

TEST(errnos_munmap)
{
	prepare();
	const struct row rows[] = {
		ROW(munmap, EINVAL, W(0) + 1, PAGE), ROW(munmap, EINVAL, W(0), 0),
		ROW(munmap, EINVAL, W(0), -1),	     ROW(munmap, EINVAL, W(0), HIGH),
		ROW(munmap, EINVAL, W(0), HUGE),     ROW(munmap, EINVAL, HIGH, PAGE),
		ROW(munmap, EINVAL, TOP, PAGE),	     ROW(munmap, EINVAL, HIGH, 2 * PAGE),
		ROW(munmap, 0, W(2), PAGE),	     ROW(munmap, 0, W(0), 1),
		ROW(munmap, 0, W(1), 12 * PAGE),     ROW(munmap, 0, 0, PAGE),
	};

	RUN(rows);
}

TEST(errnos_mprotect)
{
	prepare();
	const struct row rows[] = {
		ROW(mprotect, EINVAL, W(0) + 1, PAGE, PROT_READ),
		ROW(mprotect, 0, W(0), 0, PROT_READ),
		ROW(mprotect, 0, HIGH, 0, PROT_READ),
		ROW(mprotect, ENOMEM, W(0), -1, PROT_READ),
		ROW(mprotect, ENOMEM, W(0), HIGH, PROT_READ),
		ROW(mprotect, ENOMEM | PARTLY, W(0), HUGE, PROT_READ),
		ROW(mprotect, ENOMEM, TOP, PAGE, PROT_READ),
		ROW(mprotect, ENOMEM, HIGH, PAGE, PROT_READ),
		ROW(mprotect, ENOMEM, HIGH, 2 * PAGE, PROT_READ),
		ROW(mprotect, EINVAL, W(0), PAGE, 0x40),
		ROW(mprotect, EINVAL, W(0), PAGE, 0x40000000),
		ROW(mprotect, EINVAL, W(2), PAGE, 0x40),
		ROW(mprotect, 0, W(0), PAGE, PROT_READ | 8),
		ROW(mprotect, 0, W(0), 0, 0x40),
		ROW(mprotect, EINVAL, W(0), PAGE, PROT_READ | PROT_GROWSDOWN),
		ROW(mprotect, EINVAL, W(0), PAGE, PROT_READ | 0x02000000),
		ROW(mprotect, EINVAL, W(0), PAGE, PROT_READ | 0x03000000),
		ROW(mprotect, EINVAL, W(0), 0, PROT_READ | 0x03000000),
		ROW(mprotect, ENOMEM, W(2), PAGE, PROT_READ),
		ROW(mprotect, ENOMEM, W(2), 2 * PAGE, PROT_READ),
		ROW(mprotect, EACCES, W(6), PAGE, RW),
		ROW(mprotect, EACCES, W(6), 2 * PAGE, PROT_WRITE),
		ROW(mprotect, 0, W(6), 2 * PAGE, PROT_READ | PROT_EXEC),
		ROW(mprotect, 0, W(5), PAGE, PROT_NONE),
		ROW(mprotect, 0, W(11), PAGE, RW),
	};

	RUN(rows);
}

TEST(errnos_msync)
{
	prepare();
	const struct row rows[] = {
		ROW(msync, EINVAL, W(0), PAGE, MS_SYNC | MS_ASYNC),
		ROW(msync, EINVAL, W(0), PAGE, 8),
		ROW(msync, EINVAL, W(0), PAGE, MS_SYNC | 0x100),
		ROW(msync, EINVAL, W(0) + 1, PAGE, MS_SYNC),
		ROW(msync, EINVAL, W(0) + 1, 0, MS_SYNC),
		ROW(msync, 0, W(0), PAGE, 0),
		ROW(msync, 0, W(2), 0, MS_SYNC),
		ROW(msync, 0, HIGH, 0, MS_SYNC),
		ROW(msync, 0, W(0), -1, MS_SYNC),
		ROW(msync, ENOMEM, W(0), HIGH, MS_SYNC),
		ROW(msync, ENOMEM, W(12), HUGE, MS_SYNC),
		ROW(msync, ENOMEM, TOP, PAGE, MS_SYNC),
		ROW(msync, ENOMEM, HIGH, PAGE, MS_SYNC),
		ROW(msync, ENOMEM, W(2), PAGE, MS_SYNC),
		ROW(msync, ENOMEM, W(0), 4 * PAGE, MS_SYNC),
		ROW(msync, ENOMEM, W(2), 2 * PAGE, MS_ASYNC),
		ROW(msync, ENOMEM, W(2), PAGE, 0),
		ROW(msync, 0, W(3), 5 * PAGE, MS_SYNC),
		ROW(msync, 0, W(12), PAGE, MS_SYNC | MS_INVALIDATE),
		ROW(msync, EBUSY, W(9), PAGE, MS_INVALIDATE),
		ROW(msync, EBUSY, W(9), PAGE, MS_SYNC | MS_INVALIDATE),
		ROW(msync, 0, W(9), PAGE, MS_SYNC),
		ROW(msync, 0, W(11), 3 * PAGE, MS_ASYNC),
	};

	RUN(rows);
}

TEST(errnos_madvise)
{
	prepare();
	const struct row rows[] = {
		ROW(madvise, EINVAL, W(0), PAGE, -1),
		ROW(madvise, EINVAL, W(0), PAGE, 5),
		ROW(madvise, EINVAL, W(0), PAGE, 6),
		ROW(madvise, EINVAL, W(0), PAGE, 7),
		ROW(madvise, EINVAL, W(0), PAGE, 99),
		ROW(madvise, EINVAL, W(0), PAGE, 1234),
		ROW(madvise, EINVAL, W(0), 0, 99),
		ROW(madvise, EINVAL, W(0) + 1, PAGE, MADV_NORMAL),
		ROW(madvise, EINVAL, W(0) + 1, 0, MADV_NORMAL),
		ROW(madvise, 0, W(0), 0, MADV_NORMAL),
		ROW(madvise, 0, HIGH, 0, MADV_DONTNEED),
		ROW(madvise, EINVAL, W(0), -1, MADV_NORMAL),
		ROW(madvise, EINVAL, W(0), HIGH, MADV_NORMAL),
		ROW(madvise, EINVAL, W(0), HIGH, MADV_WILLNEED),
		ROW(madvise, ENOMEM, W(0), HUGE, MADV_NORMAL),
		ROW(madvise, ENOMEM, TOP, PAGE, MADV_NORMAL),
		ROW(madvise, EINVAL, HIGH, 2 * PAGE, MADV_NORMAL),
		ROW(madvise, EINVAL, HIGH, PAGE, MADV_NORMAL),
		ROW(madvise, ENOMEM, W(2), PAGE, MADV_NORMAL),
		ROW(madvise, ENOMEM, W(2), 2 * PAGE, MADV_RANDOM),
		ROW(madvise, ENOMEM, W(2), PAGE, MADV_DONTNEED),
		ROW(madvise, ENOMEM, W(2), PAGE, MADV_WILLNEED),
		ROW(madvise, ENOMEM, W(2), PAGE, MADV_POPULATE_READ),
		ROW(madvise, ENOMEM, W(2), PAGE, MADV_POPULATE_WRITE),
		ROW(madvise, 0, W(0), PAGE, MADV_WILLNEED),
		ROW(madvise, 0, W(5), 3 * PAGE, MADV_WILLNEED),
		ROW(madvise, EINVAL, W(9), PAGE, MADV_DONTNEED),
		ROW(madvise, EINVAL, W(9), PAGE, MADV_FREE),
		ROW(madvise, EINVAL, W(9), PAGE, MADV_REMOVE),
		ROW(madvise, 0, W(9), PAGE, 24),
		ROW(madvise, 0, W(0), PAGE, MADV_FREE),
		ROW(madvise, EINVAL, W(3), PAGE, MADV_FREE),
		ROW(madvise, EINVAL, W(5), PAGE, MADV_FREE),
		ROW(madvise, EINVAL, W(12), PAGE, MADV_FREE),
		ROW(madvise, 0, W(3), PAGE, MADV_DONTNEED),
		ROW(madvise, 0, W(12), PAGE, MADV_DONTNEED),
		ROW(madvise, EINVAL, W(0), PAGE, MADV_REMOVE),
		ROW(madvise, EACCES, W(5), PAGE, MADV_REMOVE),
		ROW(madvise, 0, W(3), PAGE, MADV_REMOVE),
		ROW(madvise, EACCES, W(6), PAGE, MADV_REMOVE),
		ROW(madvise, 0, W(0), PAGE, MADV_DONTFORK),
		ROW(madvise, 0, W(3), 5 * PAGE, MADV_DONTFORK),
		ROW(madvise, 0, W(0), PAGE, MADV_DOFORK),
		ROW(madvise, 0, W(0), PAGE, 18),
		ROW(madvise, EINVAL, W(3), PAGE, 18),
		ROW(madvise, EINVAL, W(5), PAGE, 18),
		ROW(madvise, 0, W(3), PAGE, 19),
		ROW(madvise, 0, W(0), PAGE, 16),
		ROW(madvise, 0, W(0), PAGE, 17),
		ROW(madvise, EINVAL, W(0), PAGE, 25),
		ROW(madvise, 0, W(0), PAGE, MADV_POPULATE_READ),
		ROW(madvise, 0, W(0), PAGE, MADV_POPULATE_WRITE),
		ROW(madvise, EINVAL, W(4), PAGE, MADV_POPULATE_WRITE),
		ROW(madvise, EINVAL, W(6), PAGE, MADV_POPULATE_WRITE),
		ROW(madvise, EINVAL, W(11), PAGE, MADV_POPULATE_READ),
		ROW(madvise, EINVAL, W(11), PAGE, MADV_POPULATE_WRITE),
		ROW(madvise, ENOMEM, W(0), 3 * PAGE, MADV_POPULATE_READ),
	};

	RUN(rows);
}

TEST(errnos_mincore)
{
	prepare();
	static char vec[WINDOW];
	const long v = (long)vec;
	const struct row rows[] = {
		ROW(mincore, EINVAL, W(0) + 1, PAGE, v),
		ROW(mincore, EINVAL, W(0) + 1, 0, v),
		ROW(mincore, ENOMEM, W(0), -1, v),
		ROW(mincore, ENOMEM, W(0), HIGH, v),
		ROW(mincore, ENOMEM, W(0), HUGE, v),
		ROW(mincore, ENOMEM, TOP, PAGE, v),
		ROW(mincore, ENOMEM, HIGH, PAGE, v),
		ROW(mincore, 0, W(0), 0, v),
		ROW(mincore, 0, W(2), 0, v),
		ROW(mincore, 0, W(0), 0, 0),
		ROW(mincore, EFAULT, W(0), PAGE, 0),
		ROW(mincore, EFAULT, W(0), PAGE, W(2)),
		ROW(mincore, EFAULT, W(0), PAGE, HIGH),
		ROW(mincore, EFAULT, W(0), PAGE, W(4)),
		ROW(mincore, ENOMEM, W(2), PAGE, v),
		ROW(mincore, ENOMEM, W(1), 3 * PAGE, v),
		ROW(mincore, 0, W(3), 5 * PAGE, v),
		ROW(mincore, 0, W(11), PAGE, v),
		ROW(mincore, 0, W(0), PAGE + 1, v),
	};

	RUN(rows);
}

TEST(errnos_mlock)
{
	prepare();
	const struct row rows[] = {
		ROW(mlock, 0, W(0), 0),
		ROW(mlock, 0, W(2), 0),
		ROW(mlock, 0, W(0) + 1, PAGE),
		ROW(mlock, 0, W(0) + 5, 0),
		ROW(mlock, EINVAL, W(0), HIGH),
		ROW(mlock, 0, W(0), -1),
		ROW(mlock, 0, W(0) + 1, HIGH),
		ROW(mlock, EINVAL, HIGH, PAGE),
		ROW(mlock, ENOMEM, TOP, PAGE),
		ROW(mlock, ENOMEM, W(2), PAGE),
		ROW(mlock, ENOMEM, W(2), 2 * PAGE),
		ROW(mlock, 0, W(3), 5 * PAGE),
		ROW(mlock, ENOMEM, W(11), PAGE),
		ROW(munlock, 0, W(0), 0),
		ROW(munlock, 0, W(0), PAGE),
		ROW(munlock, 0, W(0) + 1, PAGE),
		ROW(munlock, EINVAL, W(0), HIGH),
		ROW(munlock, ENOMEM, W(2), PAGE),
		ROW(munlock, ENOMEM, TOP, PAGE),
		ROW(mlock2, EINVAL, W(0), PAGE, 2),
		ROW(mlock2, EINVAL, W(0), PAGE, -1),
		ROW(mlock2, 0, W(0), PAGE, 0),
		ROW(mlock2, 0, W(0), PAGE, 1),
		ROW(mlock2, 0, W(11), PAGE, 1),
		ROW(mlock2, ENOMEM, W(2), PAGE, 1),
		ROW(mlockall, EINVAL, 0),
		ROW(mlockall, EINVAL, 4),
		ROW(mlockall, EINVAL, 8),
		ROW(mlockall, EINVAL, -1),
		ROW(mlockall, 0, 1),
		ROW(mlockall, 0, 7),
		ROW(munlockall, 0, 0),
	};

	RUN(rows);
}

TEST(errnos_mremap)
{
	prepare();
	const long may = MREMAP_MAYMOVE, fix = may | MREMAP_FIXED, keep = may | MREMAP_DONTUNMAP;
	const struct row rows[] = {
		ROW(mremap, EINVAL, W(0), PAGE, PAGE, 8),
		ROW(mremap, EINVAL, W(0), PAGE, PAGE, -1),
		ROW(mremap, EINVAL, W(0) + 1, PAGE, PAGE, may),
		ROW(mremap, EINVAL, W(0), PAGE, 0, may),
		ROW(mremap, EINVAL, W(0), PAGE, -1, may),
		ROW(mremap, EINVAL, W(0), 0, PAGE, may),
		ROW(mremap, EINVAL, W(0), 0, 0, may),
		ROW(mremap, EINVAL, W(0), PAGE, PAGE, MREMAP_FIXED, W(20)),
		ROW(mremap, EINVAL, W(0), PAGE, PAGE, MREMAP_DONTUNMAP),
		ROW(mremap, EINVAL, W(0), PAGE, 2 * PAGE, keep),
		ROW(mremap, EINVAL, W(0), 2 * PAGE, PAGE, keep),
		ROW(mremap, EINVAL, W(0), PAGE, PAGE, fix, W(20) + 1),
		ROW(mremap, EINVAL, W(0), PAGE, PAGE, fix, TOP),
		ROW(mremap, EINVAL, W(0), PAGE, PAGE, fix, HIGH),
		ROW(mremap, EINVAL, W(0), PAGE, HUGE, fix, W(20)),
		ROW(mremap, EINVAL, W(0), 2 * PAGE, PAGE, fix, W(1)),
		ROW(mremap, EINVAL, W(1), -PAGE, 2 * PAGE, fix, W(0)),
		ROW(mremap, EINVAL, W(1), -PAGE, PAGE, fix, W(20)),
		ROW(mremap, EINVAL, W(1), TOP, PAGE, fix, W(20)),
		ROW(mremap, EINVAL, W(0), 2 * PAGE, 2 * PAGE, fix, W(0)),
		ROW(mremap, EINVAL, W(1), PAGE, 2 * PAGE, fix, W(0)),
		ROW(mremap, 0, W(0), PAGE, PAGE, fix, W(1)),
		ROW(mremap, 0, W(0), PAGE, PAGE, fix, W(20)),
		ROW(mremap, 0, W(0), 2 * PAGE, PAGE, fix, W(20)),
		ROW(mremap, EFAULT, W(2), PAGE, PAGE, 0),
		ROW(mremap, EFAULT, W(2), PAGE, 2 * PAGE, may),
		ROW(mremap, EFAULT, W(2), 2 * PAGE, PAGE, 0),
		ROW(mremap, EFAULT, W(2), PAGE, PAGE, fix, W(20)),
		ROW(mremap, EFAULT, W(1), 2 * PAGE, 3 * PAGE, may),
		ROW(mremap, EFAULT, W(3), 2 * PAGE, 3 * PAGE, may),
		ROW(mremap, EFAULT, W(3), 2 * PAGE, 2 * PAGE, keep),
		ROW(mremap, 0, W(3), 3 * PAGE, PAGE, 0),
		ROW(mremap, 0, W(1), 3 * PAGE, PAGE, 0),
		ROW(mremap, 0, W(3), 2 * PAGE, 2 * PAGE, 0),
		ROW(mremap, EFAULT, TOP, PAGE, 2 * PAGE, may),
		ROW(mremap, EFAULT, HIGH, PAGE, 2 * PAGE, may),
		ROW(mremap, EFAULT, HIGH, PAGE, PAGE, 0),
		ROW(mremap, 0, W(0), PAGE, PAGE, 0),
		ROW(mremap, 0, W(0), PAGE, PAGE, may),
		ROW(mremap, 0, W(0), 2 * PAGE, PAGE, 0),
		ROW(mremap, 0, W(0), 2 * PAGE, 3 * PAGE, 0),
		ROW(mremap, ENOMEM, W(0), 2 * PAGE, 4 * PAGE, 0),
		ROW(mremap, ENOMEM, W(0), PAGE, 2 * PAGE, 0),
		ROW(mremap, 0, W(0), 2 * PAGE, 4 * PAGE, may),
		ROW(mremap, ENOMEM, W(0), 2 * PAGE, HUGE, may),
		ROW(mremap, ENOMEM, W(0), 2 * PAGE, HIGH, may),
		ROW(mremap, EFAULT, W(0), HUGE, HUGE + PAGE, may),
		ROW(mremap, EINVAL, W(0), HIGH, PAGE, may),
		ROW(mremap, 0, W(0), HIGH, HIGH, may),
		ROW(mremap, 0, W(3), 0, PAGE, may),
		ROW(mremap, 0, W(12), 0, 2 * PAGE, may),
		ROW(mremap, ENOMEM, W(3), 0, PAGE, 0),
		ROW(mremap, EINVAL, W(5), 0, PAGE, may),
		ROW(mremap, 0, W(3), 0, PAGE, fix, W(20)),
		ROW(mremap, EFAULT, W(2), 0, PAGE, may),
		ROW(mremap, 0, W(0), PAGE, PAGE, keep),
		ROW(mremap, 0, W(3), PAGE, PAGE, keep),
		ROW(mremap, 0, W(5), PAGE, PAGE, keep),
		ROW(mremap, 0, W(0), PAGE, PAGE, keep | MREMAP_FIXED, W(20)),
		ROW(mremap, EINVAL, W(0), 0, 0, keep),
		ROW(mremap, 0, W(11), PAGE, 2 * PAGE, may),
		ROW(mremap, 0, W(9), PAGE, 2 * PAGE, may),
	};

	RUN(rows);
}

TEST(errnos_memfd)
{
	prepare();
	const struct row rows[] = {
		ROW(memfd_create, 0, (long)"", 0),
		ROW(memfd_create, 0, (long)"x", 1),
		ROW(memfd_create, 0, (long)"x/y", 3),
		ROW(memfd_create, 0, (long)"x", 8),
		ROW(memfd_create, 0, (long)"x", 16),
		ROW(memfd_create, 0, (long)"x", 0x0a),
		ROW(memfd_create, EINVAL, (long)"x", 24),
		ROW(memfd_create, EINVAL, (long)"x", 0x20),
		ROW(memfd_create, EINVAL, (long)"x", 0x80000000),
		ROW(memfd_create, EINVAL, (long)"x", 1L << 26),
		ROW(memfd_create, 0, NAME249, 0),
		ROW(memfd_create, EINVAL, NAME250, 0),
		ROW(memfd_create, EFAULT, 0, 0),
		ROW(memfd_create, EFAULT, W(2), 0),
		ROW(memfd_create, EFAULT, HIGH, 0),
		ROW(memfd_create, EINVAL, W(2), 0x20),
	};

	RUN(rows);
}

TEST(errnos_remap_file_pages)
{
	prepare();
	const struct row rows[] = {
		ROW(remap_file_pages, 0, W(12), PAGE, 0, 1, 0),
		ROW(remap_file_pages, 0, W(12), 2 * PAGE, 0, 1, 0),
		ROW(remap_file_pages, 0, W(12), 2 * PAGE, 0, 0, 0),
		ROW(remap_file_pages, 0, W(12), PAGE, 0, 100, 0),
		ROW(remap_file_pages, 0, W(12) + 1, PAGE, 0, 1, 0),
		ROW(remap_file_pages, EINVAL, W(12), PAGE, PROT_READ, 1, 0),
		ROW(remap_file_pages, EINVAL, W(12), PAGE, -1, 1, 0),
		ROW(remap_file_pages, EINVAL, W(12), 0, 0, 1, 0),
		ROW(remap_file_pages, EINVAL, W(12), -1, 0, 1, 0),
		ROW(remap_file_pages, EINVAL, W(12), HIGH, 0, 1, 0),
		ROW(remap_file_pages, EINVAL, W(12), PAGE, 0, -1, 0),
		ROW(remap_file_pages, EINVAL, W(12), 3 * PAGE, 0, 1, 0),
		ROW(remap_file_pages, EINVAL, W(2), PAGE, 0, 1, 0),
		ROW(remap_file_pages, EINVAL, W(0), PAGE, 0, 1, 0),
		ROW(remap_file_pages, EINVAL, W(5), PAGE, 0, 1, 0),
		ROW(remap_file_pages, 0, W(3), PAGE, 0, 0, 0),
		ROW(remap_file_pages, EINVAL, W(6), PAGE, 0, 1, 0),
		ROW(remap_file_pages, EINVAL, HIGH, PAGE, 0, 1, 0),
		ROW(remap_file_pages, EINVAL, TOP, PAGE, 0, 1, 0),
	};

	RUN(rows);
}

/* The break stays where it is when it cannot go. */
TEST(errnos_brk)
{
	long now = syscall(SYS_brk, 0);

	CHECK_EQ(syscall(SYS_brk, 1), now);
	CHECK_EQ(syscall(SYS_brk, -1), now);
	CHECK_EQ(syscall(SYS_brk, HIGH), now);
	CHECK_EQ(syscall(SYS_brk, TOP), now);
	CHECK_EQ(syscall(SYS_brk, now + HUGE), now);
	CHECK_EQ(syscall(SYS_brk, now + 1), now + 1);
	CHECK_EQ(syscall(SYS_brk, 0), now + 1);
	CHECK_EQ(syscall(SYS_brk, now), now);
}
