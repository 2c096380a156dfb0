// SPDX-License-Identifier: BSD-2-Clause
/* proc.c - ps, free, vmstat, kill, time, memmap: what /proc tells. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/bin/tools/tools.h"

/* ---- ps ---- */

/* The fields of /proc/PID/stat; the name is in parentheses and may hold anything. */
struct process {
	char name[64];
	char state;
	int pid, parent, pgrp, session;
	unsigned long user, system, size, resident;
};

static bool parse_process(const char *text, struct process *p)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');

	if (!open || !close)
		return false;
	p->pid = atoi(text);
	snprintf(p->name, sizeof(p->name), "%.*s", (int)(close - open - 1), open + 1);
	return sscanf(close + 1,
		      " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d "
		      "%*u %lu %lu",
		      &p->state, &p->parent, &p->pgrp, &p->session, &p->user, &p->system, &p->size,
		      &p->resident) >= 4;
}

/* The command line with its zero bytes as blanks, or [name]. */
static void print_command(const char *pid, const char *name)
{
	char *path = xasprintf("/proc/%s/cmdline", pid);
	struct buf b = {0};

	if (read_file(path, &b) && b.len) {
		for (size_t i = 0; i + 1 < b.len; i++) {
			if (!b.data[i])
				b.data[i] = ' ';
		}
		puts(b.data);
	} else {
		printf("[%s]\n", name);
	}
	buf_free(&b);
	free(path);
}

static void print_process(const char *pid)
{
	char *path = xasprintf("/proc/%s/stat", pid);
	struct process p = {0};
	struct buf b = {0};
	long page = sysconf(_SC_PAGESIZE) / 1024;
	unsigned long ticks;

	if (read_file(path, &b) && parse_process(b.data, &p)) {
		ticks = p.user + p.system;
		printf("%5d %5d %5d %c %8lu %8lu %3lu:%02lu.%02lu ", p.pid, p.parent, p.pgrp,
		       p.state, p.size / 1024, p.resident * (unsigned long)page, ticks / 6000,
		       ticks / 100 % 60, ticks % 100);
		print_command(pid, p.name);
	}
	buf_free(&b);
	free(path);
}

static int compare_numbers(const void *a, const void *b)
{
	return atoi(*(char *const *)a) - atoi(*(char *const *)b);
}

int ps_main(int argc, char **argv)
{
	struct list names = {0};

	(void)argc;
	(void)argv;
	if (!read_names("/proc", &names))
		die_errno("/proc");
	qsort(names.items, names.len, sizeof(char *), compare_numbers);
	printf("%5s %5s %5s S %8s %8s %9s COMMAND\n", "PID", "PPID", "PGRP", "VSZ", "RSS", "TIME");
	for (size_t i = 0; i < names.len; i++) {
		if (isdigit((unsigned char)names.items[i][0]))
			print_process(names.items[i]);
	}
	list_free(&names);
	return 0;
}

/* ---- free and vmstat ---- */

int free_main(int argc, char **argv)
{
	bool mega = argc > 1 && strcmp(argv[1], "-m") == 0;
	unsigned long unit = mega ? 1024 : 1, total, spare, cached, buffers;
	struct buf b = {0};

	if (!read_file("/proc/meminfo", &b))
		die_errno("/proc/meminfo");
	total = proc_value(b.data, "MemTotal");
	spare = proc_value(b.data, "MemFree");
	cached = proc_value(b.data, "Cached");
	buffers = proc_value(b.data, "Buffers");
	printf("%-6s %11s %11s %11s %11s %11s\n", "", "total", "used", "free", "buff/cache",
	       "available");
	printf("%-6s %11lu %11lu %11lu %11lu %11lu\n", "Mem:", total / unit,
	       (total - spare - cached - buffers) / unit, spare / unit, (cached + buffers) / unit,
	       proc_value(b.data, "MemAvailable") / unit);
	total = proc_value(b.data, "SwapTotal");
	spare = proc_value(b.data, "SwapFree");
	printf("%-6s %11lu %11lu %11lu\n", "Swap:", total / unit, (total - spare) / unit,
	       spare / unit);
	buf_free(&b);
	return 0;
}

struct sample {
	unsigned long runnable, blocked, swapped, spare, buffers, cache;
	unsigned long counters[6]; /* si so in out faults major */
	unsigned long interrupts, switches;
	unsigned long cpu[5]; /* user nice system idle wait */
};

