/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Models of the blocks of StarFive's JH7110, as far as OpenSBI, U-Boot, Linux and Gnomon touch them.
 *
 * Sources are named in the board's facts sheet; "6.12" and "U-Boot" below are the drivers of Linux 6.12 and U-Boot 2025.01.
 * What hardware would not forgive is not forgiven here: a register of a block without clock, or held in reset, reads zero, drops writes, and makes a
 * LOG_GUEST_ERROR line.
 */
#ifndef HW_VISIONFIVE2_JH7110_H
#define HW_VISIONFIVE2_JH7110_H

#include "hw/sysbus.h"
#include "hw/i2c/i2c.h"
#include "hw/sd/sd.h"
#include "hw/char/serial.h"
#include "qemu/timer.h"
#include "qom/object.h"

/* ---- clock and reset generators: SYSCRG, STGCRG, AONCRG ---- */

#define TYPE_JH7110_CRG "jh7110-crg"
OBJECT_DECLARE_SIMPLE_TYPE(JH7110CRG, JH7110_CRG)

#define CRG_WORDS 256

struct JH7110CRG {
    SysBusDevice parent;
    MemoryRegion mmio;
    uint32_t regs[CRG_WORDS];
    int64_t gated_at[CRG_WORDS]; /* virtual time when a clock's gate was closed */
    uint32_t kind;          /* which of the three */
    DeviceState *syscon;    /* SYSCRG: where the PLLs are */
};

enum { CRG_SYS, CRG_STG, CRG_AON };

/* Clock ids: include/dt-bindings/clock/starfive,jh7110-crg.h */
enum {
    CLK_CPU_ROOT = 0, CLK_BUS_ROOT = 5, CLK_AXI_CFG0 = 7, CLK_STG_AXIAHB = 8, CLK_AHB0 = 9, CLK_AHB1 = 10, CLK_APB_BUS = 11,
    CLK_APB0 = 12, CLK_QSPI_AHB = 87, CLK_QSPI_APB = 88, CLK_SDIO0_AHB = 91, CLK_SDIO1_AHB = 92, CLK_SDIO0_SDCARD = 93,
    CLK_SDIO1_SDCARD = 94, CLK_IOMUX_APB = 112, CLK_WDT_APB = 122, CLK_WDT_CORE = 123, CLK_TEMP_APB = 129, CLK_TEMP_CORE = 130,
    CLK_I2C0_APB = 138, CLK_UART0_APB = 145, CLK_UART0_CORE = 146,
    CLK_STG_SEC_AHB = 15, CLK_STG_SEC_MISC = 16,
};

bool jh7110_clock_on(JH7110CRG *crg, unsigned clock);
uint64_t jh7110_clock_rate(JH7110CRG *crg, unsigned clock); /* Hz; 0: off */
bool jh7110_in_reset(JH7110CRG *crg, unsigned reset);

/* What a block needs to answer at all; -1: nothing. */
typedef struct JH7110Gate {
    JH7110CRG *crg;
    int clock[2], reset[2];
    const char *name;
} JH7110Gate;

bool jh7110_gate_open(const JH7110Gate *gate, hwaddr offset);
/* The block's clock was stopped no longer ago than harts may be apart from each other (see jh7110_crg.c). */
bool jh7110_gate_closes(const JH7110Gate *gate);

/* ---- register blocks that mostly store: syscon, pins, PMU, watchdog, TRNG, temperature, L2, QSPI ... ---- */

#define TYPE_JH7110_REGS "jh7110-regs"
OBJECT_DECLARE_SIMPLE_TYPE(JH7110Regs, JH7110_REGS)

typedef struct JH7110RegsKind JH7110RegsKind;

struct JH7110Regs {
    SysBusDevice parent;
    MemoryRegion mmio;
    uint32_t kind;
    uint64_t size;
    uint32_t *regs;
    JH7110Gate gate;
    qemu_irq irq;
    QEMUTimer *timer;
    uint32_t aux;         /* by kind */
    int64_t stamp;
    const JH7110RegsKind *ops;
};

