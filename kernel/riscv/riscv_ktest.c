// SPDX-License-Identifier: BSD-2-Clause
/* Self-tests of page tables, KVM ranges, user copies, FPU switching. */
#include "kernel/boot/ktest.h"
#include "kernel/boot/panic.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/csr.h"
#include "kernel/riscv/hart.h"
#include "kernel/riscv/mmu.h"
#include "kernel/riscv/uaccess.h"
#include "kernel/riscv/uaccess_internal.h"
#include "kernel/sched/thread.h"

/* ---- mappings ---- */

extern char _text[], _etext[], _data[], _end[], boot_stack_guard[]; /* kernel.ld */

static void check_table(const pte_t *table, unsigned level, vaddr_t base, u64 *leaves)
{
	for (unsigned i = level == 2 ? 256 : 0; i < PT_ENTRIES; i++) {
		pte_t e = table[i];

		if (!(e & PTE_V))
			continue;
		if (!(e & (PTE_R | PTE_W | PTE_X))) {
			check_table(pa_to_va(PTE_PA(e)), level - 1, base + i * PT_SPAN(level),
				    leaves);
			continue;
		}
		++*leaves;
		KT_CHECK((e & (PTE_W | PTE_X)) != (PTE_W | PTE_X));
		KT_CHECK(!(e & PTE_U) && (e & PTE_A) && (!(e & PTE_W) || (e & PTE_D)));
	}
}

KTEST(kernel_maps_w_xor_x)
{
	u64 leaves = 0;

	check_table(kernel_root, 2, ~0UL << 38, &leaves);
	KT_ASSERT(leaves > 100);
	for (const char *p = _text; p < _end; p += PAGE_SIZE) {
		pte_t *e = kernel_pte((vaddr_t)p),
		      *alias = kernel_pte((vaddr_t)pa_to_va(va_to_pa(p)));
		bool writable = p >= _data && p != boot_stack_guard;

		KT_CHECK(!!(*e & PTE_W) == writable);
		KT_CHECK(!!(*e & PTE_X) == (p < _etext));
		KT_CHECK(alias && (writable || p >= _data || !(*alias & PTE_W)) &&
			 !(*alias & PTE_X));
	}
	KT_ASSERT(!(*kernel_pte((vaddr_t)boot_stack_guard) & PTE_V));
}

static bool unmapped(vaddr_t va)
{
	pte_t *e = kernel_pte(va);

	return !e || !(*e & PTE_V);
}

KTEST(kvm_ranges_have_guards)
{
	struct {
		u64 *va;
		size_t pages;
	} r[24] = {0};

	for (unsigned i = 0; i < 600; i++) {
		unsigned k = (unsigned)(ktest_random() % ARRAY_LEN(r));

		if (r[k].va) {
			for (size_t w = 0; w < r[k].pages * 512; w += 511)
				KT_CHECK(r[k].va[w] == (u64)r[k].va + w);
			kvm_free_pages(r[k].va, r[k].pages);
			KT_CHECK(unmapped((vaddr_t)r[k].va));
			r[k].va = NULL;
			continue;
		}
		r[k].pages = 1 + ktest_random() % 9;
		r[k].va = kvm_alloc_pages(r[k].pages, true);
		KT_ASSERT(r[k].va);
		KT_CHECK(unmapped((vaddr_t)r[k].va - 1) &&
			 unmapped((vaddr_t)r[k].va + r[k].pages * PAGE_SIZE));
		for (size_t w = 0; w < r[k].pages * 512; w += 511)
			r[k].va[w] = (u64)r[k].va + w;
	}
	for (unsigned k = 0; k < ARRAY_LEN(r); k++)
		if (r[k].va)
			kvm_free_pages(r[k].va, r[k].pages);
	vaddr_t all = kvm_range_alloc(1UL << 22); /* 16 GiB: everything was merged again */

	KT_ASSERT(all);
	kvm_range_free(all, 1UL << 22);
	KT_ASSERT(!kvm_range_alloc(1UL << 30));
}

