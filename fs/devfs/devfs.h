/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_FS_DEVFS_H
#define GNOMON_FS_DEVFS_H

/* Character devices by number, and the file system that shows all devices. */

#include "fs/vfs/vfs.h"

/* The k-th registered device; NULL past the last. They are never unregistered. */
struct char_dev *chrdev_nth(unsigned k);
/* vfs_open of a character device node: finds its driver. -ENXIO: none. */
int chrdev_open(struct vnode *vn, struct file *f);

#endif
