// SPDX-License-Identifier: BSD-2-Clause
/*
 * The line discipline: editing of the line being typed, echo, signals and flow control by characters, and the
 * processing of output.  Owns struct ldisc; its caller serialises.  Behaviour follows termios(3) and what Linux's N_TTY
 * shows where POSIX leaves it open.  ECHOPRT, PARMRK and line speeds are left out: nobody has a printing terminal,
 * and serial drivers report no parity errors.
 *
 *	tail			canon			head
 *	 | complete lines	 | the line being typed	 |
 */

#include "fs/tty/ldisc.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

#define RING_MASK (LDISC_BUF - 1)
#define CC_OFF	  0 /* _POSIX_VDISABLE */
#define TAB	  8u

BUILD_ASSERT((LDISC_BUF & RING_MASK) == 0);
BUILD_ASSERT(offsetof(struct termios_k, ispeed) == 36 && sizeof(struct termios_k) == 44);

/* ---- small questions ---- */

static bool lflag(const struct ldisc *l, u32 f)
{
	return l->tio.lflag & f;
}

static bool iflag(const struct ldisc *l, u32 f)
{
	return l->tio.iflag & f;
}

/* c is the control character of that index, which is not switched off */
static bool is_cc(const struct ldisc *l, unsigned index, u8 c)
{
	return l->tio.cc[index] == c && c != CC_OFF;
}

static bool is_cntrl(u8 c)
{
	return c < 32 || c == 127;
}

static bool is_alnum(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c >= 128;
}

static bool is_continuation(const struct ldisc *l, u8 c)
{
	return iflag(l, IUTF8) && (c & 0xc0) == 0x80;
}

static u8 to_lower(u8 c)
{
	return c >= 'A' && c <= 'Z' ? (u8)(c + 32) : c;
}

static bool marked(const struct ldisc *l, u64 at)
{
	u64 i = at & RING_MASK;

	return l->mark[i / 64] >> (i % 64) & 1;
}

static void mark_set(struct ldisc *l, u64 at, bool on)
{
	u64 i = at & RING_MASK, bit = 1UL << (i % 64);

	l->mark[i / 64] = on ? l->mark[i / 64] | bit : l->mark[i / 64] & ~bit;
}

/* ---- output ---- */

static void opost_newline(struct ldisc *l)
{
	if (l->tio.oflag & (ONLRET | ONLCR))
		l->column = 0;
	if (l->tio.oflag & ONLCR)
		l->out(l, '\r');
	l->out(l, '\n');
	l->canon_column = l->column;
}

static void opost_return(struct ldisc *l)
{
	if ((l->tio.oflag & ONOCR) && l->column == 0)
		return;
	if (l->tio.oflag & OCRNL) {
		if (l->tio.oflag & ONLRET)
			l->column = l->canon_column = 0;
		l->out(l, '\n');
		return;
	}
	l->column = l->canon_column = 0;
	l->out(l, '\r');
}

static void opost_tab(struct ldisc *l)
{
	u32 spaces = TAB - l->column % TAB;

	l->column += spaces;
	if ((l->tio.oflag & TABDLY) != XTABS) {
		l->out(l, '\t');
		return;
	}
	while (spaces--)
		l->out(l, ' ');
}

void ldisc_opost(struct ldisc *l, u8 c)
{
	if (!(l->tio.oflag & OPOST)) {
		l->out(l, c);
		return;
	}
	switch (c) {
	case '\n':
		opost_newline(l);
		return;
	case '\r':
		opost_return(l);
		return;
	case '\t':
		opost_tab(l);
		return;
	case '\b':
		l->column -= l->column > 0;
		break;
	default:
		if ((l->tio.oflag & OLCUC) && c >= 'a' && c <= 'z')
			c = (u8)(c - 32);
		if (!is_cntrl(c) && !is_continuation(l, c))
			l->column++;
	}
	l->out(l, c);
}

