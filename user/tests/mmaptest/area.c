// SPDX-License-Identifier: BSD-2-Clause
/* area.c - unmapping, protecting and replacing parts of mappings; where mappings go; brk. */
#include "user/tests/mmaptest/harness.h"

static char *numbered(size_t pages)
{
	char *p = map_anon(pages, RW, MAP_PRIVATE);

	for (size_t i = 0; i < pages; i++)
		memset(p + i * PAGE, (int)(i + 1), PAGE);
	return p;
}

static void check_numbered(char *p, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		CHECK(all_bytes(p + i * PAGE, (char)(i + 1), PAGE));
}

TEST(munmap_start)
{
	char *p = numbered(8);

	CHECK_EQ(munmap(p, 3 * PAGE), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_UNMAPPED(p + i * PAGE);
		CHECK_WRITE_FAULT(p + i * PAGE + 123, SIGSEGV, SEGV_MAPERR);
	}
	CHECK_UNMAPPED(p + 3 * PAGE - 1);
	check_numbered(p, 3, 8);
}

TEST(munmap_end)
{
	char *p = numbered(8);

	CHECK_EQ(munmap(p + 5 * PAGE, 3 * PAGE), 0);
	check_numbered(p, 0, 5);
	for (int i = 5; i < 8; i++)
		CHECK_UNMAPPED(p + i * PAGE + 7);
}

TEST(munmap_hole)
{
	char *p = numbered(8);

	CHECK_EQ(munmap(p + 3 * PAGE, 2 * PAGE), 0);
	CHECK_UNMAPPED(p + 3 * PAGE);
	CHECK_UNMAPPED(p + 5 * PAGE - 1);
	CHECK_WRITE_FAULT(p + 4 * PAGE, SIGSEGV, SEGV_MAPERR);
	check_numbered(p, 0, 3);
	check_numbered(p, 5, 8);
	p[2 * PAGE] = p[5 * PAGE] = 77;
	CHECK_EQ(p[2 * PAGE] + p[5 * PAGE], 154);
}

TEST(munmap_file_hole)
{
	int fd = make_file("f", 6 * PAGE);
	char *p = map_file(fd, 6, RW, MAP_SHARED, 0);

	p[0] = 1;
	CHECK_EQ(munmap(p + 2 * PAGE, 2 * PAGE), 0);
	CHECK_UNMAPPED(p + 2 * PAGE);
	CHECK_UNMAPPED(p + 4 * PAGE - 1);
	p[4 * PAGE] = 2;
	check_pattern(p + PAGE, PAGE, PAGE);
	check_pattern(p + 5 * PAGE, 5 * PAGE, PAGE);
	CHECK_EQ(byte_of_file(fd, 0), 1);
	CHECK_EQ(byte_of_file(fd, 4 * PAGE), 2);
}

TEST(munmap_over_holes)
{
	char *p = numbered(9);

	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_EQ(munmap(p + 4 * PAGE, 2 * PAGE), 0);
	CHECK_EQ(munmap(p, 8 * PAGE), 0);
	for (int i = 0; i < 8; i++)
		CHECK_UNMAPPED(p + i * PAGE);
	check_numbered(p, 8, 9);
}

TEST(mprotect_parts)
{
	char *p = numbered(6);

	CHECK_EQ(mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ), 0);
	CHECK_WRITE_FAULT(p + 2 * PAGE, SIGSEGV, SEGV_ACCERR);
	CHECK_WRITE_FAULT(p + 4 * PAGE - 1, SIGSEGV, SEGV_ACCERR);
	check_numbered(p, 0, 6);
	p[2 * PAGE - 1] = p[4 * PAGE] = 50;
	CHECK_EQ(mprotect(p, 6 * PAGE, RW), 0);
	p[3 * PAGE] = 51;
	CHECK_EQ(p[3 * PAGE], 51);
	CHECK_EQ(p[2 * PAGE], 3);
}

