// SPDX-License-Identifier: BSD-2-Clause
/* The list of sensors. No lock: it grows at start-up only. */
#include "drivers/core/sensor.h"

static struct list sensors = LIST_INIT(sensors);

void sensor_register(struct sensor *s)
{
	list_add_tail(&sensors, &s->link);
}

struct sensor *sensor_nth(unsigned k)
{
	struct sensor *s;

	list_for_each(s, &sensors, link)
		if (k-- == 0)
			return s;
	return NULL;
}
