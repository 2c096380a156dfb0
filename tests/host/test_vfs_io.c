// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: tests/host/shim/kernel.c tests/host/vfs_shim/vfs_shim.c kernel/lib/rbtree.c fs/tmpfs/tmpfs.c fs/vfs/vfs.c fs/vfs/vnode.c fs/vfs/name.c fs/vfs/lookup.c fs/vfs/attr.c fs/vfs/open.c fs/vfs/namei.c fs/vfs/rename.c fs/vfs/mount.c fs/vfs/file.c fs/vfs/fdtable.c fs/vfs/uio.c fs/vfs/pagecache.c fs/vfs/direct.c fs/vfs/memfd.c fs/vfs/pipe.c fs/vfs/pipelimit.c fs/vfs/poll.c fs/vfs/flock.c fs/vfs/lease.c fs/vfs/writeback.c
// CFLAGS: -iquote tests/host/vfs_shim
/*
 * Bytes and descriptors against naive models: a file as one array, with user memory that is not there now or not there at all; a pipe as a
 * queue of bytes; the descriptor table as an array; record locks as an owner and a type per byte.
 */
#include "vfs_shim/vfs_shim.h"
#include "fs/vfs/vfs_internal.h"

/* ---- contents of a file ---- */

#define FILE_MAX (96 * 1024)

static u8 model[FILE_MAX + 32768], user[65536];
static u64 model_size;

/* Up to three pieces of user memory that together have n bytes. */
static void pieces(struct uio *u, struct iovec_k *v, size_t n)
{
	size_t a = host_rand_below(n + 1), b = host_rand_below(n - a + 1);

	v[0] = (struct iovec_k){(u64)user, a};
	v[1] = (struct iovec_k){(u64)user + a, b};
	v[2] = (struct iovec_k){(u64)user + a + b, n - a - b};
	*u = (struct uio){.iov = v, .niov = 3, .left = n};
}

static size_t some_length(void)
{
	switch (host_rand_below(4)) {
	case 0:
		return host_rand_below(20);
	case 1:
		return PAGE_SIZE;
	case 2:
		return host_rand_below(3 * PAGE_SIZE);
	default:
		return host_rand_below(20000);
	}
}

static u64 some_place(void)
{
	switch (host_rand_below(4)) {
	case 0:
		return model_size;
	case 1:
		return host_rand_below(FILE_MAX / PAGE_SIZE) * PAGE_SIZE;
	default:
		return host_rand_below(FILE_MAX);
	}
}

static void fill_user(size_t n)
{
	for (size_t i = 0; i < n; i++)
		user[i] = (u8)host_rand();
}

static void write_step(struct file *f)
{
	size_t n = some_length(), want = n;
	bool append = host_rand_below(5) == 0;
	u64 pos = some_place(), at = append ? model_size : pos;
	struct iovec_k v[3];
	struct uio u;
	ssize_t r;

	fill_user(n);
	pieces(&u, v, n);
	if (host_rand_below(4) == 0 && n) { /* a hole in user memory */
		shim_bad = (u64)user + host_rand_below(n);
		shim_bad_len = 1 << 20;
		want = shim_bad - (u64)user;
	}
	if (host_rand_below(2))
		shim_nofault_budget =
			host_rand_below(2 * PAGE_SIZE); /* pages that must be faulted in first */
	f->flags = append ? f->flags | O_APPEND : f->flags & ~O_APPEND;
	r = file_write(f, &u, &pos);
	shim_bad_len = 0;
	shim_nofault_budget = ~0UL;
	if (n && !want)
		assert_int_equal(r, -EFAULT);
	if (r <= 0)
		return;
	/* before the hole nothing may be lost, but a new page's worth may be */
	assert_true((size_t)r <= want && (size_t)r + PAGE_SIZE > want);
	assert_true((u64)r == n - u.left);
	assert_true(pos == at + (u64)r);
	if (at > model_size)
		memset(model + model_size, 0, at - model_size);
	memcpy(model + at, user, (size_t)r);
	model_size = MAX(model_size, at + (u64)r);
}

static void read_step(struct file *f)
{
	size_t n = some_length(), expect;
	u64 pos = some_place(), at = pos;
	struct iovec_k v[3];
	struct uio u;
	ssize_t r;

	expect = at >= model_size ? 0 : MIN(n, model_size - at);
	memset(user, 0x5a, n);
	pieces(&u, v, n);
	r = file_read(f, &u, &pos);
	assert_int_equal(r, expect);
	assert_true(pos == at + expect);
	assert_memory_equal(user, model + at, expect);
}

