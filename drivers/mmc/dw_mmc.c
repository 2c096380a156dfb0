// SPDX-License-Identifier: BSD-2-Clause
/*
 * Synopsys DesignWare Mobile Storage Host with its internal DMA controller (Linux, dw_mmc.h; the descriptors' layout is chosen by HCON bit 27).
 *
 * One command at a time, from the host's thread: it writes the command, sleeps until the interrupt has seen everything it waits for (command
 * done, and data over), and looks at what came.  The interrupt only collects status bits and wakes.  Data goes by descriptors to
 * and from page frames; a few words (a card's register) through the FIFO.  Memory that the descriptors' 32 bits do not reach is bounced
 * through frames that were taken below 4 GiB at start-up, if the machine has memory above: two lots in turn, so that one transfer fills the
 * one while what was read is copied out of the other.
 *
 * Every error ends in dw_recover: the controller's state machines, FIFO and DMA are reset, and the clock is set again, because the reset
 * forgets what the card side was told.
 *
 * Lock: dw.lock (LOCK_DRIVER), interrupts off: status and the transfer by FIFO.
 */
#include "drivers/core/device.h"
#include "drivers/core/gpio.h"
#include "drivers/core/io.h"
#include "drivers/mmc/mmc.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/mem/slab.h"
#include "kernel/sched/time.h"

#define CTRL	0x00
#define PWREN	0x04
#define CLKDIV	0x08
#define CLKSRC	0x0c
#define CLKENA	0x10
#define TMOUT	0x14
#define CTYPE	0x18
#define BLKSIZ	0x1c
#define BYTCNT	0x20
#define INTMASK 0x24
#define CMDARG	0x28
#define CMD	0x2c
#define RESP0	0x30
#define RINTSTS 0x44
#define STATUS	0x48
#define FIFOTH	0x4c
#define VERID	0x6c
#define HCON	0x70
#define BMOD	0x80
#define DBADDR	0x88

#define CTRL_RESETS 7u /* controller, FIFO, DMA */
#define CTRL_FIFO   2u
#define CTRL_DMA    4u
#define CTRL_INT    (1u << 4)
#define CTRL_DMA_ON (1u << 5)
#define CTRL_IDMAC  (1u << 25)

#define CMD_RESPONSE (1u << 6)
#define CMD_LONG     (1u << 7)
#define CMD_CRC	     (1u << 8)
#define CMD_DATA     (1u << 9)
#define CMD_WRITE    (1u << 10)
#define CMD_WAIT     (1u << 13)
#define CMD_STOP     (1u << 14)
#define CMD_INIT     (1u << 15)
#define CMD_CLOCK    (1u << 21)
#define CMD_HOLD     (1u << 29)
#define CMD_START    (1u << 31)

#define INT_RE	 (1u << 1)
#define INT_CMD	 (1u << 2)
#define INT_DTO	 (1u << 3)
#define INT_TXDR (1u << 4)
#define INT_RXDR (1u << 5)
#define INT_RCRC (1u << 6)
#define INT_DCRC (1u << 7)
#define INT_RTO	 (1u << 8)
#define INT_DRTO (1u << 9)
#define INT_HTO	 (1u << 10)
#define INT_FRUN (1u << 11)
#define INT_HLE	 (1u << 12)
#define INT_SBE	 (1u << 13)
#define INT_EBE	 (1u << 15)

#define INT_CMD_ERRORS	(INT_RE | INT_RCRC | INT_RTO | INT_HLE)
#define INT_DATA_ERRORS (INT_DCRC | INT_DRTO | INT_HTO | INT_FRUN | INT_SBE | INT_EBE)
#define INT_ALL		(INT_CMD | INT_DTO | INT_CMD_ERRORS | INT_DATA_ERRORS)

#define STATUS_FULL	(1u << 3)
#define STATUS_BUSY	(1u << 9)
#define STATUS_WORDS(s) ((s) >> 17 & 0x1fff)

#define BMOD_RESET 1u
#define BMOD_FIXED 2u
#define BMOD_ON	   (1u << 7)

#define ID_FATAL  (1u << 2)
#define ID_ERRORS (ID_FATAL | 1u << 4 | 1u << 5)
#define ID_ALL	  0x337u

#define DES_NO_IRQ (1u << 1)
#define DES_LAST   (1u << 2)
#define DES_FIRST  (1u << 3)
#define DES_CHAIN  (1u << 4)
#define DES_OWN	   (1u << 31)
#define DES_MAX	   4096u

