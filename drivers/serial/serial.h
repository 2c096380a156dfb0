/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_SERIAL_H
#define GNOMON_DRIVERS_SERIAL_H

/* Serial ports: a byte pipe below the tty layer. */

#include "kernel/lib/types.h"

struct serial;

struct serial_ops {
	/* Queues bytes for transmission by interrupt; returns how many fit. Any context. */
	size_t (*write)(struct serial *s, const char *p, size_t n);
	size_t (*write_room)(struct serial *s);
	void (*poll_write)(struct serial *s, const char *p, size_t n); /* panic and early output */
};

/* Field markings and the corresponding locks:
 * (c) constant after probe   (t) set once by the tty layer
 */
struct serial {
	const struct serial_ops *ops; /* (c) */
	const char *name;	      /* (c) "ttyS0" */
	unsigned minor;		      /* (c) 64 + n */
	void *drv;		      /* (c) */
	/* called in interrupt context with received bytes; and when transmission has room again */
	void (*rx)(struct serial *s, const char *p, size_t n); /* (t) */
	void (*tx_room)(struct serial *s);		       /* (t) */
	void *tty;					       /* (t) */
};

void serial_register(struct serial *s); /* by drivers, in probe order: names it ttyS0, ttyS1... */
struct serial *serial_get(unsigned n);	/* NULL past the last */
struct serial *serial_console(void);	/* chosen by console= or stdout-path; NULL: none */

#endif
