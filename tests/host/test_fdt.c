// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/lib/fdt.c kernel/lib/bytes.c tests/host/shim/kernel.c
/* Device trees built here, read by the kernel; then thousands of damaged ones, in memory that ends where the tree does. */

#include "host.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/fdt.h"

/* A small writer of flattened trees. */
static u8 structs[65536], strings[4096], blob[131072];
static size_t nstructs, nstrings;

static void cell(u32 v)
{
	for (int i = 3; i >= 0; i--)
		structs[nstructs++] = v >> 8 * i;
}

static void bytes(const void *p, size_t n)
{
	memcpy(structs + nstructs, p, n);
	nstructs += n;
	while (nstructs % 4)
		structs[nstructs++] = 0;
}

static void begin(const char *name)
{
	cell(1);
	bytes(name, strlen(name) + 1);
}

static void end(void)
{
	cell(2);
}

static u32 string_at(const char *s)
{
	for (size_t i = 0; i < nstrings; i += strlen((char *)strings + i) + 1)
		if (!strcmp((char *)strings + i, s))
			return i;
	strcpy((char *)strings + nstrings, s);
	nstrings += strlen(s) + 1;
	return nstrings - strlen(s) - 1;
}

static void prop(const char *name, const void *val, size_t n)
{
	cell(3);
	cell(n);
	cell(string_at(name));
	bytes(val, n);
}

static void prop_str(const char *name, const char *s)
{
	prop(name, s, strlen(s) + 1);
}

static void prop_cells(const char *name, unsigned n, ...)
{
	va_list ap;

	cell(3);
	cell(4 * n);
	cell(string_at(name));
	va_start(ap, n);
	while (n--)
		cell(va_arg(ap, u32));
	va_end(ap);
}

static void put(u8 *p, u32 v)
{
	for (int i = 0; i < 4; i++)
		p[i] = v >> 8 * (3 - i);
}

static size_t finish(void)
{
	size_t rsv = 40, st = rsv + 3 * 16, str = st + nstructs, total;

	cell(9);
	str = st + nstructs;
	total = str + nstrings;
	memset(blob, 0, sizeof(blob));
	put(blob, 0xd00dfeed);
	put(blob + 4, total);
	put(blob + 8, st);
	put(blob + 12, str);
	put(blob + 16, rsv);
	put(blob + 20, 17);
	put(blob + 24, 16);
	put(blob + 32, nstrings);
	put(blob + 36, nstructs);
	put(blob + rsv + 4, 0x80000000);
	put(blob + rsv + 12, 0x40000);
	put(blob + rsv + 16, 1);
	put(blob + rsv + 28, 0x1000);
	memcpy(blob + st, structs, nstructs);
	memcpy(blob + str, strings, nstrings);
	return total;
}

static size_t sample(void)
{
	nstructs = nstrings = 0;
	begin("");
	prop_cells("#address-cells", 1, 2);
	prop_cells("#size-cells", 1, 2);
	prop("compatible", "acme,board\0acme,generic", 24);
	cell(4); /* NOP */
	begin("aliases");
	prop_str("serial0", "/soc/bus@10000/uart@200");
	prop_str("loop", "loop");
	end();
	begin("chosen");
	prop_str("stdout-path", "serial0:115200n8");
	prop("raw", "no end", 6);
	end();
	begin("memory@80000000");
	prop_str("device_type", "memory");
	prop_cells("reg", 8, 0, 0x80000000, 0, 0x10000000, 1, 0, 2, 0);
	end();
	begin("cpus");
	prop_cells("#address-cells", 1, 1);
	prop_cells("#size-cells", 1, 0);
	begin("cpu@3");
	prop_cells("reg", 1, 3);
	prop_cells("phandle", 1, 7);
	prop_str("status", "disabled");
	end();
	end();
	begin("soc");
	prop_cells("#address-cells", 1, 1);
	prop_cells("#size-cells", 1, 1);
	/* child 0..0x100000 -> 0x1_0000_0000 */
	prop_cells("ranges", 8, 0, 1, 0, 0x100000, 0x40000000, 0, 0x20000000, 0x1000);
	begin("bus@10000");
	prop_cells("#address-cells", 1, 1);
	prop_cells("#size-cells", 1, 1);
	prop_cells("ranges", 3, 0, 0x10000, 0x1000);
	begin("uart@200");
	prop("compatible", "ns16550a\0ns16550", 17);
	prop_cells("reg", 4, 0x200, 0x100, 0x2000, 4);
	prop_cells("phandle", 1, 42);
	prop_str("status", "okay");
	end();
	begin("uart@300");
	prop_cells("reg", 2, 0x300, 0x100);
	end();
	end();
	begin("same");
	prop("ranges", "", 0);
	begin("x");
	prop_cells("reg", 3, 0, 0x40000010, 4);
	end();
	end();
	begin("none");
	begin("y");
	prop_cells("reg", 3, 0, 0, 4);
	end();
	end();
	end();
	end();
	return finish();
}

