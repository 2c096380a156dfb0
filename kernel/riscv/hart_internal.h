/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_RISCV_HART_INTERNAL_H
#define GNOMON_RISCV_HART_INTERNAL_H

/* Start-up of harts: between hart.c, boot/main.c and head.S. */

#include "kernel/riscv/hart.h"

void hart_set_online(struct hart *h);
void hart_csr_init(void);
__noreturn void secondary_main(void);

#endif
