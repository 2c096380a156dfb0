/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_DRIVERS_SERIAL_INTERNAL_H
#define GNOMON_DRIVERS_SERIAL_INTERNAL_H

#include "drivers/serial/serial.h"
#include "kernel/lib/fdt.h"

/* serial_register, for ports that have a node in the device tree (for stdout-path). */
void serial_register_node(struct serial *s, fdt_node node);

#endif
