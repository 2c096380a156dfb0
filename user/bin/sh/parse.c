// SPDX-License-Identifier: BSD-2-Clause
/*
 * parse.c - the grammar, by recursive descent.
 *
 *	list:      and_or { (; | & | newline) and_or }
 *	and_or:    pipeline { (&& | ||) pipeline }
 *	pipeline:  [!] command { | command }
 *	command:   simple | compound redirections | name() compound
 *
 * A word is cut out with its quotes. To find the end of $(...), its inside is parsed too
 * and thrown away, so that quotes, case patterns and here-documents in it are understood.
 * A here-document's body is read when the newline behind its operator is.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/bin/sh/sh.h"

enum token {
	T_EOF,
	T_NEWLINE,
	T_WORD,
	T_AND, /* && */
	T_OR,  /* || */
	T_AMP,
	T_PIPE,
	T_SEMI,
	T_DSEMI,
	T_LPAREN,
	T_RPAREN,
	T_REDIR,
};

struct pending {
	struct pending *next;
	struct redir *redir;
	bool strip; /* <<-: leading tabs go */
};

struct parser {
	struct source *src;
	struct arena *arena;
	bool peeked;
	enum token token;
	const char *word;   /* of a T_WORD */
	size_t start;	    /* where the token starts in the source */
	size_t end;	    /* where the token before it ended */
	struct redir redir; /* of a T_REDIR */
	bool strip;
	struct pending *pending, **pending_end;
	jmp_buf error;
};

static struct node *parse_list(struct parser *p);
static struct node *parse_command_node(struct parser *p);

size_t name_length(const char *s)
{
	size_t n = 0;

	if (isalpha((unsigned char)*s) || *s == '_') {
		while (isalnum((unsigned char)s[n]) || s[n] == '_')
			n++;
	}
	return n;
}

bool is_name(const char *s, size_t n)
{
	return n > 0 && name_length(s) >= n;
}

static void __attribute__((noreturn)) syntax_error(struct parser *p, const char *what)
{
	warn("syntax error: %s", what);
	longjmp(p->error, 1);
}

static int peek_char(struct parser *p)
{
	return source_peek(p->src, 0);
}

static int take_char(struct parser *p)
{
	int c = source_peek(p->src, 0);

	if (c >= 0) {
		p->src->pos++;
		p->src->started = true;
	}
	return c;
}

/* ---- words ---- */

static void scan_dollar(struct parser *p, struct buf *w, bool quotes);

static int take_inside(struct parser *p, const char *what)
{
	int c = take_char(p);

	if (c < 0)
		syntax_error(p, what);
	return c;
}

static void scan_single(struct parser *p, struct buf *w)
{
	int c;

	do {
		c = take_inside(p, "unterminated '");
		buf_char(w, (char)c);
	} while (c != '\'');
}

static void scan_backquote(struct parser *p, struct buf *w)
{
	int c;

	do {
		c = take_inside(p, "unterminated `");
		buf_char(w, (char)c);
		if (c == '\\')
			buf_char(w, (char)take_inside(p, "unterminated `"));
	} while (c != '`');
}

/* A character that may start something nested; quotes only where they count. */
static void scan_char(struct parser *p, struct buf *w, int c, bool quotes);

static void scan_until(struct parser *p, struct buf *w, int close, bool quotes, const char *what)
{
	for (;;) {
		int c = take_inside(p, what);

		if (c == close) {
			buf_char(w, (char)c);
			return;
		}
		scan_char(p, w, c, quotes);
	}
}

static void scan_char(struct parser *p, struct buf *w, int c, bool quotes)
{
	if (c == '\\') {
		c = take_inside(p, "unterminated \\");
		if (c == '\n')
			return;
		buf_char(w, '\\');
		buf_char(w, (char)c);
		return;
	}
	buf_char(w, (char)c);
	if (c == '`')
		scan_backquote(p, w);
	else if (c == '$')
		scan_dollar(p, w, quotes);
	else if (c == '"' && quotes)
		scan_until(p, w, '"', false, "unterminated \"");
	else if (c == '\'' && quotes)
		scan_single(p, w);
}

/* The text up to the parenthesis that closes $((; false if it turns out to be a command. */
static bool scan_arithmetic(struct parser *p, struct buf *w)
{
	size_t pos = p->src->pos, len = w->len;
	int depth = 0;

	for (;;) {
		int c = take_inside(p, "unterminated $((");

		if (c == ')' && depth-- == 0)
			break;
		if (c == '(')
			depth++;
		scan_char(p, w, c, true);
	}
	buf_char(w, ')');
	if (peek_char(p) == ')') {
		buf_char(w, (char)take_char(p));
		return true;
	}
	p->src->pos = pos;
	w->len = len;
	return false;
}

