// SPDX-License-Identifier: BSD-2-Clause
/*
 * epoll(7).  An item is a descriptor that an epoll watches.  It stands on the file's wait queues for as long as it exists; when one
 * of them is woken, the item goes on its epoll's ready list and whoever waits for the epoll is woken.  Waiting takes the
 * list apart, asks each file what is true now, and puts back those that stay ready (level-triggered).
 *
 *	file->epoll -> struct watched -> items <- epoll->items
 *
 * An item holds no reference on its file: the last file_drop calls watched_release first, which takes the items away. So a
 * file met under the epoll's lock is alive.  An epoll may watch another one that watches none (depth 2, no loops).
 *
 * Locks: all_lock, then an epoll's lock (both EPOLL; an inner epoll's after its outer's) guard the items; ready_lock
 * (EPOLL_READY) guards the ready lists' links and is taken in the queues' wake-ups.
 */

#include "kernel/boot/init.h"
#include "kernel/syscall/anon.h"

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP    (1u << 29)
#define EPOLLONESHOT   (1u << 30)
#define EPOLLET	       (1u << 31)
#define EPOLL_PRIVATE  (EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)

struct epoll_event_k {
	u32 events, pad;
	u64 data;
};
BUILD_ASSERT(sizeof(struct epoll_event_k) == 16);

/* Field markings and the corresponding locks:
 * (c) constant   (e) lock   (r) ready_lock   (A) all_lock
 */
struct epoll {
	struct mutex lock;	    /* (c) EPOLL */
	struct rb_tree items;	    /* (e) by file and number */
	struct spinlock ready_lock; /* (c) EPOLL_READY */
	struct list ready;	    /* (r) struct item.ready_link */
	struct waitq wait;	    /* (c) woken when something is put on ready */
	u32 nested;		    /* (A) items that are epolls themselves */
};

/* One place on one wait queue. */
struct stand {
	struct waiter waiter;
	struct waitq *queue;
	struct item *item;
	struct stand *next;
};

/* Field markings and the corresponding locks:
 * (c) constant   (e) the epoll's lock   (r) its ready_lock   (A) all_lock
 */
struct item {
	struct poll_table table; /* (c) how the file finds us */
	struct epoll *ep;	 /* (c) */
	struct file *file;	 /* (c) not held */
	int fd;			 /* (c) */
	struct rb_node node;	 /* (e) */
	struct list file_link;	 /* (A) in watched.items */
	struct list ready_link;	 /* (r) */
	struct stand *stands;	 /* (e) */
	bool no_memory;		 /* (e) a queue could not be stood on */
	u32 events;		 /* (e) asked for */
	u64 data;		 /* (e) */
};

struct watched {
	struct list items; /* all_lock */
};

static struct mutex all_lock;

static const struct file_ops epoll_ops;

/* ---- the ready list ---- */

/* Puts i on the ready list; true: it was not there. */
static bool ready_add(struct item *i)
{
	u64 irq = spin_lock_irq(&i->ep->ready_lock);
	bool add = list_empty(&i->ready_link);

	if (add)
		list_add_tail(&i->ep->ready, &i->ready_link);
	spin_unlock_irq(&i->ep->ready_lock, irq);
	return add;
}

static void ready_del(struct item *i)
{
	u64 irq = spin_lock_irq(&i->ep->ready_lock);

	list_del(&i->ready_link);
	spin_unlock_irq(&i->ep->ready_lock, irq);
}

/* A queue that the item stands on is woken: runs under that queue's lock. */
static void item_woken(struct waiter *w)
{
	struct item *i = container_of(w, struct stand, waiter)->item;

	if (!(READ_ONCE(i->events) & ~EPOLL_PRIVATE))
		return; /* a one-shot that has fired */
	ready_add(i);
	waitq_wake_all_nested(&i->ep->wait);
}

/* The file's poll names a queue. */
static void item_stand(struct poll_table *pt, struct waitq *q)
{
	struct item *i = container_of(pt, struct item, table);
	struct stand *s = kzalloc(sizeof(*s));
	u64 irq;

	if (!s) {
		i->no_memory = true;
		return;
	}
	s->item = i;
	s->queue = q;
	s->waiter.fn = item_woken;
	s->next = i->stands;
	i->stands = s;
	irq = spin_lock_irq(&q->lock);
	list_add(&q->waiters, &s->waiter.link);
	spin_unlock_irq(&q->lock, irq);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* before the file looks at its state */
}

