// SPDX-License-Identifier: BSD-2-Clause
/*
 * The timers of timer_create.
 *
 * A timer owns the queue entry of its signal, so that an expiry never fails for want of memory, and at most one signal of it is
 * pending.  A periodic timer is armed again only when its signal is taken off the queue: a period of a nanosecond costs one interrupt a
 * signal; the periods in between are its overrun.
 *
 *	armed --(expires)--> signalled: entry queued --(taken: ptimer_taken)--> armed or, without an interval, idle
 *
 * Locks: ptimer_lock (PTIMER) serialises create, set and delete; p->sig_lock guards what the interrupt and the taking of signals
 * touch.  The kernel timer is cancelled without sig_lock, which its handler takes; `setting` keeps others from arming it meanwhile.
 */
#include "kernel/proc/proc_internal.h"

#define PERIOD_IGNORED \
	1000000UL /* ns: how soon a timer whose signal is ignored goes off again, at the earliest */
#define OVERRUN_MAX INT32_MAX

/* Field markings and the corresponding locks:
 * (c) constant   (p) ptimer_lock   (s) sig_lock of proc
 */
struct ptimer {
	struct process *proc;	    /* (c) */
	struct task *target;	    /* (c) held; NULL: the process */
	struct siginfo_node *node;  /* (c) NULL: no signal */
	struct clock_listener told; /* (c) of PTIMER_REALTIME */
	s32 id;			    /* (c) */
	enum ptimer_clock clock;    /* (c) */
	struct timer timer;	    /* (s) armed with sig_lock, cancelled without */
	struct cpu_timer cpu;	    /* (s) of PTIMER_CPU */
	u64 expires; /* (s) time_now() or the processor clock's; 0: disarmed.  With an interval the last expiry once that is over */
	u64 interval; /* (s) ns */
	u64 real;     /* (p) absolute realtime it waits for; 0: none */
	u64 overrun;  /* (s) expiries since the signal was queued */
	s32 last;     /* (s) overrun of the last signal taken */
	bool waiting; /* (s) periodic, to be armed when the signal is taken */
	bool setting; /* (s) being set: nobody else arms it */
};

static struct mutex ptimer_lock;
static struct kmem_cache *ptimer_cache;

void ptimer_init(void)
{
	mutex_init(&ptimer_lock, LOCK_PTIMER, "ptimer");
	ptimer_cache = kmem_cache_create("ptimer", sizeof(struct ptimer), 0);
	if (!ptimer_cache)
		panic("no memory for timers");
}

/* ---- sig_lock held ---- */

static u64 clock_now(struct ptimer *t)
{
	return t->clock == PTIMER_CPU ? cpu_timer_now(t->proc, &t->cpu) : time_now();
}

static void arm(struct ptimer *t)
{
	if (t->setting)
		return;
	if (t->clock == PTIMER_CPU)
		cpu_timer_arm(t->proc, &t->cpu, t->expires);
	else
		timer_arm(&t->timer, t->expires);
}

/* Moves the expiry past `after`: the number of periods gone by beyond the first. */
static u64 forward(struct ptimer *t, u64 after)
{
	u64 missed = after > t->expires ? (after - t->expires) / t->interval : 0;

	t->expires += (missed + 1) * t->interval;
	return missed;
}

static void expire(struct ptimer *t, u64 now)
{
	if (t->setting || !t->expires || t->expires > now)
		return;
	if (!list_empty(&t->node->link)) { /* of an earlier setting: still on its way */
		t->overrun++;
		t->waiting = t->interval;
		return;
	}
	t->overrun = 0;
	t->waiting = t->interval;
	if (!signal_send_node(t->proc, t->target, t->node)) {
		t->waiting = false;
		if (t->interval) {
			(void)forward(t, now + PERIOD_IGNORED);
			arm(t);
		}
	}
	if (!t->interval)
		t->expires = 0;
}

void ptimer_taken(struct ptimer *t, struct siginfo_k *info)
{
	if (t->waiting) {
		t->waiting = false;
		t->overrun += forward(t, clock_now(t));
		arm(t);
	}
	t->last = (s32)MIN(t->overrun, (u64)OVERRUN_MAX);
	t->overrun = 0;
	info->timer.overrun = t->last;
}

