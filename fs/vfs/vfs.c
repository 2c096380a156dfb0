// SPDX-License-Identifier: BSD-2-Clause
/* Start-up of the VFS: each file's own, in the order in which they need one another. */
#include "fs/vfs/vfs_internal.h"
#include "kernel/boot/init.h"

void vfs_init(void)
{
	vnode_cache_init();
	name_init();
	file_init();
	fdtable_init();
	context_init();
	mount_table_init();
	writeback_init();
	bdev_init();
	pipe_init();
}

INITCALL(VM, vfs_init);
INITCALL(FS, vfs_start_writeback);
