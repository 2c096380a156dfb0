// SPDX-License-Identifier: BSD-2-Clause
/*
 * Flattened device trees (Devicetree Specification 0.4, chapter 5), read where they lie.
 *
 * fdt_open walks the whole structure block once.  Afterwards these hold, and the other functions rely on them: every token is
 * whole and known; BEGIN_NODE and END_NODE nest; there is one root; names of nodes end inside the structure
 * block and names of properties inside the strings block; a property's value lies inside the structure block; properties come
 * before child nodes; FDT_END is the last token.
 *
 * Locks: none; the blob is constant.
 */

#include "kernel/lib/fdt.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

#define FDT_MAGIC      0xd00dfeedu
#define FDT_BEGIN_NODE 1u
#define FDT_END_NODE   2u
#define FDT_PROP       3u
#define FDT_NOP	       4u
#define FDT_END	       9u
#define CELL	       4u

/* offsets in the header (5.2) */
#define H_MAGIC	       0
#define H_TOTALSIZE    4
#define H_OFF_STRUCT   8
#define H_OFF_STRINGS  12
#define H_OFF_RSVMAP   16
#define H_LAST_COMP    24
#define H_SIZE_STRINGS 32
#define H_SIZE_STRUCT  36
#define HEADER_SIZE    40
#define RSV_SIZE       16
#define COMPAT_VERSION 16 /* the oldest format we read */
#define NEWEST_VERSION 17

static u32 header(const struct fdt *f, size_t off)
{
	return fdt_cell(f->base + off);
}

/* Size of the token at off with all that belongs to it; 0: it does not fit or its names do not end. */
static size_t token_size(const struct fdt *f, size_t off)
{
	size_t room, len;

	if (off > f->structs_size || (room = f->structs_size - off) < CELL)
		return 0;
	switch (fdt_cell(f->structs + off)) {
	case FDT_BEGIN_NODE:
		len = strnlen((const char *)f->structs + off + CELL, room - CELL);
		if (len == room - CELL)
			return 0;
		len = ALIGN_UP(CELL + len + 1, (size_t)CELL);
		break;
	case FDT_PROP:
		if (room < 3 * CELL)
			return 0;
		len = 3 * CELL + ALIGN_UP((u64)fdt_cell(f->structs + off + CELL), (u64)CELL);
		break;
	case FDT_END_NODE:
	case FDT_NOP:
	case FDT_END:
		return CELL;
	default:
		return 0;
	}
	return len <= room ? len : 0;
}

static bool prop_name_ok(const struct fdt *f, size_t off)
{
	u32 name = fdt_cell(f->structs + off + 2 * CELL);

	return name < f->strings_size && strnlen((const char *)f->strings + name,
						 f->strings_size - name) < f->strings_size - name;
}

static bool structs_ok(const struct fdt *f)
{
	size_t off = 0, size, depth = 0, roots = 0;
	bool props = false; /* a property may come next */

	for (;; off += size) {
		size = token_size(f, off);
		if (!size)
			return false;
		switch (fdt_cell(f->structs + off)) {
		case FDT_BEGIN_NODE:
			roots += !depth++;
			props = true;
			break;
		case FDT_END_NODE:
			if (!depth--)
				return false;
			props = false;
			break;
		case FDT_PROP:
			if (!props || !prop_name_ok(f, off))
				return false;
			break;
		case FDT_END:
			return depth == 0 && roots == 1;
		}
	}
}

static bool block_ok(const struct fdt *f, size_t off, size_t size, size_t align)
{
	return off >= HEADER_SIZE && off <= f->size && size <= f->size - off &&
	       IS_ALIGNED(off, align);
}

static bool rsvmap_ok(const struct fdt *f)
{
	size_t off = header(f, H_OFF_RSVMAP);

	if (!block_ok(f, off, 0, 8))
		return false;
	for (; f->size - off >= RSV_SIZE; off += RSV_SIZE)
		if (!(fdt_cell(f->base + off + 8) | fdt_cell(f->base + off + 12)))
			return true;
	return false;
}

int fdt_open(struct fdt *f, const void *blob)
{
	*f = (struct fdt){.base = blob};
	if (header(f, H_MAGIC) != FDT_MAGIC)
		return -EINVAL;
	f->size = header(f, H_TOTALSIZE);
	if (f->size < HEADER_SIZE || f->size > INT32_MAX)
		return -EINVAL;
	if (header(f, H_LAST_COMP) > NEWEST_VERSION || header(f, H_LAST_COMP) < COMPAT_VERSION)
		return -EINVAL;
	f->structs_size = header(f, H_SIZE_STRUCT);
	f->strings_size = header(f, H_SIZE_STRINGS);
	if (!block_ok(f, header(f, H_OFF_STRUCT), f->structs_size, CELL) ||
	    !block_ok(f, header(f, H_OFF_STRINGS), f->strings_size, 1) || !rsvmap_ok(f))
		return -EINVAL;
	f->structs = f->base + header(f, H_OFF_STRUCT);
	f->strings = f->base + header(f, H_OFF_STRINGS);
	return structs_ok(f) ? 0 : -EINVAL;
}

