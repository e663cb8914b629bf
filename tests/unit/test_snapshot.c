/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshot files: whole under their name or not there, whatever call fails; known for what they are; thinned out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/seam.h"
#include "line/snapshot.h"
#include "unit.h"

static char dir[64];
static struct snapshot_of of = { dir, "11111111-2222-7333-8444-555555555555", "main", { "session", "0.1.0" } };
static char words[256];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/test_snapshot.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];
	(void)state;
	seam_arm(NULL);
	snprintf(command, sizeof command, "rm -r %s", dir);
	return system(command);
}

static int keep(uint64_t lsn, const char *data)
{
	struct plug_bytes b = { .len = SNAPSHOT_HEAD + strlen(data) };
	b.ptr = malloc(b.cap = b.len + 1);
	memcpy(b.ptr + SNAPSHOT_HEAD, data, strlen(data));
	int rc = snapshot_write(&of, (struct tally_position){ lsn, lsn * 7 }, 5, &b, words);
	free(b.ptr);
	return rc;
}

static bool holds(uint64_t lsn, const char *data)
{
	struct plug_bytes b;
	struct tally_position at;
	if (snapshot_read(&of, lsn, &b, &at, words) != 0)
		return false;
	bool same = at.lsn == lsn && at.mark == lsn * 7 && b.len == SNAPSHOT_HEAD + strlen(data) &&
		    memcmp(b.ptr + SNAPSHOT_HEAD, data, strlen(data)) == 0;
	free(b.ptr);
	return same;
}

static size_t there(uint64_t lsns[8])
{
	uint64_t *all;
	size_t n = snapshot_list(&of, &all);
	for (size_t i = 0; i < n && i < 8; i++)
		lsns[i] = all[i];
	free(all);
	return n;
}

static void what_is_written_is_read_newest_first(void **state)
{
	(void)state;
	uint64_t lsns[8];
	assert_int_equal(there(lsns), 0);
	assert_int_equal(keep(0, ""), 0);
	assert_int_equal(keep(UINT64_C(0xfedcba9876543210), "high"), 0);
	assert_int_equal(keep(100, "hundred"), 0);
	assert_int_equal(there(lsns), 3);
	assert_true(lsns[0] == UINT64_C(0xfedcba9876543210) && lsns[1] == 100 && lsns[2] == 0);
	assert_true(holds(0, "") && holds(100, "hundred") && holds(UINT64_C(0xfedcba9876543210), "high"));
	snapshot_drop(&of, 100);
	assert_int_equal(there(lsns), 2);
	assert_false(holds(100, "hundred"));
}

/* Another line, plugin or half a name is none of ours. */
static void other_names_are_passed_over(void **state)
{
	(void)state;
	uint64_t lsns[8];
	char path[160];
	assert_int_equal(keep(1, "x"), 0);
	static const char *const names[] = { "main2.session.0000000000000001", "main.sessions.0000000000000001",
		"main.session.1", "main.session.new", "main.session.000000000000000G",
		"main.session.00000000000000011" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/snapshots/%s", dir, names[i]);
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		fclose(f);
	}
	assert_int_equal(there(lsns), 1);
}

static void a_failing_call_leaves_the_old_ones(void **state)
{
	(void)state;
	static const char *const seams[] = { "snapshot.open:1:ENOSPC", "snapshot.write:1:ENOSPC",
		"snapshot.write:1:EIO", "snapshot.sync:1:EIO", "snapshot.rename:1:EIO" };
	uint64_t lsns[8];
	assert_int_equal(keep(1, "old"), 0);
	for (size_t i = 0; i < sizeof seams / sizeof *seams; i++) {
		assert_int_equal(seam_arm(seams[i]), 0);
		assert_true(keep(2, "new") < 0);
		assert_non_null(strstr(words, "cannot be kept"));
		seam_arm(NULL);
		assert_int_equal(there(lsns), 1);
		assert_true(holds(1, "old"));
	}
	assert_int_equal(seam_arm("snapshot.write:1:short"), 0);
	assert_int_equal(keep(2, "new"), 0); /* the rest of a short write is written */
	seam_arm(NULL);
	assert_true(holds(2, "new"));
}

