// SPDX-License-Identifier: BSD-2-Clause
/*
 * Leases (F_SETLEASE): who holds one is told by SIGIO when somebody opens or truncates the file in a way that conflicts, and has
 * LEASE_BREAK_NS to give it up or lessen it; then it is taken away.
 *
 *	lease	held by	needs			broken by
 *	F_RDLCK	readers	no open for writing	opening for writing, truncating
 *	F_WRLCK	anybody	no other open		any open, truncating
 *
 * Locks: `lock` (FS_MISC) of a vnode's set guards it.  The set is made by compare-and-swap and freed with the vnode.  An opener counts in
 * vn->opens before it looks for leases, and a lease is set under lock after looking at the counts: one of the two sees the other.
 */
#include "fs/vfs/vfs_internal.h"

#define F_RDLCK	       0
#define F_WRLCK	       1
#define F_UNLCK	       2
#define LEASE_BREAK_NS (45 * NSEC_PER_SEC)
#define LEASE_SIGNAL   29 /* SIGIO */

/* Field markings and the corresponding locks:
 * (l) lock of the set
 */
struct lease {
	struct list link;	 /* (l) */
	const struct file *file; /* (l) the lease goes with it */
	s32 pid;		 /* (l) whom to tell */
	int type;		 /* (l) F_RDLCK, F_WRLCK */
	int target;		 /* (l) what it is to become; == type: nobody asks */
};

/* Field markings and the corresponding locks:
 * (c) constant   (l) lock
 */
struct lease_set {
	struct mutex lock;   /* (c) FS_MISC */
	struct list leases;  /* (l) */
	struct waitq change; /* (c) openers wait for leases to go */
};

static struct lease_set *set_get(struct vnode *vn)
{
	struct lease_set *s = __atomic_load_n(&vn->leases, __ATOMIC_ACQUIRE);
	void *none = NULL;

