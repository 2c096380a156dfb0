// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/vm/area.c kernel/vm/map.c kernel/vm/object.c kernel/vm/page.c kernel/vm/pageio.c kernel/vm/shadow.c kernel/vm/fault.c kernel/vm/window.c kernel/vm/quick.c kernel/vm/rmap.c kernel/vm/pmap.c kernel/vm/tlb.c kernel/vm/tables.c kernel/vm/fork.c kernel/vm/advise.c kernel/vm/cold.c kernel/vm/remap.c kernel/vm/info.c kernel/vm/pagemap.c kernel/vm/clock.c kernel/vm/clock_policy.c kernel/vm/clock_trace.c kernel/vm/anon.c kernel/vm/swap.c kernel/vm/swapio.c kernel/vm/laundry.c kernel/vm/pageout.c kernel/vm/lock.c kernel/lib/rbtree.c kernel/lib/radix.c kernel/mem/stat.c tests/host/shim/kernel.c tests/host/vm_shim/vm_shim.c
/*
 * The whole of kernel/vm against a naive model: several processes, each an array of bytes (one per page matters) over a small window of addresses, doing
 * random mmap, munmap, mprotect, fork, exit, stores, loads, DONTNEED and mremap.  After every step of interest the maps are audited; at the end nothing
 * may be left over.
 */
#include "vm_shim/vm_shim.h"

#define WINDOW	  48 /* pages of address space that the model follows */
#define PROCS	  6
#define BASE	  0x10000000UL
#define RW	  (PROT_READ | PROT_WRITE)
#define FILEPAGES 16

/* ---- a file of FILEPAGES pages ---- */

static u8 disk[FILEPAGES][PAGE_SIZE];
static struct vm_object file_object;
static int file_refs;
static u32 failing; /* of so many cleans of a page one fails; 0: none */

static void file_fill(struct vm_object *o __unused, struct frame **f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		memcpy(frame_va(f[i]), disk[f[i]->index], PAGE_SIZE);
		page_set(f[i], FR_RESERVED);
		vm_page_fill_end(f[i], 0);
	}
}

static void file_clean(struct vm_object *o __unused, struct frame **f, size_t n, bool wait __unused)
{
	for (size_t i = 0; i < n; i++) {
		bool fails = failing && host_rand_below(failing) == 0;

		if (!fails)
			memcpy(disk[f[i]->index], frame_va(f[i]), PAGE_SIZE);
		vm_page_clean_end(f[i], fails ? -EIO : 0);
	}
}

static void file_hold(struct vm_object *o __unused)
{
	file_refs++;
}

static void file_drop_ref(struct vm_object *o __unused)
{
	file_refs--;
}

static const struct vm_pager_ops file_ops = {
	.name = "test file",
	.fill = file_fill,
	.clean = file_clean,
	.hold = file_hold,
	.drop = file_drop_ref,
	.max_cluster = 8,
};

/* ---- the model ---- */

enum kind { NONE, ANON, SHARED, FILE_PRIVATE, FILE_SHARED };

struct shared_mem {
	int refs;
	u8 bytes[WINDOW];
};

struct page {
	enum kind kind;
	u32 prot;
	u8 byte;   /* private contents */
	bool cow;  /* FILE_PRIVATE: still the file's */
	bool lazy; /* given up with MADV_FREE: byte, or zero */
	bool locked, dontfork, wipe;
	struct shared_mem *sh;
	u32 index; /* into sh or the file */
};

struct proc {
	struct vm_map *map;
	struct page p[WINDOW];
};

static struct proc procs[PROCS];
static u8 file_model[FILEPAGES];

static u64 va_of(unsigned page)
{
	return BASE + page * PAGE_SIZE;
}

static void forget(struct page *p)
{
	if (p->kind == SHARED && --p->sh->refs == 0)
		free(p->sh);
	memset(p, 0, sizeof(*p));
}