static void every_changed_byte_is_found(void **state)
{
	(void)state;
	char path[160];
	assert_int_equal(keep(16, "some data"), 0);
	snprintf(path, sizeof path, "%s/snapshots/main.session.%016x", dir, 16);
	for (long at = 0; at < SNAPSHOT_HEAD + 9; at++) {
		FILE *f = fopen(path, "r+b");
		assert_non_null(f);
		fseek(f, at, SEEK_SET);
		int was = fgetc(f);
		fseek(f, at, SEEK_SET);
		fputc(was ^ 0x10, f);
		fflush(f);
		assert_false(holds(16, "some data"));
		fseek(f, at, SEEK_SET);
		fputc(was, f);
		fclose(f);
	}
	assert_true(holds(16, "some data"));
	for (long size = SNAPSHOT_HEAD + 8; size >= 0; size -= 13) {
		assert_int_equal(truncate(path, size), 0);
		assert_false(holds(16, "some data"));
	}
}

static void another_owner_is_refused_in_words(void **state)
{
	(void)state;
	static const struct {
		const char *node, *version, *words;
	} cases[] = { { "99999999-2222-7333-8444-555555555555", "0.1.0", "another node" },
		{ NULL, "0.0.9", "a later version of the plugin" }, { NULL, "0.1.0", NULL }, { NULL, "0.10.0", NULL } };
	struct snapshot_of mine = of;
	assert_int_equal(keep(3, "x"), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		of.node = cases[i].node ? cases[i].node : mine.node;
		of.plugin.version = cases[i].version;
		assert_int_equal(holds(3, "x"), cases[i].words == NULL);
		if (cases[i].words)
			assert_non_null(strstr(words, cases[i].words));
	}
	of = mine;
}

/* Under its new name a line has what it had under the old one, damaged or not; what is another's it has not. */
static void a_renamed_line_has_its_own(void **state)
{
	(void)state;
	char path[160];
	struct snapshot_of mine = of;
	uint64_t lsns[8];
	assert_int_equal(keep(7, "seven"), 0);
	assert_int_equal(keep(9, "nine"), 0);
	of.plugin.name = "other";
	assert_int_equal(keep(5, "five"), 0);
	of = mine;
	of.line = "main.two";
	assert_int_equal(keep(3, "of another line"), 0);
	snprintf(path, sizeof path, "%s/snapshots/main.session.%016x", dir, 9);
	assert_int_equal(truncate(path, SNAPSHOT_HEAD + 1), 0);
	assert_int_equal(seam_arm("snapshot.write:2:ENOSPC"), 0);
	assert_true(snapshot_copy_line(dir, of.node, "main", "new", words) < 0);
	seam_arm(NULL);
	assert_int_equal(snapshot_copy_line(dir, of.node, "main", "new", words), 0);
	of.line = "new";
	assert_int_equal(there(lsns), 2);
	assert_true(holds(7, "seven"));
	assert_false(holds(9, "nine"));
	of.plugin.name = "other";
	assert_true(holds(5, "five"));
	of = mine;
	assert_true(holds(7, "seven"));
	snapshot_drop_copied(dir, of.node, "main", "new");
	assert_int_equal(there(lsns), 0);
	of.line = "main.two";
	assert_true(holds(3, "of another line"));
	of.line = "new";
	assert_true(holds(7, "seven"));
	of = mine;
}

/* After any number of them few are left, the newest two among them, and the log is covered from its beginning with
 * distances that at most double and a bit. */
static void thinning_keeps_few_and_reaches_far(void **state)
{
	(void)state;
	uint64_t kept[64];
	size_t n = 0;
	for (uint64_t lsn = 10; lsn < 100000; lsn += 10) {
		bool flags[64];
		uint64_t begin = lsn > 50000 ? lsn - 50000 : 0;
		memmove(kept + 1, kept, n * sizeof *kept);
		kept[0] = lsn;
		n++;
		snapshot_thin(kept, n, begin, flags);
		size_t left = 0;
		for (size_t i = 0; i < n; i++)
			if (flags[i])
				kept[left++] = kept[i];
		n = left;
		assert_true(n <= 20 && kept[0] == lsn && (lsn == 10 || kept[1] == lsn - 10));
		if (lsn == 100000 - 10) {
			assert_true(kept[n - 1] >= begin && lsn - kept[n - 1] > 25000);
			for (size_t i = 2; i < n; i++)
				assert_true(lsn - kept[i] <= 4 * (lsn - kept[i - 1]));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written_is_read_newest_first, setup, teardown),
		cmocka_unit_test_setup_teardown(other_names_are_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failing_call_leaves_the_old_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(every_changed_byte_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(another_owner_is_refused_in_words, setup, teardown),
		cmocka_unit_test_setup_teardown(a_renamed_line_has_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(thinning_keeps_few_and_reaches_far, setup, teardown),
	};
	return RUN_TESTS("snapshot", tests);
}
