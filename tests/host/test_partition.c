// SPDX-License-Identifier: BSD-2-Clause
// SOURCES: drivers/block/partition.c kernel/lib/bytes.c tests/host/shim/kernel.c
/* Partition tables written here and read by the kernel; damaged ones; chains that loop; random bytes. */

#include "host.h"
#include "drivers/block/block_internal.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

#define MAX_FOUND 300

static u8 *disk;
static u64 sectors;
static u32 bs; /* logical block size */
static struct partition got[MAX_FOUND];
static int ngot, reads, fail_read_at, fail_alloc_at, allocs, live;
static char messages[1 << 16];

void kprintf(const char *fmt, ...)
{
	size_t n = strlen(messages);
	va_list ap;

	va_start(ap, fmt);
	if (n < sizeof(messages) - 200)
		vsnprintf(messages + n, 200, fmt, ap);
	va_end(ap);
}

static int read_disk(void *ctx, u64 sector, void *buf, size_t n)
{
	(void)ctx;
	assert_true(n % bs == 0 && sector % (bs / 512) == 0);
	assert_true(sector <= sectors && n <= (sectors - sector) * 512);
	assert_true(++reads < 100000);
	if (reads == fail_read_at)
		return -EIO;
	memcpy(buf, disk + sector * 512, n);
	return 0;
}

static void found(void *ctx, const struct partition *p)
{
	(void)ctx;
	assert_true(p->number && p->sectors && p->start < sectors &&
		    p->sectors <= sectors - p->start);
	assert_true(strnlen(p->label, sizeof(p->label)) < sizeof(p->label));
	if (ngot < MAX_FOUND)
		got[ngot] = *p;
	ngot++;
}

static void *alloc(size_t n)
{
	if (++allocs == fail_alloc_at)
		return NULL;
	live++;
	return malloc(n);
}

static void release(void *p)
{
	live--;
	free(p);
}

static int scan(void)
{
	struct partition_source src = {"vdx", sectors, bs, read_disk, NULL, found, alloc, release};
	int n;

	ngot = reads = allocs = 0;
	messages[0] = 0;
	n = partitions_scan(&src);
	assert_int_equal(live, 0);
	if (n >= 0)
		assert_int_equal(n, ngot);
	return n;
}

static void put(u64 off, u64 v, unsigned n)
{
	memcpy(disk + off, &v, n);
}

static u64 get(u64 off, unsigned n)
{
	u64 v = 0;

	memcpy(&v, disk + off, n);
	return v;
}

static void new_disk(u64 n, u32 block)
{
	free(disk);
	sectors = n;
	bs = block;
	disk = calloc(n, 512);
	fail_read_at = fail_alloc_at = 0;
}

static void mbr_entry(u64 lba, unsigned i, u8 type, u32 start, u32 n)
{
	u64 at = lba * bs + 446 + 16 * i;

	put(at + 4, type, 1);
	put(at + 8, start, 4);
	put(at + 12, n, 4);
	put(lba * bs + 510, 0xaa55, 2);
}

/* ---- GPT ---- */

#define ENTRIES 128u

static void gpt_sums(u64 lba)
{
	u64 h = lba * bs, table = get(h + 72, 8) * bs;

	put(h + 88, crc32_le(0, disk + table, get(h + 80, 4) * get(h + 84, 4)), 4);
	put(h + 16, 0, 4);
	put(h + 16, crc32_le(0, disk + h, get(h + 12, 4)), 4);
}

static void gpt_header(u64 lba, u64 other, u64 table, u32 n, u32 size)
{
	u64 h = lba * bs, last = sectors / (bs / 512) - 1;

	memcpy(disk + h, "EFI PART", 8);
	put(h + 8, 0x10000, 4);
	put(h + 12, 92, 4);
	put(h + 24, lba, 8);
	put(h + 32, other, 8);
	put(h + 40, 40, 8);
	put(h + 48, last - 40, 8);
	put(h + 72, table, 8);
	put(h + 80, n, 4);
	put(h + 84, size, 4);
}

static void gpt_entry(u64 table, u32 size, unsigned i, u64 first, u64 last, const char *label)
{
	u64 e = table * bs + i * size;

	memset(disk + e, 0x11, 16);
	for (unsigned k = 0; k < 16; k++)
		disk[e + 16 + k] = k + 16 * i;
	put(e + 32, first, 8);
	put(e + 40, last, 8);
	for (unsigned k = 0; k < 36; k++)
		put(e + 56 + 2 * k, k < strlen(label) ? label[k] : 0, 2);
}