static u8 model_byte(const struct page *p)
{
	switch (p->kind) {
	case SHARED:
		return p->sh->bytes[p->index];
	case FILE_SHARED:
		return file_model[p->index];
	case FILE_PRIVATE:
		return p->cow ? file_model[p->index] : p->byte;
	default:
		return p->byte;
	}
}

/* What was read may be so. */
static bool model_allows(struct page *p, u8 b)
{
	if (p->lazy && !b)
		p->byte = 0;
	return b == model_byte(p);
}

static void model_store(struct page *p, u8 b)
{
	p->lazy = false;
	switch (p->kind) {
	case SHARED:
		p->sh->bytes[p->index] = b;
		break;
	case FILE_SHARED:
		file_model[p->index] = b;
		break;
	default:
		p->cow = false;
		p->byte = b;
	}
}

/* ---- operations, on both sides ---- */

static void do_mmap(struct proc *pr, enum kind kind, unsigned at, unsigned n, u32 prot)
{
	struct vm_mmap_args a = {
		.addr = va_of(at), .len = n * PAGE_SIZE, .prot = prot, .max_prot = 7};
	struct shared_mem *sh = NULL;
	unsigned off = 0;

	a.flags = MAP_FIXED | (kind == ANON || kind == FILE_PRIVATE ? MAP_PRIVATE : MAP_SHARED);
	if (kind == FILE_PRIVATE || kind == FILE_SHARED) {
		n = MIN(n, (unsigned)FILEPAGES);
		a.len = n * PAGE_SIZE;
		off = host_rand_below(FILEPAGES - n + 1);
		a.object = &file_object;
		a.file = (struct file *)&file_object;
		a.offset = off * PAGE_SIZE;
	} else {
		a.flags |= MAP_ANONYMOUS;
	}
	if (kind == SHARED)
		sh = calloc(1, sizeof(*sh));
	assert_int_equal(vm_mmap(pr->map, &a), va_of(at));
	for (unsigned i = 0; i < n; i++) {
		struct page *p = &pr->p[at + i];

		forget(p);
		*p = (struct page){
			.kind = kind, .prot = prot, .cow = true, .sh = sh, .index = off + i};
		if (sh)
			sh->refs++;
	}
}

static void do_munmap(struct proc *pr, unsigned at, unsigned n)
{
	assert_int_equal(vm_munmap(pr->map, va_of(at), n * PAGE_SIZE), 0);
	for (unsigned i = 0; i < n; i++)
		forget(&pr->p[at + i]);
}

static void do_mprotect(struct proc *pr, unsigned at, unsigned n, u32 prot)
{
	bool hole = false;
	int err;

	for (unsigned i = 0; i < n; i++)
		hole |= pr->p[at + i].kind == NONE;
	err = vm_mprotect(pr->map, va_of(at), n * PAGE_SIZE, prot);
	assert_int_equal(err, hole ? -ENOMEM : 0);
	for (unsigned i = 0; i < n && !err; i++)
		pr->p[at + i].prot = prot;
}

static void do_access(struct proc *pr, unsigned at, bool store)
{
	struct page *p = &pr->p[at];
	u64 va = va_of(at) + 8;
	int sig = 0, code = 0, err, want = 0;
	u8 b = host_rand();

	if (p->kind == NONE)
		want = 1;
	else if (store ? !(p->prot & PROT_WRITE) : !(p->prot & RW))
		want = 2;
	if (store) {
		err = vm_shim_store(pr->map, va, b, &sig, &code);
		if (!err)
			model_store(p, b);
	} else {
		err = vm_shim_load(pr->map, va, &b, &sig, &code);
		if (!err)
			assert_true(model_allows(p, b));
	}
	assert_int_equal(err, want ? -EFAULT : 0);
	if (want) {
		assert_int_equal(sig, 11);
		assert_int_equal(code, want);
	}
}

static void do_fork(struct proc *from, struct proc *to)
{
	to->map = vm_map_fork(from->map);
	assert_non_null(to->map);
	for (unsigned i = 0; i < WINDOW; i++) {
		struct page *p = &to->p[i];

		if (from->p[i].dontfork)
			continue;
		*p = from->p[i];
		p->locked = false;
		if (p->kind == SHARED)
			p->sh->refs++;
		if (p->wipe) {
			p->byte = 0;
			p->lazy = false;
		}
	}
}

