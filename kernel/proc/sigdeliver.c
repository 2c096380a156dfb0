// SPDX-License-Identifier: BSD-2-Clause
/*
 * What happens to a signal on the way back to user mode: stopping, dying, or a handler's frame in Linux's layout
 * (arch/riscv/include/uapi/asm/ucontext.h and sigcontext.h), interrupted system calls restarted or not, and rt_sigreturn.
 *
 *	          sp on entry
 *	sp ->	  +-------------------+ 0	16-byte aligned
 *		  | siginfo           |
 *		  +-------------------+ 128	struct ucontext: flags, link, stack, mask of 1024 bits
 *		  | uc                |
 *		  +-------------------+ 304	struct sigcontext: pc and x1..x31
 *		  | gregs             |
 *		  +-------------------+ 560	union of FP states, 528 bytes: D state, zeros, END header
 *		  | fpregs            |
 *		  +-------------------+ 1088
 *
 * Runs as the thread concerned, interrupts on, no locks held.
 */
#include "kernel/proc/proc_internal.h"

/* include/uapi/asm-generic/signal.h stack_t */
struct user_stack {
	u64 sp;
	s32 flags;
	u32 pad;
	u64 size;
};

/* What precedes the registers and is not left as it is: siginfo and the head of the ucontext. */
struct user_frame_head {
	struct siginfo_k info;
	u64 info_rest[10];
	u64 flags, link;
	struct user_stack stack;
	sigset_t mask;
};

struct user_ucontext_head {
	u64 flags, link;
	struct user_stack stack;
	sigset_t mask;
};

#define FRAME_UC      128
#define FRAME_REGS    304
#define FRAME_FP      560
#define FP_SIZE	      528
#define FRAME_SIZE    1088
#define FP_STATE_SIZE 264 /* f0-f31, fcsr and padding */
#define FP_TAIL	      516 /* reserved word and END header, all zero */

BUILD_ASSERT(FRAME_FP + FP_SIZE == FRAME_SIZE);
BUILD_ASSERT(sizeof(struct user_ucontext_head) == 48);
BUILD_ASSERT(sizeof(struct user_frame_head) == FRAME_UC + 48);
BUILD_ASSERT(sizeof(struct siginfo_k) + 80 == SIGINFO_USER_SIZE);
BUILD_ASSERT(sizeof(struct fpu_state) == FP_STATE_SIZE);

static const struct fpu_state no_fp;
static const u8 zeros[SIGINFO_USER_SIZE];

/* ---- frames ---- */

static bool on_altstack(const struct task *t, u64 sp)
{
	return sp > t->altstack_sp && sp - t->altstack_sp <= t->altstack_size;
}

/* Where the frame goes; 0: it would run off the alternate stack. */
static u64 frame_address(const struct task *t, const struct trapframe *tf, u64 sa_flags)
{
	u64 sp = tf->x[REG_SP];
	bool on = t->altstack_size && on_altstack(t, sp);

	if (on && !on_altstack(t, sp - FRAME_SIZE))
		return 0;
	if ((sa_flags & SA_ONSTACK) && !on && t->altstack_size)
		sp = t->altstack_sp + t->altstack_size;
	return (sp - FRAME_SIZE) & ~15UL;
}

static int write_fp(u64 frame)
{
	struct fpu_state *fp = fpu_sync();
	u8 __user *to = (u8 __user *)(frame + FRAME_FP);

	if (copy_to_user(to, fp ? fp : &no_fp, FP_STATE_SIZE))
		return -EFAULT;
	if (put_user_u32(0, (u32 __user *)(to + FP_TAIL)))
		return -EFAULT;
	return put_user_u64(0, (u64 __user *)(to + FP_TAIL + 4));
}

