/* SPDX-License-Identifier: Apache-2.0 */
/* How fast a store takes rows through its sink, nothing else running in this process.
 * usage: bench_sink MODULE events|rollups BATCHES [OPTION=VALUE…]
 * Batches of 5000 events, or of 5000 rollup rows of which each meets one that is there from the second batch on.
 * Making the rows is not timed. Prints rows and rows a second. */
#include "sink_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define ROWS 5000

static void nothing(void)
{
}

static void no_sql(const char *sql)
{
	(void)sql;
}

struct place place = { .data_dir = "/tmp", .wipe = nothing, .sql = no_sql };

static struct tally_cell *rollup_rows(struct shop *s)
{
	const struct tally_table *t = &s->schema->rollups[0].table;
	struct tally_cell *rows = arena_zalloc(&s->arena, ROWS * t->ncolumns * sizeof *rows);
	const double one = 1;
	for (size_t i = 0; i < ROWS; i++) {
		struct amounts a = { .grain = 1,
			.bucket_us = (int64_t)(i / 500) * 900000000,
			.events = 3,
			.item = arena_printf(&s->arena, "/products/shoes/%05zu", i % 500),
			.visitor_from = i,
			.visitor_to = getenv("BENCH_VISITORS") ? i + strtoull(getenv("BENCH_VISITORS"), NULL, 10) : i,
			.sum = 1.5,
			.count = 1,
			.min = &one,
			.max = &one };
		memcpy(rows + i * t->ncolumns, shop_rollup_row(s, &a), t->ncolumns * sizeof *rows);
	}
	return rows;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	bool events = strcmp(argv[2], "events") == 0;
	long batches = atol(argv[3]);
	place.module = argv[1];
	for (int i = 4; i < argc && place.noptions < 8; i++) {
		char *equal = strchr(argv[i], '=');
		if (!equal)
			return 2;
		*equal = 0;
		place.options[place.noptions++] = (struct conf_pair){ argv[i], equal + 1, "bench" };
	}
	struct shop *s = shop_open(NODE_A, "bench", "");
	struct tally_cell *rows = events ? shop_events(s, 0, ROWS) : rollup_rows(s);
	const struct tally_table *t = events ? &s->schema->fixed[SCHEMA_EVENT] : &s->schema->rollups[0].table;
	int64_t took_us = 0;
	for (long b = 0; b < batches; b++) {
		for (size_t i = 0; events && i < ROWS; i++) {
			rows[i * EVC_COLUMNS + EVC_LSN].v.i = (int64_t)s->at.lsn;
			rows[i * EVC_COLUMNS + EVC_TIME].v.i += 5000000;
		}
		int64_t began = clock_mono_us();
		shop_must_write(s, t, rows, ROWS);
		took_us += clock_mono_us() - began;
	}
	printf("%s %s rows %ld rows_s %.0f\n", argv[1], argv[2], batches * ROWS,
		(double)batches * ROWS * 1e6 / (double)took_us);
	shop_close(s);
	return 0;
}