static u32 item_poll(struct item *i, struct poll_table *pt)
{
	u32 want = i->events & ~EPOLL_PRIVATE;

	return want ? file_poll(i->file, pt) & (want | POLLERR | POLLHUP) : 0;
}

/* Asks the file now; readiness found makes the item ready.  The epoll's lock held. */
static void item_check(struct item *i, struct poll_table *pt)
{
	ASSERT(mutex_held(&i->ep->lock));
	if (item_poll(i, pt)) {
		ready_add(i);
		waitq_wake_all(&i->ep->wait);
	}
}

/* ---- items ---- */

static int item_order(const struct item *i, const struct file *f, int fd)
{
	if (i->file != f)
		return i->file < f ? -1 : 1;
	return i->fd < fd ? -1 : i->fd > fd;
}

static struct item *item_find(struct epoll *ep, const struct file *f, int fd)
{
	struct rb_node *n = ep->items.root;

	while (n) {
		struct item *i = container_of(n, struct item, node);
		int order = item_order(i, f, fd);

		if (!order)
			return i;
		n = order < 0 ? n->right : n->left;
	}
	return NULL;
}

static void item_insert(struct epoll *ep, struct item *i)
{
	struct rb_node **link = &ep->items.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = item_order(container_of(parent, struct item, node), i->file, i->fd) < 0
			       ? &parent->right
			       : &parent->left;
	}
	rb_insert(&ep->items, &i->node, parent, link);
}

static void item_leave_queues(struct item *i)
{
	struct stand *s;

	while ((s = i->stands)) {
		u64 irq = spin_lock_irq(&s->queue->lock);

		list_del(&s->waiter.link);
		spin_unlock_irq(&s->queue->lock, irq);
		i->stands = s->next;
		kfree(s);
	}
}

/* all_lock and the epoll's lock held. */
static void item_remove(struct item *i)
{
	ASSERT(mutex_held(&all_lock) && mutex_held(&i->ep->lock));
	item_leave_queues(i);
	ready_del(i);
	rb_erase(&i->ep->items, &i->node);
	list_del(&i->file_link);
	if (i->file->ops == &epoll_ops)
		i->ep->nested--;
	kfree(i);
}

/* f's list of items, made when there is none. all_lock held. NULL: no memory. */
static struct watched *watched_get(struct file *f)
{
	struct watched *w = f->epoll;

	if (w)
		return w;
	w = kzalloc(sizeof(*w));
	if (!w)
		return NULL;
	list_init(&w->items);
	__atomic_store_n(&f->epoll, w, __ATOMIC_RELEASE);
	return w;
}

/* The last reference of f is going. */
static void watched_release(struct file *f)
{
	struct watched *w = f->epoll;
	struct item *i, *next;

	mutex_lock(&all_lock);
	list_for_each_safe(i, next, &w->items, file_link) {
		struct epoll *ep = i->ep;

		mutex_lock_same(&ep->lock);
		item_remove(i);
		mutex_unlock(&ep->lock);
	}
	f->epoll = NULL;
	mutex_unlock(&all_lock);
	kfree(w);
}

/* ---- epoll_ctl ---- */

/* May ep watch f, if that is an epoll?  Only if no chain of three comes about. */
static int nest_check(struct epoll *ep, struct file *epf, struct file *f)
{
	struct epoll *inner = f->data;
	struct watched *outer = epf->epoll;

	if (f->ops != &epoll_ops)
		return 0;
	return inner->nested || (outer && !list_empty(&outer->items)) || inner == ep ? -ELOOP : 0;
}

static int item_add(struct epoll *ep, struct file *f, int fd, const struct epoll_event_k *ev)
{
	struct watched *w = watched_get(f);
	struct item *i = w ? kzalloc(sizeof(*i)) : NULL;

	if (!i)
		return -ENOMEM;
	i->table.stand = item_stand;
	i->ep = ep;
	i->file = f;
	i->fd = fd;
	i->events = ev->events | POLLERR | POLLHUP;
	i->data = ev->data;
	list_init(&i->ready_link);
	item_insert(ep, i);
	list_add(&w->items, &i->file_link);
	if (f->ops == &epoll_ops)
		ep->nested++;
	item_check(i, &i->table);
	if (!i->no_memory)
		return 0;
	item_remove(i);
	return -ENOMEM;
}

