/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals as RFC 9457 problem details. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/inner.h"

static void put_cstr(struct http_out *o, const char *s)
{
	out_put(o, s, strlen(s));
}

/* A JSON string; what a detail quotes of a request may hold anything, and is not promised to be UTF-8: bytes outside
 * ASCII become '?'. */
static void put_json(struct http_out *o, const char *s)
{
	put_cstr(o, "\"");
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;
		char escaped[8];
		if (ch == '"' || ch == '\\')
			out_put(o, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\%c", ch));
		else if (ch < 0x20)
			out_put(o, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", ch));
		else
			out_put(o, ch < 0x7f ? s : "?", 1);
	}
	put_cstr(o, "\"");
}

static void put_problem(struct http_out *o, int status, const char *code, const char *detail)
{
	char number[16];
	snprintf(number, sizeof number, "%d", status);
	put_cstr(o, "{\"type\":\"about:blank\",\"title\":");
	put_json(o, http_status_text(status));
	put_cstr(o, ",\"status\":");
	put_cstr(o, number);
	put_cstr(o, ",\"code\":");
	put_json(o, code);
	put_cstr(o, ",\"detail\":");
	put_json(o, detail);
	put_cstr(o, "}\n");
}

void http_problem(struct http_request *rq, int status, const char *code, int retry_after_s, const char *detail, ...)
{
	char words[512], seconds[16];
	struct http_field fields[2];
	size_t nfields = 0;
	struct http_out o = { 0 };
	va_list ap;
	va_start(ap, detail);
	vsnprintf(words, sizeof words, detail, ap);
	va_end(ap);
	put_problem(&o, status, code, words);
	if (retry_after_s > 0) {
		snprintf(seconds, sizeof seconds, "%d", retry_after_s);
		fields[nfields++] = (struct http_field){ STR("Retry-After"), str_of(seconds) };
	}
	if (status == 415)
		fields[nfields++] = (struct http_field){ STR("Accept-Encoding"), STR("gzip, zstd") };
	struct http_answer a = { .status = status,
		.type = STR("application/problem+json"),
		.body = str_make(o.bytes, o.len),
		.fields = fields,
		.nfields = nfields };
	http_respond(rq, &a);
	out_free(&o);
}
