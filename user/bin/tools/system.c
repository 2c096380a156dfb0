// SPDX-License-Identifier: BSD-2-Clause
/* system.c - mount, umount, df, sync, poweroff, reboot, halt, dmesg, uname, hostname, date, uptime. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "user/bin/tools/tools.h"

struct mount_line {
	char *device, *path, *type, *options;
};

/* fn for each line of /proc/mounts. */
static int each_mount(int (*fn)(const struct mount_line *m))
{
	struct buf b = {0};
	int status = 0;

	if (!read_file("/proc/mounts", &b)) {
		warn_errno("/proc/mounts");
		return 1;
	}
	for (char *line = b.data, *end; line && *line; line = end) {
		struct mount_line m;

		end = strchrnul(line, '\n');
		if (*end)
			*end++ = 0;
		m.device = strsep(&line, " ");
		m.path = strsep(&line, " ");
		m.type = strsep(&line, " ");
		m.options = strsep(&line, " ");
		if (m.options)
			status |= fn(&m);
	}
	buf_free(&b);
	return status;
}

static int print_mount(const struct mount_line *m)
{
	printf("%s on %s type %s (%s)\n", m->device, m->path, m->type, m->options);
	return 0;
}

/* "ro,noatime,mode=755": flags, and the rest for the file system. */
static unsigned long mount_options(char *options, struct buf *data)
{
	static const struct {
		const char *name;
		unsigned long set, clear;
	} known[] = {
		{"ro", MS_RDONLY, 0},	    {"rw", 0, MS_RDONLY},     {"nosuid", MS_NOSUID, 0},
		{"nodev", MS_NODEV, 0},	    {"noexec", MS_NOEXEC, 0}, {"noatime", MS_NOATIME, 0},
		{"remount", MS_REMOUNT, 0}, {"bind", MS_BIND, 0},     {"sync", MS_SYNCHRONOUS, 0},
		{"defaults", 0, 0},
	};
	unsigned long flags = 0;

	for (char *o; (o = strsep(&options, ","));) {
		size_t i;

		for (i = 0; i < COUNT(known) && strcmp(o, known[i].name) != 0; i++)
			;
		if (i < COUNT(known))
			flags = (flags | known[i].set) & ~known[i].clear;
		else if (*o)
			buf_fmt(data, "%s%s", data->len ? "," : "", o);
	}
	return flags;
}

/* The block file systems there are, tried in turn, when no type is given. */
static int mount_any(const char *device, const char *path, unsigned long flags, const char *data)
{
	static const char *const types[] = {"ext2", "ext4", "vfat"};

	for (size_t i = 0; i < COUNT(types); i++) {
		if (mount(device, path, types[i], flags, data) == 0)
			return 0;
		if (errno != EINVAL && errno != ENODEV)
			return -1;
	}
	return -1;
}

int mount_main(int argc, char **argv)
{
	const char *type = NULL, *device, *path;
	struct buf data = {0};
	unsigned long flags = 0;
	int c, failed;

	if (argc == 1)
		return each_mount(print_mount);
	while ((c = getopt(argc, argv, "t:o:r")) != -1) {
		if (c == '?')
			return usage_error("[-r] [-t TYPE] [-o OPTIONS] DEVICE DIRECTORY");
		if (c == 't')
			type = optarg;
		else
			flags |= c == 'r' ? MS_RDONLY : mount_options(optarg, &data);
	}
	if (argc - optind != 2 && !(flags & MS_REMOUNT && argc - optind == 1))
		return usage_error("[-r] [-t TYPE] [-o OPTIONS] DEVICE DIRECTORY");
	device = argv[optind];
	path = argv[argc - 1];
	failed = type || flags & (MS_REMOUNT | MS_BIND)
			 ? mount(device, path, type, flags, data.data)
			 : mount_any(device, path, flags, data.data);
	if (failed < 0)
		warn_errno("%s on %s", device, path);
	return failed < 0;
}

int umount_main(int argc, char **argv)
{
	int c, flags = 0, status = 0;

	while ((c = getopt(argc, argv, "fl")) != -1)
		flags |= c == 'f' ? MNT_FORCE : c == 'l' ? MNT_DETACH : 0;
	if (optind == argc)
		return usage_error("[-fl] DIRECTORY...");
	for (int i = optind; i < argc; i++) {
		if (umount2(argv[i], flags) < 0) {
			warn_errno("%s", argv[i]);
			status = 1;
		}
	}
	return status;
}

static void print_df(const char *device, const char *path)
{
	unsigned long unit, used, percent;
	struct statfs st;

	if (statfs(path, &st) < 0) {
		warn_errno("%s", path);
		return;
	}
	unit = (unsigned long)(st.f_frsize ? st.f_frsize : st.f_bsize);
	used = st.f_blocks - st.f_bfree;
	percent = used + st.f_bavail ? (used * 100 + used + st.f_bavail - 1) / (used + st.f_bavail)
				     : 0;
	printf("%-16s %10lu %10lu %10lu %4lu%% %s\n", device, st.f_blocks * unit / 1024,
	       used * unit / 1024, st.f_bavail * unit / 1024, percent, path);
}

static int df_mount(const struct mount_line *m)
{
	struct statfs st;

	if (statfs(m->path, &st) == 0 && st.f_blocks)
		print_df(m->device, m->path);
	return 0;
}

int df_main(int argc, char **argv)
{
	printf("%-16s %10s %10s %10s %5s %s\n", "Filesystem", "1K-blocks", "Used", "Available",
	       "Use%", "Mounted on");
	if (argc == 1)
		return each_mount(df_mount);
	for (int i = 1; i < argc; i++)
		print_df("-", argv[i]);
	return 0;
}