TEST(prot_none)
{
	char *p = map_anon(2, PROT_NONE, MAP_PRIVATE);

	CHECK_READ_FAULT(p, SIGSEGV, SEGV_ACCERR);
	CHECK_WRITE_FAULT(p + PAGE + 9, SIGSEGV, SEGV_ACCERR);
	CHECK_EQ(mprotect(p, 2 * PAGE, RW), 0);
	memset(p, 6, 2 * PAGE);
	CHECK_EQ(mprotect(p, 2 * PAGE, PROT_NONE), 0);
	CHECK_READ_FAULT(p + 1, SIGSEGV, SEGV_ACCERR);
	CHECK_EQ(mprotect(p, 2 * PAGE, PROT_READ), 0);
	CHECK(all_bytes(p, 6, 2 * PAGE));
}

TEST(prot_exec)
{
	/* li a0, 42; ret - and li a0, 43; ret */
	static const uint32_t code[] = {0x02a00513, 0x00008067, 0x02b00513, 0x00008067};
	char *p = map_anon(1, RW, MAP_PRIVATE);
	int (*fn)(void) = (int (*)(void))p;
	int fd;

	memcpy(p, code, 8);
	CHECK_EQ(mprotect(p, PAGE, PROT_READ | PROT_EXEC), 0);
	__asm__ volatile("fence.i" ::: "memory");
	CHECK_EQ(fn(), 42);
	CHECK_WRITE_FAULT(p, SIGSEGV, SEGV_ACCERR);

	fd = open("code", O_RDWR | O_CREAT, 0755);
	CHECK_EQ(write(fd, code + 2, 8), 8);
	p = map_file(fd, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0);
	fn = (int (*)(void))p;
	__asm__ volatile("fence.i" ::: "memory");
	CHECK_EQ(fn(), 43);
}

TEST(fixed_replaces)
{
	char *p = numbered(6), *q;
	int fd = make_file("f", 2 * PAGE);

	q = mmap(p + 2 * PAGE, 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
	CHECK_EQ(q, p + 2 * PAGE);
	check_numbered(p, 0, 2);
	check_pattern(q, 0, 2 * PAGE);
	check_numbered(p, 4, 6);
	q = mmap(p, 6 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK_EQ(q, p);
	CHECK(all_bytes(p, 0, 6 * PAGE));
}

TEST(fixed_noreplace)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	char *p = numbered(4);

	CHECK_ERR(mmap(p + PAGE, PAGE, RW, flags, -1, 0), EEXIST);
	CHECK_ERR(mmap(p, 4 * PAGE, RW, flags, -1, 0), EEXIST);
	CHECK_EQ(munmap(p + PAGE, 2 * PAGE), 0);
	CHECK_ERR(mmap(p + 2 * PAGE, 2 * PAGE, RW, flags, -1, 0), EEXIST);
	CHECK_ERR(mmap(p, 2 * PAGE, RW, flags, -1, 0), EEXIST);
	CHECK_EQ(mmap(p + PAGE, 2 * PAGE, RW, flags, -1, 0), p + PAGE);
	CHECK(all_bytes(p + PAGE, 0, 2 * PAGE));
	check_numbered(p, 0, 1);
	check_numbered(p, 3, 4);
}

TEST(hints)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *p = numbered(8), *q;

	CHECK_EQ(munmap(p + 2 * PAGE, 4 * PAGE), 0);
	/* a free hint is taken, rounded down; an occupied one is not */
	CHECK_EQ(mmap(p + 3 * PAGE, PAGE, RW, flags, -1, 0), p + 3 * PAGE);
	q = mmap(p, PAGE, RW, flags, -1, 0);
	CHECK(q != MAP_FAILED && q != p);
	check_numbered(p, 0, 2);
	q = mmap(p + 4 * PAGE, 3 * PAGE, RW, flags, -1, 0);
	CHECK(q != MAP_FAILED && q != p + 4 * PAGE);
	CHECK(all_bytes(q, 0, 3 * PAGE));
	check_numbered(p, 6, 8);
}

