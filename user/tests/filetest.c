// SPDX-License-Identifier: BSD-2-Clause
/*
 * filetest - what file systems owe beyond plain reading and writing: O_DIRECT, limits, flags of inodes, where files lie.
 * Prints TAP.
 *
 * usage: filetest [DIR]	works in DIR/filetest.d, on ext2 or tmpfs
 *
 * Each test is a process of its own and passes by exiting with 0; 77 means that the file system has nothing to test.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/lib/syscall.h"

enum {
	NR_futex = 98,
	NR_readv = 65,
	NR_writev = 66,
	NR_linkat = 37,
	NR_fallocate = 47,
	NR_statx = 291
};
#define CALL(nr, a, b, c, d, e, f) \
	sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#define SKIP 77
#define PAGE 4096UL
#define CHECK(cond)                                                                   \
	do {                                                                          \
		if (!(cond)) {                                                        \
			printf("# line %d: %s (errno %d)\n", __LINE__, #cond, errno); \
			fflush(stdout);                                               \
			_exit(1);                                                     \
		}                                                                     \
	} while (0)
#define FAILS(call, error) CHECK((call) == -1 && errno == (error))

static bool on_tmpfs;

static uint8_t *pages(size_t n)
{
	uint8_t *p =
		mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(seed + i * 7 + i / 251);
}

static int make(const char *name, int flags)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | flags, 0644);

	CHECK(fd >= 0);
	return fd;
}

/* ---- O_DIRECT ---- */

static void direct_alignment(void)
{
	uint8_t *buf = pages(4);
	int fd = make("align", O_DIRECT), null;

	fill(buf, 4 * PAGE, 1);
	CHECK(write(fd, buf, 2 * PAGE) == 2 * PAGE);
	if (!on_tmpfs) {
		FAILS(pwrite(fd, buf + 1, 512, 0), EINVAL);
		FAILS(pwrite(fd, buf, 511, 0), EINVAL);
		FAILS(pwrite(fd, buf, 512, 100), EINVAL);
		FAILS(pread(fd, buf + 8, 512, 0), EINVAL);
		FAILS(pread(fd, buf, 100, 0), EINVAL);
		FAILS(pread(fd, buf, 512, 1), EINVAL);
		null = open("/dev/null", O_RDWR | O_DIRECT);
		CHECK(null < 0 && errno == EINVAL);
	}
	CHECK(pread(fd, buf, 512, 64 * PAGE) == 0);
	CHECK(pread(fd, buf + 512, 512, 512) == 512);
	CHECK((fcntl(fd, F_GETFL) & O_DIRECT) && !fcntl(fd, F_SETFL, 0));
	CHECK(pread(fd, buf + 1, 100, 3) == 100);
	CHECK(!fcntl(fd, F_SETFL, O_DIRECT));
	FAILS(pread(fd, (void *)16384, 512, 0), EFAULT);
	FAILS(pwrite(fd, (void *)16384, PAGE, 0), EFAULT);
	close(fd);
}

/* What one way writes the other one reads, and a mapping shows. */
static void direct_coherent(void)
{
	enum { N = 96 };
	uint8_t *a = pages(N), *b = pages(N), *map;
	int d = make("coherent", O_DIRECT), c = open("coherent", O_RDWR);

	fill(a, N * PAGE, 3);
	CHECK(c >= 0 && write(c, a, N * PAGE) == N * PAGE);
	CHECK(pread(d, b, N * PAGE, 0) == N * PAGE && !memcmp(a, b, N * PAGE));
	fill(a, N * PAGE, 9);
	CHECK(pwrite(d, a, N * PAGE, 0) == N * PAGE);
	CHECK(pread(c, b, N * PAGE, 0) == N * PAGE && !memcmp(a, b, N * PAGE));
	map = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, c, 0);
	CHECK(map != MAP_FAILED && !memcmp(map, a, N * PAGE));
	fill(a + 5 * PAGE, 7 * PAGE, 77);
	CHECK(pwrite(d, a + 5 * PAGE, 7 * PAGE, 5 * PAGE) == 7 * PAGE);
	CHECK(!memcmp(map, a, N * PAGE));
	map[20 * PAGE + 5] = a[20 * PAGE + 5] = 0xee;
	CHECK(pread(d, b, N * PAGE, 0) == N * PAGE && !memcmp(a, b, N * PAGE));
	/* 512 bytes in the middle of a page, cached or not */
	munmap(map, N * PAGE);
	fill(a + 30 * PAGE + 512, 512, 5);
	CHECK(pwrite(d, a + 30 * PAGE + 512, 512, 30 * PAGE + 512) == 512);
	CHECK(pread(c, b, N * PAGE, 0) == N * PAGE && !memcmp(a, b, N * PAGE));
	close(c);
	close(d);
}