static void churn_stacks(unsigned k)
{
	for (unsigned i = 0; i < 60; i++) {
		u64 *p = kvm_alloc_pages(2 + k % 3, true);

		if (!KT_CHECK(p))
			return;
		p[0] = i;
		p[600] = k;
		sched_yield(); /* maybe on another hart now: it must see the mapping */
		KT_CHECK(p[0] == i && p[600] == k);
		kvm_free_pages(p, 2 + k % 3);
	}
}

KTEST(kvm_on_all_harts)
{
	ktest_parallel(8, churn_stacks);
}

/* ---- user copies: uaccess.S itself on kernel addresses, where a guard page gives the faults ---- */

KTEST(uaccess_copies_right)
{
	u8 *src = kmalloc(700, 0), *dst = kmalloc(700, 0), *want = kmalloc(700, 0);

	KT_ASSERT(src && dst && want);
	for (unsigned i = 0; i < 3000; i++) {
		size_t so = ktest_random() % 24, d = ktest_random() % 24,
		       n = ktest_random() % (i % 3 ? 40 : 600);

		for (size_t k = 0; k < 700; k++) {
			src[k] = (u8)ktest_random();
			dst[k] = want[k] = (u8)k;
		}
		memcpy(want + d, src + so, n);
		KT_CHECK(uaccess_copy(dst + d, src + so, n) == 0);
		KT_CHECK(memcmp(dst, want, 700) == 0);
		memset(want + d, 0, n);
		KT_CHECK(uaccess_clear(dst + d, n) == 0);
		KT_CHECK(memcmp(dst, want, 700) == 0);
	}
	KT_CHECK(!(csr_read(sstatus) & SSTATUS_SUM));
	kfree(src);
	kfree(dst);
	kfree(want);
}

KTEST(uaccess_counts_what_is_left)
{
	u8 *page = kvm_alloc_pages(1, true), *buf = kmalloc(300, 0), *end = page + PAGE_SIZE;

	KT_ASSERT(page && buf);
	for (unsigned i = 0; i < 2000; i++) {
		size_t before = ktest_random() % 200, n = before + ktest_random() % 90,
		       at = ktest_random() % 9;
		size_t left = n - MIN(n, before);

		KT_CHECK(uaccess_copy(buf + at, end - before, n) == left);
		for (size_t k = 0; k < before; k++)
			end[-1 - (ssize_t)k] = (u8)(i + k + 1);
		memset(buf, 7, 300);
		KT_CHECK(uaccess_copy(end - before, buf + at, n) == left);
		for (size_t k = 0; k < MIN(n, before); k++)
			KT_CHECK(end[k - before] == 7);
		KT_CHECK(uaccess_clear(end - before, n) == left);
		for (size_t k = 0; k < MIN(n, before); k++)
			KT_CHECK(end[k - before] == 0);
	}
	KT_CHECK(uaccess_strnlen((char *)end - 5, 100) == 0);
	memset(end - 5, 'x', 5);
	KT_CHECK(uaccess_strnlen((char *)end - 5, 100) == -1 &&
		 uaccess_strnlen((char *)end - 5, 5) == 5);
	KT_CHECK(uaccess_strncpy((char *)buf, (char *)end - 5, 100) == -1);
	end[-1] = 0;
	KT_CHECK(uaccess_strncpy((char *)buf, (char *)end - 5, 100) == 4 &&
		 strcmp((char *)buf, "xxxx") == 0);
	KT_CHECK(uaccess_touch(end) == -EFAULT && uaccess_touch(end - 4) == 0);
	KT_CHECK(!(csr_read(sstatus) & SSTATUS_SUM));
	kvm_free_pages(page, 1);
	kfree(buf);
}

