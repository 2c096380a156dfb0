// SPDX-License-Identifier: BSD-2-Clause
/* file.c - system calls on files, names and file systems. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include "user/lib/syscall.h"

static int open_mode(int flags, va_list ap)
{
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
		return va_arg(ap, int);
	return 0;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = open_mode(flags, ap);
	va_end(ap);
	return call(openat, AT_FDCWD, path, flags, mode);
}

int openat(int dirfd, const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = open_mode(flags, ap);
	va_end(ap);
	return call(openat, dirfd, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int close(int fd)
{
	return call(close, fd);
}

ssize_t read(int fd, void *buf, size_t len)
{
	return call(read, fd, buf, len);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	return call(write, fd, buf, len);
}

ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
	return call(pread64, fd, buf, len, offset);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	return call(pwrite64, fd, buf, len, offset);
}

ssize_t readv(int fd, const struct iovec *iov, int count)
{
	return call(readv, fd, iov, count);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return call(writev, fd, iov, count);
}

ssize_t sendfile(int out_fd, int in_fd, off_t *offset, size_t count)
{
	return call(sendfile, out_fd, in_fd, offset, count);
}

ssize_t copy_file_range(int in, off_t *in_off, int out, off_t *out_off, size_t len,
			unsigned int flags)
{
	return call(copy_file_range, in, in_off, out, out_off, len, flags);
}

off_t lseek(int fd, off_t offset, int whence)
{
	return call(lseek, fd, offset, whence);
}

int fcntl(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return call(fcntl, fd, cmd, arg);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	long arg;

	va_start(ap, request);
	arg = va_arg(ap, long);
	va_end(ap);
	return call(ioctl, fd, request, arg);
}

int flock(int fd, int op)
{
	return call(flock, fd, op);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	return call(fallocate, fd, mode, offset, len);
}

int dup(int fd)
{
	return call(dup, fd);
}

int dup3(int old, int fd, int flags)
{
	return call(dup3, old, fd, flags);
}

int dup2(int old, int fd)
{
	if (old == fd)
		return fcntl(fd, F_GETFD) < 0 ? -1 : fd;
	return dup3(old, fd, 0);
}

int pipe2(int fds[2], int flags)
{
	return call(pipe2, fds, flags);
}

int pipe(int fds[2])
{
	return pipe2(fds, 0);
}

int fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	return call(newfstatat, dirfd, path, st, flags);
}

int stat(const char *path, struct stat *st)
{
	return fstatat(AT_FDCWD, path, st, 0);
}

int lstat(const char *path, struct stat *st)
{
	return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

int fstat(int fd, struct stat *st)
{
	return call(fstat, fd, st);
}

int statfs(const char *path, struct statfs *st)
{
	return call(statfs, path, st);
}

int fstatfs(int fd, struct statfs *st)
{
	return call(fstatfs, fd, st);
}

/* The kernel's call knows no flags; AT_EACCESS is right for a program that is not set-uid. */
int faccessat(int dirfd, const char *path, int mode, int flags)
{
	if (flags & ~AT_EACCESS) {
		errno = EINVAL;
		return -1;
	}
	return call(faccessat, dirfd, path, mode);
}

int access(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, 0);
}

int chmod(const char *path, mode_t mode)
{
	return call(fchmodat, AT_FDCWD, path, mode);
}

int fchmod(int fd, mode_t mode)
{
	return call(fchmod, fd, mode);
}

int chown(const char *path, uid_t uid, gid_t gid)
{
	return call(fchownat, AT_FDCWD, path, uid, gid, 0);
}

