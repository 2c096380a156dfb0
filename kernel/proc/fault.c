// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where traps and the layers below reach processes: page faults, other exceptions, the way back to user mode, hooks of
 * the scheduler and of the VFS.
 *
 * Hooks run as the thread concerned unless said otherwise; no locks are held.
 */
#include "kernel/proc/proc_internal.h"

#include "kernel/mem/slab.h"

static void user_fault(struct trapframe *tf __unused, int sig, int code, u64 addr)
{
	signal_force(sig, code, addr);
}

/* Memory is at its end: somebody dies.  If it is not us, the access is tried again. */
static int fault_without_memory(void)
{
	if (kmem_failed())
		return 0; /* there is memory: the failure was asked for */
	return proc_oom_kill() ? 0 : -EINTR;
}

/* Out of the way of faults that are resolved. */
static __attribute__((noinline)) int page_fault_failed(int err, u64 addr, bool user, int sig,
						       int code)
{
	if (err == -ENOMEM)
		err = fault_without_memory();
	if (err && err != -EINTR && user)
		signal_force(sig, code, addr);
	return err;
}

static int page_fault(struct trapframe *tf, u64 addr, unsigned access, bool user)
{
	struct thread *th = current();
	struct task *t = th->proc_data;
	int sig = SIGSEGV, code = SEGV_MAPERR, err = -EFAULT;

	(void)tf;
	if (!t)
		return -EFAULT;
	t->minflt++;
	if (addr < USER_END)
		err = vm_fault(th->map, addr, access, &sig, &code);
	return likely(!err) ? 0 : page_fault_failed(err, addr, user, sig, code);
}

static bool signal_pending_hook(struct thread *t, enum wait_how how)
{
	u32 flags = READ_ONCE(t->flags);

	if (how == WAIT_UNINTR)
		return false;
	return flags & (how == WAIT_KILL ? TIF_EXIT : TIF_EXIT | TIF_SIGNAL);
}

static void thread_free(struct thread *t)
{
	struct task *task = t->proc_data;

	t->proc_data = NULL;
	if (task)
		task_drop(task);
}

static u64 fsize_limit(void)
{
	return current_proc() ? proc_rlimit(RLIMIT_FSIZE) : RLIM_INFINITY;
}

static void raise_signal(int sig)
{
	struct siginfo_k info = {.signo = sig, .code = SI_USER};

	if (!current_proc())
		return;
	info.rt.pid = current_proc()->pid;
	info.rt.uid = current_cred()->uid;
	(void)signal_task(current_task(), sig, &info);
}

static void signal_process(s32 pid, int sig)
{
	struct process *p = proc_find(pid);

	if (!p)
		return;
	(void)signal_proc(p, sig, NULL);
	proc_drop(p);
}

static const struct cred *cred_hook(void)
{
	return current_proc() ? current_cred() : init_process->cred;
}

void proc_set_syscall_handler(void (*fn)(struct trapframe *tf))
{
	const struct trap_hooks traps = {
		.syscall = fn,
		.user_fault = user_fault,
		.page_fault = page_fault,
		.notify = signal_deliver,
	};

	trap_set_hooks(&traps);
}

static u64 lock_limit(void)
{
	return !current_proc() || capable(CAP_IPC_LOCK) ? ~0UL : proc_rlimit(RLIMIT_MEMLOCK);
}

static bool low_addresses(void)
{
	return !current_proc() || capable(CAP_SYS_RAWIO);
}

void trap_hooks_init(void)
{
	static const struct sched_hooks sched = {
		.switch_map = vm_map_activate,
		.thread_free = thread_free,
		.signal_pending = signal_pending_hook,
		.tick = proc_cpu_tick,
	};
	static const struct vfs_hooks vfs = {
		.fsize_limit = fsize_limit,
		.raise = raise_signal,
		.signal = signal_process,
		.cred = cred_hook,
	};

	static const struct vm_caller_hooks caller = {
		.lock_limit = lock_limit,
		.low_addresses = low_addresses,
	};

	vm_set_caller_hooks(&caller);
	sched_set_hooks(&sched);
	vfs_set_hooks(&vfs);
}
