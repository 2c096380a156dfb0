/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DesignWare I2C master (DW_apb_i2c), polled or by interrupt, transfers at once; and the two parts on the board's bus 5: the AXP15060 power
 * controller (a file of 256 bytes; writing register 0x32 switches off or restarts) and the EEPROM that says which board this is.
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "hw/visionfive2/jh7110.h"
#include "system/runstate.h"

#define R_CON       0x00
#define R_TAR       0x04
#define R_DATA_CMD  0x10
#define R_INTR_STAT 0x2c
#define R_INTR_MASK 0x30
#define R_RAW_INTR  0x34
#define R_RX_TL     0x38
#define R_CLR_INTR  0x40
#define R_CLR_RX_UNDER 0x44
#define R_CLR_TX_ABRT  0x54
#define R_CLR_ACTIVITY 0x5c
#define R_CLR_STOP  0x60
#define R_CLR_START 0x64
#define R_ENABLE    0x6c
#define R_STATUS    0x70
#define R_TXFLR     0x74
#define R_RXFLR     0x78
#define R_TX_ABRT_SOURCE 0x80
#define R_ENABLE_STATUS  0x9c
#define R_COMP_PARAM 0xf4
#define R_COMP_VERSION 0xf8
#define R_COMP_TYPE 0xfc

#define INTR_RX_UNDER (1u << 0)
#define INTR_RX_FULL  (1u << 2)
#define INTR_TX_EMPTY (1u << 4)
#define INTR_TX_ABRT  (1u << 6)
#define INTR_ACTIVITY (1u << 8)
#define INTR_STOP     (1u << 9)
#define INTR_START    (1u << 10)

#define DATA_READ (1u << 8)
#define DATA_STOP (1u << 9)
#define DATA_RESTART (1u << 10)

static uint32_t *reg(DWI2C *s, hwaddr addr)
{
    return &s->regs[addr / 4];
}

static void i2c_update(DWI2C *s)
{
    bool on = *reg(s, R_ENABLE) & 1;

    s->raw &= ~(INTR_RX_FULL | INTR_TX_EMPTY);
    if (on) {
        s->raw |= INTR_TX_EMPTY; /* what is written is sent at once */
        if (s->rx_count > *reg(s, R_RX_TL)) {
            s->raw |= INTR_RX_FULL;
        }
    }
    qemu_set_irq(s->irq, s->raw & *reg(s, R_INTR_MASK));
}

static void i2c_stop(DWI2C *s)
{
    if (s->active) {
        i2c_end_transfer(s->bus);
        s->active = false;
        s->raw |= INTR_STOP;
    }
}

static void i2c_abort(DWI2C *s, uint32_t why)
{
    i2c_stop(s);
    s->abort_source = why;
    s->raw |= INTR_TX_ABRT;
}

static void i2c_command(DWI2C *s, uint32_t v)
{
    bool recv = v & DATA_READ;

    if (!(*reg(s, R_ENABLE) & 1)) {
        qemu_log_mask(LOG_GUEST_ERROR, "dw-i2c: command while disabled\n");
        return;
    }
    if (s->raw & INTR_TX_ABRT) {
        return; /* flushed until the abort is cleared */
    }
    if (!s->active || recv != s->active_recv || (v & DATA_RESTART)) {
        if (i2c_start_transfer(s->bus, *reg(s, R_TAR) & 0x7f, recv)) {
            s->active = true;
            i2c_abort(s, 1); /* 7-bit address not acknowledged */
            return;
        }
        s->active = true;
        s->active_recv = recv;
        s->raw |= INTR_START | INTR_ACTIVITY;
    }
    if (recv) {
        uint8_t byte = i2c_recv(s->bus);

        if (s->rx_count < DW_I2C_FIFO) {
            s->rx[(s->rx_head + s->rx_count++) % DW_I2C_FIFO] = byte;
        }
    } else if (i2c_send(s->bus, v & 0xff)) {
        i2c_abort(s, 1 << 3); /* data not acknowledged */
        return;
    }
    if (v & DATA_STOP) {
        i2c_stop(s);
    }
}

static uint32_t i2c_pop(DWI2C *s)
{
    uint8_t byte;

    if (!s->rx_count) {
        s->raw |= INTR_RX_UNDER;
        return 0;
    }
    byte = s->rx[s->rx_head];
    s->rx_head = (s->rx_head + 1) % DW_I2C_FIFO;
    s->rx_count--;
    return byte;
}

/* Reading a clear register clears. */
static uint32_t i2c_clear(DWI2C *s, uint32_t bits)
{
    uint32_t was = s->raw & bits;

    s->raw &= ~bits;
    if (bits & INTR_TX_ABRT) {
        s->abort_source = 0;
    }
    return was != 0;
}

