// SPDX-License-Identifier: BSD-2-Clause
/*
 * Vnodes of procfs.  They are made when looked up and hold only who they are about; facts come from the registry and from kernel/proc's hooks at
 * each call, so nothing has to be told when a process goes.
 *
 * Inode numbers: registered files have small ones; those of a process are (pid + 1) << 24 | what, where what is
 *	0 its directory, 1 + k its k-th file, 0x400 fd/, 0x401 task/, 0x402 its directory below task/, 0x403 + k its k-th file there,
 *	0x10000 + n the link fd/n.
 */
#include "fs/procfs/procfs.h"
#include "kernel/boot/init.h"

static const struct procfs_hooks *hooks;

void procfs_set_hooks(const struct procfs_hooks *h)
{
	hooks = h;
}

enum kind { STATIC, SELF, THREAD_SELF, PID_DIR, PID_FILE, FD_DIR, TASK_DIR, FD_LINK };

#define WHAT_FD	      0x400
#define WHAT_TASK     0x401
#define WHAT_TASK_PID 0x402
#define WHAT_FD_LINK  0x10000
#define INO_SELF      0xfffff0
#define INO_TSELF     0xfffff1

struct pnode {
	struct vnode vn;
	enum kind kind;
	s32 pid;	 /* of PID_*, FD_*, TASK_* */
	u32 k;		 /* file index, descriptor */
	struct ent *ent; /* STATIC */
};

static const struct vnode_ops dir_ops, file_ops_, link_ops, fd_ops;

static struct pnode *pnode(struct vnode *vn)
{
	return container_of(vn, struct pnode, vn);
}

static u64 pid_ino(s32 pid, u32 what)
{
	return ((u64)pid + 1) << 24 | what;
}

static bool alive(s32 pid)
{
	return hooks && hooks->pid_exists(pid);
}

/* ---- making vnodes ---- */

static int node_get(struct mount *m, u64 ino, u32 mode, struct pnode proto,
		    const struct vnode_ops *ops, struct vnode **out)
{
	struct vnode *other = vnode_find(m, ino);
	struct pnode *p;

	if (other) {
		*out = other;
		return 0;
	}
	p = kzalloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	*p = proto;
	vnode_init(&p->vn, m, ino, mode, ops, NULL, 0);
	p->vn.dynamic = (mode & S_IFMT) == S_IFDIR;
	if ((mode & S_IFMT) == S_IFREG)
		p->vn.fops = &procfs_text_ops;
	*out = &p->vn;
	if (vnode_insert(&p->vn, &other) == -EEXIST) {
		kfree(p);
		*out = other;
	}
	return 0;
}

static int static_node(struct mount *m, struct ent *e, struct vnode **out)
{
	bool dir = (e->mode & S_IFMT) == S_IFDIR;

	return node_get(m, e->ino, e->mode, (struct pnode){.kind = STATIC, .ent = e},
			dir ? &dir_ops : &file_ops_, out);
}

static int pid_dir(struct mount *m, s32 pid, bool task, struct vnode **out)
{
	return node_get(m, pid_ino(pid, task ? WHAT_TASK_PID : 0), S_IFDIR | 0555,
			(struct pnode){.kind = PID_DIR, .pid = pid, .k = task}, &dir_ops, out);
}

static int pid_file(struct mount *m, s32 pid, u32 k, u32 base, struct vnode **out)
{
	const struct procfs_pid_file *f = &hooks->files[k];
	u32 mode = (f->readlink ? S_IFLNK : S_IFREG) | (f->mode & 07777);

	return node_get(m, pid_ino(pid, base + k), mode,
			(struct pnode){.kind = PID_FILE, .pid = pid, .k = k},
			f->readlink ? &link_ops : &file_ops_, out);
}

