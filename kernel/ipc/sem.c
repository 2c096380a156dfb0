// SPDX-License-Identifier: BSD-2-Clause
/*
 * System V semaphores.  The operations of one semop happen all or not at all.  Whoever cannot go on sleeps on the set's queue and tries
 * again after each change.
 *
 * SEM_UNDO: for each process and set there is a struct undo with what is to be added back when the process ends.  A process's undos hang at
 * process.sysv_undo; threads share them with their process, and CLONE_SYSVSEM makes no difference between processes.
 *
 * Locks: the table's lock for everything, the undo lists of processes too.
 */
#include "kernel/boot/init.h"
#include "kernel/ipc/ipc_internal.h"

#define SEM_MNI 32000
#define SEM_MNS ((s32)((s64)SEM_MNI * SEM_MSL))

/* Field markings and the corresponding locks:
 * (l) lock of the table
 */
struct sem {
	u16 value; /* (l) */
	s32 pid;   /* (l) who changed it last */
};

/* Field markings and the corresponding locks:
 * (l) lock of the table   (c) constant
 */
struct set {
	struct ipc_object head; /* (l) */
	s64 otime;		/* (l) */
	struct list undos;	/* (l) struct undo.set_link */
	struct list sleepers;	/* (l) struct sleeper.link */
	struct waitq changed;	/* (c) */
	u32 n;			/* (c) */
	struct sem sems[];	/* (l) */
};

/* Field markings and the corresponding locks:
 * (l) lock of the table   (c) constant
 */
struct undo {
	struct list proc_link, set_link; /* (l) */
	struct process *proc;		 /* (c) */
	struct set *set;		 /* (c) */
	s16 add[];			 /* (l) to each semaphore at the end */
};

/* Who waits in semop, for SEM_GETNCNT and SEM_GETZCNT.
 *
 * Field markings and the corresponding locks:
 * (l) lock of the table
 */
struct sleeper {
	struct list link; /* (l) */
	u16 num;	  /* (l) the semaphore that stops it */
	bool for_zero;	  /* (l) */
};

static struct ipc_table sets;

static struct set *set_of(struct ipc_object *o)
{
	return container_of(o, struct set, head);
}

static struct ipc_object *set_make(void *arg)
{
	s64 n = *(s64 *)arg;
	struct set *s;

	if (n <= 0)
		return ERR_PTR(-EINVAL);
	s = kzalloc(sizeof(*s) + (size_t)n * sizeof(s->sems[0]));
	if (!s)
		return NULL;
	s->n = (u32)n;
	list_init(&s->undos);
	list_init(&s->sleepers);
	waitq_init(&s->changed);
	return &s->head;
}

static void set_free(struct ipc_object *o)
{
	kfree(set_of(o));
}

static int set_check(struct ipc_object *o, void *arg)
{
	return *(s64 *)arg > (s64)set_of(o)->n ? -EINVAL : 0;
}

long sem_get(s32 key, s64 nsems, int flags)
{
	const struct ipc_get g = {
		.make = set_make, .unmake = set_free, .check = set_check, .arg = &nsems};

	if (nsems < 0 || nsems > SEM_MSL)
		return -EINVAL;
	return ipc_get(&sets, key, flags, &g);
}

/* ---- undo ---- */

static struct undo *undo_find(struct set *s, struct process *p)
{
	struct undo *u;

	list_for_each(u, &s->undos, set_link)
		if (u->proc == p)
			return u;
	return NULL;
}

/* lock held: the current process's for s, made if need be; NULL: no memory. */
static struct undo *undo_get(struct set *s)
{
	struct process *p = current_proc();
	struct undo *u = undo_find(s, p);

	if (u)
		return u;
	u = kzalloc(sizeof(*u) + s->n * sizeof(u->add[0]));
	if (!u)
		return NULL;
	u->proc = p;
	u->set = s;
	list_add_tail(&s->undos, &u->set_link);
	list_add_tail(&p->sysv_undo, &u->proc_link);
	return u;
}

static void undo_free(struct undo *u)
{
	list_del(&u->set_link);
	list_del(&u->proc_link);
	kfree(u);
}

static void undo_clear(struct set *s, u32 num)
{
	struct undo *u;

	list_for_each(u, &s->undos, set_link)
		u->add[num] = 0;
}

