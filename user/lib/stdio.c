// SPDX-License-Identifier: BSD-2-Clause
/*
 * stdio.c - FILE streams on Linux descriptors, under picolibc's tinystdio.
 *
 * tinystdio moves single characters through a stream's put and get functions; here they
 * work on a buffer. Only the public part of picolibc's FILE is used, so that any of its
 * versions fits. All open streams are on a list, for fflush(NULL) and exit().
 *
 *	buf: |....done....|....ready....|          |     reading: pos..len are unread
 *	     0           pos           len        size   writing: 0..len are unwritten
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE 4096

struct stream {
	struct __file_ext ext;
	int fd;
	int mode;    /* _IOFBF, _IOLBF, _IONBF, or -1: to be chosen at the first write */
	int writing; /* buf holds bytes to be written */
	char *buf;
	size_t size; /* of buf; 0 before the first use */
	size_t pos;
	size_t len;
	struct stream *next;
};

static int stream_put(char c, FILE *f);
static int stream_get(FILE *f);
static int stream_flush(FILE *f);
static int stream_close(FILE *f);
static __off_t stream_seek(FILE *f, __off_t offset, int whence);
static int stream_setvbuf(FILE *f, char *buf, int mode, size_t size);

#define STREAM_INIT(flags)                                                              \
	FDEV_SETUP_EXT(stream_put, stream_get, stream_flush, stream_close, stream_seek, \
		       stream_setvbuf, flags)

static struct stream err = {.ext = STREAM_INIT(_FDEV_SETUP_WRITE), .fd = 2, .mode = _IONBF};
static struct stream out = {
	.ext = STREAM_INIT(_FDEV_SETUP_WRITE), .fd = 1, .mode = -1, .next = &err};
static struct stream in = {.ext = STREAM_INIT(_FDEV_SETUP_READ), .fd = 0, .mode = -1, .next = &out};
static struct stream *streams = &in;

FILE *const stdin = &in.ext.cfile.file;
FILE *const stdout = &out.ext.cfile.file;
FILE *const stderr = &err.ext.cfile.file;

static struct stream *to_stream(FILE *f)
{
	return (struct stream *)f;
}

static int is_stream(FILE *f)
{
	return f->put == stream_put;
}

