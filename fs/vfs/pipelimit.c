// SPDX-License-Identifier: BSD-2-Clause
/*
 * How much pipes may hold: the largest one (pipe-max-size), and all pipes of one user together (pipe-user-pages-soft, -hard).
 * Owns a tree of users with the frames that their pipes may use; one is there while it has any.  What a pipe was charged it gives back.
 * Locks: `lock` guards the tree; the limits may change at any time.
 */
#include "fs/vfs/vfs_internal.h"

/* Field markings and the corresponding locks:
 * (l) lock   (c) constant
 */
struct pipe_user {
	struct rb_node node; /* (l) */
	u32 uid;	     /* (c) */
	u64 frames;	     /* (l) */
};

struct pipe_limits pipe_limits = {.size = 1048576, .soft = 16384};
static struct spinlock lock = SPINLOCK_INIT(LOCK_LEAF_FS, "pipe users");
static struct rb_tree users = RB_TREE_INIT(NULL);

/* lock held. The user, or NULL and where it belongs. */
static struct pipe_user *find(u32 uid, struct rb_node **parent, struct rb_node ***link)
{
	*link = &users.root;
	*parent = NULL;
	while (**link) {
		struct pipe_user *u = container_of(**link, struct pipe_user, node);

		if (u->uid == uid)
			return u;
		*parent = **link;
		*link = uid < u->uid ? &(**link)->left : &(**link)->right;
	}
	return NULL;
}

static bool over(u64 frames, u32 limit)
{
	return limit && frames > limit;
}

static bool privileged(const struct cred *c)
{
	return cred_has(c, CAP_SYS_RESOURCE_BIT) || cred_has(c, CAP_SYS_ADMIN_BIT);
}

/* lock held. A user without pipes goes away. */
static void move(struct pipe_user *u, u32 from, u32 to) REQUIRES(lock)
{
	u->frames += to;
	ASSERTF(u->frames >= from, "user %u: %lu frames of pipes", u->uid, u->frames);
	u->frames -= from;
	if (u->frames)
		return;
	rb_erase(&users, &u->node);
	kfree(u);
}

/* lock held, dropped meanwhile if the user has no pipes yet. NULL: no memory. */
static struct pipe_user *find_or_add(u32 uid) REQUIRES(lock)
{
	struct rb_node *parent, **link;
	struct pipe_user *u = find(uid, &parent, &link), *fresh;

	if (u)
		return u;
	spin_unlock(&lock);
	fresh = kzalloc(sizeof(*fresh));
	spin_lock(&lock);
	u = find(uid, &parent, &link);
	if (u || !fresh) { /* somebody was faster */
		kfree(fresh);
		return u;
	}
	fresh->uid = uid;
	rb_insert(&users, &fresh->node, parent, link);
	return fresh;
}

u32 pipe_charge_new(const struct cred *c, u32 most)
{
	u32 n = most;
	struct pipe_user *u;

	spin_lock(&lock);
	u = find_or_add(c ? c->uid : 0);
	if (!u)
		n = 0;
	if (u && !cred_has(c, CAP_SYS_RESOURCE_BIT))
		n = MIN(n, READ_ONCE(pipe_limits.size) / (u32)PAGE_SIZE);
	if (u && !privileged(c) && over(u->frames + n, READ_ONCE(pipe_limits.soft)))
		n = MIN(n, PIPE_LEAST_FRAMES);
	if (u && !privileged(c) && over(u->frames + n, READ_ONCE(pipe_limits.hard)))
		n = 0;
	if (u)
		move(u, 0, n);
	spin_unlock(&lock);
	return n;
}

int pipe_recharge(u32 uid, u32 from, u32 to)
{
	struct rb_node *parent, **link;
	struct pipe_user *u;
	int err = 0;
	u64 sum;

	spin_lock(&lock);
	u = find(uid, &parent, &link);
	ASSERTF(u, "user %u has no pipes", uid);
	sum = u->frames - from + to;
	if (to > from && !privileged(vfs_current_cred()) &&
	    (over(sum, READ_ONCE(pipe_limits.soft)) || over(sum, READ_ONCE(pipe_limits.hard))))
		err = -EPERM;
	else
		move(u, from, to);
	spin_unlock(&lock);
	return err;
}
