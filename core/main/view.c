/* SPDX-License-Identifier: Apache-2.0 */
#include "main/view.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "desk/store.h"
#include "main/balance.h"
#include "meter/meter.h"
#include "text/write.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* ---- readiness ---- */

/* What some sink never got does not come back: it is told for as long as the store knows of it. */
static void say_lost(struct daemon *d, struct arena *a, char why[256])
{
	size_t n = strlen(why);
	for (size_t i = 0; i < d->nlines; i++) {
		struct line_view v;
		line_view(d->lines[i], a, &v);
		for (int g = 0; g < GAP_BEFORE && n < 256; g++)
			if (v.lost[g])
				n += (size_t)snprintf(why + n, 256 - n, "%ssink %s: %lld events lost (%s)",
					n ? "; " : "", v.name, (long long)v.lost[g], line_gap_name(g));
	}
}

bool view_ready(void *arg, char why[256])
{
	struct daemon *d = arg;
	const char *trouble = ledger_trouble(d->ledger);
	bool ready = true;
	if (trouble) {
		const char *line = ledger_full_line(d->ledger);
		snprintf(why, 256, "spool: %s%s%s", trouble, line ? ", all that may wait for sink " : "",
			line ? line : "");
		return false;
	}
	struct arena a;
	arena_init(&a, 0);
	for (size_t i = 0; ready && i < d->nlines; i++) {
		struct line_view v;
		line_view(d->lines[i], &a, &v);
		ready = !v.trouble && v.ship.connected;
		if (!ready)
			snprintf(why, 256, "sink %s: %s", v.name, v.trouble ? v.trouble : "not connected yet");
		else if (*v.ship.note)
			snprintf(why, 256, "sink %.60s: %.180s", v.name, v.ship.note);
	}
	if (ready) {
		say_lost(d, &a, why);
		lookups_trouble(d->lookups, why, 256);
	}
	arena_free(&a);
	return ready;
}

bool view_freshness(void *arg, int64_t *complete_through_us, double *lag_seconds)
{
	struct daemon *d = arg;
	struct arena a;
	struct line_view v;
	for (size_t i = 0; i < d->nlines; i++) {
		if (!line_sink(d->lines[i])->is_store)
			continue;
		arena_init(&a, 0);
		line_view(d->lines[i], &a, &v);
		arena_free(&a);
		*lag_seconds = v.lag_seconds;
		*complete_through_us = clock_wall_us() - (int64_t)(v.lag_seconds * 1e6);
		return v.ship.connected;
	}
	return false;
}

/* Of the line that the desk reads: front_reading_line() finds the same. */
uint64_t view_changes(void *arg)
{
	struct daemon *d = arg;
	for (size_t i = 0; i < d->nlines; i++)
		if (line_sink(d->lines[i])->is_store)
			return line_changes(d->lines[i]);
	return 0;
}

/* ---- gauges ---- */

void view_plugin_count(const char *plugin, const char *name, int64_t by)
{
	meter_add(meter_get(M_PLUGIN_COUNT, str_of(plugin), str_of(name), STR("")), by);
}

static void gauge(enum meter_metric m, struct tally_str label, double value)
{
	meter_set(meter_get(m, label, STR(""), STR("")), value);
}

static void spool_gauges(struct daemon *d)
{
	struct spool_stats st;
	spool_stats(ledger_spool(d->ledger), &st);
	gauge(M_SPOOL_BYTES, STR(""), (double)st.bytes);
	gauge(M_SPOOL_OLDEST, STR(""), st.oldest_us ? (double)(clock_wall_us() - st.oldest_us) / 1e6 : 0);
}

void view_gauges(void *arg)
{
	struct daemon *d = arg;
	struct arena a;
	arena_init(&a, 0);
	spool_gauges(d);
	gauge(M_LEVEL, STR(""), meter_level());
	gauge(M_LEDGER_BALANCE, STR(""), (double)balance_total(d, &a));
	for (size_t i = 0; i < d->nlines; i++) {
		struct line_view v;
		line_view(d->lines[i], &a, &v);
		gauge(M_SINK_LAG, str_of(v.name), v.lag_seconds);
		gauge(M_SINK_UP, str_of(v.name), v.ship.connected && !v.trouble);
	}
	uint64_t open = 0;
	for (size_t i = 0; i < d->nlanes; i++) {
		struct http_stats st;
		lane_stats(d->lanes[i], &st);
		open += st.open;
	}
	gauge(M_HTTP_CONNECTIONS, STR(""), (double)open);
	arena_free(&a);
}

/* ---- status ---- */

static void put_spool(struct daemon *d, struct text_out *o)
{
	struct spool_stats st;
	spool_stats(ledger_spool(d->ledger), &st);
	text_json_key(o, STR("spool"));
	text_json_begin(o, '{');
	text_json_member_int(o, "bytes", (int64_t)st.bytes);
	text_json_member_int(o, "max_bytes", (int64_t)st.max_bytes);
	text_json_member_int(o, "begin", (int64_t)st.begin);
	text_json_member_int(o, "end", (int64_t)st.end);
	text_json_member_int(o, "durable", (int64_t)st.durable);
	text_json_member_int(o, "segments", st.segments);
	text_json_member_int(o, "lost_bytes", (int64_t)st.lost_bytes);
	text_json_end(o, '}');
}

