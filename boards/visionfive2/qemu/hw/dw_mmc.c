/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DesignWare mobile storage host, 32-bit, with internal DMA, one slot, as in the JH7110 (VERID 290a).
 *
 * Time is the point of this model: a command takes its bits at the card clock that was last latched by an update-clock command, a block its bits at the
 * width in CTYPE, and steps follow each other at absolute deadlines, so that a transfer takes what a card of this clock takes whatever
 * the host does.  Command-done and data-over are events of their own.
 *
 * A transfer crosses two sides.  Card side: one block at a time is in `block`.  Host side: the FIFO (PIO) or descriptors (IDMAC).  Where the
 * host side has no room or no data the card clock stops (data_stalled) until it has.
 *
 * Timers may run in the thread of a vCPU (-icount): what waits for block I/O there wakes the main loop afterwards.
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qapi/error.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "hw/visionfive2/jh7110.h"
#include "system/dma.h"

#define R_CTRL    0x00
#define R_CLKDIV  0x08
#define R_CLKENA  0x10
#define R_TMOUT   0x14
#define R_CTYPE   0x18
#define R_BLKSIZ  0x1c
#define R_BYTCNT  0x20
#define R_INTMASK 0x24
#define R_CMDARG  0x28
#define R_CMD     0x2c
#define R_RESP0   0x30
#define R_MINTSTS 0x40
#define R_RINTSTS 0x44
#define R_STATUS  0x48
#define R_FIFOTH  0x4c
#define R_TCBCNT  0x5c
#define R_TBBCNT  0x60
#define R_VERID   0x6c
#define R_HCON    0x70
#define R_BMOD    0x80
#define R_PLDMND  0x84
#define R_DBADDR  0x88
#define R_IDSTS   0x8c
#define R_IDINTEN 0x90
#define R_DSCADDR 0x94
#define R_BUFADDR 0x98
#define R_EXT     0x100
#define R_DATA    0x200

#define CTRL_RESET   (1u << 0)
#define CTRL_FIFO    (1u << 1)
#define CTRL_DMA     (1u << 2)
#define CTRL_INT     (1u << 4)
#define CTRL_DMA_ENA (1u << 5)
#define CTRL_IDMAC   (1u << 25)

#define CMD_RESPONSE (1u << 6)
#define CMD_LONG     (1u << 7)
#define CMD_DATA     (1u << 9)
#define CMD_WRITE    (1u << 10)
#define CMD_AUTOSTOP (1u << 12)
#define CMD_WAIT     (1u << 13)
#define CMD_STOP     (1u << 14)
#define CMD_INIT     (1u << 15)
#define CMD_CLOCK    (1u << 21)
#define CMD_START    (1u << 31)

#define INT_CD       (1u << 0)
#define INT_CMD      (1u << 2)
#define INT_DTO      (1u << 3)
#define INT_TXDR     (1u << 4)
#define INT_RXDR     (1u << 5)
#define INT_DCRC     (1u << 7)
#define INT_RTO      (1u << 8)
#define INT_DRTO     (1u << 9)
#define INT_FRUN     (1u << 11)
#define INT_HLE      (1u << 12)
#define INT_ACD      (1u << 14)
#define INT_EBE      (1u << 15)

#define BMOD_SWR     (1u << 0)
#define BMOD_DE      (1u << 7)

#define ID_TI        (1u << 0)
#define ID_RI        (1u << 1)
#define ID_FBE       (1u << 2)
#define ID_DU        (1u << 4)
#define ID_CES       (1u << 5)
#define ID_NIS       (1u << 8)
#define ID_AIS       (1u << 9)

#define DES_DIC      (1u << 1)
#define DES_LD       (1u << 2)
#define DES_CH       (1u << 4)
#define DES_ER       (1u << 5)
#define DES_OWN      (1u << 31)

#define BUS_IDENT_HZ   400000
#define BUS_DEFAULT_HZ 25000000
#define BUS_FAST_HZ    50000000

static void mmc_data_step(DWMMC *s);
static void mmc_command_begin(DWMMC *s);

static uint32_t *reg(DWMMC *s, hwaddr addr)
{
    return &s->regs[addr / 4];
}