static void take_sample(struct sample *s)
{
	static const char *const names[] = {"pswpin",  "pswpout", "pgpgin",
					    "pgpgout", "pgfault", "pgmajfault"};
	struct buf b = {0};

	memset(s, 0, sizeof(*s));
	if (read_file("/proc/meminfo", &b)) {
		s->spare = proc_value(b.data, "MemFree");
		s->buffers = proc_value(b.data, "Buffers");
		s->cache = proc_value(b.data, "Cached");
		s->swapped = proc_value(b.data, "SwapTotal") - proc_value(b.data, "SwapFree");
	}
	b.len = 0;
	if (read_file("/proc/vmstat", &b)) {
		for (size_t i = 0; i < COUNT(names); i++)
			s->counters[i] = proc_value(b.data, names[i]);
	}
	b.len = 0;
	if (read_file("/proc/stat", &b)) {
		sscanf(b.data, "cpu %lu %lu %lu %lu %lu", &s->cpu[0], &s->cpu[1], &s->cpu[2],
		       &s->cpu[3], &s->cpu[4]);
		s->interrupts = proc_value(b.data, "intr");
		s->switches = proc_value(b.data, "ctxt");
		s->runnable = proc_value(b.data, "procs_running");
		s->blocked = proc_value(b.data, "procs_blocked");
	}
	buf_free(&b);
}

static void print_sample(const struct sample *now, const struct sample *then, unsigned long seconds)
{
	unsigned long cpu[5], all = 0, c[6];

	for (int i = 0; i < 5; i++)
		all += cpu[i] = now->cpu[i] - then->cpu[i];
	all = all ? all : 1;
	for (int i = 0; i < 6; i++)
		c[i] = (now->counters[i] - then->counters[i]) / seconds;
	printf("%2lu %2lu %7lu %8lu %6lu %8lu %5lu %5lu %6lu %6lu %6lu %6lu %5lu %6lu %3lu %3lu %3lu %3lu\n",
	       now->runnable, now->blocked, now->swapped, now->spare, now->buffers, now->cache,
	       c[0], c[1], c[2], c[3], c[4], c[5], (now->interrupts - then->interrupts) / seconds,
	       (now->switches - then->switches) / seconds, (cpu[0] + cpu[1]) * 100 / all,
	       cpu[2] * 100 / all, cpu[3] * 100 / all, cpu[4] * 100 / all);
	fflush(stdout);
}

static int print_counters(void)
{
	struct buf b = {0};

	if (!read_file("/proc/vmstat", &b))
		die_errno("/proc/vmstat");
	fwrite(b.data, 1, b.len, stdout);
	buf_free(&b);
	return 0;
}

/* The first line is since the start, the others are per second of the interval. */
int vmstat_main(int argc, char **argv)
{
	struct sample now, then = {0};
	long interval = 0, count = 1;
	struct buf b = {0};
	unsigned long since;

	if (argc > 1 && strcmp(argv[1], "-s") == 0)
		return print_counters();
	if ((argc > 1 && (!parse_int(argv[1], &interval) || interval < 1)) ||
	    (argc > 2 && !parse_int(argv[2], &count)))
		return usage_error("[-s | SECONDS [COUNT]]");
	if (argc == 2)
		count = -1;
	printf(" r  b    swpd     free   buff    cache    si    so     in    out  fault  major  intr    ctx  us  sy  id  wa\n");
	since = read_file("/proc/uptime", &b) ? strtoul(b.data, NULL, 10) : 1;
	buf_free(&b);
	take_sample(&now);
	print_sample(&now, &then, since ? since : 1);
	while (--count) {
		then = now;
		sleep((unsigned int)interval);
		take_sample(&now);
		print_sample(&now, &then, (unsigned long)interval);
	}
	return 0;
}

/* ---- kill and time ---- */

int kill_main(int argc, char **argv)
{
	int sig = SIGTERM, i = 1, status = 0;
	long pid;

	if (argc > 2 && strcmp(argv[1], "-s") == 0) {
		sig = signal_number(argv[2]);
		i = 3;
	} else if (argc > 2 && argv[1][0] == '-') {
		sig = signal_number(argv[1] + 1);
		i = 2;
	}
	if (sig < 0 || i >= argc)
		return usage_error("[-SIGNAL] PID...");
	for (; i < argc; i++) {
		if (!parse_int(argv[i], &pid) || kill((pid_t)pid, sig) < 0) {
			warn_errno("%s", argv[i]);
			status = 1;
		}
	}
	return status;
}

static void print_seconds(const char *name, long seconds, long micros)
{
	fprintf(stderr, "%s\t%ldm%ld.%03lds\n", name, seconds / 60, seconds % 60, micros / 1000);
}

