// SPDX-License-Identifier: BSD-2-Clause
/*
 * Copies between the kernel and user memory: range checks around uaccess.S, and the exception table.  The table is sorted
 * once at start-up (sections come in link order) and constant afterwards.  No locks.
 */
#include "kernel/riscv/uaccess.h"

#include "kernel/lib/print.h"
#include "kernel/riscv/uaccess_internal.h"
#include "kernel/sched/thread.h"

struct ex_entry {
	u64 pc, fixup;
};
extern struct ex_entry __ex_table_start[], __ex_table_stop[];

/* Insertion sort: the linker leaves the entries nearly in order.  Runs before the table's page becomes read-only. */
void extable_init(void)
{
	for (struct ex_entry *e = __ex_table_start + 1; e < __ex_table_stop; e++) {
		struct ex_entry moved = *e, *at = e;

		for (; at > __ex_table_start && at[-1].pc > moved.pc; at--)
			*at = at[-1];
		*at = moved;
	}
}

u64 extable_find(u64 pc)
{
	size_t lo = 0, hi = (size_t)(__ex_table_stop - __ex_table_start);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (__ex_table_start[mid].pc == pc)
			return __ex_table_start[mid].fixup;
		if (__ex_table_start[mid].pc < pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

size_t copy_from_user_partial(void *dst, const void __user *src, size_t n)
{
	if (unlikely(!user_range_ok((u64)src, n))) {
		size_t ok = (u64)src < USER_END ? USER_END - (u64)src : 0;

		return n - ok + (ok ? uaccess_copy(dst, src, ok) : 0);
	}
	return uaccess_copy(dst, src, n);
}

size_t copy_to_user_partial(void __user *dst, const void *src, size_t n)
{
	if (unlikely(!user_range_ok((u64)dst, n))) {
		size_t ok = (u64)dst < USER_END ? USER_END - (u64)dst : 0;

		return n - ok + (ok ? uaccess_copy(dst, src, ok) : 0);
	}
	return uaccess_copy(dst, src, n);
}

int copy_from_user(void *dst, const void __user *src, size_t n)
{
	if (unlikely(!user_range_ok((u64)src, n)))
		return -EFAULT;
	return likely(uaccess_copy(dst, src, n) == 0) ? 0 : -EFAULT;
}

int copy_to_user(void __user *dst, const void *src, size_t n)
{
	if (unlikely(!user_range_ok((u64)dst, n)))
		return -EFAULT;
	return likely(uaccess_copy(dst, src, n) == 0) ? 0 : -EFAULT;
}

/* Sets pagefault_disabled; returns what it was. */
static bool faults_off(void)
{
	bool was = current()->pagefault_disabled;

	current()->pagefault_disabled = true;
	__asm__ volatile("" ::: "memory");
	return was;
}

static void faults_restore(bool was)
{
	__asm__ volatile("" ::: "memory");
	current()->pagefault_disabled = was;
}

size_t copy_from_user_nofault(void *dst, const void __user *src, size_t n)
{
	bool was = faults_off();
	size_t left = copy_from_user_partial(dst, src, n);

	faults_restore(was);
	return left;
}

size_t copy_to_user_nofault(void __user *dst, const void *src, size_t n)
{
	bool was = faults_off();
	size_t left = copy_to_user_partial(dst, src, n);

	faults_restore(was);
	return left;
}

int clear_user(void __user *dst, size_t n)
{
	if (unlikely(!user_range_ok((u64)dst, n)))
		return -EFAULT;
	return uaccess_clear(dst, n) == 0 ? 0 : -EFAULT;
}

ssize_t strncpy_from_user(char *dst, const char __user *src, size_t size)
{
	size_t room = size;
	ssize_t len;

	ASSERT(size > 0);
	if ((u64)src >= USER_END)
		return -EFAULT;
	room = MIN(room, USER_END - (u64)src);
	len = uaccess_strncpy(dst, src, room);
	if (len < 0)
		return -EFAULT;
	if ((size_t)len == room)
		return room < size ? -EFAULT : -ENAMETOOLONG;
	return len;
}

ssize_t strnlen_user(const char __user *s, size_t max)
{
	ssize_t len;
	size_t room = max;

	if ((u64)s >= USER_END)
		return 0;
	room = MIN(room, USER_END - (u64)s);
	len = uaccess_strnlen(s, room);
	if (len < 0 || ((size_t)len == room && room < max))
		return 0;
	return len + 1;
}

int fault_in_readable(const void __user *p, size_t n)
{
	u64 addr = (u64)p, end = addr + n;
	char byte;

	if (!user_range_ok(addr, n))
		return -EFAULT;
	for (; addr < end; addr = ALIGN_DOWN(addr, PAGE_SIZE) + PAGE_SIZE)
		if (uaccess_copy(&byte, (const void *)addr, 1))
			return -EFAULT;
	return 0;
}

int fault_in_writable(void __user *p, size_t n)
{
	u64 addr = (u64)p, end = addr + n;

	if (!user_range_ok(addr, n))
		return -EFAULT;
	for (; addr < end; addr = ALIGN_DOWN(addr, PAGE_SIZE) + PAGE_SIZE)
		if (uaccess_touch((void *)ALIGN_DOWN(addr, 4UL)))
			return -EFAULT;
	return 0;
}
