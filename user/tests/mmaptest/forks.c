// SPDX-License-Identifier: BSD-2-Clause
/* forks.c - memory across fork and exec. */
#include <stdio.h>

#include "user/tests/mmaptest/run.h"

#define PAGES	    32
#define GENERATIONS 200
#define DEPTH_BOUND 16

/* ---- copy on write ------------------------------------------------------------------- */

TEST(cow_parent_writes)
{
	char *p = map_anon(PAGES, RW, MAP_PRIVATE);
	struct turns t;
	pid_t pid;

	turns_init(&t);
	memset(p, 1, PAGES * PAGE);
	pid = spawn();
	if (pid == 0) {
		await_turn(&t, 1);
		CHECK(all_bytes(p, 1, PAGES * PAGE));
		_exit(0);
	}
	memset(p, 2, PAGES * PAGE);
	hand_over(&t, 0);
	join(pid);
	CHECK(all_bytes(p, 2, PAGES * PAGE));
}

TEST(cow_child_writes)
{
	char *p = map_anon(PAGES, RW, MAP_PRIVATE);
	pid_t pid;

	memset(p, 1, PAGES * PAGE);
	pid = spawn();
	if (pid == 0) {
		for (int i = 0; i < PAGES; i += 2)
			memset(p + i * PAGE, 3, PAGE);
		for (int i = 0; i < PAGES; i++)
			CHECK(all_bytes(p + i * PAGE, i % 2 ? 1 : 3, PAGE));
		_exit(0);
	}
	join(pid);
	CHECK(all_bytes(p, 1, PAGES * PAGE));
	memset(p, 4, PAGES * PAGE);
	CHECK(all_bytes(p, 4, PAGES * PAGE));
}

TEST(cow_both_write)
{
	char *p = map_anon(PAGES, RW, MAP_PRIVATE);
	struct turns t;
	pid_t pid;
	int side;

	turns_init(&t);
	memset(p, 1, PAGES * PAGE);
	pid = spawn();
	side = pid == 0;
	for (int i = 0; i < PAGES; i++) {
		if (side)
			await_turn(&t, side);
		CHECK(all_bytes(p + i * PAGE, 1, PAGE));
		memset(p + i * PAGE, 10 + side, PAGE);
		hand_over(&t, side);
		if (!side)
			await_turn(&t, side);
	}
	CHECK(all_bytes(p, (char)(10 + side), PAGES * PAGE));
	if (side)
		_exit(0);
	join(pid);
}

/* The parent is gone when the child writes and reads. */
TEST(cow_after_parent_exit)
{
	char *p = map_anon(PAGES, RW, MAP_PRIVATE);
	int fds[2];
	char ok = 0;
	pid_t pid;

	CHECK_EQ(pipe(fds), 0);
	pid = spawn();
	if (pid == 0) {
		memset(p, 5, PAGES * PAGE);
		if (spawn() != 0)
			_exit(0);
		while (getppid() != 1 && getppid() == pid)
			usleep(1000);
		usleep(20000);
		CHECK(all_bytes(p, 5, PAGES * PAGE));
		memset(p, 6, PAGES * PAGE / 2);
		CHECK(all_bytes(p, 6, PAGES * PAGE / 2));
		CHECK(all_bytes(p + PAGES * PAGE / 2, 5, PAGES * PAGE / 2));
		CHECK_EQ(write(fds[1], "y", 1), 1);
		_exit(0);
	}
	join(pid);
	close(fds[1]);
	CHECK_EQ(read(fds[0], &ok, 1), 1);
	CHECK(all_bytes(p, 0, PAGES * PAGE));
}

/* A page that was only ever the zero page, and one not touched, at the time of fork. */
TEST(cow_of_untouched)
{
	char *p = map_anon(3, RW, MAP_PRIVATE);
	pid_t pid;

	CHECK_EQ(*(volatile char *)p, 0);
	pid = spawn();
	if (pid == 0) {
		CHECK(all_bytes(p, 0, 3 * PAGE));
		memset(p, 1, 3 * PAGE);
		_exit(0);
	}
	p[PAGE] = 2;
	join(pid);
	CHECK_EQ(p[PAGE], 2);
	p[PAGE] = 0;
	CHECK(all_bytes(p, 0, 3 * PAGE));
}

/* Protections and holes made before and after fork belong to each alone. */
TEST(fork_copies_layout)
{
	char *p = map_anon(8, RW, MAP_PRIVATE);
	pid_t pid;

	memset(p, 1, 8 * PAGE);
	CHECK_EQ(mprotect(p + PAGE, PAGE, PROT_READ), 0);
	CHECK_EQ(munmap(p + 2 * PAGE, PAGE), 0);
	pid = spawn();
	if (pid == 0) {
		CHECK_WRITE_FAULT(p + PAGE, SIGSEGV, SEGV_ACCERR);
		CHECK_UNMAPPED(p + 2 * PAGE);
		CHECK_EQ(munmap(p + 4 * PAGE, 4 * PAGE), 0);
		CHECK_EQ(mprotect(p, PAGE, PROT_NONE), 0);
		_exit(0);
	}
	join(pid);
	p[0] = 3;
	CHECK(all_bytes(p + 4 * PAGE, 1, 4 * PAGE));
	CHECK_WRITE_FAULT(p + PAGE, SIGSEGV, SEGV_ACCERR);
}

