// SPDX-License-Identifier: BSD-2-Clause
/*
 * A card's way from the slot to the transfer state: SD 4.2 (identification), 5.3 (CSD), 5.6 (SCR), 4.3.10 (switch function).  Runs in the
 * host's thread and keeps nothing.
 */
#include "drivers/mmc/mmc.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/sched/time.h"

#define IDENT_HZ   400000u
#define DEFAULT_HZ 25000000u
#define FAST_HZ	   50000000u

#define OCR_BUSY   (1u << 31)
#define OCR_HCS	   (1u << 30)
#define OCR_WINDOW 0x00300000u /* 3.2 to 3.4 V */
#define MSEC	   (NSEC_PER_SEC / 1000)

u32 mmc_bits(const u32 r[4], unsigned low, unsigned n)
{
	unsigned word = 3 - low / 32, shift = low % 32;
	u64 v = r[word];

	if (shift + n > 32 && word)
		v |= (u64)r[word - 1] << 32;
	return (u32)(v >> shift & ((1UL << n) - 1));
}

int mmc_simple(struct mmc_host *h, u32 index, u32 arg, enum mmc_response response, u32 *resp)
{
	struct mmc_command c = {
		.index = index,
		.arg = arg,
		.response = response,
		.stop = index == 12 || index == 0,
		.init = index == 0,
	};
	int err = h->ops->command(h, &c);

	if (!err && resp)
		memcpy(resp, c.resp, response == MMC_R2 ? 16 : 4);
	if (!err && (response == MMC_R1 || response == MMC_R1B) && (c.resp[0] & R1_ERRORS))
		return -EIO;
	return err;
}

static int app_command(struct mmc_host *h, u32 rca, u32 index, u32 arg, enum mmc_response response,
		       u32 *resp)
{
	int err = mmc_simple(h, 55, rca, MMC_R1, NULL);

	return err ? err : mmc_simple(h, index, arg, response, resp);
}

/* A command that reads a small register of the card; words as they came. */
static int read_register(struct mmc_host *h, u32 index, u32 arg, u32 *buf, u32 bytes)
{
	struct mmc_data data = {.block_size = bytes, .blocks = 1, .buf = buf};
	struct mmc_command c = {.index = index, .arg = arg, .response = MMC_R1, .data = &data};
	int err = h->ops->command(h, &c);

	if (err) {
		h->ops->recover(h);
		return err;
	}
	return c.resp[0] & R1_ERRORS ? -EIO : 0;
}

int mmc_settle(struct mmc_host *h, struct mmc_card *card)
{
	u64 deadline = time_now() + NSEC_PER_SEC;
	u32 r1;

	for (;;) {
		int err = mmc_simple(h, 13, card->rca, MMC_R1, &r1);

		if (err == -ETIMEDOUT || err == -ENOMEDIUM)
			return err;
		if (!err && R1_STATE(r1) == R1_STATE_TRAN && (r1 & R1_READY))
			return 0;
		if (!err && (R1_STATE(r1) == R1_STATE_DATA || R1_STATE(r1) == R1_STATE_RECV))
			mmc_simple(h, 12, 0, MMC_R1B, NULL);
		if (time_now() > deadline)
			return -ETIMEDOUT;
		sleep_ns(MSEC); /* the card has no interrupt for it */
	}
}

/* SD 4.2.3: until the card has powered up; a card that knows CMD8 may be of high capacity. */
static int power_up(struct mmc_host *h, struct mmc_card *card)
{
	u64 deadline = time_now() + NSEC_PER_SEC;
	bool v2;
	u32 ocr, echo;
	int err;

	mmc_simple(h, 0, 0, MMC_NONE, NULL);
	v2 = mmc_simple(h, 8, 0x1aa, MMC_R7, &echo) == 0 && (echo & 0xfff) == 0x1aa;
	do {
		err = app_command(h, 0, 41, OCR_WINDOW | (v2 ? OCR_HCS : 0), MMC_R3, &ocr);
		if (err)
			return err;
		if (ocr & OCR_BUSY) {
			card->high_capacity = ocr & OCR_HCS;
			return 0;
		}
		sleep_ns(10 * MSEC);
	} while (time_now() < deadline);
	return -ETIMEDOUT;
}

