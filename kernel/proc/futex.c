// SPDX-License-Identifier: BSD-2-Clause
/*
 * Futexes: sleeping on a word of user memory.
 *
 * A waiter is on its sleeper's stack, in the bucket that its key hashes to.  A key is (map, address) for private futexes,
 * (object, offset) for shared ones, whose object the waiter holds, and (map, address + 1) for those that are called shared but lie in
 * private memory.
 *
 * Invariants: between the comparison of the word and the queueing the bucket's lock is not given up, so a wake that
 * follows a store is not lost.  A waiter with queued == false belongs to its sleeper alone, which looks under the
 * lock of the bucket it was last in.
 *
 * Locks: bucket->lock (LOCK_FUTEX); two of them in address order.
 */
#include "kernel/proc/proc_internal.h"

#include "kernel/mem/frame.h"

#define FUTEX_WAITERS	 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK	 0x3fffffffu
#define ROBUST_LIMIT	 2048
#define BITSET_ANY	 0xffffffffu

enum {
	FUTEX_WAIT,
	FUTEX_WAKE,
	FUTEX_FD,
	FUTEX_REQUEUE,
	FUTEX_CMP_REQUEUE,
	FUTEX_WAKE_OP,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET
};
#define FUTEX_PRIVATE_FLAG   128
#define FUTEX_CLOCK_REALTIME 256

/* Field markings and the corresponding locks:
 * (b) constant but for requeue, which holds the bucket's lock
 */
struct futex_key {
	void *space;		  /* (b) map or object */
	u64 where;		  /* (b) address, or offset in the object */
	struct vm_object *object; /* (b) held; NULL for private ones */
};

/* Field markings and the corresponding locks:
 * (b) bucket's lock   (c) constant
 */
struct bucket {
	struct spinlock lock; /* (c) */
	struct list waiters;  /* (b) in order of arrival */
};

/* Field markings and the corresponding locks:
 * (b) lock of its bucket   (c) constant
 */
struct futex_waiter {
	struct list link;      /* (b) */
	struct bucket *bucket; /* (b) changed under both locks by requeue */
	struct futex_key key;  /* (b) */
	struct thread *thread; /* (c) */
	u32 bitset;	       /* (c) */
	bool queued;	       /* (b) */
};

static struct bucket *buckets;
static u64 nbuckets; /* power of two */

void futex_init(void)
{
	u64 want = frames_total() / 32;

	for (nbuckets = 256; nbuckets < want && nbuckets < 65536;)
		nbuckets *= 2;
	buckets = kmalloc(nbuckets * sizeof(*buckets), 0);
	if (!buckets)
		panic("no memory for %lu futex buckets", nbuckets);
	for (u64 i = 0; i < nbuckets; i++) {
		spin_init(&buckets[i].lock, LOCK_FUTEX, "futex");
		list_init(&buckets[i].waiters);
	}
}

/* ---- keys ---- */

static int key_get(u64 uaddr, bool shared, bool write, struct futex_key *k)
{
	int err;

	if (uaddr & 3)
		return -EINVAL;
	if (!user_range_ok(uaddr, 4))
		return -EFAULT;
	*k = (struct futex_key){current()->map, uaddr, NULL};
	if (!shared)
		return 0;
	err = vm_futex_key(current()->map, uaddr, write, &k->object, &k->where);
	if (err && !write) /* a page never written has no object yet */
		err = vm_futex_key(current()->map, uaddr, true, &k->object, &k->where);
	if (err)
		return err;
	if (k->object)
		k->space = k->object;
	else
		k->where = uaddr | 1;
	return 0;
}

static void key_put(struct futex_key *k)
{
	if (k->object)
		vm_object_drop(k->object);
	k->object = NULL;
}

static struct bucket *bucket_of(const struct futex_key *k)
{
	u64 h = ((u64)k->space >> 5) ^ (k->where >> 2);

	h *= 0x9e3779b97f4a7c15UL;
	return &buckets[(h >> 32) & (nbuckets - 1)];
}

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
	return a->space == b->space && a->where == b->where;
}

