// SPDX-License-Identifier: BSD-2-Clause
/*
 * args.c - arguments: mostly plausible ones, at times nonsense.
 *
 * Structures are built in the pool, memory that no call is meant to unmap.  Addresses for the memory calls, and half of the
 * buffers, lie in the arena: pages of all kinds (private, shared, read-only, without access, of a file, holes), at a
 * fixed place, mapped anew now and then.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/lib/syscall.h"
#include "user/tests/sysfuzz/sysfuzz.h"

#define ARENA_AT 0x1000000000UL
#define POOL	 8192U

char *arena = (char *)ARENA_AT;

uint64_t draw_word(struct fuzzer *f)
{
	uint64_t z = (f->random += 0x9e3779b97f4a7c15UL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebUL;
	return z ^ (z >> 31);
}

uint64_t draw(struct fuzzer *f, uint64_t n)
{
	return draw_word(f) % n;
}

/* ---- values from tables ---- */

/* The tables' letters:
 * e epoll operation   c fcntl command   h whence   q timer number   y mount type's stand-in   d madvise   E mremap flags
 * Q futex operation   H clock   r resource limit   O prctl option   W priority of whom   Y syslog action   j rename flags
 * J fallocate mode   L flock   s signal   m mode   u user   p protection   S size of a signal set   I ioctl
 */
static const int64_t t_epoll[] = {0, 1, 2, 3, 4};
static const int64_t t_fcntl[] = {0,	1,    2,    3,	  4,	5,    6,    7,	8,
				  9,	10,   11,   15,	  16,	36,   37,   38, 1024,
				  1025, 1026, 1030, 1031, 1032, 1033, 1034, -1};
static const int64_t t_whence[] = {0, 1, 2, 3, 4, 5, -1};
static const int64_t t_few[] = {0, 1, 2, 3};
static const int64_t t_advice[] = {0,  1,  2,  3,  4,  8,  9,  10, 11, 12, 13,	14, 15,
				   16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 100, -1};
static const int64_t t_mremap[] = {0, 1, 1, 1, 2, 3, 3, 4, 5, 5, 7, 8};
static const int64_t t_futex[] = {0,   1,   2,	 3,   4,   5,	6,   7,	  8,   9,   10,	 11,
				  128, 129, 131, 132, 133, 134, 135, 136, 137, 265, 393, 127};
static const int64_t t_clock[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, -1, -2, -6, 1000};
static const int64_t t_limit[] = {0, 1, 3, 5, 7, 8, 10, 11, 12, 13, 14, 15, 16, -1};
static const int64_t t_prctl[] = {1,  2,  3,  4,  7,  8,  15, 16, 21, 22, 23, 24,	  26, 27,
				  28, 29, 30, 35, 38, 39, 40, 41, 42, 47, 53, 0x53564d41, -1};
static const int64_t t_whom[] = {0, 1, 3, -1};
static const int64_t t_syslog[] = {0, 1, 2, 3, 4, 9, 10, 11, -1};
static const int64_t t_rename[] = {0, 0, 0, 1, 2, 3, 4, 8, -1};
static const int64_t t_fallocate[] = {0, 0, 1, 2, 3, 3, 8, 16, 17, 32, 64, -1};
static const int64_t t_flock[] = {1, 2, 5, 6, 8, 12, 0, 3, -1};
static const int64_t t_signal[] = {0,  1,  2,  3,  4,  6,  7,  8,  10, 11, 12, 13, 14, 15, 17,
				   18, 19, 20, 21, 23, 28, 32, 33, 34, 40, 63, 64, 65, -1, 1000};
static const int64_t t_mode[] = {0,	  0777,	  0700,	  0444,	   0222,    01777,   02755,   04755,
				 0100644, 010666, 020666, 0140777, 0120777, 0040755, 0170000, -1};
static const int64_t t_user[] = {0, 0, 1000, 1000, 1001, -1, 65534, 0x7fffffff};
static const int64_t t_prot[] = {0, 1, 1, 3, 3, 3, 3, 2, 4, 5, 7, 8, 0x01000003, 0x02000003, -1};
static const int64_t t_set_size[] = {8, 8, 8, 8, 0, 4, 16, -1};
static const int64_t t_ioctl[] = {
	0x5401, 0x5402, 0x5403, 0x5404,	    0x5405,	0x540b,	    0x540e, 0x540f, 0x5410, 0x5413,
	0x5414, 0x541b, 0x5420, 0x5421,	    0x5422,	0x5450,	    0x5451, 0x5452, 0x5460, 0x1260,
	0x1261, 0x1268, 0x127b, 0x80081272, 0x80086601, 0x40086602, 2,	    0,	    -1};

