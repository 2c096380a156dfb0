// SPDX-License-Identifier: BSD-2-Clause
/* memory.c - system calls on memory. */
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/lib/syscall.h"

/* The kernel answers with the break it has now, which is not `end` if it could not move it. */
int brk(void *end)
{
	if (sys(brk, end) == (long)end)
		return 0;
	errno = ENOMEM;
	return -1;
}

void *sbrk(ptrdiff_t increment)
{
	static char *current;
	char *old;

	if (!current)
		current = (char *)sys(brk, 0);
	old = current;
	if (increment != 0) {
		if (brk(current + increment) < 0)
			return (void *)-1;
		current += increment;
	}
	return old;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return (void *)call(mmap, addr, len, prot, flags, fd, offset);
}

int munmap(void *addr, size_t len)
{
	return call(munmap, addr, len);
}

int mprotect(void *addr, size_t len, int prot)
{
	return call(mprotect, addr, len, prot);
}

int msync(void *addr, size_t len, int flags)
{
	return call(msync, addr, len, flags);
}

int madvise(void *addr, size_t len, int advice)
{
	return call(madvise, addr, len, advice);
}

void *mremap(void *addr, size_t old_len, size_t new_len, int flags, ...)
{
	va_list ap;
	void *target;

	va_start(ap, flags);
	target = va_arg(ap, void *);
	va_end(ap);
	return (void *)call(mremap, addr, old_len, new_len, flags, target);
}

int mincore(void *addr, size_t len, unsigned char *vec)
{
	return call(mincore, addr, len, vec);
}

int mlock(const void *addr, size_t len)
{
	return call(mlock, addr, len);
}

int munlock(const void *addr, size_t len)
{
	return call(munlock, addr, len);
}

int mlockall(int flags)
{
	return call(mlockall, flags);
}

int munlockall(void)
{
	return call(munlockall);
}

int memfd_create(const char *name, unsigned int flags)
{
	return call(memfd_create, name, flags);
}
