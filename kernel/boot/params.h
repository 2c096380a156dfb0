/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_BOOT_PARAMS_H
#define GNOMON_BOOT_PARAMS_H

/*
 * The kernel command line: words `name` or `name=value`, separated by blanks; "double quotes" around a value or a
 * whole word keep its blanks.  In names - and _ are the same.  What follows a word "--" is init's.
 */

#include "kernel/lib/types.h"

void params_init(const char *cmdline); /* before anything else; the string must stay */
/* A number with K, M or G suffix, of the last word `name=` of the line, not quoted; before params_parse. dflt if there is none. */
u64 params_early_u64(const char *name, u64 dflt);
void params_parse(void);	  /* when slab is up; kernel_param works from here on */
const char *kernel_cmdline(void); /* the whole line */
/* Value of the last `name=value`; "" for a bare `name`; NULL: not given. */
const char *kernel_param(const char *name);
/* The k-th value given for the name (console= may come several times); NULL past the last. */
const char *kernel_param_nth(const char *name, unsigned k);
/* `name`, `name=1|y|yes|on|true`: true. */
bool kernel_flag(const char *name);
/* A number with K, M or G suffix; dflt if not given or not a number. */
u64 kernel_param_u64(const char *name, u64 dflt);
/* The k-th word after "--", NULL past the last. */
const char *kernel_init_arg(unsigned k);

#endif