static int write_all(struct stream *s, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(s->fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* What could not be written is dropped, as the error is reported once. */
static int flush_output(struct stream *s)
{
	size_t n = s->len;

	if (!s->writing)
		return 0;
	s->len = s->pos = 0;
	return write_all(s, s->buf, n);
}

static int need_buffer(struct stream *s)
{
	int saved = errno;

	if (s->mode < 0)
		s->mode = isatty(s->fd) ? _IOLBF : _IOFBF;
	errno = saved;
	if (s->size)
		return 0;
	s->buf = malloc(BUFFER_SIZE);
	if (!s->buf)
		return -1;
	s->size = BUFFER_SIZE;
	return 0;
}

/* Leaves reading: the kernel's position becomes the program's. */
static void stop_reading(struct stream *s)
{
	if (s->pos < s->len)
		lseek(s->fd, (off_t)s->pos - (off_t)s->len, SEEK_CUR);
	s->pos = s->len = 0;
	s->writing = 1;
}

static int stream_put(char c, FILE *f)
{
	struct stream *s = to_stream(f);

	if (s->mode == _IONBF)
		return write_all(s, &c, 1) < 0 ? EOF : 0;
	if (need_buffer(s) < 0)
		return EOF;
	if (!s->writing)
		stop_reading(s);
	s->buf[s->len++] = c;
	if (s->len == s->size || (c == '\n' && s->mode == _IOLBF))
		return flush_output(s) < 0 ? EOF : 0;
	return 0;
}

static ssize_t fill(struct stream *s)
{
	ssize_t n;

	if (s->fd == 0 && out.mode == _IOLBF)
		flush_output(&out);
	do
		n = read(s->fd, s->buf, s->mode == _IONBF ? 1 : s->size);
	while (n < 0 && errno == EINTR);
	s->pos = 0;
	s->len = n > 0 ? (size_t)n : 0;
	return n;
}

static int stream_get(FILE *f)
{
	struct stream *s = to_stream(f);

	if (need_buffer(s) < 0)
		return _FDEV_ERR;
	if (s->writing) {
		flush_output(s);
		s->writing = 0;
	}
	if (s->pos == s->len) {
		ssize_t n = fill(s);

		if (n <= 0)
			return n < 0 ? _FDEV_ERR : _FDEV_EOF;
	}
	return (unsigned char)s->buf[s->pos++];
}

static int stream_flush(FILE *f)
{
	return flush_output(to_stream(f)) < 0 ? EOF : 0;
}

static __off_t stream_seek(FILE *f, __off_t offset, int whence)
{
	struct stream *s = to_stream(f);

	if (flush_output(s) < 0)
		return -1;
	if (!s->writing && whence == SEEK_CUR)
		offset -= (off_t)(s->len - s->pos);
	if (!s->writing)
		s->pos = s->len = 0;
	return lseek(s->fd, offset, whence);
}

static void drop_buffer(struct stream *s)
{
	if (s->size)
		free(s->buf);
	s->buf = NULL;
	s->size = s->pos = s->len = 0;
}

/* Only the mode counts: the caller's buffer is not used. */
static int stream_setvbuf(FILE *f, char *buf, int mode, size_t size)
{
	struct stream *s = to_stream(f);

	(void)buf;
	(void)size;
	flush_output(s);
	s->mode = mode;
	return 0;
}

static int stream_close(FILE *f)
{
	struct stream *s = to_stream(f), **link;
	int result = flush_output(s);

	for (link = &streams; *link && *link != s; link = &(*link)->next)
		;
	if (*link)
		*link = s->next;
	drop_buffer(s);
	if (close(s->fd) < 0)
		result = -1;
	if (s != &in && s != &out && s != &err)
		free(s);
	return result < 0 ? EOF : 0;
}

/* picolibc's own would free or skip; the close method does all there is to do. */
int fclose(FILE *f)
{
	if (is_stream(f))
		return stream_close(f);
	if (f->flags & __SCLOSE)
		return ((struct __file_close *)f)->close(f);
	return 0;
}

int fflush(FILE *f)
{
	if (f)
		return f->flush ? f->flush(f) : 0;
	for (struct stream *s = streams; s; s = s->next)
		flush_output(s);
	return 0;
}

void __stdio_flush_all(void)
{
	fflush(NULL);
}

int fileno(FILE *f)
{
	if (is_stream(f))
		return to_stream(f)->fd;
	errno = EBADF;
	return -1;
}

/* fopen's mode string as open's flags, or -1. */
static int open_flags(const char *mode)
{
	int plus = strchr(mode, '+') != NULL;
	int flags = strchr(mode, 'e') ? O_CLOEXEC : 0;

	if (strchr(mode, 'x'))
		flags |= O_EXCL;
	switch (*mode) {
	case 'r':
		return flags | (plus ? O_RDWR : O_RDONLY);
	case 'w':
		return flags | (plus ? O_RDWR : O_WRONLY) | O_CREAT | O_TRUNC;
	case 'a':
		return flags | (plus ? O_RDWR : O_WRONLY) | O_CREAT | O_APPEND;
	default:
		errno = EINVAL;
		return -1;
	}
}

static void stream_setup(struct stream *s, int fd, int flags)
{
	int access = flags & O_ACCMODE;
	int dir = access == O_RDONLY   ? _FDEV_SETUP_READ
		  : access == O_WRONLY ? _FDEV_SETUP_WRITE
				       : _FDEV_SETUP_RW;

	*s = (struct stream){.ext = STREAM_INIT(0), .fd = fd, .mode = -1, .next = streams};
	s->ext.cfile.file.flags |= dir;
	streams = s;
}

FILE *fdopen(int fd, const char *mode)
{
	int flags = open_flags(mode);
	struct stream *s;

	if (flags < 0)
		return NULL;
	s = malloc(sizeof(*s));
	if (!s)
		return NULL;
	stream_setup(s, fd, flags);
	return &s->ext.cfile.file;
}

FILE *fopen(const char *path, const char *mode)
{
	int flags = open_flags(mode);
	int fd = flags < 0 ? -1 : open(path, flags, 0666);
	FILE *f;

	if (fd < 0)
		return NULL;
	f = fdopen(fd, mode);
	if (!f)
		close(fd);
	return f;
}

FILE *freopen(const char *path, const char *mode, FILE *f)
{
	struct stream *s = to_stream(f);
	int flags = open_flags(mode);
	int fd;

	flush_output(s);
	fd = flags < 0 ? -1 : open(path, flags, 0666);
	if (fd < 0) {
		fclose(f);
		return NULL;
	}
	dup3(fd, s->fd, flags & O_CLOEXEC);
	close(fd);
	s->pos = s->len = 0;
	s->writing = 0;
	s->mode = -1;
	f->flags &= ~(__SERR | __SEOF | __SRD | __SWR);
	f->flags |= (flags & O_ACCMODE) == O_RDONLY   ? __SRD
		    : (flags & O_ACCMODE) == O_WRONLY ? __SWR
						      : __SRD | __SWR;
	return f;
}

int setvbuf(FILE *f, char *buf, int mode, size_t size)
{
	return is_stream(f) ? stream_setvbuf(f, buf, mode, size) : 0;
}

/* Large writes and reads skip the buffer where that changes nothing. */
size_t fwrite(const void *p, size_t size, size_t count, FILE *f)
{
	const char *bytes = p;
	size_t n = size * count, i;

	if (!(f->flags & __SWR) || n == 0)
		return 0;
	if (is_stream(f) && (n >= BUFFER_SIZE || to_stream(f)->mode == _IONBF)) {
		struct stream *s = to_stream(f);

		if (!s->writing)
			stop_reading(s);
		if (flush_output(s) < 0 || write_all(s, bytes, n) < 0) {
			f->flags |= __SERR;
			return 0;
		}
		return count;
	}
	for (i = 0; i < n; i++) {
		if (f->put(bytes[i], f) < 0) {
			f->flags |= __SERR;
			break;
		}
	}
	return i / size;
}
