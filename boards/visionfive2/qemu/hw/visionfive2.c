/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * StarFive VisionFive 2: a JH7110 with 2, 4 or 8 GiB, a microSD slot and a serial console.
 *
 * The boot ROM and U-Boot's first stage are stood in for: the machine reads the second stage, u-boot.itb, from partition 2 of the SD card
 * (or from -bios FILE) and does what the first stage does with it: loads its images, notes size of memory, model and compatible in the device
 * tree, and lets every hart into OpenSBI with a0 = hart id, a1 = device tree, a2 = fw_dynamic information.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "hw/boards.h"
#include "hw/char/serial.h"
#include "hw/intc/riscv_aclint.h"
#include "hw/intc/sifive_plic.h"
#include "hw/irq.h"
#include "hw/loader.h"
#include "hw/misc/unimp.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "hw/riscv/boot_opensbi.h"
#include "hw/riscv/riscv_hart.h"
#include "exec/address-spaces.h"
#include "hw/visionfive2/jh7110.h"
#include "system/block-backend.h"
#include "system/blockdev.h"
#include "system/system.h"
#include <libfdt.h>

#define TYPE_VISIONFIVE2 MACHINE_TYPE_NAME("visionfive2")
OBJECT_DECLARE_SIMPLE_TYPE(VisionFive2, VISIONFIVE2)

#define NHARTS      5
#define RAM_BASE    0x40000000
#define ROM_BASE    0x2a000000
#define ROM_SIZE    0x8000
#define ROM_DYNAMIC 0x100
#define FIT_MAX     (16 * MiB)
#define FDT_ROOM    (64 * KiB)

struct VisionFive2 {
    MachineState parent;
    RISCVHartArrayState monitor, compute; /* hart 0; harts 1 to 4 */
    JH7110CRG *sys, *stg, *aon;
    DeviceState *plic;
    uint32_t boot_hart;
    bool no_delay;
};

/* ---- devices ---- */

static JH7110CRG *add_crg(unsigned kind, hwaddr base, DeviceState *syscon)
{
    DeviceState *dev = qdev_new(TYPE_JH7110_CRG);

    qdev_prop_set_uint32(dev, "kind", kind);
    if (syscon) {
        object_property_set_link(OBJECT(dev), "syscon", OBJECT(syscon), &error_abort);
    }
    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    sysbus_mmio_map(SYS_BUS_DEVICE(dev), 0, base);
    return JH7110_CRG(dev);
}

static DeviceState *add_regs(unsigned kind, hwaddr base, uint64_t size)
{
    DeviceState *dev = qdev_new(TYPE_JH7110_REGS);

    qdev_prop_set_uint32(dev, "kind", kind);
    qdev_prop_set_uint64(dev, "size", size);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    sysbus_mmio_map(SYS_BUS_DEVICE(dev), 0, base);
    return dev;
}

static JH7110Gate gate(const char *name, JH7110CRG *crg, int clock0, int clock1, int reset0, int reset1)
{
    return (JH7110Gate) { crg, { clock0, clock1 }, { reset0, reset1 }, name };
}

static void wire(VisionFive2 *s, DeviceState *dev, unsigned source)
{
    sysbus_connect_irq(SYS_BUS_DEVICE(dev), 0, qdev_get_gpio_in(s->plic, source));
}

static DeviceState *add_mmc(VisionFive2 *s, hwaddr base, unsigned slot, unsigned source)
{
    static const char *const names[] = { "sdio0", "sdio1" };
    DeviceState *dev = qdev_new(TYPE_DW_MMC);

    qdev_prop_set_uint32(dev, "ciu-clock", CLK_SDIO0_SDCARD + slot);
    DW_MMC(dev)->crg = s->sys;
    DW_MMC(dev)->gate = gate(names[slot], s->sys, CLK_SDIO0_AHB + slot, -1, 64 + slot, -1);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    sysbus_mmio_map(SYS_BUS_DEVICE(dev), 0, base);
    wire(s, dev, source);
    return dev;
}

