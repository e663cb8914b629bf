/* SPDX-License-Identifier: Apache-2.0 */
/* The request head: what is taken, what is refused, and that it does not matter in which pieces it comes. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/chars.h"
#include "http/head.h"
#include "http/uri.h"
#include "unit.h"

#define MAX_BYTES 16384
#define MAX_FIELDS 64
#define H11 "GET / HTTP/1.1\r\nHost: a\r\n"
#define LIT(...)                                     \
	{                                            \
		__VA_ARGS__, sizeof(__VA_ARGS__) - 1 \
	}
#define H10 "GET / HTTP/1.0\r\n"

struct row {
	const char *what;
	struct tally_str bytes;
	int status;        /* 0 = taken */
	const char *taken; /* method path ?query length|chunked|- keep|close */
};

/* clang-format off */
static const struct row rows[] = {
	/* taken */
	{ "plain", LIT(H11 "\r\n"), 0, "GET / ? - keep" },
	{ "no Host in 1.0", LIT(H10 "\r\n"), 0, "GET / ? - close" },
	{ "1.0 keep-alive", LIT(H10 "Connection: Keep-Alive\r\n\r\n"), 0, "GET / ? - keep" },
	{ "close wins", LIT(H11 "Connection: keep-alive, Close\r\n\r\n"), 0, "GET / ? - close" },
	{ "close in a second field", LIT(H11 "Connection: x\r\nConnection: ,, close ,\r\n\r\n"), 0, "GET / ? - close" },
	{ "a word with close in it", LIT(H11 "Connection: closed, xclose\r\n\r\n"), 0, "GET / ? - keep" },
	{ "an empty line before", LIT("\r\n" H11 "\r\n"), 0, "GET / ? - keep" },
	{ "query", LIT("GET /a/b?c=d?e HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "GET /a/b ?c=d?e - keep" },
	{ "escapes in the path only", LIT("GET /%41%2f%25?%41 HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "GET /A/% ?%41 - keep" },
	{ "what browsers send bare", LIT("GET /?a=|{}^`\"<>[] HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "GET / ?a=|{}^`\"<>[] - keep" },
	{ "a method of one's own", LIT("M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "M-SEARCH / ? - keep" },
	{ "OPTIONS *", LIT("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "OPTIONS * ? - keep" },
	{ "absolute", LIT("GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "GET /x ?y - keep" },
	{ "absolute, no path", LIT("GET HTTP://A:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"), 0, "GET / ? - keep" },
	{ "absolute https", LIT("GET https://[::1]:8/x HTTP/1.1\r\nHost: [::1]:8\r\n\r\n"), 0, "GET /x ? - keep" },
	{ "length", LIT(H11 "Content-Length: 0012\r\n\r\n"), 0, "GET / ? 12 keep" },
	{ "length with spaces around", LIT(H11 "Content-Length:   12  \r\n\r\n"), 0, "GET / ? 12 keep" },
	{ "no space before the value", LIT(H11 "Content-Length:7\r\n\r\n"), 0, "GET / ? 7 keep" },
	{ "the largest length", LIT(H11 "Content-Length: 18446744073709551614\r\n\r\n"), 0, "GET / ? 18446744073709551615 keep" },
	{ "a length past 64 bits", LIT(H11 "Content-Length: 99999999999999999999999999\r\n\r\n"), 0,
		"GET / ? 18446744073709551615 keep" },
	{ "chunked", LIT(H11 "Transfer-Encoding: chunked\r\n\r\n"), 0, "GET / ? chunked keep" },
	{ "chunked in capitals", LIT(H11 "TRANSFER-ENCODING:   ChUnKeD \r\n\r\n"), 0, "GET / ? chunked keep" },
	{ "empty value", LIT(H11 "X:\r\n\r\n"), 0, "GET / ? - keep" },
	{ "high bytes and tabs in a value", LIT(H11 "X: a\tb\xc3\xa4\xff\r\n\r\n"), 0, "GET / ? - keep" },
	{ "every token character", LIT(H11 "!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n"), 0, "GET / ? - keep" },

	/* the request line */
	{ "space before the method", LIT(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "two empty lines before", LIT("\r\n\r\n" H11 "\r\n"), 400, NULL },
	{ "bare LF before", LIT("\n" H11 "\r\n"), 400, NULL },
	{ "method with a colon", LIT("GE:T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "method too long", LIT("AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "method with a NUL", LIT("GE\0T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "TLS", LIT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 400, NULL },
	{ "nothing but a method", LIT("GET\r\n\r\n"), 400, NULL },
	{ "HTTP/0.9", LIT("GET /\r\n\r\n"), 400, NULL },
	{ "two spaces before the target", LIT("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "two spaces behind the target", LIT("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "TAB between", LIT("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "space at the end", LIT("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400, NULL },
	{ "a second target", LIT("GET / /b HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "relative target", LIT("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "* for GET", LIT("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "CONNECT", LIT("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "fragment", LIT("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "high byte in the target", LIT("GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "control character in the target", LIT("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "broken escape", LIT("GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "escape of no digits", LIT("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "escaped NUL", LIT("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "escaped LF", LIT("GET /%0a HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "absolute without host", LIT("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "absolute of another scheme", LIT("GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "version in lower case", LIT("GET / http/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "version without a dot", LIT("GET / HTTP/11\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "version of three digits", LIT("GET / HTTP/1.10\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "HTTP/1.2", LIT("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505, NULL },
	{ "HTTP/0.9 written out", LIT("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505, NULL },
	{ "HTTP/2.0", LIT("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505, NULL },
	{ "the preface of HTTP/2", LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, NULL },

	/* line ends */
	{ "bare LF behind the request line", LIT("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400, NULL },
	{ "bare LF behind a field", LIT(H11 "X: y\n\r\n"), 400, NULL },
	{ "bare LF at the end", LIT(H11 "\n"), 400, NULL },
	{ "bare CR in the request line", LIT("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "bare CR in a name", LIT(H11 "X\rY: z\r\n\r\n"), 400, NULL },
	{ "bare CR in a value", LIT(H11 "X: y\rContent-Length: 5\r\n\r\n"), 400, NULL },
	{ "CR CR LF", LIT(H11 "X: y\r\r\n\r\n"), 400, NULL },
	{ "CR CR LF at the end", LIT(H11 "\r\r\n"), 400, NULL },

	/* fields */
	{ "obs-fold", LIT(H11 "X: y\r\n z\r\n\r\n"), 400, NULL },
	{ "obs-fold with TAB", LIT(H11 "X: y\r\n\tz\r\n\r\n"), 400, NULL },
	{ "obs-fold of chunked", LIT(H11 "Transfer-Encoding:\r\n chunked\r\n\r\n"), 400, NULL },
	{ "first field begins with a space", LIT("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400, NULL },
	{ "space before the colon", LIT(H11 "Content-Length : 5\r\n\r\n"), 400, NULL },
	{ "TAB before the colon", LIT(H11 "Transfer-Encoding\t: chunked\r\n\r\n"), 400, NULL },
	{ "no colon", LIT(H11 "Content-Length\r\n\r\n"), 400, NULL },
	{ "empty name", LIT(H11 ": x\r\n\r\n"), 400, NULL },
	{ "name with a space", LIT(H11 "X Y: z\r\n\r\n"), 400, NULL },
	{ "name with a high byte", LIT(H11 "X\xe4: z\r\n\r\n"), 400, NULL },
	{ "NUL in a value", LIT(H11 "X: a\0b\r\n\r\n"), 400, NULL },
	{ "NUL behind a length", LIT(H11 "Content-Length: 5\0\r\n\r\n"), 400, NULL },
	{ "control character in a long value", LIT(H11 "X: 0123456789\x0b" "0123456789\r\n\r\n"), 400, NULL },
	{ "DEL among the first eight", LIT(H11 "X: 01\x7f" "3456789\r\n\r\n"), 400, NULL },
	{ "DEL in a value", LIT(H11 "X: 0123456\x7f\r\n\r\n"), 400, NULL },

	/* whose request it is */
	{ "no Host", LIT("GET / HTTP/1.1\r\n\r\n"), 400, NULL },
	{ "two Hosts", LIT(H11 "Host: b\r\n\r\n"), 400, NULL },
	{ "two equal Hosts", LIT(H11 "Host: a\r\n\r\n"), 400, NULL },
	{ "two Hosts in 1.0", LIT(H10 "Host: a\r\nHost: b\r\n\r\n"), 400, NULL },
	{ "empty Host", LIT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400, NULL },
	{ "Host with a space", LIT("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400, NULL },
	{ "Host with a path", LIT("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400, NULL },
	{ "Host with a user", LIT("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), 400, NULL },
	{ "Hosts in a list", LIT("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"), 400, NULL },
	{ "absolute of another host", LIT("GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "absolute of another port", LIT("GET http://a:81/x HTTP/1.1\r\nHost: a:80\r\n\r\n"), 400, NULL },
	{ "absolute with a user", LIT("GET http://b@a/x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ "absolute without Host", LIT("GET http://a/x HTTP/1.0\r\n\r\n"), 400, NULL },

	/* where it ends */
	{ "CL.TE", LIT(H11 "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, NULL },
	{ "TE.CL", LIT(H11 "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), 400, NULL },
	{ "TE and an empty length", LIT(H11 "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"), 400, NULL },
	{ "two lengths", LIT(H11 "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), 400, NULL },
	{ "two equal lengths", LIT(H11 "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400, NULL },
	{ "lengths in a list", LIT(H11 "Content-Length: 5, 5\r\n\r\n"), 400, NULL },
	{ "empty length", LIT(H11 "Content-Length:\r\n\r\n"), 400, NULL },
	{ "signed length", LIT(H11 "Content-Length: +5\r\n\r\n"), 400, NULL },
	{ "negative length", LIT(H11 "Content-Length: -1\r\n\r\n"), 400, NULL },
	{ "hexadecimal length", LIT(H11 "Content-Length: 0x5\r\n\r\n"), 400, NULL },
	{ "length with a space inside", LIT(H11 "Content-Length: 1 2\r\n\r\n"), 400, NULL },
	{ "length behind a TAB", LIT(H11 "Content-Length: \t 5\r\n\r\n"), 400, NULL },
	{ "length before a TAB", LIT(H11 "Content-Length: 5 \t\r\n\r\n"), 400, NULL },
	{ "chunked behind a TAB", LIT(H11 "Transfer-Encoding:\tchunked\r\n\r\n"), 400, NULL },
	{ "Host behind a TAB", LIT("GET / HTTP/1.1\r\nHost:\ta\r\n\r\n"), 400, NULL },
	{ "length with a fraction", LIT(H11 "Content-Length: 1.0\r\n\r\n"), 400, NULL },
	{ "two chunked", LIT(H11 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, NULL },
	{ "chunked, chunked", LIT(H11 "Transfer-Encoding: chunked, chunked\r\n\r\n"), 400, NULL },
	{ "chunked and identity", LIT(H11 "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"), 400, NULL },
	{ "gzip, chunked", LIT(H11 "Transfer-Encoding: gzip, chunked\r\n\r\n"), 400, NULL },
	{ "chunked, gzip", LIT(H11 "Transfer-Encoding: chunked, gzip\r\n\r\n"), 400, NULL },
	{ "identity", LIT(H11 "Transfer-Encoding: identity\r\n\r\n"), 400, NULL },
	{ "empty TE", LIT(H11 "Transfer-Encoding:\r\n\r\n"), 400, NULL },
	{ "xchunked", LIT(H11 "Transfer-Encoding: xchunked\r\n\r\n"), 400, NULL },
	{ "chunked;q", LIT(H11 "Transfer-Encoding: chunked;q=1\r\n\r\n"), 400, NULL },
	{ "quoted chunked", LIT(H11 "Transfer-Encoding: \"chunked\"\r\n\r\n"), 400, NULL },
	{ "chunked with VT", LIT(H11 "Transfer-Encoding: \x0b" "chunked\r\n\r\n"), 400, NULL },
	{ "TE in 1.0", LIT(H10 "Transfer-Encoding: chunked\r\n\r\n"), 400, NULL },
	{ "TE in 1.0 that stays", LIT(H10 "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, NULL },
};
/* clang-format on */

struct outcome {
	enum head_result result;
	int status;
	size_t bytes;
	char text[256];
};

static void describe(const struct http_head *h, struct outcome *o)
{
	char length[32] = "-";
	if (h->has_length)
		snprintf(length, sizeof length, "%llu", (unsigned long long)h->content_length);
	snprintf(o->text, sizeof o->text, "%.*s %.*s ?%.*s %s %s", (int)h->method.len, h->method.ptr, (int)h->path.len,
		h->path.ptr, (int)h->query.len, h->query.ptr ? h->query.ptr : "", h->chunked ? "chunked" : length,
		h->keep_alive ? "keep" : "close");
}

/* Feeds bytes in pieces: the first of `first` bytes, the others of `step`. The buffer is exactly as long as what has
 * come, so that a sanitizer sees a look beyond it. */
static struct outcome feed(const char *bytes, size_t len, size_t first, size_t step)
{
	struct http_field fields[MAX_FIELDS];
	struct http_head h;
	struct outcome o = { .result = HEAD_MORE };
	char *buf = malloc(len ? len : 1);
	assert_non_null(buf);
	head_start(&h, fields, MAX_FIELDS, MAX_BYTES);
	for (size_t at = 0; at < len && o.result == HEAD_MORE; first = step) {
		size_t n = first < len - at ? first : len - at;
		memcpy(buf + at, bytes + at, n);
		at += n;
		o.result = head_feed(&h, buf, at);
	}
	if (o.result == HEAD_BAD)
		o.status = h.fault->status;
	if (o.result == HEAD_DONE) {
		o.bytes = h.bytes;
		describe(&h, &o);
	}
	free(buf);
	return o;
}

static void check_row(const struct row *row, size_t len, const struct outcome *o)
{
	if (o->result != (row->status ? HEAD_BAD : HEAD_DONE) || o->status != row->status)
		fail_msg("%s: result %d, status %d; %d expected", row->what, o->result, o->status, row->status);
	if (row->status)
		return;
	assert_int_equal(o->bytes, len);
	if (strcmp(o->text, row->taken) != 0)
		fail_msg("%s: %s; %s expected", row->what, o->text, row->taken);
}

static void each_row_whole_split_and_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len = rows[i].bytes.len;
		struct outcome o = feed(rows[i].bytes.ptr, len, len, 1);
		check_row(&rows[i], len, &o);
		for (size_t at = 1; at < len; at++) {
			o = feed(rows[i].bytes.ptr, len, at, len);
			check_row(&rows[i], len, &o);
		}
		o = feed(rows[i].bytes.ptr, len, 1, 1);
		check_row(&rows[i], len, &o);
	}
}

/* No head is whole one byte earlier, and what follows a head is left alone. */
static void a_head_ends_where_it_ends(void **state)
{
	(void)state;
	static const char two[] = H11 "X: y\r\n\r\nGET /2 HTTP/1.1\r\n";
	size_t len = strlen(H11 "X: y\r\n\r\n");
	struct outcome o = feed(two, sizeof two - 1, sizeof two - 1, 1);
	assert_int_equal(o.result, HEAD_DONE);
	assert_int_equal(o.bytes, len);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(feed(two, n, n ? n : 1, 1).result, HEAD_MORE);
}

static char *repeat(const char *front, char c, size_t n, const char *back)
{
	char *s = malloc(strlen(front) + n + strlen(back) + 1);
	assert_non_null(s);
	strcpy(s, front);
	memset(s + strlen(front), c, n);
	strcpy(s + strlen(front) + n, back);
	return s;
}

static int status_of(const char *front, char c, size_t n, const char *back, size_t first, size_t step)
{
	char *s = repeat(front, c, n, back);
	struct outcome o = feed(s, strlen(s), first, step);
	free(s);
	return o.result == HEAD_MORE ? -1 : o.status;
}

static void limits_are_exact(void **state)
{
	(void)state;
	static const char back[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
	static const size_t steps[] = { 1, 1000, 1 << 20 };
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		size_t s = steps[i];
		assert_int_equal(status_of("GET /", 'a', HEAD_TARGET_MAX - 1, back, s, s), 0);
		assert_int_equal(status_of("GET /", 'a', HEAD_TARGET_MAX, back, s, s), 414);
		size_t room = MAX_BYTES - strlen(H11 "X: \r\n\r\n");
		assert_int_equal(status_of(H11 "X: ", 'a', room, "\r\n\r\n", s, s), 0);
		assert_int_equal(status_of(H11 "X: ", 'a', room + 1, "\r\n\r\n", s, s), 431);
	}
	/* refused while the line is still coming */
	assert_int_equal(status_of("GET /", 'a', HEAD_TARGET_MAX, "", 1, 1000), 414);
	assert_int_equal(status_of("GET /", 'a', HEAD_TARGET_MAX - 1, "", 1, 1000), -1);
	assert_int_equal(status_of(H11 "X: ", 'a', MAX_BYTES, "", 1, 1000), 431);
	assert_int_equal(status_of("", 'A', HEAD_METHOD_MAX, "", 1, 1), -1);
	assert_int_equal(status_of("", 'A', HEAD_METHOD_MAX + 1, "", 1, 1), 400);
}

static void fields_are_counted_lowered_and_trimmed(void **state)
{
	(void)state;
	char bytes[4096] = H11;
	struct http_field fields[MAX_FIELDS];
	struct http_head h;
	for (int i = 1; i < MAX_FIELDS; i++)
		sprintf(bytes + strlen(bytes), "X-Field-%d: \tVal %d\t \r\n", i, i);
	size_t before = strlen(bytes);
	strcat(bytes, "\r\n");
	head_start(&h, fields, MAX_FIELDS, MAX_BYTES);
	assert_int_equal(head_feed(&h, bytes, strlen(bytes)), HEAD_DONE);
	assert_int_equal(h.nfields, MAX_FIELDS);
	assert_true(str_eq(fields[0].name, STR("host")) && str_eq(fields[0].value, STR("a")));
	assert_true(str_eq(fields[7].name, STR("x-field-7")) && str_eq(fields[7].value, STR("Val 7")));
	strcpy(bytes + before, "One-More: x\r\n\r\n");
	head_start(&h, fields, MAX_FIELDS, MAX_BYTES);
	assert_int_equal(head_feed(&h, bytes, strlen(bytes)), HEAD_BAD);
	assert_int_equal(h.fault->status, 431);
}

static void expectations_and_codings_are_noted(void **state)
{
	(void)state;
	char one[] = H11 "Expect: 100-Continue\r\nContent-Encoding: GZIP\r\n\r\n";
	char two[] = H11 "Expect: 200-ok\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n";
	struct http_field fields[MAX_FIELDS];
	struct http_head h;
	head_start(&h, fields, MAX_FIELDS, MAX_BYTES);
	assert_int_equal(head_feed(&h, one, strlen(one)), HEAD_DONE);
	assert_true(h.expect_continue && !h.expect_other && str_eq(h.encoding, STR("GZIP")));
	head_start(&h, fields, MAX_FIELDS, MAX_BYTES);
	assert_int_equal(head_feed(&h, two, strlen(two)), HEAD_DONE);
	assert_true(h.expect_other && !str_eq(h.encoding, STR("gzip")));
}

static void the_tables_are_the_rfcs(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool token = c < 128 && (isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c)));
		assert_int_equal(http_token_lower[c], token ? tolower(c) : 0);
		assert_int_equal(!!(http_class[c] & HTTP_VALUE), c == '\t' || (c >= ' ' && c != 0x7f));
		assert_int_equal(!!(http_class[c] & HTTP_TARGET), c > ' ' && c < 0x7f && c != '#');
		bool host = c < 128 && (isalnum(c) || (c && strchr("-._~!$&'()*+;=:[]%", c)));
		assert_int_equal(!!(http_class[c] & HTTP_HOST), host);
	}
}

static void queries_are_decoded_leniently(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 0);
	struct http_request rq = { .arena = &a, .query = STR("&a=1&&b=x+y%20%c3%A4&c&=v&d=%4&e=%zz&a=2&f%3d=g%26") };
	static const char *const want[][2] = { { "a", "1" }, { "b", "x y \xc3\xa4" }, { "c", "" }, { "", "v" },
		{ "d", "%4" }, { "e", "%zz" }, { "a", "2" }, { "f=", "g&" } };
	struct tally_str name, value;
	size_t at = 0, n = 0;
	while (http_query_next(&a, rq.query, &at, &name, &value)) {
		assert_true(n < sizeof want / sizeof *want);
		assert_true(str_eq(name, str_of(want[n][0])) && str_eq(value, str_of(want[n][1])));
		n++;
	}
	assert_int_equal(n, sizeof want / sizeof *want);
	assert_true(http_query_get(&rq, "a", &value) && str_eq(value, STR("1")));
	assert_true(http_query_get(&rq, "f=", &value) && str_eq(value, STR("g&")));
	assert_true(http_query_get(&rq, "c", &value) && value.len == 0);
	assert_false(http_query_get(&rq, "g", &value));
	rq.query = (struct tally_str){ 0 };
	assert_false(http_query_get(&rq, "a", &value));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_whole_split_and_byte_by_byte),
		cmocka_unit_test(a_head_ends_where_it_ends),
		cmocka_unit_test(limits_are_exact),
		cmocka_unit_test(fields_are_counted_lowered_and_trimmed),
		cmocka_unit_test(expectations_and_codings_are_noted),
		cmocka_unit_test(the_tables_are_the_rfcs),
		cmocka_unit_test(queries_are_decoded_leniently),
	};
	return RUN_TESTS("http head", tests);
}
