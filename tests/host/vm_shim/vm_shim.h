/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_TESTS_VM_SHIM_H
#define GNOMON_TESTS_VM_SHIM_H

/* What kernel/vm stands on in host tests: frames and slabs that count what is out, sleeping locks that are flags, and an MMU walked by hand. */

#include "host.h"
#include "kernel/vm/vm_internal.h"

void vm_shim_start(unsigned frames);
u64 vm_shim_frames_out(void);
long vm_shim_slabs_out(void);
/* The n-th allocation from now on fails (0: none does). Frames and slabs alike. True once it has. */
void vm_shim_fail(long n);
bool vm_shim_failed(void);
/* Memory accesses of a program: through the page tables, faulting as hardware would (Svade). 0 or -errno with *sig. */
int vm_shim_store(struct vm_map *m, u64 va, u8 byte, int *sig, int *code);
int vm_shim_load(struct vm_map *m, u64 va, u8 *byte, int *sig, int *code);

/*
 * A device of `pages` pages, with a swap header, taken into use as swap.  Transfers are done when somebody waits, or vm_shim_io does some, in random order.
 */
int vm_shim_swapon(unsigned pages, s32 prio);
int vm_shim_swapoff(unsigned k); /* the k-th that was made */
void vm_shim_io(unsigned n);
u64 vm_shim_swap_used(void);
extern u32 vm_shim_discards; /* requests */
u32 *vm_shim_header(
	void); /* what the next header says: version, last page, number of bad ones, those */
extern char vm_shim_magic[11];			  /* its signature */
extern u32 vm_shim_bad_reads, vm_shim_bad_writes; /* one of so many fails; 0: none */

#endif
