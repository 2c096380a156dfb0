// SPDX-License-Identifier: BSD-2-Clause
/*
 * /proc/PID: what shows and changes memory: maps, smaps, smaps_rollup, pagemap, clear_refs, fail-nth.
 *
 * Areas are visited one by one, the map's lock dropped in between: each line is a snapshot of its own.
 */
#include "kernel/proc/procfs_pid.h"

#include "kernel/boot/params.h"
#include "kernel/mem/slab.h"

/* ---- maps and smaps ---- */

static void map_line(struct seq *out, const struct vm_area_info *a)
{
	size_t start = out->len;

	seq_printf(out, "%08lx-%08lx %c%c%c%c %08lx %02lx:%02lx %lu", a->start, a->end,
		   a->prot & PROT_READ ? 'r' : '-', a->prot & PROT_WRITE ? 'w' : '-',
		   a->prot & PROT_EXEC ? 'x' : '-', a->shared ? 's' : 'p',
		   a->name[0] == '[' ? 0 : a->offset, a->dev >> 8 & 0xfff,
		   (a->dev & 0xff) | (a->dev >> 12 & 0xfff00), a->ino);
	if (a->name[0]) {
		while (out->len - start < 72 && !out->err)
			seq_write(out, " ", 1);
		seq_printf(out, " %s", a->name);
	}
	seq_printf(out, "\n");
}

static void usage_lines(struct seq *out, const struct vm_area_usage *u)
{
	seq_printf(out,
		   "Rss:            %8lu kB\nPss:            %8lu kB\nPss_Dirty:      %8lu kB\n",
		   u->rss / KiB, u->pss / KiB, u->pss_dirty / KiB);
}

static void sharing_lines(struct seq *out, const struct vm_area_usage *u)
{
	seq_printf(out, "Shared_Clean:   %8lu kB\nShared_Dirty:   %8lu kB\n", u->shared_clean / KiB,
		   u->shared_dirty / KiB);
	seq_printf(out, "Private_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\n",
		   u->private_clean / KiB, u->private_dirty / KiB);
	seq_printf(out,
		   "Referenced:     %8lu kB\nAnonymous:      %8lu kB\nKSM:            %8u kB\n",
		   u->referenced / KiB, u->anon / KiB, 0u);
	seq_printf(
		out,
		"LazyFree:       %8u kB\nAnonHugePages:  %8u kB\nShmemPmdMapped: %8u kB\nFilePmdMapped:  %8u kB\n",
		0u, 0u, 0u, 0u);
	seq_printf(
		out,
		"Shared_Hugetlb: %8u kB\nPrivate_Hugetlb: %7u kB\nSwap:           %8lu kB\nSwapPss:        %8lu kB\n",
		0u, 0u, u->swap / KiB, u->swap / KiB);
	seq_printf(out, "Locked:         %8lu kB\n", u->locked / KiB);
}

/* Two letters for each property, in Linux's order (fs/proc/task_mmu.c). */
static void flag_line(struct seq *out, const struct vm_area_info *a)
{
	const struct {
		bool on;
		const char *name;
	} flags[] = {
		{a->prot & PROT_READ, "rd"},
		{a->prot & PROT_WRITE, "wr"},
		{a->prot & PROT_EXEC, "ex"},
		{a->shared && (a->may_prot & PROT_WRITE), "sh"},
		{a->may_prot & PROT_READ, "mr"},
		{a->may_prot & PROT_WRITE, "mw"},
		{a->may_prot & PROT_EXEC, "me"},
		{a->shared, "ms"},
		{a->grows_down, "gd"},
		{a->kind == OBJ_DEVICE && a->object, "pf"},
		{a->locked, "lo"},
		{a->advice & VM_INFO_SEQUENTIAL, "sr"},
		{a->advice & VM_INFO_RANDOM, "rr"},
		{a->advice & VM_INFO_DONTFORK, "dc"},
		{!a->shared && (a->prot & PROT_WRITE) && !(a->advice & VM_INFO_NORESERVE), "ac"},
		{a->advice & VM_INFO_NORESERVE, "nr"},
		{a->advice & VM_INFO_ONFAULT, "lf"},
		{a->advice & VM_INFO_WIPEONFORK, "wf"},
		{a->advice & VM_INFO_DONTDUMP, "dd"},
		{a->advice & VM_INFO_SOFT_DIRTY, "sd"},
	};

	seq_printf(out, "VmFlags:");
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (flags[i].on)
			seq_printf(out, " %s", flags[i].name);
	seq_printf(out, " \n");
}

