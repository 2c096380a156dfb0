// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pending signals and dispositions: sending, queueing, choosing a thread, taking a signal off the queues.  What is done
 * with a signal that was taken is in sigdeliver.c.
 *
 * A signal that ends its process does so when it is sent: group_exit_begin marks the process and all threads
 * (TIF_EXIT), so that a kernel wait with WAIT_KILL needs to look at one flag only.
 *
 * Invariants: a thread for which an unblocked signal is pending in its own queue has TIF_SIGNAL set; for one pending in the
 * process's queue some thread that does not block it has.
 *
 * Locks: p->sig_lock (interrupts off) for all of it; see struct sighand for shared dispositions.
 */
#include "kernel/proc/proc_internal.h"
#include "kernel/lib/ref.h"

BUILD_ASSERT(sizeof(struct siginfo_k) == 48);
BUILD_ASSERT(sizeof(struct k_sigaction) == 24);

#define SIG_SYNC                                                                                \
	(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) | \
	 SIGBIT(SIGSYS))

static struct kmem_cache *node_cache, *sighand_cache;

void signal_init(void)
{
	node_cache = kmem_cache_create("siginfo", sizeof(struct siginfo_node), 0);
	sighand_cache = kmem_cache_create("sighand", sizeof(struct sighand), KM_LINE);
	if (!node_cache || !sighand_cache)
		panic("no memory for signals");
}

/* ---- dispositions ---- */

struct sighand *sighand_alloc(void)
{
	struct sighand *h = kmem_cache_alloc(sighand_cache, KM_ZERO);

	if (!h)
		return NULL;
	h->refs = 1;
	spin_init(&h->lock, LOCK_SIGNAL, "sighand");
	return h;
}

void sighand_hold(struct sighand *h)
{
	ref_get(&h->refs);
}

void sighand_drop(struct sighand *h)
{
	if (ref_put(&h->refs) == 0)
		kmem_cache_free(sighand_cache, h);
}

/* p->sig_lock held.  Returns what sighand_leave needs. */
static inline NO_TS bool sighand_enter(struct sighand *h)
{
	bool shared = __atomic_load_n(&h->refs, __ATOMIC_ACQUIRE) > 1;

	if (shared)
		spin_lock_same(&h->lock);
	return shared;
}

static inline NO_TS void sighand_leave(struct sighand *h, bool locked)
{
	if (locked)
		spin_unlock(&h->lock);
}

struct k_sigaction sighand_get(struct process *p, int sig)
{
	struct sighand *h = p->sighand;
	bool locked = sighand_enter(h);
	struct k_sigaction a = {0};

	if (h->set & SIGBIT(sig))
		a = h->act[sig - 1];
	sighand_leave(h, locked);
	return a;
}

void sighand_set(struct process *p, int sig, const struct k_sigaction *a)
{
	struct sighand *h = p->sighand;
	bool locked = sighand_enter(h), zero = !(a->handler | a->flags | a->mask);

	if (!zero)
		h->act[sig - 1] = *a;
	__atomic_store_n(&h->set, zero ? h->set & ~SIGBIT(sig) : h->set | SIGBIT(sig),
			 __ATOMIC_RELEASE);
	sighand_leave(h, locked);
}

struct sighand *sighand_clone(struct process *p, bool clear_handlers)
{
	struct sighand *n = kmem_cache_alloc(sighand_cache, 0);
	bool locked;
	u64 flags;

	if (!n)
		return NULL;
	n->refs = 1;
	spin_init(&n->lock, LOCK_SIGNAL, "sighand");
	flags = spin_lock_irq(&p->sig_lock);
	locked = sighand_enter(p->sighand);
	n->set = p->sighand->set;
	for (sigset_t m = n->set; m; m &= m - 1) {
		unsigned i = __builtin_ctzl(m);

		n->act[i] = p->sighand->act[i];
	}
	sighand_leave(p->sighand, locked);
	spin_unlock_irq(&p->sig_lock, flags);
	for (sigset_t m = n->set; clear_handlers && m; m &= m - 1) {
		if (n->act[__builtin_ctzl(m)].handler != SIG_IGN)
			n->set &= ~(m & -m);
	}
	return n;
}