static u32 token(const struct fdt *f, size_t off)
{
	return fdt_cell(f->structs + off);
}

static size_t next_token(const struct fdt *f, size_t off)
{
	size_t size = token_size(f, off);

	ASSERT(size);
	return off + size;
}

/* The first token at or after off that is none of the two. */
static size_t skip(const struct fdt *f, size_t off, u32 a, u32 b)
{
	while (token(f, off) == a || token(f, off) == b)
		off = next_token(f, off);
	return off;
}

/* Past n's END_NODE. */
static size_t node_end(const struct fdt *f, fdt_node n)
{
	size_t off = n, depth = 0;

	do {
		if (token(f, off) == FDT_BEGIN_NODE)
			depth++;
		else if (token(f, off) == FDT_END_NODE)
			depth--;
		off = next_token(f, off);
	} while (depth);
	return off;
}

static fdt_node node_at(const struct fdt *f, size_t off)
{
	return token(f, off) == FDT_BEGIN_NODE ? (fdt_node)off : -1;
}

fdt_node fdt_root(const struct fdt *f)
{
	return node_at(f, skip(f, 0, FDT_NOP, FDT_NOP));
}

fdt_node fdt_child(const struct fdt *f, fdt_node parent)
{
	if (parent < 0)
		return -1;
	return node_at(f, skip(f, next_token(f, parent), FDT_PROP, FDT_NOP));
}

fdt_node fdt_sibling(const struct fdt *f, fdt_node n)
{
	if (n < 0)
		return -1;
	return node_at(f, skip(f, node_end(f, n), FDT_NOP, FDT_NOP));
}

fdt_node fdt_parent(const struct fdt *f, fdt_node n)
{
	fdt_node above = fdt_root(f), c = fdt_child(f, above), next;

	while (c >= 0 && c <= n) {
		if (c == n)
			return above;
		next = fdt_sibling(f, c);
		if (next >= 0 && next <= n) {
			c = next;
		} else {
			above = c;
			c = fdt_child(f, c);
		}
	}
	return -1;
}

const char *fdt_name(const struct fdt *f, fdt_node n)
{
	return n < 0 ? NULL : (const char *)f->structs + n + CELL;
}

const void *fdt_prop(const struct fdt *f, fdt_node n, const char *name, size_t *len)
{
	if (n < 0)
		return NULL;
	for (size_t off = next_token(f, n); token(f, off) == FDT_PROP || token(f, off) == FDT_NOP;
	     off = next_token(f, off)) {
		const u8 *p = f->structs + off;

		if (token(f, off) == FDT_NOP ||
		    strcmp((const char *)f->strings + fdt_cell(p + 2 * CELL), name))
			continue;
		if (len)
			*len = fdt_cell(p + CELL);
		return p + 3 * CELL;
	}
	return NULL;
}

bool fdt_prop_u32(const struct fdt *f, fdt_node n, const char *name, u32 *out)
{
	size_t len;
	const void *p = fdt_prop(f, n, name, &len);

	if (!p || len != CELL)
		return false;
	*out = fdt_cell(p);
	return true;
}

const char *fdt_prop_str(const struct fdt *f, fdt_node n, const char *name)
{
	return fdt_prop_strn(f, n, name, 0);
}

const char *fdt_prop_strn(const struct fdt *f, fdt_node n, const char *name, unsigned k)
{
	size_t len, one;
	const char *s = fdt_prop(f, n, name, &len);

	if (!s)
		return NULL;
	for (;; k--) {
		one = strnlen(s, len);
		if (one == len)
			return NULL;
		if (!k)
			return s;
		s += one + 1;
		len -= one + 1;
	}
}

bool fdt_compatible(const struct fdt *f, fdt_node n, const char *compat)
{
	const char *s;

	for (unsigned k = 0; (s = fdt_prop_strn(f, n, "compatible", k)); k++)
		if (!strcmp(s, compat))
			return true;
	return false;
}

bool fdt_okay(const struct fdt *f, fdt_node n)
{
	const char *s;

	if (!fdt_prop(f, n, "status", NULL))
		return true;
	s = fdt_prop_str(f, n, "status");
	return s && (!strcmp(s, "okay") || !strcmp(s, "ok"));
}

/* Does the first len bytes of want name this node, with or without its unit address? */
static bool name_matches(const char *name, const char *want, size_t len)
{
	if (strncmp(name, want, len))
		return false;
	return name[len] == 0 || (name[len] == '@' && !memchr(want, '@', len));
}

