// SPDX-License-Identifier: BSD-2-Clause
/*
 * jobs.c - children, process groups and the terminal.
 *
 * All jobs that are not forgotten are on a list, the one started or stopped last in front;
 * so the current job (%+) is the first that is not in the foreground. wait() takes whatever
 * child changes and notes it there.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "user/bin/sh/sh.h"

enum state { RUNNING, STOPPED, DONE };

struct proc {
	int pid;
	int status; /* as wait() gave it */
	enum state state;
};

struct job {
	struct job *next;
	int id; /* 0 while it has only been in the foreground */
	int pgrp;
	struct proc *procs;
	size_t count;
	char *text;
	bool told; /* the user knows that it stopped */
	bool has_modes;
	struct termios modes; /* of the terminal when it stopped */
};

static struct job *jobs;
static int tty = -1;
static int shell_pgrp;
static struct termios shell_modes;

/* Takes the terminal; waits until we are in its foreground. */
void jobs_init(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	int pgrp;

	if (fd < 0)
		fd = dup(0);
	tty = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	close(fd);
	while ((pgrp = tcgetpgrp(tty)) != getpgrp()) {
		if (pgrp < 0) {
			warn("no job control");
			return;
		}
		kill(0, SIGTTIN);
	}
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	setpgid(0, 0);
	shell_pgrp = getpgrp();
	tcsetpgrp(tty, shell_pgrp);
	tcgetattr(tty, &shell_modes);
	sh.job_control = true;
}

struct job *job_new(const char *text)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->text = xstrdup(text);
	job->next = jobs;
	jobs = job;
	return job;
}

static void job_unlink(struct job *job)
{
	struct job **link = &jobs;

	while (*link != job)
		link = &(*link)->next;
	*link = job->next;
}

static void job_free(struct job *job)
{
	job_unlink(job);
	free(job->procs);
	free(job->text);
	free(job);
}

static void job_to_front(struct job *job)
{
	job_unlink(job);
	job->next = jobs;
	jobs = job;
}

/* A forked copy of the shell has no children. */
void jobs_forget(void)
{
	while (jobs)
		job_free(jobs);
}

static enum state job_state(struct job *job)
{
	enum state state = DONE;

	for (size_t i = 0; i < job->count; i++) {
		if (job->procs[i].state < state)
			state = job->procs[i].state;
	}
	return state;
}

static int job_status(struct job *job)
{
	int s = job->count ? job->procs[job->count - 1].status : 0;

	if (WIFSTOPPED(s))
		return 128 + WSTOPSIG(s);
	return WIFEXITED(s) ? WEXITSTATUS(s) : 128 + WTERMSIG(s);
}

static void give_terminal(int pgrp)
{
	if (sh.job_control && tty >= 0)
		tcsetpgrp(tty, pgrp);
}

/* The child's side of job_fork(). */
static void become_child(struct job *job, bool background)
{
	bool control = sh.job_control;

	if (control) {
		setpgid(0, job->pgrp);
		if (!background)
			give_terminal(getpgrp());
	}
	sh.subshell = true;
	sh.interactive = false;
	sh.job_control = false;
	sh.skip = SKIP_NONE;
	traps_reset(background && !control);
	jobs_forget();
	if (background && !control) {
		int fd = open("/dev/null", O_RDONLY);

		if (fd > 0) {
			dup2(fd, 0);
			close(fd);
		}
	}
}

static int fork_patiently(void)
{
	int pid = fork();

	for (int i = 0; pid < 0 && errno == EAGAIN && i < 3; i++) {
		sleep(1);
		pid = fork();
	}
	return pid;
}

int job_fork(struct job *job, bool background)
{
	int pid;

	fflush(stdout);
	pid = fork_patiently();
	if (pid < 0) {
		warn_errno("fork");
		return -1;
	}
	if (pid == 0) {
		become_child(job, background);
		return 0;
	}
	if (!job->pgrp)
		job->pgrp = pid;
	if (sh.job_control)
		setpgid(pid, job->pgrp);
	job->procs = xrealloc(job->procs, (job->count + 1) * sizeof(*job->procs));
	job->procs[job->count++] = (struct proc){.pid = pid, .state = RUNNING};
	return pid;
}

static void note_change(int pid, int status)
{
	for (struct job *job = jobs; job; job = job->next) {
		for (size_t i = 0; i < job->count; i++) {
			struct proc *p = &job->procs[i];

			if (p->pid != pid || p->state == DONE)
				continue;
			p->state = WIFSTOPPED(status)	  ? STOPPED
				   : WIFCONTINUED(status) ? RUNNING
							  : DONE;
			job->told = false;
			if (p->state != RUNNING)
				p->status = status;
			return;
		}
	}
}

/* Nobody is left to wait for: what is not done never will be reported. */
static void no_children(struct job *job)
{
	for (size_t i = 0; i < job->count; i++)
		job->procs[i].state = DONE;
}

