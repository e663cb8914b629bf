/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_host.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "sketch/heavy.h"
#include "sketch/quantile.h"

#define SET_ROOM (8 * 20000)
#define DAY_US (86400 * INT64_C(1000000))

static struct fake *fake_of(const struct tally_instance *in)
{
	return (struct fake *)(uintptr_t)in;
}

static uint32_t f_station(const struct tally_instance *in)
{
	return fake_of(in)->station;
}

/* ---- options and words ---- */

static const struct fake_option *option(struct fake *f, const char *name)
{
	for (const struct fake_option *o = f->options; o && o->name; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	fprintf(stderr, "the test gives no option %s\n", name);
	abort();
}

static int64_t f_option_int(struct tally_instance *in, const char *name)
{
	return option(fake_of(in), name)->i;
}

static double f_option_float(struct tally_instance *in, const char *name)
{
	return option(fake_of(in), name)->d;
}

static const char *f_option_str(struct tally_instance *in, const char *name)
{
	return option(fake_of(in), name)->s;
}

static void f_log(const struct tally_instance *in, uint32_t level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
	fake_of(in)->logs++;
}

static int f_fail(struct tally_instance *in, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(fake_of(in)->said, sizeof fake_of(in)->said, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static void f_reason(struct tally_instance *in, const char *reason, uint32_t retry_after_s)
{
	snprintf(fake_of(in)->reason, sizeof fake_of(in)->reason, "%s", reason);
	fake_of(in)->retry_after_s = retry_after_s;
}

static void f_count(const struct tally_instance *in, const char *name, int64_t by)
{
	struct fake *f = fake_of(in);
	size_t i = 0;
	while (f->counts[i].name[0] && strcmp(f->counts[i].name, name) != 0)
		MUST(++i < FAKE_COUNTS);
	snprintf(f->counts[i].name, sizeof f->counts[i].name, "%s", name);
	f->counts[i].n += by;
}

/* ---- load: these take no instance, so the fake loaded last is asked ---- */

static struct fake *current;

static int f_level(void)
{
	return current->level;
}

static double f_signal(uint32_t which)
{
	return current->signals[which];
}

static int64_t f_spool_retain_us(void)
{
	return current->retain_us;
}

/* ---- hashes and sketches ---- */

static const uint8_t fixed_key[16] = "fixed for tests";

static uint64_t f_hash(const void *bytes, size_t len)
{
	return hash_keyed64(fixed_key, bytes, len);
}

static uint64_t f_hash_keyed(const void *bytes, size_t len)
{
	return hash_keyed64(hash_process_key(), bytes, len);
}

static void f_hash_keyed128(const void *bytes, size_t len, uint64_t *two_words)
{
	uint8_t out[16];
	hash_keyed128(hash_process_key(), bytes, len, out);
	memcpy(two_words, out, sizeof out);
}

static size_t f_sketch_room(uint32_t kind)
{
	return kind == TALLY_SKETCH_HLL ? SET_ROOM : kind == TALLY_SKETCH_QUANTILE ? QUANTILE_ROOM : 0;
}

static int f_sketch_add(uint32_t kind, void *buf, size_t *len, size_t cap, uint64_t hash, double number)
{
	(void)number;
	MUST(kind == TALLY_SKETCH_HLL);
	for (size_t i = 0; i < *len; i += 8)
		if (memcmp((char *)buf + i, &hash, 8) == 0)
			return 0;
	if (*len + 8 > cap)
		return -ENOSPC;
	memcpy((char *)buf + *len, &hash, 8);
	*len += 8;
	return 0;
}

static int f_sketch_merge(uint32_t kind, void *buf, size_t *len, size_t cap, const void *other, size_t other_len)
{
	int rc = 0;
	if (kind == TALLY_SKETCH_QUANTILE)
		return quantile_merge(buf, len, cap, other, other_len);
	for (size_t i = 0; rc == 0 && i < other_len; i += 8) {
		uint64_t hash;
		memcpy(&hash, (const char *)other + i, 8);
		rc = f_sketch_add(kind, buf, len, cap, hash, 0);
	}
	return rc;
}

static int f_sketch_add_numbers(
	uint32_t kind, void *buf, size_t *len, size_t cap, const double *numbers, size_t n, uint64_t times)
{
	MUST(kind == TALLY_SKETCH_QUANTILE);
	return quantile_add_many(buf, len, cap, numbers, n, times);
}

static double f_sketch_estimate(uint32_t kind, const void *buf, size_t len)
{
	(void)kind;
	(void)buf;
	return (double)(len / 8);
}

/* ---- line ---- */

static void *f_alloc(struct tally_instance *in, size_t bytes)
{
	return fake_of(in)->in_batch ? arena_alloc(&fake_of(in)->batch, bytes) : NULL;
}

/* A prop that is there already is changed; numbers are not read. */
static int f_prop_set(
	struct tally_instance *in, struct tally_event *ev, struct tally_str key, struct tally_str text, uint32_t type)
{
	struct fake *f = fake_of(in);
	uint32_t at = 0;
	MUST(f->in_batch && type <= TALLY_PROP_NUMBER && key.len > 0);
	while (at < ev->nprops && !str_eq(ev->props[at].key, key))
		at++;
	if (at >= 64 || key.len > 64 || text.len > 4096)
		return -E2BIG;
	uint32_t n = at == ev->nprops ? at + 1 : ev->nprops;
	struct tally_prop *props = arena_zalloc(&f->batch, n * sizeof *props);
	if (ev->nprops)
		memcpy(props, ev->props, ev->nprops * sizeof *props);
	props[at] = (struct tally_prop){
		.key = arena_str(&f->batch, key), .text = arena_str(&f->batch, text), .type = type
	};
	ev->props = props;
	ev->nprops = n;
	return 0;
}

static size_t f_rollups(const struct tally_instance *in, const struct tally_rollup **first)
{
	*first = fake_of(in)->rollups;
	return fake_of(in)->nrollups;
}

static int64_t floor_to(int64_t t, int64_t unit)
{
	int64_t rest = t % unit;
	return t - (rest < 0 ? rest + unit : rest);
}

/* A month of this host is 30 days. */
static int64_t f_bucket(struct tally_instance *in, uint32_t grain, struct tally_str site, int64_t time_us)
{
	static const int64_t units[] = { DAY_US / 1440, DAY_US / 96, DAY_US, 30 * DAY_US };
	int64_t shift = grain >= TALLY_DAY ? fake_of(in)->day_shift_us : 0;
	(void)site;
	return floor_to(time_us - shift, units[grain]) + shift;
}

static int64_t f_horizon(
	struct tally_instance *in, const struct tally_rollup *rollup, uint32_t grain, struct tally_str site)
{
	return fake_of(in)->horizon ? fake_of(in)->horizon(rollup, grain, site) : INT64_MIN;
}

static int f_emit(struct tally_instance *in, const struct tally_row *row)
{
	struct fake *f = fake_of(in);
	if (f->emit_rc != 0)
		return f->emit_rc;
	if (f->nrows == f->rows_cap) {
		f->rows_cap = f->rows_cap ? f->rows_cap * 2 : 64;
		f->rows = realloc(f->rows, f->rows_cap * sizeof *f->rows);
		MUST(f->rows != NULL);
	}
	static const char *const grains[] = { "minute", "quarter", "day", "month" };
	struct fake_row *out = &f->rows[f->nrows++];
	*out = (struct fake_row){ 0 };
	int n = snprintf(out->key, sizeof out->key, "%.*s %.*s %s %lld ", (int)row->rollup->name.len,
		row->rollup->name.ptr, (int)row->site.len, row->site.ptr, grains[row->grain],
		(long long)row->bucket_us);
	for (uint32_t i = 0; i < row->rollup->ndims; i++)
		n += snprintf(out->key + n, sizeof out->key - (size_t)n, "%s%.*s", i ? "|" : "", (int)row->dims[i].len,
			row->dims[i].ptr ? row->dims[i].ptr : "");
	MUST((size_t)n < sizeof out->key && row->rollup->nmetrics <= 8);
	for (uint32_t i = 0; i < row->rollup->nmetrics; i++) {
		const struct tally_amount *a = &row->amounts[i];
		out->amounts[i] = (struct fake_amount){ .count = a->count, .number = a->number };
		if (row->rollup->metrics[i].kind == TALLY_QUANTILE) {
			MUST(quantile_check(a->sketch, a->sketch_len) == 0);
			out->amounts[i].numbers = quantile_count(a->sketch, a->sketch_len);
			out->amounts[i].median = quantile_value(a->sketch, a->sketch_len, 50);
		} else {
			out->amounts[i].people = a->sketch_len / 8;
		}
	}
	return 0;
}

/* ---- desk and work ---- */

static struct tally_str keep(struct fake *f, struct tally_str s)
{
	return arena_str(&f->arena, s);
}

static int f_answer(struct tally_instance *in, uint64_t request, const struct tally_answer *answer)
{
	struct fake *f = fake_of(in);
	f->answers++;
	f->last_answered = request;
	f->last = *answer;
	f->last.body = keep(f, answer->body);
	f->last.type = keep(f, answer->type);
	f->last.etag = keep(f, answer->etag);
	if (f->on_answer)
		f->on_answer(f->arg, request, answer);
	return 0;
}

static void f_resume(struct tally_instance *in, uint64_t request)
{
	struct fake *f = fake_of(in);
	f->resumes++;
	f->last_resumed = request;
	if (f->on_resume)
		f->on_resume(f->arg, request);
}

static uint64_t f_store_moment(const struct tally_instance *in)
{
	struct tally_instance *mine = (struct tally_instance *)(uintptr_t)in;
	return fake_of(mine)->moment;
}

static int f_request_version(struct tally_instance *in, uint64_t request, uint64_t *version)
{
	return fake_of(in)->version ? fake_of(in)->version(request, version) : -ENOENT;
}

static int f_work(struct tally_instance *in, void (*job)(void *), void (*done)(void *), void *arg)
{
	struct fake *f = fake_of(in);
	if (f->work_rc != 0)
		return f->work_rc;
	MUST(f->njobs < FAKE_HELD);
	f->jobs[f->njobs++] = (struct fake_job){ job, done, arg };
	return 0;
}

static int f_replaying(const struct tally_instance *in)
{
	return fake_of(in)->replaying;
}

static int f_visit(struct tally_instance *in, const struct tally_visit *before, const struct tally_visit *now)
{
	struct fake *f = fake_of(in);
	MUST(f->in_batch);
	if (f->on_visit && !f->replaying)
		f->on_visit(f->arg, before, now);
	return 0;
}

static size_t f_heavy_room(uint32_t keys)
{
	return heavy_room(keys);
}

static uint64_t f_heavy_add(void *buf, uint32_t keys, const void *key, uint64_t times)
{
	if (*(const char *)buf == 0)
		heavy_init(buf, keys);
	return heavy_add(buf, key, times);
}

static bool is_text(struct tally_str s, const char *text)
{
	return str_eq(s, str_of(text));
}

static int f_lookup(struct tally_instance *in, struct tally_str name, struct tally_str key, struct tally_str column,
	struct tally_str *text, uint32_t *type)
{
	const struct fake *f = fake_of(in);
	bool declared = false, has_column = false;
	for (const struct fake_lookup *l = f->lookups; l && l->name; l++) {
		if (!is_text(name, l->name))
			continue;
		declared = true;
		if (f->self && !l->column)
			return -ENODATA;
		has_column |= l->column && is_text(column, l->column);
		if (!f->self || !is_text(key, l->key) || !is_text(column, l->column))
			continue;
		MUST(f->in_enter);
		*text = str_of(l->text);
		*type = l->type;
		return l->text != NULL;
	}
	return !declared ? -EINVAL : !f->self || has_column ? 0 : -ENOENT;
}

static const struct tally_host table = {
	.size = sizeof table,
	.abi = TALLY_ABI,
	.station = f_station,
	.option_int = f_option_int,
	.option_float = f_option_float,
	.option_str = f_option_str,
	.log = f_log,
	.fail = f_fail,
	.reason = f_reason,
	.level = f_level,
	.signal = f_signal,
	.spool_retain_us = f_spool_retain_us,
	.hash = f_hash,
	.hash_keyed = f_hash_keyed,
	.hash_keyed128 = f_hash_keyed128,
	.alloc = f_alloc,
	.prop_set = f_prop_set,
	.rollups = f_rollups,
	.bucket = f_bucket,
	.horizon = f_horizon,
	.emit = f_emit,
	.sketch_room = f_sketch_room,
	.sketch_add = f_sketch_add,
	.sketch_merge = f_sketch_merge,
	.sketch_estimate = f_sketch_estimate,
	.sketch_add_numbers = f_sketch_add_numbers,
	.answer = f_answer,
	.resume = f_resume,
	.request_version = f_request_version,
	.store_moment = f_store_moment,
	.work = f_work,
	.count = f_count,
	.replaying = f_replaying,
	.visit = f_visit,
	.heavy_room = f_heavy_room,
	.heavy_add = f_heavy_add,
	.lookup = f_lookup,
};

/* ---- the test's side ---- */

void fake_load(struct fake *f, const char *name)
{
	char path[512];
	const char *dir = getenv("TALLY_PLUGINS");
	*f = (struct fake){ .retain_us = INT64_MAX };
	arena_init(&f->arena, 0);
	arena_init(&f->batch, 1 << 16);
	snprintf(path, sizeof path, "%s/%s.so", dir ? dir : "plugins/.libs", name);
	f->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	f->plugin = f->handle ? dlsym(f->handle, "tally_plugin") : NULL;
	if (!f->plugin) {
		fprintf(stderr, "%s\n", dlerror());
		abort();
	}
	current = f;
}

int fake_open(struct fake *f)
{
	return f->plugin->open ? f->plugin->open(&table, (struct tally_instance *)f, &f->self) : 0;
}

void fake_close(struct fake *f)
{
	if (f->self && f->plugin->close)
		f->plugin->close(f->self);
	free(f->rows);
	arena_free(&f->batch);
	arena_free(&f->arena);
	dlclose(f->handle);
	*f = (struct fake){ 0 };
}

int fake_event(struct fake *f, struct tally_event *ev)
{
	f->in_batch = true;
	int rc = f->plugin->event(f->self, ev);
	f->in_batch = false;
	return rc;
}

int fake_arrive(struct fake *f, const struct tally_client *client, struct tally_event *ev)
{
	f->in_batch = true;
	int rc = f->plugin->arrive(f->self, client, ev);
	f->in_batch = false;
	return rc;
}

int fake_enter(struct fake *f, struct tally_event *ev)
{
	f->in_batch = f->in_enter = true;
	int rc = f->plugin->enter(f->self, ev);
	f->in_batch = f->in_enter = false;
	return rc;
}

int fake_flush(struct fake *f)
{
	f->nrows = 0;
	f->in_batch = true;
	int rc = f->plugin->flush(f->self);
	f->in_batch = false;
	arena_free(&f->batch);
	arena_init(&f->batch, 1 << 16);
	return rc;
}

void fake_reset(struct fake *f)
{
	arena_free(&f->batch);
	arena_init(&f->batch, 1 << 16);
	f->plugin->reset(f->self);
}

const struct fake_row *fake_find(const struct fake *f, const char *key)
{
	for (size_t i = 0; i < f->nrows; i++)
		if (strcmp(f->rows[i].key, key) == 0)
			return &f->rows[i];
	return NULL;
}

int64_t fake_counted(const struct fake *f, const char *name)
{
	for (size_t i = 0; i < FAKE_COUNTS; i++)
		if (strcmp(f->counts[i].name, name) == 0)
			return f->counts[i].n;
	return 0;
}

bool fake_work(struct fake *f)
{
	if (f->njobs == 0)
		return false;
	struct fake_job j = f->jobs[0];
	memmove(f->jobs, f->jobs + 1, --f->njobs * sizeof *f->jobs);
	j.job(j.arg);
	j.done(j.arg);
	return true;
}
