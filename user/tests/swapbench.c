// SPDX-License-Identifier: BSD-2-Clause
/*
 * swapbench - how fast swap is beside the raw device it lies on.
 *
 * usage: swapbench [-m MIB] [-r ROUNDS] [-s SEED] DEVICE
 *
 * DEVICE is a swap area that is not in use.  A round reads and writes it raw behind its header: sequentially by 1 MiB, and 4 KiB at random.  Then it is used,
 * and MIB (128) of memory, which should be several times RAM, is written (swap-out), read in order and read at random (swap-in).  Prints
 * MiB/s for each round, and the medians of the rounds' ratios.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <time.h>
#include <unistd.h>

#define PAGE   4096UL
#define BLOCK  (1UL << 20)
#define ROUNDS 100

static uint64_t state = 1;
static unsigned char block[BLOCK];

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state * 0x2545f4914f6cdd1d) >> 16;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	printf("swapbench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long counter(const char *name)
{
	char line[100];
	unsigned long v = 0, found = 0;
	FILE *f = fopen("/proc/vmstat", "r");

	while (f && fgets(line, sizeof(line), f)) {
		size_t n = strlen(name);

		if (!strncmp(line, name, n) && line[n] == ' ' && sscanf(line + n, "%lu", &v) == 1)
			found = v;
	}
	if (f)
		fclose(f);
	return found;
}

/* What was cached of the device goes. */
static void forget(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	if (fd < 0 || write(fd, "3", 1) != 1)
		die("drop_caches");
	close(fd);
}

static double raw(const char *dev, size_t mib, int write_it)
{
	int fd = open(dev, write_it ? O_WRONLY : O_RDONLY);
	double t;

	if (fd < 0 || lseek(fd, (off_t)BLOCK, SEEK_SET) < 0)
		die(dev);
	forget();
	t = now();
	for (size_t i = 0; i < mib; i++)
		if ((write_it ? write(fd, block, BLOCK) : read(fd, block, BLOCK)) != (ssize_t)BLOCK)
			die(dev);
	if (write_it && fsync(fd))
		die("fsync");
	close(fd);
	return (double)mib / (now() - t);
}

static double raw_random(const char *dev, size_t mib, size_t n)
{
	int fd = open(dev, O_RDONLY);
	double t;

	if (fd < 0)
		die(dev);
	forget();
	t = now();
	for (size_t i = 0; i < n; i++)
		if (pread(fd, block, PAGE, (off_t)(BLOCK + rnd() % (mib * 256) * PAGE)) !=
		    (ssize_t)PAGE)
			die(dev);
	close(fd);
	return (double)n / 256 / (now() - t);
}

static void check(const uint64_t *p, size_t page)
{
	if (p[0] != page + 1 || p[511] != ~page) {
		printf("swapbench: page %zu is wrong\n", page);
		exit(1);
	}
}

/* MiB/s by the kernel's count: pages that were still there cost nothing, pages read ahead in vain do not count at random. */
static double swap_in(const uint64_t *mem, size_t pages, size_t n, int random)
{
	const char *name = random ? "pgmajfault" : "pswpin";
	unsigned long before = counter(name);
	double t = now();

	for (size_t i = 0; i < n; i++) {
		size_t page = random ? rnd() % pages : i;

		check(mem + page * 512, page);
	}
	t = now() - t;
	return (double)(counter(name) - before) / 256 / t;
}

/* What one round found, MiB/s but for the last. */
struct result {
	double write, read, random, out, in, any, cluster;
};

/* The area in use, and memory written, read in order, read at random. */
static void swap_round(const char *dev, size_t mib, struct result *r)
{
	size_t pages = mib * 256;
	unsigned long out, clusters;
	uint64_t *mem;
	double t;

	if (swapon(dev, 0))
		die("swapon");
	mem = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		die("mmap");
	out = counter("pswpout");
	clusters = counter("swap_write_clusters");
	t = now();
	for (size_t i = 0; i < pages; i++) {
		mem[i * 512] = i + 1;
		mem[i * 512 + 511] = ~i;
	}
	t = now() - t;
	out = counter("pswpout") - out;
	clusters = counter("swap_write_clusters") - clusters;
	r->out = (double)out / 256 / t;
	r->cluster = clusters ? (double)out / (double)clusters : 0;
	r->in = swap_in(mem, pages, pages, 0);
	r->any = swap_in(mem, pages, 4096, 1);
	munmap(mem, mib << 20);
	if (swapoff(dev))
		die("swapoff");
}

static int up(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(const struct result *r, size_t n, double (*of)(const struct result *))
{
	double v[ROUNDS];

	for (size_t i = 0; i < n; i++)
		v[i] = of(&r[i]);
	qsort(v, n, sizeof(*v), up);
	return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

static double of_out(const struct result *r)
{
	return r->out / r->write;
}

static double of_in(const struct result *r)
{
	return r->in / r->read;
}

static double of_any(const struct result *r)
{
	return r->any / r->random;
}

static double of_cluster(const struct result *r)
{
	return r->cluster;
}

int main(int argc, char **argv)
{
	static struct result r[ROUNDS];
	size_t mib = 128, rounds = 1;
	int c;

	while ((c = getopt(argc, argv, "m:r:s:")) != -1) {
		unsigned long v = strtoul(optarg ? optarg : "1", NULL, 0);

		if (c == 'm')
			mib = v;
		else if (c == 'r')
			rounds = v && v < ROUNDS ? v : ROUNDS;
		else if (c == 's')
			state = v * 2 + 1;
		else
			return 2;
	}
	if (optind == argc)
		return 2;
	memset(block, 0x5a, sizeof(block));
	for (size_t i = 0; i < rounds; i++) {
		r[i].write = raw(argv[optind], mib, 1);
		r[i].read = raw(argv[optind], mib, 0);
		r[i].random = raw_random(argv[optind], mib, 4096);
		forget();
		swap_round(argv[optind], mib, &r[i]);
		printf("raw write %.1f read %.1f random %.2f; swap out %.1f in %.1f random %.2f MiB/s\n",
		       r[i].write, r[i].read, r[i].random, r[i].out, r[i].in, r[i].any);
	}
	printf("median ratio: out %.2f in %.2f random %.2f; pages per write %.1f\n",
	       median(r, rounds, of_out), median(r, rounds, of_in), median(r, rounds, of_any),
	       median(r, rounds, of_cluster));
	return 0;
}
