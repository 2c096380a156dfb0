// SPDX-License-Identifier: BSD-2-Clause
/*
 * abitest - calls that no other test program makes: timers, scheduling policies, System V objects, descriptors of processes
 * and signals, splice, leases, capability sets.  Prints TAP.
 *
 * Each test is a process of its own and passes by exiting with 0; the arguments of the calls are written out here, as the
 * library has no functions for them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads_lite.h>
#include <time.h>
#include <unistd.h>

#include "user/lib/syscall.h"

enum {
	NR_mount = 40,
	NR_sendfile = 71,
	NR_signalfd4 = 74,
	NR_vmsplice = 75,
	NR_splice = 76,
	NR_tee = 77,
	NR_waitid = 95,
	NR_futex = 98,
	NR_setitimer = 103,
	NR_gettid = 178,
	NR_timer_create = 107,
	NR_timer_getoverrun = 109,
	NR_timer_settime = 110,
	NR_timer_delete = 111,
	NR_sched_setscheduler = 119,
	NR_sched_getscheduler = 120,
	NR_prctl = 167,
	NR_msgget = 186,
	NR_msgctl = 187,
	NR_msgrcv = 188,
	NR_msgsnd = 189,
	NR_semget = 190,
	NR_semctl = 191,
	NR_semop = 193,
	NR_shmget = 194,
	NR_shmctl = 195,
	NR_shmat = 196,
	NR_shmdt = 197,
	NR_pidfd_send_signal = 424,
	NR_pidfd_open = 434,
	NR_futex_waitv = 449,
};
#define CALL(nr, a, b, c, d, e, f) \
	sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#define CHECK(cond)                                                 \
	do {                                                        \
		if (!(cond)) {                                      \
			printf("# line %d: %s\n", __LINE__, #cond); \
			fflush(stdout);                             \
			_exit(1);                                   \
		}                                                   \
	} while (0)

struct spec {
	int64_t interval_s, interval_ns, value_s, value_ns;
};

static volatile sig_atomic_t caught;

static void count(int sig)
{
	(void)sig;
	caught++;
}

static int join(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

/* A signal for each expiry that is noticed; those that are not are the overrun. */
static void timers(void)
{
	struct spec periodic = {0, 1000000, 0, 1000000}, none = {0};
	sigset_t set, old;
	int id = -1;

	signal(SIGALRM, count);
	CHECK(CALL(NR_timer_create, CLOCK_MONOTONIC, 0, &id, 0, 0, 0) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	CHECK(CALL(NR_timer_settime, id, 0, &periodic, 0, 0, 0) == 0);
	usleep(30000);
	CHECK(CALL(NR_timer_settime, id, 0, &none, 0, 0, 0) == 0);
	sigsuspend(&old);
	CHECK(caught == 1);
	CHECK(CALL(NR_timer_settime, id, 0, &periodic, 0, 0, 0) == 0);
	usleep(30000);
	sigsuspend(&old);
	CHECK(caught >= 2);
	CHECK(CALL(NR_timer_getoverrun, id, 0, 0, 0, 0, 0) > 0);
	CHECK(CALL(NR_timer_delete, id, 0, 0, 0, 0, 0) == 0);
	CHECK(CALL(NR_timer_delete, id, 0, 0, 0, 0, 0) == -EINVAL);
}

/* Only root may, children inherit, and a spinning real-time process leaves others their share. */
static void policies(void)
{
	int prio = 10;
	pid_t pid;

	CHECK(CALL(NR_sched_setscheduler, 0, 1, &prio, 0, 0, 0) == 0);
	pid = fork();
	if (!pid)
		_exit(CALL(NR_sched_getscheduler, 0, 0, 0, 0, 0, 0) == 1 ? 0 : 1);
	CHECK(join(pid) == 0);
	prio = 0;
	CHECK(CALL(NR_sched_setscheduler, 0, 1, &prio, 0, 0, 0) == -EINVAL);
	CHECK(CALL(NR_sched_setscheduler, 0, 0, &prio, 0, 0, 0) == 0);
	CHECK(setuid(1) == 0);
	prio = 1;
	CHECK(CALL(NR_sched_setscheduler, 0, 2, &prio, 0, 0, 0) == -EPERM);
}

static void messages(void)
{
	struct {
		long type;
		char text[8];
	} m = {3, "three"};
	long id = CALL(NR_msgget, 0, 01600, 0, 0, 0, 0);
	pid_t pid;

	CHECK(id >= 0);
	CHECK(CALL(NR_msgrcv, id, &m, 8, 0, 04000, 0) == -ENOMSG);
	CHECK(CALL(NR_msgsnd, id, &m, 6, 0, 0, 0) == 0);
	m.type = 1;
	strcpy(m.text, "one");
	CHECK(CALL(NR_msgsnd, id, &m, 4, 0, 0, 0) == 0);
	CHECK(CALL(NR_msgrcv, id, &m, 2, 0, 0, 0) == -E2BIG);
	CHECK(CALL(NR_msgrcv, id, &m, 8, -3, 0, 0) == 4 && m.type == 1 && !strcmp(m.text, "one"));
	CHECK(CALL(NR_msgrcv, id, &m, 8, 3, 0, 0) == 6 && !strcmp(m.text, "three"));
	pid = fork();
	if (!pid)
		_exit(CALL(NR_msgrcv, id, &m, 8, 0, 0, 0) == -EIDRM ? 0 : 1);
	usleep(20000);
	CHECK(CALL(NR_msgctl, id, 0, 0, 0, 0, 0) == 0);
	CHECK(join(pid) == 0);
	CHECK(CALL(NR_msgsnd, id, &m, 1, 0, 0, 0) < 0);
}

struct sembuf {
	uint16_t num;
	int16_t op, flags;
};

static void semaphores(void)
{
	struct sembuf both[2] = {{0, 1, 0}, {1, -1, 0}}, undo = {0, 5, 0x1000}, down = {1, -1, 0};
	long id = CALL(NR_semget, 0, 2, 01600, 0, 0, 0);
	pid_t pid;

	CHECK(id >= 0);
	both[1].flags = 04000;
	CHECK(CALL(NR_semop, id, both, 2, 0, 0, 0) == -EAGAIN);
	CHECK(CALL(NR_semctl, id, 0, 12, 0, 0, 0) == 0); /* all or nothing */
	pid = fork();
	if (!pid) {
		CHECK(CALL(NR_semop, id, &undo, 1, 0, 0, 0) == 0);
		_exit(CALL(NR_semctl, id, 0, 12, 0, 0, 0) == 5 ? 0 : 1);
	}
	CHECK(join(pid) == 0);
	CHECK(CALL(NR_semctl, id, 0, 12, 0, 0, 0) == 0); /* undone */
	pid = fork();
	if (!pid)
		_exit(CALL(NR_semop, id, &down, 1, 0, 0, 0) == 0 ? 0 : 1);
	while (CALL(NR_semctl, id, 1, 14, 0, 0, 0) != 1)
		usleep(1000);
	CHECK(CALL(NR_semctl, id, 1, 16, 1, 0, 0) == 0);
	CHECK(join(pid) == 0);
	CHECK(CALL(NR_semctl, id, 0, 0, 0, 0, 0) == 0);
}

/* The number of attachments is in struct shmid64_ds at 88. */
static long attachments(long id)
{
	uint64_t ds[14] = {0};

	return CALL(NR_shmctl, id, 2, ds, 0, 0, 0) < 0 ? -1 : (long)ds[11];
}

static void segments(void)
{
	long id = CALL(NR_shmget, 0, 10000, 01600, 0, 0, 0);
	char *a, *b;
	pid_t pid;

	CHECK(id >= 0);
	a = (char *)CALL(NR_shmat, id, 0, 0, 0, 0, 0);
	b = (char *)CALL(NR_shmat, id, 0, 010000, 0, 0, 0);
	CHECK((long)a > 0 && (long)b > 0);
	CHECK(attachments(id) == 2);
	strcpy(a + 8192, "seen");
	CHECK(!strcmp(b + 8192, "seen"));
	pid = fork();
	if (!pid) {
		CHECK(attachments(id) == 4);
		strcpy(a, "child");
		_exit(0);
	}
	CHECK(join(pid) == 0);
	CHECK(!strcmp(b, "child"));
	CHECK(CALL(NR_shmdt, b, 0, 0, 0, 0, 0) == 0);
	CHECK(CALL(NR_shmdt, b, 0, 0, 0, 0, 0) == -EINVAL);
	CHECK(CALL(NR_shmctl, id, 0, 0, 0, 0, 0) == 0);
	CHECK(attachments(id) == 1); /* marked, but still there */
	CHECK(CALL(NR_shmdt, a, 0, 0, 0, 0, 0) == 0);
	CHECK(attachments(id) == -1);
}

static void process_descriptors(void)
{
	pid_t pid = fork();
	long fd;

	if (!pid)
		for (;;)
			pause();
	fd = CALL(NR_pidfd_open, pid, 0, 0, 0, 0, 0);
	CHECK(fd >= 0);
	CHECK(CALL(NR_pidfd_send_signal, fd, 0, 0, 0, 0, 0) == 0);
	CHECK(CALL(NR_pidfd_send_signal, fd, SIGTERM, 0, 0, 0, 0) == 0);
	CHECK(CALL(NR_waitid, 3, fd, 0, 4, 0, 0) == 0);
	CHECK(CALL(NR_pidfd_send_signal, fd, SIGTERM, 0, 0, 0, 0) == -ESRCH);
	CHECK(waitpid(pid, NULL, 0) < 0 && errno == ECHILD);
}

static void signal_descriptors(void)
{
	uint64_t mask = 1UL << (SIGUSR1 - 1);
	uint32_t info[32];
	long fd;

	CHECK(sigprocmask(SIG_BLOCK, (sigset_t *)&mask, NULL) == 0);
	fd = CALL(NR_signalfd4, -1, &mask, 8, O_NONBLOCK, 0, 0);
	CHECK(fd >= 0);
	CHECK(read((int)fd, info, sizeof(info)) < 0 && errno == EAGAIN);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK(read((int)fd, info, sizeof(info)) == 128);
	CHECK(info[0] == SIGUSR1 && info[3] == (uint32_t)getpid());
}

static void splices(void)
{
	int a[2], b[2], fd = open("splice.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char buf[16] = {0};
	int64_t off = 2;

	CHECK(fd >= 0 && pipe(a) == 0 && pipe(b) == 0);
	CHECK(write(fd, "0123456789", 10) == 10);
	CHECK(CALL(NR_splice, fd, &off, a[1], 0, 5, 0) == 5 && off == 7);
	CHECK(CALL(NR_tee, a[0], b[1], 16, 0, 0, 0) == 5);
	CHECK(read(b[0], buf, 16) == 5 && !memcmp(buf, "23456", 5));
	CHECK(read(a[0], buf, 16) == 5 && !memcmp(buf, "23456", 5));
	CHECK(CALL(NR_splice, a[0], 0, fd, 0, 5, 2) == -EAGAIN);
	CHECK(CALL(NR_splice, fd, 0, fd, 0, 5, 0) == -EINVAL);
	CHECK(unlink("splice.tmp") == 0);
}

/* Another open breaks a lease: it waits until the holder, told by SIGIO, gives it up. */
static void leases(void)
{
	int fd = open("lease.tmp", O_RDWR | O_CREAT, 0600), other;
	pid_t pid;

	CHECK(fd >= 0);
	signal(SIGIO, count);
	CHECK(fcntl(fd, 1024, F_WRLCK) == 0);
	CHECK(fcntl(fd, 1025) == F_WRLCK);
	other = open("lease.tmp", O_RDONLY | O_NONBLOCK);
	CHECK(other < 0 && errno == EAGAIN);
	CHECK(caught == 1);
	pid = fork();
	if (!pid)
		_exit(open("lease.tmp", O_RDONLY) >= 0 ? 0 : 1);
	usleep(20000);
	CHECK(fcntl(fd, 1024, F_UNLCK) == 0);
	CHECK(join(pid) == 0);
	CHECK(unlink("lease.tmp") == 0);
}

struct waitv {
	uint64_t val, uaddr;
	uint32_t flags, reserved;
};

/* Signals about processor time are taken by the thread that uses it, though others come first and wait. */
static volatile int profiled;

static void note_thread(int sig __attribute__((unused)))
{
	profiled = (int)CALL(NR_gettid, 0, 0, 0, 0, 0, 0);
}

static void *use_time(void *arg)
{
	*(int *)arg = (int)CALL(NR_gettid, 0, 0, 0, 0, 0, 0);
	while (!profiled)
		;
	return NULL;
}

static void profiling(void)
{
	struct {
		long interval[2], value[2];
	} it = {{0, 0}, {0, 50000}};
	struct thread t = {0};
	int tid = 0;

	signal(SIGPROF, note_thread);
	CHECK(CALL(NR_setitimer, 2, &it, 0, 0, 0, 0) == 0);
	CHECK(!thread_create(&t, use_time, &tid) && thread_join(&t) == NULL);
	CHECK(tid && profiled == tid);
}

/* Waiting for a word of private memory by a call that could mean a shared one, while the process forks. */
static uint32_t fork_word;

static void *wait_for_word(void *arg __attribute__((unused)))
{
	return (void *)CALL(NR_futex, &fork_word, 0, 0, 0, 0, 0);
}

static void futex_over_fork(void)
{
	struct thread t = {0};
	pid_t pid;
	long n;

	fork_word = 0; /* the page has been written */
	CHECK(!thread_create(&t, wait_for_word, NULL));
	usleep(50000);
	pid = fork();
	if (!pid)
		_exit(fork_word);
	CHECK(join(pid) == 0);
	/* a private call means another queue */
	CHECK(CALL(NR_futex, &fork_word, 1 | 128, 1, 0, 0, 0) == 0);
	do /* until it waits */
		n = CALL(NR_futex, &fork_word, 1, 1, 0, 0, 0);
	while (n == 0);
	CHECK(n == 1 && thread_join(&t) == NULL);
}

static void many_futexes(void)
{
	static uint32_t words[2];
	struct waitv v[2] = {{0, (uint64_t)&words[0], 2 | 128, 0},
			     {1, (uint64_t)&words[1], 2 | 128, 0}};
	struct timespec past = {0, 1};

	CHECK(CALL(NR_futex_waitv, v, 2, 0, 0, 0, 0) == -EAGAIN);
	v[1].val = 0;
	CHECK(CALL(NR_futex_waitv, v, 2, 0, &past, CLOCK_MONOTONIC, 0) == -ETIMEDOUT);
	CHECK(CALL(NR_futex_waitv, v, 0, 0, 0, 0, 0) == -EINVAL);
}

/* What was dropped from the bounding set, a set-id program of root does not get again. */
static void bounding(void)
{
	CHECK(CALL(NR_prctl, 23, 21, 0, 0, 0, 0) == 1);
	CHECK(CALL(NR_prctl, 24, 21, 0, 0, 0, 0) == 0);
	CHECK(CALL(NR_prctl, 23, 21, 0, 0, 0, 0) == 0);
	CHECK(CALL(NR_prctl, 24, 99, 0, 0, 0, 0) == -EINVAL);
	CHECK(setuid(1) == 0);
	CHECK(CALL(NR_prctl, 24, 22, 0, 0, 0, 0) == -EPERM);
}

/* Arguments that once went wrong. */
static void odd_arguments(void)
{
	uint32_t *word =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/dev/null", O_RDWR), empty;
	void *zero;

	CHECK(CALL(NR_mount, 0, "/tmp", "ext2", 0, 0, 0) == -EINVAL);
	CHECK(CALL(NR_mount, "", "/tmp", "ext2", 0, 0, 0) == -EINVAL);
	CHECK(CALL(NR_mount, "none", "/tmp", 0, 0, 0, 0) == -EINVAL);
	CHECK(fdatasync(fd) < 0 && errno == EINVAL);
	/* an offset that cannot be given back, though nothing was moved */
	zero = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	empty = open("/tmp/empty", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(empty >= 0 && CALL(NR_sendfile, fd, empty, zero, 1, 0, 0) == -EFAULT);
	/* a shared futex in a page that was never touched */
	CHECK(CALL(NR_futex, word, 0, 1, 0, 0, 0) == -EAGAIN);
}

/* /proc/PID/FILE; -errno, or how much was read. */
static ssize_t read_proc(pid_t pid, const char *file, char *text, size_t size)
{
	char name[64];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/%s", (int)pid, file);
	fd = open(name, O_RDONLY);
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	n = n < 0 ? -errno : n;
	text[n > 0 ? n : 0] = 0;
	close(fd);
	return n;
}

/* What a sleeping process waits in, and how it is scheduled. */
static void told_by_proc(void)
{
	int fds[2], prio = 7;
	long value[42] = {0};
	char text[2048], *at;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = fork();
	if (!pid) {
		CHECK(close(fds[1]) == 0);
		CHECK(CALL(NR_sched_setscheduler, 0, 2, &prio, 0, 0, 0) == 0);
		_exit((int)read(fds[0], text, 1));
	}
	for (int tries = 0; tries < 500; tries++) {
		CHECK(read_proc(pid, "stack", text, sizeof(text)) >= 0);
		if (strstr(text, "pipe_read"))
			break;
		usleep(10000);
	}
	CHECK(strncmp(text, "[<0>] ", 6) == 0 && strstr(text, "pipe_read") &&
	      strstr(text, "sys_read"));
	CHECK(read_proc(pid, "stat", text, sizeof(text)) > 0);
	at = strrchr(text, ')');
	CHECK(at != NULL);
	at++;
	for (int field = 3; field <= 41; field++) {
		CHECK(at != NULL);
		value[field] = strtol(at + 1, NULL, 10);
		at = strchr(at + 1, ' ');
	}
	CHECK(value[18] == -1 - prio && value[19] == 0 && value[40] == prio && value[41] == 2);
	CHECK(setuid(1) == 0);
	CHECK(read_proc(getpid(), "stack", text, sizeof(text)) == -EACCES);
	close(fds[1]);
	CHECK(join(pid) == 0);
}

static void set_limit(const char *name, const char *value)
{
	int fd = open(name, O_WRONLY);

	CHECK(fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value));
	close(fd);
}

enum { SETPIPE_SZ = 1031, GETPIPE_SZ = 1032 };

/* As a user without privileges: 40 pages of pipes at will, 45 at all, none larger than 128 KiB. */
static void poor_pipes(void)
{
	int p[4][2], q[2];

	CHECK(setgid(9) == 0 && setuid(9) == 0);
	CHECK(!pipe(p[0]) && !pipe(p[1]) && !pipe(p[2]) && !pipe(p[3]));
	CHECK(fcntl(p[0][0], GETPIPE_SZ) == 65536 && fcntl(p[1][1], GETPIPE_SZ) == 65536);
	CHECK(fcntl(p[2][0], GETPIPE_SZ) == 2 * 4096 && fcntl(p[3][0], GETPIPE_SZ) == 2 * 4096);
	CHECK(fcntl(p[2][0], SETPIPE_SZ, 65536) < 0 && errno == EPERM);
	CHECK(fcntl(p[2][0], SETPIPE_SZ, 16384) == 16384);
	CHECK(fcntl(p[0][0], SETPIPE_SZ, 131073) < 0 && errno == EPERM);
	CHECK(!pipe(q)); /* 16 + 16 + 4 + 2 + 2 */
	close(q[0]);
	close(q[1]);
	CHECK(fcntl(p[0][0], SETPIPE_SZ, 0) == 4096);
	CHECK(fcntl(p[2][0], SETPIPE_SZ, 65536) == 65536);
	CHECK(fcntl(p[3][0], SETPIPE_SZ, 16384) == 16384); /* 1 + 16 + 16 + 4 = 37 */
	CHECK(!pipe(p[0]) && !pipe(p[0]) && !pipe(p[0]) && !pipe(p[0]));
	CHECK(pipe(p[0]) < 0 && errno == ENFILE); /* 47 */
	close(p[1][0]);
	close(p[1][1]);
	CHECK(!pipe(p[0]));
}

static void pipe_limits(void)
{
	int p[2], status;
	pid_t pid;

	CHECK(!pipe(p) && fcntl(p[0], SETPIPE_SZ, 0) == 4096 && fcntl(p[1], GETPIPE_SZ) == 4096);
	set_limit("/proc/sys/fs/pipe-max-size", "100000");
	set_limit("/proc/sys/fs/pipe-user-pages-soft", "40");
	set_limit("/proc/sys/fs/pipe-user-pages-hard", "45");
	pid = fork();
	if (!pid) {
		poor_pipes();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	set_limit("/proc/sys/fs/pipe-max-size", "1048576");
	set_limit("/proc/sys/fs/pipe-user-pages-soft", "16384");
	set_limit("/proc/sys/fs/pipe-user-pages-hard", "0");
	CHECK(!status);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"timers", timers},
	{"scheduling policies", policies},
	{"message queues", messages},
	{"semaphores", semaphores},
	{"shared memory", segments},
	{"descriptors of processes", process_descriptors},
	{"descriptors of signals", signal_descriptors},
	{"splice and tee", splices},
	{"leases", leases},
	{"waiting for several futexes", many_futexes},
	{"futexes in private memory over a fork", futex_over_fork},
	{"signals about processor time", profiling},
	{"bounding set", bounding},
	{"limits of pipes", pipe_limits},
	{"odd arguments", odd_arguments},
	{"what /proc tells of a process", told_by_proc},
};

int main(void)
{
	int n = sizeof(tests) / sizeof(tests[0]), failed = 0;

	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		pid_t pid;
		int status;

		fflush(stdout);
		pid = fork();
		if (!pid) {
			alarm(60);
			tests[i].run();
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			status = 1;
		failed += status != 0;
		printf("%s %d - %s\n", status ? "not ok" : "ok", i + 1, tests[i].name);
	}
	return failed != 0;
}