#define NDESCS	   256u /* 4 KiB each: 1 MiB a request */
#define DMA_LIMIT  (4UL * GiB)
#define USEC	   (NSEC_PER_SEC / 1000000)
#define MSEC	   (NSEC_PER_SEC / 1000)
#define BUSY_LIMIT (2 * NSEC_PER_SEC) /* a card may take 500 ms to write (SD 4.6.2.2) */
#define DATA_LIMIT (5 * NSEC_PER_SEC)

struct desc32 {
	u32 ctrl, size, buf, next;
};

struct desc64 {
	u32 ctrl, zero, size, zero2, buf[2], next[2];
};

/* Field markings and the corresponding locks:
 * (c) constant   (l) lock   (t) the host's thread
 */
struct dw {
	struct mmc_host host;	 /* (c) itself; its fields have their own letters */
	struct device *device;	 /* (c) */
	volatile u8 *regs;	 /* (c) */
	u64 data_at;		 /* (c) offset of the FIFO's port */
	u32 fifo_words;		 /* (c) */
	u64 ciu_hz;		 /* (c) clock of the card side before CLKDIV */
	bool wide_desc;		 /* (c) 64-bit descriptors */
	u64 idsts, idinten;	 /* (c) offsets */
	struct gpio detect;	 /* (c) card detect; controller NULL: none */
	void *descs[2];		 /* (t) NDESCS of them for each turn, in memory that DMA reaches */
	struct frame *bounce[2]; /* (t) 1 MiB each below 4 GiB; NULL: no memory lies above */
	u32 turn;		 /* (t) which of them is next */
	u32 nlate;		 /* (t) segments whose data still lies in the other; 0: none */
	struct block_segment late[MMC_MAX_SEGMENTS]; /* (t) */

	struct spinlock lock; /* (c) */
	struct waitq wait;    /* (c) */
	u32 seen;	      /* (l) RINTSTS bits since the command was written */
	u32 dma_seen;	      /* (l) IDSTS bits */
	u32 *pio;	      /* (l) next word of the transfer by FIFO; NULL: none */
	u32 pio_words;	      /* (l) left */
	bool pio_write;	      /* (l) */
	u32 hz;		      /* (t) as set; 0: off */
	u32 width;	      /* (t) CTYPE */
};

static u32 get(struct dw *d, u64 reg)
{
	return io_read32(d->regs + reg);
}

static void put(struct dw *d, u64 reg, u32 v)
{
	io_write32(d->regs + reg, v);
}

/*
 * For the few things that have no interrupt: reset bits, the start bit of a clock command, a busy card. Sleeps between looks when it takes long,
 * for a quarter of the time it took so far.
 */
static int wait_clear(struct dw *d, u64 reg, u32 bits, u64 limit)
{
	u64 start = time_now();

	while (get(d, reg) & bits) {
		u64 waited = time_now() - start;

		if (waited > limit)
			return -ETIMEDOUT;
		if (waited > 100 * USEC)
			sleep_ns(MIN(waited / 4, 10 * MSEC));
	}
	return 0;
}

/* ---- interrupt ---- */

static void pio_move(struct dw *d)
{
	while (d->pio && d->pio_words) {
		u32 status = get(d, STATUS);

		if (d->pio_write ? status & STATUS_FULL : !STATUS_WORDS(status))
			return;
		if (d->pio_write)
			put(d, d->data_at, *d->pio++);
		else
			*d->pio++ = get(d, d->data_at);
		d->pio_words--;
	}
}

static bool dw_interrupt(void *arg)
{
	struct dw *d = arg;
	u64 irq = spin_lock_irq(&d->lock);
	u32 raw = get(d, RINTSTS) & (get(d, INTMASK)), dma = get(d, d->idsts) & ID_ALL;

	put(d, RINTSTS, raw);
	put(d, d->idsts, dma);
	if (raw & (INT_RXDR | INT_TXDR | INT_DTO))
		pio_move(d);
	d->seen |= raw;
	d->dma_seen |= dma;
	spin_unlock_irq(&d->lock, irq);
	if ((raw & INT_ALL) || (dma & ID_ERRORS))
		waitq_wake_all(&d->wait);
	return raw || dma;
}

/* ---- clock, width, reset ---- */

