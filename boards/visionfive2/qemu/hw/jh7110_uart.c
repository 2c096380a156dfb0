/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DesignWare APB UART: QEMU's 16550 at 4-byte distance, and what differs.  A write of LCR or of the divisor while a character is on its way is
 * dropped and reported as interrupt id 7 (busy detect) until USR is read (DW_apb_uart databook, "Busy functionality").
 */
#include "qemu/osdep.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "hw/visionfive2/jh7110.h"

#define R_IIR  2
#define R_LCR  3
#define R_USR  0x7c
#define R_CPR  0xf4
#define R_UCV  0xf8
#define R_CTR  0xfc
#define LCR_DLAB 0x80
#define IIR_BUSY 7
#define CLOCK_HZ 24000000

static void uart_update_irq(DWUart *s)
{
    qemu_set_irq(s->irq, s->serial_level || s->busy_level);
}

static void uart_serial_irq(void *opaque, int n, int level)
{
    DWUart *s = opaque;

    s->serial_level = level;
    uart_update_irq(s);
}

static bool uart_busy(DWUart *s)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) < s->busy_until;
}

/* Ten bits at the present speed. */
static void uart_sends(DWUart *s)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    int64_t time = (int64_t)MAX(s->serial.divider, 1) * 16 * 10 * NANOSECONDS_PER_SECOND / CLOCK_HZ;

    s->busy_until = MAX(s->busy_until, now) + time;
}

static uint64_t uart_read(void *opaque, hwaddr addr, unsigned size)
{
    DWUart *s = opaque;
    uint64_t lsr;

    if (!jh7110_gate_open(&s->gate, addr)) {
        return 0;
    }
    switch (addr) {
    case 0 ... 0x1f:
        if (addr >> 2 == R_IIR && s->busy_level) {
            return IIR_BUSY;
        }
        return serial_io_ops.read(&s->serial, addr >> 2, 1);
    case R_USR:
        if (s->busy_level) {
            s->busy_level = false;
            uart_update_irq(s);
        }
        lsr = s->serial.lsr;
        return (uart_busy(s) ? 1 : 0) | 2 | (uart_busy(s) ? 0 : 4) | (lsr & 1 ? 8 : 0);
    case R_CPR:
        return 0x00013f32; /* FIFO 16 deep, additional features, 32 bits wide */
    case R_UCV:
        return 0x3331342a;
    case R_CTR:
        return 0x44570110;
    }
    return 0;
}

static void uart_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    DWUart *s = opaque;
    unsigned reg = addr >> 2;
    bool divisor;

    if (!jh7110_gate_open(&s->gate, addr) || addr >= 0x20) {
        return;
    }
    divisor = (s->serial.lcr & LCR_DLAB) && reg <= 1;
    if ((reg == R_LCR || divisor) && uart_busy(s)) {
        s->busy_level = true;
        uart_update_irq(s);
        return;
    }
    if (reg == 0 && !divisor) {
        uart_sends(s);
    }
    serial_io_ops.write(&s->serial, reg, value & 0xff, 1);
}

static const MemoryRegionOps uart_ops = {
    .read = uart_read,
    .write = uart_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

static void uart_reset_hold(Object *obj, ResetType type)
{
    DWUart *s = DW_UART(obj);

    s->busy_until = 0;
    s->busy_level = s->serial_level = false;
}

static void uart_realize(DeviceState *dev, Error **errp)
{
    DWUart *s = DW_UART(dev);

    s->serial.irq = qemu_allocate_irq(uart_serial_irq, s, 0);
    qdev_prop_set_uint32(DEVICE(&s->serial), "baudbase", CLOCK_HZ / 16);
    if (!qdev_realize(DEVICE(&s->serial), NULL, errp)) {
        return;
    }
    memory_region_init_io(&s->mmio, OBJECT(s), &uart_ops, s, "dw-apb-uart", 0x10000);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
    sysbus_init_irq(SYS_BUS_DEVICE(dev), &s->irq);
}

static void uart_init(Object *obj)
{
    DWUart *s = DW_UART(obj);

    object_initialize_child(obj, "serial", &s->serial, TYPE_SERIAL);
    qdev_alias_all_properties(DEVICE(&s->serial), obj);
}

static void uart_class_init(ObjectClass *oc, void *data)
{
    DEVICE_CLASS(oc)->realize = uart_realize;
    RESETTABLE_CLASS(oc)->phases.hold = uart_reset_hold;
}

static const TypeInfo uart_info = {
    .name = TYPE_DW_UART,
    .parent = TYPE_SYS_BUS_DEVICE,
    .instance_size = sizeof(DWUart),
    .instance_init = uart_init,
    .class_init = uart_class_init,
};

static void uart_register(void)
{
    type_register_static(&uart_info);
}
type_init(uart_register)