static NO_TS void lock_two(struct bucket *a, struct bucket *b) ACQUIRES(a->lock, b->lock)
{
	if (a > b) {
		struct bucket *t = a;

		a = b;
		b = t;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock_same(&b->lock);
}

static NO_TS void unlock_two(struct bucket *a, struct bucket *b) RELEASES(a->lock, b->lock)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* ---- waiting ---- */

/* Puts w into its bucket if the word still has the value; -EAGAIN, -EFAULT. */
static int queue_if_equal(struct futex_waiter *w, u64 uaddr, u32 val)
{
	struct bucket *b = bucket_of(&w->key);
	u32 now;

	for (;;) {
		spin_lock(&b->lock);
		if (likely(copy_from_user_nofault(&now, (u32 __user *)uaddr, 4) == 0))
			break;
		spin_unlock(&b->lock);
		if (get_user_u32(&now, (u32 __user *)uaddr))
			return -EFAULT;
	}
	if (now != val) {
		spin_unlock(&b->lock);
		return -EAGAIN;
	}
	w->bucket = b;
	w->queued = true;
	list_add_tail(&b->waiters, &w->link);
	spin_unlock(&b->lock);
	return 0;
}

/* Takes w out of its queue if it still is in one.  True: it was, nobody woke it. */
static bool unqueue(struct futex_waiter *w)
{
	struct bucket *b;
	bool was;

	for (;;) {
		b = __atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE);
		spin_lock(&b->lock);
		if (b == w->bucket)
			break;
		spin_unlock(&b->lock); /* requeued meanwhile */
	}
	was = w->queued;
	if (was)
		list_del(&w->link);
	w->queued = false;
	spin_unlock(&b->lock);
	return was;
}

/* 0 woken; -EAGAIN, -EFAULT, -ETIMEDOUT, -EINTR. */
static int wait_once(u64 uaddr, struct futex_key *key, u32 val, u32 bitset, u64 deadline)
{
	struct futex_waiter w = {.key = *key, .thread = current(), .bitset = bitset};
	struct waiter sleep = {0};
	struct waitq q;
	int err;

	waitq_init(&q);
	err = queue_if_equal(&w, uaddr, val);
	while (!err) {
		wait_prepare(&q, &sleep, WAIT_INTR);
		if (!READ_ONCE(w.queued))
			break;
		err = wait_block(WAIT_INTR, deadline);
		if (!READ_ONCE(w.queued))
			break;
	}
	wait_finish(&q, &sleep);
	if (w.bucket && !unqueue(&w))
		err = 0;
	return err;
}

static long restart_wait(struct restart *r)
{
	struct futex_args a = {
		.uaddr = r->arg[0],
		.op = (int)r->arg[1],
		.val = (u32)r->arg[2],
		.deadline = r->arg[3],
		.val3 = (u32)r->arg[4],
	};

	return futex(&a);
}

static s64 futex_wait(const struct futex_args *a, bool shared, u32 bitset)
{
	struct restart *r = &current_task()->restart;
	struct futex_key key;
	int err;

	if (!bitset)
		return -EINVAL;
	err = key_get(a->uaddr, shared, false, &key);
	if (err)
		return err;
	err = wait_once(a->uaddr, &key, a->val, bitset, a->deadline);
	key_put(&key);
	if (err != -EINTR)
		return err;
	if (a->deadline == FUTEX_NO_TIMEOUT)
		return -ERESTARTSYS;
	*r = (struct restart){restart_wait, {a->uaddr, (u64)a->op, a->val, a->deadline, bitset}};
	return -ERESTART_RESTARTBLOCK;
}

/* ---- waiting for one of several ---- */

/* Takes the first n out of their queues: the index of one that was woken, or -1. */
static s32 unqueue_all(struct futex_waiter *w, u32 n)
{
	s32 woken = -1;

	for (u32 i = 0; i < n; i++) {
		if (!unqueue(&w[i]))
			woken = (s32)i;
		key_put(&w[i].key);
	}
	return woken;
}

static int queue_all(struct futex_waiter *w, const struct futex_one *v, u32 n, u32 *queued)
{
	for (u32 i = 0; i < n; i++) {
		int err = key_get(v[i].uaddr, v[i].shared, false, &w[i].key);

		if (err)
			return err;
		w[i].thread = current();
		w[i].bitset = BITSET_ANY;
		err = queue_if_equal(&w[i], v[i].uaddr, v[i].val);
		if (err) {
			key_put(&w[i].key);
			return err;
		}
		*queued = i + 1;
	}
	return 0;
}

static bool any_woken(const struct futex_waiter *w, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (!READ_ONCE(w[i].queued))
			return true;
	return false;
}

s64 futex_wait_any(const struct futex_one *v, u32 n, u64 deadline)
{
	struct futex_waiter *w = kzalloc(n * sizeof(*w));
	struct waiter sleep = {0};
	struct waitq q;
	u32 queued = 0;
	s32 woken;
	int err;

	if (!w)
		return -ENOMEM;
	waitq_init(&q);
	err = queue_all(w, v, n, &queued);
	while (!err) {
		wait_prepare(&q, &sleep, WAIT_INTR);
		if (any_woken(w, n))
			break;
		err = wait_block(WAIT_INTR, deadline);
	}
	wait_finish(&q, &sleep);
	woken = unqueue_all(w, queued);
	kfree(w);
	if (woken >= 0)
		return woken;
	return err == -EINTR ? -ERESTARTSYS : err;
}

