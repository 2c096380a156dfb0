// SPDX-License-Identifier: BSD-2-Clause
/* data.c - mmapcopy, cmp, dd, hexdump, md5sum and sha256sum. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "user/bin/tools/tools.h"

/* Writes a mapping of the file to standard output: every byte comes by page faults. */
int mmapcopy_main(int argc, char **argv)
{
	struct stat st;
	char *map;
	int fd;

	if (argc != 2)
		return usage_error("FILE");
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		die_errno("%s", argv[1]);
	if (st.st_size == 0)
		return 0;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die_errno("%s", argv[1]);
	close(fd);
	if (write_full(1, map, (size_t)st.st_size) < 0)
		die_errno("write");
	munmap(map, (size_t)st.st_size);
	return 0;
}

static size_t fill(int fd, char *block, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, block + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die_errno("read");
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return len;
}

int cmp_main(int argc, char **argv)
{
	static char x[16384], y[16384];
	bool silent = argc > 1 && strcmp(argv[1], "-s") == 0;
	size_t offset = 0, n, m;
	int a, b;

	argv += 1 + silent;
	if (argc - silent != 3)
		return usage_error("[-s] FILE FILE");
	a = open_input(argv[0]);
	b = open_input(argv[1]);
	if (a < 0 || b < 0)
		return 2;
	do {
		size_t i = 0;

		n = fill(a, x, sizeof(x));
		m = fill(b, y, sizeof(y));
		while (i < n && i < m && x[i] == y[i])
			i++;
		if (i < n && i < m) {
			if (!silent)
				printf("%s %s differ: byte %zu\n", argv[0], argv[1],
				       offset + i + 1);
			return 1;
		}
		offset += i;
	} while (n == m && n > 0);
	if (n == m)
		return 0;
	if (!silent)
		fprintf(stderr, "cmp: EOF on %s after byte %zu\n", argv[n > m], offset);
	return 1;
}

/* ---- dd ---- */

static struct {
	const char *in, *out;
	uint64_t size, count, skip, seek;
	bool limited, keep, sync, append, full_block;
} dd;

static bool dd_number(const char *arg, const char *name, uint64_t *value)
{
	size_t n = strlen(name);

	if (strncmp(arg, name, n) != 0)
		return false;
	if (!parse_size(arg + n, value))
		die("%s: bad number", arg);
	return true;
}

static bool dd_argument(const char *arg)
{
	if (strncmp(arg, "if=", 3) == 0)
		dd.in = arg + 3;
	else if (strncmp(arg, "of=", 3) == 0)
		dd.out = arg + 3;
	else if (dd_number(arg, "count=", &dd.count))
		dd.limited = true;
	else if (strncmp(arg, "conv=", 5) == 0) {
		dd.keep = strstr(arg, "notrunc");
		dd.sync = strstr(arg, "fsync");
	} else if (strncmp(arg, "iflag=", 6) == 0) {
		dd.full_block = strstr(arg, "fullblock");
	} else if (strncmp(arg, "status=", 7) != 0)
		return dd_number(arg, "bs=", &dd.size) || dd_number(arg, "skip=", &dd.skip) ||
		       dd_number(arg, "seek=", &dd.seek);
	return true;
}

static int dd_open_output(void)
{
	int flags = O_WRONLY | O_CREAT | (dd.keep || dd.seek ? 0 : O_TRUNC);
	int fd = dd.out ? open(dd.out, flags, 0666) : 1;

	if (fd < 0)
		die_errno("%s", dd.out);
	if (dd.seek && lseek(fd, (off_t)(dd.seek * dd.size), SEEK_SET) < 0)
		die_errno("seek");
	if (dd.seek && !dd.keep && dd.out)
		ftruncate(fd, (off_t)(dd.seek * dd.size));
	return fd;
}

/* A pipe cannot seek: it is read instead. */
static void dd_skip(int in, char *block)
{
	if (!dd.skip || lseek(in, (off_t)(dd.skip * dd.size), SEEK_CUR) >= 0)
		return;
	for (uint64_t i = 0; i < dd.skip; i++)
		fill(in, block, dd.size);
}

