/* SPDX-License-Identifier: Apache-2.0 */
/* Which server a question goes to. Replicas that lack nothing before those that lag, the least busy first; then the server
 * that is written to; and if that cannot be reached, a replica that has all that is known of. Whatever the choice rests
 * on, the snapshot itself is judged once more before anything is read from it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/log.h"
#include "desk/store_inner.h"

#define HOLD_FIRST_US 1000000
#define HOLD_MOST_US 60000000

static const char *const states[SERVER_STATES] = { "new", "asked", "lag", "away", "strange", "error" };

/* ---- open ---- */

static void open_server(struct store *s, size_t i)
{
	struct server *sv = &s->servers[i];
	sv->store = s;
	sv->number = i;
	sv->primary = i == s->nreplicas;
	sv->name = sv->primary ? "primary" : s->opt.sink->replica_name(s->opt.self, i);
	struct tally_str name = str_of(sv->name), none = { 0 };
	sv->reads = meter_get(M_READER_READS, name, none, none);
	if (sv->primary)
		return;
	sv->lag = meter_get(M_READER_LAG, name, none, none);
	sv->up = meter_get(M_READER_UP, name, none, none);
	for (int state = 0; state < SERVER_STATES; state++)
		if (state != SERVER_GOOD)
			sv->passed[state] = meter_get(M_READER_PASSED, name, str_of(states[state]), none);
}

void servers_open(struct store *s)
{
	const struct tally_sink *sink = s->opt.sink;
	s->nreplicas = sink->replicas ? sink->replicas(s->opt.self, &s->max_lag_us) : 0;
	MUST(s->nreplicas < STORE_SERVERS_MAX);
	s->nservers = s->nreplicas + 1;
	for (size_t i = 0; i < s->nservers; i++)
		open_server(s, i);
	lag_open(&s->log, s->max_lag_us);
	s->not_before_us = INT64_MIN;
}

/* ---- states ---- */

__attribute__((format(printf, 3, 4))) static void set_state(
	struct server *sv, enum server_state state, const char *fmt, ...)
{
	bool news = state != sv->state && !(sv->primary && sv->state == SERVER_NEW && state == SERVER_GOOD);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(sv->why, sizeof sv->why, fmt, ap);
	va_end(ap);
	sv->state = state;
	if (!sv->primary)
		meter_set(sv->up, state == SERVER_GOOD);
	if (!news)
		return;
	if (state == SERVER_GOOD)
		log_info("desk", "%s %s is read from now", sv->primary ? "the" : "reader", sv->name);
	else
		log_warn("desk", "%s %s is not read from: %s", sv->primary ? "the" : "reader", sv->name, sv->why);
}

static void pass_over(struct server *sv, enum server_state state)
{
	if (!sv->primary)
		meter_add(sv->passed[state == SERVER_GOOD ? SERVER_LAGS : state], 1);
}

void servers_failed(struct server *sv, const char *words)
{
	struct store *s = sv->store;
	int64_t now = clock_mono_us();
	if (sv->primary)
		return;
	pthread_mutex_lock(&s->lock);
	if (now > sv->hold_until_us + HOLD_MOST_US)
		sv->hold_us = 0;
	if (now > sv->hold_until_us)
		sv->hold_us = sv->hold_us ? sv->hold_us * 2 : HOLD_FIRST_US;
	if (sv->hold_us > HOLD_MOST_US)
		sv->hold_us = HOLD_MOST_US;
	sv->hold_until_us = now + sv->hold_us;
	set_state(sv, SERVER_ERROR, "%.190s", words);
	pass_over(sv, SERVER_ERROR);
	pthread_mutex_unlock(&s->lock);
}

/* The sight of a replica as the state it means; what is written into why is the same for the log. */
static void judge_sight(struct server *sv, const struct lag_sight *sight)
{
	struct store *s = sv->store;
	int64_t now = clock_mono_us();
	if (sight->same)
		sv->era = s->log.era;
	sv->newest = sight->standing == LAG_REACHED && sight->newest;
	if (sight->standing == LAG_REACHED)
		sv->lag_us = sight->newest ? 0 : now - sight->at_us;
	meter_set(sv->lag, (double)sv->lag_us / 1e6);
	if (sight->standing == LAG_NOTHING)
		set_state(sv, SERVER_NEW, "nothing is known of the server that is written to");
	else if (sight->standing == LAG_STRANGE || sv->era != s->log.era)
		set_state(sv, SERVER_STRANGE,
			"it has not been seen where the server that is written to is or was: "
			"another store, or another history of this one");
	else if (sight->standing == LAG_FAR || (sv->lag_us > s->max_lag_us && !sight->newest))
		set_state(sv, SERVER_LAGS, "it is more than %.3g s behind", (double)s->max_lag_us / 1e6);
	else if (now >= sv->hold_until_us)
		set_state(sv, SERVER_GOOD, "%s", "");
}

