/* SPDX-License-Identifier: Apache-2.0 */
/* Broken bytes: torn tails, flipped bits, forged chains. Whatever is done to them, the spool opens, no wrong payload is
 * ever told, what was not hit survives, and the log can be gone on with. */
#include "spool_master.h"

/* ---- torn tails ---- */

static void overwrite_from(size_t file, off_t at, int how)
{
	static uint8_t junk[KIT_SEGMENT];
	int fd = open(file_path(file), O_RDWR);
	if (how == 0)
		assert_int_equal(ftruncate(fd, at), 0);
	memset(junk, how == 1 ? 0 : 0xa5, sizeof junk);
	if (how > 0)
		assert_int_equal(pwrite(fd, junk, KIT_SEGMENT - (size_t)at, at), KIT_SEGMENT - at);
	close(fd);
}

/* The bytes of [at, end) of the master are those that it is overwritten with. */
static bool is_filled_so(uint64_t at, uint64_t end, int how)
{
	char path[512];
	uint8_t b, fill = how == 1 ? 0 : 0xa5;
	bool same = how > 0;
	snprintf(path, sizeof path, "%s/%s", master, files[nfiles - 1].name);
	int fd = open(path, O_RDONLY);
	for (; same && at < end; at++)
		same = pread(fd, &b, 1, offset_of(at)) == 1 && b == fill;
	close(fd);
	return same;
}

/* The end is missing, zero, or other bytes, from every byte of the last three records on; in full, of all. */
static void a_torn_tail_is_cut_at_every_byte(void **state)
{
	(void)state;
	build(6, 2, 57);
	size_t first = getenv("TALLY_FULL") ? 0 : nitems - 3, n = 0;
	for (int how = 0; how < 3; how++)
		for (uint64_t at = items[first].lsn; at <= items[nitems - 1].end; at++) {
			size_t whole = first;
			uint64_t end = items[whole].lsn + FORMAT_HEAD + items[whole].len;
			while (whole < nitems && (end <= at || is_filled_so(at, end, how))) {
				whole++;
				end = items[whole].lsn + FORMAT_HEAD + items[whole].len;
			}
			restore();
			overwrite_from(nfiles - 1, offset_of(at), how);
			open_and_see();
			expect_items(0, 0, whole);
			assert_int_equal(stats().lost_bytes, 0);
			if (at % 5 == 0)
				expect_it_goes_on();
			n++;
		}
	print_message("torn tails: %zu\n", n);
	master_drop();
}

/* The client sends the first of what was cut again, equal to the byte: the second must not follow it back. */
static void what_was_cut_does_not_come_back_behind_its_equal(void **state)
{
	(void)state;
	build(6, 2, 57);
	restore();
	flip(nfiles - 1, offset_of(items[nitems - 2].lsn) + FORMAT_HEAD, 1);
	open_and_see();
	expect_items(0, 0, nitems - 2);
	kit_append(&k, k.recs[k.n - 2].seed, 57);
	assert_true(k.recs[k.n - 1].mark == items[nitems - 2].mark); /* the trap is set */
	assert_int_equal(spool_write(k.sp), 0);
	spool_close(k.sp);
	open_and_see();
	expect_items(0, 0, nitems - 1);
	master_drop();
}

static void what_was_cut_is_kept_aside(void **state)
{
	(void)state;
	char path[200], found[512] = "";
	build(6, 2, 57);
	restore();
	flip(nfiles - 1, offset_of(items[nitems - 1].lsn) + FORMAT_HEAD, 1);
	open_and_see();
	assert_int_equal(stats().cut_bytes, items[nitems - 1].end - items[nitems - 1].lsn);
	snprintf(path, sizeof path, "%s/quarantine", k.dir);
	DIR *d = opendir(path);
	const struct dirent *e;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (strncmp(e->d_name, "cut-", 4) == 0)
			snprintf(found, sizeof found, "%s/%.200s", path, e->d_name);
	closedir(d);
	struct stat st;
	assert_int_equal(stat(found, &st), 0);
	assert_int_equal(st.st_size, stats().cut_bytes);
	master_drop();
}

/* ---- bit flips ---- */

static uint64_t highest_synced_without(size_t broken, bool head_readable)
{
	uint64_t high = 0;
	for (size_t i = 0; i < nitems; i++)
		if ((i != broken || head_readable) && items[i].synced > high)
			high = items[i].synced;
	return high;
}

static void check_flip(size_t i, size_t byte)
{
	restore();
	flip(file_of(items[i].lsn), offset_of(items[i].lsn) + (off_t)byte, (uint8_t)(1 << byte % 8));
	open_and_see();
	uint64_t size = items[i].end - items[i].lsn;
	if (byte >= FORMAT_HEAD + items[i].len) {
		expect_items(0, 0, nitems); /* padding */
	} else if (items[i].lsn < highest_synced_without(i, byte >= FORMAT_HEAD)) {
		expect_items(i, 1, nitems);
		assert_int_equal(stats().lost_bytes, size);
		assert_int_equal(stats().cut_bytes, 0);
		assert_int_equal(quarantine_files(), 1);
	} else {
		expect_items(0, 0, i);
		assert_int_equal(stats().lost_bytes, 0);
	}
	if (byte % 16 == 0)
		expect_it_goes_on();
}

