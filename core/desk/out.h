/* SPDX-License-Identifier: Apache-2.0 */
/* How the desk puts answers together: text/write.h with the commas in the desk's own hands, since rows and their meta
 * are written by many small functions. */
#ifndef DESK_OUT_H
#define DESK_OUT_H

#include <math.h>

#include "text/csv.h"
#include "text/write.h"

static inline void out_open(struct text_out *o, struct arena *a)
{
	text_open(o, a, 0);
}

static inline struct tally_str out_text(const struct text_out *o)
{
	return text_done(o);
}

static inline void out_bytes(struct text_out *o, const void *bytes, size_t len)
{
	text_put(o, str_make(bytes, len));
}

static inline void out_lit(struct text_out *o, const char *literal)
{
	text_put(o, str_of(literal));
}

/* Quoted and escaped. Assumes: UTF-8, which all that was ever taken is. */
static inline void out_json(struct text_out *o, struct tally_str s)
{
	o->comma = false;
	text_json_string(o, s);
}

/* Not finite = null. */
static inline void out_number(struct text_out *o, double number)
{
	if (isfinite(number))
		text_put_double(o, number);
	else
		out_lit(o, "null");
}

#endif
