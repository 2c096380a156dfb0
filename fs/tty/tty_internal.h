/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_TTY_INTERNAL_H
#define GNOMON_TTY_INTERNAL_H

/* What the files of fs/tty share. */

#include "drivers/serial/serial.h"
#include "fs/tty/ldisc.h"
#include "fs/tty/tty.h"
#include "fs/vfs/vfs.h"

#define TTY_RX_SIZE	 16384u /* bytes received and not yet looked at; a power of two */
#define TTY_OUT_SIZE	 8192u	/* bytes to send; a power of two */
#define TTY_ECHO_RESERVE 512u	/* of these, what only echo may use */

/* The signals that terminals send, by Linux's numbers. */
enum {
	SIGHUP = 1,
	SIGINT = 2,
	SIGQUIT = 3,
	SIGCONT = 18,
	SIGTSTP = 20,
	SIGTTIN = 21,
	SIGTTOU = 22,
	SIGWINCH = 28
};

struct winsize_k {
	u16 row, col, xpixel, ypixel;
};

/* Field markings and the corresponding locks:
 * (c) constant after tty_init   (a) atomic
 * (t) lock; a glance (READ_ONCE) at throttled, the counters, session, pgrp and exclusive needs none
 * (i) the port's interrupt, release-stored   (w) the worker, release-stored
 */
struct tty {
	u32 refs;		/* (a) one for its existence, for its session, for each open */
	struct serial *port;	/* (c) */
	struct mutex lock;	/* (c) LOCK_TTY */
	struct ldisc ld;	/* (t) */
	u8 rx[TTY_RX_SIZE];	/* (i) from rx_tail to rx_head: received */
	u64 rx_head;		/* (i) */
	u64 rx_tail;		/* (w) */
	u8 out[TTY_OUT_SIZE];	/* (t) from out_tail to out_head: to be sent */
	u64 out_head, out_tail; /* (t) */
	u32 tx_ready;		/* (a) the port has room again */
	bool throttled; /* (t) the discipline is full: the worker leaves rx alone until somebody reads */
	u64 input_seq;		 /* (t) counts changes that a reader must look at */
	u64 output_seq;		 /* (t) counts changes that a writer must look at */
	u64 hangups;		 /* (t) */
	struct waitq read_wait;	 /* (c) input_seq */
	struct waitq write_wait; /* (c) output_seq */
	struct waitq work_wait;	 /* (c) the worker */
	s32 session;		 /* (t) whose controlling terminal it is; 0: nobody's */
	s32 pgrp;		 /* (t) foreground group; 0: none */
	struct winsize_k size;	 /* (t) */
	bool exclusive;		 /* (t) TIOCEXCL */
	struct char_dev dev;	 /* (c) */
};

/* file.data: one open of a terminal.  Constant, but for what it points to. */
struct tty_file {
	struct tty *tty; /* held */
	u64 hangups;	 /* of the tty when it was opened */
	bool console;	 /* through /dev/console: survives hangups, no job control */
};

static inline struct tty *file_tty(const struct file *f)
{
	return ((struct tty_file *)f->data)->tty;
}
/* The terminal was hung up since: reads give 0, the rest EIO. */
static inline bool file_hung_up(const struct file *f)
{
	const struct tty_file *tf = f->data;

	return !tf->console && tf->hangups != READ_ONCE(tf->tty->hangups);
}

extern const struct tty_hooks *tty_hooks; /* NULL until kernel/proc is up */
extern const struct file_ops tty_file_ops;

/* io.c */
void tty_port_start(struct tty *t); /* connects the port and starts the worker */
ssize_t tty_read(struct file *f, struct uio *u, u64 *pos);
ssize_t tty_write(struct file *f, struct uio *u, u64 *pos);
u32 tty_poll(struct file *f, struct poll_table *pt);
void tty_pump_locked(struct tty *t);	       /* gives the port what it takes; lock held */
void tty_input_changed_locked(struct tty *t);  /* wakes readers; lock held */
void tty_output_changed_locked(struct tty *t); /* wakes writers; lock held */
void tty_unthrottle_locked(struct tty *t);     /* room for input; lock held */
int tty_drain(
	struct tty *t); /* waits until all is given to the port; 0, -ERESTARTSYS; no locks held */

/* job.c */
/* May the current process go on?  read: 0, -EIO, -ERESTARTSYS (SIGTTIN sent).  change: the same with SIGTTOU. */
int tty_check_read(struct tty *t);
int tty_check_change(struct tty *t);
bool tty_is_current(struct tty *t);	      /* the controlling terminal of the current process */
void tty_open_ctty(struct tty *t, u32 flags); /* an open by a session leader without one */
long tty_job_ioctl(struct tty *t, unsigned cmd, u64 arg);
void tty_signal_foreground(struct tty *t, int sig);

/* ioctl.c */
long tty_ioctl(struct file *f, unsigned cmd, u64 arg);
#define TIOCSCTTY   0x540eu
#define TIOCGPGRP   0x540fu
#define TIOCSPGRP   0x5410u
#define TIOCNOTTY   0x5422u
#define TIOCGSID    0x5429u
#define TIOCVHANGUP 0x5437u
#define ENOIOCTL    515 /* inside fs/tty: not one of these */

#endif