static void a_flipped_bit_costs_its_record_and_no_other(void **state)
{
	(void)state;
	kit_setup(&k, "recover");
	kit_open(&k);
	for (uint32_t i = 0; i < 4; i++) /* two segments */
		kit_group(&k, i, 1, 4000, true);
	for (uint32_t i = 4; i < 8; i++)
		kit_group(&k, i * 10, 2, 30, true);
	master_make();
	assert_true(nfiles == 2);
	size_t step = getenv("TALLY_FULL") ? 1 : 163, n = 0;
	for (size_t i = 0; i < nitems; i++)
		for (size_t b = 0; b < items[i].end - items[i].lsn; b += b >= 100 ? step : 1, n++)
			check_flip(i, b);
	print_message("flipped bytes: %zu\n", n);
	master_drop();
}

static void a_flipped_bit_in_a_segment_head_costs_nothing(void **state)
{
	(void)state;
	build(30, 1, 900);
	for (size_t f = 0; f < nfiles; f++)
		for (off_t at = 0; at < 128; at += 3) {
			restore();
			flip(f, at, 0x10);
			if (at % 2)
				flip(f, 512 + at, 0x10); /* where nothing stands */
			open_and_see();
			expect_items(0, 0, nitems);
			assert_int_equal(stats().lost_bytes + stats().cut_bytes + stats().quarantined, 0);
		}
	master_drop();
}

/* Writes the head of item i anew with another mark; all its checksums are right. */
static void forge_mark(size_t i)
{
	uint8_t head[FORMAT_HEAD];
	struct format_record r;
	const struct format_segment *seg = &files[file_of(items[i].lsn)].head;
	int fd = open(file_path(file_of(items[i].lsn)), O_RDWR);
	assert_int_equal(pread(fd, head, sizeof head, offset_of(items[i].lsn)), sizeof head);
	assert_true(format_get_record(head, seg->salt, &r));
	r.mark ^= 1;
	format_put_record(head, &r, seg->salt);
	assert_int_equal(pwrite(fd, head, sizeof head, offset_of(items[i].lsn)), sizeof head);
	close(fd);
}

static void a_record_that_does_not_continue_the_chain_is_not_told(void **state)
{
	(void)state;
	build(20, 1, 400);
	restore();
	forge_mark(10); /* it lies before what was synced: damage */
	open_and_see();
	expect_items(10, 1, nitems);
	expect_it_goes_on();
	restore();
	forge_mark(nitems - 1);
	open_and_see();
	expect_items(0, 0, nitems - 1);
	expect_it_goes_on();
	master_drop();
}

/* ---- damage and positions ---- */

static void positions_around_damage_are_still_proven(void **state)
{
	(void)state;
	build(40, 1, 900);
	size_t bad = nitems / 2;
	restore();
	flip(file_of(items[bad].lsn), offset_of(items[bad].lsn) + 60, 4);
	open_and_see();
	struct spool_reader *r = spool_reader_open(k.sp);
	struct spool_record rec;
	for (size_t i = bad - 3; i < bad + 3; i++) {
		struct tally_position p = { items[i].end, items[i].mark };
		assert_int_equal(spool_reader_seek(r, p), 0);
		assert_int_equal(spool_reader_next(r, &rec), 1);
		assert_true(rec.lsn == items[i + 1 == bad ? bad + 1 : i + 1].lsn);
		p.mark++;
		assert_int_equal(spool_reader_seek(r, p), -ENOENT);
	}
	struct tally_position inside = { items[bad].lsn + 8, items[bad].mark };
	assert_int_equal(spool_reader_seek(r, inside), -ENOENT);
	assert_int_equal(spool_reader_at(r, items[bad].lsn, &rec), -ENOENT);
	spool_reader_close(r);
	master_drop();
}

static void old_damage_is_copied_once(void **state)
{
	(void)state;
	build(40, 1, 900);
	restore();
	flip(file_of(items[5].lsn), offset_of(items[5].lsn) + 60, 4);
	for (int i = 0; i < 3; i++) {
		open_and_see();
		assert_int_equal(stats().lost_bytes, items[5].end - items[5].lsn);
		assert_int_equal(quarantine_files(), 1);
		spool_close(k.sp);
		k.sp = NULL;
	}
	master_drop();
}

/* Damage reaches up to a last segment that holds nothing: the log ends behind the damage, in no segment at all. */
static void damage_at_the_very_end_leaves_room_to_go_on(void **state)
{
	(void)state;
	build(14, 1, 900);
	assert_int_equal(nfiles, 2);
	size_t last = 0;
	while (items[last].end < files[1].head.first)
		last++;
	restore();
	flip(0, offset_of(items[last].lsn) + FORMAT_HEAD, 1);
	for (size_t i = last + 1; i < nitems; i++)
		flip(1, offset_of(items[i].lsn), 1);
	open_and_see();
	expect_items(0, 0, last);
	assert_int_equal(stats().lost_bytes, items[last].end - items[last].lsn);
	assert_true(stats().end == files[1].head.first);
	expect_it_goes_on();
	master_drop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_torn_tail_is_cut_at_every_byte),
		cmocka_unit_test(what_was_cut_does_not_come_back_behind_its_equal),
		cmocka_unit_test(what_was_cut_is_kept_aside),
		cmocka_unit_test(a_flipped_bit_costs_its_record_and_no_other),
		cmocka_unit_test(a_flipped_bit_in_a_segment_head_costs_nothing),
		cmocka_unit_test(a_record_that_does_not_continue_the_chain_is_not_told),
		cmocka_unit_test(positions_around_damage_are_still_proven),
		cmocka_unit_test(old_damage_is_copied_once),
		cmocka_unit_test(damage_at_the_very_end_leaves_room_to_go_on),
	};
	return RUN_TESTS("spool_recover", tests);
}
