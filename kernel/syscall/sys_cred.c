// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls about user and group ids and capabilities.  Each change is made on a copy of the credentials and committed.
 */
#include "kernel/syscall/args.h"

#define UNCHANGED   0xffffffffu
#define NGROUPS_MAX 65536

SYSCALL0(getuid)
{
	return current_cred()->uid;
}

SYSCALL0(geteuid)
{
	return current_cred()->euid;
}

SYSCALL0(getgid)
{
	return current_cred()->gid;
}

SYSCALL0(getegid)
{
	return current_cred()->egid;
}

static int put_three(u64 ur, u64 ue, u64 us, u32 r, u32 e, u32 s)
{
	if (put_user_u32(r, (u32 __user *)ur) || put_user_u32(e, (u32 __user *)ue) ||
	    put_user_u32(s, (u32 __user *)us))
		return -EFAULT;
	return 0;
}

SYSCALL3(getresuid, ur, ue, us)
{
	const struct cred *c = current_cred();

	return put_three(ur, ue, us, c->uid, c->euid, c->suid);
}

SYSCALL3(getresgid, ur, ue, us)
{
	const struct cred *c = current_cred();

	return put_three(ur, ue, us, c->gid, c->egid, c->sgid);
}

/* As Linux: privileges follow the effective id, all are lost when no id is 0 any more. */
static void fix_caps(const struct cred *old, struct cred *c)
{
	bool had_root = !old->uid || !old->euid || !old->suid;
	bool has_root = !c->uid || !c->euid || !c->suid;

	if (had_root && !has_root)
		c->caps = c->permitted = 0;
	else if (old->euid == 0 && c->euid != 0)
		c->caps = 0;
	else if (old->euid != 0 && c->euid == 0)
		c->caps = c->permitted;
}

static long commit_uids(u32 r, u32 e, u32 s)
{
	const struct cred *old = current_cred();
	struct cred *c = cred_copy(old);

	if (!c)
		return -ENOMEM;
	c->uid = r;
	c->euid = c->fsuid = e;
	c->suid = s;
	fix_caps(old, c);
	cred_commit(c);
	return 0;
}

static long commit_gids(u32 r, u32 e, u32 s)
{
	struct cred *c = cred_copy(current_cred());

	if (!c)
		return -ENOMEM;
	c->gid = r;
	c->egid = c->fsgid = e;
	c->sgid = s;
	cred_commit(c);
	return 0;
}

static bool one_of(u32 v, u32 a, u32 b, u32 c)
{
	return v == UNCHANGED || v == a || v == b || v == c;
}

SYSCALL1(setuid, uid)
{
	const struct cred *c = current_cred();
	u32 id = (u32)uid;

	if (id == UNCHANGED)
		return -EINVAL;
	if (capable(CAP_SETUID))
		return commit_uids(id, id, id);
	if (id != c->uid && id != c->suid)
		return -EPERM;
	return commit_uids(c->uid, id, c->suid);
}

SYSCALL1(setgid, gid)
{
	const struct cred *c = current_cred();
	u32 id = (u32)gid;

	if (id == UNCHANGED)
		return -EINVAL;
	if (capable(CAP_SETGID))
		return commit_gids(id, id, id);
	if (id != c->gid && id != c->sgid)
		return -EPERM;
	return commit_gids(c->gid, id, c->sgid);
}

SYSCALL2(setreuid, ruid, euid)
{
	const struct cred *c = current_cred();
	u32 r = (u32)ruid, e = (u32)euid, s = c->suid;

	if (!capable(CAP_SETUID) &&
	    (!one_of(r, c->uid, c->euid, c->euid) || !one_of(e, c->uid, c->euid, c->suid)))
		return -EPERM;
	if (r != UNCHANGED || (e != UNCHANGED && e != c->uid))
		s = e == UNCHANGED ? c->euid : e;
	return commit_uids(r == UNCHANGED ? c->uid : r, e == UNCHANGED ? c->euid : e, s);
}

SYSCALL2(setregid, rgid, egid)
{
	const struct cred *c = current_cred();
	u32 r = (u32)rgid, e = (u32)egid, s = c->sgid;

	if (!capable(CAP_SETGID) &&
	    (!one_of(r, c->gid, c->egid, c->egid) || !one_of(e, c->gid, c->egid, c->sgid)))
		return -EPERM;
	if (r != UNCHANGED || (e != UNCHANGED && e != c->gid))
		s = e == UNCHANGED ? c->egid : e;
	return commit_gids(r == UNCHANGED ? c->gid : r, e == UNCHANGED ? c->egid : e, s);
}

SYSCALL3(setresuid, ruid, euid, suid)
{
	const struct cred *c = current_cred();
	u32 r = (u32)ruid, e = (u32)euid, s = (u32)suid;

	if (!capable(CAP_SETUID) &&
	    (!one_of(r, c->uid, c->euid, c->suid) || !one_of(e, c->uid, c->euid, c->suid) ||
	     !one_of(s, c->uid, c->euid, c->suid)))
		return -EPERM;
	return commit_uids(r == UNCHANGED ? c->uid : r, e == UNCHANGED ? c->euid : e,
			   s == UNCHANGED ? c->suid : s);
}

