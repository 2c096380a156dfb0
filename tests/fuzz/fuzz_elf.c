// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: kernel/proc/elf.c tests/fuzz/shim.c
/*
 * Programs.  An input is a file; unless its first byte is odd, the fields of its header that nothing could follow without are
 * put right, so that the program headers are looked at.  The address space is a stand-in that checks what it is told.
 */

#include "kernel/proc/proc_internal.h"

/* the C library's, whose headers know other signals than the kernel's */
void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void free(void *p);

#define INTERP_SIZE 300

static const u8 *file;
static size_t file_size;
static u64 mapped_bytes;
static unsigned live, depth;

void *kmalloc(size_t n, unsigned flags)
{
	ASSERT(n <= 1u << 20);
	live++;
	return flags & KM_ZERO ? calloc(1, n) : malloc(n);
}

void kfree(void *p)
{
	live -= p != NULL;
	free(p);
}

u64 random_u64(void)
{
	return 0x1234567890abcdefUL;
}

ssize_t file_read_kernel(struct file *f, void *buf, size_t n, u64 pos)
{
	(void)f;
	ASSERT(pos + n >= pos && (s64)(pos + n) >= 0);
	if (pos >= file_size)
		return 0;
	n = MIN(n, file_size - pos);
	memcpy(buf, file + pos, n);
	return (ssize_t)n;
}

int file_mmap(struct file *f, struct vm_object **out, u32 *max_prot)
{
	(void)f;
	live++;
	*out = (struct vm_object *)malloc(1);
	*max_prot = 7;
	return 0;
}

void vm_object_drop(struct vm_object *o)
{
	live--;
	free(o);
}

void file_mmap_done(struct file *f)
{
	(void)f;
}

int vm_clear(struct vm_map *m, u64 addr, size_t n)
{
	(void)m;
	return addr > USER_END || n > USER_END - addr ? -EFAULT : 0;
}

s64 vm_find_room(struct vm_map *m, u64 hint, u64 len)
{
	(void)m;
	(void)hint;
	return len > USER_END / 2 ? -ENOMEM : (s64)(USER_END / 2 & ~PAGE_MASK);
}

s64 vm_mmap(struct vm_map *m, const struct vm_mmap_args *a)
{
	(void)m;
	if (!a->len || a->len > USER_END || (a->addr & PAGE_MASK) || (a->offset & PAGE_MASK))
		return a->len ? -EINVAL : -ENOMEM;
	if (a->flags & MAP_FIXED) {
		if (a->addr > USER_END - a->len)
			return -ENOMEM;
		mapped_bytes += a->len;
		return (s64)a->addr;
	}
	return (s64)ALIGN_DOWN(USER_END - a->len, PAGE_SIZE);
}

int vm_munmap(struct vm_map *m, u64 addr, u64 len)
{
	(void)m;
	ASSERT(len && addr + len <= USER_END);
	return 0;
}

ssize_t vm_access(struct vm_map *m, u64 addr, void *buf, size_t n, bool write)
{
	(void)m;
	ASSERT(n <= PAGE_SIZE && write);
	for (size_t i = 0; i < n; i++)
		ASSERT(((u8 *)buf)[i] == 0);
	return addr + n <= USER_END && mapped_bytes ? (ssize_t)n : -EFAULT;
}

void vm_set_brk(struct vm_map *m, u64 brk)
{
	(void)m;
	ASSERT(brk <= USER_END + 64 * MiB && IS_ALIGNED(brk, PAGE_SIZE));
}

static void head_of(struct image *im)
{
	im->head_len = MIN(file_size, sizeof(im->head));
	memcpy(im->head, file, im->head_len);
}

/* The interpreter is the tail of the same file. */
int image_open(const struct lookup_ctx *ctx, const char *path, unsigned flags, struct image *im)
{
	(void)ctx;
	(void)flags;
	ASSERT(strlen(path) < 4096);
	if (depth++ || file_size < INTERP_SIZE)
		return -ENOENT;
	file += file_size - INTERP_SIZE;
	file_size = INTERP_SIZE;
	head_of(im);
	live++;
	return 0;
}

void image_close(struct image *im)
{
	(void)im;
	live--;
}

static u8 *file_of(const u8 *data, size_t n)
{
	static const u8 ident[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
	u8 *f = malloc(n);

	memcpy(f, data, n);
	for (size_t at = 0; at + 64 <= n; at += n - at - INTERP_SIZE) {
		if (data[at] & 1)
			break;
		memcpy(f + at, ident, sizeof(ident));
		f[at + 16] = 2 + (data[at + 16] & 1);
		f[at + 17] = f[at + 19] = f[at + 55] = 0;
		f[at + 18] = 243;
		f[at + 54] = 56;
		f[at + 56] = 1 + data[at + 56] % 8;
		f[at + 57] = 0;
		if (n < at + INTERP_SIZE + 64 || at)
			break;
	}
	return f;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);
int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	static struct image im;
	struct lookup_ctx ctx = {0};
	struct loaded out;
	u8 *copy;

	if (n < 64)
		return 0;
	file = copy = file_of(data, n);
	file_size = n;
	mapped_bytes = depth = 0;
	memset(&im, 0, sizeof(im));
	head_of(&im);
	elf_load(NULL, &im, &ctx, data[1] & 1, &out);
	ASSERT(!live);
	free(copy);
	return 0;
}