static void test_tree(void **state)
{
	struct fdt f;
	fdt_node n, uart;
	size_t len;
	u32 v;
	unsigned ac, sc;

	(void)state;
	sample();
	assert_int_equal(fdt_open(&f, blob), 0);
	n = fdt_root(&f);
	assert_int_equal(n, 0);
	assert_string_equal(fdt_name(&f, n), "");
	assert_int_equal(fdt_parent(&f, n), -1);
	assert_int_equal(fdt_sibling(&f, n), -1);
	assert_true(fdt_compatible(&f, n, "acme,generic") && fdt_compatible(&f, n, "acme,board"));
	assert_false(fdt_compatible(&f, n, "acme"));
	assert_string_equal(fdt_prop_strn(&f, n, "compatible", 1), "acme,generic");
	assert_null(fdt_prop_strn(&f, n, "compatible", 2));
	n = fdt_child(&f, n);
	assert_string_equal(fdt_name(&f, n), "aliases");
	n = fdt_sibling(&f, n);
	assert_string_equal(fdt_name(&f, n), "chosen");
	assert_string_equal(fdt_prop_str(&f, n, "stdout-path"), "serial0:115200n8");
	assert_null(fdt_prop_str(&f, n, "raw"));
	assert_non_null(fdt_prop(&f, n, "raw", &len));
	assert_int_equal(len, 6);
	assert_null(fdt_prop(&f, n, "nothing", &len));
	assert_int_equal(fdt_child(&f, n), -1);
	uart = fdt_path(&f, fdt_prop_str(&f, n, "stdout-path"));
	assert_string_equal(fdt_name(&f, uart), "uart@200");
	assert_int_equal(fdt_path(&f, "/soc/bus/uart@200"), uart);
	assert_int_equal(fdt_path(&f, "/soc/bus@10000/uart"), uart);
	assert_int_equal(fdt_path(&f, "/soc/bus@1/uart"), -1);
	assert_int_equal(fdt_path(&f, "/so"), -1);
	assert_int_equal(fdt_path(&f, "loop"), -1);
	assert_int_equal(fdt_path(&f, "serial1"), -1);
	assert_int_equal(fdt_path(&f, "/"), 0);
	assert_string_equal(fdt_name(&f, fdt_path(&f, "/soc/bus/uart@300")), "uart@300");
	assert_string_equal(fdt_name(&f, fdt_parent(&f, uart)), "bus@10000");
	assert_string_equal(fdt_name(&f, fdt_parent(&f, fdt_parent(&f, uart))), "soc");
	assert_int_equal(fdt_phandle(&f, 42), uart);
	assert_int_equal(fdt_phandle(&f, 43), -1);
	assert_true(fdt_okay(&f, uart));
	assert_false(fdt_okay(&f, fdt_phandle(&f, 7)));
	assert_true(fdt_prop_u32(&f, uart, "phandle", &v));
	assert_int_equal(v, 42);
	assert_false(fdt_prop_u32(&f, uart, "reg", &v));
	fdt_cells(&f, fdt_path(&f, "/cpus"), &ac, &sc);
	assert_true(ac == 1 && sc == 0);
	fdt_cells(&f, fdt_path(&f, "/chosen"), &ac, &sc);
	assert_true(ac == 2 && sc == 1);
}