static uint64_t dw_i2c_read(void *opaque, hwaddr addr, unsigned size)
{
    DWI2C *s = opaque;
    uint32_t v = 0;

    /*
     * Linux's handler reads these two before it asks whether the block is suspended.  U-Boot leaves an interrupt pending in the PLIC (it polls with STOP_DET
     * unmasked); so the handler is called as soon as the driver's probe asks for the line, microseconds before the block is suspended for
     * the first time: on the board always before that, here sometimes after it.
     */
    if ((addr == R_ENABLE || addr == R_RAW_INTR) && jh7110_gate_closes(&s->gate)) {
        qemu_log_mask(LOG_UNIMP, "%s+%#" HWADDR_PRIx ": read a turn late\n", s->gate.name, addr); /* -d unimp shows it */
        return 0;
    }
    if (!jh7110_gate_open(&s->gate, addr)) {
        return 0;
    }
    switch (addr) {
    case R_DATA_CMD:
        v = i2c_pop(s);
        break;
    case R_INTR_STAT:
        v = s->raw & *reg(s, R_INTR_MASK);
        break;
    case R_RAW_INTR:
        v = s->raw;
        break;
    case R_CLR_INTR:
        v = i2c_clear(s, ~(INTR_RX_FULL | INTR_TX_EMPTY));
        break;
    case R_CLR_RX_UNDER:
        v = i2c_clear(s, INTR_RX_UNDER);
        break;
    case R_CLR_TX_ABRT:
        v = i2c_clear(s, INTR_TX_ABRT);
        break;
    case R_CLR_ACTIVITY:
        v = i2c_clear(s, INTR_ACTIVITY);
        break;
    case R_CLR_STOP:
        v = i2c_clear(s, INTR_STOP);
        break;
    case R_CLR_START:
        v = i2c_clear(s, INTR_START);
        break;
    case R_STATUS:
        v = 2 | 4 | (s->rx_count ? 8 : 0) | (s->rx_count == DW_I2C_FIFO ? 16 : 0);
        break;
    case R_TXFLR:
        break;
    case R_RXFLR:
        v = s->rx_count;
        break;
    case R_TX_ABRT_SOURCE:
        v = s->abort_source;
        break;
    case R_ENABLE_STATUS:
        v = *reg(s, R_ENABLE) & 1;
        break;
    case R_COMP_PARAM:
        v = (DW_I2C_FIFO - 1) << 16 | (DW_I2C_FIFO - 1) << 8 | 0xee;
        break;
    case R_COMP_VERSION:
        v = 0x3132302a;
        break;
    case R_COMP_TYPE:
        v = 0x44570140;
        break;
    default:
        v = addr < sizeof(s->regs) ? *reg(s, addr) : 0;
    }
    i2c_update(s);
    return v;
}

static void dw_i2c_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    DWI2C *s = opaque;

    if (!jh7110_gate_open(&s->gate, addr) || addr >= sizeof(s->regs)) {
        return;
    }
    if (addr == R_DATA_CMD) {
        i2c_command(s, value);
    } else {
        *reg(s, addr) = value;
        if (addr == R_ENABLE && !(value & 1)) {
            i2c_stop(s);
            s->raw = 0;
            s->rx_count = 0;
        }
    }
    i2c_update(s);
}

