// SPDX-License-Identifier: BSD-2-Clause
/*
 * leakcheck - does everything come back that a command took?
 *
 *	leakcheck COMMAND [ARG...]	runs it three times; what grew from the first to the second and again to the third leaks
 *	leakcheck -s FILE		writes the counts to a file
 *	leakcheck -c FILE [SLACK]	compares with them: more than SLACK (0) objects or pages more of anything leak
 *	leakcheck -a FILE		adds the counts to those in the file; what grew each of the last three times leaks, and
 *					what is LARGE more than in the second counts, the first after a warm-up
 *	leakcheck -m			adds up: every frame and every slot of swap is somebody's, and counted once
 *
 * The kernel keeps some free stacks and tree nodes a hart; so a count may grow once or twice without a leak.
 *
 * Counted are objects of each slab cache, page frames by what they are used for, processes and mounts.  Before counting,
 * caches are dropped, and counts are taken again until they stand still.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ROWS 200
#define SETTLE	 100 /* times 50 ms */
#define LARGE	 600

struct row {
	char name[40];
	long count;
};

struct counts {
	size_t n;
	struct row rows[MAX_ROWS];
};

static void add(struct counts *c, const char *prefix, const char *name, long count)
{
	if (c->n == MAX_ROWS) {
		fprintf(stderr, "leakcheck: more than %d counts\n", MAX_ROWS);
		exit(2);
	}
	snprintf(c->rows[c->n].name, sizeof(c->rows[0].name), "%.8s%.31s", prefix, name);
	c->rows[c->n++].count = count;
}

