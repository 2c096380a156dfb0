// SPDX-License-Identifier: BSD-2-Clause
/*
 * The first process: set-up of this folder, pid 1, root and /dev, and the program that init= names.
 *
 * kernel_main runs as a kernel thread after all drivers; pid 1 is a thread of its own, which becomes a user thread by
 * its first successful exec.
 */
#include "kernel/proc/proc_internal.h"

#include "kernel/boot/init.h"
#include "kernel/boot/params.h"

#define INIT_STACK_LIMIT (8 * MiB)
#define INIT_NOFILE	 1024
#define INIT_NOFILE_MAX	 4096
#define INIT_SIGPENDING	 1024

static void set_limits(struct process *p)
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		p->rlim[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	p->rlim[RLIMIT_STACK].cur = INIT_STACK_LIMIT;
	p->rlim[RLIMIT_CORE].cur = 0;
	p->rlim[RLIMIT_NOFILE] = (struct rlimit){INIT_NOFILE, INIT_NOFILE_MAX};
	p->rlim[RLIMIT_MEMLOCK] = (struct rlimit){8 * MiB, 8 * MiB};
	p->rlim[RLIMIT_SIGPENDING] = (struct rlimit){INIT_SIGPENDING, INIT_SIGPENDING};
	p->rlim[RLIMIT_NICE] = (struct rlimit){0, 0};
	p->rlim[RLIMIT_RTPRIO] = (struct rlimit){0, 0};
	p->rlim[RLIMIT_MSGQUEUE] = (struct rlimit){819200, 819200};
}

static struct cred *root_cred(void)
{
	struct cred *c = kzalloc(sizeof(*c));

	if (c) {
		c->refs = 1;
		c->caps = c->permitted = c->bound = CAP_ALL;
	}
	return c;
}

/* ---- root and /dev ---- */

static void wait_for_root(const char *source, const char *type, u32 flags)
{
	kprintf("waiting for root device %s\n", source);
	for (;;) {
		sleep_ns(NSEC_PER_SEC / 5);
		if (vfs_mount_root(source, type, flags) == 0)
			return;
	}
}

static void mount_root(void)
{
	const char *source = kernel_param("root"), *type = kernel_param("rootfstype");
	u32 flags = kernel_flag("rw") ? 0 : MS_RDONLY;
	int err;

	if (!source)
		source = "/dev/vda1";
	err = vfs_mount_root(source, type, flags);
	if ((err == -ENODEV || err == -ENOENT || err == -ENXIO) && kernel_flag("rootwait")) {
		wait_for_root(source, type, flags);
		err = 0;
	}
	if (err)
		panic("cannot mount root %s (%s): error %d", source, type ? type : "any type", err);
}

static void mount_dev(struct process *p)
{
	struct lookup_ctx ctx = {p->fs, p->cred, NULL};
	int err = vfs_mount(&ctx, "devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "");

	if (err)
		kprintf("cannot mount devtmpfs on /dev: error %d\n", err);
}

static void open_console(struct process *p)
{
	struct lookup_ctx ctx = {p->fs, p->cred, NULL};
	struct file *f;
	int err = vfs_open(&ctx, "/dev/console", O_RDWR, 0, &f);

	if (err) {
		kprintf("cannot open /dev/console: error %d\n", err);
		return;
	}
	for (int fd = 0; fd < 3; fd++) {
		file_hold(f);
		if (fd_alloc(p->fds, f, fd, false, INIT_NOFILE) != fd)
			panic("descriptor %d of init is taken", fd);
	}
	file_drop(f);
}

/* ---- arguments of init ---- */

/* Words for init: argv[0] is filled in later; what the kernel does not know of its command line goes to init, names
 * with a value to the environment, as Linux does. */
struct init_words {
	const char **argv, **envp; /* NULL-terminated */
	size_t argc, envc, cap;
};

static void add_word(struct init_words *w, bool env, const char *word)
{
	const char **list = env ? w->envp : w->argv;
	size_t *n = env ? &w->envc : &w->argc;

	if (*n + 1 < w->cap)
		list[(*n)++] = word;
}

static size_t name_length(const char *word)
{
	const char *eq = strchr(word, '=');

	return eq ? (size_t)(eq - word) : strlen(word);
}

static bool known_param(const char *word)
{
	static const char *const known[] = {
		"root",	      "rootfstype", "rootwait", "rootflags",  "ro",   "rw",
		"init",	      "console",    "quiet",	"norandmaps", "swap", "earlycon",
		"loglevel",   "debug",	    "panic",	"maxcpus",    "mem",  "ktest",
		"overcommit", "rdinit",	    "initrd",
	};
	size_t len = name_length(word);

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strlen(known[i]) == len && !strncmp(known[i], word, len))
			return true;
	}
	return memchr(word, '.', len) != NULL; /* module.parameter */
}