static void undo_apply(struct undo *u)
{
	struct set *s = u->set;

	for (u32 i = 0; i < s->n; i++) {
		s32 v = s->sems[i].value + u->add[i];

		if (!u->add[i])
			continue;
		s->sems[i].value = (u16)MIN(MAX(v, 0), SEM_VALUE_MAX);
		s->sems[i].pid = u->proc->pid;
	}
	s->otime = ipc_seconds();
	waitq_wake_all(&s->changed);
}

void sem_process_ends(struct process *p)
{
	struct undo *u, *tmp;

	if (list_empty(&p->sysv_undo))
		return;
	mutex_lock(&sets.lock);
	list_for_each_safe(u, tmp, &p->sysv_undo, proc_link) {
		undo_apply(u);
		undo_free(u);
	}
	mutex_unlock(&sets.lock);
}

/* ---- operations; lock held ---- */

static void take_back(struct set *s, struct undo *u, const struct sembuf_k *ops, u32 n)
{
	while (n--) {
		s->sems[ops[n].num].value = (u16)(s->sems[ops[n].num].value - ops[n].op);
		if (ops[n].flags & SEM_UNDO)
			u->add[ops[n].num] = (s16)(u->add[ops[n].num] + ops[n].op);
	}
}

/* One operation: 0; 1: it has to wait; -ERANGE. */
static int step(struct set *s, struct undo *u, const struct sembuf_k *op)
{
	s32 v = s->sems[op->num].value + op->op, undo;

	if (op->op == 0)
		return s->sems[op->num].value ? 1 : 0;
	if (v < 0)
		return 1;
	if (v > SEM_VALUE_MAX)
		return -ERANGE;
	if (op->flags & SEM_UNDO) {
		undo = u->add[op->num] - op->op;
		if (undo < -SEM_VALUE_MAX - 1 || undo > SEM_VALUE_MAX)
			return -ERANGE;
		u->add[op->num] = (s16)undo;
	}
	s->sems[op->num].value = (u16)v;
	return 0;
}

/* All or nothing; *stopper is what has to wait or failed. */
static int attempt(struct set *s, struct undo *u, const struct sembuf_k *ops, u32 n, u32 *stopper)
{
	s32 pid = current_proc()->pid;

	for (u32 i = 0; i < n; i++) {
		int r = step(s, u, &ops[i]);

		if (r) {
			*stopper = i;
			take_back(s, u, ops, i);
			return r;
		}
	}
	for (u32 i = 0; i < n; i++)
		s->sems[ops[i].num].pid = pid;
	s->otime = ipc_seconds();
	return 0;
}

/* Sleeps until the set changes, without the lock meanwhile.  -EIDRM, -EINTR, -EAGAIN (deadline): s may be gone. */
static int set_sleep(struct set *s, const struct sembuf_k *why, u64 deadline) REQUIRES(sets.lock)
{
	struct sleeper me = {.num = why->num, .for_zero = !why->op};
	struct waiter w = {0};
	int err;

	s->head.users++;
	list_add_tail(&s->sleepers, &me.link);
	wait_prepare(&s->changed, &w, WAIT_INTR);
	mutex_unlock(&sets.lock);
	err = wait_block(WAIT_INTR, deadline);
	wait_finish(&s->changed, &w);
	mutex_lock(&sets.lock);
	list_del(&me.link);
	s->head.users--;
	if (s->head.removed)
		err = -EIDRM;
	if (s->head.removed && !s->head.users)
		set_free(&s->head);
	return err == -ETIMEDOUT ? -EAGAIN : err;
}

static int check_ops(struct set *s, const struct sembuf_k *ops, u32 n, bool *undo)
{
	bool alter = false;

	*undo = false;
	for (u32 i = 0; i < n; i++) {
		if (ops[i].num >= s->n)
			return -EFBIG;
		alter |= ops[i].op != 0;
		*undo |= ops[i].op && (ops[i].flags & SEM_UNDO);
	}
	return ipc_permission(&s->head, alter ? 2 : 4);
}

