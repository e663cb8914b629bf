/* SPDX-License-Identifier: Apache-2.0 */
/* Disturbed files: missing, copied, renamed, foreign, short, unreadable ones. The spool opens, tells what is gone, and
 * goes on. */
#include "spool/look.h"
#include "spool_master.h"

static void a_missing_segment_is_a_gap(void **state)
{
	(void)state;
	build(60, 1, 900);
	for (size_t f = 0; f < nfiles; f++) {
		restore();
		assert_int_equal(unlink(file_path(f)), 0);
		open_and_see();
		bool middle = f > 0 && f + 1 < nfiles;
		assert_int_equal(stats().lost_bytes, middle ? files[f + 1].head.first - files[f].head.first : 0);
		if (f + 1 < nfiles)
			assert_true(seen[nseen - 1].lsn == items[nitems - 1].lsn);
		expect_it_goes_on();
	}
	restore();
	assert_int_equal(unlink(file_path(2)), 0); /* two neighbours */
	assert_int_equal(unlink(file_path(3)), 0);
	open_and_see();
	assert_int_equal(stats().lost_bytes, files[4].head.first - files[2].head.first);
	expect_it_goes_on();
	master_drop();
}

static void rename_to(size_t f, const char *name)
{
	char to[512];
	snprintf(to, sizeof to, "%s/%s", k.dir, name);
	assert_int_equal(rename(file_path(f), to), 0);
}

static void names_mean_nothing(void **state)
{
	(void)state;
	build(60, 1, 900);
	restore();
	rename_to(0, "zz.seg");
	rename_to(1, "a file with blanks");
	rename_to(2, files[0].name);
	rename_to(3, files[1].name);
	open_and_see();
	expect_items(0, 0, nitems);
	assert_int_equal(stats().lost_bytes + stats().quarantined, 0);
	expect_it_goes_on();
	master_drop();
}

