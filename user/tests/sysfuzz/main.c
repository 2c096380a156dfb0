// SPDX-License-Identifier: BSD-2-Clause
/*
 * sysfuzz - system calls with random and with plausible arguments.
 *
 *	sysfuzz [-s SEED] [-p WORKERS] [-t SECONDS] [-n CALLS] [-d DIR] [-v]
 *
 *	  harness ---- forks ----> worker 0 (root)    threads and children of its own clones
 *	     |                     worker 1 (uid 1000)
 *	     | restarts those that  ...
 *	     | died of their calls
 *
 * A worker makes some hundred calls and ends, or dies of one of them; then the next generation takes its place.  All it does
 * follows from its seed, which follows from SEED, its number and its generation: with -p 1 a run repeats itself as far as
 * its calls' results do.  The calls work in a directory of their own; harm beyond it is left out (calls.c, worker.c).
 * What is asked of the kernel: that it lives, that every process can be killed, and that everything comes back afterwards.
 *
 * A worker that makes no progress is killed; one that does not die of SIGKILL is a failure.  The exit status tells.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/lib/syscall.h"
#include "user/tests/sysfuzz/sysfuzz.h"

#define STALL_SECONDS 2	 /* without a finished call: killed */
#define DEATH_SECONDS 60 /* after SIGKILL, and then */
#define DEATH_LOOKS   50 /* times looked, for we may have been kept from running too: a failure */

struct shared *shared;

/* What the harness knows of a worker. */
static struct state {
	uint64_t seen; /* calls when last looked */
	long since;    /* when that changed; after the kill, when it was killed */
	uint32_t generation;
	bool killed;
	unsigned int looks; /* since then */
} states[MAX_WORKERS];

static uint64_t seed = 1, max_calls;
static unsigned int seconds = 10;
static const char *dir = "/tmp/sysfuzz";
static unsigned long deaths, stuck;

/* Places whose modes a worker may change through a descriptor; put right again at the end. */
static const char *const places[] = {
	"/",	     "/dev",	     "/dev/null", "/dev/zero",
	"/dev/full", "/dev/urandom", "/dev/tty",  "/proc/self/exe",
};
static struct stat before[sizeof(places) / sizeof(places[0])];

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void die(const char *what)
{
	fprintf(stderr, "sysfuzz: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t worker_seed(unsigned int k, uint32_t generation)
{
	struct fuzzer f = {.random = seed ^ (uint64_t)k << 48 ^ (uint64_t)generation << 16};

	return draw_word(&f);
}

static void start(unsigned int k)
{
	struct slot *s = &shared->slot[k];
	int fd;

	s->seed = worker_seed(k, states[k].generation++);
	s->clones = 0;
	states[k] = (struct state){s->calls, now(), states[k].generation, false, 0};
	s->pid = fork();
	if (s->pid < 0)
		die("fork");
	if (s->pid > 0)
		return;
	s->pid = getpid();
	fd = open("/dev/null", O_RDWR);
	for (int to = 0; to < 3; to++)
		if (to != 2 || !shared->trace)
			dup2(fd, to);
	close(fd);
	worker_main(s, s->seed, k % 2 == 0 && getuid() == 0);
	_exit(0);
}

/* False: no child is left. */
static bool reap(bool restart)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned int k = 0; k < shared->workers; k++) {
			if (shared->slot[k].pid != pid)
				continue;
			deaths += WIFSIGNALED(status) || WEXITSTATUS(status);
			kill(-pid, SIGKILL);
			shared->slot[k].pid = 0;
			if (restart)
				start(k);
		}
	}
	return pid == 0;
}

static void copy_out(const char *format, const char *a, const char *b)
{
	char path[300], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), format, a, b);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close(fd);
	printf("%s:\n%.*s", path, n > 0 ? (int)n : 0, text);
}

