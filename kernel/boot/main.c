// SPDX-License-Identifier: BSD-2-Clause
/*
 * Start-up, from the first C function to the thread that starts init.  Order matters:
 *
 *	boot_main (boot hart, boot stack, early tables)
 *		firmware calls, device tree, command line, memory, final tables, slabs, time, scheduler
 *		-> becomes the idle thread of its hart
 *	start_thread (a kernel thread: may sleep)
 *		helpers, devices, the other harts, initcalls by level, self-tests, kernel_main
 */
#include "drivers/core/device.h"
#include "drivers/core/power.h"
#include "kernel/boot/boot.h"
#include "kernel/boot/init.h"
#include "kernel/boot/params.h"
#include "kernel/lib/print.h"
#include "kernel/lib/radix.h"
#include "kernel/lib/string.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/csr.h"
#include "kernel/riscv/hart_internal.h"
#include "kernel/riscv/isa.h"
#include "kernel/riscv/mmu.h"
#include "kernel/riscv/uaccess_internal.h"
#include "kernel/sched/sched_internal.h"
#include "kernel/sched/time.h"
#include "sbi/sbi.h"

extern const struct initcall __initcalls_start[], __initcalls_stop[];

struct fdt boot_fdt;

/* Without a kernel/proc there is nothing to start. */
__attribute__((weak)) void kernel_main(void)
{
	kprintf("no kernel_main: nothing to start\n");
	power_off();
}

static void run_initcalls(void)
{
	for (u64 level = 0; level < INIT_LEVELS; level++)
		for (const struct initcall *c = __initcalls_start; c < __initcalls_stop; c++)
			if (c->level == level)
				c->fn();
}

static void run_ktests(void)
{
	unsigned failed;

	if (!ktest_main(&failed))
		return;
	kprintf("ktest: %u failed\n", failed);
	if (!kernel_flag("ktest.stay"))
		failed ? power_off_failed() : power_off();
}

static void start_thread(void *arg)
{
	(void)arg;
	thread_reaper_start();
	workqueue_start();
	devices_init();
	devices_probe(STAGE_IRQ);
	irq_hart_init();
	harts_start();
	devices_probe(STAGE_CLOCK);
	devices_probe(STAGE_CONSOLE);
	run_initcalls();
	run_ktests();
	kernel_main();
}

/* The blob through the window of the early tables; stops when there is none. */
static void find_fdt(paddr_t fdt)
{
	const u8 *blob = (const u8 *)(EARLY_FDT_VA + (fdt & (PT_SPAN(1) - 1)));
	u64 room = EARLY_FDT_SIZE - (fdt & (PT_SPAN(1) - 1));

	if (!fdt || fdt % 8 || fdt_cell(blob) != 0xd00dfeed)
		panic("no device tree at %#lx: the firmware or boot loader must pass one in a1",
		      fdt);
	if (fdt_cell(blob + 4) > room)
		panic("the device tree is %u bytes long, at most %lu are supported",
		      fdt_cell(blob + 4), room);
	if (fdt_open(&boot_fdt, blob))
		panic("the device tree at %#lx is damaged", fdt);
}

static bool in_ram(paddr_t pa, u64 size)
{
	paddr_t base;
	u64 bank;

	for (unsigned k = 0; frames_bank(k, &base, &bank); k++)
		if (pa >= base && pa + size <= base + bank)
			return true;
	return false;
}

/* The window goes away with the early tables: from now on the tree is read in place, or in a copy if it lies outside RAM. */
static void move_fdt(paddr_t fdt)
{
	size_t size = boot_fdt.size;
	void *blob;

	if (in_ram(fdt, size)) {
		blob = pa_to_va(fdt);
	} else {
		blob = pa_to_va(frames_early_alloc(size));
		memcpy(blob, boot_fdt.base, size);
	}
	if (fdt_open(&boot_fdt, blob))
		panic("the device tree changed while it was read");
}

static void init_params(void)
{
	fdt_node chosen = fdt_path(&boot_fdt, "/chosen");

	params_init(chosen < 0 ? NULL : fdt_prop_str(&boot_fdt, chosen, "bootargs"));
}

static void say_hello(u64 hartid, paddr_t load)
{
	fdt_node root = fdt_root(&boot_fdt);
	const char *model = fdt_prop_str(&boot_fdt, root, "model");
	char isa[160];

	isa_string(hartid, isa, sizeof(isa));
	kprintf("Gnomon on %s\n", model ? model : "an unnamed board");
	kprintf("boot hart %lu (%s), image at %#lx\n", hartid, isa, load);
	kprintf("command line: %s\n", kernel_cmdline());
}

__noreturn void boot_main(u64 hartid, paddr_t fdt, paddr_t load)
{
	struct thread *t;

	kernel_pa_offset = load - KERNEL_BASE;
	hart_init_boot(hartid);
	extable_init();
	sbi_init();
	print_console_set(sbi_console_write);
	find_fdt(fdt);
	init_params();
	boot_memory(&boot_fdt, load, fdt);
	move_fdt(fdt);
	init_params(); /* the line, too, is elsewhere now */
	frames_init();
	mmu_init_boot();
	frames_hart_init();
	slab_init();
	slab_hart_init();
	radix_lib_init();
	params_parse();
	print_set_quiet(kernel_flag("quiet"));
	time_init();
	say_hello(hartid, load);
	kvm_init();
	thread_init();
	sched_init();
	hart_csr_init();
	t = kthread_run("start", start_thread, NULL);
	ASSERTF(t, "no memory for the first thread");
	sched_start_idle();
}
