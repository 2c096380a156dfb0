// SPDX-License-Identifier: BSD-2-Clause
/* process.c - system calls on processes, identities, limits and the machine. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/lib/syscall.h"

long syscall(long number, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return __sysret(sys6(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

pid_t fork(void)
{
	return call(clone, SIGCHLD, 0, 0, 0, 0);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
	return call(execve, path, argv, envp);
}

int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

/* Tries dir/file for the directories of PATH; EACCES wins over ENOENT. */
int execvp(const char *file, char *const argv[])
{
	const char *path = getenv("PATH");
	const char *end;
	int error = ENOENT;
	char name[4096];

	if (strchr(file, '/'))
		return execv(file, argv);
	for (path = path ? path : "/bin:/sbin"; *file && path; path = *end ? end + 1 : NULL) {
		end = strchrnul(path, ':');
		if ((size_t)(end - path) + strlen(file) + 2 > sizeof(name))
			continue;
		memcpy(name, path, end - path);
		strcpy(name + (end - path), end == path ? "" : "/");
		strcat(name, file);
		execv(name, argv);
		if (errno == EACCES)
			error = EACCES;
		else if (errno != ENOENT && errno != ENOTDIR)
			return -1;
	}
	errno = error;
	return -1;
}

static int execlist(int (*exec)(const char *, char *const[]), const char *path, const char *arg,
		    va_list ap)
{
	va_list count_ap;
	size_t count = 1;

	va_copy(count_ap, ap);
	while (va_arg(count_ap, char *))
		count++;
	va_end(count_ap);

	char *argv[count + 1];

	argv[0] = (char *)arg;
	for (size_t i = 1; i <= count; i++)
		argv[i] = va_arg(ap, char *);
	return exec(path, argv);
}

int execl(const char *path, const char *arg, ...)
{
	va_list ap;
	int result;

	va_start(ap, arg);
	result = execlist(execv, path, arg, ap);
	va_end(ap);
	return result;
}

int execlp(const char *file, const char *arg, ...)
{
	va_list ap;
	int result;

	va_start(ap, arg);
	result = execlist(execvp, file, arg, ap);
	va_end(ap);
	return result;
}

pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	return call(wait4, pid, status, options, usage);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	return wait4(pid, status, options, NULL);
}

pid_t wait(int *status)
{
	return wait4(-1, status, 0, NULL);
}

static void system_child(const char *command)
{
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

int system(const char *command)
{
	int status = -1;
	pid_t pid;

	if (!command)
		return access("/bin/sh", X_OK) == 0;
	pid = fork();
	if (pid == 0)
		system_child(command);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

pid_t getpid(void)
{
	return sys(getpid);
}

pid_t getppid(void)
{
	return sys(getppid);
}

pid_t gettid(void)
{
	return sys(gettid);
}

pid_t getpgid(pid_t pid)
{
	return call(getpgid, pid);
}

pid_t getpgrp(void)
{
	return getpgid(0);
}

int setpgid(pid_t pid, pid_t pgrp)
{
	return call(setpgid, pid, pgrp);
}

pid_t getsid(pid_t pid)
{
	return call(getsid, pid);
}

pid_t setsid(void)
{
	return call(setsid);
}

uid_t getuid(void)
{
	return sys(getuid);
}

uid_t geteuid(void)
{
	return sys(geteuid);
}

gid_t getgid(void)
{
	return sys(getgid);
}

gid_t getegid(void)
{
	return sys(getegid);
}

int setuid(uid_t uid)
{
	return call(setuid, uid);
}

int setgid(gid_t gid)
{
	return call(setgid, gid);
}

int getrlimit(int resource, struct rlimit *limit)
{
	return call(prlimit64, 0, resource, NULL, limit);
}

int setrlimit(int resource, const struct rlimit *limit)
{
	return call(prlimit64, 0, resource, limit, NULL);
}

int getrusage(int who, struct rusage *usage)
{
	return call(getrusage, who, usage);
}

/* The kernel answers 20 - nice, so that an answer is never negative. */
int getpriority(int which, int who)
{
	long result = call(getpriority, which, who);

	return result < 0 ? -1 : 20 - (int)result;
}

int setpriority(int which, int who, int priority)
{
	return call(setpriority, which, who, priority);
}

int nice(int increment)
{
	int priority = getpriority(PRIO_PROCESS, 0) + increment;

	return setpriority(PRIO_PROCESS, 0, priority) < 0 ? -1 : priority;
}

int sched_yield(void)
{
	return call(sched_yield);
}

int sched_getaffinity(pid_t pid, size_t size, unsigned long *mask)
{
	long n;

	memset(mask, 0, size);
	n = call(sched_getaffinity, pid, size, mask);
	return n < 0 ? -1 : 0;
}

int sched_setaffinity(pid_t pid, size_t size, const unsigned long *mask)
{
	return call(sched_setaffinity, pid, size, mask);
}

int prctl(int option, ...)
{
	va_list ap;
	long a[4];

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return call(prctl, option, a[0], a[1], a[2], a[3]);
}

int uname(struct utsname *u)
{
	return call(uname, u);
}

int gethostname(char *name, size_t len)
{
	struct utsname u;

	if (uname(&u) < 0)
		return -1;
	if (strlen(u.nodename) >= len) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(name, u.nodename);
	return 0;
}

int sethostname(const char *name, size_t len)
{
	return call(sethostname, name, len);
}

int sysinfo(struct sysinfo *info)
{
	return call(sysinfo, info);
}

int klogctl(int type, char *buf, int len)
{
	return call(syslog, type, buf, len);
}

int reboot(unsigned int cmd)
{
	return call(reboot, 0xfee1dead, 672274793, cmd, 0);
}

int getpagesize(void)
{
	return (int)getauxval(AT_PAGESZ);
}

static long count_cpus(void)
{
	unsigned long mask[16];
	long count = 0;

	if (sched_getaffinity(0, sizeof(mask), mask) < 0)
		return 1;
	for (size_t i = 0; i < sizeof(mask) / sizeof(*mask); i++)
		count += __builtin_popcountl(mask[i]);
	return count;
}

static long count_pages(int available)
{
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return -1;
	return (available ? info.freeram : info.totalram) * info.mem_unit / getpagesize();
}

static long open_max(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? -1 : (long)limit.rlim_cur;
}

long sysconf(int name)
{
	switch (name) {
	case _SC_CLK_TCK:
		return 100;
	case _SC_OPEN_MAX:
		return open_max();
	case _SC_PAGESIZE:
		return getpagesize();
	case _SC_NPROCESSORS_CONF:
	case _SC_NPROCESSORS_ONLN:
		return count_cpus();
	case _SC_PHYS_PAGES:
		return count_pages(0);
	case _SC_AVPHYS_PAGES:
		return count_pages(1);
	default:
		errno = EINVAL;
		return -1;
	}
}
