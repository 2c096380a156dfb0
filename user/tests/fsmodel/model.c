// SPDX-License-Identifier: BSD-2-Clause
/*
 * model.c - what the files should be.
 *
 * Invariants: segments ascend, do not overlap and end within the size; the names in one
 * directory differ; a body lives as long as a name or a handle refers to it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/tests/fsmodel/fsmodel.h"

uint8_t pattern(uint32_t seed, size_t offset)
{
	return (uint8_t)((seed >> (offset % 4 * 8)) + offset / 4 * 31 + (offset >> 12) * 7);
}

/* ---- bodies ---------------------------------------------------------------------- */

static void segment_insert(struct body *b, size_t at, struct segment s)
{
	if (b->count == b->room) {
		b->room = b->room * 2 + 4;
		b->segments = must_realloc(b->segments, b->room * sizeof(s));
	}
	memmove(b->segments + at + 1, b->segments + at, (b->count - at) * sizeof(s));
	b->segments[at] = s;
	b->count++;
}

static void segment_delete(struct body *b, size_t at)
{
	b->count--;
	memmove(b->segments + at, b->segments + at + 1, (b->count - at) * sizeof(*b->segments));
}

/* Nothing is left between start and end; the index where a segment for that goes. */
size_t body_clear(struct worker *w, struct body *b, size_t start, size_t end)
{
	size_t i = 0;

	while (i < b->count && b->segments[i].end <= start)
		i++;
	if (i < b->count && b->segments[i].start < start) {
		struct segment tail = b->segments[i];

		b->segments[i++].end = start;
		tail.start = start;
		segment_insert(b, i, tail);
	}
	while (i < b->count && b->segments[i].end <= end) {
		w->data -= b->segments[i].end - b->segments[i].start;
		segment_delete(b, i);
	}
	if (i < b->count && b->segments[i].start < end) {
		w->data -= end - b->segments[i].start;
		b->segments[i].start = end;
	}
	return i;
}

void body_write(struct worker *w, struct body *b, size_t start, size_t end, uint32_t seed)
{
	if (start == end)
		return;
	segment_insert(b, body_clear(w, b, start, end), (struct segment){start, end, seed});
	w->data += end - start;
	if (b->size < end)
		b->size = end;
}

void body_resize(struct worker *w, struct body *b, size_t size)
{
	if (size < b->size)
		body_clear(w, b, size, b->size);
	b->size = size;
}

void body_bytes(const struct body *b, size_t offset, uint8_t *buf, size_t len)
{
	memset(buf, 0, len);
	for (size_t i = 0; i < b->count; i++) {
		const struct segment *s = &b->segments[i];
		size_t from = s->start > offset ? s->start : offset;
		size_t to = s->end < offset + len ? s->end : offset + len;

		for (size_t o = from; o < to; o++)
			buf[o - offset] = pattern(s->seed, o);
	}
}

void body_drop(struct worker *w, struct body *b)
{
	if (b->links || b->users)
		return;
	body_resize(w, b, 0);
	free(b->segments);
	free(b);
}

/* ---- entries --------------------------------------------------------------------- */

struct entry *entry_add(struct worker *w, struct entry *parent, const char *name, enum kind kind)
{
	struct entry *e = must_realloc(NULL, sizeof(*e));

	if (w->count == w->room) {
		w->room = w->room * 2 + 16;
		w->entries = must_realloc(w->entries, w->room * sizeof(e));
	}
	memset(e, 0, sizeof(*e));
	e->parent = parent;
	e->kind = kind;
	snprintf(e->name, sizeof(e->name), "%s", name);
	if (parent)
		parent->children++;
	w->entries[w->count++] = e;
	return e;
}

void entry_remove(struct worker *w, struct entry *e)
{
	size_t i = 0;

	while (w->entries[i] != e)
		i++;
	w->entries[i] = w->entries[--w->count];
	e->parent->children--;
	if (e->body) {
		e->body->links--;
		body_drop(w, e->body);
	}
	free(e);
}

struct entry *entry_find(struct worker *w, struct entry *parent, const char *name)
{
	for (size_t i = 1; i < w->count; i++) {
		if (w->entries[i]->parent == parent && strcmp(w->entries[i]->name, name) == 0)
			return w->entries[i];
	}
	return NULL;
}

struct entry *entry_pick(struct worker *w, enum kind kind)
{
	size_t start = pick(w, w->count);

	for (size_t i = 0; i < w->count; i++) {
		struct entry *e = w->entries[(start + i) % w->count];

		if (e->kind == kind)
			return e;
	}
	return NULL;
}

bool entry_is_below(const struct entry *e, const struct entry *ancestor)
{
	while (e && e != ancestor)
		e = e->parent;
	return e != NULL;
}

void entry_path(const struct entry *e, char *path)
{
	size_t len;

	if (!e->parent) {
		strcpy(path, ".");
		return;
	}
	entry_path(e->parent, path);
	len = strlen(path);
	snprintf(path + len, PATH_LEN - len, "/%s", e->name);
}