static void add_card(DeviceState *slot)
{
    DriveInfo *drive = drive_get(IF_SD, 0, 0);
    DeviceState *card;

    if (!drive) {
        return;
    }
    card = qdev_new(TYPE_SD_CARD);
    qdev_prop_set_drive_err(card, "drive", blk_by_legacy_dinfo(drive), &error_fatal);
    qdev_realize_and_unref(card, qdev_get_child_bus(slot, "sd-bus"), &error_fatal);
}

static void add_uart(VisionFive2 *s)
{
    DeviceState *dev = qdev_new(TYPE_DW_UART);

    qdev_prop_set_chr(dev, "chardev", serial_hd(0));
    DW_UART(dev)->gate = gate("uart0", s->sys, CLK_UART0_APB, CLK_UART0_CORE, 83, 84);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    sysbus_mmio_map(SYS_BUS_DEVICE(dev), 0, 0x10000000);
    wire(s, dev, 32);
}

static void add_i2c5(VisionFive2 *s, const char *product)
{
    DeviceState *dev = qdev_new(TYPE_DW_I2C), *part;
    I2CBus *bus;

    DW_I2C(dev)->gate = gate("i2c5", s->sys, CLK_I2C0_APB + 5, -1, 81, -1);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    sysbus_mmio_map(SYS_BUS_DEVICE(dev), 0, 0x12050000);
    wire(s, dev, 50);
    bus = DW_I2C(dev)->bus;
    i2c_slave_create_simple(bus, TYPE_AXP15060, 0x36);
    part = DEVICE(i2c_slave_new(TYPE_JH7110_EEPROM, 0x50));
    qdev_prop_set_string(part, "product", product);
    i2c_slave_realize_and_unref(I2C_SLAVE(part), bus, &error_fatal);
}

static void add_blocks(VisionFive2 *s)
{
    static const struct { hwaddr base; uint64_t size; } plain[] = {
        { 0x02030000, 0xa000 },    /* L2 prefetchers */
        { 0x10010000, 0x10000 }, { 0x10020000, 0x10000 },   /* UART1, 2 */
        { 0x10030000, 0x10000 }, { 0x10040000, 0x10000 }, { 0x10050000, 0x10000 }, /* I2C0-2 */
        { 0x10060000, 0x10000 }, { 0x10070000, 0x10000 }, { 0x10080000, 0x10000 }, /* SPI0-2 */
        { 0x100b0000, 0x1000 },    /* PWM DAC */
        { 0x10100000, 0x100000 },  /* USB */
        { 0x10200000, 0x30000 },   /* PHYs */
        { 0x10240000, 0x1000 },    /* STG syscon */
        { 0x12000000, 0x30000 },   /* UART3-5 */
        { 0x12030000, 0x10000 }, { 0x12040000, 0x10000 }, { 0x12060000, 0x10000 }, /* I2C3, 4, 6 */
        { 0x120d0000, 0x10000 },   /* PWM */
        { 0x16000000, 0x8000 },    /* crypto */
        { 0x16030000, 0x10000 }, { 0x16040000, 0x10000 },   /* GMAC0, 1 */
        { 0x17010000, 0x1000 },    /* AON syscon */
        { 0x295c0000, 0x10000 }, { 0x19810000, 0x10000 },   /* video */
        { 0x2b000000, 0x100000 }, { 0x2c000000, 0x100000 }, /* PCIe */
    };
    DeviceState *dev;

    for (unsigned i = 0; i < ARRAY_SIZE(plain); i++) {
        add_regs(REGS_PLAIN, plain[i].base, plain[i].size);
    }
    add_regs(REGS_CCACHE, 0x02010000, 0x4000);
    add_regs(REGS_QSPI, 0x13010000, 0x10000);
    add_regs(REGS_PLAIN, 0x21000000, 0x400000);
    add_regs(REGS_AON_IOMUX, 0x17020000, 0x10000);
    add_regs(REGS_PMU, 0x17030000, 0x10000);
    add_regs(REGS_ECAM, 0x940000000, 16 * MiB);
    add_regs(REGS_ECAM, 0x9c0000000, 16 * MiB);
    dev = add_regs(REGS_WDT, 0x13070000, 0x10000);
    JH7110_REGS(dev)->gate = gate("watchdog", s->sys, CLK_WDT_APB, CLK_WDT_CORE, 109, 110);
    wire(s, dev, 68);
    dev = add_regs(REGS_TRNG, 0x1600c000, 0x4000);
    JH7110_REGS(dev)->gate = gate("trng", s->stg, CLK_STG_SEC_AHB, CLK_STG_SEC_MISC, 3, -1);
    wire(s, dev, 30);
    dev = add_regs(REGS_TEMP, 0x120e0000, 0x10000);
    JH7110_REGS(dev)->gate = gate("temperature", s->sys, CLK_TEMP_APB, CLK_TEMP_CORE, 123, 124);
}

