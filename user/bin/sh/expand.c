// SPDX-License-Identifier: BSD-2-Clause
/*
 * expand.c - words to arguments.
 *
 * A word is first expanded into characters that each carry where they come from; splitting,
 * globbing and the removal of quotes then only look at that:
 *
 *	LITERAL		typed without quotes: globs, is not split
 *	QUOTED		inside quotes: neither globs nor splits
 *	EXPANDED	from a $ or ` outside quotes: globs and splits
 *	MARK		no character: quotes were here, so an empty field is one
 *	BREAK		no character: a field ends here ("$@")
 */
#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/bin/sh/sh.h"

enum origin { LITERAL, QUOTED, EXPANDED, MARK, BREAK };

struct expansion {
	struct buf text;
	struct buf origin; /* as long as text */
	bool no_args;	   /* a "$@" stood for nothing */
	bool single;	   /* the result is one string: "$@" is joined as "$*" */
	int braces;	   /* depth in ${x-...}: what stands there is split like a value */
};

static void expand_text(struct expansion *x, const char *s, const char *end, bool quoted);

static void put(struct expansion *x, char c, enum origin o)
{
	buf_char(&x->text, c);
	buf_char(&x->origin, (char)o);
}

static void put_string(struct expansion *x, const char *s, enum origin o)
{
	while (*s)
		put(x, *s++, o);
}

static enum origin origin_of(bool quoted)
{
	return quoted ? QUOTED : EXPANDED;
}

static void expansion_free(struct expansion *x)
{
	buf_free(&x->text);
	buf_free(&x->origin);
}

/* ---- parameters ---- */

static char first_ifs(void)
{
	const char *ifs = var_get("IFS");

	return ifs ? *ifs : ' ';
}

static void put_args(struct expansion *x, char which, bool quoted)
{
	bool split = (which == '@' || !quoted) && !x->single;

	if (sh.args.len == 0)
		x->no_args = which == '@';
	for (size_t i = 0; i < sh.args.len; i++) {
		if (i > 0 && split)
			put(x, 0, BREAK);
		else if (i > 0 && (which == '@' || first_ifs()))
			put(x, which == '@' ? ' ' : first_ifs(), QUOTED);
		if (quoted)
			put(x, 0, MARK);
		put_string(x, sh.args.items[i], origin_of(quoted));
	}
}

static void option_letters(char *out)
{
	const struct {
		bool on;
		char letter;
	} options[] = {{sh.exit_on_error, 'e'}, {sh.no_glob, 'f'},  {sh.interactive, 'i'},
		       {sh.job_control, 'm'},	{sh.no_unset, 'u'}, {sh.trace, 'x'}};

	for (size_t i = 0; i < COUNT(options); i++) {
		if (options[i].on)
			*out++ = options[i].letter;
	}
	*out = 0;
}

/* The value of a parameter other than $@ and $*, or NULL; allocated. */
static char *parameter(const char *name, size_t n)
{
	char *copy;
	const char *value;

	if (n == 1 && strchr("?$!#-", *name)) {
		char letters[16];

		option_letters(letters);
		return *name == '-' ? xstrdup(letters)
		       : *name == '!' && !sh.last_job
			       ? NULL
			       : xasprintf("%ld", *name == '?'	 ? (long)sh.status
						  : *name == '$' ? (long)sh.pid
						  : *name == '!' ? (long)sh.last_job
								 : (long)sh.args.len);
	}
	if (isdigit((unsigned char)*name)) {
		size_t i = strtoul(name, NULL, 10);

		if (i == 0)
			return xstrdup(sh.name);
		return i <= sh.args.len ? xstrdup(sh.args.items[i - 1]) : NULL;
	}
	copy = xstrndup(name, n);
	value = var_get(copy);
	free(copy);
	return value ? xstrdup(value) : NULL;
}

/* How long the parameter's name at s is: a name, a number, or one special character. */
static size_t parameter_length(const char *s)
{
	size_t n = name_length(s);

	if (n)
		return n;
	if (isdigit((unsigned char)*s))
		return strspn(s, "0123456789");
	return *s && strchr("@*#?-$!", *s) ? 1 : 0;
}

/* Removes the shortest or longest match of the pattern at the start (#) or the end (%). */
static void trim(char *value, const char *pattern, char where, bool longest)
{
	size_t n = strlen(value);

	for (size_t i = 0; i <= n; i++) {
		size_t cut = longest ? n - i : i;
		bool match;
		char saved;

		if (where == '%') {
			match = fnmatch(pattern, value + n - cut, 0) == 0;
			if (match) {
				value[n - cut] = 0;
				return;
			}
			continue;
		}
		saved = value[cut];
		value[cut] = 0;
		match = fnmatch(pattern, value, 0) == 0;
		value[cut] = saved;
		if (match) {
			memmove(value, value + cut, n - cut + 1);
			return;
		}
	}
}

