// SPDX-License-Identifier: BSD-2-Clause
/* builtins.c - commands that are part of the shell. The table at the end is sorted by name. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/times.h>
#include <unistd.h>

#include "user/bin/sh/sh.h"

static int builtin_true(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static int builtin_false(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 1;
}

static int builtin_cd(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : var_get("HOME");
	bool print = dir && strcmp(dir, "-") == 0;
	char cwd[4096];

	if (print)
		dir = var_get("OLDPWD");
	if (!dir || !*dir) {
		warn("cd: nowhere to go");
		return 1;
	}
	if (!getcwd(cwd, sizeof(cwd)))
		cwd[0] = 0;
	if (chdir(dir) < 0) {
		warn_errno("cd: %s", dir);
		return 1;
	}
	var_set("OLDPWD", cwd);
	if (getcwd(cwd, sizeof(cwd)))
		var_set("PWD", cwd);
	if (print)
		puts(cwd);
	return 0;
}

static int builtin_pwd(int argc, char **argv)
{
	char cwd[4096];

	(void)argc;
	(void)argv;
	if (!getcwd(cwd, sizeof(cwd))) {
		warn_errno("pwd");
		return 1;
	}
	puts(cwd);
	return 0;
}

static int status_argument(int argc, char **argv)
{
	long n;

	if (argc < 2)
		return sh.status;
	if (parse_int(argv[1], &n))
		return (int)(n & 255);
	warn("%s: %s: not a number", argv[0], argv[1]);
	return 2;
}

static int builtin_exit(int argc, char **argv)
{
	leave(status_argument(argc, argv));
}

static int builtin_return(int argc, char **argv)
{
	if (!sh.calls) {
		warn("return: not in a function");
		return 1;
	}
	sh.status = status_argument(argc, argv);
	sh.skip = SKIP_RETURN;
	return sh.status;
}

static int builtin_break(int argc, char **argv)
{
	long n = 1;

	if (argc > 1 && (!parse_int(argv[1], &n) || n < 1)) {
		warn("%s: %s: bad number", argv[0], argv[1]);
		return 2;
	}
	if (sh.loops > 0) {
		sh.skip = *argv[0] == 'b' ? SKIP_BREAK : SKIP_CONTINUE;
		sh.skip_count = n < sh.loops ? (int)n : sh.loops;
		sh.status = 0;
	}
	return 0;
}

/* ---- variables ---- */

static void print_quoted(const char *s)
{
	putchar('\'');
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*s);
	}
	putchar('\'');
}

static void print_named(const char *command, struct var *v)
{
	printf("%s%s", command, v->name);
	if (v->value) {
		putchar('=');
		print_quoted(v->value);
	}
	putchar('\n');
}

static void print_exported(struct var *v)
{
	if (v->exported)
		print_named("export ", v);
}

static void print_readonly(struct var *v)
{
	if (v->readonly)
		print_named("readonly ", v);
}

static void print_variable(struct var *v)
{
	if (v->value)
		print_named("", v);
}

/* NAME or NAME=VALUE to a variable; NULL with a message if it is neither. */
static struct var *declare(const char *command, const char *arg)
{
	size_t n = name_length(arg);
	char *name = xstrndup(arg, n);
	struct var *v = NULL;

	if (!n || (arg[n] && arg[n] != '=')) {
		warn("%s: %s: bad name", command, arg);
	} else {
		if (arg[n] == '=')
			var_set(name, arg + n + 1);
		v = var_make(name);
	}
	free(name);
	return v;
}

static int mark_all(int argc, char **argv, bool export)
{
	bool off = argc > 1 && strcmp(argv[1], "-n") == 0;
	int first = argc > 1 && (off || strcmp(argv[1], "-p") == 0) ? 2 : 1, status = 0;

	if (first >= argc)
		vars_each(export ? print_exported : print_readonly);
	for (int i = first; i < argc; i++) {
		struct var *v = declare(argv[0], argv[i]);

		if (!v)
			status = 1;
		else if (export)
			v->exported = !off;
		else
			v->readonly = true;
	}
	return status;
}

static int builtin_export(int argc, char **argv)
{
	return mark_all(argc, argv, true);
}

static int builtin_readonly(int argc, char **argv)
{
	return mark_all(argc, argv, false);
}

static int builtin_local(int argc, char **argv)
{
	if (!sh.calls) {
		warn("local: not in a function");
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		size_t n = name_length(argv[i]);
		char *name = xstrndup(argv[i], n);

		if (n) {
			var_save(name);
			if (!argv[i][n])
				var_unset(name);
		}
		free(name);
		if (!n || argv[i][n])
			if (!declare("local", argv[i]))
				return 1;
	}
	return 0;
}

