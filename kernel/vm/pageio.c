// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages in and out of objects: vm_page_get, read-ahead, and cleaning in clusters.
 *
 * Nothing sleeps under an object's lock: a fill is described by BUSY frames put into the object, the lock is dropped, the pager starts the
 * transfer, and whoever needs the page waits on the frame and looks the slot up again.
 */
#include "kernel/vm/vm_internal.h"

#define CLUSTER_MAX	256 /* pages per call of fill or clean, at most */
#define READAHEAD_START 4

/* ---- anonymous and device pagers ---- */

static void anon_fill(struct vm_object *o __unused, struct frame **frames, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		page_zero(frame_va(frames[i]));
		vm_page_fill_end(frames[i], 0);
	}
}

const struct vm_pager_ops anon_pager_ops = {
	.name = "anon",
	.fill = anon_fill,
	.max_cluster = 1,
};

const struct vm_pager_ops device_pager_ops = {
	.name = "device",
};

/* ---- filling ---- */

static u32 cluster_of(const struct vm_object *o)
{
	return o->ops->max_cluster ? MIN(o->ops->max_cluster, (u32)CLUSTER_MAX) : 1;
}

/* New BUSY frames, each held once for the transfer, for absent consecutive pages from index on: how many. Locked. */
static size_t add_busy(struct vm_object *o, u64 index, size_t n, struct frame **out)
	REQUIRES(o->lock)
{
	size_t k = 0;

	while (k < n) {
		struct frame *f;

		if (page_lookup(o, index + k))
			break;
		f = frame_alloc(FA_NOWAIT | FA_USER);
		if (!f)
			break;
		page_set(f, FR_BUSY);
		if (page_add(o, f, index + k)) {
			f->flags &= FR_USER;
			frame_free(f);
			break;
		}
		f->holds = 2;
		out[k++] = f;
	}
	return k;
}

int page_start_fill(struct vm_object *o, u64 index, size_t n)
{
	struct frame *f[CLUSTER_MAX];
	size_t got, most = cluster_of(o);
	u64 pages;

	if (object_is_anon(o))
		return anon_bring_in(o, index, n, NULL);
	if (n > 1)
		frames_bring();
	spin_lock(o->lock);
	pages = DIV_ROUND_UP(o->size, PAGE_SIZE);
	if (index >= pages) {
		spin_unlock(o->lock);
		return -ENXIO;
	}
	n = MIN(MIN(n, most), pages - index);
	got = add_busy(o, index, n, f);
	if (!got && page_lookup(o, index)) {
		spin_unlock(o->lock);
		return 0; /* somebody was faster */
	}
	spin_unlock(o->lock);
	if (!got)
		return -ENOMEM;
	o->ops->fill(o, f, got);
	vm_count(VMEV_pgpgin, got * (PAGE_SIZE / KiB));
	return 0;
}

void vm_object_readahead(struct vm_object *o, u64 index, size_t n)
{
	u64 end = MIN(index + n, DIV_ROUND_UP(READ_ONCE(o->size), PAGE_SIZE));

	if (o->kind != OBJ_VNODE)
		return;
	while (index < end) {
		size_t run = 0;

		spin_lock(o->lock);
		while (index < end && page_lookup(o, index))
			index++;
		while (index + run < end && run < cluster_of(o) && !page_lookup(o, index + run))
			run++;
		spin_unlock(o->lock);
		if (!run || page_start_fill(o, index, run))
			return;
		vm_count(VMEV_readahead_pages, run);
		index += run;
	}
}

/* Pages from index on that the call in hand wants, as far as one transfer goes. */
static u32 wanted(const struct vm_readahead *ra, u64 index)
{
	return ra->until > index ? (u32)MIN(ra->until - index, (u64)CLUSTER_MAX) : 0;
}

static u32 wider(const struct vm_readahead *ra)
{
	return MIN(ra->window * 2, ra->max ? ra->max : READAHEAD_DEFAULT);
}

u32 readahead_window(struct vm_readahead *ra, u64 index)
{
	bool sequential = index == ra->next || index == ra->ahead;

	if (ra->max == UINT32_MAX)
		return MAX(wanted(ra, index), 1u);
	if (sequential)
		ra->window = ra->window ? wider(ra) : READAHEAD_START;
	else
		ra->window = index == 0 ? READAHEAD_START : 1;
	ra->window = MAX(ra->window, wanted(ra, index));
	/* where reading begins anew says nothing about what comes behind */
	ra->ahead = sequential || index == 0 ? index + ra->window : 0;
	return ra->window;
}

/*
 * Whether reading page index starts the next window, so that the device works while the reader does: in the middle of this one; a long stream's at
 * the beginning, before this one is there.
 */
