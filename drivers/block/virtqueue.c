// SPDX-License-Identifier: BSD-2-Clause
/*
 * Split virtqueues (VIRTIO 1.1, 2.6).
 *
 * The three parts lie in one piece of memory, in the layout that legacy devices demand (2.6.2) and modern ones accept: descriptors,
 * available ring, and on the next page the used ring.
 *
 * Invariants: free descriptors are linked through `next` from free_head; `token[i]` is set exactly while the chain that begins with
 * descriptor i is with the device.  What the device writes (used ring) is checked before it is believed.
 *
 * Locks: none, the caller's.
 */

#include "drivers/block/virtio.h"
#include "kernel/lib/print.h"
#include "kernel/mem/slab.h"

#define USED_ALIGN PAGE_SIZE

struct vring_avail {
	u16 flags, idx, ring[]; /* then u16 used_event */
};

struct vring_used_elem {
	u32 id, len;
};

struct vring_used {
	u16 flags, idx;
	struct vring_used_elem ring[]; /* then u16 avail_event */
};
#define VRING_USED_NO_NOTIFY 1u

/* Field markings and the corresponding locks:
 * (c) constant   (d) the driver's lock; ring memory is shared with the device
 */
struct virtq {
	u32 num;			    /* (c) a power of two */
	bool event_idx;			    /* (c) */
	unsigned order;			    /* (c) of the frames below */
	struct frame *frames;		    /* (c) */
	volatile struct vring_desc *desc;   /* (d) */
	volatile struct vring_avail *avail; /* (d) */
	volatile struct vring_used *used;   /* (d) */
	u16 free_head, nfree;		    /* (d) */
	u16 avail_idx;			    /* (d) what we have offered */
	u16 published;			    /* (d) of that, what the device may see */
	u16 used_idx;			    /* (d) what we have taken */
	void *token[];			    /* (d) */
};

static u64 used_offset(u32 num)
{
	u64 avail_end = num * sizeof(struct vring_desc) + sizeof(struct vring_avail) +
			(num + 1) * sizeof(u16);

	return ALIGN_UP(avail_end, USED_ALIGN);
}

struct virtq *virtq_create(u32 num, bool event_idx)
{
	u64 bytes = used_offset(num) + sizeof(struct vring_used) +
		    num * sizeof(struct vring_used_elem) + sizeof(u16);
	struct virtq *q;
	char *mem;

	ASSERT(num && num <= 32768 && !(num & (num - 1)));
	q = kzalloc(sizeof(*q) + num * sizeof(q->token[0]));
	if (!q)
		return NULL;
	while (PAGE_SIZE << q->order < bytes)
		q->order++;
	q->frames = frame_alloc_order(q->order, FA_ZERO);
	if (!q->frames) {
		kfree(q);
		return NULL;
	}
	mem = frame_va(q->frames);
	q->num = num;
	q->event_idx = event_idx;
	q->desc = (void *)mem;
	q->avail = (void *)(mem + num * sizeof(struct vring_desc));
	q->used = (void *)(mem + used_offset(num));
	q->nfree = num;
	for (u32 i = 0; i < num; i++)
		q->desc[i].next = i + 1;
	return q;
}

void virtq_destroy(struct virtq *q)
{
	if (!q)
		return;
	frame_free_order(q->frames, q->order);
	kfree(q);
}

u32 virtq_size(const struct virtq *q)
{
	return q->num;
}

void virtq_addresses(const struct virtq *q, paddr_t *desc, paddr_t *avail, paddr_t *used)
{
	*desc = frame_pa(q->frames);
	*avail = *desc + q->num * sizeof(struct vring_desc);
	*used = *desc + used_offset(q->num);
}

u32 virtq_room(const struct virtq *q)
{
	return q->nfree;
}

static volatile u16 *used_event(struct virtq *q)
{
	return &q->avail->ring[q->num];
}

static volatile u16 *avail_event(struct virtq *q)
{
	return (volatile u16 *)&q->used->ring[q->num];
}

static void offer_head(struct virtq *q, u16 head, void *token)
{
	ASSERT(token && !q->token[head]);
	q->token[head] = token;
	q->avail->ring[q->avail_idx++ & (q->num - 1)] = head;
}

void virtq_offer(struct virtq *q, const struct vring_desc *d, u32 n, void *token)
{
	u16 head = q->free_head, at = head;

	ASSERT(n && n <= q->nfree);
	for (u32 i = 0; i < n; i++) {
		q->desc[at].addr = d[i].addr;
		q->desc[at].len = d[i].len;
		q->desc[at].flags = (d[i].flags & VRING_WRITE) | (i + 1 < n ? VRING_NEXT : 0);
		at = q->desc[at].next;
	}
	q->free_head = at;
	q->nfree -= n;
	offer_head(q, head, token);
}

void virtq_offer_indirect(struct virtq *q, paddr_t table, u32 n, void *token)
{
	u16 head = q->free_head;

	ASSERT(q->nfree);
	q->desc[head].addr = table;
	q->desc[head].len = n * sizeof(struct vring_desc);
	q->desc[head].flags = VRING_INDIRECT;
	q->free_head = q->desc[head].next;
	q->nfree--;
	offer_head(q, head, token);
}

bool virtq_publish(struct virtq *q)
{
	u16 old = q->published, new = q->avail_idx;

	if (old == new)
		return false;
	__atomic_thread_fence(__ATOMIC_RELEASE); /* 2.6.13.3.1: entries before the index */
	q->avail->idx = new;
	q->published = new;
	__atomic_thread_fence(
		__ATOMIC_SEQ_CST); /* 2.6.13.4.1: the index before reading whether to notify */
	if (!q->event_idx)
		return !(q->used->flags & VRING_USED_NO_NOTIFY);
	return (u16)(new - *avail_event(q) - 1) < (u16)(new - old); /* 2.6.7.2 */
}

/* Back to the free ones; false: the chain is not what we made. */
static bool chain_free(struct virtq *q, u16 head)
{
	u16 at = head, n = 1;

	while (q->desc[at].flags & VRING_NEXT) {
		at = q->desc[at].next;
		if (at >= q->num || ++n > q->num)
			return false;
	}
	q->desc[at].next = q->free_head;
	q->free_head = head;
	q->nfree += n;
	return q->nfree <= q->num;
}

void *virtq_take(struct virtq *q, bool *bad)
{
	void *token;
	u32 id;

	*bad = false;
	if (q->used->idx == q->used_idx) {
		if (!q->event_idx)
			return NULL;
		*used_event(q) = q->used_idx;
		__atomic_thread_fence(
			__ATOMIC_SEQ_CST); /* 2.6.14: ask for the interrupt, then look once more */
		if (q->used->idx == q->used_idx)
			return NULL;
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	id = q->used->ring[q->used_idx & (q->num - 1)].id;
	token = id < q->num ? q->token[id] : NULL;
	if (!token || !chain_free(q, id)) {
		*bad = true;
		return NULL;
	}
	q->token[id] = NULL;
	q->used_idx++;
	return token;
}
