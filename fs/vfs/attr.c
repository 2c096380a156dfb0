// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who may do what, and the attributes of vnodes.  Owns the hooks through which kernel/proc tells about the current task.
 * Attributes belong to the file systems; they change under v_lock.
 */
#include "fs/vfs/vfs_internal.h"

#define COARSE_NS 4000000UL /* file times advance in steps of 4 ms */

struct vfs_hooks vfs_hooks;

void vfs_set_hooks(const struct vfs_hooks *h)
{
	vfs_hooks = *h;
}

const struct cred *vfs_current_cred(void)
{
	return vfs_hooks.cred ? vfs_hooks.cred() : NULL;
}

u64 vfs_coarse_tick(void)
{
	return time_realtime() / COARSE_NS + 1;
}

struct timespec64 vfs_now(void)
{
	u64 ns = time_realtime() / COARSE_NS * COARSE_NS;

	return (struct timespec64){.sec = (s64)(ns / NSEC_PER_SEC),
				   .nsec = (u32)(ns % NSEC_PER_SEC)};
}

/* ---- permission ---- */

/* No credentials: the kernel itself. */
bool cred_has(const struct cred *c, u64 cap)
{
	return !c || (c->caps & cap);
}

bool cred_in_group(const struct cred *c, u32 gid)
{
	if (!c || c->fsgid == gid)
		return true;
	for (u32 i = 0; i < c->ngroups; i++) {
		if (c->groups[i] == gid)
			return true;
	}
	return false;
}

bool mount_readonly(const struct mount *m)
{
	return m && ((READ_ONCE(m->flags) & MS_RDONLY) || READ_ONCE(m->readonly_by_error));
}

int mount_want_write(const struct vnode *vn)
{
	return mount_readonly(vn->mount) ? -EROFS : 0;
}

static bool readonly_matters(const struct vnode *vn)
{
	return is_dir(vn) || is_link(vn) || is_type(vn, S_IFREG);
}

/* What capabilities give: read and search, write, and execution of what anybody may execute. */
static bool caps_allow(const struct vnode *vn, const struct cred *c, unsigned rwx)
{
	if (cred_has(c, CAP_DAC_OVERRIDE_BIT) && (!(rwx & 1) || is_dir(vn) || (vn->mode & 0111)))
		return true;
	if (!cred_has(c, CAP_DAC_READ_SEARCH_BIT) || (rwx & 2))
		return false;
	return is_dir(vn) || !(rwx & 1);
}

int vfs_access(struct vnode *vn, const struct cred *c, unsigned rwx)
{
	struct vattr a;
	u32 bits;
	int err;

	if ((rwx & 2) && readonly_matters(vn) && mount_readonly(vn->mount))
		return -EROFS;
	if ((rwx & 2) && vnode_flags(vn, FL_IMMUTABLE))
		return -EPERM;
	if (!rwx || caps_allow(vn, c, rwx))
		return 0;
	err = vfs_getattr(vn, &a);
	if (err)
		return err;
	bits = a.mode;
	if (c->fsuid == a.uid)
		bits >>= 6;
	else if (cred_in_group(c, a.gid))
		bits >>= 3;
	return (bits & rwx) == rwx ? 0 : -EACCES;
}

int may_change_dir(struct vnode *dir, const struct cred *c)
{
	if (mount_readonly(dir->mount))
		return -EROFS;
	if (READ_ONCE(dir->unlinked))
		return -ENOENT;
	return vfs_access(dir, c, 3);
}

int may_delete(struct vnode *dir, struct vnode *vn, const struct cred *c)
{
	struct vattr d, v;
	int err = may_change_dir(dir, c);

	if (!err && (vnode_flags(dir, FL_APPEND) || vnode_flags(vn, FL_APPEND | FL_IMMUTABLE)))
		err = -EPERM;
	if (err || !(dir->mode & S_ISVTX) || cred_has(c, CAP_FOWNER_BIT))
		return err;
	err = vfs_getattr(dir, &d);
	if (!err)
		err = vfs_getattr(vn, &v);
	if (err)
		return err;
	return c->fsuid == d.uid || c->fsuid == v.uid ? 0 : -EPERM;
}

/* ---- reading attributes ---- */

int vfs_getattr(struct vnode *vn, struct vattr *out)
{
	if (!vn->ops->getattr)
		return -EIO;
	*out = (struct vattr){0};
	return vn->ops->getattr(vn, out);
}

int vfs_statfs(struct mount *m, struct statfs64_info *out)
{
	int err;

	*out = (struct statfs64_info){.bsize = PAGE_SIZE, .frsize = PAGE_SIZE, .namelen = NAME_MAX};
	if (!m->type->ops || !m->type->ops->statfs)
		return -ENOSYS;
	err = m->type->ops->statfs(m, out);
	/* Linux: ST_VALID 0x20, then the mount's own flags */
	out->flags |= 0x20 | (READ_ONCE(m->flags) &
			      (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME));
	return err;
}