static void scan_command(struct parser *p, struct buf *w)
{
	struct parser inner = {.src = p->src, .arena = p->arena};
	size_t start = p->src->pos;

	inner.pending_end = &inner.pending;
	if (setjmp(inner.error))
		longjmp(p->error, 1);
	parse_list(&inner);
	if (inner.token != T_RPAREN)
		syntax_error(p, "unterminated $(");
	buf_add(w, p->src->text.data + start, p->src->pos - start);
}

static void scan_dollar(struct parser *p, struct buf *w, bool quotes)
{
	int c = peek_char(p);

	if (c == '{') {
		buf_char(w, (char)take_char(p));
		scan_until(p, w, '}', quotes, "unterminated ${");
	} else if (c == '(') {
		buf_char(w, (char)take_char(p));
		if (peek_char(p) == '(') {
			buf_char(w, (char)take_char(p));
			if (scan_arithmetic(p, w))
				return;
			w->len--;
			p->src->pos--;
		}
		scan_command(p, w);
	}
}

size_t dollar_length(const char *s, bool quoted)
{
	struct source src = {.fd = -1, .text = {.data = (char *)s, .len = strlen(s)}, .pos = 1};
	struct parser p = {.src = &src, .arena = arena_new()};
	struct buf w = {0};

	p.pending_end = &p.pending;
	if (setjmp(p.error))
		src.pos = src.text.len;
	else
		scan_dollar(&p, &w, !quoted);
	buf_free(&w);
	arena_drop(p.arena);
	return src.pos;
}

static bool is_meta(int c)
{
	return c < 0 || strchr(" \t\n;&|<>()", c);
}

static const char *scan_word(struct parser *p)
{
	struct buf w = {0};
	char *text;

	while (!is_meta(peek_char(p)))
		scan_char(p, &w, take_char(p), true);
	text = arena_str(p->arena, w.data ? w.data : "", w.len);
	buf_free(&w);
	return text;
}

/* ---- tokens ---- */

static void skip_blanks(struct parser *p)
{
	for (;;) {
		int c = peek_char(p);

		if (c == '\\' && source_peek(p->src, 1) == '\n') {
			take_char(p);
			take_char(p);
		} else if (c == ' ' || c == '\t') {
			p->src->pos++;
		} else {
			break;
		}
	}
	if (peek_char(p) == '#') {
		while (peek_char(p) >= 0 && peek_char(p) != '\n')
			p->src->pos++;
	}
}

/* A line without its newline, in w; false at the end of input. */
static bool read_line(struct parser *p, struct buf *w)
{
	int c;

	w->len = 0;
	if (peek_char(p) < 0)
		return false;
	buf_add(w, "", 0);
	while ((c = take_char(p)) >= 0 && c != '\n')
		buf_char(w, (char)c);
	return true;
}

static char *unquote_delimiter(struct parser *p, const char *word)
{
	char *out = arena_alloc(p->arena, strlen(word) + 1), *o = out;

	for (; *word; word++) {
		if (*word == '\\' && word[1])
			*o++ = *++word;
		else if (*word != '\'' && *word != '"')
			*o++ = *word;
	}
	return out;
}

static void read_heredoc(struct parser *p, struct pending *doc)
{
	const char *end = unquote_delimiter(p, doc->redir->word);
	struct buf line = {0}, body = {0};

	doc->redir->literal = strcspn(doc->redir->word, "'\"\\") != strlen(doc->redir->word);
	while (read_line(p, &line)) {
		const char *text = line.data;

		while (doc->strip && *text == '\t')
			text++;
		if (strcmp(text, end) == 0)
			break;
		buf_str(&body, text);
		buf_char(&body, '\n');
	}
	doc->redir->word = arena_str(p->arena, body.data ? body.data : "", body.len);
	buf_free(&line);
	buf_free(&body);
}

static void read_heredocs(struct parser *p)
{
	for (; p->pending; p->pending = p->pending->next)
		read_heredoc(p, p->pending);
	p->pending_end = &p->pending;
}

static bool take_if(struct parser *p, int c)
{
	if (peek_char(p) != c)
		return false;
	take_char(p);
	return true;
}

