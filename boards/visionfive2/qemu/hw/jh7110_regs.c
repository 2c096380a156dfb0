/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that are mostly words which keep what is written, with the few behaviours that software waits for or relies on: PLL settings, pins and card
 * detect, power domains, watchdog, random numbers, temperature, the L2's configuration, a QSPI controller without flash.
 */
#include "qemu/osdep.h"
#include "qemu/guest-random.h"
#include "qemu/log.h"
#include "qapi/error.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "hw/visionfive2/jh7110.h"
#include "system/runstate.h"

struct JH7110RegsKind {
    const char *name;
    void (*reset)(JH7110Regs *s);
    uint64_t (*read)(JH7110Regs *s, hwaddr addr);
    void (*write)(JH7110Regs *s, hwaddr addr, uint32_t value);
    void (*tick)(JH7110Regs *s);
};

#define REG(s, offset) ((s)->regs[(offset) / 4])

static uint64_t plain_read(JH7110Regs *s, hwaddr addr)
{
    return REG(s, addr);
}

static void plain_write(JH7110Regs *s, hwaddr addr, uint32_t value)
{
    REG(s, addr) = value;
}

/* ---- sys_syscon: the PLLs as the first stage sets them, 1000, 1066 and 1188 MHz ---- */

static void syscon_reset(JH7110Regs *s)
{
    REG(s, 0x18) = 3u << 24;
    REG(s, 0x1c) = 125;
    REG(s, 0x24) = 3 | 3u << 15 | 533u << 17;
    REG(s, 0x2c) = 12 | 3u << 15 | 99u << 17;
    REG(s, 0x34) = 2;
}

/* rate = 24 MHz * fbdiv / prediv / 2^postdiv1, integer mode; with a fraction the 24 bits below fbdiv */
uint64_t jh7110_pll_rate(JH7110Regs *s, unsigned pll)
{
    static const struct { uint8_t fb, fb_shift, pre, frac; } at[3] = {
        { 0x1c, 0, 0x24, 0x20 }, { 0x24, 17, 0x2c, 0x28 }, { 0x2c, 17, 0x34, 0x30 },
    };
    uint64_t fb, pre, post, integer;

    if (!s) {
        return 0;
    }
    fb = (REG(s, at[pll].fb) >> at[pll].fb_shift) & 0xfff;
    pre = MAX(REG(s, at[pll].pre) & 0x3f, 1);
    post = (REG(s, at[pll].frac) >> 28) & 3;
    integer = pll == 0 ? REG(s, 0x18) >> 25 & 1 : REG(s, at[pll].fb) >> 16 & 1;
    fb <<= 24;
    if (!integer) {
        fb |= REG(s, at[pll].frac) & 0xffffff;
    }
    return ((24000000ull * fb) >> 24) / pre >> post;
}

/* ---- sys_iomux: pin control and 64 GPIOs; pin 41 is the card slot's switch, low with a card ---- */

#define IO_IRQEN 0xdc
#define IO_IS    0xe0
#define IO_IC    0xe8
#define IO_IBE   0xf0
#define IO_IEV   0xf8
#define IO_IE    0x100
#define IO_RIS   0x108
#define IO_MIS   0x110
#define IO_IN    0x118
#define CD_PIN   41

static void iomux_update(JH7110Regs *s)
{
    bool any = false;

    for (unsigned w = 0; w < 8; w += 4) {
        /* level interrupts show the pin as it is; edges were latched */
        uint32_t level = ~REG(s, IO_IS + w), high = REG(s, IO_IEV + w), in = REG(s, IO_IN + w);

        REG(s, IO_RIS + w) = (REG(s, IO_RIS + w) & ~level) | (level & ~(in ^ high));
        REG(s, IO_MIS + w) = REG(s, IO_RIS + w) & REG(s, IO_IE + w);
        any |= REG(s, IO_MIS + w);
    }
    qemu_set_irq(s->irq, any && (REG(s, IO_IRQEN) & 1));
}

static void iomux_pin(JH7110Regs *s, unsigned pin, bool high)
{
    unsigned w = pin / 32 * 4;
    uint32_t bit = 1u << (pin % 32), old = REG(s, IO_IN + w);

    REG(s, IO_IN + w) = high ? old | bit : old & ~bit;
    if (REG(s, IO_IN + w) != old && (REG(s, IO_IS + w) & bit) &&
        ((REG(s, IO_IBE + w) & bit) || !(REG(s, IO_IEV + w) & bit) == !high)) {
        REG(s, IO_RIS + w) |= bit;
    }
    iomux_update(s);
}

void jh7110_iomux_card_detect(void *opaque, int n, int level)
{
    JH7110Regs *s = opaque;

    s->aux = level;
    if (s->regs) {
        iomux_pin(s, CD_PIN, !level);
    }
}

static void iomux_reset(JH7110Regs *s)
{
    for (unsigned w = 0; w < 8; w += 4) {
        REG(s, IO_IC + w) = REG(s, IO_IS + w) = ~0u;
    }
    iomux_pin(s, CD_PIN, !s->aux);
}

