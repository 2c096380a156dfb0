// SPDX-License-Identifier: BSD-2-Clause
/*
 * Names of kernel functions.  The table is made by scripts/ksyms.py from the linked image and linked in on the second pass; on the first it is
 * missing, hence weak.  Offsets are from _text and ascend.
 */
#include "kernel/boot/boot.h"
#include "kernel/boot/panic.h"

extern const u64 ksyms_count __attribute__((weak));
extern const u32 ksyms_offsets[] __attribute__((weak));
extern const u32 ksyms_name_offsets[] __attribute__((weak));
extern const char ksyms_names[] __attribute__((weak));

bool ksym_lookup(u64 pc, const char **name, u64 *offset)
{
	u64 at = pc - (u64)_text, lo = 0, hi;

	if (!&ksyms_count || pc < (u64)_text || pc >= (u64)_etext)
		return false;
	hi = ksyms_count;
	while (lo < hi) { /* lo: how many symbols start at or before pc */
		u64 mid = (lo + hi) / 2;

		if (ksyms_offsets[mid] <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return false;
	*name = ksyms_names + ksyms_name_offsets[lo - 1];
	*offset = at - ksyms_offsets[lo - 1];
	return true;
}