#define TABLE(letter, t) [(letter) - 'A'] = {(t), sizeof(t) / sizeof((t)[0])}
static const struct {
	const int64_t *values;
	size_t n;
} tables[] = {
	TABLE('e', t_epoll),  TABLE('c', t_fcntl),     TABLE('h', t_whence), TABLE('q', t_few),
	TABLE('d', t_advice), TABLE('E', t_mremap),    TABLE('Q', t_futex),  TABLE('H', t_clock),
	TABLE('r', t_limit),  TABLE('O', t_prctl),     TABLE('W', t_whom),   TABLE('Y', t_syslog),
	TABLE('j', t_rename), TABLE('J', t_fallocate), TABLE('L', t_flock),  TABLE('s', t_signal),
	TABLE('m', t_mode),   TABLE('u', t_user),      TABLE('p', t_prot),   TABLE('S', t_set_size),
	TABLE('I', t_ioctl),
};

/* Some of the bits of a mask, at times one bit more. */
static uint64_t some_bits(struct fuzzer *f, uint64_t mask)
{
	uint64_t bits = draw_word(f) & draw_word(f) & mask;

	return draw(f, 12) ? bits : bits | 1UL << draw(f, 64);
}

static uint64_t open_flags(struct fuzzer *f)
{
	/* creat excl noctty trunc append nonblock dsync direct largefile directory nofollow noatime cloexec path tmpfile */
	static const uint64_t with[] = {0100,	  0300,	    01000,     02000,	 04000,
					010000,	  040000,   0100000,   0200000,	 0400000,
					01000000, 02000000, 010000000, 020200000};
	uint64_t flags = draw(f, 16) ? draw(f, 3) : draw(f, 4);

	for (unsigned int n = (unsigned int)draw(f, 4); n; n--)
		flags |= CHOOSE(f, with);
	return draw(f, 16) ? flags : draw_word(f);
}

static uint64_t map_flags(struct fuzzer *f)
{
	static const uint64_t with[] = {0x10,	 0x100,	  0x800,   0x2000,  0x4000,   0x8000,
					0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x4000000};
	uint64_t flags = draw(f, 10) ? 1 + draw(f, 2) : draw(f, 4);

	flags |= draw(f, 2) ? 0x20 : 0;
	flags |= draw(f, 2) ? 0x10 : 0;
	if (draw(f, 3) == 0)
		flags |= CHOOSE(f, with);
	return draw(f, 20) ? flags : draw_word(f);
}

static uint64_t clone_flags(struct fuzzer *f)
{
	static const uint64_t usual[] = {17,	17,	    0x4111, 0x3d0f00, 0x10f00 | 0x50000,
					 0x100, 0x700 | 17, 0};

	uint64_t flags = CHOOSE(f, usual);

	return draw(f, 3) ? flags : flags ^ 1UL << draw(f, 33);
}

/* ---- memory ---- */

/* n bytes of the pool, 8-aligned; it wraps, so what is in it is soon overwritten. */
static char *pool_take(struct fuzzer *f, unsigned int n)
{
	n = (n + 7) & ~7U;
	if (f->pool_at + n > POOL)
		f->pool_at = 0;
	f->pool_at += n;
	return f->pool + f->pool_at - n;
}

static uint64_t any_address(struct fuzzer *f)
{
	static const uint64_t edges[] = {0,
					 1,
					 PAGE,
					 0x3ffffff000,
					 0x3fffffffff,
					 0x4000000000,
					 0x8000000000000000,
					 0xffffffc000000000,
					 0xffffffc800000000,
					 0xffffffff80000000,
					 0xfffffffffffff000,
					 0xffffffffffffffff,
					 0x7fffffffffffffff};

	if (draw(f, 2))
		return CHOOSE(f, edges) + (draw(f, 2) ? 0 : draw(f, 16)) -
		       (draw(f, 2) ? 0 : draw(f, 16));
	return ARENA_AT + draw(f, ARENA_PAGES * PAGE + 64);
}