/* Holes, growing, the end of the file, pieces. */
static void direct_shapes(void)
{
	uint8_t *a = pages(8), *b = pages(8);
	struct {
		void *base;
		size_t len;
	} v[3] = {{a + 512, 1024}, {a + 4096, 8192}, {a + 2048, 512 * 6}};
	int d = make("shapes", O_DIRECT);
	struct stat st;

	fill(a, 8 * PAGE, 21);
	CHECK(pwrite(d, a, 2 * PAGE, 10 * PAGE) == 2 * PAGE);
	CHECK(!fstat(d, &st) && st.st_size == 12 * PAGE);
	CHECK(on_tmpfs || st.st_blocks <= 16 + 8);
	memset(b, 1, 8 * PAGE);
	CHECK(pread(d, b, 4 * PAGE, 7 * PAGE) == 4 * PAGE);
	for (size_t i = 0; i < 3 * PAGE; i++)
		CHECK(b[i] == 0);
	CHECK(!memcmp(b + 3 * PAGE, a, PAGE));
	CHECK(!ftruncate(d, 11 * PAGE + 100));
	CHECK(pread(d, b, 8 * PAGE, 10 * PAGE) == PAGE + 100 && !memcmp(a, b, PAGE + 100));
	CHECK(pwrite(d, a, 512, 12 * PAGE) == 512 && !fstat(d, &st) &&
	      st.st_size == 12 * PAGE + 512);
	CHECK(CALL(NR_writev, d, v, 3, 0, 0, 0) == 12288);
	CHECK(pread(d, b, 12288, 0) == 12288 && !memcmp(b, a + 512, 1024) &&
	      !memcmp(b + 1024, a + 4096, 8192) && !memcmp(b + 9216, a + 2048, 3072));
	CHECK(!lseek(d, 0, SEEK_SET) && CALL(NR_readv, d, v, 3, 0, 0, 0) == 12288);
	/* appended */
	CHECK(!ftruncate(d, PAGE) && !fcntl(d, F_SETFL, O_DIRECT | O_APPEND));
	CHECK(write(d, a, PAGE) == PAGE && !fstat(d, &st) && st.st_size == 2 * PAGE);
	close(d);
}

/* From and into memory that is the same file's, and memory that was never touched. */
static void direct_itself(void)
{
	uint8_t *map, *fresh = pages(16);
	int d = make("itself", O_DIRECT);

	CHECK(!ftruncate(d, 16 * PAGE));
	map = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, d, 0);
	CHECK(map != MAP_FAILED);
	fill(map, 16 * PAGE, 40);
	CHECK(pwrite(d, map, 4 * PAGE, 8 * PAGE) == 4 * PAGE &&
	      !memcmp(map, map + 8 * PAGE, 4 * PAGE));
	CHECK(pwrite(d, map, 4 * PAGE, 0) == 4 * PAGE);
	CHECK(pread(d, map + 4 * PAGE, 4 * PAGE, 0) == 4 * PAGE);
	CHECK(!memcmp(map, map + 4 * PAGE, 4 * PAGE));
	CHECK(pread(d, fresh, 16 * PAGE, 0) == 16 * PAGE && !memcmp(map, fresh, 16 * PAGE));
	CHECK(!madvise(fresh, 16 * PAGE, MADV_DONTNEED));
	CHECK(pwrite(d, fresh, 16 * PAGE, 0) == 16 * PAGE);
	for (size_t i = 0; i < 16 * PAGE; i++)
		CHECK(map[i] == 0);
	close(d);
}

