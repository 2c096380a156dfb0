// SPDX-License-Identifier: BSD-2-Clause
/* anon.c - random mmap, munmap, mprotect and accesses within a range, against a model. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "user/tests/stress/stress.h"

/* One page of the model. */
struct page {
	signed char prot; /* -1: not mapped */
	uint32_t value;	  /* of its first and last word */
};

struct range {
	char *base;
	size_t pages;
	struct page *model;
};

static jmp_buf back;
static volatile int caught_code;
static void *volatile caught_addr;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	caught_code = info->si_code;
	caught_addr = info->si_addr;
	longjmp(back, 1);
}

/* The SEGV_ code of an access, 0 if it works. */
static int touch(volatile uint32_t *p, bool write)
{
	caught_code = 0;
	if (!setjmp(back)) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	return caught_code;
}

static volatile uint32_t *word(struct range *r, size_t page, bool last)
{
	return (uint32_t *)(r->base + page * PAGE + (last ? PAGE - 4 : 0));
}

static void expect_fault(struct job *j, struct range *r, size_t i, bool write, int code)
{
	volatile uint32_t *p = word(r, i, pick(j, 2));
	int got = touch(p, write);

	if (got != code || caught_addr != p)
		bad(j, "page %zu: fault code %d at %p, not %d at %p", i, got, caught_addr, code,
		    (void *)p);
}

static void verify_page(struct job *j, struct range *r, size_t i)
{
	const struct page *m = &r->model[i];

	if (m->prot < 0)
		expect_fault(j, r, i, pick(j, 2), SEGV_MAPERR);
	else if (m->prot == PROT_NONE)
		expect_fault(j, r, i, pick(j, 2), SEGV_ACCERR);
	else if (*word(r, i, false) != m->value || *word(r, i, true) != m->value)
		bad(j, "page %zu holds %u and %u, not %u", i, (unsigned int)*word(r, i, false),
		    (unsigned int)*word(r, i, true), (unsigned int)m->value);
	else if (m->prot == PROT_READ && pick(j, 4) == 0)
		expect_fault(j, r, i, true, SEGV_ACCERR);
}

static void write_page(struct job *j, struct range *r, size_t i)
{
	if (r->model[i].prot != RW)
		return;
	r->model[i].value = pick(j, UINT32_MAX);
	*word(r, i, false) = *word(r, i, true) = r->model[i].value;
}

static void map_pages(struct job *j, struct range *r, size_t at, size_t n, int prot)
{
	char *p = r->base + at * PAGE;

	if (mmap(p, n * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p)
		bad(j, "mmap of %zu pages at %zu", n, at);
	for (size_t i = at; i < at + n; i++)
		r->model[i] = (struct page){(signed char)prot, 0};
}

static void unmap_pages(struct job *j, struct range *r, size_t at, size_t n)
{
	if (munmap(r->base + at * PAGE, n * PAGE) < 0)
		bad(j, "munmap of %zu pages at %zu", n, at);
	for (size_t i = at; i < at + n; i++)
		r->model[i].prot = -1;
}

static void protect_pages(struct job *j, struct range *r, size_t at, size_t n, int prot)
{
	bool whole = true;
	int result;

	for (size_t i = at; i < at + n; i++)
		whole = whole && r->model[i].prot >= 0;
	if (!whole)
		return; /* Linux protects up to the hole: not worth a model */
	result = mprotect(r->base + at * PAGE, n * PAGE, prot);
	if (result < 0)
		bad(j, "mprotect of %zu pages at %zu", n, at);
	for (size_t i = at; i < at + n; i++)
		r->model[i].prot = (signed char)prot;
}

static void step(struct job *j, struct range *r)
{
	static const int prots[] = {RW, RW, RW, PROT_READ, PROT_NONE};
	size_t at = pick(j, r->pages), n = 1 + pick(j, pick(j, 4) ? 8 : r->pages / 4);
	int prot = prots[pick(j, 5)];

	if (n > r->pages - at)
		n = r->pages - at;
	switch (pick(j, 8)) {
	case 0:
		unmap_pages(j, r, at, n);
		break;
	case 1:
		map_pages(j, r, at, n, prot);
		break;
	case 2:
		protect_pages(j, r, at, n, prot);
		break;
	case 3:
	case 4:
		for (size_t i = at; i < at + n; i++)
			write_page(j, r, i);
		break;
	default:
		for (size_t i = at; i < at + n; i++)
			verify_page(j, r, i);
	}
	++*j->count;
}

void stress_anon(struct job *j)
{
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct range r = {.pages = j->memory / PAGE};

	sigaction(SIGSEGV, &act, NULL);
	r.base = map_or_die(j, r.pages * PAGE, MAP_PRIVATE);
	r.model = calloc(r.pages, sizeof(*r.model));
	if (!r.model)
		bad(j, "no memory");
	for (size_t i = 0; i < r.pages; i++)
		r.model[i].prot = RW;
	while (!time_is_over()) {
		for (int i = 0; i < 50; i++)
			step(j, &r);
	}
	for (size_t i = 0; i < r.pages; i++)
		verify_page(j, &r, i);
}