static void do_exit(struct proc *pr)
{
	vm_map_drop(pr->map);
	pr->map = NULL;
	for (unsigned i = 0; i < WINDOW; i++)
		forget(&pr->p[i]);
}

static void do_dontneed(struct proc *pr, unsigned at, unsigned n)
{
	bool hole = false;
	int err;

	for (unsigned i = 0; i < n; i++) {
		hole |= pr->p[at + i].kind == NONE;
		if (pr->p[at + i].locked)
			return;
	}
	err = vm_madvise(pr->map, va_of(at), n * PAGE_SIZE, 4);
	assert_int_equal(err, hole ? -ENOMEM : 0);
	for (unsigned i = 0; i < n; i++) {
		struct page *p = &pr->p[at + i];

		if (p->kind == ANON)
			p->byte = 0;
		p->cow = true;
		p->lazy = false;
	}
}

enum { FREE = 8, DONTFORK_ = 10, DOFORK_, WIPE = 18, KEEP, COLD_, PAGEOUT_, READ_IN, WRITE_IN };

/* Advice that no byte tells of, but for FREE; only where it has to succeed, but for holes. */
static void do_advise(struct proc *pr, unsigned at, unsigned n, int advice)
{
	bool hole = false;
	unsigned i;

	for (i = 0; i < n; i++) {
		struct page *p = &pr->p[at + i];

		hole |= p->kind == NONE;
		if (p->locked && (advice == FREE || advice == COLD_ || advice == PAGEOUT_))
			return;
		if (p->kind != ANON && p->kind != NONE && (advice == FREE || advice == WIPE))
			return;
		if (advice == READ_IN && !(p->prot & RW))
			return;
		if (advice == WRITE_IN && (!(p->prot & PROT_WRITE) || p->kind == FILE_PRIVATE))
			return;
	}
	if (hole && (advice == READ_IN || advice == WRITE_IN))
		return;
	assert_int_equal(vm_madvise(pr->map, va_of(at), n * PAGE_SIZE, advice), hole ? -ENOMEM : 0);
	for (i = 0; i < n; i++) {
		struct page *p = &pr->p[at + i];

		if (p->kind == NONE)
			continue;
		if (advice == FREE)
			p->lazy = true;
		else if (advice == DONTFORK_ || advice == DOFORK_)
			p->dontfork = advice == DONTFORK_;
		else if (advice == WIPE || (advice == KEEP))
			p->wipe = advice == WIPE;
	}
}

static void do_lock(struct proc *pr, unsigned at, unsigned n, bool lock)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if ((pr->p[at + i].kind != ANON && pr->p[at + i].kind != SHARED) ||
		    !(pr->p[at + i].prot & RW))
			return;
	assert_int_equal(vm_mlock(pr->map, va_of(at), n * PAGE_SIZE, lock, host_rand_below(2)), 0);
	for (i = 0; i < n; i++)
		pr->p[at + i].locked = lock;
}

/* Several pages at once, which have to be of one mapping; with keep, the old addresses stay. */
static void do_move(struct proc *pr, unsigned from, unsigned to, unsigned n, bool keep)
{
	struct page moved[WINDOW];
	unsigned i;
	s64 ret;

	if (to + n > WINDOW || (from < to + n && to < from + n))
		return;
	for (i = 0; keep && i < n; i++)
		if (pr->p[from + i].kind != ANON || pr->p[from + i].locked)
			return;
	ret = vm_mremap(pr->map, va_of(from), n * PAGE_SIZE, n * PAGE_SIZE, keep ? 7 : 3,
			va_of(to));
	if (ret != (s64)va_of(to)) {
		assert_int_equal(ret, -EFAULT);
		return;
	}
	memcpy(moved, &pr->p[from], n * sizeof(*moved));
	for (i = 0; i < n; i++) {
		forget(&pr->p[to + i]);
		pr->p[to + i] = moved[i];
		if (keep) {
			pr->p[from + i].byte = 0;
			pr->p[from + i].lazy = false;
		} else {
			memset(&pr->p[from + i], 0, sizeof(*moved));
		}
	}
}

