// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls to the firmware (RISC-V SBI 2.0).  Owns the set of extensions it found; constant after sbi_init.  Before
 * sbi_init only the legacy console is used, which every firmware has.
 */
#include "sbi/sbi.h"

#include "kernel/lib/print.h"

#define EXT_BASE   0x10
#define EXT_TIME   0x54494d45
#define EXT_IPI	   0x735049
#define EXT_RFENCE 0x52464e43
#define EXT_HSM	   0x48534d
#define EXT_SRST   0x53525354
#define EXT_DBCN   0x4442434e

#define LEGACY_SET_TIMER 0
#define LEGACY_PUTCHAR	 1
#define LEGACY_SHUTDOWN	 8

static const u64 wanted[] = {EXT_TIME, EXT_IPI, EXT_RFENCE, EXT_HSM, EXT_SRST, EXT_DBCN};
static bool found[ARRAY_LEN(wanted)];
static bool has_dbcn, has_time;

struct sbiret sbi_call(u64 ext, u64 fn, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
	register u64 r0 __asm__("a0") = a0;
	register u64 r1 __asm__("a1") = a1;
	register u64 r2 __asm__("a2") = a2;
	register u64 r3 __asm__("a3") = a3;
	register u64 r4 __asm__("a4") = a4;
	register u64 r6 __asm__("a6") = fn;
	register u64 r7 __asm__("a7") = ext;

	__asm__ volatile("ecall"
			 : "+r"(r0), "+r"(r1)
			 : "r"(r2), "r"(r3), "r"(r4), "r"(r6), "r"(r7)
			 : "memory");
	return (struct sbiret){(long)r0, (long)r1};
}

static bool probe(u64 ext)
{
	struct sbiret r = sbi_call(EXT_BASE, 3, ext, 0, 0, 0, 0);

	return r.error == 0 && r.value != 0;
}

void sbi_init(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(wanted); i++)
		found[i] = probe(wanted[i]);
	has_dbcn = sbi_has(EXT_DBCN);
	has_time = sbi_has(EXT_TIME);
}

bool sbi_has(u64 ext)
{
	for (unsigned i = 0; i < ARRAY_LEN(wanted); i++)
		if (wanted[i] == ext)
			return found[i];
	return probe(ext);
}

static void put(u8 c)
{
	if (has_dbcn)
		sbi_call(EXT_DBCN, 2, c, 0, 0, 0, 0);
	else
		sbi_call(LEGACY_PUTCHAR, 0, c, 0, 0, 0, 0);
}

void sbi_console_write(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			put('\r');
		put((u8)s[i]);
	}
}

void sbi_set_timer(u64 when)
{
	if (has_time)
		sbi_call(EXT_TIME, 0, when, 0, 0, 0, 0);
	else
		sbi_call(LEGACY_SET_TIMER, 0, when, 0, 0, 0, 0);
}

void sbi_send_ipi(u64 hartid_mask, u64 base)
{
	struct sbiret r = sbi_call(EXT_IPI, 0, hartid_mask, base, 0, 0, 0);

	ASSERTF(r.error == 0, "hart mask %lx base %lu: SBI error %ld", hartid_mask, base, r.error);
}

int sbi_hart_start(u64 hartid, paddr_t entry, u64 arg)
{
	return (int)sbi_call(EXT_HSM, 0, hartid, entry, arg, 0, 0).error;
}

int sbi_hart_status(u64 hartid)
{
	struct sbiret r = sbi_call(EXT_HSM, 2, hartid, 0, 0, 0, 0);

	return (int)(r.error ? r.error : r.value);
}

void sbi_remote_fence_i(u64 mask, u64 base)
{
	struct sbiret r = sbi_call(EXT_RFENCE, 0, mask, base, 0, 0, 0);

	ASSERTF(r.error == 0, "hart mask %lx base %lu: SBI error %ld", mask, base, r.error);
}

void sbi_remote_sfence(u64 mask, u64 base, u64 start, u64 size)
{
	struct sbiret r = sbi_call(EXT_RFENCE, 1, mask, base, start, size, 0);

	ASSERTF(r.error == 0, "hart mask %lx base %lu: SBI error %ld", mask, base, r.error);
}

void sbi_remote_sfence_asid(u64 mask, u64 base, u64 start, u64 size, u64 asid)
{
	struct sbiret r = sbi_call(EXT_RFENCE, 2, mask, base, start, size, asid);

	ASSERTF(r.error == 0, "hart mask %lx base %lu: SBI error %ld", mask, base, r.error);
}

__noreturn void sbi_reset(bool reboot, bool failed)
{
	if (probe(EXT_SRST)) {
		sbi_call(EXT_SRST, 0, reboot ? 1 : 0, failed ? 1 : 0, 0, 0, 0);
		if (reboot) /* cold reboot missing: warm */
			sbi_call(EXT_SRST, 0, 2, failed ? 1 : 0, 0, 0, 0);
	}
	sbi_call(LEGACY_SHUTDOWN, 0, 0, 0, 0, 0, 0);
	for (;;)
		__asm__ volatile("wfi");
}
