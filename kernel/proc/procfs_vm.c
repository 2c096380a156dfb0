// SPDX-License-Identifier: BSD-2-Clause
/*
 * /proc/PID: what shows and changes memory: maps, smaps, fail-nth.
 *
 * Areas are visited one by one, the map's lock dropped in between: each line is a snapshot of its own.
 */
#include "kernel/proc/procfs_pid.h"

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

static void smap_details(struct seq *out, const struct vm_area_info *a)
{
	u64 size = (a->end - a->start) / KiB, rss = KIB(a->rss), dirty = KIB(a->dirty);
	bool anon = a->kind == OBJ_ANON || a->kind == OBJ_SHADOW;

	seq_printf(out, "Size:           %8lu kB\nKernelPageSize: %8u kB\nMMUPageSize:    %8u kB\n",
		   size, 4u, 4u);
	seq_printf(out,
		   "Rss:            %8lu kB\nPss:            %8lu kB\nPss_Dirty:      %8lu kB\n",
		   rss, rss, dirty);
	seq_printf(out, "Shared_Clean:   %8lu kB\nShared_Dirty:   %8lu kB\n",
		   a->shared ? rss - dirty : 0, a->shared ? dirty : 0);
	seq_printf(out, "Private_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\n",
		   a->shared ? 0 : rss - dirty, a->shared ? 0 : dirty);
	seq_printf(out,
		   "Referenced:     %8lu kB\nAnonymous:      %8lu kB\nKSM:            %8u kB\n",
		   rss, anon ? rss : 0, 0u);
	seq_printf(
		out,
		"LazyFree:       %8u kB\nAnonHugePages:  %8u kB\nShmemPmdMapped: %8u kB\nFilePmdMapped:  %8u kB\n",
		0u, 0u, 0u, 0u);
	seq_printf(
		out,
		"Shared_Hugetlb: %8u kB\nPrivate_Hugetlb: %7u kB\nSwap:           %8u kB\nSwapPss:        %8u kB\n",
		0u, 0u, 0u, 0u);
	seq_printf(
		out,
		"Locked:         %8lu kB\nTHPeligible:           0\nVmFlags:%s%s%s%s mr mw me%s%s\n",
		a->locked ? rss : 0, a->prot & PROT_READ ? " rd" : "",
		a->prot & PROT_WRITE ? " wr" : "", a->prot & PROT_EXEC ? " ex" : "",
		a->shared ? " sh" : "", a->grows_down ? " gd" : "", a->locked ? " lo" : "");
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

/* ---- allocations that fail on purpose (debug builds) ---- */

/* A decimal number with nothing but a newline after it. */
static int parse_number(const char *text, u64 *v)
{
	const char *end;

	*v = strtou64(text, &end, 10);
	return end == text || (*end && *end != '\n') ? -EINVAL : 0;
}

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
