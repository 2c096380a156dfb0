/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux's widths for the types that picolibc leaves to the machine. */
#ifndef _MACHINE__TYPES_H
#define _MACHINE__TYPES_H

#include <machine/_default_types.h>

typedef unsigned long __dev_t;
typedef unsigned int __uid_t;
typedef unsigned int __gid_t;
typedef unsigned long __ino_t;
typedef unsigned int __mode_t;
typedef unsigned long __fsfilcnt_t;
#define __machine_dev_t_defined
#define __machine_uid_t_defined
#define __machine_gid_t_defined
#define __machine_ino_t_defined
#define __machine_mode_t_defined
#define __machine_fsfilcnt_t_defined

#endif
