// SPDX-License-Identifier: BSD-2-Clause
/*
 * eatmem - takes so many MiB (16), writes to every page, says so, and checks them.
 *
 * usage: eatmem [MIB [SECONDS]]	(SECONDS: how long it keeps them; MIB 0: more and more of it; "areas": in
 * its place: mappings only, until somebody stops it)
 *
 * Exit status 0; 1 if mmap fails; 3 if a page has changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL

/* Piece by piece, until somebody stops it. Exit status 1: mmap has. */
static int eat_all(void)
{
	for (;;) {
		size_t size = 1UL << 20;
		unsigned char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED) {
			fprintf(stderr, "eatmem: %s\n", strerror(errno));
			return 1;
		}
		for (size_t i = 0; i < size; i += PAGE)
			p[i] = 1;
	}
}

/* The kernel's memory rather than our own: no two neighbours are one area, and none is ever touched. */
static int eat_areas(void)
{
	for (int k = 0;; k++) {
		if (mmap(NULL, PAGE, k % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0) == MAP_FAILED) {
			fprintf(stderr, "eatmem: %d areas: %s\n", k, strerror(errno));
			return 1;
		}
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "areas"))
		return eat_areas();
	if (argc > 1 && !strcmp(argv[1], "0"))
		return eat_all();

	size_t size = (argc > 1 ? strtoul(argv[1], NULL, 0) : 16) << 20;
	unsigned long *p =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "eatmem: %s\n", strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < size / 8; i += PAGE / 8)
		p[i] = p[i + PAGE / 8 - 1] = i * 0x9e3779b97f4a7c15 + 1;
	printf("eatmem: %zu MiB\n", size >> 20);
	fflush(stdout);
	if (argc > 2)
		sleep(atoi(argv[2]));
	for (size_t i = 0; i < size / 8; i += PAGE / 8) {
		if (p[i] != i * 0x9e3779b97f4a7c15 + 1 || p[i] != p[i + PAGE / 8 - 1] || p[i + 1]) {
			fprintf(stderr, "eatmem: page %zu has changed\n", i / (PAGE / 8));
			return 3;
		}
	}
	return 0;
}
