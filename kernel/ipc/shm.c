// SPDX-License-Identifier: BSD-2-Clause
/*
 * System V shared memory.  A segment is an anonymous object; attaching maps it shared, so fork, munmap and exit need nothing of us: who is
 * attached is the number of areas that map the object.
 *
 * A removed segment stays, marked SHM_DEST, until nobody is attached.  That is looked at when somebody detaches, when a process that
 * ever attached one ends, and whenever a segment is looked up.
 *
 * Locks: the table's lock; the address space's is taken inside it only by looking, never while mapping.
 */
#include "kernel/boot/init.h"
#include "kernel/ipc/ipc_internal.h"
#include "kernel/riscv/uaccess.h"

#define SHM_MNI	   4096
#define SHM_MAX	   (~0UL - (1UL << 24))
#define SHM_DEST   01000u
#define SHM_LOCKED 02000u

/* Field markings and the corresponding locks:
 * (l) lock of the table   (c) constant
 */
struct segment {
	struct ipc_object head;	  /* (l) */
	struct vm_object *object; /* (c) a reference */
	u64 size;		  /* (c) bytes, as asked for */
	s64 atime, dtime;	  /* (l) */
	s32 cpid, lpid;		  /* (l) */
};

static struct ipc_table segments;
static struct radix_tree by_object; /* (segments.lock) index: the object's address */
static u64 total_pages;		    /* (segments.lock) of all segments */
static u64 max_size = SHM_MAX, max_pages = SHM_MAX; /* (a) limits: of one segment, of all */

static struct segment *segment_of(struct ipc_object *o)
{
	return container_of(o, struct segment, head);
}

static u64 attached(const struct segment *s)
{
	return READ_ONCE(s->object->nareas);
}

static struct ipc_object *segment_make(void *arg)
{
	u64 size = *(u64 *)arg, pages = DIV_ROUND_UP(size, PAGE_SIZE);
	struct segment *s;

	if (size < 1 || size > READ_ONCE(max_size))
		return ERR_PTR(-EINVAL);
	if (total_pages + pages > READ_ONCE(max_pages) || pages > (USER_END >> PAGE_SHIFT))
		return ERR_PTR(-ENOSPC);
	s = kzalloc(sizeof(*s));
	if (!s)
		return NULL;
	s->object = vm_object_create_anon(pages << PAGE_SHIFT);
	if (!s->object || radix_insert(&by_object, (uintptr_t)s->object, (uintptr_t)s, NULL)) {
		if (s->object)
			vm_object_drop(s->object);
		kfree(s);
		return NULL;
	}
	s->size = size;
	s->cpid = current_proc()->pid;
	total_pages += pages;
	return &s->head;
}

static void segment_free(struct ipc_object *o)
{
	struct segment *s = segment_of(o);

	radix_remove(&by_object, (uintptr_t)s->object);
	total_pages -= DIV_ROUND_UP(s->size, PAGE_SIZE);
	vm_object_drop(s->object);
	kfree(s);
}

static int segment_check(struct ipc_object *o, void *arg)
{
	return *(u64 *)arg > segment_of(o)->size ? -EINVAL : 0;
}

/* lock held: a removed segment nobody is attached to goes. True: it is gone. */
static bool purge(struct ipc_object *o)
{
	if (!(o->mode & SHM_DEST) || attached(segment_of(o)) || o->users > 1)
		return false;
	ipc_unlink(&segments, o);
	segment_free(o);
	return true;
}

static void purge_all(void)
{
	struct ipc_object *o;
	u64 i = 0;

	mutex_lock(&segments.lock);
	for (; (o = (struct ipc_object *)radix_next(&segments.by_index, &i, IPC_INDICES - 1)); i++)
		(void)purge(o);
	mutex_unlock(&segments.lock);
}

void shm_process_ends(struct process *p)
{
	if (p->sysv_shm)
		purge_all();
}

/* Takes the lock, as ipc_lock_id, or with by_index ipc_lock_index. */
static struct ipc_object *lock_segment(s32 id, bool by_index) ACQUIRES(segments.lock)
{
	struct ipc_object *o;

	if (by_index)
		o = ipc_lock_index(&segments, id);
	else
		o = ipc_lock_id(&segments, id);
	return !IS_ERR(o) && purge(o) ? ERR_PTR(-EINVAL) : o;
}

