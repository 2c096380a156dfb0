// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls about processes: making, running, ending, waiting, groups, limits, prctl.  Arguments are checked and copied
 * here; kernel/proc does the work.
 */
#include "drivers/core/power.h"
#include "kernel/boot/init.h"
#include "kernel/riscv/hart.h"
#include "kernel/syscall/args.h"
#include "kernel/syscall/pidfd.h"

static void register_dispatch(void)
{
	proc_set_syscall_handler(syscall_dispatch);
}
INITCALL(FS, register_dispatch);

/* ---- clone ---- */

static void make_pidfd(struct process *p, void *arg)
{
	*(struct file **)arg = pidfd_file(p, 0);
}

/* CLONE_PIDFD: the descriptor's number is written before there is a child, its file put in after. */
static long clone_pidfd(const struct clone_args_k *a)
{
	struct fdtable *t = current_proc()->fds;
	struct file *f = NULL;
	long tid;
	int fd = fd_reserve(t, 0, true, proc_rlimit(RLIMIT_NOFILE));

	if (fd < 0)
		return fd;
	tid = put_user_u32((u32)fd, (u32 __user *)a->pidfd) ? -EFAULT
							    : proc_clone(a, make_pidfd, &f);
	if (f)
		fd_install(t, fd, f);
	else
		fd_unreserve(t, fd);
	return tid;
}

static long do_clone(const struct clone_args_k *a)
{
	if (!(a->flags & CLONE_PIDFD))
		return proc_clone(a, NULL, NULL);
	if (a->flags & (CLONE_THREAD | CLONE_DETACHED))
		return -EINVAL;
	return clone_pidfd(a);
}

SYSCALL5(clone, flags, stack, parent_tid, tls, child_tid)
{
	struct clone_args_k a = {
		.flags = (u32)flags & ~0xffUL,
		.exit_signal = flags & 0xff,
		.stack = stack,
		.parent_tid = parent_tid,
		.tls = tls,
		.child_tid = child_tid,
		.pidfd = parent_tid,
	};

	if ((flags & CLONE_PIDFD) && (flags & CLONE_PARENT_SETTID))
		return -EINVAL; /* both want the same word */
	return do_clone(&a);
}

#define CLONE_ARGS_SIZE_MIN 64
#define CLONE3_FLAGS	    (0x3ffffffffUL & ~(CLONE_DETACHED | 0xffUL))

/* struct clone_args of a later version may be longer: the rest must be zero. */
static int copy_versioned(void *dst, size_t size, u64 src, u64 usize)
{
	u8 more;

	memset(dst, 0, size);
	if (copy_from_user(dst, (void __user *)src, MIN(size, usize)))
		return -EFAULT;
	for (u64 i = size; i < usize; i++) {
		if (copy_from_user(&more, (u8 __user *)src + i, 1))
			return -EFAULT;
		if (more)
			return -E2BIG;
	}
	return 0;
}

static int check_clone3(const struct clone_args_k *a)
{
	if ((a->flags & ~CLONE3_FLAGS) || a->exit_signal > NSIG)
		return -EINVAL;
	if ((a->flags & (CLONE_THREAD | CLONE_PARENT)) && a->exit_signal)
		return -EINVAL;
	if (!a->stack != !a->stack_size)
		return -EINVAL;
	if (a->stack && !user_range_ok(a->stack, a->stack_size))
		return -EINVAL;
	return 0;
}

SYSCALL2(clone3, uargs, size)
{
	struct {
		struct clone_args_k a;
		u64 set_tid, set_tid_size, cgroup;
	} args;
	int err;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_MIN)
		return -EINVAL;
	err = copy_versioned(&args, sizeof(args), uargs, size);
	if (!err && (args.set_tid || args.set_tid_size || args.cgroup))
		err = -EINVAL;
	if (!err)
		err = check_clone3(&args.a);
	return err ? err : do_clone(&args.a);
}

