// SPDX-License-Identifier: BSD-2-Clause
/*
 * Terminal ioctls: settings, window size, flow, flush, queue lengths.  Numbers and layouts are riscv64's
 * (include/uapi/asm-generic/ioctls.h, termbits.h).  Settings are the line discipline's, under the terminal's lock.
 */

#include "fs/tty/tty_internal.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/riscv/uaccess.h"

#define TCGETS	   0x5401u
#define TCSETS	   0x5402u
#define TCSETSW	   0x5403u
#define TCSETSF	   0x5404u
#define TCSBRK	   0x5409u
#define TCXONC	   0x540au
#define TCFLSH	   0x540bu
#define TIOCEXCL   0x540cu
#define TIOCNXCL   0x540du
#define TIOCOUTQ   0x5411u
#define TIOCGWINSZ 0x5413u
#define TIOCSWINSZ 0x5414u
#define TIOCINQ	   0x541bu
#define TIOCSETD   0x5423u
#define TIOCGETD   0x5424u
#define TCSBRKP	   0x5425u
#define TCGETS2	   0x802c542au
#define TCSETS2	   0x402c542bu
#define TCSETSW2   0x402c542cu
#define TCSETSF2   0x402c542du
#define TIOCGDEV   0x80045432u
#define TIOCGEXCL  0x80045440u

#define TERMIOS_SIZE  36u /* struct termios; the rest of struct termios2 are the speeds */
#define TERMIOS2_SIZE 44u
#define N_TTY	      0u

/* ---- settings ---- */

static long get_termios(struct tty *t, u64 arg, size_t size)
{
	struct termios_k k;

	mutex_lock(&t->lock);
	k = t->ld.tio;
	mutex_unlock(&t->lock);
	return copy_to_user((void __user *)arg, &k, size);
}

