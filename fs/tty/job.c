// SPDX-License-Identifier: BSD-2-Clause
/*
 * Job control: which session a terminal belongs to, which process group is in the foreground, who must stop.  Owns tty.session
 * and tty.pgrp (lock); kernel/proc owns the session's pointer back.  A terminal with a session holds itself once for
 * it.  Signals are sent with the lock held or not: LOCK_PROC_TREE comes after LOCK_TTY.
 */

#include "fs/tty/tty_internal.h"
#include "kernel/lib/errno.h"
#include "kernel/riscv/uaccess.h"

void tty_signal_foreground(struct tty *t, int sig)
{
	s32 pgrp = READ_ONCE(t->pgrp);

	if (pgrp && tty_hooks)
		tty_hooks->signal_pgrp(pgrp, sig);
}

bool tty_is_current(struct tty *t)
{
	struct tty *mine = tty_hooks ? tty_hooks->current_ctty() : NULL;

	if (mine)
		tty_drop(mine);
	return mine == t;
}

/* The current process is in a background group of t's own session. */
static bool in_background(struct tty *t, s32 *pgrp)
{
	s32 front = READ_ONCE(t->pgrp);

	if (!front || !tty_hooks)
		return false;
	*pgrp = tty_hooks->current_pgrp();
	return *pgrp != front && tty_is_current(t);
}

int tty_check_read(struct tty *t)
{
	s32 pgrp;

	if (!in_background(t, &pgrp))
		return 0;
	if (tty_hooks->sig_ignored_or_blocked(SIGTTIN) || tty_hooks->pgrp_orphaned(pgrp))
		return -EIO;
	tty_hooks->signal_pgrp(pgrp, SIGTTIN);
	return -ERESTARTSYS;
}

int tty_check_change(struct tty *t)
{
	s32 pgrp;

	if (!in_background(t, &pgrp) || tty_hooks->sig_ignored_or_blocked(SIGTTOU))
		return 0;
	if (tty_hooks->pgrp_orphaned(pgrp))
		return -EIO;
	tty_hooks->signal_pgrp(pgrp, SIGTTOU);
	return -ERESTARTSYS;
}

/* ---- getting and losing a session ---- */

static void session_set_locked(struct tty *t)
{
	ASSERT(!t->session);
	tty_hold(t);
	WRITE_ONCE(t->session, tty_hooks->current_sid());
	WRITE_ONCE(t->pgrp, tty_hooks->current_pgrp());
	tty_hooks->set_ctty(t);
}

static bool has_ctty(void)
{
	struct tty *t = tty_hooks->current_ctty();

	if (t)
		tty_drop(t);
	return t;
}

void tty_open_ctty(struct tty *t, u32 flags)
{
	if ((flags & O_NOCTTY) || (flags & O_ACCMODE) == O_WRONLY || !tty_hooks)
		return;
	if (!tty_hooks->is_session_leader() || has_ctty())
		return;
	mutex_lock(&t->lock);
	if (!t->session)
		session_set_locked(t);
	mutex_unlock(&t->lock);
}

/* The terminal has no session any more; hang_up: nor do those who have it open reach it. Returns the foreground group. */
static s32 session_clear(struct tty *t, s32 sid, bool hang_up)
{
	s32 pgrp = 0;

	mutex_lock(&t->lock);
	if (t->session == sid) {
		pgrp = t->pgrp;
		WRITE_ONCE(t->session, 0);
		WRITE_ONCE(t->pgrp, 0);
	} else {
		sid = 0;
	}
	if (hang_up) {
		WRITE_ONCE(t->hangups, t->hangups + 1);
		ldisc_flush_input(&t->ld);
		ldisc_set_stopped(&t->ld, false);
		t->exclusive = false;
	}
	tty_input_changed_locked(t);
	tty_output_changed_locked(t);
	mutex_unlock(&t->lock);
	if (sid) {
		tty_hooks->clear_ctty(sid);
		tty_drop(t);
	}
	return pgrp;
}

