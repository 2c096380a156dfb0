/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _SYS_FCNTL_H_
#define _SYS_FCNTL_H_

#include <fcntl.h>

#endif
