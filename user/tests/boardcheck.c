// SPDX-License-Identifier: BSD-2-Clause
/*
 * boardcheck - measures what could only be emulated, and prints a report to paste into an issue.
 *
 * usage: boardcheck [-d DISK] [-f FILE] [-m MIB] [-r ROUNDS] [-s SECONDS] [-c]
 *
 * DISK (/dev/mmcblk1) is read; FILE (/boardcheck.tmp) is written and removed, MIB (32) long. ROUNDS (8) of the coherency test; SECONDS (10): how
 * long the timer is watched. -c: somebody takes the card out and puts it back when told. A line is "ok", "note" (for a person to judge) or
 * "WRONG"; exit status 1 if anything was wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB  (1UL << 20)
#define PAGE 4096UL

static struct {
	const char *disk, *file;
	size_t mib;
	unsigned int seconds, rounds;
	bool card;
} opt = {"/dev/mmcblk1", "/boardcheck.tmp", 32, 10, 8, false};

static int wrong;

static void say(const char *how, const char *what, const char *more)
{
	printf("%-5s %s: %s\n", how, what, more);
	fflush(stdout);
	if (!strcmp(how, "WRONG"))
		wrong++;
}

#define SAY(how, what, ...)                                  \
	do {                                                 \
		char line_[160];                             \
		snprintf(line_, sizeof(line_), __VA_ARGS__); \
		say(how, what, line_);                       \
	} while (0)

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t rdtime(void)
{
	uint64_t t;

	__asm__ volatile("rdtime %0" : "=r"(t));
	return t;
}

/* ---- what the kernel found out ---- */

/* Calls fn with every line of a file that contains `word`; how many. */
static int lines_of(const char *path, const char *word, void (*fn)(char *line))
{
	FILE *f = fopen(path, "r");
	char line[256];
	int n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strstr(line, word))
			continue;
		n++;
		if (fn)
			fn(line);
	}
	if (f)
		fclose(f);
	return n;
}

static void print_machine(char *line)
{
	char *value = strchr(line, ':');

	if (!value)
		return;
	*value++ = '\0';
	line[strcspn(line, "\t")] = '\0';
	say("note", line, value + 1);
}

static void print_line(char *line)
{
	say("note", "firmware", line);
}

static void check_machine(void)
{
	if (!lines_of("/proc/machine", ":", print_machine))
		say("WRONG", "machine", "no /proc/machine");
	SAY("note", "harts", "%d", lines_of("/proc/cpuinfo", "processor", NULL));
	lines_of("/proc/cpuinfo", "hart\t", print_line);
	lines_of("/proc/meminfo", "MemTotal", print_line);
}

/* ---- timer ---- */

static int pin_to(unsigned int hart)
{
	unsigned long mask = 1UL << hart;

	return sched_setaffinity(0, sizeof(mask), &mask);
}

static void check_order(unsigned int harts)
{
	uint64_t last = 0;

	for (unsigned int i = 0; i < 200 * harts; i++) {
		uint64_t t;

		pin_to(i % harts);
		t = rdtime();
		if (t < last) {
			SAY("WRONG", "time on all harts", "hart %u is %llu behind", i % harts,
			    (unsigned long long)(last - t));
			return;
		}
		last = t;
	}
	say("ok", "time on all harts", "never backwards");
}

static void check_timer(unsigned int harts)
{
	uint64_t start = now(), t = rdtime(), cost;

	for (int i = 0; i < 10000; i++)
		rdtime();
	cost = (now() - start) / 10000;
	SAY("note", "rdtime", "%llu ns each%s", (unsigned long long)cost,
	    cost > 200 ? ": it traps" : "");
	check_order(harts);
	start = now();
	t = rdtime();
	printf("      timer: START a watch now\n");
	fflush(stdout);
	sleep(opt.seconds);
	SAY("note", "timer",
	    "STOP the watch now: %u s should have passed, %.3f s by the clock, %llu Hz",
	    opt.seconds, (double)(now() - start) / 1e9,
	    (unsigned long long)((rdtime() - t) * 1000000000 / (now() - start)));
}

/* ---- misaligned access ---- */

static uint64_t load_at(const volatile uint8_t *p)
{
	uint64_t v;

	__asm__ volatile("ld %0, 0(%1)" : "=r"(v) : "r"(p) : "memory");
	return v;
}

