/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_RISCV_UACCESS_INTERNAL_H
#define GNOMON_RISCV_UACCESS_INTERNAL_H

/* uaccess.S, for uaccess.c and tests: no range checks. */

#include "kernel/lib/types.h"

size_t uaccess_copy(void *dst, const void *src, size_t n);
size_t uaccess_clear(void *dst, size_t n);
ssize_t uaccess_strncpy(char *dst, const char *src, size_t n);
ssize_t uaccess_strnlen(const char *s, size_t n);
int uaccess_touch(
	void *word); /* atomically adds 0 to an aligned u32: a write that changes nothing. 0 or -1 */
int csr_probe_stimecmp(void); /* 0: S-mode may write stimecmp */
void extable_init(void);

#endif