struct braces {
	const char *name;
	size_t name_len;
	const char *word; /* behind the operator */
	const char *end;  /* at the } */
	char op;	  /* - = ? + % #, or 0 */
	bool colon;	  /* empty counts as not set; for % and #: doubled */
};

static void expand_inner(struct expansion *x, struct braces *b, bool quoted)
{
	x->braces++;
	expand_text(x, b->word, b->end, quoted);
	x->braces--;
}

static char *brace_word(struct braces *b)
{
	return xstrndup(b->word, (size_t)(b->end - b->word));
}

static void __attribute__((noreturn)) bad_substitution(const char *s, const char *end)
{
	fail(2, "%.*s: bad substitution", (int)(end - s), s);
}

static void brace_trim(struct expansion *x, struct braces *b, char *value, bool quoted)
{
	char *text = brace_word(b);
	char *pattern = expand_pattern(text);

	trim(value, pattern, b->op, b->colon);
	put_string(x, value, origin_of(quoted));
	free(pattern);
	free(text);
}

static void brace_assign(struct expansion *x, struct braces *b, bool quoted)
{
	char *text = brace_word(b), *name = xstrndup(b->name, b->name_len);
	char *value;

	if (!is_name(name, b->name_len))
		bad_substitution(b->name, b->end);
	value = expand_string(text);
	var_set(name, value);
	put_string(x, value, origin_of(quoted));
	free(value);
	free(name);
	free(text);
}

static void __attribute__((noreturn)) brace_error(struct braces *b)
{
	char *text = brace_word(b);
	char *message = expand_string(text);

	fail(2, "%.*s: %s", (int)b->name_len, b->name, *message ? message : "parameter not set");
}

static void brace_unset(struct expansion *x, struct braces *b, bool quoted)
{
	switch (b->op) {
	case '-':
		expand_inner(x, b, quoted);
		break;
	case '=':
		brace_assign(x, b, quoted);
		break;
	case '?':
		brace_error(b);
	case '+':
		break;
	default:
		if (sh.no_unset)
			fail(2, "%.*s: parameter not set", (int)b->name_len, b->name);
	}
}

static void put_length(struct expansion *x, const char *name, size_t n, bool quoted)
{
	char *value = parameter(name, n), *text;

	if (!value && sh.no_unset)
		fail(2, "%.*s: parameter not set", (int)n, name);
	text = xasprintf("%zu", *name == '@' || *name == '*' ? sh.args.len
				: value			     ? strlen(value)
							     : 0);
	put_string(x, text, origin_of(quoted));
	free(text);
	free(value);
}

static bool parse_braces(const char *s, const char *end, struct braces *b)
{
	*b = (struct braces){.name = s, .name_len = parameter_length(s), .end = end};
	s += b->name_len;
	if (!b->name_len || s > end)
		return false;
	if (s == end)
		return true;
	if (*s == ':') {
		b->colon = true;
		s++;
	}
	b->op = *s++;
	if ((b->op == '%' || b->op == '#') && !b->colon && *s == b->op) {
		b->colon = true;
		s++;
	} else if (b->op == '%' || b->op == '#') {
		if (b->colon)
			return false;
	}
	b->word = s;
	return strchr("-=?+%#", b->op) != NULL;
}

/* ${...}: s is behind the brace, end at the closing one. */
static void expand_braces(struct expansion *x, const char *s, const char *end, bool quoted)
{
	struct braces b;
	char *value;
	bool args, set;

	if (*s == '#' && s + 1 < end && parameter_length(s + 1) == (size_t)(end - s - 1)) {
		put_length(x, s + 1, (size_t)(end - s - 1), quoted);
		return;
	}
	if (!parse_braces(s, end, &b))
		bad_substitution(s, end);
	args = *b.name == '@' || *b.name == '*';
	value = args ? NULL : parameter(b.name, b.name_len);
	set = args ? sh.args.len > 0 : value != NULL;
	if (set && b.colon && strchr("-=?+", b.op))
		set = args || *value;
	if (!set && !(args && (!b.op || strchr("%#", b.op))))
		brace_unset(x, &b, quoted);
	else if (b.op == '+')
		expand_inner(x, &b, quoted);
	else if (args)
		put_args(x, *b.name, quoted);
	else if (b.op == '%' || b.op == '#')
		brace_trim(x, &b, value, quoted);
	else
		put_string(x, value, origin_of(quoted));
	free(value);
}

