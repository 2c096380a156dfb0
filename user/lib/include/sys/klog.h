/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _SYS_KLOG_H
#define _SYS_KLOG_H

int klogctl(int type, char *buf, int len);

#endif