/* Everything that is in swap comes back, and may go to another device. */
static void change_swap(void)
{
	static unsigned disk;

	if (!vm_shim_swapoff(disk)) {
		assert_int_equal(vm_shim_swap_used(), 0);
		assert_int_equal(vm_shim_swapon(300 + host_rand_below(500), -1), 0);
		disk++;
	}
}

/* A move of one uniform page range to another place. */
static void do_mremap(struct proc *pr, unsigned from, unsigned to)
{
	struct page moved = pr->p[from];
	s64 ret = vm_mremap(pr->map, va_of(from), PAGE_SIZE, PAGE_SIZE, 3, va_of(to));

	if (from == to) {
		assert_int_equal(ret, -EINVAL);
		return;
	}
	if (moved.kind == NONE) {
		assert_int_equal(ret, -EFAULT);
		return;
	}
	assert_int_equal(ret, va_of(to));
	forget(&pr->p[to]);
	pr->p[to] = moved;
	memset(&pr->p[from], 0, sizeof(struct page));
}

static void check_all(void)
{
	for (unsigned k = 0; k < PROCS; k++) {
		struct proc *pr = &procs[k];

		if (!pr->map)
			continue;
		vm_map_audit(pr->map);
		for (unsigned i = 0; i < WINDOW; i++) {
			u8 b;
			int sig, code;

			if (pr->p[i].kind == NONE || !(pr->p[i].prot & RW))
				continue;
			assert_int_equal(vm_shim_load(pr->map, va_of(i) + 8, &b, &sig, &code), 0);
			if (!model_allows(&pr->p[i], b))
				fail_msg("process %u page %u kind %d: %#x, not %#x", k, i,
					 pr->p[i].kind, b, model_byte(&pr->p[i]));
		}
	}
}

static void random_op(void)
{
	static const u32 prots[] = {PROT_NONE, PROT_READ, RW, RW, RW, PROT_READ | PROT_EXEC};
	struct proc *pr = &procs[host_rand_below(PROCS)];
	unsigned at = host_rand_below(WINDOW), n = 1 + host_rand_below(MIN(12u, WINDOW - at));
	u32 prot = prots[host_rand_below(ARRAY_LEN(prots))];

	if (!pr->map) {
		struct proc *from = &procs[host_rand_below(PROCS)];

		if (from->map) {
			do_fork(from, pr);
		} else {
			pr->map = vm_map_create();
			assert_non_null(pr->map);
		}
		return;
	}
	switch (host_rand_below(40)) {
	case 0:
		do_mmap(pr, ANON, at, n, prot);
		break;
	case 1:
		do_mmap(pr, 1 + host_rand_below(4), at, n, prot);
		break;
	case 2:
		do_munmap(pr, at, n);
		break;
	case 3:
	case 4:
		do_mprotect(pr, at, n, prot);
		break;
	case 5:
		if (host_rand_below(3) == 0)
			do_exit(pr);
		break;
	case 6:
		do_dontneed(pr, at, n);
		break;
	case 7:
		do_mremap(pr, at, host_rand_below(WINDOW));
		break;
	case 8:
		failing = host_rand_below(4); /* nothing, everything, some */
		vm_object_clean(&file_object, host_rand_below(4), ~0UL, host_rand_below(2));
		vm_object_evict(&file_object, 0, ~0UL);
		break;
	case 9:
	case 10:
	case 11:
		vm_reclaim(1 + host_rand_below(64));
		break;
	case 12:
		vm_shim_io(host_rand_below(8));
		break;
	case 13:
	case 14: {
		static const int advice[] = {FREE,     FREE,  DONTFORK_, DOFORK_,  WIPE,
					     KEEP,     COLD_, PAGEOUT_,	 PAGEOUT_, READ_IN,
					     WRITE_IN, 0,     1,	 2};

		do_advise(pr, at, n, advice[host_rand_below(ARRAY_LEN(advice))]);
		break;
	}
	case 15:
		do_lock(pr, at, n, host_rand_below(2));
		break;
	case 16:
	case 17:
		do_move(pr, at, host_rand_below(WINDOW), n, host_rand_below(2));
		break;
	case 18:
		if (host_rand_below(20) == 0)
			change_swap();
		break;
	default:
		do_access(pr, at, host_rand_below(2));
	}
}

