// SPDX-License-Identifier: BSD-2-Clause
/* text.c - cat, head, tail, wc, tee, cut, tr, uniq, sort and grep. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/bin/tools/tools.h"

/* A line with its newline, if it has one; false at the end. */
static bool next_line(FILE *f, struct buf *line)
{
	int c;

	line->len = 0;
	while ((c = getc(f)) != EOF) {
		buf_char(line, (char)c);
		if (c == '\n')
			return true;
	}
	return line->len > 0;
}

static void chomp(struct buf *line)
{
	if (line->len && line->data[line->len - 1] == '\n')
		line->data[--line->len] = 0;
}

static FILE *open_stream(const char *path)
{
	int fd = open_input(path);

	return fd < 0 ? NULL : fdopen(fd, "r");
}

/* fn for each file named from argv[first], or for standard input; status 1 if one failed. */
static int each_input(int argc, char **argv, int first, int (*fn)(FILE *f, const char *name))
{
	int status = 0;

	if (first >= argc)
		return fn(stdin, "-");
	for (int i = first; i < argc; i++) {
		FILE *f = open_stream(argv[i]);

		if (!f) {
			status = 1;
			continue;
		}
		status |= fn(f, argv[i]);
		fclose(f);
	}
	return status;
}

int cat_main(int argc, char **argv)
{
	int status = 0;

	if (argc == 1)
		argv[argc++] = "-";
	for (int i = 1; i < argc; i++) {
		int fd = open_input(argv[i]);

		if (fd < 0 || copy_fd(fd, 1) < 0) {
			if (fd >= 0)
				warn_errno("%s", argv[i]);
			status = 1;
		}
		if (fd >= 0)
			close(fd);
	}
	return status;
}

static long line_count = 10;
static bool count_bytes, from_start, headings;

static int head_one(FILE *f, const char *name)
{
	int c;

	if (headings)
		printf("==> %s <==\n", name);
	for (long left = line_count; left > 0 && (c = getc(f)) != EOF;) {
		putchar(c);
		if (count_bytes || c == '\n')
			left--;
	}
	return 0;
}

/* Where the last `count` lines of the text start. */
static size_t last_lines(const struct buf *b, long count)
{
	size_t pos = b->len;

	if (pos && b->data[pos - 1] == '\n' && count)
		pos--;
	for (; pos > 0; pos--) {
		if (b->data[pos - 1] == '\n' && --count <= 0)
			break;
	}
	return pos;
}

/* Where line or byte `count` of the text, counted from 1, starts. */
static size_t nth_line(const struct buf *b, long count)
{
	size_t pos = 0;

	while (pos < b->len && count > 1) {
		if (count_bytes || b->data[pos] == '\n')
			count--;
		pos++;
	}
	return pos;
}

static int tail_one(FILE *f, const char *name)
{
	struct buf b = {0};
	size_t pos;

	if (headings)
		printf("==> %s <==\n", name);
	if (!read_all(fileno(f), &b)) {
		warn_errno("%s", name);
		return 1;
	}
	if (from_start)
		pos = nth_line(&b, line_count);
	else if (count_bytes)
		pos = b.len > (size_t)line_count ? b.len - (size_t)line_count : 0;
	else
		pos = line_count ? last_lines(&b, line_count) : b.len;
	if (b.len > pos)
		fwrite(b.data + pos, 1, b.len - pos, stdout);
	buf_free(&b);
	return 0;
}

static int head_tail(int argc, char **argv, int (*fn)(FILE *f, const char *name))
{
	int c, first;

	if (argc > 1 && argv[1][0] == '-' && isdigit((unsigned char)argv[1][1])) {
		line_count = atol(argv[1] + 1);
		first = 2;
	} else {
		while ((c = getopt(argc, argv, "n:c:")) != -1) {
			if (c == '?' || !parse_int(optarg + (*optarg == '+'), &line_count))
				return usage_error("[-n LINES | -c BYTES] [FILE]...");
			from_start = *optarg == '+';
			count_bytes = c == 'c';
		}
		first = optind;
	}
	if (line_count < 0)
		line_count = -line_count;
	headings = argc - first > 1;
	return each_input(argc, argv, first, fn);
}

