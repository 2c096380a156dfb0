/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GNOMON_PROC_INTERNAL_H
#define GNOMON_PROC_INTERNAL_H

/* What the files of kernel/proc share. */

#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/radix.h"
#include "kernel/lib/random.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/proc/proc.h"
#include "kernel/riscv/hart.h"
#include "kernel/riscv/trapframe.h"
#include "kernel/riscv/uaccess.h"

/* ---- ids (pid.c) ---- */

/* A number in use: as task, process, group or session, or several of them.
 *
 * Field markings and the corresponding locks:
 * (t) proc_tree_lock   (c) constant
 */
struct pid_entry {
	s32 nr;			 /* (c) */
	struct process *proc;	 /* (t) */
	struct task *task;	 /* (t) */
	struct pgrp *pgrp;	 /* (t) */
	struct session *session; /* (t) */
};

/* Field markings and the corresponding locks:
 * (t) proc_tree_lock   (c) constant
 */
struct session {
	s32 sid;	  /* (c) */
	u32 ngroups;	  /* (t) lives as long as it has groups */
	struct tty *tty;  /* (t) controlling terminal; the hold on it is the tty layer's */
	bool leader_gone; /* (t) */
};

/* Field markings and the corresponding locks:
 * (t) proc_tree_lock   (c) constant
 */
struct pgrp {
	s32 id;			 /* (c) */
	struct session *session; /* (c) */
	struct list members;	 /* (t) struct process.pgrp_link; zombies too */
};

struct pid_entry *pid_lookup(s32 nr); /* proc_tree_lock held; NULL: free */
struct pid_entry *pid_alloc(
	void); /* proc_tree_lock held; a free number, in the table; NULL: none or no memory */
void pid_put(s32 nr); /* proc_tree_lock held; gives the number back if nothing uses it */
s32 pid_next(s32 from, bool processes, const struct process *of);
struct process *process_alloc(void);  /* zeroed, lists and locks made, refs = 1; NULL */
struct task *task_alloc(void);	      /* likewise */
void process_free(struct process *p); /* made but never shown to anybody */
int nproc_charge(u32 uid,
		 u64 limit);  /* one more process or thread: 0, -EAGAIN; takes proc_tree_lock */
void nproc_uncharge(u32 uid); /* proc_tree_lock held */
void nproc_move(u32 from, u32 to, u32 n); /* n threads change hands; takes proc_tree_lock */
void proc_tables_init(void);

extern struct process *init_process; /* pid 1 */

/* ---- groups (pgrp.c); proc_tree_lock held ---- */
int pgrp_new_session(struct process *p); /* p leads a fresh session and group: 0 or -ENOMEM */
void pgrp_join(struct process *p, struct pgrp *g);
void pgrp_leave(struct process *p);
bool pgrp_is_orphaned(const struct pgrp *g, const struct process *ignore);
/* p dies or loses its parent: groups that become orphaned and have stopped members get SIGHUP and SIGCONT. */
void pgrp_check_orphans(struct process *p, const struct process *parent);
struct tty *session_tty(struct process *p);

/* ---- signals ---- */
struct ptimer;

/* Field markings and the corresponding locks:
 * (s) sig_lock of the process in whose queue it is
 */
struct siginfo_node {
	struct list link;      /* (s) self-linked: in no queue */
	struct siginfo_k info; /* (s) */
	struct ptimer *timer;  /* (s) whose it is: it stays there when taken off; NULL: free it */
};
struct siginfo_node *siginfo_node_alloc(void); /* NULL: no memory */
void siginfo_node_free(struct siginfo_node *n);
/* sig_lock held.  t NULL: to the process. */
int signal_send_locked(struct process *p, struct task *t, int sig, const struct siginfo_k *info);
/* Queues a timer's own node, which is in no queue: false if the signal is ignored. */
bool signal_send_node(struct process *p, struct task *t, struct siginfo_node *n);
void ptimer_taken(struct ptimer *t,
		  struct siginfo_k *info); /* sig_lock held: its node left the queue */
struct sighand *sighand_alloc(void);
struct sighand *sighand_clone(struct process *p, bool clear_handlers); /* a copy of p's; NULL */
void sighand_hold(struct sighand *h);
void sighand_drop(struct sighand *h);
int sighand_unshare(struct process *p); /* p alone uses its dispositions afterwards: 0, -ENOMEM */
void sighand_reset(struct process *p);	/* exec: handlers to default */
void sigqueue_init(struct sigqueue *q);
void sigqueue_flush(struct sigqueue *q); /* sig_lock held, or nobody else sees it */
void signal_retarget(
	struct process *p); /* sig_lock held: wakes threads for pending signals of the process */
void signal_recalc(struct task *t); /* sig_lock held; current: TIF_SIGNAL as it should be */
void thread_kick(struct thread *t, bool fatal); /* makes it notice its flags. Any context */
/* Takes the next deliverable signal: number or 0; *info filled. sig_lock held. */
int sigqueue_take(struct task *t, sigset_t which, struct siginfo_k *info);
struct k_sigaction sighand_get(struct process *p, int sig); /* sig_lock held */
void sighand_set(struct process *p, int sig, const struct k_sigaction *a);
void group_exit_begin(struct process *p, int status); /* sig_lock held: every thread is to die */
int signal_setup_frame(struct trapframe *tf, int sig, const struct k_sigaction *a,
		       const struct siginfo_k *info, sigset_t oldmask);