/* Cuts the next word out of the line, quotes taken off; NULL at the end. */
static char *next_word(char **line)
{
	char *from = *line, *to, *word;
	bool quoted = false;

	while (*from == ' ' || *from == '\t' || *from == '\n')
		from++;
	if (!*from)
		return NULL;
	word = to = from;
	for (; *from && (quoted || (*from != ' ' && *from != '\t' && *from != '\n')); from++) {
		if (*from == '"')
			quoted = !quoted;
		else if (*from == '\\' && from[1] && quoted)
			*to++ = *++from;
		else
			*to++ = *from;
	}
	*line = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

static void split_cmdline(struct init_words *w)
{
	char *line = kstrdup(kernel_cmdline()), *word;
	bool rest = false;

	while (line && (word = next_word(&line))) {
		if (!strcmp(word, "--"))
			rest = true;
		else if (rest)
			add_word(w, false, word);
		else if (!known_param(word))
			add_word(w, strchr(word, '=') != NULL, word);
	}
}

static void init_words_make(struct init_words *w)
{
	w->cap = strlen(kernel_cmdline()) / 2 + 8;
	w->argv = kzalloc(w->cap * sizeof(char *));
	w->envp = kzalloc(w->cap * sizeof(char *));
	if (!w->argv || !w->envp)
		panic("no memory for init's arguments");
	add_word(w, false, "init");
	add_word(w, true, "HOME=/");
	add_word(w, true, "TERM=linux");
	split_cmdline(w);
}

/* ---- pid 1 ---- */

static int try_init(const char *path, struct init_words *w)
{
	struct exec_args x = {
		.path = path, .lookup = LOOKUP_FOLLOW, .kargv = w->argv, .kenvp = w->envp};

	w->argv[0] = path;
	return proc_exec(&x);
}

static void start_program(struct init_words *w)
{
	static const char *const defaults[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
	const char *asked = kernel_param("init");
	int err;

	if (asked && *asked) {
		err = try_init(asked, w);
		if (!err)
			return;
		panic("cannot run init %s: error %d", asked, err);
	}
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
		err = try_init(defaults[i], w);
		if (!err)
			return;
		if (err != -ENOENT)
			kprintf("cannot run %s: error %d\n", defaults[i], err);
	}
	panic("No working init found");
}

static void init_thread(void *arg)
{
	struct process *p = current_proc();
	struct init_words w = {0};

	(void)arg;
	mount_root();
	vfs_swapon_boot();
	p->fs = vfs_root_context();
	p->fds = fdtable_create();
	if (!p->fs || !p->fds)
		panic("no memory for init");
	mount_dev(p);
	open_console(p);
	init_words_make(&w);
	start_program(&w);
	p->unkillable = true;
	user_return(thread_trapframe(current()));
}

static void enter_tables(struct process *p, struct task *t, struct thread *th)
{
	struct pid_entry *e;

	mutex_lock(&proc_tree_lock);
	e = pid_alloc();
	if (!e || e->nr != 1)
		panic("init did not get pid 1");
	p->pid = th->tid = 1;
	e->proc = p;
	e->task = t;
	t->proc = p;
	proc_hold(p);
	list_add_tail(&p->tasks, &t->proc_link);
	p->ntasks = 1;
	if (pgrp_new_session(p))
		panic("no memory for init's session");
	mutex_unlock(&proc_tree_lock);
	if (nproc_charge(0, RLIM_INFINITY))
		panic("no memory for init");
}

void proc_start_init(void)
{
	struct process *p = process_alloc();
	struct task *t = task_alloc();
	struct thread *th = thread_create("init", init_thread, NULL);

	if (!p || !t || !th)
		panic("no memory for init");
	p->cred = root_cred();
	p->sighand = sighand_alloc();
	if (!p->cred || !p->sighand)
		panic("no memory for init");
	set_limits(p);
	p->exit_signal = SIGCHLD;
	t->thread = th;
	th->proc = p;
	th->proc_data = t;
	init_process = p;
	enter_tables(p, t, th);
	sched_wake(th);
}

static void proc_init(void)
{
	proc_tables_init();
	signal_init();
	futex_init();
	clockset_init();
	ptimer_init();
	trap_hooks_init();
	proc_tty_init();
	procfs_pid_init();
}
INITCALL(VM, proc_init);

void kernel_main(void)
{
	vdso_init();
	proc_start_init();
}
