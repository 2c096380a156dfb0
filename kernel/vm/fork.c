// SPDX-License-Identifier: BSD-2-Clause
/*
 * Life of address spaces: creation, fork, the end, and activation on a hart.
 *
 * Fork copies areas, not pages and not page tables: private areas of both sides become needs-copy and share the object, shared areas share it as it is.  The
 * parent loses W on its private PTEs once (an area that is needs-copy already has none), the child starts with empty tables and faults.
 */
#include "kernel/boot/init.h"
#include "kernel/lib/ref.h"
#include "kernel/vm/vm_internal.h"

static struct kmem_cache *map_cache;

#define STACK_ROOM     (256 * MiB)	  /* below USER_END kept for stacks; mmap goes below */
#define STACK_ROOM_MAX (USER_END / 6 * 5) /* at most, for large stack limits */

struct vm_map *vm_map_create(void)
{
	struct vm_map *m = kmem_cache_alloc(map_cache, KM_ZERO);

	if (!m)
		return NULL;
	if (pmap_init(&m->pmap)) {
		kmem_cache_free(map_cache, m);
		return NULL;
	}
	rw_init(&m->lock, LOCK_VM_MAP, "vm_map");
	spin_init(&m->attach_lock, LOCK_AREA, "attach");
	m->areas = area_tree_init;
	m->refs = 1;
	m->limit_as = m->limit_data = ~0UL;
	m->limit_stack = 8 * MiB;
	m->mmap_base = USER_END - STACK_ROOM;
	return m;
}

void vm_map_hold(struct vm_map *m)
{
	ref_get(&m->refs);
}

/* Everything leaves at once: the tree is only walked, not kept in order. Write-locked, by the last who knows the map. */
static void unmap_all(struct vm_map *m, struct leaving *l)
{
	struct tlb_batch b;

	tlb_begin(&b, &m->pmap);
	pmap_remove(&m->pmap, 0, USER_END + PAGE_SIZE, 0, USER_END + PAGE_SIZE, &b);
	tlb_finish(&b);
	for (struct rb_node *n = rb_first(&m->areas); n; n = rb_next(n)) {
		struct vm_area *a = container_of(n, struct vm_area, node);

		a->object = area_detach(a); /* its reference */
		list_add_tail(&l->areas, &a->leave_link);
	}
	m->areas = area_tree_init;
	m->hint = NULL;
	m->nareas = 0;
	vm_gauge_add(VMG_committed, -(s64)m->data);
	m->size = m->stack = m->data = m->text = m->locked = 0;
}

void vm_map_drop(struct vm_map *m)
{
	struct leaving l;

	if (ref_put(&m->refs) > 0)
		return;
	leaving_init(&l);
	rw_lock_write(&m->lock);
	unmap_all(m, &l);
	rw_unlock_write(&m->lock);
	leaving_release(&l);
	sched_forget_map(m);
	pmap_fini(&m->pmap);
	kmem_cache_free(map_cache, m);
}

static struct vm_area *copy_area(const struct vm_area *a)
{
	struct vm_area *n = area_alloc();

	if (!n)
		return NULL;
	n->start = a->start;
	n->end = a->end;
	n->prot = a->prot;
	n->max_prot = a->max_prot;
	n->flags =
		a->flags & ~(AREA_LOCKED | AREA_ONFAULT); /* locks are not inherited (mlock(2)) */
	n->index = a->index;
	n->label = a->label;
	n->file = a->file;
	n->origin = a->origin;
	n->origin_index = a->origin_index;
	if (n->file)
		vm_area_file_hold(n->file);
	return n;
}

static void protect_parent(struct vm_map *m, struct vm_area *a, struct tlb_batch *b)
{
	if (a->prot & PROT_WRITE)
		pmap_protect(&m->pmap, a->start, a->end, (a->prot & ~PROT_WRITE) | PROT_READ, b);
}

