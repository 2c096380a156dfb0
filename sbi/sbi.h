/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_SBI_H
#define GNOMON_SBI_H

/* RISC-V SBI specification 2.0; the only ecall in the kernel.  Errors are SBI's, negative. */

#include "kernel/lib/types.h"

struct sbiret {
	long error, value;
};

struct sbiret sbi_call(u64 ext, u64 fn, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4);
void sbi_init(void); /* probes extensions and remembers */
bool sbi_has(u64 ext);
void sbi_console_write(const char *s,
		       size_t n); /* DBCN, else legacy putchar; works before sbi_init and the mmu */
void sbi_set_timer(u64 when);	  /* time CSR units */
void sbi_send_ipi(u64 hartid_mask, u64 base);
int sbi_hart_start(u64 hartid, paddr_t entry, u64 arg);
int sbi_hart_status(u64 hartid);
void sbi_remote_sfence(u64 mask, u64 base, u64 start, u64 size);
void sbi_remote_sfence_asid(u64 mask, u64 base, u64 start, u64 size, u64 asid);
void sbi_remote_fence_i(u64 mask, u64 base);
__noreturn void sbi_reset(bool reboot, bool failed); /* SRST, else legacy shutdown */

#endif