static void add_harts(VisionFive2 *s)
{
    static const struct { const char *name, *type; unsigned first, n; } arrays[] = {
        { "monitor", "starfive-s7-riscv-cpu", 0, 1 }, { "compute", "starfive-u74-riscv-cpu", 1, NHARTS - 1 },
    };
    RISCVHartArrayState *at[] = { &s->monitor, &s->compute };

    for (unsigned i = 0; i < 2; i++) {
        object_initialize_child(OBJECT(s), arrays[i].name, at[i], TYPE_RISCV_HART_ARRAY);
        qdev_prop_set_uint32(DEVICE(at[i]), "num-harts", arrays[i].n);
        qdev_prop_set_uint32(DEVICE(at[i]), "hartid-base", arrays[i].first);
        qdev_prop_set_string(DEVICE(at[i]), "cpu-type", arrays[i].type);
        qdev_prop_set_uint64(DEVICE(at[i]), "resetvec", ROM_BASE);
        sysbus_realize(SYS_BUS_DEVICE(at[i]), &error_fatal);
    }
}

static void add_soc(VisionFive2 *s)
{
    DeviceState *syscon, *iomux, *slot;
    g_autofree char *product = NULL;

    add_harts(s);
    riscv_aclint_swi_create(0x02000000, 0, NHARTS, false);
    /* no `time` register: reading it traps, and OpenSBI reads mtime */
    riscv_aclint_mtimer_create(0x02000000 + RISCV_ACLINT_SWI_SIZE, RISCV_ACLINT_DEFAULT_MTIMER_SIZE, 0, NHARTS,
                               RISCV_ACLINT_DEFAULT_MTIMECMP, RISCV_ACLINT_DEFAULT_MTIME, 4000000, false);
    s->plic = sifive_plic_create(0x0c000000, (char *)"M,MS,MS,MS,MS", NHARTS, 0, 137, 7, 0, 0x1000, 0x2000, 0x80, 0x200000, 0x1000,
                                 0x4000000);
    syscon = add_regs(REGS_SYS_SYSCON, 0x13030000, 0x1000);
    s->sys = add_crg(CRG_SYS, 0x13020000, syscon);
    s->stg = add_crg(CRG_STG, 0x10230000, NULL);
    s->aon = add_crg(CRG_AON, 0x17000000, NULL);
    iomux = add_regs(REGS_IOMUX, 0x13040000, 0x10000);
    JH7110_REGS(iomux)->gate = gate("iomux", s->sys, CLK_IOMUX_APB, -1, 2, -1);
    wire(s, iomux, 86);
    add_uart(s);
    product = g_strdup_printf("VF7110B1-2253-D%03uE000-00000001", (unsigned)(MACHINE(s)->ram_size / GiB));
    add_i2c5(s, product);
    add_blocks(s);
    add_mmc(s, 0x16010000, 0, 74);
    slot = add_mmc(s, 0x16020000, 1, 75);
    qdev_connect_gpio_out_named(slot, "card-in", 0, qemu_allocate_irq(jh7110_iomux_card_detect, JH7110_REGS(iomux), 0));
    add_card(slot);
}

/* ---- what boot ROM and first stage do ---- */

