/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_TTY_LDISC_H
#define GNOMON_TTY_LDISC_H

/*
 * The N_TTY line discipline as plain data: bytes typed go in, lines to be read, bytes to be shown and events come out.  No locks, no
 * sleeping, no devices: fs/tty/tty.c calls it with its lock held, and tests/host/test_ldisc.c from a table of cases.
 */

#include "kernel/lib/types.h"

#define TTY_NCCS 19

/* c_cc indices */
enum {
	VINTR,
	VQUIT,
	VERASE,
	VKILL,
	VEOF,
	VTIME,
	VMIN,
	VSWTC,
	VSTART,
	VSTOP,
	VSUSP,
	VEOL,
	VREPRINT,
	VDISCARD,
	VWERASE,
	VLNEXT,
	VEOL2
};

/* c_iflag */
#define ISTRIP 0000040u
#define INLCR  0000100u
#define IGNCR  0000200u
#define ICRNL  0000400u
#define IUCLC  0001000u
#define IXON   0002000u
#define IXANY  0004000u
#define IUTF8  0040000u
/* c_oflag */
#define OPOST  0000001u
#define OLCUC  0000002u
#define ONLCR  0000004u
#define OCRNL  0000010u
#define ONOCR  0000020u
#define ONLRET 0000040u
#define TABDLY 0014000u
#define XTABS  0014000u
/* c_cflag */
#define CS8	0000060u
#define CREAD	0000200u
#define HUPCL	0002000u
#define CLOCAL	0004000u
#define B115200 0010002u
/* c_lflag */
#define ISIG	0000001u
#define ICANON	0000002u
#define ECHO	0000010u
#define ECHOE	0000020u
#define ECHOK	0000040u
#define ECHONL	0000100u
#define NOFLSH	0000200u
#define TOSTOP	0000400u
#define ECHOCTL 0001000u
#define ECHOKE	0004000u
#define IEXTEN	0100000u

struct termios_k { /* the kernel's struct termios2 of riscv64; its first 36 bytes are struct termios */
	u32 iflag, oflag, cflag, lflag;
	u8 line;
	u8 cc[TTY_NCCS];
	u32 ispeed, ospeed;
};

#define LDISC_BUF 4096u /* bytes typed and not yet read; a power of two */

enum ldisc_signal { LDISC_INTR, LDISC_QUIT, LDISC_SUSP };

/*
 * Input is a ring: tail (next to read) <= canon (end of the complete lines) <= head.  In canonical mode only what is before
 * canon can be read, and `mark` tells where lines end; an end of file is a marked NUL, which is not itself read.
 * In raw mode all up to head can be read and canon means nothing.
 */
struct ldisc {
	struct termios_k tio;
	u64 head, canon, tail;
	u8 buf[LDISC_BUF];
	u64 mark[LDISC_BUF / 64];
	u32 column;	  /* of the cursor */
	u32 canon_column; /* where the line being typed begins */
	bool lnext;	  /* the next byte is taken literally */
	bool stopped;	  /* output is, by STOP or TCOOFF */
	/* what the terminal does; called from ldisc_input and ldisc_opost */
	void (*out)(struct ldisc *l, u8 c); /* shows c; may drop it when there is no room */
	void (*signal)(struct ldisc *l, enum ldisc_signal s); /* to the foreground group */
	void (*flush_output)(struct ldisc *l);		      /* forgets what was not sent yet */
	void (*flow)(struct ldisc *l);			      /* `stopped` has changed */
};

void ldisc_init(struct ldisc *l); /* default settings, empty; the caller sets the functions */
void ldisc_input(struct ldisc *l, const u8 *p, size_t n); /* at most ldisc_room() bytes */
/* How many bytes input can take now. 0: somebody must read first. */
size_t ldisc_room(const struct ldisc *l);
/* Bytes that a read could get now: in canonical mode up to the end of the complete lines. */
size_t ldisc_avail(const struct ldisc *l);
bool ldisc_readable(
	const struct ldisc *l); /* a read would not wait: a line, an end of file, or any byte */
/* Takes at most n bytes out; *line_end: a line (or end of file) ended, so a canonical read is over. */
size_t ldisc_read(struct ldisc *l, u8 *buf, size_t n, bool *line_end);
void ldisc_flush_input(struct ldisc *l);
void ldisc_set_termios(struct ldisc *l, const struct termios_k *t);
void ldisc_opost(struct ldisc *l,
		 u8 c); /* a byte written by a program: at most LDISC_OPOST_MAX calls of out */
#define LDISC_OPOST_MAX 8u
void ldisc_set_stopped(struct ldisc *l, bool stopped);

#endif
