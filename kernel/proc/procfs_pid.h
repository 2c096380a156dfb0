/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_PROCFS_PID_H
#define GNOMON_PROCFS_PID_H

/* What the files of /proc/PID share: procfs_pid.c and procfs_vm.c. */

#include "kernel/proc/proc_internal.h"

#define KIB(pages) ((pages) * (PAGE_SIZE / KiB))

/* What a show works on.
 *
 * Field markings and the corresponding locks:
 * (o) the caller
 */
struct subject {
	struct process *p; /* (o) held */
	struct task *t;	   /* (o) held; NULL: all threads are gone */
	s32 tid;	   /* (o) as asked */
};

/* The process or thread with this id, held until subject_put; -ESRCH. */
int subject_get(struct subject *s, s32 id);
void subject_put(struct subject *s);

/* procfs_vm.c */
int show_maps(struct seq *out, s32 id);
int show_smaps(struct seq *out, s32 id);
int show_smaps_rollup(struct seq *out, s32 id);
ssize_t read_pagemap(s32 id, u64 pos, struct uio *u);
ssize_t store_clear_refs(s32 id, const char *text, size_t n);
void procfs_vm_init(void);
ssize_t store_fail_nth(s32 id, const char *text, size_t n);
ssize_t read_fail_nth(s32 id, u64 pos, struct uio *u);

#endif