/* Writers past the cache, readers and writers through it: each page is always of one write. */
static void direct_together(void)
{
	enum { N = 16, ROUNDS = 60 };
	uint8_t *a = pages(N);
	int d = make("together", O_DIRECT), c = open("together", O_RDWR), status;
	pid_t pid;

	CHECK(pwrite(d, a, N * PAGE, 0) == N * PAGE);
	pid = fork();
	CHECK(pid >= 0);
	for (int r = 0; r < ROUNDS; r++) {
		if (pid) {
			memset(a, r + 1, N * PAGE);
			CHECK(pwrite(r % 3 ? d : c, a, N * PAGE, 0) == N * PAGE);
		} else {
			CHECK(pread(r % 2 ? d : c, a, N * PAGE, 0) == N * PAGE);
			for (size_t i = 0; i < N * PAGE && r % 2 && !on_tmpfs; i++)
				CHECK(a[i] == a[i & -PAGE]);
		}
	}
	if (!pid)
		_exit(0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(pread(c, a, N * PAGE, 0) == N * PAGE);
	for (size_t i = 0; i < N * PAGE; i++)
		CHECK(a[i] == ROUNDS);
	close(c);
	close(d);
}

/* A block device, past its cache and through it. */
static void direct_device(void)
{
	uint8_t *a = pages(8), *b = pages(8);
	int d = open("/dev/vda", O_RDONLY | O_DIRECT), c = open("/dev/vda", O_RDONLY);

	if (d < 0 && errno == ENOENT)
		_exit(SKIP);
	CHECK(d >= 0 && c >= 0);
	CHECK(pread(d, a, 8 * PAGE, 512) == 8 * PAGE && pread(c, b, 8 * PAGE, 512) == 8 * PAGE);
	CHECK(!memcmp(a, b, 8 * PAGE) && !memcmp(a, "EFI PART", 8));
	FAILS(pread(d, a, 100, 0), EINVAL);
	FAILS(pread(d, a, 512, 100), EINVAL);
	close(c);
	close(d);
}

/* Pages of the kernel's that a process maps can be looked at in every way. */
static void kernel_pages(void)
{
	char line[256];
	unsigned long at = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, "[vdso]"))
			at = strtoul(line, NULL, 16);
	}
	if (!at)
		_exit(SKIP);
	CALL(NR_futex, at, 1, 1, 0, 0, 0);
	CALL(NR_futex, at, 0, *(volatile int *)at + 1, 0, 0, 0);
	if (!on_tmpfs) {
		int fd = make("vdso", O_DIRECT);
		uint8_t b[64];

		CHECK(write(fd, (void *)at, PAGE) == PAGE);
		CHECK(!fcntl(fd, F_SETFL, 0) && pread(fd, b, sizeof(b), 0) == sizeof(b));
		CHECK(!memcmp(b, "\177ELF", 4));
		FAILS(pread(fd, (void *)at, 512, 0), EFAULT);
	}
}

/* A tmpfs holds what size= says, in files, holes not counted, and gets back what is removed. */
static void tmpfs_limit(void)
{
	uint8_t *a = pages(64);
	struct stat st;
	int fd;

	if (!on_tmpfs)
		_exit(SKIP);
	mkdir("small", 0755);
	CHECK(!mount("none", "small", "tmpfs", 0, "size=256k"));
	fd = make("small/a", 0);
	CHECK(!ftruncate(fd, 1 << 30));
	CHECK(pwrite(fd, a, 40 * PAGE, 512 * PAGE) == 40 * PAGE);
	FAILS(fallocate(fd, 0, 0, 64 * PAGE), ENOSPC);
	CHECK(!fstat(fd, &st) && st.st_size == 1 << 30);
	CHECK(pwrite(fd, a, 64 * PAGE, 0) < (ssize_t)(32 * PAGE));
	FAILS(pwrite(fd, a, PAGE, 100 * PAGE), ENOSPC);
	CHECK(!ftruncate(fd, 0) && pwrite(fd, a, 60 * PAGE, 0) == 60 * PAGE);
	CHECK(!fallocate(fd, 1 | 2, 0, 50 * PAGE)); /* a hole */
	CHECK(pwrite(fd, a, 50 * PAGE, 100 * PAGE) == 50 * PAGE);
	close(fd);
	CHECK(!unlink("small/a"));
	fd = make("small/b", 0);
	CHECK(write(fd, a, 60 * PAGE) == 60 * PAGE);
	close(fd);
	CHECK(!umount("small"));
}

