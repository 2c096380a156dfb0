/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_IPC_H
#define GNOMON_IPC_H

/*
 * System V message queues, semaphores and shared memory.  One name space for the whole machine.
 */

#include "kernel/proc/proc.h"

#define IPC_CREAT    01000
#define IPC_EXCL     02000
#define IPC_NOWAIT   04000
#define IPC_PRIVATE  0
#define IPC_RMID     0
#define IPC_SET	     1
#define IPC_STAT     2
#define IPC_INFO     3
#define MSG_STAT     11
#define MSG_INFO     12
#define MSG_STAT_ANY 13
#define SHM_LOCK     11
#define SHM_UNLOCK   12
#define SHM_STAT     13
#define SHM_INFO     14
#define SHM_STAT_ANY 15
#define SEM_GETPID   11
#define SEM_GETVAL   12
#define SEM_GETALL   13
#define SEM_GETNCNT  14
#define SEM_GETZCNT  15
#define SEM_SETVAL   16
#define SEM_SETALL   17
#define SEM_STAT     18
#define SEM_INFO     19
#define SEM_STAT_ANY 20

/* struct ipc64_perm */
struct ipc_perm_k {
	s32 key;
	u32 uid, gid, cuid, cgid, mode;
	u16 seq, pad;
	u32 pad2;
	u64 unused[2];
};

/* struct msqid64_ds */
struct msqid_k {
	struct ipc_perm_k perm;
	s64 stime, rtime, ctime;
	u64 cbytes, qnum, qbytes;
	s32 lspid, lrpid;
	u64 unused[2];
};

/* struct msginfo */
struct msginfo_k {
	s32 pool, map, max, mnb, mni, ssz, tql;
	u16 seg, pad;
};

/* struct semid64_ds */
struct semid_k {
	struct ipc_perm_k perm;
	s64 otime, ctime;
	u64 nsems, unused[2];
};

/* struct seminfo */
struct seminfo_k {
	s32 map, mni, mns, mnu, msl, opm, ume, usz, vmx, aem;
};

struct sembuf_k {
	u16 num;
	s16 op, flags;
};

/* struct shmid64_ds */
struct shmid_k {
	struct ipc_perm_k perm;
	u64 size;
	s64 atime, dtime, ctime;
	s32 cpid, lpid;
	u64 nattch, unused[2];
};

/* struct shminfo64 */
struct shminfo_k {
	u64 max, min, mni, seg, all, unused[4];
};

/* struct shm_info */
struct shm_usage_k {
	s32 used_ids, pad;
	u64 total, rss, swap, swap_attempts, swap_successes;
};

/*
 * All sleep and return a value or -errno as the system calls of these names do; text and operations are in kernel memory.
 */
long msg_get(s32 key, int flags);
/* Takes over nothing: text is copied. */
long msg_send(s32 id, s64 type, const void *text, size_t len, int flags);
struct msg {
	struct list link; /* in its queue, whose lock guards it until it is taken */
	s64 type;
	size_t len;
	char text[];
};
#define MSG_NOERROR 010000
#define MSG_EXCEPT  020000
#define MSG_COPY    040000
#define MSG_MAX	    8192
/* A message for the caller to kfree, or an error pointer. */
struct msg *msg_receive(s32 id, size_t size, s64 type, int flags);
long msg_remove(s32 id);
long msg_set(s32 id, const struct msqid_k *ds);
/* by_index: id is an index (MSG_STAT), and the id is returned; any: without read permission. */
long msg_stat(s32 id, bool by_index, bool any, struct msqid_k *out);
long msg_info(bool usage, struct msginfo_k *out); /* the highest index in use */

#define SEM_UNDO      0x1000
#define SEM_OPM	      500
#define SEM_MSL	      32000
#define SEM_VALUE_MAX 32767
long sem_get(s32 key, s64 nsems, int flags);
/* deadline: time_now() ns, 0 none. */
long sem_operate(s32 id, const struct sembuf_k *ops, u32 n, u64 deadline);
long sem_remove(s32 id);
long sem_set(s32 id, const struct semid_k *ds);
long sem_stat(s32 id, bool by_index, bool any, struct semid_k *out);
long sem_info(bool usage, struct seminfo_k *out);
long sem_get_one(s32 id, s32 num, int cmd); /* SEM_GETVAL, GETPID, GETNCNT, GETZCNT */
long sem_set_one(s32 id, s32 num, s32 value);
/* The number of semaphores with their values in *values, for the caller to kfree. */
long sem_get_all(s32 id, u16 **values);
/* values: as many as sem_count said; -EINVAL if that has changed. */
long sem_set_all(s32 id, const u16 *values, u32 n);
long sem_count(s32 id);

#define SHM_RDONLY 010000
#define SHM_RND	   020000
#define SHM_REMAP  040000
#define SHM_EXEC   0100000
long shm_get(s32 key, u64 size, int flags);
long shm_attach(s32 id, u64 addr, int flags); /* the address */
long shm_detach(u64 addr);
long shm_remove(s32 id);
long shm_lock(s32 id, bool lock); /* SHM_LOCK, SHM_UNLOCK */
long shm_set(s32 id, const struct shmid_k *ds);
long shm_stat(s32 id, bool by_index, bool any, struct shmid_k *out);
long shm_limits(struct shminfo_k *out);
long shm_usage(struct shm_usage_k *out);

#endif