static void smap_details(struct seq *out, const struct vm_area_info *a)
{
	seq_printf(out, "Size:           %8lu kB\nKernelPageSize: %8u kB\nMMUPageSize:    %8u kB\n",
		   (a->end - a->start) / KiB, 4u, 4u);
	usage_lines(out, &a->use);
	sharing_lines(out, &a->use);
	seq_printf(out, "THPeligible:           0\n");
	flag_line(out, a);
}

static int show_areas(struct seq *out, s32 id, bool detail)
{
	struct subject s;
	struct vm_area_info *a = kmalloc(sizeof(*a), 0);
	struct vm_map *m;
	u64 at = 0;
	int err = a ? subject_get(&s, id) : -ENOMEM;

	if (err) {
		kfree(a);
		return err;
	}
	m = proc_map_hold(s.p);
	while (m && !out->err && vm_area_next(m, at, detail, a)) {
		map_line(out, a);
		if (detail)
			smap_details(out, a);
		at = a->end;
	}
	if (m)
		vm_map_drop(m);
	subject_put(&s);
	kfree(a);
	return 0;
}

int show_maps(struct seq *out, s32 id)
{
	return show_areas(out, id, false);
}

int show_smaps(struct seq *out, s32 id)
{
	return show_areas(out, id, true);
}

static void add_usage(struct vm_area_usage *sum, const struct vm_area_usage *u)
{
	const u64 *from = (const u64 *)u;
	u64 *to = (u64 *)sum;

	BUILD_ASSERT(sizeof(*u) % sizeof(u64) == 0);
	for (size_t i = 0; i < sizeof(*u) / sizeof(u64); i++)
		to[i] += from[i];
}

int show_smaps_rollup(struct seq *out, s32 id)
{
	struct vm_area_info *a = kmalloc(sizeof(*a), 0);
	struct vm_area_usage sum = {0};
	u64 at = 0, first = ~0UL;
	struct subject s;
	struct vm_map *m;
	int err = a ? subject_get(&s, id) : -ENOMEM;

	if (err) {
		kfree(a);
		return err;
	}
	m = proc_map_hold(s.p);
	while (m && vm_area_next(m, at, true, a)) {
		first = MIN(first, a->start);
		at = a->end;
		add_usage(&sum, &a->use);
	}
	if (m) {
		vm_map_drop(m);
		seq_printf(out, "%08lx-%08lx ---p 00000000 00:00 0 %30s[rollup]\n", at ? first : 0,
			   at, "");
		usage_lines(out, &sum);
		seq_printf(
			out,
			"Pss_Anon:       %8lu kB\nPss_File:       %8lu kB\nPss_Shmem:      %8lu kB\n",
			sum.pss_anon / KiB, sum.pss_file / KiB, sum.pss_shmem / KiB);
		sharing_lines(out, &sum);
	}
	subject_put(&s);
	kfree(a);
	return m ? 0 : -ESRCH;
}

/* ---- pagemap and clear_refs ---- */

#define ENTRIES 512 /* at a time */

static ssize_t copy_entries(struct vm_map *m, u64 index, struct uio *u, u64 *buf)
{
	bool pfn = capable(CAP_SYS_ADMIN);
	ssize_t done = 0;

	while (u->left && index < USER_END >> PAGE_SHIFT) {
		size_t n = MIN(MIN((u64)ENTRIES, u->left / sizeof(*buf)),
			       (USER_END >> PAGE_SHIFT) - index);
		size_t got;

		vm_pagemap(m, index << PAGE_SHIFT, buf, n, pfn);
		got = uio_to(u, buf, n * sizeof(*buf));
		done += (ssize_t)got;
		index += n;
		if (got < n * sizeof(*buf))
			return done ? done : -EFAULT;
	}
	return done;
}