static void reg(const struct fdt *f, const char *path, unsigned k, int err, u64 want, u64 want_size)
{
	u64 addr, size;

	assert_int_equal(fdt_reg(f, fdt_path(f, path), k, &addr, &size), err);
	if (!err) {
		assert_int_equal(addr, want);
		assert_int_equal(size, want_size);
	}
}

static void test_reg(void **state)
{
	struct fdt f;
	u64 addr, size;

	(void)state;
	sample();
	assert_int_equal(fdt_open(&f, blob), 0);
	reg(&f, "/memory", 0, 0, 0x80000000, 0x10000000);
	reg(&f, "/memory", 1, 0, 1UL << 32, 2UL << 32);
	reg(&f, "/memory", 2, -ENOENT, 0, 0);
	reg(&f, "/chosen", 0, -ENOENT, 0, 0);
	reg(&f, "/soc/bus/uart@200", 0, 0, 0x100010200, 0x100);
	reg(&f, "/soc/bus/uart@200", 1, -EINVAL, 0, 0); /* outside ranges */
	reg(&f, "/soc/same/x", 0, 0, 0x20000010, 4);
	reg(&f, "/soc/none/y", 0, -EINVAL, 0, 0); /* no ranges */
	reg(&f, "/cpus/cpu", 0, 0, 3, 0);
	assert_true(fdt_rsv(&f, 0, &addr, &size) && addr == 0x80000000 && size == 0x40000);
	assert_true(fdt_rsv(&f, 1, &addr, &size) && addr == 1UL << 32 && size == 0x1000);
	assert_false(fdt_rsv(&f, 2, &addr, &size));
}

/* Everything there is to ask, of every node. */
static void walk(const struct fdt *f, fdt_node n, unsigned depth)
{
	u64 addr, size;

	fdt_okay(f, n);
	fdt_compatible(f, n, "x");
	fdt_reg(f, n, 0, &addr, &size);
	fdt_path(f, fdt_name(f, n));
	assert_true(fdt_parent(f, n) < n);
	for (fdt_node c = fdt_child(f, n); c >= 0; c = fdt_sibling(f, c)) {
		assert_int_equal(fdt_parent(f, c), n);
		if (depth < 100)
			walk(f, c, depth + 1);
	}
}

static void test_damage(void **state)
{
	size_t total = sample();
	unsigned accepted = 0, refused = 0;

	(void)state;
	for (unsigned i = 0; i < 30000; i++) {
		u8 *copy = malloc(total); /* ASan knows where it ends */
		struct fdt f;
		u64 addr, size;

		memcpy(copy, blob, total);
		for (unsigned k = 0; k <= host_rand_below(4); k++) {
			size_t at = host_rand_below(host_rand_below(2) ? total : 60);

			if (at < 8)
				continue; /* the caller knows that the magic and this much memory are there */
			copy[at] = host_rand_below(2) ? host_rand()
						      : copy[at] + 2 * host_rand_below(2) - 1;
		}
		if (fdt_open(&f, copy)) {
			refused++;
		} else {
			accepted++;
			walk(&f, fdt_root(&f), 0);
			for (unsigned k = 0; fdt_rsv(&f, k, &addr, &size); k++)
				;
			fdt_phandle(&f, 42);
		}
		free(copy);
	}
	assert_true(accepted > 1000 && refused > 1000);
}

static void test_refused(void **state)
{
	struct fdt f;

	(void)state;
	sample();
	blob[0] = 0;
	assert_int_equal(fdt_open(&f, blob), -EINVAL);
	nstructs = nstrings = 0;
	begin("");
	end();
	begin("second root");
	end();
	finish();
	assert_int_equal(fdt_open(&f, blob), -EINVAL);
	nstructs = nstrings = 0;
	begin("");
	begin("open");
	end();
	finish();
	assert_int_equal(fdt_open(&f, blob), -EINVAL);
	nstructs = nstrings = 0;
	begin("");
	begin("child");
	end();
	prop_str("late", "property after a child");
	end();
	finish();
	assert_int_equal(fdt_open(&f, blob), -EINVAL);
	nstructs = nstrings = 0;
	finish();
	assert_int_equal(fdt_open(&f, blob), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_reg),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