static void gpt(u64 n, u32 block, u32 size)
{
	u64 last, tables[2];

	new_disk(n, block);
	last = sectors / (bs / 512) - 1;
	mbr_entry(0, 0, 0xee, 1, 0xffffffff);
	tables[0] = 2;
	tables[1] = last - 33;
	gpt_header(1, last, tables[0], ENTRIES, size);
	gpt_header(last, 1, tables[1], ENTRIES, size);
	for (unsigned k = 0; k < 2; k++) {
		gpt_entry(tables[k], size, 0, 40, 139, "root");
		gpt_entry(tables[k], size, 1, 140, 140, "swap space");
		gpt_entry(tables[k], size, 127, 200, 299, "");
	}
	gpt_sums(1);
	gpt_sums(last);
}

static void gpt_good(void)
{
	u32 per = bs / 512;

	assert_int_equal(scan(), 3);
	assert_int_equal(got[0].number, 1);
	assert_int_equal(got[0].start, 40 * per);
	assert_int_equal(got[0].sectors, 100 * per);
	assert_string_equal(got[0].label, "root");
	assert_string_equal(got[0].uuid, "03020100-0504-0706-0809-0a0b0c0d0e0f");
	assert_string_equal(got[1].label, "swap space");
	assert_string_equal(got[1].uuid, "13121110-1514-1716-1819-1a1b1c1d1e1f");
	assert_int_equal(got[1].sectors, per);
	assert_int_equal(got[2].number, 128);
	assert_string_equal(got[2].label, "");
}

static void test_gpt(void **state)
{
	(void)state;
	gpt(2048, 512, 128);
	gpt_good();
	assert_string_equal(messages, "");
	gpt(4096, 512, 256 - 128);
	gpt_good();
	gpt(8192, 4096, 128);
	gpt_good();
}

static void test_gpt_backup(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 100; k++) { /* any byte of the header or the entries */
		u64 at;

		gpt(2048, 512, 128);
		at = host_rand_below(2) ? 512 + host_rand_below(92)
					: 1024 + host_rand_below(ENTRIES * 128);
		disk[at] ^= 1 + host_rand_below(255);
		gpt_good();
		assert_non_null(strstr(messages, "using the backup"));
		assert_non_null(strstr(messages, "GPT at block 1:"));
	}
	gpt(2048, 512, 128);
	fail_read_at = 2; /* the primary header cannot be read */
	gpt_good();
	gpt(2048, 512, 128);
	fail_read_at = 3; /* nor its entries */
	gpt_good();
	disk[512] ^= 1;
	disk[2047 * 512] ^= 1;
	fail_read_at = 0;
	assert_int_equal(scan(), 0);
	assert_non_null(strstr(messages, "GPT at block 2047"));
}

/* Right checksums over wrong facts. */
static void test_gpt_lies(void **state)
{
	static const struct {
		unsigned off, n;
		u64 v;
		const char *says;
	} lies[] = {
		{12, 4, 80, "header size"},	  {12, 4, 513, "header size"},
		{24, 8, 2, "wrong place"},	  {48, 8, 1UL << 40, "usable range"},
		{84, 4, 100, "entry size"},	  {84, 4, 0, "entry size"},
		{84, 4, 1 << 20, "entry size"},	  {80, 4, 0xffffffff, "too many"},
		{72, 8, 2040, "entries outside"}, {72, 8, ~0UL, "entries outside"},
		{80, 4, 8192, "entries outside"},
	};

	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(lies); k++) {
		u32 size;

		gpt(2048, 512, 128);
		put(512 + lies[k].off, lies[k].v, lies[k].n);
		put(512 + 16, 0, 4);
		size = get(512 + 12, 4);
		put(512 + 16, crc32_le(0, disk + 512, size <= 600 ? size : 92), 4);
		gpt_good();
		if (!strstr(messages, lies[k].says))
			fail_msg("lie %u: said %s", k, messages);
	}
	gpt(2048, 512, 128);
	gpt_entry(2, 128, 0, 40, 5000, "too long");
	gpt_entry(2, 128, 1, 50, 49, "negative");
	gpt_sums(1);
	assert_int_equal(scan(), 1);
	assert_non_null(strstr(messages, "partition 1"));
	assert_non_null(strstr(messages, "partition 2"));
}

static void test_gpt_names(void **state)
{
	static const u16 name[] = {'a', 0xe9, 0x20ac, 'z'};

	(void)state;
	gpt(2048, 512, 128);
	memcpy(disk + 1024 + 56, name, sizeof(name));
	for (unsigned k = 0; k < 36; k++)
		put(1024 + 128 + 56 + 2 * k, 0xffff, 2);
	gpt_sums(1);
	assert_int_equal(scan(), 3);
	assert_string_equal(got[0].label, "a\xc3\xa9\xe2\x82\xacz");
	assert_int_equal(strlen(got[1].label), 108);
}

/* ---- MBR ---- */