/* ---- three generations deep ------------------------------------------------------------ */

struct family {
	char *anon, *file, *shared_anon, *shared_file;
};

/* Each generation sees its ancestors' private bytes as they were, and everybody's shared. */
static void family_check(struct family *f, int generation)
{
	for (int i = 0; i < generation; i++) {
		CHECK_EQ(f->anon[i * PAGE], 100 + i);
		CHECK_EQ(f->file[i * PAGE], 100 + i);
		CHECK_EQ(f->shared_anon[i * PAGE], 50 + i);
		CHECK_EQ(f->shared_file[i * PAGE], 50 + i);
	}
	CHECK_EQ(f->anon[generation * PAGE], 0);
	CHECK_EQ(f->file[generation * PAGE], pattern(generation * PAGE));
	check_pattern(f->file + 6 * PAGE, 6 * PAGE, PAGE);
}

static void family_live(struct family *f, int generation)
{
	pid_t pid;

	family_check(f, generation);
	f->anon[generation * PAGE] = f->file[generation * PAGE] = (char)(100 + generation);
	f->shared_anon[generation * PAGE] = f->shared_file[generation * PAGE] =
		(char)(50 + generation);
	f->anon[7 * PAGE] = f->file[7 * PAGE] = (char)generation;
	if (generation == 3)
		return;
	pid = spawn();
	if (pid == 0) {
		family_live(f, generation + 1);
		_exit(0);
	}
	join(pid);
	CHECK_EQ(f->anon[7 * PAGE], generation);
	CHECK_EQ(f->file[7 * PAGE], generation);
	CHECK_EQ(f->anon[(generation + 1) * PAGE], 0);
	CHECK_EQ(f->file[(generation + 1) * PAGE], pattern((generation + 1) * PAGE));
}

TEST(three_generations)
{
	int fd = make_file("f", 8 * PAGE), shared = make_file("g", 8 * PAGE);
	struct family f = {
		.anon = map_anon(8, RW, MAP_PRIVATE),
		.file = map_file(fd, 8, RW, MAP_PRIVATE, 0),
		.shared_anon = map_anon(8, RW, MAP_SHARED),
		.shared_file = map_file(shared, 8, RW, MAP_SHARED, 0),
	};

	family_live(&f, 0);
	for (int i = 0; i <= 3; i++) {
		CHECK_EQ(f.shared_anon[i * PAGE], 50 + i);
		CHECK_EQ(byte_of_file(shared, i * PAGE), 50 + i);
		CHECK_EQ(byte_of_file(fd, i * PAGE), pattern(i * PAGE));
	}
}

TEST(shared_anon_across_fork)
{
	volatile int *p = (volatile int *)map_anon(4, RW, MAP_SHARED);
	pid_t pids[4];

	CHECK_EQ(p[0], 0);
	for (int i = 0; i < 4; i++) {
		pids[i] = spawn();
		if (pids[i] == 0) {
			p[1024 * i + 1] = i + 1; /* a page that nobody has touched but one */
			for (int n = 0; n < 5000; n++)
				__atomic_fetch_add(p, 1, __ATOMIC_RELAXED);
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		join(pids[i]);
	CHECK_EQ(p[0], 20000);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(p[1024 * i + 1], i + 1);
}

/* The child maps; the parent, which did not have the mapping at fork, is not concerned. */
TEST(fork_then_map)
{
	char *p = map_anon(4, RW, MAP_PRIVATE);
	pid_t pid;

	CHECK_EQ(munmap(p, 4 * PAGE), 0);
	pid = spawn();
	if (pid == 0) {
		CHECK_EQ(mmap(p, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0), p);
		*p = 1;
		_exit(0);
	}
	join(pid);
	CHECK_UNMAPPED(p);
}

/* ---- many generations: chains of shadows must stay short --------------------------------- */

/* /proc/vmstat's shadow_depth_max, or -1 where there is none. */
static long chain_depth(void)
{
	static const char key[] = "shadow_depth_max ";
	FILE *f = fopen("/proc/vmstat", "r");
	char line[128];
	long depth = -1;

	while (f && depth < 0 && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, sizeof(key) - 1) == 0)
			depth = atol(line + sizeof(key) - 1);
	}
	if (f)
		fclose(f);
	return depth;
}

static void check_chain(long before)
{
	long after = chain_depth();

	if (after > before && after > DEPTH_BOUND)
		fail(__FILE__, __LINE__, "a chain of %ld shadows, %ld before", after, before);
}

static void generation_check(char *p, int generation)
{
	for (int page = 0; page < PAGES; page++) {
		int last = generation - 1 - (generation - 1 - page % PAGES + PAGES) % PAGES;

		if (generation == 0 || last < 0)
			CHECK(all_bytes(p + page * PAGE, 0, PAGE));
		else
			CHECK(all_bytes(p + page * PAGE, (char)(last % 100 + 1), PAGE));
	}
}

