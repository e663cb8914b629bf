/* SPDX-License-Identifier: Apache-2.0 */
#include "json_oracle.h"

#include <jansson.h>

#define THEIRS(o) ((const json_t *)(const void *)(o))
#define OURS(j) ((struct oracle *)(void *)(j))

struct oracle *oracle_parse(const char *bytes, size_t len, const char **why)
{
	static json_error_t error;
	json_t *j = json_loadb(bytes, len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
	*why = j || json_error_code(&error) == json_error_null_byte_in_key ? NULL : error.text;
	return OURS(j);
}

void oracle_free(struct oracle *o)
{
	json_decref((json_t *)(void *)o);
}

char oracle_kind(const struct oracle *o)
{
	switch (json_typeof(THEIRS(o))) {
	case JSON_OBJECT:
		return '{';
	case JSON_ARRAY:
		return '[';
	case JSON_STRING:
		return '"';
	case JSON_REAL:
		return '#';
	case JSON_TRUE:
		return 't';
	case JSON_FALSE:
		return 'f';
	case JSON_NULL:
		return 'n';
	default:
		return '?';
	}
}

double oracle_number(const struct oracle *o)
{
	return json_real_value(THEIRS(o));
}

const char *oracle_text(const struct oracle *o, size_t *len)
{
	*len = json_string_length(THEIRS(o));
	return json_string_value(THEIRS(o));
}

size_t oracle_count(const struct oracle *o)
{
	const json_t *j = THEIRS(o);
	return json_is_array(j) ? json_array_size(j) : json_object_size(j);
}

const struct oracle *oracle_at(const struct oracle *o, size_t index)
{
	return OURS(json_array_get(THEIRS(o), index));
}

const struct oracle *oracle_get(const struct oracle *o, const char *key)
{
	return OURS(json_object_get(THEIRS(o), key));
}