static int builtin_unset(int argc, char **argv)
{
	bool functions = argc > 1 && strcmp(argv[1], "-f") == 0;
	int first = functions || (argc > 1 && strcmp(argv[1], "-v") == 0) ? 2 : 1, status = 0;

	for (int i = first; i < argc; i++) {
		if (functions) {
			function_unset(argv[i]);
		} else if (!var_unset(argv[i])) {
			warn("unset: %s: is read only", argv[i]);
			status = 1;
		}
	}
	return status;
}

bool set_option(char letter, bool on)
{
	switch (letter) {
	case 'e':
		sh.exit_on_error = on;
		return true;
	case 'x':
		sh.trace = on;
		return true;
	case 'u':
		sh.no_unset = on;
		return true;
	case 'f':
		sh.no_glob = on;
		return true;
	case 'n':
		sh.no_exec = on;
		return true;
	case 'm':
		if (on && !sh.job_control && !sh.subshell)
			jobs_init();
		else
			sh.job_control = on && sh.job_control;
		return true;
	default:
		return false;
	}
}

static void set_args(int argc, char **argv)
{
	list_free(&sh.args);
	for (int i = 0; i < argc; i++)
		list_add(&sh.args, xstrdup(argv[i]));
}

static bool set_named(const char *name, bool on)
{
	static const struct {
		const char *name;
		char letter;
	} options[] = {{"errexit", 'e'}, {"xtrace", 'x'}, {"nounset", 'u'},
		       {"noglob", 'f'},	 {"noexec", 'n'}, {"monitor", 'm'}};

	for (size_t i = 0; i < COUNT(options); i++) {
		if (strcmp(options[i].name, name) == 0)
			return set_option(options[i].letter, on);
	}
	return false;
}

static int builtin_set(int argc, char **argv)
{
	int i;

	if (argc == 1)
		vars_each(print_variable);
	for (i = 1; i < argc && (argv[i][0] == '-' || argv[i][0] == '+') && argv[i][1]; i++) {
		bool on = argv[i][0] == '-';

		if (strcmp(argv[i], "--") == 0) {
			set_args(argc - i - 1, argv + i + 1);
			return 0;
		}
		if (argv[i][1] == 'o' && !argv[i][2] && i + 1 < argc) {
			if (!set_named(argv[++i], on))
				fail(2, "set: %s: unknown option", argv[i]);
			continue;
		}
		for (const char *p = argv[i] + 1; *p; p++) {
			if (!set_option(*p, on))
				fail(2, "set: -%c: unknown option", *p);
		}
	}
	if (i < argc)
		set_args(argc - i, argv + i);
	return 0;
}

static int builtin_shift(int argc, char **argv)
{
	long n = 1;

	if (argc > 1 && (!parse_int(argv[1], &n) || n < 0)) {
		warn("shift: %s: bad number", argv[1]);
		return 2;
	}
	if ((size_t)n > sh.args.len)
		return 1;
	for (long i = 0; i < n; i++)
		free(sh.args.items[i]);
	sh.args.len -= (size_t)n;
	if (n)
		memmove(sh.args.items, sh.args.items + n, (sh.args.len + 1) * sizeof(char *));
	return 0;
}

/* ---- input ---- */

/*
 * A line from descriptor 0, byte by byte as others read it too. Bytes quoted by a backslash
 * are preceded by a 1 byte. Returns 0, 1 at the end of input, 130 when interrupted.
 */
static int read_input(struct buf *line, bool raw)
{
	bool quoted = false;
	char c;

	buf_add(line, "", 0);
	for (;;) {
		ssize_t n = read(0, &c, 1);

		if (n < 0 && errno == EINTR && !interrupted())
			continue;
		if (n <= 0)
			return interrupted() ? 130 : 1;
		if (quoted) {
			quoted = false;
			if (c != '\n') {
				buf_char(line, 1);
				buf_char(line, c);
			}
		} else if (c == '\\' && !raw) {
			quoted = true;
		} else if (c == '\n') {
			return 0;
		} else if (c) {
			buf_char(line, c);
		}
	}
}

static bool is_ifs(const char *s, const char *ifs)
{
	return *s && *s != 1 && strchr(ifs, *s);
}

static bool is_white(const char *s, const char *ifs)
{
	return is_ifs(s, ifs) && isspace((unsigned char)*s);
}

/* Cuts one field off *s into out; the last variable gets all the rest. */
static void read_field(const char **s, const char *ifs, bool last, struct buf *out)
{
	const char *p = *s;
	size_t keep = 0; /* trailing white space is dropped */

	while (is_white(p, ifs))
		p++;
	out->len = 0;
	buf_add(out, "", 0);
	while (*p && (last || !is_ifs(p, ifs))) {
		bool white = is_white(p, ifs);

		if (*p == 1 && p[1])
			p++;
		buf_char(out, *p++);
		if (!white)
			keep = out->len;
	}
	if (last && keep < out->len)
		out->len = keep;
	out->data[out->len] = 0;
	while (is_white(p, ifs))
		p++;
	if (is_ifs(p, ifs))
		p++;
	*s = p;
}

