// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tables of System V objects: identifiers, keys, permissions, and their files in /proc.
 *
 * An id is round << 15 | index; the index is found in by_index, the rest must match, so that an old id is not taken for a new object.
 * Objects with a key are in by_key too.
 *
 * Locks: a table's lock (IPC) guards it and all of its objects; who sleeps on an object holds it by `users` meanwhile.
 */
#include "kernel/boot/init.h"
#include "kernel/ipc/ipc_internal.h"

#define CAP_IPC_OWNER 15
#define ROUNDS	      (1u << 16) /* ids stay positive */

void ipc_table_init(struct ipc_table *t, u32 limit, const char *name)
{
	ASSERT(limit <= IPC_INDICES);
	mutex_init(&t->lock, LOCK_IPC, name);
	radix_init(&t->by_index);
	radix_init(&t->by_key);
	t->limit = limit;
	t->last = IPC_INDICES - 1;
	t->round = ROUNDS - 1;
	t->next_id = -1;
}

s64 ipc_seconds(void)
{
	return (s64)(proc_realtime() / NSEC_PER_SEC);
}

static struct ipc_object *by_index(struct ipc_table *t, u32 index)
{
	return (struct ipc_object *)radix_get(&t->by_index, index);
}

struct ipc_object *ipc_lock_id(struct ipc_table *t, s32 id)
{
	struct ipc_object *o;

	mutex_lock(&t->lock);
	o = id >= 0 ? by_index(t, (u32)id % IPC_INDICES) : NULL;
	if (o && o->id == id)
		return o;
	return ERR_PTR(o ? -EIDRM : -EINVAL);
}

struct ipc_object *ipc_lock_index(struct ipc_table *t, s32 index)
{
	struct ipc_object *o;

	mutex_lock(&t->lock);
	o = index >= 0 ? by_index(t, (u32)index % IPC_INDICES) : NULL;
	return o ? o : ERR_PTR(-EINVAL);
}

/* ---- making ---- */

/* A free id, lock held. */
static s32 choose_id(struct ipc_table *t)
{
	s32 wanted = t->next_id;

	t->next_id = -1;
	if (wanted >= 0 && !by_index(t, (u32)wanted % IPC_INDICES))
		return wanted;
	do {
		if (++t->last == IPC_INDICES) {
			t->last = 0;
			t->round = (t->round + 1) % ROUNDS;
		}
	} while (by_index(t, t->last));
	return (s32)(t->round << IPC_INDEX_BITS | t->last);
}

static long insert(struct ipc_table *t, struct ipc_object *o, s32 key, int flags)
{
	const struct cred *c = current_cred();

	o->id = choose_id(t);
	o->key = key;
	o->mode = flags & 0777;
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	o->users = 1;
	o->ctime = ipc_seconds();
	if (radix_insert(&t->by_index, (u32)o->id % IPC_INDICES, (uintptr_t)o, NULL))
		return -ENOMEM;
	if (key != IPC_PRIVATE && radix_insert(&t->by_key, (u32)key, (uintptr_t)o, NULL)) {
		radix_remove(&t->by_index, (u32)o->id % IPC_INDICES);
		return -ENOMEM;
	}
	return o->id;
}

static long create(struct ipc_table *t, s32 key, int flags, const struct ipc_get *g)
{
	struct ipc_object *o;
	long id;

	if (t->by_index.count >= t->limit)
		return -ENOSPC;
	o = g->make(g->arg);
	if (IS_ERR_OR_NULL(o))
		return o ? PTR_ERR(o) : -ENOMEM;
	id = insert(t, o, key, flags);
	if (id < 0)
		g->unmake(o);
	return id;
}

/* The low bits of the flags ask for permissions of an object that exists. */
static long existing(struct ipc_object *o, int flags, const struct ipc_get *g)
{
	unsigned mode = (unsigned)flags, want = (mode >> 6 | mode >> 3 | mode) & 7;
	int err;

	if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
		return -EEXIST;
	err = g->check ? g->check(o, g->arg) : 0;
	if (!err)
		err = ipc_permission(o, want);
	return err ? err : o->id;
}

long ipc_get(struct ipc_table *t, s32 key, int flags, const struct ipc_get *g)
{
	struct ipc_object *o = NULL;
	long id;

	mutex_lock(&t->lock);
	if (key != IPC_PRIVATE)
		o = (struct ipc_object *)radix_get(&t->by_key, (u32)key);
	if (o)
		id = existing(o, flags, g);
	else if (key != IPC_PRIVATE && !(flags & IPC_CREAT))
		id = -ENOENT;
	else
		id = create(t, key, flags, g);
	mutex_unlock(&t->lock);
	return id;
}

void ipc_unlink(struct ipc_table *t, struct ipc_object *o)
{
	ASSERT(mutex_held(&t->lock) && !o->removed);
	o->removed = true;
	radix_remove(&t->by_index, (u32)o->id % IPC_INDICES);
	if (o->key != IPC_PRIVATE)
		radix_remove(&t->by_key, (u32)o->key);
	o->users--;
}

s32 ipc_highest(struct ipc_table *t)
{
	u64 i = 0;
	s32 best = 0;

	while (radix_next(&t->by_index, &i, IPC_INDICES - 1))
		best = (s32)i++;
	return best;
}

/* ---- permissions ---- */

