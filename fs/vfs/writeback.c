// SPDX-License-Identifier: BSD-2-Clause
/*
 * Dirty vnodes and their way to the disk.
 *
 * A vnode is on its mount's dirty list from its first dirty page or attribute until a pass finds it clean with nothing under way.  A pass first
 * takes it off and then looks, so that a page made dirty meanwhile either puts it back or is seen.  What could not be written stays and is tried again by each
 * pass.  Nobody waits for it to become less; when as much memory is held that way as may be dirty, writes to that file system get EIO.  The write-back thread passes over what is older
 * than 30 s every 5 s, over everything when more than a tenth of memory is dirty; above a fifth, writers wait for it: /proc/sys/vm/dirty_*.
 *
 * Order within one mount: contents, then inodes into the metadata cache, then the superblock, then the metadata cache to the device.
 *
 * Locks: dirty_lock (DIRTY_LIST) guards each list; wait_lock none: passes may run side by side.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/lib/ref.h"

#define CENTISECOND	(NSEC_PER_SEC / 100)
#define PAGES_PER_CHECK 64u

struct vfs_writeback_limits vfs_writeback = {
	.background = 10, .most = 20, .age = 3000, .period = 500};

static struct waitq thread_q, writers_q;
static u32 kicked;	      /* (a) */
static u32 pages_since_check; /* (a) */
static u64 passes;	      /* (a) passes over everything completed by the thread */

void writeback_init(void)
{
	waitq_init(&thread_q);
	waitq_init(&writers_q);
}

void writeback_add(struct vnode *vn)
{
	struct mount *m = vn->mount;

	if (!m || (!list_empty(&vn->dirty_link) && READ_ONCE(vn->dirty_since)))
		return;
	spin_lock(&m->dirty_lock);
	if (list_empty(&vn->dirty_link)) {
		vn->dirty_since = time_now() | 1;
		list_add_tail(&m->dirty, &vn->dirty_link);
	}
	spin_unlock(&m->dirty_lock);
}

void writeback_forget(struct vnode *vn)
{
	struct mount *m = vn->mount;

	if (!m)
		return;
	spin_lock(&m->dirty_lock);
	list_del(&vn->dirty_link);
	spin_unlock(&m->dirty_lock);
}

static bool is_dirty(const struct vnode *vn)
{
	return READ_ONCE(vn->attr_dirty) || (vn->object && vm_object_unwritten(vn->object));
}

/* The oldest vnode that became dirty before `until` and was not met in this pass, off the list and held. */
static struct vnode *take(struct mount *m, u64 until)
{
	struct vnode *vn;

	spin_lock(&m->dirty_lock);
	vn = list_first(&m->dirty, struct vnode, dirty_link);
	if (vn && vn->dirty_since >= until)
		vn = NULL;
	if (vn) {
		list_del(&vn->dirty_link);
		ref_get_first(&vn->refs); /* from 0 too: see vnode.c */
	}
	spin_unlock(&m->dirty_lock);
	return vn;
}

/* Writes one vnode; puts it back on the list if that has not ended (or not succeeded). */
static int write_vnode(struct vnode *vn, bool wait)
{
	const struct fs_ops *ops = vn->mount->type->ops;
	int err = 0, err2 = 0;

	vnode_stamp_stored(vn);
	if (vn->object && READ_ONCE(vn->object->failed))
		WRITE_ONCE(vn->mount->failing, true);
	if (vn->object && (wait || vm_object_dirty(vn->object)))
		err = vm_object_clean(vn->object, 0, ~0UL, wait);
	if (READ_ONCE(vn->attr_dirty) && ops && ops->write_attr)
		err2 = ops->write_attr(vn, wait);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (is_dirty(vn))
		writeback_add(vn);
	return err ? err : err2;
}

static int write_list(struct mount *m, u64 until, bool wait)
{
	struct vnode *vn;
	int err = 0, e;

	while ((vn = take(m, until)) != NULL) {
		e = write_vnode(vn, wait);
		if (e && !err)
			err = e;
		vnode_drop(vn);
	}
	return err;
}

static void start_one(struct vnode *vn)
{
	if (vn->object && vm_object_dirty(vn->object))
		vm_object_clean(vn->object, 0, ~0UL, false);
}

/* Starts everything before waiting for anything. */
static void start_list(struct mount *m)
{
	struct list batch, *l;

	/* the list is walked by moving it: each vnode goes back to the tail */
	list_init(&batch);
	spin_lock(&m->dirty_lock);
	list_splice_tail(&batch, &m->dirty);
	while ((l = list_pop(&batch)) != NULL) {
		struct vnode *vn = list_entry(l, struct vnode, dirty_link);

		list_add_tail(&m->dirty, l);
		ref_get_first(&vn->refs);
		spin_unlock(&m->dirty_lock);
		start_one(vn);
		vnode_drop(vn);
		spin_lock(&m->dirty_lock);
	}
	spin_unlock(&m->dirty_lock);
}

int writeback_mount(struct mount *m, bool wait)
{
	const struct fs_ops *ops = m->type->ops;
	int err, e;

	if (wait)
		start_list(m);
	err = write_list(m, time_now() + 2, wait);
	if (ops && ops->sync && !mount_readonly(m)) {
		e = ops->sync(m, wait);
		err = err ? err : e;
	}
	if (m->bdev_vnode) {
		e = bdev_sync(m->bdev_vnode, wait);
		err = err ? err : e;
	}
	return err;
}