static void truncate_step(struct file *f)
{
	u64 size = some_place();

	assert_int_equal(vfs_truncate(f->vnode, size), 0);
	if (size > model_size)
		memset(model + model_size, 0, size - model_size);
	model_size = size;
}

static void punch_step(struct file *f)
{
	u64 off = some_place(), len = 1 + some_length();

	assert_int_equal(file_fallocate(f, 3, off, len), 0);
	if (off < model_size)
		memset(model + off, 0, MIN(len, model_size - off));
}

static void test_contents(void **state)
{
	struct lookup_ctx c = shim_ctx(NULL);
	struct file *f;

	(void)state;
	assert_int_equal(vfs_open(&c, "/file", O_CREAT | O_RDWR, 0600, &f), 0);
	for (int i = 0; i < 20000; i++) {
		u64 r = host_rand_below(20);

		if (r < 9)
			write_step(f);
		else if (r < 18)
			read_step(f);
		else if (r < 19)
			truncate_step(f);
		else
			punch_step(f);
		assert_true(f->vnode->object->size == model_size);
		assert_int_equal(shim_sleepers(), 0);
		if (model_size > FILE_MAX)
			truncate_step(f);
	}
	file_drop(f);
	assert_int_equal(vfs_unlink(&c, "/file", false), 0);
}

static ssize_t put_bytes(struct file *f, const void *p, size_t n, u64 *pos)
{
	struct iovec_k v = {(u64)p, n};
	struct uio u = {.iov = &v, .niov = 1, .left = n};

	return file_write(f, &u, pos);
}

static ssize_t get_bytes(struct file *f, void *p, size_t n, u64 *pos)
{
	struct iovec_k v = {(u64)p, n};
	struct uio u = {.iov = &v, .niov = 1, .left = n};

	return file_read(f, &u, pos);
}

static void test_limits_and_seek(void **state)
{
	struct lookup_ctx c = shim_ctx(NULL);
	struct file *f;

	(void)state;
	assert_int_equal(vfs_open(&c, "/lim", O_CREAT | O_RDWR, 0600, &f), 0);
	shim_fsize = 100;
	shim_raised = 0;
	assert_int_equal(put_bytes(f, user, 150, NULL), 100);
	assert_int_equal(shim_raised, 0);
	assert_int_equal(put_bytes(f, user, 1, NULL), -EFBIG);
	assert_true(shim_raised == 1UL << 25);
	assert_int_equal(vfs_truncate(f->vnode, 101), -EFBIG);
	shim_fsize = ~0UL;
	assert_int_equal(file_lseek(f, 0, 2), 100);
	assert_int_equal(file_lseek(f, -101, 1), -EINVAL);
	assert_int_equal(file_lseek(f, 10, 3), 10);
	assert_int_equal(file_lseek(f, 10, 4), 100);
	assert_int_equal(file_lseek(f, 100, 3), -ENXIO);
	assert_int_equal(file_lseek(f, 0, 5), -EINVAL);
	assert_int_equal(file_lseek(f, INT64_MAX, 1), -EOVERFLOW);
	file_drop(f);
	assert_int_equal(vfs_open(&c, "/lim", O_RDONLY, 0, &f), 0);
	assert_int_equal(put_bytes(f, user, 1, NULL), -EBADF);
	file_drop(f);
	assert_int_equal(vfs_open(&c, "/lim", O_WRONLY | O_TRUNC, 0, &f), 0);
	assert_int_equal(get_bytes(f, user, 1, NULL), -EBADF);
	assert_int_equal(f->vnode->object->size, 0);
	file_drop(f);
	assert_int_equal(vfs_open(&c, "/", O_RDONLY, 0, &f), 0);
	assert_int_equal(get_bytes(f, user, 1, NULL), -EISDIR);
	file_drop(f);
}

