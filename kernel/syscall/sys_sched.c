// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls about scheduling, and riscv_hwprobe.  SCHED_BATCH and SCHED_IDLE are kept and run as SCHED_OTHER.
 */
#include "kernel/riscv/hart.h"
#include "kernel/riscv/isa.h"
#include "kernel/syscall/args.h"
#include "sbi/sbi.h"

#define SCHED_RESET_ON_FORK 0x40000000u
enum { PRIO_PROCESS, PRIO_PGRP, PRIO_USER };

SYSCALL0(sched_yield)
{
	sched_yield();
	return 0;
}

/* Calls fn on the living task tid (0: current) with its process's sig_lock held. */
static long with_task(s32 tid, long (*fn)(struct task *t, u64 arg), u64 arg)
{
	struct task *t;
	long ret = -ESRCH;
	u64 flags;

	if (tid < 0)
		return -EINVAL;
	t = task_find(tid ? tid : current()->tid);
	if (!t)
		return -ESRCH;
	flags = spin_lock_irq(&t->proc->sig_lock);
	if (!t->exiting)
		ret = fn(t, arg);
	spin_unlock_irq(&t->proc->sig_lock, flags);
	task_drop(t);
	return ret;
}

static bool may_change(struct task *t)
{
	const struct cred *me = current_cred(), *c = t->proc->cred;

	return me->euid == c->uid || me->euid == c->euid || capable(CAP_SYS_NICE);
}

static long read_affinity(struct task *t, u64 arg)
{
	*(u64 *)arg = t->thread->affinity & harts_online();
	return 0;
}

SYSCALL3(sched_getaffinity, pid, len, umask)
{
	u64 mask = 0;
	long err;

	if ((len & 7) || len * 8 < nharts)
		return -EINVAL;
	err = with_task((s32)pid, read_affinity, (u64)&mask);
	if (err)
		return err;
	return copy_to_user((void __user *)umask, &mask, 8) ? -EFAULT : 8;
}

static long may_set(struct task *t, u64 arg)
{
	(void)arg;
	return may_change(t) ? 0 : -EPERM;
}

static long write_affinity(struct task *t, u64 mask)
{
	return sched_set_affinity(t->thread, mask);
}

SYSCALL3(sched_setaffinity, pid, len, umask)
{
	u64 mask = 0;
	long err;

	if (copy_from_user(&mask, (void __user *)umask, MIN(len, 8UL)))
		return -EFAULT;
	err = with_task((s32)pid, may_set, 0);
	if (err)
		return err;
	mask &= harts_online();
	if (!mask)
		return -EINVAL;
	if (!(s32)pid || (s32)pid == current()->tid)
		return sched_set_affinity(current(), mask);
	return with_task((s32)pid, write_affinity, mask);
}

struct sched_attr_k { /* struct sched_attr, its first version */
	u32 size, policy;
	u64 flags;
	s32 nice;
	u32 priority;
	u64 runtime, deadline, period;
};
BUILD_ASSERT(sizeof(struct sched_attr_k) == 48);

#define ATTR_RESET_ON_FORK 1u

static long read_attr(struct task *t, u64 arg)
{
	struct sched_attr_k *a = (struct sched_attr_k *)arg;
	const struct thread *th = t->thread;

	*a = (struct sched_attr_k){.size = sizeof(*a),
				   .policy = th->policy,
				   .flags = th->reset_on_fork ? ATTR_RESET_ON_FORK : 0,
				   .nice = th->rt_prio ? 0 : th->nice,
				   .priority = th->rt_prio};
	return 0;
}