/* For the calls that map: whole pages of the arena. */
static uint64_t page_address(struct fuzzer *f)
{
	if (draw(f, 16) == 0)
		return draw(f, 2) ? 0 : any_address(f);
	return ARENA_AT + draw(f, ARENA_PAGES) * PAGE + (draw(f, 24) ? 0 : draw(f, PAGE));
}

static uint64_t small_number(struct fuzzer *f)
{
	static const int64_t edges[] = {-1,	    0x7fffffff,	 -0x7fffffffL - 1,
					0xffffffff, 0x100000000, INT64_MAX,
					INT64_MIN,  4096,	 65536,
					1024,	    -2,		 -100};

	return draw(f, 4) ? draw(f, 10) : (uint64_t)CHOOSE(f, edges);
}

/* Fills what a call may take for a structure with small numbers, descriptors, addresses, and noise. */
static void fill(struct fuzzer *f, uint64_t *words, unsigned int n)
{
	for (unsigned int k = 0; k < n; k++) {
		switch (draw(f, 6)) {
		case 0:
			words[k] = 0;
			break;
		case 1:
			words[k] = small_number(f);
			break;
		case 2:
			words[k] = any_address(f);
			break;
		case 3:
			words[k] = draw_word(f);
			break;
		case 4:
			words[k] = draw(f, 32) << 32 | draw(f, 32);
			break;
		default: /* as it is */
			break;
		}
	}
}

static uint64_t buffer(struct fuzzer *f)
{
	char *p;

	if (draw(f, 16) == 0)
		return any_address(f);
	if (draw(f, 3) == 0) /* may not be there, or end soon */
		return ARENA_AT + draw(f, ARENA_PAGES) * PAGE +
		       (draw(f, 2) ? 0 : PAGE - draw(f, 64));
	p = pool_take(f, 256);
	fill(f, (uint64_t *)p, 16);
	return (uint64_t)p + (draw(f, 12) ? 0 : draw(f, 8));
}

static uint64_t length(struct fuzzer *f)
{
	static const uint64_t edges[] = {0x7fffffff,	     0x80000000,	 0xffffffff,
					 0x7ffff000,	     0x7fffffffffffffff, 0xffffffffffffffff,
					 0xfffffffffffff000, 0x4000000000,	 1UL << 40};

	switch (draw(f, 8)) {
	case 0:
		return CHOOSE(f, edges);
	case 1:
		return draw(f, 9);
	case 2:
		return draw(f, 3 * PAGE);
	case 3:
		return 8UL << draw(f, 5);
	default:
		return (1 + draw(f, draw(f, 3) ? 6 : ARENA_PAGES)) * PAGE;
	}
}

static uint64_t offset(struct fuzzer *f)
{
	static const uint64_t edges[] = {0x7fffffff,	     0x80000000,	 0x7fffffffffffffff,
					 0x7ffffffffffff000, 0xffffffffffffffff, 0x8000000000000000,
					 1UL << 32,	     1UL << 40};

	switch (draw(f, 8)) {
	case 0:
		return CHOOSE(f, edges);
	case 1:
		return draw(f, 300000);
	default:
		return draw(f, 20) * PAGE + (draw(f, 3) ? 0 : draw(f, PAGE));
	}
}

static uint64_t vector(struct fuzzer *f)
{
	uint64_t *v;

	if (draw(f, 10) == 0)
		return buffer(f);
	v = (uint64_t *)pool_take(f, 8 * 16);
	for (unsigned int k = 0; k < 16; k += 2) {
		v[k] = buffer(f);
		v[k + 1] = draw(f, 6) ? draw(f, 5000) : length(f);
	}
	return (uint64_t)v;
}

/* A time to wait: none or short, so that the run goes on. */
static uint64_t short_time(struct fuzzer *f)
{
	int64_t *t;

	if (draw(f, 10) == 0)
		return buffer(f);
	t = (int64_t *)pool_take(f, 32);
	t[0] = t[2] = 0;
	t[1] = t[3] = draw(f, 2) ? 0 : (int64_t)draw(f, 3000000);
	return (uint64_t)t;
}

