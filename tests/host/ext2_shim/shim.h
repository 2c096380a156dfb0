/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_TESTS_EXT2_SHIM_H
#define GNOMON_TESTS_EXT2_SHIM_H

/*
 * A machine small enough to run ext2 in one thread: pages are malloc'ed, the disk is an array loaded from an image file, requests wait in a
 * queue until somebody waits for a page and are then done in random order.  Pages and vnodes nobody uses can be thrown out at any time, so
 * that everything is read again.  The metadata cache writes only blocks that were made dirty, never their neighbours in the page.
 */

#include "fs/ext2/ext2.h"

struct shim_disk {
	u8 *data;
	u64 size;
	u64 writes;			  /* requests */
	u64 fail_read_from, fail_read_to; /* sectors that give -EIO */
	u64 bad_from, bad_to;		  /* sectors that a commit cannot write, ever */
	u32 fail_writes; /* percent of a commit's writes and of the flushes that do */
};
extern struct shim_disk shim_disk;
extern char shim_log[4096]; /* what kprintf said since the last shim_mount */

u64 shim_random(void);
void shim_seed(u64 seed);

int shim_load(const char *path);
int shim_save(const char *path);
struct mount *shim_mount(u32 flags, int *err);
/* Writes everything, unmounts, and checks that no vnode, page or request is left. */
int shim_unmount(struct mount *m);
void shim_crash(struct mount *m); /* forgets everything that is not on the disk */
void shim_sync(struct mount *m);
void shim_drop_caches(
	struct mount *m);	  /* writes, then throws out all unused vnodes and clean pages */
void shim_shake(struct mount *m); /* writes or throws out some, at random */

/* From now on every write and flush is remembered in order, over what the disk holds now. */
void shim_record(void);
u64 shim_recorded(void); /* entries so far */
/*
 * The disk as a power cut leaves it when `at` entries had happened: what was flushed, and of later writes any, or any sectors. Forgets the
 * machine's own disk.
 */
void shim_cut(u64 at);
void shim_record_end(void);

ssize_t shim_read(struct vnode *vn, void *buf, size_t n, u64 off);
ssize_t shim_write(struct vnode *vn, const void *buf, size_t n, u64 off);
/* A store through a mapping, which may go behind the end of file within the last page. */
int shim_store(struct vnode *vn, u64 off, u8 value);
void shim_set_cred(u32 uid);
extern struct cred shim_cred;
u64 shim_pages(void); /* in existence */
extern u64 shim_meta_gets;

#endif
