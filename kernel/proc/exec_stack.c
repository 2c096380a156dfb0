// SPDX-License-Identifier: BSD-2-Clause
/*
 * The first stack of a program: strings, auxiliary vector, pointers, as Linux lays them out.  It is written from the top
 * downwards through one kernel page, so a page of the new stack is touched once.
 *
 *	top	8 zero bytes, name of the program, environment strings, argument strings (first one lowest)
 *		16 random bytes, padding to 16
 *		auxiliary vector, NULL, envp..., NULL, argv...
 *	sp	argc
 *
 * The strings live in the old address space of the caller, which is still loaded; the stack is in the new one.
 */
#include "kernel/proc/proc_internal.h"

#define ARG_STRLEN_MAX (128 * KiB)
#define ARGS_MIN       (128 * KiB)
#define ARGS_MAX       (6 * MiB)
#define STACK_SLACK    (128 * KiB)
#define STACK_RANDOM   (64 * MiB)

enum {
	AT_NULL,
	AT_PHDR = 3,
	AT_PHENT,
	AT_PHNUM,
	AT_PAGESZ,
	AT_BASE,
	AT_FLAGS,
	AT_ENTRY,
	AT_UID = 11,
	AT_EUID,
	AT_GID,
	AT_EGID,
	AT_HWCAP = 16,
	AT_CLKTCK,
	AT_SECURE = 23,
	AT_RANDOM = 25,
	AT_EXECFN = 31,
	AT_SYSINFO_EHDR = 33,
	AT_MINSIGSTKSZ = 51
};

#define HWCAP_LETTER(c) (1UL << ((c) - 'A'))
#define HWCAP_GC                                                                         \
	(HWCAP_LETTER('I') | HWCAP_LETTER('M') | HWCAP_LETTER('A') | HWCAP_LETTER('F') | \
	 HWCAP_LETTER('D') | HWCAP_LETTER('C'))

/* ---- measuring ---- */

static int note_string(struct exec_strings *s, u64 len, u64 limit)
{
	if (s->nlens == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		u32 *bigger = krealloc(s->lens, cap * sizeof(u32), 0);

		if (!bigger)
			return -ENOMEM;
		s->lens = bigger;
		s->cap = cap;
	}
	s->lens[s->nlens++] = (u32)len;
	s->bytes += len;
	return s->bytes + s->nlens * sizeof(u64) > limit ? -E2BIG : 0;
}

static int measure_user(struct exec_strings *s, u64 array, size_t skip, u64 limit)
{
	for (size_t i = 0; array; i++) {
		u64 ptr;
		ssize_t len;
		int err;

		if (get_user_u64(&ptr, (u64 __user *)(array + i * 8)))
			return -EFAULT;
		if (!ptr)
			break;
		if (i < skip)
			continue;
		len = strnlen_user((const char __user *)ptr, ARG_STRLEN_MAX);
		if (len <= 0)
			return -EFAULT;
		if ((u64)len > ARG_STRLEN_MAX)
			return -E2BIG;
		err = note_string(s, (u64)len, limit);
		if (err)
			return err;
		if (READ_ONCE(current()->flags) & TIF_EXIT)
			return -EINTR;
	}
	return 0;
}

static int measure_kernel(struct exec_strings *s, const char *const *array, size_t skip, u64 limit)
{
	int err = 0;

	for (size_t i = 0; !err && array[i]; i++) {
		if (i >= skip)
			err = note_string(s, strlen(array[i]) + 1, limit);
	}
	return err;
}

int exec_strings_measure(struct exec_strings *s, u64 stack_limit)
{
	u64 limit = MAX(MIN(stack_limit / 4, ARGS_MAX), ARGS_MIN);
	int err = 0;

	s->bytes = strlen(s->execfn) + 1;
	for (unsigned i = 0; !err && i < s->nprefix; i++)
		err = note_string(s, strlen(s->prefix[i]) + 1, limit);
	if (!err)
		err = s->kargv ? measure_kernel(s, s->kargv, s->skip, limit)
			       : measure_user(s, s->argv, s->skip, limit);
	if (!err && !s->nlens) { /* a program may count on argv[0] */
		s->prefix[0] = kstrdup("");
		s->nprefix = 1;
		err = s->prefix[0] ? note_string(s, 1, limit) : -ENOMEM;
	}
	s->argc = s->nlens;
	if (!err)
		err = s->kargv ? measure_kernel(s, s->kenvp, 0, limit)
			       : measure_user(s, s->envp, 0, limit);
	s->envc = s->nlens - s->argc;
	return err;
}