static const MemoryRegionOps dw_i2c_ops = {
    .read = dw_i2c_read,
    .write = dw_i2c_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

static void dw_i2c_reset_hold(Object *obj, ResetType type)
{
    DWI2C *s = DW_I2C(obj);

    memset(s->regs, 0, sizeof(s->regs));
    *reg(s, R_CON) = 0x65;
    s->raw = s->abort_source = 0;
    s->rx_count = s->rx_head = 0;
    s->active = false;
}

static void dw_i2c_init(Object *obj)
{
    DWI2C *s = DW_I2C(obj);

    memory_region_init_io(&s->mmio, obj, &dw_i2c_ops, s, "dw-i2c", 0x10000);
    sysbus_init_mmio(SYS_BUS_DEVICE(obj), &s->mmio);
    sysbus_init_irq(SYS_BUS_DEVICE(obj), &s->irq);
    s->bus = i2c_init_bus(DEVICE(obj), "i2c");
}

static void dw_i2c_class_init(ObjectClass *oc, void *data)
{
    RESETTABLE_CLASS(oc)->phases.hold = dw_i2c_reset_hold;
}

/* ---- slaves with a byte pointer: PMIC (one address byte) and 24C04 (one, its upper half at the next bus address) ---- */

typedef struct ByteSlave {
    I2CSlave parent;
    uint8_t mem[512];
    unsigned pointer, half;
    bool have_pointer;
    char *product;
} ByteSlave;

DECLARE_INSTANCE_CHECKER(ByteSlave, AXP15060, TYPE_AXP15060)
DECLARE_INSTANCE_CHECKER(ByteSlave, EEPROM, TYPE_JH7110_EEPROM)

static int byte_event(I2CSlave *i2c, enum i2c_event event)
{
    ByteSlave *s = (ByteSlave *)i2c;

    if (event == I2C_START_SEND) {
        s->have_pointer = false;
    }
    return 0;
}

static uint8_t byte_recv(I2CSlave *i2c)
{
    ByteSlave *s = (ByteSlave *)i2c;

    return s->mem[s->half + (s->pointer++ & 0xff)];
}

static int pmic_send(I2CSlave *i2c, uint8_t data)
{
    ByteSlave *s = (ByteSlave *)i2c;

    if (!s->have_pointer) {
        s->pointer = data;
        s->have_pointer = true;
        return 0;
    }
    s->mem[s->pointer & 0xff] = data;
    if ((s->pointer & 0xff) == 0x32) {
        if (data & 0x80) {
            qemu_system_shutdown_request(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
        } else if (data & 0x40) {
            qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
        }
    }
    s->pointer++;
    return 0;
}

static void pmic_reset_hold(Object *obj, ResetType type)
{
    ByteSlave *s = AXP15060(obj);

    memset(s->mem, 0, sizeof(s->mem));
    s->mem[0x03] = 0x50;                    /* chip id */
    s->mem[0x10] = 0x3f;                    /* outputs on */
    s->mem[0x11] = s->mem[0x12] = 0xff;
    s->mem[0x13] = 0x12;                    /* DCDC1: 3.3 V */
    s->mem[0x14] = 0x28;                    /* DCDC2: 0.9 V */
}

static int eeprom_send(I2CSlave *i2c, uint8_t data)
{
    ByteSlave *s = (ByteSlave *)i2c;

    if (!s->have_pointer) {
        s->pointer = data;
        s->have_pointer = true;
    } else {
        s->pointer++; /* write-protected */
    }
    return 0;
}

static uint16_t crc16(const uint8_t *p, unsigned n)
{
    uint16_t crc = 0;

    while (n--) {
        crc ^= (uint16_t)*p++ << 8;
        for (unsigned i = 0; i < 8; i++) {
            crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
        }
    }
    return crc;
}

/* U-Boot, board/starfive/visionfive2/visionfive2-i2c-eeprom.c: header, atom 1 (product), atom 4 (revision, MACs) */
static void eeprom_fill(ByteSlave *s)
{
    uint8_t *m = s->mem;

    memset(m, 0xff, sizeof(s->mem));
    memcpy(m, "SFVF\2\0\2\0", 8);
    stl_le_p(m + 8, 0x88);
    stw_le_p(m + 0x0c, 1);
    stw_le_p(m + 0x0e, 1);
    stl_le_p(m + 0x10, 0x58);
    memset(m + 0x14, 0, 0x56);
    memcpy(m + 0x2a, "StarFive Technology Co., Ltd.", 29);
    memcpy(m + 0x4a, s->product, MIN(strlen(s->product), 32));
    stw_le_p(m + 0x6a, crc16(m + 0x0c, 0x6a - 0x0c));
    stw_le_p(m + 0x6c, 4);
    stw_le_p(m + 0x6e, 2);
    stl_le_p(m + 0x70, 0x14);
    m[0x74] = m[0x75] = 0;
    stw_le_p(m + 0x74, 1);
    m[0x76] = 0xb2;
    m[0x77] = 'A';
    memcpy(m + 0x78, "\x6c\xcf\x39\x00\x00\x01\x6c\xcf\x39\x00\x00\x02", 12);
    memset(m + 0x84, 0, 2);
    stw_le_p(m + 0x86, crc16(m + 0x6c, 0x86 - 0x6c));
}

static void eeprom_realize(DeviceState *dev, Error **errp)
{
    eeprom_fill(EEPROM(dev));
}

static const Property eeprom_props[] = {
    DEFINE_PROP_STRING("product", ByteSlave, product),
};

static void pmic_class_init(ObjectClass *oc, void *data)
{
    I2CSlaveClass *k = I2C_SLAVE_CLASS(oc);

    k->event = byte_event;
    k->recv = byte_recv;
    k->send = pmic_send;
    RESETTABLE_CLASS(oc)->phases.hold = pmic_reset_hold;
}

static void eeprom_class_init(ObjectClass *oc, void *data)
{
    I2CSlaveClass *k = I2C_SLAVE_CLASS(oc);

    k->event = byte_event;
    k->recv = byte_recv;
    k->send = eeprom_send;
    DEVICE_CLASS(oc)->realize = eeprom_realize;
    device_class_set_props(DEVICE_CLASS(oc), eeprom_props);
}

static const TypeInfo infos[] = {
    { .name = TYPE_DW_I2C, .parent = TYPE_SYS_BUS_DEVICE, .instance_size = sizeof(DWI2C), .instance_init = dw_i2c_init,
      .class_init = dw_i2c_class_init },
    { .name = TYPE_AXP15060, .parent = TYPE_I2C_SLAVE, .instance_size = sizeof(ByteSlave), .class_init = pmic_class_init },
    { .name = TYPE_JH7110_EEPROM, .parent = TYPE_I2C_SLAVE, .instance_size = sizeof(ByteSlave), .class_init = eeprom_class_init },
};
DEFINE_TYPES(infos)