int head_main(int argc, char **argv)
{
	return head_tail(argc, argv, head_one);
}

int tail_main(int argc, char **argv)
{
	return head_tail(argc, argv, tail_one);
}

static struct {
	long lines, words, bytes;
} wc_total;
static bool wc_show[3]; /* lines, words, bytes */

static void print_counts(long lines, long words, long bytes, const char *name)
{
	const long counts[] = {lines, words, bytes};

	bool named = strcmp(name, "-") != 0, alone = wc_show[0] + wc_show[1] + wc_show[2] == 1;

	for (int i = 0; i < 3; i++) {
		if (wc_show[i])
			printf(alone && !named ? "%ld" : "%7ld ", counts[i]);
	}
	printf("%s\n", named ? name : "");
}

static int count_one(FILE *f, const char *name)
{
	long lines = 0, words = 0, bytes = 0;
	bool in_word = false;
	int c;

	while ((c = getc(f)) != EOF) {
		bytes++;
		lines += c == '\n';
		words += !isspace(c) && !in_word;
		in_word = !isspace(c);
	}
	print_counts(lines, words, bytes, name);
	wc_total.lines += lines;
	wc_total.words += words;
	wc_total.bytes += bytes;
	return 0;
}

int wc_main(int argc, char **argv)
{
	static const char letters[] = "lwc";
	int c, status;

	while ((c = getopt(argc, argv, "lwc")) != -1) {
		if (c == '?')
			return usage_error("[-lwc] [FILE]...");
		wc_show[strchr(letters, c) - letters] = true;
	}
	if (!wc_show[0] && !wc_show[1] && !wc_show[2])
		wc_show[0] = wc_show[1] = wc_show[2] = true;
	status = each_input(argc, argv, optind, count_one);
	if (argc - optind > 1)
		print_counts(wc_total.lines, wc_total.words, wc_total.bytes, "total");
	return status;
}

int tee_main(int argc, char **argv)
{
	int append = argc > 1 && strcmp(argv[1], "-a") == 0, count = 0, status = 0;
	int fds[argc + 1];
	char block[4096];
	ssize_t n;

	fds[count++] = 1;
	for (int i = 1 + append; i < argc; i++) {
		int fd = open(argv[i], O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), 0666);

		if (fd < 0) {
			warn_errno("%s", argv[i]);
			status = 1;
		} else {
			fds[count++] = fd;
		}
	}
	while ((n = read(0, block, sizeof(block))) > 0) {
		for (int i = 0; i < count; i++) {
			if (write_full(fds[i], block, (size_t)n) < 0)
				status = 1;
		}
	}
	return status;
}

/* ---- cut ---- */

static const char *cut_list;
static char cut_delimiter = '\t';
static bool cut_fields;

/* Whether the 1-based index is in a list like "1,3-5,7-". */
static bool in_list(const char *list, long index)
{
	for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',') {
		char *end;
		long from = *p == '-' ? 1 : strtol(p, &end, 10), to = from;

		if (*p == '-')
			end = (char *)p;
		if (*end == '-')
			to = isdigit((unsigned char)end[1]) ? strtol(end + 1, NULL, 10) : index;
		if (index >= from && index <= to)
			return true;
	}
	return false;
}

static void cut_line_fields(char *s)
{
	bool any = false;
	long index = 1;

	if (!strchr(s, cut_delimiter)) {
		puts(s);
		return;
	}
	for (char *end; s; s = end ? end + 1 : NULL, index++) {
		end = strchr(s, cut_delimiter);
		if (!in_list(cut_list, index))
			continue;
		if (any)
			putchar(cut_delimiter);
		printf("%.*s", end ? (int)(end - s) : (int)strlen(s), s);
		any = true;
	}
	putchar('\n');
}