void exec_strings_free(struct exec_strings *s)
{
	for (unsigned i = 0; i < s->nprefix; i++)
		kfree(s->prefix[i]);
	kfree(s->lens);
	s->lens = NULL;
	s->nprefix = 0;
}

/* ---- writing downwards ---- */

/* Field markings and the corresponding locks:
 * (o) whoever execs
 */
struct exec_stack {
	struct vm_map *map; /* (o) */
	u8 *page;	    /* (o) the page that pos - 1 lies in */
	u64 pos;	    /* (o) lowest address written */
	u64 flushed;	    /* (o) from here up everything is in the map */
	int err;	    /* (o) first error; later writes do nothing */
};

static void stack_flush(struct exec_stack *st)
{
	u64 n = st->flushed - st->pos;
	ssize_t got;

	if (st->err || !n)
		return;
	ASSERT(n <= PAGE_SIZE);
	got = vm_access(st->map, st->pos, st->page + (st->pos & PAGE_MASK), n, true);
	if (got != (ssize_t)n)
		st->err = got < 0 ? (int)got : -EFAULT;
	st->flushed = st->pos;
}

/* Puts n bytes below what is there; user: src is an address of the old address space. */
static void stack_put(struct exec_stack *st, const void *src, u64 n, bool user)
{
	while (n && !st->err) {
		u64 room = ((st->pos - 1) & PAGE_MASK) + 1, take = MIN(n, room);
		u8 *to = st->page + room - take;
		const u8 *from = (const u8 *)src + n - take;

		if (!user)
			memcpy(to, from, take);
		else if (copy_from_user(to, from, take))
			st->err = -EFAULT;
		st->pos -= take;
		n -= take;
		if (IS_ALIGNED(st->pos, PAGE_SIZE))
			stack_flush(st);
	}
}

static void stack_word(struct exec_stack *st, u64 v)
{
	if ((st->pos & 7) || !(st->pos & PAGE_MASK & ~8UL)) { /* may be the last word of the page */
		stack_put(st, &v, sizeof(v), false);
		return;
	}
	st->pos -= sizeof(v);
	*(u64 *)(st->page + (st->pos & PAGE_MASK)) = v;
}

static void stack_string(struct exec_stack *st, const char *str)
{
	stack_put(st, str, strlen(str) + 1, false);
}

/* Strings [0, n) of an array in front of which `skip` were left out, last one first; their lengths in lens. */
static void put_user_strings(struct exec_stack *st, u64 array, size_t skip, size_t n,
			     const u32 *lens)
{
	while (n-- && !st->err) {
		u64 ptr;

		if (get_user_u64(&ptr, (u64 __user *)(array + (n + skip) * 8))) {
			st->err = -EFAULT;
			return;
		}
		stack_put(st, "", 1, false);
		stack_put(st, (const void *)ptr, lens[n] - 1, true);
	}
}

static void put_kernel_strings(struct exec_stack *st, const char *const *array, size_t skip,
			       size_t n)
{
	while (n--)
		stack_string(st, array[n + skip]);
}

static void put_strings(struct exec_stack *st, const struct exec_strings *s,
			struct exec_layout *out)
{
	size_t own = s->argc - s->nprefix;

	stack_word(st, 0);
	stack_string(st, s->execfn);
	out->env_end = st->pos;
	if (s->kargv)
		put_kernel_strings(st, s->kenvp, 0, s->envc);
	else
		put_user_strings(st, s->envp, 0, s->envc, s->lens + s->argc);
	out->env_start = out->arg_end = st->pos;
	if (s->kargv)
		put_kernel_strings(st, s->kargv, s->skip, own);
	else
		put_user_strings(st, s->argv, s->skip, own, s->lens + s->nprefix);
	for (unsigned i = s->nprefix; i--;)
		stack_string(st, s->prefix[i]);
	out->arg_start = st->pos;
}