static bool policy_is_rt(u32 policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static int check_attr(const struct sched_attr_k *a)
{
	if (policy_is_rt(a->policy))
		return a->priority < 1 || a->priority > 99 ? -EINVAL : 0;
	if (a->policy != SCHED_OTHER && a->policy != SCHED_BATCH && a->policy != SCHED_IDLE)
		return -EINVAL;
	return a->priority ? -EINVAL : 0;
}

/* Without CAP_SYS_NICE: one's own, no more urgent than now or than RLIMIT_RTPRIO allows. */
static int may_set_attr(struct task *t, const struct sched_attr_k *a)
{
	const struct thread *th = t->thread;

	if (capable(CAP_SYS_NICE))
		return 0;
	if (!may_change(t) || (th->reset_on_fork && !(a->flags & ATTR_RESET_ON_FORK)))
		return -EPERM;
	if (policy_is_rt(a->policy)) {
		u64 limit = t->proc->rlim[RLIMIT_RTPRIO].cur;

		if (a->policy != th->policy && !limit)
			return -EPERM;
		if (a->priority > th->rt_prio && a->priority > limit)
			return -EPERM;
	}
	if (th->policy == SCHED_IDLE && a->policy != SCHED_IDLE && th->nice < 0)
		return -EPERM;
	return 0;
}

static long write_attr(struct task *t, u64 arg)
{
	const struct sched_attr_k *a = (const struct sched_attr_k *)arg;
	int err = may_set_attr(t, a);

	if (err)
		return err;
	t->thread->reset_on_fork = a->flags & ATTR_RESET_ON_FORK;
	sched_set_policy(t->thread, (int)a->policy, (int)a->priority);
	return 0;
}

SYSCALL1(sched_getscheduler, pid)
{
	struct sched_attr_k a = {0};
	long err = with_task((s32)pid, read_attr, (u64)&a);

	return err ? err
		   : (long)(a.policy | (a.flags & ATTR_RESET_ON_FORK ? SCHED_RESET_ON_FORK : 0));
}

SYSCALL3(sched_setscheduler, pid, policy, uparam)
{
	struct sched_attr_k a = {.policy = (u32)policy & ~SCHED_RESET_ON_FORK};
	int err;

	if (!uparam || (s32)pid < 0 || (s32)policy < 0)
		return -EINVAL;
	if (get_user_u32(&a.priority, (u32 __user *)uparam))
		return -EFAULT;
	a.flags = policy & SCHED_RESET_ON_FORK ? ATTR_RESET_ON_FORK : 0;
	err = check_attr(&a);
	return err ? err : with_task((s32)pid, write_attr, (u64)&a);
}

SYSCALL2(sched_setparam, pid, uparam)
{
	struct sched_attr_k a;
	u32 prio;
	long err;

	if (!uparam || (s32)pid < 0)
		return -EINVAL;
	if (get_user_u32(&prio, (u32 __user *)uparam))
		return -EFAULT;
	err = with_task((s32)pid, read_attr, (u64)&a);
	if (err)
		return err;
	a.priority = prio;
	err = check_attr(&a);
	return err ? err : with_task((s32)pid, write_attr, (u64)&a);
}

SYSCALL2(sched_getparam, pid, uparam)
{
	struct sched_attr_k a = {0};
	long err = uparam ? with_task((s32)pid, read_attr, (u64)&a) : -EINVAL;

	return err ? err : put_user_u32(a.priority, (u32 __user *)uparam);
}

/* nice of the attributes too, for policies that have one */
static long write_attr_nice(struct task *t, u64 arg)
{
	const struct sched_attr_k *a = (const struct sched_attr_k *)arg;
	s32 nice = MAX(MIN(a->nice, 19), -20);
	long err;

	if (!policy_is_rt(a->policy) && nice < t->thread->nice && !capable(CAP_SYS_NICE))
		return -EPERM;
	err = write_attr(t, arg);
	if (!err && !policy_is_rt(a->policy))
		sched_set_nice(t->thread, nice);
	return err;
}

SYSCALL3(sched_setattr, pid, uattr, flags)
{
	struct sched_attr_k a = {0};
	u32 size;
	int err;

	if (!uattr || (s32)pid < 0 || flags)
		return -EINVAL;
	if (get_user_u32(&size, (u32 __user *)uattr))
		return -EFAULT;
	if (size && size < sizeof(a))
		return put_user_u32(sizeof(a), (u32 __user *)uattr) ? -EFAULT : -E2BIG;
	if (copy_from_user(&a, (void __user *)uattr, sizeof(a)))
		return -EFAULT;
	if (a.flags & ~(u64)ATTR_RESET_ON_FORK)
		return -EINVAL;
	err = check_attr(&a);
	return err ? err : with_task((s32)pid, write_attr_nice, (u64)&a);
}

SYSCALL4(sched_getattr, pid, uattr, size, flags)
{
	struct sched_attr_k a = {0};
	long err;

	if (!uattr || (s32)pid < 0 || size < sizeof(a) || size > PAGE_SIZE || flags)
		return -EINVAL;
	err = with_task((s32)pid, read_attr, (u64)&a);
	return err ? err : copy_to_user((void __user *)uattr, &a, sizeof(a));
}

static long priority_limit(int policy, long rt)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return rt;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return 0;
	default:
		return -EINVAL;
	}
}

