/* SPDX-License-Identifier: Apache-2.0 */
/* The table lent to plugins. Every function finds what it needs through the instance; what belongs to a station goes
 * on to the services that main has set. A plugin's mistake is answered and said once, never an abort. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "plug/inner.h"
#include "sketch/heavy.h"
#include "sketch/hll.h"
#include "sketch/quantile.h"

static struct plug_services services;

void plug_services_set(const struct plug_services *given)
{
	services = *given;
}

const struct plug_services *plug_services(void)
{
	return &services;
}

static uint32_t host_station(const struct tally_instance *in)
{
	return in->station;
}

/* ---- options ---- */

static const struct conf_value *option(struct tally_instance *in, const char *name, uint32_t types)
{
	static const struct conf_value nothing = { .s = "" };
	for (size_t i = 0; i < in->stage->nvalues; i++) {
		const struct conf_value *v = &in->stage->values[i];
		if (strcmp(v->name, name) == 0 && (types & 1u << v->type))
			return v;
	}
	log_error(in->room, "asks for option `%s`, which its table does not have with this type", name);
	in->option_misuse = true;
	return &nothing;
}

static int64_t host_option_int(struct tally_instance *in, const char *name)
{
	return option(
		in, name, 1u << TALLY_OPT_INT | 1u << TALLY_OPT_BOOL | 1u << TALLY_OPT_SIZE | 1u << TALLY_OPT_TIME)
		->i;
}

static double host_option_float(struct tally_instance *in, const char *name)
{
	return option(in, name, 1u << TALLY_OPT_FLOAT)->d;
}

static const char *host_option_str(struct tally_instance *in, const char *name)
{
	return option(in, name, 1u << TALLY_OPT_STRING)->s;
}

/* ---- words ---- */

static void host_log(const struct tally_instance *in, uint32_t level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log_line(level <= TALLY_LOG_ERROR ? (enum log_level)level : LOG_ERROR, in->room, "%s", text);
}

static int host_fail(struct tally_instance *in, const char *fmt, ...)
{
	char text[PLUG_WHY];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (in->why)
		memcpy(in->why, text, sizeof text);
	else
		log_error(in->room, "%s", text);
	return -EINVAL;
}

static bool good_label(const char *text)
{
	size_t n = text ? strnlen(text, PLUG_REASON_MAX) : 0;
	return n > 0 && n < PLUG_REASON_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz_") == n;
}

static void host_reason(struct tally_instance *in, const char *reason, uint32_t retry_after_s)
{
	in->retry_after_s = retry_after_s;
	if (good_label(reason)) {
		memcpy(in->reason, reason, strlen(reason) + 1);
		return;
	}
	if (plug_say_once(in, SAID_REASON))
		log_error(in->room, "gives a reason that is not of the form [a-z_]{1,31}");
}

static void host_count(const struct tally_instance *in, const char *name, int64_t by)
{
	const char *label = good_label(name) ? name : "unnamed";
	if (in->replaying)
		return;
	if (services.count)
		services.count(in->plugin->name, label, by);
	else
		meter_add(meter_get(M_PLUGIN_COUNT, str_of(in->plugin->name), str_of(label), str_of("")), by);
}

/* ---- load ---- */

static int host_level(void)
{
	return services.level ? services.level() : meter_level();
}

static double host_signal(uint32_t which)
{
	if (which >= TALLY_SIGNALS)
		return 0;
	return services.signal ? services.signal((enum tally_signal)which) : meter_signal((enum tally_signal)which);
}

static int64_t host_spool_retain_us(void)
{
	return services.spool_retain_us ? services.spool_retain_us() : 0;
}

/* ---- hashes and sketches ---- */

static uint64_t host_hash_keyed(const void *bytes, size_t len)
{
	return hash_table(bytes, len);
}

static void host_hash_keyed128(const void *bytes, size_t len, uint64_t *two_words)
{
	uint8_t out[16];
	hash_keyed128(hash_process_key(), bytes, len, out);
	memcpy(two_words, out, sizeof out);
}

static size_t host_sketch_room(uint32_t kind)
{
	return kind == TALLY_SKETCH_HLL ? HLL_ROOM : kind == TALLY_SKETCH_QUANTILE ? QUANTILE_ROOM : 0;
}

static int host_sketch_add(uint32_t kind, void *buf, size_t *len, size_t cap, uint64_t hash, double number)
{
	if (kind == TALLY_SKETCH_QUANTILE)
		return quantile_add(buf, len, cap, number, 1);
	return kind == TALLY_SKETCH_HLL ? hll_add(buf, len, cap, hash) : -EOPNOTSUPP;
}