/* ---- substitutions ---- */

static void put_output(struct expansion *x, const char *text, size_t n, bool quoted)
{
	char *out = command_output(text, n);

	put_string(x, out, origin_of(quoted));
	free(out);
}

static void put_arithmetic(struct expansion *x, const char *text, size_t n, bool quoted)
{
	char *copy = xstrndup(text, n);
	char *expanded = expand_heredoc(copy);
	char *result = xasprintf("%ld", arith_eval(expanded));

	put_string(x, result, origin_of(quoted));
	free(result);
	free(expanded);
	free(copy);
}

/* `...`: s is behind the first one. Within, \ quotes only $, ` and \ (and " in quotes). */
static const char *expand_backquote(struct expansion *x, const char *s, bool quoted)
{
	struct buf command = {0};

	buf_add(&command, "", 0);
	for (; *s && *s != '`'; s++) {
		if (*s == '\\' && s[1] && strchr(quoted ? "$`\\\"" : "$`\\", s[1]))
			s++;
		buf_char(&command, *s);
	}
	put_output(x, command.data, command.len, quoted);
	buf_free(&command);
	return *s ? s + 1 : s;
}

static void put_parameter(struct expansion *x, const char *s, size_t n, bool quoted)
{
	char *value;

	if (*s == '@' || *s == '*') {
		put_args(x, *s, quoted);
		return;
	}
	value = parameter(s, n);
	if (!value && sh.no_unset)
		fail(2, "%.*s: parameter not set", (int)n, s);
	if (value)
		put_string(x, value, origin_of(quoted));
	free(value);
}

/* s is at the $; returns where it ends. */
static const char *expand_dollar(struct expansion *x, const char *s, bool quoted)
{
	size_t n;

	if (s[1] == '{' || s[1] == '(') {
		n = dollar_length(s, quoted);
		if (n < 3)
			bad_substitution(s, s + n);
		if (s[1] == '{')
			expand_braces(x, s + 2, s + n - 1, quoted);
		else if (s[2] == '(' && n > 5 && s[n - 2] == ')')
			put_arithmetic(x, s + 3, n - 5, quoted);
		else
			put_output(x, s + 2, n - 3, quoted);
		return s + n;
	}
	n = isdigit((unsigned char)s[1]) ? 1 : parameter_length(s + 1);
	if (n)
		put_parameter(x, s + 1, n, quoted);
	else
		put(x, '$', quoted ? QUOTED : LITERAL);
	return s + 1 + n;
}

/* ~ at the start of a word. */
static const char *expand_tilde(struct expansion *x, const char *s, const char *end)
{
	const char *home = var_get("HOME");

	if (s == end || *s != '~' || (s + 1 < end && s[1] != '/' && s[1] != ':') || !home)
		return s;
	put_string(x, home, QUOTED);
	return s + 1;
}

static const char *expand_single(struct expansion *x, const char *s, const char *end)
{
	put(x, 0, MARK);
	while (s < end && *s != '\'')
		put(x, *s++, QUOTED);
	return s < end ? s + 1 : s;
}

/* Finds the quote that closes the one before s. */
static const char *double_end(const char *s, const char *end)
{
	while (s < end && *s != '"') {
		if (*s == '\\' && s + 1 < end) {
			s += 2;
		} else if (*s == '$' && (s[1] == '{' || s[1] == '(')) {
			s += dollar_length(s, true);
		} else if (*s == '`') {
			for (s++; s < end && *s != '`'; s++)
				s += *s == '\\' && s + 1 < end;
			s++;
		} else {
			s++;
		}
	}
	return s < end ? s : end;
}

static const char *expand_double(struct expansion *x, const char *s, const char *end)
{
	const char *close = double_end(s, end);

	if (!(close - s == 2 && s[0] == '$' && s[1] == '@'))
		put(x, 0, MARK);
	expand_text(x, s, close, true);
	return close < end ? close + 1 : close;
}

static const char *expand_backslash(struct expansion *x, const char *s, const char *end,
				    bool quoted)
{
	if (s == end) {
		put(x, '\\', QUOTED);
		return s;
	}
	if (quoted && !strchr("$`\"\\\n", *s))
		put(x, '\\', QUOTED);
	if (!(quoted && *s == '\n'))
		put(x, *s, QUOTED);
	return s + 1;
}

