/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clock and reset generators.  One 32-bit register a clock at 4 * id: bit 31 gate, bits 29:24 mux, bits 23:0 divider.  Then the
 * reset words: assert (1 = in reset) and status (1 = out of reset).  A status bit follows its assert bit only while the block's clock runs: software that
 * polls for a block without clock waits in vain.
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qapi/error.h"
#include "hw/qdev-properties.h"
#include "hw/visionfive2/jh7110.h"
#include "migration/vmstate.h"

#define OSC_HZ 24000000
#define GATE   (1u << 31)

static const struct {
    const char *name;
    unsigned assert, words, clocks; /* first assert word, words, clock registers */
} kinds[] = {
    [CRG_SYS] = { "syscrg", 0x2f8 / 4, 4, 190 },
    [CRG_STG] = { "stgcrg", 0x74 / 4, 1, 29 },
    [CRG_AON] = { "aoncrg", 0x38 / 4, 1, 14 },
};

/* The clock whose running lets a reset line finish; -1: always runs. */
static int clock_of_reset(JH7110CRG *s, unsigned id)
{
    if (s->kind == CRG_STG) {
        return id == 3 ? CLK_STG_SEC_AHB : -1;
    }
    if (s->kind != CRG_SYS) {
        return -1;
    }
    switch (id) {
    case 2:
        return CLK_IOMUX_APB;
    case 64:
    case 65:
        return CLK_SDIO0_AHB + (id - 64);
    case 76 ... 82:
        return CLK_I2C0_APB + (id - 76);
    case 83:
    case 84:
        return CLK_UART0_APB + (id - 83);
    case 109:
    case 110:
        return CLK_WDT_APB + (id - 109);
    case 123:
    case 124:
        return CLK_TEMP_APB + (id - 123);
    }
    return -1;
}

static bool gate_bit(JH7110CRG *s, unsigned clock)
{
    return s->regs[clock] & GATE;
}

static unsigned divider(JH7110CRG *s, unsigned clock)
{
    return MAX(s->regs[clock] & 0xffffff, 1);
}

static unsigned mux(JH7110CRG *s, unsigned clock)
{
    return (s->regs[clock] >> 24) & 0x3f;
}

/* The part of the tree that matters: buses, SD, UART, watchdog, temperature. */
uint64_t jh7110_clock_rate(JH7110CRG *s, unsigned clock)
{
    JH7110Regs *syscon = s->syscon ? JH7110_REGS(s->syscon) : NULL;

    if (s->kind != CRG_SYS) {
        return gate_bit(s, clock) ? OSC_HZ : 0;
    }
    switch (clock) {
    case CLK_CPU_ROOT:
        return mux(s, clock) ? jh7110_pll_rate(syscon, 0) : OSC_HZ;
    case CLK_BUS_ROOT:
        return mux(s, clock) ? jh7110_pll_rate(syscon, 2) : OSC_HZ;
    case CLK_AXI_CFG0:
        return jh7110_clock_rate(s, CLK_BUS_ROOT) / divider(s, clock);
    case CLK_STG_AXIAHB:
        return jh7110_clock_rate(s, CLK_AXI_CFG0) / divider(s, clock);
    case CLK_APB_BUS:
        return jh7110_clock_rate(s, CLK_STG_AXIAHB) / divider(s, clock);
    case CLK_AHB0:
    case CLK_AHB1:
        return gate_bit(s, clock) ? jh7110_clock_rate(s, CLK_STG_AXIAHB) : 0;
    case CLK_APB0:
        return gate_bit(s, clock) ? jh7110_clock_rate(s, CLK_APB_BUS) : 0;
    case CLK_SDIO0_AHB:
    case CLK_SDIO1_AHB:
        return gate_bit(s, clock) ? jh7110_clock_rate(s, CLK_AHB0) : 0;
    case CLK_SDIO0_SDCARD:
    case CLK_SDIO1_SDCARD:
        /* a 4-bit divider */
        return gate_bit(s, clock) ? jh7110_clock_rate(s, CLK_AXI_CFG0) / MAX(divider(s, clock) & 15, 1) : 0;
    case CLK_UART0_APB:
    case CLK_WDT_APB:
    case CLK_TEMP_APB:
    case CLK_IOMUX_APB:
    case CLK_I2C0_APB ... CLK_I2C0_APB + 6:
        return gate_bit(s, clock) ? jh7110_clock_rate(s, CLK_APB_BUS) : 0;
    case CLK_TEMP_CORE:
        return gate_bit(s, clock) ? OSC_HZ / divider(s, clock) : 0;
    default:
        return gate_bit(s, clock) ? OSC_HZ : 0;
    }
}

bool jh7110_clock_on(JH7110CRG *s, unsigned clock)
{
    return jh7110_clock_rate(s, clock) != 0;
}

bool jh7110_in_reset(JH7110CRG *s, unsigned id)
{
    unsigned status = kinds[s->kind].assert + kinds[s->kind].words + id / 32;

    return !(s->regs[status] & (1u << (id % 32)));
}

/*
 * With -icount harts take turns, each as long as no timer is due: an interrupt that a real hart would have taken at once, while the
 * clock still ran, may find it stopped by another hart's turn.  A turn ends with the next tick, 4 ms at most.
 */
#define TURN_NS (4 * SCALE_MS)

bool jh7110_gate_closes(const JH7110Gate *g)
{
    return g->crg && !jh7110_clock_on(g->crg, g->clock[0]) &&
           qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) - g->crg->gated_at[g->clock[0]] < TURN_NS;
}