/* ---- waking ---- */

/* Bucket locked.  The waiter's frame may be gone as soon as the lock is given up. */
static void wake_waiter(struct futex_waiter *w)
{
	list_del(&w->link);
	WRITE_ONCE(w->queued, false);
	sched_wake(w->thread);
}

static u32 wake_matching(struct bucket *b, const struct futex_key *k, u32 n, u32 bitset)
	REQUIRES(b->lock)
{
	struct futex_waiter *w, *tmp;
	u32 woken = 0;

	list_for_each_safe(w, tmp, &b->waiters, link) {
		if (woken >= n)
			break;
		if (!same_key(&w->key, k) || !(w->bitset & bitset))
			continue;
		wake_waiter(w);
		woken++;
	}
	return woken;
}

static s64 futex_wake(u64 uaddr, bool shared, u32 n, u32 bitset)
{
	struct futex_key key;
	struct bucket *b;
	u32 woken = 0;
	int err;

	if (!bitset)
		return -EINVAL;
	err = key_get(uaddr, shared, false, &key);
	if (err)
		return err;
	b = bucket_of(&key);
	spin_lock(&b->lock);
	if (!list_empty(&b->waiters))
		woken = wake_matching(b, &key, (s32)n > 0 ? n : 1, bitset);
	spin_unlock(&b->lock);
	key_put(&key);
	return woken;
}

int futex_wake_addr(u64 addr, int n)
{
	s64 woken = futex_wake(addr, false, (u32)n, BITSET_ANY);

	if (woken == 0)
		woken = futex_wake(addr, true, (u32)n, BITSET_ANY);
	return (int)woken;
}

/* ---- requeueing ---- */

/* Moves up to n waiters from one key to another, both buckets locked.  Objects given up go to `drop`. */
static u32 move_waiters(struct bucket *from, const struct futex_key *k, struct bucket *to,
			const struct futex_key *k2, u32 n) REQUIRES(from->lock, to->lock)
{
	struct futex_waiter *w, *tmp;
	u32 moved = 0;

	list_for_each_safe(w, tmp, &from->waiters, link) {
		if (moved >= n)
			break;
		if (!same_key(&w->key, k))
			continue;
		w->key.space = k2->space;
		w->key.where = k2->where;
		if (to != from) {
			list_del(&w->link);
			list_add_tail(&to->waiters, &w->link);
			__atomic_store_n(&w->bucket, to, __ATOMIC_RELEASE);
		}
		moved++;
	}
	return moved;
}

/* The word, read under locks: 0, or unlocks, faults it in and returns -EAGAIN to begin again; -EFAULT. */
static NO_TS int read_locked(struct bucket *a, struct bucket *b, u64 uaddr, u32 *now)
	REQUIRES(a->lock, b->lock)
{
	if (likely(copy_from_user_nofault(now, (u32 __user *)uaddr, 4) == 0))
		return 0;
	unlock_two(a, b);
	return get_user_u32(now, (u32 __user *)uaddr) ? -EFAULT : -EAGAIN;
}

static NO_TS s64 requeue_keys(const struct futex_args *a, struct futex_key *k1,
			      struct futex_key *k2, bool compare)
{
	struct bucket *b1 = bucket_of(k1), *b2 = bucket_of(k2);
	u32 now, done;

	for (;;) {
		int err = 0;

		lock_two(b1, b2);
		if (compare)
			err = read_locked(b1, b2, a->uaddr, &now);
		if (!err)
			break;
		if (err != -EAGAIN)
			return err;
	}
	if (compare && now != a->val3) {
		unlock_two(b1, b2);
		return -EAGAIN;
	}
	done = wake_matching(b1, k1, a->val, BITSET_ANY);
	if (!same_key(k1, k2))
		done += move_waiters(b1, k1, b2, k2, a->val2);
	unlock_two(b1, b2);
	return done;
}

static s64 futex_requeue(const struct futex_args *a, bool shared, bool compare)
{
	struct futex_key k1, k2;
	s64 ret;
	int err;

	if ((s32)a->val < 0 || (s32)a->val2 < 0)
		return -EINVAL;
	err = key_get(a->uaddr, shared, false, &k1);
	if (err)
		return err;
	err = key_get(a->uaddr2, shared, false, &k2);
	ret = err ? err : requeue_keys(a, &k1, &k2, compare);
	key_put(&k1);
	if (!err)
		key_put(&k2);
	return ret;
}

/* ---- wake op ---- */

