/* SPDX-License-Identifier: Apache-2.0 */
/* A path is decoded strictly, since routes are chosen by it. A query is what strangers type into links: there a broken
 * escape stands for itself. */
#include "http/uri.h"

#include <string.h>

#include "http/http.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*  %4A
 *  ^p   ^end at the nearest; -1 = not an escape */
static int unescape(const char *p, const char *end)
{
	if (end - p < 3 || hex(p[1]) < 0 || hex(p[2]) < 0)
		return -1;
	return hex(p[1]) << 4 | hex(p[2]);
}

bool uri_decode_path(char *path, size_t *len)
{
	const char *p = path, *end = path + *len;
	char *out = path;
	while (p < end) {
		int c = *p == '%' ? unescape(p, end) : (unsigned char)*p;
		if (c < 0x20 || c == 0x7f)
			return false;
		p += *p == '%' ? 3 : 1;
		*out++ = (char)c;
	}
	*len = (size_t)(out - path);
	return true;
}

static struct tally_str decode_part(struct arena *a, struct tally_str s)
{
	if (!memchr(s.ptr, '%', s.len) && !memchr(s.ptr, '+', s.len))
		return s;
	char *out = arena_alloc(a, s.len), *q = out;
	const char *p = s.ptr, *end = s.ptr + s.len;
	while (p < end) {
		int c = *p == '%' ? unescape(p, end) : -1;
		if (c >= 0)
			p += 2;
		else
			c = *p == '+' ? ' ' : *p;
		*q++ = (char)c;
		p++;
	}
	return str_make(out, (size_t)(q - out));
}

/*  name=value&…
 *  ^at        ^behind the '&'   false at the end of the query */
static bool next_part(struct tally_str query, size_t *at, struct tally_str *name, struct tally_str *value)
{
	while (*at < query.len && query.ptr[*at] == '&')
		++*at;
	if (*at >= query.len)
		return false;
	const char *p = query.ptr + *at;
	const char *amp = memchr(p, '&', query.len - *at);
	size_t len = amp ? (size_t)(amp - p) : query.len - *at;
	const char *eq = memchr(p, '=', len);
	*name = str_make(p, eq ? (size_t)(eq - p) : len);
	*value = eq ? str_make(eq + 1, len - name->len - 1) : str_make(p + len, 0);
	*at += len;
	return true;
}

bool http_query_next(
	struct arena *a, struct tally_str query, size_t *at, struct tally_str *name, struct tally_str *value)
{
	if (!next_part(query, at, name, value))
		return false;
	*name = decode_part(a, *name);
	*value = decode_part(a, *value);
	return true;
}

bool http_query_get(const struct http_request *rq, const char *name, struct tally_str *out)
{
	struct tally_str key, value, want = str_of(name);
	size_t at = 0;
	while (next_part(rq->query, &at, &key, &value)) {
		if (!str_eq(decode_part(rq->arena, key), want))
			continue;
		*out = decode_part(rq->arena, value);
		return true;
	}
	return false;
}

const struct http_field *http_field_get(const struct http_request *rq, const char *name)
{
	struct tally_str want = str_of(name);
	for (size_t i = 0; i < rq->nfields; i++)
		if (str_eq(rq->fields[i].name, want))
			return &rq->fields[i];
	return NULL;
}