int sighand_unshare(struct process *p)
{
	struct sighand *old = p->sighand, *n;
	u64 flags;

	if (__atomic_load_n(&old->refs, __ATOMIC_ACQUIRE) == 1)
		return 0;
	n = sighand_clone(p, false);
	if (!n)
		return -ENOMEM;
	flags = spin_lock_irq(&p->sig_lock);
	p->sighand = n;
	spin_unlock_irq(&p->sig_lock, flags);
	sighand_drop(old);
	return 0;
}

void sighand_reset(struct process *p)
{
	struct sighand *h = p->sighand;
	u64 flags = spin_lock_irq(&p->sig_lock);

	ASSERT(h->refs == 1);
	for (sigset_t m = h->set; m; m &= m - 1) {
		struct k_sigaction *a = &h->act[__builtin_ctzl(m)];

		if (a->handler == SIG_IGN)
			*a = (struct k_sigaction){.handler = SIG_IGN};
		else
			h->set &= ~(m & -m);
	}
	spin_unlock_irq(&p->sig_lock, flags);
}

/* ---- queues ---- */

void sigqueue_init(struct sigqueue *q)
{
	q->set = 0;
	q->count = 0;
	list_init(&q->infos);
}

struct siginfo_node *siginfo_node_alloc(void)
{
	struct siginfo_node *n = kmem_cache_alloc(node_cache, KM_ZERO);

	if (n)
		list_init(&n->link);
	return n;
}

void siginfo_node_free(struct siginfo_node *n)
{
	kmem_cache_free(node_cache, n);
}

/* Off its queue; a timer keeps its own. */
static void node_take_off(struct sigqueue *q, struct siginfo_node *n)
{
	list_del(&n->link);
	list_init(&n->link);
	q->count--;
	if (!n->timer)
		siginfo_node_free(n);
}

static void sigqueue_remove(struct sigqueue *q, sigset_t which)
{
	struct siginfo_node *n, *tmp;

	if (!(q->set & which))
		return;
	q->set &= ~which;
	list_for_each_safe(n, tmp, &q->infos, link) {
		if (which & SIGBIT(n->info.signo)) {
			node_take_off(q, n);
		}
	}
}

void sigqueue_flush(struct sigqueue *q)
{
	sigqueue_remove(q, ~0UL);
}

/* Takes the first info of sig, which is set; the bit stays if more are queued. */
static void queue_take_sig(struct sigqueue *q, int sig, struct siginfo_k *info)
{
	struct siginfo_node *n, *found = NULL;

	q->set &= ~SIGBIT(sig);
	list_for_each(n, &q->infos, link) {
		if (n->info.signo != sig)
			continue;
		if (found) {
			q->set |= SIGBIT(sig);
			break;
		}
		found = n;
	}
	if (!found) {
		memset(info, 0, sizeof(*info));
		info->signo = sig;
		return;
	}
	if (found->timer)
		ptimer_taken(found->timer, &found->info);
	*info = found->info;
	node_take_off(q, found);
}

/* Index of the lowest bit set; set is not 0.  The base ISA has no instruction for it. */
static int lowest_bit(u64 set)
{
	static const u8 index[64] = {
		0,  1,	2,  53, 3,  7,	54, 27, 4,  38, 41, 8,	34, 55, 48, 28,
		62, 5,	39, 46, 44, 42, 22, 9,	24, 35, 59, 56, 49, 18, 29, 11,
		63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21, 23, 58, 17, 10,
		51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
	};

	return index[((set & -set) * 0x022fdd63cc95386dUL) >> 58];
}

static int queue_first(const struct sigqueue *q, sigset_t which)
{
	sigset_t set = q->set & which;

	if (!set)
		return 0;
	if (set & SIG_SYNC)
		set &= SIG_SYNC;
	return lowest_bit(set) + 1;
}

int sigqueue_take(struct task *t, sigset_t which, struct siginfo_k *info)
{
	struct sigqueue *q = &t->pending;
	int sig = queue_first(q, which);

	if (!sig) {
		q = &t->proc->pending;
		sig = queue_first(q, which);
	}
	if (sig)
		queue_take_sig(q, sig, info);
	return sig;
}