static void iomux_write(JH7110Regs *s, hwaddr addr, uint32_t value)
{
    switch (addr) {
    case IO_RIS ... IO_IN + 7:
        qemu_log_mask(LOG_GUEST_ERROR, "iomux: write of read-only %#" HWADDR_PRIx "\n", addr);
        return;
    case IO_IC:
    case IO_IC + 4:
        REG(s, addr - IO_IC + IO_RIS) &= value; /* a 0 clears */
        break;
    }
    REG(s, addr) = value;
    if (addr >= IO_IRQEN && addr < IO_RIS) {
        iomux_update(s);
    }
}

static void aon_iomux_reset(JH7110Regs *s)
{
    REG(s, 0x2c) = 1; /* switches: boot from the SD card */
}

static void pmu_reset(JH7110Regs *s)
{
    REG(s, 0x80) = 3; /* systop and CPU are on */
}

static void pmu_write(JH7110Regs *s, hwaddr addr, uint32_t value)
{
    REG(s, addr) = value;
    if (addr == 0x44 && value == 0x50) {
        REG(s, 0x80) |= REG(s, 0x0c);
    } else if (addr == 0x44 && value == 0xa0) {
        REG(s, 0x80) &= ~REG(s, 0x10);
    }
}

/* ---- watchdog: counts 24 MHz down; the second time it reaches zero it resets ---- */

#define WDT_LOAD    0x00
#define WDT_VALUE   0x04
#define WDT_CONTROL 0x08
#define WDT_INTCLR  0x0c
#define WDT_STATUS  0x14
#define WDT_LOCK    0xc00
#define WDT_KEY     0x1acce551
#define WDT_HZ      24000000ull

static void wdt_start(JH7110Regs *s)
{
    s->stamp = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    if (REG(s, WDT_CONTROL) & 1) {
        timer_mod(s->timer, s->stamp + muldiv64(MAX(REG(s, WDT_LOAD), 1), NANOSECONDS_PER_SECOND, WDT_HZ));
    } else {
        timer_del(s->timer);
    }
}

static void wdt_tick(JH7110Regs *s)
{
    if ((REG(s, WDT_STATUS) & 1) && (REG(s, WDT_CONTROL) & 2)) {
        qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
        return;
    }
    REG(s, WDT_STATUS) |= 1;
    qemu_irq_raise(s->irq);
    wdt_start(s);
}

static uint64_t wdt_read(JH7110Regs *s, hwaddr addr)
{
    uint64_t gone;

    if (addr == WDT_LOCK) {
        return s->aux != WDT_KEY;
    }
    if (addr != WDT_VALUE || !(REG(s, WDT_CONTROL) & 1)) {
        return REG(s, addr);
    }
    gone = muldiv64(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) - s->stamp, WDT_HZ, NANOSECONDS_PER_SECOND);
    return REG(s, WDT_LOAD) - MIN(gone, REG(s, WDT_LOAD));
}

static void wdt_write(JH7110Regs *s, hwaddr addr, uint32_t value)
{
    if (addr == WDT_LOCK) {
        s->aux = value;
        return;
    }
    if (s->aux != WDT_KEY) {
        qemu_log_mask(LOG_GUEST_ERROR, "watchdog: write of %#" HWADDR_PRIx " while locked\n", addr);
        return;
    }
    REG(s, addr) = value;
    if (addr == WDT_INTCLR) {
        REG(s, WDT_STATUS) = 0;
        qemu_irq_lower(s->irq);
    }
    if (addr == WDT_LOAD || addr == WDT_CONTROL || addr == WDT_INTCLR) {
        wdt_start(s);
    }
}

/* ---- random numbers ---- */

#define TRNG_CTRL  0x00
#define TRNG_STAT  0x04
#define TRNG_IE    0x10
#define TRNG_ISTAT 0x14
#define TRNG_RAND  0x20

static void trng_update(JH7110Regs *s)
{
    qemu_set_irq(s->irq, (REG(s, TRNG_IE) >> 31) && (REG(s, TRNG_IE) & REG(s, TRNG_ISTAT) & 0x1f));
}

static void trng_write(JH7110Regs *s, hwaddr addr, uint32_t value)
{
    if (addr == TRNG_ISTAT) {
        REG(s, addr) &= ~value;
    } else if (addr != TRNG_STAT) {
        REG(s, addr) = value;
    }
    if (addr == TRNG_CTRL && value == 2) {
        REG(s, TRNG_STAT) |= 1 << 9;
        REG(s, TRNG_ISTAT) |= 2;
    } else if (addr == TRNG_CTRL && value == 1) {
        if (REG(s, TRNG_STAT) & 1 << 9) {
            qemu_guest_getrandom_nofail(&REG(s, TRNG_RAND), 32);
            REG(s, TRNG_ISTAT) |= 1;
        } else {
            qemu_log_mask(LOG_GUEST_ERROR, "trng: asked for numbers before it has a seed\n");
        }
    }
    trng_update(s);
}