static uint64_t time_loads(const uint8_t *p, unsigned int n)
{
	uint64_t start = now();

	for (unsigned int i = 0; i < n; i++)
		load_at(p);
	return (now() - start) * 100 / n;
}

static void check_misaligned(void)
{
	uint8_t *p =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t aligned, odd, want;

	if (p == MAP_FAILED) {
		say("WRONG", "misaligned", strerror(errno));
		return;
	}
	for (unsigned int i = 0; i < 2 * PAGE; i++)
		p[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned int at = PAGE - 16; at <= PAGE + 8; at++) {
		uint64_t v = 0x1122334455667788, got;

		memcpy(&want, p + at, 8);
		if (load_at(p + at) != want)
			SAY("WRONG", "misaligned load", "at %u", at);
		__asm__ volatile("sd %0, 0(%1)" ::"r"(v), "r"(p + at) : "memory");
		memcpy(&got, p + at, 8);
		if (got != v)
			SAY("WRONG", "misaligned store", "at %u", at);
		memcpy(p + at, &want, 8);
	}
	aligned = time_loads(p, 20000);
	odd = time_loads(p + 1, 2000);
	SAY("ok", "misaligned", "right; %llu.%02llu ns aligned, %llu.%02llu ns misaligned",
	    (unsigned long long)aligned / 100, (unsigned long long)aligned % 100,
	    (unsigned long long)odd / 100, (unsigned long long)odd % 100);
	munmap(p, 2 * PAGE);
}

/* ---- DMA against caches ---- */

static uint64_t pattern(unsigned int round, size_t word)
{
	return (word + 1) * 0x9e3779b97f4a7c15 ^ (uint64_t)round << 56;
}

/* Every hart writes to its share of the words, so dirty lines lie in all first-level caches. */
static void fill_on_all(uint64_t *p, size_t words, unsigned int round, unsigned int harts)
{
	for (unsigned int h = 0; h < harts; h++) {
		if (fork() == 0) {
			pin_to(h);
			for (size_t line = h * 8; line < words; line += 8UL * harts)
				for (size_t i = line; i < line + 8; i++)
					p[i] = pattern(round, i);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
}

/* Frames with dirty lines become free, for the card's data to land on. */
static void dirty_free_frames(size_t bytes)
{
	if (fork() == 0) {
		uint64_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		for (size_t i = 0; p != MAP_FAILED && i < bytes / 8; i++)
			p[i] = ~0UL;
		_exit(0);
	}
	wait(NULL);
}

static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	if (fd < 0 || write(fd, "3", 1) != 1)
		say("WRONG", "drop_caches", strerror(errno));
	close(fd);
}

/* Words of the file that are not as written. */
static size_t bad_words(unsigned int round, size_t words)
{
	static uint64_t buf[MIB / 8];
	size_t bad = 0, at = 0;
	int fd = open(opt.file, O_RDONLY);
	ssize_t n;

	while (at < words && (n = read(fd, buf, sizeof(buf))) > 0)
		for (size_t i = 0; i < (size_t)n / 8; i++, at++)
			bad += buf[i] != pattern(round, at);
	close(fd);
	return bad + (words - at);
}

static void check_coherency(unsigned int harts)
{
	size_t bytes = 4 * MIB, bad = 0;

	for (unsigned int round = 0; round < opt.rounds; round++) {
		int fd = open(opt.file, O_RDWR | O_CREAT | O_TRUNC, 0600);
		uint64_t *p = MAP_FAILED;

		if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
			p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED) {
			say("WRONG", "coherency", strerror(errno));
			return;
		}
		fill_on_all(p, bytes / 8, round, harts);
		if (fsync(fd))
			say("WRONG", "coherency", strerror(errno));
		munmap(p, bytes);
		close(fd);
		drop_caches();
		dirty_free_frames(2 * bytes);
		bad += bad_words(round, bytes / 8);
	}
	SAY(bad ? "WRONG" : "ok", "DMA and caches", "%d rounds of %zu MiB, %zu words wrong",
	    opt.rounds, bytes / MIB, bad);
}

/* ---- throughput ---- */

static void report_rate(const char *what, size_t bytes, uint64_t ns)
{
	SAY("note", what, "%.2f MB/s", (double)bytes * 1e3 / (double)(ns ? ns : 1));
}

