// SPDX-License-Identifier: BSD-2-Clause
/*
 * execve: a new program in a new address space.
 *
 * The new space is built beside the old one, so that an error at any step leaves the caller as it was.  Only when all is
 * there the other threads are ended, and the rest cannot fail.
 *
 * Locks: none while building; p->sig_lock and proc_tree_lock for the change.
 */
#include "kernel/proc/proc_internal.h"

#include "kernel/boot/params.h"

#define SCRIPT_DEPTH 5 /* interpreters that are scripts themselves, as Linux */

/* Field markings and the corresponding locks:
 * (o) whoever execs
 */
struct exec {
	struct lookup_ctx ctx;	     /* (o) */
	struct image image;	     /* (o) the ELF file in the end */
	struct exec_strings strings; /* (o) */
	struct loaded loaded;	     /* (o) */
	struct exec_layout layout;   /* (o) */
	struct vm_map *map;	     /* (o) the new one */
	struct cred *cred;	     /* (o) NULL: unchanged */
	bool secure;		     /* (o) */
	u64 vdso;		     /* (o) */
};

#define MMAP_RANDOM (1UL << 18) /* pages over which mappings are spread */

u64 random_u64(void)
{
	u64 v;

	random_bytes(&v, sizeof(v));
	return v;
}

unsigned proc_randomize_va = 2; /* (a) */

unsigned proc_randomize(void)
{
	/* ADDR_NO_RANDOMIZE */
	return current_proc()->personality & 0x0040000 ? 0 : READ_ONCE(proc_randomize_va);
}

/* ---- files that may be run ---- */

static int may_exec(const struct path *path, const struct cred *cred)
{
	struct vnode *vn = path_vnode(path);

	if ((vn->mode & S_IFMT) != S_IFREG || (path->mount->flags & MS_NOEXEC))
		return -EACCES;
	return vfs_access(vn, cred, 1);
}

static int deny_write(struct vnode *vn)
{
	__atomic_fetch_add(&vn->deny_write, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vn->write_opens, __ATOMIC_SEQ_CST) == 0)
		return 0;
	__atomic_fetch_sub(&vn->deny_write, 1, __ATOMIC_RELEASE);
	return -ETXTBSY;
}

static int file_for_exec(struct path *path, const struct cred *cred, struct file **out)
{
	struct vnode *vn = path_vnode(path);
	struct file *f;
	int err = may_exec(path, cred);

	if (!err)
		err = deny_write(vn);
	if (err)
		return err;
	f = file_alloc(vn, vn->fops ? vn->fops : &pagecache_file_ops, O_RDONLY, cred);
	if (!f) {
		__atomic_fetch_sub(&vn->deny_write, 1, __ATOMIC_RELEASE);
		return -ENOMEM;
	}
	f->may_read = true;
	f->path = *path;
	path_hold(path);
	*out = f;
	return 0;
}

int image_open(const struct lookup_ctx *ctx, const char *path, unsigned lookup, struct image *out)
{
	struct path found;
	ssize_t got;
	int err = path_lookup(ctx, path, lookup, &found);

	if (err)
		return err;
	err = file_for_exec(&found, ctx->cred, &out->file);
	path_put(&found);
	if (err)
		return err;
	memset(out->head, 0, sizeof(out->head));
	got = file_read_kernel(out->file, out->head, sizeof(out->head), 0);
	if (got < 0) {
		image_close(out);
		return (int)got;
	}
	out->head_len = (size_t)got;
	return 0;
}

void image_close(struct image *im)
{
	proc_release_exe(im->file);
	im->file = NULL;
}

/* ---- #! ---- */

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The interpreter and its one argument (NULL: none) from the first line; both point into head. */
static int parse_script(struct image *im, char **interp, char **arg)
{
	char *p = (char *)im->head + 2, *end = memchr(p, '\n', sizeof(im->head) - 2);

	if (!end) { /* cut off: the name at least must be whole */
		end = (char *)im->head + sizeof(im->head) - 1;
		if (im->head_len == sizeof(im->head)) {
			char *s = p;

			while (s < end && blank(*s))
				s++;
			while (s < end && !blank(*s) && *s)
				s++;
			if (s == end)
				return -ENOEXEC;
		}
	}
	*end = '\0';
	while (end > p && blank(end[-1]))
		*--end = '\0';
	while (blank(*p))
		p++;
	if (!*p)
		return -ENOEXEC;
	*interp = p;
	while (*p && !blank(*p))
		p++;
	*arg = NULL;
	if (*p) {
		*p++ = '\0';
		while (blank(*p))
			p++;
		*arg = *p ? p : NULL;
	}
	return 0;
}

static int push_front(struct exec_strings *s, const char *word)
{
	ASSERT(s->nprefix < ARRAY_LEN(s->prefix));
	memmove(&s->prefix[1], &s->prefix[0], s->nprefix * sizeof(s->prefix[0]));
	s->prefix[0] = kstrdup(word);
	s->nprefix++;
	return s->prefix[0] ? 0 : -ENOMEM;
}

