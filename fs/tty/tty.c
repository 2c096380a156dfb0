// SPDX-License-Identifier: BSD-2-Clause
/*
 * Terminals as devices: one struct tty for every serial port, /dev/console (the port that messages go to) and /dev/tty (the
 * controlling terminal of whoever opens it).  Owns struct tty and its life; terminals of ports exist for ever.
 *
 * The parts: ldisc.c edits lines, io.c moves bytes, job.c knows sessions, ioctl.c settings.
 */

#include "fs/tty/tty_internal.h"
#include "kernel/boot/init.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/ref.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"

#define TTY_MAJOR 4
#define AUX_MAJOR 5

const struct tty_hooks *tty_hooks;

void tty_set_hooks(const struct tty_hooks *h)
{
	ASSERT(!tty_hooks);
	tty_hooks = h;
}

void tty_hold(struct tty *t)
{
	u32 old = ref_get(&t->refs);

	ASSERTF(old > 0, "%s", t->dev.name);
}

void tty_drop(struct tty *t)
{
	u32 old = __atomic_fetch_sub(&t->refs, 1, __ATOMIC_RELEASE);

	ASSERTF(old > 1, "%s: the last hold is the port's own", t->dev.name);
}

u64 tty_devno(const struct tty *t)
{
	return t->dev.rdev;
}

s32 tty_pgrp(const struct tty *t)
{
	return READ_ONCE(t->pgrp);
}

/* ---- opening ---- */

static int open_tty(struct tty *t, struct file *f, bool console)
{
	struct tty_file *tf;

	if (READ_ONCE(t->exclusive) && !(f->cred && f->cred->caps))
		return -EBUSY;
	tf = kzalloc(sizeof(*tf));
	if (!tf)
		return -ENOMEM;
	tty_hold(t);
	*tf = (struct tty_file){.tty = t, .hangups = READ_ONCE(t->hangups), .console = console};
	f->data = tf;
	f->ops = &tty_file_ops;
	if (!console)
		tty_open_ctty(t, f->flags);
	return 0;
}

static int port_open(struct vnode *vn, struct file *f)
{
	struct char_dev *d = chrdev_find(vn->rdev);

	return d && d->data ? open_tty(d->data, f, false) : -ENODEV;
}

static int console_open(struct vnode *vn, struct file *f)
{
	struct char_dev *d = chrdev_find(vn->rdev);

	return d && d->data ? open_tty(d->data, f, true) : -ENODEV;
}

static int current_open(struct vnode *vn __unused, struct file *f)
{
	struct tty *t = tty_hooks ? tty_hooks->current_ctty() : NULL;
	int err;

	if (!t)
		return -ENXIO;
	err = open_tty(t, f, false);
	tty_drop(t);
	return err;
}

static void tty_release(struct file *f)
{
	struct tty_file *tf = f->data;

	if (!tf)
		return; /* the open failed */
	f->data = NULL;
	tty_drop(tf->tty);
	kfree(tf);
}

const struct file_ops tty_file_ops = {
	.read = tty_read,
	.write = tty_write,
	.ioctl = tty_ioctl,
	.poll = tty_poll,
	.release = tty_release,
	.stream = true,
};

/* ---- start ---- */

static struct char_dev console_dev = {
	.name = "console",
	.rdev = (u64)AUX_MAJOR << 8 | 1,
	.mode = S_IFCHR | 0600,
	.fops = &tty_file_ops,
	.open = console_open,
};
static struct char_dev current_dev = {
	.name = "tty",
	.rdev = (u64)AUX_MAJOR << 8,
	.mode = S_IFCHR | 0666,
	.fops = &tty_file_ops,
	.open = current_open,
};

static struct tty *tty_create(struct serial *port)
{
	struct tty *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->refs = 1;
	t->port = port;
	mutex_init(&t->lock, LOCK_TTY, "tty");
	waitq_init(&t->read_wait);
	waitq_init(&t->write_wait);
	waitq_init(&t->work_wait);
	ldisc_init(&t->ld);
	t->dev = (struct char_dev){
		.name = port->name,
		.rdev = makedev(TTY_MAJOR, port->minor),
		.mode = S_IFCHR | 0620,
		.fops = &tty_file_ops,
		.open = port_open,
		.data = t,
	};
	return t;
}

static void register_dev(struct char_dev *d)
{
	int err = chrdev_register(d);

	if (err)
		kprintf("tty: %s: cannot be registered: error %d\n", d->name, -err);
}

void tty_init(void)
{
	struct serial *port, *console = serial_console();
	unsigned n;

	for (n = 0; (port = serial_get(n)); n++) {
		struct tty *t = tty_create(port);

		if (!t) {
			kprintf("tty: %s: no memory\n", port->name);
			continue;
		}
		if (port == console)
			console_dev.data = t;
		tty_port_start(t);
		register_dev(&t->dev);
	}
	register_dev(&current_dev);
	if (console_dev.data)
		register_dev(&console_dev);
	else
		kprintf("tty: no serial port is the console: /dev/console does not exist\n");
}
INITCALL(LATE, tty_init);
