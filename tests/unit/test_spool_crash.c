/* SPDX-License-Identifier: Apache-2.0 */
/* Power cuts. A random but repeatable life of a spool (groups, syncs, refused writes, failed syncs, trims) is recorded
 * call by call; then the power goes at random moments of it, with random luck for every unsynced sector, or the process
 * is killed and the power goes later. Each image is opened, and:
 * - every record acknowledged as durable is there, byte for byte; after a mere kill every written one;
 * - nothing appears that was never appended, and nothing that was refused before the power went;
 * - nothing counts as damage;
 * - the log goes on from there, and the power goes again, also in the middle of the recovery.
 *
 * A pending REDIS record and its RELEASE are among the records: a RELEASE is never there without what it names.
 * The short form makes at least 1,500 different images, with TALLY_FULL=1 at least 10,000; KIT_IMAGES and KIT_SEED make it longer
 * and other. */
#include "spool_life.h"

#define DEPTH 3 /* lives after one another */

static size_t images, distinct, opened_again;

/* Of the images that were seen: their hashes, open addressing. */
static uint64_t hashes[1 << 18];

static void count_image(uint64_t hash)
{
	size_t at = hash % (sizeof hashes / sizeof *hashes);
	images++;
	hash += hash == 0;
	while (hashes[at] && hashes[at] != hash)
		at = (at + 1) % (sizeof hashes / sizeof *hashes);
	distinct += hashes[at] == 0 && distinct < sizeof hashes / sizeof *hashes / 2;
	hashes[at] = hash;
}

/* ---- what must be found ---- */

static uint64_t trimmed_before(const struct life *l, size_t moment)
{
	uint64_t lsn = 0;
	for (size_t i = 0; i < l->ntrims; i++)
		if (l->trims[i].when <= moment && l->trims[i].lsn > lsn)
			lsn = l->trims[i].lsn;
	return lsn;
}

struct check {
	const struct life *l; /* the life that ended at moment; NULL: none before */
	size_t moment;
	bool killed; /* the process only: the cache outlives it */
	bool found[KIT_MAX];
	uint64_t end;
};

/* A recalled record is a checkpoint of ours or one of that life that was not gone by then. */
static int check_record(void *arg, const struct spool_record *rec)
{
	struct check *c = arg;
	static uint8_t want[1 << 16];
	bool good = rec->type == SPOOL_CHECKPOINT && rec->len == 4;
	if (c->end && rec->lsn != c->end)
		return -EBADMSG;
	c->end = rec->end;
	for (size_t i = 0; c->l && i < c->l->k.n; i++) {
		const struct kit_record *r = &c->l->k.recs[i];
		if (r->lsn != rec->lsn || r->mark != rec->mark || r->len != rec->len || r->type != rec->type ||
			c->l->fates[i].gone <= c->moment)
			continue;
		kit_fill(r, want);
		if (memcmp(want, rec->payload, rec->len) != 0)
			continue;
		c->found[i] = good = true;
	}
	return good ? 0 : -EBADMSG;
}

static void expect_promises_kept(const struct check *c)
{
	if (!c->l)
		return;
	uint64_t trimmed = trimmed_before(c->l, c->moment);
	for (size_t i = 0; i < c->l->k.n; i++) {
		const struct fate *f = &c->l->fates[i];
		size_t promised = c->killed ? f->written : f->durable;
		if (promised <= c->moment && f->dropped > c->moment && f->gone > c->moment &&
			c->l->k.recs[i].end > trimmed)
			assert_true(c->found[i]);
	}
}

/* A RELEASE that was found makes the batch visible that it names: that must be there, unless it was let go. */
static void expect_releases_name_something(const struct check *c)
{
	for (size_t i = 0; c->l && i < c->l->k.n; i++) {
		const struct kit_record *r = &c->l->k.recs[i];
		bool there = false;
		if (!c->found[i] || r->type != SPOOL_RELEASE || r->subject < trimmed_before(c->l, c->moment))
			continue;
		for (size_t n = 0; n < c->l->k.n; n++)
			there |=
				c->found[n] && c->l->k.recs[n].lsn == r->subject && c->l->k.recs[n].type == SPOOL_REDIS;
		assert_true(there);
	}
}

/* Opens what lies in l->k.dir, which is what the life before left at the check's moment. */
static void open_checked(struct life *l, struct check *c)
{
	char why[256];
	struct spool_stats st;
	int rc = spool_open(&l->k.opt, check_record, c, &l->k.sp, why);
	if (rc)
		print_error("%s\n", why);
	assert_int_equal(rc, 0);
	spool_set_checkpoint(l->k.sp, kit_checkpoint, NULL);
	expect_promises_kept(c);
	expect_releases_name_something(c);
	spool_stats(l->k.sp, &st);
	assert_int_equal(st.lost_bytes, 0);
	opened_again++;
}