static int host_sketch_merge(uint32_t kind, void *buf, size_t *len, size_t cap, const void *other, size_t other_len)
{
	if (kind == TALLY_SKETCH_QUANTILE)
		return quantile_merge(buf, len, cap, other, other_len);
	return kind == TALLY_SKETCH_HLL ? hll_merge(buf, len, cap, other, other_len) : -EOPNOTSUPP;
}

static int host_sketch_add_numbers(
	uint32_t kind, void *buf, size_t *len, size_t cap, const double *numbers, size_t n, uint64_t times)
{
	if (kind != TALLY_SKETCH_QUANTILE)
		return -EOPNOTSUPP;
	return quantile_add_many(buf, len, cap, numbers, n, times);
}

static double host_sketch_estimate(uint32_t kind, const void *buf, size_t len)
{
	if (kind == TALLY_SKETCH_QUANTILE)
		return quantile_value(buf, len, 50);
	return kind == TALLY_SKETCH_HLL ? hll_estimate(buf, len) : 0;
}

/* ---- line ---- */

static void *host_alloc(struct tally_instance *in, size_t bytes)
{
	if (in->arena)
		return arena_alloc(in->arena, bytes);
	if (plug_say_once(in, SAID_ALLOC))
		log_error(in->room, "asks for memory of a batch outside event() and flush()");
	return NULL;
}

static size_t host_rollups(const struct tally_instance *in, const struct tally_rollup **first)
{
	return plug_set_rollups(in->set, first);
}

static const struct zone *zone_of(struct tally_instance *in, struct tally_str site)
{
	if (in->zone && str_eq(site, str_make(in->site, in->site_len)))
		return in->zone;
	const struct zone *z;
	if (in->taker)
		z = in->taker->zone(in->owner, site);
	else if (in->station == TALLY_LINE && services.zone)
		z = services.zone(in->owner, site);
	else
		z = zone_get(conf_site(in->conf, site)->timezone);
	in->zone = z ? z : zone_utc();
	in->site_len = site.len < sizeof in->site ? site.len : 0;
	memcpy(in->site, site.ptr, in->site_len);
	return in->zone;
}

static int64_t floor_to(int64_t time_us, int64_t unit_us)
{
	int64_t rest = time_us % unit_us;
	return time_us - (rest < 0 ? rest + unit_us : rest);
}

static int64_t host_bucket(struct tally_instance *in, uint32_t grain, struct tally_str site, int64_t time_us)
{
	switch (grain) {
	case TALLY_QUARTER:
		return floor_to(time_us, 900 * INT64_C(1000000));
	case TALLY_DAY:
		return zone_floor(zone_of(in, site), ZONE_DAY, time_us);
	case TALLY_MONTH:
		return zone_floor(zone_of(in, site), ZONE_MONTH, time_us);
	}
	return floor_to(time_us, 60 * INT64_C(1000000));
}

static int64_t host_horizon(
	struct tally_instance *in, const struct tally_rollup *rollup, uint32_t grain, struct tally_str site)
{
	if (grain < TALLY_GRAINS && in->taker)
		return in->taker->horizon(in->owner, rollup, (enum tally_grain)grain, site);
	if (grain >= TALLY_GRAINS || !services.horizon)
		return INT64_MAX;
	return services.horizon(in->owner, rollup, (enum tally_grain)grain, site);
}

static bool good_row(const struct tally_instance *in, const struct tally_row *row)
{
	const struct tally_rollup *first = in->set->rollups;
	if (row->rollup < first || row->rollup >= first + in->set->nrollups || row->grain >= TALLY_GRAINS)
		return false;
	for (uint32_t i = 0; i < row->rollup->nmetrics; i++)
		if (!isfinite(row->amounts[i].number))
			return false;
	return true;
}

static int host_replaying(const struct tally_instance *in)
{
	return in->replaying;
}

static int host_emit(struct tally_instance *in, const struct tally_row *row)
{
	if (in->replaying)
		return 0;
	if (in->arena && in->taker && good_row(in, row))
		return in->taker->emit(in->owner, row);
	if (in->arena && good_row(in, row) && services.emit)
		return services.emit(in->owner, row);
	if (plug_say_once(in, SAID_ROW))
		log_error(in->room,
			"emits what is no row: of no declared rollup or grain, not finite, or outside flush()");
	return -EINVAL;
}

/* As lent on: one who does not say that its visits have values has a shorter struct. */
static void take_visit(const struct tally_instance *in, const struct tally_visit *given, struct tally_visit *out)
{
	*out = (struct tally_visit){ 0 };
	if (in->plugin->gives & TALLY_GIVES_VALUES)
		*out = *given;
	else
		memcpy(out, given, offsetof(struct tally_visit, values));
}