/* Shows a typed character, control characters as ^X. */
static void echo_char(struct ldisc *l, u8 c)
{
	if (lflag(l, ECHOCTL) && is_cntrl(c) && c != '\t') {
		ldisc_opost(l, '^');
		c ^= 0100;
	}
	ldisc_opost(l, c);
}

static void echo_rubout(struct ldisc *l)
{
	ldisc_opost(l, '\b');
	ldisc_opost(l, ' ');
	ldisc_opost(l, '\b');
}

void ldisc_set_stopped(struct ldisc *l, bool stopped)
{
	if (l->stopped == stopped)
		return;
	l->stopped = stopped;
	l->flow(l);
}

/* ---- storing ---- */

/* One byte of the ring is kept for the end of the line, so that a line too long can still be finished. */
static void store(struct ldisc *l, u8 c, bool line_end)
{
	u64 used = l->head - l->tail;

	ASSERT(used <= LDISC_BUF);
	if (used == LDISC_BUF || (used == LDISC_BUF - 1 && !line_end))
		return;
	l->buf[l->head & RING_MASK] = c;
	mark_set(l, l->head, line_end);
	l->head++;
	if (line_end)
		l->canon = l->head;
}

static void echo_typed(struct ldisc *l, u8 c)
{
	if (!lflag(l, ECHO))
		return;
	if (c == '\n') {
		ldisc_opost(l, '\n');
		return;
	}
	if (l->head == l->canon)
		l->canon_column = l->column;
	echo_char(l, c);
}

static void type(struct ldisc *l, u8 c)
{
	echo_typed(l, c);
	store(l, c, false);
}

/* ---- editing ---- */

/* Columns that c takes when echoed at column col. */
static u32 echo_width(const struct ldisc *l, u8 c, u32 col)
{
	if (c == '\t')
		return TAB - col % TAB;
	if (is_cntrl(c))
		return lflag(l, ECHOCTL) ? 2 : 0;
	return is_continuation(l, c) ? 0 : 1;
}

/* Takes the echo of c, just removed from the end of the line, off the screen. */
static void erase_echo(struct ldisc *l, u8 c)
{
	u32 col = l->canon_column, width;

	if (c == '\t') {
		for (u64 i = l->canon; i != l->head; i++)
			col += echo_width(l, l->buf[i & RING_MASK], col);
		for (width = echo_width(l, c, col); width; width--)
			ldisc_opost(l, '\b');
		return;
	}
	if (is_cntrl(c) && lflag(l, ECHOCTL))
		echo_rubout(l);
	if (!is_cntrl(c) || lflag(l, ECHOCTL))
		echo_rubout(l);
}

/* Removes the last character (all its bytes); its first byte. */
static u8 unstore(struct ldisc *l)
{
	u8 c;

	ASSERT(l->head != l->canon);
	do
		c = l->buf[--l->head & RING_MASK];
	while (is_continuation(l, c) && l->head != l->canon);
	return c;
}

static void erase_one(struct ldisc *l)
{
	u8 c;

	if (l->head == l->canon)
		return;
	c = unstore(l);
	if (!lflag(l, ECHO))
		return;
	if (lflag(l, ECHOE))
		erase_echo(l, c);
	else
		echo_char(l, l->tio.cc[VERASE]);
}

static void erase_word(struct ldisc *l)
{
	bool seen = false;

	while (l->head != l->canon) {
		u64 before = l->head;
		u8 c = unstore(l);

		if (is_alnum(c)) {
			seen = true;
		} else if (seen) {
			l->head = before;
			break;
		}
		if (lflag(l, ECHO))
			erase_echo(l, c);
	}
}

static void kill_line(struct ldisc *l)
{
	if (lflag(l, ECHO) && lflag(l, ECHOK) && lflag(l, ECHOKE) && lflag(l, ECHOE)) {
		while (l->head != l->canon)
			erase_echo(l, unstore(l));
		return;
	}
	if (l->head == l->canon)
		return;
	l->head = l->canon;
	if (!lflag(l, ECHO))
		return;
	echo_char(l, l->tio.cc[VKILL]);
	if (lflag(l, ECHOK))
		ldisc_opost(l, '\n');
}

