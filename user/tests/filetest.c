// SPDX-License-Identifier: BSD-2-Clause
/*
 * filetest - what file systems owe beyond plain reading and writing: O_DIRECT, limits.  Prints TAP.
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
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/lib/syscall.h"

enum { NR_futex = 98, NR_readv = 65, NR_writev = 66 };
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