static u32 op_result(u32 op, u32 old, u32 arg)
{
	switch (op) {
	case 0:
		return arg;
	case 1:
		return old + arg;
	case 2:
		return old | arg;
	case 3:
		return old & ~arg;
	default:
		return old ^ arg;
	}
}

static bool op_compare(u32 cmp, s32 old, s32 arg)
{
	switch (cmp) {
	case 0:
		return old == arg;
	case 1:
		return old != arg;
	case 2:
		return old < arg;
	case 3:
		return old <= arg;
	case 4:
		return old > arg;
	default:
		return old >= arg;
	}
}

static s32 sign12(u32 v)
{
	return (s32)(v << 20) >> 20;
}

/* Changes the word at uaddr2 as val3 encodes; whether the old value passes the comparison. */
static int do_op(u64 uaddr, u32 encoded, bool *passes)
{
	u32 op = encoded >> 28 & 7, cmp = encoded >> 24 & 15, old, seen;
	s32 oparg = sign12(encoded >> 12 & 0xfff), cmparg = sign12(encoded & 0xfff);

	if (op > 4 || cmp > 5)
		return -ENOSYS;
	if (encoded >> 31)
		oparg = (s32)(1u << (oparg & 31));
	if (get_user_u32(&old, (u32 __user *)uaddr))
		return -EFAULT;
	for (;;) {
		if (cmpxchg_user_u32((u32 __user *)uaddr, old, op_result(op, old, (u32)oparg),
				     &seen))
			return -EFAULT;
		if (seen == old)
			break;
		old = seen;
	}
	*passes = op_compare(cmp, (s32)old, cmparg);
	return 0;
}

/* The word is changed before the wakes: a waiter that queues in between has seen the new value or is woken. */
static s64 futex_wake_op(const struct futex_args *a, bool shared)
{
	bool passes = false;
	s64 n, m;
	int err;

	if ((a->uaddr | a->uaddr2) & 3)
		return -EINVAL;
	err = do_op(a->uaddr2, a->val3, &passes);
	if (err)
		return err;
	n = futex_wake(a->uaddr, shared, a->val, BITSET_ANY);
	if (n < 0 || !passes)
		return n;
	m = futex_wake(a->uaddr2, shared, a->val2, BITSET_ANY);
	return m < 0 ? m : n + m;
}

s64 futex(const struct futex_args *a)
{
	bool shared = !(a->op & FUTEX_PRIVATE_FLAG);
	int cmd = a->op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);

	if ((a->op & FUTEX_CLOCK_REALTIME) && cmd != FUTEX_WAIT && cmd != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
		return futex_wait(a, shared, BITSET_ANY);
	case FUTEX_WAIT_BITSET:
		return futex_wait(a, shared, a->val3);
	case FUTEX_WAKE:
		return futex_wake(a->uaddr, shared, a->val, BITSET_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(a->uaddr, shared, a->val, a->val3);
	case FUTEX_REQUEUE:
		return futex_requeue(a, shared, false);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(a, shared, true);
	case FUTEX_WAKE_OP:
		return futex_wake_op(a, shared);
	default:
		return -ENOSYS;
	}
}

/* ---- robust lists (Documentation/locking/robust-futexes.rst) ---- */

/* The owner of the futex word is gone: marks it and wakes one. */
static int owner_died(u64 uaddr, bool pending)
{
	u32 val, seen;

	if ((uaddr & 3) || get_user_u32(&val, (u32 __user *)uaddr))
		return -EFAULT;
	if (pending && val == 0) {
		(void)futex_wake_addr(uaddr, 1);
		return 0;
	}
	while ((val & FUTEX_TID_MASK) == (u32)current()->tid) {
		if (cmpxchg_user_u32((u32 __user *)uaddr, val,
				     (val & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
			return -EFAULT;
		if (seen == val) {
			if (val & FUTEX_WAITERS)
				(void)futex_wake_addr(uaddr, 1);
			return 0;
		}
		val = seen;
	}
	return 0;
}

void futex_exit_robust(struct task *t)
{
	u64 head = t->robust_list, entry, offset, pending;
	u64 __user *p = (u64 __user *)head;

	if (get_user_u64(&entry, p) || get_user_u64(&offset, p + 1) ||
	    get_user_u64(&pending, p + 2))
		return;
	for (unsigned n = 0; (entry & ~1UL) != head && n < ROBUST_LIMIT; n++) {
		u64 at = entry & ~1UL, next;
		bool pi = entry & 1;
		int err = get_user_u64(&next, (u64 __user *)at);

		/* the one being taken or given back is handled once, below */
		if (at != (pending & ~1UL) && !pi && owner_died(at + offset, false))
			return;
		if (err)
			return;
		entry = next;
	}
	if (pending & ~1UL)
		(void)owner_died((pending & ~1UL) + offset, true);
}
