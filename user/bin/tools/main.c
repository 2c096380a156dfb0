// SPDX-License-Identifier: BSD-2-Clause
/* main.c - one program under many names: the name decides what it does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/bin/tools/tools.h"

/* Sorted by name: found by bisection. The build makes a link for each. */
static const struct tool {
	const char *name;
	int (*main)(int argc, char **argv);
} tools[] = {
#define TOOL(name) {#name, name##_main},
	/* clang-format off */
	TOOL(basename)
	TOOL(cat)
	TOOL(chmod)
	TOOL(chown)
	TOOL(cmp)
	TOOL(cp)
	TOOL(cut)
	TOOL(date)
	TOOL(dd)
	TOOL(df)
	TOOL(dirname)
	TOOL(dmesg)
	TOOL(du)
	TOOL(echo)
	TOOL(env)
	TOOL(false)
	TOOL(find)
	TOOL(free)
	TOOL(grep)
	TOOL(halt)
	TOOL(head)
	TOOL(hexdump)
	TOOL(hostname)
	TOOL(id)
	TOOL(kill)
	TOOL(ln)
	TOOL(ls)
	TOOL(md5sum)
	TOOL(memmap)
	TOOL(mkdir)
	TOOL(mkswap)
	TOOL(mmapcopy)
	TOOL(mount)
	TOOL(mv)
	TOOL(poweroff)
	TOOL(printf)
	TOOL(ps)
	TOOL(pwd)
	TOOL(readlink)
	TOOL(reboot)
	TOOL(rm)
	TOOL(rmdir)
	TOOL(seq)
	TOOL(sha256sum)
	TOOL(sleep)
	TOOL(sort)
	TOOL(stat)
	TOOL(swapoff)
	TOOL(swapon)
	TOOL(sync)
	TOOL(tail)
	TOOL(tee)
	TOOL(test)
	TOOL(time)
	TOOL(touch)
	TOOL(tr)
	TOOL(true)
	TOOL(truncate)
	TOOL(umount)
	TOOL(uname)
	TOOL(uniq)
	TOOL(uptime)
	TOOL(vmstat)
	TOOL(wc)
	TOOL(xargs)
	TOOL(yes)
/* clang-format on */
#undef TOOL
};

static int compare_tool(const void *name, const void *t)
{
	return strcmp(name, ((const struct tool *)t)->name);
}

static const struct tool *find_tool(const char *name)
{
	return bsearch(name, tools, COUNT(tools), sizeof(*tools), compare_tool);
}

static int usage(void)
{
	for (size_t i = 0; i < COUNT(tools); i++)
		printf("%s%c", tools[i].name, (i + 1) % 10 ? ' ' : '\n');
	putchar('\n');
	return 2;
}

int main(int argc, char **argv)
{
	const char *name = argc > 0 && argv[0] ? argv[0] : "";
	const struct tool *t;

	name = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	if (strcmp(name, "tools") == 0 && argc > 1) {
		argc--;
		argv++;
		name = argv[0];
	}
	t = strcmp(name, "[") == 0 ? find_tool("test") : find_tool(name);
	if (!t)
		return usage();
	prog = name;
	return t->main(argc, argv);
}
