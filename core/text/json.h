/* SPDX-License-Identifier: Apache-2.0 */
/* A strict JSON reader (RFC 8259) that walks over a slice and hands out one value after the other.
 *
 * Nothing is allocated but the unescaped form of strings that hold a backslash; every other text is a slice of the
 * input, which must outlive it. Nesting is bounded, also in what is skipped. The usual loop:
 *
 *     json_open(&j, arena, text, 32);
 *     json_value(&j, &v);                        v.kind == JSON_OBJECT
 *     while ((rc = json_member(&j, &key)) > 0)
 *             rc = json_value(&j, &v);           or json_skip(&j)
 *     rc = json_end(&j);
 *
 * After an error every further call fails as well; code, message and offset say what and where.
 * For small documents that are read more than once see text/tree.h. A reader belongs to one thread.
 * (A source that includes this cannot include jansson.h as well: both name the kinds JSON_….) */
#ifndef TEXT_JSON_H
#define TEXT_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 1024 /* no reader goes deeper, whatever it is asked for */

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* "null", "a bool", "a number", "text", "an array", "an object": for messages. */
const char *json_kind_name(enum json_kind kind);

struct json_value {
	enum json_kind kind;
	struct tally_str text; /* STRING: unescaped; else the bytes as sent (of an array or object its bracket only) */
	size_t offset;         /* of its first byte in the input */
};

struct json {
	const char *begin, *at, *end;
	struct arena *arena;
	unsigned depth, max_depth;
	bool first;    /* a bracket was just opened: no comma is due */
	bool skipping; /* strings are checked, not unescaped */
	bool lenient;  /* see json_open_lenient() */

	/* of the first error; code is NULL before it */
	const char *code;    /* "invalid_json", "invalid_utf8" (also a lone surrogate) or "too_deep" */
	const char *message; /* static, for a person */
	size_t offset;       /* of the byte that broke it */
};

/* max_depth: brackets that may be open at once, at most JSON_DEPTH_MAX. */
void json_open(struct json *j, struct arena *a, struct tally_str text, unsigned max_depth);

/* For finding the end of a value known to break a limit: text that is no UTF-8 and nesting up to JSON_DEPTH_MAX pass. */
void json_open_lenient(struct json *j, struct tally_str text);

/* The next value. Of an array or object only the bracket is eaten: go on with json_element() or json_member() until
 * they return 0, or leave it with json_leave(). Numbers are checked, not converted: see number_double().
 * 0 or -EINVAL. */
must_check int json_value(struct json *j, struct json_value *v);

/* Inside an object: 1 = the key of the next member, its value comes next; 0 = the object ended; -EINVAL. */
must_check int json_member(struct json *j, struct tally_str *key);

/* Inside an array: 1 = an element comes next; 0 = the array ended; -EINVAL. */
must_check int json_element(struct json *j);

/* Passes over the next value, checking all of it. 0 or -EINVAL. */
must_check int json_skip(struct json *j);

/* Passes over the rest of the array or object opened last. 0 or -EINVAL. */
must_check int json_leave(struct json *j, enum json_kind kind);

/* 0 if nothing but white space is left, else -EINVAL. */
must_check int json_end(struct json *j);

/* Line and column, both from 1, of an offset in text; the column counts bytes. */
void json_place(struct tally_str text, size_t offset, size_t *line, size_t *column);

#endif