static uint64_t bit_set(struct fuzzer *f)
{
	uint64_t *t;

	if (draw(f, 4) == 0)
		return draw(f, 2) ? 0 : buffer(f);
	t = (uint64_t *)pool_take(f, 128);
	t[0] = draw_word(f) & draw_word(f) & draw_word(f);
	return (uint64_t)t;
}

/* ---- names ---- */

static uint64_t path(struct fuzzer *f, bool anywhere)
{
	static const char *const own[] = {
		"sfa",	       "sfb", "sfc",	 "sfd",	    "sfd/sfa", "sfd/sfb",    "sfd/sfe",
		"sfd/sfe/sfa", "sfl", "sfl/sfa", "sfx",	    "sfx",     "sfd/sfm",    "sfp",
		"sff",	       "sff", "sfg",	 "sfs/sfs", "./sfa",   "sfd/../sfb", "sfd//sfa/",
		"sfa/sfb",     "",    ".",	 "sfd/.",   "sfd/.."};
	static const char *const others[] = {"/",
					     "..",
					     "/dev/null",
					     "/dev/zero",
					     "/dev/full",
					     "/dev/urandom",
					     "/dev/tty",
					     "/proc",
					     "/proc/self",
					     "/proc/self/maps",
					     "/proc/self/smaps",
					     "/proc/self/status",
					     "/proc/self/stat",
					     "/proc/self/fd",
					     "/proc/self/fd/3",
					     "/proc/self/fd/7",
					     "/proc/self/exe",
					     "/proc/self/cwd",
					     "/proc/self/mem",
					     "/proc/self/pagemap",
					     "/proc/self/clear_refs",
					     "/proc/self/cmdline",
					     "/proc/self/environ",
					     "/proc/1/maps",
					     "/proc/vmstat",
					     "/proc/meminfo",
					     "/proc/mounts",
					     "/proc/slabinfo",
					     "/proc/stat",
					     "/proc/self/task",
					     "/proc/self/limits",
					     "/proc/self/io",
					     "/proc/self/root/proc/self/root",
					     "/dev"};
	const char *name;
	char *p;

	if (draw(f, 24) == 0)
		return buffer(f);
	if (draw(f, 40) == 0) { /* too long, or nearly */
		size_t n = draw(f, 2) ? 4090 + draw(f, 8) : 250 + draw(f, 10);

		p = f->pool;
		memset(p, 's', n);
		p[n] = 0;
		return (uint64_t)p;
	}
	name = anywhere && draw(f, 2) ? CHOOSE(f, others) : CHOOSE(f, own);
	p = pool_take(f, (unsigned int)strlen(name) + 1);
	strcpy(p, name);
	return (uint64_t)p;
}

static uint64_t string_list(struct fuzzer *f)
{
	uint64_t *p = (uint64_t *)pool_take(f, 48);

	if (draw(f, 3) == 0)
		return buffer(f);
	for (unsigned int k = 0; k < 5; k++)
		p[k] = path(f, true);
	p[draw(f, 6)] = 0;
	p[5] = 0;
	return (uint64_t)p;
}

/* ---- processes ---- */

/* Oneself, a child, another worker; never the harness, and never everybody. */
static uint64_t process(struct fuzzer *f)
{
	int32_t pid;

	switch (draw(f, 10)) {
	case 0:
		return (uint64_t)f->slot->pid;
	case 1:
	case 2:
		return (uint64_t)nr(getpid);
	case 3:
		return (uint64_t)nr(gettid);
	case 4:
	case 5:
		return (uint64_t)f->slot->child;
	case 6:
		pid = shared->slot[draw(f, shared->workers)].pid;
		return pid > 1 && draw(f, 8) == 0 ? (uint64_t)pid : 0;
	case 7:
		return (uint64_t)-f->slot->pid;
	case 8:
		return 1000000 + draw(f, 1000000000);
	default:
		return 0;
	}
}

static uint64_t anything(struct fuzzer *f)
{
	static const char kinds[] = "BBlziaafwpRtvgmsukx";

	switch (draw(f, 3)) {
	case 0:
		return draw_word(f) >> draw(f, 64);
	case 1:
		return any_address(f);
	default:
		return make_arg(f, kinds[draw(f, sizeof(kinds) - 2)]);
	}
}

