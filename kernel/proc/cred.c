// SPDX-License-Identifier: BSD-2-Clause
/*
 * Credentials: constant once shared, replaced whole.  A process's threads share one; each change makes a copy, which
 * cred_commit puts in place.
 *
 * Locks: p->sig_lock guards p->cred, refs is atomic.  Only threads of the process itself replace it.
 */
#include "kernel/proc/proc_internal.h"
#include "kernel/lib/ref.h"

struct cred *cred_copy(const struct cred *c)
{
	struct cred *n = kmalloc(sizeof(*n), 0);

	if (!n)
		return NULL;
	*n = *c;
	n->refs = 1;
	if (c->groups) {
		n->groups = kmalloc(c->ngroups * sizeof(u32), 0);
		if (!n->groups) {
			kfree(n);
			return NULL;
		}
		memcpy(n->groups, c->groups, c->ngroups * sizeof(u32));
	}
	return n;
}

void cred_hold(struct cred *c)
{
	u32 old = ref_get(&c->refs);

	ASSERT(old > 0);
}

void cred_drop(struct cred *c)
{
	if (ref_put(&c->refs))
		return;
	kfree(c->groups);
	kfree(c);
}

void cred_commit(struct cred *c)
{
	struct process *p = current_proc();
	struct cred *old;
	u64 flags;

	ASSERT(c->refs == 1);
	if (c->uid != p->cred->uid)
		nproc_move(p->cred->uid, c->uid, READ_ONCE(p->ntasks));
	flags = spin_lock_irq(&p->sig_lock);
	old = p->cred;
	p->cred = c;
	if (c->euid != old->euid || c->egid != old->egid)
		p->dumpable = false;
	spin_unlock_irq(&p->sig_lock, flags);
	cred_drop(old);
}
