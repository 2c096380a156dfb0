// SPDX-License-Identifier: BSD-2-Clause
/* dir.c - directory streams over getdents64. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/lib/syscall.h"

struct __dir {
	int fd;
	size_t pos; /* of the next entry in buf */
	size_t len; /* bytes of buf that are filled */
	char buf[4096] __attribute__((aligned(8)));
};

ssize_t getdents64(int fd, void *buf, size_t len)
{
	return call(getdents64, fd, buf, len);
}

DIR *fdopendir(int fd)
{
	DIR *dir = malloc(sizeof(*dir));

	if (dir) {
		dir->fd = fd;
		dir->pos = dir->len = 0;
	}
	return dir;
}

DIR *opendir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (fd < 0)
		return NULL;
	dir = fdopendir(fd);
	if (!dir)
		close(fd);
	return dir;
}

struct dirent *readdir(DIR *dir)
{
	struct dirent *entry;

	if (dir->pos == dir->len) {
		ssize_t n = getdents64(dir->fd, dir->buf, sizeof(dir->buf));

		if (n <= 0)
			return NULL;
		dir->pos = 0;
		dir->len = (size_t)n;
	}
	entry = (struct dirent *)(dir->buf + dir->pos);
	dir->pos += entry->d_reclen;
	return entry;
}

void rewinddir(DIR *dir)
{
	lseek(dir->fd, 0, SEEK_SET);
	dir->pos = dir->len = 0;
}

int closedir(DIR *dir)
{
	int fd = dir->fd;

	free(dir);
	return close(fd);
}

int dirfd(DIR *dir)
{
	return dir->fd;
}