static void reprint(struct ldisc *l)
{
	echo_char(l, l->tio.cc[VREPRINT]);
	ldisc_opost(l, '\n');
	for (u64 i = l->canon; i != l->head; i++)
		echo_char(l, l->buf[i & RING_MASK]);
}

/* The characters that edit; true: c was one. */
static bool edit(struct ldisc *l, u8 c)
{
	bool ext = lflag(l, IEXTEN);

	if (is_cc(l, VERASE, c)) {
		erase_one(l);
	} else if (is_cc(l, VKILL, c)) {
		kill_line(l);
	} else if (ext && is_cc(l, VWERASE, c)) {
		erase_word(l);
	} else if (ext && is_cc(l, VLNEXT, c)) {
		l->lnext = true;
		if (lflag(l, ECHO) && lflag(l, ECHOCTL)) {
			ldisc_opost(l, '^');
			ldisc_opost(l, '\b');
		}
	} else if (ext && lflag(l, ECHO) && is_cc(l, VREPRINT, c)) {
		reprint(l);
	} else {
		return false;
	}
	return true;
}

/* The characters that end a line; true: c was one. */
static bool end_line(struct ldisc *l, u8 c)
{
	if (c == '\n') {
		if (lflag(l, ECHO) || lflag(l, ECHONL))
			ldisc_opost(l, '\n');
	} else if (is_cc(l, VEOF, c)) {
		c = 0;
	} else if (is_cc(l, VEOL, c) || (lflag(l, IEXTEN) && is_cc(l, VEOL2, c))) {
		echo_typed(l, c);
	} else {
		return false;
	}
	store(l, c, true);
	return true;
}

/* ---- signals and flow ---- */

static void send_signal(struct ldisc *l, enum ldisc_signal s, u8 c)
{
	if (!lflag(l, NOFLSH)) {
		ldisc_flush_input(l);
		l->flush_output(l);
	}
	l->signal(l, s);
	if (iflag(l, IXON))
		ldisc_set_stopped(l, false);
	if (lflag(l, ECHO))
		echo_char(l, c);
}

static bool signal_char(struct ldisc *l, u8 c)
{
	if (!lflag(l, ISIG))
		return false;
	if (is_cc(l, VINTR, c))
		send_signal(l, LDISC_INTR, c);
	else if (is_cc(l, VQUIT, c))
		send_signal(l, LDISC_QUIT, c);
	else if (is_cc(l, VSUSP, c))
		send_signal(l, LDISC_SUSP, c);
	else
		return false;
	return true;
}

static bool flow_char(struct ldisc *l, u8 c)
{
	if (!iflag(l, IXON))
		return false;
	if (is_cc(l, VSTART, c))
		ldisc_set_stopped(l, false);
	else if (is_cc(l, VSTOP, c))
		ldisc_set_stopped(l, true);
	else
		return false;
	return true;
}

/* ---- input ---- */

/* c as the input flags change it; false: it is not there at all. */
static bool translate(const struct ldisc *l, u8 *c)
{
	if (*c == '\r') {
		if (iflag(l, IGNCR))
			return false;
		if (iflag(l, ICRNL))
			*c = '\n';
	} else if (*c == '\n' && iflag(l, INLCR)) {
		*c = '\r';
	}
	return true;
}

static void input_char(struct ldisc *l, u8 c)
{
	if (iflag(l, ISTRIP))
		c &= 0x7f;
	if (iflag(l, IUCLC) && lflag(l, IEXTEN))
		c = to_lower(c);
	if (l->lnext) {
		l->lnext = false;
		type(l, c);
		return;
	}
	if (flow_char(l, c) || signal_char(l, c))
		return;
	if (l->stopped && iflag(l, IXON) && iflag(l, IXANY))
		ldisc_set_stopped(l, false);
	if (!translate(l, &c))
		return;
	if (lflag(l, ICANON) && (edit(l, c) || end_line(l, c)))
		return;
	type(l, c);
}

