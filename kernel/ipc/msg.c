// SPDX-License-Identifier: BSD-2-Clause
/*
 * System V message queues.  A queue is a list of messages in order of arrival; whoever wants another than the first looks through it.
 *
 * Locks: the table's lock for everything; senders and receivers sleep without it and look their queue over again.
 */
#include "kernel/boot/init.h"
#include "kernel/ipc/ipc_internal.h"

#define MSG_MNB 16384
#define MSG_MNI 32000

/* Field markings and the corresponding locks:
 * (l) lock of the table   (c) constant
 */
struct queue {
	struct ipc_object head;		 /* (l) */
	struct list msgs;		 /* (l) */
	u64 bytes, count, limit;	 /* (l) */
	s64 stime, rtime;		 /* (l) */
	s32 lspid, lrpid;		 /* (l) */
	struct waitq senders, receivers; /* (c) */
};

static struct ipc_table queues;

static struct queue *queue_of(struct ipc_object *o)
{
	return container_of(o, struct queue, head);
}

static struct ipc_object *queue_make(void *arg __unused)
{
	struct queue *q = kzalloc(sizeof(*q));

	if (!q)
		return NULL;
	list_init(&q->msgs);
	waitq_init(&q->senders);
	waitq_init(&q->receivers);
	q->limit = MSG_MNB;
	return &q->head;
}

static void queue_free(struct ipc_object *o)
{
	struct queue *q = queue_of(o);
	struct msg *m, *tmp;

	list_for_each_safe(m, tmp, &q->msgs, link)
		kfree(m);
	kfree(q);
}

long msg_get(s32 key, int flags)
{
	const struct ipc_get g = {.make = queue_make, .unmake = queue_free};

	return ipc_get(&queues, key, flags, &g);
}

/* Sleeps on wait until woken, without the lock meanwhile.  -EIDRM, -ERESTARTNOHAND: q may be gone. */
static int queue_sleep(struct queue *q, struct waitq *wait) REQUIRES(queues.lock)
{
	struct waiter w = {0};
	int err;

	q->head.users++;
	wait_prepare(wait, &w, WAIT_INTR);
	mutex_unlock(&queues.lock);
	err = wait_block(WAIT_INTR, 0);
	wait_finish(wait, &w);
	mutex_lock(&queues.lock);
	q->head.users--;
	if (q->head.removed)
		err = -EIDRM;
	if (q->head.removed && !q->head.users)
		queue_free(&q->head);
	return err == -EINTR ? -ERESTARTNOHAND : err;
}

/* ---- sending and receiving ---- */

static struct msg *msg_make(s64 type, const void *text, size_t len)
{
	struct msg *m = kmalloc(sizeof(*m) + len, 0);

	if (!m)
		return NULL;
	m->type = type;
	m->len = len;
	memcpy(m->text, text, len);
	return m;
}

static bool has_room(const struct queue *q, size_t len)
{
	return q->bytes + len <= q->limit && q->count + 1 <= q->limit;
}

static void put(struct queue *q, struct msg *m)
{
	list_add_tail(&q->msgs, &m->link);
	q->bytes += m->len;
	q->count++;
	q->stime = ipc_seconds();
	q->lspid = current_proc()->pid;
	waitq_wake_all(&q->receivers);
}

long msg_send(s32 id, s64 type, const void *text, size_t len, int flags)
{
	struct ipc_object *o;
	struct queue *q;
	struct msg *m;
	int err;

	if (type < 1 || len > MSG_MAX || id < 0)
		return -EINVAL;
	m = msg_make(type, text, len);
	if (!m)
		return -ENOMEM;
	o = ipc_lock_id(&queues, id);
	if (IS_ERR(o)) {
		mutex_unlock(&queues.lock);
		kfree(m);
		return PTR_ERR(o);
	}
	q = queue_of(o);
	for (;;) {
		err = ipc_permission(o, 2);
		if (err || has_room(q, len))
			break;
		err = flags & IPC_NOWAIT ? -EAGAIN : 0;
		if (err)
			break;
		err = queue_sleep(q, &q->senders);
		if (err)
			break;
	}
	if (!err)
		put(q, m);
	mutex_unlock(&queues.lock);
	if (err)
		kfree(m);
	return err;
}

/* type as msgrcv's: 0 the first, > 0 that type or with MSG_EXCEPT any other, < 0 the lowest up to -type; with MSG_COPY the type-th. */
static struct msg *choose(struct queue *q, s64 type, int flags)
{
	struct msg *m, *best = NULL;
	s64 n = 0, most = type == INT64_MIN ? INT64_MAX : -type;

	list_for_each(m, &q->msgs, link) {
		if (flags & MSG_COPY) {
			if (n++ == type)
				return m;
		} else if (type >= 0) {
			if (!type || (m->type == type) != !!(flags & MSG_EXCEPT))
				return m;
		} else if (m->type <= most && (!best || m->type < best->type)) {
			best = m;
		}
	}
	return best;
}

static void take(struct queue *q, struct msg *m)
{
	list_del(&m->link);
	q->bytes -= m->len;
	q->count--;
	q->rtime = ipc_seconds();
	q->lrpid = current_proc()->pid;
	waitq_wake_all(&q->senders);
}

/* lock held: the message, an error, or NULL: there is none yet. */
static struct msg *receive_now(struct queue *q, size_t size, s64 type, int flags)
{
	struct msg *m;
	int err = ipc_permission(&q->head, 4);

