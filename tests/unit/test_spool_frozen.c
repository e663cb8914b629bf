/* SPDX-License-Identifier: Apache-2.0 */
/* Spools written by released versions, as they were (tests/unit/frozen/spool-N, N the format): every later version must
 * read each of them, record by record, event by event, and go on in it. `records` beside the segments says what is in
 * them. FROZEN_MAKE=DIR makes such a folder from the version at hand. */
#include <zlib.h>

#include "base/hash.h"
#include "event/event.h"
#include "spool/format.h"
#include "spool/payload.h"
#include "spool_kit.h"

#define FORMATS 1

static struct kit k;

/* ---- what a record says, as a line ---- */

static void put_events(FILE *out, struct tally_str p)
{
	struct arena a;
	uint32_t n;
	arena_init(&a, 0);
	if (payload_take_u32(&p, &n))
		for (uint32_t i = 0; i < n; i++) {
			struct tally_event ev;
			int64_t used = event_decode(p.ptr, p.len, &a, &ev);
			assert_true(used > 0);
			struct tally_str json = event_to_json(&ev, &a);
			fprintf(out, "  %.*s\n", (int)json.len, json.ptr);
			p = str_make(p.ptr + used, p.len - (size_t)used);
		}
	arena_free(&a);
}

static int put_record(void *arg, const struct spool_record *rec)
{
	FILE *out = arg;
	struct tally_str p = { rec->payload, rec->len }, first;
	fprintf(out, "%llu %llu type %u time %lld mark %016llx bytes %zu crc %08x\n", (unsigned long long)rec->lsn,
		(unsigned long long)rec->end, rec->type, (long long)rec->time_us, (unsigned long long)rec->mark,
		rec->len, crc32c(0, rec->payload, rec->len));
	if ((rec->type == SPOOL_EVENTS || rec->type == SPOOL_REDIS) && payload_take_sized(&p, &first))
		put_events(out, p);
	return 0;
}

/* ---- making one ---- */

static void append(enum spool_type type, const void *bytes, size_t len)
{
	struct spool_record rec;
	assert_int_equal(spool_reserve(k.sp, len, 1), 0);
	spool_append(k.sp, type, k.now_us += 1000, &(struct iovec){ (void *)(uintptr_t)bytes, len }, 1, &rec);
	assert_int_equal(spool_write(k.sp), 0);
	k.recs[k.n++] = (struct kit_record){ .lsn = rec.lsn, .end = rec.end };
}

static const struct event_site *site_any(void *arg, struct tally_str name)
{
	(void)name;
	return arg;
}

/* u32 sized section, u32 n, n events: one of each kind of field. */
static void append_events(enum spool_type type, const char *section, unsigned n)
{
	static const char *const texts[] = {
		"{\"name\":\"pageview\",\"id\":\"a-1\",\"time\":1767225600,\"url\":\"https://example.org/x?utm_source=s\"}",
		"{\"name\":\"buy\",\"id\":\"\u00fc-2\",\"time\":\"2026-10-25T02:00:00.25+02:00\",\"site\":\"shop\",\"visitor\":\"v\","
		"\"value\":12.5,\"props\":{\"item\":\"7\",\"n\":3,\"b\":true}}",
		"{\"name\":\"click\",\"id\":\"c-3\",\"time\":1767225600000,\"page\":\"/a\",\"referrer\":\"https://r.example/\",\"user\":\"u\"}",
	};
	static const struct event_site any = { .past_us = INT64_MAX, .future_us = INT64_MAX };
	char buf[4096];
	struct arena a;
	struct event_error err;
	struct event_context cx = { .limits = { 65536, 8, 100 },
		.default_site = STR("default"),
		.now_us = 1767225600000000,
		.site = site_any,
		.arg = (void *)(uintptr_t)&any };
	arena_init(&a, 0);
	size_t at = 4 + strlen(section) + 4;
	put_u32(buf, (uint32_t)strlen(section));
	memcpy(buf + 4, section, strlen(section));
	put_u32(buf + at - 4, n);
	for (unsigned i = 0; i < n; i++) {
		struct tally_event ev;
		assert_int_equal(event_read_json(&cx, &a, str_of(texts[i % 3]), &ev, &err), 0);
		at += event_encode(&ev, buf + at);
	}
	append(type, buf, at);
	arena_free(&a);
}

static void append_fate(enum spool_type type, uint64_t lsn, unsigned n)
{
	char buf[64] = { 0 };
	put_u64(buf + 4, lsn);
	put_u32(buf + 12, n);
	buf[16] = n > 0; /* the first was not taken */
	append(type, buf, type == SPOOL_RELEASE ? 16 + n : 12);
}