/* < or > was taken. */
static enum token scan_redir(struct parser *p, int c, int fd)
{
	p->redir = (struct redir){.fd = fd >= 0 ? fd : c == '>'};
	p->strip = false;
	if (c == '>') {
		p->redir.type = R_OUT;
		if (take_if(p, '>'))
			p->redir.type = R_APPEND;
		else if (take_if(p, '&'))
			p->redir.type = R_DUP;
		else
			take_if(p, '|');
		return T_REDIR;
	}
	p->redir.type = R_IN;
	if (take_if(p, '&')) {
		p->redir.type = R_DUP;
	} else if (take_if(p, '>')) {
		p->redir.type = R_RDWR;
	} else if (take_if(p, '<')) {
		p->redir.type = R_HERE;
		p->strip = take_if(p, '-');
	}
	return T_REDIR;
}

static enum token scan_operator(struct parser *p, int c)
{
	switch (c) {
	case '\n':
		read_heredocs(p);
		return T_NEWLINE;
	case ';':
		return take_if(p, ';') ? T_DSEMI : T_SEMI;
	case '&':
		return take_if(p, '&') ? T_AND : T_AMP;
	case '|':
		return take_if(p, '|') ? T_OR : T_PIPE;
	case '(':
		return T_LPAREN;
	case ')':
		return T_RPAREN;
	default:
		return scan_redir(p, c, -1);
	}
}

static enum token scan_token(struct parser *p)
{
	const char *w;
	int c;

	p->end = p->src->pos;
	skip_blanks(p);
	p->start = p->src->pos;
	c = peek_char(p);
	if (c < 0)
		return T_EOF;
	if (is_meta(c))
		return scan_operator(p, take_char(p));
	w = p->word = scan_word(p);
	c = peek_char(p);
	if ((c == '<' || c == '>') && strspn(w, "0123456789") == strlen(w) && strlen(w) < 5)
		return scan_redir(p, take_char(p), atoi(w));
	return T_WORD;
}

static enum token peek(struct parser *p)
{
	if (!p->peeked)
		p->token = scan_token(p);
	p->peeked = true;
	return p->token;
}

static void advance(struct parser *p)
{
	p->peeked = false;
}

static bool accept(struct parser *p, enum token t)
{
	if (peek(p) != t)
		return false;
	advance(p);
	return true;
}

static bool at_word(struct parser *p, const char *text)
{
	return peek(p) == T_WORD && strcmp(p->word, text) == 0;
}

static bool accept_word(struct parser *p, const char *text)
{
	if (!at_word(p, text))
		return false;
	advance(p);
	return true;
}

static void __attribute__((noreturn)) unexpected(struct parser *p)
{
	static const char *const names[] = {"end of input", "newline", "",  "&&",
					    "||",	    "&",       "|", ";",
					    ";;",	    "(",       ")", "redirection"};
	struct buf b = {0};

	buf_fmt(&b, "unexpected %s", p->token == T_WORD ? p->word : names[p->token]);
	warn("syntax error: %s", b.data);
	buf_free(&b);
	longjmp(p->error, 1);
}

static void expect_word(struct parser *p, const char *text)
{
	if (!accept_word(p, text))
		unexpected(p);
}

static void skip_newlines(struct parser *p)
{
	while (accept(p, T_NEWLINE))
		;
}

/* ---- commands ---- */

static struct node *new_node(struct parser *p, enum node_type type)
{
	struct node *n = arena_alloc(p->arena, sizeof(*n));

	n->type = type;
	return n;
}

static const char *text_since(struct parser *p, size_t start)
{
	size_t end;

	peek(p);
	end = p->end;
	return arena_str(p->arena, p->src->text.data + start, end > start ? end - start : 0);
}

static void add_word(struct parser *p, struct word ***end)
{
	struct word *w = arena_alloc(p->arena, sizeof(*w));

	w->text = p->word;
	**end = w;
	*end = &w->next;
	advance(p);
}

static void parse_redir(struct parser *p, struct redir ***end)
{
	struct redir *r = arena_alloc(p->arena, sizeof(*r));
	bool strip = p->strip;

	*r = p->redir;
	advance(p);
	if (peek(p) != T_WORD)
		unexpected(p);
	r->word = p->word;
	if (r->type == R_HERE) {
		struct pending *doc = arena_alloc(p->arena, sizeof(*doc));

		doc->redir = r;
		doc->strip = strip;
		*p->pending_end = doc;
		p->pending_end = &doc->next;
	}
	advance(p);
	**end = r;
	*end = &r->next;
}