/* A decimal number that fills the name; -1: none. */
static s32 number(const char *name, size_t len)
{
	u64 v = 0;

	if (!len || len > 9 || (len > 1 && name[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		v = v * 10 + (name[i] - '0');
	}
	return v;
}

static bool named(const char *name, size_t len, const char *want)
{
	return want[0] == name[0] && strlen(want) == len && !memcmp(name, want, len);
}

/* ---- lookup ---- */

static int lookup_root(struct mount *m, const char *name, size_t len, struct vnode **out)
{
	s32 pid = number(name, len);

	if (pid >= 0)
		return alive(pid) ? pid_dir(m, pid, false, out) : -ENOENT;
	if (hooks && named(name, len, "self"))
		return node_get(m, INO_SELF, S_IFLNK | 0777, (struct pnode){.kind = SELF},
				&link_ops, out);
	if (hooks && named(name, len, "thread-self"))
		return node_get(m, INO_TSELF, S_IFLNK | 0777, (struct pnode){.kind = THREAD_SELF},
				&link_ops, out);
	return -ENOENT;
}

static int lookup_pid(struct pnode *p, const char *name, size_t len, struct vnode **out)
{
	struct mount *m = p->vn.mount;
	bool task = p->k;

	if (!alive(p->pid))
		return -ENOENT;
	if (named(name, len, "fd"))
		return node_get(m, pid_ino(p->pid, WHAT_FD), S_IFDIR | 0500,
				(struct pnode){.kind = FD_DIR, .pid = p->pid}, &dir_ops, out);
	if (!task && named(name, len, "task"))
		return node_get(m, pid_ino(p->pid, WHAT_TASK), S_IFDIR | 0555,
				(struct pnode){.kind = TASK_DIR, .pid = p->pid}, &dir_ops, out);
	for (u32 k = 0; k < hooks->nfiles; k++)
		if (named(name, len, hooks->files[k].name))
			return pid_file(m, p->pid, k, task ? WHAT_TASK_PID + 1 : 1, out);
	return -ENOENT;
}

static bool has_task(s32 pid, s32 tid)
{
	return hooks->next_tid(pid, tid) == tid;
}

static int proc_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct pnode *p = pnode(dir);
	s32 n;

	switch (p->kind) {
	case STATIC: {
		struct ent *e = ent_find(p->ent, name, len);

		if (e)
			return static_node(dir->mount, e, out);
		return p->ent == &procfs_root ? lookup_root(dir->mount, name, len, out) : -ENOENT;
	}
	case PID_DIR:
		return lookup_pid(p, name, len, out);
	case TASK_DIR:
		n = number(name, len);
		return n >= 0 && has_task(p->pid, n) ? pid_dir(dir->mount, n, true, out) : -ENOENT;
	case FD_DIR:
		n = number(name, len);
		if (n < 0 || hooks->next_fd(p->pid, n) != n)
			return -ENOENT;
		return node_get(dir->mount, pid_ino(p->pid, WHAT_FD_LINK + n), S_IFLNK | 0700,
				(struct pnode){.kind = FD_LINK, .pid = p->pid, .k = n}, &fd_ops,
				out);
	default:
		return -ENOTDIR;
	}
}

/* ---- readdir: positions 0 and 1 are the dots; then registered names by number, then numbers by value ---- */

#define POS_NAMES   2UL
#define POS_NUMBERS (1UL << 32)

struct out {
	dirent_fn emit;
	void *arg;
	u64 *pos;
	bool full;
};

static bool put(struct out *o, const char *name, u64 ino, unsigned type, u64 next)
{
	if (!o->emit(o->arg, name, strlen(name), ino, type, next)) {
		o->full = true;
		return false;
	}
	*o->pos = next;
	return true;
}

static bool put_number(struct out *o, s32 n, u64 ino, unsigned type)
{
	char text[12];

	ksnprintf(text, sizeof(text), "%d", n);
	return put(o, text, ino, type, POS_NUMBERS + n + 1);
}

static void list_static(struct pnode *p, struct out *o)
{
	struct ent *e;

	for (; *o->pos < POS_NUMBERS && (e = ent_nth(p->ent, *o->pos - POS_NAMES));)
		if (!put(o, e->name, e->ino, (e->mode & S_IFMT) >> 12, *o->pos + 1))
			return;
	if (p->ent != &procfs_root || !hooks)
		return;
	if (*o->pos < POS_NUMBERS - 2 && !put(o, "self", INO_SELF, S_IFLNK >> 12, POS_NUMBERS - 2))
		return;
	if (*o->pos < POS_NUMBERS - 1 &&
	    !put(o, "thread-self", INO_TSELF, S_IFLNK >> 12, POS_NUMBERS - 1))
		return;
	if (*o->pos < POS_NUMBERS)
		*o->pos = POS_NUMBERS;
	for (s32 pid; (pid = hooks->next_pid(*o->pos - POS_NUMBERS)) >= 0;)
		if (!put_number(o, pid, pid_ino(pid, 0), S_IFDIR >> 12))
			return;
}

static void list_pid(struct pnode *p, struct out *o)
{
	bool task = p->k;

	if (*o->pos == POS_NAMES &&
	    !put(o, "fd", pid_ino(p->pid, WHAT_FD), S_IFDIR >> 12, POS_NAMES + 1))
		return;
	if (*o->pos == POS_NAMES + 1) {
		if (task)
			*o->pos = POS_NAMES + 2;
		else if (!put(o, "task", pid_ino(p->pid, WHAT_TASK), S_IFDIR >> 12, POS_NAMES + 2))
			return;
	}
	while (*o->pos - POS_NAMES - 2 < hooks->nfiles) {
		u32 k = *o->pos - POS_NAMES - 2;
		const struct procfs_pid_file *f = &hooks->files[k];

		if (!put(o, f->name, pid_ino(p->pid, (task ? WHAT_TASK_PID + 1 : 1) + k),
			 (f->readlink ? S_IFLNK : S_IFREG) >> 12, *o->pos + 1))
			return;
	}
}

static void list_numbers(struct pnode *p, struct out *o)
{
	if (*o->pos < POS_NUMBERS)
		*o->pos = POS_NUMBERS;
	for (;;) {
		s32 from = *o->pos - POS_NUMBERS, n;

		n = p->kind == FD_DIR ? hooks->next_fd(p->pid, from)
				      : hooks->next_tid(p->pid, from);
		if (n < 0)
			return;
		if (!put_number(o, n,
				pid_ino(p->kind == FD_DIR ? p->pid : n,
					p->kind == FD_DIR ? WHAT_FD_LINK + (u32)n : WHAT_TASK_PID),
				(p->kind == FD_DIR ? S_IFLNK : S_IFDIR) >> 12))
			return;
	}
}

static int proc_readdir(struct vnode *dir, u64 *pos, dirent_fn emit, void *arg)
{
	struct out o = {emit, arg, pos, false};
	struct pnode *p = pnode(dir);

	if (p->kind != STATIC && !alive(p->pid))
		return -ENOENT;
	if (*pos == 0 && !put(&o, ".", dir->ino, S_IFDIR >> 12, 1))
		return 0;
	if (*pos == 1 && !put(&o, "..", 1, S_IFDIR >> 12, POS_NAMES))
		return 0;
	if (p->kind == STATIC)
		list_static(p, &o);
	else if (p->kind == PID_DIR)
		list_pid(p, &o);
	else
		list_numbers(p, &o);
	return 0;
}

/* ---- attributes, links, contents ---- */

static int proc_getattr(struct vnode *vn, struct vattr *out)
{
	struct pnode *p = pnode(vn);

	memset(out, 0, sizeof(*out));
	out->dev = vn->mount->devno;
	out->ino = vn->ino;
	out->mode = vn->mode;
	out->nlink = (vn->mode & S_IFMT) == S_IFDIR ? 2 : 1;
	out->blksize = 1024;
	out->atime = out->mtime = out->ctime = vfs_now();
	if (hooks && p->kind != STATIC && p->kind != SELF && p->kind != THREAD_SELF)
		hooks->owner(p->pid, &out->uid, &out->gid);
	return 0;
}

static ssize_t proc_readlink(struct vnode *vn, char *buf, size_t size)
{
	struct pnode *p = pnode(vn);
	char text[40];
	int n;

	if (p->kind == PID_FILE)
		return hooks->files[p->k].readlink(p->pid, buf, size);
	if (p->kind == SELF)
		n = ksnprintf(text, sizeof(text), "%d", hooks->self());
	else
		n = ksnprintf(text, sizeof(text), "%d/task/%d", hooks->self(), hooks->self_tid());
	memcpy(buf, text, MIN((size_t)n, size));
	return MIN((size_t)n, size);
}

/* Where descriptor k of the process leads. */
static int fd_follow(struct vnode *vn, struct path *out)
{
	struct pnode *p = pnode(vn);
	struct file *f = hooks->get_fd(p->pid, p->k);
	int err;

	if (!f)
		return -ENOENT;
	err = file_path(f, out);
	file_drop(f);
	return err;
}

static ssize_t fd_readlink(struct vnode *vn, char *buf, size_t size)
{
	struct path at;
	char *text;
	int n = fd_follow(vn, &at);

	if (n)
		return n;
	text = kmalloc(PAGE_SIZE, 0);
	n = text ? path_string(&at, NULL, text, PAGE_SIZE) : -ENOMEM;
	if (n > 0) {
		n = MIN((size_t)n, size);
		memcpy(buf, text, n);
	}
	kfree(text);
	path_put(&at);
	return n;
}

int procfs_show(struct vnode *vn, struct seq *s)
{
	struct pnode *p = pnode(vn);

	if (p->kind == STATIC)
		return p->ent->show ? p->ent->show(s, p->ent->arg) : -EINVAL;
	return hooks->files[p->k].show ? hooks->files[p->k].show(s, p->pid) : -EINVAL;
}

ssize_t procfs_store(struct vnode *vn, const char *text, size_t n)
{
	struct pnode *p = pnode(vn);

	if (p->kind == STATIC)
		return p->ent->store ? p->ent->store(text, n, p->ent->arg) : -EINVAL;
	return hooks->files[p->k].store ? hooks->files[p->k].store(p->pid, text, n) : -EINVAL;
}

ssize_t procfs_binary_read(struct vnode *vn, u64 pos, struct uio *u, bool *is_binary)
{
	struct pnode *p = pnode(vn);

	*is_binary = p->kind == PID_FILE && hooks->files[p->k].read;
	return *is_binary ? hooks->files[p->k].read(p->pid, pos, u) : 0;
}

/* Modes and owners are what the facts make them; only the times may be "set", and stay the present. */
static int proc_setattr(struct vnode *vn __unused, const struct vattr *a __unused, u32 which)
{
	return which & (ATTR_MODE | ATTR_UID | ATTR_GID) ? -EPERM : 0;
}

static void proc_free(struct vnode *vn)
{
	kfree(pnode(vn));
}

static const struct vnode_ops dir_ops = {
	.lookup = proc_lookup, .readdir = proc_readdir, .getattr = proc_getattr, .free = proc_free};
static const struct vnode_ops file_ops_ = {
	.getattr = proc_getattr, .setattr = proc_setattr, .free = proc_free};
static const struct vnode_ops link_ops = {
	.readlink = proc_readlink, .getattr = proc_getattr, .free = proc_free};
static const struct vnode_ops fd_ops = {
	.readlink = fd_readlink,
	.follow = fd_follow,
	.getattr = proc_getattr,
	.free = proc_free,
};

/* ---- the file system ---- */

static int proc_mount(struct mount *m, const char *options __unused)
{
	return static_node(m, &procfs_root, &m->root);
}

static int proc_nothing(struct mount *m __unused)
{
	return 0;
}

static int proc_sync(struct mount *m __unused, bool wait __unused)
{
	return 0;
}

static int proc_statfs(struct mount *m __unused, struct statfs64_info *out)
{
	memset(out, 0, sizeof(*out));
	out->type = 0x9fa0;
	out->bsize = out->frsize = PAGE_SIZE;
	out->namelen = 255;
	return 0;
}

static int proc_remount(struct mount *m __unused, u32 flags __unused, const char *options __unused)
{
	return 0;
}

static const struct fs_ops proc_ops = {
	.unmount = proc_nothing,
	.sync = proc_sync,
	.statfs = proc_statfs,
	.remount = proc_remount,
};
static const struct fs_type proc_type = {
	.name = "proc", .nodev = true, .single = true, .mount = proc_mount, .ops = &proc_ops};

static void procfs_register(void)
{
	fs_register(&proc_type);
}
INITCALL(FS, procfs_register);
