// SPDX-License-Identifier: BSD-2-Clause
/*
 * Text files of procfs: generated whole when read from the start, served from the copy after that, as one open file sees one moment.
 */
#include "fs/procfs/procfs.h"

#define STORE_MAX 4096

/* Field markings and the corresponding locks:
 * (l) lock
 */
struct text {
	struct mutex lock; /* (l) LOCK_PROCFS */
	struct seq seq;	   /* (l) */
	bool made;	   /* (l) */
};

static bool seq_room(struct seq *s, size_t n)
{
	size_t want = s->size ? s->size : 1024;
	char *p;

	if (s->err)
		return false;
	if (s->len + n <= s->size)
		return true;
	while (want < s->len + n)
		want *= 2;
	p = krealloc(s->buf, want, 0);
	if (!p) {
		s->err = -ENOMEM;
		return false;
	}
	s->buf = p;
	s->size = want;
	return true;
}

void seq_write(struct seq *s, const void *p, size_t n)
{
	if (!seq_room(s, n))
		return;
	memcpy(s->buf + s->len, p, n);
	s->len += n;
}

void seq_printf(struct seq *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!seq_room(s, 256))
		return;
	va_start(ap, fmt);
	n = kvsnprintf(s->buf + s->len, s->size - s->len, fmt, ap);
	va_end(ap);
	if ((size_t)n >= s->size - s->len) {
		if (!seq_room(s, n + 1))
			return;
		va_start(ap, fmt);
		n = kvsnprintf(s->buf + s->len, s->size - s->len, fmt, ap);
		va_end(ap);
	}
	s->len += n;
}

/* The open file's text buffer, made on first use. */
static struct text *text_of(struct file *f)
{
	struct text *t = __atomic_load_n(&f->data, __ATOMIC_ACQUIRE), *mine;
	void *none = NULL;

	if (t)
		return t;
	mine = kzalloc(sizeof(*mine));
	if (!mine)
		return NULL;
	mutex_init(&mine->lock, LOCK_PROCFS, "procfs text");
	if (__atomic_compare_exchange_n(&f->data, &none, mine, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return mine;
	kfree(mine);
	return none;
}

static ssize_t text_read(struct file *f, struct uio *u, u64 *pos)
{
	struct text *t;
	ssize_t n;
	bool binary;

	n = procfs_binary_read(f->vnode, *pos, u, &binary);
	if (binary) {
		if (n > 0)
			*pos += n;
		return n;
	}
	t = text_of(f);
	if (!t)
		return -ENOMEM;
	mutex_lock(&t->lock);
	if (!t->made || *pos == 0) {
		int err;

		t->seq.len = 0;
		t->seq.err = 0;
		err = procfs_show(f->vnode, &t->seq);
		t->made = !err && !t->seq.err;
		if (!t->made) {
			mutex_unlock(&t->lock);
			return err ? err : t->seq.err;
		}
	}
	n = 0;
	if (*pos < t->seq.len) {
		size_t want = MIN(t->seq.len - *pos, u->left);

		n = uio_to(u, t->seq.buf + *pos, want);
		if (!n && want)
			n = -EFAULT;
		else
			*pos += n;
	}
	mutex_unlock(&t->lock);
	return n;
}

static ssize_t text_write(struct file *f, struct uio *u, u64 *pos)
{
	size_t n = u->left;
	char small[64], *text = small;
	ssize_t r = -EFAULT;

	if (n > STORE_MAX)
		return -EINVAL;
	if (n >= sizeof(small))
		text = kmalloc(n + 1, 0);
	if (!text)
		return -ENOMEM;
	if (uio_from(u, text, n) == n) {
		text[n] = 0;
		r = procfs_store(f->vnode, text, n);
	}
	if (text != small)
		kfree(text);
	if (r > 0)
		*pos += r;
	return r;
}

static void text_release(struct file *f)
{
	struct text *t = f->data;

	if (!t)
		return;
	kfree(t->seq.buf);
	kfree(t);
}

static s64 text_lseek(struct file *f, s64 off, int whence)
{
	s64 to = whence == 0 ? off : whence == 1 ? (s64)f->pos + off : -1;

	if (to < 0)
		return -EINVAL;
	f->pos = to;
	return to;
}

const struct file_ops procfs_text_ops = {
	.read = text_read,
	.write = text_write,
	.lseek = text_lseek,
	.release = text_release,
};