static int item_modify(struct item *i, const struct epoll_event_k *ev)
{
	if ((i->events | ev->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	WRITE_ONCE(i->events, ev->events | POLLERR | POLLHUP);
	i->data = ev->data;
	item_check(i, NULL);
	return 0;
}

static int ctl_locked(struct file *epf, int op, struct file *f, int fd,
		      const struct epoll_event_k *ev)
{
	struct epoll *ep = epf->data;
	struct item *i = item_find(ep, f, fd);
	int err;

	switch (op) {
	case EPOLL_CTL_ADD:
		err = i ? -EEXIST : nest_check(ep, epf, f);
		return err ? err : item_add(ep, f, fd, ev);
	case EPOLL_CTL_DEL:
		if (!i)
			return -ENOENT;
		item_remove(i);
		return 0;
	case EPOLL_CTL_MOD:
		return i ? item_modify(i, ev) : -ENOENT;
	default:
		return -EINVAL;
	}
}

static int ctl_check(struct file *epf, int op, struct file *f, const struct epoll_event_k *ev)
{
	if (!f->ops->poll)
		return -EPERM;
	if (f == epf || epf->ops != &epoll_ops)
		return -EINVAL;
	if (op == EPOLL_CTL_ADD && (ev->events & EPOLLEXCLUSIVE) && f->ops == &epoll_ops)
		return -EINVAL;
	return 0;
}

SYSCALL4(epoll_ctl, epfd, op, fd, uevent)
{
	struct epoll_event_k ev = {0};
	struct file *epf, *f;
	struct epoll *ep;
	int err = -EBADF;

	if ((s32)op != EPOLL_CTL_DEL &&
	    copy_from_user(&ev, (const void __user *)uevent, sizeof(ev)))
		return -EFAULT;
	epf = file_get(epfd);
	f = file_get(fd);
	if (epf && f)
		err = ctl_check(epf, (int)op, f, &ev);
	if (!err) {
		ep = epf->data;
		mutex_lock(&all_lock);
		mutex_lock_same(&ep->lock);
		err = ctl_locked(epf, (int)op, f, (int)fd, &ev);
		mutex_unlock(&ep->lock);
		mutex_unlock(&all_lock);
	}
	if (f)
		file_drop(f);
	if (epf)
		file_drop(epf);
	return err;
}

/* ---- waiting ---- */

static bool ready_any(struct epoll *ep)
{
	return !list_empty(&ep->ready); /* whoever adds wakes afterwards */
}

/* Takes the whole ready list; its items stay linked to *out. */
static void ready_take(struct epoll *ep, struct list *out)
{
	u64 irq = spin_lock_irq(&ep->ready_lock);

	list_splice_tail(out, &ep->ready);
	spin_unlock_irq(&ep->ready_lock, irq);
}

/* What was not looked at goes back, before what has become ready meanwhile. */
static void ready_give_back(struct epoll *ep, struct list *from)
{
	u64 irq = spin_lock_irq(&ep->ready_lock);

	list_splice_tail(from, &ep->ready);
	list_splice_tail(&ep->ready, from);
	spin_unlock_irq(&ep->ready_lock, irq);
}

static struct item *ready_pop(struct epoll *ep, struct list *from)
{
	u64 irq = spin_lock_irq(&ep->ready_lock);
	struct list *l = list_pop(from);

	spin_unlock_irq(&ep->ready_lock, irq);
	return l ? list_entry(l, struct item, ready_link) : NULL;
}

static int event_put(struct item *i, u32 got, u64 uevents)
{
	struct epoll_event_k ev = {.events = got, .data = i->data};

	if (copy_to_user((void __user *)uevents, &ev, sizeof(ev))) {
		ready_add(i);
		return -EFAULT;
	}
	if (i->events & EPOLLONESHOT)
		WRITE_ONCE(i->events, i->events & EPOLL_PRIVATE);
	else if (!(i->events & EPOLLET))
		ready_add(i);
	return 0;
}

/* Hands out what is ready now: how many, or -EFAULT. */
static long events_take(struct epoll *ep, u64 uevents, u32 max)
{
	struct list todo = LIST_INIT(todo);
	struct item *i;
	u32 n = 0;
	int err = 0;

	mutex_lock(&ep->lock);
	ready_take(ep, &todo);
	while (n < max && !err && (i = ready_pop(ep, &todo))) {
		u32 got = item_poll(i, NULL);

		if (!got)
			continue;
		err = event_put(i, got, uevents + n * sizeof(struct epoll_event_k));
		n += !err;
	}
	ready_give_back(ep, &todo);
	mutex_unlock(&ep->lock);
	return n ? (long)n : err;
}

struct ep_timeout {
	u64 deadline; /* 0: none */
	bool now;
};

static long ep_wait(struct epoll *ep, u64 uevents, u32 max, const struct ep_timeout *t)
{
	for (;;) {
		long n = ready_any(ep) ? events_take(ep, uevents, max) : 0;
		int err;

		if (n || t->now)
			return n;
		err = wait_event_until(&ep->wait, ready_any(ep), WAIT_INTR, t->deadline);
		if (err)
			return err == -ETIMEDOUT ? 0 : err;
	}
}

static long epoll_pwait(u64 epfd, u64 uevents, u64 max, const struct ep_timeout *t, u64 umask,
			u64 masksize)
{
	u64 bytes = (u64)(u32)max * sizeof(struct epoll_event_k);
	struct temp_mask mask;
	struct file *f;
	long r;

	if ((s32)max <= 0 || bytes > INT32_MAX)
		return -EINVAL;
	r = temp_mask_begin(&mask, umask, masksize);
	if (r)
		return r;
	f = file_get(epfd);
	if (!f)
		r = -EBADF;
	else if (!user_range_ok(uevents, bytes))
		r = -EFAULT;
	else
		r = f->ops == &epoll_ops ? ep_wait(f->data, uevents, (u32)max, t) : -EINVAL;
	if (f)
		file_drop(f);
	temp_mask_end(&mask, r == -EINTR);
	return r;
}

SYSCALL6(epoll_pwait, epfd, uevents, max, timeout, umask, masksize)
{
	s32 ms = (s32)timeout;
	struct ep_timeout t = {.now = ms == 0,
			       .deadline = ms > 0 ? time_deadline((u64)ms * 1000000) : 0};

	return epoll_pwait(epfd, uevents, max, &t, umask, masksize);
}

SYSCALL6(epoll_pwait2, epfd, uevents, max, uts, umask, masksize)
{
	struct ep_timeout t = {0};
	struct timespec_k ts;

	if (uts) {
		if (copy_from_user(&ts, (const void __user *)uts, sizeof(ts)))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		t.now = !ts.sec && !ts.nsec;
		t.deadline = t.now ? 0 : time_deadline(timespec_ns(&ts));
	}
	return epoll_pwait(epfd, uevents, max, &t, umask, masksize);
}

/* ---- the descriptor ---- */

/* Is anything really ready?  Items that no longer are leave the list. */
static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->data;
	struct list todo = LIST_INIT(todo);
	struct item *i;
	u32 got = 0;

	poll_wait(pt, &ep->wait);
	mutex_lock_same(&ep->lock);
	ready_take(ep, &todo);
	while (!got && (i = ready_pop(ep, &todo))) {
		got = item_poll(i, NULL);
		if (got)
			ready_add(i);
	}
	ready_give_back(ep, &todo);
	mutex_unlock(&ep->lock);
	return got ? POLLIN | POLLRDNORM : 0;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->data;
	struct rb_node *n;

	mutex_lock(&all_lock);
	mutex_lock_same(&ep->lock);
	while ((n = rb_first(&ep->items)))
		item_remove(container_of(n, struct item, node));
	mutex_unlock(&ep->lock);
	mutex_unlock(&all_lock);
	ASSERT(list_empty(&ep->ready));
	kfree(ep);
}

static const struct file_ops epoll_ops = {
	.poll = epoll_poll,
	.release = epoll_release,
	.stream = true,
};

static void epoll_init(void)
{
	mutex_init(&all_lock, LOCK_EPOLL, "epolls");
	file_epoll_release = watched_release;
}
INITCALL(FS, epoll_init);

SYSCALL1(epoll_create1, flags)
{
	struct epoll *ep;
	long fd;

	if ((u32)flags & ~O_CLOEXEC)
		return -EINVAL;
	ep = kzalloc(sizeof(*ep));
	if (!ep)
		return -ENOMEM;
	mutex_init(&ep->lock, LOCK_EPOLL, "epoll");
	spin_init(&ep->ready_lock, LOCK_EPOLL_READY, "epoll ready");
	list_init(&ep->ready);
	waitq_init(&ep->wait);
	fd = anon_fd(&epoll_ops, ep, O_RDWR | ((u32)flags & O_CLOEXEC));
	if (fd < 0)
		kfree(ep);
	return fd;
}