int lchown(const char *path, uid_t uid, gid_t gid)
{
	return call(fchownat, AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	return call(fchown, fd, uid, gid);
}

mode_t umask(mode_t mask)
{
	return call(umask, mask);
}

int utimensat(int dirfd, const char *path, const struct timespec times[2], int flags)
{
	return call(utimensat, dirfd, path, times, flags);
}

int futimens(int fd, const struct timespec times[2])
{
	return call(utimensat, fd, 0, times, 0);
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
	return call(mkdirat, dirfd, path, mode);
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

int mknod(const char *path, mode_t mode, dev_t dev)
{
	return call(mknodat, AT_FDCWD, path, mode, dev);
}

int mkfifo(const char *path, mode_t mode)
{
	return mknod(path, mode | S_IFIFO, 0);
}

int unlinkat(int dirfd, const char *path, int flags)
{
	return call(unlinkat, dirfd, path, flags);
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int remove(const char *path)
{
	if (unlink(path) == 0)
		return 0;
	return errno == EISDIR ? rmdir(path) : -1;
}

int rename(const char *old, const char *path)
{
	return call(renameat2, AT_FDCWD, old, AT_FDCWD, path, 0);
}

int link(const char *old, const char *path)
{
	return call(linkat, AT_FDCWD, old, AT_FDCWD, path, 0);
}

int symlink(const char *target, const char *path)
{
	return call(symlinkat, target, AT_FDCWD, path);
}

ssize_t readlink(const char *path, char *buf, size_t len)
{
	return call(readlinkat, AT_FDCWD, path, buf, len);
}

int truncate(const char *path, off_t len)
{
	return call(truncate, path, len);
}

int ftruncate(int fd, off_t len)
{
	return call(ftruncate, fd, len);
}

int chdir(const char *path)
{
	return call(chdir, path);
}

int fchdir(int fd)
{
	return call(fchdir, fd);
}

int chroot(const char *path)
{
	return call(chroot, path);
}

char *getcwd(char *buf, size_t size)
{
	return call(getcwd, buf, size) < 0 ? NULL : buf;
}

void sync(void)
{
	sys(sync);
}

int syncfs(int fd)
{
	return call(syncfs, fd);
}

int fsync(int fd)
{
	return call(fsync, fd);
}

int fdatasync(int fd)
{
	return call(fdatasync, fd);
}

int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *data)
{
	return call(mount, source, target, type, flags, data);
}

int umount2(const char *target, int flags)
{
	return call(umount2, target, flags);
}

int umount(const char *target)
{
	return umount2(target, 0);
}

int swapon(const char *path, int flags)
{
	return call(swapon, path, flags);
}

int swapoff(const char *path)
{
	return call(swapoff, path);
}

ssize_t getrandom(void *buf, size_t len, unsigned int flags)
{
	return call(getrandom, buf, len, flags);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec left;

	if (timeout)
		left = *timeout; /* the kernel writes what is left of it */
	return call(ppoll, fds, count, timeout ? &left : NULL, mask, sizeof(sigset_t));
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	struct timespec ts = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

	return ppoll(fds, count, timeout_ms < 0 ? NULL : &ts, NULL);
}

int select(int count, fd_set *rd, fd_set *wr, fd_set *ex, struct timeval *timeout)
{
	struct timespec ts;

	if (timeout)
		ts = (struct timespec){timeout->tv_sec, timeout->tv_usec * 1000};
	return call(pselect6, count, rd, wr, ex, timeout ? &ts : NULL, 0);
}

int tcgetattr(int fd, struct termios *t)
{
	return ioctl(fd, TCGETS, t);
}

int tcsetattr(int fd, int action, const struct termios *t)
{
	if (action < TCSANOW || action > TCSAFLUSH) {
		errno = EINVAL;
		return -1;
	}
	return ioctl(fd, TCSETS + action, t);
}

int tcflush(int fd, int queue)
{
	return ioctl(fd, TCFLSH, queue);
}

int tcdrain(int fd)
{
	return ioctl(fd, TCSBRK, 1);
}

void cfmakeraw(struct termios *t)
{
	t->c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	t->c_oflag &= ~OPOST;
	t->c_lflag &= ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	t->c_cflag = (t->c_cflag & ~(CSIZE | PARENB)) | CS8;
	t->c_cc[VMIN] = 1;
	t->c_cc[VTIME] = 0;
}

pid_t tcgetpgrp(int fd)
{
	pid_t pgrp;

	return ioctl(fd, TIOCGPGRP, &pgrp) < 0 ? -1 : pgrp;
}

int tcsetpgrp(int fd, pid_t pgrp)
{
	return ioctl(fd, TIOCSPGRP, &pgrp);
}

int isatty(int fd)
{
	struct termios t;

	return tcgetattr(fd, &t) == 0;
}
