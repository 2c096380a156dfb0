// SPDX-License-Identifier: BSD-2-Clause
/*
 * 16550-compatible UARTs, and Synopsys' DesignWare APB variant, with registers of any spacing and width.
 *
 * Line settings stay as the firmware left them: LCR and the divisor are not touched, which also avoids the DesignWare
 * part's habit of dropping such writes while it is busy.  Received bytes go up from the interrupt; bytes to send wait in a ring
 * which the interrupt empties into the FIFO, so nobody polls but poll_write (panic, kernel messages).
 *
 * Locks: u->lock guards the ring, IER and access to the registers.
 */
#include "drivers/core/device.h"
#include "drivers/serial/serial_internal.h"
#include "kernel/lib/print.h"
#include "kernel/mem/slab.h"
#include "kernel/riscv/hart.h"
#include "kernel/riscv/mmu.h"
#include "kernel/sync/spinlock.h"

enum { RBR = 0, THR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6 };
#define DW_USR 0x7cu /* byte offset */

#define IER_RX	    1u
#define IER_TX	    2u
#define IIR_NONE    1u
#define IIR_ID	    0xfu
#define IIR_BUSY    7u /* DesignWare: LCR written while busy */
#define IIR_TIMEOUT 0xcu
#define FCR_ENABLE  1u
#define MCR_DTR	    1u
#define MCR_RTS	    2u
#define MCR_OUT2    8u /* gates the interrupt on PCs */
#define LSR_DATA    1u
#define LSR_ERRORS  0x1eu
#define LSR_THRE    0x20u

#define TX_RING	  4096u
#define TX_FIFO	  16u
#define RX_ROUNDS 256u /* bytes per interrupt, so that a babbling line cannot hold a hart */
#define POLL_MAX  1000000u

/* Field markings and the corresponding locks:
 * (c) constant after probe   (l) lock
 */
struct uart {
	struct serial serial; /* (c) but for what serial.h says */
	volatile u8 *regs;    /* (c) */
	u32 shift, width;     /* (c) reg-shift, reg-io-width */
	bool dw;	      /* (c) DesignWare */
	struct spinlock lock; /* (c) */
	u8 ier;		      /* (l) as last written */
	u32 head, tail;	      /* (l) free-running: head - tail bytes wait */
	char ring[TX_RING];   /* (l) */
};

static u32 get_at(const struct uart *u, u32 offset)
{
	switch (u->width) {
	case 4:
		return *(volatile u32 *)(u->regs + offset);
	case 2:
		return *(volatile u16 *)(u->regs + offset);
	default:
		return *(u->regs + offset);
	}
}

static u8 get(const struct uart *u, u32 reg)
{
	return (u8)get_at(u, reg << u->shift);
}

static void put(const struct uart *u, u32 reg, u8 v)
{
	u32 offset = reg << u->shift;

	switch (u->width) {
	case 4:
		*(volatile u32 *)(u->regs + offset) = v;
		break;
	case 2:
		*(volatile u16 *)(u->regs + offset) = v;
		break;
	default:
		*(u->regs + offset) = v;
	}
}

static void set_ier(struct uart *u, u8 ier)
{
	if (u->ier != ier) {
		u->ier = ier;
		put(u, IER, ier);
	}
}

/* Moves bytes from the ring to an empty FIFO; lock held. */
static void tx_fill(struct uart *u)
{
	for (u32 i = 0; i < TX_FIFO && u->head != u->tail; i++)
		put(u, THR, (u8)u->ring[u->tail++ % TX_RING]);
	set_ier(u, u->head != u->tail ? u->ier | IER_TX : u->ier & (u8)~IER_TX);
}

static size_t uart_write(struct serial *s, const char *p, size_t n)
{
	struct uart *u = s->drv;
	u64 flags = spin_lock_irq(&u->lock);
	size_t done = 0;

	while (done < n && u->head - u->tail < TX_RING)
		u->ring[u->head++ % TX_RING] = p[done++];
	if (!(u->ier & IER_TX) && (get(u, LSR) & LSR_THRE))
		tx_fill(u);
	else if (u->head != u->tail)
		set_ier(u, u->ier | IER_TX);
	spin_unlock_irq(&u->lock, flags);
	return done;
}

static size_t uart_write_room(struct serial *s)
{
	struct uart *u = s->drv;
	u64 flags = spin_lock_irq(&u->lock);
	size_t room = TX_RING - (u->head - u->tail);

	spin_unlock_irq(&u->lock, flags);
	return room;
}

