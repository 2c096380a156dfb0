// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the system is called and how it is: uname, host and domain name, sysinfo, the message log, random bytes; and the
 * socket calls, which say that there is no network.
 *
 * Lock: names_lock (LEAF_FS) guards nodename and domainname.
 */

#include "drivers/core/device.h"
#include "fs/tty/tty.h"
#include "kernel/boot/init.h"
#include "kernel/lib/fdt.h"
#include "kernel/lib/random.h"
#include "kernel/syscall/args.h"
#include "kernel/vm/swap.h"

#define UTS_LEN 64

static struct spinlock names_lock = SPINLOCK_INIT(LOCK_LEAF_FS, "utsname");
static char nodename[UTS_LEN + 1] = "gnomon";	/* names_lock */
static char domainname[UTS_LEN + 1] = "(none)"; /* names_lock */

struct utsname_k {
	char sysname[UTS_LEN + 1], nodename[UTS_LEN + 1], release[UTS_LEN + 1];
	char version[UTS_LEN + 1], machine[UTS_LEN + 1], domainname[UTS_LEN + 1];
};
BUILD_ASSERT(sizeof(struct utsname_k) == 390);

SYSCALL1(uname, ubuf)
{
	struct utsname_k u = {
		.sysname =
			"Linux", /* the ABI's name: programs ask for it to know what they may call */
		.release = "6.12.0-gnomon",
		.version = "#1 SMP PREEMPT Gnomon",
		.machine = "riscv64",
	};

	spin_lock(&names_lock);
	memcpy(u.nodename, nodename, sizeof(nodename));
	memcpy(u.domainname, domainname, sizeof(domainname));
	spin_unlock(&names_lock);
	return copy_to_user((void __user *)ubuf, &u, sizeof(u));
}

static long set_name(char name[UTS_LEN + 1], u64 uname, s32 len)
{
	char new[UTS_LEN + 1] = {0};

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > UTS_LEN)
		return -EINVAL;
	if (copy_from_user(new, (const void __user *)uname, (size_t)len))
		return -EFAULT;
	spin_lock(&names_lock);
	memcpy(name, new, sizeof(new));
	spin_unlock(&names_lock);
	return 0;
}

SYSCALL2(sethostname, uname, len)
{
	return set_name(nodename, uname, (s32)len);
}

SYSCALL2(setdomainname, uname, len)
{
	return set_name(domainname, uname, (s32)len);
}

static int show_name(struct seq *s, void *arg)
{
	char name[UTS_LEN + 1];

	spin_lock(&names_lock);
	memcpy(name, arg, sizeof(name));
	spin_unlock(&names_lock);
	seq_printf(s, "%s\n", name);
	return 0;
}

static void names_init(void)
{
	(void)procfs_file("sys/kernel/hostname", 0444, show_name, NULL, nodename);
	(void)procfs_file("sys/kernel/domainname", 0444, show_name, NULL, domainname);
}
INITCALL(LATE, names_init);

/* ---- sysinfo ---- */

struct sysinfo_k {
	s64 uptime;
	u64 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad;
	u64 totalhigh, freehigh;
	u32 mem_unit;
};
BUILD_ASSERT(sizeof(struct sysinfo_k) == 112);

#define LOAD_SHIFT 5 /* from the scheduler's 11 bits of fraction to sysinfo's 16 */

SYSCALL1(sysinfo, ubuf)
{
	struct vm_totals v;
	struct sysinfo_k s = {
		.uptime = (s64)DIV_ROUND_UP(time_now(), NSEC_PER_SEC),
		.totalram = frames_total() * PAGE_SIZE,
		.freeram = frames_free_count() * PAGE_SIZE,
		.procs = (u16)MIN(proc_count(), 65535UL),
		.mem_unit = 1,
	};

	vm_totals(&v);
	swap_totals(&s.totalswap, &s.freeswap);
	s.totalswap *= PAGE_SIZE;
	s.freeswap *= PAGE_SIZE;
	s.sharedram = v.shmem * PAGE_SIZE;
	for (unsigned i = 0; i < 3; i++)
		s.loads[i] = sched_loadavg(i) << LOAD_SHIFT;
	return copy_to_user((void __user *)ubuf, &s, sizeof(s));
}

/* ---- the message log ---- */

enum {
	LOG_CLOSE,
	LOG_OPEN,
	LOG_READ,
	LOG_READ_ALL,
	LOG_READ_CLEAR,
	LOG_CLEAR,
	LOG_CONSOLE_OFF,
	LOG_CONSOLE_ON,
	LOG_CONSOLE_LEVEL,
	LOG_SIZE_UNREAD,
	LOG_SIZE_BUFFER,
};
#define LOG_CHUNK 1024u

static u64 log_cleared; /* atomic: where LOG_READ_ALL starts */

/* Copies the last `size` bytes from `from` on to the user, starting with a whole line. */
static long log_copy(u64 from, u64 ubuf, u64 size)
{
	u64 end = print_ring_end(), pos = from, done = 0;
	bool cut = end - from > size;
	char *buf = kmalloc(LOG_CHUNK, 0);

	if (!buf)
		return -ENOMEM;
	if (cut)
		pos = end - size;
	while (pos < end && done < size) {
		size_t n = print_ring_read(&pos, buf, MIN((u64)LOG_CHUNK, size - done));
		char *p = buf, *nl = cut ? memchr(buf, '\n', n) : NULL;

		if (!n)
			break;
		if (nl) {
			n -= (size_t)(nl + 1 - buf);
			p = nl + 1;
			cut = false;
		}
		if (copy_to_user((void __user *)(ubuf + done), p, n)) {
			kfree(buf);
			return -EFAULT;
		}
		done += n;
	}
	kfree(buf);
	return (long)done;
}

