/* SPDX-License-Identifier: Apache-2.0 */
/* What every store must do, as one table of tests that runs against each of them, and the tools it is made of.
 *
 * A `place` is where stores are made: which module, with which options, and how to begin with nothing. A `shop` is one
 * line of one node open there through the real host table. */
#ifndef TESTS_SINK_STORE_H
#define TESTS_SINK_STORE_H

#include "unit.h"

#include <tally/sink.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "ship/host.h"
#include "ship/meta.h"
#include "ship/schema.h"

#define NODE_A "01920000-0000-7000-8000-00000000000a"
#define NODE_B "01920000-0000-7000-8000-00000000000b"

struct place {
	const char *module; /* "sqlite" */
	const char *data_dir;
	struct conf_pair options[8];
	size_t noptions;
	void (*wipe)(void);           /* an empty store */
	void (*sql)(const char *sql); /* runs a statement behind the sink's back */
};

extern struct place place;

struct shop {
	struct arena arena;
	struct conf conf;
	const struct schema *schema;
	struct tally_rollup rollup;
	const struct tally_sink *sink;
	struct tally_sink_instance *in;
	struct tally_position at;
	void *reader;
	size_t allowed; /* rows that may be refused; 1000 at first */
};

/* The rollup that shops have unless told otherwise: by name and prop item; events, visitors, sum:value, min:value,
 * max:value. */
extern const struct tally_rollup shop_rollup;

/* On what is there. position() is called and must be OK. */
struct shop *shop_open(const char *node, const char *line, const char *prefix);
/* position() is not called. */
struct shop *shop_open_quietly(const char *node, const char *line, const char *prefix, const struct tally_rollup *r);
void shop_close(struct shop *s);
int shop_position(struct shop *s);
/* 1 = another connection to the module's file, once per program */
const struct tally_sink *shop_module(const char *name);

/* Writes rows of one table and moves the position by one. enum tally_sink_rc. */
int shop_write(struct shop *s, const struct tally_table *t, const struct tally_cell *cells, size_t n);
void shop_must_write(struct shop *s, const struct tally_table *t, const struct tally_cell *cells, size_t n);
/* Fills in from and to. */
int shop_write_batch(struct shop *s, struct tally_batch *b);
int shop_trim(struct shop *s, const struct tally_table *t, int64_t grain, int64_t before_us);
const char *shop_words(const struct shop *s); /* of the last failure */

/* n events, idx from 0 at this lsn, text of the usual length; in the shop's arena. */
struct tally_cell *shop_events(struct shop *s, uint64_t lsn, size_t n);
struct tally_cell *cell_of(struct tally_cell *cells, size_t row, const struct tally_table *t, const char *column);

/* A rollup row. */
struct amounts {
	int64_t grain, bucket_us, events;
	const char *site, *name, *item;
	uint64_t visitor_from, visitor_to; /* hashes of visitors from..to-1 */
	double sum;
	int64_t count;
	const double *min, *max;
	int number_from,
		number_to; /* p:value of the whole numbers from..to-1, p:props.ms of them with the other sign */
};
struct tally_cell *shop_rollup_row(struct shop *s, const struct amounts *a);

struct tally_cell text(const char *s);
struct tally_cell bytes(const void *p, size_t n);
struct tally_cell number(int64_t i);
struct tally_cell real(double d);
struct tally_cell null_cell(void);

/* The first column of the first row; fails the test if there is none. Text lives in the shop's arena. */
int64_t shop_number(struct shop *s, const char *sql);
double shop_real(struct shop *s, const char *sql);
const char *shop_text(struct shop *s, const char *sql);
bool shop_is_null(struct shop *s, const char *sql);
struct tally_str shop_bytes(struct shop *s, const char *sql);

/* All of them. */
extern const struct CMUnitTest store_tests[];
extern const size_t store_test_count;

#endif
