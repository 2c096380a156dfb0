// SPDX-License-Identifier: BSD-2-Clause
/*
 * edit.c - the line editor, and the lines it remembers.
 *
 * The terminal is raw only while a line is edited. The line is shown in one row of the
 * screen; when it is too long, the part around the cursor is shown.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "user/bin/sh/sh.h"

#define CTRL(c) ((c)&31)

enum key {
	KEY_UP = 256,
	KEY_DOWN,
	KEY_LEFT,
	KEY_RIGHT,
	KEY_HOME,
	KEY_END,
	KEY_DELETE,
	KEY_NONE,
	KEY_EOF
};

struct edit {
	const char *prompt;
	struct buf *line;
	size_t cursor;
	size_t columns;
	size_t entry;	 /* of the history; history.len is the line being typed */
	char *typed;	 /* that line, while another is shown */
	bool second_tab; /* the key before was a Tab that could not decide */
};

static struct list history;

void history_add(const char *line)
{
	if (!*line || (history.len && strcmp(history.items[history.len - 1], line) == 0))
		return;
	list_add(&history, xstrdup(line));
}

int builtin_history(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (size_t i = 0; i < history.len; i++)
		printf("%5zu  %s\n", i + 1, history.items[i]);
	return 0;
}

/* ---- the terminal ---- */

static bool set_raw(struct termios *saved)
{
	struct termios raw;

	if (tcgetattr(0, saved) < 0)
		return false;
	raw = *saved;
	raw.c_iflag &= ~(unsigned int)(ICRNL | INLCR | IGNCR | IXON);
	raw.c_lflag &= ~(unsigned int)(ICANON | ECHO | ISIG | IEXTEN);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return tcsetattr(0, TCSADRAIN, &raw) == 0;
}

static size_t terminal_columns(void)
{
	struct winsize w;

	return ioctl(1, TIOCGWINSZ, &w) == 0 && w.ws_col > 10 ? w.ws_col : 80;
}