static uint64_t descriptor(struct fuzzer *f)
{
	static const int64_t odd[] = {-1, -100, -2, 1000, 0x7fffffff, 0x80000003, 63, 64};

	return draw(f, 20) ? 3 + draw(f, 20) : (uint64_t)CHOOSE(f, odd);
}

/* struct clone_args, 88 bytes */
static uint64_t clone3_args(struct fuzzer *f)
{
	uint64_t *p = (uint64_t *)pool_take(f, 88);

	if (draw(f, 8) == 0)
		return buffer(f);
	memset(p, 0, 88);
	p[0] = clone_flags(f) & ~0xffUL;
	p[4] = draw(f, 4) ? 17 : draw(f, 70);
	if (draw(f, 4) == 0)
		p[draw(f, 11)] = anything(f);
	return (uint64_t)p;
}

static uint64_t make_number(struct fuzzer *f, char kind)
{
	switch (kind) {
	case 'w':
		return draw(f, 2) ? draw(f, 4) : some_bits(f, 0xffff);
	case 'U':
		return draw(f, 2) ? 0 : some_bits(f, 0x7fff);
	case 'N':
		return draw(f, 2) ? 0 : some_bits(f, 0x4fff);
	case 'o':
		return open_flags(f);
	case 'M':
		return map_flags(f);
	case 'C':
		return clone_flags(f);
	case 'b':
		return draw(f, 2) ? small_number(f) : buffer(f);
	case 'n':
		return draw(f, 8) ? draw(f, 9) : small_number(f);
	case 'l':
		return length(f);
	case 'z':
		return offset(f);
	case 'Z':
		return draw(f, 12) ? draw(f, 12) * PAGE : offset(f);
	case 'k':
		return process(f);
	case 'f':
		return descriptor(f);
	case 'F':
		return 3 + draw(f, 22);
	case 'D':
		return draw(f, 4) ? (uint64_t)-100 : descriptor(f);
	default:
		return small_number(f);
	}
}

uint64_t make_arg(struct fuzzer *f, char kind)
{
	size_t t = (size_t)(kind - 'A');

	if (t < sizeof(tables) / sizeof(tables[0]) && tables[t].n)
		return draw(f, 24) ? (uint64_t)tables[t].values[draw(f, tables[t].n)]
				   : small_number(f);
	switch (kind) {
	case 'P':
	case 'R':
		return path(f, kind == 'R');
	case 'y': {
		static const char *const types[] = {"tmpfs",	"proc", "ext2", "devfs",
						    "devtmpfs", "sfa",	""};

		return (uint64_t)CHOOSE(f, types);
	}
	case 'B':
		return buffer(f);
	case 'a':
		return page_address(f);
	case 'A':
		return string_list(f);
	case 'v':
		return vector(f);
	case 't':
		return short_time(f);
	case 'g':
	case 'G':
		return bit_set(f);
	case 'K':
		return clone3_args(f);
	case 'x':
		return anything(f);
	default:
		return make_number(f, kind);
	}
}

/* ---- the arena ---- */

static void map_at(unsigned int page, unsigned int n, int prot, int flags, int fd, uint64_t from)
{
	nr(mmap, arena + page * PAGE, n * PAGE, prot, flags | MAP_FIXED, fd, from);
}

void arena_build(struct fuzzer *f)
{
	const int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned int swap = (unsigned int)draw(f, 2) * 8;
	int fd;

	nr(munmap, arena, ARENA_PAGES * PAGE);
	map_at(0, 12, rw, anon, -1, 0);
	map_at(14, 2, PROT_READ, anon, -1, 0);
	map_at(16, 1, PROT_NONE, anon, -1, 0);
	map_at(18, 4, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fd = (int)nr(openat, -100, "sff", O_RDWR | O_CREAT, 0666);
	if (fd >= 0) {
		nr(ftruncate, fd, 6 * PAGE + 100);
		map_at(22 + swap, 8, rw, MAP_SHARED, fd, 0);
		map_at(30 - swap, 8, rw, MAP_PRIVATE, fd, 0);
		nr(close, fd);
	}
	fd = (int)nr(memfd_create, "sf", 0);
	if (fd >= 0) {
		nr(ftruncate, fd, 4 * PAGE);
		map_at(38, 4, rw, MAP_SHARED, fd, 0);
		map_at(42, 4, rw, MAP_PRIVATE, fd, 0);
		nr(close, fd);
	}
}