static void check_reads(void)
{
	static uint8_t buf[MIB];
	int fd = open(opt.disk, O_RDONLY);
	uint64_t start, seed = 1;
	size_t done = 0, n;
	off_t size;

	if (fd < 0) {
		say("note", opt.disk, strerror(errno));
		return;
	}
	size = lseek(fd, 0, SEEK_END);
	lseek(fd, 0, SEEK_SET);
	drop_caches();
	start = now();
	while (done < opt.mib * MIB && read(fd, buf, sizeof(buf)) == (ssize_t)sizeof(buf))
		done += sizeof(buf);
	report_rate("sequential reads", done, now() - start);
	drop_caches();
	start = now();
	for (n = 0; n < 500; n++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		if (pread(fd, buf, PAGE, (off_t)((seed >> 20) % ((uint64_t)size / PAGE) * PAGE)) !=
		    (ssize_t)PAGE)
			break;
	}
	SAY(n == 500 ? "note" : "WRONG", "random reads of 4 KiB", "%.0f a second",
	    (double)n * 1e9 / (double)(now() - start));
	close(fd);
}

static void check_writes(void)
{
	static uint8_t buf[MIB];
	int fd = open(opt.file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	uint64_t start = now();
	size_t done = 0;

	while (fd >= 0 && done < opt.mib * MIB &&
	       write(fd, buf, sizeof(buf)) == (ssize_t)sizeof(buf))
		done += sizeof(buf);
	if (fd < 0 || fsync(fd))
		say("WRONG", "sequential writes", strerror(errno));
	report_rate("sequential writes", done, now() - start);
	close(fd);
	unlink(opt.file);
}

/* ---- the rest ---- */

static void print_temperature(char *line)
{
	long milli = strtol(strchr(line, ' '), NULL, 10);

	SAY(milli > 0 && milli < 105000 ? "ok" : "WRONG", "temperature", "%ld.%01ld degrees",
	    milli / 1000, milli % 1000 / 100);
}

static void print_interrupt(char *line)
{
	say("note", "interrupt", line);
}

/* A sector that the cache does not have: 0, or -1 with errno. */
static int try_card(void)
{
	static uint8_t buf[PAGE];
	static off_t at = 0;
	int fd = open(opt.disk, O_RDONLY), ret = -1;

	at += 64 * PAGE;
	if (fd >= 0 && pread(fd, buf, PAGE, at % (off_t)(64 * MIB)) == (ssize_t)PAGE)
		ret = 0;
	close(fd);
	return ret;
}

static void wait_card(bool in, const char *what)
{
	printf("      card: %s now\n", what);
	fflush(stdout);
	for (int i = 0; i < 120; i++) {
		if ((try_card() == 0) == in) {
			SAY("ok", "card detect", "noticed after %d s", i / 2);
			return;
		}
		usleep(500000);
	}
	say("WRONG", "card detect", "nothing was noticed");
}

static bool parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "d:f:m:r:s:c")) != -1) {
		switch (c) {
		case 'd':
			opt.disk = optarg;
			break;
		case 'f':
			opt.file = optarg;
			break;
		case 'm':
			opt.mib = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			opt.rounds = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 's':
			opt.seconds = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'c':
			opt.card = true;
			break;
		default:
			return false;
		}
	}
	return optind == argc && opt.mib;
}

int main(int argc, char **argv)
{
	unsigned int harts;

	if (!parse(argc, argv)) {
		fprintf(stderr,
			"usage: boardcheck [-d DISK] [-f FILE] [-m MIB] [-r ROUNDS] [-s SECONDS] [-c]\n");
		return 2;
	}
	harts = (unsigned int)lines_of("/proc/cpuinfo", "processor", NULL);
	harts = harts ? harts : 1;
	printf("boardcheck 1\n");
	check_machine();
	check_timer(harts);
	check_misaligned();
	if (!lines_of("/proc/temperature", " ", print_temperature))
		say("note", "temperature", "no sensor");
	check_coherency(harts);
	check_reads();
	check_writes();
	lines_of("/proc/interrupts", "mmc", print_interrupt);
	lines_of("/proc/interrupts", "rng", print_interrupt);
	if (opt.card) {
		wait_card(false, "TAKE IT OUT");
		wait_card(true, "PUT IT BACK");
	}
	printf("boardcheck: %d wrong\n", wrong);
	return wrong != 0;
}