static void start(void)
{
	static bool started;

	if (!started) {
		vm_shim_start(4096);
		assert_int_equal(vm_shim_swapon(700, -1), 0);
	}
	started = true;
	memset(file_model, 0, sizeof(file_model));
	memset(disk, 0, sizeof(disk));
	vm_object_init_vnode(&file_object, &file_ops, sizeof(disk));
}

/* However often it failed: once it succeeds, the disk has every byte. */
static void check_file(void)
{
	failing = 0;
	assert_int_equal(vm_object_clean(&file_object, 0, ~0UL, true), 0);
	assert_false(vm_object_unwritten(&file_object));
	assert_int_equal(vm_gauge_sum(VMG_failed), 0);
	for (unsigned i = 0; i < FILEPAGES; i++)
		assert_int_equal(disk[i][8], file_model[i]);
}

static void put_byte(u64 index, u8 byte)
{
	struct frame *f;

	assert_int_equal(vm_page_get(&file_object, index, VMP_WRITE, NULL, &f), 0);
	((u8 *)frame_va(f))[8] = file_model[index] = byte;
	vm_page_dirty(f);
	vm_page_put(f);
}

/* A page whose clean failed stays until it is written, is gone with truncation, and its error is told once to each. */
static void test_failed_cleans(void **state __unused)
{
	u32 early, late, mark;

	start();
	early = mark = vm_object_error_mark(&file_object);
	failing = 1;
	for (u64 i = 0; i < FILEPAGES; i++)
		put_byte(i, (u8)(i + 1));
	vm_object_clean(&file_object, 0, ~0UL, false);
	assert_int_equal(file_object.ndirty, 0);
	assert_int_equal(vm_gauge_sum(VMG_failed), FILEPAGES);
	assert_true(vm_object_unwritten(&file_object) && vm_object_dirty(&file_object));
	assert_int_equal(vm_object_evict(&file_object, 0, ~0UL), 0);
	vm_reclaim(64);
	assert_int_equal(file_object.resident, FILEPAGES);

	/* one that is opened now is told of what nobody was told of; after that, new ones are not */
	late = vm_object_error_mark(&file_object);
	assert_int_equal(vm_object_error_since(&file_object, &early), -EIO);
	assert_int_equal(vm_object_error_since(&file_object, &early), 0);
	assert_int_equal(vm_object_error_since(&file_object, &late), -EIO);
	late = vm_object_error_mark(&file_object);
	assert_int_equal(vm_object_error_since(&file_object, &late), 0);

	/* again in vain, and one that is written to meanwhile */
	put_byte(3, 77);
	assert_int_equal(vm_object_clean(&file_object, 0, ~0UL, true), -EIO);
	assert_int_equal(vm_object_error_since(&file_object, &late), -EIO);
	assert_int_equal(vm_object_error_since(&file_object, &mark), -EIO);
	assert_int_equal(vm_object_error_since(&file_object, &mark), 0);
	put_byte(3, 78);
	assert_true(vm_object_unwritten(&file_object));

	/* cut off, punched out: nothing of it is left to be written */
	vm_object_clean(&file_object, 0, ~0UL, false);
	vm_object_set_size(&file_object, 10 * PAGE_SIZE + 100);
	vm_object_remove(&file_object, 0, 1);
	assert_int_equal(vm_gauge_sum(VMG_failed) + file_object.ndirty, 9);
	vm_object_set_size(&file_object, sizeof(disk));
	file_model[0] = file_model[1] = 0;
	for (u64 i = 11; i < FILEPAGES; i++)
		file_model[i] = 0;
	check_file();
	assert_int_equal(vm_object_evict(&file_object, 0, ~0UL), 9);
	vm_object_fini(&file_object, false);
}