/* Until the job is not running, or (if asked) a signal arrives. */
static bool wait_for(struct job *job, bool until_signal)
{
	while (job_state(job) == RUNNING) {
		int status, pid = waitpid(-1, &status, sh.job_control ? WUNTRACED : 0);

		if (pid > 0)
			note_change(pid, status);
		else if (errno == ECHILD)
			no_children(job);
		else if (errno == EINTR && until_signal)
			return false;
	}
	return true;
}

static int new_id(void)
{
	int id = 0;

	for (struct job *job = jobs; job; job = job->next)
		id = job->id > id ? job->id : id;
	return id + 1;
}

static struct job *current_job(int nth)
{
	for (struct job *job = jobs; job; job = job->next) {
		if (job->id && nth-- == 0)
			return job;
	}
	return NULL;
}

static void describe(struct job *job, char *out, size_t size)
{
	int s = job->count ? job->procs[job->count - 1].status : 0;

	if (job_state(job) == RUNNING)
		snprintf(out, size, "Running");
	else if (job_state(job) == STOPPED)
		snprintf(out, size, "Stopped");
	else if (WIFSIGNALED(s))
		snprintf(out, size, "%s", strsignal(WTERMSIG(s)));
	else if (WEXITSTATUS(s))
		snprintf(out, size, "Exit %d", WEXITSTATUS(s));
	else
		snprintf(out, size, "Done");
}

static void print_job(FILE *out, struct job *job, bool pids)
{
	char state[40], mark = ' ';

	if (job == current_job(0))
		mark = '+';
	else if (job == current_job(1))
		mark = '-';
	describe(job, state, sizeof(state));
	fprintf(out, "[%d]%c ", job->id, mark);
	if (pids)
		fprintf(out, "%d ", job->pgrp);
	fprintf(out, " %-22s %s%s\n", state, job->text, job_state(job) == RUNNING ? " &" : "");
}

/* What the user should see of a foreground job's end. */
static void report_end(struct job *job)
{
	int s = job->procs[job->count - 1].status;

	if (!WIFSIGNALED(s))
		return;
	if (WTERMSIG(s) == SIGINT) {
		if (sh.interactive) {
			fputc('\n', stderr);
			sh.skip = SKIP_ALL;
			sh.status = 130;
		}
	} else if (WTERMSIG(s) != SIGPIPE) {
		fprintf(stderr, "%s%s\n", strsignal(WTERMSIG(s)),
			WCOREDUMP(s) ? " (core dumped)" : "");
	}
}

static void job_stopped(struct job *job)
{
	if (!job->id)
		job->id = new_id();
	job_to_front(job);
	job->has_modes = tcgetattr(tty, &job->modes) == 0;
	fputc('\n', stderr);
	print_job(stderr, job, false);
	job->told = true;
	sh.skip = SKIP_ALL;
}

/* The job in the foreground; it is forgotten unless it stops. */
int job_wait(struct job *job)
{
	int status;

	if (job->count == 0) {
		job_free(job);
		return 126;
	}
	wait_for(job, false);
	status = job_status(job);
	if (sh.job_control) {
		int last = job->procs[job->count - 1].status;

		give_terminal(shell_pgrp);
		if (job_state(job) == STOPPED) {
			job_stopped(job);
			tcsetattr(tty, TCSADRAIN, &shell_modes);
			return sh.status = status;
		}
		if (WIFSIGNALED(last))
			tcsetattr(tty, TCSADRAIN, &shell_modes);
		else
			tcgetattr(tty, &shell_modes);
	}
	report_end(job);
	job_free(job);
	return status;
}

void job_background(struct job *job)
{
	if (job->count == 0) {
		job_free(job);
		return;
	}
	job->id = new_id();
	sh.last_job = job->procs[job->count - 1].pid;
	if (sh.interactive)
		fprintf(stderr, "[%d] %d\n", job->id, sh.last_job);
}

static void collect(void)
{
	int status, pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0)
		note_change(pid, status);
}

/* Before a prompt: what happened in the background. */
void jobs_notify(void)
{
	struct job *job, *next;

	collect();
	for (job = jobs; job; job = next) {
		enum state state = job_state(job);

		next = job->next;
		if (!job->id || state == RUNNING || (state == STOPPED && job->told))
			continue;
		print_job(stderr, job, false);
		job->told = true;
		if (state == DONE)
			job_free(job);
	}
}

/* %1 %% %+ %- %text, or a process id; NULL with a message if there is none. */
static struct job *find_job(const char *s)
{
	struct job *found = NULL;
	long n = 0;

	if (*s != '%') {
		if (parse_int(s, &n)) {
			for (struct job *job = jobs; job && !found; job = job->next) {
				for (size_t i = 0; i < job->count; i++) {
					if (job->procs[i].pid == n)
						found = job;
				}
			}
		}
	} else if (!s[1] || strcmp(s, "%%") == 0 || strcmp(s, "%+") == 0) {
		found = current_job(0);
	} else if (strcmp(s, "%-") == 0) {
		found = current_job(1);
	} else {
		bool number = parse_int(s + 1, &n);

		for (struct job *job = jobs; job && !found; job = job->next) {
			if (number ? job->id == n
				   : job->id && strncmp(job->text, s + 1, strlen(s + 1)) == 0)
				found = job;
		}
	}
	if (!found)
		warn("%s: no such job", s);
	return found;
}