/* What a mapping stores behind the end of file is not there when the file grows. */
static void behind_the_end(void)
{
	static const char zero[PAGE];
	char *map, b[PAGE];
	int fd;

	if (on_tmpfs)
		exit(SKIP);
	for (int way = 0; way < 4; way++) {
		fd = make("behind", 0);
		CHECK(write(fd, "abc", 3) == 3);
		map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		CHECK(map != MAP_FAILED);
		memset(map + 3, 'x', PAGE - 3);
		if (way == 0)
			CHECK(!ftruncate(fd, 2 * PAGE));
		else if (way == 1)
			CHECK(pwrite(fd, "d", 1, PAGE + 5) == 1);
		else if (way == 2)
			CHECK(pwrite(fd, "d", 1, PAGE - 1) == 1);
		else
			CHECK(!CALL(NR_fallocate, fd, 0, PAGE, PAGE, 0, 0));
		CHECK(pread(fd, b, PAGE, 0) == (ssize_t)PAGE && !memcmp(b, "abc", 3));
		CHECK(!memcmp(b + 3, zero, PAGE - 4) && b[PAGE - 1] == (way == 2 ? 'd' : 0));
		munmap(map, PAGE);
		close(fd);
	}
}

/* ---- flags of inodes ---- */

#define GETFLAGS     0x80086601UL
#define SETFLAGS     0x40086602UL
#define FL_IMMUTABLE 0x10
#define FL_APPEND    0x20
#define FL_NODUMP    0x40
#define FL_NOATIME   0x80
#define AT_HERE	     (-100)

static void set_flags(const char *name, int flags)
{
	int fd = open(name, O_RDONLY), now = -1;

	CHECK(fd >= 0 && !ioctl(fd, SETFLAGS, &flags));
	CHECK(!ioctl(fd, GETFLAGS, &now));
	CHECK((now & 0xf0) == flags);
	close(fd);
}

/* What statx tells of it: attributes that it has and knows of. */
static uint64_t attributes(const char *name, uint64_t *known)
{
	uint64_t b[32] = {0};

	CHECK(!CALL(NR_statx, AT_HERE, name, 0, 0x7ff, b, 0));
	*known = b[7];
	return b[1];
}

static void flags_immutable(void)
{
	struct timespec t[2] = {{.tv_sec = 5}, {.tv_sec = 5}};
	int fd = make("fixed", 0);
	uint64_t known;

	CHECK(write(fd, "abc", 3) == 3);
	set_flags("fixed", FL_IMMUTABLE | FL_NODUMP);
	CHECK(attributes("fixed", &known) == (FL_IMMUTABLE | FL_NODUMP));
	CHECK((known & 0x70) == 0x70);
	FAILS(open("fixed", O_RDWR), EPERM);
	FAILS(open("fixed", O_RDONLY | O_TRUNC), EPERM);
	FAILS(truncate("fixed", 1), EPERM);
	FAILS(access("fixed", W_OK), EPERM);
	FAILS(chmod("fixed", 0600), EPERM);
	FAILS(chown("fixed", 1, 1), EPERM);
	FAILS(utimensat(AT_HERE, "fixed", t, 0), EPERM);
	FAILS(utimensat(AT_HERE, "fixed", NULL, 0), EPERM);
	FAILS(unlink("fixed"), EPERM);
	FAILS(rename("fixed", "moved"), EPERM);
	CHECK(CALL(NR_linkat, AT_HERE, "fixed", AT_HERE, "second", 0, 0) == -EPERM);
	CHECK(CALL(NR_fallocate, fd, 0, 0, 100, 0, 0) == -EPERM);
	close(make("other", 0));
	FAILS(rename("other", "fixed"), EPERM);
	CHECK(!access("fixed", R_OK));
	set_flags("fixed", 0);
	CHECK(!chmod("fixed", 0600) && !unlink("fixed") && !unlink("other"));
	/* a directory: its entries stay, its files may change */
	CHECK(!mkdir("fixeddir", 0755));
	close(make("fixeddir/f", 0));
	set_flags("fixeddir", FL_IMMUTABLE);
	FAILS(open("fixeddir/new", O_RDWR | O_CREAT, 0644), EPERM);
	FAILS(unlink("fixeddir/f"), EPERM);
	FAILS(mkdir("fixeddir/d", 0755), EPERM);
	close(make("fixeddir/f", 0));
	set_flags("fixeddir", 0);
	CHECK(!unlink("fixeddir/f") && !rmdir("fixeddir"));
	close(fd);
}