static bool can_stand_in(const struct store *s, const struct server *sv)
{
	return !sv->primary && sv->newest && sv->era == s->log.era &&
	       (sv->state == SERVER_GOOD || sv->state == SERVER_LAGS);
}

static bool some_stands_in(const struct store *s)
{
	for (size_t i = 0; i < s->nreplicas; i++)
		if (can_stand_in(s, &s->servers[i]))
			return true;
	return false;
}

void servers_cancel(struct server *sv)
{
	for (struct store_reader *r = sv->readers; r; r = r->next) {
		if (!r->out || r->probes || !sv->store->opt.sink->reader_cancel)
			continue;
		atomic_store(&r->cancelled, true);
		if (r->reader)
			sv->store->opt.sink->reader_cancel(r->reader);
	}
}

void servers_judge(struct server *sv, int rc, const char *words, struct lag_seen *seen)
{
	if (rc == 0 && sv->primary) {
		set_state(sv, SERVER_GOOD, "%s", "");
	} else if (rc == 0) {
		struct lag_sight sight = lag_look(&sv->store->log, seen);
		judge_sight(sv, &sight);
		struct lag_seen old = sv->last;
		sv->last = *seen;
		*seen = old;
	} else if (rc == -ENOENT && sv->store->log.era == 0) {
		sv->state = SERVER_NEW; /* no store was made yet */
	} else {
		set_state(sv, SERVER_AWAY, "%.190s", words);
		/* what is read there would wait as long as the probe has, and longer */
		if (!sv->primary || some_stands_in(sv->store))
			servers_cancel(sv);
	}
}

void servers_compare(struct store *s)
{
	for (size_t i = 0; i < s->nreplicas; i++) {
		struct server *sv = &s->servers[i];
		if (sv->era != s->log.era || lag_is_behind(&s->log, &sv->last))
			continue;
		sv->era = 0;
		sv->newest = false;
		set_state(sv, SERVER_STRANGE, "it is ahead of the server that is written to: others write there");
	}
}

/* ---- the choice ---- */

static bool was_tried(const struct store_ask *ask, const struct server *sv)
{
	return ask->tried >> (sv - sv->store->servers) & 1;
}

static bool better(const struct server *a, const struct server *b)
{
	if (!b || a->newest != b->newest)
		return !b || a->newest;
	return a->busy != b->busy ? a->busy < b->busy : a->turn < b->turn;
}

static struct server *best_replica(struct store *s, const struct store_ask *ask, bool stand_in)
{
	struct server *best = NULL;
	for (size_t i = 0; i < s->nreplicas; i++) {
		struct server *sv = &s->servers[i];
		bool usable = stand_in ? can_stand_in(s, sv) : sv->state == SERVER_GOOD;
		if (usable && !was_tried(ask, sv) && better(sv, best))
			best = sv;
	}
	return best;
}

static void pass_over_rest(struct store *s, const struct store_ask *ask)
{
	for (size_t i = 0; i < s->nreplicas && !ask->newest; i++)
		if (!was_tried(ask, &s->servers[i]))
			pass_over(&s->servers[i], s->servers[i].state);
}

struct server *servers_choose(struct store *s, const struct store_ask *ask, bool *unconfirmed)
{
	struct server *primary = &s->servers[s->nreplicas];
	bool can_confirm =
		lag_newest_us(&s->log) >= s->not_before_us && lag_newest_us(&s->log) >= clock_mono_us() - s->max_lag_us;
	struct server *sv = ask->newest || !can_confirm ? NULL : best_replica(s, ask, false);
	*unconfirmed = false;
	if (!sv && primary->state != SERVER_AWAY && !was_tried(ask, primary)) {
		sv = primary;
		pass_over_rest(s, ask);
	}
	if (!sv && !ask->newest && primary->state == SERVER_AWAY) {
		sv = best_replica(s, ask, true);
		*unconfirmed = sv != NULL;
	}
	if (!sv && !was_tried(ask, primary))
		sv = primary;
	if (sv)
		sv->turn = ++s->turns;
	return sv;
}

/* ---- what a snapshot has ---- */

static int take_position(void *arg, const struct tally_cell *c)
{
	struct lag_seen *seen = arg;
	uint64_t who = XXH3_64bits(c[1].v.ptr, c[1].len) + (uint64_t)c[0].v.i * UINT64_C(0x9e3779b97f4a7c15);
	lag_seen_add(seen, (struct lag_row){ who, (uint64_t)c[2].v.i, (uint64_t)c[3].v.i, c[4].v.i });
	if (!c[5].null)
		seen->store = XXH3_64bits(c[5].v.ptr, c[5].len);
	return 0;
}