static int write_frame(u64 frame, const struct trapframe *tf, const struct siginfo_k *info,
		       sigset_t oldmask)
{
	const struct task *t = current_task();
	struct user_frame_head head; /* each field by itself: a call of memset costs more */

	head.info = *info;
	for (size_t i = 0; i < ARRAY_LEN(head.info_rest); i++)
		head.info_rest[i] = 0;
	head.flags = head.link = 0;
	head.stack.sp = t->altstack_sp;
	head.stack.pad = 0;
	head.stack.size = t->altstack_size;
	head.mask = oldmask;
	head.stack.flags = !t->altstack_size		   ? SS_DISABLE
			   : on_altstack(t, tf->x[REG_SP]) ? SS_ONSTACK
							   : 0;
	head.stack.flags |= (s32)(t->altstack_flags & SS_AUTODISARM);
	if (copy_to_user((void __user *)frame, &head, sizeof(head)))
		return -EFAULT;
	if (copy_to_user((void __user *)(frame + FRAME_REGS), tf->x, sizeof(tf->x)))
		return -EFAULT;
	return write_fp(frame);
}

int siginfo_to_user(u64 to, const struct siginfo_k *info)
{
	if (copy_to_user((void __user *)to, info, sizeof(*info)))
		return -EFAULT;
	return copy_to_user((void __user *)(to + sizeof(*info)), zeros,
			    SIGINFO_USER_SIZE - sizeof(*info));
}

int signal_setup_frame(struct trapframe *tf, int sig, const struct k_sigaction *a,
		       const struct siginfo_k *info, sigset_t oldmask)
{
	struct task *t = current_task();
	u64 frame = frame_address(t, tf, a->flags);

	if (!frame || !user_range_ok(frame, FRAME_SIZE) || write_frame(frame, tf, info, oldmask))
		return -EFAULT;
	if (t->altstack_flags & SS_AUTODISARM) {
		t->altstack_sp = t->altstack_size = 0;
		t->altstack_flags = SS_DISABLE;
	}
	tf->x[REG_RA] = t->proc->vdso + vdso_sigreturn_offset;
	tf->x[REG_PC] = a->handler;
	tf->x[REG_SP] = frame;
	tf->x[REG_A0] = (u64)sig;
	tf->x[REG_A1] = frame;
	tf->x[REG_A2] = frame + FRAME_UC;
	return 0;
}

static bool all_zero(const struct fpu_state *f)
{
	u64 sum = f->fcsr;

	for (int i = 0; i < 32; i++)
		sum |= f->f[i];
	return sum == 0;
}

static int restore_fp(u64 frame)
{
	struct fpu_state *fp, first;
	u8 __user *from = (u8 __user *)(frame + FRAME_FP);
	u32 reserved;
	int err;

	if (get_user_u32(&reserved, (u32 __user *)(from + FP_TAIL)))
		return -EFAULT;
	if (reserved)
		return -EINVAL;
	if (!current()->fpu) {
		if (copy_from_user(&first, from, sizeof(first)))
			return -EFAULT;
		if (all_zero(&first))
			return 0;
	}
	fp = fpu_set_begin();
	if (!fp)
		return -ENOMEM;
	err = copy_from_user(fp, from, sizeof(*fp));
	fpu_set_end();
	return err;
}

static void restore_altstack(const struct user_stack *s, u64 sp)
{
	struct task *t = current_task();

	if (t->altstack_size && on_altstack(t, sp))
		return;
	if (s->flags & SS_DISABLE) {
		t->altstack_sp = t->altstack_size = 0;
		t->altstack_flags = SS_DISABLE;
	} else if (s->size >= MINSIGSTKSZ) {
		t->altstack_sp = s->sp;
		t->altstack_size = s->size;
		t->altstack_flags = (u32)s->flags & SS_AUTODISARM;
	}
}

