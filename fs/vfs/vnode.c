// SPDX-License-Identifier: BSD-2-Clause
/*
 * The vnode cache.  Each mount has a tree of its vnodes by inode number; those that nobody references stay on one global LRU
 * until memory is wanted.
 *
 *	refs > 0		used; may still lie on the LRU from before (removed when somebody meets it there)
 *	refs 0, in_hash		cached, on the LRU
 *	refs 0, !in_hash	being destroyed by whoever took the last reference or evicted it
 *
 * A reference is taken from 0 only under the mount's hash lock (vnode_find) or, for vnodes on the dirty list, under
 * the mount's dirty lock (write-back).  Destruction takes both, so nobody can come in between.
 *
 * Locks: VNODE_HASH > VNODE_LRU > DIRTY_LIST.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/lib/ref.h"

static struct spinlock lru_lock; /* VNODE_LRU */
static struct waitq evicted_q;	 /* mounts that wait until their vnodes are gone */
static struct list lru;		 /* oldest first */
static u64 lru_count;

#define TRIM 32 /* evicted at a time */

void vnode_cache_init(void)
{
	spin_init(&lru_lock, LOCK_VNODE_LRU, "vnode lru");
	list_init(&lru);
	waitq_init(&evicted_q);
}

void mount_init_vnodes(struct mount *m)
{
	m->vnodes = (struct rb_tree)RB_TREE_INIT(NULL);
	spin_init(&m->hash_lock, LOCK_VNODE_HASH, "vnode hash");
	list_init(&m->dirty);
	spin_init(&m->dirty_lock, LOCK_DIRTY_LIST, "dirty list");
}

void vnode_init(struct vnode *vn, struct mount *m, u64 ino, u32 mode, const struct vnode_ops *ops,
		const struct vm_pager_ops *pager, u64 size)
{
	vn->refs = 1;
	vn->mode = mode;
	vn->ino = ino;
	vn->rdev = 0;
	vn->mount = m;
	vn->ops = ops;
	vn->fops = NULL;
	rw_init(&vn->v_lock, LOCK_VNODE, "vnode");
	vn->object = NULL;
	if (pager) {
		vm_object_init_vnode(&vn->obj, pager, size);
		vn->object = &vn->obj;
	}
	list_init(&vn->dirty_link);
	list_init(&vn->lru_link);
	vn->attr_dirty = vn->in_hash = vn->unlinked = vn->dynamic = false;
	vn->dirty_since = vn->time_tick = 0;
	vn->fifo_or_mnt = NULL;
	vn->dir_name = NULL;
	vn->pipe = vn->locks = NULL;
	vn->write_opens = 0;
	vn->opens = 0;
	vn->leases = NULL;
	vn->deny_write = 0;
}

/* ---- references ---- */

void vnode_hold(struct vnode *vn)
{
	u32 old = ref_get(&vn->refs);

	ASSERTF(old > 0, "vnode %lu", vn->ino);
}

static void lru_remove(struct vnode *vn)
{
	spin_lock(&lru_lock);
	if (!list_empty(&vn->lru_link)) {
		list_del(&vn->lru_link);
		lru_count--;
	}
	spin_unlock(&lru_lock);
}

static void lru_add(struct vnode *vn)
{
	spin_lock(&lru_lock);
	if (list_empty(&vn->lru_link))
		lru_count++;
	else
		list_del(&vn->lru_link);
	list_add_tail(&lru, &vn->lru_link);
	spin_unlock(&lru_lock);
}

/* Nobody can reach it any more. Sleeps. */
static void vnode_destroy(struct vnode *vn)
{
	ASSERTF(vn->refs == 0 && !vn->in_hash, "vnode %lu: %u references", vn->ino, vn->refs);
	if (vn->ops->inactive)
		vn->ops->inactive(vn);
	writeback_forget(vn);
	flock_vnode_free(vn);
	leases_vnode_free(vn);
	ASSERT(!vn->pipe);
	if (vn->object == &vn->obj)
		vm_object_fini(&vn->obj, true);
	vn->ops->free(vn);
}

static void unhash_locked(struct vnode *vn)
{
	if (vn->in_hash)
		rb_erase(&vn->mount->vnodes, &vn->hash_node);
	vn->in_hash = false;
}

static bool has_links(struct vnode *vn)
{
	struct vattr a;

	if (vn->unlinked)
		return false;
	return !vn->ops->getattr || vn->ops->getattr(vn, &a) || a.nlink > 0;
}