/* limit: RLIMIT_SIGPENDING of the receiver, here for each of its queues.  What kill() and the kernel send needs no info. */
static int queue_add(struct sigqueue *q, int sig, const struct siginfo_k *info, u64 limit)
{
	struct siginfo_node *n = NULL;

	if (sig < SIGRTMIN && (q->set & SIGBIT(sig)))
		return 0;
	if (q->count < limit || sig < SIGRTMIN)
		n = kmem_cache_alloc(node_cache, KM_NOWAIT);
	if (n) {
		n->timer = NULL;
		q->count++;
		if (info)
			n->info = *info;
		else
			n->info = (struct siginfo_k){.code = SI_KERNEL};
		n->info.signo = sig;
		list_add_tail(&q->infos, &n->link);
	} else if (sig >= SIGRTMIN && info && info->code != SI_USER) {
		return -EAGAIN;
	}
	q->set |= SIGBIT(sig);
	return 0;
}

/* ---- waking ---- */

void thread_kick(struct thread *t, bool fatal)
{
	if (t == current() || sched_wake_signal(t, fatal))
		return;
	if (READ_ONCE(t->on_cpu))
		ipi_send(1UL << t->hart->index, IPI_RESCHED);
}

static void task_notify(struct task *t)
{
	thread_flag_set(t->thread, TIF_SIGNAL);
	thread_kick(t->thread, false);
}

void signal_recalc(struct task *t)
{
	struct process *p = t->proc;
	sigset_t set = t->pending.set | p->pending.set;
	bool want = (set & ~t->blocked) || p->group_stop || p->cont_notify;

	if (want == !!(READ_ONCE(t->thread->flags) & TIF_SIGNAL))
		return;
	if (want)
		thread_flag_set(t->thread, TIF_SIGNAL);
	else
		thread_flag_clear(t->thread, TIF_SIGNAL);
}

void signal_retarget(struct process *p)
{
	struct task *t;

	list_for_each(t, &p->tasks, proc_link) {
		if (p->pending.set & ~t->blocked)
			task_notify(t);
	}
}

void group_exit_begin(struct process *p, int status)
{
	struct task *t;

	if (p->exiting)
		return;
	p->exiting = true;
	p->exit_status = status;
	p->group_stop = false;
	list_for_each(t, &p->tasks, proc_link) {
		thread_flag_set(t->thread, TIF_EXIT);
		thread_kick(t->thread, true);
	}
	waitq_wake_all(&p->stop_wait);
}

/* Those that say that processor time was used: the thread that uses it takes them, whatever the others wait for. */
#define SIG_OF_TIME (SIGBIT(SIGPROF) | SIGBIT(SIGVTALRM) | SIGBIT(SIGXCPU))

/* The thread that gets a signal of the whole process: the first that lets it in, better one that has nothing to do. */
static struct task *choose_task(struct process *p, int sig)
{
	struct task *me = current_task(), *second = NULL, *t;

	if ((SIG_OF_TIME & SIGBIT(sig)) && me && me->proc == p && !(me->blocked & SIGBIT(sig)))
		return me;
	list_for_each(t, &p->tasks, proc_link) {
		if (t->blocked & SIGBIT(sig))
			continue;
		if (t->thread == current() || !(READ_ONCE(t->thread->flags) & TIF_SIGNAL))
			return t;
		if (!second)
			second = t;
	}
	return second;
}

/* ---- sending ---- */

static void remove_everywhere(struct process *p, sigset_t which)
{
	struct task *t;

	sigqueue_remove(&p->pending, which);
	list_for_each(t, &p->tasks, proc_link)
		sigqueue_remove(&t->pending, which);
}

static void resume(struct process *p)
{
	struct task *t;

	remove_everywhere(p, SIG_STOPS);
	if (!p->group_stop)
		return;
	p->group_stop = false;
	if (p->stopped) {
		p->stopped = false;
		p->stop_report = false;
		p->cont_report = true;
		p->cont_notify = true;
		t = list_first(&p->tasks, struct task, proc_link);
		if (t)
			thread_flag_set(t->thread, TIF_SIGNAL);
	}
	waitq_wake_all(&p->stop_wait);
}

static u64 handler_of(struct process *p, int sig)
{
	struct sighand *h = p->sighand;

	/* one word: no need of the sharers' lock */
	if (!(__atomic_load_n(&h->set, __ATOMIC_ACQUIRE) & SIGBIT(sig)))
		return SIG_DFL;
	return READ_ONCE(h->act[sig - 1].handler);
}

static bool ignored_by_action(const struct process *p, int sig, u64 handler)
{
	if (handler > SIG_IGN)
		return false;
	return handler == SIG_IGN || p->unkillable || (SIG_DFL_IGNORED & SIGBIT(sig));
}

