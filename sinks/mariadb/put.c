/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of one table, cut into statements that the server takes.
 *
 * A statement that fails leaves nothing of itself: it stands behind a savepoint. If the server refused a value, the
 * first bad row is found by halving: what precedes it is written, so the last refusal was about it. Then the rest is
 * tried, and so on, until all bad rows are named or the host has heard enough. A single one among MD_ROWS_MAX costs 12
 * statements of halving and one for the rest. */
#include "mariadb.h"

#include <stdio.h>

#define ROW_OVERHEAD 64

struct put {
	struct md *s;
	const struct md_table *t;
	const struct tally_rows *rows;
	size_t index;        /* of the rows in the batch */
	size_t united, many; /* the rows whose sketches are united: from here on, so many */
	unsigned code;       /* of the last failed statement */
	char words[MD_WORDS];
};

static const struct tally_cell *cells_at(const struct put *p, size_t row)
{
	return p->rows->cells + row * p->rows->table->ncolumns;
}

/* enum tally_sink_rc; on a refusal nothing of the rows is left in the transaction. */
static int try_rows(struct put *p, size_t first, size_t n)
{
	struct md *s = p->s;
	int rc = md_exec(s, "savepoint", "SAVEPOINT tally_rows");
	if (rc == TALLY_SINK_OK)
		rc = md_seam(s, "mariadb.send");
	if (rc != TALLY_SINK_OK)
		return rc;
	unsigned code = md_execute(s, p->t, cells_at(p, first), n, first - p->united, p->words);
	if (code == 0)
		return TALLY_SINK_OK;
	p->code = code;
	if (md_class(p->code) != MD_BAD_ROW)
		return md_fail_code(s, p->rows->table->name, p->code, p->words);
	rc = md_exec(s, "rolling back to a savepoint", "ROLLBACK TO SAVEPOINT tally_rows");
	return rc == TALLY_SINK_OK ? MD_BAD_ROW : rc;
}

/* ---- refused rows ---- */

/* Assumes: [*first, *first + n) was refused. *first becomes the bad row, those before it are written. */
static int find_bad_row(struct put *p, size_t *first, size_t n)
{
	while (n > 1) {
		size_t half = (n + 1) / 2;
		int rc = try_rows(p, *first, half);
		if (rc == TALLY_SINK_OK) {
			*first += half;
			n -= half;
		} else if (rc == MD_BAD_ROW) {
			n = half;
		} else {
			return rc;
		}
	}
	return MD_BAD_ROW;
}

static int name_bad_row(struct put *p, size_t row)
{
	const char *table = p->rows->table->name;
	p->s->suspect = p->rows->table;
	return p->s->host->bad_row(p->s->in, p->index, row, (int)p->code, "%s: %s (%u)", table, p->words, p->code);
}

/* Assumes: [first, end) was refused. Behind the first bad row all the rest is tried at once; behind a later one, single
 * rows and ever more of them: where two are bad, often all are. */
static int name_bad_rows(struct put *p, size_t first, size_t end)
{
	size_t n = end - first, found = 0;
	int rc = MD_BAD_ROW;
	while (first < end) {
		if (rc == MD_BAD_ROW) {
			rc = find_bad_row(p, &first, n);
			if (rc == MD_BAD_ROW)
				rc = name_bad_row(p, first);
			if (rc != MD_BAD_ROW)
				return rc;
			first++;
			n = found++ == 0 ? end - first : 1;
		} else {
			first += n;
			n *= 2;
		}
		if (n > end - first)
			n = end - first;
		if (n > 0)
			rc = try_rows(p, first, n);
		if (rc != TALLY_SINK_OK && rc != MD_BAD_ROW)
			return rc;
	}
	return MD_BAD_ROW;
}

/* ---- cutting rows into statements ---- */

/* Assumes: the row's sketch is united. */
static size_t row_bytes(const struct put *p, size_t row)
{
	const struct tally_table *t = p->rows->table;
	const struct tally_cell *cells = cells_at(p, row);
	size_t bytes = ROW_OVERHEAD;
	for (uint32_t i = 0; i < t->ncolumns; i++) {
		uint32_t type = t->columns[i].type;
		bool fixed = type == TALLY_T_INT || type == TALLY_T_REAL || cells[i].null;
		bytes += 9;
		if (md_is_sketch(&t->columns[i]))
			bytes += md_arrays_sketch_bytes(p->s->arrays, i, row - p->united);
		else
			bytes += fixed ? 0 : cells[i].len;
	}
	return bytes;
}

/* How many rows from first on fit one statement: half of what the server takes at once. At least 1. */
static size_t rows_that_fit(const struct put *p, size_t first, size_t end)
{
	size_t bytes = 0, n = 0;
	while (first + n < end) {
		bytes += row_bytes(p, first + n);
		if (n > 0 && bytes > p->s->packet_bytes / 2)
			break;
		n++;
	}
	return n;
}

/* A row that the server would not even read. That is the server's setting, not the row's fault; and its dead letter
 * would be as long. */
static int too_long(struct put *p, size_t bytes)
{
	return p->s->host->fail(p->s->in, TALLY_SINK_STOP, ER_NET_PACKET_TOO_LARGE,
		"%s: a row of %zu bytes does not fit max_allowed_packet (%zu): raise it on the server",
		p->rows->table->name, bytes, p->s->packet_bytes);
}

static int put_some(struct put *p, size_t first, size_t n)
{
	size_t bytes = n == 1 ? row_bytes(p, first) + 1024 : 0;
	if (bytes > p->s->packet_bytes)
		return too_long(p, bytes);
	int rc = try_rows(p, first, n);
	return rc == MD_BAD_ROW ? name_bad_rows(p, first, first + n) : rc;
}

/* The rows up to `end`. BAD_ROW if some were refused; a table whose rows must be taken is given up at the first. */
static int put_united(struct put *p, size_t first, size_t end, bool *refused)
{
	for (size_t n; first < end; first += n) {
		n = rows_that_fit(p, first, end);
		int rc = put_some(p, first, n);
		*refused |= rc == MD_BAD_ROW;
		if (rc != TALLY_SINK_OK && (rc != MD_BAD_ROW || !p->rows->table->insert_only))
			return rc;
	}
	return TALLY_SINK_OK;
}

static const struct md_table *table_of(const struct md *s, const struct tally_table *t)
{
	for (size_t i = 0; i < s->ntables; i++)
		if (s->tables[i].table == t)
			return &s->tables[i];
	return NULL;
}

int md_put_rows(struct md *s, const struct tally_batch *b, size_t index)
{
	const struct tally_rows *rows = &b->rows[index];
	struct put p = { .s = s, .t = table_of(s, rows->table), .rows = rows, .index = index };
	bool refused = false;
	int rc = TALLY_SINK_OK;
	if (!p.t || !md_arrays_widen(s->arrays, rows->table->ncolumns))
		return s->host->fail(s->in, TALLY_SINK_STOP, 0, "table %s was not announced", rows->table->name);
	for (size_t first = 0; first < rows->n && rc == TALLY_SINK_OK; first = p.united + p.many) {
		p.united = first;
		p.many = rows->n - first < MD_ROWS_MAX ? rows->n - first : MD_ROWS_MAX;
		if (p.t->has_sketch)
			rc = md_arrays_unite(s, p.t, cells_at(&p, first), p.many);
		if (rc == TALLY_SINK_OK)
			rc = put_united(&p, first, first + p.many, &refused);
	}
	return rc == TALLY_SINK_OK && refused ? MD_BAD_ROW : rc;
}
