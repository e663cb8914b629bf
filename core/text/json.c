/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar without the strings. One flag tells whether a comma is due, so no stack is needed for a caller that
 * follows the structure; only json_leave(), which follows it alone, keeps a bit for each open bracket. */
#include "text/json.h"

#include <errno.h>
#include <stdint.h>

#include "text/json_inner.h"
#include "text/number.h"

const char *json_kind_name(enum json_kind kind)
{
	static const char *const names[] = { "null", "a bool", "a bool", "a number", "text", "an array", "an object" };
	return names[kind];
}

void json_open(struct json *j, struct arena *a, struct tally_str text, unsigned max_depth)
{
	const char *begin = text.ptr ? text.ptr : "";
	*j = (struct json){
		.begin = begin,
		.at = begin,
		.end = begin + text.len,
		.arena = a,
		.max_depth = max_depth < JSON_DEPTH_MAX ? max_depth : JSON_DEPTH_MAX,
	};
}

void json_open_lenient(struct json *j, struct tally_str text)
{
	json_open(j, NULL, text, JSON_DEPTH_MAX);
	j->lenient = true;
}

int json_fail(struct json *j, const char *code, const char *at, const char *message)
{
	if (!j->code) {
		j->code = code;
		j->message = message;
		j->offset = (size_t)(at - j->begin);
	}
	j->at = j->end;
	return -EINVAL;
}

static int fail_syntax(struct json *j, const char *message)
{
	return json_fail(j, "invalid_json", j->at, j->at == j->end ? "it ends too early" : message);
}

/* The next byte that is no white space, 0 at the end. (A NUL byte in the input is no part of any token either.) */
static inline char peek(struct json *j)
{
	const char *p = j->at, *end = j->end;
	if (p < end && (unsigned char)*p > ' ')
		return *p;
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	j->at = p;
	return p < end ? *p : 0;
}

static int take_word(struct json *j, struct json_value *v, enum json_kind kind, struct tally_str word)
{
	if ((size_t)(j->end - j->at) < word.len || memcmp(j->at, word.ptr, word.len) != 0)
		return fail_syntax(j, "a value was expected: text, a number, true, false, null, [ or {");
	v->kind = kind;
	v->text = str_make(j->at, word.len);
	j->at += word.len;
	return 0;
}

static int take_number(struct json *j, struct json_value *v)
{
	const char *end = number_end(j->at, j->end);
	if (!end)
		return json_fail(j, "invalid_json", j->at, "this is no number as JSON writes it");
	v->kind = JSON_NUMBER;
	v->text = str_make(j->at, (size_t)(end - j->at));
	j->at = end;
	return 0;
}

static int take_bracket(struct json *j, struct json_value *v, enum json_kind kind)
{
	if (j->depth >= j->max_depth)
		return json_fail(j, "too_deep", j->at, "too many brackets are open");
	j->depth++;
	j->first = true;
	v->kind = kind;
	v->text = str_make(j->at++, 1);
	return 0;
}

int json_value(struct json *j, struct json_value *v)
{
	char c = peek(j);
	if (j->code)
		return -EINVAL;
	v->offset = (size_t)(j->at - j->begin);
	switch (c) {
	case '"':
		v->kind = JSON_STRING;
		j->at++;
		return json_take_short(j, &v->text);
	case '{':
		return take_bracket(j, v, JSON_OBJECT);
	case '[':
		return take_bracket(j, v, JSON_ARRAY);
	case 't':
		return take_word(j, v, JSON_TRUE, STR("true"));
	case 'f':
		return take_word(j, v, JSON_FALSE, STR("false"));
	case 'n':
		return take_word(j, v, JSON_NULL, STR("null"));
	default:
		if (c == '-' || (c >= '0' && c <= '9'))
			return take_number(j, v);
		return fail_syntax(j, "a value was expected: text, a number, true, false, null, [ or {");
	}
}

/* Eats the closing bracket or the comma before the next one. 1 = something follows, 0 = closed. */
static int next_in(struct json *j, char close)
{
	char c = peek(j);
	bool first = j->first;
	if (j->code)
		return -EINVAL;
	j->first = false;
	if (c == close && j->at < j->end) {
		j->at++;
		j->depth--;
		return 0;
	}
	if (first)
		return 1;
	if (c != ',')
		return fail_syntax(j, close == '}' ? "a comma or } was expected" : "a comma or ] was expected");
	j->at++;
	return 1;
}

int json_member(struct json *j, struct tally_str *key)
{
	int rc = next_in(j, '}');
	if (rc <= 0)
		return rc;
	if (peek(j) != '"')
		return fail_syntax(j, "a key in quotes was expected");
	j->at++;
	if (json_take_short(j, key))
		return -EINVAL;
	if (peek(j) != ':')
		return fail_syntax(j, "a colon was expected behind the key");
	j->at++;
	return 1;
}

int json_element(struct json *j)
{
	return next_in(j, ']');
}

/* Which of the open brackets are objects: a bit each. */
struct bracket_stack {
	uint64_t bits[JSON_DEPTH_MAX / 64 + 1];
	unsigned count;
};

static void stack_push(struct bracket_stack *s, enum json_kind kind)
{
	uint64_t bit = UINT64_C(1) << (s->count % 64), *word = &s->bits[s->count / 64];
	*word = kind == JSON_OBJECT ? *word | bit : *word & ~bit;
	s->count++;
}

static bool stack_top_is_object(const struct bracket_stack *s)
{
	unsigned top = s->count - 1;
	return s->bits[top / 64] >> (top % 64) & 1;
}

static int leave_checked(struct json *j, enum json_kind kind)
{
	struct bracket_stack open = { .count = 0 };
	struct json_value v;
	struct tally_str key;
	stack_push(&open, kind);
	while (open.count) {
		int rc = stack_top_is_object(&open) ? json_member(j, &key) : json_element(j);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			open.count--;
			continue;
		}
		if (json_value(j, &v))
			return -EINVAL;
		if (v.kind >= JSON_ARRAY)
			stack_push(&open, v.kind); /* its depth was checked: at most JSON_DEPTH_MAX are open */
	}
	return 0;
}

int json_leave(struct json *j, enum json_kind kind)
{
	j->skipping = true;
	int rc = leave_checked(j, kind);
	j->skipping = false;
	return rc;
}

int json_skip(struct json *j)
{
	struct json_value v;
	j->skipping = true;
	int rc = json_value(j, &v);
	j->skipping = false;
	if (rc == 0 && v.kind >= JSON_ARRAY)
		rc = json_leave(j, v.kind);
	return rc;
}

int json_end(struct json *j)
{
	peek(j);
	if (j->code)
		return -EINVAL;
	if (j->at != j->end)
		return json_fail(j, "invalid_json", j->at, "there is more behind the end");
	return 0;
}

void json_place(struct tally_str text, size_t offset, size_t *line, size_t *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < offset && i < text.len; i++) {
		*column += 1;
		if (text.ptr[i] == '\n') {
			*line += 1;
			*column = 1;
		}
	}
}
