/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _USER_SYSLIMITS_H
#define _USER_SYSLIMITS_H

#include_next <sys/syslimits.h>

#undef PATH_MAX
#define PATH_MAX 4096

#endif
