/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a lookup in memory, found by their key.
 *
 * They are put together by one thread and never change afterwards; then any thread may read them. Who uses them holds a
 * reference. Every value is kept as text with its type, for it is asked for as a prop or as JSON. */
#ifndef LOOKUP_ROWS_H
#define LOOKUP_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"

#define LOOKUP_COLUMNS_MAX 64
#define LOOKUP_VERSION 128 /* bytes, with its NUL */

enum lookup_type { LOOKUP_NULL, LOOKUP_TEXT, LOOKUP_NUMBER };

struct lookup_value {
	struct tally_str text; /* UTF-8; of a number JSON: the shortest that reads back the same */
	uint32_t type;         /* enum lookup_type */
};

/* What they were made from. */
struct lookup_origin {
	uint64_t definition;          /* a hash of all that decides what is read */
	char version[LOOKUP_VERSION]; /* number of rows and highest version; "" = not asked for */
	int64_t read_us;              /* wall clock, when they were read */
	uint64_t content; /* a hash of all values in the order in which they were read; set when all are added */
};

struct lookup_rows;

/* ---- making ---- */

/* key: number of the column; columns are copied. memory: bytes. Owned by the caller, one reference. */
struct lookup_rows *lookup_rows_make(const struct lookup_origin *origin, const struct tally_str *columns,
	size_t ncolumns, size_t key, uint64_t memory);

enum lookup_added { LOOKUP_ADDED, LOOKUP_NO_KEY, LOOKUP_TWICE, LOOKUP_NO_ROOM };
/* One value a column; copied. NO_KEY: it is null; TWICE: a row of that key is there, which stays. */
must_check enum lookup_added lookup_rows_add(struct lookup_rows *r, const struct lookup_value *values);

/* All are added. */
void lookup_rows_finish(struct lookup_rows *r);

/* ---- using ---- */

struct lookup_rows *lookup_rows_ref(struct lookup_rows *r);
void lookup_rows_unref(struct lookup_rows *r); /* NULL is nothing */

/* One value a column; NULL = no row has that key. Lives as long as the rows. */
const struct lookup_value *lookup_rows_find(const struct lookup_rows *r, struct tally_str key);
/* The column's number, or -1. */
int lookup_rows_column(const struct lookup_rows *r, struct tally_str name);

size_t lookup_rows_columns(const struct lookup_rows *r, const struct tally_str **names);
size_t lookup_rows_count(const struct lookup_rows *r);
size_t lookup_rows_key(const struct lookup_rows *r);
uint64_t lookup_rows_bytes(const struct lookup_rows *r); /* of memory */
const struct lookup_origin *lookup_rows_origin(const struct lookup_rows *r);
const struct lookup_value *lookup_rows_at(const struct lookup_rows *r, size_t i);
/* A hash of a row: of the columns' names and its values. */
uint64_t lookup_rows_hash(const struct lookup_rows *r, const struct lookup_value *row);

#endif
