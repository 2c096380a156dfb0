// SPDX-License-Identifier: BSD-2-Clause
/*
 * The name cache: a tree of struct name, each one a component under its parent, found through one hash table by (parent, text).
 *
 * A name holds its parent and its vnode.  refs counts users and cached children; at 0 the name lies on the LRU, where it may be freed.
 * A name with refs > 0 may still lie on the LRU from before; who meets it there takes it off.
 *
 *	negative (vnode NULL, hashed)  --create-->  positive  --unlink-->  unhashed (deleted), lives while used
 *
 * Entries of one directory change only with its v_lock held exclusive and are added with it held at least shared, so the cache
 * agrees with the file system.  Directories marked `dynamic` are never cached: each lookup makes an unhashed name.
 *
 * Locks: NAMECACHE guards the table, the LRU, parents, texts and `covered`.
 */
#include "fs/vfs/vfs_internal.h"
#include "kernel/lib/ref.h"

#define BUCKETS_MIN 1024u

static struct spinlock lock; /* NAMECACHE */
static struct list *buckets; /* (n) */
static u64 nbuckets;	     /* (n) power of two */
static struct list lru;	     /* (n) oldest first */
static u64 count, unused;    /* (n) names hashed or not; entries of lru */
static u64 limit;	     /* (c) */
static struct kmem_cache *cache;

static struct list *buckets_alloc(u64 n)
{
	struct list *b = kmalloc(n * sizeof(*b), 0);

	for (u64 i = 0; b && i < n; i++)
		list_init(&b[i]);
	return b;
}

void name_init(void)
{
	spin_init(&lock, LOCK_NAMECACHE, "names");
	list_init(&lru);
	cache = kmem_cache_create("name", sizeof(struct name), 0);
	buckets = buckets_alloc(BUCKETS_MIN);
	nbuckets = BUCKETS_MIN;
	limit = MAX(4096UL, frames_total() / 4);
	ASSERT(cache && buckets);
}

static u32 hash_of(const struct name *dir, const char *text, size_t len)
{
	return (u32)hash_bytes(text, len, (uintptr_t)dir >> 4);
}

static struct list *bucket_of(u32 hash)
{
	return &buckets[hash & (nbuckets - 1)];
}

/* Twice as many buckets when the chains have grown; a failed allocation only leaves them longer. */
static void grow(void)
{
	u64 n = READ_ONCE(nbuckets) * 2, old_n;
	struct list *b = buckets_alloc(n), *old, *l;

	if (!b)
		return;
	spin_lock(&lock);
	old = buckets;
	old_n = nbuckets;
	if (old_n * 2 != n) {
		spin_unlock(&lock);
		kfree(b);
		return;
	}
	buckets = b;
	nbuckets = n;
	for (u64 i = 0; i < old_n; i++) {
		while ((l = list_pop(&old[i])) != NULL)
			list_add(bucket_of(list_entry(l, struct name, hash_link)->hash), l);
	}
	spin_unlock(&lock);
	kfree(old);
}

/* ---- life ---- */

static struct name *name_alloc(struct mount *m, const char *text, size_t len)
{
	struct name *n = kmem_cache_alloc(cache, 0);

	if (!n)
		return NULL;
	*n = (struct name){.refs = 1, .len = (u16)len, .mount = m};
	n->text = n->small;
	if (len > NAME_INLINE) {
		n->text = kmalloc(len, 0);
		if (!n->text) {
			kmem_cache_free(cache, n);
			return NULL;
		}
	}
	memcpy(n->text, text, len);
	n->parent = n;
	list_init(&n->hash_link);
	list_init(&n->lru);
	list_init(&n->children);
	list_init(&n->child_link);
	return n;
}

/* Frees the memory of a name that is in no list; gives back the vnode. */
static void name_free(struct name *n)
{
	ASSERTF(!n->hashed && list_empty(&n->lru) && !n->covered, "name %.*s", (int)n->len,
		n->text);
	if (n->vnode) {
		spin_lock(&lock);
		if (n->vnode->dir_name == n)
			n->vnode->dir_name = NULL;
		spin_unlock(&lock);
		vnode_drop(n->vnode);
	}
	if (n->text != n->small)
		kfree(n->text);
	kmem_cache_free(cache, n);
}

struct name *name_create_root(struct mount *m, struct vnode *vn, const char *text)
{
	struct name *n = name_alloc(m, text ? text : "", text ? strlen(text) : 0);

	if (n) {
		n->vnode = vn;
		spin_lock(&lock);
		if (vn && is_dir(vn))
			vn->dir_name = n;
		count++;
		spin_unlock(&lock);
	}
	return n;
}