static void flags_append(void)
{
	struct timespec t[2] = {{.tv_sec = 5}, {.tv_sec = 5}};
	int fd = make("grows", 0), a;
	char c[8] = {0};

	CHECK(write(fd, "abc", 3) == 3);
	set_flags("grows", FL_APPEND);
	FAILS(open("grows", O_WRONLY), EPERM);
	FAILS(open("grows", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
	FAILS(truncate("grows", 1), EPERM);
	FAILS(ftruncate(fd, 1), EPERM);
	FAILS(chmod("grows", 0600), EPERM);
	FAILS(unlink("grows"), EPERM);
	FAILS(utimensat(AT_HERE, "grows", t, 0), EPERM);
	CHECK(!utimensat(AT_HERE, "grows", NULL, 0));
	CHECK(CALL(NR_fallocate, fd, 3, 0, 1, 0, 0) == -EPERM);
	a = open("grows", O_RDWR | O_APPEND);
	CHECK(a >= 0 && write(a, "def", 3) == 3 && pread(a, c, 8, 0) == 6 &&
	      !memcmp(c, "abcdef", 6));
	FAILS(fcntl(a, F_SETFL, 0), EPERM);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, a, 0) == MAP_FAILED && errno == EACCES);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, a, 0) != MAP_FAILED);
	set_flags("grows", 0);
	CHECK(!unlink("grows"));
	/* a directory: entries may come, none goes */
	CHECK(!mkdir("growdir", 0755));
	set_flags("growdir", FL_APPEND);
	close(make("growdir/f", 0));
	FAILS(unlink("growdir/f"), EPERM);
	FAILS(rename("growdir/f", "growdir/g"), EPERM);
	set_flags("growdir", 0);
	CHECK(!unlink("growdir/f") && !rmdir("growdir"));
}

/* Who may set them, and the one that says that reading leaves no trace. */
static void flags_rights(void)
{
	int fd = make("rights", 0), flags = FL_IMMUTABLE, p[2];
	struct stat before, after;
	uint64_t known;
	char c;

	CHECK(write(fd, "x", 1) == 1 && !chown("rights", 7, 7));
	FAILS(ioctl(fd, SETFLAGS, (void *)16384), EFAULT);
	CHECK(!pipe(p) && ioctl(p[0], GETFLAGS, &flags) == -1 && errno == ENOTTY);
	set_flags("rights", FL_NOATIME);
	CHECK(!stat("rights", &before));
	usleep(20000);
	CHECK(pread(fd, &c, 1, 0) == 1 && !stat("rights", &after));
	CHECK(before.st_atim.tv_sec == after.st_atim.tv_sec &&
	      before.st_atim.tv_nsec == after.st_atim.tv_nsec);
	CHECK(attributes("/", &known) == 0x2000 && !(attributes(".", &known) & 0x2000));
	CHECK(!setgid(7) && !setuid(7));
	FAILS(ioctl(fd, SETFLAGS, &flags), EPERM); /* the owner, without the capability */
	flags = FL_NODUMP;
	CHECK(!ioctl(fd, SETFLAGS, &flags));
	fd = open(".", O_RDONLY);
	FAILS(ioctl(fd, SETFLAGS, &flags), EPERM); /* somebody else's */
}

/* ---- where files lie ---- */

#define FIEMAP 0xc020660bUL
#define FIBMAP 1

static struct fiemap {
	uint64_t start, length;
	uint32_t flags, mapped, count, pad;
	struct {
		uint64_t logical, physical, length, pad1[2];
		uint32_t flags, pad2[3];
	} e[8];
} fm;

static int fiemap(int fd, uint64_t start, uint64_t length, uint32_t flags, uint32_t count)
{
	memset(&fm, 0, sizeof(fm));
	fm.start = start;
	fm.length = length;
	fm.flags = flags;
	fm.count = count;
	return ioctl(fd, FIEMAP, &fm);
}