static int64_t now_ns(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

/* ---- the card clock ---- */

static uint64_t card_hz(DWMMC *s)
{
    uint64_t ciu = jh7110_clock_rate(s->crg, s->ciu_clock);

    if (!(s->latched_ena & 1)) {
        return 0;
    }
    return s->latched_div ? ciu / (2 * s->latched_div) : ciu;
}

static int64_t clocks_ns(DWMMC *s, uint64_t clocks)
{
    uint64_t hz = card_hz(s);

    return hz ? muldiv64(clocks, NANOSECONDS_PER_SECOND, hz) : 0;
}

static unsigned bus_width(DWMMC *s)
{
    return *reg(s, R_CTYPE) & 0x10000 ? 8 : *reg(s, R_CTYPE) & 1 ? 4 : 1;
}

/* ---- interrupts ---- */

static bool pio(DWMMC *s)
{
    return !(*reg(s, R_CTRL) & CTRL_IDMAC);
}

static void mmc_update(DWMMC *s)
{
    uint32_t th = *reg(s, R_FIFOTH), *raw = reg(s, R_RINTSTS);
    bool level;

    /* requests come back while their condition holds */
    if (s->data_active && pio(s)) {
        if (!s->data_write && s->fifo_count > ((th >> 16) & 0xfff)) {
            *raw |= INT_RXDR;
        }
        if (s->data_write && s->fifo_count <= (th & 0xfff)) {
            *raw |= INT_TXDR;
        }
    }
    level = (*reg(s, R_CTRL) & CTRL_INT) && (*raw & *reg(s, R_INTMASK));
    level |= (*reg(s, R_IDSTS) & *reg(s, R_IDINTEN)) != 0;
    qemu_set_irq(s->irq, level);
}

static void mmc_raise(DWMMC *s, uint32_t bits)
{
    *reg(s, R_RINTSTS) |= bits;
    mmc_update(s);
}

static void idmac_raise(DWMMC *s, uint32_t bits)
{
    *reg(s, R_IDSTS) |= bits | (bits & (ID_TI | ID_RI) ? ID_NIS : 0) | (bits & (ID_FBE | ID_DU | ID_CES) ? ID_AIS : 0);
    mmc_update(s);
}

/* ---- internal DMA: descriptors of 16 bytes in 32-bit memory ---- */

/* The engine starts over from the list's head; DBADDR stays: Linux writes it once and resets before each transfer. */
static void idmac_reset(DWMMC *s)
{
    s->dma_running = s->dma_suspended = false;
    s->dma_len = 0;
    s->dma_next = *reg(s, R_DBADDR);
}

/* Loads the next descriptor; false: none, the engine is suspended or stopped. */
static bool idmac_fetch(DWMMC *s)
{
    uint32_t d[4];

    if (s->dma_suspended || !s->dma_running) {
        return false;
    }
    if (dma_memory_read(&address_space_memory, s->dma_next, d, sizeof(d), MEMTXATTRS_UNSPECIFIED) != MEMTX_OK) {
        qemu_log_mask(LOG_GUEST_ERROR, "dw-mmc: descriptor at %#x is not memory\n", s->dma_next);
        s->dma_running = false;
        idmac_raise(s, ID_FBE);
        return false;
    }
    s->dma_cur = s->dma_next;
    s->dma_ctrl = le32_to_cpu(d[0]);
    *reg(s, R_DSCADDR) = s->dma_cur;
    if (!(s->dma_ctrl & DES_OWN)) {
        s->dma_suspended = true;
        idmac_raise(s, ID_DU);
        return false;
    }
    s->dma_len = le32_to_cpu(d[1]) & 0x1fff;
    s->dma_buf = le32_to_cpu(d[2]);
    *reg(s, R_BUFADDR) = s->dma_buf;
    if ((s->dma_buf | s->dma_len) & 3) {
        qemu_log_mask(LOG_GUEST_ERROR, "dw-mmc: buffer %#x, %u bytes is not word-aligned\n", s->dma_buf, s->dma_len);
    }
    s->dma_next = s->dma_ctrl & DES_ER ? *reg(s, R_DBADDR) : s->dma_ctrl & DES_CH ? le32_to_cpu(d[3]) : s->dma_cur + 16;
    return true;
}

static void idmac_close(DWMMC *s)
{
    uint32_t ctrl = cpu_to_le32(s->dma_ctrl & ~DES_OWN);

    dma_memory_write(&address_space_memory, s->dma_cur, &ctrl, 4, MEMTXATTRS_UNSPECIFIED);
    if (!(s->dma_ctrl & DES_DIC)) {
        idmac_raise(s, s->data_write ? ID_TI : ID_RI);
    }
}

/* Moves up to n bytes between p and the descriptors' buffers; how many went. */
static unsigned idmac_move(DWMMC *s, uint8_t *p, unsigned n)
{
    unsigned done = 0;

    while (done < n) {
        unsigned part;
        MemTxResult r;

        if (!s->dma_len && !idmac_fetch(s)) {
            break;
        }
        part = MIN(n - done, s->dma_len);
        if (s->data_write) {
            r = dma_memory_read(&address_space_memory, s->dma_buf, p + done, part, MEMTXATTRS_UNSPECIFIED);
        } else {
            r = dma_memory_write(&address_space_memory, s->dma_buf, p + done, part, MEMTXATTRS_UNSPECIFIED);
        }
        if (r != MEMTX_OK) {
            qemu_log_mask(LOG_GUEST_ERROR, "dw-mmc: buffer at %#x is not memory\n", s->dma_buf);
            s->dma_running = false;
            idmac_raise(s, ID_FBE);
            break;
        }
        s->dma_buf += part;
        s->dma_len -= part;
        done += part;
        if (!s->dma_len) {
            idmac_close(s);
        }
    }
    return done;
}

/* ---- FIFO ---- */

static void fifo_push(DWMMC *s, uint32_t word)
{
    if (s->fifo_count == DW_MMC_FIFO) {
        mmc_raise(s, INT_FRUN);
        return;
    }
    s->fifo[(s->fifo_head + s->fifo_count++) % DW_MMC_FIFO] = word;
}

static uint32_t fifo_pop(DWMMC *s)
{
    uint32_t word;

    if (!s->fifo_count) {
        mmc_raise(s, INT_FRUN);
        return 0;
    }
    word = s->fifo[s->fifo_head];
    s->fifo_head = (s->fifo_head + 1) % DW_MMC_FIFO;
    s->fifo_count--;
    return word;
}

/* Host side of the block in hand: true when it is wholly moved (read) or wholly there (write). */
static bool host_side(DWMMC *s)
{
    if (!pio(s)) {
        s->block_pos += idmac_move(s, s->block + s->block_pos, s->block_len - s->block_pos);
    } else if (s->data_write) {
        while (s->block_pos < s->block_len && s->fifo_count) {
            uint32_t word = fifo_pop(s);

            stl_le_p(s->block + s->block_pos, word);
            s->block_pos += 4;
        }
    } else {
        while (s->block_pos < s->block_len && s->fifo_count < DW_MMC_FIFO) {
            fifo_push(s, ldl_le_p(s->block + s->block_pos));
            s->block_pos += 4;
        }
    }
    return s->block_pos >= s->block_len;
}

/* ---- data ---- */

static void data_end(DWMMC *s, uint32_t bits)
{
    s->data_active = s->data_stalled = false;
    timer_del(s->data_timer);
    if (bits & ~INT_DTO) {
        if (!pio(s)) {
            idmac_raise(s, ID_CES);
        }
        s->dma_running = false;
    }
    if (s->data_auto_stop && !(bits & ~INT_DTO)) {
        SDRequest request = { .cmd = 12 };
        uint8_t response[16] = { 0 };

        sdbus_do_command(&s->bus, &request, response);
        *reg(s, R_RESP0 + 4) = ldl_be_p(response);
        bits |= INT_ACD;
    }
    mmc_raise(s, bits | INT_DTO);
    if (s->cmd_waits) {
        mmc_command_begin(s);
    }
}

/* What makes a real card and controller misread each other. */
static bool bus_mismatch(DWMMC *s)
{
    uint64_t hz = card_hz(s);

    return bus_width(s) != (s->card_wide ? 4 : 1) || hz > (s->card_fast ? BUS_FAST_HZ : BUS_DEFAULT_HZ);
}

/* Cards of up to 2 GiB are told bytes. */
static uint32_t sector_of(DWMMC *s, uint32_t arg)
{
    return s->card_large ? arg : arg / 512;
}

/* Faults wait for the sector that arms them, so that a test need not know how long the way there takes. */
static void arm(DWMMC *s, unsigned index, uint32_t arg)
{
    int64_t from = s->arm_sector ? now_ns() : 0;

    if (s->armed || (s->arm_sector && (index < 17 || index > 25 || sector_of(s, arg) / 8 != s->arm_sector / 8))) {
        return;
    }
    s->armed = true;
    if (s->pull_at_ms) {
        s->pull_ns = from + s->pull_at_ms * 1000000ll;
        s->back_ns = s->back_at_ms > s->pull_at_ms ? from + s->back_at_ms * 1000000ll : 0;
        timer_mod(s->fault_timer, s->pull_ns);
    }
}

/* A counterfeit card's memory ends before what it says. */
static bool beyond(DWMMC *s)
{
    return s->refused || (s->real_sectors && s->data_sector++ >= s->real_sectors);
}

static bool inject_crc(DWMMC *s)
{
    if (!s->armed) {
        return false;
    }
    s->nblocks++;
    if (s->crc_every && s->nblocks % s->crc_every == 0) {
        s->crc_left = MAX(s->crc_burst, 1);
    }
    if (s->crc_left) {
        s->crc_left--;
        return true;
    }
    return false;
}

static int64_t block_ns(DWMMC *s)
{
    return clocks_ns(s, 1 + (uint64_t)s->block_len * 8 / bus_width(s) + 16 + 1 + 2);
}

static void data_schedule(DWMMC *s, int64_t from)
{
    s->data_deadline = from + block_ns(s);
    timer_mod(s->data_timer, s->data_deadline);
}

/* The next block to cross the card's side. */
static void data_next(DWMMC *s, int64_t from)
{
    s->block_len = MIN(MIN(*reg(s, R_BLKSIZ) & 0xffff, sizeof(s->block)), s->data_left);
    s->block_len = MAX(s->block_len, 1);
    s->block_pos = 0;
    s->data_stalled = false;
    if (s->data_write && !host_side(s)) {
        s->data_stalled = true; /* no data yet */
        mmc_update(s);
        return;
    }
    data_schedule(s, MAX(from, now_ns() - block_ns(s)));
}

/* A block has crossed and the host side has taken it. */
static void data_crossed(DWMMC *s)
{
    s->data_left -= s->block_len;
    *reg(s, R_TCBCNT) += s->block_len;
    *reg(s, R_TBBCNT) += s->block_len;
    if (s->data_left) {
        data_next(s, s->data_deadline);
        return;
    }
    if (s->data_write) {
        s->busy_until = now_ns() + s->write_busy_us * 1000ll;
        if (s->armed && s->stuck_after && s->nblocks >= s->stuck_after) {
            s->busy_until = s->stuck_ms ? now_ns() + s->stuck_ms * 1000000ll : INT64_MAX;
            s->stuck_after = 0;
        }
    }
    data_end(s, INT_DTO);
}

static void data_read_block(DWMMC *s)
{
    if (!s->present || beyond(s) || !sdbus_data_ready(&s->bus)) {
        data_end(s, INT_DRTO);
        return;
    }
    sdbus_read_data(&s->bus, s->block, s->block_len);
    qemu_notify_event();
    if (inject_crc(s) || bus_mismatch(s)) {
        s->block[0] ^= 0xff;
        host_side(s);
        data_end(s, INT_DCRC);
        return;
    }
    if (host_side(s)) {
        data_crossed(s);
    } else {
        s->data_stalled = true;
        mmc_update(s);
    }
}

static void data_write_block(DWMMC *s)
{
    if (!s->present || beyond(s) || !sdbus_receive_ready(&s->bus)) {
        data_end(s, INT_EBE); /* no CRC status from the card */
        return;
    }
    if (inject_crc(s) || bus_mismatch(s)) {
        data_end(s, INT_DCRC); /* the card refused the block */
        return;
    }
    sdbus_write_data(&s->bus, s->block, s->block_len);
    qemu_notify_event();
    data_crossed(s);
}

static void mmc_data_timer(void *opaque)
{
    DWMMC *s = opaque;

    if (!s->data_active) {
        return;
    }
    if (s->data_write) {
        data_write_block(s);
    } else {
        data_read_block(s);
    }
    mmc_update(s);
}

/* The host side has room or data again. */
static void mmc_data_step(DWMMC *s)
{
    if (!s->data_active || !s->data_stalled || !host_side(s)) {
        mmc_update(s);
        return;
    }
    s->data_stalled = false;
    s->data_deadline = now_ns(); /* the clock stood still */
    if (s->data_write) {
        data_schedule(s, s->data_deadline);
    } else {
        data_crossed(s);
    }
    mmc_update(s);
}

static void data_begin(DWMMC *s)
{
    s->data_active = true;
    s->data_stalled = false;
    s->data_write = s->cmd & CMD_WRITE;
    s->data_auto_stop = s->cmd & CMD_AUTOSTOP;
    s->data_left = *reg(s, R_BYTCNT);
    *reg(s, R_TCBCNT) = *reg(s, R_TBBCNT) = 0;
    if (!pio(s)) {
        s->dma_running = *reg(s, R_BMOD) & BMOD_DE;
        s->dma_suspended = false;
        if (!s->dma_running) {
            qemu_log_mask(LOG_GUEST_ERROR, "dw-mmc: DMA transfer with the engine off\n");
        }
    }
    if (!s->data_left) {
        data_end(s, INT_DTO);
        return;
    }
    data_next(s, now_ns() + (s->data_write ? 0 : s->read_access_us * 1000ll));
}

/* ---- commands ---- */

static bool card_hears(DWMMC *s)
{
    s->ncmds += s->armed;
    if (!s->present || (s->armed && s->timeout_every && s->ncmds % s->timeout_every == 0)) {
        return false;
    }
    if (s->card_ident && card_hz(s) > BUS_IDENT_HZ) {
        qemu_log_mask(LOG_GUEST_ERROR, "dw-mmc: identification at %" PRIu64 " Hz\n", card_hz(s));
        return false;
    }
    return card_hz(s) <= (s->card_fast ? BUS_FAST_HZ : BUS_DEFAULT_HZ);
}

/* What the card and we agree on from now on. */
static void snoop(DWMMC *s, unsigned index, uint32_t arg, bool answered)
{
    bool app = s->app_cmd;

    s->app_cmd = index == 55 && answered;
    if (index == 0) {
        s->card_ident = true;
        s->card_wide = s->card_fast = false;
    } else if (index == 3 && answered) {
        s->card_ident = false;
    } else if (index == 6 && app && answered) {
        s->card_wide = (arg & 3) == 2;
    } else if (index == 6 && answered && (arg & 0x8000000f) == 0x80000001) {
        s->card_fast = true;
    }
}

static void set_response(DWMMC *s, const uint8_t *r, size_t n)
{
    if (n == 16) {
        for (unsigned i = 0; i < 4; i++) {
            *reg(s, R_RESP0 + 4 * i) = ldl_be_p(r + 12 - 4 * i);
        }
    } else {
        *reg(s, R_RESP0) = ldl_be_p(r);
    }
}

/* The card's answer, as a faulty card gives it: what CSD says about protection, and addresses that it has not got. */
static size_t card_answer(DWMMC *s, SDRequest *request, uint8_t *response)
{
    bool write = request->cmd == 24 || request->cmd == 25, data = write || request->cmd == 17 || request->cmd == 18;
    uint32_t error = 0;
    size_t n;

    if (data && s->real_sectors && sector_of(s, request->arg) >= s->real_sectors) {
        error = 1u << 31; /* out of range */
    } else if (write && s->write_protect) {
        qemu_log_mask(LOG_GUEST_ERROR, "dw-mmc: write to a protected card\n");
        error = 1u << 26;
    }
    if (error) {
        stl_be_p(response, error | 4 << 9 | 1 << 8);
        s->refused = true;
        return 4;
    }
    n = sdbus_do_command(&s->bus, request, response);
    s->refused = false;
    s->data_sector = data ? sector_of(s, request->arg) : 0;
    if (n == 16 && request->cmd == 9 && s->write_protect) {
        response[14] |= 0x10; /* temporary write protection */
    }
    return n;
}

static void stop_transfer(DWMMC *s)
{
    if (s->data_active) {
        data_end(s, INT_DTO);
    }
}

/* The command's last bit is out; the response's last bit, or the end of waiting for it, is a second event. */
static void command_sent(DWMMC *s)
{
    unsigned index = s->cmd & 0x3f;
    SDRequest request = { .cmd = index, .arg = *reg(s, R_CMDARG) };
    uint8_t response[16] = { 0 };
    size_t n = 0;

    if (card_hears(s)) {
        arm(s, index, request.arg);
        n = card_answer(s, &request, response);
        qemu_notify_event();
        snoop(s, index, request.arg, n != 0);
    }
    if (s->cmd & CMD_STOP) {
        stop_transfer(s);
    }
    s->cmd_accepted = n != 0 || !(s->cmd & CMD_RESPONSE);
    if (n) {
        set_response(s, response, n);
        if (index == 41) {
            s->card_large = response[0] & 0x40;
        }
        if (index == 12 || index == 38) {
            s->busy_until = MAX(s->busy_until, now_ns() + (index == 38 ? 1000000 : 20000));
        }
    }
    timer_mod(s->cmd_timer, now_ns() + clocks_ns(s, !(s->cmd & CMD_RESPONSE) ? 8 : !n ? *reg(s, R_TMOUT) & 0xff : n == 16 ? 8 + 136 : 8 + 48));
}

static void command_done(DWMMC *s)
{
    uint32_t cmd = s->cmd;
    bool ok = s->cmd_accepted;

    s->cmd = 0;
    mmc_raise(s, INT_CMD | (ok ? 0 : INT_RTO));
    if (ok && (cmd & CMD_DATA)) {
        s->cmd = cmd;
        data_begin(s);
        s->cmd = 0;
    }
}

static void mmc_cmd_timer(void *opaque)
{
    DWMMC *s = opaque;

    if (!s->cmd) {
        return;
    }
    if (s->cmd_waits) {
        mmc_command_begin(s);
        return;
    }
    switch (s->cmd_phase++) {
    case 0: /* taken by the card side */
        *reg(s, R_CMD) &= ~CMD_START;
        timer_mod(s->cmd_timer, now_ns() + clocks_ns(s, 48 + (s->cmd & CMD_INIT ? 80 : 0)));
        break;
    case 1:
        command_sent(s);
        break;
    default:
        command_done(s);
    }
}

static void mmc_command_begin(DWMMC *s)
{
    int64_t now = now_ns();

    s->cmd_waits = false;
    s->cmd_phase = 0;
    if ((s->cmd & CMD_WAIT) && !(s->cmd & CMD_STOP)) {
        if (s->data_active) {
            s->cmd_waits = true;
            return;
        }
        if (now < s->busy_until) {
            s->cmd_waits = true;
            if (s->busy_until != INT64_MAX) {
                timer_mod(s->cmd_timer, s->busy_until);
            }
            return;
        }
    }
    if (!card_hz(s)) {
        qemu_log_mask(LOG_GUEST_ERROR, "dw-mmc: command %u without a card clock\n", s->cmd & 0x3f);
        return; /* the start bit stays */
    }
    timer_mod(s->cmd_timer, now + clocks_ns(s, 2) + 1);
}

static void command_write(DWMMC *s, uint32_t value)
{
    if (!(value & CMD_START)) {
        *reg(s, R_CMD) = value;
        return;
    }
    if (value & CMD_CLOCK) {
        s->latched_div = *reg(s, R_CLKDIV) & 0xff;
        s->latched_ena = *reg(s, R_CLKENA);
        *reg(s, R_CMD) = value & ~CMD_START; /* and no command-done */
        return;
    }
    if (s->cmd) {
        mmc_raise(s, INT_HLE);
        return;
    }
    s->cmd = *reg(s, R_CMD) = value;
    mmc_command_begin(s);
}

/* ---- registers ---- */

static void reset_controller(DWMMC *s)
{
    timer_del(s->cmd_timer);
    timer_del(s->data_timer);
    s->cmd = 0;
    s->cmd_waits = s->data_active = s->data_stalled = false;
    *reg(s, R_CMD) &= ~CMD_START;
    s->latched_ena = 0; /* wants an update-clock command */
}

static void control_write(DWMMC *s, uint32_t value)
{
    if (value & CTRL_RESET) {
        reset_controller(s);
    }
    if (value & CTRL_FIFO) {
        s->fifo_count = s->fifo_head = 0;
    }
    if (value & CTRL_DMA) {
        idmac_reset(s);
    }
    *reg(s, R_CTRL) = value & ~(CTRL_RESET | CTRL_FIFO | CTRL_DMA);
    mmc_update(s);
}

static uint32_t status(DWMMC *s)
{
    uint32_t th = *reg(s, R_FIFOTH), v = s->fifo_count << 17;

    v |= s->fifo_count > ((th >> 16) & 0xfff) ? 1 : 0;
    v |= s->fifo_count <= (th & 0xfff) ? 2 : 0;
    v |= s->fifo_count ? 0 : 4;
    v |= s->fifo_count == DW_MMC_FIFO ? 8 : 0;
    v |= s->present ? 1 << 8 : 0;
    v |= now_ns() < s->busy_until ? 1 << 9 : 0;
    v |= s->data_active ? 1 << 10 : 0;
    return v;
}

static uint64_t mmc_read(void *opaque, hwaddr addr, unsigned size)
{
    DWMMC *s = opaque;
    uint32_t word;

    if (!jh7110_gate_open(&s->gate, addr)) {
        return 0;
    }
    switch (addr) {
    case R_MINTSTS:
        return *reg(s, R_RINTSTS) & *reg(s, R_INTMASK);
    case R_STATUS:
        return status(s);
    case R_VERID:
        return 0x5342290a;
    case R_HCON:
        return 0x00000080; /* 1 slot, 32 bits wide, IDMAC with 32-bit addresses */
    case R_EXT ... R_EXT + 0x1f:
        return s->ext[(addr - R_EXT) / 4];
    case R_DATA ... 0xfff:
        word = fifo_pop(s);
        mmc_data_step(s);
        return word;
    }
    if (addr < sizeof(s->regs)) {
        return *reg(s, addr);
    }
    qemu_log_mask(LOG_GUEST_ERROR, "dw-mmc: read of %#" HWADDR_PRIx "\n", addr);
    return 0;
}

static void mmc_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    DWMMC *s = opaque;

    if (!jh7110_gate_open(&s->gate, addr)) {
        return;
    }
    if ((*reg(s, R_CMD) & CMD_START) && s->cmd && (addr == R_CMDARG || addr == R_BLKSIZ || addr == R_BYTCNT || addr == R_CLKDIV ||
                                                     addr == R_CLKENA || addr == R_TMOUT || addr == R_CTYPE)) {
        mmc_raise(s, INT_HLE); /* locked until the command is taken */
        return;
    }
    switch (addr) {
    case R_CTRL:
        control_write(s, value);
        return;
    case R_CMD:
        command_write(s, value);
        return;
    case R_RINTSTS:
        *reg(s, addr) &= ~value;
        mmc_update(s);
        return;
    case R_IDSTS:
        *reg(s, addr) &= ~value;
        mmc_update(s);
        return;
    case R_BMOD:
        if (value & BMOD_SWR) {
            idmac_reset(s);
        }
        *reg(s, addr) = value & ~BMOD_SWR;
        return;
    case R_DBADDR:
        *reg(s, addr) = s->dma_next = value;
        s->dma_len = 0;
        return;
    case R_PLDMND:
        if (s->dma_suspended) {
            s->dma_suspended = false;
            s->dma_next = s->dma_cur;
        }
        mmc_data_step(s);
        return;
    case R_MINTSTS:
    case R_STATUS:
    case R_TCBCNT:
    case R_TBBCNT:
    case R_VERID:
    case R_HCON:
    case R_RESP0 ... R_RESP0 + 15:
        return;
    case R_EXT ... R_EXT + 0x1f:
        s->ext[(addr - R_EXT) / 4] = value;
        return;
    case R_DATA ... 0xfff:
        fifo_push(s, value);
        mmc_data_step(s);
        return;
    }
    if (addr < sizeof(s->regs)) {
        *reg(s, addr) = value;
        mmc_update(s);
        return;
    }
    qemu_log_mask(LOG_GUEST_ERROR, "dw-mmc: write of %#" HWADDR_PRIx "\n", addr);
}

