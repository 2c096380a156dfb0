// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls about System V message queues, semaphores and shared memory: copying in and out for kernel/ipc.
 */
#include "kernel/ipc/ipc.h"
#include "kernel/syscall/args.h"

static long put(u64 to, const void *from, size_t n, long ret)
{
	if (ret < 0)
		return ret;
	return copy_to_user((void __user *)to, from, n) ? -EFAULT : ret;
}

/* ---- message queues ---- */

SYSCALL2(msgget, key, flags)
{
	return msg_get((s32)key, (int)flags);
}

SYSCALL4(msgsnd, id, umsg, size, flags)
{
	void *text;
	u64 type;
	long ret;

	if (size > MSG_MAX || (s32)id < 0)
		return -EINVAL;
	if (get_user_u64(&type, (u64 __user *)umsg))
		return -EFAULT;
	text = kmalloc(size + 1, 0);
	if (!text)
		return -ENOMEM;
	if (copy_from_user(text, (void __user *)(umsg + sizeof(type)), size))
		ret = -EFAULT;
	else
		ret = msg_send((s32)id, (s64)type, text, size, (int)flags);
	kfree(text);
	return ret;
}

SYSCALL5(msgrcv, id, umsg, size, type, flags)
{
	struct msg *m = msg_receive((s32)id, size, (s64)type, (int)flags);
	long n;

	if (IS_ERR(m))
		return PTR_ERR(m);
	n = (long)MIN(m->len, size);
	if (put_user_u64((u64)m->type, (u64 __user *)umsg) ||
	    copy_to_user((void __user *)(umsg + sizeof(u64)), m->text, (size_t)n))
		n = -EFAULT;
	kfree(m);
	return n;
}

SYSCALL3(msgctl, uid, ucmd, ubuf)
{
	s32 id = (s32)uid;
	int cmd = (int)ucmd;
	struct msginfo_k info;
	struct msqid_k ds;
	long ret;

	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_RMID:
		return msg_remove(id);
	case IPC_SET:
		return copy_from_user(&ds, (void __user *)ubuf, sizeof(ds)) ? -EFAULT
									    : msg_set(id, &ds);
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		ret = msg_stat(id, cmd != IPC_STAT, cmd == MSG_STAT_ANY, &ds);
		return put(ubuf, &ds, sizeof(ds), ret);
	case IPC_INFO:
	case MSG_INFO:
		ret = msg_info(cmd == MSG_INFO, &info);
		return put(ubuf, &info, sizeof(info), ret);
	default:
		return -EINVAL;
	}
}

/* ---- semaphores ---- */

SYSCALL3(semget, key, nsems, flags)
{
	return sem_get((s32)key, (s32)nsems, (int)flags);
}

static long operate(s32 id, u64 uops, u64 n, u64 deadline)
{
	struct sembuf_k *ops;
	long ret;

	if ((u32)n < 1 || id < 0)
		return -EINVAL;
	if ((u32)n > SEM_OPM)
		return -E2BIG;
	ops = kmalloc((u32)n * sizeof(*ops), 0);
	if (!ops)
		return -ENOMEM;
	if (copy_from_user(ops, (void __user *)uops, (u32)n * sizeof(*ops)))
		ret = -EFAULT;
	else
		ret = sem_operate(id, ops, (u32)n, deadline);
	kfree(ops);
	return ret;
}

SYSCALL3(semop, id, uops, n)
{
	return operate((s32)id, uops, n, 0);
}

SYSCALL4(semtimedop, id, uops, n, utime)
{
	struct timespec_k ts;
	u64 deadline = 0;

	if (utime) {
		if (copy_from_user(&ts, (void __user *)utime, sizeof(ts)))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		deadline = time_deadline(timespec_ns(&ts));
	}
	return operate((s32)id, uops, n, deadline);
}

static long get_all(s32 id, u64 uvalues)
{
	u16 *values = NULL;
	long n = sem_get_all(id, &values);

	if (n >= 0)
		n = copy_to_user((void __user *)uvalues, values, (size_t)n * sizeof(*values));
	kfree(values);
	return n;
}

static long set_all(s32 id, u64 uvalues)
{
	long n = sem_count(id);
	u16 *values;

	if (n < 0)
		return n;
	values = kmalloc((size_t)n * sizeof(*values), 0);
	if (!values)
		return -ENOMEM;
	if (copy_from_user(values, (void __user *)uvalues, (size_t)n * sizeof(*values)))
		n = -EFAULT;
	else
		n = sem_set_all(id, values, (u32)n);
	kfree(values);
	return n;
}

SYSCALL4(semctl, uid, num, ucmd, arg)
{
	s32 id = (s32)uid;
	int cmd = (int)ucmd;
	struct seminfo_k info;
	struct semid_k ds;
	long ret;

	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_RMID:
		return sem_remove(id);
	case IPC_SET:
		return copy_from_user(&ds, (void __user *)arg, sizeof(ds)) ? -EFAULT
									   : sem_set(id, &ds);
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		ret = sem_stat(id, cmd != IPC_STAT, cmd == SEM_STAT_ANY, &ds);
		return put(arg, &ds, sizeof(ds), ret);
	case IPC_INFO:
	case SEM_INFO:
		ret = sem_info(cmd == SEM_INFO, &info);
		return put(arg, &info, sizeof(info), ret);
	case SEM_GETVAL:
	case SEM_GETPID:
	case SEM_GETNCNT:
	case SEM_GETZCNT:
		return sem_get_one(id, (s32)num, cmd);
	case SEM_GETALL:
		return get_all(id, arg);
	case SEM_SETVAL:
		return sem_set_one(id, (s32)num, (s32)arg);
	case SEM_SETALL:
		return set_all(id, arg);
	default:
		return -EINVAL;
	}
}

/* ---- shared memory ---- */

SYSCALL3(shmget, key, size, flags)
{
	return shm_get((s32)key, size, (int)flags);
}

SYSCALL3(shmat, id, addr, flags)
{
	return (s32)id < 0 ? -EINVAL : shm_attach((s32)id, addr, (int)flags);
}

SYSCALL1(shmdt, addr)
{
	return shm_detach(addr);
}

SYSCALL3(shmctl, uid, ucmd, ubuf)
{
	s32 id = (s32)uid;
	int cmd = (int)ucmd;
	struct shm_usage_k usage;
	struct shminfo_k limits;
	struct shmid_k ds;
	long ret;

	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_RMID:
		return shm_remove(id);
	case IPC_SET:
		return copy_from_user(&ds, (void __user *)ubuf, sizeof(ds)) ? -EFAULT
									    : shm_set(id, &ds);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		ret = shm_stat(id, cmd != IPC_STAT, cmd == SHM_STAT_ANY, &ds);
		return put(ubuf, &ds, sizeof(ds), ret);
	case IPC_INFO:
		ret = shm_limits(&limits);
		return put(ubuf, &limits, sizeof(limits), ret);
	case SHM_INFO:
		ret = shm_usage(&usage);
		return put(ubuf, &usage, sizeof(usage), ret);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return shm_lock(id, cmd == SHM_LOCK);
	default:
		return -EINVAL;
	}
}