ssize_t vfs_readlink(const struct path *p, char *buf, size_t size)
{
	struct vnode *vn = path_vnode(p);
	ssize_t n;

	if (!is_link(vn) || !vn->ops->readlink)
		return -EINVAL;
	rw_lock_read(&vn->v_lock);
	n = vn->ops->readlink(vn, buf, size);
	rw_unlock_read(&vn->v_lock);
	return n;
}

/* ---- changing them ---- */

static int chmod_check(const struct vattr *old, const struct cred *c, struct vattr *new)
{
	if (!vnode_owner_or_capable(old, c))
		return -EPERM;
	new->mode = (old->mode & S_IFMT) | (new->mode & 07777);
	if (!cred_has(c, CAP_FSETID_BIT) && !cred_in_group(c, old->gid))
		new->mode &= ~S_ISGID;
	return 0;
}

static int chown_check(const struct vattr *old, const struct cred *c, const struct vattr *new,
		       u32 which)
{
	if (cred_has(c, CAP_CHOWN_BIT))
		return 0;
	if (c->fsuid != old->uid)
		return -EPERM;
	if ((which & ATTR_UID) && new->uid != old->uid)
		return -EPERM;
	if ((which & ATTR_GID) && new->gid != old->gid && !cred_in_group(c, new->gid))
		return -EPERM;
	return 0;
}

static int times_check(struct vnode *vn, const struct vattr *old, const struct cred *c, u32 which)
{
	if (vnode_owner_or_capable(old, c))
		return 0;
	return which & ATTR_NOW ? vfs_access(vn, c, 2) : -EPERM;
}

/* Changing the owner takes privileges away from a program. */
static void chown_drops_suid(const struct vattr *old, struct vattr *new, u32 *which)
{
	u32 mode = *which & ATTR_MODE ? new->mode : old->mode;

	if ((old->mode & S_IFMT) == S_IFDIR)
		return;
	if (mode & S_ISGID && mode & 0010)
		mode &= ~S_ISGID;
	mode &= ~S_ISUID;
	if (mode != old->mode) {
		new->mode = mode;
		*which |= ATTR_MODE;
	}
}

/* Attributes of immutable files stay; those of files that only grow too, but that they were touched shows. */
static int flags_check(const struct vnode *vn, u32 which)
{
	bool touch = which & ATTR_NOW;

	if (which & (ATTR_MODE | ATTR_UID | ATTR_GID))
		touch = false;
	return vnode_flags(vn, touch ? FL_IMMUTABLE : FL_IMMUTABLE | FL_APPEND) ? -EPERM : 0;
}

static int setattr_locked(struct vnode *vn, const struct cred *c, struct vattr *a, u32 which)
{
	struct vattr old;
	int err = vfs_getattr(vn, &old);

	if (!err)
		err = flags_check(vn, which);
	if (!err && (which & ATTR_MODE))
		err = is_link(vn) ? -EOPNOTSUPP : chmod_check(&old, c, a);
	if (!err && (which & (ATTR_UID | ATTR_GID)))
		err = chown_check(&old, c, a, which);
	if (!err && (which & (ATTR_ATIME | ATTR_MTIME)))
		err = times_check(vn, &old, c, which);
	if (err)
		return err;
	if (which & (ATTR_UID | ATTR_GID))
		chown_drops_suid(&old, a, &which);
	a->ctime = vfs_now();
	if (which & ATTR_NOW) {
		if (which & ATTR_ATIME)
			a->atime = a->ctime;
		if (which & ATTR_MTIME)
			a->mtime = a->ctime;
	}
	vn->time_tick = 0;
	return vn->ops->setattr(vn, a, (which & ~ATTR_NOW) | ATTR_CTIME);
}

int vfs_setattr(struct vnode *vn, const struct cred *c, const struct vattr *a, u32 which)
{
	struct vattr copy = *a;
	int err = mount_want_write(vn);

	ASSERT(!(which & ATTR_SIZE)); /* vfs_truncate's */
	if (err || !which)
		return err;
	if (!vn->ops->setattr)
		return -EPERM;
	rw_lock_write(&vn->v_lock);
	err = setattr_locked(vn, c, &copy, which);
	rw_unlock_write(&vn->v_lock);
	return err;
}

int vfs_getflags(struct vnode *vn, u32 *flags)
{
	struct vattr a;
	int err = vfs_getattr(vn, &a);

	if (err)
		return err;
	*flags = a.flags;
	return a.flags_kept ? 0 : -ENOTTY;
}

static int setflags_locked(struct vnode *vn, const struct cred *c, u32 flags)
{
	struct vattr a;
	int err = vfs_getattr(vn, &a);

	if (err)
		return err;
	if (!a.flags_kept || !vn->ops->setattr)
		return -ENOTTY;
	if (!vnode_owner_or_capable(&a, c))
		return -EPERM;
	if (((a.flags ^ flags) & (FL_IMMUTABLE | FL_APPEND)) &&
	    !cred_has(c, CAP_LINUX_IMMUTABLE_BIT))
		return -EPERM;
	a.flags = flags;
	a.ctime = vfs_now();
	vn->time_tick = 0;
	err = vn->ops->setattr(vn, &a, ATTR_FLAGS | ATTR_CTIME);
	if (!err)
		WRITE_ONCE(vn->flags, flags & (FL_IMMUTABLE | FL_APPEND));
	return err;
}

