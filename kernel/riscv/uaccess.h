/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_RISCV_UACCESS_H
#define GNOMON_RISCV_UACCESS_H

/*
 * Copies between the kernel and the current thread's address space (uaccess.S).  Each checks that the whole range lies below USER_END, sets
 * sstatus.SUM around the copy, and survives faults through the exception table (.ex_table: pc, fixup pairs).
 * May sleep (page faults), except the _nofault forms, which touch only what is mapped now.
 */

#include "kernel/lib/errno.h"
#include "kernel/lib/types.h"

#define USER_END \
	0x3ffffff000UL /* end of the user half under Sv39, less a guard page; = TASK_SIZE */

static inline bool user_range_ok(u64 addr, u64 len)
{
	return addr <= USER_END && len <= USER_END - addr;
}

int copy_from_user(void *dst, const void __user *src,
		   size_t n); /* 0 or -EFAULT (dst's rest is undefined) */
int copy_to_user(void __user *dst, const void *src,
		 size_t n); /* 0 or -EFAULT (a part may be written) */
/* How many bytes could NOT be copied (0 = all). */
size_t copy_from_user_partial(void *dst, const void __user *src, size_t n);
size_t copy_to_user_partial(void __user *dst, const void *src, size_t n);
size_t copy_from_user_nofault(void *dst, const void __user *src, size_t n); /* bytes not copied */
size_t copy_to_user_nofault(void __user *dst, const void *src, size_t n);
int clear_user(void __user *dst, size_t n); /* 0 or -EFAULT */
/* Copies a string of at most size-1 bytes and its NUL: its length, -EFAULT, or -ENAMETOOLONG. */
ssize_t strncpy_from_user(char *dst, const char __user *src, size_t size);
ssize_t strnlen_user(const char __user *s,
		     size_t max); /* with the NUL; 0 = fault; > max = too long */
/* Makes the range readable/writable now (touches each page); 0 or -EFAULT. */
int fault_in_readable(const void __user *p, size_t n);
int fault_in_writable(void __user *p, size_t n);
int get_user_u32(u32 *out, const u32 __user *p); /* aligned, single access */
int get_user_u64(u64 *out, const u64 __user *p);
int put_user_u32(u32 v, u32 __user *p);
int put_user_u64(u64 v, u64 __user *p);
/* Atomic compare-and-exchange on a user word (futex, robust lists): 0 with *seen, -EFAULT. */
int cmpxchg_user_u32(u32 __user *p, u32 expect, u32 new, u32 *seen);

/* Looks up the fixup for a faulting kernel pc; 0 if none. */
u64 extable_find(u64 pc);

#endif
