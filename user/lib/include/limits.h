/* SPDX-License-Identifier: BSD-2-Clause */
/* The C library's <limits.h> with Linux's length of a path. */
#ifndef _USER_LIMITS_H
#define _USER_LIMITS_H

#include_next <limits.h>

#undef PATH_MAX
#define PATH_MAX 4096

#endif
