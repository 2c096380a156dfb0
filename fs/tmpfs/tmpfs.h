/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_FS_TMPFS_H
#define GNOMON_FS_TMPFS_H

/* File systems in memory; devtmpfs is one that starts with device nodes in it. */

#include "fs/vfs/vfs.h"

int tmpfs_mount(struct mount *m, const char *options);
extern const struct fs_ops tmpfs_ops;
/* Makes a node and, for "a/b", the directories on the way. 0, -EEXIST, -ENOMEM. During mount only. */
int tmpfs_add_node(struct mount *m, const char *path, u32 mode, u64 rdev, const char *target);

#endif
