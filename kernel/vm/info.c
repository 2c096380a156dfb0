// SPDX-License-Identifier: BSD-2-Clause
/*
 * Looking at an address space: for /proc/PID/maps and its kin, futex keys, and the audit of debug builds.
 */
#include "kernel/vm/vm_internal.h"

static u32 advice_of(u32 flags)
{
	return (flags & AREA_DONTFORK ? VM_INFO_DONTFORK : 0) |
	       (flags & AREA_WIPEONFORK ? VM_INFO_WIPEONFORK : 0) |
	       (flags & AREA_NORESERVE ? VM_INFO_NORESERVE : 0) |
	       (flags & AREA_RANDOM ? VM_INFO_RANDOM : 0) |
	       (flags & AREA_SEQUENTIAL ? VM_INFO_SEQUENTIAL : 0) |
	       (flags & AREA_DONTDUMP ? VM_INFO_DONTDUMP : 0) |
	       (flags & AREA_ONFAULT ? VM_INFO_ONFAULT : 0) |
	       (flags & AREA_TRACKED ? 0 : VM_INFO_SOFT_DIRTY);
}

static NO_TS void describe(struct vm_area *a, bool detail, struct vm_area_info *out)
{
	struct vm_object *o;

	memset(out, 0, sizeof(*out));
	out->start = a->start;
	out->end = a->end;
	out->prot = a->prot;
	out->may_prot = a->max_prot;
	out->advice = advice_of(a->flags);
	out->shared = a->flags & AREA_SHARED;
	out->grows_down = a->flags & AREA_GROWSDOWN;
	out->locked = a->flags & AREA_LOCKED;
	o = area_lock_object(a);
	if (o) {
		out->needs_copy = a->needs_copy;
		out->kind = o->kind;
		out->object = o;
		out->chain_depth = shadow_depth(o);
		out->object_resident = o->resident;
		spin_unlock(o->lock);
	}
	if (a->file) {
		out->offset = a->origin_index << PAGE_SHIFT;
		if (vm_file_hooks()->path(a->file, out->name, sizeof(out->name)) < 0)
			out->name[0] = 0;
		vm_file_hooks()->ident(a->file, &out->dev, &out->ino);
	} else if (a->label) {
		strlcpy(out->name, a->label, sizeof(out->name));
	}
	if (detail)
		area_usage(a, &out->use);
}

bool vm_area_next(struct vm_map *m, u64 addr, bool detail, struct vm_area_info *out)
{
	struct vm_area *a;

	rw_lock_read(&m->lock);
	a = area_find(m, addr);
	if (a)
		describe(a, detail, out);
	rw_unlock_read(&m->lock);
	return a;
}

void vm_map_stat(struct vm_map *m, struct vm_map_stat *out)
{
	rw_lock_read(&m->lock);
	memset(out, 0, sizeof(*out));
	out->size = m->size;
	out->size_peak = m->size_peak;
	out->rss = READ_ONCE(m->pmap.mapped);
	out->anon = MIN(READ_ONCE(m->pmap.mapped_anon), out->rss);
	out->file = out->rss - out->anon;
	if (out->rss > m->rss_peak)
		m->rss_peak = out->rss;
	out->rss_peak = m->rss_peak;
	out->data = m->data;
	out->stack = m->stack;
	out->text = m->text;
	out->tables = READ_ONCE(m->pmap.tables) + 1;
	out->locked = m->locked;
	out->areas = m->nareas;
	rw_unlock_read(&m->lock);
}

NO_TS u64 vm_map_swapped(struct vm_map *m)
{
	u64 n = 0;

	rw_lock_read(&m->lock);
	for (struct rb_node *r = rb_first(&m->areas); r; r = rb_next(r)) {
		struct vm_area *a = container_of(r, struct vm_area, node);
		struct vm_object *o = area_lock_object(a);

		if (o && object_is_anon(o))
			n += anon_area_pages(o, a->index, area_last(a));
		if (o)
			spin_unlock(o->lock);
	}
	rw_unlock_read(&m->lock);
	return n;
}

/* Private memory's objects change with forks: a word in it is known by its address, unless only the file can change it. Map locked. */
static bool futex_by_address(const struct vm_area *a, const struct vm_object *o)
{
	return !(a->flags & AREA_SHARED) && (!o || object_is_anon(o) || (a->prot & PROT_WRITE));
}

NO_TS int vm_futex_key(struct vm_map *m, u64 addr, bool write, struct vm_object **out, u64 *off)
{
	int err = -EFAULT;

	struct vm_object *o = NULL;
	struct vm_area *a;
	struct frame *f;

	/* fault it in first: shared anonymous memory has its object then */
	f = fault_frame_at(m, addr, write);
	if (IS_ERR(f))
		return -EFAULT;
	if (f != zero_frame)
		vm_page_put(f);
	rw_lock_read(&m->lock);
	a = area_find(m, addr);
	if (a && a->start <= addr) {
		o = area_lock_object(a);
		*out = NULL;
		if (futex_by_address(a, o)) {
			err = 0;
		} else if (o) {
			vm_object_hold(o);
			*out = o;
			*off = (area_index(a, ALIGN_DOWN(addr, PAGE_SIZE)) << PAGE_SHIFT) +
			       (addr & PAGE_MASK);
			err = 0;
		}
		if (o)
			spin_unlock(o->lock);
	}
	rw_unlock_read(&m->lock);
	return err;
}

/* ---- audit ---- */

static u64 audit_gap(struct rb_node *n)
{
	struct vm_area *a;
	u64 max;

	if (!n)
		return 0;
	a = container_of(n, struct vm_area, node);
	max = MAX(a->gap, MAX(audit_gap(n->left), audit_gap(n->right)));
	ASSERTF(max == a->max_gap, "area [%#lx,%#lx): largest gap %#lx, recorded %#lx", a->start,
		a->end, max, a->max_gap);
	return max;
}

NO_TS bool vm_map_audit(struct vm_map *m)
{
	u64 last_end = 0, size = 0;
	u32 n = 0;

	rw_lock_read(&m->lock);
	ASSERT(rb_check(&m->areas));
	audit_gap(m->areas.root);
	for (struct rb_node *r = rb_first(&m->areas); r; r = rb_next(r), n++) {
		struct vm_area *a = container_of(r, struct vm_area, node);
		struct vm_object *o;

		ASSERTF(a->start >= last_end && a->start < a->end && a->map == m,
			"[%#lx,%#lx) after %#lx", a->start, a->end, last_end);
		ASSERTF(a->gap == a->start - last_end, "[%#lx,%#lx): gap %#lx", a->start, a->end,
			a->gap);
		last_end = a->end;
		size += area_pages(a);
		o = area_lock_object(a);
		if (o) {
			ASSERTF(o->refs > 0 || o->ops->hold, "object %p of [%#lx,%#lx)", (void *)o,
				a->start, a->end);
			ASSERT(rb_check(&o->areas));
			spin_unlock(o->lock);
		}
	}
	ASSERTF(n == m->nareas && size == m->size, "%u areas of %u, %lu pages of %lu", n, m->nareas,
		size, m->size);
	rw_unlock_read(&m->lock);
	return true;
}