static void timer_expired(struct timer *timer)
{
	struct ptimer *t = container_of(timer, struct ptimer, timer);
	u64 flags = spin_lock_irq(&t->proc->sig_lock);

	expire(t, time_now());
	spin_unlock_irq(&t->proc->sig_lock, flags);
}

static void cpu_expired(struct process *p __unused, struct cpu_timer *c, u64 now)
{
	expire(container_of(c, struct ptimer, cpu), now);
}

static void show(struct ptimer *t, struct ptimer_times *out)
{
	u64 now = clock_now(t), at = t->expires;

	*out = (struct ptimer_times){.interval = t->interval};
	if (!at)
		return;
	if (at <= now && t->interval)
		at += ((now - at) / t->interval + 1) * t->interval;
	else if (at <= now && !t->node)
		return; /* without a signal nobody took it down */
	out->value = at > now ? at - now : 1;
}

/* ---- setting; ptimer_lock held ---- */

/* Stops t; nobody arms it until settle. */
static void unsettle(struct ptimer *t, struct ptimer_times *old)
{
	u64 flags = spin_lock_irq(&t->proc->sig_lock);

	if (old)
		show(t, old);
	t->setting = true;
	t->waiting = false;
	if (t->clock == PTIMER_CPU)
		cpu_timer_cancel(t->proc, &t->cpu);
	spin_unlock_irq(&t->proc->sig_lock, flags);
	if (t->clock != PTIMER_CPU)
		timer_cancel(&t->timer);
}

static void settle(struct ptimer *t, u64 expires, u64 interval)
{
	u64 flags = spin_lock_irq(&t->proc->sig_lock);

	t->setting = false;
	t->expires = expires;
	t->interval = interval;
	if (expires && t->node)
		arm(t);
	spin_unlock_irq(&t->proc->sig_lock, flags);
}

static u64 realtime_to_now(u64 real)
{
	u64 now = proc_realtime(), at;

	if (real <= now)
		return time_now();
	return __builtin_add_overflow(time_now(), real - now, &at) ? INT64_MAX : at;
}

static u64 expiry(struct ptimer *t, bool absolute, u64 value)
{
	u64 flags, now, at;

	t->real = 0;
	if (!value)
		return 0;
	if (absolute && t->clock == PTIMER_REALTIME) {
		t->real = value;
		return realtime_to_now(value);
	}
	if (absolute)
		return value;
	flags = spin_lock_irq(&t->proc->sig_lock);
	now = clock_now(t);
	spin_unlock_irq(&t->proc->sig_lock, flags);
	return __builtin_add_overflow(now, value, &at) ? INT64_MAX : MAX(at, 1UL);
}

/* The clock was set: a timer that waits for a time of it waits for another moment. */
static void clock_was_set(struct clock_listener *l)
{
	struct ptimer *t = container_of(l, struct ptimer, told);
	struct process *p = t->proc;
	u64 flags, real = READ_ONCE(t->real);
	bool armed;

	if (!real)
		return;
	armed = timer_cancel(&t->timer);
	flags = spin_lock_irq(&p->sig_lock);
	if (armed && !t->setting && t->expires) {
		t->expires = realtime_to_now(real);
		timer_arm(&t->timer, t->expires);
	}
	spin_unlock_irq(&p->sig_lock, flags);
}

/* ---- the calls ---- */

static void ptimer_free(struct ptimer *t)
{
	if (t->target)
		task_drop(t->target);
	if (t->cpu.task)
		task_drop(t->cpu.task);
	if (t->node)
		siginfo_node_free(t->node);
	kmem_cache_free(ptimer_cache, t);
}

static struct ptimer *ptimer_alloc(const struct ptimer_spec *s)
{
	struct ptimer *t = kmem_cache_alloc(ptimer_cache, KM_ZERO);

	if (!t)
		return NULL;
	t->node = s->silent ? NULL : siginfo_node_alloc();
	if (!s->silent && !t->node) {
		kmem_cache_free(ptimer_cache, t);
		return NULL;
	}
	t->proc = current_proc();
	t->clock = s->clock;
	t->target = s->target;
	if (t->target)
		task_hold(t->target);
	t->cpu = (struct cpu_timer){.kind = s->cpu, .task = s->cpu_task, .fn = cpu_expired};
	if (t->cpu.task)
		task_hold(t->cpu.task);
	timer_setup(&t->timer, timer_expired);
	t->told.fn = clock_was_set;
	return t;
}

