// SPDX-License-Identifier: BSD-2-Clause
/*
 * What procfs tells about the machine and the memory, in Linux's formats (Documentation/filesystems/proc.rst).
 */
#include "drivers/block/block.h"
#include "drivers/core/device.h"
#include "drivers/core/sensor.h"
#include "drivers/serial/serial.h"
#include "fs/devfs/devfs.h"
#include "fs/procfs/procfs.h"
#include "kernel/boot/init.h"
#include "kernel/boot/params.h"
#include "kernel/mem/stat.h"
#include "kernel/proc/proc.h"
#include "kernel/riscv/isa.h"
#include "kernel/riscv/mmu.h"
#include "kernel/sched/time.h"
#include "kernel/vm/swap.h"

#define PAGES_KIB (PAGE_SIZE / KiB)

static int show_meminfo(struct seq *s, void *arg __unused)
{
	u64 total = frames_total(), free = frames_free_count(), slab = slab_frames();
	u64 swap_all, swap_free;
	struct vm_totals t;

	vm_totals(&t);
	swap_totals(&swap_all, &swap_free);
	seq_printf(s, "MemTotal:       %8lu kB\n", total * PAGES_KIB);
	seq_printf(s, "MemFree:        %8lu kB\n", free * PAGES_KIB);
	seq_printf(s, "MemAvailable:   %8lu kB\n",
		   (free + (t.file > t.dirty ? t.file - t.dirty : 0)) * PAGES_KIB);
	seq_printf(s, "Buffers:        %8lu kB\n", 0UL);
	seq_printf(s, "Cached:         %8lu kB\n", t.file * PAGES_KIB);
	seq_printf(s, "SwapCached:     %8lu kB\n", swap_resident() * PAGES_KIB);
	seq_printf(s, "SwapTotal:      %8lu kB\n", swap_all * PAGES_KIB);
	seq_printf(s, "SwapFree:       %8lu kB\n", swap_free * PAGES_KIB);
	seq_printf(s, "Dirty:          %8lu kB\n", t.dirty * PAGES_KIB);
	seq_printf(s, "Writeback:      %8lu kB\n", t.writeback * PAGES_KIB);
	seq_printf(s, "AnonPages:      %8lu kB\n", t.anon * PAGES_KIB);
	seq_printf(s, "Slab:           %8lu kB\n", slab * PAGES_KIB);
	seq_printf(s, "PageTables:     %8lu kB\n", t.tables * PAGES_KIB);
	seq_printf(s, "CommitLimit:    %8lu kB\n", vm_commit_limit() * PAGES_KIB);
	seq_printf(s, "Committed_AS:   %8lu kB\n", vm_gauge_sum(VMG_committed) * PAGES_KIB);
	seq_printf(s, "KernelFrames:   %8lu kB\n", frames_kernel_count() * PAGES_KIB);
	return 0;
}

/* A name with what separates words in octal; how long that is. */
static int show_name(struct seq *s, const char *name)
{
	int n = 0;

	for (; *name; name++) {
		bool blank = strchr(" \t\n\\", *name);

		seq_printf(s, blank ? "\\%03o" : "%c", *name);
		n += blank ? 4 : 1;
	}
	return n;
}

