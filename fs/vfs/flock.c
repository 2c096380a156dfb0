// SPDX-License-Identifier: BSD-2-Clause
/*
 * flock(2) and record locks.  A vnode that was ever locked has a lock list: whole-file locks owned by open files, and ranges owned by descriptor
 * tables (POSIX) or open files (OFD).  Ranges of one owner never overlap and neighbours of one type are merged.  Ranges are in a tree by start,
 * each with the largest end below it: a request looks only at those that it overlaps or touches.
 *
 * A POSIX request that would wait for an owner who waits, directly or through others, for us is refused with EDEADLK: each waiting
 * owner is on a global list with what it waits for.
 *
 * Locks: `lock` (FS_MISC) of the list guards it; `waits_lock` (LEAF_FS, spin) the list of waiting owners.  The list itself is made under v_lock's
 * protection by compare-and-swap, and freed with the vnode.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/lib/rbtree.h"

#define LOCK_SH	     1
#define LOCK_EX	     2
#define LOCK_NB	     4
#define LOCK_UN	     8
#define F_RDLCK	     0
#define F_WRLCK	     1
#define F_UNLCK	     2
#define F_GETLK	     5
#define F_SETLK	     6
#define F_SETLKW     7
#define F_OFD_GETLK  36
#define F_OFD_SETLK  37
#define F_OFD_SETLKW 38
#define TO_END	     INT64_MAX

/* Field markings and the corresponding locks:
 * (l) the list's lock
 */
struct range {
	union {
		struct list link;    /* (l) in lock_list.whole */
		struct rb_node node; /* (l) in lock_list.ranges, by start */
	};
	const void *owner; /* (l) */
	s32 pid;	   /* (l) -1: an open file's */
	s16 type;	   /* (l) F_RDLCK, F_WRLCK */
	s64 start, end;	   /* (l) inclusive */
	s64 max_end;	   /* (l) largest end in the subtree */
};

/* Field markings and the corresponding locks:
 * (c) constant   (l) lock
 */
struct lock_list {
	struct mutex lock;     /* (c) FS_MISC */
	struct rb_tree ranges; /* (l) */
	struct list whole;     /* (l) flock's: start and end unused */
	struct waitq wait;     /* (c) woken when something is released */
};

/* A waiting POSIX owner. */
struct waiting {
	struct list link; /* waits_lock */
	const void *owner, *for_owner;
};

static struct spinlock waits_lock = SPINLOCK_INIT(LOCK_LEAF_FS, "lock waits");
static struct list waits = LIST_INIT(waits);

static struct range *range_of(struct rb_node *n)
{
	return n ? container_of(n, struct range, node) : NULL;
}

static bool update_end(struct rb_node *n)
{
	struct range *r = range_of(n), *left = range_of(n->left), *right = range_of(n->right);
	s64 old = r->max_end;

	r->max_end = r->end;
	if (left)
		r->max_end = MAX(r->max_end, left->max_end);
	if (right)
		r->max_end = MAX(r->max_end, right->max_end);
	return r->max_end != old;
}

static struct lock_list *list_get(struct vnode *vn)
{
	struct lock_list *l = __atomic_load_n(&vn->locks, __ATOMIC_ACQUIRE);
	void *none = NULL;