ssize_t read_pagemap(s32 id, u64 pos, struct uio *u)
{
	struct vm_map *m = NULL;
	struct subject s;
	ssize_t n = 0;
	u64 *buf;
	int err;

	if (pos % sizeof(u64) || u->left % sizeof(u64))
		return -EINVAL;
	buf = kmalloc(ENTRIES * sizeof(*buf), 0);
	err = buf ? subject_get(&s, id) : -ENOMEM;
	if (!err) {
		m = proc_map_hold(s.p);
		subject_put(&s);
	}
	if (m) {
		n = copy_entries(m, pos / sizeof(u64), u, buf);
		vm_map_drop(m);
	}
	kfree(buf);
	return err ? err : n;
}

/* A decimal number with nothing but a newline after it. */
static int parse_number(const char *text, u64 *v)
{
	const char *end;

	*v = strtou64(text, &end, 10);
	return end == text || (*end && *end != '\n') ? -EINVAL : 0;
}

ssize_t store_clear_refs(s32 id, const char *text, size_t n)
{
	struct vm_map *m;
	struct subject s;
	u64 what;
	int err = parse_number(text, &what);

	if (!err && (what < VM_CLEAR_ALL || what > VM_CLEAR_PEAK))
		err = -EINVAL;
	if (!err)
		err = subject_get(&s, id);
	if (err)
		return err;
	m = proc_map_hold(s.p);
	if (m) {
		vm_clear_refs(m, (enum vm_clear)what);
		vm_map_drop(m);
	}
	subject_put(&s);
	return (ssize_t)n;
}

/* ---- allocations that fail on purpose (debug builds) ---- */

/* As Linux's (Documentation/fault-injection): the n-th allocation of the thread from now on fails. Only one's own. */
ssize_t store_fail_nth(s32 id, const char *text, size_t n)
{
	u64 v;
	int err = parse_number(text, &v);

	if (err)
		return err;
	if (id != current()->tid)
		return -EPERM;
	kmem_fail_nth(v);
	return (ssize_t)n;
}

/* What is left of it; makes no allocation. */
ssize_t read_fail_nth(s32 id, u64 pos, struct uio *u)
{
	char text[24];
	size_t len, done;

	if (id != current()->tid)
		return -EPERM;
	len = (size_t)ksnprintf(text, sizeof(text), "%lu\n", kmem_fail_left());
	if (pos >= len)
		return 0;
	done = uio_to(u, text + pos, MIN(len - pos, u->left));
	return done ? (ssize_t)done : -EFAULT;
}

/* ---- /proc/sys ---- */

static int show_randomize(struct seq *out, void *arg __unused)
{
	seq_printf(out, "%u\n", proc_randomize_va);
	return 0;
}

static ssize_t store_randomize(const char *text, size_t n, void *arg __unused)
{
	u64 v;
	int err = parse_number(text, &v);

	if (err || v > 2)
		return -EINVAL;
	WRITE_ONCE(proc_randomize_va, (unsigned)v);
	return (ssize_t)n;
}

static int show_min_addr(struct seq *out, void *arg __unused)
{
	seq_printf(out, "%lu\n", vm_mmap_min_addr);
	return 0;
}

static ssize_t store_min_addr(const char *text, size_t n, void *arg __unused)
{
	u64 v;
	int err = parse_number(text, &v);

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (err || v > USER_END)
		return -EINVAL;
	WRITE_ONCE(vm_mmap_min_addr, v);
	return (ssize_t)n;
}

void procfs_vm_init(void)
{
	if (kernel_flag("norandmaps"))
		proc_randomize_va = 0;
	(void)procfs_file("sys/kernel/randomize_va_space", 0644, show_randomize, store_randomize,
			  NULL);
	(void)procfs_file("sys/vm/mmap_min_addr", 0644, show_min_addr, store_min_addr, NULL);
}