static int cut_one(FILE *f, const char *name)
{
	struct buf line = {0};

	(void)name;
	while (next_line(f, &line)) {
		chomp(&line);
		if (cut_fields) {
			cut_line_fields(line.data);
			continue;
		}
		for (size_t i = 0; i < line.len; i++) {
			if (in_list(cut_list, (long)i + 1))
				putchar(line.data[i]);
		}
		putchar('\n');
	}
	buf_free(&line);
	return 0;
}

int cut_main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "f:c:b:d:")) != -1) {
		if (c == 'd')
			cut_delimiter = *optarg;
		else if (c != '?')
			cut_list = optarg;
		cut_fields |= c == 'f';
	}
	if (!cut_list)
		return usage_error("-f LIST [-d CHAR] | -c LIST [FILE]...");
	return each_input(argc, argv, optind, cut_one);
}

/* ---- tr ---- */

static bool add_class(struct buf *out, const char **s)
{
	static const struct {
		const char *name;
		int (*test)(int c);
	} classes[] = {{"[:lower:]", islower}, {"[:upper:]", isupper}, {"[:digit:]", isdigit},
		       {"[:alpha:]", isalpha}, {"[:alnum:]", isalnum}, {"[:space:]", isspace},
		       {"[:punct:]", ispunct}};

	for (size_t i = 0; i < COUNT(classes); i++) {
		size_t n = strlen(classes[i].name);

		if (strncmp(*s, classes[i].name, n) != 0)
			continue;
		for (int c = 0; c < 256; c++) {
			if (classes[i].test(c))
				buf_char(out, (char)c);
		}
		*s += n;
		return true;
	}
	return false;
}

static unsigned char set_char(const char **s)
{
	static const char from[] = "ntr\\0", to[] = "\n\t\r\\";
	const char *p;

	if (**s == '\\' && (*s)[1] && (p = strchr(from, (*s)[1]))) {
		*s += 2;
		return (unsigned char)to[p - from];
	}
	return (unsigned char)*(*s)++;
}

/* "a-z0\n[:space:]" as all its characters. */
static void expand_set(const char *s, struct buf *out)
{
	buf_add(out, "", 0);
	while (*s) {
		unsigned char from, to;

		if (add_class(out, &s))
			continue;
		from = to = set_char(&s);
		if (*s == '-' && s[1]) {
			s++;
			to = set_char(&s);
		}
		for (int c = from; c <= to; c++)
			buf_char(out, (char)c);
	}
}

static bool in_set(const struct buf *set, int c)
{
	return set->len && memchr(set->data, c, set->len);
}

/* What each character becomes. */
static void make_map(unsigned char map[256], const struct buf *from, const struct buf *to,
		     bool complement)
{
	for (int c = 0; c < 256; c++)
		map[c] = (unsigned char)c;
	if (!to->len)
		return;
	if (complement) {
		for (int c = 0; c < 256; c++) {
			if (!in_set(from, c))
				map[c] = (unsigned char)to->data[to->len - 1];
		}
		return;
	}
	for (size_t i = 0; i < from->len; i++)
		map[(unsigned char)from->data[i]] =
			(unsigned char)to->data[i < to->len ? i : to->len - 1];
}

int tr_main(int argc, char **argv)
{
	bool delete = false, squeeze = false, complement = false;
	struct buf from = {0}, to = {0};
	unsigned char map[256];
	int c, last = -1;

	while ((c = getopt(argc, argv, "dsc")) != -1) {
		if (c == '?')
			return usage_error("[-cds] SET1 [SET2]");
		delete |= c == 'd';
		squeeze |= c == 's';
		complement |= c == 'c';
	}
	if (optind == argc)
		return usage_error("[-cds] SET1 [SET2]");
	expand_set(argv[optind], &from);
	expand_set(optind + 1 < argc ? argv[optind + 1] : "", &to);
	make_map(map, &from, &to, complement);
	while ((c = getchar()) != EOF) {
		bool hit = in_set(&from, c) != complement;

		if (delete &&hit)
			continue;
		c = delete ? c : map[c];
		if (squeeze && c == last && (to.len ? in_set(&to, c) : hit))
			continue;
		last = c;
		putchar(c);
	}
	return 0;
}

