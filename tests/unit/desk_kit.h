/* SPDX-License-Identifier: Apache-2.0 */
/* A store for tests of the desk: the SQLite sink on a file of its own, filled with events as two nodes would fill it,
 * raw rows and every grain of every rollup, added up naively here. */
#ifndef TESTS_DESK_KIT_H
#define TESTS_DESK_KIT_H

#include "unit.h"

#include <jansson.h>

#include "desk/answer.h"
#include "desk/desk.h"
#include "ship/host.h"

#define KIT_SITE "shop.example"           /* Europe/Berlin */
#define KIT_NOW INT64_C(1792929600000000) /* 2026-10-25T12:00:00Z */
#define KIT_HOUR INT64_C(3600000000)
#define KIT_DAY (24 * KIT_HOUR)

struct kit_event {
	int64_t time_us;
	const char *site, *name, *visitor, *page, *host, *referrer; /* NULL = absent */
	const char *item;                                           /* props.item, a string */
	bool has_value, has_price;
	double value, price; /* price: props.price, a number */
	uint32_t weight;     /* 0 = 1 */
};

struct kit {
	struct arena arena;
	struct conf conf;
	const struct tally_rollup *rollups;
	size_t nrollups;
	const struct schema *schema;
	const struct tally_sink *sink;
	struct tally_sink_instance *node[2];
	struct tally_position at[2];
	struct store *store;
	char dir[64];
	uint64_t lsn;
	uint8_t hash_key[16]; /* of the store */
};

/* The rollups of the kit: total (events visitors sum:value min:value max:value), pages (by name and page: events,
 * visitors), items (by name and props.item: events, sum:value, sum:price), prices (by props.item: min, max of price). */
extern const struct tally_rollup kit_rollups[];
extern const size_t kit_nrollups;

struct kit *kit_open(void);
void kit_close(struct kit *k);

/* Events in any order; every second one goes through the second node. */
void kit_fill(struct kit *k, const struct kit_event *events, size_t n);
/* Any SQL behind the store's back. */
void kit_sql(struct kit *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Asks the planner; the answer as JSON, to be json_decref()'d. Fails the test unless the status is `status`. */
json_t *kit_ask(struct kit *k, int status, const char *body);
/* The same as text, with options as in the URL's query. The text lives until the kit is closed. */
struct answer kit_answer(struct kit *k, const char *options, const char *body, const char *if_none_match);
/* A short form. */
json_t *kit_short(struct kit *k, int status, enum query_form form, const char *query);

/* "meta.source" and the like; fails the test if it is not there. */
json_t *kit_at(json_t *root, const char *path);
const char *kit_text_at(json_t *root, const char *path);

#endif
