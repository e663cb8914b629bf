/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters as an operator asks for them: which ones, and reading them from the stores. */
#ifndef MAIN_DEAD_H
#define MAIN_DEAD_H

#include "main/admin.h"

/* Which letters. The zeroed one is all of them. */
struct dead_filter {
	struct tally_str line, site; /* empty = any */
	int64_t since_us;            /* received at or after this */
	int64_t code;
	bool has_code;
	bool one; /* lsn and idx name a single letter of `line` */
	int64_t lsn, idx;
	bool ascending; /* for going through all: those behind (lsn, idx) and before the lsn `below` */
	int64_t below;
	int64_t limit;
};

enum dead_column { DEAD_LINE, DEAD_LSN, DEAD_IDX, DEAD_SITE, DEAD_TIME, DEAD_CODE, DEAD_ERROR, DEAD_RAW, DEAD_COLUMNS };

/* line, site, since, code, and lsn with idx. False: refused, and the answer says why. */
must_check bool dead_filter_take(struct admin_call *c, struct dead_filter *out);

/* The letters of one line, newest first unless ascending. 0 or -errno with the words in error. */
must_check int dead_read(
	struct daemon *d, size_t line, const struct dead_filter *f, tally_row_fn fn, void *arg, char error[256]);

/* Whether the filter leaves this line in, and it is a store. */
bool dead_line_asked(const struct daemon *d, size_t line, const struct dead_filter *f);

/* GET /admin/dead?line=&site=&since=&code=&limit=&offset=, or ?line=&lsn=&idx= for one letter with its event. */
void dead_command(struct admin_call *c);

/* letters.c: POST /admin/dead/replay, /admin/dead/purge with the same filter, or all=1 where it names no line. */
void letters_replay(struct admin_call *c);
void letters_purge(struct admin_call *c);

#endif