static int builtin_read(int argc, char **argv)
{
	const char *ifs = var_get("IFS") ? var_get("IFS") : " \t\n", *prompt = NULL, *s;
	struct buf line = {0}, field = {0};
	bool raw = false;
	int i, status;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "-r") == 0)
			raw = true;
		else if (strcmp(argv[i], "-p") == 0 && i + 1 < argc)
			prompt = argv[++i];
		else
			fail(2, "read: %s: unknown option", argv[i]);
	}
	if (prompt)
		fputs(prompt, stderr);
	status = read_input(&line, raw);
	s = line.data;
	if (i == argc) {
		read_field(&s, "", true, &field);
		var_set("REPLY", field.data);
	}
	for (; i < argc; i++) {
		read_field(&s, ifs, i + 1 == argc, &field);
		var_set(argv[i], field.data);
	}
	buf_free(&line);
	buf_free(&field);
	return status;
}

/* ---- running other things ---- */

static int builtin_eval(int argc, char **argv)
{
	struct buf text = {0};
	int status;

	for (int i = 1; i < argc; i++)
		buf_fmt(&text, "%s%s", argv[i], i + 1 < argc ? " " : "");
	status = text.len ? exec_string(text.data) : 0;
	buf_free(&text);
	return status;
}

static int builtin_dot(int argc, char **argv)
{
	char *file;
	int status;

	if (argc < 2) {
		warn("usage: . FILE");
		return 2;
	}
	file = access(argv[1], F_OK) == 0 ? xstrdup(argv[1]) : find_program(argv[1]);
	sh.calls++;
	status = file ? exec_file(file) : -1;
	sh.calls--;
	free(file);
	if (status < 0)
		fail(1, "%s: %s", argv[1], strerror(ENOENT));
	if (sh.skip == SKIP_RETURN) {
		sh.skip = SKIP_NONE;
		status = sh.status;
	}
	return status;
}

/* Redirections were made for good before this is called. */
static int builtin_exec(int argc, char **argv)
{
	if (argc < 2)
		return 0;
	traps_reset(false);
	exec_program(argv + 1);
}

static int describe_command(const char *name, bool brief)
{
	char *file;

	if (function_find(name)) {
		printf(brief ? "%s\n" : "%s is a function\n", name);
		return 0;
	}
	if (builtin_find(name)) {
		printf(brief ? "%s\n" : "%s is a shell builtin\n", name);
		return 0;
	}
	file = find_program(name);
	if (!file || access(file, X_OK) < 0) {
		free(file);
		if (!brief)
			warn("%s: not found", name);
		return 127;
	}
	if (brief)
		puts(file);
	else
		printf("%s is %s\n", name, file);
	free(file);
	return 0;
}

static int builtin_type(int argc, char **argv)
{
	int status = 0;

	for (int i = 1; i < argc; i++)
		status |= describe_command(argv[i], false);
	return status ? 1 : 0;
}

/* `command NAME...` runs what is not a function; -v says what it is. */
static int builtin_command(int argc, char **argv)
{
	const struct builtin *b;
	struct job *job;

	if (argc > 2 && (strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "-V") == 0))
		return describe_command(argv[2], argv[1][1] == 'v');
	if (argc < 2)
		return 0;
	b = builtin_find(argv[1]);
	if (b)
		return b->fn(argc - 1, argv + 1);
	job = job_new(argv[1]);
	if (job_fork(job, false) == 0)
		exec_program(argv + 1);
	return job_wait(job);
}

static int builtin_umask(int argc, char **argv)
{
	mode_t mask = umask(0), mode = ~mask & 0777;

	umask(mask);
	if (argc < 2) {
		printf("%04o\n", (unsigned int)mask);
		return 0;
	}
	if (isdigit((unsigned char)*argv[1]))
		mode = 0;
	if (!parse_mode(argv[1], &mode)) {
		warn("umask: %s: bad mode", argv[1]);
		return 1;
	}
	umask(isdigit((unsigned char)*argv[1]) ? mode : ~mode & 0777);
	return 0;
}

static void print_ticks(clock_t ticks, const char *end)
{
	long centis = (long)ticks * 100 / sysconf(_SC_CLK_TCK);

	printf("%ldm%ld.%02lds%s", centis / 6000, centis / 100 % 60, centis % 100, end);
}

static int builtin_times(int argc, char **argv)
{
	struct tms t;

	(void)argc;
	(void)argv;
	if (times(&t) == (clock_t)-1) {
		warn_errno("times");
		return 1;
	}
	print_ticks(t.tms_utime, " ");
	print_ticks(t.tms_stime, "\n");
	print_ticks(t.tms_cutime, " ");
	print_ticks(t.tms_cstime, "\n");
	return 0;
}