	if (err)
		return ERR_PTR(err);
	m = choose(q, type, flags);
	if (!m)
		return flags & IPC_NOWAIT ? ERR_PTR(-ENOMSG) : NULL;
	if (m->len > size && !(flags & MSG_NOERROR))
		return ERR_PTR(-E2BIG);
	if (flags & MSG_COPY)
		return msg_make(m->type, m->text, m->len) ?: ERR_PTR(-ENOMEM);
	take(q, m);
	return m;
}

struct msg *msg_receive(s32 id, size_t size, s64 type, int flags)
{
	struct ipc_object *o;
	struct msg *m = NULL;
	int err;

	if (id < 0 || (s64)size < 0)
		return ERR_PTR(-EINVAL);
	if ((flags & MSG_COPY) && (!(flags & IPC_NOWAIT) || (flags & MSG_EXCEPT)))
		return ERR_PTR(-EINVAL);
	o = ipc_lock_id(&queues, id);
	if (IS_ERR(o))
		m = ERR_CAST(o);
	while (!m && !(m = receive_now(queue_of(o), size, type, flags))) {
		err = queue_sleep(queue_of(o), &queue_of(o)->receivers);
		if (err)
			m = ERR_PTR(err);
	}
	mutex_unlock(&queues.lock);
	return m;
}

/* ---- control ---- */

long msg_remove(s32 id)
{
	struct ipc_object *o = ipc_lock_id(&queues, id);
	int err;

	if (IS_ERR(o)) {
		mutex_unlock(&queues.lock);
		return PTR_ERR(o);
	}
	err = ipc_owner(o);
	if (!err) {
		ipc_unlink(&queues, o);
		waitq_wake_all(&queue_of(o)->senders);
		waitq_wake_all(&queue_of(o)->receivers);
		if (!o->users)
			queue_free(o);
	}
	mutex_unlock(&queues.lock);
	return err;
}

long msg_set(s32 id, const struct msqid_k *ds)
{
	struct ipc_object *o = ipc_lock_id(&queues, id);
	struct queue *q;
	int err;

	if (IS_ERR(o)) {
		mutex_unlock(&queues.lock);
		return PTR_ERR(o);
	}
	q = queue_of(o);
	err = ipc_owner(o);
	if (!err && ds->qbytes > MSG_MNB && !capable(CAP_SYS_RESOURCE))
		err = -EPERM;
	if (!err)
		err = ipc_perm_set(o, &ds->perm);
	if (!err) {
		q->limit = ds->qbytes;
		waitq_wake_all(&q->senders);
		waitq_wake_all(&q->receivers); /* permissions may have gone */
	}
	mutex_unlock(&queues.lock);
	return err;
}

long msg_stat(s32 id, bool by_index, bool any, struct msqid_k *out)
{
	struct ipc_object *o = by_index ? ipc_lock_index(&queues, id) : ipc_lock_id(&queues, id);
	struct queue *q;
	long ret;

	if (IS_ERR(o)) {
		mutex_unlock(&queues.lock);
		return PTR_ERR(o);
	}
	q = queue_of(o);
	ret = any ? 0 : ipc_permission(o, 4);
	if (!ret) {
		*out = (struct msqid_k){
			.stime = q->stime,
			.rtime = q->rtime,
			.ctime = o->ctime,
			.cbytes = q->bytes,
			.qnum = q->count,
			.qbytes = q->limit,
			.lspid = q->lspid,
			.lrpid = q->lrpid,
		};
		ipc_perm_show(o, &out->perm);
		ret = by_index ? o->id : 0;
	}
	mutex_unlock(&queues.lock);
	return ret;
}

long msg_info(bool usage, struct msginfo_k *out)
{
	struct ipc_object *o;
	u64 i = 0;
	long highest;

	*out = (struct msginfo_k){.pool = MSG_MNI * MSG_MNB / 1024,
				  .map = MSG_MNB,
				  .max = MSG_MAX,
				  .mnb = MSG_MNB,
				  .mni = (s32)queues.limit,
				  .ssz = 16,
				  .tql = MSG_MNB,
				  .seg = 0xffff};
	mutex_lock(&queues.lock);
	if (usage)
		out->pool = out->map = out->tql = 0;
	for (;
	     usage && (o = (struct ipc_object *)radix_next(&queues.by_index, &i, IPC_INDICES - 1));
	     i++) {
		out->pool++;
		out->map += (s32)queue_of(o)->count;
		out->tql += (s32)queue_of(o)->bytes;
	}
	highest = ipc_highest(&queues);
	mutex_unlock(&queues.lock);
	return highest;
}

static void show_line(struct seq *s, struct ipc_object *o)
{
	const struct queue *q = queue_of(o);

	seq_printf(s, "%10d %10d  %4o  %10lu %10lu %5d %5d %5u %5u %5u %5u %10ld %10ld %10ld\n",
		   o->key, o->id, o->mode, q->bytes, q->count, q->lspid, q->lrpid, o->uid, o->gid,
		   o->cuid, o->cgid, q->stime, q->rtime, o->ctime);
}

static int show_all(struct seq *s, void *arg __unused)
{
	return ipc_list(
		s, &queues,
		"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid "
		" cuid  cgid      stime      rtime      ctime",
		show_line);
}

static void msg_init(void)
{
	ipc_table_init(&queues, MSG_MNI, "message queues");
	ipc_proc_files(&queues, "msg", show_all);
	ipc_proc_number("msgmax", MSG_MAX);
	ipc_proc_number("msgmnb", MSG_MNB);
	ipc_proc_limit(&queues, "msgmni");
}
INITCALL(LATE, msg_init);
