// SPDX-License-Identifier: BSD-2-Clause
/*
 * Partition tables: GPT (UEFI Specification 2.10, chapter 5) with its backup, and MBR with extended partitions.
 *
 * Nothing on the disk is trusted: headers and entries are used only after their checksums and bounds were checked, a partition that does
 * not lie within the disk is left out with a message, and a chain of extended tables that loops ends.
 *
 * Locks: none; no state.
 */

#include "drivers/block/block_internal.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

#define MBR_SIGNATURE 0xaa55
#define MBR_ENTRIES   4
#define MBR_LOGICAL   5 /* number of the first logical partition */
#define TYPE_EXTENDED 0x05
#define TYPE_EXT_LBA  0x0f
#define TYPE_EXT_LNX  0x85
#define TYPE_GPT      0xee

#define GPT_SIGNATURE  0x5452415020494645UL /* "EFI PART" */
#define GPT_HEADER_MIN 92
#define GPT_ENTRY_MIN  128
#define GPT_TABLE_MAX  (1 * MiB) /* of entries; the usual size is 16 KiB */
#define GPT_NAME_UNITS 36

struct __packed mbr_entry {
	u8 status, chs_first[3], type, chs_last[3];
	u32 start, sectors;
};

struct __packed mbr {
	u8 code[440];
	u32 disk_id;
	u16 unused;
	struct mbr_entry entry[MBR_ENTRIES];
	u16 signature;
};

struct __packed gpt_header {
	u64 signature;
	u32 revision, size, crc, zero;
	u64 my_lba, alternate_lba, first_usable, last_usable;
	u8 disk_guid[16];
	u64 entries_lba;
	u32 nentries, entry_size, entries_crc;
};

struct __packed gpt_entry {
	u8 type[16], guid[16];
	u64 first, last, attributes;
	u16 name[GPT_NAME_UNITS];
};

BUILD_ASSERT(sizeof(struct mbr) == 512);
BUILD_ASSERT(sizeof(struct gpt_header) == GPT_HEADER_MIN);
BUILD_ASSERT(sizeof(struct gpt_entry) == GPT_ENTRY_MIN);

/* A scan under way. */
struct scan {
	const struct partition_source *src;
	u64 blocks;    /* of the disk, in logical blocks */
	u32 per_block; /* 512-byte sectors in one */
	int found;
	void *block; /* room for one logical block */
};

static int read_blocks(struct scan *s, u64 lba, void *buf, size_t bytes)
{
	return s->src->read(s->src->ctx, lba * s->per_block, buf, bytes);
}

/* Reports [lba, lba + n) as partition p->number, unless it lies outside the disk. */
static void found(struct scan *s, struct partition *p, u64 lba, u64 n)
{
	if (!n || lba >= s->blocks || n > s->blocks - lba) {
		kprintf("%s: partition %u (%lu blocks at %lu) does not lie on the disk: left out\n",
			s->src->name, p->number, (unsigned long)n, (unsigned long)lba);
		return;
	}
	p->start = lba * s->per_block;
	p->sectors = n * s->per_block;
	s->found++;
	s->src->found(s->src->ctx, p);
}

/* ---- MBR ---- */

static bool is_extended(const struct mbr_entry *e)
{
	return e->type == TYPE_EXTENDED || e->type == TYPE_EXT_LBA || e->type == TYPE_EXT_LNX;
}

/* A boot sector of a file system ends in the same signature: its code is no table. */
static bool mbr_ok(const struct mbr *m)
{
	if (m->signature != MBR_SIGNATURE)
		return false;
	for (unsigned i = 0; i < MBR_ENTRIES; i++)
		if (m->entry[i].status & 0x7f)
			return false;
	return true;
}

static void mbr_found(struct scan *s, u32 disk_id, u32 number, u64 start, u64 n)
{
	struct partition p = {.number = number};

	ksnprintf(p.uuid, sizeof(p.uuid), "%08x-%02x", disk_id, number);
	found(s, &p, start, n);
}

/* The logical partitions: a chain of tables, each with one partition, relative to the table, and the next table, relative to the
 * extended partition.  A loop is seen by Brent's method: a mark that moves on at powers of two is met again. */
static int mbr_chain(struct scan *s, u32 disk_id, u64 base, u64 size, u32 *number)
{
	struct mbr *m = s->block;
	u64 at = base, mark = ~0UL, steps = 0, power = 1;
	int err;

	for (;;) {
		const struct mbr_entry *next = NULL;

		if (at == mark || at - base >= size || at >= s->blocks) {
			kprintf("%s: the chain of extended partitions is damaged at block %lu\n",
				s->src->name, (unsigned long)at);
			return 0;
		}
		if (++steps == power) {
			mark = at;
			power *= 2;
		}
		err = read_blocks(s, at, m, s->src->sector_size);
		if (err)
			return err;
		if (!mbr_ok(m))
			return 0;
		for (unsigned i = 0; i < MBR_ENTRIES; i++) {
			const struct mbr_entry *e = &m->entry[i];

			if (is_extended(e) && e->sectors && !next)
				next = e;
			else if (e->type && e->sectors && !is_extended(e))
				mbr_found(s, disk_id, (*number)++, at + e->start, e->sectors);
		}
		if (!next)
			return 0;
		at = base + next->start;
	}
}

static int mbr_scan(struct scan *s)
{
	struct mbr_entry entry[MBR_ENTRIES];
	const struct mbr *m = s->block;
	u32 disk_id = m->disk_id, logical = MBR_LOGICAL;
	int err = 0;

	memcpy(entry, m->entry, sizeof(entry)); /* the block is needed for the chains */
	for (unsigned i = 0; i < MBR_ENTRIES; i++)
		if (entry[i].type && entry[i].sectors && !is_extended(&entry[i]))
			mbr_found(s, disk_id, i + 1, entry[i].start, entry[i].sectors);
	for (unsigned i = 0; i < MBR_ENTRIES && !err; i++)
		if (is_extended(&entry[i]) && entry[i].sectors)
			err = mbr_chain(s, disk_id, entry[i].start, entry[i].sectors, &logical);
	return err;
}