void ldisc_input(struct ldisc *l, const u8 *p, size_t n)
{
	while (n--)
		input_char(l, *p++);
}

size_t ldisc_room(const struct ldisc *l)
{
	size_t room = LDISC_BUF - 1 - MIN(l->head - l->tail, (u64)LDISC_BUF - 1);

	/* an endless line goes on being taken, and dropped, until it is finished */
	if (!room && lflag(l, ICANON) && l->canon == l->tail)
		return 1;
	return room;
}

void ldisc_flush_input(struct ldisc *l)
{
	l->tail = l->canon = l->head;
	l->lnext = false;
	memset(l->mark, 0, sizeof(l->mark));
}

/* ---- reading ---- */

size_t ldisc_avail(const struct ldisc *l)
{
	size_t n;

	if (!lflag(l, ICANON))
		return l->head - l->tail;
	n = l->canon - l->tail;
	return n && marked(l, l->tail) && l->buf[l->tail & RING_MASK] == 0 ? 0 : n;
}

bool ldisc_readable(const struct ldisc *l)
{
	return lflag(l, ICANON) ? l->canon != l->tail : l->head != l->tail;
}

/* The next byte to read is an end of file. */
static bool at_eof_mark(const struct ldisc *l)
{
	return l->tail != l->canon && marked(l, l->tail) && l->buf[l->tail & RING_MASK] == 0;
}

static size_t read_line(struct ldisc *l, u8 *buf, size_t n, bool *line_end)
{
	size_t got = 0;

	while (got < n && l->tail != l->canon && !*line_end) {
		if (at_eof_mark(l))
			break;
		*line_end = marked(l, l->tail);
		buf[got++] = l->buf[l->tail++ & RING_MASK];
	}
	if (!*line_end && at_eof_mark(l)) { /* also right behind the last byte that was asked for */
		l->tail++;
		*line_end = true;
	}
	return got;
}

size_t ldisc_read(struct ldisc *l, u8 *buf, size_t n, bool *line_end)
{
	size_t got = 0;

	*line_end = false;
	if (lflag(l, ICANON))
		return read_line(l, buf, n, line_end);
	while (got < n && l->tail != l->head)
		buf[got++] = l->buf[l->tail++ & RING_MASK];
	return got;
}

/* ---- settings ---- */

void ldisc_init(struct ldisc *l)
{
	static const u8 cc[TTY_NCCS] = {
		[VINTR] = 3,	 [VQUIT] = 28,	 [VERASE] = 127, [VKILL] = 21, [VEOF] = 4,
		[VMIN] = 1,	 [VSTART] = 17,	 [VSTOP] = 19,	 [VSUSP] = 26, [VREPRINT] = 18,
		[VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22,
	};

	memset(l, 0, sizeof(*l));
	l->tio.iflag = ICRNL | IXON;
	l->tio.oflag = OPOST | ONLCR;
	l->tio.cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL;
	l->tio.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
	l->tio.ispeed = l->tio.ospeed = 115200;
	memcpy(l->tio.cc, cc, sizeof(cc));
}

/* What was typed before becomes one line that can be read; or, without lines, just bytes. */
static void canon_changed(struct ldisc *l, bool canon)
{
	memset(l->mark, 0, sizeof(l->mark));
	l->lnext = false;
	l->canon = l->tail;
	if (canon && l->head != l->tail) {
		mark_set(l, l->head - 1, true);
		l->canon = l->head;
	}
}

void ldisc_set_termios(struct ldisc *l, const struct termios_k *t)
{
	u32 changed = l->tio.lflag ^ t->lflag;

	l->tio = *t;
	if (changed & ICANON)
		canon_changed(l, lflag(l, ICANON));
	if (!iflag(l, IXON))
		ldisc_set_stopped(l, false);
}