long signal_return(struct trapframe *tf)
{
	u64 frame = tf->x[REG_SP];
	struct user_ucontext_head uc;

	current_task()->restart.fn = NULL;
	if ((frame & 15) || !user_range_ok(frame, FRAME_SIZE) ||
	    copy_from_user(&uc, (void __user *)(frame + FRAME_UC), sizeof(uc)) ||
	    restore_fp(frame) ||
	    copy_from_user(tf->x, (void __user *)(frame + FRAME_REGS), sizeof(tf->x))) {
		signal_force(SIGSEGV, SI_KERNEL, 0);
		return 0;
	}
	signal_set_blocked(uc.mask);
	restore_altstack(&uc.stack, tf->x[REG_SP]);
	tf->syscall_nr = -1;
	thread_flag_set(current(), TIF_RESTORE_ALL);
	return (long)tf->x[REG_A0];
}

/* ---- interrupted system calls ---- */

/* a: the handler about to run, NULL: none. */
static void settle_restart(struct trapframe *tf, const struct k_sigaction *a)
{
	s64 ret = (s64)tf->x[REG_A0];
	bool restart;

	if (tf->syscall_nr < 0)
		return;
	switch (ret) {
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		restart = !a;
		break;
	case -ERESTARTSYS:
		restart = !a || (a->flags & SA_RESTART);
		break;
	case -ERESTARTNOINTR:
		restart = true;
		break;
	default:
		return;
	}
	tf->syscall_nr = -1;
	if (!restart) {
		tf->x[REG_A0] = (u64)-EINTR;
		return;
	}
	tf->x[REG_PC] -= 4; /* ecall has no compressed form */
	tf->x[REG_A0] = tf->orig_a0;
	if (ret == -ERESTART_RESTARTBLOCK)
		tf->x[REG_A7] = 128; /* restart_syscall */
}

/* ---- delivery ---- */

static void tell_parent(struct process *p, int code, int status)
{
	mutex_lock(&proc_tree_lock);
	notify_parent_stop(p, code, status);
	mutex_unlock(&proc_tree_lock);
}

/* Every thread of a stopping process ends up here and sleeps until SIGCONT or death. */
static void stop_here(struct process *p)
{
	u64 flags = spin_lock_irq(&p->sig_lock);
	bool last;
	int sig = p->stop_sig;

	if (!p->group_stop) {
		spin_unlock_irq(&p->sig_lock, flags);
		return;
	}
	p->nstopped++;
	last = p->nstopped == p->ntasks && !p->stopped;
	if (last) {
		p->stopped = p->stop_report = true;
		p->cont_report = false;
	}
	spin_unlock_irq(&p->sig_lock, flags);
	if (last)
		tell_parent(p, CLD_STOPPED, sig);
	(void)wait_event_until(&p->stop_wait, !READ_ONCE(p->group_stop), WAIT_KILL, 0);
	flags = spin_lock_irq(&p->sig_lock);
	p->nstopped--;
	spin_unlock_irq(&p->sig_lock, flags);
}

static void stop_begin(struct process *p, int sig)
{
	struct task *t;
	u64 flags = spin_lock_irq(&p->sig_lock);

	if (!p->exiting && !p->group_stop) {
		p->group_stop = true;
		p->stop_sig = sig;
		list_for_each(t, &p->tasks, proc_link) {
			thread_flag_set(t->thread, TIF_SIGNAL);
			thread_kick(t->thread, false);
		}
	}
	spin_unlock_irq(&p->sig_lock, flags);
}

static bool group_is_orphaned(struct process *p)
{
	bool orphaned;

	mutex_lock(&proc_tree_lock);
	orphaned = pgrp_is_orphaned(p->pgrp, NULL);
	mutex_unlock(&proc_tree_lock);
	return orphaned;
}

/* At most ten lines in five seconds: a test that dies a thousand times is not a thousand lines. */
static void report_death(const struct trapframe *tf, int sig, const struct siginfo_k *info)
{
	static u64 window, lines;
	u64 now = time_now();

	if (!(SIGBIT(sig) & (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGFPE))) ||
	    info->code <= 0)
		return;
	if (now - READ_ONCE(window) > 5 * NSEC_PER_SEC) {
		window = now;
		lines = 0;
	}
	if (__atomic_fetch_add(&lines, 1, __ATOMIC_RELAXED) >= 10)
		return;
	kprintf("%s[%d]: unhandled signal %d code %#x at %#lx: pc %#lx ra %#lx sp %#lx\n",
		current()->name, current()->tid, sig, info->code, info->fault.addr, tf->x[REG_PC],
		tf->x[REG_RA], tf->x[REG_SP]);
}