/* How many bytes the ring still holds from `from` on: reading skips what was overwritten. */
static u64 log_held(u64 from)
{
	u64 end = print_ring_end(), pos = from;
	char c;
	size_t n = print_ring_read(&pos, &c, 1);

	return n ? end - (pos - 1) : 0;
}

static long log_read(u64 ubuf, s32 len, bool clear)
{
	u64 from = __atomic_load_n(&log_cleared, __ATOMIC_RELAXED), end = print_ring_end();
	u64 held = log_held(from);
	long n;

	if (!ubuf || len < 0)
		return -EINVAL;
	if (!user_range_ok(ubuf, (u64)len))
		return -EFAULT;
	n = len && held ? log_copy(MAX(from, end - MIN(held, end)), ubuf, (u64)len) : 0;
	if (n >= 0 && clear)
		__atomic_store_n(&log_cleared, end, __ATOMIC_RELAXED);
	return n;
}

SYSCALL3(syslog, type, ubuf, len)
{
	if ((s32)type != LOG_READ_ALL && (s32)type != LOG_SIZE_BUFFER && !capable(CAP_SYSLOG))
		return -EPERM;
	switch ((s32)type) {
	case LOG_CLOSE:
	case LOG_OPEN:
		return 0;
	case LOG_READ_ALL:
	case LOG_READ_CLEAR:
		return log_read(ubuf, (s32)len, (s32)type == LOG_READ_CLEAR);
	case LOG_CLEAR:
		__atomic_store_n(&log_cleared, print_ring_end(), __ATOMIC_RELAXED);
		return 0;
	case LOG_CONSOLE_OFF:
	case LOG_CONSOLE_ON:
		print_set_quiet((s32)type == LOG_CONSOLE_OFF);
		return 0;
	case LOG_CONSOLE_LEVEL:
		if ((s32)len < 1 || (s32)len > 8)
			return -EINVAL;
		print_set_quiet(len <= 4); /* there are two levels: all, or only what is urgent */
		return 0;
	case LOG_SIZE_UNREAD:
	case LOG_SIZE_BUFFER:
		return (long)log_held(0);
	case LOG_READ: /* waits for messages: nothing wakes readers */
	default:
		return (s32)type == LOG_READ ? -ENOSYS : -EINVAL;
	}
}

/* ---- random bytes ---- */

#define GRND_NONBLOCK 1u
#define GRND_RANDOM   2u
#define GRND_INSECURE 4u

SYSCALL3(getrandom, ubuf, len, flags)
{
	u64 done = 0, n = MIN(len, (u64)INT32_MAX);
	u8 buf[256];

	if ((u32)flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    ((flags & GRND_RANDOM) && (flags & GRND_INSECURE)))
		return -EINVAL;
	while (done < n) {
		size_t part = MIN(n - done, sizeof(buf)), bad;

		random_bytes(buf, part);
		bad = user_range_ok(ubuf + done, part)
			      ? copy_to_user_partial((void __user *)(ubuf + done), buf, part)
			      : part;
		done += part - bad;
		if (bad)
			return done ? (long)done : -EFAULT;
		if (signal_deliverable(current_task()))
			break;
	}
	return (long)done;
}

/* What the firmware and the moment of the start know. */
static void entropy_init(void)
{
	fdt_node chosen = fdt_path(&boot_fdt, "/chosen");
	u64 now[2] = {time_cycles(), time_realtime()};
	const void *seed;
	size_t n;

	random_add_entropy(now, sizeof(now));
	seed = chosen >= 0 ? fdt_prop(&boot_fdt, chosen, "rng-seed", &n) : NULL;
	if (seed)
		random_add_entropy(seed, n);
}
INITCALL(CORE, entropy_init);

/* ---- the terminal ---- */

SYSCALL0(vhangup)
{
	if (!capable(CAP_SYS_TTY_CONFIG))
		return -EPERM;
	tty_vhangup();
	return 0;
}

/* ---- sockets: there are none ---- */

SYSCALL0(socket)
{
	return -EAFNOSUPPORT;
}

SYSCALL0(socketpair)
{
	return -EAFNOSUPPORT;
}

static long not_a_socket(u64 fd)
{
	struct file *f = file_get(fd);

	if (!f)
		return -EBADF;
	file_drop(f);
	return -ENOTSOCK;
}

#define SOCKET_CALL(name)                \
	SYSCALL1(name, fd)               \
	{                                \
		return not_a_socket(fd); \
	}
SOCKET_CALL(bind)
SOCKET_CALL(listen)
SOCKET_CALL(accept)
SOCKET_CALL(accept4)
SOCKET_CALL(connect)
SOCKET_CALL(getsockname)
SOCKET_CALL(getpeername)
SOCKET_CALL(sendto)
SOCKET_CALL(recvfrom)
SOCKET_CALL(setsockopt)
SOCKET_CALL(getsockopt)
SOCKET_CALL(shutdown)
SOCKET_CALL(sendmsg)
SOCKET_CALL(recvmsg)
SOCKET_CALL(sendmmsg)
SOCKET_CALL(recvmmsg)
