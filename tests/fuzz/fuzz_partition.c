// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: drivers/block/partition.c kernel/lib/bytes.c tests/fuzz/shim.c
/*
 * Partition tables.  An input is: options (1 byte), then 20-byte pieces of a disk: sector, offset in it, 16 bytes; it begins as a sound GPT,
 * a sound MBR with a chain, or zeroes.  With option 8 the checksums of the GPT are put right afterwards.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/block/block_internal.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

#define SECTORS 256u
#define PIECE	20u

static u8 *disk;
static u32 bs;
static unsigned reads, live;

static int read_disk(void *ctx, u64 sector, void *buf, size_t n)
{
	(void)ctx;
	ASSERT(n % bs == 0 && sector % (bs / 512) == 0);
	ASSERT(sector <= SECTORS && n <= (SECTORS - sector) * 512);
	ASSERT(++reads < 100000);
	memcpy(buf, disk + sector * 512, n);
	return 0;
}

static void found(void *ctx, const struct partition *p)
{
	(void)ctx;
	ASSERT(p->number && p->sectors && p->start < SECTORS && p->sectors <= SECTORS - p->start);
	ASSERT(strnlen(p->label, sizeof(p->label)) < sizeof(p->label));
}

static void *alloc(size_t n)
{
	live++;
	return malloc(n);
}

static void release(void *p)
{
	live--;
	free(p);
}

static void put(u64 at, u64 v, unsigned n)
{
	memcpy(disk + at, &v, n);
}

static u64 get(u64 at, unsigned n)
{
	u64 v = 0;

	memcpy(&v, disk + at, n);
	return v;
}

static void sound_gpt(u64 lba, u64 other, u64 table)
{
	u64 h = lba * bs, last = SECTORS * 512 / bs - 1, at = table * bs;

	memcpy(disk + h, "EFI PART", 8);
	put(h + 8, 0x10000, 4);
	put(h + 12, 92, 4);
	put(h + 24, lba, 8);
	put(h + 32, other, 8);
	put(h + 40, 12, 8);
	put(h + 48, last - 12, 8);
	put(h + 72, table, 8);
	put(h + 80, 8, 4);
	put(h + 84, 128, 4);
	for (unsigned k = 0; k < 3; k++) {
		memset(disk + at + 128 * k, 0x11 * (int)(k + 1), 32);
		put(at + 128 * k + 32, 12 + 4 * k, 8);
		put(at + 128 * k + 40, 15 + 4 * k, 8);
		put(at + 128 * k + 56, 'r', 2);
	}
}

static void sound_mbr(u64 lba, u8 type, u32 start, u32 n)
{
	put(lba * bs + 446 + 4, type, 1);
	put(lba * bs + 446 + 8, start, 4);
	put(lba * bs + 446 + 12, n, 4);
	put(lba * bs + 510, 0xaa55, 2);
}

static void put_sums_right(u64 lba)
{
	u64 h = lba * bs, size = get(h + 12, 4), table = get(h + 72, 8),
	    n = get(h + 80, 4) * get(h + 84, 4);

	if (table < SECTORS * 512 / bs && n <= SECTORS * 512 - table * bs)
		put(h + 88, crc32_le(0, disk + table * bs, n), 4);
	put(h + 16, 0, 4);
	if (size <= SECTORS * 512 - h)
		put(h + 16, crc32_le(0, disk + h, size), 4);
}

static void begin(u8 options)
{
	u64 last;

	bs = options & 16 ? 4096 : 512;
	last = SECTORS * 512 / bs - 1;
	memset(disk, 0, SECTORS * 512);
	if (options & 1) {
		sound_mbr(0, 0xee, 1, 200);
		sound_gpt(1, last, 2);
		sound_gpt(last, 1, last - 4);
	} else if (options & 2) {
		sound_mbr(0, 5, 10, 40);
		for (u32 k = 0; k < 3; k++) {
			sound_mbr(10 + k * 5, 0x83, 1, 3);
			put((10 + k * 5) * bs + 462 + 4, 5, 1);
			put((10 + k * 5) * bs + 462 + 8, (k + 1) * 5, 4);
			put((10 + k * 5) * bs + 462 + 12, 5, 4);
		}
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);
int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	u8 options;

	if (!n)
		return 0;
	options = *data++;
	n--;
	disk = malloc(SECTORS * 512);
	begin(options);
	for (; n >= PIECE; data += PIECE, n -= PIECE) {
		u64 at = (u64)(data[0] % 64 | (data[0] & 0x80 ? 192 : 0)) * 512 +
			 (data[1] | (data[2] & 1) << 8);

		for (unsigned k = 0; k < 1u + (data[3] & 15) && at + k < SECTORS * 512; k++)
			disk[at + k] = data[4 + k];
	}
	if (options & 8) {
		put_sums_right(1);
		put_sums_right(SECTORS * 512 / bs - 1);
	}
	struct partition_source src = {"vdx", SECTORS, bs, read_disk, NULL, found, alloc, release};

	reads = 0;
	partitions_scan(&src);
	ASSERT(!live);
	free(disk);
	return 0;
}