/* ---- GPT ---- */

/* Why a header cannot be used; NULL: it can. */
static const char *gpt_header_bad(const struct scan *s, struct gpt_header *h, u64 lba)
{
	u32 crc = h->crc, have;

	if (h->signature != GPT_SIGNATURE)
		return "no signature";
	if (h->size < GPT_HEADER_MIN || h->size > s->src->sector_size)
		return "header size";
	h->crc = 0;
	have = crc32_le(0, h, h->size);
	h->crc = crc;
	if (have != crc)
		return "header checksum";
	if (h->my_lba != lba)
		return "header in the wrong place";
	if (h->last_usable >= s->blocks || h->first_usable > h->last_usable)
		return "usable range outside the disk";
	if (h->entry_size < GPT_ENTRY_MIN || h->entry_size > PAGE_SIZE || h->entry_size % 8)
		return "entry size";
	if ((u64)h->nentries * h->entry_size > GPT_TABLE_MAX)
		return "too many entries";
	if (h->entries_lba >= s->blocks ||
	    (u64)h->nentries * h->entry_size > (s->blocks - h->entries_lba) * s->src->sector_size)
		return "entries outside the disk";
	return NULL;
}

/* Reads and checks header and entries at lba.  0 with *entries (NULL: unusable, a message said why), or an error. */
static int gpt_load(struct scan *s, u64 lba, struct gpt_header *h, u8 **entries)
{
	const char *bad;
	size_t bytes;
	int err = read_blocks(s, lba, s->block, s->src->sector_size);

	*entries = NULL;
	if (err)
		return err;
	bad = gpt_header_bad(s, s->block, lba);
	if (!bad) {
		memcpy(h, s->block, sizeof(*h));
		bytes = ALIGN_UP((u64)h->nentries * h->entry_size, (u64)s->src->sector_size);
		*entries = s->src->alloc(MAX(bytes, (size_t)1));
		if (!*entries)
			return -ENOMEM;
		err = bytes ? read_blocks(s, h->entries_lba, *entries, bytes) : 0;
		if (!err &&
		    crc32_le(0, *entries, (u64)h->nentries * h->entry_size) != h->entries_crc)
			bad = "checksum of the entries";
	}
	if (bad)
		kprintf("%s: GPT at block %lu: %s\n", s->src->name, (unsigned long)lba, bad);
	if ((err || bad) && *entries) {
		s->src->free(*entries);
		*entries = NULL;
	}
	return err;
}

/* UCS-2 to UTF-8; out has room for three bytes a unit. */
static void gpt_name(char *out, const struct gpt_entry *e)
{
	for (unsigned i = 0; i < GPT_NAME_UNITS && e->name[i]; i++) {
		u32 c = e->name[i];

		if (c < 0x80) {
			*out++ = c;
		} else if (c < 0x800) {
			*out++ = 0xc0 | c >> 6;
			*out++ = 0x80 | (c & 0x3f);
		} else {
			*out++ = 0xe0 | c >> 12;
			*out++ = 0x80 | (c >> 6 & 0x3f);
			*out++ = 0x80 | (c & 0x3f);
		}
	}
	*out = 0;
}

/* The first three fields are little-endian numbers (UEFI, appendix A). */
static void guid_text(char *out, size_t size, const u8 *g)
{
	ksnprintf(out, size, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		  g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12],
		  g[13], g[14], g[15]);
}

static void gpt_report(struct scan *s, const struct gpt_header *h, const u8 *entries)
{
	static const u8 unused[16];

	for (u32 i = 0; i < h->nentries; i++) {
		struct partition p = {.number = i + 1};
		struct gpt_entry e;

		memcpy(&e, entries + (u64)i * h->entry_size, sizeof(e));
		if (!memcmp(e.type, unused, sizeof(unused)))
			continue;
		guid_text(p.uuid, sizeof(p.uuid), e.guid);
		gpt_name(p.label, &e);
		found(s, &p, e.first,
		      e.last >= e.first && e.last <= h->last_usable ? e.last - e.first + 1 : 0);
	}
}

static int gpt_scan(struct scan *s)
{
	struct gpt_header h;
	u8 *entries;
	int err = gpt_load(s, 1, &h, &entries);

	if (err == -ENOMEM)
		return err;
	if (!entries) {
		err = gpt_load(s, s->blocks - 1, &h, &entries);
		if (!entries)
			return err;
		kprintf("%s: using the backup GPT\n", s->src->name);
	}
	gpt_report(s, &h, entries);
	s->src->free(entries);
	return 0;
}

int partitions_scan(const struct partition_source *src)
{
	struct scan s = {.src = src, .per_block = src->sector_size / SECTOR_SIZE};
	const struct mbr *m;
	bool gpt = false;
	int err;

	s.blocks = src->sectors / s.per_block;
	if (s.blocks < 2)
		return 0;
	s.block = src->alloc(src->sector_size);
	if (!s.block)
		return -ENOMEM;
	m = s.block;
	err = read_blocks(&s, 0, s.block, src->sector_size);
	if (!err && mbr_ok(m)) {
		for (unsigned i = 0; i < MBR_ENTRIES; i++)
			gpt |= m->entry[i].type == TYPE_GPT;
		err = gpt ? gpt_scan(&s) : mbr_scan(&s);
	}
	src->free(s.block);
	return err ? err : s.found;
}
