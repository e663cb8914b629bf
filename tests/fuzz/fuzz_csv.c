/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as CSV. The first byte is the size of the chunks: however a file is cut, its rows are the same. Rows written
 * back read as the same rows. */
#include <stdint.h>

#include "text/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct copy {
	struct text_out rows;
	size_t count;
};

static int keep(void *arg, size_t row, size_t line, const struct tally_str *fields, size_t nfields)
{
	struct copy *c = arg;
	MUST(row == c->count++ && line > row && nfields > 0 && nfields <= 8);
	for (size_t i = 0; i < nfields; i++) {
		if (i)
			text_put_char(&c->rows, ',');
		if (nfields == 1 && fields[i].len == 0)
			text_put(&c->rows, STR("\"\"")); /* an empty line would be no row */
		csv_put_field(&c->rows, fields[i]);
	}
	text_put(&c->rows, STR("\r\n"));
	return 0;
}

static int read_csv(struct arena *a, struct tally_str text, size_t step, struct copy *c)
{
	struct csv_reader *r = csv_open(',', (struct csv_limits){ .row_bytes = 256, .fields = 8 }, keep, c);
	int rc = 0;
	*c = (struct copy){ .count = 0 };
	text_open(&c->rows, a, 64);
	for (size_t at = 0; at < text.len && rc == 0; at += step)
		rc = csv_feed(r, str_make(text.ptr + at, text.len - at < step ? text.len - at : step));
	if (rc == 0)
		rc = csv_end(r);
	MUST(rc == 0 || csv_problem(r)[0]);
	csv_close(r);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct copy whole, cut, again;
	if (size < 2)
		return 0;
	struct tally_str text = str_make((const char *)data + 1, size - 1);
	arena_init(&a, 0);
	int rc = read_csv(&a, text, text.len, &whole);
	MUST(read_csv(&a, text, data[0] ? data[0] : 1, &cut) == rc);
	MUST(whole.count == cut.count && str_eq(text_done(&whole.rows), text_done(&cut.rows)));
	MUST(read_csv(&a, text_done(&whole.rows), text.len, &again) == 0);
	MUST(whole.count == again.count && str_eq(text_done(&whole.rows), text_done(&again.rows)));
	arena_free(&a);
	return 0;
}