SYSCALL1(sched_get_priority_max, policy)
{
	return priority_limit((int)policy, 99);
}

SYSCALL1(sched_get_priority_min, policy)
{
	return priority_limit((int)policy, 1);
}

static long read_slice(struct task *t, u64 arg)
{
	*(s64 *)arg = (s64)sched_timeslice(t->thread);
	return 0;
}

SYSCALL2(sched_rr_get_interval, pid, uts)
{
	struct timespec_k ts = {0};
	long err = with_task((s32)pid, read_slice, (u64)&ts.nsec);

	return err ? err : copy_to_user((void __user *)uts, &ts, sizeof(ts));
}

/* ---- nice ---- */

static long read_nice(struct task *t, u64 arg)
{
	s64 *best = (s64 *)arg;

	*best = MIN(*best, (s64)t->thread->nice);
	return 0;
}

static long write_nice(struct task *t, u64 arg)
{
	s64 nice = (s64)arg;

	if (!may_change(t))
		return -EPERM;
	if (nice < t->thread->nice && !capable(CAP_SYS_NICE))
		return -EACCES;
	sched_set_nice(t->thread, (int)nice);
	return 0;
}

static bool process_selected(struct process *p, int which, s32 who)
{
	if (which == PRIO_PGRP)
		return proc_getpgid(p->pid) == (who ? who : proc_getpgid(0));
	return READ_ONCE(p->cred)->uid == (who ? (u32)who : current_cred()->uid);
}

/* All threads of the processes that which/who name; the last error, -ESRCH if there are none. */
static long for_selected(int which, s32 who, long (*fn)(struct task *t, u64 arg), u64 arg)
{
	long ret = -ESRCH;
	s32 pid = 0;

	if (which == PRIO_PROCESS)
		return who < 0 ? -ESRCH : with_task(who, fn, arg);
	while ((pid = proc_next_pid(pid + 1)) > 0) {
		struct process *p = proc_find(pid);
		s32 tid = 0;

		if (!p)
			continue;
		while (process_selected(p, which, who) && (tid = proc_next_tid(p, tid + 1)) > 0) {
			long r = with_task(tid, fn, arg);

			ret = ret == -ESRCH || r != 0 ? r : ret;
		}
		proc_drop(p);
	}
	return ret;
}

SYSCALL2(getpriority, which, who)
{
	s64 best = 20;
	long err;

	if ((u32)which > PRIO_USER)
		return -EINVAL;
	err = for_selected((int)which, (s32)who, read_nice, (u64)&best);
	return err ? err : 20 - best;
}

SYSCALL3(setpriority, which, who, unice)
{
	s64 nice = (s32)unice;

	if ((u32)which > PRIO_USER)
		return -EINVAL;
	nice = MAX(MIN(nice, 19L), -20L);
	return for_selected((int)which, (s32)who, write_nice, (u64)nice);
}