/* The FIT from -bios FILE, or from partition 2 of the card. */
static void *read_fit(VisionFive2 *s)
{
    DriveInfo *drive = drive_get(IF_SD, 0, 0);
    uint8_t header[512], entry[128];
    BlockBackend *blk;
    uint64_t start;
    void *fit;

    if (MACHINE(s)->firmware) {
        gchar *data;
        g_autoptr(GError) err = NULL;

        if (!g_file_get_contents(MACHINE(s)->firmware, &data, NULL, &err)) {
            error_report("visionfive2: %s", err->message);
            exit(1);
        }
        return data;
    }
    blk = drive ? blk_by_legacy_dinfo(drive) : NULL;
    if (!blk || blk_pread(blk, 512, 512, header, 0) < 0 || memcmp(header, "EFI PART", 8) ||
        blk_pread(blk, ldq_le_p(header + 72) * 512 + 128, 128, entry, 0) < 0) {
        error_report("visionfive2: no SD card with a GPT, and no -bios u-boot.itb");
        exit(1);
    }
    start = ldq_le_p(entry + 32) * 512;
    fit = g_malloc0(FIT_MAX);
    if (!start || blk_pread(blk, start, FIT_MAX, fit, 0) < 0 || fdt_check_header(fit) || fdt_totalsize(fit) > FIT_MAX) {
        error_report("visionfive2: partition 2 of the card holds no u-boot.itb");
        exit(1);
    }
    return fit;
}

static const void *fit_image(const void *fit, int config, const char *role, int *len, uint64_t *load)
{
    const char *name = fdt_getprop(fit, config, role, NULL);
    g_autofree char *path = g_strdup_printf("/images/%s", name ? name : "");
    int node = fdt_path_offset(fit, path), n;
    const fdt32_t *at = node < 0 ? NULL : fdt_getprop(fit, node, "load", &n);
    const void *data = node < 0 ? NULL : fdt_getprop(fit, node, "data", len);

    if (!data) {
        error_report("visionfive2: u-boot.itb has no %s with its data inside", role);
        exit(1);
    }
    *load = !at ? 0 : n == 8 ? (uint64_t)fdt32_ld(at) << 32 | fdt32_ld(at + 1) : fdt32_ld(at);
    return data;
}

static void *patch_fdt(VisionFive2 *s, const void *data, int len)
{
    g_autofree void *from = g_memdup2(data, len); /* aligned */
    int room = len + FDT_ROOM, memory, chosen;
    void *fdt = g_malloc0(room);
    uint64_t reg[2] = { cpu_to_be64(RAM_BASE), cpu_to_be64(MACHINE(s)->ram_size) };
    static const char compatible[] = "starfive,visionfive-2-v1.3b\0starfive,jh7110";
    int err = fdt_open_into(from, fdt, room);

    memory = err ? err : fdt_path_offset(fdt, "/memory@40000000");
    if (memory < 0) {
        error_report("visionfive2: device tree in u-boot.itb: %s", fdt_strerror(memory));
        exit(1);
    }
    fdt_setprop(fdt, memory, "reg", reg, sizeof(reg));
    fdt_setprop_string(fdt, 0, "model", "StarFive VisionFive 2 v1.3B");
    fdt_setprop(fdt, 0, "compatible", compatible, sizeof(compatible));
    chosen = fdt_path_offset(fdt, "/chosen");
    if (s->boot_hart && chosen >= 0) {
        fdt_setprop_u32(fdt, chosen, "starfive,boot-hart-id", s->boot_hart);
    }
    if (s->no_delay) { /* U-Boot's countdown is two thirds of the way to the kernel */
        int config = fdt_path_offset(fdt, "/config");

        fdt_setprop_u32(fdt, config < 0 ? fdt_add_subnode(fdt, 0, "config") : config, "bootdelay", 0);
    }
    fdt_pack(fdt);
    return fdt;
}