static int clock_command(struct dw *d)
{
	put(d, CMD, CMD_START | CMD_CLOCK | CMD_WAIT | CMD_HOLD);
	return wait_clear(d, CMD, CMD_START, 100 * MSEC);
}

static int dw_set_clock(struct mmc_host *h, u32 hz)
{
	struct dw *d = h->drv;
	u64 div = !hz || hz >= d->ciu_hz ? 0 : DIV_ROUND_UP(d->ciu_hz, 2 * (u64)hz);
	int err;

	if (div > 255)
		return -EINVAL;
	put(d, CLKENA, 0);
	put(d, CLKSRC, 0);
	err = clock_command(d);
	if (err || !hz)
		return err;
	put(d, CLKDIV, (u32)div);
	err = clock_command(d);
	if (err)
		return err;
	put(d, CLKENA, 1);
	d->hz = hz;
	return clock_command(d);
}

static void dw_set_width(struct mmc_host *h, u32 bits)
{
	struct dw *d = h->drv;

	d->width = bits == 4;
	put(d, CTYPE, d->width);
}

static int reset_all(struct dw *d)
{
	int err;

	put(d, CTRL, CTRL_RESETS);
	err = wait_clear(d, CTRL, CTRL_RESETS, 500 * MSEC);
	put(d, BMOD, BMOD_RESET);
	if (!err)
		err = wait_clear(d, BMOD, BMOD_RESET, 500 * MSEC);
	put(d, RINTSTS, ~0u);
	put(d, d->idsts, ~0u);
	put(d, INTMASK, INT_ALL);
	put(d, d->idinten, ID_ERRORS);
	put(d, TMOUT, ~0u);
	/* bursts of 8 words */
	put(d, FIFOTH, 2u << 28 | (d->fifo_words / 2 - 1) << 16 | d->fifo_words / 2);
	put(d, CTRL, CTRL_INT);
	put(d, PWREN, 1);
	put(d, CTYPE, d->width);
	return err;
}

static int dw_reset(struct mmc_host *h)
{
	struct dw *d = h->drv;

	d->width = 0;
	d->hz = 0;
	return reset_all(d);
}

static int dw_recover(struct mmc_host *h)
{
	struct dw *d = h->drv;
	u64 irq = spin_lock_irq(&d->lock);
	int err;

	d->pio = NULL;
	spin_unlock_irq(&d->lock, irq);
	err = reset_all(d);
	return err ? err : dw_set_clock(h, d->hz);
}

static int dw_wait_ready(struct mmc_host *h)
{
	return wait_clear(h->drv, STATUS, STATUS_BUSY, BUSY_LIMIT);
}

static bool dw_card_in(struct mmc_host *h)
{
	struct dw *d = h->drv;

	return !d->detect.controller || gpio_active(&d->detect);
}

/* ---- data ---- */

static void set_desc(struct dw *d, void *descs, u32 i, u32 ctrl, paddr_t buf, u32 len)
{
	paddr_t base = va_to_pa(descs);

	if (d->wide_desc) {
		struct desc64 *e = (struct desc64 *)descs + i;
		u64 next = base + (i + 1) * sizeof(*e);

		*e = (struct desc64){ctrl,
				     0,
				     len,
				     0,
				     {(u32)buf, (u32)(buf >> 32)},
				     {(u32)next, (u32)(next >> 32)}};
	} else {
		struct desc32 *e = (struct desc32 *)descs + i;

		*e = (struct desc32){ctrl, len, (u32)buf, (u32)(base + (i + 1) * sizeof(*e))};
	}
}

/* Fills descriptors; false: there are not enough of them. */
static bool build_descs(struct dw *d, void *descs, const struct block_segment *segs, u32 nsegs)
{
	u32 n = 0;

	for (u32 i = 0; i < nsegs; i++) {
		for (u32 at = 0; at < segs[i].len; at += DES_MAX) {
			u32 len = MIN(segs[i].len - at, DES_MAX);
			bool last = i + 1 == nsegs && at + len == segs[i].len;

			if (n == NDESCS)
				return false;
			set_desc(d, descs, n,
				 DES_OWN | DES_CHAIN | DES_NO_IRQ | (n ? 0 : DES_FIRST) |
					 (last ? DES_LAST : 0),
				 segs[i].pa + at, len);
			n++;
		}
	}
	return n != 0;
}

static bool out_of_reach(struct dw *d, const struct mmc_data *data)
{
	if (d->wide_desc)
		return false;
	for (u32 i = 0; i < data->nsegs; i++)
		if (data->segs[i].pa + data->segs[i].len > DMA_LIMIT)
			return true;
	return false;
}

