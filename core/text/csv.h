/* SPDX-License-Identifier: Apache-2.0 */
/* CSV as RFC 4180 has it: fields in quotes may hold commas, quotes (doubled) and line breaks; lines end in CRLF or LF.
 * The reader takes chunks of any size and calls for each row. A reader belongs to one thread. */
#ifndef TEXT_CSV_H
#define TEXT_CSV_H

#include "base/arena.h"
#include "base/check.h"
#include "text/write.h"

struct csv_reader;

/* One row; row counts from 0, line (from 1) is where it began. The fields die with the call; a field may be empty.
 * Return 0 to go on, else reading stops with that value. */
typedef int (*csv_row_fn)(void *arg, size_t row, size_t line, const struct tally_str *fields, size_t nfields);

struct csv_limits {
	size_t row_bytes; /* of one row's fields together */
	size_t fields;    /* of one row */
};

/* Lines with nothing in them are passed over, and so is a byte order mark at the beginning. Never NULL. */
struct csv_reader *csv_open(char separator, struct csv_limits limits, csv_row_fn fn, void *arg);
void csv_close(struct csv_reader *r);

/* The next bytes. 0, what fn returned, or -EINVAL: csv_problem() says why. After a failure only csv_close() is left. */
must_check int csv_feed(struct csv_reader *r, struct tally_str chunk);

/* No more bytes will come: the last row, if no line end closed it. As csv_feed(). */
must_check int csv_end(struct csv_reader *r);

/* "line 7: …"; lives as long as the reader. */
const char *csv_problem(const struct csv_reader *r);

/* Puts one field, in quotes where it needs them. The caller puts separators and "\r\n". */
void csv_put_field(struct text_out *o, struct tally_str field);

#endif