/* SD 5.3: version 1 and 2. */
static int read_csd(struct mmc_host *h, struct mmc_card *card)
{
	int err = mmc_simple(h, 9, card->rca, MMC_R2, card->csd);
	u32 mult, block;

	if (err)
		return err;
	switch (mmc_bits(card->csd, 126, 2)) {
	case 0:
		mult = mmc_bits(card->csd, 47, 3) + 2;
		block = mmc_bits(card->csd, 80, 4);
		card->sectors = (u64)(mmc_bits(card->csd, 62, 12) + 1) << (mult + block - 9);
		break;
	case 1:
		card->sectors = (u64)(mmc_bits(card->csd, 48, 22) + 1) << 10;
		break;
	case 2: /* SDUC */
		card->sectors = (u64)(mmc_bits(card->csd, 48, 28) + 1) << 10;
		break;
	default:
		return -EOPNOTSUPP;
	}
	/* permanent and temporary write protection; class 5 erases, without ERASE_BLK_EN more than was asked for */
	card->readonly = mmc_bits(card->csd, 12, 2) != 0;
	card->discard = (mmc_bits(card->csd, 84, 12) & 1u << 5) && mmc_bits(card->csd, 46, 1);
	return 0;
}

/* SD 5.6: which bus widths and commands it knows. */
static int read_scr(struct mmc_host *h, struct mmc_card *card)
{
	int err = mmc_simple(h, 55, card->rca, MMC_R1, NULL);

	if (!err)
		err = read_register(h, 51, 0, card->scr, 8);
	if (err)
		return err;
	card->scr[0] = __builtin_bswap32(card->scr[0]);
	card->wide = h->four_bits && (card->scr[0] >> 16 & 4);
	card->set_block_count = card->scr[0] & 2;
	return 0;
}

/* SD 4.3.10: access mode "high speed" is function 1 of group 1. */
static int go_fast(struct mmc_host *h, struct mmc_card *card)
{
	u32 status[16];
	const u8 *bytes = (const u8 *)status;
	int err;

	if (!h->high_speed || (card->scr[0] >> 24 & 15) == 0) /* version 1.0 has no CMD6 */
		return 0;
	err = read_register(h, 6, 0x00fffff1, status, sizeof(status));
	if (err || !(bytes[13] & 2))
		return err;
	err = read_register(h, 6, 0x80fffff1, status, sizeof(status));
	if (!err)
		card->fast = (bytes[16] & 15) == 1;
	return err;
}

static int set_bus(struct mmc_host *h, struct mmc_card *card)
{
	int err = read_scr(h, card);

	if (!err && card->wide) {
		err = app_command(h, card->rca, 6, 2, MMC_R1, NULL);
		if (!err)
			h->ops->set_width(h, 4);
	}
	if (!err)
		err = go_fast(h, card);
	if (!err)
		err = h->ops->set_clock(h, MIN(card->fast ? FAST_HZ : DEFAULT_HZ, h->max_hz));
	return err;
}

int mmc_identify(struct mmc_host *h, struct mmc_card *card)
{
	u32 rca;
	int err;

	memset(card, 0, sizeof(*card));
	err = h->ops->reset(h);
	if (!err)
		err = h->ops->set_clock(h, IDENT_HZ);
	if (!err)
		err = power_up(h, card);
	if (!err)
		err = mmc_simple(h, 2, 0, MMC_R2, card->cid);
	if (!err)
		err = mmc_simple(h, 3, 0, MMC_R6, &rca);
	if (err)
		return err;
	card->rca = rca & 0xffff0000;
	err = read_csd(h, card);
	if (!err)
		err = h->ops->set_clock(h, MIN(DEFAULT_HZ, h->max_hz));
	if (!err)
		err = mmc_simple(h, 7, card->rca, MMC_R1B, NULL);
	if (!err)
		err = h->ops->wait_ready(h);
	if (!err)
		err = set_bus(h, card);
	if (!err && !card->high_capacity)
		err = mmc_simple(h, 16, SECTOR_SIZE, MMC_R1, NULL);
	return err;
}