void name_hold(struct name *n)
{
	u32 old = ref_get(&n->refs);

	ASSERTF(old > 0, "name %.*s", (int)n->len, n->text);
}

static void hold_locked(struct name *n)
{
	ref_get_first(&n->refs);
}

static void lru_del(struct name *n)
{
	if (!list_empty(&n->lru)) {
		list_del(&n->lru);
		unused--;
	}
}

static void unhash_locked(struct name *n)
{
	list_del(&n->hash_link);
	n->hashed = false;
}

/* The last reference goes: onto the LRU, or out (true: the caller frees it, and then drops *parent). */
static bool release_locked(struct name *n, struct name **parent)
{
	if (ref_put(&n->refs) > 0)
		return false;
	lru_del(n);
	if (n->hashed) {
		list_add_tail(&lru, &n->lru);
		unused++;
		return false;
	}
	*parent = n->parent == n ? NULL : n->parent;
	list_del(&n->child_link);
	count--;
	return true;
}

static bool drop_not_last(struct name *n)
{
	u32 refs = __atomic_load_n(&n->refs, __ATOMIC_RELAXED);

	while (refs > 1) {
		if (__atomic_compare_exchange_n(&n->refs, &refs, refs - 1, true, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return true;
	}
	ASSERTF(refs == 1, "name %.*s dropped too often", (int)n->len, n->text);
	return false;
}

void name_drop(struct name *n)
{
	struct name *parent;

	while (n && !drop_not_last(n)) {
		bool gone;

		parent = NULL;
		spin_lock(&lock);
		gone = release_locked(n, &parent);
		spin_unlock(&lock);
		if (!gone)
			return;
		name_free(n);
		n = parent;
	}
}

/* ---- finding ---- */

static struct name *find_locked(struct name *dir, u32 hash, const char *text, size_t len)
{
	struct list *b = bucket_of(hash);
	struct name *n;

	list_for_each(n, b, hash_link) {
		if (n->hash == hash && n->parent == dir && n->len == len &&
		    !memcmp(n->text, text, len)) {
			hold_locked(n);
			return n;
		}
	}
	return NULL;
}

/*
 * A directory has one name: two entries for it, as a damaged file system may have, would make loops, and the order of
 * locks from a directory to those in it would mean nothing.  False: it has another name already.
 */
static bool name_dir_locked(struct name *n)
{
	struct vnode *vn = n->vnode;
	const struct name *old;

	if (!vn || !is_dir(vn))
		return true;
	old = vn->dir_name;
	if (old && (old->hashed || old->parent == old))
		return false;
	vn->dir_name = n;
	return true;
}

/*
 * Adds n (a fresh one) unless somebody was faster: what is in the cache afterwards, held. dir's v_lock is held. NULL: n is
 * a second name of a directory, and gone.
 */
static struct name *add(struct name *dir, struct name *n)
{
	struct name *other = NULL;
	bool crowded, second = false;

	n->hash = hash_of(dir, n->text, n->len);
	spin_lock(&lock);
	n->parent = dir;
	list_add(&dir->children, &n->child_link);
	hold_locked(dir);
	count++;
	if (!dir->vnode->dynamic) {
		other = find_locked(dir, n->hash, n->text, n->len);
		second = !other && !name_dir_locked(n);
		if (!other && !second) {
			n->hashed = true;
			list_add(bucket_of(n->hash), &n->hash_link);
		}
	}
	crowded = count > nbuckets * 2;
	spin_unlock(&lock);
	if (crowded)
		grow();
	if (!other && !second)
		return n;
	name_drop(n);
	return other;
}

/* Asks the file system; v_lock of the directory held. */
static int lookup_slow(struct name *dir, const char *text, size_t len, struct name **out)
{
	struct vnode *vn = NULL;
	struct name *n;
	int err;

	err = dir->vnode->ops->lookup(dir->vnode, text, len, &vn);
	if (err && err != -ENOENT)
		return err;
	n = name_alloc(dir->mount, text, len);
	if (!n) {
		vnode_drop(err ? NULL : vn);
		return -ENOMEM;
	}
	n->vnode = err ? NULL : vn;
	*out = add(dir, n);
	if (*out)
		return 0;
	kprintf("vfs: %.*s: a directory with two names: the file system is damaged\n", (int)len,
		text);
	return -EUCLEAN;
}

int name_lookup(struct name *dir, const char *text, size_t len, bool locked,
		struct name **out) NO_TS
{
	struct vnode *vn = dir->vnode;
	int err;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	if (!vn->dynamic) {
		u32 hash = hash_of(dir, text, len);

		spin_lock(&lock);
		*out = find_locked(dir, hash, text, len);
		spin_unlock(&lock);
		if (*out)
			return 0;
	}
	if (!vn->ops->lookup)
		return -ENOTDIR;
	name_trim();
	if (!locked)
		rw_lock_read(&vn->v_lock);
	err = lookup_slow(dir, text, len, out);
	if (!locked)
		rw_unlock_read(&vn->v_lock);
	return err;
}

/* ---- changes ---- */

void name_instantiate(struct name *n, struct vnode *vn)
{
	ASSERT(!n->vnode);
	if (is_dir(vn)) {
		spin_lock(&lock);
		vn->dir_name = n;
		spin_unlock(&lock);
	}
	__atomic_store_n(&n->vnode, vn, __ATOMIC_RELEASE);
}

#define BATCH 32

/* Up to BATCH unreferenced names below n, out of the cache. */
static size_t take_children(struct name *n, struct name **out)
{
	struct name *x, *tmp;
	size_t k = 0;

	spin_lock(&lock);
	list_for_each_safe(x, tmp, &n->children, child_link) {
		if (x->refs > 0)
			continue;
		lru_del(x);
		unhash_locked(x);
		list_del(&x->child_link);
		count--;
		out[k++] = x;
		if (k == BATCH)
			break;
	}
	spin_unlock(&lock);
	return k;
}

/* A directory was removed: what is remembered of names in it (that they are absent) would keep its vnode. n is held. */
static void forget_children(struct name *n)
{
	struct name *batch[BATCH];
	size_t k;

	while ((k = take_children(n, batch)) > 0)
		for (size_t i = 0; i < k; i++) {
			name_free(batch[i]);
			name_drop(n);
		}
}

void name_unhash(struct name *n, bool deleted)
{
	spin_lock(&lock);
	if (n->hashed)
		unhash_locked(n);
	n->deleted = deleted;
	spin_unlock(&lock);
	if (deleted)
		forget_children(n);
}

static void swap_text(struct name *a, struct name *b)
{
	bool a_small = a->text == a->small, b_small = b->text == b->small;
	char *a_text = a->text, *b_text = b->text, small[NAME_INLINE];
	u16 len = a->len;

	memcpy(small, a->small, sizeof(small));
	memcpy(a->small, b->small, sizeof(small));
	memcpy(b->small, small, sizeof(small));
	a->text = b_small ? a->small : b_text;
	b->text = a_small ? b->small : a_text;
	a->len = b->len;
	b->len = len;
}

/* Both change places: text, parent, hash. */
static void swap_places(struct name *a, struct name *b)
{
	struct name *parent = a->parent;
	bool a_hashed = a->hashed, b_hashed = b->hashed;

	if (a_hashed)
		unhash_locked(a);
	if (b_hashed)
		unhash_locked(b);
	swap_text(a, b);
	a->parent = b->parent; /* the holds on the parents change sides too */
	b->parent = parent;
	list_del(&a->child_link);
	list_del(&b->child_link);
	list_add(&a->parent->children, &a->child_link);
	list_add(&b->parent->children, &b->child_link);
	a->hash = hash_of(a->parent, a->text, a->len);
	b->hash = hash_of(b->parent, b->text, b->len);
	if (b_hashed) {
		a->hashed = true;
		list_add(bucket_of(a->hash), &a->hash_link);
	}
	if (a_hashed) {
		b->hashed = true;
		list_add(bucket_of(b->hash), &b->hash_link);
	}
}

void name_move(struct name *from, struct name *to)
{
	ASSERT(from != to && from->vnode);
	spin_lock(&lock);
	swap_places(from, to);
	/* `to` is now what the old entry was called: gone */
	if (to->hashed)
		unhash_locked(to);
	to->deleted = to->vnode != NULL;
	spin_unlock(&lock);
	if (to->deleted)
		forget_children(to);
}

void name_exchange(struct name *a, struct name *b)
{
	spin_lock(&lock);
	swap_places(a, b);
	spin_unlock(&lock);
}

/* ---- the tree ---- */

struct name *name_parent(struct name *n)
{
	struct name *p;

	spin_lock(&lock);
	p = n->parent;
	hold_locked(p);
	spin_unlock(&lock);
	return p;
}

bool name_is_below(struct name *n, const struct name *above)
{
	spin_lock(&lock);
	while (n != above && n->parent != n)
		n = n->parent;
	spin_unlock(&lock);
	return n == above;
}

bool name_deleted(struct name *n)
{
	return READ_ONCE(n->deleted);
}

struct mount *name_covered(struct name *n)
{
	struct mount *m;

	if (!READ_ONCE(n->covered))
		return NULL;
	spin_lock(&lock);
	m = n->covered;
	if (m)
		mount_hold(m);
	spin_unlock(&lock);
	return m;
}

bool name_cover(struct name *n, struct mount *m)
{
	bool ok;

	spin_lock(&lock);
	ok = !n->covered && !n->deleted;
	if (ok) {
		n->covered = m;
		m->covers = n;
		m->parent = n->mount;
	}
	spin_unlock(&lock);
	return ok;
}

bool name_uncover(struct mount *m, u32 expect, bool force)
{
	bool ok;

	spin_lock(&lock);
	ok = m->covers && (force || __atomic_load_n(&m->refs, __ATOMIC_ACQUIRE) == expect);
	if (ok) {
		m->covers->covered = NULL;
		m->covers = NULL;
		m->parent = NULL;
	}
	spin_unlock(&lock);
	return ok;
}

struct name *name_covers(struct mount *m, struct mount **parent)
{
	struct name *n;

	spin_lock(&lock);
	n = m->covers;
	if (n) {
		hold_locked(n);
		*parent = n->mount;
		mount_hold(n->mount);
	}
	spin_unlock(&lock);
	return n;
}

/* One piece of text in front of what is in buf from *at on. */
static bool prepend(char *buf, size_t *at, const char *s, size_t len)
{
	if (*at < len)
		return false;
	*at -= len;
	memcpy(buf + *at, s, len);
	return true;
}

/* The path's pieces from its end to root (or the root of all), right-aligned in buf. */
static bool path_pieces(const struct path *p, const struct path *root, char *buf, size_t *at)
{
	struct name *n = p->name;

	while (!(root && n == root->name)) {
		if (n->parent == n) {
			struct name *covers = n->mount->covers;

			if (!covers)
				break;
			n = covers;
			continue;
		}
		if (!prepend(buf, at, n->text, n->len) || !prepend(buf, at, "/", 1))
			return false;
		n = n->parent;
	}
	return true;
}

int path_string(const struct path *p, const struct path *root, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	size_t at = size;
	bool ok;

	if (size < 2)
		return -ENAMETOOLONG;
	buf[--at] = 0;
	spin_lock(&lock);
	ok = !p->name->deleted || prepend(buf, &at, deleted, sizeof(deleted) - 1);
	if (p->name->parent == p->name && p->name->len)
		ok = ok &&
		     prepend(buf, &at, p->name->text, p->name->len); /* nameless: "pipe:[7]" */
	else
		ok = ok && path_pieces(p, root, buf, &at);
	if (ok && at == size - 1)
		ok = prepend(buf, &at, "/", 1);
	spin_unlock(&lock);
	if (!ok)
		return -ENAMETOOLONG;
	memmove(buf, buf + at, size - at);
	return (int)(size - at - 1);
}

/* ---- giving memory back ---- */

/* Takes up to BATCH unreferenced names (of m, or any) out of the cache. */
static size_t take_unused(struct name **out, size_t n, struct mount *m)
{
	struct name *x, *tmp;
	size_t k = 0;

	spin_lock(&lock);
	list_for_each_safe(x, tmp, &lru, lru) {
		if (k == MIN(n, (size_t)BATCH))
			break;
		if (m && x->mount != m)
			continue;
		lru_del(x);
		if (x->refs > 0)
			continue;
		unhash_locked(x);
		list_del(&x->child_link);
		count--;
		out[k++] = x;
	}
	spin_unlock(&lock);
	return k;
}

static size_t shrink(size_t n, struct mount *m)
{
	struct name *batch[BATCH];
	size_t freed = 0, k;

	while (freed < n && (k = take_unused(batch, n - freed, m)) > 0) {
		for (size_t i = 0; i < k; i++) {
			struct name *parent = batch[i]->parent;

			name_free(batch[i]);
			name_drop(parent);
		}
		freed += k;
	}
	return freed;
}

size_t name_shrink(size_t n)
{
	return shrink(n, NULL);
}

size_t name_shrink_mount(struct mount *m)
{
	return shrink(SIZE_MAX, m);
}

void name_trim(void)
{
	if (unlikely(READ_ONCE(count) > limit && READ_ONCE(unused) > limit / 4))
		shrink(BATCH, NULL);
	vnode_trim(limit);
}

void name_stats(u64 *total, u64 *idle)
{
	*total = READ_ONCE(count);
	*idle = READ_ONCE(unused);
}
