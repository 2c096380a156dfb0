/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STRESS_H
#define STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define RW   (PROT_READ | PROT_WRITE)

/* One process that stresses: its kind's function runs until the time is over. */
struct job {
	const char *kind;
	unsigned int number;  /* among the processes of its kind */
	unsigned int members; /* of its kind */
	uint32_t random;
	size_t memory;	      /* bytes it may use */
	char *shared;	      /* SHARED_SIZE bytes for all processes of the kind */
	unsigned long *count; /* of what it did; shared with the process that started it */
};

#define SHARED_SIZE (16 * PAGE)

void stress_anon(struct job *j);
void stress_fork(struct job *j);
void stress_file(struct job *j);
void stress_tmpfs(struct job *j);
void stress_pipe(struct job *j);
void stress_sig(struct job *j);
void stress_exec(struct job *j);

bool time_is_over(void);
uint32_t pick(struct job *j, uint32_t below);
void bad(struct job *j, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
/* Waits for a child that must exit with this status. */
void expect_exit(struct job *j, int pid, int status);
char *map_or_die(struct job *j, size_t size, int flags);

#endif