	if (s)
		return s;
	s = kmalloc(sizeof(*s), 0);
	if (!s)
		return NULL;
	mutex_init(&s->lock, LOCK_FS_MISC, "leases");
	list_init(&s->leases);
	waitq_init(&s->change);
	if (__atomic_compare_exchange_n(&vn->leases, &none, s, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return s;
	kfree(s);
	return none;
}

void leases_vnode_free(struct vnode *vn)
{
	struct lease_set *s = vn->leases;

	if (!s)
		return;
	ASSERT(list_empty(&s->leases));
	kfree(s);
	vn->leases = NULL;
}

static struct lease *find(struct lease_set *s, const struct file *f)
{
	struct lease *l;

	list_for_each(l, &s->leases, link)
		if (l->file == f)
			return l;
	return NULL;
}

static void lease_free(struct lease_set *s, struct lease *l)
{
	list_del(&l->link);
	kfree(l);
	waitq_wake_all(&s->change);
}

/* lock held: may f have this? */
static int grantable(struct lease_set *s, const struct file *f, int type)
{
	struct vnode *vn = f->vnode;
	struct lease *l;

	if (type == F_RDLCK &&
	    (f->may_write || __atomic_load_n(&vn->write_opens, __ATOMIC_SEQ_CST)))
		return -EAGAIN;
	if (type == F_WRLCK && __atomic_load_n(&vn->opens, __ATOMIC_SEQ_CST) > 1)
		return -EAGAIN;
	list_for_each(l, &s->leases, link) {
		if (l->file != f && (type == F_WRLCK || l->type == F_WRLCK))
			return -EAGAIN;
		if (l->file == f && l->target != l->type && type != l->target)
			return -EAGAIN;
	}
	return 0;
}

static int lease_give(struct lease_set *s, struct file *f, int type, s32 pid)
{
	struct lease *l = find(s, f);

	if (!l) {
		l = kmalloc(sizeof(*l), 0);
		if (!l)
			return -ENOMEM;
		l->file = f;
		list_add_tail(&s->leases, &l->link);
		WRITE_ONCE(f->lock_held, true);
	}
	l->type = l->target = type;
	l->pid = pid;
	waitq_wake_all(&s->change);
	return 0;
}

int file_lease_set(struct file *f, int type, s32 pid)
{
	struct lease_set *s;
	struct lease *l;
	struct vattr a;
	int err;

	if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
		return -EINVAL;
	if (!is_type(f->vnode, S_IFREG))
		return -EINVAL;
	err = vfs_getattr(f->vnode, &a);
	if (err)
		return err;
	if (vfs_current_cred()->fsuid != a.uid && !cred_has(vfs_current_cred(), CAP_LEASE_BIT))
		return -EACCES;
	s = set_get(f->vnode);
	if (!s)
		return -ENOMEM;
	mutex_lock(&s->lock);
	l = find(s, f);
	if (type != F_UNLCK) {
		err = grantable(s, f, type);
		if (!err)
			err = lease_give(s, f, type, pid);
	} else if (l) {
		lease_free(s, l);
	} else {
		err = -EAGAIN;
	}
	mutex_unlock(&s->lock);
	return err;
}

int file_lease_get(struct file *f)
{
	struct lease_set *s = f->vnode->leases;
	struct lease *l;
	int type = F_UNLCK;

	if (!s)
		return type;
	mutex_lock(&s->lock);
	l = find(s, f);
	if (l)
		type = l->target;
	mutex_unlock(&s->lock);
	return type;
}

void lease_file_released(struct file *f)
{
	struct lease_set *s = f->vnode->leases;
	struct lease *l;

	if (!s)
		return;
	mutex_lock(&s->lock);
	l = find(s, f);
	if (l)
		lease_free(s, l);
	mutex_unlock(&s->lock);
}

static bool in_the_way(const struct lease *l, const struct file *f, bool write)
{
	return l->file != f && (write || l->type == F_WRLCK);
}

static bool any_in_the_way(struct lease_set *s, const struct file *f, bool write)
{
	struct lease *l;

	list_for_each(l, &s->leases, link)
		if (in_the_way(l, f, write))
			return true;
	return false;
}

/* One of the holders that have not been asked: pid is to be told, without lock, as it is a lock of processes that finds it. lock held. */
static bool ask(struct lease_set *s, const struct file *f, bool write, s32 *pid)
{
	int target = write ? F_UNLCK : F_RDLCK;
	struct lease *l;

	list_for_each(l, &s->leases, link) {
		if (!in_the_way(l, f, write) || l->target == target || l->target == F_UNLCK)
			continue;
		l->target = target;
		*pid = l->pid;
		/* who was asked does not stand before who is to be asked */
		list_del(&l->link);
		list_add_tail(&s->leases, &l->link);
		return true;
	}
	return false;
}

/* Their time is over. lock held. */
static void take_away(struct lease_set *s, const struct file *f, bool write)
{
	struct lease *l, *tmp;

	list_for_each_safe(l, tmp, &s->leases, link) {
		if (!in_the_way(l, f, write))
			continue;
		if (write)
			lease_free(s, l);
		else
			l->type = l->target;
	}
}

int lease_break(struct vnode *vn, const struct file *f, bool write, bool nonblock)
{
	struct lease_set *s = __atomic_load_n(&vn->leases, __ATOMIC_ACQUIRE);
	u64 deadline = time_now() + LEASE_BREAK_NS;
	struct waiter w = {0};
	int err = 0;
	s32 pid;

	if (likely(!s))
		return 0;
	mutex_lock(&s->lock);
	while (any_in_the_way(s, f, write)) {
		if (ask(s, f, write, &pid)) {
			mutex_unlock(&s->lock);
			if (vfs_hooks.signal)
				vfs_hooks.signal(pid, LEASE_SIGNAL);
			mutex_lock(&s->lock);
			continue;
		}
		err = nonblock ? -EAGAIN : 0;
		if (err)
			break;
		wait_prepare(&s->change, &w, WAIT_INTR);
		mutex_unlock(&s->lock);
		err = wait_block(WAIT_INTR, deadline);
		wait_finish(&s->change, &w);
		mutex_lock(&s->lock);
		if (err == -ETIMEDOUT) {
			take_away(s, f, write);
			err = 0;
		}
		if (err)
			break;
	}
	mutex_unlock(&s->lock);
	return err == -EINTR ? -ERESTARTSYS : err;
}
