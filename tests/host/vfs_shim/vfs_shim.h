/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_TESTS_VFS_SHIM_H
#define GNOMON_TESTS_VFS_SHIM_H

/*
 * What fs/vfs and fs/tmpfs stand on in host tests: sleeping locks that panic where a second thread would be needed, memory that is counted,
 * objects that are arrays of pages, user memory that is host memory and may fault on demand.  Nobody ever wakes a sleeper: a wait
 * ends as if a signal had come.
 */

#include "host.h"

#include "fs/vfs/vfs.h"
#include "kernel/lib/errno.h"

/* Copies that must not fault stop after this many bytes in all, until somebody faults the rest in; ~0: never. */
extern u64 shim_nofault_budget;
/* User addresses in [shim_bad, shim_bad + shim_bad_len) are not there. */
extern u64 shim_bad, shim_bad_len;
extern u64 shim_raised; /* signals raised, a bit each */
extern u64 shim_fsize;	/* RLIMIT_FSIZE */
extern u32 shim_dirty_pages;

u64 shim_memory(void);	 /* allocations alive: slab, kmalloc, frames, objects */
u64 shim_sleepers(void); /* locks held */
void shim_boot(
	void); /* vfs_init, tmpfs registered, one tmpfs as root; context and lookup of root's */
extern struct fs_context *shim_fs;
extern struct cred shim_root_cred;
struct lookup_ctx shim_ctx(const struct cred *c);
void shim_down(void); /* drops the context */

#endif