static const struct {
	char letter;
	int resource;
	long unit;
	const char *text;
} limits[] = {
	{'t', RLIMIT_CPU, 1, "cpu time (seconds)"},
	{'f', RLIMIT_FSIZE, 512, "file size (blocks)"},
	{'d', RLIMIT_DATA, 1024, "data (kbytes)"},
	{'s', RLIMIT_STACK, 1024, "stack (kbytes)"},
	{'c', RLIMIT_CORE, 512, "core file (blocks)"},
	{'v', RLIMIT_AS, 1024, "address space (kbytes)"},
	{'l', RLIMIT_MEMLOCK, 1024, "locked memory (kbytes)"},
	{'n', RLIMIT_NOFILE, 1, "open files"},
	{'u', RLIMIT_NPROC, 1, "processes"},
};

static void print_limit(size_t i, bool name)
{
	struct rlimit limit;

	if (name)
		printf("%-26s", limits[i].text);
	if (getrlimit(limits[i].resource, &limit) < 0)
		printf("%s\n", strerror(errno));
	else if (limit.rlim_cur == RLIM_INFINITY)
		printf("unlimited\n");
	else
		printf("%lu\n", limit.rlim_cur / (unsigned long)limits[i].unit);
}

static int builtin_ulimit(int argc, char **argv)
{
	char letter = argc > 1 && argv[1][0] == '-' ? argv[1][1] : 'f';
	const char *value = argc > 1 && argv[1][0] != '-' ? argv[1] : argc > 2 ? argv[2] : NULL;
	struct rlimit limit;
	size_t i;
	long n = 0;

	if (letter == 'a') {
		for (i = 0; i < COUNT(limits); i++)
			print_limit(i, true);
		return 0;
	}
	for (i = 0; i < COUNT(limits) && limits[i].letter != letter; i++)
		;
	if (i == COUNT(limits) || (value && strcmp(value, "unlimited") && !parse_int(value, &n))) {
		warn("usage: ulimit [-acdflnstuv] [LIMIT]");
		return 2;
	}
	if (!value) {
		print_limit(i, false);
		return 0;
	}
	getrlimit(limits[i].resource, &limit);
	limit.rlim_cur = *value == 'u' ? RLIM_INFINITY : (rlim_t)n * (rlim_t)limits[i].unit;
	limit.rlim_max = limit.rlim_cur;
	if (setrlimit(limits[i].resource, &limit) < 0) {
		warn_errno("ulimit");
		return 1;
	}
	return 0;
}

static int builtin_help(int argc, char **argv);

/* Sorted by name: found by bisection. */
static const struct builtin builtins[] = {
	{".", builtin_dot, true},
	{":", builtin_true, true},
	{"[", test_main, false},
	{"bg", builtin_bg, false},
	{"break", builtin_break, true},
	{"cd", builtin_cd, false},
	{"command", builtin_command, false},
	{"continue", builtin_break, true},
	{"echo", echo_main, false},
	{"eval", builtin_eval, true},
	{"exec", builtin_exec, true},
	{"exit", builtin_exit, true},
	{"export", builtin_export, true},
	{"false", builtin_false, false},
	{"fg", builtin_fg, false},
	{"help", builtin_help, false},
	{"history", builtin_history, false},
	{"jobs", builtin_jobs, false},
	{"kill", builtin_kill, false},
	{"local", builtin_local, false},
	{"printf", printf_main, false},
	{"pwd", builtin_pwd, false},
	{"read", builtin_read, false},
	{"readonly", builtin_readonly, true},
	{"return", builtin_return, true},
	{"set", builtin_set, true},
	{"shift", builtin_shift, true},
	{"test", test_main, false},
	{"times", builtin_times, true},
	{"trap", builtin_trap, true},
	{"true", builtin_true, false},
	{"type", builtin_type, false},
	{"ulimit", builtin_ulimit, false},
	{"umask", builtin_umask, false},
	{"unset", builtin_unset, true},
	{"wait", builtin_wait, false},
};

static int compare_builtin(const void *name, const void *b)
{
	return strcmp(name, ((const struct builtin *)b)->name);
}

const struct builtin *builtin_find(const char *name)
{
	return bsearch(name, builtins, COUNT(builtins), sizeof(*builtins), compare_builtin);
}

void builtins_each(void (*fn)(const char *name, void *arg), void *arg)
{
	for (size_t i = 0; i < COUNT(builtins); i++)
		fn(builtins[i].name, arg);
}

static void print_name(const char *name, void *arg)
{
	(void)arg;
	printf("%s ", name);
}

static int builtin_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("builtins: ");
	builtins_each(print_name, NULL);
	printf("\nprograms are in /bin; the kernel speaks in /proc\n");
	return 0;
}