/* Tells the parent that p stopped, continued or died (proc_tree_lock held). True: died and nobody will wait. */
bool notify_parent_exit(struct process *p);
void notify_parent_stop(struct process *p, int code, int status);
void wait_child_info(struct process *p, int *code, int *status); /* of a zombie, from exit_status */

/* ---- life ---- */
void task_start_user(void *arg); /* first code of a user thread */
void task_release_user(
	struct
	task *t); /* current: tells user memory (robust futexes, clear_child_tid) that it leaves */
void vfork_complete(struct process *p);
void proc_release_map(struct process *p); /* current leaves its address space for good */
int proc_single_thread(
	struct process
		*p); /* kills the other threads: 0, -EINTR killed, -EAGAIN another does the same */
void proc_release_exe(struct file *f);		/* ends the hold and the ban on writing */
void proc_reparent_children(struct process *p); /* proc_tree_lock held */
void proc_reap(
	struct process *
		p); /* zombie, proc_tree_lock held: out of all tables, whose reference is dropped */
void thread_set_name(struct thread *t, const char *name);

/* ---- programs ---- */
/* A file that may be run, with writing to it banned.
 *
 * Field markings and the corresponding locks:
 * (o) whoever execs
 */
struct image {
	struct file *file; /* (o) */
	u8 head[256];	   /* (o) its first bytes, zero padded */
	size_t head_len;   /* (o) */
};
int image_open(const struct lookup_ctx *ctx, const char *path, unsigned lookup, struct image *out);
void image_close(struct image *im);

/* Where a program was mapped.
 *
 * Field markings and the corresponding locks:
 * (o) whoever execs
 */
struct loaded {
	u64 entry, base;  /* (o) of the program; base: of the interpreter, 0 none */
	u64 start_pc;	  /* (o) first instruction: the interpreter's or the program's */
	u64 phdr;	  /* (o) address of the program headers */
	u16 phnum, phent; /* (o) */
	bool exec_stack;  /* (o) */
};
int elf_load(struct vm_map *map, struct image *im, const struct lookup_ctx *ctx, unsigned randomize,
	     struct loaded *out);

/* The new stack, written from its top downwards (exec_stack.c). */
struct exec_stack;

/* What exec_stack_build needs and finds out.
 *
 * Field markings and the corresponding locks:
 * (o) whoever execs
 */
struct exec_strings {
	const char *execfn;	  /* (o) AT_EXECFN */
	char *prefix[12];	  /* (o) words put before argv by #!, in order; kmalloc */
	unsigned nprefix;	  /* (o) at most two a level, five levels */
	unsigned skip;		  /* (o) words of argv they replace: 0 or 1 */
	u64 argv, envp;		  /* (o) user arrays, 0: empty */
	const char *const *kargv; /* (o) kernel arrays instead */
	const char *const *kenvp; /* (o) */
	u32 *lens;		  /* (o) length with NUL of each string, argv then envp */
	size_t nlens, cap;	  /* (o) */
	size_t argc, envc;	  /* (o) */
	u64 bytes;		  /* (o) of all strings */
};
int exec_strings_measure(struct exec_strings *s, u64 stack_limit);
void exec_strings_free(struct exec_strings *s);

/* Addresses on the finished stack.
 *
 * Field markings and the corresponding locks:
 * (o) whoever execs
 */
struct exec_layout {
	u64 sp, arg_start, arg_end, env_start, env_end; /* (o) */
	u64 auxv[50];					/* (o) */
	u32 auxv_len;					/* (o) bytes */
};
int exec_stack_build(struct vm_map *map, struct exec_strings *s, const struct loaded *ld,
		     const struct cred *cred, bool secure, unsigned randomize, u64 vdso,
		     struct exec_layout *out);

/* ---- vDSO (vdso.c) ---- */
void vdso_init(void);
void vdso_update(void);		  /* after the clocks were set */
s64 vdso_map(struct vm_map *map); /* address of its ELF header, or -errno */
extern const u32 vdso_sigreturn_offset;

/* ---- other ---- */
u64 random_u64(void);
/* What exec puts at random addresses, as /proc/sys/kernel/randomize_va_space counts: 0 nothing, 1 stack, mappings, vDSO and
 * position-independent programs, 2 the heap too.  norandmaps and ADDR_NO_RANDOMIZE make it 0. */
unsigned proc_randomize(void);
extern unsigned proc_randomize_va;
void procfs_pid_init(void);
void proc_tty_init(void);
void futex_init(void);
void clockset_init(void);
void ptimer_init(void);
void cpu_timers_setup(struct process *p);
void cpu_watch_update(struct process *p); /* sig_lock held */
void proc_cpu_tick(struct thread *th);	  /* each tick, in the interrupt */
void trap_hooks_init(void);

#endif
