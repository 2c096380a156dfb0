// SPDX-License-Identifier: BSD-2-Clause
/*
 * exec.c - walks the tree.
 *
 * sh.skip says what is being unwound (break, continue, return, an interrupt); lists and
 * loops look at it after each command. With EXEC_CHILD this process was forked for the
 * node alone, so a program may take its place without another fork.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/bin/sh/sh.h"

/* A descriptor that a redirection hides: its copy, or -1 if it was closed. */
struct hidden {
	int fd;
	int copy;
};

static struct hidden *hidden;
static size_t hidden_len, hidden_cap;
static const char *job_text = "";

/* ---- redirections ---- */

size_t redir_mark(void)
{
	return hidden_len;
}

static void hide(int fd)
{
	if (hidden_len == hidden_cap) {
		hidden_cap = hidden_cap * 2 + 8;
		hidden = xrealloc(hidden, hidden_cap * sizeof(*hidden));
	}
	hidden[hidden_len++] = (struct hidden){fd, fcntl(fd, F_DUPFD_CLOEXEC, 10)};
}

void redir_undo(size_t mark)
{
	assert(mark <= hidden_len);
	fflush(stdout);
	while (hidden_len > mark) {
		struct hidden *h = &hidden[--hidden_len];

		if (h->copy >= 0) {
			dup2(h->copy, h->fd);
			close(h->copy);
		} else {
			close(h->fd);
		}
	}
}

/* A pipe that holds the text; what may not fit is written by a child. */
static int open_heredoc(struct redir *r)
{
	char *text = r->literal ? xstrdup(r->word) : expand_heredoc(r->word);
	size_t n = strlen(text);
	int fds[2];

	if (pipe(fds) < 0) {
		free(text);
		return -1;
	}
	if (n <= 4096) {
		write_full(fds[1], text, n);
	} else if (fork() == 0) {
		close(fds[0]);
		signal(SIGPIPE, SIG_DFL);
		write_full(fds[1], text, n);
		_exit(0);
	}
	free(text);
	close(fds[1]);
	return fds[0];
}

