// SPDX-License-Identifier: BSD-2-Clause
/*
 * Loading ELF64 RISC-V programs into a fresh address space: fixed ones, position-independent ones and their interpreter.
 * Segments are mapped from the file's object; only the bytes between a segment's file part and the end of that page
 * are written (bss).
 *
 * The file is not trusted: every sum is checked, segments must ascend without sharing bytes, and whatever does not fit
 * gives ENOEXEC before the old program is gone.
 *
 * Source: System V ABI (ELF), RISC-V ELF psABI.
 */
#include "kernel/proc/proc_internal.h"

struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_phdr {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

BUILD_ASSERT(sizeof(struct elf_header) == 64);
BUILD_ASSERT(sizeof(struct elf_phdr) == 56);

enum { ET_EXEC = 2, ET_DYN = 3, EM_RISCV = 243 };
enum { PT_LOAD = 1, PT_INTERP = 3, PT_PHDR = 6, PT_GNU_STACK = 0x6474e551 };
enum { PF_X = 1, PF_W = 2, PF_R = 4 };

#define PHDRS_MAX  65536 /* bytes, as Linux */
#define INTERP_MAX 4096
#define PIE_BASE   ALIGN_DOWN(USER_END / 3 * 2, PAGE_SIZE)
#define PIE_RANDOM (1UL << 32) /* bytes over which the base is spread */
#define BRK_RANDOM (32 * MiB)

/* One file being loaded.
 *
 * Field markings and the corresponding locks:
 * (o) whoever execs
 */
struct elf {
	struct image *im;	    /* (o) */
	struct vm_map *map;	    /* (o) */
	const struct elf_header *h; /* (o) in im->head */
	struct elf_phdr *ph;	    /* (o) kmalloc */
	struct vm_object *object;   /* (o) held */
	u64 lo, hi;  /* (o) addresses that segments span, page aligned, before bias */
	u64 bias;    /* (o) added to addresses of the file */
	u64 bss_end; /* (o) highest end of a segment, biased */
	u64 align;   /* (o) largest alignment of a segment */
};

static int check_header(const struct elf_header *h, size_t len)
{
	static const u8 magic[7] = {0x7f, 'E', 'L', 'F',
				    2,	  1,   1}; /* 64-bit, little endian, version 1 */

	if (len < sizeof(*h) || memcmp(h->ident, magic, sizeof(magic)))
		return -ENOEXEC;
	if ((h->type != ET_EXEC && h->type != ET_DYN) || h->machine != EM_RISCV)
		return -ENOEXEC;
	if (h->phentsize != sizeof(struct elf_phdr) || !h->phnum ||
	    h->phnum * sizeof(struct elf_phdr) > PHDRS_MAX)
		return -ENOEXEC;
	return 0;
}

static int read_exact(struct file *f, void *buf, size_t n, u64 pos)
{
	ssize_t got;

	if (pos + n < pos || (s64)(pos + n) < 0)
		return -ENOEXEC;
	got = file_read_kernel(f, buf, n, pos);
	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -ENOEXEC;
}

/* One PT_LOAD against what came before it. */
static int check_segment(struct elf *e, const struct elf_phdr *p, u64 *last_end)
{
	u64 end = p->vaddr + p->memsz;

	if (p->filesz > p->memsz || end < p->vaddr || end > USER_END ||
	    p->offset + p->filesz < p->offset)
		return -ENOEXEC;
	if ((p->vaddr ^ p->offset) & PAGE_MASK)
		return -ENOEXEC;
	if (p->memsz && p->vaddr < *last_end)
		return -ENOEXEC;
	if (p->memsz && e->hi == 0)
		e->lo = ALIGN_DOWN(p->vaddr, PAGE_SIZE);
	if (p->memsz) {
		*last_end = end;
		e->hi = ALIGN_UP(end, PAGE_SIZE);
	}
	if (p->align > e->align && (p->align & (p->align - 1)) == 0 && p->align <= GiB)
		e->align = p->align;
	return 0;
}

static int read_phdrs(struct elf *e)
{
	size_t size = e->h->phnum * sizeof(struct elf_phdr);
	u64 last_end = 0;
	int err;

	e->ph = kmalloc(size, 0);
	if (!e->ph)
		return -ENOMEM;
	err = read_exact(e->im->file, e->ph, size, e->h->phoff);
	e->align = PAGE_SIZE;
	for (unsigned i = 0; !err && i < e->h->phnum; i++) {
		if (e->ph[i].type == PT_LOAD)
			err = check_segment(e, &e->ph[i], &last_end);
	}
	if (!err && e->hi == 0)
		err = -ENOEXEC;
	return err;
}

static int elf_open(struct elf *e, struct vm_map *map, struct image *im)
{
	u32 max_prot;
	int err;

	memset(e, 0, sizeof(*e));
	e->im = im;
	e->map = map;
	e->h = (const struct elf_header *)im->head;
	err = check_header(e->h, im->head_len);
	if (!err)
		err = read_phdrs(e);
	if (!err)
		err = file_mmap(im->file, &e->object, &max_prot);
	if (!err)
		file_mmap_done(im->file); /* its mappings are private */
	return err;
}

static void elf_close(struct elf *e)
{
	kfree(e->ph);
	if (e->object)
		vm_object_drop(e->object);
}

static u32 segment_prot(const struct elf_phdr *p)
{
	return (p->flags & PF_R ? PROT_READ : 0) | (p->flags & PF_W ? PROT_WRITE : 0) |
	       (p->flags & PF_X ? PROT_EXEC : 0);
}

static int map_bss(struct elf *e, const struct elf_phdr *p)
{
	u64 file_end = e->bias + p->vaddr + p->filesz, end = e->bias + p->vaddr + p->memsz;
	u64 page = p->filesz ? ALIGN_UP(file_end, PAGE_SIZE) : ALIGN_DOWN(file_end, PAGE_SIZE);
	struct vm_mmap_args a = {
		.addr = page,
		.prot = segment_prot(p),
		.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
		.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	};
	s64 got;

	if (p->filesz && (file_end & PAGE_MASK) && (p->flags & PF_W)) {
		/* to the end of the page, as Linux does: the dynamic loader allocates behind its own bss */
		int err = vm_clear(e->map, file_end, page - file_end);

		if (err)
			return err;
	}
	if (end <= page)
		return 0;
	a.len = ALIGN_UP(end, PAGE_SIZE) - page;
	got = vm_mmap(e->map, &a);
	return got < 0 ? (int)got : 0;
}

static int map_segment(struct elf *e, const struct elf_phdr *p)
{
	u64 off = p->vaddr & PAGE_MASK;
	struct vm_mmap_args a = {
		.addr = e->bias + p->vaddr - off,
		.len = ALIGN_UP(p->filesz + off, PAGE_SIZE),
		.prot = segment_prot(p),
		.flags = MAP_PRIVATE | MAP_FIXED,
		.object = e->object,
		.file = e->im->file,
		.offset = p->offset - off,
		.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
	};
	s64 got = p->filesz ? vm_mmap(e->map, &a) : 0;

	if (got < 0)
		return got == -EINVAL ? -ENOEXEC : (int)got;
	e->bss_end = MAX(e->bss_end, e->bias + p->vaddr + p->memsz);
	return p->memsz > p->filesz ? map_bss(e, p) : 0;
}

static int map_segments(struct elf *e)
{
	int err = 0;

	for (unsigned i = 0; !err && i < e->h->phnum; i++) {
		if (e->ph[i].type == PT_LOAD && e->ph[i].memsz)
			err = map_segment(e, &e->ph[i]);
	}
	return err;
}

/* Where the whole image finds room: its bias. */
static int choose_bias(struct elf *e, u64 hint)
{
	s64 at = vm_find_room(e->map, hint, e->hi - e->lo + (e->align - PAGE_SIZE));

	if (at < 0)
		return (int)at;
	e->bias = ALIGN_UP((u64)at, e->align) - ALIGN_DOWN(e->lo, e->align);
	return 0;
}

/* Address of the program headers in memory, 0 if they are in no segment. */
static u64 phdr_address(const struct elf *e)
{
	u64 size = e->h->phnum * sizeof(struct elf_phdr);

	for (unsigned i = 0; i < e->h->phnum; i++) {
		const struct elf_phdr *p = &e->ph[i];

		if (p->type == PT_PHDR)
			return e->bias + p->vaddr;
	}
	for (unsigned i = 0; i < e->h->phnum; i++) {
		const struct elf_phdr *p = &e->ph[i];

		if (p->type == PT_LOAD && e->h->phoff >= p->offset &&
		    e->h->phoff - p->offset + size <= p->filesz)
			return e->bias + p->vaddr + (e->h->phoff - p->offset);
	}
	return 0;
}

static const struct elf_phdr *find_phdr(const struct elf *e, u32 type)
{
	for (unsigned i = 0; i < e->h->phnum; i++) {
		if (e->ph[i].type == type)
			return &e->ph[i];
	}
	return NULL;
}

static int load_interp_file(struct vm_map *map, struct image *im, struct loaded *out)
{
	struct elf e;
	int err = elf_open(&e, map, im);

	if (!err && e.h->type == ET_DYN)
		err = choose_bias(&e, 0);
	if (!err)
		err = map_segments(&e);
	if (!err) {
		out->base = e.bias + (e.h->type == ET_DYN ? e.lo : 0);
		out->start_pc = e.bias + e.h->entry;
	}
	elf_close(&e);
	return err == -ENOEXEC ? -ELIBBAD : err;
}

static int load_interp(struct elf *e, const struct elf_phdr *p, const struct lookup_ctx *ctx,
		       struct loaded *out)
{
	struct lookup_ctx from_cwd = {ctx->fs, ctx->cred, NULL};
	struct image *im;
	char *path;
	int err;

	if (p->filesz < 2 || p->filesz > INTERP_MAX)
		return -ENOEXEC;
	path = kmalloc(p->filesz, 0);
	im = kzalloc(sizeof(*im));
	err = path && im ? read_exact(e->im->file, path, p->filesz, p->offset) : -ENOMEM;
	if (!err && path[p->filesz - 1] != '\0')
		err = -ENOEXEC;
	if (!err)
		err = image_open(&from_cwd, path, LOOKUP_FOLLOW, im);
	if (!err) {
		err = load_interp_file(e->map, im, out);
		image_close(im);
	}
	kfree(im);
	kfree(path);
	return err;
}

static int place(struct elf *e, unsigned randomize, bool has_interp)
{
	u64 hint;

	if (e->h->type == ET_EXEC)
		return e->lo == 0 ? -ENOEXEC : 0;
	(void)has_interp;
	hint = PIE_BASE + (randomize ? ALIGN_DOWN(random_u64() % PIE_RANDOM, PAGE_SIZE) : 0);
	return choose_bias(e, hint);
}

int elf_load(struct vm_map *map, struct image *im, const struct lookup_ctx *ctx, unsigned randomize,
	     struct loaded *out)
{
	const struct elf_phdr *interp, *stack;
	struct elf e;
	u64 brk;
	int err = elf_open(&e, map, im);

	if (err)
		goto out;
	interp = find_phdr(&e, PT_INTERP);
	stack = find_phdr(&e, PT_GNU_STACK);
	err = place(&e, randomize, interp != NULL);
	if (!err)
		err = map_segments(&e);
	if (err)
		goto out;
	*out = (struct loaded){
		.entry = e.bias + e.h->entry,
		.start_pc = e.bias + e.h->entry,
		.phdr = phdr_address(&e),
		.phnum = e.h->phnum,
		.phent = e.h->phentsize,
		.exec_stack = stack && (stack->flags & PF_X),
	};
	brk = ALIGN_UP(e.bss_end, PAGE_SIZE);
	vm_set_brk(map,
		   brk + (randomize > 1 ? ALIGN_DOWN(random_u64() % BRK_RANDOM, PAGE_SIZE) : 0));
	if (interp)
		err = load_interp(&e, interp, ctx, out);
out:
	elf_close(&e);
	return err;
}