/* What every thread of every process that came after us does: who is stuck may wait for another. */
static void say_threads(void)
{
	DIR *d = opendir("/proc"), *tasks;
	struct dirent *e, *t;
	char path[300];

	while (d && (e = readdir(d))) {
		if (atoi(e->d_name) <= getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task", e->d_name);
		tasks = opendir(path);
		while (tasks && (t = readdir(tasks))) {
			if (atoi(t->d_name) <= 0)
				continue;
			copy_out("/proc/%s/task/%s/stat", e->d_name, t->d_name);
			copy_out("/proc/%s/task/%s/stack", e->d_name, t->d_name);
		}
		if (tasks)
			closedir(tasks);
	}
	if (d)
		closedir(d);
	copy_out("/proc/%s%s", "stat", "");
}

/* Counts it, too. */
static void say_stuck(unsigned int k)
{
	const struct slot *s = &shared->slot[k];
	const struct call *c = find_call(s->nr);

	printf("sysfuzz: worker %u (pid %d, seed %lx) does not die; last call %s(%lx, %lx, %lx, %lx, %lx, %lx)\n",
	       k, (int)s->pid, (long)s->seed, c ? c->name : "?", (long)s->args[0], (long)s->args[1],
	       (long)s->args[2], (long)s->args[3], (long)s->args[4], (long)s->args[5]);
	if (!stuck++)
		say_threads();
}

static bool is_worker(int pid)
{
	for (unsigned int k = 0; k < shared->workers; k++)
		if (shared->slot[k].pid == pid)
			return true;
	return false;
}

static int parent_of(const char *pid)
{
	char path[40], line[256], *end;
	int fd, ppid = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[n > 0 ? n : 0] = 0;
	end = strrchr(line, ')');
	if (end && end[1])
		ppid = atoi(end + 3);
	return ppid;
}

/* Children whose worker is gone became ours: they are killed. */
static void kill_orphans(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int pid = atoi(e->d_name);

		if (pid > 0 && !is_worker(pid) && parent_of(e->d_name) == getpid())
			kill(pid, SIGKILL);
	}
	if (d)
		closedir(d);
}

struct family {
	int pid, parent;
};

