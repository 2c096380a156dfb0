/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FSMODEL_H
#define FSMODEL_H

/*
 * Each worker has a directory of its own, which is its working directory, and a model of it:
 * a tree of entries, of which files refer to bodies (several to one: hard links). A body is
 * its size and the segments that were written; the rest are zeroes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE	 4096UL
#define PATH_LEN 512

/* Byte o of the file, start <= o < end, is pattern(seed, o). */
struct segment {
	size_t start, end;
	uint32_t seed;
};

struct body {
	size_t size;
	struct segment *segments; /* ascending, apart */
	size_t count, room;
	unsigned int links; /* names in the tree */
	unsigned int users; /* handles */
};

enum kind { KIND_FILE, KIND_DIR, KIND_LINK };

struct entry {
	struct entry *parent; /* NULL for the root */
	char name[24];
	enum kind kind;
	struct body *body;     /* KIND_FILE */
	char target[40];       /* KIND_LINK */
	unsigned int children; /* KIND_DIR */
	bool seen;	       /* by a walk through the real directory */
};

/* An open file, maybe without a name by now, maybe mapped. */
struct handle {
	int fd;
	struct body *body;
	char *map; /* shared; NULL: none */
	size_t map_len;
};

struct worker {
	int number;
	uint32_t random;
	struct entry **entries; /* [0] is the root */
	size_t count, room;
	struct handle *handles;
	size_t handle_count, handle_room;
	size_t data; /* bytes in segments of all bodies, about */
	unsigned long operations;
	unsigned int next_name;
};

/* Says what, where in the sequence and with which errno; ends the process. */
void bad(struct worker *w, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
void *must_realloc(void *p, size_t size);
uint32_t pick(struct worker *w, uint32_t below);

/* model.c */
uint8_t pattern(uint32_t seed, size_t offset);
void body_write(struct worker *w, struct body *b, size_t start, size_t end, uint32_t seed);
/* Zeroes; the index where a segment for that goes. */
size_t body_clear(struct worker *w, struct body *b, size_t start, size_t end);
void body_resize(struct worker *w, struct body *b, size_t size);
/* The bytes as the model has them; beyond the size they are 0. */
void body_bytes(const struct body *b, size_t offset, uint8_t *buf, size_t len);
void body_drop(struct worker *w, struct body *b); /* frees it if nobody has it */
struct entry *entry_add(struct worker *w, struct entry *parent, const char *name, enum kind kind);
void entry_remove(struct worker *w, struct entry *e);
struct entry *entry_find(struct worker *w, struct entry *parent, const char *name);
struct entry *entry_pick(struct worker *w, enum kind kind);		  /* NULL: there is none */
bool entry_is_below(const struct entry *e, const struct entry *ancestor); /* or is it */
void entry_path(const struct entry *e, char *path);			  /* PATH_LEN bytes */

/* ops.c */
void operate(struct worker *w);
void handles_close(struct worker *w);

/* space.c: something with holes or O_DIRECT, to an open file */
void change_space(struct worker *w, int fd, struct body *b);

/* check.c */
void check_fd(struct worker *w, int fd, const struct body *b, const char *name);
void check_map(struct worker *w, const char *map, size_t len, const struct body *b);
void check_file(struct worker *w, struct entry *e);
void check_tree(struct worker *w);

/* manifest.c */
uint32_t crc32_add(uint32_t crc, const uint8_t *p, size_t len); /* zlib's; begins with 0 */
void manifest_write(struct worker *w, const char *dir);		/* the worker's part */
int manifest_merge(const char *dir, int workers);
int manifest_verify(const char *dir);

#endif