#define UNSHARE_NOTHING (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_SYSVSEM)

/* Nothing that can be unshared here is shared between processes but through CLONE_FS and CLONE_FILES. */
SYSCALL1(unshare, flags)
{
	if (flags & ~(CLONE_FS | CLONE_FILES | UNSHARE_NOTHING | CLONE_NAMESPACES | CLONE_NEWTIME))
		return -EINVAL;
	if (flags & (CLONE_NAMESPACES | CLONE_NEWTIME))
		return capable(CAP_SYS_ADMIN) || (flags & CLONE_NEWUSER) ? -EINVAL : -EPERM;
	if ((flags & (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)) &&
	    READ_ONCE(current_proc()->ntasks) > 1)
		return -EINVAL;
	return proc_unshare(flags & CLONE_FILES, flags & CLONE_FS);
}

/* ---- exec ---- */

static bool is_symlink(const struct lookup_ctx *ctx, const char *path)
{
	struct path p;
	bool is;

	if (path_lookup(ctx, path, 0, &p))
		return false;
	is = (path_vnode(&p)->mode & S_IFMT) == S_IFLNK;
	path_put(&p);
	return is;
}

static long do_exec(u64 dirfd, u64 upath, u64 argv, u64 envp, u64 flags)
{
	struct exec_args x = {.argv = argv, .envp = envp};
	struct at_path path;
	char name[24];
	int err;

	if (flags & ~(u64)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	err = at_path_get(&path, dirfd, upath, flags & AT_EMPTY_PATH);
	if (err)
		return err;
	x.path = path.path.str;
	x.at = path.file;
	x.lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
		   (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	if (!*x.path) {
		ksnprintf(name, sizeof(name), "/dev/fd/%d", (int)dirfd);
		x.name = name;
	}
	err = proc_exec(&x);
	if (err == -EACCES && !(x.lookup & LOOKUP_FOLLOW) && is_symlink(&path.ctx, x.path))
		err = -ELOOP;
	at_path_put(&path);
	return err;
}

SYSCALL3(execve, path, argv, envp)
{
	return do_exec((u64)AT_FDCWD, path, argv, envp, 0);
}

SYSCALL5(execveat, dirfd, path, argv, envp, flags)
{
	return do_exec(dirfd, path, argv, envp, flags);
}

/* ---- ending and waiting ---- */

SYSCALL1(exit, code)
{
	task_exit((int)code);
}

SYSCALL1(exit_group, code)
{
	proc_exit_group((int)(code & 0xff) << 8);
}

SYSCALL4(wait4, upid, ustatus, options, uru)
{
	s32 pid = (s32)upid;
	int which = pid < -1 || pid == 0 ? P_PGID : pid == -1 ? P_ALL : P_PID;
	struct wait_result r;
	int err;

	if ((u32)options &
	    ~(u32)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	err = proc_wait(which, pid < 0 ? -pid : pid, (int)options | WEXITED, &r);
	if (err || !r.pid)
		return err;
	if (ustatus && put_user_u32((u32)r.status, (u32 __user *)ustatus))
		return -EFAULT;
	if (uru && copy_to_user((void __user *)uru, &r.ru, sizeof(r.ru)))
		return -EFAULT;
	return r.pid;
}

static int put_waitid_info(u64 uinfo, const struct wait_result *r)
{
	struct siginfo_k info = {0};

	if (r->pid) {
		info.signo = SIGCHLD;
		info.code = r->code;
		info.chld.pid = r->pid;
		info.chld.uid = r->uid;
		info.chld.status = r->code == CLD_EXITED || r->code == CLD_STOPPED
					   ? r->status >> 8 & 0xff
				   : r->code == CLD_CONTINUED ? SIGCONT
							      : r->status & 0x7f;
	}
	return uinfo ? siginfo_to_user(uinfo, &info) : 0;
}

SYSCALL5(waitid, which, id, uinfo, options, uru)
{
	struct wait_result r = {0};
	int err;

	if ((u32)options & ~(u32)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED |
				  __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	if (which == P_PIDFD) {
		s32 pid = pidfd_pid(id);

		if (pid < 0)
			return pid;
		which = P_PID;
		id = (u64)pid;
	}
	if (which > P_PGID || (which == P_PID && (s32)id <= 0) || (which == P_PGID && (s32)id < 0))
		return -EINVAL;
	err = proc_wait((int)which, (s32)id, (int)options, &r);
	if (err)
		return err;
	if (uru && r.pid && copy_to_user((void __user *)uru, &r.ru, sizeof(r.ru)))
		return -EFAULT;
	return put_waitid_info(uinfo, &r);
}

/* ---- ids ---- */

SYSCALL0(getpid)
{
	return current_proc()->pid;
}

SYSCALL0(gettid)
{
	return current()->tid;
}

SYSCALL0(getppid)
{
	return proc_getppid(current_proc());
}

SYSCALL1(set_tid_address, addr)
{
	current_task()->clear_child_tid = addr;
	return current()->tid;
}

SYSCALL2(set_robust_list, head, len)
{
	if (len != 24)
		return -EINVAL;
	current_task()->robust_list = head;
	return 0;
}

SYSCALL3(get_robust_list, tid, uhead, ulen)
{
	struct task *t = (s32)tid ? task_find((s32)tid) : current_task();
	u64 head;
	int err;

	if (!t)
		return -ESRCH;
	head = t->robust_list;
	err = t->proc == current_proc() || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
	if ((s32)tid)
		task_drop(t);
	if (err)
		return err;
	if (put_user_u64(24, (u64 __user *)ulen) || put_user_u64(head, (u64 __user *)uhead))
		return -EFAULT;
	return 0;
}

SYSCALL2(setpgid, pid, pgid)
{
	return proc_setpgid((s32)pid, (s32)pgid);
}

SYSCALL1(getpgid, pid)
{
	return (s32)pid < 0 ? -ESRCH : proc_getpgid((s32)pid);
}

SYSCALL1(getsid, pid)
{
	return (s32)pid < 0 ? -ESRCH : proc_getsid((s32)pid);
}

SYSCALL0(setsid)
{
	return proc_setsid();
}

/* ---- limits and usage ---- */

static int rlimit_of(struct process *p, int which, u64 unew, u64 uold)
{
	struct rlimit new, old;
	int err;

	if (unew && copy_from_user(&new, (void __user *)unew, sizeof(new)))
		return -EFAULT;
	err = proc_set_rlimit(p, which, unew ? &new : NULL, &old);
	if (!err && uold && copy_to_user((void __user *)uold, &old, sizeof(old)))
		err = -EFAULT;
	return err;
}

SYSCALL4(prlimit64, pid, which, unew, uold)
{
	struct process *p;
	int err;

	if (!(s32)pid)
		return rlimit_of(current_proc(), (int)which, unew, uold);
	p = proc_find((s32)pid);
	if (!p)
		return -ESRCH;
	err = p == current_proc() || capable(CAP_SYS_RESOURCE) ||
			      p->cred->uid == current_cred()->uid
		      ? 0
		      : -EPERM;
	if (!err)
		err = rlimit_of(p, (int)which, unew, uold);
	proc_drop(p);
	return err;
}

SYSCALL2(getrlimit, which, uold)
{
	return uold ? rlimit_of(current_proc(), (int)which, 0, uold) : -EFAULT;
}

SYSCALL2(setrlimit, which, unew)
{
	return unew ? rlimit_of(current_proc(), (int)which, unew, 0) : -EFAULT;
}

enum { RUSAGE_SELF = 0, RUSAGE_CHILDREN = -1, RUSAGE_THREAD = 1 };

static u64 own_maxrss(struct process *p)
{
	struct vm_map_stat st;

	vm_map_stat(p->map, &st);
	return MAX(p->maxrss, st.rss_peak);
}

SYSCALL2(getrusage, who, uru)
{
	struct process *p = current_proc();
	struct proc_times t;
	struct rusage_k ru;

	switch ((int)who) {
	case RUSAGE_SELF:
		proc_times(p, &t);
		proc_rusage(p, &t, own_maxrss(p), &ru);
		break;
	case RUSAGE_THREAD:
		task_times(current_task(), &t);
		proc_rusage(p, &t, own_maxrss(p), &ru);
		break;
	case RUSAGE_CHILDREN:
		proc_rusage(p, &p->children_time, p->children_maxrss, &ru);
		break;
	default:
		return -EINVAL;
	}
	return copy_to_user((void __user *)uru, &ru, sizeof(ru));
}

/* ---- prctl and personality ---- */

enum {
	PR_SET_PDEATHSIG = 1,
	PR_GET_PDEATHSIG,
	PR_GET_DUMPABLE,
	PR_SET_DUMPABLE,
	PR_SET_NAME = 15,
	PR_GET_NAME,
	PR_CAPBSET_READ = 23,
	PR_CAPBSET_DROP,
	PR_SET_TIMERSLACK = 29,
	PR_GET_TIMERSLACK,
	PR_SET_CHILD_SUBREAPER = 36,
	PR_GET_CHILD_SUBREAPER,
	PR_SET_NO_NEW_PRIVS,
	PR_GET_NO_NEW_PRIVS,
	PR_SET_VMA = 0x53564d41
};
#define PR_SET_VMA_ANON_NAME 0

static long prctl_set(int option, u64 arg)
{
	struct process *p = current_proc();
	struct task *t = current_task();

	switch (option) {
	case PR_SET_PDEATHSIG:
		if (arg > NSIG)
			return -EINVAL;
		t->pdeath_sig = (int)arg;
		return 0;
	case PR_SET_DUMPABLE:
		if (arg > 1)
			return -EINVAL;
		p->dumpable = arg;
		return 0;
	case PR_SET_TIMERSLACK:
		t->timer_slack = (s64)arg > 0 ? arg : t->default_slack;
		return 0;
	default:
		p->subreaper = arg != 0;
		return 0;
	}
}

static long prctl_name(int option, u64 arg)
{
	char name[16];
	ssize_t n;

	if (option == PR_GET_NAME)
		return copy_to_user((void __user *)arg, current()->name, sizeof(name));
	n = strncpy_from_user(name, (const char __user *)arg, sizeof(name));
	if (n < 0 && n != -ENAMETOOLONG)
		return n;
	name[15] = '\0';
	memset(current()->name, 0, sizeof(name));
	strlcpy(current()->name, name, sizeof(name));
	return 0;
}

/* The bounding set: what exec can never give again. */
static long drop_bound(u64 cap)
{
	struct cred *c;

	if (cap > CAP_LAST)
		return -EINVAL;
	if (!capable(CAP_SETPCAP))
		return -EPERM;
	c = cred_copy(current_cred());
	if (!c)
		return -ENOMEM;
	c->bound &= ~(1UL << cap);
	cred_commit(c);
	return 0;
}

SYSCALL5(prctl, option, arg2, arg3, arg4, arg5)
{
	struct task *t = current_task();

	switch ((int)option) {
	case PR_SET_PDEATHSIG:
	case PR_SET_DUMPABLE:
	case PR_SET_TIMERSLACK:
	case PR_SET_CHILD_SUBREAPER:
		return prctl_set((int)option, arg2);
	case PR_GET_PDEATHSIG:
		return put_user_u32((u32)t->pdeath_sig, (u32 __user *)arg2);
	case PR_GET_DUMPABLE:
		return t->proc->dumpable;
	case PR_SET_NAME:
	case PR_GET_NAME:
		return prctl_name((int)option, arg2);
	case PR_CAPBSET_READ:
		return arg2 > CAP_LAST ? -EINVAL : (long)(current_cred()->bound >> arg2 & 1);
	case PR_CAPBSET_DROP:
		return drop_bound(arg2);
	case PR_GET_TIMERSLACK:
		return (long)t->timer_slack;
	case PR_GET_CHILD_SUBREAPER:
		return put_user_u32(t->proc->subreaper, (u32 __user *)arg2);
	case PR_SET_NO_NEW_PRIVS:
		if (arg2 != 1 || arg3 || arg4 || arg5)
			return -EINVAL;
		t->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return arg2 || arg3 || arg4 || arg5 ? -EINVAL : t->no_new_privs;
	default: /* PR_SET_VMA too: as a Linux without CONFIG_ANON_VMA_NAME */
		return -EINVAL;
	}
}

SYSCALL1(personality, value)
{
	struct process *p = current_proc();
	u32 old = p->personality;

	if ((u32)value != 0xffffffff)
		p->personality = (u32)value;
	return old;
}

/* ---- machine ---- */

SYSCALL2(getcpu, ucpu, unode)
{
	u32 cpu;

	preempt_disable();
	cpu = current()->hart->index;
	preempt_enable();
	if (ucpu && put_user_u32(cpu, (u32 __user *)ucpu))
		return -EFAULT;
	if (unode && put_user_u32(0, (u32 __user *)unode))
		return -EFAULT;
	return 0;
}

static void fence_i(void *arg)
{
	(void)arg;
	__asm__ volatile("fence.i" ::: "memory");
}

SYSCALL3(riscv_flush_icache, start, end, flags)
{
	(void)start;
	(void)end;
	if (flags & ~1UL)
		return -EINVAL;
	harts_call(harts_online(), fence_i, NULL);
	return 0;
}

static void full_fence(void *arg)
{
	(void)arg;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

enum { MEMBARRIER_CMD_QUERY = 0, MEMBARRIER_CMD_GLOBAL = 1 };

SYSCALL3(membarrier, cmd, flags, cpu)
{
	(void)cpu;
	if (flags)
		return -EINVAL;
	switch ((int)cmd) {
	case MEMBARRIER_CMD_QUERY:
		return MEMBARRIER_CMD_GLOBAL;
	case MEMBARRIER_CMD_GLOBAL:
		harts_call(harts_online(), full_fence, NULL);
		return 0;
	default:
		return -EINVAL;
	}
}

SYSCALL4(rseq, area, len, flags, sig)
{
	(void)area, (void)len, (void)flags, (void)sig;
	return -ENOSYS;
}

#define REBOOT_MAGIC1 0xfee1deadu
enum {
	RB_HALT = 0xcdef0123,
	RB_POWER_OFF = 0x4321fedc,
	RB_RESTART = 0x01234567,
	RB_CAD_ON = 0x89abcdef,
	RB_CAD_OFF = 0
};

static bool reboot_magic2(u32 m)
{
	return m == 672274793 || m == 85072278 || m == 369367448 || m == 537993216;
}

SYSCALL4(reboot, magic1, magic2, ucmd, arg)
{
	u32 cmd = (u32)ucmd;

	(void)arg;
	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if ((u32)magic1 != REBOOT_MAGIC1 || !reboot_magic2((u32)magic2))
		return -EINVAL;
	if (cmd == RB_CAD_ON || cmd == (u32)RB_CAD_OFF)
		return 0;
	if (cmd != (u32)RB_HALT && cmd != RB_POWER_OFF && cmd != RB_RESTART)
		return -EINVAL;
	(void)vfs_sync_all(true);
	(void)vfs_unmount_all();
	kprintf("reboot: %s\n", cmd == RB_RESTART ? "restarting system" : "power down");
	if (cmd == RB_RESTART)
		power_reboot();
	power_off();
}