static int read_byte(void)
{
	unsigned char c;
	ssize_t n;

	do
		n = read(0, &c, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 ? c : -1;
}

/* The rest of an escape sequence, if it comes at once. */
static int read_soon(void)
{
	struct pollfd fd = {.fd = 0, .events = POLLIN};

	return poll(&fd, 1, 100) == 1 ? read_byte() : -1;
}

static int decode_letter(int c)
{
	static const char letters[] = "ABDCHF";
	const char *p = c > 0 ? strchr(letters, c) : NULL;

	return p ? KEY_UP + (int)(p - letters) : KEY_NONE;
}

static int decode_number(int c)
{
	int n = 0;

	for (; c >= '0' && c <= '9'; c = read_soon())
		n = n * 10 + c - '0';
	while (c == ';' || (c >= '0' && c <= '9'))
		c = read_soon();
	if (c != '~')
		return decode_letter(c);
	return n == 1 || n == 7	  ? KEY_HOME
	       : n == 4 || n == 8 ? KEY_END
	       : n == 3		  ? KEY_DELETE
				  : KEY_NONE;
}

static int read_key(void)
{
	int c = read_byte();

	if (c < 0)
		return KEY_EOF;
	if (c != 27)
		return c;
	c = read_soon();
	if (c != '[' && c != 'O')
		return KEY_NONE;
	c = read_soon();
	return c >= '0' && c <= '9' ? decode_number(c) : decode_letter(c);
}

static void refresh(struct edit *e)
{
	size_t prompt = strlen(e->prompt), room, from = 0, shown;
	struct buf out = {0};

	room = e->columns > prompt + 10 ? e->columns - prompt - 1 : 10;
	if (e->cursor >= room)
		from = e->cursor - room + 1;
	shown = e->line->len - from < room ? e->line->len - from : room;
	buf_fmt(&out, "\r%s", e->prompt);
	if (shown)
		buf_add(&out, e->line->data + from, shown);
	buf_str(&out, "\033[K\r");
	if (prompt + e->cursor - from > 0)
		buf_fmt(&out, "\033[%zuC", prompt + e->cursor - from);
	write_full(1, out.data, out.len);
	buf_free(&out);
}

/* ---- the line ---- */

static void insert(struct edit *e, const char *s, size_t n)
{
	struct buf *b = e->line;
	bool at_end = e->cursor == b->len;

	buf_add(b, s, n);
	memmove(b->data + e->cursor + n, b->data + e->cursor, b->len - n - e->cursor);
	memcpy(b->data + e->cursor, s, n);
	e->cursor += n;
	if (at_end && n == 1 && strlen(e->prompt) + b->len < e->columns)
		write_full(1, s, 1);
	else
		refresh(e);
}

static void delete_range(struct edit *e, size_t from, size_t to)
{
	struct buf *b = e->line;

	if (from >= to)
		return;
	memmove(b->data + from, b->data + to, b->len - to + 1);
	b->len -= to - from;
	e->cursor = from;
	refresh(e);
}

static void set_line(struct edit *e, const char *s)
{
	e->line->len = 0;
	buf_str(e->line, s);
	e->cursor = e->line->len;
	refresh(e);
}

static void history_move(struct edit *e, bool up)
{
	if (up ? e->entry == 0 : e->entry == history.len)
		return;
	if (e->entry == history.len) {
		free(e->typed);
		e->typed = xstrdup(e->line->data ? e->line->data : "");
	}
	e->entry += up ? -1 : 1;
	set_line(e, e->entry == history.len ? e->typed : history.items[e->entry]);
}

static size_t word_start(struct edit *e)
{
	size_t i = e->cursor;

	while (i > 0 && e->line->data[i - 1] == ' ')
		i--;
	while (i > 0 && e->line->data[i - 1] != ' ')
		i--;
	return i;
}

/* ---- completion ---- */

static void show_choices(struct edit *e, struct list *choices)
{
	struct buf out = {0};
	size_t width = 0, column = 0;

	for (size_t i = 0; i < choices->len; i++)
		width = strlen(choices->items[i]) > width ? strlen(choices->items[i]) : width;
	width += 2;
	buf_str(&out, "\r\n");
	for (size_t i = 0; i < choices->len; i++) {
		if (column && column + width > e->columns) {
			buf_str(&out, "\r\n");
			column = 0;
		}
		buf_fmt(&out, "%-*s", (int)width, choices->items[i]);
		column += width;
	}
	buf_str(&out, "\r\n");
	write_full(1, out.data, out.len);
	buf_free(&out);
	refresh(e);
}

static size_t common_length(struct list *choices)
{
	size_t n = strlen(choices->items[0]);

	for (size_t i = 1; i < choices->len; i++) {
		size_t m = 0;

		while (m < n && choices->items[i][m] == choices->items[0][m])
			m++;
		n = m;
	}
	return n;
}

/* The word in front of the cursor becomes what all choices have in common. */
static void tab(struct edit *e)
{
	struct list choices = {0};
	size_t start = e->cursor, n;
	bool again = e->second_tab;

	while (start > 0 && !strchr(" \t;|&<>()=", e->line->data[start - 1]))
		start--;
	complete(e->line->data ? e->line->data : "", start, e->cursor, &choices);
	e->second_tab = false;
	if (choices.len == 0) {
		write_full(1, "\a", 1);
		return;
	}
	n = common_length(&choices);
	/* what complete() offers starts with what is behind the last slash of the word */
	for (size_t i = e->cursor; i > start && e->line->data[i - 1] != '/'; i--)
		n--;
	if (n > 0) {
		insert(e, choices.items[0] + common_length(&choices) - n, n);
		if (choices.len == 1 && e->line->data[e->cursor - 1] != '/')
			insert(e, " ", 1);
	} else if (choices.len == 1) {
		if (e->line->data[e->cursor - 1] != '/')
			insert(e, " ", 1);
	} else if (again) {
		show_choices(e, &choices);
	} else {
		write_full(1, "\a", 1);
		e->second_tab = true;
	}
	list_free(&choices);
}

/* ---- keys ---- */

static void move(struct edit *e, size_t to)
{
	e->cursor = to;
	refresh(e);
}

static void edit_key(struct edit *e, int key)
{
	size_t len = e->line->len;
	char c = (char)key;

	switch (key) {
	case CTRL('a'):
	case KEY_HOME:
		move(e, 0);
		break;
	case CTRL('e'):
	case KEY_END:
		move(e, len);
		break;
	case CTRL('b'):
	case KEY_LEFT:
		move(e, e->cursor ? e->cursor - 1 : 0);
		break;
	case CTRL('f'):
	case KEY_RIGHT:
		move(e, e->cursor < len ? e->cursor + 1 : len);
		break;
	case CTRL('p'):
	case KEY_UP:
		history_move(e, true);
		break;
	case CTRL('n'):
	case KEY_DOWN:
		history_move(e, false);
		break;
	case CTRL('h'):
	case 127:
		delete_range(e, e->cursor ? e->cursor - 1 : 0, e->cursor);
		break;
	case CTRL('d'):
	case KEY_DELETE:
		delete_range(e, e->cursor, e->cursor < len ? e->cursor + 1 : len);
		break;
	case CTRL('k'):
		delete_range(e, e->cursor, len);
		break;
	case CTRL('u'):
		delete_range(e, 0, e->cursor);
		break;
	case CTRL('w'):
		delete_range(e, word_start(e), e->cursor);
		break;
	case CTRL('l'):
		write_full(1, "\033[H\033[2J", 7);
		refresh(e);
		break;
	default:
		if (key < 256 && (key >= 32))
			insert(e, &c, 1);
	}
}

static enum edit_result edit_keys(struct edit *e)
{
	for (;;) {
		int key = read_key();

		if (key == '\r' || key == '\n') {
			move(e, e->line->len);
			return EDIT_LINE;
		}
		if (key == KEY_EOF || (key == CTRL('d') && e->line->len == 0))
			return EDIT_EOF;
		if (key == CTRL('c')) {
			write_full(1, "^C", 2);
			return EDIT_INTERRUPT;
		}
		if (key == '\t') {
			tab(e);
			continue;
		}
		e->second_tab = false;
		edit_key(e, key);
	}
}

/* Without a terminal: a plain line. */
static enum edit_result plain_line(const char *prompt, struct buf *line)
{
	int c = -1;

	write_full(1, prompt, strlen(prompt));
	while ((c = read_byte()) >= 0 && c != '\n')
		buf_char(line, (char)c);
	return c < 0 && !line->len ? EDIT_EOF : EDIT_LINE;
}

enum edit_result edit_line(const char *prompt, struct buf *line)
{
	struct edit e = {.prompt = prompt, .line = line};
	struct termios saved;
	enum edit_result result;

	line->len = 0;
	buf_add(line, "", 0);
	if (!set_raw(&saved))
		return plain_line(prompt, line);
	e.columns = terminal_columns();
	e.entry = history.len;
	refresh(&e);
	result = edit_keys(&e);
	write_full(1, "\r\n", 2);
	tcsetattr(0, TCSADRAIN, &saved);
	free(e.typed);
	return result;
}