static ssize_t dd_read(int in, char *block)
{
	ssize_t n;

	if (dd.full_block)
		return (ssize_t)fill(in, block, dd.size);
	do
		n = read(in, block, dd.size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		die_errno("%s", dd.in ? dd.in : "stdin");
	return n;
}

int dd_main(int argc, char **argv)
{
	uint64_t full = 0, partial = 0, bytes = 0;
	struct timespec a, b;
	char *block;
	double seconds;
	int in, out;

	dd.size = 512;
	for (int i = 1; i < argc; i++) {
		if (!dd_argument(argv[i]))
			return usage_error("[if=FILE] [of=FILE] [bs=N] [count=N] [skip=N] [seek=N] "
					   "[conv=notrunc,fsync] [iflag=fullblock]");
	}
	block = xmalloc(dd.size);
	in = dd.in ? open(dd.in, O_RDONLY) : 0;
	if (in < 0)
		die_errno("%s", dd.in);
	out = dd_open_output();
	dd_skip(in, block);
	clock_gettime(CLOCK_MONOTONIC, &a);
	while (!dd.limited || full + partial < dd.count) {
		ssize_t n = dd_read(in, block);

		if (n == 0)
			break;
		if (write_full(out, block, (size_t)n) < 0)
			die_errno("%s", dd.out ? dd.out : "stdout");
		bytes += (uint64_t)n;
		*((uint64_t)n == dd.size ? &full : &partial) += 1;
	}
	if (dd.sync && fsync(out) < 0)
		die_errno("fsync");
	clock_gettime(CLOCK_MONOTONIC, &b);
	seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	fprintf(stderr, "%lu+%lu records, %lu bytes, %.3f s, %.1f MB/s\n", full, partial, bytes,
		seconds, seconds > 0 ? (double)bytes / 1e6 / seconds : 0);
	return 0;
}

/* ---- hexdump ---- */

static void dump_line(size_t offset, const unsigned char *line, size_t n)
{
	printf("%08zx ", offset);
	for (size_t i = 0; i < 16; i++) {
		if (i < n)
			printf("%s%02x", i == 8 ? "  " : " ", line[i]);
		else
			printf("%s", i == 8 ? "    " : "   ");
	}
	printf("  |");
	for (size_t i = 0; i < n; i++)
		putchar(line[i] >= 32 && line[i] < 127 ? line[i] : '.');
	printf("|\n");
}

int hexdump_main(int argc, char **argv)
{
	int first = argc > 1 && strcmp(argv[1], "-C") == 0 ? 2 : 1;
	unsigned char line[16], last[16];
	bool repeated = false;
	size_t offset = 0, n;
	int fd;

	fd = open_input(argc > first ? argv[first] : "-");
	if (fd < 0)
		return 1;
	while ((n = fill(fd, (char *)line, 16)) > 0) {
		bool same = offset && n == 16 && memcmp(line, last, 16) == 0;

		if (!same)
			dump_line(offset, line, n);
		else if (!repeated)
			puts("*");
		repeated = same;
		memcpy(last, line, 16);
		offset += n;
	}
	if (offset)
		printf("%08zx\n", offset);
	return 0;
}

/* ---- sums ---- */

struct sum {
	uint32_t h[8];
	unsigned char block[64];
	uint64_t length;
};

struct algorithm {
	uint32_t start[8];
	int words;
	bool big_endian;
	void (*mix)(uint32_t h[8], const unsigned char *block);
};

static uint32_t rotate_left(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static uint32_t get_word(const unsigned char *p, bool big_endian)
{
	if (big_endian)
		return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* RFC 1321. */
static const uint32_t md5_sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613,
	0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193,
	0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d,
	0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
	0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122,
	0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
	0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244,
	0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
	0xeb86d391,
};

static void md5_mix(uint32_t h[8], const unsigned char *block)
{
	static const int shifts[4][4] = {
		{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3];

	for (int i = 0; i < 64; i++) {
		int round = i / 16;
		uint32_t f = round == 0	  ? (b & c) | (~b & d)
			     : round == 1 ? (d & b) | (~d & c)
			     : round == 2 ? b ^ c ^ d
					  : c ^ (b | ~d);
		int g = (round == 0   ? i
			 : round == 1 ? 5 * i + 1
			 : round == 2 ? 3 * i + 5
				      : 7 * i) %
			16;
		uint32_t t = a + f + md5_sines[i] + get_word(block + 4 * g, false);

		a = d;
		d = c;
		c = b;
		b += rotate_left(t, shifts[round][i % 4]);
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
}

/* FIPS 180-4. */
static const uint32_t sha256_roots[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t sigma(uint32_t x, int a, int b, int c)
{
	return rotate_left(x, 32 - a) ^ rotate_left(x, 32 - b) ^ rotate_left(x, 32 - c);
}

static void sha256_schedule(uint32_t w[64], const unsigned char *block)
{
	for (int i = 0; i < 16; i++)
		w[i] = get_word(block + 4 * i, true);
	for (int i = 16; i < 64; i++) {
		uint32_t x = w[i - 15], y = w[i - 2];
		uint32_t s0 = rotate_left(x, 25) ^ rotate_left(x, 14) ^ x >> 3;
		uint32_t s1 = rotate_left(y, 15) ^ rotate_left(y, 13) ^ y >> 10;

		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
}

static void sha256_mix(uint32_t h[8], const unsigned char *block)
{
	uint32_t w[64], v[8];

	sha256_schedule(w, block);
	memcpy(v, h, sizeof(v));
	for (int i = 0; i < 64; i++) {
		uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t most = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
		uint32_t t1 = v[7] + sigma(v[4], 6, 11, 25) + choose + sha256_roots[i] + w[i];
		uint32_t t2 = sigma(v[0], 2, 13, 22) + most;

		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

static void sum_add(const struct algorithm *algo, struct sum *s, const unsigned char *p, size_t n)
{
	size_t used = s->length % 64;

	s->length += n;
	while (n > 0) {
		size_t part = 64 - used < n ? 64 - used : n;

		memcpy(s->block + used, p, part);
		p += part;
		n -= part;
		used += part;
		if (used == 64) {
			algo->mix(s->h, s->block);
			used = 0;
		}
	}
}

/* A 1 bit, zeroes, and the length in bits as the last 8 bytes. */
static void sum_end(const struct algorithm *algo, struct sum *s, char *hex)
{
	uint64_t bits = s->length * 8;
	unsigned char tail[72] = {0x80};
	size_t pad = 64 - (s->length + 8) % 64;

	for (int i = 0; i < 8; i++)
		tail[pad + (size_t)i] =
			(unsigned char)(bits >> (algo->big_endian ? 56 - 8 * i : 8 * i));
	sum_add(algo, s, tail, pad + 8);
	for (int i = 0; i < algo->words; i++) {
		uint32_t word = algo->big_endian ? s->h[i] : __builtin_bswap32(s->h[i]);

		sprintf(hex + 8 * i, "%08x", (unsigned int)word);
	}
}

static bool sum_file(const struct algorithm *algo, const char *path, char *hex)
{
	static char block[65536];
	struct sum s = {0};
	int fd = open_input(path);
	ssize_t n;

	if (fd < 0)
		return false;
	memcpy(s.h, algo->start, sizeof(s.h));
	while ((n = read(fd, block, sizeof(block))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0)
			sum_add(algo, &s, (unsigned char *)block, (size_t)n);
	}
	if (n < 0)
		warn_errno("%s", path);
	close(fd);
	sum_end(algo, &s, hex);
	return n == 0;
}

/* -c: each line of the list is a sum, two characters and a name. */
static int check_list(const struct algorithm *algo, const char *list)
{
	FILE *f = fopen(list, "r");
	size_t digits = (size_t)algo->words * 8;
	char line[4200], hex[65];
	int bad = 0;

	if (!f)
		die_errno("%s", list);
	while (fgets(line, sizeof(line), f)) {
		char *name = line + digits + 2;
		bool ok;

		line[strcspn(line, "\n")] = 0;
		if (strlen(line) < digits + 3)
			continue;
		ok = sum_file(algo, name, hex) && strncasecmp(hex, line, digits) == 0;
		printf("%s: %s\n", name, ok ? "OK" : "FAILED");
		bad += !ok;
	}
	fclose(f);
	return bad > 0;
}

static int sum_main(int argc, char **argv, const struct algorithm *algo)
{
	char hex[65];
	int status = 0;

	if (argc == 3 && strcmp(argv[1], "-c") == 0)
		return check_list(algo, argv[2]);
	if (argc == 1)
		argv[argc++] = "-";
	for (int i = 1; i < argc; i++) {
		if (sum_file(algo, argv[i], hex))
			printf("%s  %s\n", hex, argv[i]);
		else
			status = 1;
	}
	return status;
}

int md5sum_main(int argc, char **argv)
{
	static const struct algorithm md5 = {
		.start = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476},
		.words = 4,
		.mix = md5_mix,
	};

	return sum_main(argc, argv, &md5);
}

int sha256sum_main(int argc, char **argv)
{
	static const struct algorithm sha256 = {
		.start = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
			  0x1f83d9ab, 0x5be0cd19},
		.words = 8,
		.big_endian = true,
		.mix = sha256_mix,
	};

	return sum_main(argc, argv, &sha256);
}
