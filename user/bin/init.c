// SPDX-License-Identifier: BSD-2-Clause
/*
 * init.c - process 1.
 *
 * Mounts what a program expects, takes the swap areas of /etc/fstab into use, then runs a shell on the console again and again. With
 * autorun="COMMANDS" on the kernel's command line it runs those instead and powers off.
 * SIGUSR2 powers off, SIGTERM reboots, SIGUSR1 halts: poweroff, reboot and halt send them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/bin/common/util.h"

static volatile sig_atomic_t stop_signal;

static void note_stop(int sig)
{
	stop_signal = sig;
}

/* Already mounted, or not known to this kernel: both are fine. */
static void mount_one(const char *type, const char *path, const void *data)
{
	mkdir(path, 0755);
	if (mount(type, path, type, 0, data) < 0 && errno != EBUSY && errno != ENODEV)
		warn_errno("mount %s", path);
}

/*
 * The device behind /dev/console where /proc/consoles names it: on Linux a read from
 * /dev/console itself knows no job control.
 */
static int open_terminal(void)
{
	struct buf names = {0};
	int fd = -1;

	if (read_file("/proc/consoles", &names) && names.len) {
		char *path = xasprintf("/dev/%.*s", (int)strcspn(names.data, " \n"), names.data);

		fd = open(path, O_RDWR | O_NOCTTY);
		free(path);
	}
	buf_free(&names);
	return fd >= 0 ? fd : open("/dev/console", O_RDWR | O_NOCTTY);
}