/* ---- temperature: 45 degrees ---- */

static uint64_t temp_read(JH7110Regs *s, hwaddr addr)
{
    bool runs = (REG(s, 0) & 7) == 5; /* out of reset, powered, running */

    return addr ? 0 : (REG(s, 0) & 0xffff) | (runs ? 2174u << 16 : 0);
}

static void ccache_reset(JH7110Regs *s)
{
    REG(s, 0) = 0x06081008; /* 8 banks, 16 ways, 256 sets of 64 bytes */
}

static uint64_t qspi_read(JH7110Regs *s, hwaddr addr)
{
    switch (addr) {
    case 0x00:
        return REG(s, addr) | 1u << 31; /* idle */
    case 0x90:
        return REG(s, addr) & ~3u;      /* no command is under way */
    }
    return REG(s, addr);
}

static uint64_t ecam_read(JH7110Regs *s, hwaddr addr)
{
    return ~0u; /* nobody there */
}

static void ecam_write(JH7110Regs *s, hwaddr addr, uint32_t value)
{
}

static const JH7110RegsKind kinds[REGS_KINDS] = {
    [REGS_PLAIN] = { "plain" },
    [REGS_SYS_SYSCON] = { "sys_syscon", .reset = syscon_reset },
    [REGS_IOMUX] = { "sys_iomux", .reset = iomux_reset, .write = iomux_write },
    [REGS_AON_IOMUX] = { "aon_iomux", .reset = aon_iomux_reset },
    [REGS_PMU] = { "pmu", .reset = pmu_reset, .write = pmu_write },
    [REGS_WDT] = { "watchdog", .read = wdt_read, .write = wdt_write, .tick = wdt_tick },
    [REGS_TRNG] = { "trng", .write = trng_write },
    [REGS_TEMP] = { "temperature", .read = temp_read },
    [REGS_CCACHE] = { "ccache", .reset = ccache_reset },
    [REGS_QSPI] = { "qspi", .read = qspi_read },
    [REGS_ECAM] = { "ecam", .read = ecam_read, .write = ecam_write },
};

static uint64_t regs_read(void *opaque, hwaddr addr, unsigned size)
{
    JH7110Regs *s = opaque;

    if (!jh7110_gate_open(&s->gate, addr)) {
        return 0;
    }
    return s->ops->read ? s->ops->read(s, addr) : plain_read(s, addr);
}

static void regs_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    JH7110Regs *s = opaque;

    if (!jh7110_gate_open(&s->gate, addr)) {
        return;
    }
    if (s->ops->write) {
        s->ops->write(s, addr, value);
    } else {
        plain_write(s, addr, value);
    }
}

/* Narrower and wider accesses are turned into words, so every offset seen above is a multiple of 4. */
static const MemoryRegionOps regs_ops = {
    .read = regs_read,
    .write = regs_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

static void regs_timer(void *opaque)
{
    JH7110Regs *s = opaque;

    s->ops->tick(s);
}

static void regs_reset_hold(Object *obj, ResetType type)
{
    JH7110Regs *s = JH7110_REGS(obj);

    if (s->kind == REGS_ECAM) {
        return;
    }
    memset(s->regs, 0, s->size);
    if (s->kind != REGS_IOMUX) {
        s->aux = 0;
    }
    if (s->timer) {
        timer_del(s->timer);
    }
    if (s->ops->reset) {
        s->ops->reset(s);
    }
}

static void regs_realize(DeviceState *dev, Error **errp)
{
    JH7110Regs *s = JH7110_REGS(dev);

    if (s->kind >= REGS_KINDS || !s->size || s->size % 4) {
        error_setg(errp, "kind %u, size %" PRIu64, s->kind, s->size);
        return;
    }
    s->ops = &kinds[s->kind];
    s->regs = s->kind == REGS_ECAM ? NULL : g_malloc0(s->size);
    if (s->ops->tick) {
        s->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, regs_timer, s);
    }
    memory_region_init_io(&s->mmio, OBJECT(s), &regs_ops, s, s->ops->name, s->size);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
    sysbus_init_irq(SYS_BUS_DEVICE(dev), &s->irq);
}

static const Property regs_props[] = {
    DEFINE_PROP_UINT32("kind", JH7110Regs, kind, REGS_PLAIN),
    DEFINE_PROP_UINT64("size", JH7110Regs, size, 0x1000),
};

static void regs_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);

    dc->realize = regs_realize;
    device_class_set_props(dc, regs_props);
    RESETTABLE_CLASS(oc)->phases.hold = regs_reset_hold;
}

static const TypeInfo regs_info = {
    .name = TYPE_JH7110_REGS,
    .parent = TYPE_SYS_BUS_DEVICE,
    .instance_size = sizeof(JH7110Regs),
    .class_init = regs_class_init,
};

static void regs_register(void)
{
    type_register_static(&regs_info);
}
type_init(regs_register)