static void put_sinks(struct daemon *d, struct text_out *o, struct arena *a)
{
	text_json_key(o, STR("sinks"));
	text_json_begin(o, '[');
	for (size_t i = 0; i < d->nlines; i++) {
		struct line_view v;
		line_view(d->lines[i], a, &v);
		text_json_begin(o, '{');
		text_json_member_string(o, "name", str_of(v.name));
		text_json_member_string(o, "sink", str_of(v.sink));
		text_json_member_bool(o, "connected", v.ship.connected);
		text_json_member_int(o, "position", (int64_t)v.position.lsn);
		text_json_member_double(o, "lag_seconds", v.lag_seconds);
		text_json_member_int(o, "batches", (int64_t)v.ship.batches);
		text_json_member_int(o, "rows", (int64_t)v.ship.rows);
		text_json_member_int(o, "recovered", (int64_t)v.ship.recovered);
		text_json_member_string(o, "trouble", v.trouble ? str_of(v.trouble) : STR(""));
		text_json_end(o, '}');
	}
	text_json_end(o, ']');
}

static void put_readers(struct daemon *d, struct text_out *o)
{
	struct store_replica_view v[16];
	size_t n = d->desk ? desk_replicas(d->desk, v, 16) : 0;
	text_json_key(o, STR("readers"));
	text_json_begin(o, '[');
	for (size_t i = 0; i < n; i++) {
		text_json_begin(o, '{');
		text_json_member_string(o, "name", str_of(v[i].name));
		text_json_member_string(o, "state", str_of(v[i].state));
		text_json_member_double(o, "lag_seconds", v[i].lag_seconds);
		text_json_member_int(o, "reads", v[i].reads);
		text_json_member_string(o, "trouble", str_of(v[i].trouble));
		text_json_end(o, '}');
	}
	text_json_end(o, ']');
}

static void put_sources(struct daemon *d, struct text_out *o)
{
	text_json_key(o, STR("sources"));
	text_json_begin(o, '[');
	for (size_t i = 0; i < d->nsources; i++) {
		struct redis_view v;
		redis_source_view(d->sources[i], &v);
		text_json_begin(o, '{');
		text_json_member_string(o, "list", str_of(v.list));
		text_json_member_bool(o, "connected", v.connected);
		text_json_member_bool(o, "owner", v.owner);
		text_json_member_int(o, "events", (int64_t)v.events);
		text_json_member_int(o, "batches", (int64_t)v.batches);
		text_json_member_int(o, "length", v.length);
		text_json_member_int(o, "unreadable", (int64_t)v.unreadable);
		text_json_member_int(o, "moved", (int64_t)v.moved);
		text_json_member_int(o, "breaks", (int64_t)v.breaks);
		text_json_member_int(o, "went_back", (int64_t)v.went_back);
		text_json_member_int(o, "trimmed", (int64_t)v.trimmed);
		text_json_member_string(o, "trouble", str_of(v.error));
		text_json_end(o, '}');
	}
	text_json_end(o, ']');
}

struct tally_str view_status(struct daemon *d, struct arena *a)
{
	struct text_out o;
	text_open(&o, a, 1024);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "version", STR(PACKAGE_VERSION));
	text_json_member_string(&o, "node", str_of(d->node.text));
	text_json_member_int(&o, "uptime_seconds", (clock_wall_us() - d->began_us) / 1000000);
	text_json_member_int(&o, "level", meter_level());
	const char *trouble = ledger_trouble(d->ledger);
	text_json_member_string(&o, "trouble", trouble ? str_of(trouble) : STR(""));
	put_spool(d, &o);
	put_sinks(d, &o, a);
	put_readers(d, &o);
	put_sources(d, &o);
	text_json_end(&o, '}');
	return text_done(&o);
}

struct tally_str view_plugins(struct daemon *d, struct arena *a)
{
	const struct plug_file *f;
	size_t n = plug_set_files(d->plugins, &f);
	struct text_out o;
	text_open(&o, a, 1024);
	text_json_begin(&o, '[');
	for (size_t i = 0; i < n; i++) {
		const char *trouble = f[i].refusal ? f[i].refusal : plug_set_trouble(d->plugins, i);
		text_json_begin(&o, '{');
		text_json_member_string(&o, "name", f[i].name ? str_of(f[i].name) : STR(""));
		text_json_member_string(&o, "kind", f[i].sink ? STR("sink") : f[i].plugin ? STR("plugin") : STR(""));
		text_json_member_string(&o, "version", f[i].version ? str_of(f[i].version) : STR(""));
		text_json_member_bool(&o, "running", f[i].running && !trouble);
		text_json_member_string(&o, "summary", f[i].summary ? str_of(f[i].summary) : STR(""));
		text_json_member_string(&o, "refusal", trouble ? str_of(trouble) : STR(""));
		text_json_member_string(&o, "path", str_of(f[i].path));
		text_json_end(&o, '}');
	}
	text_json_end(&o, ']');
	return text_done(&o);
}
