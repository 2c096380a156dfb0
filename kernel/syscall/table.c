// SPDX-License-Identifier: BSD-2-Clause
/*
 * The system call table, by number.  Owns nothing else; constant.
 */

#include "kernel/syscall/args.h"

const syscall_fn syscall_table[SYSCALL_TABLE_SIZE] = {
#define SYSCALL(nr, name) [nr] = sys_##name,
#include "kernel/syscall/nr.def"
#undef SYSCALL
};

#if DEBUG
const char *const syscall_names[SYSCALL_TABLE_SIZE] = {
#define SYSCALL(nr, name) [nr] = #name,
#include "kernel/syscall/nr.def"
#undef SYSCALL
};
#endif