static int host_visit(struct tally_instance *in, const struct tally_visit *before, const struct tally_visit *now)
{
	if (in->replaying)
		return 0;
	if (!in->arena || !(in->plugin->gives & TALLY_GIVES_VISITS) || now->site.len == 0 || !services.visit) {
		if (plug_say_once(in, SAID_VISIT))
			log_error(in->room,
				"gives a visit outside event() and flush(), or does not say that it `gives` any");
		return -EINVAL;
	}
	struct tally_visit was = { 0 }, is;
	take_visit(in, now, &is);
	if (before)
		take_visit(in, before, &was);
	before = before ? &was : NULL;
	int rc = plug_visit_behind(in, before, &is);
	return rc ? rc : services.visit(in->owner, before, &is);
}

/* ---- desk and work ---- */

static int host_answer(struct tally_instance *in, uint64_t request, const struct tally_answer *answer)
{
	return services.answer ? services.answer(in->owner, request, answer) : -ENOENT;
}

static void host_resume(struct tally_instance *in, uint64_t request)
{
	if (services.resume)
		services.resume(in->owner, request);
}

static int host_request_version(struct tally_instance *in, uint64_t request, uint64_t *version)
{
	return services.request_version ? services.request_version(in->owner, request, version) : -ENOENT;
}

static uint64_t host_store_moment(const struct tally_instance *in)
{
	return services.store_moment ? services.store_moment(in->owner) : 0;
}

struct job { /* one call of work(), from then to done() */
	struct tally_instance *in;
	void (*job)(void *), (*done)(void *);
	void *arg;
};

static void run_job(void *p)
{
	struct job *j = p;
	j->job(j->arg);
}

static void run_done(void *p)
{
	struct job *j = p;
	struct tally_instance *in = j->in;
	j->done(j->arg);
	free(j);
	if (--in->jobs == 0 && in->closing)
		plug_instance_free(in);
}

static int host_work(struct tally_instance *in, void (*job)(void *), void (*done)(void *), void *arg)
{
	int (*work)(void *, void (*)(void *), void (*)(void *), void *) =
		in->station == TALLY_DOOR ? services.door_work : services.work;
	if (in->closing || !work || (in->station == TALLY_DOOR && !in->owner))
		return -ESHUTDOWN;
	struct job *j = malloc(sizeof *j);
	MUST(j != NULL);
	*j = (struct job){ in, job, done, arg };
	in->jobs++;
	int rc = work(in->owner, run_job, run_done, j);
	if (rc == 0)
		return 0;
	in->jobs--;
	free(j);
	return rc;
}

/* ---- heavy hitters ---- */

static size_t host_heavy_room(uint32_t keys)
{
	return keys >= 1 && keys <= HEAVY_MAX ? heavy_room(keys) : 0;
}

/* Its first byte is the version of the bytes. */
static uint64_t host_heavy_add(void *buf, uint32_t keys, const void *key, uint64_t times)
{
	if (*(const uint8_t *)buf == 0)
		heavy_init(buf, keys);
	return heavy_add(buf, key, times);
}

const struct tally_host plug_host = {
	.size = sizeof(struct tally_host),
	.abi = TALLY_ABI,
	.station = host_station,
	.option_int = host_option_int,
	.option_float = host_option_float,
	.option_str = host_option_str,
	.log = host_log,
	.fail = host_fail,
	.reason = host_reason,
	.level = host_level,
	.signal = host_signal,
	.spool_retain_us = host_spool_retain_us,
	.hash = hll_hash,
	.hash_keyed = host_hash_keyed,
	.hash_keyed128 = host_hash_keyed128,
	.alloc = host_alloc,
	.prop_set = plug_prop_set,
	.rollups = host_rollups,
	.bucket = host_bucket,
	.horizon = host_horizon,
	.emit = host_emit,
	.sketch_room = host_sketch_room,
	.sketch_add = host_sketch_add,
	.sketch_merge = host_sketch_merge,
	.sketch_estimate = host_sketch_estimate,
	.sketch_add_numbers = host_sketch_add_numbers,
	.answer = host_answer,
	.resume = host_resume,
	.request_version = host_request_version,
	.work = host_work,
	.count = host_count,
	.replaying = host_replaying,
	.visit = host_visit,
	.heavy_room = host_heavy_room,
	.heavy_add = host_heavy_add,
	.store_moment = host_store_moment,
	.lookup = plug_lookup,
};
