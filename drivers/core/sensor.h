/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_SENSOR_H
#define GNOMON_DRIVERS_SENSOR_H

/* Temperatures: drivers register what they can measure, /proc/temperature shows it. */

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

/* Constant after registration, but the link. */
struct sensor {
	struct list link;
	const char *name;
	int (*read)(
		void *ctl,
		s64 *milli); /* thousandths of a degree Celsius; 0 or -errno; any thread, may sleep */
	void *ctl;
};

void sensor_register(struct sensor *s); /* at start-up; *s must stay */
/* The k-th; NULL past the last. */
struct sensor *sensor_nth(unsigned k);

#endif