/* tmpfs keeps to its size, and gives a short write before ENOSPC. */
static void test_tmpfs_size(void **state)
{
	struct lookup_ctx c = shim_ctx(NULL);
	struct statfs64_info info;
	struct file *f;
	ssize_t n, sum = 0;

	(void)state;
	assert_int_equal(vfs_mkdir(&c, "/small", 0755), 0);
	assert_int_equal(vfs_mount(&c, "s", "/small", "tmpfs", 0, "size=64k"), 0);
	assert_int_equal(vfs_open(&c, "/small/f", O_CREAT | O_RDWR, 0600, &f), 0);
	while ((n = put_bytes(f, user, 10000, NULL)) > 0)
		sum += n;
	assert_int_equal(n, -ENOSPC);
	assert_int_equal(sum, 65536);
	assert_int_equal(vfs_statfs(f->vnode->mount, &info), 0);
	assert_int_equal(info.blocks, 16);
	assert_int_equal(info.bfree, 0);
	assert_int_equal(file_lseek(f, 1000, 0), 1000);
	assert_int_equal(put_bytes(f, user, 10000, NULL), 10000); /* over what is there */
	assert_int_equal(vfs_truncate(f->vnode, 0), 0);
	assert_int_equal(vfs_statfs(f->vnode->mount, &info), 0);
	assert_int_equal(info.bfree, 16);
	file_drop(f);
	assert_int_equal(vfs_umount(&c, "/small", 0), 0);
}

/* ---- pipes ---- */

static void test_pipe(void **state)
{
	static u8 queue[1 << 22], got[70000];
	struct file *end[2];
	u64 head = 0, tail = 0, capacity = 65536, before = shim_memory();

	(void)state;
	assert_int_equal(pipe_create(end, O_NONBLOCK, NULL), 0);
	while (tail + 70000 < sizeof(queue)) {
		size_t n = host_rand_below(3) ? host_rand_below(5000) : host_rand_below(66000);
		u64 what = host_rand_below(20);
		ssize_t r;

		if (what < 10) {
			u64 room = capacity - (tail - head);

			for (size_t i = 0; i < n; i++)
				queue[tail + i] = (u8)host_rand();
			r = put_bytes(end[1], queue + tail, n, NULL);
			if (!n)
				assert_int_equal(r, 0);
			else if (n <= 4096 && room < n)
				assert_int_equal(r, -EAGAIN); /* whole or not at all */
			else
				assert_int_equal(r, room ? (ssize_t)MIN(n, room) : -EAGAIN);
			tail += r > 0 ? (u64)r : 0;
		} else if (what < 19) {
			r = get_bytes(end[0], got, n, NULL);
			if (n && head == tail)
				assert_int_equal(r, -EAGAIN);
			else
				assert_int_equal(r, MIN(n, tail - head));
			if (r > 0) {
				assert_memory_equal(got, queue + head, (size_t)r);
				head += (u64)r;
			}
		} else {
			u64 want = PAGE_SIZE << host_rand_below(6);
			long size = pipe_size(end[0], want);

			if (tail - head > want) {
				assert_int_equal(size, -EBUSY);
			} else {
				assert_int_equal(size, want);
				capacity = want;
			}
		}
		assert_int_equal(pipe_size(end[1], 0), capacity);
		assert_int_equal(file_poll(end[0], NULL) & POLLIN, head < tail ? POLLIN : 0);
		assert_int_equal(file_poll(end[1], NULL) & POLLOUT,
				 capacity - (tail - head) >= 4096 ? POLLOUT : 0);
	}
	file_drop(end[0]);
	shim_raised = 0;
	assert_int_equal(put_bytes(end[1], "x", 1, NULL), -EPIPE);
	assert_true(shim_raised == 1UL << 13);
	assert_int_equal(file_poll(end[1], NULL) & POLLERR, POLLERR);
	file_drop(end[1]);
	assert_int_equal(shim_memory(), before);
}

static void test_pipe_end(void **state)
{
	struct file *end[2];
	char c;

	(void)state;
	assert_int_equal(pipe_create(end, 0, NULL), 0);
	assert_int_equal(put_bytes(end[1], "ab", 2, NULL), 2);
	file_drop(end[1]);
	assert_int_equal(file_poll(end[0], NULL), POLLIN | POLLRDNORM | POLLHUP);
	assert_int_equal(get_bytes(end[0], &c, 1, NULL), 1);
	assert_int_equal(get_bytes(end[0], &c, 1, NULL), 1);
	assert_int_equal(get_bytes(end[0], &c, 1, NULL), 0);
	assert_int_equal(file_lseek(end[0], 0, 0), -ESPIPE);
	file_drop(end[0]);
}

