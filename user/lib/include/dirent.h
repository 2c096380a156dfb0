/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _DIRENT_H
#define _DIRENT_H

#include <sys/types.h>

/* As getdents64 returns it; an entry is only as long as d_reclen. */
struct dirent {
	ino_t d_ino;
	off_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[256];
};

#define DT_UNKNOWN 0
#define DT_FIFO	   1
#define DT_CHR	   2
#define DT_DIR	   4
#define DT_BLK	   6
#define DT_REG	   8
#define DT_LNK	   10
#define DT_SOCK	   12

typedef struct __dir DIR;

DIR *opendir(const char *path);
DIR *fdopendir(int fd);
/* The entry lives until the next call on the same DIR; errno is left alone at the end. */
struct dirent *readdir(DIR *dir);
void rewinddir(DIR *dir);
int closedir(DIR *dir);
int dirfd(DIR *dir);
ssize_t getdents64(int fd, void *buf, size_t len);

#endif
