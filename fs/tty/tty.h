/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_TTY_H
#define GNOMON_TTY_H

/*
 * Terminals: the N_TTY line discipline over serial ports, job control, /dev/ttyS*, /dev/console, /dev/tty.
 * Sessions and process groups belong to kernel/proc, above this layer; the terminal knows them by number and
 * asks through struct tty_hooks.
 */

#include "kernel/lib/types.h"

struct tty;

/*
 * Set once by kernel/proc.  All are called in thread context, with LOCK_TTY possibly held: they may take LOCK_PROC_TREE
 * and LOCK_SIGNAL, and must not call back into tty.
 */
struct tty_hooks {
	s32 (*current_pgrp)(void);	 /* process group of the current process */
	s32 (*current_sid)(void);	 /* its session */
	bool (*is_session_leader)(void); /* it leads that session */
	struct tty *(*current_ctty)(
		void); /* its session's terminal, tty_hold done under the lock; NULL: none */
	void (*set_ctty)(
		struct tty
			*t); /* the current process's session gets t (NULL: none); just stores it */
	void (*clear_ctty)(s32 sid); /* session sid (if it still exists) has no terminal any more */
	int (*signal_pgrp)(s32 pgid, int sig);	/* kernel's own: no permission check. 0, -ESRCH */
	int (*signal_leader)(s32 sid, int sig); /* to the leader of session sid. 0, -ESRCH */
	bool (*pgrp_orphaned)(s32 pgid);	/* POSIX orphaned process group */
	bool (*pgrp_in_session)(s32 pgid, s32 sid); /* exists, and belongs to sid */
	bool (*sig_ignored_or_blocked)(int sig);    /* by the current thread */
};
void tty_set_hooks(const struct tty_hooks *h);

/* Makes the terminals of all serial ports found, /dev/console and /dev/tty.  Once, after devices_probe and vfs. */
void tty_init(void);

/*
 * For kernel/proc.  A session with a terminal keeps a hold on it (taken by TIOCSCTTY or open, dropped by tty_leader_exit,
 * TIOCNOTTY or hangup).  These sleep; no locks held.
 */
void tty_hold(struct tty *t);
void tty_drop(struct tty *t);
void tty_leader_exit(
	s32 sid); /* the leader of sid exits: its terminal (if any) is given up, the foreground
				* group gets SIGHUP and SIGCONT; calls clear_ctty */
void tty_vhangup(void);		    /* vhangup(2): current's terminal is hung up */
u64 tty_devno(const struct tty *t); /* st_rdev, for /proc/PID/stat */
s32 tty_pgrp(const struct tty *t);  /* foreground group, 0: none; for tpgid */

#endif