/* ---- uniq and sort ---- */

static bool uniq_count, uniq_repeated, uniq_single;

static void print_unique(const struct buf *line, long count)
{
	if ((uniq_repeated && count < 2) || (uniq_single && count > 1))
		return;
	if (uniq_count)
		printf("%7ld ", count);
	fwrite(line->data, 1, line->len, stdout);
	putchar('\n');
}

static int uniq_one(FILE *f, const char *name)
{
	struct buf line = {0}, last = {0};
	long count = 0;

	(void)name;
	while (next_line(f, &line)) {
		struct buf t;

		chomp(&line);
		if (count && line.len == last.len && memcmp(line.data, last.data, line.len) == 0) {
			count++;
			continue;
		}
		if (count)
			print_unique(&last, count);
		count = 1;
		t = last;
		last = line;
		line = t;
	}
	if (count)
		print_unique(&last, count);
	buf_free(&line);
	buf_free(&last);
	return 0;
}

int uniq_main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "cdu")) != -1) {
		if (c == '?')
			return usage_error("[-cdu] [FILE]");
		uniq_count |= c == 'c';
		uniq_repeated |= c == 'd';
		uniq_single |= c == 'u';
	}
	return each_input(argc, argv, optind, uniq_one);
}

static struct list lines;
static bool sort_reverse, sort_numeric, sort_fold;
static long sort_key;
static char sort_delimiter;

static const char *find_key(const char *s)
{
	for (long i = 1; i < sort_key && *s; i++) {
		if (sort_delimiter) {
			s = strchrnul(s, sort_delimiter);
			s += *s != 0;
		} else {
			s += strspn(s, " \t");
			s += strcspn(s, " \t");
		}
	}
	return sort_key && !sort_delimiter ? s + strspn(s, " \t") : s;
}

static int compare_keys(const char *a, const char *b)
{
	if (sort_numeric) {
		double x = strtod(a, NULL), y = strtod(b, NULL);

		return (x > y) - (x < y);
	}
	return sort_fold ? strcasecmp(a, b) : strcmp(a, b);
}

static int compare_lines(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	int c = compare_keys(find_key(x), find_key(y));

	if (!c)
		c = strcmp(x, y);
	return sort_reverse ? -c : c;
}

static int sort_add(FILE *f, const char *name)
{
	struct buf line = {0};

	(void)name;
	while (next_line(f, &line)) {
		chomp(&line);
		list_add(&lines, xstrndup(line.data, line.len));
	}
	buf_free(&line);
	return 0;
}

int sort_main(int argc, char **argv)
{
	bool unique = false;
	int c, status;

	while ((c = getopt(argc, argv, "rnufk:t:")) != -1) {
		if (c == '?')
			return usage_error("[-fnru] [-k FIELD] [-t CHAR] [FILE]...");
		sort_reverse |= c == 'r';
		sort_numeric |= c == 'n';
		sort_fold |= c == 'f';
		unique |= c == 'u';
		if (c == 'k')
			sort_key = atol(optarg);
		if (c == 't')
			sort_delimiter = *optarg;
	}
	status = each_input(argc, argv, optind, sort_add);
	if (lines.len)
		qsort(lines.items, lines.len, sizeof(char *), compare_lines);
	for (size_t i = 0; i < lines.len; i++) {
		if (!unique || i == 0 || strcmp(lines.items[i - 1], lines.items[i]) != 0)
			puts(lines.items[i]);
	}
	return status;
}

/* ---- grep ---- */

static struct {
	bool fixed, fold, invert, count, names, quiet, numbers, no_message, with_name, whole_line;
	bool extended, recursive, only;
	const char *pattern;
	regex_t regex;
	bool matched;
} grep;

static bool fixed_match(const char *line)
{
	size_t n = strlen(grep.pattern);

	if (grep.whole_line)
		return (grep.fold ? strcasecmp : strcmp)(line, grep.pattern) == 0;
	if (!grep.fold)
		return strstr(line, grep.pattern) != NULL;
	for (; *line; line++) {
		if (strncasecmp(line, grep.pattern, n) == 0)
			return true;
	}
	return n == 0;
}

