/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sh.h - the shell's parts and what they know of each other.
 *
 *	source.c	where text comes from: a string, a file, the terminal
 *	parse.c		text to a tree of nodes; words stay as they were typed
 *	expand.c	words to arguments: $, `, ~, splitting, globbing, quotes
 *	arith.c		$((...))
 *	vars.c		variables, functions, positional parameters
 *	exec.c		walks the tree: forks, redirects, runs
 *	jobs.c		children and the terminal
 *	traps.c		signals
 *	builtins.c	commands that must run in the shell itself
 *	edit.c		the line editor
 *
 * The shell is one thread. A function that finds an error the current command cannot go on
 * with calls fail(), which unwinds to the prompt, or leaves a shell that is not interactive.
 */
#ifndef USER_BIN_SH_SH_H
#define USER_BIN_SH_SH_H

#include <setjmp.h>
#include <signal.h>

#include "user/bin/common/util.h"

/* ---- arena: memory given back at once ---- */

struct arena {
	struct chunk *chunks;
	unsigned int refs;
};
struct arena *arena_new(void);
void arena_hold(struct arena *a);
void arena_drop(struct arena *a);
void *arena_alloc(struct arena *a, size_t size);
char *arena_str(struct arena *a, const char *s, size_t n);

/* ---- text ---- */

struct source {
	struct buf text; /* what was read and is still needed */
	size_t pos;	 /* of the next character in it */
	/* Appends a line to text; false at the end of input. NULL: text is all there is. */
	bool (*more)(struct source *src);
	int fd;
	bool by_char;	  /* others read this descriptor too: never read beyond a line */
	bool started;	  /* within a command: the terminal shows PS2 */
	struct buf ahead; /* read from fd, not yet in text */
	size_t ahead_pos;
};
void source_string(struct source *src, const char *text);
void source_fd(struct source *src, int fd);
void source_terminal(struct source *src);
void source_free(struct source *src);
int source_peek(struct source *src, size_t ahead);

/* ---- tree ---- */

enum node_type {
	N_SIMPLE,
	N_PIPE,
	N_AND,
	N_OR,
	N_LIST,
	N_SUBSHELL,
	N_GROUP,
	N_IF,
	N_LOOP,
	N_FOR,
	N_CASE,
	N_FUNCTION,
};

struct word {
	struct word *next;
	const char *text; /* as typed, quotes and all */
};

enum redir_type { R_IN, R_OUT, R_APPEND, R_RDWR, R_DUP, R_HERE };

struct redir {
	struct redir *next;
	enum redir_type type;
	int fd;
	const char *word; /* file name or descriptor; for R_HERE the text itself */
	bool literal;	  /* R_HERE: no expansion */
};

struct case_item {
	struct case_item *next;
	struct word *patterns;
	struct node *body; /* or NULL */
};

struct node {
	enum node_type type;
	bool negate;	 /* N_PIPE: ! */
	bool background; /* in an N_LIST: followed by & */
	bool until;	 /* N_LOOP */
	bool positional; /* N_FOR without `in` */
	struct redir *redirs;
	struct node *next;  /* in an N_PIPE or N_LIST */
	struct node *first; /* child, condition, or list */
	struct node *body;
	struct node *otherwise;
	struct word *assigns; /* N_SIMPLE */
	struct word *words;   /* N_SIMPLE, N_FOR; N_CASE: the subject */
	struct case_item *items;
	const char *name; /* N_FOR, N_FUNCTION */
	const char *text; /* for the job table */
};

enum parse_result { PARSE_OK, PARSE_EOF, PARSE_ERROR };
/* One complete command into *out (NULL for an empty line), in memory of the arena. */
enum parse_result parse_command(struct source *src, struct arena *arena, struct node **out);
/* The length of the ${...} or $(...) at s, which starts with the $. */
size_t dollar_length(const char *s, bool quoted);
bool is_name(const char *s, size_t n);
size_t name_length(const char *s);

/* ---- variables ---- */

struct var {
	struct var *next;
	char *name;
	char *value; /* NULL: not set, only marked */
	bool exported;
	bool readonly;
};
void vars_init(char **envp);
const char *var_get(const char *name);
struct var *var_find(const char *name);
struct var *var_make(const char *name);
/* fail()s if the variable is read-only. */
void var_set(const char *name, const char *value);
bool var_unset(const char *name);
void vars_each(void (*fn)(struct var *v));
/* exported variables as NAME=VALUE, in allocated memory */
char **vars_environ(void);

struct function {
	struct function *next;
	char *name;
	struct node *body;
	struct arena *arena; /* keeps body */
};
struct function *function_find(const char *name);
void function_set(const char *name, struct node *body, struct arena *arena);
bool function_unset(const char *name);

/* Values to be put back when a function or a prefixed assignment ends; a stack. */
size_t vars_mark(void);
void var_save(const char *name);
void vars_restore(size_t mark);

/* ---- the shell's state ---- */

enum skip { SKIP_NONE, SKIP_BREAK, SKIP_CONTINUE, SKIP_RETURN, SKIP_ALL };

struct shell {
	const char *name; /* $0 */
	struct list args; /* $1... */
	int status;	  /* $? */
	int pid;	  /* $$ */
	int last_job;	  /* $! */
	bool interactive;
	bool job_control;
	bool subshell; /* a forked copy: leaves instead of returning to the prompt */
	bool exit_on_error, trace, no_unset, no_glob, no_exec;
	int no_errexit;	     /* depth of conditions, where -e does not count */
	int loops;	     /* depth of loops */
	int calls;	     /* depth of functions and dot scripts */
	enum skip skip;	     /* what is being unwound */
	int skip_count;	     /* loops still to leave */
	int substitution;    /* status of the last command substitution, or -1 */
	struct arena *arena; /* of the command that runs */
	jmp_buf *prompt;     /* where fail() goes in an interactive shell */
};
extern struct shell sh;

void fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
void leave(int status) __attribute__((noreturn));

/* ---- expansion ---- */

/* Adds the fields of the word to `out`, as allocated strings. */
void expand_word(const char *text, struct list *out);
void expand_words(struct word *w, struct list *out);
/* One string, without splitting and globbing; allocated. */
char *expand_string(const char *text);
char *expand_heredoc(const char *text);
/* As a pattern for fnmatch: quoted characters are escaped; allocated. */
char *expand_pattern(const char *text);
void glob_add(const char *pattern, struct list *out);
long arith_eval(const char *text);
/* Runs a command for its output, with trailing newlines removed. */
char *command_output(const char *text, size_t n);

/* ---- execution ---- */

enum { EXEC_CHILD = 1 }; /* this process has nothing else to do: do not fork, do not return */
int exec_node(struct node *n, int flags);
int exec_source(struct source *src);
int exec_string(const char *text);
int exec_file(const char *path);
int call_function(struct function *f, struct list *argv);
/* Leaves by exec; only returns the status for a failure by not returning at all. */
void exec_program(char **argv) __attribute__((noreturn));
char *find_program(const char *name);
void redir_undo(size_t mark);
size_t redir_mark(void);
/* Does the redirections; false when one fails. With undo, redir_undo() takes them back. */
bool redir_do(struct redir *r, bool undo);

/* ---- jobs ---- */

struct job;
void jobs_init(void);
struct job *job_new(const char *text);
/* fork: the child returns 0 in its own place, with signals and jobs reset. */
int job_fork(struct job *job, bool background);
int job_wait(struct job *job);
void job_background(struct job *job);
void jobs_notify(void);
void jobs_forget(void);
int builtin_jobs(int argc, char **argv);
int builtin_fg(int argc, char **argv);
int builtin_bg(int argc, char **argv);
int builtin_wait(int argc, char **argv);
int builtin_kill(int argc, char **argv);

/* ---- signals ---- */

void traps_init(void);
/* In a forked child: traps are gone, signals as they were at the start. */
void traps_reset(bool background);
void traps_run(void);
void traps_exit(void);
bool interrupted(void);
void interrupt_clear(void);
int builtin_trap(int argc, char **argv);

/* ---- builtins ---- */

typedef int (*builtin_fn)(int argc, char **argv);
struct builtin {
	const char *name;
	builtin_fn fn;
	bool special; /* assignments before it stay */
};
const struct builtin *builtin_find(const char *name);
void builtins_each(void (*fn)(const char *name, void *arg), void *arg);
/* The letters of `set -x`; false for an unknown one. */
bool set_option(char letter, bool on);

/* ---- the line editor ---- */

enum edit_result { EDIT_LINE, EDIT_EOF, EDIT_INTERRUPT };
enum edit_result edit_line(const char *prompt, struct buf *line);
void history_add(const char *line);
int builtin_history(int argc, char **argv);
/* What Tab offers for the word from `start` to `end` of the line; allocated strings. */
void complete(const char *line, size_t start, size_t end, struct list *out);

#endif