static void poll_put(struct uart *u, char c)
{
	for (u32 i = 0; i < POLL_MAX && !(get(u, LSR) & LSR_THRE); i++)
		;
	put(u, THR, (u8)c);
}

/* Callable anywhere, a panic with our lock held included: then it goes on without the lock, as the machine is about to stop. */
static NO_TS void uart_poll_write(struct serial *s, const char *p, size_t n)
{
	struct uart *u = s->drv;
	u64 flags = irq_save();
	bool locked = false;

	for (u32 i = 0; i < POLL_MAX && !(locked = spin_trylock(&u->lock)); i++)
		;
	while (locked && u->head != u->tail)
		poll_put(u, u->ring[u->tail++ % TX_RING]); /* what was written before comes first */
	for (size_t i = 0; i < n; i++)
		poll_put(u, p[i]);
	if (locked)
		spin_unlock(&u->lock);
	irq_restore(flags);
}

/* Reads what has come into buf; a byte with an error (break, parity, framing) is dropped. Lock held. */
static size_t rx_drain(struct uart *u, char *buf, size_t max)
{
	size_t n = 0;
	u8 lsr;

	while (n < max && ((lsr = get(u, LSR)) & LSR_DATA)) {
		char c = (char)get(u, RBR);

		if (!(lsr & (LSR_ERRORS & ~2u))) /* an overrun's byte is good */
			buf[n++] = c;
	}
	return n;
}

static bool uart_interrupt(void *arg)
{
	struct uart *u = arg;
	char buf[RX_ROUNDS];
	u64 flags = spin_lock_irq(&u->lock);
	u8 id = get(u, IIR) & IIR_ID;
	bool had_tx = u->head != u->tail, room;
	size_t n;

	if (id == IIR_NONE) {
		spin_unlock_irq(&u->lock, flags);
		return false;
	}
	if (u->dw && id == IIR_BUSY)
		(void)get_at(u, DW_USR); /* clears it */
	n = rx_drain(u, buf, sizeof(buf));
	if (n == 0 && id == IIR_TIMEOUT)
		(void)get(u, RBR); /* a timeout without data goes away only by a read */
	if ((u->ier & IER_TX) && (get(u, LSR) & LSR_THRE))
		tx_fill(u);
	room = had_tx && u->head - u->tail <= TX_RING / 2;
	spin_unlock_irq(&u->lock, flags);
	if (n && u->serial.rx)
		u->serial.rx(&u->serial, buf, n);
	if (room && u->serial.tx_room)
		u->serial.tx_room(&u->serial);
	return true;
}

static const struct serial_ops uart_ops = {
	.write = uart_write,
	.write_room = uart_write_room,
	.poll_write = uart_poll_write,
};

static int uart_map(struct uart *u, struct device *d)
{
	u64 size;

	u->width = 1;
	fdt_prop_u32(&boot_fdt, d->node, "reg-shift", &u->shift);
	fdt_prop_u32(&boot_fdt, d->node, "reg-io-width", &u->width);
	u->dw = fdt_compatible(&boot_fdt, d->node, "snps,dw-apb-uart");
	if (u->shift > 3 || (u->width != 1 && u->width != 2 && u->width != 4))
		return -EINVAL;
	u->regs = device_map(d, 0, &size);
	if (!u->regs)
		return -ENOMEM;
	if (size < 8u << u->shift)
		return -EINVAL;
	return 0;
}

static int uart_probe(struct device *d)
{
	struct uart *u = kzalloc(sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	err = uart_map(u, d);
	if (!err) {
		spin_init(&u->lock, LOCK_DRIVER, "uart");
		u->serial.ops = &uart_ops;
		u->serial.drv = u;
		put(u, IER, 0);
		err = device_irq(d, 0, uart_interrupt, u);
	}
	if (err) {
		if (u->regs)
			iounmap((void *)u->regs);
		kfree(u);
		return err;
	}
	d->data = u;
	put(u, FCR, FCR_ENABLE);
	put(u, MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
	set_ier(u, IER_RX);
	serial_register_node(&u->serial, d->node);
	kprintf("%s: %s, 16550%s\n", u->serial.name, d->name, u->dw ? " (DesignWare)" : "");
	return 0;
}

static const char *const uart_names[] = {"ns16550a", "ns16550", "snps,dw-apb-uart", NULL};
static struct driver uart_driver = {
	.name = "ns16550",
	.compatible = uart_names,
	.stage = STAGE_CONSOLE,
	.probe = uart_probe,
};
DRIVER(uart_driver);