static void parse_redirs(struct parser *p, struct node *n)
{
	struct redir **end = &n->redirs;

	while (*end)
		end = &(*end)->next;
	while (peek(p) == T_REDIR)
		parse_redir(p, &end);
}

static bool is_assignment(const char *s)
{
	size_t n = name_length(s);

	return n > 0 && s[n] == '=';
}

static struct node *parse_function(struct parser *p, const char *name)
{
	struct node *n = new_node(p, N_FUNCTION);

	advance(p);
	if (!accept(p, T_RPAREN))
		unexpected(p);
	skip_newlines(p);
	n->name = name;
	n->body = parse_command_node(p);
	return n;
}

static struct node *parse_simple(struct parser *p)
{
	struct node *n = new_node(p, N_SIMPLE);
	struct word **assigns = &n->assigns, **words = &n->words;
	struct redir **redirs = &n->redirs;

	for (;;) {
		if (peek(p) == T_REDIR)
			parse_redir(p, &redirs);
		else if (p->token == T_WORD && !n->words && is_assignment(p->word))
			add_word(p, &assigns);
		else if (p->token == T_WORD)
			add_word(p, &words);
		else
			break;
	}
	if (p->token == T_LPAREN && n->words && !n->words->next && !n->assigns && !n->redirs &&
	    is_name(n->words->text, strlen(n->words->text)))
		return parse_function(p, n->words->text);
	if (!n->words && !n->assigns && !n->redirs)
		unexpected(p);
	return n;
}

static struct node *require(struct parser *p, struct node *n)
{
	if (!n)
		unexpected(p);
	return n;
}

static struct node *parse_if(struct parser *p)
{
	struct node *n = new_node(p, N_IF);

	n->first = require(p, parse_list(p));
	expect_word(p, "then");
	n->body = require(p, parse_list(p));
	if (accept_word(p, "elif")) {
		n->otherwise = parse_if(p);
		return n;
	}
	if (accept_word(p, "else"))
		n->otherwise = require(p, parse_list(p));
	expect_word(p, "fi");
	return n;
}

static struct node *parse_do(struct parser *p)
{
	struct node *body;

	expect_word(p, "do");
	body = require(p, parse_list(p));
	expect_word(p, "done");
	return body;
}

static struct node *parse_loop(struct parser *p, bool until)
{
	struct node *n = new_node(p, N_LOOP);

	n->until = until;
	n->first = require(p, parse_list(p));
	n->body = parse_do(p);
	return n;
}

static struct node *parse_for(struct parser *p)
{
	struct node *n = new_node(p, N_FOR);
	struct word **end = &n->words;

	if (peek(p) != T_WORD || !is_name(p->word, strlen(p->word)))
		unexpected(p);
	n->name = p->word;
	advance(p);
	skip_newlines(p);
	n->positional = !accept_word(p, "in");
	if (!n->positional) {
		while (peek(p) == T_WORD)
			add_word(p, &end);
	}
	if (!accept(p, T_SEMI) && !n->positional && p->token != T_NEWLINE)
		unexpected(p);
	skip_newlines(p);
	n->body = parse_do(p);
	return n;
}

static struct case_item *parse_case_item(struct parser *p)
{
	struct case_item *item = arena_alloc(p->arena, sizeof(*item));
	struct word **end = &item->patterns;

	accept(p, T_LPAREN);
	do {
		if (peek(p) != T_WORD)
			unexpected(p);
		add_word(p, &end);
	} while (accept(p, T_PIPE));
	if (!accept(p, T_RPAREN))
		unexpected(p);
	item->body = parse_list(p);
	return item;
}

static struct node *parse_case(struct parser *p)
{
	struct node *n = new_node(p, N_CASE);
	struct word **subject = &n->words;
	struct case_item **end = &n->items;

	if (peek(p) != T_WORD)
		unexpected(p);
	add_word(p, &subject);
	skip_newlines(p);
	expect_word(p, "in");
	skip_newlines(p);
	while (!at_word(p, "esac")) {
		*end = parse_case_item(p);
		end = &(*end)->next;
		if (!accept(p, T_DSEMI) && !at_word(p, "esac"))
			unexpected(p);
		skip_newlines(p);
	}
	advance(p);
	return n;
}

static struct node *parse_group(struct parser *p, enum node_type type)
{
	struct node *n = new_node(p, type);

