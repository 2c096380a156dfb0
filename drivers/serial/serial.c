// SPDX-License-Identifier: BSD-2-Clause
/*
 * The list of serial ports, and which of them is the console: the last console=ttySn of the command line, else what
 * /chosen/stdout-path names, else the first.  Ports are added by probes at start-up, one after the other; constant later.
 */
#include "drivers/serial/serial.h"

#include "drivers/core/device.h"
#include "drivers/serial/serial_internal.h"
#include "kernel/boot/params.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"

#define MINOR_FIRST 64

struct port {
	struct port *next;
	struct serial *serial;
	fdt_node node;
	char name[12];
};

static struct port *ports, **ports_tail = &ports;
static unsigned nports;
static struct serial *console;

struct serial *serial_get(unsigned n)
{
	struct port *p = ports;

	while (p && n--)
		p = p->next;
	return p ? p->serial : NULL;
}

struct serial *serial_console(void)
{
	return console ? console : serial_get(0);
}

/* The last console= that names a serial port, without its options ("ttyS0,115200n8"). */
static const char *wanted_name(size_t *len)
{
	const char *v, *found = NULL;

	for (unsigned k = 0; (v = kernel_param_nth("console", k)); k++) {
		const char *comma = strchr(v, ',');

		if (strncmp(v, "ttyS", 4))
			continue;
		found = v;
		*len = comma ? (size_t)(comma - v) : strlen(v);
	}
	return found;
}

/* stdout-path: a path or alias, then perhaps ":options". */
static fdt_node stdout_node(void)
{
	fdt_node chosen = fdt_path(&boot_fdt, "/chosen");
	const char *path = chosen < 0 ? NULL : fdt_prop_str(&boot_fdt, chosen, "stdout-path");
	char buf[128];

	if (!path)
		return -1;
	strlcpy(buf, path, sizeof(buf));
	if (strchr(buf, ':'))
		*strchr(buf, ':') = 0;
	return fdt_path(&boot_fdt, buf);
}

static bool is_console(const struct port *p)
{
	size_t len;
	const char *want = wanted_name(&len);

	if (want)
		return strlen(p->name) == len && strncmp(p->name, want, len) == 0;
	return p->node >= 0 && p->node == stdout_node();
}

static void console_write(const char *s, size_t n)
{
	struct serial *c = console;

	while (n) {
		const char *nl = memchr(s, '\n', n);
		size_t part = nl ? (size_t)(nl - s) : n;

		c->ops->poll_write(c, s, part);
		if (nl) {
			c->ops->poll_write(c, "\r\n", 2);
			part++;
		}
		s += part;
		n -= part;
	}
}

void serial_register_node(struct serial *s, fdt_node node)
{
	struct port *p = kzalloc(sizeof(*p));

	ASSERTF(p, "no memory for a serial port");
	ksnprintf(p->name, sizeof(p->name), "ttyS%u", nports);
	s->name = p->name;
	s->minor = MINOR_FIRST + nports++;
	p->serial = s;
	p->node = node;
	*ports_tail = p;
	ports_tail = &p->next;
	if (is_console(p)) {
		console = s;
		print_console_set(console_write);
	}
}

void serial_register(struct serial *s)
{
	serial_register_node(s, -1);
}