static int by_pid(const void *a, const void *b)
{
	const struct family *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* All processes, by number; how many. */
static size_t read_families(struct family **out)
{
	DIR *d = opendir("/proc");
	struct family *all = NULL;
	struct dirent *e;
	size_t n = 0, room = 0;

	while (d && (e = readdir(d))) {
		if (atoi(e->d_name) <= 0)
			continue;
		if (n == room) {
			room = room ? 2 * room : 64;
			all = realloc(all, room * sizeof(*all));
			if (!all)
				die("realloc");
		}
		all[n++] = (struct family){atoi(e->d_name), parent_of(e->d_name)};
	}
	if (d)
		closedir(d);
	if (n)
		qsort(all, n, sizeof(*all), by_pid);
	*out = all;
	return n;
}

/*
 * Kills what descends from pid.  It is not enough to kill a worker and then who became an orphan by that: it may wait for the
 * hart that its own child, of the same real-time priority, does not leave.
 */
static void kill_below(int pid)
{
	struct family *all;
	size_t n = read_families(&all);

	for (size_t k = 0; k < n; k++) {
		struct family *at = &all[k];

		for (size_t depth = 0; at && at->parent != pid && depth < n; depth++) {
			struct family up = {at->parent, 0};

			at = bsearch(&up, all, n, sizeof(*all), by_pid);
		}
		if (at && at->parent == pid)
			kill(all[k].pid, SIGKILL);
	}
	free(all);
}

/* Kills who makes no progress; counts who survives that. */
static void watch(void)
{
	for (unsigned int k = 0; k < shared->workers; k++) {
		struct slot *s = &shared->slot[k];
		struct state *st = &states[k];

		if (s->pid <= 0)
			continue;
		if (st->killed) {
			kill_below(s->pid);
			if (now() - st->since > DEATH_SECONDS && ++st->looks > DEATH_LOOKS) {
				say_stuck(k);
				s->pid = 0; /* given up */
			}
		} else if (s->calls != st->seen) {
			st->seen = s->calls;
			st->since = now();
		} else if (now() - st->since > STALL_SECONDS) {
			kill(s->pid, SIGKILL);
			st->killed = true;
			st->since = now();
		}
	}
}

static uint64_t total(void)
{
	uint64_t n = 0;

	for (unsigned int k = 0; k < shared->workers; k++)
		n += shared->slot[k].calls;
	return n;
}

static void pause_ms(long ms)
{
	struct timespec t = {0, ms * 1000000};

	nanosleep(&t, NULL);
}

static void run(void)
{
	long end = now() + seconds, sweep = now();
	unsigned int looks = 0;

	for (unsigned int k = 0; k < shared->workers; k++)
		start(k);
	while (now() < end && (!max_calls || total() < max_calls)) {
		pause_ms(50);
		reap(true);
		watch();
		if (now() - sweep >= 2) {
			kill_orphans();
			sweep = now();
		}
	}
	end = now() + DEATH_SECONDS;
	while (reap(false) && looks < DEATH_LOOKS) {
		for (unsigned int k = 0; k < shared->workers;
		     k++) /* even if one has hidden /proc */
			if (shared->slot[k].pid > 0)
				kill(shared->slot[k].pid, SIGKILL);
		kill_below(getpid());
		pause_ms(20);
		looks += now() >= end;
	}
	for (unsigned int k = 0; k < shared->workers; k++)
		if (shared->slot[k].pid > 0)
			say_stuck(k);
}

/* ---- the directory ---- */

/* Takes mounts at and below dir away; false if none went. One may be hidden by another, which has to go first. */
static bool unmount_some(void)
{
	FILE *f = fopen("/proc/mounts", "r");
	char line[1024];
	bool some = false;

	while (f && fgets(line, sizeof(line), f)) {
		char *at = strchr(line, ' '), *end = at ? strchr(at + 1, ' ') : NULL;

		if (!end)
			continue;
		*end = 0;
		if (strncmp(at + 1, dir, strlen(dir)) == 0)
			some |= umount2(at + 1, 0) == 0 || umount2(at + 1, MNT_DETACH) == 0;
	}
	if (f)
		fclose(f);
	return some;
}

static void unmount_all(void)
{
	for (int round = 0; round < 1000 && unmount_some(); round++)
		;
}

#define DEEP 16

/* What lies DEEP directories below dir is moved up to it first: its path may be longer than a call takes. */
static void remove_tree(const char *path, int depth)
{
	static int moved;
	DIR *d = opendir(path);
	struct dirent *e;
	char name[4096];

	while (d && (e = readdir(d))) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (lstat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
			char up[64];

			chmod(name, 0700);
			snprintf(up, sizeof(up), "%s/moved%d", dir, moved++);
			if (depth < DEEP || rename(name, up) < 0)
				remove_tree(name, depth + 1);
		} else if (unlink(name) < 0) {
			fprintf(stderr, "sysfuzz: unlink %s: %s\n", name, strerror(errno));
		}
	}
	if (d)
		closedir(d);
	if (rmdir(path) < 0 && errno != ENOENT && (depth || errno != ENOTEMPTY))
		fprintf(stderr, "sysfuzz: rmdir %s: %s\n", path, strerror(errno));
}

/* Again as long as something is moved up. */
static void remove_all(void)
{
	struct stat st;

	for (int i = 0; i < 1000 && lstat(dir, &st) == 0; i++)
		remove_tree(dir, 0);
}

static void remember(void)
{
	for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++)
		if (stat(places[k], &before[k]) < 0)
			before[k].st_mode = 0;
}

static void put_right(void)
{
	for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
		struct stat st;

		if (!before[k].st_mode || stat(places[k], &st) < 0)
			continue;
		if (st.st_uid != before[k].st_uid || st.st_gid != before[k].st_gid)
			chown(places[k], before[k].st_uid, before[k].st_gid);
		if (st.st_mode != before[k].st_mode)
			chmod(places[k], before[k].st_mode & 07777);
	}
}