static void test_random(void **state __unused)
{
	u32 discards = vm_shim_discards;
	u64 frames;
	long slabs;

	start();
	frames = vm_shim_frames_out();
	slabs = vm_shim_slabs_out();
	for (int i = 0; i < 60000; i++) {
		random_op();
		if (i % 64 == 0)
			check_all();
		if (host_locks_held())
			fail_msg("step %d left %u locks", i, host_locks_held());
	}
	for (unsigned k = 0; k < PROCS; k++)
		if (procs[k].map)
			do_exit(&procs[k]);
	check_file();
	vm_object_fini(&file_object, true);
	vm_shim_io(~0u);
	assert_true(vm_shim_discards > discards); /* and what was in use kept its bytes */
	assert_int_equal(file_refs, 0);
	assert_int_equal(vm_shim_swap_used(), 0);
	assert_int_equal(vm_shim_slabs_out(), slabs);
	assert_int_equal(vm_shim_frames_out(), frames);
}

/* Parent forks 200 times; every child lives for a while beside its parent and both write: the chain stays short. */
static void test_chain_depth(void **state __unused)
{
	struct vm_mmap_args a = {.addr = BASE,
				 .len = 4 * PAGE_SIZE,
				 .prot = RW,
				 .flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS};
	struct vm_map *m, *child;
	struct vm_area_info info;
	int sig, code;
	u8 b;

	start();
	m = vm_map_create();
	assert_int_equal(vm_mmap(m, &a), BASE);
	for (int gen = 0; gen < 200; gen++) {
		assert_int_equal(vm_shim_store(m, BASE + (gen % 4) * PAGE_SIZE, gen, &sig, &code),
				 0);
		child = vm_map_fork(m);
		assert_int_equal(vm_shim_store(m, BASE, gen + 1, &sig, &code), 0);
		assert_int_equal(vm_shim_store(child, BASE + PAGE_SIZE, gen + 2, &sig, &code), 0);
		assert_int_equal(vm_shim_load(child, BASE, &b, &sig, &code), 0);
		if (gen % 2) { /* the parent dies, the child goes on */
			vm_map_drop(m);
			m = child;
		} else {
			vm_map_drop(child);
		}
		assert_true(vm_area_next(m, BASE, false, &info));
		assert_in_range(info.chain_depth, 1, 2);
	}
	vm_map_drop(m);
	vm_object_fini(&file_object, true);
}

