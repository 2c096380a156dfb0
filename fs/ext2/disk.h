/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_EXT2_DISK_H
#define GNOMON_EXT2_DISK_H

/* What lies on the disk: everything is little-endian, as the machines we run on are. */

#include "kernel/lib/print.h"
#include "kernel/lib/types.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ext2 structures are read in place");

#define EXT2_MAGIC	    0xef53
#define EXT2_SUPER_OFFSET   1024
#define EXT2_ROOT_INO	    2
#define EXT2_OLD_FIRST_INO  11
#define EXT2_OLD_INODE_SIZE 128
#define EXT2_NAME_MAX	    255

#define EXT2_VALID_FS  1u
#define EXT2_ERROR_FS  2u
#define EXT2_ORPHAN_FS 4u

#define EXT2_ERRORS_CONTINUE 1u
#define EXT2_ERRORS_RO	     2u
#define EXT2_ERRORS_PANIC    3u

#define EXT2_COMPAT_EXT_ATTR   0x0008u
#define EXT2_COMPAT_DIR_INDEX  0x0020u
#define EXT2_INCOMPAT_FILETYPE 0x0002u
#define EXT2_RO_SPARSE_SUPER   0x0001u
#define EXT2_RO_LARGE_FILE     0x0002u
#define EXT2_RO_DIR_NLINK      0x0020u
#define EXT2_RO_EXTRA_ISIZE    0x0040u

struct ext2_super {
	u32 inodes_count, blocks_count, r_blocks_count, free_blocks_count;
	u32 free_inodes_count, first_data_block, log_block_size, log_frag_size;
	u32 blocks_per_group, frags_per_group, inodes_per_group, mtime;
	u32 wtime;
	u16 mnt_count, max_mnt_count;
	u16 magic, state, errors, minor_rev_level;
	u32 lastcheck, checkinterval, creator_os, rev_level;
	u16 def_resuid, def_resgid;
	/* revision 1: */
	u32 first_ino;
	u16 inode_size, block_group_nr;
	u32 feature_compat, feature_incompat, feature_ro_compat;
	u8 uuid[16];
	char volume_name[16], last_mounted[64];
	u32 algo_bitmap;
	u8 prealloc_blocks, prealloc_dir_blocks;
	u16 reserved_gdt_blocks;
	u8 journal_uuid[16];
	u32 journal_inum, journal_dev, last_orphan, hash_seed[4];
	u8 def_hash_version, jnl_backup_type;
	u16 desc_size;
	u32 default_mount_opts, first_meta_bg, mkfs_time, jnl_blocks[17];
	u32 blocks_count_hi, r_blocks_count_hi, free_blocks_count_hi;
	u16 min_extra_isize, want_extra_isize;
	u32 flags;
	u8 rest[1024 - 356];
};
BUILD_ASSERT(sizeof(struct ext2_super) == 1024);
BUILD_ASSERT(offsetof(struct ext2_super, last_orphan) == 232);
BUILD_ASSERT(offsetof(struct ext2_super, want_extra_isize) == 350);

struct ext2_gdesc {
	u32 block_bitmap, inode_bitmap, inode_table;
	u16 free_blocks, free_inodes, used_dirs, flags;
	u32 reserved[3];
};
BUILD_ASSERT(sizeof(struct ext2_gdesc) == 32);

#define EXT2_NDIR  12
#define EXT2_IND   12
#define EXT2_DIND  13
#define EXT2_TIND  14
#define EXT2_NPTRS 15

#define EXT2_FL_COMPRBLK   0x00000200u
#define EXT2_FL_INDEX	   0x00001000u
#define EXT2_FL_EXTENTS	   0x00080000u
#define EXT2_FL_EA_INODE   0x00200000u
#define EXT2_FL_INLINE	   0x10000000u
#define EXT2_FL_VISIBLE	   0x0003dfffu /* what users see, and what they may change */
#define EXT2_FL_CHANGEABLE 0x000380ffu
/* what a new inode takes over from its directory: sync, nodump, noatime, dirsync, and such */
#define EXT2_FL_INHERITED 0x000100c9u
/* no flag that changes how the contents are laid out may be set */
#define EXT2_FL_REFUSED (EXT2_FL_COMPRBLK | EXT2_FL_EXTENTS | EXT2_FL_EA_INODE | EXT2_FL_INLINE)

struct ext2_dinode {
	u16 mode, uid;
	u32 size, atime, ctime, mtime, dtime;
	u16 gid, links;
	u32 blocks, flags, osd1;
	u32 block[EXT2_NPTRS];
	u32 generation, file_acl, size_high, faddr;
	u8 frag, fsize;
	u16 pad1, uid_high, gid_high;
	u32 osd2;
	/* beyond 128 bytes, as far as extra_isize says: */
	u16 extra_isize, checksum_hi;
	u32 ctime_extra, mtime_extra, atime_extra, crtime, crtime_extra;
};
BUILD_ASSERT(offsetof(struct ext2_dinode, extra_isize) == EXT2_OLD_INODE_SIZE);
BUILD_ASSERT(offsetof(struct ext2_dinode, file_acl) == 104);
BUILD_ASSERT(offsetof(struct ext2_dinode, uid_high) == 120);
/* extra_isize that covers all the times above */
#define EXT2_EXTRA_TIMES 24
/* what mkfs asks for by default */
#define EXT2_EXTRA_WANTED 32

struct ext2_dirent {
	u32 ino;
	u16 rec_len;
	u8 name_len, file_type;
	char name[];
};
#define EXT2_DIRENT_HEAD	  8u
#define EXT2_DIRENT_SIZE(namelen) ALIGN_UP((u32)(namelen) + EXT2_DIRENT_HEAD, 4u)

#define EXT2_XATTR_MAGIC 0xea020000u
struct ext2_xattr_head {
	u32 magic, refcount, blocks, hash;
};

#endif