static void put_look(const struct store *s, struct store_sql *sql)
{
	static const char *const columns[] = { "node", "line", "lsn", "mark", "committed" };
	out_lit(&sql->text, "SELECT ");
	for (int i = 0; i < 5; i++)
		store_sql_column(sql, "p.", columns[i], "", i == 1 ? TALLY_T_TEXT : TALLY_T_INT);
	store_sql_column(sql, "m.", "value", "", TALLY_T_TEXT);
	out_lit(&sql->text, " FROM ");
	store_sql_table(sql, s, "tally_position");
	out_lit(&sql->text, " p LEFT JOIN ");
	store_sql_table(sql, s, s->opt.schema->fixed[SCHEMA_META].name);
	out_lit(&sql->text, " m ON m.`name` = ");
	store_sql_text(sql, STR("hash_key")); /* every store drew its own */
	out_lit(&sql->text, " ORDER BY 1, 2");
}

int servers_look(struct store_reader *r, struct lag_seen *out)
{
	struct arena a;
	struct store_sql sql;
	arena_init(&a, 0);
	store_sql_open(&sql, &a);
	put_look(r->store, &sql);
	struct tally_str text = out_text(&sql.text);
	struct tally_statement st = {
		.sql = arena_copy(&a, text.ptr, text.len),
		.params = sql.params,
		.param_types = sql.types,
		.nparams = sql.nparams,
		.column_types = sql.columns,
		.ncolumns = sql.ncolumns,
		.timeout_us = store_time_left(r),
	};
	lag_seen_clear(out);
	int rc = r->store->opt.sink->read(r->reader, &st, take_position, out);
	arena_free(&a);
	return rc;
}

/* ---- a question's snapshot ---- */

/* [lock] */
static bool is_young(const struct store_reader *r, const struct lag_sight *sight)
{
	const struct store *s = r->store;
	if (sight->standing != LAG_REACHED || r->server->era != s->log.era)
		return false;
	if (r->unconfirmed)
		return sight->newest;
	return sight->at_us >= s->not_before_us && sight->at_us >= clock_mono_us() - s->max_lag_us;
}

static void take_freshness(struct store_reader *r, const struct lag_sight *sight)
{
	r->fresh = sight->fresh;
	double lag = (double)(clock_wall_us() - r->fresh.complete_through_us) / 1e6;
	r->fresh.lag_seconds = lag > 0 ? lag : 0;
}

int servers_check(struct store_reader *r, char words[200])
{
	struct store *s = r->store;
	struct server *sv = r->server;
	struct lag_seen seen = { 0 };
	int rc = servers_look(r, &seen);
	if (rc) {
		snprintf(words, 200, "%s", s->opt.sink->reader_error(r->reader));
		servers_failed(sv, words);
		lag_seen_free(&seen);
		return rc;
	}
	pthread_mutex_lock(&s->lock);
	struct lag_sight sight = lag_look(&s->log, &seen);
	bool young = is_young(r, &sight);
	if (young) {
		take_freshness(r, &sight);
	} else {
		judge_sight(sv, &sight);
		pass_over(sv, sv->state);
		snprintf(words, 200, "reader %.60s: %.120s", sv->name,
			*sv->why ? sv->why : "it does not have what this question must see");
	}
	pthread_mutex_unlock(&s->lock);
	lag_seen_free(&seen);
	return young ? 0 : -EAGAIN;
}

/* ---- for operators ---- */

void store_tick(struct store *s)
{
	const struct tally_sink *sink = s->opt.sink;
	int64_t before = clock_mono_us() - STORE_GRACE_US;
	if (!sink->reader_cancel)
		return;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->nservers; i++)
		for (struct store_reader *r = s->servers[i].readers; r; r = r->next)
			if (r->out && r->until_us < before && !atomic_exchange(&r->cancelled, true) && r->reader)
				sink->reader_cancel(r->reader);
	pthread_mutex_unlock(&s->lock);
}

void store_read_behind_now(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->not_before_us = clock_mono_us();
	pthread_mutex_unlock(&s->lock);
}

void store_note(struct store *s, char words[256])
{
	size_t n = 0;
	*words = 0;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->nreplicas && n < 256; i++) {
		const struct server *sv = &s->servers[i];
		if (sv->state != SERVER_GOOD && sv->state != SERVER_NEW)
			n += (size_t)snprintf(words + n, 256 - n, "%sreader %.60s is not read from: %.120s",
				n ? "; " : "", sv->name, sv->why);
	}
	pthread_mutex_unlock(&s->lock);
}

bool store_has_replicas(const struct store *s)
{
	return s->nreplicas > 0;
}

size_t store_replicas(struct store *s, struct store_replica_view *out, size_t n)
{
	size_t i;
	pthread_mutex_lock(&s->lock);
	for (i = 0; i < s->nreplicas && i < n; i++) {
		const struct server *sv = &s->servers[i];
		out[i] = (struct store_replica_view){ .name = sv->name,
			.state = states[sv->state],
			.lag_seconds = (double)sv->lag_us / 1e6,
			.reads = meter_value(sv->reads) };
		snprintf(out[i].trouble, sizeof out[i].trouble, "%s", sv->why);
	}
	pthread_mutex_unlock(&s->lock);
	return i;
}
