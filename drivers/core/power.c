// SPDX-License-Identifier: BSD-2-Clause
/* Power off and reboot.  The registers of a syscon are mapped at start-up, so that a panic needs no memory. */
#include "drivers/core/power.h"

#include "drivers/core/device.h"
#include "kernel/boot/init.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/riscv/hart.h"
#include "kernel/riscv/mmu.h"
#include "kernel/sched/time.h"
#include "sbi/sbi.h"

#define EXT_SRST 0x53525354

struct syscon_write {
	volatile u32 *reg;
	u32 value;
};
static struct syscon_write off_reg, reboot_reg;
static bool is_test_device; /* sifive,test: the low half of the word is what happened */

#define TEST_FAIL 0x3333u

static void syscon_setup(const char *compatible, struct syscon_write *w)
{
	const struct fdt *f = &boot_fdt;
	u32 phandle, offset = 0, value;
	u64 base, size;

	for (fdt_node n = fdt_child(f, fdt_root(f)); n >= 0; n = fdt_sibling(f, n)) {
		fdt_node regs;

		if (!fdt_compatible(f, n, compatible) || !fdt_prop_u32(f, n, "regmap", &phandle) ||
		    !fdt_prop_u32(f, n, "value", &value))
			continue;
		fdt_prop_u32(f, n, "offset", &offset);
		regs = fdt_phandle(f, phandle);
		if (regs < 0 || fdt_reg(f, regs, 0, &base, &size) || offset + 4 > size)
			continue;
		w->reg = ioremap(base + offset, 4);
		w->value = value;
		is_test_device |= fdt_compatible(f, regs, "sifive,test0");
		return;
	}
}

static void power_init(void)
{
	syscon_setup("syscon-poweroff", &off_reg);
	syscon_setup("syscon-reboot", &reboot_reg);
}
INITCALL(CORE, power_init);

static __noreturn void end(const struct syscon_write *w, u32 value, bool reboot, bool failed)
{
	irq_disable();
	/* firmware before OpenSBI 1.2 does not pass the failure on to the test device */
	if (w->reg && (!sbi_has(EXT_SRST) || (failed && is_test_device))) {
		u64 patience = time_now() + NSEC_PER_SEC;

		*w->reg = value;
		/* it may take a moment, in which firmware must not ask for something else */
		while (time_now() < patience)
			;
	}
	sbi_reset(reboot, failed);
}

__noreturn void power_off(void)
{
	end(&off_reg, off_reg.value, false, false);
}

__noreturn void power_reboot(void)
{
	end(&reboot_reg, reboot_reg.value, true, false);
}

__noreturn void power_off_failed(void)
{
	end(&off_reg, is_test_device ? 1u << 16 | TEST_FAIL : off_reg.value, false, true);
}