static void act_by_default(struct trapframe *tf, int sig, const struct siginfo_k *info)
{
	struct process *p = current_proc();

	if (SIG_DFL_IGNORED & SIGBIT(sig))
		return;
	if (SIG_STOPS & SIGBIT(sig)) {
		if (sig == SIGSTOP || !group_is_orphaned(p))
			stop_begin(p, sig);
		return;
	}
	report_death(tf, sig, info);
	proc_exit_group(sig);
}

static void run_handler(struct trapframe *tf, int sig, const struct k_sigaction *a,
			const struct siginfo_k *info)
{
	struct task *t = current_task();
	sigset_t oldmask = t->blocked, mask = a->mask;

	settle_restart(tf, a);
	if (READ_ONCE(t->thread->flags) & TIF_RESTORE_MASK) {
		thread_flag_clear(t->thread, TIF_RESTORE_MASK);
		oldmask = t->saved_mask;
	}
	if (signal_setup_frame(tf, sig, a, info, oldmask)) {
		if (sig == SIGSEGV) {
			struct k_sigaction dfl = {.handler = SIG_DFL};

			(void)signal_action(SIGSEGV, &dfl, NULL);
		}
		signal_force(SIGSEGV, SI_KERNEL, 0);
		return;
	}
	if (!(a->flags & SA_NODEFER))
		mask |= SIGBIT(sig);
	signal_set_blocked(t->blocked | mask);
}

/* Takes one signal; 0 when none is left, -1 to look again. */
static int next_signal(struct task *t, struct siginfo_k *info, struct k_sigaction *a)
{
	struct process *p = t->proc;
	u64 flags = spin_lock_irq(&p->sig_lock);
	bool cont = p->cont_notify, stop = p->group_stop;
	int sig = 0;

	p->cont_notify = false;
	if (!stop) {
		sig = sigqueue_take(t, ~t->blocked, info);
		if (sig) {
			*a = sighand_get(p, sig);
			if (a->handler > SIG_IGN && (a->flags & SA_RESETHAND)) {
				struct k_sigaction reset = {.flags = a->flags, .mask = a->mask};

				sighand_set(p, sig, &reset);
			}
			if (a->handler == SIG_DFL && p->unkillable)
				a->handler = SIG_IGN;
		}
		signal_recalc(t);
	}
	spin_unlock_irq(&p->sig_lock, flags);
	if (cont)
		tell_parent(p, CLD_CONTINUED, SIGCONT);
	if (stop)
		stop_here(p);
	return stop ? -1 : sig;
}

static void no_signal_left(struct trapframe *tf, struct task *t)
{
	settle_restart(tf, NULL);
	if (READ_ONCE(t->thread->flags) & TIF_RESTORE_MASK) {
		thread_flag_clear(t->thread, TIF_RESTORE_MASK);
		signal_set_blocked(t->saved_mask);
	}
}

void signal_deliver(struct trapframe *tf)
{
	struct task *t = current_task();
	struct siginfo_k info;
	struct k_sigaction a;
	int sig;

	while (READ_ONCE(t->thread->flags) & (TIF_SIGNAL | TIF_EXIT)) {
		if (READ_ONCE(t->thread->flags) & TIF_EXIT)
			task_exit(0);
		sig = next_signal(t, &info, &a);
		if (sig < 0)
			continue;
		if (sig == 0)
			break;
		if (a.handler == SIG_IGN)
			continue;
		if (a.handler == SIG_DFL)
			act_by_default(tf, sig, &info);
		else
			run_handler(tf, sig, &a, &info);
	}
	no_signal_left(tf, t);
}