/* ---- riscv_hwprobe (Documentation/arch/riscv/hwprobe.rst) ---- */

enum {
	HWPROBE_KEY_MVENDORID,
	HWPROBE_KEY_MARCHID,
	HWPROBE_KEY_MIMPID,
	HWPROBE_KEY_BASE_BEHAVIOR,
	HWPROBE_KEY_IMA_EXT_0,
	HWPROBE_KEY_CPUPERF_0,
	HWPROBE_KEY_ZICBOZ_BLOCK_SIZE,
	HWPROBE_KEY_HIGHEST_VIRT_ADDRESS,
	HWPROBE_KEY_TIME_CSR_FREQ,
	HWPROBE_KEY_MISALIGNED_SCALAR_PERF
};
#define HWPROBE_BASE_IMA	    1
#define HWPROBE_IMA_FD		    1
#define HWPROBE_IMA_C		    2
#define HWPROBE_EXT_ZBA		    (1 << 3)
#define HWPROBE_EXT_ZBB		    (1 << 4)
#define HWPROBE_EXT_ZBS		    (1 << 5)
#define HWPROBE_MISALIGNED_EMULATED 1
#define HWPROBE_PAIRS_MAX	    4096

struct hwprobe_pair {
	s64 key;
	u64 value;
};

static u64 ima_extensions(void)
{
	static u64 cached;
	u64 v = __atomic_load_n(&cached, __ATOMIC_RELAXED);

	if (v)
		return v;
	v = HWPROBE_IMA_FD | HWPROBE_IMA_C;
	if (isa_has("zba"))
		v |= HWPROBE_EXT_ZBA;
	if (isa_has("zbb"))
		v |= HWPROBE_EXT_ZBB;
	if (isa_has("zbs"))
		v |= HWPROBE_EXT_ZBS;
	__atomic_store_n(&cached, v, __ATOMIC_RELAXED);
	return v;
}

static void probe(struct hwprobe_pair *p)
{
	struct sbiret r;

	switch (p->key) {
	case HWPROBE_KEY_MVENDORID:
	case HWPROBE_KEY_MARCHID:
	case HWPROBE_KEY_MIMPID:
		r = sbi_call(0x10, 4 + (u64)p->key, 0, 0, 0, 0, 0);
		p->value = r.error ? ~0UL : (u64)r.value;
		break;
	case HWPROBE_KEY_BASE_BEHAVIOR:
		p->value = HWPROBE_BASE_IMA;
		break;
	case HWPROBE_KEY_IMA_EXT_0:
		p->value = ima_extensions();
		break;
	case HWPROBE_KEY_CPUPERF_0:
	case HWPROBE_KEY_MISALIGNED_SCALAR_PERF:
		p->value = HWPROBE_MISALIGNED_EMULATED;
		break;
	case HWPROBE_KEY_ZICBOZ_BLOCK_SIZE:
		p->value = 0;
		break;
	case HWPROBE_KEY_HIGHEST_VIRT_ADDRESS:
		p->value = USER_END - 1;
		break;
	case HWPROBE_KEY_TIME_CSR_FREQ:
		p->value = time_freq();
		break;
	default:
		p->key = -1;
		p->value = 0;
	}
}

SYSCALL5(riscv_hwprobe, upairs, count, cpusetsize, ucpus, flags)
{
	if (flags || (!cpusetsize != !ucpus))
		return -EINVAL; /* RISCV_HWPROBE_WHICH_CPUS is not offered; all harts are alike */
	if (count > HWPROBE_PAIRS_MAX)
		return -EINVAL;
	for (u64 i = 0; i < count; i++) {
		struct hwprobe_pair p;
		struct hwprobe_pair __user *at = (struct hwprobe_pair __user *)upairs + i;

		if (copy_from_user(&p, at, sizeof(p)))
			return -EFAULT;
		probe(&p);
		if (copy_to_user(at, &p, sizeof(p)))
			return -EFAULT;
	}
	return 0;
}