int sync_main(int argc, char **argv)
{
	int status = 0;

	if (argc == 1)
		sync();
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY);

		if (fd < 0 || fsync(fd) < 0) {
			warn_errno("%s", argv[i]);
			status = 1;
		}
		if (fd >= 0)
			close(fd);
	}
	return status;
}

static bool init_is_ours(void)
{
	struct buf name = {0};
	bool ours = read_file("/proc/1/comm", &name) && strcmp(name.data, "init\n") == 0;

	buf_free(&name);
	return ours;
}

/* By way of init, so that programs end and file systems are unmounted; -f does it at once. */
static int shut_down(int argc, char **argv, int sig, unsigned int how)
{
	bool force = argc > 1 && strcmp(argv[1], "-f") == 0;

	sync();
	if (!force && init_is_ours() && kill(1, sig) == 0)
		return 0;
	mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	reboot(how);
	warn_errno("reboot");
	return 1;
}

int poweroff_main(int argc, char **argv)
{
	return shut_down(argc, argv, SIGUSR2, RB_POWER_OFF);
}

int reboot_main(int argc, char **argv)
{
	return shut_down(argc, argv, SIGTERM, RB_AUTOBOOT);
}

int halt_main(int argc, char **argv)
{
	return shut_down(argc, argv, SIGUSR1, RB_HALT_SYSTEM);
}

static int dmesg_kmsg(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	char record[8192];
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, record, sizeof(record) - 1)) > 0) {
		char *text;

		record[n] = 0;
		text = strchr(record, ';');
		fputs(text ? text + 1 : record, stdout);
	}
	close(fd);
	return 0;
}

/* The kernel's ring as syslog(2) gives it, without the <level> of each line. */
int dmesg_main(int argc, char **argv)
{
	enum { READ_ALL = 3, SIZE = 10 };
	int size = klogctl(SIZE, NULL, 0), n;
	char *text;

	(void)argc;
	(void)argv;
	size = size > 0 ? size : 1 << 18;
	text = xmalloc((size_t)size + 1);
	n = klogctl(READ_ALL, text, size);
	if (n < 0) {
		free(text);
		if (dmesg_kmsg() == 0)
			return 0;
		warn_errno("kernel log");
		return 1;
	}
	text[n] = 0;
	for (char *line = text, *end; *line; line = end) {
		end = strchrnul(line, '\n');
		if (*line == '<' && strchr(line, '>'))
			line = strchr(line, '>') + 1;
		printf("%.*s\n", (int)(end - line), line);
		end += *end != 0;
	}
	free(text);
	return 0;
}

int uname_main(int argc, char **argv)
{
	static const char letters[] = "snrvm";
	const char *what = argc > 1 && argv[1][0] == '-' ? argv[1] + 1 : "s";
	const char *values[5];
	bool first = true;
	struct utsname u;

	if (uname(&u) < 0)
		die_errno("uname");
	values[0] = u.sysname;
	values[1] = u.nodename;
	values[2] = u.release;
	values[3] = u.version;
	values[4] = u.machine;
	if (*what == 'a')
		what = letters;
	if (strspn(what, letters) != strlen(what))
		return usage_error("[-asnrvm]");
	for (int i = 0; i < 5; i++) {
		if (!strchr(what, letters[i]))
			continue;
		printf("%s%s", first ? "" : " ", values[i]);
		first = false;
	}
	putchar('\n');
	return 0;
}

int hostname_main(int argc, char **argv)
{
	char name[65];

	if (argc > 1 && sethostname(argv[1], strlen(argv[1])) < 0)
		die_errno("%s", argv[1]);
	if (argc == 1) {
		if (gethostname(name, sizeof(name)) < 0)
			die_errno("hostname");
		puts(name);
	}
	return 0;
}

static int set_date(const char *arg)
{
	struct timespec ts = {0};
	long seconds;

	if (*arg != '@' || !parse_int(arg + 1, &seconds))
		return usage_error("[-s @SECONDS] [+FORMAT]");
	ts.tv_sec = seconds;
	if (clock_settime(CLOCK_REALTIME, &ts) == 0)
		return 0;
	warn_errno("date");
	return 1;
}

int date_main(int argc, char **argv)
{
	const char *format = "%a %b %e %H:%M:%S UTC %Y";
	struct timespec now;
	char text[512];

	if (argc == 3 && strcmp(argv[1], "-s") == 0)
		return set_date(argv[2]);
	if (argc > 1 && argv[argc - 1][0] == '+')
		format = argv[argc - 1] + 1;
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		die_errno("date");
	/* picolibc's strftime may not know these two */
	if (strcmp(format, "%s") == 0)
		printf("%ld\n", (long)now.tv_sec);
	else if (strcmp(format, "%s%N") == 0)
		printf("%ld%09ld\n", (long)now.tv_sec, now.tv_nsec);
	else if (strftime(text, sizeof(text), format, gmtime(&now.tv_sec)) || !*format)
		puts(text);
	return 0;
}

int uptime_main(int argc, char **argv)
{
	struct buf b = {0};
	struct timespec now;
	long seconds;

	(void)argc;
	(void)argv;
	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		die_errno("uptime");
	seconds = read_file("/proc/uptime", &b) ? atol(b.data) : (long)now.tv_sec;
	printf("up %ld days, %02ld:%02ld:%02ld", seconds / 86400, seconds / 3600 % 24,
	       seconds / 60 % 60, seconds % 60);
	buf_free(&b);
	if (read_file("/proc/loadavg", &b))
		printf(", load %.*s", (int)strcspn(b.data, "\n"), b.data);
	putchar('\n');
	return 0;
}
