/* SPDX-License-Identifier: Apache-2.0 */
/* Broken files: whatever is done to them, the spool opens, no wrong payload is ever told, what was not hit survives, and
 * the log can be gone on with. */
#include <fcntl.h>

#include "base/hash.h"
#include "spool/scan.h"
#include "spool_kit.h"

static struct kit k;
static char master[128]; /* the folder as it was before it was broken */

/* A record of the master, checkpoints too. */
struct item {
	uint64_t lsn, end, mark, synced;
	size_t len;
};

static struct item items[512];
static size_t nitems;

/* One file of the master. */
static struct {
	char name[64];
	struct format_segment head;
} files[32];
static size_t nfiles;

static struct spool_stats stats(void)
{
	struct spool_stats st;
	spool_stats(k.sp, &st);
	return st;
}

static int collect(void *arg, const struct spool_record *rec)
{
	(void)arg;
	items[nitems++] = (struct item){ rec->lsn, rec->end, rec->mark, rec->synced, rec->len };
	return 0;
}

static void list_files(void)
{
	DIR *d = opendir(master);
	const struct dirent *e;
	assert_non_null(d);
	nfiles = 0;
	while ((e = readdir(d)) != NULL) {
		char path[512];
		struct scan s = { .fd = -1 };
		snprintf(path, sizeof path, "%s/%.60s", master, e->d_name);
		if (!strstr(e->d_name, ".seg") || scan_open(&s, path, 0) < 0)
			continue;
		snprintf(files[nfiles].name, sizeof files->name, "%.60s", e->d_name);
		files[nfiles++].head = s.head;
		scan_close(&s);
	}
	closedir(d);
	for (size_t i = 0; i < nfiles; i++) /* oldest first */
		for (size_t j = i + 1; j < nfiles; j++)
			if (files[j].head.number < files[i].head.number) {
				__typeof__(files[0]) t = files[i];
				files[i] = files[j];
				files[j] = t;
			}
}

/* Closes the spool; what is on disk becomes the master. */
static void master_make(void)
{
	char why[256];
	spool_close(k.sp);
	k.sp = NULL;
	snprintf(master, sizeof master, "%.100s-m", k.dir);
	kit_copy(k.dir, master);
	list_files();
	nitems = 0;
	assert_int_equal(spool_open(&k.opt, collect, NULL, &k.sp, why), 0);
	spool_close(k.sp);
	k.sp = NULL;
}

static void master_drop(void)
{
	kit_teardown(&k);
	kit_clear(master);
}

static void restore(void)
{
	spool_close(k.sp);
	k.sp = NULL;
	kit_clear(k.dir);
	kit_copy(master, k.dir);
}

static const char *file_path(size_t i)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/%.63s", k.dir, files[i].name);
	return path;
}

static size_t file_of(uint64_t lsn)
{
	size_t at = 0;
	for (size_t i = 0; i < nfiles; i++)
		if (files[i].head.first <= lsn)
			at = i;
	return at;
}

static off_t offset_of(uint64_t lsn)
{
	return (off_t)(FORMAT_PAGE + lsn - files[file_of(lsn)].head.first);
}

static void flip(size_t file, off_t at, uint8_t mask)
{
	uint8_t b;
	int fd = open(file_path(file), O_RDWR);
	assert_int_equal(pread(fd, &b, 1, at), 1);
	b ^= mask;
	assert_int_equal(pwrite(fd, &b, 1, at), 1);
	close(fd);
}

static struct item seen[512];
static size_t nseen;

static int see(void *arg, const struct spool_record *rec)
{
	(void)arg;
	seen[nseen++] = (struct item){ rec->lsn, rec->end, rec->mark, rec->synced, rec->len };
	return kit_genuine(&k, rec) ? 0 : -EBADMSG;
}

static void open_and_see(void)
{
	char why[256];
	nseen = 0;
	assert_int_equal(spool_open(&k.opt, see, NULL, &k.sp, why), 0);
	spool_set_checkpoint(k.sp, kit_checkpoint, NULL);
}

/* Recalled are the items but for [lost, lost + count), and none at or behind stop. */
static void expect_items(size_t lost, size_t count, size_t stop)
{
	size_t n = 0;
	for (size_t i = 0; i < nitems && i < stop; i++) {
		if (i >= lost && i < lost + count)
			continue;
		assert_true(n < nseen);
		assert_true(seen[n].lsn == items[i].lsn && seen[n].mark == items[i].mark);
		n++;
	}
	assert_int_equal(n, nseen);
}