/* Mappings do not overlap, and each starts zeroed even where another was. */
TEST(fresh_after_unmap)
{
	for (int i = 0; i < 50; i++) {
		char *p = map_anon(5, RW, MAP_PRIVATE);

		CHECK(all_bytes(p, 0, 5 * PAGE));
		memset(p, 0xee, 5 * PAGE);
		CHECK_EQ(munmap(p, 5 * PAGE), 0);
	}
}

#define AREAS 10000

static void unmap_at_random(char *p, char *mapped)
{
	uint32_t seed = 12345;

	for (int i = 0; i < AREAS / 2; i++) {
		size_t at = random_next(&seed) % AREAS;

		CHECK_EQ(munmap(p + at * PAGE, PAGE), 0);
		mapped[at] = 0;
	}
}

TEST(ten_thousand_areas)
{
	char *p = map_anon(AREAS, RW, MAP_PRIVATE);
	char *mapped = map_anon(3, RW, MAP_PRIVATE);

	memset(mapped, 1, AREAS);
	for (size_t i = 0; i < AREAS; i += 8)
		p[i * PAGE] = (char)(1 + i % 100);
	for (size_t i = 0; i < AREAS; i += 2)
		CHECK_EQ(mprotect(p + i * PAGE, PAGE, PROT_READ), 0);
	for (size_t i = 0; i < AREAS; i += 8)
		CHECK_EQ(p[i * PAGE], 1 + i % 100);
	for (size_t i = 0; i < AREAS; i += 500) {
		CHECK_WRITE_FAULT(p + i * PAGE, SIGSEGV, SEGV_ACCERR);
		p[(i + 1) * PAGE] = 3;
	}
	unmap_at_random(p, mapped);
	for (size_t i = 0; i < AREAS; i += 8) {
		if (!mapped[i])
			CHECK_UNMAPPED(p + i * PAGE);
		else
			CHECK_EQ(p[i * PAGE], 1 + i % 100);
	}
	CHECK_EQ(munmap(p, AREAS * PAGE), 0);
	CHECK_UNMAPPED(p + (AREAS - 1) * PAGE);
}

/* ---- random calls against a model of one byte a page ------------------------------- */

#define MODEL_PAGES 64

struct model {
	char *base;
	signed char prot[MODEL_PAGES]; /* -1: not mapped */
	char value[MODEL_PAGES];       /* first byte of the page */
};