	n->first = require(p, parse_list(p));
	if (type == N_GROUP)
		expect_word(p, "}");
	else if (!accept(p, T_RPAREN))
		unexpected(p);
	return n;
}

/* The compound command at the next word, or NULL if it is none. */
static struct node *parse_compound(struct parser *p)
{
	if (accept(p, T_LPAREN))
		return parse_group(p, N_SUBSHELL);
	if (accept_word(p, "{"))
		return parse_group(p, N_GROUP);
	if (accept_word(p, "if"))
		return parse_if(p);
	if (accept_word(p, "while"))
		return parse_loop(p, false);
	if (accept_word(p, "until"))
		return parse_loop(p, true);
	if (accept_word(p, "for"))
		return parse_for(p);
	if (accept_word(p, "case"))
		return parse_case(p);
	return NULL;
}

/* A word that ends a list when a command could start. */
static bool at_terminator(struct parser *p)
{
	static const char *const words[] = {"then", "elif", "else", "fi",
					    "do",   "done", "esac", "}"};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (at_word(p, words[i]))
			return true;
	}
	return peek(p) == T_EOF || p->token == T_RPAREN || p->token == T_DSEMI;
}

static struct node *parse_command_node(struct parser *p)
{
	struct node *n;

	if (at_terminator(p))
		unexpected(p);
	n = parse_compound(p);
	if (!n)
		return parse_simple(p);
	parse_redirs(p, n);
	return n;
}

static struct node *parse_pipeline(struct parser *p)
{
	struct node *n = new_node(p, N_PIPE), **end = &n->first;
	size_t start = (peek(p), p->start);

	while (accept_word(p, "!"))
		n->negate = !n->negate;
	for (;;) {
		*end = parse_command_node(p);
		end = &(*end)->next;
		if (!accept(p, T_PIPE))
			break;
		skip_newlines(p);
	}
	n->text = text_since(p, start);
	return n;
}

static struct node *parse_and_or(struct parser *p)
{
	size_t start = (peek(p), p->start);
	struct node *left = parse_pipeline(p);

	while (peek(p) == T_AND || p->token == T_OR) {
		struct node *n = new_node(p, p->token == T_AND ? N_AND : N_OR);

		advance(p);
		skip_newlines(p);
		n->first = left;
		n->body = parse_pipeline(p);
		n->text = text_since(p, start);
		left = n;
	}
	return left;
}

/* Commands up to a terminator; NULL if there are none. */
static struct node *parse_list(struct parser *p)
{
	struct node *n = new_node(p, N_LIST), **end = &n->first;

	for (;;) {
		skip_newlines(p);
		if (at_terminator(p))
			break;
		*end = parse_and_or(p);
		peek(p);
		(*end)->background = p->token == T_AMP;
		end = &(*end)->next;
		if (!accept(p, T_AMP) && !accept(p, T_SEMI) && p->token != T_NEWLINE)
			break;
	}
	return n->first ? n : NULL;
}

/* The commands of one line, with whatever lines they need to be complete. */
static struct node *parse_line(struct parser *p)
{
	struct node *n = new_node(p, N_LIST), **end = &n->first;

	while (!accept(p, T_NEWLINE) && peek(p) != T_EOF) {
		*end = parse_and_or(p);
		peek(p);
		(*end)->background = p->token == T_AMP;
		end = &(*end)->next;
		if (!accept(p, T_AMP) && !accept(p, T_SEMI) && p->token != T_NEWLINE &&
		    p->token != T_EOF)
			unexpected(p);
	}
	return n->first ? n : NULL;
}

/* What was parsed is not needed any more. */
static void drop_parsed(struct source *src)
{
	size_t left = src->text.len - src->pos;

	if (src->pos == 0)
		return;
	memmove(src->text.data, src->text.data + src->pos, left);
	src->text.len = left;
	src->text.data[left] = 0;
	src->pos = 0;
}

enum parse_result parse_command(struct source *src, struct arena *arena, struct node **out)
{
	struct parser p = {.src = src, .arena = arena};

	p.pending_end = &p.pending;
	*out = NULL;
	src->started = false;
	if (!src->more && src->pos == src->text.len)
		return PARSE_EOF;
	drop_parsed(src);
	if (setjmp(p.error)) {
		src->pos = src->text.len;
		return PARSE_ERROR;
	}
	if (source_peek(src, 0) < 0)
		return PARSE_EOF;
	*out = parse_line(&p);
	return PARSE_OK;
}
