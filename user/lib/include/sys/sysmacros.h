/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _SYS_SYSMACROS_H
#define _SYS_SYSMACROS_H

#define major(dev) ((unsigned int)((((dev) >> 32) & 0xfffff000) | (((dev) >> 8) & 0xfff)))
#define minor(dev) ((unsigned int)((((dev) >> 12) & 0xffffff00) | ((dev)&0xff)))
#define makedev(maj, min)                                                                       \
	((((maj)&0xfffff000UL) << 32) | (((maj)&0xfffUL) << 8) | (((min)&0xffffff00UL) << 12) | \
	 ((min)&0xffUL))

#endif