/* Pointers to strings [first, first + n), which begin at `end` - their lengths; last one first, after a NULL. */
static void put_pointers(struct exec_stack *st, const u32 *lens, size_t n, u64 end)
{
	stack_word(st, 0);
	while (n--) {
		end -= lens[n];
		stack_word(st, end);
	}
}

static void aux(struct exec_layout *l, u64 type, u64 value)
{
	ASSERT(l->auxv_len + 16 <= sizeof(l->auxv));
	l->auxv[l->auxv_len / 8] = type;
	l->auxv[l->auxv_len / 8 + 1] = value;
	l->auxv_len += 16;
}

static void fill_auxv(struct exec_layout *l, const struct loaded *ld, const struct cred *c,
		      bool secure, u64 vdso, u64 random, u64 execfn)
{
	l->auxv_len = 0;
	aux(l, AT_SYSINFO_EHDR, vdso);
	aux(l, AT_MINSIGSTKSZ, MINSIGSTKSZ);
	aux(l, AT_HWCAP, HWCAP_GC);
	aux(l, AT_PAGESZ, PAGE_SIZE);
	aux(l, AT_CLKTCK, 100);
	aux(l, AT_PHDR, ld->phdr);
	aux(l, AT_PHENT, ld->phent);
	aux(l, AT_PHNUM, ld->phnum);
	aux(l, AT_BASE, ld->base);
	aux(l, AT_FLAGS, 0);
	aux(l, AT_ENTRY, ld->entry);
	aux(l, AT_UID, c->uid);
	aux(l, AT_EUID, c->euid);
	aux(l, AT_GID, c->gid);
	aux(l, AT_EGID, c->egid);
	aux(l, AT_SECURE, secure);
	aux(l, AT_RANDOM, random);
	aux(l, AT_EXECFN, execfn);
	aux(l, AT_NULL, 0);
}

static void put_table(struct exec_stack *st, const struct exec_strings *s,
		      const struct exec_layout *l)
{
	u64 words = l->auxv_len / 8 + s->envc + 1 + s->argc + 1 + 1;

	ASSERT(IS_ALIGNED(st->pos, 16));
	if (words & 1)
		stack_word(st, 0);
	stack_put(st, l->auxv, l->auxv_len, false);
	put_pointers(st, s->lens + s->argc, s->envc, l->env_end);
	put_pointers(st, s->lens, s->argc, l->arg_end);
	stack_word(st, s->argc);
}

static int map_stack(struct vm_map *map, const struct exec_strings *s, const struct loaded *ld,
		     unsigned randomize, u64 *top)
{
	u64 need = s->bytes + (s->nlens + 64) * sizeof(u64);
	u64 size = ALIGN_UP(need + STACK_SLACK, PAGE_SIZE);
	s64 at;

	*top = USER_END - (randomize ? ALIGN_DOWN(random_u64() % STACK_RANDOM, PAGE_SIZE) : 0);
	at = vm_map_stack(map, *top, size,
			  PROT_READ | PROT_WRITE | (ld->exec_stack ? PROT_EXEC : 0));
	return at < 0 ? (int)at : 0;
}

int exec_stack_build(struct vm_map *map, struct exec_strings *s, const struct loaded *ld,
		     const struct cred *cred, bool secure, unsigned randomize, u64 vdso,
		     struct exec_layout *out)
{
	struct exec_stack st = {.map = map};
	u8 random[16], pad[16] = {0};
	u64 top, execfn;
	int err = map_stack(map, s, ld, randomize, &top);

	if (err)
		return err;
	st.page = kmalloc(PAGE_SIZE, 0); /* only what was put there is flushed */
	if (!st.page)
		return -ENOMEM;
	st.pos = st.flushed = top;
	put_strings(&st, s, out);
	execfn = out->env_end;
	stack_put(&st, pad, st.pos & 15, false);
	random_bytes(random, sizeof(random));
	stack_put(&st, random, sizeof(random), false);
	fill_auxv(out, ld, cred, secure, vdso, st.pos, execfn);
	put_table(&st, s, out);
	stack_flush(&st);
	out->sp = st.pos;
	ASSERT(IS_ALIGNED(out->sp, 16));
	kfree(st.page);
	return st.err;
}
