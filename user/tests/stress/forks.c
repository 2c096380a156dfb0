// SPDX-License-Identifier: BSD-2-Clause
/* forks.c - trees of processes whose memories part and are verified. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/tests/stress/stress.h"

#define MAX_DEPTH 5

struct memory {
	uint32_t *base;
	size_t pages;
	uint32_t *model; /* of the first word of each page */
};

static void write_some(struct job *j, struct memory *m)
{
	for (int n = pick(j, 20); n >= 0; n--) {
		size_t i = pick(j, m->pages);

		m->base[i * PAGE / 4] = m->model[i] = pick(j, UINT32_MAX);
	}
}

static void verify(struct job *j, struct memory *m)
{
	for (size_t i = 0; i < m->pages; i++) {
		if (m->base[i * PAGE / 4] != m->model[i])
			bad(j, "page %zu holds %u, not %u", i, (unsigned int)m->base[i * PAGE / 4],
			    (unsigned int)m->model[i]);
	}
}

/* Up to three children, each a tree of its own, while this process goes on writing. */
static void live(struct job *j, struct memory *m, int depth)
{
	pid_t children[3];
	unsigned int count = depth < MAX_DEPTH ? pick(j, 4) : 0;

	for (unsigned int i = 0; i < count; i++) {
		write_some(j, m);
		children[i] = fork();
		if (children[i] < 0)
			bad(j, "fork");
		if (children[i] == 0) {
			j->random = (j->random + i + 1) * 2654435761U | 1;
			verify(j, m);
			live(j, m, depth + 1);
			_exit(0);
		}
		__atomic_fetch_add(j->count, 1, __ATOMIC_RELAXED);
	}
	write_some(j, m);
	verify(j, m);
	for (unsigned int i = 0; i < count; i++)
		expect_exit(j, children[i], 0);
	write_some(j, m);
	verify(j, m);
}

void stress_fork(struct job *j)
{
	struct memory m = {.pages = j->memory / PAGE / 8};

	m.base = (uint32_t *)map_or_die(j, m.pages * PAGE, MAP_PRIVATE);
	m.model = calloc(m.pages, sizeof(*m.model));
	if (!m.model)
		bad(j, "no memory");
	while (!time_is_over())
		live(j, &m, 0);
}