/* ptimer_lock held. */
static int number(struct process *p, struct ptimer *t)
{
	do {
		t->id = p->next_ptimer;
		p->next_ptimer = (t->id + 1) & INT32_MAX;
	} while (radix_get(&p->ptimers, (u64)t->id));
	return radix_insert(&p->ptimers, (u64)t->id, (uintptr_t)t, NULL) ? -EAGAIN : 0;
}

static bool too_many(const struct process *p)
{
	return p->ptimers.count >= READ_ONCE(p->rlim[RLIMIT_SIGPENDING].cur);
}

s32 ptimer_create(const struct ptimer_spec *s)
{
	struct process *p = current_proc();
	struct ptimer *t = ptimer_alloc(s);
	int err;

	if (!t)
		return -EAGAIN;
	mutex_lock(&ptimer_lock);
	err = too_many(p) ? -EAGAIN : number(p, t);
	if (!err && t->node) {
		t->node->timer = t;
		t->node->info = (struct siginfo_k){.signo = s->signo, .code = SI_TIMER};
		t->node->info.timer.tid = t->id;
		t->node->info.timer.value = s->value_is_id ? (u64)t->id : s->value;
	}
	if (!err && t->clock == PTIMER_REALTIME)
		clock_listen(&t->told);
	mutex_unlock(&ptimer_lock);
	if (err) {
		ptimer_free(t);
		return err;
	}
	return t->id;
}

/* ptimer_lock held; NULL: none. */
static struct ptimer *find(s32 id)
{
	return id < 0 ? NULL : (struct ptimer *)radix_get(&current_proc()->ptimers, (u64)id);
}

/* ptimer_lock held. */
static void destroy(struct ptimer *t)
{
	struct process *p = t->proc;
	u64 flags;

	if (t->clock == PTIMER_REALTIME)
		clock_unlisten(&t->told);
	unsettle(t, NULL);
	radix_remove(&p->ptimers, (u64)t->id);
	flags = spin_lock_irq(&p->sig_lock);
	if (t->node && !list_empty(&t->node->link)) {
		t->node->timer = NULL; /* whoever takes the signal frees it */
		t->node = NULL;
	}
	spin_unlock_irq(&p->sig_lock, flags);
	ptimer_free(t);
}

int ptimer_delete(s32 id)
{
	struct ptimer *t;

	mutex_lock(&ptimer_lock);
	t = find(id);
	if (t)
		destroy(t);
	mutex_unlock(&ptimer_lock);
	return t ? 0 : -EINVAL;
}

void ptimers_delete_all(struct process *p)
{
	u64 id = 0;
	struct ptimer *t;

	if (!p->ptimers.count)
		return;
	mutex_lock(&ptimer_lock);
	while ((t = (struct ptimer *)radix_next(&p->ptimers, &id, INT32_MAX)))
		destroy(t);
	mutex_unlock(&ptimer_lock);
}

int ptimer_set(s32 id, bool absolute, const struct ptimer_times *new, struct ptimer_times *old)
{
	struct ptimer *t;

	mutex_lock(&ptimer_lock);
	t = find(id);
	if (t) {
		unsettle(t, old);
		settle(t, expiry(t, absolute, new->value), new->interval);
	}
	mutex_unlock(&ptimer_lock);
	return t ? 0 : -EINVAL;
}

int ptimer_get(s32 id, struct ptimer_times *out)
{
	struct ptimer *t;
	u64 flags;

	mutex_lock(&ptimer_lock);
	t = find(id);
	if (t) {
		flags = spin_lock_irq(&t->proc->sig_lock);
		show(t, out);
		spin_unlock_irq(&t->proc->sig_lock, flags);
	}
	mutex_unlock(&ptimer_lock);
	return t ? 0 : -EINVAL;
}

s32 ptimer_overrun(s32 id)
{
	struct ptimer *t;
	s32 n = -EINVAL;

	mutex_lock(&ptimer_lock);
	t = find(id);
	if (t)
		n = READ_ONCE(t->last);
	mutex_unlock(&ptimer_lock);
	return n;
}