static void bounce_in(struct dw *d, const struct mmc_data *data)
{
	u8 *at = frame_va(d->bounce[d->turn]);

	for (u32 i = 0; i < data->nsegs; at += data->segs[i++].len)
		memcpy(at, pa_to_va(data->segs[i].pa), data->segs[i].len);
}

/* What was read is copied later, when the next transfer is under way. */
static void bounce_later(struct dw *d, const struct mmc_data *data)
{
	memcpy(d->late, data->segs, data->nsegs * sizeof(d->late[0]));
	d->nlate = data->nsegs;
	d->turn ^= 1;
}

static void dw_deliver(struct mmc_host *h)
{
	struct dw *d = h->drv;
	const u8 *at;

	if (!d->nlate)
		return;
	at = frame_va(d->bounce[d->turn ^ 1]);
	for (u32 i = 0; i < d->nlate; at += d->late[i++].len)
		memcpy(pa_to_va(d->late[i].pa), at, d->late[i].len);
	d->nlate = 0;
}

static bool dw_prepare(struct mmc_host *h, const struct mmc_data *data)
{
	struct dw *d = h->drv;

	return !out_of_reach(d, data) &&
	       build_descs(d, d->descs[data->turn], data->segs, data->nsegs);
}

static int start_dma(struct dw *d, const struct mmc_data *data)
{
	struct block_segment one = {0, data->block_size * data->blocks};
	const struct block_segment *segs = data->segs;
	u32 nsegs = data->nsegs;
	void *descs = d->descs[data->turn];

	if (out_of_reach(d, data)) {
		if (!d->bounce[1])
			return -EIO;
		one.pa = frame_pa(d->bounce[d->turn]);
		if (data->write)
			bounce_in(d, data);
		segs = &one;
		nsegs = 1;
	}
	if (!data->prepared && !build_descs(d, descs, segs, nsegs))
		return -EIO;
	put(d, BMOD, BMOD_ON | BMOD_FIXED);
	put(d, DBADDR, (u32)va_to_pa(descs));
	if (d->wide_desc)
		put(d, DBADDR + 4, (u32)((u64)va_to_pa(descs) >> 32));
	put(d, CTRL, CTRL_INT | CTRL_IDMAC | CTRL_DMA_ON);
	return 0;
}

static void start_pio(struct dw *d, const struct mmc_data *data)
{
	u64 irq = spin_lock_irq(&d->lock);

	d->pio = data->buf;
	d->pio_words = data->block_size * data->blocks / 4;
	d->pio_write = data->write;
	put(d, CTRL, CTRL_INT);
	put(d, INTMASK, INT_ALL | (data->write ? INT_TXDR : INT_RXDR));
	if (data->write)
		pio_move(d);
	spin_unlock_irq(&d->lock, irq);
}

static int start_data(struct dw *d, const struct mmc_data *data)
{
	int err;

	/* nothing of the last transfer may be left in FIFO or engine */
	put(d, CTRL, CTRL_INT | CTRL_FIFO | CTRL_DMA);
	err = wait_clear(d, CTRL, CTRL_FIFO | CTRL_DMA, 100 * MSEC);
	if (err)
		return err;
	put(d, BLKSIZ, data->block_size);
	put(d, BYTCNT, data->block_size * data->blocks);
	if (data->nsegs)
		return start_dma(d, data);
	start_pio(d, data);
	return 0;
}

/* The engine and the FIFO are done with it, well or not. -EIO: words are left. */
static int stop_data(struct dw *d, const struct mmc_data *data)
{
	u64 irq = spin_lock_irq(&d->lock);
	u32 left = d->pio_words;

	d->pio = NULL;
	d->pio_words = 0;
	spin_unlock_irq(&d->lock, irq);
	if (!data->nsegs) {
		put(d, INTMASK, INT_ALL);
		return left ? -EIO : 0;
	}
	put(d, CTRL, CTRL_INT);
	put(d, BMOD, 0);
	return 0;
}

/* After mmc_data_flows: what the transfer before it left to be copied has been. */
static int end_data(struct dw *d, const struct mmc_data *data)
{
	int err = stop_data(d, data);

	if (data->nsegs && !data->write && out_of_reach(d, data))
		bounce_later(d, data);
	return err;
}

/* ---- commands ---- */

