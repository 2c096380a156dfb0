// SPDX-License-Identifier: BSD-2-Clause
/* What the harts can do, from the nodes of /cpus.  Keeps nothing: the tree stays in memory. */
#include "kernel/riscv/isa.h"

#include "drivers/core/device.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!b[i] || lower(a[i]) != lower(b[i]))
			return false;
	return b[n] == 0;
}

/* "rv64imafdch_zicsr_...": single letters up to the first '_', then words; 'g' is imafd. */
static bool in_isa(const char *isa, const char *ext)
{
	const char *s = isa;

	if (lower(s[0]) == 'r' && lower(s[1]) == 'v')
		s += 2;
	while (*s >= '0' && *s <= '9')
		s++;
	for (; *s && *s != '_'; s++) {
		char c = lower(*s);

		if (c == 's' || c == 'z' || c == 'x')
			break; /* old style: a word without '_' before it */
		if (!ext[1] && (c == ext[0] || (c == 'g' && strchr("imafd", ext[0]))))
			return true;
	}
	while (*s) {
		size_t n = 0;

		while (*s == '_')
			s++;
		while (s[n] && s[n] != '_')
			n++;
		if (n && same(s, ext, n))
			return true;
		s += n;
	}
	return false;
}

static bool cpu_has(const struct fdt *f, fdt_node cpu, const char *ext)
{
	const char *word, *isa;

	for (unsigned k = 0; (word = fdt_prop_strn(f, cpu, "riscv,isa-extensions", k)); k++)
		if (strcmp(word, ext) == 0)
			return true;
	if (fdt_prop_strn(f, cpu, "riscv,isa-extensions", 0)) /* the new property decides alone */
		return false;
	isa = fdt_prop_str(f, cpu, "riscv,isa");
	return isa && in_isa(isa, ext);
}

static bool cpu_id(const struct fdt *f, fdt_node cpu, u64 *id)
{
	unsigned cells, unused;
	size_t len;
	const u8 *reg = fdt_prop(f, cpu, "reg", &len);

	fdt_cells(f, fdt_parent(f, cpu), &cells, &unused);
	if (!reg || len < 4u * cells || cells < 1 || cells > 2)
		return false;
	*id = fdt_cell(reg);
	if (cells == 2)
		*id = *id << 32 | fdt_cell(reg + 4);
	return true;
}

static bool is_cpu(const struct fdt *f, fdt_node n)
{
	const char *type = fdt_prop_str(f, n, "device_type");

	return type && strcmp(type, "cpu") == 0;
}

bool isa_hart_usable(const struct fdt *f, fdt_node cpu, u64 *id)
{
	const char *mmu = fdt_prop_str(f, cpu, "mmu-type");

	return is_cpu(f, cpu) && fdt_okay(f, cpu) && mmu && strncmp(mmu, "riscv,sv", 8) == 0 &&
	       strcmp(mmu, "riscv,sv32") != 0 && cpu_id(f, cpu, id);
}

bool isa_has(const char *ext)
{
	const struct fdt *f = &boot_fdt;
	fdt_node cpus = fdt_path(f, "/cpus");
	bool any = false;
	u64 id;

	if (cpus < 0)
		return false;
	for (fdt_node n = fdt_child(f, cpus); n >= 0; n = fdt_sibling(f, n)) {
		if (!isa_hart_usable(f, n, &id))
			continue;
		if (!cpu_has(f, n, ext))
			return false;
		any = true;
	}
	return any;
}

static fdt_node cpu_node(u64 hartid)
{
	const struct fdt *f = &boot_fdt;
	fdt_node cpus = fdt_path(f, "/cpus");
	u64 id;

	if (cpus < 0)
		return -1;
	for (fdt_node n = fdt_child(f, cpus); n >= 0; n = fdt_sibling(f, n))
		if (is_cpu(f, n) && cpu_id(f, n, &id) && id == hartid)
			return n;
	return -1;
}

size_t isa_string(u64 hartid, char *buf, size_t size)
{
	const struct fdt *f = &boot_fdt;
	fdt_node cpu = cpu_node(hartid);
	const char *word;
	size_t n;

	ASSERT(size > 0);
	buf[0] = 0;
	if (cpu < 0)
		return 0;
	word = fdt_prop_str(f, cpu, "riscv,isa");
	if (word)
		return MIN(strlcpy(buf, word, size), size - 1);
	word = fdt_prop_str(f, cpu, "riscv,isa-base");
	n = strlcpy(buf, word ? word : "rv64i", size);
	for (unsigned k = 0; (word = fdt_prop_strn(f, cpu, "riscv,isa-extensions", k)); k++) {
		if (strcmp(word, "i") == 0 || n + 1 >= size)
			continue;
		if (word[1])
			n += strlcpy(buf + n, "_", size - n);
		if (n < size)
			n += strlcpy(buf + n, word, size - n);
	}
	return MIN(n, size - 1);
}

const char *isa_mmu(u64 hartid)
{
	fdt_node cpu = cpu_node(hartid);
	const char *mmu = cpu < 0 ? NULL : fdt_prop_str(&boot_fdt, cpu, "mmu-type");

	return mmu && strncmp(mmu, "riscv,", 6) == 0 ? mmu + 6 : NULL;
}
