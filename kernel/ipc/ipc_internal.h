/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_IPC_INTERNAL_H
#define GNOMON_IPC_INTERNAL_H

/* What the files of kernel/ipc share: tables of identifiers, and permissions. */

#include "kernel/ipc/ipc.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/radix.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"

#define IPC_INDEX_BITS 15
#define IPC_INDICES    (1u << IPC_INDEX_BITS)

/* The head of every queue, set and segment.
 *
 * Field markings and the corresponding locks:
 * (l) lock of its table
 */
struct ipc_object {
	s32 id, key;		  /* (l) */
	u32 uid, gid, cuid, cgid; /* (l) */
	u32 mode;		  /* (l) permission bits, and flags of the kind */
	u32 users;		  /* (l) who sleeps on it, and the table: freed at 0 */
	bool removed;		  /* (l) out of the table: sleepers are to leave */
	s64 ctime;		  /* (l) seconds */
};

/* The objects of one kind.
 *
 * Field markings and the corresponding locks:
 * (l) lock   (c) constant
 */
struct ipc_table {
	struct mutex lock;	    /* (c) LOCK_IPC: the table and all its objects */
	struct radix_tree by_index; /* (l) */
	struct radix_tree by_key;   /* (l) index: the key as u32, never IPC_PRIVATE */
	u32 limit;		    /* (l) objects at most */
	u32 last;		    /* (l) index given last */
	u32 round;   /* (l) times the indices have been through: the id's upper part */
	s32 next_id; /* (l) what the next one is to get, -1: any (/proc/sys/kernel/..._next_id) */
};

void ipc_table_init(struct ipc_table *t, u32 limit, const char *name);
/* Takes lock: the object of an id, or -EINVAL, -EIDRM as an error pointer; the lock is held in any case. */
struct ipc_object *ipc_lock_id(struct ipc_table *t, s32 id) ACQUIRES(t->lock);
struct ipc_object *ipc_lock_index(struct ipc_table *t, s32 index) ACQUIRES(t->lock);

/* What a get call does beyond the table. */
struct ipc_get {
	struct ipc_object *(*make)(void *arg); /* zeroed head; NULL: no memory; lock held */
	void (*unmake)(struct ipc_object *o);
	int (*check)(struct ipc_object *o, void *arg); /* is it big enough?  NULL: always */
	void *arg;
};
long ipc_get(struct ipc_table *t, s32 key, int flags, const struct ipc_get *g);
/* lock held: out of the table.  Who sees it drop its last user frees it. */
void ipc_unlink(struct ipc_table *t, struct ipc_object *o);
/* lock held.  want: 4 read, 2 write.  -EACCES. */
int ipc_permission(const struct ipc_object *o, unsigned want);
int ipc_owner(const struct ipc_object *o); /* -EPERM */
void ipc_perm_show(const struct ipc_object *o, struct ipc_perm_k *out);
int ipc_perm_set(struct ipc_object *o, const struct ipc_perm_k *p);
s32 ipc_highest(struct ipc_table *t); /* index in use, 0 if none */
s64 ipc_seconds(void);
/* Calls show for each object for a file of /proc/sysvipc. */
int ipc_list(struct seq *s, struct ipc_table *t, const char *title,
	     void (*show)(struct seq *s, struct ipc_object *o));
/* /proc/sysvipc/KIND and /proc/sys/kernel/KIND_next_id. */
void ipc_proc_files(struct ipc_table *t, const char *kind, int (*show)(struct seq *s, void *arg));
/* /proc/sys/kernel/NAME with a number that does not change. */
void ipc_proc_number(const char *name, u64 value);
void ipc_proc_value(const char *name, u64 *value); /* that may be written */

/* A process ends; its address space is gone. */
void sem_process_ends(struct process *p);
void shm_process_ends(struct process *p);

/* A number in text: what follows it, or NULL. */
const char *ipc_number(const char *text, u64 *out);
int ipc_set_limit(struct ipc_table *t, u64 limit);	    /* -EINVAL */
void ipc_proc_limit(struct ipc_table *t, const char *name); /* /proc/sys/kernel/NAME: the limit */

#endif
