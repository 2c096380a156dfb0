// SPDX-License-Identifier: BSD-2-Clause
/*
 * source.c - where the parser's text comes from, and the arenas it goes to.
 *
 * Text is fetched line by line and only when the parser asks, so that a command that reads
 * standard input finds there what follows its own line.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/bin/sh/sh.h"

struct chunk {
	struct chunk *next;
	size_t used;
	size_t size;
	char data[] __attribute__((aligned(16)));
};

struct arena *arena_new(void)
{
	struct arena *a = xcalloc(1, sizeof(*a));

	a->refs = 1;
	return a;
}

void arena_hold(struct arena *a)
{
	a->refs++;
}

void arena_drop(struct arena *a)
{
	assert(a->refs > 0);
	if (--a->refs > 0)
		return;
	while (a->chunks) {
		struct chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	free(a);
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct chunk *c = a->chunks;
	void *p;

	size = (size + 15) & ~15UL;
	if (!c || c->size - c->used < size) {
		size_t room = size > 1000 ? size : 1000;

		c = xmalloc(sizeof(*c) + room);
		c->next = a->chunks;
		c->used = 0;
		c->size = room;
		a->chunks = c;
	}
	p = c->data + c->used;
	c->used += size;
	return memset(p, 0, size);
}

char *arena_str(struct arena *a, const char *s, size_t n)
{
	return memcpy(arena_alloc(a, n + 1), s, n);
}

void source_string(struct source *src, const char *text)
{
	*src = (struct source){.fd = -1};
	buf_str(&src->text, text);
}

static bool read_ahead(struct source *src)
{
	char block[1024];
	ssize_t n;

	do
		n = read(src->fd, block, src->by_char ? 1 : sizeof(block));
	while (n < 0 && errno == EINTR && !interrupted());
	if (n <= 0)
		return false;
	src->ahead.len = src->ahead_pos = 0;
	buf_add(&src->ahead, block, (size_t)n);
	return true;
}

static bool more_from_fd(struct source *src)
{
	bool any = false;

	while (src->ahead_pos < src->ahead.len || read_ahead(src)) {
		char c = src->ahead.data[src->ahead_pos++];

		any = true;
		if (c)
			buf_char(&src->text, c);
		if (c == '\n')
			return true;
	}
	return any;
}

void source_fd(struct source *src, int fd)
{
	*src = (struct source){.fd = fd, .more = more_from_fd, .by_char = fd == 0};
}

/* PS1 as it is, or where we are. */
static char *make_prompt(bool first)
{
	const char *ps = var_get(first ? "PS1" : "PS2");
	char cwd[4096];

	if (ps)
		return expand_heredoc(ps);
	if (!first)
		return xstrdup("> ");
	if (!getcwd(cwd, sizeof(cwd)))
		strcpy(cwd, "?");
	return xasprintf("%s %c ", cwd, geteuid() == 0 ? '#' : '$');
}

static bool more_from_terminal(struct source *src)
{
	struct buf line = {0};
	char *prompt = make_prompt(!src->started);
	enum edit_result result = edit_line(prompt, &line);

	free(prompt);
	if (result == EDIT_INTERRUPT) {
		buf_free(&line);
		sh.status = 130;
		longjmp(*sh.prompt, 1);
	}
	if (result == EDIT_LINE) {
		history_add(line.data ? line.data : "");
		buf_add(&src->text, line.data, line.len);
		buf_char(&src->text, '\n');
	}
	buf_free(&line);
	return result == EDIT_LINE;
}

void source_terminal(struct source *src)
{
	*src = (struct source){.fd = 0, .more = more_from_terminal};
}

void source_free(struct source *src)
{
	buf_free(&src->text);
	buf_free(&src->ahead);
}

/* The character `ahead` behind the next one, or -1 at the end of input. */
int source_peek(struct source *src, size_t ahead)
{
	while (src->pos + ahead >= src->text.len) {
		if (!src->more || !src->more(src)) {
			src->more =
				src->fd == 0 && src->more == more_from_terminal ? src->more : NULL;
			return -1;
		}
	}
	return (unsigned char)src->text.data[src->pos + ahead];
}