static int open_redir(struct redir *r, const char *word)
{
	switch (r->type) {
	case R_IN:
		return open(word, O_RDONLY);
	case R_OUT:
		return open(word, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	case R_APPEND:
		return open(word, O_WRONLY | O_CREAT | O_APPEND, 0666);
	case R_RDWR:
		return open(word, O_RDWR | O_CREAT, 0666);
	default:
		return open_heredoc(r);
	}
}

/* n>&m and n>&-. */
static bool redir_dup(struct redir *r, const char *word)
{
	long from;

	if (strcmp(word, "-") == 0) {
		close(r->fd);
		return true;
	}
	if (!parse_int(word, &from) || from < 0 || from > 0xffff || dup2((int)from, r->fd) < 0) {
		warn("%s: bad file descriptor", word);
		return false;
	}
	return true;
}

static bool redir_one(struct redir *r, bool undo)
{
	char *word = r->type == R_HERE ? xstrdup("here-document") : expand_string(r->word);
	bool ok = true;
	int fd = -1;

	if (r->type != R_DUP) {
		fd = open_redir(r, word);
		if (fd < 0) {
			warn_errno("%s", word);
			free(word);
			return false;
		}
	}
	if (undo)
		hide(r->fd);
	if (r->type == R_DUP) {
		ok = redir_dup(r, word);
	} else if (fd != r->fd) {
		dup2(fd, r->fd);
		close(fd);
	}
	free(word);
	return ok;
}

bool redir_do(struct redir *r, bool undo)
{
	fflush(stdout);
	for (; r; r = r->next) {
		if (!redir_one(r, undo))
			return false;
	}
	return true;
}

/* ---- programs ---- */

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The file to execute, allocated; NULL when PATH has none. */
char *find_program(const char *name)
{
	const char *path = var_get("PATH"), *end;

	if (strchr(name, '/'))
		return xstrdup(name);
	for (; path && *name; path = *end ? end + 1 : NULL) {
		char *dir, *file;

		end = strchrnul(path, ':');
		dir = xstrndup(path, (size_t)(end - path));
		file = path_join(*dir ? dir : ".", name);
		free(dir);
		if (is_program(file))
			return file;
		free(file);
	}
	return NULL;
}

/* A file the kernel does not know is a script without #!. */
static void exec_script(const char *file, char **argv, char **env)
{
	size_t n = 0;

	while (argv[n])
		n++;

	char *args[n + 2];

	args[0] = "sh";
	args[1] = (char *)file;
	memcpy(args + 2, argv + 1, n * sizeof(char *));
	execve("/proc/self/exe", args, env);
	execve("/bin/sh", args, env);
}

void exec_program(char **argv)
{
	char *file = find_program(argv[0]);
	char **env = vars_environ();
	struct stat st;

	if (!file) {
		warn("%s: not found", argv[0]);
		leave(127);
	}
	execve(file, argv, env);
	if (errno == ENOEXEC)
		exec_script(file, argv, env);
	if (errno == EACCES && stat(file, &st) == 0 && S_ISDIR(st.st_mode))
		errno = EISDIR;
	warn_errno("%s", argv[0]);
	leave(errno == ENOENT ? 127 : 126);
}

/* ---- simple commands ---- */

static void assign_one(const char *text, bool save, bool export)
{
	size_t n = name_length(text);
	char *name = xstrndup(text, n);
	char *value = expand_string(text + n + 1);

	if (save)
		var_save(name);
	var_set(name, value);
	if (export)
		var_find(name)->exported = true;
	if (sh.trace)
		fprintf(stderr, "+ %s=%s\n", name, value);
	free(value);
	free(name);
}

static void assign_all(struct word *w, bool save, bool export)
{
	for (; w; w = w->next)
		assign_one(w->text, save, export);
}

static void trace(struct list *argv)
{
	struct buf b = {0};

	buf_char(&b, '+');
	for (size_t i = 0; i < argv->len; i++) {
		buf_char(&b, ' ');
		buf_str(&b, argv->items[i]);
	}
	buf_char(&b, '\n');
	write_full(2, b.data, b.len);
	buf_free(&b);
}

/* Only assignments and redirections: they happen in the shell itself. */
static int exec_assignments(struct node *n)
{
	size_t mark = redir_mark();
	bool ok;

	sh.substitution = -1;
	assign_all(n->assigns, false, false);
	ok = redir_do(n->redirs, true);
	redir_undo(mark);
	if (!ok)
		return 1;
	return sh.substitution >= 0 ? sh.substitution : 0;
}

int call_function(struct function *f, struct list *argv)
{
	struct list saved = sh.args, args = {0};
	struct arena *arena = f->arena;
	struct node *body = f->body;
	size_t mark = vars_mark();
	int loops = sh.loops, status;

	for (size_t i = 1; i < argv->len; i++)
		list_add(&args, xstrdup(argv->items[i]));
	arena_hold(arena);
	sh.args = args;
	sh.loops = 0;
	sh.calls++;
	status = exec_node(body, 0);
	sh.calls--;
	if (sh.skip == SKIP_RETURN) {
		sh.skip = SKIP_NONE;
		status = sh.status;
	}
	sh.loops = loops;
	vars_restore(mark);
	list_free(&sh.args);
	sh.args = saved;
	arena_drop(arena);
	return status;
}

/* A builtin or a function, in this process. */
static int exec_inside(struct node *n, struct list *argv, const struct builtin *b,
		       struct function *f)
{
	bool stays = b && strcmp(b->name, "exec") == 0;
	size_t redirs = redir_mark(), vars = vars_mark();
	int status = 1;

	if (redir_do(n->redirs, !stays)) {
		bool keep = b && b->special && !f;

		assign_all(n->assigns, !keep, true);
		status = f ? call_function(f, argv) : b->fn((int)argv->len, argv->items);
		fflush(stdout);
		/* `local` in a function saves to its caller's part of the stack */
		if (n->assigns && !keep)
			vars_restore(vars);
	} else if (b && b->special && !sh.interactive) {
		leave(2);
	}
	redir_undo(redirs);
	return status;
}

static void __attribute__((noreturn)) exec_here(struct node *n, struct list *argv)
{
	if (!redir_do(n->redirs, false))
		leave(1);
	assign_all(n->assigns, false, true);
	exec_program(argv->items);
}

static int exec_outside(struct node *n, struct list *argv, int flags)
{
	struct job *job;
	int pid;

	if (flags & EXEC_CHILD)
		exec_here(n, argv);
	job = job_new(job_text);
	pid = job_fork(job, false);
	if (pid == 0)
		exec_here(n, argv);
	return job_wait(job);
}

static int exec_simple(struct node *n, int flags)
{
	struct list argv = {0};
	const struct builtin *b;
	struct function *f;
	int status;

	if (!n->words)
		return exec_assignments(n);
	sh.substitution = -1;
	expand_words(n->words, &argv);
	if (argv.len == 0)
		return exec_assignments(n);
	if (sh.trace)
		trace(&argv);
	f = function_find(argv.items[0]);
	b = builtin_find(argv.items[0]);
	if (f || b)
		status = exec_inside(n, &argv, b, f);
	else
		status = exec_outside(n, &argv, flags);
	list_free(&argv);
	return status;
}

/* ---- pipelines and lists ---- */

/* Runs in the child: its ends of the pipes become 0 and 1. */
static void __attribute__((noreturn)) exec_element(struct node *n, int in, const int out[2])
{
	if (in >= 0) {
		dup2(in, 0);
		close(in);
	}
	if (n->next) {
		close(out[0]);
		dup2(out[1], 1);
		close(out[1]);
	}
	leave(exec_node(n, EXEC_CHILD));
}

static int exec_pipes(struct node *n)
{
	struct job *job = job_new(n->text);
	int in = -1, out[2] = {-1, -1};

	for (struct node *e = n->first; e; e = e->next) {
		if (e->next && pipe(out) < 0) {
			warn_errno("pipe");
			break;
		}
		if (job_fork(job, false) == 0)
			exec_element(e, in, out);
		if (in >= 0)
			close(in);
		if (e->next)
			close(out[1]);
		in = e->next ? out[0] : -1;
	}
	if (in >= 0)
		close(in);
	return job_wait(job);
}

/* Whether -e looks at it: what fails within another kind of command has been looked at. */
static bool can_err(struct node *n)
{
	return n->next || n->type == N_SIMPLE || n->type == N_SUBSHELL;
}

static int exec_pipeline(struct node *n, int flags)
{
	int status;

	job_text = n->text;
	if (n->negate) {
		sh.no_errexit++;
		flags = 0;
	}
	status = n->first->next ? exec_pipes(n) : exec_node(n->first, flags);
	if (n->negate) {
		sh.no_errexit--;
		status = !status;
	} else if (status && sh.exit_on_error && !sh.no_errexit && !sh.skip && can_err(n->first)) {
		leave(status);
	}
	return status;
}

static int exec_background(struct node *n)
{
	struct job *job = job_new(n->text);

	if (job_fork(job, true) == 0)
		leave(exec_node(n, EXEC_CHILD));
	job_background(job);
	return 0;
}

static int exec_list(struct node *n, int flags)
{
	int status = 0;

	for (struct node *c = n->first; c && !sh.skip; c = c->next) {
		if (c->background)
			status = exec_background(c);
		else
			status = exec_node(c, c->next ? 0 : flags);
		sh.status = status;
		traps_run();
	}
	return sh.skip ? sh.status : status;
}

/* A condition: its failure is an answer, not an error. */
static int exec_condition(struct node *n)
{
	int status;

	sh.no_errexit++;
	status = exec_node(n, 0);
	sh.no_errexit--;
	sh.status = status;
	return status;
}

static int exec_and_or(struct node *n, int flags)
{
	int status = exec_condition(n->first);

	if (sh.skip || (status == 0) != (n->type == N_AND))
		return status;
	return exec_node(n->body, flags);
}

static int exec_subshell(struct node *n, int flags)
{
	struct job *job;

	if (flags & EXEC_CHILD)
		leave(exec_node(n->first, EXEC_CHILD));
	job = job_new(job_text);
	if (job_fork(job, false) == 0)
		leave(exec_node(n->first, EXEC_CHILD));
	return job_wait(job);
}

static int exec_if(struct node *n, int flags)
{
	int status = exec_condition(n->first);

	if (sh.skip)
		return status;
	if (status == 0)
		return exec_node(n->body, flags);
	return n->otherwise ? exec_node(n->otherwise, flags) : 0;
}

/* After a loop's body: false when the loop is left. */
static bool loop_goes_on(void)
{
	if (sh.skip == SKIP_BREAK || sh.skip == SKIP_CONTINUE) {
		bool go_on = sh.skip == SKIP_CONTINUE && sh.skip_count == 1;

		if (--sh.skip_count == 0)
			sh.skip = SKIP_NONE;
		return go_on;
	}
	return sh.skip == SKIP_NONE;
}

static int exec_loop(struct node *n)
{
	int status = 0;

	sh.loops++;
	for (;;) {
		bool stop = (exec_condition(n->first) == 0) == n->until;

		if (sh.skip) {
			if (!loop_goes_on())
				break;
			continue;
		}
		if (stop)
			break;
		status = exec_node(n->body, 0);
		if (!loop_goes_on())
			break;
	}
	sh.loops--;
	return sh.skip ? sh.status : status;
}

static int exec_for(struct node *n)
{
	struct list words = {0};
	int status = 0;

	if (n->positional) {
		for (size_t i = 0; i < sh.args.len; i++)
			list_add(&words, xstrdup(sh.args.items[i]));
	} else {
		expand_words(n->words, &words);
	}
	sh.loops++;
	for (size_t i = 0; i < words.len; i++) {
		var_set(n->name, words.items[i]);
		status = exec_node(n->body, 0);
		if (!loop_goes_on())
			break;
	}
	sh.loops--;
	list_free(&words);
	return sh.skip ? sh.status : status;
}

static bool case_matches(struct case_item *item, const char *subject)
{
	for (struct word *w = item->patterns; w; w = w->next) {
		char *pattern = expand_pattern(w->text);
		bool match = fnmatch(pattern, subject, 0) == 0;

		free(pattern);
		if (match)
			return true;
	}
	return false;
}

static int exec_case(struct node *n, int flags)
{
	char *subject = expand_string(n->words->text);
	struct case_item *item = n->items;

	while (item && !case_matches(item, subject))
		item = item->next;
	free(subject);
	return item && item->body ? exec_node(item->body, flags) : 0;
}

static int exec_compound(struct node *n, int flags)
{
	switch (n->type) {
	case N_SUBSHELL:
		return exec_subshell(n, flags);
	case N_GROUP:
		return exec_node(n->first, flags);
	case N_IF:
		return exec_if(n, flags);
	case N_LOOP:
		return exec_loop(n);
	case N_FOR:
		return exec_for(n);
	default:
		return exec_case(n, flags);
	}
}

static int exec_redirected(struct node *n, int flags)
{
	size_t mark = redir_mark();
	int status = 1;

	if (!n->redirs)
		return exec_compound(n, flags);
	if (redir_do(n->redirs, !(flags & EXEC_CHILD)))
		status = exec_compound(n, flags);
	redir_undo(mark);
	return status;
}

int exec_node(struct node *n, int flags)
{
	int status;

	if (sh.skip || sh.no_exec)
		return sh.status;
	if (interrupted()) {
		interrupt_clear();
		if (sh.interactive)
			write_full(2, "\n", 1);
		sh.skip = SKIP_ALL;
		return sh.status = 130;
	}
	switch (n->type) {
	case N_SIMPLE:
		status = exec_simple(n, flags);
		break;
	case N_PIPE:
		status = exec_pipeline(n, flags);
		break;
	case N_AND:
	case N_OR:
		status = exec_and_or(n, flags);
		break;
	case N_LIST:
		status = exec_list(n, flags);
		break;
	case N_FUNCTION:
		function_set(n->name, n->body, sh.arena);
		status = 0;
		break;
	default:
		status = exec_redirected(n, flags);
		break;
	}
	if (!sh.skip)
		sh.status = status;
	return status;
}

/* ---- text ---- */

char *command_output(const char *text, size_t n)
{
	char *command = xstrndup(text, n);
	struct job *job = job_new(command);
	struct buf out = {0};
	int fds[2];

	if (pipe(fds) < 0)
		fail(2, "pipe: %s", strerror(errno));
	if (job_fork(job, false) == 0) {
		close(fds[0]);
		dup2(fds[1], 1);
		close(fds[1]);
		leave(exec_string(command));
	}
	close(fds[1]);
	buf_add(&out, "", 0);
	read_all(fds[0], &out);
	close(fds[0]);
	sh.substitution = sh.status = job_wait(job);
	free(command);
	while (out.len > 0 && out.data[out.len - 1] == '\n')
		out.data[--out.len] = 0;
	return out.data;
}

/* Runs all of the source; the status of its last command. */
int exec_source(struct source *src)
{
	struct arena *outer = sh.arena;
	enum parse_result result;
	struct node *n;
	int status = 0;

	do {
		sh.arena = arena_new();
		result = parse_command(src, sh.arena, &n);
		if (result == PARSE_OK && n)
			status = exec_node(n, 0);
		arena_drop(sh.arena);
		sh.arena = outer;
	} while (result == PARSE_OK && !sh.skip);
	if (result == PARSE_ERROR) {
		status = sh.status = 2;
		if (!sh.interactive)
			leave(2);
	}
	return status;
}

int exec_string(const char *text)
{
	struct source src;
	int status;

	source_string(&src, text);
	status = exec_source(&src);
	source_free(&src);
	return status;
}

int exec_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), high, status;
	struct source src;

	if (fd < 0)
		return -1;
	high = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	close(fd);
	source_fd(&src, high);
	status = exec_source(&src);
	source_free(&src);
	close(high);
	return status;
}