static u32 command_word(const struct mmc_command *c)
{
	u32 w = CMD_START | CMD_HOLD | c->index;

	switch (c->response) {
	case MMC_NONE:
		break;
	case MMC_R2:
		w |= CMD_RESPONSE | CMD_LONG | CMD_CRC;
		break;
	case MMC_R3:
		w |= CMD_RESPONSE;
		break;
	default:
		w |= CMD_RESPONSE | CMD_CRC;
	}
	if (c->data)
		w |= CMD_DATA | (c->data->write ? CMD_WRITE : 0);
	w |= c->stop ? CMD_STOP : CMD_WAIT;
	return w | (c->init ? CMD_INIT : 0);
}

static bool finished(struct dw *d, bool data)
{
	u32 seen = __atomic_load_n(&d->seen, __ATOMIC_ACQUIRE);

	if (seen & (INT_HLE | INT_CMD_ERRORS))
		return true;
	if (__atomic_load_n(&d->dma_seen, __ATOMIC_ACQUIRE) & ID_FATAL)
		return true;
	return (seen & INT_CMD) && (!data || (seen & (INT_DTO | INT_DATA_ERRORS)));
}

static int verdict(struct dw *d, bool data)
{
	u32 seen = d->seen;

	if (seen & INT_RTO)
		return -ETIMEDOUT;
	if (seen & INT_RCRC)
		return -EILSEQ;
	if (seen & (INT_RE | INT_HLE))
		return -EIO;
	if (!data)
		return 0;
	if (d->dma_seen & ID_FATAL)
		return -EIO;
	if (seen & INT_DRTO)
		return -ETIMEDOUT;
	if (seen & (INT_DCRC | INT_SBE | INT_EBE))
		return -EILSEQ;
	return seen & INT_DATA_ERRORS ? -EIO : 0;
}

static void read_response(struct dw *d, struct mmc_command *c)
{
	for (unsigned i = 0; i < 4; i++)
		c->resp[i] = get(d, RESP0 + 4UL * (c->response == MMC_R2 ? 3 - i : i));
}

static int dw_command(struct mmc_host *h, struct mmc_command *c)
{
	struct dw *d = h->drv;
	u64 irq;
	int err;

	if (!dw_card_in(h))
		return -ENOMEDIUM;
	/* a card that is busy for a moment after the last command is not waited for idly */
	err = c->data ? start_data(d, c->data) : 0;
	if (err)
		return err;
	if (!c->stop)
		err = wait_clear(d, STATUS, STATUS_BUSY, BUSY_LIMIT);
	if (err) {
		if (c->data)
			(void)stop_data(d, c->data);
		return err;
	}
	irq = spin_lock_irq(&d->lock);
	d->seen = d->dma_seen = 0;
	put(d, RINTSTS, INT_ALL);
	put(d, CMDARG, c->arg);
	put(d, CMD, command_word(c));
	spin_unlock_irq(&d->lock, irq);
	if (c->data)
		mmc_data_flows(h);
	/* the hardware's time-outs come by interrupt, but have been lost on some chips */
	err = wait_event_until(&d->wait, finished(d, c->data != NULL), WAIT_UNINTR,
			       time_now() + (c->data ? DATA_LIMIT : NSEC_PER_SEC));
	if (!err)
		err = verdict(d, c->data != NULL);
	read_response(d, c);
	if (c->data) {
		int end = end_data(d, c->data);

		err = err ? err : end;
	}
	return err;
}

static const struct mmc_host_ops dw_ops = {
	.card_in = dw_card_in,
	.reset = dw_reset,
	.set_clock = dw_set_clock,
	.set_width = dw_set_width,
	.command = dw_command,
	.prepare = dw_prepare,
	.recover = dw_recover,
	.wait_ready = dw_wait_ready,
	.deliver = dw_deliver,
};

/* ---- start-up ---- */

static bool memory_above(u64 limit)
{
	paddr_t base;
	u64 size;

	for (unsigned k = 0; frames_bank(k, &base, &size); k++)
		if (base + size > limit)
			return true;
	return false;
}

/* A block of frames that 32 bits reach: takes blocks until one is low enough, and gives the others back. */
static struct frame *low_block(unsigned order)
{
	struct list high = LIST_INIT(high);
	struct frame *f;
	struct list *l;

	while ((f = frame_alloc_order(order, FA_NOWAIT)) &&
	       frame_pa(f) + (PAGE_SIZE << order) > DMA_LIMIT)
		list_add_tail(&high, &f->link);
	while ((l = list_pop(&high)))
		frame_free_order(list_entry(l, struct frame, link), order);
	return f;
}

