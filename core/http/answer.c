/* SPDX-License-Identifier: Apache-2.0 */
#include "http/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "http/chars.h"

static const struct {
	int status;
	struct tally_str text;
} statuses[] = {
	{ 200, { "OK", 2 } },
	{ 204, { "No Content", 10 } },
	{ 202, { "Accepted", 8 } },
	{ 201, { "Created", 7 } },
	{ 206, { "Partial Content", 15 } },
	{ 301, { "Moved Permanently", 17 } },
	{ 302, { "Found", 5 } },
	{ 303, { "See Other", 9 } },
	{ 304, { "Not Modified", 12 } },
	{ 400, { "Bad Request", 11 } },
	{ 401, { "Unauthorized", 12 } },
	{ 403, { "Forbidden", 9 } },
	{ 404, { "Not Found", 9 } },
	{ 405, { "Method Not Allowed", 18 } },
	{ 406, { "Not Acceptable", 14 } },
	{ 408, { "Request Timeout", 15 } },
	{ 409, { "Conflict", 8 } },
	{ 410, { "Gone", 4 } },
	{ 412, { "Precondition Failed", 19 } },
	{ 413, { "Content Too Large", 17 } },
	{ 414, { "URI Too Long", 12 } },
	{ 415, { "Unsupported Media Type", 22 } },
	{ 417, { "Expectation Failed", 18 } },
	{ 422, { "Unprocessable Content", 21 } },
	{ 429, { "Too Many Requests", 17 } },
	{ 431, { "Request Header Fields Too Large", 31 } },
	{ 500, { "Internal Server Error", 21 } },
	{ 501, { "Not Implemented", 15 } },
	{ 502, { "Bad Gateway", 11 } },
	{ 503, { "Service Unavailable", 19 } },
	{ 504, { "Gateway Timeout", 15 } },
	{ 505, { "HTTP Version Not Supported", 26 } },
	{ 507, { "Insufficient Storage", 20 } },
};

static struct tally_str status_text(int status)
{
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
		if (statuses[i].status == status)
			return statuses[i].text;
	return STR("Unknown");
}

const char *http_status_text(int status)
{
	return status_text(status).ptr;
}

char *out_reserve(struct http_out *o, size_t more)
{
	if (o->cap - o->len < more) {
		size_t cap = o->cap ? o->cap : 4096;
		while (cap - o->len < more)
			cap *= 2;
		o->bytes = memory_grow(o->bytes, cap);
		MUST(o->bytes != NULL);
		o->cap = cap;
	}
	return o->bytes + o->len;
}

void out_put(struct http_out *o, const void *bytes, size_t len)
{
	if (len == 0)
		return;
	memcpy(out_reserve(o, len), bytes, len);
	o->len += len;
}

void out_free(struct http_out *o)
{
	free(o->bytes);
	*o = (struct http_out){ 0 };
}

static void put_str(struct http_out *o, struct tally_str s)
{
	out_put(o, s.ptr, s.len);
}

static void put_number(struct http_out *o, uint64_t n)
{
	char digits[20];
	size_t at = sizeof digits;
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	out_put(o, digits + at, sizeof digits - at);
}

/* A value may hold what a stranger sent (the target of a redirect): control characters become spaces, so that it can
 * end neither the line nor the head. */
static void put_value(struct http_out *o, struct tally_str v)
{
	size_t from = o->len;
	put_str(o, v);
	if (http_is_clean(v.ptr, v.len))
		return;
	for (; from < o->len; from++)
		if ((unsigned char)o->bytes[from] < 0x20 || o->bytes[from] == 0x7f)
			o->bytes[from] = ' ';
}

static void put_field(struct http_out *o, struct tally_str name, struct tally_str value)
{
	put_value(o, name);
	put_str(o, STR(": "));
	put_value(o, value);
	put_str(o, STR("\r\n"));
}

/*  Date: Sun, 06 Nov 1994 08:49:37 GMT   (RFC 9110 §5.6.7; not strftime: it speaks the locale's language) */
static void put_date(struct http_out *o, struct http_date *d)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t now = clock_wall_us() / 1000000;
	if (now != d->second || !d->line[0]) {
		time_t t = (time_t)now;
		struct tm tm;
		gmtime_r(&t, &tm);
		snprintf(d->line, sizeof d->line, "Date: %.3s, %02u %.3s %04u %02u:%02u:%02u GMT\r\n",
			days + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon,
			(unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
			(unsigned)tm.tm_sec % 100);
		d->second = now;
	}
	out_put(o, d->line, strlen(d->line));
}

bool answer_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

static void put_framing(struct http_out *o, const struct answer_head *h)
{
	if (!answer_has_body(h->answer->status) || h->framing == ANSWER_UNTIL_CLOSE)
		return;
	if (h->framing == ANSWER_CHUNKED) {
		put_str(o, STR("Transfer-Encoding: chunked\r\n"));
		return;
	}
	put_str(o, STR("Content-Length: "));
	put_number(o, h->answer->body.len);
	put_str(o, STR("\r\n"));
}

void answer_put_head(struct http_out *o, struct http_date *date, const struct answer_head *h)
{
	const struct http_answer *a = h->answer;
	MUST(a->status >= 100 && a->status <= 999);
	put_str(o, STR("HTTP/1.1 "));
	put_number(o, (uint64_t)a->status);
	put_str(o, STR(" "));
	put_str(o, status_text(a->status));
	put_str(o, STR("\r\n"));
	put_date(o, date);
	if (a->type.len)
		put_field(o, STR("Content-Type"), a->type);
	put_framing(o, h);
	if (h->close)
		put_str(o, STR("Connection: close\r\n"));
	else if (h->minor == 0)
		put_str(o, STR("Connection: keep-alive\r\n"));
	for (size_t i = 0; i < a->nfields; i++)
		put_field(o, a->fields[i].name, a->fields[i].value);
	put_str(o, STR("\r\n"));
}