static size_t component(const char *path)
{
	size_t n = 0;

	while (path[n] && path[n] != '/' && path[n] != ':')
		n++;
	return n;
}

static fdt_node walk(const struct fdt *f, fdt_node n, const char *path)
{
	while (n >= 0) {
		size_t len;
		fdt_node c;

		while (*path == '/')
			path++;
		len = component(path);
		if (!len)
			return n;
		for (c = fdt_child(f, n); c >= 0 && !name_matches(fdt_name(f, c), path, len);
		     c = fdt_sibling(f, c))
			;
		n = c;
		path += len;
	}
	return -1;
}

/* The value of an alias whose name is the first len bytes of s. */
static const char *alias_value(const struct fdt *f, const char *s, size_t len)
{
	fdt_node aliases = walk(f, fdt_root(f), "/aliases");
	char name[32]; /* 31 characters at most (3.3) */

	if (aliases < 0 || len >= sizeof(name))
		return NULL;
	strlcpy(name, s, len + 1);
	return fdt_prop_str(f, aliases, name);
}

fdt_node fdt_path(const struct fdt *f, const char *path)
{
	const char *target;
	size_t len;

	if (*path == '/')
		return walk(f, fdt_root(f), path);
	len = component(path);
	target = alias_value(f, path, len);
	if (!target || *target != '/')
		return -1;
	return walk(f, walk(f, fdt_root(f), target), path + len);
}

fdt_node fdt_phandle(const struct fdt *f, u32 phandle)
{
	u32 have;

	for (size_t off = 0; token(f, off) != FDT_END; off = next_token(f, off)) {
		if (token(f, off) != FDT_BEGIN_NODE)
			continue;
		if ((fdt_prop_u32(f, off, "phandle", &have) ||
		     fdt_prop_u32(f, off, "linux,phandle", &have)) &&
		    have == phandle)
			return off;
	}
	return -1;
}

void fdt_cells(const struct fdt *f, fdt_node n, unsigned *addr, unsigned *size)
{
	u32 v;

	*addr = fdt_prop_u32(f, n, "#address-cells", &v) ? v : 2;
	*size = fdt_prop_u32(f, n, "#size-cells", &v) ? v : 1;
}

static u64 cells(const u8 *p, unsigned n)
{
	u64 v = 0;

	for (; n; n--, p += CELL)
		v = v << 32 | fdt_cell(p);
	return v;
}

/* Takes *addr from the address space of bus's children to that of bus's parent's children (2.3.8). */
static int translate(const struct fdt *f, fdt_node bus, u64 *addr)
{
	unsigned child_cells, size_cells, parent_cells, unused, entry;
	size_t len;
	const u8 *p = fdt_prop(f, bus, "ranges", &len);

	if (!p)
		return -EINVAL;
	if (!len)
		return 0;
	fdt_cells(f, bus, &child_cells, &size_cells);
	fdt_cells(f, fdt_parent(f, bus), &parent_cells, &unused);
	if (child_cells > 2 || size_cells > 2 || parent_cells > 2)
		return -EINVAL;
	entry = CELL * (child_cells + parent_cells + size_cells);
	for (; entry && len >= entry; len -= entry, p += entry) {
		u64 child = cells(p, child_cells);
		u64 size = cells(p + CELL * (child_cells + parent_cells), size_cells);

		if (*addr >= child && *addr - child < size) {
			*addr = *addr - child + cells(p + CELL * child_cells, parent_cells);
			return 0;
		}
	}
	return -EINVAL;
}

int fdt_reg(const struct fdt *f, fdt_node n, unsigned k, u64 *addr, u64 *size)
{
	fdt_node bus = fdt_parent(f, n), root = fdt_root(f);
	unsigned addr_cells, size_cells;
	size_t len;
	const u8 *p = fdt_prop(f, n, "reg", &len);
	int err = 0;

	if (!p || bus < 0)
		return -ENOENT;
	fdt_cells(f, bus, &addr_cells, &size_cells);
	if (addr_cells < 1 || addr_cells > 2 || size_cells > 2)
		return -EINVAL;
	if (k >= len / (CELL * (addr_cells + size_cells)))
		return -ENOENT;
	p += (size_t)k * CELL * (addr_cells + size_cells);
	*addr = cells(p, addr_cells);
	*size = cells(p + CELL * addr_cells, size_cells);
	/* no size: a number (of a CPU, say), not a range of memory */
	for (; size_cells && !err && bus != root; bus = fdt_parent(f, bus))
		err = translate(f, bus, addr);
	return err;
}

bool fdt_rsv(const struct fdt *f, unsigned k, u64 *addr, u64 *size)
{
	const u8 *p = f->base + header(f, H_OFF_RSVMAP);

	for (;; k--, p += RSV_SIZE) {
		*addr = cells(p, 2);
		*size = cells(p + 8, 2);
		if (!*size)
			return false;
		if (!k)
			return true;
	}
}