static bool line_match(const char *line)
{
	regmatch_t m;

	if (grep.fixed)
		return fixed_match(line);
	if (regexec(&grep.regex, line, 1, &m, 0) != 0)
		return false;
	return !grep.whole_line || (m.rm_so == 0 && !line[m.rm_eo]);
}

static void print_matches(const char *line)
{
	regmatch_t m;

	while (!grep.fixed && *line && regexec(&grep.regex, line, 1, &m, 0) == 0 &&
	       m.rm_eo > m.rm_so) {
		printf("%.*s\n", (int)(m.rm_eo - m.rm_so), line + m.rm_so);
		line += m.rm_eo;
	}
}

static void print_hit(const char *name, long number, const char *line)
{
	if (grep.with_name)
		printf("%s:", name);
	if (grep.numbers)
		printf("%ld:", number);
	if (grep.only)
		print_matches(line);
	else
		puts(line);
}

static int grep_one(FILE *f, const char *name)
{
	struct buf line = {0};
	long number = 0, hits = 0;

	while (next_line(f, &line)) {
		number++;
		chomp(&line);
		if (line_match(line.data) == grep.invert)
			continue;
		grep.matched = true;
		hits++;
		if (grep.quiet || grep.names)
			break;
		if (!grep.count)
			print_hit(name, number, line.data);
	}
	if (grep.names && hits)
		puts(name);
	if (grep.count && grep.with_name)
		printf("%s:", name);
	if (grep.count)
		printf("%ld\n", hits);
	buf_free(&line);
	return 0;
}

static int grep_entry(const char *path, const struct stat *st, void *arg)
{
	FILE *f;

	(void)arg;
	if (!S_ISREG(st->st_mode))
		return 0;
	f = open_stream(path);
	if (!f)
		return 1;
	grep_one(f, path);
	fclose(f);
	return 0;
}

static bool grep_option(int c)
{
	static const char letters[] = "FivclqnshxErRo";
	bool *flags[] = {
		&grep.fixed,	&grep.fold,	 &grep.invert,	   &grep.count, &grep.names,
		&grep.quiet,	&grep.numbers,	 &grep.no_message, NULL,	&grep.whole_line,
		&grep.extended, &grep.recursive, &grep.recursive,  &grep.only};
	const char *p = strchr(letters, c);

	if (!p)
		return false;
	if (flags[p - letters])
		*flags[p - letters] = true;
	return true;
}

static void compile_pattern(void)
{
	char message[100];
	int error;

	if (grep.fixed)
		return;
	error = regcomp(&grep.regex, grep.pattern,
			(grep.extended ? REG_EXTENDED : 0) | (grep.fold ? REG_ICASE : 0));
	if (error) {
		regerror(error, &grep.regex, message, sizeof(message));
		warn("%s: %s", grep.pattern, message);
		exit(2);
	}
}

int grep_main(int argc, char **argv)
{
	bool no_name = false;
	int c, status = 0;

	while ((c = getopt(argc, argv, "FivclqnshxErRoe:")) != -1) {
		if (c == 'e')
			grep.pattern = optarg;
		else if (!grep_option(c))
			return usage_error("[-EFivclqnhxor] [-e] PATTERN [FILE]...");
		no_name |= c == 'h';
	}
	if (!grep.pattern && optind < argc)
		grep.pattern = argv[optind++];
	if (!grep.pattern)
		return usage_error("[-EFivclqnhxor] [-e] PATTERN [FILE]...");
	compile_pattern();
	grep.with_name = (argc - optind > 1 || grep.recursive) && !no_name;
	if (grep.recursive) {
		for (int i = optind; i < argc; i++)
			status |= walk_tree(argv[i], true, grep_entry, NULL);
	} else {
		status = each_input(argc, argv, optind, grep_one);
	}
	return status ? 2 : !grep.matched;
}