SYSCALL3(setresgid, rgid, egid, sgid)
{
	const struct cred *c = current_cred();
	u32 r = (u32)rgid, e = (u32)egid, s = (u32)sgid;

	if (!capable(CAP_SETGID) &&
	    (!one_of(r, c->gid, c->egid, c->sgid) || !one_of(e, c->gid, c->egid, c->sgid) ||
	     !one_of(s, c->gid, c->egid, c->sgid)))
		return -EPERM;
	return commit_gids(r == UNCHANGED ? c->gid : r, e == UNCHANGED ? c->egid : e,
			   s == UNCHANGED ? c->sgid : s);
}

/* Both return the old id, whether they changed it or not. */
SYSCALL1(setfsuid, uid)
{
	const struct cred *old = current_cred();
	u32 id = (u32)uid, was = old->fsuid;
	struct cred *c;

	if (id == was || (!capable(CAP_SETUID) && !one_of(id, old->uid, old->euid, old->suid)) ||
	    id == UNCHANGED)
		return was;
	c = cred_copy(old);
	if (c) {
		c->fsuid = id;
		cred_commit(c);
	}
	return was;
}

SYSCALL1(setfsgid, gid)
{
	const struct cred *old = current_cred();
	u32 id = (u32)gid, was = old->fsgid;
	struct cred *c;

	if (id == was || (!capable(CAP_SETGID) && !one_of(id, old->gid, old->egid, old->sgid)) ||
	    id == UNCHANGED)
		return was;
	c = cred_copy(old);
	if (c) {
		c->fsgid = id;
		cred_commit(c);
	}
	return was;
}

SYSCALL2(getgroups, size, list)
{
	const struct cred *c = current_cred();

	if ((s32)size < 0 || (size && (u32)size < c->ngroups))
		return -EINVAL;
	if (size && c->ngroups &&
	    copy_to_user((void __user *)list, c->groups, c->ngroups * sizeof(u32)))
		return -EFAULT;
	return c->ngroups;
}

SYSCALL2(setgroups, size, list)
{
	struct cred *c;
	u32 n = (u32)size, *groups = NULL;

	if (!capable(CAP_SETGID))
		return -EPERM;
	if (n > NGROUPS_MAX)
		return -EINVAL;
	if (n) {
		groups = kmalloc(n * sizeof(u32), 0);
		if (!groups)
			return -ENOMEM;
		if (copy_from_user(groups, (void __user *)list, n * sizeof(u32))) {
			kfree(groups);
			return -EFAULT;
		}
	}
	c = cred_copy(current_cred());
	if (!c) {
		kfree(groups);
		return -ENOMEM;
	}
	kfree(c->groups);
	c->groups = groups;
	c->ngroups = n;
	cred_commit(c);
	return 0;
}

/* ---- capabilities ---- */

#define CAP_V1 0x19980330u
#define CAP_V2 0x20071026u
#define CAP_V3 0x20080522u

struct cap_header {
	u32 version;
	s32 pid;
};
struct cap_data {
	u32 effective, permitted, inheritable;
};

/* How many cap_data words the version has; 0: unknown, and ours is written back. */
static int cap_words(u64 uhdr, struct cap_header *h)
{
	if (copy_from_user(h, (void __user *)uhdr, sizeof(*h)))
		return -EFAULT;
	if (h->version == CAP_V1)
		return 1;
	if (h->version == CAP_V2 || h->version == CAP_V3)
		return 2;
	return put_user_u32(CAP_V3, (u32 __user *)uhdr) ? -EFAULT : 0;
}

SYSCALL2(capget, uhdr, udata)
{
	struct cap_header h;
	struct cap_data d[2] = {0};
	struct process *p;
	struct cred *c;
	int n = cap_words(uhdr, &h);

	if (n <= 0)
		return n < 0 ? n : udata ? -EINVAL : 0;
	if (h.pid < 0)
		return -EINVAL;
	p = proc_find(h.pid ? h.pid : current_proc()->pid);
	if (!p)
		return -ESRCH;
	c = proc_cred_hold(p);
	proc_drop(p);
	for (int i = 0; i < n; i++) {
		d[i].effective = (u32)(c->caps >> (32 * i));
		d[i].permitted = (u32)(c->permitted >> (32 * i));
		d[i].inheritable = (u32)(c->inheritable >> (32 * i));
	}
	cred_drop(c);
	return udata ? copy_to_user((void __user *)udata, d, (size_t)n * sizeof(d[0])) : 0;
}

SYSCALL2(capset, uhdr, udata)
{
	struct cap_header h;
	struct cap_data d[2] = {0};
	u64 eff = 0, perm = 0, inh = 0;
	const struct cred *old = current_cred();
	struct cred *c;
	int n = cap_words(uhdr, &h);

	if (n <= 0)
		return n < 0 ? n : -EINVAL;
	if (h.pid && h.pid != current_proc()->pid)
		return -EPERM;
	if (copy_from_user(d, (void __user *)udata, (size_t)n * sizeof(d[0])))
		return -EFAULT;
	for (int i = 0; i < n; i++) {
		eff |= (u64)d[i].effective << (32 * i);
		perm |= (u64)d[i].permitted << (32 * i);
		inh |= (u64)d[i].inheritable << (32 * i);
	}
	eff &= CAP_ALL;
	perm &= CAP_ALL;
	inh &= CAP_ALL;
	if ((eff & ~perm) || (perm & ~old->permitted) || (inh & ~(old->inheritable | old->bound)) ||
	    (!capable(CAP_SETPCAP) && (inh & ~(old->inheritable | old->permitted))))
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	c->caps = eff;
	c->permitted = perm;
	c->inheritable = inh;
	cred_commit(c);
	return 0;
}