static void test_mbr(void **state)
{
	(void)state;
	new_disk(100000, 512);
	assert_int_equal(scan(), 0);
	put(440, 0xdeadbeef, 4);
	mbr_entry(0, 0, 0x83, 2048, 1000);
	mbr_entry(0, 1, 0x05, 10000, 50000);
	mbr_entry(0, 3, 0x82, 4096, 100);
	/* three logical partitions; each table names its own, relative to itself, and the next, relative to the extended one */
	mbr_entry(10000, 0, 0x83, 63, 500);
	mbr_entry(10000, 1, 0x05, 20000, 2000);
	mbr_entry(30000, 0, 0x83, 63, 600);
	mbr_entry(30000, 1, 0x0f, 10000, 2000); /* backwards is allowed */
	mbr_entry(20000, 0, 0x83, 63, 700);
	assert_int_equal(scan(), 5);
	assert_int_equal(got[0].number, 1);
	assert_int_equal(got[0].start, 2048);
	assert_string_equal(got[0].uuid, "deadbeef-01");
	assert_int_equal(got[1].number, 4);
	assert_int_equal(got[2].number, 5);
	assert_int_equal(got[2].start, 10063);
	assert_int_equal(got[3].number, 6);
	assert_int_equal(got[3].start, 30063);
	assert_int_equal(got[3].sectors, 600);
	assert_int_equal(got[4].number, 7);
	assert_int_equal(got[4].start, 20063);
	assert_string_equal(got[4].uuid, "deadbeef-07");
	assert_string_equal(messages, "");
}

static void test_mbr_damage(void **state)
{
	(void)state;
	new_disk(100000, 512);
	mbr_entry(0, 0, 0x83, 99000, 5000); /* too long */
	mbr_entry(0, 1, 0x83, 200000, 1);
	mbr_entry(0, 2, 0x83, 100, 1);
	assert_int_equal(scan(), 1);
	disk[446] = 0x12; /* no table: a boot sector of a file system */
	assert_int_equal(scan(), 0);
	new_disk(100000, 512); /* loops of several lengths */
	for (unsigned len = 1; len < 40; len++) {
		new_disk(100000, 512);
		mbr_entry(0, 0, 0x05, 1000, 90000);
		for (unsigned i = 0; i < len + 3; i++) {
			mbr_entry(1000 + i * 100, 0, 0x83, 1, 10);
			mbr_entry(1000 + i * 100, 1, 0x05, (i + 1 < len + 3 ? i + 1 : 3) * 100,
				  100);
		}
		assert_true(scan() >= (int)len + 3);
		assert_true(reads < 300);
		assert_non_null(strstr(messages, "chain"));
	}
	new_disk(100000, 512); /* out of the extended partition */
	mbr_entry(0, 0, 0x05, 1000, 5000);
	mbr_entry(1000, 0, 0x83, 1, 10);
	mbr_entry(1000, 1, 0x05, 6000, 10);
	assert_int_equal(scan(), 1);
	assert_non_null(strstr(messages, "chain"));
	fail_read_at = 2;
	assert_int_equal(scan(), -EIO);
	fail_read_at = 1;
	assert_int_equal(scan(), -EIO);
}

static void test_no_memory(void **state)
{
	(void)state;
	for (int k = 1; k <= 2; k++) {
		gpt(2048, 512, 128);
		fail_alloc_at = k;
		assert_int_equal(scan(), -ENOMEM);
	}
	new_disk(1, 512);
	assert_int_equal(scan(), 0);
}

static void test_fuzz(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 3000; k++) {
		if (host_rand_below(2)) {
			gpt(2048, 512, 128);
			for (unsigned i = 0; i < 1 + host_rand_below(5); i++)
				disk[512 + host_rand_below(host_rand_below(2) ? 92 : 17000)] =
					host_rand();
			if (host_rand_below(4) && get(512 + 72, 8) < 1000 &&
			    get(512 + 80, 4) < 1000 && get(512 + 84, 4) < 500 &&
			    get(512 + 12, 4) < 512)
				gpt_sums(1);
		} else {
			new_disk(2048, 512);
			for (unsigned i = 0; i < 2048; i += 1 + host_rand_below(50))
				for (unsigned e = 0; e < 4; e++)
					mbr_entry(i, e, host_rand_below(2) ? 5 : host_rand(),
						  host_rand_below(2100), host_rand_below(3000));
		}
		scan();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gpt),	  cmocka_unit_test(test_gpt_backup),
		cmocka_unit_test(test_gpt_lies),  cmocka_unit_test(test_gpt_names),
		cmocka_unit_test(test_mbr),	  cmocka_unit_test(test_mbr_damage),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_fuzz),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(disk);
	return failed;
}