int time_main(int argc, char **argv)
{
	struct timespec start, end;
	struct rusage usage;
	int status = 0;
	pid_t pid;

	if (argc < 2)
		return usage_error("COMMAND [ARG]...");
	clock_gettime(CLOCK_MONOTONIC, &start);
	pid = fork();
	if (pid == 0) {
		execvp(argv[1], argv + 1);
		warn_errno("%s", argv[1]);
		_exit(127);
	}
	if (pid < 0)
		die_errno("fork");
	memset(&usage, 0, sizeof(usage));
	while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
		;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec -= start.tv_sec + (end.tv_nsec < start.tv_nsec);
	end.tv_nsec += end.tv_nsec < start.tv_nsec ? 1000000000 - start.tv_nsec : -start.tv_nsec;
	print_seconds("real", end.tv_sec, end.tv_nsec / 1000);
	print_seconds("user", usage.ru_utime.tv_sec, usage.ru_utime.tv_usec);
	print_seconds("sys", usage.ru_stime.tv_sec, usage.ru_stime.tv_usec);
	fprintf(stderr, "faults\t%ld minor, %ld major; at most %ld kB resident\n", usage.ru_minflt,
		usage.ru_majflt, usage.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- memmap ---- */

struct area {
	unsigned long start, end;
	char *line;				/* of maps, behind the addresses */
	unsigned long resident, dirty, swapped; /* kB */
	bool measured;
};

static bool parse_area(char *line, struct area *a)
{
	char *end;

	if (!isxdigit((unsigned char)*line))
		return false;
	*a = (struct area){.start = strtoul(line, &end, 16)};
	if (*end != '-')
		return false;
	a->end = strtoul(end + 1, &end, 16);
	a->line = end + strspn(end, " ");
	return *end == ' ' && a->end > a->start;
}

static void print_bar(const struct area *a)
{
	enum { WIDTH = 20 };
	unsigned long size = (a->end - a->start) / 1024, filled;

	if (!a->measured) {
		printf("%24s", "");
		return;
	}
	filled = (a->resident * WIDTH + size - 1) / size;
	putchar('[');
	for (unsigned long i = 0; i < WIDTH; i++)
		putchar(i < filled ? '#' : '.');
	printf("]%3lu%%", a->resident * 100 / size);
}

static void print_area(const struct area *a)
{
	char mode[8] = "", name[300] = "";

	sscanf(a->line, "%7s %*s %*s %*s %299[^\n]", mode, name);
	printf("%012lx %8luK %s ", a->start, (a->end - a->start) / 1024, mode);
	print_bar(a);
	if (a->dirty)
		printf(" %luK dirty", a->dirty);
	if (a->swapped)
		printf(" %luK swapped", a->swapped);
	printf("  %s\n", *name ? name : "(anonymous)");
}

/* A line "Rss: 12 kB" of smaps that belongs to the area above it. */
static void measure(struct area *a, const char *line)
{
	if (strncmp(line, "Rss:", 4) == 0) {
		a->resident = strtoul(line + 4, NULL, 10);
		a->measured = true;
	} else if (strncmp(line, "Shared_Dirty:", 13) == 0) {
		a->dirty += strtoul(line + 13, NULL, 10);
	} else if (strncmp(line, "Private_Dirty:", 14) == 0) {
		a->dirty += strtoul(line + 14, NULL, 10);
	} else if (strncmp(line, "Swap:", 5) == 0) {
		a->swapped = strtoul(line + 5, NULL, 10);
	}
}

static void draw_areas(char *text)
{
	struct area a = {0}, next;
	unsigned long size = 0, resident = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (!parse_area(line, &next)) {
			measure(&a, line);
			continue;
		}
		if (a.line)
			print_area(&a);
		size += (a.end - a.start) / 1024;
		resident += a.resident;
		a = next;
	}
	if (a.line)
		print_area(&a);
	size += (a.end - a.start) / 1024;
	resident += a.resident;
	printf("total %luK", size);
	if (a.measured)
		printf(", resident %luK", resident);
	putchar('\n');
}

int memmap_main(int argc, char **argv)
{
	const char *pid = argc > 1 ? argv[1] : "self";
	char *path = xasprintf("/proc/%s/smaps", pid);
	struct buf b = {0};

	if (!read_file(path, &b) || !b.len) {
		free(path);
		path = xasprintf("/proc/%s/maps", pid);
		if (!read_file(path, &b))
			die_errno("%s", path);
	}
	if (b.len)
		draw_areas(b.data);
	free(path);
	buf_free(&b);
	path = xasprintf("/proc/%s/objects", pid);
	if (read_file(path, &b) && b.len)
		printf("\nobjects:\n%s", b.data);
	free(path);
	buf_free(&b);
	return 0;
}