	if (l)
		return l;
	l = kmalloc(sizeof(*l), 0);
	if (!l)
		return NULL;
	mutex_init(&l->lock, LOCK_FS_MISC, "file locks");
	l->ranges = (struct rb_tree)RB_TREE_INIT(update_end);
	list_init(&l->whole);
	waitq_init(&l->wait);
	if (__atomic_compare_exchange_n(&vn->locks, &none, l, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return l;
	kfree(l);
	return none;
}

void flock_vnode_free(struct vnode *vn)
{
	struct lock_list *l = vn->locks;

	if (!l)
		return;
	ASSERT(!l->ranges.root && list_empty(&l->whole));
	kfree(l);
	vn->locks = NULL;
}

static struct range *range_new(const struct range *like)
{
	struct range *r = kmalloc(sizeof(*r), 0);

	if (r)
		*r = *like;
	return r;
}

/* ---- flock ---- */

static struct range *whole_of(struct lock_list *l, const struct file *f)
{
	struct range *r;

	list_for_each(r, &l->whole, link) {
		if (r->owner == f)
			return r;
	}
	return NULL;
}

static bool whole_conflict(struct lock_list *l, const struct file *f, s16 type)
{
	struct range *r;

	list_for_each(r, &l->whole, link) {
		if (r->owner != f && (type == F_WRLCK || r->type == F_WRLCK))
			return true;
	}
	return false;
}

static void whole_release(struct lock_list *l, const struct file *f)
{
	struct range *r = whole_of(l, f);

	if (!r)
		return;
	list_del(&r->link);
	kfree(r);
	waitq_wake_all(&l->wait);
}

static int whole_take(struct lock_list *l, struct file *f, struct range *fresh, bool wait)
	REQUIRES(l->lock)
{
	int err;

	/* changing the kind gives the old one up first, as Linux does */
	if (whole_of(l, f) && whole_of(l, f)->type != fresh->type)
		whole_release(l, f);
	while (whole_conflict(l, f, fresh->type)) {
		if (!wait)
			return -EAGAIN;
		err = wait_event_mutex(&l->wait, &l->lock, !whole_conflict(l, f, fresh->type),
				       WAIT_INTR);
		if (err)
			return -ERESTARTSYS;
	}
	if (whole_of(l, f))
		return -EEXIST; /* has it already */
	list_add_tail(&l->whole, &fresh->link);
	return 0;
}

int file_flock(struct file *f, int op)
{
	struct range like = {.owner = f,
			     .pid = -1,
			     .type = (op & ~LOCK_NB) == LOCK_EX ? F_WRLCK : F_RDLCK},
		     *fresh;
	struct lock_list *l = list_get(f->vnode);
	int err = 0;

	if (!l)
		return -ENOMEM;
	if ((op & ~LOCK_NB) == LOCK_UN) {
		mutex_lock(&l->lock);
		whole_release(l, f);
		mutex_unlock(&l->lock);
		return 0;
	}
	fresh = range_new(&like);
	if (!fresh)
		return -ENOMEM;
	WRITE_ONCE(f->lock_held, true);
	mutex_lock(&l->lock);
	err = whole_take(l, f, fresh, !(op & LOCK_NB));
	mutex_unlock(&l->lock);
	if (err)
		kfree(fresh);
	return err == -EEXIST ? 0 : err;
}

/* ---- ranges ---- */

static void range_free(struct lock_list *l, struct range *r)
{
	rb_erase(&l->ranges, &r->node);
	kfree(r);
}

/* The first range by start that overlaps [start, end]. */
static struct range *first_over(struct lock_list *l, s64 start, s64 end)
{
	struct rb_node *n = l->ranges.root;

	while (n) {
		struct range *r = range_of(n), *left = range_of(n->left);

		if (left && left->max_end >= start)
			n = n->left;
		else if (r->start > end)
			return NULL;
		else if (r->end >= start)
			return r;
		else
			n = n->right;
	}
	return NULL;
}

/* The next one after r: below its right child, or on the way up. */
static struct range *next_over(struct range *r, s64 start, s64 end)
{
	struct rb_node *n = &r->node, *up;

	for (;;) {
		struct range *right = range_of(n->right);

		if (right && right->max_end >= start) {
			n = n->right;
			while (range_of(n->left) && range_of(n->left)->max_end >= start)
				n = n->left;
		} else {
			while ((up = rb_parent(n)) && up->right == n)
				n = up;
			n = up;
		}
		r = range_of(n);
		if (!r || r->start > end)
			return NULL;
		if (r->end >= start)
			return r;
	}
}

/* The first that conflicts, by start: F_GETLK shows it. */
static struct range *conflict(struct lock_list *l, const struct range *want)
{
	struct range *r;

	for (r = first_over(l, want->start, want->end); r;
	     r = next_over(r, want->start, want->end)) {
		if (r->owner != want->owner && (r->type == F_WRLCK || want->type == F_WRLCK))
			return r;
	}
	return NULL;
}

static void insert(struct lock_list *l, struct range *n)
{
	struct rb_node **link = &l->ranges.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = n->start < range_of(parent)->start ? &parent->left : &parent->right;
	}
	rb_insert(&l->ranges, &n->node, parent, link);
}

/*
 * Cuts [want->start, want->end] out of r, its owner's; spare serves when the middle is cut. True: spare was used. What remains of r begins where no
 * other range of its owner does, but others' may lie between its old start and the new: it is put in again.
 */
static bool cut(struct lock_list *l, struct range *r, const struct range *want, struct range *spare)
{
	bool middle = r->start < want->start && r->end > want->end;

	if (middle) {
		*spare = *r;
		spare->start = want->end + 1;
		insert(l, spare);
	}
	if (r->start < want->start) {
		r->end = want->start - 1;
		rb_update(&l->ranges, &r->node);
	} else if (r->end > want->end) {
		rb_erase(&l->ranges, &r->node);
		r->start = want->end + 1;
		insert(l, r);
	} else {
		range_free(l, r);
	}
	return middle;
}

/* The owner's ranges that touch the new one, which is in no list yet, become part of it. */
static void merge(struct lock_list *l, struct range *n)
{
	s64 from = n->start ? n->start - 1 : 0, to = n->end == TO_END ? TO_END : n->end + 1;
	struct range *r, *next;

	for (r = first_over(l, from, to); r; r = next) {
		next = next_over(r, from, to);
		if (r->owner != n->owner || r->type != n->type)
			continue;
		n->start = MIN(n->start, r->start);
		n->end = MAX(n->end, r->end);
		range_free(l, r);
	}
}

/* Gives the owner exactly this over the range; fresh (NULL to unlock) and spare are used or left. Locked, no conflict. */
static void apply(struct lock_list *l, const struct range *want, struct range **fresh,
		  struct range **spare)
{
	struct range *r, *next;