/* Nobody would notice it: ignored, and not blocked (then the disposition may change before it is let in). */
static bool ignored_now(struct process *p, struct task *t, int sig, u64 handler)
{
	if (!t)
		t = list_first(&p->tasks, struct task, proc_link);
	if (t && ((t->blocked | t->real_blocked) & SIGBIT(sig)))
		return false;
	return ignored_by_action(p, sig, handler);
}

static bool ends_process(struct process *p, struct task *t, int sig, u64 handler)
{
	if (sig == SIGKILL)
		return !p->unkillable;
	if (handler != SIG_DFL || p->unkillable)
		return false;
	return !((SIG_STOPS | SIG_DFL_IGNORED | t->real_blocked) & SIGBIT(sig));
}

/* Wakes or ends who is to take sig, which was queued for t or, NULL, the process. */
static void send_tell(struct process *p, struct task *t, int sig, u64 handler)
{
	if (READ_ONCE(p->signalfd_used))
		waitq_wake_all(&p->signalfd_wait);
	if (!t)
		t = choose_task(p, sig);
	if (!t || (t->blocked & SIGBIT(sig)))
		return;
	if (ends_process(p, t, sig, handler))
		group_exit_begin(p, sig);
	else
		task_notify(t);
}

int signal_send_locked(struct process *p, struct task *t, int sig, const struct siginfo_k *info)
{
	u64 handler = handler_of(p, sig);
	int err;

	if (p->exiting || !p->ntasks || (t && t->exiting))
		return 0;
	if (SIG_STOPS & SIGBIT(sig))
		remove_everywhere(p, SIGBIT(SIGCONT));
	else if (sig == SIGCONT)
		resume(p);
	if (ignored_now(p, t, sig, handler))
		return 0;
	err = queue_add(t ? &t->pending : &p->pending, sig, info, p->rlim[RLIMIT_SIGPENDING].cur);
	if (!err)
		send_tell(p, t, sig, handler);
	return err;
}

bool signal_send_node(struct process *p, struct task *t, struct siginfo_node *n)
{
	struct sigqueue *q = t ? &t->pending : &p->pending;
	int sig = n->info.signo;
	u64 handler = handler_of(p, sig);

	ASSERT(list_empty(&n->link));
	if (p->exiting || !p->ntasks || (t && t->exiting) || ignored_now(p, t, sig, handler))
		return false;
	list_add_tail(&q->infos, &n->link);
	q->count++;
	q->set |= SIGBIT(sig);
	send_tell(p, t, sig, handler);
	return true;
}

/* A thread that waits in sigtimedwait has unblocked what it waits for, so it is found by choose_task. */
int signal_proc(struct process *p, int sig, const struct siginfo_k *info)
{
	u64 flags = spin_lock_irq(&p->sig_lock);
	int err;

	ASSERTF(sig > 0 && sig <= NSIG, "signal %d", sig);
	err = signal_send_locked(p, NULL, sig, info);
	spin_unlock_irq(&p->sig_lock, flags);
	return err;
}

int signal_task(struct task *t, int sig, const struct siginfo_k *info)
{
	struct process *p = t->proc;
	u64 flags = spin_lock_irq(&p->sig_lock);
	int err;

	ASSERTF(sig > 0 && sig <= NSIG, "signal %d", sig);
	err = signal_send_locked(p, t, sig, info);
	spin_unlock_irq(&p->sig_lock, flags);
	return err;
}

void signal_force(int sig, int code, u64 addr)
{
	struct task *t = current_task();
	struct process *p = t->proc;
	struct siginfo_k info = {.signo = sig, .code = code, .fault.addr = addr};
	u64 flags = spin_lock_irq(&p->sig_lock);
	struct k_sigaction a = sighand_get(p, sig);

	if (a.handler == SIG_IGN || (t->blocked & SIGBIT(sig))) {
		a.handler = SIG_DFL;
		sighand_set(p, sig, &a);
		t->blocked &= ~SIGBIT(sig);
	}
	if (a.handler == SIG_DFL)
		p->unkillable = false;
	queue_add(&t->pending, sig, &info, RLIM_INFINITY);
	thread_flag_set(t->thread, TIF_SIGNAL);
	spin_unlock_irq(&p->sig_lock, flags);
}

/* ---- asking ---- */

