/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of an answer while they are added up: one group for each time bucket and dimension values, with an amount for
 * each need of the plan. Belongs to one query run. */
#ifndef DESK_GROUP_H
#define DESK_GROUP_H

#include "base/table.h"
#include "desk/plan.h"

#define GROUPS_BYTES_MAX (256u << 20)

/* Which members count follows from the kind of the need. Sketches are malloc'd, since they grow. */
struct group_amount {
	int64_t count;
	double number;
	uint8_t *sketch;
	size_t len, cap;
	bool draft;       /* visitors: see hll_draft_begin() */
	int64_t visitors; /* once sealed: an estimate costs thousands of steps */
};

struct group {
	size_t bucket;            /* index on the axis */
	struct tally_str *values; /* one a dimension of the query; that of time is empty */
	struct group_amount *amounts;
	struct group *next;
};

struct groups {
	const struct query *q;
	const struct plan_needs *needs;
	struct arena *arena;
	struct table index;
	struct group *first, *last;
	size_t n, bytes;
};

void groups_open(struct groups *g, const struct query *q, const struct plan_needs *needs, struct arena *a);
void groups_close(struct groups *g);

/* The group of this bucket and these values (one a field of the query), made at nothing if new.
 * NULL: GROUPS_BYTES_MAX is reached. */
struct group *groups_place(struct groups *g, size_t bucket, const struct tally_str *fields);
/* The group with the bucket and values of another (of the same query), or NULL. */
const struct group *groups_find(const struct groups *g, const struct group *like);

/* Takes out those that are not to stay. They stay in the index: what is found there is nothing, and must not be added to. */
void groups_keep(struct groups *g, bool (*stays)(void *arg, const struct group *at), void *arg);
/* Rows that visits have left again. They stay in the index: what is found there is nothing. */
void groups_drop_nothing(struct groups *g);

/* An empty group outside the index, for totals; freed with the others. */
struct group *groups_spare(struct groups *g);

/* ---- adding to an amount; kind as in its need. 0, -E2BIG (memory), -EBADMSG (not a sketch) ---- */

void group_add_count(struct group_amount *am, int64_t by);
void group_add_number(struct group_amount *am, uint32_t kind, double number, int64_t count);
must_check int group_add_hash(struct groups *g, struct group_amount *am, uint64_t hash);
must_check int group_add_value(struct groups *g, struct group_amount *am, double number, uint64_t times);
must_check int group_add_sketch(
	struct groups *g, struct group_amount *am, uint32_t kind, const void *sketch, size_t len);
/* Once all is added, before values are asked for. */
void group_seal(const struct groups *g, struct group *at);
void groups_seal(struct groups *g);
/* VISITORS and QUANTILE */
bool group_is_sketch(uint32_t kind);
/* All amounts of from into into, which is to be sealed after the last. */
must_check int group_merge(struct groups *g, struct group *into, const struct group *from);

/* ---- the value of a metric ---- */

struct group_value {
	enum { GROUP_NULL, GROUP_INT, GROUP_REAL } type;
	int64_t i;
	double d;
};

/* whole: the visitors that percentage or conversion_rate is a share of; else unused. */
struct group_value group_metric(
	const struct query *q, const struct plan_needs *needs, size_t metric, const struct group *g, int64_t whole);

/* The visitors of a group; it has a need for them. */
int64_t group_visitors(const struct plan_needs *needs, const struct group *g);

/* Are the visitors of this group counted and not estimated? True without visitors. */
bool group_is_exact(const struct plan_needs *needs, const struct group *g);

#endif