static void model_call(struct model *m, size_t at, size_t n, uint32_t what)
{
	const int prots[] = {PROT_NONE, PROT_READ, RW};
	int prot = prots[what / 16 % 3];
	bool whole = true;

	for (size_t i = at; i < at + n; i++)
		whole = whole && m->prot[i] >= 0;
	if (what % 4 == 0) {
		CHECK_EQ(munmap(m->base + at * PAGE, n * PAGE), 0);
		memset(m->prot + at, -1, n);
	} else if (what % 4 == 1) {
		CHECK_EQ(mmap(m->base + at * PAGE, n * PAGE, prot,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 m->base + at * PAGE);
		memset(m->prot + at, prot, n);
		memset(m->value + at, 0, n);
	} else if (whole) {
		CHECK_EQ(mprotect(m->base + at * PAGE, n * PAGE, prot), 0);
		memset(m->prot + at, prot, n);
	}
}

static void model_touch(struct model *m, size_t i, char value)
{
	char *p = m->base + i * PAGE;

	if (m->prot[i] < 0) {
		CHECK_UNMAPPED(p);
	} else if (m->prot[i] == PROT_NONE) {
		CHECK_READ_FAULT(p, SIGSEGV, SEGV_ACCERR);
	} else {
		CHECK_EQ(*p, m->value[i]);
		if (m->prot[i] == PROT_READ) {
			CHECK_WRITE_FAULT(p, SIGSEGV, SEGV_ACCERR);
		} else {
			*p = value;
			m->value[i] = value;
		}
	}
}

TEST(random_areas)
{
	struct model m = {.base = map_anon(MODEL_PAGES, RW, MAP_PRIVATE)};
	uint32_t seed = 4711;

	memset(m.prot, RW, sizeof(m.prot));
	for (int round = 0; round < 3000; round++) {
		size_t at = random_next(&seed) % MODEL_PAGES;
		size_t n = 1 + random_next(&seed) % 8;

		if (n > MODEL_PAGES - at)
			n = MODEL_PAGES - at;
		model_call(&m, at, n, random_next(&seed));
		for (int i = 0; i < 4; i++)
			model_touch(&m, random_next(&seed) % MODEL_PAGES, (char)round);
	}
	for (size_t i = 0; i < MODEL_PAGES; i++)
		model_touch(&m, i, 1);
}

/* What an area gives up at its ends and gets again later is new memory, though its object is the same. */
TEST(regrown_is_zero)
{
	char *p = numbered(8);
	const struct {
		size_t from, n;
	} part[] = {{0, 2}, {5, 3}, {3, 1}, {0, 3}, {2, 6}};

	for (size_t k = 0; k < sizeof(part) / sizeof(*part); k++) {
		char *at = p + part[k].from * PAGE;
		size_t len = part[k].n * PAGE;

		CHECK_EQ(munmap(at, len), 0);
		CHECK_UNMAPPED(at);
		CHECK_EQ(mmap(at, len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at);
		CHECK(all_bytes(at, 0, len));
		for (size_t i = 0; i < 8; i++)
			if (i < part[k].from || i >= part[k].from + part[k].n)
				CHECK(all_bytes(p + i * PAGE, (char)(i + 1), PAGE));
		for (size_t i = part[k].from; i < part[k].from + part[k].n; i++)
			memset(p + i * PAGE, (int)(i + 1), PAGE);
	}
}

/* How many areas of the process lie in [from, to). */
static int areas_between(char *from, char *to)
{
	static char text[1 << 16];
	int fd = open("/proc/self/maps", O_RDONLY), n = 0;
	size_t size = 0;
	ssize_t got;

	if (fd < 0)
		skip("no /proc");
	while ((got = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)got;
	close(fd);
	text[size] = 0;
	for (char *line = text; line && *line;) {
		uintptr_t start = strtoul(line, NULL, 16);

		n += start >= (uintptr_t)from && start < (uintptr_t)to;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return n;
}

TEST(like_areas_are_one)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	char *p = map_anon(10, PROT_NONE, MAP_PRIVATE), *end = p + 10 * PAGE;

	CHECK_EQ(mmap(p + 4 * PAGE, PAGE, RW, flags, -1, 0), p + 4 * PAGE);
	CHECK_EQ(areas_between(p + PAGE, end), 2);
	/* above it, below it, and what lay between */
	CHECK_EQ(mmap(p + 5 * PAGE, PAGE, RW, flags, -1, 0), p + 5 * PAGE);
	CHECK_EQ(mmap(p + 3 * PAGE, PAGE, RW, flags, -1, 0), p + 3 * PAGE);
	CHECK_EQ(mmap(p + PAGE, PAGE, RW, flags, -1, 0), p + PAGE);
	CHECK_EQ(areas_between(p + PAGE, end), 4);
	CHECK_EQ(mmap(p + 2 * PAGE, PAGE, RW, flags, -1, 0), p + 2 * PAGE);
	CHECK_EQ(areas_between(p + PAGE, end), 2);
	memset(p + PAGE, 7, 5 * PAGE);
	/* borders move over pages that are there, and back */
	CHECK_EQ(mprotect(p + PAGE, 5 * PAGE, PROT_READ), 0);
	for (int i = 1; i <= 5; i++) {
		CHECK_EQ(mprotect(p + i * PAGE, PAGE, RW), 0);
		CHECK_EQ(areas_between(p + PAGE, end), i < 5 ? 3 : 2);
		p[i * PAGE] = (char)i;
	}
	for (int i = 5; i >= 1; i--) {
		CHECK_EQ(mprotect(p + i * PAGE, PAGE, PROT_READ), 0);
		CHECK_WRITE_FAULT(p + i * PAGE, SIGSEGV, SEGV_ACCERR);
		CHECK_EQ(p[i * PAGE], i);
		CHECK_EQ(areas_between(p + PAGE, end), i > 1 ? 3 : 2);
	}
	CHECK(all_bytes(p + 5 * PAGE + 1, 7, PAGE - 1));
}

/* ---- very many areas --------------------------------------------------------------- */

#define MANY 100000UL

/* Each number below MANY once, in no order that a tree would like. */
static size_t scattered(size_t i)
{
	return i * 61803 % MANY;
}

static void check_stripes(char *p, size_t from, size_t step)
{
	for (size_t i = from; i < MANY; i += step) {
		char *at = p + i * PAGE;

		if (i & 1)
			*at = (char)i;
		else
			CHECK_WRITE_FAULT(at, SIGSEGV, SEGV_ACCERR);
		CHECK_EQ(*at, i & 1 ? (char)i : 0);
	}
}

static void stripes_in_child(void *p)
{
	check_stripes(p, 0, 4999);
	CHECK_EQ(munmap(p, MANY * PAGE), 0);
}

TEST(areas_100000)
{
	char *p = map_anon(MANY, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);

	for (size_t i = 0; i < MANY; i++) {
		size_t k = scattered(i);

		if (mprotect(p + k * PAGE, PAGE, k & 1 ? RW : PROT_READ) && errno == ENOMEM)
			skip("the system allows fewer areas");
	}
	check_stripes(p, 1, 997);
	in_child(stripes_in_child, p);
	for (size_t i = 0; i < MANY / 2; i++)
		CHECK_EQ(munmap(p + 2 * scattered(i) % MANY * PAGE, PAGE), 0);
	CHECK_UNMAPPED(p + 2 * PAGE);
	for (size_t i = 1; i < MANY; i += 997)
		if (i & 1)
			CHECK_EQ(p[i * PAGE], (char)i);
	/* the holes filled, all is one area again */
	for (size_t i = 0; i < MANY; i += 2)
		CHECK_EQ(mmap(p + i * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			      0),
			 p + i * PAGE);
	CHECK_EQ(mprotect(p, MANY * PAGE, PROT_READ), 0);
	CHECK_EQ(p[PAGE], 1);
	CHECK_EQ(munmap(p, MANY * PAGE), 0);
	CHECK_UNMAPPED(p);
}

/* ---- brk --------------------------------------------------------------------------- */

TEST(brk_grow_shrink)
{
	char *start = sbrk(0), *p;

	CHECK(start != (char *)-1);
	p = (char *)(((uintptr_t)start + PAGE - 1) & -PAGE);
	CHECK_EQ(brk(p + 16 * PAGE), 0);
	CHECK(all_bytes(p, 0, 16 * PAGE));
	memset(p, 1, 16 * PAGE);
	CHECK_EQ(brk(p + 4 * PAGE), 0);
	CHECK(all_bytes(p, 1, 4 * PAGE));
	CHECK_UNMAPPED(p + 4 * PAGE);
	CHECK_EQ(brk(p + 16 * PAGE), 0);
	CHECK(all_bytes(p, 1, 4 * PAGE));
	CHECK(all_bytes(p + 4 * PAGE, 0, 12 * PAGE));
	CHECK_EQ(brk(p), 0);
	CHECK_UNMAPPED(p);
}

TEST(brk_refuses)
{
	char *now = sbrk(0), *p;

	CHECK_ERR(brk((char *)1UL), ENOMEM);
	CHECK_ERR(brk((char *)0x7ffffffffffff000), ENOMEM);
	/* another mapping in the way */
	p = (char *)(((uintptr_t)now + 17 * PAGE) & -PAGE);
	CHECK_EQ(mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), p);
	*p = 3;
	CHECK_ERR(brk(p + 2 * PAGE), ENOMEM);
	CHECK_EQ(*p, 3);
	CHECK_EQ(brk(now), 0);
}
