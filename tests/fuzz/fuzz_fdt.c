// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/lib/fdt.c kernel/lib/bytes.c tests/fuzz/shim.c
/*
 * Device trees.  An input is the blob, in memory of exactly its length; its magic and total size are put right, so that
 * what follows is looked at; the corpus starts with QEMU's own tree.  Every reader is called on every node.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/lib/fdt.h"
#include "kernel/lib/print.h"

#define NODES 400

static void put(u8 *p, u32 v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (u8)(v >> 8 * (3 - i));
}

/* The blob of an input; with an odd first byte, one whose header fields are made up. */
static u8 *blob_of(const u8 *data, size_t n)
{
	u8 *blob = malloc(n);

	memcpy(blob, data, n);
	put(blob, 0xd00dfeed);
	put(blob + 4, (u32)n);
	if (data[0] & 1) {
		put(blob + 8, 40);
		put(blob + 12, (u32)(n - n / 4) & ~3u);
		put(blob + 16, (u32)n);
		put(blob + 20, 17);
		put(blob + 24, 16);
		put(blob + 32, (u32)(n - ((n - n / 4) & ~3ul)));
		put(blob + 36, (u32)(((n - n / 4) & ~3ul) - 40));
	}
	return blob;
}

static void look(const struct fdt *f, fdt_node n)
{
	static const char *const names[] = {"reg",    "compatible",	"status", "a",
					    "ranges", "#address-cells", ""};
	unsigned a, s;
	u64 x, y;
	size_t len;
	u32 cell;

	ASSERT(strlen(fdt_name(f, n)) < f->size);
	for (unsigned k = 0; k < ARRAY_LEN(names); k++) {
		const u8 *p = fdt_prop(f, n, names[k], &len);

		ASSERT(!p || (p >= f->base && len <= f->size && p + len <= f->base + f->size));
		fdt_prop_u32(f, n, names[k], &cell);
		for (unsigned i = 0; i < 4; i++)
			fdt_prop_strn(f, n, names[k], i);
	}
	fdt_compatible(f, n, "x");
	fdt_okay(f, n);
	fdt_cells(f, n, &a, &s);
	for (unsigned k = 0; k < 3; k++)
		fdt_reg(f, n, k, &x, &y);
	ASSERT(fdt_parent(f, n) < n);
}

static unsigned walk(const struct fdt *f, fdt_node n, unsigned left)
{
	for (; n >= 0 && left; n = fdt_sibling(f, n)) {
		look(f, n);
		left = walk(f, fdt_child(f, n), left - 1);
	}
	return left;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);
int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	struct fdt f;
	u64 a, s;
	u8 *blob;

	if (n < 64)
		return 0;
	blob = blob_of(data, n);
	if (fdt_open(&f, blob) == 0) {
		walk(&f, fdt_root(&f), NODES);
		fdt_path(&f, "/a/b@1");
		fdt_path(&f, "serial0");
		fdt_phandle(&f, 1);
		for (unsigned k = 0; k < 4; k++)
			fdt_rsv(&f, k, &a, &s);
	}
	free(blob);
	return 0;
}
