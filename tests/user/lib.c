// SPDX-License-Identifier: BSD-2-Clause
/* lib.c - checks the layer under picolibc: numbers, layouts, streams, processes, threads. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <threads_lite.h>
#include <ucontext.h>
#include <unistd.h>

_Static_assert(sizeof(struct stat) == 128, "struct stat");
_Static_assert(offsetof(struct stat, st_size) == 48, "st_size");
_Static_assert(offsetof(struct stat, st_mtim) == 88, "st_mtim");
_Static_assert(sizeof(struct statfs) == 120, "struct statfs");
_Static_assert(sizeof(siginfo_t) == 128, "siginfo_t");
_Static_assert(sizeof(sigset_t) == 8, "sigset_t");
_Static_assert(sizeof(struct sigaction) == 24, "struct sigaction");
_Static_assert(offsetof(ucontext_t, uc_mcontext) == 176, "uc_mcontext");
_Static_assert(sizeof(ucontext_t) == 960, "ucontext_t");
_Static_assert(sizeof(struct termios) == 36, "struct termios");
_Static_assert(sizeof(struct rusage) == 144, "struct rusage");
_Static_assert(sizeof(struct sysinfo) == 112, "struct sysinfo");
_Static_assert(sizeof(struct flock) == 32, "struct flock");
_Static_assert(offsetof(struct dirent, d_name) == 19, "struct dirent");
_Static_assert(ENOSYS == 38 && ENOTEMPTY == 39 && ELOOP == 40 && EOVERFLOW == 75, "errno");
_Static_assert(O_EXCL == 0200 && O_DIRECTORY == 0200000 && O_CLOEXEC == 02000000, "O_*");
_Static_assert(SIGBUS == 7 && SIGUSR1 == 10 && SIGCHLD == 17 && SIGTSTP == 20, "signals");
_Static_assert(CLOCK_MONOTONIC == 1, "clocks");
_Static_assert(PATH_MAX == 4096, "PATH_MAX");

static int failures;

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			failures++;                                            \
		}                                                              \
	} while (0)

static void check_errors(void)
{
	CHECK(open("/nonexistent/file", O_RDONLY) == -1 && errno == ENOENT);
	CHECK(open("/", O_WRONLY) == -1 && errno == EISDIR);
	CHECK(close(-1) == -1 && errno == EBADF);
	CHECK(rmdir("/") == -1);
	CHECK(syscall(9999) == -1 && errno == ENOSYS);
	CHECK(strcmp(strerror(ENOSYS), "Function not implemented") == 0);
	CHECK(strcmp(strerror(ELOOP), "Too many levels of symbolic links") == 0);
	CHECK(strcmp(strsignal(SIGBUS), "Bus error") == 0);
	CHECK(getauxval(AT_PAGESZ) == 4096 && sysconf(_SC_PAGESIZE) == 4096);
}

static void check_streams(void)
{
	char name[40], line[64];
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600), n = 0;
	FILE *f;

	if (fd >= 0)
		close(fd);
	snprintf(name, sizeof(name), "/tmp/lib-test-%d", getpid());
	f = fopen(name, "w+x");
	CHECK(f != NULL);
	CHECK(fopen(name, "wx") == NULL && errno == EEXIST);
	for (int i = 0; i < 2000; i++)
		fprintf(f, "line %d %s %5.2f %lld\n", i, "text", i / 4.0, 1LL << 40);
	CHECK(fseek(f, 0, SEEK_SET) == 0);
	while (fgets(line, sizeof(line), f))
		n++;
	CHECK(n == 2000 && feof(f));
	CHECK(strcmp(line, "line 1999 text 499.75 1099511627776\n") == 0);
	CHECK(fseek(f, 5, SEEK_SET) == 0 && getc(f) == '0' && ftell(f) == 6);
	CHECK(ungetc('x', f) == 'x' && getc(f) == 'x' && getc(f) == ' ');
	CHECK(fseek(f, 0, SEEK_END) == 0 && fputs("end", f) >= 0 && fflush(f) == 0);
	CHECK(fclose(f) == 0);
	f = fopen(name, "a");
	CHECK(f && fputc('!', f) == '!' && fclose(f) == 0);
	f = fopen(name, "r");
	CHECK(f && fseek(f, -4, SEEK_END) == 0 && fread(line, 1, 64, f) == 4 &&
	      !memcmp(line, "end!", 4));
	fclose(f);
	CHECK(unlink(name) == 0 && access(name, F_OK) == -1 && errno == ENOENT);
}

static void check_processes(void)
{
	int fds[2], status;
	char c = 0;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = fork();
	if (pid == 0)
		_exit(write(fds[1], "x", 1) == 1 ? 7 : 1);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK(read(fds[0], &c, 1) == 1 && c == 'x');
	pid = vfork();
	if (pid == 0)
		_exit(8);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 8);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
	      WSTOPSIG(status) == SIGSTOP);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL);
	CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
	CHECK(poll(&(struct pollfd){.fd = fds[0], .events = POLLIN}, 1, 0) == 0);
	close(fds[1]);
	CHECK(read(fds[0], &c, 1) == 0);
	close(fds[0]);
	CHECK(execl("/nonexistent", "x", NULL) == -1 && errno == ENOENT);
}

static volatile int caught, code;
static void *volatile address;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	caught = sig;
	code = info->si_code;
	address = info->si_addr;
	uc->uc_mcontext.__gregs[REG_PC] += 4;
}

/* A store of four bytes' length, so that the handler can step over it. */
static void store(void *p)
{
	__asm__ volatile(".option push\n.option norvc\nsb zero, 0(%0)\n.option pop" ::"r"(p)
			 : "memory");
}