static void load_firmware(VisionFive2 *s)
{
    static const uint32_t enter[] = {
        0x00000297, /* auipc t0, 0 */
        0x10028613, /* addi a2, t0, 0x100: fw_dynamic_info */
        0xf1402573, /* csrr a0, mhartid */
        0x0202b583, /* ld a1, 32(t0) */
        0x0182b283, /* ld t0, 24(t0) */
        0x00028067, /* jr t0 */
    };
    g_autofree void *fit = read_fit(s);
    uint64_t rom[5] = { 0 }, opensbi, uboot, fdt_at;
    int config, len;
    const void *data;
    g_autofree void *fdt = NULL;
    struct fw_dynamic_info info;
    g_autofree char *path = NULL;

    config = fdt_path_offset(fit, "/configurations");
    path = g_strdup_printf("/configurations/%s", config < 0 ? "" : (const char *)fdt_getprop(fit, config, "default", NULL));
    config = fdt_path_offset(fit, path);
    data = fit_image(fit, config, "firmware", &len, &opensbi);
    rom_add_blob_fixed("opensbi", data, len, opensbi);
    data = fit_image(fit, config, "loadables", &len, &uboot);
    rom_add_blob_fixed("u-boot", data, len, uboot);
    data = fit_image(fit, config, "fdt", &len, &fdt_at);
    fdt = patch_fdt(s, data, len);
    fdt_at = fdt_at ? fdt_at : 0x40400000;
    rom_add_blob_fixed("fdt", fdt, fdt_totalsize(fdt), fdt_at);

    memcpy(rom, enter, sizeof(enter));
    rom[3] = opensbi;
    rom[4] = fdt_at;
    rom_add_blob_fixed("boot-rom", rom, sizeof(rom), ROM_BASE);
    info = (struct fw_dynamic_info) {
        .magic = cpu_to_le64(FW_DYNAMIC_INFO_MAGIC_VALUE), .version = cpu_to_le64(2), .next_addr = cpu_to_le64(uboot),
        .next_mode = cpu_to_le64(FW_DYNAMIC_INFO_NEXT_MODE_S), .options = cpu_to_le64(1),
        .boot_hart = cpu_to_le64(s->boot_hart ? s->boot_hart : UINT64_MAX),
    };
    rom_add_blob_fixed("fw-dynamic", &info, sizeof(info), ROM_BASE + ROM_DYNAMIC);
}

static void vf2_init(MachineState *machine)
{
    VisionFive2 *s = VISIONFIVE2(machine);
    MemoryRegion *rom = g_new(MemoryRegion, 1), *lim = g_new(MemoryRegion, 1);

    if (machine->ram_size != 2 * GiB && machine->ram_size != 4 * GiB && machine->ram_size != 8 * GiB) {
        error_report("visionfive2: the board comes with 2, 4 or 8 GiB");
        exit(1);
    }
    memory_region_add_subregion(get_system_memory(), RAM_BASE, machine->ram);
    memory_region_init_rom(rom, NULL, "visionfive2.rom", ROM_SIZE, &error_fatal);
    memory_region_add_subregion(get_system_memory(), ROM_BASE, rom);
    memory_region_init_ram(lim, NULL, "visionfive2.lim", 2 * MiB, &error_fatal);
    memory_region_add_subregion(get_system_memory(), 0x08000000, lim);
    add_soc(s);
    load_firmware(s);
}

static bool get_no_delay(Object *obj, Error **errp)
{
    return VISIONFIVE2(obj)->no_delay;
}

static void set_no_delay(Object *obj, bool value, Error **errp)
{
    VISIONFIVE2(obj)->no_delay = value;
}

static void vf2_instance_init(Object *obj)
{
    VisionFive2 *s = VISIONFIVE2(obj);

    object_property_add_uint32_ptr(obj, "boot-hart", &s->boot_hart, OBJ_PROP_FLAG_READWRITE);
    object_property_set_description(obj, "boot-hart", "hart 1 to 4 that OpenSBI is told to boot on (0: whichever comes first)");
    object_property_add_bool(obj, "no-delay", get_no_delay, set_no_delay);
    object_property_set_description(obj, "no-delay", "tell U-Boot, by its device tree, not to wait for a key");
}

static void vf2_class_init(ObjectClass *oc, void *data)
{
    MachineClass *mc = MACHINE_CLASS(oc);

    mc->desc = "StarFive VisionFive 2 (JH7110)";
    mc->init = vf2_init;
    mc->min_cpus = mc->max_cpus = mc->default_cpus = NHARTS;
    mc->default_cpu_type = NULL;
    mc->default_ram_size = 4 * GiB;
    mc->default_ram_id = "visionfive2.ram";
    mc->block_default_type = IF_SD;
}

static const TypeInfo vf2_info = {
    .name = TYPE_VISIONFIVE2,
    .parent = TYPE_MACHINE,
    .instance_size = sizeof(VisionFive2),
    .instance_init = vf2_instance_init,
    .class_init = vf2_class_init,
};

static void vf2_register(void)
{
    type_register_static(&vf2_info);
}
type_init(vf2_register)