/* Generation g fills page g % PAGES, forks the next, and exits at once. */
TEST(generations)
{
	char *p = map_anon(PAGES, RW, MAP_PRIVATE), c = 0;
	long before = chain_depth();
	int fds[2];
	pid_t pid;

	CHECK_EQ(pipe(fds), 0);
	pid = spawn();
	for (int g = 0; pid == 0; g++) {
		generation_check(p, g);
		memset(p + g % PAGES * PAGE, g % 100 + 1, PAGE);
		if (g == GENERATIONS) {
			CHECK_EQ(write(fds[1], "y", 1), 1);
			_exit(0);
		}
		if (spawn() != 0)
			_exit(0);
	}
	close(fds[1]);
	join(pid);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK(all_bytes(p, 0, PAGES * PAGE));
	check_chain(before);
}

/* One process forks again and again, as a shell does, and writes in between. */
TEST(fork_in_a_loop)
{
	char *p = map_anon(PAGES, RW, MAP_PRIVATE);
	long before = chain_depth();

	for (int g = 0; g < GENERATIONS; g++) {
		pid_t pid;

		memset(p + g % PAGES * PAGE, g % 100 + 1, PAGE);
		pid = spawn();
		if (pid == 0) {
			generation_check(p, g + 1);
			memset(p, 0, PAGES * PAGE);
			_exit(0);
		}
		if (g % 3 == 0)
			memset(p + g % PAGES * PAGE, g % 100 + 1, PAGE);
		join(pid);
		generation_check(p, g + 1);
	}
	check_chain(before);
}

/* The same of a private mapping of a file. */
TEST(file_generations)
{
	int fd = make_file("f", 8 * PAGE);
	char *p = map_file(fd, 8, RW, MAP_PRIVATE, 0);
	long before = chain_depth();

	for (int g = 0; g < GENERATIONS / 2; g++) {
		pid_t pid;

		p[g % 4 * PAGE] = (char)g;
		pid = spawn();
		if (pid == 0) {
			CHECK_EQ(p[g % 4 * PAGE], (char)g);
			check_pattern(p + 4 * PAGE, 4 * PAGE, PAGE);
			p[5 * PAGE] = 1;
			_exit(0);
		}
		join(pid);
		CHECK_EQ(p[5 * PAGE], pattern(5 * PAGE));
	}
	check_pattern(p + 4 * PAGE, 4 * PAGE, 4 * PAGE);
	CHECK_EQ(byte_of_file(fd, 0), pattern(0));
	check_chain(before);
}

/* ---- exec -------------------------------------------------------------------------------- */

static void copy_self(const char *to)
{
	int in = open(own_path, O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0755);
	char buf[PAGE];
	ssize_t n;

	CHECK(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		CHECK_EQ(write(out, buf, n), n);
	CHECK_EQ(n, 0);
	close(in);
	close(out);
}

static void run_copy(const char *path)
{
	pid_t pid = spawn();
	int status;

	if (pid == 0) {
		execl(path, path, EXEC_WORD, (char *)NULL);
		_exit(errno);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), EXEC_STATUS);
}

/* Nobody's private writes get into a program that is run from the same file. */
TEST(exec_of_mapped_program)
{
	char *p;
	int fd;

	copy_self("prog");
	fd = open("prog", O_RDONLY);
	CHECK(fd >= 0);
	p = map_file(fd, 16, RW, MAP_PRIVATE, 0);
	memset(p, 0, 16 * PAGE);
	run_copy("./prog");
	CHECK(all_bytes(p, 0, 16 * PAGE));
	run_copy("./prog");
	CHECK_EQ(munmap(p, 16 * PAGE), 0);
	CHECK_EQ(unlink("prog"), 0);
}

/* What was mapped is gone after exec; what the mapping wrote is not. */
TEST(exec_drops_mappings)
{
	int fd = make_file("f", 4 * PAGE), status;
	pid_t pid = spawn();

	if (pid == 0) {
		char *p = map_file(fd, 4, RW, MAP_SHARED, 0);

		memset(p, 7, 4 * PAGE);
		execl(own_path, own_path, EXEC_WORD, (char *)NULL);
		_exit(errno);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), EXEC_STATUS);
	for (size_t o = 0; o < 4 * PAGE; o += 1000)
		CHECK_EQ(byte_of_file(fd, o), 7);
}

/* The parent sleeps until the child of vfork is gone, and has its memory. */
TEST(vfork_shares_memory)
{
	volatile char *p = map_anon(2, RW, MAP_PRIVATE);
	int status;
	pid_t pid;

	p[0] = 1;
	pid = vfork();
	if (pid == 0) {
		p[0] = 2;
		p[PAGE] = 3;
		_exit(4);
	}
	CHECK(pid > 0);
	CHECK_EQ(p[0], 2);
	CHECK_EQ(p[PAGE], 3);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 4);
}