/* Replaces a script by its interpreter, again if that is a script. */
static int resolve_scripts(struct exec *x)
{
	struct lookup_ctx from_cwd = {x->ctx.fs, x->ctx.cred, NULL};
	struct exec_strings *s = &x->strings;
	unsigned depth = 0;

	while (x->image.head_len >= 2 && x->image.head[0] == '#' && x->image.head[1] == '!') {
		char *interp, *arg;
		int err = parse_script(&x->image, &interp, &arg);

		if (!err && depth++ == SCRIPT_DEPTH)
			err = -ELOOP;
		if (!err && !s->nprefix) {
			s->skip = 1;
			err = push_front(s, s->execfn);
		}
		if (!err && arg)
			err = push_front(s, arg);
		if (!err)
			err = push_front(s, interp);
		if (err)
			return err;
		image_close(&x->image);
		err = image_open(&from_cwd, s->prefix[0], LOOKUP_FOLLOW, &x->image);
		if (err)
			return err;
	}
	return 0;
}

/* ---- credentials ---- */

static int compute_cred(struct exec *x)
{
	const struct cred *c = x->ctx.cred;
	struct file *f = x->image.file;
	u32 euid = c->euid, egid = c->egid;
	u64 permitted, effective;
	struct vattr va;
	int err = vfs_getattr(f->vnode, &va);

	if (err)
		return err;
	if (!(f->path.mount->flags & MS_NOSUID) && !current_task()->no_new_privs) {
		if (va.mode & S_ISUID)
			euid = va.uid;
		if ((va.mode & S_ISGID) && (va.mode & 010))
			egid = va.gid;
	}
	x->secure = euid != c->uid || egid != c->gid;
	/* capabilities(7): programs carry none of their own, but root's get all that the bounding set lets through */
	permitted = !euid || !c->uid ? c->inheritable | c->bound : 0;
	effective = euid ? 0 : permitted;
	if (euid == c->suid && egid == c->sgid && euid == c->euid && egid == c->egid &&
	    permitted == c->permitted && effective == c->caps)
		return 0;
	x->cred = cred_copy(c);
	if (!x->cred)
		return -ENOMEM;
	x->cred->euid = x->cred->suid = x->cred->fsuid = euid;
	x->cred->egid = x->cred->sgid = x->cred->fsgid = egid;
	x->cred->permitted = permitted;
	x->cred->caps = effective;
	return 0;
}

/* ---- building ---- */

static int build(struct exec *x)
{
	struct process *p = current_proc();
	unsigned randomize = proc_randomize();
	s64 vdso;
	int err = exec_strings_measure(&x->strings, proc_rlimit(RLIMIT_STACK));

	if (err)
		return err;
	x->map = vm_map_create();
	if (!x->map)
		return -ENOMEM;
	proc_apply_limits(p, x->map);
	vm_map_layout(x->map, randomize ? random_u64() % MMAP_RANDOM : 0);
	err = elf_load(x->map, &x->image, &x->ctx, randomize, &x->loaded);
	if (err)
		return err;
	vdso = vdso_map(x->map);
	if (vdso < 0)
		return (int)vdso;
	x->vdso = (u64)vdso;
	return exec_stack_build(x->map, &x->strings, &x->loaded, x->cred ? x->cred : x->ctx.cred,
				x->secure, randomize, x->vdso, &x->layout);
}

static int unshare_files(struct process *p)
{
	struct fdtable *n, *old = p->fds;
	u64 flags;

	if (!READ_ONCE(p->files_shared))
		return 0; /* only by threads of ours */
	n = fdtable_copy(old);
	if (!n)
		return -ENOMEM;
	flags = spin_lock_irq(&p->sig_lock);
	p->fds = n;
	p->files_shared = false;
	spin_unlock_irq(&p->sig_lock, flags);
	fdtable_drop(old);
	return 0;
}

static int unshare_fs(struct process *p)
{
	struct fs_context *n = fs_context_copy(p->fs), *old;
	u64 flags;

	if (!n)
		return -ENOMEM;
	flags = spin_lock_irq(&p->sig_lock);
	old = p->fs;
	p->fs = n;
	spin_unlock_irq(&p->sig_lock, flags);
	fs_context_drop(old);
	return 0;
}

/* Descriptors and cwd belong to the process here, so a thread of several cannot have its own. */
int proc_unshare(bool files, bool fs)
{
	struct process *p = current_proc();
	int err = 0;

	if ((files || fs) && READ_ONCE(p->ntasks) > 1)
		return -EINVAL;
	if (files)
		err = unshare_files(p);
	return !err && fs ? unshare_fs(p) : err;
}

/* ---- the change; cannot fail ---- */

