// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bytes between ports, the line discipline and programs.
 *
 *	interrupt -> rx ring -> worker thread -> ldisc -> readers
 *	writers, echo -> ldisc_opost -> out ring -> port's own queue -> interrupt
 *
 * The interrupt only stores and wakes; everything else happens under the terminal's lock, which is never held while
 * waiting for input or for room.  Who waits samples input_seq or output_seq under the lock, lets go, and sleeps until
 * it has changed.  The rx ring has one producer (the port's interrupt) and one consumer (the worker), so it needs no lock.
 */

#include "fs/tty/tty_internal.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/time.h"

#define CHUNK 256u

BUILD_ASSERT((TTY_RX_SIZE & (TTY_RX_SIZE - 1)) == 0);
BUILD_ASSERT((TTY_OUT_SIZE & (TTY_OUT_SIZE - 1)) == 0);

void tty_input_changed_locked(struct tty *t)
{
	WRITE_ONCE(t->input_seq, t->input_seq + 1);
	waitq_wake_all(&t->read_wait);
}

void tty_output_changed_locked(struct tty *t)
{
	WRITE_ONCE(t->output_seq, t->output_seq + 1);
	waitq_wake_all(&t->write_wait);
}

/* ---- output ---- */

static u64 out_used(const struct tty *t)
{
	return t->out_head - t->out_tail;
}

/* How many bytes a program may write now. */
static u64 out_room(const struct tty *t)
{
	u64 limit = TTY_OUT_SIZE - TTY_ECHO_RESERVE, used = out_used(t);

	return used < limit ? (limit - used) / LDISC_OPOST_MAX : 0;
}

/* ldisc's out: echo that finds no room is lost; writers have made sure that there is some. */
static void out_byte(struct ldisc *l, u8 c)
{
	struct tty *t = container_of(l, struct tty, ld);

	if (out_used(t) < TTY_OUT_SIZE)
		t->out[t->out_head++ % TTY_OUT_SIZE] = c;
}

void tty_pump_locked(struct tty *t)
{
	u64 before = t->out_tail;

	ASSERT(mutex_held(&t->lock));
	while (out_used(t) && !t->ld.stopped) {
		u64 at = t->out_tail % TTY_OUT_SIZE;
		u64 n = MIN(out_used(t), TTY_OUT_SIZE - at);
		size_t sent = t->port->ops->write(t->port, (const char *)&t->out[at], n);

		ASSERT(sent <= n);
		if (!sent)
			break;
		t->out_tail += sent;
	}
	if (t->out_tail != before)
		tty_output_changed_locked(t);
}

static void flush_output(struct ldisc *l)
{
	struct tty *t = container_of(l, struct tty, ld);

	t->out_tail = t->out_head;
	tty_output_changed_locked(t);
}

static void flow_changed(struct ldisc *l)
{
	struct tty *t = container_of(l, struct tty, ld);

	tty_pump_locked(t);
}

static void signal_typed(struct ldisc *l, enum ldisc_signal s)
{
	static const int sigs[] = {
		[LDISC_INTR] = SIGINT, [LDISC_QUIT] = SIGQUIT, [LDISC_SUSP] = SIGTSTP};

	tty_signal_foreground(container_of(l, struct tty, ld), sigs[s]);
}

/* ---- input ---- */

/* The port's interrupt. What finds no room is lost, as on the wire. */
static void port_rx(struct serial *s, const char *p, size_t n)
{
	struct tty *t = s->tty;
	u64 head = t->rx_head;
	u64 room = TTY_RX_SIZE - (head - __atomic_load_n(&t->rx_tail, __ATOMIC_ACQUIRE));

	for (n = MIN(n, room); n; n--)
		t->rx[head++ % TTY_RX_SIZE] = (u8)*p++;
	__atomic_store_n(&t->rx_head, head, __ATOMIC_RELEASE);
	waitq_wake_all(&t->work_wait);
}

static void port_tx_room(struct serial *s)
{
	struct tty *t = s->tty;

	__atomic_store_n(&t->tx_ready, 1, __ATOMIC_RELEASE);
	waitq_wake_all(&t->work_wait);
}

static u64 rx_pending(struct tty *t)
{
	return __atomic_load_n(&t->rx_head, __ATOMIC_ACQUIRE) - t->rx_tail;
}

static bool work_to_do(struct tty *t)
{
	return (rx_pending(t) && !READ_ONCE(t->throttled)) ||
	       __atomic_load_n(&t->tx_ready, __ATOMIC_ACQUIRE);
}

/* Feeds the discipline as much as it takes. */
static void take_input_locked(struct tty *t) REQUIRES(t->lock)
{
	u64 pending;
	bool any = false;

	while ((pending = rx_pending(t))) {
		u64 at = t->rx_tail % TTY_RX_SIZE;
		u64 n = MIN(MIN(pending, TTY_RX_SIZE - at), ldisc_room(&t->ld));

		WRITE_ONCE(t->throttled, n == 0);
		if (!n)
			break;
		ldisc_input(&t->ld, &t->rx[at], n);
		__atomic_store_n(&t->rx_tail, t->rx_tail + n, __ATOMIC_RELEASE);
		any = true;
	}
	if (any)
		tty_input_changed_locked(t);
}

void tty_unthrottle_locked(struct tty *t)
{
	if (!t->throttled || !ldisc_room(&t->ld))
		return;
	WRITE_ONCE(t->throttled, false);
	waitq_wake_all(&t->work_wait);
}

static void worker(void *arg)
{
	struct tty *t = arg;

	for (;;) {
		wait_event_intr(&t->work_wait, work_to_do(t));
		__atomic_store_n(&t->tx_ready, 0, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* before asking the port */
		mutex_lock(&t->lock);
		take_input_locked(t);
		tty_pump_locked(t);
		mutex_unlock(&t->lock);
	}
}

void tty_port_start(struct tty *t)
{
	t->ld.out = out_byte;
	t->ld.signal = signal_typed;
	t->ld.flush_output = flush_output;
	t->ld.flow = flow_changed;
	if (!kthread_run(t->port->name, worker, t))
		panic("%s: no memory for its thread", t->port->name);
	t->port->tty = t;
	t->port->tx_room = port_tx_room;
	__atomic_store_n(&t->port->rx, port_rx, __ATOMIC_RELEASE);
}

/* ---- read ---- */

/* How a raw read waits (termios(3)): for `min` bytes; `first` and `between` are time limits in ns, 0: none. */
struct raw_wait {
	size_t min;
	u64 first, between;
	bool at_once;
};

#define TENTH (NSEC_PER_SEC / 10)

static struct raw_wait raw_wait(const struct ldisc *l, size_t n)
{
	u8 min = l->tio.cc[VMIN], time = l->tio.cc[VTIME];

	if (min)
		return (struct raw_wait){.min = MIN((size_t)min, n), .between = time * TENTH};
	return (struct raw_wait){.min = 1, .first = time * TENTH, .at_once = !time};
}

/* Sleeps until input_seq is no longer seq. Drops the lock meanwhile. 0, -ETIMEDOUT, -ERESTARTSYS. */
static int wait_input(struct tty *t, u64 seq, u64 deadline) REQUIRES(t->lock)
{
	int err;

	mutex_unlock(&t->lock);
	err = wait_event_until(&t->read_wait, READ_ONCE(t->input_seq) != seq, WAIT_INTR, deadline);
	mutex_lock(&t->lock);
	return err == -EINTR ? -ERESTARTSYS : err;
}

/* Waits, lock held, until there is something to read. 0; 1: the read is to return 0 bytes; -EAGAIN, -ERESTARTSYS, -EIO. */
static int wait_readable(struct file *f, struct tty *t, size_t want) REQUIRES(t->lock)
{
	u64 start = time_now(), last = 0;
	size_t had = 0;

	for (;;) {
		bool canon = t->ld.tio.lflag & ICANON;
		struct raw_wait w = raw_wait(&t->ld, want);
		size_t have = ldisc_avail(&t->ld);
		u64 deadline = 0, seq = t->input_seq;
		int err;

		if (file_hung_up(f))
			return 1;
		if (canon ? ldisc_readable(&t->ld) : have >= w.min)
			return 0;
		if (!canon && w.at_once)
			return 1;
		if (f->flags & O_NONBLOCK)
			return have && !canon ? 0 : -EAGAIN;
		if (have != had)
			last = time_now();
		had = have;
		if (!canon && w.first)
			deadline = start + w.first;
		if (!canon && w.between && have)
			deadline = last + w.between;
		err = wait_input(t, seq, deadline);
		if (err == -ETIMEDOUT)
			return ldisc_avail(&t->ld) ? 0 : 1;
		if (err)
			return err;
	}
}

/* Copies out what there is: one line at most, in canonical mode. */
static ssize_t take_locked(struct tty *t, struct uio *u) REQUIRES(t->lock)
{
	u8 buf[CHUNK];
	bool line_end = false;
	ssize_t done = 0;

	while (u->left && !line_end) {
		size_t n = ldisc_read(&t->ld, buf, MIN(u->left, (u64)sizeof(buf)), &line_end);
		size_t copied = n ? uio_to(u, buf, n) : 0;

		done += (ssize_t)copied;
		if (copied < n)
			return done ? done : -EFAULT;
		if (!n)
			break;
	}
	return done;
}

ssize_t tty_read(struct file *f, struct uio *u, u64 *pos __unused)
{
	struct tty_file *tf = f->data;
	struct tty *t = tf->tty;
	ssize_t n = 0;

	if (file_hung_up(f) || !u->left)
		return 0;
	if (!tf->console)
		n = tty_check_read(t);
	if (n)
		return n;
	mutex_lock(&t->lock);
	n = wait_readable(f, t, u->left);
	if (!n) {
		n = take_locked(t, u);
		tty_unthrottle_locked(t);
	} else if (n > 0) {
		n = 0;
	}
	mutex_unlock(&t->lock);
	return n;
}

/* ---- write ---- */

static int wait_output(struct tty *t, u64 seq) REQUIRES(t->lock)
{
	int err;

	mutex_unlock(&t->lock);
	err = wait_event_intr(&t->write_wait, READ_ONCE(t->output_seq) != seq);
	mutex_lock(&t->lock);
	return err ? -ERESTARTSYS : 0;
}

/* 0 when there is room to write; lock held. */
static int wait_writable(struct file *f, struct tty *t) REQUIRES(t->lock)
{
	for (;;) {
		u64 seq = t->output_seq;
		int err;

		if (file_hung_up(f))
			return -EIO;
		if (out_room(t))
			return 0;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_output(t, seq);
		if (err)
			return err;
	}
}

static ssize_t put_locked(struct tty *t, struct uio *u) REQUIRES(t->lock)
{
	u8 buf[CHUNK];
	size_t want = MIN(MIN(u->left, (u64)sizeof(buf)), out_room(t));
	size_t n = uio_from(u, buf, want);

	for (size_t i = 0; i < n; i++)
		ldisc_opost(&t->ld, buf[i]);
	tty_pump_locked(t);
	return n < want && !n ? -EFAULT : (ssize_t)n;
}

ssize_t tty_write(struct file *f, struct uio *u, u64 *pos __unused)
{
	struct tty_file *tf = f->data;
	struct tty *t = tf->tty;
	ssize_t done = 0, n = 0;

	if (file_hung_up(f))
		return -EIO;
	if (!tf->console && (READ_ONCE(t->ld.tio.lflag) & TOSTOP))
		n = tty_check_change(t);
	if (n)
		return n;
	mutex_lock(&t->lock);
	while (u->left && n >= 0) {
		n = wait_writable(f, t);
		if (!n)
			n = put_locked(t, u);
		if (n > 0)
			done += n;
	}
	mutex_unlock(&t->lock);
	return done ? done : n;
}

int tty_drain(struct tty *t)
{
	int err = 0;

	mutex_lock(&t->lock);
	while (out_used(t) && !err)
		err = wait_output(t, t->output_seq);
	mutex_unlock(&t->lock);
	return err;
}

/* ---- poll ---- */

u32 tty_poll(struct file *f, struct poll_table *pt)
{
	struct tty *t = file_tty(f);
	const struct ldisc *l = &t->ld;
	u32 got = 0;

	poll_wait(pt, &t->read_wait);
	poll_wait(pt, &t->write_wait);
	if (file_hung_up(f))
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
	mutex_lock(&t->lock);
	if (l->tio.lflag & ICANON)
		got = ldisc_readable(l) ? POLLIN | POLLRDNORM : 0;
	else if (ldisc_avail(l) >= MAX(l->tio.cc[VTIME] ? 1u : l->tio.cc[VMIN], 1u))
		got = POLLIN | POLLRDNORM;
	if (out_room(t))
		got |= POLLOUT | POLLWRNORM;
	mutex_unlock(&t->lock);
	return got;
}
