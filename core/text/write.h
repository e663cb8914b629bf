/* SPDX-License-Identifier: Apache-2.0 */
/* Text put together in an arena: plain, JSON or CSV. The buffer doubles when it is full; what was written before stays
 * in the arena until that is reset. Commas of JSON are put by themselves:
 *
 *     text_open(&o, arena, 256);
 *     text_json_begin(&o, '{');
 *     text_json_key(&o, STR("rows")), text_json_int(&o, 12);
 *     text_json_end(&o, '}');
 *     struct tally_str done = text_done(&o);
 *
 * A writer belongs to one thread. Nothing here fails: an arena without memory aborts. */
#ifndef TEXT_WRITE_H
#define TEXT_WRITE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

/* [0, len) written, [len, cap) free. */
struct text_out {
	struct arena *arena;
	char *ptr;
	size_t len, cap;
	bool comma; /* the next value or key of JSON needs one before it */
};

/* room: a guess of the final length; 0 = small. */
void text_open(struct text_out *o, struct arena *a, size_t room);

/* What was written. It lives in the arena; writing on may move it. */
static inline struct tally_str text_done(const struct text_out *o)
{
	return str_make(o->ptr, o->len);
}

/* Room for n more bytes at o->ptr + o->len. */
void text_reserve(struct text_out *o, size_t n);

static inline void text_put(struct text_out *o, struct tally_str s)
{
	if (o->cap - o->len < s.len)
		text_reserve(o, s.len);
	if (s.len)
		memcpy(o->ptr + o->len, s.ptr, s.len);
	o->len += s.len;
}

static inline void text_put_char(struct text_out *o, char c)
{
	if (o->cap == o->len)
		text_reserve(o, 1);
	o->ptr[o->len++] = c;
}

void text_printf(struct text_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text_out *o, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void text_put_int(struct text_out *o, int64_t number);
void text_put_double(struct text_out *o, double number); /* shortest that reads back the same; assumes: finite */

/* ---- JSON ---- */

/* The keys of text_json_member_…() are the program's own words: no escapes.
 * bracket: '{' or '['; and '}' or ']'. */
void text_json_begin(struct text_out *o, char bracket);
void text_json_end(struct text_out *o, char bracket);
void text_json_key(struct text_out *o, struct tally_str key);
/* Assumes: s is UTF-8. Escapes what JSON must, and DEL, C1, U+2028 and U+2029, which break logs and scripts. */
void text_json_string(struct text_out *o, struct tally_str s);
void text_json_int(struct text_out *o, int64_t number);
void text_json_uint(struct text_out *o, uint64_t number);
void text_json_double(struct text_out *o, double number); /* null if not finite: JSON has no word for it */
void text_json_bool(struct text_out *o, bool value);
void text_json_null(struct text_out *o);
/* A value that is JSON already, such as a number as sent. */
void text_json_raw(struct text_out *o, struct tally_str json);

/* A key and its value in one call. */
void text_json_member_string(struct text_out *o, const char *key, struct tally_str s);
void text_json_member_int(struct text_out *o, const char *key, int64_t number);
void text_json_member_double(struct text_out *o, const char *key, double number);
void text_json_member_bool(struct text_out *o, const char *key, bool value);

#endif