static int show_swaps(struct seq *s, void *arg __unused)
{
	char *name = kmalloc(PAGE_SIZE, 0); /* a path is at most that long */
	struct swap_info i;

	if (!name)
		return -ENOMEM;
	seq_printf(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	for (unsigned k = 0; swap_info(k, &i, name, PAGE_SIZE); k++) {
		int pad = 40 - show_name(s, name) - 1;

		seq_printf(s, "%*s%s\t%lu\t%s%lu\t%s%d\n", pad > 1 ? pad : 1, " ",
			   i.file ? "file\t" : "partition", i.pages * PAGES_KIB,
			   i.pages * PAGES_KIB < 10000000 ? "\t" : "", i.used * PAGES_KIB,
			   i.used * PAGES_KIB < 10000000 ? "\t" : "", i.prio);
	}
	kfree(name);
	return 0;
}

static int show_vmstat(struct seq *s, void *arg __unused)
{
	struct vm_totals t;

	vm_totals(&t);
	seq_printf(s, "nr_free_pages %lu\n", frames_free_count());
	seq_printf(s, "nr_anon_pages %lu\n", t.anon);
	seq_printf(s, "nr_file_pages %lu\n", t.file);
	seq_printf(s, "nr_dirty %lu\n", t.dirty);
	seq_printf(s, "nr_writeback %lu\n", t.writeback);
	seq_printf(s, "nr_swapped %lu\n", vm_gauge_sum(VMG_swapped));
	seq_printf(s, "nr_page_table_pages %lu\n", t.tables);
	seq_printf(s, "nr_slab_unreclaimable %lu\n", slab_frames());
#define E(n) seq_printf(s, #n " %lu\n", vm_event_sum(VMEV_##n));
	VM_EVENTS(E)
#undef E
	seq_printf(s, "shadow_depth_max %lu\n", vm_shadow_depth_max());
	return 0;
}

/* For tests/clocksim. */
static int show_trace(struct seq *s, void *arg __unused)
{
	struct clock_ref r;
	u64 memory, met, again;

	clock_trace_counts(&memory, &met, &again);
	seq_printf(s, "# memory %lu\n# misses %lu %lu\n", memory, met, met - again);
	for (u64 k = 0; clock_trace_get(k, &r); k++)
		seq_printf(s, "%lx %lx%s\n", r.object, r.index, r.used ? " u" : "");
	return 0;
}

static ssize_t reset_trace(const char *text __unused, size_t n, void *arg __unused)
{
	clock_trace_reset();
	return (ssize_t)n;
}

static int show_slabinfo(struct seq *s, void *arg __unused)
{
	const char *name;
	u64 used, total;
	size_t size;

	seq_printf(
		s,
		"slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize>\n");
	for (unsigned k = 0; slab_info(k, &name, &size, &used, &total); k++)
		seq_printf(s, "%-20s %6lu %6lu %6lu\n", name, used, total, size);
	return 0;
}

static int show_cpuinfo(struct seq *s, void *arg __unused)
{
	char isa[256];

	for (u32 i = 0; i < nharts; i++) {
		if (!harts[i] || !harts[i]->online)
			continue;
		isa_string(harts[i]->id, isa, sizeof(isa));
		seq_printf(s, "processor\t: %u\nhart\t\t: %lu\nisa\t\t: %s\nmmu\t\t: %s\n\n", i,
			   harts[i]->id, isa, "sv39");
	}
	return 0;
}

static int show_uptime(struct seq *s, void *arg __unused)
{
	u64 now = time_now(), idle = 0;

	for (u32 i = 0; i < nharts; i++) {
		u64 u, k, d;

		sched_hart_times(i, &u, &k, &d);
		idle += d;
	}
	seq_printf(s, "%lu.%02lu %lu.%02lu\n", now / NSEC_PER_SEC, now / 10000000 % 100,
		   idle / NSEC_PER_SEC, idle / 10000000 % 100);
	return 0;
}

static int show_loadavg(struct seq *s, void *arg __unused)
{
	for (unsigned i = 0; i < 3; i++) {
		u64 l = sched_loadavg(i) + 10; /* rounded to hundredths of 1 << 11 */

		seq_printf(s, "%lu.%02lu ", l >> 11, ((l & 2047) * 100) >> 11);
	}
	seq_printf(s, "%u/%lu %d\n", sched_runnable(), proc_count(), proc_last_pid());
	return 0;
}

/* A row of /proc/stat: user nice system idle, and six that are not measured, in ticks of 10 ms. */
static void cpu_row(struct seq *s, const char *name, u64 user, u64 sys, u64 idle)
{
	const u64 tick = 10000000;

	seq_printf(s, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", name, user / tick, sys / tick, idle / tick);
}

static int show_stat(struct seq *s, void *arg __unused)
{
	u64 all[3] = {0}, irqs = 0, one[3];
	char name[16];

	for (u32 i = 0; i < nharts; i++) {
		sched_hart_times(i, &one[0], &one[1], &one[2]);
		for (int k = 0; k < 3; k++)
			all[k] += one[k];
		irqs += harts[i] ? READ_ONCE(harts[i]->irq_count) : 0;
	}
	cpu_row(s, "cpu ", all[0], all[1], all[2]);
	for (u32 i = 0; i < nharts; i++) {
		sched_hart_times(i, &one[0], &one[1], &one[2]);
		ksnprintf(name, sizeof(name), "cpu%u", i);
		cpu_row(s, name, one[0], one[1], one[2]);
	}
	seq_printf(
		s,
		"intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\nprocs_running %u\nprocs_blocked 0\n",
		irqs, sched_switches(), (time_realtime() - time_now()) / NSEC_PER_SEC, proc_forks(),
		sched_runnable());
	return 0;
}

static int show_version(struct seq *s, void *arg __unused)
{
	seq_printf(s, "Linux version 6.12.0-gnomon (Gnomon) #1 SMP PREEMPT\n");
	return 0;
}

static int show_cmdline(struct seq *s, void *arg __unused)
{
	seq_printf(s, "%s\n", kernel_cmdline());
	return 0;
}

static int show_interrupts(struct seq *s, void *arg __unused)
{
	const char *name;
	u32 hw;
	u64 count;

	for (unsigned k = 0; irq_info(k, &name, &hw, &count); k++)
		seq_printf(s, "%3u: %10lu  PLIC %u  %s\n", k, count, hw, name);
	return 0;
}

/* What this machine's harts do where the ISA leaves a choice: for boardcheck and for reports. */
static int show_machine(struct seq *s, void *arg __unused)
{
	const char *model = fdt_prop_str(&boot_fdt, fdt_root(&boot_fdt), "model");

	seq_printf(s, "model\t\t: %s\n", model ? model : "");
	seq_printf(s, "asid bits\t: %u\n", mmu_asid_bits);
	seq_printf(s, "accessed bit\t: %s\n", mmu_faults_on_a ? "fault" : "set by hardware");
	seq_printf(s, "dirty bit\t: %s\n", mmu_faults_on_d ? "fault" : "set by hardware");
	seq_printf(s, "timebase\t: %u\n", time_freq());
	seq_printf(s, "timer\t\t: %s\n", time_has_sstc() ? "stimecmp" : "SBI");
	return 0;
}

/* Thousandths of a degree, as Linux's hwmon has them. */
static int show_temperature(struct seq *s, void *arg __unused)
{
	struct sensor *sensor;
	s64 milli;

	for (unsigned k = 0; (sensor = sensor_nth(k)); k++)
		if (sensor->read(sensor->ctl, &milli) == 0)
			seq_printf(s, "%s %ld\n", sensor->name, milli);
	return 0;
}

static int show_partitions(struct seq *s, void *arg __unused)
{
	struct block_dev *d;

	seq_printf(s, "major minor  #blocks  name\n\n");
	for (unsigned k = 0; (d = block_nth(k)); k++) {
		u64 rdev = block_devno(d);

		seq_printf(s, "%4lu %7lu %10lu %s\n", (rdev >> 8) & 0xfff,
			   (rdev & 0xff) | ((rdev >> 12) & ~0xffUL), block_sectors(d) / 2,
			   block_name(d));
		block_drop(d);
	}
	return 0;
}

static int show_diskstats(struct seq *s, void *arg __unused)
{
	struct block_dev *d;

	for (unsigned k = 0; (d = block_nth(k)); k++) {
		u64 rdev = block_devno(d);
		struct block_stats st;

		block_stats(d, &st);
		seq_printf(s, "%4lu %7lu %s %lu 0 %lu %lu %lu 0 %lu %lu %lu %lu %lu\n",
			   (rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & ~0xffUL),
			   block_name(d), st.ios[0], st.sectors[0], st.ticks_ns[0] / 1000000,
			   st.ios[1], st.sectors[1], st.ticks_ns[1] / 1000000, st.in_flight,
			   (st.ticks_ns[0] + st.ticks_ns[1]) / 1000000,
			   (st.ticks_ns[0] + st.ticks_ns[1]) / 1000000);
		block_drop(d);
	}
	return 0;
}

static int show_devices(struct seq *s, void *arg __unused)
{
	struct char_dev *c;

	seq_printf(s, "Character devices:\n");
	for (unsigned k = 0; (c = chrdev_nth(k)); k++)
		seq_printf(s, "%3lu %s\n", (c->rdev >> 8) & 0xfff, c->name);
	seq_printf(s, "\nBlock devices:\n254 virtblk\n");
	return 0;
}

/* Linux's columns: name, operations, flags, device number. */
static int show_consoles(struct seq *s, void *arg __unused)
{
	struct serial *c = serial_console();

	if (c)
		seq_printf(s, "%-20s -W- (EC p a) %4u:%u\n", c->name, 4, c->minor);
	return 0;
}

static int show_word(struct seq *s, void *arg)
{
	seq_printf(s, "%s\n", (const char *)arg);
	return 0;
}

/* A number that may be changed, within limits. */
struct number {
	u32 *value;
	u32 least, most;
};
static const struct number swappiness = {&vm_swappiness, 0, SWAPPINESS_MAX},
			   overcommit = {&vm_overcommit_memory, 0, 2},
			   overcommit_ratio = {&vm_overcommit_ratio, 0, 10000},
			   dirty_ratio = {&vfs_writeback.most, 0, 100},
			   dirty_background = {&vfs_writeback.background, 0, 100},
			   dirty_expire = {&vfs_writeback.age, 0, 1U << 30},
			   dirty_period = {&vfs_writeback.period, 0, 1U << 30},
			   pipe_size_limit = {&pipe_limits.size, 1, 1U << 31},
			   pipe_soft = {&pipe_limits.soft, 0, UINT32_MAX},
			   pipe_hard = {&pipe_limits.hard, 0, UINT32_MAX};

static int show_number(struct seq *s, void *arg)
{
	seq_printf(s, "%u\n", READ_ONCE(*((const struct number *)arg)->value));
	return 0;
}

static ssize_t store_number(const char *text, size_t n, void *arg)
{
	const struct number *w = arg;
	const char *end;
	u64 v = strtou64(text, &end, 10);

	if (end == text || (*end && *end != '\n') || v < w->least || v > w->most)
		return -EINVAL;
	WRITE_ONCE(*w->value, (u32)v);
	return n;
}

/* Pipes have powers of two of pages. */
static ssize_t store_pipe_size(const char *text, size_t n, void *arg)
{
	ssize_t r = store_number(text, n, arg);
	u32 size = PAGE_SIZE;

	if (r < 0)
		return r;
	while (size < READ_ONCE(pipe_limits.size))
		size *= 2;
	WRITE_ONCE(pipe_limits.size, size);
	return r;
}

static ssize_t store_drop_caches(const char *text, size_t n, void *arg __unused)
{
	u64 what = strtou64(text, NULL, 0);

	if (what < 1 || what > 7)
		return -EINVAL;
	vfs_drop_caches(what & 3);
	return n;
}

static int show_mounts(struct seq *s, void *arg __unused)
{
	char *line = kmalloc(PAGE_SIZE, 0);

	if (!line)
		return -ENOMEM;
	for (unsigned k = 0; vfs_mount_info(k, NULL, line, PAGE_SIZE); k++)
		seq_printf(s, "%s\n", line);
	kfree(line);
	return 0;
}

static int show_filesystems(struct seq *s, void *arg __unused)
{
	const struct fs_type *t;

	for (unsigned k = 0; (t = vfs_type_nth(k)) != NULL; k++)
		seq_printf(s, "%s\t%s\n", t->nodev ? "nodev" : "", t->name);
	return 0;
}

static const struct {
	const char *path;
	u32 mode;
	int (*show)(struct seq *s, void *arg);
	ssize_t (*store)(const char *text, size_t n, void *arg);
	const void *arg;
} files[] = {
	{"meminfo", 0444, show_meminfo, NULL, NULL},
	{"vmstat", 0444, show_vmstat, NULL, NULL},
	{"swaps", 0444, show_swaps, NULL, NULL},
	{"trace", 0600, show_trace, reset_trace, NULL},
	{"slabinfo", 0400, show_slabinfo, NULL, NULL},
	{"cpuinfo", 0444, show_cpuinfo, NULL, NULL},
	{"uptime", 0444, show_uptime, NULL, NULL},
	{"loadavg", 0444, show_loadavg, NULL, NULL},
	{"stat", 0444, show_stat, NULL, NULL},
	{"version", 0444, show_version, NULL, NULL},
	{"cmdline", 0444, show_cmdline, NULL, NULL},
	{"interrupts", 0444, show_interrupts, NULL, NULL},
	{"machine", 0444, show_machine, NULL, NULL},
	{"temperature", 0444, show_temperature, NULL, NULL},
	{"partitions", 0444, show_partitions, NULL, NULL},
	{"diskstats", 0444, show_diskstats, NULL, NULL},
	{"devices", 0444, show_devices, NULL, NULL},
	{"consoles", 0444, show_consoles, NULL, NULL},
	{"mounts", 0444, show_mounts, NULL, NULL},
	{"filesystems", 0444, show_filesystems, NULL, NULL},
	{"sys/kernel/ostype", 0444, show_word, NULL, "Linux"},
	{"sys/kernel/osrelease", 0444, show_word, NULL, "6.12.0-gnomon"},
	{"sys/kernel/pid_max", 0444, show_word, NULL, "32768"},
	{"sys/kernel/tainted", 0444, show_word, NULL, "0"},
	{"sys/kernel/threads-max", 0444, show_word, NULL, "32768"},
	{"sys/kernel/cap_last_cap", 0444, show_word, NULL, "40"},
	{"sys/fs/nr_open", 0444, show_word, NULL, "1048576"},
	{"sys/fs/pipe-max-size", 0644, show_number, store_pipe_size, &pipe_size_limit},
	{"sys/fs/pipe-user-pages-soft", 0644, show_number, store_number, &pipe_soft},
	{"sys/fs/pipe-user-pages-hard", 0644, show_number, store_number, &pipe_hard},
	{"sys/kernel/version", 0444, show_word, NULL, "#1 SMP PREEMPT Gnomon"},
	{"sys/vm/overcommit_memory", 0644, show_number, store_number, &overcommit},
	{"sys/vm/swappiness", 0644, show_number, store_number, &swappiness},
	{"sys/vm/overcommit_ratio", 0644, show_number, store_number, &overcommit_ratio},
	{"sys/vm/dirty_ratio", 0644, show_number, store_number, &dirty_ratio},
	{"sys/vm/dirty_background_ratio", 0644, show_number, store_number, &dirty_background},
	{"sys/vm/dirty_expire_centisecs", 0644, show_number, store_number, &dirty_expire},
	{"sys/vm/dirty_writeback_centisecs", 0644, show_number, store_number, &dirty_period},
	{"sys/vm/drop_caches", 0200, NULL, store_drop_caches, NULL},
};

static void sysfiles_init(void)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (procfs_file(files[i].path, files[i].mode, files[i].show, files[i].store,
				(void *)files[i].arg))
			kprintf("procfs: %s was not made\n", files[i].path);
}
INITCALL(FS, sysfiles_init);