static void check_signals(void)
{
	static char stack[SIGSTKSZ];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigset_t set;
	char *page;

	CHECK(sigaltstack(&alternate, NULL) == 0);
	CHECK(sigaction(SIGSEGV, &act, NULL) == 0 && sigaction(SIGUSR1, &act, NULL) == 0);
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
	store(page + 8);
	CHECK(caught == SIGSEGV && code == SEGV_ACCERR && address == page + 8);
	CHECK(munmap(page, 4096) == 0);
	store(page + 16);
	CHECK(caught == SIGSEGV && code == SEGV_MAPERR && address == page + 16);
	caught = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	signal(SIGUSR2, SIG_DFL);
	CHECK(raise(SIGUSR2) == 0);
	CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR2) == 1);
	CHECK(sigtimedwait(&set, NULL, &(struct timespec){0}) == SIGUSR2);
	CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	      errno == EINVAL);
}

static struct mutex mutex;
static int counter;

static void *count(void *arg)
{
	for (int i = 0; i < 5000; i++) {
		mutex_lock(&mutex);
		counter++;
		mutex_unlock(&mutex);
		if (i % 50 == 0)
			free(malloc((size_t)i + 1));
	}
	errno = 1000;
	return arg;
}

static void check_threads(void)
{
	struct thread threads[4] = {0};

	errno = 5;
	for (int i = 0; i < 4; i++)
		CHECK(thread_create(&threads[i], count, &threads[i]) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(thread_join(&threads[i]) == &threads[i]);
	CHECK(counter == 20000);
	CHECK(errno == 5);
}

static void check_memory(void)
{
	char *blocks[200];
	int fd;
	char *a, *b;

	for (size_t i = 0; i < 200; i++) {
		blocks[i] = malloc(i * 37 + 1);
		memset(blocks[i], (int)i, i * 37 + 1);
	}
	for (size_t i = 0; i < 200; i += 2)
		free(blocks[i]);
	for (size_t i = 1; i < 200; i += 2) {
		blocks[i] = realloc(blocks[i], i * 74 + 1);
		CHECK(blocks[i][i * 37] == (char)i);
		free(blocks[i]);
	}
	fd = memfd_create("test", MFD_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, 8192) == 0);
	a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(a != MAP_FAILED && b != MAP_FAILED);
	a[5000] = 42;
	CHECK(b[5000] == 42);
	CHECK(munmap(a, 8192) == 0 && munmap(b, 8192) == 0);
	close(fd);
}

static void check_directories(void)
{
	DIR *dir = opendir("/");
	struct dirent *e;
	int dots = 0;
	struct stat st;

	CHECK(dir != NULL);
	while ((e = readdir(dir)))
		dots += strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	CHECK(dots == 2);
	closedir(dir);
	CHECK(opendir("/etc/passwd") == NULL && errno == ENOTDIR);
	CHECK(stat("/", &st) == 0 && S_ISDIR(st.st_mode) && st.st_nlink > 0);
	CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0x103);
}

static void print_last(void)
{
	printf("last words");
}

/* What a program left in its streams, and atexit() functions, come out at exit(). */
static void check_exit(void)
{
	char text[64] = "";
	int fds[2], status;
	ssize_t n;

	CHECK(pipe(fds) == 0);
	fflush(stdout);
	if (fork() == 0) {
		dup2(fds[1], 1);
		atexit(print_last);
		printf("buffered, ");
		exit(3);
	}
	close(fds[1]);
	CHECK(wait(&status) > 0 && WEXITSTATUS(status) == 3);
	n = read(fds[0], text, sizeof(text) - 1);
	CHECK(n > 0 && strcmp(text, "buffered, last words") == 0);
	close(fds[0]);
}

int main(int argc, char **argv)
{
	(void)argv;
	CHECK(argc == 1);
	check_exit();
	check_errors();
	check_streams();
	check_processes();
	check_signals();
	check_threads();
	check_memory();
	check_directories();
	printf(failures ? "%d failures\n" : "all good\n", failures);
	return failures != 0;
}