static bool starts_next(const struct vm_readahead *ra, u64 index)
{
	return index + (ra->window < READAHEAD_DEFAULT ? ra->window / 2 : ra->window) == ra->ahead;
}

static void readahead_next(struct vm_object *o, struct vm_readahead *ra, u64 index)
{
	if (ra->max == UINT32_MAX || ra->ahead <= index)
		return;
	ra->window = MAX(MAX(wider(ra), MIN(ra->call, (u32)CLUSTER_MAX)), wanted(ra, ra->ahead));
	vm_object_readahead(o, ra->ahead, ra->window);
	ra->ahead += ra->window;
}

/* ---- vm_page_get ---- */

/* A failed fill: the frame leaves the object; the error goes to who waited. Locked; f is in o. */
static void discard_failed(struct frame *f)
{
	if (page_has(f, FR_ERROR) && !page_has(f, FR_VALID | FR_BUSY) && !READ_ONCE(f->mapcount)) {
		page_fill_failed(f);
		vm_page_put(f);
	}
}

/* Old garbage behind the end of the file must not become part of it when a write extends the file. Locked. */
static void settle_tail(struct vm_object *o, struct frame *f)
{
	u64 at = f->index << PAGE_SHIFT;

	if (!page_has(f, FR_STORED) || o->kind != OBJ_VNODE || o->size <= at ||
	    o->size - at >= PAGE_SIZE)
		return;
	memset((u8 *)frame_va(f) + (o->size - at), 0, PAGE_SIZE - (o->size - at));
	if (!READ_ONCE(f->mapcount))
		page_clear(f, FR_STORED);
}

static bool beyond_size(const struct vm_object *o, u64 index, unsigned flags)
{
	return index >= DIV_ROUND_UP(o->size, PAGE_SIZE) && !(flags & VMP_BEYOND);
}

/* An absent page of anonymous memory, made and held. -EEXIST: it is no longer absent, or no longer wanted. */
static int make_zero(struct vm_object *o, u64 index, unsigned flags, struct frame **out)
{
	struct frame *f = frame_alloc(FA_USER | FA_ZERO);
	struct radix_reserve r = {0};
	int err;

	if (!f)
		return -ENOMEM;
	err = radix_reserve_fill(&r, true);
	if (err) {
		frame_free(f);
		return err;
	}
	page_set(f, FR_VALID | FR_REF);
	spin_lock(o->lock);
	if (page_word(o, index) || beyond_size(o, index, flags)) {
		spin_unlock(o->lock);
		f->flags &= FR_USER;
		frame_free(f);
		radix_reserve_free(&r);
		return -EEXIST;
	}
	err = page_add_from(o, f, index, &r);
	ASSERT(!err);
	vm_page_hold(f); /* under the lock: without it the page may go at once */
	spin_unlock(o->lock);
	radix_reserve_free(&r);
	*out = f;
	return 0;
}

/* An absent page, made for NOFILL: BUSY and held. */
static int get_new(struct vm_object *o, u64 index, struct frame **out)
{
	struct frame *f = frame_alloc(FA_USER);
	struct radix_reserve r = {0};
	int err;

	if (!f)
		return -ENOMEM;
	err = radix_reserve_fill(&r, true);
	if (err)
		goto fail;
	page_set(f, FR_BUSY | FR_REF);
	spin_lock(o->lock);
	if (page_lookup(o, index)) {
		spin_unlock(o->lock);
		err = -EEXIST;
		goto fail;
	}
	err = page_add_from(o, f, index, &r);
	ASSERT(!err);
	f->holds = 2;
	if (o->ops->reserve)
		page_set(f, FR_RESERVED);
	spin_unlock(o->lock);
	radix_reserve_free(&r);
	*out = f;
	return 0;
fail:
	f->flags &= FR_USER;
	frame_free(f);
	radix_reserve_free(&r);
	return err;
}

static int reserve_page(struct vm_object *o, u64 index, unsigned flags)
{
	if (!(flags & VMP_WRITE) || (flags & VMP_RESERVED) || !o->ops->reserve)
		return 0;
	return o->ops->reserve(o, index, 1);
}

/*
 * Waits for a busy page or starts reading an absent one; then the caller looks again.  A page that failed inside a cluster of others may be good by
 * itself: it is read once more alone (*alone), and only then its error counts.
 */
static int bring_in(struct vm_object *o, u64 index, struct frame *f, struct vm_readahead *ra,
		    bool *alone)
{
	if (f && page_has(f, FR_ERROR) && !page_has(f, FR_VALID | FR_BUSY)) {
		if (*alone)
			return -EIO;
		*alone = true;
		return page_start_fill(o, index, 1);
	}
	if (!f)
		return page_start_fill(o, index, ra && !*alone ? readahead_window(ra, index) : 1);
	if (ra && starts_next(ra, index))
		readahead_next(o, ra, index);
	return page_wait_kill(f, FR_BUSY);
}