/* What the life that ended at the check's moment hands on to the next. */
static struct fate fate_after(const struct life *l, const struct check *c, size_t i)
{
	struct fate f = { NEVER, NEVER, NEVER, NEVER };
	if (c->found[i]) { /* by now it is durable; what was promised before is owed at once */
		f.durable = c->l->fates[i].durable <= c->moment ? 0 : now(l);
		f.written = 0;
	} else if (c->l->k.recs[i].end > trimmed_before(c->l, c->moment))
		f.gone = now(l);
	return f;
}

static void inherit(struct life *l, const struct check *c)
{
	for (size_t i = 0; c->l && i < c->l->k.n; i++) {
		if (!c->found[i] && c->l->fates[i].gone <= c->moment)
			continue;
		l->k.recs[l->k.n] = c->l->k.recs[i];
		l->fates[l->k.n++] = fate_after(l, c, i);
	}
	if (c->l)
		l->trims[l->ntrims++].lsn = trimmed_before(c->l, c->moment);
}

/* A client sends what was cut once more: the first of it, equal to the byte and at the same place. */
static bool send_again(struct life *l, const struct check *c)
{
	struct spool_stats st;
	spool_stats(l->k.sp, &st);
	for (size_t i = 0; c->l && i < c->l->k.n; i++)
		if (!c->found[i] && c->l->k.recs[i].lsn == st.end) {
			do_group(l, c->l->k.recs[i].seed, 1, c->l->k.recs[i].len);
			return true;
		}
	return false;
}

/* ---- lives ---- */

static struct life *life_new(uint64_t seed)
{
	struct life *l = calloc(1, sizeof *l);
	assert_non_null(l);
	kit_setup(&l->k, "crash");
	l->k.opt.max_bytes = 12 * KIT_SEGMENT;
	l->seed = seed;
	l->disk = calloc(1, sizeof *l->disk);
	assert_non_null(l->disk);
	return l;
}

static void life_end(struct life *l)
{
	kit_teardown(&l->k);
	disk_end(l->disk);
	free(l);
}

static void live(struct check *c, uint64_t seed, int depth, size_t count);

/* Anywhere, within the recovery, or close to where it hurts. */
static size_t moment_in(const struct life *l, uint64_t *seed)
{
	uint64_t dice = disk_below(seed, 4);
	size_t at = l->born + disk_below(seed, now(l) - l->born + 1);
	if (dice == 0)
		at = l->born + disk_below(seed, l->opened - l->born + 1);
	if (dice == 1 && l->ntight)
		at = l->tight[disk_below(seed, l->ntight)] + disk_below(seed, 8);
	return at < now(l) ? at : now(l);
}

/* The power goes at a random moment of l; what is left lives on. */
static void cut_power(const struct life *l, uint64_t *seed, int depth)
{
	struct check *c = calloc(1, sizeof *c);
	assert_non_null(c);
	c->l = l;
	c->moment = moment_in(l, seed);
	c->killed = disk_below(seed, 3) == 0;
	live(c, disk_random(seed), depth + 1, depth + 1 < DEPTH ? 2 : 0);
	free(c);
}

static void live(struct check *c, uint64_t seed, int depth, size_t count)
{
	struct life *l = life_new(seed);
	if (c->l && c->killed) {
		count_image(disk_cached(c->l->disk, c->moment, l->k.dir));
		disk_continue(l->disk, c->l->disk, c->moment, l->k.dir);
	} else {
		if (c->l)
			count_image(disk_image(c->l->disk, c->moment, disk_random(&l->seed), l->k.dir));
		disk_begin(l->disk, l->k.dir);
	}
	l->born = now(l);
	open_checked(l, c);
	inherit(l, c);
	l->opened = now(l);
	int ops = depth ? (int)disk_below(&l->seed, 60) : 120;
	if (disk_below(&l->seed, 2) && send_again(l, c) && disk_below(&l->seed, 2))
		ops = 0;
	while (ops-- > 0)
		do_something(l);
	file_watch(NULL, NULL);
	spool_close(l->k.sp);
	l->k.sp = NULL;
	for (size_t i = 0; i < count; i++)
		cut_power(l, &l->seed, depth);
	life_end(l);
}

/* A life that a test leads step by step instead of by dice. */
static struct life *life_begin(uint64_t seed)
{
	struct check none = { 0 };
	struct life *l = life_new(seed);
	disk_begin(l->disk, l->k.dir);
	open_checked(l, &none);
	do_group(l, 1, 3, 500);
	do_sync(l);
	return l;
}