static void test_fifo(void **state)
{
	struct lookup_ctx c = shim_ctx(NULL);
	struct file *r, *w;
	char buf[4];

	(void)state;
	assert_int_equal(vfs_mknod(&c, "/fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(vfs_open(&c, "/fifo", O_WRONLY | O_NONBLOCK, 0, &w), -ENXIO);
	assert_int_equal(vfs_open(&c, "/fifo", O_RDONLY, 0, &r),
			 -ERESTARTSYS); /* waits for a writer */
	assert_int_equal(vfs_open(&c, "/fifo", O_RDONLY | O_NONBLOCK, 0, &r), 0);
	assert_int_equal(get_bytes(r, buf, 4, NULL), 0);
	assert_int_equal(vfs_open(&c, "/fifo", O_WRONLY, 0, &w), 0);
	assert_int_equal(get_bytes(r, buf, 4, NULL), -EAGAIN);
	assert_int_equal(put_bytes(w, "abc", 3, NULL), 3);
	assert_int_equal(get_bytes(r, buf, 4, NULL), 3);
	file_drop(w);
	file_drop(r);
	assert_int_equal(vfs_unlink(&c, "/fifo", false), 0);
}

/* ---- descriptors ---- */

#define FDS 700

static void test_fdtable(void **state)
{
	static struct file *have[FDS];
	static bool exec[FDS];
	struct fdtable *t = fdtable_create(), *copy;
	struct lookup_ctx c = shim_ctx(NULL);
	struct file *f;

	(void)state;
	memset(have, 0, sizeof(have));
	for (int i = 0; i < 60000; i++) {
		int min = (int)host_rand_below(host_rand_below(4) ? 1 : FDS),
		    fd = (int)host_rand_below(FDS), expect, r;
		bool grow = i / 10000 % 2 == 0;

		if (host_rand_below(10) < (grow ? 6 : 4)) {
			for (expect = min; expect < FDS && have[expect]; expect++)
				;
			assert_int_equal(vfs_open(&c, "/", O_RDONLY, 0, &f), 0);
			r = fd_alloc(t, f, min, i & 1, FDS);
			if (expect == FDS) {
				assert_int_equal(r, -EMFILE);
				file_drop(f);
			} else {
				assert_int_equal(r, expect);
				have[r] = f;
				exec[r] = i & 1;
			}
		} else if (host_rand_below(8)) {
			assert_int_equal(fd_close(t, fd), have[fd] ? 0 : -EBADF);
			have[fd] = NULL;
		} else {
			int to = (int)host_rand_below(FDS);

			r = fd_dup_to(t, fd, to, i & 1, FDS);
			assert_int_equal(r, have[fd] ? to : -EBADF);
			if (r >= 0 && fd != to) {
				have[to] = have[fd];
				exec[to] = i & 1;
			}
		}
		f = fd_get(t, fd);
		assert_ptr_equal(f, have[fd]);
		if (f) {
			assert_int_equal(fd_cloexec(t, fd, -1), exec[fd]);
			file_drop(f);
		}
		for (expect = fd; expect < FDS && !have[expect]; expect++)
			;
		assert_int_equal(fd_next(t, fd), expect == FDS ? -1 : expect);
	}
	copy = fdtable_copy(t);
	fdtable_drop(t);
	fdtable_close_exec(copy);
	for (int fd = 0; fd < FDS; fd++) {
		f = fd_get(copy, fd);
		assert_ptr_equal(f, have[fd] && !exec[fd] ? have[fd] : NULL);
		if (f)
			file_drop(f);
	}
	fdtable_drop(copy);
}

static void test_fd_limits(void **state)
{
	struct fdtable *t = fdtable_create();
	struct lookup_ctx c = shim_ctx(NULL);
	struct file *f;
	int fd;

	(void)state;
	assert_int_equal(vfs_open(&c, "/", O_RDONLY, 0, &f), 0);
	fd = fd_reserve(t, 0, false, 10);
	assert_int_equal(fd, 0);
	assert_null(fd_get(t, 0));
	assert_int_equal(fd_close(t, 0), -EBADF);
	assert_int_equal(fd_alloc(t, f, 0, false, 1), -EMFILE);
	assert_int_equal(fd_alloc(t, f, 100000, false, ~0UL), 100000);
	assert_int_equal(fd_dup_to(t, 100000, 0, false, ~0UL), -EBUSY);
	fd_unreserve(t, 0);
	assert_int_equal(fd_dup_to(t, 100000, 0, false, ~0UL), 0);
	assert_int_equal(fd_dup_to(t, 100000, 1 << 20, false, ~0UL), -EMFILE);
	assert_int_equal(fd_dup_to(t, 0, -1, false, ~0UL), -EBADF);
	fdtable_drop(t);
}

/* ---- record locks ---- */

#define BYTES  40
#define OWNERS 4

static void test_record_locks(void **state)
{
	char held[OWNERS][BYTES]; /* 0 nothing, 1 read, 2 write */
	struct lookup_ctx c = shim_ctx(NULL);
	char owner[OWNERS];
	struct file *f;

	(void)state;
	memset(held, 0, sizeof(held));
	assert_int_equal(vfs_open(&c, "/locks", O_CREAT | O_RDWR, 0600, &f), 0);
	for (int i = 0; i < 30000; i++) {
		int o = (int)host_rand_below(OWNERS), type = (int)host_rand_below(3),
		    start = (int)host_rand_below(BYTES);
		int len = 1 + (int)host_rand_below((u64)(BYTES - start)), expect = 0, who = -1;
		struct flock_k l = {.type = (s16)type, .start = start, .len = len};

		for (int b = start; b < start + len && type != 2; b++) {
			for (int k = 0; k < OWNERS; k++) {
				if (k != o && held[k][b] && (type == 1 || held[k][b] == 2)) {
					expect = -EAGAIN;
					who = k;
				}
			}
		}
		if (type != 2 && i % 3 == 0) {
			assert_int_equal(file_record_lock(f, 5, &l, &owner[o], 100 + o), 0);
			assert_int_equal(l.type == 2, who < 0);
			if (who >= 0) {
				assert_in_range(l.pid, 100, 100 + OWNERS - 1);
				assert_int_equal(held[l.pid - 100][l.start], l.type + 1);
			}
			continue;
		}
		assert_int_equal(file_record_lock(f, 6, &l, &owner[o], 100 + o), expect);
		if (!expect)
			memset(held[o] + start, type == 2 ? 0 : type + 1, (size_t)len);
	}
	for (int o = 0; o < OWNERS; o++)
		flock_owner_closed(f, &owner[o]);
	file_drop(f);
	assert_int_equal(vfs_unlink(&c, "/locks", false), 0);
}

static void test_flock(void **state)
{
	struct lookup_ctx c = shim_ctx(NULL);
	struct file *a, *b;

	(void)state;
	assert_int_equal(vfs_open(&c, "/flock", O_CREAT | O_RDWR, 0600, &a), 0);
	assert_int_equal(vfs_open(&c, "/flock", O_RDWR, 0600, &b), 0);
	assert_int_equal(file_flock(a, 1), 0);
	assert_int_equal(file_flock(b, 1), 0);
	assert_int_equal(file_flock(a, 2 | 4), -EAGAIN);
	assert_int_equal(file_flock(a, 2), -ERESTARTSYS);
	assert_int_equal(file_flock(b, 8), 0);
	assert_int_equal(file_flock(a, 2 | 4), 0);
	assert_int_equal(file_flock(b, 1 | 4), -EAGAIN);
	file_drop(a);
	assert_int_equal(file_flock(b, 2 | 4), 0);
	file_drop(b);
	assert_int_equal(vfs_unlink(&c, "/flock", false), 0);
}

static void test_memfd(void **state)
{
	struct file *f = memfd_create_file("name", 0, NULL);
	struct path p;
	char text[64];
	u64 pos = 5000;

	(void)state;
	assert_false(IS_ERR(f));
	assert_int_equal(put_bytes(f, "hello", 5, &pos), 5);
	pos = 4998;
	assert_int_equal(get_bytes(f, text, 64, &pos), 7);
	assert_memory_equal(text, "\0\0hello", 7);
	assert_int_equal(file_path(f, &p), 0);
	assert_true(path_string(&p, NULL, text, sizeof(text)) > 0);
	assert_string_equal(text, "/memfd:name (deleted)");
	path_put(&p);
	file_drop(f);
}

static int setup(void **state)
{
	(void)state;
	host_harts(1);
	shim_boot();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents),     cmocka_unit_test(test_limits_and_seek),
		cmocka_unit_test(test_tmpfs_size),   cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_pipe_end),     cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_fdtable),	     cmocka_unit_test(test_fd_limits),
		cmocka_unit_test(test_record_locks), cmocka_unit_test(test_flock),
		cmocka_unit_test(test_memfd),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
