/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_BOOT_PANIC_H
#define GNOMON_BOOT_PANIC_H

#include "kernel/lib/types.h"

struct thread;

/* A panic elsewhere stops this hart: reports when it is its turn, then waits for the end. From the IPI. */
__noreturn void panic_stop_hart(void);
/* Any hart has panicked: waiting for others is pointless. */
bool panic_under_way(void);
/* Name and offset of the function around a kernel pc; false: not known. */
bool ksym_lookup(u64 pc, const char **name, u64 *offset);
/* Prints the functions that are active: the one at pc with return address ra (pc 0: none), then those of the frames. */
void print_backtrace(u64 pc, u64 ra, u64 fp);
/* The pcs of a thread's active functions, beginning with the caller of the frame; how many.  Of one that runs meanwhile it finds anything, but reads
 * nothing outside its stack and the image. */
unsigned backtrace(const struct thread *t, u64 fp, u64 *pcs, unsigned max);

#endif