bool signal_pending_task(struct task *t, bool only_fatal)
{
	u32 flags = READ_ONCE(t->thread->flags);

	return flags & (only_fatal ? TIF_EXIT : TIF_EXIT | TIF_SIGNAL);
}

bool signal_ignored(struct process *p, int sig)
{
	u64 flags = spin_lock_irq(&p->sig_lock);
	bool ignored = ignored_by_action(p, sig, handler_of(p, sig));

	spin_unlock_irq(&p->sig_lock, flags);
	return ignored;
}

sigset_t signal_pending_set(void)
{
	struct task *t = current_task();
	u64 flags = spin_lock_irq(&t->proc->sig_lock);
	sigset_t set = (t->pending.set | t->proc->pending.set) & t->blocked;

	spin_unlock_irq(&t->proc->sig_lock, flags);
	return set;
}

bool signal_queued(sigset_t which)
{
	struct task *t = current_task();
	u64 flags = spin_lock_irq(&t->proc->sig_lock);
	sigset_t set = (t->pending.set | t->proc->pending.set) & which;

	spin_unlock_irq(&t->proc->sig_lock, flags);
	return set;
}

/* ---- masks and actions ---- */

sigset_t signal_set_blocked(sigset_t set)
{
	struct task *t = current_task();
	struct process *p = t->proc;
	sigset_t old = t->blocked, fresh;
	u64 flags;

	set &= ~SIG_UNBLOCKABLE;
	if (set == old)
		return old;
	flags = spin_lock_irq(&p->sig_lock);
	fresh = set & ~old;
	t->blocked = set;
	if ((t->pending.set | p->pending.set) || (READ_ONCE(t->thread->flags) & TIF_SIGNAL))
		signal_recalc(t);
	if (p->ntasks > 1 && (p->pending.set & fresh))
		signal_retarget(p);
	spin_unlock_irq(&p->sig_lock, flags);
	return old;
}

void signal_push_mask(sigset_t mask)
{
	current_task()->saved_mask = signal_set_blocked(mask);
	thread_flag_set(current(), TIF_RESTORE_MASK);
}

int signal_action(int sig, const struct k_sigaction *new, struct k_sigaction *old)
{
	struct process *p = current_proc();
	u64 flags;

	if (sig < 1 || sig > NSIG || (new && (SIG_UNBLOCKABLE & SIGBIT(sig))))
		return -EINVAL;
	flags = spin_lock_irq(&p->sig_lock);
	if (old)
		*old = sighand_get(p, sig);
	if (new) {
		struct k_sigaction a = *new;

		a.mask &= ~SIG_UNBLOCKABLE;
		sighand_set(p, sig, &a);
		if (ignored_by_action(p, sig, a.handler))
			remove_everywhere(p, SIGBIT(sig));
	}
	spin_unlock_irq(&p->sig_lock, flags);
	return 0;
}

int signal_dequeue(sigset_t which, struct siginfo_k *out)
{
	struct task *t = current_task();
	u64 flags = spin_lock_irq(&t->proc->sig_lock);
	int sig = sigqueue_take(t, which & ~SIG_UNBLOCKABLE, out);

	signal_recalc(t);
	spin_unlock_irq(&t->proc->sig_lock, flags);
	return sig;
}

static void let_in(struct task *t, sigset_t set, bool begin)
{
	u64 flags = spin_lock_irq(&t->proc->sig_lock);

	if (begin) {
		t->real_blocked = t->blocked;
		t->blocked &= ~set;
	} else {
		t->blocked = t->real_blocked;
		t->real_blocked = 0;
	}
	signal_recalc(t);
	spin_unlock_irq(&t->proc->sig_lock, flags);
}

int signal_wait(sigset_t set, struct siginfo_k *out, u64 deadline)
{
	struct task *t = current_task();
	struct waitq q;
	struct waiter w = {0};
	int sig, err = 0;

	set &= ~SIG_UNBLOCKABLE;
	waitq_init(&q);
	while (!(sig = signal_dequeue(set, out)) && !err) {
		let_in(t, set, true);
		wait_prepare(&q, &w, WAIT_INTR);
		err = wait_block(WAIT_INTR, deadline);
		wait_finish(&q, &w);
		let_in(t, set, false);
	}
	if (sig)
		return sig;
	return err == -ETIMEDOUT ? -EAGAIN : -EINTR;
}