static void copy_file(const char *from, const char *name)
{
	char to[512];
	static uint8_t buf[1 << 16];
	snprintf(to, sizeof to, "%s/%s", k.dir, name);
	int in = open(from, O_RDONLY), out = open(to, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ssize_t n = read(in, buf, sizeof buf);
	assert_true(n > 0);
	assert_int_equal(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

static void a_copied_segment_goes_aside(void **state)
{
	(void)state;
	build(60, 1, 900);
	for (size_t f = 0; f < nfiles; f++) {
		restore();
		copy_file(file_path(f), f % 2 ? "0.seg" : "copy.seg");
		open_and_see();
		expect_items(0, 0, nitems);
		assert_int_equal(stats().quarantined, 1);
		assert_int_equal(stats().lost_bytes, 0);
		expect_it_goes_on();
	}
	/* an older state of the last segment: the fuller one counts, whatever the names */
	for (int i = 0; i < 2; i++) {
		restore();
		copy_file(file_path(nfiles - 1), i ? "0.seg" : "zz.seg");
		uint64_t last = items[nitems - 1].lsn;
		int fd = open(file_path(nfiles - 1), O_RDWR);
		assert_int_equal(pwrite(fd, "\0\0\0\0\0\0\0\0", 8, offset_of(last)), 8);
		close(fd);
		open_and_see();
		expect_items(0, 0, nitems);
		expect_it_goes_on();
	}
	master_drop();
}

static void put_file(const char *name, const void *bytes, size_t len)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", k.dir, name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void rubbish_in_the_folder_stops_nothing(void **state)
{
	(void)state;
	static uint8_t page[FORMAT_PAGE * 2];
	char path[512];
	build(20, 1, 900);
	restore();
	put_file("empty.seg", "", 0);
	memset(page, 0, sizeof page);
	put_file("zero.seg", page, sizeof page);
	memset(page, 0x5a, sizeof page);
	put_file("junk.seg", page, sizeof page);
	put_file("short.seg", page, 100);
	put_file("README", "hello", 5);
	snprintf(path, sizeof path, "%s/folder.seg", k.dir);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/dangling.seg", k.dir);
	assert_int_equal(symlink("nowhere", path), 0);
	struct format_segment h = files[0].head;
	h.node[3] ^= 1;
	format_put_segment(page, &h);
	put_file("foreign.seg", page, sizeof page);
	h = files[0].head;
	h.first = UINT64_MAX - 7;
	h.number = 1u << 20;
	format_put_segment(page, &h);
	put_file("absurd.seg", page, sizeof page);
	open_and_see();
	expect_items(0, 0, nitems);
	assert_int_equal(stats().quarantined, 4);
	assert_int_equal(quarantine_files(), 4);
	assert_int_equal(stats().lost_bytes, 0);
	snprintf(path, sizeof path, "%s/README", k.dir);
	assert_int_equal(access(path, F_OK), 0);
	expect_it_goes_on();
	master_drop();
}

static int look(struct spool_look *out)
{
	char why[256];
	return spool_look(k.dir, k.opt.node, NULL, NULL, out, why);
}

/* Only a later version knows what its segments mean: no start over one, and nothing of it is touched. */
static void a_segment_of_a_later_version_refuses_the_start(void **state)
{
	(void)state;
	static uint8_t page[FORMAT_PAGE * 2], after[sizeof page];
	char why[256], path[512];
	struct spool_look found;
	build(20, 1, 900);
	restore();
	format_put_segment(page, &files[0].head);
	for (int at = 0; at <= 2048; at += 2048) {
		put_u32(page + at + 8, FORMAT_VERSION + 1);
		put_u32(page + at + 124, crc32c(0, page + at, 124));
	}
	put_file("newer.seg", page, sizeof page);
	assert_int_equal(spool_open(&k.opt, NULL, NULL, &k.sp, why), -EPROTONOSUPPORT);
	assert_non_null(strstr(why, "newer.seg"));
	assert_non_null(strstr(why, "start the version that wrote it"));
	assert_int_equal(look(&found), 0);
	assert_int_equal(found.nfindings, 1);
	assert_int_equal(found.findings[0].kind, SPOOL_NEWER);
	assert_string_equal(found.findings[0].name, "newer.seg");
	spool_look_free(&found);
	snprintf(path, sizeof path, "%s/newer.seg", k.dir);
	int fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, after, sizeof after), sizeof after);
	close(fd);
	assert_memory_equal(page, after, sizeof page);
	assert_int_equal(unlink(path), 0);
	open_and_see();
	expect_items(0, 0, nitems);
	assert_int_equal(quarantine_files(), 0);
	master_drop();
}

/* A look finds what a start finds, and leaves every byte and name as it was. */
static void looking_changes_nothing(void **state)
{
	(void)state;
	struct spool_look found;
	char cmd[600];
	build(60, 1, 900);
	restore();
	flip(file_of(items[4].lsn), offset_of(items[4].lsn) + 100, 1);
	assert_int_equal(unlink(file_path(2)), 0);
	copy_file(file_path(3), "copy.seg");
	put_file("zero.seg", "\0\0\0\0", 4);
	flip(file_of(items[nitems - 1].lsn), offset_of(items[nitems - 1].lsn) + 60, 1);
	snprintf(cmd, sizeof cmd, "cd %.120s && cksum * >../%.60s.sums", k.dir, strrchr(k.dir, '/') + 1);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(look(&found), 0);
	snprintf(cmd, sizeof cmd, "cd %.120s && cksum * | cmp - ../%.60s.sums && rm ../%.60s.sums", k.dir,
		strrchr(k.dir, '/') + 1, strrchr(k.dir, '/') + 1);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(found.nfindings, 4);
	assert_int_equal(found.findings[0].kind, SPOOL_STRANGE);
	assert_int_equal(found.findings[1].kind, SPOOL_DAMAGED);
	assert_true(found.findings[1].from == items[4].lsn && found.findings[1].to == items[4].end);
	assert_int_equal(found.findings[2].kind, SPOOL_MISSING);
	assert_true(found.findings[2].from == files[2].head.first && found.findings[2].to == files[3].head.first);
	assert_int_equal(found.findings[3].kind, SPOOL_TORN);
	uint64_t end = found.end, mark = found.mark, lost = found.lost_bytes, torn = found.torn_bytes;
	size_t segments = found.nsegments;
	spool_look_free(&found);
	open_and_see();
	assert_true(stats().end == end && k.sp && stats().segments == segments);
	assert_true(stats().lost_bytes == lost && stats().cut_bytes == torn);
	assert_true(mark != 0);
	master_drop();
}

static void a_short_segment_file_loses_only_what_it_lacks(void **state)
{
	(void)state;
	build(60, 1, 900);
	restore();
	assert_int_equal(truncate(file_path(1), offset_of(files[1].head.first) + 3000), 0);
	open_and_see();
	uint64_t lost = stats().lost_bytes;
	assert_true(lost > 0 && lost < KIT_SEGMENT);
	assert_true(seen[nseen - 1].lsn == items[nitems - 1].lsn);
	expect_it_goes_on();
	master_drop();
}

/* Both copies gone: the file is of no use, and what it held is lost, but only that. */
static void a_segment_without_any_head_is_a_gap(void **state)
{
	(void)state;
	build(40, 1, 900);
	for (size_t f = 0; f + 1 < nfiles; f++) {
		restore();
		flip(f, 40, 1);
		flip(f, 2048 + 40, 1);
		open_and_see();
		assert_int_equal(stats().lost_bytes, f ? files[f + 1].head.first - files[f].head.first : 0);
		assert_int_equal(stats().quarantined, f ? 2 : 1);
		assert_true(seen[nseen - 1].lsn == items[nitems - 1].lsn);
		expect_it_goes_on();
	}
	master_drop();
}

/* ---- reading ---- */

/* The N-th read of the start fails, once. Nothing may be destroyed by that: the next start finds all again, or finds it
 * in quarantine. */
static void a_passing_read_error_destroys_nothing(void **state)
{
	(void)state;
	char spec[64];
	build(30, 1, 900);
	unsigned fired = 1;
	for (unsigned n = 1; fired; n++) {
		restore();
		snprintf(spec, sizeof spec, "spool.read:%u:EIO", n);
		assert_int_equal(seam_arm(spec), 0);
		int rc = kit_try_open(&k);
		fired = seam_fired("spool.read");
		assert_int_equal(seam_arm(NULL), 0);
		if (rc == 0) {
			spool_close(k.sp);
			k.sp = NULL;
		}
		if (rc == 0 && quarantine_files() && n % 2) { /* put back what was moved away */
			char cmd[700];
			DIR *d;
			const struct dirent *e;
			snprintf(cmd, sizeof cmd, "%s/quarantine", k.dir);
			d = opendir(cmd);
			while (d && (e = readdir(d)) != NULL)
				if (strstr(e->d_name, ".seg")) {
					char from[1000], to[1000];
					snprintf(from, sizeof from, "%s/%.200s", cmd, e->d_name);
					snprintf(to, sizeof to, "%s/%.200s", k.dir, e->d_name);
					assert_int_equal(rename(from, to), 0);
				}
			if (d)
				closedir(d);
		}
		open_and_see();
		if (!quarantine_files() || n % 2)
			expect_items(0, 0, nitems);
		assert_true(n < 200);
	}
	master_drop();
}

static void a_segment_that_may_not_be_opened_refuses_the_start(void **state)
{
	(void)state;
	char why[256];
	build(10, 1, 900);
	restore();
	assert_int_equal(seam_arm("spool.open:1:EAGAIN"), 0);
	assert_int_equal(spool_open(&k.opt, NULL, NULL, &k.sp, why), -EAGAIN);
	assert_int_equal(seam_arm(NULL), 0);
	assert_non_null(strstr(why, ".seg"));
	open_and_see();
	expect_items(0, 0, nitems);
	master_drop();
}

/* A file that rots while it is open: the reader says so and gives nothing wrong. */
static void rot_under_a_reader_is_said(void **state)
{
	(void)state;
	struct spool_record rec;
	build(30, 1, 900);
	restore();
	open_and_see();
	struct spool_reader *r = spool_reader_open(k.sp);
	flip(file_of(items[4].lsn), offset_of(items[4].lsn) + 100, 1);
	assert_int_equal(spool_reader_seek(r, KIT_OLDEST), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(spool_reader_next(r, &rec), 1);
	assert_int_equal(spool_reader_next(r, &rec), -EIO);
	assert_int_equal(spool_reader_next(r, &rec), -EIO);
	flip(file_of(items[4].lsn), offset_of(items[4].lsn) + 100, 1);
	assert_int_equal(spool_reader_next(r, &rec), 1);
	assert_true(rec.lsn == items[4].lsn);
	spool_reader_close(r);
	master_drop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_segment_is_a_gap),
		cmocka_unit_test(names_mean_nothing),
		cmocka_unit_test(a_copied_segment_goes_aside),
		cmocka_unit_test(rubbish_in_the_folder_stops_nothing),
		cmocka_unit_test(a_segment_of_a_later_version_refuses_the_start),
		cmocka_unit_test(looking_changes_nothing),
		cmocka_unit_test(a_short_segment_file_loses_only_what_it_lacks),
		cmocka_unit_test(a_segment_without_any_head_is_a_gap),
		cmocka_unit_test(a_passing_read_error_destroys_nothing),
		cmocka_unit_test(a_segment_that_may_not_be_opened_refuses_the_start),
		cmocka_unit_test(rot_under_a_reader_is_said),
	};
	return RUN_TESTS("spool_files", tests);
}
