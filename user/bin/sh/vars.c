// SPDX-License-Identifier: BSD-2-Clause
/*
 * vars.c - variables and functions, in hash tables that grow with what they hold, and the
 * stack of values to be put back when a function or a prefixed assignment ends.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/bin/sh/sh.h"

/* Both struct var and struct function start like this. */
struct entry {
	struct entry *next;
	char *name;
};

struct table {
	struct entry **slots;
	size_t size; /* a power of two, or 0 */
	size_t count;
};

struct saved {
	char *name;
	char *value;
	bool exported;
	bool existed;
};

static struct table vars, functions;
static struct saved *saved;
static size_t saved_len, saved_cap;

static size_t hash(const char *s)
{
	size_t h = 5381;

	while (*s)
		h = h * 33 ^ (unsigned char)*s++;
	return h;
}

static void table_grow(struct table *t)
{
	size_t size = t->size ? t->size * 2 : 64;
	struct entry **slots = xcalloc(size, sizeof(*slots));

	for (size_t i = 0; i < t->size; i++) {
		struct entry *e, *next;

		for (e = t->slots[i]; e; e = next) {
			struct entry **slot = &slots[hash(e->name) & (size - 1)];

			next = e->next;
			e->next = *slot;
			*slot = e;
		}
	}
	free(t->slots);
	t->slots = slots;
	t->size = size;
}

/* Where the entry hangs, or where it would. */
static struct entry **table_slot(struct table *t, const char *name)
{
	struct entry **e;

	if (t->count >= t->size)
		table_grow(t);
	e = &t->slots[hash(name) & (t->size - 1)];
	while (*e && strcmp((*e)->name, name) != 0)
		e = &(*e)->next;
	return e;
}

static struct entry *table_make(struct table *t, const char *name, size_t size)
{
	struct entry **slot = table_slot(t, name);

	if (!*slot) {
		struct entry *e = xcalloc(1, size);

		e->name = xstrdup(name);
		*slot = e;
		t->count++;
		return e;
	}
	return *slot;
}

static void *table_remove(struct table *t, const char *name)
{
	struct entry **slot = table_slot(t, name);
	struct entry *e = *slot;

	if (e) {
		*slot = e->next;
		free(e->name);
		t->count--;
	}
	return e;
}

struct var *var_find(const char *name)
{
	return (struct var *)*table_slot(&vars, name);
}

struct var *var_make(const char *name)
{
	return (struct var *)table_make(&vars, name, sizeof(struct var));
}

const char *var_get(const char *name)
{
	struct var *v = var_find(name);

	return v ? v->value : NULL;
}

void var_set(const char *name, const char *value)
{
	struct var *v = var_make(name);
	char *copy;

	if (v->readonly)
		fail(2, "%s: is read only", name);
	copy = xstrdup(value);
	free(v->value);
	v->value = copy;
}

bool var_unset(const char *name)
{
	struct var *v = var_find(name);

	if (!v)
		return true;
	if (v->readonly)
		return false;
	table_remove(&vars, name);
	free(v->value);
	free(v);
	return true;
}

void vars_each(void (*fn)(struct var *v))
{
	struct list names = {0};

	for (size_t i = 0; i < vars.size; i++) {
		for (struct entry *e = vars.slots[i]; e; e = e->next)
			list_add(&names, xstrdup(e->name));
	}
	if (names.len)
		list_sort(&names);
	for (size_t i = 0; i < names.len; i++)
		fn(var_find(names.items[i]));
	list_free(&names);
}

char **vars_environ(void)
{
	struct list env = {0};

	for (size_t i = 0; i < vars.size; i++) {
		for (struct entry *e = vars.slots[i]; e; e = e->next) {
			struct var *v = (struct var *)e;

			if (v->exported && v->value)
				list_add(&env, xasprintf("%s=%s", v->name, v->value));
		}
	}
	if (!env.items)
		env.items = xcalloc(1, sizeof(char *));
	return env.items;
}

void vars_init(char **envp)
{
	for (; *envp; envp++) {
		size_t n = name_length(*envp);

		if (n && (*envp)[n] == '=') {
			char *name = xstrndup(*envp, n);

			var_set(name, *envp + n + 1);
			var_find(name)->exported = true;
			free(name);
		}
	}
	if (!var_get("PATH")) {
		var_set("PATH", "/bin:/sbin:/usr/bin:/usr/sbin");
		var_find("PATH")->exported = true;
	}
	var_set("IFS", " \t\n");
	var_find("IFS")->exported = false;
	var_set("OPTIND", "1");
}

struct function *function_find(const char *name)
{
	return (struct function *)*table_slot(&functions, name);
}

bool function_unset(const char *name)
{
	struct function *f = table_remove(&functions, name);

	if (!f)
		return false;
	arena_drop(f->arena);
	free(f);
	return true;
}

void function_set(const char *name, struct node *body, struct arena *arena)
{
	struct function *f;

	arena_hold(arena);
	function_unset(name);
	f = (struct function *)table_make(&functions, name, sizeof(*f));
	f->body = body;
	f->arena = arena;
}

size_t vars_mark(void)
{
	return saved_len;
}

void var_save(const char *name)
{
	struct var *v = var_find(name);

	if (saved_len == saved_cap) {
		saved_cap = saved_cap * 2 + 8;
		saved = xrealloc(saved, saved_cap * sizeof(*saved));
	}
	saved[saved_len++] = (struct saved){
		.name = xstrdup(name),
		.value = v && v->value ? xstrdup(v->value) : NULL,
		.exported = v && v->exported,
		.existed = v != NULL,
	};
}

static void restore_one(struct saved *s)
{
	if (s->existed) {
		struct var *v = var_make(s->name);

		free(v->value);
		v->value = s->value;
		v->exported = s->exported;
	} else {
		var_unset(s->name);
	}
	free(s->name);
}

void vars_restore(size_t mark)
{
	assert(mark <= saved_len);
	while (saved_len > mark)
		restore_one(&saved[--saved_len]);
}
