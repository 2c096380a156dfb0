/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _SYS_SIGNAL_H_
#define _SYS_SIGNAL_H_

#include <signal.h>

#endif