int vm_page_get(struct vm_object *o, u64 index, unsigned flags, struct vm_readahead *ra,
		struct frame **out)
{
	bool alone = false,
	     reserved = !(flags & VMP_WRITE) || (flags & VMP_RESERVED) || !o->ops->reserve;
	int err;

	for (;;) {
		struct frame *f;
		bool away; /* in swap, or known to be zero */

		spin_lock(o->lock);
		if (unlikely(beyond_size(o, index, flags))) {
			spin_unlock(o->lock);
			return -ENXIO;
		}
		f = page_lookup(o, index);
		if (likely(f && page_has(f, FR_VALID) && !page_has(f, FR_BUSY) &&
			   (reserved || page_has(f, FR_RESERVED)))) {
			vm_page_hold(f);
			if (flags & VMP_WRITE)
				settle_tail(o, f);
			spin_unlock(o->lock);
			vm_page_touch(f);
			if (ra) {
				if (starts_next(ra, index))
					readahead_next(o, ra, index);
				ra->next = index + 1;
			}
			*out = f;
			return 0;
		}
		away = !f && object_is_anon(o) && page_word(o, index);
		if (f) {
			vm_page_hold(f);
			discard_failed(f);
		}
		spin_unlock(o->lock);
		if (flags & VMP_NOWAIT) {
			err = -EAGAIN;
		} else if (!reserved && !(f && page_has(f, FR_BUSY))) {
			err = reserve_page(o, index, flags);
			reserved = true;
			if (!err && f && page_has(f, FR_VALID))
				page_set(f, FR_RESERVED);
		} else if (!f && !away && object_is_anon(o)) {
			err = make_zero(o, index, flags, out);
			if (!err)
				return 0;
		} else if (!f && !away &&
			   ((flags & VMP_NOFILL) ||
			    index >= DIV_ROUND_UP(READ_ONCE(o->size), PAGE_SIZE))) {
			err = get_new(o, index, out);
			if (!err)
				return 0;
		} else {
			err = bring_in(o, index, f, ra, &alone);
		}
		if (f)
			vm_page_put(f);
		if (err == -ENOMEM && (vm_reclaim(16) || frames_oom()))
			err = 0;
		if (err && err != -EEXIST)
			return err;
	}
}

/* May this page be read without more ado? */
static bool ready_to_read(const struct frame *f, u64 index, const struct vm_readahead *ra)
{
	if (!f || f->index != index ||
	    (__atomic_load_n(&f->flags, __ATOMIC_ACQUIRE) & (FR_VALID | FR_BUSY)) != FR_VALID)
		return false;
	return !ra || !starts_next(ra, index);
}

size_t vm_page_get_run(struct vm_object *o, u64 index, size_t n, struct vm_readahead *ra,
		       struct frame **out)
{
	uintptr_t words[VM_PAGE_RUN];
	size_t k = 0, got = 0;
	u64 pages;

	ASSERT(n <= VM_PAGE_RUN);
	spin_lock(o->lock);
	pages = DIV_ROUND_UP(o->size, PAGE_SIZE);
	if (index < pages)
		got = radix_gather(&o->pages, index, MIN(index + n, pages) - 1, words, NULL, n);
	for (; k < got && ready_to_read(word_frame(words[k]), index + k, ra); k++) {
		out[k] = word_frame(words[k]);
		vm_page_hold(out[k]);
		vm_page_touch(out[k]);
	}
	spin_unlock(o->lock);
	if (ra && k)
		ra->next = index + k;
	return k;
}

/* ---- cleaning ---- */

/* A clean that failed left FR_ERROR: the page is dirty again. Clears stale hints. Locked; true if f is being cleaned now. */
static bool settle_locked(struct vm_object *o, struct frame *f)
{
	if (page_has(f, FR_CLEANING))
		return true;
	radix_tag_clear(&o->pages, f->index, TAG_CLEANING);
	if (page_forget_failure(f))
		page_set_dirty_locked(f);
	return false;
}

/* f (dirty, quiet) begins to be cleaned. Locked. */
static void begin_clean(struct vm_object *o, struct frame *f)
{
	page_set(f, FR_CLEANING);
	page_forget_failure(f);
	page_clear(f, FR_DIRTY);
	radix_tag_clear(&o->pages, f->index, TAG_DIRTY);
	radix_tag_set(&o->pages, f->index, TAG_CLEANING);
	__atomic_fetch_add(&o->writeback, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&o->ndirty, o->ndirty - 1,
			 __ATOMIC_RELEASE); /* vm_object_unwritten looks */
	vm_gauge_add(VMG_dirty, -1);
	vm_gauge_add(VMG_writeback, 1);
	vm_page_hold(f);
}

