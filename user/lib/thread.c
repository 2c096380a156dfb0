// SPDX-License-Identifier: BSD-2-Clause
/*
 * thread.c - threads, mutexes, and the locks picolibc asks for.
 *
 * A thread's memory is one mapping: a guard page, the stack growing down, and above it the
 * thread-local data, whose start is tp. thread_join() unmaps it, for nobody can free the
 * stack he stands on.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <threads_lite.h>
#include <unistd.h>

#include "user/lib/syscall.h"

#define STACK_SIZE (256UL << 10)
#define GUARD_SIZE 4096UL
#define TLS_ALIGN  64UL

extern char __tdata_start[], __tdata_size[], __tls_size[];

long futex(int *word, int op, int value, const struct timespec *timeout)
{
	return call(futex, word, op, value, timeout, 0, 0);
}

void mutex_lock(struct mutex *m)
{
	int state = 0;

	if (__atomic_compare_exchange_n(&m->state, &state, 1, 0, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(&m->state, 2, __ATOMIC_ACQUIRE) != 0)
		sys(futex, &m->state, FUTEX_WAIT_PRIVATE, 2, 0, 0, 0);
}

void mutex_unlock(struct mutex *m)
{
	if (__atomic_exchange_n(&m->state, 0, __ATOMIC_RELEASE) == 2)
		sys(futex, &m->state, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

static int thread_main(void *arg)
{
	struct thread *t = arg;

	t->result = t->fn(t->arg);
	return 0;
}

int thread_create(struct thread *t, void *(*fn)(void *arg), void *arg)
{
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			  CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	size_t tls_size = ((size_t)__tls_size + TLS_ALIGN - 1) & -TLS_ALIGN;
	char *map, *tls;

	t->stack_size = GUARD_SIZE + STACK_SIZE + ((tls_size + 4095) & -4096UL);
	map = mmap(NULL, t->stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -1;
	mprotect(map, GUARD_SIZE, PROT_NONE);
	tls = map + t->stack_size - tls_size;
	memcpy(tls, __tdata_start, (size_t)__tdata_size);
	t->stack = map;
	t->fn = fn;
	t->arg = arg;
	if (clone(thread_main, tls, flags, t, &t->tid, tls, &t->tid) >= 0)
		return 0;
	munmap(map, t->stack_size);
	return -1;
}

void *thread_join(struct thread *t)
{
	int tid;

	/* The kernel's wake is not private. */
	while ((tid = __atomic_load_n(&t->tid, __ATOMIC_ACQUIRE)) != 0)
		sys(futex, &t->tid, FUTEX_WAIT, tid, 0, 0, 0);
	munmap(t->stack, t->stack_size);
	return t->result;
}

/*
 * picolibc guards malloc and its other shared state by one recursive lock. Its other locks
 * are per object and are only pointers; they map to the same lock, which is safe as it nests.
 */
struct __lock {
	struct mutex mutex;
	int owner; /* tid of the holder; written only by the holder */
	int depth; /* holder only */
};
struct __lock __lock___libc_recursive_mutex;

static __thread int own_tid;

static int current_tid(void)
{
	if (!own_tid)
		own_tid = gettid();
	return own_tid;
}

void __retarget_lock_acquire_recursive(struct __lock *ignored)
{
	struct __lock *lock = &__lock___libc_recursive_mutex;

	(void)ignored;
	if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != current_tid()) {
		mutex_lock(&lock->mutex);
		__atomic_store_n(&lock->owner, current_tid(), __ATOMIC_RELAXED);
	}
	lock->depth++;
}

void __retarget_lock_release_recursive(struct __lock *ignored)
{
	struct __lock *lock = &__lock___libc_recursive_mutex;

	(void)ignored;
	if (--lock->depth == 0) {
		__atomic_store_n(&lock->owner, 0, __ATOMIC_RELAXED);
		mutex_unlock(&lock->mutex);
	}
}

int __retarget_lock_try_acquire_recursive(struct __lock *lock)
{
	__retarget_lock_acquire_recursive(lock);
	return 0;
}

void __retarget_lock_init(struct __lock **lock)
{
	*lock = &__lock___libc_recursive_mutex;
}

void __retarget_lock_close(struct __lock *lock)
{
	(void)lock;
}

void __retarget_lock_init_recursive(struct __lock **lock)
	__attribute__((alias("__retarget_lock_init")));
void __retarget_lock_close_recursive(struct __lock *lock)
	__attribute__((alias("__retarget_lock_close")));
void __retarget_lock_acquire(struct __lock *lock)
	__attribute__((alias("__retarget_lock_acquire_recursive")));
void __retarget_lock_release(struct __lock *lock)
	__attribute__((alias("__retarget_lock_release_recursive")));
int __retarget_lock_try_acquire(struct __lock *lock)
	__attribute__((alias("__retarget_lock_try_acquire_recursive")));