long sem_operate(s32 id, const struct sembuf_k *ops, u32 n, u64 deadline)
{
	struct ipc_object *o = ipc_lock_id(&sets, id);
	struct undo *u = NULL;
	struct set *s;
	bool undo;
	u32 at;
	int r;

	if (IS_ERR(o)) {
		mutex_unlock(&sets.lock);
		return PTR_ERR(o);
	}
	s = set_of(o);
	r = check_ops(s, ops, n, &undo);
	if (!r && undo) {
		u = undo_get(s);
		r = u ? 0 : -ENOMEM;
	}
	while (!r && (r = attempt(s, u, ops, n, &at)) > 0) {
		r = ops[at].flags & IPC_NOWAIT ? -EAGAIN : 0;
		if (r)
			break;
		r = set_sleep(s, &ops[at], deadline);
	}
	if (!r)
		waitq_wake_all(&s->changed);
	mutex_unlock(&sets.lock);
	return r;
}

/* ---- control ---- */

long sem_remove(s32 id)
{
	struct ipc_object *o = ipc_lock_id(&sets, id);
	struct undo *u, *tmp;
	int err;

	if (IS_ERR(o)) {
		mutex_unlock(&sets.lock);
		return PTR_ERR(o);
	}
	err = ipc_owner(o);
	if (!err) {
		list_for_each_safe(u, tmp, &set_of(o)->undos, set_link)
			undo_free(u);
		ipc_unlink(&sets, o);
		waitq_wake_all(&set_of(o)->changed);
		if (!o->users)
			set_free(o);
	}
	mutex_unlock(&sets.lock);
	return err;
}

long sem_set(s32 id, const struct semid_k *ds)
{
	struct ipc_object *o = ipc_lock_id(&sets, id);
	int err;

	if (IS_ERR(o)) {
		mutex_unlock(&sets.lock);
		return PTR_ERR(o);
	}
	err = ipc_perm_set(o, &ds->perm);
	mutex_unlock(&sets.lock);
	return err;
}

long sem_stat(s32 id, bool by_index, bool any, struct semid_k *out)
{
	struct ipc_object *o = by_index ? ipc_lock_index(&sets, id) : ipc_lock_id(&sets, id);
	long ret;

	if (IS_ERR(o)) {
		mutex_unlock(&sets.lock);
		return PTR_ERR(o);
	}
	ret = any ? 0 : ipc_permission(o, 4);
	if (!ret) {
		*out = (struct semid_k){
			.otime = set_of(o)->otime, .ctime = o->ctime, .nsems = set_of(o)->n};
		ipc_perm_show(o, &out->perm);
		ret = by_index ? o->id : 0;
	}
	mutex_unlock(&sets.lock);
	return ret;
}

long sem_info(bool usage, struct seminfo_k *out)
{
	struct ipc_object *o;
	u64 i = 0;
	long highest;

	*out = (struct seminfo_k){.map = SEM_MNS,
				  .mni = (s32)sets.limit,
				  .mns = SEM_MNS,
				  .mnu = SEM_MNS,
				  .msl = SEM_MSL,
				  .opm = SEM_OPM,
				  .ume = SEM_OPM,
				  .usz = 20,
				  .vmx = SEM_VALUE_MAX,
				  .aem = SEM_VALUE_MAX};
	mutex_lock(&sets.lock);
	if (usage)
		out->usz = out->aem = 0;
	for (; usage && (o = (struct ipc_object *)radix_next(&sets.by_index, &i, IPC_INDICES - 1));
	     i++) {
		out->usz++;
		out->aem += (s32)set_of(o)->n;
	}
	highest = ipc_highest(&sets);
	mutex_unlock(&sets.lock);
	return highest;
}

/* Takes the lock: the set if it may be read or written and has the semaphore num, or an error pointer. */
static struct set *lock_for(s32 id, s32 num, unsigned want) ACQUIRES(sets.lock)
{
	struct ipc_object *o = ipc_lock_id(&sets, id);
	int err;

	if (IS_ERR(o))
		return (struct set *)o;
	err = num < 0 || (u32)num >= set_of(o)->n ? -EINVAL : ipc_permission(o, want);
	return err ? ERR_PTR(err) : set_of(o);
}

static long count_sleepers(struct set *s, u16 num, bool for_zero)
{
	struct sleeper *w;
	long n = 0;

	list_for_each(w, &s->sleepers, link)
		n += w->num == num && w->for_zero == for_zero;
	return n;
}