KTEST(uaccess_refuses_bad_pointers)
{
	static const u64 bad[] = {0,	    8,		 0x1000,      USER_END - 8, USER_END,
				  KVM_BASE, DIRECT_BASE, KERNEL_BASE, ~0UL - 7,	    1UL << 62};
	u64 buf = 0;
	u32 seen;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		void *p = (void *)bad[i];

		KT_CHECK(copy_from_user(&buf, p, 8) == -EFAULT);
		KT_CHECK(copy_to_user(p, &buf, 8) == -EFAULT);
		KT_CHECK(copy_from_user_partial(&buf, p, 8) == 8);
		KT_CHECK(copy_to_user_nofault(p, &buf, 8) == 8);
		KT_CHECK(clear_user(p, 8) == -EFAULT);
		KT_CHECK(get_user_u64(&buf, p) == -EFAULT && put_user_u64(1, p) == -EFAULT);
		KT_CHECK(get_user_u32(&seen, p) == -EFAULT && put_user_u32(1, p) == -EFAULT);
		KT_CHECK(cmpxchg_user_u32(p, 0, 1, &seen) == -EFAULT);
		KT_CHECK(strncpy_from_user((char *)&buf, p, 8) == -EFAULT &&
			 strnlen_user(p, 8) == 0);
		KT_CHECK(fault_in_readable(p, 1) == -EFAULT && fault_in_writable(p, 1) == -EFAULT);
	}
	KT_CHECK(get_user_u32(&seen, (void *)2) == -EFAULT);
	KT_CHECK(copy_from_user(&buf, NULL, 0) == 0 &&
		 copy_to_user((void *)USER_END, &buf, 0) == 0);
	KT_CHECK(copy_from_user(&buf, (void *)8, ~0UL) == -EFAULT);
}

/* ---- FPU: a kernel thread with FP state behaves as a user thread does when it is switched ---- */

#define FP_INSN(...) ".option push\n.option arch, +d\n" __VA_ARGS__ "\n.option pop"

static void fp_write(u64 v)
{
	__asm__ volatile(FP_INSN("fmv.d.x f0, %0\nfmv.d.x f15, %0\nfmv.d.x f31, %0\n")::"r"(v));
}

static bool fp_holds(u64 v)
{
	u64 a, b, c;

	__asm__ volatile(FP_INSN("fmv.x.d %0, f0\nfmv.x.d %1, f15\nfmv.x.d %2, f31\n")
			 : "=r"(a), "=r"(b), "=r"(c));
	return a == v && b == v && c == v;
}

static void fp_user(unsigned k)
{
	struct fpu_state f = {.fcsr = k % 5 << 5};

	if (k % 3 == 2) { /* some never use FP */
		for (unsigned i = 0; i < 600; i++)
			sched_yield();
		return;
	}
	f.f[0] = f.f[15] = f.f[31] = k;
	if (!KT_CHECK(fpu_set(&f) == 0))
		return;
	KT_CHECK(fp_holds(k));
	for (u64 i = 0; i < 300; i++) {
		u64 v = i << 8 | k;

		if (i % 2)
			fp_write(v);
		else
			v = i ? (i - 1) << 8 | k : k;
		if (i % 5 == 0)
			sched_set_affinity(current(), 1UL << ktest_random() % nharts);
		sched_yield();
		KT_CHECK(fp_holds(v));
		if (i % 16 == 0) {
			struct fpu_state *now = fpu_sync();

			KT_CHECK(now && now->f[15] == v && now->fcsr == (k % 5 << 5));
		}
	}
	fpu_reset();
	KT_CHECK(!current()->fpu && !(csr_read(sstatus) & SSTATUS_FS));
}

KTEST(fpu_survives_migration)
{
	ktest_parallel(9, fp_user);
}

/* ---- names ---- */

KTEST(symbols_are_found)
{
	const char *name;
	u64 offset;

	KT_ASSERT(ksym_lookup((u64)kvm_alloc_pages + 2, &name, &offset));
	KT_ASSERT(strcmp(name, "kvm_alloc_pages") == 0 && offset == 2);
	KT_ASSERT(!ksym_lookup((u64)_etext, &name, &offset) && !ksym_lookup(0, &name, &offset));
}