/* ---- sync ---- */

struct sync_all {
	bool wait;
	int err;
};

static int sync_one(struct mount *m, void *arg)
{
	struct sync_all *s = arg;
	int err = writeback_mount(m, s->wait);

	if (err && !s->err)
		s->err = err;
	return 0;
}

int vfs_sync_all(bool wait)
{
	struct sync_all s = {.wait = wait};

	mount_each(sync_one, &s);
	sync_one(bdev_mount, &s);
	return s.err;
}

/* ---- the thread ---- */

static int write_old(struct mount *m, void *arg)
{
	u64 until = *(u64 *)arg;
	const struct fs_ops *ops = m->type->ops;

	WRITE_ONCE(m->failing, false); /* a vnode that could not be written says so again */
	write_list(m, until, false);
	if (ops && ops->sync && !mount_readonly(m))
		ops->sync(m, false);
	return 0;
}

static u64 dirty_pages(void)
{
	struct vm_totals t;

	vm_totals(&t);
	return t.dirty - MIN(t.failed, t.dirty) + t.writeback;
}

static bool too_much(u64 parts_of_hundred)
{
	return dirty_pages() > frames_total() / 100 * parts_of_hundred;
}

/* Memory is short, and much of it is in structures: old names and vnodes go. */
static void relieve(void)
{
	u64 total = frames_total(), names, idle;

	if (frames_free_count() > total / 64 || slab_frames() < total / 16)
		return;
	name_stats(&names, &idle);
	vfs_shrink(MAX(idle / 8, 256UL));
	slab_shrink();
}

static void pass(void)
{
	bool all = __atomic_exchange_n(&kicked, 0, __ATOMIC_ACQ_REL) ||
		   too_much(READ_ONCE(vfs_writeback.background));
	u64 now = time_now(), age = READ_ONCE(vfs_writeback.age) * CENTISECOND;
	u64 until = all ? now + 2 : now > age ? now - age : 0;

	if (until) {
		mount_each(write_old, &until);
		write_old(bdev_mount, &until);
	}
	relieve();
	if (all)
		__atomic_fetch_add(&passes, 1, __ATOMIC_RELEASE);
	waitq_wake_all(&writers_q);
}

static void writeback_thread(void *arg __unused)
{
	for (;;) {
		(void)wait_event_until(
			&thread_q, __atomic_load_n(&kicked, __ATOMIC_ACQUIRE), WAIT_UNINTR,
			time_now() + MAX(READ_ONCE(vfs_writeback.period), 1U) * CENTISECOND);
		pass();
	}
}

void vfs_start_writeback(void)
{
	if (!kthread_run("writeback", writeback_thread, NULL))
		panic("no memory for the write-back thread");
	vm_set_writeback_kick(writeback_kick);
}

void writeback_kick(void)
{
	__atomic_store_n(&kicked, 1, __ATOMIC_RELEASE);
	waitq_wake_one(&thread_q);
}

/* A writer waits until less is dirty, or the thread has been over everything once more (then the disk, not it, is behind: it waits again). */
static void wait_for_disk(void)
{
	while (too_much(READ_ONCE(vfs_writeback.most))) {
		u64 seen = __atomic_load_n(&passes, __ATOMIC_ACQUIRE);
		int err;

		writeback_kick();
		err = wait_event_until(&writers_q,
				       __atomic_load_n(&passes, __ATOMIC_ACQUIRE) != seen,
				       WAIT_KILL, time_now() + NSEC_PER_SEC / 10);
		if (err == -EINTR)
			return;
	}
}

bool writeback_hopeless(const struct mount *m)
{
	struct vm_totals t;

	if (likely(!m || !READ_ONCE(m->failing)))
		return false;
	vm_totals(&t);
	return t.failed > frames_total() / 100 * READ_ONCE(vfs_writeback.most);
}

void writeback_throttle(size_t pages)
{
	u32 n = __atomic_add_fetch(&pages_since_check, (u32)pages, __ATOMIC_RELAXED);

	if (likely(n < PAGES_PER_CHECK))
		return;
	__atomic_store_n(&pages_since_check, 0, __ATOMIC_RELAXED);
	if (unlikely(too_much(READ_ONCE(vfs_writeback.background))))
		writeback_kick();
	if (unlikely(too_much(READ_ONCE(vfs_writeback.most))))
		wait_for_disk();
}

/* ---- dropping what is clean ---- */

static void evict_pages(struct vnode *vn, void *arg __unused)
{
	if (vn->object == &vn->obj)
		vm_object_evict(vn->object, 0, ~0UL);
}

static int evict_mount(struct mount *m, void *arg)
{
	vnode_each(m, evict_pages, arg);
	return 0;
}

size_t vfs_shrink(size_t n)
{
	size_t freed = name_shrink(n);

	return freed + vnode_shrink(n);
}

void vfs_drop_caches(unsigned what)
{
	if (what & 1) {
		mount_each(evict_mount, NULL);
		evict_mount(bdev_mount, NULL);
	}
	if (what & 2)
		vfs_shrink(SIZE_MAX);
}