/* Ends it at each act from `from` on, with every kind of luck, several times; each end is lived on from. */
static void end_everywhere(struct life *l, size_t from, size_t times)
{
	file_watch(NULL, NULL);
	for (size_t moment = from; moment <= now(l); moment++)
		for (size_t i = 0; i < times; i++) {
			struct check *c = calloc(1, sizeof *c);
			assert_non_null(c);
			*c = (struct check){ .l = l, .moment = moment, .killed = i == 0 };
			live(c, moment * times + i, DEPTH - 1, 2);
			free(c);
		}
	life_end(l);
}

static void an_abandon_may_end_anywhere(void **state)
{
	(void)state;
	struct life *l = life_begin(77);
	do_group(l, 100, 15, 900);
	do_group(l, 150, 15, 900);
	size_t from = now(l);
	assert_int_equal(seam_arm("spool.sync:2:EIO"), 0);
	assert_int_equal(spool_sync(l->k.sp, kit_end(&l->k)), -EIO);
	assert_int_equal(seam_arm(NULL), 0);
	assert_int_equal(spool_abandon(l->k.sp, kit_end(&l->k)), 0); /* repeats more than one segment */
	note_durable(l);
	do_group(l, 200, 3, 500);
	end_everywhere(l, from, 3);
}

static void a_refused_group_may_end_anywhere(void **state)
{
	(void)state;
	struct life *l = life_begin(78);
	struct spool_stats st;
	size_t from = now(l);
	spool_stats(l->k.sp, &st);
	assert_true(append_group(l, 100, 4, 200));
	assert_int_equal(seam_arm("spool.write:1:short,spool.write:2:ENOSPC"), 0);
	assert_int_equal(spool_write(l->k.sp), -ENOSPC);
	assert_int_equal(seam_arm(NULL), 0);
	note_gone(l, st.end);
	end_everywhere(l, from, 24);
}

static void a_group_over_two_segments_may_end_anywhere(void **state)
{
	(void)state;
	struct life *l = life_begin(79);
	do_group(l, 100, 6, 900);
	do_sync(l);
	size_t from = now(l);
	do_group(l, 200, 3, 300);
	do_group(l, 300, 5, 1200);
	do_group(l, 400, 2, 200);
	end_everywhere(l, from, 24);
}

/* A segment that every line is done with is wiped and used again under a new salt, while its old records still lie in
 * it: none of them may come back. */
static void a_recycled_segment_may_end_anywhere(void **state)
{
	(void)state;
	struct life *l = life_begin(80);
	for (uint32_t i = 0; i < 4; i++) {
		do_group(l, 1000 + i * 20, 12, 900);
		do_sync(l);
	}
	size_t from = now(l);
	trim(l, spool_durable(l->k.sp));
	do_group(l, 2000, 14, 900);
	do_group(l, 2100, 10, 900);
	do_sync(l);
	end_everywhere(l, from, 6);
}

/* A pending batch, other records, its RELEASE, in groups of their own. */
static void a_pending_batch_may_end_anywhere(void **state)
{
	(void)state;
	struct life *l = life_begin(81);
	size_t from = now(l);
	do_batch(l, 500, 700);
	do_group(l, 510, 2, 300);
	do_sync(l);
	assert_true(l->pending_end != 0);
	do_batch(l, 501, 100);
	do_group(l, 520, 2, 300);
	do_sync(l);
	assert_true(l->pending_end == 0);
	end_everywhere(l, from, 12);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);
	return s ? strtoull(s, NULL, 10) : otherwise;
}

static void power_cuts_break_no_promise(void **state)
{
	(void)state;
	uint64_t seed = number_from("KIT_SEED", 1);
	uint64_t want = number_from("KIT_IMAGES", getenv("TALLY_FULL") ? 10000 : 1500);
	while (distinct < want) {
		struct check none = { 0 };
		live(&none, seed++, 0, 12);
	}
	print_message("crash images: %zu, distinct: %zu, openings: %zu\n", images, distinct, opened_again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_abandon_may_end_anywhere),
		cmocka_unit_test(a_refused_group_may_end_anywhere),
		cmocka_unit_test(a_group_over_two_segments_may_end_anywhere),
		cmocka_unit_test(a_recycled_segment_may_end_anywhere),
		cmocka_unit_test(a_pending_batch_may_end_anywhere),
		cmocka_unit_test(power_cuts_break_no_promise),
	};
	return RUN_TESTS("spool_crash", tests);
}
