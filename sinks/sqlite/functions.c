/* SPDX-License-Identifier: Apache-2.0 */
/* Sketches are merged by the host; SQL reaches it through two functions for each kind: tally_union_KIND(sketch, sketch)
 * and tally_estimate_KIND(sketch), NULL of the empty one where the column is a real.
 *
 * An upsert uses a union twice: as the new sketch and under the estimate. The last union is kept with copies of both
 * inputs, so the second call costs two comparisons, in whatever order SQLite evaluates them. */
#include "sqlite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	void *ptr;
	size_t len, room;
};

struct sq_merge {
	const struct tally_sink_host *host;
	enum tally_sketch_kind kind;
	struct bytes a, b, both;
	bool valid;
};

static bool keep(struct bytes *to, const void *ptr, size_t len, size_t room)
{
	if (room > to->room) {
		void *grown = realloc(to->ptr, room);
		if (!grown)
			return false;
		to->ptr = grown;
		to->room = room;
	}
	if (len)
		memcpy(to->ptr, ptr, len);
	to->len = len;
	return true;
}

static bool equal(const struct bytes *have, const void *ptr, size_t len)
{
	return have->len == len && (len == 0 || memcmp(have->ptr, ptr, len) == 0);
}

static int merge(struct sq_merge *m, sqlite3_value *a, sqlite3_value *b)
{
	const void *pa = sqlite3_value_blob(a), *pb = sqlite3_value_blob(b);
	size_t na = (size_t)sqlite3_value_bytes(a), nb = (size_t)sqlite3_value_bytes(b);
	if (m->valid && equal(&m->a, pa, na) && equal(&m->b, pb, nb))
		return SQLITE_OK;
	size_t room = m->host->sketch_room(m->kind);
	m->valid = false;
	if (!keep(&m->a, pa, na, na + 1) || !keep(&m->b, pb, nb, nb + 1) ||
		!keep(&m->both, pa, na, na > room ? na : room))
		return SQLITE_NOMEM;
	size_t len = na;
	if (m->host->sketch_merge(m->kind, m->both.ptr, &len, m->both.room, pb, nb) != 0)
		return SQLITE_CORRUPT;
	m->both.len = len;
	m->valid = true;
	return SQLITE_OK;
}

static void fn_union(sqlite3_context *cx, int n, sqlite3_value **v)
{
	struct sq_merge *m = sqlite3_user_data(cx);
	(void)n;
	int rc = merge(m, v[0], v[1]);
	if (rc == SQLITE_OK)
		sqlite3_result_blob(cx, m->both.ptr, (int)m->both.len, SQLITE_TRANSIENT);
	else if (rc == SQLITE_NOMEM)
		sqlite3_result_error_nomem(cx);
	else
		sqlite3_result_error(cx, "a stored sketch is damaged", -1);
}

static void fn_estimate(sqlite3_context *cx, int n, sqlite3_value **v)
{
	struct sq_merge *m = sqlite3_user_data(cx);
	(void)n;
	const void *p = sqlite3_value_blob(v[0]);
	size_t len = (size_t)sqlite3_value_bytes(v[0]);
	if (m->kind == TALLY_SKETCH_HLL)
		sqlite3_result_int64(cx, llround(m->host->sketch_estimate(m->kind, p, len)));
	else if (len)
		sqlite3_result_double(cx, m->host->sketch_estimate(m->kind, p, len));
}

static void destroy(void *arg)
{
	struct sq_merge *m = arg;
	free(m->a.ptr);
	free(m->b.ptr);
	free(m->both.ptr);
	free(m);
}

/* The first registration owns m; the second borrows it and dies with the same connection. */
static int add_kind(struct sq *s, enum tally_sketch_kind kind, const char *unite, const char *estimate)
{
	int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
	struct sq_merge *m = calloc(1, sizeof *m);
	if (!m)
		return SQLITE_NOMEM;
	m->host = s->host;
	m->kind = kind;
	int rc = sqlite3_create_function_v2(s->db, unite, 2, flags, m, fn_union, NULL, NULL, destroy);
	if (rc == SQLITE_OK)
		rc = sqlite3_create_function_v2(s->db, estimate, 1, flags, m, fn_estimate, NULL, NULL, NULL);
	return rc;
}

int sq_functions(struct sq *s)
{
	int rc = add_kind(s, TALLY_SKETCH_HLL, "tally_union_hll", "tally_estimate_hll");
	if (rc == SQLITE_OK)
		rc = add_kind(s, TALLY_SKETCH_QUANTILE, "tally_union_quantile", "tally_estimate_quantile");
	return rc;
}