	for (r = first_over(l, want->start, want->end); r; r = next) {
		next = next_over(r, want->start, want->end);
		if (r->owner != want->owner)
			continue;
		if (cut(l, r, want, *spare)) {
			*spare = NULL;
			break; /* no other of its own can overlap */
		}
	}
	if (want->type != F_UNLCK) {
		merge(l, *fresh);
		insert(l, *fresh);
		*fresh = NULL;
	}
	waitq_wake_all(&l->wait);
}

/* Would waiting for `holder` close a circle back to `owner`? */
static bool deadlock(const void *owner, const void *holder)
{
	struct waiting *w;
	unsigned steps = 0;

again:
	list_for_each(w, &waits, link) {
		if (w->owner != holder)
			continue;
		if (w->for_owner == owner)
			return true;
		holder = w->for_owner;
		if (++steps > 1000)
			return false;
		goto again;
	}
	return false;
}

/* Waits until a release; the list is locked. */
static int wait_release(struct lock_list *l, const struct range *want, const struct range *holder,
			bool posix) REQUIRES(l->lock)
{
	struct waiting w = {.owner = want->owner, .for_owner = holder->owner};
	bool circle = false;
	int err;

	if (posix) {
		spin_lock(&waits_lock);
		circle = deadlock(w.owner, w.for_owner);
		if (!circle)
			list_add_tail(&waits, &w.link);
		spin_unlock(&waits_lock);
	}
	if (circle)
		return -EDEADLK;
	err = wait_event_mutex(&l->wait, &l->lock, conflict(l, want) != holder, WAIT_INTR);
	if (posix) {
		spin_lock(&waits_lock);
		list_del(&w.link);
		spin_unlock(&waits_lock);
	}
	return err ? -ERESTARTSYS : 0;
}

static int set_range(struct lock_list *l, const struct range *want, bool wait, bool posix)
{
	struct range *fresh = range_new(want), *spare = range_new(want), *holder;
	int err = fresh && spare ? 0 : -ENOMEM;

	mutex_lock(&l->lock);
	while (!err && want->type != F_UNLCK && (holder = conflict(l, want)) != NULL)
		err = wait ? wait_release(l, want, holder, posix) : -EAGAIN;
	if (!err)
		apply(l, want, &fresh, &spare);
	mutex_unlock(&l->lock);
	kfree(fresh);
	kfree(spare);
	return err;
}

/* start and end from whence, start, len. */
static int to_range(struct file *f, const struct flock_k *k, struct range *out)
{
	s64 base = 0, start, end = TO_END;
	struct vattr a;
	int err;

	if (k->whence == 1) {
		base = (s64)READ_ONCE(f->pos);
	} else if (k->whence == 2) {
		err = vfs_getattr(f->vnode, &a);
		if (err)
			return err;
		base = (s64)a.size;
	}
	if (__builtin_add_overflow(base, k->start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	if (k->len > 0) {
		if (__builtin_add_overflow(start, k->len - 1, &end))
			return -EOVERFLOW;
	} else if (k->len < 0) {
		end = start - 1;
		start += k->len;
		if (start < 0)
			return -EINVAL;
	}
	out->start = start;
	out->end = end;
	out->type = k->type;
	return 0;
}

static void show(const struct range *r, struct flock_k *k)
{
	k->type = r->type;
	k->whence = 0;
	k->start = r->start;
	k->len = r->end == TO_END ? 0 : r->end - r->start + 1;
	k->pid = r->pid;
}

static int get_lock(struct lock_list *l, const struct range *want, struct flock_k *k)
{
	struct range *r;

	if (want->type == F_UNLCK)
		return -EINVAL;
	mutex_lock(&l->lock);
	r = conflict(l, want);
	if (r)
		show(r, k);
	else
		k->type = F_UNLCK;
	mutex_unlock(&l->lock);
	return 0;
}

int file_record_lock(struct file *f, int cmd, struct flock_k *k, void *owner, s32 pid)
{
	bool ofd = cmd >= F_OFD_GETLK, wait = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
	struct range want = {.owner = ofd ? (void *)f : owner, .pid = ofd ? -1 : pid};
	struct lock_list *l;
	int err = to_range(f, k, &want);

	if (err)
		return err;
	l = list_get(f->vnode);
	if (!l)
		return -ENOMEM;
	if (cmd == F_GETLK || cmd == F_OFD_GETLK)
		return get_lock(l, &want, k);
	if ((k->type == F_RDLCK && !f->may_read) || (k->type == F_WRLCK && !f->may_write))
		return -EBADF;
	WRITE_ONCE(f->lock_held, true);
	return set_range(l, &want, wait, !ofd);
}

static void drop_ranges(struct lock_list *l, const void *owner)
{
	struct rb_node *n, *next;

	mutex_lock(&l->lock);
	for (n = rb_first(&l->ranges); n; n = next) {
		next = rb_next(n);
		if (range_of(n)->owner == owner)
			range_free(l, range_of(n));
	}
	waitq_wake_all(&l->wait);
	mutex_unlock(&l->lock);
}

void flock_owner_closed(struct file *f, void *owner)
{
	struct lock_list *l = f->vnode->locks;

	if (l)
		drop_ranges(l, owner);
}

void flock_file_released(struct file *f)
{
	struct lock_list *l = f->vnode->locks;

	if (!l)
		return;
	mutex_lock(&l->lock);
	whole_release(l, f);
	mutex_unlock(&l->lock);
	drop_ranges(l, f);
}