bool jh7110_gate_open(const JH7110Gate *g, hwaddr offset)
{
    if (!g->crg) {
        return true;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (g->clock[i] >= 0 && !jh7110_clock_on(g->crg, g->clock[i])) {
            qemu_log_mask(LOG_GUEST_ERROR, "%s+%#" HWADDR_PRIx ": access without clock %d\n", g->name, offset, g->clock[i]);
            return false;
        }
        if (g->reset[i] >= 0 && jh7110_in_reset(g->crg, g->reset[i])) {
            qemu_log_mask(LOG_GUEST_ERROR, "%s+%#" HWADDR_PRIx ": access while reset %d is asserted\n", g->name, offset, g->reset[i]);
            return false;
        }
    }
    return true;
}

/* Status follows assert, as far as clocks run. */
static void crg_settle(JH7110CRG *s)
{
    unsigned first = kinds[s->kind].assert, words = kinds[s->kind].words;

    for (unsigned w = 0; w < words; w++) {
        uint32_t want = ~s->regs[first + w], *status = &s->regs[first + words + w];
        uint32_t differ = want ^ *status;

        while (differ) {
            unsigned bit = ctz32(differ);
            int clock = clock_of_reset(s, w * 32 + bit);

            if (clock < 0 || jh7110_clock_on(s, clock)) {
                *status ^= 1u << bit;
            }
            differ &= differ - 1;
        }
    }
}

static uint64_t crg_read(void *opaque, hwaddr addr, unsigned size)
{
    JH7110CRG *s = opaque;

    if (addr / 4 >= CRG_WORDS) {
        qemu_log_mask(LOG_GUEST_ERROR, "%s: read of %#" HWADDR_PRIx "\n", kinds[s->kind].name, addr);
        return 0;
    }
    return s->regs[addr / 4];
}

static void crg_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    JH7110CRG *s = opaque;
    unsigned first = kinds[s->kind].assert, words = kinds[s->kind].words, n = addr / 4;

    if (n >= CRG_WORDS || (n >= first + words && n < first + 2 * words)) {
        qemu_log_mask(LOG_GUEST_ERROR, "%s: write of %#" HWADDR_PRIx "\n", kinds[s->kind].name, addr);
        return;
    }
    if (n < first && (s->regs[n] & ~value & GATE)) {
        s->gated_at[n] = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    }
    s->regs[n] = value;
    crg_settle(s);
}

static const MemoryRegionOps crg_ops = {
    .read = crg_read,
    .write = crg_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

/* As U-Boot's first stage leaves it when it has loaded the second from the SD card. */
static void preset_sys(JH7110CRG *s)
{
    static const uint16_t on[] = {
        CLK_AHB0, CLK_AHB1, CLK_APB0, CLK_SDIO1_AHB, CLK_IOMUX_APB, CLK_UART0_APB, CLK_UART0_CORE, CLK_I2C0_APB + 5, CLK_QSPI_AHB, CLK_QSPI_APB,
    };

    s->regs[CLK_CPU_ROOT] = 1 << 24;
    s->regs[1] = 1;
    s->regs[2] = 2;
    s->regs[4] = 1 << 24 | 2;
    s->regs[CLK_BUS_ROOT] = 1 << 24;
    s->regs[CLK_AXI_CFG0] = 3;
    s->regs[CLK_STG_AXIAHB] = 2;
    s->regs[CLK_APB_BUS] = 4;
    s->regs[89] = 10;
    s->regs[CLK_SDIO0_SDCARD] = 2;
    s->regs[CLK_SDIO1_SDCARD] = GATE | 2;
    s->regs[CLK_TEMP_CORE] = 24;
    for (unsigned i = 0; i < ARRAY_SIZE(on); i++) {
        s->regs[on[i]] |= GATE;
    }
    for (unsigned w = 0; w < 4; w++) {
        s->regs[0x2f8 / 4 + w] = 0;
    }
    s->regs[0x300 / 4] = 0x7fu << 12;           /* I2C0-6 */
    s->regs[0x300 / 4] &= ~(1u << (81 - 64));
    s->regs[0x304 / 4] = 3u << 13 | 3u << 27;   /* watchdog, temperature */
}

static void crg_reset_hold(Object *obj, ResetType type)
{
    JH7110CRG *s = JH7110_CRG(obj);
    unsigned first = kinds[s->kind].assert, words = kinds[s->kind].words;

    memset(s->regs, 0, sizeof(s->regs));
    if (s->kind == CRG_SYS) {
        preset_sys(s);
    } else if (s->kind == CRG_STG) {
        s->regs[first] = 1 << 3; /* security block: TRNG */
    }
    for (unsigned w = 0; w < words; w++) {
        s->regs[first + words + w] = ~s->regs[first + w];
    }
}

static void crg_realize(DeviceState *dev, Error **errp)
{
    JH7110CRG *s = JH7110_CRG(dev);

    memory_region_init_io(&s->mmio, OBJECT(s), &crg_ops, s, kinds[s->kind].name, 0x10000);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
}

static const Property crg_props[] = {
    DEFINE_PROP_UINT32("kind", JH7110CRG, kind, CRG_SYS),
    DEFINE_PROP_LINK("syscon", JH7110CRG, syscon, TYPE_JH7110_REGS, DeviceState *),
};

static void crg_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);

    dc->realize = crg_realize;
    device_class_set_props(dc, crg_props);
    RESETTABLE_CLASS(oc)->phases.hold = crg_reset_hold;
}

static const TypeInfo crg_info = {
    .name = TYPE_JH7110_CRG,
    .parent = TYPE_SYS_BUS_DEVICE,
    .instance_size = sizeof(JH7110CRG),
    .class_init = crg_class_init,
};

static void crg_register(void)
{
    type_register_static(&crg_info);
}
type_init(crg_register)