static int get_memory(struct dw *d)
{
	struct frame *f;

	BUILD_ASSERT(NDESCS * sizeof(struct desc32) <= PAGE_SIZE);
	f = low_block(d->wide_desc + 1u);
	if (!f)
		return -ENOMEM;
	d->descs[0] = frame_va(f);
	d->descs[1] = (u8 *)d->descs[0] + (PAGE_SIZE << d->wide_desc);
	if (!d->wide_desc && memory_above(DMA_LIMIT)) {
		d->bounce[0] = low_block(8);
		d->bounce[1] = low_block(8);
		if (!d->bounce[0] || !d->bounce[1])
			return -ENOMEM;
	}
	return 0;
}

static void read_properties(struct dw *d)
{
	const struct fdt *f = &boot_fdt;
	fdt_node n = d->device->node;
	u32 v, hcon = get(d, HCON);
	size_t len;

	d->wide_desc = hcon & 1u << 27;
	d->idsts = d->wide_desc ? 0x90 : 0x8c;
	d->idinten = d->idsts + 4;
	d->data_at = (get(d, VERID) & 0xffff) >= 0x240a ? 0x200 : 0x100;
	if (fdt_prop_u32(f, n, "data-addr", &v) && v)
		d->data_at = v;
	d->fifo_words = fdt_prop_u32(f, n, "fifo-depth", &v) && v >= 4 ? v : 32;
	d->host.max_hz = fdt_prop_u32(f, n, "max-frequency", &v) ? v : 50000000;
	d->host.four_bits = fdt_prop_u32(f, n, "bus-width", &v) && v >= 4;
	d->host.high_speed = fdt_prop(f, n, "cap-sd-highspeed", &len);
	d->host.no_write_protect = fdt_prop(f, n, "disable-wp", &len);
	d->host.settle_ms = fdt_prop_u32(f, n, "post-power-on-delay-ms", &v) ? v : 200;
}

/* mmcN of /aliases, as the disk's number on other systems. */
static u32 alias_number(struct device *d)
{
	char alias[] = "mmc0";

	for (; alias[3] <= '9'; alias[3]++)
		if (fdt_path(&boot_fdt, alias) == d->node)
			return (u32)(alias[3] - '0');
	return 0;
}

static void detect_changed(void *arg)
{
	mmc_card_changed(arg);
}

static int start_host(struct dw *d)
{
	int err = gpio_find(d->device, "cd-gpios", &d->detect);

	if (err == -EPROBE_DEFER)
		return err;
	d->ciu_hz = device_clock_rate(d->device, 1);
	if (!d->ciu_hz)
		return -EINVAL;
	err = get_memory(d);
	if (!err)
		err = reset_all(d);
	if (!err)
		err = device_irq(d->device, 0, dw_interrupt, d);
	if (!err && d->detect.controller)
		err = gpio_watch(&d->detect, detect_changed, &d->host);
	return err;
}

/* Soldered or eMMC sockets are not for SD cards. */
static bool for_sd(struct device *d)
{
	size_t len;

	return !fdt_prop(&boot_fdt, d->node, "no-sd", &len) &&
	       !fdt_prop(&boot_fdt, d->node, "non-removable", &len);
}

static int dw_probe(struct device *device)
{
	struct dw *d;
	int err = device_power_up(device);

	if (err || !for_sd(device))
		return err;
	d = kzalloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->device = device;
	d->regs = device_map(device, 0, NULL);
	if (!d->regs) {
		kfree(d);
		return -ENOMEM;
	}
	spin_init(&d->lock, LOCK_DRIVER, "dw-mmc");
	waitq_init(&d->wait);
	read_properties(d);
	d->host.ops = &dw_ops;
	d->host.drv = d;
	d->host.name = device->name;
	d->host.number = alias_number(device);
	err = start_host(d);
	if (!err)
		return mmc_host_add(&d->host);
	iounmap((void *)d->regs);
	kfree(d);
	return err;
}

static const char *const dw_names[] = {"starfive,jh7110-mmc", "snps,dw-mshc", NULL};
static struct driver dw_driver = {
	.name = "dw-mmc",
	.compatible = dw_names,
	.stage = STAGE_DEVICE,
	.probe = dw_probe,
};
DRIVER(dw_driver);
