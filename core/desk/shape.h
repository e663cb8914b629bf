/* SPDX-License-Identifier: Apache-2.0 */
/* From groups to the bytes of an answer: order, page, what is left over, meta; as JSON, CSV or NDJSON. */
#ifndef DESK_SHAPE_H
#define DESK_SHAPE_H

#include "desk/run.h"

struct shape_input {
	const struct query *q;
	struct run *now, *before;         /* before: of the compared range, or NULL */
	struct run *base, *base_before;   /* of query_base(), for conversion_rate; or NULL */
	struct store_freshness freshness; /* of the server that was read */
	bool unconfirmed;                 /* a replica's, while the server that is written to is away */
	uint64_t revision;
	int64_t lost;    /* events of the site that the store never got */
	bool many_nodes; /* more than one wrote into the range */
	int64_t took_us;
	struct tally_str why; /* explain: why rollups were not taken */
};

/* What the shares of a range are shares of, in visitors. */
struct share {
	int64_t all;        /* who pass the filters: of percentage */
	int64_t base;       /* who pass those that are no goal: of conversion_rate … */
	int64_t *of_bucket; /* … in each bucket of the axis */
	bool exact;
};

/* Rows of the answer in their order, and the page of them. Amounts may be added to spare groups of now and before. */
struct shape_rows {
	struct group **rows; /* all of them, ordered; the page is [first, first + n) */
	size_t total, first, n;
	struct share share, share_before; /* of what is asked, and of the compared range */
	struct group *rest, *rest_before; /* sums over what is not on the page; NULL if there is nothing */
};

/* 0 or -E2BIG, -EBADMSG as groups report. */
must_check int shape_order(const struct shape_input *in, struct arena *a, struct shape_rows *out);

/* The whole answer in the format asked for. */
struct tally_str shape_answer(const struct shape_input *in, const struct shape_rows *rows, struct arena *a);
const char *shape_type(enum query_format format);

/* What plan and statements were, instead of rows. */
struct tally_str shape_explain(const struct shape_input *in, struct arena *a);

/* ---- parts, one file each ---- */

/* run: of the range; base: of query_base() over it, or NULL. Before any row of run is made that is not in the store.
 * 0, -E2BIG, -EBADMSG. */
must_check int share_make(struct run *run, struct run *base, struct arena *a, struct share *out);
/* The whole of this metric for a group; rest: one that is made of many rows. */
int64_t share_whole(const struct share *s, enum query_metric_kind kind, const struct group *g, bool rest);
/* Everything that was read for the answer: rows; were raw events thinned, a full rollup's "(other)" met? */
uint64_t shape_rows_read(const struct shape_input *in);
bool shape_thinned(const struct shape_input *in);
bool shape_folded(const struct shape_input *in);

void shape_meta(struct text_out *o, const struct shape_input *in, const struct shape_rows *rows);
struct tally_str shape_csv(const struct shape_input *in, const struct shape_rows *rows, struct arena *a);
struct tally_str shape_ndjson(const struct shape_input *in, const struct shape_rows *rows, struct arena *a);

/* The value of a dimension of a row: a label of the axis or a text. */
struct tally_str shape_dimension(const struct shape_input *in, const struct group *g, size_t dim, struct arena *a);
/* The row of the compared range that stands beside g; never NULL (an empty one). */
const struct group *shape_beside(const struct shape_input *in, const struct group *g);
/* A metric of a row of now, or of the row beside it. */
struct group_value shape_metric(
	const struct shape_input *in, const struct shape_rows *rows, size_t metric, const struct group *g, bool before);
void shape_value(struct text_out *o, struct group_value v);

#endif