long shm_get(s32 key, u64 size, int flags)
{
	const struct ipc_get g = {
		.make = segment_make, .unmake = segment_free, .check = segment_check, .arg = &size};

	return ipc_get(&segments, key, flags, &g);
}

/* ---- attaching ---- */

static int attach_args(struct vm_mmap_args *a, u64 addr, int flags)
{
	if (addr & PAGE_MASK) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr &= ~PAGE_MASK;
		if (!addr && (flags & SHM_REMAP))
			return -EINVAL;
	} else if (!addr && (flags & SHM_REMAP)) {
		return -EINVAL;
	}
	a->addr = addr;
	a->flags = MAP_SHARED;
	if (addr)
		a->flags |= flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED | MAP_FIXED_NOREPLACE;
	a->prot = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) |
		  (flags & SHM_EXEC ? PROT_EXEC : 0);
	a->max_prot = a->prot;
	a->label = "/SYSV (deleted)";
	return 0;
}

/* Held by users so that it outlives the mapping call; lock not held. */
static void let_go(struct ipc_object *o, bool success)
{
	struct segment *s = segment_of(o);

	mutex_lock(&segments.lock);
	o->users--;
	if (success) {
		s->atime = ipc_seconds();
		s->lpid = current_proc()->pid;
	}
	(void)purge(o);
	mutex_unlock(&segments.lock);
}

long shm_attach(s32 id, u64 addr, int flags)
{
	struct vm_mmap_args a = {0};
	struct ipc_object *o;
	long ret = attach_args(&a, addr, flags);

	if (ret)
		return ret;
	o = lock_segment(id, false);
	if (IS_ERR(o)) {
		mutex_unlock(&segments.lock);
		return PTR_ERR(o);
	}
	ret = ipc_permission(o, (flags & SHM_RDONLY ? 4 : 6) | (flags & SHM_EXEC ? 1 : 0));
	if (!ret)
		o->users++;
	mutex_unlock(&segments.lock);
	if (ret)
		return ret;
	a.object = segment_of(o)->object;
	a.len = a.object->size;
	current_proc()->sysv_shm = true;
	ret = vm_mmap(current()->map, &a);
	let_go(o, ret >= 0);
	return ret == -EEXIST ? -EINVAL : ret;
}

/* The segment whose object this is: its size, and it notes the detaching; 0: none. */
static u64 note_detach(const struct vm_object *object)
{
	struct segment *s;
	u64 size = 0;

	mutex_lock(&segments.lock);
	s = (struct segment *)radix_get(&by_object, (uintptr_t)object);
	if (s) {
		s->dtime = ipc_seconds();
		s->lpid = current_proc()->pid;
		size = s->size;
	}
	mutex_unlock(&segments.lock);
	return size;
}

long shm_detach(u64 addr)
{
	struct vm_map *m = current()->map;
	const struct vm_object *object = NULL;
	struct vm_area_info *info;
	u64 at = addr, size = 0;

	if (addr & PAGE_MASK)
		return -EINVAL;
	info = kmalloc(sizeof(*info), 0);
	if (!info)
		return -ENOMEM;
	/* its areas may have been split, and parts unmapped */
	while (vm_area_next(m, at, false, info) && (!size || info->start < addr + size)) {
		at = info->end;
		if (!info->shared || info->start < addr || info->start - addr != info->offset ||
		    (object && info->object != object))
			continue;
		if (!object) {
			size = note_detach(info->object);
			object = size ? info->object : NULL;
		}
		if (object)
			(void)vm_munmap(m, info->start, info->end - info->start);
		else if (info->start > addr)
			break;
	}
	kfree(info);
	if (object)
		purge_all();
	return object ? 0 : -EINVAL;
}

/* ---- control ---- */

long shm_remove(s32 id)
{
	struct ipc_object *o = lock_segment(id, false);
	int err;

	if (IS_ERR(o)) {
		mutex_unlock(&segments.lock);
		return PTR_ERR(o);
	}
	err = ipc_owner(o);
	if (!err) {
		o->mode |= SHM_DEST;
		vm_object_close(segment_of(o)->object);
		if (!purge(o) && o->key != IPC_PRIVATE) { /* not to be found by its key any more */
			radix_remove(&segments.by_key, (u32)o->key);
			o->key = IPC_PRIVATE;
		}
	}
	mutex_unlock(&segments.lock);
	return err;
}