static bool in_group(const struct cred *c, u32 gid)
{
	if (c->egid == gid)
		return true;
	for (u32 i = 0; i < c->ngroups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

int ipc_permission(const struct ipc_object *o, unsigned want)
{
	const struct cred *c = current_cred();
	u32 mode = o->mode;

	if (c->euid == o->cuid || c->euid == o->uid)
		mode >>= 6;
	else if (in_group(c, o->cgid) || in_group(c, o->gid))
		mode >>= 3;
	return (want & ~mode & 7) && !capable(CAP_IPC_OWNER) ? -EACCES : 0;
}

int ipc_owner(const struct ipc_object *o)
{
	u32 euid = current_cred()->euid;

	return euid == o->cuid || euid == o->uid || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

void ipc_perm_show(const struct ipc_object *o, struct ipc_perm_k *out)
{
	*out = (struct ipc_perm_k){.key = o->key,
				   .uid = o->uid,
				   .gid = o->gid,
				   .cuid = o->cuid,
				   .cgid = o->cgid,
				   .mode = o->mode,
				   .seq = (u16)(o->id >> IPC_INDEX_BITS)};
}

int ipc_perm_set(struct ipc_object *o, const struct ipc_perm_k *p)
{
	int err = ipc_owner(o);

	if (err)
		return err;
	if (p->uid == ~0u || p->gid == ~0u)
		return -EINVAL;
	o->uid = p->uid;
	o->gid = p->gid;
	o->mode = (o->mode & ~0777u) | (p->mode & 0777);
	o->ctime = ipc_seconds();
	return 0;
}

/* ---- /proc ---- */

int ipc_list(struct seq *s, struct ipc_table *t, const char *title,
	     void (*show)(struct seq *s, struct ipc_object *o))
{
	struct ipc_object *o;
	u64 i = 0;

	seq_printf(s, "%s\n", title);
	mutex_lock(&t->lock);
	for (; (o = (struct ipc_object *)radix_next(&t->by_index, &i, IPC_INDICES - 1)); i++)
		show(s, o);
	mutex_unlock(&t->lock);
	return 0;
}

static int next_id_show(struct seq *s, void *arg)
{
	const struct ipc_table *t = arg;

	seq_printf(s, "%d\n", READ_ONCE(t->next_id));
	return 0;
}

const char *ipc_number(const char *text, u64 *out)
{
	u64 v = 0;

	while (*text == ' ' || *text == '\t')
		text++;
	if (*text < '0' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++) {
		v = v * 10 + (u64)(*text - '0');
		if (v > INT32_MAX)
			return NULL;
	}
	*out = v;
	return text;
}

int ipc_set_limit(struct ipc_table *t, u64 limit)
{
	if (limit > IPC_INDICES)
		return -EINVAL;
	mutex_lock(&t->lock);
	t->limit = (u32)limit;
	mutex_unlock(&t->lock);
	return 0;
}

static int limit_show(struct seq *s, void *arg)
{
	const struct ipc_table *t = arg;

	seq_printf(s, "%u\n", READ_ONCE(t->limit));
	return 0;
}

static ssize_t limit_store(const char *text, size_t n, void *arg)
{
	u64 v;

	return !ipc_number(text, &v) || ipc_set_limit(arg, v) ? -EINVAL : (ssize_t)n;
}

static ssize_t next_id_store(const char *text, size_t n, void *arg)
{
	struct ipc_table *t = arg;
	u64 id;

	if (!ipc_number(text, &id))
		return -EINVAL;
	mutex_lock(&t->lock);
	t->next_id = (s32)id;
	mutex_unlock(&t->lock);
	return (ssize_t)n;
}

static int number_show(struct seq *s, void *arg)
{
	seq_printf(s, "%lu\n", (uintptr_t)arg);
	return 0;
}

static void proc_file(u32 mode, int (*show)(struct seq *s, void *arg),
		      ssize_t (*store)(const char *text, size_t n, void *arg), void *arg,
		      const char *fmt, const char *name)
{
	char path[64];

	ksnprintf(path, sizeof(path), fmt, name);
	if (procfs_file(path, mode, show, store, arg))
		kprintf("ipc: no memory for %s\n", path);
}

void ipc_proc_files(struct ipc_table *t, const char *kind, int (*show)(struct seq *s, void *arg))
{
	proc_file(0444, show, NULL, NULL, "sysvipc/%s", kind);
	proc_file(0644, next_id_show, next_id_store, t, "sys/kernel/%s_next_id", kind);
}

void ipc_proc_limit(struct ipc_table *t, const char *name)
{
	proc_file(0644, limit_show, limit_store, t, "sys/kernel/%s", name);
}

static int value_show(struct seq *s, void *arg)
{
	seq_printf(s, "%lu\n", READ_ONCE(*(u64 *)arg));
	return 0;
}

static ssize_t value_store(const char *text, size_t n, void *arg)
{
	const char *end;
	u64 v = strtou64(text, &end, 10);

	if (end == text || (*end && *end != '\n'))
		return -EINVAL;
	WRITE_ONCE(*(u64 *)arg, v);
	return (ssize_t)n;
}

void ipc_proc_value(const char *name, u64 *value)
{
	proc_file(0644, value_show, value_store, value, "sys/kernel/%s", name);
}

void ipc_proc_number(const char *name, u64 value)
{
	proc_file(0444, number_show, NULL, (void *)(uintptr_t)value, "sys/kernel/%s", name);
}

static void process_ends(struct process *p)
{
	sem_process_ends(p);
	shm_process_ends(p);
}

static void ids_init(void)
{
	proc_set_sysv_exit(process_ends);
}
INITCALL(LATE, ids_init);
