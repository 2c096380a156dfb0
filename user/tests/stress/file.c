// SPDX-License-Identifier: BSD-2-Clause
/*
 * file.c - one file of several processes, each of which has every n-th slot of it to itself
 * and reaches it by write(), read() and a shared mapping; private mappings look on.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/tests/stress/stress.h"

#define SLOT	 128UL /* so that many processes have slots in one page */
#define MAX_FILE (1UL << 20)

struct file {
	int fd;
	char *map;
	size_t size, slots; /* slots of this process */
	uint32_t *model;
};

static size_t slot_offset(struct job *j, size_t slot)
{
	return (slot * j->members + j->number) * SLOT;
}

static void slot_fill(char *buf, uint32_t value)
{
	for (size_t i = 0; i < SLOT; i += 4)
		memcpy(buf + i, &value, 4);
}

static void slot_write(struct job *j, struct file *f, size_t slot)
{
	size_t offset = slot_offset(j, slot);
	char buf[SLOT];

	f->model[slot] = pick(j, UINT32_MAX);
	slot_fill(buf, f->model[slot]);
	if (pick(j, 2))
		memcpy(f->map + offset, buf, SLOT);
	else if (pwrite(f->fd, buf, SLOT, offset) != (ssize_t)SLOT)
		bad(j, "pwrite at %zu", offset);
}

static void slot_verify(struct job *j, struct file *f, size_t slot)
{
	size_t offset = slot_offset(j, slot);
	char buf[SLOT], want[SLOT];
	bool by_map = pick(j, 2);

	slot_fill(want, f->model[slot]);
	if (by_map)
		memcpy(buf, f->map + offset, SLOT);
	else if (pread(f->fd, buf, SLOT, offset) != (ssize_t)SLOT)
		bad(j, "pread at %zu", offset);
	if (memcmp(buf, want, SLOT) != 0)
		bad(j, "slot %zu at %zu differs by %s", slot, offset, by_map ? "mapping" : "read");
}

/* A private copy: sees one's own slots as they are, and its writes stay with it. */
static void look_privately(struct job *j, struct file *f)
{
	size_t slot = pick(j, f->slots), offset = slot_offset(j, slot);
	char *p = mmap(NULL, f->size, RW, MAP_PRIVATE, f->fd, 0), want[SLOT];

	if (p == MAP_FAILED)
		bad(j, "mmap of the file");
	slot_fill(want, f->model[slot]);
	if (memcmp(p + offset, want, SLOT) != 0)
		bad(j, "slot %zu differs in a private mapping", slot);
	memset(p + offset, 0xa5, SLOT);
	slot_verify(j, f, slot);
	if (p[offset] != 0xa5)
		bad(j, "slot %zu: a private write is lost", slot);
	munmap(p, f->size);
}

static void remap(struct job *j, struct file *f)
{
	if (f->map)
		munmap(f->map, f->size);
	f->map = mmap(NULL, f->size, RW, MAP_SHARED, f->fd, 0);
	if (f->map == MAP_FAILED)
		bad(j, "mmap of the file");
}

static void step(struct job *j, struct file *f)
{
	switch (pick(j, 40)) {
	case 0:
		look_privately(j, f);
		break;
	case 1:
		remap(j, f);
		break;
	case 2:
		if (pick(j, 10) == 0 && msync(f->map, f->size, pick(j, 2) ? MS_SYNC : MS_ASYNC) < 0)
			bad(j, "msync");
		break;
	default:
		if (pick(j, 2))
			slot_write(j, f, pick(j, f->slots));
		else
			slot_verify(j, f, pick(j, f->slots));
	}
	++*j->count;
}

/* All processes of the kind open the same file; whoever comes makes it. */
static void open_file(struct job *j, struct file *f, char *name, size_t size)
{
	snprintf(name, size, "stress.%d", (int)getppid());
	f->fd = open(name, O_RDWR | O_CREAT, 0600);
	f->size = j->memory < MAX_FILE ? j->memory : MAX_FILE;
	f->slots = f->size / SLOT / j->members;
	f->model = calloc(f->slots, sizeof(*f->model));
	if (f->fd < 0 || !f->model || ftruncate(f->fd, f->size) < 0)
		bad(j, "cannot make %s", name);
}

/* Nobody removes the name before all have opened it. */
static void wait_for_all(struct job *j)
{
	unsigned int *opened = (unsigned int *)j->shared;

	__atomic_fetch_add(opened, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(opened, __ATOMIC_SEQ_CST) < j->members && !time_is_over())
		usleep(1000);
}

void stress_file(struct job *j)
{
	struct file f = {0};
	char name[32];

	open_file(j, &f, name, sizeof(name));
	wait_for_all(j);
	unlink(name);
	remap(j, &f);
	while (!time_is_over()) {
		for (int i = 0; i < 50; i++)
			step(j, &f);
	}
	for (size_t i = 0; i < f.slots; i++)
		slot_verify(j, &f, i);
}