static void expand_text(struct expansion *x, const char *s, const char *end, bool quoted)
{
	if (!quoted)
		s = expand_tilde(x, s, end);
	while (s < end) {
		if (*s == '\\')
			s = expand_backslash(x, s + 1, end, quoted);
		else if (*s == '$')
			s = expand_dollar(x, s, quoted);
		else if (*s == '`')
			s = expand_backquote(x, s + 1, quoted);
		else if (*s == '\'' && !quoted)
			s = expand_single(x, s + 1, end);
		else if (*s == '"' && !quoted)
			s = expand_double(x, s + 1, end);
		else
			put(x, *s++, quoted ? QUOTED : x->braces ? EXPANDED : LITERAL);
	}
}

/* ---- fields ---- */

static enum origin origin_at(struct expansion *x, size_t i)
{
	return (enum origin)x->origin.data[i];
}

static bool is_separator(struct expansion *x, size_t i, const char *ifs)
{
	return origin_at(x, i) == EXPANDED && strchr(ifs, x->text.data[i]);
}

/* The characters from..to; as a pattern, what must not glob is escaped. */
static char *field_string(struct expansion *x, size_t from, size_t to, bool pattern)
{
	struct buf b = {0};

	buf_add(&b, "", 0);
	for (size_t i = from; i < to; i++) {
		enum origin o = origin_at(x, i);

		if (o >= MARK)
			continue;
		if (pattern && o == QUOTED && strchr("*?[]\\-!^", x->text.data[i]))
			buf_char(&b, '\\');
		buf_char(&b, x->text.data[i]);
	}
	return b.data;
}

static bool field_globs(struct expansion *x, size_t from, size_t to)
{
	for (size_t i = from; i < to && !sh.no_glob; i++) {
		enum origin o = origin_at(x, i);

		if ((o == LITERAL || o == EXPANDED) && strchr("*?[", x->text.data[i]))
			return true;
	}
	return false;
}

static void add_field(struct expansion *x, size_t from, size_t to, struct list *out)
{
	size_t before = out->len;

	if (field_globs(x, from, to)) {
		char *pattern = field_string(x, from, to, true);

		glob_add(pattern, out);
		free(pattern);
		if (out->len > before)
			return;
	}
	list_add(out, field_string(x, from, to, false));
}

static bool has_field(struct expansion *x, size_t from, size_t to)
{
	bool mark = false;

	for (size_t i = from; i < to; i++) {
		if (origin_at(x, i) != MARK)
			return true;
		mark = true;
	}
	return mark && !x->no_args;
}

/* Behind the separator at i: one that is not white space, with white space around it. */
static size_t skip_separator(struct expansion *x, size_t i, const char *ifs)
{
	bool hard = false;

	for (; i < x->text.len && is_separator(x, i, ifs); i++) {
		if (!isspace((unsigned char)x->text.data[i])) {
			if (hard)
				break;
			hard = true;
		}
	}
	return i;
}

static void split(struct expansion *x, struct list *out)
{
	const char *ifs = var_get("IFS") ? var_get("IFS") : " \t\n";
	size_t from = 0, i = 0;

	while (i < x->text.len && is_separator(x, i, ifs) &&
	       isspace((unsigned char)x->text.data[i]))
		from = ++i;
	while (i < x->text.len) {
		if (origin_at(x, i) == BREAK) {
			if (has_field(x, from, i))
				add_field(x, from, i, out);
			from = ++i;
		} else if (is_separator(x, i, ifs)) {
			add_field(x, from, i, out);
			from = i = skip_separator(x, i, ifs);
		} else {
			i++;
		}
	}
	if (has_field(x, from, i))
		add_field(x, from, i, out);
}

void expand_word(const char *text, struct list *out)
{
	struct expansion x = {0};

	expand_text(&x, text, text + strlen(text), false);
	split(&x, out);
	expansion_free(&x);
}

void expand_words(struct word *w, struct list *out)
{
	for (; w; w = w->next)
		expand_word(w->text, out);
}

static char *expand_single_string(const char *text, bool quoted, bool pattern)
{
	struct expansion x = {.single = true};
	char *result;

	expand_text(&x, text, text + strlen(text), quoted);
	result = field_string(&x, 0, x.text.len, pattern);
	expansion_free(&x);
	return result;
}

char *expand_string(const char *text)
{
	return expand_single_string(text, false, false);
}

char *expand_pattern(const char *text)
{
	return expand_single_string(text, false, true);
}

char *expand_heredoc(const char *text)
{
	return expand_single_string(text, true, false);
}