static void signal_gone(s32 pgrp)
{
	if (!pgrp)
		return;
	tty_hooks->signal_pgrp(pgrp, SIGHUP);
	tty_hooks->signal_pgrp(pgrp, SIGCONT);
}

void tty_leader_exit(s32 sid)
{
	struct tty *t = tty_hooks->current_ctty();

	if (!t)
		return;
	signal_gone(session_clear(t, sid, true));
	tty_drop(t);
}

static void hangup(struct tty *t)
{
	s32 sid = READ_ONCE(t->session);
	s32 pgrp = session_clear(t, sid, true);

	if (!sid)
		return;
	tty_hooks->signal_leader(sid, SIGHUP);
	tty_hooks->signal_leader(sid, SIGCONT);
	signal_gone(pgrp);
}

void tty_vhangup(void)
{
	struct tty *t = tty_hooks ? tty_hooks->current_ctty() : NULL;

	if (!t)
		return;
	hangup(t);
	tty_drop(t);
}

/* ---- the calls ---- */

/* steal: from another session, if the caller may. */
static long set_ctty(struct tty *t, bool steal)
{
	s32 sid = tty_hooks->current_sid();
	bool leader = tty_hooks->is_session_leader();
	long err = 0;

	if (leader && READ_ONCE(t->session) == sid)
		return 0;
	if (!leader || has_ctty())
		return -EPERM;
	if (READ_ONCE(t->session)) {
		if (!steal)
			return -EPERM;
		session_clear(t, READ_ONCE(t->session), false);
	}
	mutex_lock(&t->lock);
	if (t->session)
		err = -EPERM; /* somebody was faster */
	else
		session_set_locked(t);
	mutex_unlock(&t->lock);
	return err;
}

static long give_up_ctty(struct tty *t)
{
	if (!tty_is_current(t))
		return -ENOTTY;
	/* a session has its terminal as a whole: one member alone cannot leave it */
	if (!tty_hooks->is_session_leader())
		return -EPERM;
	signal_gone(session_clear(t, tty_hooks->current_sid(), false));
	return 0;
}

static long set_pgrp(struct tty *t, u64 arg)
{
	s32 sid = tty_hooks->current_sid();
	u32 pgrp;
	long err = tty_check_change(t);

	if (err)
		return err == -EIO ? -ENOTTY : err;
	if (get_user_u32(&pgrp, (const u32 __user *)arg))
		return -EFAULT;
	if ((s32)pgrp < 0)
		return -EINVAL;
	if (!tty_is_current(t))
		return -ENOTTY;
	mutex_lock(&t->lock);
	if (t->session != sid)
		err = -ENOTTY;
	else if (tty_hooks->signal_pgrp((s32)pgrp, 0) == -ESRCH)
		err = -ESRCH;
	else if (!tty_hooks->pgrp_in_session((s32)pgrp, sid))
		err = -EPERM;
	else
		WRITE_ONCE(t->pgrp, (s32)pgrp);
	mutex_unlock(&t->lock);
	return err;
}

long tty_job_ioctl(struct tty *t, unsigned cmd, u64 arg)
{
	if (!tty_hooks)
		return -ENOTTY;
	switch (cmd) {
	case TIOCSCTTY:
		return set_ctty(t, arg == 1);
	case TIOCNOTTY:
		return give_up_ctty(t);
	case TIOCSPGRP:
		return set_pgrp(t, arg);
	case TIOCGPGRP:
		return tty_is_current(t) ? put_user_u32((u32)READ_ONCE(t->pgrp), (u32 __user *)arg)
					 : -ENOTTY;
	case TIOCGSID:
		if (!tty_is_current(t) || !READ_ONCE(t->session))
			return -ENOTTY;
		return put_user_u32((u32)READ_ONCE(t->session), (u32 __user *)arg);
	default:
		hangup(t);
		return 0;
	}
}