/* The thread that execs becomes the process's first thread. */
static void take_leader_tid(struct process *p)
{
	struct thread *th = current();
	struct pid_entry *e;

	if (th->tid == p->pid)
		return;
	mutex_lock(&proc_tree_lock);
	e = pid_lookup(th->tid);
	e->task = NULL;
	pid_put(th->tid);
	th->tid = p->pid;
	e = pid_lookup(p->pid);
	ASSERT(e && e->proc == p && !e->task);
	e->task = current_task();
	mutex_unlock(&proc_tree_lock);
}

static void switch_map(struct exec *x, struct process *p)
{
	struct vm_map *old = p->map;
	struct vm_map_stat st;
	u64 flags;

	if (old) {
		task_release_user(current_task());
		vm_map_stat(old, &st);
		p->maxrss = MAX(p->maxrss, st.rss_peak);
	}
	flags = spin_lock_irq(&p->sig_lock);
	p->map = x->map;
	spin_unlock_irq(&p->sig_lock, flags);
	sched_set_map(x->map);
	x->map = NULL;
	p->map_shared = false;
	vfork_complete(p);
	if (old)
		vm_map_drop(old);
}

static void reset_task(struct task *t)
{
	t->altstack_sp = t->altstack_size = 0;
	t->altstack_flags = SS_DISABLE;
	t->clear_child_tid = t->set_child_tid = t->robust_list = 0;
	t->restart.fn = NULL;
}

static void reset_process(struct exec *x, struct process *p)
{
	struct file *old_exe;
	u64 flags;

	p->arg_start = x->layout.arg_start;
	p->arg_end = x->layout.arg_end;
	p->env_start = x->layout.env_start;
	p->env_end = x->layout.env_end;
	p->start_stack = x->layout.sp;
	p->auxv_len = x->layout.auxv_len;
	memcpy(p->auxv, x->layout.auxv, x->layout.auxv_len);
	p->vdso = x->vdso;
	if (x->cred) {
		cred_commit(x->cred);
		x->cred = NULL;
	}
	flags = spin_lock_irq(&p->sig_lock);
	old_exe = p->exe;
	p->exe = x->image.file;
	p->dumpable = !x->secure;
	spin_unlock_irq(&p->sig_lock, flags);
	x->image.file = NULL;
	proc_release_exe(old_exe);
	mutex_lock(&proc_tree_lock);
	p->did_exec = true;
	p->exit_signal = SIGCHLD;
	mutex_unlock(&proc_tree_lock);
}

static void reset_registers(struct exec *x)
{
	struct trapframe *tf = thread_trapframe(current());

	fpu_reset();
	memset(tf->x, 0, sizeof(tf->x));
	tf->x[REG_PC] = x->loaded.start_pc;
	tf->x[REG_SP] = x->layout.sp;
	tf->syscall_nr = -1;
	thread_flag_set(current(), TIF_RESTORE_ALL);
}

void thread_set_name(struct thread *t, const char *name)
{
	char fresh[sizeof(t->name)] = {0};

	strlcpy(fresh, name, sizeof(fresh));
	memcpy(t->name, fresh, sizeof(fresh));
}

static void change(struct exec *x)
{
	struct process *p = current_proc();
	const char *slash = strrchr(x->strings.execfn, '/');

	switch_map(x, p);
	take_leader_tid(p);
	ptimers_delete_all(p);
	fdtable_close_exec(p->fds);
	sighand_reset(p);
	reset_task(current_task());
	if (x->secure)
		current_task()->pdeath_sig = 0;
	reset_process(x, p);
	thread_set_name(current(), slash ? slash + 1 : x->strings.execfn);
	reset_registers(x);
}

static int prepare(struct exec *x, const struct exec_args *a)
{
	struct process *p = current_proc();
	int err = image_open(&x->ctx, a->path, a->lookup, &x->image);

	if (!err)
		err = resolve_scripts(x);
	if (!err)
		err = compute_cred(x);
	if (!err)
		err = build(x);
	if (!err)
		err = sighand_unshare(p);
	if (!err)
		err = unshare_files(p);
	if (!err)
		err = proc_single_thread(p);
	return err;
}

int proc_exec(const struct exec_args *a)
{
	struct exec *x = kzalloc(sizeof(*x));
	struct process *p = current_proc();
	struct cred *cred = proc_cred_hold(p);
	int err = -ENOMEM;

	if (!x)
		goto out;
	x->ctx = (struct lookup_ctx){p->fs, cred, a->at};
	x->strings.execfn = a->name ? a->name : a->path;
	x->strings.argv = a->argv;
	x->strings.envp = a->envp;
	x->strings.kargv = a->kargv;
	x->strings.kenvp = a->kenvp;
	err = prepare(x, a);
	if (!err)
		change(x);
	exec_strings_free(&x->strings);
	image_close(&x->image);
	if (x->map)
		vm_map_drop(x->map);
	if (x->cred)
		cred_drop(x->cred);
	kfree(x);
out:
	cred_drop(cred);
	return err;
}
