// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory mapping calls: arguments are checked as Linux checks them (mm/mmap.c, mm/mprotect.c), then kernel/vm does the work.
 */
#include "kernel/mem/slab.h"
#include "kernel/syscall/syscall.h"

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)
#define MAP_LEGACY                                                                               \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | \
	 MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |  \
	 MAP_HUGETLB | MAP_FIXED_NOREPLACE | 0x7c000000 /* sizes of huge pages */)

/* The caller's address space; audited now and then, as the last call and the faults since then left it. */
static struct vm_map *map(void)
{
	struct vm_map *m = current()->map;

	vm_audit_sampled(m);
	return m;
}

static int check_type(u32 flags)
{
	bool anon = flags & MAP_ANONYMOUS;

	switch (flags & MAP_TYPE) {
	case MAP_SHARED:
	case MAP_PRIVATE:
		break;
	case MAP_DROPPABLE:
		if (!anon || (flags & (MAP_LOCKED | MAP_GROWSDOWN)))
			return -EINVAL;
		break;
	case MAP_SHARED_VALIDATE:
		if (anon)
			return -EINVAL;
		if (flags & ~(MAP_LEGACY | MAP_SHARED_VALIDATE))
			return -EOPNOTSUPP;
		break;
	default:
		return -EINVAL;
	}
	if (flags & MAP_HUGETLB)
		return -EINVAL;
	return anon && (flags & MAP_TYPE) == MAP_SHARED && (flags & MAP_GROWSDOWN) ? -EINVAL : 0;
}

/* Fills in object and rights of a file mapping; the object is held on success. */
static int map_file(struct file *f, struct vm_mmap_args *a)
{
	bool shared = (a->flags & MAP_TYPE) != MAP_PRIVATE;
	u32 possible;
	int err;

	if (f->flags & O_PATH)
		return -EBADF;
	if (!f->may_read)
		return -EACCES;
	if (shared && (a->prot & PROT_WRITE) && !f->may_write)
		return -EACCES;
	if (shared && f->may_write && vnode_flags(f->vnode, FL_APPEND))
		return -EACCES;
	if (a->flags & MAP_GROWSDOWN)
		return -EINVAL;
	if ((a->prot & PROT_EXEC) && f->path.mount && (f->path.mount->flags & MS_NOEXEC))
		return -EPERM;
	err = file_mmap(f, &a->object, &possible);
	if (err)
		return err;
	if (shared && (a->prot & PROT_WRITE) && !(possible & PROT_WRITE)) {
		file_mmap_done(f);
		return -EPERM; /* sealed */
	}
	a->file = f;
	a->max_prot = PROT_ALL;
	if (shared)
		a->max_prot &= possible | PROT_EXEC;
	if (shared && !f->may_write)
		a->max_prot &= ~PROT_WRITE;
	return 0;
}

SYSCALL6(mmap, addr, len, prot, flags, fd, off)
{
	struct vm_mmap_args a = {
		.addr = addr, .len = len, .prot = prot, .flags = flags, .offset = off};
	struct file *f = NULL;
	long ret;

	if (!IS_ALIGNED(off, PAGE_SIZE))
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		f = fd_get(current_proc()->fds, fd);
		if (!f)
			return -EBADF;
	}
	ret = len ? check_type(flags) : -EINVAL;
	if (!ret && (flags & MAP_LOCKED) && !vm_may_lock_any())
		ret = -EPERM;
	if (!ret && a.offset + len < a.offset)
		ret = -EOVERFLOW;
	if (!ret && f)
		ret = map_file(f, &a);
	if (!ret) {
		if (!f)
			a.offset = 0;
		ret = vm_mmap(map(), &a);
	}
	if (a.file)
		file_mmap_done(f);
	if (a.object)
		vm_object_drop(a.object);
	if (f)
		file_drop(f);
	return ret;
}

SYSCALL2(munmap, addr, len)
{
	return vm_munmap(map(), addr, len);
}

SYSCALL3(mprotect, addr, len, prot)
{
	u32 grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);

	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (len &&
	    (grows == PROT_GROWSUP ||
	     (prot & ~(u64)(PROT_ALL | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP))) &&
	    user_range_ok(addr, ALIGN_UP(len, PAGE_SIZE)))
		return -EINVAL;
	return vm_mprotect(map(), addr, len, prot & (PROT_ALL | PROT_GROWSDOWN));
}

SYSCALL3(msync, addr, len, flags)
{
	return vm_msync(map(), addr, len, flags);
}

SYSCALL3(madvise, addr, len, advice)
{
	return vm_madvise(map(), addr, len, advice);
}

SYSCALL1(brk, brk)
{
	return vm_brk(map(), brk);
}

SYSCALL5(mremap, old, old_len, new_len, flags, new_addr)
{
	return vm_mremap(map(), old, old_len, new_len, flags, new_addr);
}

static long do_mlock(u64 addr, u64 len, bool onfault)
{
	return vm_may_lock_any() ? vm_mlock(map(), addr, len, true, onfault) : -EPERM;
}

SYSCALL2(mlock, addr, len)
{
	return do_mlock(addr, len, false);
}

#define MLOCK_ONFAULT 1

SYSCALL3(mlock2, addr, len, flags)
{
	if (flags & ~(u64)MLOCK_ONFAULT)
		return -EINVAL;
	return do_mlock(addr, len, flags & MLOCK_ONFAULT);
}

SYSCALL2(munlock, addr, len)
{
	return vm_mlock(map(), addr, len, false, false);
}

#define MCL_CURRENT 1
#define MCL_FUTURE  2
#define MCL_ONFAULT 4

SYSCALL1(mlockall, flags)
{
	if (!flags || (flags & ~(u64)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) ||
	    flags == MCL_ONFAULT)
		return -EINVAL;
	if (!vm_may_lock_any())
		return -EPERM;
	return vm_mlock_all(map(), flags & MCL_CURRENT, flags & MCL_FUTURE, flags & MCL_ONFAULT);
}

SYSCALL0(munlockall)
{
	return vm_mlock_all(map(), false, false, false);
}

SYSCALL5(remap_file_pages, start, size, prot, pgoff, flags)
{
	return prot ? -EINVAL : vm_remap_file_pages(map(), start, size, pgoff, flags);
}

#define MINCORE_CHUNK 256 /* pages at a time */

SYSCALL3(mincore, addr, len, vec)
{
	u64 pages = DIV_ROUND_UP(len, PAGE_SIZE);
	u8 buf[MINCORE_CHUNK];

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (!user_range_ok(addr, len))
		return -ENOMEM;
	if (!user_range_ok(vec, pages))
		return -EFAULT;
	while (pages) {
		u64 n = MIN(pages, (u64)MINCORE_CHUNK);
		int err = vm_mincore(map(), addr, n * PAGE_SIZE, buf);

		if (err)
			return err;
		if (copy_to_user((void __user *)vec, buf, n))
			return -EFAULT;
		addr += n * PAGE_SIZE;
		vec += n;
		pages -= n;
	}
	return 0;
}