long sem_get_one(s32 id, s32 num, int cmd)
{
	struct set *s = lock_for(id, num, 4);
	long ret;

	if (IS_ERR(s)) {
		mutex_unlock(&sets.lock);
		return PTR_ERR(s);
	}
	if (cmd == SEM_GETVAL)
		ret = s->sems[num].value;
	else if (cmd == SEM_GETPID)
		ret = s->sems[num].pid;
	else
		ret = count_sleepers(s, (u16)num, cmd == SEM_GETZCNT);
	mutex_unlock(&sets.lock);
	return ret;
}

long sem_set_one(s32 id, s32 num, s32 value)
{
	struct set *s;

	if (value < 0 || value > SEM_VALUE_MAX)
		return -ERANGE;
	s = lock_for(id, num, 2);
	if (IS_ERR(s)) {
		mutex_unlock(&sets.lock);
		return PTR_ERR(s);
	}
	undo_clear(s, (u32)num);
	s->sems[num] = (struct sem){(u16)value, current_proc()->pid};
	s->head.ctime = ipc_seconds();
	waitq_wake_all(&s->changed);
	mutex_unlock(&sets.lock);
	return 0;
}

long sem_count(s32 id)
{
	struct ipc_object *o = ipc_lock_id(&sets, id);
	long n;

	if (IS_ERR(o)) {
		mutex_unlock(&sets.lock);
		return PTR_ERR(o);
	}
	n = set_of(o)->n;
	mutex_unlock(&sets.lock);
	return n;
}

long sem_get_all(s32 id, u16 **values)
{
	struct set *s = lock_for(id, 0, 4);
	u16 *v;
	u32 n;

	if (IS_ERR(s)) {
		mutex_unlock(&sets.lock);
		return PTR_ERR(s);
	}
	n = s->n;
	v = kmalloc(n * sizeof(*v), 0);
	for (u32 i = 0; v && i < n; i++)
		v[i] = s->sems[i].value;
	mutex_unlock(&sets.lock);
	*values = v;
	return v ? (long)n : -ENOMEM;
}

long sem_set_all(s32 id, const u16 *values, u32 n)
{
	struct set *s;

	for (u32 i = 0; i < n; i++)
		if (values[i] > SEM_VALUE_MAX)
			return -ERANGE;
	s = lock_for(id, 0, 2);
	if (IS_ERR(s)) {
		mutex_unlock(&sets.lock);
		return PTR_ERR(s);
	}
	for (u32 i = 0; n == s->n && i < n; i++) {
		undo_clear(s, i);
		s->sems[i] = (struct sem){values[i], current_proc()->pid};
	}
	s->head.ctime = ipc_seconds();
	waitq_wake_all(&s->changed);
	mutex_unlock(&sets.lock);
	return 0;
}

static void show_line(struct seq *q, struct ipc_object *o)
{
	const struct set *s = set_of(o);

	seq_printf(q, "%10d %10d  %4o %10u %5u %5u %5u %5u %10ld %10ld\n", o->key, o->id, o->mode,
		   s->n, o->uid, o->gid, o->cuid, o->cgid, s->otime, o->ctime);
}

static int show_all(struct seq *s, void *arg __unused)
{
	return ipc_list(s, &sets,
			"       key      semid perms      nsems   uid   gid  cuid  cgid      otime"
			"      ctime",
			show_line);
}

static int show_limits(struct seq *s, void *arg __unused)
{
	seq_printf(s, "%d\t%d\t%d\t%u\n", SEM_MSL, SEM_MNS, SEM_OPM, READ_ONCE(sets.limit));
	return 0;
}

/* Four numbers; only the last, the number of sets, can be changed. */
static ssize_t store_limits(const char *text, size_t n, void *arg __unused)
{
	const char *p = text;
	u64 v = 0;

	for (int i = 0; i < 4; i++) {
		p = ipc_number(p, &v);
		if (!p)
			return -EINVAL;
	}
	return ipc_set_limit(&sets, v) ? -EINVAL : (ssize_t)n;
}

static void sem_init(void)
{
	ipc_table_init(&sets, SEM_MNI, "semaphore sets");
	ipc_proc_files(&sets, "sem", show_all);
	(void)procfs_file("sys/kernel/sem", 0644, show_limits, store_limits, NULL);
}
INITCALL(LATE, sem_init);
