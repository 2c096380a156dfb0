/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef __ERRNO_H__
#define __ERRNO_H__

#include <sys/errno.h>

#ifndef __error_t_defined
typedef int error_t;
#define __error_t_defined 1
#endif

#endif
