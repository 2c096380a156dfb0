/* SPDX-License-Identifier: BSD-2-Clause */
/* In place of the real header: start-up functions that a test calls by name. */
#ifndef HOST_KERNEL_BOOT_INIT_H
#define HOST_KERNEL_BOOT_INIT_H

#define INITCALL(lvl, f)              \
	void shim_initcall_##f(void); \
	void shim_initcall_##f(void)  \
	{                             \
		f();                  \
	}

#endif