/*
 * Dirty pages from *index on, at most to last, in as many runs as they lie in. Locked. 0: none left. *wait_for: a page in transfer that is dirty again.
 * Stores make them dirty again when the round is closed; those that come before are part of what is written.
 */
static size_t gather(struct vm_object *o, u64 *index, u64 last, struct frame **f,
		     struct frame **wait_for, struct tlb_round *round)
{
	size_t n = 0;

	*wait_for = NULL;
	while (n < CLUSTER_MAX) {
		struct frame *g = word_frame(radix_next_tagged(&o->pages, index, last, TAG_DIRTY));

		if (!g || *index > last || !page_has(g, FR_DIRTY))
			break;
		if (page_has(g, FR_CLEANING | FR_BUSY)) {
			if (!n)
				*wait_for = g;
			break;
		}
		begin_clean(o, g);
		f[n++] = g;
		if (++*index == 0)
			break;
	}
	rmap_write_protect_all(f, n, round);
	return n;
}

/* No store comes to them unseen any more: what mappings left behind the end of the file goes. */
static void settle_tails(struct vm_object *o, struct frame **f, size_t n)
{
	if (!(READ_ONCE(o->size) & PAGE_MASK))
		return;
	spin_lock(o->lock);
	for (size_t i = 0; i < n; i++)
		settle_tail(o, f[i]);
	spin_unlock(o->lock);
}

/* Each run of pages (CLEANING, so they stay where they are) is a transfer. */
static void clean_runs(struct vm_object *o, struct frame **f, size_t n, bool wait)
{
	size_t most = cluster_of(o);

	for (size_t i = 0, k; i < n; i += k) {
		for (k = 1; i + k < n && k < most && f[i + k]->index == f[i]->index + k; k++)
			;
		o->ops->clean(o, f + i, k, wait);
		vm_count(VMEV_writeback_clusters, 1);
		vm_count(VMEV_writeback_pages, k);
		vm_count(VMEV_pgpgout, k * (PAGE_SIZE / KiB));
	}
}

/* Pages of earlier cleans that failed are dirty again. Locked. */
static void settle_all(struct vm_object *o, u64 first, u64 last)
{
	u64 index = first;
	struct frame *f;

	while ((f = (struct frame *)radix_next_tagged(&o->pages, &index, last, TAG_CLEANING))) {
		settle_locked(o, f);
		if (++index == 0)
			break;
	}
}

static void wait_cleaned(struct vm_object *o, u64 first, u64 last)
{
	u64 index = first;
	struct frame *f;

	spin_lock(o->lock);
	while ((f = (struct frame *)radix_next_tagged(&o->pages, &index, last, TAG_CLEANING))) {
		if (!settle_locked(o, f)) {
			if (++index == 0)
				break;
			continue;
		}
		vm_page_hold(f);
		spin_unlock(o->lock);
		page_wait(f, FR_CLEANING);
		vm_page_put(f);
		spin_lock(o->lock);
	}
	spin_unlock(o->lock);
}

int vm_object_clean(struct vm_object *o, u64 first, u64 last, bool wait)
{
	struct frame *f[CLUSTER_MAX], *pending;
	u32 errors = __atomic_load_n(&o->nerrors, __ATOMIC_ACQUIRE);
	u64 index = first;
	size_t n;

	if (o->kind != OBJ_VNODE)
		return 0;
	if (unlikely(READ_ONCE(o->failed))) {
		spin_lock(o->lock);
		settle_all(o, first, last);
		spin_unlock(o->lock);
	}
	for (;;) {
		struct tlb_round round;

		tlb_round_open(&round);
		spin_lock(o->lock);
		n = gather(o, &index, last, f, &pending, &round);
		if (pending && wait)
			vm_page_hold(pending);
		spin_unlock(o->lock);
		tlb_round_close(&round);
		if (pending && wait) {
			page_wait(pending, FR_CLEANING | FR_BUSY);
			vm_page_put(pending);
			continue;
		}
		if (pending) {
			index++;
			continue;
		}
		if (!n)
			break;
		settle_tails(o, f, n);
		clean_runs(o, f, n, wait);
	}
	if (!wait)
		return 0;
	wait_cleaned(o, first, last);
	return __atomic_load_n(&o->nerrors, __ATOMIC_ACQUIRE) != errors ? READ_ONCE(o->wb_error)
									: 0;
}