/* The console as 0, 1 and 2, and as the controlling terminal of a session of our own. */
static void open_console(void)
{
	int fd = open_terminal();

	if (fd < 0)
		return;
	setsid();
	ioctl(fd, TIOCSCTTY, 1);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* What stands between double quotes, up to the closing one; \" and \\ stand for themselves without the backslash. */
static char *quoted(const char *s)
{
	char *out = xstrndup(s, strlen(s)), *o = out;

	for (; *s && *s != '"' && *s != '\n'; s++) {
		if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		*o++ = *s;
	}
	*o = 0;
	return out;
}

/* The value of autorun= on the command line, allocated; NULL when it is not there. */
static char *autorun_command(void)
{
	static const char key[] = "autorun=";
	struct buf line = {0};
	char *p, *start;

	if (!read_file("/proc/cmdline", &line))
		return NULL;
	for (p = line.data; (p = strstr(p, key)); p++) {
		if (p == line.data || strchr(" \t\n", p[-1]))
			break;
	}
	if (!p) {
		/* the boot loader may have quoted all of it: "autorun=..." */
		p = strstr(line.data, "\"autorun=");
		if (!p)
			return NULL;
		return quoted(p + sizeof(key));
	}
	start = p + sizeof(key) - 1;
	if (*start == '"')
		return quoted(start + 1);
	return xstrndup(start, strcspn(start, " \t\n"));
}

static int start(char *const argv[], bool login)
{
	int pid = fork();
	sigset_t none;

	if (pid != 0)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	if (login)
		open_console();
	execv("/bin/sh", argv);
	warn_errno("/bin/sh");
	_exit(127);
}

/* Reaps whoever dies until `pid` does, or a signal asks to stop; its status, or -1. */
static int wait_for(int pid)
{
	while (!stop_signal) {
		int status, dead = wait(&status);

		if (dead == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (dead < 0 && errno == ECHILD)
			return -1;
	}
	return -1;
}

static void kill_all(int sig, unsigned int tenths)
{
	if (kill(-1, sig) < 0)
		return;
	for (unsigned int i = 0; i < tenths; i++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			return;
		usleep(100000);
	}
}

/* The mounts but the root, last one first. */
static void unmount_all(void)
{
	struct buf mounts = {0};
	struct list paths = {0};

	read_file("/proc/mounts", &mounts);
	for (char *line = strtok(mounts.data ? mounts.data : (char[]){0}, "\n"); line;
	     line = strtok(NULL, "\n")) {
		char *path = strchr(line, ' ');

		if (path)
			list_add(&paths, xstrndup(path + 1, strcspn(path + 1, " ")));
	}
	for (size_t i = paths.len; i-- > 0;) {
		if (strcmp(paths.items[i], "/") != 0)
			umount(paths.items[i]);
	}
	mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

/* Swap files are given up, so that their file systems can be unmounted. */
static void swap_files_off(void)
{
	struct buf b = {0};
	char *rest = NULL;

	read_file("/proc/swaps", &b);
	for (char *line = strtok_r(b.data ? b.data : (char[]){0}, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		size_t n = strcspn(line, " \t");
		size_t type = n + strspn(line + n, " \t");

		if (strncmp(line + type, "file", 4) != 0 || line[0] != '/')
			continue;
		line[n] = '\0';
		if (swapoff(line) < 0)
			warn_errno("swapoff %s", line);
	}
	buf_free(&b);
}

static void __attribute__((noreturn)) shut_down(unsigned int how)
{
	signal(SIGCHLD, SIG_DFL);
	kill_all(SIGTERM, 10);
	kill_all(SIGKILL, 10);
	swap_files_off();
	sync();
	unmount_all();
	sync();
	reboot(how);
	warn_errno("reboot");
	for (;;)
		pause();
}

static void check_stop(void)
{
	if (stop_signal == SIGUSR2)
		shut_down(RB_POWER_OFF);
	if (stop_signal == SIGTERM)
		shut_down(RB_AUTOBOOT);
	if (stop_signal == SIGUSR1)
		shut_down(RB_HALT_SYSTEM);
}

static void set_hostname(void)
{
	struct buf name = {0};

	if (read_file("/etc/hostname", &name) && name.len)
		sethostname(name.data, strcspn(name.data, "\n"));
	buf_free(&name);
}

static void set_up(void)
{
	static const int stops[] = {SIGUSR2, SIGTERM, SIGUSR1};
	struct sigaction act = {.sa_handler = note_stop};

	for (size_t i = 0; i < COUNT(stops); i++)
		sigaction(stops[i], &act, NULL);
	mount_one("proc", "/proc", NULL);
	mount_one("devtmpfs", "/dev", NULL);
	mount_one("tmpfs", "/tmp", "mode=1777");
	if (fcntl(0, F_GETFD) < 0) {
		for (int i = 0; i < 3; i++)
			open("/dev/console", O_RDWR | O_NOCTTY);
	}
	set_hostname();
	setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "vt100", 0);
	unsetenv("autorun"); /* Linux hands unknown parameters on */
}

/* A line of /etc/fstab has the type swap. */
static bool wants_swap(void)
{
	struct buf b = {0};
	char *rest = NULL;
	bool found = false;

	read_file("/etc/fstab", &b);
	for (char *line = strtok_r(b.data ? b.data : (char[]){0}, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		char type[8];

		found |= line[0] != '#' && sscanf(line, "%*s %*s %7s", type) == 1 &&
			 !strcmp(type, "swap");
	}
	buf_free(&b);
	return found;
}

static void swap_on(void)
{
	char *argv[] = {"sh", "-c", "swapon -a", NULL};
	int pid = wants_swap() ? start(argv, false) : -1;

	if (pid > 0)
		wait_for(pid);
}

static void __attribute__((noreturn)) run_commands(char *command)
{
	char *argv[] = {"sh", "-c", command, NULL};
	int pid = start(argv, true), status;

	status = pid < 0 ? 127 : wait_for(pid);
	check_stop();
	printf("autorun: exit status %d\n", status);
	fflush(stdout);
	shut_down(RB_POWER_OFF);
}

int main(void)
{
	char *argv[] = {"-sh", NULL};
	char *command;

	prog = "init";
	set_up();
	if (getpid() != 1)
		die("must be process 1");
	/* without process 1 the system ends: it must not need a page of a disk that is gone */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0 && errno != ENOSYS)
		warn_errno("mlockall");
	swap_on();
	command = autorun_command();
	if (command)
		run_commands(command);
	chdir("/");
	for (;;) {
		int pid = start(argv, true);

		if (pid < 0 || wait_for(pid) == 127)
			sleep(1);
		check_stop();
	}
}
