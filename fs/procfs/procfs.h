/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_PROCFS_INTERNAL_H
#define GNOMON_PROCFS_INTERNAL_H

/* What the files of fs/procfs share. */

#include "fs/vfs/vfs.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"

/* A registered file or directory. Fields are constant after registration, but the links (ents lock). */
struct ent {
	struct list link, children;
	struct ent *parent;
	u64 ino;
	u32 mode;
	int (*show)(struct seq *s, void *arg);
	ssize_t (*store)(const char *text, size_t n, void *arg);
	void *arg;
	char name[];
};

extern struct ent procfs_root;
struct ent *ent_find(struct ent *dir, const char *name, size_t len);
/* The k-th child; NULL past the last. */
struct ent *ent_nth(struct ent *dir, u64 k);

extern const struct file_ops procfs_text_ops;
/* Text files: what to show and store, asked of the vnode (node.c). */
int procfs_show(struct vnode *vn, struct seq *s);
ssize_t procfs_store(struct vnode *vn, const char *text, size_t n);
ssize_t procfs_binary_read(struct vnode *vn, u64 pos, struct uio *u, bool *is_binary);

#endif