static FILE *open_proc(const char *path)
{
	FILE *f = fopen(path, "r");

	if (!f) {
		fprintf(stderr, "leakcheck: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return f;
}

static void count_slabs(struct counts *c)
{
	FILE *f = open_proc("/proc/slabinfo");
	char line[256], name[32];
	long used;

	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%31s %ld", name, &used) == 2)
			add(c, "slab ", name, used);
	fclose(f);
}

/* The number behind a name and a colon or a blank. */
static long number_of(const char *path, const char *what)
{
	FILE *f = open_proc(path);
	char line[256];
	long n = 0;

	while (fgets(line, sizeof(line), f))
		if (strncmp(line, what, strlen(what)) == 0 && strchr(": ", line[strlen(what)]))
			n = strtol(line + strlen(what) + 1, NULL, 10);
	fclose(f);
	return n;
}

/* Pages */
static long meminfo(const char *what)
{
	return number_of("/proc/meminfo", what) / 4;
}

/* Slab frames are left out: how full slabs are is chance, and their objects are counted. */
static void count_frames(struct counts *c)
{
	long other = meminfo("MemTotal") - meminfo("MemFree") - meminfo("Slab");

	other -= meminfo("AnonPages") + meminfo("Cached") + meminfo("PageTables");
	add(c, "", "pages of files", meminfo("Cached"));
	add(c, "", "pages of page tables", meminfo("PageTables"));
	add(c, "", "pages anonymous", meminfo("AnonPages"));
	add(c, "", "pages of the kernel", other);
}

static void count_lines(struct counts *c)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	char line[1024];
	long n = 0;
	FILE *f;

	while (d && (e = readdir(d)))
		n += isdigit((unsigned char)e->d_name[0]) != 0;
	if (d)
		closedir(d);
	add(c, "", "processes", n);
	n = 0;
	f = open_proc("/proc/mounts");
	while (fgets(line, sizeof(line), f))
		n++;
	fclose(f);
	add(c, "", "mounts", n);
}

static void take_once(struct counts *c)
{
	int fd;

	sync();
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd < 0 || write(fd, "3\n", 2) != 2)
		fprintf(stderr, "leakcheck: drop_caches: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	c->n = 0;
	count_lines(c);
	count_frames(c);
	count_slabs(c);
}

/* The lowest counts of several, until none goes down any more. */
static void take(struct counts *low)
{
	static struct counts now;
	struct timespec pause = {0, 50000000};
	int still = 0;

	take_once(low);
	for (int i = 0; i < SETTLE && still < 6; i++) {
		nanosleep(&pause, NULL);
		take_once(&now);
		still++;
		for (size_t k = 0; k < low->n && k < now.n; k++)
			if (now.rows[k].count < low->rows[k].count) {
				low->rows[k].count = now.rows[k].count;
				still = 0;
			}
	}
}

static long before_of(const struct counts *c, const char *name)
{
	for (size_t k = 0; k < c->n; k++)
		if (strcmp(c->rows[k].name, name) == 0)
			return c->rows[k].count;
	return 0;
}

static void save(const char *path)
{
	static struct counts c;
	FILE *f;

	/* the file itself is there in both counts */
	f = fopen(path, "w");
	if (!f || fclose(f)) {
		perror(path);
		exit(2);
	}
	take(&c);
	f = fopen(path, "w");
	for (size_t k = 0; f && k < c.n; k++)
		fprintf(f, "%ld %s\n", c.rows[k].count, c.rows[k].name);
	if (!f || fclose(f)) {
		perror(path);
		exit(2);
	}
}

static void load(const char *path, struct counts *c)
{
	FILE *f = fopen(path, "r");
	char line[128], *name;
	long count;

	if (!f) {
		perror(path);
		exit(2);
	}
	while (fgets(line, sizeof(line), f)) {
		count = strtol(line, &name, 10);
		line[strcspn(line, "\n")] = 0;
		add(c, "", name + 1, count);
	}
	fclose(f);
}

static int compare(const char *path, long slack)
{
	static struct counts before, now;
	int leaks = 0;

	load(path, &before);
	take(&now);
	for (size_t k = 0; k < now.n; k++) {
		long old = before_of(&before, now.rows[k].name), new = now.rows[k].count;

		if (new != old)
			printf("leakcheck: %-28s %6ld -> %6ld\n", now.rows[k].name, old, new);
		leaks += new > old + slack;
	}
	printf("leakcheck: %d of %zu counts grew by more than %ld\n", leaks, now.n, slack);
	return leaks != 0;
}

/* Reads the next counts of a file of several; false at its end. */
static bool load_next(FILE *f, struct counts *c)
{
	char line[128], *name;

	c->n = 0;
	while (fgets(line, sizeof(line), f)) {
		long count = strtol(line, &name, 10);

		line[strcspn(line, "\n")] = 0;
		if (line[0] == '-')
			return true;
		add(c, "", name + 1, count);
	}
	return false;
}

#define SMALL 64

static int leaks_of_series(const struct counts *last, const struct counts *base, unsigned int n)
{
	int leaks = 0;

	for (size_t k = 0; k < last[3].n; k++) {
		const char *name = last[3].rows[k].name;
		long c[4];
		bool grew = n >= 4;

		for (int i = 0; i < 4; i++)
			c[i] = before_of(&last[i], name);
		for (int i = 1; i < 4; i++)
			grew = grew && c[i] > c[i - 1];
		/* caches of stacks, tables and nodes vary: a leak is more than that in all */
		grew = grew && c[3] - c[0] > SMALL + c[0] / 2;
		if (!grew && (n < 3 || c[3] <= before_of(base, name) + LARGE))
			continue;
		printf("leakcheck: LEAK %s: %ld %ld %ld %ld\n", name, c[0], c[1], c[2], c[3]);
		leaks++;
	}
	return leaks;
}

static int append(const char *path)
{
	static struct counts last[4], base, next;
	unsigned int n = 1;
	FILE *f = fopen(path, "a+");

	if (!f) {
		perror(path);
		exit(2);
	}
	rewind(f);
	while (load_next(f, &next)) {
		if (n++ <= 2)
			base = next;
		memmove(last, last + 1, 3 * sizeof(last[0]));
		last[3] = next;
	}
	memmove(last, last + 1, 3 * sizeof(last[0]));
	take(&last[3]);
	for (size_t k = 0; k < last[3].n; k++)
		fprintf(f, "%ld %s\n", last[3].rows[k].count, last[3].rows[k].name);
	fprintf(f, "-\n");
	if (fclose(f)) {
		perror(path);
		exit(2);
	}
	printf("leakcheck: counts %u taken\n", n);
	return leaks_of_series(last, &base, n) != 0;
}

/* What remains of a total when its parts are taken away; said if asked for. */
static long rest(bool say, const char *total, const char *const *parts)
{
	long left = meminfo(total);

	if (say)
		printf("leakcheck: %s %ld =", total, left);
	for (const char *const *p = parts; *p; p++) {
		bool vmstat = strncmp(*p, "nr_", 3) == 0;
		long n = vmstat ? number_of("/proc/vmstat", *p) : meminfo(*p);

		if (say)
			printf(" %s %ld%s", *p, n, p[1] ? " +" : "");
		left -= n;
	}
	if (say)
		printf(", %ld pages are nobody's\n", left);
	return left;
}

/* Counts are read one by one: on a machine that is not idle they may need several looks to agree. */
static int add_up(void)
{
	static const char *const frames[] = {"MemFree", "AnonPages", "Cached", "KernelFrames",
					     NULL},
				 *const slots[] = {"SwapFree", "SwapCached", "nr_swapped", NULL};
	struct timespec pause = {0, 50000000};
	bool good = false;

	for (int i = 0; i < SETTLE && !good; i++) {
		good = !rest(false, "MemTotal", frames) && !rest(false, "SwapTotal", slots);
		if (!good)
			nanosleep(&pause, NULL);
	}
	rest(true, "MemTotal", frames);
	rest(true, "SwapTotal", slots);
	return !good;
}

static int run(char **argv)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("leakcheck");
		exit(2);
	}
	return status;
}

static int check_command(char **argv)
{
	static struct counts c[3];
	int leaks = 0, failed = 0;

	for (int i = 0; i < 3; i++) {
		failed |= run(argv);
		take(&c[i]);
	}
	for (size_t k = 0; k < c[0].n && k < c[2].n; k++) {
		const char *name = c[2].rows[k].name;
		long first = before_of(&c[0], name), second = before_of(&c[1], name),
		     third = c[2].rows[k].count;

		if (second <= first || third <= second)
			continue;
		printf("leakcheck: %-28s %6ld -> %6ld -> %6ld\n", name, first, second, third);
		leaks++;
	}
	printf("leakcheck: %d of %zu counts grew each time%s\n", leaks, c[2].n,
	       failed ? "; the command failed" : "");
	return leaks || failed;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "-s") == 0) {
		save(argv[2]);
		return 0;
	}
	if (argc >= 3 && strcmp(argv[1], "-c") == 0)
		return compare(argv[2], argc > 3 ? strtol(argv[3], NULL, 10) : 0);
	if (argc >= 3 && strcmp(argv[1], "-a") == 0)
		return append(argv[2]);
	if (argc >= 2 && strcmp(argv[1], "-m") == 0)
		return add_up();
	if (argc >= 2 && argv[1][0] != '-')
		return check_command(argv + 1);
	fprintf(stderr,
		"usage: leakcheck COMMAND [ARG...] | -s FILE | -c FILE [SLACK] | -a FILE | -m\n");
	return 2;
}
