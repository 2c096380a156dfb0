/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_LIB_FDT_H
#define GNOMON_LIB_FDT_H

/*
 * Reader of flattened device trees (Devicetree Specification 0.4, chapter 5), in place, allocating nothing.
 * Nodes are offsets into the structure block.  Malformed trees give errors, never out-of-bounds reads:
 * fdt_open checks the whole blob once (header, block bounds, nesting, every property's name and length).
 */

#include "kernel/lib/types.h"

struct fdt {
	const u8 *base;
	size_t size;
	const u8 *structs, *strings;
	size_t structs_size, strings_size;
};

typedef s32 fdt_node; /* offset of the FDT_BEGIN_NODE token; < 0: none */

int fdt_open(struct fdt *f, const void *blob); /* 0, or -EINVAL */
fdt_node fdt_root(const struct fdt *f);
fdt_node fdt_child(const struct fdt *f, fdt_node parent); /* first child */
fdt_node fdt_sibling(const struct fdt *f, fdt_node n);	  /* next */
fdt_node fdt_parent(const struct fdt *f, fdt_node n);
const char *fdt_name(const struct fdt *f, fdt_node n); /* "uart@10000000" */
const void *fdt_prop(const struct fdt *f, fdt_node n, const char *name, size_t *len);
bool fdt_prop_u32(const struct fdt *f, fdt_node n, const char *name,
		  u32 *out); /* one cell, big-endian decoded */
const char *fdt_prop_str(const struct fdt *f, fdt_node n,
			 const char *name); /* NUL-terminated inside, else NULL */
/* The k-th string of a string list, NULL past the end. */
const char *fdt_prop_strn(const struct fdt *f, fdt_node n, const char *name, unsigned k);
bool fdt_compatible(const struct fdt *f, fdt_node n, const char *compat);
bool fdt_okay(const struct fdt *f, fdt_node n); /* status absent, "okay" or "ok" */
fdt_node fdt_path(const struct fdt *f,
		  const char *path); /* absolute, or an alias; unit address may be left out */
fdt_node fdt_phandle(const struct fdt *f, u32 phandle);
/* #address-cells/#size-cells that apply to n's children (defaults 2, 1). */
void fdt_cells(const struct fdt *f, fdt_node n, unsigned *addr, unsigned *size);
/* The k-th entry of reg, translated to CPU physical addresses through every `ranges` above. 0 or -ENOENT/-EINVAL. */
int fdt_reg(const struct fdt *f, fdt_node n, unsigned k, u64 *addr, u64 *size);
/* The k-th entry of the memory reservation block. */
bool fdt_rsv(const struct fdt *f, unsigned k, u64 *addr, u64 *size);
static inline u32 fdt_cell(const void *p)
{
	const u8 *b = p;

	return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}

#endif