/* Under the lock: may the caller lock (or unlock) the pages of the segment in memory? */
static int may_lock(struct ipc_object *o, bool lock)
{
	u64 limit = proc_rlimit(RLIMIT_MEMLOCK);

	if (capable(CAP_IPC_LOCK))
		return 0;
	if (current_cred()->euid != o->uid && current_cred()->euid != o->cuid)
		return -EPERM;
	if (!lock || (o->mode & SHM_LOCKED))
		return 0;
	return !limit ? -EPERM : segment_of(o)->size > limit ? -ENOMEM : 0;
}

long shm_lock(s32 id, bool lock)
{
	struct ipc_object *o = lock_segment(id, false);
	int err;

	if (IS_ERR(o)) {
		mutex_unlock(&segments.lock);
		return PTR_ERR(o);
	}
	err = may_lock(o, lock);
	if (!err) {
		o->mode = lock ? o->mode | SHM_LOCKED : o->mode & ~SHM_LOCKED;
		vm_object_keep(segment_of(o)->object, lock);
	}
	mutex_unlock(&segments.lock);
	return err;
}

long shm_set(s32 id, const struct shmid_k *ds)
{
	struct ipc_object *o = lock_segment(id, false);
	int err;

	if (IS_ERR(o)) {
		mutex_unlock(&segments.lock);
		return PTR_ERR(o);
	}
	err = ipc_perm_set(o, &ds->perm);
	mutex_unlock(&segments.lock);
	return err;
}

long shm_stat(s32 id, bool by_index, bool any, struct shmid_k *out)
{
	struct ipc_object *o = lock_segment(id, by_index);
	struct segment *s;
	long ret;

	if (IS_ERR(o)) {
		mutex_unlock(&segments.lock);
		return PTR_ERR(o);
	}
	s = segment_of(o);
	ret = any ? 0 : ipc_permission(o, 4);
	if (!ret) {
		*out = (struct shmid_k){.size = s->size,
					.atime = s->atime,
					.dtime = s->dtime,
					.ctime = o->ctime,
					.cpid = s->cpid,
					.lpid = s->lpid,
					.nattch = attached(s)};
		ipc_perm_show(o, &out->perm);
		ret = by_index ? o->id : 0;
	}
	mutex_unlock(&segments.lock);
	return ret;
}

long shm_limits(struct shminfo_k *out)
{
	long highest;

	*out = (struct shminfo_k){
		.max = max_size, .min = 1, .mni = SHM_MNI, .seg = SHM_MNI, .all = max_pages};
	mutex_lock(&segments.lock);
	highest = ipc_highest(&segments);
	mutex_unlock(&segments.lock);
	return highest;
}

long shm_usage(struct shm_usage_k *out)
{
	struct ipc_object *o;
	long highest;
	u64 i = 0;

	*out = (struct shm_usage_k){0};
	purge_all();
	mutex_lock(&segments.lock);
	for (; (o = (struct ipc_object *)radix_next(&segments.by_index, &i, IPC_INDICES - 1));
	     i++) {
		out->used_ids++;
		out->rss += READ_ONCE(segment_of(o)->object->resident);
	}
	out->total = total_pages;
	highest = ipc_highest(&segments);
	mutex_unlock(&segments.lock);
	return highest;
}

static void show_line(struct seq *q, struct ipc_object *o)
{
	const struct segment *s = segment_of(o);

	seq_printf(
		q,
		"%10d %10d  %4o %21lu %5d %5d  %5lu %5u %5u %5u %5u %10ld %10ld %10ld %21lu %21lu\n",
		o->key, o->id, o->mode, s->size, s->cpid, s->lpid, attached(s), o->uid, o->gid,
		o->cuid, o->cgid, s->atime, s->dtime, o->ctime,
		READ_ONCE(s->object->resident) * PAGE_SIZE, 0UL);
}

static int show_all(struct seq *s, void *arg __unused)
{
	purge_all();
	return ipc_list(
		s, &segments,
		"       key      shmid perms                  size  cpid  lpid nattch   uid "
		"  gid  cuid  cgid      atime      dtime      ctime                   rss"
		"                  swap",
		show_line);
}

static void shm_init(void)
{
	ipc_table_init(&segments, SHM_MNI, "shared memory segments");
	radix_init(&by_object);
	ipc_proc_files(&segments, "shm", show_all);
	ipc_proc_value("shmmax", &max_size);
	ipc_proc_value("shmall", &max_pages);
	ipc_proc_limit(&segments, "shmmni");
}
INITCALL(LATE, shm_init);