/* Gives up the reference if it is not the last one. */
static bool drop_not_last(struct vnode *vn)
{
	u32 refs = __atomic_load_n(&vn->refs, __ATOMIC_RELAXED);

	while (refs > 1) {
		if (__atomic_compare_exchange_n(&vn->refs, &refs, refs - 1, true, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return true;
	}
	ASSERTF(refs == 1, "vnode %lu dropped too often", vn->ino);
	return false;
}

void vnode_drop(struct vnode *vn)
{
	struct mount *m;
	bool keep;

	if (!vn || drop_not_last(vn))
		return;
	m = vn->mount;
	keep = vn->in_hash && has_links(vn);
	if (!m) {
		if (ref_put(&vn->refs) == 0)
			vnode_destroy(vn);
		return;
	}
	spin_lock(&m->hash_lock);
	spin_lock(&m->dirty_lock);
	if (ref_put(&vn->refs) > 0) {
		spin_unlock(&m->dirty_lock);
		spin_unlock(&m->hash_lock);
		return;
	}
	keep = keep && !vn->unlinked;
	if (!keep) {
		unhash_locked(vn);
		list_del(&vn->dirty_link);
	}
	spin_unlock(&m->dirty_lock);
	if (keep)
		lru_add(vn);
	else
		lru_remove(vn); /* here, so that lru_take never meets one that is being destroyed */
	spin_unlock(&m->hash_lock);
	if (!keep)
		vnode_destroy(vn);
}

void vnode_note_unlinked(struct vnode *vn)
{
	struct vattr a;

	if (vn->ops->getattr && !vn->ops->getattr(vn, &a) && a.nlink == 0)
		WRITE_ONCE(vn->unlinked, true);
}

/* ---- by number ---- */

static struct rb_node **find_link(struct mount *m, u64 ino, struct rb_node **parent)
{
	struct rb_node **link = &m->vnodes.root;

	*parent = NULL;
	while (*link) {
		struct vnode *vn = container_of(*link, struct vnode, hash_node);

		if (vn->ino == ino)
			break;
		*parent = *link;
		link = ino < vn->ino ? &(*link)->left : &(*link)->right;
	}
	return link;
}

static struct vnode *find_locked(struct mount *m, u64 ino)
{
	struct rb_node *parent, **link = find_link(m, ino, &parent);
	struct vnode *vn;

	if (!*link)
		return NULL;
	vn = container_of(*link, struct vnode, hash_node);
	ref_get_first(&vn->refs);
	return vn;
}

struct vnode *vnode_find(struct mount *m, u64 ino)
{
	struct vnode *vn;

	spin_lock(&m->hash_lock);
	vn = find_locked(m, ino);
	spin_unlock(&m->hash_lock);
	return vn;
}

int vnode_insert(struct vnode *vn, struct vnode **other)
{
	struct mount *m = vn->mount;
	struct rb_node *parent, **link;

	ASSERT(vn->refs == 1 && !vn->in_hash);
	spin_lock(&m->hash_lock);
	*other = find_locked(m, vn->ino);
	if (!*other) {
		link = find_link(m, vn->ino, &parent);
		rb_insert(&m->vnodes, &vn->hash_node, parent, link);
		vn->in_hash = true;
	}
	spin_unlock(&m->hash_lock);
	return *other ? -EEXIST : 0;
}

/* The first cached vnode with number >= ino, held. */
static struct vnode *find_from(struct mount *m, u64 ino)
{
	struct rb_node *n, *best = NULL;
	struct vnode *vn = NULL;

	spin_lock(&m->hash_lock);
	for (n = m->vnodes.root; n;) {
		if (container_of(n, struct vnode, hash_node)->ino >= ino) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	if (best) {
		vn = container_of(best, struct vnode, hash_node);
		ref_get_first(&vn->refs);
	}
	spin_unlock(&m->hash_lock);
	return vn;
}

void vnode_each(struct mount *m, void (*fn)(struct vnode *vn, void *arg), void *arg)
{
	struct vnode *vn;

	for (u64 ino = 0; (vn = find_from(m, ino)) != NULL;) {
		ino = vn->ino + 1;
		fn(vn, arg);
		vnode_drop(vn);
		if (ino == 0)
			break;
	}
}

/* ---- giving memory back ---- */

/* Takes vn, which is on the LRU, out of the cache if nobody uses it and nothing has to be written. hash lock held. */
static bool evict_locked(struct vnode *vn)
{
	struct mount *m = vn->mount;
	bool ok;

	spin_lock(&m->dirty_lock);
	/* still on the dirty list, but written by a commit that another vnode asked for: that is clean */
	ok = __atomic_load_n(&vn->refs, __ATOMIC_ACQUIRE) == 0 && !READ_ONCE(vn->attr_dirty) &&
	     !(vn->object && vm_object_unwritten(vn->object));
	if (ok) {
		unhash_locked(vn);
		list_del(&vn->dirty_link);
	}
	spin_unlock(&m->dirty_lock);
	return ok;
}

/* The oldest entry of the LRU with its mount's hash lock held, off the list; NULL: none, or try again (*again). */
static struct vnode *lru_take(bool *again) NO_TS
{
	struct vnode *vn;
	struct mount *m;

	*again = false;
	spin_lock(&lru_lock);
	vn = list_first(&lru, struct vnode, lru_link);
	if (!vn) {
		spin_unlock(&lru_lock);
		return NULL;
	}
	m = vn->mount;
	/* the hash lock comes first in the order: try, so that vn cannot go away between */
	if (!spin_trylock(&m->hash_lock)) {
		*again = true;
		list_del(&vn->lru_link);
		list_add_tail(&lru, &vn->lru_link);
		spin_unlock(&lru_lock);
		return NULL;
	}
	list_del(&vn->lru_link);
	lru_count--;
	spin_unlock(&lru_lock);
	return vn;
}

/* Frees up to n of the oldest `tries` ones. */
static size_t shrink(size_t n, u64 tries) NO_TS
{
	size_t freed = 0;

	while (freed < n && tries-- > 0) {
		bool again, evicted, used;
		struct vnode *vn = lru_take(&again);
		struct mount *m;

		if (!vn && !again)
			break;
		if (!vn)
			continue;
		evicted = evict_locked(vn);
		used = vn->refs > 0;
		if (!evicted && !used)
			lru_add(vn); /* has to be written first */
		m = vn->mount;
		if (evicted)
			__atomic_fetch_add(&m->evicting, 1, __ATOMIC_SEQ_CST);
		spin_unlock(&m->hash_lock);
		if (evicted) {
			vnode_destroy(vn);
			if (__atomic_sub_fetch(&m->evicting, 1, __ATOMIC_SEQ_CST) == 0)
				waitq_wake_all(&evicted_q); /* the mount may be gone by now */
			freed++;
		}
	}
	return freed;
}

size_t vnode_shrink(size_t n)
{
	return shrink(n, READ_ONCE(lru_count));
}

/* A few are looked at, however many there are: if all of them have to be written first, that is begun. */
void vnode_trim(u64 limit)
{
	if (likely(READ_ONCE(lru_count) <= limit))
		return;
	if (!shrink(TRIM, 2 * TRIM))
		writeback_kick();
}

struct purge {
	u64 left;
};

static void purge_one(struct vnode *vn, void *arg)
{
	struct purge *p = arg;
	struct mount *m = vn->mount;
	bool gone;

	spin_lock(&m->hash_lock);
	spin_lock(&m->dirty_lock);
	gone = vn->refs == 1 && vn != m->root && list_empty(&vn->dirty_link);
	if (gone)
		unhash_locked(vn); /* the caller's drop destroys it */
	else if (vn != m->root)
		p->left++;
	spin_unlock(&m->dirty_lock);
	spin_unlock(&m->hash_lock);
}

bool vnode_purge_mount(struct mount *m)
{
	struct purge p = {0};

	vnode_each(m, purge_one, &p);
	return p.left == 0;
}

void vnode_wait_evicted(struct mount *m)
{
	wait_event(&evicted_q, __atomic_load_n(&m->evicting, __ATOMIC_SEQ_CST) == 0);
}

/* ---- what could not be written ---- */

#define REPORTED 8 /* files that are named */

struct unwritten {
	u64 files, pages;
	bool discard;
};

static void report_one(struct vnode *vn, void *arg)
{
	struct vm_object *o = vn->object;
	struct unwritten *u = arg;
	u64 n = o == &vn->obj ? READ_ONCE(o->ndirty) + READ_ONCE(o->failed) : 0;

	if (n) {
		u->files++;
		u->pages += n;
		if (u->files <= REPORTED)
			kprintf("%s: inode %lu: %lu pages of %lu bytes %s\n", vn->mount->source,
				vn->ino, n, o->size, u->discard ? "are lost" : "are not written");
	}
	if (!u->discard || vn == vn->mount->root)
		return;
	if (o == &vn->obj)
		vm_object_remove(o, 0, ~0UL);
	WRITE_ONCE(vn->attr_dirty, false);
	writeback_forget(vn);
}

void vnode_report_unwritten(struct mount *m, bool discard)
{
	struct unwritten u = {.discard = discard};

	vnode_each(m, report_one, &u);
	if (u.files)
		kprintf("%s: %lu files with %lu pages could not be written\n", m->source, u.files,
			u.pages);
}

/* ---- what objects call ---- */

void vnode_obj_hold(struct vm_object *o)
{
	vnode_hold(vnode_of_object(o));
}

void vnode_obj_drop(struct vm_object *o)
{
	vnode_drop(vnode_of_object(o));
}

void vnode_obj_first_dirty(struct vm_object *o)
{
	writeback_add(vnode_of_object(o));
}

void vnode_mark_attr_dirty(struct vnode *vn)
{
	if (READ_ONCE(vn->attr_dirty) && !list_empty(&vn->dirty_link))
		return;
	WRITE_ONCE(vn->attr_dirty, true);
	writeback_add(vn);
}
