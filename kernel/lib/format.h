/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_LIB_FORMAT_H
#define GNOMON_LIB_FORMAT_H

/* The conversions of printf, one character at a time into whatever the caller provides. */

#include <stdarg.h>

#include "kernel/lib/types.h"

struct format_out {
	void (*put)(struct format_out *out, char c);
};

/* Formats as print.h says; returns how many characters were put. An unknown conversion is put as it stands. Touches no locks. */
size_t format(struct format_out *out, const char *fmt, va_list ap);

#endif
