/* SPDX-License-Identifier: BSD-2-Clause */
/* sysfuzz.h - between the files of the system call fuzzer; main.c has the picture. */
#ifndef USER_TESTS_SYSFUZZ_H
#define USER_TESTS_SYSFUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* the kernel's numbers, NR_name */
enum {
#define SYSCALL(nr, name) NR_##name = (nr),
#include "kernel/syscall/nr.def"
#undef SYSCALL
};
/* nr(name, args...): a system call by the kernel's own list */
#define nr(name, ...) sys_(NR_##name, ##__VA_ARGS__)

#define PAGE	    4096UL
#define MAX_WORKERS 64
#define ARENA_PAGES 48UL

/* What a worker does now; in memory that the harness shares. */
struct slot {
	uint64_t calls; /* finished so far, over all generations */
	uint64_t good;	/* of these: without an error */
	uint64_t seed;	/* of this generation */
	uint32_t clones;
	int32_t pid;
	int32_t child; /* the last one of a clone */
	int32_t nr;    /* the call under way */
	uint64_t args[6];
};

struct shared {
	uint32_t workers;
	int32_t harness; /* its process */
	bool trace;	 /* print each call */
	struct slot slot[MAX_WORKERS];
	uint32_t tried[512], worked[512]; /* by call number */
};
extern struct shared *shared;

/* One thread that calls: what its arguments come from. */
struct fuzzer {
	uint64_t random;
	struct slot *slot;
	unsigned int pool_at; /* next free byte of its part of the pool */
	char *pool;
	bool root;
};

uint64_t draw(struct fuzzer *f, uint64_t n); /* 0..n-1 */
uint64_t draw_word(struct fuzzer *f);
#define CHOOSE(f, table) ((table)[draw(f, sizeof(table) / sizeof((table)[0]))])

/* args.c: one argument of the kind that the letter says; see its table. */
uint64_t make_arg(struct fuzzer *f, char kind);
extern char *arena;
void arena_build(struct fuzzer *f); /* maps it anew, pages of all kinds */

/* calls.c */
struct call {
	int nr;
	const char *name;
};
extern const struct call calls[];
extern const size_t ncalls;
const struct call *find_call(int nr);
const char *call_kinds(int nr); /* of its arguments; "-": not to be called */

/* worker.c */
void worker_main(struct slot *slot, uint64_t seed, bool root);

#endif