/* A program of the workers' own: one of the system's would not survive them. */
static void copy_program(void)
{
	int from = open("/bin/true", O_RDONLY), to = open("sfx", O_WRONLY | O_CREAT | O_EXCL, 0777);
	char buf[4096];
	ssize_t n;

	while (from >= 0 && to >= 0 && (n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			die("sfx");
	close(from);
	close(to);
}

static void prepare(void)
{
	int fd;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("mmap");
	shared->harness = getpid();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	/* when memory runs out the workers go first */
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd >= 0) {
		if (write(fd, "-900\n", 5) < 0)
			perror("sysfuzz: oom_score_adj");
		close(fd);
	}
	unmount_all();
	remove_all();
	if (mkdir(dir, 0777) < 0 || chmod(dir, 0777) < 0 || chdir(dir) < 0)
		die(dir);
	copy_program();
	remember();
}

static void options(int argc, char **argv)
{
	unsigned int workers = 8;
	bool trace = false;
	int c;

	while ((c = getopt(argc, argv, "s:p:t:n:d:v")) >= 0) {
		switch (c) {
		case 's':
			seed = strtoul(optarg, NULL, 0);
			break;
		case 'p':
			workers = (unsigned int)atoi(optarg);
			break;
		case 't':
			seconds = (unsigned int)atoi(optarg);
			break;
		case 'n':
			max_calls = strtoul(optarg, NULL, 0);
			break;
		case 'd':
			dir = optarg;
			break;
		case 'v':
			trace = true;
			break;
		default:
			fprintf(stderr,
				"usage: sysfuzz [-s SEED] [-p WORKERS] [-t SECONDS] [-n CALLS] [-d DIR] [-v]\n");
			exit(2);
		}
	}
	if (workers < 1 || workers > MAX_WORKERS) {
		fprintf(stderr, "sysfuzz: 1 to %d workers\n", MAX_WORKERS);
		exit(2);
	}
	prepare();
	shared->workers = workers;
	shared->trace = trace;
}

static void report(void)
{
	uint64_t good = 0;
	unsigned int tried = 0, worked = 0;

	for (unsigned int k = 0; k < shared->workers; k++)
		good += shared->slot[k].good;
	for (size_t k = 0; k < ncalls; k++) {
		tried += shared->tried[calls[k].nr] > 0;
		worked += shared->worked[calls[k].nr] > 0;
	}
	printf("sysfuzz: %lu calls, %lu of them without an error; %u kinds tried, %u worked; %lu workers died, %lu stuck\n",
	       (long)total(), (long)good, tried, worked, deaths, stuck);
}

/* System V objects outlive their makers: those of the workers go here (what else has any would lose them too). */
static void remove_ipc(void)
{
	static const struct {
		long nr, info, stat;
		int values; /* semctl has one argument more in between */
	} kinds[] = {{187, 12, 11, 0},
		     {191, 19, 18, 1},
		     {195, 14, 13, 0}}; /* msgctl, semctl, shmctl: *_INFO, *_STAT */
	static char buf[512];

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		long nr = kinds[k].nr, last, id;
		int v = kinds[k].values;

		last = v ? sys6(nr, 0, 0, kinds[k].info, (long)buf, 0, 0)
			 : sys6(nr, 0, kinds[k].info, (long)buf, 0, 0, 0);
		for (long at = 0; at <= last; at++) {
			id = v ? sys6(nr, at, 0, kinds[k].stat, (long)buf, 0, 0)
			       : sys6(nr, at, kinds[k].stat, (long)buf, 0, 0, 0);
			if (id >= 0)
				sys6(nr, id, 0, 0, 0, 0, 0); /* IPC_RMID is 0 */
		}
	}
}

int main(int argc, char **argv)
{
	options(argc, argv);
	printf("sysfuzz: seed %lu, %u workers, %u s: repeat with sysfuzz -s %lu -p %u -t %u\n",
	       (long)seed, (unsigned int)shared->workers, seconds, (long)seed,
	       (unsigned int)shared->workers, seconds);
	fflush(stdout);
	run();
	if (chdir("/") < 0)
		die("/");
	put_right();
	unmount_all();
	remove_all();
	remove_ipc();
	report();
	return stuck ? 1 : 0;
}