int vfs_setflags(struct vnode *vn, const struct cred *c, u32 flags)
{
	int err = mount_want_write(vn);

	if (err)
		return err;
	rw_lock_write(&vn->v_lock);
	err = setflags_locked(vn, c, flags);
	rw_unlock_write(&vn->v_lock);
	return err;
}

int vfs_clear_suid(struct vnode *vn)
{
	struct vattr a = {0};
	u32 mode = vn->mode;

	if (likely(!(mode & (S_ISUID | S_ISGID))) || !is_type(vn, S_IFREG))
		return 0;
	if (cred_has(vfs_current_cred(), CAP_FSETID_BIT))
		return 0;
	a.mode = mode & ~S_ISUID;
	if (mode & 0010)
		a.mode &= ~S_ISGID;
	if (a.mode == mode || !vn->ops->setattr)
		return 0;
	return vn->ops->setattr(vn, &a, ATTR_MODE);
}

static int truncate_locked(struct vnode *vn, u64 size)
{
	struct vattr a = {.size = size};
	int err = vfs_clear_suid(vn);

	if (err)
		return err;
	a.mtime = a.ctime = vfs_now();
	vn->time_tick = 0;
	return vn->ops->setattr(vn, &a, ATTR_SIZE | ATTR_MTIME | ATTR_CTIME);
}

int vfs_truncate(struct vnode *vn, u64 size)
{
	int err = mount_want_write(vn);

	if (is_dir(vn))
		return -EISDIR;
	if (!is_type(vn, S_IFREG))
		return -EINVAL;
	if ((s64)size < 0)
		return -EINVAL;
	if (err)
		return err;
	if (__atomic_load_n(&vn->deny_write, __ATOMIC_ACQUIRE) > 0)
		return -ETXTBSY;
	if (vnode_flags(vn, FL_APPEND))
		return -EPERM;
	if (!vn->ops->setattr)
		return vn->object ? -EPERM : 0; /* procfs: opening with O_TRUNC is fine */
	if (vfs_hooks.fsize_limit && size > vfs_hooks.fsize_limit() && vn->object &&
	    size > READ_ONCE(vn->object->size)) {
		vfs_hooks.raise(VFS_SIGXFSZ);
		return -EFBIG;
	}
	rw_lock_write(&vn->v_lock);
	err = truncate_locked(vn, size);
	rw_unlock_write(&vn->v_lock);
	return err;
}

/* ---- access times ---- */

static bool before(struct timespec64 a, struct timespec64 b)
{
	return a.sec < b.sec || (a.sec == b.sec && a.nsec <= b.nsec);
}

/* relatime: the first access after a change, and once a day; strictatime: each. */
bool vattr_needs_atime(const struct mount *m, const struct vattr *a, struct timespec64 now)
{
	u32 flags = READ_ONCE(m->flags);

	if (mount_readonly(m) || (flags & MS_NOATIME) || (a->flags & FL_NOATIME))
		return false;
	if ((flags & MS_NODIRATIME) && (a->mode & S_IFMT) == S_IFDIR)
		return false;
	return !(flags & MS_RELATIME) || before(a->atime, a->mtime) || before(a->atime, a->ctime) ||
	       now.sec - a->atime.sec >= 24 * 3600;
}

bool vfs_atime_is_strict(const struct mount *m)
{
	return m && !(READ_ONCE(m->flags) & (MS_RELATIME | MS_NOATIME));
}

void vfs_touch_atime(struct vnode *vn)
{
	struct timespec64 now = vfs_now();
	struct vattr a;

	if (!vn->mount || !vn->ops->setattr || vfs_getattr(vn, &a) ||
	    !vattr_needs_atime(vn->mount, &a, now))
		return;
	/* whoever holds the lock changes the file anyway: leave it at that */
	if (!rw_trylock_write(&vn->v_lock))
		return;
	a.atime = now;
	vn->ops->setattr(vn, &a, ATTR_ATIME);
	rw_unlock_write(&vn->v_lock);
}

/* ---- descriptors for writing against running programs ---- */

int vnode_get_write(struct vnode *vn)
{
	__atomic_fetch_add(&vn->write_opens, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vn->deny_write, __ATOMIC_SEQ_CST) <= 0)
		return 0;
	vnode_put_write(vn);
	return -ETXTBSY;
}

void vnode_put_write(struct vnode *vn)
{
	u32 old = __atomic_fetch_sub(&vn->write_opens, 1, __ATOMIC_SEQ_CST);

	ASSERTF(old > 0, "vnode %lu", vn->ino);
}