int builtin_jobs(int argc, char **argv)
{
	bool pids = argc > 1 && strcmp(argv[1], "-l") == 0;
	bool only_pids = argc > 1 && strcmp(argv[1], "-p") == 0;
	int last = new_id();

	collect();
	for (int id = 1; id < last; id++) {
		for (struct job *job = jobs, *next; job; job = next) {
			next = job->next;
			if (job->id != id)
				continue;
			if (only_pids)
				printf("%d\n", job->pgrp);
			else
				print_job(stdout, job, pids);
			job->told = true;
			if (job_state(job) == DONE && sh.interactive)
				job_free(job);
		}
	}
	return 0;
}

/* The job an argument names, or the current one; NULL with a message. */
static struct job *job_argument(int argc, char **argv)
{
	struct job *job;

	if (!sh.job_control) {
		warn("%s: no job control", argv[0]);
		return NULL;
	}
	collect();
	job = argc > 1 ? find_job(argv[1]) : current_job(0);
	if (!job && argc < 2)
		warn("%s: no current job", argv[0]);
	return job;
}

static void mark_running(struct job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		if (job->procs[i].state == STOPPED)
			job->procs[i].state = RUNNING;
	}
}

static void go_on(struct job *job)
{
	mark_running(job);
	kill(-job->pgrp, SIGCONT);
}

int builtin_fg(int argc, char **argv)
{
	struct job *job = job_argument(argc, argv);

	if (!job)
		return 1;
	printf("%s\n", job->text);
	fflush(stdout);
	give_terminal(job->pgrp);
	if (job->has_modes)
		tcsetattr(tty, TCSADRAIN, &job->modes);
	go_on(job);
	return job_wait(job);
}

int builtin_bg(int argc, char **argv)
{
	struct job *job = job_argument(argc, argv);

	if (!job)
		return 1;
	go_on(job);
	print_job(stdout, job, false);
	return 0;
}

static int wait_one(const char *s)
{
	struct job *job = find_job(s);
	int status;

	if (!job)
		return 127;
	if (!wait_for(job, true))
		return 130;
	status = job_status(job);
	if (job_state(job) == DONE)
		job_free(job);
	return status;
}

int builtin_wait(int argc, char **argv)
{
	int status = 0;

	for (int i = 1; i < argc; i++)
		status = wait_one(argv[i]);
	if (argc > 1)
		return status;
	for (struct job *job = jobs, *next; job; job = next) {
		next = job->next;
		if (!wait_for(job, true))
			return 130;
		if (job_state(job) == DONE)
			job_free(job);
	}
	return 0;
}

/* A stopped job is continued so that it notices; what SIGKILL does to it, wait() will tell. */
static int kill_job(const char *s, int sig)
{
	struct job *job = find_job(s);
	pid_t pid;

	if (!job)
		return 1;
	pid = sh.job_control ? -job->pgrp : job->procs[0].pid;
	if (kill(pid, sig) < 0) {
		warn_errno("kill: %s", s);
		return 1;
	}
	if (job_state(job) != STOPPED)
		return 0;
	if (sig == SIGTERM || sig == SIGHUP)
		kill(pid, SIGCONT);
	if (sig == SIGTERM || sig == SIGHUP || sig == SIGCONT || sig == SIGKILL)
		mark_running(job);
	return 0;
}

static int kill_one(const char *s, int sig)
{
	long pid;

	if (*s == '%')
		return kill_job(s, sig);
	if (!parse_int(s, &pid)) {
		warn("kill: %s: not a process", s);
		return 1;
	}
	if (kill((pid_t)pid, sig) == 0)
		return 0;
	warn_errno("kill: %s", s);
	return 1;
}

static int list_signals(void)
{
	for (int sig = 1; sig < 32; sig++)
		printf("%2d %s\n", sig, signal_name(sig));
	return 0;
}

int builtin_kill(int argc, char **argv)
{
	int sig = SIGTERM, i = 1, status = 0;

	if (argc > 1 && strcmp(argv[1], "-l") == 0)
		return list_signals();
	if (argc > 2 && strcmp(argv[1], "-s") == 0) {
		sig = signal_number(argv[2]);
		i = 3;
	} else if (argc > 1 && strcmp(argv[1], "--") == 0) {
		i = 2;
	} else if (argc > 2 && argv[1][0] == '-') {
		sig = signal_number(argv[1] + 1);
		i = 2;
	}
	if (sig < 0 || i >= argc) {
		warn("usage: kill [-SIGNAL] PID|%%JOB...");
		return 2;
	}
	for (; i < argc; i++)
		status |= kill_one(argv[i], sig);
	return status;
}