/* Private areas: both become needs-copy. Parent write-locked. */
static NO_TS void share_object(struct vm_map *parent, struct vm_area *a, struct vm_area *n,
			       struct tlb_batch *b)
{
	struct vm_object *o = area_lock_object(a);
	bool private = !(a->flags & AREA_SHARED), fresh_cow;

	if (!o)
		return;
	fresh_cow = private && !a->needs_copy && o->kind != OBJ_DEVICE;
	if (fresh_cow)
		a->needs_copy = true;
	n->needs_copy = a->needs_copy;
	vm_object_hold(o);
	area_attach_locked(n, o, a->index);
	spin_unlock(o->lock);
	if (fresh_cow)
		protect_parent(parent, a, b);
}

/* The child's areas so far, in order: the tree is made when all are there. */
struct kin {
	struct vm_map *map;
	struct rb_node *first, **tail;
	u64 end; /* of the last one */
};

static void append(struct kin *k, struct vm_area *n)
{
	n->map = k->map;
	n->gap = n->start - k->end;
	k->end = n->end;
	*k->tail = &n->node;
	k->tail = &n->node.right;
	k->map->nareas++;
	area_count(k->map, n, area_pages(n));
}

static int fork_area(struct vm_map *parent, struct kin *k, struct vm_area *a, struct tlb_batch *b)
{
	struct vm_area *n;

	if (a->flags & AREA_DONTFORK)
		return 0;
	n = copy_area(a);
	if (!n)
		return -ENOMEM;
	append(k, n);
	if (!(a->flags & AREA_WIPEONFORK))
		share_object(parent, a, n, b);
	return 0;
}

struct vm_map *vm_map_fork(struct vm_map *parent)
{
	struct vm_map *child = vm_map_create();
	struct kin k = {.map = child, .tail = &k.first};
	struct tlb_batch b;
	int err = 0;

	if (!child)
		return NULL;
	tlb_begin(&b, &parent->pmap);
	rw_lock_write(&parent->lock);
	if (!vm_may_commit(parent->data))
		err = -ENOMEM;
	for (struct rb_node *n = rb_first(&parent->areas); n && !err; n = rb_next(n))
		err = fork_area(parent, &k, container_of(n, struct vm_area, node), &b);
	*k.tail = NULL;
	rb_build(&child->areas, k.first, child->nareas);
	child->brk_start = parent->brk_start;
	child->brk = parent->brk;
	child->limit_as = parent->limit_as;
	child->limit_data = parent->limit_data;
	child->limit_stack = parent->limit_stack;
	child->mmap_base = parent->mmap_base;
	/* before the lock goes: no other thread of the parent may write a shared page through a stale entry */
	tlb_finish(&b);
	rw_unlock_write(&parent->lock);
	if (!err)
		return child;
	vm_map_drop(child);
	return NULL;
}

void vm_map_activate(struct vm_map *prev, struct vm_map *next)
{
	pmap_activate(prev ? &prev->pmap : NULL, next ? &next->pmap : NULL);
}

void vm_map_layout(struct vm_map *m, u64 random_pages)
{
	u64 stack = READ_ONCE(m->limit_stack), room = STACK_ROOM;

	if (stack > STACK_ROOM / 2)
		room = MIN(stack, STACK_ROOM_MAX - STACK_ROOM) + STACK_ROOM;
	m->mmap_base = ALIGN_DOWN(USER_END - room, PAGE_SIZE) - random_pages * PAGE_SIZE;
}

void vm_set_limits(struct vm_map *m, u64 as, u64 data, u64 stack)
{
	WRITE_ONCE(m->limit_as, as);
	WRITE_ONCE(m->limit_data, data);
	WRITE_ONCE(m->limit_stack, stack);
}

void vm_init(void)
{
	map_cache = kmem_cache_create("vm_map", sizeof(struct vm_map), KM_LINE);
	ASSERT(map_cache);
	area_init();
	object_init();
	page_init();
	pageout_init();
}

INITCALL(VM, vm_init);