/* Readers see what recall saw. */
static void expect_readers_agree(void)
{
	struct spool_reader *r = spool_reader_open(k.sp);
	struct spool_record rec;
	size_t n = 0;
	int rc;
	assert_int_equal(spool_reader_seek(r, KIT_OLDEST), 0);
	while ((rc = spool_reader_next(r, &rec)) > 0 && n < nseen) {
		assert_true(rec.lsn == seen[n].lsn && rec.mark == seen[n].mark);
		n++;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(n, nseen);
	spool_reader_close(r);
}

/* And it goes on: appends, and all of it is there at the next start, with no more loss than now. */
static void expect_it_goes_on(void)
{
	size_t before = nseen, n = k.n;
	uint64_t lost = stats().lost_bytes;
	expect_readers_agree();
	kit_group(&k, 5000, 2, 700, true);
	spool_close(k.sp);
	open_and_see();
	assert_true(nseen >= before + 2);
	assert_int_equal(stats().lost_bytes, lost);
	assert_int_equal(stats().cut_bytes, 0);
	expect_readers_agree();
	k.n = n;
}

static void build(size_t groups, size_t count, size_t len)
{
	kit_setup(&k, "recover");
	kit_open(&k);
	for (size_t i = 0; i < groups; i++)
		kit_group(&k, (uint32_t)(i * 10), count, len, true);
	master_make();
}

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

/* The end is missing, zero, or other bytes, from every byte of the last three records on. */
static void a_torn_tail_is_cut_at_every_byte(void **state)
{
	(void)state;
	build(6, 2, 57);
	size_t first = nitems - 3;
	for (int how = 0; how < 3; how++)
		for (uint64_t at = items[first].lsn; at <= items[nitems - 1].end; at++) {
			size_t whole = first;
			while (whole < nitems && items[whole].lsn + FORMAT_HEAD + items[whole].len <= at)
				whole++;
			restore();
			overwrite_from(nfiles - 1, offset_of(at), how);
			open_and_see();
			expect_items(0, 0, whole);
			assert_int_equal(stats().lost_bytes, 0);
			if (at % 5 == 0)
				expect_it_goes_on();
		}
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
	for (size_t i = 0; i < nitems; i++)
		for (size_t b = 0; b < items[i].end - items[i].lsn; b += b >= 100 ? 163 : 1)
			check_flip(i, b);
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

static size_t quarantine_files(void)
{
	char path[600];
	size_t n = 0;
	snprintf(path, sizeof path, "%s/quarantine", k.dir);
	DIR *d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 2 ? n - 2 : 0;
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

/* ---- files ---- */

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
	h = files[0].head;
	format_put_segment(page, &h);
	for (int at = 0; at <= 2048; at += 2048) {
		put_u32(page + at + 8, 99);
		put_u32(page + at + 124, crc32c(0, page + at, 124));
	}
	put_file("newer.seg", page, sizeof page);
	open_and_see();
	expect_items(0, 0, nitems);
	assert_int_equal(stats().quarantined, 5);
	assert_int_equal(quarantine_files(), 5);
	assert_int_equal(stats().lost_bytes, 0);
	snprintf(path, sizeof path, "%s/README", k.dir);
	assert_int_equal(access(path, F_OK), 0);
	expect_it_goes_on();
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
		cmocka_unit_test(a_torn_tail_is_cut_at_every_byte),
		cmocka_unit_test(what_was_cut_does_not_come_back_behind_its_equal),
		cmocka_unit_test(what_was_cut_is_kept_aside),
		cmocka_unit_test(a_flipped_bit_costs_its_record_and_no_other),
		cmocka_unit_test(a_flipped_bit_in_a_segment_head_costs_nothing),
		cmocka_unit_test(a_segment_without_any_head_is_a_gap),
		cmocka_unit_test(a_record_that_does_not_continue_the_chain_is_not_told),
		cmocka_unit_test(positions_around_damage_are_still_proven),
		cmocka_unit_test(old_damage_is_copied_once),
		cmocka_unit_test(a_missing_segment_is_a_gap),
		cmocka_unit_test(names_mean_nothing),
		cmocka_unit_test(a_copied_segment_goes_aside),
		cmocka_unit_test(rubbish_in_the_folder_stops_nothing),
		cmocka_unit_test(a_short_segment_file_loses_only_what_it_lacks),
		cmocka_unit_test(a_passing_read_error_destroys_nothing),
		cmocka_unit_test(a_segment_that_may_not_be_opened_refuses_the_start),
		cmocka_unit_test(rot_under_a_reader_is_said),
	};
	return RUN_TESTS("spool_recover", tests);
}