static void file_extents(void)
{
	int fd = make("extents", 0), block;
	char *buf = (char *)pages(2);
	struct stat st;

	if (on_tmpfs) {
		FAILS(fiemap(fd, 0, UINT64_MAX, 0, 8), EOPNOTSUPP);
		exit(SKIP);
	}
	CHECK(!fstat(fd, &st));
	FAILS(fiemap(fd, 0, UINT64_MAX, UINT32_MAX, 8), EBADR);
	CHECK(!(fm.flags & 1)); /* those that are not known are told */
	FAILS(fiemap(fd, 0, 0, 0, 8), EINVAL);
	FAILS(fiemap(fd, 0, PAGE, 0, UINT32_MAX), EINVAL);
	CHECK(!fiemap(fd, 0, UINT64_MAX, 0, 8) && fm.mapped == 0);
	/* blocks 0 1 . . 4 . 6: three pieces */
	CHECK(pwrite(fd, buf, 2 * PAGE, 0) == 2 * PAGE);
	CHECK(pwrite(fd, buf, PAGE, 4 * PAGE) == PAGE && pwrite(fd, buf, PAGE, 6 * PAGE) == PAGE);
	CHECK(!fiemap(fd, 0, UINT64_MAX, 1, 0) && fm.mapped == 3); /* counts only */
	CHECK(!fiemap(fd, 0, UINT64_MAX, 1, 8) && fm.mapped == 3);
	CHECK(fm.e[0].logical == 0 && fm.e[0].length == 2 * PAGE && !(fm.e[0].flags & 1));
	CHECK(fm.e[1].logical == 4 * PAGE && fm.e[1].length == PAGE && !(fm.e[1].flags & 1));
	CHECK(fm.e[2].logical == 6 * PAGE && fm.e[2].length == PAGE && (fm.e[2].flags & 1));
	for (block = 0; block < 3; block++)
		CHECK(fm.e[block].physical && fm.e[block].physical % st.st_blksize == 0);
	block = (int)(4 * PAGE / st.st_blksize);
	CHECK(!ioctl(fd, FIBMAP, &block));
	CHECK((uint64_t)block * st.st_blksize == fm.e[1].physical);
	block = (int)(2 * PAGE / st.st_blksize);
	CHECK(!ioctl(fd, FIBMAP, &block) && block == 0);
	/* a part, and less room than there are pieces */
	CHECK(!fiemap(fd, 2 * PAGE, 3 * PAGE, 1, 8) && fm.mapped == 1);
	CHECK(fm.e[0].logical == 4 * PAGE && !(fm.e[0].flags & 1));
	CHECK(!fiemap(fd, 0, UINT64_MAX, 1, 1) && fm.mapped == 1 && !(fm.e[0].flags & 1));
	close(fd);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"O_DIRECT: alignment", direct_alignment},
	{"O_DIRECT: coherent with the cache", direct_coherent},
	{"O_DIRECT: holes, ends, pieces", direct_shapes},
	{"O_DIRECT: from and into the file itself", direct_itself},
	{"O_DIRECT: two processes", direct_together},
	{"O_DIRECT: a block device", direct_device},
	{"pages of the kernel", kernel_pages},
	{"size of a tmpfs", tmpfs_limit},
	{"bytes behind the end of file", behind_the_end},
	{"flags: immutable", flags_immutable},
	{"flags: append only", flags_append},
	{"flags: rights, and access times", flags_rights},
	{"FIEMAP and FIBMAP", file_extents},
};

static int run_one(void (*run)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(100);
		run();
		_exit(0);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid ? 1 : status;
}

static bool is_tmpfs(void)
{
	char line[256], dir[200];
	bool yes = false;
	FILE *f = fopen("/proc/mounts", "r");

	if (!f || !getcwd(dir, sizeof(dir)))
		return false;
	while (fgets(line, sizeof(line), f)) {
		char *where = strchr(line, ' ') + 1, *type = strchr(where, ' ');

		if (!type)
			continue;
		*type++ = 0;
		if (strcmp(where, "/") && !strncmp(where, dir, strlen(where)))
			yes = !strncmp(type, "tmpfs", 5);
	}
	fclose(f);
	return yes;
}

int main(int argc, char **argv)
{
	int n = sizeof(tests) / sizeof(tests[0]), failed = 0;

	if (argc > 1 && chdir(argv[1]) < 0)
		return 2;
	mkdir("filetest.d", 0755);
	if (chdir("filetest.d") < 0)
		return 2;
	on_tmpfs = is_tmpfs();
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		int status = run_one(tests[i].run);
		bool skip = WIFEXITED(status) && WEXITSTATUS(status) == SKIP;

		failed += status && !skip;
		printf("%s %d - %s%s\n", status && !skip ? "not ok" : "ok", i + 1, tests[i].name,
		       skip ? " # SKIP" : "");
	}
	return failed != 0;
}