static const MemoryRegionOps mmc_ops = {
    .read = mmc_read,
    .write = mmc_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

/* ---- card in, card out ---- */

static void card_changed(DWMMC *s)
{
    bool in = sdbus_get_inserted(&s->bus) && !s->card_pulled;

    if (in && !s->present) {
        SDRequest request = { .cmd = 0 };
        uint8_t response[16];

        sdbus_do_command(&s->bus, &request, response); /* it comes up idle */
        s->card_ident = true;
        s->card_wide = s->card_fast = s->app_cmd = false;
        s->busy_until = 0;
    }
    s->present = in;
    qemu_set_irq(s->card_in, in);
}

static void mmc_set_inserted(DeviceState *dev, bool inserted)
{
    card_changed(DW_MMC(dev));
}

static void mmc_fault_timer(void *opaque)
{
    DWMMC *s = opaque;

    s->card_pulled = !s->card_pulled;
    card_changed(s);
    if (s->card_pulled && s->back_ns) {
        timer_mod(s->fault_timer, s->back_ns);
    }
}

static void mmc_reset_hold(Object *obj, ResetType type)
{
    DWMMC *s = DW_MMC(obj);

    memset(s->regs, 0, sizeof(s->regs));
    memset(s->ext, 0, sizeof(s->ext));
    *reg(s, R_TMOUT) = 0xffffff40;
    *reg(s, R_BLKSIZ) = *reg(s, R_BYTCNT) = 0x200;
    *reg(s, R_FIFOTH) = (DW_MMC_FIFO / 2 - 1) << 16;
    reset_controller(s);
    s->fifo_count = s->fifo_head = 0;
    s->dma_running = s->dma_suspended = false;
    s->dma_len = 0;
    s->latched_div = 0;
    s->busy_until = 0;
    s->card_ident = true;
    s->card_wide = s->card_fast = s->app_cmd = false;
    qemu_set_irq(s->irq, 0);
}

static void mmc_reset_exit(Object *obj, ResetType type)
{
    DWMMC *s = DW_MMC(obj);

    s->present = false;
    card_changed(s);
    if (!s->arm_sector) {
        arm(s, 0, 0);
    }
}

static void mmc_init(Object *obj)
{
    DWMMC *s = DW_MMC(obj);

    memory_region_init_io(&s->mmio, obj, &mmc_ops, s, "dw-mmc", 0x10000);
    sysbus_init_mmio(SYS_BUS_DEVICE(obj), &s->mmio);
    sysbus_init_irq(SYS_BUS_DEVICE(obj), &s->irq);
    qdev_init_gpio_out_named(DEVICE(obj), &s->card_in, "card-in", 1);
    qbus_init(&s->bus, sizeof(s->bus), "dw-mmc-bus", DEVICE(obj), "sd-bus");
    s->cmd_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, mmc_cmd_timer, s);
    s->data_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, mmc_data_timer, s);
    s->fault_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, mmc_fault_timer, s);
}