static void live(void)
{
	char dead[64] = { 0 };
	append(SPOOL_START, "\1\2\3\4\5\6\7\10", 8);
	append_events(SPOOL_EVENTS, "", 3);
	append_events(SPOOL_REDIS, "head", 2);
	append_fate(SPOOL_RELEASE, k.recs[k.n - 1].lsn, 2);
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), 0);
	put_u16(dead + 4, 4);
	memcpy(dead + 6, "main", 4);
	put_u64(dead + 10, k.recs[1].lsn);
	append(SPOOL_DEAD, dead, 32);
	append(SPOOL_TIME, "", 0);
	append(SPOOL_LETTERS, "\0\0\0\0\4\0main\1\0\0\0\0\0", 16);
	for (int i = 0; i < 12; i++) /* into a second segment */
		append_events(SPOOL_EVENTS, "", 9);
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), 0);
	append_events(SPOOL_REDIS, "head", 1);
	append_fate(SPOOL_VOID, k.recs[k.n - 1].lsn, 0);
	assert_int_equal(seam_arm("spool.sync:1:EIO"), 0); /* and a third, that names the one it replaces */
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), -EIO);
	assert_int_equal(seam_arm(NULL), 0);
	assert_int_equal(spool_abandon(k.sp, kit_end(&k)), 0);
	append_events(SPOOL_REDIS, "head", 3); /* pending at the end */
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), 0);
}

static void pack(const char *from, const char *to)
{
	static uint8_t buf[KIT_SEGMENT];
	FILE *in = fopen(from, "r");
	gzFile out = gzopen(to, "wb9");
	size_t n;
	assert_true(in && out);
	while ((n = fread(buf, 1, sizeof buf, in)) > 0)
		assert_int_equal(gzwrite(out, buf, (unsigned)n), n);
	fclose(in);
	assert_int_equal(gzclose(out), Z_OK);
}

static void write_records(const char *path)
{
	char why[256];
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(spool_open(&k.opt, put_record, out, &k.sp, why), 0);
	assert_int_equal(fclose(out), 0);
	spool_close(k.sp);
	k.sp = NULL;
}

static void make(const char *to)
{
	char from[512], path[512];
	const struct dirent *e;
	kit_setup(&k, "frozen");
	kit_open(&k);
	live();
	spool_close(k.sp);
	k.sp = NULL;
	DIR *d = opendir(k.dir);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		snprintf(from, sizeof from, "%.200s/%.100s", k.dir, e->d_name);
		snprintf(path, sizeof path, "%.200s/%.100s.gz", to, e->d_name);
		if (strstr(e->d_name, ".seg"))
			pack(from, path);
	}
	closedir(d);
	snprintf(path, sizeof path, "%.200s/records", to);
	write_records(path);
	kit_teardown(&k);
}

/* ---- reading them ---- */

static void unpack(const char *from, const char *to)
{
	static uint8_t buf[KIT_SEGMENT];
	gzFile in = gzopen(from, "rb");
	FILE *out = fopen(to, "w");
	int n;
	assert_true(in && out);
	while ((n = gzread(in, buf, sizeof buf)) > 0)
		assert_int_equal(fwrite(buf, 1, (size_t)n, out), n);
	assert_int_equal(n, 0);
	gzclose(in);
	assert_int_equal(fclose(out), 0);
}

static size_t unpack_all(const char *from)
{
	char source[512], path[512];
	const struct dirent *e;
	size_t n = 0;
	DIR *d = opendir(from);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		const char *end = strstr(e->d_name, ".seg.gz");
		if (!end)
			continue;
		snprintf(source, sizeof source, "%.300s/%.100s", from, e->d_name);
		snprintf(path, sizeof path, "%.200s/%.*s.seg", k.dir, (int)(end - e->d_name), e->d_name);
		unpack(source, path);
		n++;
	}
	closedir(d);
	return n;
}

static void expect_same(const char *a, const char *b)
{
	char one[8192], two[8192];
	FILE *f = fopen(a, "r"), *g = fopen(b, "r");
	size_t lines = 0;
	assert_true(f && g);
	while (fgets(one, sizeof one, f)) {
		assert_non_null(fgets(two, sizeof two, g));
		assert_string_equal(one, two);
		lines++;
	}
	assert_null(fgets(two, sizeof two, g));
	assert_true(lines > 20);
	fclose(f);
	fclose(g);
}

static void every_format_ever_is_read(void **state)
{
	(void)state;
	const char *srcdir = getenv("srcdir");
	for (int format = 1; format <= FORMATS; format++) {
		char from[300], want[512], got[512];
		struct spool_stats st;
		snprintf(from, sizeof from, "%.200s/tests/unit/frozen/spool-%d", srcdir ? srcdir : ".", format);
		snprintf(want, sizeof want, "%s/records", from);
		kit_setup(&k, "frozen");
		assert_true(unpack_all(from) >= 3);
		snprintf(got, sizeof got, "%.200s/records", k.dir);
		write_records(got);
		expect_same(want, got);
		assert_int_equal(kit_try_open(&k), 0);
		spool_stats(k.sp, &st);
		assert_int_equal(st.lost_bytes + st.cut_bytes + st.quarantined, 0);
		kit_group(&k, 1, 3, 500, true); /* and goes on */
		uint64_t end = kit_end(&k);
		spool_close(k.sp);
		assert_int_equal(kit_try_open(&k), 0);
		spool_stats(k.sp, &st);
		assert_true(st.end == end && st.lost_bytes == 0);
		kit_teardown(&k);
	}
	print_message("formats read: %d\n", FORMATS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_format_ever_is_read) };
	if (getenv("FROZEN_MAKE")) {
		make(getenv("FROZEN_MAKE"));
		return 0;
	}
	return RUN_TESTS("spool_frozen", tests);
}