enum {
    REGS_PLAIN, REGS_SYS_SYSCON, REGS_IOMUX, REGS_AON_IOMUX, REGS_PMU, REGS_WDT, REGS_TRNG, REGS_TEMP, REGS_CCACHE, REGS_QSPI, REGS_ECAM,
    REGS_KINDS,
};

uint64_t jh7110_pll_rate(JH7110Regs *syscon, unsigned pll);
void jh7110_iomux_card_detect(void *opaque, int n, int level); /* level: a card is in */

/* ---- DesignWare APB UART ---- */

#define TYPE_DW_UART "dw-apb-uart"
OBJECT_DECLARE_SIMPLE_TYPE(DWUart, DW_UART)

struct DWUart {
    SysBusDevice parent;
    MemoryRegion mmio;
    SerialState serial;
    JH7110Gate gate;
    qemu_irq irq;
    bool serial_level, busy_level; /* the 16550's interrupt; LCR written while busy */
    int64_t busy_until;
};

/* ---- DesignWare I2C master, with the board's PMIC and EEPROM ---- */

#define TYPE_DW_I2C "dw-i2c"
OBJECT_DECLARE_SIMPLE_TYPE(DWI2C, DW_I2C)

#define DW_I2C_FIFO 16

struct DWI2C {
    SysBusDevice parent;
    MemoryRegion mmio;
    I2CBus *bus;
    JH7110Gate gate;
    qemu_irq irq;
    uint32_t regs[64];
    uint8_t rx[DW_I2C_FIFO];
    unsigned rx_head, rx_count;
    uint32_t raw, abort_source;
    bool active, active_recv;
};

#define TYPE_AXP15060 "axp15060"
#define TYPE_JH7110_EEPROM "jh7110-eeprom"

/* ---- DesignWare mobile storage host ---- */

#define TYPE_DW_MMC "dw-mmc"
OBJECT_DECLARE_SIMPLE_TYPE(DWMMC, DW_MMC)

#define DW_MMC_FIFO 32 /* words */

struct DWMMC {
    SysBusDevice parent;
    MemoryRegion mmio;
    SDBus bus;
    JH7110Gate gate;
    JH7110CRG *crg;
    uint32_t ciu_clock;             /* id of the card clock's source */
    qemu_irq irq;
    qemu_irq card_in;               /* level: a card is in (wired to a pin) */
    uint32_t regs[64];              /* 0x00..0xff, as written or shown */
    uint32_t ext[8];                /* 0x100..0x11c */
    uint32_t fifo[DW_MMC_FIFO];
    unsigned fifo_head, fifo_count; /* words */

    uint32_t latched_div, latched_ena;  /* what the last update-clock command took over */

    QEMUTimer *cmd_timer, *data_timer, *fault_timer;
    uint32_t cmd;                   /* in progress */
    bool cmd_waits;                 /* for the data line */
    bool cmd_accepted;              /* response is on its way */
    unsigned cmd_phase;             /* taken, sent, answered */
    int64_t busy_until;             /* card holds DAT0 low */

    /* the data transfer */
    bool data_active, data_write, data_auto_stop, data_stalled;
    uint32_t data_left;             /* bytes still to cross the card's side */
    uint8_t block[4096];
    unsigned block_len, block_pos, block_have;
    int64_t data_deadline;          /* virtual time of the next step */

    /* internal DMA */
    bool dma_running, dma_suspended;
    uint32_t dma_next, dma_buf, dma_len, dma_ctrl, dma_cur;

    /* what the card was told */
    bool app_cmd, card_ident, card_wide, card_fast, card_pulled;

    /* faults to inject */
    uint32_t crc_every, crc_burst, timeout_every, stuck_after, stuck_ms, pull_at_ms, back_at_ms, arm_sector, real_sectors;
    bool write_protect, armed, refused, card_large;
    int64_t pull_ns, back_ns;
    uint32_t data_sector;           /* next block of the transfer */
    uint64_t nblocks, ncmds;
    unsigned crc_left;
    uint32_t write_busy_us, read_access_us;
    bool present;
};

#endif
