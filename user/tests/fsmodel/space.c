// SPDX-License-Identifier: BSD-2-Clause
/*
 * space.c - holes and what fills them, past the page cache and beside it.  What the file system has no such call for is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "user/tests/fsmodel/fsmodel.h"

#define KEEP_SIZE  1
#define PUNCH_HOLE 2
#define ZERO_RANGE 16
#define SECTOR	   512UL
#define MOST	   (64UL << 10)

static uint8_t buf[MOST] __attribute__((aligned(PAGE)));
static uint8_t want[MOST];

static size_t some_length(struct worker *w)
{
	return pick(w, 2) ? 1 + pick(w, 3 * PAGE) : (1 + pick(w, 10)) * PAGE;
}

static void punch(struct worker *w, int fd, struct body *b)
{
	size_t start = pick(w, 3) ? pick(w, b->size + PAGE) : pick(w, b->size / PAGE + 1) * PAGE;
	size_t len = some_length(w);

	if (fallocate(fd, PUNCH_HOLE | KEEP_SIZE, start, len) == 0)
		body_clear(w, b, start, start + len);
	else if (errno != EOPNOTSUPP)
		bad(w, "hole of %zu at %zu", len, start);
}

static void allocate(struct worker *w, int fd, struct body *b)
{
	size_t start = pick(w, b->size + PAGE), len = some_length(w);
	int mode = pick(w, 3) ? 0 : ZERO_RANGE;

	if (start + len <= b->size && pick(w, 2))
		mode |= KEEP_SIZE;
	if (fallocate(fd, mode, start, len) < 0) {
		if (errno != EOPNOTSUPP)
			bad(w, "fallocate %d of %zu at %zu", mode, len, start);
		return;
	}
	if (mode & ZERO_RANGE)
		body_clear(w, b, start, start + len);
	if (b->size < start + len)
		body_resize(w, b, start + len);
}

/* Nothing but zeros where it says that there is a hole. */
static void check_hole(struct worker *w, const struct body *b, size_t from, size_t to)
{
	while (from < to) {
		size_t n = to - from < MOST ? to - from : MOST;

		body_bytes(b, from, want, n);
		for (size_t i = 0; i < n; i++) {
			if (want[i])
				bad(w, "hole at %zu, where there is %#x", from + i, want[i]);
		}
		from += n;
	}
}

static void seek(struct worker *w, int fd, const struct body *b)
{
	size_t from = pick(w, b->size + 1);
	off_t data, hole;

	if (from == b->size) {
		if (lseek(fd, from, SEEK_DATA) != -1 || errno != ENXIO)
			bad(w, "SEEK_DATA at the end");
		return;
	}
	data = lseek(fd, from, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		data = b->size;
	hole = lseek(fd, from, SEEK_HOLE);
	if (data < (off_t)from || hole < (off_t)from || hole > (off_t)b->size ||
	    (hole == (off_t)from && data == (off_t)from))
		bad(w, "seek from %zu: data %ld, hole %ld", from, (long)data, (long)hole);
	check_hole(w, b, from, data);
}

static void direct_write(struct worker *w, int fd, struct body *b)
{
	size_t unit = pick(w, 3) ? PAGE : SECTOR, len = (1 + pick(w, 8)) * unit;
	size_t start = pick(w, (b->size < (200UL << 10) ? b->size : 200UL << 10) / unit + 3) * unit;
	size_t shift = pick(w, 3) * SECTOR;
	uint32_t seed = pick(w, UINT32_MAX) + 1;

	for (size_t i = 0; i < len; i++)
		buf[shift + i] = pattern(seed, start + i);
	if (pwrite(fd, buf + shift, len, start) != (ssize_t)len)
		bad(w, "direct write of %zu at %zu", len, start);
	body_write(w, b, start, start + len, seed);
}

static void direct_read(struct worker *w, int fd, const struct body *b)
{
	size_t start = pick(w, b->size / SECTOR + 2) * SECTOR, len = (1 + pick(w, 100)) * SECTOR;
	size_t left = b->size > start ? b->size - start : 0, n = len < left ? len : left;

	if (pread(fd, buf, len, start) != (ssize_t)n)
		bad(w, "direct read of %zu at %zu, not %zu", len, start, n);
	body_bytes(b, start, want, n);
	if (memcmp(buf, want, n) != 0)
		bad(w, "direct read of %zu at %zu: wrong bytes", len, start);
}

static void direct(struct worker *w, int fd, struct body *b)
{
	int flags = fcntl(fd, F_GETFL);

	if (fcntl(fd, F_SETFL, flags | O_DIRECT) < 0)
		return;
	if (pick(w, 2))
		direct_read(w, fd, b);
	else
		direct_write(w, fd, b);
	fcntl(fd, F_SETFL, flags);
}

void change_space(struct worker *w, int fd, struct body *b)
{
	static void (*const ops[])(struct worker *, int, struct body *) = {punch, allocate, direct,
									   direct, direct};

	if (pick(w, 5) == 0)
		seek(w, fd, b);
	else
		ops[pick(w, sizeof(ops) / sizeof(ops[0]))](w, fd, b);
}
