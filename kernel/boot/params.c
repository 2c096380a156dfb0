// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel command line.  Owns the parsed list of words, made once by params_parse and constant afterwards; before that
 * nothing but kernel_cmdline works.  No locks.
 */
#include "kernel/boot/params.h"

#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"

struct param {
	struct param *next;
	const char *value; /* NULL: no '=' */
	char name[];	   /* the value follows its NUL */
};

static const char *cmdline = "";
static struct param *params, **params_tail = &params;
static struct param *init_args, **init_args_tail = &init_args;

void params_init(const char *line)
{
	cmdline = line ? line : "";
}

const char *kernel_cmdline(void)
{
	return cmdline;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copies one word without its quotes; returns where it ended. */
static const char *take_word(const char *s, char *out)
{
	bool quoted = false;

	for (; *s && (quoted || !blank(*s)); s++) {
		if (quoted && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
			*out++ = *++s;
		else if (*s == '"')
			quoted = !quoted;
		else
			*out++ = *s;
	}
	*out = 0;
	return s;
}

static size_t word_room(const char *s)
{
	bool quoted = false;
	size_t n = 0;

	for (; s[n] && (quoted || !blank(s[n])); n++)
		if (quoted && s[n] == '\\' && (s[n + 1] == '"' || s[n + 1] == '\\'))
			n++;
		else if (s[n] == '"')
			quoted = !quoted;
	return n + 1;
}

void params_parse(void)
{
	const char *s = cmdline;
	bool for_init = false;

	ASSERT(!params);
	for (;;) {
		struct param *p;

		while (blank(*s))
			s++;
		if (!*s)
			return;
		p = kzalloc(sizeof(*p) + word_room(s));
		ASSERTF(p, "no memory for the command line");
		s = take_word(s, p->name);
		if (for_init) {
			*init_args_tail = p;
			init_args_tail = &p->next;
			continue;
		}
		if (strcmp(p->name, "--") == 0) {
			for_init = true;
			kfree(p);
			continue;
		}
		char *eq = strchr(p->name, '=');

		if (eq) {
			*eq = 0;
			p->value = eq + 1;
		}
		*params_tail = p;
		params_tail = &p->next;
	}
}

static bool same_name(const char *a, const char *b)
{
	for (; *a || *b; a++, b++) {
		char x = *a == '-' ? '_' : *a, y = *b == '-' ? '_' : *b;

		if (x != y)
			return false;
	}
	return true;
}

const char *kernel_param(const char *name)
{
	const char *found = NULL;

	for (const struct param *p = params; p; p = p->next)
		if (same_name(p->name, name))
			found = p->value ? p->value : "";
	return found;
}

const char *kernel_param_nth(const char *name, unsigned k)
{
	for (const struct param *p = params; p; p = p->next)
		if (same_name(p->name, name) && k-- == 0)
			return p->value ? p->value : "";
	return NULL;
}

bool kernel_flag(const char *name)
{
	static const char *const yes[] = {"", "1", "y", "yes", "on", "true"};
	const char *v = kernel_param(name);

	for (unsigned i = 0; v && i < ARRAY_LEN(yes); i++)
		if (strcmp(v, yes[i]) == 0)
			return true;
	return false;
}

static u64 number(const char *v, u64 dflt)
{
	u64 n, unit = 1;
	const char *end;

	if (!v || !*v)
		return dflt;
	n = strtou64(v, &end, 0);
	if (*end == 'K' || *end == 'k')
		unit = KiB;
	else if (*end == 'M' || *end == 'm')
		unit = MiB;
	else if (*end == 'G' || *end == 'g')
		unit = GiB;
	else if ((*end && !blank(*end)) || end == v)
		return dflt;
	return n * unit;
}

u64 kernel_param_u64(const char *name, u64 dflt)
{
	return number(kernel_param(name), dflt);
}

u64 params_early_u64(const char *name, u64 dflt)
{
	size_t len = strlen(name);
	const char *found = NULL;

	for (const char *s = cmdline; *s; s++)
		if ((s == cmdline || blank(s[-1])) && strncmp(s, name, len) == 0 && s[len] == '=')
			found = s + len + 1;
	return number(found, dflt);
}

const char *kernel_init_arg(unsigned k)
{
	for (const struct param *p = init_args; p; p = p->next)
		if (k-- == 0)
			return p->name;
	return NULL;
}