/* An area split before a fork: once the child is gone, its parts are written in place, each by itself. */
static void test_split_then_fork(void **state __unused)
{
	struct vm_mmap_args a = {.addr = BASE,
				 .len = 6 * PAGE_SIZE,
				 .prot = RW,
				 .flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS};
	struct vm_map *m, *child;
	struct vm_area_info info;
	int sig, code;
	u8 b;

	start();
	m = vm_map_create();
	assert_int_equal(vm_mmap(m, &a), BASE);
	for (int i = 0; i < 6; i++)
		assert_int_equal(vm_shim_store(m, BASE + i * PAGE_SIZE, i, &sig, &code), 0);
	assert_int_equal(vm_mprotect(m, BASE + 2 * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	child = vm_map_fork(m);
	assert_non_null(child);
	/* the child is there: the first part is copied, and only that */
	assert_int_equal(vm_shim_store(m, BASE, 10, &sig, &code), 0);
	assert_true(vm_area_next(m, BASE, false, &info));
	assert_int_equal(info.chain_depth, 2);
	assert_int_equal(vm_shim_load(child, BASE, &b, &sig, &code), 0);
	assert_int_equal(b, 0);
	vm_map_drop(child);
	assert_int_equal(vm_shim_store(m, BASE + 3 * PAGE_SIZE, 13, &sig, &code), 0);
	assert_true(vm_area_next(m, BASE + 3 * PAGE_SIZE, false, &info));
	assert_int_equal(info.chain_depth, 1);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(vm_shim_load(m, BASE + i * PAGE_SIZE, &b, &sig, &code), 0);
		assert_int_equal(b, i % 3 ? i : i + 10);
	}
	vm_map_audit(m);
	vm_map_drop(m);
	vm_object_fini(&file_object, true);
}

/* A failed call changes nothing: every allocation inside mmap, munmap, mprotect, fork and mremap fails once. */
/* ---- every allocation of every call fails once ---- */

#define PAGES 8

static s64 map_at(struct vm_map *m, u64 page, u32 flags)
{
	struct vm_mmap_args a = {.addr = BASE + page * PAGE_SIZE,
				 .len = 2 * PAGE_SIZE,
				 .prot = RW,
				 .flags = MAP_FIXED | MAP_ANONYMOUS | flags};

	return vm_mmap(m, &a);
}

static s64 map_file_at(struct vm_map *m, u64 page, u32 flags)
{
	struct vm_mmap_args a = {.addr = BASE + page * PAGE_SIZE,
				 .len = 2 * PAGE_SIZE,
				 .prot = RW,
				 .flags = MAP_FIXED | flags,
				 .object = &file_object,
				 .max_prot = RW};

	return vm_mmap(m, &a);
}

static s64 fork_and_drop(struct vm_map *m)
{
	struct vm_map *c = vm_map_fork(m);

	if (c)
		vm_map_drop(c);
	return c ? 0 : -ENOMEM;
}

enum op {
	MUNMAP,
	MPROTECT,
	FORK,
	MREMAP_GROW,
	MREMAP_SHRINK,
	MREMAP_MOVE,
	MREMAP_ONTO,
	MREMAP_KEEP,
	MMAP_OVER,
	MMAP_SHARED,
	MMAP_POPULATE,
	MMAP_FILE,
	MMAP_FILE_SHARED,
	MLOCK,
	MLOCKALL,
	MUNLOCK,
	DONTNEED,
	DONTFORK,
	POPULATE,
	REMAP_PAGES,
	BRK,
	OPS
};

static s64 run(struct vm_map *m, enum op op)
{
	const u64 at = BASE + 3 * PAGE_SIZE, two = 2 * PAGE_SIZE, to = BASE + 20 * PAGE_SIZE;
	u64 end;

	switch (op) {
	case MUNMAP:
		return vm_munmap(m, at, two);
	case MPROTECT:
		return vm_mprotect(m, at, two, PROT_READ);
	case FORK:
		return fork_and_drop(m);
	case MREMAP_GROW:
		return vm_mremap(m, at, two, 2 * two, 1, 0);
	case MREMAP_SHRINK:
		return vm_mremap(m, at, two, PAGE_SIZE, 0, 0);
	case MREMAP_MOVE:
		return vm_mremap(m, at, two, 2 * two, 3, to);
	case MREMAP_ONTO:
		return vm_mremap(m, at, PAGE_SIZE, two, 3, BASE + 5 * PAGE_SIZE);
	case MREMAP_KEEP:
		return vm_mremap(m, at, two, two, 5, 0);
	case MMAP_OVER:
		return map_at(m, 3, MAP_PRIVATE);
	case MMAP_SHARED:
		return map_at(m, 3, MAP_SHARED);
	case MMAP_POPULATE:
		return map_at(m, 30, MAP_PRIVATE | MAP_POPULATE);
	case MMAP_FILE:
		return map_file_at(m, 3, MAP_PRIVATE);
	case MMAP_FILE_SHARED:
		return map_file_at(m, 30, MAP_SHARED);
	case MLOCK:
		return vm_mlock(m, at, two, true, false);
	case MLOCKALL:
		return vm_mlock_all(m, true, true, false);
	case MUNLOCK:
		return vm_mlock(m, at, two, false, false);
	case DONTNEED:
		return vm_madvise(m, at, two, 4);
	case DONTFORK:
		return vm_madvise(m, at, two, 10);
	case POPULATE:
		return vm_madvise(m, BASE, PAGES * PAGE_SIZE, 23);
	case REMAP_PAGES:
		return vm_remap_file_pages(m, BASE + 40 * PAGE_SIZE, PAGE_SIZE, 1, 0);
	case BRK:
		end = vm_brk(m, BASE + 64 * PAGE_SIZE);
		return end == BASE + 64 * PAGE_SIZE ? 0 : -ENOMEM;
	default:
		return -EINVAL;
	}
}

/* PAGES pages of private memory, page i holding i + 1, and two of a shared object. */
static struct vm_map *make_map(void)
{
	struct vm_map *m = vm_map_create();
	int sig, code;

	for (u64 page = 0; page < PAGES; page += 2)
		assert_true(map_at(m, page, MAP_PRIVATE) > 0);
	assert_true(map_at(m, 40, MAP_SHARED) > 0);
	vm_set_brk(m, BASE + 60 * PAGE_SIZE);
	for (u64 i = 0; i < PAGES; i++)
		assert_int_equal(vm_shim_store(m, BASE + i * PAGE_SIZE, (u8)(i + 1), &sig, &code),
				 0);
	return m;
}

static void check_map(struct vm_map *m)
{
	struct vm_area_info info;
	u64 at = 0, total = 0;
	int sig, code;
	u8 v;

	vm_map_audit(m);
	for (u64 i = 0; i < PAGES; i++) {
		assert_int_equal(vm_shim_load(m, BASE + i * PAGE_SIZE, &v, &sig, &code), 0);
		assert_int_equal(v, i + 1);
	}
	for (; vm_area_next(m, at, false, &info); at = info.end) {
		assert_int_equal(info.prot, RW);
		total += info.end - info.start;
	}
	assert_int_equal(total, (PAGES + 2) * PAGE_SIZE);
}

/* forked: somebody else shares the memory. True once the call needs fewer than n allocations. */
static bool fails_well(enum op op, long n, bool forked)
{
	struct vm_map *m = make_map(), *other = forked ? vm_map_fork(m) : NULL;
	u64 frames = vm_shim_frames_out();
	long slabs = vm_shim_slabs_out();
	bool fired;
	s64 r;

	vm_shim_fail(n);
	r = run(m, op);
	fired = vm_shim_failed();
	vm_shim_fail(0);
	if (r < 0) {
		assert_true(fired);
		assert_true(r == -ENOMEM || r == -EAGAIN);
		check_map(m);
		/* pages may have been faulted in: that nobody can tell */
		assert_true(op == POPULATE || op == MLOCK || vm_shim_slabs_out() == slabs);
		assert_true(op == POPULATE || op == MLOCK || forked ||
			    vm_shim_frames_out() == frames);
	}
	vm_map_drop(m);
	if (other)
		vm_map_drop(other);
	return !fired;
}

static void test_no_memory(void **state __unused)
{
	for (int forked = 0; forked < 2; forked++)
		for (enum op op = 0; op < OPS; op++) {
			u64 frames;
			long slabs, n = 1;

			start();
			assert_true(fails_well(op, 1000000, forked)); /* makes what is made once */
			frames = vm_shim_frames_out();
			slabs = vm_shim_slabs_out();
			while (!fails_well(op, n, forked)) {
				n++;
				assert_true(n < 300);
			}
			vm_object_fini(&file_object, true);
			/* memory was short: pages of maps that are gone may still be on their way to swap */
			vm_shim_io(~0u);
			assert_int_equal(vm_shim_slabs_out(), slabs);
			assert_int_equal(vm_shim_frames_out(), frames);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_depth), cmocka_unit_test(test_split_then_fork),
		cmocka_unit_test(test_no_memory),   cmocka_unit_test(test_failed_cleans),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