static void speed_from_cflag(struct termios_k *k)
{
	static const u32 low[16] = {0,	 50,   75,   110,  134,	 150,  200,   300,
				    600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
	static const u32 high[15] = {57600,   115200,  230400,	460800,	 500000,
				     576000,  921600,  1000000, 1152000, 1500000,
				     2000000, 2500000, 3000000, 3500000, 4000000};
	u32 code = k->cflag & 010017;

	if (!(code & 010000))
		k->ispeed = k->ospeed = low[code & 15];
	else if (code & 15)
		k->ispeed = k->ospeed = high[(code & 15) - 1];
}

/* drain: first let what was written go out; flush: then forget what was typed. */
static long set_termios(struct tty *t, u64 arg, size_t size, bool drain, bool flush)
{
	struct termios_k k;
	long err = tty_check_change(t);

	if (err)
		return err;
	mutex_lock(&t->lock);
	k = t->ld.tio;
	mutex_unlock(&t->lock);
	if (copy_from_user(&k, (const void __user *)arg, size))
		return -EFAULT;
	if (size == TERMIOS_SIZE)
		speed_from_cflag(&k);
	if (drain)
		err = tty_drain(t);
	if (err)
		return err;
	mutex_lock(&t->lock);
	if (flush)
		ldisc_flush_input(&t->ld);
	ldisc_set_termios(&t->ld, &k);
	tty_unthrottle_locked(t);
	tty_input_changed_locked(t);
	mutex_unlock(&t->lock);
	return 0;
}

static long termios_ioctl(struct tty *t, unsigned cmd, u64 arg)
{
	switch (cmd) {
	case TCGETS:
		return get_termios(t, arg, TERMIOS_SIZE);
	case TCGETS2:
		return get_termios(t, arg, TERMIOS2_SIZE);
	case TCSETS:
		return set_termios(t, arg, TERMIOS_SIZE, false, false);
	case TCSETS2:
		return set_termios(t, arg, TERMIOS2_SIZE, false, false);
	case TCSETSW:
		return set_termios(t, arg, TERMIOS_SIZE, true, false);
	case TCSETSW2:
		return set_termios(t, arg, TERMIOS2_SIZE, true, false);
	case TCSETSF:
		return set_termios(t, arg, TERMIOS_SIZE, true, true);
	case TCSETSF2:
		return set_termios(t, arg, TERMIOS2_SIZE, true, true);
	default:
		return -ENOIOCTL;
	}
}

/* ---- flow and queues ---- */

enum { TCIFLUSH, TCOFLUSH, TCIOFLUSH };
enum { TCOOFF, TCOON, TCIOFF, TCION };

static long flush(struct tty *t, u64 which)
{
	long err = tty_check_change(t);

	if (err)
		return err;
	if (which > TCIOFLUSH)
		return -EINVAL;
	mutex_lock(&t->lock);
	if (which != TCOFLUSH) {
		ldisc_flush_input(&t->ld);
		tty_unthrottle_locked(t);
	}
	if (which != TCIFLUSH)
		t->ld.flush_output(&t->ld);
	mutex_unlock(&t->lock);
	return 0;
}

/* TCIOFF and TCION send the character that makes the other side stop or start. */
static long flow(struct tty *t, u64 what)
{
	long err = tty_check_change(t);

	if (err)
		return err;
	if (what > TCION)
		return -EINVAL;
	mutex_lock(&t->lock);
	if (what <= TCOON) {
		ldisc_set_stopped(&t->ld, what == TCOOFF);
	} else {
		u8 c = t->ld.tio.cc[what == TCIOFF ? VSTOP : VSTART];

		if (c)
			t->ld.out(&t->ld, c);
		tty_pump_locked(t);
	}
	mutex_unlock(&t->lock);
	return 0;
}

static long drain(struct tty *t)
{
	long err = tty_check_change(t);

	return err ? err : tty_drain(t);
}

static long queue_ioctl(struct tty *t, unsigned cmd, u64 arg)
{
	u32 n;

	switch (cmd) {
	case TCFLSH:
		return flush(t, arg);
	case TCXONC:
		return flow(t, arg);
	case TCSBRK: /* a break (arg 0) cannot be sent: the ports have no call for it */
	case TCSBRKP:
		return cmd == TCSBRK && arg ? drain(t) : -EOPNOTSUPP;
	case TIOCINQ:
	case TIOCOUTQ:
		mutex_lock(&t->lock);
		n = (u32)(cmd == TIOCINQ ? ldisc_avail(&t->ld) : t->out_head - t->out_tail);
		mutex_unlock(&t->lock);
		return put_user_u32(n, (u32 __user *)arg);
	default:
		return -ENOIOCTL;
	}
}

/* ---- the rest ---- */

static long get_size(struct tty *t, u64 arg)
{
	struct winsize_k w;

	mutex_lock(&t->lock);
	w = t->size;
	mutex_unlock(&t->lock);
	return copy_to_user((void __user *)arg, &w, sizeof(w));
}

static long set_size(struct tty *t, u64 arg)
{
	struct winsize_k w;
	bool changed;

	BUILD_ASSERT(sizeof(w) == 8);
	if (copy_from_user(&w, (const void __user *)arg, sizeof(w)))
		return -EFAULT;
	mutex_lock(&t->lock);
	changed = memcmp(&w, &t->size, sizeof(w)) != 0;
	t->size = w;
	mutex_unlock(&t->lock);
	if (changed)
		tty_signal_foreground(t, SIGWINCH);
	return 0;
}

static long set_discipline(u64 arg)
{
	u32 n;

	if (get_user_u32(&n, (const u32 __user *)arg))
		return -EFAULT;
	return n == N_TTY ? 0 : -EINVAL;
}

static long set_exclusive(struct tty *t, bool on)
{
	mutex_lock(&t->lock);
	WRITE_ONCE(t->exclusive, on);
	mutex_unlock(&t->lock);
	return 0;
}

static long other_ioctl(struct tty *t, unsigned cmd, u64 arg)
{
	switch (cmd) {
	case TIOCGWINSZ:
		return get_size(t, arg);
	case TIOCSWINSZ:
		return set_size(t, arg);
	case TIOCSETD:
		return set_discipline(arg);
	case TIOCGETD:
		return put_user_u32(N_TTY, (u32 __user *)arg);
	case TIOCEXCL:
	case TIOCNXCL:
		return set_exclusive(t, cmd == TIOCEXCL);
	case TIOCGEXCL:
		return put_user_u32(READ_ONCE(t->exclusive), (u32 __user *)arg);
	case TIOCGDEV:
		return put_user_u32((u32)t->dev.rdev, (u32 __user *)arg);
	default:
		return -ENOTTY;
	}
}

long tty_ioctl(struct file *f, unsigned cmd, u64 arg)
{
	struct tty *t = file_tty(f);
	long r;

	if (file_hung_up(f))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	switch (cmd) {
	case TIOCVHANGUP:
		if (!f->cred || !f->cred->caps)
			return -EPERM;
		return tty_job_ioctl(t, cmd, arg);
	case TIOCSCTTY:
		if (arg == 1 && (!f->cred || !f->cred->caps))
			arg = 0; /* may not steal */
		return tty_job_ioctl(t, cmd, arg);
	case TIOCGPGRP:
	case TIOCSPGRP:
	case TIOCNOTTY:
	case TIOCGSID:
		return tty_job_ioctl(t, cmd, arg);
	default:
		break;
	}
	r = termios_ioctl(t, cmd, arg);
	if (r == -ENOIOCTL)
		r = queue_ioctl(t, cmd, arg);
	return r == -ENOIOCTL ? other_ioctl(t, cmd, arg) : r;
}