/*
 * Faults: every crc-every-th block fails, crc-burst in a row; every timeout-every-th command gets no answer; after stuck-after blocks the card
 * stays busy for stuck-ms (0: for ever); the card is pulled out at pull-at-ms of virtual time and put back at back-at-ms.  With arm-sector
 * all of these wait, and count time and blocks, from the first transfer on that begins in those 4 KiB.
 * write-protect: the card's CSD says so; real-sectors: it has fewer sectors than its CSD says.
 */
static const Property mmc_props[] = {
    DEFINE_PROP_UINT32("ciu-clock", DWMMC, ciu_clock, CLK_SDIO1_SDCARD),
    DEFINE_PROP_UINT32("crc-every", DWMMC, crc_every, 0),
    DEFINE_PROP_UINT32("crc-burst", DWMMC, crc_burst, 1),
    DEFINE_PROP_UINT32("timeout-every", DWMMC, timeout_every, 0),
    DEFINE_PROP_UINT32("stuck-after", DWMMC, stuck_after, 0),
    DEFINE_PROP_UINT32("stuck-ms", DWMMC, stuck_ms, 0),
    DEFINE_PROP_UINT32("pull-at-ms", DWMMC, pull_at_ms, 0),
    DEFINE_PROP_UINT32("back-at-ms", DWMMC, back_at_ms, 0),
    DEFINE_PROP_UINT32("arm-sector", DWMMC, arm_sector, 0),
    DEFINE_PROP_BOOL("write-protect", DWMMC, write_protect, false),
    DEFINE_PROP_UINT32("real-sectors", DWMMC, real_sectors, 0),
    DEFINE_PROP_UINT32("write-busy-us", DWMMC, write_busy_us, 250),
    DEFINE_PROP_UINT32("read-access-us", DWMMC, read_access_us, 100),
};

static void mmc_class_init(ObjectClass *oc, void *data)
{
    ResettableClass *rc = RESETTABLE_CLASS(oc);

    device_class_set_props(DEVICE_CLASS(oc), mmc_props);
    rc->phases.hold = mmc_reset_hold;
    rc->phases.exit = mmc_reset_exit;
}

static void mmc_bus_class_init(ObjectClass *oc, void *data)
{
    SD_BUS_CLASS(oc)->set_inserted = mmc_set_inserted;
}

static const TypeInfo infos[] = {
    { .name = TYPE_DW_MMC, .parent = TYPE_SYS_BUS_DEVICE, .instance_size = sizeof(DWMMC), .instance_init = mmc_init,
      .class_init = mmc_class_init },
    { .name = "dw-mmc-bus", .parent = TYPE_SD_BUS, .instance_size = sizeof(SDBus), .class_init = mmc_bus_class_init },
};
DEFINE_TYPES(infos)
